// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions: making them, freeing them, their errors.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

/**
 * copy_versioned() - copy a structure that a newer library may have enlarged
 * @dst: structure as this library knows it
 * @known: its size
 * @src: structure as the program knows it
 * @size: its size
 *
 * Return: 0, or -E2BIG when the program uses what this library lacks.
 */
int copy_versioned(void *dst, size_t known, const void *src, size_t size)
{
	const unsigned char *bytes = src;
	size_t i;

	for (i = known; i < size; i++)
		if (bytes[i])
			return -E2BIG;
	memset(dst, 0, known);
	memcpy(dst, src, size < known ? size : known);
	return 0;
}

static int open_fds(struct fusex_session *se)
{
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	close(ends[1]);
	se->gone_fd = ends[0];
	se->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (se->wake_fd >= 0)
		return 0;
	ret = -errno;
	close(se->gone_fd);
	return ret;
}

static int session_init(struct fusex_session *se, const struct fusex_ops *ops,
			size_t ops_size, const struct fusex_config *cfg)
{
	int ret;

	if (!ops || !ops_size || ops_size % sizeof(void (*)(void)))
		return -EINVAL;
	if (!cfg || cfg->size < CONFIG_SIZE_FIRST)
		return -EINVAL;
	ret = copy_versioned(&se->ops, sizeof(se->ops), ops, ops_size);
	if (!ret)
		ret = copy_versioned(&se->cfg, sizeof(se->cfg), cfg, cfg->size);
	if (ret)
		return ret;

	se->fd = -1;
	ret = open_fds(se);
	if (ret)
		return ret;
	pthread_mutex_init(&se->lock, NULL);
	pthread_cond_init(&se->changed, NULL);
	return 0;
}

struct fusex_session *fusex_session_new(const struct fusex_ops *ops,
					size_t ops_size,
					const struct fusex_config *cfg,
					void *userdata)
{
	struct fusex_session *se;
	int ret;

	se = calloc(1, sizeof(*se));
	if (!se)
		return NULL;
	ret = session_init(se, ops, ops_size, cfg);
	if (ret) {
		free(se);
		errno = -ret;
		return NULL;
	}
	se->userdata = userdata;
	return se;
}

/**
 * session_attach() - serve a test's descriptor as if it were /dev/fusex
 * @se: a session that was not set up
 * @fd: a message-preserving socket, owned by the session from now on
 * @agreed: what FUSEX_IOC_SETUP would have returned
 *
 * Return: 0.
 */
int session_attach(struct fusex_session *se, int fd,
		   const struct fusex_setup *agreed)
{
	se->fd = fd;
	se->fake = true;
	se->agreed = *agreed;
	session_set_sizes(se);
	se->ready = true;
	return 0;
}

static void free_requests(struct fusex_req *req)
{
	struct fusex_req *next;

	for (; req; req = next) {
		next = req->next;
		req_free(req);
	}
}

void fusex_session_free(struct fusex_session *se)
{
	if (!se)
		return;
	session_let_go(se);
	/* Closed first, so that unmounting does not wait for answers. */
	if (se->fd >= 0)
		close(se->fd);
	se->fd = -1;
	session_forget_mount(se);
	free_requests(se->busy);
	free_requests(se->pool);
	close(se->wake_fd);
	close(se->gone_fd);
	pthread_cond_destroy(&se->changed);
	pthread_mutex_destroy(&se->lock);
	free(se);
}

/**
 * session_fail() - note an error
 * @se: session
 * @err: positive errno
 * @fmt: what could not be done; the error's own text is appended when it ends
 *	in a colon
 *
 * Return: -@err.
 */
int session_fail(struct fusex_session *se, int err, const char *fmt, ...)
{
	char number[64];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(se->error, sizeof(se->error), fmt, ap);
	va_end(ap);

	len = strlen(se->error);
	if (len && se->error[len - 1] == ':')
		snprintf(se->error + len, sizeof(se->error) - len, " %s",
			 strerror_r(err, number, sizeof(number)));
	return -err;
}

const char *fusex_session_error(const struct fusex_session *se)
{
	return se->error;
}

void *fusex_session_userdata(const struct fusex_session *se)
{
	return se->userdata;
}

const struct fusex_setup *fusex_session_agreed(const struct fusex_session *se)
{
	return se->ready ? &se->agreed : NULL;
}

int fusex_session_fd(const struct fusex_session *se)
{
	return se->ready ? se->fd : -1;
}

/**
 * session_end_fd() - close a descriptor of the channel that threads may use
 * @se: session
 * @fd: the descriptor
 *
 * Somebody may be answering a request, so its number must not become that of
 * another file, and who answers has to see that it arrives nowhere.
 */
void session_end_fd(struct fusex_session *se, int fd)
{
	dup3(se->gone_fd, fd, O_CLOEXEC);
}

/**
 * session_wake() - make fusex_run() look at the flags
 * @se: session
 *
 * Safe in signal handlers.  The counter cannot overflow in practice, and when
 * it is not zero the reader wakes anyway, so the result does not matter.
 */
void session_wake(struct fusex_session *se)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(se->wake_fd, &one, sizeof(one)) < 0)
		errno = saved;
}

void fusex_session_stop(struct fusex_session *se)
{
	atomic_store(&se->stop, true);
	session_wake(se);
}

void *fusex_req_userdata(const struct fusex_req *req)
{
	return req->se->userdata;
}

struct fusex_session *fusex_req_session(const struct fusex_req *req)
{
	return req->se;
}

const struct fusex_in_header *fusex_req_header(const struct fusex_req *req)
{
	return req->hdr;
}

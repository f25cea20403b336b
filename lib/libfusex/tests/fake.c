// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../src/internal.h"
#include "fake.h"

#define DEADLINE_SECONDS	10

static void *runner(void *arg)
{
	struct fake *f = arg;

	f->result = fusex_run(f->se, &f->opts);
	return NULL;
}

void fake_start(struct fake *f, const struct fusex_ops *ops, void *userdata,
		uint32_t threads, uint32_t max_threads)
{
	struct fusex_setup agreed = {
		.size		= sizeof(agreed),
		.abi		= FUSEX_ABI,
		.max_read	= FAKE_MAX_READ,
		.max_write	= FAKE_MAX_WRITE,
		.handle_size	= 16,
		.request_size	= FAKE_MESSAGE,
	};
	struct fusex_config cfg;
	int bytes = 1 << 20, socks[2];

	memset(f, 0, sizeof(*f));
	signal(SIGPIPE, SIG_IGN);
	fusex_config_init(&cfg, sizeof(cfg));
	f->se = fusex_session_new(ops, sizeof(*ops), &cfg, userdata);
	if (!f->se)
		err(1, "fusex_session_new");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		err(1, "socketpair");
	setsockopt(socks[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(socks[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	f->sock = socks[0];
	session_attach(f->se, socks[1], &agreed);
	f->opts.size = sizeof(f->opts);
	f->opts.threads = threads;
	f->opts.max_threads = max_threads;
	if (pthread_create(&f->runner, NULL, runner, f))
		errx(1, "pthread_create");
}

void fake_stop(struct fake *f)
{
	shutdown(f->sock, SHUT_RDWR);
	pthread_join(f->runner, NULL);
	fusex_session_free(f->se);
	close(f->sock);
}

void msg_begin(struct fake *f, struct message *m, uint32_t op, uint64_t nodeid)
{
	memset(&m->in, 0, sizeof(m->in));
	m->len = sizeof(m->in);
	m->in.opcode = op;
	m->in.unique = ++f->unique;
	m->in.nodeid = nodeid;
	m->in.generation = 7;
	m->in.uid = 1000;
	m->in.gid = 1001;
	m->in.pid = 1002;
}

void msg_data(struct message *m, const void *data, size_t len)
{
	if (len > sizeof(m->buf) - m->len)
		errx(1, "message too large");
	memcpy(m->buf + m->len, data, len);
	m->len += len;
}

void msg_pad(struct message *m)
{
	while (m->len % 8)
		m->buf[m->len++] = 0;
}

void msg_arg(struct message *m, const void *arg, size_t len)
{
	m->in.arg_len = (uint32_t)len;
	msg_data(m, arg, len);
}

void msg_handle(struct message *m, const void *handle, size_t len)
{
	m->in.handle_len = (uint16_t)len;
	msg_data(m, handle, len);
	msg_pad(m);
}

void msg_handle2(struct message *m, const void *handle, size_t len)
{
	m->in.handle2_len = (uint16_t)len;
	msg_data(m, handle, len);
	msg_pad(m);
}

void msg_name(struct message *m, const char *name)
{
	msg_data(m, name, strlen(name) + 1);
}

void fake_send_raw(struct fake *f, const void *data, size_t len)
{
	if (send(f->sock, data, len, 0) != (ssize_t)len)
		err(1, "send");
}

void fake_send(struct fake *f, struct message *m)
{
	m->in.len = (uint32_t)m->len;
	fake_send_raw(f, m->buf, m->len);
}

static bool readable(struct fake *f, int timeout)
{
	struct pollfd pfd = { .fd = f->sock, .events = POLLIN };

	return poll(&pfd, 1, timeout) > 0;
}

bool fake_recv(struct fake *f, struct message *m)
{
	ssize_t n;

	m->len = 0;
	if (!readable(f, DEADLINE_SECONDS * 1000))
		return false;
	n = recv(f->sock, m->buf, sizeof(m->buf), 0);
	if (n < (ssize_t)sizeof(m->out))
		return false;
	m->len = (size_t)n;
	return m->out.len == m->len;
}

bool fake_quiet(struct fake *f)
{
	return !readable(f, 0);
}

bool fake_call(struct fake *f, struct message *request, struct message *reply)
{
	uint64_t unique = request->in.unique;

	fake_send(f, request);
	return fake_recv(f, reply) && reply->out.unique == unique &&
	       !reply->out.notify && !reply->out.reserved;
}

const void *reply_body(const struct message *m)
{
	return m->buf + sizeof(m->out);
}

size_t reply_len(const struct message *m)
{
	return m->len - sizeof(m->out);
}

void event_signal(struct event *e)
{
	pthread_mutex_lock(&e->lock);
	e->count++;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

bool event_wait(struct event *e, unsigned int count)
{
	struct timespec deadline;
	bool happened;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += DEADLINE_SECONDS;
	pthread_mutex_lock(&e->lock);
	while (e->count < count && ret != ETIMEDOUT)
		ret = pthread_cond_timedwait(&e->changed, &e->lock, &deadline);
	happened = e->count >= count;
	pthread_mutex_unlock(&e->lock);
	return happened;
}

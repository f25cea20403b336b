// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writing replies.
 *
 * A reply is one piece of memory wherever that can be had: results of fixed
 * size have their header in front of them in struct reply_msg, and data has
 * room for it in front of the data buffer.
 */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

/* What session_end_fd() puts in the place of a channel cannot be written to. */
static int written(ssize_t n)
{
	if (n >= 0)
		return 0;
	return errno == EBADF ? -ENODEV : -errno;
}

/**
 * write_all() - one write(2), repeated when a signal came first
 * @fd: descriptor of the channel
 * @buf: what to write
 * @len: bytes
 *
 * Return: 0 or -errno, -ENODEV also when it was closed meanwhile.
 */
int write_all(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do {
		n = write(fd, buf, len);
	} while (n < 0 && errno == EINTR);
	return written(n);
}

/**
 * writev_all() - the same for what is in several places
 * @fd: descriptor of the channel
 * @iov: what to write
 * @count: of them
 *
 * Return: as write_all().
 */
int writev_all(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	do {
		n = writev(fd, iov, count);
	} while (n < 0 && errno == EINTR);
	return written(n);
}

/**
 * req_send_error() - answer with an error
 * @req: request
 * @error: negative errno, or 0 for a reply without content
 *
 * Return: 0 or -errno of the write.
 */
int req_send_error(struct fusex_req *req, int error)
{
	struct fusex_out_header h = {
		.len	= sizeof(h),
		.error	= error,
		.unique	= req->hdr->unique,
	};

	if (h.unique == NO_UNIQUE)
		return 0;
	return write_all(req->fd, &h, sizeof(h));
}

/**
 * req_send() - answer
 * @req: request
 * @h: room for the header, followed by the reply
 * @len: bytes that follow the header
 *
 * When the kernel does not take the reply, what the handler did for it is
 * undone; when nobody else could tell the caller, it gets EIO.
 *
 * Return: 0 or -errno of the write.
 */
int req_send(struct fusex_req *req, struct fusex_out_header *h, size_t len)
{
	int ret;

	if (req->hdr->unique == NO_UNIQUE)
		return 0;
	h->len = (uint32_t)(sizeof(*h) + len);
	h->error = 0;
	h->unique = req->hdr->unique;
	h->notify = 0;
	h->reserved = 0;
	ret = write_all(req->fd, h, h->len);
	if (!ret)
		return 0;
	req_undo(req, h + 1);
	if (ret != -ENOENT && ret != -ENODEV)
		(void)req_send_error(req, -EIO);
	return ret;
}

/**
 * req_send_fixed() - answer with what is in req->msg
 * @req: request
 * @len: bytes of the result
 *
 * Return: as req_send().
 */
int req_send_fixed(struct fusex_req *req, size_t len)
{
	return req_send(req, &req->msg.h, len);
}

/**
 * req_send_entry() - answer with the entry in req->msg
 * @req: request
 * @open: result of opening it, that goes before the handle; or NULL
 *
 * Return: as req_send(); -EINVAL for a handle that is too long, and the caller
 * gets EIO.
 */
int req_send_entry(struct fusex_req *req, const struct fusex_open_out *open)
{
	struct fusex_entry_reply *out = &req->msg.u.entry;
	bool too_long = out->entry.handle_len > FUSEX_HANDLE_MAX;
	size_t len = offsetof(struct fusex_entry_reply, handle);
	size_t handle_len, padded;

	if (too_long)
		out->entry.handle_len = 0;
	handle_len = out->entry.handle_len;
	padded = FUSEX_ALIGN(handle_len);
	memset(out->handle + handle_len, 0, padded - handle_len);
	if (open) {
		memmove(out->handle + sizeof(*open), out->handle, padded);
		memcpy(out->handle, open, sizeof(*open));
		len += sizeof(*open);
	}
	if (!too_long)
		return req_send_fixed(req, len + padded);
	req_undo(req, out);
	(void)req_send_error(req, -EIO);
	return -EINVAL;
}

/**
 * req_send_data() - answer with what is in the data buffer
 * @req: request
 * @head: bytes of the result structure that is in front of the data
 * @len: bytes of data
 *
 * Return: as req_send().
 */
int req_send_data(struct fusex_req *req, size_t head, size_t len)
{
	struct fusex_out_header *h = (void *)(req->data - head - sizeof(*h));

	return req_send(req, h, head + len);
}

/* What a handler may not return becomes EIO. */
static int sane_error(ssize_t ret)
{
	return ret < 0 && ret >= -511 ? (int)ret : -EIO;
}

/**
 * req_finish() - a handler with a result of fixed size returned
 * @req: request, with the result in req->msg
 * @ret: what the handler returned
 * @len: bytes of the result
 *
 * Return: what became of the request.
 */
enum req_fate req_finish(struct fusex_req *req, int ret, size_t len)
{
	if (ret == FUSEX_DEFERRED)
		return REQ_DEFERRED;
	if (atomic_load_explicit(&req->armed, memory_order_relaxed))
		req_disarm(req);
	if (ret)
		(void)req_send_error(req, sane_error(ret));
	else
		(void)req_send_fixed(req, len);
	return REQ_DONE;
}

/**
 * req_finish_data() - a handler that filled the data buffer returned
 * @req: request
 * @ret: what the handler returned, bytes if not negative
 * @max: the most that it may be
 *
 * Return: what became of the request.
 */
enum req_fate req_finish_data(struct fusex_req *req, ssize_t ret, size_t max)
{
	if (ret == FUSEX_DEFERRED)
		return REQ_DEFERRED;
	if (atomic_load_explicit(&req->armed, memory_order_relaxed))
		req_disarm(req);
	if (ret < 0 || (size_t)ret > max)
		(void)req_send_error(req, sane_error(ret));
	else
		(void)req_send_data(req, 0, (size_t)ret);
	return REQ_DONE;
}

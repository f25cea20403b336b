// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Answers to requests that were deferred.
 *
 * Each of these checks that it fits the request, ends the cancel function's
 * arrangement, writes the reply and lets the request go.
 */
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

#include "internal.h"

static int begin(struct fusex_req *req, enum reply_kind kind)
{
	if (atomic_load_explicit(&req->armed, memory_order_relaxed))
		req_disarm(req);
	/* The worker's own may be closed by now. */
	req->fd = req->se->fd;
	if (req->op->kind == kind)
		return 0;
	if (req->op->kind == REPLY_DIR)
		req_undo(req, req->data);
	(void)req_send_error(req, -EIO);
	return -EINVAL;
}

static int end(struct fusex_req *req, int ret)
{
	req_answered(req);
	return ret;
}

static int reply_fixed(struct fusex_req *req, enum reply_kind kind,
		       const void *out, size_t len)
{
	int ret = begin(req, kind);

	if (ret)
		return end(req, ret);
	if (out != &req->msg.u)
		memcpy(&req->msg.u, out, len);
	return end(req, req_send_fixed(req, len));
}

/* Success without content: nothing, or structures that say "nothing". */
static int reply_nothing(struct fusex_req *req)
{
	size_t len = 0;

	switch (req->op->kind) {
	case REPLY_EMPTY:
		break;
	case REPLY_ATTR:
		if (req->hdr->opcode == FUSEX_OP_GETATTR)
			goto invalid;
		len = sizeof(struct fusex_attr_out);
		break;
	case REPLY_UNLINK:
		len = sizeof(struct fusex_unlink_out);
		break;
	case REPLY_RENAME:
		len = sizeof(struct fusex_rename_out);
		break;
	default:
		goto invalid;
	}
	memset(&req->msg.u, 0, len);
	return req_send_fixed(req, len);

invalid:
	(void)req_send_error(req, -EIO);
	return -EINVAL;
}

int fusex_reply_err(struct fusex_req *req, int error)
{
	int ret = begin(req, req->op->kind);

	if (ret)
		return end(req, ret);
	if (req->op->kind == REPLY_DIR)
		req_undo(req, req->data);
	if (!error)
		return end(req, reply_nothing(req));
	if (error < 0 && error >= -511)
		return end(req, req_send_error(req, error));
	(void)req_send_error(req, -EIO);
	return end(req, -EINVAL);
}

static int reply_entry(struct fusex_req *req, enum reply_kind kind,
		       const struct fusex_entry_reply *out,
		       const struct fusex_open_out *open)
{
	struct fusex_open_out copy;
	int ret = begin(req, kind);

	if (ret)
		return end(req, ret);
	if (open)
		copy = *open;
	if (out != &req->msg.u.entry)
		req->msg.u.entry = *out;
	return end(req, req_send_entry(req, open ? &copy : NULL));
}

int fusex_reply_entry(struct fusex_req *req,
		      const struct fusex_entry_reply *out)
{
	return reply_entry(req, REPLY_ENTRY, out, NULL);
}

int fusex_reply_create(struct fusex_req *req,
		       const struct fusex_entry_reply *out,
		       const struct fusex_open_out *open)
{
	return reply_entry(req, REPLY_CREATE, out, open);
}

int fusex_reply_attr(struct fusex_req *req, const struct fusex_attr_out *out)
{
	return reply_fixed(req, REPLY_ATTR, out, sizeof(*out));
}

int fusex_reply_unlink(struct fusex_req *req,
		       const struct fusex_unlink_out *out)
{
	return reply_fixed(req, REPLY_UNLINK, out, sizeof(*out));
}

int fusex_reply_rename(struct fusex_req *req,
		       const struct fusex_rename_out *out)
{
	return reply_fixed(req, REPLY_RENAME, out, sizeof(*out));
}

int fusex_reply_open(struct fusex_req *req, const struct fusex_open_out *out)
{
	return reply_fixed(req, REPLY_OPEN, out, sizeof(*out));
}

int fusex_reply_write(struct fusex_req *req,
		      const struct fusex_write_out *out)
{
	return reply_fixed(req, REPLY_WRITE, out, sizeof(*out));
}

int fusex_reply_lseek(struct fusex_req *req,
		      const struct fusex_lseek_out *out)
{
	return reply_fixed(req, REPLY_LSEEK, out, sizeof(*out));
}

int fusex_reply_fileattr(struct fusex_req *req,
			 const struct fusex_fileattr *out)
{
	return reply_fixed(req, REPLY_FILEATTR, out, sizeof(*out));
}

int fusex_reply_lock(struct fusex_req *req, const struct fusex_lock *out)
{
	return reply_fixed(req, REPLY_LOCK, out, sizeof(*out));
}

int fusex_reply_poll(struct fusex_req *req, uint32_t revents)
{
	struct fusex_poll_out out = { .revents = revents };

	return reply_fixed(req, REPLY_POLL, &out, sizeof(out));
}

int fusex_reply_statfs(struct fusex_req *req,
		       const struct fusex_statfs_out *out)
{
	return reply_fixed(req, REPLY_STATFS, out, sizeof(*out));
}

int fusex_reply_map(struct fusex_req *req,
		    const struct fusex_map_begin_out *out)
{
	return reply_fixed(req, REPLY_MAP, out, sizeof(*out));
}

/*
 * Header, result structure and pieces of data that may be anywhere; iov[0] is
 * free for the first two, which are in @h.
 */
static int send_pieces(struct fusex_req *req, struct fusex_out_header *h,
		       size_t head, struct iovec *iov, int count, size_t len)
{
	int ret;

	memset(h, 0, sizeof(*h));
	h->len = (uint32_t)(sizeof(*h) + head + len);
	h->unique = req->hdr->unique;
	iov[0].iov_base = h;
	iov[0].iov_len = sizeof(*h) + head;
	ret = writev_all(req->fd, iov, count);
	if (ret && ret != -ENOENT && ret != -ENODEV)
		(void)req_send_error(req, -EIO);
	return ret;
}

/* Most that a READ or READLINK request takes. */
static size_t data_limit(const struct fusex_req *req)
{
	const struct fusex_read_in *in = req->arg;

	return req->hdr->opcode == FUSEX_OP_READ ? in->size : PATH_MAX - 1;
}

int fusex_reply_datav(struct fusex_req *req, const struct iovec *iov,
		      int count)
{
	struct iovec pieces[1001];
	size_t len = 0;
	int i, ret = begin(req, REPLY_DATA);

	if (ret)
		return end(req, ret);
	if (count < 0 || count > 1000)
		goto invalid;
	for (i = 0; i < count; i++) {
		if (iov[i].iov_len > data_limit(req) - len)
			goto invalid;
		len += iov[i].iov_len;
		pieces[i + 1] = iov[i];
	}
	return end(req, send_pieces(req, &req->msg.h, 0, pieces, count + 1,
				    len));
invalid:
	(void)req_send_error(req, -EIO);
	return end(req, -EINVAL);
}

int fusex_reply_data(struct fusex_req *req, const void *buf, size_t size)
{
	struct iovec pieces[2] = {
		[1] = { .iov_base = (void *)buf, .iov_len = size },
	};
	int ret = begin(req, REPLY_DATA);

	if (ret)
		return end(req, ret);
	if (size > data_limit(req)) {
		(void)req_send_error(req, -EIO);
		return end(req, -EINVAL);
	}
	if (buf == req->data)
		return end(req, req_send_data(req, 0, size));
	return end(req, send_pieces(req, &req->msg.h, 0, pieces, 2, size));
}

int fusex_reply_dir(struct fusex_req *req)
{
	int ret = begin(req, REPLY_DIR);

	if (ret)
		return end(req, ret);
	return end(req, req_send_data(req, 0, req->dir.used));
}

int fusex_reply_xattr(struct fusex_req *req, const void *value, size_t size)
{
	const struct fusex_xattr_in *in = req->arg;
	struct fusex_xattr_out out = { .size = (uint32_t)size };
	struct iovec pieces[2] = {
		[1] = { .iov_base = (void *)value, .iov_len = size },
	};
	int ret = begin(req, REPLY_XATTR);

	if (ret)
		return end(req, ret);
	if (size > (in->size ? in->size : XATTR_BYTES))
		return end(req, req_send_error(req, -ERANGE));
	memcpy(&req->msg.u, &out, sizeof(out));
	if (!in->size)
		return end(req, req_send_fixed(req, sizeof(out)));
	return end(req, send_pieces(req, &req->msg.h, sizeof(out), pieces, 2,
				    size));
}

int fusex_reply_ioctl(struct fusex_req *req, int result, const void *out)
{
	const struct fusex_ioctl_in *in = req->arg;
	struct fusex_ioctl_out head = { .result = result };
	struct iovec pieces[2];
	int ret = begin(req, REPLY_IOCTL);

	if (ret)
		return end(req, ret);
	if (result < 0) {
		(void)req_send_error(req, -EIO);
		return end(req, -EINVAL);
	}
	memcpy(&req->msg.u, &head, sizeof(head));
	pieces[1].iov_base = (void *)out;
	pieces[1].iov_len = in->out_size;
	return end(req, send_pieces(req, &req->msg.h, sizeof(head), pieces,
				    in->out_size ? 2 : 1, in->out_size));
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations on open files and their data.
 */
#include <string.h>

#include "internal.h"

enum req_fate op_open(struct fusex_req *req)
{
	const struct fusex_open_in *in = req->arg;
	struct fusex_open_out *out = &req->msg.u.open;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.open(req, &req->node, in->flags,
						 out), sizeof(*out));
}

enum req_fate op_release(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.release(req, &req->node, req->arg),
			  0);
}

enum req_fate op_flush(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.flush(req, &req->node, req->arg),
			  0);
}

enum req_fate op_read(struct fusex_req *req)
{
	const struct fusex_read_in *in = req->arg;
	ssize_t ret;

	if (in->size > req->se->data_size)
		return req_malformed(req);
	ret = req->se->ops.read(req, &req->node, in, req->data);
	return req_finish_data(req, ret, in->size);
}

enum req_fate op_write(struct fusex_req *req)
{
	const struct fusex_write_in *in = req->arg;
	struct fusex_write_out *out = &req->msg.u.write;

	if (in->size > req->left)
		return req_malformed(req);
	memset(out, 0, sizeof(*out));
	out->written = in->size;
	out->offset = in->offset;
	return req_finish(req, req->se->ops.write(req, &req->node, in,
						  req->payload, out),
			  sizeof(*out));
}

enum req_fate op_fsync(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.fsync(req, &req->node, req->arg),
			  0);
}

enum req_fate op_readdir(struct fusex_req *req)
{
	const struct fusex_readdir_in *in = req->arg;
	ssize_t ret;

	dir_begin(req);
	ret = req->se->ops.readdir(req, &req->node, in, &req->dir);
	/* A handler says how it went, the directory says how much there is. */
	if (ret > 0)
		ret = -EIO;
	if (!ret)
		ret = (ssize_t)req->dir.used;
	else if (ret != FUSEX_DEFERRED)
		req_undo(req, req->data);
	return req_finish_data(req, ret, req->dir.size);
}

enum req_fate op_fallocate(struct fusex_req *req)
{
	struct fusex_attr_out *out = &req->msg.u.attr;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.fallocate(req, &req->node,
						      req->arg, out),
			  sizeof(*out));
}

enum req_fate op_lseek(struct fusex_req *req)
{
	struct fusex_lseek_out *out = &req->msg.u.lseek;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.lseek(req, &req->node, req->arg,
						  out), sizeof(*out));
}

enum req_fate op_copy_range(struct fusex_req *req)
{
	const struct fusex_copy_range_in *in = req->arg;
	struct fusex_write_out *out = &req->msg.u.write;

	req_node2(req, &in->node2);
	memset(out, 0, sizeof(*out));
	out->written = in->length;
	out->offset = in->offset2;
	return req_finish(req, req->se->ops.copy_range(req, &req->node,
						       &req->node2, in, out),
			  sizeof(*out));
}

enum req_fate op_getlk(struct fusex_req *req)
{
	const struct fusex_lock *in = req->arg;
	struct fusex_lock *out = &req->msg.u.lock;

	*out = *in;
	return req_finish(req, req->se->ops.getlk(req, &req->node, in, out),
			  sizeof(*out));
}

enum req_fate op_setlk(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.setlk(req, &req->node, req->arg),
			  0);
}

enum req_fate op_ioctl(struct fusex_req *req)
{
	const struct fusex_ioctl_in *in = req->arg;
	struct fusex_ioctl_out out = { 0 };
	int ret;

	if (in->in_size > req->left || in->out_size > req->se->data_size)
		return req_malformed(req);
	memset(req->data, 0, in->out_size);
	ret = req->se->ops.ioctl(req, &req->node, in, req->payload, req->data);
	if (ret < 0)
		return req_finish(req, ret, 0);
	if (atomic_load_explicit(&req->armed, memory_order_relaxed))
		req_disarm(req);
	out.result = ret;
	memcpy(req->data - sizeof(out), &out, sizeof(out));
	(void)req_send_data(req, sizeof(out), in->out_size);
	return REQ_DONE;
}

enum req_fate op_poll(struct fusex_req *req)
{
	struct fusex_poll_out *out = &req->msg.u.poll;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.poll(req, &req->node, req->arg,
						 &out->revents), sizeof(*out));
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations on attributes, plain and extended, and on the whole file system.
 */
#include <string.h>

#include "internal.h"

static struct fusex_attr_out *attr_begin(struct fusex_req *req)
{
	struct fusex_attr_out *out = &req->msg.u.attr;

	memset(out, 0, sizeof(*out));
	return out;
}

static enum req_fate attr_finish(struct fusex_req *req, int ret)
{
	return req_finish(req, ret, sizeof(struct fusex_attr_out));
}

enum req_fate op_getattr(struct fusex_req *req)
{
	return attr_finish(req, req->se->ops.getattr(req, &req->node, req->arg,
						     attr_begin(req)));
}

enum req_fate op_setattr(struct fusex_req *req)
{
	return attr_finish(req, req->se->ops.setattr(req, &req->node, req->arg,
						     attr_begin(req)));
}

enum req_fate op_access(struct fusex_req *req)
{
	const struct fusex_access_in *in = req->arg;

	return req_finish(req, req->se->ops.access(req, &req->node, in->mask),
			  0);
}

enum req_fate op_readlink(struct fusex_req *req)
{
	size_t max = 4095;
	ssize_t ret = req->se->ops.readlink(req, &req->node,
					    (char *)req->data, max);

	return req_finish_data(req, ret ? ret : -EIO, max);
}

/*
 * The reply says how large the value is, and contains it unless the kernel
 * asked for the size alone.
 */
static enum req_fate xattr_finish(struct fusex_req *req, ssize_t ret)
{
	const struct fusex_xattr_in *in = req->arg;
	struct fusex_xattr_out out = { 0 };

	if (ret > (ssize_t)(in->size ? in->size : XATTR_BYTES))
		ret = -ERANGE;
	if (ret < 0)
		return req_finish_data(req, ret, 0);
	if (atomic_load_explicit(&req->armed, memory_order_relaxed))
		req_disarm(req);
	out.size = (uint32_t)ret;
	memcpy(req->data - sizeof(out), &out, sizeof(out));
	(void)req_send_data(req, sizeof(out), in->size ? (size_t)ret : 0);
	return REQ_DONE;
}

enum req_fate op_getxattr(struct fusex_req *req)
{
	const struct fusex_xattr_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);

	if (!name || in->size > req->se->data_size)
		return req_malformed(req);
	return xattr_finish(req, req->se->ops.getxattr(req, &req->node, name,
						       req->data, in->size));
}

enum req_fate op_setxattr(struct fusex_req *req)
{
	const struct fusex_xattr_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);

	if (!name || in->size > req->left)
		return req_malformed(req);
	return attr_finish(req, req->se->ops.setxattr(req, &req->node, name,
						      req->payload, in->size,
						      in->flags,
						      attr_begin(req)));
}

enum req_fate op_listxattr(struct fusex_req *req)
{
	const struct fusex_xattr_in *in = req->arg;

	if (in->size > req->se->data_size)
		return req_malformed(req);
	return xattr_finish(req, req->se->ops.listxattr(req, &req->node,
							(char *)req->data,
							in->size));
}

enum req_fate op_removexattr(struct fusex_req *req)
{
	const struct fusex_xattr_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);

	if (!name)
		return req_malformed(req);
	return attr_finish(req, req->se->ops.removexattr(req, &req->node, name,
							 attr_begin(req)));
}

enum req_fate op_fileattr_get(struct fusex_req *req)
{
	struct fusex_fileattr *out = &req->msg.u.fileattr;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.fileattr_get(req, &req->node, out),
			  sizeof(*out));
}

enum req_fate op_fileattr_set(struct fusex_req *req)
{
	return attr_finish(req, req->se->ops.fileattr_set(req, &req->node,
							  req->arg,
							  attr_begin(req)));
}

enum req_fate op_statfs(struct fusex_req *req)
{
	struct fusex_statfs_out *out = &req->msg.u.statfs;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.statfs(req, &req->node, out),
			  sizeof(*out));
}

enum req_fate op_syncfs(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.syncfs(req), 0);
}

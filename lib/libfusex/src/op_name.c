// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations on names: finding, making, linking, removing, renaming.
 */
#include <limits.h>
#include <string.h>

#include "internal.h"

static struct fusex_entry_reply *entry_begin(struct fusex_req *req)
{
	struct fusex_entry_reply *out = &req->msg.u.entry;

	memset(out, 0, offsetof(struct fusex_entry_reply, handle));
	return out;
}

static enum req_fate entry_finish(struct fusex_req *req, int ret,
				  const struct fusex_open_out *open)
{
	if (ret)
		return req_finish(req, ret, 0);
	if (atomic_load_explicit(&req->armed, memory_order_relaxed))
		req_disarm(req);
	(void)req_send_entry(req, open);
	return REQ_DONE;
}

static struct fusex_open_out *open_begin(struct fusex_req *req)
{
	memset(&req->open, 0, sizeof(req->open));
	return &req->open;
}

enum req_fate op_lookup(struct fusex_req *req)
{
	const struct fusex_lookup_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	int ret;

	if (!name)
		return req_malformed(req);
	ret = req->se->ops.lookup(req, &req->node, name, entry_begin(req));
	return entry_finish(req, ret, NULL);
}

enum req_fate op_create(struct fusex_req *req)
{
	const struct fusex_make_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	int ret;

	if (!name)
		return req_malformed(req);
	ret = req->se->ops.create(req, &req->node, name, in, entry_begin(req),
				  open_begin(req));
	return entry_finish(req, ret, &req->open);
}

enum req_fate op_mknod(struct fusex_req *req)
{
	const struct fusex_make_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	int ret;

	if (!name)
		return req_malformed(req);
	ret = req->se->ops.mknod(req, &req->node, name, in, entry_begin(req));
	return entry_finish(req, ret, NULL);
}

enum req_fate op_mkdir(struct fusex_req *req)
{
	const struct fusex_make_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	int ret;

	if (!name)
		return req_malformed(req);
	ret = req->se->ops.mkdir(req, &req->node, name, in, entry_begin(req));
	return entry_finish(req, ret, NULL);
}

enum req_fate op_symlink(struct fusex_req *req)
{
	const struct fusex_make_in *in = req->arg;
	const char *name, *target;
	int ret;

	name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	target = req_name(req, in->target_len, PATH_MAX - 1);
	if (!name || !target)
		return req_malformed(req);
	ret = req->se->ops.symlink(req, &req->node, name, target, in,
				   entry_begin(req));
	return entry_finish(req, ret, NULL);
}

enum req_fate op_tmpfile(struct fusex_req *req)
{
	int ret = req->se->ops.tmpfile(req, &req->node, req->arg,
				       entry_begin(req), open_begin(req));

	return entry_finish(req, ret, &req->open);
}

enum req_fate op_link(struct fusex_req *req)
{
	const struct fusex_link_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	int ret;

	if (!name)
		return req_malformed(req);
	req_node2(req, &in->node);
	ret = req->se->ops.link(req, &req->node2, &req->node, name,
				entry_begin(req));
	return entry_finish(req, ret, NULL);
}

typedef int (*unlink_fn)(struct fusex_req *req, const struct fusex_node *dir,
			 const char *name, const struct fusex_node *node,
			 uint32_t flags, struct fusex_unlink_out *out);

static enum req_fate remove_name(struct fusex_req *req, unlink_fn fn)
{
	const struct fusex_unlink_in *in = req->arg;
	const char *name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	struct fusex_unlink_out *out = &req->msg.u.unlink;

	if (!name)
		return req_malformed(req);
	req_node2(req, &in->node);
	memset(out, 0, sizeof(*out));
	return req_finish(req, fn(req, &req->node, name, &req->node2, in->flags,
				  out), sizeof(*out));
}

enum req_fate op_unlink(struct fusex_req *req)
{
	return remove_name(req, req->se->ops.unlink);
}

enum req_fate op_rmdir(struct fusex_req *req)
{
	return remove_name(req, req->se->ops.rmdir);
}

enum req_fate op_rename(struct fusex_req *req)
{
	const struct fusex_rename_in *in = req->arg;
	struct fusex_rename_out *out = &req->msg.u.rename;
	const char *name, *name2;
	int ret;

	name = req_name(req, in->name_len, FUSEX_NAME_MAX);
	name2 = req_name(req, in->name2_len, FUSEX_NAME_MAX);
	if (!name || !name2)
		return req_malformed(req);
	req_node2(req, &in->dir2);
	memset(out, 0, sizeof(*out));
	ret = req->se->ops.rename(req, &req->node, name, &req->node2, name2,
				  in->flags, out);
	return req_finish(req, ret, sizeof(*out));
}

enum req_fate op_resolve(struct fusex_req *req)
{
	int ret = req->se->ops.resolve(req, &req->node, entry_begin(req));

	return entry_finish(req, ret, NULL);
}

enum req_fate op_parent(struct fusex_req *req)
{
	int ret = req->se->ops.parent(req, &req->node, entry_begin(req));

	return entry_finish(req, ret, NULL);
}

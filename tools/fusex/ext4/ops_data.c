// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about data, and where it is.
 */
#include <errno.h>
#include <unistd.h>

#include "ops.h"

ssize_t ext4_read(struct fusex_req *req, const struct fusex_node *node,
		  const struct fusex_read_in *in, void *buf)
{
	struct volume *v = volume_of(req);
	struct node *n;
	ssize_t ret;

	ret = op_begin(v, node, OP_READ, &n);
	if (ret)
		return ret;
	ret = is_reg(n) ? plain_read(v, n, buf, in->size, in->offset) :
			  -EINVAL;
	op_end(v, n);
	return ret;
}

static int write_data(struct fusex_req *req, struct node *n,
		      const struct fusex_write_in *in, const void *buf,
		      struct fusex_write_out *out)
{
	bool timed = in->write_flags & FUSEX_WRITE_MTIME;
	struct volume *v = volume_of(req);
	ssize_t len;
	int ret = 0;

	if (!is_reg(n))
		return -EINVAL;
	if (in->write_flags & FUSEX_WRITE_APPEND)
		out->offset = size_of(n);
	if (in->write_flags & FUSEX_WRITE_KILL_PRIV)
		ret = remote_kill_priv(v, n);
	if (ret)
		return ret;
	len = plain_write_some(v, n, buf, in->size, out->offset);
	if (len < 0)
		return (int)len;
	out->written = (uint64_t)len;
	if (timed)
		attr_set_times(v, n, NULL, &in->mtime, NULL);
	remote_wrote(v, n, timed ? &in->mtime : NULL);
	return 0;
}

static int write_once(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_write_in *in, const void *buf,
		      struct fusex_write_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_CHANGE, &n);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = write_data(req, n, in, buf, out);
	if (!ret) {
		out->attr_valid = FUSEX_FOREVER;
		attr_fill(v, n, &out->attr);
	}
	op_end(v, n);
	return ret;
}

int ext4_write(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_write_in *in, const void *buf,
	       struct fusex_write_out *out)
{
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = write_once(req, node, in, buf, out);
	} while (op_again(volume_of(req), node, ret, &tries));
	return ret;
}

/* What a file is, and where, may be durable already; its data never is. */
static bool is_durable(struct volume *v, const struct fusex_node *node)
{
	struct node *n;
	bool durable;

	if (op_begin(v, node, OP_LOOK, &n))
		return false;
	durable = !n->is_dirty && commit_is_done(v, n->changed);
	op_end(v, n);
	return durable;
}

int ext4_fsync(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_fsync_in *in)
{
	struct volume *v = volume_of(req);

	if (is_durable(v, node))
		return v->failed ? -EIO : device_flush(&v->dev);
	return commit_now(v);
}

int ext4_syncfs(struct fusex_req *req)
{
	return commit_now(volume_of(req));
}

static int fallocate_once(struct fusex_req *req, const struct fusex_node *node,
			  const struct fusex_fallocate_in *in,
			  struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_CHANGE, &n);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = falloc(v, n, in->mode, in->offset, in->length);
	if (!ret) {
		attr_touch(v, n);
		out->attr_valid = FUSEX_FOREVER;
		attr_fill(v, n, &out->attr);
	}
	op_end(v, n);
	return ret;
}

int ext4_fallocate(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_fallocate_in *in,
		   struct fusex_attr_out *out)
{
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = fallocate_once(req, node, in, out);
	} while (op_again(volume_of(req), node, ret, &tries));
	return ret;
}

int ext4_lseek(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_lseek_in *in, struct fusex_lseek_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int64_t ret;

	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	ret = op_begin(v, node, OP_READ, &n);
	if (ret)
		return (int)ret;
	ret = plain_seek(v, n, in->offset, in->whence == SEEK_HOLE);
	op_end(v, n);
	if (ret < 0)
		return (int)ret;
	out->offset = (uint64_t)ret;
	return 0;
}

/* What is there already is only looked at. */
static int begin_fast(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_map_begin_in *in,
		      struct fusex_map_begin_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_LOOK, &n);
	if (ret)
		return ret;
	ret = -EAGAIN;
	if (!(in->op & FUSEX_MAP_OP_WRITE) || !volume_writable(v))
		ret = map_peek(v, n, in, out);
	op_end(v, n);
	return ret;
}

/* For what is only read, nothing need be writable. */
static int begin_once(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_map_begin_in *in,
		      struct fusex_map_begin_out *out)
{
	bool writes = in->op & FUSEX_MAP_OP_WRITE;
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, writes ? OP_CHANGE : OP_READ, &n);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = map_begin(v, n, in, out);
	op_end(v, n);
	return ret;
}

int ext4_map_begin(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_map_begin_in *in,
		   struct fusex_map_begin_out *out)
{
	/* To write back, the kernel may have locked what it would give back. */
	const struct fusex_node *self = in->op & FUSEX_MAP_OP_WRITEBACK ? NULL :
									  node;
	struct op_tries tries = { 0 };
	int ret = begin_fast(req, node, in, out);

	if (ret != -EAGAIN)
		return ret;
	do {
		ret = begin_once(req, node, in, out);
	} while (op_again(volume_of(req), self, ret, &tries));
	return ret;
}

static int ioend_once(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_map_ioend_in *in,
		      struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_CHANGE, &n);
	if (ret)
		return ret;
	ret = map_ioend(v, n, in);
	if (!ret) {
		out->attr_valid = FUSEX_FOREVER;
		attr_fill(v, n, &out->attr);
	}
	op_end(v, n);
	return ret;
}

/* What is written already has to become part of the file. */
int ext4_map_ioend(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_map_ioend_in *in,
		   struct fusex_attr_out *out)
{
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = ioend_once(req, node, in, out);
	} while (op_again(volume_of(req), NULL, ret, &tries));
	return ret;
}

int ext4_map_return(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_map_return_in *in)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_CHANGE, &n);
	if (!ret) {
		ret = map_return(v, n, in);
		op_end(v, n);
	}
	reclaim_returned(v, node);
	return ret;
}

int ext4_freeze(struct fusex_req *req, uint32_t flags)
{
	return volume_freeze(volume_of(req), !(flags & FUSEX_FREEZE_THAW));
}

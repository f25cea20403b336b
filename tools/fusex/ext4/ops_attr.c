// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about attributes.
 */
#include <errno.h>

#include "ops.h"

static void fill(struct volume *v, struct node *n, struct fusex_attr_out *out)
{
	out->attr_valid = FUSEX_FOREVER;
	attr_fill(v, n, &out->attr);
}

int ext4_getattr(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_getattr_in *in, struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_LOOK, &n);
	if (ret)
		return ret;
	fill(v, n, out);
	op_end(v, n);
	return 0;
}

static int setattr_once(struct volume *v, const struct fusex_node *node,
			const struct fusex_setattr_in *in,
			struct fusex_attr_out *out)
{
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_CHANGE, &n);
	if (ret)
		return ret;
	if (in->valid & FUSEX_SET_SIZE)
		ret = size_set(v, n, in->size);
	if (!ret)
		ret = attr_set(v, n, in);
	if (!ret)
		ret = remote_set(v, n, in);
	if (!ret)
		fill(v, n, out);
	op_end(v, n);
	return ret;
}

int ext4_setattr(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_setattr_in *in, struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = setattr_once(v, node, in, out);
	} while (op_again(v, node, ret, &tries));
	return ret;
}

ssize_t ext4_readlink(struct fusex_req *req, const struct fusex_node *node,
		      char *buf, size_t size)
{
	struct volume *v = volume_of(req);
	struct node *n;
	ssize_t ret;

	ret = op_begin(v, node, OP_READ, &n);
	if (ret)
		return ret;
	ret = name_readlink(v, n, buf, size);
	op_end(v, n);
	return ret;
}

ssize_t ext4_getxattr(struct fusex_req *req, const struct fusex_node *node,
		      const char *name, void *value, size_t size)
{
	struct volume *v = volume_of(req);
	struct node *n;
	ssize_t ret;

	ret = op_begin(v, node, OP_LOOK, &n);
	if (ret)
		return ret;
	ret = xattr_get(v, n, name, value, size);
	op_end(v, n);
	return ret;
}

ssize_t ext4_listxattr(struct fusex_req *req, const struct fusex_node *node,
		       char *list, size_t size)
{
	struct volume *v = volume_of(req);
	struct node *n;
	ssize_t ret;

	ret = op_begin(v, node, OP_LOOK, &n);
	if (ret)
		return ret;
	ret = xattr_list(v, n, list, size);
	op_end(v, n);
	return ret;
}

static int setxattr_once(struct fusex_req *req, const struct fusex_node *node,
			 const char *name, const void *value, size_t size,
			 uint32_t flags, struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_ALONE, &n);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = remote_is_acl(v, name) ?
	      remote_set_acl(v, n, value, size) :
	      xattr_set(v, n, name, value, size, flags);
	if (!ret)
		fill(v, n, out);
	op_end(v, n);
	return ret;
}

int ext4_setxattr(struct fusex_req *req, const struct fusex_node *node,
		  const char *name, const void *value, size_t size,
		  uint32_t flags, struct fusex_attr_out *out)
{
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = setxattr_once(req, node, name, value, size, flags, out);
	} while (op_again(volume_of(req), node, ret, &tries));
	return ret;
}

int ext4_removexattr(struct fusex_req *req, const struct fusex_node *node,
		     const char *name, struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_ALONE, &n);
	if (ret)
		return ret;
	ret = xattr_remove(v, n, name);
	if (!ret)
		fill(v, n, out);
	op_end(v, n);
	return ret;
}

int ext4_fileattr_get(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_fileattr *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_LOOK, &n);
	if (ret)
		return ret;
	attr_get_flags(v, n, out);
	if (is_reg(n) && node_has(n, EXT4_EXTENTS_FL))
		ret = extents_count(v, n, &out->nextents);
	op_end(v, n);
	return ret;
}

int ext4_fileattr_set(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_fileattr *in,
		      struct fusex_attr_out *out)
{
	struct volume *v = volume_of(req);
	struct node *n;
	int ret;

	ret = op_begin(v, node, OP_CHANGE, &n);
	if (ret)
		return ret;
	ret = attr_set_flags(v, n, in);
	if (!ret)
		fill(v, n, out);
	op_end(v, n);
	return ret;
}

int ext4_statfs(struct fusex_req *req, const struct fusex_node *node,
		struct fusex_statfs_out *out)
{
	struct volume *v = volume_of(req);

	volume_statfs(v, out);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What all requests have in common.
 */
#include <errno.h>

#include "ops.h"

static bool is_same(const struct node *n, const struct fusex_node *node)
{
	return !n->dead && n->raw.i_generation == node->generation;
}

int op_node(struct volume *v, const struct fusex_node *node, struct node **out)
{
	int ret;

	if (node->nodeid > UINT32_MAX)
		return -ESTALE;
	ret = node_get(v, (ext2_ino_t)node->nodeid, out);
	if (ret)
		return ret;
	if (is_same(*out, node))
		return 0;
	node_put(v, *out);
	return -ESTALE;
}

struct node *op_peek(struct volume *v, const struct fusex_node *node)
{
	struct node *n = node->nodeid > UINT32_MAX ? NULL :
			 node_peek(v, (ext2_ino_t)node->nodeid);

	node_put(v, n);
	return n && is_same(n, node) ? n : NULL;
}

int op_begin(struct volume *v, const struct fusex_node *node,
	     struct node **out)
{
	int ret;

	ret = commit_room(v);
	if (ret)
		return ret;
	WR_LOCK(v);
	ret = volume_writable(v);
	if (!ret)
		ret = op_node(v, node, out);
	if (ret)
		UNLOCK(v);
	return ret;
}

void op_end(struct volume *v, struct node *n)
{
	node_put(v, n);
	UNLOCK(v);
}

bool op_again(struct volume *v, int ret, int *tries)
{
	bool waits;

	if (ret != -ENOSPC || (*tries)++)
		return false;
	RD_LOCK(v);
	waits = alloc_waits(v);
	UNLOCK(v);
	return waits && !commit_now(v);
}

bool op_is_root(const struct volume *v, const struct fusex_req *req)
{
	const struct fusex_in_header *h = fusex_req_header(req);
	const struct ext2_super_block *sb = v->fs->super;

	return h->flags & FUSEX_REQ_KERNEL || !h->uid ||
	       h->uid == sb->s_def_resuid ||
	       (sb->s_def_resgid && h->gid == sb->s_def_resgid);
}

const struct fusex_ops ext4_ops = {
	.lookup		= ext4_lookup,
	.forget		= ext4_forget,
	.getattr	= ext4_getattr,
	.setattr	= ext4_setattr,
	.readlink	= ext4_readlink,
	.create		= ext4_create,
	.mknod		= ext4_mknod,
	.mkdir		= ext4_mknod,
	.symlink	= ext4_symlink,
	.tmpfile	= ext4_tmpfile,
	.link		= ext4_link,
	.unlink		= ext4_unlink,
	.rmdir		= ext4_rmdir,
	.rename		= ext4_rename,
	.read		= ext4_read,
	.write		= ext4_write,
	.fsync		= ext4_fsync,
	.readdir	= ext4_readdir,
	.fallocate	= ext4_fallocate,
	.lseek		= ext4_lseek,
	.getxattr	= ext4_getxattr,
	.setxattr	= ext4_setxattr,
	.listxattr	= ext4_listxattr,
	.removexattr	= ext4_removexattr,
	.fileattr_get	= ext4_fileattr_get,
	.fileattr_set	= ext4_fileattr_set,
	.statfs		= ext4_statfs,
	.syncfs		= ext4_syncfs,
	.resolve	= ext4_resolve,
	.parent		= ext4_parent,
	.map_begin	= ext4_map_begin,
	.map_ioend	= ext4_map_ioend,
	.freeze		= ext4_freeze,
};

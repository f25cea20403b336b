// SPDX-License-Identifier: GPL-2.0
/*
 * What all requests have in common.
 */
#include <errno.h>

#include "ops.h"

/* Transactions that a request without space waits for, each of which has freed some. */
#define COMMITS_MAX	20u

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

/* libext2fs is on its own with data in an inode, and so are we with attributes. */
static bool wants_alone(const struct volume *v, const struct node *n,
			enum op_how how)
{
	if (how == OP_LOOK)
		return false;
	return node_has(n, EXT4_INLINE_DATA_FL) ||
	       (how == OP_CHANGE && v->remote && !xattr_hints(v, n));
}

static void lock_for(struct node *n, enum op_how how)
{
	if (how >= OP_LOAD)
		node_lock(n);
	else
		node_lock_shared(n);
}

static int begin_alone(struct volume *v, const struct fusex_node *node,
		       enum op_how how, struct node **out)
{
	int ret = 0;

	WR_LOCK(v);
	if (how >= OP_CHANGE)
		ret = volume_writable(v);
	if (!ret)
		ret = op_node(v, node, out);
	if (ret)
		UNLOCK(v);
	else
		lock_for(*out, how);
	return ret;
}

/* Returns -EAGAIN, without the locks, if it has to be alone. */
static int begin_shared(struct volume *v, const struct fusex_node *node,
			enum op_how how, struct node **out)
{
	int ret = 0;

	RD_LOCK(v);
	if (how == OP_CHANGE)
		ret = volume_writable(v);
	if (!ret)
		ret = node->nodeid > UINT32_MAX ? -ESTALE :
		      node_get(v, (ext2_ino_t)node->nodeid, out);
	if (ret) {
		UNLOCK(v);
		return ret;
	}
	lock_for(*out, how);
	if (!is_same(*out, node))
		ret = -ESTALE;
	else if (wants_alone(v, *out, how))
		ret = -EAGAIN;
	if (ret)
		op_end(v, *out);
	return ret;
}

int op_begin(struct volume *v, const struct fusex_node *node, enum op_how how,
	     struct node **out)
{
	int ret = 0;

	if (how >= OP_LOAD)
		icache_limit(v);
	if (how >= OP_CHANGE)
		ret = commit_room(v);
	if (ret)
		return ret;
	ret = how == OP_ALONE ? -EAGAIN : begin_shared(v, node, how, out);
	if (ret == -EAGAIN)
		ret = begin_alone(v, node, how, out);
	return ret;
}

void op_end(struct volume *v, struct node *n)
{
	alloc_as_root(true);
	node_unlock(n);
	node_put(v, n);
	UNLOCK(v);
}

int op_entry(struct volume *v, struct node *n, struct fusex_entry_reply *out)
{
	int ret = 0;

	node_lock_shared(n);
	if (n->dead)
		ret = -ESTALE;
	else
		attr_entry(v, n, out);
	node_unlock(n);
	return ret;
}

/*
 * Others may be faster to take what a transaction has freed, and have freed more
 * meanwhile; or one has freed it since there was none.
 */
static bool is_freed(struct volume *v, struct op_tries *tries)
{
	bool waits = alloc_waits(v), more;

	if (tries->commits == COMMITS_MAX)
		return false;
	tries->commits++;
	if (waits && commit_space(v))
		return false;
	more = tries->freed != v->freed;
	tries->freed = v->freed;
	return more;
}

/* What was freed is free soon; then there is what files have in advance. */
bool op_again(struct volume *v, const struct fusex_node *self, int ret,
	      struct op_tries *tries)
{
	enum lack lack = alloc_lack();

	/* Of inodes, or room for attributes, there is no more later. */
	if (ret != -ENOSPC || lack == LACK_NONE)
		return false;
	if (lack == LACK_HELD) {
		alloc_await(v);
		return true;
	}
	if (is_freed(v, tries))
		return true;
	if (!self && v->iomap)
		return false;
	return reclaim(v, self ? self->nodeid : 0, &tries->reclaimed) &&
	       !commit_space(v);
}

/* May the request use the last blocks? */
static bool is_root(const struct volume *v, const struct fusex_req *req)
{
	const struct fusex_in_header *h = fusex_req_header(req);
	const struct ext2_super_block *sb = v->fs->super;

	return h->flags & FUSEX_REQ_KERNEL || !h->uid ||
	       h->uid == sb->s_def_resuid ||
	       (sb->s_def_resgid && h->gid == sb->s_def_resgid);
}

void op_takes(const struct volume *v, const struct fusex_req *req)
{
	/* What another request has missed, it may have done without. */
	alloc_lack();
	alloc_as_root(is_root(v, req));
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
	.map_return	= ext4_map_return,
	.freeze		= ext4_freeze,
	.ioctl		= ext4_ioctl,
	.shutdown	= ext4_shutdown,
};

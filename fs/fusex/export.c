// SPDX-License-Identifier: GPL-2.0
/*
 * File handles for name_to_handle_at(2), open_by_handle_at(2) and NFS: what
 * the server needs to find a node again (id, generation, its own handle), and
 * optionally the same of its directory.
 *
 * In words of 32 bits, the node followed by its directory:
 *
 *	0, 1	node id, low half first
 *	2	generation
 *	3	bytes of the server's handle
 *	4 ...	the server's handle, padded with zeros
 */
#include <linux/dcache.h>
#include <linux/exportfs.h>
#include <linux/fs.h>

#include "chan.h"
#include "fusex_i.h"
#include "inode.h"
#include "validate.h"

/* Types of file handles, out of the way of those of other file systems. */
#define FUSEX_FILEID_NODE	0xa5
#define FUSEX_FILEID_PARENT	0xa6

/* Words of a file handle's part before the server's handle. */
#define FUSEX_FH_WORDS		4

/**
 * fusex_fh_words - size of a node in a file handle
 * @handle_len: bytes of the server's handle
 *
 * Return: words.
 */
VISIBLE_IF_KUNIT int fusex_fh_words(u16 handle_len)
{
	return FUSEX_FH_WORDS + DIV_ROUND_UP(handle_len, sizeof(u32));
}
EXPORT_SYMBOL_IF_KUNIT(fusex_fh_words);

/**
 * fusex_fh_put - write a node into a file handle
 * @fh: fusex_fh_words() words
 * @id: the node
 * @handle: the server's handle
 * @handle_len: its bytes
 */
VISIBLE_IF_KUNIT void fusex_fh_put(u32 *fh, const struct fusex_id *id,
				   const void *handle, u16 handle_len)
{
	memset(fh, 0, fusex_fh_words(handle_len) * sizeof(u32));
	fh[0] = lower_32_bits(id->nodeid);
	fh[1] = upper_32_bits(id->nodeid);
	fh[2] = id->generation;
	fh[3] = handle_len;
	if (handle_len)
		memcpy(fh + FUSEX_FH_WORDS, handle, handle_len);
}
EXPORT_SYMBOL_IF_KUNIT(fusex_fh_put);

/**
 * fusex_fh_get - read a node from a file handle, which anybody may have made
 * @fh: words
 * @words: how many
 * @handle_size: largest handle of the file system, bytes
 * @id: returns the node
 * @handle_len: returns the bytes of the server's handle, at @fh + 4
 *
 * Return: words used, 0 when it makes no sense.
 */
VISIBLE_IF_KUNIT int fusex_fh_get(const u32 *fh, int words, u32 handle_size,
				  struct fusex_id *id, u16 *handle_len)
{
	int used;

	if (words < FUSEX_FH_WORDS || fh[3] > handle_size)
		return 0;
	used = fusex_fh_words(fh[3]);
	if (used > words)
		return 0;
	id->nodeid = fh[0] | (u64)fh[1] << 32;
	id->generation = fh[2];
	*handle_len = fh[3];
	return id->nodeid ? used : 0;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_fh_get);

static void fusex_fh_put_inode(u32 *fh, const struct inode *inode)
{
	const struct fusex_inode *fi = fusex_i(inode);
	struct fusex_id id = {
		.nodeid = fi->nodeid,
		.generation = inode->i_generation,
	};

	fusex_fh_put(fh, &id, fi->handle, fi->handle_len);
}

static int fusex_encode_fh(struct inode *inode, u32 *fh, int *max_len,
			   struct inode *parent)
{
	int words = fusex_fh_words(fusex_i(inode)->handle_len);
	int all = words;

	if (parent)
		all += fusex_fh_words(fusex_i(parent)->handle_len);
	if (all > *max_len) {
		*max_len = all;
		return FILEID_INVALID;
	}
	*max_len = all;
	fusex_fh_put_inode(fh, inode);
	if (parent)
		fusex_fh_put_inode(fh + words, parent);
	return parent ? FUSEX_FILEID_PARENT : FUSEX_FILEID_NODE;
}

/* The node that a reply to RESOLVE or PARENT names. */
static struct inode *fusex_export_reply(struct super_block *sb,
					struct fusex_call *call)
{
	struct inode *root = d_inode(sb->s_root);
	struct fusex_node_reply r;
	int err;

	err = fusex_entry_call(root, call, &r, 0, false);
	if (err == -ENOENT || err == -ENOSYS)
		err = -ESTALE;
	if (err)
		return ERR_PTR(err);
	if (!r.out.entry.nodeid)
		return ERR_PTR(-ESTALE);
	return fusex_iget(sb, &r.out.entry, r.handle, r.epoch);
}

static struct inode *fusex_resolve(struct super_block *sb,
				   const struct fusex_id *id,
				   const void *handle, u16 handle_len)
{
	struct fusex_call call = {
		.op = FUSEX_OP_RESOLVE,
		.id = id->nodeid,
		.generation = id->generation,
		.handle = handle,
		.handle_len = handle_len,
	};
	struct inode *inode = fusex_export_reply(sb, &call);

	/* Not what was asked for: the node has made way for another one. */
	if (!IS_ERR(inode) && (fusex_i(inode)->nodeid != id->nodeid ||
			       inode->i_generation != id->generation)) {
		iput(inode);
		return ERR_PTR(-ESTALE);
	}
	return inode;
}

static struct dentry *fusex_fh_to_node(struct super_block *sb, const u32 *fh,
				       int words)
{
	const struct fusex_conf *conf = fusex_sb(sb)->conf;
	struct inode *inode;
	struct fusex_id id;
	u16 handle_len;
	int err;

	if (!fusex_fh_get(fh, words, conf->handle_size, &id, &handle_len))
		return ERR_PTR(-ESTALE);
	err = fusex_allowed(sb);
	if (err)
		return ERR_PTR(err);
	/* An inode without links that is still there is open, or about to go. */
	inode = fusex_ifind(sb, id.nodeid, id.generation);
	if (!inode)
		inode = fusex_resolve(sb, &id, fh + FUSEX_FH_WORDS, handle_len);
	return d_obtain_alias(inode);
}

static struct dentry *fusex_fh_to_dentry(struct super_block *sb,
					 struct fid *fid, int words, int type)
{
	if (type != FUSEX_FILEID_NODE && type != FUSEX_FILEID_PARENT)
		return NULL;
	return fusex_fh_to_node(sb, fid->raw, words);
}

static struct dentry *fusex_fh_to_parent(struct super_block *sb,
					 struct fid *fid, int words, int type)
{
	const struct fusex_conf *conf = fusex_sb(sb)->conf;
	struct fusex_id id;
	u16 handle_len;
	int used;

	if (type != FUSEX_FILEID_PARENT)
		return NULL;
	used = fusex_fh_get(fid->raw, words, conf->handle_size, &id,
			    &handle_len);
	if (!used)
		return ERR_PTR(-ESTALE);
	return fusex_fh_to_node(sb, fid->raw + used, words - used);
}

static struct dentry *fusex_get_parent(struct dentry *child)
{
	struct fusex_call call = {
		.op = FUSEX_OP_PARENT,
		.node = d_inode(child),
	};
	struct inode *inode = fusex_export_reply(child->d_sb, &call);

	if (!IS_ERR(inode) && !S_ISDIR(inode->i_mode)) {
		fusex_bad_reply(fusex_chan_of(inode), &call,
				"the parent is not a directory");
		iput(inode);
		return ERR_PTR(-EFSCORRUPTED);
	}
	return d_obtain_alias(inode);
}

const struct export_operations fusex_export_ops = {
	.encode_fh	= fusex_encode_fh,
	.fh_to_dentry	= fusex_fh_to_dentry,
	.fh_to_parent	= fusex_fh_to_parent,
	.get_parent	= fusex_get_parent,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * chattr(1), lsattr(1) and project ids: what FS_IOC_GETFLAGS and
 * FS_IOC_FSGETXATTR are about.  VFS does the ioctls and the permissions; what
 * the flags forbid is enforced by VFS once fusex_attr_copy() has put them into
 * the inode.
 */

#include <linux/fs.h>
#include <linux/fileattr.h>

#include "fusex_i.h"
#include "io.h"
#include "validate.h"

/**
 * fusex_fileattr_get - the fileattr_get inode operation
 * @dentry: of what
 * @fa: to be filled
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -ENOIOCTLCMD when the server has no such thing, another error.
 */
int fusex_fileattr_get(struct dentry *dentry, struct file_kattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_fileattr out;
	struct fusex_call call = {
		.op		= FUSEX_OP_FILEATTR_GET,
		.node		= inode,
		.out[0]		= { &out, sizeof(out) },
	};
	const char *why;
	int err;

	/* file_getattr(2) needs no permission, and no open file. */
	err = fusex_allowed(inode->i_sb);
	if (err)
		return err;
	err = fusex_call(chan, &call);
	if (err)
		return err == -ENOSYS ? -ENOIOCTLCMD : err;
	err = fusex_check_fileattr(&out, &why);
	if (err) {
		fusex_bad_reply(chan, &call, why);
		return err;
	}
	/* Each knows flags the other one lacks; both helpers only add. */
	fileattr_fill_xflags(fa, out.xflags);
	fileattr_fill_flags(fa, fa->flags | out.flags);
	fa->fsx_extsize = out.extsize;
	fa->fsx_nextents = out.nextents;
	fa->fsx_projid = out.projid;
	fa->fsx_cowextsize = out.cowextsize;
	return 0;
}

/**
 * fusex_fileattr_set - the fileattr_set inode operation
 * @idmap: of the mount; VFS has used it
 * @dentry: of what
 * @fa: what to set, complete
 *
 * Context: process, inode lock held, sleeps on the server, killable.
 * Return: 0, -ENOIOCTLCMD when the server has no such thing, another error.
 */
int fusex_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
		       struct file_kattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_fileattr in = {
		.flags		= fa->flags,
		.xflags		= fa->fsx_xflags,
		.extsize	= fa->fsx_extsize,
		.projid		= fa->fsx_projid,
		.cowextsize	= fa->fsx_cowextsize,
	};
	struct fusex_call call = {
		.op		= FUSEX_OP_FILEATTR_SET,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
	};
	struct fusex_attr_out out;
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	err = fusex_allowed(inode->i_sb);
	if (err)
		return err;
	/*
	 * Nothing can be written to what is immutable, and some of it can be
	 * set for empty files only.
	 */
	err = fusex_io_write_back(inode);
	if (err)
		return err;
	err = fusex_attr_call(inode, &call, &out, FUSEX_DID_CTIME);
	if (err)
		return err == -ENOSYS ? -ENOIOCTLCMD : err;
	/* The kernel enforces the flags, whoever owns the attributes. */
	if (!(out.attr.mask & FUSEX_ATTR_FLAGS)) {
		out.attr.mask |= FUSEX_ATTR_FLAGS;
		out.attr.flags = fa->flags;
	}
	spin_lock(&fusex_i(inode)->lock);
	fusex_attr_copy(inode, &out.attr, FUSEX_ATTR_FLAGS);
	spin_unlock(&fusex_i(inode)->lock);
	/* How its data moves may follow from them, when it is looked up anew. */
	if (S_ISREG(inode->i_mode)) {
		d_mark_dontcache(inode);
		/* Those that nobody uses would keep it. */
		d_prune_aliases(inode);
	}
	return 0;
}

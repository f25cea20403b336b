/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the operations on names (namei.c, create.c, rename.c).
 */
#ifndef _FS_FUSEX_NAMEI_H
#define _FS_FUSEX_NAMEI_H

#include <linux/dcache.h>

#include "fusex_i.h"

int fusex_check_known(struct inode *inode, const struct fusex_attr *attr,
		      const char **why);
void fusex_did(struct inode *inode, const struct fusex_attr *attr, u64 valid,
	       u64 epoch, u32 did);
void fusex_did_again(struct inode *inode, const struct fusex_attr *attr,
		     u64 epoch, u32 did);
void fusex_name_failed(struct inode *dir, struct dentry *dentry,
		       const struct fusex_call *call);
int fusex_names_durable(struct inode *dir);
int fusex_name_refused(struct inode *dir, struct dentry *dentry, int err);

/* Operations that a server lacks are refused like by file systems on disk. */
static inline int fusex_name_error(int err)
{
	return err == -ENOSYS ? -EPERM : err;
}

static inline void fusex_ref(struct fusex_node_ref *ref, const struct inode *inode)
{
	ref->nodeid = fusex_i(inode)->nodeid;
	ref->generation = inode->i_generation;
}

static inline struct fusex_in fusex_in_name(const struct dentry *dentry)
{
	/* Stable: VFS holds the directory's i_rwsem. */
	return (struct fusex_in){ dentry->d_name.name, dentry->d_name.len + 1 };
}

#endif /* _FS_FUSEX_NAMEI_H */

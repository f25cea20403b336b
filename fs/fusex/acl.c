// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX ACLs: read and stored as extended attributes, in the ids of the user
 * namespace the file system was mounted in.  VFS caches and enforces them.
 */

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "fusex_i.h"

/* Entries of most ACLs; larger ones take a second request. */
#define ACL_USUAL	24
/* How often an ACL may grow between asking for its size and reading it. */
#define ACL_TRIES	4

static bool acl_known_absent(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (!test_bit(FUSEX_I_NO_ACL, &fi->state) &&
	    !test_bit(FUSEX_I_NO_XATTR, &fi->state))
		return false;
	return fi->attr->fresh(inode);
}

static struct posix_acl *acl_decode(struct inode *inode, const char *name,
				    const void *value, size_t size)
{
	struct fusex_call call = {
		.op	= FUSEX_OP_GETXATTR,
		.node	= inode,
	};
	struct posix_acl *acl;

	acl = posix_acl_from_xattr(i_user_ns(inode), value, size);
	if (!IS_ERR_OR_NULL(acl) && posix_acl_valid(i_user_ns(inode), acl)) {
		posix_acl_release(acl);
		acl = ERR_PTR(-EINVAL);
	}
	if (!IS_ERR(acl) || PTR_ERR(acl) == -ENOMEM)
		return acl;
	fusex_bad_reply(fusex_chan_of(inode), &call, "bad ACL");
	return ERR_PTR(-EFSCORRUPTED);
}

/* One that is larger than usual. */
static struct posix_acl *acl_fetch_large(struct inode *inode, const char *name)
{
	int tries;

	for (tries = 0; tries < ACL_TRIES; tries++) {
		struct posix_acl *acl;
		ssize_t size;
		void *value;

		size = fusex_getxattr(inode, name, NULL, 0);
		if (size <= 0)
			return ERR_PTR(size ?: -ENODATA);
		value = kvmalloc(size, GFP_KERNEL);
		if (!value)
			return ERR_PTR(-ENOMEM);
		size = fusex_getxattr(inode, name, value, size);
		acl = size < 0 ? ERR_PTR(size) :
				 acl_decode(inode, name, value, size);
		kvfree(value);
		if (size != -ERANGE)
			return acl;
	}
	return ERR_PTR(-EIO);
}

/**
 * fusex_acl_fetch - read an ACL
 * @inode: of what
 * @type: ACL_TYPE_ACCESS or ACL_TYPE_DEFAULT
 *
 * Context: process, sleeps on the server, killable.
 * Return: the ACL, which the caller puts; NULL when there is none; an error.
 */
struct posix_acl *fusex_acl_fetch(struct inode *inode, int type)
{
	u8 value[sizeof(struct posix_acl_xattr_header) +
		 ACL_USUAL * sizeof(struct posix_acl_xattr_entry)] __aligned(4);
	const char *name = posix_acl_xattr_name(type);
	struct posix_acl *acl;
	ssize_t size;
	int err;

	/* VFS lets anybody ask, and of the root no directory keeps them off. */
	err = fusex_allowed(inode->i_sb);
	if (err)
		return ERR_PTR(err);
	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return NULL;
	if (acl_known_absent(inode))
		return NULL;
	size = fusex_getxattr(inode, name, value, sizeof(value));
	if (size >= 0)
		acl = acl_decode(inode, name, value, size);
	else if (size == -ERANGE)
		acl = acl_fetch_large(inode, name);
	else
		acl = ERR_PTR(size);
	if (acl == ERR_PTR(-ENODATA) || acl == ERR_PTR(-EOPNOTSUPP))
		acl = NULL;
	/* For VFS this means that the mode decides. */
	if (acl == ERR_PTR(-EAGAIN))
		acl = ERR_PTR(-EIO);
	return acl;
}

/**
 * fusex_acl_store - store an ACL, or remove it
 * @inode: of what; i_rwsem is held
 * @acl: the ACL, or NULL
 * @type: ACL_TYPE_ACCESS or ACL_TYPE_DEFAULT
 *
 * The mode, which an access ACL changes with it, and what VFS has cached are
 * up to the caller.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or an error; removing what is not there succeeds.
 */
int fusex_acl_store(struct inode *inode, struct posix_acl *acl, int type)
{
	const char *name = posix_acl_xattr_name(type);
	size_t size;
	void *value;
	int err;

	err = fusex_allowed(inode->i_sb);
	if (err)
		return err;
	if (acl) {
		value = posix_acl_to_xattr(i_user_ns(inode), acl, &size,
					   GFP_KERNEL);
		if (!value)
			return -ENOMEM;
		err = fusex_setxattr(inode, name, value, size, 0);
		kfree(value);
		return err;
	}
	if (acl_known_absent(inode))
		return 0;
	err = fusex_setxattr(inode, name, NULL, 0, 0);
	return err == -ENODATA || err == -EOPNOTSUPP ? 0 : err;
}

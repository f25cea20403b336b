// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes.
 *
 * Values are not cached, but that there are none is: before each write the
 * kernel asks for security.capability, which next to no file has.  What is
 * known to be absent is good as long as the attributes are, and forgotten when
 * somebody sets an attribute.
 */

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

#include "fusex_i.h"
#include "inode.h"
#include "io.h"
#include "validate.h"

/**
 * fusex_xattr_changed - nothing is known any more about what is absent
 * @inode: an extended attribute of it was changed, or is about to be
 *
 * Called before a change is sent, after it was answered, and when the server
 * says that there was one: whoever asked in between does not remember what it
 * was told.
 *
 * Context: process.
 */
void fusex_xattr_changed(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->xattr_seq++;
	clear_bit(FUSEX_I_NO_XATTR, &fi->state);
	clear_bit(FUSEX_I_NO_CAPS, &fi->state);
	clear_bit(FUSEX_I_NO_ACL, &fi->state);
	spin_unlock(&fi->lock);
}

static bool is_caps(const char *name)
{
	return !strcmp(name, XATTR_NAME_CAPS);
}

/**
 * fusex_xattr_absent - is it known that there is no such attribute?
 * @inode: of what
 * @name: with its prefix
 *
 * Context: any.
 * Return: true if the server need not be asked.
 */
bool fusex_xattr_absent(struct inode *inode, const char *name)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (!fi->attr->fresh(inode))
		return false;
	if (test_bit(FUSEX_I_NO_XATTR, &fi->state))
		return true;
	return is_caps(name) && test_bit(FUSEX_I_NO_CAPS, &fi->state);
}
EXPORT_SYMBOL_IF_KUNIT(fusex_xattr_absent);

/* There is no such attribute, unless @seq is not the latest any more. */
VISIBLE_IF_KUNIT void fusex_xattr_note(struct inode *inode, const char *name,
				       u32 seq)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (!is_caps(name))
		return;
	spin_lock(&fi->lock);
	if (fi->xattr_seq == seq)
		set_bit(FUSEX_I_NO_CAPS, &fi->state);
	spin_unlock(&fi->lock);
}
EXPORT_SYMBOL_IF_KUNIT(fusex_xattr_note);

/* GETXATTR and LISTXATTR: bytes of the value or list, or an error. */
static ssize_t xattr_ask(struct inode *inode, u32 op, const char *name,
			 void *value, size_t size)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_xattr_in in = {
		.size		= min_t(size_t, size, XATTR_SIZE_MAX),
		.name_len	= name ? strlen(name) : 0,
	};
	struct fusex_xattr_out out;
	struct fusex_call call = {
		.op		= op,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.in[0]		= { name, name ? in.name_len + 1 : 0 },
		.out[0]		= { &out, sizeof(out) },
	};
	const char *why;
	int err;

	if (in.size) {
		call.out[1] = (struct fusex_out) { value, in.size };
		call.out_var = true;
	}
	err = fusex_call(chan, &call);
	if (err)
		return err == -ENOSYS ? -EOPNOTSUPP : err;
	err = fusex_check_xattr(&in, &out, call.got, &why);
	if (!err && !name && in.size)
		err = fusex_check_xlist(value, out.size, &why);
	if (err) {
		fusex_bad_reply(chan, &call, why);
		return err;
	}
	/* Not in one expression with the error, which would lose its sign. */
	return out.size;
}

/**
 * fusex_getxattr - read an extended attribute
 * @inode: of what
 * @name: with its prefix
 * @value: kernel memory; undefined after an error
 * @size: bytes of @value, 0 to ask for the size
 *
 * Context: process, sleeps on the server, killable.
 * Return: bytes, -ENODATA when there is none, -ERANGE when @size is too
 * small, -EOPNOTSUPP when the server has no attributes, another error.
 */
ssize_t fusex_getxattr(struct inode *inode, const char *name, void *value,
		       size_t size)
{
	u32 seq = READ_ONCE(fusex_i(inode)->xattr_seq);
	ssize_t ret;

	if (fusex_xattr_absent(inode, name))
		return -ENODATA;
	ret = xattr_ask(inode, FUSEX_OP_GETXATTR, name, value, size);
	if (ret == -ENODATA || ret == -EOPNOTSUPP)
		fusex_xattr_note(inode, name, seq);
	return ret;
}

/**
 * fusex_setxattr - set or remove an extended attribute
 * @inode: of what; i_rwsem is held
 * @name: with its prefix
 * @value: kernel memory, or NULL to remove
 * @size: bytes of @value
 * @flags: XATTR_CREATE, XATTR_REPLACE or 0
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -ENODATA when there is none, -EOPNOTSUPP when the server has no
 * attributes, another error.
 */
int fusex_setxattr(struct inode *inode, const char *name, const void *value,
		   size_t size, int flags)
{
	struct fusex_xattr_in in = {
		.size		= value ? size : 0,
		.name_len	= strlen(name),
		.flags		= flags,
	};
	struct fusex_call call = {
		.op		= value ? FUSEX_OP_SETXATTR :
					  FUSEX_OP_REMOVEXATTR,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.in[0]		= { name, in.name_len + 1 },
		.in[1]		= { value, in.size },
	};
	struct fusex_attr_out out;
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	if (in.name_len > XATTR_NAME_MAX || size > XATTR_SIZE_MAX)
		return -E2BIG;
	/* A write that comes later would clear them. */
	if (is_caps(name)) {
		err = fusex_io_write_back(inode);
		if (err)
			return err;
	}
	fusex_xattr_changed(inode);
	err = fusex_attr_call(inode, &call, &out, FUSEX_DID_CTIME);
	fusex_xattr_changed(inode);
	return err == -ENOSYS ? -EOPNOTSUPP : err;
}

/*
 * Before a write VFS asks, without a buffer, whether there are capabilities to
 * be cleared.  An error means "no" to it, and a "no" is remembered (S_NOSEC).
 * So where nobody knows the answer is "yes": it tries to clear them, and that
 * fails if it must.  A server that is gone gives nobody capabilities.
 */
VISIBLE_IF_KUNIT ssize_t fusex_xattr_answer(const char *name, size_t size,
					    ssize_t ret)
{
	if (ret >= 0 || size || !is_caps(name))
		return ret;
	if (ret == -ENODATA || ret == -EOPNOTSUPP || ret == -ENOTCONN)
		return ret;
	return 1;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_xattr_answer);

/* ------------------------------------------------------------------- list */

static bool xattr_visible(const char *name, bool trusted, bool acl)
{
	if (!strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN))
		return trusted;
	return acl || !is_posix_acl_xattr(name);
}

/* Closes the gaps of names that are not for the caller; returns the bytes. */
VISIBLE_IF_KUNIT size_t fusex_xattr_filter(char *list, size_t len,
					   bool trusted, bool acl)
{
	size_t at = 0, kept = 0;

	while (at < len) {
		size_t n = strlen(list + at) + 1;

		if (xattr_visible(list + at, trusted, acl)) {
			memmove(list + kept, list + at, n);
			kept += n;
		}
		at += n;
	}
	return kept;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_xattr_filter);

/**
 * fusex_listxattr - the listxattr inode operation
 * @dentry: of what
 * @list: kernel memory
 * @size: bytes of @list, 0 to ask for the size
 *
 * The size may turn out larger than the list, which leaves out what the caller
 * must not see.
 *
 * Context: process, sleeps on the server, killable.
 * Return: bytes, or an error.
 */
ssize_t fusex_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_inode *fi = fusex_i(inode);
	ssize_t ret;

	ret = fusex_allowed(inode->i_sb);
	if (ret)
		return ret;
	if (test_bit(FUSEX_I_NO_XATTR, &fi->state) && fi->attr->fresh(inode))
		return 0;
	ret = xattr_ask(inode, FUSEX_OP_LISTXATTR, NULL, list, size);
	if (ret > 0 && size)
		ret = fusex_xattr_filter(list, ret,
					 ns_capable_noaudit(&init_user_ns,
							    CAP_SYS_ADMIN),
					 IS_POSIXACL(inode));
	return ret;
}

/* --------------------------------------------------------------- handlers */

/*
 * One handler for all names: who may do what to which prefix is VFS's to say,
 * but for "system.", which it leaves to us; what the prefixes mean is the
 * server's.  ACLs do not come this way.
 */
static int xattr_get(const struct xattr_handler *handler,
		     struct dentry *dentry, struct inode *inode,
		     const char *name, void *value, size_t size)
{
	int err = fusex_allowed(inode->i_sb);

	/* Who was handed an open file may write, and then it has to be known. */
	if (err && (size || !is_caps(name) || !S_ISREG(inode->i_mode)))
		return err;
	if (is_posix_acl_xattr(name))
		return -EOPNOTSUPP;
	return fusex_xattr_answer(name, size,
				  fusex_getxattr(inode, name, value, size));
}

/*
 * Attributes of the system mostly say who may do what (ACLs of other kinds), so
 * they are the owner's.  A server that checks permissions itself does this too.
 */
static bool xattr_may_set(struct mnt_idmap *idmap, struct inode *inode,
			  const char *name)
{
	return fusex_sb(inode->i_sb)->server_perm ||
	       strncmp(name, XATTR_SYSTEM_PREFIX, XATTR_SYSTEM_PREFIX_LEN) ||
	       inode_owner_or_capable(idmap, inode);
}

static int xattr_set(const struct xattr_handler *handler,
		     struct mnt_idmap *idmap, struct dentry *dentry,
		     struct inode *inode, const char *name, const void *value,
		     size_t size, int flags)
{
	int err = fusex_allowed(inode->i_sb);

	if (err)
		return err;
	if (is_posix_acl_xattr(name))
		return -EOPNOTSUPP;
	if (!xattr_may_set(idmap, inode, name))
		return -EPERM;
	return fusex_setxattr(inode, name, value, size, flags);
}

static const struct xattr_handler xattr_handler = {
	.prefix	= "",
	.get	= xattr_get,
	.set	= xattr_set,
};

const struct xattr_handler *const fusex_xattr_handlers[] = {
	&xattr_handler,
	NULL
};

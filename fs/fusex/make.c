// SPDX-License-Identifier: GPL-2.0
/*
 * What a new object is born with: mode, owner, and the extended attributes
 * that must be there before anybody can open it (inherited ACLs and the
 * security label).
 */
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/posix_acl_xattr.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "chan.h"
#include "fusex_i.h"
#include "inode.h"

/* Access ACL, default ACL, security label. */
#define FUSEX_BIRTH_XATTRS	3

/**
 * fusex_records_size - room for extended attribute records
 * @vals: the attributes, those without a name are absent
 * @nr: how many
 * @before: bytes of payload before the records
 *
 * Return: bytes, including what pads @before to a multiple of 8; 0 when there
 * is no record.
 */
VISIBLE_IF_KUNIT size_t fusex_records_size(const struct fusex_xattr_val *vals,
					   unsigned int nr, size_t before)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!vals[i].name)
			continue;
		size += sizeof(struct fusex_xattr_rec) +
			FUSEX_ALIGN(strlen(vals[i].name) + 1 + vals[i].len);
	}
	return size ? size + FUSEX_ALIGN(before) - before : 0;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_records_size);

/**
 * fusex_records_fill - write extended attribute records
 * @buf: fusex_records_size() bytes, zeroed
 * @vals: as given to fusex_records_size()
 * @nr: likewise
 * @before: likewise
 *
 * Return: number of records.
 */
VISIBLE_IF_KUNIT u32 fusex_records_fill(void *buf,
					const struct fusex_xattr_val *vals,
					unsigned int nr, size_t before)
{
	void *p = buf + FUSEX_ALIGN(before) - before;
	u32 count = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct fusex_xattr_rec rec;

		if (!vals[i].name)
			continue;
		rec.name_len = strlen(vals[i].name);
		rec.value_len = vals[i].len;
		/* What comes before may leave the buffer unaligned. */
		memcpy(p, &rec, sizeof(rec));
		memcpy(p + sizeof(rec), vals[i].name, rec.name_len + 1);
		memcpy(p + sizeof(rec) + rec.name_len + 1, vals[i].value,
		       vals[i].len);
		p += sizeof(rec) + FUSEX_ALIGN(rec.name_len + 1 + vals[i].len);
		count++;
	}
	return count;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_records_fill);

static int fusex_make_acl(struct user_namespace *ns, const char *name,
			  const struct posix_acl *acl,
			  struct fusex_xattr_val *val)
{
	if (!acl)
		return 0;
	val->value = posix_acl_to_xattr(ns, acl, &val->len, GFP_KERNEL);
	if (!val->value)
		return -ENOMEM;
	val->name = name;
	return 0;
}

static int fusex_make_label(struct dentry *dentry, umode_t mode,
			    struct lsm_context *lsm,
			    struct fusex_xattr_val *val)
{
	const char *name = NULL;
	int err;

	err = security_dentry_init_security(dentry, mode, &dentry->d_name,
					    &name, lsm);
	if (err)
		return err == -EOPNOTSUPP ? 0 : err;
	if (name && lsm->len) {
		val->name = name;
		val->value = lsm->context;
		val->len = lsm->len;
	}
	return 0;
}

static int fusex_make_records(struct fusex_make *m, struct inode *dir,
			      struct dentry *dentry)
{
	struct fusex_xattr_val vals[FUSEX_BIRTH_XATTRS] = {};
	struct user_namespace *ns = i_user_ns(dir);
	struct lsm_context lsm = {};
	size_t before = 0;
	int err;

	if (m->in.name_len)
		before += m->in.name_len + 1;
	if (m->in.target_len)
		before += m->in.target_len + 1;

	err = fusex_make_acl(ns, XATTR_NAME_POSIX_ACL_ACCESS, m->acl, &vals[0]);
	if (!err)
		err = fusex_make_acl(ns, XATTR_NAME_POSIX_ACL_DEFAULT,
				     m->default_acl, &vals[1]);
	if (!err)
		err = fusex_make_label(dentry, m->in.mode, &lsm, &vals[2]);
	if (err)
		goto out;

	m->records_len = fusex_records_size(vals, ARRAY_SIZE(vals), before);
	if (!m->records_len)
		goto out;
	m->records = kzalloc(m->records_len, GFP_KERNEL_ACCOUNT);
	if (m->records)
		m->in.nr_xattrs = fusex_records_fill(m->records, vals,
						     ARRAY_SIZE(vals), before);
	else
		err = -ENOMEM;
out:
	kfree(vals[0].value);
	kfree(vals[1].value);
	if (lsm.len)
		security_release_secctx(&lsm);
	return err;
}

static void fusex_make_owner(struct fusex_make *m, struct mnt_idmap *idmap,
			     struct inode *dir)
{
	struct user_namespace *ns = i_user_ns(dir);

	m->in.uid = from_kuid(ns, mapped_fsuid(idmap, ns));
	if (dir->i_mode & S_ISGID) {
		m->in.gid = from_kgid(ns, dir->i_gid);
		if (S_ISDIR(m->in.mode))
			m->in.mode |= S_ISGID;
	} else {
		m->in.gid = from_kgid(ns, mapped_fsgid(idmap, ns));
	}
}

/**
 * fusex_make_prepare - decide what a new object is born with
 * @m: to be filled; fusex_make_release() in any case but an error
 * @idmap: of the mount
 * @dir: directory, locked
 * @dentry: name of the object
 * @mode: type and permissions, from vfs_prepare_mode()
 * @name_len: bytes of name in the payload, 0 for none
 * @target_len: bytes of symbolic link target, 0 for none
 *
 * Context: waits for the server when the directory's default ACL is not cached.
 * Return: 0 or a negative errno.
 */
int fusex_make_prepare(struct fusex_make *m, struct mnt_idmap *idmap,
		       struct inode *dir, struct dentry *dentry, umode_t mode,
		       u32 name_len, u32 target_len)
{
	int err;

	memset(m, 0, sizeof(*m));
	/* Where the server checks permissions, nobody has asked before this. */
	if (!fusex_i(dir)->attr->fresh(dir))
		forget_cached_acl(dir, ACL_TYPE_DEFAULT);
	/* Applies the umask, unless VFS did because there are no ACLs. */
	err = posix_acl_create(dir, &mode, &m->default_acl, &m->acl);
	if (err)
		return err;
	m->in.mode = mode;
	m->in.umask = current_umask();
	m->in.name_len = name_len;
	m->in.target_len = target_len;
	fusex_make_owner(m, idmap, dir);
	err = fusex_make_records(m, dir, dentry);
	if (err)
		fusex_make_release(m);
	return err;
}

/**
 * fusex_make_inherited - note what a new inode was born with
 * @inode: just made
 * @m: as it was prepared
 * @epoch: fusex_chan_epoch() from before the request was queued
 *
 * So that the first to use the inode need not ask.  Others may have found the
 * object as soon as the server had it: what is said of it since counts more.
 */
void fusex_make_inherited(struct inode *inode, const struct fusex_make *m,
			  u64 epoch)
{
	struct fusex_inode *fi = fusex_i(inode);
	bool changed;

	spin_lock(&fi->lock);
	changed = fi->epoch > epoch;
	/* Nothing but an access can have given it any. */
	if (!changed)
		set_bit(FUSEX_I_NO_CAPS, &fi->state);
	spin_unlock(&fi->lock);
	if (changed || !IS_POSIXACL(inode) || S_ISLNK(inode->i_mode))
		return;
	set_cached_acl(inode, ACL_TYPE_ACCESS, m->acl);
	if (S_ISDIR(inode->i_mode))
		set_cached_acl(inode, ACL_TYPE_DEFAULT, m->default_acl);
	/* Either we see the change, or fusex_notify_inode() sees the ACLs. */
	smp_mb();
	if (READ_ONCE(fi->epoch) > epoch)
		forget_all_cached_acls(inode);
}

/**
 * fusex_make_release - free what fusex_make_prepare() allocated
 * @m: prepared
 */
void fusex_make_release(struct fusex_make *m)
{
	posix_acl_release(m->acl);
	posix_acl_release(m->default_acl);
	kfree(m->records);
}

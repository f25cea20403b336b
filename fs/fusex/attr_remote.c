// SPDX-License-Identifier: GPL-2.0
/*
 * Remote attributes: others may change them.
 *
 * Everything the server says may be cached for as long as it allows.  The
 * kernel keeps no times but that of data it has to write back; the size is ahead
 * of the server's only while there is such data.  Names expire, and are asked
 * for again by d_revalidate.
 */
#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/filelock.h>
#include <linux/iversion.h>
#include <linux/jiffies.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/stat.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"

/* When a name expires, get_jiffies_64() time. */
static u64 remote_entry_expires(const struct dentry *dentry)
{
	return READ_ONCE(dentry->d_time);
}

static void remote_entry_set(struct dentry *dentry, u64 expires)
{
	WRITE_ONCE(dentry->d_time, expires);
}

static void remote_entry_made(struct dentry *dentry, u64 valid)
{
	remote_entry_set(dentry, fusex_expiry(valid, get_jiffies_64()));
}

static void remote_entry_expire(struct dentry *dentry)
{
	remote_entry_set(dentry, 0);
}

static bool remote_fresh(const struct inode *inode)
{
	const struct fusex_inode *fi = fusex_i(inode);
	u64 now = get_jiffies_64();

	return now < READ_ONCE(fi->attr_expires) &&
	       !test_bit(FUSEX_I_STALE, &fi->state);
}

static int remote_refresh(struct inode *inode, u32 mask, unsigned int flags)
{
	int err;

	if (flags & AT_STATX_DONT_SYNC)
		return 0;
	if (!(flags & AT_STATX_FORCE_SYNC) && remote_fresh(inode))
		return 0;
	err = fusex_attr_fetch(inode, NULL, mask | FUSEX_ATTR_KNOWN, flags);
	if (err || remote_fresh(inode))
		return err;
	/*
	 * Not to be cached, or overtaken by a change of the kernel's: then
	 * the next answer is about the inode after it.
	 */
	if (!test_bit(FUSEX_I_STALE, &fusex_i(inode)->state))
		return 0;
	return fusex_attr_fetch(inode, NULL, mask | FUSEX_ATTR_KNOWN, flags);
}

static int remote_getattr(struct mnt_idmap *idmap, const struct path *path,
			  struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int err;

	err = fusex_allowed(inode->i_sb);
	if (!err)
		fusex_io_settle(inode);
	/* What is only cached gets its times when the server gets it. */
	if (!err && !(flags & AT_STATX_DONT_SYNC) &&
	    mask & (STATX_MTIME | STATX_CTIME | STATX_BLOCKS |
		    STATX_CHANGE_COOKIE))
		err = fusex_io_write_back(inode);
	if (!err)
		err = remote_refresh(inode, 0, flags);
	if (err)
		return err;
	fusex_fill_stat(idmap, inode, stat, mask);
	return 0;
}

static int remote_access(struct inode *inode, int mask)
{
	struct fusex_access_in in = {
		.mask = mask & (MAY_READ | MAY_WRITE | MAY_EXEC),
	};
	struct fusex_call call = {
		.op = FUSEX_OP_ACCESS,
		.node = inode,
		.arg = &in,
		.arg_len = sizeof(in),
	};
	int err = fusex_call(fusex_chan_of(inode), &call);

	return err == -ENOSYS ? 0 : err;
}

/* Does an open that the server does not hear of need its permission? */
static bool remote_open_asks(const struct inode *inode, int mask)
{
	if (!(mask & MAY_OPEN) || !(mask & (MAY_READ | MAY_WRITE | MAY_EXEC)))
		return false;
	return fusex_conf_of(inode)->features & FUSEX_F_NO_OPEN ||
	       fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_OPEN);
}

/*
 * The server decides.  Asking it for every component of every path would be
 * one request each, so it is asked where a program wants to know, and decides
 * about everything else when it is told to do it; what it is not told is to
 * open a file, if it wants no OPEN, and then data may come from the cache.
 * What is not executable for anybody is not executed.
 */
static int remote_server_permission(struct inode *inode, int mask)
{
	if (mask & (MAY_ACCESS | MAY_CHDIR) || remote_open_asks(inode, mask)) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		return remote_access(inode, mask);
	}
	if (mask & MAY_EXEC && S_ISREG(inode->i_mode) &&
	    !(inode->i_mode & 0111))
		return -EACCES;
	return 0;
}

static int remote_permission(struct mnt_idmap *idmap, struct inode *inode,
			     int mask)
{
	const struct fusex_sb *fs = fusex_sb(inode->i_sb);
	bool fresh = remote_fresh(inode);
	int err;

	err = fusex_allowed(inode->i_sb);
	if (err)
		return err;
	if (fs->server_perm && !(mask & MAY_EXEC && S_ISREG(inode->i_mode)))
		return remote_server_permission(inode, mask);
	if (!fresh) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		err = remote_refresh(inode, 0, 0);
		if (err)
			return err;
	}
	if (fs->server_perm)
		return remote_server_permission(inode, mask);
	err = generic_permission(idmap, inode, mask);
	if (err != -EACCES || !fresh)
		return err;

	/* It may have been allowed since; a refusal is worth a request. */
	if (mask & MAY_NOT_BLOCK)
		return -ECHILD;
	err = remote_refresh(inode, 0, AT_STATX_FORCE_SYNC);
	return err ?: generic_permission(idmap, inode, mask);
}

/* Times are the server's; S_NOATIME and S_NOCMTIME keep VFS from asking. */
static int remote_update_time(struct inode *inode, enum fs_update_time type,
			      unsigned int flags)
{
	return 0;
}

/*
 * What VFS is going to clear in the mode it knows, the server clears in the
 * mode there is, and capabilities of the file with it.  But set-group-id
 * without the right to execute means something else, and whether the caller may
 * keep that, only the kernel knows.
 */
static void remote_kill_priv(struct inode *inode, struct iattr *attr)
{
	const umode_t sgid = S_ISGID | 0010;

	if (!(attr->ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID |
				ATTR_KILL_PRIV)))
		return;
	if (!(attr->ia_valid & ATTR_KILL_SGID) ||
	    (inode->i_mode & sgid) != S_ISGID)
		attr->ia_valid &= ~ATTR_MODE;
	attr->ia_valid &= ~ATTR_KILL_PRIV;
	attr->ia_valid |= ATTR_KILL_SUID;
}

/*
 * The kernel clears what a change of data clears of the mode that it knows.  If that
 * may be outdated, the server does so once more.
 */
static bool remote_server_kills(const struct inode *inode)
{
	return !remote_fresh(inode) &&
	       !ns_capable_noaudit(inode->i_sb->s_user_ns, CAP_FSETID);
}

static int remote_may_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			      struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	bool kill = attr->ia_valid & ATTR_SIZE && remote_server_kills(inode);
	int err;

	if (fusex_sb(inode->i_sb)->server_perm) {
		attr->ia_valid |= ATTR_FORCE;
	} else {
		err = remote_refresh(inode, 0, 0);
		if (err)
			return err;
	}
	remote_kill_priv(inode, attr);
	/* VFS has looked at the mode as it was known before. */
	if (kill)
		attr->ia_valid |= ATTR_KILL_SUID;
	return setattr_prepare(idmap, dentry, attr);
}

static void remote_fill_times(const struct iattr *attr,
			      struct fusex_setattr_in *in)
{
	bool mtime = attr->ia_valid & ATTR_MTIME;

	if (attr->ia_valid & ATTR_ATIME) {
		in->valid |= FUSEX_SET_ATIME;
		in->atime = fusex_ts_to_time(attr->ia_atime);
		if (!(attr->ia_valid & ATTR_ATIME_SET))
			in->valid |= FUSEX_SET_ATIME_NOW;
	}
	/* A server that changes the size knows when it did. */
	if (attr->ia_valid & ATTR_SIZE && !(attr->ia_valid & ATTR_MTIME_SET))
		mtime = false;
	if (mtime) {
		in->valid |= FUSEX_SET_MTIME;
		in->mtime = fusex_ts_to_time(attr->ia_mtime);
		if (!(attr->ia_valid & ATTR_MTIME_SET))
			in->valid |= FUSEX_SET_MTIME_NOW;
	}
}

static int remote_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			  struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_setattr_in in = {};
	struct fusex_attr_out out;
	struct fusex_attr_reply r = {
		.attr = &out.attr,
		.did = FUSEX_DID_CTIME,
	};
	int err;

	/* Data that comes later brings a time of its own. */
	if (attr->ia_valid & ATTR_MTIME && !(attr->ia_valid & ATTR_SIZE)) {
		err = fusex_io_write_back(inode);
		if (err)
			return err;
	}
	fusex_setattr_fill(idmap, inode, attr, &in);
	remote_fill_times(attr, &in);
	if (attr->ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		in.valid |= FUSEX_SET_KILL_PRIV;
	if (!in.valid)
		return 0;

	err = fusex_setattr_send(inode, &in, &out, &r.epoch);
	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE) {
		r.did |= FUSEX_DID_MTIME;
		spin_lock(&fi->lock);
		i_size_write(inode, attr->ia_size);
		spin_unlock(&fi->lock);
	}
	r.valid = out.attr_valid;
	fusex_attr_apply(inode, &r);
	/* The server keeps ACLs in step with the mode. */
	if (attr->ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
		forget_all_cached_acls(inode);
	return 0;
}

static struct posix_acl *remote_get_acl(struct inode *inode, int type, bool rcu)
{
	if (rcu)
		return ERR_PTR(-ECHILD);
	return fusex_acl_fetch(inode, type);
}

/*
 * Who is not of the file's group loses set-group-id with a new ACL, like with a
 * new mode.  The server knows what an ACL does to the mode, but not who the
 * caller is to the kernel.
 */
static int remote_drop_sgid(struct inode *inode, umode_t mode)
{
	struct fusex_setattr_in in = {
		.valid = FUSEX_SET_MODE,
		.mode = mode,
	};
	struct fusex_attr_out out;
	u64 epoch;

	return fusex_setattr_send(inode, &in, &out, &epoch);
}

static int remote_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
			  struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	umode_t mode = inode->i_mode;
	struct posix_acl *rest = acl;
	int err;

	if (type == ACL_TYPE_ACCESS && acl &&
	    !fusex_sb(inode->i_sb)->server_perm) {
		err = posix_acl_update_mode(idmap, inode, &mode, &rest);
		if (err)
			return err;
	}
	err = fusex_acl_store(inode, acl, type);
	if (!err && (inode->i_mode ^ mode) & S_ISGID)
		err = remote_drop_sgid(inode, mode);
	/* The server derives the mode from it, and may change it. */
	forget_all_cached_acls(inode);
	fusex_attr_uncertain(inode);
	return err;
}

static u32 remote_write_flags(const struct inode *inode, bool append)
{
	u32 flags = append ? FUSEX_WRITE_APPEND : 0;

	if (remote_server_kills(inode))
		flags |= FUSEX_WRITE_KILL_PRIV;
	return flags;
}

static void remote_after_write(struct inode *inode, loff_t pos, size_t len)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	if (pos + (loff_t)len > i_size_read(inode))
		i_size_write(inode, pos + len);
	spin_unlock(&fi->lock);
}

/* But for the change counter, which only the server can count. */
static void remote_wrote_through(struct inode *inode, loff_t end,
				 const struct inode *real)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	fusex_attr_through(inode, end, real);
	inode_set_mtime_to_ts(inode, fi->wrote);
	inode_set_ctime_to_ts(inode, inode_get_ctime(real));
	if (fi->attr_mask & FUSEX_ATTR_CHANGE)
		fi->attr_expires = 0;
	spin_unlock(&fi->lock);
}

/*
 * The times are the server's.  It gives the file the time of the write when it
 * gets the data, and until then nobody sees it: remote_getattr() writes back.
 */
static void remote_wrote_cache(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct timespec64 now = current_time(inode);

	spin_lock(&fi->lock);
	fi->wrote = now;
	spin_unlock(&fi->lock);
}

static void remote_wrote_when(struct inode *inode, struct fusex_time *mtime)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	*mtime = fusex_ts_to_time(fi->wrote);
	spin_unlock(&fi->lock);
}

static void remote_written_back(struct inode *inode,
				const struct fusex_time *mtime)
{
}

/*
 * Take the reply's attributes.  Returns whether somebody else changed the
 * data: cached pages are of another version.  The change counter tells what
 * size and times do not, but changes of the kernel's own count too.
 */
static bool remote_take(struct inode *inode, const struct fusex_attr_reply *r)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct timespec64 mtime = inode_get_mtime(inode);
	u64 change = inode_peek_iversion(inode);
	bool counted = !r->did && fi->attr_mask & FUSEX_ATTR_CHANGE;
	loff_t size = i_size_read(inode);
	u64 expires = fi->attr_expires;
	struct timespec64 now;

	fusex_attr_copy(inode, r->attr, FUSEX_ATTR_KNOWN);
	fi->attr_expires = 0;
	if (!(FUSEX_ATTR_REQUIRED & ~r->attr->mask)) {
		if (!r->again)
			expires = fusex_expiry(r->valid, get_jiffies_64());
		fi->attr_expires = expires;
		clear_bit(FUSEX_I_STALE, &fi->state);
		/* It has grown, of which we take no notice yet. */
		if (r->attr->size > i_size_read(inode))
			fi->attr_expires = 0;
	}
	if (counted && inode_peek_iversion(inode) != change)
		return true;
	now = inode_get_mtime(inode);
	return !(r->did & (FUSEX_DID_MTIME | FUSEX_DID_DATA)) &&
	       (i_size_read(inode) != size || !timespec64_equal(&mtime, &now));
}

static void remote_apply(struct inode *inode, const struct fusex_attr_reply *r)
{
	struct fusex_inode *fi = fusex_i(inode);
	bool drop = false;
	bool took = false;
	bool aside;
	u64 expires;

	spin_lock(&fi->lock);
	expires = fi->attr_expires;
	aside = r->aside && remote_fresh(inode);
	if (r->attr && r->attr->mask && r->epoch >= fi->epoch) {
		drop = remote_take(inode, r);
		took = true;
		if (aside)
			fi->attr_expires = min(expires, fi->attr_expires);
	} else {
		fi->attr_expires = 0;
		/* A guess, until the server is asked, that lets inodes go. */
		fusex_attr_links(inode, r->did);
	}
	if (r->did)
		fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	spin_unlock(&fi->lock);

	if (took && !r->did && !aside)
		fusex_attr_forget_absence(inode);
	if (drop && fi->io->invalidate)
		fi->io->invalidate(inode, 0, LLONG_MAX);
}

/*
 * Is the name still the same node?  1 if so, 0 if VFS should look it up anew,
 * or an error.
 */
static int remote_ask(struct inode *dir, const struct qstr *name,
		      struct dentry *dentry, struct inode *inode)
{
	struct fusex_node_reply r;
	const struct fusex_entry *e = &r.out.entry;
	struct inode *found;
	int err;

	err = fusex_lookup_entry(dir, name, &r);
	if (err)
		return err == -ENOENT || err == -ESTALE ? 0 : err;
	if (!e->nodeid)
		return 0;
	if (e->nodeid != fusex_i(inode)->nodeid ||
	    e->generation != inode->i_generation) {
		fusex_forget_unborn(dir->i_sb, e->nodeid, e->generation);
		return 0;
	}
	found = fusex_iget(dir->i_sb, e, r.handle, r.epoch);
	if (IS_ERR(found))
		return 0;
	err = found == inode;
	if (err)
		fusex_entry_again(dir, dentry, e->entry_valid, r.epoch);
	iput(found);
	return err;
}

static int remote_revalidate(struct inode *dir, const struct qstr *name,
			     struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode_rcu(dentry);
	u64 now = get_jiffies_64();

	if (inode && test_bit(FUSEX_I_GONE, &fusex_i(inode)->state))
		return 0;
	if (!(flags & LOOKUP_REVAL) && now < remote_entry_expires(dentry))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	/* VFS looks it up anyway when it learns that this was outdated. */
	if (!inode)
		return 0;
	return remote_ask(dir, name, dentry, inode);
}

/* The table of the directory says whether a name has to be asked for. */
static int remote_d_revalidate(struct inode *dir, const struct qstr *name,
			       struct dentry *dentry, unsigned int flags)
{
	return fusex_i(dir)->attr->revalidate(dir, name, dentry, flags);
}

static int remote_d_init(struct dentry *dentry)
{
	remote_entry_set(dentry, 0);
	return 0;
}

/* A lease promises that nobody else opens the file. */
static int remote_setlease(struct file *file, int arg,
			   struct file_lease **lease, void **priv)
{
	return -EINVAL;
}

static const struct dentry_operations remote_dentry_ops = {
	.d_revalidate	= remote_d_revalidate,
	.d_init		= remote_d_init,
	.d_iput		= fusex_d_iput,
};

const struct fusex_attr_ops fusex_attr_remote = {
	.getattr	= remote_getattr,
	.may_setattr	= remote_may_setattr,
	.setattr	= remote_setattr,
	.permission	= remote_permission,
	.update_time	= remote_update_time,
	.get_acl	= remote_get_acl,
	.set_acl	= remote_set_acl,
	.write_flags	= remote_write_flags,
	.after_write	= remote_after_write,
	.wrote_through	= remote_wrote_through,
	.wrote_cache	= remote_wrote_cache,
	.wrote_when	= remote_wrote_when,
	.written_back	= remote_written_back,
	.apply		= remote_apply,
	.refresh	= remote_refresh,
	.revalidate	= remote_revalidate,
	.entry_made	= remote_entry_made,
	.entry_expire	= remote_entry_expire,
	.fresh		= remote_fresh,
	.setlease	= remote_setlease,
	.dentry_ops	= &remote_dentry_ops,
	.i_flags	= S_NOATIME | S_NOCMTIME,
	.shared		= true,
};

const struct inode_operations fusex_remote_dir_iops = {
	.lookup		= fusex_lookup,
	.permission	= remote_permission,
	.get_inode_acl	= remote_get_acl,
	.create		= fusex_create,
	.link		= fusex_link,
	.unlink		= fusex_unlink,
	.symlink	= fusex_symlink,
	.mkdir		= fusex_mkdir,
	.rmdir		= fusex_rmdir,
	.mknod		= fusex_mknod,
	.rename		= fusex_rename,
	.setattr	= fusex_setattr_common,
	.getattr	= remote_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= remote_update_time,
	.atomic_open	= fusex_atomic_open,
	.tmpfile	= fusex_tmpfile,
	.set_acl	= remote_set_acl,
	.fileattr_get	= fusex_fileattr_get,
	.fileattr_set	= fusex_fileattr_set,
};

const struct inode_operations fusex_remote_file_iops = {
	.permission	= remote_permission,
	.get_inode_acl	= remote_get_acl,
	.setattr	= fusex_setattr_common,
	.getattr	= remote_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= remote_update_time,
	.set_acl	= remote_set_acl,
	.fileattr_get	= fusex_fileattr_get,
	.fiemap		= fusex_fiemap,
	.fileattr_set	= fusex_fileattr_set,
};

const struct inode_operations fusex_remote_symlink_iops = {
	.get_link	= fusex_get_link,
	.permission	= remote_permission,
	.setattr	= fusex_setattr_common,
	.getattr	= remote_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= remote_update_time,
};

const struct inode_operations fusex_remote_special_iops = {
	.permission	= remote_permission,
	.get_inode_acl	= remote_get_acl,
	.setattr	= fusex_setattr_common,
	.getattr	= remote_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= remote_update_time,
	.set_acl	= remote_set_acl,
	.fileattr_get	= fusex_fileattr_get,
	.fileattr_set	= fusex_fileattr_set,
};

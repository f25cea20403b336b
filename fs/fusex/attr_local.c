// SPDX-License-Identifier: GPL-2.0
/*
 * Local attributes: the kernel is the only writer.
 *
 * What the server says is taken when an inode is made.  From then on the
 * kernel keeps size, mode, owner, links and ACLs, and tells the server before
 * a call that changes them returns; times are kept, by the kernel's clock or as
 * they were set, and written back by fusex_write_inode().  Of later replies
 * only the allocated blocks count, unless the kernel lost track
 * (FUSEX_I_STALE).
 */
#include <linux/dcache.h>
#include <linux/filelock.h>
#include <linux/iversion.h>
#include <linux/posix_acl.h>
#include <linux/writeback.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"

/* Times written back together: all that the kernel keeps. */
#define FUSEX_SET_TIMES	(FUSEX_SET_ATIME | FUSEX_SET_MTIME | FUSEX_SET_CTIME)

static void local_times_dirty(struct inode *inode, int dirty)
{
	/* Before the VFS may call ->write_inode, which clears it. */
	set_bit(FUSEX_I_TIMES_DIRTY, &fusex_i(inode)->state);
	__mark_inode_dirty(inode, dirty);
	/* A walk may have asked nobody; what is dirty is to be synced. */
	fusex_note_used(inode->i_sb);
}

/* The current times of @inode, as SETATTR wants them. */
static void local_fill_times(struct inode *inode, struct fusex_setattr_in *in)
{
	in->valid |= FUSEX_SET_TIMES;
	in->atime = fusex_ts_to_time(inode_get_atime(inode));
	in->mtime = fusex_ts_to_time(inode_get_mtime(inode));
	in->ctime = fusex_ts_to_time(inode_get_ctime(inode));
}

/*
 * Around a SETATTR that says times: what other replies say of them meanwhile
 * is older.  Returns whether some waited to be written back.
 */
static bool local_times_send(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	/* Nobody knows which of the two the server will carry out last. */
	if (fi->times_sending++)
		set_bit(FUSEX_I_TIMES_CROSS, &fi->state);
	spin_unlock(&fi->lock);
	return test_and_clear_bit(FUSEX_I_TIMES_DIRTY, &fi->state);
}

/* @again: they are still to be written back. */
static void local_times_sent(struct inode *inode, bool again)
{
	struct fusex_inode *fi = fusex_i(inode);

	again &= !fusex_chan_leaving(fusex_chan_of(inode));
	if (again || test_bit(FUSEX_I_TIMES_CROSS, &fi->state))
		local_times_dirty(inode, I_DIRTY_SYNC);
	spin_lock(&fi->lock);
	if (!--fi->times_sending)
		clear_bit(FUSEX_I_TIMES_CROSS, &fi->state);
	fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	spin_unlock(&fi->lock);
}

/* Nobody waits for a writeback that fails: fsync says it, or the next call. */
static void local_times_lost(struct inode *inode, int err)
{
	if (!READ_ONCE(fusex_sb(inode->i_sb)->stores_attrs) ||
	    err == -ENOTCONN)
		return;
	mapping_set_error(inode->i_mapping, err);
	set_bit(FUSEX_I_ASK_TIMES, &fusex_i(inode)->state);
}

/**
 * fusex_write_inode - write the times back that the kernel kept
 * @inode: dirty
 * @wbc: does somebody wait for it?  One request says it all
 *
 * Only local inodes ever have times to write back.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	struct fusex_setattr_in in = { .flags = FUSEX_SETATTR_WRITEBACK };
	struct fusex_attr_out out;
	bool again = false;
	int err = 0;
	u64 epoch;

	if (fusex_i(inode)->io->tell) {
		err = fusex_i(inode)->io->tell(inode);
		if (err) {
			if (!fusex_chan_leaving(fusex_chan_of(inode)))
				mark_inode_dirty_sync(inode);
			return err;
		}
	}
	if (!inode->i_nlink ||
	    !test_bit(FUSEX_I_TIMES_DIRTY, &fusex_i(inode)->state))
		return 0;
	/* Data brings its time along: what is written to goes on without. */
	if (wbc->sync_mode == WB_SYNC_NONE &&
	    mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY)) {
		mark_inode_dirty_sync(inode);
		return 0;
	}
	/* Or it would set back what a mapping has moved on. */
	fusex_io_settle(inode);
	/* A SETATTR may have come first, and taken them along. */
	if (local_times_send(inode)) {
		local_fill_times(inode, &in);
		err = fusex_setattr_send(inode, &in, &out, &epoch);
		/* Worth another try, unless the server does not want it. */
		again = err == -EINTR || err == -ENOMEM || err == -ETIMEDOUT;
		if (fusex_inode_unmissed(inode, err))
			err = 0;
		if (err && !again)
			local_times_lost(inode, err);
	}
	local_times_sent(inode, again);
	return err;
}

static int local_refresh(struct inode *inode, u32 mask, unsigned int flags)
{
	if (likely(!test_bit(FUSEX_I_STALE, &fusex_i(inode)->state)))
		return 0;
	return fusex_attr_fetch(inode, NULL, FUSEX_ATTR_KNOWN, flags);
}

static int local_getattr(struct mnt_idmap *idmap, const struct path *path,
			 struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int err;

	err = fusex_allowed(inode->i_sb);
	if (!err)
		err = local_refresh(inode, 0, 0);
	if (err)
		return err;
	fusex_io_settle(inode);
	fusex_fill_stat(idmap, inode, stat, mask);
	return 0;
}

static int local_permission(struct mnt_idmap *idmap, struct inode *inode,
			    int mask)
{
	int err;

	err = fusex_allowed(inode->i_sb);
	if (err)
		return err;
	if (unlikely(test_bit(FUSEX_I_STALE, &fusex_i(inode)->state))) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		err = local_refresh(inode, 0, 0);
		if (err)
			return err;
	}
	return generic_permission(idmap, inode, mask);
}

static int local_update_time(struct inode *inode, enum fs_update_time type,
			     unsigned int flags)
{
	int dirty = inode_update_time(inode, type, flags);

	if (dirty <= 0)
		return dirty;
	local_times_dirty(inode, dirty);
	return 0;
}

static int local_may_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			     struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	err = local_refresh(inode, 0, 0);
	if (!err)
		err = setattr_prepare(idmap, dentry, attr);
	return err;
}

/*
 * What setattr_copy() is going to make of the change, for the server: the
 * set-group-id bit does not survive, and a new size changes the times.
 */
static void local_complete(struct mnt_idmap *idmap, struct inode *inode,
			   struct iattr *attr)
{
	vfsgid_t gid = i_gid_into_vfsgid(idmap, inode);

	if (attr->ia_valid & ATTR_GID)
		gid = attr->ia_vfsgid;
	if (attr->ia_valid & ATTR_MODE &&
	    !in_group_or_capable(idmap, inode, gid))
		attr->ia_mode &= ~S_ISGID;
	if (attr->ia_valid & ATTR_SIZE &&
	    attr->ia_size != i_size_read(inode))
		attr->ia_valid |= ATTR_MTIME | ATTR_CTIME;
}

static void local_setattr_done(struct mnt_idmap *idmap, struct inode *inode,
			       const struct iattr *attr)
{
	struct fusex_inode *fi = fusex_i(inode);

	fusex_attr_changed(inode);
	setattr_copy(idmap, inode, attr);
	if (attr->ia_valid & ATTR_SIZE) {
		spin_lock(&fi->lock);
		i_size_write(inode, attr->ia_size);
		spin_unlock(&fi->lock);
	}
	if (IS_I_VERSION(inode))
		inode_inc_iversion(inode);
}

/*
 * Does the change leave everything but times as it is?  What unpacks archives
 * sets owner, mode and times of each file, most of them to what they are.
 */
static bool local_only_times(struct mnt_idmap *idmap, const struct inode *inode,
			     const struct iattr *attr)
{
	if (attr->ia_valid & ATTR_SIZE)
		return false;
	if (attr->ia_valid & ATTR_MODE &&
	    (attr->ia_mode ^ inode->i_mode) & S_IALLUGO)
		return false;
	return !i_uid_needs_update(idmap, attr, inode) &&
	       !i_gid_needs_update(idmap, attr, inode);
}

/*
 * Times can wait like those that a write changes, but only for a server that
 * has shown that it stores attributes: one that has no SETATTR, or a source
 * that is read-only, refuses the call and not its writeback.  A file without
 * names has no writeback.
 */
static bool local_may_wait(struct mnt_idmap *idmap, const struct inode *inode,
			   const struct iattr *attr)
{
	return READ_ONCE(fusex_sb(inode->i_sb)->stores_attrs) &&
	       !test_bit(FUSEX_I_ASK_TIMES, &fusex_i(inode)->state) &&
	       inode->i_nlink && !IS_SYNC(inode) &&
	       local_only_times(idmap, inode, attr);
}

/* Before and after: who sees the times sees that they are not the server's. */
static void local_setattr_wait(struct mnt_idmap *idmap, struct inode *inode,
			       const struct iattr *attr)
{
	set_bit(FUSEX_I_TIMES_DIRTY, &fusex_i(inode)->state);
	local_setattr_done(idmap, inode, attr);
	local_times_dirty(inode, I_DIRTY_SYNC);
}

/* The mode is set, perhaps by a call that failed afterwards: now its ACL. */
static int local_chmod_acl(struct mnt_idmap *idmap, struct dentry *dentry,
			   const struct iattr *attr)
{
	if (!(attr->ia_valid & ATTR_MODE))
		return 0;
	return posix_acl_chmod(idmap, dentry, d_inode(dentry)->i_mode);
}

static int local_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_setattr_in in = {};
	struct fusex_attr_out out;
	struct fusex_attr_reply r = { .attr = &out.attr };
	bool was_dirty;
	int err;

	fusex_io_settle(inode);
	local_complete(idmap, inode, attr);
	if (local_may_wait(idmap, inode, attr)) {
		local_setattr_wait(idmap, inode, attr);
		return local_chmod_acl(idmap, dentry, attr);
	}
	fusex_setattr_fill(idmap, inode, attr, &in);
	/* Times that wait to be written back go along and save a request. */
	was_dirty = local_times_send(inode);
	local_fill_times(inode, &in);
	if (attr->ia_valid & ATTR_ATIME)
		in.atime = fusex_ts_to_time(attr->ia_atime);
	if (attr->ia_valid & ATTR_MTIME)
		in.mtime = fusex_ts_to_time(attr->ia_mtime);
	if (attr->ia_valid & ATTR_CTIME)
		in.ctime = fusex_ts_to_time(attr->ia_ctime);

	err = fusex_setattr_send(inode, &in, &out, &r.epoch);
	if (!err) {
		if (attr->ia_valid & ATTR_SIZE)
			r.did = FUSEX_DID_DATA | FUSEX_DID_SIZE;
		fusex_attr_apply(inode, &r);
		local_setattr_done(idmap, inode, attr);
	}
	local_times_sent(inode, err && was_dirty);
	return err ?: local_chmod_acl(idmap, dentry, attr);
}

static struct posix_acl *local_get_acl(struct inode *inode, int type, bool rcu)
{
	if (rcu)
		return ERR_PTR(-ECHILD);
	return fusex_acl_fetch(inode, type);
}

/* Store @acl; its mode bits become the inode's. */
static int local_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	struct iattr attr = {
		.ia_valid = ATTR_MODE | ATTR_CTIME,
		.ia_mode = inode->i_mode,
	};
	struct fusex_setattr_in in = {};
	struct fusex_attr_out out;
	bool was_dirty;
	u64 epoch;
	int err;

	if (type == ACL_TYPE_ACCESS && acl) {
		err = posix_acl_update_mode(idmap, inode, &attr.ia_mode, &acl);
		if (err)
			return err;
	}
	err = fusex_acl_store(inode, acl, type);
	if (err)
		return err;
	set_cached_acl(inode, type, acl);

	attr.ia_ctime = current_time(inode);
	if (attr.ia_mode == inode->i_mode) {
		attr.ia_valid = ATTR_CTIME;
		local_setattr_done(idmap, inode, &attr);
		local_times_dirty(inode, I_DIRTY_SYNC);
		return 0;
	}
	fusex_setattr_fill(idmap, inode, &attr, &in);
	was_dirty = local_times_send(inode);
	local_fill_times(inode, &in);
	in.ctime = fusex_ts_to_time(attr.ia_ctime);
	err = fusex_setattr_send(inode, &in, &out, &epoch);
	if (!err)
		local_setattr_done(idmap, inode, &attr);
	local_times_sent(inode, err && was_dirty);
	return err;
}

static u32 local_write_flags(const struct inode *inode, bool append)
{
	return 0;
}

static void local_after_write(struct inode *inode, loff_t pos, size_t len)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	if (pos + (loff_t)len > i_size_read(inode))
		i_size_write(inode, pos + len);
	spin_unlock(&fi->lock);
	local_update_time(inode, FS_UPD_CMTIME, 0);
}

/* Are the times what they would be set to, and somebody is going to know? */
static bool local_cmtime_current(struct inode *inode)
{
	struct timespec64 mtime = inode_get_mtime(inode);
	struct timespec64 ctime = inode_get_ctime(inode);
	struct timespec64 now = current_time(inode);

	return test_bit(FUSEX_I_TIMES_DIRTY, &fusex_i(inode)->state) &&
	       timespec64_equal(&now, &mtime) &&
	       timespec64_equal(&now, &ctime) && !IS_I_VERSION(inode);
}

/*
 * Is there nothing new in what was written?  Most writes come between two ticks
 * of the clock and change no size, and then do without a lock.  Looked at without
 * one, the old time may be half of another: at worst a store through a mapping is
 * noticed that was none.
 */
static bool local_through_known(struct inode *inode, loff_t end,
				const struct inode *real)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct timespec64 mtime = inode_get_mtime(real);
	/* Torn at worst. */
	struct timespec64 wrote = data_race(fi->wrote);

	return timespec64_equal(&wrote, &mtime) && end <= i_size_read(inode) &&
	       likely(!test_bit(FUSEX_I_STALE, &fi->state));
}

/* Replies say nothing of this, unless the kernel has lost track. */
static void local_wrote_through(struct inode *inode, loff_t end,
				const struct inode *real)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (!local_through_known(inode, end, real)) {
		spin_lock(&fi->lock);
		if (unlikely(test_bit(FUSEX_I_STALE, &fi->state)))
			fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
		fusex_attr_through(inode, end, real);
		spin_unlock(&fi->lock);
	}
	if (!local_cmtime_current(inode))
		local_update_time(inode, FS_UPD_CMTIME, 0);
}

/* VFS has seen to it, as for any file system that is nobody else's. */
static void local_wrote_cache(struct inode *inode)
{
}

static void local_wrote_when(struct inode *inode, struct fusex_time *mtime)
{
	*mtime = fusex_ts_to_time(inode_get_mtime(inode));
}

/*
 * The data may have come to the server after times that were set later, and
 * carried its own.
 */
static void local_written_back(struct inode *inode,
			       const struct fusex_time *mtime)
{
	struct timespec64 now = inode_get_mtime(inode);
	struct timespec64 then = fusex_time_to_ts(mtime);

	if (!timespec64_equal(&now, &then))
		local_times_dirty(inode, I_DIRTY_SYNC);
}

/* Times after an operation on names: the kernel's clock. */
static void local_touch(struct inode *inode, u32 did)
{
	struct timespec64 now;

	if (!(did & (FUSEX_DID_CTIME | FUSEX_DID_MTIME)))
		return;
	now = inode_set_ctime_current(inode);
	if (did & FUSEX_DID_MTIME)
		inode_set_mtime_to_ts(inode, now);
	if (IS_I_VERSION(inode))
		inode_maybe_inc_iversion(inode, true);
	if (inode->i_nlink)
		local_times_dirty(inode, I_DIRTY_SYNC);
}

/*
 * The kernel lost track, and this reply was asked for after that: it is the
 * truth, but for times that were not written back yet.  Returns whether cached
 * data may be of another version.
 */
static bool local_resync(struct inode *inode, const struct fusex_attr_reply *r)
{
	struct fusex_inode *fi = fusex_i(inode);
	loff_t oldsize = i_size_read(inode);
	u32 mask = FUSEX_ATTR_KNOWN;

	if (fi->times_sending || test_bit(FUSEX_I_TIMES_DIRTY, &fi->state))
		mask &= ~FUSEX_ATTR_TIMES;
	fusex_attr_copy(inode, r->attr, mask);
	/* The size may have to wait until the server has all the data. */
	if (i_size_read(inode) == r->attr->size)
		clear_bit(FUSEX_I_STALE, &fi->state);
	return i_size_read(inode) != oldsize;
}

static void local_apply(struct inode *inode, const struct fusex_attr_reply *r)
{
	struct fusex_inode *fi = fusex_i(inode);
	u32 mask = FUSEX_ATTR_BLOCKS;
	bool resynced = false;
	bool drop = false;

	/* What a directory takes is up to the server. */
	if (S_ISDIR(inode->i_mode))
		mask |= FUSEX_ATTR_SIZE;
	spin_lock(&fi->lock);
	if (r->attr && unlikely(test_bit(FUSEX_I_STALE, &fi->state)) &&
	    r->epoch >= fi->epoch &&
	    !(FUSEX_ATTR_REQUIRED & ~r->attr->mask)) {
		drop = local_resync(inode, r);
		resynced = true;
	} else if (r->attr && (r->did || r->epoch >= fi->epoch)) {
		/* Of writes that cross, the one answered last may know less. */
		if (r->did == FUSEX_DID_DATA && r->epoch < fi->epoch &&
		    r->attr->blocks < inode->i_blocks)
			mask &= ~FUSEX_ATTR_BLOCKS;
		/*
		 * What was only looked at may have grown since; what an
		 * operation made of it nobody knows better than its reply.
		 */
		fusex_attr_copy(inode, r->attr, mask);
	}
	if (r->did) {
		fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
		if (!resynced)
			fusex_attr_links(inode, r->did);
	}
	spin_unlock(&fi->lock);

	local_touch(inode, r->did);
	/* The change that the kernel lost track of may have been of an ACL. */
	if (resynced)
		fusex_attr_forget_absence(inode);
	if (drop && fi->io->invalidate)
		fi->io->invalidate(inode, 0, LLONG_MAX);
}

static int local_revalidate(struct inode *dir, const struct qstr *name,
			    struct dentry *dentry, unsigned int flags)
{
	return 1;
}

static void local_entry_made(struct dentry *dentry, u64 valid)
{
}

/*
 * Names of local directories are not revalidated, so a name that must be asked
 * for again is unhashed.  The lookup that follows brings a directory's dentry
 * back, and what is mounted below with it, when it is still the same node.
 */
static void local_entry_expire(struct dentry *dentry)
{
	if (!d_mountpoint(dentry))
		d_drop(dentry);
}

static bool local_fresh(const struct inode *inode)
{
	return true;
}

/*
 * Files are nobody else's to open.  Of directories VFS lets file systems that
 * create and open at once (fusex_atomic_open()) break the delegations, and that
 * would mean to wait with the directory locked.
 */
static int local_setlease(struct file *file, int arg, struct file_lease **lease,
			  void **priv)
{
	if (S_ISDIR(file_inode(file)->i_mode))
		return -EINVAL;
	return generic_setlease(file, arg, lease, priv);
}

static const struct dentry_operations local_dentry_ops = {
	.d_iput		= fusex_d_iput,
};

const struct fusex_attr_ops fusex_attr_local = {
	.getattr	= local_getattr,
	.may_setattr	= local_may_setattr,
	.setattr	= local_setattr,
	.permission	= local_permission,
	.update_time	= local_update_time,
	.get_acl	= local_get_acl,
	.set_acl	= local_set_acl,
	.write_flags	= local_write_flags,
	.after_write	= local_after_write,
	.wrote_through	= local_wrote_through,
	.wrote_cache	= local_wrote_cache,
	.wrote_when	= local_wrote_when,
	.written_back	= local_written_back,
	.apply		= local_apply,
	.refresh	= local_refresh,
	.revalidate	= local_revalidate,
	.entry_made	= local_entry_made,
	.entry_expire	= local_entry_expire,
	.fresh		= local_fresh,
	.setlease	= local_setlease,
	.dentry_ops	= &local_dentry_ops,
};

const struct inode_operations fusex_local_dir_iops = {
	.lookup		= fusex_lookup,
	.permission	= local_permission,
	.get_inode_acl	= local_get_acl,
	.create		= fusex_create,
	.link		= fusex_link,
	.unlink		= fusex_unlink,
	.symlink	= fusex_symlink,
	.mkdir		= fusex_mkdir,
	.rmdir		= fusex_rmdir,
	.mknod		= fusex_mknod,
	.rename		= fusex_rename,
	.setattr	= fusex_setattr_common,
	.getattr	= local_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= local_update_time,
	.atomic_open	= fusex_atomic_open,
	.tmpfile	= fusex_tmpfile,
	.set_acl	= local_set_acl,
	.fileattr_get	= fusex_fileattr_get,
	.fileattr_set	= fusex_fileattr_set,
};

const struct inode_operations fusex_local_file_iops = {
	.permission	= local_permission,
	.get_inode_acl	= local_get_acl,
	.setattr	= fusex_setattr_common,
	.getattr	= local_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= local_update_time,
	.set_acl	= local_set_acl,
	.fileattr_get	= fusex_fileattr_get,
	.fiemap		= fusex_fiemap,
	.fileattr_set	= fusex_fileattr_set,
};

const struct inode_operations fusex_local_symlink_iops = {
	.get_link	= fusex_get_link_kept,
	.permission	= local_permission,
	.setattr	= fusex_setattr_common,
	.getattr	= local_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= local_update_time,
};

const struct inode_operations fusex_local_special_iops = {
	.permission	= local_permission,
	.get_inode_acl	= local_get_acl,
	.setattr	= fusex_setattr_common,
	.getattr	= local_getattr,
	.listxattr	= fusex_listxattr,
	.update_time	= local_update_time,
	.set_acl	= local_set_acl,
	.fileattr_get	= fusex_fileattr_get,
	.fileattr_set	= fusex_fileattr_set,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: what both of their owners (attr_local.c, attr_remote.c) share.
 *
 * fusex_inode.lock serialises what comes from replies with what the kernel
 * changes itself.  fusex_attr_copy() is the only function that copies what a
 * server says into an inode; whether it may is decided by the epoch, see
 * fusex_attr_changed().
 */
#include <linux/cred.h>
#include <linux/iversion.h>
#include <linux/jiffies.h>
#include <linux/stat.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "map.h"
#include "validate.h"

/* Flags of the server that the VFS enforces. */
#define FUSEX_ENFORCED_FLAGS	(S_IMMUTABLE | S_APPEND | S_NOATIME | S_SYNC | \
				 S_DIRSYNC)

/**
 * fusex_time_to_ts - a time of the interface as one of the kernel's
 * @t: validated
 *
 * Return: the same point in time.
 */
struct timespec64 fusex_time_to_ts(const struct fusex_time *t)
{
	return (struct timespec64){ .tv_sec = t->sec, .tv_nsec = t->nsec };
}

/**
 * fusex_ts_to_time - a time of the kernel's as one of the interface
 * @ts: normalised
 *
 * Return: the same point in time.
 */
struct fusex_time fusex_ts_to_time(struct timespec64 ts)
{
	return (struct fusex_time){ .sec = ts.tv_sec, .nsec = ts.tv_nsec };
}

/**
 * fusex_expiry - when something that may be cached expires
 * @valid_ns: how long it may be cached, nanoseconds, or FUSEX_FOREVER
 * @now_jiffies64: get_jiffies_64() of the reply
 *
 * Return: what is cached is good while get_jiffies_64() is below this; never
 * later than the server said.
 */
u64 fusex_expiry(u64 valid_ns, u64 now_jiffies64)
{
	u64 expires;

	if (valid_ns == FUSEX_FOREVER)
		return U64_MAX;
	if (!valid_ns)
		return 0;
	if (check_add_overflow(now_jiffies64, nsecs_to_jiffies64(valid_ns),
			       &expires))
		return U64_MAX;
	return expires;
}

static const struct inode_operations *
fusex_pick_iops(umode_t mode, const struct inode_operations *dir,
		const struct inode_operations *file,
		const struct inode_operations *symlink,
		const struct inode_operations *special)
{
	if (S_ISDIR(mode))
		return dir;
	if (S_ISREG(mode))
		return file;
	if (S_ISLNK(mode))
		return symlink;
	return special;
}

/**
 * fusex_inode_set_attr_mode - decide who owns the attributes of a new inode
 * @inode: still locked by I_NEW, i_mode is set
 * @mode: validated enum fusex_attr_mode; FUSEX_ATTR_DEFAULT takes the file
 *	system's
 *
 * Never called twice for an inode.
 */
void fusex_inode_set_attr_mode(struct inode *inode, u8 mode)
{
	struct fusex_inode *fi = fusex_i(inode);

	WARN_ON_ONCE(fi->attr);
	if (mode == FUSEX_ATTR_DEFAULT)
		mode = fusex_conf_of(inode)->attr_mode;

	if (mode == FUSEX_ATTR_LOCAL) {
		fi->attr = &fusex_attr_local;
		inode->i_op = fusex_pick_iops(inode->i_mode,
					      &fusex_local_dir_iops,
					      &fusex_local_file_iops,
					      &fusex_local_symlink_iops,
					      &fusex_local_special_iops);
		/* VFS looks at mode and ACL by itself, and asks otherwise. */
		if (S_ISDIR(inode->i_mode) && fusex_allows_all(inode->i_sb))
			inode->i_opflags |= IOP_FASTPERM_MAY_EXEC;
	} else {
		fi->attr = &fusex_attr_remote;
		inode->i_op = fusex_pick_iops(inode->i_mode,
					      &fusex_remote_dir_iops,
					      &fusex_remote_file_iops,
					      &fusex_remote_symlink_iops,
					      &fusex_remote_special_iops);
	}
	inode->i_flags |= fi->attr->i_flags;
}

/**
 * fusex_attr_modes_local - are all inodes going to be local?
 * @conf: what was agreed
 *
 * Then the kernel decides about all permissions and owners, so ids can be
 * mapped; and nobody else changes anything, so all of it can be frozen.
 *
 * Return: true if so.
 */
bool fusex_attr_modes_local(const struct fusex_conf *conf)
{
	return conf->attr_modes == BIT(FUSEX_ATTR_LOCAL);
}

/**
 * fusex_attr_dentry_ops - operations of all names of a file system
 * @conf: what was agreed
 *
 * A name may move between directories of different tables, so one remote
 * directory makes all names revalidated; those under local directories pass
 * without further ado.
 *
 * Return: what set_default_d_op() wants.
 */
const struct dentry_operations *
fusex_attr_dentry_ops(const struct fusex_conf *conf)
{
	if (conf->attr_modes & BIT(FUSEX_ATTR_REMOTE))
		return fusex_attr_remote.dentry_ops;
	return fusex_attr_local.dentry_ops;
}

static void fusex_copy_times(struct inode *inode, const struct fusex_attr *attr)
{
	inode_set_atime_to_ts(inode, fusex_time_to_ts(&attr->atime));
	inode_set_mtime_to_ts(inode, fusex_time_to_ts(&attr->mtime));
	inode_set_ctime_to_ts(inode, fusex_time_to_ts(&attr->ctime));
}

static void fusex_copy_flags(struct inode *inode, const struct fusex_attr *attr)
{
	struct fusex_inode *fi = fusex_i(inode);
	unsigned int flags = fi->attr->i_flags & FUSEX_ENFORCED_FLAGS;

	fi->fsflags = attr->flags;
	if (attr->flags & FS_IMMUTABLE_FL)
		flags |= S_IMMUTABLE;
	if (attr->flags & FS_APPEND_FL)
		flags |= S_APPEND;
	if (attr->flags & FS_NOATIME_FL)
		flags |= S_NOATIME;
	if (attr->flags & FS_SYNC_FL)
		flags |= S_SYNC;
	if (attr->flags & FS_DIRSYNC_FL)
		flags |= S_DIRSYNC;
	inode_set_flags(inode, flags, FUSEX_ENFORCED_FLAGS);
}

static void fusex_copy_owner(struct inode *inode, const struct fusex_attr *attr)
{
	struct user_namespace *ns = i_user_ns(inode);

	inode->i_uid = make_kuid(ns, attr->uid);
	inode->i_gid = make_kgid(ns, attr->gid);
}

/*
 * What is still to be written back may end behind the server's end.  And if the
 * server's is behind ours, the page in which ours is would be written with what
 * it has between them, which are zeros, over what somebody else has written.
 */
static void fusex_copy_size(struct inode *inode, loff_t size)
{
	if (size != i_size_read(inode) && !fusex_io_ahead(inode))
		i_size_write(inode, size);
}

/**
 * fusex_attr_copy - copy what the server says about an inode into it
 * @inode: the inode; its fusex_inode.lock is held
 * @attr: validated; its type is the inode's
 * @mask: FUSEX_ATTR_* to be taken, of those that @attr has
 *
 * The number and type of an inode never change; a device number neither.  The
 * size is not taken while the kernel is ahead of the server.
 */
void fusex_attr_copy(struct inode *inode, const struct fusex_attr *attr,
		     u32 mask)
{
	struct fusex_inode *fi = fusex_i(inode);

	lockdep_assert_held(&fi->lock);
	mask &= attr->mask;

	if (mask & FUSEX_ATTR_MODE) {
		inode->i_mode = (inode->i_mode & S_IFMT) |
				(attr->mode & S_IALLUGO);
		/* There is something now that a write has to clear. */
		if (is_sxid(inode->i_mode))
			inode_set_flags(inode, 0, S_NOSEC);
	}
	if (mask & FUSEX_ATTR_NLINK && inode->i_nlink != attr->nlink)
		set_nlink(inode, attr->nlink);
	if (mask & FUSEX_ATTR_OWNER)
		fusex_copy_owner(inode, attr);
	if (mask & FUSEX_ATTR_SIZE) {
		fusex_copy_size(inode, attr->size);
		fusex_maps_size(inode, attr->size);
	}
	if (mask & FUSEX_ATTR_BLOCKS)
		inode->i_blocks = attr->blocks;
	if (mask & FUSEX_ATTR_TIMES)
		fusex_copy_times(inode, attr);
	if (mask & FUSEX_ATTR_BTIME)
		fi->btime = fusex_time_to_ts(&attr->btime);
	if (mask & FUSEX_ATTR_FLAGS)
		fusex_copy_flags(inode, attr);
	if (mask & FUSEX_ATTR_CHANGE)
		inode_set_iversion_queried(inode, attr->change);
	if (mask & FUSEX_ATTR_DIO) {
		fi->dio_mem_align = attr->dio_mem_align;
		fi->dio_offset_align = attr->dio_offset_align;
	}
	if (mask & FUSEX_ATTR_SIZE && attr->blksize)
		fi->blksize = attr->blksize;
	fi->attr_mask |= mask;
}

/**
 * fusex_attr_init - the first attributes of an inode
 * @inode: still locked by I_NEW; i_mode and its tables are set
 * @attr: validated, with FUSEX_ATTR_REQUIRED
 * @valid: nanoseconds for which they may be cached
 * @epoch: fusex_chan_epoch() from before the request was queued
 */
void fusex_attr_init(struct inode *inode, const struct fusex_attr *attr,
		     u64 valid, u64 epoch)
{
	struct fusex_inode *fi = fusex_i(inode);

	inode->i_ino = attr->mask & FUSEX_ATTR_INO ? attr->ino : fi->nodeid;
	/* The page cache works in blocks that are not larger than a page. */
	inode->i_blkbits = min(inode->i_blkbits, PAGE_SHIFT);

	spin_lock(&fi->lock);
	fusex_attr_copy(inode, attr, FUSEX_ATTR_KNOWN);
	fi->attr_expires = fusex_expiry(valid, get_jiffies_64());
	spin_unlock(&fi->lock);
	if (epoch < atomic64_read(&fusex_sb(inode->i_sb)->lost_epoch))
		fusex_attr_uncertain(inode);
}

/**
 * fusex_attr_changed - the kernel changes attributes
 * @inode: the inode
 *
 * A reply to a request that was queued before this call may describe the inode
 * as it was before the change: apply() recognises it by its epoch and does not
 * let it overwrite.
 */
void fusex_attr_changed(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	spin_unlock(&fi->lock);
}

/**
 * fusex_attr_through - know what a write to the backing file has changed
 * @inode: the file, fusex_inode.lock is held
 * @end: where the write ended, bytes
 * @real: inode of the backing file
 *
 * What was cut off since does not come back: who cuts changes the backing file
 * first, and our size under the same lock.
 */
void fusex_attr_through(struct inode *inode, loff_t end,
			const struct inode *real)
{
	lockdep_assert_held(&fusex_i(inode)->lock);
	fusex_i(inode)->wrote = inode_get_mtime(real);
	end = min(end, i_size_read(real));
	if (end > i_size_read(inode))
		i_size_write(inode, end);
}

/**
 * fusex_attr_uncertain - the kernel does not know an inode's attributes
 * @inode: the inode
 *
 * After a change that was abandoned, or when the server says so.  They are
 * fetched before the next use, also when local; what replies on their way say
 * does not count.  Does not sleep.
 */
void fusex_attr_uncertain(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->epoch = fusex_chan_next_epoch(fusex_chan_of(inode));
	fi->attr_expires = 0;
	set_bit(FUSEX_I_STALE, &fi->state);
	spin_unlock(&fi->lock);

	/* Nor may VFS: local_permission() is asked from now on. */
	spin_lock(&inode->i_lock);
	inode->i_opflags &= ~IOP_FASTPERM_MAY_EXEC;
	spin_unlock(&inode->i_lock);
}

/**
 * fusex_attr_forget_absence - forget ACLs, and what was known to be absent
 * @inode: somebody else may have changed an extended attribute
 *
 * Context: process, does not wait for the server.
 */
void fusex_attr_forget_absence(struct inode *inode)
{
	fusex_xattr_changed(inode);
	forget_all_cached_acls(inode);
	inode_set_flags(inode, 0, S_NOSEC);
}

static void fusex_links_dec(struct inode *inode)
{
	/*
	 * A directory with one link does not count its subdirectories, and
	 * one that does never has fewer than two.
	 */
	if (S_ISDIR(inode->i_mode) ? inode->i_nlink > 2 : inode->i_nlink > 0)
		drop_nlink(inode);
}

static void fusex_links_inc(struct inode *inode)
{
	if (S_ISDIR(inode->i_mode) && inode->i_nlink < 2)
		return;
	/* Unlike inc_nlink(), has nothing against a count of 0. */
	if (inode->i_nlink < U32_MAX)
		set_nlink(inode, inode->i_nlink + 1);
}

/**
 * fusex_attr_links - the link count after an operation of the kernel's
 * @inode: the inode; its fusex_inode.lock is held
 * @did: FUSEX_DID_*
 *
 * Counts that a server got wrong do not make the VFS complain.
 */
void fusex_attr_links(struct inode *inode, u32 did)
{
	lockdep_assert_held(&fusex_i(inode)->lock);

	if (did & FUSEX_DID_NLINK_INC)
		fusex_links_inc(inode);
	if (did & FUSEX_DID_NLINK_DEC)
		fusex_links_dec(inode);
	if (did & FUSEX_DID_NLINK_ZERO && inode->i_nlink)
		clear_nlink(inode);
}

static int fusex_check_fetched(struct inode *inode, struct fusex_call *call,
			       const struct fusex_attr_out *out, u32 required)
{
	const char *why = NULL;
	int err;

	err = fusex_check_attr(fusex_conf_of(inode), &out->attr, required,
			       &why);
	if (!err && out->attr.mask & FUSEX_ATTR_MODE &&
	    inode_wrong_type(inode, out->attr.mode)) {
		why = "the type of a node changed";
		err = -EFSCORRUPTED;
		fusex_inode_gone(inode);
	}
	if (err)
		fusex_bad_reply(fusex_chan_of(inode), call, why);
	return err;
}

/**
 * fusex_attr_fetch - ask the server for attributes
 * @inode: the inode
 * @file: open file the caller uses, or NULL
 * @mask: FUSEX_ATTR_* that are wanted
 * @flags: AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC or 0
 *
 * The reply is handed to the table, which takes what it needs.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_attr_fetch(struct inode *inode, struct file *file, u32 mask,
		     unsigned int flags)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_getattr_in in = {
		.fh = fusex_fh(file),
		.mask = mask | FUSEX_ATTR_REQUIRED,
		.flags = flags & AT_STATX_SYNC_TYPE,
	};
	struct fusex_attr_out out;
	struct fusex_call call = {
		.op = FUSEX_OP_GETATTR,
		.node = inode,
		.arg = &in,
		.arg_len = sizeof(in),
		.out[0] = { .base = &out, .len = sizeof(out) },
	};
	struct fusex_attr_reply r = {
		.attr = &out.attr,
		.epoch = fusex_chan_epoch(chan),
	};
	int err;

	err = fusex_call(chan, &call);
	if (err)
		return err;
	err = fusex_check_fetched(inode, &call, &out, FUSEX_ATTR_REQUIRED);
	if (err)
		return err;
	r.valid = out.attr_valid;
	fusex_attr_apply(inode, &r);
	return 0;
}

/* What may become of data that the server does not have, in 512 bytes. */
static u64 fusex_cached_blocks(const struct inode *inode)
{
	u64 cached = (u64)inode->i_mapping->nrpages << (PAGE_SHIFT - 9);

	return min(cached, DIV_ROUND_UP_ULL(i_size_read(inode), 512));
}

/**
 * fusex_fill_stat - answer statx from what is cached
 * @idmap: of the mount
 * @inode: the inode
 * @stat: to be filled
 * @mask: STATX_* asked for
 */
void fusex_fill_stat(struct mnt_idmap *idmap, struct inode *inode,
		     struct kstat *stat, u32 mask)
{
	struct fusex_inode *fi = fusex_i(inode);

	generic_fillattr(idmap, mask, inode, stat);
	generic_fill_statx_attr(inode, stat);
	stat->blksize = fi->blksize ?: inode->i_sb->s_blocksize;
	/* Who sees no blocks takes it for empty. */
	if (fusex_io_ahead(inode))
		stat->blocks = max(stat->blocks, fusex_cached_blocks(inode));

	if (mask & STATX_BTIME && fi->attr_mask & FUSEX_ATTR_BTIME) {
		stat->btime = fi->btime;
		stat->result_mask |= STATX_BTIME;
	}
	if (mask & STATX_DIOALIGN && S_ISREG(inode->i_mode) &&
	    fi->attr_mask & FUSEX_ATTR_DIO) {
		stat->dio_mem_align = fi->dio_mem_align;
		stat->dio_offset_align = fi->dio_offset_align;
		stat->result_mask |= STATX_DIOALIGN;
	}
	if (fi->io->stat)
		fi->io->stat(inode, stat, mask);
	if (fi->attr_mask & FUSEX_ATTR_FLAGS) {
		if (fi->fsflags & FS_COMPR_FL)
			stat->attributes |= STATX_ATTR_COMPRESSED;
		if (fi->fsflags & FS_NODUMP_FL)
			stat->attributes |= STATX_ATTR_NODUMP;
		stat->attributes_mask |= STATX_ATTR_COMPRESSED |
					 STATX_ATTR_NODUMP;
	}
}

/**
 * fusex_setattr_fill - what SETATTR says, but for the times
 * @idmap: of the mount
 * @inode: the inode
 * @attr: authorised change
 * @in: zeroed, to be filled
 */
void fusex_setattr_fill(struct mnt_idmap *idmap, struct inode *inode,
			const struct iattr *attr, struct fusex_setattr_in *in)
{
	struct user_namespace *ns = i_user_ns(inode);

	if (attr->ia_valid & ATTR_MODE) {
		in->valid |= FUSEX_SET_MODE;
		in->mode = (inode->i_mode & S_IFMT) |
			   (attr->ia_mode & S_IALLUGO);
	}
	if (attr->ia_valid & ATTR_UID) {
		in->valid |= FUSEX_SET_UID;
		in->uid = from_kuid(ns, from_vfsuid(idmap, ns,
						    attr->ia_vfsuid));
	}
	if (attr->ia_valid & ATTR_GID) {
		in->valid |= FUSEX_SET_GID;
		in->gid = from_kgid(ns, from_vfsgid(idmap, ns,
						    attr->ia_vfsgid));
	}
	if (attr->ia_valid & ATTR_SIZE) {
		in->valid |= FUSEX_SET_SIZE;
		in->size = attr->ia_size;
	}
	if (attr->ia_valid & ATTR_FILE)
		in->fh = fusex_fh(attr->ia_file);
}

/**
 * fusex_setattr_send - tell the server about a change of attributes
 * @inode: the inode
 * @in: the change
 * @out: returns the reply, checked; attributes may be missing
 * @epoch: returns fusex_chan_epoch() from before the request was queued
 *
 * When the outcome is unknown, the inode's attributes are marked uncertain.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_setattr_send(struct inode *inode, const struct fusex_setattr_in *in,
		       struct fusex_attr_out *out, u64 *epoch)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_call call = {
		.op = FUSEX_OP_SETATTR,
		.node = inode,
		.arg = in,
		.arg_len = sizeof(*in),
		.out[0] = { .base = out, .len = sizeof(*out) },
		.nofs = in->flags & FUSEX_SETATTR_WRITEBACK,
	};
	int err;

	*epoch = fusex_chan_epoch(chan);
	if (in->valid & FUSEX_SET_SIZE && !(in->flags & FUSEX_SETATTR_WRITEBACK))
		err = fusex_call_space(inode, &call);
	else
		err = fusex_call(chan, &call);
	if (!err)
		err = fusex_check_fetched(inode, &call, out, 0);
	call.error = err;
	if (fusex_io_uncertain(&call))
		fusex_attr_uncertain(inode);
	/* A server may pass over what it is told by writeback. */
	if (!err && !(in->flags & FUSEX_SETATTR_WRITEBACK))
		WRITE_ONCE(fusex_sb(inode->i_sb)->stores_attrs, true);
	return err == -ENOSYS ? -EPERM : err;
}

/**
 * fusex_attr_taken - take the attributes that a call was answered by
 * @inode: the inode
 * @call: ended; its first reply segment is a struct fusex_attr_out, in which
 *	attributes may be missing
 * @epoch: fusex_chan_epoch() noted before it was queued
 * @did: FUSEX_DID_* that the operation does
 *
 * When the outcome is unknown, the inode's attributes are marked uncertain.
 *
 * Context: does not wait for the server.
 * Return: 0 or a negative errno.
 */
int fusex_attr_taken(struct inode *inode, struct fusex_call *call, u64 epoch,
		     u32 did)
{
	const struct fusex_attr_out *out = call->out[0].base;

	if (!call->error)
		call->error = fusex_check_fetched(inode, call, out, 0);
	if (fusex_io_uncertain(call))
		fusex_attr_uncertain(inode);
	if (call->error)
		return call->error;
	fusex_attr_apply(inode, &(struct fusex_attr_reply) {
		.attr	= &out->attr,
		.valid	= out->attr_valid,
		.epoch	= epoch,
		.did	= did,
	});
	return 0;
}

/**
 * fusex_attr_call - do something to an inode that is answered by attributes
 * @inode: the inode
 * @call: the operation, without reply segments
 * @out: returns the reply, checked; attributes may be missing
 * @did: FUSEX_DID_* that the operation does
 *
 * When the outcome is unknown, the inode's attributes are marked uncertain.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_attr_call(struct inode *inode, struct fusex_call *call,
		    struct fusex_attr_out *out, u32 did)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	u64 epoch = fusex_chan_epoch(chan);

	call->out[0] = (struct fusex_out){ out, sizeof(*out) };
	fusex_call(chan, call);
	return fusex_attr_taken(inode, call, epoch, did);
}

static int fusex_setattr_size(struct mnt_idmap *idmap, struct dentry *dentry,
			      struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_inode *fi = fusex_i(inode);
	loff_t oldsize;
	int err;

	if (WARN_ON_ONCE(!S_ISREG(inode->i_mode)))
		return -EINVAL;

	/* Direct writes on their way may make it grow. */
	err = fusex_io_dio_wait(inode);
	if (err)
		return err;
	/* Who reads for a mapping holds it while the server reads. */
	if (down_write_killable(&inode->i_mapping->invalidate_lock))
		return -EINTR;
	err = fi->io->setsize_begin(inode, attr->ia_size);
	if (!err) {
		oldsize = i_size_read(inode);
		err = fi->attr->setattr(idmap, dentry, attr);
		fi->io->setsize_end(inode, oldsize,
				    err ? oldsize : attr->ia_size);
		if (!err && !attr->ia_size)
			set_bit(FUSEX_I_EMPTIED, &fi->state);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/*
 * Data that comes to the server after the change may not be taken any more, or
 * undo it: a server without privileges cannot write to what is read-only, and a
 * write clears set-user-id.
 */
static bool fusex_stops_writes(const struct iattr *attr)
{
	if (attr->ia_valid & (ATTR_UID | ATTR_GID))
		return true;
	return attr->ia_valid & ATTR_MODE &&
	       (attr->ia_mode & (S_ISUID | S_ISGID) ||
		!(attr->ia_mode & 0200));
}

/**
 * fusex_setattr_common - change attributes: the inode operation of both tables
 * @idmap: of the mount
 * @dentry: whose inode; i_rwsem is held
 * @attr: from notify_change()
 *
 * Checks what both tables check, and wraps a change of the size into what the
 * data path needs done before and after it.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_setattr_common(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	err = fusex_allowed(inode->i_sb);
	if (!err && attr->ia_valid & ATTR_SIZE)
		err = fusex_space_wait(inode, false);
	if (err)
		return err;
	err = fusex_i(inode)->attr->may_setattr(idmap, dentry, attr);
	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE)
		return fusex_setattr_size(idmap, dentry, attr);
	if (fusex_stops_writes(attr)) {
		err = fusex_io_write_back(inode);
		if (err)
			return err;
	}
	return fusex_i(inode)->attr->setattr(idmap, dentry, attr);
}

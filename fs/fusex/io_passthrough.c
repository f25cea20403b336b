// SPDX-License-Identifier: GPL-2.0
/*
 * Passthrough mode: a file of the server's own is where the data is, and the
 * kernel reads and writes it without asking.
 *
 * The inode has the backing object that its entry named; each open file opens
 * the backing file once more, with its own flags and as who registered it.  All
 * else is fs/backing-file.c.  The inode's own page cache stays empty.
 *
 * What changes behind the server's back are size, times and blocks.  The size
 * follows each write (fusex_passthrough_wrote()); what is stored through a
 * mapping, which belongs to the backing file alone, is noticed by its
 * modification time when somebody wants to know the attributes.
 */
#include <linux/backing-file.h>
#include <linux/cred.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/splice.h>
#include <linux/timekeeping.h>
#include <linux/uio.h>

#include "backing.h"
#include "io.h"

/* Flags that fcntl(F_SETFL) changes in the open file and data depends on. */
#define FUSEX_PASSTHROUGH_SETFL	O_DIRECT

static struct fusex_bobj *passthrough_obj(const struct file *file)
{
	return fusex_i(file_inode(file))->bobj;
}

static struct inode *passthrough_real(const struct inode *inode)
{
	return d_inode(fusex_i(inode)->bobj->path.dentry);
}

static struct file *passthrough_file(const struct file *file)
{
	const struct fusex_file *ff = file->private_data;
	struct file *backing = ff->backing;
	unsigned int changed;

	changed = (file->f_flags ^ backing->f_flags) & FUSEX_PASSTHROUGH_SETFL;
	if (unlikely(changed)) {
		spin_lock(&backing->f_lock);
		backing->f_flags ^= (file->f_flags ^ backing->f_flags) &
				    FUSEX_PASSTHROUGH_SETFL;
		spin_unlock(&backing->f_lock);
	}
	return backing;
}

/* ------------------------------------------------------------------ attributes */

/* Data was changed, up to @end. */
static void fusex_passthrough_wrote(struct inode *inode, loff_t end)
{
	struct fusex_inode *fi = fusex_i(inode);

	/* Each write comes by here: no atomic operation for nothing. */
	if (!test_bit(FUSEX_I_THROUGH, &fi->state))
		set_bit(FUSEX_I_THROUGH, &fi->state);
	fi->attr->wrote_through(inode, end, passthrough_real(inode));
}

/* The size is what the backing file has, smaller or larger than before. */
static void fusex_passthrough_resized(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	i_size_write(inode, i_size_read(passthrough_real(inode)));
	spin_unlock(&fi->lock);
	fusex_passthrough_wrote(inode, 0);
}

/* Somebody stored something through a mapping since this was called last. */
static bool fusex_passthrough_stored(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct timespec64 now = inode_get_mtime(passthrough_real(inode));
	struct timespec64 mtime = inode_get_mtime(inode);
	bool changed;

	spin_lock(&fi->lock);
	changed = !timespec64_equal(&fi->wrote, &now);
	fi->wrote = now;
	spin_unlock(&fi->lock);
	/* Times that were set go the same way, but not beyond our own. */
	return changed && timespec64_compare(&now, &mtime) > 0;
}

static void fusex_passthrough_settle(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct kstat stat;

	if (likely(!test_bit(FUSEX_I_THROUGH, &fi->state)))
		return;
	if (fusex_passthrough_stored(inode))
		fusex_passthrough_wrote(inode, 0);
	if (vfs_getattr_nosec(&fi->bobj->path, &stat, STATX_BLOCKS,
			      AT_STATX_DONT_SYNC))
		return;
	spin_lock(&fi->lock);
	inode->i_blocks = stat.blocks;
	spin_unlock(&fi->lock);
}

/* --------------------------------------------------------------- open, release */

static struct file *passthrough_open_real(struct inode *inode,
					  struct file *file)
{
	const struct fusex_bobj *obj = fusex_i(inode)->bobj;
	/* Where a write goes is said with each, see RWF_NOAPPEND. */
	int flags = file->f_flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_APPEND);

	if (file->f_mode & FMODE_READ && !(obj->access & FUSEX_BACKING_READ))
		return ERR_PTR(-EACCES);
	if (file->f_mode & FMODE_WRITE && !(obj->access & FUSEX_BACKING_WRITE))
		return ERR_PTR(-EACCES);
	if (IS_APPEND(passthrough_real(inode)))
		flags |= file->f_flags & O_APPEND;
	return backing_file_open(file, flags, &obj->path, obj->cred);
}

static int passthrough_open_backing(struct inode *inode, struct file *file)
{
	struct fusex_bobj *obj = fusex_i(inode)->bobj;
	struct fusex_file *ff = fusex_file_get(file);
	struct file *real;
	int err;

	if (!ff)
		return -ENOMEM;
	err = fusex_backing_use(obj);
	if (err)
		return err;
	real = passthrough_open_real(inode, file);
	fusex_backing_done(obj, 0);
	if (IS_ERR(real))
		return PTR_ERR(real);
	ff->backing = real;
	file->f_mode |= real->f_mode & (FMODE_CAN_ODIRECT | FMODE_NOWAIT);
	return 0;
}

static int fusex_passthrough_open(struct inode *inode, struct file *file)
{
	int err = fusex_open(inode, file);

	if (err)
		return err;
	err = passthrough_open_backing(inode, file);
	/* VFS releases what was opened only. */
	if (err)
		fusex_release(inode, file);
	return err;
}

static int fusex_passthrough_release(struct inode *inode, struct file *file)
{
	struct fusex_file *ff = file->private_data;

	if (ff && ff->backing) {
		fput(ff->backing);
		ff->backing = NULL;
	}
	return fusex_release(inode, file);
}

/* -------------------------------------------------------------- reading, writing */

/* As relatime decides, but in a fraction of the time: most reads need none. */
static void passthrough_accessed(struct file *file)
{
	const struct inode *inode = file_inode(file);
	struct timespec64 atime = inode_get_atime(inode);
	struct timespec64 mtime = inode_get_mtime(inode);
	struct timespec64 ctime = inode_get_ctime(inode);

	if (inode->i_flags & S_NOATIME)
		return;
	if (file->f_path.mnt->mnt_flags & MNT_RELATIME &&
	    timespec64_compare(&atime, &mtime) > 0 &&
	    timespec64_compare(&atime, &ctime) > 0 &&
	    ktime_get_real_seconds() - atime.tv_sec < 24 * 60 * 60)
		return;
	file_accessed(file);
}

/* May be where an asynchronous write ends, without any lock. */
static void passthrough_end_write(struct kiocb *iocb, ssize_t ret)
{
	if (ret > 0)
		fusex_passthrough_wrote(file_inode(iocb->ki_filp),
					iocb->ki_pos);
}

static struct backing_file_ctx passthrough_ctx(const struct fusex_bobj *obj)
{
	return (struct backing_file_ctx) {
		.cred		= obj->cred,
		.accessed	= passthrough_accessed,
		.end_write	= passthrough_end_write,
	};
}

static ssize_t fusex_passthrough_read_iter(struct kiocb *iocb,
					   struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct fusex_bobj *obj = passthrough_obj(file);
	struct backing_file_ctx ctx = passthrough_ctx(obj);
	ssize_t ret;

	ret = fusex_backing_use(obj);
	if (ret)
		return ret;
	ret = backing_file_read_iter(passthrough_file(file), to, iocb,
				     iocb->ki_flags, &ctx);
	return fusex_backing_done(obj, ret);
}

/* Is it known whether there is something that a write has to clear? */
static bool passthrough_is_current(struct file *file)
{
	struct inode *inode = file_inode(file);

	return fusex_i(inode)->attr->fresh(inode) ||
	       IS_NOSEC(file_inode(passthrough_file(file)));
}

/* The server does not see the write, and who set it may be somebody else. */
static int passthrough_make_current(struct file *file, bool nowait)
{
	struct inode *inode = file_inode(file);

	if (passthrough_is_current(file))
		return 0;
	return nowait ? -EAGAIN : fusex_i(inode)->attr->refresh(inode, 0, 0);
}

static int passthrough_modified(struct file *file)
{
	int err = passthrough_make_current(file, false);

	return err ?: file_modified(file);
}

/* What may be written of @len bytes is left of them; the object is used then. */
static int passthrough_write_begin(struct kiocb *iocb, loff_t *len)
{
	struct file *file = iocb->ki_filp;
	int err = fusex_io_may_write(iocb);

	if (!err)
		err = passthrough_make_current(file,
					       iocb->ki_flags & IOCB_NOWAIT);
	if (!err)
		err = generic_write_checks_count(iocb, len);
	return err ?: fusex_backing_use(passthrough_obj(file));
}

static ssize_t passthrough_write_locked(struct kiocb *iocb,
					struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct fusex_bobj *obj = passthrough_obj(file);
	struct backing_file_ctx ctx = passthrough_ctx(obj);
	loff_t len = iov_iter_count(from);
	ssize_t ret = passthrough_write_begin(iocb, &len);

	if (ret)
		return ret;
	iov_iter_truncate(from, len);
	ret = backing_file_write_iter(passthrough_file(file), from, iocb,
				      iocb->ki_flags, &ctx);
	return fusex_backing_done(obj, ret);
}

/*
 * Beside other writes, which the backing file keeps apart, unless more than the
 * data may change.
 */
static bool passthrough_shared(const struct kiocb *iocb)
{
	return IS_NOSEC(file_inode(iocb->ki_filp)) &&
	       !(iocb->ki_flags & IOCB_APPEND) &&
	       passthrough_is_current(iocb->ki_filp);
}

static ssize_t fusex_passthrough_write_iter(struct kiocb *iocb,
					    struct iov_iter *from)
{
	bool shared = passthrough_shared(iocb);
	ssize_t ret = fusex_io_lock(iocb, shared);

	if (ret)
		return ret;
	/* It may have got something meanwhile that a write has to clear. */
	if (shared && !passthrough_shared(iocb)) {
		fusex_io_unlock(iocb, true);
		shared = false;
		ret = fusex_io_lock(iocb, false);
		if (ret)
			return ret;
	}
	ret = passthrough_write_locked(iocb, from);
	fusex_io_unlock(iocb, shared);
	return ret;
}

static ssize_t fusex_passthrough_splice_read(struct file *in, loff_t *ppos,
					     struct pipe_inode_info *pipe,
					     size_t len, unsigned int flags)
{
	struct fusex_bobj *obj = passthrough_obj(in);
	struct backing_file_ctx ctx = passthrough_ctx(obj);
	struct kiocb iocb;
	ssize_t ret;

	ret = fusex_backing_use(obj);
	if (ret)
		return ret;
	init_sync_kiocb(&iocb, in);
	iocb.ki_pos = *ppos;
	ret = backing_file_splice_read(passthrough_file(in), &iocb, pipe, len,
				       flags, &ctx);
	*ppos = iocb.ki_pos;
	return fusex_backing_done(obj, ret);
}

static ssize_t passthrough_splice_locked(struct pipe_inode_info *pipe,
					 struct kiocb *iocb, loff_t len,
					 unsigned int flags)
{
	struct file *out = iocb->ki_filp;
	struct fusex_bobj *obj = passthrough_obj(out);
	struct backing_file_ctx ctx = passthrough_ctx(obj);
	ssize_t ret = passthrough_write_begin(iocb, &len);

	if (ret)
		return ret;
	ret = backing_file_splice_write(pipe, passthrough_file(out), iocb, len,
					flags, &ctx);
	return fusex_backing_done(obj, ret);
}

/* Without any lock: the program that fills the pipe has all the time it wants. */
static int passthrough_splice_wait(struct pipe_inode_info *pipe)
{
	return wait_event_interruptible(pipe->rd_wait,
					!pipe_is_empty(pipe) ||
						!READ_ONCE(pipe->writers));
}

/*
 * Not by way of write_iter: there the pipe is locked first and the file system
 * below then kept from freezing, whose own splice does it the other way round.
 */
static ssize_t fusex_passthrough_splice_write(struct pipe_inode_info *pipe,
					      struct file *out, loff_t *ppos,
					      size_t len, unsigned int flags)
{
	struct kiocb iocb;
	ssize_t ret;

	init_sync_kiocb(&iocb, out);
	iocb.ki_pos = *ppos;
	do {
		ret = fusex_io_lock(&iocb, false);
		if (ret)
			return ret;
		ret = passthrough_splice_locked(pipe, &iocb, len,
						flags | SPLICE_F_NONBLOCK);
		fusex_io_unlock(&iocb, false);
		if (ret != -EAGAIN || flags & SPLICE_F_NONBLOCK)
			break;
		ret = passthrough_splice_wait(pipe);
	} while (!ret);
	if (ret <= 0)
		return ret;
	*ppos = iocb.ki_pos;
	return generic_write_sync(&iocb, ret);
}

/* The mapping is one of the backing file, and outlives the object. */
static int fusex_passthrough_mmap(struct file *file,
				  struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	struct fusex_bobj *obj = passthrough_obj(file);
	struct backing_file_ctx ctx = passthrough_ctx(obj);
	int err = fusex_backing_use(obj);

	if (err)
		return err;
	if (vma->vm_flags & VM_SHARED && vma->vm_flags & VM_MAYWRITE) {
		fusex_passthrough_stored(inode);
		set_bit(FUSEX_I_THROUGH, &fusex_i(inode)->state);
	}
	err = backing_file_mmap(passthrough_file(file), vma, &ctx);
	return fusex_backing_done(obj, err);
}

/* ------------------------------------------------------------ other operations */

static int passthrough_fsync_real(struct file *file, loff_t start, loff_t end,
				  int datasync)
{
	struct fusex_bobj *obj = passthrough_obj(file);
	int err = fusex_backing_use(obj);

	if (err)
		return err;
	scoped_with_creds(obj->cred)
		err = vfs_fsync_range(passthrough_file(file), start, end,
				      datasync);
	return fusex_backing_done(obj, err);
}

static int fusex_passthrough_fsync(struct file *file, loff_t start, loff_t end,
				   int datasync)
{
	int err = passthrough_fsync_real(file, start, end, datasync);
	int ret = fusex_cache_fsync(file, start, end, datasync);

	return err ?: ret;
}

static loff_t fusex_passthrough_llseek(struct file *file, loff_t offset,
				       int whence)
{
	struct fusex_bobj *obj = passthrough_obj(file);
	loff_t ret;

	if (whence == SEEK_SET || whence == SEEK_CUR)
		return generic_file_llseek(file, offset, whence);
	ret = fusex_backing_use(obj);
	if (ret)
		return ret;
	scoped_with_creds(obj->cred)
		ret = vfs_llseek(passthrough_file(file), offset, whence);
	ret = fusex_backing_done(obj, ret);
	if (ret < 0)
		return ret;
	return vfs_setpos(file, ret, file_inode(file)->i_sb->s_maxbytes);
}

static int fusex_passthrough_fadvise(struct file *file, loff_t offset,
				     loff_t len, int advice)
{
	struct fusex_bobj *obj = passthrough_obj(file);
	int err = fusex_backing_use(obj);

	if (err)
		return err;
	scoped_with_creds(obj->cred)
		err = vfs_fadvise(passthrough_file(file), offset, len, advice);
	return fusex_backing_done(obj, err);
}

static int passthrough_fallocate_locked(struct file *file, int mode,
					loff_t offset, loff_t len)
{
	struct fusex_bobj *obj = passthrough_obj(file);
	int err;

	err = fusex_space_wait(file_inode(file), false) ?:
	      passthrough_modified(file);
	if (!err)
		err = fusex_backing_use(obj);
	if (err)
		return err;
	scoped_with_creds(obj->cred)
		err = vfs_fallocate(passthrough_file(file), mode, offset, len);
	/* Even if it failed: some of it may have been done. */
	fusex_passthrough_resized(file_inode(file));
	return fusex_backing_done(obj, err);
}

static long fusex_passthrough_fallocate(struct file *file, int mode,
					loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err = inode_lock_killable(inode);

	if (err)
		return err;
	err = passthrough_fallocate_locked(file, mode, offset, len);
	inode_unlock(inode);
	return err;
}

/* ------------------------------------------------------------- copy and clone */

static loff_t passthrough_copy_real(struct file *in, loff_t pos_in,
				    struct file *out, loff_t pos_out,
				    loff_t len, unsigned int flags, bool clone)
{
	struct file *from = passthrough_file(in);
	struct file *to = passthrough_file(out);

	if (!clone)
		return vfs_copy_file_range(from, pos_in, to, pos_out, len, 0);
	if (flags & REMAP_FILE_DEDUP)
		return vfs_dedupe_file_range_one(from, pos_in, to, pos_out, len,
						 flags);
	return vfs_clone_file_range(from, pos_in, to, pos_out, len, flags);
}

static loff_t passthrough_copy_locked(struct file *in, loff_t pos_in,
				      struct file *out, loff_t pos_out,
				      loff_t len, unsigned int flags,
				      bool clone)
{
	struct fusex_bobj *src = passthrough_obj(in);
	struct fusex_bobj *dst = passthrough_obj(out);
	loff_t ret = 0;

	/* Equal data in other blocks is no change. */
	if (!(flags & REMAP_FILE_DEDUP))
		ret = fusex_space_wait(file_inode(out), false) ?:
		      passthrough_modified(out);
	if (!ret)
		ret = fusex_backing_use(src);
	if (ret)
		return ret;
	ret = fusex_backing_use(dst);
	if (ret)
		goto done;
	scoped_with_creds(dst->cred)
		ret = passthrough_copy_real(in, pos_in, out, pos_out, len,
					    flags, clone);
	if (ret > 0 && !(flags & REMAP_FILE_DEDUP))
		fusex_passthrough_wrote(file_inode(out), pos_out + ret);
	ret = fusex_backing_done(dst, ret);
done:
	return fusex_backing_done(src, ret);
}

/*
 * Between two backing files, for fusex_io_ops.  The one lock that is needed is
 * that of the destination, whose attributes change: the backing files have
 * their own.
 */
static loff_t fusex_passthrough_copy(struct file *in, loff_t pos_in,
				     struct file *out, loff_t pos_out,
				     loff_t len, unsigned int flags, bool clone)
{
	struct inode *inode = file_inode(out);
	loff_t ret = inode_lock_killable(inode);

	if (ret)
		return ret;
	ret = passthrough_copy_locked(in, pos_in, out, pos_out, len, flags,
				      clone);
	inode_unlock(inode);
	return ret;
}

/* ----------------------------------------------------------------------- tables */

static void fusex_passthrough_setsize_end(struct inode *inode, loff_t oldsize,
					  loff_t size)
{
	set_bit(FUSEX_I_THROUGH, &fusex_i(inode)->state);
}

#define FUSEX_PASSTHROUGH_FOPS						\
	.owner			= THIS_MODULE,				\
	.fop_flags		= FOP_DONTCACHE,			\
	.llseek			= fusex_passthrough_llseek,		\
	.read_iter		= fusex_passthrough_read_iter,		\
	.write_iter		= fusex_passthrough_write_iter,		\
	.splice_read		= fusex_passthrough_splice_read,	\
	.splice_write		= fusex_passthrough_splice_write,	\
	.mmap			= fusex_passthrough_mmap,		\
	.open			= fusex_passthrough_open,		\
	.flush			= fusex_flush,				\
	.release		= fusex_passthrough_release,		\
	.fsync			= fusex_passthrough_fsync,		\
	.fallocate		= fusex_passthrough_fallocate,		\
	.fadvise		= fusex_passthrough_fadvise,		\
	.copy_file_range	= fusex_copy_file_range,		\
	.remap_file_range	= fusex_remap_file_range,		\
	.lock			= fusex_lock,				\
	.flock			= fusex_flock,				\
	.setlease		= fusex_setlease,			\
	.unlocked_ioctl		= fusex_ioctl,				\
	.compat_ioctl		= fusex_compat_ioctl

static const struct file_operations fusex_passthrough_fops = {
	FUSEX_PASSTHROUGH_FOPS,
};

static const struct file_operations fusex_passthrough_poll_fops = {
	FUSEX_PASSTHROUGH_FOPS,
	.poll			= fusex_poll,
};

static const struct fusex_io_ops fusex_passthrough_io = {
	.setsize_begin	= fusex_none_setsize_begin,
	.setsize_end	= fusex_passthrough_setsize_end,
	/* The backing file has all of it, and so does the server. */
	.invalidate	= fusex_none_range,
	.write_back	= fusex_none_range,
	.settle		= fusex_passthrough_settle,
	.copy		= fusex_passthrough_copy,
	.stacks		= true,
};

const struct fusex_io_table fusex_io_passthrough = {
	.fops		= &fusex_passthrough_fops,
	.poll_fops	= &fusex_passthrough_poll_fops,
	.aops		= &empty_aops,
	.io		= &fusex_passthrough_io,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on ranges of files: seek for data and holes, allocate and punch,
 * copy and clone.  They are the same in every mode: what is cached is written
 * back, the server does it, what it changed is dropped from the cache.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/pagemap.h>
#include <linux/splice.h>

#include "io.h"
#include "map.h"
#include "validate.h"

/* --------------------------------------------------------------------- lseek */

/* A file without holes, as for servers that know nothing of them. */
static loff_t fusex_seek_all_data(struct file *file, loff_t offset, int whence)
{
	return generic_file_llseek(file, offset, whence);
}

static loff_t fusex_seek_send(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_lseek_in in = {
		.fh	= fusex_fh(file),
		.offset	= offset,
		.whence	= whence,
	};
	struct fusex_lseek_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_LSEEK,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out[0]		= { &out, sizeof(out) },
	};
	const char *why;
	int err;

	err = fusex_call(chan, &call);
	if (err == -ENOSYS)
		return fusex_seek_all_data(file, offset, whence);
	if (err)
		return err;
	err = fusex_check_lseek(fusex_conf_of(inode), &in, &out, &why);
	if (err) {
		fusex_bad_reply(chan, &call, why);
		return err;
	}
	return vfs_setpos(file, out.offset, inode->i_sb->s_maxbytes);
}

static loff_t fusex_seek_data_hole(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct fusex_inode *fi = fusex_i(inode);
	int err;

	if (fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_LSEEK))
		return fusex_seek_all_data(file, offset, whence);
	if (offset < 0 || offset >= i_size_read(inode))
		return -ENXIO;
	/* What is still to be written may be a hole at the server. */
	err = fi->io->write_back(inode, offset, LLONG_MAX);
	return err ?: fusex_seek_send(file, offset, whence);
}

/**
 * fusex_llseek - the file operation
 * @file: open file
 * @offset: bytes
 * @whence: SEEK_*
 *
 * Context: process, sleeps on the server for all but SEEK_SET and SEEK_CUR.
 * Return: the new position or an error.
 */
loff_t fusex_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	int err;

	if (whence == SEEK_SET || whence == SEEK_CUR)
		return generic_file_llseek(file, offset, whence);
	err = fusex_i(inode)->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
	if (err)
		return err;
	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return fusex_seek_data_hole(file, offset, whence);
	return generic_file_llseek(file, offset, whence);
}

/* ----------------------------------------------------------------- fallocate */

/**
 * fusex_fallocate_size - the size a successful fallocate leaves behind
 * @mode: FALLOC_FL_*, checked by VFS
 * @offset: bytes
 * @len: bytes, the sum does not overflow
 * @size: of the file now, bytes
 * @max: of any file, bytes
 *
 * Context: any.
 * Return: bytes, -EINVAL or -EFBIG.
 */
loff_t fusex_fallocate_size(int mode, loff_t offset, loff_t len, loff_t size,
			    loff_t max)
{
	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_COLLAPSE_RANGE:
		/* What would be left is a truncation, which has its own call. */
		return offset + len >= size ? -EINVAL : size - len;
	case FALLOC_FL_INSERT_RANGE:
		if (offset >= size)
			return -EINVAL;
		return len > max - size ? -EFBIG : size + len;
	}
	if (mode & FALLOC_FL_KEEP_SIZE)
		return size;
	return max(size, offset + len);
}

/* Last byte of the range whose data changes, below @offset for none. */
static loff_t fusex_fallocate_last(int mode, loff_t offset, loff_t len)
{
	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return LLONG_MAX;
	case FALLOC_FL_PUNCH_HOLE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_WRITE_ZEROES:
		return offset + len - 1;
	}
	return offset - 1;
}

static int fusex_fallocate_send(struct file *file, int mode, loff_t offset,
				loff_t len)
{
	struct inode *inode = file_inode(file);
	struct fusex_fallocate_in in = {
		.fh	= fusex_fh(file),
		.offset	= offset,
		.length	= len,
		.mode	= mode,
	};
	struct fusex_attr_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_FALLOCATE,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.node		= inode,
		.out[0]		= { &out, sizeof(out) },
	};
	u64 epoch = fusex_chan_epoch(fusex_chan_of(inode));
	int err;

	fusex_call_space(inode, &call);
	err = fusex_attr_taken(inode, &call, epoch,
			       FUSEX_DID_MTIME | FUSEX_DID_CTIME);
	return err == -ENOSYS ? -EOPNOTSUPP : err;
}

/*
 * The server has done it, and the size is still what it was, or what the reply says.
 * If that is not what this has made of it, somebody else was there, too.  As of a
 * write, see fusex_io_written(), nobody has compared that.
 */
static void fusex_fallocate_sized(struct inode *inode, loff_t size,
				  loff_t newsize)
{
	struct fusex_inode *fi = fusex_i(inode);
	loff_t said;

	spin_lock(&fi->lock);
	said = i_size_read(inode);
	/* Another end is not undone, but there is no end before a new range. */
	if (said == size || newsize > max(size, said))
		i_size_write(inode, newsize);
	spin_unlock(&fi->lock);
	if (newsize != size)
		fi->io->setsize_end(inode, size, newsize);
	if (said != size && said != newsize)
		fi->io->invalidate(inode, 0, LLONG_MAX);
}

static int fusex_fallocate_locked(struct file *file, int mode, loff_t offset,
				  loff_t len, loff_t newsize)
{
	struct inode *inode = file_inode(file);
	struct fusex_inode *fi = fusex_i(inode);
	loff_t last = fusex_fallocate_last(mode, offset, len);
	loff_t size = i_size_read(inode);
	int err = 0;

	if (last >= offset)
		err = fi->io->write_back(inode, offset, last);
	if (!err && fi->io->fallocate_begin)
		err = fi->io->fallocate_begin(inode, mode, offset, len, last);
	if (!err && newsize > size)
		err = fi->io->setsize_begin(inode, newsize);
	if (!err)
		err = fusex_fallocate_send(file, mode, offset, len);
	/* Even if it failed: some of it may have been done. */
	if (last >= offset)
		fi->io->invalidate(inode, offset, last);
	if (err) {
		/* A reply may have made it larger than that: then it was to be cut. */
		fusex_cache_shrink_end(inode);
		return err;
	}
	fusex_fallocate_sized(inode, size, newsize);
	if (fi->io->fallocate_end)
		err = fi->io->fallocate_end(inode, mode, offset, len);
	return err;
}

/* First: direct writes on their way may make the file grow, and others cut it. */
static int fusex_range_settle(struct inode *inode)
{
	int err = fusex_space_wait(inode, false);

	if (!err)
		err = fusex_io_dio_wait(inode);
	return err ?: fusex_i(inode)->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
}

static int fusex_fallocate_prepare(struct file *file, int mode, loff_t offset,
				   loff_t len, loff_t *newsize)
{
	struct inode *inode = file_inode(file);
	int err;

	err = fusex_range_settle(inode);
	if (err)
		return err;
	*newsize = fusex_fallocate_size(mode, offset, len, i_size_read(inode),
					inode->i_sb->s_maxbytes);
	if (*newsize < 0)
		return *newsize;
	err = *newsize > i_size_read(inode) ?
		inode_newsize_ok(inode, *newsize) : 0;
	return err ?: file_modified(file);
}

/**
 * fusex_fallocate - the file operation
 * @file: open for writing
 * @mode: FALLOC_FL_*, checked by VFS to be one of those that exist
 * @offset: bytes
 * @len: bytes, the sum does not overflow
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or an error.
 */
long fusex_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct rw_semaphore *inval = &inode->i_mapping->invalidate_lock;
	loff_t newsize;
	int err;

	if (fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_FALLOCATE))
		return -EOPNOTSUPP;
	err = inode_lock_killable(inode);
	if (err)
		return err;
	err = fusex_fallocate_prepare(file, mode, offset, len, &newsize);
	if (err)
		goto unlock;
	err = down_write_killable(inval);
	if (err)
		goto unlock;
	err = fusex_fallocate_locked(file, mode, offset, len, newsize);
	up_write(inval);
unlock:
	inode_unlock(inode);
	return err;
}

/* ------------------------------------------------------------ copy and clone */

static ssize_t copy_reply(struct inode *inode, struct fusex_call *call,
			  u64 epoch)
{
	const struct fusex_copy_range_in *in = call->arg;
	const char *why;

	if (!call->error) {
		call->error = fusex_check_copy(fusex_conf_of(inode), in,
					       call->out[0].base, &why);
		if (call->error)
			fusex_bad_reply(fusex_chan_of(inode), call, why);
	}
	/* Equal data in other blocks is no change. */
	return fusex_write_taken(inode, call, epoch,
				 in->flags & FUSEX_COPY_DEDUPE ? 0 :
				 FUSEX_DID_MTIME | FUSEX_DID_CTIME);
}

static ssize_t fusex_copy_send(struct file *src, loff_t pos_in,
			       struct file *dst, loff_t pos_out, u64 len,
			       u32 flags)
{
	struct inode *inode = file_inode(dst);
	struct fusex_chan *chan = fusex_chan_of(inode);
	u64 epoch = fusex_chan_epoch(chan);
	struct fusex_copy_range_in in = {
		.fh			= fusex_fh(src),
		.fh2			= fusex_fh(dst),
		.node2.nodeid		= fusex_i(inode)->nodeid,
		.node2.generation	= inode->i_generation,
		.offset			= pos_in,
		.offset2		= pos_out,
		.length			= len,
		.flags			= flags,
	};
	struct fusex_write_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_COPY_RANGE,
		.node		= file_inode(src),
		.node2		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out[0]		= { &out, sizeof(out) },
	};
	ssize_t ret;

	fusex_call_space(inode, &call);
	ret = copy_reply(inode, &call, epoch);
	return ret == -ENOSYS ? -EOPNOTSUPP : ret;
}

/*
 * Both files are as the server must see them; the destination is locked.  @len
 * is 0 for a clone to the end of the source.
 */
static ssize_t fusex_copy_prepared(struct file *src, loff_t pos_in,
				   struct file *dst, loff_t pos_out, u64 len,
				   u32 flags)
{
	struct inode *inode = file_inode(dst);
	struct fusex_inode *fi = fusex_i(inode);
	loff_t size = i_size_read(inode);
	loff_t last = len ? pos_out + len - 1 : LLONG_MAX;
	ssize_t ret;
	int err = 0;

	if (pos_out > size)
		err = fi->io->setsize_begin(inode, pos_out);
	/* A reply may have made it larger than that: it is not to be cut. */
	fusex_cache_shrink_end(inode);
	if (!err)
		err = fusex_io_quiesce(inode, pos_out, last);
	if (err)
		return err;
	ret = fusex_copy_send(src, pos_in, dst, pos_out, len, flags);
	/* Even if it failed: some of it may have been done. */
	fi->io->invalidate(inode, pos_out, last);
	/* What was written to in place may be shared now. */
	if (flags & FUSEX_COPY_CLONE && !err)
		err = fusex_io_quiesce(file_inode(src), 0, LLONG_MAX);
	if (ret > 0 && !(flags & FUSEX_COPY_DEDUPE)) {
		fi->attr->after_write(inode, pos_out, ret);
		fusex_io_written(inode, size, pos_out + ret);
	}
	return err ?: ret;
}

/*
 * Make the server know a range, and that the file reaches so far: where it ends
 * may be known to the kernel only, by what is behind the range.
 */
static int fusex_copy_flush(struct inode *inode, loff_t pos, loff_t len)
{
	const struct fusex_io_ops *io = fusex_i(inode)->io;
	loff_t end = len && !io->ahead ? pos + len - 1 : LLONG_MAX;

	return io->write_back(inode, pos, end);
}

static ssize_t fusex_copy_locked(struct file *src, loff_t pos_in,
				 struct file *dst, loff_t pos_out, size_t len)
{
	struct inode *inode = file_inode(dst);
	struct rw_semaphore *inval = &inode->i_mapping->invalidate_lock;
	ssize_t ret;

	ret = fusex_range_settle(inode);
	if (!ret)
		ret = file_modified(dst);
	if (ret)
		return ret;
	ret = down_write_killable(inval);
	if (ret)
		return ret;
	ret = fusex_copy_flush(inode, pos_out, len);
	if (!ret)
		ret = fusex_copy_prepared(src, pos_in, dst, pos_out, len, 0);
	up_write(inval);
	return ret;
}

/* Does the data move from one file to the other without the server? */
static bool fusex_copies_itself(const struct file *in, const struct file *out)
{
	const struct fusex_io_ops *io = fusex_i(file_inode(out))->io;

	return io->copy && io->copy == fusex_i(file_inode(in))->io->copy;
}

static ssize_t fusex_copy_by_server(struct file *src, loff_t pos_in,
				    struct file *dst, loff_t pos_out,
				    size_t len)
{
	struct inode *from = file_inode(src);
	struct inode *to = file_inode(dst);
	ssize_t ret;

	if (from->i_sb != to->i_sb)
		return -EXDEV;
	if (fusex_chan_lacks(fusex_chan_of(to), FUSEX_OP_COPY_RANGE))
		return -EOPNOTSUPP;
	ret = fusex_copy_flush(from, pos_in, len);
	if (ret)
		return ret;
	ret = inode_lock_killable(to);
	if (ret)
		return ret;
	ret = fusex_copy_locked(src, pos_in, dst, pos_out, len);
	inode_unlock(to);
	return ret;
}

/**
 * fusex_copy_file_range - the file operation
 * @in: source
 * @pos_in: in it, bytes
 * @out: destination
 * @pos_out: in it, bytes
 * @len: bytes; ranges of the same file do not overlap
 * @flags: 0
 *
 * A server that cannot do it, or a backing file system, leaves it to the kernel.
 *
 * Context: process, sleeps on the server, killable.
 * Return: bytes copied, which may be fewer, or an error.
 */
ssize_t fusex_copy_file_range(struct file *in, loff_t pos_in, struct file *out,
			      loff_t pos_out, size_t len, unsigned int flags)
{
	ssize_t ret;

	if (fusex_copies_itself(in, out))
		ret = fusex_i(file_inode(out))->io->copy(in, pos_in, out,
							 pos_out, len, 0,
							 false);
	else
		ret = fusex_copy_by_server(in, pos_in, out, pos_out, len);
	if (ret == -EOPNOTSUPP || ret == -EXDEV)
		ret = splice_copy_file_range(in, pos_in, out, pos_out, len);
	return ret;
}

/*
 * What generic_remap_file_range_prep() waits for without heeding signals, and the
 * sizes it goes by.  Direct I/O may need a page of either file to be made, so it is
 * waited for without the locks of the mappings.
 */
static int fusex_remap_close(struct inode *inode)
{
	int err = fusex_space_wait(inode, false);

	if (!err)
		err = fusex_io_dio_close(inode);
	if (err)
		return err;
	err = fusex_i(inode)->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
	if (err)
		fusex_io_dio_open(inode);
	return err;
}

static loff_t fusex_remap_mapped(struct file *in, loff_t pos_in,
				 struct file *out, loff_t pos_out, loff_t len,
				 unsigned int flags)
{
	u32 send = FUSEX_COPY_CLONE;
	bool rest = !len;
	ssize_t ret;

	ret = fusex_copy_flush(file_inode(in), pos_in, len);
	if (!ret)
		ret = fusex_copy_flush(file_inode(out), pos_out, len);
	if (!ret)
		ret = generic_remap_file_range_prep(in, pos_in, out, pos_out,
						    &len, flags);
	/* Programs try with an empty file whether there is such a thing as a clone. */
	if (ret || (!len && (!rest || flags & REMAP_FILE_DEDUP)))
		return ret;
	if (flags & REMAP_FILE_DEDUP)
		send |= FUSEX_COPY_DEDUPE;
	/* As a number of bytes it might not be a multiple of blocks. */
	else if (rest)
		len = 0;
	return fusex_copy_prepared(in, pos_in, out, pos_out, len, send);
}

/* As filemap_invalidate_lock_two(), but for a fatal signal. */
static int fusex_lock_mappings(struct address_space *one,
			       struct address_space *two)
{
	if (one > two)
		swap(one, two);
	if (down_write_killable(&one->invalidate_lock))
		return -EINTR;
	if (one == two ||
	    !down_write_killable_nested(&two->invalidate_lock, 1))
		return 0;
	up_write(&one->invalidate_lock);
	return -EINTR;
}

static loff_t fusex_remap_locked(struct file *in, loff_t pos_in,
				 struct file *out, loff_t pos_out, loff_t len,
				 unsigned int flags)
{
	struct inode *from = file_inode(in);
	struct inode *to = file_inode(out);
	loff_t ret;

	ret = fusex_remap_close(from);
	if (ret)
		return ret;
	if (to != from)
		ret = fusex_remap_close(to);
	if (ret)
		goto open_from;
	ret = fusex_lock_mappings(from->i_mapping, to->i_mapping);
	if (!ret) {
		ret = fusex_remap_mapped(in, pos_in, out, pos_out, len, flags);
		filemap_invalidate_unlock_two(from->i_mapping, to->i_mapping);
	}
	if (to != from)
		fusex_io_dio_open(to);
open_from:
	fusex_io_dio_open(from);
	return ret;
}

/**
 * fusex_remap_file_range - the file operation: FICLONE and FIDEDUPERANGE
 * @in: source
 * @pos_in: in it, bytes
 * @out: destination
 * @pos_out: in it, bytes
 * @len: bytes, 0 for the rest of the source
 * @flags: REMAP_FILE_*
 *
 * Context: process, sleeps on the server.
 * Return: bytes shared, which may be fewer with REMAP_FILE_CAN_SHORTEN, or an
 * error.
 */
loff_t fusex_remap_file_range(struct file *in, loff_t pos_in, struct file *out,
			      loff_t pos_out, loff_t len, unsigned int flags)
{
	struct inode *from = file_inode(in);
	struct inode *to = file_inode(out);
	loff_t ret;

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;
	if (from->i_sb != to->i_sb)
		return -EXDEV;
	if (fusex_copies_itself(in, out))
		return fusex_i(to)->io->copy(in, pos_in, out, pos_out, len,
					     flags, true);
	if (fusex_chan_lacks(fusex_chan_of(to), FUSEX_OP_COPY_RANGE))
		return -EOPNOTSUPP;
	lock_two_nondirectories(from, to);
	ret = fusex_remap_locked(in, pos_in, out, pos_out, len, flags);
	unlock_two_nondirectories(from, to);
	return ret;
}

/**
 * fusex_fiemap - the inode operation
 * @inode: a file
 * @info: to be filled
 * @start: bytes
 * @len: bytes
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -EOPNOTSUPP if only the server knows, or an error.
 */
int fusex_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len)
{
	const struct fusex_io_ops *io = fusex_i(inode)->io;
	int err = fusex_allowed(inode->i_sb);

	if (!err)
		err = fusex_i(inode)->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
	if (err)
		return err;
	return io->fiemap ? io->fiemap(inode, info, start, len) : -EOPNOTSUPP;
}

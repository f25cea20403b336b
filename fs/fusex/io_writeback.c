// SPDX-License-Identifier: GPL-2.0
/*
 * Writeback mode: the page cache both ways.  A write ends in the page cache,
 * and fs/iomap keeps track of which blocks of a folio are dirty.  The server
 * gets them later, in requests as large as was agreed, as many at a time as it
 * takes (io_pages.c), or when somebody calls fsync.
 *
 * Until then the kernel is ahead of the server: it knows more of the data, and
 * of the size.  What the server says of the size meanwhile is not taken, see
 * fusex_cache_ahead().
 *
 * A folio under writeback may be written to: the server copies what it gets,
 * and what was changed meanwhile is dirty again.
 */
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/stat.h>
#include <linux/uio.h>

#include "io.h"

/* A page that ends behind the file may have anything there. */
static int fusex_writeback_tail(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size = i_size_read(inode);

	if (iocb->ki_pos <= size || !offset_in_page(size))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	return fusex_cache_zero_tail(inode, size, iocb->ki_pos);
}

static ssize_t fusex_writeback_write_locked(struct kiocb *iocb,
					    struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;
	int err;

	err = fusex_io_may_write(iocb) ?: fusex_cache_write_size(iocb);
	if (err)
		return err;
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	err = fusex_io_modified(iocb);
	if (!err)
		err = fusex_cache_settle(inode, iocb->ki_flags & IOCB_NOWAIT);
	if (!err)
		err = fusex_writeback_tail(iocb);
	if (err)
		return err;
	fusex_i(inode)->attr->wrote_cache(inode);
	return iomap_file_buffered_write(iocb, from, &fusex_cache_iomap_ops,
					 &fusex_cache_write_ops,
					 iocb->ki_filp);
}

static ssize_t fusex_writeback_write_iter(struct kiocb *iocb,
					  struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	/* Whole blocks, in any order, is not how to append. */
	if (iocb->ki_flags & IOCB_DIRECT || IS_APPEND(inode))
		return fusex_user_write(iocb, from);
	ret = fusex_io_lock(iocb, false);
	if (ret)
		return ret;
	ret = fusex_writeback_write_locked(iocb, from);
	fusex_io_unlock(iocb, false);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

/* --------------------------------------------------------------------- tables */

#define FUSEX_WRITEBACK_FOPS						\
	.owner			= THIS_MODULE,				\
	.fop_flags		= FOP_BUFFER_RASYNC | FOP_BUFFER_WASYNC | \
				  FOP_DONTCACHE,			\
	.llseek			= fusex_llseek,				\
	.read_iter		= fusex_cache_read_iter,		\
	.write_iter		= fusex_writeback_write_iter,		\
	.splice_read		= fusex_cache_splice_read,		\
	.splice_write		= iter_file_splice_write,		\
	.mmap_prepare		= fusex_cache_mmap_prepare,		\
	.open			= fusex_open,				\
	.flush			= fusex_flush,				\
	.release		= fusex_cache_release,			\
	.fsync			= fusex_cache_fsync,			\
	.fallocate		= fusex_fallocate,			\
	.copy_file_range	= fusex_copy_file_range,		\
	.remap_file_range	= fusex_remap_file_range,		\
	.lock			= fusex_lock,				\
	.flock			= fusex_flock,				\
	.setlease		= fusex_setlease,			\
	.unlocked_ioctl		= fusex_ioctl,				\
	.compat_ioctl		= fusex_compat_ioctl

static const struct file_operations fusex_writeback_fops = {
	FUSEX_WRITEBACK_FOPS,
};

static const struct file_operations fusex_writeback_poll_fops = {
	FUSEX_WRITEBACK_FOPS,
	.poll			= fusex_poll,
};

static const struct fusex_io_ops fusex_writeback_io = {
	.opened		= fusex_cache_opened,
	.setsize_begin	= fusex_cache_setsize_begin,
	.setsize_end	= fusex_cache_setsize_end,
	.invalidate	= fusex_cache_invalidate,
	.write_back	= fusex_cache_write_back,
	.ahead		= fusex_cache_ahead,
	.large_folios	= true,
};

const struct fusex_io_table fusex_io_writeback = {
	.fops		= &fusex_writeback_fops,
	.poll_fops	= &fusex_writeback_poll_fops,
	.aops		= &fusex_cache_aops,
	.io		= &fusex_writeback_io,
};

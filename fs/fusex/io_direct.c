// SPDX-License-Identifier: GPL-2.0
/*
 * Direct mode: no page cache between program and server.  A read or write is
 * sent as it was issued, cut where it is larger than a request may be.
 *
 * The size of the file may be unknown: a read ends where the server says so,
 * and never because of i_size.
 *
 * Mappings have no other way than the page cache.  Private ones get what the
 * server has when they are made.  Shared ones that can be written are refused,
 * unless the server asked for them at setup: then every read and write writes
 * back what is dirty and drops what it has made outdated, as O_DIRECT does.
 */
#include <linux/fs.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "io.h"

/* -------------------------------------------------------------------- reading */

/**
 * fusex_direct_ask - how much of a read to ask for at once
 * @left: bytes the file has behind the position as far as is known, not more
 *	than that if not positive
 * @count: bytes wanted
 * @max: bytes of one request
 *
 * What the file should have, in requests of full size: so the last of them
 * meets the end, which has not to be asked for again.  Without the size, one
 * request after the other.
 *
 * Context: any.
 * Return: bytes, at most @count.
 */
size_t fusex_direct_ask(loff_t left, size_t count, u32 max)
{
	u64 known = left > 0 ? left : 1;

	return min_t(u64, count, DIV_ROUND_UP_ULL(known, max) * max);
}

/* One step of a read that is waited for; less than @asked is the end. */
static ssize_t fusex_direct_read_some(struct kiocb *iocb, struct iov_iter *to,
				      ssize_t *asked)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t left = i_size_read(inode) - iocb->ki_pos;
	size_t count = iov_iter_count(to);
	ssize_t ret;

	*asked = fusex_direct_ask(left, count, fusex_conf_of(inode)->max_read);
	iov_iter_truncate(to, *asked);
	ret = fusex_user_fetch(iocb, to, false);
	iov_iter_reexpand(to, iov_iter_count(to) + count - *asked);
	return ret;
}

static ssize_t fusex_direct_read_wait(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t done = 0;
	ssize_t asked;
	ssize_t ret;

	do {
		ret = fusex_direct_read_some(iocb, to, &asked);
		if (ret > 0)
			done += ret;
	} while (ret == asked && iov_iter_count(to));
	return done ?: ret;
}

static ssize_t fusex_direct_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	/* A stream is read as it comes: what is behind it is not to be lost. */
	bool stream = iocb->ki_filp->f_mode & FMODE_STREAM;

	if (!iov_iter_count(to))
		return 0;
	if (is_sync_kiocb(iocb) && iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	if (stream || !is_sync_kiocb(iocb))
		return fusex_user_fetch(iocb, to, stream);
	return fusex_direct_read_wait(iocb, to);
}

/* -------------------------------------------------------------------- writing */

static ssize_t fusex_direct_write_iter(struct kiocb *iocb,
				       struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (is_sync_kiocb(iocb) && iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	if (fusex_conf_of(inode)->features & FUSEX_F_PARALLEL_WRITES)
		return fusex_user_write_shared(iocb, from);
	return fusex_user_write(iocb, from);
}

/* ------------------------------------------------------------------- mappings */

/* Nobody said whether what is left of earlier mappings is still true. */
static int fusex_direct_mmap_fresh(struct address_space *mapping)
{
	if (!mapping->nrpages || mapping_mapped(mapping))
		return 0;
	return fusex_cache_drop(mapping, 0, LLONG_MAX);
}

static int fusex_direct_mmap_prepare(struct vm_area_desc *desc)
{
	struct inode *inode = file_inode(desc->file);
	bool shared = vma_desc_test_all(desc, VMA_SHARED_BIT,
					VMA_MAYWRITE_BIT);
	int err;

	if (shared &&
	    !(fusex_conf_of(inode)->features & FUSEX_F_DIRECT_MMAP))
		return -ENODEV;
	err = fusex_direct_mmap_fresh(inode->i_mapping);
	return err ?: fusex_cache_mmap_prepare(desc);
}

/* --------------------------------------------------------------------- tables */

#define FUSEX_DIRECT_FOPS						\
	.owner			= THIS_MODULE,				\
	.fop_flags		= FOP_DONTCACHE,			\
	.llseek			= fusex_llseek,				\
	.read_iter		= fusex_direct_read_iter,		\
	.write_iter		= fusex_direct_write_iter,		\
	.splice_read		= copy_splice_read,			\
	.splice_write		= iter_file_splice_write,		\
	.mmap_prepare		= fusex_direct_mmap_prepare,		\
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

static const struct file_operations fusex_direct_fops = {
	FUSEX_DIRECT_FOPS,
};

static const struct file_operations fusex_direct_poll_fops = {
	FUSEX_DIRECT_FOPS,
	.poll			= fusex_poll,
};

static const struct fusex_io_ops fusex_direct_io = {
	.opened		= fusex_cache_opened,
	.setsize_begin	= fusex_cache_setsize_begin,
	.setsize_end	= fusex_cache_setsize_end,
	.invalidate	= fusex_cache_invalidate,
	.write_back	= fusex_cache_write_back,
	.large_folios	= true,
};

const struct fusex_io_table fusex_io_direct = {
	.fops		= &fusex_direct_fops,
	.poll_fops	= &fusex_direct_poll_fops,
	.aops		= &fusex_cache_aops,
	.io		= &fusex_direct_io,
};

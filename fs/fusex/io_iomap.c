// SPDX-License-Identifier: GPL-2.0
/*
 * Iomap mode: data moves between memory and block devices by fs/iomap, and the
 * server only says where it is (map.c).
 *
 * Space is taken away from a file in three steps: what is cached of it is
 * written, nothing new begins (locks), and what goes by the old mappings has
 * ended (fusex_maps_quiesce()).  Only then is the server told.
 */
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/swap.h>
#include <linux/uio.h>

#include "backing.h"
#include "io.h"
#include "map.h"

/* ------------------------------------------------------------------ the cache */

static int iomap_mode_read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	struct iomap_read_folio_ctx ctx = {
		.ops		= &fusex_map_read_ops,
		.cur_folio	= folio,
	};
	struct fusex_map_op op = {};

	iomap_read_folio(&fusex_map_iomap_ops, &ctx, &op);
	/* The folio is unlocked, or will be without us. */
	if (op.recalled)
		return fusex_maps_settled(inode) ?: AOP_TRUNCATED_PAGE;
	return 0;
}

/*
 * fs/iomap goes by the size while it fills folios, which are not dirty yet: no reply
 * is to change it then.
 */
static void iomap_mode_fill_begin(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	lockdep_assert_held_write(&inode->i_rwsem);
	/* Not while a reply is being taken. */
	spin_lock(&fi->lock);
	set_bit(FUSEX_I_FILLING, &fi->state);
	spin_unlock(&fi->lock);
}

static void iomap_mode_fill_end(struct inode *inode)
{
	clear_bit(FUSEX_I_FILLING, &fusex_i(inode)->state);
}

/* Zeros, where there is anything; the size stays what it is. */
static int iomap_mode_zero(struct inode *inode, loff_t from, loff_t to)
{
	int tries = FUSEX_MAP_TRIES;
	struct fusex_map_op op;
	int err;

	if (from >= to)
		return 0;
	iomap_mode_fill_begin(inode);
	do {
		op = (struct fusex_map_op){};
		err = iomap_zero_range(inode, from, to - from, NULL,
				       &fusex_map_iomap_ops,
				       &fusex_map_zero_ops, &op);
	} while (op.err == -EAGAIN && --tries);
	iomap_mode_fill_end(inode);
	return err ?: (tries ? op.err : -EIO);
}

/*
 * Zeros in a block of which a part was cut off or punched out.  They are written
 * later, and a remote file is to get the time of the cut then, not of the last
 * write before it.
 */
static int iomap_mode_clear(struct inode *inode, loff_t from, loff_t to)
{
	if (from >= to)
		return 0;
	fusex_i(inode)->attr->wrote_cache(inode);
	return iomap_mode_zero(inode, from, to);
}

/*
 * A page that ends behind the file may have anything there.  fs/iomap does not look
 * at it where the server has a hole, but it may be dirty, and go elsewhere.
 */
static int iomap_mode_zero_tail(struct inode *inode, loff_t from, loff_t to)
{
	int err;

	to = min(to, round_up(from, PAGE_SIZE));
	err = iomap_mode_zero(inode, from, to);
	return err ?: fusex_cache_zero_tail(inode, from, to);
}

/* -------------------------------------------------------------------- reading */

static ssize_t iomap_mode_dio_read(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t ret;

	/* Or what is read might be another file's by the time it is. */
	ret = fusex_io_lock(iocb, true);
	if (ret)
		return ret;
	ret = fusex_dio_read(iocb, to);
	fusex_io_unlock(iocb, true);
	file_accessed(iocb->ki_filp);
	return ret;
}

static ssize_t iomap_mode_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	int err;

	if (!iov_iter_count(to))
		return 0;
	err = fusex_cache_current(file_inode(iocb->ki_filp),
				  iocb->ki_flags & IOCB_NOWAIT);
	if (err)
		return err;
	if (iocb->ki_flags & IOCB_DIRECT)
		return iomap_mode_dio_read(iocb, to);
	return filemap_read(iocb, to, 0);
}

/* -------------------------------------------------------------------- writing */

/* A write that was to go beside others is to be begun again without them. */
#define WRITE_ALONE	(-ERESTARTNOINTR)

/* What comes before any write; i_rwsem is held. */
static ssize_t iomap_mode_write_begin(struct kiocb *iocb, struct iov_iter *from,
				      bool shared)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool nowait = iocb->ki_flags & IOCB_NOWAIT;
	loff_t size;
	ssize_t ret;
	int err;

	err = fusex_io_may_write(iocb);
	if (!err && !shared)
		err = fusex_cache_write_size(iocb);
	if (err)
		return err;
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	err = fusex_io_modified(iocb);
	if (!err)
		err = fusex_cache_settle(inode, nowait);
	if (err)
		return err;
	fusex_i(inode)->attr->wrote_cache(inode);
	size = i_size_read(inode);
	/* Somebody else has cut it meanwhile; one at a time makes it longer. */
	if (shared && size - iocb->ki_pos < ret)
		return WRITE_ALONE;
	if (iocb->ki_pos <= size || !offset_in_page(size))
		return ret;
	if (nowait)
		return -EAGAIN;
	/* A store into the page at the end has space for the blocks up to there only. */
	if (i_blocksize(inode) < PAGE_SIZE)
		err = fusex_cache_write_back(inode, size, size);
	if (!err)
		err = iomap_mode_zero_tail(inode, size, iocb->ki_pos);
	return err ?: ret;
}

static ssize_t iomap_mode_buffered_locked(struct kiocb *iocb,
					  struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int tries = FUSEX_MAP_TRIES;
	struct fusex_map_op op;
	ssize_t count;
	ssize_t ret;
	loff_t pos;

	count = iomap_mode_write_begin(iocb, from, false);
	if (count <= 0)
		return count;
	pos = iocb->ki_pos;
	iomap_mode_fill_begin(inode);
	do {
		/* Again: what was inline is on the device now. */
		iov_iter_revert(from, count - iov_iter_count(from));
		iocb->ki_pos = pos;
		op = (struct fusex_map_op){};
		ret = iomap_file_buffered_write(iocb, from,
						&fusex_map_iomap_ops,
						&fusex_map_write_ops, &op);
	} while (op.err == -EAGAIN && --tries);
	iomap_mode_fill_end(inode);
	if (!tries)
		return -EIO;
	return op.err ?: ret;
}

static ssize_t iomap_mode_buffered_write(struct kiocb *iocb,
					 struct iov_iter *from)
{
	ssize_t ret;

	ret = fusex_io_lock(iocb, false);
	if (ret)
		return ret;
	ret = iomap_mode_buffered_locked(iocb, from);
	fusex_io_unlock(iocb, false);
	return ret;
}

/* Whole blocks inside the file: others may be written at the same time. */
static bool iomap_mode_beside(const struct kiocb *iocb, size_t count)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size = i_size_read(inode);

	if (iocb->ki_flags & IOCB_APPEND || !IS_NOSEC(inode) ||
	    test_bit(FUSEX_I_STALE, &fusex_i(inode)->state))
		return false;
	if ((iocb->ki_pos | count) & (i_blocksize(inode) - 1))
		return false;
	return iocb->ki_pos < size && count <= size - iocb->ki_pos;
}

static ssize_t iomap_mode_dio_locked(struct kiocb *iocb, struct iov_iter *from,
				     bool shared)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;
	int err = 0;

	/* It is waited for, and so are those that share a block with it. */
	if (!shared && iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	ret = iomap_mode_write_begin(iocb, from, shared);
	if (ret <= 0)
		return ret;
	if (!shared)
		err = fusex_io_dio_wait(inode);
	return err ?: fusex_dio_write(iocb, from, !shared);
}

static ssize_t iomap_mode_dio_try(struct kiocb *iocb, struct iov_iter *from,
				  bool shared)
{
	ssize_t ret;

	ret = fusex_io_lock(iocb, shared);
	if (ret)
		return ret;
	if (shared && !iomap_mode_beside(iocb, iov_iter_count(from)))
		ret = WRITE_ALONE;
	else
		ret = iomap_mode_dio_locked(iocb, from, shared);
	fusex_io_unlock(iocb, shared);
	return ret;
}

static ssize_t iomap_mode_dio_write(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret = WRITE_ALONE;

	if (iomap_mode_beside(iocb, iov_iter_count(from)))
		ret = iomap_mode_dio_try(iocb, from, true);
	if (ret == WRITE_ALONE)
		ret = iomap_mode_dio_try(iocb, from, false);
	return ret;
}

/*
 * Somebody uses the cached pages, or part of a block goes elsewhere: the rest
 * through the cache, then, and out of it.
 */
static ssize_t iomap_mode_dio_rest(struct kiocb *iocb, struct iov_iter *from,
				   ssize_t done)
{
	ssize_t ret;

	if (iocb->ki_flags & (IOCB_NOWAIT | IOCB_ATOMIC))
		return done ?: -EAGAIN;
	iocb->ki_flags &= ~IOCB_DIRECT;
	ret = iomap_mode_buffered_write(iocb, from);
	return direct_write_fallback(iocb, from, done, ret);
}

/*
 * The one size of a write that is all or nothing, 0 for none.  Nothing larger than
 * a block is aligned on the device because it is in the file, and nothing smaller
 * is written alone where a block has to be filled up.
 */
static u32 iomap_mode_atomic_size(struct inode *inode)
{
	struct fusex_dev_limits limits;
	u32 size = i_blocksize(inode);

	if (!(fusex_conf_of(inode)->features & FUSEX_F_ATOMIC_WRITES))
		return 0;
	fusex_backing_device_limits(fusex_chan_of(inode), &limits);
	return size >= limits.atomic_min && size <= limits.atomic_max ? size :
									0;
}

static int iomap_mode_atomic_valid(struct kiocb *iocb, struct iov_iter *from)
{
	if (iov_iter_count(from) !=
	    iomap_mode_atomic_size(file_inode(iocb->ki_filp)))
		return -EINVAL;
	return generic_atomic_write_valid(iocb, from);
}

static ssize_t iomap_mode_direct_write(struct kiocb *iocb,
				       struct iov_iter *from)
{
	ssize_t ret;

	ret = iomap_mode_dio_write(iocb, from);
	/* fs/iomap makes 0 of it if it has begun. */
	if (ret == -ENOTBLK)
		ret = 0;
	if (ret < 0 || !iov_iter_count(from))
		return ret;
	ret = iomap_mode_dio_rest(iocb, from, ret);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

static ssize_t iomap_mode_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	if (!iov_iter_count(from))
		return 0;
	if (iocb->ki_flags & IOCB_ATOMIC) {
		ret = iomap_mode_atomic_valid(iocb, from);
		if (ret)
			return ret;
	}
	if (iocb->ki_flags & IOCB_DIRECT)
		return iomap_mode_direct_write(iocb, from);
	ret = iomap_mode_buffered_write(iocb, from);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

/* ------------------------------------------------------------------- mappings */

static vm_fault_t iomap_mode_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct address_space *mapping = inode->i_mapping;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct fusex_map_op op = {};

	if (IS_IMMUTABLE(inode) || fusex_cache_settle(inode, false))
		return VM_FAULT_SIGBUS;
	sb_start_pagefault(inode->i_sb);
	file_update_time(vmf->vma->vm_file);
	fusex_i(inode)->attr->wrote_cache(inode);
	if (!down_read_killable(&mapping->invalidate_lock)) {
		ret = iomap_page_mkwrite(vmf, &fusex_map_iomap_ops, &op);
		up_read(&mapping->invalidate_lock);
	}
	sb_end_pagefault(inode->i_sb);
	/* It faults again, or is killed. */
	if (op.recalled) {
		ret = fusex_maps_settled(inode) ? VM_FAULT_SIGBUS :
						  VM_FAULT_NOPAGE;
	}
	return ret;
}

static const struct vm_operations_struct iomap_mode_vm_ops = {
	.fault		= fusex_cache_fault,
	.map_pages	= fusex_cache_map_pages,
	.page_mkwrite	= iomap_mode_page_mkwrite,
};

static int iomap_mode_mmap_prepare(struct vm_area_desc *desc)
{
	file_accessed(desc->file);
	desc->vm_ops = &iomap_mode_vm_ops;
	return 0;
}

/* -------------------------------------------------------------- size and space */

static int iomap_mode_grow_begin(struct inode *inode, loff_t old, loff_t size)
{
	int err = iomap_mode_zero_tail(inode, old, size);

	if (!err && offset_in_page(old))
		err = fusex_cache_write_back(inode, old, old);
	return err ?: fusex_mapped_known(inode, old);
}

static int iomap_mode_setsize_begin(struct inode *inode, loff_t size)
{
	loff_t old = i_size_read(inode);
	int err;

	if (size > old)
		return iomap_mode_grow_begin(inode, old, size);
	err = fusex_mapped_cut(inode, size);
	if (!err)
		err = fusex_cache_setsize_begin(inode, size);
	if (err)
		return err;
	err = fusex_maps_quiesce(inode, size, LLONG_MAX);
	if (err)
		fusex_cache_setsize_end(inode, old, old);
	return err;
}

static void iomap_mode_setsize_end(struct inode *inode, loff_t oldsize,
				   loff_t size)
{
	int err;

	/* Behind the end it may write to what the server is just giving away. */
	if (size == oldsize &&
	    atomic_read(&fusex_maps_get(inode)->changing))
		return;
	fusex_cache_setsize_end(inode, oldsize, size);
	/*
	 * Writeback has gone on, and asked what may reach behind the end, or somebody
	 * has who looks without a lock (FIBMAP), or the server has pushed what it then
	 * took away; or what was to grow was larger at the server, which has cut it.
	 */
	fusex_maps_forget(inode, size, LLONG_MAX);
	if (size == oldsize)
		return;
	fusex_maps_sized(inode, size);
	if (size > oldsize)
		return;
	/* Who makes the file longer again is not to see what was there. */
	err = iomap_mode_clear(inode, size, round_up(size, i_blocksize(inode)));
	fusex_mapped_cleared(inode, err);
}

/* What was made dirty until nobody could is written, and nothing is cached. */
static int iomap_mode_give_back(struct inode *inode, loff_t start, loff_t end)
{
	int err = fusex_maps_return_flush(inode, start, end);
	int ret = fusex_cache_invalidate(inode, start, end);

	return err ?: ret;
}

static int iomap_mode_invalidate(struct inode *inode, loff_t start, loff_t end)
{
	fusex_maps_forget(inode, start, end);
	return fusex_cache_invalidate(inode, start, end);
}

/* Nothing of the range is cached, or on its way, when its space changes. */
static int iomap_mode_change_begin(struct inode *inode, loff_t offset,
				   loff_t last)
{
	loff_t start = round_down(offset, PAGE_SIZE);
	int err;

	if (last < offset)
		return 0;
	if (last < LLONG_MAX - PAGE_SIZE)
		last = round_up(last + 1, PAGE_SIZE) - 1;
	err = fusex_cache_write_back(inode, start, last);
	if (err)
		return err;
	truncate_pagecache_range(inode, start, last);
	return fusex_maps_quiesce(inode, start, last);
}

static int iomap_mode_fallocate_begin(struct inode *inode, int mode,
				      loff_t offset, loff_t len, loff_t last)
{
	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		if ((offset | len) & (i_blocksize(inode) - 1))
			return -EINVAL;
		break;
	case FALLOC_FL_UNSHARE_RANGE:
		return iomap_file_unshare(inode, offset, len,
					  &fusex_map_iomap_ops,
					  &fusex_map_zero_ops);
	}
	return iomap_mode_change_begin(inode, offset, last);
}

/* The server has seen to whole blocks. */
static int iomap_mode_zero_edges(struct inode *inode, loff_t offset, loff_t len)
{
	loff_t bs = i_blocksize(inode);
	loff_t end = min(offset + len, i_size_read(inode));
	int err;

	if (round_up(offset, bs) > round_down(end, bs))
		return iomap_mode_clear(inode, offset, end);
	err = iomap_mode_clear(inode, offset, round_up(offset, bs));
	return err ?: iomap_mode_clear(inode, round_down(end, bs), end);
}

static int iomap_mode_fallocate_end(struct inode *inode, int mode,
				    loff_t offset, loff_t len)
{
	fusex_maps_forget(inode, offset, offset + len - 1);
	fusex_tell_changed(inode);
	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_PUNCH_HOLE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_WRITE_ZEROES:
		return iomap_mode_zero_edges(inode, offset, len);
	}
	return 0;
}

static sector_t iomap_mode_bmap(struct address_space *mapping, sector_t block)
{
	return iomap_bmap(mapping, block, &fusex_map_iomap_ops);
}

static void iomap_mode_stat(struct inode *inode, struct kstat *stat, u32 mask)
{
	struct fusex_dev_limits limits;
	u32 size;

	if (mask & STATX_DIOALIGN) {
		/* Any may be the one that holds what is read or written next. */
		fusex_backing_device_limits(fusex_chan_of(inode), &limits);
		stat->dio_mem_align = limits.mem_align;
		stat->dio_offset_align = limits.offset_align;
		stat->result_mask |= STATX_DIOALIGN;
	}
	if (mask & STATX_WRITE_ATOMIC) {
		size = iomap_mode_atomic_size(inode);
		generic_fill_statx_atomic_writes(stat, size, size, 0);
	}
}

static void iomap_mode_opened(struct inode *inode, struct file *file)
{
	fusex_cache_opened(inode, file);
	if (file->f_flags & O_DIRECT && iomap_mode_atomic_size(inode))
		file->f_mode |= FMODE_CAN_ATOMIC_WRITE;
}

/* ----------------------------------------------------------------------- swap */

/* All of it is to be on one device, which is used until it is given back. */
static struct fusex_bobj *swap_device(struct inode *inode)
{
	const struct fusex_map_how how = {};
	struct iomap iomap = {};
	struct fusex_bobj *obj;
	int err;

	err = fusex_map_begin(inode, 0, PAGE_SIZE, FUSEX_MAP_OP_REPORT, &how,
			      &iomap, NULL);
	if (err)
		return ERR_PTR(err);
	obj = fusex_map_device(iomap.private);
	if (obj)
		fusex_backing_device_get(obj);
	fusex_map_done(inode, &iomap, 0, PAGE_SIZE, 0, FUSEX_MAP_OP_REPORT);
	return obj ?: ERR_PTR(-EINVAL);
}

/* From here on nothing of it can be asked back. */
static int swap_begin(struct inode *inode, struct fusex_bobj *obj)
{
	struct fusex_inode *fi = fusex_i(inode);
	int err = 0;

	spin_lock(&fi->lock);
	if (list_empty(&fi->maps->recalls))
		fi->maps->swap = obj;
	else
		err = -EBUSY;
	spin_unlock(&fi->lock);
	return err;
}

static void swap_end(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->maps->swap = NULL;
	spin_unlock(&fi->lock);
}

static int swap_activate_on(struct fusex_bobj *obj,
			    struct swap_info_struct *sis, struct file *file,
			    sector_t *span)
{
	struct inode *inode = file_inode(file);
	int ret;

	/* A report may also be of memory that is no block device. */
	if (!obj->bdev)
		return -EINVAL;
	if (!(obj->access & FUSEX_BACKING_WRITE))
		return -EACCES;
	ret = swap_begin(inode, obj);
	if (ret)
		return ret;
	sis->bdev = obj->bdev;
	ret = iomap_swapfile_activate(sis, file, span, &fusex_map_iomap_ops);
	if (ret < 0)
		swap_end(inode);
	return ret;
}

static int iomap_mode_swap_activate(struct swap_info_struct *sis,
				    struct file *file, sector_t *span)
{
	struct inode *inode = file_inode(file);
	struct fusex_bobj *obj;
	int ret;

	/* It might be asked back. */
	if (fusex_i(inode)->attr->shared)
		return -EINVAL;
	obj = swap_device(inode);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	ret = swap_activate_on(obj, sis, file, span);
	if (ret < 0)
		fusex_backing_device_put(obj);
	return ret;
}

static void iomap_mode_swap_deactivate(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct fusex_bobj *obj = fusex_i(inode)->maps->swap;

	swap_end(inode);
	fusex_backing_device_put(obj);
}

/* --------------------------------------------------------------------- tables */

static const struct address_space_operations iomap_mode_aops = {
	.read_folio		= iomap_mode_read_folio,
	.readahead		= fusex_map_readahead,
	.writepages		= fusex_map_writepages,
	.dirty_folio		= iomap_dirty_folio,
	.release_folio		= iomap_release_folio,
	.invalidate_folio	= iomap_invalidate_folio,
	.is_partially_uptodate	= iomap_is_partially_uptodate,
	.migrate_folio		= filemap_migrate_folio,
	.error_remove_folio	= generic_error_remove_folio,
	.bmap			= iomap_mode_bmap,
	.swap_activate		= iomap_mode_swap_activate,
	.swap_deactivate	= iomap_mode_swap_deactivate,
};

#define FUSEX_IOMAP_FOPS						\
	.owner			= THIS_MODULE,				\
	.fop_flags		= FOP_BUFFER_RASYNC | FOP_BUFFER_WASYNC | \
				  FOP_DIO_PARALLEL_WRITE | FOP_DONTCACHE, \
	.llseek			= fusex_mapped_llseek,			\
	.read_iter		= iomap_mode_read_iter,			\
	.write_iter		= iomap_mode_write_iter,		\
	.splice_read		= fusex_cache_splice_read,		\
	.splice_write		= iter_file_splice_write,		\
	.mmap_prepare		= iomap_mode_mmap_prepare,		\
	.open			= fusex_open,				\
	.flush			= fusex_flush,				\
	.release		= fusex_cache_release,			\
	.fsync			= fusex_mapped_fsync,			\
	.fallocate		= fusex_fallocate,			\
	.copy_file_range	= fusex_copy_file_range,		\
	.remap_file_range	= fusex_remap_file_range,		\
	.lock			= fusex_lock,				\
	.flock			= fusex_flock,				\
	.setlease		= fusex_setlease,			\
	.unlocked_ioctl		= fusex_ioctl,				\
	.compat_ioctl		= fusex_compat_ioctl

static const struct file_operations iomap_mode_fops = {
	FUSEX_IOMAP_FOPS,
};

static const struct file_operations iomap_mode_poll_fops = {
	FUSEX_IOMAP_FOPS,
	.poll			= fusex_poll,
};

static const struct fusex_io_ops iomap_mode_io = {
	.opened		= iomap_mode_opened,
	.setsize_begin	= iomap_mode_setsize_begin,
	.setsize_end	= iomap_mode_setsize_end,
	.invalidate	= iomap_mode_invalidate,
	.write_back	= fusex_mapped_write_back,
	.ahead		= fusex_mapped_ahead,
	.tell		= fusex_tell_now,
	.fallocate_begin = iomap_mode_fallocate_begin,
	.fallocate_end	= iomap_mode_fallocate_end,
	.quiesce	= fusex_maps_quiesce,
	.give_back	= iomap_mode_give_back,
	.fiemap		= fusex_mapped_fiemap,
	.stat		= iomap_mode_stat,
	.evict		= fusex_maps_free,
	.large_folios	= true,
};

const struct fusex_io_table fusex_io_iomap = {
	.fops		= &iomap_mode_fops,
	.poll_fops	= &iomap_mode_poll_fops,
	.aops		= &iomap_mode_aops,
	.io		= &iomap_mode_io,
};

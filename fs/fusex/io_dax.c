// SPDX-License-Identifier: GPL-2.0
/*
 * Dax mode: data is loaded and stored where it is, in the memory of a device, by
 * fs/dax, and the server only says where that is (map_dax.c).  There is no page
 * cache: what i_pages has are the pages of the device that programs have mapped.
 *
 * Space is taken away from a file in the same steps as in iomap mode, and one
 * more: it is unmapped, and who holds pages of it (I/O to or from memory that is
 * such a mapping) is waited for.  Faults are kept away by the invalidate lock, and
 * while a lease is given back by that (fusex_maps_unsettled()).
 */
#include <linux/dax.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#include "daxdev.h"
#include "io.h"
#include "map.h"

/* -------------------------------------------------------------- writing back */

/* Write what the processor's caches have. */
static int dax_mode_flush_just(struct inode *inode, loff_t start, loff_t end,
			       struct writeback_control *wbc)
{
	struct dax_device *dev = fusex_daxdev_flush(inode);

	if (!dev)
		return 0;
	wbc->range_start = start;
	wbc->range_end = end;
	return dax_writeback_mapping_range(inode->i_mapping, dev, wbc);
}

static int dax_mode_flush(struct inode *inode, loff_t start, loff_t end,
			  struct writeback_control *wbc)
{
	return dax_mode_flush_just(inode, fusex_huge_first(start),
				   fusex_huge_last(end), wbc);
}

static int dax_mode_flush_range(struct inode *inode, loff_t start, loff_t end)
{
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
	};

	return dax_mode_flush(inode, start, end, &wbc);
}

/* Others want to see when a file was stored to by a mapping. */
static int dax_mode_tell_time(struct inode *inode)
{
	struct fusex_setattr_in in = {
		.valid	= FUSEX_SET_MTIME | FUSEX_SET_CTIME,
		.flags	= FUSEX_SETATTR_WRITEBACK,
	};
	struct fusex_attr_out out;
	struct fusex_maps *maps = fusex_maps_get(inode);
	struct fusex_attr_reply r = {
		.attr	= &out.attr,
		.did	= FUSEX_DID_DATA,
	};
	bool stored = xchg(&maps->stored, false);
	int err;

	fusex_i(inode)->attr->wrote_when(inode, &in.mtime);
	in.ctime = in.mtime;
	err = fusex_setattr_send(inode, &in, &out, &r.epoch);
	if (err) {
		if (stored)
			WRITE_ONCE(maps->stored, true);
		return err;
	}
	r.valid = out.attr_valid;
	fusex_attr_apply(inode, &r);
	return 0;
}

/*
 * What is dirty is about to be written back, which clears the marks: if nothing else
 * is dirty then, fsync() would not know that there was a store to tell others of.
 */
static void dax_mode_note_stored(struct inode *inode)
{
	if (fusex_i(inode)->attr->shared &&
	    mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY))
		WRITE_ONCE(fusex_maps_get(inode)->stored, true);
}

/**
 * fusex_dax_flush - write what the processor's caches have, before it is taken away
 * @inode: in dax mode
 * @start: first byte
 * @end: last byte; no huge page is partly in the range
 *
 * Context: process, does not wait for the server.
 */
void fusex_dax_flush(struct inode *inode, loff_t start, loff_t end)
{
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
	};

	dax_mode_note_stored(inode);
	/* An error is noted for fsync(). */
	dax_mode_flush_just(inode, start, end, &wbc);
}

/* Unless writing it back does so. */
static int dax_mode_tell_stored(struct inode *inode)
{
	const struct fusex_maps *maps = fusex_maps_get(inode);

	if (likely(!READ_ONCE(maps->stored)) ||
	    mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY))
		return 0;
	return dax_mode_tell_time(inode);
}

static int dax_mode_write_back(struct inode *inode, loff_t start, loff_t end)
{
	int err = fusex_mapped_write_back(inode, start, end);

	return err ?: dax_mode_tell_stored(inode);
}

static int dax_mode_fsync(struct file *file, loff_t start, loff_t end,
			  int datasync)
{
	int err = dax_mode_tell_stored(file_inode(file));

	return err ?: fusex_mapped_fsync(file, start, end, datasync);
}

static int dax_mode_writepages(struct address_space *mapping,
			       struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	bool dirty = mapping_tagged(mapping, PAGECACHE_TAG_DIRTY);
	int err;

	/* Nobody waits, and it takes no memory. */
	if (wbc->sync_mode != WB_SYNC_ALL || !dirty)
		return 0;
	err = dax_mode_flush(inode, wbc->range_start, wbc->range_end, wbc);
	if (err)
		fusex_cache_lost(inode, err);
	if (!err && fusex_i(inode)->attr->shared)
		err = dax_mode_tell_time(inode);
	return err;
}

/* ------------------------------------------------------------- taking it away */

/* How long it takes at most until a page that is not held any more is seen. */
#define DAX_LOOK_AGAIN	(HZ / 10)

/*
 * Somebody holds a page; faults may go on meanwhile.  They may map that page
 * again: when it is let go of it is still in use then, and nobody is woken.
 */
static void dax_mode_wait(struct inode *inode)
{
	filemap_invalidate_unlock(inode->i_mapping);
	schedule_timeout(DAX_LOOK_AGAIN);
	filemap_invalidate_lock(inode->i_mapping);
	unmap_mapping_pages(inode->i_mapping, 0, 0, false);
	/* What they have made dirty is not to be forgotten. */
	dax_mode_flush_range(inode, 0, LLONG_MAX);
}

/* Nothing of the range is mapped, or held.  No fault can change that. */
static int dax_mode_take(struct inode *inode, loff_t start, loff_t end,
			 void (*wait)(struct inode *inode))
{
	int err = dax_mode_flush_range(inode, start, end);

	return err ?: dax_break_layout(inode, fusex_huge_first(start),
				       fusex_huge_last(end), wait);
}

/* Likewise, the invalidate lock is taken. */
static int dax_mode_break(struct inode *inode, loff_t start, loff_t end)
{
	return dax_mode_take(inode, start, end, dax_mode_wait);
}

/* As above, or it fails: another file is locked, too. */
static int dax_mode_quiesce(struct inode *inode, loff_t start, loff_t end)
{
	int err = fusex_maps_quiesce(inode, start, end);

	if (!err)
		err = dax_mode_take(inode, start, end, NULL);
	return err == -ERESTARTSYS ? -EBUSY : err;
}

static void dax_mode_wait_unlocked(struct inode *inode)
{
	schedule();
	/* As above, by a synchronous fault. */
	dax_mode_flush_range(inode, 0, LLONG_MAX);
}

/* No fault gets a mapping of the file any more. */
static int dax_mode_give_back(struct inode *inode, loff_t start, loff_t end)
{
	return dax_mode_take(inode, start, end, dax_mode_wait_unlocked);
}

/* Where there was a hole, its zeros may be mapped. */
static void dax_mode_mapped_anew(struct inode *inode, loff_t start, loff_t end)
{
	pgoff_t first = start >> PAGE_SHIFT;

	fusex_maps_outdate(inode);
	unmap_mapping_pages(inode->i_mapping, first,
			    (end >> PAGE_SHIFT) - first + 1, false);
}

static int dax_mode_invalidate(struct inode *inode, loff_t start, loff_t end)
{
	fusex_maps_forget(inode, start, end);
	dax_mode_mapped_anew(inode, start, end);
	return 0;
}

/* -------------------------------------------------------------------- zeroing */

/* Zeros, where there is anything; the size stays what it is. */
static int dax_mode_zero(struct inode *inode, loff_t from, loff_t to)
{
	if (from >= to)
		return 0;
	return dax_zero_range(inode, from, to - from, NULL,
			      &fusex_dax_iomap_ops);
}

/* A mapping may have put anything behind the end of the file. */
static int dax_mode_zero_tail(struct inode *inode, loff_t from, loff_t to)
{
	return dax_mode_zero(inode, from, min(to, round_up(from, PAGE_SIZE)));
}

/* ---------------------------------------------------------- reading, writing */

static ssize_t dax_mode_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	ret = fusex_cache_current(file_inode(iocb->ki_filp),
				  iocb->ki_flags & IOCB_NOWAIT);
	if (!ret)
		ret = fusex_io_lock(iocb, true);
	if (ret)
		return ret;
	ret = dax_iomap_rw(iocb, to, &fusex_dax_iomap_ops);
	fusex_io_unlock(iocb, true);
	file_accessed(iocb->ki_filp);
	return ret;
}

/* What comes before any write. */
static ssize_t dax_mode_write_begin(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size;
	ssize_t ret;
	int err;

	err = fusex_io_may_write(iocb);
	if (!err)
		err = fusex_cache_write_size(iocb);
	if (err)
		return err;
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	err = fusex_io_modified(iocb);
	if (err)
		return err;
	fusex_i(inode)->attr->wrote_cache(inode);
	size = i_size_read(inode);
	if (iocb->ki_pos <= size || !offset_in_page(size))
		return ret;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	err = dax_mode_zero_tail(inode, size, iocb->ki_pos);
	return err ?: ret;
}

static ssize_t dax_mode_write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fusex_maps *maps = fusex_maps_get(inode);
	const struct fusex_attr_ops *attr = fusex_i(inode)->attr;
	loff_t pos;
	ssize_t ret;

	ret = dax_mode_write_begin(iocb, from);
	if (ret <= 0)
		return ret;
	pos = iocb->ki_pos;
	maps->failed = 0;
	ret = dax_iomap_rw(iocb, from, &fusex_dax_iomap_ops);
	/* Some of it is there, but not the server's. */
	if (maps->failed)
		return maps->failed;
	if (ret > 0 && (attr->shared || pos + ret > i_size_read(inode)))
		attr->after_write(inode, pos, ret);
	return ret;
}

static ssize_t dax_mode_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	if (!iov_iter_count(from))
		return 0;
	ret = fusex_io_lock(iocb, false);
	if (ret)
		return ret;
	ret = dax_mode_write_locked(iocb, from);
	fusex_io_unlock(iocb, false);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

/* ------------------------------------------------------------------- mappings */

/* Hold a page if it is in its place; who takes it away waits for that. */
static bool dax_mode_hold(struct inode *inode, unsigned long pfn, pgoff_t index)
{
	struct fusex_maps *maps = fusex_maps_get(inode);
	unsigned long use = fusex_maps_enter(maps);
	bool has = !fusex_maps_unsettled(maps) &&
		   fusex_daxdev_has(inode, pfn, index);

	/* As fs/dax does it: nobody may have it mapped yet. */
	if (has)
		folio_ref_inc(pfn_folio(pfn));
	fusex_maps_leave(maps, use);
	return has;
}

/*
 * What is synchronous is durable before it can be stored to.  A recall meanwhile
 * would let another page have the place, so it waits.
 */
static vm_fault_t dax_mode_fault_sync(struct vm_fault *vmf, unsigned int order,
				      unsigned long pfn, int *err)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct fusex_mapcache *mc = fusex_maps_get(inode)->cache;
	pgoff_t index = round_down(vmf->pgoff, 1UL << order);
	u32 seq = fusex_mapcache_seq(mc);
	vm_fault_t ret;

	if (!dax_mode_hold(inode, pfn, index)) {
		*err = -EAGAIN;
		return VM_FAULT_NOPAGE;
	}
	ret = dax_finish_sync_fault(vmf, order, pfn);
	folio_put(pfn_folio(pfn));
	/* As where a fault ends, see map_dax.c. */
	if (seq != fusex_mapcache_seq(mc))
		unmap_mapping_pages(inode->i_mapping, index, 1UL << order,
				    false);
	return ret;
}

static vm_fault_t dax_mode_fault_once(struct vm_fault *vmf, unsigned int order,
				      int *err)
{
	unsigned long pfn;
	vm_fault_t ret;

	ret = dax_iomap_fault(vmf, order, &pfn, err, &fusex_dax_iomap_ops);
	if (ret & VM_FAULT_NEEDDSYNC)
		ret = dax_mode_fault_sync(vmf, order, pfn, err);
	return ret;
}

/*
 * The server has moved a page without taking it away.  It cannot do that to one
 * that is held, and nobody waits here: who holds it may be who faults.
 */
static vm_fault_t dax_mode_fault_anew(struct inode *inode, pgoff_t index)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	int err;

	if (down_write_killable(&mapping->invalidate_lock))
		return VM_FAULT_SIGBUS;
	dax_mode_note_stored(inode);
	err = dax_mode_take(inode, pos, pos, NULL);
	up_write(&mapping->invalidate_lock);
	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

static vm_fault_t dax_mode_fault_locked(struct vm_fault *vmf,
					unsigned int order)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct address_space *mapping = inode->i_mapping;
	vm_fault_t ret;
	int err = 0;

	if (down_read_killable(&mapping->invalidate_lock))
		return VM_FAULT_SIGBUS;
	ret = dax_mode_fault_once(vmf, order, &err);
	up_read(&mapping->invalidate_lock);
	if (err == -EBADCOOKIE)
		return dax_mode_fault_anew(inode, vmf->pgoff);
	if (err != -EAGAIN)
		return ret;
	/* A lease is given back, say; it is tried again. */
	return fusex_maps_settled(inode) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

static vm_fault_t dax_mode_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	vm_fault_t ret;

	/* A private copy is no write. */
	if (!(vmf->flags & FAULT_FLAG_WRITE) ||
	    !(vmf->vma->vm_flags & VM_SHARED))
		return dax_mode_fault_locked(vmf, order);
	if (IS_IMMUTABLE(inode))
		return VM_FAULT_SIGBUS;
	sb_start_pagefault(inode->i_sb);
	file_update_time(vmf->vma->vm_file);
	fusex_i(inode)->attr->wrote_cache(inode);
	ret = dax_mode_fault_locked(vmf, order);
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static vm_fault_t dax_mode_fault(struct vm_fault *vmf)
{
	return dax_mode_huge_fault(vmf, 0);
}

static const struct vm_operations_struct dax_mode_vm_ops = {
	.fault		= dax_mode_fault,
	.huge_fault	= dax_mode_huge_fault,
	.page_mkwrite	= dax_mode_fault,
	.pfn_mkwrite	= dax_mode_fault,
};

static int dax_mode_mmap_prepare(struct vm_area_desc *desc)
{
	struct inode *inode = file_inode(desc->file);

	if (vma_desc_test(desc, VMA_SYNC_BIT) &&
	    !fusex_daxdev_synchronous(fusex_chan_of(inode)))
		return -EOPNOTSUPP;
	file_accessed(desc->file);
	desc->vm_ops = &dax_mode_vm_ops;
	vma_desc_set_flags(desc, VMA_HUGEPAGE_BIT);
	return 0;
}

/* -------------------------------------------------------------- size and space */

static int dax_mode_setsize_begin(struct inode *inode, loff_t size)
{
	loff_t old = i_size_read(inode);
	int err;

	if (size > old) {
		err = dax_mode_zero_tail(inode, old, size);
		return err ?: fusex_mapped_known(inode, old);
	}
	err = fusex_mapped_cut(inode, size);
	/* Of what is behind the end nothing is mapped. */
	if (!err && size < old)
		err = dax_mode_break(inode, size, LLONG_MAX);
	return err ?: fusex_maps_quiesce(inode, size, LLONG_MAX);
}

static void dax_mode_setsize_end(struct inode *inode, loff_t oldsize,
				 loff_t size)
{
	int err;

	/*
	 * What the server has taken away it may have pushed just before; and what was
	 * to grow may have been larger at the server, which has cut it.
	 */
	fusex_maps_forget(inode, size, LLONG_MAX);
	if (size == oldsize)
		return;
	fusex_maps_sized(inode, size);
	if (size > oldsize)
		return;
	/* Who makes the file longer again is not to see what was there. */
	err = dax_mode_zero_tail(inode, size, oldsize);
	fusex_mapped_cleared(inode, err);
}

static int dax_mode_fallocate_begin(struct inode *inode, int mode,
				    loff_t offset, loff_t len, loff_t last)
{
	int err;

	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		if ((offset | len) & (i_blocksize(inode) - 1))
			return -EINVAL;
		break;
	case FALLOC_FL_UNSHARE_RANGE:
		/* What is mapped stays where it is. */
		return -EOPNOTSUPP;
	}
	if (last < offset)
		return 0;
	err = dax_mode_break(inode, offset, last);
	return err ?: fusex_maps_quiesce(inode, round_down(offset, PAGE_SIZE),
					 last);
}

/* The server has seen to whole blocks. */
static int dax_mode_zero_edges(struct inode *inode, loff_t offset, loff_t len)
{
	loff_t end = min(offset + len, i_size_read(inode));
	loff_t first = round_up(offset, PAGE_SIZE);
	loff_t last = round_down(end, PAGE_SIZE);
	int err;

	if (first > last)
		return dax_mode_zero(inode, offset, end);
	err = dax_mode_zero(inode, offset, first);
	return err ?: dax_mode_zero(inode, last, end);
}

static int dax_mode_fallocate_end(struct inode *inode, int mode,
				  loff_t offset, loff_t len)
{
	fusex_maps_forget(inode, offset, offset + len - 1);
	fusex_tell_changed(inode);
	switch (mode & FALLOC_FL_MODE_MASK) {
	case FALLOC_FL_PUNCH_HOLE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_WRITE_ZEROES:
		return dax_mode_zero_edges(inode, offset, len);
	}
	return 0;
}

static void dax_mode_stat(struct inode *inode, struct kstat *stat, u32 mask)
{
	if (!(mask & STATX_DIOALIGN))
		return;
	/* It is all the same to memory. */
	stat->dio_mem_align = 1;
	stat->dio_offset_align = 1;
	stat->result_mask |= STATX_DIOALIGN;
}

/* --------------------------------------------------------------------- tables */

static const struct address_space_operations dax_mode_aops = {
	.writepages	= dax_mode_writepages,
	.dirty_folio	= noop_dirty_folio,
};

#define FUSEX_DAX_FOPS							\
	.owner			= THIS_MODULE,				\
	.fop_flags		= FOP_MMAP_SYNC | FOP_BUFFER_RASYNC |	\
				  FOP_BUFFER_WASYNC,			\
	.llseek			= fusex_mapped_llseek,			\
	.read_iter		= dax_mode_read_iter,			\
	.write_iter		= dax_mode_write_iter,			\
	.splice_read		= copy_splice_read,			\
	.splice_write		= iter_file_splice_write,		\
	.mmap_prepare		= dax_mode_mmap_prepare,		\
	.get_unmapped_area	= thp_get_unmapped_area,		\
	.open			= fusex_open,				\
	.flush			= fusex_flush,				\
	.release		= fusex_cache_release,			\
	.fsync			= dax_mode_fsync,			\
	.fallocate		= fusex_fallocate,			\
	.copy_file_range	= fusex_copy_file_range,		\
	.remap_file_range	= fusex_remap_file_range,		\
	.lock			= fusex_lock,				\
	.flock			= fusex_flock,				\
	.setlease		= fusex_setlease,			\
	.unlocked_ioctl		= fusex_ioctl,				\
	.compat_ioctl		= fusex_compat_ioctl

static const struct file_operations dax_mode_fops = {
	FUSEX_DAX_FOPS,
};

static const struct file_operations dax_mode_poll_fops = {
	FUSEX_DAX_FOPS,
	.poll			= fusex_poll,
};

static const struct fusex_io_ops dax_mode_io = {
	.opened		= fusex_cache_opened,
	.setsize_begin	= dax_mode_setsize_begin,
	.setsize_end	= dax_mode_setsize_end,
	.invalidate	= dax_mode_invalidate,
	.write_back	= dax_mode_write_back,
	.ahead		= fusex_mapped_ahead,
	.tell		= fusex_tell_now,
	.fallocate_begin = dax_mode_fallocate_begin,
	.fallocate_end	= dax_mode_fallocate_end,
	.quiesce	= dax_mode_quiesce,
	.give_back	= dax_mode_give_back,
	.mapped_anew	= dax_mode_mapped_anew,
	.fiemap		= fusex_mapped_fiemap,
	.stat		= dax_mode_stat,
	.going		= dax_break_layout_final,
	.evict		= fusex_maps_free,
	.i_flags	= S_DAX,
};

const struct fusex_io_table fusex_io_dax = {
	.fops		= &dax_mode_fops,
	.poll_fops	= &dax_mode_poll_fops,
	.aops		= &dax_mode_aops,
	.io		= &dax_mode_io,
	.usable		= fusex_daxdev_any,
	.instead	= FUSEX_IO_IOMAP,
};

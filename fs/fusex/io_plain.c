// SPDX-License-Identifier: GPL-2.0
/*
 * Plain mode: reads come from the page cache, writes go through it to the
 * server before the system call returns.
 *
 * A write locks the folios it covers, copies the data into them, sends them,
 * and marks those uptodate that it knows completely.  The locks keep readers
 * of new folios, faults and writeback of the same range away until the server
 * has answered, so the server sees writes in the order programs made them.
 * A folio that was not written after all does not stay in the cache.
 *
 * Folios get dirty through shared mappings only.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/swap.h>
#include <linux/uio.h>

#include "io.h"

/* -------------------------------------------------------------------- writing */

/* Enough for a write in one or two folios, which is what most are. */
#define FUSEX_PLAIN_FEW		8

/**
 * struct fusex_plain_write - folios on their way to the server
 * @iocb: the system call
 * @inode: the file, i_rwsem is held
 * @oldsize: i_size before
 * @pos: where the request begins, bytes
 * @bytes: bytes of all segments
 * @nr: segments, each part of one locked folio of which we hold a reference
 * @max: room for segments
 * @bv: segments
 * @few: the segments of a small write
 */
struct fusex_plain_write {
	struct kiocb *iocb;
	struct inode *inode;
	loff_t oldsize;
	loff_t pos;
	size_t bytes;
	unsigned int nr;
	unsigned int max;
	struct bio_vec *bv;
	struct bio_vec few[FUSEX_PLAIN_FEW];
};

/**
 * fusex_plain_covers - is a folio known completely once a range is written?
 * @start: first byte of the folio
 * @end: byte after its last
 * @from: first byte of the range, in the folio
 * @to: byte after its last
 * @oldsize: size of the file before
 *
 * What is beyond the end of the file is known to be zero.
 *
 * Context: any.
 * Return: true if so.
 */
bool fusex_plain_covers(loff_t start, loff_t end, loff_t from, loff_t to,
			loff_t oldsize)
{
	return (from == start || start >= oldsize) &&
	       (to == end || to >= oldsize);
}

static struct folio *fusex_plain_folio(struct fusex_plain_write *w,
				       loff_t pos, size_t len)
{
	struct folio *folio;

	folio = fusex_cache_lock_folio(w->inode->i_mapping, pos, len);
	if (IS_ERR(folio))
		return folio;
	/* What is being written must not arrive after what we write. */
	if (!folio_wait_writeback_killable(folio))
		return folio;
	folio_unlock(folio);
	folio_put(folio);
	return ERR_PTR(-EINTR);
}

/*
 * Copy into one more folio.  Returns the bytes copied, 0 when the caller's
 * memory has to be faulted in first, which cannot be done under folio locks.
 */
static ssize_t fusex_plain_add(struct fusex_plain_write *w,
			       struct iov_iter *from, size_t room)
{
	loff_t pos = w->pos + w->bytes;
	size_t len = min(room, iov_iter_count(from));
	struct folio *folio = fusex_plain_folio(w, pos, len);
	size_t off, copied;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	off = offset_in_folio(folio, pos);
	len = min(len, folio_size(folio) - off);
	if (mapping_writably_mapped(w->inode->i_mapping))
		flush_dcache_folio(folio);
	copied = copy_folio_from_iter_atomic(folio, off, len, from);
	flush_dcache_folio(folio);
	if (!copied) {
		folio_unlock(folio);
		folio_put(folio);
		return 0;
	}
	bvec_set_folio(&w->bv[w->nr++], folio, copied, off);
	w->bytes += copied;
	return copied < len ? 0 : copied;
}

/* Collect up to @limit bytes; an error counts only if there is nothing. */
static int fusex_plain_fill(struct fusex_plain_write *w, struct iov_iter *from,
			    u32 limit)
{
	ssize_t ret = 0;

	w->pos = w->iocb->ki_pos;
	w->bytes = 0;
	w->nr = 0;
	do {
		ret = fusex_plain_add(w, from, limit - w->bytes);
	} while (ret > 0 && w->nr < w->max && w->bytes < limit &&
		 iov_iter_count(from));
	return w->bytes ? 0 : ret;
}

/*
 * The server has it: is the folio known completely now?  What the write did
 * not cover of it is beyond the end of the file.
 */
static void fusex_plain_uptodate(struct fusex_plain_write *w,
				 struct folio *folio, loff_t from, loff_t to)
{
	loff_t start = folio_pos(folio);
	loff_t end = start + folio_size(folio);

	if (!fusex_plain_covers(start, end, from, to, w->oldsize))
		return;
	folio_zero_segments(folio, 0, from - start, to - start, end - start);
	iomap_folio_mark_uptodate(folio);
}

/*
 * The server does not have it.  Dirty folios will be written with whatever is
 * in them; others must not claim to be what the server has.
 */
static void fusex_plain_unwritten(struct fusex_plain_write *w,
				  struct folio *folio)
{
	if (!folio_test_dirty(folio))
		generic_error_remove_folio(w->inode->i_mapping, folio);
}

static void fusex_plain_folio_done(struct fusex_plain_write *w,
				   struct folio *folio, loff_t from,
				   loff_t to, loff_t written)
{
	bool dontcache = w->iocb->ki_flags & IOCB_DONTCACHE;

	if (to > written)
		fusex_plain_unwritten(w, folio);
	else if (folio_test_uptodate(folio))
		folio_mark_accessed(folio);
	else if (dontcache)
		fusex_plain_unwritten(w, folio);
	else
		fusex_plain_uptodate(w, folio, from, to);
	folio_unlock(folio);
	folio_put(folio);
}

/* Let go of all folios, of which the server has the bytes below @written. */
static void fusex_plain_done(struct fusex_plain_write *w, loff_t written)
{
	loff_t pos = w->pos;
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		loff_t to = pos + w->bv[i].bv_len;

		fusex_plain_folio_done(w, bvec_folio(&w->bv[i]), pos, to,
				       written);
		pos = to;
	}
}

/* One request.  Returns the bytes the server took, or an error. */
static ssize_t fusex_plain_send(struct fusex_plain_write *w, u32 write_flags)
{
	struct kiocb *iocb = w->iocb;
	const struct fusex_attr_ops *attr = fusex_i(w->inode)->attr;
	loff_t at = w->pos;
	ssize_t ret;

	w->oldsize = i_size_read(w->inode);
	ret = fusex_write_send(w->inode, iocb->ki_filp, &at, w->bv, 0, w->bytes,
			       fusex_io_flags(iocb), write_flags);
	if (ret > 0)
		attr->after_write(w->inode, at, ret);
	/* An append that went elsewhere is in the wrong folios. */
	fusex_plain_done(w, ret > 0 && at == w->pos ? at + ret : w->pos);
	if (ret <= 0)
		return ret;
	fusex_io_written(w->inode, w->oldsize, at + ret);
	if (at != w->pos)
		fusex_cache_invalidate(w->inode, min(at, w->pos),
				       max(at, w->pos) + ret - 1);
	iocb->ki_pos = at + ret;
	return ret;
}

static ssize_t fusex_plain_write_some(struct fusex_plain_write *w,
				      struct iov_iter *from, u32 write_flags)
{
	u32 limit = fusex_conf_of(w->inode)->max_write;
	size_t len = min_t(size_t, limit, iov_iter_count(from));
	ssize_t ret;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	/* Not under folio locks: the memory may be this file's. */
	if (fault_in_iov_iter_readable(from, len) == len)
		return -EFAULT;
	err = fusex_plain_fill(w, from, limit);
	if (err || !w->bytes)
		return err;
	ret = fusex_plain_send(w, write_flags);
	if (ret < (ssize_t)w->bytes)
		iov_iter_revert(from, w->bytes - max(ret, 0));
	return ret;
}

static void fusex_plain_room(struct fusex_plain_write *w, size_t len)
{
	u32 limit = fusex_conf_of(w->inode)->max_write;
	size_t pages = min_t(size_t, len, limit) / PAGE_SIZE + 2;

	w->bv = w->few;
	w->max = FUSEX_PLAIN_FEW;
	if (pages <= w->max)
		return;
	w->bv = kvmalloc_objs(*w->bv, pages, GFP_KERNEL_ACCOUNT | __GFP_NORETRY |
			      __GFP_NOWARN);
	if (w->bv)
		w->max = pages;
	else
		w->bv = w->few;
}

static ssize_t fusex_plain_write_all(struct kiocb *iocb, struct iov_iter *from)
{
	struct fusex_plain_write w = {
		.iocb	= iocb,
		.inode	= file_inode(iocb->ki_filp),
	};
	const struct fusex_attr_ops *attr = fusex_i(w.inode)->attr;
	bool append = iocb->ki_flags & IOCB_APPEND;
	u32 write_flags = attr->write_flags(w.inode, append);
	ssize_t done = 0;
	ssize_t ret = 0;

	fusex_plain_room(&w, iov_iter_count(from));
	while (iov_iter_count(from)) {
		ret = fusex_plain_write_some(&w, from, write_flags);
		if (ret < 0)
			break;
		done += ret;
		cond_resched();
	}
	if (w.bv != w.few)
		kvfree(w.bv);
	return done ?: ret;
}

static ssize_t fusex_plain_write_locked(struct kiocb *iocb,
					struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size;
	ssize_t ret;
	int err;

	err = fusex_io_may_write(iocb) ?: fusex_io_write_size(iocb);
	if (err)
		return err;
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	err = fusex_io_modified(iocb);
	if (!err)
		err = fusex_cache_settle(inode, false);
	size = i_size_read(inode);
	if (!err && iocb->ki_pos > size)
		err = fusex_cache_zero_tail(inode, size, iocb->ki_pos);
	if (err)
		return err;
	return fusex_plain_write_all(iocb, from);
}

static ssize_t fusex_plain_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (iocb->ki_flags & IOCB_DIRECT)
		return fusex_user_write(iocb, from);
	/* Every write waits for the server. */
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	ret = inode_lock_killable(inode);
	if (ret)
		return ret;
	ret = fusex_plain_write_locked(iocb, from);
	inode_unlock(inode);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

/* --------------------------------------------------------------------- tables */

#define FUSEX_PLAIN_FOPS						\
	.owner			= THIS_MODULE,				\
	.fop_flags		= FOP_BUFFER_RASYNC | FOP_DONTCACHE,	\
	.llseek			= fusex_llseek,				\
	.read_iter		= fusex_cache_read_iter,		\
	.write_iter		= fusex_plain_write_iter,		\
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

static const struct file_operations fusex_plain_fops = {
	FUSEX_PLAIN_FOPS,
};

static const struct file_operations fusex_plain_poll_fops = {
	FUSEX_PLAIN_FOPS,
	.poll			= fusex_poll,
};

static const struct fusex_io_ops fusex_plain_io = {
	.opened		= fusex_cache_opened,
	.setsize_begin	= fusex_cache_setsize_begin,
	.setsize_end	= fusex_cache_setsize_end,
	.invalidate	= fusex_cache_invalidate,
	.write_back	= fusex_cache_write_back,
	.large_folios	= true,
};

const struct fusex_io_table fusex_io_plain = {
	.fops		= &fusex_plain_fops,
	.poll_fops	= &fusex_plain_poll_fops,
	.aops		= &fusex_cache_aops,
	.io		= &fusex_plain_io,
};

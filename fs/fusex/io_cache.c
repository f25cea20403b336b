// SPDX-License-Identifier: GPL-2.0
/*
 * The page cache of a file against everything that changes it from the side:
 * invalidation by the server, truncation, direct I/O, mappings, and the last
 * close.
 *
 * Two rules.  Dirty folios survive an invalidation: their data is newer.  And
 * who runs in the server's context never waits for a folio lock, because the
 * holder may be waiting for the server: what could not be dropped is noted,
 * and the next one who wants to use the cache drops it ("settles") first.
 */
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>

#include "io.h"

/* ------------------------------------------------------- finding and adding */

static struct folio *fusex_add_folio(struct address_space *mapping,
				     pgoff_t index, size_t len)
{
	/* Other folios are locked by us: reclaim must not want them. */
	gfp_t gfp = mapping_gfp_constraint(mapping, ~__GFP_FS);
	unsigned int order = min(filemap_get_order(len),
				 mapping_max_folio_order(mapping));
	int err;

	if (index & ((1UL << order) - 1))
		order = __ffs(index);
	do {
		gfp_t try = order ? gfp | __GFP_NORETRY | __GFP_NOWARN : gfp;
		struct folio *folio = filemap_alloc_folio(try, order, NULL);

		err = -ENOMEM;
		if (!folio)
			continue;
		err = filemap_add_folio(mapping, folio, index, gfp);
		if (!err)
			return folio;
		folio_put(folio);
	} while (order--);
	return ERR_PTR(err);
}

/**
 * fusex_cache_lock_folio - the folio at a position, added if there is none
 * @mapping: the file's
 * @pos: position, bytes
 * @len: bytes the caller means to use from there, how large to make a new one
 *
 * Context: process, killable.
 * Return: the folio, locked and with a reference; ERR_PTR(-EINTR) when killed,
 * ERR_PTR(-ENOMEM).
 */
struct folio *fusex_cache_lock_folio(struct address_space *mapping, loff_t pos,
				     size_t len)
{
	pgoff_t index = pos >> PAGE_SHIFT;
	struct folio *folio;

	for (;;) {
		folio = filemap_get_folio(mapping, index);
		if (IS_ERR(folio)) {
			folio = fusex_add_folio(mapping, index, len);
			if (folio == ERR_PTR(-EEXIST))
				continue;
			return folio;
		}
		if (folio_lock_killable(folio)) {
			folio_put(folio);
			return ERR_PTR(-EINTR);
		}
		if (folio->mapping == mapping)
			return folio;
		/* It was truncated meanwhile. */
		folio_unlock(folio);
		folio_put(folio);
	}
}

/* -------------------------------------------------------------- writing back */

/**
 * fusex_cache_ended - WRITEs from the page cache have ended
 * @inode: the file; the writeback of their folios has not ended yet
 * @count: how many
 *
 * Context: process, does not sleep.
 */
void fusex_cache_ended(struct inode *inode, int count)
{
	struct fusex_inode *fi = fusex_i(inode);

	atomic_add(count, &fi->wb_ended);
	/* It is a barrier as well, for who is about to sleep. */
	atomic_sub_return(count, &fi->wb_writes);
	wake_up_var(&fi->wb_writes);
}

/* Have as many ended as @enough says, or all? */
static bool fusex_writes_ended(const struct fusex_inode *fi, u32 enough)
{
	return !atomic_read(&fi->wb_writes) ||
	       (s32)(atomic_read(&fi->wb_ended) - enough) >= 0;
}

/*
 * No signal reaches a process that is exiting, so it does not wait for folios,
 * but for the WRITEs they are in, as long as some end, and not for those of
 * others that come after them.  They are sent in order, but not more than
 * max_background at a time, of which any can be answered first.
 */
static int fusex_wait_writes(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	u32 others = min(fusex_conf_of(inode)->max_background, S32_MAX / 2);
	u32 enough = atomic_read(&fi->wb_ended) + atomic_read(&fi->wb_writes) +
		     others;

	if (!atomic_read(&fi->wb_writes))
		return 0;
	return fusex_wait_exiting_for(fusex_chan_of(inode),
				      (u32)atomic_read(&fi->wb_ended),
				      wait_var_event_timeout(&fi->wb_writes,
							     fusex_writes_ended(fi, enough),
							     FUSEX_EXIT_WAIT));
}

static int fusex_wait_writeback(struct address_space *mapping, loff_t start,
				loff_t end)
{
	pgoff_t index = start >> PAGE_SHIFT;
	pgoff_t last = end >> PAGE_SHIFT;
	struct folio_batch fbatch;
	unsigned int i;
	int err = 0;

	if (unlikely(current->flags & PF_EXITING))
		return fusex_wait_writes(mapping->host);
	folio_batch_init(&fbatch);
	while (!err && filemap_get_folios_tag(mapping, &index, last,
					      PAGECACHE_TAG_WRITEBACK,
					      &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch) && !err; i++)
			err = folio_wait_writeback_killable(fbatch.folios[i]);
		folio_batch_release(&fbatch);
		cond_resched();
	}
	return err;
}

/*
 * Write back and wait.  What becomes of the data is for others to ask; the
 * only error is to be killed.
 */
static int fusex_cache_flush(struct address_space *mapping, loff_t start,
			     loff_t end)
{
	int err;

	if (!mapping->nrpages)
		return 0;
	/* What is dirty again waits for what it was, and heeds no signal. */
	err = fusex_wait_writeback(mapping, start, end);
	if (err)
		return err;
	err = filemap_fdatawrite_range(mapping, start, end);
	/* A worker may do it, which who is killed has not waited for. */
	if (err == -EINTR || fatal_signal_pending(current))
		return -EINTR;
	return fusex_wait_writeback(mapping, start, end);
}

/**
 * fusex_cache_lost - cached data was not written back, and will not be
 * @inode: the file; the writeback of its folios has not ended yet
 * @err: why
 *
 * For who waits for it, see fusex_cache_write_back().  fsync() goes by the error of the
 * mapping, which is set as well.
 *
 * Context: process, does not sleep.
 */
void fusex_cache_lost(struct inode *inode, int err)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	fi->wb_lost++;
	fi->wb_error = err;
	spin_unlock(&fi->lock);
}

/* The error of what was lost since @lost times, 0 for nothing. */
static int fusex_lost_since(struct inode *inode, u32 lost)
{
	struct fusex_inode *fi = fusex_i(inode);
	int err;

	spin_lock(&fi->lock);
	err = fi->wb_lost == lost ? 0 : fi->wb_error;
	spin_unlock(&fi->lock);
	return err;
}

/**
 * fusex_cache_write_back - make the server know dirty data, for fusex_io_ops
 * @inode: the file
 * @start: first byte
 * @end: last byte
 *
 * What the mapping says of errors does not change if one is like the last one, and
 * nobody has asked about that.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -EINTR when killed, or the error of a write that failed
 * meanwhile.
 */
int fusex_cache_write_back(struct inode *inode, loff_t start, loff_t end)
{
	u32 lost = READ_ONCE(fusex_i(inode)->wb_lost);
	int err = fusex_cache_flush(inode->i_mapping, start, end);

	return err ?: fusex_lost_since(inode, lost);
}

struct fusex_send {
	struct work_struct work;
	struct inode *inode;
};

static void fusex_send_work(struct work_struct *work)
{
	struct fusex_send *s = container_of(work, struct fusex_send, work);

	filemap_flush(s->inode->i_mapping);
	fusex_io_later_done(s->inode);
	kfree(s);
}

/**
 * fusex_cache_send - have what is dirty written back now, and do not wait for it
 * @inode: any
 *
 * Programs replace a file by renaming another one, or by cutting it to nothing and
 * writing it anew, and many do not call fsync().  The server may make a name or a
 * size durable long before the flusher comes for the data, and all that is left
 * after a crash would be an empty file.
 *
 * Without memory for it the flusher still comes.
 *
 * Context: process.
 * Return: whether there is anything dirty.
 */
bool fusex_cache_send(struct inode *inode)
{
	struct fusex_send *s;

	if (!S_ISREG(inode->i_mode) ||
	    !mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY))
		return false;
	s = kmalloc_obj(*s, GFP_KERNEL | __GFP_NOWARN);
	if (!s)
		return true;
	INIT_WORK(&s->work, fusex_send_work);
	s->inode = inode;
	fusex_io_later(inode, &s->work);
	return true;
}

/**
 * fusex_cache_ahead - is there data that the server does not have yet?
 * @inode: the file
 *
 * Context: any.
 * Return: true if so, or if nobody knows whether the server has it.
 */
bool fusex_cache_ahead(const struct inode *inode)
{
	return mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY) ||
	       mapping_tagged(inode->i_mapping, PAGECACHE_TAG_WRITEBACK);
}

/* Times the kernel owns are written back by ->write_inode. */
static int fusex_sync_times(struct inode *inode, bool datasync)
{
	unsigned int state = inode_state_read_once(inode);

	/* What is being written back, by somebody else, is to be waited for. */
	if (!(state & (I_DIRTY_ALL | I_SYNC)) ||
	    (datasync && !(state & I_DIRTY_DATASYNC)))
		return 0;
	return sync_inode_metadata(inode, 1);
}

/**
 * fusex_cache_fsync - make a file durable, as the file operation
 * @file: open file
 * @start: first byte
 * @end: last byte
 * @datasync: times do not matter
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or an error.  A failed write is reported once to each open file.
 */
int fusex_cache_fsync(struct file *file, loff_t start, loff_t end,
		      int datasync)
{
	struct inode *inode = file_inode(file);
	int err = fusex_cache_flush(inode->i_mapping, start, end);
	int ret;

	if (err)
		return err;
	err = fusex_sync_times(inode, datasync);
	/*
	 * Lost data is said once, and nothing else then.  Nor is the server to be the
	 * next to fail, for good maybe, with the device that has just failed.
	 */
	ret = file_check_and_advance_wb_err(file);
	if (ret)
		return ret;
	ret = fusex_fsync_server(inode, file, start, end, datasync);
	return err ?: ret;
}

/* ------------------------------------------------------------------ dropping */

/*
 * Dirty data is newer than the server's, unless the file does not reach so far
 * any more: that would never be written, and come back when the file grows.
 */
static bool fusex_may_drop(struct address_space *mapping, struct folio *folio)
{
	if (folio->mapping != mapping || folio_test_writeback(folio))
		return false;
	return !folio_test_dirty(folio) ||
	       folio_pos(folio) >= i_size_read(mapping->host);
}

/*
 * Of a folio that stays because part of it is dirty the rest is outdated.  One that is
 * being written, and that the file does not reach any more, goes when it has been.
 */
static bool fusex_goes_later(struct address_space *mapping, struct folio *folio)
{
	if (folio->mapping != mapping ||
	    !(folio_test_dirty(folio) || folio_test_writeback(folio)))
		return false;
	return i_blocks_per_folio(mapping->host, folio) > 1 ||
	       folio_pos(folio) >= i_size_read(mapping->host);
}

static int fusex_drop_folio(struct address_space *mapping, struct folio *folio,
			    bool wait)
{
	int err = 0;

	if (wait) {
		if (folio_lock_killable(folio))
			return -EINTR;
	} else if (!folio_trylock(folio)) {
		return -EBUSY;
	}
	if (folio->mapping == mapping && folio_mapped(folio))
		unmap_mapping_pages(mapping, folio->index,
				    folio_nr_pages(folio), false);
	if (fusex_may_drop(mapping, folio))
		generic_error_remove_folio(mapping, folio);
	else if (fusex_goes_later(mapping, folio))
		err = -EBUSY;
	folio_unlock(folio);
	return err;
}

/*
 * Waits for locked folios, killably, only if @wait.  -EBUSY when folios were left that
 * are locked, that may be partly dirty, having several blocks, or that are being
 * written beyond the end.
 */
static int fusex_drop_range(struct address_space *mapping, loff_t start,
			    loff_t end, bool wait)
{
	pgoff_t index = start >> PAGE_SHIFT;
	pgoff_t last = end >> PAGE_SHIFT;
	struct folio_batch fbatch;
	unsigned int i;
	int ret = 0;

	folio_batch_init(&fbatch);
	while (ret != -EINTR &&
	       filemap_get_folios(mapping, &index, last, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			int err = fusex_drop_folio(mapping, fbatch.folios[i],
						   wait);

			if (err)
				ret = err;
			if (err == -EINTR)
				break;
		}
		folio_batch_release(&fbatch);
		cond_resched();
	}
	return ret;
}

/**
 * fusex_cache_drop - drop clean folios of a range
 * @mapping: the file's
 * @start: first byte
 * @end: last byte
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, or -EINTR when killed.
 */
int fusex_cache_drop(struct address_space *mapping, loff_t start, loff_t end)
{
	int err = fusex_drop_range(mapping, start, end, true);

	return err == -EBUSY ? 0 : err;
}

/**
 * fusex_cache_drop_stale - drop what an invalidation had to leave
 * @inode: the file
 * @nowait: do not wait
 *
 * What was dirty again when it was to be dropped is written back again.  That ends:
 * who is about to write comes by here first, and so does who stores to a page.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -EINTR when killed, -EAGAIN when @nowait and there is something.
 */
int fusex_cache_drop_stale(struct inode *inode, bool nowait)
{
	struct fusex_inode *fi = fusex_i(inode);

	while (unlikely(fusex_cache_stale(fi))) {
		loff_t start, end;
		u32 seq;
		int err;

		if (nowait)
			return -EAGAIN;
		spin_lock(&fi->lock);
		seq = fi->stale_seq;
		start = fi->stale_start;
		end = fi->stale_end;
		spin_unlock(&fi->lock);
		/* What is partly dirty goes as a whole, once it is clean. */
		err = fusex_cache_flush(inode->i_mapping, start, end);
		if (!err)
			err = fusex_drop_range(inode->i_mapping, start, end,
					       true);
		if (err == -EBUSY)
			continue;
		if (err)
			return err;
		spin_lock(&fi->lock);
		if (fi->stale_seq == seq)
			fi->settled_seq = seq;
		spin_unlock(&fi->lock);
	}
	return 0;
}

struct fusex_settle {
	struct work_struct work;
	struct inode *inode;
};

static void fusex_settle_work(struct work_struct *work)
{
	struct fusex_settle *s = container_of(work, struct fusex_settle, work);

	clear_bit(FUSEX_I_SETTLING, &fusex_i(s->inode)->state);
	fusex_cache_settle(s->inode, false);
	fusex_io_later_done(s->inode);
	kfree(s);
}

/*
 * Whoever has a stale page mapped does not come by here to settle.  If there
 * is no memory for it, the next fault, read or write still will.
 */
static void fusex_settle_later(struct inode *inode)
{
	struct fusex_settle *s;

	if (test_and_set_bit(FUSEX_I_SETTLING, &fusex_i(inode)->state))
		return;
	s = kmalloc_obj(*s, GFP_NOFS | __GFP_NOWARN);
	if (s) {
		INIT_WORK(&s->work, fusex_settle_work);
		s->inode = inode;
		/* It may be the reply to writeback that says so. */
		if (fusex_io_later_grab(inode, &s->work))
			return;
		kfree(s);
	}
	clear_bit(FUSEX_I_SETTLING, &fusex_i(inode)->state);
}

/* Notes that a range is outdated; returns the number of that, @was if there is more. */
static u32 fusex_note_stale(struct inode *inode, loff_t start, loff_t end,
			    bool *was)
{
	struct fusex_inode *fi = fusex_i(inode);
	u32 seq;

	spin_lock(&fi->lock);
	*was = fusex_cache_stale(fi);
	fi->stale_start = *was ? min(fi->stale_start, start) : start;
	fi->stale_end = *was ? max(fi->stale_end, end) : end;
	seq = fi->stale_seq + 1;
	WRITE_ONCE(fi->stale_seq, seq);
	spin_unlock(&fi->lock);
	return seq;
}

/**
 * fusex_cache_outdate - all that is cached is of another version of the file
 * @inode: the file
 *
 * Unlike fusex_cache_invalidate() this goes for what is just being written as well,
 * which is dropped when it has been: what is behind the old end in the same page was
 * taken for zeros.
 *
 * Context: process, does not wait for the server; may be its own context.  Folios
 * under writeback may be all that keeps the inode.
 */
void fusex_cache_outdate(struct inode *inode)
{
	bool was;

	fusex_note_stale(inode, 0, LLONG_MAX, &was);
	fusex_settle_later(inode);
}

/**
 * fusex_cache_invalidate - the server's data changed, for fusex_io_ops
 * @inode: the file
 * @start: first byte
 * @end: last byte
 *
 * Context: process, does not wait for the server; may be its own context.
 * Return: 0: who reads from now on sees the new data.
 */
int fusex_cache_invalidate(struct inode *inode, loff_t start, loff_t end)
{
	struct address_space *mapping = inode->i_mapping;
	struct fusex_inode *fi = fusex_i(inode);
	bool was;
	u32 seq;

	/* A read in flight has its folios in the cache. */
	if (!mapping->nrpages)
		return 0;
	seq = fusex_note_stale(inode, start, end, &was);
	unmap_mapping_pages(mapping, start >> PAGE_SHIFT,
			    (end >> PAGE_SHIFT) - (start >> PAGE_SHIFT) + 1,
			    false);
	if (fusex_drop_range(mapping, start, end, false) || was) {
		fusex_settle_later(inode);
		return 0;
	}
	spin_lock(&fi->lock);
	if (fi->stale_seq == seq)
		fi->settled_seq = seq;
	spin_unlock(&fi->lock);
	return 0;
}

/* -------------------------------------------------------------------- reading */

/**
 * fusex_cache_current - make what is cached worth looking at
 * @inode: the file
 * @nowait: do not wait
 *
 * Context: process, sleeps on the server, killable, unless @nowait.
 * Return: 0, -EAGAIN if it would have to wait, or an error.
 */
int fusex_cache_current(struct inode *inode, bool nowait)
{
	struct fusex_inode *fi = fusex_i(inode);
	int err;

	if (nowait && (test_bit(FUSEX_I_STALE, &fi->state) ||
		       !fi->attr->fresh(inode)))
		return -EAGAIN;
	err = fi->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
	return err ?: fusex_cache_settle(inode, nowait);
}

/**
 * fusex_cache_read_iter - read through the page cache, as the file operation
 * @iocb: the operation
 * @to: the memory
 *
 * O_DIRECT goes past it.
 *
 * Context: process, sleeps on the server, killable.
 * Return: bytes, -EIOCBQUEUED, or an error.
 */
ssize_t fusex_cache_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int err;

	err = fusex_cache_current(inode, iocb->ki_flags & IOCB_NOWAIT);
	if (err)
		return err;
	if (iocb->ki_flags & IOCB_DIRECT)
		return fusex_user_read(iocb, to);
	return filemap_read(iocb, to, 0);
}

/**
 * fusex_cache_splice_read - folios of the page cache for a pipe
 * @in: open file
 * @ppos: position, bytes
 * @pipe: the pipe
 * @len: bytes
 * @flags: SPLICE_F_*
 *
 * Context: process, sleeps on the server, killable.
 * Return: bytes, or an error.
 */
ssize_t fusex_cache_splice_read(struct file *in, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags)
{
	int err = fusex_cache_current(file_inode(in), false);

	return err ?: filemap_splice_read(in, ppos, pipe, len, flags);
}

/* -------------------------------------------------------------------- writing */

/**
 * fusex_cache_write_size - know the size that a write to the page cache goes by
 * @iocb: the write; i_rwsem is held
 *
 * What is beyond the end is taken to be zero, so the size has to be right.
 * Where an append goes depends on it even more: others may have appended since
 * it was asked for, unless it depends on us, because we are ahead.
 *
 * Context: process, sleeps on the server, killable, unless @iocb must not.
 * Return: 0, -EAGAIN if it must not, or an error.
 */
int fusex_cache_write_size(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	const struct fusex_inode *fi = fusex_i(inode);
	bool append = iocb->ki_flags & IOCB_APPEND;
	bool stale = test_bit(FUSEX_I_STALE, &fi->state);
	bool ahead = fusex_cache_ahead(inode);

	lockdep_assert_held_write(&inode->i_rwsem);
	/* What nobody is going to take is not to be cached. */
	if (!fusex_chan_alive(fusex_chan_of(inode)))
		return -ENOTCONN;
	if (ahead && !append && !stale)
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT &&
	    (stale || !fi->attr->fresh(inode)))
		return -EAGAIN;
	return fi->attr->refresh(inode, FUSEX_ATTR_SIZE,
				 append && !ahead ? AT_STATX_FORCE_SYNC : 0);
}

/* ---------------------------------------------------------------- truncation */

/* Zeroes what a folio has of a range that does not begin before it. */
static void fusex_zero_range(struct folio *folio, loff_t from, loff_t to)
{
	loff_t end = min(to, folio_pos(folio) + (loff_t)folio_size(folio));

	if (from < end)
		folio_zero_segment(folio, offset_in_folio(folio, from),
				   end - folio_pos(folio));
}

/**
 * fusex_cache_zero_tail - the file grows: what was beyond its end becomes zero
 * @inode: the file
 * @from: the old end, bytes
 * @to: the new one
 *
 * Programs can write beyond the end of a file into the last page of a mapping.  And
 * the folio may go on behind that page, and have there what a write brought that the
 * server has refused, or what somebody else has cut off.
 *
 * Context: process, sleeps on the server, killable.  i_rwsem is held.
 * Return: 0, or -EINTR when killed.
 */
int fusex_cache_zero_tail(struct inode *inode, loff_t from, loff_t to)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;

	if (from >= to)
		return 0;
	folio = filemap_get_folio(mapping, from >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return 0;
	if (folio_lock_killable(folio)) {
		folio_put(folio);
		return -EINTR;
	}
	/* What a direct write has brought meanwhile is not behind the end. */
	if (folio->mapping == mapping)
		fusex_zero_range(folio, max(from, i_size_read(inode)), to);
	folio_unlock(folio);
	folio_put(folio);
	return 0;
}

/*
 * What is beyond the new end must not be written after the server has cut the
 * file, or it would grow again; and must not be dropped before, or it would be
 * lost if the server says no.  So writeback stops until that is known.
 */
static int fusex_cache_shrink_begin(struct inode *inode, loff_t size)
{
	struct fusex_inode *fi = fusex_i(inode);
	int err;

	set_bit(FUSEX_I_SHRINKING, &fi->state);
	/* Either fusex_cache_writepages() sees it, or we see that one. */
	smp_mb__after_atomic();
	err = wait_var_event_killable(&fi->wb_passes,
				      !atomic_read(&fi->wb_passes));
	if (!err)
		err = fusex_wait_writeback(inode->i_mapping, size, LLONG_MAX);
	if (err)
		fusex_cache_shrink_end(inode);
	return err;
}

/**
 * fusex_cache_shrink_end - the file was cut, or not: writeback goes on
 * @inode: any
 *
 * Context: any.
 */
void fusex_cache_shrink_end(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (test_bit(FUSEX_I_SHRINKING, &fi->state))
		clear_and_wake_up_bit(FUSEX_I_SHRINKING, &fi->state);
}

/**
 * fusex_cache_setsize_begin - before the server is told, for fusex_io_ops
 * @inode: the file, i_rwsem and the invalidate lock are held, fusex_io_dio_wait()
 *	was called
 * @size: bytes
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or -EINTR.
 */
int fusex_cache_setsize_begin(struct inode *inode, loff_t size)
{
	loff_t old;
	int err;

	/* What somebody else has cut off goes before the file reaches so far again. */
	if (size > i_size_read(inode)) {
		err = fusex_cache_settle(inode, false);
		if (err)
			return err;
	}
	old = i_size_read(inode);
	if (size < old)
		return fusex_cache_shrink_begin(inode, size);
	return fusex_cache_zero_tail(inode, old, size);
}

/*
 * A page that was stored to faults again, since there is more of the file in it now.
 * pagecache_isize_extended() does that as well, but complains if the file does not
 * reach so far, and a reply may just have said that somebody else has cut it.
 */
static void fusex_cache_extended(struct inode *inode, loff_t from, loff_t to)
{
	struct folio *folio;

	if (i_blocksize(inode) >= PAGE_SIZE || !offset_in_page(from))
		return;
	folio = filemap_lock_folio(inode->i_mapping, from >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return;
	if (folio_mkclean(folio))
		folio_mark_dirty(folio);
	/* What was stored behind the end until now is not the file's. */
	if (folio_test_dirty(folio))
		fusex_zero_range(folio, from, to);
	folio_unlock(folio);
	folio_put(folio);
}

/**
 * fusex_cache_setsize_end - i_size is set, or not, for fusex_io_ops
 * @inode: the file, i_rwsem and the invalidate lock are held
 * @oldsize: bytes
 * @size: bytes
 *
 * Context: process, may wait for folios that are being read.
 */
void fusex_cache_setsize_end(struct inode *inode, loff_t oldsize, loff_t size)
{
	if (size < oldsize)
		truncate_pagecache(inode, size);
	else if (size > oldsize)
		fusex_cache_extended(inode, oldsize, size);
	fusex_cache_shrink_end(inode);
}

/* ------------------------------------------------------------------ mappings */

/**
 * fusex_cache_fault - a page of a mapping is wanted, as the operation
 * @vmf: the fault
 *
 * Context: process, sleeps on the server, killable.
 * Return: VM_FAULT_*.
 */
vm_fault_t fusex_cache_fault(struct vm_fault *vmf)
{
	if (fusex_cache_settle(file_inode(vmf->vma->vm_file), false))
		return VM_FAULT_SIGBUS;
	return filemap_fault(vmf);
}

/**
 * fusex_cache_map_pages - map what is there around a fault, as the operation
 * @vmf: the fault
 * @start: first page
 * @end: last page
 *
 * Context: any, RCU.
 * Return: VM_FAULT_*.
 */
vm_fault_t fusex_cache_map_pages(struct vm_fault *vmf, pgoff_t start,
				 pgoff_t end)
{
	if (fusex_cache_stale(fusex_i(file_inode(vmf->vma->vm_file))))
		return 0;
	return filemap_map_pages(vmf, start, end);
}

/* See fusex_around_begin(). */
static bool fusex_goes_around(struct inode *inode)
{
	/* Either we see the write, or it sees the mapping. */
	smp_mb();
	return atomic_read(&fusex_i(inode)->around);
}

/*
 * Not for long, and then the fault comes again: the write may be about to fault, too,
 * behind who waits for the lock that this one has.
 */
static void fusex_around_wait(struct inode *inode)
{
	atomic_t *around = &fusex_i(inode)->around;

	wait_var_event_timeout(around, !atomic_read(around), HZ / 10);
}

/*
 * The invalidate lock keeps folios from getting dirty while someone relies on
 * having written them back.
 */
static vm_fault_t fusex_cache_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio = page_folio(vmf->page);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (IS_IMMUTABLE(inode))
		return VM_FAULT_SIGBUS;
	if (fusex_goes_around(inode)) {
		fusex_around_wait(inode);
		return VM_FAULT_NOPAGE;
	}
	if (fusex_room(inode, false) < 0 || fusex_cache_settle(inode, false))
		return VM_FAULT_SIGBUS;
	sb_start_pagefault(inode->i_sb);
	file_update_time(vmf->vma->vm_file);
	fusex_i(inode)->attr->wrote_cache(inode);
	if (down_read_killable(&mapping->invalidate_lock))
		goto out;
	if (folio_lock_killable(folio))
		goto out_unlock;
	if (fusex_goes_around(inode) ||
	    folio_mkwrite_check_truncate(folio, inode) < 0) {
		folio_unlock(folio);
		ret = VM_FAULT_NOPAGE;
	} else {
		folio_mark_dirty(folio);
		ret = VM_FAULT_LOCKED;
	}
out_unlock:
	up_read(&mapping->invalidate_lock);
out:
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static const struct vm_operations_struct fusex_cache_vm_ops = {
	.fault		= fusex_cache_fault,
	.map_pages	= fusex_cache_map_pages,
	.page_mkwrite	= fusex_cache_page_mkwrite,
};

/**
 * fusex_cache_mmap_prepare - as the file operation
 * @desc: the mapping to be
 *
 * Context: process.
 * Return: 0.
 */
int fusex_cache_mmap_prepare(struct vm_area_desc *desc)
{
	file_accessed(desc->file);
	desc->vm_ops = &fusex_cache_vm_ops;
	return 0;
}

/* ---------------------------------------------------------------- open files */

/**
 * fusex_cache_opened - a file is open
 * @inode: the file
 * @file: the open file
 *
 * Context: process.
 */
void fusex_cache_opened(struct inode *inode, struct file *file)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_file *ff = file->private_data;

	file->f_mode |= FMODE_CAN_ODIRECT | FMODE_NOWAIT;
	if (!ff || !ff->opened || !(file->f_mode & FMODE_WRITE))
		return;
	spin_lock(&fi->lock);
	list_add(&ff->writer, &fi->writers);
	spin_unlock(&fi->lock);
}

struct fusex_late_release {
	struct work_struct work;
	struct inode *inode;
	struct fusex_file *ff;
	u32 flags;
};

static void fusex_writer_gone(struct inode *inode, struct fusex_file *ff)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	list_del_init(&ff->writer);
	spin_unlock(&fi->lock);
}

static void fusex_late_release_work(struct work_struct *work)
{
	struct fusex_late_release *late =
		container_of(work, struct fusex_late_release, work);
	struct inode *inode = late->inode;

	fusex_cache_flush(inode->i_mapping, 0, LLONG_MAX);
	if (fusex_i(inode)->io->tell)
		fusex_i(inode)->io->tell(inode);
	fusex_writer_gone(inode, late->ff);
	/* Whoever took the handle before that has its folios marked. */
	fusex_wait_writeback(inode->i_mapping, 0, LLONG_MAX);
	fusex_file_release(inode, late->ff, late->flags);
	fusex_io_later_done(inode);
	kfree(late);
}

/* A file that was cut to nothing, and what has been written to it since. */
static void fusex_send_anew(struct inode *inode, const struct file *file)
{
	unsigned long *state = &fusex_i(inode)->state;

	if (unlikely(test_bit(FUSEX_I_EMPTIED, state)) &&
	    file->f_mode & FMODE_WRITE && fusex_cache_send(inode))
		clear_bit(FUSEX_I_EMPTIED, state);
}

/**
 * fusex_cache_release - an open file goes, as the file operation
 * @inode: the file
 * @file: the open file
 *
 * Writeback needs a file that is open at the server, so RELEASE has to wait
 * for data that was written through a mapping.  The closing task does not.
 *
 * Context: process.
 * Return: 0.
 */
int fusex_cache_release(struct inode *inode, struct file *file)
{
	struct address_space *mapping = inode->i_mapping;
	struct fusex_file *ff = file->private_data;
	struct fusex_late_release *late;

	fusex_send_anew(inode, file);
	if (!ff || list_empty(&ff->writer))
		return fusex_release(inode, file);
	if (!fusex_io_due(inode)) {
		fusex_writer_gone(inode, ff);
		/* As in the work: someone may just have started. */
		if (!mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK))
			return fusex_release(inode, file);
	}
	late = kmalloc_obj(*late, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	INIT_WORK(&late->work, fusex_late_release_work);
	late->inode = inode;
	late->ff = ff;
	late->flags = file->f_flags;
	file->private_data = NULL;
	fusex_io_later(inode, &late->work);
	return 0;
}

/* Of all modes that have a page cache. */
const struct address_space_operations fusex_cache_aops = {
	.read_folio		= fusex_cache_read_folio,
	.readahead		= fusex_cache_readahead,
	.writepages		= fusex_cache_writepages,
	.dirty_folio		= iomap_dirty_folio,
	.release_folio		= iomap_release_folio,
	.invalidate_folio	= iomap_invalidate_folio,
	.is_partially_uptodate	= iomap_is_partially_uptodate,
	.migrate_folio		= filemap_migrate_folio,
	.error_remove_folio	= generic_error_remove_folio,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * I/O of the page cache by mappings, and what the server is told when it has
 * ended.
 *
 * Each bio is a struct iomap_ioend whose io_private is a use of the mapping it
 * goes by, see maps.c; reading is in map_read.c.  What was read, or written
 * directly over what is the file's already, is done with where it ends.  Everything
 * else takes a request (MAP_IOEND), which is made by the task that waits for a
 * direct write, or by a worker for folios under writeback: those that end together
 * and follow each other are one range.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>

#include "backing.h"
#include "io.h"
#include "map.h"

/**
 * struct fusex_map_pass - a pass of writeback
 * @wpc: what to write
 * @use: all that it asks for is part of it
 */
struct fusex_map_pass {
	struct iomap_writepage_ctx wpc;
	unsigned long use;
};

#define WRITEBACK_OP	(FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_WRITEBACK)

/*
 * As fs/iomap's, which writeback takes its from, but keeps for each CPU what was
 * freed: reads are many and small.
 */
struct bio_set fusex_ioend_bioset;

/* ------------------------------------------------------ telling the server */

/**
 * fusex_ioend_written - what becomes of the mappings of a range
 * @inode: the file
 * @in: the range, which was written
 *
 * Mappings that are in use, or on their way, are not to be believed afterwards.
 *
 * Context: process, does not wait for the server.
 */
void fusex_ioend_written(struct inode *inode,
			 const struct fusex_map_ioend_in *in)
{
	struct fusex_mapcache *mc = fusex_i(inode)->maps->cache;
	loff_t last = in->offset + in->length - 1;
	struct fusex_map map;

	if (!(in->flags & (FUSEX_IOEND_REPLACE | FUSEX_IOEND_UNWRITTEN)))
		return;
	if (in->flags & FUSEX_IOEND_UNWRITTEN)
		fusex_mapcache_written(mc, in->offset, last);
	if (!(in->flags & FUSEX_IOEND_REPLACE) &&
	    fusex_mapcache_find(mc, in->offset, &map) &&
	    map.type == FUSEX_MAP_MAPPED && map.offset + map.length > last)
		fusex_mapcache_outdate(mc);
	else
		fusex_mapcache_drop(mc, in->offset, last);
}

/* What becomes of what the kernel knows when the server has been told. */
static void ioend_told(struct inode *inode,
		       const struct fusex_map_ioend_in *in)
{
	struct fusex_inode *fi = fusex_i(inode);

	fusex_ioend_written(inode, in);
	if (!(in->flags & FUSEX_IOEND_APPEND))
		return;
	spin_lock(&fi->lock);
	if (fi->maps->known < in->size)
		fi->maps->known = in->size;
	spin_unlock(&fi->lock);
}

/*
 * What is written elsewhere takes the place of what was read.  Who is reading that goes
 * on, so the server does not use it for anything else before it has recalled it; but
 * nobody begins to.
 */
static void ioend_replace(struct inode *inode, struct fusex_call *call)
{
	const struct fusex_map_ioend_in *in = call->arg;

	/* Nor is an answer remembered that is on its way. */
	fusex_maps_forget(inode, in->offset, in->offset + in->length - 1);
	if (!call->nofs) {
		fusex_call_space(inode, call);
		return;
	}
	fusex_call(fusex_chan_of(inode), call);
	fusex_space_check(inode, call);
}

/**
 * fusex_ioend_tell - MAP_IOEND
 * @inode: the file
 * @in: the range; its times are filled in
 * @nofs: from writeback
 *
 * Context: process, waits for the server, killable.
 * Return: 0 or an error.
 */
int fusex_ioend_tell(struct inode *inode, struct fusex_map_ioend_in *in,
		     bool nofs)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_attr_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_MAP_IOEND,
		.node		= inode,
		.arg		= in,
		.arg_len	= sizeof(*in),
		.nofs		= nofs,
		.out[0]		= { &out, sizeof(out) },
	};
	u64 epoch = fusex_chan_epoch(fusex_chan_of(inode));
	int err;

	if (fi->attr->shared) {
		in->flags |= FUSEX_IOEND_MTIME;
		fi->attr->wrote_when(inode, &in->mtime);
	}
	fusex_tell_changed(inode);
	if (in->flags & FUSEX_IOEND_REPLACE)
		ioend_replace(inode, &call);
	else
		fusex_call(fusex_chan_of(inode), &call);
	err = fusex_attr_taken(inode, &call, epoch, FUSEX_DID_DATA);
	/* Whoever has had the file made durable meanwhile did so too early. */
	fusex_tell_changed(inode);
	if (!err && !in->error) {
		ioend_told(inode, in);
	} else {
		/* It may have been done all the same, or undone: ask again. */
		fusex_maps_forget(inode, in->offset,
				  in->offset + in->length - 1);
	}
	return err == -ENOSYS ? -EOPNOTSUPP : err;
}

/**
 * fusex_ioend_flags - what there is to tell of a range
 * @inode: the file
 * @unwritten: it was unwritten
 * @replace: it is elsewhere than it was
 * @end: byte after the last one
 *
 * Also, that it goes beyond what the server knows of the file, or that others
 * want its times.
 *
 * Context: any.
 * Return: FUSEX_IOEND_*, 0 for nothing.
 */
u32 fusex_ioend_flags(struct inode *inode, bool unwritten, bool replace,
		      loff_t end)
{
	const struct fusex_inode *fi = fusex_i(inode);
	u32 flags = 0;

	if (unwritten)
		flags |= FUSEX_IOEND_UNWRITTEN;
	if (replace)
		flags |= FUSEX_IOEND_REPLACE;
	if (fi->attr->shared || end > READ_ONCE(fi->maps->known))
		flags |= FUSEX_IOEND_APPEND;
	return flags;
}

/**
 * fusex_ioend_later - look after a bio that has ended in a worker
 * @ioend: its I/O has ended
 *
 * Context: any.
 */
void fusex_ioend_later(struct iomap_ioend *ioend)
{
	struct inode *inode = ioend->io_inode;
	struct fusex_maps *maps = fusex_i(inode)->maps;
	unsigned long flags;

	spin_lock_irqsave(&maps->lock, flags);
	list_add_tail(&ioend->io_list, &maps->ended);
	queue_work(fusex_sb(inode->i_sb)->ioend_wq, &maps->work);
	spin_unlock_irqrestore(&maps->lock, flags);
}

/* ------------------------------------------------------------- writing back */

static void write_bio_end(struct bio *bio)
{
	struct iomap_ioend *ioend = iomap_ioend_from_bio(bio);

	ioend->io_error = blk_status_to_errno(bio->bi_status);
	if (fusex_map_failing(ioend->io_private))
		ioend->io_error = -ENODEV;
	atomic_dec(&fusex_sb(ioend->io_inode->i_sb)->wb_bios);
	fusex_ioend_later(ioend);
}

static int ioend_tell_written(struct iomap_ioend *ioend, int error)
{
	struct inode *inode = ioend->io_inode;
	loff_t end = ioend->io_offset + ioend->io_size;
	struct fusex_bobj *obj = fusex_map_device(ioend->io_private);
	struct fusex_map_ioend_in in = {
		.offset	= ioend->io_offset,
		.length	= ioend->io_size,
		.addr	= (u64)ioend->io_sector << SECTOR_SHIFT,
		.dev	= obj->cookie,
		.flags	= fusex_ioend_flags(inode,
				      ioend->io_flags & IOMAP_IOEND_UNWRITTEN,
				      ioend->io_flags & IOMAP_IOEND_SHARED,
				      end),
		.error	= error,
	};

	/* The file was cut meanwhile. */
	if (!ioend->io_size)
		return error;
	/* Nothing becomes of what failed but what was allocated for it. */
	if (error)
		in.flags &= ~FUSEX_IOEND_APPEND;
	if (!in.flags)
		return error;
	if (in.flags & FUSEX_IOEND_APPEND)
		in.size = end;
	return fusex_ioend_tell(inode, &in, true) ?: error;
}

/* All those that were merged are through with their mappings. */
static void ioend_unuse(struct iomap_ioend *ioend)
{
	struct iomap_ioend *next;
	int count = 1;

	list_for_each_entry(next, &ioend->io_list, io_list) {
		fusex_map_unuse(next->io_inode, next->io_private);
		count++;
	}
	fusex_map_unuse(ioend->io_inode, ioend->io_private);
	fusex_cache_ended(ioend->io_inode, count);
}

static void ioend_written(struct iomap_ioend *ioend)
{
	struct inode *inode = ioend->io_inode;
	int err = ioend_tell_written(ioend, ioend->io_error);

	if (fusex_inode_unmissed(inode, err))
		err = 0;
	/* That its server has died is not what is wrong with the file. */
	else if (err == -ENOTCONN)
		err = -EIO;
	if (err)
		fusex_cache_lost(inode, err);
	ioend_unuse(ioend);
	/* The last of these folios may be all that keeps the inode. */
	iomap_finish_ioends(ioend, err);
}

static void ioend_read(struct iomap_ioend *ioend)
{
	struct inode *inode = ioend->io_inode;
	void *use = ioend->io_private;

	INIT_LIST_HEAD(&ioend->io_list);
	iomap_finish_ioends(ioend, ioend->io_error);
	fusex_map_unuse(inode, use);
}

/**
 * fusex_ioend_work - I/O of the page cache has ended
 * @work: fusex_maps.work
 *
 * Context: workqueue, waits for the server.
 */
void fusex_ioend_work(struct work_struct *work)
{
	struct fusex_maps *maps = container_of(work, struct fusex_maps, work);
	unsigned int nofs = memalloc_nofs_save();
	struct iomap_ioend *ioend;
	struct list_head list;

	spin_lock_irq(&maps->lock);
	list_replace_init(&maps->ended, &list);
	spin_unlock_irq(&maps->lock);

	iomap_sort_ioends(&list);
	while ((ioend = list_first_entry_or_null(&list, struct iomap_ioend,
						 io_list))) {
		list_del_init(&ioend->io_list);
		if (ioend->io_flags & IOMAP_IOEND_DIRECT) {
			fusex_dio_bio_end(&ioend->io_bio);
			continue;
		}
		if (bio_op(&ioend->io_bio) == REQ_OP_READ) {
			ioend_read(ioend);
			continue;
		}
		iomap_ioend_try_merge(ioend, &list);
		ioend_written(ioend);
		cond_resched();
	}
	memalloc_nofs_restore(nofs);
}

static int writeback_submit(struct iomap_writepage_ctx *wpc, int error)
{
	struct iomap_ioend *ioend = wpc->wb_ctx;

	atomic_inc(&fusex_i(wpc->inode)->wb_writes);
	atomic_inc(&fusex_sb(wpc->inode->i_sb)->wb_bios);
	ioend->io_bio.bi_end_io = write_bio_end;
	return iomap_ioend_writeback_submit(wpc, error);
}

static void writeback_done(struct iomap_writepage_ctx *wpc)
{
	struct iomap *iomap = &wpc->iomap;

	fusex_map_done(wpc->inode, iomap, iomap->offset, iomap->length,
		       iomap->length, WRITEBACK_OP);
	memset(iomap, 0, sizeof(*iomap));
}

/* Where the range goes to, unless that is known. */
static int writeback_map(struct iomap_writepage_ctx *wpc, loff_t pos, u64 len)
{
	struct iomap *iomap = &wpc->iomap;
	struct block_device *bdev = iomap->bdev;
	struct fusex_map_how how = {
		.within	= container_of(wpc, struct fusex_map_pass, wpc)->use,
	};
	int err;

	if (fusex_map_covers(wpc->inode, iomap, pos))
		return 0;
	writeback_done(wpc);
	err = fusex_map_begin(wpc->inode, pos, len, WRITEBACK_OP, &how, iomap,
			      NULL);
	if (err || !wpc->wb_ctx || bdev == iomap->bdev)
		return err;
	/* What goes to another device is not added to it. */
	err = writeback_submit(wpc, 0);
	wpc->wb_ctx = NULL;
	return err;
}

static ssize_t writeback_range(struct iomap_writepage_ctx *wpc,
			       struct folio *folio, u64 pos, unsigned int len,
			       u64 end_pos)
{
	struct iomap_ioend *ioend;
	ssize_t ret;

	ret = writeback_map(wpc, pos, len);
	if (ret)
		return ret;
	ret = iomap_add_to_ioend(wpc, folio, pos, end_pos, len);
	ioend = wpc->wb_ctx;
	if (ioend && !ioend->io_private)
		ioend->io_private = fusex_map_use(wpc->inode,
						  wpc->iomap.private);
	return ret;
}

static const struct iomap_writeback_ops writeback_ops = {
	.writeback_range	= writeback_range,
	.writeback_submit	= writeback_submit,
};

/* Not while the file is being cut, or a lease returned. */
static int pass_begin(struct fusex_maps *maps, struct writeback_control *wbc,
		      unsigned long *use)
{
	struct inode *inode = maps->inode;
	int ret;

	for (;;) {
		ret = fusex_cache_pass_begin(inode, wbc);
		if (ret <= 0)
			return ret;
		*use = fusex_maps_enter_pass(maps);
		if (*use)
			return 1;
		fusex_cache_pass_end(inode);
		if (wbc->sync_mode == WB_SYNC_NONE)
			return 0;
		ret = fusex_maps_returned(inode);
		if (ret)
			return ret;
	}
}

static int writeback_pass(struct address_space *mapping,
			  struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	struct fusex_maps *maps = fusex_maps_get(inode);
	struct fusex_map_pass pass = {
		.wpc = {
			.inode	= inode,
			.wbc	= wbc,
			.ops	= &writeback_ops,
		},
	};
	int ret;

	ret = pass_begin(maps, wbc, &pass.use);
	if (ret <= 0)
		return ret;
	ret = iomap_writepages(&pass.wpc);
	/* Folios that it has taken and could not send. */
	if (ret)
		fusex_cache_lost(inode, ret);
	writeback_done(&pass.wpc);
	fusex_maps_leave(maps, pass.use);
	fusex_cache_pass_end(inode);
	return ret;
}

/**
 * struct sent_pass - a pass of writeback by a worker
 * @work: in fusex_sb.io_wq
 * @done: it was made
 * @ref: the worker's, and that of who waits
 * @inode: the file
 * @start: first byte
 * @end: last byte
 * @sync: all of it, and not what is being written already
 * @err: what it came to
 */
struct sent_pass {
	struct work_struct work;
	struct completion done;
	refcount_t ref;
	struct inode *inode;
	loff_t start;
	loff_t end;
	bool sync;
	int err;
};

static void sent_pass_put(struct sent_pass *p)
{
	if (refcount_dec_and_test(&p->ref))
		kfree(p);
}

static void sent_pass_work(struct work_struct *work)
{
	struct sent_pass *p = container_of(work, struct sent_pass, work);
	struct address_space *mapping = p->inode->i_mapping;

	p->err = p->sync ? filemap_fdatawrite_range(mapping, p->start, p->end) :
			   filemap_flush_range(mapping, p->start, p->end);
	complete(&p->done);
	fusex_io_later_done(p->inode);
	sent_pass_put(p);
}

static int sent_pass_wait(struct sent_pass *p)
{
	if (likely(!(current->flags & PF_EXITING)))
		return wait_for_completion_killable(&p->done) ? -EINTR : 0;
	return fusex_wait_exiting(fusex_chan_of(p->inode),
				  wait_for_completion_timeout(&p->done,
							      FUSEX_EXIT_WAIT));
}

static int writeback_send(struct inode *inode,
			  const struct writeback_control *wbc)
{
	struct sent_pass *p = kzalloc_obj(*p, GFP_NOFS | __GFP_NOFAIL);
	int err;

	INIT_WORK(&p->work, sent_pass_work);
	init_completion(&p->done);
	refcount_set(&p->ref, 2);
	p->inode = inode;
	p->start = wbc->range_cyclic ? 0 : wbc->range_start;
	p->end = wbc->range_cyclic ? LLONG_MAX : wbc->range_end;
	p->sync = wbc->sync_mode == WB_SYNC_ALL;
	fusex_io_later(inode, &p->work);
	err = sent_pass_wait(p) ?: p->err;
	sent_pass_put(p);
	return err;
}

/*
 * A folio that has been taken for writing is lost if the server is not asked for
 * its place to the end, so who may be killed has somebody else do it.
 */
static bool may_be_killed(const struct inode *inode)
{
	/*
	 * What nobody has is written here by an unmount only, when all else was: see
	 * fusex_drop_inode().
	 */
	return !(current->flags & (PF_KTHREAD | PF_WQ_WORKER)) &&
	       icount_read_once(inode);
}

/**
 * fusex_map_writepages - write dirty folios back, as the operation
 * @mapping: the file's
 * @wbc: what to write
 *
 * Context: process, waits for the server; for who cuts the file or takes space
 * away only if all has to be written; killable, and goes on then.
 * Return: 0 or the first error; errors found later are set in the mapping.
 */
int fusex_map_writepages(struct address_space *mapping,
			 struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;

	return may_be_killed(inode) ? writeback_send(inode, wbc) :
				      writeback_pass(mapping, wbc);
}

/**
 * fusex_ioend_init - make what all file systems share
 *
 * Return: 0 or -ENOMEM.
 */
int fusex_ioend_init(void)
{
	return bioset_init(&fusex_ioend_bioset, BIO_POOL_SIZE,
			   offsetof(struct iomap_ioend, io_bio),
			   BIOSET_NEED_BVECS | BIOSET_PERCPU_CACHE);
}

/**
 * fusex_ioend_exit - undo fusex_ioend_init()
 */
void fusex_ioend_exit(void)
{
	bioset_exit(&fusex_ioend_bioset);
}

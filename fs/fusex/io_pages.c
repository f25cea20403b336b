// SPDX-License-Identifier: GPL-2.0
/*
 * Filling the page cache from the server and writing it back: fs/iomap looks
 * after folios, this file makes requests of what it hands over.
 *
 * A request collects ranges of folios that follow each other in the file.  It
 * owns the locked (reading) or under-writeback (writing) state of its ranges
 * until it ends, which happens in the server's context: nothing here waits
 * for the server there.
 */
#include <linux/bvec.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>

#include "io.h"
#include "validate.h"

/* Folios one request can name, if there is memory: enough for the largest. */
#define FUSEX_PAGES_MAX		(FUSEX_IO_SIZE_MAX / PAGE_SIZE)

/**
 * struct fusex_pages - a READ or WRITE of folios, in the making or sent
 * @call: the request
 * @rd: its argument when reading
 * @wr: its argument when writing
 * @out: the reply when writing
 * @inode: the file; kept by the state of the folios
 * @ff: the open file named when reading, or NULL
 * @epoch: fusex_chan_epoch() when it was sent
 * @pos: where it begins, bytes
 * @bytes: bytes of all segments
 * @size: bytes of them inside the file, the others are not sent
 * @nr: segments
 * @max: room for segments
 * @bv: segments
 */
struct fusex_pages {
	struct fusex_call call;
	union {
		struct fusex_read_in rd;
		struct fusex_write_in wr;
	};
	struct fusex_write_out out;
	struct inode *inode;
	struct fusex_file *ff;
	u64 epoch;
	loff_t pos;
	size_t bytes;
	size_t size;
	unsigned int nr;
	unsigned int max;
	struct bio_vec bv[] __counted_by(max);
};

/**
 * fusex_io_room - how much of a range may be added to a request
 * @max: bytes a request may have
 * @bytes: bytes it has
 * @end: where it ends, bytes; of no meaning when it is empty
 * @pos: where the range begins
 * @len: its bytes
 *
 * Context: any.
 * Return: bytes, 0 if the request has to be sent first.
 */
size_t fusex_io_room(u32 max, size_t bytes, loff_t end, loff_t pos, size_t len)
{
	if (bytes && end != pos)
		return 0;
	return min_t(size_t, len, max - bytes);
}

/*
 * Of scattered dirty pages there is one of these for each, until the server answers,
 * so it begins small.  There must be memory for that much, or nothing gets on.
 */
static struct fusex_pages *fusex_pages_alloc(struct inode *inode, loff_t pos)
{
	const unsigned int max = (SZ_1K - sizeof(struct fusex_pages)) /
				 sizeof(struct bio_vec);
	struct fusex_pages *p;

	BUILD_BUG_ON(sizeof(*p) > SZ_1K - 8 * sizeof(struct bio_vec));
	p = kmalloc_flex(*p, bv, max, GFP_NOFS | __GFP_NOFAIL);
	p->max = max;
	p->inode = inode;
	p->pos = pos;
	p->bytes = 0;
	p->size = 0;
	p->nr = 0;
	return p;
}

/* Makes it twice as large; false if it has to be sent as it is. */
static bool fusex_pages_grow(struct fusex_pages **pp)
{
	struct fusex_pages *old = *pp, *p;
	unsigned int max = 2 * old->max + sizeof(*p) / sizeof(p->bv[0]);

	max = min_t(unsigned int, max, FUSEX_PAGES_MAX);
	if (max == old->max)
		return false;
	p = krealloc(old, struct_size(p, bv, max),
		     GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN);
	if (!p)
		return false;
	p->max = max;
	*pp = p;
	return true;
}

/* Bytes of the range that were added, 0 when *@pp has to be sent first. */
static size_t fusex_pages_add(struct fusex_pages **pp, u32 limit,
			      struct folio *folio, loff_t pos, size_t len)
{
	struct fusex_pages *p = *pp;
	size_t n;

	n = fusex_io_room(limit, p->bytes, p->pos + p->bytes, pos, len);
	if (!n || (p->nr == p->max && !fusex_pages_grow(pp)))
		return 0;
	p = *pp;
	bvec_set_folio(&p->bv[p->nr++], folio, n, offset_in_folio(folio, pos));
	p->bytes += n;
	return n;
}

/* ---------------------------------------------------------------- reading */

/*
 * There is no telling where the server has holes: everything can be read, and
 * iomap does not ask for what lies beyond i_size.
 */
static int fusex_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
			     unsigned int flags, struct iomap *iomap,
			     struct iomap *srcmap)
{
	ssize_t room;

	iomap->type = IOMAP_MAPPED;
	iomap->addr = 0;
	iomap->offset = pos;
	iomap->length = length;
	if (!(flags & IOMAP_WRITE))
		return 0;
	room = fusex_room(inode, flags & IOMAP_NOWAIT);
	if (room < 0)
		return room;
	iomap->length = min(length, room);
	return 0;
}

static DEFINE_IOMAP_ITER_NEXT(fusex_iomap_next, fusex_iomap_begin);

const struct iomap_ops fusex_cache_iomap_ops = {
	.iomap_next	= fusex_iomap_next,
};

/* Zero what lies beyond the first @got bytes. */
static void fusex_pages_zero(struct fusex_pages *p, size_t got)
{
	struct iov_iter iter;

	iov_iter_bvec(&iter, ITER_DEST, p->bv, p->nr, p->bytes);
	iov_iter_advance(&iter, got);
	iov_iter_zero(p->bytes - got, &iter);
}

/*
 * What an eviction gives up nobody is going to look at.  As a read that failed, it
 * would be reported, and that the report is lost, as there is no inode to name.
 */
static bool fusex_pages_unwanted(const struct fusex_pages *p)
{
	return inode_state_read_once(p->inode) & I_FREEING;
}

static void fusex_pages_read_end(struct fusex_call *call)
{
	struct fusex_pages *p = container_of(call, struct fusex_pages, call);
	int err = call->error;
	unsigned int i;

	if (err && fusex_pages_unwanted(p)) {
		fusex_pages_zero(p, 0);
		err = 0;
	} else if (!err) {
		/* The file is shorter, or ends in a hole. */
		if (call->got < p->size)
			fusex_attr_apply(p->inode, &(struct fusex_attr_reply) {
				.epoch = p->epoch,
			});
		if (call->got < p->bytes)
			fusex_pages_zero(p, call->got);
	}
	for (i = 0; i < p->nr; i++) {
		struct bio_vec *bv = &p->bv[i];
		struct folio *folio = bvec_folio(bv);
		size_t first = folio_page_idx(folio, bv->bv_page);

		iomap_finish_folio_read(folio,
					first * PAGE_SIZE + bv->bv_offset,
					bv->bv_len, err);
	}
	fusex_file_put(p->ff);
	kfree(p);
}

static void fusex_pages_read_send(struct fusex_pages *p, struct file *file,
				  bool background)
{
	struct fusex_chan *chan = fusex_chan_of(p->inode);
	loff_t left = i_size_read(p->inode) - p->pos;
	int err = 0;

	/* What lies beyond the end is zero, whatever the server has there. */
	p->size = clamp_t(loff_t, left, 0, p->bytes);
	p->epoch = fusex_chan_epoch(chan);
	p->ff = fusex_file_hold(file);
	fusex_read_arg(&p->rd, file, p->pos, p->size);
	p->call = (struct fusex_call) {
		.op		= FUSEX_OP_READ,
		.node		= p->inode,
		.arg		= &p->rd,
		.arg_len	= sizeof(p->rd),
		.out_bvec	= p->bv,
		.out_bytes	= p->size,
		.background	= background,
		.dispensable	= true,
		.end		= fusex_pages_read_end,
	};
	if (p->size) {
		err = fusex_call_async(chan, &p->call, GFP_NOFS | __GFP_NOFAIL);
		if (!err)
			return;
	}
	p->call.error = err;
	fusex_pages_read_end(&p->call);
}

static int fusex_read_folio_range(const struct iomap_iter *iter,
				  struct iomap_read_folio_ctx *ctx, size_t len)
{
	u32 limit = fusex_conf_of(iter->inode)->max_read;
	struct fusex_pages *p = ctx->read_ctx;
	loff_t pos = iter->pos;

	while (len) {
		size_t n = p ? fusex_pages_add(&p, limit, ctx->cur_folio, pos,
					       len) : 0;

		if (!n) {
			if (p)
				fusex_pages_read_send(p, iter->private,
						      ctx->rac);
			p = fusex_pages_alloc(iter->inode, pos);
		}
		ctx->read_ctx = p;
		pos += n;
		len -= n;
	}
	return 0;
}

static void fusex_submit_read(const struct iomap_iter *iter,
			      struct iomap_read_folio_ctx *ctx)
{
	fusex_pages_read_send(ctx->read_ctx, iter->private, ctx->rac);
	ctx->read_ctx = NULL;
}

static const struct iomap_read_ops fusex_read_ops = {
	.read_folio_range	= fusex_read_folio_range,
	.submit_read		= fusex_submit_read,
};

/**
 * fusex_cache_readahead - fill a window of the page cache
 * @rac: the window
 *
 * Context: process, does not wait for the server.
 */
void fusex_cache_readahead(struct readahead_control *rac)
{
	struct iomap_read_folio_ctx ctx = {
		.ops	= &fusex_read_ops,
		.rac	= rac,
	};

	iomap_readahead(&fusex_cache_iomap_ops, &ctx, rac->file);
}

/**
 * fusex_cache_read_folio - start to fill one folio
 * @file: open file, or NULL
 * @folio: locked, unlocked when the data is there or the request failed
 *
 * Context: process, does not wait for the data.
 * Return: 0; errors leave the folio not uptodate.
 */
int fusex_cache_read_folio(struct file *file, struct folio *folio)
{
	struct iomap_read_folio_ctx ctx = {
		.ops		= &fusex_read_ops,
		.cur_folio	= folio,
	};

	iomap_read_folio(&fusex_cache_iomap_ops, &ctx, file);
	return 0;
}

/*
 * The part of a block that a write leaves alone.  What lies beyond the end is
 * zero, here too.
 */
static int fusex_fill_folio_range(const struct iomap_iter *iter,
				  struct folio *folio, loff_t pos, size_t len)
{
	loff_t left = i_size_read(iter->inode) - pos;
	size_t want = clamp_t(loff_t, left, 0, len);
	size_t from = offset_in_folio(folio, pos);
	struct bio_vec bv;
	ssize_t got = 0;

	bvec_set_folio(&bv, folio, want, from);
	if (want)
		got = fusex_read_send(iter->inode, iter->private, pos, &bv, 0,
				      want);
	if (got < 0)
		return got;
	folio_zero_segment(folio, from + got, from + len);
	return 0;
}

/**
 * fusex_filled_folio - data was copied into a folio, for iomap_write_ops
 * @inode: the file
 * @pos: where, bytes
 * @copied: bytes
 * @folio: locked, unlocked and put here
 *
 * iomap has made the file grow without our lock, under which a reply may have
 * been looking at the size at the time, and set it back.  The folio is locked:
 * nobody has seen yet that it is behind the end.  What ends before the end has not
 * made the file grow.
 *
 * Context: process.
 */
void fusex_filled_folio(struct inode *inode, loff_t pos, unsigned int copied,
			struct folio *folio)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (copied && pos + copied >= i_size_read(inode)) {
		spin_lock(&fi->lock);
		if (pos + copied > i_size_read(inode))
			i_size_write(inode, pos + copied);
		spin_unlock(&fi->lock);
	}
	folio_unlock(folio);
	folio_put(folio);
}

/* For writing into the page cache; the private pointer is the open file. */
const struct iomap_write_ops fusex_cache_write_ops = {
	.put_folio		= fusex_filled_folio,
	.read_folio_range	= fusex_fill_folio_range,
};

/* ---------------------------------------------------------------- writing */

/*
 * Any file that is open for writing will do.  It is not released before the
 * folios of this inode that are under writeback are done with, see
 * fusex_cache_release().
 */
static u64 fusex_writer_fh(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_file *ff;
	u64 fh = 0;

	spin_lock(&fi->lock);
	ff = list_first_entry_or_null(&fi->writers, struct fusex_file, writer);
	if (ff)
		fh = ff->fh;
	spin_unlock(&fi->lock);
	return fh;
}

static void fusex_pages_lost(struct inode *inode, int err)
{
	fusex_cache_lost(inode, err);
	mapping_set_error(inode->i_mapping, err);
}

/*
 * The server took all of it, or it is lost.  That its server has died is not
 * what is wrong with the file from now on, so it is not what is reported.
 */
static void fusex_pages_write_done(struct fusex_pages *p, int err)
{
	struct inode *inode = p->inode;
	struct fusex_inode *fi = fusex_i(inode);
	unsigned int i;

	if (!err)
		fi->attr->written_back(inode, &p->wr.mtime);
	else if (!fusex_inode_unmissed(inode, err))
		fusex_pages_lost(inode, err == -ENOTCONN ? -EIO : err);
	/* The size was the kernel's with that data, and is the server's without. */
	if (err && fi->attr->shared)
		fusex_attr_uncertain(inode);
	fusex_cache_ended(inode, 1);
	/* The last of these may be all that keeps the inode. */
	for (i = 0; i < p->nr; i++)
		iomap_finish_folio_write(inode, bvec_folio(&p->bv[i]),
					 p->bv[i].bv_len);
	kfree(p);
}

static int fusex_pages_write_queue(struct fusex_pages *p, bool background);

/* What is cached ends where the file did, @size: has somebody else gone on there? */
static bool fusex_pages_appended(const struct fusex_pages *p, loff_t size)
{
	const struct fusex_attr *attr = &p->out.attr;

	return fusex_i(p->inode)->attr->shared &&
	       attr->mask & FUSEX_ATTR_SIZE && attr->size > size;
}

static void fusex_pages_write_end(struct fusex_call *call)
{
	struct fusex_pages *p = container_of(call, struct fusex_pages, call);
	loff_t size = i_size_read(p->inode);
	int ret = fusex_write_reply(p->inode, call, p->epoch, FUSEX_DID_DATA);

	if (ret > 0 && fusex_pages_appended(p, size))
		fusex_cache_outdate(p->inode);
	if (ret > 0 && ret < p->wr.size) {
		p->wr.offset += ret;
		p->wr.size -= ret;
		/* Not in the background: there, one might have to wait. */
		ret = fusex_pages_write_queue(p, false);
		if (!ret)
			return;
	}
	fusex_pages_write_done(p, min(ret, 0));
}

static int fusex_pages_write_queue(struct fusex_pages *p, bool background)
{
	struct fusex_chan *chan = fusex_chan_of(p->inode);

	p->epoch = fusex_chan_epoch(chan);
	p->call = (struct fusex_call) {
		.op		= FUSEX_OP_WRITE,
		.node		= p->inode,
		.arg		= &p->wr,
		.arg_len	= sizeof(p->wr),
		.in_bvec	= p->bv,
		.in_skip	= p->wr.offset - p->pos,
		.in_bytes	= p->wr.size,
		.out[0]		= { &p->out, sizeof(p->out) },
		.nofs		= true,
		.background	= background,
		.end		= fusex_pages_write_end,
	};
	return fusex_call_async(chan, &p->call, GFP_NOFS | __GFP_NOFAIL);
}

static int fusex_pages_write_send(struct fusex_pages *p)
{
	int err;

	p->wr = (struct fusex_write_in) {
		.fh		= fusex_writer_fh(p->inode),
		.offset		= p->pos,
		.size		= p->size,
		.flags		= O_WRONLY,
		.write_flags	= FUSEX_WRITE_CACHE | FUSEX_WRITE_MTIME,
	};
	fusex_i(p->inode)->attr->wrote_when(p->inode, &p->wr.mtime);
	atomic_inc(&fusex_i(p->inode)->wb_writes);
	err = fusex_pages_write_queue(p, true);
	if (err)
		fusex_pages_write_done(p, err);
	return err;
}

static ssize_t fusex_writeback_range(struct iomap_writepage_ctx *wpc,
				     struct folio *folio, u64 pos,
				     unsigned int len, u64 end_pos)
{
	u32 limit = fusex_conf_of(wpc->inode)->max_write;
	struct fusex_pages *p = wpc->wb_ctx;
	size_t n = 0;

	/* A request that was cut at the end of the file takes no more. */
	if (p && p->size == p->bytes)
		n = fusex_pages_add(&p, limit, folio, pos, len);
	if (!n) {
		/* If that fails, it is in the mapping. */
		if (p)
			fusex_pages_write_send(p);
		p = fusex_pages_alloc(wpc->inode, pos);
		n = fusex_pages_add(&p, limit, folio, pos, len);
	}
	wpc->wb_ctx = p;
	p->size += min_t(u64, n, end_pos - pos);
	wbc_account_cgroup_owner(wpc->wbc, folio, n);
	return n;
}

static int fusex_writeback_submit(struct iomap_writepage_ctx *wpc, int error)
{
	int err = fusex_pages_write_send(wpc->wb_ctx);

	wpc->wb_ctx = NULL;
	return error ?: err;
}

static const struct iomap_writeback_ops fusex_writeback_ops = {
	.writeback_range	= fusex_writeback_range,
	.writeback_submit	= fusex_writeback_submit,
};

static bool fusex_pass_enter(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	atomic_inc(&fi->wb_passes);
	/* Pairs with the one in fusex_cache_shrink_begin(). */
	smp_mb__after_atomic();
	if (likely(!test_bit(FUSEX_I_SHRINKING, &fi->state)))
		return true;
	fusex_cache_pass_end(inode);
	return false;
}

/* Who cuts the file waits for the server; who is exiting does not for long. */
static int fusex_wait_cut(struct inode *inode)
{
	unsigned long *state = &fusex_i(inode)->state;

	if (likely(!(current->flags & PF_EXITING)))
		return wait_on_bit(state, FUSEX_I_SHRINKING, TASK_KILLABLE);
	return fusex_wait_exiting(fusex_chan_of(inode),
				  !wait_on_bit_timeout(state, FUSEX_I_SHRINKING,
						       TASK_UNINTERRUPTIBLE,
						       FUSEX_EXIT_WAIT));
}

/**
 * fusex_cache_pass_begin - dirty folios are going to be written back
 * @inode: the file
 * @wbc: which
 *
 * Not while the file is being cut, see fusex_cache_setsize_begin().
 *
 * Context: process, waits for the server only while it cuts the file, and then
 * only if all has to be written; killable.
 * Return: 1, and fusex_cache_pass_end() has to follow; 0 if there is nothing to
 * do now; or -EINTR.
 */
int fusex_cache_pass_begin(struct inode *inode, struct writeback_control *wbc)
{
	int err;

	while (!fusex_pass_enter(inode)) {
		if (wbc->sync_mode == WB_SYNC_NONE)
			return 0;
		err = fusex_wait_cut(inode);
		if (err)
			return err;
	}
	return 1;
}

/**
 * fusex_cache_pass_end - undo fusex_cache_pass_begin()
 * @inode: the file
 *
 * Context: any.
 */
void fusex_cache_pass_end(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (atomic_dec_and_test(&fi->wb_passes))
		wake_up_var(&fi->wb_passes);
}

/**
 * fusex_cache_writepages - write dirty folios back, without waiting for it
 * @mapping: the file's
 * @wbc: what to write
 *
 * Context: as fusex_cache_pass_begin().
 * Return: 0 or the first error; errors found later are set in the mapping.
 */
int fusex_cache_writepages(struct address_space *mapping,
			   struct writeback_control *wbc)
{
	struct iomap_writepage_ctx wpc = {
		.inode	= mapping->host,
		.wbc	= wbc,
		.ops	= &fusex_writeback_ops,
		/* Holes would not be written. */
		.iomap	= { .type = IOMAP_MAPPED },
	};
	int ret;

	ret = fusex_cache_pass_begin(mapping->host, wbc);
	if (ret <= 0)
		return ret;
	ret = iomap_writepages(&wpc);
	fusex_cache_pass_end(mapping->host);
	return ret;
}

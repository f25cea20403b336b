// SPDX-License-Identifier: GPL-2.0
/*
 * Reading into the page cache by mappings.
 *
 * A bio has a use of its mapping (maps.c), as its bi_private.  It ends where the bio
 * does: there is nothing to tell the server.
 *
 * What is read ahead is nearly always data in one piece, and random reads are many
 * and small.  For those there is a way of our own, everything else goes by fs/iomap.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>

#include "backing.h"
#include "io.h"
#include "map.h"

/* ---------------------------------------------------------- the end of a read */

/* What a device has behind the end of the file is not the file's. */
static void read_zero_tail(struct inode *inode, const struct folio_iter *fi)
{
	loff_t left = i_size_read(inode) - folio_pos(fi->folio);
	size_t end = fi->offset + fi->length;

	if (left < (loff_t)end)
		folio_zero_segment(fi->folio, max_t(loff_t, left, fi->offset),
				   end);
}

/* Errors are reported, which must not be done in an interrupt. */
static noinline void read_bio_failed(struct inode *inode, struct bio *bio,
				     int error)
{
	struct iomap_ioend *ioend = iomap_init_ioend(inode, bio, 0, 0);

	ioend->io_error = error;
	ioend->io_private = bio->bi_private;
	fusex_ioend_later(ioend);
}

static void read_bio_end(struct bio *bio)
{
	/* Its folios are locked. */
	struct inode *inode = bio_first_folio_all(bio)->mapping->host;
	void *use = bio->bi_private;
	struct folio_iter fi;
	int error = blk_status_to_errno(bio->bi_status);

	if (fusex_map_failing(use))
		error = -ENODEV;
	if (unlikely(error)) {
		read_bio_failed(inode, bio, error);
		return;
	}
	bio_for_each_folio_all(fi, bio) {
		read_zero_tail(inode, &fi);
		iomap_finish_folio_read(fi.folio, fi.offset, fi.length, 0);
	}
	bio_put(bio);
	fusex_map_unuse(inode, use);
}

/* -------------------------------------------------------------- by fs/iomap */

/* What is inline is there already. */
static int read_folio_range(const struct iomap_iter *iter,
			    struct iomap_read_folio_ctx *ctx, size_t len)
{
	const struct iomap *iomap = &iter->iomap;
	size_t at = offset_in_folio(ctx->cur_folio, iter->pos);

	if (!iomap->inline_data)
		return iomap_bio_read_folio_range(iter, ctx, len);
	memcpy_to_folio(ctx->cur_folio, at,
			iomap_inline_data(iomap, iter->pos), len);
	iomap_finish_folio_read(ctx->cur_folio, at, len, 0);
	return 0;
}

/* Is nothing else going to be done by the mapping?  Then its use is the bio's. */
static bool read_is_last(const struct iomap_iter *iter)
{
	return !iomap_length(iter) && !(iter->iomap.flags & IOMAP_F_PRIVATE);
}

static void submit_read(const struct iomap_iter *iter,
			struct iomap_read_folio_ctx *ctx)
{
	struct fusex_map_op *op = iter->private;
	struct bio *bio = ctx->read_ctx;

	bio->bi_private = iter->iomap.private;
	if (read_is_last(iter))
		op->given = true;
	else
		fusex_map_use(iter->inode, bio->bi_private);
	iomap_bio_submit_read_endio(iter, ctx, read_bio_end);
}

const struct iomap_read_ops fusex_map_read_ops = {
	.read_folio_range	= read_folio_range,
	.submit_read		= submit_read,
	.bio_set		= &fusex_ioend_bioset,
};

/* ------------------------------------------------------------- reading ahead */

/* @use goes with it. */
static void ahead_submit(struct bio *bio, void *use)
{
	bio->bi_private = use;
	bio->bi_end_io = read_bio_end;
	submit_bio(bio);
}

static struct bio *ahead_bio(const struct readahead_control *rac,
			     const struct iomap *iomap, loff_t pos,
			     unsigned int pages)
{
	gfp_t gfp = mapping_gfp_constraint(rac->mapping, GFP_KERNEL);
	struct bio *bio;

	/* It sleeps, and does not fail. */
	bio = bio_alloc_bioset(iomap->bdev, bio_max_segs(pages),
			       REQ_OP_READ | REQ_RAHEAD, gfp,
			       &fusex_ioend_bioset);
	bio->bi_iter.bi_sector = iomap_sector(iomap, pos);
	return bio;
}

/* Folios that nobody has looked at yet, one after the other. */
static void ahead_read(struct readahead_control *rac, const struct iomap *iomap)
{
	struct inode *inode = rac->mapping->host;
	loff_t pos = readahead_pos(rac);
	unsigned int pages = readahead_count(rac);
	struct bio *bio = ahead_bio(rac, iomap, pos, pages);
	struct folio *folio;

	while ((folio = readahead_folio(rac))) {
		if (!bio_add_folio(bio, folio, folio_size(folio), 0)) {
			ahead_submit(bio,
				     fusex_map_use(inode, iomap->private));
			bio = ahead_bio(rac, iomap, pos, pages);
			bio_add_folio_nofail(bio, folio, folio_size(folio), 0);
		}
		pos += folio_size(folio);
		pages -= folio_nr_pages(folio);
	}
	ahead_submit(bio, iomap->private);
}

/**
 * fusex_map_readahead - fill a window of the page cache, as the operation
 * @rac: the window
 *
 * Context: process, sleeps on the server and the device.
 */
void fusex_map_readahead(struct readahead_control *rac)
{
	struct iomap_read_folio_ctx ctx = {
		.ops	= &fusex_map_read_ops,
		.rac	= rac,
	};
	struct fusex_map_op op = {};
	struct iomap iomap = {};

	/*
	 * RWF_NOWAIT looks like this, and is not to wait for the server; all others
	 * read what they need by themselves.
	 */
	if (readahead_count(rac) &&
	    fusex_map_known(rac->mapping->host, readahead_pos(rac),
			    readahead_length(rac), 0, &iomap))
		ahead_read(rac, &iomap);
	else if (!(current->flags & PF_MEMALLOC_NOIO))
		iomap_readahead(&fusex_map_iomap_ops, &ctx, &op);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings that fs/dax goes by.
 *
 * What is stored into goes nowhere else afterwards, so space is made ready first:
 * what is unwritten becomes zeros on the device, and the server is told that it is
 * written.  From then on it is like any other.  One at a time does that in a file
 * (fusex_maps.alloc), or one would zero what another has written.
 *
 * A page of memory that a fault has mapped is used long after the fault.  What
 * changes the mappings of a file without waiting for it (notifications) changes
 * their sequence number and unmaps, and a fault that has gone by an older number
 * unmaps its page itself.  The page stays the file's nevertheless.  A fault that
 * finds it where another one is to be says so (-EBADCOOKIE, which no server can),
 * and it is taken away before anything else is mapped there: see io_dax.c.
 */
#include <linux/dax.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "backing.h"
#include "daxdev.h"
#include "io.h"
#include "map.h"

/* How often the server may change its mind about what it was told. */
#define DAX_TRIES	3

/* iomap.validity_cookie: pages are claimed; the sequence number is below. */
#define DAX_CLAIMED	BIT_ULL(40)

/* Likewise: there is no reference to the device, see fusex_daxdev_known(). */
#define DAX_KNOWN	BIT_ULL(41)

/* ------------------------------------------------------------- making ready */

static int dax_tell_written(struct inode *inode, const struct iomap *iomap,
			    loff_t start, loff_t end)
{
	struct fusex_bobj *obj = fusex_map_device(iomap->private);
	struct fusex_map_ioend_in in = {
		.offset	= start,
		.length	= end - start,
		.addr	= fusex_daxdev_addr(obj, iomap, start),
		.dev	= obj->cookie,
		.flags	= FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_DIRECT,
	};

	if (fusex_tell_later(inode, &in))
		return 0;
	return fusex_ioend_tell(inode, &in, false);
}

/*
 * Only what is going to be stored to.  Returns what is ready, bytes.
 *
 * Where nothing was, its zeros may be mapped.  IOMAP_F_NEW would see to that, but
 * also take away what a fault has mapped since, while it is used.
 */
static s64 dax_make_ready(const struct iomap_iter *iter,
			  const struct iomap *iomap)
{
	loff_t start = round_down(iter->pos, PAGE_SIZE);
	loff_t end = round_up(iter->pos + iter->len, PAGE_SIZE);
	int err;

	if (iomap->type != IOMAP_UNWRITTEN)
		return -EFSCORRUPTED;
	end = min_t(loff_t, end, iomap->offset + iomap->length);
	err = fusex_daxdev_zero(iomap, start, end);
	if (!err)
		err = dax_tell_written(iter->inode, iomap, start, end);
	if (!err)
		fusex_i(iter->inode)->io->mapped_anew(iter->inode, start,
						      end - 1);
	return err ?: min_t(s64, end - iter->pos, iter->len);
}

static int dax_begin_ready(const struct iomap_iter *iter, u32 op,
			   struct iomap *iomap)
{
	const struct fusex_map_how how = { .locked = true };
	struct inode *inode = iter->inode;
	int tries, err;
	s64 ready;

	for (tries = 0; tries < DAX_TRIES; tries++) {
		err = fusex_map_begin(inode, iter->pos, iter->len, op, &how,
				      iomap, NULL);
		if (err)
			return err;
		if (iomap->type == IOMAP_MAPPED)
			return 0;
		ready = dax_make_ready(iter, iomap);
		fusex_map_done(inode, iomap, iter->pos, iter->len,
			       max(ready, 0), op);
		memset(iomap, 0, sizeof(*iomap));
		if (ready < 0)
			return ready;
	}
	return -EFSCORRUPTED;
}

static int dax_begin_write(const struct iomap_iter *iter, u32 op,
			   struct iomap *iomap)
{
	struct fusex_maps *maps = fusex_maps_get(iter->inode);
	const struct fusex_map_how how = { .nowait = true };
	int err;

	err = fusex_map_begin(iter->inode, iter->pos, iter->len, op, &how,
			      iomap, NULL);
	if (!err && iomap->type == IOMAP_MAPPED)
		return 0;
	if (!err) {
		fusex_map_done(iter->inode, iomap, iter->pos, iter->len, 0, op);
		memset(iomap, 0, sizeof(*iomap));
		err = -EAGAIN;
	}
	if (err != -EAGAIN || iter->flags & IOMAP_NOWAIT)
		return err;
	if (mutex_lock_killable(&maps->alloc))
		return -EINTR;
	err = dax_begin_ready(iter, op, iomap);
	mutex_unlock(&maps->alloc);
	return err;
}

/* --------------------------------------------------------------- faults */

/* Files that share a page have it mapped page by page. */
static void dax_one_page(struct iomap *iomap, loff_t pos)
{
	iomap->addr += pos - iomap->offset;
	iomap->offset = pos;
	iomap->length = PAGE_SIZE;
}

static int dax_begin_fault(const struct iomap_iter *iter, struct iomap *iomap)
{
	struct inode *inode = iter->inode;
	int err;

	/* A recall takes pages away beside faults, also of what is remembered. */
	if (fusex_maps_unsettled(fusex_maps_get(inode)))
		return -EAGAIN;
	/* It would be used for longer than this one operation, zeros as well. */
	err = fusex_map_lasts(inode, iomap);
	if (err)
		return err;
	if (iomap->type != IOMAP_MAPPED)
		return fusex_daxdev_vacant(inode, iter->pos >> PAGE_SHIFT) ?
			0 : -EBADCOOKIE;
	if (iomap->flags & IOMAP_F_SHARED)
		dax_one_page(iomap, iter->pos);
	/* Pages are mapped one by one then. */
	if (iomap->offset + iomap->length < iter->pos + iter->len)
		return 0;
	err = fusex_daxdev_claim(inode, iomap, iter->pos, iter->len);
	if (err == 1)
		iomap->validity_cookie |= DAX_CLAIMED;
	/* fs/dax would put it there anew, though somebody may hold it. */
	else if (!err)
		iomap->flags &= ~IOMAP_F_SHARED;
	return min(err, 0);
}

/* The page that was mapped may be another one's by now. */
static void dax_end_fault(const struct iomap_iter *iter, struct iomap *iomap,
			  u64 len)
{
	if (iomap->validity_cookie & DAX_CLAIMED)
		fusex_daxdev_claimed(iomap, iter->iter_start_pos);
	if (!fusex_map_valid(iter->inode, iomap))
		unmap_mapping_pages(iter->inode->i_mapping,
				    iter->iter_start_pos >> PAGE_SHIFT,
				    PHYS_PFN(len), false);
}

/* ------------------------------------------------------------- the short way */

static bool dax_known_map(const struct iomap_iter *iter,
			  struct fusex_maps *maps, struct fusex_map *map)
{
	if (!fusex_mapcache_find(maps->cache, iter->pos, map))
		return false;
	return map->type == FUSEX_MAP_MAPPED &&
	       !(map->flags & FUSEX_MAP_F_SHARED);
}

static struct fusex_bobj *dax_known_device(const struct iomap_iter *iter,
					   const struct fusex_map *map,
					   struct iomap *iomap)
{
	struct fusex_chan *chan = fusex_chan_of(iter->inode);
	u32 access = FUSEX_BACKING_READ;

	/* What is mapped can be read, too. */
	if (iter->flags & (IOMAP_WRITE | IOMAP_ZERO))
		access |= FUSEX_BACKING_WRITE;
	return fusex_daxdev_known(chan, map, access, iomap);
}

/*
 * fusex_map_begin() for data of a local file, which is all there is to most faults,
 * and to reads and writes of a few bytes.  Returns false if it is not as simple.
 */
static bool dax_begin_known(const struct iomap_iter *iter, struct iomap *iomap)
{
	const struct fusex_inode *fi = fusex_i(iter->inode);
	/* Pairs with fusex_maps_get(). */
	struct fusex_maps *maps = smp_load_acquire(&fi->maps);
	struct fusex_bobj *obj = NULL;
	struct fusex_map map;
	unsigned long use;

	if (!maps || fi->attr->shared ||
	    !fusex_chan_alive(fusex_chan_of(iter->inode)))
		return false;
	iomap->validity_cookie = fusex_mapcache_seq(maps->cache) | DAX_KNOWN;
	use = fusex_maps_enter(maps);
	if (dax_known_map(iter, maps, &map))
		obj = dax_known_device(iter, &map, iomap);
	if (!obj) {
		fusex_maps_leave(maps, use);
		return false;
	}
	iomap->offset = map.offset;
	iomap->length = map.length;
	iomap->type = IOMAP_MAPPED;
	iomap->private = (void *)(use | (unsigned long)obj);
	if (iter->flags & IOMAP_WRITE &&
	    fusex_maps_dirty(maps, iter->pos + iter->len))
		iomap->flags |= IOMAP_F_DIRTY;
	return true;
}

/* Ends either. */
static void dax_done(const struct iomap_iter *iter, struct iomap *iomap,
		     loff_t pos, u64 len, u64 done)
{
	u32 op = 0;

	if (likely(iomap->validity_cookie & DAX_KNOWN)) {
		fusex_backing_done(fusex_map_device(iomap->private), 0);
		fusex_maps_leave(fusex_i(iter->inode)->maps,
				 (unsigned long)iomap->private);
		return;
	}
	/* What for is of interest to a server that wants to hear of it only. */
	if (iomap->flags & IOMAP_F_PRIVATE)
		op = fusex_map_op_of(iter->flags);
	fusex_map_done(iter->inode, iomap, pos, len, done, op);
}

/* ---------------------------------------------------------------- iteration */

/*
 * Who maps pages, or makes space ready, keeps others from it meanwhile, among them who
 * gives a lease back: that is not waited for here.
 */
static int dax_begin_once(const struct iomap_iter *iter, u32 op,
			  struct iomap *iomap)
{
	const struct fusex_map_how how = {
		.nowait	= iter->flags & IOMAP_NOWAIT,
		.locked	= true,
	};

	if (op & FUSEX_MAP_OP_WRITE)
		return dax_begin_write(iter, op, iomap);
	return fusex_map_begin(iter->inode, iter->pos, iter->len, op, &how,
			       iomap, NULL);
}

static int dax_begin_asked(const struct iomap_iter *iter, struct iomap *iomap)
{
	u32 op = fusex_map_op_of(iter->flags);
	int err;

	for (;;) {
		err = dax_begin_once(iter, op, iomap);
		/* A fault waits where it keeps nobody, see io_dax.c. */
		if (err != -EAGAIN || iter->flags & (IOMAP_NOWAIT | IOMAP_FAULT))
			return err;
		err = fusex_maps_settled(iter->inode);
		if (err || fatal_signal_pending(current))
			return -EINTR;
	}
}

static int dax_begin(const struct iomap_iter *iter, struct iomap *iomap)
{
	int err = 0;

	if (!dax_begin_known(iter, iomap)) {
		memset(iomap, 0, sizeof(*iomap));
		err = dax_begin_asked(iter, iomap);
	}
	if (err)
		return err;
	if (iter->flags & IOMAP_FAULT)
		err = dax_begin_fault(iter, iomap);
	/* All that have it would see the zeros. */
	else if (iter->flags & IOMAP_ZERO && iomap->flags & IOMAP_F_SHARED)
		err = -EOPNOTSUPP;
	if (!err)
		return 1;
	dax_done(iter, iomap, iter->pos, iter->len, 0);
	memset(iomap, 0, sizeof(*iomap));
	return err;
}

/* The server is to know where the file ends, or when it was written. */
static int dax_tell(const struct iomap_iter *iter, const struct iomap *iomap,
		    u64 done)
{
	struct fusex_bobj *obj = fusex_map_device(iomap->private);
	loff_t pos = iter->iter_start_pos;
	struct fusex_map_ioend_in in = {
		.offset	= pos,
		.length	= done,
		.addr	= fusex_daxdev_addr(obj, iomap, pos),
		.dev	= obj->cookie,
		.flags	= fusex_ioend_flags(iter->inode, false, false,
					    pos + done),
		.size	= pos + done,
	};

	if (!in.flags)
		return 0;
	in.flags |= FUSEX_IOEND_DIRECT;
	if (fusex_tell_later(iter->inode, &in))
		return 0;
	return fusex_ioend_tell(iter->inode, &in, false);
}

static int dax_end(const struct iomap_iter *iter, struct iomap *iomap)
{
	u64 done = iter->pos - iter->iter_start_pos;
	u64 len = iter->len + done;
	int err = 0;

	if (iter->flags & IOMAP_FAULT)
		dax_end_fault(iter, iomap, len);
	else if (iter->flags & IOMAP_WRITE && done)
		err = dax_tell(iter, iomap, done);
	if (err)
		fusex_i(iter->inode)->maps->failed = err;
	dax_done(iter, iomap, iter->iter_start_pos, len, err ? 0 : done);
	return err;
}

static int fusex_dax_next(const struct iomap_iter *iter, struct iomap *iomap,
			  struct iomap *srcmap)
{
	int err;

	if (iomap->length) {
		err = dax_end(iter, iomap);
		err = err ?: iomap_iter_continue(iter, iomap, srcmap, 0);
		if (err <= 0)
			return err;
	}
	return dax_begin(iter, iomap);
}

const struct iomap_ops fusex_dax_iomap_ops = {
	.iomap_next	= fusex_dax_next,
};

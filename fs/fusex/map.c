// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: asking the server where a range of a file is, and handing the
 * answer to fs/iomap.
 */
#include <linux/jiffies.h>
#include <linux/pagemap.h>

#include "backing.h"
#include "daxdev.h"
#include "io.h"
#include "map.h"
#include "validate.h"

/* iomap.validity_cookie: no mapping to be used again; the sequence number is below. */
#define MAP_ONCE	BIT_ULL(32)

/* Likewise: not that there is no lease, but that it is being given back. */
#define MAP_RECALLED	BIT_ULL(33)

/* ------------------------------------------------------------------- asking */

/* What the most common operations ask for is the same bits in both. */
#define MAP_OP_SAME	(IOMAP_WRITE | IOMAP_ZERO | IOMAP_DIRECT)
static_assert(IOMAP_WRITE == FUSEX_MAP_OP_WRITE);
static_assert(IOMAP_ZERO == FUSEX_MAP_OP_ZERO);
static_assert(IOMAP_DIRECT == FUSEX_MAP_OP_DIRECT);

/**
 * fusex_map_op_of - what fs/iomap or fs/dax wants a mapping for
 * @flags: IOMAP_*
 *
 * Context: any.
 * Return: FUSEX_MAP_OP_*.
 */
u32 fusex_map_op_of(unsigned int flags)
{
	u32 op = flags & MAP_OP_SAME;

	if (likely(!(flags & ~MAP_OP_SAME)))
		return op;
	if (flags & IOMAP_UNSHARE)
		op |= FUSEX_MAP_OP_UNSHARE;
	if (flags & IOMAP_REPORT)
		op |= FUSEX_MAP_OP_REPORT;
	if (flags & IOMAP_FAULT)
		op |= FUSEX_MAP_OP_FAULT;
	if (flags & IOMAP_ATOMIC)
		op |= FUSEX_MAP_OP_ATOMIC;
	if (flags & IOMAP_DAX)
		op |= FUSEX_MAP_OP_DAX;
	return op;
}

/* The page cache is filled by who writes to it, or zeroes it. */
static bool map_op_fills(u32 op)
{
	return op & (FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_ZERO) &&
	       !(op & (FUSEX_MAP_OP_DIRECT | FUSEX_MAP_OP_DAX |
		       FUSEX_MAP_OP_FAULT | FUSEX_MAP_OP_WRITEBACK));
}

/* The page cache reads, and lets a page be written to, with folios locked. */
static bool map_op_locked(u32 op)
{
	return !op || op & FUSEX_MAP_OP_FAULT;
}

/* Does what is remembered do for the operation? */
static bool map_suits(const struct fusex_map *map, u32 op)
{
	if (!(op & (FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_ZERO)))
		return true;
	if (map->flags & FUSEX_MAP_F_SHARED)
		return false;
	if (op & FUSEX_MAP_OP_ATOMIC && !(map->flags & FUSEX_MAP_F_ATOMIC))
		return false;
	if (map->type == FUSEX_MAP_HOLE)
		return !(op & FUSEX_MAP_OP_WRITE);
	return true;
}

/**
 * struct map_answer - what MAP_BEGIN came to, or what was remembered
 * @read: what is there
 * @write: where to write to, type FUSEX_MAP_NONE if that is no other
 * @seq: of the cache, from before it was asked for
 * @once: it is good for this operation only
 * @recalled: because its lease is being given back
 */
struct map_answer {
	struct fusex_map read;
	struct fusex_map write;
	u32 seq;
	bool once;
	bool recalled;
};

/* Check what MAP_BEGIN was answered, and take all but the mappings. */
static int map_reply(struct inode *inode, struct fusex_call *call, u64 epoch)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	const struct fusex_map_begin_out *out = call->out[0].base;
	const char *why;
	int err;

	err = fusex_check_map_begin(fusex_conf_of(inode), call->arg, out,
				    fusex_i(inode)->attr->shared, &why);
	if (err == -EFSCORRUPTED)
		fusex_bad_reply(chan, call, why);
	if (err)
		return err;
	if ((out->read.flags | out->write.flags) & FUSEX_MAP_F_DIRTY)
		fusex_tell_changed(inode);
	/* Nothing was allocated, which is no news of the inode. */
	if (!out->attr.mask)
		return 0;
	fusex_attr_apply(inode, &(struct fusex_attr_reply) {
		.attr	= &out->attr,
		.valid	= out->attr_valid,
		.epoch	= epoch,
		.aside	= true,
	});
	return 0;
}

static int map_ask(struct inode *inode, loff_t pos, u64 len, u32 op,
		   struct map_answer *a, bool *keep)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_map_begin_in in = {
		.offset	= pos,
		.length	= len,
		.op	= op,
		.size	= i_size_read(inode),
	};
	struct fusex_map_begin_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_MAP_BEGIN,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out[0]		= { &out, sizeof(out) },
		.nofs		= op & FUSEX_MAP_OP_WRITEBACK,
	};
	u64 asked = get_jiffies_64();
	u64 epoch = fusex_chan_epoch(chan);
	int err;

	err = fusex_call(chan, &call) ?: map_reply(inode, &call, epoch);
	if (err)
		return err == -ENOSYS ? -EOPNOTSUPP : err;
	a->read = out.read;
	a->write = out.write;
	*keep = fusex_maps_lease(inode, out.lease, out.lease_valid, asked);
	return 0;
}

/* MAP_END, once, for an answer that wants it. */
static noinline void map_send_end(struct inode *inode, loff_t pos, u64 len,
				  u64 done, u32 op)
{
	struct fusex_map_end_in in = {
		.offset	= pos,
		.length	= len,
		.done	= done,
		.op	= op,
	};
	struct fusex_call call = {
		.op		= FUSEX_OP_MAP_END,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.nofs		= op & FUSEX_MAP_OP_WRITEBACK,
	};

	/* Also from who is being killed; there is nothing to fail any more. */
	fusex_call_sure(fusex_chan_of(inode), &call);
}

static void map_tell_end(struct inode *inode, bool wanted, loff_t pos, u64 len,
			 u64 done, u32 op)
{
	if (likely(!wanted))
		return;
	/* Space that was not used may be given back. */
	if (op & FUSEX_MAP_OP_WRITE && done < len)
		fusex_maps_forget(inode, pos + done, LLONG_MAX);
	map_send_end(inode, pos, len, done, op);
}

static bool map_wants_end(const struct map_answer *a)
{
	return (a->read.flags | a->write.flags) & FUSEX_MAP_F_END;
}

/*
 * Remember what was asked for.  What is written elsewhere is not what is read,
 * and the other way round: whatever was known, it will be something else.
 */
static int map_remember(struct fusex_mapcache *mc, struct map_answer *a,
			u32 op, bool keep)
{
	bool change = op & FUSEX_MAP_OP_WRITE;

	if (a->write.type != FUSEX_MAP_NONE)
		return fusex_mapcache_use(mc, &a->write, &a->seq);
	/* An older answer, on its way, does not know of what is written. */
	if (change && !(keep && fusex_mapcache_keeps(&a->read)))
		return fusex_mapcache_use(mc, &a->read, &a->seq);
	if (!keep)
		return 0;
	return change ? fusex_mapcache_add(mc, &a->read, 1, a->seq, GFP_NOFS) :
			fusex_mapcache_learn(mc, &a->read, a->seq, GFP_NOFS);
}

/*
 * Is the answer as good as when it was asked for?  It is used then.  What
 * something else has made of the file's mappings meanwhile, it may not know.
 */
static bool map_use_answer(struct inode *inode, struct map_answer *a, u32 op,
			   unsigned long within, bool keep, unsigned long *use)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	*use = fusex_maps_enter_within(maps, within);
	/* What writeback gets meanwhile is good for it alone. */
	a->recalled = keep && fusex_maps_unsettled(maps);
	keep = keep && !a->recalled;
	if (a->seq == fusex_mapcache_seq(maps->cache) &&
	    map_remember(maps->cache, a, op, keep) != -ESTALE) {
		a->once = !keep;
		return true;
	}
	fusex_maps_leave(maps, *use);
	return false;
}

/* A mapping from the server, used when this returns. */
static int map_fetch(struct inode *inode, loff_t pos, u64 len, u32 op,
		     const struct fusex_map_how *how, struct map_answer *a,
		     unsigned long *use)
{
	bool keep;
	int err;

	for (;;) {
		/* Or it would not know what the kernel goes by. */
		err = fusex_tell_now(inode);
		if (!err)
			err = fusex_maps_may_ask(inode, how, &a->seq);
		/* A direct write has ended just now, before that was looked at. */
		if (!err && fusex_tell_due(inode))
			continue;
		if (!err)
			err = map_ask(inode, pos, len, op, a, &keep);
		if (err ||
		    map_use_answer(inode, a, op, how->within, keep, use))
			return err;
		map_tell_end(inode, map_wants_end(a), pos, len, 0, op);
	}
}

static int map_find(struct inode *inode, loff_t pos, u64 len, u32 op,
		    const struct fusex_map_how *how, struct map_answer *a,
		    unsigned long *use)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	if (!fusex_maps_leased(inode))
		fusex_maps_end_lease(inode);
	a->seq = fusex_mapcache_seq(maps->cache);
	if (fusex_maps_leased(inode)) {
		*use = fusex_maps_enter_within(maps, how->within);
		if (fusex_mapcache_find(maps->cache, pos, &a->read) &&
		    map_suits(&a->read, op)) {
			a->write.type = FUSEX_MAP_NONE;
			a->write.flags = 0;
			a->once = false;
			a->recalled = false;
			return 0;
		}
		fusex_maps_leave(maps, *use);
	}
	if (how->nowait)
		return -EAGAIN;
	return map_fetch(inode, pos, len, op, how, a, use);
}

/* ----------------------------------------------------- handing it to fs/iomap */

static const u16 iomap_types[FUSEX_MAP_NR] = {
	[FUSEX_MAP_HOLE]	= IOMAP_HOLE,
	[FUSEX_MAP_DELALLOC]	= IOMAP_DELALLOC,
	[FUSEX_MAP_MAPPED]	= IOMAP_MAPPED,
	[FUSEX_MAP_UNWRITTEN]	= IOMAP_UNWRITTEN,
	[FUSEX_MAP_INLINE]	= IOMAP_INLINE,
};

/*
 * Zeros are not written through the page cache in dax mode.  Who writes to the page
 * cache may have to read the rest of a block, and what is mapped can be read, too.
 */
static u32 map_access(u32 op)
{
	u32 writes = FUSEX_MAP_OP_WRITE;

	if (op & FUSEX_MAP_OP_DAX)
		writes |= FUSEX_MAP_OP_ZERO;
	if (!(op & writes))
		return FUSEX_BACKING_READ;
	if (op & (FUSEX_MAP_OP_DIRECT | FUSEX_MAP_OP_WRITEBACK))
		return FUSEX_BACKING_WRITE;
	return FUSEX_BACKING_READ | FUSEX_BACKING_WRITE;
}

/* What there is on the device, for who moves the data. */
static int map_on(struct fusex_bobj *obj, loff_t pos, u32 op,
		  struct iomap *iomap)
{
	if (op & FUSEX_MAP_OP_DAX)
		return fusex_daxdev_map(obj, pos, op, iomap);
	/* Memory that is no block device either. */
	if (!obj->bdev && !(op & FUSEX_MAP_OP_REPORT))
		return -EFSCORRUPTED;
	iomap->bdev = obj->bdev;
	return 0;
}

/* From @pos on: a striped device may go on elsewhere in the middle of it. */
static int map_device(struct inode *inode, const struct fusex_map *map,
		      loff_t pos, u32 op, struct iomap *iomap)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	u32 access = map_access(op);
	u64 addr = map->addr;
	u64 len = map->length;
	struct fusex_bobj *obj;
	int err;

	obj = fusex_backing_device(chan, map->dev, access, &addr, &len);
	if (!IS_ERR(obj) && len <= pos - map->offset) {
		fusex_backing_device_put(obj);
		iomap->offset = round_down(pos, i_blocksize(inode));
		addr = map->addr + (iomap->offset - map->offset);
		len = map->offset + map->length - iomap->offset;
		obj = fusex_backing_device(chan, map->dev, access, &addr,
					   &len);
	}
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	iomap->addr = addr;
	iomap->length = len;
	err = map_on(obj, pos, op, iomap);
	if (err) {
		fusex_backing_device_put(obj);
		return err;
	}
	iomap->private = (void *)((unsigned long)iomap->private |
				  (unsigned long)obj);
	return 0;
}

/* Behind what can be inline there is nothing. */
static void map_behind_inline(struct inode *inode, loff_t pos, u64 len,
			      struct iomap *iomap)
{
	iomap->type = IOMAP_HOLE;
	iomap->offset = round_down(pos, i_blocksize(inode));
	iomap->length = round_up(pos + len, i_blocksize(inode)) - iomap->offset;
}

/*
 * What the server keeps of the file, in a page of its own.  For who does not
 * write, it reaches to the end of the page; and what fills the page cache gets it
 * from read_folio_range(), since the file may be growing.  It may have moved to the
 * device since the server was asked (-EAGAIN).
 */
static int map_inline(struct inode *inode, loff_t pos, u64 len, u32 op,
		      struct iomap *iomap)
{
	u64 size = min_t(u64, i_size_read(inode), iomap->length);
	struct page *page;
	struct bio_vec bv;
	ssize_t got = 0;

	if (!(op & FUSEX_MAP_OP_WRITE))
		iomap->length = PAGE_SIZE;
	if (pos >= iomap->length) {
		map_behind_inline(inode, pos, len, iomap);
		return 0;
	}
	if (!op)
		iomap->type = IOMAP_MAPPED;
	page = alloc_page(GFP_NOFS | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	bvec_set_page(&bv, page, size, 0);
	if (size)
		got = fusex_read_send(inode, NULL, 0, &bv, 0, size);
	if (got < 0) {
		__free_page(page);
		return got;
	}
	iomap->inline_data = page_address(page);
	return 0;
}

static int map_fill(struct inode *inode, const struct fusex_map *map,
		    loff_t pos, u64 len, u32 op, struct iomap *iomap)
{
	iomap->offset = map->offset;
	iomap->length = map->length;
	iomap->type = iomap_types[map->type];
	iomap->addr = IOMAP_NULL_ADDR;
	/* What was to go there has been written: this is of nobody. */
	if (map->type == FUSEX_MAP_DELALLOC && op == FUSEX_MAP_OP_DIRECT)
		iomap->type = IOMAP_HOLE;
	if (map->flags & FUSEX_MAP_F_NEW)
		iomap->flags |= IOMAP_F_NEW;
	if (map->flags & FUSEX_MAP_F_SHARED)
		iomap->flags |= IOMAP_F_SHARED;
	if (map->flags & FUSEX_MAP_F_DIRTY)
		iomap->flags |= IOMAP_F_DIRTY;
	if (fusex_map_on_device(map))
		return map_device(inode, map, pos, op, iomap);
	/* Nor what was remembered because somebody wanted to know. */
	if (op & FUSEX_MAP_OP_DAX && map->type != FUSEX_MAP_HOLE)
		return -EFSCORRUPTED;
	if (map->type == FUSEX_MAP_INLINE)
		return map_inline(inode, pos, len, op, iomap);
	return 0;
}

static inline void map_release(struct iomap *iomap)
{
	struct fusex_bobj *obj = fusex_map_device(iomap->private);

	if (obj)
		fusex_backing_device_put(obj);
	if (unlikely(iomap->inline_data))
		free_page((unsigned long)iomap->inline_data);
	iomap->inline_data = NULL;
	iomap->private = NULL;
}

static int map_fill_both(struct inode *inode, loff_t pos, u64 len, u32 op,
			 const struct map_answer *a, struct iomap *iomap,
			 struct iomap *srcmap)
{
	int err;

	if (a->write.type == FUSEX_MAP_NONE)
		return map_fill(inode, &a->read, pos, len, op, iomap);
	/* What is mapped stays where it is. */
	if (op & FUSEX_MAP_OP_DAX)
		return -EOPNOTSUPP;
	err = map_fill(inode, &a->write, pos, len, op, iomap);
	if (err)
		return err;
	/* Out of place: it takes the place of the other when it is written. */
	iomap->flags |= IOMAP_F_SHARED;
	if (a->read.type == FUSEX_MAP_HOLE)
		/* The rest of a block is zero, not what is in the new one. */
		iomap->flags |= IOMAP_F_NEW;
	else if (srcmap)
		err = map_fill(inode, &a->read, pos, len,
			       op & ~FUSEX_MAP_OP_WRITE, srcmap);
	if (err)
		map_release(iomap);
	return err;
}

/* What becomes of the whole to the caller, who writes. */
static unsigned int map_flags(const struct fusex_maps *maps, loff_t end, u32 op)
{
	unsigned int flags = 0;

	if (op & FUSEX_MAP_OP_ATOMIC)
		flags |= IOMAP_F_ATOMIC_BIO;
	if (op & FUSEX_MAP_OP_WRITE && fusex_maps_dirty(maps, end))
		flags |= IOMAP_F_DIRTY;
	return flags;
}

/*
 * The device of a mapping that is remembered.  Who only writes to the page cache
 * needs to know that it is there, and gets it when something has to be read, see
 * map_fill_device().
 */
static __always_inline int map_hit_device(struct inode *inode,
					  const struct fusex_map *map,
					  loff_t pos, u32 op,
					  struct iomap *iomap)
{
	struct fusex_chan *chan = fusex_chan_of(inode);

	/* What is not good for map_fill_device() would be found here again. */
	if (op == FUSEX_MAP_OP_WRITE &&
	    fusex_backing_device_whole(chan, map->dev, map_access(op),
				       map->addr, map->length)) {
		iomap->addr = map->addr;
		return 0;
	}
	return map_device(inode, map, pos, op, iomap);
}

/*
 * What is remembered of data on a device.  Nearly all operations come by here, and
 * most of them are small, so this is in few steps.  What is not found here is looked
 * for with more care.
 */
static __always_inline bool map_hit(struct inode *inode, loff_t pos, u64 len,
				    u32 op, unsigned long within,
				    struct iomap *iomap)
{
	struct fusex_maps *maps = fusex_maps_get(inode);
	unsigned long use = FUSEX_USE_BEGUN;
	struct fusex_map map;
	u32 seq;

	if (!fusex_maps_leased(inode) || op & FUSEX_MAP_OP_DAX)
		return false;
	seq = fusex_mapcache_seq(maps->cache);
	if (!map_op_fills(op))
		use = fusex_maps_enter_within(maps, within);
	if (unlikely(!fusex_mapcache_find(maps->cache, pos, &map) ||
		     !fusex_map_on_device(&map) || !map_suits(&map, op)))
		goto none;
	iomap->offset = map.offset;
	iomap->length = map.length;
	iomap->private = (void *)use;
	if (map_hit_device(inode, &map, pos, op, iomap))
		goto none;
	iomap->type = map.type == FUSEX_MAP_MAPPED ? IOMAP_MAPPED :
						     IOMAP_UNWRITTEN;
	iomap->flags = map_flags(maps, pos + len, op);
	if (map.flags & FUSEX_MAP_F_SHARED)
		iomap->flags |= IOMAP_F_SHARED;
	iomap->validity_cookie = seq;
	return true;
none:
	fusex_maps_leave(maps, use);
	iomap->private = NULL;
	iomap->length = 0;
	return false;
}

/* An answer, used when this returns; @moved if it says what is not so any more. */
static int map_begin_once(struct inode *inode, loff_t pos, u64 len, u32 op,
			  const struct fusex_map_how *how, struct iomap *iomap,
			  struct iomap *srcmap, bool *moved)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;
	struct map_answer a;
	unsigned long use;
	int err;

	*moved = false;
	err = map_find(inode, pos, len, op, how, &a, &use);
	if (err)
		return err;
	iomap->private = (void *)use;
	iomap->validity_cookie = a.seq | (a.once ? MAP_ONCE : 0) |
				 (a.recalled ? MAP_RECALLED : 0);
	err = map_fill_both(inode, pos, len, op, &a, iomap, srcmap);
	if (err) {
		fusex_maps_leave(maps, use);
		map_tell_end(inode, map_wants_end(&a), pos, len, 0, op);
		/* Who goes on after an error is not to take it for one. */
		memset(iomap, 0, sizeof(*iomap));
		if (srcmap)
			memset(srcmap, 0, sizeof(*srcmap));
		*moved = err == -EAGAIN && a.read.type == FUSEX_MAP_INLINE;
		return err;
	}
	if (map_op_fills(op))
		iomap->private = fusex_map_uncount(inode, iomap->private);
	if (map_wants_end(&a))
		iomap->flags |= IOMAP_F_PRIVATE;
	iomap->flags |= map_flags(maps, pos + len, op);
	return 0;
}

/* The server is asked if it has to be. */
static noinline int map_begin_asking(struct inode *inode, loff_t pos, u64 len,
				     u32 op, const struct fusex_map_how *how,
				     struct iomap *iomap, struct iomap *srcmap)
{
	int tries = FUSEX_MAP_TRIES;
	bool moved;
	int err;

	do {
		/* Nobody says any more whose the space is. */
		if (!fusex_chan_alive(fusex_chan_of(inode)))
			return op & FUSEX_MAP_OP_WRITEBACK ? -EIO : -ENOTCONN;
		err = map_begin_once(inode, pos, len, op, how, iomap, srcmap,
				     &moved);
	} while (moved && --tries);
	return moved ? -EIO : err;
}

/**
 * fusex_map_begin - find where a range is, and begin to use it
 * @inode: the file, in iomap or dax mode
 * @pos: first byte
 * @len: bytes
 * @op: FUSEX_MAP_OP_*
 * @how: how to find it
 * @iomap: zeroed, returns it; fusex_map_done() when it is no longer used
 * @srcmap: likewise, what to read where writing goes elsewhere; NULL for who
 *	does not read
 *
 * What fills the page cache is not waited for by who takes the space away, and
 * looks again with each folio locked: fusex_map_get_folio().
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -EAGAIN when it would have to wait and must not, or an error.
 */
int fusex_map_begin(struct inode *inode, loff_t pos, u64 len, u32 op,
		    const struct fusex_map_how *how, struct iomap *iomap,
		    struct iomap *srcmap)
{
	if (map_hit(inode, pos, len, op, how->within, iomap))
		return 0;
	return map_begin_asking(inode, pos, len, op, how, iomap, srcmap);
}

static __always_inline void map_done(struct inode *inode, struct iomap *iomap,
				     loff_t pos, u64 len, u64 done, u32 op)
{
	unsigned long use = (unsigned long)iomap->private;

	if (!use)
		return;
	map_release(iomap);
	/* Before the server is asked: who waits for the use may be it. */
	fusex_maps_leave(fusex_i(inode)->maps, use);
	map_tell_end(inode, iomap->flags & IOMAP_F_PRIVATE, pos, len, done, op);
}

/**
 * fusex_map_done - a mapping is no longer used, but for bios
 * @inode: the file
 * @iomap: from fusex_map_begin(), or all zeros
 * @pos: first byte it was used for
 * @len: bytes
 * @done: bytes of them that were done
 * @op: FUSEX_MAP_OP_* it was asked for with
 *
 * Context: process, sleeps on the server if that wants to know, killable.
 */
void fusex_map_done(struct inode *inode, struct iomap *iomap, loff_t pos,
		    u64 len, u64 done, u32 op)
{
	map_done(inode, iomap, pos, len, done, op);
}

/**
 * fusex_map_known - begin to use a mapping of data that is remembered
 * @inode: the file, in iomap mode
 * @pos: first byte
 * @len: bytes
 * @op: FUSEX_MAP_OP_*
 * @iomap: zeroed, returns it; fusex_map_done() when it is no longer used
 *
 * Context: process, does not wait for the server.
 * Return: true if all of the range is data, in one piece on one device; else
 * the length of @iomap is 0, and it is of no use.
 */
bool fusex_map_known(struct inode *inode, loff_t pos, u64 len, u32 op,
		     struct iomap *iomap)
{
	if (!map_hit(inode, pos, len, op, 0, iomap))
		return false;
	if (iomap->type == IOMAP_MAPPED &&
	    pos + len <= iomap->offset + iomap->length)
		return true;
	map_done(inode, iomap, pos, len, 0, op);
	iomap->length = 0;
	return false;
}

/**
 * fusex_map_valid - is a mapping as good as when it was found?
 * @inode: the file
 * @iomap: the mapping
 *
 * That its lease has expired does not matter to who has begun to use it, or one
 * that is shorter than a request takes would never be of use.
 *
 * Context: any.
 * Return: true if nothing has changed since.
 */
bool fusex_map_valid(struct inode *inode, const struct iomap *iomap)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	return (u32)iomap->validity_cookie == fusex_mapcache_seq(maps->cache);
}

/**
 * fusex_map_lasts - may a mapping be used until it is taken back?
 * @inode: the file
 * @iomap: the mapping, in use
 *
 * Context: any.
 * Return: 0; -EAGAIN if it is just being taken back, see fusex_maps_settled();
 * -EOPNOTSUPP if it is good for one operation only.
 */
int fusex_map_lasts(struct inode *inode, const struct iomap *iomap)
{
	if (!fusex_i(inode)->attr->shared ||
	    !(iomap->validity_cookie & MAP_ONCE))
		return 0;
	return iomap->validity_cookie & MAP_RECALLED ? -EAGAIN : -EOPNOTSUPP;
}

/**
 * fusex_map_covers - can a mapping be used for one operation more?
 * @inode: the file
 * @iomap: the mapping
 * @pos: what for, bytes
 *
 * Context: any.
 * Return: true if it is valid, leased, of @pos, and not for one operation only.
 */
bool fusex_map_covers(struct inode *inode, const struct iomap *iomap, loff_t pos)
{
	return iomap->private && pos >= iomap->offset &&
	       pos < iomap->offset + iomap->length &&
	       !(iomap->validity_cookie & MAP_ONCE) &&
	       fusex_map_valid(inode, iomap) && fusex_maps_leased(inode);
}

/* ---------------------------------------------------------------- iteration */

/* The server gets inline data as it is now, all that was written at once. */
static int map_inline_written(struct inode *inode, const struct iomap *iomap,
			      loff_t pos, u64 len)
{
	loff_t end = min_t(loff_t, pos + len, i_size_read(inode));
	struct bio_vec bv;
	ssize_t ret;

	/* Zeros behind the end are nobody's. */
	if (pos >= end)
		return 0;
	bvec_set_virt(&bv, iomap->inline_data, end);
	ret = fusex_write_send(inode, NULL, &pos, &bv, pos, end - pos,
			       O_WRONLY, 0);
	if (ret >= 0 && pos + ret < end)
		ret = -EIO;
	if (ret >= 0)
		return 0;
	/* The page cache has what the server has not. */
	fusex_attr_uncertain(inode);
	fusex_i(inode)->io->invalidate(inode, 0, LLONG_MAX);
	return ret;
}

static int map_iter_end(const struct iomap_iter *iter, struct iomap *iomap,
			struct iomap *srcmap)
{
	u64 done = iter->pos - iter->iter_start_pos;
	u32 op = 0;
	int err = 0;

	if (iomap->type == IOMAP_INLINE && done &&
	    iter->flags & (IOMAP_WRITE | IOMAP_ZERO))
		err = map_inline_written(iter->inode, iomap,
					 iter->iter_start_pos, done);
	if (unlikely(srcmap->private || srcmap->inline_data))
		map_release(srcmap);
	/* What for is of interest to a server that wants to hear of it only. */
	if (unlikely(iomap->flags & IOMAP_F_PRIVATE))
		op = fusex_map_op_of(iter->flags);
	map_done(iter->inode, iomap, iter->iter_start_pos, iter->len + done,
		 err ? 0 : done, op);
	return err;
}

/* What an operation cannot do with the mapping that it got. */
static int map_iter_check(const struct iomap_iter *iter,
			  const struct iomap *iomap, const struct iomap *srcmap)
{
	unsigned int mask = i_blocksize(iter->inode) - 1;

	if (!(iter->flags & IOMAP_DIRECT))
		return 0;
	/* It may have to be done again, which the page cache makes possible. */
	if (iter->flags & IOMAP_WRITE && iomap->type == IOMAP_INLINE)
		return -ENOTBLK;
	/* Some of it would be done, and then the rest would have to wait. */
	if (iter->flags & IOMAP_NOWAIT &&
	    iomap->offset + iomap->length < iter->pos + iter->len)
		return -EAGAIN;
	/* The rest of the block comes from elsewhere, through the page cache. */
	if (iter->flags & IOMAP_WRITE && srcmap->type != IOMAP_HOLE &&
	    (iter->pos | iter->len) & mask)
		return -ENOTBLK;
	return 0;
}

static int map_iter_ask(const struct iomap_iter *iter, u32 op,
			struct iomap *iomap, struct iomap *srcmap)
{
	struct fusex_map_op *fmo = iter->private;
	struct fusex_map_how how = {
		.nowait	= iter->flags & IOMAP_NOWAIT,
		.locked	= map_op_locked(op),
		.within	= fmo ? fmo->within : 0,
	};
	int err;

	err = map_begin_asking(iter->inode, iter->pos, iter->len, op, &how,
			       iomap, srcmap);
	if (err == -EAGAIN && how.locked && fmo)
		fmo->recalled = true;
	return err;
}

static int map_iter_begin(const struct iomap_iter *iter, struct iomap *iomap,
			  struct iomap *srcmap)
{
	u32 op = fusex_map_op_of(iter->flags);
	int err = 0;

	if (!map_hit(iter->inode, iter->pos, iter->len, op, 0, iomap))
		err = map_iter_ask(iter, op, iomap, srcmap);
	if (err)
		return err;
	err = map_iter_check(iter, iomap, srcmap);
	if (!err)
		return 1;
	map_release(srcmap);
	fusex_map_done(iter->inode, iomap, iter->pos, iter->len, 0, op);
	return err;
}

static int fusex_map_next(const struct iomap_iter *iter, struct iomap *iomap,
			  struct iomap *srcmap)
{
	struct fusex_map_op *op = iter->private;
	int err = 0;

	if (iomap->length) {
		if (op && op->given) {
			iomap->private = NULL;
			op->given = false;
		}
		err = map_iter_end(iter, iomap, srcmap);
		/* It goes on after an error if something was done. */
		if (err && op)
			op->err = err;
		err = iomap_iter_continue(iter, iomap, srcmap, err);
		if (err <= 0)
			return err;
	}
	return map_iter_begin(iter, iomap, srcmap);
}

const struct iomap_ops fusex_map_iomap_ops = {
	.iomap_next	= fusex_map_next,
};

/* The rest of a block is read: now the device is needed, see map_hit_device(). */
static noinline void map_fill_device(struct inode *inode, struct iomap *iomap,
				     loff_t pos)
{
	struct fusex_mapcache *mc = fusex_i(inode)->maps->cache;
	struct fusex_map map;

	if (fusex_mapcache_find(mc, pos, &map) && fusex_map_on_device(&map)) {
		/* It may have become longer. */
		iomap->offset = map.offset;
		if (!map_device(inode, &map, pos, FUSEX_MAP_OP_WRITE, iomap))
			return;
	}
	/* It is not valid any more. */
	iomap->validity_cookie = fusex_mapcache_seq(mc) - 1;
}

/*
 * What is inline.  Not left to fs/iomap, which complains if the file is larger than
 * that: a reply may have said so since the server was asked.
 */
static noinline void map_fill_inline(struct inode *inode,
				     const struct iomap *iomap,
				     struct folio *folio)
{
	if (folio_test_uptodate(folio) || !fusex_map_valid(inode, iomap))
		return;
	folio_fill_tail(folio, 0, iomap->inline_data, iomap->length);
	iomap_folio_mark_uptodate(folio);
}

/*
 * With the folio locked nothing is waited for any more, so a recall can wait; and
 * what the mapping is used for begins now, if it is still valid.  One task at a
 * time fills the cache of a file.
 */
static struct folio *fusex_map_get_folio(struct iomap_iter *iter, loff_t pos,
					 unsigned int len)
{
	struct fusex_maps *maps = fusex_i(iter->inode)->maps;
	struct folio *folio = iomap_get_folio(iter, pos, len);
	struct iomap *iomap = &iter->iomap;

	lockdep_assert_held_write(&iter->inode->i_rwsem);
	if (IS_ERR(folio))
		return folio;
	maps->filling = fusex_maps_enter(maps);
	if (unlikely(iomap->type == IOMAP_INLINE))
		map_fill_inline(iter->inode, iomap, folio);
	if (iomap->addr != IOMAP_NULL_ADDR && !iomap->bdev &&
	    (pos | len) & (i_blocksize(iter->inode) - 1))
		map_fill_device(iter->inode, iomap, pos);
	return folio;
}

static void map_put_folio(struct inode *inode)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	fusex_maps_leave(maps, maps->filling);
}

static void fusex_map_put_folio(struct inode *inode, loff_t pos,
				unsigned int copied, struct folio *folio)
{
	map_put_folio(inode);
	fusex_filled_folio(inode, pos, copied, folio);
}

const struct iomap_write_ops fusex_map_write_ops = {
	.get_folio	= fusex_map_get_folio,
	.put_folio	= fusex_map_put_folio,
	.iomap_valid	= fusex_map_valid,
};

static void fusex_map_put_zeroed(struct inode *inode, loff_t pos,
				 unsigned int copied, struct folio *folio)
{
	map_put_folio(inode);
	folio_unlock(folio);
	folio_put(folio);
}

/* For what makes no file longer: zeros may be put behind its end. */
const struct iomap_write_ops fusex_map_zero_ops = {
	.get_folio	= fusex_map_get_folio,
	.put_folio	= fusex_map_put_zeroed,
	.iomap_valid	= fusex_map_valid,
};

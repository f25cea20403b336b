/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings: where the server says that ranges of a file are (map.c), who uses
 * what it has said (maps.c), what is remembered of it (mapcache.c), and what is
 * told when data has been written (ioend.c).
 */
#ifndef _FS_FUSEX_MAP_H
#define _FS_FUSEX_MAP_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/fusex.h>
#include <linux/gfp_types.h>
#include <linux/iomap.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "fusex_i.h"

struct fusex_bobj;
struct fusex_call;
struct fusex_mapcache;
struct maple_tree;

/**
 * struct fusex_maps - what an inode has whose data is moved by mappings
 * @inode: the inode
 * @cache: what is remembered
 * @busy: uses of mappings, those that began before and after the last
 *	fusex_maps_quiesce()
 * @turn: which of the two new ones count in
 * @awaited: somebody waits for a counter to become 0
 * @filling: use of who has a folio locked to write to it; inode.i_rwsem
 * @quiesce: one at a time
 * @recalls: what is to be given back, the first just being; fusex_inode.lock
 * @returning: leases that are being given back, devices that go: nothing new is asked
 * @returner: writes back while nobody else does, because he gives back
 * @changing: changes of space whose callers have gone: likewise, but by writeback
 * @lost: one of them was not answered in time: nothing is asked any more
 * @lock: protects @ended, taken in interrupts
 * @ended: struct iomap_ioend whose I/O has ended
 * @work: looks after them
 * @telling: one at a time tells the server of what it is to be told
 * @untold: what that is; fusex_inode.lock
 * @nr_untold: how much of it is left, what is being told included; likewise
 * @telling_later: @tell is on its way; likewise
 * @tell: tells it
 * @changes: how often the server was to be told; likewise
 * @durable: @changes of the last FSYNC that was carried out; likewise
 * @known: bytes of the file as far as the server knows it; fusex_inode.lock
 * @lease: what remembered mappings are good under, 0 for none; likewise
 * @lease_expires: jiffies64; likewise
 * @lease_ends: how many forget what was good under an earlier one: until they have,
 *	what is remembered is not used; likewise
 * @swap: the device that is swapped to through the file, or NULL, as while there are
 *	@recalls; fusex_inode.lock
 * @alloc: dax mode: one at a time makes space ready to be stored into
 * @pages_of: dax mode: devices of which pages may be mapped, a reference each
 * @failed: dax mode: what the server said of a write, i_rwsem
 * @stored: dax mode: what is written back was stored to, and nobody was told when
 *
 * Made when the first mapping is needed, and there until the inode goes.
 */
struct fusex_maps {
	struct inode *inode;
	struct fusex_mapcache *cache;
	atomic_t busy[2];
	unsigned int turn;
	bool awaited;
	unsigned long filling;
	struct list_head recalls;
	atomic_t returning;
	struct task_struct *returner;
	atomic_t changing;
	bool lost;
	struct mutex quiesce;	/* one fusex_maps_quiesce() at a time */
	spinlock_t lock;	/* protects @ended, taken in interrupts */
	struct list_head ended;
	struct work_struct work;
	struct mutex telling;	/* one at a time tells the server */
	struct list_head untold;
	unsigned int nr_untold;
	bool telling_later;
	struct delayed_work tell;
	u32 changes;
	u32 durable;
	loff_t known;
	u64 lease;
	u64 lease_expires;
	unsigned int lease_ends;
	struct fusex_bobj *swap;
	struct mutex alloc;	/* one at a time makes space ready */
	struct xarray pages_of;
	int failed;
	bool stored;
};

/* How often what is inline may have moved to a device when it is asked for. */
#define FUSEX_MAP_TRIES		8

/**
 * struct fusex_map_op - one operation on a file, iomap_iter.private
 * @err: what went wrong after a mapping was used, for the caller to return; -EAGAIN
 *	if what was inline is not any more: it has to be begun again
 * @recalled: it has to wait for fusex_maps_settled() when it has no folio locked,
 *	and to be begun again
 * @given: the use of the last mapping is a bio's now
 * @within: a use that lasts until the operation has ended, 0 for none so far
 */
struct fusex_map_op {
	int err;
	bool recalled;
	bool given;
	unsigned long within;
};

/**
 * struct fusex_map_how - how to find a mapping
 * @nowait: do not ask the server
 * @locked: folios are locked, so a recall is not waited for
 * @within: a use that the new one is part of and that lasts longer, 0 for none
 */
struct fusex_map_how {
	bool nowait;
	bool locked;
	unsigned long within;
};

/**
 * fusex_map_on_device - is a range somewhere on a device?
 * @map: where the server says it is
 *
 * Context: any.
 * Return: true if it has an address.
 */
static inline bool fusex_map_on_device(const struct fusex_map *map)
{
	return map->type == FUSEX_MAP_MAPPED ||
	       map->type == FUSEX_MAP_UNWRITTEN;
}

/* map_space.c */
int fusex_call_space(struct inode *inode, struct fusex_call *call);
bool fusex_space_is_lost(struct inode *inode);
void fusex_space_check(struct inode *inode, const struct fusex_call *call);

/* maps.c */
struct fusex_maps *fusex_maps_make(struct inode *inode);
void fusex_maps_free(struct inode *inode);
int fusex_maps_may_ask(struct inode *inode, const struct fusex_map_how *how,
		       u32 *seq);
int fusex_maps_returned(struct inode *inode);
int fusex_maps_settled(struct inode *inode);
int fusex_maps_return_begin(struct inode *inode, loff_t start, loff_t end);
int fusex_maps_return_flush(struct inode *inode, loff_t start, loff_t end);
int fusex_maps_stop(struct inode *inode);
void fusex_maps_return_end(struct inode *inode);
int fusex_maps_quiesce(struct inode *inode, loff_t start, loff_t end);
void fusex_maps_forget(struct inode *inode, loff_t start, loff_t end);
void fusex_maps_outdate(struct inode *inode);
void fusex_maps_sized(struct inode *inode, loff_t size);
unsigned long fusex_maps_enter_pass(struct fusex_maps *maps);
void *fusex_map_use(struct inode *inode, void *private);
void fusex_map_unuse(struct inode *inode, void *private);
bool fusex_map_failing(void *private);
bool fusex_maps_have_lease(struct inode *inode);
void fusex_maps_end_lease(struct inode *inode);
bool fusex_maps_lease(struct inode *inode, u64 lease, u64 valid, u64 from);

/* ---------------------------------------------------------- uses, see maps.c */

#define FUSEX_USE_TURN		1UL
#define FUSEX_USE_COUNTED	2UL
#define FUSEX_USE_BEGUN		4UL
#define FUSEX_USE_BITS		(FUSEX_USE_TURN | FUSEX_USE_COUNTED | \
				 FUSEX_USE_BEGUN)

/**
 * fusex_maps_get - the mappings of an inode
 * @inode: in iomap or dax mode
 *
 * Context: process, may sleep, not on the server.
 * Return: them; they stay as long as the inode.
 */
static inline struct fusex_maps *fusex_maps_get(struct inode *inode)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);

	return likely(maps) ? maps : fusex_maps_make(inode);
}

/**
 * fusex_maps_unsettled - is what mappings are good for just changing?
 * @maps: the file's
 *
 * Context: any.
 * Return: true if who asks for some has to wait for fusex_maps_settled().
 */
static inline bool fusex_maps_unsettled(const struct fusex_maps *maps)
{
	return atomic_read(&maps->returning) || atomic_read(&maps->changing);
}

/**
 * fusex_map_device - the device of a mapping that is used
 * @private: the use
 *
 * Context: any.
 * Return: it, NULL for a mapping that is on none.
 */
static inline struct fusex_bobj *fusex_map_device(void *private)
{
	return (struct fusex_bobj *)((unsigned long)private & ~FUSEX_USE_BITS);
}

/**
 * fusex_maps_leave - a use ends, its device was given back
 * @maps: the file's
 * @use: the use
 *
 * Context: process, whose inode it is: it does not go yet.
 */
static inline void fusex_maps_leave(struct fusex_maps *maps, unsigned long use)
{
	atomic_t *busy = &maps->busy[use & FUSEX_USE_TURN];

	/* Pairs with maps_idle(). */
	if (use & FUSEX_USE_COUNTED && atomic_dec_and_test(busy) &&
	    unlikely(READ_ONCE(maps->awaited)))
		wake_up_var(busy);
}

/**
 * fusex_maps_enter - begin to use mappings
 * @maps: the file's
 *
 * Context: any.
 * Return: a use without a device, counted in the turn that is on.
 */
static inline unsigned long fusex_maps_enter(struct fusex_maps *maps)
{
	unsigned int turn;

	for (;;) {
		turn = READ_ONCE(maps->turn);
		atomic_inc(&maps->busy[turn]);
		/* Pairs with the one in fusex_maps_quiesce(). */
		smp_mb__after_atomic();
		if (likely(turn == READ_ONCE(maps->turn)))
			return turn | FUSEX_USE_COUNTED | FUSEX_USE_BEGUN;
		fusex_maps_leave(maps, turn | FUSEX_USE_COUNTED);
	}
}

/**
 * fusex_maps_enter_within - begin to use mappings, as part of another use
 * @maps: the file's
 * @within: a use that does not end before this one; 0 for none
 *
 * Who waits for the other one has not to wait for this one.
 *
 * Context: any.
 * Return: like fusex_maps_enter().
 */
static inline unsigned long
fusex_maps_enter_within(struct fusex_maps *maps, unsigned long within)
{
	if (!within)
		return fusex_maps_enter(maps);
	atomic_inc(&maps->busy[within & FUSEX_USE_TURN]);
	return within & FUSEX_USE_BITS;
}

/**
 * fusex_map_uncount - go on with a mapping that nobody waits for
 * @inode: the file
 * @private: a use, has not ended
 *
 * Nothing is done by it without looking, in a use that is counted, whether it is
 * still valid.  Its device stays.
 *
 * Context: any.
 * Return: the use, as it is from now on.
 */
static inline void *fusex_map_uncount(struct inode *inode, void *private)
{
	unsigned long use = (unsigned long)private;

	fusex_maps_leave(fusex_i(inode)->maps, use);
	return (void *)(use & ~(FUSEX_USE_TURN | FUSEX_USE_COUNTED));
}

/**
 * fusex_maps_leased - may what is remembered be used?
 * @inode: the file
 *
 * If others may change the file, under a lease only.
 *
 * Context: process.
 * Return: true if so.
 */
static inline bool fusex_maps_leased(struct inode *inode)
{
	return likely(!fusex_i(inode)->attr->shared) ||
	       fusex_maps_have_lease(inode);
}

/**
 * fusex_maps_dirty - is a write durable only when the server was told of it?
 * @maps: the file's
 * @end: of what is written
 *
 * Context: any.
 * Return: true if the device alone does not make it durable.
 */
static inline bool fusex_maps_dirty(const struct fusex_maps *maps, loff_t end)
{
	return end > READ_ONCE(maps->known) ||
	       READ_ONCE(maps->changes) != READ_ONCE(maps->durable);
}

/* map.c */
extern const struct iomap_ops fusex_map_iomap_ops;
extern const struct iomap_write_ops fusex_map_write_ops;
extern const struct iomap_write_ops fusex_map_zero_ops;
u32 fusex_map_op_of(unsigned int flags);
int fusex_map_begin(struct inode *inode, loff_t pos, u64 len, u32 op,
		    const struct fusex_map_how *how, struct iomap *iomap,
		    struct iomap *srcmap);
void fusex_map_done(struct inode *inode, struct iomap *iomap, loff_t pos,
		    u64 len, u64 done, u32 op);
bool fusex_map_known(struct inode *inode, loff_t pos, u64 len, u32 op,
		     struct iomap *iomap);
bool fusex_map_valid(struct inode *inode, const struct iomap *iomap);
int fusex_map_lasts(struct inode *inode, const struct iomap *iomap);
bool fusex_map_covers(struct inode *inode, const struct iomap *iomap,
		      loff_t pos);

/* ioend.c */
extern struct bio_set fusex_ioend_bioset;
u32 fusex_ioend_flags(struct inode *inode, bool unwritten, bool replace,
		      loff_t end);
int fusex_ioend_tell(struct inode *inode, struct fusex_map_ioend_in *in,
		     bool nofs);
void fusex_ioend_written(struct inode *inode,
			 const struct fusex_map_ioend_in *in);
int fusex_map_writepages(struct address_space *mapping,
			 struct writeback_control *wbc);
void fusex_ioend_later(struct iomap_ioend *ioend);
void fusex_ioend_work(struct work_struct *work);
int fusex_ioend_init(void);
void fusex_ioend_exit(void);

/* map_read.c */
extern const struct iomap_read_ops fusex_map_read_ops;
void fusex_map_readahead(struct readahead_control *rac);

/* tell.c */
bool fusex_tell_joins(const struct fusex_map_ioend_in *last,
		      const struct fusex_map_ioend_in *in);
bool fusex_tell_later(struct inode *inode, const struct fusex_map_ioend_in *in);
void fusex_tell_changed(struct inode *inode);
bool fusex_tell_due(const struct inode *inode);
int fusex_tell_now(struct inode *inode);
void fusex_tell_work(struct work_struct *work);

/* map_dio.c */
void fusex_dio_bio_end(struct bio *bio);
ssize_t fusex_dio_read(struct kiocb *iocb, struct iov_iter *to);
ssize_t fusex_dio_write(struct kiocb *iocb, struct iov_iter *from, bool wait);

/*
 * mapcache.c: the mappings of one file.
 *
 * What is in it was checked.  Mappings never overlap, and neighbours that are
 * one range in the file and on the device, of one type and with the same flags,
 * are one mapping.  All functions may be called beside each other; those that
 * look take no lock.
 *
 * The sequence number changes whenever something that was in the cache no
 * longer is, so who used a mapping can tell whether it may still be good: if he
 * read the number before he found the mapping, or before he made the request
 * that it is from.  A mapping that comes from a request is not taken if the
 * number has changed since: it may be older than what changed it.
 */
struct fusex_mapcache *fusex_mapcache_new(unsigned int blkbits, gfp_t gfp);
void fusex_mapcache_free(struct fusex_mapcache *mc);
u32 fusex_mapcache_seq(const struct fusex_mapcache *mc);
bool fusex_mapcache_find(struct fusex_mapcache *mc, loff_t pos,
			 struct fusex_map *map);
int fusex_mapcache_add(struct fusex_mapcache *mc, const struct fusex_map *maps,
		       unsigned int count, u32 seq, gfp_t gfp);
int fusex_mapcache_put(struct fusex_mapcache *mc, const struct fusex_map *maps,
		       unsigned int count, gfp_t gfp);
int fusex_mapcache_learn(struct fusex_mapcache *mc, const struct fusex_map *map,
			 u32 seq, gfp_t gfp);
void fusex_mapcache_outdate(struct fusex_mapcache *mc);
void fusex_mapcache_drop(struct fusex_mapcache *mc, loff_t start, loff_t end);
bool fusex_mapcache_keeps(const struct fusex_map *map);
int fusex_mapcache_use(struct fusex_mapcache *mc, const struct fusex_map *map,
		       u32 *seq);
void fusex_mapcache_written(struct fusex_mapcache *mc, loff_t start,
			    loff_t end);
unsigned long fusex_mapcache_count(const struct fusex_mapcache *mc);
int fusex_mapcache_init(void);
void fusex_mapcache_exit(void);

#if IS_ENABLED(CONFIG_KUNIT)
unsigned long fusex_mapcache_shrink(unsigned long nr);
struct maple_tree *fusex_mapcache_tree(struct fusex_mapcache *mc);
#endif

#endif /* _FS_FUSEX_MAP_H */

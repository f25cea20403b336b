// SPDX-License-Identifier: GPL-2.0
/*
 * The mappings of one file that are remembered.
 *
 * A span is a range of blocks of one type that is one range on its device, too.
 * The extent says what it is, but not where in the file: an address is kept as
 * its distance from the offset.  So cutting a span does not change its extent,
 * and neighbours that belong together have equal ones.
 *
 * One span is kept in the cache itself, which is all that most files need.
 * More are in a maple tree, by block: 16 bytes each beside its nodes.
 *
 * Changes exclude each other by a mutex.  Whoever holds it tries to get memory,
 * but does not insist: memory may become free only by writeback, which needs
 * the mutex.  What there is none for is not remembered, or forgotten.
 *
 * Lookups take no lock.  Memory that changes need is there when they begin, so
 * they are short (change_begin() to change_end()), and who looked meanwhile
 * looks again.  An extent that is freed under a lookup can become another, but
 * nothing else (SLAB_TYPESAFE_BY_RCU): what was read of it is thrown away.
 *
 * Caches of more than one span are on a list, from which they are emptied when
 * memory is short, those first that were not used for long.
 */
#include <kunit/visibility.h>
#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/seqlock.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#include "map.h"

/* The most extents that go in one change. */
#define MAPCACHE_BATCH	32

/* Never waits for writeback, see above; __GFP_FS goes with the lock. */
#define MAPCACHE_GFP	(__GFP_NORETRY | __GFP_NOWARN)

/*
 * ALLOC_RANGE for the nodes above the leaves, which are of another kind then.
 * The usual ones keep what they say about themselves in their last slot, and
 * mt_free_walk() takes it for a node when a large tree is freed by RCU.  It
 * costs two bytes a mapping.
 */
#define MAPCACHE_TREE	(MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN | \
			 MT_FLAGS_ALLOC_RANGE)

/* The others are about one operation. */
#define MAPCACHE_FLAGS	(FUSEX_MAP_F_SHARED | FUSEX_MAP_F_ATOMIC)

/*
 * Type NONE stands for nothing and is not in a tree.  The bias is addr - offset
 * and may wrap; 0 for what has no address.
 */
struct extent {
	u64 bias;
	u32 dev;
	u16 type;
	u16 flags;
};

/* Blocks, @last included. */
struct span {
	unsigned long first;
	unsigned long last;
	struct extent ext;
};

/*
 * @tree: all spans, if @in_tree; else there is at most one, @one
 * @change: odd while something is changed that lookups read
 * @listed: how many spans lru_extents counts for it, 0 if it is not listed
 * @ref: the owner's, and one while it is emptied because memory is short
 * @referenced: something was found since it was last spared
 */
struct fusex_mapcache {
	struct maple_tree tree;
	/* Of changes, and of the tree. */
	struct mutex lock;
	seqcount_mutex_t change;
	u32 seq;
	struct span one;
	unsigned long count;
	unsigned long listed;
	struct list_head lru;
	refcount_t ref;
	u8 blkbits;
	bool in_tree;
	bool referenced;
};

static struct kmem_cache *mapcache_extents;
static struct shrinker *mapcache_shrinker;

/* Inside of mc->lock.  The cache that is emptied next is at the front. */
static DEFINE_SPINLOCK(lru_lock);
static LIST_HEAD(lru);
static unsigned long lru_extents;

/* ------------------------------------------------------------------ extents */

static struct extent *extent_new(const struct extent *from, gfp_t gfp)
{
	struct extent *ext = kmem_cache_alloc(mapcache_extents, gfp);

	if (ext)
		*ext = *from;
	return ext;
}

static void extent_free(struct extent *ext)
{
	if (ext)
		kmem_cache_free(mapcache_extents, ext);
}

static bool extent_same(const struct extent *a, const struct extent *b)
{
	return a->bias == b->bias && a->dev == b->dev && a->type == b->type &&
	       a->flags == b->flags;
}

/* What is remembered of @map: nothing of what will not last. */
static struct extent extent_of(const struct fusex_map *map)
{
	struct extent ext = { .type = FUSEX_MAP_NONE };

	if (map->flags & FUSEX_MAP_F_NOCACHE)
		return ext;
	/* What of it is not written now is anything but data. */
	if (map->type == FUSEX_MAP_MAPPED && map->flags & FUSEX_MAP_F_NEW)
		return ext;
	if (fusex_map_on_device(map)) {
		ext.bias = map->addr - map->offset;
		ext.dev = map->dev;
	} else if (map->type != FUSEX_MAP_HOLE) {
		return ext;
	}
	ext.type = map->type;
	ext.flags = map->flags & MAPCACHE_FLAGS;
	return ext;
}

/* -------------------------------------------------------------------- spans */

static unsigned long before(unsigned long block)
{
	return block ? block - 1 : 0;
}

static unsigned long behind(unsigned long block)
{
	return block < ULONG_MAX ? block + 1 : ULONG_MAX;
}

static bool overlap(const struct span *a, const struct span *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* They overlap, or there is nothing between them. */
static bool touch(const struct span *a, const struct span *b)
{
	return overlap(a, b) || a->first - 1 == b->last ||
	       b->first - 1 == a->last;
}

static bool contains(const struct span *a, const struct span *b)
{
	return a->first <= b->first && a->last >= b->last;
}

/* Does @a stick out on both sides of @b? */
static bool surrounds(const struct span *a, const struct span *b)
{
	return a->first < b->first && a->last > b->last;
}

static void unite(struct span *a, const struct span *b)
{
	a->first = min(a->first, b->first);
	a->last = max(a->last, b->last);
}

/* The blocks of bytes @start to @end; false if they are beyond an index. */
static bool span_of(const struct fusex_mapcache *mc, u64 start, u64 end,
		    struct span *span)
{
	if (start >> mc->blkbits > ULONG_MAX)
		return false;
	span->first = start >> mc->blkbits;
	span->last = min_t(u64, end >> mc->blkbits, ULONG_MAX);
	span->ext = (struct extent){ .type = FUSEX_MAP_NONE };
	return true;
}

/* ------------------------------------------------------------------- change */

static void change_begin(struct fusex_mapcache *mc)
{
	write_seqcount_begin(&mc->change);
}

/* Last: what was found by the number before is not there any more. */
static void next_seq(struct fusex_mapcache *mc)
{
	/* Who reads the new number finds nothing of the old. */
	smp_store_release(&mc->seq, mc->seq + 1);
}

/* @gone: something that was there is not any more. */
static void change_end(struct fusex_mapcache *mc, bool gone)
{
	if (gone)
		next_seq(mc);
	write_seqcount_end(&mc->change);
}

static struct span span_at(const struct ma_state *mas, const struct extent *ext)
{
	/* It may be freed, and another's: who looked will notice. */
	return (struct span){ mas->index, mas->last, data_race(*ext) };
}

/*
 * The span that @block is in.  What it says is good if nothing was changed
 * meanwhile.  The tree may get empty, which only mas_walk() copes with.
 */
static bool look_in_tree(struct fusex_mapcache *mc, unsigned long block,
			 struct span *span)
{
	MA_STATE(mas, &mc->tree, block, block);
	struct extent *ext;

	rcu_read_lock();
	ext = mas_walk(&mas);
	if (ext)
		*span = span_at(&mas, ext);
	rcu_read_unlock();
	return ext;
}

static bool look(struct fusex_mapcache *mc, unsigned long block,
		 struct span *span)
{
	if (mc->in_tree)
		return look_in_tree(mc, block, span);
	*span = mc->one;
	return mc->count && span->first <= block && span->last >= block;
}

/* The first span that ends at @block or behind it.  Under the lock. */
static bool next_span(struct fusex_mapcache *mc, unsigned long block,
		      struct span *span)
{
	MA_STATE(mas, &mc->tree, block, block);
	struct extent *ext;

	if (!mc->in_tree) {
		*span = mc->one;
		return mc->count && span->last >= block;
	}
	ext = mas_find(&mas, ULONG_MAX);
	if (ext)
		*span = span_at(&mas, ext);
	return ext;
}

/* Forgets everything.  Needs no memory. */
static void forget(struct fusex_mapcache *mc)
{
	MA_STATE(mas, &mc->tree, 0, 0);
	struct extent *ext;
	bool in_tree = mc->in_tree;
	bool gone = mc->count;

	change_begin(mc);
	mc->in_tree = false;
	WRITE_ONCE(mc->count, 0);
	change_end(mc, gone);
	if (!in_tree)
		return;
	mas_for_each(&mas, ext, ULONG_MAX) {
		extent_free(ext);
		cond_resched();
	}
	__mt_destroy(&mc->tree);
}

/* ----------------------------------------------------------------- one span */

static void one_put(struct fusex_mapcache *mc, const struct span *span,
		    bool gone)
{
	change_begin(mc);
	mc->one = *span;
	mc->in_tree = false;
	WRITE_ONCE(mc->count, span->ext.type != FUSEX_MAP_NONE);
	change_end(mc, gone);
}

/* tree_set(), if at most one span is left; false if it would be more. */
static bool one_set(struct fusex_mapcache *mc, const struct span *want)
{
	const struct span *one = &mc->one;
	struct span left = *want;
	bool gone = mc->count && overlap(one, want);

	if (mc->count && extent_same(&one->ext, &want->ext)) {
		if (!touch(one, want))
			return false;
		unite(&left, one);
		gone = false;
	} else if (mc->count && !contains(want, one)) {
		if (want->ext.type != FUSEX_MAP_NONE || surrounds(one, want))
			return false;
		left = *one;
		if (gone && one->first < want->first)
			left.last = want->first - 1;
		else if (gone)
			left.first = want->last + 1;
	}
	one_put(mc, &left, gone);
	return true;
}

/* From the cache itself into the tree. */
static int one_to_tree(struct fusex_mapcache *mc, gfp_t gfp)
{
	MA_STATE(mas, &mc->tree, mc->one.first, mc->one.last);
	struct extent *ext = extent_new(&mc->one.ext, gfp);

	if (!ext)
		return -ENOMEM;
	if (mas_preallocate(&mas, ext, gfp)) {
		extent_free(ext);
		return -ENOMEM;
	}
	change_begin(mc);
	mas_store_prealloc(&mas, ext);
	mc->in_tree = true;
	change_end(mc, false);
	return 0;
}

/* And back: there is at most one left. */
static void tree_to_one(struct fusex_mapcache *mc)
{
	MA_STATE(mas, &mc->tree, 0, 0);
	struct extent *ext = mas_find(&mas, ULONG_MAX);
	struct span span = { .ext.type = FUSEX_MAP_NONE };

	if (ext)
		span = span_at(&mas, ext);
	one_put(mc, &span, false);
	extent_free(ext);
	__mt_destroy(&mc->tree);
}

/* ----------------------------------------------------------------- the tree */

/*
 * @span: what is set, with the neighbours that belong to it
 * @use: its extent, NULL for nothing
 * @made: @use was not in the tree before
 * @both: what sticks out on both sides of it
 * @tail: a copy of that, for the part behind it
 * @tail_last: where that ends
 * @old: those that are not in the tree afterwards: all within @span; there may
 *	be two equal neighbours among them
 * @gone: other content was in the range
 * @same: it was there, there is nothing to do
 */
struct change {
	struct span span;
	struct extent *use;
	bool made;
	struct extent *both;
	struct extent *tail;
	unsigned long tail_last;
	struct extent *old[MAPCACHE_BATCH + 2];
	unsigned int nr_old;
	bool gone;
	bool same;
};

/* What becomes of @ext, at @at, by setting @want. */
static void meet(struct change *c, const struct span *want,
		 const struct span *at, struct extent *ext)
{
	if (extent_same(ext, &want->ext)) {
		c->same |= contains(at, want);
		unite(&c->span, at);
		/* One of them serves for all. */
		if (!c->use)
			c->use = ext;
		else
			c->old[c->nr_old++] = ext;
		return;
	}
	if (!overlap(at, want))
		return;
	c->gone = true;
	if (contains(want, at)) {
		c->old[c->nr_old++] = ext;
	} else if (surrounds(at, want)) {
		c->both = ext;
		c->tail_last = at->last;
	}
}

static int get_extents(struct change *c, gfp_t gfp)
{
	if (!c->use && c->span.ext.type != FUSEX_MAP_NONE) {
		c->use = extent_new(&c->span.ext, gfp);
		if (!c->use)
			return -ENOMEM;
		c->made = true;
	}
	if (c->both) {
		c->tail = extent_new(c->both, gfp);
		if (!c->tail)
			return -ENOMEM;
	}
	return 0;
}

static int tree_store(struct fusex_mapcache *mc, struct change *c, gfp_t gfp)
{
	MA_STATE(mas, &mc->tree, c->span.first, c->span.last);
	unsigned int new = c->made + !!c->tail;
	int err;

	err = mas_preallocate(&mas, c->use, gfp);
	if (err)
		return err;
	change_begin(mc);
	mas_store_prealloc(&mas, c->use);
	if (c->tail) {
		/* In place of exactly one entry: needs no memory. */
		mas_set_range(&mas, c->span.last + 1, c->tail_last);
		mas_store(&mas, c->tail);
	}
	WRITE_ONCE(mc->count, mc->count + new - c->nr_old);
	change_end(mc, c->gone);
	kmem_cache_free_bulk(mapcache_extents, c->nr_old, (void **)c->old);
	return 0;
}

/* @want, in which there are at most MAPCACHE_BATCH spans, is what is there. */
static int tree_set(struct fusex_mapcache *mc, const struct span *want,
		    gfp_t gfp)
{
	MA_STATE(mas, &mc->tree, before(want->first), before(want->first));
	struct change c = { .span = *want };
	struct extent *ext;
	int err;

	mas_for_each(&mas, ext, behind(want->last)) {
		struct span at = { mas.index, mas.last };

		meet(&c, want, &at, ext);
	}
	if (c.same || (want->ext.type == FUSEX_MAP_NONE && !c.gone))
		return 0;
	err = get_extents(&c, gfp);
	if (!err)
		err = tree_store(mc, &c, gfp);
	if (err) {
		extent_free(c.tail);
		extent_free(c.made ? c.use : NULL);
	}
	return err;
}

/* Are there so many spans in @part that they go first?  Makes it those. */
static bool crowded(struct fusex_mapcache *mc, struct span *part)
{
	MA_STATE(mas, &mc->tree, part->first, part->first);
	unsigned int count = 0;

	while (mas_find(&mas, part->last) && mas.last <= part->last) {
		if (mas.index < part->first || ++count < MAPCACHE_BATCH)
			continue;
		part->last = mas.last;
		return true;
	}
	return false;
}

/* -------------------------------------------------------------- all of them */

/* @want is what is there from now on.  If it fails, something may be gone. */
static int set(struct fusex_mapcache *mc, const struct span *want, gfp_t gfp)
{
	struct span part = *want;
	int err = 0;

	if (!mc->in_tree) {
		if (one_set(mc, want))
			return 0;
		err = one_to_tree(mc, gfp);
		if (err)
			return err;
	}
	part.ext.type = FUSEX_MAP_NONE;
	while (!err && crowded(mc, &part)) {
		err = tree_set(mc, &part, gfp);
		part.last = want->last;
		cond_resched();
	}
	if (!err)
		err = tree_set(mc, want, gfp);
	if (mc->count <= 1)
		tree_to_one(mc);
	return err;
}

/* The range of @span is forgotten, and more if there is no memory for less. */
static void clear(struct fusex_mapcache *mc, const struct span *span)
{
	struct span nothing = *span;

	nothing.ext = (struct extent){ .type = FUSEX_MAP_NONE };
	if (set(mc, &nothing, GFP_NOFS | MAPCACHE_GFP))
		forget(mc);
}

static bool map_span(const struct fusex_mapcache *mc,
		     const struct fusex_map *map, struct span *span)
{
	if (!map->length ||
	    !span_of(mc, map->offset, map->offset + map->length - 1, span))
		return false;
	span->ext = extent_of(map);
	return true;
}

static int put_all(struct fusex_mapcache *mc, const struct fusex_map *maps,
		   unsigned int count, gfp_t gfp)
{
	struct span span;
	unsigned int i;
	int err = 0;

	for (i = 0; i < count; i++) {
		if (map_span(mc, &maps[i], &span))
			err = set(mc, &span, gfp | MAPCACHE_GFP);
		if (err)
			break;
	}
	/* What there was may contradict what could not be remembered. */
	for (; i < count; i++) {
		if (map_span(mc, &maps[i], &span))
			clear(mc, &span);
	}
	return err;
}

/* ----------------------------------------------------------------- the list */

/* As many spans as there are now can be had from @mc. */
static void lru_update(struct fusex_mapcache *mc)
{
	unsigned long count = mc->count > 1 ? mc->count : 0;

	/* Changes under both locks. */
	if (count == mc->listed)
		return;
	spin_lock(&lru_lock);
	if (!mc->listed)
		list_add_tail(&mc->lru, &lru);
	else if (!count)
		list_del(&mc->lru);
	WRITE_ONCE(lru_extents, lru_extents + count - mc->listed);
	mc->listed = count;
	spin_unlock(&lru_lock);
}

/* Locks and holds @mc unless it is spared. */
static bool lru_take(struct fusex_mapcache *mc)
{
	list_move_tail(&mc->lru, &lru);
	if (READ_ONCE(mc->referenced)) {
		WRITE_ONCE(mc->referenced, false);
		return false;
	}
	/* The memory that is wanted may be for who has the lock. */
	if (!mutex_trylock(&mc->lock))
		return false;
	refcount_inc(&mc->ref);
	return true;
}

/* The next in turn, or NULL. */
static struct fusex_mapcache *lru_next(void)
{
	struct fusex_mapcache *mc;

	spin_lock(&lru_lock);
	mc = list_first_entry_or_null(&lru, struct fusex_mapcache, lru);
	if (mc && !lru_take(mc))
		mc = NULL;
	spin_unlock(&lru_lock);
	return mc;
}

static void mapcache_release(struct fusex_mapcache *mc)
{
	if (refcount_dec_and_test(&mc->ref)) {
		mutex_destroy(&mc->lock);
		kfree(mc);
	}
}

/**
 * fusex_mapcache_shrink - give memory back
 * @nr: how many mappings should go
 *
 * Empties caches that have more than one, until there were enough.  One that
 * was used lately is spared once, one that is being changed is left alone; both
 * count like one mapping, so that this ends.
 *
 * Context: any in which memory can be freed, does not sleep for it.
 * Return: how many went.
 */
VISIBLE_IF_KUNIT unsigned long fusex_mapcache_shrink(unsigned long nr)
{
	unsigned long i, freed = 0;
	struct fusex_mapcache *mc;

	for (i = 0; i < nr && freed < nr && READ_ONCE(lru_extents); i++) {
		mc = lru_next();
		if (!mc)
			continue;
		freed += mc->count;
		forget(mc);
		lru_update(mc);
		mutex_unlock(&mc->lock);
		mapcache_release(mc);
	}
	return freed;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_mapcache_shrink);

static unsigned long mapcache_count(struct shrinker *shrinker,
				    struct shrink_control *sc)
{
	return READ_ONCE(lru_extents) ?: SHRINK_EMPTY;
}

static unsigned long mapcache_scan(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	return fusex_mapcache_shrink(sc->nr_to_scan);
}

/* ------------------------------------------------------------ the interface */

static unsigned int mapcache_lock(struct fusex_mapcache *mc)
{
	mutex_lock(&mc->lock);
	return memalloc_nofs_save();
}

static void mapcache_unlock(struct fusex_mapcache *mc, unsigned int nofs)
{
	lru_update(mc);
	memalloc_nofs_restore(nofs);
	mutex_unlock(&mc->lock);
}

/**
 * fusex_mapcache_new - make the cache of a file
 * @blkbits: log2 of the block size, which all mappings are multiples of
 * @gfp: how to get the memory
 *
 * Context: as @gfp says.
 * Return: it, for fusex_mapcache_free(), or NULL.
 */
struct fusex_mapcache *fusex_mapcache_new(unsigned int blkbits, gfp_t gfp)
{
	struct fusex_mapcache *mc = kzalloc_obj(*mc, gfp);

	if (!mc)
		return NULL;
	mutex_init(&mc->lock);
	seqcount_mutex_init(&mc->change, &mc->lock);
	mt_init_flags(&mc->tree, MAPCACHE_TREE);
	mt_set_external_lock(&mc->tree, &mc->lock);
	refcount_set(&mc->ref, 1);
	mc->blkbits = blkbits;
	return mc;
}

/**
 * fusex_mapcache_free - the file goes
 * @mc: its cache, used by nobody any more, or NULL
 *
 * Context: process; may be called by reclaim, needs no memory.
 */
void fusex_mapcache_free(struct fusex_mapcache *mc)
{
	unsigned int nofs;

	if (!mc)
		return;
	nofs = mapcache_lock(mc);
	forget(mc);
	mapcache_unlock(mc, nofs);
	mapcache_release(mc);
}

/**
 * fusex_mapcache_seq - the sequence number
 * @mc: the cache
 *
 * What is found after it was read is good as long as it stays.  So is what is
 * added after it was read, and before the server was asked.
 *
 * Context: any.
 * Return: it.
 */
u32 fusex_mapcache_seq(const struct fusex_mapcache *mc)
{
	/* Pairs with those who change it: what it is about is seen, too. */
	return smp_load_acquire(&mc->seq);
}

/**
 * fusex_mapcache_count - how many mappings are there?
 * @mc: the cache
 *
 * Context: any.
 * Return: that.
 */
unsigned long fusex_mapcache_count(const struct fusex_mapcache *mc)
{
	return READ_ONCE(mc->count);
}

/**
 * fusex_mapcache_find - what is known of a position
 * @mc: the cache
 * @pos: in the file, bytes
 * @map: returns the whole mapping that it is in
 *
 * Context: process; waits for no lock and no memory.
 * Return: true; false if nothing is known, @map is not touched.
 */
bool fusex_mapcache_find(struct fusex_mapcache *mc, loff_t pos,
			 struct fusex_map *map)
{
	unsigned long block = pos >> mc->blkbits;
	unsigned int start;
	struct span span = {};
	bool found;

	if ((u64)pos >> mc->blkbits > ULONG_MAX)
		return false;
	do {
		start = read_seqcount_begin(&mc->change);
		found = look(mc, block, &span);
	} while (read_seqcount_retry(&mc->change, start));
	if (!found)
		return false;
	if (!READ_ONCE(mc->referenced))
		WRITE_ONCE(mc->referenced, true);
	*map = (struct fusex_map){
		.offset = (u64)span.first << mc->blkbits,
		.length = ((u64)span.last - span.first + 1) << mc->blkbits,
		.type = span.ext.type,
		.flags = span.ext.flags,
		.dev = span.ext.dev,
	};
	if (fusex_map_on_device(map))
		map->addr = map->offset + span.ext.bias;
	return true;
}

/**
 * fusex_mapcache_add - remember what was asked for
 * @mc: the cache
 * @maps: what the server answered, checked
 * @count: how many
 * @seq: fusex_mapcache_seq() of before it was asked
 * @gfp: how to get memory; reclaim does not enter file systems whatever it says
 *
 * They take the place of what is there.  Those that cannot be remembered
 * (DELALLOC, INLINE, NONE, NOCACHE, MAPPED that is NEW) only remove it; NEW, DIRTY
 * and END are not kept.
 * The sequence number changes if something else was there.
 *
 * Context: process, may wait for memory.
 * Return: 0; -ESTALE, and nothing was done, if something went since @seq;
 * -ENOMEM, and of some of the ranges nothing is remembered any more.
 */
int fusex_mapcache_add(struct fusex_mapcache *mc, const struct fusex_map *maps,
		       unsigned int count, u32 seq, gfp_t gfp)
{
	unsigned int nofs = mapcache_lock(mc);
	int err = -ESTALE;

	if (mc->seq == seq)
		err = put_all(mc, maps, count, gfp);
	mapcache_unlock(mc, nofs);
	return err;
}

/* Is something else known of part of @span than what it says? */
static bool contradicts(struct fusex_mapcache *mc, const struct span *span)
{
	struct span at;
	unsigned long from = span->first;

	while (next_span(mc, from, &at) && at.first <= span->last) {
		if (!extent_same(&at.ext, &span->ext))
			return true;
		if (at.last >= span->last)
			break;
		from = at.last + 1;
	}
	return false;
}

/**
 * fusex_mapcache_learn - remember an answer that has changed nothing
 * @mc: the cache
 * @map: what the server answered, checked
 * @seq: fusex_mapcache_seq() of before it was asked
 * @gfp: like that of fusex_mapcache_add()
 *
 * Like fusex_mapcache_add(), but what is known may be newer: where the two do not
 * agree, all of it is forgotten.
 *
 * Context: process, may wait for memory.
 * Return: 0; -ESTALE if something went since @seq, or went now; -ENOMEM.
 */
int fusex_mapcache_learn(struct fusex_mapcache *mc, const struct fusex_map *map,
			 u32 seq, gfp_t gfp)
{
	unsigned int nofs = mapcache_lock(mc);
	struct span span;
	int err = -ESTALE;

	if (mc->seq != seq)
		goto out;
	if (map_span(mc, map, &span) && contradicts(mc, &span))
		clear(mc, &span);
	else
		err = put_all(mc, map, 1, gfp);
out:
	mapcache_unlock(mc, nofs);
	return err;
}

/**
 * fusex_mapcache_outdate - what is on its way is not to be believed
 * @mc: the cache
 *
 * Only the sequence number changes.
 *
 * Context: process.
 */
void fusex_mapcache_outdate(struct fusex_mapcache *mc)
{
	unsigned int nofs = mapcache_lock(mc);

	next_seq(mc);
	mapcache_unlock(mc, nofs);
}

/**
 * fusex_mapcache_put - remember what the server says unasked
 * @mc: the cache
 * @maps: what it says, checked
 * @count: how many
 * @gfp: like that of fusex_mapcache_add()
 *
 * Like fusex_mapcache_add(), whatever happened before.
 *
 * Context: process, may wait for memory.
 * Return: 0; -ENOMEM, and of some of the ranges nothing is remembered any more.
 */
int fusex_mapcache_put(struct fusex_mapcache *mc, const struct fusex_map *maps,
		       unsigned int count, gfp_t gfp)
{
	unsigned int nofs = mapcache_lock(mc);
	int err = put_all(mc, maps, count, gfp);

	mapcache_unlock(mc, nofs);
	return err;
}

/**
 * fusex_mapcache_drop - forget a range
 * @mc: the cache
 * @start: first byte
 * @end: last byte, LLONG_MAX for the end of the file
 *
 * Of all blocks that the range touches, or of more if memory is short.  The
 * sequence number changes even if nothing was known: there may be an answer on
 * its way.
 *
 * Context: process, may wait for memory but not for writeback.
 */
void fusex_mapcache_drop(struct fusex_mapcache *mc, loff_t start, loff_t end)
{
	unsigned int nofs = mapcache_lock(mc);
	struct span span;

	if (start <= end && span_of(mc, start, end, &span))
		clear(mc, &span);
	next_seq(mc);
	mapcache_unlock(mc, nofs);
}

/**
 * fusex_mapcache_keeps - is something of a mapping remembered?
 * @map: what the server answered, checked
 *
 * Context: any.
 * Return: true if so, see fusex_mapcache_add().
 */
bool fusex_mapcache_keeps(const struct fusex_map *map)
{
	return extent_of(map).type != FUSEX_MAP_NONE;
}

/**
 * fusex_mapcache_use - write by an answer that is not remembered
 * @mc: the cache
 * @map: what the server answered, checked
 * @seq: fusex_mapcache_seq() of before it was asked; returns what the answer is
 *       good by
 *
 * As fusex_mapcache_drop(): there will be something else than what was known.
 *
 * Context: process, may wait for memory but not for writeback.
 * Return: 0; -ESTALE, and nothing was done, if something went since @seq.
 */
int fusex_mapcache_use(struct fusex_mapcache *mc, const struct fusex_map *map,
		       u32 *seq)
{
	unsigned int nofs = mapcache_lock(mc);
	struct span span;
	int err = -ESTALE;

	if (mc->seq != *seq)
		goto out;
	if (map_span(mc, map, &span))
		clear(mc, &span);
	next_seq(mc);
	*seq = mc->seq;
	err = 0;
out:
	mapcache_unlock(mc, nofs);
	return err;
}

/**
 * fusex_mapcache_written - data was written to a range
 * @mc: the cache
 * @start: first byte
 * @end: last byte
 *
 * What is UNWRITTEN of the blocks that the range touches is MAPPED from now on,
 * or forgotten if memory is short.
 *
 * Context: process, may wait for memory but not for writeback.
 */
void fusex_mapcache_written(struct fusex_mapcache *mc, loff_t start, loff_t end)
{
	unsigned int nofs = mapcache_lock(mc);
	struct span all, span;

	if (start > end || !span_of(mc, start, end, &all))
		goto out;
	while (next_span(mc, all.first, &span) && span.first <= all.last) {
		if (span.ext.type == FUSEX_MAP_UNWRITTEN) {
			span.first = max(span.first, all.first);
			span.last = min(span.last, all.last);
			span.ext.type = FUSEX_MAP_MAPPED;
			if (set(mc, &span, GFP_NOFS | MAPCACHE_GFP))
				forget(mc);
		}
		if (span.last >= all.last)
			break;
		all.first = span.last + 1;
		cond_resched();
	}
out:
	mapcache_unlock(mc, nofs);
}

#if IS_ENABLED(CONFIG_KUNIT)
/* For what it costs. */
struct maple_tree *fusex_mapcache_tree(struct fusex_mapcache *mc)
{
	return &mc->tree;
}
#endif

/**
 * fusex_mapcache_init - what all caches share
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int fusex_mapcache_init(void)
{
	/* Nobody relies on what an extent says before it is known to be one. */
	struct kmem_cache_args args = {
		.align = __alignof__(struct extent),
		.freeptr_offset = offsetof(struct extent, bias),
		.use_freeptr_offset = true,
	};

	mapcache_extents =
		kmem_cache_create("fusex_extent", sizeof(struct extent), &args,
				  SLAB_TYPESAFE_BY_RCU | SLAB_RECLAIM_ACCOUNT);
	if (!mapcache_extents)
		return -ENOMEM;
	mapcache_shrinker = shrinker_alloc(0, "fusex-mapcache");
	if (!mapcache_shrinker) {
		kmem_cache_destroy(mapcache_extents);
		return -ENOMEM;
	}
	mapcache_shrinker->count_objects = mapcache_count;
	mapcache_shrinker->scan_objects = mapcache_scan;
	shrinker_register(mapcache_shrinker);
	return 0;
}

/**
 * fusex_mapcache_exit - undo fusex_mapcache_init()
 *
 * Context: process, all caches were freed.
 */
void fusex_mapcache_exit(void)
{
	shrinker_free(mapcache_shrinker);
	kmem_cache_destroy(mapcache_extents);
}

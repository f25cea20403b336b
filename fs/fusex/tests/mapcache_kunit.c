// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the mapping cache: what is remembered and how it is merged and
 * cut, when the sequence number changes, that it agrees with a table of
 * blocks whatever happens to it, what a mapping costs, and how they are given
 * back.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "../map.h"

#define BITS	12
#define B(n)	((u64)(n) << BITS)

#define HOLE		FUSEX_MAP_HOLE
#define MAPPED		FUSEX_MAP_MAPPED
#define UNWRITTEN	FUSEX_MAP_UNWRITTEN

static bool has_addr(u16 type)
{
	return type == MAPPED || type == UNWRITTEN;
}

/* @count blocks at @first, on device 1 at @addr, if they have an address. */
static struct fusex_map map_at(u64 first, u64 count, u16 type, u64 addr)
{
	return (struct fusex_map){
		.offset = B(first),
		.length = B(count),
		.addr = has_addr(type) ? B(addr) : 0,
		.type = type,
		.dev = has_addr(type),
	};
}

static void free_cache(void *mc)
{
	fusex_mapcache_free(mc);
}

static struct fusex_mapcache *new_cache(struct kunit *test)
{
	struct fusex_mapcache *mc = fusex_mapcache_new(BITS, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mc);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_cache, mc));
	return mc;
}

static void put_map(struct kunit *test, struct fusex_mapcache *mc,
		    struct fusex_map map)
{
	KUNIT_ASSERT_EQ(test, 0, fusex_mapcache_put(mc, &map, 1, GFP_KERNEL));
}

static void put(struct kunit *test, struct fusex_mapcache *mc, u64 first,
		u64 count, u16 type, u64 addr)
{
	put_map(test, mc, map_at(first, count, type, addr));
}

static void drop(struct fusex_mapcache *mc, u64 first, u64 count)
{
	fusex_mapcache_drop(mc, B(first), B(first + count) - 1);
}

static void written(struct fusex_mapcache *mc, u64 first, u64 count)
{
	fusex_mapcache_written(mc, B(first), B(first + count) - 1);
}

/* At @block there is exactly @want. */
static void expect_map(struct kunit *test, struct fusex_mapcache *mc, u64 block,
		       struct fusex_map want)
{
	struct fusex_map map;

	KUNIT_ASSERT_TRUE_MSG(test, fusex_mapcache_find(mc, B(block), &map),
			      "block %llu", block);
	KUNIT_EXPECT_EQ(test, map.offset >> BITS, want.offset >> BITS);
	KUNIT_EXPECT_EQ(test, map.length >> BITS, want.length >> BITS);
	KUNIT_EXPECT_EQ(test, map.addr >> BITS, want.addr >> BITS);
	KUNIT_EXPECT_EQ(test, map.type, want.type);
	KUNIT_EXPECT_EQ(test, map.flags, want.flags);
	KUNIT_EXPECT_EQ(test, map.dev, want.dev);
}

static void expect(struct kunit *test, struct fusex_mapcache *mc, u64 first,
		   u64 count, u16 type, u64 addr)
{
	struct fusex_map want = map_at(first, count, type, addr);

	expect_map(test, mc, first, want);
	expect_map(test, mc, first + count - 1, want);
}

/* Nothing is known of these blocks. */
static void expect_void(struct kunit *test, struct fusex_mapcache *mc,
			u64 first, u64 count)
{
	struct fusex_map map;
	u64 i;

	for (i = first; i < first + count; i++)
		KUNIT_EXPECT_FALSE_MSG(test,
				       fusex_mapcache_find(mc, B(i), &map),
				       "block %llu", i);
}

/* ------------------------------------------------------ what is remembered */

struct kind_case {
	const char *name;
	u16 type;
	u16 flags;
	bool kept;
	u16 kept_flags;
};

#define KEPT	(FUSEX_MAP_F_SHARED | FUSEX_MAP_F_ATOMIC)
#define ONCE	(FUSEX_MAP_F_DIRTY | FUSEX_MAP_F_END)

static const struct kind_case kind_cases[] = {
	{ "mapped", MAPPED, 0, true, 0 },
	{ "unwritten", UNWRITTEN, 0, true, 0 },
	{ "hole", HOLE, 0, true, 0 },
	{ "delalloc", FUSEX_MAP_DELALLOC, 0, false },
	{ "inline", FUSEX_MAP_INLINE, 0, false },
	{ "none", FUSEX_MAP_NONE, 0, false },
	{ "new and unwritten", UNWRITTEN, FUSEX_MAP_F_NEW, true, 0 },
	{ "new and not zeroed", MAPPED, FUSEX_MAP_F_NEW, false },
	{ "not to be cached", MAPPED, FUSEX_MAP_F_NOCACHE, false },
	{ "hole not to be cached", HOLE, FUSEX_MAP_F_NOCACHE, false },
	{ "lasting flags", MAPPED, KEPT, true, KEPT },
	{ "flags of one operation", MAPPED, ONCE, true, 0 },
	{ "all flags that can be kept", MAPPED, KEPT | ONCE, true, KEPT },
};

static void kind_desc(const struct kind_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kind_cases, kind_desc);

/* Whether put where nothing was or over something else. */
static void kind_test(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct fusex_mapcache *mc = new_cache(test);
	struct fusex_map map = map_at(4, 4, c->type, 100);
	struct fusex_map want = map;
	u32 seq = fusex_mapcache_seq(mc);

	map.flags = c->flags;
	want.flags = c->kept_flags;
	put_map(test, mc, map);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);
	if (c->kept)
		expect_map(test, mc, 5, want);
	else
		expect_void(test, mc, 0, 12);

	put(test, mc, 0, 12, MAPPED, 1000);
	seq = fusex_mapcache_seq(mc);
	put_map(test, mc, map);
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(mc), seq);
	if (c->kept)
		expect_map(test, mc, 5, want);
	else
		expect_void(test, mc, 4, 4);
	expect(test, mc, 0, 4, MAPPED, 1000);
	expect(test, mc, 8, 4, MAPPED, 1008);
}

/* An answer without a second mapping has one of length 0. */
static void empty_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct fusex_map maps[] = { map_at(0, 4, MAPPED, 10), {} };
	u32 seq = fusex_mapcache_seq(mc);

	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_add(mc, maps, 2, seq, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);
	expect(test, mc, 0, 4, MAPPED, 10);
}

/* The last block that a file can have, and the largest mapping. */
static void limit_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	u64 last = (u64)LLONG_MAX >> BITS;
	struct fusex_map map;

	if (last > ULONG_MAX)
		kunit_skip(test, "an index does not reach there on 32 bit");
	put(test, mc, last, 1, MAPPED, 10);
	put(test, mc, 0, 1, MAPPED, 10);
	expect(test, mc, last, 1, MAPPED, 10);
	expect(test, mc, 0, 1, MAPPED, 10);
	KUNIT_EXPECT_TRUE(test, fusex_mapcache_find(mc, LLONG_MAX, &map));
	put(test, mc, 0, last + 1, HOLE, 0);
	expect(test, mc, 0, last + 1, HOLE, 0);
	fusex_mapcache_drop(mc, B(1), LLONG_MAX);
	expect(test, mc, 0, 1, HOLE, 0);
	expect_void(test, mc, last, 1);
}

/* ----------------------------------------------------------- merge and cut */

struct merge_case {
	const char *name;
	struct fusex_map second;
	bool merged;
};

#define MAP(first, count, t, a, d, f) { \
	.offset = B(first), .length = B(count), .addr = B(a), .type = t, \
	.dev = d, .flags = f }

/* Behind or before 8 MAPPED blocks: 8 to 15 are on device 1 at 108. */
static const struct merge_case merge_cases[] = {
	{ "behind", MAP(16, 4, MAPPED, 116, 1, 0), true },
	{ "before", MAP(4, 4, MAPPED, 104, 1, 0), true },
	{ "overlapping", MAP(12, 8, MAPPED, 112, 1, 0), true },
	{ "within", MAP(10, 2, MAPPED, 110, 1, 0), true },
	{ "around", MAP(4, 16, MAPPED, 104, 1, 0), true },
	{ "with a gap", MAP(17, 4, MAPPED, 117, 1, 0), false },
	{ "with a gap before", MAP(3, 4, MAPPED, 103, 1, 0), false },
	{ "elsewhere", MAP(16, 4, MAPPED, 117, 1, 0), false },
	{ "on another device", MAP(16, 4, MAPPED, 116, 2, 0), false },
	{ "unwritten", MAP(16, 4, UNWRITTEN, 116, 1, 0), false },
	{ "shared", MAP(16, 4, MAPPED, 116, 1, FUSEX_MAP_F_SHARED), false },
	{ "not durable", MAP(16, 4, MAPPED, 116, 1, FUSEX_MAP_F_DIRTY), true },
	{ "hole", MAP(16, 4, HOLE, 0, 0, 0), false },
};

static void merge_desc(const struct merge_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(merge, merge_cases, merge_desc);

/* Alone, and when there are more, further behind. */
static void merge_test(struct kunit *test)
{
	const struct merge_case *c = test->param_value;
	unsigned int more;

	for (more = 0; more < 3; more++) {
		struct fusex_mapcache *mc = new_cache(test);
		u32 seq = fusex_mapcache_seq(mc);
		unsigned int i;

		for (i = 0; i < more; i++)
			put(test, mc, 100 + 2 * i, 1, MAPPED, 500);
		put(test, mc, 8, 8, MAPPED, 108);
		put_map(test, mc, c->second);
		KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc),
				more + (c->merged ? 1 : 2));
		KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);
		if (!c->merged)
			expect(test, mc, 8, 8, MAPPED, 108);
	}
}

/* Holes are one hole wherever they are. */
static void hole_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);

	put(test, mc, 0, 2, HOLE, 0);
	put(test, mc, 4, 2, HOLE, 0);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 2);
	put(test, mc, 2, 2, HOLE, 0);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1);
	expect(test, mc, 0, 6, HOLE, 0);
}

static void cut_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);

	put(test, mc, 0, 30, MAPPED, 100);
	put(test, mc, 10, 10, UNWRITTEN, 500);
	expect(test, mc, 0, 10, MAPPED, 100);
	expect(test, mc, 10, 10, UNWRITTEN, 500);
	expect(test, mc, 20, 10, MAPPED, 120);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 3);

	/* Over two of them. */
	put(test, mc, 15, 10, HOLE, 0);
	expect(test, mc, 10, 5, UNWRITTEN, 500);
	expect(test, mc, 15, 10, HOLE, 0);
	expect(test, mc, 25, 5, MAPPED, 125);

	/* Over all of them. */
	put(test, mc, 0, 40, MAPPED, 100);
	expect(test, mc, 0, 40, MAPPED, 100);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1);
}

static void drop_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);

	put(test, mc, 0, 30, MAPPED, 100);
	drop(mc, 10, 10);
	expect(test, mc, 0, 10, MAPPED, 100);
	expect_void(test, mc, 10, 10);
	expect(test, mc, 20, 10, MAPPED, 120);

	/* Blocks that are touched, from the end of one to the end of another. */
	fusex_mapcache_drop(mc, B(9) + 4095, B(22));
	expect(test, mc, 0, 9, MAPPED, 100);
	expect_void(test, mc, 9, 14);
	expect(test, mc, 23, 7, MAPPED, 123);

	/* The pieces are one again when the gap is filled. */
	put(test, mc, 9, 14, MAPPED, 109);
	expect(test, mc, 0, 30, MAPPED, 100);
	fusex_mapcache_drop(mc, 0, B(5) - 1);
	fusex_mapcache_drop(mc, B(25), LLONG_MAX);
	expect(test, mc, 5, 20, MAPPED, 105);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1);
	fusex_mapcache_drop(mc, 0, LLONG_MAX);
	expect_void(test, mc, 0, 30);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 0);
}

static void written_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	u32 seq;

	put(test, mc, 0, 30, UNWRITTEN, 100);
	put(test, mc, 40, 10, HOLE, 0);
	fusex_mapcache_written(mc, B(10), B(11) + 100);
	expect(test, mc, 0, 10, UNWRITTEN, 100);
	expect(test, mc, 10, 2, MAPPED, 110);
	expect(test, mc, 12, 18, UNWRITTEN, 112);

	/* Others stay what they are; what belongs together is merged. */
	written(mc, 5, 50);
	expect(test, mc, 0, 5, UNWRITTEN, 100);
	expect(test, mc, 5, 25, MAPPED, 105);
	expect(test, mc, 40, 10, HOLE, 0);
	expect_void(test, mc, 30, 10);

	seq = fusex_mapcache_seq(mc);
	written(mc, 5, 50);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);
	written(mc, 0, 1);
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(mc), seq);
}

/* Far more than go in one change. */
static void many_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct maple_tree *tree = fusex_mapcache_tree(mc);
	unsigned int i;

	for (i = 0; i < 1000; i++)
		put(test, mc, 1 + i, 1, UNWRITTEN, 5000 - 2 * i);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1000);
	written(mc, 1, 1000);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1000);
	expect(test, mc, 500, 1, MAPPED, 5000 - 2 * 499);
	drop(mc, 101, 800);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 200);
	expect_void(test, mc, 101, 800);
	expect(test, mc, 100, 1, MAPPED, 5000 - 2 * 99);
	expect(test, mc, 901, 1, MAPPED, 5000 - 2 * 900);
	put(test, mc, 0, 2000, MAPPED, 9000);
	expect(test, mc, 0, 2000, MAPPED, 9000);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1);
	KUNIT_EXPECT_TRUE(test, mtree_empty(tree));
}

/* ------------------------------------------------------ the sequence number */

static void seq_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct fusex_map map = map_at(0, 8, MAPPED, 100);
	u32 seq = fusex_mapcache_seq(mc), old = seq;

	/* Where nothing was, and the same once more. */
	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_add(mc, &map, 1, seq, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_add(mc, &map, 1, seq, GFP_KERNEL));
	put(test, mc, 2, 3, MAPPED, 102);
	put(test, mc, 4, 8, MAPPED, 104);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);
	expect(test, mc, 0, 12, MAPPED, 100);

	/* Even if there was nothing to drop. */
	drop(mc, 50, 1);
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(mc), seq);
	seq = fusex_mapcache_seq(mc);

	/* Too late: nothing is done. */
	map = map_at(0, 20, HOLE, 0);
	KUNIT_EXPECT_EQ(test, -ESTALE,
			fusex_mapcache_add(mc, &map, 1, old, GFP_KERNEL));
	expect(test, mc, 0, 12, MAPPED, 100);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);

	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_add(mc, &map, 1, seq, GFP_KERNEL));
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(mc), seq);
	expect(test, mc, 0, 20, HOLE, 0);
}

/* Written by what is not remembered: nothing older may be. */
static void use_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct fusex_map map = map_at(4, 8, MAPPED, 100), older;
	u32 seq = fusex_mapcache_seq(mc), old = seq;

	map.flags = FUSEX_MAP_F_NEW;
	KUNIT_EXPECT_FALSE(test, fusex_mapcache_keeps(&map));
	KUNIT_EXPECT_EQ(test, 0, fusex_mapcache_use(mc, &map, &seq));
	KUNIT_EXPECT_NE(test, seq, old);
	KUNIT_EXPECT_EQ(test, seq, fusex_mapcache_seq(mc));
	older = map_at(0, 20, HOLE, 0);
	KUNIT_EXPECT_TRUE(test, fusex_mapcache_keeps(&older));
	KUNIT_EXPECT_EQ(test, -ESTALE,
			fusex_mapcache_learn(mc, &older, old, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ESTALE, fusex_mapcache_use(mc, &map, &old));
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 0);
	/* What was known of its range is forgotten. */
	put(test, mc, 0, 20, MAPPED, 500);
	seq = fusex_mapcache_seq(mc);
	KUNIT_EXPECT_EQ(test, 0, fusex_mapcache_use(mc, &map, &seq));
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 2);
}

/* An answer that may be older than what is known. */
static void learn_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct fusex_map map = map_at(0, 8, HOLE, 0);
	u32 seq = fusex_mapcache_seq(mc), old = seq;

	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_learn(mc, &map, seq, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_learn(mc, &map, seq, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(mc), seq);
	expect(test, mc, 0, 8, HOLE, 0);

	/* Behind a part that agrees there is one that does not. */
	put(test, mc, 8, 4, UNWRITTEN, 50);
	map = map_at(4, 8, HOLE, 0);
	KUNIT_EXPECT_EQ(test, -ESTALE,
			fusex_mapcache_learn(mc, &map, seq, GFP_KERNEL));
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(mc), seq);
	expect(test, mc, 0, 4, HOLE, 0);
	expect_void(test, mc, 4, 8);

	KUNIT_EXPECT_EQ(test, -ESTALE,
			fusex_mapcache_learn(mc, &map, old, GFP_KERNEL));
	expect_void(test, mc, 4, 8);
}

static void outdate_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	u32 seq = fusex_mapcache_seq(mc);

	put(test, mc, 0, 8, MAPPED, 100);
	fusex_mapcache_outdate(mc);
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(mc), seq);
	expect(test, mc, 0, 8, MAPPED, 100);
}

/* Several at once: that one changes the number does not stop the next. */
static void several_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct fusex_map maps[] = {
		map_at(0, 4, MAPPED, 100),
		map_at(2, 4, HOLE, 0),
		map_at(20, 1, UNWRITTEN, 7),
	};

	KUNIT_EXPECT_EQ(test, 0,
			fusex_mapcache_add(mc, maps, ARRAY_SIZE(maps),
					   fusex_mapcache_seq(mc), GFP_KERNEL));
	expect(test, mc, 0, 2, MAPPED, 100);
	expect(test, mc, 2, 4, HOLE, 0);
	expect(test, mc, 20, 1, UNWRITTEN, 7);
}

/* ------------------------------------------------------ a table of blocks */

#define BLOCKS	192
#define STEPS	20000

struct block {
	u64 bias;
	u16 type;
	u16 flags;
	u32 dev;
};

struct model {
	struct kunit *test;
	struct fusex_mapcache *mc;
	struct rnd_state rnd;
	struct block block[BLOCKS];
	bool changed;
};

static u32 below(struct model *m, u32 limit)
{
	return prandom_u32_state(&m->rnd) % limit;
}

static bool block_same(const struct block *a, const struct block *b)
{
	return a->type == b->type && a->flags == b->flags &&
	       a->dev == b->dev && a->bias == b->bias;
}

static void model_set(struct model *m, u32 first, u32 last,
		      const struct block *to)
{
	u32 i;

	for (i = first; i <= last; i++) {
		if (m->block[i].type != FUSEX_MAP_NONE &&
		    !block_same(&m->block[i], to))
			m->changed = true;
		m->block[i] = *to;
	}
}

/* Some of it is not to be remembered, much of it fits what is there. */
static struct fusex_map random_map(struct model *m, u32 first, u32 last)
{
	static const u16 types[] = {
		HOLE, MAPPED, MAPPED, UNWRITTEN, UNWRITTEN,
		FUSEX_MAP_DELALLOC, FUSEX_MAP_INLINE,
	};
	u16 type = types[below(m, ARRAY_SIZE(types))];
	struct fusex_map map = map_at(first, last - first + 1, type,
				      first + BLOCKS * below(m, 3));

	if (has_addr(type) && !below(m, 8))
		map.dev = 2;
	if (!below(m, 4))
		map.flags = 1 << below(m, 6);
	return map;
}

static void model_put(struct model *m, const struct fusex_map *map)
{
	u32 first = map->offset >> BITS;
	u32 last = first + (map->length >> BITS) - 1;
	struct block to = {};
	bool raw = map->type == MAPPED && map->flags & FUSEX_MAP_F_NEW;

	if (!raw && !(map->flags & FUSEX_MAP_F_NOCACHE) &&
	    (map->type == HOLE || has_addr(map->type))) {
		to.type = map->type;
		to.flags = map->flags & KEPT;
		to.dev = map->dev;
		if (has_addr(map->type))
			to.bias = map->addr - map->offset;
	}
	model_set(m, first, last, &to);
}

static void model_written(struct model *m, u32 first, u32 last)
{
	u32 i;

	for (i = first; i <= last; i++) {
		if (m->block[i].type != UNWRITTEN)
			continue;
		m->block[i].type = MAPPED;
		m->changed = true;
	}
}

static void step_put(struct model *m, u32 first, u32 last)
{
	u32 seq = fusex_mapcache_seq(m->mc);
	struct fusex_map maps[3];
	u32 i, count = 1 + below(m, ARRAY_SIZE(maps));
	bool late = !below(m, 8), add = late || below(m, 2);
	int err;

	/* The last of them may be anywhere. */
	for (i = 0; i < count; i++) {
		maps[i] = random_map(m, first, last);
		if (!late)
			model_put(m, &maps[i]);
		first = below(m, BLOCKS);
		last = first + below(m, BLOCKS - first);
	}
	if (add)
		err = fusex_mapcache_add(m->mc, maps, count, seq - late,
					 GFP_KERNEL);
	else
		err = fusex_mapcache_put(m->mc, maps, count, GFP_KERNEL);
	KUNIT_ASSERT_EQ(m->test, err, late ? -ESTALE : 0);
}

static void step(struct model *m)
{
	static const struct block nothing;
	u32 first = below(m, BLOCKS);
	u32 len = below(m, 4) ? below(m, 8) : below(m, BLOCKS);
	u32 last = min(first + len, BLOCKS - 1);

	switch (below(m, 8)) {
	case 0:
		fusex_mapcache_drop(m->mc, B(first) + below(m, 4096),
				    B(last) + 4095);
		model_set(m, first, last, &nothing);
		m->changed = true;
		break;
	case 1:
		fusex_mapcache_written(m->mc, B(first),
				       B(last) + below(m, 4096));
		model_written(m, first, last);
		break;
	default:
		step_put(m, first, last);
	}
}

/* The range of equal neighbours that @i is in is one mapping. */
static u32 compare_at(struct model *m, u32 i)
{
	const struct block *b = &m->block[i];
	u32 end = i + 1;

	while (end < BLOCKS && block_same(&m->block[end], b))
		end++;
	if (b->type == FUSEX_MAP_NONE) {
		expect_void(m->test, m->mc, i, end - i);
		return end;
	}
	for (; i < end; i++) {
		u32 first = b - m->block;

		expect_map(m->test, m->mc, i, (struct fusex_map) {
			.offset = B(first), .length = B(end - first),
			.addr = has_addr(b->type) ? B(first) + b->bias : 0,
			.type = b->type, .flags = b->flags, .dev = b->dev });
	}
	return end;
}

static void compare(struct model *m)
{
	unsigned long count = 0;
	u32 i = 0;

	while (i < BLOCKS) {
		count += m->block[i].type != FUSEX_MAP_NONE;
		i = compare_at(m, i);
	}
	expect_void(m->test, m->mc, BLOCKS, 1);
	KUNIT_ASSERT_EQ(m->test, fusex_mapcache_count(m->mc), count);
}

static void model_test(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;
	u32 seq;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->mc = new_cache(test);
	prandom_seed_state(&m->rnd, 4711);
	for (i = 0; i < STEPS; i++) {
		seq = fusex_mapcache_seq(m->mc);
		m->changed = false;
		step(m);
		compare(m);
		KUNIT_ASSERT_EQ_MSG(test, m->changed,
				    fusex_mapcache_seq(m->mc) != seq,
				    "sequence number, step %u", i);
		/* Once something is wrong, all that follows is. */
		if (test->status == KUNIT_FAILURE)
			break;
		cond_resched();
	}
}

/* ---------------------------------------------------------------- the cost */

/* As it is on 64 bit: what a mapping takes beside the nodes. */
#define EXTENT_BYTES	16

/*
 * At most.  Nodes above the leaves have at least 5 children, but for the root:
 * all of them together are no more than a quarter of the leaves.
 */
static unsigned long tree_bytes(struct fusex_mapcache *mc)
{
	MA_STATE(mas, fusex_mapcache_tree(mc), 0, 0);
	struct maple_enode *node = NULL;
	unsigned long leaves = 0;

	rcu_read_lock();
	while (mas_find(&mas, ULONG_MAX)) {
		leaves += mas.node != node;
		node = mas.node;
	}
	rcu_read_unlock();
	return (leaves + leaves / 4 + 1) * sizeof(struct maple_node);
}

/* Unmergeable neighbours: each is where the next one should be. */
static void put_swapped(struct kunit *test, struct fusex_mapcache *mc, u32 i)
{
	put(test, mc, i, 1, MAPPED, i ^ 1);
}

static void one_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	struct maple_tree *tree = fusex_mapcache_tree(mc);

	/* Few files have more, as they grow, get holes cut, or overwritten. */
	put(test, mc, 10, 10, MAPPED, 100);
	put(test, mc, 20, 10, MAPPED, 110);
	put(test, mc, 5, 5, MAPPED, 95);
	drop(mc, 25, 10);
	drop(mc, 0, 8);
	put(test, mc, 0, 100, UNWRITTEN, 90);
	written(mc, 0, 100);
	KUNIT_EXPECT_TRUE(test, mtree_empty(tree));
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1);
	expect(test, mc, 0, 100, MAPPED, 90);

	/* And when it is the only one again. */
	put(test, mc, 10, 1, HOLE, 0);
	KUNIT_EXPECT_FALSE(test, mtree_empty(tree));
	put(test, mc, 0, 11, MAPPED, 90);
	KUNIT_EXPECT_TRUE(test, mtree_empty(tree));
	expect(test, mc, 0, 100, MAPPED, 90);
	drop(mc, 10, 1);
	drop(mc, 0, 100);
	KUNIT_EXPECT_TRUE(test, mtree_empty(tree));
	expect_void(test, mc, 0, 100);
}

static void expect_cheap(struct kunit *test, struct fusex_mapcache *mc,
			 u32 count, unsigned int max_height)
{
	struct maple_tree *tree = fusex_mapcache_tree(mc);
	unsigned long bytes = tree_bytes(mc) + EXTENT_BYTES * (ulong)count;
	u32 i;

	KUNIT_ASSERT_EQ(test, fusex_mapcache_count(mc), count);
	for (i = 0; i < count; i++) {
		struct fusex_map map;

		if (!fusex_mapcache_find(mc, B(i), &map) ||
		    map.addr != B(i ^ 1) || map.length != B(1))
			KUNIT_FAIL_AND_ABORT(test, "block %u", i);
	}
	kunit_info(test, "%u mappings: height %u, %lu.%lu bytes each\n", count,
		   mt_height(tree), bytes / count, bytes % count * 10 / count);
	KUNIT_EXPECT_LE(test, mt_height(tree), max_height);
	KUNIT_EXPECT_LT(test, bytes, 64 * (ulong)count);
}

#define MILLION	1000000

static void in_order_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	u32 i;

	for (i = 0; i < 1000; i++)
		put_swapped(test, mc, i);
	expect_cheap(test, mc, 1000, 4);
	for (; i < MILLION; i++) {
		put_swapped(test, mc, i);
		cond_resched();
	}
	expect_cheap(test, mc, MILLION, 8);
	fusex_mapcache_drop(mc, B(1), LLONG_MAX);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(mc), 1);
}

static void free_array(void *array)
{
	kvfree(array);
}

static void random_order_test(struct kunit *test)
{
	struct fusex_mapcache *mc = new_cache(test);
	u32 *order = kvmalloc_array(MILLION, sizeof(*order), GFP_KERNEL);
	struct rnd_state rnd;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, order);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_array, order));
	prandom_seed_state(&rnd, 4711);
	for (i = 0; i < MILLION; i++) {
		u32 j = prandom_u32_state(&rnd) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (i = 0; i < MILLION; i++) {
		put_swapped(test, mc, order[i]);
		cond_resched();
	}
	expect_cheap(test, mc, MILLION, 8);
}

/* ---------------------------------------------------------- memory is short */

static struct fusex_mapcache *full_cache(struct kunit *test, u32 count)
{
	struct fusex_mapcache *mc = new_cache(test);
	u32 i;

	for (i = 0; i < count; i++)
		put_swapped(test, mc, i);
	return mc;
}

static void shrink_test(struct kunit *test)
{
	struct fusex_mapcache *a = full_cache(test, 10);
	struct fusex_mapcache *b = full_cache(test, 20);
	struct fusex_mapcache *one = full_cache(test, 1);
	u32 seq = fusex_mapcache_seq(b), seq_a = fusex_mapcache_seq(a);
	struct fusex_map map;

	/* The one that is used is spared, once. */
	KUNIT_ASSERT_TRUE(test, fusex_mapcache_find(a, 0, &map));
	KUNIT_EXPECT_EQ(test, fusex_mapcache_shrink(2), 20);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(b), 0);
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(b), seq);
	KUNIT_EXPECT_TRUE(test, mtree_empty(fusex_mapcache_tree(b)));
	expect_void(test, b, 0, 20);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_count(a), 10);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(a), seq_a);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_shrink(1), 10);
	KUNIT_EXPECT_NE(test, fusex_mapcache_seq(a), seq_a);
	expect_void(test, a, 0, 10);

	/* There is nothing to be had of it. */
	KUNIT_EXPECT_EQ(test, fusex_mapcache_shrink(100), 0);
	expect(test, one, 0, 1, MAPPED, 1);

	/* It is used on as if nothing had been. */
	put_swapped(test, b, 7);
	put_swapped(test, b, 9);
	expect(test, b, 7, 1, MAPPED, 6);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_shrink(100), 2);
}

/* Those that were freed, or are down to one, are not found any more. */
static void unlist_test(struct kunit *test)
{
	struct fusex_mapcache *a = full_cache(test, 10);
	struct fusex_mapcache *b = full_cache(test, 10);

	kunit_release_action(test, free_cache, a);
	drop(b, 0, 9);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_shrink(100), 0);
	expect(test, b, 9, 1, MAPPED, 8);
}

/* Enough is enough. */
static void batch_test(struct kunit *test)
{
	struct fusex_mapcache *mc[4];
	unsigned int i, left = 0;

	for (i = 0; i < ARRAY_SIZE(mc); i++)
		mc[i] = full_cache(test, 10);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_shrink(11), 20);
	for (i = 0; i < ARRAY_SIZE(mc); i++)
		left += fusex_mapcache_count(mc[i]);
	KUNIT_EXPECT_EQ(test, left, 20);
}

/* ------------------------------------------------------------ side by side */

struct beside {
	struct fusex_mapcache *mc;
	struct completion done;
	bool stop;
	int err;
};

#define ROUNDS	20000

/* Block 8 is always in a mapping that begins where @offset + @addr is 1000. */
static int change_thread(void *arg)
{
	struct beside *b = arg;
	unsigned int i;

	for (i = 0; i < ROUNDS && !b->err; i++) {
		u64 first = i % 7, count = 9 + i % 5 - first + i % 2;
		struct fusex_map maps[] = {
			map_at(0, 16, HOLE, 0),
			map_at(first, count, MAPPED, 1000 - first),
		};

		b->err = fusex_mapcache_put(b->mc, maps, 1 + i % 2, GFP_KERNEL);
		if (i % 100 == 99)
			fusex_mapcache_shrink(1);
		cond_resched();
	}
	WRITE_ONCE(b->stop, true);
	complete(&b->done);
	return 0;
}

static bool sane(const struct fusex_map *map)
{
	u64 first = map->offset >> BITS, count = map->length >> BITS;

	if (first > 8 || first + count <= 8 || first + count > 16)
		return false;
	if (map->type == HOLE)
		return !map->addr && !map->dev;
	return map->type == MAPPED && map->dev == 1 && first < 7 &&
	       map->addr == B(1000 - first);
}

/* What is found was there as a whole, whatever is going on. */
static void beside_test(struct kunit *test)
{
	struct beside b = { .mc = new_cache(test) };
	struct task_struct *task;
	struct fusex_map map;
	bool ok = true;

	init_completion(&b.done);
	task = kthread_run(change_thread, &b, "fusex-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (!READ_ONCE(b.stop)) {
		if (fusex_mapcache_find(b.mc, B(8), &map))
			ok &= sane(&map);
		cond_resched();
	}
	wait_for_completion(&b.done);
	KUNIT_EXPECT_EQ(test, b.err, 0);
	KUNIT_EXPECT_TRUE(test, ok);
}

static struct kunit_case mapcache_cases[] = {
	KUNIT_CASE_PARAM(kind_test, kind_gen_params),
	KUNIT_CASE(empty_test),
	KUNIT_CASE(limit_test),
	KUNIT_CASE_PARAM(merge_test, merge_gen_params),
	KUNIT_CASE(hole_test),
	KUNIT_CASE(cut_test),
	KUNIT_CASE(drop_test),
	KUNIT_CASE(written_test),
	KUNIT_CASE(many_test),
	KUNIT_CASE(seq_test),
	KUNIT_CASE(use_test),
	KUNIT_CASE(learn_test),
	KUNIT_CASE(outdate_test),
	KUNIT_CASE(several_test),
	KUNIT_CASE(model_test),
	KUNIT_CASE(one_test),
	KUNIT_CASE_SLOW(in_order_test),
	KUNIT_CASE_SLOW(random_order_test),
	KUNIT_CASE(shrink_test),
	KUNIT_CASE(unlist_test),
	KUNIT_CASE(batch_test),
	KUNIT_CASE(beside_test),
	{}
};

static struct kunit_suite mapcache_suite = {
	.name		= "fusex-mapcache",
	.test_cases	= mapcache_cases,
};

kunit_test_suite(mapcache_suite);

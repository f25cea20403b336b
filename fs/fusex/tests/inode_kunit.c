// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of identities: their hash, and how they are put into file handles.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/fusex.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "../inode.h"
#include "../validate.h"

/* ------------------------------------------------------------------- hash */

/* How servers come by node ids and generations. */
enum pattern {
	COUNTING,
	ALIGNED,
	PAGES,
	HIGH,
	INODES,
	GENERATIONS,
	SWAPPED,
};

struct hash_case {
	const char *name;
	enum pattern pattern;
};

static const struct hash_case hash_cases[] = {
	{ "small numbers", COUNTING },
	{ "addresses of objects of 64 bytes", ALIGNED },
	{ "addresses of pages", PAGES },
	{ "high half only", HIGH },
	{ "number in one half, device in the other", INODES },
	{ "one id, many generations", GENERATIONS },
	{ "generation equal to id", SWAPPED },
};

static void hash_desc(const struct hash_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(hash, hash_cases, hash_desc);

static struct fusex_id pattern_id(enum pattern pattern, u32 i)
{
	switch (pattern) {
	case COUNTING:
		return (struct fusex_id){ i + 1, 0 };
	case ALIGNED:
		return (struct fusex_id){ 0x7f0000001000ull + 64ull * i, 0 };
	case PAGES:
		return (struct fusex_id){ 0x7f0000000000ull + 4096ull * i, 0 };
	case HIGH:
		return (struct fusex_id){ ((u64)i + 1) << 32, 0 };
	case INODES:
		return (struct fusex_id){ (u64)i << 32 | 0xfd00, i >> 3 };
	case GENERATIONS:
		return (struct fusex_id){ 1, i };
	case SWAPPED:
		return (struct fusex_id){ i + 1, i + 1 };
	}
	return (struct fusex_id){};
}

#define BUCKETS	SZ_4K

/* As many ids as buckets fill 63 in 100 of them when chance does it. */
static void hash_test(struct kunit *test)
{
	const struct hash_case *c = test->param_value;
	unsigned long *low, *high;
	u32 i;

	low = kunit_kzalloc(test, BITS_TO_LONGS(BUCKETS) * sizeof(long),
			    GFP_KERNEL);
	high = kunit_kzalloc(test, BITS_TO_LONGS(BUCKETS) * sizeof(long),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, low);
	KUNIT_ASSERT_NOT_NULL(test, high);
	for (i = 0; i < BUCKETS; i++) {
		struct fusex_id id = pattern_id(c->pattern, i);
		u64 h = fusex_id_hash(&id);

		__set_bit(h % BUCKETS, low);
		__set_bit(h >> 52, high);
	}
	KUNIT_EXPECT_GE(test, bitmap_weight(low, BUCKETS), BUCKETS / 2);
	KUNIT_EXPECT_GE(test, bitmap_weight(high, BUCKETS), BUCKETS / 2);
}

static void hash_differs_test(struct kunit *test)
{
	struct fusex_id id = { 1, 0 };
	struct fusex_id generation = { 1, 1 };
	struct fusex_id other = { 2, 0 };
	struct fusex_id same = { 1, 0 };

	KUNIT_EXPECT_EQ(test, fusex_id_hash(&id), fusex_id_hash(&same));
	KUNIT_EXPECT_NE(test, fusex_id_hash(&id), fusex_id_hash(&generation));
	KUNIT_EXPECT_NE(test, fusex_id_hash(&id), fusex_id_hash(&other));
}

/* ----------------------------------------------------------- file handles */

#define CANARY	0xa5a5a5a5u

static const u8 handle[FUSEX_HANDLE_MAX] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

static void fh_round_trip_test(struct kunit *test)
{
	struct fusex_id id = { 0x123456789abcdef0ull, 0xfedcba98 };
	u32 fh[64];
	u16 len;

	for (len = 0; len <= FUSEX_HANDLE_MAX; len++) {
		int words = fusex_fh_words(len);
		struct fusex_id got = {};
		u16 got_len = 0;

		memset(fh, 0xa5, sizeof(fh));
		fusex_fh_put(fh, &id, handle, len);
		KUNIT_EXPECT_EQ(test, fh[words], CANARY);
		KUNIT_EXPECT_EQ(test, fusex_fh_get(fh, words, FUSEX_HANDLE_MAX,
						   &got, &got_len), words);
		KUNIT_EXPECT_EQ(test, got.nodeid, id.nodeid);
		KUNIT_EXPECT_EQ(test, got.generation, id.generation);
		KUNIT_EXPECT_EQ(test, got_len, len);
		KUNIT_EXPECT_MEMEQ(test, fh + 4, handle, len);
	}
}

static void fh_padding_test(struct kunit *test)
{
	struct fusex_id id = { 1, 2 };
	u32 fh[8];

	memset(fh, 0xff, sizeof(fh));
	fusex_fh_put(fh, &id, "\xff", 1);
	KUNIT_EXPECT_EQ(test, ((u8 *)(fh + 4))[0], 0xff);
	KUNIT_EXPECT_EQ(test, ((u8 *)(fh + 4))[1], 0);
	KUNIT_EXPECT_EQ(test, ((u8 *)(fh + 4))[3], 0);
	KUNIT_EXPECT_EQ(test, fh[5], U32_MAX);
}

static void fh_largest_test(struct kunit *test)
{
	/* What open_by_handle_at() takes. */
	KUNIT_EXPECT_EQ(test, fusex_fh_words(FUSEX_EXPORT_HANDLE_MAX) * 4,
			128);
}

struct fh_case {
	const char *name;
	u32 fh[6];
	int words;
	u32 handle_size;
	int want;
};

static const struct fh_case fh_cases[] = {
	{ "no handle", { 1, 0, 0, 0 }, 4, 0, 4 },
	{ "too few words", { 1, 0, 0, 0 }, 3, 0, 0 },
	{ "no words", {}, 0, 0, 0 },
	{ "words left over", { 1, 0, 0, 0, 9, 9 }, 6, 0, 4 },
	{ "no node", { 0, 0, 7, 0 }, 4, 0, 0 },
	{ "high half of a node", { 0, 1, 0, 0 }, 4, 0, 4 },
	{ "handle fits", { 1, 0, 0, 8, 0, 0 }, 6, 8, 6 },
	{ "handle cut short", { 1, 0, 0, 8, 0 }, 5, 8, 0 },
	{ "handle of the largest size", { 1, 0, 0, 5, 0, 0 }, 6, 5, 6 },
	{ "handle too large", { 1, 0, 0, 6, 0, 0 }, 6, 5, 0 },
	{ "handle where there are none", { 1, 0, 0, 1, 0, 0 }, 6, 0, 0 },
	{ "absurd handle", { 1, 0, 0, U32_MAX, 0, 0 }, 6, 128, 0 },
	{ "length that would wrap", { 1, 0, 0, 0x10000, 0, 0 }, 6, 128, 0 },
};

static void fh_desc(const struct fh_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fh, fh_cases, fh_desc);

static void fh_get_test(struct kunit *test)
{
	const struct fh_case *c = test->param_value;
	struct fusex_id id;
	u16 len;

	KUNIT_EXPECT_EQ(test, fusex_fh_get(c->fh, c->words, c->handle_size,
					   &id, &len), c->want);
}

static struct kunit_case inode_cases[] = {
	KUNIT_CASE_PARAM(hash_test, hash_gen_params),
	KUNIT_CASE(hash_differs_test),
	KUNIT_CASE(fh_round_trip_test),
	KUNIT_CASE(fh_padding_test),
	KUNIT_CASE(fh_largest_test),
	KUNIT_CASE_PARAM(fh_get_test, fh_gen_params),
	{}
};

static struct kunit_suite inode_suite = {
	.name = "fusex_identity",
	.test_cases = inode_cases,
};

kunit_test_suite(inode_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * What a server says about where data is: one mapping by itself, and as the
 * answer to a question.
 */

#include <kunit/test.h>
#include <linux/limits.h>

#include "../chan.h"
#include "../validate.h"
#include "limits.h"

#define BLOCK	4096
/* The last block of the largest file, and of the largest device. */
#define LAST	((u64)S64_MAX + 1 - BLOCK)

static const struct fusex_conf conf = {
	.block_size = BLOCK,
	.time_min = -1000,
	.time_max = 1000,
};

/* -------------------------------------------------------------- one mapping */

static const struct fusex_map good_map = {
	.offset = 2 * BLOCK,
	.length = 2 * BLOCK,
	.addr = BLOCK,
	.type = FUSEX_MAP_MAPPED,
	.dev = 1,
};

static const struct limit map_limits[] = {
	LIMIT(good_map.type, FUSEX_MAP_MAPPED, FUSEX_MAP_NONE),
	LIMIT(good_map.type, FUSEX_MAP_UNWRITTEN, FUSEX_MAP_NR),
	LIMIT(good_map.type, FUSEX_MAP_UNWRITTEN, U16_MAX),
	LIMIT(good_map.flags, FUSEX_MAP_F_KNOWN, FUSEX_MAP_F_KNOWN + 1),
	LIMIT(good_map.flags, 0, 0x8000),
	LIMIT(good_map.length, BLOCK, 0),
	LIMIT(good_map.length, BLOCK, BLOCK - 1),
	LIMIT(good_map.length, BLOCK, BLOCK + 1),
	LIMIT(good_map.length, BLOCK, BLOCK + 512),
	LIMIT(good_map.length, LAST - 2 * BLOCK, LAST - BLOCK),
	LIMIT(good_map.length, BLOCK, 1ull << 63),
	LIMIT(good_map.length, BLOCK, -(u64)BLOCK),
	LIMIT(good_map.offset, 0, 512),
	LIMIT(good_map.offset, BLOCK, BLOCK - 1),
	LIMIT(good_map.offset, LAST - 2 * BLOCK, LAST - BLOCK),
	LIMIT(good_map.offset, 0, 1ull << 63),
	LIMIT(good_map.offset, 0, -(u64)BLOCK),
	LIMIT(good_map.addr, 0, 512),
	LIMIT(good_map.addr, BLOCK, BLOCK + 1),
	LIMIT(good_map.addr, LAST - 2 * BLOCK, LAST - BLOCK),
	LIMIT(good_map.addr, 0, 1ull << 63),
	LIMIT(good_map.addr, 0, -(u64)BLOCK),
	LIMIT(good_map.dev, 1, 0),
	LIMIT(good_map.dev, U32_MAX, 0),
};

KUNIT_ARRAY_PARAM(map_limits, map_limits, limit_name);

static void map_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_map map = good_map;
	const char *why = NULL;

	poke(&map, &good_map, l, l->inside);
	EXPECT_GOOD(test, fusex_check_map(&conf, &map, &why));
	poke(&map, &good_map, l, l->outside);
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
}

/* What is nowhere is not at 0, so it says nothing about where. */
static void map_nowhere(struct kunit *test)
{
	static const u16 types[] = { FUSEX_MAP_HOLE, FUSEX_MAP_DELALLOC };
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct fusex_map map = {
			.offset = BLOCK, .length = LAST - BLOCK,
			.type = types[i],
		};

		EXPECT_GOOD(test, fusex_check_map(&conf, &map, &why));
		map.length += BLOCK;
		EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
		map.length = BLOCK - 512;
		EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
		map.length = BLOCK;
		map.addr = BLOCK;
		EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
		map.addr = 0;
		map.dev = 1;
		EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	}
}

/* Whatever it is, it is not on a device either. */
static void map_unknown(struct kunit *test)
{
	static const u16 types[] = { FUSEX_MAP_NONE, FUSEX_MAP_NR, U16_MAX };
	struct fusex_map map = { .length = BLOCK, .type = FUSEX_MAP_HOLE };
	const char *why = NULL;
	unsigned int i;

	EXPECT_GOOD(test, fusex_check_map(&conf, &map, &why));
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		map.type = types[i];
		EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	}
}

static void map_inline(struct kunit *test)
{
	struct fusex_map map = { .length = 1, .type = FUSEX_MAP_INLINE };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_map(&conf, &map, &why));
	map.length = 0;
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	map.length = FUSEX_INLINE_MAX;
	EXPECT_GOOD(test, fusex_check_map(&conf, &map, &why));
	map.length++;
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	map.length = 100;
	map.offset = 1;
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	map.offset = BLOCK;
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	map.offset = 0;
	map.addr = BLOCK;
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	map.addr = 0;
	map.dev = 1;
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
}

static void map_blocks(struct kunit *test)
{
	const struct fusex_conf small = { .block_size = 512 };
	const struct fusex_conf large = { .block_size = 65536 };
	struct fusex_map map = {
		.length = 512, .addr = 512, .offset = 512,
		.type = FUSEX_MAP_UNWRITTEN, .dev = 1,
	};
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_map(&small, &map, &why));
	EXPECT_BAD(test, fusex_check_map(&conf, &map, &why));
	map.addr = 256;
	EXPECT_BAD(test, fusex_check_map(&small, &map, &why));
	map = (struct fusex_map){
		.length = 65536, .type = FUSEX_MAP_MAPPED, .dev = 1,
	};
	EXPECT_GOOD(test, fusex_check_map(&large, &map, &why));
	map.length = 65536 - BLOCK;
	EXPECT_BAD(test, fusex_check_map(&large, &map, &why));
}

/* ------------------------------------------------------------ as an answer */

#define OP_WRITE FUSEX_MAP_OP_WRITE

/* A question about the second half of a file of two blocks. */
static struct fusex_map_begin_in question(u32 op)
{
	return (struct fusex_map_begin_in) {
		.offset = BLOCK, .length = BLOCK, .op = op, .size = 2 * BLOCK,
	};
}

static struct fusex_map on_device(u16 type)
{
	return (struct fusex_map) {
		.length = 2 * BLOCK, .addr = BLOCK, .type = type, .dev = 1,
	};
}

static struct fusex_map off_device(u16 type)
{
	return (struct fusex_map) { .length = 2 * BLOCK, .type = type };
}

static struct fusex_map_begin_out answer(struct fusex_map read)
{
	return (struct fusex_map_begin_out) { .read = read };
}

#define CHECK(in_, out_) \
	fusex_check_map_begin(&conf, in_, out_, false, &why)

static const struct fusex_map_begin_out any_answer;

/* Of an answer that says that there is data, to a read. */
static const struct limit answer_limits[] = {
	LIMIT(any_answer.read.type, FUSEX_MAP_UNWRITTEN, FUSEX_MAP_NONE),
	LIMIT(any_answer.read.length, 2 * BLOCK, 0),
	LIMIT(any_answer.read.length, 2 * BLOCK, BLOCK),
	LIMIT(any_answer.read.offset, BLOCK, 2 * BLOCK),
	LIMIT(any_answer.read.offset, BLOCK, BLOCK + 1),
	LIMIT(any_answer.read.flags, FUSEX_MAP_F_KNOWN, FUSEX_MAP_F_KNOWN + 1),
	LIMIT(any_answer.write.offset, 0, BLOCK),
	LIMIT(any_answer.write.length, 0, BLOCK),
	LIMIT(any_answer.write.addr, 0, BLOCK),
	LIMIT(any_answer.write.type, FUSEX_MAP_NONE, FUSEX_MAP_HOLE),
	LIMIT(any_answer.write.flags, 0, 1),
	LIMIT(any_answer.write.dev, 0, 1),
	LIMIT(any_answer.lease, 0, 1),
	LIMIT(any_answer.lease_valid, 0, 1),
	LIMIT(any_answer.attr.mask, 0, FUSEX_ATTR_KNOWN + 1),
	LIMIT(any_answer.attr.reserved[2], 0, 1),
};

KUNIT_ARRAY_PARAM(answer_limits, answer_limits, limit_name);

static void answer_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_map_begin_in in = question(0);
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	const char *why = NULL;

	poke(&out, &any_answer, l, l->inside);
	EXPECT_GOOD(test, CHECK(&in, &out));
	poke(&out, &any_answer, l, l->outside);
	EXPECT_BAD(test, CHECK(&in, &out));
}

/* Whatever is asked for, the first byte is what the answer is about. */
static void answer_covers(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(0);
	const char *why = NULL;

	in.length = U64_MAX;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.offset = 0;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.offset = 2 * BLOCK - 1;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.offset = 2 * BLOCK;
	EXPECT_BAD(test, CHECK(&in, &out));
	out.read.offset = 3 * BLOCK;
	EXPECT_BAD(test, CHECK(&in, &out));
}

/* What each kind of write can do without. */
static const struct {
	u16 type;
	u32 op;
	bool good;
} write_rules[] = {
	{ FUSEX_MAP_HOLE, 0, true },
	{ FUSEX_MAP_HOLE, FUSEX_MAP_OP_DIRECT, true },
	{ FUSEX_MAP_HOLE, FUSEX_MAP_OP_ZERO, true },
	{ FUSEX_MAP_HOLE, FUSEX_MAP_OP_REPORT, true },
	{ FUSEX_MAP_HOLE, OP_WRITE, false },
	{ FUSEX_MAP_HOLE, OP_WRITE | FUSEX_MAP_OP_UNSHARE, false },
	{ FUSEX_MAP_HOLE, OP_WRITE | FUSEX_MAP_OP_WRITEBACK, false },
	{ FUSEX_MAP_DELALLOC, 0, true },
	{ FUSEX_MAP_DELALLOC, FUSEX_MAP_OP_DIRECT, true },
	{ FUSEX_MAP_DELALLOC, FUSEX_MAP_OP_REPORT, true },
	{ FUSEX_MAP_DELALLOC, OP_WRITE, true },
	{ FUSEX_MAP_DELALLOC, OP_WRITE | FUSEX_MAP_OP_FAULT, true },
	{ FUSEX_MAP_DELALLOC, OP_WRITE | FUSEX_MAP_OP_DIRECT, false },
	{ FUSEX_MAP_DELALLOC, OP_WRITE | FUSEX_MAP_OP_WRITEBACK, false },
	{ FUSEX_MAP_DELALLOC, OP_WRITE | FUSEX_MAP_OP_DAX, false },
	{ FUSEX_MAP_MAPPED, OP_WRITE | FUSEX_MAP_OP_DIRECT, true },
	{ FUSEX_MAP_MAPPED, OP_WRITE | FUSEX_MAP_OP_WRITEBACK, true },
	{ FUSEX_MAP_MAPPED, OP_WRITE | FUSEX_MAP_OP_DAX, true },
	{ FUSEX_MAP_UNWRITTEN, OP_WRITE | FUSEX_MAP_OP_DIRECT, true },
	{ FUSEX_MAP_UNWRITTEN, OP_WRITE | FUSEX_MAP_OP_WRITEBACK, true },
	{ FUSEX_MAP_UNWRITTEN, OP_WRITE | FUSEX_MAP_OP_FAULT, true },
};

static void write_rule(struct kunit *test)
{
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(write_rules); i++) {
		u16 type = write_rules[i].type;
		bool is_on = type == FUSEX_MAP_MAPPED ||
			     type == FUSEX_MAP_UNWRITTEN;
		struct fusex_map_begin_in in = question(write_rules[i].op);
		struct fusex_map_begin_out out =
			answer(is_on ? on_device(type) : off_device(type));

		KUNIT_EXPECT_EQ_MSG(test, said(CHECK(&in, &out), &why),
				    write_rules[i].good ? 0 : -EFSCORRUPTED,
				    "type %u, op %x", type, in.op);
	}
}

/* Others have it as well: it is read, and zeros come by way of the cache. */
static void write_shared(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(0);
	const char *why = NULL;

	out.read.flags = FUSEX_MAP_F_SHARED;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.op = OP_WRITE;
	EXPECT_BAD(test, CHECK(&in, &out));
	out.write = on_device(FUSEX_MAP_UNWRITTEN);
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.write.flags = FUSEX_MAP_F_SHARED;
	EXPECT_BAD(test, CHECK(&in, &out));
}

/* What is new would be the file's with whatever it has. */
static void write_dax(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(OP_WRITE | FUSEX_MAP_OP_DAX);
	const char *why = NULL;

	EXPECT_GOOD(test, CHECK(&in, &out));
	out.read.flags = FUSEX_MAP_F_NEW;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.op = OP_WRITE;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.op = OP_WRITE | FUSEX_MAP_OP_DAX;
	out.read = on_device(FUSEX_MAP_UNWRITTEN);
	out.read.flags = FUSEX_MAP_F_NEW;
	EXPECT_GOOD(test, CHECK(&in, &out));
}

static void write_atomic(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(OP_WRITE | FUSEX_MAP_OP_ATOMIC);
	const char *why = NULL;

	/* The server does not lie; it cannot be done there. */
	EXPECT_ERR(test, CHECK(&in, &out), -EINVAL);
	out.read.flags = FUSEX_MAP_F_ATOMIC;
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.write = on_device(FUSEX_MAP_UNWRITTEN);
	EXPECT_ERR(test, CHECK(&in, &out), -EINVAL);
	out.write.flags = FUSEX_MAP_F_ATOMIC;
	EXPECT_GOOD(test, CHECK(&in, &out));
}

static void elsewhere(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(OP_WRITE);
	const char *why = NULL;

	out.write = on_device(FUSEX_MAP_UNWRITTEN);
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.write.type = FUSEX_MAP_MAPPED;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.op = 0;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.op = FUSEX_MAP_OP_ZERO;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.op = FUSEX_MAP_OP_REPORT;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.op = OP_WRITE | FUSEX_MAP_OP_WRITEBACK;
	EXPECT_GOOD(test, CHECK(&in, &out));
	/* What was there may be nothing, or reserved, or not written. */
	out.read = off_device(FUSEX_MAP_HOLE);
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.read = off_device(FUSEX_MAP_DELALLOC);
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.read = (struct fusex_map){
		.length = FUSEX_INLINE_MAX, .type = FUSEX_MAP_INLINE,
	};
	in.offset = 0;
	in.size = 100;
	EXPECT_BAD(test, CHECK(&in, &out));
}

static void elsewhere_limits(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(OP_WRITE);
	const char *why = NULL;
	u16 type;

	for (type = FUSEX_MAP_HOLE; type <= FUSEX_MAP_NR; type++) {
		if (type == FUSEX_MAP_MAPPED || type == FUSEX_MAP_UNWRITTEN)
			continue;
		out.write = off_device(type);
		EXPECT_BAD(test, CHECK(&in, &out));
	}
	out.write = on_device(FUSEX_MAP_MAPPED);
	out.write.length = BLOCK;
	EXPECT_BAD(test, CHECK(&in, &out));
	out.write.offset = BLOCK;
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.write.addr = 512;
	EXPECT_BAD(test, CHECK(&in, &out));
	out.write.addr = 0;
	out.write.dev = 0;
	EXPECT_BAD(test, CHECK(&in, &out));
	out.write.dev = 1;
	out.write.flags = FUSEX_MAP_F_KNOWN + 1;
	EXPECT_BAD(test, CHECK(&in, &out));
	/* What is new is what is written to. */
	out.write.flags = FUSEX_MAP_F_NEW;
	EXPECT_GOOD(test, CHECK(&in, &out));
	out.read.flags = FUSEX_MAP_F_NEW;
	EXPECT_BAD(test, CHECK(&in, &out));
}

static void inline_read(struct kunit *test)
{
	struct fusex_map_begin_in in = { .length = BLOCK, .size = 100 };
	struct fusex_map_begin_out out = answer((struct fusex_map) {
		.length = 100, .type = FUSEX_MAP_INLINE,
	});
	const char *why = NULL;

	EXPECT_GOOD(test, CHECK(&in, &out));
	/* All of the file is there, or it is not inline. */
	in.size = 101;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.size = 0;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.size = 100;
	in.offset = 99;
	EXPECT_GOOD(test, CHECK(&in, &out));
	/* Who looks behind it finds nothing, who writes there something else. */
	in.offset = 100;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.op = OP_WRITE;
	EXPECT_BAD(test, CHECK(&in, &out));
}

static void inline_write(struct kunit *test)
{
	static const u32 never[] = {
		FUSEX_MAP_OP_FAULT, FUSEX_MAP_OP_WRITEBACK, FUSEX_MAP_OP_ATOMIC,
		FUSEX_MAP_OP_DAX,
	};
	struct fusex_map_begin_in in = {
		.offset = 40, .length = 60, .size = 50, .op = OP_WRITE,
	};
	struct fusex_map_begin_out out = answer((struct fusex_map) {
		.length = 100, .type = FUSEX_MAP_INLINE,
	});
	const char *why = NULL;
	unsigned int i;

	EXPECT_GOOD(test, CHECK(&in, &out));
	in.op = OP_WRITE | FUSEX_MAP_OP_DIRECT;
	EXPECT_GOOD(test, CHECK(&in, &out));
	/* All of the file, which is read first. */
	in.size = 101;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.size = 50;
	/* All of what is written, or none of it. */
	in.length = 61;
	EXPECT_BAD(test, CHECK(&in, &out));
	in.length = U64_MAX;
	EXPECT_BAD(test, CHECK(&in, &out));
	/* Of zeros, what there is. */
	in.op = FUSEX_MAP_OP_ZERO;
	EXPECT_GOOD(test, CHECK(&in, &out));
	in.length = 60;
	for (i = 0; i < ARRAY_SIZE(never); i++) {
		in.op = OP_WRITE | never[i];
		EXPECT_BAD(test, CHECK(&in, &out));
		if (never[i] == FUSEX_MAP_OP_ATOMIC)
			continue;
		in.op = never[i];
		EXPECT_GOOD(test, CHECK(&in, &out));
	}
}

static void leases(struct kunit *test)
{
	struct fusex_map_begin_out out = answer(on_device(FUSEX_MAP_MAPPED));
	struct fusex_map_begin_in in = question(0);
	const char *why = NULL;

#define SHARED(in_, out_) \
	fusex_check_map_begin(&conf, in_, out_, true, &why)
	EXPECT_GOOD(test, SHARED(&in, &out));
	out.lease_valid = 1;
	EXPECT_BAD(test, SHARED(&in, &out));
	out.lease = 1;
	EXPECT_GOOD(test, SHARED(&in, &out));
	EXPECT_BAD(test, CHECK(&in, &out));
	out.lease_valid = FUSEX_FOREVER;
	EXPECT_GOOD(test, SHARED(&in, &out));
	/* One that is over at once is one. */
	out.lease_valid = 0;
	EXPECT_GOOD(test, SHARED(&in, &out));
	EXPECT_BAD(test, CHECK(&in, &out));
#undef SHARED
}

static struct kunit_case map_cases[] = {
	KUNIT_CASE_PARAM(map_limit, map_limits_gen_params),
	KUNIT_CASE(map_nowhere),
	KUNIT_CASE(map_unknown),
	KUNIT_CASE(map_inline),
	KUNIT_CASE(map_blocks),
	KUNIT_CASE_PARAM(answer_limit, answer_limits_gen_params),
	KUNIT_CASE(answer_covers),
	KUNIT_CASE(write_rule),
	KUNIT_CASE(write_shared),
	KUNIT_CASE(write_dax),
	KUNIT_CASE(write_atomic),
	KUNIT_CASE(elsewhere),
	KUNIT_CASE(elsewhere_limits),
	KUNIT_CASE(inline_read),
	KUNIT_CASE(inline_write),
	KUNIT_CASE(leases),
	{}
};

static struct kunit_suite map_suite = {
	.name = "fusex_map",
	.test_cases = map_cases,
};

kunit_test_suite(map_suite);

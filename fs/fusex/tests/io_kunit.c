// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the data side: how ranges are cut into requests, what a write
 * makes known of a folio, sizes after fallocate, how much a direct read asks
 * for, which modes exist.
 */
#include <kunit/test.h>
#include <linux/falloc.h>
#include <linux/module.h>

#include "../io.h"

#define SZ	4096

/* ---------------------------------------------------------------- io_room */

struct room_case {
	const char *name;
	u32 max;
	size_t bytes;
	loff_t end;
	loff_t pos;
	size_t len;
	size_t want;
};

static const struct room_case room_cases[] = {
	{ "first range", 65536, 0, 0, 8192, SZ, SZ },
	{ "first range, position of no meaning", 65536, 0, 77, 8192, SZ, SZ },
	{ "first range larger than a request", 65536, 0, 0, 0, 1 << 20, 65536 },
	{ "follows", 65536, SZ, 12288, 12288, SZ, SZ },
	{ "gap", 65536, SZ, 12288, 16384, SZ, 0 },
	{ "gap of a byte", 65536, SZ, 12288, 12289, SZ, 0 },
	{ "overlap", 65536, SZ, 12288, 12287, SZ, 0 },
	{ "fits exactly", 65536, 61440, 61440, 61440, SZ, SZ },
	{ "a byte too many", 65536, 61440, 61440, 61440, SZ + 1, SZ },
	{ "full", 65536, 65536, 65536, 65536, SZ, 0 },
	{ "beyond 4 GiB", 65536, SZ, (1ll << 33) + SZ, (1ll << 33) + SZ, SZ, SZ },
	{ "same low 32 bits", 65536, SZ, SZ, (1ll << 32) + SZ, SZ, 0 },
};

static void room_desc(const struct room_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(room, room_cases, room_desc);

static void room_test(struct kunit *test)
{
	const struct room_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_io_room(c->max, c->bytes, c->end, c->pos,
					    c->len), c->want);
}

/* ----------------------------------------------------------- plain_covers */

struct covers_case {
	const char *name;
	loff_t from;
	loff_t to;
	loff_t oldsize;
	bool want;
};

/* The folio is [4096, 8192). */
static const struct covers_case covers_cases[] = {
	{ "whole folio of a long file", 4096, 8192, 1 << 20, true },
	{ "begins a byte late", 4097, 8192, 1 << 20, false },
	{ "ends a byte early", 4096, 8191, 1 << 20, false },
	{ "append at a folio's start", 4096, 4196, 4096, true },
	{ "append behind data that is not cached", 4196, 4296, 4196, false },
	{ "far beyond the end", 5000, 6000, 100, true },
	{ "beyond an end in the folio before", 5000, 6000, 4096, true },
	{ "beyond an end in this folio", 5000, 6000, 4097, false },
	{ "up to the end of the file", 4096, 5000, 5000, true },
	{ "up to a byte before the end", 4096, 4999, 5000, false },
	{ "an empty file", 4096, 4097, 0, true },
};

static void covers_desc(const struct covers_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(covers, covers_cases, covers_desc);

static void covers_test(struct kunit *test)
{
	const struct covers_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_plain_covers(4096, 8192, c->from, c->to,
						 c->oldsize), c->want);
}

/* --------------------------------------------------------- fallocate_size */

struct fallocate_case {
	const char *name;
	int mode;
	loff_t offset;
	loff_t len;
	loff_t size;
	loff_t want;
};

#define MAX_SIZE	((loff_t)BIT_ULL(40))

static const struct fallocate_case fallocate_cases[] = {
	{ "allocate inside", 0, 0, SZ, 3 * SZ, 3 * SZ },
	{ "allocate to the end", 0, SZ, 2 * SZ, 3 * SZ, 3 * SZ },
	{ "allocate beyond", 0, SZ, 2 * SZ + 1, 3 * SZ, 3 * SZ + 1 },
	{ "allocate beyond, size kept", FALLOC_FL_KEEP_SIZE, SZ, 9 * SZ,
	  3 * SZ, 3 * SZ },
	{ "zero beyond", FALLOC_FL_ZERO_RANGE, SZ, 9 * SZ, 3 * SZ, 10 * SZ },
	{ "punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SZ, 9 * SZ,
	  3 * SZ, 3 * SZ },
	{ "collapse", FALLOC_FL_COLLAPSE_RANGE, 0, SZ, 3 * SZ, 2 * SZ },
	{ "collapse all but the last byte", FALLOC_FL_COLLAPSE_RANGE, 0, SZ,
	  SZ + 1, 1 },
	{ "collapse to the end", FALLOC_FL_COLLAPSE_RANGE, SZ, 2 * SZ, 3 * SZ,
	  -EINVAL },
	{ "insert", FALLOC_FL_INSERT_RANGE, SZ, SZ, 3 * SZ, 4 * SZ },
	{ "insert at the end", FALLOC_FL_INSERT_RANGE, 3 * SZ, SZ, 3 * SZ,
	  -EINVAL },
	{ "insert up to the limit", FALLOC_FL_INSERT_RANGE, 0, MAX_SIZE - SZ,
	  SZ, MAX_SIZE },
	{ "insert over the limit", FALLOC_FL_INSERT_RANGE, 0,
	  MAX_SIZE - SZ + 1, SZ, -EFBIG },
};

static void fallocate_desc(const struct fallocate_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fallocate, fallocate_cases, fallocate_desc);

static void fallocate_test(struct kunit *test)
{
	const struct fallocate_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_fallocate_size(c->mode, c->offset, c->len,
						   c->size, MAX_SIZE),
			c->want);
}

/* ------------------------------------------------------------- direct_ask */

struct ask_case {
	const char *name;
	loff_t left;
	size_t count;
	u32 max;
	size_t want;
};

static const struct ask_case ask_cases[] = {
	{ "inside the file", 1 << 20, SZ, 65536, SZ },
	{ "up to the end", SZ, SZ, 65536, SZ },
	{ "the request that meets the end is full", 10, SZ, 65536, SZ },
	{ "and not more than one", 10, 1 << 20, 65536, 65536 },
	{ "all that is there", 65536, 1 << 20, 65536, 65536 },
	{ "a byte more is another one", 65537, 1 << 20, 65536, 131072 },
	{ "many", 1 << 20, 1 << 20, 65536, 1 << 20 },
	{ "size not known", 0, 1 << 20, 65536, 65536 },
	{ "behind the end", -5, 1 << 20, 65536, 65536 },
	{ "far behind the end", LLONG_MIN, SZ, 65536, SZ },
	{ "the largest file", LLONG_MAX, 1 << 20, 65536, 1 << 20 },
};

static void ask_desc(const struct ask_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ask, ask_cases, ask_desc);

static void ask_test(struct kunit *test)
{
	const struct ask_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_direct_ask(c->left, c->count, c->max),
			c->want);
}

/* ------------------------------------------------------------------ others */

static void modes_test(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, fusex_io_mode_supported(FUSEX_IO_PLAIN));
	KUNIT_EXPECT_TRUE(test, fusex_io_mode_supported(FUSEX_IO_DIRECT));
	KUNIT_EXPECT_TRUE(test, fusex_io_mode_supported(FUSEX_IO_WRITEBACK));
	KUNIT_EXPECT_TRUE(test,
			  fusex_io_mode_supported(FUSEX_IO_PASSTHROUGH));
	KUNIT_EXPECT_EQ(test, fusex_io_mode_supported(FUSEX_IO_DAX),
			IS_ENABLED(CONFIG_FS_DAX));
	/* Not a mode but a wish. */
	KUNIT_EXPECT_FALSE(test, fusex_io_mode_supported(FUSEX_IO_DEFAULT));
	KUNIT_EXPECT_FALSE(test, fusex_io_mode_supported(FUSEX_IO_NR));
	KUNIT_EXPECT_FALSE(test, fusex_io_mode_supported(255));
}

/* A table that lacks a hook that is called without asking is an oops. */
static void tables_test(struct kunit *test)
{
	const struct fusex_io_ops *const tables[] = {
		&fusex_io_none, fusex_io_plain.io, fusex_io_direct.io,
		fusex_io_writeback.io, fusex_io_passthrough.io,
		fusex_io_iomap.io, fusex_io_dax.io,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		/* Nothing of a mode that this kernel lacks. */
		if (!tables[i])
			continue;
		KUNIT_EXPECT_NOT_NULL(test, tables[i]->setsize_begin);
		KUNIT_EXPECT_NOT_NULL(test, tables[i]->setsize_end);
		KUNIT_EXPECT_NOT_NULL(test, tables[i]->invalidate);
		KUNIT_EXPECT_NOT_NULL(test, tables[i]->write_back);
	}
}

static void uncertain_test(struct kunit *test)
{
	static const int unknown[] = {
		-EINTR, -ERESTARTSYS, -ETIMEDOUT, -ENOTCONN, -EFSCORRUPTED,
	};
	static const int known[] = { 0, -EIO, -ENOSPC, -EDQUOT, -ENOSYS };
	struct fusex_call call = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		call.error = unknown[i];
		call.sent = true;
		KUNIT_EXPECT_TRUE(test, fusex_io_uncertain(&call));
		/* What nobody has seen was not done. */
		call.sent = false;
		KUNIT_EXPECT_FALSE(test, fusex_io_uncertain(&call));
	}
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		call.error = known[i];
		call.sent = true;
		KUNIT_EXPECT_FALSE(test, fusex_io_uncertain(&call));
	}
}

static void flags_test(struct kunit *test)
{
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct kiocb iocb = { .ki_filp = file };

	KUNIT_ASSERT_NOT_NULL(test, file);
	file->f_flags = O_RDWR | O_DIRECT;
	KUNIT_EXPECT_EQ(test, fusex_io_flags(&iocb), O_RDWR | O_DIRECT);
	iocb.ki_flags = IOCB_DSYNC;
	KUNIT_EXPECT_EQ(test, fusex_io_flags(&iocb),
			O_RDWR | O_DIRECT | O_DSYNC);
	iocb.ki_flags = IOCB_DSYNC | IOCB_SYNC;
	KUNIT_EXPECT_EQ(test, fusex_io_flags(&iocb),
			O_RDWR | O_DIRECT | O_SYNC);
	iocb.ki_flags = IOCB_APPEND;
	KUNIT_EXPECT_EQ(test, fusex_io_flags(&iocb),
			O_RDWR | O_DIRECT | O_APPEND);
	/* RWF_NOAPPEND */
	file->f_flags = O_WRONLY | O_APPEND;
	iocb.ki_flags = 0;
	KUNIT_EXPECT_EQ(test, fusex_io_flags(&iocb), O_WRONLY);
}

static struct kunit_case io_cases[] = {
	KUNIT_CASE_PARAM(room_test, room_gen_params),
	KUNIT_CASE_PARAM(covers_test, covers_gen_params),
	KUNIT_CASE_PARAM(fallocate_test, fallocate_gen_params),
	KUNIT_CASE_PARAM(ask_test, ask_gen_params),
	KUNIT_CASE(modes_test),
	KUNIT_CASE(tables_test),
	KUNIT_CASE(uncertain_test),
	KUNIT_CASE(flags_test),
	{}
};

static struct kunit_suite io_suite = {
	.name		= "fusex-io",
	.test_cases	= io_cases,
};

kunit_test_suite(io_suite);

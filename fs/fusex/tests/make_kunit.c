// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the extended attributes that new objects are sent with.
 */
#include <kunit/test.h>
#include <linux/fusex.h>
#include <linux/module.h>
#include <linux/string.h>

#include "../inode.h"

#define ROOM	256

static const struct fusex_xattr_val vals[] = {
	{ "a", "12345", 5 },			/* 1 + 1 + 5, padded by 1 */
	{},
	{ "security.label", "1", 1 },		/* 14 + 1 + 1, no padding */
	{ "empty", "", 0 },
};

/* Bytes of records: three headers and what is padded. */
#define RECORDS	(3 * sizeof(struct fusex_xattr_rec) + 8 + 16 + 8)

static void expect_record(struct kunit *test, const void **p,
			  const struct fusex_xattr_val *val)
{
	struct fusex_xattr_rec rec;
	size_t used;

	memcpy(&rec, *p, sizeof(rec));
	KUNIT_EXPECT_EQ(test, rec.name_len, strlen(val->name));
	KUNIT_EXPECT_EQ(test, rec.value_len, val->len);
	*p += sizeof(rec);
	KUNIT_EXPECT_STREQ(test, *p, val->name);
	KUNIT_EXPECT_MEMEQ(test, *p + rec.name_len + 1, val->value, val->len);
	used = rec.name_len + 1 + val->len;
	KUNIT_EXPECT_NULL(test, memchr_inv(*p + used, 0,
					   FUSEX_ALIGN(used) - used));
	*p += FUSEX_ALIGN(used);
}

/* Whatever comes before them, the records start at a multiple of 8. */
static void records_test(struct kunit *test)
{
	size_t before;

	for (before = 0; before <= 16; before++) {
		size_t pad = (8 - before % 8) % 8;
		size_t size = fusex_records_size(vals, ARRAY_SIZE(vals),
						 before);
		u8 *buf = kunit_kzalloc(test, ROOM, GFP_KERNEL);
		const void *p = buf + pad;

		KUNIT_ASSERT_NOT_NULL(test, buf);
		KUNIT_EXPECT_EQ(test, size, pad + RECORDS);
		memset(buf + size, 0xa5, ROOM - size);
		KUNIT_EXPECT_EQ(test, fusex_records_fill(buf, vals,
							 ARRAY_SIZE(vals),
							 before), 3);
		KUNIT_EXPECT_NULL(test, memchr_inv(buf, 0, pad));
		expect_record(test, &p, &vals[0]);
		expect_record(test, &p, &vals[2]);
		expect_record(test, &p, &vals[3]);
		KUNIT_EXPECT_PTR_EQ(test, p, (const void *)buf + size);
		KUNIT_EXPECT_NULL(test, memchr_inv(buf + size, 0xa5,
						   ROOM - size));
	}
}

/* Without records there is no padding either. */
static void no_records_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fusex_records_size(vals, 0, 3), 0);
	KUNIT_EXPECT_EQ(test, fusex_records_size(&vals[1], 1, 3), 0);
}

static struct kunit_case make_cases[] = {
	KUNIT_CASE(records_test),
	KUNIT_CASE(no_records_test),
	{}
};

static struct kunit_suite make_suite = {
	.name = "fusex_make",
	.test_cases = make_cases,
};

kunit_test_suite(make_suite);

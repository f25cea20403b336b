// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of dax mode: the huge pages that a range touches.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/sizes.h>

#include "../daxdev.h"

/* Of the last huge page of the largest file. */
#define LAST	((loff_t)(LLONG_MAX & ~(PMD_SIZE - 1)))

/* A byte, and where its huge page begins and ends. */
struct huge_case {
	const char *desc;
	loff_t at;
	loff_t first;
	loff_t last;
};

static const struct huge_case huge_cases[] = {
	{ "the first byte", 0, 0, PMD_SIZE - 1 },
	{ "a byte in it", PAGE_SIZE, 0, PMD_SIZE - 1 },
	{ "the last but one", PMD_SIZE - 2, 0, PMD_SIZE - 1 },
	{ "the last", PMD_SIZE - 1, 0, PMD_SIZE - 1 },
	{ "the first of the next", PMD_SIZE, PMD_SIZE, 2 * PMD_SIZE - 1 },
	{ "beyond 4 GiB", SZ_4G + 1, SZ_4G, SZ_4G + PMD_SIZE - 1 },
	{ "before the last but one", LAST - PMD_SIZE - 1, LAST - 2 * PMD_SIZE,
	  LAST - PMD_SIZE - 1 },
	{ "in the last but one", LAST - PMD_SIZE, LAST - PMD_SIZE, LAST - 1 },
	{ "its last byte", LAST - 1, LAST - PMD_SIZE, LAST - 1 },
	{ "the first of the last", LAST, LAST, LLONG_MAX },
	{ "the last but one of a file", LLONG_MAX - 1, LAST, LLONG_MAX },
	{ "the last of a file", LLONG_MAX, LAST, LLONG_MAX },
};

KUNIT_ARRAY_PARAM_DESC(huge, huge_cases, desc);

static void huge_pages(struct kunit *test)
{
	const struct huge_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_huge_first(c->at), c->first);
	KUNIT_EXPECT_EQ(test, fusex_huge_last(c->at), c->last);
}

static struct kunit_case dax_cases[] = {
	KUNIT_CASE_PARAM(huge_pages, huge_gen_params),
	{}
};

static struct kunit_suite dax_suite = {
	.name = "fusex_dax",
	.test_cases = dax_cases,
};

kunit_test_suite(dax_suite);

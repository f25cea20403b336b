// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the registry of backing objects: what may be registered, and
 * that nobody begins to use what was removed.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "../backing.h"

/* --------------------------------------------------------- the argument */

struct arg_case {
	const char *name;
	struct fusex_backing arg;
	int want;
};

#define BOTH	(FUSEX_BACKING_READ | FUSEX_BACKING_WRITE)
#define FILE_RW	.type = FUSEX_BACKING_FILE, .access = BOTH
#define BDEV_RW	.type = FUSEX_BACKING_BDEV, .access = BOTH
#define DAX_RW	.type = FUSEX_BACKING_DAX, .access = BOTH
#define STRIPE_RW	.type = FUSEX_BACKING_STRIPE, .access = BOTH

static const struct arg_case arg_cases[] = {
	{ "file", { FILE_RW }, 0 },
	{ "file to be read", { .type = FUSEX_BACKING_FILE,
	  .access = FUSEX_BACKING_READ }, 0 },
	{ "no type", { .access = FUSEX_BACKING_READ }, -EINVAL },
	{ "unknown type", { .type = FUSEX_BACKING_STRIPE + 1,
	  .access = FUSEX_BACKING_READ }, -EINVAL },
	{ "no access", { .type = FUSEX_BACKING_FILE }, -EINVAL },
	{ "unknown access", { .type = FUSEX_BACKING_FILE, .access = 1 << 2 },
	  -EINVAL },
	{ "cookie", { FILE_RW, .cookie = 1 }, -EINVAL },
	{ "reserved", { FILE_RW, .reserved = { 0, 1 } }, -EINVAL },
	{ "file with members", { FILE_RW, .nr_members = 1 }, -EINVAL },
	{ "file with a stripe unit", { FILE_RW, .stripe_unit = 4096 },
	  -EINVAL },
	{ "file with a list of members", { FILE_RW, .members = 4096 },
	  -EINVAL },
	{ "block device", { BDEV_RW }, 0 },
	{ "block device to be written", { .type = FUSEX_BACKING_BDEV,
	  .access = FUSEX_BACKING_WRITE }, 0 },
	{ "block device without access", { .type = FUSEX_BACKING_BDEV },
	  -EINVAL },
	{ "block device with members", { BDEV_RW, .nr_members = 1,
	  .members = 4096, .stripe_unit = 4096 }, -EINVAL },
	{ "block device with a stripe unit", { BDEV_RW, .stripe_unit = 4096 },
	  -EINVAL },
	{ "block device with a cookie", { BDEV_RW, .cookie = 1 }, -EINVAL },
	{ "memory device", { DAX_RW }, 0 },
	{ "memory device with members", { DAX_RW, .nr_members = 1 }, -EINVAL },
	{ "stripe of one", { STRIPE_RW, .nr_members = 1, .members = 4096,
	  .stripe_unit = 1 }, 0 },
	{ "stripe of many", { STRIPE_RW, .nr_members = FUSEX_STRIPE_MAX,
	  .members = 4096, .stripe_unit = U64_MAX }, 0 },
	{ "stripe of too many", { STRIPE_RW, .members = 4096,
	  .nr_members = FUSEX_STRIPE_MAX + 1, .stripe_unit = 4096 }, -EINVAL },
	{ "stripe of nothing", { STRIPE_RW }, -EINVAL },
	{ "stripe of no number", { STRIPE_RW, .members = 4096,
	  .stripe_unit = 4096 }, -EINVAL },
	{ "stripe without a list", { STRIPE_RW, .nr_members = 1,
	  .stripe_unit = 4096 }, -EINVAL },
	{ "stripe without a unit", { STRIPE_RW, .nr_members = 1,
	  .members = 4096 }, -EINVAL },
	{ "stripe without access", { .type = FUSEX_BACKING_STRIPE,
	  .nr_members = 1, .members = 4096, .stripe_unit = 4096 }, -EINVAL },
	{ "stripe with something reserved", { STRIPE_RW, .nr_members = 1,
	  .members = 4096, .stripe_unit = 4096, .reserved = { 1 } }, -EINVAL },
};

static void arg_desc(const struct arg_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(arg, arg_cases, arg_desc);

static void arg_test(struct kunit *test)
{
	const struct arg_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_check_backing(&c->arg), c->want);
}

/* --------------------------------------------------------------- the file */

struct file_case {
	const char *name;
	umode_t type;
	fmode_t mode;
	bool read_iter;
	bool write_iter;
	int depth;
	u32 access;
	u32 stack;
	int want;
};

#define RW	(FMODE_READ | FMODE_WRITE)

static const struct file_case file_cases[] = {
	{ "for everything", S_IFREG, RW, true, true, 0, BOTH, 1, 0 },
	{ "for less than it is open for", S_IFREG, RW, true, true, 0,
	  FUSEX_BACKING_READ, 1, 0 },
	{ "not open for writing", S_IFREG, FMODE_READ, true, true, 0, BOTH, 1,
	  -EBADF },
	{ "not open for reading", S_IFREG, FMODE_WRITE, true, true, 0, BOTH, 1,
	  -EBADF },
	{ "only to be read", S_IFREG, FMODE_READ, true, false, 0,
	  FUSEX_BACKING_READ, 1, 0 },
	{ "cannot be read", S_IFREG, RW, false, true, 0, BOTH, 1, -EINVAL },
	{ "cannot be written", S_IFREG, RW, true, false, 0, BOTH, 1, -EINVAL },
	{ "directory", S_IFDIR, RW, true, true, 0, BOTH, 1, -EINVAL },
	{ "device", S_IFCHR, RW, true, true, 0, BOTH, 1, -EINVAL },
	{ "stacked as high", S_IFREG, RW, true, true, 1, BOTH, 1, -ELOOP },
	{ "stacked, and more is allowed", S_IFREG, RW, true, true, 1, BOTH, 2,
	  0 },
	{ "stacked too high", S_IFREG, RW, true, true, 2, BOTH, 2, -ELOOP },
};

static void file_desc(const struct file_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(file, file_cases, file_desc);

static ssize_t no_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	return 0;
}

/* By what they can: 1 to be read, 2 to be written. */
static const struct file_operations file_ops[] = {
	{ },
	{ .read_iter = no_iter },
	{ .write_iter = no_iter },
	{ .read_iter = no_iter, .write_iter = no_iter },
};

static void file_test(struct kunit *test)
{
	const struct file_case *c = test->param_value;
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sb);
	KUNIT_ASSERT_NOT_NULL(test, inode);
	KUNIT_ASSERT_NOT_NULL(test, file);
	sb->s_stack_depth = c->depth;
	inode->i_sb = sb;
	inode->i_mode = c->type;
	file->f_inode = inode;
	file->f_mode = c->mode;
	file->f_op = &file_ops[c->read_iter | c->write_iter << 1];
	KUNIT_EXPECT_EQ(test, fusex_check_backing_file(file, c->access,
						       c->stack), c->want);
}

/* ------------------------------------------------------- the block device */

struct bdev_case {
	const char *name;
	umode_t type;
	fmode_t mode;
	u32 access;
	int want;
};

static const struct bdev_case bdev_cases[] = {
	{ "for everything", S_IFBLK, RW, BOTH, 0 },
	{ "for less than it is open for", S_IFBLK, RW, FUSEX_BACKING_WRITE, 0 },
	{ "to be read", S_IFBLK, FMODE_READ, FUSEX_BACKING_READ, 0 },
	{ "to be written", S_IFBLK, FMODE_WRITE, FUSEX_BACKING_WRITE, 0 },
	{ "not open for writing", S_IFBLK, FMODE_READ, BOTH, -EBADF },
	{ "not open for reading", S_IFBLK, FMODE_WRITE, BOTH, -EBADF },
	{ "not open for either", S_IFBLK, 0, FUSEX_BACKING_READ, -EBADF },
	{ "file", S_IFREG, RW, BOTH, -EINVAL },
	{ "character device", S_IFCHR, RW, BOTH, -EINVAL },
	{ "directory", S_IFDIR, FMODE_READ, FUSEX_BACKING_READ, -EINVAL },
};

static void bdev_desc(const struct bdev_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(bdev, bdev_cases, bdev_desc);

static void bdev_test(struct kunit *test)
{
	const struct bdev_case *c = test->param_value;
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, inode);
	KUNIT_ASSERT_NOT_NULL(test, file);
	inode->i_mode = c->type;
	file->f_inode = inode;
	file->f_mode = c->mode;
	KUNIT_EXPECT_EQ(test, fusex_check_backing_bdev(file, c->access),
			c->want);
}

/* --------------------------------------------------------------------- use */

static void use_test(struct kunit *test)
{
	struct fusex_bobj obj = { .ref = REFCOUNT_INIT(2) };

	KUNIT_EXPECT_EQ(test, fusex_backing_use(&obj), 0);
	KUNIT_EXPECT_EQ(test, fusex_backing_use(&obj), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&obj.busy), 2);
	KUNIT_EXPECT_EQ(test, fusex_backing_done(&obj, 4096), 4096);

	/* Removed by somebody who waits: who has begun is not disturbed. */
	obj.removed = true;
	KUNIT_EXPECT_EQ(test, fusex_backing_use(&obj), -ENODEV);
	KUNIT_EXPECT_EQ(test, atomic_read(&obj.busy), 1);
	KUNIT_EXPECT_EQ(test, fusex_backing_done(&obj, 7), 7);
	KUNIT_EXPECT_EQ(test, atomic_read(&obj.busy), 0);
}

static void fail_test(struct kunit *test)
{
	struct fusex_bobj obj = { .ref = REFCOUNT_INIT(2) };

	KUNIT_EXPECT_EQ(test, fusex_backing_use(&obj), 0);
	obj.failing = true;
	obj.removed = true;
	/* What is on its way has an end of its own. */
	KUNIT_EXPECT_EQ(test, fusex_backing_done(&obj, -EIOCBQUEUED),
			-EIOCBQUEUED);
	KUNIT_EXPECT_EQ(test, fusex_backing_use(&obj), -ENODEV);

	obj.removed = false;
	KUNIT_EXPECT_EQ(test, fusex_backing_use(&obj), 0);
	KUNIT_EXPECT_EQ(test, fusex_backing_done(&obj, 4096), -ENODEV);
}

static struct kunit_case backing_cases[] = {
	KUNIT_CASE_PARAM(arg_test, arg_gen_params),
	KUNIT_CASE_PARAM(file_test, file_gen_params),
	KUNIT_CASE_PARAM(bdev_test, bdev_gen_params),
	KUNIT_CASE(use_test),
	KUNIT_CASE(fail_test),
	{}
};

static struct kunit_suite backing_suite = {
	.name		= "fusex-backing",
	.test_cases	= backing_cases,
};

kunit_test_suite(backing_suite);

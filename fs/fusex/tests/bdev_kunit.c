// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of block devices and stripes as backing objects: what of them
 * mappings can name, which member has what, uses and removal.
 */
#include <kunit/test.h>
#include <linux/backing-dev-defs.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/module.h>

#include "../backing.h"
#include "fake_chan.h"

#define READING	FUSEX_BACKING_READ
#define WRITING	FUSEX_BACKING_WRITE
#define BOTH	(READING | WRITING)
#define BLOCK	4096
#define SECTORS	64
#define SIZE	((u64)SECTORS << SECTOR_SHIFT)

/*
 * A device that nobody could open.  The test has a reference of its own, so
 * that no object is freed that is not from the registry's cache.
 */
struct fake_device {
	struct block_device bdev;
	struct request_queue queue;
	struct gendisk disk;
	struct fusex_bobj obj;
};

static void *fake_alloc(struct kunit *test, size_t size)
{
	void *p = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void fake_register(struct kunit *test, struct fusex_bobj *obj)
{
	u32 cookie;

	refcount_set(&obj->ref, 2);
	KUNIT_ASSERT_EQ(test, 0,
			fusex_backing_publish(test->priv, obj, &cookie));
	KUNIT_EXPECT_EQ(test, cookie, obj->cookie);
}

static struct fusex_bobj *fake_device(struct kunit *test, u32 access,
				      sector_t sectors)
{
	struct fake_device *f = fake_alloc(test, sizeof(*f));

	f->queue.limits.logical_block_size = 512;
	f->disk.part0 = &f->bdev;
	f->bdev.bd_disk = &f->disk;
	f->bdev.bd_queue = &f->queue;
	f->bdev.bd_nr_sectors = sectors;
	f->obj.bdev = &f->bdev;
	f->obj.type = FUSEX_BACKING_BDEV;
	f->obj.access = access;
	fake_register(test, &f->obj);
	return &f->obj;
}

static struct fusex_bobj *fake_other(struct kunit *test, u32 type, u32 nr)
{
	struct fusex_bobj *obj = fake_alloc(test, struct_size(obj, members, nr));

	obj->type = type;
	obj->access = BOTH;
	obj->nr_members = nr;
	fake_register(test, obj);
	return obj;
}

/* Devices of SIZE bytes, and a stripe of them. */
static struct fusex_bobj *fake_stripe(struct kunit *test, u32 nr, u64 unit)
{
	struct fusex_bobj *obj = fake_other(test, FUSEX_BACKING_STRIPE, nr);
	u32 *cookies = fake_alloc(test, nr * sizeof(*cookies));
	u32 i;

	for (i = 0; i < nr; i++)
		cookies[i] = fake_device(test, BOTH, SECTORS)->cookie;
	KUNIT_ASSERT_EQ(test, fusex_stripe_fill(obj, test->priv, cookies, unit),
			0);
	return obj;
}

static int bdev_init(struct kunit *test)
{
	struct fusex_chan *chan = fake_chan(test);

	chan->conf.block_size = BLOCK;
	test->priv = chan;
	return 0;
}

/* ------------------------------------------------------------ registration */

static void blocks_test(struct kunit *test)
{
	struct block_device *bdev = fake_device(test, BOTH, SECTORS)->bdev;

	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, BOTH, 512), 0);
	bdev->bd_queue->limits.logical_block_size = 4096;
	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, BOTH, 4096), 0);
	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, BOTH, 8192), 0);
	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, BOTH, 2048), -EINVAL);
}

static void read_only_test(struct kunit *test)
{
	struct block_device *bdev = fake_device(test, BOTH, SECTORS)->bdev;

	set_bit(GD_READ_ONLY, &bdev->bd_disk->state);
	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, BOTH, 512), -EBADF);
	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, WRITING, 512), -EBADF);
	KUNIT_EXPECT_EQ(test, fusex_check_bdev(bdev, READING, 512), 0);
}

/* Of two members: the second is @cookie. */
static void make_stripe(struct kunit *test, const char *what, u32 access,
			u32 cookie, u64 unit, int want)
{
	struct fusex_bobj *first = fake_device(test, BOTH, SECTORS);
	u32 cookies[2] = { first->cookie, cookie };
	struct fusex_bobj *obj;

	obj = fake_other(test, FUSEX_BACKING_STRIPE, ARRAY_SIZE(cookies));
	obj->access = access;
	KUNIT_EXPECT_EQ_MSG(test, fusex_stripe_fill(obj, test->priv, cookies,
						    unit), want, "%s", what);
	/* As who frees it does. */
	fusex_backing_put(obj->members[0]);
	fusex_backing_put(obj->members[1]);
	obj->nr_members = 0;
	KUNIT_EXPECT_EQ_MSG(test, refcount_read(&first->ref), 2, "%s", what);
}

static void stripe_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	struct fusex_bobj *small = fake_device(test, BOTH, 2 * BLOCK / 512 - 1);
	struct fusex_bobj *reads = fake_device(test, READING, SECTORS);
	struct fusex_bobj *file = fake_other(test, FUSEX_BACKING_FILE, 0);
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);

	make_stripe(test, "good", BOTH, dev->cookie, BLOCK, 0);
	make_stripe(test, "one unit", BOTH, dev->cookie, SIZE, 0);
	make_stripe(test, "less than a unit", BOTH, dev->cookie, SIZE + BLOCK,
		    -EINVAL);
	make_stripe(test, "one is smaller", BOTH, small->cookie, BLOCK, 0);
	make_stripe(test, "one is too small", BOTH, small->cookie, 2 * BLOCK,
		    -EINVAL);
	make_stripe(test, "part of a block", BOTH, dev->cookie, BLOCK + 512,
		    -EINVAL);
	make_stripe(test, "unknown", BOTH, U32_MAX, BLOCK, -EINVAL);
	make_stripe(test, "none", BOTH, 0, BLOCK, -EINVAL);
	make_stripe(test, "a file", BOTH, file->cookie, BLOCK, -EINVAL);
	make_stripe(test, "a stripe", BOTH, stripe->cookie, BLOCK, -EINVAL);
	make_stripe(test, "to be read only", READING, reads->cookie, BLOCK, 0);
	make_stripe(test, "for more", BOTH, reads->cookie, BLOCK, -EBADF);
}

static void twins_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	struct fusex_bobj *twin = fake_device(test, BOTH, SECTORS);
	struct fusex_bobj *obj = fake_other(test, FUSEX_BACKING_STRIPE, 3);
	u32 same[] = { dev->cookie, twin->cookie, dev->cookie };

	KUNIT_EXPECT_EQ(test, fusex_stripe_fill(obj, test->priv, same, BLOCK),
			-EINVAL);
	KUNIT_EXPECT_NULL(test, obj->members[2]);
	fusex_backing_put(obj->members[0]);
	fusex_backing_put(obj->members[1]);
	memset(obj->members, 0, 3 * sizeof(obj->members[0]));

	/* By another name. */
	twin->bdev = dev->bdev;
	KUNIT_EXPECT_EQ(test, fusex_stripe_fill(obj, test->priv, same, BLOCK),
			-EINVAL);
	KUNIT_EXPECT_NULL(test, obj->members[1]);
	fusex_backing_put(obj->members[0]);
	obj->nr_members = 0;
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	KUNIT_EXPECT_EQ(test, refcount_read(&twin->ref), 2);
}

/* --------------------------------------------------------------- arithmetic */

struct size_case {
	const char *name;
	u64 smallest;
	u64 unit;
	u32 nr;
	u64 want;
};

static const struct size_case size_cases[] = {
	{ "whole units", 8 * BLOCK, BLOCK, 3, 24 * BLOCK },
	{ "what is left of a unit", 9 * BLOCK - 512, BLOCK, 3, 24 * BLOCK },
	{ "one unit each", BLOCK, BLOCK, 256, 256 * BLOCK },
	{ "less than a unit", BLOCK - 1, BLOCK, 256, 0 },
	{ "nothing", 0, BLOCK, 1, 0 },
	{ "all there can be", 1ull << 63, 1ull << 32, 1, 1ull << 63 },
	{ "and more", 1ull << 63, 1ull << 32, 2, 0 },
	{ "just below", (1ull << 63) - 1, 3, 2, ((1ull << 63) - 2) * 2 },
	{ "a unit as large", U64_MAX, U64_MAX, 1, U64_MAX },
};

static void size_desc(const struct size_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(size, size_cases, size_desc);

static void size_test(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	u64 size = 0;
	int err = fusex_stripe_size(c->smallest, c->unit, c->nr, &size);

	KUNIT_EXPECT_EQ(test, err, c->want ? 0 : -EINVAL);
	if (!err)
		KUNIT_EXPECT_EQ(test, size, c->want);
}

/* Byte by byte, by counting. */
static void walk(struct kunit *test, u64 unit, u32 nr)
{
	u64 row = 0, within = 0, at;
	u32 member = 0;

	for (at = 0; at < 4 * unit * nr; at++) {
		u64 addr = at, rest = U64_MAX, some = 2;

		KUNIT_ASSERT_EQ(test, fusex_stripe_find(unit, nr, &addr, &rest),
				member);
		KUNIT_ASSERT_EQ(test, addr, row * unit + within);
		KUNIT_ASSERT_EQ(test, rest, unit - within);
		addr = at;
		fusex_stripe_find(unit, nr, &addr, &some);
		KUNIT_ASSERT_EQ(test, some, min(unit - within, 2ull));
		if (++within < unit)
			continue;
		within = 0;
		if (++member < nr)
			continue;
		member = 0;
		row++;
	}
}

static void walk_test(struct kunit *test)
{
	static const u64 units[] = { 1, 2, 3, 7, 64, 100 };
	u32 nr, i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		for (nr = 1; nr < 8; nr++)
			walk(test, units[i], nr);
		walk(test, units[i], FUSEX_STRIPE_MAX);
	}
}

struct find_case {
	const char *name;
	u64 unit;
	u32 nr;
	u64 addr;
	u32 member;
	u64 at;
	u64 len;
};

static const struct find_case find_cases[] = {
	{ "the last byte there is", 1, 1, U64_MAX, 0, U64_MAX, 1 },
	{ "of many", 1, 256, U64_MAX, 255, U64_MAX / 256, 1 },
	{ "of a unit as large", U64_MAX, 2, U64_MAX - 1, 0, U64_MAX - 1, 1 },
	{ "behind it", U64_MAX, 2, U64_MAX, 1, 0, U64_MAX },
	{ "two halves", 1ull << 63, 2, (1ull << 63) + 5, 1, 5,
	  (1ull << 63) - 5 },
	{ "more than 32 bits", 3ull << 32, 3, (10ull << 32) + 17, 0,
	  (4ull << 32) + 17, (2ull << 32) - 17 },
	{ "many units", 4096, 3, 4096ull * 0x300000005, 2,
	  4096ull * 0x100000001, 4096 },
};

static void find_desc(const struct find_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(find, find_cases, find_desc);

static void find_test(struct kunit *test)
{
	const struct find_case *c = test->param_value;
	u64 addr = c->addr, len = U64_MAX;

	KUNIT_EXPECT_EQ(test, fusex_stripe_find(c->unit, c->nr, &addr, &len),
			c->member);
	KUNIT_EXPECT_EQ(test, addr, c->at);
	KUNIT_EXPECT_EQ(test, len, c->len);
}

/* -------------------------------------------------------------------- ranges */

struct range_case {
	const char *name;
	u64 addr;
	u64 len;
	int want;
};

static const struct range_case range_cases[] = {
	{ "all of it", 0, SIZE, 0 },
	{ "one more", 0, SIZE + 1, -EFSCORRUPTED },
	{ "the first byte", 0, 1, 0 },
	{ "the last byte", SIZE - 1, 1, 0 },
	{ "the byte behind it", SIZE, 1, -EFSCORRUPTED },
	{ "and one further", SIZE + 1, 1, -EFSCORRUPTED },
	{ "across the end", SIZE - 512, 513, -EFSCORRUPTED },
	{ "up to the end", SIZE - 512, 512, 0 },
	{ "far away", U64_MAX, 1, -EFSCORRUPTED },
	{ "all there can be", 0, U64_MAX, -EFSCORRUPTED },
	{ "around and back", 512, U64_MAX - 511, -EFSCORRUPTED },
	{ "from the end and back", SIZE, U64_MAX, -EFSCORRUPTED },
	{ "twice as much as there can be", U64_MAX, U64_MAX, -EFSCORRUPTED },
};

static void range_desc(const struct range_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, range_cases, range_desc);

/* An error, or 0 and the use is ended again. */
static int try_use(struct kunit *test, u32 dev, u32 access, u64 addr, u64 len)
{
	struct fusex_bobj *obj;

	obj = fusex_backing_device(test->priv, dev, access, &addr, &len);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	fusex_backing_device_put(obj);
	return 0;
}

static void range_test(struct kunit *test)
{
	const struct range_case *c = test->param_value;
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	/* Of the same size. */
	struct fusex_bobj *stripe = fake_other(test, FUSEX_BACKING_STRIPE, 2);
	u32 half[2] = { fake_device(test, BOTH, SECTORS / 2)->cookie,
			fake_device(test, BOTH, SECTORS / 2 + 1)->cookie };

	KUNIT_ASSERT_EQ(test, fusex_stripe_fill(stripe, test->priv, half,
						BLOCK), 0);
	KUNIT_ASSERT_EQ(test, fusex_backing_device_size(dev), SIZE);
	KUNIT_ASSERT_EQ(test, fusex_backing_device_size(stripe), SIZE);
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, BOTH, c->addr,
				      c->len), c->want);
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, BOTH, c->addr,
				      c->len), c->want);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 0);
}

static void access_test(struct kunit *test)
{
	u32 reads = fake_device(test, READING, SECTORS)->cookie;
	u32 writes = fake_device(test, WRITING, SECTORS)->cookie;

	KUNIT_EXPECT_EQ(test, try_use(test, reads, READING, 0, 512), 0);
	KUNIT_EXPECT_EQ(test, try_use(test, reads, WRITING, 0, 512), -EACCES);
	KUNIT_EXPECT_EQ(test, try_use(test, reads, BOTH, 0, 512), -EACCES);
	KUNIT_EXPECT_EQ(test, try_use(test, writes, READING, 0, 512), -EACCES);
	KUNIT_EXPECT_EQ(test, try_use(test, writes, WRITING, 0, 512), 0);
}

static void unknown_test(struct kunit *test)
{
	struct fusex_bobj *file = fake_other(test, FUSEX_BACKING_FILE, 0);
	const u32 cookies[] = { 0, file->cookie, file->cookie + 1, U32_MAX };
	int i;

	for (i = 0; i < ARRAY_SIZE(cookies); i++)
		KUNIT_EXPECT_EQ(test, try_use(test, cookies[i], READING, 0,
					      512), -ENODEV);
	KUNIT_EXPECT_EQ(test, refcount_read(&file->ref), 2);
}

/* A device may change its size any time. */
static void resize_test(struct kunit *test)
{
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);
	struct fusex_bobj *dev = stripe->members[1];
	u64 last = fusex_backing_device_size(stripe) - 1;

	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, BOTH, last, 1), 0);
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, BOTH, SIZE, 1),
			-EFSCORRUPTED);
	dev->bdev->bd_nr_sectors++;
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, BOTH, SIZE, 1), 0);
	dev->bdev->bd_nr_sectors -= 2;
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, BOTH, SIZE - 1, 1),
			-EFSCORRUPTED);
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, BOTH, last, 1),
			-EFSCORRUPTED);
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, BOTH, 0, 1), 0);
}

/* ---------------------------------------------------------------------- use */

static struct fusex_bobj *use(struct kunit *test, u32 dev, u64 *addr, u64 *len)
{
	struct fusex_bobj *obj;

	obj = fusex_backing_device(test->priv, dev, READING, addr, len);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, obj);
	return obj;
}

static void use_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	u64 addr = 1024, len = 2048;

	KUNIT_EXPECT_PTR_EQ(test, use(test, dev->cookie, &addr, &len), dev);
	KUNIT_EXPECT_EQ(test, addr, 1024);
	KUNIT_EXPECT_EQ(test, len, 2048);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 1);
	fusex_backing_device_get(dev);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 4);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 2);
	fusex_backing_device_put(dev);
	fusex_backing_device_put(dev);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 0);
}

static void use_stripe_test(struct kunit *test)
{
	struct fusex_bobj *stripe = fake_stripe(test, 3, 2 * BLOCK);
	/* The second unit of the third member, and on. */
	u64 addr = (3 + 2) * 2 * BLOCK + 512, len = 7 * BLOCK;
	struct fusex_bobj *dev = use(test, stripe->cookie, &addr, &len);

	KUNIT_EXPECT_PTR_EQ(test, dev, stripe->members[2]);
	KUNIT_EXPECT_EQ(test, addr, 2 * BLOCK + 512);
	KUNIT_EXPECT_EQ(test, len, 2 * BLOCK - 512);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 4);
	KUNIT_EXPECT_EQ(test, atomic_read(&stripe->busy), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&stripe->ref), 2);
	fusex_backing_device_put(dev);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 3);
}

/* Who does not use it yet wants to know whether it will be found in one piece. */
static void whole_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);
	u32 dev = stripe->members[1]->cookie;
	u32 reads = fake_device(test, READING, SECTORS)->cookie;
	u32 file = fake_other(test, FUSEX_BACKING_FILE, 0)->cookie;

	KUNIT_EXPECT_TRUE(test, fusex_backing_device_whole(chan, dev, WRITING,
							   0, SIZE));
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_whole(chan, dev, WRITING,
							    0, SIZE + 1));
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_whole(chan, reads,
							    WRITING, 0, 512));
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_whole(chan, file, WRITING,
							    0, 512));
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_whole(chan,
							    stripe->cookie,
							    WRITING, 0, 512));
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(chan, dev, 0), 0);
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_whole(chan, dev, WRITING,
							    0, 512));
}

/* What is registered stays, but nobody says any more what is where on it. */
static void dead_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	u32 dev = fake_device(test, BOTH, SECTORS)->cookie;
	u8 state = chan->state;

	KUNIT_EXPECT_TRUE(test, fusex_backing_device_whole(chan, dev, BOTH, 0,
							   512));
	chan->state = FUSEX_CHAN_DEAD;
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_whole(chan, dev, BOTH, 0,
							    512));
	KUNIT_EXPECT_EQ(test, try_use(test, dev, READING, 0, 512), -ENOTCONN);
	chan->state = state;
}

/* ----------------------------------------------------------------- readahead */

static void readahead_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	const unsigned long none = FUSEX_DEFAULT_IO_SIZE >> PAGE_SHIFT;
	struct backing_dev_info *bdi = fake_alloc(test, sizeof(*bdi));
	struct fusex_bobj *dev;

	KUNIT_EXPECT_EQ(test, fusex_backing_readahead(chan), none);
	dev = fake_device(test, BOTH, SECTORS);
	dev->bdev->bd_disk->bdi = bdi;
	bdi->ra_pages = 17;
	KUNIT_EXPECT_EQ(test, fusex_backing_readahead(chan), 17);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	/* It goes between being found and being held. */
	refcount_set(&dev->ref, 0);
	KUNIT_EXPECT_EQ(test, fusex_backing_readahead(chan), none);
	refcount_set(&dev->ref, 2);
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(chan, dev->cookie, 0), 0);
	KUNIT_EXPECT_EQ(test, fusex_backing_readahead(chan), none);
}

/* ------------------------------------------------------------------- removal */

/* The device that is found first goes, and the others are found, too. */
static void remove_first_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_bobj *dev[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(dev); i++)
		dev[i] = fake_device(test, BOTH, SECTORS);
	for (i = 0; i < ARRAY_SIZE(dev); i++)
		KUNIT_EXPECT_EQ(test, try_use(test, dev[i]->cookie, BOTH, 0,
					      512), 0);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(chan->device), dev[0]);
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(chan, dev[0]->cookie, 0), 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(chan->device));
	KUNIT_EXPECT_EQ(test, try_use(test, dev[0]->cookie, BOTH, 0, 512),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, try_use(test, dev[1]->cookie, BOTH, 0, 512), 0);
	dev[0] = fake_device(test, BOTH, SECTORS);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(chan->device), dev[0]);
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(chan, dev[2]->cookie, 0), 0);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(chan->device), dev[0]);
	KUNIT_EXPECT_EQ(test, try_use(test, dev[0]->cookie, BOTH, 0, 512), 0);
}

static void remove_idle_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);

	KUNIT_EXPECT_EQ(test, fusex_backing_remove(test->priv, dev->cookie, 0),
			0);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 1);
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, READING, 0, 1),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(test->priv, dev->cookie, 0),
			-ENOENT);
}

static void remove_fail_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	u64 addr = 0, len = 1;

	use(test, dev->cookie, &addr, &len);
	KUNIT_EXPECT_FALSE(test, fusex_backing_device_failing(dev));
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(test->priv, dev->cookie,
						   FUSEX_BACKING_FAIL_IO), 0);
	KUNIT_EXPECT_TRUE(test, fusex_backing_device_failing(dev));
	/* It stays for who uses it, who may still make bios of it. */
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	fusex_backing_device_get(dev);
	fusex_backing_device_put(dev);
	fusex_backing_device_put(dev);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 0);
}

/* Looked up before it was removed, used after that. */
static void remove_late_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);

	dev->removed = true;
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, READING, 0, 1),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	stripe->removed = true;
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, READING, 0, 1),
			-ENODEV);
	dev = stripe->members[0];
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 0);
}

/* The reference is what is missing last. */
static void remove_freed_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);

	refcount_set(&dev->ref, 0);
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, READING, 0, 1),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 0);
	refcount_set(&dev->ref, 2);
}

struct remover {
	struct fusex_chan *chan;
	struct fusex_bobj *obj;
	struct completion over;
	bool ending;
	bool waited;
	int err;
};

static int remover_thread(void *arg)
{
	struct remover *r = arg;

	r->err = fusex_backing_remove(r->chan, r->obj->cookie, 0);
	r->waited = READ_ONCE(r->ending);
	complete(&r->over);
	return 0;
}

/* For a use, and for another of it that ends in an interrupt. */
static void remove_waits_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	struct remover r = { .chan = test->priv, .obj = dev };
	unsigned long end = jiffies + 60 * HZ;
	struct task_struct *task;
	u64 addr = 0, len = 1;

	use(test, dev->cookie, &addr, &len);
	fusex_backing_device_get(dev);
	init_completion(&r.over);
	task = kthread_run(remover_thread, &r, "fusex-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (!READ_ONCE(dev->removed) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(test, dev->removed);
	fusex_backing_device_put(dev);
	WRITE_ONCE(r.ending, true);
	local_irq_disable();
	fusex_backing_device_put(dev);
	local_irq_enable();
	wait_for_completion(&r.over);
	KUNIT_EXPECT_EQ(test, r.err, 0);
	KUNIT_EXPECT_TRUE(test, r.waited);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 1);
}

static void remove_member_test(struct kunit *test)
{
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);
	struct fusex_bobj *dev = stripe->members[1];

	KUNIT_EXPECT_EQ(test, fusex_backing_remove(test->priv, dev->cookie, 0),
			0);
	/* Where the stripe has it, only. */
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, READING, 0,
				      2 * BLOCK), 0);
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, READING, BLOCK, 1),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
}

static void remove_stripe_test(struct kunit *test)
{
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);
	struct fusex_bobj *dev = stripe->members[0];
	u64 addr = 0, len = 1;

	use(test, stripe->cookie, &addr, &len);
	/* Nothing to wait for: the use is the member's. */
	KUNIT_EXPECT_EQ(test, fusex_backing_remove(test->priv, stripe->cookie,
						   0), 0);
	KUNIT_EXPECT_EQ(test, try_use(test, stripe->cookie, READING, 0, 1),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, try_use(test, dev->cookie, READING, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 1);
	fusex_backing_device_put(dev);
}

/* --------------------------------------------------- the device's page cache */

static int inval(struct kunit *test, u32 dev, u64 offset, u64 length)
{
	return fusex_backing_device_inval(test->priv, dev, offset, length);
}

static void inval_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	struct fusex_bobj *stripe = fake_stripe(test, 2, BLOCK);
	struct fusex_bobj *file = fake_other(test, FUSEX_BACKING_FILE, 0);

	KUNIT_EXPECT_EQ(test, inval(test, 0, 0, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, inval(test, U32_MAX, 0, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, inval(test, stripe->cookie, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, inval(test, file->cookie, 0, 0), -EINVAL);
	/* Nothing is left of the device. */
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, SIZE, 0), 0);
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, SIZE, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, SIZE + 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, 0, SIZE + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, 512, U64_MAX - 511),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, U64_MAX, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, atomic_read(&dev->busy), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
	dev->removed = true;
	KUNIT_EXPECT_EQ(test, inval(test, dev->cookie, SIZE, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->ref), 2);
}

/* ---------------------------------------------------------------------- list */

static void list_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, READING, SECTORS);
	char *buf = fake_alloc(test, PAGE_SIZE);

	/* Among the users is the test. */
	dev->bdev->bd_dev = MKDEV(259, 70000);
	fake_stripe(test, 2, 65536 / 4);
	fake_stripe(test, 7, BLOCK);
	fusex_backing_list(test->priv, buf);
	KUNIT_EXPECT_STREQ(test, buf,
			   "1 bdev r 259:70000 1\n"
			   "2 stripe rw 16384x2:3,4 1\n"
			   "3 bdev rw 0:0 2\n"
			   "4 bdev rw 0:0 2\n"
			   "5 stripe rw 4096x7:6,7,8,9,10,11,... 1\n"
			   "6 bdev rw 0:0 2\n"
			   "7 bdev rw 0:0 2\n"
			   "8 bdev rw 0:0 2\n"
			   "9 bdev rw 0:0 2\n"
			   "10 bdev rw 0:0 2\n"
			   "11 bdev rw 0:0 2\n"
			   "12 bdev rw 0:0 2\n");
}

/* Lines as long as they can be: whole ones, and how many there are. */
static void list_long_test(struct kunit *test)
{
	struct fusex_bobj *dev = fake_device(test, BOTH, SECTORS);
	char *buf = fake_alloc(test, PAGE_SIZE);
	unsigned int lines = 0, left = 0, i, k;
	char *at, *next;

	dev->cookie = U32_MAX;
	for (i = 0; i < 2 * PAGE_SIZE / 128; i++) {
		struct fusex_bobj *obj;

		obj = fake_other(test, FUSEX_BACKING_STRIPE, FUSEX_STRIPE_MAX);
		obj->cookie = U32_MAX;
		obj->stripe_unit = U64_MAX;
		refcount_set(&obj->ref, INT_MAX);
		for (k = 0; k < FUSEX_STRIPE_MAX; k++)
			obj->members[k] = dev;
	}
	KUNIT_EXPECT_EQ(test, fusex_backing_list(test->priv, buf), strlen(buf));
	for (at = buf; *at; at = next + 1, lines++) {
		next = strchr(at, '\n');
		KUNIT_ASSERT_NOT_NULL(test, next);
		KUNIT_EXPECT_LE(test, next + 1 - at, 128);
		if (sscanf(at, "... %u", &left) == 1)
			break;
	}
	KUNIT_EXPECT_GT(test, left, 0);
	KUNIT_EXPECT_EQ(test, lines + left, 1 + i);
}

static struct kunit_case bdev_cases[] = {
	KUNIT_CASE(blocks_test),
	KUNIT_CASE(read_only_test),
	KUNIT_CASE(stripe_test),
	KUNIT_CASE(twins_test),
	KUNIT_CASE_PARAM(size_test, size_gen_params),
	KUNIT_CASE(walk_test),
	KUNIT_CASE_PARAM(find_test, find_gen_params),
	KUNIT_CASE_PARAM(range_test, range_gen_params),
	KUNIT_CASE(access_test),
	KUNIT_CASE(unknown_test),
	KUNIT_CASE(resize_test),
	KUNIT_CASE(use_test),
	KUNIT_CASE(use_stripe_test),
	KUNIT_CASE(whole_test),
	KUNIT_CASE(dead_test),
	KUNIT_CASE(readahead_test),
	KUNIT_CASE(remove_first_test),
	KUNIT_CASE(remove_idle_test),
	KUNIT_CASE(remove_fail_test),
	KUNIT_CASE(remove_late_test),
	KUNIT_CASE(remove_freed_test),
	KUNIT_CASE(remove_waits_test),
	KUNIT_CASE(remove_member_test),
	KUNIT_CASE(remove_stripe_test),
	KUNIT_CASE(inval_test),
	KUNIT_CASE(list_test),
	KUNIT_CASE(list_long_test),
	{}
};

static struct kunit_suite bdev_suite = {
	.name		= "fusex-bdev",
	.init		= bdev_init,
	.exit		= fake_exit,
	.test_cases	= bdev_cases,
};

kunit_test_suite(bdev_suite);

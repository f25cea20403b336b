// SPDX-License-Identifier: GPL-2.0
/*
 * What administrators have done to a file system: only what nobody has, or will have
 * before that is durable, is discarded; it ends as in a crash; it gets a label.
 */
#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "ops.h"
#include "record.h"
#include "tap.h"

#define RUN	200u

/* The file system whose pieces are looked at, and what happens beside that. */
static struct volume *watched;
static void (*beside)(struct volume *v);
static unsigned int pieces, bad, nr_stop;
static uint64_t shortest, longest, discarded, unit;
static ext2fs_block_bitmap map;
static int fail;
static const char *path;

/* Not with any lock: this is where the device takes its time. */
int __wrap_device_discard(const struct device *d, uint64_t count,
			  uint64_t offset)
{
	struct volume *v = watched;
	uint64_t block = offset / block_size(v), n = count / block_size(v);

	pieces++;
	discarded += n;
	if (!shortest || n < shortest)
		shortest = n;
	if (n > longest)
		longest = n;
	if (!ext2fs_test_block_bitmap_range2(v->fs->block_map, block,
					     (blk_t)n) ||
	    !ext2fs_test_block_bitmap_range2(v->pending, block, (blk_t)n) ||
	    !ext2fs_test_block_bitmap_range2(v->closing, block, (blk_t)n))
		bad++;
	ext2fs_mark_block_bitmap_range2(map, block, (blk_t)n);
	if (beside)
		beside(v);
	return fail ? fail : __real_device_discard(d, count, offset);
}

uint64_t __wrap_device_discard_unit(const struct device *d)
{
	return unit;
}

static bool no_stop(void *arg)
{
	return false;
}

static bool stop_after(void *arg)
{
	return !nr_stop--;
}

/* Returns what FITRIM comes to; @blocks: how many it says. */
static int trim(struct volume *v, struct fstrim_range range, uint64_t *blocks)
{
	int ret;

	watched = v;
	pieces = 0;
	bad = 0;
	discarded = 0;
	shortest = 0;
	longest = 0;
	ext2fs_clear_block_bitmap(map);
	ret = volume_trim(v, &range, nr_stop ? stop_after : no_stop, NULL);
	*blocks = range.len / block_size(v);
	return ret;
}

static const struct fstrim_range whole = { .len = UINT64_MAX };

static uint64_t free_blocks(struct volume *v)
{
	return ext2fs_free_blocks_count(v->fs->super);
}

static struct volume *fresh(const char *mkfs)
{
	struct volume *v;

	path = image_make(mkfs, 32);
	v = image_open(path);
	if (bitmaps_new(v, "discarded", &map))
		exit(1);
	unit = 1;
	fail = 0;
	beside = NULL;
	return v;
}

static void done(struct volume *v)
{
	ext2fs_free_block_bitmap(map);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void test_all(const char *mkfs)
{
	struct volume *v = fresh(mkfs);
	struct node *n = image_file(v, image_root(v), "file", 0);
	uint64_t blocks, most = v->fs->super->s_blocks_per_group;
	char *buf = need(1, 100000);

	printf("# %s\n", mkfs);
	memset(buf, 'x', 100000);
	WR_LOCK(v);
	is(plain_write(v, n, buf, 100000, 0), 0, "a file is written");
	UNLOCK(v);
	is(trim(v, whole, &blocks), 0, "all that is free is discarded");
	is((long long)blocks, (long long)free_blocks(v), "each block of it");
	is((long long)discarded, (long long)blocks, "once");
	ok(!bad, "nothing that is not free");
	ok(longest <= most, "by pieces of a group at most");
	is(trim(v, whole, &blocks), 0, "it can be done again");
	memset(buf, 0, 100000);
	RD_LOCK(v);
	is(plain_read(v, n, buf, 100000, 0), 100000, "the file is read");
	UNLOCK(v);
	ok(buf[0] == 'x' && buf[99999] == 'x', "and has what was written");
	free(buf);
	done(v);
}

static void test_part(void)
{
	struct volume *v = fresh("-b 1024");
	struct fstrim_range r = { .start = 9 << 20, .len = 3 << 20 };
	uint64_t blocks, want;

	is(trim(v, r, &blocks), 0, "a part");
	is((long long)blocks, 3072, "which is all free");
	ok(ext2fs_test_block_bitmap2(map, 9216) &&
	   ext2fs_test_block_bitmap2(map, 12287), "from its beginning to its end");
	r.minlen = 4 << 20;
	is(trim(v, r, &blocks), 0, "runs of more than there are");
	is((long long)blocks, 0, "are not there");
	is(trim(v, whole, &want), 0, "all");
	r = whole;
	r.minlen = 5 << 20;
	is(trim(v, r, &blocks), 0, "long runs");
	ok(blocks && blocks < want, "are some of it");
	ok(shortest, "and there were some");
	/* What a device takes for a piece is the least. */
	unit = 5 << 20;
	r.minlen = 0;
	is(trim(v, r, &want), 0, "a device of large pieces");
	is((long long)want, (long long)blocks, "gets the same");
	unit = 1ull << 40;
	is(trim(v, r, &want), 0, "one of huge pieces");
	is((long long)want, 0, "gets none");
	done(v);
}

static void refused(struct volume *v, struct fstrim_range r, int err,
		    const char *what)
{
	uint64_t blocks;

	is(trim(v, r, &blocks), err, what);
	ok(!pieces, "and nothing is discarded");
}

static void test_refused(void)
{
	struct volume *v = fresh("-b 1024");
	struct fstrim_range r = whole;

	r.start = 32 << 20;
	refused(v, r, -EINVAL, "what begins behind the end");
	r.start = UINT64_MAX;
	refused(v, r, -EINVAL, "or far behind it");
	r = whole;
	r.len = 1023;
	refused(v, r, -EINVAL, "less than a block");
	r = whole;
	r.minlen = (8 << 20) + 1024;
	refused(v, r, -EINVAL, "runs of more than a group");
	v->frozen = true;
	refused(v, whole, -EBUSY, "while it is frozen");
	v->frozen = false;
	v->valid = false;
	refused(v, whole, -ECORRUPT, "when it is damaged");
	v->valid = true;
	unit = 0;
	refused(v, whole, -EOPNOTSUPP, "a device that cannot");
	unit = 1;
	v->readonly = true;
	refused(v, whole, -EROFS, "what is read-only");
	v->readonly = false;
	done(v);
}

static void test_ends_early(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t blocks;

	fail = -EIO;
	is(trim(v, whole, &blocks), -EIO, "the device fails");
	is((long long)pieces, 1, "at once");
	fail = 0;
	/* It looks before each piece, and behind the last one of a group. */
	nr_stop = 3;
	is(trim(v, whole, &blocks), -EINTR, "nobody waits any more");
	is((long long)pieces, 2, "and it ends");
	nr_stop = 0;
	is(trim(v, whole, &blocks), 0, "nothing is left of it");
	is((long long)blocks, (long long)free_blocks(v), "and all is discarded");
	done(v);
}

/* A run of a file's that goes while the rest is being discarded. */
static struct node *owner;
static uint64_t goes;

static void free_it(struct volume *v)
{
	if (!goes)
		return;
	RD_LOCK(v);
	alloc_free(v, goes, RUN);
	UNLOCK(v);
	goes = 0;
}

static void test_freed(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t block = 0, blocks;

	owner = image_file(v, image_root(v), "file", 0);
	/* In the last group, where the trim comes last. */
	RD_LOCK(v);
	is(alloc_run(v, owner, 30000, RUN, &block), RUN, "some are taken");
	UNLOCK(v);
	is(commit_now(v), 0, "for good");
	goes = block;
	beside = free_it;
	is(trim(v, whole, &blocks), 0, "they are freed meanwhile");
	ok(!bad && ext2fs_test_block_bitmap_range2(map, block, RUN),
	   "and not discarded, as that is not durable");
	is(trim(v, whole, &blocks), 0, "the next time");
	ok(!bad && !ext2fs_test_block_bitmap_range2(map, block, RUN),
	   "that is seen to, and they are");
	is((long long)blocks, (long long)free_blocks(v), "all that is free is");
	done(v);
}

static pthread_t freezer;
static atomic_bool is_frozen;

static void *freeze(void *arg)
{
	orphan_freeze(arg, true);
	is_frozen = true;
	return NULL;
}

/* It is asked for, and has the time to be there too early. */
static void freeze_it(struct volume *v)
{
	bool asked = false;
	unsigned int i;

	pthread_create(&freezer, NULL, freeze, v);
	while (!asked) {
		RD_LOCK(v);
		asked = v->frozen;
		UNLOCK(v);
	}
	for (i = 0; i < 10000 && !is_frozen; i++)
		sched_yield();
	bad += is_frozen;
}

/* Frozen means that nothing is written, nor discarded. */
static void test_frozen(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t block = 0, blocks;

	owner = image_file(v, image_root(v), "file", 0);
	RD_LOCK(v);
	is(alloc_run(v, owner, 0, RUN, &block), RUN, "some are taken");
	UNLOCK(v);
	goes = block;
	free_it(v);
	orphan_freeze(v, true);
	is(trim(v, whole, &blocks), -EBUSY, "it is frozen");
	ok(alloc_waits(v), "and nothing is made durable for it");
	orphan_freeze(v, false);
	beside = freeze_it;
	is(trim(v, whole, &blocks), -EBUSY, "frozen meanwhile");
	ok(!bad, "but not while the device is at it");
	is((long long)pieces, 1, "and no other piece is taken");
	pthread_join(freezer, NULL);
	orphan_freeze(v, false);
	done(v);
}

/* Blocks that were taken while others were being discarded. */
static uint64_t taken[1000];
static unsigned int nr_taken, clashes;

static void take_some(struct volume *v)
{
	uint64_t block;
	int64_t n;

	if (nr_taken == sizeof(taken) / sizeof(taken[0]))
		return;
	RD_LOCK(v);
	/* Right where it is being done. */
	n = alloc_run(v, owner, v->held, 1, &block);
	UNLOCK(v);
	if (n != 1)
		return;
	if (block >= v->held && block < v->held_end)
		clashes++;
	taken[nr_taken++] = block;
}

static void test_taken(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t blocks, before = free_blocks(v);

	owner = image_file(v, image_root(v), "file", 0);
	beside = take_some;
	is(trim(v, whole, &blocks), 0, "blocks are taken meanwhile");
	ok(nr_taken && !clashes && !bad, "others than those (%u of %u)", clashes,
	   nr_taken);
	ok(longest <= before / 2, "of which there are enough");
	RD_LOCK(v);
	while (nr_taken)
		alloc_free(v, taken[--nr_taken], 1);
	UNLOCK(v);
	done(v);
}

static pthread_t waiter;
static bool waited;

/* A request that there are not enough blocks for. */
static bool once_more(struct volume *v)
{
	struct op_tries tries = { 0 };

	return !alloc_has(v, UINT64_MAX) && op_again(v, NULL, -ENOSPC, &tries);
}

static void *await(void *arg)
{
	struct volume *v = arg;

	waited = once_more(v) && !v->held_end;
	return NULL;
}

static void want_more(struct volume *v)
{
	unsigned int before = v->held_wanted;

	pthread_create(&waiter, NULL, await, v);
	while (v->held_wanted == before)
		sched_yield();
}

/* It has failed, but does not come to wait as long as that is held. */
static void fail_only(struct volume *v)
{
	bad += alloc_has(v, UINT64_MAX);
}

/* One that fails for something else. */
static void want_other(struct volume *v)
{
	struct op_tries tries = { 0 };

	bad += op_again(v, NULL, -ENOSPC, &tries);
}

/* Who finds no space gets what is being discarded, and that is the end of it. */
static void test_wanted(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t blocks;

	v->iomap = true;
	is(alloc_has(v, UINT64_MAX), false, "there is not enough");
	is(alloc_lack(), LACK_BLOCKS, "though nothing is being discarded");
	beside = want_more;
	is(trim(v, whole, &blocks), 0, "somebody has need of it");
	pthread_join(waiter, NULL);
	ok(waited, "who has waited");
	is((long long)pieces, 1, "no other piece is taken");
	is((long long)blocks, (long long)discarded, "it says how much there was");
	beside = fail_only;
	is(trim(v, whole, &blocks), 0, "somebody had need of it");
	ok(op_again(v, NULL, -ENOSPC, &(struct op_tries){ 0 }),
	   "who tries it again, if late");
	beside = want_other;
	is(trim(v, whole, &blocks), 0, "somebody has need of something else");
	ok(!bad, "who does not wait");
	is((long long)blocks, (long long)free_blocks(v), "nor stop it");
	beside = NULL;
	is(trim(v, whole, &blocks), 0, "the next time");
	is((long long)blocks, (long long)free_blocks(v), "all is discarded");
	done(v);
}

/* Where there is little, little of it is taken at a time, but all in the end. */
static void test_scarce(void)
{
	struct fstrim_range r = { .len = UINT64_MAX, .minlen = 1 << 20 };
	struct volume *v = fresh("-b 1024");
	uint64_t hidden, blocks, want;

	is(trim(v, r, &want), 0, "long runs");
	hidden = image_starve(v, 4000);
	is(trim(v, r, &blocks), 0, "where space is scarce");
	ok(longest < 1024, "pieces are shorter than that (%u)",
	   (unsigned int)longest);
	is((long long)blocks, (long long)want, "and as much is discarded");
	image_feed(v, hidden);
	done(v);
}

/* Where there is next to nothing for everybody, a long run is left as it is. */
static void test_last(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t reserved = ext2fs_r_blocks_count(v->fs->super), hidden, blocks;

	ok(reserved > 1000, "root has something");
	hidden = image_starve(v, v->kept + reserved + 127);
	is(trim(v, whole, &blocks), 0, "others have next to nothing");
	is((long long)pieces, 0, "nothing is discarded, block by block");
	image_feed(v, hidden);
	hidden = image_starve(v, v->kept + reserved + 128);
	is(trim(v, whole, &blocks), 0, "if they have a bit more");
	is((long long)longest, 64, "pieces are that long");
	image_feed(v, hidden);
	done(v);
}

/* Nothing but what is kept for the last need is free. */
static void test_full(void)
{
	struct volume *v = fresh("-b 1024");
	uint64_t hidden = image_starve(v, 10), blocks;

	is(trim(v, whole, &blocks), 0, "of what is full");
	is((long long)blocks, 0, "nothing is discarded");
	image_feed(v, hidden);
	done(v);
}

/* ------------------------------------------------------------------------- end */

static void test_shut(bool flush, bool frozen)
{
	struct volume *v, *again;
	struct node *root;

	path = image_make("-b 1024 -J size=4", 32);
	v = image_open(path);
	root = image_root(v);
	image_file(v, root, "durable", 0);
	is(commit_now(v), 0, "something is durable");
	image_file(v, root, "done", 0);
	v->frozen = frozen;
	is(volume_shut(v, flush), 0, frozen ? "it ends, frozen" : flush ? "it ends, flushed" :
					     "it ends as it is");
	is(commit_now(v), -EIO, "nothing is durable after that");
	is(volume_shut(v, true), 0, "it ends once more");
	is(device_write(&v->dev, path, 1, 0), -EBADF, "nothing is written");
	/* The other one has not gone yet. */
	is(image_run("PATH=$PATH:/sbin:/usr/sbin e2fsck -p %s >/dev/null", path),
	   0, "the journal is replayed");
	again = image_open(path);
	is(image_count_names(again, image_root(again)), flush && !frozen ? 3 : 2,
	   "what was to be there is");
	ok(image_close(again, path), "e2fsck finds nothing");
	is(volume_close(v), 0, "that is closed");
	ok(image_check(path), "and has changed nothing");
}

static void test_label(void)
{
	char label[EXT2_LABEL_LEN];
	struct volume *v;

	path = image_make("-b 1024 -L before", 32);
	v = image_open(path);
	volume_get_label(v, label);
	ok(!memcmp(label, "before\0\0\0\0\0\0\0\0\0", sizeof(label)), "a label");
	is(volume_set_label(v, "sixteen letters!", 16), 0, "is set");
	volume_get_label(v, label);
	ok(!memcmp(label, "sixteen letters!", 16), "and got");
	is(volume_set_label(v, "abc", 3), 0, "a shorter one");
	volume_get_label(v, label);
	ok(!memcmp(label, "abc\0\0\0\0\0\0\0\0\0\0\0\0", sizeof(label)),
	   "leaves nothing of the other");
	volume_abandon(v);
	is(image_run("PATH=$PATH:/sbin:/usr/sbin e2fsck -p %s >/dev/null",
		     path), 0, "after a crash");
	is(image_run("test \"$(PATH=$PATH:/sbin:/usr/sbin e2label %s)\" = abc",
		     path), 0, "it is there");
	v = image_open_ro(path);
	is(volume_set_label(v, "new", 3), -EROFS, "what is read-only keeps it");
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	test_all("-b 1024");
	test_all("-b 4096");
	test_all("-b 1024 -O ^has_journal");
	test_part();
	test_refused();
	test_ends_early();
	test_freed();
	test_frozen();
	test_taken();
	test_wanted();
	test_scarce();
	test_last();
	test_full();
	test_shut(true, false);
	test_shut(false, false);
	test_shut(true, true);
	test_label();
	return tap_end();
}

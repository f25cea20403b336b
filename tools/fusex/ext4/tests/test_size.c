// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of a file's space when it gets a size, which may be the one that
 * it has: the kernel can know of more than there is here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "image.h"
#include "tap.h"

#define HALF	(512u << 10)

static const char * const kinds[] = {
	"-b 4096", "-b 1024", "-b 1024 -O ^extents,^64bit",
	"-b 4096 -O inline_data",
};

static uint64_t sectors(struct volume *v, struct node *n)
{
	return ext2fs_get_stat_i_blocks(v->fs, inode_of(n));
}

/* Space behind the end that somebody asked for. */
static void test_behind(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "behind", 0);
	char *buf = need(1, HALF);
	uint64_t want;

	WR_LOCK(v);
	is(plain_write(v, n, buf, HALF, 0), 0, "a file is written");
	want = sectors(v, n);
	if (node_has(n, EXT4_EXTENTS_FL)) {
		is(falloc(v, n, FALLOC_FL_KEEP_SIZE, 0, 2 * HALF), 0,
		   "space behind its end");
		ok(sectors(v, n) >= 2 * HALF / 512, "is there");
	}
	is(size_set(v, n, HALF), 0, "it gets the size it has");
	ok(sectors(v, n) <= want, "which leaves it %llu sectors of %llu",
	   (unsigned long long)sectors(v, n), (unsigned long long)want);
	is(size_set(v, n, HALF - 1), 0, "and a byte less");
	ok(sectors(v, n) <= want, "which leaves it as many");
	if (node_has(n, EXT4_EXTENTS_FL)) {
		is(falloc(v, n, FALLOC_FL_KEEP_SIZE, 0, 2 * HALF), 0,
		   "space once more");
		is(size_set(v, n, HALF), 0, "and a byte more");
		ok(sectors(v, n) >= 2 * HALF / 512, "the space stays");
	}
	UNLOCK(v);
	free(buf);
}

/* The kernel has had space for data that was cut before it was written. */
static void test_unwritten(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "unwritten", 0);
	struct fusex_map_begin_in in = { .length = 2 * HALF,
					 .op = FUSEX_MAP_OP_WRITE };
	struct fusex_map_begin_out out = { .lease = 0 };

	WR_LOCK(v);
	is(map_begin(v, n, &in, &out), 0, "space for data");
	ok(sectors(v, n), "is the file's");
	is(size_set(v, n, 0), 0, "the data was cut");
	is((long long)sectors(v, n), 0, "and so is the space");
	UNLOCK(v);
}

static void test_kind(const char *kind)
{
	const char *path = image_make(kind, 32);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);

	printf("# %s\n", kind);
	test_behind(v, root);
	test_unwritten(v, root);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* What does not know of the upper half of sizes is told that there is one. */
static void test_large_file(void)
{
	const char *path = image_make("-b 4096 -O ^large_file,^resize_inode", 32);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "large", 0);

	ok(!ext2fs_has_feature_large_file(v->fs->super), "no large files");
	WR_LOCK(v);
	is(size_set(v, n, 3ull << 30), 0, "until there is one");
	UNLOCK(v);
	is(commit_now(v), 0, "which is durable");
	ok(ext2fs_has_feature_large_file(v->fs->super), "and known");
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(kinds[i]);
	test_large_file();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * No memory, at whatever moment: what cannot be done is not done at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "record.h"
#include "tap.h"

#define NAMES	600u

/* So many more allocations, and then one that fails; less than 0 for none. */
static int left = -1;
/* It is one of a block in the cache. */
static bool only_blocks;

static bool fails(void)
{
	if (left < 0)
		return false;
	left--;
	return left < 0;
}

void *__wrap_malloc(size_t size)
{
	return !only_blocks && fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return !only_blocks && fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *mem, size_t size)
{
	return !only_blocks && fails() ? NULL : __real_realloc(mem, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}

static int add_once(struct volume *v, struct node *dir, const char *name,
		    struct node *n)
{
	const struct make mk = { .mode = S_IFREG | 0644 };
	int ret;

	if (n)
		return name_link(v, dir, name, n);
	ret = name_make(v, dir, name, &mk, &n);
	if (!ret)
		node_put(v, n);
	return ret;
}

/* Each name with one allocation after the other failing, until none does. */
static void add_all(struct volume *v, struct node *dir, struct node *linked)
{
	unsigned int i, failed = 0;
	int ret = 0, after;
	char name[80];

	for (i = 0; i < NAMES && !ret; i++) {
		snprintf(name, sizeof(name), "%s that is not short %u",
			 linked ? "another" : "a name", i);
		for (after = 0, ret = -ENOMEM; ret == -ENOMEM; after++) {
			left = after;
			WR_LOCK(v);
			ret = add_once(v, dir, name, linked);
			UNLOCK(v);
			failed += ret == -ENOMEM;
			left = -1;
		}
		/* Blocks that are being written are copied, to be changed. */
		if (!ret && i % 50 == 0)
			ret = commit_now(v);
	}
	ok(!ret, "%u names", NAMES);
	ok(failed > NAMES, "%u times there was no memory", failed);
}

static void test_names(const char *kind)
{
	const char *path = image_make(kind, 16);
	struct volume *v = image_open(path);
	struct node *dir = image_file(v, image_root(v), "dir", S_IFDIR | 0755);
	struct node *n = image_file(v, image_root(v), "linked", 0);

	printf("# %s\n", kind);
	add_all(v, dir, NULL);
	add_all(v, dir, n);
	WR_LOCK(v);
	is(n->raw.i_links_count, NAMES + 1, "names are counted");
	is(image_count_names(v, dir), 2 * NAMES, "and known");
	dir_unload(dir);
	is(image_count_names(v, dir), 2 * NAMES, "and there");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A rename with one block after the other that cannot be copied, until all can. */
static void rename_all(struct volume *v, struct node *from, struct node *to)
{
	unsigned int failed = 0, bad = 0;
	struct moved m;
	int ret;

	only_blocks = true;
	do {
		left = (int)failed;
		ret = name_rename(v, from, "file", to, "file", 0, NULL, &m);
		left = -1;
		if (ret != -ENOMEM)
			break;
		failed++;
		bad += image_count_names(v, from) != 2 ||
		       image_count_names(v, to) != 1;
	} while (failed < 100);
	only_blocks = false;
	is(ret, 0, "a rename");
	ok(failed, "%u times there was no memory", failed);
	is(bad, 0, "then there was nothing of it");
	if (!ret)
		node_put(v, m.node);
}

/* While blocks of directories are being written. */
static void test_rename(void)
{
	const char *path = image_make("-b 1024", 16);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);
	struct node *from = image_file(v, root, "from", S_IFDIR | 0755);
	struct node *to = image_file(v, root, "to", S_IFDIR | 0755);
	struct dirty_block *list;
	size_t count, i;
	int ret = 0;

	image_file(v, from, "file", 0);
	is(commit_now(v), 0, "two directories");
	image_file(v, from, "more", 0);
	image_file(v, to, "more", 0);
	WR_LOCK(v);
	is(bcache_take(v->fs, &list, &count), 0, "they are being written");
	rename_all(v, from, to);
	for (i = 0; i < count && !ret; i++)
		ret = device_write(&v->dev, list[i].data, block_size(v),
				   list[i].block * block_size(v));
	is(ret, 0, "and written");
	bcache_written(v->cache, list, count);
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* An inode is deleted, also when there is none yet to have its number. */
static void test_successor(void)
{
	const struct make mk = { .mode = S_IFREG | 0644 };
	const char *path = image_make("-b 4096", 16);
	struct volume *v = image_open(path);
	struct node *root = image_root(v), *n, *next;

	image_file(v, root, "file", 0);
	is(commit_now(v), 0, "a file");
	WR_LOCK(v);
	name_lookup(v, root, "file", &n);
	is(name_unlink(v, root, "file", false, true, true, NULL), 0,
	   "which is deleted, and in use");
	left = 0;
	is(name_make(v, root, "next", &mk, &next), -ENOMEM,
	   "another one is not made");
	left = -1;
	node_put(v, n);
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	test_names("-b 1024 -N 2048");
	test_names("-b 1024 -N 2048 -O ^dir_index,^metadata_csum");
	test_rename();
	test_successor();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * No space: what cannot be done leaves the file as it was, and what is written to
 * space that the file has always can be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "image.h"
#include "internal.h"
#include "ops.h"
#include "record.h"
#include "tap.h"

#define RUNS_MAX	2000u
/* Groups that begin with nothing of the file system's. */
#define BARE	"-b 1024 -O sparse_super2 -E packed_meta_blocks=1,num_backup_sb=0"

/**
 * struct state - all that a file is
 * @runs: where its blocks are
 * @count: how many
 * @size: bytes
 * @blocks: of 512 bytes
 */
struct state {
	struct run	runs[RUNS_MAX];
	unsigned int	count;
	uint64_t	size;
	uint32_t	blocks;
};

/* There is no memory for this. */
static bool no_tree, no_remove;

errcode_t __wrap_ext2fs_extent_open2(ext2_filsys fs, ext2_ino_t ino,
				     struct ext2_inode *inode,
				     ext2_extent_handle_t *h)
{
	if (no_tree)
		return EXT2_ET_NO_MEMORY;
	return __real_ext2fs_extent_open2(fs, ino, inode, h);
}

errcode_t __wrap_ext2fs_xattr_remove(struct ext2_xattr_handle *h,
				     const char *name)
{
	return no_remove ? EXT2_ET_NO_MEMORY :
			   __real_ext2fs_xattr_remove(h, name);
}

/* What is asked of the kernel, that is: it has mappings of this file system's files. */
static struct volume *mapped;
static unsigned int told;
/* It answers later, if at all: by this. */
static int (*answer)(struct volume *v, uint64_t nodeid);

static void give_back(struct volume *v, uint64_t nodeid, uint64_t offset)
{
	const struct fusex_map_return_in in = { .offset = offset };
	struct fusex_node node = { .nodeid = nodeid };
	struct node *n;

	RD_LOCK(v);
	n = node_peek(v, (ext2_ino_t)nodeid);
	node_lock(n);
	node.generation = n->raw.i_generation;
	map_return(v, n, &in);
	node_unlock(n);
	node_put(v, n);
	UNLOCK(v);
	reclaim_returned(v, &node);
}

int __wrap_fusex_notify_map_recall(struct fusex_session *se,
				   const struct fusex_node_ref *node,
				   uint64_t lease, uint64_t offset,
				   uint64_t length)
{
	struct volume *v = mapped;

	if (v && answer)
		return answer(v, node->nodeid);
	/* Every fifth file it does not give back. */
	if (!v || node->nodeid % 5 == 0)
		return -EINVAL;
	give_back(v, node->nodeid, offset);
	return 0;
}

int __wrap_fusex_notify_inval_inode(struct fusex_session *se,
				    const struct fusex_node_ref *node,
				    uint32_t flags, uint64_t offset,
				    uint64_t length)
{
	told++;
	return 0;
}

static struct state *state_of(struct volume *v, struct node *n)
{
	struct state *s = need(1, sizeof(*s));
	uint64_t lblk;
	struct run *r;

	s->size = size_of(n);
	s->blocks = n->raw.i_blocks;
	for (lblk = 0; lblk < LBLK_END && s->count < RUNS_MAX;
	     lblk = r->lblk + r->len) {
		r = &s->runs[s->count++];
		if (file_find(v, n, lblk, r))
			break;
	}
	return s;
}

static bool is_same(const struct state *a, const struct state *b)
{
	unsigned int i;

	if (a->count != b->count || a->size != b->size ||
	    a->blocks != b->blocks)
		return false;
	for (i = 0; i < a->count; i++)
		if (a->runs[i].lblk != b->runs[i].lblk ||
		    a->runs[i].len != b->runs[i].len ||
		    a->runs[i].type != b->runs[i].type ||
		    (a->runs[i].type != RUN_HOLE &&
		     a->runs[i].pblk != b->runs[i].pblk))
			return false;
	return true;
}

/* Is it what it was?  That is forgotten then. */
static void still(struct volume *v, struct node *n, struct state *was,
		  const char *what)
{
	struct state *s = state_of(v, n);

	if (!ok(is_same(s, was), "%s: the file is what it was", what))
		printf("# %u runs, was %u; %u sectors, was %u\n", s->count,
		       was->count, s->blocks, was->blocks);
	free(s);
	free(was);
}

/* Are all blocks that it has taken? */
static bool is_sound(struct volume *v, struct node *n)
{
	struct state *s = state_of(v, n);
	bool sound = true;
	unsigned int i;

	for (i = 0; i < s->count; i++)
		if (s->runs[i].type != RUN_HOLE &&
		    ext2fs_test_block_bitmap_range2(v->fs->block_map,
						    s->runs[i].pblk,
						    (blk_t)s->runs[i].len))
			sound = false;
	free(s);
	return sound;
}

static int written(struct volume *v, struct node *n, uint64_t lblk,
		   uint64_t count)
{
	const struct fusex_map_ioend_in in = {
		.flags = FUSEX_IOEND_UNWRITTEN,
		.offset = lblk << v->block_bits,
		.length = count << v->block_bits,
	};

	return map_ioend(v, n, &in);
}

static int range(struct volume *v, struct node *n, uint32_t mode, uint64_t lblk,
		 uint64_t count)
{
	return falloc(v, n, mode, lblk << v->block_bits,
		      count << v->block_bits);
}

/* A block that says which one it is. */
static int put(struct volume *v, struct node *n, uint64_t lblk)
{
	char *buf = need(1, block_size(v));
	int ret;

	snprintf(buf, block_size(v), "block %llu", (unsigned long long)lblk);
	ret = plain_write(v, n, buf, block_size(v), lblk << v->block_bits);
	free(buf);
	return ret;
}

static bool is_block(struct volume *v, struct node *n, uint64_t lblk,
		     uint64_t was)
{
	char buf[32], want[32];

	snprintf(want, sizeof(want), "block %llu", (unsigned long long)was);
	return plain_read(v, n, buf, sizeof(buf), lblk << v->block_bits) ==
		       sizeof(buf) &&
	       !strcmp(buf, want);
}

/* Whoever writes to space he has got can do so whatever others did. */
static void test_kept(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "allocated", 0);
	struct node *other = image_file(v, root, "greedy", 0);
	struct fusex_statfs_out st;
	char *buf = need(1, 1 << 20);
	uint64_t at, i;
	struct run r;
	int ret = 0;

	WR_LOCK(v);
	is(range(v, n, 0, 0, 2048), 0, "space for a file");
	for (at = 0; !ret; at += 1 << 20)
		ret = plain_write(v, other, buf, 1 << 20, at);
	is(ret, -ENOSPC, "all the rest is taken");
	volume_statfs(v, &st);
	is(st.bavail, 0, "nothing is available");
	for (i = 0, ret = 0; i < 500 && !ret; i++)
		ret = written(v, n, 4 * i + 1, 1);
	is(ret, 0, "every fourth block is written");
	for (i = 0; i < 500 && !ret; i++) {
		ret = file_find(v, n, 4 * i + 1, &r);
		if (!ret && (r.type != RUN_DATA || r.len != 1))
			ret = -EIO;
	}
	is(ret, 0, "and is data");
	for (i = 0, ret = 0; i < 500 && !ret; i++)
		ret = range(v, n, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    4 * i + 3, 1);
	is(ret, 0, "others are punched");
	is(file_find(v, n, 2046, &r), 0, "the last one is looked at");
	is(r.type, RUN_UNWRITTEN, "and there");
	is(size_set(v, other, 0), 0, "the other file is cut");
	UNLOCK(v);
	free(buf);
	is(commit_now(v), 0, "and its space free");
}

/* Three extents, then four: as many as there is room for in the inode. */
static void test_split(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "split", 0);
	struct state *was;
	uint64_t hidden;

	WR_LOCK(v);
	is(range(v, n, 0, 0, 64), 0, "space for another");
	is(written(v, n, 10, 1), 0, "one block is written");
	was = state_of(v, n);
	hidden = image_starve(v, 0);
	is(written(v, n, 20, 1), -ENOSPC, "no room for two more extents");
	still(v, n, was, "split in three");
	is(written(v, n, 63, 1), 0, "there is for one");
	was = state_of(v, n);
	is(written(v, n, 20, 1), -ENOSPC, "then for none");
	still(v, n, was, "split");
	was = state_of(v, n);
	is(range(v, n, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 30, 2),
	   -ENOSPC, "nor for a hole");
	still(v, n, was, "punched");
	image_feed(v, hidden);
	is(written(v, n, 20, 1), 0, "with space it is written");
	is(range(v, n, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 30, 2), 0,
	   "and punched");
	is(written(v, n, 28, 8), -EIO, "data is not said to be in a hole");
	UNLOCK(v);
}

static void test_shift(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "shifted", 0);
	struct state *was;
	uint64_t hidden, i;
	bool good = true;
	int ret = 0;

	WR_LOCK(v);
	for (i = 0; i < 400 && !ret; i++)
		ret = put(v, n, 2 * i);
	is(ret, 0, "a file of many extents");
	was = state_of(v, n);
	hidden = image_starve(v, 1);
	is(range(v, n, FALLOC_FL_COLLAPSE_RANGE, 10, 4), -ENOSPC,
	   "it is not collapsed");
	still(v, n, was, "collapsed");
	was = state_of(v, n);
	is(range(v, n, FALLOC_FL_INSERT_RANGE, 10, 4), -ENOSPC,
	   "nor is there room to insert");
	still(v, n, was, "inserted");
	image_feed(v, hidden);
	is(range(v, n, FALLOC_FL_COLLAPSE_RANGE, 10, 4), 0,
	   "with space it is collapsed");
	is(range(v, n, FALLOC_FL_INSERT_RANGE, 100, 6), 0, "and extended");
	for (i = 0; i < 400; i++)
		if (i < 5 || i >= 7)
			good &= is_block(v, n, i < 5 ? 2 * i :
					       i < 52 ? 2 * i - 4 : 2 * i + 2,
					 2 * i);
	ok(good, "its blocks are where they have to be");
	UNLOCK(v);
}

/* Pieces of an allocation go into the inode, the next one would take a leaf. */
static void test_pieces(void)
{
	const char *path = image_make(BARE, 128);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "pieces", 0);
	uint64_t hidden;
	struct run r;
	bool fresh;

	WR_LOCK(v);
	is(put(v, n, 0) ?: put(v, n, 5) ?: put(v, n, 10), 0, "three extents");
	v->kept = 0;
	hidden = image_starve(v, 70000);
	is(map_allocate(v, n, 11, 70000, &r, &fresh), 0,
	   "there is room for one more");
	ok(r.len >= 32767 && r.len < 40000, "%llu blocks long",
	   (unsigned long long)r.len);
	ok(is_sound(v, n), "what it has is taken");
	image_feed(v, hidden);
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Files without extents: space for the blocks, but not for a list of them. */
static void test_lists(void)
{
	const char *path = image_make("-b 1024 -O ^extents,^64bit", 64);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "list", 0);
	uint64_t hidden, i;
	struct run r;
	bool fresh;
	int ret = 0;

	WR_LOCK(v);
	hidden = image_starve(v, 13);
	is(map_allocate(v, n, 0, 16, &r, &fresh), 0,
	   "space for a few blocks");
	is(r.len, 12, "as many as there is room for");
	ok(is_sound(v, n), "which are taken");
	is(map_allocate(v, n, 12, 1, &r, &fresh), -ENOSPC, "not more");
	image_feed(v, hidden);
	for (i = 0; i < 12 + 256 && !ret; i++)
		ret = put(v, n, i);
	is(ret, 0, "with space there is more");
	hidden = image_starve(v, 2);
	is(put(v, n, i), -ENOSPC, "half a list of lists");
	image_feed(v, hidden);
	ok(is_sound(v, n), "what it has is taken");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Is all that it has, lists as well, where a list can lead to? */
static bool is_low(struct volume *v, struct node *n, uint64_t end)
{
	bool low = n->raw.i_block[EXT2_IND_BLOCK] < end &&
		   n->raw.i_block[EXT2_DIND_BLOCK] < end;
	uint64_t lblk;
	struct run r;

	for (lblk = 0; lblk < blocks_of(v, size_of(n)) && low;
	     lblk = r.lblk + r.len)
		low = !file_find(v, n, lblk, &r) && r.pblk + r.len <= end;
	return low;
}

/* Blocks whose numbers are too large for a list are for others. */
static void test_low(void)
{
	const char *path = image_make("-b 1024 -O ^flex_bg", 64);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "list", 0);
	struct node *tree = image_file(v, image_root(v), "tree", 0);
	struct run r = { .pblk = 0 };
	uint64_t i;
	int ret = 0;

	WR_LOCK(v);
	memset(n->raw.i_block, 0, sizeof(n->raw.i_block));
	n->raw.i_flags &= ~(uint32_t)EXT4_EXTENTS_FL;
	for (i = 0; i < EXT2_NDIR_BLOCKS; i++)
		ret = ret ? ret : put(v, n, i);
	is(ret ? ret : file_find(v, n, i - 1, &r), 0, "some blocks");
	v->lists_end = r.pblk + i - r.lblk + 1;
	is(put(v, n, i), -ENOSPC, "a block, but none for a list");
	v->lists_end = 12000;
	for (ret = 0; !ret && i < 20000; i++)
		ret = put(v, n, i);
	is(ret, -ENOSPC, "there is no space for a list");
	ok(i > 500, "after %llu blocks", (unsigned long long)i);
	ok(is_low(v, n, 12000), "which have small numbers");
	is(put(v, tree, 0), 0, "there is for a tree");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Space behind the end of a file without extents is given back, in any case. */
static void test_behind(bool crash)
{
	const char *path = image_make("-b 1024 -O ^extents,^64bit -J size=4",
				      64);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "behind", 0), *gone;
	uint64_t before = ext2fs_free_blocks_count(v->fs->super);
	uint32_t blocks;
	struct run r;
	bool fresh;

	printf("# a crash: %d\n", crash);
	gone = image_file(v, image_root(v), "gone", 0);
	WR_LOCK(v);
	is(put(v, n, 0), 0, "a block");
	blocks = n->raw.i_blocks;
	is(map_allocate(v, n, 1, 30, &r, &fresh), 0, "and more behind it");
	is(map_allocate(v, gone, 1, 30, &r, &fresh), 0, "of another file");
	gone->lookups = 1;
	n->lookups = 1;
	is(name_unlink(v, image_root(v), "gone", false, false, true, NULL), 0,
	   "which is deleted");
	UNLOCK(v);
	is(commit_now(v), 0, "durable");
	if (crash) {
		volume_abandon(v);
		is(image_run("e2fsck -p %s >/dev/null 2>&1", path) & ~1, 0,
		   "e2fsck repairs it");
		ok(image_check(path), "and finds nothing more");
	} else {
		ok(image_close(v, path), "e2fsck finds nothing");
	}
	v = image_open(path);
	n = image_name(v, "behind");
	is(n->raw.i_blocks, blocks, "what is left is what there is data in");
	is((long long)ext2fs_free_blocks_count(v->fs->super),
	   (long long)before - 1, "the rest is free");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A file without extents that has attributes has them after a crash. */
static void test_labeled(void)
{
	const char *path = image_make("-b 1024 -I 128 -O ^extents,^64bit,^metadata_csum -J size=4",
				      64);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "labeled", 0);
	struct run r;
	bool fresh;

	WR_LOCK(v);
	is(put(v, n, 0), 0, "a block");
	is(xattr_set(v, n, "user.a", "value", 5, 0), 0, "attributes");
	is(map_allocate(v, n, 1, 30, &r, &fresh), 0, "and more behind its end");
	UNLOCK(v);
	is(commit_now(v), 0, "durable");
	volume_abandon(v);
	/* It is longer then: that is not looked at without being told to. */
	is(image_run("e2fsck -fp %s >/dev/null 2>&1", path) & ~1, 0,
	   "e2fsck repairs it");
	ok(image_check(path), "and finds nothing more");
	v = image_open(path);
	WR_LOCK(v);
	is(xattr_get(v, image_name(v, "labeled"), "user.a", NULL, 0), 5,
	   "the attributes are there");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* An image with a file and a directory that are in their inodes. */
static const char *make_inline(void)
{
	const char *path = image_make("-b 4096 -O inline_data", 64);

	image_run("head -c 100 /dev/zero | tr '\\0' x >%s.data", path);
	image_run("echo write %s.data inline >%s.cmd", path, path);
	image_run("echo mkdir dir >>%s.cmd; echo cd dir >>%s.cmd", path, path);
	image_run("echo write /dev/null file0 >>%s.cmd", path);
	image_run("echo write /dev/null file1 >>%s.cmd", path);
	image_run("PATH=$PATH:/usr/sbin:/sbin debugfs -w -f %s.cmd %s >/dev/null 2>&1",
		  path, path);
	return path;
}

static bool has_name(struct volume *v, struct node *dir, const char *name)
{
	struct node *n;

	if (name_lookup(v, dir, name, &n))
		return false;
	node_put(v, n);
	return true;
}

/* Data in the inode: it stays there when there is no block for it. */
static void test_inline(void)
{
	const char *path = make_inline();
	struct volume *v = image_open(path);
	struct node *n = image_name(v, "inline"), *dir = image_name(v, "dir");
	char data[100], buf[200];
	uint64_t hidden;

	WR_LOCK(v);
	memset(data, 'x', sizeof(data));
	ok(node_has(n, EXT4_INLINE_DATA_FL) &&
	   node_has(dir, EXT4_INLINE_DATA_FL), "data and names in inodes");
	hidden = image_starve(v, 0);
	is(plain_write(v, n, data, sizeof(data), 4000), -ENOSPC,
	   "no block for more");
	is(plain_read(v, n, buf, sizeof(buf), 0), sizeof(data),
	   "it is as long as it was");
	ok(!memcmp(buf, data, sizeof(data)), "and what it was");
	UNLOCK(v);
	ok(!image_file(v, dir, "file2", 0), "nor for another name");
	image_feed(v, hidden);
	ok(image_close(v, path), "e2fsck finds nothing");
	v = image_open(path);
	WR_LOCK(v);
	dir = image_name(v, "dir");
	ok(has_name(v, dir, "file0") && has_name(v, dir, "file1"),
	   "the names are there");
	is(plain_write(v, image_name(v, "inline"), data, sizeof(data), 4000),
	   0, "with space there is more data");
	is(plain_read(v, image_name(v, "inline"), buf, sizeof(buf), 0),
	   sizeof(buf), "the beginning is read");
	ok(!memcmp(buf, data, sizeof(data)), "and what it was");
	UNLOCK(v);
	ok(image_file(v, dir, "file2", 0), "another name");
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void still_inline(struct volume *v, struct node *n, struct node *dir)
{
	char data[100], buf[200], write[] = "more";

	memset(data, 'x', sizeof(data));
	WR_LOCK(v);
	is(plain_write(v, n, write, sizeof(write), 4000), -ENOMEM,
	   "it does not get blocks");
	ok(node_has(n, EXT4_INLINE_DATA_FL), "it stays in its inode");
	is(plain_read(v, n, buf, sizeof(buf), 0), sizeof(data),
	   "it is as long as it was");
	ok(!memcmp(buf, data, sizeof(data)), "and what it was");
	is(xattr_get(v, n, "user.a", buf, sizeof(buf)), 5,
	   "so are its attributes");
	UNLOCK(v);
	ok(!image_file(v, dir, "file2", 0), "nor does a directory");
}

/* What was in an inode is there when there is no memory to move it elsewhere. */
static void test_no_memory(void)
{
	const char *path = make_inline();
	struct volume *v = image_open(path);
	struct node *n = image_name(v, "inline"), *dir = image_name(v, "dir");
	uint64_t left = ext2fs_free_blocks_count(v->fs->super);

	WR_LOCK(v);
	is(xattr_set(v, n, "user.a", "value", 5, 0), 0, "an attribute");
	UNLOCK(v);
	no_tree = true;
	still_inline(v, n, dir);
	no_tree = false;
	no_remove = true;
	still_inline(v, n, dir);
	no_remove = false;
	is(commit_now(v), 0, "what was tried is past");
	is((long long)ext2fs_free_blocks_count(v->fs->super), (long long)left,
	   "no block is lost");
	ok(image_close(v, path), "e2fsck finds nothing");
	v = image_open(path);
	dir = image_name(v, "dir");
	ok(has_name(v, dir, "file0") && has_name(v, dir, "file1"),
	   "the names are there");
	ok(image_file(v, dir, "file2", 0), "with memory there is another one");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Names in the inode go until none is left, also where there is no space. */
static void test_unlink(void)
{
	const char *path = make_inline();
	struct volume *v = image_open(path);
	struct node *dir = image_name(v, "dir"), *n;
	static const char * const names[] = { "file1", "file3", "file2", "file0" };
	char *data = need(1, 100 + sizeof(struct ext2_dir_entry));
	struct ext2_dir_entry *de = (void *)(data + 60);
	uint64_t hidden;
	unsigned int i;

	WR_LOCK(v);
	/* Two more names are behind the first 60 bytes. */
	is(inline_read(v, dir, data, 100), 60, "a directory");
	for (i = 2; i < 4; i++, de = (void *)(data + 76)) {
		if (name_lookup(v, dir, names[i == 2 ? 3 : 0], &n))
			continue;
		n->raw.i_links_count++;
		node_dirty(v, n);
		de->inode = n->ino;
		de->rec_len = i == 2 ? 16 : 24;
		de->name_len = 5 | EXT2_FT_REG_FILE << 8;
		snprintf(de->name, 6, "file%u", i);
		node_put(v, n);
	}
	is(inline_write(v, dir, data, 100), 0, "of two pieces");
	dir_unload(dir);
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
	v = image_open(path);
	dir = image_name(v, "dir");
	hidden = image_starve(v, 0);
	WR_LOCK(v);
	for (i = 0; i < 4; i++) {
		is(name_unlink(v, dir, names[i], false, true, true, NULL), 0,
		   names[i]);
		dir_unload(dir);
		ok(node_has(dir, EXT4_INLINE_DATA_FL) &&
		   !has_name(v, dir, names[i]) &&
		   (i == 3 || has_name(v, dir, "file0")), "is not there, alone");
	}
	UNLOCK(v);
	image_feed(v, hidden);
	free(data);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A name that cannot be taken away from where it is does not get to elsewhere. */
static void test_moved(void)
{
	const char *path = make_inline();
	struct volume *v = image_open(path);
	struct node *dir = image_name(v, "dir"), *root = image_root(v);
	struct moved m;
	uint64_t hidden;

	ok(image_file(v, root, "other", 0), "the root directory has a block");
	WR_LOCK(v);
	hidden = image_starve(v, 0);
	is(name_rename(v, dir, "file0", root, "moved", 0, NULL, &m), -ENOSPC,
	   "no block for the names that stay");
	ok(has_name(v, dir, "file0") && !has_name(v, root, "moved"),
	   "the name is where it was, and nowhere else");
	image_feed(v, hidden);
	is(name_rename(v, dir, "file0", root, "moved", 0, NULL, &m), 0,
	   "with space it is moved");
	node_put(v, m.node);
	node_put(v, m.node2);
	ok(!has_name(v, dir, "file0") && has_name(v, root, "moved") &&
	   has_name(v, dir, "file1"), "alone");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* What there is space for is part of the file: nothing is data behind its end. */
static void test_short(void)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "short", 0);
	char *buf = need(1, 1 << 20);
	uint64_t hidden;

	memset(buf, 's', 1 << 20);
	WR_LOCK(v);
	v->kept = 0;
	hidden = image_starve(v, 10);
	is(plain_write_some(v, n, buf, 1 << 20, 0), 10 * 4096,
	   "as much is written as there is space for");
	is((long long)size_of(n), 10 * 4096, "and the file as long");
	is(plain_write_some(v, n, buf, 1 << 20, 10 * 4096), -ENOSPC,
	   "then nothing");
	is((long long)size_of(n), 10 * 4096, "and it stays so");
	image_feed(v, hidden);
	UNLOCK(v);
	free(buf);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Writes [from, to) in pieces of 4 KiB as the kernel does; how often it asked. */
static unsigned int write_pieces(struct volume *v, struct node *n,
				 uint64_t from, uint64_t to)
{
	struct fusex_map_begin_in in = { .op = FUSEX_MAP_OP_WRITE };
	struct fusex_map_begin_out out;
	struct fusex_map_ioend_in end = { .length = 4096,
					  .flags = FUSEX_IOEND_UNWRITTEN |
						   FUSEX_IOEND_APPEND };
	unsigned int asked = 0;
	uint64_t known = from;
	int ret = 0;

	for (; from < to && !ret; from = end.size) {
		while (from + 4096 > known && !ret) {
			in.offset = known;
			in.length = from + 4096 - known;
			ret = map_begin(v, n, &in, &out);
			known = out.read.offset + out.read.length;
			asked++;
		}
		end.offset = from;
		end.size = from + 4096;
		if (!ret)
			ret = map_ioend(v, n, &end);
	}
	is(ret, 0, "a file is written in pieces");
	return asked;
}

/* Does it have data in [from, to), and nothing but that? */
static bool is_just(struct volume *v, struct node *n, uint64_t from,
		    uint64_t to)
{
	struct state *s = state_of(v, n);
	uint64_t have = 0;
	bool just = true;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		if (s->runs[i].type == RUN_HOLE)
			continue;
		just = just && s->runs[i].type == RUN_DATA;
		have += s->runs[i].len << v->block_bits;
		just = just && s->runs[i].lblk << v->block_bits >= from;
	}
	free(s);
	return just && have == to - from;
}

/* What is taken in advance is for files that grow, and are not small. */
static void test_advance(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "sized", 0);
	unsigned int asked;
	uint32_t count;

	WR_LOCK(v);
	is(size_set(v, n, 320 << 10), 0, "a file without blocks");
	write_pieces(v, n, 128 << 10, 256 << 10);
	ok(is_just(v, n, 128 << 10, 256 << 10), "the hole behind it stays");
	write_pieces(v, n, 256 << 10, 320 << 10);
	ok(is_just(v, n, 128 << 10, 320 << 10), "nothing is behind its end");
	UNLOCK(v);
	n = image_file(v, root, "small", 0);
	WR_LOCK(v);
	write_pieces(v, n, 0, 64 << 10);
	ok(is_just(v, n, 0, 64 << 10), "nor behind that of a small file");
	UNLOCK(v);
	n = image_file(v, root, "large", 0);
	WR_LOCK(v);
	asked = write_pieces(v, n, 0, 24 << 20);
	ok(asked < 40, "asked for space %u times", asked);
	is(extents_count(v, n, &count), 0, "its extents are counted");
	ok(count <= 8, "it has %u of them", count);
	is(size_set(v, n, 0), 0, "and is cut");
	UNLOCK(v);
	is(commit_now(v), 0, "for good");
}

/* What files that the kernel still knows have in advance goes back in the end. */
static void test_unmount(void)
{
	const char *path = image_make("-b 4096", 64);
	struct volume *v = image_open(path);
	struct node *clean = image_file(v, image_root(v), "clean", 0);
	struct node *dirty = image_file(v, image_root(v), "dirty", 0);
	struct node *asked = image_file(v, image_root(v), "asked", 0);

	WR_LOCK(v);
	clean->lookups = 1;
	dirty->lookups = 1;
	asked->lookups = 1;
	write_pieces(v, clean, 0, 1 << 20);
	write_pieces(v, asked, 0, 1 << 20);
	UNLOCK(v);
	is(commit_now(v), 0, "two files are durable");
	WR_LOCK(v);
	write_pieces(v, dirty, 0, 1 << 20);
	is(range(v, asked, FALLOC_FL_KEEP_SIZE, 256, 3), 0,
	   "space behind its end is asked for");
	ok(clean->reserved && dirty->reserved && asked->reserved &&
	   asked->raw.i_blocks > 259 * 8, "all have more in advance");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
	v = image_open(path);
	is(image_name(v, "clean")->raw.i_blocks, 256 * 8, "it has what it needs");
	is(image_name(v, "dirty")->raw.i_blocks, 256 * 8, "and the other one");
	is(image_name(v, "asked")->raw.i_blocks, 259 * 8,
	   "and what was asked for");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* What is taken out of the middle of a file takes along what it has in advance. */
static void test_collapse(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "collapsed", 0);
	uint64_t size = 1 << 20, cut = 16 << v->block_bits;

	WR_LOCK(v);
	write_pieces(v, n, 0, size);
	ok(n->reserved, "a file with more in advance");
	is(range(v, n, FALLOC_FL_COLLAPSE_RANGE, 8, 16), 0, "is collapsed");
	ok(is_just(v, n, 0, size - cut), "and has what it needs");
	ok(!n->reserved && !n->is_listed, "there is nothing to give back");
	UNLOCK(v);
}

/* Is space that was asked for behind its end here, and nowhere else behind that? */
static bool is_behind(struct volume *v, struct node *n, uint64_t lblk,
		      uint64_t len)
{
	struct run r;

	if (file_find(v, n, lblk, &r) || r.type != RUN_UNWRITTEN ||
	    r.lblk != lblk || r.len != len || n->wanted != lblk + len)
		return false;
	return !file_find(v, n, lblk + len, &r) && r.type == RUN_HOLE &&
	       r.lblk + r.len == LBLK_END;
}

/* What was asked for behind the end of a file moves along with it. */
static void test_moves(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "moves", 0);
	uint64_t last = (size_max(v, true) >> v->block_bits) - 1;
	struct state *was;
	int ret = 0;

	WR_LOCK(v);
	for (uint64_t i = 0; i < 8 && !ret; i++)
		ret = put(v, n, i);
	is(ret ?: range(v, n, FALLOC_FL_KEEP_SIZE, 8, 12), 0,
	   "space behind a file");
	ok(is_behind(v, n, 8, 12), "is there");
	is(range(v, n, FALLOC_FL_INSERT_RANGE, 4, 2), 0, "it is extended");
	ok(is_behind(v, n, 10, 12), "and that is behind it");
	ok(is_block(v, n, 3, 3) && is_block(v, n, 6, 4),
	   "its blocks are where they have to be");
	is(range(v, n, FALLOC_FL_COLLAPSE_RANGE, 1, 3), 0, "it is collapsed");
	ok(is_behind(v, n, 7, 12), "and that is behind it");
	is(range(v, n, FALLOC_FL_KEEP_SIZE, last - 1, 2), 0,
	   "space up to where files can be");
	was = state_of(v, n);
	is(range(v, n, FALLOC_FL_INSERT_RANGE, 4, 1), -EFBIG,
	   "which cannot be moved on");
	still(v, n, was, "inserted");
	UNLOCK(v);
}

/* Space for what is not written yet, and more in advance. */
static void ask_pieces(struct volume *v, struct node *n, uint64_t from,
		       uint64_t to)
{
	struct fusex_map_begin_in in = { .op = FUSEX_MAP_OP_WRITE,
					 .offset = from };
	struct fusex_map_begin_out out;
	int ret = 0;

	for (; in.offset < to && !ret; in.offset += out.read.length) {
		in.length = 32 << 10;
		ret = map_begin(v, n, &in, &out);
	}
	is(ret, 0, "space for data that is to come");
	ok(n->reserved, "and more in advance");
}

/* A file with space behind its end that is to stay, as it was before it is in memory. */
static const char *make_kept(void)
{
	const char *path = image_make("-b 4096 -J size=4", 64);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "old", 0);

	WR_LOCK(v);
	is(range(v, n, FALLOC_FL_KEEP_SIZE, 0, 200), 0, "space for a file");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
	return path;
}

/* Files whose trees have leaves, of which the last may have nothing else. */
static void make_leaves(struct volume *v, struct node *root)
{
	char name[16];
	struct node *n;
	uint64_t i, count;

	for (count = 336; count <= 344; count++) {
		snprintf(name, sizeof(name), "leaves%u", (unsigned int)count);
		n = image_file(v, root, name, 0);
		WR_LOCK(v);
		for (i = 0; i < count; i++)
			put(v, n, 2 * i);
		ask_pieces(v, n, 2 * i << 12, (2 * i << 12) + (128 << 10));
		UNLOCK(v);
	}
}

/* What is left of them. */
static void test_leaves(struct volume *v)
{
	unsigned int count, bad = 0;
	char name[16];
	struct run r;

	WR_LOCK(v);
	for (count = 336; count <= 344; count++) {
		snprintf(name, sizeof(name), "leaves%u", count);
		bad += file_find(v, image_name(v, name), 2 * count - 2, &r) ||
		       r.type != RUN_DATA;
		bad += file_find(v, image_name(v, name), 2 * count, &r) ||
		       r.type != RUN_HOLE;
	}
	is(bad, 0, "leaves have what there is data in");
	UNLOCK(v);
}

/* Files that have more in advance when the server is gone. */
static void leave_growing(const char *path)
{
	struct volume *v = image_open(path);
	struct node *root = image_root(v);
	struct node *grown = image_file(v, root, "grown", 0);
	struct node *asked = image_file(v, root, "asked", 0);
	struct node *later = image_file(v, root, "later", 0);
	struct node *labeled = image_file(v, root, "labeled", 0);
	struct node *old = image_name(v, "old");
	char value[1000] = { 0 };

	make_leaves(v, root);
	WR_LOCK(v);
	write_pieces(v, grown, 0, 1 << 20);
	write_pieces(v, asked, 0, 1 << 20);
	is(range(v, asked, FALLOC_FL_KEEP_SIZE, 1000, 3), 0,
	   "space behind the end of another");
	write_pieces(v, labeled, 0, 1 << 20);
	is(xattr_set(v, labeled, "user.a", value, sizeof(value), 0), 0,
	   "one has attributes in a block");
	ask_pieces(v, later, 0, 256 << 10);
	ask_pieces(v, old, 200 << 12, (200 << 12) + (256 << 10));
	ok(grown->reserved && asked->reserved && labeled->reserved,
	   "they have more in advance");
	UNLOCK(v);
	is(commit_now(v), 0, "durable");
	volume_abandon(v);
}

/* What files had in advance is free after a crash, and what was asked for is there. */
static void test_crash(void)
{
	const char *path = make_kept();
	struct volume *v;
	struct run r;

	leave_growing(path);
	is(image_run("e2fsck -p %s >/dev/null 2>&1", path) & ~1, 0,
	   "e2fsck repairs it");
	ok(image_check(path), "and finds nothing more");
	v = image_open(path);
	is(image_name(v, "grown")->raw.i_blocks, 256 * 8,
	   "what grew has what it needs");
	is((long long)size_of(image_name(v, "grown")), 1 << 20,
	   "and is as long as it was");
	is(image_name(v, "later")->raw.i_blocks, 0,
	   "nothing is left of what did not come");
	test_leaves(v);
	WR_LOCK(v);
	is(xattr_get(v, image_name(v, "labeled"), "user.a", NULL, 0), 1000,
	   "attributes are there");
	is(file_find(v, image_name(v, "asked"), 1002, &r), 0, "one is");
	is(r.type, RUN_UNWRITTEN, "what was asked for behind its end");
	is(file_find(v, image_name(v, "old"), 199, &r), 0, "as is");
	is(r.type, RUN_UNWRITTEN, "what was behind one before");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Files that after a crash are to be cut, and one that is to be deleted; the first. */
static struct node *make_listed(struct volume *v)
{
	struct node *a = image_file(v, image_root(v), "a", 0);
	struct node *b = image_file(v, image_root(v), "b", 0);
	struct node *gone = image_file(v, image_root(v), "gone", 0);

	WR_LOCK(v);
	gone->lookups = 1;
	a->lookups = 1;
	write_pieces(v, a, 0, 1 << 20);
	write_pieces(v, gone, 0, 1 << 20);
	write_pieces(v, b, 0, 1 << 20);
	is(name_unlink(v, image_root(v), "gone", false, false, true, NULL), 0,
	   "one is deleted, and open");
	UNLOCK(v);
	is(commit_now(v), 0, "durable");
	ok(a->is_listed && b->is_listed && gone->is_listed,
	   "they are in the list");
	return a;
}

/* Is it brought in order without anybody being asked? */
static void repaired(const char *path, bool extents)
{
	struct volume *v;

	is(image_run("e2fsck -p %s >%s.said 2>&1", path, path) & ~1, 0,
	   "e2fsck repairs it by itself");
	image_run("sed 's/^/# /' %s.said", path);
	ok(image_check(path), "and finds nothing more");
	v = image_open(path);
	ok(v->valid, "it is in order");
	if (extents)
		is((long long)size_of(image_name(v, "a")), 1 << 20,
		   "a file is as long as it was");
	ok(!has_name(v, image_root(v), "gone"), "and the other one deleted");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* With errors noted, e2fsck does not go by the list: it must not lead to refugees. */
static void test_noted(const char *kind, uint32_t errors, bool crash)
{
	const struct volume_options o = { .errors = errors };
	const char *path = image_make(kind, 64);
	bool goes_on = errors == EXT2_ERRORS_CONTINUE;
	struct volume *v;
	struct node *a;

	printf("# %s, errors %u, a crash: %d\n", kind, errors, crash);
	is(volume_open(path, &o, &v), 0, "an image");
	a = make_listed(v);
	WR_LOCK(v);
	attr_touch(v, a);
	is(volume_corrupt(v, a->ino, "by this test"), -ECORRUPT,
	   "something is corrupted");
	UNLOCK(v);
	is(commit_now(v), goes_on ? 0 : -EIO, "which is noted");
	if (crash)
		volume_abandon(v);
	else
		is(volume_close(v), goes_on ? 0 : -EIO, "closed");
	repaired(path, !strstr(kind, "^extents"));
}

/* Frozen, it is as if nobody had more than he needs. */
static void test_frozen(void)
{
	const char *path = image_make("-b 4096 -J size=4", 64);
	struct volume *v = image_open(path);
	struct node *a = image_file(v, image_root(v), "a", 0);
	struct node *b = image_file(v, image_root(v), "b", 0);

	WR_LOCK(v);
	write_pieces(v, a, 0, 1 << 20);
	write_pieces(v, b, 0, 1 << 20);
	UNLOCK(v);
	is(commit_now(v), 0, "two files grow");
	ok(a->is_listed && b->is_listed, "which would be cut");
	orphan_freeze(v, true);
	is(commit_now(v), 0, "frozen");
	ok(image_check(path), "e2fsck finds nothing");
	orphan_freeze(v, false);
	ok(a->is_listed && b->is_listed, "and afterwards they would again");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* What all of the image is, as a number. */
static uint32_t sum_of(struct volume *v)
{
	uint64_t i, all = ext2fs_blocks_count(v->fs->super);
	char *buf = need(1, block_size(v));
	uint32_t sum = 0;
	int ret = 0;

	for (i = 0; i < all && !ret; i++) {
		ret = device_read(&v->dev, buf, block_size(v),
				  i << v->block_bits);
		sum = ext2fs_crc32c_le(sum, (unsigned char *)buf,
				       block_size(v));
	}
	is(ret, 0, "the image is read");
	free(buf);
	return sum;
}

/* The last who has a file open that has no name lets go of it. */
static void forget(struct fusex_req *req, struct node *n)
{
	const struct fusex_forget_one one = {
		.nodeid = n->ino, .generation = n->raw.i_generation,
		.nlookup = 1,
	};

	ext4_forget(req, &one, 1);
}

/* What comes of that is not written before it goes on. */
static void test_still(unsigned int interval)
{
	const struct volume_options o = { .interval = interval };
	const char *path = image_make("-b 1024 -J size=4", 16);
	const struct timespec pause = { .tv_sec = interval ? interval + 1 : 0 };
	const struct fusex_fsync_in in = { .flags = 0 };
	struct fusex_session se = { .fd = -1 };
	struct fusex_req req = { .se = &se };
	struct fusex_node node;
	struct volume *v;
	struct node *n;
	uint32_t sum;

	printf("# every %u seconds\n", interval);
	is(volume_open(path, &o, &v), 0, "an image");
	se.userdata = v;
	n = image_file(v, image_root(v), "gone", 0);
	WR_LOCK(v);
	n->lookups = 1;
	is(put(v, n, 0), 0, "a file with data");
	is(name_unlink(v, image_root(v), "gone", false, false, true, NULL), 0,
	   "is deleted, and open");
	UNLOCK(v);
	is(ext4_freeze(&req, 0), 0, "frozen");
	sum = sum_of(v);
	forget(&req, n);
	ok(n->dead, "it is closed");
	node = (struct fusex_node){ .nodeid = EXT2_ROOT_INO };
	is(ext4_syncfs(&req), 0, "all is durable");
	is(ext4_fsync(&req, &node, &in), 0, "and a directory");
	is(commit_space(v), 0, "nobody waits for space that was freed");
	nanosleep(&pause, NULL);
	ok(sum_of(v) == sum, "nothing is written");
	is(ext4_freeze(&req, FUSEX_FREEZE_THAW), 0, "it goes on");
	is(ext4_syncfs(&req), 0, "all is durable");
	ok(sum_of(v) != sum, "and written");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Files that the kernel knows, and that have more in advance; how many. */
static unsigned int make_growing(struct volume *v, struct node **files,
				 unsigned int count)
{
	unsigned int i, have = 0;
	char name[16];

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "growing%u", i);
		files[i] = image_file(v, image_root(v), name, 0);
		WR_LOCK(v);
		files[i]->lookups = 1;
		write_pieces(v, files[i], 0, 128 << 10);
		UNLOCK(v);
		have += !!files[i]->reserved;
	}
	return have;
}

/* More than there is. */
static int fill(struct volume *v)
{
	return alloc_has(v, UINT64_MAX) ? 0 : -ENOSPC;
}

/* Wants space until there is none to be had; how often there was. */
static unsigned int want_space(struct volume *v, const struct node *n)
{
	const struct fusex_node self = { .nodeid = n->ino };
	struct op_tries tries = { 0 };
	unsigned int count = 0;

	while (op_again(v, &self, fill(v), &tries))
		count++;
	return count;
}

/* What files have in advance is there for others, however many they are. */
static void test_reclaim(bool iomap)
{
	const char *path = image_make("-b 4096", 128);
	struct volume *v = image_open(path);
	struct fusex_session *se = need(1, 64);
	unsigned int i, left = 0, keep = 0;
	struct node *files[200];

	printf("# mappings: %d\n", iomap);
	is(make_growing(v, files, 200), 200, "many files grow");
	v->se = se;
	v->iomap = iomap;
	mapped = iomap ? v : NULL;
	told = 0;
	ok(want_space(v, files[0]) > 2, "space is found");
	ok(told >= 199, "the kernel is told of all of them");
	for (i = 0; i < 200; i++) {
		left += !!files[i]->reserved;
		keep += iomap && (!i || files[i]->ino % 5 == 0);
	}
	is(left, keep, "those have some left that do not give it back");
	v->se = NULL;
	free(se);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static pthread_t later;
static struct node *late[2];

static int no_answer(struct volume *v, uint64_t nodeid)
{
	return 0;
}

static void *answer_last(void *arg)
{
	const struct timespec some = { .tv_nsec = 300000000 };

	nanosleep(&some, NULL);
	give_back(arg, late[1]->ino, 0);
	return NULL;
}

/* That of the first file comes twice: it was asked for before. */
static int answer_twice(struct volume *v, uint64_t nodeid)
{
	if (nodeid == late[0]->ino)
		return 0;
	give_back(v, late[0]->ino, 0);
	give_back(v, late[0]->ino, 0);
	return -pthread_create(&later, NULL, answer_last, v);
}

/* Who wants space waits for those whom he has asked, whatever others are told. */
static void test_late(void)
{
	const char *path = image_make("-b 4096", 64);
	struct volume *v = image_open(path);
	struct fusex_session *se = need(1, 64);
	size_t from = 0;

	is(make_growing(v, late, 2), 2, "two files grow");
	v->se = se;
	v->iomap = true;
	mapped = v;
	answer = no_answer;
	ok(!reclaim(v, 0, &from), "nothing is given back for seconds");
	ok(late[0]->reserved && late[1]->reserved, "they have it");
	answer = answer_twice;
	from = 0;
	ok(reclaim(v, 0, &from), "then it is, and late");
	ok(!late[0]->reserved && !late[1]->reserved, "of both files");
	pthread_join(later, NULL);
	answer = NULL;
	mapped = NULL;
	v->se = NULL;
	free(se);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A writer that goes by no mappings finds what he has in advance himself. */
static void test_own(void)
{
	const char *path = image_make("-b 4096", 64);
	struct volume *v = image_open(path);
	struct node *n;
	struct op_tries tries = { 0 };
	uint64_t hidden;
	int ret;

	is(make_growing(v, &n, 1), 1, "a file that grows");
	hidden = image_starve(v, v->kept);
	do {
		WR_LOCK(v);
		ret = put(v, n, 1000);
		UNLOCK(v);
	} while (op_again(v, NULL, ret, &tries));
	is(ret, 0, "has a block elsewhere");
	ok(!n->reserved, "that it had in advance");
	image_feed(v, hidden);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* What takes blocks that are not of data. */
static void take_each(struct volume *v, struct node *n, int expected)
{
	struct make mk = { .mode = S_IFLNK | 0777 };
	char *buf = need(1, 301);
	struct node *made;

	memset(buf, 'x', 300);
	mk.target = buf;
	WR_LOCK(v);
	is(name_make(v, image_root(v), "link", &mk, &made), expected,
	   "a link to something long");
	if (!expected)
		node_put(v, made);
	mk = (struct make){ .mode = S_IFDIR | 0755 };
	is(name_make(v, image_root(v), "dir", &mk, &made), expected,
	   "a directory");
	if (!expected)
		node_put(v, made);
	is(xattr_set(v, n, "user.a", buf, 300, 0), expected, "an attribute");
	UNLOCK(v);
	free(buf);
}

/* The last blocks are for root, whatever they are to be. */
static void test_reserved(const char *kind)
{
	const char *path = image_make(kind, 64);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "file", 0);
	uint64_t hidden, reserved = ext2fs_r_blocks_count(v->fs->super);

	printf("# %s\n", kind);
	ok(reserved > 100, "%llu blocks are", (unsigned long long)reserved);
	WR_LOCK(v);
	is(put(v, n, 20), 0, "a block");
	UNLOCK(v);
	hidden = image_starve(v, v->kept + reserved);
	alloc_as_root(false);
	take_each(v, n, -ENOSPC);
	is(put(v, n, 40), -ENOSPC, "more of a file");
	alloc_as_root(true);
	take_each(v, n, 0);
	is(put(v, n, 40), 0, "more of a file");
	image_feed(v, hidden);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A block that is free after the next transaction. */
static void free_one(struct volume *v, struct node *n)
{
	struct run r;
	bool fresh;

	WR_LOCK(v);
	is(map_allocate(v, n, 0, 1, &r, &fresh) ?: size_set(v, n, 0), 0,
	   "a block comes and goes");
	UNLOCK(v);
}

/* What a transaction frees is not all that the next one may. */
static void test_again(void)
{
	const char *path = image_make("-b 1024", 32);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "file", 0);
	struct op_tries tries = { 0 };
	unsigned int i;

	v->iomap = true;
	alloc_lack();
	for (i = 0; i < 3; i++) {
		free_one(v, n);
		ok(!op_again(v, NULL, -ENOSPC, &tries),
		   "what lacks something else has failed");
		ok(!op_again(v, NULL, fill(v) + ENOSPC, &tries),
		   "and what has found another way has not");
		ok(!op_again(v, NULL, -ENOSPC, &tries), "which is forgotten");
		ok(alloc_waits(v) && tries.commits == i, "nothing is done for them");
		ok(op_again(v, NULL, fill(v), &tries), "it is tried again");
		ok(!alloc_waits(v), "when that can be had");
	}
	do {
		free_one(v, n);
	} while (op_again(v, NULL, fill(v), &tries) && i++ < 100);
	ok(i < 100, "not for ever");
	is(commit_now(v), 0, "a transaction of somebody else's");
	tries = (struct op_tries){ 0 };
	ok(op_again(v, NULL, fill(v), &tries), "may have freed it before");
	ok(!op_again(v, NULL, fill(v), &tries), "which is so once");
	tries = (struct op_tries){ 0 };
	fill(v);
	ok(!op_again(v, NULL, -EIO, &tries), "nor after other errors");
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void test_kind(const char *kind)
{
	const char *path = image_make(kind, 64);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);

	printf("# %s\n", kind);
	test_split(v, root);
	test_shift(v, root);
	test_advance(v, root);
	test_collapse(v, root);
	test_moves(v, root);
	test_kept(v, root);
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	test_kind("-b 1024");
	test_kind("-b 4096");
	test_pieces();
	test_lists();
	test_low();
	test_behind(false);
	test_behind(true);
	test_labeled();
	test_unmount();
	test_crash();
	test_noted("-b 4096 -J size=4", EXT2_ERRORS_CONTINUE, true);
	test_noted("-b 4096 -J size=4", EXT2_ERRORS_CONTINUE, false);
	test_noted("-b 4096 -J size=4", EXT2_ERRORS_RO, true);
	test_noted("-b 1024 -J size=4", EXT2_ERRORS_RO, false);
	test_noted("-b 1024 -I 128 -O ^extents,^64bit,^metadata_csum -J size=4",
		   EXT2_ERRORS_CONTINUE, true);
	test_noted("-b 1024 -I 128 -O ^extents,^64bit,^metadata_csum -J size=4",
		   EXT2_ERRORS_RO, true);
	test_frozen();
	test_still(0);
	test_still(1);
	test_inline();
	test_no_memory();
	test_unlink();
	test_moved();
	test_short();
	test_again();
	test_reclaim(true);
	test_reclaim(false);
	test_late();
	test_own();
	test_reserved("-b 4096");
	test_reserved("-b 4096 -O ea_inode");
	test_reserved("-b 1024 -O ^extents,^64bit");
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Something is not as it has to be: whoever comes across it is told, and it does not
 * spread to what is sound.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "internal.h"
#include "ops.h"
#include "record.h"
#include "tap.h"

#define LISTS	"-b 1024 -O ^extents,^64bit"
#define DEBUGFS	"PATH=$PATH:/usr/sbin:/sbin debugfs -w "

/* A block that the device cannot read. */
static uint64_t unreadable;

int __wrap_device_read(const struct device *d, void *buf, size_t count,
		       uint64_t offset)
{
	if (unreadable && offset <= unreadable && unreadable < offset + count)
		return -EIO;
	return __real_device_read(d, buf, count, offset);
}

/* It is not in memory any more either. */
static void lose(struct volume *v, uint64_t block)
{
	bcache_forget(v->cache, block, 1);
	unreadable = block * block_size(v);
}

/* Is all that it has taken, and no other's from the next transaction on? */
static bool is_its_own(struct volume *v, struct node *n)
{
	struct run r;
	uint64_t i;

	for (i = 0; i < LBLK_END; i = r.lblk + r.len) {
		if (file_find(v, n, i, &r))
			return false;
		if (r.type == RUN_HOLE)
			continue;
		if (ext2fs_test_block_bitmap_range2(v->fs->block_map, r.pblk,
						    (blk_t)r.len) ||
		    !ext2fs_test_block_bitmap_range2(v->pending, r.pblk,
						     (blk_t)r.len))
			return false;
	}
	return true;
}

/* A file with blocks at these places. */
static struct node *make_file(struct volume *v, const char *name,
			      uint64_t count, uint64_t step)
{
	struct node *n = image_file(v, image_root(v), name, 0);
	char *buf = need(1, block_size(v));
	uint64_t i;
	int ret = 0;

	WR_LOCK(v);
	memset(buf, 'd', block_size(v));
	for (i = 0; i < count && !ret; i++)
		ret = plain_write(v, n, buf, block_size(v),
				  i * step << v->block_bits);
	UNLOCK(v);
	is(ret, 0, "a file");
	is(commit_now(v), 0, "durable");
	free(buf);
	return n;
}

static uint32_t *read_block(struct volume *v, uint64_t block)
{
	uint32_t *buf = need(1, block_size(v));

	if (io_channel_read_blk64(v->fs->io, block, 1, buf))
		printf("Bail out! block %llu\n", (unsigned long long)block);
	return buf;
}

/* Sets a number of a list; returns what it was. */
static uint32_t set_entry(struct volume *v, uint64_t block, unsigned int i,
			  uint32_t number)
{
	uint32_t *buf = read_block(v, block), was = buf[i];

	buf[i] = number;
	if (io_channel_write_blk64(v->fs->io, block, 1, buf))
		printf("Bail out! block %llu\n", (unsigned long long)block);
	free(buf);
	return was;
}

/* What it takes for a list is the table of inodes. */
static void test_pointer(struct volume *v, struct node *n, uint64_t lblk)
{
	uint64_t table = ext2fs_inode_table_loc(v->fs, 0);
	uint64_t left = ext2fs_free_blocks_count(v->fs->super);
	uint32_t *was = read_block(v, table), *now;
	char data[10] = "data";

	is(size_set(v, n, 0), -ECORRUPT, "it is not cut");
	is(plain_write(v, n, data, sizeof(data), lblk << v->block_bits),
	   -ECORRUPT, "nor is a hole filled");
	now = read_block(v, table);
	ok(!memcmp(was, now, block_size(v)), "inodes are what they were");
	ok(ext2fs_test_block_bitmap2(v->fs->block_map, table),
	   "and where they are is taken");
	is((long long)ext2fs_free_blocks_count(v->fs->super), (long long)left,
	   "nothing was freed");
	free(was);
	free(now);
}

static void test_numbers(struct volume *v, struct node *n)
{
	uint32_t table = (uint32_t)ext2fs_inode_table_loc(v->fs, 0);
	uint32_t list = n->raw.i_block[EXT2_DIND_BLOCK], was;

	printf("# a number in the inode\n");
	was = n->raw.i_block[EXT2_IND_BLOCK];
	n->raw.i_block[EXT2_IND_BLOCK] = table;
	test_pointer(v, n, EXT2_NDIR_BLOCKS + 1);
	n->raw.i_block[EXT2_IND_BLOCK] = was;
	printf("# a number in a list of lists\n");
	was = set_entry(v, list, 0, table);
	test_pointer(v, n, EXT2_NDIR_BLOCKS + 256 + 1);
	set_entry(v, list, 0, was);
	was = set_entry(v, list, 0, list);
	is(size_set(v, n, 0), -ECORRUPT, "a list that leads to itself");
	set_entry(v, list, 0, was);
	printf("# a number in a list\n");
	list = n->raw.i_block[EXT2_IND_BLOCK];
	was = set_entry(v, list, 8, table);
	is(size_set(v, n, 0), -ECORRUPT, "a block that is not a file's");
	set_entry(v, list, 8, was);
}

static void test_lists(void)
{
	const char *path = image_make(LISTS, 64);
	struct volume *v = image_open(path);
	uint64_t left = ext2fs_free_blocks_count(v->fs->super);
	struct node *n = make_file(v, "lists", 200, 4);
	uint32_t list = n->raw.i_block[EXT2_DIND_BLOCK];

	WR_LOCK(v);
	test_numbers(v, n);
	ok(is_its_own(v, n), "all that it has is its own");
	lose(v, set_entry(v, list, 1, 0));
	set_entry(v, list, 1, (uint32_t)(unreadable / block_size(v)));
	is(size_set(v, n, 0), -EIO, "a list that cannot be read");
	unreadable = 0;
	ok(is_its_own(v, n), "all that it has still is its own");
	n->raw.i_blocks = 4;
	is(size_set(v, n, 0), 0, "it has more blocks than it says");
	is((long long)ext2fs_free_blocks_count(v->fs->super), (long long)left,
	   "and all of them are free");
	UNLOCK(v);
	n = image_file(v, image_root(v), "more", 0);
	WR_LOCK(v);
	is(xattr_set(v, n, "user.a", "value", 5, 0), 0, "a new file");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void test_tree(void)
{
	const char *path = image_make("-b 1024", 64);
	struct volume *v = image_open(path);
	uint64_t left = ext2fs_free_blocks_count(v->fs->super);
	struct node *n = make_file(v, "tree", 200, 2);
	struct ext3_extent_idx *index =
		(struct ext3_extent_idx *)&n->raw.i_block[3];

	WR_LOCK(v);
	ok(((struct ext3_extent_header *)n->raw.i_block)->eh_depth == 1 &&
	   ((struct ext3_extent_header *)n->raw.i_block)->eh_entries > 1,
	   "it has a tree of more leaves than one");
	lose(v, index[1].ei_leaf);
	is(size_set(v, n, 0), -EIO, "a leaf that cannot be read");
	unreadable = 0;
	is((long long)size_of(n), 399 << 10, "it is as long as it was");
	ok(is_its_own(v, n), "all that it has still is its own");
	is(size_set(v, n, 0), 0, "it is cut when it can be read");
	is((long long)ext2fs_free_blocks_count(v->fs->super), (long long)left,
	   "and all of its blocks are free");
	is(n->raw.i_blocks, 0, "and not counted any more");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A byte of an inode that is only on the disk is another one. */
static void spoil(struct volume *v, ext2_ino_t ino)
{
	unsigned int at = (ino - 1) * v->inode_size;
	uint64_t block = ext2fs_inode_table_loc(v->fs, 0) +
			 at / block_size(v);

	set_entry(v, block, at % block_size(v) / 4 + 3, 0);
}

/* An inode that cannot be put where it belongs: nothing after it can be durable. */
static void test_stuck(void)
{
	const char *path = image_make("-b 4096", 64);
	struct volume *v = image_open(path);
	struct node *n = make_file(v, "file", 1, 1);

	WR_LOCK(v);
	attr_changed(v, n);
	ext2fs_flush_icache(v->fs);
	lose(v, ext2fs_inode_table_loc(v->fs, 0));
	UNLOCK(v);
	is(commit_now(v), -EIO, "a transaction that cannot be put together");
	ok(v->failed, "is the last one");
	ok(!image_file(v, image_root(v), "lost", 0), "nothing more is made");
	unreadable = 0;
	is(volume_close(v), -EIO, "closing it says so, too");
	is(image_run("e2fsck -p %s >/dev/null 2>&1", path) & ~1, 0,
	   "e2fsck brings it in order");
	ok(image_check(path), "and finds nothing more");
}

static const char *name_of(unsigned int i)
{
	static char name[8];

	snprintf(name, sizeof(name), "file%u", i);
	return name;
}

/* An inode with a bad checksum is not taken for one that was read before it. */
static void test_inode(void)
{
	const char *path = image_make("-b 4096", 64);
	struct volume *v = image_open(path);
	struct node *n;
	ext2_ino_t bad = 0;
	unsigned int i;

	for (i = 0; i < 5; i++)
		bad = image_file(v, image_root(v), name_of(i),
				 i ? 0 : S_IFREG | 0600)->ino;
	ok(image_close(v, path), "e2fsck finds nothing");
	v = image_open(path);
	WR_LOCK(v);
	spoil(v, bad);
	for (i = 0; i < 4; i++)
		image_name(v, name_of(i));
	is(name_lookup(v, image_root(v), name_of(4), &n), -ECORRUPT,
	   "an inode with a bad checksum");
	n = image_name(v, "file0");
	is(xattr_set(v, n, "user.a", "value", 5, 0), 0,
	   "an attribute of one that is sound");
	is(n->raw.i_mode, S_IFREG | 0600, "which is what it was");
	UNLOCK(v);
	is(volume_close(v), 0, "all is written");
}

/* Blocks of the file system are not free, though the bitmap says so. */
static void test_bitmap(void)
{
	const char *path = image_make("-b 1024 -O ^metadata_csum -N 512", 16);
	struct volume *v = image_open(path);
	uint64_t table = ext2fs_inode_table_loc(v->fs, 1), i;
	char *buf = need(1, 1 << 20);
	struct node *n;
	int ret = 0;

	ok(v->valid, "a file system in order");
	WR_LOCK(v);
	alloc_free(v, table + 5, 1);
	UNLOCK(v);
	is(volume_close(v), 0, "a block of the table of inodes is free");
	v = image_open(path);
	ok(!v->valid, "which is noticed");
	n = image_file(v, image_root(v), "all", 0);
	WR_LOCK(v);
	v->kept = 0;
	for (i = 0; !ret; i += 1 << 20)
		ret = plain_write(v, n, buf, 1 << 20, i);
	is(ret, -ENOSPC, "a file takes all that there is");
	for (i = 0; i < blocks_of(v, size_of(n)) && table; i++) {
		struct run r;

		if (file_find(v, n, i, &r) || r.pblk + i - r.lblk == table + 5)
			table = 0;
	}
	ok(table, "but not that");
	UNLOCK(v);
	free(buf);
	is(volume_close(v), 0, "all is written");
	ok(!image_run("e2fsck -fy %s >/dev/null 2>&1; e2fsck -fn %s >/dev/null 2>&1",
		      path, path), "e2fsck brings it in order");
}

/* Nor is one taken for damaged because it is of a rare kind. */
static void test_kinds(void)
{
	static const char * const kinds[] = {
		"-b 1024 -g 1024 -O ^flex_bg",
		"-b 1024 -g 1024 -O meta_bg,^resize_inode",
		"-b 1024 -g 1024 -O uninit_bg,^metadata_csum",
		"-b 1024 -g 1024 -O uninit_bg,^metadata_csum,^flex_bg",
		"-b 1024 -O sparse_super2 -E packed_meta_blocks=1,num_backup_sb=2",
		"-b 1024 -O ^resize_inode,^64bit,^sparse_super",
	};
	const char *path;
	struct volume *v;
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		path = image_make(kinds[i], 63);
		v = image_open(path);
		ok(v->valid, "%s", kinds[i]);
		ok(image_close(v, path), "e2fsck finds nothing");
	}
}

/* A directory that is said to have a tree, and has none: its names stay. */
static void test_flag(const char *kind, unsigned int names)
{
	const char *path = image_make(kind, 16);
	struct volume *v = image_open(path);
	struct node *dir = image_file(v, image_root(v), "dir", S_IFDIR | 0755);
	char name[16];
	unsigned int i;

	printf("# %s, %u names\n", kind, names);
	for (i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		image_file(v, dir, name, 0);
	}
	WR_LOCK(v);
	dir->raw.i_flags |= EXT2_INDEX_FL;
	node_dirty(v, dir);
	dir_unload(dir);
	UNLOCK(v);
	ok(image_file(v, dir, "one more", 0), "one more name");
	WR_LOCK(v);
	ok(!node_has(dir, EXT2_INDEX_FL), "it is not said any more");
	is(image_count_names(v, dir), names + 1, "all names are known");
	dir_unload(dir);
	is(image_count_names(v, dir), names + 1, "and there");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Blocks of one file are another one's as well: they are freed once. */
static void test_shared(void)
{
	const char *path = image_make("-b 1024", 16);
	struct volume *v = image_open(path);
	uint64_t left = ext2fs_free_blocks_count(v->fs->super);
	struct node *a = make_file(v, "a", 8, 1), *b = make_file(v, "b", 4, 1);
	struct ext3_extent *e = (struct ext3_extent *)&a->raw.i_block[3];
	uint32_t start = e->ee_start;

	e = (struct ext3_extent *)&b->raw.i_block[3];
	is(e->ee_start, start + 8, "two files, one behind the other");
	WR_LOCK(v);
	e->ee_start = start;
	e->ee_len = 12;
	ext2fs_iblk_add_blocks(v->fs, inode_of(b), 8);
	set_size(b, 12 << 10);
	node_dirty(v, b);
	is(name_unlink(v, image_root(v), "a", false, true, true, NULL), 0,
	   "one is deleted");
	UNLOCK(v);
	is(commit_now(v), 0, "durably");
	ok(v->valid, "nothing is known of that");
	WR_LOCK(v);
	is(name_unlink(v, image_root(v), "b", false, true, true, NULL), 0,
	   "then the other one, which has its blocks");
	UNLOCK(v);
	ok(!v->valid, "which is noticed");
	is((long long)ext2fs_free_blocks_count(v->fs->super), (long long)left,
	   "and they are counted once");
	is((long long)v->pending_count, 4, "as those that will be free");
	is(volume_close(v), 0, "all is written");
	is(image_run("e2fsck -p %s >/dev/null 2>&1", path) & ~1, 0,
	   "e2fsck looks at everything");
	ok(image_check(path), "and finds nothing more");
}

/* What the file system keeps for itself in an inode like a file's. */
static void test_special(void)
{
	const char *path = image_make("-b 4096 -O orphan_file", 16);
	struct volume *v = image_open(path);
	struct fusex_session se = { .userdata = v };
	struct fusex_req req = { .se = &se };
	struct fusex_node node = { .nodeid = v->fs->super->s_orphan_file_inum };
	struct fusex_entry_reply e;
	struct node *n;

	ok(node.nodeid >= EXT2_FIRST_INODE(v->fs->super),
	   "its number is like that of a file");
	is(ext4_resolve(&req, &node, &e), -ESTALE, "it is not had by that");
	is(volume_close(v), 0, "nothing has happened");
	is(image_run(DEBUGFS "-R 'link <%u> name' %s >/dev/null 2>&1",
		     (unsigned int)node.nodeid, path), 0, "it has a name");
	v = image_open(path);
	WR_LOCK(v);
	is(name_lookup(v, image_root(v), "name", &n), -ECORRUPT,
	   "which does not lead to it");
	is(name_unlink(v, image_root(v), "name", false, true, true, NULL),
	   -ECORRUPT, "nor is it deleted");
	UNLOCK(v);
	is(volume_close(v), 0, "the rest is written");
}

/* The names of a directory are in memory, and this block of them is not. */
static void lose_names(struct volume *v, struct node *dir)
{
	struct run r = { 0 };

	is(dir_load(v, dir) ?: file_find(v, dir, 0, &r), 0, "names are known");
	lose(v, r.pblk);
}

static bool leads_to(struct volume *v, struct node *dir, const char *name,
		     const struct node *to)
{
	struct dirent_at at;

	return !dir_load(v, dir) && !dir_find(dir, name, &at) &&
	       at.ino == to->ino;
}

/**
 * struct rename - one that comes to nothing
 * @what: what is moved
 * @to: its new name
 * @lost: directory whose block is lost: 0 from, 1 to, 2 what is moved
 * @flags: of it
 */
struct rename {
	const char	*what;
	const char	*to;
	unsigned int	lost;
	uint32_t	flags;
};

/* With a block that cannot be read, it is as if it had not been tried. */
static void test_rename(const struct rename *t)
{
	static const char * const dirs[] = { "from", "to" };
	const char *path = image_make("-b 1024", 16);
	struct volume *v = image_open(path);
	struct node *dir[3], *there, *n;
	struct moved m;
	unsigned int i;

	printf("# %s to %s, %u is lost\n", t->what, t->to, t->lost);
	for (i = 0; i < 2; i++)
		dir[i] = image_file(v, image_root(v), dirs[i], S_IFDIR | 0755);
	image_file(v, dir[0], "file", 0);
	image_file(v, dir[0], "dir", S_IFDIR | 0755);
	there = image_file(v, dir[1], "there", 0);
	is(commit_now(v), 0, "durable");
	WR_LOCK(v);
	is(name_lookup(v, dir[0], t->what, &dir[2]), 0, "there is a name");
	lose_names(v, dir[t->lost]);
	is(name_rename(v, dir[0], t->what, dir[1], t->to, t->flags, NULL, &m),
	   -EIO, "a block that cannot be read");
	unreadable = 0;
	for (i = 0; i < 2; i++)
		dir_unload(dir[i]);
	ok(leads_to(v, dir[0], t->what, dir[2]), "its name is the old one");
	ok(leads_to(v, dir[1], "there", there), "the other one is the other's");
	ok(!strcmp(t->to, "there") || name_lookup(v, dir[1], t->to, &n),
	   "there is none more");
	node_put(v, dir[2]);
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void test_renames(void)
{
	static const struct rename all[] = {
		{ "file", "new", 0, 0 },
		{ "file", "there", 0, 0 },
		{ "dir", "new", 0, 0 },
		{ "dir", "new", 2, 0 },
		{ "file", "there", 0, RENAME_EXCHANGE },
		{ "file", "there", 1, RENAME_EXCHANGE },
		{ "dir", "there", 1, RENAME_EXCHANGE },
		{ "dir", "there", 2, RENAME_EXCHANGE },
	};
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		test_rename(&all[i]);
}

/* A field, as debugfs names it, of an inode. */
static int set_field(const char *path, const char *field, uint64_t value)
{
	return image_run(DEBUGFS "-R 'sif %s %llu' %s >/dev/null 2>&1", field,
			 (unsigned long long)value, path);
}

/* The journal is not opened with this block at a place. */
static void test_journal_at(const char *path, const char *place,
			    uint64_t block, const char *what)
{
	const struct volume_options o = { .readonly = false };
	struct volume *v;

	is(set_field(path, place, block), 0, what);
	is(volume_open(path, &o, &v), -ECORRUPT, "is no journal's");
}

static void test_journal_places(const char *path, uint64_t table,
				const struct ext2_inode *inode)
{
	test_journal_at(path, "<8> block[3]", table,
			"a block of the table of inodes");
	test_journal_at(path, "<8> block[3]", inode->i_block[4],
			"a block for the second time");
	set_field(path, "<8> block[3]", inode->i_block[3]);
	test_journal_at(path, "<8> block[IND]", table, "a list that is none");
	set_field(path, "<8> block[IND]", inode->i_block[EXT2_IND_BLOCK]);
	test_journal_at(path, "<8> block[0]", 0, "none");
	set_field(path, "<8> block[0]", inode->i_block[0]);
}

/* The journal is written to without looking: it has to be all its own. */
static void test_journal(void)
{
	const char *path = image_make(LISTS " -J size=4", 64);
	struct volume *v = image_open(path);
	uint64_t table = ext2fs_inode_table_loc(v->fs, 0);
	struct ext2_inode inode;
	char buf[16];

	ok(image_file(v, image_root(v), "file", 0), "a file");
	is((long long)ext2fs_read_inode(v->fs, EXT2_JOURNAL_INO, &inode), 0,
	   "the journal");
	ok(image_close(v, path), "e2fsck finds nothing");
	test_journal_places(path, table, &inode);
	ok(image_check(path), "it is where it was");
	is(set_field(path, "file block[0]", inode.i_block[5]) |
	   set_field(path, "file size", 1024), 0,
	   "a block of the journal is a file's");
	v = image_open(path);
	WR_LOCK(v);
	is(plain_write(v, image_name(v, "file"), "text", 4, 0), -ECORRUPT,
	   "which does not get at it");
	is(plain_read(v, image_name(v, "file"), buf, 16, 0), -ECORRUPT,
	   "either way");
	UNLOCK(v);
	is(volume_close(v), 0, "the rest is written");
}

int main(void)
{
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	test_lists();
	test_tree();
	test_inode();
	test_stuck();
	test_bitmap();
	test_kinds();
	test_journal();
	test_renames();
	test_special();
	test_shared();
	test_flag("-b 1024 -O ^metadata_csum,^dir_index", 20);
	test_flag("-b 1024 -O ^metadata_csum,^dir_index", 200);
	test_flag("-b 1024 -O ^metadata_csum", 20);
	return tap_end();
}

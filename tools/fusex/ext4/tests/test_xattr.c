// SPDX-License-Identifier: GPL-2.0
/*
 * What inodes have besides data: extended attributes, ACLs, data in the inode,
 * times, flags.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "image.h"
#include "tap.h"

/* It wants the types of the headers above. */
#include <ext2fs/ext2_ext_attr.h>

static const char * const kinds[] = {
	"-b 4096", "-b 1024", "-b 4096 -I 128", "-b 4096 -O ea_inode",
	"-b 4096 -O inline_data",
};

/* As the kernel has it: version, then tag, permissions and id of each entry. */
static const unsigned char acl[] = {
	2, 0, 0, 0,
	1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
	2, 0, 4, 0, 0xe8, 3, 0, 0,
	4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
	16, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
	32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};

static void test_values(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "file", 0);
	char got[8192], value[8192];
	unsigned int i, bad = 0;
	char name[40];
	ssize_t len;

	WR_LOCK(v);
	ok(xattr_hints(v, n), "a new file has none");
	is(xattr_get(v, n, "user.a", got, 10), -ENODATA, "there is none");
	is(xattr_set(v, n, "user.a", "1234", 4, XATTR_REPLACE), -ENODATA,
	   "nothing to replace");
	is(xattr_set(v, n, "user.a", "1234", 4, 0), 0, "one is set");
	is(xattr_set(v, n, "user.a", "5", 1, XATTR_CREATE), -EEXIST,
	   "it is there already");
	is(xattr_get(v, n, "user.a", NULL, 0), 4, "its size");
	is(xattr_get(v, n, "user.a", got, 3), -ERANGE, "too little room");
	ok(xattr_get(v, n, "user.a", got, 10) == 4 && !memcmp(got, "1234", 4),
	   "its value");
	is(xattr_set(v, n, "user.a", "", 0, 0), 0, "it can be empty");
	is(xattr_get(v, n, "user.a", got, 10), 0, "and is");
	is(xattr_set(v, n, "bad.a", "1", 1, 0), -EOPNOTSUPP, "not any name");
	is(xattr_set(v, n, "user.", "1", 1, 0), -EINVAL, "not half of one");
	is(xattr_set(v, n, "system.data", "1", 1, 0), -EOPNOTSUPP,
	   "least of all this one");
	is(xattr_set(v, n, "system.posix_acl_access", acl, sizeof(acl), 0), 0,
	   "an ACL");
	len = xattr_get(v, n, "system.posix_acl_access", got, sizeof(got));
	ok(len == sizeof(acl) && !memcmp(got, acl, sizeof(acl)),
	   "is the same again, %zd bytes", len);
	memset(value, 'x', sizeof(value));
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "user.name%u", i % 9);
		len = xattr_set(v, n, name, value, rnd(120), 0);
		bad += len && len != -ENOSPC;
		if (!rnd(4))
			bad += xattr_remove(v, n, name) == -EIO;
	}
	is(bad, 0, "many are set and removed");
	len = xattr_list(v, n, NULL, 0);
	ok(len > 0 && xattr_list(v, n, got, sizeof(got)) == len, "and listed");
	is(xattr_list(v, n, got, 2), -ERANGE, "with room only");
	len = xattr_set(v, n, "user.large", value, 8000, 0);
	is(len, ext2fs_has_feature_ea_inode(v->fs->super) ? 0 : -ENOSPC,
	   "a large one is an inode, if at all");
	len = xattr_get(v, n, "user.a", got, 10);
	is(len, 0, "the first one is still there");
	UNLOCK(v);
}

static void test_deleted(struct volume *v, struct node *root)
{
	uint64_t before = ext2fs_free_blocks_count(v->fs->super);
	struct node *n = image_file(v, root, "gone", 0);
	char value[3000];

	memset(value, 'y', sizeof(value));
	WR_LOCK(v);
	xattr_set(v, n, "user.a", value, 900, 0);
	if (ext2fs_has_feature_ea_inode(v->fs->super))
		is(xattr_set(v, n, "user.b", value, sizeof(value), 0), 0,
		   "a large one");
	is(name_unlink(v, root, "gone", false, true, true, NULL), 0,
	   "a file with attributes is deleted");
	is((long long)ext2fs_free_blocks_count(v->fs->super),
	   (long long)before, "and what they had is free");
	UNLOCK(v);
}

/* What had the last one is not there any more. */
static void test_last(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "last", 0);
	char value[600];

	memset(value, 'z', sizeof(value));
	WR_LOCK(v);
	is(xattr_set(v, n, "user.a", "1234", 4, 0), 0, "an attribute");
	ok(!xattr_hints(v, n), "is there");
	is(xattr_set(v, n, "user.b", value, sizeof(value), 0), 0,
	   "one with a block");
	ok(ext2fs_get_stat_i_blocks(v->fs, inode_of(n)), "takes one");
	is(xattr_remove(v, n, "user.b"), 0, "it is removed");
	is(xattr_remove(v, n, "user.a"), 0, "and the other one");
	is((long long)ext2fs_get_stat_i_blocks(v->fs, inode_of(n)), 0,
	   "no block is taken");
	ok(xattr_hints(v, n), "and there are none");
	is(xattr_get(v, n, "user.a", value, sizeof(value)), -ENODATA,
	   "to be seen");
	/* Into the inode, where there is room for it. */
	is(xattr_set(v, n, "user.c", value, sizeof(value), 0), 0, "large");
	is(xattr_set(v, n, "user.c", value, 4, 0), 0, "then small");
	is((long long)ext2fs_get_stat_i_blocks(v->fs, inode_of(n)),
	   v->inode_size > 128 ? 0 : block_size(v) / 512,
	   "it has no block but for that");
	UNLOCK(v);
}

/* A large one is an inode, which may have the number of a deleted one. */
static void test_number(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "number", 0);
	struct node *gone = image_file(v, root, "gone", 0), *same;
	ext2_ino_t ino = gone->ino;
	char value[8000], got[8000];

	memset(value, 'n', sizeof(value));
	is(commit_now(v), 0, "two files");
	WR_LOCK(v);
	is(name_unlink(v, root, "gone", false, true, true, NULL), 0,
	   "one is deleted");
	is(xattr_set(v, n, "user.large", value, sizeof(value), 0), 0,
	   "a large attribute");
	ok(ext2fs_test_inode_bitmap2(v->fs->inode_map, ino),
	   "has its number");
	ok(xattr_get(v, n, "user.large", got, sizeof(got)) == sizeof(got) &&
	   !memcmp(got, value, sizeof(got)), "and its value");
	UNLOCK(v);
	is(commit_now(v), 0, "it is durable");
	WR_LOCK(v);
	ok(xattr_get(v, n, "user.large", got, sizeof(got)) == sizeof(got) &&
	   !memcmp(got, value, sizeof(got)), "and is there then");
	icache_shrink(v, 0);
	is(node_get(v, ino, &same), -ESTALE, "but it is not a file");
	UNLOCK(v);
}

/* Gives the block of attributes of a file to another one, too, as the kernel does. */
static void share(struct volume *v, struct node *a, struct node *b)
{
	uint64_t block = ext2fs_file_acl_block(v->fs, inode_of(a));
	uint32_t count;

	ext2fs_adjust_ea_refcount3(v->fs, block, NULL, 1, &count, a->ino);
	ext2fs_file_acl_block_set(v->fs, inode_of(b), block);
	ext2fs_iblk_add_blocks(v->fs, inode_of(b), 1);
	node_dirty(v, b);
}

static uint32_t sharers(struct volume *v, struct node *n)
{
	uint32_t count = 0;

	ext2fs_adjust_ea_refcount3(v->fs,
				   ext2fs_file_acl_block(v->fs, inode_of(n)),
				   NULL, 0, &count, n->ino);
	return count;
}

/* A block that two files have: where there is none for a copy it stays both's. */
static void test_shared(struct volume *v, struct node *root)
{
	struct node *a = image_file(v, root, "shared", 0);
	struct node *b = image_file(v, root, "sharing", 0);
	uint64_t kept = v->kept, hidden;
	char value[600], got[600];

	memset(value, 's', sizeof(value));
	WR_LOCK(v);
	is(xattr_set(v, a, "user.s", value, sizeof(value), 0), 0,
	   "an attribute in a block");
	share(v, a, b);
	is(sharers(v, a), 2, "which is another file's as well");
	v->kept = 0;
	hidden = image_starve(v, 0);
	is(xattr_set(v, b, "user.s", value, 500, 0), -ENOSPC,
	   "no block for what is different");
	is(xattr_set(v, b, "user.s", value, 500, 0), -ENOSPC, "nor another time");
	is(sharers(v, a), 2, "it is both's");
	image_feed(v, hidden);
	v->kept = kept;
	is(xattr_set(v, b, "user.s", value, 500, 0), 0, "with space there is");
	is(sharers(v, a), 1, "then it is not");
	is(xattr_get(v, a, "user.s", got, sizeof(got)), sizeof(got),
	   "what the first file has stays");
	is(xattr_get(v, b, "user.s", got, sizeof(got)), 500,
	   "the other one's is different");
	UNLOCK(v);
}

static uint64_t refs(struct volume *v, ext2_ino_t ino)
{
	struct ext2_inode *raw = need(1, v->inode_size);
	uint64_t count = 0;

	if (!ext2fs_read_inode_full(v->fs, ino, raw, (int)v->inode_size))
		count = ext2fs_get_ea_inode_ref(raw);
	free(raw);
	return count;
}

/* The inode that is the value of the first such attribute in a file's block. */
static ext2_ino_t large_of(struct volume *v, struct node *n)
{
	char *block = need(1, block_size(v)), *at;
	struct ext2_ext_attr_entry *e;
	ext2_ino_t ino = 0;

	ext2fs_read_ext_attr3(v->fs, ext2fs_file_acl_block(v->fs, inode_of(n)),
			      block, n->ino);
	at = block + sizeof(struct ext2_ext_attr_header);
	for (; !ino && *(uint32_t *)at; at += EXT2_EXT_ATTR_LEN(e->e_name_len)) {
		e = (struct ext2_ext_attr_entry *)at;
		ino = e->e_value_inum;
	}
	free(block);
	return ino;
}

/* A block that two files have, with a value that is an inode: it becomes two's. */
static void test_shared_large(void)
{
	const char *path = image_make("-b 4096 -O ea_inode", 32);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);
	struct node *a = image_file(v, root, "shared", 0);
	struct node *b = image_file(v, root, "sharing", 0);
	static char value[5000], got[5000];
	ext2_ino_t ino;

	memset(value, 'l', sizeof(value));
	WR_LOCK(v);
	is(xattr_set(v, a, "user.fill", value, 50, 0), 0, "a full inode");
	is(xattr_set(v, a, "user.s", value, 600, 0), 0, "and a block");
	is(xattr_set(v, a, "user.large", value, sizeof(value), 0), 0,
	   "that leads to an inode");
	ino = large_of(v, a);
	is((long long)refs(v, ino), 1, "which is one file's");
	share(v, a, b);
	ext2fs_iblk_add_blocks(v->fs, inode_of(b), 2);
	is(xattr_set(v, b, "user.t", value, 100, 0), 0, "two files become different");
	is(large_of(v, b), ino, "they have the value in common");
	is((long long)refs(v, ino), 2, "which is counted");
	is(xattr_remove(v, a, "user.large"), 0, "one of them loses it");
	is((long long)refs(v, ino), 1, "which is counted, too");
	ok(xattr_get(v, b, "user.large", got, sizeof(got)) == sizeof(got) &&
	   !memcmp(got, value, sizeof(got)), "the other one has it");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A large one in place of another: as many inodes as before, but not the same. */
static void test_replaced(void)
{
	const char *path = image_make("-b 4096 -O ea_inode", 32);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "replaced", 0);
	char value[8000];

	memset(value, 'r', sizeof(value));
	WR_LOCK(v);
	is(xattr_set(v, n, "user.large", value, sizeof(value), 0), 0,
	   "a large attribute");
	UNLOCK(v);
	is(commit_now(v), 0, "is durable");
	value[0] = 'R';
	WR_LOCK(v);
	is(xattr_set(v, n, "user.large", value, sizeof(value), 0), 0,
	   "it is replaced");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Half a large one is none. */
static void test_half(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "half", 0);
	uint64_t kept = v->kept, hidden;
	uint32_t inodes;
	char value[8000];

	memset(value, 'h', sizeof(value));
	WR_LOCK(v);
	v->kept = 0;
	inodes = v->fs->super->s_free_inodes_count;
	hidden = image_starve(v, 1);
	is(xattr_set(v, n, "user.large", value, sizeof(value), 0), -ENOSPC,
	   "no space for a large attribute");
	is((long long)ext2fs_free_blocks_count(v->fs->super), 1,
	   "none of it is taken");
	is(v->fs->super->s_free_inodes_count, inodes, "nor an inode");
	image_feed(v, hidden);
	v->kept = kept;
	UNLOCK(v);
}

/* All inodes of the first group are used, and the next one has no bitmaps yet. */
static void test_group(void)
{
	const char *path = image_make("-b 1024 -N 64 -O ea_inode", 32);
	struct volume *v = image_open(path);
	struct node *root = image_root(v), *n = NULL;
	char value[8000], name[16];
	unsigned int i;

	for (i = 0; ext2fs_bg_free_inodes_count(v->fs, 0) && i < 64; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		n = image_file(v, root, name, 0);
	}
	ok(!commit_now(v), "%u files", i);
	memset(value, 'g', sizeof(value));
	WR_LOCK(v);
	is(n ? xattr_set(v, n, "user.large", value, sizeof(value), 0) : -EIO, 0,
	   "a large attribute");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* A file system made without: the first one is what gives it the feature. */
static void test_feature(void)
{
	const char *path = image_make("-b 4096 -O ^ext_attr", 32);
	struct volume *v = image_open(path);
	struct node *n = image_file(v, image_root(v), "file", 0);
	char got[10];

	WR_LOCK(v);
	is(xattr_get(v, n, "user.a", got, 10), -ENODATA, "there is none");
	is(xattr_remove(v, n, "user.a"), -ENODATA, "to be removed");
	ok(!ext2fs_has_feature_xattr(v->fs->super), "nor can there be");
	is(xattr_set(v, n, "user.a", "1", 1, 0), 0, "until one is set");
	is(xattr_get(v, n, "user.a", got, 10), 1, "it is there");
	ok(v->valid && !v->failed, "nothing is wrong with that");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void test_times(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "times", 0);
	const int64_t secs[] = { 0, -1, INT32_MIN, INT32_MAX,
				 1LL << 31, 1LL << 32, 3LL << 32,
				 attr_time_max(v) };
	struct fusex_setattr_in in = { .valid = FUSEX_SET_MTIME |
						FUSEX_SET_ATIME };
	bool large = v->inode_size > 128;
	struct fusex_attr a;
	unsigned int i, bad = 0;

	WR_LOCK(v);
	for (i = 0; i < sizeof(secs) / sizeof(secs[0]); i++) {
		if (secs[i] > attr_time_max(v))
			continue;
		in.mtime.sec = secs[i];
		in.mtime.nsec = large ? 999999999 - i : 0;
		in.atime = in.mtime;
		attr_set(v, n, &in);
		attr_fill(v, n, &a);
		bad += a.mtime.sec != secs[i] || a.atime.sec != secs[i] ||
		       a.mtime.nsec != in.mtime.nsec;
	}
	is(bad, 0, "times are what they were set to");
	is(!!(a.mask & FUSEX_ATTR_BTIME), large, "birth time");
	UNLOCK(v);
}

static void test_flags(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "flags", 0);
	struct fusex_fileattr fa = { .flags = 0 };

	WR_LOCK(v);
	attr_get_flags(v, n, &fa);
	fa.flags |= FS_NODUMP_FL | FS_APPEND_FL;
	is(attr_set_flags(v, n, &fa), 0, "flags are set");
	attr_get_flags(v, n, &fa);
	ok(fa.flags & FS_NODUMP_FL && fa.xflags & FS_XFLAG_APPEND,
	   "and shown");
	fa.flags ^= FS_EXTENT_FL;
	is(attr_set_flags(v, n, &fa), -EOPNOTSUPP, "not all of them");
	UNLOCK(v);
}

/* What is no file and no directory has few of them. */
static void test_few_flags(struct volume *v, struct node *root)
{
	static const uint32_t modes[] = { S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
	struct fusex_fileattr fa;
	struct node *n;
	char name[16];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "special%u", i);
		n = image_file(v, root, name, modes[i] | 0644);
		WR_LOCK(v);
		fa = (struct fusex_fileattr){ .flags = FS_IMMUTABLE_FL };
		is(attr_set_flags(v, n, &fa), -EOPNOTSUPP, "not this one");
		fa.flags = FS_NODUMP_FL | FS_NOATIME_FL;
		is(attr_set_flags(v, n, &fa), 0, "but these");
		UNLOCK(v);
	}
	n = image_file(v, root, "no directory", 0);
	WR_LOCK(v);
	attr_get_flags(v, n, &fa);
	fa.flags |= FS_DIRSYNC_FL;
	is(attr_set_flags(v, n, &fa), -EOPNOTSUPP, "a file is no directory");
	attr_get_flags(v, root, &fa);
	fa.flags |= FS_DIRSYNC_FL | FS_TOPDIR_FL;
	is(attr_set_flags(v, root, &fa), 0, "which has more");
	UNLOCK(v);
}

/* A file whose data is in its inode, as the kernel makes them. */
static struct node *make_inline(struct volume *v, struct node *root,
				const char *name, const void *data, size_t len)
{
	struct node *n = image_file(v, root, name, 0);

	memset(n->raw.i_block, 0, sizeof(n->raw.i_block));
	n->raw.i_flags &= ~(uint32_t)EXT4_EXTENTS_FL;
	n->raw.i_flags |= EXT4_INLINE_DATA_FL;
	node_dirty(v, n);
	if (inline_write(v, n, data, len))
		printf("# cannot write inline data\n");
	return n;
}

static void test_inline(struct volume *v, struct node *root)
{
	char data[200], got[200], more[300];
	struct node *n;
	size_t room, i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	n = make_inline(v, root, "inline", data, 20);
	WR_LOCK(v);
	room = inline_room(v, n);
	ok(room > 60 && room < 256, "room for %zu bytes", room);
	is(plain_write(v, n, data, room, 0), 0, "all of it is used");
	ok(node_has(n, EXT4_INLINE_DATA_FL), "it stays in the inode");
	ok(plain_read(v, n, got, sizeof(got), 0) == (ssize_t)room &&
	   !memcmp(got, data, room), "and is read");
	is(size_set(v, n, 10), 0, "it is cut");
	is(size_set(v, n, room), 0, "and extended");
	ok(plain_read(v, n, got, sizeof(got), 0) == (ssize_t)room &&
	   !memcmp(got, data, 10) && !got[10] && !got[room - 1],
	   "by zeros");
	memset(more, 'm', sizeof(more));
	is(plain_write(v, n, more, sizeof(more), 5), 0, "it grows");
	ok(!node_has(n, EXT4_INLINE_DATA_FL), "out of the inode");
	is(plain_read(v, n, got, sizeof(got), 0), sizeof(got), "it is read");
	ok(!memcmp(got, data, 5) && got[5] == 'm', "as it was and is now");
	UNLOCK(v);
	n = make_inline(v, root, "inline2", data, 100);
	is(n->raw.i_size, 100, "another one");
}

static void test_kind(const char *kind)
{
	const char *path = image_make(kind, 32);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);

	printf("# %s\n", kind);
	test_values(v, root);
	test_deleted(v, root);
	test_last(v, root);
	test_times(v, root);
	test_flags(v, root);
	test_few_flags(v, root);
	test_shared(v, root);
	if (ext2fs_has_feature_ea_inode(v->fs->super)) {
		test_half(v, root);
		test_number(v, root);
	}
	if (ext2fs_has_feature_inline_data(v->fs->super))
		test_inline(v, root);
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(kinds[i]);
	test_feature();
	test_shared_large();
	test_replaced();
	test_group();
	return tap_end();
}

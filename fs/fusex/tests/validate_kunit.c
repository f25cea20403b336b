// SPDX-License-Identifier: GPL-2.0
/*
 * Every check on what a server says: the value just inside of each limit and
 * the value just outside of it.
 *
 * Most checks are about one field of a structure that is otherwise good, so
 * they are tables: the field, a value that passes and one that does not.
 */

#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "../chan.h"
#include "../validate.h"
#include "limits.h"

static const struct fusex_conf conf = {
	.io_mode = FUSEX_IO_PLAIN,
	.attr_mode = FUSEX_ATTR_LOCAL,
	.io_modes = BIT(FUSEX_IO_PLAIN) | BIT(FUSEX_IO_PASSTHROUGH),
	.attr_modes = BIT(FUSEX_ATTR_LOCAL),
	.handle_size = 32,
	.time_min = -1000,
	.time_max = 1000,
	.max_file_size = 1ull << 40,
};

static const struct fusex_conf boundless = {
	.io_mode = FUSEX_IO_PLAIN,
	.attr_mode = FUSEX_ATTR_REMOTE,
	.io_modes = BIT(FUSEX_IO_PLAIN),
	.attr_modes = BIT(FUSEX_ATTR_REMOTE),
};

/* ------------------------------------------------------------- attributes */

static const struct fusex_attr good_attr = {
	.mask = FUSEX_ATTR_KNOWN,
	.mode = S_IFREG | 0644,
	.ino = 7,
	.size = 4096,
	.blocks = 8,
	.nlink = 1,
	.uid = 1,
	.gid = 2,
	.blksize = 4096,
	.dio_mem_align = 512,
	.dio_offset_align = 4096,
};

static const struct limit attr_limits[] = {
	LIMIT(good_attr.mask, FUSEX_ATTR_KNOWN, FUSEX_ATTR_KNOWN + 1),
	LIMIT(good_attr.mask, FUSEX_ATTR_REQUIRED, 0),
	LIMIT(good_attr.mask, FUSEX_ATTR_REQUIRED,
	      FUSEX_ATTR_REQUIRED & ~FUSEX_ATTR_MODE),
	LIMIT(good_attr.mask, FUSEX_ATTR_REQUIRED,
	      FUSEX_ATTR_REQUIRED & ~FUSEX_ATTR_NLINK),
	LIMIT(good_attr.mask, FUSEX_ATTR_REQUIRED,
	      FUSEX_ATTR_REQUIRED & ~FUSEX_ATTR_OWNER),
	LIMIT(good_attr.mask, FUSEX_ATTR_REQUIRED,
	      FUSEX_ATTR_REQUIRED & ~FUSEX_ATTR_SIZE),
	LIMIT(good_attr.mask, FUSEX_ATTR_REQUIRED,
	      FUSEX_ATTR_REQUIRED & ~FUSEX_ATTR_TIMES),
	LIMIT(good_attr.mode, S_IFREG | 07777, S_IFREG | 0200000),
	LIMIT(good_attr.mode, S_IFREG, 0644),
	LIMIT(good_attr.mode, S_IFDIR, 0030000),
	LIMIT(good_attr.mode, S_IFLNK, 0050000),
	LIMIT(good_attr.mode, S_IFCHR, 0070000),
	LIMIT(good_attr.mode, S_IFBLK, 0110000),
	LIMIT(good_attr.mode, S_IFIFO, 0160000),
	LIMIT(good_attr.mode, S_IFSOCK, S_IFMT),
	LIMIT(good_attr.nlink, 0, 1u << 31),
	LIMIT(good_attr.nlink, S32_MAX, U32_MAX),
	LIMIT(good_attr.uid, U32_MAX - 1, U32_MAX),
	LIMIT(good_attr.gid, U32_MAX - 1, U32_MAX),
	LIMIT(good_attr.size, 1ull << 40, (1ull << 40) + 1),
	LIMIT(good_attr.size, 0, (u64)S64_MAX + 1),
	LIMIT(good_attr.blocks, U64_MAX >> 9, (U64_MAX >> 9) + 1),
	LIMIT(good_attr.rdev_major, 4095, 4096),
	LIMIT(good_attr.rdev_minor, MINORMASK, MINORMASK + 1),
	LIMIT(good_attr.blksize, 512, 256),
	LIMIT(good_attr.blksize, FUSEX_IO_SIZE_MAX, FUSEX_IO_SIZE_MAX << 1),
	LIMIT(good_attr.blksize, 0, 4097),
	LIMIT(good_attr.flags, U32_MAX, 1ull << 32),
	LIMIT(good_attr.atime.nsec, 999999999, 1000000000),
	LIMIT(good_attr.mtime.nsec, 999999999, 1000000000),
	LIMIT(good_attr.ctime.nsec, 999999999, 1000000000),
	LIMIT(good_attr.btime.nsec, 999999999, 1000000000),
	LIMIT(good_attr.atime.sec, -1000, -1001),
	LIMIT(good_attr.atime.sec, 1000, 1001),
	LIMIT(good_attr.mtime.sec, -1000, -1001),
	LIMIT(good_attr.mtime.sec, 1000, 1001),
	LIMIT(good_attr.ctime.sec, -1000, -1001),
	LIMIT(good_attr.ctime.sec, 1000, 1001),
	LIMIT(good_attr.btime.sec, -1000, -1001),
	LIMIT(good_attr.btime.sec, 1000, 1001),
	LIMIT(good_attr.atime.reserved, 0, 1),
	LIMIT(good_attr.mtime.reserved, 0, 1),
	LIMIT(good_attr.ctime.reserved, 0, 1),
	LIMIT(good_attr.btime.reserved, 0, 1),
	LIMIT(good_attr.dio_mem_align, 1, 0),
	LIMIT(good_attr.dio_mem_align, FUSEX_IO_SIZE_MAX,
	      FUSEX_IO_SIZE_MAX << 1),
	LIMIT(good_attr.dio_mem_align, 512, 513),
	LIMIT(good_attr.dio_offset_align, 1, 0),
	LIMIT(good_attr.dio_offset_align, FUSEX_IO_SIZE_MAX,
	      FUSEX_IO_SIZE_MAX << 1),
	LIMIT(good_attr.dio_offset_align, 4096, 4095),
	LIMIT(good_attr.reserved[0], 0, 1),
	LIMIT(good_attr.reserved[1], 0, 1),
	LIMIT(good_attr.reserved[2], 0, 1ull << 63),
};

KUNIT_ARRAY_PARAM(attr_limits, attr_limits, limit_name);

static void attr_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_attr a = good_attr;
	const char *why = NULL;

	poke(&a, &good_attr, l, l->inside);
	EXPECT_GOOD(test, fusex_check_attr(&conf, &a, FUSEX_ATTR_REQUIRED,
					   &why));
	poke(&a, &good_attr, l, l->outside);
	EXPECT_BAD(test, fusex_check_attr(&conf, &a, FUSEX_ATTR_REQUIRED,
					  &why));
}

/* Fields that the mask does not name are nobody's business. */
static void attr_unnamed(struct kunit *test)
{
	struct fusex_attr a;
	const char *why = NULL;

	memset(&a, 0xff, sizeof(a));
	memset(a.reserved, 0, sizeof(a.reserved));
	a.mask = 0;
	EXPECT_GOOD(test, fusex_check_attr(&conf, &a, 0, &why));
	a.mask = FUSEX_ATTR_INO | FUSEX_ATTR_CHANGE;
	a.blksize = 0;
	EXPECT_GOOD(test, fusex_check_attr(&conf, &a, 0, &why));
	EXPECT_BAD(test, fusex_check_attr(&conf, &a, FUSEX_ATTR_SIZE, &why));
}

static void attr_boundless(struct kunit *test)
{
	struct fusex_attr a = good_attr;
	const char *why = NULL;

	a.size = S64_MAX;
	a.atime.sec = S64_MIN;
	a.mtime.sec = S64_MAX;
	EXPECT_GOOD(test, fusex_check_attr(&boundless, &a, 0, &why));
	a.size++;
	EXPECT_BAD(test, fusex_check_attr(&boundless, &a, 0, &why));
}

static void attr_no_dio(struct kunit *test)
{
	struct fusex_attr a = good_attr;
	const char *why = NULL;

	a.dio_mem_align = 0;
	a.dio_offset_align = 0;
	EXPECT_GOOD(test, fusex_check_attr(&conf, &a, 0, &why));
}

/* ---------------------------------------------------------------- entries */

static struct fusex_entry entry_of(u32 mode)
{
	struct fusex_entry e = {
		.nodeid = 1,
		.attr = good_attr,
	};

	e.attr.mode = mode;
	return e;
}

static const struct fusex_entry any_entry;

static const struct limit entry_limits[] = {
	LIMIT(any_entry.nodeid, U64_MAX, 0),
	LIMIT(any_entry.io_mode, FUSEX_IO_PLAIN, FUSEX_IO_DIRECT),
	LIMIT(any_entry.io_mode, FUSEX_IO_DEFAULT, FUSEX_IO_NR),
	LIMIT(any_entry.io_mode, FUSEX_IO_PLAIN, 255),
	LIMIT(any_entry.io_mode, FUSEX_IO_PLAIN, 64 + FUSEX_IO_PLAIN),
	LIMIT(any_entry.attr_mode, FUSEX_ATTR_LOCAL, FUSEX_ATTR_REMOTE),
	LIMIT(any_entry.attr_mode, FUSEX_ATTR_DEFAULT, FUSEX_ATTR_NR),
	LIMIT(any_entry.attr_mode, FUSEX_ATTR_LOCAL, 255),
	LIMIT(any_entry.attr_mode, FUSEX_ATTR_LOCAL, 64 + FUSEX_ATTR_LOCAL),
	LIMIT(any_entry.handle_len, 32, 33),
	LIMIT(any_entry.handle_len, 0, U16_MAX),
	LIMIT(any_entry.flags, FUSEX_ENTRY_KNOWN, FUSEX_ENTRY_KNOWN + 1),
	LIMIT(any_entry.backing, 0, 1),
	LIMIT(any_entry.io_mode, FUSEX_IO_PLAIN, FUSEX_IO_PASSTHROUGH),
	LIMIT(any_entry.reserved, 0, 1),
	LIMIT(any_entry.attr.mask, FUSEX_ATTR_REQUIRED, 0),
	LIMIT(any_entry.attr.nlink, S32_MAX, 1u << 31),
};

KUNIT_ARRAY_PARAM(entry_limits, entry_limits, limit_name);

static void entry_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_entry e = entry_of(S_IFREG | 0644);
	const char *why = NULL;

	e.attr_mode = FUSEX_ATTR_LOCAL;
	poke(&e, &any_entry, l, l->inside);
	EXPECT_GOOD(test, fusex_check_entry(&conf, &e, &why));
	poke(&e, &any_entry, l, l->outside);
	EXPECT_BAD(test, fusex_check_entry(&conf, &e, &why));
}

static void entry_passthrough(struct kunit *test)
{
	struct fusex_conf all = conf;
	struct fusex_entry e = entry_of(S_IFREG | 0644);
	const char *why = NULL;

	e.io_mode = FUSEX_IO_PASSTHROUGH;
	e.backing = 1;
	EXPECT_GOOD(test, fusex_check_entry(&conf, &e, &why));
	/* By default, and then another one. */
	all.io_mode = FUSEX_IO_PASSTHROUGH;
	e.io_mode = FUSEX_IO_DEFAULT;
	EXPECT_GOOD(test, fusex_check_entry(&all, &e, &why));
	e.io_mode = FUSEX_IO_PLAIN;
	EXPECT_BAD(test, fusex_check_entry(&all, &e, &why));
}

/* What has no data has no way to move them. */
static void entry_no_data(struct kunit *test)
{
	static const u32 types[] = {
		S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK
	};
	struct fusex_conf all = conf;
	unsigned int i;

	all.io_mode = FUSEX_IO_PASSTHROUGH;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct fusex_entry e = entry_of(types[i] | 0755);
		const char *why = NULL;

		EXPECT_GOOD(test, fusex_check_entry(&all, &e, &why));
		e.io_mode = FUSEX_IO_PLAIN;
		EXPECT_BAD(test, fusex_check_entry(&all, &e, &why));
		e.io_mode = FUSEX_IO_DEFAULT;
		e.backing = 1;
		EXPECT_BAD(test, fusex_check_entry(&all, &e, &why));
	}
}

static const struct limit negative_limits[] = {
	LIMIT(any_entry.generation, 0, 1),
	LIMIT(any_entry.io_mode, 0, FUSEX_IO_PLAIN),
	LIMIT(any_entry.attr_mode, 0, FUSEX_ATTR_LOCAL),
	LIMIT(any_entry.handle_len, 0, 1),
	LIMIT(any_entry.flags, 0, FUSEX_ENTRY_NO_ACL),
	LIMIT(any_entry.backing, 0, 1),
	LIMIT(any_entry.reserved, 0, 1),
	LIMIT(any_entry.attr.mask, 0, FUSEX_ATTR_REQUIRED),
};

KUNIT_ARRAY_PARAM(negative_limits, negative_limits, limit_name);

static void negative_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_entry e = { .entry_valid = FUSEX_FOREVER };
	const char *why = NULL;

	poke(&e, &any_entry, l, l->inside);
	EXPECT_GOOD(test, fusex_check_entry(&conf, &e, &why));
	poke(&e, &any_entry, l, l->outside);
	EXPECT_BAD(test, fusex_check_entry(&conf, &e, &why));
}

static void make_types(struct kunit *test)
{
	struct fusex_entry e = entry_of(S_IFREG | 0600);
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_make(&conf, &e, S_IFREG | 0644, &why));
	EXPECT_BAD(test, fusex_check_make(&conf, &e, S_IFDIR | 0600, &why));
	e.flags = FUSEX_ENTRY_KNOWN + 1;
	EXPECT_BAD(test, fusex_check_make(&conf, &e, S_IFREG, &why));
	/* Not even if it looks like one. */
	memset(&e, 0, sizeof(e));
	e.attr.mode = S_IFREG;
	EXPECT_BAD(test, fusex_check_make(&conf, &e, S_IFREG, &why));
}

/* ------------------------------------------------------------------ names */

static void names(struct kunit *test)
{
	char name[FUSEX_NAME_MAX + 1];
	const char *why = NULL;

	memset(name, 'x', sizeof(name));
	EXPECT_GOOD(test, fusex_check_name(name, 1, &why));
	EXPECT_GOOD(test, fusex_check_name(name, FUSEX_NAME_MAX, &why));
	EXPECT_GOOD(test, fusex_check_name("...", 3, &why));
	EXPECT_GOOD(test, fusex_check_name(".x", 2, &why));
	EXPECT_GOOD(test, fusex_check_name("\xff\n", 2, &why));
	/* What follows is not part of it. */
	EXPECT_GOOD(test, fusex_check_name("a/b", 1, &why));

	EXPECT_BAD(test, fusex_check_name(name, 0, &why));
	EXPECT_BAD(test, fusex_check_name(name, FUSEX_NAME_MAX + 1, &why));
	EXPECT_BAD(test, fusex_check_name(".", 1, &why));
	EXPECT_BAD(test, fusex_check_name("..", 2, &why));
	EXPECT_BAD(test, fusex_check_name("/x", 2, &why));
	EXPECT_BAD(test, fusex_check_name("x/", 2, &why));
	EXPECT_BAD(test, fusex_check_name("a\0b", 3, &why));
	EXPECT_BAD(test, fusex_check_name("ab", 3, &why));
}

static void links(struct kunit *test)
{
	char *target = kunit_kmalloc(test, PATH_MAX, GFP_KERNEL);
	const char *why = NULL;

	KUNIT_ASSERT_NOT_NULL(test, target);
	memset(target, '/', PATH_MAX);
	EXPECT_GOOD(test, fusex_check_link(target, 1, &why));
	EXPECT_GOOD(test, fusex_check_link(target, PATH_MAX - 1, &why));
	EXPECT_BAD(test, fusex_check_link(target, 0, &why));
	EXPECT_BAD(test, fusex_check_link(target, PATH_MAX, &why));
	target[5] = '\0';
	EXPECT_GOOD(test, fusex_check_link(target, 5, &why));
	EXPECT_BAD(test, fusex_check_link(target, 6, &why));
}

/* ---------------------------------------------------- records of directories */

/* A record with room for the largest of everything. */
struct record {
	struct fusex_dirent de;
	u8 rest[sizeof(struct fusex_entry) + FUSEX_HANDLE_MAX +
		FUSEX_NAME_MAX + 64];
} __aligned(8);

static struct fusex_entry *record_entry(struct record *r)
{
	return (struct fusex_entry *)r->rest;
}

/* Encodes as a server does; returns the bytes of the record. */
static size_t record_make(struct record *r, const struct fusex_entry *e,
			  const char *name, size_t len)
{
	size_t at = sizeof(r->de);

	memset(r, 0, sizeof(*r));
	r->de.name_len = len;
	r->de.type = DT_REG;
	r->de.ino = 7;
	r->de.cookie = 1;
	if (e) {
		r->de.flags = FUSEX_DIRENT_ENTRY;
		*record_entry(r) = *e;
		at += sizeof(*e) + FUSEX_ALIGN(e->handle_len);
	}
	memcpy((void *)r + at, name, len);
	r->de.reclen = at + FUSEX_ALIGN(len);
	return r->de.reclen;
}

static ssize_t record_check(const struct record *r, size_t len)
{
	const struct fusex_entry *e;
	const char *name, *why = NULL;
	ssize_t ret = fusex_check_dirent(&conf, r, len, &e, &name, &why);

	return ret < 0 ? said(ret, &why) : ret;
}

/* Everything of a record is found where it was put. */
static void record_shapes(struct kunit *test)
{
	static const unsigned int handles[] = { 0, 1, 7, 8, 9, 31, 32 };
	static const unsigned int lengths[] = { 1, 7, 8, 9, 254, 255 };
	struct record *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	char name[FUSEX_NAME_MAX];
	unsigned int i, j;

	KUNIT_ASSERT_NOT_NULL(test, r);
	memset(name, 'n', sizeof(name));
	for (i = 0; i < ARRAY_SIZE(handles); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			struct fusex_entry in = entry_of(S_IFREG | 0600);
			const struct fusex_entry *out = NULL;
			const char *found = NULL, *why = NULL;
			size_t len;

			in.handle_len = handles[i];
			len = record_make(r, &in, name, lengths[j]);
			KUNIT_EXPECT_EQ(test, len % 8, 0);
			KUNIT_EXPECT_EQ(test, (ssize_t)len,
					fusex_check_dirent(&conf, r, sizeof(*r),
							   &out, &found, &why));
			KUNIT_EXPECT_PTR_EQ(test, out, record_entry(r));
			KUNIT_EXPECT_PTR_EQ(test, found, (char *)r->rest +
					    sizeof(in) +
					    FUSEX_ALIGN(handles[i]));
			/* To the last byte, and not one less. */
			KUNIT_EXPECT_EQ(test, (ssize_t)len,
					record_check(r, len));
			KUNIT_EXPECT_EQ(test, record_check(r, len - 1),
					-EFSCORRUPTED);
		}
	}
}

/* Whatever part of it is cut off, nothing beyond the end is read. */
static void record_cut(struct kunit *test)
{
	struct fusex_entry e = entry_of(S_IFREG | 0600);
	struct record *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	size_t len, cut;

	KUNIT_ASSERT_NOT_NULL(test, r);
	e.handle_len = 20;
	len = record_make(r, &e, "a name", 6);
	for (cut = 0; cut < len; cut++) {
		void *copy = kmemdup(r, cut ?: 1, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, copy);
		KUNIT_EXPECT_EQ(test, record_check(copy, cut), -EFSCORRUPTED);
		kfree(copy);
	}
}

static const struct fusex_dirent any_dirent;

/* Of a record without an entry, with a name of 6 bytes and 2 of padding. */
static const struct limit dirent_limits[] = {
	LIMIT(any_dirent.reclen, sizeof(struct fusex_dirent) + 8,
	      sizeof(struct fusex_dirent)),
	LIMIT(any_dirent.reclen, sizeof(struct fusex_dirent) + 8,
	      sizeof(struct fusex_dirent) + 16),
	LIMIT(any_dirent.reclen, sizeof(struct fusex_dirent) + 8, 0),
	LIMIT(any_dirent.reclen, sizeof(struct fusex_dirent) + 8, U32_MAX),
	LIMIT(any_dirent.name_len, 6, 5),
	LIMIT(any_dirent.name_len, 6, 7),
	LIMIT(any_dirent.name_len, 6, 0),
	LIMIT(any_dirent.name_len, 6, U16_MAX),
	LIMIT(any_dirent.flags, FUSEX_DIRENT_LAST, FUSEX_DIRENT_KNOWN + 1),
	LIMIT(any_dirent.flags, 0, FUSEX_DIRENT_ENTRY),
	LIMIT(any_dirent.type, DT_UNKNOWN, 3),
	LIMIT(any_dirent.type, DT_FIFO, 5),
	LIMIT(any_dirent.type, DT_CHR, 7),
	LIMIT(any_dirent.type, DT_DIR, 9),
	LIMIT(any_dirent.type, DT_BLK, 11),
	LIMIT(any_dirent.type, DT_REG, 13),
	LIMIT(any_dirent.type, DT_LNK, DT_WHT),
	LIMIT(any_dirent.type, DT_SOCK, 15),
	LIMIT(any_dirent.type, DT_SOCK, 0x10),
	LIMIT(any_dirent.type, DT_REG, 0xff),
	LIMIT(any_dirent.cookie, 1, 0),
	LIMIT(any_dirent.cookie, FUSEX_COOKIE_MAX, FUSEX_COOKIE_MAX + 1),
	LIMIT(any_dirent.cookie, FUSEX_COOKIE_LAST, FUSEX_COOKIE_LAST - 1),
	LIMIT(any_dirent.cookie, FUSEX_COOKIE_LAST, FUSEX_COOKIE_LAST + 1),
	LIMIT(any_dirent.cookie, FUSEX_COOKIE_LAST, U64_MAX),
};

KUNIT_ARRAY_PARAM(dirent_limits, dirent_limits, limit_name);

static void dirent_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct record *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, r);
	len = record_make(r, NULL, "a name", 6);
	poke(&r->de, &any_dirent, l, l->inside);
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);
	poke(&r->de, &any_dirent, l, l->outside);
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);
}

static void dirent_names(struct kunit *test)
{
	struct fusex_entry e = entry_of(S_IFREG | 0600);
	struct record *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	const struct fusex_entry *out;
	const char *name, *why;
	char long_name[FUSEX_NAME_MAX + 1];
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, r);
	memset(long_name, 'x', sizeof(long_name));
	len = record_make(r, NULL, long_name, FUSEX_NAME_MAX);
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);
	len = record_make(r, NULL, long_name, FUSEX_NAME_MAX + 1);
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);

	/* . and .. may be there, but not as nodes. */
	len = record_make(r, NULL, ".", 1);
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);
	len = record_make(r, NULL, "..", 2);
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);
	len = record_make(r, &e, "..", 2);
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);
	len = record_make(r, &e, "...", 3);
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);

	len = record_make(r, NULL, "a/b", 3);
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);
	len = record_make(r, NULL, "a\0b", 3);
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);

	/* Padding is zero. */
	len = record_make(r, NULL, "abc", 3);
	r->rest[3] = 'd';
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);

	/* An entry without a node is as good as none. */
	memset(&e, 0, sizeof(e));
	len = record_make(r, &e, "..", 2);
	out = &e;
	KUNIT_EXPECT_EQ(test, (ssize_t)len,
			fusex_check_dirent(&conf, r, len, &out, &name, &why));
	KUNIT_EXPECT_NULL(test, out);
}

static void dirent_entries(struct kunit *test)
{
	struct fusex_entry e = entry_of(S_IFDIR | 0700);
	struct record *r = kunit_kmalloc(test, sizeof(*r), GFP_KERNEL);
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, r);
	len = record_make(r, &e, "dir", 3);
	r->de.type = DT_DIR;
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);
	r->de.type = DT_UNKNOWN;
	KUNIT_EXPECT_EQ(test, record_check(r, len), (ssize_t)len);
	r->de.type = DT_REG;
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);
	r->de.type = DT_DIR;
	record_entry(r)->handle_len = 33;
	KUNIT_EXPECT_EQ(test, record_check(r, sizeof(*r)), -EFSCORRUPTED);
	record_entry(r)->handle_len = 8;
	KUNIT_EXPECT_EQ(test, record_check(r, sizeof(*r)), -EFSCORRUPTED);
	record_entry(r)->handle_len = 0;
	record_entry(r)->attr.nlink = U32_MAX;
	KUNIT_EXPECT_EQ(test, record_check(r, len), -EFSCORRUPTED);
}

/* ---------------------------------------------------------------- replies */

static void open_replies(struct kunit *test)
{
	struct fusex_open_out out = { .fh = U64_MAX };
	const char *why = NULL;

	out.flags = FUSEX_OPEN_STREAM;
	EXPECT_GOOD(test, fusex_check_open(&out, &why));
	out.flags = FUSEX_OPEN_STREAM << 1;
	EXPECT_BAD(test, fusex_check_open(&out, &why));
	out.flags = 0;
	out.reserved = 1;
	EXPECT_BAD(test, fusex_check_open(&out, &why));
}

static const struct fusex_write_out any_written;

/* Of a WRITE of 100 bytes at 1000. */
static const struct limit write_limits[] = {
	LIMIT(any_written.written, 1, 0),
	LIMIT(any_written.written, 100, 101),
	LIMIT(any_written.written, 100, U64_MAX),
	LIMIT(any_written.offset, 1000, 999),
	LIMIT(any_written.offset, 1000, 1001),
	LIMIT(any_written.attr.mask, 0, FUSEX_ATTR_KNOWN + 1),
};

KUNIT_ARRAY_PARAM(write_limits, write_limits, limit_name);

static void write_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_write_in in = { .offset = 1000, .size = 100 };
	struct fusex_write_out out = { .offset = 1000, .written = 100 };
	const char *why = NULL;

	poke(&out, &any_written, l, l->inside);
	EXPECT_GOOD(test, fusex_check_write(&conf, &in, &out, &why));
	poke(&out, &any_written, l, l->outside);
	EXPECT_BAD(test, fusex_check_write(&conf, &in, &out, &why));
}

/* An append goes anywhere, but not beyond the largest file. */
static void write_append(struct kunit *test)
{
	struct fusex_write_in in = {
		.offset = 1000,
		.size = 100,
		.write_flags = FUSEX_WRITE_APPEND,
	};
	struct fusex_write_out out = { .written = 100 };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_write(&conf, &in, &out, &why));
	out.offset = conf.max_file_size - 100;
	EXPECT_GOOD(test, fusex_check_write(&conf, &in, &out, &why));
	out.offset++;
	EXPECT_BAD(test, fusex_check_write(&conf, &in, &out, &why));
	out.offset = U64_MAX - 50;
	EXPECT_BAD(test, fusex_check_write(&conf, &in, &out, &why));
}

/* Nothing is all there is to write. */
static void write_nothing(struct kunit *test)
{
	struct fusex_write_in in = { .offset = 1000 };
	struct fusex_write_out out = { .offset = 1000 };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_write(&conf, &in, &out, &why));
	out.written = 1;
	EXPECT_BAD(test, fusex_check_write(&conf, &in, &out, &why));
}

static void copies(struct kunit *test)
{
	struct fusex_copy_range_in in = { .offset2 = 1000, .length = 1ull << 33 };
	struct fusex_write_out out = { .offset = 1000 };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_copy(&conf, &in, &out, &why));
	out.written = 1ull << 33;
	EXPECT_GOOD(test, fusex_check_copy(&conf, &in, &out, &why));
	out.written++;
	EXPECT_BAD(test, fusex_check_copy(&conf, &in, &out, &why));
	out.written = 1;
	out.offset = 1001;
	EXPECT_BAD(test, fusex_check_copy(&conf, &in, &out, &why));

	in.offset2 = conf.max_file_size;
	out.offset = conf.max_file_size;
	out.written = 0;
	EXPECT_GOOD(test, fusex_check_copy(&conf, &in, &out, &why));
	out.written = 1;
	EXPECT_BAD(test, fusex_check_copy(&conf, &in, &out, &why));

	/* A clone is all or nothing, or to the end of the source. */
	in.flags = FUSEX_COPY_CLONE;
	in.offset2 = 1000;
	out.offset = 1000;
	out.written = 1;
	EXPECT_BAD(test, fusex_check_copy(&conf, &in, &out, &why));
	out.written = in.length;
	EXPECT_GOOD(test, fusex_check_copy(&conf, &in, &out, &why));
	in.length = 0;
	out.written = conf.max_file_size - 1000;
	EXPECT_GOOD(test, fusex_check_copy(&conf, &in, &out, &why));
	out.written++;
	EXPECT_BAD(test, fusex_check_copy(&conf, &in, &out, &why));
}

static void lseeks(struct kunit *test)
{
	struct fusex_lseek_in in = { .offset = 1000, .whence = SEEK_DATA };
	struct fusex_lseek_out out = { .offset = 1000 };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_lseek(&conf, &in, &out, &why));
	out.offset = 999;
	EXPECT_BAD(test, fusex_check_lseek(&conf, &in, &out, &why));
	out.offset = conf.max_file_size;
	EXPECT_GOOD(test, fusex_check_lseek(&conf, &in, &out, &why));
	out.offset++;
	EXPECT_BAD(test, fusex_check_lseek(&conf, &in, &out, &why));
}

static const struct fusex_lock any_lock;

/* Of a conflict with [150, 250] when [100, 200] was asked about. */
static const struct limit lock_limits[] = {
	LIMIT(any_lock.type, F_RDLCK, 3),
	LIMIT(any_lock.type, F_UNLCK, U32_MAX),
	LIMIT(any_lock.start, 200, 201),
	LIMIT(any_lock.start, 0, 251),
	LIMIT(any_lock.end, OFFSET_MAX, (u64)OFFSET_MAX + 1),
	LIMIT(any_lock.end, 150, 149),
	LIMIT(any_lock.pid, S32_MAX, 1u << 31),
	LIMIT(any_lock.flags, FUSEX_LOCK_KNOWN, FUSEX_LOCK_KNOWN + 1),
	LIMIT(any_lock.reserved, 0, 1),
};

KUNIT_ARRAY_PARAM(lock_limits, lock_limits, limit_name);

static void lock_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_lock in = { .start = 100, .end = 200, .type = F_WRLCK };
	struct fusex_lock out = { .start = 150, .end = 250, .type = F_WRLCK };
	const char *why = NULL;

	poke(&out, &any_lock, l, l->inside);
	EXPECT_GOOD(test, fusex_check_lock(&in, &out, &why));
	poke(&out, &any_lock, l, l->outside);
	EXPECT_BAD(test, fusex_check_lock(&in, &out, &why));
}

static void lock_before(struct kunit *test)
{
	struct fusex_lock in = { .start = 100, .end = 200, .type = F_WRLCK };
	struct fusex_lock out = { .start = 0, .end = 100, .type = F_RDLCK };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_lock(&in, &out, &why));
	out.end = 99;
	EXPECT_BAD(test, fusex_check_lock(&in, &out, &why));
	/* No conflict, no range. */
	out.type = F_UNLCK;
	EXPECT_GOOD(test, fusex_check_lock(&in, &out, &why));
}

static void ioctls(struct kunit *test)
{
	struct fusex_ioctl_out out = { .result = S32_MAX };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_ioctl(&out, &why));
	out.result = -1;
	EXPECT_BAD(test, fusex_check_ioctl(&out, &why));
	out.result = 0;
	EXPECT_GOOD(test, fusex_check_ioctl(&out, &why));
	out.reserved = 1;
	EXPECT_BAD(test, fusex_check_ioctl(&out, &why));
}

static void polls(struct kunit *test)
{
	struct fusex_poll_out out = { .revents = FUSEX_POLL_KNOWN };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_poll(&out, &why));
	/* POLLFREE and EPOLLEXCLUSIVE are not events. */
	out.revents = 0x4000;
	EXPECT_BAD(test, fusex_check_poll(&out, &why));
	out.revents = 1u << 28;
	EXPECT_BAD(test, fusex_check_poll(&out, &why));
	out.revents = 0;
	out.reserved = 1;
	EXPECT_BAD(test, fusex_check_poll(&out, &why));
}

static const struct fusex_statfs_out any_statfs;

static const struct limit statfs_limits[] = {
	LIMIT(any_statfs.bsize, 1, 0),
	LIMIT(any_statfs.bsize, S32_MAX, 1u << 31),
	LIMIT(any_statfs.frsize, 1, 0),
	LIMIT(any_statfs.frsize, S32_MAX, 1u << 31),
	LIMIT(any_statfs.namelen, 1, 0),
	LIMIT(any_statfs.namelen, FUSEX_NAME_MAX, FUSEX_NAME_MAX + 1),
	LIMIT(any_statfs.bfree, 1000, 1001),
	LIMIT(any_statfs.bavail, 1000, 1001),
	LIMIT(any_statfs.ffree, 100, 101),
	LIMIT(any_statfs.reserved, 0, 1),
};

KUNIT_ARRAY_PARAM(statfs_limits, statfs_limits, limit_name);

static void statfs_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_statfs_out out = {
		.blocks = 1000,
		.files = 100,
		.bsize = 4096,
		.frsize = 4096,
		.namelen = 255,
	};
	const char *why = NULL;

	poke(&out, &any_statfs, l, l->inside);
	EXPECT_GOOD(test, fusex_check_statfs(&out, &why));
	poke(&out, &any_statfs, l, l->outside);
	EXPECT_BAD(test, fusex_check_statfs(&out, &why));
}

static void xattrs(struct kunit *test)
{
	struct fusex_xattr_in in = { .size = 100 };
	struct fusex_xattr_out out = { .size = 100 };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_xattr(&in, &out, 100, &why));
	EXPECT_BAD(test, fusex_check_xattr(&in, &out, 99, &why));
	EXPECT_BAD(test, fusex_check_xattr(&in, &out, 101, &why));
	out.size = 101;
	EXPECT_BAD(test, fusex_check_xattr(&in, &out, 100, &why));
	out.size = 0;
	EXPECT_GOOD(test, fusex_check_xattr(&in, &out, 0, &why));

	/* Only the size was asked for. */
	in.size = 0;
	out.size = XATTR_SIZE_MAX;
	EXPECT_GOOD(test, fusex_check_xattr(&in, &out, 0, &why));
	EXPECT_BAD(test, fusex_check_xattr(&in, &out, 1, &why));
	out.size++;
	EXPECT_BAD(test, fusex_check_xattr(&in, &out, 0, &why));
	out.size = 1;
	out.reserved = 1;
	EXPECT_BAD(test, fusex_check_xattr(&in, &out, 0, &why));
}

static void xattr_lists(struct kunit *test)
{
	char list[XATTR_NAME_MAX + 2];
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_xlist("", 0, &why));
	EXPECT_GOOD(test, fusex_check_xlist("a\0user.b", 9, &why));
	EXPECT_BAD(test, fusex_check_xlist("a\0user.b", 8, &why));
	EXPECT_BAD(test, fusex_check_xlist("a\0\0b", 5, &why));
	EXPECT_BAD(test, fusex_check_xlist("", 1, &why));

	memset(list, 'x', sizeof(list));
	list[XATTR_NAME_MAX] = '\0';
	EXPECT_GOOD(test, fusex_check_xlist(list, XATTR_NAME_MAX + 1, &why));
	list[XATTR_NAME_MAX] = 'x';
	list[XATTR_NAME_MAX + 1] = '\0';
	EXPECT_BAD(test, fusex_check_xlist(list, XATTR_NAME_MAX + 2, &why));
}

static void fileattrs(struct kunit *test)
{
	struct fusex_fileattr out = { .flags = U32_MAX, .xflags = U32_MAX };
	const char *why = NULL;

	EXPECT_GOOD(test, fusex_check_fileattr(&out, &why));
	out.xflags++;
	EXPECT_BAD(test, fusex_check_fileattr(&out, &why));
	out.xflags = 0;
	out.reserved = 1;
	EXPECT_BAD(test, fusex_check_fileattr(&out, &why));
}

static const struct fusex_out_header any_header;

/* Of a reply of 100 bytes. */
static const struct limit header_limits[] = {
	LIMIT(any_header.len, 100, 99),
	LIMIT(any_header.len, 100, 101),
	LIMIT(any_header.error, 0, 1),
	LIMIT(any_header.error, 0, -1),
	LIMIT(any_header.unique, 1, 0),
	LIMIT(any_header.unique, U64_MAX, 0),
	LIMIT(any_header.notify, 0, 1),
	LIMIT(any_header.reserved, 0, 1),
};

KUNIT_ARRAY_PARAM(header_limits, header_limits, limit_name);

static void header_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_out_header oh = { .len = 100, .unique = 1 };
	const char *why = NULL;

	poke(&oh, &any_header, l, l->inside);
	EXPECT_GOOD(test, fusex_check_out_header(&oh, 100, &why));
	poke(&oh, &any_header, l, l->outside);
	EXPECT_ERR(test, fusex_check_out_header(&oh, 100, &why), -EINVAL);
}

static void header_errors(struct kunit *test)
{
	struct fusex_out_header oh = { .len = sizeof(oh), .unique = 1 };
	const char *why = NULL;

	oh.error = -1;
	EXPECT_GOOD(test, fusex_check_out_header(&oh, sizeof(oh), &why));
	oh.error = -511;
	EXPECT_GOOD(test, fusex_check_out_header(&oh, sizeof(oh), &why));
	oh.error = 1;
	EXPECT_ERR(test, fusex_check_out_header(&oh, sizeof(oh), &why), -EINVAL);
	/* -ERESTARTSYS and its like are the kernel's own. */
	oh.error = -512;
	EXPECT_ERR(test, fusex_check_out_header(&oh, sizeof(oh), &why), -EINVAL);
	oh.error = S32_MIN;
	EXPECT_ERR(test, fusex_check_out_header(&oh, sizeof(oh), &why), -EINVAL);
	oh.error = 0;
	oh.len--;
	EXPECT_ERR(test, fusex_check_out_header(&oh, sizeof(oh) - 1, &why), -EINVAL);
	/* A notification is no reply, and does not fail. */
	oh = (struct fusex_out_header){ .len = sizeof(oh), .notify = 1 };
	EXPECT_GOOD(test, fusex_check_out_header(&oh, sizeof(oh), &why));
	oh.error = -1;
	EXPECT_ERR(test, fusex_check_out_header(&oh, sizeof(oh), &why), -EINVAL);
}

/* ------------------------------------------------------------------ setup */

static struct fusex_setup good_setup(void)
{
	struct fusex_setup s = {
		.size = sizeof(s),
		.abi = FUSEX_ABI,
		.io_mode = FUSEX_IO_PLAIN,
		.attr_mode = FUSEX_ATTR_LOCAL,
		.root = {
			.nodeid = 1,
			.attr = good_attr,
		},
	};

	s.root.attr.mode = S_IFDIR | 0755;
	return s;
}

static const struct fusex_setup any_setup;

/* This kernel has plain and writeback. */
static const u32 supported = BIT(FUSEX_IO_PLAIN) | BIT(FUSEX_IO_WRITEBACK);

static const struct limit setup_limits[] = {
	LIMIT(any_setup.abi, FUSEX_ABI, FUSEX_ABI + 1, -EPROTONOSUPPORT),
	LIMIT(any_setup.abi, FUSEX_ABI, 0, -EPROTONOSUPPORT),
	LIMIT(any_setup.features, FUSEX_F_KNOWN, FUSEX_F_KNOWN + 1),
	LIMIT(any_setup.features, FUSEX_F_KNOWN, 1ull << 63),
	LIMIT(any_setup.io_mode, FUSEX_IO_PLAIN, 0),
	LIMIT(any_setup.io_mode, FUSEX_IO_WRITEBACK, FUSEX_IO_NR),
	LIMIT(any_setup.io_mode, FUSEX_IO_PLAIN, U32_MAX),
	LIMIT(any_setup.io_mode, FUSEX_IO_PLAIN, FUSEX_IO_DIRECT, -EOPNOTSUPP),
	LIMIT(any_setup.io_mode, FUSEX_IO_PLAIN, FUSEX_IO_DAX, -EOPNOTSUPP),
	LIMIT(any_setup.attr_mode, FUSEX_ATTR_LOCAL, 0),
	LIMIT(any_setup.attr_mode, FUSEX_ATTR_REMOTE, FUSEX_ATTR_NR),
	LIMIT(any_setup.attr_mode, FUSEX_ATTR_REMOTE, U32_MAX),
	LIMIT(any_setup.io_modes, BIT(FUSEX_IO_PLAIN) | BIT(FUSEX_IO_WRITEBACK),
	      BIT(FUSEX_IO_NR)),
	LIMIT(any_setup.io_modes, 0, BIT(FUSEX_IO_DEFAULT)),
	LIMIT(any_setup.io_modes, BIT(FUSEX_IO_PLAIN), BIT(FUSEX_IO_DAX),
	      -EOPNOTSUPP),
	LIMIT(any_setup.io_modes, 0, 1u << 31),
	/* Without passthrough nothing is stacked. */
	LIMIT(any_setup.stack_depth, 0, 1),
	LIMIT(any_setup.stack_depth, 0, 3),
	LIMIT(any_setup.attr_modes,
	      BIT(FUSEX_ATTR_LOCAL) | BIT(FUSEX_ATTR_REMOTE),
	      BIT(FUSEX_ATTR_NR)),
	LIMIT(any_setup.attr_modes, 0, BIT(FUSEX_ATTR_DEFAULT)),
	LIMIT(any_setup.flags, 0, 1),
	LIMIT(any_setup.max_read, 0, 1),
	LIMIT(any_setup.max_read, FUSEX_IO_SIZE_MIN, FUSEX_IO_SIZE_MIN - 1),
	LIMIT(any_setup.max_read, FUSEX_IO_SIZE_MAX,
	      FUSEX_IO_SIZE_MAX + FUSEX_IO_SIZE_MIN),
	LIMIT(any_setup.max_read, 3 * FUSEX_IO_SIZE_MIN,
	      3 * FUSEX_IO_SIZE_MIN + 512),
	LIMIT(any_setup.max_write, 0, 1),
	LIMIT(any_setup.max_write, FUSEX_IO_SIZE_MIN, FUSEX_IO_SIZE_MIN / 2),
	LIMIT(any_setup.max_write, FUSEX_IO_SIZE_MAX,
	      FUSEX_IO_SIZE_MAX + FUSEX_IO_SIZE_MIN),
	LIMIT(any_setup.max_write, 3 * FUSEX_IO_SIZE_MIN,
	      3 * FUSEX_IO_SIZE_MIN + 512),
	LIMIT(any_setup.block_size, 0, 1),
	LIMIT(any_setup.block_size, 512, 256),
	LIMIT(any_setup.block_size, 65536, 131072),
	LIMIT(any_setup.block_size, 4096, 4097),
	LIMIT(any_setup.handle_size, FUSEX_HANDLE_MAX, FUSEX_HANDLE_MAX + 1),
	LIMIT(any_setup.max_links, S32_MAX, 1u << 31),
	LIMIT(any_setup.time_gran, 1000000000, 1000000001),
	LIMIT(any_setup.time_min, 0, 1),
	LIMIT(any_setup.time_max, 0, -1),
	LIMIT(any_setup.max_file_size, S64_MAX, (u64)S64_MAX + 1),
	LIMIT(any_setup.reserved[0], 0, 1),
	LIMIT(any_setup.reserved[7], 0, 1ull << 63),
	LIMIT(any_setup.root.nodeid, 1, 0),
	LIMIT(any_setup.root.attr.mode, S_IFDIR | 0700, S_IFREG | 0700),
	LIMIT(any_setup.root.attr.mask, FUSEX_ATTR_REQUIRED, 0),
	LIMIT(any_setup.root.io_mode, FUSEX_IO_DEFAULT, FUSEX_IO_PLAIN),
	LIMIT(any_setup.root.attr_mode, FUSEX_ATTR_LOCAL, FUSEX_ATTR_REMOTE),
	LIMIT(any_setup.root.handle_len, 0, 1),
	LIMIT(any_setup.root.flags, FUSEX_ENTRY_KNOWN, FUSEX_ENTRY_KNOWN + 1),
	LIMIT(any_setup.root.reserved, 0, 1),
};

KUNIT_ARRAY_PARAM(setup_limits, setup_limits, limit_name);

static void setup_limit(struct kunit *test)
{
	const struct limit *l = test->param_value;
	struct fusex_setup *s = kunit_kmalloc(test, sizeof(*s), GFP_KERNEL);
	const char *why = NULL;

	KUNIT_ASSERT_NOT_NULL(test, s);
	*s = good_setup();
	poke(s, &any_setup, l, l->inside);
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
	poke(s, &any_setup, l, l->outside);
	EXPECT_ERR(test, fusex_check_setup(s, supported, &why), l->err ?: -EINVAL);
}

/* Limits that take two fields. */
static void setup_pairs(struct kunit *test)
{
	struct fusex_setup *s = kunit_kmalloc(test, sizeof(*s), GFP_KERNEL);
	const char *why = NULL;

	KUNIT_ASSERT_NOT_NULL(test, s);
	*s = good_setup();
	s->features = FUSEX_F_EXPORT;
	s->handle_size = FUSEX_EXPORT_HANDLE_MAX;
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
	s->handle_size++;
	EXPECT_ERR(test, fusex_check_setup(s, supported, &why), -EINVAL);
	s->features = 0;
	s->optional = U64_MAX;
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));

	s->handle_size = 16;
	s->root.handle_len = 16;
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
	s->root.handle_len = 17;
	EXPECT_ERR(test, fusex_check_setup(s, supported, &why), -EINVAL);

	*s = good_setup();
	s->time_min = -5;
	s->time_max = -5;
	s->root.attr.atime.sec = -5;
	s->root.attr.mtime.sec = -5;
	s->root.attr.ctime.sec = -5;
	s->root.attr.btime.sec = -5;
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
	s->root.attr.btime.sec = -4;
	EXPECT_ERR(test, fusex_check_setup(s, supported, &why), -EINVAL);
	s->root.attr.btime.sec = -5;
	s->time_max = -6;
	KUNIT_EXPECT_EQ(test, fusex_check_setup(s, supported, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "time_min after time_max");

	/* A node that does not exist is no root. */
	*s = good_setup();
	memset(&s->root, 0, sizeof(s->root));
	s->root.attr.mode = S_IFDIR;
	EXPECT_ERR(test, fusex_check_setup(s, supported, &why), -EINVAL);

	/* The root may have a mode that only entries have. */
	*s = good_setup();
	s->attr_modes = BIT(FUSEX_ATTR_REMOTE);
	s->root.attr_mode = FUSEX_ATTR_REMOTE;
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
}

static void setup_subtypes(struct kunit *test)
{
	static const char *const good[] = { "", "a", "Az09-_" };
	static const char *const bad[] = { ".", "a b", "a/b", "a.b", "\n",
					   "\xe4" };
	struct fusex_setup *s = kunit_kmalloc(test, sizeof(*s), GFP_KERNEL);
	const char *why = NULL;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	*s = good_setup();
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		strscpy_pad(s->subtype, good[i]);
		EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		strscpy_pad(s->subtype, bad[i]);
		EXPECT_ERR(test, fusex_check_setup(s, supported, &why), -EINVAL);
	}
	memset(s->subtype, 'x', sizeof(s->subtype));
	EXPECT_ERR(test, fusex_check_setup(s, supported, &why), -EINVAL);
	s->subtype[sizeof(s->subtype) - 1] = '\0';
	EXPECT_GOOD(test, fusex_check_setup(s, supported, &why));
}

static struct kunit_case validate_cases[] = {
	KUNIT_CASE_PARAM(attr_limit, attr_limits_gen_params),
	KUNIT_CASE(attr_unnamed),
	KUNIT_CASE(attr_boundless),
	KUNIT_CASE(attr_no_dio),
	KUNIT_CASE_PARAM(entry_limit, entry_limits_gen_params),
	KUNIT_CASE(entry_passthrough),
	KUNIT_CASE(entry_no_data),
	KUNIT_CASE_PARAM(negative_limit, negative_limits_gen_params),
	KUNIT_CASE(make_types),
	KUNIT_CASE(names),
	KUNIT_CASE(links),
	KUNIT_CASE(record_shapes),
	KUNIT_CASE(record_cut),
	KUNIT_CASE_PARAM(dirent_limit, dirent_limits_gen_params),
	KUNIT_CASE(dirent_names),
	KUNIT_CASE(dirent_entries),
	KUNIT_CASE(open_replies),
	KUNIT_CASE_PARAM(write_limit, write_limits_gen_params),
	KUNIT_CASE(write_append),
	KUNIT_CASE(write_nothing),
	KUNIT_CASE(copies),
	KUNIT_CASE(lseeks),
	KUNIT_CASE_PARAM(lock_limit, lock_limits_gen_params),
	KUNIT_CASE(lock_before),
	KUNIT_CASE(ioctls),
	KUNIT_CASE(polls),
	KUNIT_CASE_PARAM(statfs_limit, statfs_limits_gen_params),
	KUNIT_CASE(xattrs),
	KUNIT_CASE(xattr_lists),
	KUNIT_CASE(fileattrs),
	KUNIT_CASE_PARAM(header_limit, header_limits_gen_params),
	KUNIT_CASE(header_errors),
	KUNIT_CASE_PARAM(setup_limit, setup_limits_gen_params),
	KUNIT_CASE(setup_pairs),
	KUNIT_CASE(setup_subtypes),
	{}
};

static struct kunit_suite validate_suite = {
	.name = "fusex_validate",
	.test_cases = validate_cases,
};

kunit_test_suite(validate_suite);

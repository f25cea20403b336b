// SPDX-License-Identifier: GPL-2.0
/*
 * rename, renameat2.
 */
#include <sys/syscall.h>

#include "../lib/fs.h"

#define RENAME(a, b, flags)	renameat2(AT_FDCWD, a, AT_FDCWD, b, flags)

TEST(rename, file)
{
	struct statx a, b, d, d2;

	OK(mkdir("d", 0755));
	make_file("a", "x");
	a = look("a");
	d = look(".");
	tick();
	OK(rename("a", "d/b"));
	b = look("d/b");
	d2 = look(".");
	EQ(b.stx_ino, a.stx_ino);
	FAILS(access("a", F_OK), ENOENT);
	STREQ(slurp("d/b"), "x");
	CHECK(later(d2.stx_mtime, d.stx_mtime));
	CHECK(later(d2.stx_ctime, d.stx_ctime));
	CHECK(later(look("d").stx_mtime, a.stx_mtime));
	CHECK(same_time(b.stx_mtime, a.stx_mtime));
}

TEST(rename, replaces)
{
	int fd;

	make_file("a", "new");
	make_file("b", "old");
	fd = (int)OK(open("b", O_RDONLY));
	OK(rename("a", "b"));
	STREQ(slurp("b"), "new");
	EQ(flook(fd).stx_nlink, 0);
	EQ(flook(fd).stx_size, 3);
	EQ(count_names("."), 1);
}

TEST(rename, links_of_one_file)
{
	make_file("a", "x");
	OK(link("a", "b"));
	OK(rename("a", "b"));
	/* Nothing happens: both names stay. */
	EQ(look("a").stx_nlink, 2);
	EQ(look("b").stx_nlink, 2);
	OK(rename("a", "a"));
}

TEST(rename, directory_over_directory)
{
	int fd;

	OK(mkdir("a", 0755));
	make_file("a/f", "x");
	OK(mkdir("b", 0755));
	fd = (int)OK(open("b", O_RDONLY));
	OK(rename("a", "b"));
	STREQ(slurp("b/f"), "x");
	EQ(flook(fd).stx_nlink, 0);
	OK(mkdir("c", 0755));
	FAILS(rename("c", "b"), ENOTEMPTY, EEXIST);
}

TEST(rename, kinds)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	FAILS(rename("d", "f"), ENOTDIR);
	FAILS(rename("f", "d"), EISDIR);
	FAILS(rename("f", "new/"), ENOTDIR);
	OK(rename("d", "e/"));
}

TEST(rename, errors)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	FAILS(rename("x", "y"), ENOENT);
	FAILS(rename("f", "x/y"), ENOENT);
	FAILS(rename("f/x", "y"), ENOTDIR);
	FAILS(rename("f", "f/x"), ENOTDIR);
	FAILS(rename("d", "d/e/x"), EINVAL);
	FAILS(rename("d", "d/x"), EINVAL);
	FAILS(rename("d/e", "d"), ENOTEMPTY);
	FAILS(rename(".", "x"), EBUSY, EINVAL);
	FAILS(rename("d", ".."), EBUSY, EINVAL, ENOTEMPTY);
	FAILS(rename("f", "/dev/f"), EXDEV);
	FAILS(rename("f", ""), ENOENT);
}

TEST(rename, parent_follows)
{
	int a, b;

	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/d", 0755));
	a = (int)look("a").stx_ino;
	b = (int)look("b").stx_ino;
	EQ(look("a/d/..").stx_ino, a);
	OK(rename("a/d", "b/d"));
	EQ(look("b/d/..").stx_ino, b);
	EQ(look("a").stx_nlink, 2);
	EQ(look("b").stx_nlink, 3);
}

TEST(rename, open_files_go_along)
{
	int dir, fd;

	OK(mkdir("d", 0755));
	dir = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	fd = (int)OK(openat(dir, "f", O_RDWR | O_CREAT, 0644));
	OK(rename("d", "e"));
	EQ(OK(write(fd, "abc", 3)), 3);
	OK(mkdirat(dir, "sub", 0755));
	OK(access("e/sub", F_OK));
	STREQ(slurp("e/f"), "abc");
	OK(rename("e/f", "g"));
	EQ(OK(write(fd, "def", 3)), 3);
	STREQ(slurp("g"), "abcdef");
}

TEST(rename, noreplace)
{
	make_file("a", "a");
	make_file("b", "b");
	FAILS(RENAME("a", "b", RENAME_NOREPLACE), EEXIST);
	FAILS(RENAME("a", "a", RENAME_NOREPLACE), EEXIST);
	OK(RENAME("a", "c", RENAME_NOREPLACE));
	STREQ(slurp("b"), "b");
	STREQ(slurp("c"), "a");
}

TEST(rename, refused_leaves_the_directory_where_it_is)
{
	char where[4096];

	OK(mkdir("d", 0755));
	OK(mkdir("e", 0755));
	drop_caches();
	OK(chdir("d"));
	FAILS(RENAME("../d", "../e", RENAME_NOREPLACE), EEXIST);
	CHECK(getcwd(where, sizeof(where)));
	STREQ(strrchr(where, '/'), "/d");
	OK(chdir(".."));
}

TEST(rename, exchange)
{
	uint64_t f, d;

	make_file("f", "x");
	OK(mkdir("d", 0755));
	OK(mkdir("p", 0755));
	make_file("d/inside", NULL);
	OK(rename("d", "p/d"));
	f = look("f").stx_ino;
	d = look("p/d").stx_ino;
	OK(RENAME("f", "p/d", RENAME_EXCHANGE));
	EQ(look("f").stx_ino, d);
	EQ(look("p/d").stx_ino, f);
	OK(access("f/inside", F_OK));
	STREQ(slurp("p/d"), "x");
	EQ(look("p").stx_nlink, 2);
	EQ(look("f/..").stx_ino, look(".").stx_ino);
	FAILS(RENAME("f", "nothing", RENAME_EXCHANGE), ENOENT);
}

TEST(rename, whiteout)
{
	make_file("a", "x");
	OK(RENAME("a", "b", RENAME_WHITEOUT));
	STREQ(slurp("b"), "x");
	EQ(look("a").stx_mode & S_IFMT, S_IFCHR);
	EQ(look("a").stx_rdev_major, 0);
	EQ(look("a").stx_rdev_minor, 0);
}

TEST(rename, bad_flags)
{
	make_file("a", NULL);
	FAILS(RENAME("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
	FAILS(RENAME("a", "b", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
	FAILS(RENAME("a", "b", 1 << 10), EINVAL);
	OK(access("a", F_OK));
}

TEST(rename, negative_names_are_forgotten)
{
	make_file("a", "x");
	FAILS(access("b", F_OK), ENOENT);
	OK(rename("a", "b"));
	STREQ(slurp("b"), "x");
	FAILS(access("a", F_OK), ENOENT);
	OK(rename("b", "a"));
	STREQ(slurp("a"), "x");
	FAILS(access("b", F_OK), ENOENT);
}

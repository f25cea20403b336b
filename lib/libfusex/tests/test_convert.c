// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Attributes, figures and handles from what libc gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <fusex.h>

#include "tap.h"

static void test_stat(void)
{
	struct stat st = {
		.st_mode = S_IFCHR | 0640, .st_ino = 1ull << 40,
		.st_size = 1LL << 41, .st_blocks = 1LL << 32, .st_nlink = 3,
		.st_uid = 4, .st_gid = 5, .st_rdev = makedev(259, 70000),
		.st_blksize = 8192, .st_atim = { -1, 6 },
		.st_mtim = { 1LL << 33, 999999999 }, .st_ctim = { 9, 10 },
	};
	struct fusex_attr a;

	memset(&a, 0xff, sizeof(a));
	fusex_attr_from_stat(&a, &st);
	is(a.mask, FUSEX_ATTR_REQUIRED | FUSEX_ATTR_BLOCKS |
	   FUSEX_ATTR_RDEV | FUSEX_ATTR_INO, "what stat knows");
	ok(a.mode == (S_IFCHR | 0640) && a.ino == 1ull << 40 &&
	   a.size == 1ull << 41 && a.blocks == 1ull << 32 && a.nlink == 3 &&
	   a.uid == 4 && a.gid == 5 && a.rdev_major == 259 &&
	   a.rdev_minor == 70000 && a.blksize == 8192, "numbers from stat");
	ok(a.atime.sec == -1 && a.atime.nsec == 6 &&
	   a.mtime.sec == 1LL << 33 && a.mtime.nsec == 999999999 &&
	   a.ctime.sec == 9 && a.ctime.nsec == 10 && !a.atime.reserved,
	   "times from stat");
	ok(!a.flags && !a.change && !a.reserved[2] && !a.btime.sec,
	   "the rest is zero");
}

static void test_blksize(void)
{
	static const struct { long size; uint32_t want; } cases[] = {
		{ 512, 512 }, { 256, 0 }, { 0, 0 }, { 4095, 0 },
		{ FUSEX_IO_SIZE_MAX, FUSEX_IO_SIZE_MAX },
		{ 2l * FUSEX_IO_SIZE_MAX, 0 },
	};
	struct statx stx = { 0 };
	struct stat st = { 0 };
	struct fusex_attr a, b;
	int i;

	for (i = 0; i < 6; i++) {
		st.st_blksize = cases[i].size;
		stx.stx_blksize = (uint32_t)cases[i].size;
		fusex_attr_from_stat(&a, &st);
		fusex_attr_from_statx(&b, &stx);
		ok(a.blksize == cases[i].want && b.blksize == cases[i].want,
		   "I/O size %ld", cases[i].size);
	}
}

static void test_statx(void)
{
	struct statx stx = {
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME | STATX_DIOALIGN,
		.stx_mode = S_IFREG | 04755, .stx_ino = 1, .stx_size = 2,
		.stx_blocks = 3, .stx_nlink = 4, .stx_uid = 5, .stx_gid = 6,
		.stx_btime = { .tv_sec = 7, .tv_nsec = 8 },
		.stx_mtime = { .tv_sec = 9, .tv_nsec = 10 },
		.stx_dio_mem_align = 512, .stx_dio_offset_align = 4096,
		.stx_attributes_mask = STATX_ATTR_IMMUTABLE |
				       STATX_ATTR_APPEND | STATX_ATTR_NODUMP,
		.stx_attributes = STATX_ATTR_APPEND | STATX_ATTR_NODUMP,
	};
	struct fusex_attr a;

	memset(&a, 0xff, sizeof(a));
	fusex_attr_from_statx(&a, &stx);
	is(a.mask, FUSEX_ATTR_KNOWN & ~FUSEX_ATTR_CHANGE, "what statx knows");
	ok(a.mode == (S_IFREG | 04755) && a.ino == 1 && a.size == 2 &&
	   a.blocks == 3 && a.nlink == 4 && a.uid == 5 && a.gid == 6 &&
	   a.btime.sec == 7 && a.btime.nsec == 8 && a.mtime.sec == 9 &&
	   a.dio_mem_align == 512 && a.dio_offset_align == 4096,
	   "values from statx");
	is((long long)a.flags, FS_APPEND_FL | FS_NODUMP_FL, "flags from statx");

	stx.stx_mask = STATX_TYPE | STATX_UID | STATX_ATIME | STATX_MTIME;
	stx.stx_attributes_mask = STATX_ATTR_APPEND;
	fusex_attr_from_statx(&a, &stx);
	is(a.mask, FUSEX_ATTR_RDEV, "halves of what belongs together");
	ok(!a.flags && !a.btime.sec && !a.dio_mem_align,
	   "what is not known is zero");
}

static void test_statvfs(void)
{
	struct statvfs st = {
		.f_bsize = 65536, .f_frsize = 4096, .f_blocks = 1ull << 40,
		.f_bfree = 2, .f_bavail = 3, .f_files = 5, .f_ffree = 4,
		.f_namemax = 1530,
	};
	struct fusex_statfs_out out;

	memset(&out, 0xff, sizeof(out));
	fusex_statfs_from_statvfs(&out, &st);
	ok(out.bsize == 65536 && out.frsize == 4096 &&
	   out.blocks == 1ull << 40 && out.bfree == 2 && out.bavail == 3 &&
	   out.files == 5 && out.ffree == 4 && !out.reserved, "figures");
	is(out.namelen, 255, "names are not longer than the interface allows");
	st.f_namemax = 143;
	fusex_statfs_from_statvfs(&out, &st);
	is(out.namelen, 143, "but may be shorter");
	st = (struct statvfs){ .f_blocks = 1, .f_bfree = 2, .f_bavail = 3,
			       .f_ffree = 4 };
	fusex_statfs_from_statvfs(&out, &st);
	ok(out.blocks == 1 && out.bfree == 1 && out.bavail == 1 && !out.files &&
	   !out.ffree, "no more is free than there is");
	ok(out.bsize == 4096 && out.frsize == 4096 && out.namelen == 255,
	   "figures that are missing get a value");
}

static void test_handles(void)
{
	unsigned char handle[FUSEX_HANDLE_MAX + 1] = { 1, 2, 3 };
	struct fusex_entry_reply e = { 0 };
	struct stat st, st2;
	ssize_t len;
	int dir, fd;

	is(fusex_entry_set_handle(&e, handle, 128), 0, "the largest handle");
	ok(e.entry.handle_len == 128 && !memcmp(e.handle, handle, 128),
	   "is there");
	is(fusex_entry_set_handle(&e, handle, 129), -EOVERFLOW,
	   "a handle that is too large");
	is(fusex_handle_open(0, handle, 3, O_RDONLY), -EINVAL,
	   "a file handle that is too small");
	is(fusex_handle_open(0, handle, 129, O_RDONLY), -EINVAL,
	   "a file handle that is too large");
	is(fusex_handle_encode(AT_FDCWD, "/nowhere/at/all", 0, handle),
	   -ENOENT, "the handle of nothing");

	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	len = fusex_handle_encode(dir, "", AT_EMPTY_PATH, handle);
	if (len == -EOPNOTSUPP || len == -EOVERFLOW) {
		skip("this file system has no handles");
		close(dir);
		return;
	}
	ok(len > 4 && len <= FUSEX_HANDLE_MAX, "the handle of a directory");
	fd = fusex_handle_open(dir, handle, (size_t)len,
			       O_RDONLY | O_CLOEXEC);
	if (fd == -EPERM || fd == -EOPNOTSUPP) {
		skip("opening by handle: %s", strerror(-fd));
	} else {
		ok(fd >= 0 && !fstat(fd, &st) && !fstat(dir, &st2) &&
		   st.st_ino == st2.st_ino, "opens that directory");
		close(fd);
	}
	close(dir);
}

static void test_times(void)
{
	struct timespec ts = { -5, 999999999 };
	struct fusex_time t = fusex_time_from_timespec(ts);

	ok(t.sec == -5 && t.nsec == 999999999 && !t.reserved, "a time");
	ts = fusex_time_to_timespec(t);
	ok(ts.tv_sec == -5 && ts.tv_nsec == 999999999, "and back");
}

static bool is_now(const struct fusex_time *t, const struct timespec *since)
{
	return t->sec > since->tv_sec ||
	       (t->sec == since->tv_sec && t->nsec >= since->tv_nsec);
}

static void test_new(void)
{
	struct timespec since;
	struct fusex_attr a;

	clock_gettime(CLOCK_REALTIME, &since);
	memset(&a, 0xff, sizeof(a));
	fusex_attr_new(&a, S_IFREG | 0640, 4, 5);
	is(a.mask, FUSEX_ATTR_REQUIRED | FUSEX_ATTR_BLOCKS | FUSEX_ATTR_BTIME,
	   "what a new object has");
	ok(a.mode == (S_IFREG | 0640) && a.uid == 4 && a.gid == 5 &&
	   a.nlink == 1 && !a.size && !a.blocks && !a.flags, "is as told");
	ok(is_now(&a.atime, &since) && is_now(&a.mtime, &since) &&
	   is_now(&a.ctime, &since) && is_now(&a.btime, &since),
	   "and as of now");
	fusex_attr_new(&a, S_IFDIR | 0755, 4, 5);
	is(a.nlink, 2, "a directory is linked to by itself");
}

static void test_set(void)
{
	struct fusex_setattr_in in = {
		.mode = S_IFREG | 06755, .uid = 6, .gid = 7, .size = 8,
		.atime = { .sec = 9 }, .mtime = { .sec = 10 },
		.ctime = { .sec = 11 }, .flags = FUSEX_SETATTR_WRITEBACK,
	};
	struct fusex_attr a = { .mode = S_IFREG | 0600, .ctime = { .sec = 5 } };
	struct fusex_attr before = a;
	struct timespec since;

	clock_gettime(CLOCK_REALTIME, &since);
	fusex_attr_set(&a, &in);
	ok(!memcmp(&a, &before, sizeof(a)), "nothing is to be set");
	in.flags = 0;
	fusex_attr_set(&a, &in);
	ok(is_now(&a.ctime, &since), "but when it was");
	in.valid = FUSEX_SET_MODE | FUSEX_SET_UID | FUSEX_SET_GID |
		   FUSEX_SET_SIZE | FUSEX_SET_ATIME | FUSEX_SET_MTIME |
		   FUSEX_SET_CTIME;
	fusex_attr_set(&a, &in);
	ok(a.mode == (S_IFREG | 06755) && a.uid == 6 && a.gid == 7,
	   "mode and owner");
	ok(a.atime.sec == 9 && a.mtime.sec == 10 && a.ctime.sec == 11, "times");
	is((long long)a.size, 0, "the size is not");
	in.valid = FUSEX_SET_ATIME | FUSEX_SET_ATIME_NOW | FUSEX_SET_MTIME |
		   FUSEX_SET_MTIME_NOW | FUSEX_SET_KILL_PRIV;
	fusex_attr_set(&a, &in);
	ok(is_now(&a.atime, &since) && is_now(&a.mtime, &since),
	   "the time is now");
	is(a.mode, S_IFREG | 0755, "what a write takes away");
	a.mode = S_IFREG | 06645;
	fusex_attr_set(&a, &in);
	is(a.mode, S_IFREG | 02645, "what is no privilege stays");
}

static void test_statfs_new(void)
{
	struct fusex_statfs_out out;

	memset(&out, 0xff, sizeof(out));
	fusex_statfs_new(&out, 512, 100, 60, 20, 7);
	ok(out.blocks == 100 && out.bfree == 60 && out.bavail == 60 &&
	   out.files == 20 && out.ffree == 7, "figures as they are given");
	ok(out.bsize == 512 && out.frsize == 512 &&
	   out.namelen == FUSEX_NAME_MAX, "and those that follow");
}

int main(void)
{
	test_statfs_new();
	test_stat();
	test_blksize();
	test_statx();
	test_statvfs();
	test_handles();
	test_times();
	test_new();
	test_set();
	return tap_end();
}

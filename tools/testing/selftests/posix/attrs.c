// SPDX-License-Identifier: GPL-2.0
/*
 * stat, chmod, chown, utimensat, truncate, statfs, file attributes.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>

#include "../lib/fs.h"

TEST(stat, new_file)
{
	struct statx st;
	struct timespec now;
	struct stat old;

	make_file("f", "12345");
	st = look("f");
	CHECK((st.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	EQ(st.stx_size, 5);
	EQ(st.stx_nlink, 1);
	EQ(st.stx_uid, 0);
	EQ(st.stx_gid, 0);
	EQ(st.stx_mode, S_IFREG | 0644);
	CHECK(st.stx_blksize >= 512);
	CHECK(st.stx_ino);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(st.stx_mtime.tv_sec <= now.tv_sec);
	OK(stat("f", &old));
	EQ(old.st_ino, st.stx_ino);
	EQ(old.st_size, 5);
}

TEST(stat, birth_time_stays)
{
	struct statx a, b;

	make_file("f", "x");
	a = look("f");
	if (!(a.stx_mask & STATX_BTIME))
		SKIP("the file system has no birth times");
	tick();
	make_file("f", "yy");
	OK(chmod("f", 0600));
	OK(rename("f", "g"));
	b = look("g");
	CHECK(same_time(a.stx_btime, b.stx_btime));
	CHECK(later(b.stx_ctime, b.stx_btime));
}

TEST(stat, blocks)
{
	uint64_t before;
	int fd;

	make_sized("f", 65536);
	fd = (int)OK(open("f", O_RDWR));
	OK(fsync(fd));
	before = flook(fd).stx_blocks;
	CHECK(before >= 128);
	OK(ftruncate(fd, 4096));
	OK(fsync(fd));
	CHECK(flook(fd).stx_blocks < before);
}

TEST(stat, errors)
{
	struct stat st;

	make_file("f", NULL);
	FAILS(stat("x", &st), ENOENT);
	FAILS(stat("f/x", &st), ENOTDIR);
	FAILS(stat("f/", &st), ENOTDIR);
	FAILS(stat("", &st), ENOENT);
	FAILS(fstat(-1, &st), EBADF);
	FAILS(stat("f", (void *)1), EFAULT);
}

TEST(stat, numbers_are_those_of_readdir_and_differ)
{
	make_file("a", NULL);
	make_file("b", NULL);
	OK(mkdir("c", 0755));
	CHECK(look("a").stx_ino != look("b").stx_ino);
	CHECK(look("a").stx_ino != look("c").stx_ino);
	EQ(look("c/..").stx_ino, look(".").stx_ino);
	EQ(look("c/.").stx_ino, look("c").stx_ino);
	EQ(look("a").stx_dev_minor, look("c").stx_dev_minor);
}

TEST(chmod, bits)
{
	struct statx a, b;

	make_file("f", NULL);
	OK(mkdir("d", 0755));
	for (unsigned int mode = 0; mode < 010000; mode = mode * 2 + 1) {
		OK(chmod("f", mode));
		EQ(look("f").stx_mode, S_IFREG | mode);
		OK(chmod("d", mode));
		EQ(look("d").stx_mode, S_IFDIR | mode);
	}
	a = look("f");
	tick();
	OK(chmod("f", 0600));
	b = look("f");
	CHECK(later(b.stx_ctime, a.stx_ctime));
	CHECK(same_time(b.stx_mtime, a.stx_mtime));
}

TEST(chmod, errors)
{
	make_file("f", NULL);
	FAILS(chmod("x", 0644), ENOENT);
	FAILS(chmod("f/x", 0644), ENOTDIR);
	OK(symlink("f", "l"));
	OK(chmod("l", 0600));
	EQ(look("f").stx_mode, S_IFREG | 0600);
	EQ(look("l").stx_mode, S_IFLNK | 0777);
}

TEST(chown, values)
{
	struct statx a, b;

	make_file("f", NULL);
	OK(symlink("f", "l"));
	OK(chown("f", 1000, 2000));
	a = look("f");
	EQ(a.stx_uid, 1000);
	EQ(a.stx_gid, 2000);
	OK(chown("f", -1, 3000));
	EQ(look("f").stx_uid, 1000);
	EQ(look("f").stx_gid, 3000);
	OK(chown("f", 70000, -1));
	EQ(look("f").stx_uid, 70000);
	EQ(look("f").stx_gid, 3000);
	OK(lchown("l", 5, 6));
	EQ(look("l").stx_uid, 5);
	EQ(look("l").stx_gid, 6);
	EQ(look("f").stx_uid, 70000);
	a = look("f");
	tick();
	OK(chown("f", 0, 0));
	b = look("f");
	CHECK(later(b.stx_ctime, a.stx_ctime));
	CHECK(same_time(b.stx_mtime, a.stx_mtime));
	FAILS(chown("x", 0, 0), ENOENT);
}

static void set_times(const char *path, long long a, long an, long long m,
		      long mn)
{
	struct timespec ts[2] = { { a, an }, { m, mn } };

	OK(utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW));
}

TEST(utimens, values)
{
	struct statx st, st2;

	make_file("f", NULL);
	set_times("f", 1000000000, 123456789, 2000000000, 987654321);
	st = look("f");
	EQ(st.stx_atime.tv_sec, 1000000000);
	EQ(st.stx_atime.tv_nsec, 123456789);
	EQ(st.stx_mtime.tv_sec, 2000000000);
	EQ(st.stx_mtime.tv_nsec, 987654321);
	CHECK(later(st.stx_ctime, st.stx_atime));
	set_times("f", 0, UTIME_OMIT, 5, 6);
	st2 = look("f");
	CHECK(same_time(st.stx_atime, st2.stx_atime));
	EQ(st2.stx_mtime.tv_sec, 5);
	EQ(st2.stx_mtime.tv_nsec, 6);
	set_times("f", 0, UTIME_NOW, 0, UTIME_OMIT);
	CHECK(later(look("f").stx_atime, st.stx_atime));
	EQ(look("f").stx_mtime.tv_sec, 5);
}

TEST(utimens, before_1970_and_after_2038)
{
	make_file("f", NULL);
	set_times("f", -100, 5, 1LL << 32, 0);
	EQ(look("f").stx_atime.tv_sec, -100);
	EQ(look("f").stx_atime.tv_nsec, 5);
	EQ(look("f").stx_mtime.tv_sec, 1LL << 32);
}

TEST(utimens, beyond_what_can_be_stored)
{
	struct statx a, b;

	make_file("f", NULL);
	set_times("f", -(1LL << 40), 0, 1LL << 40, 999999999);
	a = look("f");
	drop_caches();
	b = look("f");
	/* Whatever was made of it at once, not later. */
	CHECK(same_time(a.stx_atime, b.stx_atime));
	CHECK(same_time(a.stx_mtime, b.stx_mtime));
}

TEST(utimens, omit_both_changes_nothing)
{
	struct statx a, b;

	make_file("f", NULL);
	a = look("f");
	tick();
	set_times("f", 0, UTIME_OMIT, 0, UTIME_OMIT);
	b = look("f");
	CHECK(same_time(a.stx_ctime, b.stx_ctime));
}

TEST(utimens, of_a_symbolic_link_and_a_directory)
{
	OK(symlink("x", "l"));
	OK(mkdir("d", 0755));
	set_times("l", 10, 0, 20, 0);
	set_times("d", 30, 0, 40, 0);
	EQ(look("l").stx_mtime.tv_sec, 20);
	EQ(look("d").stx_mtime.tv_sec, 40);
	make_file("d/f", NULL);
	CHECK(look("d").stx_mtime.tv_sec > 40);
}

TEST(utimens, errors)
{
	struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } };

	make_file("f", NULL);
	FAILS(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
	FAILS(utimensat(AT_FDCWD, "x", NULL, 0), ENOENT);
}

TEST(times, of_writes_and_reads)
{
	struct statx a, b;
	int fd;

	make_file("f", "x");
	a = look("f");
	tick();
	fd = (int)OK(open("f", O_RDWR));
	b = flook(fd);
	CHECK(same_time(a.stx_mtime, b.stx_mtime));
	EQ(OK(write(fd, "y", 1)), 1);
	b = flook(fd);
	CHECK(later(b.stx_mtime, a.stx_mtime));
	CHECK(later(b.stx_ctime, a.stx_ctime));
	EQ(OK(write(fd, "", 0)), 0);
	CHECK(same_time(flook(fd).stx_mtime, b.stx_mtime));
}

TEST(times, are_the_same_after_the_cache_was_dropped)
{
	struct statx a, b;

	make_file("f", "x");
	set_times("f", 1111, 1, 2222, 2);
	a = look("f");
	drop_caches();
	b = look("f");
	CHECK(same_time(a.stx_atime, b.stx_atime));
	CHECK(same_time(a.stx_mtime, b.stx_mtime));
	EQ(b.stx_ino, a.stx_ino);
}

TEST(truncate, sizes)
{
	char buf[16];
	int fd;

	make_file("f", "0123456789");
	OK(truncate("f", 4));
	STREQ(slurp("f"), "0123");
	OK(truncate("f", 8));
	EQ(look("f").stx_size, 8);
	fd = (int)OK(open("f", O_RDWR));
	EQ(OK(read(fd, buf, sizeof(buf))), 8);
	CHECK(!memcmp(buf, "0123\0\0\0\0", 8));
	OK(ftruncate(fd, 0));
	EQ(flook(fd).stx_size, 0);
	OK(ftruncate(fd, 100000));
	EQ(OK(pread(fd, buf, 4, 99998)), 2);
	EQ(buf[0], 0);
}

TEST(truncate, errors)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	FAILS(truncate("f", -1), EINVAL);
	FAILS(truncate("d", 0), EISDIR);
	FAILS(truncate("x", 0), ENOENT);
	FAILS(truncate("f/x", 0), ENOTDIR);
	FAILS(truncate("f", INT64_MAX), EFBIG, EINVAL);
}

TEST(truncate, times)
{
	struct statx a, b;

	make_file("f", "abc");
	a = look("f");
	tick();
	OK(truncate("f", 1));
	b = look("f");
	CHECK(later(b.stx_mtime, a.stx_mtime));
	CHECK(later(b.stx_ctime, a.stx_ctime));
}

TEST(statfs, figures)
{
	struct statfs st;
	struct statvfs vst;

	OK(statfs(".", &st));
	OK(statvfs(".", &vst));
	CHECK(st.f_blocks > 0);
	CHECK(st.f_bavail <= st.f_blocks);
	CHECK(st.f_files > 0);
	EQ(st.f_namelen, 255);
	CHECK(st.f_bsize >= 512);
	EQ(vst.f_blocks, st.f_blocks);
	EQ(vst.f_frsize, st.f_frsize);
	FAILS(statfs("x", &st), ENOENT);
}

static int get_flags(const char *path)
{
	int fd = (int)OK(open(path, O_RDONLY)), flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
		if (errno == ENOTTY || errno == EOPNOTSUPP)
			SKIP("no file attributes here");
		FAIL("FS_IOC_GETFLAGS: %s", strerror(errno));
	}
	close(fd);
	return flags;
}

static int change_flags(const char *path, int set, int clear)
{
	int fd = (int)OK(open(path, O_RDONLY));
	int flags = (get_flags(path) | set) & ~clear;
	int ret = ioctl(fd, FS_IOC_SETFLAGS, &flags), err = errno;

	close(fd);
	errno = err;
	return ret;
}

TEST(fileattr, immutable)
{
	make_file("f", "x");
	OK(change_flags("f", FS_IMMUTABLE_FL, 0));
	CHECK(get_flags("f") & FS_IMMUTABLE_FL);
	CHECK(look("f").stx_attributes & STATX_ATTR_IMMUTABLE);
	FAILS(open("f", O_WRONLY), EPERM);
	FAILS(unlink("f"), EPERM);
	FAILS(rename("f", "g"), EPERM);
	FAILS(link("f", "g"), EPERM);
	FAILS(chmod("f", 0600), EPERM);
	OK(change_flags("f", 0, FS_IMMUTABLE_FL));
	OK(unlink("f"));
}

TEST(fileattr, append_only)
{
	int fd;

	make_file("f", "x");
	OK(change_flags("f", FS_APPEND_FL, 0));
	FAILS(open("f", O_WRONLY), EPERM);
	FAILS(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	FAILS(truncate("f", 0), EPERM);
	fd = (int)OK(open("f", O_WRONLY | O_APPEND));
	EQ(OK(write(fd, "y", 1)), 1);
	FAILS(unlink("f"), EPERM);
	OK(change_flags("f", 0, FS_APPEND_FL));
	STREQ(slurp("f"), "xy");
	fd = (int)OK(open("f", O_WRONLY));
	EQ(OK(pwrite(fd, "z", 1, 0)), 1);
	STREQ(slurp("f"), "zy");
}

TEST(fileattr, others)
{
	struct fsxattr fsx = { 0 };
	int fd;

	make_file("f", "x");
	OK(change_flags("f", FS_NODUMP_FL | FS_NOATIME_FL, 0));
	EQ(get_flags("f") & (FS_NODUMP_FL | FS_NOATIME_FL),
	   FS_NODUMP_FL | FS_NOATIME_FL);
	fd = (int)OK(open("f", O_RDONLY));
	OK(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	CHECK(fsx.fsx_xflags & FS_XFLAG_NODUMP);
	fsx.fsx_xflags &= ~FS_XFLAG_NODUMP;
	OK(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	CHECK(!(get_flags("f") & FS_NODUMP_FL));
}

TEST(fileattr, not_the_owner)
{
	make_file("f", "x");
	get_flags("f");
	as(1000, 1000);
	FAILS(change_flags("f", FS_NODUMP_FL, 0), EPERM, EACCES);
	as_root();
	OK(chown("f", 1000, 1000));
	as(1000, 1000);
	OK(change_flags("f", FS_NODUMP_FL, 0));
	FAILS(change_flags("f", FS_IMMUTABLE_FL, 0), EPERM);
}

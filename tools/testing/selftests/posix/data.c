// SPDX-License-Identifier: GPL-2.0
/*
 * Reading, writing, seeking, allocating, copying: results and errors.
 */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "../lib/fs.h"

/* Not a constant, or the compiler sees through it. */
static void *volatile nowhere = (void *)8;

static int new_file(void)
{
	return (int)OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
}

TEST(write, positions)
{
	char buf[16] = { 0 };
	int fd = new_file();

	EQ(OK(write(fd, "abc", 3)), 3);
	EQ(OK(lseek(fd, 0, SEEK_CUR)), 3);
	EQ(OK(pwrite(fd, "X", 1, 1)), 1);
	EQ(OK(lseek(fd, 0, SEEK_CUR)), 3);
	EQ(OK(lseek(fd, 5, SEEK_SET)), 5);
	EQ(OK(write(fd, "d", 1)), 1);
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), 6);
	CHECK(!memcmp(buf, "aXc\0\0d", 6));
	EQ(OK(lseek(fd, -1, SEEK_END)), 5);
	EQ(OK(read(fd, buf, 10)), 1);
	EQ(OK(read(fd, buf, 10)), 0);
	EQ(OK(pread(fd, buf, 10, 1000)), 0);
}

TEST(write, errors)
{
	int fd = new_file(), dir;

	FAILS(pwrite(fd, "x", 1, -1), EINVAL);
	FAILS(pread(fd, &fd, 1, -1), EINVAL);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd, 0, 99), EINVAL);
	FAILS(write(fd, nowhere, 1), EFAULT);
	EQ(flook(fd).stx_size, 0);
	EQ(OK(write(fd, "x", 1)), 1);
	FAILS(pread(fd, nowhere, 1, 0), EFAULT);
	dir = (int)OK(open(".", O_RDONLY));
	FAILS(read(dir, &dir, 1), EISDIR);
	FAILS(write(dir, "x", 1), EBADF);
}

TEST(write, vectors)
{
	char a[4], b[4];
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
	struct iovec in[2] = { { a, 2 }, { b, 4 } };
	int fd = new_file();

	EQ(OK(writev(fd, out, 3)), 5);
	EQ(OK(preadv(fd, in, 2, 1)), 4);
	CHECK(!memcmp(a, "bc", 2) && !memcmp(b, "de", 2));
	EQ(OK(pwritev2(fd, out, 3, 100, 0)), 5);
	EQ(flook(fd).stx_size, 105);
}

TEST(write, append)
{
	char buf[16];
	int a, b;

	make_file("f", "12");
	a = (int)OK(open("f", O_WRONLY | O_APPEND));
	b = (int)OK(open("f", O_RDWR | O_APPEND));
	EQ(OK(write(a, "34", 2)), 2);
	EQ(OK(write(b, "56", 2)), 2);
	EQ(OK(lseek(b, 0, SEEK_CUR)), 6);
	EQ(OK(pwrite(a, "78", 2, 0)), 2);
	EQ(OK(pread(b, buf, sizeof(buf), 0)), 8);
	CHECK(!memcmp(buf, "12345678", 8));
	OK(ftruncate(b, 1));
	EQ(OK(write(a, "z", 1)), 1);
	STREQ(slurp("f"), "1z");
}

TEST(write, file_size_limit)
{
	struct rlimit rl = { 100, RLIM_INFINITY };
	char buf[200] = { 0 };
	int fd = new_file();

	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &rl));
	EQ(OK(write(fd, buf, 80)), 80);
	EQ(OK(write(fd, buf, 80)), 20);
	FAILS(write(fd, buf, 1), EFBIG);
	FAILS(pwrite(fd, buf, 1, 5000), EFBIG);
	FAILS(ftruncate(fd, 101), EFBIG);
	if (fallocate(fd, 0, 0, 200) == 0 || errno != EOPNOTSUPP)
		FAILS(fallocate(fd, 0, 0, 200), EFBIG);
	EQ(flook(fd).stx_size, 100);
	OK(ftruncate(fd, 50));
}

TEST(write, file_size_limit_signal)
{
	struct rlimit rl = { 10, RLIM_INFINITY };
	int pid = (int)OK(fork());

	if (!pid) {
		int fd = new_file();

		setrlimit(RLIMIT_FSIZE, &rl);
		_exit(pwrite(fd, "x", 1, 10) != 0);
	}
	EQ(WAIT(pid), 128 + SIGXFSZ);
}

TEST(write, past_4_GiB)
{
	static const off_t at[] = { 0x7ffffffeLL, 0xfffffffeLL, 0x100000000LL,
				    0x1ffffffffLL, 0x3200000001LL };
	char buf[8];
	int fd = new_file();

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		EQ(OK(pwrite(fd, "abcd", 4, at[i])), 4);
		EQ(flook(fd).stx_size, at[i] + 4);
		EQ(OK(pread(fd, buf, 8, at[i])), 4);
		CHECK(!memcmp(buf, "abcd", 4));
		EQ(OK(lseek(fd, 0, SEEK_END)), at[i] + 4);
	}
	EQ(OK(pread(fd, buf, 4, 0x80000000LL)), 4);
	CHECK(!memcmp(buf, "cd\0\0", 4));
	OK(ftruncate(fd, 0x100000001LL));
	EQ(OK(pread(fd, buf, 8, 0xfffffffeLL)), 3);
	CHECK(!memcmp(buf, "aba", 3));
	CHECK(flook(fd).stx_blocks < 1000);
}

TEST(write, largest_size)
{
	int fd = new_file();
	off_t lo = 1, hi = INT64_MAX;

	/* The largest size that can be set. */
	while (lo < hi) {
		off_t mid = lo + (hi - lo) / 2 + 1;

		if (!ftruncate(fd, mid)) {
			lo = mid;
		} else {
			if (errno != EFBIG && errno != EINVAL)
				FAIL("ftruncate %lld: %s", (long long)mid,
				     strerror(errno));
			hi = mid - 1;
		}
	}
	OK(ftruncate(fd, lo));
	EQ(flook(fd).stx_size, lo);
	CHECK(lo >= 1LL << 40);
	signal(SIGXFSZ, SIG_IGN);
	FAILS(pwrite(fd, "x", 1, lo), EFBIG);
	EQ(flook(fd).stx_size, lo);
	OK(ftruncate(fd, 0));
}

TEST(rwf, flags)
{
	struct iovec iov = { "abc", 3 };
	char buf[8];
	struct iovec in = { buf, 8 };
	int fd = new_file();

	EQ(OK(pwritev2(fd, &iov, 1, 0, RWF_DSYNC)), 3);
	EQ(OK(pwritev2(fd, &iov, 1, 3, RWF_SYNC)), 3);
	EQ(OK(pwritev2(fd, &iov, 1, 0, RWF_APPEND)), 3);
	EQ(flook(fd).stx_size, 9);
	EQ(OK(pwritev2(fd, &iov, 1, -1, 0)), 3);
	EQ(OK(lseek(fd, 0, SEEK_CUR)), 3);
	EQ(OK(preadv2(fd, &in, 1, 0, RWF_HIPRI)), 8);
	CHECK(!memcmp(buf, "abcabcab", 8));
	if (preadv2(fd, &in, 1, 0, RWF_NOWAIT) < 0)
		CHECK(errno == EAGAIN || errno == EOPNOTSUPP);
	FAILS(pwritev2(fd, &iov, 1, 0, 1 << 30), EOPNOTSUPP, EINVAL);
}

TEST(rwf, noappend)
{
#ifdef RWF_NOAPPEND
	struct iovec iov = { "X", 1 };
	int fd;

	make_file("f", "abc");
	fd = (int)OK(open("f", O_WRONLY | O_APPEND));
	EQ(OK(pwritev2(fd, &iov, 1, 1, RWF_NOAPPEND)), 1);
	STREQ(slurp("f"), "aXc");
#else
	SKIP("the C library does not know RWF_NOAPPEND");
#endif
}

TEST(sync, kinds)
{
	int fd = new_file(), dir = (int)OK(open(".", O_RDONLY));

	EQ(OK(write(fd, "x", 1)), 1);
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(fsync(dir));
	OK(syncfs(fd));
	OK(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER));
	fd = (int)OK(open("s", O_WRONLY | O_CREAT | O_SYNC, 0644));
	EQ(OK(write(fd, "x", 1)), 1);
	fd = (int)OK(open("s", O_WRONLY | O_DSYNC));
	EQ(OK(write(fd, "y", 1)), 1);
	FAILS(fsync(-1), EBADF);
}

static int alloc_or_skip(int fd, int mode, off_t at, off_t len)
{
	int ret = fallocate(fd, mode, at, len);

	if (ret && errno == EOPNOTSUPP)
		SKIP("the file system has no such fallocate mode");
	return ret;
}

TEST(fallocate, allocate)
{
	struct statx a, b;
	int fd = new_file();

	a = flook(fd);
	tick();
	OK(alloc_or_skip(fd, 0, 0, 100000));
	b = flook(fd);
	EQ(b.stx_size, 100000);
	CHECK(b.stx_blocks >= 192);
	CHECK(later(b.stx_ctime, a.stx_ctime));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 100000, 100000));
	EQ(flook(fd).stx_size, 100000);
	FAILS(fallocate(fd, 0, -1, 10), EINVAL);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fallocate(fd, 1 << 30, 0, 1), EOPNOTSUPP);
	FAILS(fallocate(fd, 0, INT64_MAX - 1, 100), EFBIG);
}

TEST(fallocate, punch)
{
	static char buf[65536];
	int fd;

	make_sized("f", sizeof(buf));
	fd = (int)OK(open("f", O_RDWR));
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), sizeof(buf));
	OK(alloc_or_skip(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000,
			 20000));
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), sizeof(buf));
	check_pattern(buf, 5000, 0, 0);
	for (int i = 5000; i < 25000; i++)
		EQ(buf[i], 0);
	check_pattern(buf + 25000, sizeof(buf) - 25000, 25000, 0);
	EQ(flook(fd).stx_size, sizeof(buf));
	FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
}

TEST(fallocate, zero_range)
{
	static char buf[65536];
	int fd;

	make_sized("f", sizeof(buf));
	fd = (int)OK(open("f", O_RDWR));
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), sizeof(buf));
	OK(alloc_or_skip(fd, FALLOC_FL_ZERO_RANGE, 10000, 20000));
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), sizeof(buf));
	check_pattern(buf, 10000, 0, 0);
	for (int i = 10000; i < 30000; i++)
		EQ(buf[i], 0);
	check_pattern(buf + 30000, 30000, 30000, 0);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 60000, 10000));
	EQ(flook(fd).stx_size, 70000);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 70000,
		     10000));
	EQ(flook(fd).stx_size, 70000);
}

TEST(fallocate, collapse_and_insert)
{
	static char buf[65536];
	int fd, size = sizeof(buf);

	make_sized("f", sizeof(buf));
	fd = (int)OK(open("f", O_RDWR));
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), size);
	OK(alloc_or_skip(fd, FALLOC_FL_COLLAPSE_RANGE, 8192, 16384));
	EQ(flook(fd).stx_size, size - 16384);
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), size - 16384);
	check_pattern(buf, 8192, 0, 0);
	check_pattern(buf + 8192, 32768, 8192 + 16384, 0);
	OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 4096));
	EQ(flook(fd).stx_size, size - 12288);
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), size - 12288);
	check_pattern(buf, 4096, 0, 0);
	for (int i = 4096; i < 8192; i++)
		EQ(buf[i], 0);
	check_pattern(buf + 8192, 4096, 4096, 0);
	FAILS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 10), EINVAL);
	FAILS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 1 << 20), EINVAL);
}

TEST(lseek, data_and_hole)
{
	int fd = new_file();

	EQ(OK(pwrite(fd, "x", 1, 1 << 20)), 1);
	EQ(OK(fsync(fd)), 0);
	EQ(OK(lseek(fd, 0, SEEK_HOLE)), 0);
	EQ(OK(lseek(fd, 0, SEEK_DATA)), 1 << 20);
	EQ(OK(lseek(fd, 1 << 20, SEEK_HOLE)), (1 << 20) + 1);
	FAILS(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 2 << 20, SEEK_HOLE), ENXIO);
	FAILS(lseek(fd, -1, SEEK_DATA), ENXIO, EINVAL);
}

TEST(copy, file_range)
{
	static char buf[200000];
	off_t in = 100, out = 50;
	int a, b, n = 150000;

	make_sized("a", sizeof(buf));
	a = (int)OK(open("a", O_RDONLY));
	b = (int)OK(open("b", O_RDWR | O_CREAT, 0644));
	while (n)
		n -= (int)OK(copy_file_range(a, &in, b, &out, n, 0));
	EQ(in, 150100);
	EQ(out, 150050);
	EQ(flook(b).stx_size, 150050);
	EQ(OK(pread(b, buf, sizeof(buf), 0)), 150050);
	EQ(buf[49], 0);
	check_pattern(buf + 50, 150000, 100, 0);
	EQ(OK(copy_file_range(a, &(off_t){ 300000 }, b, NULL, 10, 0)), 0);
	FAILS(copy_file_range(a, NULL, b, NULL, 1, 1), EINVAL);
	FAILS(copy_file_range(b, &(off_t){ 0 }, b, &(off_t){ 5 }, 100, 0),
	      EINVAL);
	FAILS(copy_file_range(b, NULL, a, NULL, 1, 0), EBADF);
}

TEST(copy, clone)
{
	int a, b;

	make_sized("a", 8192);
	a = (int)OK(open("a", O_RDONLY));
	b = (int)OK(open("b", O_RDWR | O_CREAT, 0644));
	if (ioctl(b, FICLONE, a)) {
		CHECK(errno == EOPNOTSUPP || errno == EINVAL ||
		      errno == ENOTTY);
		EQ(flook(b).stx_size, 0);
		SKIP("the file system below shares no blocks");
	}
	EQ(flook(b).stx_size, 8192);
}

TEST(ioctl, unknown)
{
	int fd = new_file(), x = 0;

	FAILS(ioctl(fd, _IOR('z', 200, int), &x), ENOTTY);
	FAILS(ioctl(fd, _IO('z', 201)), ENOTTY);
}

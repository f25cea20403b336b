// SPDX-License-Identifier: GPL-2.0
/*
 * Errors of the server reach the program that has to know.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "server.h"

static const struct srv_options remote = { .attr_mode = FUSEX_ATTR_REMOTE };
static const struct srv_options local = { .attr_mode = FUSEX_ATTR_LOCAL };

static void fsync_error(const struct srv_options *o)
{
	int fd;

	srv_start(o);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(write(fd, "y", 1)), 1);
	srv->fail[FUSEX_OP_FSYNC] = EDQUOT;
	FAILS(fsync(fd), EDQUOT);
	FAILS(fdatasync(fd), EDQUOT);
	srv->fail[FUSEX_OP_FSYNC] = 0;
	OK(fsync(fd));
	CHECK(srv_calls(FUSEX_OP_FSYNC) >= 3);
	close(fd);
	fd = (int)OK(open("m", O_RDONLY));
	srv->fail[FUSEX_OP_FSYNC] = EIO;
	FAILS(fsync(fd), EIO);
	srv->fail[FUSEX_OP_FSYNC] = 0;
	close(fd);
	srv_stop();
}

TEST(fsync, error_local)
{
	fsync_error(&local);
}

TEST(fsync, error_remote)
{
	fsync_error(&remote);
}

TEST(fsync, osync_write)
{
	int fd;

	srv_start(&local);
	file("f", "x");
	fd = (int)OK(open("m/f", O_WRONLY | O_DSYNC));
	EQ(OK(write(fd, "y", 1)), 1);
	/* Either the WRITE says so or an FSYNC follows. */
	CHECK((srv->last_write.flags & O_DSYNC) || srv_calls(FUSEX_OP_FSYNC));
	close(fd);
	srv_stop();
}

TEST(syncfs, error)
{
	int fd;

	srv_start(&local);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	OK(syncfs(fd));
	CHECK(srv_calls(FUSEX_OP_SYNCFS) == 1);
	srv->fail[FUSEX_OP_SYNCFS] = ENOSPC;
	FAILS(syncfs(fd), ENOSPC);
	srv->fail[FUSEX_OP_SYNCFS] = 0;
	OK(syncfs(fd));
	srv_reset();
	sync();
	CHECK(srv_calls(FUSEX_OP_SYNCFS) > 0);
	close(fd);
	srv_stop();
}

TEST(syncfs, umount_reaches_the_server)
{
	srv_start(&local);
	file("f", "x");
	look("m/f");
	srv_reset();
	srv_stop();
	EQ(srv_calls(FUSEX_OP_SYNCFS), 1);
}

TEST(close, error_of_flush)
{
	int fd, copy;

	srv_start(&remote);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	copy = (int)OK(dup(fd));
	srv->fail[FUSEX_OP_FLUSH] = EDQUOT;
	FAILS(close(fd), EDQUOT);
	srv->fail[FUSEX_OP_FLUSH] = 0;
	OK(close(copy));
	EQ(srv_calls(FUSEX_OP_FLUSH), 2);
	srv_stop();
}

static void write_error(const struct srv_options *o)
{
	char buf[8];
	int fd;

	srv_start(o);
	file("f", "abc");
	fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(pread(fd, buf, 8, 0)), 3);
	srv->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(pwrite(fd, "XYZ", 3, 0), ENOSPC);
	FAILS(pwrite(fd, "XYZ", 3, 100), ENOSPC);
	srv->fail[FUSEX_OP_WRITE] = 0;
	/* The cache does not claim what the server did not take. */
	EQ(flook(fd).stx_size, 3);
	EQ(OK(pread(fd, buf, 8, 0)), 3);
	CHECK(!memcmp(buf, "abc", 3));
	EQ(OK(pwrite(fd, "X", 1, 0)), 1);
	close(fd);
	srv_stop();
}

TEST(write, error_local)
{
	write_error(&local);
}

TEST(write, error_remote)
{
	write_error(&remote);
}

static void read_error(const struct srv_options *o)
{
	char buf[8];
	int fd;

	srv_start(o);
	file("f", "abc");
	fd = (int)OK(open("m/f", O_RDONLY));
	srv->fail[FUSEX_OP_READ] = ENODATA;
	FAILS(read(fd, buf, 8), EIO, ENODATA);
	srv->fail[FUSEX_OP_READ] = 0;
	EQ(OK(read(fd, buf, 8)), 3);
	close(fd);
	srv_stop();
}

TEST(read, error_local)
{
	read_error(&local);
}

TEST(read, error_remote)
{
	read_error(&remote);
}

static sigjmp_buf on_bus;

static void bus(int sig)
{
	(void)sig;
	siglongjmp(on_bus, 1);
}

TEST(mmap, read_error_is_sigbus)
{
	volatile char *map;
	int fd;

	srv_start(&local);
	file("f", "abc");
	fd = (int)OK(open("m/f", O_RDONLY));
	srv->fail[FUSEX_OP_READ] = EIO;
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	signal(SIGBUS, bus);
	if (!sigsetjmp(on_bus, 1)) {
		(void)map[0];
		FAIL("reading the mapping worked");
	}
	srv->fail[FUSEX_OP_READ] = 0;
	EQ(map[0], 'a');
	munmap((void *)map, 4096);
	close(fd);
	srv_stop();
}

static void writeback_error(const struct srv_options *o)
{
	volatile char *map;
	int a, b;

	srv_start(o);
	file("f", "abc");
	a = (int)OK(open("m/f", O_RDWR));
	b = (int)OK(open("m/f", O_RDWR));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, a, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 'X';
	srv->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(fsync(a), ENOSPC, EIO);
	srv->fail[FUSEX_OP_WRITE] = 0;
	/* Once for each open file. */
	OK(fsync(a));
	FAILS(fsync(b), ENOSPC, EIO);
	OK(fsync(b));
	munmap((void *)map, 4096);
	close(a);
	close(b);
	srv_stop();
}

TEST(mmap, write_error_once_per_file_local)
{
	writeback_error(&local);
}

TEST(mmap, write_error_once_per_file_remote)
{
	writeback_error(&remote);
}

static void names(const struct srv_options *o)
{
	struct stat st;

	srv_start(o);
	file("f", "abc");
	srv->fail[FUSEX_OP_LOOKUP] = EREMOTEIO;
	FAILS(stat("m/f", &st), EREMOTEIO);
	srv->fail[FUSEX_OP_LOOKUP] = 0;
	OK(stat("m/f", &st));
	srv->fail[FUSEX_OP_UNLINK] = EBUSY;
	FAILS(unlink("m/f"), EBUSY);
	OK(stat("m/f", &st));
	srv->fail[FUSEX_OP_RENAME] = EXDEV;
	FAILS(rename("m/f", "m/g"), EXDEV);
	OK(stat("m/f", &st));
	FAILS(stat("m/g", &st), ENOENT);
	srv->fail[FUSEX_OP_CREATE] = EDQUOT;
	FAILS(open("m/new", O_RDWR | O_CREAT, 0644), EDQUOT);
	FAILS(stat("m/new", &st), ENOENT);
	srv->fail[FUSEX_OP_MKDIR] = EMLINK;
	FAILS(mkdir("m/d", 0755), EMLINK);
	srv->fail[FUSEX_OP_SETATTR] = EROFS;
	FAILS(chmod("m/f", 0600), EROFS);
	EQ(look("m/f").stx_mode, S_IFREG | 0644);
	FAILS(truncate("m/f", 1), EROFS);
	EQ(look("m/f").stx_size, 3);
	srv->fail[FUSEX_OP_OPEN] = EMFILE;
	FAILS(open("m/f", O_RDONLY), EMFILE);
	memset(srv->fail, 0, sizeof(srv->fail));
	STREQ(slurp("m/f"), "abc");
	srv_stop();
}

TEST(names, errors_local)
{
	names(&local);
}

TEST(names, errors_remote)
{
	names(&remote);
}

/* A server that has next to nothing: what falls back, what fails, and how. */
TEST(enosys, falls_back)
{
	struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE,
		.without = WITHOUT(OPEN) | WITHOUT(RELEASE) | WITHOUT(FLUSH) |
			WITHOUT(FSYNC) | WITHOUT(LSEEK) | WITHOUT(SYNCFS) |
			WITHOUT(FALLOCATE) | WITHOUT(GETXATTR) |
			WITHOUT(IOCTL) | WITHOUT(POLL) | WITHOUT(STATFS) |
			WITHOUT(GETLK) | WITHOUT(SETLK),
	};
	char buf[8];
	int fd, x = 0;

	srv_start(&o);
	file("f", "abc");
	fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(read(fd, buf, 8)), 3);
	EQ(OK(pwrite(fd, "X", 1, 0)), 1);
	OK(fsync(fd));
	OK(syncfs(fd));
	EQ(OK(lseek(fd, 0, SEEK_DATA)), 0);
	EQ(OK(lseek(fd, 0, SEEK_HOLE)), 3);
	FAILS(fallocate(fd, 0, 0, 10), EOPNOTSUPP);
	FAILS(fgetxattr(fd, "user.a", buf, 8), EOPNOTSUPP);
	FAILS(ioctl(fd, _IOR('s', 1, int), &x), ENOTTY);
	OK(close(fd));
	srv_stop();
}

TEST(enosys, is_remembered)
{
	char buf[8];
	int fd;

	srv_start(&remote);
	file("f", "abc");
	fd = (int)OK(open("m/f", O_RDWR));
	srv->fail[FUSEX_OP_GETXATTR] = ENOSYS;
	FAILS(fgetxattr(fd, "user.a", buf, 8), EOPNOTSUPP);
	FAILS(fgetxattr(fd, "user.b", buf, 8), EOPNOTSUPP);
	EQ(srv_calls(FUSEX_OP_GETXATTR), 1);
	srv->fail[FUSEX_OP_FSYNC] = ENOSYS;
	OK(fsync(fd));
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_FSYNC), 1);
	close(fd);
	srv_stop();
}

TEST(deadline, passes)
{
	struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE, .timeout_ms = 300,
		.features = FUSEX_F_POSIX_LOCKS,
	};
	struct flock fl = { .l_type = F_WRLCK };
	int fd;

	srv_start(&o);
	file("f", "abc");
	fd = (int)OK(open("m/f", O_RDWR));
	srv->lock_held = 1;
	/* A wait for a lock has none, all else has; see the raw tests. */
	EQ(flook(fd).stx_size, 3);
	FAILS(fcntl(fd, F_SETLK, &fl), EAGAIN);
	srv->lock_held = 0;
	close(fd);
	srv_stop();
}

static void read_only(const struct srv_options *o)
{
	struct srv_options ro = *o;

	ro.mount = "ro";
	srv_start(&ro);
	file("f", "abc");
	FAILS(open("m/f", O_RDWR), EROFS);
	FAILS(open("m/g", O_RDWR | O_CREAT, 0644), EROFS);
	FAILS(mkdir("m/g", 0755), EROFS);
	FAILS(unlink("m/f"), EROFS);
	FAILS(chmod("m/f", 0600), EROFS);
	FAILS(truncate("m/f", 0), EROFS);
	FAILS(rename("m/f", "m/g"), EROFS);
	STREQ(slurp("m/f"), "abc");
	EQ(srv_calls(FUSEX_OP_CREATE), 0);
	EQ(srv_calls(FUSEX_OP_UNLINK), 0);
	EQ(srv_calls(FUSEX_OP_SETATTR), 0);
	srv_stop();
}

TEST(readonly, mount_local)
{
	read_only(&local);
}

TEST(readonly, mount_remote)
{
	read_only(&remote);
}

TEST(readonly, remount)
{
	srv_start(&local);
	file("f", "abc");
	OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(open("m/f", O_RDWR), EROFS);
	OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	make_file("m/f", "new");
	STREQ(slurp("m/f"), "new");
	srv_stop();
}

/* ------------------------------------------------- names that are there already */

/* Nobody has looked any of them up when they are to be made. */
static void exists(const struct srv_options *o)
{
	srv_start(o);
	file("f", "abc");
	file("excl", "abc");
	file("link", "abc");
	file("symlink", "abc");
	srv_add(SRV_ROOT, "dir", S_IFDIR | 0755, NULL);
}

/* A server that makes no files has some all the same. */
BOTH(existing, is_opened_where_nothing_is_made)
{
	struct srv_options o = {
		.attr_mode = attr,
		.without = WITHOUT(CREATE) | WITHOUT(MKNOD) | WITHOUT(MKDIR) |
			   WITHOUT(SYMLINK) | WITHOUT(LINK),
	};

	exists(&o);
	close((int)OK(open("m/f", O_CREAT | O_RDWR, 0644)));
	FAILS(open("m/excl", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	FAILS(open("m/new", O_CREAT | O_RDWR, 0644), EPERM);
	FAILS(mkdir("m/dir", 0755), EEXIST);
	FAILS(mkdir("m/newdir", 0755), EPERM);
	FAILS(symlink("x", "m/symlink"), EEXIST);
	FAILS(symlink("x", "m/newlink"), EPERM);
	FAILS(link("m/f", "m/link"), EEXIST);
	FAILS(link("m/f", "m/another"), EPERM);
	srv_stop();
}

BOTH(existing, is_opened_where_there_is_no_room)
{
	struct srv_options o = { .attr_mode = attr };

	exists(&o);
	srv->fail[FUSEX_OP_CREATE] = ENOSPC;
	srv->fail[FUSEX_OP_MKDIR] = EROFS;
	close((int)OK(open("m/f", O_CREAT | O_WRONLY, 0644)));
	FAILS(open("m/new", O_CREAT | O_RDWR, 0644), ENOSPC);
	FAILS(mkdir("m/dir", 0755), EEXIST);
	FAILS(mkdir("m/newdir", 0755), EROFS);
	srv_stop();
}

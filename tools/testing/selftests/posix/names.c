// SPDX-License-Identifier: GPL-2.0
/*
 * open, mkdir, rmdir, unlink, link, symlink, mknod, O_TMPFILE.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../lib/fs.h"

static const char *long_name(int len)
{
	static char names[2][600];
	char *name = names[len & 1];

	memset(name, 'n', len);
	name[len] = 0;
	return name;
}

TEST(open, missing)
{
	FAILS(open("a", O_RDONLY), ENOENT);
	FAILS(open("", O_RDONLY), ENOENT);
	FAILS(open("d/a", O_RDWR | O_CREAT, 0644), ENOENT);
	OK(symlink("nowhere", "l"));
	FAILS(open("l", O_RDONLY), ENOENT);
}

TEST(open, through_a_file)
{
	make_file("f", "x");
	FAILS(open("f/a", O_RDONLY), ENOTDIR);
	FAILS(open("f/a", O_RDWR | O_CREAT, 0644), ENOTDIR);
	FAILS(open("f/", O_RDONLY), ENOTDIR);
	FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
}

TEST(open, excl)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	OK(symlink("nowhere", "l"));
	FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILS(open("d", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILS(open("l", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	OK(open("new", O_RDWR | O_CREAT | O_EXCL, 0644));
	FAILS(open("new", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
}

TEST(open, creat_through_a_dangling_link)
{
	OK(symlink("target", "l"));
	OK(open("l", O_RDWR | O_CREAT, 0644));
	EQ(look("target").stx_mode, S_IFREG | 0644);
}

TEST(open, directory_for_writing)
{
	OK(mkdir("d", 0755));
	FAILS(open("d", O_WRONLY), EISDIR);
	FAILS(open("d", O_RDWR), EISDIR);
	FAILS(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	FAILS(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
	OK(open("d", O_RDONLY | O_DIRECTORY));
}

TEST(open, links)
{
	make_file("f", "x");
	OK(symlink("f", "l"));
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	FAILS(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	OK(open("l", O_PATH | O_NOFOLLOW));
	FAILS(open("loop1", O_RDONLY), ELOOP);
	OK(open("l", O_RDONLY));
}

TEST(open, name_length)
{
	OK(open(long_name(255), O_RDWR | O_CREAT, 0644));
	OK(access(long_name(255), F_OK));
	FAILS(open(long_name(256), O_RDONLY), ENAMETOOLONG);
	FAILS(open(long_name(256), O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	FAILS(mkdir(long_name(256), 0755), ENAMETOOLONG);
	FAILS(symlink("x", long_name(256)), ENAMETOOLONG);
	FAILS(rename(long_name(255), long_name(256)), ENAMETOOLONG);
	OK(unlink(long_name(255)));
}

TEST(open, names_of_any_bytes)
{
	static const char *const names[] = {
		"new\nline", " ", "\\", "\xff\xfe", "\xc3\xa4", "-", "...",
		"\"quoted\"", "*",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		make_file(names[i], names[i]);
		CHECK(has_name(".", names[i]));
	}
	EQ(count_names("."), ARRAY_SIZE(names));
	drop_caches();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		STREQ(slurp(names[i]), names[i]);
}

TEST(open, trunc)
{
	struct statx a, b;

	make_file("f", "some text");
	a = look("f");
	tick();
	OK(open("f", O_WRONLY | O_TRUNC));
	b = look("f");
	EQ(b.stx_size, 0);
	CHECK(later(b.stx_mtime, a.stx_mtime));
	CHECK(later(b.stx_ctime, a.stx_ctime));
}

TEST(open, mode_and_umask)
{
	umask(027);
	OK(open("a", O_RDWR | O_CREAT, 0666));
	OK(mkdir("d", 0777));
	umask(0);
	OK(open("b", O_RDWR | O_CREAT, 0666));
	OK(open("c", O_RDWR | O_CREAT, 06755));
	OK(mkdir("e", 01777));
	EQ(look("a").stx_mode, S_IFREG | 0640);
	EQ(look("d").stx_mode, S_IFDIR | 0750);
	EQ(look("b").stx_mode, S_IFREG | 0666);
	EQ(look("c").stx_mode, S_IFREG | 06755);
	EQ(look("e").stx_mode, S_IFDIR | 01777);
}

TEST(open, readonly_mode_with_write_descriptor)
{
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0));

	EQ(OK(write(fd, "abc", 3)), 3);
	EQ(flook(fd).stx_size, 3);
	EQ(flook(fd).stx_mode, S_IFREG);
}

TEST(open, access_modes)
{
	char c;
	int fd;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDONLY));
	FAILS(write(fd, "y", 1), EBADF);
	FAILS(ftruncate(fd, 0), EINVAL, EBADF);
	fd = (int)OK(open("f", O_WRONLY));
	FAILS(read(fd, &c, 1), EBADF);
	fd = (int)OK(open("f", O_PATH));
	FAILS(read(fd, &c, 1), EBADF);
	FAILS(write(fd, "y", 1), EBADF);
	STREQ(slurp("f"), "x");
}

TEST(open, fifo)
{
	int fd;

	OK(mkfifo("p", 0644));
	FAILS(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	fd = (int)OK(open("p", O_RDWR | O_NONBLOCK));
	EQ(OK(write(fd, "x", 1)), 1);
	EQ(look("p").stx_mode, S_IFIFO | 0644);
}

TEST(open, running_program)
{
	int pid, fd, gate[2];
	char buf[65536];
	ssize_t n;
	int in = (int)OK(open("/bin/sleep", O_RDONLY));
	int out = (int)OK(open("prog", O_WRONLY | O_CREAT, 0755));

	while ((n = OK(read(in, buf, sizeof(buf)))) > 0)
		EQ(OK(write(out, buf, n)), n);
	OK(close(out));
	OK(pipe2(gate, O_CLOEXEC));
	pid = (int)OK(fork());
	if (!pid) {
		execl("./prog", "prog", "1000", NULL);
		_exit(1);
	}
	OK(close(gate[1]));
	/* The end of the pipe goes when the program runs. */
	EQ(OK(read(gate[0], buf, 1)), 0);
	FAILS(open("prog", O_WRONLY), ETXTBSY);
	OK(open("prog", O_RDONLY));
	OK(kill(pid, SIGKILL));
	WAIT(pid);
	fd = (int)OK(open("prog", O_WRONLY));
	OK(close(fd));
}

TEST(mkdir, errors)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	OK(symlink("nowhere", "l"));
	FAILS(mkdir("d", 0755), EEXIST);
	FAILS(mkdir("f", 0755), EEXIST);
	FAILS(mkdir("l", 0755), EEXIST);
	FAILS(mkdir(".", 0755), EEXIST);
	FAILS(mkdir("x/y", 0755), ENOENT);
	FAILS(mkdir("f/y", 0755), ENOTDIR);
	OK(mkdir("slash/", 0755));
}

TEST(mkdir, links_of_parent)
{
	unsigned int n;

	OK(mkdir("p", 0755));
	n = look("p").stx_nlink;
	EQ(n, 2);
	OK(mkdir("p/a", 0755));
	OK(mkdir("p/b", 0755));
	EQ(look("p").stx_nlink, 4);
	OK(rmdir("p/a"));
	EQ(look("p").stx_nlink, 3);
	OK(rename("p/b", "b"));
	EQ(look("p").stx_nlink, 2);
	EQ(look("b").stx_nlink, 2);
	OK(mkdir("p/c", 0755));
	OK(rename("b", "p/c"));
	EQ(look("p").stx_nlink, 3);
}

TEST(rmdir, errors)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	make_file("d/f", NULL);
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(rmdir("f"), ENOTDIR);
	FAILS(rmdir("f/x"), ENOTDIR);
	FAILS(rmdir("x"), ENOENT);
	FAILS(rmdir("."), EINVAL);
	FAILS(rmdir("d/.."), ENOTEMPTY);
	OK(unlink("d/f"));
	OK(rmdir("d"));
	FAILS(rmdir("d"), ENOENT);
}

TEST(rmdir, while_open)
{
	int fd;

	OK(mkdir("d", 0755));
	fd = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(rmdir("d"));
	EQ(flook(fd).stx_nlink, 0);
	FAILS(openat(fd, "a", O_RDWR | O_CREAT, 0644), ENOENT);
	FAILS(mkdirat(fd, "a", 0755), ENOENT);
	FAILS(openat(fd, "..", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	OK(mkdir("d", 0755));
	OK(fsync(fd));
}

TEST(rmdir, current_directory)
{
	char buf[4096];

	OK(mkdir("d", 0755));
	OK(chdir("d"));
	OK(rmdir("../d"));
	FAILS(open("a", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK(!getcwd(buf, sizeof(buf)));
	EQ(errno, ENOENT);
}

TEST(unlink, errors)
{
	make_file("f", NULL);
	OK(mkdir("d", 0755));
	FAILS(unlink("d"), EISDIR);
	FAILS(unlink("x"), ENOENT);
	FAILS(unlink("f/"), ENOTDIR);
	FAILS(unlink("f/x"), ENOTDIR);
	FAILS(unlink("x/y"), ENOENT);
	FAILS(unlink(""), ENOENT);
	OK(unlink("f"));
	FAILS(unlink("f"), ENOENT);
}

TEST(unlink, while_open)
{
	char buf[16];
	int fd = (int)OK(open("f", O_RDWR | O_CREAT, 0644));

	EQ(OK(write(fd, "hello", 5)), 5);
	OK(unlink("f"));
	FAILS(access("f", F_OK), ENOENT);
	EQ(flook(fd).stx_nlink, 0);
	EQ(flook(fd).stx_size, 5);
	EQ(OK(write(fd, " you", 4)), 4);
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), 9);
	CHECK(!memcmp(buf, "hello you", 9));
	OK(fchmod(fd, 0600));
	OK(ftruncate(fd, 2));
	OK(fsync(fd));
	EQ(flook(fd).stx_size, 2);
	EQ(flook(fd).stx_mode, S_IFREG | 0600);
	/* Its name can be used anew. */
	make_file("f", "other");
	EQ(flook(fd).stx_size, 2);
	STREQ(slurp("f"), "other");
}

/* Makes and removes a file that is complete whenever it has its name. */
static void come_and_go(int times)
{
	for (int i = 0; i < times; i++) {
		make_file("new", "text");
		OK(rename("new", "f"));
		OK(unlink("f"));
	}
	make_file("end", NULL);
	_exit(0);
}

TEST(unlink, while_somebody_opens)
{
	int pid = (int)OK(fork()), fd;

	if (!pid)
		come_and_go(300);
	while (access("end", F_OK)) {
		fd = open("f", O_RDWR);
		if (fd < 0) {
			EQ(errno, ENOENT);
			continue;
		}
		EQ(OK(write(fd, "more", 4)), 4);
		OK(close(fd));
	}
	EQ(WAIT(pid), 0);
}

TEST(unlink, link_and_not_its_target)
{
	make_file("f", "x");
	OK(symlink("f", "l"));
	OK(unlink("l"));
	STREQ(slurp("f"), "x");
}

TEST(unlink, times)
{
	struct statx d, f, d2, f2;

	make_file("f", "x");
	OK(link("f", "g"));
	d = look(".");
	f = look("f");
	tick();
	OK(unlink("g"));
	d2 = look(".");
	f2 = look("f");
	CHECK(later(d2.stx_mtime, d.stx_mtime));
	CHECK(later(d2.stx_ctime, d.stx_ctime));
	CHECK(later(f2.stx_ctime, f.stx_ctime));
	CHECK(same_time(f2.stx_mtime, f.stx_mtime));
	EQ(f2.stx_nlink, 1);
}

TEST(link, counts)
{
	struct statx a, b;

	make_file("a", "x");
	a = look("a");
	tick();
	OK(link("a", "b"));
	b = look("b");
	EQ(b.stx_ino, a.stx_ino);
	EQ(b.stx_nlink, 2);
	EQ(look("a").stx_nlink, 2);
	CHECK(later(b.stx_ctime, a.stx_ctime));
	CHECK(same_time(b.stx_mtime, a.stx_mtime));
	make_file("b", "yy");
	STREQ(slurp("a"), "yy");
	EQ(look("a").stx_size, 2);
	OK(unlink("a"));
	EQ(look("b").stx_nlink, 1);
}

TEST(link, errors)
{
	make_file("a", NULL);
	make_file("b", NULL);
	OK(mkdir("d", 0755));
	FAILS(link("a", "b"), EEXIST);
	FAILS(link("a", "d"), EEXIST);
	FAILS(link("d", "e"), EPERM);
	FAILS(link("x", "y"), ENOENT);
	FAILS(link("a", "x/y"), ENOENT);
	FAILS(link("a", "b/y"), ENOTDIR);
	FAILS(link("a", "/dev/a"), EXDEV);
	FAILS(link("a", "x/"), ENOENT);
}

TEST(link, of_a_symbolic_link)
{
	char buf[8];

	make_file("f", "x");
	OK(symlink("f", "l"));
	OK(link("l", "m"));
	EQ(OK(readlink("m", buf, sizeof(buf))), 1);
	OK(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW));
	EQ(look("n").stx_ino, look("f").stx_ino);
}

TEST(symlink, targets)
{
	static char target[4096], buf[4200];

	memset(target, 't', 4095);
	FAILS(symlink("", "l"), ENOENT);
	OK(symlink(target + 1, "l"));
	EQ(OK(readlink("l", buf, sizeof(buf))), 4094);
	CHECK(!memcmp(buf, target + 1, 4094));
	EQ(look("l").stx_size, 4094);
	EQ(look("l").stx_mode, S_IFLNK | 0777);
	EQ(OK(readlink("l", buf, 3)), 3);
	FAILS(symlink("x", "l"), EEXIST);
	FAILS(symlink("x", "y/l"), ENOENT);
}

TEST(symlink, readlink_errors)
{
	char buf[8];

	make_file("f", NULL);
	FAILS(readlink("f", buf, sizeof(buf)), EINVAL);
	FAILS(readlink(".", buf, sizeof(buf)), EINVAL);
	FAILS(readlink("x", buf, sizeof(buf)), ENOENT);
	FAILS(readlink("f/x", buf, sizeof(buf)), ENOTDIR);
	OK(symlink("f", "l"));
	FAILS(readlink("l", buf, 0), EINVAL);
}

TEST(symlink, followed)
{
	OK(mkdir("d", 0755));
	OK(symlink("d", "l"));
	make_file("l/f", "x");
	STREQ(slurp("d/f"), "x");
	OK(symlink("../d/f", "d/m"));
	STREQ(slurp("l/m"), "x");
	FAILS(rmdir("l"), ENOTDIR);
}

TEST(mknod, types)
{
	int fd;
	char c = 1;

	umask(0);
	OK(mknod("r", S_IFREG | 0640, 0));
	OK(mknod("p", S_IFIFO | 0622, 0));
	OK(mknod("s", S_IFSOCK | 0644, 0));
	EQ(look("r").stx_mode, S_IFREG | 0640);
	EQ(look("p").stx_mode, S_IFIFO | 0622);
	EQ(look("s").stx_mode, S_IFSOCK | 0644);
	OK(mknod("zero", S_IFCHR | 0600, makedev(1, 5)));
	OK(mknod("blk", S_IFBLK | 0600, makedev(259, 70000)));
	EQ(look("zero").stx_rdev_major, 1);
	EQ(look("zero").stx_rdev_minor, 5);
	EQ(look("blk").stx_rdev_major, 259);
	EQ(look("blk").stx_rdev_minor, 70000);
	fd = (int)OK(open("zero", O_RDONLY));
	EQ(OK(read(fd, &c, 1)), 1);
	EQ(c, 0);
	FAILS(open("s", O_RDONLY), ENXIO);
}

TEST(mknod, errors)
{
	make_file("f", NULL);
	FAILS(mknod("f", S_IFIFO | 0644, 0), EEXIST);
	FAILS(mknod("x/p", S_IFIFO | 0644, 0), ENOENT);
	FAILS(mknod("f/p", S_IFIFO | 0644, 0), ENOTDIR);
	FAILS(mknod("d", S_IFDIR | 0755, 0), EPERM, EINVAL);
	FAILS(mknod("l", S_IFLNK | 0755, 0), EINVAL);
	as(1000, 1000);
	FAILS(mknod("c", S_IFCHR | 0644, makedev(1, 3)), EPERM, EACCES);
}

TEST(mknod, socket_can_be_bound)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));

	OK(bind(s, (struct sockaddr *)&un, sizeof(un)));
	OK(listen(s, 1));
	OK(connect(c, (struct sockaddr *)&un, sizeof(un)));
	EQ(look("sock").stx_mode & S_IFMT, S_IFSOCK);
	s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	FAILS(bind(s, (struct sockaddr *)&un, sizeof(un)), EADDRINUSE);
}

TEST(tmpfile, gets_a_name)
{
	char path[64], buf[4];
	int fd;

	umask(022);
	fd = (int)OK(open(".", O_TMPFILE | O_RDWR, 0666));
	EQ(flook(fd).stx_nlink, 0);
	EQ(flook(fd).stx_mode, S_IFREG | 0644);
	EQ(OK(write(fd, "abc", 3)), 3);
	EQ(count_names("."), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
	EQ(flook(fd).stx_nlink, 1);
	EQ(look("f").stx_ino, flook(fd).stx_ino);
	STREQ(slurp("f"), "abc");
	EQ(OK(pread(fd, buf, 4, 0)), 3);
}

TEST(tmpfile, excl_has_no_name_ever)
{
	char path[64];
	int fd = (int)OK(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "f", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST(tmpfile, errors)
{
	make_file("f", NULL);
	FAILS(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	FAILS(open("f", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	FAILS(open("x", O_TMPFILE | O_RDWR, 0600), ENOENT);
}

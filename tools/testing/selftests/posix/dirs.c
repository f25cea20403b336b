// SPDX-License-Identifier: GPL-2.0
/*
 * Reading directories; inotify; leases.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>

#include "../lib/fs.h"

/* Makes NAMES files called "d/<number>" with names of different lengths. */
enum { NAMES = 300 };

static void name_of(int i, char *buf)
{
	int len = sprintf(buf, "d/%04d", i);

	memset(buf + len, 'x', (size_t)(i % 60));
	buf[len + i % 60] = 0;
}

static void many_files(void)
{
	char buf[100];

	OK(mkdir("d", 0755));
	for (int i = 0; i < NAMES; i++) {
		name_of(i, buf);
		OK(mknod(buf, S_IFREG | 0644, 0));
	}
}

/* Counts each number once; fails on a name seen twice. */
static int count_once(DIR *d, unsigned char *seen)
{
	struct dirent *e;
	int n = 0;

	errno = 0;
	while ((e = readdir(d))) {
		int i = atoi(e->d_name);

		if (e->d_name[0] == '.')
			continue;
		if (seen[i]++)
			FAIL("%s is listed twice", e->d_name);
		n++;
	}
	EQ(errno, 0);
	return n;
}

TEST(readdir, every_name_once)
{
	unsigned char seen[NAMES] = { 0 };
	DIR *d;

	many_files();
	d = opendir("d");
	CHECK(d);
	EQ(count_once(d, seen), NAMES);
	/* Again, when everything is cached. */
	rewinddir(d);
	memset(seen, 0, sizeof(seen));
	EQ(count_once(d, seen), NAMES);
	closedir(d);
}

TEST(readdir, types_and_numbers)
{
	struct dirent *e;
	struct stat st;
	int n = 0;
	DIR *d;

	make_file("f", NULL);
	OK(mkdir("d", 0755));
	OK(symlink("x", "l"));
	OK(mkfifo("p", 0644));
	d = opendir(".");
	CHECK(d);
	while ((e = readdir(d))) {
		OK(lstat(e->d_name, &st));
		if (strcmp(e->d_name, ".."))
			EQ(e->d_ino, st.st_ino);
		if (e->d_type != DT_UNKNOWN)
			EQ(e->d_type, IFTODT(st.st_mode));
		n++;
	}
	EQ(n, 6);
	closedir(d);
}

TEST(readdir, seek)
{
	char names[NAMES + 2][80];
	long where[NAMES + 2];
	struct dirent *e;
	int n = 0;
	DIR *d;

	many_files();
	d = opendir("d");
	CHECK(d);
	for (;;) {
		where[n] = telldir(d);
		e = readdir(d);
		if (!e)
			break;
		strcpy(names[n++], e->d_name);
	}
	EQ(n, NAMES + 2);
	for (int i = n - 1; i >= 0; i -= 41) {
		seekdir(d, where[i]);
		e = readdir(d);
		CHECK(e);
		STREQ(e->d_name, names[i]);
	}
	closedir(d);
}

TEST(readdir, removing_on_the_way)
{
	char path[300];
	struct dirent *e;
	int n = 0;
	DIR *d;

	many_files();
	d = opendir("d");
	CHECK(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "d/%s", e->d_name);
		OK(unlink(path));
		n++;
	}
	EQ(n, NAMES);
	closedir(d);
	EQ(count_names("d"), 0);
	OK(rmdir("d"));
}

TEST(readdir, other_types_on_the_way)
{
	char chunk[1024], path[100];
	int fd;

	many_files();
	fd = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	CHECK(OK(getdents64(fd, chunk, sizeof(chunk))) > 0);
	for (int i = 0; i < NAMES; i++) {
		name_of(i, path);
		OK(unlink(path));
		OK(mkdir(path, 0755));
	}
	while (OK(getdents64(fd, chunk, sizeof(chunk))) > 0)
		;
}

TEST(readdir, sees_changes)
{
	OK(mkdir("d", 0755));
	EQ(count_names("d"), 0);
	make_file("d/a", NULL);
	EQ(count_names("d"), 1);
	OK(rename("d/a", "d/b"));
	EQ(count_names("d"), 1);
	CHECK(has_name("d", "b"));
	CHECK(!has_name("d", "a"));
	OK(unlink("d/b"));
	EQ(count_names("d"), 0);
}

TEST(readdir, one_descriptor_sees_new_names_after_rewind)
{
	struct dirent *e;
	int n = 0;
	DIR *d;

	OK(mkdir("d", 0755));
	make_file("d/a", NULL);
	d = opendir("d");
	CHECK(d);
	while (readdir(d))
		n++;
	EQ(n, 3);
	make_file("d/b", NULL);
	OK(unlink("d/a"));
	rewinddir(d);
	n = 0;
	while ((e = readdir(d)))
		n += !strcmp(e->d_name, "b") + 10 * !strcmp(e->d_name, "a");
	EQ(n, 1);
	closedir(d);
}

TEST(readdir, errors)
{
	char small[8];
	int fd;

	make_file("f", NULL);
	CHECK(!opendir("f"));
	EQ(errno, ENOTDIR);
	fd = (int)OK(open("f", O_RDONLY));
	FAILS(getdents64(fd, small, sizeof(small)), ENOTDIR);
	fd = (int)OK(open(".", O_RDONLY));
	FAILS(getdents64(fd, small, sizeof(small)), EINVAL);
	FAILS(read(fd, small, sizeof(small)), EISDIR);
}

static void expect_event(int fd, uint32_t mask, const char *name)
{
	union {
		struct inotify_event ev;
		char room[sizeof(struct inotify_event) + 256];
	} u;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char queue[4096];
	static ssize_t have, at;

	if (at == have) {
		EQ(OK(poll(&p, 1, 5000 * (int)tap_slow())), 1);
		have = OK(read(fd, queue, sizeof(queue)));
		at = 0;
	}
	memcpy(&u, queue + at, sizeof(u.ev));
	memcpy(&u, queue + at, sizeof(u.ev) + u.ev.len);
	at += (ssize_t)(sizeof(u.ev) + u.ev.len);
	EQ(u.ev.mask & ~IN_ISDIR, mask);
	STREQ(u.ev.len ? u.ev.name : "", name);
}

TEST(inotify, events)
{
	int fd = (int)OK(inotify_init1(IN_CLOEXEC)), f;

	OK(mkdir("d", 0755));
	OK(inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MODIFY |
			     IN_MOVE | IN_ATTRIB | IN_CLOSE_WRITE));
	f = (int)OK(open("d/f", O_RDWR | O_CREAT, 0644));
	expect_event(fd, IN_CREATE, "f");
	EQ(OK(write(f, "x", 1)), 1);
	expect_event(fd, IN_MODIFY, "f");
	OK(close(f));
	expect_event(fd, IN_CLOSE_WRITE, "f");
	OK(chmod("d/f", 0600));
	expect_event(fd, IN_ATTRIB, "f");
	OK(rename("d/f", "d/g"));
	expect_event(fd, IN_MOVED_FROM, "f");
	expect_event(fd, IN_MOVED_TO, "g");
	OK(mkdir("d/e", 0755));
	expect_event(fd, IN_CREATE, "e");
	OK(rmdir("d/e"));
	expect_event(fd, IN_DELETE, "e");
	OK(unlink("d/g"));
	expect_event(fd, IN_DELETE, "g");
}

TEST(inotify, deleted_when_the_last_user_goes)
{
	int fd = (int)OK(inotify_init1(IN_CLOEXEC)), f;

	make_file("f", "x");
	f = (int)OK(open("f", O_RDONLY));
	OK(inotify_add_watch(fd, "f", IN_DELETE_SELF | IN_ATTRIB));
	OK(unlink("f"));
	expect_event(fd, IN_ATTRIB, "");
	OK(close(f));
	expect_event(fd, IN_DELETE_SELF, "");
	expect_event(fd, IN_IGNORED, "");
}

static volatile sig_atomic_t lease_breaks;

static void on_break(int sig)
{
	(void)sig;
	lease_breaks++;
}

static bool lease_broke(void *arg)
{
	(void)arg;
	return lease_breaks > 0;
}

TEST(lease, breaks)
{
	int fd, pid;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDONLY));
	if (fs_mode("remote")) {
		/* Somebody else may change the file: none can be given. */
		FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EINVAL);
		return;
	}
	signal(SIGIO, on_break);
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	EQ(OK(fcntl(fd, F_GETLEASE)), F_RDLCK);
	pid = (int)OK(fork());
	if (!pid)
		_exit(open("f", O_WRONLY) < 0);
	UNTIL(lease_broke, NULL);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	EQ(WAIT(pid), 0);
}

TEST(lease, refused)
{
	int fd, wr;

	make_file("f", "x");
	wr = (int)OK(open("f", O_RDWR));
	fd = (int)OK(open("f", O_RDONLY));
	FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN, EINVAL);
	OK(close(wr));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What a server hears of open files and directories, and that it hears of the
 * end of every lock.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mount.h>

#include "ops.h"
#include "server.h"

static const struct srv_options remote = { .attr_mode = FUSEX_ATTR_REMOTE };

static void open_close(const char *path, int flags)
{
	int fd = (int)OK(open(path, flags, 0644));

	OK(close(fd));
}

/* ------------------------------------------------------------- open, close */

static bool released(void *arg)
{
	return srv_calls(FUSEX_OP_RELEASE) == *(unsigned long *)arg;
}

static void until_released(unsigned long times)
{
	UNTIL(released, &times);
}

TEST(open, is_told_and_released_once)
{
	int fd, copy;

	srv_start(&remote);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR | O_APPEND | O_TRUNC | O_NOCTTY));
	EQ(srv_calls(FUSEX_OP_OPEN), 1);
	EQ(srv->open_flags & ~0100000, O_RDWR | O_APPEND);
	/* The truncation came by a request of its own. */
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
	copy = (int)OK(dup(fd));
	OK(close(fd));
	EQ(srv_calls(FUSEX_OP_RELEASE), 0);
	OK(close(copy));
	until_released(1);
	EQ(srv->last_release.fh, 77);
	EQ(srv->last_release.flags & ~0100000, O_RDWR | O_APPEND);
	srv_stop();
	EQ(srv_calls(FUSEX_OP_RELEASE), 1);
}

/* Closing does not wait, unmounting does. */
TEST(open, is_released_before_umount_ends)
{
	srv_start(&remote);
	file("f", "x");
	for (int i = 0; i < 20; i++)
		open_close("m/f", O_RDONLY);
	srv_stop();
	EQ(srv_calls(FUSEX_OP_RELEASE), 20);
}

TEST(open, created_files_are_released_too)
{
	srv_start(&remote);
	open_close("m/new", O_RDWR | O_CREAT | O_EXCL);
	EQ(srv_calls(FUSEX_OP_CREATE), 1);
	EQ(srv_calls(FUSEX_OP_OPEN), 0);
	until_released(1);
	EQ(srv_calls(FUSEX_OP_FLUSH), 1);
	srv_stop();
}

TEST(open, fails_with_the_error_of_the_server)
{
	srv_start(&remote);
	file("f", "x");
	srv->fail[FUSEX_OP_OPEN] = EDQUOT;
	FAILS(open("m/f", O_RDONLY), EDQUOT);
	srv->fail[FUSEX_OP_OPEN] = 0;
	srv_stop();
	EQ(srv_calls(FUSEX_OP_RELEASE), 0);
}

TEST(open, costs_nothing_without_state)
{
	struct srv_options o = {
		.attr_mode = FUSEX_ATTR_LOCAL,
		.features = FUSEX_F_NO_OPEN | FUSEX_F_NO_FLUSH,
	};

	srv_start(&o);
	file("f", "x");
	STREQ(slurp("m/f"), "x");
	EQ(srv_calls(FUSEX_OP_OPEN), 0);
	open_close("m/new", O_RDWR | O_CREAT);
	srv_stop();
	EQ(srv_calls(FUSEX_OP_RELEASE) + srv_calls(FUSEX_OP_FLUSH), 0);
}

TEST(open, is_asked_once_when_lacking)
{
	struct srv_options o = remote;

	o.without = WITHOUT(OPEN) | WITHOUT(RELEASE) | WITHOUT(FLUSH);
	srv_start(&o);
	file("f", "x");
	for (int i = 0; i < 3; i++)
		STREQ(slurp("m/f"), "x");
	srv_stop();
}

TEST(flush, comes_with_every_close)
{
	uint64_t owner;
	int fd, pid;

	srv_start(&remote);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	OK(close(dup(fd)));
	EQ(srv_calls(FUSEX_OP_FLUSH), 1);
	EQ(srv->last_flush.fh, 77);
	owner = srv->last_flush.lock_owner;
	CHECK(owner);
	pid = (int)OK(fork());
	if (!pid)
		_exit(close(fd) ? errno : 0);
	EQ(WAIT(pid), 0);
	EQ(srv_calls(FUSEX_OP_FLUSH), 2);
	CHECK(srv->last_flush.lock_owner != owner);
	OK(close(fd));
	EQ(srv_calls(FUSEX_OP_FLUSH), 3);
	EQ(srv->last_flush.lock_owner, owner);
	srv_stop();
}

/* ------------------------------------------------------- the end of locks */

static const struct srv_options locks = {
	.attr_mode = FUSEX_ATTR_REMOTE,
	.features = FUSEX_F_POSIX_LOCKS | FUSEX_F_FLOCK,
};

static int take(int fd, int cmd)
{
	struct flock fl = { .l_type = F_WRLCK };

	return fcntl(fd, cmd, &fl);
}

static int locked_file(const struct srv_options *o)
{
	int fd;

	srv_start(o);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	OK(take(fd, F_SETLK));
	EQ(srv->lock_held, 1);
	srv_reset();
	return fd;
}

TEST(unlock, by_flush)
{
	int fd = locked_file(&locks);

	OK(close(fd));
	EQ(srv->lock_held, 0);
	/* FLUSH says it all. */
	EQ(srv_calls(FUSEX_OP_FLUSH), 1);
	EQ(srv_calls(FUSEX_OP_SETLK), 0);
	srv_stop();
}

TEST(unlock, without_flush)
{
	struct srv_options o = locks;
	int fd;

	o.features |= FUSEX_F_NO_FLUSH;
	fd = locked_file(&o);
	OK(close(fd));
	EQ(srv->lock_held, 0);
	EQ(srv_calls(FUSEX_OP_SETLK), 1);
	srv_stop();
}

TEST(unlock, though_flush_fails)
{
	int fd = locked_file(&locks);

	srv->fail[FUSEX_OP_FLUSH] = EIO;
	FAILS(close(fd), EIO);
	EQ(srv->lock_held, 0);
	srv->fail[FUSEX_OP_FLUSH] = 0;
	srv_stop();
}

TEST(unlock, though_flush_is_lacking)
{
	struct srv_options o = locks;
	int fd;

	o.without = WITHOUT(FLUSH);
	fd = locked_file(&o);
	OK(close(fd));
	EQ(srv->lock_held, 0);
	srv_stop();
}

/* Who has no lock has none to give back. */
TEST(unlock, only_by_who_has_it)
{
	int fd = locked_file(&locks);
	int other, pid;

	pid = (int)OK(fork());
	if (!pid)
		_exit(close(fd) ? errno : 0);
	EQ(WAIT(pid), 0);
	EQ(srv->lock_held, 1);
	/* Any descriptor of the file will do. */
	other = (int)OK(open("m/f", O_RDONLY));
	OK(close(other));
	EQ(srv->lock_held, 0);
	OK(close(fd));
	EQ(srv_calls(FUSEX_OP_SETLK), 0);
	srv_stop();
}

static void taker(bool stay)
{
	int fd = open("m/f", O_RDWR);

	if (take(fd, F_SETLK))
		_exit(1);
	if (stay)
		pause();
	_exit(0);
}

static bool is_held(void *arg)
{
	(void)arg;
	return srv->lock_held;
}

TEST(unlock, by_exit)
{
	int pid;

	srv_start(&locks);
	file("f", "x");
	pid = (int)OK(fork());
	if (!pid)
		taker(false);
	EQ(WAIT(pid), 0);
	EQ(srv_calls(FUSEX_OP_SETLK), 1);
	EQ(srv->lock_held, 0);
	srv_stop();
}

TEST(unlock, by_sigkill)
{
	int pid;

	srv_start(&locks);
	file("f", "x");
	pid = (int)OK(fork());
	if (!pid)
		taker(true);
	UNTIL(is_held, NULL);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	EQ(srv->lock_held, 0);
	srv_stop();
}

TEST(unlock, of_an_open_file_description)
{
	int fd, copy;

	srv_start(&locks);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	OK(take(fd, F_OFD_SETLK));
	copy = (int)OK(dup(fd));
	OK(close(fd));
	EQ(srv->lock_held, 1);
	OK(close(copy));
	EQ(srv->lock_held, 0);
	srv_stop();
}

TEST(unlock, of_flock)
{
	int fd, copy, other;

	srv_start(&locks);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	other = (int)OK(open("m/f", O_RDWR));
	OK(flock(fd, LOCK_EX));
	EQ(srv->lock_held, 1);
	copy = (int)OK(dup(fd));
	OK(close(fd));
	OK(close(other));
	EQ(srv->lock_held, 1);
	OK(close(copy));
	EQ(srv->lock_held, 0);
	EQ(srv_calls(FUSEX_OP_SETLK), 2);
	srv_stop();
}

/* ------------------------------------------------------------- directories */

static void some_files(void)
{
	char name[16];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		file(name, "x");
	}
}

TEST(readdir, asks_until_there_is_no_more)
{
	srv_start(&remote);
	some_files();
	EQ(count_names("m"), 20);
	EQ(srv_calls(FUSEX_OP_READDIR), 2);
	srv_stop();
}

TEST(readdir, is_told_of_the_end)
{
	struct dirent *e;
	int n = 0;
	DIR *d;

	srv_start(&remote);
	some_files();
	srv->says_end = true;
	EQ(count_names("m"), 20);
	EQ(srv_calls(FUSEX_OP_READDIR), 1);

	/* Who goes on reading after the end sees what has come since. */
	d = opendir("m");
	CHECK(d);
	while (readdir(d))
		;
	file("later", "x");
	while ((e = readdir(d)))
		n += !strcmp(e->d_name, "later");
	EQ(n, 1);
	closedir(d);
	srv_stop();
}

TEST(readdir, names_are_looked_up_with_it)
{
	srv_start(&remote);
	srv->entry_valid = 1000 * SEC;
	srv->attr_valid = 1000 * SEC;
	some_files();
	count_names("m");
	srv_reset();
	look("m/f7");
	look("m/f19");
	EQ(srv_calls(FUSEX_OP_LOOKUP), 0);
	EQ(srv_calls(FUSEX_OP_GETATTR), 0);
	srv_stop();
}

/* ------------------------------------------------------------------- poll */

static bool asked_to_notify(void *arg)
{
	(void)arg;
	return srv->poll_kh != 0;
}

TEST(poll, ends_with_the_server)
{
	struct srv_options o = remote;
	int pid;

	o.features = FUSEX_F_POLL;
	srv_start(&o);
	file("f", "x");
	pid = (int)OK(fork());
	if (!pid) {
		struct pollfd p = { .events = POLLIN };

		p.fd = open("m/f", O_RDONLY);
		if (poll(&p, 1, -1) != 1)
			_exit(1);
		_exit(p.revents == POLLERR ? 0 : 2);
	}
	UNTIL(asked_to_notify, NULL);
	umount2("m", MNT_FORCE);
	EQ(WAIT(pid), 0);
}

/* Without POLL a file is an ordinary one: always ready, nothing for epoll. */
TEST(poll, of_ordinary_files)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct srv_options o = remote;
	struct pollfd p = { .events = POLLIN | POLLOUT };
	int ep;

	o.without = WITHOUT(POLL);
	srv_start(&o);
	file("f", "x");
	p.fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(poll(&p, 1, 0)), 1);
	EQ(p.revents, POLLIN | POLLOUT);
	ep = (int)OK(epoll_create1(0));
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &event), EPERM);
	close(ep);
	close(p.fd);
	srv_stop();
	EQ(srv_calls(FUSEX_OP_POLL), 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * fcntl locks, open file description locks, flock.
 */
#include <signal.h>
#include <sys/file.h>

#include "../lib/fs.h"

static struct flock lock_of(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET,
			       .l_start = start, .l_len = len };
}

static int setlk(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock fl = lock_of(type, start, len);

	return fcntl(fd, cmd, &fl);
}

static void open_and_close(void)
{
	int fd = (int)OK(open("f", O_RDONLY));

	OK(close(fd));
}

/* The result of F_SETLK in another process: 0 or errno. */
static int elsewhere(short type, off_t start, off_t len)
{
	int pid = (int)OK(fork());

	if (!pid) {
		int fd = open("f", O_RDWR);

		_exit(setlk(fd, F_SETLK, type, start, len) ? errno : 0);
	}
	return WAIT(pid);
}

TEST(lock, ranges)
{
	int fd;

	make_file("f", "0123456789");
	fd = (int)OK(open("f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK, 2, 4));
	EQ(elsewhere(F_WRLCK, 0, 2), 0);
	EQ(elsewhere(F_WRLCK, 6, 0), 0);
	EQ(elsewhere(F_RDLCK, 5, 1), EAGAIN);
	EQ(elsewhere(F_WRLCK, 0, 0), EAGAIN);
	OK(setlk(fd, F_SETLK, F_UNLCK, 3, 1));
	EQ(elsewhere(F_WRLCK, 3, 1), 0);
	EQ(elsewhere(F_WRLCK, 2, 1), EAGAIN);
	OK(setlk(fd, F_SETLK, F_RDLCK, 0, 0));
	EQ(elsewhere(F_RDLCK, 0, 0), 0);
	EQ(elsewhere(F_WRLCK, 100, 1), EAGAIN);
}

TEST(lock, getlk)
{
	struct flock fl = lock_of(F_WRLCK, 0, 0);
	int fd, pid, out[2];

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(fcntl(fd, F_GETLK, &fl));
	EQ(fl.l_type, F_UNLCK);
	OK(setlk(fd, F_SETLK, F_RDLCK, 5, 10));
	OK(pipe(out));
	pid = (int)OK(fork());
	if (!pid) {
		fl = lock_of(F_WRLCK, 0, 0);
		if (fcntl(fd, F_GETLK, &fl) ||
		    write(out[1], &fl, sizeof(fl)) != sizeof(fl))
			_exit(1);
		_exit(0);
	}
	EQ(WAIT(pid), 0);
	EQ(OK(read(out[0], &fl, sizeof(fl))), sizeof(fl));
	EQ(fl.l_type, F_RDLCK);
	EQ(fl.l_start, 5);
	EQ(fl.l_len, 10);
	EQ(fl.l_pid, getpid());
}

TEST(lock, goes_with_any_close)
{
	int fd;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK, 0, 0));
	EQ(elsewhere(F_WRLCK, 0, 0), EAGAIN);
	open_and_close();
	EQ(elsewhere(F_WRLCK, 0, 0), 0);
	OK(setlk(fd, F_SETLK, F_WRLCK, 0, 0));
	OK(close(fd));
	EQ(elsewhere(F_WRLCK, 0, 0), 0);
}

TEST(lock, errors)
{
	int rd, wr;

	make_file("f", "x");
	rd = (int)OK(open("f", O_RDONLY));
	wr = (int)OK(open("f", O_WRONLY));
	FAILS(setlk(rd, F_SETLK, F_WRLCK, 0, 0), EBADF);
	FAILS(setlk(wr, F_SETLK, F_RDLCK, 0, 0), EBADF);
	FAILS(setlk(wr, F_SETLK, F_WRLCK, -5, 2), EINVAL);
	FAILS(setlk(wr, F_SETLK, 17, 0, 0), EINVAL);
}

TEST(lock, waits)
{
	int fd, pid;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK, 0, 0));
	pid = (int)OK(fork());
	if (!pid) {
		fd = open("f", O_RDWR);
		_exit(setlk(fd, F_SETLKW, F_WRLCK, 0, 0) ? errno : 0);
	}
	UNTIL(sleeps, &pid);
	OK(setlk(fd, F_SETLK, F_UNLCK, 0, 0));
	EQ(WAIT(pid), 0);
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(lock, wait_is_interrupted)
{
	struct sigaction sa = { .sa_handler = ignore };
	int fd, pid;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK, 0, 0));
	sigaction(SIGUSR1, &sa, NULL);
	pid = (int)OK(fork());
	if (!pid) {
		fd = open("f", O_RDWR);
		_exit(setlk(fd, F_SETLKW, F_WRLCK, 0, 0) ? errno : 0);
	}
	UNTIL(sleeps, &pid);
	OK(kill(pid, SIGUSR1));
	EQ(WAIT(pid), EINTR);
}

TEST(lock, deadlock)
{
	int fd, pid;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = (int)OK(fork());
	if (!pid) {
		fd = open("f", O_RDWR);
		if (setlk(fd, F_SETLK, F_WRLCK, 1, 1))
			_exit(100);
		_exit(setlk(fd, F_SETLKW, F_WRLCK, 0, 1) ? errno : 0);
	}
	UNTIL(sleeps, &pid);
	FAILS(setlk(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	OK(setlk(fd, F_SETLK, F_UNLCK, 0, 0));
	EQ(WAIT(pid), 0);
}

TEST(lock, open_file_descriptions)
{
	int a, b;

	make_file("f", "x");
	a = (int)OK(open("f", O_RDWR));
	b = (int)OK(open("f", O_RDWR));
	OK(setlk(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	FAILS(setlk(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	FAILS(setlk(a, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	open_and_close();
	FAILS(setlk(b, F_OFD_SETLK, F_RDLCK, 0, 0), EAGAIN);
	OK(close(a));
	OK(setlk(b, F_OFD_SETLK, F_WRLCK, 0, 0));
}

TEST(flock, shared_and_exclusive)
{
	int a, b, c;

	make_file("f", "x");
	a = (int)OK(open("f", O_RDONLY));
	b = (int)OK(open("f", O_RDONLY));
	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(b, LOCK_UN));
	OK(flock(a, LOCK_EX | LOCK_NB));
	FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	c = (int)OK(dup(a));
	OK(close(a));
	FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(close(c));
	OK(flock(b, LOCK_EX | LOCK_NB));
	FAILS(flock(b, 64), EINVAL);
}

TEST(flock, waits)
{
	int fd, pid;

	make_file("f", "x");
	fd = (int)OK(open("f", O_RDWR));
	OK(flock(fd, LOCK_EX));
	pid = (int)OK(fork());
	if (!pid)
		_exit(flock(open("f", O_RDWR), LOCK_EX) ? errno : 0);
	UNTIL(sleeps, &pid);
	OK(flock(fd, LOCK_UN));
	EQ(WAIT(pid), 0);
}

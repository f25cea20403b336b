// SPDX-License-Identifier: GPL-2.0
/*
 * poll, ioctl, locks of the server's, files without a position.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include "ops.h"
#include "server.h"

static const struct srv_options remote = { .attr_mode = FUSEX_ATTR_REMOTE };

TEST(poll, answers)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };

	srv_start(&remote);
	file("f", "x");
	p.fd = (int)OK(open("m/f", O_RDWR));
	srv->revents = POLLIN;
	EQ(OK(poll(&p, 1, 0)), 1);
	EQ(p.revents, POLLIN);
	srv->revents = POLLIN | POLLOUT;
	EQ(OK(poll(&p, 1, 0)), 1);
	EQ(p.revents, POLLIN | POLLOUT);
	srv->revents = 0;
	EQ(OK(poll(&p, 1, 0)), 0);
	close(p.fd);
	srv_stop();
}

static bool asked_to_notify(void *arg)
{
	(void)arg;
	return srv->poll_kh != 0;
}

static void wake(uint32_t revents)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_POLL, .kh = srv->poll_kh,
	};

	srv->revents = revents;
	EQ(srv_notify(&c), 0);
}

TEST(poll, is_woken)
{
	int pid;

	srv_start(&remote);
	file("f", "x");
	pid = (int)OK(fork());
	if (!pid) {
		struct pollfd p = { .events = POLLIN };

		p.fd = open("m/f", O_RDWR);
		_exit(poll(&p, 1, -1) == 1 && p.revents == POLLIN ? 0 : 1);
	}
	UNTIL(asked_to_notify, NULL);
	wake(POLLIN);
	EQ(WAIT(pid), 0);
	srv_stop();
}

TEST(poll, epoll)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	int ep, fd;

	srv_start(&remote);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	ep = (int)OK(epoll_create1(0));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	EQ(OK(epoll_wait(ep, &got, 1, 0)), 0);
	UNTIL(asked_to_notify, NULL);
	wake(POLLIN);
	EQ(OK(epoll_wait(ep, &got, 1, 5000 * (int)tap_slow())), 1);
	EQ(got.events, EPOLLIN);
	/* Edge-triggered: once. */
	EQ(OK(epoll_wait(ep, &got, 1, 0)), 0);
	wake(POLLIN);
	EQ(OK(epoll_wait(ep, &got, 1, 5000 * (int)tap_slow())), 1);
	close(fd);
	close(ep);
	srv_stop();
}

TEST(poll, notification_for_nothing)
{
	struct srv_command c = { .what = FUSEX_NOTIFY_POLL, .kh = 12345 };

	srv_start(&remote);
	EQ(srv_notify(&c), -ENOENT);
	srv_stop();
}

TEST(ioctl, directions)
{
	struct srv_big big;
	uint32_t x = 41;
	int fd;

	srv_start(&remote);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(ioctl(fd, SRV_IOC_ADD, &x)), 7);
	EQ(x, 42);
	OK(ioctl(fd, SRV_IOC_GET, &x));
	EQ(x, 4711);
	x = 5;
	OK(ioctl(fd, SRV_IOC_SET, &x));
	EQ(srv->revents, 5);
	EQ(OK(ioctl(fd, SRV_IOC_NOARG)), 9);
	for (uint32_t i = 0; i < 64; i++)
		big.word[i] = i;
	OK(ioctl(fd, SRV_IOC_BIG, &big));
	for (uint32_t i = 0; i < 64; i++)
		EQ(big.word[i], 63 - i);
	close(fd);
	srv_stop();
}

TEST(ioctl, errors)
{
	char *volatile nowhere = (char *)8;
	uint32_t x = 1;
	int fd;

	srv_start(&remote);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	FAILS(ioctl(fd, _IOR('s', 99, int), &x), ENOTTY);
	FAILS(ioctl(fd, SRV_IOC_ADD, nowhere), EFAULT);
	FAILS(ioctl(fd, SRV_IOC_GET, nowhere), EFAULT);
	srv->fail[FUSEX_OP_IOCTL] = EDOM;
	FAILS(ioctl(fd, SRV_IOC_ADD, &x), EDOM);
	EQ(x, 1);
	srv->fail[FUSEX_OP_IOCTL] = 0;
	close(fd);
	srv_stop();
}

static const struct srv_options locks = {
	.attr_mode = FUSEX_ATTR_REMOTE,
	.features = FUSEX_F_POSIX_LOCKS | FUSEX_F_FLOCK,
};

static int setlk(int fd, int cmd, short type)
{
	struct flock fl = { .l_type = type };

	return fcntl(fd, cmd, &fl);
}

static bool somebody_waits(void *arg)
{
	(void)arg;
	return srv->lock_waits > 0;
}

TEST(lock, is_the_servers)
{
	struct flock fl = { .l_type = F_WRLCK };
	int fd;

	srv_start(&locks);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK));
	EQ(srv->lock_held, 1);
	EQ(srv_calls(FUSEX_OP_SETLK), 1);
	OK(setlk(fd, F_SETLK, F_UNLCK));
	EQ(srv->lock_held, 0);
	OK(fcntl(fd, F_GETLK, &fl));
	EQ(fl.l_type, F_UNLCK);
	srv->lock_held = 1;
	FAILS(setlk(fd, F_SETLK, F_WRLCK), EAGAIN);
	FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	fl = (struct flock){ .l_type = F_WRLCK };
	OK(fcntl(fd, F_GETLK, &fl));
	EQ(fl.l_type, F_WRLCK);
	srv->lock_held = 0;
	close(fd);
	srv_stop();
}

static bool is_released(void *owner)
{
	return srv->last_release.lock_owner == *(uint64_t *)owner;
}

/* RELEASE may be late, and what it ends is not a lock of the next one's. */
TEST(lock, of_an_open_file_is_no_later_ones)
{
	uint64_t owners[16];
	int fd;

	srv_start(&locks);
	file("f", "x");
	for (int i = 0; i < 16; i++) {
		fd = (int)OK(open("m/f", O_RDWR));
		OK(flock(fd, LOCK_EX | LOCK_NB));
		owners[i] = srv->lock_owner;
		CHECK(owners[i]);
		for (int j = 0; j < i; j++)
			CHECK(owners[j] != owners[i]);
		OK(close(fd));
		EQ(srv->lock_held, 0);
		UNTIL(is_released, &owners[i]);
	}
	srv_stop();
}

TEST(lock, waits)
{
	int fd, pid;

	srv_start(&locks);
	file("f", "x");
	fd = (int)OK(open("m/f", O_RDWR));
	OK(setlk(fd, F_SETLK, F_WRLCK));
	pid = (int)OK(fork());
	if (!pid) {
		fd = open("m/f", O_RDWR);
		_exit(setlk(fd, F_SETLKW, F_WRLCK) ? errno : 0);
	}
	UNTIL(somebody_waits, NULL);
	OK(setlk(fd, F_SETLK, F_UNLCK));
	EQ(WAIT(pid), 0);
	close(fd);
	srv_stop();
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(lock, wait_is_interrupted)
{
	struct sigaction sa = { .sa_handler = ignore };
	int pid;

	srv_start(&locks);
	file("f", "x");
	srv->lock_held = 1;
	sigaction(SIGUSR1, &sa, NULL);
	pid = (int)OK(fork());
	if (!pid)
		_exit(setlk(open("m/f", O_RDWR), F_SETLKW, F_WRLCK) ?
		      errno : 0);
	UNTIL(somebody_waits, NULL);
	OK(kill(pid, SIGUSR1));
	EQ(WAIT(pid), EINTR);
	EQ(srv->cancelled, 1);
	EQ(srv->lock_waits, 0);
	srv->lock_held = 0;
	srv_stop();
}

static bool nobody_waits(void *arg)
{
	(void)arg;
	return srv->lock_waits == 0;
}

TEST(lock, wait_is_killed)
{
	int pid;

	srv_start(&locks);
	file("f", "x");
	srv->lock_held = 1;
	pid = (int)OK(fork());
	if (!pid)
		_exit(setlk(open("m/f", O_RDWR), F_SETLKW, F_WRLCK) ?
		      errno : 0);
	UNTIL(somebody_waits, NULL);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	UNTIL(nobody_waits, NULL);
	srv->lock_held = 0;
	srv_stop();
}

TEST(stream, has_no_position)
{
	char c;
	int fd;

	srv_start(&remote);
	srv_add(SRV_ROOT, "s", S_IFREG | S_ISVTX | 0644, "abc");
	fd = (int)OK(open("m/s", O_RDONLY));
	FAILS(lseek(fd, 0, SEEK_SET), ESPIPE);
	FAILS(pread(fd, &c, 1, 0), ESPIPE);
	close(fd);
	srv_stop();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Requests whose callers are gone before they are answered: the server keeps what
 * they name until it has answered, as no FORGET and no RELEASE overtakes them.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/uio.h>

/* Killed while the server works on what it has asked for. */
static void killed_in(struct raw *r, uint32_t op, void (*ask)(struct raw *r))
{
	pid_t pid;

	raw_bend(r, op, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		ask(r);
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	raw_bend(r, 0, NULL, NULL);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
}

static void write_to_f(struct raw *r)
{
	int fd = (int)OK(open(raw_path(r, "f"), O_WRONLY));

	OK(write(fd, "text", 4));
	OK(close(fd));
}

TEST(stray, keeps_the_open_file)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);

	killed_in(r, FUSEX_OP_WRITE, write_to_f);
	UNTIL_SEEN(r, FUSEX_OP_FLUSH);
	raw_ask_on(r);
	EQ(r->count[FUSEX_OP_RELEASE], 0);
	answering = true;
	UNTIL_SEEN(r, FUSEX_OP_RELEASE);
	raw_stop(r);
}

/* What a FLUSH names, too, though that goes on by itself. */
TEST(stray, is_a_flush)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);

	killed_in(r, FUSEX_OP_FLUSH, write_to_f);
	raw_ask_on(r);
	EQ(r->count[FUSEX_OP_RELEASE], 0);
	answering = true;
	UNTIL_SEEN(r, FUSEX_OP_RELEASE);
	raw_stop(r);
}

static int f_path;

static void look_at_f(struct raw *r)
{
	struct statx stx;

	OK(statx(f_path, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_ALL,
		 &stx));
}

static bool is_set(void *arg)
{
	return *(atomic_bool *)arg;
}

TEST(stray, keeps_the_node)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);

	f_path = (int)OK(open(raw_path(r, "f"), O_PATH));
	killed_in(r, FUSEX_OP_GETATTR, look_at_f);
	OK(close(f_path));
	OK(access(raw_path(r, "g"), F_OK));
	OK(unlink(raw_path(r, "f")));
	drop_caches();
	UNTIL(is_set, &r->forgotten[MAP_G]);
	raw_ask_on(r);
	CHECK(!r->forgotten[MAP_F]);
	answering = true;
	UNTIL(is_set, &r->forgotten[MAP_F]);
	raw_stop(r);
}

TEST(stray, is_never_answered)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);

	killed_in(r, FUSEX_OP_WRITE, write_to_f);
	UNTIL_SEEN(r, FUSEX_OP_FLUSH);
	/* An unmount does not wait for it. */
	OK(umount2(r->mnt, 0));
	UNTIL_SEEN(r, FUSEX_OP_RELEASE);
	answering = true;
	OK(rmdir(r->mnt));
}

/* -------------------------------------------------------------------- what changes */

static void cut_f(struct raw *r)
{
	OK(truncate(raw_path(r, "f"), 100));
}

static void fill_f(struct raw *r)
{
	int fd = (int)OK(open(raw_path(r, "f"), O_WRONLY));

	OK(fallocate(fd, 0, 0, 20000));
	OK(close(fd));
}

/* A write, in a process of its own, behind @op of somebody who is gone. */
static void waits_for(uint8_t io_mode, uint32_t op, void (*ask)(struct raw *r))
{
	struct raw *r = raw_start_io(FUSEX_ATTR_LOCAL, io_mode);
	struct iovec iov = { .iov_base = "text", .iov_len = 4 };
	unsigned int before;
	pid_t pid;
	int fd;

	answering = false;
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	killed_in(r, op, ask);
	before = r->count[FUSEX_OP_WRITE];
	FAILS(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT), EAGAIN);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(pwrite(fd, "text", 4, 0) == 4 && !fsync(fd) ? 0 : 1);
	}
	UNTIL(sleeps_deep, &pid);
	EQ(r->count[FUSEX_OP_WRITE], before);
	answering = true;
	EQ(WAIT(pid), 0);
	CHECK(r->count[FUSEX_OP_WRITE] > before);
	OK(close(fd));
	raw_stop(r);
}

TEST(stray, change_comes_before_later_ones)
{
	static const uint8_t modes[] = {
		FUSEX_IO_PLAIN, FUSEX_IO_DIRECT, FUSEX_IO_WRITEBACK,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		waits_for(modes[i], FUSEX_OP_SETATTR, cut_f);
		waits_for(modes[i], FUSEX_OP_FALLOCATE, fill_f);
	}
	waits_for(FUSEX_IO_PLAIN, FUSEX_OP_WRITE, write_to_f);
	waits_for(FUSEX_IO_DIRECT, FUSEX_OP_WRITE, write_to_f);
}

/* Who waits for it can be killed, and does not wait longer than for an answer. */
TEST(stray, change_is_not_waited_for_for_ever)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	pid_t pid;
	int fd;

	answering = false;
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	killed_in(r, FUSEX_OP_SETATTR, cut_f);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(pwrite(fd, "text", 4, 0) == 4 ? 0 : 1);
	}
	UNTIL(sleeps_deep, &pid);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	raw_sysfs_write(r, "timeout_ms", "200");
	FAILS(pwrite(fd, "text", 4, 0), ETIMEDOUT);
	FAILS(ftruncate(fd, 0), ETIMEDOUT);
	raw_sysfs_write(r, "timeout_ms", "0");
	/* Other files are none of its business. */
	OK(truncate(raw_path(r, "g"), 0));
	answering = true;
	EQ(OK(pwrite(fd, "text", 4, 0)), 4);
	OK(close(fd));
	raw_stop(r);
}

static bool is_idle(void *arg)
{
	struct raw *r = arg;

	return !r->busy;
}

/* What was read meanwhile is of before. */
TEST(stray, change_outdates_what_is_known)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	unsigned int before;
	char text[4];
	int fd;

	answering = false;
	fd = (int)OK(open(raw_path(r, "f"), O_RDONLY));
	killed_in(r, FUSEX_OP_WRITE, write_to_f);
	EQ(OK(pread(fd, text, 4, 4096)), 4);
	before = r->count[FUSEX_OP_READ];
	EQ(OK(pread(fd, text, 4, 4096)), 4);
	EQ(r->count[FUSEX_OP_READ], before);
	answering = true;
	UNTIL(is_idle, r);
	EQ(OK(pread(fd, text, 4, 4096)), 4);
	EQ(r->count[FUSEX_OP_READ], before + 1);
	OK(close(fd));
	raw_stop(r);
}

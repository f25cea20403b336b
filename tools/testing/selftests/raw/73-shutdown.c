// SPDX-License-Identifier: GPL-2.0
/*
 * FS_IOC_SHUTDOWN: what the server is told, in which order, and that all ends after
 * that; and who may use the commands that all file systems have.
 */
#include "fs.h"
#include "maps.h"
#include "raw.h"
#include "tap.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>

#ifndef FS_IOC_SHUTDOWN
#define FS_IOC_SHUTDOWN	_IOR('X', 125, __u32)
#endif

/* What becomes of what is not durable yet. */
#define ALL_FIRST	0u
#define FLUSH_FIRST	1u
#define NOTHING		2u

#define LOG_MAX		64

/* Requests that were seen, and what the last SHUTDOWN said. */
static _Atomic uint32_t ops_seen[LOG_MAX];
static atomic_uint nr_seen;
static _Atomic uint32_t flags_seen;

static void note_it(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	const struct fusex_shutdown_in *arg = (const void *)(in + 1);
	unsigned int n = atomic_fetch_add(&nr_seen, 1);

	(void)r;
	(void)rep;
	ops_seen[n % LOG_MAX] = in->opcode;
	if (in->opcode != FUSEX_OP_SHUTDOWN)
		return;
	flags_seen = arg->flags;
	EQ(in->arg_len, sizeof(*arg));
	EQ(arg->reserved, 0);
	EQ(in->nodeid, RAW_ROOT);
}

/* When a request of that kind was first seen, -1 for never. */
static int first(uint32_t op)
{
	for (unsigned int i = 0; i < nr_seen && i < LOG_MAX; i++)
		if (ops_seen[i] == op)
			return (int)i;
	return -1;
}

static unsigned int count(struct raw *r, uint32_t op)
{
	return r->count[op];
}

static struct raw *start(uint8_t io_mode)
{
	return raw_start_io(FUSEX_ATTR_LOCAL, io_mode);
}

static int root_of(struct raw *r)
{
	return (int)OK(open(r->mnt, O_RDONLY | O_CLOEXEC));
}

static int end_it(int fd, uint32_t how)
{
	return ioctl(fd, FS_IOC_SHUTDOWN, &how);
}

/* In a process of its own, without a descriptor of the channel. */
static pid_t end_in_child(struct raw *r, int root, uint32_t how)
{
	pid_t pid = (pid_t)OK(fork());

	if (!pid) {
		close(r->fd);
		_exit(end_it(root, how) ? errno : 0);
	}
	return pid;
}

static const char *state_of(struct raw *r)
{
	return slurp(raw_sysfs(r, "state"));
}

/* Nothing works, and it can be unmounted. */
static void is_dead(struct raw *r, int root)
{
	FAILS(open(raw_path(r, "g"), O_RDONLY), ENOTCONN);
	FAILS(mkdir(raw_path(r, "new"), 0700), ENOTCONN);
	FAILS(end_it(root, NOTHING), ENOTCONN);
	OK(close(root));
	OK(umount2(r->mnt, 0));
	OK(rmdir(r->mnt));
}

static void is_over(struct raw *r, int root)
{
	STREQ(state_of(r), "dead\n");
	is_dead(r, root);
}

static void goes_on(struct raw *r, int root)
{
	STREQ(state_of(r), "mounted\n");
	OK(mkdir(raw_path(r, "new"), 0700));
	OK(close(root));
	raw_stop(r);
}

/* ------------------------------------------------------------------- what is sent */

static void ends(uint8_t io_mode, uint32_t how, uint32_t flags, bool written)
{
	struct raw *r = start(io_mode);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR)), root = root_of(r);
	static char data[RAW_SIZE];

	nr_seen = 0;
	EQ(OK(pwrite(fd, data, sizeof(data), 0)), sizeof(data));
	raw_bend(r, 0, note_it, NULL);
	OK(end_it(root, how));
	EQ(count(r, FUSEX_OP_SHUTDOWN), 1);
	EQ(flags_seen, flags);
	EQ(first(FUSEX_OP_WRITE) >= 0, written);
	EQ(first(FUSEX_OP_SYNCFS) >= 0, how == ALL_FIRST);
	/* It is the last of all, and what is durable is so before. */
	EQ(first(FUSEX_OP_SHUTDOWN), (int)nr_seen - 1);
	if (written)
		CHECK(first(FUSEX_OP_WRITE) < first(FUSEX_OP_SYNCFS));
	if (io_mode == FUSEX_IO_WRITEBACK)
		FAILS(pwrite(fd, data, 1, 0), ENOTCONN);
	close(fd);
	EQ(first(FUSEX_OP_WRITE) >= 0, written);
	is_over(r, root);
}

TEST(shutdown, all_is_written_first)
{
	ends(FUSEX_IO_WRITEBACK, ALL_FIRST, FUSEX_SHUTDOWN_FLUSH, true);
}

TEST(shutdown, what_is_dirty_is_lost)
{
	ends(FUSEX_IO_WRITEBACK, FLUSH_FIRST, FUSEX_SHUTDOWN_FLUSH, false);
}

TEST(shutdown, nothing_is_written_first)
{
	ends(FUSEX_IO_WRITEBACK, NOTHING, 0, false);
}

TEST(shutdown, in_other_modes)
{
	ends(FUSEX_IO_PLAIN, ALL_FIRST, FUSEX_SHUTDOWN_FLUSH, false);
	ends(FUSEX_IO_DIRECT, NOTHING, 0, false);
}

/* ----------------------------------------------------------------- what is refused */

TEST(shutdown, is_for_administrators)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	pid_t pid = (pid_t)OK(fork());

	if (!pid) {
		drop_capability(CAP_SYS_ADMIN);
		_exit(end_it(root, NOTHING) ? errno : 0);
	}
	EQ(WAIT(pid), EPERM);
	EQ(count(r, FUSEX_OP_SHUTDOWN), 0);
	goes_on(r, root);
}

/* Who is root of a namespace that the mount does not belong to is nobody. */
TEST(shutdown, is_not_for_those_of_other_namespaces)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	pid_t pid = (pid_t)OK(fork());

	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? EPERM :
		      end_it(root, NOTHING) ? errno : 0);
	EQ(WAIT(pid), EPERM);
	EQ(count(r, FUSEX_OP_SHUTDOWN), 0);
	goes_on(r, root);
}

TEST(shutdown, knows_three_ways)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);

	FAILS(end_it(root, 3), EINVAL);
	FAILS(end_it(root, ~0u), EINVAL);
	FAILS(ioctl(root, FS_IOC_SHUTDOWN, NULL), EFAULT);
	EQ(count(r, FUSEX_OP_SHUTDOWN), 0);
	EQ(count(r, FUSEX_OP_SYNCFS), 0);
	goes_on(r, root);
}

static void refused(int error, int seen, unsigned int asked)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);

	raw_bend(r, FUSEX_OP_SHUTDOWN, raw_refuse, &error);
	for (int i = 0; i < 2; i++) {
		errno = 0;
		EQ(end_it(root, FLUSH_FIRST), -1);
		EQ(errno, seen);
	}
	EQ(count(r, FUSEX_OP_SHUTDOWN), asked);
	goes_on(r, root);
}

TEST(shutdown, is_refused_by_the_server)
{
	refused(EBUSY, EBUSY, 2);
}

/* It is asked once. */
TEST(shutdown, is_not_known_to_the_server)
{
	refused(ENOSYS, ENOTTY, 1);
}

/* What could not be made durable is not given up. */
TEST(shutdown, not_when_it_cannot_be_synced)
{
	static const int error = ENOSPC;
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);

	raw_bend(r, FUSEX_OP_SYNCFS, raw_refuse, &error);
	FAILS(end_it(root, ALL_FIRST), ENOSPC);
	EQ(count(r, FUSEX_OP_SHUTDOWN), 0);
	raw_bend(r, 0, NULL, NULL);
	goes_on(r, root);
}

static void fail_data(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	(void)r;
	(void)in;
	rep->oh.error = -EIO;
	rep->len = 0;
}

TEST(shutdown, not_when_it_cannot_be_written)
{
	struct raw *r = start(FUSEX_IO_WRITEBACK);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR)), root = root_of(r);

	EQ(OK(pwrite(fd, "x", 1, 0)), 1);
	raw_bend(r, FUSEX_OP_WRITE, fail_data, NULL);
	FAILS(end_it(root, ALL_FIRST), EIO);
	EQ(count(r, FUSEX_OP_SHUTDOWN), 0);
	raw_bend(r, 0, NULL, NULL);
	FAILS(fsync(fd), EIO);
	OK(close(fd));
	goes_on(r, root);
}

/* ------------------------------------------------------------------- without answers */

TEST(shutdown, killed_it_has_ended)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	pid_t pid;

	raw_bend(r, FUSEX_OP_SHUTDOWN, raw_never, NULL);
	pid = end_in_child(r, root, NOTHING);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	is_over(r, root);
}

TEST(shutdown, too_late_it_has_ended)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);

	raw_bend(r, FUSEX_OP_SHUTDOWN, raw_never, NULL);
	raw_sysfs_write(r, "timeout_ms", "200");
	FAILS(end_it(root, NOTHING), ETIMEDOUT);
	is_over(r, root);
}

static void too_much(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	(void)r;
	(void)in;
	rep->len = 8;
}

TEST(shutdown, badly_answered_it_has_ended)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	pid_t pid;

	raw_bend(r, FUSEX_OP_SHUTDOWN, too_much, NULL);
	pid = end_in_child(r, root, NOTHING);
	UNTIL_SEEN(r, 0);
	/* A reply that is longer than any can be is refused, and none comes. */
	OK(kill(pid, SIGKILL));
	WAIT(pid);
	is_over(r, root);
}

static bool is_asleep(void *arg)
{
	return sleeps(arg) || sleeps_deep(arg);
}

/* Others are told while it is being written back, but do not wait for it. */
TEST(shutdown, killed_before_it_is_told)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	pid_t pid;

	raw_bend(r, FUSEX_OP_SYNCFS, raw_never, NULL);
	pid = end_in_child(r, root, ALL_FIRST);
	UNTIL_SEEN(r, 0);
	UNTIL(is_asleep, &pid);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	EQ(count(r, FUSEX_OP_SHUTDOWN), 0);
	OK(mkdir(raw_path(r, "here"), 0700));
	/* That one is still at it. */
	FAILS(end_it(root, ALL_FIRST), EBUSY);
	OK(end_it(root, NOTHING));
	is_over(r, root);
}

/* --------------------------------------------------------------------------- twice */

TEST(shutdown, twice_at_once)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r), status, ended = 0;
	pid_t pids[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = end_in_child(r, root, i % 3);
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		status = WAIT(pids[i]);
		ended += !status;
		/* Its syncing may have met the end, too. */
		CHECK(!status || status == ENOTCONN || status == EBUSY ||
		      status == EIO);
	}
	CHECK(ended);
	is_over(r, root);
}

/* Who waits for something else is told as well. */
TEST(shutdown, ends_what_is_in_flight)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	pid_t pid;

	raw_bend(r, FUSEX_OP_MKDIR, raw_never, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(mkdir(raw_path(r, "new"), 0700) ? errno : 0);
	}
	UNTIL_SEEN(r, 0);
	OK(end_it(root, NOTHING));
	EQ(WAIT(pid), ENOTCONN);
	is_dead(r, root);
}

TEST(shutdown, of_what_is_frozen)
{
	struct raw *r = maps_start(FUSEX_ATTR_LOCAL, 1);
	int root = root_of(r);

	OK(ioctl(root, FIFREEZE, 0));
	OK(end_it(root, ALL_FIRST));
	EQ(count(r, FUSEX_OP_SHUTDOWN), 1);
	OK(ioctl(root, FITHAW, 0));
	is_over(r, root);
}

/* ------------------------------------------------------------------ other commands */

static const struct {
	unsigned int cmd;
	bool admin;
	bool writes;
} commands[] = {
	{ FITRIM, true, false },
	{ FS_IOC_SETFSLABEL, true, true },
	{ FS_IOC_GETFSLABEL, false, false },
};

static int command(int fd, unsigned int cmd)
{
	static char arg[FSLABEL_MAX];

	return ioctl(fd, cmd, arg) ? errno : 0;
}

TEST(command, is_for_administrators)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);
	unsigned int before;
	pid_t pid;

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		before = count(r, FUSEX_OP_IOCTL);
		EQ(command(root, commands[i].cmd), 0);
		EQ(count(r, FUSEX_OP_IOCTL), before + 1);
		pid = (pid_t)OK(fork());
		if (!pid) {
			drop_capability(CAP_SYS_ADMIN);
			_exit(command(root, commands[i].cmd));
		}
		EQ(WAIT(pid), commands[i].admin ? EPERM : 0);
		EQ(count(r, FUSEX_OP_IOCTL), before + 2 - commands[i].admin);
	}
	goes_on(r, root);
}

TEST(command, that_writes_needs_what_can_be_written)
{
	struct raw *r = start(FUSEX_IO_PLAIN);
	int root = root_of(r);

	OK(mount(NULL, r->mnt, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		EQ(command(root, commands[i].cmd),
		   commands[i].writes ? EROFS : 0);
	OK(mount(NULL, r->mnt, NULL, MS_REMOUNT | MS_BIND, NULL));
	goes_on(r, root);
}

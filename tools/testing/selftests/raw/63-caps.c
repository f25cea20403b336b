// SPDX-License-Identifier: GPL-2.0
/*
 * Who writes to a file takes its capabilities away, also when the server does
 * not say whether it has any.
 */
#include "actions.h"
#include "maps.h"
#include "tap.h"

#include <signal.h>

static unsigned int count(struct raw *r, uint32_t op)
{
	return atomic_load(&r->count[op]);
}

static void fail_xattrs(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	(void)r;
	if (in->opcode != FUSEX_OP_GETXATTR &&
	    in->opcode != FUSEX_OP_REMOVEXATTR)
		return;
	rep->oh.error = -EIO;
	rep->len = 0;
}

static void leave_it(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	(void)r;
	(void)in;
	(void)rep;
}

/* The next write has to ask. */
static void is_asked_again(struct raw *r, int fd)
{
	raw_bend(r, FUSEX_OP_GETXATTR, leave_it, NULL);
	EQ(OK(pwrite(fd, "x", 1, 0)), 1);
	CHECK(atomic_load(&r->seen));
}

TEST(caps, unknown_is_not_absent)
{
	struct raw *r = raw_start(LOCAL);
	int fd = (int)OK(open(raw_path(r, "f"), O_WRONLY));

	raw_bend(r, 0, fail_xattrs, NULL);
	FAILS(pwrite(fd, "x", 1, 0), EIO);
	EQ(count(r, FUSEX_OP_WRITE), 0);
	is_asked_again(r, fd);
	/* It has been answered, and that is remembered. */
	EQ(OK(pwrite(fd, "x", 1, 0)), 1);
	EQ(atomic_load(&r->seen), 1);
	OK(close(fd));
	raw_stop(r);
}

TEST(caps, unknown_is_cleared)
{
	struct raw *r = raw_start(LOCAL);
	int fd = (int)OK(open(raw_path(r, "f"), O_WRONLY));

	raw_bend(r, FUSEX_OP_GETXATTR, fail_xattrs, NULL);
	EQ(OK(pwrite(fd, "x", 1, 0)), 1);
	EQ(count(r, FUSEX_OP_REMOVEXATTR), 1);
	OK(close(fd));
	raw_stop(r);
}

/* Who is killed while he waits for the answer has not spared the next one. */
TEST(caps, unknown_to_who_is_killed)
{
	struct raw *r = raw_start(LOCAL);
	int fd = (int)OK(open(raw_path(r, "f"), O_WRONLY));
	pid_t pid;

	raw_bend(r, FUSEX_OP_GETXATTR, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(pwrite(fd, "x", 1, 0) != 1);
	}
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	answering = true;
	/* Unless he had them cleared, which can be quicker than the signal. */
	if (!count(r, FUSEX_OP_REMOVEXATTR))
		is_asked_again(r, fd);
	OK(close(fd));
	raw_stop(r);
}

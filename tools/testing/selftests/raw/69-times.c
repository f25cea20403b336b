// SPDX-License-Identifier: GPL-2.0
/*
 * Local: times that several requests say at once.
 */
#include "fs.h"
#include "raw.h"
#include "tap.h"

static atomic_bool go_on;

static void first_waits(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	bool first = atomic_load(&r->seen) == 1;

	(void)in;
	(void)rep;
	while (first && !atomic_load(&go_on))
		usleep(1000);
}

/* The server may carry out the older of the two last. */
TEST(times, that_cross_are_said_again)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	unsigned int said;
	pid_t pid;

	EQ(OK(pwrite(fd, "x", 1, 0)), 1);
	raw_bend(r, FUSEX_OP_SETATTR, first_waits, NULL);
	pid = (pid_t)OK(fork());
	if (!pid)
		_exit(fsync(fd) ? errno : 0);
	UNTIL_SEEN(r, 0);
	OK(fchmod(fd, 0600));
	atomic_store(&go_on, true);
	EQ(WAIT(pid), 0);
	said = atomic_load(&r->count[FUSEX_OP_SETATTR]);
	EQ(said, 2);
	OK(fsync(fd));
	EQ(atomic_load(&r->count[FUSEX_OP_SETATTR]), said + 1);
	OK(fsync(fd));
	EQ(atomic_load(&r->count[FUSEX_OP_SETATTR]), said + 1);
	OK(close(fd));
	raw_stop(r);
}

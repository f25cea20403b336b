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

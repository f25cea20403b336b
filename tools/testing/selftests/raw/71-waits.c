// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody waits for the other one of two who wait for each other, nor for ever when
 * killed; and what was found out meanwhile is true.
 */
#include "answer.h"
#include "fs.h"
#include "maps.h"
#include "raw.h"
#include "tap.h"

#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>

/* ------------------------------------------------ clones and direct reads */

static atomic_bool held;
static atomic_bool go_on;

/* Attributes are not good for longer than the question; the first one takes its time. */
static void expire(struct raw *r, const struct fusex_in_header *in,
		   struct raw_reply *rep)
{
	struct fusex_attr_out *out = (void *)rep->body;

	(void)r;
	if (in->opcode == FUSEX_OP_LOOKUP)
		((struct fusex_entry_out *)rep->body)->entry.attr_valid = 0;
	if (in->opcode != FUSEX_OP_GETATTR)
		return;
	out->attr_valid = 0;
	if (!atomic_load(&held) || in->nodeid != MAP_F)
		return;
	atomic_store(&held, false);
	while (!atomic_load(&go_on))
		usleep(1000);
}

static bool was_asked(void *arg)
{
	(void)arg;
	return !atomic_load(&held);
}

/* To read the file takes a page of the file. */
TEST(clone, of_a_file_that_is_read_into_a_mapping_of_itself)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	pid_t cloner;
	pid_t reader;
	char *map;
	int out;
	int in;

	raw_bend(r, 0, expire, NULL);
	in = (int)OK(open(raw_path(r, "f"), O_RDONLY | O_DIRECT));
	out = (int)OK(open(raw_path(r, "new"), O_RDWR | O_CREAT, 0600));
	map = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, in, 0);
	CHECK(map != MAP_FAILED);
	atomic_store(&held, true);
	cloner = (pid_t)OK(fork());
	if (!cloner) {
		close(r->fd);
		_exit(ioctl(out, FICLONE, in) ? 1 : 0);
	}
	UNTIL(was_asked, NULL);
	reader = (pid_t)OK(fork());
	if (!reader) {
		close(r->fd);
		_exit(pread(in, map + BLOCK, BLOCK, 0) == BLOCK ? 0 : 1);
	}
	UNTIL(sleeps_deep, &reader);
	atomic_store(&go_on, true);
	EQ(WAIT(cloner), 0);
	EQ(WAIT(reader), 0);
	OK(munmap(map, 2 * BLOCK));
	OK(close(in));
	OK(close(out));
	raw_stop(r);
}

/* With empty files, programs find out whether there are clones. */
TEST(clone, of_nothing_by_who_cannot)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	static const int unknown = ENOSYS;
	int out;
	int in;

	raw_bend(r, FUSEX_OP_COPY_RANGE, raw_refuse, &unknown);
	in = (int)OK(open(raw_path(r, "from"), O_RDWR | O_CREAT, 0600));
	out = (int)OK(open(raw_path(r, "to"), O_RDWR | O_CREAT, 0600));
	FAILS(ioctl(out, FICLONE, in), EOPNOTSUPP);
	OK(close(in));
	OK(close(out));
	raw_stop(r);
}

/* ----------------------------------------------------------------- faults */

/* Who faults keeps others from cutting the file until it is read. */
TEST(truncate, behind_a_fault_can_be_killed)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	volatile char *map = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	pid_t reader, cutter;

	CHECK(map != MAP_FAILED);
	raw_bend(r, FUSEX_OP_READ, raw_never, NULL);
	reader = (pid_t)OK(fork());
	if (!reader) {
		close(r->fd);
		_exit(map[0]);
	}
	UNTIL_SEEN(r, FUSEX_OP_READ);
	UNTIL(sleeps_deep, &reader);
	cutter = (pid_t)OK(fork());
	if (!cutter) {
		close(r->fd);
		_exit(ftruncate(fd, 0) ? 1 : 0);
	}
	UNTIL(sleeps_deep, &cutter);
	OK(kill(cutter, SIGKILL));
	EQ(WAIT(cutter), 128 + SIGKILL);
	EQ(r->count[FUSEX_OP_SETATTR], 0);
	OK(kill(reader, SIGKILL));
	EQ(WAIT(reader), 128 + SIGKILL);
	OK(munmap((void *)map, BLOCK));
	OK(close(fd));
	raw_stop(r);
}

/* -------------------------------------------------------------- unmounting */

/* Times cannot be stored just now, and then are not. */
static void fail_once(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	if (in->opcode != FUSEX_OP_SETATTR)
		return;
	/* Those before this one. */
	rep->drop = atomic_load(&r->count[FUSEX_OP_SETATTR]) > 0;
	rep->oh.error = -ENOMEM;
	rep->len = 0;
}

static bool seen_again(void *arg)
{
	struct raw *r = arg;

	return atomic_load(&r->count[FUSEX_OP_SETATTR]) > 1;
}

TEST(unmount, of_what_is_written_back_again)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	pid_t pid;

	raw_bend(r, 0, fail_once, NULL);
	make_file(raw_path(r, "d/x"), NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(umount2(r->mnt, 0) ? 1 : 0);
	}
	UNTIL(seen_again, r);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	rmdir(r->mnt);
}

/* ------------------------------------------------------------------- names */

/* There is no such file, and there will not be. */
static void none_for_ever(struct raw *r, const struct fusex_in_header *in,
			  struct raw_reply *rep)
{
	struct fusex_entry_out *out = (void *)rep->body;

	(void)r;
	(void)in;
	if (rep->oh.error != -ENOENT)
		return;
	rep->oh.error = 0;
	rep->len = sizeof(*out);
	memset(out, 0, sizeof(*out));
	out->entry.entry_valid = FUSEX_FOREVER;
}

/* What a name was found to be while something else was made of it, it is. */
TEST(name, that_others_have_made)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	static const int no_space = ENOSPC;

	raw_bend(r, FUSEX_OP_LOOKUP, none_for_ever, NULL);
	FAILS(access(raw_path(r, "e"), F_OK), ENOENT);
	pthread_mutex_lock(&r->lock);
	strcpy(r->nodes[MAP_G].name, "e");
	pthread_mutex_unlock(&r->lock);
	raw_bend(r, FUSEX_OP_MKDIR, raw_refuse, &no_space);
	FAILS(mkdir(raw_path(r, "e"), 0700), EEXIST);
	OK(access(raw_path(r, "e"), F_OK));
	raw_stop(r);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Iomap mode: space that comes and goes (truncation, fallocate), what is said
 * about it (fiemap, lseek, swap), data that is written elsewhere than it is read,
 * and data that the server keeps itself.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>

static struct raw *with_f(uint16_t type, uint64_t size, uint64_t addr)
{
	struct raw *r = maps_start(LOCAL, 1);

	if (type != HOLE)
		maps_at(r, MAP_F, type, 0, (size + BLOCK - 1) & ~(BLOCK - 1),
			addr);
	maps_size(r, MAP_F, size);
	return r;
}

/* ----------------------------------------------------------------- truncation */

TEST(truncate, down_and_up)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	OK(ftruncate(fd, 5000));
	EQ(r->nodes[MAP_F].size, 5000);
	shows_disk(fd, 5000, 0, 2 * MIB, 0);
	OK(ftruncate(fd, 64 * KIB));
	shows_disk(fd, 5000, 0, 2 * MIB, 0);
	zeros(fd, 64 * KIB - 5000, 5000);
	OK(fsync(fd));
	uncache(fd);
	shows_disk(fd, 5000, 0, 2 * MIB, 0);
	zeros(fd, 64 * KIB - 5000, 5000);
	disk_shows(r, 0, 5000, 2 * MIB, 2 * MIB, DISK_SEED(0));
	disk_zero(r, 0, 2 * BLOCK - 5000, 2 * MIB + 5000);
	/* What was cut off was not written to. */
	disk_shows(r, 0, 64 * KIB - 2 * BLOCK, 2 * MIB + 2 * BLOCK,
		   2 * MIB + 2 * BLOCK, DISK_SEED(0));
	end(r, fd);
}

/* The old end of the file is zeroed on the device, by whoever makes it grow. */
TEST(truncate, up)
{
	struct raw *r = with_f(MAPPED, 5000, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	OK(ftruncate(fd, 10000));
	disk_zero(r, 0, 2 * BLOCK - 5000, 2 * MIB + 5000);
	shows_disk(fd, 5000, 0, 2 * MIB, 0);
	zeros(fd, 5000, 5000);
	EQ(r->nodes[MAP_F].size, 10000);
	end(r, fd);
}

TEST(truncate, what_is_dirty)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	OK(ftruncate(fd, 5000));
	put(fd, 1000, 20000, 2);
	OK(fsync(fd));
	uncache(fd);
	shows(fd, 5000, 0, 1);
	zeros(fd, 15000, 5000);
	shows(fd, 1000, 20000, 2);
	disk_shows(r, 0, 5000, 2 * MIB, 0, 1);
	disk_zero(r, 0, 2 * BLOCK - 5000, 2 * MIB + 5000);
	/* The space behind is no longer the file's: the model gave it new one. */
	CHECK(maps_find(r, MAP_F, 20000)->addr != 2 * MIB + 4 * BLOCK);
	EQ(r->nodes[MAP_F].size, 21000);
	end(r, fd);
}

/* To nothing, and what comes then is written where the server says now. */
TEST(truncate, to_nothing)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	OK(ftruncate(fd, 0));
	disk_fill(r, 0, 64 * KIB, 2 * MIB, 7);
	put(fd, 64 * KIB, 0, 2);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
	disk_shows(r, 0, 64 * KIB, MAP_FREE, 0, 2);
	uncache(fd);
	shows(fd, 64 * KIB, 0, 2);
	end(r, fd);
}

/* What is behind an end that stays is another's afterwards, too. */
TEST(truncate, to_what_it_is)
{
	struct raw *r = with_f(UNWRITTEN, 128 * KIB, 2 * MIB);
	int fd;

	maps_size(r, MAP_F, 0);
	fd = open_rw(r, "f", 0);
	put(fd, 64 * KIB, 0, 1);
	OK(fsync(fd));
	OK(ftruncate(fd, 64 * KIB));
	CHECK(!maps_find(r, MAP_F, 64 * KIB));
	disk_fill(r, 0, 64 * KIB, 2 * MIB + 64 * KIB, 7);
	put(fd, 64 * KIB, 64 * KIB, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 64 * KIB, 2 * MIB + 64 * KIB, 7);
	uncache(fd);
	shows(fd, 128 * KIB, 0, 1);
	end(r, fd);
}

static atomic_bool asked;

/* It was asked for what is behind the end while that is still where it was. */
static void cut_later(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	(void)in;
	(void)rep;
	maps_at(r, MAP_F, MAPPED, 64 * KIB, 64 * KIB, 2 * MIB + 64 * KIB);
	while (!asked)
		usleep(1000);
	maps_at(r, MAP_F, MAPPED, 64 * KIB, 64 * KIB, 8 * MIB);
}

TEST(truncate, to_what_it_is_while_it_is_written_back)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	put(fd, BLOCK, 0, 1);
	raw_bend(r, FUSEX_OP_SETATTR, cut_later, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		OK(ftruncate(fd, 64 * KIB));
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL,
		       &(struct fusex_notify_map){ .nodeid = MAP_F },
		       sizeof(struct fusex_notify_map), NULL, 0), 0);
	maps_reset(r);
	OK(sync_file_range(fd, 0, BLOCK, SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER));
	EQ(begins(r), 1);
	asked = true;
	EQ(WAIT(pid), 0);
	put(fd, BLOCK, 64 * KIB, 2);
	OK(fsync(fd));
	disk_shows(r, 0, BLOCK, 8 * MIB, 64 * KIB, 2);
	disk_shows(r, 0, BLOCK, 2 * MIB + 64 * KIB, 2 * MIB + 64 * KIB,
		   DISK_SEED(0));
	end(r, fd);
}

/* It is asked for by who is killed then, and is going on. */
static void asked_for_by_the_dead(struct raw *r, int (*ask)(int fd), int fd)
{
	/* Its descriptors are ours: closed, they would have data written back. */
	pid_t pid = (pid_t)OK(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0,
				      0, 0));

	if (!pid)
		_exit(ask(fd) != 0);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	maps_reset(r);
}

static pid_t write_later(struct raw *r, off_t at)
{
	pid_t pid = (pid_t)OK(fork());

	if (!pid) {
		close(r->fd);
		put(open_rw(r, "f", O_DIRECT), BLOCK, at, 2);
		_exit(0);
	}
	UNTIL(sleeps_deep, &pid);
	/* Enough for it to ask if it did not wait. */
	raw_ask_on(r);
	EQ(begins(r), 0);
	return pid;
}

static int cut_to_64k(int fd)
{
	return ftruncate(fd, 64 * KIB);
}

/*
 * Whoever has it cut is gone, but the server may be doing it.  Until it says so
 * nobody else is told where something is, and nothing behind the end is written.
 */
TEST(truncate, goes_on_without_its_caller)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	shows_disk(fd, 128 * KIB, 0, 2 * MIB, 0);
	put(fd, BLOCK, 0, 1);
	put(fd, BLOCK, 100 * KIB, 1);
	raw_bend(r, FUSEX_OP_SETATTR, cut_later, NULL);
	asked_for_by_the_dead(r, cut_to_64k, fd);
	pid = write_later(r, 64 * KIB);
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 64 * KIB, 2 * MIB + 64 * KIB,
		   DISK_SEED(0));
	asked = true;
	EQ(WAIT(pid), 0);
	OK(fsync(fd));
	/* The space is another file's now. */
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 64 * KIB, 2 * MIB + 64 * KIB,
		   DISK_SEED(0));
	disk_shows(r, 0, BLOCK, 8 * MIB, 64 * KIB, 2);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	/* Nor is what was cached of it shown any more. */
	shows_disk(fd, BLOCK, 80 * KIB, 8 * MIB + 16 * KIB, 0);
	end(r, fd);
}

/* By who has never asked where the file is. */
static int punch_64k(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 64 * KIB, 64 * KIB);
}

TEST(punch, goes_on_without_its_caller)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	raw_bend(r, FUSEX_OP_FALLOCATE, cut_later, NULL);
	asked_for_by_the_dead(r, punch_64k, fd);
	pid = write_later(r, 64 * KIB);
	asked = true;
	EQ(WAIT(pid), 0);
	disk_shows(r, 0, BLOCK, 8 * MIB, 64 * KIB, 2);
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 64 * KIB, 2 * MIB + 64 * KIB,
		   DISK_SEED(0));
	end(r, fd);
}

/* What the server says of the space before it takes it away is not gone by. */
TEST(punch, goes_on_without_its_caller_and_is_told_of_before)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	struct fusex_map m = map_at(r, MAPPED, 0, 128 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);
	char *map = mmap(NULL, 128 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	pid_t pid;

	CHECK(map != MAP_FAILED);
	raw_bend(r, FUSEX_OP_FALLOCATE, cut_later, NULL);
	asked_for_by_the_dead(r, punch_64k, fd);
	EQ(upsert(r, &m, 1), 0);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		map[64 * KIB] = 'z';
		_exit(0);
	}
	UNTIL(sleeps_deep, &pid);
	raw_ask_on(r);
	asked = true;
	EQ(WAIT(pid), 0);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 64 * KIB, 2 * MIB + 64 * KIB,
		   DISK_SEED(0));
	OK(munmap(map, 128 * KIB));
	end(r, fd);
}

/* The server may wait for what it has recalled before it answers. */
TEST(punch, goes_on_without_its_caller_and_is_written_back)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	put(fd, BLOCK, 0, 1);
	raw_bend(r, FUSEX_OP_FALLOCATE, cut_later, NULL);
	asked_for_by_the_dead(r, punch_64k, fd);
	pid = write_later(r, 64 * KIB);
	OK(sync_file_range(fd, 0, BLOCK, SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER));
	EQ(begins(r), 1);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	asked = true;
	EQ(WAIT(pid), 0);
	/* What it was told then was not remembered. */
	disk_shows(r, 0, BLOCK, 8 * MIB, 64 * KIB, 2);
	end(r, fd);
}

/*
 * What is dirty is not written while a lease is being returned; who waits for that
 * and is killed has nothing punched then, and loses nothing.
 */
TEST(punch, by_who_is_killed_before_anything_is_written)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	struct fusex_notify_recall n = {
		.nodeid = MAP_F, .offset = 64 * KIB, .length = 64 * KIB,
	};
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	raw_bend(r, FUSEX_OP_MAP_RETURN, hold_answer, NULL);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n), NULL, 0), 0);
	UNTIL_SEEN(r, 0);
	/* Where this goes is known. */
	put(fd, BLOCK, 0, 1);
	pid = (pid_t)OK(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (!pid)
		_exit(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, 32 * KIB) != 0);
	UNTIL(sleeps_deep, &pid);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	EQ(maps_count(r, FUSEX_OP_FALLOCATE), 0);
	answering = true;
	OK(fsync(fd));
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	shows(fd, BLOCK, 0, 1);
	end(r, fd);
}

/* It may still be done, at any time: where its data is, nobody knows any more. */
TEST(truncate, is_not_answered_in_time)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	static char buf[BLOCK] __attribute__((aligned(4096)));
	int fd = open_rw(r, "f", O_DIRECT), other = open_rw(r, "g", O_DIRECT);

	maps_at(r, MAP_G, MAPPED, 0, 3 * BLOCK, 4 * MIB);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	raw_bend(r, FUSEX_OP_SETATTR, raw_never, NULL);
	raw_sysfs_write(r, "timeout_ms", "200");
	FAILS(ftruncate(fd, 64 * KIB), ETIMEDOUT);
	raw_sysfs_write(r, "timeout_ms", "0");
	raw_bend(r, 0, NULL, NULL);
	maps_reset(r);
	FAILS(pread(fd, buf, BLOCK, 0), EIO);
	FAILS(pwrite(fd, buf, BLOCK, 64 * KIB), EIO);
	EQ(begins(r), 0);
	/* Nor when the inode has been forgotten. */
	OK(close(fd));
	drop_caches();
	fd = open_rw(r, "f", O_DIRECT);
	FAILS(pread(fd, buf, BLOCK, 0), EIO);
	EQ(begins(r), 0);
	/* It is nobody else's fault. */
	put(other, BLOCK, 0, 1);
	disk_shows(r, 0, BLOCK, 4 * MIB, 0, 1);
	OK(close(other));
	end(r, fd);
}

/* Where a copy goes to is as uncertain then, but it is only read where it is from. */
TEST(copy, is_not_answered_in_time)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	static char buf[BLOCK] __attribute__((aligned(4096)));
	int fd = open_rw(r, "f", O_DIRECT), other = open_rw(r, "g", O_DIRECT);

	maps_at(r, MAP_G, MAPPED, 0, 3 * BLOCK, 4 * MIB);
	raw_bend(r, FUSEX_OP_COPY_RANGE, raw_never, NULL);
	raw_sysfs_write(r, "timeout_ms", "200");
	FAILS(copy_file_range(fd, NULL, other, NULL, BLOCK, 0), ETIMEDOUT);
	raw_sysfs_write(r, "timeout_ms", "0");
	raw_bend(r, 0, NULL, NULL);
	FAILS(pread(other, buf, BLOCK, 0), EIO);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	OK(close(other));
	end(r, fd);
}

/* Requests that have come, and those that may be answered, by opcode. */
static atomic_bool came[FUSEX_OP_NR], may_go[FUSEX_OP_NR];

static void hold(uint32_t op)
{
	came[op] = true;
	while (!may_go[op])
		usleep(1000);
}

static bool has_come(void *arg)
{
	return came[*(uint32_t *)arg];
}

#define UNTIL_HELD(op_)	UNTIL(has_come, (&(uint32_t){ op_ }))

static void hold_each(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	const struct fusex_setattr_in *set = (const void *)(in + 1);

	(void)r;
	(void)rep;
	if (in->opcode == FUSEX_OP_MAP_IOEND ||
	    in->opcode == FUSEX_OP_COPY_RANGE ||
	    (in->opcode == FUSEX_OP_SETATTR && set->valid & FUSEX_SET_SIZE))
		hold(in->opcode);
}

/* From behind where it is cut, to what has to be written back first. */
static pid_t copy_later(int from, int to)
{
	off_t at = 100 * KIB;
	pid_t pid = (pid_t)OK(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0,
				      0, 0));

	if (!pid)
		_exit(copy_file_range(from, &at, to, NULL, BLOCK, 0) != BLOCK);
	return pid;
}

static bool only_the_cut_is_left(void *arg)
{
	struct raw *r = arg;

	return r->busy == 1;
}

/* Whoever copied is gone, and the end of that is not the end of the cut. */
TEST(copy, of_what_is_being_cut)
{
	struct raw *r = with_f(MAPPED, 128 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0), other = open_rw(r, "g", 0);
	pid_t copier, cutter;

	maps_at(r, MAP_G, UNWRITTEN, 0, 3 * BLOCK, 4 * MIB);
	put(other, BLOCK, 0, 2);
	raw_bend(r, 0, hold_each, NULL);
	copier = copy_later(fd, other);
	UNTIL_HELD(FUSEX_OP_MAP_IOEND);
	put(fd, BLOCK, 64 * KIB, 1);
	cutter = (pid_t)OK(fork());
	if (!cutter) {
		close(r->fd);
		_exit(cut_to_64k(fd) != 0);
	}
	UNTIL_HELD(FUSEX_OP_SETATTR);
	may_go[FUSEX_OP_MAP_IOEND] = true;
	UNTIL_HELD(FUSEX_OP_COPY_RANGE);
	OK(kill(copier, SIGKILL));
	EQ(WAIT(copier), 128 + SIGKILL);
	may_go[FUSEX_OP_COPY_RANGE] = true;
	UNTIL(only_the_cut_is_left, r);
	maps_reset(r);
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER));
	/* It would have been asked where to. */
	EQ(begins(r), 0);
	may_go[FUSEX_OP_SETATTR] = true;
	EQ(WAIT(cutter), 0);
	OK(close(other));
	end(r, fd);
}

/* The server knows of nothing yet, and is not to take a cut for growth. */
TEST(truncate, what_is_dirty_behind_a_hole)
{
	struct raw *r = with_f(HOLE, 0, 0);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 1 * MIB, 1);
	EQ(r->nodes[MAP_F].size, 0);
	maps_reset(r);
	OK(ftruncate(fd, 64 * KIB));
	EQ(r->maps->ioends[0].size, 1 * MIB + 64 * KIB);
	EQ(r->nodes[MAP_F].size, 64 * KIB);
	end(r, fd);
}

TEST(truncate, unwritten)
{
	struct raw *r = with_f(UNWRITTEN, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 2 * BLOCK, 0, 1);
	OK(ftruncate(fd, 5000));
	OK(ftruncate(fd, 64 * KIB));
	OK(fsync(fd));
	uncache(fd);
	shows(fd, 5000, 0, 1);
	zeros(fd, 64 * KIB - 5000, 5000);
	end(r, fd);
}

TEST(truncate, refused_by_the_server)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	r->maps->fail[FUSEX_OP_SETATTR] = EPERM;
	FAILS(ftruncate(fd, 5000), EPERM);
	r->maps->fail[FUSEX_OP_SETATTR] = 0;
	EQ(flook(fd).stx_size, 64 * KIB);
	shows(fd, 64 * KIB, 0, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 0, 1);
	end(r, fd);
}

/* ------------------------------------------------------------------ fallocate */

TEST(fallocate, punches_a_hole)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	/* From the middle of block 1 to that of block 4. */
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 6000,
		     13000));
	CHECK(!maps_find(r, MAP_F, 2 * BLOCK));
	shows(fd, 6000, 0, 1);
	zeros(fd, 13000, 6000);
	shows(fd, 64 * KIB - 19000, 19000, 1);
	OK(fsync(fd));
	uncache(fd);
	shows(fd, 6000, 0, 1);
	zeros(fd, 13000, 6000);
	shows(fd, 64 * KIB - 19000, 19000, 1);
	/* The edges are zero on the device, the rest was given back as it is. */
	disk_shows(r, 0, 6000, 2 * MIB, 0, 1);
	disk_zero(r, 0, 2 * BLOCK - 6000, 2 * MIB + 6000);
	disk_zero(r, 0, 19000 - 4 * BLOCK, 2 * MIB + 4 * BLOCK);
	disk_shows(r, 0, 64 * KIB - 19000, 2 * MIB + 19000, 19000, 1);
	end(r, fd);
}

TEST(fallocate, punches_within_a_block)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000,
		     100));
	OK(fsync(fd));
	disk_zero(r, 0, 100, 2 * MIB + 5000);
	disk_shows(r, 0, 5000, 2 * MIB, 2 * MIB, DISK_SEED(0));
	disk_shows(r, 0, 5000, 2 * MIB + 5100, 2 * MIB + 5100, DISK_SEED(0));
	/* Of a hole there is nothing to be zeroed. */
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * BLOCK,
		     4 * BLOCK));
	maps_reset(r);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		     3 * BLOCK + 10, 10));
	OK(fsync(fd));
	CHECK(!maps_find(r, MAP_F, 3 * BLOCK));
	EQ(ioends(r), 0);
	end(r, fd);
}

TEST(fallocate, zeroes)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 6000, 13000));
	EQ(maps_find(r, MAP_F, 2 * BLOCK)->type, UNWRITTEN);
	shows(fd, 6000, 0, 1);
	zeros(fd, 13000, 6000);
	uncache(fd);
	zeros(fd, 13000, 6000);
	shows(fd, 64 * KIB - 19000, 19000, 1);
	/* Beyond the end, too. */
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 60 * KIB, 10 * KIB));
	EQ(flook(fd).stx_size, 70 * KIB);
	shows(fd, 60 * KIB - 19000, 19000, 1);
	zeros(fd, 10 * KIB, 60 * KIB);
	end(r, fd);
}

TEST(fallocate, reserves)
{
	struct raw *r = with_f(HOLE, 0, 0);
	int fd = open_rw(r, "f", 0);

	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 64 * KIB));
	EQ(flook(fd).stx_size, 0);
	EQ(maps_find(r, MAP_F, 0)->type, UNWRITTEN);
	put(fd, 100, 0, 1);
	OK(fsync(fd));
	EQ(r->nodes[MAP_F].size, 100);
	disk_shows(r, 0, 100, MAP_FREE, 0, 1);
	OK(fallocate(fd, 0, 64 * KIB, 64 * KIB));
	EQ(flook(fd).stx_size, 128 * KIB);
	shows(fd, 100, 0, 1);
	zeros(fd, 128 * KIB - 100, 100);
	end(r, fd);
}

TEST(fallocate, collapses_and_inserts)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	FAILS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 1000, BLOCK), EINVAL);
	FAILS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, BLOCK, 1000), EINVAL);
	FAILS(fallocate(fd, FALLOC_FL_INSERT_RANGE, 512, BLOCK), EINVAL);
	EQ(maps_count(r, FUSEX_OP_FALLOCATE), 0);
	OK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, BLOCK, 2 * BLOCK));
	EQ(flook(fd).stx_size, 56 * KIB);
	shows(fd, BLOCK, 0, 1);
	/* A fourth block is the second now. */
	disk_shows(r, 0, BLOCK, maps_find(r, MAP_F, BLOCK)->addr,
		   BLOCK * 3, 1);
	uncache(fd);
	OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, 2 * BLOCK));
	EQ(flook(fd).stx_size, 64 * KIB);
	shows(fd, BLOCK, 0, 1);
	zeros(fd, 2 * BLOCK, BLOCK);
	shows(fd, 64 * KIB - 3 * BLOCK, 3 * BLOCK, 1);
	end(r, fd);
}

/* --------------------------------------------------------------- what is where */

static struct raw *with_all(void)
{
	struct raw *r = maps_start(LOCAL, 1);

	maps_at(r, MAP_F, MAPPED, 0, 16 * KIB, 2 * MIB);
	maps_at(r, MAP_F, UNWRITTEN, 32 * KIB, 16 * KIB, 3 * MIB);
	maps_at(r, MAP_F, MAPPED, 64 * KIB, 16 * KIB, 1 * MIB);
	maps_size(r, MAP_F, 96 * KIB);
	return r;
}

static void extent_is(const struct fiemap_extent *e, uint64_t at, uint64_t addr,
		      uint64_t len, uint32_t flags)
{
	EQ(e->fe_logical, at);
	EQ(e->fe_physical, addr);
	EQ(e->fe_length, len);
	EQ(e->fe_flags, flags);
}

TEST(report, fiemap)
{
	struct raw *r = with_all();
	struct {
		struct fiemap head;
		struct fiemap_extent e[8];
	} f = {
		.head.fm_length = ~0ull, .head.fm_extent_count = 8,
	};
	int fd = open_rw(r, "f", 0);

	OK(ioctl(fd, FS_IOC_FIEMAP, &f));
	EQ(f.head.fm_mapped_extents, 3);
	extent_is(&f.e[0], 0, 2 * MIB, 16 * KIB, 0);
	extent_is(&f.e[1], 32 * KIB, 3 * MIB, 16 * KIB,
		  FIEMAP_EXTENT_UNWRITTEN);
	extent_is(&f.e[2], 64 * KIB, 1 * MIB, 16 * KIB, FIEMAP_EXTENT_LAST);
	EQ(r->maps->begins[0].op, FUSEX_MAP_OP_REPORT);
	/* What it was told it remembers. */
	maps_reset(r);
	shows_disk(fd, 16 * KIB, 0, 2 * MIB, 0);
	EQ(begins(r), 0);
	end(r, fd);
}

TEST(report, seek)
{
	struct raw *r = with_all();
	int fd = open_rw(r, "f", 0);

	EQ(lseek(fd, 0, SEEK_DATA), 0);
	EQ(lseek(fd, 1000, SEEK_DATA), 1000);
	EQ(lseek(fd, 0, SEEK_HOLE), 16 * KIB);
	EQ(lseek(fd, 16 * KIB, SEEK_DATA), 64 * KIB);
	EQ(lseek(fd, 64 * KIB, SEEK_HOLE), 80 * KIB);
	FAILS(lseek(fd, 80 * KIB, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 96 * KIB, SEEK_HOLE), ENXIO);
	EQ(maps_count(r, FUSEX_OP_LSEEK), 0);
	/* What is in the page cache over unwritten space is data. */
	put(fd, 100, 40 * KIB, 1);
	EQ(lseek(fd, 16 * KIB, SEEK_DATA), 40 * KIB);
	/* Whatever is at the end of the file stays the end of it. */
	EQ(lseek(fd, 0, SEEK_END), 96 * KIB);
	end(r, fd);
}

TEST(report, bmap)
{
	struct raw *r = with_all();
	int fd = open_rw(r, "f", 0);
	int block = 1;

	OK(ioctl(fd, FIBMAP, &block));
	EQ(block, 2 * MIB / BLOCK + 1);
	block = 5;
	OK(ioctl(fd, FIBMAP, &block));
	EQ(block, 0);
	end(r, fd);
}

/* ------------------------------------------------------------------------- swap */

static void mkswap(struct raw *r)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "mkswap %s >mkswap.log 2>&1",
		 raw_path(r, "f"));
	if (system(cmd))
		FAIL("mkswap: %s", slurp("mkswap.log"));
}

static int swap_on(struct raw *r)
{
	int ret = swapon(raw_path(r, "f"), 0);

	if (ret && errno == ENOSYS)
		SKIP("this kernel has no swap");
	return ret;
}

TEST(swap, on_a_file)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	int fd;

	OK(chmod(raw_path(r, "f"), 0600));
	mkswap(r);
	fd = open_rw(r, "f", 0);
	OK(fsync(fd));
	OK(swap_on(r));
	/* Its space stays, whatever somebody wants of it. */
	FAILS(ftruncate(fd, 0), ETXTBSY);
	FAILS(pwrite(fd, "x", 1, 0), ETXTBSY);
	OK(swapoff(raw_path(r, "f")));
	put(fd, 100, 0, 1);
	end(r, fd);
}

/* What is swapped to cannot be given back. */
TEST(swap, recalled)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	struct fusex_notify_recall n = { .nodeid = MAP_F };
	int fd;

	OK(chmod(raw_path(r, "f"), 0600));
	mkswap(r);
	fd = open_rw(r, "f", 0);
	OK(fsync(fd));
	OK(swap_on(r));
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n), NULL, 0),
	   ETXTBSY);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	OK(swapoff(raw_path(r, "f")));
	put(fd, 100, 0, 1);
	end(r, fd);
}

static struct raw *with_swap(void)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	int fd;

	if (swapon("/", 0) && errno == ENOSYS)
		SKIP("this kernel has no swap");
	maps_at(r, MAP_F, MAPPED, 512 * KIB, 512 * KIB, 8 * MIB);
	OK(chmod(raw_path(r, "f"), 0600));
	mkswap(r);
	fd = open_rw(r, "f", 0);
	OK(fsync(fd));
	OK(close(fd));
	return r;
}

static int recall_end(struct raw *r)
{
	struct fusex_notify_recall n = {
		.nodeid = MAP_F, .offset = 512 * KIB,
	};

	return maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n), NULL, 0);
}

static atomic_bool looked;

static void hold_second_half(struct raw *r, const struct fusex_in_header *in,
			     struct raw_reply *rep)
{
	const struct fusex_map_begin_in *b = (const void *)(in + 1);

	if (b->offset < 512 * KIB)
		return;
	looked = true;
	hold_answer(r, in, rep);
}

static bool has_looked(void *arg)
{
	(void)arg;
	return looked;
}

/* Some of it is to be swapped to already. */
TEST(swap, recalled_meanwhile)
{
	struct fusex_notify_map n = { .nodeid = MAP_F };
	struct raw *r = with_swap();
	pid_t pid;

	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &n, sizeof(n), NULL, 0), 0);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, hold_second_half, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(swapon(raw_path(r, "f"), 0) != 0);
	}
	UNTIL(has_looked, NULL);
	EQ(recall_end(r), ETXTBSY);
	answering = true;
	EQ(WAIT(pid), 0);
	OK(swapoff(raw_path(r, "f")));
	EQ(recall_end(r), 0);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	maps_stop(r);
}

/* Nor is what is just being given back to be swapped to. */
TEST(swap, on_what_is_being_recalled)
{
	struct raw *r = with_swap();

	raw_bend(r, FUSEX_OP_MAP_RETURN, hold_answer, NULL);
	EQ(recall_end(r), 0);
	UNTIL_SEEN(r, 0);
	FAILS(swap_on(r), EBUSY);
	answering = true;
	EQ(recall_end(r), 0);
	maps_stop(r);
}

TEST(swap, with_holes)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	int fd;

	OK(chmod(raw_path(r, "f"), 0600));
	mkswap(r);
	fd = open_rw(r, "f", 0);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 512 * KIB,
		     64 * KIB));
	OK(fsync(fd));
	FAILS(swap_on(r), EINVAL);
	put(fd, 100, 0, 1);
	/* It can be asked back. */
	EQ(recall_end(r), 0);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	end(r, fd);
}

TEST(swap, over_two_devices)
{
	struct raw *r = maps_start(LOCAL, 2);
	int fd;

	maps_on(r, MAP_F, MAPPED, 0, 512 * KIB, 2 * MIB, r->maps->devs[0]);
	maps_on(r, MAP_F, MAPPED, 512 * KIB, 512 * KIB, 2 * MIB,
		r->maps->devs[1]);
	maps_size(r, MAP_F, 1 * MIB);
	OK(chmod(raw_path(r, "f"), 0600));
	mkswap(r);
	fd = open_rw(r, "f", 0);
	OK(fsync(fd));
	FAILS(swap_on(r), EINVAL);
	end(r, fd);
}

TEST(swap, on_a_remote_file)
{
	struct raw *r = maps_start(FUSEX_ATTR_REMOTE, 1);
	int fd;

	maps_at(r, MAP_F, MAPPED, 0, 1 * MIB, 2 * MIB);
	maps_size(r, MAP_F, 1 * MIB);
	OK(chmod(raw_path(r, "f"), 0600));
	mkswap(r);
	fd = open_rw(r, "f", 0);
	OK(fsync(fd));
	FAILS(swap_on(r), EINVAL);
	end(r, fd);
}

/* ------------------------------------------------------------------- elsewhere */

static struct raw *with_shared(uint64_t size)
{
	struct raw *r = with_f(MAPPED, size, 2 * MIB);

	r->maps->files[MAP_F].at.map[0].flags = FUSEX_MAP_F_SHARED;
	return r;
}

TEST(elsewhere, written)
{
	struct raw *r = with_shared(64 * KIB);
	const struct fusex_map_ioend_in *in = r->maps->ioends;
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	put(fd, 2 * BLOCK, BLOCK, 1);
	shows(fd, 2 * BLOCK, BLOCK, 1);
	OK(fsync(fd));
	EQ(ioends(r), 1);
	EQ(in->offset, BLOCK);
	EQ(in->length, 2 * BLOCK);
	EQ(in->addr, MAP_FREE);
	EQ(in->flags, FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_REPLACE);
	disk_shows(r, 0, 2 * BLOCK, MAP_FREE, BLOCK, 1);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	/* What is read comes from there from now on. */
	uncache(fd);
	maps_reset(r);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	shows(fd, 2 * BLOCK, BLOCK, 1);
	shows_disk(fd, 64 * KIB - 3 * BLOCK, 3 * BLOCK, 2 * MIB + 3 * BLOCK, 0);
	CHECK(begins(r) > 0);
	end(r, fd);
}

static atomic_uint told;

static void note_told(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	(void)in;
	(void)rep;
	told = ioends(r);
}

/*
 * The kernel copies what is shared; the server hears of the FALLOCATE when that is
 * in the page cache only, and of the copy when it is written back.
 */
TEST(elsewhere, unshared)
{
	struct raw *r = with_shared(64 * KIB);
	const struct fusex_map_ioend_in *in = r->maps->ioends;
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_FALLOCATE, note_told, NULL);
	told = 4711;
	OK(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, BLOCK, 2 * BLOCK));
	EQ(begins(r), 1);
	EQ(r->maps->begins[0].op,
	   FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_UNSHARE);
	EQ(maps_count(r, FUSEX_OP_FALLOCATE), 1);
	EQ(told, 0);
	OK(fsync(fd));
	EQ(ioends(r), 1);
	EQ(in->offset, BLOCK);
	EQ(in->length, 2 * BLOCK);
	EQ(in->addr, MAP_FREE);
	EQ(in->flags, FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_REPLACE);
	disk_shows(r, 0, 2 * BLOCK, MAP_FREE, 2 * MIB + BLOCK, DISK_SEED(0));
	/* It is written to where it is from now on. */
	put(fd, BLOCK, BLOCK, 1);
	OK(fsync(fd));
	EQ(ioends(r), 1);
	disk_shows(r, 0, BLOCK, MAP_FREE, BLOCK, 1);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

/* What is refused then is the program's error, and nothing is lost. */
TEST(elsewhere, unsharing_is_refused)
{
	struct raw *r = with_shared(64 * KIB);
	int fd = open_rw(r, "f", 0);

	r->maps->fail[FUSEX_OP_FALLOCATE] = ENOSPC;
	FAILS(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, BLOCK, 2 * BLOCK), ENOSPC);
	OK(fsync(fd));
	uncache(fd);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	shows_disk(fd, 2 * BLOCK, BLOCK, 2 * MIB + BLOCK, 0);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

/* The rest of a block comes from where it was. */
TEST(elsewhere, part_of_a_block)
{
	struct raw *r = with_shared(64 * KIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 100, 5000, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 5000 - BLOCK, MAP_FREE, 2 * MIB + BLOCK, DISK_SEED(0));
	disk_shows(r, 0, 100, MAP_FREE + 5000 - BLOCK, 5000, 1);
	disk_shows(r, 0, 2 * BLOCK - 5100, MAP_FREE + 5100 - BLOCK,
		   2 * MIB + 5100, DISK_SEED(0));
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

TEST(elsewhere, directly)
{
	struct raw *r = with_shared(64 * KIB);
	const struct fusex_map_ioend_in *in = r->maps->ioends;
	int fd = open_rw(r, "f", O_DIRECT);

	shows_disk(fd, 2 * BLOCK, BLOCK, 2 * MIB + BLOCK, 0);
	put(fd, 2 * BLOCK, BLOCK, 1);
	EQ(ioends(r), 1);
	EQ(in->addr, MAP_FREE);
	EQ(in->flags, FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_REPLACE |
	   FUSEX_IOEND_DIRECT);
	shows(fd, 2 * BLOCK, BLOCK, 1);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

/* Until it is there, who asks is told of what was there before. */
static void hold_place(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	const struct fusex_map_begin_in *b = (const void *)(in + 1);

	(void)r;
	if (in->opcode == FUSEX_OP_MAP_BEGIN && b->op & FUSEX_MAP_OP_WRITE)
		((struct fusex_map_begin_out *)rep->body)->write.flags |=
			FUSEX_MAP_F_END;
	if (in->opcode == FUSEX_OP_MAP_END || in->opcode == FUSEX_OP_MAP_IOEND)
		hold(in->opcode);
}

/* The server has replaced it, and the answer is on its way. */
TEST(elsewhere, directly_and_read_meanwhile)
{
	struct raw *r = with_shared(64 * KIB);
	int fd = open_rw(r, "f", O_DIRECT);
	pid_t pid;

	put(fd, BLOCK, 8 * BLOCK, 2);
	raw_bend(r, 0, hold_place, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		put(fd, BLOCK, BLOCK, 1);
		_exit(0);
	}
	UNTIL_HELD(FUSEX_OP_MAP_END);
	shows_disk(fd, BLOCK, BLOCK, 2 * MIB + BLOCK, 0);
	may_go[FUSEX_OP_MAP_END] = true;
	UNTIL_HELD(FUSEX_OP_MAP_IOEND);
	/* Asked for behind that, in the order of the server. */
	shows(fd, BLOCK, BLOCK, 1);
	may_go[FUSEX_OP_MAP_IOEND] = true;
	EQ(WAIT(pid), 0);
	shows(fd, BLOCK, BLOCK, 1);
	end(r, fd);
}

TEST(elsewhere, part_of_a_block_directly)
{
	struct raw *r = with_shared(64 * KIB);
	int fd = open_rw(r, "f", O_DIRECT);

	put(fd, 512, BLOCK + 512, 1);
	shows_disk(fd, 512, BLOCK, 2 * MIB + BLOCK, 0);
	shows(fd, 512, BLOCK + 512, 1);
	shows_disk(fd, BLOCK - 1024, BLOCK + 1024, 2 * MIB + BLOCK + 1024, 0);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

TEST(elsewhere, by_mmap)
{
	struct raw *r = with_shared(64 * KIB);
	int fd = open_rw(r, "f", 0);
	char *p = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	CHECK(p != MAP_FAILED);
	fill_pattern(p + 5000, 100, 5000, 1);
	OK(msync(p, 64 * KIB, MS_SYNC));
	munmap(p, 64 * KIB);
	uncache(fd);
	shows_disk(fd, 5000, 0, 2 * MIB, 0);
	shows(fd, 100, 5000, 1);
	shows_disk(fd, 5000, 5100, 2 * MIB + 5100, 0);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

/* Zeros are written, so they go elsewhere, too. */
TEST(elsewhere, zeros_of_a_truncation)
{
	struct raw *r = with_shared(64 * KIB);
	int fd = open_rw(r, "f", 0);

	OK(ftruncate(fd, 5000));
	OK(ftruncate(fd, 10000));
	OK(fsync(fd));
	uncache(fd);
	shows_disk(fd, 5000, 0, 2 * MIB, 0);
	zeros(fd, 5000, 5000);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

/* MAPPED as the place to write to, where there was a hole: nothing old shows. */
static void hole_but_elsewhere(struct raw *r, const struct fusex_in_header *in,
			       struct raw_reply *rep)
{
	const struct fusex_map_begin_in *b = (const void *)(in + 1);
	struct fusex_map_begin_out *out = (void *)rep->body;

	if (!(b->op & FUSEX_MAP_OP_WRITE))
		return;
	out->read = (struct fusex_map){
		.length = 64 * KIB, .type = HOLE,
	};
	out->write = (struct fusex_map){
		.length = 64 * KIB, .type = MAPPED, .addr = 4 * MIB,
		.dev = r->maps->dev,
	};
}

TEST(elsewhere, in_place_of_a_hole)
{
	struct raw *r = with_f(HOLE, 64 * KIB, 0);
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_MAP_BEGIN, hole_but_elsewhere, NULL);
	put(fd, 100, 5000, 1);
	zeros(fd, 5000, 0);
	shows(fd, 100, 5000, 1);
	zeros(fd, 5000, 5100);
	OK(fsync(fd));
	EQ(r->maps->ioends[0].flags, FUSEX_IOEND_REPLACE);
	disk_zero(r, 0, 5000 - BLOCK, 4 * MIB + BLOCK);
	disk_shows(r, 0, 100, 4 * MIB + 5000, 5000, 1);
	disk_zero(r, 0, 2 * BLOCK - 5100, 4 * MIB + 5100);
	end(r, fd);
}

TEST(elsewhere, in_place_of_a_hole_directly)
{
	struct raw *r = with_f(HOLE, 64 * KIB, 0);
	int fd = open_rw(r, "f", O_DIRECT);

	raw_bend(r, FUSEX_OP_MAP_BEGIN, hole_but_elsewhere, NULL);
	put(fd, 512, BLOCK + 512, 1);
	disk_zero(r, 0, 512, 4 * MIB + BLOCK);
	disk_shows(r, 0, 512, 4 * MIB + BLOCK + 512, BLOCK + 512, 1);
	disk_zero(r, 0, BLOCK - 1024, 4 * MIB + BLOCK + 1024);
	end(r, fd);
}

/* --------------------------------------------------------------------- inline */

static struct raw *with_inline(const char *text, uint32_t room)
{
	struct raw *r = with_f(HOLE, 0, 0);

	r->maps->files[MAP_F].room = room;
	strcpy(r->maps->files[MAP_F].data, text);
	maps_size(r, MAP_F, strlen(text));
	return r;
}

static void text_is(int fd, const char *text)
{
	char buf[512];
	ssize_t n = OK(pread(fd, buf, sizeof(buf) - 1, 0));

	buf[n] = 0;
	STREQ(buf, text);
	EQ(n, strlen(text));
}

static void kept_is(struct raw *r, const char *text)
{
	EQ(r->nodes[MAP_F].size, strlen(text));
	if (memcmp(r->maps->files[MAP_F].data, text, strlen(text)))
		FAIL("the server has \"%.*s\", not \"%s\"", (int)strlen(text),
		     r->maps->files[MAP_F].data, text);
}

static void has_text(int fd, const char *text, off_t at)
{
	char buf[64];

	EQ(OK(pread(fd, buf, strlen(text), at)), strlen(text));
	EQ(memcmp(buf, text, strlen(text)), 0);
}

static void write_text(int fd, const char *text, off_t at)
{
	EQ(OK(pwrite(fd, text, strlen(text), at)), strlen(text));
}

TEST(within, read)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);
	char *p;

	text_is(fd, "some text");
	EQ(begins(r), 1);
	EQ(maps_count(r, FUSEX_OP_READ), 1);
	p = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	STREQ(p, "some text");
	for (unsigned int i = 9; i < BLOCK; i++)
		EQ(p[i], 0);
	munmap(p, BLOCK);
	end(r, fd);
}

TEST(within, written)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);

	write_text(fd, "TEXT", 5);
	text_is(fd, "some TEXT");
	kept_is(r, "some TEXT");
	write_text(fd, " and more", 9);
	text_is(fd, "some TEXT and more");
	kept_is(r, "some TEXT and more");
	EQ(flook(fd).stx_size, 18);
	OK(fsync(fd));
	uncache(fd);
	text_is(fd, "some TEXT and more");
	EQ(ioends(r), 0);
	end(r, fd);
}

TEST(within, written_directly)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", O_DIRECT);

	text_is(fd, "some text");
	write_text(fd, "TEXT", 5);
	kept_is(r, "some TEXT");
	write_text(fd, " and more", 9);
	kept_is(r, "some TEXT and more");
	text_is(fd, "some TEXT and more");
	EQ(flook(fd).stx_size, 18);
	end(r, fd);
}

TEST(within, with_a_gap)
{
	struct raw *r = with_inline("some", 200);
	int fd = open_rw(r, "f", 0);

	write_text(fd, "x", 10);
	EQ(r->nodes[MAP_F].size, 11);
	EQ(memcmp(r->maps->files[MAP_F].data, "some\0\0\0\0\0\0x", 11), 0);
	EQ(flook(fd).stx_size, 11);
	end(r, fd);
}

/* The server moves it, and from then on it is data like any other. */
TEST(within, outgrown)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);

	text_is(fd, "some text");
	put(fd, 1000, 100, 1);
	EQ(r->maps->files[MAP_F].room, 0);
	OK(fsync(fd));
	uncache(fd);
	EQ(r->nodes[MAP_F].size, 1100);
	shows(fd, 1000, 100, 1);
	disk_shows(r, 0, 1000, MAP_FREE + 100, 100, 1);
	zeros(fd, 91, 9);
	write_text(fd, "S", 0);
	OK(fsync(fd));
	CHECK(maps_count(r, FUSEX_OP_WRITE) == 0);
	end(r, fd);
}

TEST(within, written_by_mmap)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);
	char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	STREQ(p, "some text");
	p[0] = 'S';
	EQ(r->maps->files[MAP_F].room, 0);
	OK(msync(p, BLOCK, MS_SYNC));
	munmap(p, BLOCK);
	uncache(fd);
	text_is(fd, "Some text");
	EQ(maps_count(r, FUSEX_OP_WRITE), 0);
	end(r, fd);
}

TEST(within, truncated)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);

	text_is(fd, "some text");
	OK(ftruncate(fd, 4));
	kept_is(r, "some");
	text_is(fd, "some");
	OK(ftruncate(fd, 6));
	EQ(r->nodes[MAP_F].size, 6);
	EQ(memcmp(r->maps->files[MAP_F].data, "some\0\0", 6), 0);
	uncache(fd);
	EQ(flook(fd).stx_size, 6);
	end(r, fd);
}

/* A failed write is seen to have failed, and nothing of it stays. */
static void write_fails(int flags)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", flags);

	text_is(fd, "some text");
	r->maps->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(pwrite(fd, "SOME", 4, 0), ENOSPC);
	FAILS(pwrite(fd, "and more", 8, 9), ENOSPC);
	text_is(fd, "some text");
	EQ(flook(fd).stx_size, 9);
	r->maps->fail[FUSEX_OP_WRITE] = 0;
	OK(fsync(fd));
	write_text(fd, "TEXT", 5);
	kept_is(r, "some TEXT");
	text_is(fd, "some TEXT");
	end(r, fd);
}

TEST(within, write_fails)
{
	write_fails(0);
}

TEST(within, direct_write_fails)
{
	write_fails(O_DIRECT);
}

/* Once: it is on the device when the kernel comes for it, or with it. */
static void moves(struct raw *r, const struct fusex_in_header *in,
		  struct raw_reply *rep)
{
	struct map_file *f = &r->maps->files[MAP_F];

	(void)in;
	if (!f->room)
		return;
	f->room = 0;
	maps_at(r, MAP_F, MAPPED, 0, BLOCK, 2 * MIB);
	rep->oh.error = -EAGAIN;
	rep->len = 0;
}

TEST(within, moves_before_it_is_read)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_READ, moves, NULL);
	shows_disk(fd, 9, 0, 2 * MIB, 0);
	EQ(begins(r), 2);
	EQ(maps_count(r, FUSEX_OP_READ), 1);
	end(r, fd);
}

/* What was written before that is written again, with the same bytes around it. */
static void moves_before_it_is_written(int flags)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0), writer = open_rw(r, "f", flags);

	raw_bend(r, FUSEX_OP_WRITE, moves, NULL);
	write_text(writer, "TEXT and more", 5);
	OK(close(writer));
	EQ(lseek(fd, 0, SEEK_END), 18);
	OK(fsync(fd));
	EQ(maps_count(r, FUSEX_OP_WRITE), 1);
	EQ(r->nodes[MAP_F].size, 18);
	disk_shows(r, 0, 5, 2 * MIB, 2 * MIB, DISK_SEED(0));
	uncache(fd);
	shows_disk(fd, 5, 0, 2 * MIB, 0);
	has_text(fd, "TEXT and more", 5);
	end(r, fd);
}

TEST(within, moves_before_it_is_written)
{
	moves_before_it_is_written(0);
}

TEST(within, moves_before_it_is_written_directly)
{
	moves_before_it_is_written(O_DIRECT);
}

TEST(within, moves_before_it_is_appended_to)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", O_APPEND);

	raw_bend(r, FUSEX_OP_WRITE, moves, NULL);
	EQ(OK(write(fd, " and more", 9)), 9);
	EQ(lseek(fd, 0, SEEK_CUR), 18);
	has_text(fd, " and more", 9);
	OK(fsync(fd));
	EQ(r->nodes[MAP_F].size, 18);
	end(r, fd);
}

TEST(within, moves_before_it_is_zeroed)
{
	struct raw *r = with_inline("some text", 200);
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_WRITE, moves, NULL);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
	OK(fsync(fd));
	shows_disk(fd, 2, 0, 2 * MIB, 0);
	zeros(fd, 3, 2);
	disk_zero(r, 0, 3, 2 * MIB + 2);
	end(r, fd);
}

/* A server that says so for ever is not asked for ever. */
TEST(within, moves_all_the_time)
{
	struct raw *r = with_inline("some text", 200);
	static const int moved = EAGAIN;
	int fd = open_rw(r, "f", 0);
	char c;

	raw_bend(r, FUSEX_OP_WRITE, raw_refuse, &moved);
	FAILS(pwrite(fd, "s", 1, 0), EIO);
	raw_bend(r, FUSEX_OP_READ, raw_refuse, &moved);
	FAILS(pread(fd, &c, 1, 0), EIO);
	raw_bend(r, 0, NULL, NULL);
	text_is(fd, "some text");
	end(r, fd);
}

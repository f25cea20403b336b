// SPDX-License-Identifier: GPL-2.0
/*
 * Iomap mode: devices that are removed, striped, too small, read-only or
 * broken, servers that die, and file systems that are frozen.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define BOTH		(FUSEX_BACKING_READ | FUSEX_BACKING_WRITE)


static char io[64 * KIB] __attribute__((aligned(4096)));

static struct raw *with_f(uint16_t type)
{
	struct raw *r = maps_start(LOCAL, 1);

	maps_at(r, MAP_F, type, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	return r;
}

/* -------------------------------------------------------------------- removal */

TEST(removal, fails_what_comes_later)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);

	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	OK(raw_unregister(r->fd, r->maps->dev, 0));
	FAILS(pread(direct, io, BLOCK, 0), ENODEV);
	FAILS(pwrite(direct, io, BLOCK, 0), ENODEV);
	FAILS(pread(fd, io, BLOCK, 0), EIO);
	FAILS(pwrite(fd, io, 100, 0), ENODEV);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	/* Under another name it is there again. */
	EQ(device_add(r->fd, r->maps->disks[0].fd, BOTH, &r->maps->dev), 0);
	FAILS(pread(direct, io, BLOCK, 0), ENODEV);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &(struct fusex_notify_map){
		.nodeid = MAP_F }, sizeof(struct fusex_notify_map), NULL, 0),
	   0);
	shows_disk(direct, BLOCK, 0, 2 * MIB, 0);
	OK(close(direct));
	end(r, fd);
}

TEST(removal, fails_what_is_dirty)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), other = open_rw(r, "f", 0);

	put(fd, BLOCK, 0, 1);
	OK(raw_unregister(r->fd, r->maps->dev, FUSEX_BACKING_FAIL_IO));
	FAILS(fsync(fd), ENODEV, EIO);
	FAILS(fsync(other), ENODEV, EIO);
	OK(fsync(fd));
	OK(fsync(other));
	disk_shows(r, 0, BLOCK, 2 * MIB, 2 * MIB, DISK_SEED(0));
	OK(close(other));
	end(r, fd);
}

/* What goes on when it is removed ends well, or by ENODEV. */
static void under_load(uint32_t flags, int open_flags)
{
	struct raw *r = with_f(MAPPED);
	struct { atomic_uint done; } *shared;
	pid_t pid;
	int fd;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	fd = open_rw(r, "f", open_flags);
	pid = (pid_t)OK(fork());
	if (!pid) {
		for (;;) {
			ssize_t n = pwrite(fd, io, sizeof(io), 0);

			/* All, what could be, or none of it. */
			if (n < 0)
				_exit(errno);
			if (!(open_flags & O_DIRECT) && fsync(fd))
				_exit(errno);
			shared->done++;
		}
	}
	while (shared->done < 10)
		sched_yield();
	OK(raw_unregister(r->fd, r->maps->dev, flags));
	/* Nothing is written from here on. */
	if (!flags) {
		disk_fill(r, 0, 64 * KIB, 2 * MIB, 7);
		EQ(WAIT(pid), ENODEV);
		disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
	} else {
		int err = WAIT(pid);

		if (err != ENODEV && err != EIO)
			FAIL("the writer ended in %d (%s)", err, strerror(err));
	}
	end(r, fd);
}

TEST(removal, under_direct_writes)
{
	under_load(0, O_DIRECT);
}

TEST(removal, failing_direct_writes)
{
	under_load(FUSEX_BACKING_FAIL_IO, O_DIRECT);
}

TEST(removal, failing_cached_writes)
{
	under_load(FUSEX_BACKING_FAIL_IO, 0);
}

/* ------------------------------------------------------------------- stripes */

#define UNIT		(8 * KIB)

static struct raw *with_stripe(uint16_t type, uint32_t *stripe, int *fd,
			       int flags)
{
	struct raw *r = maps_start(LOCAL, 3);

	EQ(stripe_add(r->fd, r->maps->devs, 3, UNIT, BOTH, stripe), 0);
	maps_on(r, MAP_F, type, 0, 96 * KIB, 24 * UNIT, *stripe);
	maps_size(r, MAP_F, 96 * KIB);
	*fd = open_rw(r, "f", flags);
	return r;
}

/* Unit n of the file is unit 24 + n of the stripe. */
static void stripe_shows(struct raw *r, unsigned int first, unsigned int nr,
			 unsigned int seed)
{
	for (unsigned int n = first; n < first + nr; n++)
		disk_shows(r, (24 + n) % 3, UNIT, (24 + n) / 3 * UNIT,
			   n * UNIT, seed);
}

TEST(stripe, read)
{
	uint32_t stripe;
	int fd;
	struct raw *r = with_stripe(MAPPED, &stripe, &fd, 0);

	for (unsigned int n = 0; n < 12; n++)
		shows_disk(fd, UNIT, n * UNIT, (24 + n) / 3 * UNIT,
			   (24 + n) % 3);
	EQ(begins(r), 1);
	OK(close(fd));
	fd = open_rw(r, "f", O_DIRECT);
	/* From the middle of one to the middle of another. */
	EQ(OK(pread(fd, io, 2 * UNIT, UNIT / 2)), 2 * UNIT);
	check_pattern(io, UNIT / 2, 8 * UNIT + UNIT / 2, DISK_SEED(0));
	check_pattern(io + UNIT / 2, UNIT, 8 * UNIT, DISK_SEED(1));
	check_pattern(io + 3 * UNIT / 2, UNIT / 2, 8 * UNIT, DISK_SEED(2));
	EQ(begins(r), 1);
	end(r, fd);
}

TEST(stripe, written)
{
	uint32_t stripe;
	int fd;
	struct raw *r = with_stripe(MAPPED, &stripe, &fd, 0);

	put(fd, 96 * KIB, 0, 1);
	OK(fsync(fd));
	stripe_shows(r, 0, 12, 1);
	OK(close(fd));
	fd = open_rw(r, "f", O_DIRECT);
	put(fd, 6 * UNIT, 2 * UNIT, 2);
	stripe_shows(r, 2, 6, 2);
	stripe_shows(r, 0, 2, 1);
	stripe_shows(r, 8, 4, 1);
	EQ(begins(r), 1);
	EQ(ioends(r), 0);
	/* And no byte elsewhere. */
	for (unsigned int n = 0; n < 3; n++) {
		disk_shows(r, n, 8 * UNIT, 0, 0, DISK_SEED(n));
		disk_shows(r, n, 8 * UNIT, 12 * UNIT, 12 * UNIT, DISK_SEED(n));
	}
	end(r, fd);
}

/* What the server is told it is told in terms of members, each part once. */
static void told_of_members(struct raw *r)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < ioends(r); i++) {
		const struct fusex_map_ioend_in *in = &r->maps->ioends[i];
		unsigned int unit = 24 + (unsigned int)in->offset / UNIT;

		EQ(in->dev, r->maps->devs[unit % 3]);
		EQ(in->addr, unit / 3 * UNIT + in->offset % UNIT);
		CHECK(in->offset % UNIT + in->length <= UNIT);
		done += in->length;
	}
	EQ(done, 96 * KIB);
}

TEST(stripe, unwritten)
{
	uint32_t stripe;
	int fd;
	struct raw *r = with_stripe(UNWRITTEN, &stripe, &fd, 0);

	put(fd, 96 * KIB, 0, 1);
	OK(fsync(fd));
	stripe_shows(r, 0, 12, 1);
	told_of_members(r);
	maps_reset(r);
	uncache(fd);
	shows(fd, 96 * KIB, 0, 1);
	EQ(begins(r), 0);
	end(r, fd);
}

TEST(stripe, unwritten_directly)
{
	uint32_t stripe;
	int fd;
	struct raw *r = with_stripe(UNWRITTEN, &stripe, &fd, O_DIRECT);

	put(fd, 96 * KIB, 0, 1);
	OK(fsync(fd));
	stripe_shows(r, 0, 12, 1);
	told_of_members(r);
	maps_reset(r);
	shows(fd, 96 * KIB, 0, 1);
	EQ(begins(r), 0);
	end(r, fd);
}

TEST(stripe, without_a_member)
{
	uint32_t stripe;
	int fd;
	struct raw *r = with_stripe(MAPPED, &stripe, &fd, O_DIRECT);

	OK(raw_unregister(r->fd, r->maps->devs[1], 0));
	shows_disk(fd, UNIT, 0, 8 * UNIT, 0);
	FAILS(pread(fd, io, UNIT, UNIT), ENODEV);
	FAILS(pwrite(fd, io, UNIT, UNIT), ENODEV);
	shows_disk(fd, UNIT, 2 * UNIT, 8 * UNIT, 2);
	OK(raw_unregister(r->fd, stripe, 0));
	FAILS(pread(fd, io, UNIT, 0), ENODEV);
	end(r, fd);
}

/* -------------------------------------------------------------- what they can do */

TEST(device, has_shrunk)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", O_DIRECT);

	maps_at(r, MAP_F, MAPPED, 32 * KIB, 32 * KIB, 16 * MIB);
	shows_disk(fd, 64 * KIB - 32 * KIB, 32 * KIB, 16 * MIB, 0);
	OK(truncate("disk0", 8 * MIB));
	OK(ioctl(r->maps->disks[0].fd, LOOP_SET_CAPACITY));
	FAILS(pread(fd, io, BLOCK, 32 * KIB), EUCLEAN);
	FAILS(pwrite(fd, io, BLOCK, 32 * KIB), EUCLEAN);
	shows_disk(fd, 32 * KIB, 0, 2 * MIB, 0);
	end(r, fd);
}

TEST(device, for_reading)
{
	struct raw *r = maps_start(LOCAL, 1);
	uint32_t dev;
	int fd, direct;

	EQ(device_add(r->fd, r->maps->disks[0].fd, FUSEX_BACKING_READ, &dev),
	   0);
	maps_on(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB, dev);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	direct = open_rw(r, "f", O_DIRECT);
	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	FAILS(pwrite(direct, io, BLOCK, 0), EACCES);
	FAILS(pwrite(fd, io, 100, 0), EACCES);
	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, DISK_SEED(0));
	OK(close(direct));
	end(r, fd);
}

static bool have_dm(void)
{
	return !system("modprobe -q dm_mod; dmsetup ls >/dev/null 2>&1");
}

/* A device all of whose sectors from @bad on are errors. */
struct dm {
	char name[32];
	char path[64];
};

static struct dm dm_of(const struct loop *l, uint64_t bad)
{
	struct dm dm;
	unsigned long long good = bad / 512;
	FILE *table;
	char cmd[128];

	snprintf(dm.name, sizeof(dm.name), "fusex-%d", getpid());
	snprintf(dm.path, sizeof(dm.path), "/dev/mapper/%s", dm.name);
	table = fopen("table", "w");
	CHECK(table);
	fprintf(table, "0 %llu linear %s 0\n", good, l->path);
	fprintf(table, "%llu 2048 error\n", good);
	fclose(table);
	snprintf(cmd, sizeof(cmd), "DM_DISABLE_UDEV=1 dmsetup create %s table >dm.log 2>&1",
		 dm.name);
	if (system(cmd))
		FAIL("dmsetup: %s", slurp("dm.log"));
	return dm;
}

static void dm_remove(const struct dm *dm)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "DM_DISABLE_UDEV=1 dmsetup remove --retry %s", dm->name);
	EQ(system(cmd), 0);
}

/* Its errors are told to who waits, to the server, and by fsync. */
static void broken(uint16_t type)
{
	struct raw *r;
	int fd, other, direct, dev;
	uint32_t cookie;
	struct dm dm;

	if (!have_dm())
		SKIP("this kernel has no device mapper");
	r = maps_start(LOCAL, 1);
	dm = dm_of(&r->maps->disks[0], 8 * MIB);
	dev = (int)OK(open(dm.path, O_RDWR));
	EQ(device_add(r->fd, dev, BOTH, &cookie), 0);
	OK(close(dev));
	maps_on(r, MAP_F, type, 0, 64 * KIB, 8 * MIB, cookie);
	maps_on(r, MAP_F, MAPPED, 64 * KIB, 64 * KIB, 2 * MIB, cookie);
	maps_size(r, MAP_F, 128 * KIB);
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "f", 0);
	direct = open_rw(r, "f", O_DIRECT);
	if (type == MAPPED) {
		FAILS(pread(fd, io, BLOCK, 0), EIO);
		FAILS(pread(direct, io, BLOCK, 0), EIO);
	}
	FAILS(pwrite(direct, io, BLOCK, 0), EIO);
	EQ(ioends(r), type == UNWRITTEN);
	if (type == UNWRITTEN) {
		EQ(r->maps->ioends[0].error, -EIO);
		EQ(r->maps->ioends[0].flags,
		   FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_DIRECT);
	}
	maps_reset(r);
	put(fd, BLOCK, BLOCK, 1);
	FAILS(fsync(fd), EIO);
	FAILS(fsync(other), EIO);
	OK(fsync(fd));
	EQ(ioends(r), type == UNWRITTEN);
	if (type == UNWRITTEN) {
		EQ(r->maps->ioends[0].error, -EIO);
		EQ(r->maps->ioends[0].flags, FUSEX_IOEND_UNWRITTEN);
		EQ(r->maps->ioends[0].offset, BLOCK);
		EQ(r->maps->ioends[0].size, 0);
	}
	/* The rest of it is as good as it was. */
	shows_disk(fd, 64 * KIB, 64 * KIB, 2 * MIB, 0);
	put(direct, BLOCK, 64 * KIB, 2);
	disk_shows(r, 0, BLOCK, 2 * MIB, 64 * KIB, 2);
	OK(raw_unregister(r->fd, cookie, 0));
	OK(close(direct));
	OK(close(other));
	OK(close(fd));
	dm_remove(&dm);
	maps_stop(r);
}

TEST(device, is_broken)
{
	broken(MAPPED);
}

TEST(device, is_broken_where_unwritten)
{
	broken(UNWRITTEN);
}

static pid_t write_in_child(struct raw *r, int fd)
{
	pid_t pid = (pid_t)OK(fork());

	if (!pid) {
		close(r->fd);
		if (pwrite(fd, io, BLOCK, 0) != BLOCK)
			_exit(errno);
		_exit(fsync(fd) ? errno : 0);
	}
	return pid;
}

/* --------------------------------------------------- removal, with I/O held */

static void dm_do(const struct dm *dm, const char *what)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "DM_DISABLE_UDEV=1 dmsetup %s %s", what,
		 dm->name);
	EQ(system(cmd), 0);
}

struct user {
	const char *backing;
	uint32_t cookie;
};

/* The number at the end of the object's line in sysfs, -1 without one. */
static int users(const struct user *u)
{
	const char *line = slurp(u->backing);

	for (; *line; line = strchr(line, '\n') + 1)
		if (strtoul(line, NULL, 10) == u->cookie)
			return atoi(strrchr(strndupa(line, strcspn(line, "\n")),
					    ' '));
	return -1;
}

/* A write uses the mapping no more, but its bio does. */
static bool is_used(void *arg)
{
	return users(arg) > 0;
}

static bool is_gone(void *arg)
{
	return users(arg) < 0;
}

/*
 * What is being written when the device is removed: waited for, or left to end
 * by itself, as ENODEV.
 */
static void held(uint32_t flags)
{
	struct user user;
	struct raw *r;
	struct dm dm;
	pid_t writer, remover;
	int fd, dev;

	if (!have_dm())
		SKIP("this kernel has no device mapper");
	r = maps_start(LOCAL, 1);
	dm = dm_of(&r->maps->disks[0], 8 * MIB);
	dev = (int)OK(open(dm.path, O_RDWR));
	EQ(device_add(r->fd, dev, BOTH, &user.cookie), 0);
	OK(close(dev));
	user.backing = strdup(raw_sysfs(r, "backing"));
	maps_on(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB, user.cookie);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", O_DIRECT);
	/* Nothing but the write is done while the device is suspended. */
	put(fd, BLOCK, BLOCK, 1);
	dm_do(&dm, "suspend --noflush --nolockfs");
	writer = write_in_child(r, fd);
	UNTIL(is_used, &user);
	remover = (pid_t)OK(fork());
	if (!remover)
		_exit(raw_unregister(r->fd, user.cookie, flags) ? errno : 0);
	UNTIL(is_gone, &user);
	FAILS(pwrite(fd, io, BLOCK, 0), ENODEV);
	if (flags)
		EQ(WAIT(remover), 0);
	dm_do(&dm, "resume");
	EQ(WAIT(writer), flags ? ENODEV : 0);
	if (!flags)
		EQ(WAIT(remover), 0);
	disk_zero(r, 0, BLOCK, 2 * MIB);
	OK(close(fd));
	dm_remove(&dm);
	maps_stop(r);
}

TEST(removal, waits_for_what_goes_on)
{
	held(0);
}

TEST(removal, fails_what_goes_on)
{
	held(FUSEX_BACKING_FAIL_IO);
}

/* -------------------------------------------------------------- dead servers */

static void gone(struct raw *r)
{
	OK(umount2(r->mnt, 0));
	rmdir(r->mnt);
}

TEST(death, with_dirty_data)
{
	struct raw *r = with_f(UNWRITTEN);
	int fd = open_rw(r, "f", 0), other = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	raw_sysfs_write(r, "abort", "1");
	FAILS(fsync(fd), EIO);
	FAILS(fsync(fd), ENOTCONN);
	FAILS(fsync(other), EIO);
	FAILS(fsync(other), ENOTCONN);
	FAILS(pwrite(fd, io, 100, 0), ENOTCONN);
	close(other);
	close(fd);
	gone(r);
}

/* Nobody can say whether the space is the file's still. */
TEST(death, writes_to_devices_no_more)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);

	put(fd, 64 * KIB, 0, 1);
	raw_sysfs_write(r, "abort", "1");
	disk_fill(r, 0, 64 * KIB, 2 * MIB, 7);
	FAILS(pwrite(direct, io, BLOCK, 0), ENOTCONN, ENODEV);
	FAILS(fsync(fd), EIO, ENOTCONN, ENODEV);
	close(direct);
	close(fd);
	gone(r);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
}

/* Each request that the kernel waits for, and nobody answers. */
static void dies_in(uint32_t op, int flags, uint16_t type, int wanted)
{
	struct raw *r = with_f(type);
	int fd = open_rw(r, "f", flags);
	pid_t pid;

	raw_bend(r, op, raw_never, NULL);
	pid = write_in_child(r, fd);
	UNTIL_SEEN(r, 0);
	raw_sysfs_write(r, "abort", "1");
	EQ(WAIT(pid), wanted);
	close(fd);
	gone(r);
}

TEST(death, in_begin)
{
	dies_in(FUSEX_OP_MAP_BEGIN, 0, MAPPED, ENOTCONN);
}

TEST(death, in_begin_of_direct_io)
{
	dies_in(FUSEX_OP_MAP_BEGIN, O_DIRECT, MAPPED, ENOTCONN);
}

TEST(death, in_ioend)
{
	dies_in(FUSEX_OP_MAP_IOEND, 0, UNWRITTEN, EIO);
}

TEST(death, in_ioend_of_direct_io)
{
	dies_in(FUSEX_OP_MAP_IOEND, O_DIRECT, UNWRITTEN, EIO);
}

/* A worker waits for the answer, and who is on its way out for the worker. */
TEST(death, of_the_caller_in_ioend)
{
	struct raw *r = with_f(UNWRITTEN);
	pid_t pid;

	raw_bend(r, FUSEX_OP_MAP_IOEND, raw_never, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		int fd = open_rw(r, "f", O_DIRECT);

		close(r->fd);
		put(fd, BLOCK, 0, 1);
		UNTIL_SEEN(r, 0);
		_exit(0);
	}
	EQ(WAIT(pid), 0);
	raw_sysfs_write(r, "abort", "1");
	gone(r);
}

/* A recall nobody waits for any more. */
TEST(death, in_return)
{
	struct raw *r = with_f(MAPPED);
	struct fusex_notify_recall n = { .nodeid = MAP_F };
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_MAP_RETURN, raw_never, NULL);
	put(fd, BLOCK, 0, 1);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n), NULL, 0), 0);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	raw_sysfs_write(r, "abort", "1");
	close(fd);
	gone(r);
}

/* A fatal signal ends every wait. */
static void killed_in(uint32_t op, int flags, uint16_t type)
{
	struct raw *r = with_f(type);
	int fd = open_rw(r, "f", flags);
	pid_t pid;

	raw_bend(r, op, raw_never, NULL);
	pid = write_in_child(r, fd);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	raw_bend(r, 0, NULL, NULL);
	put(fd, BLOCK, 0, 1);
	OK(fsync(fd));
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	end(r, fd);
}

TEST(killed, in_begin)
{
	killed_in(FUSEX_OP_MAP_BEGIN, 0, MAPPED);
}

TEST(killed, in_begin_of_direct_io)
{
	killed_in(FUSEX_OP_MAP_BEGIN, O_DIRECT, MAPPED);
}

/* The data goes where the server says, though who asked is gone. */
TEST(killed, in_writeback)
{
	struct raw *r = maps_start(LOCAL, 1);
	pid_t pid;
	int fd;

	maps_size(r, MAP_F, 0);
	r->maps->files[MAP_F].alloc = DELALLOC;
	fd = open_rw(r, "f", 0);
	put(fd, 64 * KIB, 0, 1);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(fsync(fd) ? errno : 0);
	}
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	answering = true;
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, MAP_FREE, 0, 1);
	end(r, fd);
}

/* ---------------------------------------------------------------------- freezing */

static bool is_blocked(void *arg)
{
	return sleeps(arg) || sleeps_deep(arg);
}

TEST(freeze, and_thaw)
{
	struct raw *r = with_f(UNWRITTEN);
	int fd = open_rw(r, "f", 0), root = (int)OK(open(r->mnt, O_RDONLY));
	int direct;
	pid_t pid;

	direct = open_rw(r, "f", O_DIRECT);
	put(fd, BLOCK, 0, 1);
	put(direct, BLOCK, 2 * BLOCK, 1);
	OK(ioctl(root, FIFREEZE, 0));
	EQ(maps_count(r, FUSEX_OP_FREEZE), 1);
	EQ(r->maps->freezes[0].flags, 0);
	/* All is written, and told, before. */
	EQ(ioends(r), 2);
	OK(close(direct));
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	shows(fd, BLOCK, 0, 1);
	pid = write_in_child(r, fd);
	UNTIL(is_blocked, &pid);
	shows(fd, BLOCK, 0, 1);
	OK(ioctl(root, FITHAW, 0));
	EQ(maps_count(r, FUSEX_OP_FREEZE), 2);
	EQ(r->maps->freezes[1].flags, FUSEX_FREEZE_THAW);
	EQ(WAIT(pid), 0);
	zeros(fd, BLOCK, 0);
	OK(close(root));
	end(r, fd);
}

TEST(freeze, is_refused_by_the_server)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), root = (int)OK(open(r->mnt, O_RDONLY));

	r->maps->fail[FUSEX_OP_FREEZE] = EBUSY;
	FAILS(ioctl(root, FIFREEZE, 0), EBUSY);
	put(fd, BLOCK, 0, 1);
	OK(fsync(fd));
	r->maps->fail[FUSEX_OP_FREEZE] = ENOSYS;
	OK(ioctl(root, FIFREEZE, 0));
	OK(ioctl(root, FITHAW, 0));
	put(fd, BLOCK, 0, 2);
	OK(close(root));
	end(r, fd);
}

static bool is_thawed(void *arg)
{
	struct raw *r = arg;

	return maps_count(r, FUSEX_OP_FREEZE) > 1;
}

static bool can_be_frozen(void *arg)
{
	return !ioctl(*(int *)arg, FIFREEZE, 0);
}

/* It is being carried out, for nobody: what is to undo that comes after it. */
static void is_taken_back(struct raw *r, int root)
{
	raw_ask_on(r);
	FAILS(ioctl(root, FIFREEZE, 0), EBUSY);
	EQ(maps_count(r, FUSEX_OP_FREEZE), 0);
	answering = true;
	UNTIL(is_thawed, r);
	EQ(r->maps->freezes[0].flags, 0);
	EQ(r->maps->freezes[1].flags, FUSEX_FREEZE_THAW);
	UNTIL(can_be_frozen, &root);
	OK(ioctl(root, FITHAW, 0));
	EQ(maps_count(r, FUSEX_OP_FREEZE), 4);
}

TEST(freeze, is_taken_back_when_killed)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), root = (int)OK(open(r->mnt, O_RDONLY));
	pid_t pid;

	raw_bend(r, FUSEX_OP_FREEZE, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(ioctl(root, FIFREEZE, 0) ? errno : 0);
	}
	UNTIL_SEEN(r, 0);
	raw_bend(r, 0, NULL, NULL);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	is_taken_back(r, root);
	put(fd, BLOCK, 0, 1);
	OK(close(root));
	end(r, fd);
}

/* The answer does not come in time. */
static void freeze_late(struct raw *r, int root, raw_twist twist)
{
	raw_bend(r, FUSEX_OP_FREEZE, twist, NULL);
	raw_sysfs_write(r, "timeout_ms", "200");
	FAILS(ioctl(root, FIFREEZE, 0), ETIMEDOUT);
	raw_sysfs_write(r, "timeout_ms", "0");
	raw_bend(r, 0, NULL, NULL);
}

TEST(freeze, is_taken_back_when_it_is_late)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), root = (int)OK(open(r->mnt, O_RDONLY));

	freeze_late(r, root, hold_answer);
	is_taken_back(r, root);
	put(fd, BLOCK, 0, 1);
	OK(close(root));
	end(r, fd);
}

/* Nor does anybody wait for one that is never answered. */
TEST(freeze, is_given_up_at_the_end)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), root = (int)OK(open(r->mnt, O_RDONLY));

	freeze_late(r, root, raw_never);
	OK(close(root));
	end(r, fd);
}

TEST(freeze, a_dead_server_thaws)
{
	struct raw *r = with_f(MAPPED);
	int fd = open_rw(r, "f", 0), root = (int)OK(open(r->mnt, O_RDONLY));

	OK(ioctl(root, FIFREEZE, 0));
	raw_sysfs_write(r, "abort", "1");
	OK(ioctl(root, FITHAW, 0));
	close(root);
	close(fd);
	gone(r);
}

static void is_not_frozen(uint32_t attr_mode, uint32_t attr_modes,
			  uint32_t io_mode, uint32_t io_modes)
{
	struct raw *r = raw_alloc();
	int root;

	raw_setup_init(&r->setup, attr_mode);
	r->setup.attr_modes = attr_modes;
	r->setup.io_mode = io_mode;
	r->setup.io_modes = io_modes;
	maps_start_setup(r, 0);
	root = (int)OK(open(r->mnt, O_RDONLY));
	FAILS(ioctl(root, FIFREEZE, 0), EOPNOTSUPP);
	EQ(maps_count(r, FUSEX_OP_FREEZE), 0);
	OK(close(root));
	maps_stop(r);
}

TEST(freeze, only_what_is_ours)
{
	is_not_frozen(REMOTE, 0, FUSEX_IO_IOMAP, 0);
	is_not_frozen(LOCAL, 1u << REMOTE, FUSEX_IO_IOMAP, 0);
	is_not_frozen(LOCAL, 0, FUSEX_IO_PLAIN, 0);
	is_not_frozen(LOCAL, 0, FUSEX_IO_IOMAP, 1u << FUSEX_IO_PLAIN);
	is_not_frozen(LOCAL, 0, FUSEX_IO_WRITEBACK, 1u << FUSEX_IO_IOMAP);
}

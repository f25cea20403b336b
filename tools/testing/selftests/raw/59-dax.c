// SPDX-License-Identifier: GPL-2.0
/*
 * Dax mode: data is loaded and stored where it is, in the memory of a device, and
 * the server is asked and told as much as it has to be.
 */
#include "fs.h"
#include "pmem.h"
#include "tap.h"

#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define RW		(PROT_READ | PROT_WRITE)
#define BOTH		(FUSEX_BACKING_READ | FUSEX_BACKING_WRITE)
#define PMD		(2 * MIB)

static struct raw *with_empty_f(void)
{
	struct raw *r = dax_start(LOCAL, 1);

	maps_size(r, MAP_F, 0);
	return r;
}

/* Other than whether a write ends privileges, which is asked once for a file. */
static unsigned int requests(struct raw *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FUSEX_OP_NR; i++) {
		unsigned int some = maps_count(r, i);

		if (!some || i == FUSEX_OP_GETXATTR)
			continue;
		tap_note("%u requests of operation %u", some, i);
		n += some;
	}
	return n;
}

/* --------------------------------------------------------------- SIGBUS */

static sigjmp_buf no_page;

static void on_sigbus(int sig)
{
	siglongjmp(no_page, sig);
}

/* Does touching it give SIGBUS? */
static bool is_lost(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_handler = on_sigbus };

	OK(sigaction(SIGBUS, &sa, NULL));
	if (sigsetjmp(no_page, 1))
		return true;
	if (write)
		*p = 1;
	else
		(void)*p;
	return false;
}

/* -------------------------------------------------------------------- setup */

static int try_setup(uint32_t io_mode, uint32_t io_modes, uint32_t block_size)
{
	int fd = (int)OK(open("/dev/fusex", O_RDWR));
	struct fusex_setup s;
	int err;

	raw_setup_init(&s, LOCAL);
	s.io_mode = io_mode;
	s.io_modes = io_modes;
	s.block_size = block_size;
	err = ioctl(fd, FUSEX_IOC_SETUP, &s) ? errno : 0;
	close(fd);
	return err;
}

TEST(setup, needs_a_kernel_that_has_it)
{
	int want = has_fs_dax() ? 0 : EOPNOTSUPP;

	EQ(try_setup(FUSEX_IO_DAX, 0, 0), want);
	EQ(try_setup(FUSEX_IO_PLAIN, 1 << FUSEX_IO_DAX, 4096), want);
}

TEST(setup, needs_blocks_that_are_pages)
{
	if (!has_fs_dax())
		SKIP("the kernel has no FS_DAX");
	EQ(try_setup(FUSEX_IO_DAX, 0, 512), EINVAL);
	EQ(try_setup(FUSEX_IO_PLAIN, 1 << FUSEX_IO_DAX, 1024), EINVAL);
}

/* -------------------------------------------------------------- registering */

TEST(device, has_one_holder)
{
	struct raw *r = dax_with(MAPPED, BLOCK, 1 * MIB);
	struct raw *other = dax_start(LOCAL, 0);
	int fd = (int)OK(open(pmem_path(0), O_RDWR));
	uint32_t cookie;

	EQ(pmem_add(other->fd, fd, BOTH, &cookie), EBUSY);
	/* As a block device it is everybody's. */
	EQ(device_add(other->fd, fd, BOTH, &cookie), 0);
	maps_stop(r);
	EQ(pmem_add(other->fd, fd, BOTH, &cookie), 0);
	close(fd);
	maps_stop(other);
}

TEST(device, that_is_none)
{
	struct raw *r = dax_start(LOCAL, 0);
	struct loop l = loop_of("disk", DISK_SIZE, 512);
	uint32_t cookie;
	int fd;

	EQ(pmem_add(r->fd, l.fd, BOTH, &cookie), EOPNOTSUPP);
	close(l.fd);
	fd = (int)OK(open("/dev/null", O_RDWR));
	EQ(pmem_add(r->fd, fd, BOTH, &cookie), EINVAL);
	close(fd);
	fd = (int)OK(open("disk", O_RDWR));
	EQ(pmem_add(r->fd, fd, BOTH, &cookie), EINVAL);
	close(fd);
	fd = (int)OK(open(pmem_path(0), O_RDONLY));
	EQ(pmem_add(r->fd, fd, BOTH, &cookie), EBADF);
	close(fd);
	EQ(pmem_add(r->fd, -1, BOTH, &cookie), EBADF);
	maps_stop(r);
}

/* ---------------------------------------------------------- reading, writing */

TEST(reading, every_type)
{
	struct raw *r = dax_start(LOCAL, 1);
	struct statx stx;
	int fd;

	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 1 * MIB);
	maps_at(r, MAP_F, UNWRITTEN, 128 * KIB, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 160 * KIB + 100);
	fd = open_rw(r, "f", 0);
	stx = flook(fd);
	CHECK(stx.stx_attributes_mask & STATX_ATTR_DAX);
	CHECK(stx.stx_attributes & STATX_ATTR_DAX);
	shows_disk(fd, 64 * KIB, 0, 1 * MIB, 0);
	zeros(fd, 96 * KIB, 64 * KIB);
	EQ(begins(r), 3);
	EQ(r->maps->begins[0].op, FUSEX_MAP_OP_DAX);
	maps_reset(r);
	shows_disk(fd, 3, 100, 1 * MIB + 100, 0);
	zeros(fd, 64 * KIB, 64 * KIB);
	EQ(requests(r), 0);
	EQ(maps_count(r, FUSEX_OP_READ), 0);
	end(r, fd);
}

TEST(writing, over_what_is_there)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, BLOCK, 0, 1 * MIB, 0);
	maps_reset(r);
	put(fd, 10000, 5000, 1);
	EQ(requests(r), 0);
	disk_shows(r, 0, 10000, 1 * MIB + 5000, 5000, 1);
	shows_disk(fd, 5000, 0, 1 * MIB, 0);
	shows_disk(fd, 1000, 15000, 1 * MIB + 15000, 0);
	end(r, fd);
}

/* What is beside the data in the new block is zero, whatever the device had. */
TEST(writing, into_a_hole)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);

	disk_fill(r, 0, 64 * KIB, MAP_FREE, 7);
	put(fd, 100, 5000, 1);
	shows(fd, 100, 5000, 1);
	zeros(fd, 5000, 0);
	OK(fsync(fd));
	EQ(r->nodes[MAP_F].size, 5100);
	EQ(maps_find(r, MAP_F, BLOCK)->type, MAPPED);
	CHECK(!maps_find(r, MAP_F, 0));
	disk_zero(r, 0, 904, MAP_FREE);
	disk_shows(r, 0, 100, MAP_FREE + 904, 5000, 1);
	disk_zero(r, 0, 4096 - 1004, MAP_FREE + 1004);
	end(r, fd);
}

TEST(writing, many_appends)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", O_APPEND);

	for (unsigned int i = 0; i < 100; i++)
		put(fd, 1000, i * 1000, 3);
	shows(fd, 100000, 0, 3);
	OK(fsync(fd));
	EQ(r->nodes[MAP_F].size, 100000);
	drop_caches();
	shows(fd, 100000, 0, 3);
	end(r, fd);
}

TEST(writing, space_that_is_not_ready_is_refused)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);

	r->maps->files[MAP_F].alloc = MAPPED;
	FAILS(pwrite(fd, "x", 1, 0), EUCLEAN);
	end(r, fd);
}

/* ------------------------------------------------------------------- mappings */

/* Stores of one process are seen by the other at once, and by read(2). */
TEST(mapping, is_coherent)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	pid_t pid;

	check_pattern(p, 64 * KIB, 1 * MIB, DISK_SEED(0));
	pid = (pid_t)OK(fork());
	if (!pid) {
		int mine = open_rw(r, "f", 0);
		char *q = map_fd(mine, 64 * KIB, RW, MAP_SHARED);

		fill_pattern(q + BLOCK, BLOCK, 0, 5);
		put(mine, BLOCK, 2 * BLOCK, 6);
		_exit(0);
	}
	EQ(WAIT(pid), 0);
	check_pattern(p + BLOCK, BLOCK, 0, 5);
	check_pattern(p + 2 * BLOCK, BLOCK, 2 * BLOCK, 6);
	fill_pattern(p, BLOCK, 0, 8);
	shows(fd, BLOCK, 0, 8);
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

TEST(mapping, of_a_hole_is_replaced)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);
	char *p;

	disk_fill(r, 0, 64 * KIB, MAP_FREE, 7);
	OK(ftruncate(fd, 64 * KIB));
	p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	EQ(p[0], 0);
	EQ(p[BLOCK], 0);
	/* By write(2), under what is mapped. */
	put(fd, BLOCK, 0, 1);
	check_pattern(p, BLOCK, 0, 1);
	/* By a store. */
	p[BLOCK + 1] = 9;
	EQ(p[BLOCK], 0);
	EQ(p[BLOCK + 1], 9);
	OK(msync(p, 64 * KIB, MS_SYNC));
	EQ(maps_find(r, MAP_F, BLOCK)->type, MAPPED);
	CHECK(maps_count(r, FUSEX_OP_FSYNC));
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

TEST(mapping, private_is_copied)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_PRIVATE);
	pid_t pid;

	p[0] = 'p';
	pid = (pid_t)OK(fork());
	if (!pid) {
		EQ(p[0], 'p');
		p[0] = 'c';
		p[BLOCK] = 'c';
		_exit(0);
	}
	EQ(WAIT(pid), 0);
	EQ(p[0], 'p');
	check_pattern(p + BLOCK, BLOCK, 1 * MIB + BLOCK, DISK_SEED(0));
	shows_disk(fd, 64 * KIB, 0, 1 * MIB, 0);
	/* What was not copied is the file's still. */
	put(fd, BLOCK, 2 * BLOCK, 4);
	check_pattern(p + 2 * BLOCK, BLOCK, 2 * BLOCK, 4);
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

TEST(mapping, is_huge)
{
	struct raw *r = dax_with(MAPPED, 2 * PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 2 * PMD, RW, MAP_SHARED);

	EQ((uintptr_t)p % PMD, 0);
	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	CHECK(is_pmd(p));
	p[PMD + 5] = 1;
	CHECK(is_pmd(p + PMD));
	CHECK(is_pmd(p + 2 * PMD - 1));
	OK(msync(p, 2 * PMD, MS_SYNC));
	OK(munmap(p, 2 * PMD));
	end(r, fd);
}

/* What is not in one piece, or not aligned, is mapped page by page. */
TEST(mapping, is_not_huge)
{
	struct raw *r = dax_start(LOCAL, 1);
	char *p;
	int fd;

	maps_at(r, MAP_F, MAPPED, 0, PMD, 4 * MIB + BLOCK);
	maps_at(r, MAP_F, MAPPED, PMD, MIB, 8 * MIB);
	maps_at(r, MAP_F, MAPPED, PMD + MIB, MIB, 16 * MIB);
	maps_size(r, MAP_F, 2 * PMD);
	fd = open_rw(r, "f", 0);
	p = map_fd(fd, 2 * PMD, RW, MAP_SHARED);
	check_pattern(p, PMD, 4 * MIB + BLOCK, DISK_SEED(0));
	CHECK(!is_pmd(p));
	check_pattern(p + PMD, MIB, 8 * MIB, DISK_SEED(0));
	check_pattern(p + PMD + MIB, MIB, 16 * MIB, DISK_SEED(0));
	CHECK(!is_pmd(p + PMD));
	OK(munmap(p, 2 * PMD));
	end(r, fd);
}

TEST(mapping, of_a_hole_becomes_huge)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);
	char *p;

	disk_fill(r, 0, 64 * KIB, MAP_FREE, 7);
	OK(ftruncate(fd, PMD));
	p = map_fd(fd, PMD, RW, MAP_SHARED);
	p[PMD / 2] = 1;
	CHECK(is_pmd(p));
	EQ(begins(r), 1);
	EQ(p[0], 0);
	p[PMD / 2] = 0;
	for (unsigned int i = 0; i < PMD; i += 64)
		EQ(p[i], 0);
	OK(munmap(p, PMD));
	end(r, fd);
}

/* Zeros behind the end, whatever was stored there. */
TEST(mapping, behind_the_end)
{
	struct raw *r = dax_with(MAPPED, 5000, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 4 * BLOCK, RW, MAP_SHARED);

	p[5000] = 'x';
	CHECK(is_lost(p + 2 * BLOCK, false));
	OK(ftruncate(fd, 4 * BLOCK));
	zeros(fd, 4 * BLOCK - 5000, 5000);
	EQ(p[5000], 0);
	EQ(p[2 * BLOCK], 0);
	OK(munmap(p, 4 * BLOCK));
	end(r, fd);
}

/* What is synchronous has been told before it can be stored to. */
TEST(mapping, synchronous)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);
	char *p;

	OK(ftruncate(fd, 4 * BLOCK));
	p = mmap(NULL, 4 * BLOCK, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (p == MAP_FAILED) {
		EQ(errno, EOPNOTSUPP);
		maps_stop(r);
		SKIP("the device needs more than a flush of caches");
	}
	maps_reset(r);
	p[0] = 1;
	EQ(maps_find(r, MAP_F, 0)->type, MAPPED);
	EQ(maps_count(r, FUSEX_OP_FSYNC), 1);
	maps_reset(r);
	p[1] = 1;
	EQ(requests(r), 0);
	OK(munmap(p, 4 * BLOCK));
	end(r, fd);
}

/* ------------------------------------------------------- nothing is asked */

#define PIECES	4096u

/* Page n of the file is at that page of the device: no two follow each other. */
static unsigned int piece_at(unsigned int n)
{
	return n * 1031 % PIECES;
}

static void push_pieces(struct raw *r)
{
	struct fusex_map m[FUSEX_UPSERT_MAX];

	for (unsigned int i = 0; i < PIECES; i += FUSEX_UPSERT_MAX) {
		for (unsigned int k = 0; k < FUSEX_UPSERT_MAX; k++)
			m[k] = map_at(r, MAPPED, (i + k) * BLOCK, BLOCK,
				      piece_at(i + k) * BLOCK);
		EQ(upsert(r, m, FUSEX_UPSERT_MAX), 0);
	}
}

static long faults(void)
{
	struct rusage u;

	OK(getrusage(RUSAGE_SELF, &u));
	return u.ru_minflt + u.ru_majflt;
}

TEST(pushed, a_million_faults)
{
	long want = tap_slow() > 4 && !tap_long() ? 80000 : 1000000;
	struct raw *r = dax_start(LOCAL, 1);
	unsigned int n = 1;
	long before;
	char *p;
	int fd;

	maps_size(r, MAP_F, PIECES * BLOCK);
	fd = open_rw(r, "f", 0);
	push_pieces(r);
	p = map_fd(fd, PIECES * BLOCK, RW, MAP_SHARED);
	/* Nor are times left to be written. */
	OK(fsync(fd));
	before = faults();
	maps_reset(r);
	while (faults() - before < want) {
		for (unsigned int i = 0; i < 1000; i++) {
			n = n * 1103515245 + 12345;
			EQ((unsigned char)p[(n >> 8) % PIECES * BLOCK],
			   pattern(piece_at((n >> 8) % PIECES) * BLOCK,
				   DISK_SEED(0)));
		}
		OK(madvise(p, PIECES * BLOCK, MADV_DONTNEED));
	}
	shows_disk(fd, BLOCK, 7 * BLOCK, piece_at(7) * BLOCK, 0);
	put(fd, BLOCK, 9 * BLOCK, 1);
	EQ(requests(r), 0);
	tap_note("%ld faults, %u requests", faults() - before, requests(r));
	OK(munmap(p, PIECES * BLOCK));
	end(r, fd);
}

/* A twist: the server tells where all of the file is before it answers. */
static void push_first(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	struct fusex_map m = map_at(r, MAPPED, 0, 2 * PMD, 4 * MIB);

	(void)in;
	if (upsert(r, &m, 1))
		rep->oh.error = -EIO;
}

TEST(pushed, when_it_is_opened)
{
	struct raw *r = dax_with(MAPPED, 2 * PMD, 4 * MIB);
	char *p;
	int fd;

	raw_bend(r, FUSEX_OP_OPEN, push_first, NULL);
	fd = open_rw(r, "f", 0);
	EQ(maps_count(r, FUSEX_OP_OPEN), 1);
	shows_disk(fd, 2 * PMD, 0, 4 * MIB, 0);
	put(fd, BLOCK, 10 * BLOCK, 1);
	p = map_fd(fd, 2 * PMD, RW, MAP_SHARED);
	check_pattern(p, 10 * BLOCK, 4 * MIB, DISK_SEED(0));
	p[PMD] = 1;
	CHECK(is_pmd(p + PMD));
	EQ(begins(r), 0);
	OK(munmap(p, 2 * PMD));
	end(r, fd);
}

/* Where there was a hole, which is mapped, there is data. */
TEST(pushed, over_what_is_mapped)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);
	struct fusex_map m;
	char *p;

	OK(ftruncate(fd, 4 * BLOCK));
	p = map_fd(fd, 4 * BLOCK, PROT_READ, MAP_SHARED);
	EQ(p[0], 0);
	m = map_at(r, MAPPED, 0, 4 * BLOCK, 1 * MIB);
	EQ(upsert(r, &m, 1), 0);
	check_pattern(p, 4 * BLOCK, 1 * MIB, DISK_SEED(0));
	OK(munmap(p, 4 * BLOCK));
	end(r, fd);
}

/* Where it was then, while the server is just about to take that away. */
TEST(pushed, while_the_file_is_cut)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	struct fusex_map m = map_at(r, MAPPED, 0, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, 64 * KIB, 0, 1 * MIB, 0);
	cut_and_push(r, fd, &m);
	maps_reset(r);
	put(fd, BLOCK, 0, 5);
	CHECK(begins(r) >= 1);
	/* It is another file's by now. */
	disk_shows(r, 0, BLOCK, 1 * MIB, 1 * MIB, DISK_SEED(0));
	end(r, fd);
}

/* ------------------------------------------------------------ taking it away */

TEST(truncation, unmaps)
{
	struct raw *r = dax_with(MAPPED, 4 * PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 4 * PMD, RW, MAP_SHARED);

	p[0] = 1;
	p[3 * PMD] = 1;
	OK(ftruncate(fd, PMD + 100));
	CHECK(is_lost(p + 3 * PMD, false));
	CHECK(is_lost(p + PMD + BLOCK, true));
	p[PMD + 50] = 2;
	OK(ftruncate(fd, 2 * PMD));
	zeros(fd, MIB, PMD + 100);
	EQ(p[PMD + 50], 2);
	EQ(p[PMD + 100], 0);
	EQ(p[0], 1);
	OK(munmap(p, 4 * PMD));
	end(r, fd);
}

/* What is behind an end that stays is another's afterwards, too. */
TEST(truncation, to_the_size_it_has)
{
	struct raw *r = dax_with(UNWRITTEN, 128 * KIB, 4 * MIB);
	char *p;
	int fd;

	maps_size(r, MAP_F, 0);
	fd = open_rw(r, "f", 0);
	put(fd, 64 * KIB, 0, 1);
	p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	p[0] = 5;
	OK(ftruncate(fd, 64 * KIB));
	CHECK(!maps_find(r, MAP_F, 64 * KIB));
	disk_fill(r, 0, 64 * KIB, 4 * MIB + 64 * KIB, 7);
	put(fd, 64 * KIB, 64 * KIB, 1);
	disk_shows(r, 0, 64 * KIB, 4 * MIB + 64 * KIB, 4 * MIB + 64 * KIB, 7);
	shows(fd, 64 * KIB, 64 * KIB, 1);
	EQ(p[0], 5);
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

/* A pipe holds pages of the mapping from @p on. */
static int hold(char *p, size_t size)
{
	struct iovec iov = { p, size };
	int pipes[2];

	OK(pipe(pipes));
	EQ(OK(vmsplice(pipes[1], &iov, 1, 0)), size);
	close(pipes[1]);
	return pipes[0];
}

/*
 * @op, in a child, waits for who holds a page, and the server does not hear of it
 * before that.
 */
static void waits_for_pins(struct raw *r, int fd, uint32_t request,
			   void (*op)(int fd))
{
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	char buf[BLOCK];
	pid_t pid;
	int held;

	p[0] = 'h';
	p[8 * BLOCK] = 'h';
	held = hold(p + 8 * BLOCK, BLOCK);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(held);
		op(fd);
		_exit(0);
	}
	UNTIL(sleeps, &pid);
	EQ(maps_count(r, request), 0);
	/* It can be ended. */
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	EQ(maps_count(r, request), 0);
	EQ(p[8 * BLOCK], 'h');

	pid = (pid_t)OK(fork());
	if (!pid) {
		close(held);
		op(fd);
		_exit(0);
	}
	UNTIL(sleeps, &pid);
	/* Others go on, with what is held as well. */
	EQ(p[0], 'h');
	EQ(p[8 * BLOCK], 'h');
	EQ(OK(read(held, buf, BLOCK)), BLOCK);
	EQ(buf[0], 'h');
	close(held);
	EQ(WAIT(pid), 0);
	EQ(maps_count(r, request), 1);
	OK(munmap(p, 64 * KIB));
}

static void cut(int fd)
{
	OK(ftruncate(fd, BLOCK));
}

static void punch(int fd)
{
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * BLOCK,
		     BLOCK));
}

TEST(truncation, waits_for_who_holds_pages)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);

	waits_for_pins(r, fd, FUSEX_OP_SETATTR, cut);
	end(r, fd);
}

TEST(punching, waits_for_who_holds_pages)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);

	waits_for_pins(r, fd, FUSEX_OP_FALLOCATE, punch);
	zeros(fd, BLOCK, 8 * BLOCK);
	shows_disk(fd, BLOCK, 9 * BLOCK, 1 * MIB + 9 * BLOCK, 0);
	end(r, fd);
}

TEST(punching, parts_of_pages)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);

	check_pattern(p, 64 * KIB, 1 * MIB, DISK_SEED(0));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100,
		     2 * BLOCK));
	check_pattern(p, 100, 1 * MIB, DISK_SEED(0));
	for (unsigned int i = 100; i < 100 + 2 * BLOCK; i++)
		EQ(p[i], 0);
	check_pattern(p + 100 + 2 * BLOCK, BLOCK, 1 * MIB + 100 + 2 * BLOCK,
		      DISK_SEED(0));
	CHECK(!maps_find(r, MAP_F, BLOCK));
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

/* Nobody could wait for what is held for ever. */
TEST(holding, for_ever_is_refused)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	struct io_uring_params params = {};
	struct iovec iov = { p, BLOCK };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);

	if (ring < 0)
		SKIP("no io_uring: %s", strerror(errno));
	FAILS(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		      &iov, 1), EOPNOTSUPP);
	close(ring);
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

static int recall(struct raw *r, uint64_t lease)
{
	struct fusex_notify_recall n = { .nodeid = MAP_F, .lease = lease };

	return maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n), NULL, 0);
}

/* The file is elsewhere from then on, and who has it mapped sees that. */
TEST(recall, moves_a_file)
{
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, PMD, RW, MAP_SHARED);

	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	p[0] = 1;
	maps_at(r, MAP_F, MAPPED, 0, PMD, 8 * MIB);
	EQ(recall(r, 0), 0);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	check_pattern(p, PMD, 8 * MIB, DISK_SEED(0));
	p[BLOCK] = 3;
	shows_disk(fd, BLOCK, 0, 8 * MIB, 0);
	OK(munmap(p, PMD));
	end(r, fd);
}

TEST(recall, waits_for_who_holds_pages)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	char buf[BLOCK];
	pid_t pid;
	int held;

	p[0] = 'h';
	held = hold(p, BLOCK);
	EQ(recall(r, 0), 0);
	/* Who touches it waits for it to be given back, and can be ended. */
	pid = (pid_t)OK(fork());
	if (!pid)
		_exit(p[0] != 'h');
	UNTIL(sleeps_deep, &pid);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	EQ(OK(read(held, buf, BLOCK)), BLOCK);
	close(held);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	EQ(p[0], 'h');
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

/* The range of a huge page that nobody has mapped. */
static const struct fusex_notify_recall beside = {
	.nodeid = MAP_F, .offset = MIB, .length = BLOCK,
};

static void punch_beside(struct raw *r, int fd)
{
	(void)r;
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB,
		     BLOCK));
	zeros(fd, BLOCK, MIB);
}

static void recall_beside(struct raw *r, int fd)
{
	(void)fd;
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &beside, sizeof(beside),
		       NULL, 0), 0);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
}

static void cut_beside(struct raw *r, int fd)
{
	(void)r;
	OK(ftruncate(fd, MIB));
}

/*
 * A huge page goes as a whole, also for who has one small page of it mapped, where
 * nothing is taken away.
 */
static void take_beside(void (*take)(struct raw *r, int fd))
{
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, PMD, RW, MAP_SHARED), *q;

	p[0] = 1;
	CHECK(is_pmd(p));
	q = map_fd(fd, BLOCK, RW, MAP_SHARED);
	EQ(q[0], 1);
	OK(munmap(p, PMD));
	take(r, fd);
	EQ(q[0], 1);
	fill_pattern(q, BLOCK, 0, 2);
	shows(fd, BLOCK, 0, 2);
	shows_disk(fd, BLOCK, BLOCK, 4 * MIB + BLOCK, 0);
	OK(munmap(q, BLOCK));
	end(r, fd);
}

TEST(punching, beside_what_is_mapped)
{
	take_beside(punch_beside);
}

TEST(truncation, beside_what_is_mapped)
{
	take_beside(cut_beside);
}

TEST(recall, beside_what_is_mapped)
{
	take_beside(recall_beside);
}

/* The page does not get another place, nor its place another page, meanwhile. */
TEST(recall, waits_for_a_synchronous_store)
{
	struct raw *r = dax_with(UNWRITTEN, PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	pid_t writer, reader;
	char *p;

	p = mmap(NULL, PMD, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (p == MAP_FAILED) {
		EQ(errno, EOPNOTSUPP);
		end(r, fd);
		SKIP("the device needs more than a flush of caches");
	}
	raw_bend(r, FUSEX_OP_FSYNC, hold_answer, NULL);
	writer = (pid_t)OK(fork());
	if (!writer) {
		p[0] = 1;
		_exit(p[0] != 1);
	}
	UNTIL_SEEN(r, 0);
	maps_at(r, MAP_F, MAPPED, 0, PMD, 8 * MIB);
	EQ(recall(r, 0), 0);
	reader = (pid_t)OK(fork());
	if (!reader) {
		check_pattern(p + BLOCK, BLOCK, 8 * MIB + BLOCK, DISK_SEED(0));
		_exit(0);
	}
	UNTIL(sleeps_deep, &reader);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	answering = true;
	EQ(WAIT(writer), 0);
	EQ(WAIT(reader), 0);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 1);
	EQ(p[0], 1);
	check_pattern(p + BLOCK, BLOCK, 8 * MIB + BLOCK, DISK_SEED(0));
	OK(munmap(p, PMD));
	end(r, fd);
}

/* -------------------------------------------------------- what is not believed */

static int inval(struct raw *r)
{
	struct fusex_notify_map n = { .nodeid = MAP_F };

	return maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &n, sizeof(n), NULL, 0);
}

/* It is not taken away, but said to be elsewhere; the old place can be another's. */
TEST(moved, after_it_was_forgotten)
{
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0), other;
	char *p = map_fd(fd, PMD, RW, MAP_SHARED), *q;

	p[0] = 1;
	CHECK(is_pmd(p));
	maps_at(r, MAP_F, MAPPED, 0, PMD, 8 * MIB);
	EQ(inval(r), 0);
	check_pattern(p, PMD, 8 * MIB, DISK_SEED(0));
	CHECK(is_pmd(p));
	p[BLOCK] = 2;
	OK(msync(p, PMD, MS_SYNC));
	maps_at(r, MAP_G, MAPPED, 0, PMD, 4 * MIB);
	maps_size(r, MAP_G, PMD);
	other = open_rw(r, "g", 0);
	q = map_fd(other, PMD, RW, MAP_SHARED);
	EQ(q[0], 1);
	check_pattern(q + BLOCK, BLOCK, 4 * MIB + BLOCK, DISK_SEED(0));
	CHECK(is_pmd(q));
	OK(munmap(p, PMD));
	OK(munmap(q, PMD));
	OK(close(other));
	end(r, fd);
}

TEST(moved, by_an_answer)
{
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);
	char *p;
	int fd;

	r->maps->files[MAP_F].flags = FUSEX_MAP_F_NOCACHE;
	fd = open_rw(r, "f", 0);
	p = map_fd(fd, PMD, RW, MAP_SHARED);
	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	CHECK(is_pmd(p));
	maps_at(r, MAP_F, MAPPED, 0, PMD, 8 * MIB);
	/* Where the page can be read. */
	p[0] = 3;
	EQ(p[0], 3);
	check_pattern(p + BLOCK, BLOCK, 8 * MIB + BLOCK, DISK_SEED(0));
	CHECK(is_pmd(p));
	OK(munmap(p, PMD));
	end(r, fd);
}

TEST(moved, to_nowhere_and_back)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	/* It changes without a store. */
	volatile char *v = p;
	struct fusex_map m;

	v[0] = 1;
	m = map_at(r, MAPPED, 0, 64 * KIB, 2 * MIB);
	EQ(upsert(r, &m, 1), 0);
	check_pattern(p, 64 * KIB, 2 * MIB, DISK_SEED(0));
	m = map_at(r, HOLE, 0, 64 * KIB, 0);
	EQ(upsert(r, &m, 1), 0);
	EQ(v[0], 0);
	/* It asks who stores. */
	v[1] = 2;
	EQ(v[0], 1);
	EQ(v[1], 2);
	check_pattern(p + BLOCK, BLOCK, 1 * MIB + BLOCK, DISK_SEED(0));
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

TEST(moved, while_it_is_held)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	char buf[BLOCK];
	int held;

	p[0] = 'h';
	held = hold(p, BLOCK);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB);
	EQ(inval(r), 0);
	CHECK(is_lost(p, false));
	CHECK(is_lost(p, true));
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(OK(read(held, buf, BLOCK)), BLOCK);
	EQ(buf[0], 'h');
	close(held);
	check_pattern(p, 64 * KIB, 2 * MIB, DISK_SEED(0));
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

/* A huge page cannot be shared, and is nevertheless not replaced by small ones. */
TEST(moved, to_where_it_is_shared)
{
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, PMD, RW, MAP_SHARED);

	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	CHECK(is_pmd(p));
	r->maps->files[MAP_F].flags = FUSEX_MAP_F_SHARED;
	EQ(inval(r), 0);
	check_pattern(p, PMD, 4 * MIB, DISK_SEED(0));
	maps_at(r, MAP_F, MAPPED, 0, PMD, 8 * MIB);
	EQ(inval(r), 0);
	check_pattern(p, PMD, 8 * MIB, DISK_SEED(0));
	CHECK(!is_pmd(p));
	OK(munmap(p, PMD));
	end(r, fd);
}

/* The server says that two files are at the same place. */
static struct raw *with_f_and_g(void)
{
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);

	maps_at(r, MAP_G, MAPPED, 0, PMD, 4 * MIB);
	maps_size(r, MAP_G, PMD);
	return r;
}

TEST(pages, are_of_one_file)
{
	struct raw *r = with_f_and_g();
	int fd = open_rw(r, "f", 0), other = open_rw(r, "g", 0);
	char *p, *q;

	p = map_fd(fd, PMD, RW, MAP_SHARED);
	q = map_fd(other, PMD, RW, MAP_SHARED);
	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	CHECK(is_lost(q, false));
	CHECK(is_lost(q + MIB, true));
	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	/* Once the first has none of it. */
	OK(munmap(p, PMD));
	OK(ftruncate(fd, 0));
	check_pattern(q, BLOCK, 4 * MIB, DISK_SEED(0));
	OK(munmap(q, PMD));
	OK(close(other));
	end(r, fd);
}

TEST(pages, are_of_one_place)
{
	struct raw *r = dax_start(LOCAL, 1);
	char *p;
	int fd;

	maps_at(r, MAP_F, MAPPED, 0, BLOCK, 4 * MIB);
	maps_at(r, MAP_F, MAPPED, BLOCK, BLOCK, 4 * MIB);
	maps_size(r, MAP_F, 2 * BLOCK);
	fd = open_rw(r, "f", 0);
	p = map_fd(fd, 2 * BLOCK, RW, MAP_SHARED);
	p[BLOCK] = 1;
	CHECK(is_lost(p, true));
	CHECK(is_lost(p, false));
	OK(munmap(p, 2 * BLOCK));
	end(r, fd);
}

/* Both say so, and only read. */
TEST(pages, are_shared)
{
	struct raw *r = with_f_and_g();
	char *p, *q;
	int fd, other;

	r->maps->files[MAP_F].flags = FUSEX_MAP_F_SHARED;
	r->maps->files[MAP_G].flags = FUSEX_MAP_F_SHARED;
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "g", 0);
	p = map_fd(fd, PMD, RW, MAP_SHARED);
	q = map_fd(other, PMD, RW, MAP_SHARED);
	check_pattern(p, PMD, 4 * MIB, DISK_SEED(0));
	check_pattern(q, PMD, 4 * MIB, DISK_SEED(0));
	CHECK(!is_pmd(p));
	CHECK(is_lost(p, true));
	FAILS(pwrite(fd, "x", 1, 0), EUCLEAN, EOPNOTSUPP);
	OK(munmap(p, PMD));
	check_pattern(q, PMD, 4 * MIB, DISK_SEED(0));
	OK(munmap(q, PMD));
	OK(close(other));
	end(r, fd);
}

/* Who comes to a page that can be shared, and is held, leaves it where it is. */
TEST(pages, are_shared_and_held)
{
	struct raw *r = with_f_and_g();
	char *p, *q, *again;
	int fd, other, held;

	r->maps->files[MAP_F].flags = FUSEX_MAP_F_SHARED;
	r->maps->files[MAP_G].flags = FUSEX_MAP_F_SHARED;
	fd = open_rw(r, "f", 0);
	p = map_fd(fd, PMD, PROT_READ, MAP_SHARED);
	check_pattern(p, BLOCK, 4 * MIB, DISK_SEED(0));
	held = hold(p, BLOCK);
	again = map_fd(fd, BLOCK, PROT_READ, MAP_SHARED);
	check_pattern(again, BLOCK, 4 * MIB, DISK_SEED(0));
	/* Also when it is another file's, too. */
	other = open_rw(r, "g", 0);
	q = map_fd(other, BLOCK, PROT_READ, MAP_SHARED);
	check_pattern(q, BLOCK, 4 * MIB, DISK_SEED(0));
	OK(munmap(q, BLOCK));
	OK(madvise(again, BLOCK, MADV_DONTNEED));
	check_pattern(again, BLOCK, 4 * MIB, DISK_SEED(0));
	close(held);
	OK(close(other));
	OK(munmap(again, BLOCK));
	OK(munmap(p, PMD));
	end(r, fd);
}

/* ------------------------------------------------------------ remote files */

static struct raw *with_remote_f(uint64_t lease)
{
	struct raw *r = dax_start(REMOTE, 1);

	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 1 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	r->maps->files[MAP_F].lease = lease;
	r->maps->files[MAP_F].lease_valid = lease ? FUSEX_FOREVER : 0;
	return r;
}

TEST(remote, is_told_of_writes)
{
	struct raw *r = with_remote_f(3);
	int fd = open_rw(r, "f", 0);

	put(fd, BLOCK, 0, 1);
	EQ(ioends(r), 1);
	CHECK(r->maps->ioends[0].flags & FUSEX_IOEND_MTIME);
	put(fd, BLOCK, 64 * KIB, 2);
	EQ(r->nodes[MAP_F].size, 64 * KIB + BLOCK);
	shows(fd, BLOCK, 0, 1);
	shows(fd, BLOCK, 64 * KIB, 2);
	end(r, fd);
}

TEST(remote, is_mapped_under_a_lease)
{
	struct raw *r = with_remote_f(3);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);

	check_pattern(p, 64 * KIB, 1 * MIB, DISK_SEED(0));
	p[0] = 1;
	OK(msync(p, BLOCK, MS_SYNC));
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB);
	EQ(recall(r, 3), 0);
	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	check_pattern(p, 64 * KIB, 2 * MIB, DISK_SEED(0));
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

TEST(remote, is_not_mapped_without)
{
	struct raw *r = with_remote_f(0);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);

	shows_disk(fd, BLOCK, 0, 1 * MIB, 0);
	CHECK(is_lost(p, false));
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

/* Stores, loads, writes and reads; each sees what the last has done. */
static void use_pages(int fd)
{
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	unsigned int n = 1;

	for (unsigned int i = 0; i < 1000; i++) {
		off_t at = (n = n * 1103515245 + 12345) >> 16 & 0xffff;
		char byte = (char)i, got;

		p[at] = byte;
		EQ(OK(pread(fd, &got, 1, at)), 1);
		EQ(got, byte);
		byte++;
		EQ(OK(pwrite(fd, &byte, 1, at)), 1);
		EQ(p[at], byte);
		if (i % 64 == 0)
			OK(madvise(p, 64 * KIB, MADV_DONTNEED));
		if (i % 512 == 0)
			OK(msync(p, 64 * KIB, MS_SYNC));
	}
	OK(munmap(p, 64 * KIB));
}

TEST(remote, is_used_while_it_is_recalled)
{
	struct raw *r = with_remote_f(3);
	int fd = open_rw(r, "f", 0), status;
	unsigned int rounds = 0;
	pid_t pid;

	pid = (pid_t)OK(fork());
	if (!pid) {
		use_pages(fd);
		_exit(0);
	}
	do {
		maps_reset(r);
		EQ(recall(r, 3), 0);
		UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
		rounds++;
	} while (!OK(waitpid(pid, &status, WNOHANG)));
	EQ(status, 0);
	tap_note("%u recalls", rounds);
	CHECK(rounds > 1);
	end(r, fd);
}

/* ---------------------------------------------------------------- mixed mounts */

TEST(mixed, beside_other_modes)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	char *p;
	int fd, other;

	maps_at(r, MAP_G, MAPPED, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_G, 64 * KIB);
	r->nodes[MAP_G].io_mode = FUSEX_IO_IOMAP;
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "g", 0);
	CHECK(!(flook(other).stx_attributes & STATX_ATTR_DAX));
	p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	p[0] = 1;
	shows_disk(other, 64 * KIB, 0, 2 * MIB, 0);
	put(other, 10000, 100, 4);
	OK(fsync(other));
	disk_shows(r, 0, 10000, 2 * MIB + 100, 100, 4);
	OK(munmap(p, 64 * KIB));
	OK(close(other));
	end(r, fd);
}

/* Without a memory device, what the server has allowed instead. */
TEST(mixed, falls_back)
{
	struct raw *r;
	int fd;

	if (!has_fs_dax())
		SKIP("the kernel has no FS_DAX");
	r = raw_alloc();
	raw_setup_init(&r->setup, LOCAL);
	r->setup.io_mode = FUSEX_IO_DAX;
	r->setup.io_modes = 1 << FUSEX_IO_IOMAP;
	r->setup.root.attr_valid = FUSEX_FOREVER;
	maps_start_setup(r, 1);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 1 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	CHECK(!(flook(fd).stx_attributes & STATX_ATTR_DAX));
	shows_disk(fd, 64 * KIB, 0, 1 * MIB, 0);
	put(fd, BLOCK, 0, 1);
	OK(fsync(fd));
	disk_shows(r, 0, BLOCK, 1 * MIB, 0, 1);
	end(r, fd);
}

/* Or not at all, if it has allowed nothing. */
TEST(mixed, does_not_fall_back)
{
	struct raw *r;
	char byte;
	int fd;

	if (!has_fs_dax())
		SKIP("the kernel has no FS_DAX");
	r = raw_alloc();
	raw_setup_init(&r->setup, LOCAL);
	r->setup.io_mode = FUSEX_IO_DAX;
	r->setup.root.attr_valid = FUSEX_FOREVER;
	maps_start_setup(r, 1);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 1 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	FAILS(pread(fd, &byte, 1, 0), EUCLEAN);
	end(r, fd);
}

/* -------------------------------------------------------------------- stripes */

TEST(stripe, of_memory_devices)
{
	struct raw *r = dax_start(LOCAL, 2);
	uint32_t stripe;
	char *p;
	int fd;

	EQ(stripe_add(r->fd, r->maps->devs, 2, 16 * KIB, BOTH, &stripe), 0);
	maps_on(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB, stripe);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	for (unsigned int i = 0; i < 4; i++)
		shows_disk(fd, 16 * KIB, i * 16 * KIB,
			   1 * MIB + i / 2 * 16 * KIB, i % 2);
	p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	fill_pattern(p, 64 * KIB, 0, 9);
	OK(msync(p, 64 * KIB, MS_SYNC));
	disk_shows(r, 1, 16 * KIB, 1 * MIB, 16 * KIB, 9);
	OK(munmap(p, 64 * KIB));
	end(r, fd);
}

TEST(stripe, is_of_one_kind)
{
	struct raw *r = dax_start(LOCAL, 1);
	struct loop l = loop_of("disk", DISK_SIZE, 512);
	uint32_t both[2] = { r->maps->devs[0] }, stripe;

	EQ(device_add(r->fd, l.fd, BOTH, &both[1]), 0);
	close(l.fd);
	EQ(stripe_add(r->fd, both, 2, 16 * KIB, BOTH, &stripe), EINVAL);
	both[1] = both[0];
	EQ(stripe_add(r->fd, both, 2, 16 * KIB, BOTH, &stripe), EINVAL);
	maps_stop(r);
}

/* -------------------------------------------------------- removal and failure */

/* "f" is at @addr of @dev, "g" on the second device. */
static void removed(struct raw *r, uint32_t dev, uint64_t addr, uint32_t gone,
		    uint32_t flags)
{
	char *p, *q, byte;
	int fd, other;

	maps_on(r, MAP_F, MAPPED, 0, PMD, addr, dev);
	maps_size(r, MAP_F, PMD);
	maps_on(r, MAP_G, MAPPED, 0, PMD, 4 * MIB, r->maps->devs[1]);
	maps_size(r, MAP_G, PMD);
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "g", 0);
	p = map_fd(fd, PMD, RW, MAP_SHARED);
	q = map_fd(other, PMD, RW, MAP_SHARED);
	p[0] = 1;
	p[BLOCK] = 1;
	q[0] = 1;
	OK(raw_unregister(r->fd, gone, flags));
	CHECK(is_lost(p, false));
	CHECK(is_lost(p + 2 * BLOCK, true));
	FAILS(pread(fd, &byte, 1, 0), ENODEV);
	FAILS(pwrite(fd, &byte, 1, 0), ENODEV);
	/* The other is as it was. */
	EQ(q[0], 1);
	q[BLOCK] = 2;
	put(other, BLOCK, 0, 3);
	check_pattern(q, BLOCK, 0, 3);
	OK(munmap(p, PMD));
	OK(munmap(q, PMD));
	OK(close(other));
	end(r, fd);
}

static void device_removed(uint32_t flags)
{
	struct raw *r = dax_start(LOCAL, 2);
	uint32_t dev = r->maps->devs[0];

	removed(r, dev, 4 * MIB, dev, flags);
}

/* One page here, one there. */
static uint32_t stripe_of_both(struct raw *r)
{
	uint32_t stripe;

	EQ(stripe_add(r->fd, r->maps->devs, 2, BLOCK, BOTH, &stripe), 0);
	return stripe;
}

static void stripe_removed(uint32_t flags)
{
	struct raw *r = dax_start(LOCAL, 2);
	uint32_t stripe = stripe_of_both(r);

	removed(r, stripe, 32 * MIB, stripe, flags);
}

TEST(removal, unmaps)
{
	device_removed(0);
}

TEST(removal, unmaps_when_it_fails_io)
{
	device_removed(FUSEX_BACKING_FAIL_IO);
}

TEST(removal, of_a_stripe_unmaps)
{
	stripe_removed(0);
}

TEST(removal, of_a_stripe_unmaps_when_it_fails_io)
{
	stripe_removed(FUSEX_BACKING_FAIL_IO);
}

/* Half of the pages. */
TEST(removal, of_a_member_unmaps)
{
	struct raw *r = dax_start(LOCAL, 2);
	uint32_t stripe = stripe_of_both(r);

	removed(r, stripe, 32 * MIB, r->maps->devs[0], 0);
}

/* --------------------------------------------------------- drivers that go */

static void lease(struct raw *r, uint64_t node)
{
	r->maps->files[node].lease = 3;
	r->maps->files[node].lease_valid = FUSEX_FOREVER;
}

static struct raw *with_both(uint32_t attr_mode)
{
	struct raw *r = dax_start(attr_mode, 2);

	/* "f" begins on the second device, the rest and "g" are on the first. */
	maps_on(r, MAP_F, MAPPED, 0, PMD, 4 * MIB, r->maps->devs[1]);
	maps_on(r, MAP_F, MAPPED, PMD, PMD, 8 * MIB, r->maps->devs[0]);
	maps_size(r, MAP_F, 2 * PMD);
	maps_on(r, MAP_G, MAPPED, 0, PMD, 4 * MIB, r->maps->devs[0]);
	maps_size(r, MAP_G, PMD);
	if (attr_mode == REMOTE) {
		lease(r, MAP_F);
		lease(r, MAP_G);
	}
	return r;
}

/* Was the server told when? */
static bool told_mtime(struct raw *r)
{
	unsigned int n = maps_count(r, FUSEX_OP_SETATTR);

	return n == 1 && r->maps->setattrs[0].valid & FUSEX_SET_MTIME;
}

TEST(unbinding, hits_files_of_the_device)
{
	struct raw *r = with_both(REMOTE);
	const char *nd = pmem_nd(1);
	int fd = open_rw(r, "f", 0), other = open_rw(r, "g", 0);
	char *p = map_fd(fd, 2 * PMD, RW, MAP_SHARED);
	char *q = map_fd(other, PMD, RW, MAP_SHARED), byte;

	fill_pattern(p + PMD, BLOCK, 0, 1);
	OK(fsync(fd));
	p[0] = 1;
	fill_pattern(q, BLOCK, 0, 2);
	CHECK(is_pmd(p + PMD));
	CHECK(is_pmd(q));
	pmem_unbind(nd);
	CHECK(is_lost(p, false));
	FAILS(pread(fd, &byte, 1, 0), ENODEV);
	/* Who has nothing of it is not disturbed, nor is the rest of a file that has. */
	CHECK(is_pmd(p + PMD));
	CHECK(is_pmd(q));
	maps_reset(r);
	OK(fsync(other));
	CHECK(told_mtime(r));
	disk_shows(r, 0, BLOCK, 4 * MIB, 0, 2);
	/* What was stored to what is gone was stored nevertheless. */
	maps_reset(r);
	OK(fsync(fd));
	CHECK(told_mtime(r));
	disk_shows(r, 0, BLOCK, 8 * MIB, 0, 1);
	OK(munmap(p, 2 * PMD));
	OK(munmap(q, PMD));
	OK(close(other));
	end(r, fd);
	pmem_bind(nd, 1);
}

/* Who waits for the server has the locks of the file. */
TEST(unbinding, does_not_wait_for_the_server)
{
	struct raw *r = with_both(LOCAL);
	const char *nd = pmem_nd(1);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 2 * PMD, RW, MAP_SHARED);
	pid_t reader, pid;

	p[0] = 1;
	raw_bend(r, FUSEX_OP_MAP_BEGIN, raw_never, NULL);
	reader = (pid_t)OK(fork());
	if (!reader)
		_exit(p[PMD]);
	UNTIL_SEEN(r, 0);
	pid = (pid_t)OK(fork());
	if (!pid) {
		pmem_unbind(nd);
		_exit(0);
	}
	EQ(WAIT(pid), 0);
	CHECK(is_lost(p, true));
	OK(kill(reader, SIGKILL));
	EQ(WAIT(reader), 128 + SIGKILL);
	raw_bend(r, 0, NULL, NULL);
	OK(munmap(p, 2 * PMD));
	end(r, fd);
	pmem_bind(nd, 1);
}

TEST(unbinding, waits_for_who_holds_pages)
{
	struct raw *r = with_both(LOCAL);
	const char *nd = pmem_nd(1);
	int fd = open_rw(r, "f", 0), held;
	char *p = map_fd(fd, PMD, RW, MAP_SHARED);
	char buf[BLOCK];
	pid_t pid;

	p[0] = 'h';
	held = hold(p, BLOCK);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(held);
		pmem_unbind(nd);
		_exit(0);
	}
	UNTIL(sleeps, &pid);
	CHECK(is_lost(p, false));
	EQ(OK(read(held, buf, BLOCK)), BLOCK);
	EQ(buf[0], 'h');
	close(held);
	EQ(WAIT(pid), 0);
	OK(munmap(p, PMD));
	end(r, fd);
	pmem_bind(nd, 1);
}

/* What is mapped outlives the server, and what is not mapped does not. */
TEST(death, leaves_what_is_mapped)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);

	check_pattern(p, BLOCK, 1 * MIB, DISK_SEED(0));
	p[0] = 5;
	OK(umount2(r->mnt, MNT_FORCE | MNT_DETACH));
	EQ(p[0], 5);
	p[1] = 6;
	OK(munmap(p, 64 * KIB));
	/* That the server is not told is said, as in any mode. */
	FAILS(close(fd), ENOTCONN);
	for (int i = 0; i < r->nr_threads; i++)
		pthread_join(r->threads[i], NULL);
	close(r->fd);
	close(r->maps->disks[0].fd);
}

/* Has the neighbours of the lost page mapped, and goes on when @go says so. */
static pid_t neighbour(char *p, int go)
{
	pid_t pid = (pid_t)OK(fork());
	char byte;

	if (pid)
		return pid;
	EQ(p[3 * BLOCK], 'b');
	EQ(OK(read(go, &byte, 1)), 1);
	EQ(p[0], 'a');
	p[2 * BLOCK + 1] = 'e';
	p[4 * BLOCK + 1] = 'f';
	_exit(0);
}

/* A file beside it. */
static void goes_on(int fd)
{
	char *q = map_fd(fd, 16 * BLOCK, RW, MAP_SHARED);

	shows(fd, 16 * BLOCK, 0, 6);
	check_pattern(q, 16 * BLOCK, 0, 6);
	put(fd, BLOCK, BLOCK, 7);
	check_pattern(q + BLOCK, BLOCK, BLOCK, 7);
	OK(fsync(fd));
	OK(munmap(q, 16 * BLOCK));
}

/*
 * In the second device, far from what others use: nothing makes the page good
 * again.
 */
static void failed(struct raw *r, uint32_t dev, uint64_t addr, bool huge)
{
	int fd, other, go[2];
	char *p, byte;
	pid_t pid;

	maps_on(r, MAP_F, MAPPED, 0, PMD, addr, dev);
	maps_size(r, MAP_F, PMD);
	maps_on(r, MAP_G, MAPPED, 0, 16 * BLOCK, addr + PMD, dev);
	maps_size(r, MAP_G, 16 * BLOCK);
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "g", 0);
	put(other, 16 * BLOCK, 0, 6);
	p = map_fd(fd, PMD, RW, MAP_SHARED);
	p[0] = 'a';
	p[3 * BLOCK] = 'b';
	EQ(is_pmd(p), huge);
	OK(pipe(go));
	pid = neighbour(p, go[0]);
	UNTIL(sleeps, &pid);
	if (madvise(p + 3 * BLOCK, BLOCK, MADV_HWPOISON)) {
		EQ(errno, EINVAL);
		OK(kill(pid, SIGKILL));
		EQ(WAIT(pid), 128 + SIGKILL);
		OK(munmap(p, PMD));
		OK(close(other));
		end(r, fd);
		SKIP("the kernel has no MEMORY_FAILURE");
	}
	CHECK(is_lost(p + 3 * BLOCK, false));
	CHECK(is_lost(p + 3 * BLOCK, true));
	FAILS(pread(fd, &byte, 1, 3 * BLOCK), EIO);
	FAILS(pwrite(fd, &byte, 1, 3 * BLOCK), EIO);
	/* Nobody else suffers. */
	EQ(OK(write(go[1], "", 1)), 1);
	EQ(WAIT(pid), 0);
	EQ(p[0], 'a');
	EQ(p[2 * BLOCK + 1], 'e');
	p[2 * BLOCK] = 'c';
	p[4 * BLOCK] = 'd';
	EQ(OK(pread(fd, &byte, 1, 2 * BLOCK)), 1);
	EQ(byte, 'c');
	EQ(OK(pread(fd, &byte, 1, 4 * BLOCK + 1)), 1);
	EQ(byte, 'f');
	goes_on(other);
	OK(munmap(p, PMD));
	OK(close(other));
	end(r, fd);
}

TEST(failure, hits_who_touches_it)
{
	struct raw *r = dax_start(LOCAL, 2);

	failed(r, r->maps->devs[1], 200 * MIB, true);
}

TEST(failure, in_a_stripe_hits_who_touches_it)
{
	struct raw *r = dax_start(LOCAL, 2);

	failed(r, stripe_of_both(r), 2 * 210 * MIB, false);
}

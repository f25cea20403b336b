// SPDX-License-Identifier: GPL-2.0
/*
 * Dax mode: which faults there are, counted by the tracepoints of fs/dax, files of
 * other modes beside, and a character device of the dax bus instead of a disk.
 */
#include "fs.h"
#include "pmem.h"
#include "tap.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define RW		(PROT_READ | PROT_WRITE)
#define BOTH		(FUSEX_BACKING_READ | FUSEX_BACKING_WRITE)
#define PMD		(2 * MIB)
#define EVENTS		"/sys/kernel/tracing/events/fs_dax/"

/* What a fault can come to: VM_FAULT_NOPAGE, VM_FAULT_FALLBACK. */
#define MAPPED_IT	"result & 0x100"
#define FELL_BACK	"result & 0x800"

/* ------------------------------------------------------------------ counting */

/* How often that event comes to this thread. */
static int counter(const char *event, const char *filter)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr),
	};
	char path[128];
	int fd;

	snprintf(path, sizeof(path), EVENTS "%s/id", event);
	if (access(path, R_OK))
		SKIP("the kernel has no tracepoints of fs/dax");
	attr.config = strtoul(slurp(path), NULL, 10);
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		SKIP("no perf events: %s", strerror(errno));
	OK(ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter));
	return fd;
}

/* At least that many are to be expected: one may be begun again. */
static uint64_t counted(int fd)
{
	uint64_t n;

	EQ(OK(read(fd, &n, sizeof(n))), sizeof(n));
	return n;
}

/**
 * struct faults - counters
 * @huge: faults that have mapped a huge page
 * @not_huge: those that tried, and left it to a small one
 * @small: that have mapped a small one
 */
struct faults {
	int huge;
	int not_huge;
	int small;
};

static struct faults faults_count(void)
{
	return (struct faults){
		.huge = counter("dax_pmd_fault_done", MAPPED_IT),
		.not_huge = counter("dax_pmd_fault_done", FELL_BACK),
		.small = counter("dax_pte_fault_done", MAPPED_IT),
	};
}

static void touch(volatile char *p, size_t size, size_t step, bool store)
{
	for (size_t at = 0; at < size; at += step) {
		if (store)
			p[at] = 1;
		else
			(void)p[at];
	}
}

#define HUGE_PAGES	8u

TEST(counted, one_huge_fault_for_each_huge_page)
{
	const size_t size = HUGE_PAGES * PMD;
	struct faults n = faults_count();
	struct raw *r = dax_with(MAPPED, size, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, size, RW, MAP_SHARED);

	touch(p, size, BLOCK, false);
	CHECK(counted(n.huge) >= HUGE_PAGES);
	EQ(counted(n.small), 0);
	/* What is mapped to be read is let be stored to: one fault each, again. */
	touch(p, size, BLOCK, true);
	CHECK(counted(n.huge) >= 2 * HUGE_PAGES);
	EQ(counted(n.not_huge), 0);
	EQ(counted(n.small), 0);
	OK(munmap(p, size));
	end(r, fd);
}

TEST(counted, stores_to_a_hole_are_huge_faults)
{
	const size_t size = HUGE_PAGES * PMD;
	struct faults n = faults_count();
	struct raw *r = dax_start(LOCAL, 1);
	char *p;
	int fd;

	maps_size(r, MAP_F, size);
	fd = open_rw(r, "f", 0);
	p = map_fd(fd, size, RW, MAP_SHARED);
	touch(p, size, BLOCK, true);
	CHECK(counted(n.huge) >= HUGE_PAGES);
	EQ(counted(n.small), 0);
	OK(munmap(p, size));
	end(r, fd);
}

TEST(counted, small_faults_where_pages_are_scattered)
{
	struct faults n = faults_count();
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB + BLOCK);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, PMD, RW, MAP_SHARED);

	touch(p, PMD, BLOCK, false);
	EQ(counted(n.huge), 0);
	CHECK(counted(n.small) >= PMD / BLOCK);
	/* It is not tried again for each. */
	CHECK(counted(n.not_huge) >= 1);
	OK(munmap(p, PMD));
	end(r, fd);
}

/* A private copy is of one page, whatever is below. */
TEST(counted, private_copies)
{
	struct faults n = faults_count();
	struct raw *r = dax_with(MAPPED, PMD, 4 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = map_fd(fd, PMD, RW, MAP_PRIVATE);

	touch(p, PMD, BLOCK, false);
	CHECK(counted(n.huge) >= 1);
	touch(p, 8 * BLOCK, BLOCK, true);
	check_pattern(p + 8 * BLOCK, BLOCK, 4 * MIB + 8 * BLOCK, DISK_SEED(0));
	shows_disk(fd, PMD, 0, 4 * MIB, 0);
	OK(munmap(p, PMD));
	end(r, fd);
}

/* --------------------------------------------------------- beside other modes */

/* One file's data never goes by the server, the other's always does. */
TEST(beside, a_writeback_file)
{
	struct raw *r = dax_with(MAPPED, 64 * KIB, 1 * MIB);
	char *p, *q;
	int fd, other;

	r->maps->files[MAP_G].room = FUSEX_INLINE_MAX;
	maps_size(r, MAP_G, 3000);
	r->nodes[MAP_G].io_mode = FUSEX_IO_WRITEBACK;
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "g", 0);
	p = map_fd(fd, 64 * KIB, RW, MAP_SHARED);
	q = map_fd(other, BLOCK, RW, MAP_SHARED);
	fill_pattern(p, BLOCK, 0, 1);
	fill_pattern(q, 3000, 0, 2);
	shows(fd, BLOCK, 0, 1);
	shows(other, 3000, 0, 2);
	EQ(maps_count(r, FUSEX_OP_WRITE), 0);
	OK(fsync(other));
	EQ(maps_count(r, FUSEX_OP_WRITE), 1);
	check_pattern(r->maps->files[MAP_G].data, 3000, 0, 2);
	OK(msync(p, BLOCK, MS_SYNC));
	EQ(maps_count(r, FUSEX_OP_WRITE), 1);
	disk_shows(r, 0, BLOCK, 1 * MIB, 0, 1);
	/* From one to the other, memory to memory. */
	EQ(OK(pwrite(other, p + BLOCK, 3000, 0)), 3000);
	EQ(OK(pwrite(fd, q, 3000, 2 * BLOCK)), 3000);
	check_pattern(p + 2 * BLOCK, 3000, 1 * MIB + BLOCK, DISK_SEED(0));
	OK(munmap(p, 64 * KIB));
	OK(munmap(q, BLOCK));
	OK(close(other));
	end(r, fd);
}

/* ------------------------------------------------------- a character device */

/* Registers $FUSEX_DEVDAX; 24-memory makes one. */
static struct raw *with_devdax(uint32_t *dev)
{
	const char *path = getenv("FUSEX_DEVDAX");
	struct raw *r;
	int fd;

	if (!path)
		SKIP("there is no character device with the fsdev driver");
	r = dax_start(LOCAL, 0);
	fd = (int)OK(open(path, O_RDWR));
	EQ(pmem_add(r->fd, fd, BOTH, dev), 0);
	OK(close(fd));
	r->maps->dev = *dev;
	return r;
}

TEST(devdax, holds_files)
{
	uint32_t dev;
	struct raw *r = with_devdax(&dev);
	char *p;
	int fd;

	maps_on(r, MAP_F, MAPPED, 0, 2 * PMD, 4 * MIB, dev);
	maps_size(r, MAP_F, 2 * PMD);
	fd = open_rw(r, "f", 0);
	CHECK(flook(fd).stx_attributes & STATX_ATTR_DAX);
	put(fd, PMD, 0, 1);
	p = map_fd(fd, 2 * PMD, RW, MAP_SHARED);
	check_pattern(p, PMD, 0, 1);
	fill_pattern(p + PMD, PMD, PMD, 1);
	CHECK(is_pmd(p));
	OK(msync(p, 2 * PMD, MS_SYNC));
	shows(fd, 2 * PMD, 0, 1);
	OK(munmap(p, 2 * PMD));
	/* Nothing of it is kept in memory that is not the device's. */
	OK(close(fd));
	drop_caches();
	fd = open_rw(r, "f", 0);
	shows(fd, 2 * PMD, 0, 1);
	end(r, fd);
}

TEST(devdax, space_is_made_ready)
{
	uint32_t dev;
	struct raw *r = with_devdax(&dev);
	int fd;

	maps_size(r, MAP_F, 0);
	fd = open_rw(r, "f", 0);
	put(fd, 100, 5000, 1);
	zeros(fd, 5000, 0);
	shows(fd, 100, 5000, 1);
	OK(fsync(fd));
	EQ(maps_find(r, MAP_F, BLOCK)->type, MAPPED);
	end(r, fd);
}

TEST(devdax, has_one_holder_and_is_given_back)
{
	uint32_t dev, cookie;
	struct raw *r = with_devdax(&dev);
	struct raw *other = dax_start(LOCAL, 0);
	int fd = (int)OK(open(getenv("FUSEX_DEVDAX"), O_RDWR));

	EQ(pmem_add(other->fd, fd, BOTH, &cookie), EBUSY);
	OK(raw_unregister(r->fd, dev, 0));
	EQ(pmem_add(other->fd, fd, BOTH, &cookie), 0);
	/* It is no block device, even if asked nicely. */
	CHECK(device_add(other->fd, fd, BOTH, &cookie));
	close(fd);
	maps_stop(r);
	maps_stop(other);
}

TEST(devdax, ends_where_it_ends)
{
	uint32_t dev;
	struct raw *r = with_devdax(&dev);
	char byte;
	int fd;

	maps_on(r, MAP_F, MAPPED, 0, PMD, 1ull << 40, dev);
	maps_size(r, MAP_F, PMD);
	fd = open_rw(r, "f", 0);
	FAILS(pread(fd, &byte, 1, 0), EUCLEAN);
	end(r, fd);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The side of tests about mappings: starting the server, and looking at files and
 * devices.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

static void add_disk(struct raw *r, unsigned int n)
{
	struct loop *l = &r->maps->disks[n];
	char image[16];

	snprintf(image, sizeof(image), "disk%u", n);
	*l = loop_of(image, DISK_SIZE, 512);
	EQ(device_add(r->fd, l->fd, FUSEX_BACKING_READ | FUSEX_BACKING_WRITE,
		      &r->maps->devs[n]), 0);
	close(l->fd);
	l->fd = (int)OK(open(l->path, O_RDWR | O_DIRECT | O_CLOEXEC));
	disk_fill(r, n, MAP_FREE, 0, DISK_SEED(n));
	disk_fill(r, n, 1 << 20, MAP_FREE, DISK_SEED(n));
}

struct raw *maps_start_setup(struct raw *r, unsigned int disks)
{
	r->maps = mmap(NULL, sizeof(struct maps), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(r->maps != MAP_FAILED);
	raw_mount(r);
	raw_serve(r);
	for (unsigned int i = 0; i < disks; i++)
		add_disk(r, i);
	r->maps->nr_disks = disks;
	r->maps->dev = r->maps->devs[0];
	r->maps->next = MAP_FREE;
	return r;
}

struct raw *maps_start(uint32_t attr_mode, unsigned int disks)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, attr_mode);
	r->setup.io_mode = FUSEX_IO_IOMAP;
	r->setup.root.attr_valid = FUSEX_FOREVER;
	return maps_start_setup(r, disks);
}

void maps_stop(struct raw *r)
{
	struct maps *maps = r->maps;

	raw_stop(r);
	for (unsigned int i = 0; i < maps->nr_disks; i++) {
		close(maps->disks[i].fd);
		if (maps->disks[i].nr >= 0)
			UNTIL(loop_is_unbound, &maps->disks[i]);
	}
	munmap(maps, sizeof(*maps));
}

void end(struct raw *r, int fd)
{
	OK(close(fd));
	maps_stop(r);
}

void maps_at(struct raw *r, uint64_t node, uint16_t type, uint64_t offset,
	     uint64_t length, uint64_t addr)
{
	maps_on(r, node, type, offset, length, addr,
		type == FUSEX_MAP_DELALLOC ? 0 : r->maps->dev);
}

void maps_size(struct raw *r, uint64_t node, uint64_t size)
{
	r->nodes[node].size = size;
}

unsigned int maps_count(struct raw *r, uint32_t op)
{
	return r->count[op];
}

void maps_reset(struct raw *r)
{
	for (unsigned int i = 0; i < FUSEX_OP_NR; i++)
		r->count[i] = 0;
}

atomic_bool answering;

void hold_answer(struct raw *r, const struct fusex_in_header *in,
		 struct raw_reply *rep)
{
	(void)r;
	(void)in;
	(void)rep;
	while (!answering)
		usleep(1000);
}

static char chunk[1 << 20] __attribute__((aligned(4096)));

/* Part by part, whole blocks each. */
static size_t chunk_of(size_t size)
{
	return size < sizeof(chunk) ? size : sizeof(chunk);
}

void disk_read(struct raw *r, unsigned int disk, void *buf, size_t size,
	       off_t addr)
{
	off_t start = addr & ~511;
	size_t len = (size_t)(addr - start) + size;

	CHECK(len <= sizeof(chunk));
	len = (len + 511) & ~511ul;
	EQ(OK(pread(r->maps->disks[disk].fd, chunk, len, start)), len);
	memcpy(buf, chunk + (addr - start), size);
}

void disk_fill(struct raw *r, unsigned int disk, size_t size, off_t addr,
	       unsigned int seed)
{
	while (size) {
		size_t n = chunk_of(size);

		fill_pattern(chunk, n, addr, seed);
		EQ(OK(pwrite(r->maps->disks[disk].fd, chunk, n, addr)), n);
		size -= n;
		addr += (off_t)n;
	}
}

void disk_shows(struct raw *r, unsigned int disk, size_t size, off_t addr,
		off_t at, unsigned int seed)
{
	static char buf[1 << 20];

	while (size) {
		size_t n = size < sizeof(buf) / 2 ? size : sizeof(buf) / 2;

		disk_read(r, disk, buf, n, addr);
		check_pattern(buf, n, at, seed);
		size -= n;
		addr += (off_t)n;
		at += (off_t)n;
	}
}

void disk_zero(struct raw *r, unsigned int disk, size_t size, off_t addr)
{
	static char buf[1 << 20];

	CHECK(size <= sizeof(buf) / 2);
	disk_read(r, disk, buf, size, addr);
	for (size_t i = 0; i < size; i++)
		if (buf[i])
			FAIL("byte at %lld of the device is 0x%02x, not zero",
			     (long long)addr + (long long)i,
			     (unsigned char)buf[i]);
}

static char io_buf[IO_MAX] __attribute__((aligned(4096)));

void put(int fd, size_t size, off_t at, unsigned int seed)
{
	CHECK(size <= IO_MAX);
	fill_pattern(io_buf, size, at, seed);
	EQ(OK(pwrite(fd, io_buf, size, at)), size);
}

static void get(int fd, size_t size, off_t at)
{
	CHECK(size <= IO_MAX);
	memset(io_buf, 0xa5, size);
	EQ(OK(pread(fd, io_buf, size, at)), size);
}

void shows(int fd, size_t size, off_t at, unsigned int seed)
{
	get(fd, size, at);
	check_pattern(io_buf, size, at, seed);
}

void shows_disk(int fd, size_t size, off_t at, off_t addr, unsigned int disk)
{
	get(fd, size, at);
	check_pattern(io_buf, size, addr, DISK_SEED(disk));
}

void zeros(int fd, size_t size, off_t at)
{
	get(fd, size, at);
	for (size_t i = 0; i < size; i++)
		if (io_buf[i])
			FAIL("byte at %lld is 0x%02x, not zero",
			     (long long)at + (long long)i,
			     (unsigned char)io_buf[i]);
}

void uncache(int fd)
{
	OK(fsync(fd));
	EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

int open_rw(struct raw *r, const char *name, int flags)
{
	return (int)OK(open(raw_path(r, name), O_RDWR | flags));
}

int maps_notify(struct raw *r, uint32_t code, const void *n, size_t len,
		const void *more, size_t more_len)
{
	struct fusex_out_header oh = {
		.len = (uint32_t)(sizeof(oh) + len + more_len), .notify = code,
	};
	struct iovec iov[3] = {
		{ &oh, sizeof(oh) },
		{ (void *)(uintptr_t)n, len },
		{ (void *)(uintptr_t)more, more_len },
	};

	return writev(r->fd, iov, 3) < 0 ? errno : 0;
}

int upsert(struct raw *r, const struct fusex_map *maps, uint32_t count)
{
	struct fusex_notify_upsert n = { .nodeid = MAP_F, .count = count };

	return maps_notify(r, FUSEX_NOTIFY_MAP_UPSERT, &n, sizeof(n), maps,
			   count * sizeof(*maps));
}

void cut_and_push(struct raw *r, int fd, const struct fusex_map *map)
{
	pid_t pid;

	raw_bend(r, FUSEX_OP_SETATTR, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		OK(ftruncate(fd, 0));
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	EQ(upsert(r, map, 1), 0);
	answering = true;
	EQ(WAIT(pid), 0);
}

struct fusex_map map_at(struct raw *r, uint16_t type, uint64_t offset,
			uint64_t length, uint64_t addr)
{
	return (struct fusex_map){
		.offset = offset, .length = length, .addr = addr, .type = type,
		.dev = type == FUSEX_MAP_HOLE ? 0 : r->maps->dev,
	};
}

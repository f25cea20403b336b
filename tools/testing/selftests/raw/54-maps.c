// SPDX-License-Identifier: GPL-2.0
/*
 * Iomap mode: data moves between memory and devices, to and from where the
 * server says it is, and the server is asked and told as much as it has to be.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* "f" has @size bytes, of which the server says what @type says. */
static struct raw *with_f(uint16_t type, uint64_t size, uint64_t addr)
{
	struct raw *r = maps_start(LOCAL, 1);

	maps_at(r, MAP_F, type, 0, (size + BLOCK - 1) & ~(BLOCK - 1), addr);
	maps_size(r, MAP_F, size);
	return r;
}

/* "f" is empty, and there is no space for it yet. */
static struct raw *with_empty_f(void)
{
	struct raw *r = maps_start(LOCAL, 1);

	maps_size(r, MAP_F, 0);
	return r;
}

/* What the only IOEND that came said. */
static void told(struct raw *r, uint64_t offset, uint64_t length, uint64_t addr,
		 uint32_t flags, uint64_t size)
{
	const struct fusex_map_ioend_in *in = &r->maps->ioends[0];

	EQ(ioends(r), 1);
	EQ(in->offset, offset);
	EQ(in->length, length);
	EQ(in->addr, addr);
	EQ(in->dev, r->maps->dev);
	EQ(in->flags, flags);
	EQ(in->size, size);
	EQ(in->error, 0);
	EQ(in->reserved, 0);
}

/* ------------------------------------------------------------------- reading */

TEST(reading, every_type)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd;

	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 1 * MIB);
	maps_at(r, MAP_F, MAPPED, 64 * KIB, 64 * KIB, 512 * KIB);
	maps_at(r, MAP_F, UNWRITTEN, 192 * KIB, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 256 * KIB);
	fd = open_rw(r, "f", 0);
	shows_disk(fd, 64 * KIB, 0, 1 * MIB, 0);
	shows_disk(fd, 64 * KIB, 64 * KIB, 512 * KIB, 0);
	zeros(fd, 128 * KIB, 128 * KIB);
	/* One question each. */
	EQ(begins(r), 4);
	EQ(r->maps->begins[0].offset, 0);
	EQ(r->maps->begins[0].op, 0);
	EQ(r->maps->begins[0].size, 256 * KIB);
	uncache(fd);
	maps_reset(r);
	shows_disk(fd, 64 * KIB, 64 * KIB, 512 * KIB, 0);
	zeros(fd, 128 * KIB, 128 * KIB);
	EQ(begins(r), 0);
	EQ(maps_count(r, FUSEX_OP_READ), 0);
	end(r, fd);
}

TEST(reading, directly)
{
	struct raw *r = maps_start(LOCAL, 1);
	char byte;
	int fd;

	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 1 * MIB);
	maps_at(r, MAP_F, UNWRITTEN, 128 * KIB, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 160 * KIB + 100);
	fd = open_rw(r, "f", O_DIRECT);
	shows_disk(fd, 64 * KIB, 0, 1 * MIB, 0);
	shows_disk(fd, 512, 4096 + 512, 1 * MIB + 4096 + 512, 0);
	zeros(fd, 64 * KIB, 64 * KIB);
	zeros(fd, 32 * KIB, 128 * KIB);
	EQ(begins(r), 3);
	EQ(r->maps->begins[0].op, FUSEX_MAP_OP_DIRECT);
	FAILS(pread(fd, &byte, 1, 0), EINVAL);
	/* Up to the end, and none beyond. */
	EQ(OK(pread(fd, mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8192,
		    160 * KIB)), 100);
	end(r, fd);
}

/* Neighbours by the number of their sectors that are on two devices. */
TEST(reading, two_devices)
{
	struct raw *r = maps_start(LOCAL, 2);
	int fd;

	maps_on(r, MAP_F, MAPPED, 0, 64 * KIB, 0, r->maps->devs[0]);
	maps_on(r, MAP_F, MAPPED, 64 * KIB, 64 * KIB, 64 * KIB,
		r->maps->devs[1]);
	maps_size(r, MAP_F, 128 * KIB);
	fd = open_rw(r, "f", 0);
	shows_disk(fd, 64 * KIB, 0, 0, 0);
	shows_disk(fd, 64 * KIB, 64 * KIB, 64 * KIB, 1);
	EQ(begins(r), 2);
	OK(close(fd));
	fd = open_rw(r, "f", O_DIRECT);
	shows_disk(fd, 64 * KIB, 64 * KIB, 64 * KIB, 1);
	end(r, fd);
}

/* ------------------------------------------------------------------- writing */

TEST(writing, in_place)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 100 * KIB, 10000, 1);
	shows(fd, 100 * KIB, 10000, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 100 * KIB, 2 * MIB + 10000, 10000, 1);
	/* And what is beside it stays. */
	disk_shows(r, 0, 10000, 2 * MIB, 2 * MIB, DISK_SEED(0));
	disk_shows(r, 0, 1000, 2 * MIB + 10000 + 100 * KIB,
		   2 * MIB + 10000 + 100 * KIB, DISK_SEED(0));
	EQ(begins(r), 1);
	EQ(ioends(r), 0);
	EQ(r->maps->begins[0].op & ~FUSEX_MAP_OP_WRITE, 0);
	maps_reset(r);
	put(fd, 512 * KIB, 0, 2);
	OK(fsync(fd));
	uncache(fd);
	shows(fd, 512 * KIB, 0, 2);
	disk_shows(r, 0, 512 * KIB, 2 * MIB, 0, 2);
	EQ(begins(r), 0);
	EQ(ioends(r), 0);
	EQ(maps_count(r, FUSEX_OP_WRITE), 0);
	end(r, fd);
}

TEST(writing, unwritten)
{
	struct raw *r = with_f(UNWRITTEN, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	zeros(fd, 64 * KIB, 0);
	put(fd, 5000, BLOCK + 100, 1);
	OK(fsync(fd));
	EQ(begins(r), 1);
	told(r, BLOCK, 2 * BLOCK, 2 * MIB + BLOCK, FUSEX_IOEND_UNWRITTEN, 0);
	disk_zero(r, 0, 100, 2 * MIB + BLOCK);
	disk_shows(r, 0, 5000, 2 * MIB + BLOCK + 100, BLOCK + 100, 1);
	disk_zero(r, 0, 2 * BLOCK - 5100, 2 * MIB + BLOCK + 5100);
	/* The kernel knows itself that it is MAPPED now, and the rest is not. */
	uncache(fd);
	maps_reset(r);
	zeros(fd, BLOCK + 100, 0);
	shows(fd, 5000, BLOCK + 100, 1);
	zeros(fd, 48 * KIB, 16 * KIB);
	put(fd, 2 * BLOCK, BLOCK, 2);
	OK(fsync(fd));
	disk_shows(r, 0, 2 * BLOCK, 2 * MIB + BLOCK, BLOCK, 2);
	EQ(begins(r), 0);
	EQ(ioends(r), 0);
	end(r, fd);
}

TEST(writing, makes_the_file_grow)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", 0);

	put(fd, 10000, 0, 1);
	EQ(begins(r), 1);
	EQ(r->maps->begins[0].op, FUSEX_MAP_OP_WRITE);
	EQ(r->maps->begins[0].size, 0);
	EQ(ioends(r), 0);
	OK(fsync(fd));
	EQ(begins(r), 1);
	told(r, 0, 10000, MAP_FREE, FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_APPEND,
	     10000);
	EQ(r->nodes[MAP_F].size, 10000);
	disk_shows(r, 0, 10000, MAP_FREE, 0, 1);
	disk_zero(r, 0, 3 * BLOCK - 10000, MAP_FREE + 10000);
	/* In place, but longer. */
	maps_reset(r);
	put(fd, 100, 10000, 2);
	OK(fsync(fd));
	EQ(begins(r), 0);
	told(r, 2 * BLOCK, 10100 - 2 * BLOCK, MAP_FREE + 2 * BLOCK,
	     FUSEX_IOEND_APPEND, 10100);
	EQ(r->nodes[MAP_F].size, 10100);
	end(r, fd);
}

/* What is between the old end and the write reads as zeros. */
TEST(writing, beyond_the_end)
{
	struct raw *r = with_f(MAPPED, 10000, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	put(fd, 1000, 100 * KIB, 1);
	OK(fsync(fd));
	uncache(fd);
	shows_disk(fd, 10000, 0, 2 * MIB, 0);
	zeros(fd, 100 * KIB - 10000, 10000);
	shows(fd, 1000, 100 * KIB, 1);
	disk_zero(r, 0, 3 * BLOCK - 10000, 2 * MIB + 10000);
	EQ(r->nodes[MAP_F].size, 100 * KIB + 1000);
	end(r, fd);
}

TEST(writing, in_a_stream)
{
	struct raw *r = with_empty_f();
	int fd;

	maps_at(r, MAP_F, UNWRITTEN, 0, 16 * MIB, MAP_FREE);
	fd = open_rw(r, "f", 0);
	for (unsigned int i = 0; i < 256; i++)
		put(fd, 64 * KIB, 64 * KIB * i, 1);
	OK(fsync(fd));
	EQ(begins(r), 1);
	if (ioends(r) > 64)
		FAIL("%u IOENDs for 16 MiB", ioends(r));
	EQ(r->nodes[MAP_F].size, 16 * MIB);
	disk_shows(r, 0, 16 * MIB, MAP_FREE, 0, 1);
	EQ(maps_find(r, MAP_F, 0)->type, MAPPED);
	EQ(maps_find(r, MAP_F, 0)->length, 16 * MIB);
	end(r, fd);
}

TEST(writing, to_reserved_space)
{
	struct raw *r = with_empty_f();
	int fd;

	r->maps->files[MAP_F].alloc = DELALLOC;
	fd = open_rw(r, "f", 0);
	put(fd, 3 * BLOCK, 0, 1);
	EQ(begins(r), 1);
	EQ(r->maps->begins[0].op, FUSEX_MAP_OP_WRITE);
	/* What will be elsewhere is not remembered. */
	put(fd, BLOCK, BLOCK, 2);
	EQ(begins(r), 2);
	EQ(r->maps->begins[1].op, FUSEX_MAP_OP_WRITE);
	OK(fsync(fd));
	EQ(begins(r), 3);
	EQ(r->maps->begins[2].op,
	   FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_WRITEBACK);
	told(r, 0, 3 * BLOCK, MAP_FREE,
	     FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_APPEND, 3 * BLOCK);
	disk_shows(r, 0, BLOCK, MAP_FREE, 0, 1);
	disk_shows(r, 0, BLOCK, MAP_FREE + BLOCK, BLOCK, 2);
	maps_reset(r);
	uncache(fd);
	shows(fd, BLOCK, 0, 1);
	shows(fd, BLOCK, 2 * BLOCK, 1);
	put(fd, BLOCK, 0, 3);
	OK(fsync(fd));
	disk_shows(r, 0, BLOCK, MAP_FREE, 0, 3);
	EQ(ioends(r), 0);
	end(r, fd);
}

/* That a hole was there is remembered, and does not do for a write. */
TEST(writing, to_a_hole)
{
	struct raw *r = with_empty_f();
	int fd;

	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	zeros(fd, 64 * KIB, 0);
	EQ(begins(r), 1);
	put(fd, 100, 5000, 1);
	EQ(begins(r), 2);
	OK(fsync(fd));
	EQ(begins(r), 2);
	told(r, BLOCK, BLOCK, MAP_FREE, FUSEX_IOEND_UNWRITTEN, 0);
	uncache(fd);
	maps_reset(r);
	zeros(fd, 5000, 0);
	shows(fd, 100, 5000, 1);
	zeros(fd, 64 * KIB - 5100, 5100);
	EQ(begins(r), 0);
	end(r, fd);
}

/* New space has to be zeroed where nothing is written. */
TEST(writing, to_new_space)
{
	struct raw *r = with_empty_f();
	int fd;

	maps_size(r, MAP_F, 64 * KIB);
	r->maps->files[MAP_F].alloc = MAPPED;
	fd = open_rw(r, "f", 0);
	put(fd, 100, 5000, 1);
	OK(fsync(fd));
	disk_zero(r, 0, 5000 - BLOCK, MAP_FREE);
	disk_shows(r, 0, 100, MAP_FREE + 5000 - BLOCK, 5000, 1);
	disk_zero(r, 0, 2 * BLOCK - 5100, MAP_FREE + 5100 - BLOCK);
	OK(close(fd));
	fd = open_rw(r, "f", O_DIRECT);
	put(fd, 512, 5 * BLOCK + 512, 1);
	disk_zero(r, 0, 512, MAP_FREE + BLOCK);
	disk_shows(r, 0, 512, MAP_FREE + BLOCK + 512, 5 * BLOCK + 512, 1);
	disk_zero(r, 0, BLOCK - 1024, MAP_FREE + BLOCK + 1024);
	end(r, fd);
}

/* Each range is told with the device it is on. */
TEST(writing, to_two_devices)
{
	struct raw *r = maps_start(LOCAL, 2);
	const struct fusex_map_ioend_in *in = r->maps->ioends;
	int fd;

	maps_on(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 0, r->maps->devs[0]);
	maps_on(r, MAP_F, UNWRITTEN, 64 * KIB, 64 * KIB, 64 * KIB,
		r->maps->devs[1]);
	maps_size(r, MAP_F, 128 * KIB);
	fd = open_rw(r, "f", 0);
	put(fd, 128 * KIB, 0, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 0, 0, 1);
	disk_shows(r, 1, 64 * KIB, 64 * KIB, 64 * KIB, 1);
	EQ(ioends(r), 2);
	for (int i = 0; i < 2; i++) {
		unsigned int disk = in[i].offset ? 1 : 0;

		EQ(in[i].offset, disk * 64 * KIB);
		EQ(in[i].length, 64 * KIB);
		EQ(in[i].addr, disk * 64 * KIB);
		EQ(in[i].dev, r->maps->devs[disk]);
	}
	end(r, fd);
}

/* What is not cached afterwards. */
TEST(writing, without_keeping_it)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	static char buf[64 * KIB];
	struct iovec iov = { buf, sizeof(buf) };
	int fd = open_rw(r, "f", 0);

	fill_pattern(buf, sizeof(buf), 0, 1);
	EQ(OK(pwritev2(fd, &iov, 1, 0, RWF_DONTCACHE)), sizeof(buf));
	OK(fsync(fd));
	disk_shows(r, 0, sizeof(buf), 2 * MIB, 0, 1);
	memset(buf, 0, sizeof(buf));
	EQ(OK(preadv2(fd, &iov, 1, 0, RWF_DONTCACHE)), sizeof(buf));
	check_pattern(buf, sizeof(buf), 0, 1);
	EQ(ioends(r), 0);
	end(r, fd);
}

/* ---------------------------------------------------------------- block sizes */

static struct raw *with_blocks(uint32_t block_size)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, LOCAL);
	r->setup.io_mode = FUSEX_IO_IOMAP;
	r->setup.block_size = block_size;
	return maps_start_setup(r, 1);
}

/* The blocks of a page lie the wrong way round. */
TEST(blocks, smaller_than_a_page)
{
	struct raw *r = with_blocks(1024);
	int fd;

	for (unsigned int i = 0; i < 8; i++)
		maps_at(r, MAP_F, MAPPED, i * 1024, 1024,
			1 * MIB + (7 - i) * 1024);
	maps_size(r, MAP_F, 8192);
	fd = open_rw(r, "f", 0);
	for (unsigned int i = 0; i < 8; i++)
		shows_disk(fd, 1024, i * 1024, 1 * MIB + (7 - i) * 1024, 0);
	put(fd, 2048, 512, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 512, 1 * MIB + 7 * 1024, 1 * MIB + 7 * 1024,
		   DISK_SEED(0));
	disk_shows(r, 0, 512, 1 * MIB + 7 * 1024 + 512, 512, 1);
	disk_shows(r, 0, 1024, 1 * MIB + 6 * 1024, 1024, 1);
	disk_shows(r, 0, 512, 1 * MIB + 5 * 1024, 2048, 1);
	disk_shows(r, 0, 512, 1 * MIB + 5 * 1024 + 512,
		   1 * MIB + 5 * 1024 + 512, DISK_SEED(0));
	EQ(begins(r), 8);
	OK(close(fd));
	fd = open_rw(r, "f", O_DIRECT);
	put(fd, 4096, 4096, 2);
	for (unsigned int i = 4; i < 8; i++)
		disk_shows(r, 0, 1024, 1 * MIB + (7 - i) * 1024, i * 1024, 2);
	end(r, fd);
}

/* There would be blocks of which the page cache has only a part. */
TEST(blocks, larger_than_a_page)
{
	struct fusex_setup s;
	int fd = (int)OK(open("/dev/fusex", O_RDWR | O_CLOEXEC));

	raw_setup_init(&s, LOCAL);
	s.io_mode = FUSEX_IO_IOMAP;
	s.block_size = 65536;
	FAILS(ioctl(fd, FUSEX_IOC_SETUP, &s), EINVAL);
	s.io_mode = FUSEX_IO_PLAIN;
	s.io_modes = 1u << FUSEX_IO_IOMAP;
	FAILS(ioctl(fd, FUSEX_IOC_SETUP, &s), EINVAL);
	s.io_modes = 0;
	OK(ioctl(fd, FUSEX_IOC_SETUP, &s));
	OK(close(fd));
}

/* -------------------------------------------------------------------- direct */

TEST(direct, in_place)
{
	struct raw *r = with_f(MAPPED, 1 * MIB, 2 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);

	put(fd, 64 * KIB, 128 * KIB, 1);
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 128 * KIB, 128 * KIB, 1);
	EQ(begins(r), 1);
	EQ(r->maps->begins[0].op, FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_DIRECT);
	put(fd, 512, 512, 2);
	disk_shows(r, 0, 512, 2 * MIB + 512, 512, 2);
	disk_shows(r, 0, 512, 2 * MIB, 2 * MIB, DISK_SEED(0));
	disk_shows(r, 0, 512, 2 * MIB + 1024, 2 * MIB + 1024, DISK_SEED(0));
	shows(fd, 512, 512, 2);
	EQ(begins(r), 1);
	EQ(ioends(r), 0);
	FAILS(pwrite(fd, "x", 1, 0), EINVAL);
	end(r, fd);
}

TEST(direct, unwritten)
{
	struct raw *r = with_f(UNWRITTEN, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);

	put(fd, 512, BLOCK + 512, 1);
	OK(fsync(fd));
	told(r, BLOCK + 512, 512, 2 * MIB + BLOCK + 512,
	     FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_DIRECT, 0);
	disk_zero(r, 0, 512, 2 * MIB + BLOCK);
	disk_shows(r, 0, 512, 2 * MIB + BLOCK + 512, BLOCK + 512, 1);
	disk_zero(r, 0, BLOCK - 1024, 2 * MIB + BLOCK + 1024);
	maps_reset(r);
	zeros(fd, BLOCK + 512, 0);
	shows(fd, 512, BLOCK + 512, 1);
	zeros(fd, BLOCK, BLOCK + 1024);
	/* The rest of the block is the file's now, too: no zeros over it. */
	put(fd, 512, BLOCK + 1024, 2);
	shows(fd, 512, BLOCK + 512, 1);
	EQ(begins(r), 0);
	EQ(ioends(r), 0);
	end(r, fd);
}

TEST(direct, makes_the_file_grow)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", O_DIRECT);

	put(fd, BLOCK + 512, 0, 1);
	EQ(flook(fd).stx_size, BLOCK + 512);
	OK(fsync(fd));
	told(r, 0, BLOCK + 512, MAP_FREE, FUSEX_IOEND_UNWRITTEN |
	     FUSEX_IOEND_APPEND | FUSEX_IOEND_DIRECT, BLOCK + 512);
	EQ(r->nodes[MAP_F].size, BLOCK + 512);
	disk_shows(r, 0, BLOCK + 512, MAP_FREE, 0, 1);
	disk_zero(r, 0, BLOCK - 512, MAP_FREE + BLOCK + 512);
	maps_reset(r);
	put(fd, 512, BLOCK + 512, 2);
	OK(fsync(fd));
	told(r, BLOCK + 512, 512, MAP_FREE + BLOCK + 512,
	     FUSEX_IOEND_APPEND | FUSEX_IOEND_DIRECT, BLOCK + 1024);
	shows(fd, BLOCK + 512, 0, 1);
	EQ(flook(fd).stx_size, BLOCK + 1024);
	end(r, fd);
}

/* One IOEND for one write, if it is one range. */
TEST(direct, large)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", O_DIRECT);

	put(fd, IO_MAX, 0, 1);
	EQ(begins(r), 1);
	OK(fsync(fd));
	told(r, 0, IO_MAX, MAP_FREE, FUSEX_IOEND_UNWRITTEN |
	     FUSEX_IOEND_APPEND | FUSEX_IOEND_DIRECT, IO_MAX);
	disk_shows(r, 0, IO_MAX, MAP_FREE, 0, 1);
	end(r, fd);
}

TEST(direct, several_ranges)
{
	struct raw *r = maps_start(LOCAL, 1);
	const struct fusex_map_ioend_in *in = r->maps->ioends;
	int fd;

	for (unsigned int i = 0; i < 16; i++)
		maps_at(r, MAP_F, i % 2 ? MAPPED : UNWRITTEN, i * 16 * KIB,
			16 * KIB, 2 * MIB + (15 - i) * 16 * KIB);
	maps_size(r, MAP_F, 256 * KIB);
	fd = open_rw(r, "f", O_DIRECT);
	put(fd, 256 * KIB, 0, 1);
	OK(fsync(fd));
	EQ(ioends(r), 8);
	for (unsigned int i = 0; i < 8; i++) {
		EQ(in[i].offset, i * 32 * KIB);
		EQ(in[i].length, 16 * KIB);
		EQ(in[i].addr, 2 * MIB + (15 - 2 * i) * 16 * KIB);
	}
	shows(fd, 256 * KIB, 0, 1);
	for (unsigned int i = 0; i < 16; i++)
		disk_shows(r, 0, 16 * KIB, 2 * MIB + (15 - i) * 16 * KIB,
			   i * 16 * KIB, 1);
	end(r, fd);
}

TEST(direct, and_cached)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int cached = open_rw(r, "f", 0), fd = open_rw(r, "f", O_DIRECT);

	put(cached, 64 * KIB, 0, 1);
	shows(fd, 64 * KIB, 0, 1);
	put(fd, BLOCK, BLOCK, 2);
	shows(cached, BLOCK, 0, 1);
	shows(cached, BLOCK, BLOCK, 2);
	OK(close(cached));
	end(r, fd);
}

/* The server hears of it a moment later, and by whatever syncs. */
TEST(direct, is_told_by_syncfs)
{
	struct raw *r = with_f(UNWRITTEN, 256 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);

	for (unsigned int i = 0; i < 16; i++) {
		put(fd, BLOCK, 2 * i * BLOCK, 1);
		OK(syncfs(fd));
		EQ(ioends(r), i + 1);
		EQ(r->maps->ioends[i].offset, 2 * i * BLOCK);
	}
	end(r, fd);
}

/* Or before the server is asked for anything that depends on it. */
TEST(direct, is_told_before_questions)
{
	struct raw *r = with_f(UNWRITTEN, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);

	for (unsigned int i = 0; i < 8; i++) {
		put(fd, BLOCK, 2 * i * BLOCK, 1);
		EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL,
			       &(struct fusex_notify_map){ .nodeid = MAP_F },
			       sizeof(struct fusex_notify_map), NULL, 0), 0);
		shows(fd, BLOCK, 2 * i * BLOCK, 1);
		EQ(ioends(r), i + 1);
	}
	/* All that follows each other at once. */
	maps_reset(r);
	maps_at(r, MAP_G, UNWRITTEN, 0, 64 * KIB, 4 * MIB);
	OK(close(fd));
	fd = open_rw(r, "g", O_DIRECT);
	for (unsigned int i = 0; i < 16; i++)
		put(fd, BLOCK, i * BLOCK, 1);
	OK(fsync(fd));
	EQ(begins(r), 1);
	CHECK(ioends(r) >= 1 && ioends(r) < 16);
	EQ(r->nodes[MAP_G].size, 64 * KIB);
	shows(fd, 64 * KIB, 0, 1);
	end(r, fd);
}

TEST(direct, is_told_by_close)
{
	struct raw *r = with_f(UNWRITTEN, 64 * KIB, 2 * MIB);

	for (unsigned int i = 0; i < 8; i++) {
		int fd = open_rw(r, "f", O_DIRECT);

		put(fd, BLOCK, 2 * i * BLOCK, 1);
		OK(close(fd));
		EQ(ioends(r), i + 1);
	}
	maps_stop(r);
}

static char aio_buf[2][64 * KIB] __attribute__((aligned(4096)));

static void submit(aio_context_t ctx, int fd, int op, int i, off_t at)
{
	struct iocb cb = {
		.aio_lio_opcode = (uint16_t)op,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uint64_t)(uintptr_t)aio_buf[i],
		.aio_nbytes = sizeof(aio_buf[i]),
		.aio_offset = at,
	};
	struct iocb *list = &cb;

	EQ(OK(syscall(SYS_io_submit, ctx, 1, &list)), 1);
}

static void complete(aio_context_t ctx, int nr)
{
	struct io_event events[2];

	EQ(OK(syscall(SYS_io_getevents, ctx, nr, nr, events, NULL)), nr);
	for (int i = 0; i < nr; i++)
		EQ(events[i].res, sizeof(aio_buf[0]));
}

TEST(direct, asynchronously)
{
	struct raw *r = with_f(UNWRITTEN, 256 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);
	aio_context_t ctx = 0;

	OK(syscall(SYS_io_setup, 2, &ctx));
	fill_pattern(aio_buf[0], sizeof(aio_buf[0]), 0, 1);
	fill_pattern(aio_buf[1], sizeof(aio_buf[1]), 128 * KIB, 1);
	submit(ctx, fd, IOCB_CMD_PWRITE, 0, 0);
	submit(ctx, fd, IOCB_CMD_PWRITE, 1, 128 * KIB);
	complete(ctx, 2);
	OK(fsync(fd));
	EQ(ioends(r), 2);
	EQ(begins(r), 1);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 0, 1);
	disk_shows(r, 0, 64 * KIB, 2 * MIB + 128 * KIB, 128 * KIB, 1);
	memset(aio_buf, 0, sizeof(aio_buf));
	submit(ctx, fd, IOCB_CMD_PREAD, 0, 128 * KIB);
	complete(ctx, 1);
	check_pattern(aio_buf[0], sizeof(aio_buf[0]), 128 * KIB, 1);
	/* Over what is there: no request at all. */
	submit(ctx, fd, IOCB_CMD_PWRITE, 0, 0);
	complete(ctx, 1);
	OK(fsync(fd));
	EQ(ioends(r), 2);
	EQ(begins(r), 1);
	OK(syscall(SYS_io_destroy, ctx));
	end(r, fd);
}

TEST(direct, appends_asynchronously)
{
	struct raw *r = with_empty_f();
	int fd = open_rw(r, "f", O_DIRECT);
	aio_context_t ctx = 0;

	OK(syscall(SYS_io_setup, 2, &ctx));
	fill_pattern(aio_buf[0], sizeof(aio_buf[0]), 0, 1);
	submit(ctx, fd, IOCB_CMD_PWRITE, 0, 0);
	complete(ctx, 1);
	OK(fsync(fd));
	EQ(r->nodes[MAP_F].size, sizeof(aio_buf[0]));
	EQ(flook(fd).stx_size, sizeof(aio_buf[0]));
	shows(fd, sizeof(aio_buf[0]), 0, 1);
	OK(syscall(SYS_io_destroy, ctx));
	end(r, fd);
}

static ssize_t nowait(int fd, bool write, int flags)
{
	struct iovec iov = { aio_buf[0], BLOCK };

	return write ? pwritev2(fd, &iov, 1, 0, RWF_NOWAIT | flags) :
		preadv2(fd, &iov, 1, 0, RWF_NOWAIT | flags);
}

/* It is only done at once when the mapping is known. */
TEST(direct, without_waiting)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);

	FAILS(nowait(fd, false, 0), EAGAIN);
	EQ(begins(r), 0);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 1);
	EQ(OK(nowait(fd, false, 0)), BLOCK);
	check_pattern(aio_buf[0], BLOCK, 2 * MIB, DISK_SEED(0));
	/* Now it is known that there is nothing for a write to clear. */
	put(fd, BLOCK, 0, 1);
	fill_pattern(aio_buf[0], BLOCK, 0, 2);
	EQ(OK(nowait(fd, true, 0)), BLOCK);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 2);
	EQ(begins(r), 1);
	end(r, fd);
}

TEST(reading, without_waiting)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	FAILS(nowait(fd, false, 0), EAGAIN);
	EQ(begins(r), 0);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(OK(nowait(fd, false, 0)), BLOCK);
	check_pattern(aio_buf[0], BLOCK, 2 * MIB, DISK_SEED(0));
	EQ(begins(r), 1);
	end(r, fd);
}

TEST(writing, without_waiting)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	FAILS(nowait(fd, true, 0), EAGAIN);
	EQ(begins(r), 0);
	put(fd, BLOCK, 0, 1);
	fill_pattern(aio_buf[0], BLOCK, 0, 2);
	EQ(OK(nowait(fd, true, 0)), BLOCK);
	EQ(begins(r), 1);
	memset(aio_buf[0], 0, BLOCK);
	EQ(OK(nowait(fd, false, 0)), BLOCK);
	check_pattern(aio_buf[0], BLOCK, 0, 2);
	OK(fsync(fd));
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 2);
	EQ(begins(r), 1);
	end(r, fd);
}

/* ------------------------------------------------------------------- mappings */

TEST(mmap, reads_and_writes)
{
	struct raw *r = with_f(MAPPED, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);
	char *p = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	CHECK(p != MAP_FAILED);
	check_pattern(p, 64 * KIB, 2 * MIB, DISK_SEED(0));
	fill_pattern(p + 5000, 100, 5000, 1);
	OK(msync(p, 64 * KIB, MS_SYNC));
	disk_shows(r, 0, 100, 2 * MIB + 5000, 5000, 1);
	disk_shows(r, 0, 5000, 2 * MIB, 2 * MIB, DISK_SEED(0));
	EQ(ioends(r), 0);
	EQ(begins(r), 1);
	munmap(p, 64 * KIB);
	end(r, fd);
}

TEST(mmap, writes_into_a_hole)
{
	struct raw *r = with_empty_f();
	char *p;
	int fd;

	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	p = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	EQ(p[5000], 0);
	EQ(begins(r), 1);
	EQ(r->maps->begins[0].op, 0);
	fill_pattern(p + 5000, 100, 5000, 1);
	EQ(begins(r), 2);
	EQ(r->maps->begins[1].op, FUSEX_MAP_OP_WRITE | FUSEX_MAP_OP_FAULT);
	CHECK(r->maps->begins[1].offset <= BLOCK);
	OK(msync(p, 64 * KIB, MS_SYNC));
	CHECK(ioends(r) > 0);
	EQ(r->maps->ioends[0].flags, FUSEX_IOEND_UNWRITTEN);
	munmap(p, 64 * KIB);
	uncache(fd);
	zeros(fd, 5000, 0);
	shows(fd, 100, 5000, 1);
	zeros(fd, 64 * KIB - 5100, 5100);
	end(r, fd);
}

/* The server has none: who writes is told at once. */
TEST(mmap, writes_without_space)
{
	struct raw *r = with_empty_f();
	pid_t pid;
	char *p;
	int fd;

	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	p = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	EQ(p[0], 0);
	r->maps->fail[FUSEX_OP_MAP_BEGIN] = ENOSPC;
	pid = (pid_t)OK(fork());
	if (!pid) {
		p[0] = 1;
		_exit(0);
	}
	EQ(WAIT(pid), 128 + SIGBUS);
	FAILS(pwrite(fd, "x", 1, 0), ENOSPC);
	EQ(p[0], 0);
	r->maps->fail[FUSEX_OP_MAP_BEGIN] = 0;
	put(fd, 100, 0, 1);
	munmap(p, 64 * KIB);
	end(r, fd);
}

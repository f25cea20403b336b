// SPDX-License-Identifier: GPL-2.0
/*
 * What a file takes is what it needs, after it was truncated to whatever size.
 */
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "../lib/fs.h"

enum { MIB = 1 << 20 };

static int new_file(void)
{
	return (int)OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
}

/* Extents from @from on, FIEMAP's flags. */
static unsigned int extents(int fd, off_t from, unsigned int flags)
{
	struct fiemap f = {
		.fm_start = (unsigned long long)from,
		.fm_length = FIEMAP_MAX_OFFSET - (unsigned long long)from,
		.fm_flags = flags,
	};

	if (ioctl(fd, FS_IOC_FIEMAP, &f)) {
		EQ(errno, EOPNOTSUPP);
		SKIP("no FIEMAP here");
	}
	return f.fm_mapped_extents;
}

static size_t sectors(int fd)
{
	return (size_t)flook(fd).stx_blocks;
}

static void write_all(int fd, size_t size, off_t at)
{
	unsigned char *buf = malloc(size);

	CHECK(buf);
	fill_pattern(buf, size, at, 1);
	EQ(OK(pwrite(fd, buf, size, at)), size);
	free(buf);
}

static void check_all(int fd, size_t size)
{
	unsigned char *buf = malloc(size);

	CHECK(buf);
	EQ(OK(pread(fd, buf, size, 0)), size);
	check_pattern(buf, size, 0, 1);
	free(buf);
}

static void allocate(int fd, size_t size)
{
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size)) {
		EQ(errno, EOPNOTSUPP);
		SKIP("no fallocate here");
	}
}

/* The size is what it was before, but not to whom the space is. */
TEST(space, behind_the_end_goes_with_a_truncation_to_the_same_size)
{
	int fd = new_file();

	extents(fd, 0, 0);
	allocate(fd, 8 * MIB);
	write_all(fd, 4 * MIB, 0);
	CHECK(extents(fd, 4 * MIB, FIEMAP_FLAG_SYNC));
	OK(ftruncate(fd, 4 * MIB));
	EQ(extents(fd, 4 * MIB, FIEMAP_FLAG_SYNC), 0);
	CHECK(sectors(fd) >= 4 * MIB / 512);
	CHECK(sectors(fd) < 5 * MIB / 512);
	/* Nothing goes by what was there. */
	write_all(fd, MIB, 4 * MIB);
	OK(fsync(fd));
	drop_caches();
	check_all(fd, 5 * MIB);
}

TEST(space, behind_the_end_goes_when_nothing_was_written)
{
	int fd = new_file();

	extents(fd, 0, 0);
	allocate(fd, 8 * MIB);
	CHECK(extents(fd, 0, FIEMAP_FLAG_SYNC));
	OK(ftruncate(fd, 0));
	EQ(extents(fd, 0, FIEMAP_FLAG_SYNC), 0);
	EQ(sectors(fd), 0);
}

TEST(space, of_data_that_was_not_written_back)
{
	int fd = new_file();

	extents(fd, 0, 0);
	write_all(fd, 4 * MIB, 0);
	OK(ftruncate(fd, 0));
	OK(fsync(fd));
	EQ(extents(fd, 0, 0), 0);
	EQ(sectors(fd), 0);
}

/* What the file has before it is a hole. */
TEST(space, of_data_behind_a_hole_that_was_not_written_back)
{
	int fd = new_file();

	extents(fd, 0, 0);
	write_all(fd, 2 * MIB, 8 * MIB);
	OK(ftruncate(fd, 4 * MIB));
	OK(fsync(fd));
	EQ(extents(fd, 0, 0), 0);
	EQ(sectors(fd), 0);
	EQ(flook(fd).stx_size, 4 * MIB);
}

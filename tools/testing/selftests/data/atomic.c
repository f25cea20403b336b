// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O of the sizes that statx says, and writes that are all or nothing: what it
 * promises is had, and nothing else is.  FUSEX_DIO and FUSEX_ATOMIC are the sizes that
 * it has to say, if it has to.
 */
#include <sys/uio.h>

#include "../lib/fs.h"

#define ROOM	65536u

#ifndef RWF_ATOMIC
#define RWF_ATOMIC 0x00000040
#endif

static unsigned char *buf;

static struct statx promised(int fd)
{
	struct statx st;

	OK(statx(fd, "", AT_EMPTY_PATH, STATX_WRITE_ATOMIC | STATX_DIOALIGN,
		 &st));
	return st;
}

static int new_direct(void)
{
	int fd = open("f", O_CREAT | O_RDWR | O_DIRECT, 0644);

	if (fd < 0) {
		EQ(errno, EINVAL);
		SKIP("no O_DIRECT here");
	}
	buf = aligned_alloc(ROOM, ROOM);
	CHECK(buf);
	return fd;
}

static ssize_t put(int fd, size_t size, off_t at)
{
	const struct iovec iov = { buf, size };

	fill_pattern(buf, size, at, 1);
	return pwritev2(fd, &iov, 1, at, RWF_ATOMIC);
}

static void check_at(int fd, size_t size, off_t at)
{
	memset(buf, 0, size);
	EQ(OK(pread(fd, buf, size, at)), size);
	check_pattern(buf, size, at, 1);
}

/*
 * What there is to be tested; 0 if there has to be nothing: that is refused then, and
 * nothing more to be done.
 */
static size_t unit(int fd)
{
	struct statx st = promised(fd);
	const char *want = getenv("FUSEX_ATOMIC");

	if (want)
		EQ(st.stx_atomic_write_unit_min, atoi(want));
	if (!st.stx_atomic_write_unit_min) {
		EQ(st.stx_atomic_write_unit_max, 0);
		CHECK(!(st.stx_attributes & STATX_ATTR_WRITE_ATOMIC));
		FAILS(put(fd, 4096, 0), EOPNOTSUPP);
		if (!want)
			SKIP("none are promised here");
		return 0;
	}
	CHECK(st.stx_attributes & STATX_ATTR_WRITE_ATOMIC);
	EQ(st.stx_atomic_write_segments_max, 1);
	return st.stx_atomic_write_unit_min;
}

TEST(direct, of_what_statx_says_is_aligned)
{
	const char *want = getenv("FUSEX_DIO");
	int fd = new_direct();
	struct statx st = promised(fd);
	size_t size = st.stx_dio_offset_align;

	if (want)
		EQ(size, atoi(want));
	if (!size)
		SKIP("there is no such thing here");
	EQ(OK(pwrite(fd, buf, size, (off_t)size)), size);
	EQ(OK(pread(fd, buf, size, (off_t)size)), size);
	if (!want)
		return;
	FAILS(pwrite(fd, buf, size / 2, 0), EINVAL);
	FAILS(pwrite(fd, buf, size, (off_t)size / 2), EINVAL);
	FAILS(pread(fd, buf, size / 2, (off_t)size), EINVAL);
}

TEST(atomic, of_new_space_and_over_what_is_there)
{
	int fd = new_direct();
	size_t size = unit(fd);
	unsigned int i;

	/* The end moves, a hole is filled, and both are written over. */
	for (i = 0; size && i < 2; i++) {
		EQ(OK(put(fd, size, 0)), size);
		EQ(OK(put(fd, size, 8 * (off_t)size)), size);
		EQ(OK(put(fd, size, 4 * (off_t)size)), size);
	}
	for (i = 0; size && i <= 8; i += 4)
		check_at(fd, size, i * (off_t)size);
	EQ(flook(fd).stx_size, 9 * size);
}

/* Every block of a file is written beside what the page cache has of it. */
TEST(atomic, everywhere_in_a_file)
{
	int fd = new_direct(), cached = (int)OK(open("f", O_RDWR));
	size_t size = unit(fd), i;

	if (!size)
		return;
	for (i = 0; i < 2 * ROOM / size; i++)
		EQ(OK(pwrite(cached, "something else", 14,
			     (off_t)(i * size))), 14);
	for (i = 0; i < 2 * ROOM / size; i++)
		EQ(OK(put(fd, size, (off_t)(i * size))), size);
	for (i = 0; i < 2 * ROOM / size; i++)
		check_at(cached, size, (off_t)(i * size));
}

TEST(atomic, of_another_size_or_place_is_refused)
{
	int fd = new_direct();
	size_t size = unit(fd);
	size_t max = promised(fd).stx_atomic_write_unit_max;

	if (!size)
		return;
	EQ(OK(put(fd, size, 0)), size);
	FAILS(put(fd, size / 2, 0), EINVAL);
	FAILS(put(fd, size + size / 2, 0), EINVAL);
	FAILS(put(fd, size, (off_t)size / 2), EINVAL);
	if (max < ROOM)
		FAILS(put(fd, max * 2, 0), EINVAL);
	FAILS(put(fd, size * 3, 0), EINVAL);
	check_at(fd, size, 0);
	EQ(flook(fd).stx_size, size);
}

/* Of several pieces of memory, or through the page cache, it cannot be. */
TEST(atomic, only_around_the_page_cache_and_in_one_piece)
{
	int fd = new_direct(), cached = (int)OK(open("f", O_RDWR));
	size_t size = unit(fd);
	const struct iovec iov[] = { { buf, size / 2 },
				     { buf + size / 2, size / 2 } };

	if (!size)
		return;
	FAILS(pwritev2(fd, iov, 2, 0, RWF_ATOMIC), EINVAL);
	FAILS(put(cached, size, 0), EOPNOTSUPP);
	EQ(flook(fd).stx_size, 0);
}

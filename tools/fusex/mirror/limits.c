// SPDX-License-Identifier: GPL-2.0
/*
 * What file sizes and times the file system underneath can store.  There is no
 * system call that tells; a file without a name is made to try.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "mirror.h"

/* The largest offset that a file can be positioned to is its largest size. */
static uint64_t probe_size(int fd)
{
	uint64_t low = 0, high = LLONG_MAX, mid;

	while (low < high) {
		mid = low + (high - low + 1) / 2;
		if (lseek(fd, (off_t)mid, SEEK_SET) < 0)
			high = mid - 1;
		else
			low = mid;
	}
	return low;
}

/* Sets a time and returns what became of it. */
static int try_time(int fd, int64_t sec, long nsec, struct timespec *got)
{
	struct timespec ts[2] = {
		{ .tv_sec = sec, .tv_nsec = nsec },
		{ .tv_sec = sec, .tv_nsec = nsec },
	};
	struct stat st;

	if (futimens(fd, ts) || fstat(fd, &st))
		return -errno;
	*got = st.st_mtim;
	return 0;
}

static uint32_t granularity(long nsec)
{
	uint32_t gran = 1;

	if (!nsec)
		return 1000000000;
	while (nsec % 10 == 0) {
		nsec /= 10;
		gran *= 10;
	}
	return gran;
}

static void probe_times(int fd, struct fusex_config *cfg)
{
	struct timespec ts = { 0 }, min = { 0 }, max = { 0 };

	if (!try_time(fd, 1000000, 999999999, &ts))
		cfg->time_gran = granularity(ts.tv_nsec);
	if (try_time(fd, INT64_MIN, 0, &min) || try_time(fd, INT64_MAX, 0, &max))
		return;
	cfg->time_min = min.tv_sec;
	cfg->time_max = max.tv_sec;
}

static bool is_block_size(unsigned long n)
{
	return n >= 512 && n <= 65536 && !(n & (n - 1));
}

void limits_probe(const struct mirror *m, struct fusex_config *cfg,
		  bool readonly)
{
	struct statvfs st;
	int fd;

	if (!fstatvfs(m->root_fd, &st) && is_block_size(st.f_bsize))
		cfg->block_size = (uint32_t)st.f_bsize;
	if (readonly)
		return;
	fd = openat(m->root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	cfg->max_file_size = probe_size(fd);
	probe_times(fd, cfg);
	close(fd);
}

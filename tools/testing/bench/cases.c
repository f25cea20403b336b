// SPDX-License-Identifier: GPL-2.0
/*
 * bench-case CASE DIR COUNT: runs one case of the benchmark in DIR and prints
 * what it cost, one number: nanoseconds per operation, or bytes per second for
 * the data cases.  COUNT is operations, or mebibytes for the data cases.
 *
 * Each case prepares what it needs, times only what its name says, and cleans
 * up behind itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

#define SMALL_FILE	4096

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void *buffer(size_t size)
{
	void *p;

	if (posix_memalign(&p, 4096, size))
		errx(1, "out of memory");
	memset(p, 0x5a, size);
	return p;
}

int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "open %s", path);
	return fd;
}

static void must_write(int fd, const void *buf, size_t size)
{
	if (write(fd, buf, size) != (ssize_t)size)
		err(1, "write");
}

void drop_caches(void)
{
	int fd = must_open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	must_write(fd, "3", 1);
	close(fd);
}

static void name_of(char name[32], unsigned int i)
{
	snprintf(name, 32, "f%06u", i);
}

/* Two processes hand one byte back and forth: the floor of a round trip. */
static uint64_t pipe_pingpong(unsigned int count)
{
	int there[2], back[2];
	uint64_t start;
	pid_t child;
	char c = 0;

	if (pipe(there) || pipe(back))
		err(1, "pipe");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			must_write(back[1], &c, 1);
		_exit(0);
	}
	close(there[0]);
	start = now_ns();
	for (unsigned int i = 0; i < count; i++) {
		must_write(there[1], &c, 1);
		if (read(back[0], &c, 1) != 1)
			err(1, "read");
	}
	start = now_ns() - start;
	close(there[1]);
	waitpid(child, NULL, 0);
	return start / count;
}

static uint64_t stat_loop(unsigned int count, int flags)
{
	struct statx stx;
	uint64_t start;

	close(must_open("file", O_CREAT | O_RDWR));
	start = now_ns();
	for (unsigned int i = 0; i < count; i++)
		if (statx(AT_FDCWD, "file", flags, STATX_BASIC_STATS, &stx))
			err(1, "statx");
	start = now_ns() - start;
	unlink("file");
	return start / count;
}

static uint64_t stat_uncached(unsigned int count)
{
	return stat_loop(count, AT_STATX_FORCE_SYNC);
}

static uint64_t stat_warm(unsigned int count)
{
	return stat_loop(count, 0);
}

static uint64_t open_close(unsigned int count)
{
	uint64_t start;

	close(must_open("file", O_CREAT | O_RDWR));
	start = now_ns();
	for (unsigned int i = 0; i < count; i++)
		close(must_open("file", O_RDONLY));
	start = now_ns() - start;
	unlink("file");
	return start / count;
}

/* Makes COUNT files, times that or their removal. */
static uint64_t make_files(unsigned int count, size_t size, bool time_unlink)
{
	void *buf = buffer(SMALL_FILE);
	uint64_t made, gone;
	char name[32];

	if (mkdir("files", 0755) || chdir("files"))
		err(1, "mkdir files");
	made = now_ns();
	for (unsigned int i = 0; i < count; i++) {
		int fd;

		name_of(name, i);
		fd = must_open(name, O_CREAT | O_EXCL | O_WRONLY);
		if (size)
			must_write(fd, buf, size);
		close(fd);
	}
	made = now_ns() - made;
	gone = now_ns();
	for (unsigned int i = 0; i < count; i++) {
		name_of(name, i);
		if (unlink(name))
			err(1, "unlink %s", name);
	}
	gone = now_ns() - gone;
	if (chdir("..") || rmdir("files"))
		err(1, "rmdir files");
	free(buf);
	return (time_unlink ? gone : made) / count;
}

static uint64_t create(unsigned int count)
{
	return make_files(count, 0, false);
}

static uint64_t create_small(unsigned int count)
{
	return make_files(count, SMALL_FILE, false);
}

static uint64_t unlink_files(unsigned int count)
{
	return make_files(count, 0, true);
}

uint64_t rate(unsigned int mib, uint64_t ns)
{
	return (double)mib * MIB * 1e9 / (ns ? ns : 1);
}

static uint64_t write_file(unsigned int mib)
{
	void *buf = buffer(MIB);
	uint64_t start;
	int fd;

	fd = must_open("data", O_CREAT | O_TRUNC | O_WRONLY);
	start = now_ns();
	for (unsigned int i = 0; i < mib; i++)
		must_write(fd, buf, MIB);
	start = now_ns() - start;
	close(fd);
	free(buf);
	return rate(mib, start);
}

static uint64_t read_loop(unsigned int mib, size_t chunk)
{
	void *buf = buffer(chunk);
	int fd = must_open("data", O_RDONLY);
	uint64_t start = now_ns(), total = 0;
	ssize_t n;

	while ((n = read(fd, buf, chunk)) > 0)
		total += n;
	start = now_ns() - start;
	if (n < 0 || total != (uint64_t)mib * MIB)
		err(1, "read: %llu bytes", (unsigned long long)total);
	close(fd);
	free(buf);
	return rate(mib, start);
}

static uint64_t seq_write(unsigned int mib)
{
	uint64_t r = write_file(mib);

	unlink("data");
	return r;
}

static uint64_t seq_read_cold(unsigned int mib)
{
	uint64_t r;

	write_file(mib);
	drop_caches();
	r = read_loop(mib, MIB);
	unlink("data");
	return r;
}

static uint64_t read_cached(unsigned int mib)
{
	uint64_t r;

	write_file(mib);
	read_loop(mib, 128 << 10);
	r = read_loop(mib, 128 << 10);
	unlink("data");
	return r;
}

/* ------------------------------------------------------- how data moves */

/* What a case of data does, else reads in order. */
enum {
	WRITE	= 1 << 0,
	FRESH	= 1 << 1,	/* a new file, else one that is there */
	RANDOM	= 1 << 2,	/* anywhere instead of in order */
	FSYNC	= 1 << 3,	/* until it is on the device */
	KEPT	= 1 << 4,	/* the file "kept", which has been used before */
};

/**
 * struct data_case - reads or writes of one size
 * @name: of the case
 * @chunk: bytes of each
 * @what: WRITE and so on
 * @flags: O_DIRECT or 0
 *
 * As many bytes as the file has are moved, but with small chunks a part of it.
 * Nothing of the file is in a cache when it begins, unless it is KEPT, nor waits to
 * be written.
 */
struct data_case {
	const char *name;
	size_t chunk;
	unsigned int what;
	int flags;
};

#define SMALL		4096
#define LARGE		(128 << 10)

/* Of the small ones only so many. */
#define MAX_RANDOM	4096u

static const struct data_case data_cases[] = {
	{ "write-128k",		LARGE, WRITE | FRESH, 0 },
	{ "write-128k-fsync",	LARGE, WRITE | FRESH | FSYNC, 0 },
	{ "write-128k-dio",	LARGE, WRITE | FRESH, O_DIRECT },
	{ "overwrite-128k",	LARGE, WRITE, 0 },
	{ "overwrite-128k-dio",	LARGE, WRITE, O_DIRECT },
	{ "read-128k",		LARGE, 0, 0 },
	{ "read-128k-dio",	LARGE, 0, O_DIRECT },
	{ "randwrite-4k",	SMALL, WRITE | RANDOM, 0 },
	{ "randwrite-4k-dio",	SMALL, WRITE | RANDOM, O_DIRECT },
	{ "randread-4k",	SMALL, RANDOM, 0 },
	{ "randread-4k-dio",	SMALL, RANDOM, O_DIRECT },
	{ "kept-write-128k",	LARGE, WRITE | KEPT, 0 },
	{ "kept-read-128k",	LARGE, KEPT, 0 },
	{ "kept-randwrite-4k",	SMALL, WRITE | RANDOM | KEPT, 0 },
	{ "kept-randread-4k",	SMALL, RANDOM | KEPT, 0 },
};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static void move_chunk(const struct data_case *c, int fd, void *buf, off_t at)
{
	ssize_t n = c->what & WRITE ? pwrite(fd, buf, c->chunk, at) :
				      pread(fd, buf, c->chunk, at);

	if (n != (ssize_t)c->chunk)
		err(1, "%s at %lld", c->name, (long long)at);
}

static uint64_t move_data(const struct data_case *c, int fd, unsigned int mib)
{
	uint64_t chunks = (uint64_t)mib * MIB / c->chunk, count = chunks, i;
	uint64_t state = 1, start;
	void *buf = buffer(c->chunk);

	if (c->what & RANDOM && count > MAX_RANDOM)
		count = MAX_RANDOM;
	start = now_ns();
	for (i = 0; i < count; i++) {
		uint64_t at = c->what & RANDOM ? next_random(&state) % chunks : i;

		move_chunk(c, fd, buf, (off_t)(at * c->chunk));
	}
	if (c->what & FSYNC && fsync(fd))
		err(1, "fsync");
	start = now_ns() - start;
	free(buf);
	return (double)count * c->chunk * 1e9 / (start ? start : 1);
}

static uint64_t kept_rate(const struct data_case *c, unsigned int mib)
{
	int fd = must_open("kept", O_RDWR | c->flags);
	uint64_t r;

	move_data(c, fd, mib);
	if (fsync(fd))
		err(1, "fsync");
	r = move_data(c, fd, mib);
	close(fd);
	return r;
}

static uint64_t data_rate(const struct data_case *c, unsigned int mib)
{
	uint64_t r;
	int fd;

	if (c->what & KEPT)
		return kept_rate(c, mib);
	if (!(c->what & FRESH))
		write_file(mib);
	drop_caches();
	fd = must_open("data", O_CREAT | O_RDWR | c->flags);
	r = move_data(c, fd, mib);
	close(fd);
	unlink("data");
	return r;
}

static const struct data_case *data_case(const char *name)
{
	for (size_t i = 0; i < sizeof(data_cases) / sizeof(data_cases[0]); i++)
		if (!strcmp(data_cases[i].name, name))
			return &data_cases[i];
	return NULL;
}

/* ------------------------------------------------------------- trees of files */

/* Unpacks what $BENCH_TARBALL names, COUNT times over; times that or rm -rf. */
static uint64_t unpack(unsigned int count, bool time_rm)
{
	const char *tarball = getenv("BENCH_TARBALL");
	uint64_t made = now_ns(), gone;
	char cmd[512];

	if (!tarball)
		errx(1, "BENCH_TARBALL is not set");
	for (unsigned int i = 0; i < count; i++) {
		snprintf(cmd, sizeof(cmd), "mkdir u%u && tar -xf '%s' -C u%u",
			 i, tarball, i);
		if (system(cmd))
			errx(1, "%s", cmd);
	}
	made = now_ns() - made;
	gone = now_ns();
	if (system("rm -rf u[0-9]*"))
		errx(1, "rm failed");
	gone = now_ns() - gone;
	return (time_rm ? gone : made) / count;
}

static uint64_t untar(unsigned int count)
{
	return unpack(count, false);
}

static uint64_t rm_rf(unsigned int count)
{
	return unpack(count, true);
}

static unsigned int stat_entries(DIR *dir)
{
	unsigned int n = 0;
	struct dirent *de;
	struct stat st;

	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			err(1, "stat %s", de->d_name);
		n++;
	}
	return n;
}

/* Of COUNT names in the folder "many", which is there: some take long to make it. */
static uint64_t readdir_stat(unsigned int count)
{
	unsigned int found;
	uint64_t start;
	DIR *dir;

	drop_caches();
	start = now_ns();
	dir = opendir("many");
	if (!dir)
		err(1, "many");
	found = stat_entries(dir);
	start = now_ns() - start;
	closedir(dir);
	if (found != count)
		errx(1, "many has %u names instead of %u", found, count);
	return start / count;
}

static const struct {
	const char *name;
	uint64_t (*run)(unsigned int count);
} cases[] = {
	{ "pipe",		pipe_pingpong },
	{ "stat-uncached",	stat_uncached },
	{ "stat-warm",		stat_warm },
	{ "open-close",		open_close },
	{ "create",		create },
	{ "create-small",	create_small },
	{ "unlink",		unlink_files },
	{ "untar",		untar },
	{ "rm-rf",		rm_rf },
	{ "readdir-stat",	readdir_stat },
	{ "write-1m",		seq_write },
	{ "read-1m-cold",	seq_read_cold },
	{ "read-cached",	read_cached },
};

int main(int argc, char **argv)
{
	const struct data_case *data;
	uint64_t value;

	if (argc != 4)
		errx(2, "usage: bench-case CASE DIR COUNT");
	if (chdir(argv[2]))
		err(1, "%s", argv[2]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned long count = strtoul(argv[3], NULL, 0);

		if (strcmp(cases[i].name, argv[1]))
			continue;
		if (!count || count > 10000000)
			errx(2, "count must be 1 to 10000000");
		printf("%llu\n", (unsigned long long)cases[i].run(count));
		return 0;
	}
	data = data_case(argv[1]);
	if (data) {
		printf("%llu\n", (unsigned long long)
		       data_rate(data, (unsigned int)strtoul(argv[3], NULL,
							     0)));
		return 0;
	}
	value = mapped_case(argv[1], (unsigned int)strtoul(argv[3], NULL, 0));
	if (value) {
		printf("%llu\n", (unsigned long long)value);
		return 0;
	}
	errx(2, "no case is called %s", argv[1]);
}

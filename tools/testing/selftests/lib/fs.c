// SPDX-License-Identifier: GPL-2.0
/*
 * The helpers behind fs.h.
 */
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <time.h>

#include "fs.h"

void make_file(const char *path, const char *text)
{
	int fd = (int)OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	size_t len = text ? strlen(text) : 0;

	if (len)
		EQ(OK(write(fd, text, len)), len);
	OK(close(fd));
}

void fill_pattern(void *buf, size_t size, off_t offset, unsigned int seed)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < size; i++)
		p[i] = pattern(offset + (off_t)i, seed);
}

void check_pattern(const void *buf, size_t size, off_t offset,
		   unsigned int seed)
{
	const unsigned char *p = buf;

	for (size_t i = 0; i < size; i++)
		if (p[i] != pattern(offset + (off_t)i, seed))
			FAIL("byte at %lld is 0x%02x, expected 0x%02x",
			     (long long)offset + (long long)i, p[i],
			     pattern(offset + (off_t)i, seed));
}

void make_sized(const char *path, size_t size)
{
	int fd = (int)OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	static unsigned char buf[65536];

	for (size_t at = 0; at < size; ) {
		size_t n = size - at < sizeof(buf) ? size - at : sizeof(buf);

		fill_pattern(buf, n, (off_t)at, 0);
		EQ(OK(write(fd, buf, n)), n);
		at += n;
	}
	OK(close(fd));
}

const char *slurp(const char *path)
{
	static char buf[65536];
	int fd = (int)OK(open(path, O_RDONLY));
	ssize_t n = OK(read(fd, buf, sizeof(buf) - 1));

	OK(close(fd));
	buf[n] = 0;
	return buf;
}

struct statx look(const char *path)
{
	struct statx st;

	OK(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW,
		 STATX_BASIC_STATS | STATX_BTIME, &st));
	return st;
}

struct statx flook(int fd)
{
	struct statx st;

	OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st));
	return st;
}

bool later(struct statx_timestamp a, struct statx_timestamp b)
{
	return a.tv_sec > b.tv_sec ||
		(a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

bool same_time(struct statx_timestamp a, struct statx_timestamp b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool coarse_after(void *arg)
{
	struct timespec *ts = arg, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec > ts->tv_sec ||
		(now.tv_sec == ts->tv_sec && now.tv_nsec > ts->tv_nsec);
}

void tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	UNTIL(coarse_after, &now);
}

void drop_caches(void)
{
	int fd;

	sync();
	fd = (int)OK(open("/proc/sys/vm/drop_caches", O_WRONLY));
	EQ(OK(write(fd, "3", 1)), 1);
	close(fd);
}

void as_group(uid_t uid, gid_t gid, gid_t group)
{
	as_root();
	OK(setgroups(group != (gid_t)-1, &group));
	OK(setresgid(-1, gid, -1));
	OK(setresuid(-1, uid, -1));
}

void as(uid_t uid, gid_t gid)
{
	as_group(uid, gid, (gid_t)-1);
}

void as_root(void)
{
	OK(setresuid(-1, 0, -1));
	OK(setresgid(-1, 0, -1));
	OK(setgroups(0, NULL));
}

void drop_capability(int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	OK(syscall(SYS_capget, &head, data));
	data[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	OK(syscall(SYS_capset, &head, data));
}

bool has_name(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	bool found = false;
	struct dirent *e;

	CHECK(d);
	while ((e = readdir(d)))
		found |= !strcmp(e->d_name, name);
	closedir(d);
	return found;
}

int count_names(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	CHECK(d);
	errno = 0;
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	EQ(errno, 0);
	closedir(d);
	return n;
}

bool fs_mode(const char *word)
{
	const char *mode = getenv("FUSEX_MODE");

	return mode && strstr(mode, word);
}

static bool is_in_state(pid_t pid, char wanted)
{
	char path[64], *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	state = strrchr(slurp(path), ')');
	return state && state[2] == wanted;
}

bool sleeps(void *arg)
{
	return is_in_state(*(pid_t *)arg, 'S');
}

bool sleeps_deep(void *arg)
{
	return is_in_state(*(pid_t *)arg, 'D');
}

bool waits_in(void *arg)
{
	const struct wait_in *w = arg;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stack", w->pid);
	/* Not all kernels say where. */
	if (access(path, R_OK))
		return sleeps_deep(arg);
	return strstr(slurp(path), w->function);
}

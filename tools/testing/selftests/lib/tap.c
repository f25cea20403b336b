// SPDX-License-Identifier: GPL-2.0
/*
 * The harness behind tap.h.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "tap.h"

/* Seconds a test may take on a machine that is not slowed down. */
#define DEADLINE	20

/* Exit status of a test process. */
enum { TEST_OK = 0, TEST_FAILED = 99, TEST_SKIPPED = 98 };

static struct tap_test *first, **last = &first;

/* Where a test leaves the reason for being skipped, shared with its parent. */
static char *skip_reason;
#define REASON_SIZE	256

void tap_register(struct tap_test *test)
{
	*last = test;
	last = &test->next;
}

unsigned int tap_slow(void)
{
	const char *s = getenv("FUSEX_SLOW");
	int n = s ? atoi(s) : 1;

	return n > 0 ? n : 1;
}

bool tap_long(void)
{
	const char *s = getenv("FUSEX_LONG");

	return s && *s && strcmp(s, "0");
}

static void vnote(const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	for (char *p = line; *p; p++)
		if (*p == '\n')
			*p = ' ';
	/* One write, so that lines of several processes do not mix. */
	dprintf(STDOUT_FILENO, "# %s\n", line);
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vnote(fmt, ap);
	va_end(ap);
}

void tap_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tap_note("%s:%d: %s", base ? base + 1 : file, line, text);
	_exit(TEST_FAILED);
}

void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(skip_reason, REASON_SIZE, fmt, ap);
	va_end(ap);
	_exit(TEST_SKIPPED);
}

static const char *errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "no error";
}

long long tap_ok(const char *file, int line, const char *text, long long ret,
		 int err)
{
	if (ret < 0)
		tap_fail(file, line, "%s failed with %s", text, errno_name(err));
	return ret;
}

void tap_fails(const char *file, int line, const char *text, long long ret,
	       int err, const int *wanted)
{
	if (ret >= 0)
		tap_fail(file, line, "%s returned %lld, expected %s", text, ret,
			 errno_name(*wanted));
	for (const int *w = wanted; *w; w++)
		if (err == *w)
			return;
	tap_fail(file, line, "%s failed with %s, expected %s", text,
		 errno_name(err), errno_name(*wanted));
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void tap_until(const char *file, int line, const char *what,
	       bool (*cond)(void *arg), void *arg)
{
	long long end = now_ms() + DEADLINE * 500LL * tap_slow();
	struct timespec pause = { .tv_nsec = 200000 };

	while (!cond(arg)) {
		if (now_ms() > end)
			tap_fail(file, line, "%s did not come true", what);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 10000000)
			pause.tv_nsec *= 2;
	}
}

static void show_stack_of(const char *path)
{
	char line[256];
	FILE *f = fopen(path, "r");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		tap_note("  %s", line);
	fclose(f);
}

/* What the kernel does for a process that does not end, each of its threads. */
static void show_stack(pid_t pid)
{
	char pattern[64];
	glob_t tasks;

	snprintf(pattern, sizeof(pattern), "/proc/%d/task/*/stack", pid);
	if (glob(pattern, 0, NULL, &tasks))
		return;
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		tap_note("%s", tasks.gl_pathv[i]);
		show_stack_of(tasks.gl_pathv[i]);
	}
	globfree(&tasks);
}

/* Waits up to @ms for a child; false if it still runs. */
static bool wait_ms(pid_t pid, int *status, long long ms)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long end = now_ms() + ms;
	bool done;

	if (fd < 0)
		return waitpid(pid, status, 0) == pid;
	while (poll(&p, 1, end - now_ms()) < 0 && errno == EINTR)
		;
	close(fd);
	done = waitpid(pid, status, WNOHANG) == pid;
	return done;
}

int tap_wait(const char *file, int line, pid_t pid)
{
	int status;

	if (!wait_ms(pid, &status, DEADLINE * 500LL * tap_slow())) {
		show_stack(pid);
		kill(pid, SIGKILL);
		tap_fail(file, line, "process %d does not end", pid);
	}
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)ftw;
	if (!S_ISDIR(st->st_mode))
		return unlink(path) && errno != ENOENT;
	if (type == FTW_DNR) {
		chmod(path, 0700);
		return 0;
	}
	return rmdir(path) && errno != ENOENT;
}

static int run_child(const struct tap_test *t, const char *dir)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return TEST_FAILED;
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		umask(022);
		if (chdir(dir)) {
			tap_note("cannot use %s: %s", dir, strerror(errno));
			_exit(TEST_FAILED);
		}
		t->fn();
		_exit(TEST_OK);
	}
	if (!wait_ms(pid, &status, DEADLINE * 1000LL * tap_slow())) {
		tap_note("deadline passed");
		show_stack(pid);
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		if (!wait_ms(pid, &status, DEADLINE * 1000LL)) {
			tap_note("process %d cannot be killed", pid);
			show_stack(pid);
		}
		return TEST_FAILED;
	}
	kill(-pid, SIGKILL);
	if (WIFSIGNALED(status)) {
		tap_note("ended by signal %d", WTERMSIG(status));
		return TEST_FAILED;
	}
	return WEXITSTATUS(status);
}

/* What a test that failed has left mounted is not to fail the next ones. */
static void unmount_leftovers(void)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;

	if (!f)
		return;
	while ((m = getmntent(f)))
		if (!strcmp(m->mnt_type, "fusex.raw"))
			umount2(m->mnt_dir, MNT_FORCE | MNT_DETACH);
	endmntent(f);
}

/* Returns false when the test failed. */
static bool run_test(const struct tap_test *t, const char *base)
{
	long long start = now_ms();
	char dir[4096];
	int result;

	snprintf(dir, sizeof(dir), "%s/%s.%s", base, t->subject, t->name);
	nftw(dir, remove_one, 32, FTW_PHYS | FTW_DEPTH | FTW_MOUNT);
	if (mkdir(dir, 0755)) {
		tap_note("mkdir %s: %s", dir, strerror(errno));
		result = TEST_FAILED;
	} else {
		chmod(dir, 0755);
		result = run_child(t, dir);
		if (result == TEST_FAILED)
			unmount_leftovers();
		nftw(dir, remove_one, 32, FTW_PHYS | FTW_DEPTH | FTW_MOUNT);
	}
	if (result == TEST_SKIPPED)
		printf("ok - %s.%s # SKIP %s\n", t->subject, t->name,
		       skip_reason);
	else
		printf("%s - %s.%s\n", result == TEST_OK ? "ok" : "not ok",
		       t->subject, t->name);
	fflush(stdout);
	if (getenv("FUSEX_TIMES"))
		tap_note("%lld ms", now_ms() - start);
	return result == TEST_OK || result == TEST_SKIPPED;
}

static bool matches(const struct tap_test *t, char **globs, int count)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.%s", t->subject, t->name);
	for (int i = 0; i < count; i++)
		if (!fnmatch(globs[i], name, 0))
			return true;
	return false;
}

bool tap_exists(const char *subject, const char *name)
{
	for (struct tap_test *t = first; t; t = t->next)
		if (!strcmp(t->subject, subject) && !strcmp(t->name, name))
			return true;
	return false;
}

int tap_main(int argc, char **argv)
{
	const char *dir = "/tmp";
	char *skip[16];
	int opt, n = 0, failed = 0, nskip = 0;
	bool list = false;

	while ((opt = getopt(argc, argv, "ld:x:")) != -1) {
		if (opt == 'l')
			list = true;
		else if (opt == 'd')
			dir = optarg;
		else if (opt == 'x' && nskip < (int)ARRAY_SIZE(skip))
			skip[nskip++] = optarg;
		else
			return 2;
	}
	argv += optind;
	argc -= optind;
	skip_reason = mmap(NULL, REASON_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (struct tap_test *t = first, **p = &first; t; t = t->next) {
		if ((argc && !matches(t, argv, argc)) || matches(t, skip, nskip)) {
			*p = t->next;
			continue;
		}
		p = &t->next;
		n++;
	}
	if (!list)
		printf("1..%d\n", n);
	for (struct tap_test *t = first; t; t = t->next) {
		if (list)
			printf("%s.%s\n", t->subject, t->name);
		else
			failed += !run_test(t, dir);
	}
	return failed || (!n && argc);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Out of memory, in every allocation of every operation: each call is repeated
 * with its first, second, third, ... allocation failing until one run has none
 * left to fail.  It may fail, with an error that says so; the mount survives.
 */
#include "actions.h"
#include "raw.h"
#include "tap.h"

#include <sys/ioctl.h>
#include <sys/mount.h>

/* So many allocations no operation has; a loop that never ends is a bug. */
#define MOST_ALLOCATIONS	400

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		tap_note("%s: %s", path, strerror(errno));
	close(fd);
}

/* Sleeping allocations too, of slabs and pages, without a stack in the log. */
static void prepare(void)
{
	static const char * const kinds[] = { "failslab", "fail_page_alloc" };
	char path[128];

	if (access("/proc/thread-self/fail-nth", W_OK))
		SKIP("this kernel has no fault injection");
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/%s/ignore-gfp-wait", kinds[i]);
		write_file(path, "N");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 kinds[i]);
		write_file(path, "0");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

static int fail_fd(void)
{
	return open("/proc/thread-self/fail-nth", O_RDWR);
}

static void arm(int fd, int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	if (pwrite(fd, text, strlen(text), 0) < 0)
		_exit(99);
}

/* True if the failure that was asked for did not come. */
static bool disarm(int fd)
{
	char text[16] = "";
	bool left;

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		_exit(99);
	left = atoi(text) > 0;
	arm(fd, 0);
	return left;
}

static bool is_plausible(int err)
{
	return !err || err == -ENOMEM || err == -EIO || err == -EFAULT ||
	       err == -ENFILE || err == -EAGAIN || err == -EEXIST ||
	       err == -ENOENT || err == -EINTR;
}

static void clean_up(struct raw *r)
{
	unlink(raw_path(r, "new"));
	rmdir(raw_path(r, "new"));
}

static void one_action(const struct raw_action_of *a, uint32_t attr_mode)
{
	int fd = fail_fd();

	for (int nth = 1; nth < MOST_ALLOCATIONS; nth++) {
		struct raw *r = raw_start(attr_mode);
		bool last;
		int err;

		arm(fd, nth);
		err = a->act(r);
		last = disarm(fd);
		if (!is_plausible(err))
			FAIL("%s, allocation %d: ended in %d", a->name, nth, err);
		clean_up(r);
		OK(access(raw_path(r, "g"), F_OK));
		raw_stop(r);
		if (last) {
			close(fd);
			return;
		}
	}
	FAIL("%s: no end of allocations", a->name);
}

static void range(uint32_t first, uint32_t last)
{
	prepare();
	for (unsigned int i = 0; i < raw_nr_actions; i++)
		if (raw_actions[i].op >= first && raw_actions[i].op <= last)
			one_action(&raw_actions[i], FUSEX_ATTR_LOCAL);
}

TEST(nomem, attributes)
{
	range(FUSEX_OP_LOOKUP, FUSEX_OP_READLINK);
}

TEST(nomem, make)
{
	range(FUSEX_OP_CREATE, FUSEX_OP_LINK);
}

TEST(nomem, remove)
{
	range(FUSEX_OP_UNLINK, FUSEX_OP_RENAME);
}

TEST(nomem, data)
{
	range(FUSEX_OP_OPEN, FUSEX_OP_READDIR);
}

TEST(nomem, other)
{
	range(FUSEX_OP_FALLOCATE, FUSEX_OP_NR);
}

/* The server's side: its read(2) or write(2) meets the failure. */
static void fail_reply(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	const int *nth = r->data;
	int fd = fail_fd();

	(void)in;
	rep->oh.len = sizeof(rep->oh) + rep->len;
	memmove(rep->body + sizeof(rep->oh), rep->body, rep->len);
	memcpy(rep->body, &rep->oh, sizeof(rep->oh));
	arm(fd, *nth);
	if (write(r->fd, rep->body, rep->oh.len) < 0)
		atomic_store(&r->write_errno, errno);
	disarm(fd);
	close(fd);
	/* What the kernel could not take may be offered again. */
	memmove(rep->body, rep->body + sizeof(rep->oh), rep->len);
}

TEST(nomem, replies)
{
	prepare();
	for (int nth = 1; nth < 6; nth++) {
		struct raw *r = raw_start(FUSEX_ATTR_REMOTE);

		raw_bend(r, 0, fail_reply, &nth);
		for (unsigned int i = 0; i < raw_nr_actions; i++) {
			int err = raw_actions[i].act(r);

			if (!is_plausible(err) && err != -EUCLEAN)
				FAIL("%s: ended in %d", raw_actions[i].name, err);
			clean_up(r);
		}
		raw_stop(r);
	}
}

TEST(nomem, setup_and_mount)
{
	int fd, nth;

	prepare();
	fd = fail_fd();
	mkdir("mnt", 0755);
	for (nth = 1; nth < MOST_ALLOCATIONS; nth++) {
		struct fusex_setup s;
		char log[256];
		int dev, err;

		raw_setup_init(&s, FUSEX_ATTR_LOCAL);
		arm(fd, nth);
		dev = open("/dev/fusex", O_RDWR);
		err = dev < 0 || ioctl(dev, FUSEX_IOC_SETUP, &s) ? -errno :
			raw_mount_fd(dev, "mnt", log, sizeof(log));
		if (disarm(fd))
			break;
		if (!is_plausible(err))
			FAIL("allocation %d: %d", nth, err);
		if (dev >= 0)
			close(dev);
		umount2("mnt", MNT_DETACH);
	}
	CHECK(nth < MOST_ALLOCATIONS);
	umount2("mnt", MNT_DETACH);
}

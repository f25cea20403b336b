// SPDX-License-Identifier: GPL-2.0
/*
 * How a server ends: what it does when it is unmounted, one that has an event loop, and
 * one that is told to by a signal and cannot unmount.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "server.h"

/* It has one thread, which is not to wait in read(2) when others are first. */
TEST(end, of_an_event_loop)
{
	static const struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE, .loop = true,
	};
	char text[8];
	int fd;

	srv_start(&o);
	file("f", "text");
	fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(pwrite(fd, "next", 4, 4)), 4);
	EQ(OK(pread(fd, text, sizeof(text), 0)), 8);
	EQ(memcmp(text, "textnext", 8), 0);
	OK(close(fd));
	OK(unlink("m/f"));
	srv_stop();
}

/* Something is dirty, and only the kernel has it. */
static uint64_t serve_dirty(const struct srv_options *o, int *fd)
{
	uint64_t id;

	srv_start(o);
	id = file("f", "");
	*fd = (int)OK(open("m/f", O_RDWR));
	EQ(OK(write(*fd, "text", 4)), 4);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	return id;
}

TEST(end, without_privilege_loses_nothing)
{
	static const struct srv_options o = {
		.attr_mode = FUSEX_ATTR_LOCAL, .io_mode = FUSEX_IO_WRITEBACK,
		.features = FUSEX_F_NO_FLUSH | FUSEX_F_NO_OPEN,
		.signals = true, .powerless = true,
	};
	uint64_t id;
	int fd;

	id = serve_dirty(&o, &fd);
	OK(close(fd));
	OK(kill(srv_pid(), SIGTERM));
	EQ(WAIT(srv_pid()), 1);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(memcmp(srv->nodes[id].data, "text", 4), 0);
	FAILS(open("m/g", O_CREAT | O_RDWR, 0644), ENOTCONN);
	OK(umount2("m", 0));
}

/* libfusex's thread for that. */
static bool is_unmounting(void)
{
	char path[300], name[32];
	struct dirent *de;
	bool found = false;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", srv_pid());
	dir = opendir(path);
	CHECK(dir);
	while (!found && (de = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm",
			 srv_pid(), de->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) &&
			!strcmp(name, "fusex-unmount\n");
		fclose(f);
	}
	closedir(dir);
	return found;
}

/*
 * That thread has synced, which is the only thing here that does, and is gone.  It
 * has its name before, so there is no moment at which it is not seen yet.
 */
static bool was_synced(void *data)
{
	return !memcmp(data, "text", 4) && !is_unmounting();
}

static const struct srv_options mortal = {
	.attr_mode = FUSEX_ATTR_LOCAL, .io_mode = FUSEX_IO_WRITEBACK,
	.features = FUSEX_F_NO_FLUSH | FUSEX_F_NO_OPEN,
	.signals = true,
};

/* Without what is mounted on top of it, a signal ends the server. */
static void ends_uncovered(int fd)
{
	OK(close(fd));
	OK(umount2("m", 0));
	OK(kill(srv_pid(), SIGTERM));
	EQ(WAIT(srv_pid()), 0);
	FAILS(umount2("m", 0), EINVAL);
}

TEST(end, under_another_mount_has_to_wait)
{
	uint64_t id;
	int fd;

	id = serve_dirty(&mortal, &fd);
	OK(mount("none", "m", "tmpfs", 0, NULL));
	OK(kill(srv_pid(), SIGTERM));
	UNTIL(was_synced, srv->nodes[id].data);
	OK(fsync(fd));
	ends_uncovered(fd);
}

/* One that is older, so that its number does not say that it is on top. */
TEST(end, under_a_mount_that_was_moved_has_to_wait)
{
	uint64_t id;
	int fd;

	OK(mkdir("p", 0700));
	OK(mount("none", "p", "tmpfs", 0, NULL));
	OK(mount(NULL, "p", NULL, MS_PRIVATE, NULL));
	OK(mkdir("p/a", 0700));
	OK(mount("none", "p/a", "tmpfs", 0, NULL));
	make_file("p/a/theirs", NULL);
	id = serve_dirty(&mortal, &fd);
	OK(mount("p/a", "m", NULL, MS_MOVE, NULL));
	OK(kill(srv_pid(), SIGTERM));
	UNTIL(was_synced, srv->nodes[id].data);
	OK(access("m/theirs", F_OK));
	ends_uncovered(fd);
	OK(umount2("p", 0));
	OK(rmdir("p"));
}

static bool is_unmounted(void *unused)
{
	return atomic_load(&srv->unmounted);
}

enum { UNMOUNT_FAILS = 1, STILL_OPEN = 2 };

/* Somebody who unmounts it, and says what he found when he had; the server is busy. */
static pid_t start_umount(const struct srv_options *o)
{
	pid_t pid;

	srv_start(o);
	file("f", "text");
	OK(access("m/f", R_OK));
	atomic_store(&srv->holds, true);
	pid = (pid_t)OK(fork());
	if (!pid)
		_exit(umount2("m", 0) ? UNMOUNT_FAILS :
		      atomic_load(&srv->put_away) ? 0 : STILL_OPEN);
	UNTIL(is_unmounted, NULL);
	return pid;
}

static void unmounts(const struct srv_options *o)
{
	pid_t pid = start_umount(o);

	atomic_store(&srv->holds, false);
	EQ(WAIT(pid), 0);
	EQ(WAIT(srv_pid()), 0);
}

TEST(end, umount_waits_until_all_is_put_away)
{
	unmounts(&(struct srv_options){ .attr_mode = FUSEX_ATTR_REMOTE });
}

TEST(end, umount_waits_for_an_event_loop)
{
	unmounts(&(struct srv_options){ .attr_mode = FUSEX_ATTR_LOCAL,
					.loop = true });
}

TEST(end, umount_that_waits_can_be_killed)
{
	pid_t pid = start_umount(&(struct srv_options){
		.attr_mode = FUSEX_ATTR_REMOTE });

	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	FAILS(umount2("m", 0), EINVAL);
	atomic_store(&srv->holds, false);
	EQ(WAIT(srv_pid()), 0);
}

TEST(end, umount_waits_for_nobody_who_is_gone)
{
	pid_t pid = start_umount(&(struct srv_options){
		.attr_mode = FUSEX_ATTR_REMOTE });

	srv_kill();
	EQ(WAIT(pid), STILL_OPEN);
}

/* It was told to end, and unmounts itself: that is not to wait for what comes after. */
TEST(end, who_unmounts_himself_waits_for_nothing)
{
	srv_start(&(struct srv_options){ .attr_mode = FUSEX_ATTR_REMOTE,
					 .signals = true });
	file("f", "text");
	OK(access("m/f", R_OK));
	OK(kill(srv_pid(), SIGTERM));
	EQ(WAIT(srv_pid()), 0);
	FAILS(umount2("m", 0), EINVAL);
}

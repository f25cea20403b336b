// SPDX-License-Identifier: GPL-2.0
/*
 * Local attributes: what the server is told at once, what later, and what never.
 */
#include <linux/fs.h>

#include "ops.h"
#include "server.h"

static const struct srv_options local = { .attr_mode = FUSEX_ATTR_LOCAL };

static int set_mtime(const char *path, time_t sec)
{
	struct timespec ts[2] = { { .tv_sec = sec }, { .tv_sec = sec } };

	return utimensat(AT_FDCWD, path, ts, 0);
}

static time_t mtime(const char *path)
{
	struct stat st;

	OK(stat(path, &st));
	return st.st_mtime;
}

static void sync_file(const char *path)
{
	int fd = (int)OK(open(path, O_RDONLY));

	OK(fsync(fd));
	OK(close(fd));
}

/*
 * A server that has carried out one SETATTR is known to store attributes.
 * Returns the file "f".
 */
static uint64_t start_storing(void)
{
	uint64_t id;

	srv_start(&local);
	id = file("f", "x");
	OK(set_mtime("m/f", 1000));
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
	EQ(srv->nodes[id].attr.mtime.sec, 1000);
	srv_reset();
	return id;
}

TEST(times, that_are_set_are_written_back_once)
{
	uint64_t id = start_storing();

	for (int i = 1; i <= 10; i++)
		OK(set_mtime("m/f", 2000 + i));
	EQ(mtime("m/f"), 2010);
	EQ(srv_calls(FUSEX_OP_SETATTR), 0);
	sync_file("m/f");
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
	EQ(srv->nodes[id].attr.mtime.sec, 2010);
	srv_stop();
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
}

TEST(times, that_are_set_survive_the_unmount)
{
	uint64_t id = start_storing();

	OK(set_mtime("m/f", 3000));
	srv_stop();
	EQ(srv->nodes[id].attr.mtime.sec, 3000);
}

TEST(times, that_are_set_go_along_with_other_changes)
{
	uint64_t id = start_storing();

	OK(set_mtime("m/f", 4000));
	OK(chmod("m/f", 0600));
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
	EQ(srv->nodes[id].attr.mtime.sec, 4000);
	srv_stop();
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
}

TEST(times, of_a_synchronous_file_are_told_at_once)
{
	uint64_t id;

	start_storing();
	id = file("s", "x");
	srv->nodes[id].attr.mask |= FUSEX_ATTR_FLAGS;
	srv->nodes[id].attr.flags = FS_SYNC_FL;
	OK(set_mtime("m/s", 5000));
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
	EQ(srv->nodes[id].attr.mtime.sec, 5000);
	srv_stop();
}

/* Nobody waits for writeback: fsync says it once, and whoever sets them next. */
TEST(times, that_are_not_stored_are_reported)
{
	uint64_t id = start_storing();
	int fd;

	fd = (int)OK(open("m/f", O_RDONLY));
	OK(set_mtime("m/f", 2000));
	srv->fail[FUSEX_OP_SETATTR] = EIO;
	syncfs(fd);
	EQ(srv_calls(FUSEX_OP_SETATTR), 1);
	FAILS(fsync(fd), EIO);
	OK(fsync(fd));
	FAILS(set_mtime("m/f", 3000), EIO);
	srv->fail[FUSEX_OP_SETATTR] = 0;
	OK(set_mtime("m/f", 4000));
	EQ(srv->nodes[id].attr.mtime.sec, 4000);
	OK(close(fd));
	srv_stop();
}

/* A file without names has no writeback. */
TEST(times, of_a_deleted_file_are_told_at_once)
{
	struct timespec ts[2] = { { .tv_sec = 5000 }, { .tv_sec = 5000 } };
	uint64_t id = start_storing();
	int fd;

	fd = (int)OK(open("m/f", O_RDONLY));
	OK(unlink("m/f"));
	OK(futimens(fd, ts));
	EQ(srv->nodes[id].attr.mtime.sec, 5000);
	OK(close(fd));
	srv_stop();
}

TEST(setattr, of_what_is_so_already_is_not_told)
{
	struct stat st;

	start_storing();
	OK(stat("m/f", &st));
	OK(chown("m/f", st.st_uid, st.st_gid));
	OK(chmod("m/f", st.st_mode & 07777));
	EQ(srv_calls(FUSEX_OP_SETATTR), 0);
	/* What is not so is. */
	OK(chmod("m/f", 04755));
	OK(chown("m/f", st.st_uid, st.st_gid));
	OK(stat("m/f", &st));
	EQ(st.st_mode & 07777, 0755);
	EQ(srv_calls(FUSEX_OP_SETATTR), 2);
	OK(chown("m/f", 1000, (gid_t)-1));
	OK(chown("m/f", (uid_t)-1, 1000));
	OK(truncate("m/f", st.st_size));
	EQ(srv_calls(FUSEX_OP_SETATTR), 5);
	srv_stop();
}

TEST(setattr, that_the_server_refuses_fails_each_time)
{
	srv_start(&local);
	file("f", "x");
	srv->fail[FUSEX_OP_SETATTR] = EROFS;
	for (int i = 0; i < 3; i++)
		FAILS(set_mtime("m/f", 6000), EROFS);
	EQ(srv_calls(FUSEX_OP_SETATTR), 3);
	srv->fail[FUSEX_OP_SETATTR] = 0;
	srv_stop();
}

TEST(setattr, that_the_server_lacks_fails_each_time)
{
	struct srv_options o = local;

	o.without = WITHOUT(SETATTR);
	srv_start(&o);
	file("f", "x");
	for (int i = 0; i < 3; i++)
		FAILS(set_mtime("m/f", 6000), EPERM);
	srv_stop();
}

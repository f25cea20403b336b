// SPDX-License-Identifier: GPL-2.0
/*
 * Memory reclaim does not wait for the server, whatever it frees: here it has the last
 * reference to an inode that is not clean.  Nor does who works for the whole machine,
 * or was killed.  And what is on its way takes little memory.
 */
#include "answer.h"
#include "fs.h"
#include "maps.h"
#include "raw.h"
#include "tap.h"

#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>

#define MAP_D	3	/* "d" of the tree */

static struct fusex_in_header kept;
static struct fusex_write_in kept_write;

static bool is_set(void *arg)
{
	return *(atomic_bool *)arg;
}

/* A server that names no open files. */
static void name_no_files(const struct fusex_in_header *in,
			  struct raw_reply *rep)
{
	switch (in->opcode) {
	case FUSEX_OP_OPEN:
	case FUSEX_OP_RELEASE:
	case FUSEX_OP_FLUSH:
		rep->oh.error = -ENOSYS;
		rep->len = 0;
	}
}

/* WRITE and SETATTR are kept. */
static void keep_changes(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	(void)r;
	name_no_files(in, rep);
	switch (in->opcode) {
	case FUSEX_OP_WRITE:
		memcpy(&kept_write, in + 1, sizeof(kept_write));
		/* fallthrough */
	case FUSEX_OP_SETATTR:
		kept = *in;
		rep->drop = true;
		break;
	}
}

/* It has learned then that there is nothing like FLUSH. */
static void open_and_close(const char *path)
{
	int fd = (int)OK(open(path, O_RDONLY));

	OK(close(fd));
}

static void fail_kept(struct raw *r)
{
	struct fusex_out_header oh = {
		.len = sizeof(oh), .unique = kept.unique, .error = -EIO,
	};

	OK(write(r->fd, &oh, sizeof(oh)));
}

/* Names that nobody uses, and what goes with them; not drop_caches(), which syncs. */
static int shrink(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	/* The first time they only count as used no more. */
	for (int i = 0; i < 4; i++)
		if (write(fd, "2", 1) != 1)
			return 1;
	return close(fd);
}

/* As when memory is short. */
static int reclaim(const char *how)
{
	int fd = open(how, O_WRONLY);

	if (fd < 0)
		return 1;
	/* It fails with EAGAIN: there is not so much. */
	for (int i = 0; i < 3; i++)
		if (write(fd, "64G", 3) < 0 && errno != EAGAIN)
			return 2;
	return close(fd);
}

static const char *reclaim_file(void)
{
	static char path[64];

	OK(mkdir("cgroup", 0700));
	if (mount("none", "cgroup", "cgroup2", 0, NULL))
		SKIP("no cgroups");
	snprintf(path, sizeof(path), "cgroup/memory.reclaim");
	if (access(path, W_OK))
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node0/reclaim");
	if (access(path, W_OK)) {
		OK(umount("cgroup"));
		SKIP("memory is not to be had back");
	}
	return path;
}

/* The last reference is that of a name that nobody uses. */
TEST(reclaim, of_a_file_that_is_being_written)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	char *map;
	pid_t pid;
	int fd;

	/* Somebody else has removed it. */
	r->nodes[MAP_F].nlink = 0;
	raw_bend(r, 0, keep_changes, NULL);
	open_and_close(raw_path(r, "f"));
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	*map = 'z';
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	OK(munmap(map, 1));
	OK(close(fd));
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(shrink());
	}
	EQ(WAIT(pid), 0);
	raw_ask_on(r);
	CHECK(!r->forgotten[MAP_F]);
	answer_write(r, &kept, &kept_write, RAW_SIZE, 0);
	UNTIL(is_set, &r->forgotten[MAP_F]);
	raw_stop(r);
}

/* It is not to be cached any longer, but the server does not have its times. */
TEST(reclaim, of_a_directory_that_has_changed)
{
	struct {
		struct fusex_notify_prune n;
		struct fusex_node_ref ref;
	} prune = { .n.count = 1, .ref.nodeid = MAP_D };
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	const char *how = reclaim_file();
	pid_t pid;

	raw_bend(r, 0, keep_changes, NULL);
	make_file(raw_path(r, "d/x"), NULL);
	EQ(maps_notify(r, FUSEX_NOTIFY_PRUNE, &prune.n, sizeof(prune.n),
		       &prune.ref, sizeof(prune.ref)), 0);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(reclaim(how));
	}
	EQ(WAIT(pid), 0);
	UNTIL_SEEN(r, FUSEX_OP_SETATTR);
	fail_kept(r);
	UNTIL(is_set, &r->forgotten[MAP_D]);
	OK(umount("cgroup"));
	raw_stop(r);
}

/* No name keeps it: neither one that is known, nor one that is found out later. */
TEST(chattr, of_a_file_with_many_names)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int flags = FS_NODUMP_FL;
	int fd;

	OK(link(raw_path(r, "f"), raw_path(r, "known")));
	OK(access(raw_path(r, "known"), F_OK));
	fd = (int)OK(open(raw_path(r, "f"), O_RDONLY));
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	OK(link(raw_path(r, "f"), raw_path(r, "later")));
	CHECK(!r->forgotten[MAP_F]);
	OK(close(fd));
	UNTIL(is_set, &r->forgotten[MAP_F]);
	raw_stop(r);
}

/* ------------------------------------------------- files not to be cached */

static pid_t start(struct raw *r, int (*what)(const char *path),
		   const char *path)
{
	pid_t pid = (pid_t)OK(fork());

	if (pid)
		return pid;
	close(r->fd);
	_exit(what(path));
}

static int change_not_to_be_cached(const char *path)
{
	int flags = FS_NODUMP_FL;
	int fd = open(path, O_RDWR);
	char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED || ioctl(fd, FS_IOC_SETFLAGS, &flags))
		return 1;
	*map = 'z';
	munmap(map, 1);
	return close(fd) ? 2 : 0;
}

static int look_at(const char *path)
{
	return access(path, F_OK) ? 1 : 0;
}

/* Who closes it waits for its data to be written; who is killed, not. */
TEST(close, of_a_file_not_to_be_cached)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	pid_t pid;

	raw_bend(r, 0, keep_changes, NULL);
	/* That somebody is told of the closing would keep it as well. */
	open_and_close(raw_path(r, "f"));
	pid = start(r, change_not_to_be_cached, raw_path(r, "f"));
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	UNTIL(sleeps_deep, &pid);
	/* Nor does who wants to have it. */
	EQ(WAIT(start(r, look_at, raw_path(r, "f"))), 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	CHECK(!r->forgotten[MAP_F]);
	raw_bend(r, 0, NULL, NULL);
	fail_kept(r);
	UNTIL(is_set, &r->forgotten[MAP_F]);
	raw_stop(r);
}

static atomic_bool asked;

static void hold_place(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	const struct fusex_map_begin_in *begin = (const void *)(in + 1);

	name_no_files(in, rep);
	if (in->opcode != FUSEX_OP_MAP_BEGIN ||
	    !(begin->op & FUSEX_MAP_OP_WRITEBACK))
		return;
	asked = true;
	hold_answer(r, in, rep);
}

/* What is killed is who waits, not who asks where the data goes to. */
TEST(close, of_a_file_not_to_be_cached_that_is_mapped)
{
	struct raw *r = maps_start(FUSEX_ATTR_LOCAL, 1);
	char byte;
	pid_t pid;

	r->maps->files[MAP_F].alloc = DELALLOC;
	raw_bend(r, 0, hold_place, NULL);
	open_and_close(raw_path(r, "f"));
	pid = start(r, change_not_to_be_cached, raw_path(r, "f"));
	UNTIL(is_set, &asked);
	UNTIL(sleeps_deep, &pid);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	answering = true;
	UNTIL(is_set, &r->forgotten[MAP_F]);
	disk_read(r, 0, &byte, 1, MAP_FREE);
	EQ(byte, 'z');
	maps_stop(r);
}

/* ------------------------------------- who drops files for the whole machine */

/* Closed by a kernel thread: only the descriptor itself has it still. */
static void close_by_a_thread(int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov	= &iov,
		.msg_iovlen	= 1,
		.msg_control	= space,
		.msg_controllen	= sizeof(space),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2];
	int both[2];

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	both[0] = fd;
	both[1] = pair[0];
	/* The socket holds itself, and the file. */
	for (int i = 0; i < 2; i++) {
		memcpy(CMSG_DATA(cmsg), &both[i], sizeof(int));
		OK(sendmsg(pair[1], &msg, 0));
	}
	OK(close(fd));
	OK(close(pair[0]));
	OK(close(pair[1]));
}

static void store_and_send(struct raw *r, int fd)
{
	unsigned int before = atomic_load(&r->count[FUSEX_OP_WRITE]);
	char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	++*map;
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	OK(munmap(map, 1));
	while (atomic_load(&r->count[FUSEX_OP_WRITE]) == before)
		usleep(1000);
}

/* The server finds the node again that was removed. */
static int open_again(struct raw *r)
{
	pthread_mutex_lock(&r->lock);
	strcpy(r->nodes[MAP_F].name, "again");
	r->nodes[MAP_F].nlink = 1;
	pthread_mutex_unlock(&r->lock);
	return (int)OK(open(raw_path(r, "again"), O_RDWR));
}

/* A worker has waited for it once, but others took it up meanwhile. */
TEST(closed_by_a_thread, and_being_written)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	struct pollfd end = { .events = POLLIN };
	int pipes[2];
	int fd;

	raw_bend(r, 0, keep_changes, NULL);
	open_and_close(raw_path(r, "f"));
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	store_and_send(r, fd);
	OK(unlink(raw_path(r, "f")));
	OK(close(fd));
	raw_ask_on(r);
	fd = open_again(r);
	answer_write(r, &kept, &kept_write, RAW_SIZE, 0);
	OK(unlink(raw_path(r, "again")));
	raw_ask_on(r);
	store_and_send(r, fd);
	close_by_a_thread(fd);
	OK(pipe(pipes));
	close_by_a_thread(pipes[1]);
	end.fd = pipes[0];
	EQ(OK(poll(&end, 1, 20000)), 1);
	OK(close(pipes[0]));
	CHECK(!r->forgotten[MAP_F]);
	answer_write(r, &kept, &kept_write, RAW_SIZE, 0);
	UNTIL(is_set, &r->forgotten[MAP_F]);
	raw_stop(r);
}

/* ------------------------------------------------------------------ memory */

static atomic_bool go_on;

/* Four of them are, by the threads of the server, and the others are not sent. */
static void hold(struct raw *r, const struct fusex_in_header *in,
		 struct raw_reply *rep)
{
	(void)r;
	(void)in;
	(void)rep;
	while (!atomic_load(&go_on))
		usleep(1000);
}

/* Kilobytes that the kernel has for itself, not to be had back. */
static long kernel_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	CHECK(f);
	while (kb < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "SUnreclaim: %ld", &kb) != 1)
			kb = -1;
	fclose(f);
	CHECK(kb >= 0);
	return kb;
}

/*
 * A request takes less memory than the one page that is written with it, except on
 * a kernel that looks for mistakes.
 */
TEST(writeback, of_scattered_pages)
{
	static char page[BLOCK];
	const int pages = 4096;
	struct raw *r = raw_start_io(FUSEX_ATTR_LOCAL, FUSEX_IO_WRITEBACK);
	long before;
	int fd;

	fd = (int)OK(open(raw_path(r, "new"), O_RDWR | O_CREAT | O_EXCL, 0600));
	for (int i = 0; i < pages; i++)
		EQ(OK(pwrite(fd, page, BLOCK, 2L * i * BLOCK)), BLOCK);
	raw_bend(r, FUSEX_OP_WRITE, hold, NULL);
	before = kernel_memory();
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	UNTIL_SEEN(r, 0);
	before = kernel_memory() - before;
	atomic_store(&go_on, true);
	tap_note("%ld bytes for each", before * 1024 / pages);
	CHECK(before < pages * (BLOCK / 1024) * 3 / 2);
	OK(fsync(fd));
	OK(close(fd));
	raw_stop(r);
}

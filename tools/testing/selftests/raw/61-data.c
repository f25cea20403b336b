// SPDX-License-Identifier: GPL-2.0
/*
 * Data that changes while the kernel is not looking: writes that were given up,
 * files that grow underneath, readahead of files that are closed.
 */
#include "answer.h"
#include "fs.h"
#include "maps.h"
#include "raw.h"
#include "tap.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static struct fusex_in_header kept;
static struct fusex_write_in kept_write;

static atomic_bool is_there;

static void keep(struct raw *r, const struct fusex_in_header *in,
		 struct raw_reply *rep)
{
	(void)r;
	kept = *in;
	rep->drop = true;
	atomic_store(&is_there, true);
}

/* A request counts as seen before it is kept. */
static bool is_kept(void *unused)
{
	(void)unused;
	return atomic_load(&is_there);
}

static void is_byte(int fd, off_t at, char want)
{
	char c = 0;

	EQ(OK(pread(fd, &c, 1, at)), 1);
	EQ(c, want);
}

TEST(release, after_readahead)
{
	struct fusex_out_header oh = { .len = sizeof(oh), .error = -EIO };
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	struct statfs st;
	int fd = OK(open(raw_path(r, "f"), O_RDONLY));

	raw_bend(r, FUSEX_OP_READ, keep, NULL);
	EQ(posix_fadvise(fd, 0, RAW_SIZE, POSIX_FADV_WILLNEED), 0);
	UNTIL_SEEN(r, 0);
	close(fd);
	/* What was sent before this has been seen when it is answered. */
	OK(statfs(r->mnt, &st));
	EQ(atomic_load(&r->count[FUSEX_OP_RELEASE]), 0);
	UNTIL(is_kept, NULL);
	oh.unique = kept.unique;
	OK(write(r->fd, &oh, sizeof(oh)));
	UNTIL_SEEN(r, FUSEX_OP_RELEASE);
	raw_stop(r);
}

/* OPEN and RELEASE are not among this server's operations; READ is kept. */
static void without_open(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	if (in->opcode == FUSEX_OP_OPEN || in->opcode == FUSEX_OP_RELEASE) {
		rep->oh.error = -ENOSYS;
		rep->len = 0;
	} else if (in->opcode == FUSEX_OP_READ) {
		keep(r, in, rep);
	}
}

static bool kernel_said(int log, const char *what)
{
	char line[1024];
	ssize_t n;

	/* EPIPE: lines were overwritten meanwhile. */
	while ((n = read(log, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		line[n < 0 ? 0 : n] = 0;
		if (strstr(line, what))
			return true;
	}
	return false;
}

/*
 * No signal ends the wait for a locked folio: nothing may wait for one.  What nobody
 * wants is no error.
 */
TEST(evict, gives_up_readahead)
{
	struct fusex_out_header oh = { .len = sizeof(oh), .error = -EIO };
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int log = (int)OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
	int fd;

	OK(lseek(log, 0, SEEK_END));
	raw_bend(r, 0, without_open, NULL);
	fd = OK(open(raw_path(r, "f"), O_RDONLY));
	EQ(posix_fadvise(fd, 0, RAW_SIZE, POSIX_FADV_WILLNEED), 0);
	UNTIL_SEEN(r, FUSEX_OP_READ);
	OK(unlink(raw_path(r, "f")));
	OK(close(fd));
	UNTIL(is_kept, NULL);
	oh.unique = kept.unique;
	FAILS(write(r->fd, &oh, sizeof(oh)), ENOENT);
	UNTIL_SEEN(r, FUSEX_OP_FORGET);
	CHECK(!kernel_said(log, "lost file I/O error"));
	close(log);
	raw_stop(r);
}

/* Meanwhile the server knows neither the file nor whom to tell. */
static void being_removed(struct raw *r, const struct fusex_in_header *in,
			  struct raw_reply *rep)
{
	if (in->opcode == FUSEX_OP_UNLINK) {
		keep(r, in, rep);
	} else if (in->opcode == FUSEX_OP_WRITE) {
		rep->oh.error = -ESTALE;
		rep->len = 0;
	} else if (in->opcode != FUSEX_OP_READ) {
		without_open(r, in, rep);
	}
}

/* Behind FLUSH, which comes after what was written. */
static void close_and_store(const char *path)
{
	int fd = OK(open(path, O_RDWR));
	char *map = mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	OK(close(fd));
	*map = 'z';
	munmap(map, 1);
}

/* It was nobody's any more, so nothing is lost. */
TEST(writeback, of_a_file_that_is_being_removed)
{
	struct {
		struct fusex_out_header oh;
		struct fusex_unlink_out out;
	} msg = { .oh.len = sizeof(msg) };
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int dir = OK(open(r->mnt, O_RDONLY));
	pid_t pid;

	raw_bend(r, 0, being_removed, NULL);
	close_and_store(raw_path(r, "f"));
	pid = OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(unlink(raw_path(r, "f")) ? errno : 0);
	}
	UNTIL_SEEN(r, FUSEX_OP_UNLINK);
	OK(syncfs(dir));
	CHECK(atomic_load(&r->count[FUSEX_OP_WRITE]) > 0);
	UNTIL(is_kept, NULL);
	msg.oh.unique = kept.unique;
	OK(write(r->fd, &msg, sizeof(msg)));
	EQ(WAIT(pid), 0);
	close(dir);
	raw_stop(r);
}

static void keep_write(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	memcpy(&kept_write, in + 1, sizeof(kept_write));
	keep(r, in, rep);
}

/* The kernel loses track of the file before it writes to it. */
static void lost_track_of(struct raw *r, const struct fusex_in_header *in,
			  struct raw_reply *rep)
{
	const struct fusex_notify_inode n = {
		.nodeid = in->nodeid, .flags = FUSEX_INVAL_ATTR,
	};

	if (in->opcode == FUSEX_OP_READ) {
		maps_notify(r, FUSEX_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL,
			    0);
	} else if (in->opcode == FUSEX_OP_WRITE) {
		keep_write(r, in, rep);
	} else if (in->opcode == FUSEX_OP_FLUSH) {
		rep->oh.error = -ENOSYS;
		rep->len = 0;
	} else {
		without_open(r, in, rep);
	}
}

static int store_and_leave(const char *path)
{
	int fd = open(path, O_RDWR);
	char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED || unlink(path))
		return 1;
	*map = 'z';
	if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE))
		return 2;
	munmap(map, 1);
	return close(fd) ? 3 : 0;
}

/*
 * Who closes it does not wait.  What the reply says is wrong with the cache is
 * nobody's business any more.
 */
TEST(writeback, of_a_file_that_is_going)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	pid_t pid;
	int fd;

	raw_bend(r, 0, lost_track_of, NULL);
	/* It learns that there is no FLUSH, which is for what was written. */
	fd = (int)OK(open(raw_path(r, "f"), O_RDONLY));
	OK(close(fd));
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(store_and_leave(raw_path(r, "f")));
	}
	EQ(WAIT(pid), 0);
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	raw_ask_on(r);
	CHECK(!r->forgotten[MAP_F]);
	UNTIL(is_kept, NULL);
	answer_write(r, &kept, &kept_write, 100, 0);
	UNTIL_SEEN(r, FUSEX_OP_FORGET);
	raw_stop(r);
}

/* Nothing of it is written back meanwhile: it waits, but not for long. */
TEST(exit, with_dirty_data_of_a_file_that_is_being_cut)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t writer, cutter;

	CHECK(map != MAP_FAILED);
	*map = 'z';
	OK(munmap(map, 1));
	writer = (pid_t)OK(fork());
	if (!writer) {
		close(r->fd);
		for (;;)
			pause();
	}
	raw_bend(r, FUSEX_OP_SETATTR, raw_never, NULL);
	cutter = (pid_t)OK(fork());
	if (!cutter) {
		close(r->fd);
		_exit(ftruncate(fd, 100) ? errno : 0);
	}
	UNTIL_SEEN(r, 0);
	raw_bend(r, 0, NULL, NULL);
	OK(kill(writer, SIGKILL));
	EQ(WAIT(writer), 128 + SIGKILL);
	OK(kill(cutter, SIGKILL));
	EQ(WAIT(cutter), 128 + SIGKILL);
	OK(close(fd));
	raw_stop(r);
}

static atomic_int first_byte;

/* The first is kept; of the others it is noted how they begin. */
static void keep_first(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	const char *data = (const char *)(in + 1) + in->arg_len +
		FUSEX_ALIGN(in->handle_len) + FUSEX_ALIGN(in->handle2_len);

	if (atomic_load(&r->seen) == 1)
		keep_write(r, in, rep);
	else
		atomic_store(&first_byte, *data);
}

/* A page behind the end directly, then a byte at the end of it, cached. */
static int write_both_ways(const char *path)
{
	static char page[BLOCK] __attribute__((aligned(BLOCK)));
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	int late = open(path, O_RDWR | O_DIRECT);
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)late,
		.aio_buf = (uintptr_t)page,
		.aio_nbytes = BLOCK,
		.aio_offset = BLOCK,
	}, *list = &cb;
	aio_context_t ctx = 0;

	memset(page, 'x', sizeof(page));
	if (syscall(SYS_io_setup, 1, &ctx) ||
	    syscall(SYS_io_submit, ctx, 1L, &list) != 1)
		return 1;
	if (pwrite(fd, "y", 1, 2 * BLOCK - 1) != 1)
		return 2;
	return fsync(fd) ? 3 : 0;
}

/* Written back, it brings along what was beside it, and not zeros. */
TEST(writeback, beside_a_direct_write_on_its_way)
{
	struct raw *r = raw_start_io(FUSEX_ATTR_LOCAL, FUSEX_IO_WRITEBACK);
	pid_t pid;

	raw_bend(r, FUSEX_OP_WRITE, keep_first, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(write_both_ways(raw_path(r, "new")));
	}
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	UNTIL(sleeps_deep, &pid);
	UNTIL(is_kept, NULL);
	answer_write(r, &kept, &kept_write, 2 * BLOCK, 1);
	EQ(WAIT(pid), 0);
	EQ(atomic_load(&first_byte), 'x');
	raw_stop(r);
}

static void write_and_die(struct raw *r, int fd, size_t size, off_t at)
{
	char buf[4096] = { 0 };
	pid_t pid;

	answering = false;
	raw_bend(r, FUSEX_OP_WRITE, hold_answer, NULL);
	pid = OK(fork());
	if (!pid) {
		close(r->fd);
		pwrite(fd, buf, size, at);
		_exit(1);
	}
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	raw_bend(r, 0, NULL, NULL);
}

/* The server has all of the page, and the kernel does not see the answer. */
TEST(write, after_one_that_was_given_up)
{
	for (uint32_t mode = FUSEX_ATTR_LOCAL; mode <= FUSEX_ATTR_REMOTE;
	     mode++) {
		struct raw *r = raw_start(mode);
		int fd = OK(open(raw_path(r, "new"),
				 O_RDWR | O_CREAT | O_EXCL, 0600));

		write_and_die(r, fd, 4096, 4096);
		answering = true;
		EQ(OK(pwrite(fd, "y", 1, 8191)), 1);
		is_byte(fd, 4096, 'x');
		close(fd);
		raw_stop(r);
	}
}

static void resize(struct raw *r, uint64_t from, uint64_t to)
{
	pthread_mutex_lock(&r->lock);
	for (int i = 0; i < RAW_NODES; i++)
		if (r->nodes[i].size == from)
			r->nodes[i].size = to;
	pthread_mutex_unlock(&r->lock);
}

static uint64_t size_now(int fd)
{
	struct statx stx;

	OK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE,
		 &stx));
	return stx.stx_size;
}

/* What was stored beyond the new end does not come back. */
TEST(mapping, of_a_file_that_has_shrunk)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	int fd = OK(open(raw_path(r, "f"), O_RDWR));
	char *p = mmap(NULL, RAW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	CHECK(p != MAP_FAILED);
	p[0] = 'y';
	p[8192] = 'y';
	resize(r, RAW_SIZE, 100);
	EQ(size_now(fd), 100);
	resize(r, 100, RAW_SIZE);
	EQ(size_now(fd), RAW_SIZE);
	is_byte(fd, 8192, 'x');
	is_byte(fd, 0, 'y');
	OK(munmap(p, RAW_SIZE));
	close(fd);
	raw_stop(r);
}

/* The reply to the write is what says that the file has grown. */
TEST(write, into_a_file_that_has_grown)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	int fd = OK(open(raw_path(r, "f"), O_RDWR));
	uint64_t grown = RAW_SIZE + 2000;

	is_byte(fd, RAW_SIZE - 1, 'x');
	resize(r, RAW_SIZE, grown);
	EQ(OK(pwrite(fd, "y", 1, 0)), 1);
	is_byte(fd, (off_t)grown - 1, 'x');
	close(fd);
	raw_stop(r);
}

/* Nor does what was just being written when somebody else cut it off. */
TEST(mapping, of_a_file_that_has_shrunk_meanwhile)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	char *p = mmap(NULL, RAW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	CHECK(p != MAP_FAILED);
	p[2 * BLOCK] = 'y';
	raw_bend(r, FUSEX_OP_WRITE, keep_write, NULL);
	OK(sync_file_range(fd, 2 * BLOCK, BLOCK, SYNC_FILE_RANGE_WRITE));
	UNTIL_SEEN(r, 0);
	raw_bend(r, 0, NULL, NULL);
	resize(r, RAW_SIZE, 100);
	EQ(size_now(fd), 100);
	UNTIL(is_kept, NULL);
	answer_write(r, &kept, &kept_write, 100, 1);
	OK(ftruncate(fd, RAW_SIZE));
	is_byte(fd, 2 * BLOCK, 'x');
	OK(munmap(p, RAW_SIZE));
	close(fd);
	raw_stop(r);
}

/* What others have appended is in the page that was just written. */
TEST(mapping, of_a_file_that_has_grown)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	char *p;
	int fd;

	resize(r, RAW_SIZE, 100);
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	p = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	*p = 'y';
	resize(r, 100, 200);
	OK(msync(p, 100, MS_SYNC));
	is_byte(fd, 150, 'x');
	OK(munmap(p, 100));
	close(fd);
	raw_stop(r);
}

/* Direct, and asynchronous: nobody waits for it with the file locked. */
static void write_block_aside(const char *path)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));
	int fd = (int)OK(open(path, O_WRONLY | O_DIRECT));
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)block,
		.aio_nbytes = BLOCK,
	}, *list = &cb;
	struct io_event event;
	aio_context_t ctx = 0;

	OK(syscall(SYS_io_setup, 1, &ctx));
	EQ(OK(syscall(SYS_io_submit, ctx, 1L, &list)), 1);
	EQ(OK(syscall(SYS_io_getevents, ctx, 1L, 1L, &event, NULL)), 1);
	EQ(event.res, BLOCK);
	OK(syscall(SYS_io_destroy, ctx));
	OK(close(fd));
}

static void punch_block(const char *path)
{
	int fd = (int)OK(open(path, O_WRONLY));

	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK));
	OK(close(fd));
}

/* The reply to a change inside the file says that others have appended to it. */
static void shows_what_was_appended(void (*change)(const char *path))
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	uint64_t grown = RAW_SIZE + 2000;

	is_byte(fd, RAW_SIZE - 1, 'x');
	resize(r, RAW_SIZE, grown);
	change(raw_path(r, "f"));
	is_byte(fd, (off_t)grown - 1, 'x');
	OK(close(fd));
	raw_stop(r);
}

/* Or that they have cut it: what was there does not come back. */
static void forgets_what_was_cut(void (*change)(const char *path))
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));

	is_byte(fd, 2 * BLOCK, 'x');
	/* This server does not remember it. */
	EQ(OK(pwrite(fd, "y", 1, 2 * BLOCK)), 1);
	is_byte(fd, 2 * BLOCK, 'y');
	resize(r, RAW_SIZE, BLOCK);
	change(raw_path(r, "f"));
	OK(ftruncate(fd, RAW_SIZE));
	is_byte(fd, 2 * BLOCK, 'x');
	OK(close(fd));
	raw_stop(r);
}

TEST(direct_write, into_a_file_that_has_grown)
{
	shows_what_was_appended(write_block_aside);
}

TEST(direct_write, into_a_file_that_has_shrunk)
{
	forgets_what_was_cut(write_block_aside);
}

TEST(punch, in_a_file_that_has_grown)
{
	shows_what_was_appended(punch_block);
}

TEST(punch, in_a_file_that_has_shrunk)
{
	forgets_what_was_cut(punch_block);
}

static void never_first(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	if (atomic_load(&r->seen) == 1)
		raw_never(r, in, rep);
}

static void store_block(int fd, off_t at)
{
	EQ(OK(pwrite(fd, "y", 1, at)), 1);
	OK(sync_file_range(fd, at, BLOCK, SYNC_FILE_RANGE_WRITE));
}

/* What others go on writing, it does not wait for. */
TEST(exit, with_dirty_data_of_a_file_that_others_write)
{
	struct raw *r = raw_alloc();
	pid_t pid;
	int fd;

	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	r->setup.io_mode = FUSEX_IO_WRITEBACK;
	r->setup.max_background = 4;
	raw_mount(r);
	raw_serve(r);
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	raw_bend(r, FUSEX_OP_WRITE, never_first, NULL);
	store_block(fd, 0);
	UNTIL_SEEN(r, 0);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		_exit(pwrite(fd, "y", 1, BLOCK) != 1);
	}
	while (!waitpid(pid, NULL, WNOHANG))
		store_block(fd, 2 * BLOCK);
	raw_sysfs_write(r, "abort", "1");
	close(fd);
	raw_stop(r);
}

static atomic_bool is_new;
static atomic_bool is_asked;
static atomic_bool may_read;

/* The file is another one now; the first WRITE is kept, and so is READ of "g". */
static void another(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	switch (in->opcode) {
	case FUSEX_OP_READ:
		if (in->nodeid == MAP_G)
			atomic_store(&is_asked, true);
		while (in->nodeid == MAP_G && !atomic_load(&may_read))
			usleep(1000);
		if (in->nodeid == MAP_F && atomic_load(&is_new))
			memset(rep->body, 'y', rep->len);
		break;
	case FUSEX_OP_WRITE:
		if (!atomic_load(&r->count[FUSEX_OP_WRITE]))
			keep_write(r, in, rep);
		break;
	}
}

static struct {
	int fd;
	const char *from;
} late_write;

static void *write_late(void *arg)
{
	(void)arg;
	EQ(OK(pwrite(late_write.fd, late_write.from, 100, 1024)), 100);
	return NULL;
}

static bool is_asked_for(void *arg)
{
	(void)arg;
	return atomic_load(&is_asked);
}

/*
 * Of what is dirty the rest is old.  It goes when that has been written back, also if
 * somebody who has been about to write makes it dirty again meanwhile.
 */
TEST(writeback, of_what_is_dirty_again)
{
	const struct fusex_notify_inode n = {
		.nodeid = MAP_F, .flags = FUSEX_INVAL_DATA,
	};
	struct raw *r = raw_alloc();
	pthread_t thread;
	int fd, other;

	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	r->setup.io_mode = FUSEX_IO_WRITEBACK;
	r->setup.block_size = 1024;
	raw_mount(r);
	raw_serve(r);
	raw_bend(r, 0, another, NULL);
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "g", 0);
	late_write.fd = fd;
	late_write.from = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, other, 0);
	CHECK(late_write.from != MAP_FAILED);
	is_byte(fd, 3000, 'x');
	EQ(OK(pwrite(fd, "a", 1, 0)), 1);
	EQ(pthread_create(&thread, NULL, write_late, NULL), 0);
	UNTIL(is_asked_for, NULL);
	atomic_store(&is_new, true);
	EQ(maps_notify(r, FUSEX_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), 0);
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	atomic_store(&may_read, true);
	pthread_join(thread, NULL);
	UNTIL(is_kept, NULL);
	answer_write(r, &kept, &kept_write, RAW_SIZE, 1);
	/* Time for what is to be dropped to be looked at. */
	raw_ask_on(r);
	OK(fsync(fd));
	is_byte(fd, 3000, 'y');
	OK(munmap((void *)(uintptr_t)late_write.from, BLOCK));
	OK(close(other));
	OK(close(fd));
	raw_stop(r);
}

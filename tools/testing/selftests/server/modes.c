// SPDX-License-Identifier: GPL-2.0
/*
 * Modes of data: which one a file has, what the server sees of each, and when.
 */
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../lib/ring.h"
#include "server.h"

#define PAGE	4096

static void start(uint32_t io, uint32_t attr)
{
	struct srv_options o = { .io_mode = io, .attr_mode = attr };

	srv_start(&o);
}

static int open_rw(const char *path)
{
	return (int)OK(open(path, O_RDWR));
}

/* One file, f: returns it open, and its id where that is wanted. */
static int one_file(const char *text, uint64_t *id)
{
	uint64_t f = file("f", text);

	if (id)
		*id = f;
	return open_rw("m/f");
}

static int start_file(uint32_t io, uint32_t attr, const char *text,
		      uint64_t *id)
{
	start(io, attr);
	return one_file(text, id);
}

static int serve_file(const struct srv_options *o, const char *text,
		      uint64_t *id)
{
	srv_start(o);
	return one_file(text, id);
}

static void stop_file(int fd)
{
	OK(close(fd));
	srv_stop();
}

/* After the server, which nothing can be told any more. */
static void leave(int a, int b)
{
	close(a);
	close(b);
	OK(umount2("m", 0));
}

/* A file in a mode of its own. */
static uint64_t moded(const char *name, const char *text, uint8_t mode)
{
	uint64_t id = file(name, text);

	srv->nodes[id].io_mode = mode;
	return id;
}

static void put(int fd, const char *text, off_t at)
{
	EQ(OK(pwrite(fd, text, strlen(text), at)), strlen(text));
}

static void shows(int fd, const char *text, off_t at)
{
	char buf[64];

	EQ(OK(pread(fd, buf, strlen(text), at)), strlen(text));
	if (memcmp(buf, text, strlen(text)))
		FAIL("\"%.*s\" is not \"%s\"", (int)strlen(text), buf, text);
}

/* The server has it. */
static void has(uint64_t id, const char *text, off_t at)
{
	const char *data = (char *)srv->nodes[id].data + at;

	if (memcmp(data, text, strlen(text)))
		FAIL("\"%.*s\" is not \"%s\"", (int)strlen(text), data, text);
}

static unsigned char big[SRV_DATA];

static void put_pattern(int fd, size_t size, off_t at)
{
	fill_pattern(big, size, at, 1);
	EQ(OK(pwrite(fd, big, size, at)), size);
}

static void shows_pattern(int fd, size_t size, off_t at)
{
	EQ(OK(pread(fd, big, size, at)), size);
	check_pattern(big, size, at, 1);
}

static void has_pattern(uint64_t id, size_t size, off_t at)
{
	check_pattern(srv->nodes[id].data + at, size, at, 1);
}

/* Becomes what the server has, without the kernel. */
static void full(uint64_t id, size_t size, int byte)
{
	memset(srv->nodes[id].data, byte, size);
	srv->nodes[id].attr.size = size;
}

static unsigned char *map(int fd, int prot, int flags)
{
	unsigned char *p = mmap(NULL, PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static uint64_t size_only(int fd)
{
	struct statx st;

	OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &st));
	return st.stx_size;
}

static bool is_held(void *arg)
{
	(void)arg;
	return srv->held == 1;
}

static pid_t in_child(int (*fn)(int fd), int fd)
{
	pid_t pid = (pid_t)OK(fork());

	if (!pid)
		_exit(fn(fd) ? errno : 0);
	return pid;
}

/* -------------------------------------------------------- a mode for each */

/* What a write, a sync after it, and two reads of what was read cost. */
static const struct cost {
	const char *path;
	uint8_t mode;
	unsigned int writes;
	unsigned int synced;
	unsigned int reads;
} costs[] = {
	{ "m/default", FUSEX_IO_DEFAULT, 1, 1, 0 },
	{ "m/plain", FUSEX_IO_PLAIN, 1, 1, 0 },
	{ "m/direct", FUSEX_IO_DIRECT, 1, 1, 2 },
	{ "m/writeback", FUSEX_IO_WRITEBACK, 0, 1, 0 },
	{ "m/passthrough", FUSEX_IO_PASSTHROUGH, 0, 0, 0 },
};

static void cost_is(const struct cost *c)
{
	int fd = open_rw(c->path);

	srv_reset();
	put(fd, "new", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), c->writes);
	shows(fd, "newer", 0);
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), c->synced);
	shows(fd, "newer", 0);
	srv_reset();
	shows(fd, "newer", 0);
	shows(fd, "newer", 0);
	EQ(srv_calls(FUSEX_OP_READ), c->reads);
	OK(close(fd));
}

BOTH(modes, on_one_mount)
{
	struct srv_options o = {
		.attr_mode = attr,
		.io_modes = 1u << FUSEX_IO_DIRECT | 1u << FUSEX_IO_WRITEBACK |
			1u << FUSEX_IO_PASSTHROUGH,
	};
	uint64_t id;

	make_file("back", "older");
	srv_start(&o);
	for (unsigned int i = 0; i < ARRAY_SIZE(costs); i++) {
		id = moded(costs[i].path + 2, "older", costs[i].mode);
		if (costs[i].mode == FUSEX_IO_PASSTHROUGH)
			srv_back(id, "back");
		cost_is(&costs[i]);
		if (costs[i].mode != FUSEX_IO_PASSTHROUGH)
			has(id, "newer", 0);
	}
	STREQ(slurp("back"), "newer");
	srv_stop();
}

/* The old inode goes on as it was for who has it open. */
static void moves(uint32_t attr, uint8_t from, uint8_t to)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = from, .io_modes = 1u << to,
	};
	unsigned int now = from != FUSEX_IO_WRITEBACK;
	uint64_t id;
	int old, new;

	srv_start(&o);
	id = file("f", NULL);
	full(id, 2 * PAGE, 'x');
	old = open_rw("m/f");
	srv->nodes[id].io_mode = to;
	srv_inval(id, FUSEX_INVAL_IDENTITY);
	new = open_rw("m/f");
	srv_reset();
	put(old, "A", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), now);
	put(new, "B", PAGE);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	OK(fsync(old));
	OK(fsync(new));
	EQ(srv_calls(FUSEX_OP_WRITE), 2);
	has(id, "Ax", 0);
	has(id, "xB", PAGE - 1);
	OK(close(old));
	OK(close(new));
	srv_stop();
}

BOTH(modes, move_with_the_identity)
{
	moves(attr, FUSEX_IO_PLAIN, FUSEX_IO_WRITEBACK);
}

BOTH(modes, move_back_with_the_identity)
{
	moves(attr, FUSEX_IO_WRITEBACK, FUSEX_IO_DIRECT);
}

/* What the two have to do with each other is the server's business. */
static void moves_through(int old, int new, int through, uint64_t id)
{
	unsigned int through_old = old == through;

	srv_reset();
	put(old, "A", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), !through_old);
	put(new, "B", 1);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	shows(through, through_old ? "Alder" : "oBder", 0);
	STREQ(slurp("back"), through_old ? "Alder" : "oBder");
	has(id, through_old ? "oBder" : "Alder", 0);
	OK(close(old));
	stop_file(new);
}

BOTH(modes, move_to_passthrough_with_the_identity)
{
	struct srv_options o = {
		.attr_mode = attr, .io_modes = 1u << FUSEX_IO_PASSTHROUGH,
	};
	uint64_t id;
	int old, new;

	make_file("back", "older");
	old = serve_file(&o, "older", &id);
	srv_back(id, "back");
	srv_inval(id, FUSEX_INVAL_IDENTITY);
	new = open_rw("m/f");
	moves_through(old, new, new, id);
}

BOTH(modes, move_from_passthrough_with_the_identity)
{
	struct srv_options o = {
		.attr_mode = attr, .io_modes = 1u << FUSEX_IO_PASSTHROUGH,
	};
	uint64_t id;
	int old, new;

	make_file("back", "older");
	srv_start(&o);
	id = file("f", "older");
	srv_back(id, "back");
	old = open_rw("m/f");
	srv->nodes[id].io_mode = FUSEX_IO_PLAIN;
	srv->nodes[id].backing = 0;
	srv_inval(id, FUSEX_INVAL_IDENTITY);
	new = open_rw("m/f");
	moves_through(old, new, old, id);
}

TEST(modes, of_known_inodes_stay)
{
	struct srv_options o = {
		.attr_mode = REMOTE, .io_modes = 1u << FUSEX_IO_WRITEBACK,
	};
	unsigned long asked;
	uint64_t id;
	int fd;

	srv_start(&o);
	srv->entry_valid = 0;
	id = file("f", "x");
	look("m/f");
	srv->nodes[id].io_mode = FUSEX_IO_WRITEBACK;
	asked = srv_calls(FUSEX_OP_LOOKUP);
	fd = open_rw("m/f");
	EQ(srv_calls(FUSEX_OP_LOOKUP), asked + 1);
	put(fd, "y", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	stop_file(fd);
}

/* ------------------------------------------------------------------ direct */

BOTH(direct, reads_to_where_the_server_says)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.max_read = PAGE,
	};
	uint64_t id;
	int fd;

	srv_start(&o);
	id = file("f", NULL);
	srv->nodes[id].has = 10000;
	fill_pattern(srv->nodes[id].data, 10000, 0, 1);
	fd = (int)OK(open("m/f", O_RDONLY));
	EQ(flook(fd).stx_size, 0);
	EQ(OK(read(fd, big, 16384)), 10000);
	check_pattern(big, 10000, 0, 1);
	EQ(srv_calls(FUSEX_OP_READ), 3);
	EQ(OK(read(fd, big, 16384)), 0);
	EQ(srv_calls(FUSEX_OP_READ), 4);
	shows_pattern(fd, 1000, 9000);
	EQ(flook(fd).stx_size, 0);
	stop_file(fd);
}

/* Shorter than its attributes say: the server knows better. */
BOTH(direct, reads_not_further_than_that)
{
	uint64_t id;
	int fd;

	start(FUSEX_IO_DIRECT, attr);
	id = file("f", NULL);
	srv->nodes[id].attr.size = 9000;
	srv->nodes[id].has = 5000;
	fill_pattern(srv->nodes[id].data, 5000, 0, 1);
	fd = (int)OK(open("m/f", O_RDONLY));
	EQ(OK(read(fd, big, sizeof(big))), 5000);
	check_pattern(big, 5000, 0, 1);
	EQ(OK(read(fd, big, sizeof(big))), 0);
	stop_file(fd);
}

/* No answer before the last request has come: who waits for one waits. */
BOTH(direct, pipelines_what_it_splits)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.max_read = PAGE, .max_write = PAGE,
	};
	uint64_t id;
	int fd;

	fd = serve_file(&o, NULL, &id);
	srv->hold = SRV_DATA / PAGE;
	put_pattern(fd, SRV_DATA, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), SRV_DATA / PAGE);
	EQ(srv->hold, 0);
	has_pattern(id, SRV_DATA, 0);
	EQ(flook(fd).stx_size, SRV_DATA);
	srv->hold = SRV_DATA / PAGE;
	shows_pattern(fd, SRV_DATA, 0);
	EQ(srv_calls(FUSEX_OP_READ), SRV_DATA / PAGE);
	EQ(srv->hold, 0);
	stop_file(fd);
}

BOTH(direct, reads_a_stream_as_it_comes)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.max_read = PAGE,
	};
	uint64_t id;
	int fd;

	srv_start(&o);
	id = file("f", NULL);
	srv->nodes[id].attr.mode |= S_ISVTX;
	srv->nodes[id].has = SRV_DATA;
	fd = (int)OK(open("m/f", O_RDONLY));
	EQ(OK(read(fd, big, SRV_DATA)), PAGE);
	EQ(srv_calls(FUSEX_OP_READ), 1);
	FAILS(pread(fd, big, PAGE, 0), ESPIPE);
	stop_file(fd);
}

BOTH(direct, sends_each_write_at_once)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_DIRECT, attr, "abc", &id);
	put(fd, "XY", 5);
	EQ(srv->last_write.offset, 5);
	EQ(srv->last_write.size, 2);
	EQ(srv->last_write.write_flags, 0);
	EQ(flook(fd).stx_size, 7);
	put(fd, "Z", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 2);
	/* Nothing is kept, of it and of what is read. */
	shows(fd, "Zbc", 0);
	memcpy(srv->nodes[id].data, "other", 5);
	shows(fd, "other", 0);
	srv->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(pwrite(fd, "X", 1, 100), ENOSPC);
	srv->fail[FUSEX_OP_WRITE] = 0;
	EQ(flook(fd).stx_size, 7);
	OK(fsync(fd));
	stop_file(fd);
}

BOTH(direct, shared_mappings_are_refused)
{
	unsigned char *p;
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_DIRECT, attr, "abc", &id);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	      MAP_FAILED);
	EQ(errno, ENODEV);
	/* It could become writable. */
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	EQ(errno, ENODEV);
	p = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EQ(p[0], 'a');
	p[0] = 'X';
	munmap(p, PAGE);
	has(id, "abc", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	stop_file(fd);
}

/* Mappings that are made later show what there is then. */
BOTH(direct, mappings_are_made_anew)
{
	unsigned char *p;
	uint64_t id;
	int fd;

	start(FUSEX_IO_DIRECT, attr);
	id = file("f", "abc");
	fd = (int)OK(open("m/f", O_RDONLY));
	p = map(fd, PROT_READ, MAP_SHARED);
	EQ(p[0], 'a');
	munmap(p, PAGE);
	srv->nodes[id].data[0] = 'X';
	p = map(fd, PROT_READ, MAP_PRIVATE);
	EQ(p[0], 'X');
	munmap(p, PAGE);
	stop_file(fd);
}

BOTH(direct, shared_mappings_are_coherent)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.features = FUSEX_F_DIRECT_MMAP,
	};
	unsigned char *p;
	uint64_t id;
	int fd;

	fd = serve_file(&o, "abcdef", &id);
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	p[0] = 'X';
	shows(fd, "Xbcdef", 0);
	has(id, "Xbcdef", 0);
	put(fd, "Y", 1);
	EQ(p[1], 'Y');
	EQ(p[0], 'X');
	p[2] = 'Z';
	put(fd, "W", 3);
	EQ(p[2], 'Z');
	EQ(p[3], 'W');
	p[4] = 'V';
	OK(fsync(fd));
	has(id, "XYZWVf", 0);
	munmap(p, PAGE);
	stop_file(fd);
}

BOTH(direct, does_not_wait_if_told_so)
{
	struct iovec iov = { big, 100 };
	int fd;

	fd = start_file(FUSEX_IO_DIRECT, attr, "abc", NULL);
	shows(fd, "abc", 0);
	srv_reset();
	FAILS(preadv2(fd, &iov, 1, 0, RWF_NOWAIT), EAGAIN);
	FAILS(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT), EAGAIN);
	EQ(srv_calls(FUSEX_OP_READ), 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	stop_file(fd);
}

/* The server takes each write in small pieces. */
BOTH(direct, goes_on_after_short_writes)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_DIRECT, attr, NULL, &id);
	srv->takes = 3000;
	put_pattern(fd, 10000, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 4);
	EQ(flook(fd).stx_size, 10000);
	has_pattern(id, 10000, 0);
	stop_file(fd);
}

/* What went before a part that failed counts. */
BOTH(direct, ends_where_a_part_fails)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.max_write = PAGE,
	};
	const off_t at = SRV_DATA - 2 * PAGE;
	uint64_t id;
	int fd;

	fd = serve_file(&o, NULL, &id);
	fill_pattern(big, 4 * PAGE, at, 1);
	/* The server has no room for the rest. */
	EQ(OK(pwrite(fd, big, 4 * PAGE, at)), 2 * PAGE);
	EQ(flook(fd).stx_size, SRV_DATA);
	has_pattern(id, 2 * PAGE, at);
	FAILS(pwrite(fd, big, PAGE, SRV_DATA), ENOSPC);
	stop_file(fd);
}

static int write_first(int fd)
{
	return pwrite(fd, "first", 5, 0) != 5;
}

static int write_second(int fd)
{
	return pwrite(fd, "second", 6, PAGE) != 6;
}

/* The server has both before it answers. */
BOTH(direct, writes_in_parallel)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.features = FUSEX_F_PARALLEL_WRITES,
	};
	pid_t one, two;
	uint64_t id;
	int fd;

	srv_start(&o);
	id = file("f", NULL);
	full(id, 2 * PAGE, 'x');
	fd = open_rw("m/f");
	/* Now it is known that there is nothing for a write to clear. */
	put(fd, "before", 0);
	srv->hold = 2;
	one = in_child(write_first, fd);
	two = in_child(write_second, fd);
	EQ(WAIT(one), 0);
	EQ(WAIT(two), 0);
	has(id, "firste", 0);
	has(id, "secondx", PAGE);
	stop_file(fd);
}

static int read_page(int fd)
{
	return pread(fd, big, PAGE, 0) < 0;
}

static int cut(int fd)
{
	return ftruncate(fd, 0);
}

/* Who comes after it waits for it. */
BOTH(direct, reads_do_not_keep_a_file_from_being_cut)
{
	struct wait_in cutting = { .function = "fusex_dio_drain" };
	pid_t before, after;
	int fd, other;
	uint64_t id;

	start(FUSEX_IO_DIRECT, attr);
	id = file("f", NULL);
	full(id, PAGE, 'x');
	file("other", "abc");
	fd = open_rw("m/f");
	other = open_rw("m/other");
	srv->hold = 2;
	before = in_child(read_page, fd);
	UNTIL(is_held, NULL);
	cutting.pid = in_child(cut, fd);
	UNTIL(waits_in, &cutting);
	after = in_child(read_page, fd);
	UNTIL(sleeps_deep, &after);
	EQ(srv_calls(FUSEX_OP_READ), 1);
	/* Now the first is answered. */
	shows(other, "abc", 0);
	EQ(WAIT(before), 0);
	EQ(WAIT(cutting.pid), 0);
	EQ(WAIT(after), 0);
	EQ(srv->nodes[id].attr.size, 0);
	OK(close(other));
	stop_file(fd);
}

static void submit(aio_context_t ctx, int fd, int op, off_t at)
{
	struct iocb cb = {
		.aio_lio_opcode = (uint16_t)op,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uint64_t)(uintptr_t)(big + at),
		.aio_nbytes = PAGE,
		.aio_offset = at,
	};
	struct iocb *list = &cb;

	EQ(OK(syscall(SYS_io_submit, ctx, 1, &list)), 1);
}

/* Who submits both waits for neither. */
static void two_at_once(int fd, int op)
{
	const struct timespec now = { 0 };
	struct io_event events[2];
	aio_context_t ctx = 0;

	OK(syscall(SYS_io_setup, 2, &ctx));
	srv->hold = 2;
	submit(ctx, fd, op, 0);
	EQ(OK(syscall(SYS_io_getevents, ctx, 0, 2, events, &now)), 0);
	submit(ctx, fd, op, PAGE);
	EQ(OK(syscall(SYS_io_getevents, ctx, 2, 2, events, NULL)), 2);
	EQ(events[0].res, PAGE);
	EQ(events[1].res, PAGE);
	OK(syscall(SYS_io_destroy, ctx));
}

BOTH(direct, does_not_block_who_submits)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_DIRECT, attr, NULL, &id);
	fill_pattern(big, 2 * PAGE, 0, 1);
	two_at_once(fd, IOCB_CMD_PWRITE);
	has_pattern(id, 2 * PAGE, 0);
	EQ(flook(fd).stx_size, 2 * PAGE);
	memset(big, 0, sizeof(big));
	two_at_once(fd, IOCB_CMD_PREAD);
	check_pattern(big, 2 * PAGE, 0, 1);
	stop_file(fd);
}

static void two_on_a_ring(struct ring *r, int fd, int op)
{
	srv->hold = 2;
	ring_submit(r, op, fd, big, PAGE, 0);
	CHECK(ring_idle(r));
	ring_submit(r, op, fd, big + PAGE, PAGE, PAGE);
	EQ(ring_result(r), PAGE);
	EQ(ring_result(r), PAGE);
}

/* Of a server that can be polled a ring would ask whether the file is ready. */
BOTH(direct, does_not_block_who_uses_a_ring)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.without = WITHOUT(POLL),
	};
	struct ring r;
	uint64_t id;
	int fd;

	ring_open(&r);
	fd = serve_file(&o, NULL, &id);
	fill_pattern(big, 2 * PAGE, 0, 1);
	two_on_a_ring(&r, fd, IORING_OP_WRITE);
	has_pattern(id, 2 * PAGE, 0);
	EQ(flook(fd).stx_size, 2 * PAGE);
	memset(big, 0, sizeof(big));
	two_on_a_ring(&r, fd, IORING_OP_READ);
	check_pattern(big, 2 * PAGE, 0, 1);
	OK(close(r.fd));
	stop_file(fd);
}

/* --------------------------------------------------- writeback: what and when */

BOTH(writeback, sends_nothing_before_fsync)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	for (off_t at = 0; at < 10000; at += 100)
		put_pattern(fd, 100, at);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	EQ(size_only(fd), 10000);
	shows_pattern(fd, 10000, 0);
	EQ(srv_calls(FUSEX_OP_WRITE) + srv_calls(FUSEX_OP_READ), 0);
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->writes_before[FUSEX_OP_FSYNC], 1);
	EQ(srv->nodes[id].attr.size, 10000);
	has_pattern(id, 10000, 0);
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	stop_file(fd);
}

/* Whatever the order, what is next to each other is sent together. */
BOTH(writeback, coalesces)
{
	static const unsigned char order[SRV_DATA / PAGE] = {
		9, 2, 15, 0, 7, 4, 11, 1, 14, 3, 12, 6, 5, 10, 13, 8,
	};
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		put_pattern(fd, PAGE, (off_t)order[i] * PAGE);
	OK(fdatasync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->last_write.offset, 0);
	EQ(srv->last_write.size, SRV_DATA);
	/* Whole blocks, of which nothing had to be known. */
	EQ(srv_calls(FUSEX_OP_READ), 0);
	has_pattern(id, SRV_DATA, 0);
	stop_file(fd);
}

/* Of a file that exists it sends the blocks that were changed. */
BOTH(writeback, sends_what_is_dirty)
{
	uint64_t id;
	int fd;

	start(FUSEX_IO_WRITEBACK, attr);
	id = file("f", NULL);
	full(id, SRV_DATA, 'x');
	fd = open_rw("m/f");
	put(fd, "new", 20000);
	/* Others have changed the next block, which is not written over. */
	memset(srv->nodes[id].data + 20480, 'y', PAGE);
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->last_write.offset, 16384);
	EQ(srv->last_write.size, PAGE);
	has(id, "xnewx", 19999);
	has(id, "xy", 20479);
	stop_file(fd);
}

BOTH(writeback, goes_on_after_short_writes)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	srv->takes = 3000;
	put_pattern(fd, 10000, 0);
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 4);
	EQ(srv->nodes[id].attr.size, 10000);
	has_pattern(id, 10000, 0);
	stop_file(fd);
}

/* Unless the kernel is ahead, the end is the server's. */
TEST(writeback, appends_to_what_there_is)
{
	uint64_t id;
	int fd;

	start(FUSEX_IO_WRITEBACK, REMOTE);
	id = file("f", "abc");
	fd = (int)OK(open("m/f", O_RDWR | O_APPEND));
	memcpy(srv->nodes[id].data, "abcdef", 6);
	srv->nodes[id].attr.size = 6;
	EQ(OK(write(fd, "X", 1)), 1);
	EQ(OK(write(fd, "Y", 1)), 1);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	EQ(size_only(fd), 8);
	OK(fsync(fd));
	has(id, "abcdefXY", 0);
	stop_file(fd);
}

/* Where the server has the end: there has to be what was written before. */
BOTH(writeback, comes_before_what_is_appended_directly)
{
	uint64_t id;
	int fd, dio;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	dio = (int)OK(open("m/f", O_WRONLY | O_APPEND | O_DIRECT));
	put_pattern(fd, 2 * PAGE, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	fill_pattern(big, PAGE, 2 * PAGE, 1);
	EQ(OK(write(dio, big, PAGE)), PAGE);
	EQ(!!(srv->last_write.write_flags & FUSEX_WRITE_APPEND),
	   attr == REMOTE);
	OK(fsync(fd));
	EQ(srv->nodes[id].attr.size, 3 * PAGE);
	has_pattern(id, 3 * PAGE, 0);
	shows_pattern(fd, 3 * PAGE, 0);
	OK(close(dio));
	stop_file(fd);
}

BOTH(writeback, comes_before_flush)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	put_pattern(fd, 10000, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	OK(close(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->last_write.fh, 77);
	EQ(srv->writes_before[FUSEX_OP_FLUSH], 1);
	has_pattern(id, 10000, 0);
	srv_stop();
}

static bool was_released(void *arg)
{
	(void)arg;
	return srv_calls(FUSEX_OP_RELEASE) == 1;
}

BOTH(writeback, comes_before_release)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_WRITEBACK,
		.features = FUSEX_F_NO_FLUSH,
	};
	uint64_t id;
	int fd;

	fd = serve_file(&o, NULL, &id);
	put_pattern(fd, 10000, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	OK(close(fd));
	UNTIL(was_released, NULL);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->last_write.fh, 77);
	EQ(srv->writes_before[FUSEX_OP_RELEASE], 1);
	has_pattern(id, 10000, 0);
	srv_stop();
}

/* The descriptor is closed when the server hears of FLUSH, the file later. */
static void stored_before_release(const struct srv_options *o)
{
	unsigned char *p;
	uint64_t id;
	int fd;

	fd = serve_file(o, "abc", &id);
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(close(fd));
	EQ(srv_calls(FUSEX_OP_FLUSH), 1);
	p[0] = 'X';
	munmap(p, PAGE);
	UNTIL(was_released, NULL);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->last_write.fh, 77);
	EQ(srv->writes_before[FUSEX_OP_RELEASE], 1);
	has(id, "Xbc", 0);
	srv_stop();
}

BOTH(plain, what_was_stored_comes_before_release)
{
	struct srv_options o = { .attr_mode = attr };

	stored_before_release(&o);
}

BOTH(direct, what_was_stored_comes_before_release)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_DIRECT,
		.features = FUSEX_F_DIRECT_MMAP,
	};

	stored_before_release(&o);
}

BOTH(writeback, comes_before_umount_ends)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_WRITEBACK,
		.features = FUSEX_F_NO_FLUSH | FUSEX_F_NO_OPEN,
	};
	uint64_t id;
	int fd;

	fd = serve_file(&o, NULL, &id);
	put_pattern(fd, 10000, 0);
	OK(close(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	srv_stop();
	EQ(srv->nodes[id].attr.size, 10000);
	has_pattern(id, 10000, 0);
}

BOTH(writeback, is_coherent)
{
	unsigned char *p;
	uint64_t id;
	int fd, dio;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, "abcdef", &id);
	dio = (int)OK(open("m/f", O_RDWR | O_DIRECT));
	put(fd, "X", 0);
	shows(dio, "Xbcdef", 0);
	put(dio, "Y", 1);
	shows(fd, "XYcdef", 0);
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	p[2] = 'Z';
	put(fd, "W", 3);
	shows(fd, "XYZWef", 0);
	shows(dio, "XYZWef", 0);
	EQ(p[3], 'W');
	OK(close(dio));
	OK(fsync(fd));
	has(id, "XYZWef", 0);
	munmap(p, PAGE);
	stop_file(fd);
}

/* Direct reads end where the file does, which the server may not know yet. */
BOTH(writeback, shows_the_end_to_direct_reads)
{
	struct iovec iov = { big, PAGE };
	int fd, dio;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, NULL);
	dio = (int)OK(open("m/f", O_RDONLY | O_DIRECT));
	put(fd, "abc", 50000);
	FAILS(preadv2(dio, &iov, 1, 0, RWF_NOWAIT), EAGAIN);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	memset(big, 'x', PAGE);
	EQ(OK(pread(dio, big, PAGE, 0)), PAGE);
	for (int i = 0; i < PAGE; i++)
		EQ(big[i], 0);
	shows(dio, "abc", 50000);
	EQ(OK(pread(dio, big, PAGE, 50000)), 3);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	/* What is neither read nor the end stays where it is. */
	put(fd, "abc", 20000);
	EQ(OK(pread(dio, big, PAGE, 0)), PAGE);
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	OK(close(dio));
	stop_file(fd);
}

/* ------------------------------------------------- writeback: attributes */

static struct statx_timestamp stamp(int64_t sec, uint32_t nsec)
{
	return (struct statx_timestamp){ .tv_sec = sec, .tv_nsec = nsec };
}

static struct statx_timestamp when(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return stamp(ts.tv_sec, (uint32_t)ts.tv_nsec);
}

/* When it was written, not when it was written back. */
BOTH(writeback, says_when_it_was)
{
	struct statx_timestamp before, after, said, kept;
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, "abc", &id);
	before = when(CLOCK_REALTIME_COARSE);
	put(fd, "X", 0);
	after = when(CLOCK_REALTIME);
	tick();
	OK(fsync(fd));
	EQ(srv->last_write.write_flags, FUSEX_WRITE_CACHE | FUSEX_WRITE_MTIME);
	said = stamp(srv->last_write.mtime.sec, srv->last_write.mtime.nsec);
	CHECK(!later(before, said));
	CHECK(!later(said, after));
	CHECK(same_time(flook(fd).stx_mtime, said));
	stop_file(fd);
	kept = stamp(srv->nodes[id].attr.mtime.sec,
		     srv->nodes[id].attr.mtime.nsec);
	CHECK(same_time(kept, said));
}

/* Who asks for times that are the server's has it told first. */
BOTH(writeback, comes_before_times_are_told)
{
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	put(fd, "X", 0);
	EQ(size_only(fd), 3);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	flook(fd);
	EQ(srv_calls(FUSEX_OP_WRITE), attr == REMOTE);
	stop_file(fd);
}

static void set_time(int fd, time_t sec)
{
	struct timespec ts[2] = { { .tv_sec = sec }, { .tv_sec = sec } };

	OK(futimens(fd, ts));
}

BOTH(writeback, does_not_undo_times)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, "abc", &id);
	/* The first time, nobody knows whether the server stores any. */
	for (time_t t = 1000; t <= 3000; t += 1000) {
		put(fd, "X", t);
		set_time(fd, t);
		EQ(flook(fd).stx_mtime.tv_sec, t);
		OK(fsync(fd));
		EQ(srv->nodes[id].attr.mtime.sec, t);
		has(id, "X", t);
	}
	put(fd, "Y", 0);
	set_time(fd, 4000);
	stop_file(fd);
	has(id, "Y", 0);
	EQ(srv->nodes[id].attr.mtime.sec, 4000);
}

/* The data is on its way, with its time, while another one is set. */
TEST(writeback, under_way_does_not_undo_times)
{
	uint64_t id;
	int fd, other;
	pid_t pid;

	start(FUSEX_IO_WRITEBACK, LOCAL);
	id = file("f", "abc");
	file("other", "abc");
	fd = open_rw("m/f");
	other = open_rw("m/other");
	set_time(fd, 500);
	put(fd, "X", 0);
	put(other, "Y", 0);
	srv->hold = 2;
	pid = in_child(fsync, fd);
	UNTIL(is_held, NULL);
	/* Both are told, but the time of the data is told last. */
	set_time(fd, 1000);
	OK(fchmod(fd, 0600));
	EQ(srv->nodes[id].attr.mtime.sec, 1000);
	OK(fsync(other));
	EQ(WAIT(pid), 0);
	OK(fsync(fd));
	EQ(srv->nodes[id].attr.mtime.sec, 1000);
	has(id, "X", 0);
	OK(close(fd));
	OK(close(other));
	srv_stop();
}

/* Who changes a page that is on its way does not wait, and what he wrote follows. */
BOTH(writeback, under_way_does_not_stall_writers)
{
	unsigned char *p;
	uint64_t id;
	int fd, other;
	pid_t pid;

	start(FUSEX_IO_WRITEBACK, attr);
	id = file("f", "abc");
	file("other", "abc");
	fd = open_rw("m/f");
	other = open_rw("m/other");
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	put(fd, "X", 0);
	put(other, "Y", 0);
	srv->hold = 2;
	pid = in_child(fsync, fd);
	UNTIL(is_held, NULL);
	put(fd, "Z", 0);
	p[1] = 'W';
	shows(fd, "ZWc", 0);
	EQ(srv->held, 1);
	has(id, "abc", 0);
	OK(fsync(other));
	EQ(WAIT(pid), 0);
	OK(fsync(fd));
	has(id, "ZWc", 0);
	/* Both versions, and what made the server answer. */
	EQ(srv_calls(FUSEX_OP_WRITE), 3);
	munmap(p, PAGE);
	OK(close(fd));
	OK(close(other));
	srv_stop();
}

/* What is dirty is newer than what the server says. */
TEST(writeback, is_not_cut_by_a_smaller_size)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, REMOTE, "abc", &id);
	put_pattern(fd, 10000, 0);
	srv_reset();
	srv_inval(id, FUSEX_INVAL_ATTR);
	EQ(size_only(fd), 10000);
	EQ(srv_calls(FUSEX_OP_GETATTR), 1);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	srv->nodes[id].attr.size = 0;
	srv_inval(id, FUSEX_INVAL_ATTR | FUSEX_INVAL_DATA);
	shows_pattern(fd, 10000, 0);
	OK(fsync(fd));
	EQ(flook(fd).stx_size, 10000);
	has_pattern(id, 10000, 0);
	/* With nothing dirty, the server is right. */
	srv->nodes[id].attr.size = 100;
	srv_inval(id, FUSEX_INVAL_ATTR);
	EQ(size_only(fd), 100);
	stop_file(fd);
}

TEST(writeback, hides_no_larger_size_for_long)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, REMOTE, "abc", &id);
	put(fd, "X", 0);
	/* Somebody else appends. */
	memset(srv->nodes[id].data + 3, 'y', 20000 - 3);
	srv->nodes[id].attr.size = 20000;
	srv_inval(id, FUSEX_INVAL_ATTR);
	EQ(size_only(fd), 3);
	OK(fsync(fd));
	EQ(srv->last_write.size, 3);
	EQ(flook(fd).stx_size, 20000);
	/* Also next to what was written. */
	shows(fd, "Xbcyyy", 0);
	shows(fd, "yyy", 15000);
	stop_file(fd);
}

BOTH(writeback, never_writes_what_was_cut)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	put_pattern(fd, 20000, 0);
	OK(ftruncate(fd, 0));
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	EQ(flook(fd).stx_size, 0);

	put_pattern(fd, 20000, 0);
	OK(ftruncate(fd, 5000));
	OK(fsync(fd));
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	EQ(srv->last_write.size, 5000);
	EQ(srv->nodes[id].attr.size, 5000);
	has_pattern(id, 5000, 0);

	/* What was beyond the end has become zero. */
	OK(ftruncate(fd, 20000));
	EQ(OK(pread(fd, big, 100, 5000)), 100);
	for (int i = 0; i < 100; i++)
		EQ(big[i], 0);
	stop_file(fd);
}

/* What is under way comes before the file is cut, and not after it. */
BOTH(writeback, is_waited_for_by_truncation)
{
	pid_t syncing, cutting;
	uint64_t id;
	int fd, other;

	start(FUSEX_IO_WRITEBACK, attr);
	id = file("f", NULL);
	file("other", "abc");
	fd = open_rw("m/f");
	other = open_rw("m/other");
	put_pattern(fd, 10000, 0);
	put(other, "Y", 0);
	srv->hold = 2;
	syncing = in_child(fsync, fd);
	UNTIL(is_held, NULL);
	cutting = in_child(cut, fd);
	OK(fsync(other));
	EQ(WAIT(syncing), 0);
	EQ(WAIT(cutting), 0);
	EQ(flook(fd).stx_size, 0);
	OK(fsync(fd));
	EQ(srv->nodes[id].attr.size, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 2);
	OK(close(fd));
	OK(close(other));
	srv_stop();
}

BOTH(writeback, refused_truncation_loses_nothing)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, NULL, &id);
	put_pattern(fd, 20000, 0);
	srv->fail[FUSEX_OP_SETATTR] = EDQUOT;
	FAILS(ftruncate(fd, 0), EDQUOT);
	FAILS(ftruncate(fd, 5000), EDQUOT);
	srv->fail[FUSEX_OP_SETATTR] = 0;
	EQ(size_only(fd), 20000);
	shows_pattern(fd, 20000, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	OK(fsync(fd));
	EQ(srv->nodes[id].attr.size, 20000);
	has_pattern(id, 20000, 0);
	stop_file(fd);
}

static void make_immutable(int fd)
{
	int flags = FS_IMMUTABLE_FL;

	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* After these the server may not take it, or it would undo them. */
BOTH(writeback, comes_before_what_forbids_it)
{
	uint64_t id;
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, "abc", &id);
	put(fd, "X", 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	OK(fchmod(fd, 0444));
	EQ(srv->writes_before[FUSEX_OP_SETATTR], 1);
	put(fd, "Y", 1);
	OK(fchown(fd, 1000, 1000));
	EQ(srv->writes_before[FUSEX_OP_SETATTR], 2);
	put(fd, "W", 0);
	OK(fchmod(fd, 06755));
	EQ(srv->writes_before[FUSEX_OP_SETATTR], 3);
	put(fd, "Z", 2);
	make_immutable(fd);
	EQ(srv->writes_before[FUSEX_OP_FILEATTR_SET], 4);
	has(id, "WYZ", 0);
	stop_file(fd);
}

/* ---------------------------------------- writeback: invalidation, errors */

static void inval_range(uint64_t id, uint64_t offset, uint64_t length)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_INVAL_INODE,
		.node = srv_ref(id),
		.flags = FUSEX_INVAL_DATA,
		.offset = offset,
		.length = length,
	};

	EQ(srv_notify(&c), 0);
}

BOTH(writeback, survives_invalidation)
{
	uint64_t id;
	int fd;

	start(FUSEX_IO_WRITEBACK, attr);
	id = file("f", NULL);
	full(id, SRV_DATA, 'x');
	fd = open_rw("m/f");
	EQ(OK(pread(fd, big, SRV_DATA, 0)), SRV_DATA);
	put_pattern(fd, PAGE, 16384);
	full(id, SRV_DATA, 'y');
	inval_range(id, 8192, 16384);
	shows_pattern(fd, PAGE, 16384);
	shows(fd, "yy", 8192);
	shows(fd, "yy", 20480);
	OK(fsync(fd));
	has_pattern(id, PAGE, 16384);
	has(id, "yy", 16382);
	has(id, "yy", 20480);
	/* All of it, with what is dirty again. */
	put_pattern(fd, PAGE, 0);
	full(id, SRV_DATA, 'z');
	inval_range(id, 0, 0);
	shows_pattern(fd, PAGE, 0);
	shows(fd, "zz", 16384);
	OK(fsync(fd));
	has_pattern(id, PAGE, 0);
	stop_file(fd);
}

/* A page stays for the block of it that is dirty; the others are outdated. */
BOTH(writeback, of_one_block_survives_invalidation)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_WRITEBACK,
		.block_size = 1024,
	};
	uint64_t id;
	int fd;

	srv_start(&o);
	id = file("f", NULL);
	full(id, PAGE, 'x');
	fd = open_rw("m/f");
	shows(fd, "xx", 1024);
	put(fd, "new", 0);
	full(id, PAGE, 'y');
	inval_range(id, 0, 0);
	shows(fd, "yy", 1024);
	shows(fd, "newx", 0);
	OK(fsync(fd));
	has(id, "newx", 0);
	has(id, "xy", 1023);
	stop_file(fd);
}

BOTH(writeback, error_is_told_once_to_each_file)
{
	int a, b, c;

	a = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	b = open_rw("m/f");
	put(a, "X", 0);
	srv->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(fsync(a), ENOSPC);
	OK(fsync(a));
	FAILS(fsync(b), ENOSPC);
	OK(fsync(b));
	/* Who came later has lost nothing. */
	c = open_rw("m/f");
	OK(fsync(c));
	/* It is not sent again. */
	EQ(srv_calls(FUSEX_OP_WRITE), 1);
	srv->fail[FUSEX_OP_WRITE] = 0;
	put(a, "Y", 0);
	OK(fsync(a));
	OK(close(a));
	OK(close(b));
	OK(close(c));
	srv_stop();
}

BOTH(writeback, error_is_told_by_close)
{
	int a, b;

	a = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	b = open_rw("m/f");
	put(a, "X", 0);
	srv->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(close(a), ENOSPC);
	srv->fail[FUSEX_OP_WRITE] = 0;
	FAILS(fsync(b), ENOSPC);
	OK(close(b));
	srv_stop();
}

/* Also if nobody has asked about an earlier one of the same kind. */
BOTH(writeback, error_is_told_by_each_close)
{
	int a, b, c;

	a = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	b = open_rw("m/f");
	c = open_rw("m/f");
	put(a, "X", 0);
	srv->fail[FUSEX_OP_WRITE] = ENOSPC;
	FAILS(close(a), ENOSPC);
	put(b, "Y", 1);
	FAILS(close(b), ENOSPC);
	/* Who wrote nothing since has lost nothing. */
	srv->fail[FUSEX_OP_WRITE] = 0;
	OK(close(c));
	srv_stop();
}

/* What is lost is told to each who may have written it; then it is dead. */
static void lost(int fd)
{
	FAILS(fsync(fd), EIO);
	FAILS(fsync(fd), ENOTCONN);
	FAILS(fsync(fd), ENOTCONN);
	FAILS(pwrite(fd, "Z", 1, 0), ENOTCONN);
}

BOTH(writeback, is_lost_with_the_server)
{
	int a, b;

	a = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	b = open_rw("m/f");
	put(a, "X", 0);
	srv_kill();
	lost(a);
	lost(b);
	leave(a, b);
}

BOTH(writeback, under_way_is_lost_with_the_server)
{
	pid_t pid;
	int a, b;

	a = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	b = open_rw("m/f");
	put(a, "X", 0);
	srv->hold = 2;
	pid = in_child(fsync, a);
	UNTIL(is_held, NULL);
	srv_kill();
	EQ(WAIT(pid), EIO);
	FAILS(fsync(a), ENOTCONN);
	lost(b);
	leave(a, b);
}

/* That the time of a last read is lost as well is not what counts. */
BOTH(writeback, loss_comes_before_that_of_times)
{
	char c;
	int a, b;

	a = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	b = open_rw("m/f");
	/* Later than the last read, so that the next one changes its time. */
	tick();
	put(a, "X", 0);
	srv_kill();
	FAILS(fsync(a), EIO);
	tick();
	if (pread(b, &c, 1, 0) == 1)
		EQ(c, 'X');
	FAILS(fsync(b), EIO);
	FAILS(fsync(b), ENOTCONN);
	leave(a, b);
}

/* Nobody asked, so nobody is told; nothing waits for it either. */
BOTH(writeback, is_lost_unheard)
{
	int fd;

	fd = start_file(FUSEX_IO_WRITEBACK, attr, "abc", NULL);
	put_pattern(fd, SRV_DATA, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	srv_kill();
	FAILS(pwrite(fd, "Z", 1, 0), ENOTCONN);
	close(fd);
	OK(umount2("m", 0));
}

static bool is_written(void *arg)
{
	struct statx st;

	(void)arg;
	OK(statx(AT_FDCWD, "m/f", 0, STATX_SIZE, &st));
	return st.stx_size == 10000;
}

static void write_and_wait(void)
{
	put_pattern(open_rw("m/f"), 10000, 0);
	for (;;)
		pause();
}

/* Its files are closed, which writes back, and no signal ends that any more. */
BOTH(writeback, of_who_is_killed_is_not_waited_for)
{
	pid_t pid;

	start(FUSEX_IO_WRITEBACK, attr);
	file("f", NULL);
	/* The server is not going to answer. */
	srv->hold = 2;
	pid = (pid_t)OK(fork());
	if (!pid)
		write_and_wait();
	UNTIL(is_written, NULL);
	EQ(srv->held, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	srv_kill();
	OK(umount2("m", 0));
}

/* In a mount namespace that goes with the server. */
static void write_and_leave(uint32_t attr, int out)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = FUSEX_IO_WRITEBACK,
		.features = FUSEX_F_NO_FLUSH | FUSEX_F_NO_OPEN,
	};
	pid_t server;

	srv_start(&o);
	file("f", NULL);
	put_pattern(open_rw("m/f"), 10000, 0);
	EQ(srv_calls(FUSEX_OP_WRITE), 0);
	server = srv_pid();
	EQ(OK(write(out, &server, sizeof(server))), sizeof(server));
	_exit(0);
}

/* The last act of the server is to unmount what it served. */
BOTH(writeback, is_lost_with_the_namespace)
{
	pid_t pid, server;
	int p[2];

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(pipe(p));
	pid = (pid_t)OK(fork());
	if (!pid)
		write_and_leave(attr, p[1]);
	EQ(WAIT(pid), 0);
	EQ(OK(read(p[0], &server, sizeof(server))), sizeof(server));
	OK(kill(server, SIGKILL));
	EQ(WAIT(server), 128 + SIGKILL);
}

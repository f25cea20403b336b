// SPDX-License-Identifier: GPL-2.0
/*
 * All ways into a file show the same bytes: read, write, mapping, O_DIRECT,
 * splice, sendfile, aio, io_uring, truncation, hole punching.
 */
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../lib/fs.h"
#include "../lib/ring.h"

enum { SIZE = 1 << 20, PAGE = 4096 };

static unsigned char *aligned(void)
{
	static unsigned char *buf;

	if (!buf && posix_memalign((void **)&buf, PAGE, SIZE))
		FAIL("out of memory");
	return buf;
}

/* Reads the whole file and compares it with pattern @seed. */
static void verify(int fd, size_t size, unsigned int seed)
{
	unsigned char *buf = aligned();
	size_t at = 0;
	ssize_t n;

	EQ(flook(fd).stx_size, size);
	while (at < size) {
		n = OK(pread(fd, buf, SIZE, (off_t)at));
		CHECK(n > 0);
		check_pattern(buf, (size_t)n, (off_t)at, seed);
		at += (size_t)n;
	}
}

static void fill(int fd, size_t size, unsigned int seed)
{
	unsigned char *buf = aligned();

	for (size_t at = 0; at < size; at += SIZE) {
		size_t n = size - at < SIZE ? size - at : SIZE;

		fill_pattern(buf, n, (off_t)at, seed);
		EQ(OK(pwrite(fd, buf, n, (off_t)at)), n);
	}
}

static unsigned char *map_of(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int new_file(void)
{
	return (int)OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));
}

static int direct(void)
{
	int fd = open("f", O_RDWR | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		SKIP("no O_DIRECT here");
	return (int)OK(fd);
}

TEST(coherence, write_then_read_after_the_cache_was_dropped)
{
	int fd = new_file();

	fill(fd, 3 * SIZE + 777, 1);
	verify(fd, 3 * SIZE + 777, 1);
	drop_caches();
	verify(fd, 3 * SIZE + 777, 1);
}

TEST(coherence, odd_sizes_and_positions)
{
	static const int at[] = { 0, 1, 511, 4095, 4096, 4097, 8191, 65535,
				  70001, 131071 };
	unsigned char buf[5000];
	int fd = new_file();

	fill(fd, 200000, 1);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		size_t n = 1 + (size_t)at[i] % 4999;

		fill_pattern(buf, n, at[i], 2);
		EQ(OK(pwrite(fd, buf, n, at[i])), n);
		EQ(OK(pread(fd, buf, n, at[i])), n);
		check_pattern(buf, n, at[i], 2);
	}
	fill(fd, 200000, 3);
	verify(fd, 200000, 3);
	drop_caches();
	verify(fd, 200000, 3);
}

TEST(coherence, mapping_sees_writes)
{
	int fd = new_file();
	unsigned char *map;

	fill(fd, SIZE, 1);
	map = map_of(fd, SIZE);
	check_pattern(map, SIZE, 0, 1);
	fill(fd, SIZE, 2);
	check_pattern(map, SIZE, 0, 2);
	munmap(map, SIZE);
}

TEST(coherence, reads_see_the_mapping)
{
	int fd = new_file();
	unsigned char *map;

	fill(fd, SIZE, 1);
	map = map_of(fd, SIZE);
	fill_pattern(map, SIZE, 0, 2);
	verify(fd, SIZE, 2);
	OK(msync(map, SIZE, MS_SYNC));
	munmap(map, SIZE);
	drop_caches();
	verify(fd, SIZE, 2);
}

TEST(coherence, mapping_is_written_back_on_close)
{
	int fd = new_file();
	unsigned char *map;

	OK(ftruncate(fd, 100000));
	map = map_of(fd, 100000);
	fill_pattern(map, 100000, 0, 5);
	munmap(map, 100000);
	OK(close(fd));
	drop_caches();
	fd = (int)OK(open("f", O_RDONLY));
	verify(fd, 100000, 5);
}

/* Whoever stores does not say so, but whoever looks afterwards has to see it. */
TEST(coherence, a_store_through_a_mapping_moves_the_times)
{
	int fd = new_file();
	struct statx before, now;
	unsigned char *map;

	fill(fd, SIZE, 1);
	OK(fsync(fd));
	map = map_of(fd, SIZE);
	check_pattern(map, SIZE, 0, 1);
	before = look("f");
	/* The clock of the file system below is as coarse as a tick. */
	do {
		make_file("clock", NULL);
		now = look("clock");
		OK(unlink("clock"));
	} while (!later(now.stx_mtime, before.stx_mtime));
	map[SIZE / 2] ^= 1;
	now = look("f");
	CHECK(later(now.stx_mtime, before.stx_mtime));
	CHECK(later(now.stx_ctime, before.stx_ctime));
	munmap(map, SIZE);
}

TEST(coherence, write_over_a_dirty_mapping)
{
	unsigned char *map, buf[100];
	int fd = new_file();

	fill(fd, 4 * PAGE, 1);
	map = map_of(fd, 4 * PAGE);
	fill_pattern(map, 4 * PAGE, 0, 2);
	/* Only the bytes written change, those around them stay. */
	fill_pattern(buf, 100, 5000, 3);
	EQ(OK(pwrite(fd, buf, 100, 5000)), 100);
	check_pattern(map, 5000, 0, 2);
	check_pattern(map + 5000, 100, 5000, 3);
	check_pattern(map + 5100, 4 * PAGE - 5100, 5100, 2);
	OK(fsync(fd));
	drop_caches();
	check_pattern(map, 5000, 0, 2);
	check_pattern(map + 5000, 100, 5000, 3);
	check_pattern(map + 5100, 4 * PAGE - 5100, 5100, 2);
	munmap(map, 4 * PAGE);
}

TEST(coherence, end_of_file_in_a_mapped_page)
{
	unsigned char *map, buf[8];
	int fd = new_file();

	EQ(OK(write(fd, "abc", 3)), 3);
	map = map_of(fd, PAGE);
	EQ(map[3], 0);
	/* What is stored behind the end is not part of the file. */
	map[3] = 'X';
	map[100] = 'Y';
	OK(ftruncate(fd, 200));
	EQ(OK(pread(fd, buf, 2, 3)), 2);
	EQ(buf[0], 0);
	EQ(OK(pread(fd, buf, 1, 100)), 1);
	EQ(buf[0], 0);
	OK(fsync(fd));
	drop_caches();
	EQ(map[3], 0);
	EQ(map[100], 0);
	munmap(map, PAGE);
}

TEST(coherence, private_mapping)
{
	int fd = new_file();
	unsigned char *map;

	fill(fd, PAGE, 1);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] ^= 0xff;
	verify(fd, PAGE, 1);
	munmap(map, PAGE);
}

TEST(coherence, truncation_and_growth_show_zeros)
{
	unsigned char *map, buf[PAGE];
	int fd = new_file();

	fill(fd, 3 * PAGE, 1);
	map = map_of(fd, 3 * PAGE);
	check_pattern(map, 3 * PAGE, 0, 1);
	OK(ftruncate(fd, PAGE + 100));
	OK(ftruncate(fd, 3 * PAGE));
	check_pattern(map, PAGE + 100, 0, 1);
	for (int i = PAGE + 100; i < 3 * PAGE; i++)
		EQ(map[i], 0);
	EQ(OK(pread(fd, buf, PAGE, 2 * PAGE)), PAGE);
	EQ(buf[17], 0);
	munmap(map, 3 * PAGE);
}

TEST(coherence, hole_in_a_mapping)
{
	int fd = new_file();
	unsigned char *map;

	fill(fd, 8 * PAGE, 1);
	map = map_of(fd, 8 * PAGE);
	fill_pattern(map, 8 * PAGE, 0, 2);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      PAGE + 10, 4 * PAGE)) {
		EQ(errno, EOPNOTSUPP);
		SKIP("no hole punching here");
	}
	check_pattern(map, PAGE + 10, 0, 2);
	for (int i = PAGE + 10; i < 5 * PAGE + 10; i++)
		EQ(map[i], 0);
	check_pattern(map + 5 * PAGE + 10, 3 * PAGE - 10, 5 * PAGE + 10, 2);
	OK(fsync(fd));
	drop_caches();
	check_pattern(map, PAGE + 10, 0, 2);
	EQ(map[2 * PAGE], 0);
	munmap(map, 8 * PAGE);
}

TEST(direct, and_buffered)
{
	unsigned char *buf = aligned();
	int fd = new_file(), d = direct();

	fill(fd, SIZE, 1);
	EQ(OK(pread(d, buf, SIZE, 0)), SIZE);
	check_pattern(buf, SIZE, 0, 1);
	fill_pattern(buf, SIZE / 2, SIZE / 4, 2);
	EQ(OK(pwrite(d, buf, SIZE / 2, SIZE / 4)), SIZE / 2);
	EQ(OK(pread(fd, buf, SIZE, 0)), SIZE);
	check_pattern(buf, SIZE / 4, 0, 1);
	check_pattern(buf + SIZE / 4, SIZE / 2, SIZE / 4, 2);
	check_pattern(buf + SIZE * 3 / 4, SIZE / 4, SIZE * 3 / 4, 1);
	/* Growing, and reading beyond the end. */
	fill_pattern(buf, PAGE, SIZE, 1);
	EQ(OK(pwrite(d, buf, PAGE, SIZE)), PAGE);
	EQ(flook(fd).stx_size, SIZE + PAGE);
	EQ(OK(pread(d, buf, 2 * PAGE, SIZE)), PAGE);
	EQ(OK(pread(d, buf, PAGE, SIZE + PAGE)), 0);
}

TEST(direct, and_mapping)
{
	unsigned char *buf = aligned(), *map;
	int fd = new_file(), d = direct();

	fill(fd, SIZE, 1);
	map = map_of(fd, SIZE);
	fill_pattern(map, SIZE, 0, 2);
	EQ(OK(pread(d, buf, SIZE, 0)), SIZE);
	check_pattern(buf, SIZE, 0, 2);
	fill_pattern(map, SIZE, 0, 3);
	fill_pattern(buf, 2 * PAGE, PAGE, 4);
	EQ(OK(pwrite(d, buf, 2 * PAGE, PAGE)), 2 * PAGE);
	check_pattern(map, PAGE, 0, 3);
	check_pattern(map + PAGE, 2 * PAGE, PAGE, 4);
	check_pattern(map + 3 * PAGE, SIZE - 3 * PAGE, 3 * PAGE, 3);
	munmap(map, SIZE);
}

TEST(direct, into_and_out_of_a_mapping_of_the_same_file)
{
	int fd = new_file(), d = direct();
	unsigned char *map;
	ssize_t n;

	fill(fd, 4 * PAGE, 1);
	map = map_of(fd, 4 * PAGE);
	n = pwrite(d, map, PAGE, 2 * PAGE);
	if (n >= 0) {
		EQ(n, PAGE);
		check_pattern(map, PAGE, 0, 1);
		EQ(map[2 * PAGE], map[0]);
	}
	n = pread(d, map, PAGE, PAGE);
	if (n >= 0)
		EQ(n, PAGE);
	munmap(map, 4 * PAGE);
}

/* More segments than fit into one request, whose order matters. */
TEST(direct, append_of_many_segments)
{
	enum { SEGS = 1024, LEN = 512, STRIDE = SIZE / SEGS };
	struct iovec iov[SEGS];
	int fd = new_file(), dfd = direct();
	size_t size = 0;

	OK(fcntl(dfd, F_SETFL, O_DIRECT | O_APPEND));
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < SEGS; i++) {
			iov[i].iov_base = aligned() + i * STRIDE;
			iov[i].iov_len = LEN;
			fill_pattern(iov[i].iov_base, LEN,
				     (off_t)size + i * LEN, 1);
		}
		EQ(OK(writev(dfd, iov, SEGS)), SEGS * LEN);
		size += SEGS * LEN;
	}
	close(dfd);
	verify(fd, size, 1);
	drop_caches();
	verify(fd, size, 1);
}

TEST(copy, sendfile)
{
	int in = new_file(), out;
	off_t at = 100;
	size_t left = 150000;

	fill(in, 200000, 1);
	out = (int)OK(open("g", O_RDWR | O_CREAT, 0644));
	while (left)
		left -= (size_t)OK(sendfile(out, in, &at, left));
	EQ(at, 150100);
	EQ(flook(out).stx_size, 150000);
	EQ(OK(pread(out, aligned(), SIZE, 0)), 150000);
	check_pattern(aligned(), 150000, 100, 1);
}

TEST(copy, splice)
{
	loff_t from = 5000, to = 100;
	int in = new_file(), out, p[2];
	size_t left = 100000;

	fill(in, 200000, 1);
	out = (int)OK(open("g", O_RDWR | O_CREAT, 0644));
	OK(pipe(p));
	while (left) {
		size_t n = (size_t)OK(splice(in, &from, p[1], NULL, left, 0));

		CHECK(n > 0);
		left -= n;
		while (n)
			n -= (size_t)OK(splice(p[0], NULL, out, &to, n, 0));
	}
	EQ(flook(out).stx_size, 100100);
	EQ(OK(pread(out, aligned(), SIZE, 100)), 100000);
	check_pattern(aligned(), 100000, 5000, 1);
	EQ(OK(splice(in, &(loff_t){ 200000 }, p[1], NULL, 10, 0)), 0);
}

static int splice_hello(int fd, int p[2])
{
	loff_t to = 4;

	close(p[1]);
	return splice(p[0], NULL, fd, &to, 100, 0) != 5;
}

/* Who may write to a file is not to keep others from it for longer than that. */
TEST(copy, splice_from_an_empty_pipe_is_in_nobodys_way)
{
	int fd = new_file(), p[2];
	char buf[16];
	pid_t pid;

	EQ(OK(pwrite(fd, "0123456789", 10, 0)), 10);
	OK(pipe(p));
	pid = (pid_t)OK(fork());
	if (!pid)
		_exit(splice_hello(fd, p));
	UNTIL(sleeps, &pid);
	OK(ftruncate(fd, 8));
	OK(fchmod(fd, 0600));
	EQ(OK(pwrite(fd, "ab", 2, 0)), 2);
	OK(link("f", "g"));
	OK(unlink("f"));
	EQ(OK(write(p[1], "hello", 5)), 5);
	EQ(WAIT(pid), 0);
	EQ(OK(pread(fd, buf, sizeof(buf), 0)), 9);
	CHECK(!memcmp(buf, "ab23hello", 9));
	/* And once more, with nobody there who could write into it. */
	close(p[1]);
	EQ(OK(splice(p[0], NULL, fd, NULL, 100, 0)), 0);
	OK(pipe(p));
	FAILS(splice(p[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
}

/* That the file reaches so far is known by what was written behind it. */
TEST(copy, of_a_hole_before_what_was_just_written)
{
	loff_t from = 512 << 10, to = 0;
	int in = new_file(), out;
	size_t left = 100000;

	fill(in, 65536, 1);
	EQ(OK(pwrite(in, "end", 3, SIZE)), 3);
	out = (int)OK(open("g", O_RDWR | O_CREAT, 0644));
	while (left) {
		size_t n = (size_t)OK(copy_file_range(in, &from, out, &to,
						      left, 0));

		CHECK(n > 0 && n <= left);
		left -= n;
	}
	EQ(flook(out).stx_size, 100000);
	EQ(OK(pread(out, aligned(), SIZE, 0)), 100000);
	for (int i = 0; i < 100000; i++)
		EQ(aligned()[i], 0);
}

static int io_setup(unsigned int n, aio_context_t *ctx)
{
	return (int)syscall(SYS_io_setup, n, ctx);
}

static int io_submit(aio_context_t ctx, long n, struct iocb **list)
{
	return (int)syscall(SYS_io_submit, ctx, n, list);
}

static void aio(int fd, int op, unsigned int seed, bool check)
{
	enum { N = 8, PART = SIZE / N };
	struct iocb cb[N], *list[N];
	struct io_event ev[N];
	aio_context_t ctx = 0;
	unsigned char *buf = aligned();

	OK(io_setup(N, &ctx));
	if (!check)
		fill_pattern(buf, SIZE, 0, seed);
	else
		memset(buf, 0, SIZE);
	for (int i = 0; i < N; i++) {
		memset(&cb[i], 0, sizeof(cb[i]));
		cb[i].aio_lio_opcode = (uint16_t)op;
		cb[i].aio_fildes = (uint32_t)fd;
		cb[i].aio_buf = (uintptr_t)(buf + i * PART);
		cb[i].aio_nbytes = PART;
		cb[i].aio_offset = i * PART;
		list[i] = &cb[i];
	}
	EQ(OK(io_submit(ctx, N, list)), N);
	EQ(OK(syscall(SYS_io_getevents, ctx, N, N, ev, NULL)), N);
	for (int i = 0; i < N; i++)
		EQ(ev[i].res, PART);
	if (check)
		check_pattern(buf, SIZE, 0, seed);
	OK(syscall(SYS_io_destroy, ctx));
}

TEST(aio, buffered)
{
	int fd = new_file();

	aio(fd, IOCB_CMD_PWRITE, 1, false);
	aio(fd, IOCB_CMD_PREAD, 1, true);
	verify(fd, SIZE, 1);
}

/* One direct write of a page, behind the first, that nobody waits for yet. */
struct late_write {
	struct iocb cb;
	aio_context_t ctx;
	int fd;
};

static void late_begin(struct late_write *w)
{
	new_file();
	w->fd = direct();
	w->ctx = 0;
	w->cb = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)w->fd,
		.aio_buf = (uintptr_t)aligned(),
		.aio_nbytes = PAGE,
		.aio_offset = PAGE,
	};
	OK(io_setup(1, &w->ctx));
}

static void late_submit(struct late_write *w)
{
	struct iocb *list = &w->cb;

	EQ(OK(io_submit(w->ctx, 1, &list)), 1);
}

static void late_wait(struct late_write *w)
{
	struct io_event ev;

	EQ(OK(syscall(SYS_io_getevents, w->ctx, 1, 1, &ev, NULL)), 1);
	EQ(ev.res, PAGE);
}

static void *allocate_first(void *arg)
{
	OK(fallocate(*(int *)arg, 0, 0, PAGE));
	return NULL;
}

/* Whoever makes the file larger has the last word, whoever comes first. */
TEST(aio, grows_beside_fallocate)
{
	struct late_write w;
	pthread_t thread;

	late_begin(&w);
	if (fallocate(w.fd, FALLOC_FL_KEEP_SIZE, 0, PAGE))
		SKIP("the file system has no fallocate");
	for (int i = 0; i < 50; i++) {
		OK(ftruncate(w.fd, 0));
		EQ(pthread_create(&thread, NULL, allocate_first, &w.fd), 0);
		late_submit(&w);
		late_wait(&w);
		pthread_join(thread, NULL);
		EQ(flook(w.fd).stx_size, 2 * PAGE);
	}
	OK(syscall(SYS_io_destroy, w.ctx));
}

/* Nobody waits for the write before the file is cut: it does not grow again. */
TEST(aio, does_not_undo_a_cut)
{
	struct late_write w;

	late_begin(&w);
	for (int i = 0; i < 50; i++) {
		fill(w.fd, 2 * PAGE, 1);
		late_submit(&w);
		OK(ftruncate(w.fd, 0));
		late_wait(&w);
		EQ(flook(w.fd).stx_size, 0);
	}
	OK(syscall(SYS_io_destroy, w.ctx));
}

TEST(aio, direct)
{
	int fd = new_file(), d = direct();

	aio(d, IOCB_CMD_PWRITE, 1, false);
	aio(d, IOCB_CMD_PREAD, 1, true);
	verify(fd, SIZE, 1);
	fill(fd, SIZE, 2);
	aio(d, IOCB_CMD_PREAD, 2, true);
}

static void ring_io(struct ring *r, int fd, int check_fd)
{
	unsigned char *buf = aligned();

	fill_pattern(buf, SIZE, 0, 1);
	EQ(ring_do(r, IORING_OP_WRITE, fd, buf, SIZE, 0), SIZE);
	memset(buf, 0, SIZE);
	EQ(ring_do(r, IORING_OP_READ, fd, buf, SIZE, 0), SIZE);
	check_pattern(buf, SIZE, 0, 1);
	EQ(ring_do(r, IORING_OP_FSYNC, fd, NULL, 0, 0), 0);
	verify(check_fd, SIZE, 1);
	drop_caches();
	memset(buf, 0, SIZE);
	EQ(ring_do(r, IORING_OP_READ, fd, buf, SIZE, 0), SIZE);
	check_pattern(buf, SIZE, 0, 1);
	EQ(ring_do(r, IORING_OP_READ, fd, buf, PAGE, SIZE), 0);
}

TEST(io_uring, buffered)
{
	int fd = new_file();
	struct ring r;

	ring_open(&r);
	ring_io(&r, fd, fd);
}

TEST(io_uring, direct)
{
	int fd = new_file(), d = direct();
	struct ring r;

	ring_open(&r);
	ring_io(&r, d, fd);
}

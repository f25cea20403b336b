// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, on one file: several processes write, store, read, punch,
 * allocate, truncate, rename, sync and drop caches, and what is in the file is
 * what a model says.
 *
 * The file consists of cells, each owned by one process, and a tail behind them
 * that grows and shrinks and is owned by the first.  A process compares its own
 * cells all the time; between rounds, when everybody stands still, each one
 * compares the whole file, in its own way.
 */
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "../lib/fs.h"

enum { PROCS = 4, CELLS = 64, CELL = 4096, TAIL = 65536 };

#define BASE	((size_t)CELLS * CELL)

/**
 * struct model - what is in the file, shared by all processes
 * @barrier: they wait for each other
 * @data: cells, and the tail
 * @size: of the file
 * @moves: how often it was renamed
 * @end: when it has been going on for long enough
 * @over: it has
 */
struct model {
	pthread_barrier_t barrier;
	unsigned char data[BASE + TAIL];
	size_t size;
	int moves;
	time_t end;
	bool over;
};

static struct model *model;

/* One process: its number, descriptors, mapping, state of its dice. */
struct worker {
	int number;
	int fd;
	int direct;
	unsigned char *map;
	unsigned char *buf;
	unsigned int dice;
};

static unsigned int roll(struct worker *w, unsigned int sides)
{
	w->dice = w->dice * 1103515245 + 12345;
	return (w->dice >> 8) % sides;
}

static void meet(void)
{
	int ret = pthread_barrier_wait(&model->barrier);

	CHECK(!ret || ret == PTHREAD_BARRIER_SERIAL_THREAD);
}

static size_t own_cell(struct worker *w)
{
	return ((size_t)roll(w, CELLS / PROCS) * PROCS +
		(size_t)w->number) * CELL;
}

static void same(const unsigned char *got, size_t at, size_t len,
		 const char *how)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != model->data[at + i])
			FAIL("%s: at 0x%zx is %02x, expected %02x", how, at + i,
			     got[i], model->data[at + i]);
}

/* New bytes for a part of a cell; the model has them first. */
static unsigned char *fresh(struct worker *w, size_t at, size_t len)
{
	unsigned int seed = roll(w, 255);

	fill_pattern(model->data + at, len, (off_t)at, seed);
	memcpy(w->buf, model->data + at, len);
	return w->buf;
}

static void write_part(struct worker *w)
{
	size_t off = roll(w, CELL), at = own_cell(w) + off;
	size_t len = 1 + roll(w, (unsigned int)(CELL - off));

	EQ(OK(pwrite(w->fd, fresh(w, at, len), len, (off_t)at)), len);
}

static void write_vector(struct worker *w)
{
	size_t at = own_cell(w);
	unsigned char *p = fresh(w, at, CELL);
	struct iovec iov[] = { { p, 1000 }, { p + 1000, CELL - 1000 } };

	EQ(OK(pwritev(w->fd, iov, 2, (off_t)at)), CELL);
}

static void write_direct(struct worker *w)
{
	size_t at = own_cell(w);

	EQ(OK(pwrite(w->direct, fresh(w, at, CELL), CELL, (off_t)at)), CELL);
}

static void store(struct worker *w)
{
	size_t off = roll(w, CELL), at = own_cell(w) + off;
	size_t len = 1 + roll(w, (unsigned int)(CELL - off));

	memcpy(w->map + at, fresh(w, at, len), len);
}

static void read_part(struct worker *w)
{
	size_t off = roll(w, CELL), at = own_cell(w) + off;
	size_t len = 1 + roll(w, (unsigned int)(CELL - off));

	EQ(OK(pread(w->fd, w->buf, len, (off_t)at)), len);
	same(w->buf, at, len, "read");
}

static void read_direct(struct worker *w)
{
	size_t at = own_cell(w);

	EQ(OK(pread(w->direct, w->buf, CELL, (off_t)at)), CELL);
	same(w->buf, at, CELL, "O_DIRECT");
}

static void load(struct worker *w)
{
	size_t at = own_cell(w);

	same(w->map + at, at, CELL, "mapping");
}

/* Of a file system that cannot, there are no holes. */
static void punch(struct worker *w)
{
	size_t at = own_cell(w);

	if (fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)at, CELL))
		EQ(errno, EOPNOTSUPP);
	else
		memset(model->data + at, 0, CELL);
}

static void allocate(struct worker *w)
{
	if (fallocate(w->fd, FALLOC_FL_KEEP_SIZE, (off_t)own_cell(w), CELL))
		EQ(errno, EOPNOTSUPP);
}

static void sync_some(struct worker *w)
{
	if (roll(w, 2))
		OK(fsync(w->fd));
	else
		OK(sync_file_range(w->fd, (off_t)own_cell(w), CELL,
				   SYNC_FILE_RANGE_WRITE));
}

static void drop_some(struct worker *w)
{
	OK(posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED));
}

/* The first one: what is behind the cells. */
static void cut(struct worker *w)
{
	size_t size = BASE + roll(w, TAIL);

	OK(ftruncate(w->fd, (off_t)size));
	if (size < model->size)
		memset(model->data + size, 0, model->size - size);
	model->size = size;
}

static void extend(struct worker *w)
{
	size_t at = BASE + roll(w, TAIL - CELL);
	size_t len = 1 + roll(w, CELL);

	EQ(OK(pwrite(w->fd, fresh(w, at, len), len, (off_t)at)), len);
	if (model->size < at + len)
		model->size = at + len;
}

static void check_tail(struct worker *w)
{
	size_t len = model->size - BASE;
	unsigned char *buf = malloc(TAIL);

	CHECK(buf);
	EQ(flook(w->fd).stx_size, model->size);
	EQ(OK(pread(w->fd, buf, TAIL, BASE)), len);
	same(buf, BASE, len, "tail");
	free(buf);
}

/* The second one: the name. */
static void move(struct worker *w)
{
	(void)w;
	OK(model->moves++ % 2 ? rename("b", "a") : rename("a", "b"));
}

static void one_step(struct worker *w)
{
	static void (*const steps[])(struct worker *w) = {
		write_part, write_part, write_vector, write_direct, store,
		store, read_part, read_part, read_direct, load, punch, allocate,
		sync_some, drop_some,
	};
	static void (*const tail[])(struct worker *w) = {
		cut, extend, extend, check_tail,
	};

	if (w->number == 0 && !roll(w, 3))
		tail[roll(w, ARRAY_SIZE(tail))](w);
	else if (w->number == 1 && !roll(w, 8))
		move(w);
	else
		steps[roll(w, ARRAY_SIZE(steps))](w);
}

/* Who looks how changes from round to round. */
static void check_all(struct worker *w, int round)
{
	static unsigned char all[BASE + TAIL];
	const char *name = access("a", F_OK) ? "b" : "a";
	int fd;

	switch ((w->number + round) % 4) {
	case 0:
		same(w->map, 0, BASE, "whole mapping");
		return;
	case 1:
		for (size_t at = 0; at < BASE; at += CELL) {
			EQ(OK(pread(w->direct, w->buf, CELL, (off_t)at)), CELL);
			same(w->buf, at, CELL, "whole O_DIRECT");
		}
		return;
	case 2:
		fd = (int)OK(open(name, O_RDONLY));
		break;
	default:
		fd = w->fd;
	}
	EQ(flook(fd).stx_size, model->size);
	EQ(OK(pread(fd, all, sizeof(all), 0)), model->size);
	same(all, 0, model->size, "whole file");
	if (fd != w->fd)
		OK(close(fd));
}

static void prepare(struct worker *w)
{
	w->fd = (int)OK(open("a", O_RDWR));
	w->direct = (int)OK(open("a", O_RDWR | O_DIRECT));
	w->map = mmap(NULL, BASE, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	CHECK(w->map != MAP_FAILED);
	EQ(posix_memalign((void **)&w->buf, CELL, CELL), 0);
	w->dice = (unsigned int)w->number * 7919 + 1;
}

static void work(int number)
{
	struct worker w = { .number = number };
	int round = 0;

	prepare(&w);
	meet();
	do {
		for (int i = 0; i < 60; i++)
			one_step(&w);
		meet();
		if (!number)
			model->over = time(NULL) >= model->end;
		check_all(&w, round++);
		meet();
	} while (!model->over);
	if (!number)
		tap_note("%d rounds", round);
}

/* $FUSEX_SECONDS says how long it goes on. */
TEST(torture, one_file)
{
	const char *seconds = getenv("FUSEX_SECONDS");
	pthread_barrierattr_t attr;
	pid_t pid[PROCS];

	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(model != MAP_FAILED);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&model->barrier, &attr, PROCS);
	make_file("a", NULL);
	OK(truncate("a", BASE));
	model->size = BASE;
	model->end = time(NULL) + (seconds ? atoi(seconds) : 1);
	for (int i = 0; i < PROCS; i++) {
		pid[i] = (pid_t)OK(fork());
		if (!pid[i]) {
			work(i);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCS; i++)
		EQ(WAIT(pid[i]), 0);
}

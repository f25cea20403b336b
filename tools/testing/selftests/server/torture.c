// SPDX-License-Identifier: GPL-2.0
/*
 * Coherence while the server keeps saying that data and attributes are not what they were.
 *
 * Several processes write, store, read and cut the file "f", of which the server changes
 * nothing.  Cells of it are owned by one process each, and less than a page, and a tail
 * behind them is the first one's.  What they did is not to be lost.
 *
 * In the file "g" every second page is the server's, which writes a new version to it and
 * says so.  The pages between are written by the processes, not through a mapping, which
 * would make a large folio dirty as a whole.  Nobody is to see a version that is older
 * than what was said before he looked.
 */
#include <sys/mman.h>
#include <time.h>

#include "server.h"

enum { PROCS = 4, PAGE = 4096, CELL = 1024, BASE = 48 * CELL,
	TAIL = SRV_DATA - BASE, PAGES = SRV_DATA / PAGE };

/**
 * struct model - what is in the files, shared by all processes
 * @f: bytes of "f"
 * @size: of "f"
 * @g: bytes of "g", those that processes write
 * @version: what the server has said of its pages of "g"
 * @stop: it has been going on for long enough
 * @through: it is passthrough mode, in which the server does not know the size
 */
struct model {
	unsigned char f[SRV_DATA];
	size_t size;
	unsigned char g[SRV_DATA];
	atomic_uint version[PAGES];
	atomic_bool stop;
	bool through;
};

static struct model *model;

/* One process: its number, descriptors, mappings, state of its dice. */
struct worker {
	unsigned int number;
	int f;
	int g;
	unsigned char *map_f;
	const unsigned char *map_g;
	unsigned char buf[TAIL];
	unsigned int dice;
};

static unsigned int roll(struct worker *w, unsigned int sides)
{
	w->dice = w->dice * 1103515245 + 12345;
	return (w->dice >> 8) % sides;
}

/* A part of a cell of one's own. */
static size_t own_part(struct worker *w, size_t *len)
{
	size_t cell = roll(w, BASE / CELL / PROCS) * PROCS + w->number;
	size_t off = roll(w, CELL);

	*len = 1 + roll(w, (unsigned int)(CELL - off));
	return cell * CELL + off;
}

/* New bytes, of which the model knows first. */
static unsigned char *fresh(struct worker *w, unsigned char *known, size_t at,
			    size_t len)
{
	fill_pattern(known + at, len, (off_t)at, roll(w, 255));
	memcpy(w->buf, known + at, len);
	return w->buf;
}

static void same(const unsigned char *got, const unsigned char *known,
		 size_t at, size_t len, const char *how)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != known[at + i])
			FAIL("%s: at 0x%zx is %02x, expected %02x", how, at + i,
			     got[i], known[at + i]);
}

static void write_part(struct worker *w)
{
	size_t len, at = own_part(w, &len);

	EQ(OK(pwrite(w->f, fresh(w, model->f, at, len), len, (off_t)at)), len);
}

static void store(struct worker *w)
{
	size_t len, at = own_part(w, &len);

	memcpy(w->map_f + at, fresh(w, model->f, at, len), len);
}

static void read_part(struct worker *w)
{
	size_t len, at = own_part(w, &len);

	EQ(OK(pread(w->f, w->buf, len, (off_t)at)), len);
	same(w->buf, model->f, at, len, "read");
}

static void load(struct worker *w)
{
	size_t len, at = own_part(w, &len);

	same(w->map_f + at, model->f, at, len, "mapping");
}

static void sync_some(struct worker *w)
{
	if (roll(w, 2))
		OK(fsync(roll(w, 2) ? w->f : w->g));
	else
		OK(msync(w->map_f, BASE, MS_SYNC));
}

static void drop_some(struct worker *w)
{
	OK(posix_fadvise(roll(w, 2) ? w->f : w->g, 0, 0, POSIX_FADV_DONTNEED));
}

/* -------------------------------------------------------------- the file "g" */

/* Those with odd numbers are of processes. */
static size_t own_page(struct worker *w)
{
	return ((roll(w, PAGES / 2 / PROCS) * PROCS + w->number) * 2 + 1) * PAGE;
}

static void write_page(struct worker *w)
{
	size_t off = roll(w, PAGE), at = own_page(w) + off;
	size_t len = 1 + roll(w, (unsigned int)(PAGE - off));

	EQ(OK(pwrite(w->g, fresh(w, model->g, at, len), len, (off_t)at)), len);
}

static void read_page(struct worker *w)
{
	size_t at = own_page(w);

	EQ(OK(pread(w->g, w->buf, PAGE, (off_t)at)), PAGE);
	same(w->buf, model->g, at, PAGE, "read of g");
}

/* Versions of all of a page, the oldest. */
static unsigned int oldest(const volatile void *page)
{
	const volatile unsigned int *p = page;
	unsigned int min = p[0];

	for (size_t i = 1; i < PAGE / sizeof(*p); i++)
		if (p[i] < min)
			min = p[i];
	return min;
}

static void not_older(const void *page, unsigned int said, const char *how)
{
	unsigned int got = oldest(page);

	if (got < said)
		FAIL("%s: version %u, which has been %u", how, got, said);
}

static void see(struct worker *w)
{
	unsigned int page = roll(w, PAGES / 2) * 2;
	unsigned int said = model->version[page];

	EQ(OK(pread(w->g, w->buf, PAGE, (off_t)page * PAGE)), PAGE);
	not_older(w->buf, said, "read");
}

struct sight {
	const unsigned char *page;
	unsigned int said;
};

static bool is_seen(void *arg)
{
	const struct sight *s = arg;

	return oldest(s->page) >= s->said;
}

/* Who has just mapped what was there before may have it for a moment longer. */
static void see_mapped(struct worker *w)
{
	unsigned int page = roll(w, PAGES / 2) * 2;
	struct sight s = { w->map_g + (size_t)page * PAGE, model->version[page] };

	UNTIL(is_seen, &s);
}

/* ---------------------------------------------------- the first one: the tail */

static void cut(struct worker *w)
{
	size_t size = BASE + roll(w, TAIL);

	OK(ftruncate(w->f, (off_t)size));
	if (size < model->size)
		memset(model->f + size, 0, model->size - size);
	model->size = size;
}

static void extend(struct worker *w)
{
	size_t at = BASE + roll(w, TAIL - CELL);
	size_t len = 1 + roll(w, CELL);

	EQ(OK(pwrite(w->f, fresh(w, model->f, at, len), len, (off_t)at)), len);
	if (model->size < at + len)
		model->size = at + len;
}

static void check_tail(struct worker *w)
{
	size_t len = model->size - BASE;

	EQ(flook(w->f).stx_size, model->size);
	EQ(OK(pread(w->f, w->buf, TAIL, BASE)), len);
	same(w->buf, model->f, BASE, len, "tail");
}

/* ---------------------------------------------------------------- all of them */

static void one_step(struct worker *w)
{
	static void (*const steps[])(struct worker *w) = {
		write_part, write_part, store, store, read_part, read_part, load,
		write_page, write_page, read_page, see, see, see_mapped,
		sync_some, drop_some,
	};
	static void (*const tail[])(struct worker *w) = {
		cut, extend, extend, check_tail,
	};

	if (w->number == 0 && !model->through && !roll(w, 3))
		tail[roll(w, ARRAY_SIZE(tail))](w);
	else
		steps[roll(w, ARRAY_SIZE(steps))](w);
}

static void open_both(struct worker *w)
{
	w->f = (int)OK(open("m/f", O_RDWR));
	w->g = (int)OK(open("m/g", O_RDWR));
	w->map_f = mmap(NULL, BASE, PROT_READ | PROT_WRITE, MAP_SHARED, w->f, 0);
	CHECK(w->map_f != MAP_FAILED);
	w->map_g = mmap(NULL, SRV_DATA, PROT_READ, MAP_SHARED, w->g, 0);
	CHECK(w->map_g != MAP_FAILED);
}

static pid_t start_worker(unsigned int number)
{
	static struct worker w;
	pid_t pid = (pid_t)OK(fork());

	if (pid)
		return pid;
	w.number = number;
	w.dice = number * 7919 + 1;
	open_both(&w);
	while (!model->stop)
		one_step(&w);
	_exit(0);
}

/* ------------------------------------------------------------- the server's side */

static void invalidate(uint64_t id, uint64_t offset, uint64_t length)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_INVAL_INODE,
		.node = srv_ref(id),
		.flags = FUSEX_INVAL_DATA | FUSEX_INVAL_ATTR,
		.offset = offset,
		.length = length,
	};

	EQ(srv_notify(&c), 0);
}

/* What is behind the server's back when the kernel reads it: its own file, or memory. */
static unsigned char *behind(uint64_t id, const char *path)
{
	unsigned char *p;
	int fd;

	if (!model->through)
		return srv->nodes[id].data;
	fd = (int)OK(open(path, O_RDWR));
	p = mmap(NULL, SRV_DATA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	return p;
}

static void new_version(struct worker *w, uint64_t id, unsigned char *data)
{
	unsigned int page = roll(w, PAGES / 2) * 2;
	unsigned int version = model->version[page] + 1;
	off_t at = (off_t)page * PAGE;
	volatile unsigned int *p = (void *)(data + at);

	for (size_t i = 0; i < PAGE / sizeof(*p); i++)
		p[i] = version;
	if (roll(w, 4))
		invalidate(id, (uint64_t)at, PAGE);
	else
		invalidate(id, 0, 0);
	model->version[page] = version;
	/* Who had it mapped before does not any more. */
	not_older(w->map_g + at, version, "mapping");
	EQ(OK(pread(w->g, w->buf, PAGE, at)), PAGE);
	not_older(w->buf, version, "read after it was said");
}

static time_t duration(void)
{
	return tap_long() ? 8 * tap_slow() : 3;
}

static void disturb(struct worker *w, uint64_t f, uint64_t g,
		    unsigned char *data)
{
	time_t end = time(NULL) + duration();

	open_both(w);
	w->dice = 4711;
	do {
		invalidate(f, 0, 0);
		new_version(w, g, data);
	} while (time(NULL) < end);
}

/* Nothing is lost: neither to who reads, nor to the server. */
static void check_all(struct worker *w, const unsigned char *f,
		      const unsigned char *g)
{
	static unsigned char buf[SRV_DATA];

	OK(fsync(w->f));
	OK(fsync(w->g));
	EQ(flook(w->f).stx_size, model->size);
	EQ(OK(pread(w->f, buf, SRV_DATA, 0)), model->size);
	same(buf, model->f, 0, model->size, "f in the end");
	same(f, model->f, 0, model->size, "the server's f");
	for (size_t at = PAGE; at < SRV_DATA; at += 2 * PAGE) {
		EQ(OK(pread(w->g, buf, PAGE, (off_t)at)), PAGE);
		same(buf, model->g, at, PAGE, "g in the end");
		same(g + at, model->g, at, PAGE, "the server's g");
	}
}

static uint64_t add(const char *name, const char *path)
{
	uint64_t id = file(name, NULL);

	srv->nodes[id].attr.size = SRV_DATA;
	if (model->through) {
		make_file(path, NULL);
		OK(truncate(path, SRV_DATA));
		srv_back(id, path);
	}
	return id;
}

static void torture(uint32_t attr, uint32_t io, uint64_t features)
{
	struct srv_options o = {
		.attr_mode = attr, .io_mode = io, .features = features,
	};
	static struct worker w;
	unsigned char *at_f, *at_g;
	pid_t pid[PROCS];
	uint64_t f, g;

	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(model != MAP_FAILED);
	model->size = SRV_DATA;
	if (io == FUSEX_IO_PASSTHROUGH) {
		model->through = true;
		o.io_mode = FUSEX_IO_PLAIN;
		o.io_modes = 1u << io;
	}
	srv_start(&o);
	f = add("f", "back-f");
	g = add("g", "back-g");
	at_f = behind(f, "back-f");
	at_g = behind(g, "back-g");
	for (unsigned int i = 0; i < PROCS; i++)
		pid[i] = start_worker(i);
	disturb(&w, f, g, at_g);
	model->stop = true;
	for (unsigned int i = 0; i < PROCS; i++)
		EQ(WAIT(pid[i]), 0);
	check_all(&w, at_f, at_g);
	if (!model->through)
		EQ(srv->nodes[f].attr.size, model->size);
	OK(munmap(w.map_f, BASE));
	OK(munmap((void *)(uintptr_t)w.map_g, SRV_DATA));
	OK(close(w.f));
	OK(close(w.g));
	srv_stop();
}

BOTH(inval_torture, plain)
{
	torture(attr, FUSEX_IO_PLAIN, 0);
}

BOTH(inval_torture, direct)
{
	torture(attr, FUSEX_IO_DIRECT, FUSEX_F_DIRECT_MMAP);
}

BOTH(inval_torture, writeback)
{
	torture(attr, FUSEX_IO_WRITEBACK, 0);
}

BOTH(inval_torture, passthrough)
{
	torture(attr, FUSEX_IO_PASSTHROUGH, 0);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Iomap mode: answers about mappings that cannot be.  The operation that asked
 * fails, nothing of the answer is remembered, and nothing else is harmed.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* What the file has: 64 KiB at 2 MiB of the device. */
static struct raw *with_f(uint32_t attr_mode)
{
	struct raw *r = maps_start(attr_mode, 1);

	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	return r;
}

/* ------------------------------------------------------------ one wrong field */

#define FIELD(f)	offsetof(struct fusex_map_begin_out, f), \
			sizeof(((struct fusex_map_begin_out *)0)->f)
/* A file system that has gone bad, as EFSCORRUPTED is called outside. */
#define BAD		EUCLEAN

/* One field of a good answer, overwritten. */
struct lie {
	const char *name;
	size_t offset;
	size_t width;
	uint64_t value;
	int error;
};

/* To whatever question. */
static const struct lie lies[] = {
	{ "other range", FIELD(read.offset), 64 * KIB, BAD },
	{ "offset in a block", FIELD(read.offset), 512, BAD },
	{ "no length", FIELD(read.length), 0, BAD },
	{ "length in a block", FIELD(read.length), BLOCK + 512, BAD },
	{ "largest length", FIELD(read.length), -(uint64_t)BLOCK, BAD },
	{ "length beyond all files", FIELD(read.length), 1ull << 63, BAD },
	{ "address in a block", FIELD(read.addr), 2 * MIB + 512, BAD },
	{ "address of no device", FIELD(read.addr), -(uint64_t)BLOCK, BAD },
	{ "no type", FIELD(read.type), FUSEX_MAP_NONE, BAD },
	{ "unknown type", FIELD(read.type), FUSEX_MAP_NR, BAD },
	{ "largest type", FIELD(read.type), 0xffff, BAD },
	{ "hole with an address", FIELD(read.type), HOLE, BAD },
	{ "reserved space with an address", FIELD(read.type), DELALLOC, BAD },
	{ "inline data with an address", FIELD(read.type), INLINE, BAD },
	{ "unknown flag", FIELD(read.flags), FUSEX_MAP_F_KNOWN + 1, BAD },
	{ "highest flag", FIELD(read.flags), 0x8000, BAD },
	{ "no device", FIELD(read.dev), 0, BAD },
	{ "nothing that has an offset", FIELD(write.offset), BLOCK, BAD },
	{ "nothing that has a length", FIELD(write.length), BLOCK, BAD },
	{ "nothing that is on a device", FIELD(write.dev), 1, BAD },
	{ "nothing that has flags", FIELD(write.flags), 1, BAD },
	{ "lease of a local file", FIELD(lease), 1, BAD },
	{ "validity of no lease", FIELD(lease_valid), 1, BAD },
	{ "unknown attributes", FIELD(attr.mask), FUSEX_ATTR_KNOWN + 1, BAD },
	{ "reserved", FIELD(attr.reserved[2]), 1, BAD },
}, far_lies[] = {
	/* Seen when it is used. */
	{ "address beyond the device", FIELD(read.addr), DISK_SIZE, BAD },
	{ "end beyond the device", FIELD(read.addr), DISK_SIZE - BLOCK, BAD },
	{ "unknown device", FIELD(read.dev), 4711, ENODEV },
	{ "largest device", FIELD(read.dev), ~0u, ENODEV },
};

static void lie_to(struct raw *r, const struct fusex_in_header *in,
		   struct raw_reply *rep)
{
	const struct lie *l = r->data;

	(void)in;
	memcpy(rep->body + l->offset, &l->value, l->width);
}

typedef int (*action)(int fd);

static char io[64 * KIB] __attribute__((aligned(4096)));

static int do_read(int fd)
{
	return pread(fd, io, BLOCK, 0) < 0 ? errno : 0;
}

static int do_write(int fd)
{
	return pwrite(fd, io, BLOCK, 0) < 0 ? errno : 0;
}

static int do_truncate(int fd)
{
	return ftruncate(fd, 5000) ? errno : 0;
}

static int do_report(int fd)
{
	return lseek(fd, 0, SEEK_HOLE) < 0 ? errno : 0;
}

static unsigned int bad_replies(struct raw *r)
{
	return (unsigned int)atoi(slurp(raw_sysfs(r, "bad_replies")));
}

/* Tells a lie, to an operation on @fd; true if it was counted as one. */
static bool is_counted(struct raw *r, const struct lie *l, action act, int fd,
		       int wanted)
{
	unsigned int before = bad_replies(r);
	int err;

	raw_bend(r, FUSEX_OP_MAP_BEGIN, lie_to, l);
	err = act(fd);
	if (err != wanted)
		FAIL("%s: %d (%s)", l->name, err, strerror(err));
	if (!r->seen)
		FAIL("%s: nothing was asked", l->name);
	return bad_replies(r) > before;
}

/* @eio: what becomes of all of them. */
static void each_lie(action act, int flags, int eio)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", flags);

	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++)
		if (!is_counted(r, &lies[i], act, fd,
				eio ? eio : lies[i].error))
			FAIL("%s: was not counted", lies[i].name);
	for (unsigned int i = 0; i < ARRAY_SIZE(far_lies); i++) {
		const struct lie *l = &far_lies[i];

		/* It is a good answer, and is remembered. */
		is_counted(r, l, act, fd, eio ? eio : l->error);
		EQ(act(fd), eio ? eio : l->error);
		EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL,
			       &(struct fusex_notify_map){ .nodeid = MAP_F },
			       sizeof(struct fusex_notify_map), NULL, 0), 0);
	}
	/* The truth is heard: it is not as if the file had been spoilt. */
	raw_bend(r, 0, NULL, NULL);
	maps_reset(r);
	EQ(act(fd), 0);
	EQ(begins(r), 1);
	disk_shows(r, 0, 64 * KIB, 0, 0, DISK_SEED(0));
	end(r, fd);
}

/* A page that could not be read is EIO, whatever kept it. */
TEST(lies, to_reads)
{
	each_lie(do_read, 0, EIO);
}

TEST(lies, to_direct_reads)
{
	each_lie(do_read, O_DIRECT, 0);
}

TEST(lies, to_writes)
{
	each_lie(do_write, 0, 0);
}

TEST(lies, to_direct_writes)
{
	each_lie(do_write, O_DIRECT, 0);
}

TEST(lies, to_who_wants_to_know)
{
	each_lie(do_report, 0, 0);
}

TEST(lies, of_the_wrong_length)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", O_DIRECT);

	r->maps->fail[FUSEX_OP_MAP_BEGIN] = ENOSYS;
	EQ(do_read(fd), EOPNOTSUPP);
	r->maps->fail[FUSEX_OP_MAP_BEGIN] = 0;
	end(r, fd);
}

/* --------------------------------------------------- right, but not to that */

/* What is answered instead, of 64 KiB, and then as the place to write to. */
struct wrong {
	const char *name;
	uint16_t type;
	uint16_t flags;
	uint16_t write;
	uint64_t write_offset;
	uint32_t length;
	int read_error;
	int write_error;
	int direct_error;
};

static const struct wrong wrongs[] = {
	{ .name = "hole", .type = HOLE, .write_error = BAD,
	  .direct_error = BAD },
	{ .name = "reserved space", .type = DELALLOC, .direct_error = BAD },
	{ .name = "shared", .type = MAPPED, .flags = FUSEX_MAP_F_SHARED,
	  .write_error = BAD, .direct_error = BAD },
	{ .name = "inline data of more than can be", .type = INLINE,
	  .length = FUSEX_INLINE_MAX + 1, .read_error = BAD,
	  .write_error = BAD, .direct_error = BAD },
	{ .name = "elsewhere is a hole", .type = MAPPED, .write = HOLE,
	  .read_error = BAD, .write_error = BAD, .direct_error = BAD },
	{ .name = "elsewhere is reserved", .type = MAPPED, .write = DELALLOC,
	  .read_error = BAD, .write_error = BAD, .direct_error = BAD },
	{ .name = "elsewhere is inline", .type = MAPPED, .write = INLINE,
	  .read_error = BAD, .write_error = BAD, .direct_error = BAD },
	{ .name = "elsewhere than inline", .type = INLINE, .length = 4096,
	  .write = MAPPED, .read_error = BAD, .write_error = BAD,
	  .direct_error = BAD },
	{ .name = "elsewhere, of another range", .type = MAPPED,
	  .write = MAPPED, .write_offset = BLOCK, .read_error = BAD,
	  .write_error = BAD, .direct_error = BAD },
	{ .name = "elsewhere for a read", .type = MAPPED, .write = MAPPED,
	  .read_error = BAD },
};

static void answer_wrong(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	struct fusex_map_begin_out *out = (void *)rep->body;
	const struct fusex_map_begin_in *b = (const void *)(in + 1);
	const struct wrong *w = r->data;

	/* Where there is dirty data it is told that there is space. */
	if (b->op & FUSEX_MAP_OP_WRITEBACK)
		return;
	out->read = map_at(r, w->type, 0, w->length ? w->length : 64 * KIB,
			   2 * MIB);
	if (w->type == HOLE || w->type == DELALLOC || w->type == INLINE) {
		out->read.addr = 0;
		out->read.dev = 0;
	}
	out->read.flags = w->flags;
	if (!w->write)
		return;
	out->write = map_at(r, w->write, w->write_offset, 64 * KIB, 4 * MIB);
	if (w->write != MAPPED) {
		out->write.addr = 0;
		out->write.dev = 0;
	}
}

static void expect(const struct wrong *w, const char *what, int err, int wanted)
{
	if (err != wanted)
		FAIL("%s: %s: %d (%s), expected %d", what, w->name, err,
		     strerror(err), wanted);
}

/* Each on a mount of its own: what was right is remembered. */
TEST(wrong, for_the_operation)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct raw *r = with_f(LOCAL);
		int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);

		raw_bend(r, FUSEX_OP_MAP_BEGIN, answer_wrong, w);
		expect(w, "direct write", do_write(direct), w->direct_error);
		expect(w, "direct read", do_read(direct), w->read_error);
		expect(w, "write", do_write(fd), w->write_error);
		raw_bend(r, 0, NULL, NULL);
		OK(fsync(fd));
		OK(close(fd));
		OK(close(direct));
		maps_stop(r);
	}
}

/* Dirty data has to go somewhere; where it cannot, whoever waits is told. */
static void no_writeback(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	struct fusex_map_begin_out *out = (void *)rep->body;
	const uint16_t *type = r->data;

	(void)in;
	out->read = (struct fusex_map){ .length = 64 * KIB, .type = *type };
}

static void not_written_back(uint16_t type)
{
	struct raw *r = with_f(LOCAL);
	int fd, other;

	r->maps->files[MAP_F].at.nr = 0;
	r->maps->files[MAP_F].alloc = DELALLOC;
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "f", 0);
	put(fd, BLOCK, 0, 1);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, no_writeback, &type);
	FAILS(fsync(fd), EUCLEAN, EIO);
	FAILS(fsync(other), EUCLEAN, EIO);
	raw_bend(r, 0, NULL, NULL);
	OK(fsync(fd));
	OK(fsync(other));
	put(fd, BLOCK, BLOCK, 2);
	OK(fsync(fd));
	OK(close(other));
	end(r, fd);
}

TEST(wrong, for_writeback_a_hole)
{
	not_written_back(HOLE);
}

TEST(wrong, for_writeback_reserved)
{
	not_written_back(DELALLOC);
}

TEST(wrong, for_writeback_inline)
{
	not_written_back(INLINE);
}

static void inline_again(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	struct fusex_map_begin_out *out = (void *)rep->body;

	(void)r;
	(void)in;
	out->read = (struct fusex_map){ .length = 200, .type = INLINE };
}

/* Nobody could write back what is written into the memory. */
TEST(wrong, inline_for_a_fault)
{
	struct raw *r = maps_start(LOCAL, 1);
	pid_t pid;
	char *p;
	int fd;

	maps_size(r, MAP_F, 9);
	r->maps->files[MAP_F].room = 200;
	strcpy(r->maps->files[MAP_F].data, "some text");
	fd = open_rw(r, "f", 0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	STREQ(p, "some text");
	raw_bend(r, FUSEX_OP_MAP_BEGIN, inline_again, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		p[0] = 'S';
		_exit(0);
	}
	EQ(WAIT(pid), 128 + SIGBUS);
	STREQ(p, "some text");
	/* Nor does a write get more than there is room for. */
	FAILS(pwrite(fd, io, 1000, 0), EUCLEAN);
	raw_bend(r, 0, NULL, NULL);
	STREQ(p, "some text");
	OK(munmap(p, BLOCK));
	end(r, fd);
}

/* Another file is not concerned. */
static void only_f(struct raw *r, const struct fusex_in_header *in,
		   struct raw_reply *rep)
{
	struct fusex_map_begin_out *out = (void *)rep->body;

	(void)r;
	if (in->nodeid == MAP_F)
		out->read.length = 0;
}

TEST(wrong, about_another_file)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", 0), other = open_rw(r, "g", 0);

	maps_at(r, MAP_G, MAPPED, 0, 3 * BLOCK, 4 * MIB);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, only_f, NULL);
	FAILS(pread(fd, io, BLOCK, 0), EIO);
	shows_disk(other, RAW_SIZE, 0, 4 * MIB, 0);
	put(other, BLOCK, 0, 1);
	FAILS(pwrite(fd, io, BLOCK, 0), EUCLEAN);
	OK(fsync(other));
	disk_shows(r, 0, BLOCK, 4 * MIB, 0, 1);
	raw_bend(r, 0, NULL, NULL);
	OK(close(other));
	end(r, fd);
}

/* -------------------------------------------------------------- leases and such */

/*
 * Whole blocks can be written.  A part of one takes reading the rest, and what is
 * remembered of the device is not gone by again and again.
 */
TEST(wrong, device_that_cannot_be_read)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd, direct;
	uint32_t dev;

	EQ(device_add(r->fd, r->maps->disks[0].fd, FUSEX_BACKING_WRITE, &dev),
	   0);
	maps_on(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB, dev);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	direct = open_rw(r, "f", O_DIRECT);
	put(direct, BLOCK, 0, 1);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	FAILS(pwrite(fd, io, 1, 100), EACCES);
	FAILS(pread(fd, io, 1, 100), EIO, EACCES);
	OK(close(direct));
	end(r, fd);
}

TEST(wrong, lease_of_nothing)
{
	struct raw *r = with_f(REMOTE);
	int fd = open_rw(r, "f", O_DIRECT);

	r->maps->files[MAP_F].lease_valid = FUSEX_FOREVER;
	EQ(do_read(fd), EUCLEAN);
	r->maps->files[MAP_F].lease = 1;
	EQ(do_read(fd), 0);
	end(r, fd);
}

/* What was promised to be atomic is, or is refused. */
TEST(wrong, truncation_by_a_lie)
{
	struct raw *r = with_f(LOCAL);
	static const struct lie l = { "none", FIELD(read.length), 0, BAD };
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_MAP_BEGIN, lie_to, &l);
	/* The server has cut the file; its tail could not be zeroed. */
	do_truncate(fd);
	raw_bend(r, 0, NULL, NULL);
	EQ(flook(fd).stx_size, r->nodes[MAP_F].size);
	OK(ftruncate(fd, 8192));
	end(r, fd);
}

/* ---------------------------------------------------------------------- IOEND */

static void bad_attr(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	struct fusex_attr_out *out = (void *)rep->body;

	(void)r;
	(void)in;
	out->attr.mask = ~0u;
}

/* The data is lost, as far as the file is concerned. */
TEST(ioend, answered_badly)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd, direct;

	maps_at(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	direct = open_rw(r, "f", O_DIRECT);
	raw_bend(r, FUSEX_OP_MAP_IOEND, bad_attr, NULL);
	put(fd, BLOCK, 0, 1);
	FAILS(fsync(fd), EUCLEAN, EIO);
	FAILS(fsync(direct), EUCLEAN, EIO);
	EQ(pwrite(direct, io, BLOCK, BLOCK), BLOCK);
	FAILS(fsync(direct), EUCLEAN, EIO);
	raw_bend(r, 0, NULL, NULL);
	EQ(pwrite(direct, io, BLOCK, BLOCK), BLOCK);
	OK(fsync(direct));
	OK(close(direct));
	end(r, fd);
}

TEST(ioend, answered_with_an_error)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd, other, direct;

	maps_at(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	other = open_rw(r, "f", 0);
	direct = open_rw(r, "f", O_DIRECT);
	r->maps->fail[FUSEX_OP_MAP_IOEND] = ENOSPC;
	put(fd, BLOCK, 0, 1);
	FAILS(fsync(fd), ENOSPC);
	FAILS(fsync(other), ENOSPC);
	FAILS(fsync(direct), ENOSPC);
	OK(fsync(fd));
	OK(fsync(other));
	OK(fsync(direct));
	EQ(pwrite(direct, io, BLOCK, BLOCK), BLOCK);
	FAILS(fsync(direct), ENOSPC);
	FAILS(fsync(other), ENOSPC);
	FAILS(fsync(fd), ENOSPC);
	r->maps->fail[FUSEX_OP_MAP_IOEND] = 0;
	/* It is unwritten still, so it is told again. */
	maps_reset(r);
	put(fd, BLOCK, 0, 2);
	OK(fsync(fd));
	EQ(ioends(r), 1);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 2);
	uncache(fd);
	zeros(fd, BLOCK, BLOCK);
	OK(close(direct));
	OK(close(other));
	end(r, fd);
}

/* ----------------------------------------------------------------------- flags */

TEST(flags, end)
{
	struct raw *r = with_f(LOCAL);
	const struct fusex_map_end_in *in = r->maps->ends;
	int fd = open_rw(r, "f", 0);

	r->maps->files[MAP_F].flags = FUSEX_MAP_F_END;
	put(fd, 100, 5000, 1);
	EQ(maps_count(r, FUSEX_OP_MAP_END), 1);
	EQ(in->offset, 5000);
	EQ(in->length, 100);
	EQ(in->done, 100);
	EQ(in->op, FUSEX_MAP_OP_WRITE);
	/* Who goes by what is remembered has asked for nothing. */
	put(fd, 100, 5000, 2);
	EQ(maps_count(r, FUSEX_OP_MAP_END), 1);
	/* There is nothing left to fail. */
	r->maps->fail[FUSEX_OP_MAP_END] = EDQUOT;
	put(fd, 100, 64 * KIB, 1);
	EQ(maps_count(r, FUSEX_OP_MAP_END), 2);
	EQ(in[1].offset, 64 * KIB);
	EQ(in[1].done, 100);
	end(r, fd);
}

/* Also if nothing came of the answer. */
static void from_nowhere(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	struct fusex_map_begin_out *out = (void *)rep->body;

	(void)r;
	(void)in;
	out->read.dev = 4711;
	out->read.flags = FUSEX_MAP_F_END;
}

TEST(flags, end_of_nothing)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", 0);

	raw_bend(r, FUSEX_OP_MAP_BEGIN, from_nowhere, NULL);
	FAILS(pwrite(fd, io, 100, 5000), ENODEV);
	EQ(maps_count(r, FUSEX_OP_MAP_END), 1);
	EQ(r->maps->ends[0].done, 0);
	EQ(r->maps->ends[0].length, 100);
	end(r, fd);
}

/* Or it would be asked for, once, and that would be all. */
TEST(flags, nocache)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", O_DIRECT);

	r->maps->files[MAP_F].flags = FUSEX_MAP_F_NOCACHE;
	for (unsigned int i = 1; i < 4; i++) {
		shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
		EQ(begins(r), i);
	}
	r->maps->files[MAP_F].flags = 0;
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 4);
	end(r, fd);
}

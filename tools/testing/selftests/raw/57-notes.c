// SPDX-License-Identifier: GPL-2.0
/*
 * Iomap mode: what the server says unasked about where data is, and files that
 * others may change, whose mappings are good under a lease only.
 */
#include "fs.h"
#include "maps.h"
#include "tap.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static struct raw *with_f(uint32_t attr_mode)
{
	struct raw *r = maps_start(attr_mode, 1);

	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	return r;
}

/* A file that somebody else writes to as well, who cannot while we have this. */
static struct raw *with_leased_f(uint64_t lease, uint64_t valid)
{
	struct raw *r = with_f(REMOTE);

	r->maps->files[MAP_F].lease = lease;
	r->maps->files[MAP_F].lease_valid = valid;
	return r;
}

/* --------------------------------------------------------------------- upsert */

static struct fusex_notify_upsert upsert_of(uint32_t count)
{
	return (struct fusex_notify_upsert){ .nodeid = MAP_F, .count = count };
}

TEST(upsert, spares_questions)
{
	struct raw *r = with_f(LOCAL);
	struct fusex_map m[3];
	int fd = open_rw(r, "f", 0);

	m[0] = map_at(r, MAPPED, 0, 16 * KIB, 4 * MIB);
	m[1] = map_at(r, HOLE, 16 * KIB, 16 * KIB, 0);
	m[2] = map_at(r, UNWRITTEN, 32 * KIB, 32 * KIB, 5 * MIB);
	EQ(upsert(r, m, 3), 0);
	shows_disk(fd, 16 * KIB, 0, 4 * MIB, 0);
	zeros(fd, 48 * KIB, 16 * KIB);
	put(fd, BLOCK, 0, 1);
	put(fd, BLOCK, 32 * KIB, 2);
	OK(fsync(fd));
	EQ(begins(r), 0);
	EQ(ioends(r), 1);
	EQ(r->maps->ioends[0].offset, 32 * KIB);
	EQ(r->maps->ioends[0].addr, 5 * MIB);
	disk_shows(r, 0, BLOCK, 4 * MIB, 0, 1);
	disk_shows(r, 0, BLOCK, 5 * MIB, 32 * KIB, 2);
	end(r, fd);
}

/* Where it was then, while the server is just about to take that away. */
TEST(upsert, while_the_file_is_cut)
{
	struct raw *r = with_f(LOCAL);
	struct fusex_map m = map_at(r, MAPPED, 0, 64 * KIB, 2 * MIB);
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	cut_and_push(r, fd, &m);
	maps_reset(r);
	put(fd, BLOCK, 0, 5);
	OK(fsync(fd));
	CHECK(begins(r) >= 1);
	/* It is another file's by now. */
	disk_shows(r, 0, BLOCK, 2 * MIB, 2 * MIB, DISK_SEED(0));
	end(r, fd);
}

TEST(upsert, replaces_what_is_known)
{
	struct raw *r = with_f(LOCAL);
	struct fusex_map m = map_at(r, MAPPED, BLOCK, BLOCK, 4 * MIB);
	int fd = open_rw(r, "f", O_DIRECT);

	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	EQ(upsert(r, &m, 1), 0);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	shows_disk(fd, BLOCK, BLOCK, 4 * MIB, 0);
	shows_disk(fd, 14 * BLOCK, 2 * BLOCK, 2 * MIB + 2 * BLOCK, 0);
	EQ(begins(r), 1);
	end(r, fd);
}

/* The second of two is like this: neither is taken. */
static const struct bad_map {
	const char *name;
	struct fusex_map map;
	bool on_device;
	int error;
} bad_maps[] = {
	{ "overlap", { 0, BLOCK, 4 * MIB, MAPPED, 0, 0 }, true, EINVAL },
	{ "before the first", { 0, BLOCK, 0, HOLE, 0, 0 }, false, EINVAL },
	{ "reserved", { 2 * BLOCK, BLOCK, 0, DELALLOC, 0, 0 }, false, EINVAL },
	{ "inline", { 0, 200, 0, INLINE, 0, 0 }, false, EINVAL },
	{ "none", { 2 * BLOCK, BLOCK, 0, FUSEX_MAP_NONE, 0, 0 }, false,
	  EINVAL },
	{ "unknown type", { 2 * BLOCK, BLOCK, 0, FUSEX_MAP_NR, 0, 0 }, false,
	  EINVAL },
	{ "unknown flag", { 2 * BLOCK, BLOCK, 0, HOLE,
	  FUSEX_MAP_F_KNOWN + 1, 0 }, false, EINVAL },
	{ "offset", { 2 * BLOCK + 512, BLOCK, 0, HOLE, 0, 0 }, false, EINVAL },
	{ "length", { 2 * BLOCK, 512, 0, HOLE, 0, 0 }, false, EINVAL },
	{ "no length", { 2 * BLOCK, 0, 0, HOLE, 0, 0 }, false, EINVAL },
	{ "address", { 2 * BLOCK, BLOCK, 512, MAPPED, 0, 0 }, true, EINVAL },
	{ "beyond the device", { 2 * BLOCK, 2 * BLOCK, DISK_SIZE - BLOCK,
	  MAPPED, 0, 0 }, true, EINVAL },
	{ "unknown device", { 2 * BLOCK, BLOCK, 0, MAPPED, 0, 4711 }, false,
	  ENODEV },
	{ "no device", { 2 * BLOCK, BLOCK, 0, MAPPED, 0, 0 }, false, EINVAL },
};

TEST(upsert, all_or_nothing)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", O_DIRECT);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_maps); i++) {
		const struct bad_map *b = &bad_maps[i];
		struct fusex_map m[2] = {
			map_at(r, MAPPED, BLOCK, BLOCK, 4 * MIB), b->map,
		};
		int err;

		if (b->on_device)
			m[1].dev = r->maps->dev;
		if (!strcmp(b->name, "overlap"))
			m[1].offset = BLOCK;
		err = upsert(r, m, 2);
		if (err != b->error)
			FAIL("%s: %d (%s)", b->name, err, strerror(err));
	}
	shows_disk(fd, BLOCK, BLOCK, 2 * MIB + BLOCK, 0);
	EQ(begins(r), 1);
	end(r, fd);
}

TEST(upsert, malformed)
{
	struct raw *r = with_f(LOCAL);
	static struct fusex_map many[FUSEX_UPSERT_MAX + 1];
	struct fusex_map m = map_at(r, MAPPED, 0, BLOCK, 4 * MIB);
	struct fusex_notify_upsert n = upsert_of(1), bad;
	int fd = open_rw(r, "f", O_DIRECT);

#define TRY(n_, maps_, len_) \
	maps_notify(r, FUSEX_NOTIFY_MAP_UPSERT, &(n_), sizeof(n_), maps_, len_)
	bad = upsert_of(0);
	EQ(TRY(bad, NULL, 0), EINVAL);
	bad = upsert_of(2);
	EQ(TRY(bad, &m, sizeof(m)), EINVAL);
	EQ(TRY(n, &m, sizeof(m) - 8), EINVAL);
	EQ(TRY(n, many, 2 * sizeof(m)), EINVAL);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_UPSERT, &n, sizeof(n) - 8, NULL, 0),
	   EINVAL);
	for (uint32_t i = 0; i <= FUSEX_UPSERT_MAX; i++)
		many[i] = map_at(r, HOLE, (uint64_t)i * BLOCK, BLOCK, 0);
	EQ(upsert(r, many, FUSEX_UPSERT_MAX + 1), EINVAL);
	EQ(upsert(r, many, FUSEX_UPSERT_MAX), 0);
	bad = upsert_of(~0u);
	EQ(TRY(bad, many, sizeof(many)), EINVAL);
	bad = n;
	bad.nodeid = 60;
	EQ(TRY(bad, &m, sizeof(m)), ENOENT);
	bad = n;
	bad.generation = 1;
	EQ(TRY(bad, &m, sizeof(m)), ENOENT);
	bad = n;
	bad.lease = 1;
	EQ(TRY(bad, &m, sizeof(m)), EINVAL);
	bad = n;
	bad.lease_valid = 1;
	EQ(TRY(bad, &m, sizeof(m)), EINVAL);
	/* What has no data of that kind. */
	bad = n;
	bad.nodeid = RAW_ROOT;
	EQ(TRY(bad, &m, sizeof(m)), EINVAL);
	/* That was good, all of it. */
	zeros(fd, 64 * KIB, 0);
	EQ(TRY(n, &m, sizeof(m)), 0);
	shows_disk(fd, BLOCK, 0, 4 * MIB, 0);
	EQ(begins(r), 0);
#undef TRY
	end(r, fd);
}

TEST(upsert, of_a_remote_file)
{
	struct raw *r = with_leased_f(0, 0);
	struct fusex_map m = map_at(r, MAPPED, 0, 64 * KIB, 4 * MIB);
	struct fusex_notify_upsert n = upsert_of(1);
	int fd = open_rw(r, "f", O_DIRECT);

	EQ(upsert(r, &m, 1), EINVAL);
	n.lease = 5;
	n.lease_valid = FUSEX_FOREVER;
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_UPSERT, &n, sizeof(n), &m,
		       sizeof(m)), 0);
	shows_disk(fd, 64 * KIB, 0, 4 * MIB, 0);
	shows_disk(fd, BLOCK, 0, 4 * MIB, 0);
	EQ(begins(r), 0);
	end(r, fd);
}

/* A file of another mode has no use for it. */
TEST(upsert, of_a_file_without)
{
	struct raw *r = raw_alloc();
	struct fusex_map m;
	int fd;

	raw_setup_init(&r->setup, LOCAL);
	r->setup.io_mode = FUSEX_IO_PLAIN;
	r->setup.io_modes = 1u << FUSEX_IO_IOMAP;
	maps_start_setup(r, 1);
	m = map_at(r, MAPPED, 0, BLOCK, 4 * MIB);
	fd = open_rw(r, "f", 0);
	EQ(upsert(r, &m, 1), EINVAL);
	end(r, fd);
}

/* --------------------------------------------------------------- invalidation */

static int inval(struct raw *r, uint64_t offset, uint64_t length)
{
	struct fusex_notify_map n = {
		.nodeid = MAP_F, .offset = offset, .length = length,
	};

	return maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &n, sizeof(n), NULL, 0);
}

TEST(inval, asks_again)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", O_DIRECT);

	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	EQ(begins(r), 1);
	EQ(inval(r, BLOCK, BLOCK), 0);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 1);
	maps_at(r, MAP_F, MAPPED, BLOCK, BLOCK, 4 * MIB);
	shows_disk(fd, BLOCK, BLOCK, 4 * MIB, 0);
	EQ(begins(r), 2);
	/* To the end. */
	EQ(inval(r, 32 * KIB, 0), 0);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 2);
	shows_disk(fd, BLOCK, 60 * KIB, 2 * MIB + 60 * KIB, 0);
	EQ(begins(r), 3);
	end(r, fd);
}

static pid_t read_in_child(struct raw *r, int fd, off_t addr)
{
	pid_t pid = (pid_t)OK(fork());

	if (!pid) {
		close(r->fd);
		shows_disk(fd, BLOCK, 0, addr, 0);
		_exit(0);
	}
	return pid;
}

/* An answer that was given before is as old as what was forgotten. */
TEST(inval, while_it_is_asked_for)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", O_DIRECT);
	pid_t pid;

	raw_bend(r, FUSEX_OP_MAP_BEGIN, hold_answer, NULL);
	pid = read_in_child(r, fd, 4 * MIB);
	UNTIL_SEEN(r, 0);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 4 * MIB);
	EQ(inval(r, 0, 0), 0);
	answering = true;
	EQ(WAIT(pid), 0);
	EQ(begins(r), 2);
	end(r, fd);
}

/* What a reader is told of a hole is older than what is written there meanwhile. */
static void hold_reader(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	const struct fusex_map_begin_in *begin = (const void *)(in + 1);

	if (!(begin->op & FUSEX_MAP_OP_WRITE))
		hold_answer(r, in, rep);
}

TEST(asking, while_a_hole_is_written_to)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd, reader;
	pid_t pid;

	maps_size(r, MAP_F, 64 * KIB);
	r->maps->files[MAP_F].alloc = MAPPED;
	fd = open_rw(r, "f", O_DIRECT);
	reader = open_rw(r, "f", 0);
	EQ(posix_fadvise(reader, 0, 0, POSIX_FADV_RANDOM), 0);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, hold_reader, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		zeros(reader, BLOCK, 8 * BLOCK);
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	put(fd, BLOCK, BLOCK, 1);
	answering = true;
	EQ(WAIT(pid), 0);
	shows(fd, BLOCK, BLOCK, 1);
	OK(close(reader));
	end(r, fd);
}

TEST(inval, malformed)
{
	struct raw *r = with_f(LOCAL);
	struct fusex_notify_map n = { .nodeid = MAP_F }, bad;
	int fd = open_rw(r, "f", O_DIRECT);

#define TRY(n_) maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &(n_), sizeof(n_), \
			    NULL, 0)
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &n, sizeof(n) - 1, NULL, 0),
	   EINVAL);
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_INVAL, &n, sizeof(n), &n, 8),
	   EINVAL);
	bad = n;
	bad.reserved = 1;
	EQ(TRY(bad), EINVAL);
	bad = n;
	bad.nodeid = 60;
	EQ(TRY(bad), ENOENT);
	EQ(inval(r, 1ull << 63, 1), EINVAL);
	EQ(inval(r, BLOCK, ~0ull - 10), EINVAL);
	EQ(inval(r, (1ull << 63) - 1, 2), EINVAL);
	bad = n;
	bad.nodeid = RAW_ROOT;
	EQ(TRY(bad), EINVAL);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 1);
#undef TRY
	end(r, fd);
}

/* --------------------------------------------------------------------- recall */

static int recall(struct raw *r, uint64_t lease, uint64_t offset,
		  uint64_t length)
{
	struct fusex_notify_recall n = {
		.nodeid = MAP_F, .lease = lease, .offset = offset,
		.length = length,
	};

	return maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n), NULL, 0);
}

static void returned(struct raw *r, uint64_t lease, uint64_t offset,
		     uint64_t length, int error)
{
	const struct fusex_map_return_in *in = r->maps->returns;

	UNTIL_SEEN(r, FUSEX_OP_MAP_RETURN);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 1);
	EQ(in->lease, lease);
	EQ(in->offset, offset);
	EQ(in->length, length);
	EQ(in->error, error);
	EQ(in->reserved, 0);
}

static void given_back(uint32_t attr_mode, uint64_t lease)
{
	struct raw *r = attr_mode == LOCAL ? with_f(LOCAL) :
		with_leased_f(lease, FUSEX_FOREVER);
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	put(fd, 10000, 20000, 1);
	EQ(recall(r, lease, 0, 0), 0);
	returned(r, lease, 0, 0, 0);
	/* What was dirty is there, and nothing of the file is cached. */
	disk_shows(r, 0, 10000, 2 * MIB + 20000, 20000, 1);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 4 * MIB);
	maps_reset(r);
	shows_disk(fd, 64 * KIB, 0, 4 * MIB, 0);
	EQ(begins(r), 1);
	/* Nor does anything go where it was. */
	disk_fill(r, 0, 64 * KIB, 2 * MIB, 7);
	put(fd, 64 * KIB, 0, 2);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
	disk_shows(r, 0, 64 * KIB, 4 * MIB, 0, 2);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	end(r, fd);
}

TEST(recall, of_a_local_file)
{
	given_back(LOCAL, 0);
}

TEST(recall, of_a_lease)
{
	given_back(REMOTE, 9);
}

TEST(recall, of_a_range)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", 0);

	put(fd, 64 * KIB, 0, 1);
	EQ(recall(r, 0, 16 * KIB, 16 * KIB), 0);
	returned(r, 0, 16 * KIB, 16 * KIB, 0);
	disk_shows(r, 0, 16 * KIB, 2 * MIB + 16 * KIB, 16 * KIB, 1);
	maps_at(r, MAP_F, MAPPED, 16 * KIB, 16 * KIB, 4 * MIB);
	disk_fill(r, 0, 16 * KIB, 2 * MIB + 16 * KIB, 7);
	maps_reset(r);
	shows(fd, 16 * KIB, 0, 1);
	shows_disk(fd, 16 * KIB, 16 * KIB, 4 * MIB, 0);
	EQ(begins(r), 1);
	OK(fsync(fd));
	disk_shows(r, 0, 16 * KIB, 2 * MIB + 16 * KIB, 2 * MIB + 16 * KIB, 7);
	disk_shows(r, 0, 16 * KIB, 2 * MIB, 0, 1);
	shows(fd, 32 * KIB, 32 * KIB, 1);
	end(r, fd);
}

/* Of what is not used there is something to return as well. */
TEST(recall, of_what_is_not_used)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", 0);

	EQ(recall(r, 0, 0, 0), 0);
	returned(r, 0, 0, 0, 0);
	end(r, fd);
}

TEST(recall, malformed)
{
	struct raw *r = with_f(LOCAL);
	struct fusex_notify_recall n = { .nodeid = MAP_F }, bad;
	int fd = open_rw(r, "f", 0);

#define TRY(n_) maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &(n_), sizeof(n_), \
			    NULL, 0)
	EQ(maps_notify(r, FUSEX_NOTIFY_MAP_RECALL, &n, sizeof(n) - 8, NULL, 0),
	   EINVAL);
	bad = n;
	bad.reserved = 1;
	EQ(TRY(bad), EINVAL);
	bad = n;
	bad.nodeid = 60;
	EQ(TRY(bad), ENOENT);
	bad = n;
	bad.nodeid = RAW_ROOT;
	EQ(TRY(bad), EINVAL);
	EQ(recall(r, 1, 0, 0), EINVAL);
	EQ(recall(r, 0, 1ull << 63, 1), EINVAL);
	EQ(recall(r, 0, BLOCK, ~0ull - 10), EINVAL);
#undef TRY
	/* Whatever could come of it is behind the RETURN of a good one. */
	EQ(recall(r, 0, 0, 0), 0);
	returned(r, 0, 0, 0, 0);
	end(r, fd);
}

TEST(recall, of_a_remote_file_by_no_lease)
{
	struct raw *r = with_leased_f(9, FUSEX_FOREVER);
	int fd = open_rw(r, "f", 0);

	EQ(recall(r, 0, 0, 0), EINVAL);
	EQ(recall(r, 9, 0, 0), 0);
	returned(r, 9, 0, 0, 0);
	end(r, fd);
}

/* Dirty data that cannot be written is lost, and the server hears of it. */
TEST(recall, of_what_cannot_be_written)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd;

	maps_at(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	fd = open_rw(r, "f", 0);
	put(fd, BLOCK, 0, 1);
	r->maps->fail[FUSEX_OP_MAP_IOEND] = EIO;
	EQ(recall(r, 0, 0, 0), 0);
	returned(r, 0, 0, 0, -EIO);
	r->maps->fail[FUSEX_OP_MAP_IOEND] = 0;
	FAILS(fsync(fd), EIO);
	end(r, fd);
}

/* Who reads waits for an answer, and that for what is being taken back. */
static void answer_later(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	hold_answer(r, in, rep);
	((struct fusex_map_begin_out *)rep->body)->read =
		*maps_find(r, MAP_F, 0);
}

TEST(recall, while_somebody_asks)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	raw_bend(r, FUSEX_OP_MAP_BEGIN, answer_later, NULL);
	pid = read_in_child(r, fd, 4 * MIB);
	UNTIL_SEEN(r, 0);
	EQ(recall(r, 0, 0, 0), 0);
	returned(r, 0, 0, 0, 0);
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 4 * MIB);
	answering = true;
	EQ(WAIT(pid), 0);
	end(r, fd);
}

/* Long enough for a recall to get on. */
static void write_elsewhere(int other)
{
	for (unsigned int i = 0; i < 50; i++) {
		put(other, BLOCK, 0, i);
		OK(fsync(other));
	}
}

/* What was written but not told is not through with where it was written. */
TEST(recall, waits_for_ioend)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd, other;
	pid_t pid;

	maps_at(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	maps_at(r, MAP_G, MAPPED, 0, 3 * BLOCK, 4 * MIB);
	fd = open_rw(r, "f", O_DIRECT);
	other = open_rw(r, "g", 0);
	raw_bend(r, FUSEX_OP_MAP_IOEND, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		put(fd, BLOCK, 0, 1);
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	EQ(recall(r, 0, 0, 0), 0);
	/* Enough for it to come if it did not wait. */
	write_elsewhere(other);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	answering = true;
	returned(r, 0, 0, 0, 0);
	EQ(WAIT(pid), 0);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	OK(close(other));
	end(r, fd);
}

/*
 * A direct write that has begun uses mappings until it has ended, so what it asks
 * for does not wait for the recall, which waits for it.
 */
TEST(recall, of_a_write_of_two_pieces)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd, other;
	pid_t pid;

	maps_at(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 2 * MIB);
	maps_at(r, MAP_F, UNWRITTEN, 64 * KIB, 64 * KIB, 4 * MIB);
	maps_size(r, MAP_F, 128 * KIB);
	r->maps->files[MAP_F].flags = FUSEX_MAP_F_END;
	maps_at(r, MAP_G, MAPPED, 0, 3 * BLOCK, 6 * MIB);
	fd = open_rw(r, "f", O_DIRECT);
	other = open_rw(r, "g", 0);
	raw_bend(r, FUSEX_OP_MAP_END, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		put(fd, 128 * KIB, 0, 1);
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	EQ(recall(r, 0, 0, 0), 0);
	/* Enough for it to begin. */
	write_elsewhere(other);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	answering = true;
	EQ(WAIT(pid), 0);
	returned(r, 0, 0, 0, 0);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 0, 1);
	disk_shows(r, 0, 64 * KIB, 4 * MIB, 64 * KIB, 1);
	OK(close(other));
	end(r, fd);
}

/* What is dirty when nobody can make more of it is written, too. */
static void is_written_meanwhile(uint32_t attr_mode, uint64_t lease)
{
	struct raw *r = maps_start(attr_mode, 1);
	int fd;

	maps_at(r, MAP_F, UNWRITTEN, 0, 64 * KIB, 2 * MIB);
	maps_size(r, MAP_F, 64 * KIB);
	r->maps->files[MAP_F].lease = lease;
	r->maps->files[MAP_F].lease_valid = lease ? FUSEX_FOREVER : 0;
	fd = open_rw(r, "f", 0);
	put(fd, BLOCK, 0, 1);
	raw_bend(r, FUSEX_OP_MAP_IOEND, hold_answer, NULL);
	EQ(recall(r, lease, 0, 0), 0);
	UNTIL_SEEN(r, 0);
	put(fd, BLOCK, 8 * BLOCK, 2);
	EQ(maps_count(r, FUSEX_OP_MAP_RETURN), 0);
	answering = true;
	returned(r, lease, 0, 0, 0);
	disk_shows(r, 0, BLOCK, 2 * MIB, 0, 1);
	disk_shows(r, 0, BLOCK, 2 * MIB + 8 * BLOCK, 8 * BLOCK, 2);
	/* Nothing of it comes later. */
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 4 * MIB);
	OK(fsync(fd));
	disk_shows(r, 0, 64 * KIB, 4 * MIB, 4 * MIB, DISK_SEED(0));
	end(r, fd);
}

TEST(recall, of_what_is_written_meanwhile)
{
	is_written_meanwhile(LOCAL, 0);
}

TEST(recall, of_a_lease_of_what_is_written_meanwhile)
{
	is_written_meanwhile(REMOTE, 3);
}

static bool both_returned(void *arg)
{
	return maps_count(arg, FUSEX_OP_MAP_RETURN) == 2;
}

/* The second one might ask, which is not done before the first was answered. */
TEST(recall, one_after_the_other)
{
	struct raw *r = with_f(LOCAL);
	int fd = open_rw(r, "f", 0), other = open_rw(r, "g", 0);

	maps_at(r, MAP_G, MAPPED, 0, 3 * BLOCK, 4 * MIB);
	raw_bend(r, FUSEX_OP_MAP_RETURN, hold_answer, NULL);
	EQ(recall(r, 0, 0, 16 * KIB), 0);
	UNTIL_SEEN(r, 0);
	EQ(recall(r, 0, 16 * KIB, 16 * KIB), 0);
	/* Enough for it to come if it did not wait. */
	write_elsewhere(other);
	EQ(r->seen, 1);
	answering = true;
	UNTIL(both_returned, r);
	EQ(r->maps->returns[0].offset, 0);
	EQ(r->maps->returns[1].offset, 16 * KIB);
	shows_disk(fd, 64 * KIB, 0, 2 * MIB, 0);
	OK(close(other));
	end(r, fd);
}

/*
 * Recalls under load.  The file wanders over the device while it is written to:
 * each time it is recalled, and when it has been returned the server takes its
 * data elsewhere, and fills where it was with something else.
 */
#define WANDER_SIZE	(256 * KIB)
#define WANDERINGS	24

struct wandering {
	pid_t pids[2];
	atomic_bool recalling;
	atomic_bool stop;
	atomic_uint writes[2];
};

static struct wandering *wandering;

/*
 * Questions are answered until it has been returned, or what has to end before
 * that might wait for the answer; then they wait until it is where it is going to
 * be.
 */
static void keep_waiting(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	const struct fusex_map_begin_in *b = (const void *)(in + 1);
	struct fusex_map_begin_out *out = (void *)rep->body;

	if (!maps_count(r, FUSEX_OP_MAP_RETURN))
		return;
	while (wandering->recalling)
		usleep(1000);
	/* It is not where it was when this was asked. */
	pthread_mutex_lock(&r->lock);
	if (maps_find(r, in->nodeid, b->offset))
		out->read = *maps_find(r, in->nodeid, b->offset);
	pthread_mutex_unlock(&r->lock);
}

/* Always the same bytes at the same place. */
static void write_on(struct raw *r, int who)
{
	static char buf[64 * KIB] __attribute__((aligned(4096)));
	int fd;

	close(r->fd);
	fd = open_rw(r, "f", who ? O_DIRECT : 0);
	for (unsigned int n = 0; !wandering->stop; n++) {
		size_t size = (n % 16 + 1) * BLOCK;
		off_t at = (n * 7 % 49) * BLOCK;

		fill_pattern(buf, size, at, 1);
		EQ(OK(pwrite(fd, buf, size, at)), size);
		EQ(OK(pread(fd, buf, size, at)), size);
		check_pattern(buf, size, at, 1);
		wandering->writes[who]++;
	}
	_exit(0);
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return OK(waitid(P_PID, (id_t)pid, &info,
			 WEXITED | WNOHANG | WNOWAIT)) == 0 && info.si_pid;
}

/* Or one of them found something wrong, and said so. */
static bool have_written(void *arg)
{
	unsigned int *since = arg;

	for (int i = 0; i < 2; i++)
		CHECK(!has_ended(wandering->pids[i]));
	return wandering->writes[0] > since[0] &&
		wandering->writes[1] > since[1];
}

static void wander(struct raw *r, unsigned int i, uint64_t lease)
{
	uint64_t from = 4 * MIB + i * WANDER_SIZE, to = from + WANDER_SIZE;
	unsigned int since[2] = { wandering->writes[0], wandering->writes[1] };
	static char buf[WANDER_SIZE] __attribute__((aligned(4096)));
	const struct loop *disk = &r->maps->disks[0];

	UNTIL(have_written, since);
	r->count[FUSEX_OP_MAP_RETURN] = 0;
	wandering->recalling = true;
	EQ(recall(r, lease, 0, 0), 0);
	returned(r, lease, 0, 0, 0);
	EQ(OK(pread(disk->fd, buf, sizeof(buf), (off_t)from)), sizeof(buf));
	check_pattern(buf, sizeof(buf), 0, 1);
	EQ(OK(pwrite(disk->fd, buf, sizeof(buf), (off_t)to)), sizeof(buf));
	disk_fill(r, 0, WANDER_SIZE, (off_t)from, 7);
	maps_at(r, MAP_F, MAPPED, 0, WANDER_SIZE, to);
	wandering->recalling = false;
}

static void wanders(uint32_t attr_mode, uint64_t lease)
{
	struct raw *r = maps_start(attr_mode, 1);
	pid_t pid, *pids;
	int fd;

	wandering = mmap(NULL, sizeof(*wandering), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(wandering != MAP_FAILED);
	pids = wandering->pids;
	maps_at(r, MAP_F, MAPPED, 0, WANDER_SIZE, 4 * MIB);
	maps_size(r, MAP_F, WANDER_SIZE);
	r->maps->files[MAP_F].lease = lease;
	r->maps->files[MAP_F].lease_valid = lease ? FUSEX_FOREVER : 0;
	raw_bend(r, FUSEX_OP_MAP_BEGIN, keep_waiting, NULL);
	fd = open_rw(r, "f", 0);
	put(fd, WANDER_SIZE, 0, 1);
	OK(fsync(fd));
	for (int i = 0; i < 2; i++) {
		pid = (pid_t)OK(fork());
		if (!pid)
			write_on(r, i);
		pids[i] = pid;
	}
	for (unsigned int i = 0; i < WANDERINGS; i++)
		wander(r, i, lease);
	wandering->stop = true;
	EQ(WAIT(pids[0]), 0);
	EQ(WAIT(pids[1]), 0);
	OK(fsync(fd));
	/* Nothing has come to where it was once. */
	for (unsigned int i = 0; i < WANDERINGS; i++)
		disk_shows(r, 0, WANDER_SIZE, 4 * MIB + i * WANDER_SIZE,
			   4 * MIB + i * WANDER_SIZE, 7);
	disk_shows(r, 0, WANDER_SIZE, 4 * MIB + WANDERINGS * WANDER_SIZE, 0, 1);
	uncache(fd);
	shows(fd, WANDER_SIZE, 0, 1);
	end(r, fd);
}

TEST(recall, under_load_local)
{
	wanders(LOCAL, 0);
}

TEST(recall, under_load_remote)
{
	wanders(REMOTE, 3);
}

/* --------------------------------------------------------------------- leases */

TEST(lease, without_one)
{
	struct raw *r = with_leased_f(0, 0);
	int fd = open_rw(r, "f", O_DIRECT);

	for (unsigned int i = 1; i <= 5; i++) {
		shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
		EQ(begins(r), i);
	}
	put(fd, BLOCK, 0, 1);
	put(fd, BLOCK, 0, 1);
	EQ(begins(r), 7);
	end(r, fd);
}

/* Asked for each folio, say; but it ends. */
TEST(lease, without_one_cached)
{
	struct raw *r = with_leased_f(0, 0);
	int fd = open_rw(r, "f", 0);

	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	put(fd, 10000, 5000, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 10000, 2 * MIB + 5000, 5000, 1);
	uncache(fd);
	shows(fd, 10000, 5000, 1);
	maps_reset(r);
	uncache(fd);
	shows(fd, 10000, 5000, 1);
	CHECK(begins(r) > 0);
	end(r, fd);
}

/* It is over before anything can be done with it. */
TEST(lease, too_short)
{
	struct raw *r = with_leased_f(1, 1);
	int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);

	put(fd, 10000, 5000, 1);
	OK(fsync(fd));
	disk_shows(r, 0, 10000, 2 * MIB + 5000, 5000, 1);
	put(direct, BLOCK, 0, 2);
	uncache(fd);
	shows(fd, BLOCK, 0, 2);
	OK(close(direct));
	end(r, fd);
}

TEST(lease, until_recalled)
{
	struct raw *r = with_leased_f(1, FUSEX_FOREVER);
	int fd = open_rw(r, "f", O_DIRECT);

	for (unsigned int i = 0; i < 5; i++)
		shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	put(fd, BLOCK, BLOCK, 1);
	EQ(begins(r), 1);
	end(r, fd);
}

struct reader {
	struct raw *r;
	int fd;
};

static bool asks_again(void *arg)
{
	struct reader *reader = arg;

	shows_disk(reader->fd, BLOCK, 0, 2 * MIB, 0);
	return begins(reader->r) > 1;
}

TEST(lease, expires)
{
	struct raw *r = with_leased_f(1, 100000000);
	struct reader reader = { r, open_rw(r, "f", O_DIRECT) };

	shows_disk(reader.fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 1);
	UNTIL(asks_again, &reader);
	end(r, reader.fd);
}

/* When the last answer was given that names a lease of so many nanoseconds. */
#define SHORT_LEASE	100000000

static atomic_llong granted;

static long long now_ns(void)
{
	struct timespec t;

	OK(clock_gettime(CLOCK_MONOTONIC, &t));
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void note_grant(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	(void)r;
	(void)in;
	(void)rep;
	granted = now_ns();
}

static bool lease_is_over(void *arg)
{
	(void)arg;
	return granted && now_ns() > granted + SHORT_LEASE;
}

/* Somebody else has its space from then on. */
static void takes_space_away(struct raw *r)
{
	maps_at(r, MAP_F, MAPPED, 0, 64 * KIB, 4 * MIB);
	disk_fill(r, 0, 64 * KIB, 2 * MIB, 7);
	r->maps->files[MAP_F].lease = 2;
	r->maps->files[MAP_F].lease_valid = FUSEX_FOREVER;
	maps_reset(r);
}

/* What was written under it goes where the server says when it is written back. */
TEST(lease, expires_over_dirty_data)
{
	struct raw *r = with_leased_f(1, SHORT_LEASE);
	int fd = open_rw(r, "f", 0);
	pid_t pid;

	raw_bend(r, FUSEX_OP_MAP_BEGIN, note_grant, NULL);
	put(fd, 16 * KIB, 0, 1);
	UNTIL(lease_is_over, NULL);
	takes_space_away(r);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, hold_answer, NULL);
	pid = (pid_t)OK(fork());
	if (!pid) {
		close(r->fd);
		OK(fsync(fd));
		_exit(0);
	}
	UNTIL_SEEN(r, 0);
	/* It is asked for before anything is written. */
	CHECK(r->maps->begins[0].op & FUSEX_MAP_OP_WRITEBACK);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
	disk_shows(r, 0, 64 * KIB, 4 * MIB, 4 * MIB, DISK_SEED(0));
	answering = true;
	EQ(WAIT(pid), 0);
	EQ(begins(r), 1);
	disk_shows(r, 0, 16 * KIB, 4 * MIB, 0, 1);
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
	uncache(fd);
	shows(fd, 16 * KIB, 0, 1);
	end(r, fd);
}

/* Nor does it go anywhere when the server does not say. */
TEST(lease, expires_and_is_not_granted_again)
{
	struct raw *r = with_leased_f(1, SHORT_LEASE);
	int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);
	static char buf[BLOCK] __attribute__((aligned(4096)));

	raw_bend(r, FUSEX_OP_MAP_BEGIN, note_grant, NULL);
	put(fd, 16 * KIB, 0, 1);
	UNTIL(lease_is_over, NULL);
	takes_space_away(r);
	r->maps->fail[FUSEX_OP_MAP_BEGIN] = ESTALE;
	FAILS(pwrite(direct, buf, BLOCK, 32 * KIB), ESTALE);
	FAILS(fsync(fd), EIO, ESTALE);
	r->maps->fail[FUSEX_OP_MAP_BEGIN] = 0;
	disk_shows(r, 0, 64 * KIB, 2 * MIB, 2 * MIB, 7);
	disk_shows(r, 0, 64 * KIB, 4 * MIB, 4 * MIB, DISK_SEED(0));
	OK(close(direct));
	end(r, fd);
}

/* What was known under another one is not good any more. */
TEST(lease, another_one)
{
	struct raw *r = with_leased_f(1, FUSEX_FOREVER);
	int fd = open_rw(r, "f", O_DIRECT);

	maps_at(r, MAP_F, MAPPED, 32 * KIB, 32 * KIB, 4 * MIB);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 1);
	r->maps->files[MAP_F].lease = 2;
	/* Asked for under one, and once more under the other. */
	shows_disk(fd, BLOCK, 32 * KIB, 4 * MIB, 0);
	EQ(begins(r), 3);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	EQ(begins(r), 4);
	shows_disk(fd, BLOCK, 0, 2 * MIB, 0);
	shows_disk(fd, BLOCK, 32 * KIB, 4 * MIB, 0);
	EQ(begins(r), 4);
	end(r, fd);
}

/* Others are to see when it was written, and how long it is. */
TEST(lease, tells_of_every_write)
{
	struct raw *r = with_leased_f(1, FUSEX_FOREVER);
	const struct fusex_map_ioend_in *in = r->maps->ioends;
	int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);

	put(fd, BLOCK, BLOCK, 1);
	OK(fsync(fd));
	EQ(ioends(r), 1);
	EQ(in[0].offset, BLOCK);
	EQ(in[0].length, BLOCK);
	EQ(in[0].addr, 2 * MIB + BLOCK);
	EQ(in[0].flags, FUSEX_IOEND_APPEND | FUSEX_IOEND_MTIME);
	EQ(in[0].size, 2 * BLOCK);
	CHECK(in[0].mtime.sec > 1000000000);
	put(direct, BLOCK, 4 * BLOCK, 1);
	EQ(ioends(r), 2);
	EQ(in[1].flags, FUSEX_IOEND_APPEND | FUSEX_IOEND_MTIME |
	   FUSEX_IOEND_DIRECT);
	EQ(in[1].size, 5 * BLOCK);
	CHECK(in[1].mtime.sec > 1000000000);
	EQ(flook(fd).stx_size, 64 * KIB);
	OK(close(direct));
	end(r, fd);
}

/* The zeros behind a new end are of when it was cut, not of an earlier write. */
TEST(lease, tells_when_it_was_cut)
{
	struct raw *r = with_leased_f(1, FUSEX_FOREVER);
	int fd = open_rw(r, "f", 0);

	OK(ftruncate(fd, 5000));
	OK(fsync(fd));
	EQ(ioends(r), 1);
	EQ(r->maps->ioends[0].offset, BLOCK);
	CHECK(r->maps->ioends[0].flags & FUSEX_IOEND_MTIME);
	CHECK(r->maps->ioends[0].mtime.sec > 1000000000);
	end(r, fd);
}

/* The end is not where it was when it was seen that others can write beside. */
TEST(lease, direct_write_behind_what_is_cut_off)
{
	struct raw *r = with_leased_f(0, 0);
	int fd = open_rw(r, "f", 0), direct = open_rw(r, "f", O_DIRECT);
	struct fusex_notify_inode n = {
		.nodeid = MAP_F, .flags = FUSEX_INVAL_DATA,
	};
	struct statx stx;
	pid_t reader, writer;

	put(direct, BLOCK, 0, 1);
	raw_bend(r, FUSEX_OP_MAP_BEGIN, hold_answer, NULL);
	reader = (pid_t)OK(fork());
	if (!reader)
		_exit(pread(fd, &stx, 1, 32 * KIB) < 0);
	UNTIL_SEEN(r, 0);
	/* Has a folio locked that is to be dropped, for which the writer waits. */
	EQ(maps_notify(r, FUSEX_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), 0);
	writer = (pid_t)OK(fork());
	if (!writer) {
		put(direct, BLOCK, 48 * KIB, 2);
		_exit(0);
	}
	UNTIL(sleeps_deep, &writer);
	maps_size(r, MAP_F, 5000);
	OK(statx(AT_FDCWD, raw_path(r, "f"), AT_STATX_FORCE_SYNC, STATX_SIZE,
		 &stx));
	EQ(stx.stx_size, 5000);
	answering = true;
	EQ(WAIT(reader), 0);
	EQ(WAIT(writer), 0);
	EQ(flook(fd).stx_size, 52 * KIB);
	zeros(fd, 2 * BLOCK - 5000, 5000);
	shows(fd, BLOCK, 48 * KIB, 2);
	OK(close(direct));
	end(r, fd);
}

/* ------------------------------------------------- the device's own page cache */

static int dev_inval(struct raw *r, uint32_t dev, uint64_t offset,
		     uint64_t length)
{
	struct fusex_notify_dev n = {
		.dev = dev, .offset = offset, .length = length,
	};

	return maps_notify(r, FUSEX_NOTIFY_DEV_INVAL, &n, sizeof(n), NULL, 0);
}

TEST(device, is_written_and_forgotten)
{
	struct raw *r = with_f(LOCAL);
	static char buf[BLOCK] __attribute__((aligned(4096)));
	int dev = (int)OK(open(r->maps->disks[0].path, O_RDWR));
	int fd = open_rw(r, "f", O_DIRECT);

	/* Metadata, written through the device, becomes a file's data. */
	put(dev, BLOCK, 2 * MIB, 1);
	EQ(dev_inval(r, r->maps->dev, 2 * MIB, BLOCK), 0);
	EQ(OK(pread(fd, buf, BLOCK, 0)), BLOCK);
	check_pattern(buf, BLOCK, 2 * MIB, 1);
	/* And the other way round. */
	put(fd, BLOCK, 0, 2);
	EQ(dev_inval(r, r->maps->dev, 2 * MIB, 0), 0);
	EQ(OK(pread(dev, buf, BLOCK, 2 * MIB)), BLOCK);
	check_pattern(buf, BLOCK, 0, 2);
	OK(close(dev));
	end(r, fd);
}

TEST(device, malformed)
{
	struct raw *r = with_f(LOCAL);
	struct fusex_notify_dev n = { .dev = r->maps->dev };
	uint32_t stripe;

	EQ(stripe_add(r->fd, r->maps->devs, 1, 64 * KIB, FUSEX_BACKING_READ,
		      &stripe), 0);
	EQ(dev_inval(r, 4711, 0, 0), ENOENT);
	EQ(dev_inval(r, 0, 0, 0), ENOENT);
	EQ(dev_inval(r, stripe, 0, 0), EINVAL);
	EQ(dev_inval(r, r->maps->dev, 0, DISK_SIZE + 1), EINVAL);
	EQ(dev_inval(r, r->maps->dev, DISK_SIZE + 1, 0), EINVAL);
	EQ(dev_inval(r, r->maps->dev, ~0ull, 1), EINVAL);
	EQ(dev_inval(r, r->maps->dev, DISK_SIZE, 0), 0);
	EQ(dev_inval(r, r->maps->dev, 0, DISK_SIZE), 0);
	n.reserved = 1;
	EQ(maps_notify(r, FUSEX_NOTIFY_DEV_INVAL, &n, sizeof(n), NULL, 0),
	   EINVAL);
	n.reserved = 0;
	EQ(maps_notify(r, FUSEX_NOTIFY_DEV_INVAL, &n, sizeof(n) - 8, NULL, 0),
	   EINVAL);
	maps_stop(r);
}

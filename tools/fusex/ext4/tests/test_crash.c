// SPDX-License-Identifier: GPL-2.0
/*
 * What is left after a crash: everything that was durable, and nothing that is
 * half of something.
 *
 * All writes to the device and all flushes are recorded.  A crash is an image
 * that has the writes before some flush, and of those after it any, in part: a
 * block is written or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "record.h"
#include "tap.h"

#define FILES		400
#define CRASHES		60
#define MIB		32

/**
 * struct record - a write, or a flush
 * @offset: bytes
 * @len: bytes, 0 for a flush
 * @data: what was written
 */
struct record {
	uint64_t	offset;
	size_t		len;
	void		*data;
};

/**
 * struct state - what there is: for each file, which name it has, or -1
 * @when: records there were when it was durable
 * @name: of each file
 */
struct state {
	size_t		when;
	short		name[FILES];
};

static struct record *records;
static size_t nr_records, room_records;
static bool recording;

static void record(const void *buf, size_t len, uint64_t offset)
{
	struct record *r, *more;

	if (!recording)
		return;
	if (nr_records == room_records) {
		room_records = room_records ? 2 * room_records : 1024;
		more = realloc(records, room_records * sizeof(*records));
		if (!more)
			exit(1);
		records = more;
	}
	r = &records[nr_records++];
	*r = (struct record){ .offset = offset, .len = len };
	if (len) {
		r->data = need(1, len);
		memcpy(r->data, buf, len);
	}
}

int __wrap_device_write(const struct device *d, const void *buf, size_t count,
			uint64_t offset)
{
	record(buf, count, offset);
	return __real_device_write(d, buf, count, offset);
}

int __wrap_device_flush(const struct device *d)
{
	int ret = __real_device_flush(d);

	record(NULL, 0, 0);
	return ret;
}

static void name_of(int nr, char *name)
{
	snprintf(name, 32, "file-%d", nr);
}

/* Every file has data that says which one it is. */
static void fill(int file, unsigned char *buf, size_t *len)
{
	size_t i;

	*len = 1000 + (size_t)file * 977 % 60000;
	for (i = 0; i < *len; i++)
		buf[i] = (unsigned char)(file + i * 7);
	memcpy(buf, &file, sizeof(file));
}

static int make(struct volume *v, struct node *dir, struct state *s, int file)
{
	unsigned char *buf;
	struct node *n;
	char name[32];
	size_t len;
	int ret;

	name_of(file, name);
	n = image_file(v, dir, name, 0);
	if (!n)
		return -EIO;
	buf = need(1, 70000);
	fill(file, buf, &len);
	WR_LOCK(v);
	ret = plain_write(v, n, buf, len, 0);
	UNLOCK(v);
	s->name[file] = (short)file;
	free(buf);
	return ret;
}

static int move(struct volume *v, struct node *dir, struct state *s, int file)
{
	char from[32], to[32];
	struct moved m;
	int name, ret;

	/* Over another one, now and then. */
	name = (int)rnd(FILES);
	name_of(s->name[file], from);
	name_of(name, to);
	WR_LOCK(v);
	ret = name_rename(v, dir, from, dir, to, 0, NULL, &m);
	if (!ret) {
		node_put(v, m.node);
		node_put(v, m.node2);
	}
	UNLOCK(v);
	for (int i = 0; i < FILES; i++)
		if (s->name[i] == name && i != file)
			s->name[i] = -1;
	s->name[file] = (short)name;
	return ret;
}

static int drop(struct volume *v, struct node *dir, struct state *s, int file)
{
	char name[32];
	int ret;

	name_of(s->name[file], name);
	WR_LOCK(v);
	ret = name_unlink(v, dir, name, false, true, true, NULL);
	UNLOCK(v);
	s->name[file] = -1;
	return ret;
}

static bool is_taken(const struct state *s, int name)
{
	for (int i = 0; i < FILES; i++)
		if (s->name[i] == name)
			return true;
	return false;
}

/* Returns how many states were durable. */
static size_t work(struct volume *v, struct state *states)
{
	struct node *root = image_root(v), *dir;
	struct state now = { .when = 0 };
	size_t count = 0;
	int file, ret = 0;

	memset(now.name, 0xff, sizeof(now.name));
	dir = image_file(v, root, "dir", S_IFDIR | 0755);
	for (int i = 0; i < 3 * FILES && !ret; i++) {
		file = (int)rnd(FILES);
		if (commit_room(v))
			break;
		if (now.name[file] < 0 && !is_taken(&now, file))
			ret = make(v, dir, &now, file);
		else if (now.name[file] >= 0 && rnd(3))
			ret = move(v, dir, &now, file);
		else if (now.name[file] >= 0)
			ret = drop(v, dir, &now, file);
		if (!ret && (i < 2 || !rnd(20))) {
			ret = commit_now(v);
			now.when = nr_records;
			states[count++] = now;
		}
	}
	is(ret, 0, "files come and go");
	return count;
}

/* The image at a crash after so many records, of which the last may be lost. */
static void crash(const char *path, const char *from, size_t until,
		  unsigned int unit)
{
	size_t flushed = 0, i;
	int fd;

	image_run("cp %s %s", from, path);
	fd = open(path, O_RDWR);
	for (i = 0; i < until; i++)
		if (!records[i].len)
			flushed = i;
	for (i = 0; i < until; i++) {
		size_t len = records[i].len;

		/* Not flushed: perhaps not written, or only some blocks. */
		if (i > flushed && len && rnd(2))
			len = rnd(3) ? 0 : rnd((uint32_t)len) / unit * unit;
		if (len && pwrite(fd, records[i].data, len,
				  (off_t)records[i].offset) < 0)
			exit(1);
	}
	close(fd);
}

static bool is_file(struct volume *v, struct node *dir, int name, int file)
{
	unsigned char *want = need(1, 70000), *got = need(1, 70000);
	char text[32];
	struct node *n;
	size_t len;
	bool good;

	name_of(name, text);
	fill(file, want, &len);
	good = !name_lookup(v, dir, text, &n);
	if (good) {
		good = plain_read(v, n, got, 70000, 0) == (ssize_t)len &&
		       !memcmp(got, want, len);
		node_put(v, n);
	}
	free(want);
	free(got);
	return good;
}

static bool is_state(struct volume *v, struct node *dir, const struct state *s)
{
	const struct dir_name *at;
	int count = 0;

	for (int i = 0; i < FILES; i++) {
		if (s->name[i] < 0)
			continue;
		count++;
		if (!is_file(v, dir, s->name[i], i))
			return false;
	}
	for (at = dir_first(dir, 0); at; at = dir_next(dir, at))
		count--;
	return !count;
}

/* One of the last state that was durable, and the one that was to be next. */
static bool is_right(const char *path, const struct state *states,
		     size_t count, size_t until)
{
	struct volume *v = image_open_ro(path);
	struct node *root = image_root(v), *dir;
	size_t i = 0;
	bool right = false;

	while (i + 1 < count && states[i + 1].when <= until)
		i++;
	WR_LOCK(v);
	if (!name_lookup(v, root, "dir", &dir)) {
		if (!dir_load(v, dir) && !dir_sort(dir))
			right = is_state(v, dir, &states[i]) ||
				(i + 1 < count &&
				 is_state(v, dir, &states[i + 1]));
		node_put(v, dir);
	}
	UNLOCK(v);
	volume_close(v);
	return right;
}

static void test_kind(const char *kind, unsigned int unit)
{
	struct state *states = need(3 * FILES, sizeof(*states));
	char path[160], from[176];
	unsigned int bad = 0, wrong = 0, dirty = 0, i;
	size_t count, until;
	struct volume *v;

	snprintf(path, sizeof(path), "%s", image_make(kind, MIB));
	snprintf(from, sizeof(from), "%s.before", path);
	image_run("cp %s %s", path, from);
	printf("# %s\n", kind);
	recording = true;
	v = image_open(path);
	count = work(v, states);
	recording = false;
	ok(image_close(v, path), "e2fsck finds nothing");
	for (i = 0; i < CRASHES; i++) {
		until = states[0].when +
			rnd((uint32_t)(nr_records - states[0].when + 1));
		crash(path, from, until, unit);
		/* 1: something was repaired, a replay for one. */
		bad += image_run("e2fsck -p %s >/dev/null 2>&1", path) > 1;
		dirty += !image_check(path);
		wrong += !is_right(path, states, count, until);
	}
	ok(count > 10 && nr_records > 100, "%zu states, %zu records", count,
	   nr_records);
	is(bad, 0, "e2fsck -p repairs what a crash leaves");
	is(dirty, 0, "completely");
	is(wrong, 0, "and everything is there");
	for (; nr_records; nr_records--)
		free(records[nr_records - 1].data);
	free(states);
}

static unsigned int make_many(struct volume *v, struct node *dir,
			      unsigned int from, unsigned int count)
{
	unsigned int bad = 0, i;
	char name[32];

	for (i = from; i < from + count; i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		bad += !image_file(v, dir, name, 0);
	}
	return bad;
}

/* How many of them there are; the last name of what was durable is. */
static unsigned int count_many(const char *path)
{
	struct volume *v = image_open_ro(path);
	struct node *root = image_root(v), *dir;
	const struct dir_name *at;
	unsigned int count = 0;

	WR_LOCK(v);
	if (!name_lookup(v, root, "dir", &dir)) {
		if (!dir_load(v, dir) && !dir_sort(dir))
			for (at = dir_first(dir, 0); at; at = dir_next(dir, at))
				count++;
		node_put(v, dir);
	}
	UNLOCK(v);
	volume_close(v);
	return count;
}

/*
 * Operations that go on when there is no room for them any more: the transaction
 * is larger than half of the journal, or than all of it.
 */
static void test_large(unsigned int many, bool in_journal)
{
	struct volume *v;
	struct node *dir;
	char path[160], from[176];
	unsigned int bad = 0, lost = 0, dirty = 0, half = 0, i, count;
	size_t first, second, until;
	int ret;

	snprintf(path, sizeof(path), "%s",
		 image_make("-b 1024 -J size=4 -N 40000", 64));
	snprintf(from, sizeof(from), "%s.before", path);
	image_run("cp %s %s", path, from);
	recording = true;
	v = image_open(path);
	dir = image_file(v, image_root(v), "dir", S_IFDIR | 0755);
	is(make_many(v, dir, 0, 200) + (unsigned int)commit_now(v), 0,
	   "some files are durable");
	first = nr_records;
	ok(!make_many(v, dir, 200, many), "%u at once", many);
	/* There are four inodes in a block. */
	count = (unsigned int)(bcache_dirty(v->cache) + v->dirty_count / 4);
	ok(count > journal_room(v->journal), "%u blocks are too many", count);
	is(journal_takes(v->journal, count + 50), in_journal,
	   "for which there is room in the journal, or not");
	is(commit_now(v), 0, "are durable");
	second = nr_records;
	is(make_many(v, dir, 200 + many, 1) + (unsigned int)commit_now(v), 0,
	   "and one more");
	recording = false;
	ok(image_close(v, path), "e2fsck finds nothing");
	for (i = 0; i <= 20; i++) {
		until = first + (nr_records - first) * i / 20;
		crash(path, from, until, 1024);
		ret = image_run("e2fsck -p %s >/dev/null 2>&1", path);
		dirty += ret <= 1 && !image_check(path);
		/* Without a journal, some of it may be too bad for that. */
		bad += ret > 1 && (in_journal || until >= second);
		if (ret > 1)
			image_run("e2fsck -fy %s >/dev/null 2>&1", path);
		count = count_many(path);
		lost += ret <= 1 &&
			count < (until < second ? 200 : 200 + many);
		half += count != 200 && count < 200 + many;
	}
	is(bad, 0, "e2fsck -p repairs what a crash leaves");
	is(dirty, 0, "completely");
	is(lost, 0, "what was durable is there");
	if (in_journal)
		is(half, 0, "all of a transaction or nothing");
	for (; nr_records; nr_records--)
		free(records[nr_records - 1].data);
}

/* What was not closed is repaired before it is opened, or refused. */
static void test_recovery(void)
{
	const char *path = image_make("-b 4096 -J size=4", MIB);
	struct volume_options o = { .readonly = false };
	struct volume *v = image_open(path);

	image_file(v, image_root(v), "file", 0);
	is(commit_now(v), 0, "something is durable");
	image_file(v, image_root(v), "file2", 0);
	volume_abandon(v);
	is(volume_open(path, &o, &v), -ECORRUPT, "it is refused");
	o.fsck = true;
	if (is(volume_open(path, &o, &v), 0, "or repaired"))
		ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	test_kind("-b 4096 -J size=4", 4096);
	test_kind("-b 1024 -J size=4", 1024);
	test_large(9000, true);
	test_large(19000, false);
	test_recovery();
	free(records);
	return tap_end();
}

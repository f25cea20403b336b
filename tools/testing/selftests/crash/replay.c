// SPDX-License-Identifier: GPL-2.0
/*
 * What dm-log-writes has recorded, written once more: the device as it was
 * at each flush.
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"

#define MAGIC		0x6a736677736872ull
#define VERSION		1ull

#define FLUSH		(1ull << 0)
#define FUA		(1ull << 1)
#define DISCARD		(1ull << 2)
#define MARK		(1ull << 3)

/* At the beginning of the log, a sector of it. */
struct log_super {
	uint64_t	magic;
	uint64_t	version;
	uint64_t	nr_entries;
	uint32_t	sectorsize;
};

/* A sector, and behind it nr_sectors of data, or in it the text of a mark. */
struct log_entry {
	uint64_t	sector;
	uint64_t	nr_sectors;
	uint64_t	flags;
	uint64_t	data_len;
};

/**
 * struct player - a log that is being replayed
 * @log: the device
 * @image: where to
 * @at: the next entry, bytes
 * @sector: bytes of one
 * @mark: the last one, -1 at first
 * @changed: something has to be looked at
 * @points: how often it was looked at
 */
struct player {
	int		log;
	int		image;
	uint64_t	at;
	uint32_t	sector;
	long		mark;
	bool		changed;
	unsigned int	points;
};

static void get(const struct player *p, void *buf, size_t len, uint64_t at)
{
	if (pread(p->log, buf, len, (off_t)at) != (ssize_t)len)
		err(1, "the log cannot be read at %llu",
		    (unsigned long long)at);
}

static void put(const struct player *p, uint64_t from, uint64_t to,
		uint64_t len, bool zero)
{
	char *buf = calloc(1, len);

	if (!buf)
		err(1, "%llu bytes", (unsigned long long)len);
	if (!zero)
		get(p, buf, len, from);
	if (pwrite(p->image, buf, len, (off_t)to) != (ssize_t)len)
		err(1, "the image cannot be written to");
	free(buf);
}

static void note_mark(struct player *p, const struct log_entry *e)
{
	uint64_t len = le64toh(e->data_len);
	char text[32] = "";

	/* The one that ends every log is no number. */
	if (len >= sizeof(text))
		return;
	get(p, text, len, p->at + sizeof(*e));
	if (*text >= '0' && *text <= '9')
		p->mark = atol(text);
}

static int look(struct player *p, const char *command)
{
	char text[512];
	int status;

	if (!p->changed)
		return 0;
	p->changed = false;
	p->points++;
	snprintf(text, sizeof(text), "%s %ld", command, p->mark);
	status = system(text);
	if (status)
		printf("# point %u, after mark %ld: status %#x\n", p->points,
		       p->mark, (unsigned int)status);
	return status ? 1 : 0;
}

static int play(struct player *p, const char *command)
{
	struct log_entry e;
	uint64_t flags, len;

	get(p, &e, sizeof(e), p->at);
	flags = le64toh(e.flags);
	len = le64toh(e.nr_sectors) * p->sector;
	if (flags & MARK)
		note_mark(p, &e);
	else if (len)
		put(p, p->at + p->sector, le64toh(e.sector) * p->sector, len,
		    flags & DISCARD);
	p->changed |= len || flags & MARK;
	p->at += p->sector + (flags & DISCARD ? 0 : len);
	return flags & (FLUSH | FUA | MARK) ? look(p, command) : 0;
}

int replay(const char *log, const char *image, const char *command)
{
	struct player p = {
		.log = open(log, O_RDONLY),
		.image = open(image, O_WRONLY),
		.mark = -1,
	};
	struct log_super super;
	uint64_t i;
	int ret = 0;

	if (p.log < 0 || p.image < 0)
		err(1, "%s, %s", log, image);
	get(&p, &super, sizeof(super), 0);
	if (le64toh(super.magic) != MAGIC || le64toh(super.version) != VERSION)
		errx(1, "%s has no log", log);
	p.sector = le32toh(super.sectorsize);
	p.at = p.sector;
	for (i = 0; i < le64toh(super.nr_entries) && !ret; i++)
		ret = play(&p, command);
	printf("# %llu entries, looked at %u times, the last mark was %ld\n",
	       (unsigned long long)le64toh(super.nr_entries), p.points, p.mark);
	close(p.log);
	close(p.image);
	return ret;
}

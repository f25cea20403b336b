// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are written to and made durable in steps, and what has to be there
 * of them after a crash.
 *
 *	crash work DIR COMMAND		does it, COMMAND N after step N
 *	crash check DIR N		is what step N has made durable there?
 *	crash replay LOG IMAGE COMMAND	see replay.c
 *
 * Each step changes one file and ends with its fsync; in between, other files
 * come, grow and go, and nobody makes them durable.  A step is the same each
 * time, so what it leads to is known to the one that checks.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"

#define STEPS		36
#define FILES		6
#define FILE_MAX	(256u << 10)
#define BLOCK		4096u

/**
 * struct file - what a file has to be
 * @size: bytes
 * @data: of it; zeros behind them
 */
struct file {
	size_t		size;
	unsigned char	data[FILE_MAX];
};

/**
 * struct change - what a step does to its file
 * @offset: where it writes
 * @len: how much, 0 for nothing
 * @size: how large the file is afterwards
 * @flags: of open(2)
 * @mapped: by way of a mapping into memory
 */
struct change {
	size_t		offset;
	size_t		len;
	size_t		size;
	int		flags;
	bool		mapped;
};

static struct file files[FILES], next[FILES];
static unsigned char buf[FILE_MAX] __attribute__((aligned(BLOCK)));

static uint32_t number(int step, uint32_t which, uint32_t below)
{
	uint64_t n = (uint64_t)(step + 1) * 0x9e3779b97f4a7c15ull +
		     which * 0xbf58476d1ce4e5b9ull;

	n ^= n >> 29;
	n *= 0x94d049bb133111ebull;
	return (uint32_t)(n >> 33) % below;
}

static unsigned char byte(int step, size_t i)
{
	return (unsigned char)(1 + (step * 31 + i / 512 + i) % 255);
}

static struct change plan(int step, const struct file *f)
{
	size_t len = 1 + number(step, 1, 40000);
	struct change c = { .offset = f->size, .len = len };

	switch (step / FILES % 6) {
	case 1:		/* over what there is */
		c.offset = number(step, 2, (uint32_t)f->size);
		break;
	case 2:		/* cut */
		c.len = 0;
		break;
	case 3:		/* with a hole before it */
		c.offset = f->size + number(step, 3, 20000);
		break;
	case 4:		/* around the page cache */
		c.flags = O_DIRECT;
		c.offset = number(step, 4, (uint32_t)f->size) & ~(BLOCK - 1);
		c.len = (len + BLOCK - 1) & ~((size_t)BLOCK - 1);
		break;
	case 5:
		c.mapped = true;
		c.offset = number(step, 5, (uint32_t)f->size);
		c.len = f->size - c.offset;
		break;
	}
	if (c.offset + c.len > FILE_MAX)
		c.len = 0;
	c.size = c.offset + c.len > f->size ? c.offset + c.len : f->size;
	if (!c.len)
		c.size = 1 + number(step, 6, (uint32_t)f->size);
	return c;
}

static void apply(int step, struct file *f)
{
	struct change c = plan(step, f);

	for (size_t i = 0; i < c.len; i++)
		f->data[c.offset + i] = byte(step, i);
	if (c.size < f->size)
		memset(f->data + c.size, 0, f->size - c.size);
	f->size = c.size;
}

static void name_of(char *path, size_t size, const char *dir, const char *what,
		    int nr)
{
	snprintf(path, size, "%s/%s-%d", dir, what, nr);
}

static void write_mapped(int fd, const struct change *c)
{
	unsigned char *map = mmap(NULL, c->offset + c->len,
				  PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		err(1, "mmap");
	memcpy(map + c->offset, buf, c->len);
	munmap(map, c->offset + c->len);
}

static void change_file(const char *dir, int step)
{
	struct change c = plan(step, &files[step % FILES]);
	char path[256];
	int fd;

	name_of(path, sizeof(path), dir, "file", step % FILES);
	fd = open(path, O_RDWR | O_CREAT | c.flags, 0644);
	if (fd < 0)
		err(1, "%s", path);
	for (size_t i = 0; i < c.len; i++)
		buf[i] = byte(step, i);
	if (!c.len && ftruncate(fd, (off_t)c.size))
		err(1, "%s", path);
	if (c.mapped && c.len)
		write_mapped(fd, &c);
	else if (c.len && pwrite(fd, buf, c.len, (off_t)c.offset) !=
			  (ssize_t)c.len)
		err(1, "%s", path);
	if (fsync(fd) || close(fd))
		err(1, "%s", path);
}

/* What is not durable is of no use, and must not do harm either. */
static void disturb(const char *dir, int step)
{
	char path[256], other[256];
	int fd;

	name_of(path, sizeof(path), dir, "noise", step);
	fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd < 0 || write(fd, buf, 30000) != 30000 || close(fd))
		err(1, "%s", path);
	name_of(other, sizeof(other), dir, "moved", step);
	if (step % 3 == 0 && rename(path, other))
		err(1, "%s", other);
	name_of(path, sizeof(path), dir, "dir", step);
	if (mkdir(path, 0755))
		err(1, "%s", path);
	if (step < 4)
		return;
	name_of(path, sizeof(path), dir, step % 3 == 1 ? "moved" : "noise",
		step - 4);
	unlink(path);
	name_of(path, sizeof(path), dir, "dir", step - 4);
	rmdir(path);
}

static int work(const char *dir, const char *command)
{
	char text[512];

	for (int step = 0; step < STEPS; step++) {
		change_file(dir, step);
		apply(step, &files[step % FILES]);
		snprintf(text, sizeof(text), "%s %d", command, step);
		if (system(text))
			errx(1, "%s", text);
		disturb(dir, step);
	}
	return 0;
}

/* In the middle of the step after it a byte is as before or as after it. */
static bool may_be(const struct file *old, const struct file *new, size_t i,
		   unsigned char c)
{
	if (old == new || c == old->data[i])
		return c == old->data[i];
	return c == new->data[i];
}

static int differs(const char *path, const struct file *old,
		   const struct file *new)
{
	size_t low = old->size < new->size ? old->size : new->size;
	size_t high = old->size < new->size ? new->size : old->size;
	int fd = open(path, O_RDONLY);
	ssize_t got;

	/* It need not be there before its first step has ended. */
	if (fd < 0 && errno == ENOENT && !old->size)
		return 0;
	got = fd < 0 ? -1 : read(fd, buf, FILE_MAX);
	if (got < 0)
		err(1, "%s", path);
	close(fd);
	if ((size_t)got < low || (size_t)got > high) {
		printf("# %s has %zd bytes, not %zu to %zu\n", path, got, low,
		       high);
		return 1;
	}
	for (size_t i = 0; i < (size_t)got; i++) {
		if (may_be(old, new, i, buf[i]))
			continue;
		printf("# %s has %u at %zu, not %u or %u\n", path, buf[i], i,
		       old->data[i], new->data[i]);
		return 1;
	}
	return 0;
}

static int check(const char *dir, int last)
{
	char path[256];
	int bad = 0;

	for (int step = 0; step <= last; step++)
		apply(step, &files[step % FILES]);
	memcpy(next, files, sizeof(next));
	if (last + 1 < STEPS)
		apply(last + 1, &next[(last + 1) % FILES]);
	for (int i = 0; i < FILES; i++) {
		bool moves = i == (last + 1) % FILES && last + 1 < STEPS;

		name_of(path, sizeof(path), dir, "file", i);
		bad |= differs(path, &files[i], moves ? &next[i] : &files[i]);
	}
	return bad;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "work"))
		return work(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return check(argv[2], atoi(argv[3]));
	if (argc == 5 && !strcmp(argv[1], "replay"))
		return replay(argv[2], argv[3], argv[4]);
	errx(2, "usage: %s work|check|replay ...", argv[0]);
}

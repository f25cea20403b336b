// SPDX-License-Identifier: GPL-2.0
/*
 * Several at once, with transactions written in the background.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "tap.h"

#define THREADS		4
#define FILES		1000
/* Of a file with data in every other block. */
#define EXTENTS		700

/**
 * struct worker - a thread
 * @v: the file system
 * @dir: a directory of its own
 * @map: a file that all look at
 * @nr: number of the thread
 * @bad: what went wrong
 */
struct worker {
	struct volume	*v;
	struct node	*dir;
	struct node	*map;
	unsigned int	nr;
	unsigned int	bad;
};

static int one(struct worker *w, unsigned int i, const char *name)
{
	const struct make mk = { .mode = S_IFREG | 0644 };
	struct node *n;
	int ret;

	ret = commit_room(w->v);
	WR_LOCK(w->v);
	if (!ret)
		ret = name_make(w->v, w->dir, name, &mk, &n);
	if (!ret) {
		ret = plain_write(w->v, n, name, strlen(name), 0);
		node_put(w->v, n);
	}
	if (!ret && i % 3 == 0)
		ret = name_unlink(w->v, w->dir, name, false, true, true, NULL);
	UNLOCK(w->v);
	if (!ret && i % 50 == 0)
		ret = commit_now(w->v);
	return ret;
}

/* Meanwhile others look. */
static bool look(struct worker *w, const char *name, bool there)
{
	struct dirent_at at;
	bool found;

	RD_LOCK(w->v);
	found = !dir_find(w->dir, name, &at);
	UNLOCK(w->v);
	return found == there;
}

/* And ask where data is. */
static bool find(struct worker *w, uint64_t lblk)
{
	struct fusex_map_begin_in in = { .offset = lblk << 12, .length = 4096 };
	struct fusex_map_begin_out out = { .lease = 0 };
	int ret;

	RD_LOCK(w->v);
	ret = map_peek(w->v, w->map, &in, &out);
	UNLOCK(w->v);
	return !ret && out.read.offset == in.offset &&
	       out.read.length == 4096 &&
	       out.read.type == (lblk & 1 ? FUSEX_MAP_HOLE : FUSEX_MAP_MAPPED);
}

static struct node *make_map(struct volume *v)
{
	struct node *n = image_file(v, image_root(v), "map", 0);
	struct fusex_map_begin_in in = { .length = 4096 };
	struct fusex_map_begin_out out = { .lease = 0 };
	uint64_t i;
	int ret = 0;

	WR_LOCK(v);
	is(map_peek(v, n, &in, &out), -EAGAIN, "a file nobody has looked at");
	for (i = 0; i < EXTENTS && !ret; i++)
		ret = plain_write(v, n, "x", 1, i << 13);
	is(ret, 0, "a file of many extents");
	in.op = FUSEX_MAP_OP_WRITE;
	in.offset = 4096;
	is(map_peek(v, n, &in, &out), -EAGAIN, "space takes more");
	in.offset = 0;
	is(map_peek(v, n, &in, &out), -EAGAIN, "the first write is noted");
	is(map_begin(v, n, &in, &out), 0, "which it is");
	is(map_peek(v, n, &in, &out), 0, "the next one need not be");
	UNLOCK(v);
	return n;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[32];
	unsigned int i;

	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		w->bad += one(w, i, name) != 0;
		w->bad += !look(w, name, i % 3);
		w->bad += !find(w, i * 7 % (2 * EXTENTS - 1));
	}
	return NULL;
}

int main(void)
{
	const char *path = image_make("-b 4096 -J size=4", 128);
	const struct volume_options o = { .interval = 1 };
	struct worker w[THREADS];
	pthread_t threads[THREADS];
	struct volume *v;
	struct node *map;
	unsigned int i;
	char name[16];

	if (volume_open(path, &o, &v))
		return 1;
	map = make_map(v);
	for (i = 0; i < THREADS; i++) {
		snprintf(name, sizeof(name), "dir%u", i);
		w[i] = (struct worker){ .v = v, .nr = i, .map = map };
		w[i].dir = image_file(v, image_root(v), name, S_IFDIR | 0755);
		pthread_create(&threads[i], NULL, work, &w[i]);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		is(w[i].bad, 0, "a thread makes and removes files");
	}
	ok(image_close(v, path), "e2fsck finds nothing");
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of all kinds at once, on the same few directories and files.
 *
 * What comes of each depends on the others; that nothing is corrupted, that no
 * block or inode is counted twice, and that every file has the data it was given
 * does not.  Built with the thread sanitizer as well, which sees what is changed
 * without a lock.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "internal.h"
#include "ops.h"
#include "tap.h"

#define THREADS		4u
#define ROUNDS		3000u
/* Directories that all use, names in each, and files of which each writes a part. */
#define DIRS		3u
#define NAMES		300u
#define SHARED		4u
/* Blocks that a thread has of a shared file, which take turns. */
#define PARTS		60u

/**
 * struct load - a thread
 * @v: the file system
 * @se: session of its requests
 * @hdr: and their header
 * @req: its request
 * @dirs: directories
 * @files: shared files
 * @nr: number of the thread
 * @seed: of its random numbers
 * @bad: requests that failed as they must not
 * @why: the last of these
 */
struct load {
	struct volume	*v;
	struct fusex_session *se;
	struct fusex_in_header hdr;
	struct fusex_req *req;
	struct fusex_node dirs[DIRS];
	struct fusex_node files[SHARED];
	unsigned int	nr;
	uint32_t	seed;
	unsigned int	bad;
	int		why;
};

static uint32_t pick(struct load *w, uint32_t below)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 8) % below;
}

/* Somebody else may have been faster; nothing else may go wrong. */
static int check(struct load *w, int ret)
{
	switch (ret) {
	case -ENOENT:
	case -EEXIST:
	case -ESTALE:
	case -ENOTEMPTY:
	case -ENOTDIR:
	case -EISDIR:
	case -ENODATA:
	case -EINVAL:
	case -EOPNOTSUPP:
		break;
	default:
		if (ret < 0) {
			w->bad++;
			w->why = ret;
		}
	}
	return ret;
}

static void forget(struct load *w, const struct fusex_entry *e)
{
	const struct fusex_forget_one one = {
		.nodeid = e->nodeid, .generation = e->generation, .nlookup = 1,
	};

	if (e->nodeid)
		ext4_forget(w->req, &one, 1);
}

static struct fusex_node node_of(const struct fusex_entry *e)
{
	return (struct fusex_node){ .nodeid = e->nodeid,
				    .generation = e->generation };
}

/* Where data goes to, and that it is there. */
static void map_some(struct load *w, const struct fusex_node *node,
		     uint64_t block)
{
	const unsigned int size = block_size(w->v);
	struct fusex_map_begin_in in = { .offset = block * size, .length = size,
					 .op = FUSEX_MAP_OP_WRITE };
	struct fusex_map_begin_out out = { .lease = 0 };
	struct fusex_map_ioend_in end = {
		.offset = block * size, .length = size,
		.size = (block + 1) * size,
		.flags = FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_APPEND,
	};
	struct fusex_attr_out attr = { .attr_valid = 0 };
	int ret;

	if (!check(w, ext4_map_begin(w->req, node, &in, &out))) {
		ret = ext4_map_ioend(w->req, node, &end, &attr);
		/* The kernel cuts no file in between, as others here do. */
		if (ret != -EIO)
			check(w, ret);
	}
	in.op = 0;
	check(w, ext4_map_begin(w->req, node, &in, &out));
}

static void use_file(struct load *w, const struct fusex_node *node)
{
	struct fusex_setattr_in set = { .valid = FUSEX_SET_SIZE,
					.size = pick(w, 40000) };
	struct fusex_fallocate_in room = { .offset = pick(w, 9) << 12,
					   .length = 8192 };
	struct fusex_attr_out attr = { .attr_valid = 0 };
	struct fusex_write_in wr = { .size = 100, .offset = pick(w, 30000) };
	struct fusex_write_out wrote = { .offset = wr.offset };
	char buf[256] = { 0 };

	switch (pick(w, 6)) {
	case 0:
		check(w, ext4_setattr(w->req, node, &set, &attr));
		break;
	case 1:
		check(w, ext4_fallocate(w->req, node, &room, &attr));
		break;
	case 2:
		check(w, ext4_write(w->req, node, &wr, buf, &wrote));
		break;
	case 3:
		check(w, ext4_setxattr(w->req, node, "user.some", buf, 100, 0,
				       &attr));
		break;
	default:
		map_some(w, node, pick(w, 100));
		break;
	}
	check(w, ext4_getattr(w->req, node, NULL, &attr));
	check(w, (int)ext4_getxattr(w->req, node, "user.some", buf, 256));
}

static void make(struct load *w, const struct fusex_node *dir,
		 const char *name)
{
	struct fusex_make_in in = { .mode = S_IFREG | 0644 };
	struct fusex_entry_reply e = { .entry.nodeid = 0 };
	struct fusex_open_out open = { 0 };
	struct fusex_node node;
	int ret;

	if (!pick(w, 8)) {
		in.mode = S_IFDIR | 0755;
		ret = ext4_mknod(w->req, dir, name, &in, &e);
	} else {
		ret = ext4_create(w->req, dir, name, &in, &e, &open);
	}
	if (check(w, ret))
		return;
	node = node_of(&e.entry);
	if (S_ISREG(e.entry.attr.mode))
		use_file(w, &node);
	forget(w, &e.entry);
}

static void look_up(struct load *w, const struct fusex_node *dir,
		    const char *name)
{
	struct fusex_entry_reply e = { .entry.nodeid = 0 };
	struct fusex_node node;

	if (check(w, ext4_lookup(w->req, dir, name, &e)) || !e.entry.nodeid)
		return;
	node = node_of(&e.entry);
	if (S_ISREG(e.entry.attr.mode))
		use_file(w, &node);
	forget(w, &e.entry);
}

static void list(struct load *w, const struct fusex_node *node)
{
	struct fusex_readdir_in in = { .flags = FUSEX_READDIR_ATTRS };
	struct fusex_dir dir = { .size = 16384, .entries = true };
	const struct fusex_dirent *de;
	size_t at;

	dir.buf = need(1, dir.size);
	if (!check(w, ext4_readdir(w->req, node, &in, &dir))) {
		for (at = 0; at < dir.used; at += de->reclen) {
			de = (const void *)(dir.buf + at);
			if (de->flags & FUSEX_DIRENT_ENTRY)
				forget(w, (const void *)(dir.buf + at +
							 sizeof(*de)));
		}
	}
	free(dir.buf);
}

static void one_round(struct load *w)
{
	const struct fusex_node *dir = &w->dirs[pick(w, DIRS)];
	const struct fusex_node *dir2 = &w->dirs[pick(w, DIRS)];
	struct fusex_unlink_out gone = { 0 };
	struct fusex_rename_out moved = { 0 };
	struct fusex_statfs_out st = { 0 };
	char name[32], name2[32];

	snprintf(name, sizeof(name), "a name of some length %u",
		 pick(w, NAMES));
	snprintf(name2, sizeof(name2), "a name of some length %u",
		 pick(w, NAMES));
	switch (pick(w, 12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		make(w, dir, name);
		break;
	case 4:
	case 5:
		look_up(w, dir, name);
		break;
	case 6:
	case 7:
		check(w, ext4_unlink(w->req, dir, name, NULL, pick(w, 2) ?
				     FUSEX_UNLINK_UNUSED : 0, &gone));
		break;
	case 8:
		check(w, ext4_rmdir(w->req, dir, name, NULL, 0, &gone));
		break;
	case 9:
		check(w, ext4_rename(w->req, dir, name, dir2, name2, 0,
				     &moved));
		break;
	case 10:
		list(w, dir);
		break;
	default:
		check(w, ext4_statfs(w->req, dir, &st));
		check(w, ext4_fsync(w->req, dir, NULL));
		break;
	}
}

/* Blocks of a thread in a shared file are in between those of the others. */
static void write_part(struct load *w, unsigned int i)
{
	const unsigned int size = block_size(w->v);
	const struct fusex_node *node = &w->files[i % SHARED];
	uint64_t block = (uint64_t)(i / SHARED) * THREADS + w->nr;
	struct fusex_write_in in = { .size = size, .offset = block * size };
	struct fusex_write_out out = { .offset = in.offset };
	char *buf = need(1, size);

	memset(buf, 'a' + (int)(block % 26), size);
	check(w, ext4_write(w->req, node, &in, buf, &out));
	free(buf);
}

static void *work(void *arg)
{
	struct load *w = arg;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		one_round(w);
		if (i < PARTS * SHARED)
			write_part(w, i);
	}
	return NULL;
}

/* What all have written is there. */
static bool is_whole(struct load *w, const struct fusex_node *node)
{
	const unsigned int size = block_size(w->v);
	char *buf = need(1, size);
	bool whole = true;
	uint64_t block;

	for (block = 0; block < PARTS * THREADS && whole; block++) {
		struct fusex_read_in in = { .size = size,
					    .offset = block * size };

		whole = ext4_read(w->req, node, &in, buf) == size &&
			buf[0] == 'a' + (char)(block % 26) &&
			!memcmp(buf, buf + 1, size - 1);
	}
	free(buf);
	return whole;
}

static void set_up(struct load *w, struct volume *v,
		   struct fusex_session *se, unsigned int nr)
{
	*w = (struct load){ .v = v, .se = se, .nr = nr, .seed = nr };
	w->req = need(1, sizeof(*w->req));
	w->req->se = se;
	w->req->hdr = &w->hdr;
}

static struct fusex_node make_one(struct volume *v, const char *kind,
				  unsigned int nr, uint32_t mode)
{
	char name[32];
	struct node *n;

	snprintf(name, sizeof(name), "%s%u", kind, nr);
	n = image_file(v, image_root(v), name, mode);
	n->lookups++;
	return (struct fusex_node){ .nodeid = n->ino,
				    .generation = n->raw.i_generation };
}

static void make_all(struct load *w, struct volume *v)
{
	unsigned int i;

	for (i = 0; i < DIRS; i++)
		w->dirs[i] = make_one(v, "dir", i, S_IFDIR | 0755);
	for (i = 0; i < SHARED; i++)
		w->files[i] = make_one(v, "file", i, S_IFREG | 0644);
}

static void test_kind(const char *kind, bool remote)
{
	const char *path = image_make(kind, 64);
	const struct volume_options o = { .interval = 1, .remote = remote };
	struct fusex_session *se = need(1, sizeof(*se));
	struct load w[THREADS];
	pthread_t threads[THREADS];
	struct volume *v;
	unsigned int i;

	printf("# %s\n", kind);
	if (volume_open(path, &o, &v))
		exit(1);
	se->userdata = v;
	for (i = 0; i < THREADS; i++)
		set_up(&w[i], v, se, i);
	make_all(&w[0], v);
	for (i = 0; i < THREADS; i++) {
		memcpy(w[i].dirs, w[0].dirs, sizeof(w->dirs));
		memcpy(w[i].files, w[0].files, sizeof(w->files));
		pthread_create(&threads[i], NULL, work, &w[i]);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (!is(w[i].bad, 0, "requests of a thread"))
			printf("# %s\n", strerror(-w[i].why));
	}
	for (i = 0; i < SHARED; i++)
		ok(is_whole(&w[0], &w[0].files[i]), "a file of all threads");
	for (i = 0; i < THREADS; i++)
		free(w[i].req);
	free(se);
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	test_kind("-b 1024 -g 1024 -I 256 -J size=1", false);
	test_kind("-b 4096 -J size=4", true);
	test_kind("-b 1024 -J size=1 -O ^extents,^64bit", false);
	test_kind("-b 4096 -J size=4 -O inline_data -I 512", false);
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Images in which the metadata of one file or directory is damaged: whatever is done
 * with it, and around it, all others are what they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"

#define TRIALS		12u
#define SECONDS		60
/* Files that are not touched, and as many that are deleted. */
#define FILES		40u
/* Of those that have a tree: pieces, and how far apart they are. */
#define PIECES		40u
#define APART		16384u
#define DATA_MAX	(PIECES * APART + 4096u)

/* Names, contents and attributes of what is to stay. */
static const char * const dirs[] = { "others", "" };

/**
 * struct place - metadata of the victim, where it is on the disk
 * @what: in words
 * @offset: bytes
 * @size: bytes
 */
struct place {
	const char	*what;
	uint64_t	offset;
	unsigned int	size;
};

enum { INODE, TREE, ATTRS, DIR_INODE, DIR_BLOCK, PLACES };

/* What is in file @i; returns how long it is.  Every tenth is in pieces. */
static size_t contents(unsigned int i, unsigned char *buf)
{
	size_t size = 200 + i * 997u, at;

	memset(buf, 0, DATA_MAX);
	if (i % 10 == 0) {
		for (at = 0; at < PIECES; at++)
			snprintf((char *)buf + at * APART, 64,
				 "piece %zu of file %u", at, i);
		return (PIECES - 1) * APART + 64;
	}
	for (at = 0; at < size; at++)
		buf[at] = (unsigned char)(at * 7 + (at >> 8) + i * 31);
	return size;
}

static void attribute(unsigned int i, char *value)
{
	memset(value, 'a' + (int)(i % 26), 250);
	snprintf(value, 250, "of file %u", i);
}

static int fill(struct volume *v, struct node *n, unsigned int i,
		unsigned char *buf)
{
	size_t size = contents(i, buf), at;
	char value[250];
	int ret = 0;

	if (i % 10 == 0)
		for (at = 0; at < PIECES && !ret; at++)
			ret = plain_write(v, n, buf + at * APART, 64,
					  at * APART);
	else
		ret = plain_write(v, n, buf, size, 0);
	attribute(i, value);
	return ret ? ret : xattr_set(v, n, "user.a", value, sizeof(value), 0);
}

static struct node *lookup(struct volume *v, struct node *dir, const char *name)
{
	struct node *n = NULL;

	if (dir && *name && name_lookup(v, dir, name, &n))
		return NULL;
	if (n)
		node_put(v, n);
	return *name ? n : dir;
}

static void make_one(struct volume *v, struct node *dir, const char *kind,
		     unsigned int i, unsigned char *buf)
{
	struct node *n;
	char name[40];

	snprintf(name, sizeof(name), "%s-%u", kind, i);
	n = image_file(v, dir, name, 0);
	WR_LOCK(v);
	if (!n || fill(v, n, i, buf)) {
		printf("Bail out! cannot make %s\n", name);
		exit(1);
	}
	UNLOCK(v);
}

/* The victim is among the others, so that what it has is, too. */
static void populate(struct volume *v, unsigned char *buf)
{
	struct node *root = image_root(v), *dir, *mine;
	unsigned int i;

	dir = image_file(v, root, dirs[0], S_IFDIR | 0755);
	mine = image_file(v, root, "victims", S_IFDIR | 0755);
	for (i = 0; i < FILES; i++) {
		if (i == FILES / 2)
			make_one(v, root, "victim", 0, buf);
		make_one(v, i & 1 ? dir : root, "other", i, buf);
		make_one(v, i & 1 ? dir : root, "doomed", i, buf);
		make_one(v, mine, "in victims", i, buf);
	}
}

static uint64_t inode_at(struct volume *v, const struct node *n)
{
	uint32_t per = v->fs->super->s_inodes_per_group;

	return ext2fs_inode_table_loc(v->fs, (n->ino - 1) / per) *
		       block_size(v) +
	       (uint64_t)((n->ino - 1) % per) * v->inode_size;
}

static void find_places(struct volume *v, struct place *p)
{
	struct node *root = image_root(v), *n, *dir;
	struct ext3_extent_header *tree;
	struct run r = { .pblk = 0 };

	WR_LOCK(v);
	n = lookup(v, root, "victim-0");
	dir = lookup(v, root, "victims");
	if (!n || !dir) {
		printf("Bail out! the victims are gone\n");
		exit(1);
	}
	tree = (struct ext3_extent_header *)n->raw.i_block;
	ok(tree->eh_depth == 1, "the victim has a tree of extents");
	p[INODE] = (struct place){ "inode", inode_at(v, n), v->inode_size };
	p[TREE] = (struct place){ "block of extents",
				  ((struct ext3_extent_idx *)(tree + 1))->ei_leaf *
					  (uint64_t)block_size(v),
				  block_size(v) };
	p[ATTRS] = (struct place){ "block of attributes",
				   ext2fs_file_acl_block(v->fs, inode_of(n)) *
					   block_size(v),
				   block_size(v) };
	ok(p[ATTRS].offset, "and a block of attributes");
	p[DIR_INODE] = (struct place){ "inode of a directory",
				       inode_at(v, dir), v->inode_size };
	is(file_find(v, dir, 0, &r), 0, "the other one is a directory");
	p[DIR_BLOCK] = (struct place){ "block of a directory",
				       r.pblk * block_size(v), block_size(v) };
	UNLOCK(v);
}

static void damage(const char *path, const struct place *p)
{
	unsigned int count = 1 + rnd(4);
	int fd = open(path, O_RDWR);
	unsigned char c;
	off_t at;

	while (count--) {
		/* What is there is at the beginning, for the most part. */
		at = (off_t)p->offset + rnd(rnd(3) ? p->size / 4 : p->size);
		if (pread(fd, &c, 1, at) != 1)
			exit(1);
		c ^= (unsigned char)(1 + rnd(255));
		if (pwrite(fd, &c, 1, at) != 1)
			exit(1);
	}
	close(fd);
}

static void use_file(struct volume *v, struct node *n, unsigned char *buf)
{
	char value[250];
	struct fusex_attr a;

	attr_fill(v, n, &a);
	attribute(1, value);
	xattr_get(v, n, "user.a", buf, sizeof(value));
	plain_read(v, n, buf, DATA_MAX, 0);
	if (rnd(2))
		plain_write(v, n, buf, 9000, rnd(DATA_MAX));
	if (rnd(2))
		xattr_set(v, n, "user.a", value, rnd(250), 0);
	if (rnd(2))
		falloc(v, n, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       rnd(PIECES) * APART, 3 * APART);
	if (rnd(2))
		size_set(v, n, rnd(DATA_MAX));
}

static void use_victims(struct volume *v, unsigned char *buf)
{
	const struct make mk = { .mode = S_IFREG | 0644 };
	struct node *root = image_root(v), *n, *dir;
	struct moved m;

	WR_LOCK(v);
	n = lookup(v, root, "victim-0");
	if (n)
		use_file(v, n, buf);
	dir = lookup(v, root, "victims");
	if (dir && !name_make(v, dir, "new", &mk, &n))
		node_put(v, n);
	if (dir && !name_rename(v, dir, "in victims-3", root, "moved", 0, NULL,
				&m)) {
		node_put(v, m.node);
		node_put(v, m.node2);
	}
	if (dir)
		name_unlink(v, dir, "in victims-4", false, true, true, NULL);
	if (rnd(2))
		name_unlink(v, root, "victim-0", false, true, true, NULL);
	UNLOCK(v);
}

/* Some of what was to be deleted is, and other files come. */
static void use_others(struct volume *v, unsigned int round, unsigned char *buf)
{
	struct node *root = image_root(v), *dir, *n;
	unsigned int i;
	char name[40];

	WR_LOCK(v);
	dir = lookup(v, root, dirs[0]);
	for (i = round; i < FILES; i += 2) {
		snprintf(name, sizeof(name), "doomed-%u", i);
		name_unlink(v, i & 1 ? dir : root, name, false, true, true,
			    NULL);
	}
	UNLOCK(v);
	commit_now(v);
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "new-%u-%u", round, i);
		n = image_file(v, i & 1 ? dir : root, name, 0);
		WR_LOCK(v);
		if (n)
			fill(v, n, i, buf);
		UNLOCK(v);
	}
	commit_now(v);
}

static void serve(const char *path)
{
	const struct volume_options o = { .errors = EXT2_ERRORS_CONTINUE };
	unsigned char *buf = need(1, DATA_MAX);
	int fd = open("/dev/null", O_WRONLY);
	unsigned int round;
	struct volume *v;

	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	alarm(SECONDS);
	if (volume_open(path, &o, &v))
		_exit(1);
	for (round = 0; round < 2; round++) {
		use_victims(v, buf);
		use_others(v, round, buf);
	}
	volume_close(v);
	free(buf);
	_exit(0);
}

/* In a process of its own: that is how a crash is noticed. */
static bool served(const char *path)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		serve(path);
	waitpid(pid, &status, 0);
	return !status;
}

static bool is_whole(struct volume *v, struct node *dir, unsigned int i,
		     unsigned char *want, unsigned char *got)
{
	size_t size = contents(i, want);
	char name[40], value[250];
	struct node *n;

	snprintf(name, sizeof(name), "other-%u", i);
	n = lookup(v, dir, name);
	attribute(i, value);
	return n && size_of(n) == size &&
	       plain_read(v, n, got, DATA_MAX, 0) == (ssize_t)size &&
	       !memcmp(got, want, size) &&
	       xattr_get(v, n, "user.a", got, 250) == 250 &&
	       !memcmp(got, value, 250);
}

/* How many of those that nobody touched are not what they were. */
static unsigned int count_damaged(const char *path)
{
	unsigned char *want = need(1, DATA_MAX), *got = need(1, DATA_MAX);
	struct volume *v = image_open_ro(path);
	struct node *root = image_root(v), *dir;
	unsigned int i, bad = 0;

	WR_LOCK(v);
	dir = lookup(v, root, dirs[0]);
	for (i = 0; i < FILES; i++)
		bad += !dir || !is_whole(v, i & 1 ? dir : root, i, want, got);
	UNLOCK(v);
	volume_close(v);
	free(want);
	free(got);
	return bad;
}

static void test_place(const char *path, const char *from,
		       const struct place *p)
{
	unsigned int i, bad = 0, spread = 0, lost = 0, broken = 0, found = 0;
	int ret;

	printf("# %s\n", p->what);
	for (i = 0; i < TRIALS; i++) {
		image_run("cp --sparse=always %s %s", from, path);
		damage(path, p);
		bad += !served(path);
		spread += !!count_damaged(path);
		/* 1 and 2: what was damaged is repaired. */
		ret = image_run("e2fsck -fy %s >/dev/null 2>&1", path);
		found += ret == 1 || ret == 2;
		broken += ret > 2;
		lost += !!count_damaged(path);
	}
	is(bad, 0, "it is served, without a crash");
	is(spread, 0, "what was not touched is what it was");
	is(broken, 0, "e2fsck repairs the rest");
	ok(found, "if there is any, as in %u of %u", found, TRIALS);
	is(lost, 0, "and does no harm to the others");
}

static void test_kind(const char *kind)
{
	unsigned char *buf = need(1, DATA_MAX);
	struct place places[PLACES];
	char path[160], from[176];
	struct volume *v;
	unsigned int i;

	printf("# %s\n", kind);
	snprintf(path, sizeof(path), "%s", image_make(kind, 32));
	snprintf(from, sizeof(from), "%s.before", path);
	v = image_open(path);
	populate(v, buf);
	find_places(v, places);
	ok(image_close(v, path), "e2fsck finds nothing");
	is(count_damaged(path), 0, "all is there");
	image_run("mv %s %s", path, from);
	for (i = 0; i < PLACES; i++)
		test_place(path, from, &places[i]);
	free(buf);
}

int main(void)
{
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	/* With checksums: without, a number that is wrong is believed. */
	test_kind("-b 1024 -J size=4");
	test_kind("-b 4096 -J size=4 -O inline_data,ea_inode");
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Images with bytes changed where there is metadata: whatever is made of them,
 * the server does not crash, and does not hang.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"

#define TRIALS		25
#define CHANGES		12
#define SECONDS		100

/* Something of everything. */
static void populate(struct volume *v)
{
	struct node *root = image_root(v), *d, *n;
	struct make link = { .mode = S_IFLNK | 0777 };
	char name[64], target[300], *buf = need(1, 1 << 16);
	unsigned int i;

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	link.target = target;
	d = image_file(v, root, "dir", S_IFDIR | 0755);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "a name of some length %u", i);
		n = image_file(v, i & 1 ? d : root, name, 0);
		WR_LOCK(v);
		if (i % 10 == 0)
			xattr_set(v, n, "user.a", name, 30, 0);
		if (i % 20 == 0)
			xattr_set(v, n, "user.b", target, 250, 0);
		plain_write(v, n, buf, 5000, 0, true);
		/* Extents that need a tree. */
		if (i % 30 == 0)
			for (uint64_t o = 0; o < 40; o++)
				plain_write(v, n, buf, 100, o << 14, true);
		UNLOCK(v);
	}
	WR_LOCK(v);
	if (!name_make(v, root, "link", &link, &n))
		node_put(v, n);
	UNLOCK(v);
	free(buf);
}

static void use_node(struct volume *v, struct node *n, char *buf)
{
	struct fusex_map_begin_in in = { .length = 1 << 20 };
	struct fusex_map_begin_out out = { .lease = 0 };
	struct fusex_fileattr fa;
	struct fusex_attr a;
	uint32_t count;

	attr_fill(v, n, &a);
	attr_get_flags(v, n, &fa);
	xattr_list(v, n, buf, 4096);
	xattr_get(v, n, "user.b", buf, 4096);
	if (LINUX_S_ISLNK(n->raw.i_mode))
		name_readlink(v, n, buf, 4096);
	if (!is_reg(n))
		return;
	map_begin(v, n, &in, true, &out);
	in.op = FUSEX_MAP_OP_WRITE;
	map_begin(v, n, &in, true, &out);
	if (node_has(n, EXT4_EXTENTS_FL))
		extents_count(v, n, &count);
	plain_read(v, n, buf, 65536, 0);
	plain_write(v, n, buf, 3000, rnd(1 << 20), true);
	xattr_set(v, n, "user.new", buf, rnd(200), 0);
	if (rnd(2))
		size_set(v, n, rnd(10000));
}

static void use_dir(struct volume *v, struct node *dir, char *buf, int depth)
{
	const struct dir_name *at;
	char (*names)[256] = need(400, 256);
	unsigned int count = 0, i;
	struct node *n;

	if (dir_load(v, dir) || dir_sort(dir)) {
		free(names);
		return;
	}
	for (at = dir_first(dir, 0); at && count < 400;
	     at = dir_next(dir, at))
		memcpy(names[count++], at->name, at->len + 1u);
	for (i = 0; i < count; i++) {
		if (name_lookup(v, dir, names[i], &n))
			continue;
		use_node(v, n, buf);
		if (is_dir(n) && depth < 3)
			use_dir(v, n, buf, depth + 1);
		node_put(v, n);
		if (rnd(3) == 0)
			name_unlink(v, dir, names[i], false, true, NULL);
	}
	free(names);
}

/* In a process of its own: that is how a crash is noticed. */
static void use_image(const char *path)
{
	const struct volume_options o = { .errors = EXT2_ERRORS_CONTINUE };
	char *buf = need(1, 1 << 16);
	struct volume *v;
	struct node *root;
	int fd = open("/dev/null", O_WRONLY);

	dup2(fd, STDOUT_FILENO);
	alarm(SECONDS);
	if (volume_open(path, &o, &v))
		_exit(0);
	WR_LOCK(v);
	if (!node_get(v, EXT2_ROOT_INO, &root)) {
		use_dir(v, root, buf, 0);
		node_put(v, root);
	}
	UNLOCK(v);
	commit_now(v);
	volume_close(v);
	free(buf);
	_exit(0);
}

/* Somewhere near what is not zero, in what mkfs or the server has written. */
static void change(const char *path, size_t size)
{
	int fd = open(path, O_RDWR), i, tries;
	unsigned char c, near[64];
	off_t at;

	for (i = 0; i < CHANGES; i++) {
		for (tries = 0; tries < 1000; tries++) {
			/* Metadata is at the beginning, for the most part. */
			at = (off_t)rnd(rnd(4) ? (uint32_t)size / 8 :
						 (uint32_t)size);
			at &= ~63;
			if (pread(fd, near, 64, at) == 64 &&
			    memcmp(near, near + 1, 63))
				break;
		}
		at += rnd(64);
		c = (unsigned char)(rnd(3) ? rnd(256) : rnd(2) ? 0 : 0xff);
		if (pwrite(fd, &c, 1, at) != 1)
			exit(1);
	}
	close(fd);
}

static bool survives(const char *path)
{
	pid_t pid;
	int status = 0;

	fflush(stdout);
	pid = fork();
	if (!pid)
		use_image(path);
	waitpid(pid, &status, 0);
	if (status)
		printf("# status %x\n", (unsigned int)status);
	return !status;
}

static void test_kind(const char *kind)
{
	char path[160], from[176];
	unsigned int bad = 0, i;
	struct volume *v;

	snprintf(path, sizeof(path), "%s", image_make(kind, 16));
	snprintf(from, sizeof(from), "%s.before", path);
	printf("# %s\n", kind);
	v = image_open(path);
	populate(v);
	ok(image_close(v, path), "e2fsck finds nothing");
	image_run("mv %s %s", path, from);
	for (i = 0; i < TRIALS; i++) {
		image_run("cp --sparse=always %s %s", from, path);
		change(path, 16u << 20);
		bad += !survives(path);
	}
	is(bad, 0, "nothing crashes or hangs");
}

int main(void)
{
	/* Without checksums, what was changed is believed. */
	test_kind("-b 1024 -O ^metadata_csum,^has_journal");
	test_kind("-b 4096 -O ^metadata_csum,inline_data");
	test_kind("-b 1024 -O ^extents,^64bit,^metadata_csum");
	test_kind("-b 4096");
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Images with bytes changed where there is metadata: whatever is made of them,
 * the server does not crash, and does not hang.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"
#include "use.h"

#define TRIALS		15u
#define CHANGES		12
#define SECONDS		30

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
		plain_write(v, n, buf, 5000, 0);
		/* Extents that need a tree. */
		if (i % 30 == 0)
			for (uint64_t o = 0; o < 40; o++)
				plain_write(v, n, buf, 100, o << 14);
		UNLOCK(v);
	}
	WR_LOCK(v);
	if (!name_make(v, root, "link", &link, &n))
		node_put(v, n);
	UNLOCK(v);
	free(buf);
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

static void test_kind(const char *kind)
{
	char path[160], from[176];
	unsigned int bad = 0, served = 0, i;
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
		switch (use_image(path, SECONDS)) {
		case USE_BAD:
			bad++;
			break;
		case USE_SERVED:
			served++;
			break;
		default:
			break;
		}
	}
	is(bad, 0, "nothing crashes or hangs");
	ok(served, "%u of %u were served", served, TRIALS);
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

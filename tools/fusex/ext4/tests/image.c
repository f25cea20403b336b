// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"

#define MKFS	"PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F"

static char dir[64];
static char path[128];

__attribute__((noreturn))
static void bail(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static void remove_dir(void)
{
	if (*dir)
		image_run("rm -rf %s", dir);
}

int image_run(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	fflush(stdout);
	/* The words are the test's own.  NOLINTNEXTLINE(cert-env33-c) */
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

const char *image_make(const char *mkfs, unsigned int mib)
{
	const char *tmp = getenv("TMPDIR");

	if (!*dir) {
		snprintf(dir, sizeof(dir), "%s/ext4.XXXXXX",
			 tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			bail("no directory for images");
		atexit(remove_dir);
	}
	snprintf(path, sizeof(path), "%s/image", dir);
	unlink(path);
	if (image_run("%s -E lazy_itable_init=1 %s %s %uM >/dev/null", MKFS,
		      mkfs, path, mib))
		bail("mkfs.ext4 failed");
	return path;
}

static struct volume *open_image(const char *image, bool readonly)
{
	const struct volume_options o = { .readonly = readonly };
	struct volume *v;

	if (volume_open(image, &o, &v))
		bail("cannot open the image");
	return v;
}

struct volume *image_open(const char *image)
{
	return open_image(image, false);
}

struct volume *image_open_ro(const char *image)
{
	return open_image(image, true);
}

bool image_check(const char *image)
{
	int ret = image_run("PATH=$PATH:/usr/sbin:/sbin e2fsck -fn %s >%s/fsck 2>&1",
			    image, dir);

	if (ret)
		image_run("sed 's/^/# /' %s/fsck", dir);
	return !ret;
}

bool image_close(struct volume *v, const char *image)
{
	int ret = volume_close(v);

	if (ret)
		printf("# closing: %s\n", strerror(-ret));
	return image_check(image) && !ret;
}

struct node *image_root(struct volume *v)
{
	struct node *n;

	if (node_get(v, EXT2_ROOT_INO, &n))
		bail("no root directory");
	node_put(v, n);
	return n;
}

struct node *image_file(struct volume *v, struct node *parent,
			const char *name, uint32_t mode)
{
	const struct make mk = { .mode = mode ? mode : S_IFREG | 0644 };
	struct node *n;
	int ret;

	WR_LOCK(v);
	ret = name_make(v, parent, name, &mk, &n);
	if (!ret)
		node_put(v, n);
	UNLOCK(v);
	if (ret)
		printf("# cannot make %s: %s\n", name, strerror(-ret));
	return ret ? NULL : n;
}

struct node *image_name(struct volume *v, const char *name)
{
	struct node *n;

	if (name_lookup(v, image_root(v), name, &n))
		bail(name);
	node_put(v, n);
	return n;
}

uint64_t image_starve(struct volume *v, uint64_t left)
{
	uint64_t all = ext2fs_free_blocks_count(v->fs->super);

	ext2fs_free_blocks_count_set(v->fs->super, left);
	return all - left;
}

void image_feed(struct volume *v, uint64_t hidden)
{
	ext2fs_free_blocks_count_add(v->fs->super, (blk64_t)hidden);
}

uint32_t rnd(uint32_t below)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

unsigned int image_count_names(struct volume *v, struct node *n)
{
	const struct dir_name *at;
	unsigned int count = 0;

	if (dir_load(v, n) || dir_sort(n))
		return 0;
	for (at = dir_first(n, 0); at; at = dir_next(n, at))
		count++;
	return count;
}

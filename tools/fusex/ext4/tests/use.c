// SPDX-License-Identifier: GPL-2.0
/*
 * Using a file system that may be damaged.
 */
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
#include "use.h"

/* How many names are looked at, of one directory and in all. */
#define NAMES		400u
#define NAMES_ALL	3000u

#define SERVED		7

static const uint32_t fallocs[] = {
	FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
};

static unsigned int names_left;

static void use_node(struct volume *v, struct node *n, char *buf)
{
	struct fusex_map_begin_in in = { .length = 1 << 16 };
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
	map_begin(v, n, &in, &out);
	in.op = FUSEX_MAP_OP_WRITE;
	map_begin(v, n, &in, &out);
	if (node_has(n, EXT4_EXTENTS_FL))
		extents_count(v, n, &count);
	plain_read(v, n, buf, 65536, 0);
	plain_write(v, n, buf, 3000, rnd(1 << 20));
	xattr_set(v, n, "user.new", buf, rnd(200), 0);
	falloc(v, n, fallocs[rnd(4)], rnd(20) << 12, (1 + rnd(4)) << 12);
	if (rnd(2))
		size_set(v, n, rnd(10000));
}

/* Returns how many. */
static unsigned int copy_names(const struct node *dir, char (*names)[256])
{
	const struct dir_name *at;
	unsigned int count = 0;

	for (at = dir_first(dir, 0); at && count < NAMES && names_left;
	     at = dir_next(dir, at), names_left--)
		memcpy(names[count++], at->name, at->len + 1u);
	return count;
}

static void use_dir(struct volume *v, struct node *dir, char *buf, int depth);

static void use_name(struct volume *v, struct node *dir, const char *name,
		     char *buf, int depth)
{
	const struct make mk = { .mode = S_IFREG | 0644 };
	struct moved moved;
	struct node *n;

	if (name_lookup(v, dir, name, &n))
		return;
	use_node(v, n, buf);
	if (is_dir(n) && depth < 3)
		use_dir(v, n, buf, depth + 1);
	node_put(v, n);
	switch (rnd(6)) {
	case 0:
	case 1:
		name_unlink(v, dir, name, false, true, true,
			    NULL);
		break;
	case 2:
		name_unlink(v, dir, name, true, true, true,
			    NULL);
		break;
	case 3:
		if (!name_rename(v, dir, name, dir, "new name", 0, NULL,
				 &moved)) {
			node_put(v, moved.node);
			node_put(v, moved.node2);
		}
		break;
	case 4:
		if (!name_make(v, dir, "another", &mk, &n))
			node_put(v, n);
		break;
	default:
		break;
	}
}

static void use_dir(struct volume *v, struct node *dir, char *buf, int depth)
{
	char (*names)[256] = need(NAMES, 256);
	unsigned int count = 0, i;

	if (!dir_load(v, dir) && !dir_sort(dir))
		count = copy_names(dir, names);
	for (i = 0; i < count; i++)
		use_name(v, dir, names[i], buf, depth);
	free(names);
}

static void serve(struct volume *v)
{
	char *buf = need(1, 1 << 16);
	struct node *root;

	WR_LOCK(v);
	names_left = NAMES_ALL;
	if (!node_get(v, EXT2_ROOT_INO, &root)) {
		use_dir(v, root, buf, 0);
		node_put(v, root);
	}
	UNLOCK(v);
	commit_now(v);
	free(buf);
}

static void in_child(const char *path, unsigned int seconds)
{
	const struct volume_options o = { .errors = EXT2_ERRORS_CONTINUE };
	int fd = open("/dev/null", O_WRONLY);
	struct volume *v;

	dup2(fd, STDOUT_FILENO);
	alarm(seconds);
	if (volume_open(path, &o, &v))
		_exit(0);
	serve(v);
	volume_close(v);
	_exit(SERVED);
}

enum use_result use_image(const char *path, unsigned int seconds)
{
	pid_t pid;
	int status = 0;

	fflush(stdout);
	pid = fork();
	if (!pid)
		in_child(path, seconds);
	waitpid(pid, &status, 0);
	if (!status)
		return USE_REFUSED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SERVED)
		return USE_SERVED;
	printf("# status %x\n", (unsigned int)status);
	return USE_BAD;
}

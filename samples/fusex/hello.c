// SPDX-License-Identifier: LGPL-2.1-or-later
/* A file system with one file, "hello".  Usage: fusex-hello MOUNTPOINT */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fusex.h>
#include <string.h>
#include <sys/stat.h>

static const char text[] = "Hello, world!\n";

static int hello_lookup(struct fusex_req *req, const struct fusex_node *dir,
			const char *name, struct fusex_entry_reply *out)
{
	if (strcmp(name, "hello") != 0)
		return -ENOENT;
	out->entry.nodeid = 2;
	out->entry.attr.mask = FUSEX_ATTR_REQUIRED;
	out->entry.attr.mode = S_IFREG | 0444;
	out->entry.attr.nlink = 1;
	out->entry.attr.size = strlen(text);
	return 0;
}

static int hello_readdir(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_readdir_in *in, struct fusex_dir *dir)
{
	return in->cookie ? 0 : fusex_dir_add(dir, "hello", 2, DT_REG, 1, NULL);
}

static ssize_t hello_read(struct fusex_req *req, const struct fusex_node *node,
			  const struct fusex_read_in *in, void *buf)
{
	size_t n;

	if (in->offset >= strlen(text))
		return 0;
	n = strlen(text) - in->offset;
	if (n > in->size)
		n = in->size;
	memcpy(buf, text + in->offset, n);
	return (ssize_t)n;
}

static const struct fusex_ops hello_ops = {
	.lookup		= hello_lookup,
	.readdir	= hello_readdir,
	.read		= hello_read,
};

int main(int argc, char **argv)
{
	struct fusex_session *se;
	struct fusex_config cfg;
	int ret;

	if (argc != 2)
		errx(2, "usage: %s MOUNTPOINT", argv[0]);
	fusex_config_init(&cfg, sizeof(cfg));
	cfg.attr_mode = FUSEX_ATTR_LOCAL;	/* nobody else changes them */
	se = fusex_session_new(&hello_ops, sizeof(hello_ops), &cfg, NULL);
	if (!se)
		err(1, "fusex_session_new");
	ret = fusex_session_mount(se, argv[1], "ro");
	if (!ret)
		ret = fusex_run(se, NULL);
	if (ret)
		warnx("%s", fusex_session_error(se));
	fusex_session_free(se);
	return ret ? 1 : 0;
}

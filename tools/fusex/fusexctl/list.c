// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fusexctl.h"
#include "log.h"

#define WORD_MAX	64

/**
 * struct fs - a line of the list
 * @subtype: name of the server
 * @state: mounted or dead
 * @io: mode
 * @attr: mode
 */
struct fs {
	char	subtype[WORD_MAX];
	char	state[WORD_MAX];
	char	io[WORD_MAX];
	char	attr[WORD_MAX];
};

/* False when it was unmounted meanwhile. */
static bool read_fs(const char *dev, struct fs *fs)
{
	if (sysfs_read(dev, "state", fs->state, WORD_MAX))
		return false;
	sysfs_read(dev, "subtype", fs->subtype, WORD_MAX);
	sysfs_read(dev, "io_mode", fs->io, WORD_MAX);
	sysfs_read(dev, "attr_mode", fs->attr, WORD_MAX);
	return true;
}

static void list_json(struct json *j, const char *dev, const struct fs *fs,
		      const char *target, const char *source)
{
	json_open(j, NULL, '{');
	json_string(j, "dev", dev);
	json_string(j, "subtype", fs->subtype);
	json_string(j, "state", fs->state);
	json_string(j, "io", fs->io);
	json_string(j, "attr", fs->attr);
	json_number(j, "server_pid", sysfs_number(dev, "server_pid"));
	json_number(j, "waiting", sysfs_number(dev, "waiting"));
	json_number(j, "timeout_ms", sysfs_number(dev, "timeout_ms"));
	json_string(j, "target", target);
	json_string(j, "source", source);
	json_close(j, '}');
}

static void list_text(const char *dev, const struct fs *fs, const char *target,
		      const char *source)
{
	printf("%-8s %-10s %-8s %-12s %-7s %7llu %8llu %s -> %s\n", dev,
	       *fs->subtype ? fs->subtype : "-", fs->state, fs->io, fs->attr,
	       sysfs_number(dev, "server_pid"),
	       sysfs_number(dev, "waiting"),
	       source ? source : "?", target ? target : "?");
}

static void list_one(const char *dev, struct json *j)
{
	char *target, *source;
	struct fs fs;

	if (!read_fs(dev, &fs))
		return;
	mounts_where(dev, &target, &source);
	if (j)
		list_json(j, dev, &fs, target, source);
	else
		list_text(dev, &fs, target, source);
	free(target);
	free(source);
}

static int is_dev(const struct dirent *de)
{
	return de->d_name[0] != '.' && strchr(de->d_name, ':');
}

int cmd_list(bool json)
{
	struct json j = { .depth = 0 };
	struct dirent **names;
	int i, n;

	n = scandir(SYSFS_DIR, &names, is_dev, versionsort);
	if (n < 0) {
		log_error("cannot read " SYSFS_DIR ": %s", errno == ENOENT ?
			  "the module is not loaded, try: modprobe fusex" :
			  strerror(errno));
		return 1;
	}
	if (json)
		json_open(&j, NULL, '[');
	else if (n)
		printf("%-8s %-10s %-8s %-12s %-7s %7s %8s %s\n", "DEV", "SERVER",
		       "STATE", "IO", "ATTR", "PID", "WAITING", "MOUNT");
	for (i = 0; i < n; i++) {
		list_one(names[i]->d_name, json ? &j : NULL);
		free(names[i]);
	}
	free(names);
	if (json)
		json_close(&j, ']');
	return 0;
}

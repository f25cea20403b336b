// SPDX-License-Identifier: GPL-2.0
/*
 * What is served: each server has a note of it in memory, which who may look into
 * its process finds in /proc.  So it cannot be out of date, nor be left behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "again.h"

#define NOTE_NAME	"fusex-ext4"
#define NOTE_LINK	"/memfd:" NOTE_NAME " (deleted)"
#define NOTE_MAX	1024

/* Of a partition the ioctl would tell about the whole. */
static bool is_whole(dev_t dev)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition",
		 major(dev), minor(dev));
	return access(path, F_OK) != 0;
}

int identify(int fd, struct identity *id)
{
	struct loop_info64 info;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*id = (struct identity){ .dev = st.st_dev, .ino = st.st_ino };
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return -EINVAL;
	*id = (struct identity){ .block = true, .dev = st.st_rdev };
	if (major(st.st_rdev) != LOOP_MAJOR || !is_whole(st.st_rdev) ||
	    ioctl(fd, LOOP_GET_STATUS64, &info) || info.lo_offset ||
	    info.lo_sizelimit)
		return 0;
	*id = (struct identity){ .dev = info.lo_device, .ino = info.lo_inode };
	return 0;
}

/* The first line; the options are the others. */
static int note_head(const struct identity *id, char *buf, size_t room)
{
	return snprintf(buf, room, "%s %u:%u %ju\n", id->block ? "block" : "file",
			major(id->dev), minor(id->dev), (uintmax_t)id->ino);
}

int served_publish(int fd, const char *options)
{
	struct identity id;
	char buf[NOTE_MAX];
	int note, len, ret;

	ret = identify(fd, &id);
	if (ret)
		return ret;
	len = note_head(&id, buf, sizeof(buf));
	len += snprintf(buf + len, sizeof(buf) - (size_t)len, "%s", options);
	if ((size_t)len >= sizeof(buf))
		return -E2BIG;
	/* It is there as long as the process is. */
	note = memfd_create(NOTE_NAME, MFD_CLOEXEC);
	if (note < 0)
		return -errno;
	if (write(note, buf, (size_t)len) == len)
		return 0;
	ret = errno ? -errno : -EIO;
	close(note);
	return ret;
}

/* Returns a number that stands in a file of the mount's in sysfs, or 0. */
static long server_of(dev_t dev)
{
	char path[64], text[32] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/fusex/%u:%u/server_pid",
		 major(dev), minor(dev));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? strtol(text, NULL, 10) : 0;
}

static bool is_alive(dev_t dev)
{
	char path[64], text[16] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/fusex/%u:%u/state", major(dev),
		 minor(dev));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && !strncmp(text, "mounted", 7);
}

/* Returns a descriptor of the process's note, or -1. */
static int open_note(DIR *fds)
{
	char target[sizeof(NOTE_LINK) + 1];
	struct dirent *de;
	ssize_t n;

	while ((de = readdir(fds))) {
		n = readlinkat(dirfd(fds), de->d_name, target, sizeof(target));
		if (n == sizeof(NOTE_LINK) - 1 &&
		    !memcmp(target, NOTE_LINK, sizeof(NOTE_LINK) - 1))
			return openat(dirfd(fds), de->d_name,
				      O_RDONLY | O_CLOEXEC);
	}
	return -1;
}

static bool read_note(long pid, char *buf, size_t room)
{
	char path[64];
	ssize_t n = -1;
	DIR *fds;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	fds = opendir(path);
	if (!fds)
		return false;
	fd = open_note(fds);
	if (fd >= 0) {
		n = pread(fd, buf, room - 1, 0);
		close(fd);
	}
	closedir(fds);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

char *served_as(dev_t dev, const struct identity *id)
{
	char note[NOTE_MAX], head[64];
	long pid = server_of(dev);
	size_t len;

	if (pid <= 0 || !read_note(pid, note, sizeof(note)) || !is_alive(dev))
		return NULL;
	len = (size_t)note_head(id, head, sizeof(head));
	return strncmp(note, head, len) ? NULL : strdup(note + len);
}

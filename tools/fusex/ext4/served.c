// SPDX-License-Identifier: GPL-2.0
/*
 * What is served: each server has a note of it in memory, which who may look into
 * its process finds in /proc.  So it cannot be out of date, nor be left behind.
 * It is believed where the process and the note are of the user who looks: others
 * could say that a device they have nothing to do with is mounted where they like.
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
#define NOTE_SEALS	(F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

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
	struct identity id = { .block = false };
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
	note = memfd_create(NOTE_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (note < 0)
		return -errno;
	if (write(note, buf, (size_t)len) == len &&
	    !fcntl(note, F_ADD_SEALS, NOTE_SEALS))
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

/* It is what this user has written there, and nobody can write anything else. */
static bool is_note(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & NOTE_SEALS) == NOTE_SEALS &&
	       !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

/* Returns a descriptor of the process's note, or -1. */
static int open_note(DIR *fds)
{
	char target[sizeof(NOTE_LINK) + 1];
	struct dirent *de;
	ssize_t n;
	int fd;

	while ((de = readdir(fds))) {
		n = readlinkat(dirfd(fds), de->d_name, target, sizeof(target));
		if (n != sizeof(NOTE_LINK) - 1 ||
		    memcmp(target, NOTE_LINK, sizeof(NOTE_LINK) - 1))
			continue;
		/* Whatever has that name: it is not waited for. */
		fd = openat(dirfd(fds), de->d_name,
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0 && is_note(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* What a process of this user has open, or NULL. */
static DIR *open_fds(long pid)
{
	struct stat st;
	char path[64];
	int proc, fd = -1;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%ld", pid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return NULL;
	if (!fstat(proc, &st) && st.st_uid == geteuid())
		fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(proc);
	if (fd < 0)
		return NULL;
	fds = fdopendir(fd);
	if (!fds)
		close(fd);
	return fds;
}

bool served_note(long pid, char *buf, size_t room)
{
	DIR *fds = open_fds(pid);
	ssize_t n = -1;
	int fd;

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

	if (pid <= 0 || !served_note(pid, note, sizeof(note)) || !is_alive(dev))
		return NULL;
	len = (size_t)note_head(id, head, sizeof(head));
	return strncmp(note, head, len) ? NULL : strdup(note + len);
}

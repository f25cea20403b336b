// SPDX-License-Identifier: GPL-2.0
/*
 * The device a file system is on.
 *
 * An image is locked, so that there is one server for it, and for the kernel to
 * move its data it needs a loop device, which goes away with the last user.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ext4.h"
#include "log.h"

/* Others may be looking for a free one as well. */
#define LOOP_TRIES	16

static int open_block(struct device *d, const char *path, bool direct)
{
	const int flags = O_EXCL | O_CLOEXEC | (direct ? O_DIRECT : 0);
	int fd = -1, size;

	if (!d->readonly)
		fd = open(path, O_RDWR | flags);
	if (fd < 0 && (d->readonly || errno == EROFS || errno == EACCES)) {
		d->readonly = true;
		fd = open(path, O_RDONLY | flags);
	}
	if (fd < 0) {
		int err = -errno;

		if (err == -EBUSY)
			log_error("%s is in use: is it mounted?", path);
		else
			log_error("cannot open %s: %s", path, strerror(-err));
		return err;
	}
	if (ioctl(fd, BLKROGET, &size) == 0 && size)
		d->readonly = true;
	if (direct && ioctl(fd, BLKSSZGET, &size) == 0 && size > 0)
		d->align = (unsigned int)size;
	d->fd = fd;
	d->block = true;
	d->direct = direct;
	snprintf(d->node, sizeof(d->node), "%s", path);
	return 0;
}

static int open_image(struct device *d)
{
	int fd = -1, err;

	if (!d->readonly)
		fd = open(d->path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (d->readonly || errno == EROFS || errno == EACCES)) {
		d->readonly = true;
		fd = open(d->path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		err = -errno;
		log_error("cannot open %s: %s", d->path, strerror(errno));
		return err;
	}
	if (flock(fd, (d->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		err = -errno;
		log_error("%s is in use by another server", d->path);
		close(fd);
		return err;
	}
	return fd;
}

/* Somebody has mounted it, for one; a loop device that is just there harms not. */
static bool is_held(const char *path)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

/* Returns true if the loop device of that name has the image, and is in use. */
static bool loop_has(const char *name, const struct stat *st)
{
	struct loop_info64 info;
	char path[300];
	bool found;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	found = !ioctl(fd, LOOP_GET_STATUS64, &info) &&
		info.lo_inode == st->st_ino && info.lo_device == st->st_dev;
	close(fd);
	return found && is_held(path);
}

/* Behind a loop device somebody may have mounted it. */
static int check_loops(const struct device *d, int image)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *de;
	struct stat st;
	int ret = 0;

	if (!dir)
		return 0;
	if (!fstat(image, &st))
		while (!ret && (de = readdir(dir)))
			if (!strncmp(de->d_name, "loop", 4) &&
			    loop_has(de->d_name, &st)) {
				log_error("%s is in use: /dev/%s has it",
					  d->path, de->d_name);
				ret = -EBUSY;
			}
	closedir(dir);
	return ret;
}

static int loop_configure(int fd, int image, const struct device *d)
{
	struct loop_config cfg = {
		.fd = (uint32_t)image,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
				 (d->readonly ? LO_FLAGS_READ_ONLY : 0),
	};

	snprintf((char *)cfg.info.lo_file_name, LO_NAME_SIZE, "%s", d->path);
	if (!ioctl(fd, LOOP_CONFIGURE, &cfg))
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Not every file system can do direct I/O. */
	cfg.info.lo_flags &= ~(uint32_t)LO_FLAGS_DIRECT_IO;
	return ioctl(fd, LOOP_CONFIGURE, &cfg) ? -errno : 0;
}

/* Returns a descriptor of a loop device that has the image, or -errno. */
static int loop_attach(struct device *d, int image, char *path, size_t room)
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = -1, i, nr, ret = -EBUSY;

	if (ctl < 0)
		return -errno;
	for (i = 0; ret == -EBUSY && i < LOOP_TRIES; i++) {
		nr = ioctl(ctl, LOOP_CTL_GET_FREE);
		if (nr < 0) {
			ret = -errno;
			break;
		}
		snprintf(path, room, "/dev/loop%d", nr);
		fd = open(path, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (fd < 0) {
			ret = -errno;
			break;
		}
		ret = loop_configure(fd, image, d);
		if (ret)
			close(fd);
	}
	close(ctl);
	return ret ? ret : fd;
}

static int open_loop(struct device *d, int image)
{
	char path[32];
	int fd, ret;

	fd = loop_attach(d, image, path, sizeof(path));
	if (fd < 0) {
		log_error("cannot put %s behind a loop device: %s", d->path,
			  strerror(-fd));
		return fd;
	}
	ret = open_block(d, path, true);
	close(fd);
	return ret;
}

int device_open(struct device *d, const char *path, bool readonly,
		bool need_block)
{
	struct stat st;
	int fd, ret;

	*d = (struct device){ .path = path, .fd = -1, .image_fd = -1,
			      .readonly = readonly, .align = 1 };
	if (stat(path, &st)) {
		ret = -errno;
		log_error("cannot open %s: %s", path, strerror(errno));
		return ret;
	}
	if (S_ISBLK(st.st_mode))
		return open_block(d, path, need_block);
	if (!S_ISREG(st.st_mode)) {
		log_error("%s is neither a block device nor an image", path);
		return -EINVAL;
	}
	fd = open_image(d);
	if (fd < 0)
		return fd;
	ret = check_loops(d, fd);
	if (!ret && need_block)
		ret = open_loop(d, fd);
	if (ret) {
		close(fd);
		return ret;
	}
	if (need_block) {
		d->image_fd = fd;
	} else {
		d->fd = fd;
		snprintf(d->node, sizeof(d->node), "/proc/%d/fd/%d",
			 (int)getpid(), fd);
	}
	return 0;
}

void device_close(struct device *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->image_fd >= 0)
		close(d->image_fd);
	d->fd = -1;
	d->image_fd = -1;
}

/* What it is like, as the kernel says: a number, 0 if that is not known. */
static uint64_t queue_number(const struct device *d, const char *name)
{
	char path[96], text[32];
	struct stat st;
	ssize_t n;
	int fd;

	if (!d->block || fstat(d->fd, &st))
		return 0;
	/* Of a partition it is the whole device that says. */
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/%s",
		 major(st.st_rdev), minor(st.st_rdev), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(path, sizeof(path),
			 "/sys/dev/block/%u:%u/../queue/%s",
			 major(st.st_rdev), minor(st.st_rdev), name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10);
}

bool device_is_memory(const struct device *d)
{
	return queue_number(d, "dax");
}

uint64_t device_discard_unit(const struct device *d)
{
	uint64_t unit;

	/* Of an image, holes are made. */
	if (!d->block)
		return 1;
	if (!queue_number(d, "discard_max_bytes"))
		return 0;
	unit = queue_number(d, "discard_granularity");
	return unit ? unit : 1;
}

int device_discard(const struct device *d, uint64_t count, uint64_t offset)
{
	uint64_t range[2] = { offset, count };
	int ret;

	if (d->block)
		ret = ioctl(d->fd, BLKDISCARD, range);
	else
		ret = fallocate(d->fd, FALLOC_FL_PUNCH_HOLE |
					       FALLOC_FL_KEEP_SIZE,
				(off_t)offset, (off_t)count);
	return ret ? -errno : 0;
}

void device_drop(struct device *d, int dead)
{
	/* Not closed: others would use the number for what is opened next. */
	while (dup3(dead, d->fd, O_CLOEXEC) < 0 &&
	       (errno == EBUSY || errno == EINTR))
		;
	if (d->image_fd >= 0)
		close(d->image_fd);
	d->image_fd = -1;
}

int device_flush(const struct device *d)
{
	if (d->readonly)
		return 0;
	return fdatasync(d->fd) ? -errno : 0;
}

int device_read(const struct device *d, void *buf, size_t count,
		uint64_t offset)
{
	ssize_t n;

	while (count) {
		n = pread(d->fd, buf, count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (char *)buf + n;
		offset += (uint64_t)n;
		count -= (size_t)n;
	}
	return 0;
}

int device_write(const struct device *d, const void *buf, size_t count,
		 uint64_t offset)
{
	ssize_t n;

	while (count) {
		n = pwrite(d->fd, buf, count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (const char *)buf + n;
		offset += (uint64_t)n;
		count -= (size_t)n;
	}
	return 0;
}

int device_zero(const struct device *d, uint64_t count, uint64_t offset)
{
	const size_t size = 65536;
	uint64_t range[2] = { offset, count };
	size_t n;
	char *mem;
	int ret = 0;

	if (d->block && d->direct && !ioctl(d->fd, BLKZEROOUT, range))
		return 0;
	mem = aligned_alloc(4096, size);
	if (!mem)
		return -ENOMEM;
	memset(mem, 0, size);
	for (; count && !ret; count -= n, offset += n) {
		n = count < size ? (size_t)count : size;
		ret = device_write(d, mem, n, offset);
	}
	free(mem);
	return ret;
}

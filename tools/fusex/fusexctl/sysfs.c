// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fusexctl.h"
#include "log.h"

static int open_file(const char *dev, const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), SYSFS_DIR "/%s/%s", dev, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysfs_read(const char *dev, const char *name, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd, ret = 0;

	*text = '\0';
	fd = open_file(dev, name, O_RDONLY);
	if (fd < 0)
		return fd;
	while (len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0)
			ret = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (ret)
		len = 0;
	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return ret;
}

unsigned long long sysfs_number(const char *dev, const char *name)
{
	char text[64];

	if (sysfs_read(dev, name, text, sizeof(text)))
		return 0;
	return strtoull(text, NULL, 0);
}

int sysfs_write(const char *dev, const char *name, const char *text)
{
	int fd = open_file(dev, name, O_WRONLY), ret = 0;

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			ret = -errno;
		close(fd);
	} else {
		ret = fd;
	}
	if (ret)
		log_error("cannot write " SYSFS_DIR "/%s/%s: %s", dev, name,
			  strerror(-ret));
	return ret;
}

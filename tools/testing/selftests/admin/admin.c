// SPDX-License-Identifier: GPL-2.0
/*
 * admin PATH shutdown 0|1|2: ends the file system
 * admin PATH label [TEXT]: shows its label, or sets it
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef FS_IOC_SHUTDOWN
#define FS_IOC_SHUTDOWN	_IOR('X', 125, __u32)
#endif

static int shut(int fd, const char *how)
{
	uint32_t arg = (uint32_t)strtoul(how, NULL, 10);

	return ioctl(fd, FS_IOC_SHUTDOWN, &arg);
}

static int label(int fd, const char *text)
{
	char arg[FSLABEL_MAX] = "";

	if (text) {
		snprintf(arg, sizeof(arg), "%s", text);
		return ioctl(fd, FS_IOC_SETFSLABEL, arg);
	}
	if (ioctl(fd, FS_IOC_GETFSLABEL, arg))
		return -1;
	printf("%.*s\n", FSLABEL_MAX, arg);
	return 0;
}

int main(int argc, char **argv)
{
	int fd, ret = -1;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: admin PATH shutdown HOW | label [TEXT]\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && argc == 4 && !strcmp(argv[2], "shutdown"))
		ret = shut(fd, argv[3]);
	else if (fd >= 0)
		ret = label(fd, argc == 4 ? argv[3] : NULL);
	if (ret)
		fprintf(stderr, "%s: %s: %s\n", argv[1], argv[2],
			strerror(errno));
	return ret ? 1 : 0;
}

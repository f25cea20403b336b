/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file system that is served already, at one more place.
 *
 *	served.c	what a server has, for others to be found
 *	again.c		the mount of it that there is, attached a second time
 *	uncover.c	and where no path leads to that one
 */
#ifndef FUSEX_EXT4_AGAIN_H
#define FUSEX_EXT4_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

/**
 * struct identity - a device or an image, whatever it is called
 * @block: it is a block device; a loop device is the image behind it
 * @dev: st_rdev of the device, or st_dev of the image
 * @ino: of the image
 */
struct identity {
	bool	block;
	dev_t	dev;
	ino_t	ino;
};

/** identify() - what is open there? -EINVAL if neither device nor file */
int identify(int fd, struct identity *id);

/**
 * served_publish() - from now on others can find out what is served
 * @fd: the device or image
 * @options: as options_show() has them
 *
 * Return: 0 or -errno.
 */
int served_publish(int fd, const char *options);

/**
 * served_note() - the note of a process, if it has one that can be believed
 * @pid: the process
 * @buf: text
 * @room: of @buf
 *
 * Return: was there one?
 */
bool served_note(long pid, char *buf, size_t room);

/**
 * served_as() - is this what the server of a mount has?
 * @dev: st_dev of what is mounted
 * @id: what is asked for
 *
 * Return: the options of its server, to be freed; NULL if it has something else, is
 * dead, is another user's, or cannot be seen from here.
 */
char *served_as(dev_t dev, const struct identity *id);

/**
 * struct again - what is to be mounted
 * @source: device or image, as it was named
 * @target: absolute path of the mount point
 * @table: options of this program
 * @given: those that were given, all
 * @mount: those of them that every mount has, NULL for none
 */
struct again {
	const char			*source;
	const char			*target;
	const struct option_desc	*table;
	const char			*given;
	const char			*mount;
};

/**
 * again_mount() - if it is mounted already, mount it there, too
 * @a: what
 *
 * Return: 0; -ENOENT if nobody serves it, as far as can be seen and reached from
 * here; another -errno after it was logged.
 */
int again_mount(const struct again *a);

/**
 * uncovered() - call a function where nothing is mounted but what is on the way
 * @go: is called with @arg in a mount namespace of its own, which is gone after it
 * @arg: the function's
 *
 * Descriptors are the same there.
 *
 * Return: 0, or -errno when that cannot be done.
 */
int uncovered(void (*go)(void *arg), void *arg);

/**
 * uncover() - unmount what is on top of a mount, or of what is above it
 * @id: the mount
 * @path: where it is
 *
 * Context: in @go of uncovered().
 * Return: 0 or -errno.
 */
int uncover(uint64_t id, const char *path);

/**
 * mount_stat() - statmount(2) of a mount in this namespace
 * @id: the mount
 * @mask: STATMOUNT_*
 * @sm: room for it
 * @size: bytes
 *
 * Return: 0 or -errno.
 */
struct statmount;
int mount_stat(uint64_t id, uint64_t mask, struct statmount *sm, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fusexctl: look at and control what is mounted.
 *
 * main.c	command line
 * mounts.c	which mounts there are, and where
 * sysfs.c	reading /sys/fs/fusex
 * list.c	fusexctl list
 * stats.c	fusexctl stats
 * json.c	printing JSON
 */
#ifndef FUSEXCTL_H
#define FUSEXCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Where the kernel shows a directory for each mount. */
#define SYSFS_DIR	"/sys/fs/fusex"

/** Room for MAJOR:MINOR. */
#define DEV_MAX		32

/** Largest sysfs file, with a NUL. */
#define TEXT_MAX	(64 * 1024)

/* ---------------------------------------------------------------- mounts.c */

/**
 * mounts_resolve() - the device a word on the command line means
 * @word: MAJOR:MINOR, or a mount point
 * @dev: returns MAJOR:MINOR
 *
 * Mount points are compared as text: a server that hangs need not be asked.
 *
 * Return: 0, or -ENOENT after it was logged.
 */
int mounts_resolve(const char *word, char dev[DEV_MAX]);

/**
 * mounts_where() - where a device is mounted, as far as this process can see
 * @dev: MAJOR:MINOR
 * @target: returns the first mount point, to be freed, NULL for none
 * @source: returns the source, likewise
 */
void mounts_where(const char *dev, char **target, char **source);

/* ----------------------------------------------------------------- sysfs.c */

/**
 * sysfs_read() - read a file
 * @dev: MAJOR:MINOR
 * @name: of the file
 * @text: returns the content, without the newline at its end
 * @size: room in @text
 *
 * Return: 0 or -errno, with an empty @text.
 */
int sysfs_read(const char *dev, const char *name, char *text, size_t size);

/** sysfs_number() - read a file with a number, 0 when that is not possible */
unsigned long long sysfs_number(const char *dev, const char *name);

/**
 * sysfs_write() - write a file
 *
 * Return: 0, or -errno after it was logged.
 */
int sysfs_write(const char *dev, const char *name, const char *text);

/* ------------------------------------------------------------------ json.c */

/**
 * struct json - JSON being printed to stdout
 * @depth: of nesting
 * @comma: something came before on this level
 */
struct json {
	unsigned int	depth;
	bool		comma;
};

/** json_open() - begin an array '[' or an object '{'; @key NULL in an array */
void json_open(struct json *j, const char *key, char bracket);

/** json_close() - end it, with ']' or '}' */
void json_close(struct json *j, char bracket);

/** json_string() - a text; NULL becomes null */
void json_string(struct json *j, const char *key, const char *value);

/** json_number() - a number */
void json_number(struct json *j, const char *key, unsigned long long value);

/* ---------------------------------------------------------------- commands */

/** cmd_list() - all mounts; returns the exit status */
int cmd_list(bool json);

/** cmd_stats() - one mount; returns the exit status */
int cmd_stats(const char *dev, bool json);

#endif

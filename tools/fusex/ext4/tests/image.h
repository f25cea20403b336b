/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Images for tests, made by mkfs.ext4 and judged by e2fsck.
 */
#ifndef FUSEX_EXT4_TEST_IMAGE_H
#define FUSEX_EXT4_TEST_IMAGE_H

#include "ext4.h"

/**
 * image_make() - a new image
 * @mkfs: options for mkfs.ext4
 * @mib: its size
 *
 * Return: its path, until the next call.  A failure ends the test.
 */
const char *image_make(const char *mkfs, unsigned int mib);

/** image_open() - the file system on it; a failure ends the test */
struct volume *image_open(const char *path);

/** image_open_ro() - likewise, read-only */
struct volume *image_open_ro(const char *path);

/** image_close() - close it, and say whether e2fsck finds it in order */
bool image_close(struct volume *v, const char *path);

/** image_check() - whether e2fsck -fn finds it in order */
bool image_check(const char *path);

/** image_run() - run a command line; its exit status */
int image_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** image_root() - the root directory */
struct node *image_root(struct volume *v);

/** image_file() - make a file, or what @mode says; NULL if it cannot be */
struct node *image_file(struct volume *v, struct node *dir, const char *name,
			uint32_t mode);

/** image_name() - a file in the root directory; that there is none ends the test */
struct node *image_name(struct volume *v, const char *name);

/** image_count_names() - of a directory, 0 if they cannot be known */
unsigned int image_count_names(struct volume *v, struct node *n);

/** image_starve() - only @left blocks are free from now on; returns how many are hidden */
uint64_t image_starve(struct volume *v, uint64_t left);

/** image_feed() - the hidden ones are free again */
void image_feed(struct volume *v, uint64_t hidden);

/** rnd() - the next number of a sequence that is always the same */
uint32_t rnd(uint32_t below);

#endif

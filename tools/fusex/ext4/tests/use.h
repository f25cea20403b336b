/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Damaged file systems: whatever they are, using them does not end badly.
 */
#ifndef FUSEX_EXT4_TEST_USE_H
#define FUSEX_EXT4_TEST_USE_H

enum use_result {
	USE_REFUSED,		/* not opened */
	USE_SERVED,		/* opened, and everything done with it */
	USE_BAD			/* a crash, a hang, a report of a sanitizer */
};

/**
 * use_image() - open an image and do something of everything with it
 * @path: the image, which changes
 * @seconds: more is a hang
 *
 * In a process of its own: that is how a crash is noticed.
 */
enum use_result use_image(const char *path, unsigned int seconds);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Block devices to register: loop devices on files of the test. */
#ifndef SELFTESTS_LOOP_H
#define SELFTESTS_LOOP_H

#include <linux/fusex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct loop - a device that is unbound when nobody has it open
 * @path: its name
 * @nr: number of the device, -1 if it is no loop device
 * @fd: open for reading and writing
 */
struct loop {
	char path[32];
	int nr;
	int fd;
};

/** loop_of() - a device of @size bytes with blocks of @block on a new file */
struct loop loop_of(const char *image, off_t size, uint32_t block);

/** loop_is_bound() - has it a file? */
bool loop_is_bound(const struct loop *l);

/** loop_is_unbound() - has it none? @arg is a struct loop */
bool loop_is_unbound(void *arg);

/** backing_add() - FUSEX_IOC_BACKING_ADD on @chan; 0 or an errno */
int backing_add(int chan, struct fusex_backing b, uint32_t *cookie);

/** device_add() - register what @fd is open on */
int device_add(int chan, int fd, uint32_t access, uint32_t *cookie);

/** stripe_add() - register a stripe */
int stripe_add(int chan, const uint32_t *cookies, uint32_t nr, uint64_t unit,
	       uint32_t access, uint32_t *cookie);

#endif /* SELFTESTS_LOOP_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* The least of io_uring that a test needs. */
#ifndef SELFTESTS_RING_H
#define SELFTESTS_RING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * struct ring - an io_uring
 * @fd: of it
 * @sq: both queues, as the kernel shares them
 * @sqe: requests that are being made
 * @p: where what is
 */
struct ring {
	int fd;
	unsigned char *sq;
	struct io_uring_sqe *sqe;
	struct io_uring_params p;
};

/** ring_open() - one for a few requests at a time; skips the test if there is none */
void ring_open(struct ring *r);

/** ring_submit() - start an IORING_OP_*, and wait for nothing */
void ring_submit(struct ring *r, int op, int fd, void *buf, unsigned int len,
		 off_t at);

/** ring_idle() - has nothing ended that ring_result() would return? */
bool ring_idle(struct ring *r);

/** ring_result() - wait for one that ends, in the order in which they do */
int ring_result(struct ring *r);

/** ring_do() - one request and its result */
int ring_do(struct ring *r, int op, int fd, void *buf, unsigned int len,
	    off_t at);

#endif /* SELFTESTS_RING_H */

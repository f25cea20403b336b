/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations of the test server.
 */
#ifndef SELFTESTS_OPS_H
#define SELFTESTS_OPS_H

#include <fusex.h>
#include <linux/ioctl.h>

/** srv_fill_ops() - all operations but those of the opcodes in @without */
void srv_fill_ops(struct fusex_ops *ops, uint64_t without);

/* What its ioctl handler knows: adds one; adds one and multiplies a buffer. */
struct srv_big {
	uint32_t word[64];
};

#define SRV_IOC_ADD	_IOWR('s', 1, uint32_t)
#define SRV_IOC_GET	_IOR('s', 2, uint32_t)
#define SRV_IOC_SET	_IOW('s', 3, uint32_t)
#define SRV_IOC_NOARG	_IO('s', 4)
#define SRV_IOC_BIG	_IOWR('s', 5, struct srv_big)

#endif /* SELFTESTS_OPS_H */

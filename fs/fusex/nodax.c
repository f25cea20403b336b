// SPDX-License-Identifier: GPL-2.0
/* Dax mode and memory devices in a kernel without FS_DAX: none. */
#include <linux/errno.h>

#include "backing.h"
#include "daxdev.h"
#include "io.h"

/* Empty: the mode is not supported. */
const struct fusex_io_table fusex_io_dax;

int fusex_daxdev_fill(struct fusex_bobj *obj, struct fusex_chan *chan, int fd)
{
	return -EOPNOTSUPP;
}

bool fusex_daxdev_put(struct fusex_bobj *obj)
{
	return false;
}

void fusex_daxdev_revoke(struct fusex_bobj *obj)
{
}

dev_t fusex_daxdev_name(const struct fusex_bobj *obj)
{
	return 0;
}

int fusex_daxdev_map(struct fusex_bobj *obj, loff_t pos, u32 op,
		     struct iomap *iomap)
{
	return -EFSCORRUPTED;
}

int fusex_daxdev_init(void)
{
	return 0;
}

void fusex_daxdev_exit(void)
{
}

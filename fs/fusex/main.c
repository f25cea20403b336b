// SPDX-License-Identifier: GPL-2.0
/*
 * The module's life.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/module.h>

#include "chan.h"
#include "daxdev.h"
#include "fusex_i.h"
#include "io.h"
#include "map.h"

/* Out of a kernel's tree nobody asks Kconfig. */
#ifndef CONFIG_64BIT
#error "fusex is for 64-bit kernels, see its Kconfig."
#endif

static int __init fusex_init(void)
{
	int err;

	err = fusex_inode_cache_init();
	if (err)
		return err;
	err = fusex_transport_init();
	if (err)
		goto no_transport;
	err = fusex_mapcache_init();
	if (err)
		goto no_mapcache;
	err = fusex_ioend_init();
	if (err)
		goto no_ioend;
	err = fusex_daxdev_init();
	if (err)
		goto no_daxdev;
	err = fusex_sysfs_init();
	if (err)
		goto no_sysfs;
	err = fusex_super_init();
	if (err)
		goto no_super;
	/* Last: whoever can open the device finds everything in place. */
	err = fusex_dev_init();
	if (err)
		goto no_dev;
	return 0;

no_dev:
	fusex_super_exit();
no_super:
	fusex_sysfs_exit();
no_sysfs:
	fusex_daxdev_exit();
no_daxdev:
	fusex_ioend_exit();
no_ioend:
	fusex_mapcache_exit();
no_mapcache:
	fusex_transport_exit();
no_transport:
	fusex_inode_cache_exit();
	return err;
}

static void __exit fusex_exit(void)
{
	fusex_dev_exit();
	fusex_super_exit();
	fusex_sysfs_exit();
	fusex_daxdev_exit();
	fusex_ioend_exit();
	fusex_mapcache_exit();
	fusex_transport_exit();
	fusex_inode_cache_exit();
}

module_init(fusex_init);
module_exit(fusex_exit);

MODULE_DESCRIPTION("Filesystems in userspace, one table per I/O path");
MODULE_AUTHOR("The fusex developers");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("fusex");

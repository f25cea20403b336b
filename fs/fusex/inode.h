/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the objects: what their unit tests see too.
 */
#ifndef _FS_FUSEX_INODE_H
#define _FS_FUSEX_INODE_H

#include <kunit/visibility.h>
#include <linux/types.h>

/**
 * struct fusex_id - what names a node
 * @nodeid: the server's name for it
 * @generation: distinguishes nodes that had the same name
 */
struct fusex_id {
	u64 nodeid;
	u32 generation;
};

#if IS_ENABLED(CONFIG_KUNIT)
u64 fusex_id_hash(const struct fusex_id *id);
#endif

#endif /* _FS_FUSEX_INODE_H */

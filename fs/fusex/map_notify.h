/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Notifications about mappings: notify.c calls these with the super block
 * pinned; they may sleep but never wait for a reply of the server.
 */
#ifndef _FS_FUSEX_MAP_NOTIFY_H
#define _FS_FUSEX_MAP_NOTIFY_H

#include <linux/fs.h>
#include <linux/fusex.h>

int fusex_notify_upsert(struct super_block *sb,
			const struct fusex_notify_upsert *n,
			const struct fusex_map *maps);
int fusex_notify_map_inval(struct super_block *sb,
			   const struct fusex_notify_map *n);
int fusex_notify_recall(struct super_block *sb,
			const struct fusex_notify_recall *n);

#endif /* _FS_FUSEX_MAP_NOTIFY_H */

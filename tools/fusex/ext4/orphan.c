// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes without a name, that somebody has open.
 *
 * The superblock leads to the last one, and the time of deletion of each to the
 * one before it, so that after a crash e2fsck deletes them.
 *
 * Context: with the lock.
 */
#include <errno.h>

#include "ext4.h"

void orphan_add(struct volume *v, struct node *n)
{
	struct ext2_super_block *sb = v->fs->super;

	if (n->is_orphan)
		return;
	n->is_orphan = true;
	n->orphan_prev = NULL;
	n->orphan_next = v->orphans;
	if (v->orphans)
		v->orphans->orphan_prev = n;
	v->orphans = n;
	n->raw.i_dtime = sb->s_last_orphan;
	sb->s_last_orphan = n->ino;
	ext2fs_mark_super_dirty(v->fs);
	node_dirty(v, n);
}

void orphan_remove(struct volume *v, struct node *n)
{
	struct node *prev = n->orphan_prev;

	if (!n->is_orphan)
		return;
	if (n->orphan_next)
		n->orphan_next->orphan_prev = prev;
	if (prev) {
		prev->orphan_next = n->orphan_next;
		prev->raw.i_dtime = n->raw.i_dtime;
		node_dirty(v, prev);
	} else {
		v->orphans = n->orphan_next;
		v->fs->super->s_last_orphan = n->raw.i_dtime;
		ext2fs_mark_super_dirty(v->fs);
	}
	n->is_orphan = false;
	n->raw.i_dtime = 0;
	node_dirty(v, n);
}

int orphan_delete_all(struct volume *v)
{
	struct node *n;
	int ret = 0, err;

	while ((n = v->orphans)) {
		err = node_delete(v, n);
		if (err)
			ret = err;
	}
	return ret;
}

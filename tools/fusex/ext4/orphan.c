// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes without a name, that somebody has open.
 *
 * The superblock leads to the last one, and the time of deletion of each to the
 * one before it, so that after a crash e2fsck deletes them.  That time is set when
 * the inode is written, so that who puts an inode into the list, or takes it out,
 * need not have the one before it locked.
 *
 * Context: the inode is locked; the list is for who has volume.core.
 */
#include <errno.h>

#include "ext4.h"

void orphan_add(struct volume *v, struct node *n)
{
	struct ext2_super_block *sb = v->fs->super;

	if (n->is_orphan)
		return;
	core_lock(v);
	n->is_orphan = true;
	n->orphan_prev = NULL;
	n->orphan_next = v->orphans;
	if (v->orphans)
		v->orphans->orphan_prev = n;
	v->orphans = n;
	sb->s_last_orphan = n->ino;
	ext2fs_mark_super_dirty(v->fs);
	node_dirty(v, n);
	core_unlock(v);
}

void orphan_remove(struct volume *v, struct node *n)
{
	struct node *prev, *next;

	if (!n->is_orphan)
		return;
	core_lock(v);
	prev = n->orphan_prev;
	next = n->orphan_next;
	if (next)
		next->orphan_prev = prev;
	if (prev) {
		prev->orphan_next = next;
		node_dirty(v, prev);
	} else {
		v->orphans = next;
		v->fs->super->s_last_orphan = next ? next->ino : 0;
		ext2fs_mark_super_dirty(v->fs);
	}
	n->is_orphan = false;
	n->raw.i_dtime = 0;
	node_dirty(v, n);
	core_unlock(v);
}

void orphan_link(struct node *n)
{
	if (n->is_orphan)
		n->raw.i_dtime = n->orphan_next ? n->orphan_next->ino : 0;
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes that after a crash have to be deleted, because they had no name and somebody
 * had them open, or cut to their size.
 *
 * The superblock leads to the last one, and the time of deletion of each to the
 * one before it, so that after a crash e2fsck does that.  That time is set when
 * the inode is written, so that who puts an inode into the list, or takes it out,
 * need not have the one before it locked.
 *
 * A file that has space in advance is written because of that, and so is the
 * superblock, which counts what is free: to be in the list costs no block more.
 * What e2fsck cuts it to is its size, so no file is there that has space behind that
 * which somebody has asked for.  Nor is one with extents where there is no journal: of a
 * list that was half written e2fsck does not make sense by itself.  Nor is one with a
 * block of attributes, which e2fsck frees along with what is behind the end, though
 * the file still has it; without extents it may be longer instead after a crash.  Nor
 * is one while the file system is frozen, which leaves it as if it were unmounted.
 *
 * When errors are noted there is no list on the device: e2fsck would not go by it, and
 * take its inodes for what is left of one, which it repairs only when it is told to.
 * What has no name is like what was deleted, but for the bitmaps, which e2fsck knows how
 * to repair; what has space in advance keeps it after a crash.
 *
 * Context: the inode is locked; the list is for who has volume.core.
 */
#include <errno.h>

#include "ext4.h"

/* Called with volume.core, as what follows. */
static void set_first(struct volume *v)
{
	bool listed = !v->unlisted && v->orphans;

	v->fs->super->s_last_orphan = listed ? v->orphans->ino : 0;
	ext2fs_mark_super_dirty(v->fs);
}

static void put_in(struct volume *v, struct node *n)
{
	n->orphan_prev = NULL;
	n->orphan_next = v->orphans;
	if (v->orphans)
		v->orphans->orphan_prev = n;
	v->orphans = n;
	set_first(v);
}

static void take_out(struct volume *v, struct node *n)
{
	struct node *prev = n->orphan_prev, *next = n->orphan_next;

	if (next)
		next->orphan_prev = prev;
	if (prev) {
		prev->orphan_next = next;
		node_dirty(v, prev);
	} else {
		v->orphans = next;
		set_first(v);
	}
	n->raw.i_dtime = 0;
}

/* After a crash, is all behind its end to go? */
static bool is_spare(const struct volume *v, struct node *n)
{
	if (v->unlisted || !n->reserved ||
	    ext2fs_file_acl_block(v->fs, inode_of(n)))
		return false;
	if (!node_has(n, EXT4_EXTENTS_FL))
		return true;
	return v->journal && !v->frozen && n->wanted <= blocks_of(v, size_of(n));
}

void orphan_update(struct volume *v, struct node *n)
{
	bool listed = n->is_orphan || is_spare(v, n);

	if (listed == n->is_listed)
		return;
	core_lock(v);
	n->is_listed = listed;
	if (listed)
		put_in(v, n);
	else
		take_out(v, n);
	node_dirty(v, n);
	core_unlock(v);
}

/* What decides on it has changed for all.  Called alone. */
static void update_all(struct volume *v)
{
	struct node *n;
	size_t i;

	for (i = 0; i <= v->nodes_mask; i++)
		for (n = v->nodes[i]; n; n = n->next)
			if (n->reserved && !n->dead)
				orphan_update(v, n);
}

void orphan_unlist(struct volume *v)
{
	struct node *n;

	if (v->valid || v->unlisted)
		return;
	v->unlisted = true;
	update_all(v);
	core_lock(v);
	for (n = v->orphans; n; n = n->orphan_next)
		node_dirty(v, n);
	set_first(v);
	core_unlock(v);
}

void orphan_freeze(struct volume *v, bool freeze)
{
	WR_LOCK(v);
	v->frozen = freeze;
	update_all(v);
	UNLOCK(v);
	/* No other piece is discarded; that one is over then. */
	pthread_mutex_lock(&v->trim);
	pthread_mutex_unlock(&v->trim);
}

void orphan_add(struct volume *v, struct node *n)
{
	n->is_orphan = true;
	orphan_update(v, n);
}

void orphan_remove(struct volume *v, struct node *n)
{
	n->is_orphan = false;
	orphan_update(v, n);
}

void orphan_link(const struct volume *v, struct node *n)
{
	if (!n->is_listed)
		return;
	if (v->unlisted)
		n->raw.i_dtime = (uint32_t)attr_now(v).sec;
	else
		n->raw.i_dtime = n->orphan_next ? n->orphan_next->ino : 0;
}

int orphan_finish_all(struct volume *v)
{
	struct node *n;
	int ret = 0, err;

	while ((n = v->orphans)) {
		err = n->is_orphan ? node_delete(v, n) : map_trim(v, n);
		if (err)
			ret = err;
	}
	return ret;
}

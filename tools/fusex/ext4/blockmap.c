// SPDX-License-Identifier: GPL-2.0
/*
 * Files whose blocks are found by lists of numbers, as ext2 and ext3 made them;
 * and what kind of file it is.  Whatever libext2fs does to them is done with
 * volume.core.
 */
#include <errno.h>
#include <string.h>

#include "ext4.h"

/* Blocks looked at for one answer. */
#define RUN_MAX		256u

static int bmap(struct volume *v, struct node *n, uint64_t lblk, uint64_t *pblk)
{
	blk64_t block = 0;
	errcode_t err;

	err = ext2fs_bmap2(v->fs, n->ino, inode_of(n), NULL, 0, lblk, NULL,
			   &block);
	if (err)
		return volume_error(v, err);
	if (block && !bitmaps_is_data(v, block, 1))
		return volume_corrupt(v, n->ino, "block number");
	*pblk = block;
	return 0;
}

static int find(struct volume *v, struct node *n, uint64_t lblk, struct run *r)
{
	uint64_t end = size_max(v, false) / block_size(v), next;
	int ret;

	*r = (struct run){ .lblk = lblk, .type = RUN_HOLE };
	if (lblk >= end) {
		r->len = LBLK_END - lblk;
		return 0;
	}
	ret = bmap(v, n, lblk, &r->pblk);
	if (ret)
		return ret;
	if (r->pblk)
		r->type = RUN_DATA;
	for (r->len = 1; r->len < RUN_MAX && lblk + r->len < end; r->len++) {
		ret = bmap(v, n, lblk + r->len, &next);
		if (ret)
			return ret;
		if (next != (r->pblk ? r->pblk + r->len : 0))
			break;
	}
	return 0;
}

int blockmap_find(struct volume *v, struct node *n, uint64_t lblk,
		  struct run *r)
{
	int ret;

	core_lock(v);
	ret = find(v, n, lblk, r);
	core_unlock(v);
	return ret;
}

/*
 * The lists that it takes are counted by libext2fs if all could be made.  Those
 * that could stay otherwise, and have to be counted as well.
 */
static errcode_t set_number(struct volume *v, struct node *n, uint64_t lblk,
			    uint64_t pblk)
{
	uint64_t left = ext2fs_free_blocks_count(v->fs->super);
	blk64_t block = pblk;
	errcode_t err;

	err = ext2fs_bmap2(v->fs, n->ino, inode_of(n), NULL,
			   BMAP_SET | BMAP_ALLOC, lblk, NULL, &block);
	left -= ext2fs_free_blocks_count(v->fs->super);
	if (err && left)
		ext2fs_iblk_add_blocks(v->fs, inode_of(n), left);
	return err;
}

int blockmap_insert(struct volume *v, struct node *n, const struct run *r,
		    uint64_t *done)
{
	errcode_t err = 0;

	*done = 0;
	core_lock(v);
	while (*done < r->len) {
		err = set_number(v, n, r->lblk + *done, r->pblk + *done);
		if (err)
			break;
		++*done;
	}
	core_unlock(v);
	node_dirty(v, n);
	return volume_error(v, err);
}

int file_find(struct volume *v, struct node *n, uint64_t lblk, struct run *r)
{
	return node_has(n, EXT4_EXTENTS_FL) ? extents_find(v, n, lblk, r) :
					      blockmap_find(v, n, lblk, r);
}

int file_insert(struct volume *v, struct node *n, const struct run *r,
		uint64_t *done)
{
	return node_has(n, EXT4_EXTENTS_FL) ? extents_insert(v, n, r, done) :
					      blockmap_insert(v, n, r, done);
}

/* Sets the numbers of a run to none; lists that become empty stay. */
static int clear_run(struct volume *v, struct node *n, const struct run *r)
{
	blk64_t none;
	errcode_t err = 0;
	uint64_t i;

	for (i = 0; i < r->len && !err; i++) {
		none = 0;
		err = ext2fs_bmap2(v->fs, n->ino, inode_of(n), NULL, BMAP_SET,
				   r->lblk + i, NULL, &none);
	}
	if (err)
		return volume_error(v, err);
	alloc_free(v, r->pblk, r->len);
	return volume_error(v, ext2fs_iblk_sub_blocks(v->fs, inode_of(n),
						      r->len));
}

/*
 * What ext2fs_punch() makes of a range in the middle depends on its version; to
 * the end they agree.
 */
static int blockmap_punch(struct volume *v, struct node *n, uint64_t lblk,
			  uint64_t len)
{
	uint64_t end = lblk + len;
	struct run r;
	int ret = 0;

	if (len >= LBLK_END - lblk)
		return volume_error(v, ext2fs_punch(v->fs, n->ino, inode_of(n),
						    NULL, lblk, ~0ull));
	for (; lblk < end && !ret; lblk += r.len) {
		ret = find(v, n, lblk, &r);
		if (ret)
			break;
		if (r.len > end - lblk)
			r.len = end - lblk;
		if (r.type == RUN_DATA)
			ret = clear_run(v, n, &r);
	}
	return ret;
}

int file_punch(struct volume *v, struct node *n, uint64_t lblk, uint64_t len)
{
	int ret;

	if (node_has(n, EXT4_EXTENTS_FL))
		return extents_punch(v, n, lblk, len);
	if (!len)
		return 0;
	core_lock(v);
	ret = blockmap_punch(v, n, lblk, len);
	core_unlock(v);
	node_dirty(v, n);
	return ret;
}

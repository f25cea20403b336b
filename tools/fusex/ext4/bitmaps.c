// SPDX-License-Identifier: GPL-2.0
/*
 * Bitmaps of blocks and inodes.
 *
 * libext2fs keeps them in memory and would write those of all groups at a time.
 * A transaction wants those that changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"
#include "log.h"

/* Up to so many blocks a bit for each is cheaper than a tree. */
#define ARRAY_MAX	(1ull << 32)

void bitmaps_touch(struct volume *v, uint64_t block, uint64_t count)
{
	dgrp_t g = ext2fs_group_of_blk2(v->fs, block);
	dgrp_t last = ext2fs_group_of_blk2(v->fs, block + count - 1);

	for (; g <= last && g < v->fs->group_desc_count; g++)
		v->groups[g] |= GROUP_BLOCKS;
}

/* There is nothing behind the last block, which looks as if it were in use. */
static void pad_last(ext2_filsys fs, dgrp_t group, void *buf)
{
	uint64_t blocks = ext2fs_blocks_count(fs->super) -
			  fs->super->s_first_data_block;
	unsigned int bits = (unsigned int)(blocks %
					   fs->super->s_blocks_per_group);

	if (group != fs->group_desc_count - 1 || !bits)
		return;
	for (; bits < fs->blocksize * 8; bits++)
		ext2fs_set_bit(bits, buf);
}

static errcode_t write_blocks(ext2_filsys fs, dgrp_t group, void *buf)
{
	const unsigned int bits = fs->super->s_clusters_per_group;
	errcode_t err;
	blk64_t first;

	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_BLOCK_UNINIT))
		return 0;
	memset(buf, 0xff, fs->blocksize);
	first = ext2fs_group_first_block2(fs, group);
	err = ext2fs_get_block_bitmap_range2(fs->block_map, first, bits, buf);
	if (err)
		return err;
	pad_last(fs, group, buf);
	err = ext2fs_block_bitmap_csum_set(fs, group, buf, (int)bits / 8);
	if (err)
		return err;
	ext2fs_group_desc_csum_set(fs, group);
	return io_channel_write_blk64(fs->io,
				      ext2fs_block_bitmap_loc(fs, group), 1,
				      buf);
}

static errcode_t write_inodes(ext2_filsys fs, dgrp_t group, void *buf)
{
	const unsigned int bits = fs->super->s_inodes_per_group;
	errcode_t err;

	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT))
		return 0;
	memset(buf, 0xff, fs->blocksize);
	err = ext2fs_get_inode_bitmap_range2(fs->inode_map,
					     (uint64_t)group * bits + 1, bits,
					     buf);
	if (err)
		return err;
	err = ext2fs_inode_bitmap_csum_set(fs, group, buf, (int)bits / 8);
	if (err)
		return err;
	ext2fs_group_desc_csum_set(fs, group);
	return io_channel_write_blk64(fs->io,
				      ext2fs_inode_bitmap_loc(fs, group), 1,
				      buf);
}

/* What ext2fs_flush2() calls. */
static errcode_t write_changed(ext2_filsys fs)
{
	struct volume *v = fs->priv_data;
	void *buf = malloc(fs->blocksize);
	errcode_t err = buf ? 0 : EXT2_ET_NO_MEMORY;
	dgrp_t g;

	for (g = 0; g < fs->group_desc_count && !err; g++) {
		if (v->groups[g] & GROUP_BLOCKS)
			err = write_blocks(fs, g, buf);
		if (!err && v->groups[g] & GROUP_INODES)
			err = write_inodes(fs, g, buf);
		if (!err)
			v->groups[g] = 0;
	}
	free(buf);
	fs->flags &= ~(EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY);
	return err;
}

/* Where bitmaps are is written to without looking: it has to be somewhere. */
static int check_places(struct volume *v)
{
	uint64_t end = ext2fs_blocks_count(v->fs->super);
	uint64_t first = v->fs->super->s_first_data_block;
	uint64_t b, i, t;
	dgrp_t g;

	for (g = 0; g < v->fs->group_desc_count; g++) {
		b = ext2fs_block_bitmap_loc(v->fs, g);
		i = ext2fs_inode_bitmap_loc(v->fs, g);
		t = ext2fs_inode_table_loc(v->fs, g);
		if (b <= first || b >= end || i <= first || i >= end ||
		    t <= first ||
		    t + v->fs->inode_blocks_per_group > end)
			return volume_corrupt(v, 0, "group descriptor");
	}
	return 0;
}

/* Those of neighbouring groups are neighbours, too, mostly. */
static void read_ahead(ext2_filsys fs, blk64_t (*place)(ext2_filsys, dgrp_t))
{
	blk64_t first = 0, next = 0;
	dgrp_t g;

	for (g = 0; g < fs->group_desc_count; g++) {
		if (place(fs, g) != next || next - first >= 32) {
			first = place(fs, g);
			next = first;
		}
		next++;
		if (g + 1 == fs->group_desc_count ||
		    place(fs, g + 1) != next || next - first >= 32)
			io_channel_cache_readahead(fs->io, first,
						   next - first);
	}
}

/* Where no data of a file is: groups' own blocks. */
static errcode_t mark_system(struct volume *v)
{
	ext2_filsys fs = v->fs;
	blk64_t table;
	errcode_t err;
	dgrp_t g;

	err = ext2fs_allocate_block_bitmap(fs, "system", &v->system);
	for (g = 0; g < fs->group_desc_count && !err; g++) {
		ext2fs_reserve_super_and_bgd(fs, g, v->system);
		ext2fs_mark_block_bitmap2(v->system,
					  ext2fs_block_bitmap_loc(fs, g));
		ext2fs_mark_block_bitmap2(v->system,
					  ext2fs_inode_bitmap_loc(fs, g));
		table = ext2fs_inode_table_loc(fs, g);
		ext2fs_mark_block_bitmap_range2(v->system, table,
						fs->inode_blocks_per_group);
	}
	return err;
}

bool bitmaps_claim(struct volume *v, uint64_t block)
{
	if (!bitmaps_is_data(v, block, 1))
		return false;
	core_lock(v);
	ext2fs_mark_block_bitmap2(v->system, block);
	core_unlock(v);
	return true;
}

/* Without checksums, the bitmap may say that they are free. */
void bitmaps_claimed(struct volume *v)
{
	uint64_t last = ext2fs_blocks_count(v->fs->super) - 1;
	ext2fs_block_bitmap all = v->fs->block_map;
	blk64_t from = v->fs->super->s_first_data_block, end, at;
	bool bad = false;

	while (from <= last &&
	       !ext2fs_find_first_set_block_bitmap2(v->system, from, last,
						    &from)) {
		if (ext2fs_find_first_zero_block_bitmap2(v->system, from, last,
							 &end))
			end = last + 1;
		if (!ext2fs_find_first_zero_block_bitmap2(all, from, end - 1,
							  &at)) {
			ext2fs_mark_block_bitmap_range2(all, from,
							(blk_t)(end - from));
			bad = true;
		}
		from = end;
	}
	if (bad)
		volume_note_corrupt(v, 0, "bitmap of blocks");
}

/* To look is to change: libext2fs remembers where it was. */
bool bitmaps_is_data(struct volume *v, uint64_t block, uint64_t count)
{
	uint64_t end = ext2fs_blocks_count(v->fs->super);
	bool is_data;

	if (!count || block <= v->fs->super->s_first_data_block ||
	    block >= end || count > end - block)
		return false;
	core_lock(v);
	is_data = ext2fs_test_block_bitmap_range2(v->system, block,
						  (blk_t)count);
	core_unlock(v);
	return is_data;
}

/* For libext2fs that is the time to write bitmaps as it does. */
int bitmaps_new(struct volume *v, const char *what, ext2fs_block_bitmap *out)
{
	errcode_t err;

	core_lock(v);
	err = ext2fs_allocate_block_bitmap(v->fs, what, out);
	v->fs->write_bitmaps = write_changed;
	core_unlock(v);
	return volume_error(v, err);
}

int bitmaps_open(struct volume *v)
{
	ext2_filsys fs = v->fs;
	errcode_t err;
	int ret;

	ret = check_places(v);
	if (ret)
		return ret;
	read_ahead(fs, ext2fs_block_bitmap_loc);
	read_ahead(fs, ext2fs_inode_bitmap_loc);
	v->groups = calloc(fs->group_desc_count, 1);
	if (!v->groups)
		return -ENOMEM;
	if (ext2fs_blocks_count(fs->super) <= ARRAY_MAX)
		fs->default_bitmap_type = EXT2FS_BMAP64_BITARRAY;
	err = ext2fs_read_bitmaps(fs);
	if (!err) {
		fs->default_bitmap_type = EXT2FS_BMAP64_RBTREE;
		err = ext2fs_allocate_block_bitmap(fs, "freed", &v->pending);
	}
	if (!err)
		err = ext2fs_allocate_block_bitmap(fs, "freed before",
						   &v->closing);
	if (!err)
		err = mark_system(v);
	if (!err)
		bitmaps_claimed(v);
	fs->write_bitmaps = write_changed;
	return err ? volume_error(v, err) : 0;
}

void bitmaps_close(struct volume *v)
{
	if (v->pending)
		ext2fs_free_block_bitmap(v->pending);
	if (v->closing)
		ext2fs_free_block_bitmap(v->closing);
	if (v->system)
		ext2fs_free_block_bitmap(v->system);
	v->pending = NULL;
	v->closing = NULL;
	v->system = NULL;
	free(v->groups);
	v->groups = NULL;
}

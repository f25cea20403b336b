// SPDX-License-Identifier: GPL-2.0
/*
 * Files whose blocks are found by lists of numbers, as ext2 and ext3 made them;
 * and what kind of file it is.
 *
 * Lists have no checksums, and libext2fs believes what it finds in them.  So it is
 * let do something with one only when all of them were looked at that lead there.
 * What it does is done with volume.core.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/* Of lists: those of blocks, of lists of blocks, and of lists of those. */
#define LEVELS	3u

/* Numbers that a list has, as a shift. */
static unsigned int list_bits(const struct volume *v)
{
	return v->block_bits - 2;
}

/* Nothing says that a block is a list: its place is all there is to go by. */
static int read_list(struct volume *v, const struct node *n, uint32_t number,
		     uint32_t *list)
{
	if (!bitmaps_is_data(v, number, 1))
		return volume_corrupt(v, n->ino, "number of an indirect block");
	return volume_error(v, ext2fs_read_ind_block(v->fs, number, list));
}

/**
 * struct place - where the number of a block is, or would be
 * @list: numbers, from that on; NULL if there is no such list
 * @count: how many
 * @hole: of how many blocks there is none then
 */
struct place {
	const uint32_t	*list;
	uint64_t	count;
	uint64_t	hole;
};

/* Goes down from the inode; the last list is in @buf. */
static int descend(struct volume *v, const struct node *n, uint64_t lblk,
		   uint32_t *buf, struct place *p)
{
	unsigned int bits = list_bits(v), level = 1;
	uint64_t span, at;
	uint32_t number;
	int ret = 0;

	lblk -= EXT2_NDIR_BLOCKS;
	for (; lblk >> bits * level && level < LEVELS; level++)
		lblk -= 1ull << bits * level;
	number = n->raw.i_block[EXT2_NDIR_BLOCKS + level - 1];
	for (; number && level && !ret; level--) {
		span = 1ull << bits * level;
		ret = read_list(v, n, number, buf);
		at = (lblk & (span - 1)) >> bits * (level - 1);
		number = ret ? 0 : buf[at];
		*p = (struct place){ &buf[at], (1ull << bits) - at, 0 };
	}
	span = 1ull << bits * level;
	if (level)
		*p = (struct place){ NULL, 0, span - (lblk & (span - 1)) };
	return ret;
}

/* How many numbers follow each other, or are none, from the first one on. */
static uint64_t count_alike(const uint32_t *list, uint64_t count)
{
	uint64_t len = 1;

	while (len < count &&
	       list[len] == (list[0] ? (uint64_t)list[0] + len : 0))
		len++;
	return len;
}

static int find(struct volume *v, const struct node *n, uint64_t lblk,
		uint32_t *buf, struct run *r)
{
	uint64_t end = size_max(v, false) / block_size(v);
	struct place p = { NULL, 0, 0 };
	int ret = 0;

	*r = (struct run){ .lblk = lblk, .type = RUN_HOLE,
			   .len = LBLK_END - lblk };
	if (lblk >= end)
		return 0;
	if (lblk < EXT2_NDIR_BLOCKS)
		p = (struct place){ &n->raw.i_block[lblk],
				    EXT2_NDIR_BLOCKS - lblk, 0 };
	else
		ret = descend(v, n, lblk, buf, &p);
	if (ret)
		return ret;
	r->len = p.list ? count_alike(p.list, p.count) : p.hole;
	if (r->len > end - lblk)
		r->len = end - lblk;
	if (!p.list || !*p.list)
		return 0;
	r->pblk = *p.list;
	r->type = RUN_DATA;
	return bitmaps_is_data(v, r->pblk, r->len) ? 0 :
	       volume_corrupt(v, n->ino, "block number");
}

int blockmap_find(struct volume *v, struct node *n, uint64_t lblk,
		  struct run *r)
{
	uint32_t *buf = NULL;
	int ret;

	if (lblk >= EXT2_NDIR_BLOCKS) {
		buf = malloc(block_size(v));
		if (!buf)
			return -ENOMEM;
	}
	ret = find(v, n, lblk, buf, r);
	free(buf);
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

	alloc_list(v, true);
	err = ext2fs_bmap2(v->fs, n->ino, inode_of(n), NULL,
			   BMAP_SET | BMAP_ALLOC, lblk, NULL, &block);
	alloc_list(v, false);
	left -= ext2fs_free_blocks_count(v->fs->super);
	if (err && left)
		ext2fs_iblk_add_blocks(v->fs, inode_of(n), left);
	return err;
}

/* Fills part of a hole, which is as long as the lists on the way to it are sound. */
static int insert_some(struct volume *v, struct node *n, const struct run *r,
		       uint64_t *done)
{
	struct run hole;
	uint64_t end;
	errcode_t err = 0;
	int ret;

	ret = blockmap_find(v, n, r->lblk + *done, &hole);
	if (!ret && hole.type != RUN_HOLE)
		ret = volume_corrupt(v, n->ino, "block number");
	if (ret)
		return ret;
	end = r->len - *done < hole.len ? r->len : *done + hole.len;
	core_lock(v);
	while (*done < end && !err) {
		err = set_number(v, n, r->lblk + *done, r->pblk + *done);
		*done += !err;
	}
	core_unlock(v);
	return volume_error(v, err);
}

int blockmap_insert(struct volume *v, struct node *n, const struct run *r,
		    uint64_t *done)
{
	int ret = 0;

	for (*done = 0; *done < r->len && !ret;)
		ret = insert_some(v, n, r, done);
	node_dirty(v, n);
	return ret;
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

	core_lock(v);
	for (i = 0; i < r->len && !err; i++) {
		none = 0;
		err = ext2fs_bmap2(v->fs, n->ino, inode_of(n), NULL, BMAP_SET,
				   r->lblk + i, NULL, &none);
	}
	core_unlock(v);
	if (err)
		return volume_error(v, err);
	alloc_free(v, r->pblk, r->len);
	return volume_error(v, ext2fs_iblk_sub_blocks(v->fs, inode_of(n),
						      r->len));
}

/**
 * struct survey - what is to be freed of a file is looked at before
 * @v: the file system
 * @n: the file
 * @from: the first block
 * @seen: blocks that it has; it can have none twice
 * @blocks: how many
 */
struct survey {
	struct volume	*v;
	struct node	*n;
	uint64_t	from;
	ext2fs_block_bitmap seen;
	uint64_t	blocks;
};

static int survey_numbers(struct survey *s, const uint32_t *list,
			  uint64_t count)
{
	uint64_t len;

	for (; count; count -= len, list += len) {
		len = count_alike(list, count);
		if (!*list)
			continue;
		if (!bitmaps_is_data(s->v, *list, len) ||
		    !ext2fs_test_block_bitmap_range2(s->seen, *list,
						     (blk_t)len))
			return volume_corrupt(s->v, s->n->ino, "block number");
		ext2fs_mark_block_bitmap_range2(s->seen, *list, (blk_t)len);
		s->blocks += len;
	}
	return 0;
}

/* A list of a level, whose first number is that of block @first or leads there. */
static int survey_list(struct survey *s, uint32_t number, unsigned int level,
		       uint64_t first)
{
	unsigned int bits = list_bits(s->v), shift = bits * (level - 1);
	uint64_t i = s->from > first ? (s->from - first) >> shift : 0;
	uint32_t *list;
	int ret;

	if (!number || i >> bits)
		return 0;
	list = malloc(block_size(s->v));
	if (!list)
		return -ENOMEM;
	ret = survey_numbers(s, &number, 1);
	if (!ret)
		ret = read_list(s->v, s->n, number, list);
	if (!ret && level == 1)
		ret = survey_numbers(s, &list[i], (1ull << bits) - i);
	for (; !ret && level > 1 && !(i >> bits); i++)
		ret = survey_list(s, list[i], level - 1, first + (i << shift));
	free(list);
	return ret;
}

static int survey_all(struct survey *s)
{
	const uint32_t *list = s->n->raw.i_block;
	uint64_t first = EXT2_NDIR_BLOCKS;
	unsigned int level;
	int ret = 0;

	if (s->from < first)
		ret = survey_numbers(s, &list[s->from], first - s->from);
	for (level = 1; level <= LEVELS && !ret; level++) {
		ret = survey_list(s, list[EXT2_NDIR_BLOCKS + level - 1], level,
				  first);
		first += 1ull << list_bits(s->v) * level;
	}
	return ret;
}

/*
 * libext2fs frees whatever there is a number of, also what it takes for a list and
 * is none; and stops halfway, with blocks freed that the file still has, when it
 * cannot read a list, or comes to more blocks than the inode says.
 */
static int survey(struct volume *v, struct node *n, uint64_t from)
{
	struct survey s = { .v = v, .n = n, .from = from };
	uint64_t per = block_size(v) / 512;
	int ret;

	ret = bitmaps_new(v, "seen", &s.seen);
	if (ret)
		return ret;
	ret = survey_all(&s);
	ext2fs_free_block_bitmap(s.seen);
	if (ret || ext2fs_get_stat_i_blocks(v->fs, inode_of(n)) / per >=
			   s.blocks)
		return ret;
	volume_note_corrupt(v, n->ino, "count of blocks");
	return volume_error(v, ext2fs_iblk_set(v->fs, inode_of(n), s.blocks));
}

/* What has failed for another reason halfway is nobody's if none was to stay. */
static int cut(struct volume *v, struct node *n, uint64_t lblk)
{
	int ret;

	ret = survey(v, n, lblk);
	if (ret)
		return ret;
	core_lock(v);
	ret = volume_error(v, ext2fs_punch(v->fs, n->ino, inode_of(n), NULL,
					   lblk, ~0ull));
	core_unlock(v);
	if (ret && !lblk)
		memset(n->raw.i_block, 0, sizeof(n->raw.i_block));
	return ret;
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
		return cut(v, n, lblk);
	for (; lblk < end && !ret; lblk += r.len) {
		ret = blockmap_find(v, n, lblk, &r);
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
	ret = blockmap_punch(v, n, lblk, len);
	node_dirty(v, n);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Which blocks and inodes are taken.
 *
 * A block that was freed is not used again before the transaction that freed it
 * is durable: after a crash it would be in two files, or a file that was never
 * deleted would have another's data.  Nor is one while it is being discarded.
 *
 * Context: all take volume.core.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/* A place right at the goal is taken if so much fits, even if more was wanted. */
#define GOOD_RUN	64u
/* A run that is too long to be held at once is discarded by so many at least. */
#define PIECE_MIN	64u
/* Groups that are looked through for a run that is long enough. */
#define GROUPS_MAX	32u
/*
 * Who writes to space that he has is not to find that there is no room to note it:
 * at most so many blocks, and so large a part of all, are there for that alone.
 */
#define KEPT_MAX	4096u
#define KEPT_PART	50u

/* Who wants blocks, and may have ever more of the last ones. */
enum who {
	WHO_USER,
	WHO_ROOT,
	WHO_TREE,
};

/* This thread is at a request of somebody who has no right to the last blocks. */
static __thread bool for_user;

bool alloc_as_root(bool root)
{
	bool was = !for_user;

	for_user = !root;
	return was;
}

static enum who who_asks(void)
{
	return for_user ? WHO_USER : WHO_ROOT;
}

/* What this thread has missed since it was asked. */
static __thread enum lack lack;

enum lack alloc_lack(void)
{
	enum lack was = lack;

	lack = LACK_NONE;
	return was;
}

static int no_space(const struct volume *v)
{
	if (v->held_end)
		lack = LACK_HELD;
	else if (lack == LACK_NONE)
		lack = LACK_BLOCKS;
	return -ENOSPC;
}

/**
 * struct search - for blocks that follow each other
 * @v: the file system
 * @end: behind the last one that can be taken
 * @want: how many
 * @best: the first of the longest run so far
 * @len: its length
 */
struct search {
	struct volume	*v;
	uint64_t	end;
	uint64_t	want;
	uint64_t	best;
	uint64_t	len;
};

/* Skips to the first block in [*from, end) that is not in a map of freed ones. */
static bool skip_set(ext2fs_block_bitmap map, uint64_t count, uint64_t *from,
		     uint64_t *end)
{
	blk64_t at;

	if (!count ||
	    ext2fs_find_first_set_block_bitmap2(map, *from, *end - 1, &at))
		return true;
	if (at > *from) {
		*end = at;
		return true;
	}
	if (ext2fs_find_first_zero_block_bitmap2(map, *from, *end - 1, &at))
		*from = *end;
	else
		*from = at;
	return false;
}

/* Likewise, of those that are being discarded. */
static bool skip_held(const struct volume *v, uint64_t *from, uint64_t *end)
{
	if (*end <= v->held || *from >= v->held_end)
		return true;
	if (*from < v->held) {
		*end = v->held;
		return true;
	}
	*from = v->held_end;
	return false;
}

/* The first run of free blocks in [*from, last], [*from, *end) on return. */
static bool next_run(struct volume *v, uint64_t *from, uint64_t last,
		     uint64_t *end)
{
	blk64_t at;

	while (*from <= last) {
		if (ext2fs_find_first_zero_block_bitmap2(v->fs->block_map,
							 *from, last, &at))
			return false;
		*from = at;
		*end = last + 1;
		if (!ext2fs_find_first_set_block_bitmap2(v->fs->block_map, at,
							 last, &at))
			*end = at;
		if (skip_set(v->pending, v->pending_count, from, end) &&
		    skip_set(v->closing, v->closing_count, from, end) &&
		    skip_held(v, from, end))
			return true;
	}
	return false;
}

/* Returns true when there is no need to look further. */
static bool consider(struct search *s, uint64_t from, uint64_t end)
{
	uint64_t len = end - from < s->want ? end - from : s->want;

	if (len > s->len) {
		s->best = from;
		s->len = len;
	}
	return s->len >= s->want;
}

static bool search_group(struct search *s, dgrp_t group, uint64_t from)
{
	ext2_filsys fs = s->v->fs;
	uint64_t last = ext2fs_group_last_block2(fs, group);
	uint64_t end;

	if (!ext2fs_bg_free_blocks_count(fs, group))
		return false;
	if (last >= s->end)
		last = s->end - 1;
	if (from < ext2fs_group_first_block2(fs, group))
		from = ext2fs_group_first_block2(fs, group);
	while (next_run(s->v, &from, last, &end)) {
		if (consider(s, from, end))
			return true;
		from = end;
	}
	return false;
}

static uint64_t legal_goal(const struct search *s, uint64_t goal)
{
	uint32_t first = s->v->fs->super->s_first_data_block;

	return goal < first || goal >= s->end ? first : goal;
}

/* At the goal, in what follows, in its group, and in the groups behind it. */
static void search_all(struct search *s, uint64_t goal)
{
	ext2_filsys fs = s->v->fs;
	dgrp_t count = ext2fs_group_of_blk2(fs, s->end - 1) + 1;
	dgrp_t first = ext2fs_group_of_blk2(fs, goal), g = first, i;
	uint64_t from = goal, end, last = s->end - 1;

	if (last - goal >= s->want)
		last = goal + s->want - 1;
	if (next_run(s->v, &from, last, &end) && from == goal) {
		consider(s, from, end);
		if (s->len >= GOOD_RUN || s->len >= s->want)
			return;
	}
	if (search_group(s, first, goal))
		return;
	for (i = 0; i < count; i++) {
		if (search_group(s, g, 0))
			return;
		if (++g == count)
			g = 0;
		if (i >= GROUPS_MAX && s->len)
			return;
	}
}

static uint64_t room(const struct volume *v, enum who who)
{
	uint64_t all = ext2fs_free_blocks_count(v->fs->super);
	uint64_t not = v->pending_count + v->closing_count +
		       v->held_end - v->held;

	if (who != WHO_TREE)
		not += v->kept;
	if (who == WHO_USER)
		not += ext2fs_r_blocks_count(v->fs->super);
	return all > not ? all - not : 0;
}

/* What lists of numbers lead to has one that there is room for. */
static int64_t find_run(struct volume *v, bool listed, uint64_t goal,
			uint64_t want, enum who who, uint64_t *out)
{
	struct search s = { .v = v, .want = want };
	uint64_t have = room(v, who);

	s.end = listed ? v->lists_end : ext2fs_blocks_count(v->fs->super);

	if (s.want > have)
		s.want = have;
	if (!s.want)
		return no_space(v);
	search_all(&s, legal_goal(&s, goal));
	if (!s.len)
		return no_space(v);
	*out = s.best;
	return (int64_t)s.len;
}

/* What there is to note when libext2fs has counted blocks. */
static void note(struct volume *v, uint64_t block, uint64_t count, int inuse)
{
	bitmaps_touch(v, block, count);
	if (inuse > 0)
		return;
	ext2fs_mark_block_bitmap_range2(v->pending, block, (blk_t)count);
	v->pending_count += count;
	bcache_forget(v->cache, block, count);
}

int64_t alloc_run(struct volume *v, const struct node *n, uint64_t goal,
		  uint64_t want, uint64_t *out)
{
	bool listed = !node_has(n, EXT4_EXTENTS_FL);
	int64_t got;

	core_lock(v);
	got = find_run(v, listed, goal, want, who_asks(), out);
	if (got > 0) {
		bcache_forget(v->cache, *out, (uint64_t)got);
		ext2fs_block_alloc_stats_range(v->fs, *out, (blk_t)got, 1);
		note(v, *out, (uint64_t)got, 1);
	}
	core_unlock(v);
	return got;
}

/* Up to where those from @block on are in use; returns false if the first is not. */
static bool used_until(const struct volume *v, uint64_t block, uint64_t end,
		       uint64_t *until)
{
	blk64_t at;

	*until = end;
	if (!ext2fs_find_first_zero_block_bitmap2(v->fs->block_map, block,
						  end - 1, &at))
		*until = at;
	if (*until > block)
		return true;
	*until = end;
	if (!ext2fs_find_first_set_block_bitmap2(v->fs->block_map, block,
						 end - 1, &at))
		*until = at;
	return false;
}

static void free_used(struct volume *v, uint64_t block, uint64_t count)
{
	blk_t n;

	for (; count; count -= n, block += n) {
		n = count < 1u << 30 ? (blk_t)count : 1u << 30;
		ext2fs_block_alloc_stats_range(v->fs, block, n, -1);
		note(v, block, n, -1);
	}
}

/* What is free already was another file's as well, or the bitmap is wrong. */
void alloc_free(struct volume *v, uint64_t block, uint64_t count)
{
	uint64_t end = block + count, until;
	bool twice = false;

	core_lock(v);
	for (; block < end; block = until) {
		if (used_until(v, block, end, &until))
			free_used(v, block, until - block);
		else
			twice = true;
	}
	core_unlock(v);
	if (twice)
		volume_note_corrupt(v, 0, "blocks freed that are free");
}

/*
 * At most half of what there is for everybody is held: where that is next to nothing,
 * a long run would be no end of pieces.
 */
static bool is_worth(const struct free_run *run, uint64_t most)
{
	return most >= PIECE_MIN || run->end - run->from <= most;
}

/* A run that is long enough, or the rest of one. */
static bool find_long(struct volume *v, struct free_run *run, uint64_t min)
{
	while (next_run(v, &run->from, run->last, &run->end)) {
		if (run->end - run->from >= min || run->from == run->rest)
			return true;
		run->from = run->end;
	}
	return false;
}

int alloc_hold(struct volume *v, struct free_run *run, uint64_t min)
{
	uint64_t most;
	bool found;

	if (v->held_wanted != run->wanted)
		return -EAGAIN;
	core_lock(v);
	most = room(v, WHO_USER) / 2;
	found = most && find_long(v, run, min) && is_worth(run, most);
	if (found && run->end - run->from > most) {
		run->end = run->from + most;
		run->rest = run->end;
	}
	if (found) {
		v->held = run->from;
		v->held_end = run->end;
	}
	core_unlock(v);
	return found;
}

void alloc_let_go(struct volume *v)
{
	core_lock(v);
	v->held = 0;
	v->held_end = 0;
	pthread_cond_broadcast(&v->held_none);
	core_unlock(v);
}

void alloc_await(struct volume *v)
{
	core_lock(v);
	v->held_wanted++;
	while (v->held_end)
		pthread_cond_wait(&v->held_none, &v->core);
	core_unlock(v);
}

uint64_t alloc_left(struct volume *v)
{
	uint64_t left;

	core_lock(v);
	left = ext2fs_free_blocks_count(v->fs->super);
	core_unlock(v);
	return left;
}

bool alloc_has(struct volume *v, uint64_t count)
{
	bool has;

	core_lock(v);
	has = room(v, who_asks()) >= count;
	if (!has)
		no_space(v);
	core_unlock(v);
	return has;
}

/* libext2fs wants one for itself, and takes it; who called it has the core. */
static errcode_t on_get(ext2_filsys fs, blk64_t goal, blk64_t *out)
{
	struct volume *v = fs->priv_data;
	uint64_t block;
	int64_t n = find_run(v, v->for_list, goal, 1,
			     v->for_tree ? WHO_TREE : who_asks(), &block);

	if (n < 0)
		return EXT2_ET_BLOCK_ALLOC_FAIL;
	bcache_forget(v->cache, block, 1);
	*out = block;
	return 0;
}

/*
 * There is a call for ranges as well, which libext2fs does not make use of by
 * itself, and some versions of it get wrong.
 */
static void on_block(ext2_filsys fs, blk64_t block, int inuse)
{
	note(fs->priv_data, block, 1, inuse);
}

void alloc_tree(struct volume *v, bool tree)
{
	v->for_tree = tree;
}

void alloc_list(struct volume *v, bool list)
{
	v->for_list = list;
}

int alloc_open(struct volume *v)
{
	uint64_t all = ext2fs_blocks_count(v->fs->super);
	uint64_t part = all / KEPT_PART;

	v->lists_end = all < 1ull << 32 ? all : 1ull << 32;
	if (ext2fs_has_feature_extents(v->fs->super))
		v->kept = part < KEPT_MAX ? part : KEPT_MAX;
	ext2fs_set_alloc_block_callback(v->fs, on_get, NULL);
	ext2fs_set_block_alloc_stats_callback(v->fs, on_block, NULL);
	return 0;
}

void alloc_closing(struct volume *v)
{
	ext2fs_block_bitmap map = v->closing;

	v->closing = v->pending;
	v->closing_count = v->pending_count;
	v->pending = map;
	v->pending_count = 0;
}

void alloc_committed(struct volume *v)
{
	if (v->closing_count) {
		ext2fs_clear_block_bitmap(v->closing);
		v->freed++;
	}
	v->closing_count = 0;
}

bool alloc_waits(struct volume *v)
{
	bool waits;

	core_lock(v);
	waits = v->pending_count || v->closing_count;
	core_unlock(v);
	return waits;
}

uint64_t alloc_goal(const struct volume *v, const struct node *n)
{
	return ext2fs_group_first_block2(v->fs,
					 ext2fs_group_of_ino(v->fs, n->ino));
}

static ext2_ino_t free_inode(const struct volume *v, dgrp_t group)
{
	ext2_filsys fs = v->fs;
	ext2_ino_t first = group * fs->super->s_inodes_per_group + 1, ino;
	ext2_ino_t last = first + fs->super->s_inodes_per_group - 1;

	if (!ext2fs_bg_free_inodes_count(fs, group))
		return 0;
	if (first < EXT2_FIRST_INODE(fs->super))
		first = EXT2_FIRST_INODE(fs->super);
	if (first > last ||
	    ext2fs_find_first_zero_inode_bitmap2(fs->inode_map, first, last,
						 &ino))
		return 0;
	return ino;
}

/*
 * Directories below the root are not likely to have to do with each other, so
 * they are spread; those farther down stay close to their parents while there
 * is space for files.
 */
static dgrp_t group_for_dir(struct volume *v, const struct node *dir)
{
	ext2_filsys fs = v->fs;
	dgrp_t count = fs->group_desc_count, i, g;
	uint64_t inodes = fs->super->s_free_inodes_count / count;
	uint64_t blocks = ext2fs_free_blocks_count(fs->super) / count;
	bool top = dir->ino == EXT2_ROOT_INO;

	g = top ? v->last_group : ext2fs_group_of_ino(fs, dir->ino);
	if (!top) {
		inodes /= 2;
		blocks /= 2;
	}
	for (i = 0; i < count; i++, g++) {
		g %= count;
		if (ext2fs_bg_free_inodes_count(fs, g) &&
		    ext2fs_bg_free_inodes_count(fs, g) >= inodes &&
		    ext2fs_bg_free_blocks_count(fs, g) >= blocks)
			break;
	}
	g %= count;
	if (top)
		v->last_group = (g + 1) % count;
	return g;
}

static int find_inode(struct volume *v, const struct node *dir,
		      bool is_directory, ext2_ino_t *ino)
{
	dgrp_t g, i;

	g = is_directory ? group_for_dir(v, dir) :
			   ext2fs_group_of_ino(v->fs, dir->ino);
	for (i = 0; i < v->fs->group_desc_count; i++) {
		*ino = free_inode(v, g);
		if (*ino) {
			ext2fs_inode_alloc_stats2(v->fs, *ino, 1,
						  is_directory);
			v->groups[g] |= GROUP_INODES;
			return 0;
		}
		if (++g == v->fs->group_desc_count)
			g = 0;
	}
	return -ENOSPC;
}

int alloc_inode(struct volume *v, const struct node *dir, bool is_directory,
		ext2_ino_t *ino)
{
	int ret;

	core_lock(v);
	ret = find_inode(v, dir, is_directory, ino);
	core_unlock(v);
	return ret;
}

void alloc_inode_free(struct volume *v, ext2_ino_t ino, bool is_directory)
{
	core_lock(v);
	ext2fs_inode_alloc_stats2(v->fs, ino, -1, is_directory);
	v->groups[ext2fs_group_of_ino(v->fs, ino)] |= GROUP_INODES;
	core_unlock(v);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Where the data of a file is, for the kernel, and where it is going to be.
 *
 * Space is allocated when data is about to be written, as unwritten, and becomes
 * data when the data is there.  Who makes a file longer from front to back is given
 * more than was asked for, the more the longer it goes on, so that the file
 * becomes few extents and the kernel asks rarely; what is left of it goes back
 * when the kernel forgets the file, when there is no other space (reclaim.c), or after
 * a crash (orphan.c).
 * Until then it is there for all to see, as what XFS takes is, and as there it is
 * behind the end of the file, and none of a small one.
 */
#include <errno.h>

#include "ext4.h"

/* What is taken in advance: at first, and at most, in bytes. */
#define WINDOW_MIN	(64u << 10)
#define WINDOW_MAX	(8u << 20)
/* Files that are not longer than this do without. */
#define SMALL		(64u << 10)
/* And at most this part of what is free. */
#define SHARE		8u

/* How much more than asked for is to be allocated at a block. */
static uint64_t advance(struct volume *v, struct node *n, uint64_t lblk,
			uint64_t len, const struct run *hole)
{
	uint64_t bits = v->block_bits, some;

	if (!node_has(n, EXT4_EXTENTS_FL) || lblk < SMALL >> bits ||
	    lblk != n->next_write || lblk < blocks_of(v, size_of(n)) ||
	    hole->lblk + hole->len != LBLK_END) {
		n->window = 0;
		return 0;
	}
	some = alloc_left(v) / SHARE;
	n->window = n->window * 2 > len ? n->window * 2 : len;
	if (n->window < WINDOW_MIN >> bits)
		n->window = WINDOW_MIN >> bits;
	if (n->window > WINDOW_MAX >> bits)
		n->window = WINDOW_MAX >> bits;
	if (n->window > some)
		n->window = some;
	return n->window;
}

static int goal_of(struct volume *v, struct node *n, uint64_t lblk,
		   uint64_t *goal)
{
	struct run r;
	int ret;

	*goal = alloc_goal(v, n);
	if (!lblk)
		return 0;
	ret = file_find(v, n, lblk - 1, &r);
	if (!ret && r.type != RUN_HOLE)
		*goal = r.pblk + r.len;
	return ret;
}

/* Without unwritten extents what is allocated reads as what was there before. */
static int clear(struct volume *v, const struct node *n, const struct run *r)
{
	if (node_has(n, EXT4_EXTENTS_FL))
		return 0;
	return device_zero(&v->dev, r->len * block_size(v),
			   r->pblk * block_size(v));
}

/* When there is room in the tree only for the beginning of it, @r becomes that. */
static int add(struct volume *v, struct node *n, struct run *r)
{
	uint64_t done = 0;
	int ret;

	ret = volume_error(v, ext2fs_iblk_add_blocks(v->fs, inode_of(n),
						     r->len));
	if (ret) {
		alloc_free(v, r->pblk, r->len);
		return ret;
	}
	ret = file_insert(v, n, r, &done);
	if (ret) {
		alloc_free(v, r->pblk + done, r->len - done);
		ext2fs_iblk_sub_blocks(v->fs, inode_of(n), r->len - done);
		r->len = done;
	}
	return ret == -ENOSPC && done ? 0 : ret;
}

static int allocate(struct volume *v, struct node *n, uint64_t lblk,
		    uint64_t len, const struct run *hole)
{
	bool extents = node_has(n, EXT4_EXTENTS_FL);
	uint64_t more = advance(v, n, lblk, len, hole), goal;
	struct run r = { .lblk = lblk,
			 .type = extents ? RUN_UNWRITTEN : RUN_DATA };
	int64_t got;
	int ret;

	ret = goal_of(v, n, lblk, &goal);
	if (ret)
		return ret;
	if (len + more > LBLK_END - 1 - lblk)
		more = 0;
	got = alloc_run(v, n, goal, len + more, &r.pblk);
	if (got < 0)
		return (int)got;
	r.len = (uint64_t)got;
	ret = clear(v, n, &r);
	if (ret)
		alloc_free(v, r.pblk, r.len);
	else
		ret = add(v, n, &r);
	/* What there was when it was read into memory may have been asked for. */
	if (n->wanted == LBLK_END && hole->lblk + hole->len == LBLK_END)
		n->wanted = hole->lblk;
	if (!ret && (r.len > len || !extents) &&
	    (!n->reserved || lblk + len < n->reserved))
		n->reserved = lblk + len;
	orphan_update(v, n);
	return ret;
}

int map_allocate(struct volume *v, struct node *n, uint64_t lblk, uint64_t len,
		 struct run *r, bool *fresh)
{
	uint64_t left;
	int ret;

	*fresh = false;
	if (lblk + len > size_max(v, node_has(n, EXT4_EXTENTS_FL)) >>
	    v->block_bits)
		return -EFBIG;
	ret = file_find(v, n, lblk, r);
	if (!ret && r->type == RUN_HOLE) {
		left = r->lblk + r->len - lblk;
		ret = allocate(v, n, lblk, len < left ? len : left, r);
		*fresh = !ret;
		if (!ret)
			ret = file_find(v, n, lblk, r);
	}
	/* Up to there nothing is asked any more. */
	if (!ret)
		n->next_write = r->lblk + r->len;
	return ret;
}

int map_find_block(struct volume *v, struct node *n, uint64_t lblk,
		   uint64_t *pblk)
{
	uint64_t goal;
	int64_t got;
	int ret;

	ret = goal_of(v, n, lblk, &goal);
	if (ret)
		return ret;
	got = alloc_run(v, n, goal, 1, pblk);
	return got < 0 ? (int)got : 0;
}

int map_put_block(struct volume *v, struct node *n, uint64_t lblk,
		  uint64_t pblk)
{
	struct run r = { .lblk = lblk, .len = 1, .pblk = pblk,
			 .type = RUN_DATA };

	return add(v, n, &r);
}

int map_add_block(struct volume *v, struct node *n, uint64_t lblk,
		  uint64_t *pblk)
{
	int ret = map_find_block(v, n, lblk, pblk);

	return ret ? ret : map_put_block(v, n, lblk, *pblk);
}

uint64_t map_spare(const struct volume *v, const struct node *n)
{
	uint64_t from = blocks_of(v, size_of(n));

	/* Without extents all of it is: it is the file's that ends behind it. */
	if (from < n->reserved && node_has(n, EXT4_EXTENTS_FL))
		from = n->reserved;
	return from;
}

int map_trim(struct volume *v, struct node *n)
{
	uint64_t from = map_spare(v, n);
	int ret;

	if (!n->reserved)
		return 0;
	n->reserved = 0;
	n->window = 0;
	ret = file_punch(v, n, from, LBLK_END);
	orphan_update(v, n);
	return ret;
}

static void to_map(const struct volume *v, const struct run *r,
		   struct fusex_map *map)
{
	uint64_t offset = r->lblk << v->block_bits;
	uint64_t length = r->len << v->block_bits;

	if (r->type == RUN_HOLE)
		fusex_map_hole(map, offset, length);
	else
		fusex_map_at(map, r->type == RUN_DATA ? FUSEX_MAP_MAPPED :
							FUSEX_MAP_UNWRITTEN,
			     offset, length, v->map_dev,
			     r->pblk << v->block_bits);
}

/* Returns 1 if the data of the file is in its inode, and stays there. */
static int begin_inline(struct volume *v, struct node *n,
			const struct fusex_map_begin_in *in,
			struct fusex_map_begin_out *out)
{
	size_t room;

	if (!node_has(n, EXT4_INLINE_DATA_FL))
		return 0;
	room = inline_room(v, n);
	if (in->op & FUSEX_MAP_OP_WRITE &&
	    (in->op & (FUSEX_MAP_OP_FAULT | FUSEX_MAP_OP_DIRECT |
		       FUSEX_MAP_OP_WRITEBACK) ||
	     in->offset + in->length > room))
		return inline_to_blocks(v, n);
	fusex_map_inline(&out->read, room);
	return 1;
}

static void flag_map(const struct volume *v, const struct node *n, bool fresh,
		     struct fusex_map *map)
{
	if (fresh && map->type == FUSEX_MAP_MAPPED)
		map->flags |= FUSEX_MAP_F_NEW;
	/* A block is written over, or nobody's until all of it is written. */
	if (map->type != FUSEX_MAP_HOLE)
		map->flags |= FUSEX_MAP_F_ATOMIC;
	/* Of what is read as well: it is written to without asking again. */
	if (n->is_dirty || !commit_is_done(v, n->changed))
		map->flags |= FUSEX_MAP_F_DIRTY;
}

static void grant(const struct volume *v, const struct node *n,
		  struct fusex_map_begin_out *out)
{
	out->lease = remote_lease(v, n);
	if (out->lease)
		out->lease_valid = v->lease ? v->lease * 1000000000ull :
					      FUSEX_FOREVER;
}

int map_peek(struct volume *v, struct node *n,
	     const struct fusex_map_begin_in *in,
	     struct fusex_map_begin_out *out)
{
	uint64_t lblk = in->offset >> v->block_bits;
	struct run r;

	if (!is_reg(n) || !node_has(n, EXT4_EXTENTS_FL) ||
	    node_has(n, EXT4_INLINE_DATA_FL) || lblk >= LBLK_END ||
	    extents_peek(v, n, lblk, &r))
		return -EAGAIN;
	/* Space for it is wanted, or more of it will be. */
	if (in->op & FUSEX_MAP_OP_WRITE &&
	    (r.type == RUN_HOLE || n->next_write != r.lblk + r.len))
		return -EAGAIN;
	grant(v, n, out);
	to_map(v, &r, &out->read);
	flag_map(v, n, false, &out->read);
	return 0;
}

int map_begin(struct volume *v, struct node *n,
	      const struct fusex_map_begin_in *in,
	      struct fusex_map_begin_out *out)
{
	uint64_t lblk = in->offset >> v->block_bits, end;
	bool fresh = false;
	struct run r;
	int ret;

	if (!is_reg(n))
		return -EINVAL;
	grant(v, n, out);
	ret = begin_inline(v, n, in, out);
	if (ret)
		return ret < 0 ? ret : 0;
	if (in->length > INT64_MAX - in->offset)
		return -EINVAL;
	end = blocks_of(v, in->offset + in->length);
	if (in->op & FUSEX_MAP_OP_WRITE)
		ret = map_allocate(v, n, lblk, end - lblk, &r, &fresh);
	else if (lblk < LBLK_END)
		ret = file_find(v, n, lblk, &r);
	else
		r = (struct run){ lblk, end - lblk, 0, RUN_HOLE };
	if (ret)
		return ret;
	to_map(v, &r, &out->read);
	flag_map(v, n, fresh, &out->read);
	if (fresh) {
		out->attr_valid = FUSEX_FOREVER;
		attr_fill(v, n, &out->attr);
	}
	return 0;
}

/* What was allocated since may begin before what the kernel has forgotten. */
int map_return(struct volume *v, struct node *n,
	       const struct fusex_map_return_in *in)
{
	if (in->error || in->length ||
	    map_spare(v, n) < in->offset >> v->block_bits)
		return 0;
	return map_trim(v, n);
}

int map_ioend(struct volume *v, struct node *n,
	      const struct fusex_map_ioend_in *in)
{
	uint64_t lblk = in->offset >> v->block_bits, end;
	int ret = 0;

	/* What was allocated for it stays unwritten. */
	if (in->error)
		return 0;
	if (in->length > INT64_MAX - in->offset)
		return -EINVAL;
	end = blocks_of(v, in->offset + in->length);
	if (in->flags & FUSEX_IOEND_UNWRITTEN &&
	    node_has(n, EXT4_EXTENTS_FL))
		ret = extents_convert(v, n, lblk, end - lblk, RUN_DATA);
	/* Data that is nowhere. */
	if (ret > 0)
		ret = -EIO;
	if (!ret && in->flags & FUSEX_IOEND_APPEND &&
	    in->size > size_of(n)) {
		set_size(n, in->size);
		node_dirty(v, n);
		orphan_update(v, n);
	}
	if (!ret && in->flags & FUSEX_IOEND_MTIME)
		remote_wrote(v, n, &in->mtime);
	return ret;
}

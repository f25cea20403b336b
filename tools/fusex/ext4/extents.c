// SPDX-License-Identifier: GPL-2.0
/*
 * Files whose blocks are found by a tree of extents.
 *
 * The tree is libext2fs's business.  It moves a cursor from extent to extent and
 * changes the one the cursor is at; what is made of that here are ranges.  Nodes
 * of the tree are allocated and freed when extents are inserted and deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

static int tree_open(struct volume *v, struct node *n, ext2_extent_handle_t *h)
{
	return volume_error(v, ext2fs_extent_open2(v->fs, n->ino, inode_of(n),
						   h));
}

void extents_init(struct node *n)
{
	struct ext3_extent_header *h = (void *)n->raw.i_block;

	memset(n->raw.i_block, 0, sizeof(n->raw.i_block));
	n->raw.i_flags |= EXT4_EXTENTS_FL;
	h->eh_magic = ext2fs_cpu_to_le16(EXT3_EXT_MAGIC);
	h->eh_max = ext2fs_cpu_to_le16((sizeof(n->raw.i_block) - sizeof(*h)) /
				       sizeof(struct ext3_extent));
}

static bool is_unwritten(const struct ext2fs_extent *e)
{
	return e->e_flags & EXT2_EXTENT_FLAGS_UNINIT;
}

static uint64_t end_of(const struct ext2fs_extent *e)
{
	return e->e_lblk + e->e_len;
}

static uint32_t longest(bool unwritten)
{
	return unwritten ? EXT_UNINIT_MAX_LEN : EXT_INIT_MAX_LEN;
}

static errcode_t current(ext2_extent_handle_t h, struct ext2fs_extent *e)
{
	return ext2fs_extent_get(h, EXT2_EXTENT_CURRENT, e);
}

/*
 * The extent behind the one the cursor is at.  Not EXT2_EXTENT_NEXT_LEAF, which
 * after ext2fs_extent_goto() begins a node that is at its end once more.  When
 * there is none the cursor is nowhere.
 */
static errcode_t next(ext2_extent_handle_t h, struct ext2fs_extent *e)
{
	errcode_t err = ext2fs_extent_get(h, EXT2_EXTENT_NEXT_SIB, e);

	while (err == EXT2_ET_EXTENT_NO_NEXT) {
		err = ext2fs_extent_get(h, EXT2_EXTENT_UP, e);
		if (err == EXT2_ET_EXTENT_NO_UP)
			return EXT2_ET_EXTENT_NO_NEXT;
		if (!err)
			err = ext2fs_extent_get(h, EXT2_EXTENT_NEXT_SIB, e);
	}
	while (!err && !(e->e_flags & EXT2_EXTENT_FLAGS_LEAF))
		err = ext2fs_extent_get(h, EXT2_EXTENT_DOWN, e);
	return err;
}

/* The extent before it, likewise. */
static errcode_t previous(ext2_extent_handle_t h, struct ext2fs_extent *e)
{
	errcode_t err = ext2fs_extent_get(h, EXT2_EXTENT_PREV_SIB, e);

	while (err == EXT2_ET_EXTENT_NO_PREV) {
		err = ext2fs_extent_get(h, EXT2_EXTENT_UP, e);
		if (err == EXT2_ET_EXTENT_NO_UP)
			return EXT2_ET_EXTENT_NO_PREV;
		if (!err)
			err = ext2fs_extent_get(h, EXT2_EXTENT_PREV_SIB, e);
	}
	while (!err && !(e->e_flags & EXT2_EXTENT_FLAGS_LEAF))
		err = ext2fs_extent_get(h, EXT2_EXTENT_DOWN_AND_LAST, e);
	return err;
}

/* Does @b go on where @a ends, so that they can be one? */
static bool mergeable(const struct ext2fs_extent *a,
		      const struct ext2fs_extent *b)
{
	return end_of(a) == b->e_lblk && a->e_pblk + a->e_len == b->e_pblk &&
	       is_unwritten(a) == is_unwritten(b) &&
	       a->e_len + b->e_len <= longest(is_unwritten(a));
}

/* The last entry of a node may be gone with the node. */
static errcode_t fix_parents(ext2_extent_handle_t h)
{
	errcode_t err = ext2fs_extent_fix_parents(h);

	return err == EXT2_ET_NO_CURRENT_NODE ? 0 : err;
}

static errcode_t insert(struct volume *v, ext2_extent_handle_t h, int flags,
			struct ext2fs_extent *e)
{
	errcode_t err;

	core_lock(v);
	alloc_tree(v, true);
	err = ext2fs_extent_insert(h, flags, e);
	alloc_tree(v, false);
	core_unlock(v);
	return err ? err : ext2fs_extent_fix_parents(h);
}

static errcode_t replace(ext2_extent_handle_t h, struct ext2fs_extent *e)
{
	errcode_t err = ext2fs_extent_replace(h, 0, e);

	return err ? err : ext2fs_extent_fix_parents(h);
}

static errcode_t delete(struct volume *v, ext2_extent_handle_t h)
{
	errcode_t err;

	core_lock(v);
	err = ext2fs_extent_delete(h, 0);
	core_unlock(v);
	return err ? err : fix_parents(h);
}

static void as_run(const struct ext2fs_extent *e, struct run *r)
{
	r->lblk = e->e_lblk;
	r->len = e->e_len;
	r->pblk = e->e_pblk;
	r->type = is_unwritten(e) ? RUN_UNWRITTEN : RUN_DATA;
}

/* The cursor is in front of a hole, or behind it if there is nothing before. */
static errcode_t find_hole(ext2_extent_handle_t h, uint64_t lblk,
			   struct run *r)
{
	struct ext2fs_extent e;
	errcode_t err;

	*r = (struct run){ lblk, LBLK_END - lblk, 0, RUN_HOLE };
	err = current(h, &e);
	if (!err && e.e_lblk <= lblk) {
		r->lblk = end_of(&e);
		err = next(h, &e);
	} else if (!err) {
		r->lblk = 0;
	}
	if (err == EXT2_ET_NO_CURRENT_NODE)
		r->lblk = 0;
	r->len = LBLK_END - r->lblk;
	if (!err && e.e_lblk > lblk)
		r->len = e.e_lblk - r->lblk;
	return err == EXT2_ET_EXTENT_NO_NEXT ||
	       err == EXT2_ET_NO_CURRENT_NODE ? 0 : err;
}

static errcode_t look(struct volume *v, struct node *n, uint64_t lblk,
		      struct run *r)
{
	ext2_extent_handle_t h;
	struct ext2fs_extent e;
	errcode_t err;

	err = ext2fs_extent_open2(v->fs, n->ino, inode_of(n), &h);
	if (err)
		return err;
	err = ext2fs_extent_goto(h, lblk);
	if (!err) {
		err = current(h, &e);
		as_run(&e, r);
	} else if (err == EXT2_ET_EXTENT_NOT_FOUND) {
		err = find_hole(h, lblk, r);
	}
	ext2fs_extent_free(h);
	return err;
}

int extents_find(struct volume *v, struct node *n, uint64_t lblk,
		 struct run *r)
{
	int ret = extents_check(v, n);

	return ret ? ret : volume_error(v, look(v, n, lblk, r));
}

int extents_peek(struct volume *v, struct node *n, uint64_t lblk,
		 struct run *r)
{
	/* An error is one that extents_find() has to act upon. */
	return n->checked && !look(v, n, lblk, r) ? 0 : -EAGAIN;
}

/* Makes one of the extent at @lblk and the one behind it, if it can be done. */
static errcode_t merge(struct volume *v, ext2_extent_handle_t h, uint64_t lblk)
{
	struct ext2fs_extent e, more;
	errcode_t err;

	err = ext2fs_extent_goto(h, lblk);
	if (!err)
		err = current(h, &e);
	if (!err)
		err = next(h, &more);
	if (err == EXT2_ET_EXTENT_NO_NEXT || (!err && !mergeable(&e, &more)))
		return 0;
	if (!err)
		err = delete(v, h);
	if (!err)
		err = ext2fs_extent_goto(h, lblk);
	if (err)
		return err;
	e.e_len += more.e_len;
	return replace(h, &e);
}

/* Puts an extent into a hole; returns in @e where that begins which it is part of. */
static errcode_t insert_one(struct volume *v, ext2_extent_handle_t h,
			    struct ext2fs_extent *e)
{
	struct ext2fs_extent prev;
	errcode_t err;

	err = ext2fs_extent_goto(h, e->e_lblk);
	if (!err)
		return EXT2_ET_EXTENT_NOT_SUPPORTED;
	if (err != EXT2_ET_EXTENT_NOT_FOUND)
		return err;
	err = current(h, &prev);
	if (err == EXT2_ET_NO_CURRENT_NODE)
		return insert(v, h, 0, e);
	if (err)
		return err;
	if (prev.e_lblk > e->e_lblk)
		return insert(v, h, 0, e);
	if (!mergeable(&prev, e))
		return insert(v, h, EXT2_EXTENT_INSERT_AFTER, e);
	e->e_lblk = prev.e_lblk;
	prev.e_len += e->e_len;
	return replace(h, &prev);
}

int extents_insert(struct volume *v, struct node *n, const struct run *r,
		   uint64_t *done)
{
	bool unwritten = r->type == RUN_UNWRITTEN;
	struct ext2fs_extent e;
	ext2_extent_handle_t h;
	errcode_t err = 0;
	uint32_t len;
	int ret;

	*done = 0;
	ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	while (*done < r->len && !err) {
		len = longest(unwritten);
		if (r->len - *done < len)
			len = (uint32_t)(r->len - *done);
		e = (struct ext2fs_extent){
			.e_pblk = r->pblk + *done,
			.e_lblk = r->lblk + *done,
			.e_len = len,
			.e_flags = unwritten ? EXT2_EXTENT_FLAGS_UNINIT : 0,
		};
		err = insert_one(v, h, &e);
		if (err)
			break;
		*done += len;
		err = merge(v, h, e.e_lblk);
	}
	ext2fs_extent_free(h);
	node_dirty(v, n);
	return volume_error(v, err);
}

/*
 * The usual case: data was written behind data, to the beginning of space that
 * was taken in advance.  Only a border moves.  Returns true if it was that.
 */
static bool move_border(struct volume *v, ext2_extent_handle_t h,
			struct ext2fs_extent *e, uint32_t len, errcode_t *err)
{
	struct ext2fs_extent prev, head = *e;
	uint64_t start;

	head.e_len = len;
	head.e_flags ^= EXT2_EXTENT_FLAGS_UNINIT;
	*err = previous(h, &prev);
	if (*err || !mergeable(&prev, &head)) {
		*err = ext2fs_extent_goto(h, e->e_lblk);
		return *err;
	}
	start = prev.e_lblk;
	prev.e_len += len;
	*err = ext2fs_extent_replace(h, 0, &prev);
	/* They overlap for a moment: it cannot be looked for by its block. */
	if (!*err)
		*err = next(h, &prev);
	if (*err)
		return true;
	if (e->e_len == len) {
		*err = delete(v, h);
		if (!*err)
			*err = merge(v, h, start);
		return true;
	}
	e->e_lblk += len;
	e->e_pblk += len;
	e->e_len -= len;
	*err = replace(h, e);
	return true;
}

/*
 * Makes two of the extent the cursor is at, with @flip in the flags of the second;
 * there may be no room for that, then it stays one.
 */
static errcode_t divide(struct volume *v, ext2_extent_handle_t h,
			struct ext2fs_extent *e, uint64_t at, uint32_t flip)
{
	struct ext2fs_extent head = *e, tail = *e;
	errcode_t err;

	head.e_len = (uint32_t)(at - e->e_lblk);
	tail.e_lblk = at;
	tail.e_pblk += head.e_len;
	tail.e_len -= head.e_len;
	tail.e_flags ^= flip;
	err = replace(h, &head);
	if (!err)
		err = insert(v, h, EXT2_EXTENT_INSERT_AFTER, &tail);
	if (!err) {
		*e = head;
		return ext2fs_extent_goto(h, e->e_lblk);
	}
	if (!ext2fs_extent_goto(h, e->e_lblk))
		replace(h, e);
	return err;
}

/* Cuts [from, to) out of an extent the cursor is at; it becomes the other type. */
static errcode_t split(struct volume *v, ext2_extent_handle_t h,
		       struct ext2fs_extent e, uint64_t from, uint64_t to)
{
	errcode_t err = 0;

	if (to < end_of(&e))
		err = divide(v, h, &e, to, 0);
	if (err)
		return err;
	if (from == e.e_lblk) {
		e.e_flags ^= EXT2_EXTENT_FLAGS_UNINIT;
		return replace(h, &e);
	}
	err = divide(v, h, &e, from, EXT2_EXTENT_FLAGS_UNINIT);
	if (err)
		merge(v, h, e.e_lblk);
	return err;
}

/* Converts [from, to) of an extent the cursor is at. */
static errcode_t convert_one(struct volume *v, ext2_extent_handle_t h,
			     struct ext2fs_extent *e, uint64_t from,
			     uint64_t to)
{
	errcode_t err;

	/* One type can be longer than the other. */
	if (to - from > EXT_UNINIT_MAX_LEN)
		to = from + EXT_UNINIT_MAX_LEN;
	if (from == e->e_lblk &&
	    move_border(v, h, e, (uint32_t)(to - from), &err))
		return err;
	err = split(v, h, *e, from, to);
	if (!err && to == end_of(e))
		err = merge(v, h, from);
	return err;
}

int extents_convert(struct volume *v, struct node *n, uint64_t lblk,
		    uint64_t len, enum run_type to)
{
	const bool unwritten = to == RUN_UNWRITTEN;
	uint64_t end = lblk + len, stop;
	ext2_extent_handle_t h;
	struct ext2fs_extent e;
	errcode_t err = 0;
	bool hole = false;
	int ret;

	ret = extents_check(v, n);
	if (!ret)
		ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	while (lblk < end && !err) {
		err = ext2fs_extent_goto(h, lblk);
		if (err == EXT2_ET_EXTENT_NOT_FOUND) {
			struct run r;

			err = find_hole(h, lblk, &r);
			lblk = r.lblk + r.len;
			hole = true;
			continue;
		}
		if (!err)
			err = current(h, &e);
		if (err)
			break;
		stop = end_of(&e) < end ? end_of(&e) : end;
		if (is_unwritten(&e) != unwritten) {
			if (stop - lblk > EXT_UNINIT_MAX_LEN)
				stop = lblk + EXT_UNINIT_MAX_LEN;
			err = convert_one(v, h, &e, lblk, stop);
		}
		lblk = stop;
	}
	ext2fs_extent_free(h);
	node_dirty(v, n);
	return err ? volume_error(v, err) : hole;
}

/* Is it where data of files can be? */
static bool is_legal(struct volume *v, const struct ext2fs_extent *e)
{
	return end_of(e) <= LBLK_END &&
	       bitmaps_is_data(v, e->e_pblk, e->e_len);
}

static int check_all(struct volume *v, struct node *n, ext2_extent_handle_t h)
{
	struct ext2fs_extent e;
	uint64_t end = 0;
	errcode_t err;

	err = ext2fs_extent_get(h, EXT2_EXTENT_ROOT, &e);
	while (!err) {
		if (e.e_flags & EXT2_EXTENT_FLAGS_LEAF) {
			if (!is_legal(v, &e) || e.e_lblk < end)
				return volume_corrupt(v, n->ino, "extent");
			end = end_of(&e);
		} else if (!bitmaps_is_data(v, e.e_pblk, 1)) {
			return volume_corrupt(v, n->ino, "extent tree");
		}
		err = ext2fs_extent_get(h, EXT2_EXTENT_NEXT, &e);
	}
	if (err != EXT2_ET_EXTENT_NO_NEXT)
		return volume_error(v, err);
	return 0;
}

int extents_check(struct volume *v, struct node *n)
{
	ext2_extent_handle_t h;
	int ret;

	if (n->checked)
		return 0;
	ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	ret = check_all(v, n, h);
	ext2fs_extent_free(h);
	n->checked = !ret;
	return ret;
}

int extents_count(struct volume *v, struct node *n, uint32_t *count)
{
	ext2_extent_handle_t h;
	struct ext2fs_extent e;
	errcode_t err;
	int ret;

	*count = 0;
	ret = extents_check(v, n);
	if (!ret)
		ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	err = ext2fs_extent_get(h, EXT2_EXTENT_ROOT, &e);
	for (; !err; err = ext2fs_extent_get(h, EXT2_EXTENT_NEXT_LEAF, &e))
		if (e.e_flags & EXT2_EXTENT_FLAGS_LEAF)
			++*count;
	ext2fs_extent_free(h);
	return 0;
}

/**
 * struct runs - pieces of a file, or of its tree
 * @list: them
 * @count: how many
 * @room: how many there is room for
 */
struct runs {
	struct run	*list;
	size_t		count;
	size_t		room;
};

static int add_run(struct runs *all, const struct run *r)
{
	size_t room = all->room ? 2 * all->room : 64;
	struct run *more;

	if (all->count == all->room) {
		more = realloc(all->list, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		all->list = more;
		all->room = room;
	}
	all->list[all->count++] = *r;
	return 0;
}

/* All runs of a file. */
static int collect(struct volume *v, struct node *n, struct runs *all)
{
	uint64_t lblk = 0;
	struct run r;
	int ret = 0;

	for (; lblk < LBLK_END; lblk = r.lblk + r.len) {
		ret = extents_find(v, n, lblk, &r);
		if (!ret && r.type != RUN_HOLE)
			ret = add_run(all, &r);
		if (ret)
			break;
	}
	return ret;
}

/* Frees the blocks of the tree itself, each when the ones below it are. */
static int uproot(struct volume *v, struct node *n)
{
	const int inner = EXT2_EXTENT_FLAGS_LEAF |
			  EXT2_EXTENT_FLAGS_SECOND_VISIT;
	ext2_extent_handle_t h;
	struct ext2fs_extent e;
	errcode_t err;
	int ret;

	ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	err = ext2fs_extent_get(h, EXT2_EXTENT_ROOT, &e);
	for (; !err; err = ext2fs_extent_get(h, EXT2_EXTENT_NEXT, &e)) {
		if ((e.e_flags & inner) != EXT2_EXTENT_FLAGS_SECOND_VISIT)
			continue;
		alloc_free(v, e.e_pblk, 1);
		ext2fs_iblk_sub_blocks(v->fs, inode_of(n), 1);
	}
	ext2fs_extent_free(h);
	extents_init(n);
	return err == EXT2_ET_EXTENT_NO_NEXT ? 0 : volume_error(v, err);
}

/* Cuts [from, to) out of an extent the cursor is at. */
static errcode_t cut(struct volume *v, ext2_extent_handle_t h,
		     struct ext2fs_extent e, uint64_t from, uint64_t to)
{
	errcode_t err = 0;

	if (from == e.e_lblk) {
		if (to == end_of(&e))
			return delete(v, h);
		e.e_len -= (uint32_t)(to - from);
		e.e_pblk += to - from;
		e.e_lblk = to;
		return replace(h, &e);
	}
	if (to < end_of(&e))
		err = divide(v, h, &e, to, 0);
	e.e_len = (uint32_t)(from - e.e_lblk);
	return err ? err : replace(h, &e);
}

/* The first extent that ends behind @lblk. */
static errcode_t first_behind(ext2_extent_handle_t h, uint64_t lblk,
			      struct ext2fs_extent *e)
{
	errcode_t err = ext2fs_extent_goto(h, lblk);

	if (err && err != EXT2_ET_EXTENT_NOT_FOUND)
		return err;
	err = current(h, e);
	if (!err && end_of(e) <= lblk)
		err = next(h, e);
	return err;
}

/* Frees the blocks of [lblk, end). */
static errcode_t punch(struct volume *v, struct node *n,
		       ext2_extent_handle_t h, uint64_t lblk, uint64_t end)
{
	struct ext2fs_extent e;
	errcode_t err = 0;
	uint64_t from, to;

	while (lblk < end && !err) {
		err = first_behind(h, lblk, &e);
		if (err || e.e_lblk >= end)
			break;
		from = e.e_lblk > lblk ? e.e_lblk : lblk;
		to = end_of(&e) < end ? end_of(&e) : end;
		err = cut(v, h, e, from, to);
		if (!err) {
			alloc_free(v, e.e_pblk + from - e.e_lblk, to - from);
			/* That it says it has less is no reason to stop. */
			ext2fs_iblk_sub_blocks(v->fs, inode_of(n), to - from);
		}
		lblk = to;
	}
	return err == EXT2_ET_NO_CURRENT_NODE ||
	       err == EXT2_ET_EXTENT_NO_NEXT ? 0 : err;
}

/* All blocks that there are: of the file, and of the tree itself. */
static int collect_all(struct volume *v, struct node *n, struct runs *all)
{
	ext2_extent_handle_t h;
	struct ext2fs_extent e;
	errcode_t err;
	struct run r;
	int ret;

	ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	err = ext2fs_extent_get(h, EXT2_EXTENT_ROOT, &e);
	for (; !err && !ret; err = ext2fs_extent_get(h, EXT2_EXTENT_NEXT, &e)) {
		/* Each node comes before the ones below it, and once more. */
		if (e.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT)
			continue;
		as_run(&e, &r);
		if (!(e.e_flags & EXT2_EXTENT_FLAGS_LEAF))
			r.len = 1;
		ret = add_run(all, &r);
	}
	ext2fs_extent_free(h);
	if (!ret && err != EXT2_ET_EXTENT_NO_NEXT)
		ret = volume_error(v, err);
	return ret;
}

/* Before anything is freed it is the file's no more, and all of it was found. */
static int punch_all(struct volume *v, struct node *n)
{
	struct runs all = { .list = NULL };
	size_t i;
	int ret;

	ret = collect_all(v, n, &all);
	if (!ret) {
		extents_init(n);
		node_dirty(v, n);
	}
	for (i = 0; i < all.count && !ret; i++) {
		alloc_free(v, all.list[i].pblk, all.list[i].len);
		ext2fs_iblk_sub_blocks(v->fs, inode_of(n), all.list[i].len);
	}
	free(all.list);
	return ret;
}

int extents_punch(struct volume *v, struct node *n, uint64_t lblk,
		  uint64_t len)
{
	ext2_extent_handle_t h;
	errcode_t err;
	int ret;

	ret = extents_check(v, n);
	if (!ret && !lblk && len >= LBLK_END)
		return punch_all(v, n);
	if (!ret)
		ret = tree_open(v, n, &h);
	if (ret)
		return ret;
	err = punch(v, n, h, lblk, len > LBLK_END - lblk ? LBLK_END :
							   lblk + len);
	ext2fs_extent_free(h);
	node_dirty(v, n);
	return volume_error(v, err);
}

/* What of a run is in [from, to); returns false if that is nothing. */
static bool part_of(const struct run *r, uint64_t from, uint64_t to,
		    struct run *part)
{
	uint64_t end = r->lblk + r->len < to ? r->lblk + r->len : to;

	*part = *r;
	if (part->lblk < from)
		part->lblk = from;
	if (part->lblk >= end)
		return false;
	part->pblk += part->lblk - r->lblk;
	part->len = end - part->lblk;
	return true;
}

/* Of a run: what is before @stays as it is, and what is from @lblk on elsewhere. */
static int insert_shifted(struct volume *v, struct node *n, const struct run *r,
			  uint64_t stays, uint64_t lblk, int64_t by)
{
	struct run part;
	uint64_t done;
	int ret = 0;

	if (part_of(r, 0, stays, &part))
		ret = extents_insert(v, n, &part, &done);
	if (!ret && part_of(r, lblk, LBLK_END, &part)) {
		part.lblk += (uint64_t)by;
		ret = extents_insert(v, n, &part, &done);
	}
	return ret;
}

static void free_part(struct volume *v, struct node *n, const struct run *r,
		      uint64_t from, uint64_t to)
{
	struct run part;

	if (!part_of(r, from, to, &part))
		return;
	alloc_free(v, part.pblk, part.len);
	ext2fs_iblk_sub_blocks(v->fs, inode_of(n), part.len);
}

/* The tree that is the file's goes, and it has this one. */
static void replant(struct volume *v, struct node *n,
		    const uint32_t root[EXT2_N_BLOCKS])
{
	/* An error has been noted: then some of its blocks are nobody's. */
	uproot(v, n);
	memcpy(n->raw.i_block, root, sizeof(n->raw.i_block));
}

/* A second tree is made, as there may be no room for it. */
int extents_shift(struct volume *v, struct node *n, uint64_t lblk, int64_t by)
{
	uint64_t stays = by < 0 ? lblk + (uint64_t)by : lblk;
	uint32_t old[EXT2_N_BLOCKS], new[EXT2_N_BLOCKS];
	struct runs all = { .list = NULL };
	size_t i;
	int ret;

	ret = collect(v, n, &all);
	if (ret) {
		free(all.list);
		return ret;
	}
	memcpy(old, n->raw.i_block, sizeof(old));
	extents_init(n);
	for (i = 0; i < all.count && !ret; i++)
		ret = insert_shifted(v, n, &all.list[i], stays, lblk, by);
	if (!ret) {
		memcpy(new, n->raw.i_block, sizeof(new));
		memcpy(n->raw.i_block, old, sizeof(old));
	}
	replant(v, n, ret ? old : new);
	for (i = 0; i < all.count && !ret; i++)
		free_part(v, n, &all.list[i], stays, lblk);
	free(all.list);
	node_dirty(v, n);
	return ret;
}

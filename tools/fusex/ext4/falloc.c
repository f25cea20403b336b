// SPDX-License-Identifier: GPL-2.0
/*
 * Space on request.
 *
 * What does not fill blocks is zeroed by the kernel when it moves the data, and
 * here when it does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "ext4.h"

#define KNOWN	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | \
		 FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE | \
		 FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE)

/**
 * struct range - of a file
 * @offset: first byte
 * @end: behind the last one
 * @first: first whole block
 * @last: behind the last whole block; not before @first
 */
struct range {
	uint64_t	offset;
	uint64_t	end;
	uint64_t	first;
	uint64_t	last;
};

static int zero_edges(struct volume *v, struct node *n, const struct range *r)
{
	uint64_t head = r->first << v->block_bits;
	uint64_t tail = r->last << v->block_bits;
	int ret = 0;

	if (v->iomap)
		return 0;
	if (head > r->end)
		return plain_zero(v, n, r->offset, r->end);
	if (head > r->offset)
		ret = plain_zero(v, n, r->offset, head);
	if (!ret && r->end > tail)
		ret = plain_zero(v, n, tail, r->end);
	return ret;
}

static int reserve(struct volume *v, struct node *n, uint64_t lblk,
		   uint64_t end)
{
	struct run r;
	bool fresh;
	int ret = 0;

	for (; lblk < end && !ret; lblk = r.lblk + r.len) {
		/* Not from front to back: what is asked for is all. */
		n->next_write = 0;
		ret = map_allocate(v, n, lblk, end - lblk, &r, &fresh);
		if (ret)
			break;
	}
	if (n->reserved && n->reserved < end)
		n->reserved = end;
	return ret;
}

/* It is all there: as part of the file, or behind its end for good. */
static void note(struct volume *v, struct node *n, uint32_t mode, uint64_t end)
{
	uint64_t last = blocks_of(v, end);

	if (mode & FALLOC_FL_KEEP_SIZE) {
		if (n->wanted < last)
			n->wanted = last;
	} else if (end > size_of(n)) {
		set_size(n, end);
		node_dirty(v, n);
	}
	orphan_update(v, n);
}

static int allocate(struct volume *v, struct node *n, uint32_t mode,
		    const struct range *r)
{
	int ret;

	ret = reserve(v, n, r->offset >> v->block_bits, blocks_of(v, r->end));
	if (!ret)
		note(v, n, mode, r->end);
	return ret;
}

static int zero(struct volume *v, struct node *n, uint32_t mode,
		const struct range *r)
{
	int ret;

	ret = zero_edges(v, n, r);
	if (!ret && r->last > r->first)
		ret = extents_convert(v, n, r->first, r->last - r->first,
				      RUN_UNWRITTEN);
	return ret < 0 ? ret : allocate(v, n, mode, r);
}

static int punch(struct volume *v, struct node *n, const struct range *r)
{
	int ret;

	ret = zero_edges(v, n, r);
	if (!ret && r->last > r->first)
		ret = file_punch(v, n, r->first, r->last - r->first);
	return ret;
}

static bool is_aligned(const struct volume *v, const struct range *r)
{
	return !((r->offset | r->end) & (block_size(v) - 1));
}

static int collapse(struct volume *v, struct node *n, const struct range *r)
{
	uint64_t len = r->last - r->first;
	int ret;

	if (!is_aligned(v, r) || r->end >= size_of(n))
		return -EINVAL;
	/* Where it would be then is not noted anywhere. */
	ret = map_trim(v, n);
	if (!ret)
		ret = extents_shift(v, n, r->last, -(int64_t)len);
	if (ret)
		return ret;
	if (n->wanted != LBLK_END && n->wanted > r->first)
		n->wanted = n->wanted > r->last ? n->wanted - len : r->first;
	set_size(n, size_of(n) - (r->end - r->offset));
	return 0;
}

/* What was asked for behind its end moves as well, if there is a place for it. */
static int check_end(struct volume *v, struct node *n, uint64_t len)
{
	uint64_t end = size_max(v, true) >> v->block_bits;
	struct run r;
	int ret;

	ret = file_find(v, n, end - len, &r);
	if (!ret && (r.type != RUN_HOLE || r.lblk + r.len < end))
		ret = -EFBIG;
	return ret;
}

static int insert(struct volume *v, struct node *n, const struct range *r)
{
	uint64_t len = r->last - r->first;
	int ret;

	if (!is_aligned(v, r) || r->offset >= size_of(n))
		return -EINVAL;
	if (len << v->block_bits > size_max(v, true) - size_of(n))
		return -EFBIG;
	ret = map_trim(v, n);
	if (!ret)
		ret = check_end(v, n, len);
	if (!ret)
		ret = extents_shift(v, n, r->first, (int64_t)len);
	if (ret)
		return ret;
	if (n->wanted > r->first)
		n->wanted = LBLK_END - n->wanted > len ? n->wanted + len :
							 LBLK_END;
	set_size(n, size_of(n) + (r->end - r->offset));
	return 0;
}

static int change(struct volume *v, struct node *n, uint32_t mode,
		  const struct range *r)
{
	bool extents = node_has(n, EXT4_EXTENTS_FL);

	if (mode & FALLOC_FL_PUNCH_HOLE)
		return punch(v, n, r);
	if (!extents)
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_COLLAPSE_RANGE)
		return collapse(v, n, r);
	if (mode & FALLOC_FL_INSERT_RANGE)
		return insert(v, n, r);
	if (mode & FALLOC_FL_ZERO_RANGE)
		return zero(v, n, mode, r);
	return allocate(v, n, mode, r);
}

int falloc(struct volume *v, struct node *n, uint32_t mode, uint64_t offset,
	   uint64_t length)
{
	struct range r = { .offset = offset, .end = offset + length };
	int ret;

	if (!is_reg(n) || !length || length > INT64_MAX - offset)
		return -EINVAL;
	if (mode & ~KNOWN)
		return -EOPNOTSUPP;
	if (!(mode & FALLOC_FL_PUNCH_HOLE) &&
	    r.end > size_max(v, node_has(n, EXT4_EXTENTS_FL)))
		return -EFBIG;
	if (node_has(n, EXT4_INLINE_DATA_FL)) {
		ret = inline_to_blocks(v, n);
		if (ret)
			return ret;
	}
	r.first = blocks_of(v, r.offset);
	r.last = r.end >> v->block_bits;
	if (r.last < r.first)
		r.last = r.first;
	return change(v, n, mode, &r);
}

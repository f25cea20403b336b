// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Files whose blocks have fixed places on a device.
 */
#include <errno.h>

#include <fusex.h>

/* Blocks of one type become another; a hole takes no space. */
static void turn(const struct fusex_blocks *b, uint64_t from, uint64_t end,
		 unsigned char is, unsigned char becomes)
{
	const uint32_t sectors = b->block_size / 512;

	if (end > b->count)
		end = b->count;
	for (; from < end; from++) {
		if (b->type[from] != is)
			continue;
		b->type[from] = becomes;
		if (is == FUSEX_MAP_HOLE)
			b->attr->blocks += sectors;
		if (becomes == FUSEX_MAP_HOLE)
			b->attr->blocks -= sectors;
	}
}

/* Behind the last block of a range that is not empty. */
static uint64_t end_of(const struct fusex_blocks *b, uint64_t offset,
		       uint64_t length)
{
	if (length > UINT64_MAX - offset)
		length = UINT64_MAX - offset;
	return length ? (offset + length - 1) / b->block_size + 1 :
			offset / b->block_size;
}

/* All around a block that is like it. */
static void answer(const struct fusex_blocks *b, uint64_t first,
		   struct fusex_map *map)
{
	unsigned char type = b->type[first];
	uint64_t end = first, offset;

	while (first && b->type[first - 1] == type)
		first--;
	while (end < b->count && b->type[end] == type)
		end++;
	offset = first * b->block_size;
	if (type == FUSEX_MAP_HOLE)
		fusex_map_hole(map, offset, (end - first) * b->block_size);
	else
		fusex_map_at(map, (enum fusex_map_type)type, offset,
			     (end - first) * b->block_size, b->dev,
			     b->addr + offset);
}

int fusex_blocks_begin(const struct fusex_blocks *b,
		       const struct fusex_map_begin_in *in,
		       struct fusex_map_begin_out *out)
{
	uint64_t first = in->offset / b->block_size;

	if (first >= b->count)
		return -EFBIG;
	if (in->op & FUSEX_MAP_OP_WRITE)
		turn(b, first, end_of(b, in->offset, in->length),
		     FUSEX_MAP_HOLE, FUSEX_MAP_UNWRITTEN);
	answer(b, first, &out->read);
	/* The other attributes the kernel may know better. */
	out->attr.mask = FUSEX_ATTR_BLOCKS;
	out->attr.blocks = b->attr->blocks;
	return 0;
}

void fusex_blocks_ioend(const struct fusex_blocks *b,
			const struct fusex_map_ioend_in *in)
{
	if (in->error)
		return;
	turn(b, in->offset / b->block_size,
	     end_of(b, in->offset, in->length), FUSEX_MAP_UNWRITTEN,
	     FUSEX_MAP_MAPPED);
	if (in->flags & FUSEX_IOEND_APPEND && b->attr->size < in->size)
		b->attr->size = in->size;
}

void fusex_blocks_resize(const struct fusex_blocks *b, uint64_t size)
{
	uint64_t end = end_of(b, 0, size);

	turn(b, end, b->count, FUSEX_MAP_MAPPED, FUSEX_MAP_HOLE);
	turn(b, end, b->count, FUSEX_MAP_UNWRITTEN, FUSEX_MAP_HOLE);
	b->attr->size = size;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * How large a file is, and can be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/* Sectors are counted in 32 bits where files are not huge. */
#define SECTORS_MAX	UINT32_MAX

uint64_t size_max(const struct volume *v, bool extents)
{
	uint64_t per = block_size(v) / sizeof(uint32_t), blocks;
	uint64_t most = LBLK_END - 1;

	if (!ext2fs_has_feature_huge_file(v->fs->super))
		most = (uint64_t)SECTORS_MAX * 512 / block_size(v);
	blocks = extents ? most : EXT2_NDIR_BLOCKS + per + per * per +
				  per * per * per;
	/* What the tree's own blocks take. */
	if (!extents && blocks > most)
		blocks = most - most / per - 4;
	return blocks * block_size(v);
}

/* Returns 1 if it stays in the inode. */
static int set_inline(struct volume *v, struct node *n, uint64_t size)
{
	size_t room = inline_room(v, n);
	ssize_t have;
	char *buf;
	int ret;

	if (size > room)
		return inline_to_blocks(v, n);
	buf = calloc(1, room + 1);
	if (!buf)
		return -ENOMEM;
	have = inline_read(v, n, buf, room);
	if (have >= 0 && (uint64_t)have > size)
		memset(buf + size, 0, (size_t)have - size);
	ret = have < 0 ? (int)have : inline_write(v, n, buf, size);
	free(buf);
	return ret ? ret : 1;
}

int size_set(struct volume *v, struct node *n, uint64_t size)
{
	uint64_t old;
	int ret = 0;

	if (!is_reg(n))
		return -EINVAL;
	if (size > size_max(v, node_has(n, EXT4_EXTENTS_FL)))
		return -EFBIG;
	if (node_has(n, EXT4_INLINE_DATA_FL)) {
		ret = set_inline(v, n, size);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	old = size_of(n);
	/*
	 * When the file grows the kernel goes on with what it knows, and what was
	 * taken in advance is part of that.  It has cut more than there was here
	 * if that is of data that never came, or space was asked for.
	 */
	if (size <= old) {
		if (!v->iomap && size < old)
			ret = plain_zero_tail(v, n, size);
		if (!ret)
			ret = file_punch(v, n, blocks_of(v, size), LBLK_END);
		n->reserved = 0;
		n->wanted = 0;
		orphan_update(v, n);
	}
	if (ret)
		return ret;
	n->next_write = 0;
	n->window = 0;
	set_size(n, size);
	node_dirty(v, n);
	return 0;
}

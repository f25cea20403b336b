// SPDX-License-Identifier: GPL-2.0
/*
 * A file system that turned out to be corrupted ends: what there is in its list of
 * orphans leaves it, on the device.
 *
 * What is in memory is not written any more, as an operation may be half done there.
 * But e2fsck does not go by the list if errors are noted, and takes the inodes in it for
 * refugees, which it asks about: nobody but an administrator could have it repaired.  So
 * the inodes, and the superblock, are read as they are in their places, where the last
 * transaction has put them; without the list they are one more transaction.  What had
 * no name is deleted then; what had space in advance keeps it.
 *
 * Context: between two transactions, of which the last one is in its places.
 */
#include <errno.h>
#include <stdlib.h>

#include "ext4.h"

/**
 * struct edit - blocks as they are on the device, being changed
 * @v: the file system
 * @list: the blocks
 * @count: how many
 */
struct edit {
	struct volume	*v;
	struct dirty_block *list;
	size_t		count;
};

static int add_block(struct edit *e, uint64_t block, void *data)
{
	struct dirty_block *more;

	more = realloc(e->list, (e->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->list = more;
	e->list[e->count++] = (struct dirty_block){ block, data };
	return 0;
}

/* Those next to each other in the list are likely to be next to each other here. */
static int get_block(struct edit *e, uint64_t block, char **out)
{
	struct volume *v = e->v;
	size_t i = e->count;
	int ret;

	while (i--) {
		if (e->list[i].block == block) {
			*out = e->list[i].data;
			return 0;
		}
	}
	*out = aligned_alloc(4096, (block_size(v) + 4095) & ~4095u);
	if (!*out)
		return -ENOMEM;
	ret = device_read(&v->dev, *out, block_size(v), block * block_size(v));
	if (!ret)
		ret = add_block(e, block, *out);
	if (ret)
		free(*out);
	return ret;
}

static int get_inode(struct edit *e, ext2_ino_t ino,
		     struct ext2_inode_large **out)
{
	ext2_filsys fs = e->v->fs;
	uint64_t at = (uint64_t)((ino - 1) % fs->super->s_inodes_per_group) *
		      e->v->inode_size;
	uint64_t block = ext2fs_inode_table_loc(fs,
						ext2fs_group_of_ino(fs, ino));
	char *data;
	int ret;

	ret = get_block(e, block + (at >> e->v->block_bits), &data);
	if (!ret)
		*out = (void *)(data + (at & (block_size(e->v) - 1)));
	return ret;
}

/* Takes one out; returned: the one behind it. */
static int take_out(struct edit *e, ext2_ino_t *ino)
{
	ext2_filsys fs = e->v->fs;
	struct ext2_inode_large *raw;
	ext2_ino_t next;
	uint32_t when = 0;
	int ret;

	if (!node_can_be(e->v, *ino))
		return -ECORRUPT;
	ret = get_inode(e, *ino, &raw);
	if (ret)
		return ret;
	if (!ext2fs_inode_csum_verify(fs, *ino, raw))
		return -ECORRUPT;
	next = ext2fs_le32_to_cpu(raw->i_dtime);
	if (!raw->i_links_count)
		when = (uint32_t)attr_now(e->v).sec;
	raw->i_dtime = ext2fs_cpu_to_le32(when);
	if (ext2fs_inode_csum_set(fs, *ino, raw))
		return -ECORRUPT;
	*ino = next;
	return 0;
}

/* What has been noted there in memory, and nothing else of that. */
static int note_errors(struct edit *e, struct ext2_super_block *sb)
{
	const struct ext2_super_block *now = e->v->fs->super;

	sb->s_last_orphan = 0;
	sb->s_state |= ext2fs_cpu_to_le16(EXT2_ERROR_FS);
	sb->s_error_count = ext2fs_cpu_to_le32(now->s_error_count);
	sb->s_first_error_time = ext2fs_cpu_to_le32(now->s_first_error_time);
	sb->s_first_error_ino = ext2fs_cpu_to_le32(now->s_first_error_ino);
	sb->s_last_error_time = ext2fs_cpu_to_le32(now->s_last_error_time);
	sb->s_last_error_ino = ext2fs_cpu_to_le32(now->s_last_error_ino);
	return ext2fs_superblock_csum_set(e->v->fs, sb) ? -ECORRUPT : 0;
}

static int by_number(const void *a, const void *b)
{
	const struct dirty_block *x = a, *y = b;

	return (x->block > y->block) - (x->block < y->block);
}

static int edit_all(struct edit *e)
{
	struct ext2_super_block *sb;
	ext2_ino_t ino;
	char *data;
	int ret;

	ret = get_block(e, SUPERBLOCK_OFFSET >> e->v->block_bits, &data);
	if (ret)
		return ret;
	sb = (void *)(data + (SUPERBLOCK_OFFSET & (block_size(e->v) - 1)));
	ino = ext2fs_le32_to_cpu(sb->s_last_orphan);
	if (!ino)
		return 0;
	/* It ends, since none that was met is in it any more. */
	while (ino && !ret)
		ret = take_out(e, &ino);
	if (!ret)
		ret = note_errors(e, sb);
	if (ret)
		return ret;
	qsort(e->list, e->count, sizeof(*e->list), by_number);
	return 1;
}

int unlist_begin(struct volume *v, struct dirty_block **list, size_t *count)
{
	struct edit e = { .v = v };
	int ret;

	ret = edit_all(&e);
	if (ret != 1)
		unlist_end(e.list, e.count);
	*list = ret == 1 ? e.list : NULL;
	*count = ret == 1 ? e.count : 0;
	return ret < 0 ? ret : 0;
}

void unlist_end(struct dirty_block *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(list[i].data);
	free(list);
}

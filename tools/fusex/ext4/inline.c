// SPDX-License-Identifier: GPL-2.0
/*
 * Data in the inode: where other files have the beginning of their tree, and
 * behind it as an extended attribute.
 *
 * Context: alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

#define FIRST	EXT4_MIN_INLINE_DATA_SIZE

/* The most an inode can have. */
#define ROOM_MAX	4096u

static int stored(struct volume *v, struct node *n, size_t *size)
{
	int ret = xattr_check(v, n);

	if (!ret)
		ret = node_full(v, n);
	if (!ret)
		ret = volume_error(v, ext2fs_inline_data_size(v->fs, n->ino,
							      size));
	return ret;
}

size_t inline_room(struct volume *v, struct node *n)
{
	size_t have, free;

	if (stored(v, n, &have))
		return FIRST;
	if (ext2fs_xattr_inode_max_size(v->fs, n->ino, &free))
		free = 0;
	have += free & ~(size_t)3;
	return have < ROOM_MAX ? have : ROOM_MAX;
}

ssize_t inline_read(struct volume *v, struct node *n, void *buf, size_t size)
{
	size_t have = 0;
	char *all;
	int ret;

	ret = stored(v, n, &have);
	if (ret)
		return ret;
	all = malloc(have);
	if (!all)
		return -ENOMEM;
	ret = volume_error(v, ext2fs_inline_data_get(v->fs, n->ino,
						     inode_of(n), all, &have));
	if (!ret) {
		if (have > size_of(n) && !is_dir(n))
			have = (size_t)size_of(n);
		if (have > size)
			have = size;
		memcpy(buf, all, have);
	}
	free(all);
	return ret ? ret : (ssize_t)have;
}

int inline_write(struct volume *v, struct node *n, const void *buf, size_t size)
{
	uint64_t was = size_of(n);
	errcode_t err = 0;
	char *all;
	int ret, ret2;

	ret = xattr_check(v, n);
	if (!ret)
		ret = xattr_own_block(v, n);
	if (ret)
		return ret;
	all = calloc(1, size > FIRST ? size : FIRST);
	if (!all)
		return -ENOMEM;
	memcpy(all, buf, size);
	set_size(n, size);
	ret = node_full(v, n);
	node_direct(true);
	if (!ret)
		err = ext2fs_inline_data_set(v->fs, n->ino, inode_of(n), all,
					     size > FIRST ? size : FIRST);
	node_direct(false);
	if (err)
		ret = volume_error(v, err);
	free(all);
	ret2 = node_reread(v, n);
	if (ret)
		set_size(n, was);
	node_dirty(v, n);
	return ret ? ret : ret2;
}

static int remove_attribute(struct volume *v, struct node *n)
{
	struct ext2_xattr_handle *h;
	errcode_t err;
	int ret, ret2;

	ret = node_full(v, n);
	if (!ret)
		ret = volume_error(v, ext2fs_xattrs_open(v->fs, n->ino, &h));
	if (ret)
		return ret;
	err = ext2fs_xattrs_read(h);
	if (!err)
		err = ext2fs_xattr_remove(h, "system.data");
	ext2fs_xattrs_close(&h);
	ret2 = node_reread(v, n);
	return err ? volume_error(v, err) : ret2;
}

/* The inode is as one that never had data in it, but for the attribute. */
static void forget_data(struct volume *v, struct node *n)
{
	memset(n->raw.i_block, 0, sizeof(n->raw.i_block));
	n->raw.i_flags &= ~(uint32_t)EXT4_INLINE_DATA_FL;
	if (ext2fs_has_feature_extents(v->fs->super))
		extents_init(n);
	n->checked = false;
	node_dirty(v, n);
}

/* Entries move, in the order they have, to a block that begins with the dots. */
static int move_names(struct volume *v, struct node *n, char *old, size_t size,
		      char *block)
{
	ext2_ino_t parent = *(ext2_ino_t *)old;
	size_t from = sizeof(uint32_t), end = FIRST;
	struct ext2_dir_entry *de;
	char name[EXT2_NAME_LEN + 1];
	unsigned int len;
	int ret = 0;

	dirblk_init(v, block, n->ino, parent);
	for (; from < size && ret >= 0; from += len) {
		if (from == FIRST)
			end = size;
		de = (struct ext2_dir_entry *)(old + from);
		len = end - from < 8 ? 0 : dirblk_length(v, de);
		if (len < 8 || len > end - from ||
		    (size_t)ext2fs_dirent_name_len(de) + 8 > len)
			return volume_corrupt(v, n->ino, "directory entry");
		if (!de->inode)
			continue;
		memcpy(name, de->name, (size_t)ext2fs_dirent_name_len(de));
		name[ext2fs_dirent_name_len(de)] = '\0';
		ret = dirblk_put(v, block, name, de->inode,
				 (uint8_t)ext2fs_dirent_file_type(de));
	}
	return ret < 0 ? ret : 0;
}

/* The data of a file is around the cache of blocks, as the kernel's will be. */
static int write_block(struct volume *v, struct node *n, uint64_t pblk,
		       char *block)
{
	if (is_dir(n))
		return dirblk_write(v, n, pblk, block);
	return device_write(&v->dev, block, block_size(v),
			    pblk * block_size(v));
}

/*
 * The data is in its block before it is not in the inode any more, and the attribute,
 * which is not put back as easily as the rest, goes last.
 */
static int move(struct volume *v, struct node *n, char *block)
{
	uint64_t pblk;
	int ret;

	ret = map_find_block(v, n, 0, &pblk);
	if (ret)
		return ret;
	ret = write_block(v, n, pblk, block);
	if (ret) {
		alloc_free(v, pblk, 1);
		return ret;
	}
	forget_data(v, n);
	ret = map_put_block(v, n, 0, pblk);
	if (ret)
		return ret;
	ret = remove_attribute(v, n);
	if (ret)
		alloc_free(v, pblk, 1);
	else if (is_dir(n))
		set_size(n, block_size(v));
	return ret;
}

static int drop(struct volume *v, struct node *n)
{
	forget_data(v, n);
	return remove_attribute(v, n);
}

/* The inode is what it was after an error. */
static int change(struct volume *v, struct node *n, char *block, bool has_data)
{
	void *was = malloc(v->inode_size);
	int ret = was ? xattr_own_block(v, n) : -ENOMEM;

	if (!ret) {
		memcpy(was, &n->raw, v->inode_size);
		ret = has_data ? move(v, n, block) : drop(v, n);
		if (ret)
			memcpy(&n->raw, was, v->inode_size);
		n->checked = false;
		node_dirty(v, n);
	}
	free(was);
	return ret;
}

int inline_to_blocks(struct volume *v, struct node *n)
{
	size_t room = inline_room(v, n);
	char *block = aligned_alloc(4096, (block_size(v) + 4095) & ~4095u);
	char *old = calloc(1, room + 8);
	ssize_t have = old && block ? inline_read(v, n, old, room) : -ENOMEM;
	int ret = have < 0 ? (int)have : 0;

	if (!ret && (size_t)have > block_size(v))
		ret = volume_corrupt(v, n->ino, "inline data");
	if (!ret && is_dir(n)) {
		ret = move_names(v, n, old, (size_t)have, block);
	} else if (!ret) {
		memset(block, 0, block_size(v));
		memcpy(block, old, (size_t)have);
	}
	if (!ret)
		ret = change(v, n, block, have || is_dir(n));
	free(old);
	free(block);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks of directories: entries that follow each other, each as long as to
 * reach the next, and with checksums something like an entry at the end.
 *
 * Context: the directory is locked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/* Of an entry, in front of its name. */
#define HEAD	8u

static unsigned int need_for(unsigned int name_len)
{
	return EXT2_DIR_REC_LEN(name_len);
}

static struct ext2_dir_entry *entry(void *buf, unsigned int offset)
{
	return (struct ext2_dir_entry *)((char *)buf + offset);
}

/* What an entry needs; one without a name needs nothing. */
static unsigned int used_by(const struct ext2_dir_entry *de)
{
	return de->inode ? need_for((unsigned int)
				    ext2fs_dirent_name_len(de)) : 0;
}

unsigned int dirblk_room(const struct volume *v)
{
	return block_size(v) -
	       (ext2fs_has_feature_metadata_csum(v->fs->super) ?
		(unsigned int)sizeof(struct ext2_dir_entry_tail) : 0);
}

unsigned int dirblk_length(const struct volume *v,
			   const struct ext2_dir_entry *de)
{
	unsigned int len = 0;

	if (ext2fs_get_rec_len(v->fs, (struct ext2_dir_entry *)de, &len))
		return 0;
	return len;
}

uint8_t dirblk_type(uint32_t mode)
{
	switch (mode & LINUX_S_IFMT) {
	case LINUX_S_IFREG:
		return EXT2_FT_REG_FILE;
	case LINUX_S_IFDIR:
		return EXT2_FT_DIR;
	case LINUX_S_IFLNK:
		return EXT2_FT_SYMLINK;
	case LINUX_S_IFCHR:
		return EXT2_FT_CHRDEV;
	case LINUX_S_IFBLK:
		return EXT2_FT_BLKDEV;
	case LINUX_S_IFIFO:
		return EXT2_FT_FIFO;
	case LINUX_S_IFSOCK:
		return EXT2_FT_SOCK;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

static bool is_legal_name(const struct ext2_dir_entry *de)
{
	size_t len = (size_t)ext2fs_dirent_name_len(de);

	return len && !memchr(de->name, '/', len) &&
	       !memchr(de->name, '\0', len);
}

/* Is it an entry that is all in the block, and leads somewhere? */
static bool is_legal(const struct volume *v, void *buf, unsigned int offset)
{
	struct ext2_dir_entry *de = entry(buf, offset);
	unsigned int left = block_size(v) - offset, len;

	if (left < HEAD)
		return false;
	len = dirblk_length(v, de);
	if (len < HEAD || len & 3 || len > left || used_by(de) > len)
		return false;
	return !de->inode || (de->inode <= v->fs->super->s_inodes_count &&
			      is_legal_name(de));
}

static bool is_sound(const struct volume *v, void *buf)
{
	unsigned int offset;

	for (offset = 0; offset < block_size(v);
	     offset += dirblk_length(v, entry(buf, offset)))
		if (!is_legal(v, buf, offset))
			return false;
	return true;
}

/* What was not yet looked at since it was read from the disk. */
static int check(struct volume *v, struct node *dir, uint64_t pblk, void *buf)
{
	if (!ext2fs_dir_block_csum_verify(v->fs, dir->ino, buf))
		return volume_corrupt(v, dir->ino, "checksum of the directory");
	if (!is_sound(v, buf))
		return volume_corrupt(v, dir->ino, "directory entry");
	bcache_is_sound(v->fs, pblk);
	return 0;
}

int dirblk_read(struct volume *v, struct node *dir, uint32_t lblk, void *buf,
		uint64_t *pblk)
{
	bool sound = false;
	struct run r;
	int ret;

	*pblk = 0;
	ret = file_find(v, dir, lblk, &r);
	if (ret || r.type == RUN_HOLE)
		return ret;
	if (r.type != RUN_DATA)
		return volume_corrupt(v, dir->ino, "unwritten directory");
	*pblk = r.pblk + lblk - r.lblk;
	ret = volume_error(v, bcache_read_dir(v->fs, *pblk, buf, &sound));
	return ret || sound ? ret : check(v, dir, *pblk, buf);
}

int dirblk_write(struct volume *v, struct node *dir, uint64_t pblk, void *buf)
{
	return volume_error(v, bcache_write_dir(v->fs, pblk, buf, dir->ino));
}

unsigned int dirblk_gap(const struct volume *v, void *buf)
{
	unsigned int end = dirblk_room(v), offset, len, gap, max = 0;

	for (offset = 0; offset < end; offset += len) {
		len = dirblk_length(v, entry(buf, offset));
		gap = len - used_by(entry(buf, offset));
		if (gap > max)
			max = gap;
	}
	return max;
}

static void put_entry(struct volume *v, struct ext2_dir_entry *de,
		      unsigned int len, const char *name, ext2_ino_t ino,
		      uint8_t type)
{
	size_t name_len = strlen(name);

	de->inode = ino;
	ext2fs_set_rec_len(v->fs, len, de);
	de->name_len = 0;
	ext2fs_dirent_set_name_len(de, (int)name_len);
	if (ext2fs_has_feature_filetype(v->fs->super))
		ext2fs_dirent_set_file_type(de, type);
	memcpy(de->name, name, name_len);
}

void dirblk_clear(struct volume *v, void *buf)
{
	struct ext2_dir_entry_tail *tail = EXT2_DIRENT_TAIL(buf, block_size(v));

	memset(buf, 0, block_size(v));
	ext2fs_set_rec_len(v->fs, dirblk_room(v), buf);
	if (dirblk_room(v) < block_size(v))
		ext2fs_initialize_dirent_tail(v->fs, tail);
}

void dirblk_init(struct volume *v, void *buf, ext2_ino_t self,
		 ext2_ino_t parent)
{
	unsigned int len = need_for(1);

	dirblk_clear(v, buf);
	put_entry(v, buf, len, ".", self, EXT2_FT_DIR);
	put_entry(v, entry(buf, len), dirblk_room(v) - len, "..", parent,
		  EXT2_FT_DIR);
}

int dirblk_put(struct volume *v, void *buf, const char *name, ext2_ino_t ino,
	       uint8_t type)
{
	unsigned int need = need_for((unsigned int)strlen(name));
	unsigned int end = dirblk_room(v), offset, len, used;
	struct ext2_dir_entry *de;

	for (offset = 0; offset < end; offset += len) {
		de = entry(buf, offset);
		len = dirblk_length(v, de);
		used = used_by(de);
		if (len - used < need)
			continue;
		if (used)
			ext2fs_set_rec_len(v->fs, used, de);
		put_entry(v, entry(buf, offset + used), len - used, name, ino,
			  type);
		return (int)(offset + used);
	}
	return -ENOSPC;
}

int dirblk_cut(struct volume *v, void *buf, unsigned int offset)
{
	unsigned int at = 0, before = 0;

	while (at < offset) {
		before = at;
		at += dirblk_length(v, entry(buf, at));
	}
	if (at != offset)
		return -ENOENT;
	entry(buf, at)->inode = 0;
	if (at)
		ext2fs_set_rec_len(v->fs, at - before +
				   dirblk_length(v, entry(buf, at)),
				   entry(buf, before));
	return 0;
}

/* Nodes of the tree look like blocks with nothing in them. */
static bool is_tree_node(const struct volume *v, void *buf)
{
	return !entry(buf, 0)->inode &&
	       dirblk_length(v, entry(buf, 0)) == block_size(v);
}

bool dirblk_is_root(const struct volume *v, void *buf)
{
	const struct ext2_dir_entry *dots = entry(buf, need_for(1));

	return dirblk_length(v, entry(buf, 0)) == need_for(1) &&
	       ext2fs_dirent_name_len(dots) == 2 && dots->name[0] == '.' &&
	       dots->name[1] == '.' &&
	       dirblk_length(v, dots) == block_size(v) - need_for(1);
}

/* What is only said to be a tree may have names where its root would be. */
static int unindex_block(struct volume *v, struct node *dir, uint32_t lblk,
			 void *buf)
{
	ext2_ino_t parent;
	uint64_t pblk;
	int ret;

	ret = dirblk_read(v, dir, lblk, buf, &pblk);
	if (ret || !pblk ||
	    !(lblk ? is_tree_node(v, buf) : dirblk_is_root(v, buf)))
		return ret;
	if (lblk) {
		dirblk_clear(v, buf);
	} else {
		parent = entry(buf, need_for(1))->inode;
		dirblk_init(v, buf, dir->ino, parent);
	}
	return dirblk_write(v, dir, pblk, buf);
}

int dirblk_unindex(struct volume *v, struct node *dir)
{
	uint64_t count = size_of(dir) >> v->block_bits;
	uint32_t lblk;
	void *buf;
	int ret = 0;

	if (!node_has(dir, EXT2_INDEX_FL))
		return 0;
	buf = malloc(block_size(v));
	if (!buf)
		return -ENOMEM;
	for (lblk = 0; lblk < count && !ret; lblk++)
		ret = unindex_block(v, dir, lblk, buf);
	free(buf);
	if (ret)
		return ret;
	dir->raw.i_flags &= ~(uint32_t)EXT2_INDEX_FL;
	node_dirty(v, dir);
	return 0;
}

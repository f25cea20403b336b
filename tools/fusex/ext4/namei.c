// SPDX-License-Identifier: GPL-2.0
/*
 * Making, linking, removing and moving names.
 *
 * Context: the directory is locked, or its caller alone; see each in ext4.h.  The
 * kernel has checked permissions, and that no directory is moved into itself.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/*
 * A directory with more has a link count of 1, which means: not known.  Unless it has
 * a tree, e2fsck takes that for an error when there are not so many any more.
 */
#define LINKS_MAX	65000u

static void links_up(struct volume *v, struct node *dir)
{
	if (dir->raw.i_links_count == 1)
		return;
	if (dir->raw.i_links_count >= LINKS_MAX - 1 &&
	    node_has(dir, EXT2_INDEX_FL)) {
		dir->raw.i_links_count = 1;
		core_lock(v);
		ext2fs_set_feature_dir_nlink(v->fs->super);
		ext2fs_mark_super_dirty(v->fs);
		core_unlock(v);
	} else {
		dir->raw.i_links_count++;
	}
	node_dirty(v, dir);
}

static void links_down(struct volume *v, struct node *dir)
{
	if (dir->raw.i_links_count > 2) {
		dir->raw.i_links_count--;
		node_dirty(v, dir);
	}
}

static bool has_room_for_link(const struct volume *v, const struct node *dir)
{
	return (ext2fs_has_feature_dir_nlink(v->fs->super) &&
		node_has(dir, EXT2_INDEX_FL)) ||
	       dir->raw.i_links_count < LINKS_MAX - 1;
}

/* A directory that exists, with its names. */
static int use_dir(struct volume *v, struct node *dir)
{
	if (!is_dir(dir))
		return -ENOTDIR;
	if (!dir->raw.i_links_count)
		return -ENOENT;
	return dir_load(v, dir);
}

/* The inode a name leads to has to be one. */
static int get_named(struct volume *v, struct node *dir,
		     const struct dirent_at *at, struct node **out)
{
	int ret = node_get(v, at->ino, out);

	if (ret == -ESTALE || (!ret && (*out)->is_orphan)) {
		if (!ret)
			node_put(v, *out);
		ret = volume_corrupt(v, dir->ino, "name of a deleted inode");
	}
	return ret;
}

int name_lookup(struct volume *v, struct node *dir, const char *name,
		struct node **out)
{
	struct dirent_at at;
	int ret;

	ret = use_dir(v, dir);
	if (!ret)
		ret = dir_find(dir, name, &at);
	return ret ? ret : get_named(v, dir, &at, out);
}

static int check_new(struct volume *v, struct node *dir, const char *name)
{
	struct dirent_at at;
	int ret;

	ret = volume_writable(v);
	if (!ret)
		ret = use_dir(v, dir);
	if (ret)
		return ret;
	if (strlen(name) > EXT2_NAME_LEN)
		return -ENAMETOOLONG;
	return dir_find(dir, name, &at) ? 0 : -EEXIST;
}

static int init_symlink(struct volume *v, struct node *n, const char *target)
{
	size_t len = strlen(target);
	uint64_t pblk;
	char *buf;
	int ret;

	if (len >= block_size(v))
		return -ENAMETOOLONG;
	set_size(n, len);
	if (len < sizeof(n->raw.i_block)) {
		n->raw.i_flags &= ~(uint32_t)EXT4_EXTENTS_FL;
		memset(n->raw.i_block, 0, sizeof(n->raw.i_block));
		memcpy(n->raw.i_block, target, len);
		return 0;
	}
	ret = map_add_block(v, n, 0, &pblk);
	if (ret)
		return ret;
	buf = calloc(1, block_size(v));
	if (!buf)
		return -ENOMEM;
	memcpy(buf, target, len);
	ret = volume_error(v, io_channel_write_blk64(v->fs->io, pblk, 1, buf));
	free(buf);
	return ret;
}

static int init_type(struct volume *v, struct node *n, struct node *dir,
		     const struct make *mk)
{
	bool blocks = is_reg(n) || is_dir(n) || mk->target;

	if (blocks && ext2fs_has_feature_extents(v->fs->super))
		extents_init(n);
	if (mk->target)
		return init_symlink(v, n, mk->target);
	if (is_dir(n))
		return dir_init(v, n, dir->ino);
	if (LINUX_S_ISCHR(n->raw.i_mode) || LINUX_S_ISBLK(n->raw.i_mode))
		attr_set_rdev(n, mk->major, mk->minor);
	return 0;
}

static int init_node(struct volume *v, struct node *n, struct node *dir,
		     const struct make *mk)
{
	size_t i;
	int ret;

	n->raw.i_links_count = is_dir(n) ? 2 : 1;
	attr_set_owner(n, mk->uid, mk->gid);
	attr_inherit(v, n, dir);
	attr_birth(v, n);
	ret = init_type(v, n, dir, mk);
	for (i = 0; i < mk->nr_xattrs && !ret; i++)
		ret = xattr_set(v, n, mk->xattrs[i].name, mk->xattrs[i].value,
				mk->xattrs[i].size, 0);
	node_dirty(v, n);
	return ret;
}

/* An inode that no name leads to yet, locked. */
static int make_node(struct volume *v, struct node *dir, const struct make *mk,
		     struct node **out)
{
	bool directory = LINUX_S_ISDIR(mk->mode);
	ext2_ino_t ino;
	int ret;

	ret = alloc_inode(v, dir, directory, &ino);
	if (ret)
		return ret;
	ret = node_new(v, ino, mk->mode, out);
	if (ret) {
		alloc_inode_free(v, ino, directory);
		return ret;
	}
	ret = init_node(v, *out, dir, mk);
	if (ret)
		node_kill(v, *out);
	return ret;
}

static int check_make(struct volume *v, struct node *dir, const char *name,
		      const struct make *mk)
{
	int ret = name ? check_new(v, dir, name) : volume_writable(v);

	if (!ret && name && LINUX_S_ISDIR(mk->mode) &&
	    !has_room_for_link(v, dir))
		ret = -EMLINK;
	return ret;
}

int name_make(struct volume *v, struct node *dir, const char *name,
	      const struct make *mk, struct node **out)
{
	struct node *n;
	int ret;

	ret = check_make(v, dir, name, mk);
	if (!ret)
		ret = make_node(v, dir, mk, &n);
	if (ret)
		return ret;
	*out = n;
	if (!name) {
		n->raw.i_links_count = 0;
		orphan_add(v, n);
		node_unlock(n);
		return 0;
	}
	ret = dir_add(v, dir, name, n->ino, dirblk_type(mk->mode));
	if (ret) {
		node_kill(v, n);
		return ret;
	}
	node_unlock(n);
	if (is_dir(n))
		links_up(v, dir);
	attr_touch(v, dir);
	return 0;
}

int name_link(struct volume *v, struct node *dir, const char *name,
	      struct node *n)
{
	int ret = check_new(v, dir, name);

	if (ret)
		return ret;
	if (is_dir(n))
		return -EPERM;
	if (n->dead || (!n->raw.i_links_count && !n->is_orphan))
		return -ENOENT;
	if (n->raw.i_links_count >= LINKS_MAX)
		return -EMLINK;
	if (!attr_takes(v, dir, n))
		return -EXDEV;
	ret = dir_add(v, dir, name, n->ino, dirblk_type(n->raw.i_mode));
	if (ret)
		return ret;
	orphan_remove(v, n);
	n->raw.i_links_count++;
	attr_changed(v, n);
	attr_touch(v, dir);
	return 0;
}

/* The kernel may be about to, though nobody has it open. */
static bool may_be_written(struct volume *v, struct node *n)
{
	return v->iomap && is_reg(n) &&
	       ext2fs_get_stat_i_blocks(v->fs, inode_of(n));
}

/*
 * A name of an inode is gone; what nobody uses goes with its last one.  Unless
 * the kernel moves its data: it may be about to write some, and until it has
 * forgotten the inode the blocks must not become another's.
 */
static void drop_name(struct volume *v, struct node *n, bool unused)
{
	if (is_dir(n))
		n->raw.i_links_count = 0;
	else if (n->raw.i_links_count)
		n->raw.i_links_count--;
	attr_changed(v, n);
	if (n->raw.i_links_count)
		return;
	if (!n->lookups || (unused && !may_be_written(v, n)))
		node_delete(v, n);
	else
		orphan_add(v, n);
}

/* May a name be taken away from this inode? */
static int check_victim(struct volume *v, struct node *n, bool directory)
{
	int ret;

	if (is_dir(n) != directory)
		return directory ? -ENOTDIR : -EISDIR;
	if (!directory)
		return 0;
	if (n->ino == EXT2_ROOT_INO)
		return -EBUSY;
	ret = dir_load(v, n);
	if (ret)
		return ret;
	return dir_is_empty(n) ? 0 : -ENOTEMPTY;
}

/* No directory is locked below another one, and they are for who is alone. */
static int take_name(struct volume *v, struct node *dir, const char *name,
		     struct node *n, bool unused, bool alone)
{
	int ret = -EAGAIN;

	if (!is_dir(n))
		node_lock(n);
	if (alone || (!is_dir(n) && xattr_hints(v, n)))
		ret = dir_remove(v, dir, name);
	if (!ret) {
		if (is_dir(n))
			links_down(v, dir);
		attr_touch(v, dir);
		drop_name(v, n, unused);
	}
	if (!is_dir(n))
		node_unlock(n);
	return ret;
}

int name_unlink(struct volume *v, struct node *dir, const char *name,
		bool directory, bool unused, bool alone, struct node **out)
{
	struct node *n;
	int ret;

	ret = volume_writable(v);
	if (!ret)
		ret = name_lookup(v, dir, name, &n);
	if (ret)
		return ret;
	ret = check_victim(v, n, directory);
	if (!ret)
		ret = take_name(v, dir, name, n, unused, alone);
	if (ret || !out)
		node_put(v, n);
	else
		*out = n;
	return ret;
}

/*
 * What may take space is done before anything is changed: a name that is at its new
 * place, but could not be taken away from the old one, would be one too many.  So
 * is what may fail for the device: the blocks of the old name, and of the parent
 * that is going to be another one.
 */
static int make_ready(struct volume *v, struct node *dir, const char *name,
		      struct node *to, struct node *n)
{
	bool moves = is_dir(n) && dir != to;
	int ret = dir_ready(v, dir);

	if (!ret)
		ret = dir_ready(v, to);
	if (!ret && moves)
		ret = dir_ready(v, n);
	if (!ret)
		ret = dir_prepare(v, dir, name);
	if (!ret && moves)
		ret = dir_prepare(v, n, "..");
	return ret;
}

/* A directory has been moved from one directory to another. */
static int set_parent(struct volume *v, struct node *n, struct node *from,
		      struct node *to)
{
	int ret;

	if (!is_dir(n) || from == to)
		return 0;
	ret = dir_load(v, n);
	if (!ret)
		ret = dir_change(v, n, "..", to->ino, EXT2_FT_DIR);
	if (ret)
		return ret;
	links_down(v, from);
	links_up(v, to);
	return 0;
}

static int exchange(struct volume *v, struct node *dir, const char *name,
		    struct node *dir2, const char *name2, struct moved *m)
{
	int ret;

	if (!m->node2)
		return -ENOENT;
	if (dir != dir2 && is_dir(m->node) != is_dir(m->node2) &&
	    !has_room_for_link(v, is_dir(m->node) ? dir2 : dir))
		return -EMLINK;
	if (!attr_takes(v, dir2, m->node) || !attr_takes(v, dir, m->node2))
		return -EXDEV;
	ret = make_ready(v, dir, name, dir2, m->node);
	if (!ret)
		ret = make_ready(v, dir2, name2, dir, m->node2);
	if (!ret)
		ret = dir_change(v, dir, name, m->node2->ino,
				 dirblk_type(m->node2->raw.i_mode));
	if (!ret)
		ret = dir_change(v, dir2, name2, m->node->ino,
				 dirblk_type(m->node->raw.i_mode));
	if (!ret)
		ret = set_parent(v, m->node, dir, dir2);
	if (!ret)
		ret = set_parent(v, m->node2, dir2, dir);
	if (!ret)
		attr_changed(v, m->node2);
	return ret;
}

/* What the old name leads to after it: nothing, or a whiteout. */
static int leave(struct volume *v, struct node *dir, const char *name,
		 struct node *whiteout)
{
	if (whiteout)
		return dir_change(v, dir, name, whiteout->ino, EXT2_FT_CHRDEV);
	return dir_remove(v, dir, name);
}

static int move(struct volume *v, struct node *dir, const char *name,
		struct node *dir2, const char *name2, struct node *whiteout,
		struct moved *m)
{
	uint8_t type = dirblk_type(m->node->raw.i_mode);
	int ret;

	if (!attr_takes(v, dir2, m->node))
		return -EXDEV;
	if (m->node2)
		ret = check_victim(v, m->node2, is_dir(m->node));
	else
		ret = is_dir(m->node) && dir != dir2 &&
		      !has_room_for_link(v, dir2) ? -EMLINK : 0;
	if (!ret)
		ret = make_ready(v, dir, name, dir2, m->node);
	if (!ret && m->node2)
		ret = dir_change(v, dir2, name2, m->node->ino, type);
	else if (!ret)
		ret = dir_add(v, dir2, name2, m->node->ino, type);
	if (!ret)
		ret = leave(v, dir, name, whiteout);
	if (!ret)
		ret = set_parent(v, m->node, dir, dir2);
	if (ret || !m->node2)
		return ret;
	if (is_dir(m->node2))
		links_down(v, dir2);
	drop_name(v, m->node2, false);
	return 0;
}

static int look_both(struct volume *v, struct node *dir, const char *name,
		     struct node *dir2, const char *name2, struct moved *m)
{
	int ret;

	ret = name_lookup(v, dir, name, &m->node);
	if (ret)
		return ret;
	ret = name_lookup(v, dir2, name2, &m->node2);
	if (ret == -ENOENT) {
		m->node2 = NULL;
		ret = strlen(name2) > EXT2_NAME_LEN ? -ENAMETOOLONG :
		      dir2->raw.i_links_count ? 0 : -ENOENT;
	}
	if (ret)
		node_put(v, m->node);
	return ret;
}

static int rename_found(struct volume *v, struct node *dir, const char *name,
			struct node *dir2, const char *name2, uint32_t flags,
			const struct make *whiteout, struct moved *m)
{
	struct node *wh = NULL;
	int ret = 0;

	if (flags & RENAME_NOREPLACE && m->node2)
		return -EEXIST;
	/* Two names of the same: there is nothing to do. */
	if (m->node == m->node2)
		return 0;
	if (flags & RENAME_WHITEOUT)
		ret = make_node(v, dir, whiteout, &wh);
	if (ret)
		return ret;
	if (flags & RENAME_EXCHANGE)
		ret = exchange(v, dir, name, dir2, name2, m);
	else
		ret = move(v, dir, name, dir2, name2, wh, m);
	if (wh && ret) {
		node_kill(v, wh);
	} else if (wh) {
		node_unlock(wh);
		node_put(v, wh);
	}
	if (ret)
		return ret;
	attr_changed(v, m->node);
	attr_touch(v, dir);
	if (dir2 != dir)
		attr_touch(v, dir2);
	return 0;
}

int name_rename(struct volume *v, struct node *dir, const char *name,
		struct node *dir2, const char *name2, uint32_t flags,
		const struct make *whiteout, struct moved *out)
{
	int ret;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	ret = volume_writable(v);
	if (!ret)
		ret = look_both(v, dir, name, dir2, name2, out);
	if (ret)
		return ret;
	ret = rename_found(v, dir, name, dir2, name2, flags, whiteout, out);
	if (ret) {
		node_put(v, out->node);
		node_put(v, out->node2);
	}
	return ret;
}

ssize_t name_readlink(struct volume *v, struct node *n, char *buf, size_t size)
{
	uint64_t len = size_of(n);
	struct run r;
	char *block;
	int ret;

	if (!LINUX_S_ISLNK(n->raw.i_mode))
		return -EINVAL;
	if (!len || len >= block_size(v))
		return volume_corrupt(v, n->ino, "length of the link");
	if (len > size)
		len = size;
	if (node_has(n, EXT4_INLINE_DATA_FL))
		return inline_read(v, n, buf, len);
	if (size_of(n) < sizeof(n->raw.i_block)) {
		memcpy(buf, n->raw.i_block, len);
		return (ssize_t)len;
	}
	ret = file_find(v, n, 0, &r);
	if (!ret && r.type != RUN_DATA)
		ret = volume_corrupt(v, n->ino, "link without a block");
	block = ret ? NULL : malloc(block_size(v));
	if (!block)
		return ret ? ret : -ENOMEM;
	ret = volume_error(v, io_channel_read_blk64(v->fs->io, r.pblk, 1,
						    block));
	if (!ret)
		memcpy(buf, block, len);
	free(block);
	return ret ? ret : (ssize_t)len;
}

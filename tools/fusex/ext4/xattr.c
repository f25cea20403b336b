// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes, in the inode and in a block of their own.
 *
 * libext2fs finds its way in them by the number of the inode, so the inode is
 * written to where it looks, and taken back.  ACLs come and go in the form the
 * kernel has for them.
 *
 * Context: to change them, alone, and to look at them with the inode locked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "ext4.h"

/* It wants the types of the headers above. */
#include <ext2fs/ext2_ext_attr.h>

/* Of entries of an ACL that have an id. */
#define ACL_USER	2u
#define ACL_GROUP	8u

static const char * const spaces[] = {
	"user.", "trusted.", "security."
};

/* Is it a name that this file system can have? */
static int check_name(const char *name)
{
	size_t i, len;

	if (!strcmp(name, "system.posix_acl_access") ||
	    !strcmp(name, "system.posix_acl_default"))
		return 0;
	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		len = strlen(spaces[i]);
		if (!strncmp(name, spaces[i], len))
			return name[len] ? 0 : -EINVAL;
	}
	return -EOPNOTSUPP;
}

static char *in_inode(struct node *n)
{
	return (char *)&n->raw + EXT2_GOOD_OLD_INODE_SIZE +
	       n->raw.i_extra_isize;
}

static bool has_in_inode(const struct volume *v, struct node *n)
{
	uint32_t magic = 0;

	if (!n->raw.i_extra_isize ||
	    EXT2_GOOD_OLD_INODE_SIZE + n->raw.i_extra_isize + 8u >
	    v->inode_size)
		return false;
	memcpy(&magic, in_inode(n), sizeof(magic));
	return magic == EXT2_EXT_ATTR_MAGIC;
}

/* libext2fs looks for room between entries and values without any doubts. */
int xattr_check(struct volume *v, struct node *n)
{
	char *start = in_inode(n) + sizeof(uint32_t);
	char *end = (char *)&n->raw + v->inode_size, *at;
	struct ext2_ext_attr_entry *e;

	if (!has_in_inode(v, n))
		return 0;
	for (at = start; ; at += EXT2_EXT_ATTR_LEN(e->e_name_len)) {
		e = (struct ext2_ext_attr_entry *)at;
		if (end - at < (ptrdiff_t)sizeof(uint32_t))
			break;
		if (EXT2_EXT_IS_LAST_ENTRY(e))
			return 0;
		if (end - at < (ptrdiff_t)sizeof(*e) ||
		    end - at < (ptrdiff_t)EXT2_EXT_ATTR_LEN(e->e_name_len) ||
		    (!e->e_value_inum &&
		     (uint64_t)e->e_value_offs + e->e_value_size >
		     (uint64_t)(end - start)))
			break;
	}
	return volume_corrupt(v, n->ino, "extended attributes");
}

uint32_t xattr_hints(const struct volume *v, const struct node *n)
{
	if (has_in_inode(v, (struct node *)n) || n->raw.i_file_acl ||
	    n->raw.osd2.linux2.l_i_file_acl_high)
		return 0;
	return FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
}

static int open_all(struct volume *v, struct node *n,
		    struct ext2_xattr_handle **h)
{
	errcode_t err;
	int ret;

	ret = xattr_check(v, n);
	if (!ret)
		ret = volume_error(v, ext2fs_xattrs_open(v->fs, n->ino, h));
	if (ret)
		return ret;
	err = ext2fs_xattrs_read_inode(*h, &n->raw);
	if (err)
		ext2fs_xattrs_close(h);
	return volume_error(v, err);
}

/* Entries that are nobody's in particular have no id, of which 0 is one. */
static void no_ids(void *acl, size_t size)
{
	struct {
		uint16_t	tag;
		uint16_t	perm;
		uint32_t	id;
	} e;
	size_t at;

	for (at = sizeof(uint32_t); at + sizeof(e) <= size; at += sizeof(e)) {
		memcpy(&e, (char *)acl + at, sizeof(e));
		if (e.tag == ACL_USER || e.tag == ACL_GROUP)
			continue;
		e.id = UINT32_MAX;
		memcpy((char *)acl + at, &e, sizeof(e));
	}
}

static ssize_t get(struct volume *v, struct node *n, const char *name,
		   void *value, size_t size)
{
	struct ext2_xattr_handle *h;
	void *found = NULL;
	size_t len = 0;
	ssize_t ret;
	errcode_t err;

	ret = open_all(v, n, &h);
	if (ret)
		return ret;
	err = ext2fs_xattr_get(h, name, &found, &len);
	ext2fs_xattrs_close(&h);
	if (err)
		return volume_error(v, err);
	ret = (ssize_t)len;
	if (size && len > size)
		ret = -ERANGE;
	else if (size)
		memcpy(value, found, len);
	if (ret > 0 && size && !strncmp(name, "system.", 7))
		no_ids(value, len);
	ext2fs_free_mem(&found);
	return ret;
}

ssize_t xattr_get(struct volume *v, struct node *n, const char *name,
		  void *value, size_t size)
{
	ssize_t ret = check_name(name);

	/* There mostly are none, which is easy to see. */
	if (!ret && xattr_hints(v, n))
		ret = -ENODATA;
	if (ret)
		return ret;
	core_lock(v);
	ret = get(v, n, name, value, size);
	core_unlock(v);
	return ret;
}

/**
 * struct listing - names being put together
 * @list: where to
 * @room: bytes of it
 * @len: bytes of all names
 */
struct listing {
	char	*list;
	size_t	room;
	size_t	len;
};

static int add_name(char *name, char *value, size_t size, void *data)
{
	struct listing *l = data;
	size_t len = strlen(name) + 1;

	if (check_name(name))
		return 0;
	if (l->len + len <= l->room)
		memcpy(l->list + l->len, name, len);
	l->len += len;
	return 0;
}

static ssize_t get_list(struct volume *v, struct node *n, char *list,
			size_t size)
{
	struct listing l = { list, size, 0 };
	struct ext2_xattr_handle *h;
	errcode_t err;
	int ret;

	ret = open_all(v, n, &h);
	if (ret)
		return ret;
	err = ext2fs_xattrs_iterate(h, add_name, &l);
	ext2fs_xattrs_close(&h);
	if (err)
		return volume_error(v, err);
	return size && l.len > size ? -ERANGE : (ssize_t)l.len;
}

ssize_t xattr_list(struct volume *v, struct node *n, char *list, size_t size)
{
	ssize_t ret;

	if (xattr_hints(v, n))
		return 0;
	core_lock(v);
	ret = get_list(v, n, list, size);
	core_unlock(v);
	return ret;
}

/* Blocks of values that are inodes, among the entries of an area. */
static uint64_t large_in(const struct volume *v, const char *at,
			 const char *end)
{
	const struct ext2_ext_attr_entry *e;
	uint64_t blocks = 0;

	while (end - at >= (ptrdiff_t)sizeof(*e)) {
		e = (const struct ext2_ext_attr_entry *)at;
		if (EXT2_EXT_IS_LAST_ENTRY(e))
			break;
		if (e->e_value_inum)
			blocks += blocks_of(v, e->e_value_size);
		at += EXT2_EXT_ATTR_LEN(e->e_name_len);
	}
	return blocks;
}

/* They count as the inode's, of which libext2fs does not take care. */
static uint64_t large_blocks(struct volume *v, struct node *n)
{
	uint64_t block = ext2fs_file_acl_block(v->fs, inode_of(n)), blocks = 0;
	char *buf;

	if (!ext2fs_has_feature_ea_inode(v->fs->super))
		return 0;
	if (has_in_inode(v, n))
		blocks = large_in(v, in_inode(n) + sizeof(uint32_t),
				  (char *)&n->raw + v->inode_size);
	buf = block ? malloc(block_size(v)) : NULL;
	if (buf && !ext2fs_read_ext_attr3(v->fs, block, buf, n->ino))
		blocks += large_in(v, buf +
				   sizeof(struct ext2_ext_attr_header),
				   buf + block_size(v));
	free(buf);
	return blocks;
}

/*
 * Before a change; returns the blocks of values that are inodes.  Those libext2fs
 * makes and deletes by itself, maybe one in place of another, after which there are
 * as many: the flag says whether it has.  Nobody else goes by it.
 */
static uint64_t look(struct volume *v, struct node *n)
{
	v->fs->flags &= ~EXT2_FLAG_IB_DIRTY;
	return large_blocks(v, n);
}

static void note_inodes(struct volume *v)
{
	if (!(v->fs->flags & EXT2_FLAG_IB_DIRTY))
		return;
	for (dgrp_t g = 0; g < v->fs->group_desc_count; g++)
		v->groups[g] |= GROUP_INODES;
}

/*
 * The first group that has an inode for it may be one that had no bitmaps, and has
 * both of them from then on.
 */
static void note_group(struct volume *v)
{
	dgrp_t g = 0;

	while (g < v->fs->group_desc_count &&
	       !ext2fs_bg_free_inodes_count(v->fs, g))
		g++;
	if (g < v->fs->group_desc_count)
		v->groups[g] |= GROUP_BLOCKS;
}

static int is_empty_block(struct volume *v, struct node *n, uint64_t block)
{
	struct ext2_ext_attr_header *h = malloc(block_size(v));
	int ret;

	if (!h)
		return -ENOMEM;
	ret = volume_error(v, ext2fs_read_ext_attr3(v->fs, block, h, n->ino));
	if (!ret)
		ret = EXT2_EXT_IS_LAST_ENTRY((struct ext2_ext_attr_entry *)
					     (h + 1));
	free(h);
	return ret;
}

/* libext2fs leaves what had the last attribute as if there were one. */
static int drop_empty(struct volume *v, struct node *n)
{
	uint64_t block = ext2fs_file_acl_block(v->fs, inode_of(n));
	uint32_t first = 0;
	int ret = 0;

	if (has_in_inode(v, n)) {
		memcpy(&first, in_inode(n) + sizeof(uint32_t), sizeof(first));
		if (!first)
			memset(in_inode(n), 0, sizeof(uint32_t));
	}
	if (block)
		ret = is_empty_block(v, n, block);
	if (ret <= 0)
		return ret;
	return volume_error(v, ext2fs_free_ext_attr(v->fs, n->ino, &n->raw));
}

static int close_all(struct volume *v, struct node *n,
		     struct ext2_xattr_handle *h, uint64_t was, errcode_t err)
{
	uint64_t large;
	int ret, ret2;

	ext2fs_xattrs_close(&h);
	note_inodes(v);
	/* Also if it failed: part of it may have been done. */
	ret2 = node_reread(v, n);
	if (!ret2)
		ret2 = drop_empty(v, n);
	node_dirty(v, n);
	/* It has a block of them now, or none any more. */
	orphan_update(v, n);
	large = large_blocks(v, n);
	if (large > was)
		ext2fs_iblk_add_blocks(v->fs, inode_of(n), large - was);
	else if (large < was)
		ext2fs_iblk_sub_blocks(v->fs, inode_of(n), was - large);
	ret = err == EXT2_ET_EA_NO_SPACE ? -ENOSPC : volume_error(v, err);
	if (!ret)
		ret = ret2;
	if (!ret)
		attr_changed(v, n);
	return ret;
}

/*
 * Is there space for a value that becomes an inode, its tree and the block of the
 * entry?  What libext2fs has taken when it finds that there is not, it leaves behind.
 */
static int check_space(struct volume *v, size_t size)
{
	return alloc_has(v, blocks_of(v, size) + 3) ? 0 : -ENOSPC;
}

/* A value that is an inode is had by one more, or one less. */
static int hold_value(struct volume *v, ext2_ino_t self, ext2_ino_t ino, int by)
{
	struct ext2_inode *raw;
	int ret;

	if (ino < EXT2_FIRST_INODE(v->fs->super) ||
	    ino > v->fs->super->s_inodes_count)
		return volume_corrupt(v, self, "inode of an attribute");
	raw = malloc(v->inode_size);
	if (!raw)
		return -ENOMEM;
	ret = volume_error(v, ext2fs_read_inode_full(v->fs, ino, raw,
						     (int)v->inode_size));
	if (!ret && !(raw->i_flags & EXT4_EA_INODE_FL))
		ret = volume_corrupt(v, self, "inode of an attribute");
	if (!ret) {
		ext2fs_set_ea_inode_ref(raw, ext2fs_get_ea_inode_ref(raw) +
						     (uint64_t)by);
		ret = volume_error(v, ext2fs_write_inode_full(v->fs, ino, raw,
							      (int)v->inode_size));
	}
	free(raw);
	return ret;
}

/* The first @count, at most, of those that a block has; returns in it how many. */
static int hold_values(struct volume *v, ext2_ino_t self,
		       struct ext2_ext_attr_header *h, int by,
		       unsigned int *count)
{
	char *at = (char *)(h + 1), *end = (char *)h + block_size(v);
	unsigned int most = *count;
	struct ext2_ext_attr_entry *e;
	int ret = 0;

	*count = 0;
	if (!ext2fs_has_feature_ea_inode(v->fs->super))
		return 0;
	while (*count < most && end - at >= (ptrdiff_t)sizeof(*e) && !ret) {
		e = (struct ext2_ext_attr_entry *)at;
		if (EXT2_EXT_IS_LAST_ENTRY(e))
			break;
		if (e->e_value_inum)
			ret = hold_value(v, self, e->e_value_inum, by);
		*count += e->e_value_inum && !ret;
		at += EXT2_EXT_ATTR_LEN(e->e_name_len);
	}
	return ret;
}

/* A copy of a block of attributes, for this inode alone. */
static int copy_block(struct volume *v, struct node *n, uint64_t old,
		      struct ext2_ext_attr_header *h)
{
	unsigned int held = UINT32_MAX;
	uint64_t block;
	__u32 left;
	int64_t got;
	int ret;

	got = alloc_run(v, n, alloc_goal(v, n), 1, &block);
	if (got < 0)
		return (int)got;
	h->h_refcount = 1;
	ret = hold_values(v, n->ino, h, 1, &held);
	if (!ret)
		ret = volume_error(v, ext2fs_write_ext_attr3(v->fs, block, h,
							     n->ino));
	if (!ret)
		ret = volume_error(v, ext2fs_adjust_ea_refcount3(v->fs, old,
								 (char *)h, -1,
								 &left, n->ino));
	if (ret) {
		hold_values(v, n->ino, h, -1, &held);
		alloc_free(v, block, 1);
		return ret;
	}
	ext2fs_file_acl_block_set(v->fs, inode_of(n), block);
	node_dirty(v, n);
	return 0;
}

/*
 * libext2fs gives a block that other inodes have, too, up before it has got another
 * one: if there is none, it would count one inode less than have it, and be changed
 * for all of them the next time.
 */
int xattr_own_block(struct volume *v, struct node *n)
{
	uint64_t block = ext2fs_file_acl_block(v->fs, inode_of(n));
	struct ext2_ext_attr_header *h;
	int ret;

	if (!block)
		return 0;
	if (!bitmaps_is_data(v, block, 1))
		return volume_corrupt(v, n->ino, "block of attributes");
	h = malloc(block_size(v));
	if (!h)
		return -ENOMEM;
	ret = volume_error(v, ext2fs_read_ext_attr3(v->fs, block, h, n->ino));
	if (!ret && h->h_refcount > 1)
		ret = copy_block(v, n, block, h);
	free(h);
	return ret;
}

/* The first attribute of a file system: from now on it can have some. */
static void set_feature(struct volume *v)
{
	if (ext2fs_has_feature_xattr(v->fs->super))
		return;
	ext2fs_set_feature_xattr(v->fs->super);
	ext2fs_mark_super_dirty(v->fs);
}

static int check_flags(struct ext2_xattr_handle *h, const char *name,
		       uint32_t flags)
{
	void *old = NULL;
	size_t len;
	bool there = !ext2fs_xattr_get(h, name, &old, &len);

	if (there)
		ext2fs_free_mem(&old);
	if (there && flags & XATTR_CREATE)
		return -EEXIST;
	return !there && flags & XATTR_REPLACE ? -ENODATA : 0;
}

/* Bytes that an entry and its value can have in the inode, if it is a new one. */
static size_t room_in_inode(const struct volume *v, struct node *n)
{
	char *start = in_inode(n) + sizeof(uint32_t), *at = start;
	char *low = (char *)&n->raw + v->inode_size;
	struct ext2_ext_attr_entry *e;

	if (!n->raw.i_extra_isize || low - start < 8)
		return 0;
	if (!has_in_inode(v, n))
		return (size_t)(low - start) - sizeof(uint32_t);
	for (; ; at += EXT2_EXT_ATTR_LEN(e->e_name_len)) {
		e = (struct ext2_ext_attr_entry *)at;
		if (EXT2_EXT_IS_LAST_ENTRY(e))
			break;
		if (!e->e_value_inum && e->e_value_size &&
		    start + e->e_value_offs < low)
			low = start + e->e_value_offs;
	}
	return low - at > 4 ? (size_t)(low - at - 4) : 0;
}

/* No value is an inode, and this one need not become one. */
static bool is_small(const struct volume *v, struct node *n,
		     struct ext2_xattr_handle *h, const char *name, size_t size,
		     uint64_t large)
{
	size_t len = 0, need;
	void *old;

	if (large)
		return false;
	if (!ext2fs_xattr_get(h, name, &old, &len)) {
		ext2fs_free_mem(&old);
		if (len >= size)
			return true;
	}
	need = EXT2_EXT_ATTR_LEN(strlen(name)) + EXT2_EXT_ATTR_SIZE(size);
	return need <= room_in_inode(v, n);
}

/* What may take space is done before anything is changed. */
static int make_ready(struct volume *v, struct node *n,
		      struct ext2_xattr_handle *h, const char *name,
		      size_t size, uint64_t large)
{
	int ret = 0;

	/* A value may become an inode, whose number was a deleted one's until now. */
	if (ext2fs_has_feature_ea_inode(v->fs->super)) {
		if (!is_small(v, n, h, name, size, large)) {
			note_group(v);
			ret = check_space(v, size);
		}
		if (!ret)
			ret = icache_flush(v);
	}
	if (!ret)
		ret = xattr_own_block(v, n);
	/* libext2fs reads the inode once more. */
	return ret ? ret : node_full(v, n);
}

int xattr_set(struct volume *v, struct node *n, const char *name,
	      const void *value, size_t size, uint32_t flags)
{
	struct ext2_xattr_handle *h;
	uint64_t was = look(v, n);
	int ret;

	ret = volume_writable(v);
	if (!ret)
		ret = check_name(name);
	if (ret)
		return ret;
	set_feature(v);
	ret = open_all(v, n, &h);
	if (ret)
		return ret;
	ret = check_flags(h, name, flags);
	if (!ret)
		ret = make_ready(v, n, h, name, size, was);
	if (ret) {
		ext2fs_xattrs_close(&h);
		return ret;
	}
	return close_all(v, n, h, was,
			 ext2fs_xattr_set(h, name, value, size));
}

int xattr_remove(struct volume *v, struct node *n, const char *name)
{
	struct ext2_xattr_handle *h;
	uint64_t was;
	int ret;

	ret = volume_writable(v);
	if (!ret)
		ret = check_name(name);
	if (!ret && xattr_hints(v, n))
		ret = -ENODATA;
	if (ret)
		return ret;
	was = look(v, n);
	ret = open_all(v, n, &h);
	if (ret)
		return ret;
	ret = check_flags(h, name, XATTR_REPLACE);
	if (!ret)
		ret = xattr_own_block(v, n);
	if (!ret)
		ret = node_full(v, n);
	if (ret) {
		ext2fs_xattrs_close(&h);
		return ret;
	}
	return close_all(v, n, h, was, ext2fs_xattr_remove(h, name));
}

/* Takes away each of a list of names. */
static int remove_names(struct volume *v, struct node *n, const char *list,
			size_t len)
{
	const char *name;
	int ret = 0;

	for (name = list; name < list + len && !ret; name += strlen(name) + 1)
		ret = xattr_remove(v, n, name);
	return ret;
}

/* Values that are inodes go one by one. */
static int remove_large(struct volume *v, struct node *n)
{
	ssize_t len;
	char *list;
	int ret;

	if (!ext2fs_has_feature_ea_inode(v->fs->super) || xattr_hints(v, n) ||
	    !large_blocks(v, n))
		return 0;
	len = xattr_list(v, n, NULL, 0);
	if (len <= 0)
		return (int)len;
	list = calloc(1, (size_t)len);
	if (!list)
		return -ENOMEM;
	len = xattr_list(v, n, list, (size_t)len);
	ret = len < 0 ? (int)len : remove_names(v, n, list, (size_t)len);
	free(list);
	return ret;
}

int xattr_free(struct volume *v, struct node *n)
{
	int ret;

	/* Most have none, and then nobody need be alone. */
	if (xattr_hints(v, n))
		return 0;
	ret = remove_large(v, n);
	if (!ret)
		ret = volume_error(v, ext2fs_free_ext_attr(v->fs, n->ino,
							   &n->raw));
	node_dirty(v, n);
	return ret;
}

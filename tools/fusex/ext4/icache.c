// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes in memory.
 *
 * An inode stays as long as the kernel knows it or somebody here uses it, and a
 * while longer.  libext2fs is given the inode in memory to work with; what it
 * writes back to its place is caught, and written when a transaction is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"
#include "log.h"

#define TABLE_SIZE	(1u << 16)
/* Blocks of the inode table that are read at once. */
#define AHEAD		8u
/* Names of directories that may be in memory, of about 100 bytes each. */
#define NAMES_MAX	(1u << 20)
/* Places of the table that are looked at, at a time. */
#define SHRINK_MAX	1024u

/* libext2fs reads and writes inodes of this thread's by itself for now. */
static __thread bool direct;

static struct node **slot_of(const struct volume *v, ext2_ino_t ino)
{
	return &v->nodes[ino & v->nodes_mask];
}

/* Called with the table. */
static struct node *find(const struct volume *v, ext2_ino_t ino)
{
	struct node *n;

	for (n = *slot_of(v, ino); n; n = n->next)
		if (n->ino == ino)
			return n;
	return NULL;
}

/*
 * The inode that libext2fs asks for: one that this thread has locked.  What is
 * dead is not: the number may be that of a large attribute by now.
 */
static struct node *find_own(struct volume *v, ext2_ino_t ino)
{
	struct node *n;

	if (direct)
		return NULL;
	pthread_mutex_lock(&v->table);
	n = find(v, ino);
	if (n && n->dead)
		n = NULL;
	pthread_mutex_unlock(&v->table);
	return n;
}

static errcode_t on_read(ext2_filsys fs, ext2_ino_t ino,
			 struct ext2_inode *inode)
{
	struct node *n = find_own(fs->priv_data, ino);

	if (!n)
		return EXT2_ET_CALLBACK_NOTHANDLED;
	memmove(inode, &n->raw, sizeof(*inode));
	return 0;
}

static errcode_t on_write(ext2_filsys fs, ext2_ino_t ino,
			  struct ext2_inode *inode)
{
	struct volume *v = fs->priv_data;
	struct node *n = find_own(v, ino);

	if (!n || inode != inode_of(n))
		return EXT2_ET_CALLBACK_NOTHANDLED;
	node_dirty(v, n);
	return 0;
}

int icache_open(struct volume *v)
{
	v->nodes = calloc(TABLE_SIZE, sizeof(struct node *));
	if (!v->nodes)
		return -ENOMEM;
	v->nodes_mask = TABLE_SIZE - 1;
	v->names_max = NAMES_MAX;
	v->fs->read_inode = on_read;
	v->fs->write_inode = on_write;
	return 0;
}

static void node_free(struct node *n)
{
	dir_unload(n);
	pthread_rwlock_destroy(&n->lock);
	free(n);
}

void icache_close(struct volume *v)
{
	struct node *n;
	size_t i;

	if (!v->nodes)
		return;
	for (i = 0; i <= v->nodes_mask; i++) {
		while ((n = v->nodes[i])) {
			v->nodes[i] = n->next;
			node_free(n);
		}
	}
	free(v->nodes);
	v->nodes = NULL;
	v->dirty = NULL;
	v->orphans = NULL;
}

static struct node *node_alloc(struct volume *v, ext2_ino_t ino)
{
	size_t size = v->inode_size > sizeof(struct ext2_inode_large) ?
			      v->inode_size : sizeof(struct ext2_inode_large);
	struct node *n = calloc(1, offsetof(struct node, raw) + size);

	if (n) {
		pthread_rwlock_init(&n->lock, NULL);
		n->ino = ino;
		n->users = 1;
	}
	return n;
}

static void insert(struct volume *v, struct node *n)
{
	struct node **slot = slot_of(v, n->ino);

	n->next = *slot;
	*slot = n;
	v->node_count++;
}

struct node *node_peek(struct volume *v, ext2_ino_t ino)
{
	struct node *n;

	pthread_mutex_lock(&v->table);
	n = find(v, ino);
	if (n)
		n->users++;
	pthread_mutex_unlock(&v->table);
	return n;
}

/* Neighbours are often asked for next. */
static void read_ahead(struct volume *v, ext2_ino_t ino)
{
	ext2_filsys fs = v->fs;
	dgrp_t g = ext2fs_group_of_ino(fs, ino);
	uint64_t block = (uint64_t)((ino - 1) % fs->super->s_inodes_per_group) *
			 v->inode_size / fs->blocksize & ~(uint64_t)(AHEAD - 1);
	uint64_t count = AHEAD;

	if (block + count > fs->inode_blocks_per_group)
		count = fs->inode_blocks_per_group - block;
	io_channel_cache_readahead(fs->io,
				   ext2fs_inode_table_loc(fs, g) + block,
				   count);
}

/* What the rest of this program takes for granted. */
static int check(struct volume *v, struct node *n)
{
	unsigned int extra = v->inode_size - EXT2_GOOD_OLD_INODE_SIZE;

	if (v->inode_size == EXT2_GOOD_OLD_INODE_SIZE)
		n->raw.i_extra_isize = 0;
	else if (n->raw.i_extra_isize > extra || n->raw.i_extra_isize & 3)
		return volume_corrupt(v, n->ino, "size of the inode");
	switch (n->raw.i_mode & LINUX_S_IFMT) {
	case LINUX_S_IFREG:
	case LINUX_S_IFDIR:
	case LINUX_S_IFLNK:
	case LINUX_S_IFCHR:
	case LINUX_S_IFBLK:
	case LINUX_S_IFIFO:
	case LINUX_S_IFSOCK:
		break;
	default:
		return volume_corrupt(v, n->ino, "type of the inode");
	}
	if (size_of(n) > size_max(v, true))
		return volume_corrupt(v, n->ino, "size of the file");
	return 0;
}

static int read_node(struct volume *v, struct node *n)
{
	errcode_t err;

	core_lock(v);
	direct = true;
	err = ext2fs_read_inode_full(v->fs, n->ino, inode_of(n),
				     (int)v->inode_size);
	direct = false;
	/* It would be had from its cache as another one: see node_full(). */
	if (err)
		ext2fs_flush_icache(v->fs);
	core_unlock(v);
	if (err == EXT2_ET_INODE_CSUM_INVALID)
		return volume_corrupt(v, n->ino, "checksum of the inode");
	return err ? volume_error(v, err) : 0;
}

/* Somebody else may have read it meanwhile. */
static struct node *insert_read(struct volume *v, struct node *n)
{
	struct node *old;

	pthread_mutex_lock(&v->table);
	old = find(v, n->ino);
	if (old)
		old->users++;
	else
		insert(v, n);
	pthread_mutex_unlock(&v->table);
	if (old)
		node_free(n);
	return old ? old : n;
}

bool node_can_be(const struct volume *v, uint64_t ino)
{
	const struct ext2_super_block *sb = v->fs->super;

	if (ino == EXT2_ROOT_INO)
		return true;
	return ino >= EXT2_FIRST_INODE(sb) && ino <= sb->s_inodes_count &&
	       ino != sb->s_usr_quota_inum && ino != sb->s_grp_quota_inum &&
	       ino != sb->s_prj_quota_inum && ino != sb->s_orphan_file_inum;
}

int node_get(struct volume *v, ext2_ino_t ino, struct node **out)
{
	struct node *n = node_peek(v, ino);
	int ret;

	*out = n;
	if (n)
		return 0;
	if (!node_can_be(v, ino))
		return volume_corrupt(v, ino, "number of the inode");
	n = node_alloc(v, ino);
	if (!n)
		return -ENOMEM;
	read_ahead(v, ino);
	ret = read_node(v, n);
	/* Large attributes are libext2fs's alone. */
	if (!ret && (!n->raw.i_links_count || node_has(n, EXT4_EA_INODE_FL)))
		ret = -ESTALE;
	if (!ret)
		ret = check(v, n);
	if (ret) {
		node_free(n);
		return ret;
	}
	n->type = n->raw.i_mode & LINUX_S_IFMT;
	n->wanted = LBLK_END;
	/* What is known of it may still be on its way to the disk. */
	n->changed = commit_next(v) - 1;
	*out = insert_read(v, n);
	return 0;
}

/*
 * It was deleted a while ago.  If the kernel has not forgotten it yet, it will by
 * its old generation.  Nobody uses it, so nobody has it locked.
 */
static void revive(struct node *n, unsigned int size)
{
	memset(&n->raw, 0, size);
	/* What was locked with it before is nothing to it. */
	pthread_rwlock_destroy(&n->lock);
	pthread_rwlock_init(&n->lock, NULL);
	n->users = 1;
	n->lookups = 0;
	n->dead = false;
	n->checked = false;
	n->is_orphan = false;
	n->reserved = 0;
	n->wanted = 0;
	n->window = 0;
	n->next_write = 0;
}

/* Somebody still has it in use: it is freed when that is over.  With the table. */
static void detach(struct volume *v, struct node *n)
{
	struct node **link = slot_of(v, n->ino);

	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	v->node_count--;
	for (link = &v->dirty; *link; link = &(*link)->dirty_next) {
		if (*link == n) {
			*link = n->dirty_next;
			v->dirty_count--;
			break;
		}
	}
	n->is_detached = true;
}

/* Called with the table. */
static int renew(struct volume *v, ext2_ino_t ino, struct node **out)
{
	struct node *n = find(v, ino);

	if (n && !n->dead)
		return -ECORRUPT;
	if (n && !n->users) {
		revive(n, v->inode_size);
		*out = n;
		return 0;
	}
	*out = node_alloc(v, ino);
	if (!*out)
		return -ENOMEM;
	/* That it is deleted is still to be written, if not by its successor. */
	if (n)
		detach(v, n);
	insert(v, *out);
	return 0;
}

int node_new(struct volume *v, ext2_ino_t ino, uint32_t mode, struct node **out)
{
	struct node *n = NULL;
	int ret;

	pthread_mutex_lock(&v->table);
	ret = renew(v, ino, &n);
	if (!ret) {
		/* Nobody knows it yet, so it can be had at once. */
		pthread_rwlock_trywrlock(&n->lock);
		if (v->inode_size > EXT2_GOOD_OLD_INODE_SIZE)
			n->raw.i_extra_isize = (uint16_t)v->extra_isize;
		n->raw.i_generation = v->generation++;
		n->raw.i_mode = (uint16_t)mode;
		n->type = n->raw.i_mode & LINUX_S_IFMT;
		*out = n;
	}
	pthread_mutex_unlock(&v->table);
	if (ret == -ECORRUPT)
		volume_note_corrupt(v, ino, "bitmap of inodes");
	return ret;
}

void node_put(struct volume *v, struct node *n)
{
	bool unused;

	if (!n)
		return;
	pthread_mutex_lock(&v->table);
	unused = !--n->users && n->is_detached;
	pthread_mutex_unlock(&v->table);
	if (unused)
		node_free(n);
}

bool node_is_odd(const struct volume *v, const struct node *n)
{
	return node_has(n, EXT4_INLINE_DATA_FL) || !xattr_hints(v, n);
}

void node_dirty(struct volume *v, struct node *n)
{
	n->changed = commit_next(v);
	if (n->is_dirty || n->dead)
		return;
	pthread_mutex_lock(&v->table);
	if (!n->is_dirty) {
		n->is_dirty = true;
		n->dirty_next = v->dirty;
		v->dirty = n;
		v->dirty_count++;
	}
	pthread_mutex_unlock(&v->table);
}

/* Who does not know of the upper half of sizes has to know that there is one. */
static void note_large(struct volume *v, const struct node *n)
{
	if (!is_reg(n) || size_of(n) <= INT32_MAX ||
	    ext2fs_has_feature_large_file(v->fs->super))
		return;
	ext2fs_set_feature_large_file(v->fs->super);
	ext2fs_mark_super_dirty(v->fs);
}

static int write_node(struct volume *v, struct node *n)
{
	errcode_t err;

	orphan_link(v, n);
	core_lock(v);
	note_large(v, n);
	direct = true;
	err = ext2fs_write_inode_full(v->fs, n->ino, inode_of(n),
				      (int)v->inode_size);
	direct = false;
	core_unlock(v);
	return err ? volume_error(v, err) : 0;
}

int icache_flush(struct volume *v)
{
	struct node *n;
	int ret;

	while ((n = v->dirty)) {
		ret = write_node(v, n);
		if (ret)
			return ret;
		v->dirty = n->dirty_next;
		v->dirty_count--;
		n->is_dirty = false;
	}
	return 0;
}

/*
 * An inode whose checksum is bad stays in libext2fs's own cache by the number of
 * one that was read before it, as which it would be had from there unchecked.  It
 * may have been read by libext2fs itself.
 */
int node_full(struct volume *v, struct node *n)
{
	core_lock(v);
	ext2fs_flush_icache(v->fs);
	core_unlock(v);
	return n->is_dirty ? write_node(v, n) : 0;
}

void node_direct(bool by_itself)
{
	direct = by_itself;
}

int node_reread(struct volume *v, struct node *n)
{
	return read_node(v, n);
}

/* It is written once more, as what it is: of no file. */
static void bury(struct volume *v, struct node *n)
{
	bool directory = is_dir(n);

	dir_unload(n);
	n->raw.i_links_count = 0;
	n->raw.i_dtime = (uint32_t)attr_now(v).sec;
	node_dirty(v, n);
	n->dead = true;
	alloc_inode_free(v, n->ino, directory);
}

static bool has_blocks(struct node *n)
{
	return !node_has(n, EXT4_INLINE_DATA_FL) &&
	       (is_reg(n) || is_dir(n) ||
		(LINUX_S_ISLNK(n->raw.i_mode) &&
		 size_of(n) >= EXT2_N_BLOCKS * sizeof(uint32_t)));
}

int node_delete(struct volume *v, struct node *n)
{
	int ret = 0;

	if (n->dead)
		return 0;
	if (has_blocks(n))
		ret = file_punch(v, n, 0, LBLK_END);
	if (!ret)
		ret = xattr_free(v, n);
	/* What is lost of it is found by e2fsck. */
	if (ret)
		log_error("inode %u is not deleted completely", n->ino);
	set_size(n, 0);
	n->reserved = 0;
	orphan_remove(v, n);
	bury(v, n);
	return ret;
}

void node_kill(struct volume *v, struct node *n)
{
	node_delete(v, n);
	node_unlock(n);
	node_put(v, n);
}

bool node_forget(struct node *n, uint64_t lookups)
{
	unsigned long long have = n->lookups, left;

	do {
		left = have - (lookups < have ? lookups : have);
	} while (!atomic_compare_exchange_weak(&n->lookups, &have, left));
	return !left && (n->is_orphan || n->reserved);
}

void node_unused(struct volume *v, struct node *n)
{
	if (n->lookups || volume_writable(v))
		return;
	if (n->is_orphan)
		node_delete(v, n);
	else if (!n->dead)
		map_trim(v, n);
}

/* Returns true if it is gone. */
static bool shrink_one(struct volume *v, struct node **link)
{
	struct node *n = *link;

	if (n->users || n->lookups || n->is_dirty)
		return false;
	if (n->is_orphan || n->reserved) {
		node_unused(v, n);
		return false;
	}
	*link = n->next;
	v->node_count--;
	node_free(n);
	return true;
}

/*
 * The kernel says so of an inode that it drops, but not of those that it has when
 * it is unmounted.  An error concerns that file, which keeps its space.
 */
void icache_forgotten(struct volume *v)
{
	struct node *n;
	size_t i;

	for (i = 0; i <= v->nodes_mask; i++) {
		/* What became of it the last transaction says as well. */
		commit_room(v);
		WR_LOCK(v);
		for (n = v->nodes[i]; n; n = n->next) {
			n->lookups = 0;
			if (n->reserved && !n->is_orphan && !n->dead)
				map_trim(v, n);
		}
		UNLOCK(v);
	}
}

/* What is used stays, and is looked at again when as many have come as make it worth it. */
static bool has_many_names(const struct volume *v)
{
	return v->names > v->names_max && v->names_new > v->names_max / 4;
}

static void drop_names(struct volume *v)
{
	struct node *n;
	size_t i;

	for (i = 0; i <= v->nodes_mask; i++)
		for (n = v->nodes[i]; n; n = n->next)
			if (n->dir && !dir_was_used(n))
				dir_unload(n);
	v->names_new = 0;
}

void icache_limit(struct volume *v)
{
	if (!has_many_names(v))
		return;
	WR_LOCK(v);
	if (has_many_names(v))
		drop_names(v);
	UNLOCK(v);
}

bool icache_is_full(struct volume *v, size_t keep)
{
	bool is_full;

	pthread_mutex_lock(&v->table);
	is_full = v->node_count > keep;
	pthread_mutex_unlock(&v->table);
	return is_full;
}

void icache_shrink(struct volume *v, size_t keep)
{
	size_t most = keep ? SHRINK_MAX : v->nodes_mask + 1, i;
	struct node **link;

	for (i = 0; i < most && v->node_count > keep; i++) {
		v->hand = (v->hand + 1) & v->nodes_mask;
		link = &v->nodes[v->hand];
		while (*link)
			if (!shrink_one(v, link))
				link = &(*link)->next;
	}
}

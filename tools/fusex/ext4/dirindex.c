// SPDX-License-Identifier: GPL-2.0
/*
 * Names of a directory in memory.
 *
 * A directory that is used has all its names in a hash table, and how much room
 * there is in each of its blocks, so that no name is ever searched for on the
 * disk.  They are dropped with the inode.
 *
 * They are listed in the order of their hashes, as the kernel's ext4 does it: a
 * cookie is good no matter what happens to other names, and to the place of this
 * one.  Of names with the same hash, which are rare, each has the cookie behind
 * that of the last: they may get others when one more is added.  Where there are no
 * hashes, names do not move, and it is the place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

#define TABLE_MIN	64u
/* More names than this cannot have been meant. */
#define BLOCKS_MAX	(1u << 22)
/* A block has no more places than this. */
#define PLACE_BITS	16u
/*
 * Smaller cookies are those of "." and "..", and larger ones the kernel's and of
 * those that follow the last hash.
 */
#define KEY_MIN		3u
#define KEY_MAX		(INT64_MAX - (1 << 20))

/**
 * struct dirindex - the names
 * @table: by hash
 * @mask: its size less one
 * @count: how many, without "." and ".."
 * @sorted: all of them in the order they are listed in, NULL for those removed
 * @nr_sorted: how many
 * @is_sorted: none was added since
 * @gaps: of each block, the longest entry that fits
 * @nr_blocks: how many blocks
 * @scan: where there was room the last time
 * @parent: what ".." leads to
 * @parent_offset: where it says so in the first block
 * @in_inode: the names are in the inode
 */
struct dirindex {
	struct dir_name	**table;
	size_t		mask;
	size_t		count;
	struct dir_name	**sorted;
	size_t		nr_sorted;
	bool		is_sorted;
	uint32_t	*gaps;
	uint32_t	nr_blocks;
	uint32_t	scan;
	ext2_ino_t	parent;
	uint32_t	parent_offset;
	bool		in_inode;
};

static size_t hash(const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (len--)
		h = (h ^ (unsigned char)*name++) * 0x100000001b3ull;
	return (size_t)(h ^ h >> 32);
}

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static int grow_table(struct dirindex *d)
{
	size_t mask = 2 * d->mask + 1, i;
	struct dir_name **table = calloc(mask + 1, sizeof(struct dir_name *));
	struct dir_name *n, **slot;

	if (!table)
		return -ENOMEM;
	for (i = 0; i <= d->mask; i++) {
		while ((n = d->table[i])) {
			d->table[i] = n->next;
			slot = &table[hash(n->name, n->len) & mask];
			n->next = *slot;
			*slot = n;
		}
	}
	free(d->table);
	d->table = table;
	d->mask = mask;
	return 0;
}

static struct dir_name *find(const struct dirindex *d, const char *name)
{
	size_t len = strlen(name);
	struct dir_name *n;

	for (n = d->table[hash(name, len) & d->mask]; n; n = n->next)
		if (n->len == len && !memcmp(n->name, name, len))
			return n;
	return NULL;
}

static uint64_t key_of(const struct volume *v, const char *name, size_t len,
		       const struct dirent_at *at)
{
	uint64_t key = ((uint64_t)at->block << PLACE_BITS) + at->offset;
	uint32_t major, minor;

	if (!dirtree_hash(v, v->fs->super->s_def_hash_version, name, len,
			  &major, &minor))
		key = (uint64_t)(major >> 1) << 32 | minor;
	return key < KEY_MIN ? KEY_MIN : key > KEY_MAX ? KEY_MAX : key;
}

static struct dir_name *new_name(const char *name, size_t len)
{
	struct dir_name *n = malloc(sizeof(*n) + len + 1);

	if (n) {
		n->len = (uint8_t)len;
		memcpy(n->name, name, len);
		n->name[len] = '\0';
	}
	return n;
}

/* A name that is there now.  It is slower to find in a table that does not grow. */
static void put_in(const struct volume *v, struct dirindex *d,
		   struct dir_name *n, const struct dirent_at *at)
{
	struct dir_name **slot;

	if (d->count > d->mask)
		grow_table(d);
	n->at = *at;
	n->key = key_of(v, n->name, n->len, at);
	slot = &d->table[hash(n->name, n->len) & d->mask];
	n->next = *slot;
	*slot = n;
	d->count++;
	d->is_sorted = false;
}

static int note(const struct volume *v, struct dirindex *d, const char *name,
		size_t len, const struct dirent_at *at)
{
	struct dir_name *n = new_name(name, len);

	if (!n)
		return -ENOMEM;
	put_in(v, d, n, at);
	return 0;
}

/* The first one that is listed behind a key; those removed count. */
static size_t behind(const struct dirindex *d, const uint64_t *keys,
		     uint64_t key)
{
	size_t low = 0, high = d->nr_sorted, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (keys[mid] > key)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* The keys are behind the pointers. */
static uint64_t *keys_of(const struct dirindex *d)
{
	return (uint64_t *)(d->sorted + d->nr_sorted);
}

static void unlist(struct dirindex *d, const struct dir_name *n)
{
	size_t i;

	if (!d->is_sorted)
		return;
	for (i = behind(d, keys_of(d), n->key); i; i--) {
		if (d->sorted[i - 1] == n) {
			d->sorted[i - 1] = NULL;
			return;
		}
	}
}

static void forget(struct dirindex *d, struct dir_name *n)
{
	struct dir_name **link;

	unlist(d, n);
	link = &d->table[hash(n->name, n->len) & d->mask];
	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	d->count--;
	free(n);
}

static int by_key(const void *a, const void *b)
{
	const struct dir_name *x = *(struct dir_name * const *)a;
	const struct dir_name *y = *(struct dir_name * const *)b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Names follow each other by their keys, so each has one of its own. */
static void note_keys(struct dirindex *d)
{
	uint64_t *keys = keys_of(d), next = KEY_MIN;
	size_t i;

	for (i = 0; i < d->nr_sorted; i++) {
		if (d->sorted[i]->key < next)
			d->sorted[i]->key = next;
		keys[i] = d->sorted[i]->key;
		next = keys[i] + 1;
	}
}

int dir_sort(struct node *dir)
{
	struct dirindex *d = dir->dir;
	struct dir_name *n, **all;
	size_t i, count = 0;

	if (d->is_sorted)
		return 0;
	all = malloc((d->count + 1) * (sizeof(*all) + sizeof(uint64_t)));
	if (!all)
		return -ENOMEM;
	for (i = 0; i <= d->mask; i++)
		for (n = d->table[i]; n; n = n->next)
			all[count++] = n;
	qsort(all, count, sizeof(*all), by_key);
	free(d->sorted);
	d->sorted = all;
	d->nr_sorted = count;
	note_keys(d);
	d->is_sorted = true;
	return 0;
}

bool dir_is_sorted(const struct node *dir)
{
	return dir->dir->is_sorted;
}

static struct dirindex *index_new(uint32_t blocks)
{
	struct dirindex *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->mask = TABLE_MIN - 1;
	d->table = calloc(TABLE_MIN, sizeof(struct dir_name *));
	d->gaps = calloc(blocks ? blocks : 1, sizeof(*d->gaps));
	d->nr_blocks = blocks;
	if (d->table && d->gaps)
		return d;
	free(d->table);
	free(d->gaps);
	free(d);
	return NULL;
}

static void index_free(struct dirindex *d)
{
	struct dir_name *n;
	size_t i;

	for (i = 0; i <= d->mask; i++) {
		while ((n = d->table[i])) {
			d->table[i] = n->next;
			free(n);
		}
	}
	free(d->table);
	free(d->sorted);
	free(d->gaps);
	free(d);
}

void dir_unload(struct node *dir)
{
	if (dir->dir)
		index_free(dir->dir);
	dir->dir = NULL;
}

static int note_entry(struct volume *v, struct node *dir, struct dirindex *d,
		      const struct ext2_dir_entry *de, uint32_t block,
		      uint32_t offset)
{
	size_t len = (size_t)ext2fs_dirent_name_len(de);
	struct dirent_at at = {
		.ino = de->inode,
		.type = ext2fs_has_feature_filetype(v->fs->super) ?
			(uint8_t)ext2fs_dirent_file_type(de) : EXT2_FT_UNKNOWN,
		.block = block,
		.offset = offset,
	};

	if (!de->inode)
		return 0;
	if (!is_dots(de->name, len))
		return note(v, d, de->name, len, &at);
	if (len == 2 && !block) {
		d->parent = de->inode;
		d->parent_offset = offset;
	}
	return 0;
}

/* The root of a tree of hashes keeps it behind "..", as if that were longer. */
static int load_block(struct volume *v, struct node *dir, struct dirindex *d,
		      uint32_t block, void *buf)
{
	unsigned int offset, len;
	uint64_t pblk;
	int ret;

	ret = dirblk_read(v, dir, block, buf, &pblk);
	if (ret || !pblk)
		return ret;
	for (offset = 0; offset < block_size(v) && !ret; offset += len) {
		struct ext2_dir_entry *de =
			(struct ext2_dir_entry *)((char *)buf + offset);

		len = dirblk_length(v, de);
		ret = note_entry(v, dir, d, de, block, offset);
	}
	if (!node_has(dir, EXT2_INDEX_FL))
		d->gaps[block] = dirblk_gap(v, buf);
	return ret;
}

/* Blocks that follow each other are read at once. */
static void read_ahead(struct volume *v, struct node *dir, uint32_t block)
{
	struct run r;

	if (block % 32 || file_find(v, dir, block, &r) || r.type != RUN_DATA)
		return;
	io_channel_cache_readahead(v->fs->io, r.pblk + block - r.lblk,
				   r.lblk + r.len - block);
}

static int load_blocks(struct volume *v, struct node *dir, struct dirindex *d)
{
	void *buf = malloc(block_size(v));
	uint32_t block;
	int ret = buf ? 0 : -ENOMEM;

	for (block = 0; block < d->nr_blocks && !ret; block++) {
		read_ahead(v, dir, block);
		ret = load_block(v, dir, d, block, buf);
	}
	free(buf);
	return ret;
}

/* Entries in the inode: behind the parent's number, and behind 60 bytes. */
static int load_part(struct volume *v, struct node *dir, struct dirindex *d,
		     char *buf, size_t from, size_t to)
{
	struct ext2_dir_entry *de;
	unsigned int len;
	int ret = 0;

	for (; from < to && !ret; from += len) {
		de = (struct ext2_dir_entry *)(buf + from);
		len = to - from < 8 ? 0 : dirblk_length(v, de);
		if (len < 8 || len > to - from || len & 3 ||
		    (de->inode && (size_t)ext2fs_dirent_name_len(de) + 8 >
				  len) ||
		    de->inode > v->fs->super->s_inodes_count)
			return volume_corrupt(v, dir->ino, "directory entry");
		ret = note_entry(v, dir, d, de, 0, (uint32_t)from);
	}
	return ret;
}

static int load_inline(struct volume *v, struct node *dir, struct dirindex *d)
{
	size_t room = inline_room(v, dir);
	char *buf = calloc(1, room + 8);
	ssize_t have = buf ? inline_read(v, dir, buf, room) : -ENOMEM;
	const size_t first = EXT4_MIN_INLINE_DATA_SIZE;
	int ret = have < 0 ? (int)have : 0;

	d->in_inode = true;
	if (!ret) {
		d->parent = dir->raw.i_block[0];
		ret = load_part(v, dir, d, buf, sizeof(uint32_t), first);
	}
	if (!ret && (size_t)have > first)
		ret = load_part(v, dir, d, buf, first, (size_t)have);
	free(buf);
	return ret;
}

static int load(struct volume *v, struct node *dir, struct dirindex **out)
{
	bool in_inode = node_has(dir, EXT4_INLINE_DATA_FL);
	uint64_t blocks = in_inode ? 1 : size_of(dir) >> v->block_bits;
	struct dirindex *d;
	int ret;

	if (blocks > BLOCKS_MAX)
		return volume_corrupt(v, dir->ino, "size of the directory");
	d = index_new((uint32_t)blocks);
	if (!d)
		return -ENOMEM;
	ret = in_inode ? load_inline(v, dir, d) : load_blocks(v, dir, d);
	if (ret) {
		index_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

int dir_load(struct volume *v, struct node *dir)
{
	if (dir->dir)
		return 0;
	if (!is_dir(dir))
		return -ENOTDIR;
	return load(v, dir, &dir->dir);
}

int dir_find(const struct node *dir, const char *name, struct dirent_at *at)
{
	const struct dir_name *n = find(dir->dir, name);

	if (!n)
		return -ENOENT;
	*at = n->at;
	return 0;
}

ext2_ino_t dir_parent(const struct node *dir)
{
	return dir->dir->parent;
}

bool dir_is_empty(const struct node *dir)
{
	return !dir->dir->count;
}

/* The names of a directory have been moved by others. */
static int load_again(struct volume *v, struct node *dir)
{
	struct dirindex *d = NULL;
	int ret = load(v, dir, &d);

	dir_unload(dir);
	if (!ret)
		dir->dir = d;
	return ret;
}

/* Before anything is changed: names go to blocks. */
static int make_blocks(struct volume *v, struct node *dir)
{
	int ret;

	if (!dir->dir->in_inode)
		return 0;
	ret = inline_to_blocks(v, dir);
	return ret ? ret : load_again(v, dir);
}

int dir_ready(struct volume *v, struct node *dir)
{
	/* Who only takes a name away needs no right to its block. */
	bool was = alloc_as_root(true);
	int ret = dir_load(v, dir);

	if (!ret)
		ret = make_blocks(v, dir);
	alloc_as_root(was);
	return ret;
}

static bool find_room(struct dirindex *d, unsigned int need, uint32_t *block)
{
	uint32_t i, b = d->scan < d->nr_blocks ? d->scan : 0;

	for (i = 0; i < d->nr_blocks; i++) {
		if (d->gaps[b] >= need) {
			d->scan = b;
			*block = b;
			return true;
		}
		if (++b == d->nr_blocks)
			b = 0;
	}
	return false;
}

/* A block of which the contents are known before it is the directory's. */
static int add_block(struct volume *v, struct node *dir, uint32_t lblk,
		     void *buf, uint64_t *pblk)
{
	int ret = map_find_block(v, dir, lblk, pblk);

	if (ret)
		return ret;
	ret = dirblk_write(v, dir, *pblk, buf);
	if (ret) {
		alloc_free(v, *pblk, 1);
		return ret;
	}
	return map_put_block(v, dir, lblk, *pblk);
}

int dir_append(struct volume *v, struct node *dir, void *buf, uint32_t *lblk,
	       uint64_t *pblk)
{
	struct dirindex *d = dir->dir;
	uint32_t *more;
	int ret;

	if (d->nr_blocks >= BLOCKS_MAX)
		return -ENOSPC;
	more = realloc(d->gaps, (d->nr_blocks + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	d->gaps = more;
	ret = add_block(v, dir, d->nr_blocks, buf, pblk);
	if (ret)
		return ret;
	d->gaps[d->nr_blocks] = 0;
	*lblk = d->nr_blocks++;
	set_size(dir, (uint64_t)d->nr_blocks << v->block_bits);
	node_dirty(v, dir);
	return 0;
}

void dir_moved(struct volume *v, struct node *dir, uint32_t block, void *buf)
{
	char text[EXT2_NAME_LEN + 1];
	struct ext2_dir_entry *de;
	unsigned int offset, len;
	struct dir_name *n;
	size_t name_len;

	for (offset = 0; offset < dirblk_room(v); offset += len) {
		de = (struct ext2_dir_entry *)((char *)buf + offset);
		len = dirblk_length(v, de);
		if (!de->inode)
			continue;
		name_len = (size_t)ext2fs_dirent_name_len(de);
		memcpy(text, de->name, name_len);
		text[name_len] = '\0';
		n = find(dir->dir, text);
		if (n) {
			n->at.block = block;
			n->at.offset = offset;
		}
	}
}

static int put_name(struct volume *v, struct node *dir, const char *name,
		    struct dirent_at *at, uint64_t pblk, void *buf)
{
	int offset = dirblk_put(v, buf, name, at->ino, at->type);
	int ret;

	if (offset < 0)
		return offset;
	at->offset = (uint32_t)offset;
	ret = dirblk_write(v, dir, pblk, buf);
	if (!ret)
		dir->dir->gaps[at->block] = dirblk_gap(v, buf);
	return ret;
}

/* Wherever there is room. */
static int add_anywhere(struct volume *v, struct node *dir, const char *name,
			struct dirent_at *at)
{
	unsigned int need = EXT2_DIR_REC_LEN((unsigned int)strlen(name));
	void *buf = malloc(block_size(v));
	uint64_t pblk;
	int ret;

	if (!buf)
		return -ENOMEM;
	if (find_room(dir->dir, need, &at->block)) {
		ret = dirblk_read(v, dir, at->block, buf, &pblk);
	} else {
		dirblk_clear(v, buf);
		ret = dir_append(v, dir, buf, &at->block, &pblk);
	}
	if (!ret)
		ret = put_name(v, dir, name, at, pblk, buf);
	free(buf);
	return ret;
}

/* A second block is the time for a tree. */
static bool wants_tree(struct volume *v, struct node *dir, const char *name)
{
	unsigned int need = EXT2_DIR_REC_LEN((unsigned int)strlen(name));
	uint32_t block;

	return dir->dir->nr_blocks == 1 &&
	       ext2fs_has_feature_dir_index(v->fs->super) &&
	       !find_room(dir->dir, need, &block);
}

static int add(struct volume *v, struct node *dir, const char *name,
	       struct dirent_at *at)
{
	int ret = 0;

	if (!node_has(dir, EXT2_INDEX_FL)) {
		if (!wants_tree(v, dir, name))
			return add_anywhere(v, dir, name, at);
		ret = dirtree_make(v, dir);
	}
	if (!ret)
		ret = dirtree_add(v, dir, name, at);
	/* It is of a kind not known, or as large as can be: do without. */
	if (ret == -EOPNOTSUPP) {
		ret = dirblk_unindex(v, dir);
		if (!ret)
			ret = load_again(v, dir);
		if (!ret)
			ret = add_anywhere(v, dir, name, at);
	}
	return ret;
}

int dir_add(struct volume *v, struct node *dir, const char *name,
	    ext2_ino_t ino, uint8_t type)
{
	struct dir_name *n = new_name(name, strlen(name));
	struct dirent_at at = { .ino = ino, .type = type };
	int ret = n ? make_blocks(v, dir) : -ENOMEM;

	if (!ret)
		ret = add(v, dir, name, &at);
	if (ret)
		free(n);
	else
		put_in(v, dir->dir, n, &at);
	return ret;
}

/* It stays in the inode: who makes room is not to need any. */
static int remove_inline(struct volume *v, struct node *dir,
			 const struct dir_name *n)
{
	const unsigned int first = EXT4_MIN_INLINE_DATA_SIZE;
	unsigned int start = n->at.offset < first ? sizeof(uint32_t) : first;
	size_t room = inline_room(v, dir);
	char *buf = calloc(1, room + 8);
	ssize_t have = buf ? inline_read(v, dir, buf, room) : -ENOMEM;
	int ret = have < 0 ? (int)have : 0;

	if (!ret)
		ret = dirblk_cut(v, buf + start, n->at.offset - start);
	if (!ret)
		ret = inline_write(v, dir, buf, (size_t)have);
	free(buf);
	return ret;
}

static int remove_from_block(struct volume *v, struct node *dir,
			     const struct dir_name *n)
{
	void *buf = malloc(block_size(v));
	uint64_t pblk;
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = dirblk_read(v, dir, n->at.block, buf, &pblk);
	if (!ret)
		ret = dirblk_cut(v, buf, n->at.offset);
	if (!ret)
		ret = dirblk_write(v, dir, pblk, buf);
	if (!ret && !node_has(dir, EXT2_INDEX_FL))
		dir->dir->gaps[n->at.block] = dirblk_gap(v, buf);
	free(buf);
	return ret;
}

int dir_remove(struct volume *v, struct node *dir, const char *name)
{
	struct dir_name *n = find(dir->dir, name);
	int ret;

	if (!n)
		return -ENOENT;
	ret = dir->dir->in_inode ? remove_inline(v, dir, n) :
				   remove_from_block(v, dir, n);
	if (!ret)
		forget(dir->dir, n);
	return ret;
}

static int change_at(struct volume *v, struct node *dir, uint32_t block,
		     uint32_t offset, ext2_ino_t ino, uint8_t type)
{
	void *buf = malloc(block_size(v));
	struct ext2_dir_entry *de;
	uint64_t pblk;
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = dirblk_read(v, dir, block, buf, &pblk);
	if (!ret) {
		de = (struct ext2_dir_entry *)((char *)buf + offset);
		de->inode = ino;
		if (ext2fs_has_feature_filetype(v->fs->super))
			ext2fs_dirent_set_file_type(de, type);
		ret = dirblk_write(v, dir, pblk, buf);
	}
	free(buf);
	return ret;
}

int dir_change(struct volume *v, struct node *dir, const char *name,
	       ext2_ino_t ino, uint8_t type)
{
	struct dir_name *n;
	int ret;

	ret = make_blocks(v, dir);
	if (ret)
		return ret;
	if (!strcmp(name, "..")) {
		if (!dir->dir->parent)
			return volume_corrupt(v, dir->ino, "no parent");
		ret = change_at(v, dir, 0, dir->dir->parent_offset, ino, type);
		if (!ret)
			dir->dir->parent = ino;
		return ret;
	}
	n = find(dir->dir, name);
	if (!n)
		return -ENOENT;
	ret = change_at(v, dir, n->at.block, n->at.offset, ino, type);
	if (!ret) {
		n->at.ino = ino;
		n->at.type = type;
	}
	return ret;
}

int dir_init(struct volume *v, struct node *dir, ext2_ino_t parent)
{
	void *buf = malloc(block_size(v));
	uint64_t pblk;
	int ret;

	if (!buf)
		return -ENOMEM;
	dirblk_init(v, buf, dir->ino, parent);
	ret = add_block(v, dir, 0, buf, &pblk);
	if (!ret)
		set_size(dir, block_size(v));
	free(buf);
	return ret;
}

static const struct dir_name *from(const struct dirindex *d, size_t i)
{
	for (; i < d->nr_sorted; i++)
		if (d->sorted[i])
			return d->sorted[i];
	return NULL;
}

const struct dir_name *dir_first(const struct node *dir, uint64_t cookie)
{
	const struct dirindex *d = dir->dir;

	return from(d, cookie < KEY_MIN ? 0 : behind(d, keys_of(d), cookie));
}

const struct dir_name *dir_next(const struct node *dir,
				const struct dir_name *name)
{
	return dir_first(dir, name->key);
}

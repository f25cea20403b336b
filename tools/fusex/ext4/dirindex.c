// SPDX-License-Identifier: GPL-2.0
/*
 * Names of a directory in memory.
 *
 * A directory that is used has all its names in a hash table, and how much room
 * there is in each of its blocks, so that no name is ever searched for on the
 * disk.  They are dropped with the inode, or when there are many of directories that
 * are not used.
 *
 * They are listed in the order of their hashes, as the kernel's ext4 does it: a
 * cookie is good no matter what happens to other names, and to the place of this
 * one.  Of names with the same hash, which are rare, each has the cookie behind
 * that of the last: they may have others when they are read again.  Where there are no
 * hashes, names do not move, and it is the place.
 *
 * The first time that they are listed all are sorted.  From then on a name is put where
 * it belongs: the order is in chunks, of which only one changes.
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

/* Names of a chunk at most, and of one that is made when all are sorted. */
#define CHUNK		256u
#define CHUNK_BEGIN	(CHUNK * 3 / 4)

/**
 * struct listed - a name in a chunk
 * @key: its key
 * @name: it
 */
struct listed {
	uint64_t	key;
	struct dir_name	*name;
};

/**
 * struct chunk - names that are listed one after the other
 * @count: how many, 1 at least
 * @room: how many there is room for
 * @list: them
 */
struct chunk {
	unsigned int	count;
	unsigned int	room;
	struct listed	list[];
};

/**
 * struct place - of a name in the order that they are listed in
 * @chunk: which chunk
 * @i: which of its names
 */
struct place {
	size_t		chunk;
	unsigned int	i;
};

/**
 * struct dirindex - the names
 * @v: the file system, which counts them
 * @is_used: since icache_limit() looked at it the last time
 * @table: by hash
 * @mask: its size less one
 * @count: how many, without "." and ".."
 * @chunks: all of them in the order they are listed in
 * @nr_chunks: how many
 * @room: how many there is room for
 * @is_sorted: they are in order; without that there are none
 * @gaps: of each block, the longest entry that fits
 * @nr_blocks: how many blocks
 * @scan: where there was room the last time
 * @parent: what ".." leads to
 * @parent_offset: where it says so in the first block
 * @in_inode: the names are in the inode
 */
struct dirindex {
	struct volume	*v;
	atomic_bool	is_used;
	struct dir_name	**table;
	size_t		mask;
	size_t		count;
	struct chunk	**chunks;
	size_t		nr_chunks;
	size_t		room;
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

static void drop_order(struct dirindex *d)
{
	while (d->nr_chunks)
		free(d->chunks[--d->nr_chunks]);
	free(d->chunks);
	d->chunks = NULL;
	d->room = 0;
	d->is_sorted = false;
}

static bool grow_chunk(struct chunk **c, unsigned int room)
{
	struct chunk *more;

	more = realloc(*c, sizeof(*more) + room * sizeof(struct listed));
	if (!more)
		return false;
	more->room = room;
	*c = more;
	return true;
}

/* A chunk without names, for somebody to put some in. */
static struct chunk *add_chunk(struct dirindex *d, size_t at, unsigned int room)
{
	size_t places = d->room ? 2 * d->room : 1;
	struct chunk *c = NULL, **more;

	if (d->nr_chunks == d->room) {
		more = realloc(d->chunks, places * sizeof(struct chunk *));
		if (!more)
			return NULL;
		d->chunks = more;
		d->room = places;
	}
	if (!grow_chunk(&c, room))
		return NULL;
	c->count = 0;
	memmove(d->chunks + at + 1, d->chunks + at,
		(d->nr_chunks - at) * sizeof(struct chunk *));
	d->chunks[at] = c;
	d->nr_chunks++;
	return c;
}

/* The chunk is full: half of it goes to a new one. */
static bool halve(struct dirindex *d, size_t at)
{
	struct chunk *c = add_chunk(d, at + 1, CHUNK), *first = d->chunks[at];

	if (!c)
		return false;
	first->count = CHUNK / 2;
	c->count = CHUNK - first->count;
	memcpy(c->list, first->list + first->count,
	       c->count * sizeof(struct listed));
	return true;
}

static unsigned int behind_in(const struct chunk *c, uint64_t key)
{
	unsigned int low = 0, high = c->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (c->list[mid].key > key)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* The first name that is listed behind a key, or behind all. */
static struct place behind(const struct dirindex *d, uint64_t key)
{
	size_t low = 0, high = d->nr_chunks, mid;
	struct place p = { 0, 0 };

	while (low < high) {
		mid = low + (high - low) / 2;
		if (d->chunks[mid]->list[0].key > key)
			high = mid;
		else
			low = mid + 1;
	}
	if (low) {
		p.chunk = low - 1;
		p.i = behind_in(d->chunks[p.chunk], key);
	}
	if (low && low < d->nr_chunks && p.i == d->chunks[p.chunk]->count)
		p = (struct place){ low, 0 };
	return p;
}

static struct dir_name *name_at(const struct dirindex *d,
				const struct place *p)
{
	if (p->chunk >= d->nr_chunks || p->i >= d->chunks[p->chunk]->count)
		return NULL;
	return d->chunks[p->chunk]->list[p->i].name;
}

/* Where a name with its key would be; if that is another's it gets one behind it. */
static struct place place_for(const struct dirindex *d, struct dir_name *n)
{
	struct place p = behind(d, n->key - 1);
	const struct dir_name *other = name_at(d, &p);

	while (other && other->key == n->key) {
		n->key++;
		p = behind(d, n->key - 1);
		other = name_at(d, &p);
	}
	return p;
}

/* So that there is room for one more at a place, which may be elsewhere then. */
static bool make_room(struct dirindex *d, struct place *p)
{
	unsigned int room;

	if (!d->nr_chunks)
		return add_chunk(d, 0, 1);
	room = d->chunks[p->chunk]->room;
	if (d->chunks[p->chunk]->count < room)
		return true;
	if (room < CHUNK)
		return grow_chunk(&d->chunks[p->chunk],
				  2 * room < CHUNK ? 2 * room : CHUNK);
	if (!halve(d, p->chunk))
		return false;
	if (p->i > d->chunks[p->chunk]->count)
		p->i -= d->chunks[p->chunk++]->count;
	return true;
}

/* Without memory for it, all are sorted once more when they are listed. */
static void enlist(struct dirindex *d, struct dir_name *n)
{
	struct place p = place_for(d, n);
	struct chunk *c;

	if (!make_room(d, &p)) {
		drop_order(d);
		return;
	}
	c = d->chunks[p.chunk];
	memmove(c->list + p.i + 1, c->list + p.i,
		(c->count - p.i) * sizeof(struct listed));
	c->list[p.i] = (struct listed){ n->key, n };
	c->count++;
}

static void delist(struct dirindex *d, const struct dir_name *n)
{
	struct place p = behind(d, n->key - 1);
	struct chunk *c = d->chunks[p.chunk];

	c->count--;
	memmove(c->list + p.i, c->list + p.i + 1,
		(c->count - p.i) * sizeof(struct listed));
	if (c->count)
		return;
	free(c);
	d->nr_chunks--;
	memmove(d->chunks + p.chunk, d->chunks + p.chunk + 1,
		(d->nr_chunks - p.chunk) * sizeof(struct chunk *));
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
	d->v->names++;
	d->v->names_new++;
	if (d->is_sorted)
		enlist(d, n);
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

static void forget(struct dirindex *d, struct dir_name *n)
{
	struct dir_name **link;

	if (d->is_sorted)
		delist(d, n);
	link = &d->table[hash(n->name, n->len) & d->mask];
	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	d->count--;
	d->v->names--;
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
static bool put_in_order(struct dirindex *d, struct dir_name **all,
			 size_t count)
{
	uint64_t next = KEY_MIN;
	struct chunk *c = NULL;
	size_t i;

	for (i = 0; i < count; i++) {
		if (i % CHUNK_BEGIN == 0)
			c = add_chunk(d, d->nr_chunks, count - i < CHUNK_BEGIN ?
				      (unsigned int)(count - i) : CHUNK);
		if (!c)
			return false;
		if (all[i]->key < next)
			all[i]->key = next;
		next = all[i]->key + 1;
		c->list[c->count++] = (struct listed){ all[i]->key, all[i] };
	}
	return true;
}

int dir_sort(struct node *dir)
{
	struct dirindex *d = dir->dir;
	struct dir_name *n, **all;
	size_t i, count = 0;

	if (d->is_sorted)
		return 0;
	all = malloc((d->count + 1) * sizeof(struct dir_name *));
	if (!all)
		return -ENOMEM;
	for (i = 0; i <= d->mask; i++)
		for (n = d->table[i]; n; n = n->next)
			all[count++] = n;
	qsort(all, count, sizeof(struct dir_name *), by_key);
	d->is_sorted = put_in_order(d, all, count);
	free(all);
	if (d->is_sorted)
		return 0;
	drop_order(d);
	return -ENOMEM;
}

/* Who only looks at it does not disturb others that do. */
static void use(struct dirindex *d)
{
	if (!d->is_used)
		d->is_used = true;
}

bool dir_is_sorted(const struct node *dir)
{
	use(dir->dir);
	return dir->dir->is_sorted;
}

bool dir_was_used(const struct node *dir)
{
	return atomic_exchange(&dir->dir->is_used, false);
}

static struct dirindex *index_new(struct volume *v, uint32_t blocks)
{
	struct dirindex *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->v = v;
	d->is_used = true;
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
	d->v->names -= d->count;
	drop_order(d);
	free(d->table);
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
	d = index_new(v, (uint32_t)blocks);
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
	if (dir->dir) {
		use(dir->dir);
		return 0;
	}
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

/* What is written is in memory until the next transaction, and not being written. */
static int prepare_block(struct volume *v, struct node *dir, uint32_t block)
{
	void *buf = malloc(block_size(v));
	uint64_t pblk;
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = dirblk_read(v, dir, block, buf, &pblk);
	if (!ret)
		ret = dirblk_write(v, dir, pblk, buf);
	free(buf);
	return ret;
}

int dir_prepare(struct volume *v, struct node *dir, const char *name)
{
	struct dir_name *n;

	if (!strcmp(name, "..")) {
		if (!dir->dir->parent)
			return volume_corrupt(v, dir->ino, "no parent");
		return prepare_block(v, dir, 0);
	}
	n = find(dir->dir, name);
	return n ? prepare_block(v, dir, n->at.block) : -ENOENT;
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

const struct dir_name *dir_first(const struct node *dir, uint64_t cookie)
{
	const struct place p = behind(dir->dir, cookie);

	return name_at(dir->dir, &p);
}

const struct dir_name *dir_next(const struct node *dir,
				const struct dir_name *name)
{
	return dir_first(dir, name->key);
}

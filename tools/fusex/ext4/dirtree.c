// SPDX-License-Identifier: GPL-2.0
/*
 * The tree of hashes of a directory, which is what the kernel's ext4 finds names
 * by.  Here it is only kept as it has to be.
 *
 *	block 0: ".", "..", root: hash and block, hash and block, ...
 *	nodes, if there are many: hash and block, ...
 *	leaves: blocks of names, whose hashes are from that of the leaf on
 *
 * The first hash of each node is 0, and its place taken by how many there are.
 * Of names whose hashes are equal some may be in the next leaf, whose hash then
 * is odd.
 *
 * Context: the directory is locked for writing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/* Where it begins in the first block, and in others. */
#define ROOT_INFO	24u
#define ROOT_ENTRIES	32u
#define NODE_ENTRIES	8u
#define INFO_LENGTH	8u

#define BLOCK_MASK	0x0fffffffu
/* Leaves that are split for one name. */
#define SPLITS_MAX	3u
/* A root, and up to two levels of nodes. */
#define LEVELS_MAX	3u

/**
 * struct level - a node on the way to a leaf
 * @lblk: block of the directory
 * @pblk: where it is
 * @buf: its contents
 * @entries: hashes and blocks
 * @at: the entry that leads on
 */
struct level {
	uint32_t	lblk;
	uint64_t	pblk;
	char		*buf;
	struct ext2_dx_entry *entries;
	unsigned int	at;
};

/**
 * struct way - from the root to a leaf
 * @v: the file system
 * @dir: the directory
 * @hash: of the name that is looked for
 * @depth: nodes on the way
 * @level: the nodes, the root comes first
 * @leaf: block of the leaf
 */
struct way {
	struct volume	*v;
	struct node	*dir;
	uint32_t	hash;
	unsigned int	depth;
	struct level	level[LEVELS_MAX];
	uint32_t	leaf;
};

int dirtree_hash(const struct volume *v, uint8_t version, const char *name,
		 size_t len, uint32_t *major, uint32_t *minor)
{
	ext2_dirhash_t hash, more;
	int alg = version;

	if (!ext2fs_has_feature_dir_index(v->fs->super) ||
	    version > EXT2_HASH_TEA)
		return -EOPNOTSUPP;
	if (v->fs->super->s_flags & EXT2_FLAGS_UNSIGNED_HASH)
		alg += 3;
	if (ext2fs_dirhash(alg, name, (int)len, v->fs->super->s_hash_seed,
			   &hash, &more))
		return -EOPNOTSUPP;
	*major = hash;
	*minor = more;
	return 0;
}

static struct ext2_dx_countlimit *head_of(const struct level *l)
{
	return (struct ext2_dx_countlimit *)l->entries;
}

static unsigned int count_of(const struct level *l)
{
	return ext2fs_le16_to_cpu(head_of(l)->count);
}

static unsigned int limit_for(const struct volume *v, unsigned int offset)
{
	unsigned int size = block_size(v) - offset;

	if (ext2fs_has_feature_metadata_csum(v->fs->super))
		size -= (unsigned int)sizeof(struct ext2_dx_tail);
	return size / (unsigned int)sizeof(struct ext2_dx_entry);
}

static bool is_full(const struct level *l)
{
	return count_of(l) >= ext2fs_le16_to_cpu(head_of(l)->limit);
}

static void set_head(struct level *l, unsigned int count, unsigned int limit)
{
	head_of(l)->count = ext2fs_cpu_to_le16((uint16_t)count);
	head_of(l)->limit = ext2fs_cpu_to_le16((uint16_t)limit);
}

static struct ext2_dx_root_info *root_of(const struct way *w)
{
	return (struct ext2_dx_root_info *)(w->level[0].buf + ROOT_INFO);
}

static unsigned int most_levels(const struct volume *v)
{
	return ext2fs_has_feature_largedir(v->fs->super) ? 3 : 2;
}

static uint32_t block_of(const struct ext2_dx_entry *e)
{
	return ext2fs_le32_to_cpu(e->block) & BLOCK_MASK;
}

/* The last entry whose hash is not larger. */
static unsigned int search(const struct level *l, uint32_t hash)
{
	unsigned int low = 1, high = count_of(l), mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (ext2fs_le32_to_cpu(l->entries[mid].hash) > hash)
			high = mid;
		else
			low = mid + 1;
	}
	return low - 1;
}

static int read_level(struct way *w, unsigned int i, uint32_t lblk)
{
	unsigned int offset = i ? NODE_ENTRIES : ROOT_ENTRIES;
	struct level *l = &w->level[i];
	int ret;

	l->lblk = lblk;
	ret = dirblk_read(w->v, w->dir, lblk, l->buf, &l->pblk);
	if (ret)
		return ret;
	l->entries = (struct ext2_dx_entry *)(l->buf + offset);
	if (!l->pblk || (!i && !dirblk_is_root(w->v, l->buf)) || !count_of(l) ||
	    ext2fs_le16_to_cpu(head_of(l)->limit) != limit_for(w->v, offset) ||
	    count_of(l) > limit_for(w->v, offset))
		return -EOPNOTSUPP;
	l->at = search(l, w->hash);
	return 0;
}

/* Goes down to the leaf; what is not as it has to be is not gone by. */
static int descend(struct way *w)
{
	struct ext2_dx_root_info *info = root_of(w);
	uint32_t lblk = 0;
	unsigned int i;
	int ret;

	w->depth = 1;
	for (i = 0; i < w->depth; i++) {
		ret = read_level(w, i, lblk);
		if (ret)
			return ret;
		if (!i)
			w->depth = info->indirect_levels + 1u;
		if (info->info_length != INFO_LENGTH || info->reserved_zero ||
		    w->depth > most_levels(w->v))
			return -EOPNOTSUPP;
		lblk = block_of(&w->level[i].entries[w->level[i].at]);
		if (!lblk || lblk >= size_of(w->dir) >> w->v->block_bits)
			return -EOPNOTSUPP;
	}
	w->leaf = lblk;
	return 0;
}

static int way_begin(struct way *w, struct volume *v, struct node *dir)
{
	unsigned int i;

	*w = (struct way){ .v = v, .dir = dir };
	for (i = 0; i < LEVELS_MAX; i++) {
		w->level[i].buf = calloc(1, block_size(v));
		if (!w->level[i].buf)
			return -ENOMEM;
	}
	return 0;
}

static void way_end(struct way *w)
{
	unsigned int i;

	for (i = 0; i < LEVELS_MAX; i++)
		free(w->level[i].buf);
}

static int write_level(struct way *w, const struct level *l)
{
	return dirblk_write(w->v, w->dir, l->pblk, l->buf);
}

/*
 * What is being written to the disk is copied when it is written here, for which
 * there may be no memory.  Blocks that are to be changed together are written as
 * they are before the first of them is changed; then the rest cannot fail.
 */
static int prepare(struct way *w, uint64_t pblk, char *buf)
{
	return dirblk_write(w->v, w->dir, pblk, buf);
}

/* Puts an entry behind the one that was gone by. */
static int insert(struct way *w, struct level *l, uint32_t hash, uint32_t lblk)
{
	struct ext2_dx_entry *e = &l->entries[l->at + 1];
	unsigned int count = count_of(l);

	memmove(e + 1, e, (count - l->at - 1) * sizeof(*e));
	e->hash = ext2fs_cpu_to_le32(hash);
	e->block = ext2fs_cpu_to_le32(lblk);
	head_of(l)->count = ext2fs_cpu_to_le16((uint16_t)(count + 1));
	return write_level(w, l);
}

/* A new node with some entries of another one. */
static int new_node(struct way *w, const struct ext2_dx_entry *entries,
		    unsigned int count, uint32_t *lblk)
{
	struct level l = { .buf = calloc(1, block_size(w->v)) };
	int ret;

	if (!l.buf)
		return -ENOMEM;
	ext2fs_set_rec_len(w->v->fs, block_size(w->v),
			   (struct ext2_dir_entry *)l.buf);
	l.entries = (struct ext2_dx_entry *)(l.buf + NODE_ENTRIES);
	memcpy(l.entries, entries, count * sizeof(*entries));
	set_head(&l, count, limit_for(w->v, NODE_ENTRIES));
	ret = dir_append(w->v, w->dir, l.buf, lblk, &l.pblk);
	free(l.buf);
	return ret;
}

/* All entries of the root move to a node, which there is one more level of. */
static int grow(struct way *w)
{
	struct level *root = &w->level[0];
	uint32_t lblk;
	int ret;

	if (w->depth >= most_levels(w->v))
		return -EOPNOTSUPP;
	ret = prepare(w, root->pblk, root->buf);
	if (!ret)
		ret = new_node(w, root->entries, count_of(root), &lblk);
	if (ret)
		return ret;
	root->entries[0].block = ext2fs_cpu_to_le32(lblk);
	set_head(root, 1, limit_for(w->v, ROOT_ENTRIES));
	root_of(w)->indirect_levels++;
	return write_level(w, root);
}

/* Half of a node moves to a new one, which the node above has room for. */
static int split_node(struct way *w, unsigned int i)
{
	struct level *l = &w->level[i], *above = l - 1;
	unsigned int keep = count_of(l) / 2;
	uint32_t hash = ext2fs_le32_to_cpu(l->entries[keep].hash), lblk;
	int ret;

	ret = prepare(w, l->pblk, l->buf);
	if (!ret)
		ret = prepare(w, above->pblk, above->buf);
	if (!ret)
		ret = new_node(w, &l->entries[keep], count_of(l) - keep, &lblk);
	if (ret)
		return ret;
	set_head(l, keep, limit_for(w->v, NODE_ENTRIES));
	ret = write_level(w, l);
	return ret ? ret : insert(w, above, hash, lblk);
}

/* Sees to it that one more leaf has room in the node above it. */
static int make_room(struct way *w)
{
	unsigned int i;
	int ret = 0;

	while (!ret && is_full(&w->level[w->depth - 1])) {
		i = w->depth - 1;
		while (i && is_full(&w->level[i - 1]))
			i--;
		ret = i ? split_node(w, i) : grow(w);
		if (!ret)
			ret = descend(w);
	}
	return ret;
}

/**
 * struct place - a name in a leaf, by its hash
 * @hash: of it
 * @de: the entry
 */
struct place {
	uint32_t	hash;
	struct ext2_dir_entry *de;
};

static int by_hash(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static int collect(struct way *w, char *leaf, struct place *list,
		   unsigned int *count)
{
	uint8_t version = root_of(w)->hash_version;
	unsigned int offset, len;
	struct ext2_dir_entry *de;
	uint32_t minor;

	*count = 0;
	for (offset = 0; offset < dirblk_room(w->v); offset += len) {
		de = (struct ext2_dir_entry *)(leaf + offset);
		len = dirblk_length(w->v, de);
		if (!de->inode)
			continue;
		if (dirtree_hash(w->v, version, de->name,
				 (size_t)ext2fs_dirent_name_len(de),
				 &list[*count].hash, &minor))
			return -EOPNOTSUPP;
		list[(*count)++].de = de;
	}
	qsort(list, *count, sizeof(*list), by_hash);
	return 0;
}

/* From this one on they move; half of what they take. */
static unsigned int middle(const struct place *list, unsigned int count)
{
	unsigned int all = 0, some = 0, i;

	for (i = 0; i < count; i++)
		all += EXT2_DIR_REC_LEN(ext2fs_dirent_name_len(list[i].de));
	for (i = 0; i < count - 1 && some < all / 2; i++)
		some += EXT2_DIR_REC_LEN(ext2fs_dirent_name_len(list[i].de));
	return i ? i : 1;
}

static void put_all(struct volume *v, char *buf, const struct place *list,
		    unsigned int count)
{
	char name[EXT2_NAME_LEN + 1];
	unsigned int i, len;

	dirblk_clear(v, buf);
	for (i = 0; i < count; i++) {
		len = (unsigned int)ext2fs_dirent_name_len(list[i].de);
		memcpy(name, list[i].de->name, len);
		name[len] = '\0';
		dirblk_put(v, buf, name, list[i].de->inode,
			   (uint8_t)ext2fs_dirent_file_type(list[i].de));
	}
}

/* A block of names is written, and they are there from now on. */
static int write_leaf(struct way *w, uint32_t lblk, uint64_t pblk, char *buf)
{
	int ret = dirblk_write(w->v, w->dir, pblk, buf);

	if (!ret)
		dir_moved(w->v, w->dir, lblk, buf);
	return ret;
}

static int split_list(struct way *w, uint64_t pblk, char *leaf,
		      const struct place *list, unsigned int count)
{
	struct level *above = &w->level[w->depth - 1];
	unsigned int half = middle(list, count);
	uint32_t hash = list[half].hash, lblk;
	char *buf = calloc(2, block_size(w->v)), *buf2;
	uint64_t pblk2;
	int ret;

	if (!buf)
		return -ENOMEM;
	buf2 = buf + block_size(w->v);
	put_all(w->v, buf, list, half);
	put_all(w->v, buf2, list + half, count - half);
	ret = prepare(w, pblk, leaf);
	if (!ret)
		ret = prepare(w, above->pblk, above->buf);
	if (!ret)
		ret = dir_append(w->v, w->dir, buf2, &lblk, &pblk2);
	if (!ret)
		ret = write_leaf(w, w->leaf, pblk, buf);
	if (!ret) {
		dir_moved(w->v, w->dir, lblk, buf2);
		ret = insert(w, above, hash + (hash == list[half - 1].hash),
			     lblk);
	}
	free(buf);
	return ret;
}

static int split_leaf(struct way *w, uint64_t pblk, char *leaf)
{
	struct place *list;
	unsigned int count;
	int ret;

	ret = make_room(w);
	if (ret)
		return ret;
	list = malloc(block_size(w->v) / 8 * sizeof(*list));
	if (!list)
		return -ENOMEM;
	ret = collect(w, leaf, list, &count);
	if (!ret && count < 2)
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = split_list(w, pblk, leaf, list, count);
	free(list);
	return ret ? ret : descend(w);
}

static int put(struct way *w, const char *name, struct dirent_at *at, char *buf)
{
	unsigned int tries;
	uint64_t pblk;
	int ret, offset;

	for (tries = 0; ; tries++) {
		ret = dirblk_read(w->v, w->dir, w->leaf, buf, &pblk);
		if (ret || !pblk)
			return ret ? ret : -EOPNOTSUPP;
		offset = dirblk_put(w->v, buf, name, at->ino, at->type);
		if (offset >= 0)
			break;
		/* If that does not help, the hashes are not what they say. */
		ret = tries < SPLITS_MAX ? split_leaf(w, pblk, buf) :
					   -EOPNOTSUPP;
		if (ret)
			return ret;
	}
	at->block = w->leaf;
	at->offset = (uint32_t)offset;
	return dirblk_write(w->v, w->dir, pblk, buf);
}

int dirtree_add(struct volume *v, struct node *dir, const char *name,
		struct dirent_at *at)
{
	uint32_t minor;
	struct way w;
	char *buf;
	int ret;

	ret = way_begin(&w, v, dir);
	buf = ret ? NULL : malloc(block_size(v));
	if (!ret && !buf)
		ret = -ENOMEM;
	/* Which hash it is, the root says. */
	if (!ret)
		ret = descend(&w);
	if (!ret)
		ret = dirtree_hash(v, root_of(&w)->hash_version, name,
				   strlen(name), &w.hash, &minor);
	if (!ret)
		ret = descend(&w);
	if (!ret)
		ret = put(&w, name, at, buf);
	free(buf);
	way_end(&w);
	return ret;
}

/* The dots, and a root with one leaf. */
static void init_root(struct volume *v, struct node *dir, char *buf,
		      uint32_t leaf)
{
	struct level l = {
		.buf = buf,
		.entries = (struct ext2_dx_entry *)(buf + ROOT_ENTRIES),
	};
	struct ext2_dx_root_info *info;

	dirblk_init(v, buf, dir->ino, dir_parent(dir));
	memset(buf + ROOT_INFO, 0, block_size(v) - ROOT_INFO);
	ext2fs_set_rec_len(v->fs, block_size(v) - ROOT_INFO / 2,
			   (struct ext2_dir_entry *)(buf + ROOT_INFO / 2));
	info = (struct ext2_dx_root_info *)(buf + ROOT_INFO);
	info->hash_version = v->fs->super->s_def_hash_version;
	info->info_length = INFO_LENGTH;
	set_head(&l, 1, limit_for(v, ROOT_ENTRIES));
	l.entries[0].block = ext2fs_cpu_to_le32(leaf);
}

/* All names but the dots. */
static int move_names(struct way *w, char *from, char *to)
{
	struct place *list = malloc(block_size(w->v) / 8 * sizeof(*list));
	unsigned int count = 0, offset, len;
	struct ext2_dir_entry *de;

	if (!list)
		return -ENOMEM;
	for (offset = 0; offset < dirblk_room(w->v); offset += len) {
		de = (struct ext2_dir_entry *)(from + offset);
		len = dirblk_length(w->v, de);
		if (offset >= ROOT_INFO && de->inode)
			list[count++].de = de;
	}
	put_all(w->v, to, list, count);
	free(list);
	return 0;
}

static bool has_dots_first(const char *buf)
{
	const struct ext2_dir_entry *dot = (const void *)buf;
	const struct ext2_dir_entry *dots = (const void *)(buf +
							   ROOT_INFO / 2);

	return dot->rec_len == ROOT_INFO / 2 &&
	       ext2fs_dirent_name_len(dot) == 1 && dot->name[0] == '.' &&
	       ext2fs_dirent_name_len(dots) == 2 && dots->name[0] == '.' &&
	       dots->name[1] == '.' && dots->inode;
}

static int make(struct way *w)
{
	char *first = w->level[0].buf, *leaf = w->level[1].buf;
	uint64_t pblk, pblk2;
	uint32_t lblk;
	int ret;

	ret = dirblk_read(w->v, w->dir, 0, first, &pblk);
	if (!ret && (!pblk || !has_dots_first(first)))
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = move_names(w, first, leaf);
	if (!ret)
		ret = prepare(w, pblk, first);
	if (!ret)
		ret = dir_append(w->v, w->dir, leaf, &lblk, &pblk2);
	if (ret)
		return ret;
	dir_moved(w->v, w->dir, lblk, leaf);
	init_root(w->v, w->dir, first, lblk);
	ret = dirblk_write(w->v, w->dir, pblk, first);
	w->dir->raw.i_flags |= EXT2_INDEX_FL;
	node_dirty(w->v, w->dir);
	return ret;
}

int dirtree_make(struct volume *v, struct node *dir)
{
	uint32_t major, minor;
	struct way w;
	int ret;

	if (dirtree_hash(v, v->fs->super->s_def_hash_version, ".", 1, &major,
			 &minor))
		return -EOPNOTSUPP;
	ret = way_begin(&w, v, dir);
	if (!ret)
		ret = make(&w);
	way_end(&w);
	return ret;
}

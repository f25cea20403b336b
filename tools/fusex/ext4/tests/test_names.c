// SPDX-License-Identifier: GPL-2.0
/*
 * Names: made, linked, moved and removed, in directories small and large, on
 * file systems of several kinds.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "tap.h"

static const char * const kinds[] = {
	"-b 4096", "-b 1024", "-b 2048", "-b 4096 -I 128 -O ^metadata_csum",
	"-b 4096 -O ^has_journal", "-b 1024 -O ^extents,^64bit,^dir_index",
	"-b 4096 -O inline_data", "-b 4096 -O ea_inode,large_dir",
};

static int lookup(struct volume *v, struct node *dir, const char *name)
{
	struct node *n;
	int ret;

	WR_LOCK(v);
	ret = name_lookup(v, dir, name, &n);
	if (!ret)
		node_put(v, n);
	UNLOCK(v);
	return ret;
}

static int unlink_name(struct volume *v, struct node *dir, const char *name)
{
	int ret;

	WR_LOCK(v);
	ret = name_unlink(v, dir, name, false, true, true, NULL);
	UNLOCK(v);
	return ret;
}

static int rename_name(struct volume *v, struct node *dir, const char *name,
		       struct node *dir2, const char *name2, uint32_t flags)
{
	const struct make whiteout = { .mode = S_IFCHR };
	struct moved m;
	int ret;

	WR_LOCK(v);
	ret = name_rename(v, dir, name, dir2, name2, flags, &whiteout, &m);
	if (!ret) {
		node_put(v, m.node);
		node_put(v, m.node2);
	}
	UNLOCK(v);
	return ret;
}

static void test_basics(struct volume *v, struct node *root)
{
	struct node *f = image_file(v, root, "file", 0), *d, *d2, *t;
	const struct make tmp = { .mode = S_IFREG | 0600 };
	int ret;

	ok(f, "a file is made");
	is(lookup(v, root, "file"), 0, "and found");
	is(lookup(v, root, "other"), -ENOENT, "another one is not");
	WR_LOCK(v);
	is(name_link(v, root, "link", f), 0, "it gets a second name");
	is(name_link(v, root, "file", f), -EEXIST, "not one that there is");
	UNLOCK(v);
	is(f->raw.i_links_count, 2, "it has two links");
	is(unlink_name(v, root, "file"), 0, "one is removed");
	is(f->raw.i_links_count, 1, "it has one");
	d = image_file(v, root, "dir", S_IFDIR | 0755);
	d2 = image_file(v, d, "sub", S_IFDIR | 0755);
	is(root->raw.i_links_count, 4, "a directory is a link to its parent");
	is(unlink_name(v, root, "dir"), -EISDIR, "it is not a file");
	is(rename_name(v, root, "link", d2, "moved", 0), 0, "a file is moved");
	WR_LOCK(v);
	is(name_unlink(v, d, "sub", true, true, true, NULL), -ENOTEMPTY,
	   "a directory that is not empty stays");
	UNLOCK(v);
	is(rename_name(v, d, "sub", root, "sub", 0), 0, "a directory is moved");
	is(dir_parent(d2), EXT2_ROOT_INO, "its parent is another one");
	image_file(v, root, "x", 0);
	is(rename_name(v, root, "x", d2, "moved", RENAME_NOREPLACE), -EEXIST,
	   "NOREPLACE does not replace");
	is(rename_name(v, root, "dir", d2, "moved", RENAME_EXCHANGE), 0,
	   "a directory and a file change places");
	is(dir_parent(d), (long long)d2->ino, "the directory is where the file was");
	is(rename_name(v, root, "x", root, "dir", RENAME_WHITEOUT), 0,
	   "a file replaces one and leaves a whiteout");
	is(lookup(v, root, "x"), 0, "which is there");
	WR_LOCK(v);
	ret = name_make(v, root, NULL, &tmp, &t);
	is(ret, 0, "a file without a name");
	ok(t->is_orphan, "is an orphan");
	is(name_link(v, root, "tmp", t), 0, "it gets a name");
	ok(!t->is_orphan, "and is none any more");
	node_put(v, t);
	ret = name_make(v, root, NULL, &tmp, &t);
	is(ret, 0, "another one stays without");
	node_put(v, t);
	UNLOCK(v);
}

/* A directory that has as many as can be counted, where that is all there can be. */
static void test_links(struct volume *v, struct node *root)
{
	struct node *full = image_file(v, root, "full", S_IFDIR | 0755);
	bool was = ext2fs_has_feature_dir_nlink(v->fs->super);

	image_file(v, full, "file", 0);
	image_file(v, root, "one", S_IFDIR | 0755);
	full->raw.i_links_count = 64999;
	is(rename_name(v, root, "one", full, "one", 0), -EMLINK,
	   "without a tree, a directory has so many links at most");
	ext2fs_clear_feature_dir_nlink(v->fs->super);
	is(rename_name(v, root, "one", full, "one", 0), -EMLINK,
	   "no directory is moved to where there is no room for its link");
	is(rename_name(v, root, "one", full, "file", RENAME_EXCHANGE), -EMLINK,
	   "nor exchanged for a file there");
	is(rename_name(v, full, "file", root, "one", RENAME_EXCHANGE), -EMLINK,
	   "nor the other way round");
	if (was)
		ext2fs_set_feature_dir_nlink(v->fs->super);
	full->raw.i_links_count = 2;
	is(rename_name(v, root, "one", full, "file", RENAME_EXCHANGE), 0,
	   "where there is, it is");
	is(full->raw.i_links_count, 3, "and the link counts");
}

static int link_name(struct volume *v, struct node *dir, const char *name,
		     struct node *n)
{
	int ret;

	WR_LOCK(v);
	ret = name_link(v, dir, name, n);
	UNLOCK(v);
	return ret;
}

/* What is for one project takes nothing of another. */
static void test_projects(void)
{
	const char *path = image_make("-b 4096 -O project", 32);
	struct volume *v = image_open(path);
	struct node *root = image_root(v), *d, *own, *other;

	d = image_file(v, root, "d", S_IFDIR | 0755);
	d->raw.i_projid = 7;
	d->raw.i_flags |= FS_PROJINHERIT_FL;
	own = image_file(v, d, "own", 0);
	other = image_file(v, root, "other", 0);
	is(own->raw.i_projid, 7, "a file is of its directory's project");
	is(link_name(v, d, "link", other), -EXDEV, "no link of another's");
	is(rename_name(v, root, "other", d, "new", 0), -EXDEV, "nor a move");
	is(rename_name(v, root, "other", d, "own", 0), -EXDEV,
	   "nor over one that there is");
	is(rename_name(v, root, "other", d, "own", RENAME_EXCHANGE), -EXDEV,
	   "nor an exchange");
	is(rename_name(v, d, "own", root, "other", RENAME_EXCHANGE), -EXDEV,
	   "either way");
	is(link_name(v, root, "link", own), 0, "the rest is for all");
	is(rename_name(v, d, "own", root, "own", 0), 0, "to move to");
	is(rename_name(v, root, "own", d, "own", 0), 0, "and back");
	other->raw.i_projid = 7;
	is(link_name(v, d, "link", other), 0, "what is of the project can be");
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void test_symlinks(struct volume *v, struct node *root)
{
	static const size_t lengths[] = { 1, 58, 59, 60, 61, 500, 1000 };
	char target[1024], got[1024], name[32];
	struct make mk = { .mode = S_IFLNK | 0777, .target = target };
	struct node *n;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(target, 'a', sizeof(target));
		target[lengths[i]] = '\0';
		snprintf(name, sizeof(name), "sym%zu", lengths[i]);
		WR_LOCK(v);
		ret = name_make(v, root, name, &mk, &n);
		is(ret, 0, "a symbolic link is made");
		ret = ret ? ret : (int)name_readlink(v, n, got, sizeof(got));
		ok(ret == (int)lengths[i] && !memcmp(got, target, lengths[i]),
		   "and leads there, %zu bytes", lengths[i]);
		node_put(v, n);
		if (i & 1)
			is(name_unlink(v, root, name, false, true, true, NULL), 0,
			   "it is removed");
		UNLOCK(v);
	}
}

/* A directory of many names, of which a random half is removed and made again. */
static void test_storm(struct volume *v, struct node *root, unsigned int count)
{
	struct node *d = image_file(v, root, "many", S_IFDIR | 0755), *n;
	bool *there = need(count, sizeof(*there));
	unsigned int i, j, bad = 0;
	const struct dir_name *at;
	char name[256];

	for (i = 0; i < 3 * count; i++) {
		j = i < count ? i : rnd(count);
		snprintf(name, sizeof(name), "name-%0*u", 1 + (int)(j % 40), j);
		if (there[j]) {
			bad += unlink_name(v, d, name) != 0;
		} else {
			n = image_file(v, d, name, 0);
			bad += !n;
		}
		there[j] = !there[j];
		if (commit_room(v))
			bad++;
	}
	for (j = 0; j < count; j++) {
		snprintf(name, sizeof(name), "name-%0*u", 1 + (int)(j % 40), j);
		bad += lookup(v, d, name) != (there[j] ? 0 : -ENOENT);
	}
	ok(!bad, "%u names come and go", count);
	is(node_has(d, EXT2_INDEX_FL),
	   ext2fs_has_feature_dir_index(v->fs->super), "by a tree, or without");
	for (i = 0, j = 0; j < count; j++)
		i += there[j];
	WR_LOCK(v);
	dir_unload(d);
	is(dir_load(v, d), 0, "they are read again");
	is(dir_sort(d), 0, "and sorted");
	for (at = dir_first(d, 0); at; at = dir_next(d, at))
		i--;
	UNLOCK(v);
	is(i, 0, "and listed");
	free(there);
}

static void test_kind(const char *kind)
{
	const char *path = image_make(kind, 64);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);

	printf("# %s\n", kind);
	test_basics(v, root);
	test_links(v, root);
	test_symlinks(v, root);
	test_storm(v, root, 3000);
	ok(image_close(v, path), "e2fsck finds nothing");
	v = image_open(path);
	root = image_root(v);
	is(lookup(v, root, "tmp"), 0, "names are there after all");
	ok(image_close(v, path), "nor after nothing was done");
}

/* So many names that the tree has nodes; in the end none, and it stays. */
static void test_large(void)
{
	const char *path = image_make("-b 1024 -N 40000", 64);
	struct volume *v = image_open(path);
	struct node *d = image_file(v, image_root(v), "d", S_IFDIR | 0755);
	unsigned int i, bad = 0;
	char name[64];

	for (i = 0; i < 30000; i++) {
		snprintf(name, sizeof(name), "a name of some length %u", i);
		bad += commit_room(v) || !image_file(v, d, name, 0);
	}
	is(bad, 0, "30000 names");
	ok(node_has(d, EXT2_INDEX_FL), "have a tree");
	bad = volume_close(v) != 0;
	ok(!bad && image_check(path), "e2fsck finds nothing");
	v = image_open(path);
	WR_LOCK(v);
	bad = name_lookup(v, image_root(v), "d", &d) != 0;
	UNLOCK(v);
	for (i = 0; i < 30000 && !bad; i++) {
		snprintf(name, sizeof(name), "a name of some length %u", i);
		bad += commit_room(v) || unlink_name(v, d, name);
	}
	node_put(v, d);
	is(bad, 0, "all of them are removed");
	ok(image_close(v, path), "e2fsck finds nothing");
}

struct hashed {
	uint32_t	hash;
	unsigned int	nr;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Makes files of which each has the hash of another; how many. */
static unsigned int make_equal(struct volume *v, struct node *d)
{
	const unsigned int count = 200000;
	struct hashed *all = need(count, sizeof(*all));
	unsigned int i, made = 0;
	uint32_t minor;
	char name[32];

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "some-%u", i * 7919);
		dirtree_hash(v, v->fs->super->s_def_hash_version, name,
			     strlen(name), &all[i].hash, &minor);
		all[i].hash >>= 1;
		all[i].nr = i * 7919;
	}
	qsort(all, count, sizeof(*all), by_hash);
	for (i = 0; i < count; i++) {
		if ((!i || all[i].hash != all[i - 1].hash) &&
		    (i + 1 == count || all[i].hash != all[i + 1].hash))
			continue;
		snprintf(name, sizeof(name), "some-%u", all[i].nr);
		made += !!image_file(v, d, name, 0);
	}
	free(all);
	return made;
}

/* Returns how many are listed, each as if it were the first of a reply. */
static unsigned int list_from(struct node *d)
{
	const struct dir_name *at;
	unsigned int count = 0;

	if (dir_sort(d))
		return 0;
	for (at = dir_first(d, 0); at; at = dir_first(d, at->key))
		count++;
	return count;
}

/* Names whose hashes are equal, which are many where those are weak. */
static void test_equal(void)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = image_open(path);
	struct node *d = image_file(v, image_root(v), "d", S_IFDIR | 0755);
	const struct dir_name *at;
	unsigned int made, count = 0;
	char name[EXT2_NAME_LEN + 1];

	v->fs->super->s_def_hash_version = EXT2_HASH_LEGACY;
	made = make_equal(v, d);
	ok(made > 1, "%u names with the hash of another", made);
	WR_LOCK(v);
	is(dir_sort(d), 0, "are sorted");
	for (at = dir_first(d, 0); at; at = dir_next(d, at))
		count++;
	is(count, made, "and listed");
	is(list_from(d), made, "one by one, too");
	snprintf(name, sizeof(name), "%s", dir_first(d, 0)->name);
	UNLOCK(v);
	is(unlink_name(v, d, name), 0, "the first one is removed");
	WR_LOCK(v);
	is(list_from(d), made - 1, "the others are listed");
	UNLOCK(v);
	image_file(v, d, name, 0);
	WR_LOCK(v);
	is(list_from(d), made, "and all when it is there again");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static uint64_t key_of(struct node *d, const char *name)
{
	const struct dir_name *at = dir_first(d, 0);

	while (at && strcmp(at->name, name))
		at = dir_next(d, at);
	return at ? at->key : 0;
}

/* Is each listed behind the one before, and are they so many? */
static bool is_in_order(struct node *d, unsigned int count)
{
	const struct dir_name *at;
	uint64_t last = 0;

	for (at = dir_first(d, 0); at && at->key > last; at = dir_next(d, at)) {
		last = at->key;
		count--;
	}
	return !at && !count;
}

/* Names that come and go take their places in the order that there is. */
static void test_order(void)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = image_open(path);
	struct node *d = image_file(v, image_root(v), "d", S_IFDIR | 0755);
	struct node *n = image_file(v, d, "stays", 0);
	unsigned int i, count = 1, bad = 0;
	bool there[1500] = { false };
	char name[32];
	uint64_t key;

	WR_LOCK(v);
	is(dir_sort(d), 0, "one name is in order");
	key = key_of(d, "stays");
	for (i = 0; i < 6000; i++) {
		unsigned int nr = i < 1500 ? i : rnd(i < 4000 ? 1500 : 1000);

		snprintf(name, sizeof(name), "name %u", nr);
		bad += there[nr] ? name_unlink(v, d, name, false, true, true,
					       NULL) : name_link(v, d, name, n);
		there[nr] = !there[nr];
		count += there[nr] ? 1 : -1;
		if (i % 500 == 0)
			bad += !dir_is_sorted(d) || !is_in_order(d, count);
	}
	is(bad, 0, "so are others, without being sorted");
	ok(is_in_order(d, count), "%u in the end", count);
	ok(key && key_of(d, "stays") == key, "the cookie is what it was");
	for (i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		if (there[i])
			bad += !!name_unlink(v, d, name, false, true, true, NULL);
	}
	is(bad, 0, "they are removed");
	ok(is_in_order(d, 1), "all but one");
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

static void add_names(struct volume *v, struct node *d, unsigned int from,
		      unsigned int count)
{
	unsigned int i, bad = 0;
	char name[16];

	for (i = from; i < from + count; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		bad += !image_file(v, d, name, 0);
	}
	is(bad, 0, "some names");
}

/* When there are many names in memory, those of directories in use stay. */
static void test_limit(void)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = image_open(path);
	struct node *a = image_file(v, image_root(v), "a", S_IFDIR | 0755);
	struct node *b = image_file(v, image_root(v), "b", S_IFDIR | 0755);

	v->names_max = 100;
	add_names(v, a, 0, 60);
	icache_limit(v);
	ok(a->dir, "all of them can stay");
	add_names(v, b, 0, 60);
	icache_limit(v);
	ok(a->dir && b->dir, "as do more that were just used");
	add_names(v, b, 60, 20);
	icache_limit(v);
	ok(a->dir, "and when few have come since");
	add_names(v, b, 80, 20);
	icache_limit(v);
	ok(!a->dir && b->dir, "those that are not used go");
	is((long long)v->names, 100, "the others are counted");
	is(lookup(v, a, "name 59"), 0, "they are there if they are wanted");
	is((long long)v->names, 160, "and in memory again");
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	size_t i;

	test_large();
	test_projects();
	test_equal();
	test_order();
	test_limit();

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(kinds[i]);
	return tap_end();
}

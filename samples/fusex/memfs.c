// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A file system in memory: how to write a server that has a tree, links and
 * extended attributes.
 *
 *	fusex-memfs [-l] [-o OPTIONS] MOUNTPOINT
 *
 * Things to look at:
 *
 * - struct node is an object that the kernel knows by its node id.  It lives as
 *   long as it has a name or the kernel has not forgotten it.  The inode table
 *   counts both: a lookup for each entry that is returned to the kernel, and
 *   one more, of our own, for a node that has names (see hold() and drop()).
 *
 * - With remote attributes (the default) the server keeps times and link counts
 *   and returns what an operation changed.  With local ones (-l) the kernel
 *   does, and tells the server by SETATTR.  The handlers are the same: what the
 *   kernel does not need it ignores.
 *
 * - One lock protects everything.  It is held in handlers only, never while the
 *   library waits for requests.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fusex.h>
#include <linux/xattr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX	(256ull << 20)

struct node;

/**
 * struct name - an entry of a directory
 * @next: in the order of cookies, which is the order of creation
 * @node: what it names
 * @cookie: where reading goes on after it
 * @text: the name
 */
struct name {
	struct name	*next;
	struct node	*node;
	uint64_t	cookie;
	char		text[];
};

/**
 * struct attribute - an extended attribute
 * @next: list of all of a node
 * @name: with its prefix
 * @value: its @size bytes
 */
struct attribute {
	struct attribute	*next;
	char			*name;
	void			*value;
	size_t			size;
};

/**
 * struct node - a file of any type
 * @id: what the kernel calls it
 * @attr: attributes as the kernel gets them
 * @data: contents of a file, target of a symbolic link
 * @room: bytes allocated at @data
 * @names: of a directory
 * @last_cookie: last one given out in this directory
 * @parent: of a directory
 * @xattrs: extended attributes
 */
struct node {
	struct fusex_node_ref	id;
	struct fusex_attr	attr;
	char			*data;
	size_t			room;
	struct name		*names;
	uint64_t		last_cookie;
	struct node		*parent;
	struct attribute	*xattrs;
};

/**
 * struct memfs - the file system
 * @table: nodes by id
 * @lock: protects all nodes
 */
struct memfs {
	struct fusex_itable	*table;
	pthread_mutex_t		lock;
};

/* ------------------------------------------------------------------- nodes */

static struct memfs *lock(struct fusex_req *req)
{
	struct memfs *fs = fusex_req_userdata(req);

	pthread_mutex_lock(&fs->lock);
	return fs;
}

static void unlock(struct memfs *fs)
{
	pthread_mutex_unlock(&fs->lock);
}

/*
 * NULL for what the kernel has forgotten: an unmount does not wait for requests
 * whose callers were killed.
 */
static struct node *node_of(struct memfs *fs, const struct fusex_node *node)
{
	return fusex_itable_get(fs->table, node);
}

static int stale(struct memfs *fs)
{
	unlock(fs);
	return -ESTALE;
}

static struct fusex_time now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return fusex_time_from_timespec(ts);
}

static void changed(struct node *node)
{
	node->attr.ctime = now();
}

static void modified(struct node *node)
{
	node->attr.mtime = now();
	node->attr.ctime = node->attr.mtime;
}

static void free_xattr(struct attribute *x)
{
	free(x->name);
	free(x->value);
	free(x);
}

/* The table's: the last name and the last lookup are gone. */
static void destroy(void *obj, void *data)
{
	struct node *node = obj;
	struct attribute *x;
	struct name *name;

	while ((name = node->names)) {
		node->names = name->next;
		free(name);
	}
	while ((x = node->xattrs)) {
		node->xattrs = x->next;
		free_xattr(x);
	}
	free(node->data);
	free(node);
}

/* Returned with a lookup for the entry that will be sent. */
static struct node *new_node(struct memfs *fs, uint32_t mode)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	fusex_attr_new(&node->attr, mode, 0, 0);
	node->attr.mask |= FUSEX_ATTR_RDEV;
	node->attr.nlink = 0;
	if (!fusex_itable_add(fs->table, NULL, node, &node->id)) {
		free(node);
		return NULL;
	}
	return node;
}

/* A lookup more: for an entry that is sent, or of our own. */
static void hold(struct memfs *fs, struct node *node)
{
	fusex_itable_ref(fs->table, &node->id, 1);
}

/* A lookup less, of ours or of an entry that is not sent after all. */
static void drop(struct memfs *fs, struct node *node)
{
	struct fusex_forget_one one = { node->id.nodeid, node->id.generation,
					0, 1 };

	fusex_itable_forget(fs->table, &one, 1);
}

/* Nobody but the kernel changes anything, so it may believe it for ever. */
static void fill_entry(const struct node *node, struct fusex_entry_reply *out)
{
	fusex_entry_set_id(out, &node->id);
	out->entry.attr = node->attr;
	out->entry.attr_valid = FUSEX_FOREVER;
	out->entry.entry_valid = FUSEX_FOREVER;
	out->entry.flags = FUSEX_ENTRY_NO_ACL;
	if (!node->xattrs)
		out->entry.flags |= FUSEX_ENTRY_NO_XATTR;
}

static void fill_attr(const struct node *node, struct fusex_attr_out *out)
{
	out->attr = node->attr;
	out->attr_valid = FUSEX_FOREVER;
}

/* ------------------------------------------------------------- directories */

/* The link that leads to a name, for removing it; a list is enough here. */
static struct name **find(struct node *dir, const char *text)
{
	struct name **link;

	for (link = &dir->names; *link; link = &(*link)->next)
		if (!strcmp((*link)->text, text))
			return link;
	return NULL;
}

static struct node *look(struct node *dir, const char *text)
{
	struct name **link = find(dir, text);

	return link ? (*link)->node : NULL;
}

static bool is_dir(const struct node *node)
{
	return S_ISDIR(node->attr.mode);
}

static struct name *new_name(const char *text, struct node *node)
{
	size_t size = strlen(text) + 1;
	struct name *name = malloc(sizeof(*name) + size);

	if (!name)
		return NULL;
	memcpy(name->text, text, size);
	name->node = node;
	name->next = NULL;
	return name;
}

/* A new name comes last, where somebody who is reading will see it. */
static void insert(struct node *dir, struct name *name)
{
	struct name **end;

	for (end = &dir->names; *end; end = &(*end)->next)
		;
	*end = name;
	name->cookie = ++dir->last_cookie;
	modified(dir);
}

static void cut(struct node *dir, struct name **link)
{
	struct name *name = *link;

	*link = name->next;
	free(name);
	modified(dir);
}

/* A directory counts its own ".", its name, and the ".." in each below it. */
static int add_name(struct memfs *fs, struct node *dir, const char *text,
		    struct node *node)
{
	struct name *name;

	if (!dir->attr.nlink)
		return -ENOENT;
	name = new_name(text, node);
	if (!name)
		return -ENOMEM;
	insert(dir, name);
	if (!node->attr.nlink)
		hold(fs, node);
	node->attr.nlink++;
	changed(node);
	if (is_dir(node)) {
		node->attr.nlink++;
		node->parent = dir;
		dir->attr.nlink++;
	}
	return 0;
}

static void remove_name(struct memfs *fs, struct node *dir, struct name **link)
{
	struct node *node = (*link)->node;

	cut(dir, link);
	changed(node);
	node->attr.nlink--;
	if (is_dir(node)) {
		node->attr.nlink--;
		dir->attr.nlink--;
	}
	if (!node->attr.nlink)
		drop(fs, node);
}

static int mem_lookup(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, struct fusex_entry_reply *out)
{
	struct memfs *fs = lock(req);
	struct node *d = node_of(fs, dir), *node;

	if (!d)
		return stale(fs);
	node = look(d, name);
	if (node) {
		hold(fs, node);
		fill_entry(node, out);
	} else {
		/* No node id: there is none, and that may be remembered. */
		out->entry.entry_valid = FUSEX_FOREVER;
	}
	unlock(fs);
	return 0;
}

static void mem_forget(struct fusex_req *req,
		       const struct fusex_forget_one *list, size_t count)
{
	struct memfs *fs = lock(req);

	fusex_itable_forget(fs->table, list, count);
	unlock(fs);
}

static int mem_readdir(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_readdir_in *in,
		       struct fusex_dir *dir)
{
	struct memfs *fs = lock(req);
	struct node *d = node_of(fs, node);
	struct fusex_entry_reply out;
	struct name *name;
	int ret = 0;

	if (!d)
		return stale(fs);
	for (name = d->names; name && !ret; name = name->next) {
		bool entry = in->flags & FUSEX_READDIR_ATTRS;

		if (name->cookie <= in->cookie)
			continue;
		if (!fusex_dir_fits(dir, strlen(name->text), entry))
			break;
		if (entry) {
			memset(&out, 0, sizeof(out));
			hold(fs, name->node);
			fill_entry(name->node, &out);
		}
		ret = fusex_dir_add(dir, name->text, name->node->id.nodeid,
				    IFTODT(name->node->attr.mode), name->cookie,
				    entry ? &out : NULL);
	}
	if (!name && !ret)
		fusex_dir_end(dir);
	unlock(fs);
	return ret;
}

/* ----------------------------------------------------------------- xattrs */

static struct attribute **find_xattr(struct node *node, const char *name)
{
	struct attribute **link;

	for (link = &node->xattrs; *link; link = &(*link)->next)
		if (!strcmp((*link)->name, name))
			break;
	return link;
}

static int set_xattr(struct node *node, const char *name, const void *value,
		     size_t size, uint32_t flags)
{
	struct attribute **link = find_xattr(node, name), *x;

	if (*link && flags & XATTR_CREATE)
		return -EEXIST;
	if (!*link && flags & XATTR_REPLACE)
		return -ENODATA;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->name = strdup(name);
	x->value = malloc(size ? size : 1);
	x->size = size;
	if (!x->name || !x->value) {
		free_xattr(x);
		return -ENOMEM;
	}
	if (size)
		memcpy(x->value, value, size);
	if (*link) {
		x->next = (*link)->next;
		free_xattr(*link);
	}
	*link = x;
	changed(node);
	return 0;
}

static bool remove_xattr(struct node *node, const char *name)
{
	struct attribute **link = find_xattr(node, name), *x = *link;

	if (!x)
		return false;
	*link = x->next;
	free_xattr(x);
	changed(node);
	return true;
}

static ssize_t mem_getxattr(struct fusex_req *req,
			    const struct fusex_node *node, const char *name,
			    void *value, size_t size)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	struct attribute *x;
	ssize_t ret;

	if (!n)
		return stale(fs);
	x = *find_xattr(n, name);
	ret = x ? (ssize_t)x->size : -ENODATA;
	if (x && size) {
		if (x->size > size)
			ret = -ERANGE;
		else
			memcpy(value, x->value, x->size);
	}
	unlock(fs);
	return ret;
}

/* Who may use which is the kernel's to check; others have no meaning to it. */
static bool is_supported(const char *name)
{
	return !strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN) ||
	       !strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) ||
	       !strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN);
}

static int mem_setxattr(struct fusex_req *req, const struct fusex_node *node,
			const char *name, const void *value, size_t size,
			uint32_t flags, struct fusex_attr_out *out)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	int ret = -EOPNOTSUPP;

	if (!n)
		return stale(fs);
	if (is_supported(name))
		ret = set_xattr(n, name, value, size, flags);
	fill_attr(n, out);
	unlock(fs);
	return ret;
}

static ssize_t mem_listxattr(struct fusex_req *req,
			     const struct fusex_node *node,
			     char *list, size_t size)
{
	struct memfs *fs = lock(req);
	struct node *f = node_of(fs, node);
	struct attribute *x;
	size_t len = 0, n;

	if (!f)
		return stale(fs);
	for (x = f->xattrs; x; x = x->next) {
		n = strlen(x->name) + 1;
		if (len + n <= size)
			memcpy(list + len, x->name, n);
		len += n;
	}
	unlock(fs);
	return size && len > size ? -ERANGE : (ssize_t)len;
}

static int mem_removexattr(struct fusex_req *req,
			   const struct fusex_node *node, const char *name,
			   struct fusex_attr_out *out)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	int ret;

	if (!n)
		return stale(fs);
	ret = remove_xattr(n, name) ? 0 : -ENODATA;
	fill_attr(n, out);
	unlock(fs);
	return ret;
}

/* -------------------------------------------------------------------- data */

static void set_size(struct node *node, uint64_t size)
{
	node->attr.size = size;
	node->attr.blocks = (size + 511) / 512;
}

/* New room is zeros, and what is beyond the end is kept so, for holes. */
static int resize(struct node *node, uint64_t size)
{
	size_t room = node->room ? node->room : 4096;
	char *data;

	if (size > FILE_MAX)
		return -EFBIG;
	while (room < size)
		room *= 2;
	if (size > node->room) {
		data = realloc(node->data, room);
		if (!data)
			return -ENOSPC;
		memset(data + node->room, 0, room - node->room);
		node->data = data;
		node->room = room;
	} else if (size < node->attr.size) {
		memset(node->data + size, 0, node->attr.size - size);
	}
	set_size(node, size);
	return 0;
}

/* Somebody without the right to keep them wrote: asked for when remote. */
static void kill_priv(struct node *node)
{
	node->attr.mode &= ~(uint32_t)S_ISUID;
	if (node->attr.mode & 0010)
		node->attr.mode &= ~(uint32_t)S_ISGID;
	remove_xattr(node, "security.capability");
}

static ssize_t mem_read(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_read_in *in, void *buf)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	uint64_t left;
	size_t size;

	if (!n)
		return stale(fs);
	left = n->attr.size > in->offset ? n->attr.size - in->offset : 0;
	size = in->size < left ? in->size : (size_t)left;
	if (size)
		memcpy(buf, n->data + in->offset, size);
	unlock(fs);
	return (ssize_t)size;
}

static int mem_write(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_write_in *in, const void *buf,
		     struct fusex_write_out *out)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	int ret = 0;

	if (!n)
		return stale(fs);
	if (in->write_flags & FUSEX_WRITE_APPEND)
		out->offset = n->attr.size;
	if (in->write_flags & FUSEX_WRITE_KILL_PRIV)
		kill_priv(n);
	if (out->offset + in->size > n->attr.size)
		ret = resize(n, out->offset + in->size);
	if (!ret) {
		memcpy(n->data + out->offset, buf, in->size);
		modified(n);
		/* Stored through a mapping a while ago. */
		if (in->write_flags & FUSEX_WRITE_MTIME)
			n->attr.mtime = in->mtime;
		out->attr = n->attr;
		out->attr_valid = FUSEX_FOREVER;
	}
	unlock(fs);
	return ret;
}

static ssize_t mem_readlink(struct fusex_req *req,
			    const struct fusex_node *node,
			    char *buf, size_t size)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	size_t len;

	if (!n)
		return stale(fs);
	len = n->attr.size < size ? (size_t)n->attr.size : size;
	memcpy(buf, n->data, len);
	unlock(fs);
	return (ssize_t)len;
}

/* -------------------------------------------------------------- attributes */

static int mem_getattr(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_getattr_in *in,
		       struct fusex_attr_out *out)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);

	if (!n)
		return stale(fs);
	fill_attr(n, out);
	unlock(fs);
	return 0;
}

static int mem_setattr(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_setattr_in *in,
		       struct fusex_attr_out *out)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node);
	int ret = 0;

	if (!n)
		return stale(fs);
	if (in->valid & FUSEX_SET_SIZE) {
		ret = resize(n, in->size);
		modified(n);
	}
	if (!ret) {
		fusex_attr_set(&n->attr, in);
		if (in->valid & FUSEX_SET_KILL_PRIV)
			kill_priv(n);
	}
	fill_attr(n, out);
	unlock(fs);
	return ret;
}

static int mem_statfs(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_statfs_out *out)
{
	struct memfs *fs = fusex_req_userdata(req);
	uint64_t left = (uint64_t)sysconf(_SC_AVPHYS_PAGES);

	/* As many files as there is memory for. */
	fusex_statfs_new(out, (uint32_t)sysconf(_SC_PAGESIZE),
			 (uint64_t)sysconf(_SC_PHYS_PAGES), left,
			 fusex_itable_count(fs->table) + left, left);
	return 0;
}

/* ------------------------------------------------------------------ making */

static int born_with(struct fusex_req *req, struct node *node, uint32_t count)
{
	struct fusex_xattr x;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		ret = fusex_req_xattr(req, i, &x);
		if (!ret)
			ret = set_xattr(node, x.name, x.value, x.size, 0);
	}
	return ret;
}

static int set_target(struct node *node, const char *target)
{
	node->data = strdup(target);
	if (!node->data)
		return -ENOMEM;
	set_size(node, strlen(target));
	return 0;
}

/* Everything that is made; @name is NULL for a file without one. */
static int make(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const char *target,
		const struct fusex_make_in *in, struct fusex_entry_reply *out)
{
	struct memfs *fs = lock(req);
	struct node *d = node_of(fs, dir), *node;
	int ret = -EEXIST;

	if (!d)
		return stale(fs);
	if (name && look(d, name))
		goto unlock;
	ret = -ENOMEM;
	node = new_node(fs, in->mode);
	if (!node)
		goto unlock;
	node->attr.uid = in->uid;
	node->attr.gid = in->gid;
	node->attr.rdev_major = in->rdev_major;
	node->attr.rdev_minor = in->rdev_minor;
	ret = born_with(req, node, in->nr_xattrs);
	if (!ret && target)
		ret = set_target(node, target);
	if (!ret && name)
		ret = add_name(fs, d, name, node);
	if (ret) {
		drop(fs, node);
		goto unlock;
	}
	fill_entry(node, out);
	out->dir = d->attr;
unlock:
	unlock(fs);
	return ret;
}

static int mem_create(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const struct fusex_make_in *in,
		      struct fusex_entry_reply *out,
		      struct fusex_open_out *open)
{
	int ret;

	/* Without O_EXCL one that is there will do. */
	do {
		ret = make(req, dir, name, NULL, in, out);
		if (ret != -EEXIST || in->open_flags & O_EXCL)
			break;
		ret = mem_lookup(req, dir, name, out);
	} while (!ret && !out->entry.nodeid);
	return ret;
}

static int mem_mknod(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_make_in *in,
		     struct fusex_entry_reply *out)
{
	return make(req, dir, name, NULL, in, out);
}

static int mem_symlink(struct fusex_req *req, const struct fusex_node *dir,
		       const char *name, const char *target,
		       const struct fusex_make_in *in,
		       struct fusex_entry_reply *out)
{
	return make(req, dir, name, target, in, out);
}

static int mem_tmpfile(struct fusex_req *req, const struct fusex_node *dir,
		       const struct fusex_make_in *in,
		       struct fusex_entry_reply *out,
		       struct fusex_open_out *open)
{
	return make(req, dir, NULL, NULL, in, out);
}

static int mem_link(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_node *dir, const char *name,
		    struct fusex_entry_reply *out)
{
	struct memfs *fs = lock(req);
	struct node *n = node_of(fs, node), *d = node_of(fs, dir);
	int ret;

	if (!n || !d)
		return stale(fs);
	ret = look(d, name) ? -EEXIST : add_name(fs, d, name, n);
	if (!ret) {
		hold(fs, n);
		fill_entry(n, out);
		out->dir = d->attr;
	}
	unlock(fs);
	return ret;
}

/* ---------------------------------------------------- removing and renaming */

static int mem_unlink(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const struct fusex_node *node,
		      uint32_t flags, struct fusex_unlink_out *out)
{
	struct memfs *fs = lock(req);
	struct node *d = node_of(fs, dir), *n;
	struct name **link;
	int ret = 0;

	if (!d)
		return stale(fs);
	link = find(d, name);
	n = link ? (*link)->node : NULL;
	if (!n) {
		ret = -ENOENT;
	} else if (is_dir(n) && n->names) {
		ret = -ENOTEMPTY;
	} else {
		hold(fs, n);
		remove_name(fs, d, link);
		out->dir = d->attr;
		out->node = n->attr;
		drop(fs, n);
	}
	unlock(fs);
	return ret;
}

/* The node has its name in another directory now. */
static void moved(struct node *node, struct node *from, struct node *to)
{
	changed(node);
	if (is_dir(node)) {
		node->parent = to;
		from->attr.nlink--;
		to->attr.nlink++;
	}
}

static void exchange(struct node *dir, struct name *a, struct node *dir2,
		     struct name *b)
{
	struct node *node = a->node;

	a->node = b->node;
	b->node = node;
	moved(b->node, dir, dir2);
	moved(a->node, dir2, dir);
	modified(dir);
	modified(dir2);
}

/* In the same directory it keeps its place: who renames what he reads ends. */
static void change_name(struct node *dir, struct name **link, struct name *name)
{
	name->next = (*link)->next;
	name->cookie = (*link)->cookie;
	free(*link);
	*link = name;
	modified(dir);
}

static int move(struct memfs *fs, struct node *dir, const char *text,
		struct node *dir2, const char *text2)
{
	struct node *node = look(dir, text), *old = look(dir2, text2);
	struct name *name;

	if (old && is_dir(old) && old->names)
		return -ENOTEMPTY;
	name = new_name(text2, node);
	if (!name)
		return -ENOMEM;
	if (old)
		remove_name(fs, dir2, find(dir2, text2));
	if (dir == dir2) {
		change_name(dir, find(dir, text), name);
	} else {
		cut(dir, find(dir, text));
		insert(dir2, name);
	}
	moved(node, dir, dir2);
	return 0;
}

static int rename_check(struct node *a, struct node *b, uint32_t flags)
{
	if (!a || (flags & RENAME_EXCHANGE && !b))
		return -ENOENT;
	if (flags & RENAME_NOREPLACE && b)
		return -EEXIST;
	return flags & RENAME_WHITEOUT ? -EINVAL : 0;
}

static int mem_rename(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const struct fusex_node *dir2,
		      const char *name2, uint32_t flags,
		      struct fusex_rename_out *out)
{
	struct memfs *fs = lock(req);
	struct node *d = node_of(fs, dir), *d2 = node_of(fs, dir2);
	struct node *node, *node2;
	int ret;

	if (!d || !d2)
		return stale(fs);
	node = look(d, name);
	node2 = look(d2, name2);
	ret = rename_check(node, node2, flags);
	if (ret)
		goto unlock;
	if (node2)
		hold(fs, node2);
	if (flags & RENAME_EXCHANGE)
		exchange(d, *find(d, name), d2, *find(d2, name2));
	else if (node != node2)
		ret = move(fs, d, name, d2, name2);
	out->dir = d->attr;
	out->dir2 = d2->attr;
	out->node = node->attr;
	if (node2) {
		out->node2 = node2->attr;
		drop(fs, node2);
	}
unlock:
	unlock(fs);
	return ret;
}

static const struct fusex_ops mem_ops = {
	.lookup		= mem_lookup,
	.forget		= mem_forget,
	.getattr	= mem_getattr,
	.setattr	= mem_setattr,
	.readlink	= mem_readlink,
	.create		= mem_create,
	.mknod		= mem_mknod,
	.mkdir		= mem_mknod,
	.symlink	= mem_symlink,
	.tmpfile	= mem_tmpfile,
	.link		= mem_link,
	.unlink		= mem_unlink,
	.rmdir		= mem_unlink,
	.rename		= mem_rename,
	.read		= mem_read,
	.write		= mem_write,
	.readdir	= mem_readdir,
	.getxattr	= mem_getxattr,
	.setxattr	= mem_setxattr,
	.listxattr	= mem_listxattr,
	.removexattr	= mem_removexattr,
	.statfs		= mem_statfs,
};

/* -------------------------------------------------------------------- main */

/* The root is its own parent, and the name that it has is the mount. */
static void make_root(struct memfs *fs, struct fusex_config *cfg)
{
	struct node *root = new_node(fs, S_IFDIR | 0755);

	if (!root)
		err(1, "cannot make the root");
	root->attr.nlink = 2;
	root->attr.uid = getuid();
	root->attr.gid = getgid();
	root->parent = root;
	hold(fs, root);
	fill_entry(root, &cfg->root);
}

static int serve(struct memfs *fs, const struct fusex_config *cfg,
		 const char *target, const char *options)
{
	struct fusex_session *se;
	int ret;

	se = fusex_session_new(&mem_ops, sizeof(mem_ops), cfg, fs);
	if (!se)
		err(1, "fusex_session_new");
	ret = fusex_session_mount(se, target, options);
	if (!ret)
		ret = fusex_run(se, NULL);
	if (ret)
		warnx("%s", fusex_session_error(se));
	fusex_session_free(se);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct memfs fs = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct fusex_config cfg;
	const char *options = NULL;
	int c, ret;

	fusex_config_init(&cfg, sizeof(cfg));
	cfg.max_file_size = FILE_MAX;
	strcpy(cfg.subtype, "memfs");
	while ((c = getopt(argc, argv, "lo:")) != -1) {
		if (c == 'l')
			cfg.attr_mode = FUSEX_ATTR_LOCAL;
		else if (c == 'o')
			options = optarg;
		else
			return 2;
	}
	if (optind + 1 != argc)
		errx(2, "usage: %s [-l] [-o OPTIONS] MOUNTPOINT", argv[0]);
	fs.table = fusex_itable_new(0, destroy, NULL);
	if (!fs.table)
		err(1, "fusex_itable_new");
	make_root(&fs, &cfg);
	ret = serve(&fs, &cfg, argv[optind], options);
	fusex_itable_free(fs.table);
	return ret;
}

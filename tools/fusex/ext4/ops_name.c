// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about names.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ops.h"

/* Inodes nobody uses that stay in memory. */
#define NODES_KEPT	65536u

/* Cookies of the first two names; those of others are higher. */
#define COOKIE_DOT	1u
#define COOKIE_DOTDOT	2u

/* That there is none can be remembered, too. */
static void absent(struct fusex_entry_reply *out)
{
	out->entry.nodeid = 0;
	out->entry.entry_valid = FUSEX_FOREVER;
}

/* Returns -EAGAIN if the names have to be read first. */
static int look_up(struct volume *v, struct node *dir, const char *name,
		   struct node **out)
{
	if (is_dir(dir) && dir->raw.i_links_count && !dir->dir)
		return -EAGAIN;
	return name_lookup(v, dir, name, out);
}

/*
 * The directory is let go of before the inode is locked.  So it may be gone when
 * it is looked at, which is -ESTALE.
 */
static int lookup_once(struct volume *v, const struct fusex_node *node,
		       const char *name, enum op_how how,
		       struct fusex_entry_reply *out)
{
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, node, how, &dir);
	if (ret)
		return ret;
	ret = how == OP_LOAD ? name_lookup(v, dir, name, &n) :
			       look_up(v, dir, name, &n);
	if (ret) {
		op_end(v, dir);
		return ret;
	}
	node_unlock(dir);
	ret = op_entry(v, n, out);
	node_put(v, n);
	node_put(v, dir);
	UNLOCK(v);
	return ret;
}

int ext4_lookup(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, struct fusex_entry_reply *out)
{
	struct volume *v = volume_of(req);
	unsigned int tries = 0;
	int ret;

	do {
		ret = lookup_once(v, dir, name, OP_LOOK, out);
		if (ret == -EAGAIN)
			ret = lookup_once(v, dir, name, OP_LOAD, out);
	} while (ret == -ESTALE && !tries++);
	if (ret != -ENOENT)
		return ret;
	absent(out);
	return 0;
}

static int fill_make(struct fusex_req *req, const struct fusex_make_in *in,
		     const char *target, struct make *mk)
{
	struct fusex_xattr *list;
	uint32_t i;

	*mk = (struct make){
		.mode = in->mode,
		.uid = in->uid,
		.gid = in->gid,
		.major = in->rdev_major,
		.minor = in->rdev_minor,
		.target = target,
	};
	if (!in->nr_xattrs)
		return 0;
	list = calloc(in->nr_xattrs, sizeof(*list));
	if (!list)
		return -ENOMEM;
	mk->xattrs = list;
	mk->nr_xattrs = in->nr_xattrs;
	for (i = 0; i < in->nr_xattrs; i++)
		if (fusex_req_xattr(req, i, &list[i])) {
			free(list);
			return -EINVAL;
		}
	return 0;
}

static int make_once(struct fusex_req *req, const struct fusex_node *node,
		     const char *name, const struct make *mk,
		     struct fusex_entry_reply *out)
{
	struct volume *v = volume_of(req);
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, node, mk->nr_xattrs ? OP_ALONE : OP_CHANGE, &dir);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = name_make(v, dir, name, mk, &n);
	if (!ret) {
		ret = op_entry(v, n, out);
		attr_fill(v, dir, &out->dir);
		node_put(v, n);
	}
	op_end(v, dir);
	return ret;
}

static int make(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const char *target,
		const struct fusex_make_in *in, struct fusex_entry_reply *out)
{
	struct make mk;
	struct op_tries tries = { 0 };
	int ret;

	ret = fill_make(req, in, target, &mk);
	if (ret)
		return ret;
	do {
		ret = make_once(req, dir, name, &mk, out);
	} while (op_again(volume_of(req), dir, ret, &tries));
	free((void *)mk.xattrs);
	return ret;
}

int ext4_create(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const struct fusex_make_in *in,
		struct fusex_entry_reply *out, struct fusex_open_out *open)
{
	int ret = make(req, dir, name, NULL, in, out);

	/* Somebody was faster: what there is now is opened. */
	if (ret == -EEXIST && !(in->open_flags & O_EXCL))
		ret = ext4_lookup(req, dir, name, out);
	return ret;
}

int ext4_mknod(struct fusex_req *req, const struct fusex_node *dir,
	       const char *name, const struct fusex_make_in *in,
	       struct fusex_entry_reply *out)
{
	return make(req, dir, name, NULL, in, out);
}

int ext4_symlink(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const char *target,
		 const struct fusex_make_in *in, struct fusex_entry_reply *out)
{
	return make(req, dir, name, target, in, out);
}

int ext4_tmpfile(struct fusex_req *req, const struct fusex_node *dir,
		 const struct fusex_make_in *in, struct fusex_entry_reply *out,
		 struct fusex_open_out *open)
{
	return make(req, dir, NULL, NULL, in, out);
}

static int link_once(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_node *in, const char *name,
		     struct fusex_entry_reply *out)
{
	struct volume *v = volume_of(req);
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, in, OP_ALONE, &dir);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = op_node(v, node, &n);
	if (!ret) {
		ret = name_link(v, dir, name, n);
		if (!ret) {
			attr_entry(v, n, out);
			attr_fill(v, dir, &out->dir);
		}
		node_put(v, n);
	}
	op_end(v, dir);
	return ret;
}

int ext4_link(struct fusex_req *req, const struct fusex_node *node,
	      const struct fusex_node *dir, const char *name,
	      struct fusex_entry_reply *out)
{
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = link_once(req, node, dir, name, out);
	} while (op_again(volume_of(req), dir, ret, &tries));
	return ret;
}

/* Of a file, it is locked below its directory; a removed directory is alone. */
static void fill_removed(struct volume *v, struct node *dir, struct node *n,
			 struct fusex_unlink_out *out)
{
	attr_fill(v, dir, &out->dir);
	if (!is_dir(n))
		node_lock_shared(n);
	if (!n->dead)
		attr_fill(v, n, &out->node);
	if (!is_dir(n))
		node_unlock(n);
	node_put(v, n);
}

static int remove_once(struct volume *v, const struct fusex_node *node,
		       const char *name, bool directory, uint32_t flags,
		       bool alone, struct fusex_unlink_out *out)
{
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, node, alone ? OP_ALONE : OP_CHANGE, &dir);
	if (ret)
		return ret;
	ret = name_unlink(v, dir, name, directory, flags & FUSEX_UNLINK_UNUSED,
			  alone, &n);
	if (!ret)
		fill_removed(v, dir, n, out);
	op_end(v, dir);
	return ret;
}

static int remove_name(struct fusex_req *req, const struct fusex_node *node,
		       const char *name, bool directory, uint32_t flags,
		       struct fusex_unlink_out *out)
{
	struct volume *v = volume_of(req);
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = -EAGAIN;
		if (!directory)
			ret = remove_once(v, node, name, directory, flags, false,
					  out);
		if (ret == -EAGAIN)
			ret = remove_once(v, node, name, directory, flags, true,
					  out);
		/* The names may be in the inode, and go to a block first. */
	} while (op_again(v, node, ret, &tries));
	return ret;
}

int ext4_unlink(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const struct fusex_node *node,
		uint32_t flags, struct fusex_unlink_out *out)
{
	return remove_name(req, dir, name, false, flags, out);
}

int ext4_rmdir(struct fusex_req *req, const struct fusex_node *dir,
	       const char *name, const struct fusex_node *node, uint32_t flags,
	       struct fusex_unlink_out *out)
{
	return remove_name(req, dir, name, true, flags, out);
}

static void fill_moved(struct volume *v, struct node *dir, struct node *dir2,
		       struct moved *m, struct fusex_rename_out *out)
{
	attr_fill(v, dir, &out->dir);
	attr_fill(v, dir2, &out->dir2);
	attr_fill(v, m->node, &out->node);
	if (m->node2 && !m->node2->dead)
		attr_fill(v, m->node2, &out->node2);
	node_put(v, m->node);
	node_put(v, m->node2);
}

static int rename_once(struct fusex_req *req, const struct fusex_node *from,
		       const char *name, const struct fusex_node *to,
		       const char *name2, uint32_t flags,
		       struct fusex_rename_out *out)
{
	const struct fusex_in_header *h = fusex_req_header(req);
	const struct make whiteout = { .mode = S_IFCHR, .uid = h->uid,
				       .gid = h->gid };
	struct volume *v = volume_of(req);
	struct node *dir, *dir2;
	struct moved m;
	int ret;

	ret = op_begin(v, from, OP_ALONE, &dir);
	if (ret)
		return ret;
	op_takes(v, req);
	ret = op_node(v, to, &dir2);
	if (!ret) {
		ret = name_rename(v, dir, name, dir2, name2, flags, &whiteout,
				  &m);
		if (!ret)
			fill_moved(v, dir, dir2, &m, out);
		node_put(v, dir2);
	}
	op_end(v, dir);
	return ret;
}

int ext4_rename(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const struct fusex_node *dir2,
		const char *name2, uint32_t flags,
		struct fusex_rename_out *out)
{
	struct op_tries tries = { 0 };
	int ret;

	do {
		ret = rename_once(req, dir, name, dir2, name2, flags, out);
	} while (op_again(volume_of(req), dir, ret, &tries));
	return ret;
}

/**
 * struct listing - a reply to READDIR being filled
 * @v: the file system
 * @dir: the directory
 * @out: the reply
 * @cookie: where to go on
 * @attrs: inodes are wanted, too
 */
struct listing {
	struct volume	*v;
	struct node	*dir;
	struct fusex_dir *out;
	uint64_t	cookie;
	bool		attrs;
};

static uint8_t dt_type(uint8_t type)
{
	static const uint8_t types[EXT2_FT_MAX] = {
		[EXT2_FT_REG_FILE] = DT_REG,
		[EXT2_FT_DIR] = DT_DIR,
		[EXT2_FT_CHRDEV] = DT_CHR,
		[EXT2_FT_BLKDEV] = DT_BLK,
		[EXT2_FT_FIFO] = DT_FIFO,
		[EXT2_FT_SOCK] = DT_SOCK,
		[EXT2_FT_SYMLINK] = DT_LNK,
	};

	return type < EXT2_FT_MAX ? types[type] : DT_UNKNOWN;
}

static int add_dots(struct listing *l)
{
	int ret = 0;

	if (l->cookie < COOKIE_DOT) {
		ret = fusex_dir_add(l->out, ".", l->dir->ino, DT_DIR,
				    COOKIE_DOT, NULL);
		if (!ret)
			l->cookie = COOKIE_DOT;
	}
	if (!ret && l->cookie < COOKIE_DOTDOT) {
		ret = fusex_dir_add(l->out, "..", dir_parent(l->dir), DT_DIR,
				    COOKIE_DOTDOT, NULL);
		if (!ret)
			l->cookie = COOKIE_DOTDOT;
	}
	return ret;
}

/* The inode of a name, in use and in an entry, or NULL. */
static struct node *find_entry(struct listing *l, const struct dir_name *name,
			       struct fusex_entry_reply *e)
{
	struct node *n;

	if (!l->attrs || node_get(l->v, name->at.ino, &n))
		return NULL;
	memset(e, 0, offsetof(struct fusex_entry_reply, handle));
	if (!op_entry(l->v, n, e))
		return n;
	node_put(l->v, n);
	return NULL;
}

static int add_name(struct listing *l, const struct dir_name *name)
{
	struct fusex_entry_reply e;
	struct node *n;
	int ret;

	if (!fusex_dir_fits(l->out, name->len, l->attrs))
		return -ENOSPC;
	n = find_entry(l, name, &e);
	ret = fusex_dir_add(l->out, name->name, name->at.ino,
			    dt_type(name->at.type), name->key, n ? &e : NULL);
	if (n && ret)
		n->lookups--;
	node_put(l->v, n);
	if (!ret)
		l->cookie = name->key;
	return ret;
}

static int list(struct listing *l)
{
	const struct dir_name *name;
	int ret;

	ret = add_dots(l);
	if (ret)
		return ret == -ENOSPC ? 0 : ret;
	for (name = dir_first(l->dir, l->cookie); name;
	     name = dir_next(l->dir, name)) {
		ret = add_name(l, name);
		if (ret)
			return ret == -ENOSPC ? 0 : ret;
	}
	fusex_dir_end(l->out);
	return 0;
}

/* Before its names can be listed they have to be in memory, and in order. */
static int load(struct listing *l, const struct fusex_node *node)
{
	int ret;

	ret = op_begin(l->v, node, OP_LOAD, &l->dir);
	if (ret)
		return ret;
	ret = dir_load(l->v, l->dir);
	if (!ret)
		ret = dir_sort(l->dir);
	op_end(l->v, l->dir);
	return ret;
}

/* Removed, it has no names, not even those two. */
static int list_once(struct listing *l, const struct fusex_node *node)
{
	int ret;

	ret = op_begin(l->v, node, OP_READ, &l->dir);
	if (ret)
		return ret;
	if (!is_dir(l->dir))
		ret = -ENOTDIR;
	else if (!l->dir->raw.i_links_count)
		fusex_dir_end(l->out);
	else if (!l->dir->dir || !dir_is_sorted(l->dir))
		ret = -EAGAIN;
	else
		ret = list(l);
	op_end(l->v, l->dir);
	return ret;
}

int ext4_readdir(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_readdir_in *in, struct fusex_dir *dir)
{
	struct listing l = {
		.v = volume_of(req),
		.out = dir,
		.cookie = in->cookie,
		.attrs = in->flags & FUSEX_READDIR_ATTRS,
	};
	int ret;

	for (;;) {
		ret = list_once(&l, node);
		if (ret != -EAGAIN)
			return ret;
		ret = load(&l, node);
		if (ret)
			return ret;
	}
}

static int resolve(struct volume *v, const struct fusex_node *node,
		   struct fusex_entry_reply *out)
{
	uint64_t ino = node->nodeid;
	struct node *n;
	int ret;

	if (!node_can_be(v, ino) ||
	    !ext2fs_test_inode_bitmap2(v->fs->inode_map, (ext2_ino_t)ino))
		return -ESTALE;
	ret = op_node(v, node, &n);
	if (ret)
		return ret;
	/* What was deleted is there until the kernel has forgotten it. */
	if (node_has(n, EXT4_EA_INODE_FL) || !n->raw.i_links_count)
		ret = -ESTALE;
	else
		attr_entry(v, n, out);
	node_put(v, n);
	return ret;
}

int ext4_resolve(struct fusex_req *req, const struct fusex_node *node,
		 struct fusex_entry_reply *out)
{
	struct volume *v = volume_of(req);
	int ret;

	WR_LOCK(v);
	ret = resolve(v, node, out);
	UNLOCK(v);
	return ret;
}

static int parent(struct volume *v, const struct fusex_node *node,
		  struct fusex_entry_reply *out)
{
	struct node *dir, *n;
	int ret;

	ret = op_node(v, node, &dir);
	if (ret)
		return ret;
	ret = dir_load(v, dir);
	if (!ret)
		ret = node_get(v, dir_parent(dir), &n);
	node_put(v, dir);
	if (ret)
		return ret;
	attr_entry(v, n, out);
	node_put(v, n);
	return 0;
}

int ext4_parent(struct fusex_req *req, const struct fusex_node *node,
		struct fusex_entry_reply *out)
{
	struct volume *v = volume_of(req);
	int ret;

	WR_LOCK(v);
	ret = parent(v, node, out);
	UNLOCK(v);
	return ret;
}

/* What nobody has open any more is deleted, or gives space back. */
static bool finish_locked(struct volume *v, struct node *n, bool alone)
{
	if (!alone && node_is_odd(v, n))
		return true;
	node_unused(v, n);
	return false;
}

/* Returns true if there is something that only who is alone can do about it. */
static bool finish_one(struct volume *v, const struct fusex_forget_one *f,
		       uint64_t count, bool alone)
{
	struct node *n = f->nodeid > UINT32_MAX ? NULL :
			 node_peek(v, (ext2_ino_t)f->nodeid);
	bool more = false;

	if (!n)
		return false;
	node_lock(n);
	if (n->raw.i_generation == f->generation && node_forget(n, count))
		more = finish_locked(v, n, alone);
	node_unlock(n);
	node_put(v, n);
	return more;
}

void ext4_forget(struct fusex_req *req, const struct fusex_forget_one *list,
		 size_t count)
{
	struct volume *v = volume_of(req);
	bool more = false;
	size_t i;

	RD_LOCK(v);
	for (i = 0; i < count; i++)
		more |= finish_one(v, &list[i], list[i].nlookup, false);
	more |= icache_is_full(v, NODES_KEPT);
	UNLOCK(v);
	if (!more)
		return;
	WR_LOCK(v);
	for (i = 0; i < count; i++)
		finish_one(v, &list[i], 0, true);
	icache_shrink(v, NODES_KEPT);
	UNLOCK(v);
}

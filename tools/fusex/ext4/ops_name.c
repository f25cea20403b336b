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

/* Returns -EAGAIN if something is not in memory. */
static int lookup_fast(struct volume *v, const struct fusex_node *node,
		       const char *name, struct fusex_entry_reply *out)
{
	struct node *dir = op_peek(v, node), *n;
	struct dirent_at at;

	if (!dir || !dir->dir)
		return -EAGAIN;
	if (dir_find(dir, name, &at)) {
		absent(out);
		return 0;
	}
	n = node_peek(v, at.ino);
	node_put(v, n);
	if (!n || n->dead)
		return -EAGAIN;
	attr_entry(v, n, out);
	return 0;
}

static int lookup_slow(struct volume *v, const struct fusex_node *node,
		       const char *name, struct fusex_entry_reply *out)
{
	struct node *dir, *n;
	int ret;

	ret = op_node(v, node, &dir);
	if (ret)
		return ret;
	ret = name_lookup(v, dir, name, &n);
	if (!ret) {
		attr_entry(v, n, out);
		node_put(v, n);
	} else if (ret == -ENOENT) {
		absent(out);
		ret = 0;
	}
	node_put(v, dir);
	return ret;
}

int ext4_lookup(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, struct fusex_entry_reply *out)
{
	struct volume *v = volume_of(req);
	int ret;

	RD_LOCK(v);
	ret = lookup_fast(v, dir, name, out);
	UNLOCK(v);
	if (ret != -EAGAIN)
		return ret;
	WR_LOCK(v);
	ret = lookup_slow(v, dir, name, out);
	UNLOCK(v);
	return ret;
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

static int make_once(struct volume *v, const struct fusex_node *node,
		     const char *name, const struct make *mk,
		     struct fusex_entry_reply *out)
{
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, node, &dir);
	if (ret)
		return ret;
	ret = name_make(v, dir, name, mk, &n);
	if (!ret) {
		attr_entry(v, n, out);
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
	struct volume *v = volume_of(req);
	struct make mk;
	int ret, tries = 0;

	ret = fill_make(req, in, target, &mk);
	if (ret)
		return ret;
	do {
		ret = make_once(v, dir, name, &mk, out);
	} while (op_again(v, ret, &tries));
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

static int link_once(struct volume *v, const struct fusex_node *node,
		     const struct fusex_node *in, const char *name,
		     struct fusex_entry_reply *out)
{
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, in, &dir);
	if (ret)
		return ret;
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
	struct volume *v = volume_of(req);
	int ret, tries = 0;

	do {
		ret = link_once(v, node, dir, name, out);
	} while (op_again(v, ret, &tries));
	return ret;
}

static int remove_name(struct fusex_req *req, const struct fusex_node *node,
		       const char *name, bool directory, uint32_t flags,
		       struct fusex_unlink_out *out)
{
	struct volume *v = volume_of(req);
	struct node *dir, *n;
	int ret;

	ret = op_begin(v, node, &dir);
	if (ret)
		return ret;
	ret = name_unlink(v, dir, name, directory, flags & FUSEX_UNLINK_UNUSED,
			  &n);
	if (!ret) {
		attr_fill(v, dir, &out->dir);
		if (!n->dead)
			attr_fill(v, n, &out->node);
		node_put(v, n);
	}
	op_end(v, dir);
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

	ret = op_begin(v, from, &dir);
	if (ret)
		return ret;
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
	int ret, tries = 0;

	do {
		ret = rename_once(req, dir, name, dir2, name2, flags, out);
	} while (op_again(volume_of(req), ret, &tries));
	return ret;
}

/**
 * struct listing - a reply to READDIR being filled
 * @v: the file system
 * @dir: the directory
 * @out: the reply
 * @cookie: where to go on
 * @attrs: inodes are wanted, too
 * @load: those that are not in memory are read
 */
struct listing {
	struct volume	*v;
	struct node	*dir;
	struct fusex_dir *out;
	uint64_t	cookie;
	bool		attrs;
	bool		load;
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

/* Returns 1 with the inode in use, 0 if there is none to be had, or -EAGAIN. */
static int find_node(struct listing *l, const struct dir_name *name,
		     struct node **n)
{
	if (!l->attrs)
		return 0;
	*n = node_peek(l->v, name->at.ino);
	if (!*n && !l->load)
		return -EAGAIN;
	if (!*n && node_get(l->v, name->at.ino, n))
		return 0;
	if (!(*n)->dead)
		return 1;
	node_put(l->v, *n);
	return 0;
}

static int add_name(struct listing *l, const struct dir_name *name)
{
	struct fusex_entry_reply e;
	struct node *n = NULL;
	int there, ret;

	if (!fusex_dir_fits(l->out, name->len, l->attrs))
		return -ENOSPC;
	there = find_node(l, name, &n);
	if (there < 0)
		return there;
	if (there) {
		memset(&e, 0, offsetof(struct fusex_entry_reply, handle));
		attr_entry(l->v, n, &e);
	}
	ret = fusex_dir_add(l->out, name->name, name->at.ino,
			    dt_type(name->at.type), name->key,
			    there ? &e : NULL);
	if (there) {
		if (ret)
			n->lookups--;
		node_put(l->v, n);
	}
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

/* Removed, it has no names, not even those two. */
static int list_slow(struct listing *l, const struct fusex_node *node)
{
	int ret;

	ret = op_node(l->v, node, &l->dir);
	if (ret)
		return ret;
	l->load = true;
	if (!l->dir->raw.i_links_count) {
		fusex_dir_end(l->out);
	} else {
		ret = dir_load(l->v, l->dir);
		if (!ret)
			ret = dir_sort(l->dir);
		if (!ret)
			ret = list(l);
	}
	node_put(l->v, l->dir);
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
	int ret = -EAGAIN;

	RD_LOCK(l.v);
	l.dir = op_peek(l.v, node);
	if (l.dir && l.dir->dir && l.dir->raw.i_links_count &&
	    dir_is_sorted(l.dir))
		ret = list(&l);
	UNLOCK(l.v);
	if (ret != -EAGAIN)
		return ret;
	WR_LOCK(l.v);
	ret = list_slow(&l, node);
	UNLOCK(l.v);
	return ret;
}

static int resolve(struct volume *v, const struct fusex_node *node,
		   struct fusex_entry_reply *out)
{
	uint64_t ino = node->nodeid;
	struct node *n;
	int ret;

	if ((ino < EXT2_FIRST_INODE(v->fs->super) && ino != EXT2_ROOT_INO) ||
	    ino > v->fs->super->s_inodes_count ||
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

void ext4_forget(struct fusex_req *req, const struct fusex_forget_one *list,
		 size_t count)
{
	struct volume *v = volume_of(req);
	struct node *n;
	size_t i;

	WR_LOCK(v);
	for (i = 0; i < count; i++) {
		n = list[i].nodeid > UINT32_MAX ? NULL :
		    node_peek(v, (ext2_ino_t)list[i].nodeid);
		node_put(v, n);
		if (n && n->raw.i_generation == list[i].generation)
			node_forget(v, n, list[i].nlookup);
	}
	icache_shrink(v, NODES_KEPT);
	UNLOCK(v);
}

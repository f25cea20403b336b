// SPDX-License-Identifier: GPL-2.0
/* What the test server answers when it behaves. */
#include "answer.h"
#include "maps.h"
#include "tap.h"

#include <dirent.h>

void answer_attr_of(struct fusex_attr *a, uint64_t ino, uint32_t mode,
		    uint64_t size, uint32_t nlink)
{
	memset(a, 0, sizeof(*a));
	a->mask = FUSEX_ATTR_REQUIRED | FUSEX_ATTR_INO | FUSEX_ATTR_BLOCKS;
	a->mode = mode;
	a->ino = ino;
	a->size = size;
	a->blocks = (size + 511) / 512;
	a->nlink = nlink;
	a->atime.sec = 1000000000;
	a->mtime.sec = 1000000000;
	a->ctime.sec = 1000000000;
}

static void node_attr(struct raw *r, uint64_t id, struct fusex_attr *a)
{
	struct raw_node *n = &r->nodes[id];

	answer_attr_of(a, id, n->mode, n->size, n->nlink);
}

void answer_entry(struct raw *r, uint64_t id, struct fusex_entry *e)
{
	memset(e, 0, sizeof(*e));
	e->nodeid = id;
	e->attr_valid = FUSEX_FOREVER;
	e->entry_valid = FUSEX_FOREVER;
	node_attr(r, id, &e->attr);
}

static uint64_t new_node(struct raw *r, uint64_t parent, const char *name,
			 uint32_t mode)
{
	for (uint64_t id = RAW_ROOT; id < RAW_NODES; id++) {
		struct raw_node *n = &r->nodes[id];

		if (n->mode)
			continue;
		n->mode = mode;
		n->parent = parent;
		n->size = S_ISLNK(mode) ? 1 : S_ISREG(mode) ? RAW_SIZE : 0;
		n->nlink = S_ISDIR(mode) ? 2 : 1;
		snprintf(n->name, sizeof(n->name), "%s", name);
		return id;
	}
	return 0;
}

void answer_init(struct raw *r)
{
	memset(r->nodes, 0, sizeof(r->nodes));
	r->nodes[0].mode = S_IFREG;	/* never given away */
	new_node(r, 0, "", S_IFDIR | 0755);
	new_node(r, RAW_ROOT, "f", S_IFREG | 0644);
	new_node(r, RAW_ROOT, "d", S_IFDIR | 0755);
	new_node(r, RAW_ROOT, "l", S_IFLNK | 0777);
	new_node(r, RAW_ROOT, "g", S_IFREG | 0644);
}

static uint64_t find(struct raw *r, uint64_t parent, const char *name)
{
	for (uint64_t id = RAW_ROOT; id < RAW_NODES; id++)
		if (r->nodes[id].mode && r->nodes[id].parent == parent &&
		    !strcmp(r->nodes[id].name, name))
			return id;
	return 0;
}

static const void *arg_of(const struct fusex_in_header *in)
{
	return in + 1;
}

static const char *payload_of(const struct fusex_in_header *in)
{
	return (const char *)(in + 1) + in->arg_len +
		FUSEX_ALIGN(in->handle_len) + FUSEX_ALIGN(in->handle2_len);
}

static void *body(struct raw_reply *rep, size_t len)
{
	void *p = rep->body + rep->len;

	memset(p, 0, len);
	rep->len += len;
	return p;
}

static void fail(struct raw_reply *rep, int error)
{
	rep->oh.error = -error;
	rep->len = 0;
}

static void reply_entry(struct raw *r, uint64_t id, struct raw_reply *rep)
{
	struct fusex_entry_out *out = body(rep, sizeof(*out));

	answer_entry(r, id, &out->entry);
}

static void reply_attr(struct raw *r, uint64_t id, struct raw_reply *rep)
{
	struct fusex_attr_out *out = body(rep, sizeof(*out));

	out->attr_valid = FUSEX_FOREVER;
	node_attr(r, id, &out->attr);
}

static void on_lookup(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	uint64_t id = find(r, in->nodeid, payload_of(in));

	if (id)
		reply_entry(r, id, rep);
	else
		fail(rep, ENOENT);
}

static void on_make(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	const struct fusex_make_in *make = arg_of(in);
	const char *name = in->opcode == FUSEX_OP_TMPFILE ? "" : payload_of(in);
	uint64_t id;

	if (*name && find(r, in->nodeid, name)) {
		fail(rep, EEXIST);
		return;
	}
	id = new_node(r, in->nodeid, name, make->mode);
	if (!id) {
		fail(rep, ENOSPC);
		return;
	}
	r->nodes[id].size = S_ISLNK(make->mode) ? make->target_len : 0;
	reply_entry(r, id, rep);
	if (in->opcode == FUSEX_OP_CREATE || in->opcode == FUSEX_OP_TMPFILE)
		body(rep, sizeof(struct fusex_open_out));
}

static void on_link(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	const struct fusex_link_in *link = arg_of(in);

	/* The tree has one name a node: the link is there, unlisted. */
	r->nodes[link->node.nodeid].nlink++;
	reply_entry(r, link->node.nodeid, rep);
}

static void on_unlink(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	uint64_t id = find(r, in->nodeid, payload_of(in));

	if (!id) {
		fail(rep, ENOENT);
		return;
	}
	r->nodes[id].name[0] = 0;
	r->nodes[id].nlink = 0;
	body(rep, sizeof(struct fusex_unlink_out));
}

static void on_rename(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	const struct fusex_rename_in *ren = arg_of(in);
	const char *name = payload_of(in);
	const char *name2 = name + ren->name_len + 1;
	uint64_t id = find(r, in->nodeid, name);

	if (!id) {
		fail(rep, ENOENT);
		return;
	}
	r->nodes[id].parent = ren->dir2.nodeid;
	snprintf(r->nodes[id].name, sizeof(r->nodes[id].name), "%s", name2);
	body(rep, sizeof(struct fusex_rename_out));
}

static void on_setattr(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	const struct fusex_setattr_in *set = arg_of(in);
	struct raw_node *n = &r->nodes[in->nodeid];

	if (set->valid & FUSEX_SET_SIZE)
		n->size = set->size;
	if (set->valid & FUSEX_SET_MODE)
		n->mode = (n->mode & S_IFMT) | (set->mode & 07777);
	reply_attr(r, in->nodeid, rep);
}

static void on_read(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	const struct fusex_read_in *rd = arg_of(in);
	uint64_t size = r->nodes[in->nodeid].size;
	size_t n = 0;

	if (rd->offset < size)
		n = size - rd->offset < rd->size ? size - rd->offset : rd->size;
	memset(body(rep, n), 'x', n);
}

static void on_write(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	const struct fusex_write_in *wr = arg_of(in);
	struct fusex_write_out *out = body(rep, sizeof(*out));
	struct raw_node *n = &r->nodes[in->nodeid];

	out->written = wr->size;
	out->offset = wr->offset;
	out->attr_valid = FUSEX_FOREVER;
	if (wr->offset + wr->size > n->size)
		n->size = wr->offset + wr->size;
	node_attr(r, in->nodeid, &out->attr);
}

static void on_readdir(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	const struct fusex_readdir_in *rd = arg_of(in);

	for (uint64_t id = rd->cookie + 1; id < RAW_NODES; id++) {
		struct raw_node *n = &r->nodes[id];
		size_t len = strlen(n->name);
		size_t rec = sizeof(struct fusex_dirent) +
			sizeof(struct fusex_entry) + FUSEX_ALIGN(len);
		struct fusex_dirent *de;

		if (!n->mode || n->parent != in->nodeid || !len)
			continue;
		if (rep->len + rec > rd->size)
			break;
		de = body(rep, rec);
		de->reclen = rec;
		de->name_len = len;
		de->type = IFTODT(n->mode);
		de->flags = FUSEX_DIRENT_ENTRY;
		de->ino = id;
		de->cookie = id;
		answer_entry(r, id, (void *)(de + 1));
		memcpy((char *)(de + 1) + sizeof(struct fusex_entry), n->name,
		       len);
	}
}

static void on_xattr(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	const struct fusex_xattr_in *x = arg_of(in);
	const bool list = in->opcode == FUSEX_OP_LISTXATTR;
	const char *value = list ? "user.a" : "value";
	const size_t len = strlen(value) + list;
	struct fusex_xattr_out *out;

	(void)r;
	if (!list && strcmp(payload_of(in), "user.a")) {
		fail(rep, ENODATA);
		return;
	}
	out = body(rep, sizeof(*out));
	out->size = len;
	if (x->size && x->size < len)
		fail(rep, ERANGE);
	else if (x->size)
		memcpy(body(rep, len), value, len);
}

static void on_copy(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	const struct fusex_copy_range_in *cp = arg_of(in);
	struct fusex_write_out *out = body(rep, sizeof(*out));
	struct raw_node *n = &r->nodes[cp->node2.nodeid];

	out->written = cp->length;
	out->offset = cp->offset2;
	out->attr_valid = FUSEX_FOREVER;
	if (cp->offset2 + cp->length > n->size)
		n->size = cp->offset2 + cp->length;
	node_attr(r, cp->node2.nodeid, &out->attr);
}

static void on_lseek(const struct fusex_in_header *in, struct raw_reply *rep,
		     uint64_t size)
{
	const struct fusex_lseek_in *ls = arg_of(in);
	struct fusex_lseek_out *out = body(rep, sizeof(*out));

	out->offset = ls->whence == SEEK_DATA ? ls->offset : size;
}

static void on_statfs(struct raw_reply *rep)
{
	struct fusex_statfs_out *out = body(rep, sizeof(*out));

	out->bsize = 4096;
	out->frsize = 4096;
	out->blocks = 1000;
	out->bfree = 500;
	out->bavail = 500;
	out->files = 100;
	out->ffree = 50;
	out->namelen = FUSEX_NAME_MAX;
}

static void on_getlk(const struct fusex_in_header *in, struct raw_reply *rep)
{
	struct fusex_lock *out = body(rep, sizeof(*out));

	*out = *(const struct fusex_lock *)arg_of(in);
	out->flags = 0;
	out->type = F_UNLCK;
}

static void on_ioctl(const struct fusex_in_header *in, struct raw_reply *rep)
{
	const struct fusex_ioctl_in *io = arg_of(in);

	body(rep, sizeof(struct fusex_ioctl_out));
	body(rep, io->out_size);
}

static void answer_file(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	switch (in->opcode) {
	case FUSEX_OP_OPEN:
		body(rep, sizeof(struct fusex_open_out));
		break;
	case FUSEX_OP_READ:
		on_read(r, in, rep);
		break;
	case FUSEX_OP_WRITE:
		on_write(r, in, rep);
		break;
	case FUSEX_OP_READDIR:
		on_readdir(r, in, rep);
		break;
	case FUSEX_OP_LSEEK:
		on_lseek(in, rep, r->nodes[in->nodeid].size);
		break;
	case FUSEX_OP_COPY_RANGE:
		on_copy(r, in, rep);
		break;
	case FUSEX_OP_GETLK:
		on_getlk(in, rep);
		break;
	case FUSEX_OP_IOCTL:
		on_ioctl(in, rep);
		break;
	case FUSEX_OP_POLL:
		body(rep, sizeof(struct fusex_poll_out));
		break;
	case FUSEX_OP_STATFS:
		on_statfs(rep);
		break;
	default:	/* RELEASE, FLUSH, FSYNC, SYNCFS, SETLK, ACCESS */
		break;
	}
}

static void answer_name(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	switch (in->opcode) {
	case FUSEX_OP_LOOKUP:
		on_lookup(r, in, rep);
		break;
	case FUSEX_OP_READLINK:
		*(char *)body(rep, 1) = 'f';
		break;
	case FUSEX_OP_LINK:
		on_link(r, in, rep);
		break;
	case FUSEX_OP_UNLINK:
	case FUSEX_OP_RMDIR:
		on_unlink(r, in, rep);
		break;
	case FUSEX_OP_RENAME:
		on_rename(r, in, rep);
		break;
	case FUSEX_OP_RESOLVE:
		reply_entry(r, in->nodeid, rep);
		break;
	case FUSEX_OP_PARENT:
		reply_entry(r, r->nodes[in->nodeid].parent, rep);
		break;
	default:	/* CREATE, MKNOD, MKDIR, SYMLINK, TMPFILE */
		on_make(r, in, rep);
	}
}

static void answer_attr(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	switch (in->opcode) {
	case FUSEX_OP_SETATTR:
		on_setattr(r, in, rep);
		break;
	case FUSEX_OP_GETXATTR:
	case FUSEX_OP_LISTXATTR:
		on_xattr(r, in, rep);
		break;
	case FUSEX_OP_FILEATTR_GET:
		body(rep, sizeof(struct fusex_fileattr));
		break;
	default:	/* GETATTR, FALLOCATE, SETXATTR, REMOVEXATTR, ... */
		reply_attr(r, in->nodeid, rep);
	}
}

static void answer_tree(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	switch (in->opcode) {
	case FUSEX_OP_GETATTR:
	case FUSEX_OP_SETATTR:
	case FUSEX_OP_FALLOCATE:
	case FUSEX_OP_GETXATTR:
	case FUSEX_OP_SETXATTR:
	case FUSEX_OP_LISTXATTR:
	case FUSEX_OP_REMOVEXATTR:
	case FUSEX_OP_FILEATTR_GET:
	case FUSEX_OP_FILEATTR_SET:
		answer_attr(r, in, rep);
		break;
	case FUSEX_OP_LOOKUP:
	case FUSEX_OP_READLINK:
	case FUSEX_OP_CREATE:
	case FUSEX_OP_MKNOD:
	case FUSEX_OP_MKDIR:
	case FUSEX_OP_SYMLINK:
	case FUSEX_OP_TMPFILE:
	case FUSEX_OP_LINK:
	case FUSEX_OP_UNLINK:
	case FUSEX_OP_RMDIR:
	case FUSEX_OP_RENAME:
	case FUSEX_OP_RESOLVE:
	case FUSEX_OP_PARENT:
		answer_name(r, in, rep);
		break;
	default:
		answer_file(r, in, rep);
	}
}

void answer(struct raw *r, const struct fusex_in_header *in,
	    struct raw_reply *rep)
{
	pthread_mutex_lock(&r->lock);
	if (!maps_answer(r, in, rep))
		answer_tree(r, in, rep);
	maps_changed(r, in, rep);
	pthread_mutex_unlock(&r->lock);
}

void answer_write(struct raw *r, const struct fusex_in_header *in,
		  const struct fusex_write_in *wr, uint64_t size,
		  uint32_t nlink)
{
	struct {
		struct fusex_out_header oh;
		struct fusex_write_out out;
	} msg = {
		.oh = { .len = sizeof(msg), .unique = in->unique },
		.out = {
			.written = wr->size,
			.offset = wr->offset,
			.attr_valid = FUSEX_FOREVER,
		},
	};

	answer_attr_of(&msg.out.attr, in->nodeid, S_IFREG | 0644, size, nlink);
	OK(write(r->fd, &msg, sizeof(msg)));
}

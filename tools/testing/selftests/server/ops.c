// SPDX-License-Identifier: GPL-2.0
/*
 * The server's side: every operation counts itself and can be told to fail.
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "server.h"
#include "ops.h"

/* Counts the request; the errno the test wants as answer, or 0. */
static int begin(struct fusex_req *req)
{
	uint32_t op = fusex_req_header(req)->opcode;

	srv->writes_before[op] = srv->calls[FUSEX_OP_WRITE];
	srv->calls[op]++;
	return -srv->fail[op];
}

#define BEGIN(req)				\
	do {					\
		int begin_ = begin(req);	\
						\
		if (begin_)			\
			return begin_;		\
	} while (0)

static struct srv_node *node_of(const struct fusex_node *node)
{
	return &srv->nodes[node->nodeid];
}

static void fill_entry(uint64_t id, struct fusex_entry_reply *out)
{
	struct srv_node *node = &srv->nodes[id];

	out->entry.nodeid = id;
	out->entry.generation = node->generation;
	out->entry.io_mode = node->io_mode;
	out->entry.backing = node->backing;
	out->entry.flags = node->flags;
	out->entry.entry_valid = srv->entry_valid;
	out->entry.attr_valid = srv->attr_valid;
	out->entry.attr = node->attr;
}

static int do_lookup(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, struct fusex_entry_reply *out)
{
	struct srv_name *n;

	BEGIN(req);
	n = srv_find(dir->nodeid, name);
	if (n)
		fill_entry(n->node, out);
	else
		out->entry.entry_valid = srv->entry_valid;
	return 0;
}

static void do_forget(struct fusex_req *req,
		      const struct fusex_forget_one *list, size_t count)
{
	begin(req);
	for (size_t i = 0; i < count; i++)
		if (list[i].nodeid < SRV_NODES)
			srv->forgotten[list[i].nodeid] += list[i].nlookup;
}

static void fill_attr(const struct srv_node *node, struct fusex_attr_out *out)
{
	out->attr_valid = srv->attr_valid;
	out->attr = node->attr;
}

/* Seconds for which a thread waits that has answered. */
enum { PATIENCE = 5 };

static void linger(unsigned long call)
{
	time_t end = time(NULL) + PATIENCE;

	while (srv->lingers && srv->calls[FUSEX_OP_GETATTR] == call) {
		if (time(NULL) > end) {
			srv->lingered_in_vain++;
			break;
		}
		sched_yield();
	}
}

static int do_getattr(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_getattr_in *in,
		      struct fusex_attr_out *out)
{
	unsigned long call;

	BEGIN(req);
	call = srv->calls[FUSEX_OP_GETATTR];
	fill_attr(node_of(node), out);
	if (!srv->lingers)
		return 0;
	(void)fusex_reply_attr(req, out);
	linger(call);
	return FUSEX_DEFERRED;
}

/* Threads of the server change attributes one after the other. */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

static int set_attr(struct srv_node *n, const struct fusex_setattr_in *in,
		    struct fusex_attr_out *out)
{
	if (in->valid & FUSEX_SET_MODE)
		n->attr.mode = in->mode;
	if (in->valid & FUSEX_SET_UID)
		n->attr.uid = in->uid;
	if (in->valid & FUSEX_SET_GID)
		n->attr.gid = in->gid;
	if (in->valid & FUSEX_SET_MTIME)
		n->attr.mtime = in->mtime;
	if (in->valid & FUSEX_SET_SIZE) {
		if (in->size > SRV_DATA)
			return -EFBIG;
		if (in->size < n->attr.size)
			memset(n->data + in->size, 0, SRV_DATA - in->size);
		n->attr.size = in->size;
	}
	fill_attr(n, out);
	return 0;
}

static int do_setattr(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_setattr_in *in,
		      struct fusex_attr_out *out)
{
	int err;

	BEGIN(req);
	pthread_mutex_lock(&changing);
	err = set_attr(node_of(node), in, out);
	pthread_mutex_unlock(&changing);
	return err;
}

static int do_access(struct fusex_req *req, const struct fusex_node *node,
		     uint32_t mask)
{
	srv->access_mask = mask;
	BEGIN(req);
	return 0;
}

static ssize_t do_readlink(struct fusex_req *req,
			   const struct fusex_node *node, char *buf,
			   size_t size)
{
	struct srv_node *n = node_of(node);

	BEGIN(req);
	if (n->attr.size > size)
		return -ENAMETOOLONG;
	memcpy(buf, n->data, n->attr.size);
	return (ssize_t)n->attr.size;
}

static int make(uint64_t dir, const char *name, const struct fusex_make_in *in,
		struct fusex_entry_reply *out)
{
	uint64_t id = srv_add(dir, name, in->mode, NULL);

	if (!id)
		return -ENOSPC;
	srv->nodes[id].attr.uid = in->uid;
	srv->nodes[id].attr.gid = in->gid;
	fill_entry(id, out);
	return 0;
}

static int do_create(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_make_in *in,
		     struct fusex_entry_reply *out,
		     struct fusex_open_out *open)
{
	struct srv_name *n;

	BEGIN(req);
	n = srv_find(dir->nodeid, name);
	open->fh = 77;
	if (!n)
		return make(dir->nodeid, name, in, out);
	if (in->open_flags & O_EXCL)
		return -EEXIST;
	fill_entry(n->node, out);
	return 0;
}

static int do_mkdir(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_make_in *in,
		    struct fusex_entry_reply *out)
{
	BEGIN(req);
	if (srv_find(dir->nodeid, name))
		return -EEXIST;
	return make(dir->nodeid, name, in, out);
}

static int do_unlink(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_node *node,
		     uint32_t flags, struct fusex_unlink_out *out)
{
	const struct fusex_node_ref ref = { dir->nodeid, dir->generation, 0 };
	struct srv_name *n;

	srv->unlink_flags = flags;
	if (srv->inval_in_unlink)
		fusex_notify_inval_entry(fusex_req_session(req), &ref, name);
	BEGIN(req);
	n = srv_find(dir->nodeid, name);
	if (!n)
		return -ENOENT;
	srv->nodes[n->node].attr.nlink--;
	out->node = srv->nodes[n->node].attr;
	n->dir = 0;
	return 0;
}

static int do_rename(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_node *dir2,
		     const char *name2, uint32_t flags,
		     struct fusex_rename_out *out)
{
	struct srv_name *from, *to;

	BEGIN(req);
	from = srv_find(dir->nodeid, name);
	to = srv_find(dir2->nodeid, name2);
	if (!from)
		return -ENOENT;
	if (flags)
		return -EINVAL;
	if (to)
		to->dir = 0;
	strcpy(from->name, name2);
	from->dir = dir2->nodeid;
	return 0;
}

static int do_open(struct fusex_req *req, const struct fusex_node *node,
		   uint32_t flags, struct fusex_open_out *out)
{
	BEGIN(req);
	srv->open_flags = flags;
	out->fh = 77;
	if (node_of(node)->attr.mode & S_ISVTX && !S_ISDIR(node_of(node)->attr.mode))
		out->flags = FUSEX_OPEN_STREAM;
	return 0;
}

static int do_release(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_release_in *in)
{
	srv->last_release = *in;
	BEGIN(req);
	return 0;
}

static void unlock(void);

static int do_flush(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_flush_in *in)
{
	srv->last_flush = *in;
	BEGIN(req);
	if (srv->lock_held && in->lock_owner == srv->lock_owner)
		unlock();
	return 0;
}

static ssize_t read_data(const struct srv_node *n,
			 const struct fusex_read_in *in, void *buf)
{
	uint64_t end = n->has ? n->has : n->attr.size;
	size_t size = in->size;

	if (in->offset >= end)
		return 0;
	if (size > end - in->offset)
		size = end - in->offset;
	memcpy(buf, n->data + in->offset, size);
	return (ssize_t)size;
}

static int change_data(struct srv_node *n, const struct fusex_write_in *in,
		       const void *buf, struct fusex_write_out *out)
{
	uint64_t at = in->offset;
	uint32_t size = in->size;

	if (srv->takes && size > srv->takes)
		size = srv->takes;
	if (in->write_flags & FUSEX_WRITE_APPEND)
		at = n->attr.size;
	if (at + size > SRV_DATA)
		return -ENOSPC;
	memcpy(n->data + at, buf, size);
	if (n->attr.size < at + size)
		n->attr.size = at + size;
	if (in->write_flags & FUSEX_WRITE_MTIME)
		n->attr.mtime = in->mtime;
	out->written = size;
	out->offset = at;
	out->attr_valid = srv->attr_valid;
	out->attr = n->attr;
	return 0;
}

static int write_data(struct srv_node *n, const struct fusex_write_in *in,
		      const void *buf, struct fusex_write_out *out)
{
	int err;

	pthread_mutex_lock(&changing);
	err = change_data(n, in, buf, out);
	pthread_mutex_unlock(&changing);
	return err;
}

/* A READ, or a WRITE, that is not answered yet. */
struct kept {
	struct fusex_req *req;
	struct srv_node *node;
	const struct fusex_read_in *rd;
	void *to;
	const struct fusex_write_in *wr;
	const void *from;
};

static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[64];

static void answer_kept(const struct kept *k)
{
	struct fusex_write_out out = { 0 };
	int err;

	if (k->rd) {
		fusex_reply_data(k->req, k->to,
				 (size_t)read_data(k->node, k->rd, k->to));
		return;
	}
	err = write_data(k->node, k->wr, k->from, &out);
	if (err)
		fusex_reply_err(k->req, err);
	else
		fusex_reply_write(k->req, &out);
}

/* Keeps a request, or answers all when this is the last; false for neither. */
static bool keep(const struct kept *k)
{
	bool holds;

	pthread_mutex_lock(&keeping);
	holds = srv->hold;
	if (holds) {
		kept[srv->held++] = *k;
		if (srv->held == srv->hold) {
			srv->hold = 0;
			while (srv->held)
				answer_kept(&kept[--srv->held]);
		}
	}
	pthread_mutex_unlock(&keeping);
	return holds;
}

static ssize_t do_read(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_read_in *in, void *buf)
{
	struct kept k = {
		.req = req, .node = node_of(node), .rd = in, .to = buf,
	};

	BEGIN(req);
	return keep(&k) ? FUSEX_DEFERRED : read_data(k.node, in, buf);
}

static int do_write(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_write_in *in, const void *buf,
		    struct fusex_write_out *out)
{
	struct kept k = {
		.req = req, .node = node_of(node), .wr = in, .from = buf,
	};

	srv->last_write = *in;
	BEGIN(req);
	return keep(&k) ? FUSEX_DEFERRED : write_data(k.node, in, buf, out);
}

static int do_fsync(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_fsync_in *in)
{
	BEGIN(req);
	return 0;
}

static int do_readdir(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_readdir_in *in, struct fusex_dir *dir)
{
	uint64_t i;

	BEGIN(req);
	for (i = in->cookie; i < SRV_NAMES; i++) {
		struct fusex_entry_reply entry = { 0 };
		struct srv_name *n = &srv->names[i];
		bool attrs = in->flags & FUSEX_READDIR_ATTRS;

		if (n->dir != node->nodeid)
			continue;
		fill_entry(n->node, &entry);
		if (fusex_dir_add(dir, n->name, n->node,
				  IFTODT(entry.entry.attr.mode), i + 1,
				  attrs ? &entry : NULL))
			break;
	}
	if (i == SRV_NAMES && srv->says_end)
		fusex_dir_end(dir);
	return 0;
}

static int do_fallocate(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_fallocate_in *in,
			struct fusex_attr_out *out)
{
	BEGIN(req);
	return -EOPNOTSUPP;
}

static int do_lseek(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_lseek_in *in,
		    struct fusex_lseek_out *out)
{
	BEGIN(req);
	if (in->offset >= node_of(node)->attr.size)
		return -ENXIO;
	out->offset = in->whence == SEEK_DATA ? in->offset :
		node_of(node)->attr.size;
	return 0;
}

static ssize_t do_getxattr(struct fusex_req *req,
			   const struct fusex_node *node, const char *name,
			   void *value, size_t size)
{
	const char *x = node_of(node)->xattr;

	BEGIN(req);
	if (strcmp(name, "user.a") || !*x)
		return -ENODATA;
	if (size && size < strlen(x))
		return -ERANGE;
	if (size)
		memcpy(value, x, strlen(x));
	return (ssize_t)strlen(x);
}

static int do_fileattr_get(struct fusex_req *req,
			   const struct fusex_node *node,
			   struct fusex_fileattr *out)
{
	BEGIN(req);
	out->flags = (uint32_t)node_of(node)->attr.flags;
	return 0;
}

static int do_fileattr_set(struct fusex_req *req,
			   const struct fusex_node *node,
			   const struct fusex_fileattr *in,
			   struct fusex_attr_out *out)
{
	struct srv_node *n = node_of(node);

	BEGIN(req);
	n->attr.flags = in->flags;
	n->attr.mask |= FUSEX_ATTR_FLAGS;
	fill_attr(n, out);
	return 0;
}

static int do_getlk(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_lock *in, struct fusex_lock *out)
{
	BEGIN(req);
	if (!srv->lock_held)
		out->type = F_UNLCK;
	return 0;
}

/* The one request that may wait for the lock. */
static struct fusex_req *_Atomic waiting;

static void lock_cancelled(struct fusex_req *req, void *data)
{
	struct fusex_req *expected = req;

	srv->cancelled++;
	if (atomic_compare_exchange_strong(&waiting, &expected, NULL)) {
		srv->lock_waits--;
		fusex_reply_err(req, -EINTR);
	}
}

static int wait_for_lock(struct fusex_req *req)
{
	waiting = req;
	srv->lock_waits++;
	if (fusex_req_on_cancel(req, lock_cancelled, NULL)) {
		waiting = NULL;
		srv->lock_waits--;
		return -EINTR;
	}
	return FUSEX_DEFERRED;
}

/* The lock is free, or who waits for it has it. */
static void unlock(void)
{
	struct fusex_req *next = atomic_exchange(&waiting, NULL);

	srv->lock_held = !!next;
	if (next) {
		srv->lock_waits--;
		fusex_reply_err(next, 0);
	}
}

static int do_setlk(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_lock *in)
{
	BEGIN(req);
	if (in->type == F_UNLCK) {
		unlock();
		return 0;
	}
	if (!atomic_exchange(&srv->lock_held, 1)) {
		srv->lock_owner = in->owner;
		return 0;
	}
	if (!(in->flags & FUSEX_LOCK_WAIT))
		return -EAGAIN;
	return wait_for_lock(req);
}

static int do_ioctl(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_ioctl_in *in, const void *arg,
		    void *out)
{
	const uint32_t *from = arg;
	uint32_t *to = out;

	BEGIN(req);
	switch (in->cmd) {
	case SRV_IOC_ADD:
		*to = *from + 1;
		return 7;
	case SRV_IOC_GET:
		*to = 4711;
		return 0;
	case SRV_IOC_SET:
		srv->revents = *from;
		return 0;
	case SRV_IOC_NOARG:
		return 9;
	case SRV_IOC_BIG:
		for (int i = 0; i < 64; i++)
			to[i] = from[63 - i];
		return 0;
	}
	return -ENOTTY;
}

static int do_poll(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_poll_in *in, uint32_t *revents)
{
	if (in->flags & FUSEX_POLL_NOTIFY)
		srv->poll_kh = in->kh;
	BEGIN(req);
	*revents = srv->revents & in->events;
	return 0;
}

static int do_statfs(struct fusex_req *req, const struct fusex_node *node,
		     struct fusex_statfs_out *out)
{
	BEGIN(req);
	out->blocks = 1ull << 50;
	out->bfree = 1000;
	out->bavail = 900;
	out->files = SRV_NODES;
	out->ffree = 5;
	out->bsize = 65536;
	out->frsize = 4096;
	out->namelen = 63;
	return 0;
}

static int do_syncfs(struct fusex_req *req)
{
	BEGIN(req);
	return 0;
}

static int do_resolve(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_entry_reply *out)
{
	BEGIN(req);
	if (node->nodeid >= SRV_NODES ||
	    srv->nodes[node->nodeid].generation != node->generation)
		return -ESTALE;
	fill_entry(node->nodeid, out);
	return 0;
}

void srv_fill_ops(struct fusex_ops *ops, uint64_t without)
{
	memset(ops, 0, sizeof(*ops));
#define HAVE(op, name)					\
	do {						\
		if (!(without & 1ull << FUSEX_OP_##op))	\
			ops->name = do_##name;		\
	} while (0)
	HAVE(LOOKUP, lookup);
	HAVE(FORGET, forget);
	HAVE(GETATTR, getattr);
	HAVE(SETATTR, setattr);
	HAVE(ACCESS, access);
	HAVE(READLINK, readlink);
	HAVE(CREATE, create);
	HAVE(MKDIR, mkdir);
	HAVE(UNLINK, unlink);
	HAVE(RENAME, rename);
	HAVE(OPEN, open);
	HAVE(RELEASE, release);
	HAVE(FLUSH, flush);
	HAVE(READ, read);
	HAVE(WRITE, write);
	HAVE(FSYNC, fsync);
	HAVE(READDIR, readdir);
	HAVE(FALLOCATE, fallocate);
	HAVE(LSEEK, lseek);
	HAVE(GETXATTR, getxattr);
	HAVE(FILEATTR_GET, fileattr_get);
	HAVE(FILEATTR_SET, fileattr_set);
	HAVE(GETLK, getlk);
	HAVE(SETLK, setlk);
	HAVE(IOCTL, ioctl);
	HAVE(POLL, poll);
	HAVE(STATFS, statfs);
	HAVE(SYNCFS, syncfs);
	HAVE(RESOLVE, resolve);
#undef HAVE
}

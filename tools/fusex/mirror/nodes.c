// SPDX-License-Identifier: GPL-2.0
/*
 * Which file is which node.
 *
 * Where the file system underneath has file handles, and this process may use
 * them, nothing is stored about a node: its id is the inode number, its
 * generation a digest of the file handle, and the kernel brings the file handle
 * itself with each request.  So memory does not grow with the number of nodes,
 * and a node outlives this process.  What a handle cannot bring back is a file
 * without names that nobody has open: node_hold() sees to those that are open
 * elsewhere, by way of the kernel.
 *
 * Elsewhere nodetable.c holds each node by a descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mirror.h"
#include "sys.h"

/* Finalizer of splitmix64. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Inode numbers count for a device, of which there are several in a btrfs. */
static uint64_t nodeid_of(const struct mirror *m, const struct statx *stx)
{
	uint64_t dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
	uint64_t id = stx->stx_ino;

	if (dev != m->root_dev)
		id ^= mix(dev + 1);
	return id ? id : UINT64_MAX;
}

static uint32_t generation_of(const unsigned char *handle, size_t len)
{
	uint64_t h = len, word;
	size_t n;

	for (; len; handle += n, len -= n) {
		n = len < sizeof(word) ? len : sizeof(word);
		word = 0;
		memcpy(&word, handle, n);
		h = mix(h ^ word);
	}
	return (uint32_t)(h ^ h >> 32);
}

/*
 * Two system calls are needed to get to know a name, and the name may be another
 * file's in between.  All file systems that matter have the inode number, or its
 * lower half, in their handles.
 */
static bool fits(const unsigned char *handle, size_t len, uint64_t ino)
{
	uint32_t low = (uint32_t)ino;
	size_t i;

	for (i = 0; i + sizeof(low) <= len; i += sizeof(low))
		if (!memcmp(handle + i, &low, sizeof(low)))
			return true;
	return false;
}

/* Returns 0 when handle and attributes are one file's, or -EAGAIN. */
static int look(const struct mirror *m, const struct place *p,
		struct statx *stx, struct fusex_entry_reply *out)
{
	ssize_t len = 0;

	if (m->handles) {
		len = fusex_handle_encode(p->fd, p->name,
					  p->flags & AT_EMPTY_PATH,
					  out->handle);
		if (len < 0)
			return (int)len;
		if (len > MIRROR_HANDLE_MAX)
			return -EOVERFLOW;
	}
	if (statx(p->fd, p->name, p->flags | AT_NO_AUTOMOUNT, MIRROR_STATX,
		  stx))
		return -errno;
	if (stx->stx_mnt_id != m->mnt_id)
		return -EXDEV;
	out->entry.handle_len = (uint16_t)len;
	if (m->handles && *p->name && !fits(out->handle, (size_t)len,
					    stx->stx_ino))
		return -EAGAIN;
	return 0;
}

/* An O_PATH descriptor does not do, its name in /proc/self/fd does. */
static uint32_t hints_of_fd(const struct mirror *m, int fd)
{
	char name[PROC_NAME_MAX];
	const struct place p = {
		.fd = m->proc_fd, .name = attr_proc_name(fd, name),
	};

	return m->proc_fd < 0 ? 0 : xattr_hints(m, &p);
}

/* The same by way of a descriptor: whoever gets the name, it is one file. */
static int look_closely(struct mirror *m, const struct place *p,
			struct statx *stx, struct fusex_entry_reply *out)
{
	struct place p2;
	int ret;

	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	ret = sys_open_beneath(p->fd, p->name, O_PATH | O_NOFOLLOW, 0);
	if (ret >= 0) {
		p2 = place_of_fd(ret);
		ret = look(m, &p2, stx, out);
		if (!ret)
			out->entry.flags = hints_of_fd(m, p2.fd);
		close(p2.fd);
	}
	fdcache_unreserve(m->fds);
	return ret;
}

/*
 * That a file has no ACL is not to be said of another one that had the name a
 * moment before, and where others may rename, only a descriptor tells.
 */
static int look_and_hint(struct mirror *m, const struct place *p,
			 struct statx *stx, struct fusex_entry_reply *out)
{
	int ret = -EAGAIN;

	if (m->local || !*p->name) {
		ret = look(m, p, stx, out);
		if (!ret)
			out->entry.flags = xattr_hints(m, p);
	}
	if (ret == -EAGAIN)
		ret = look_closely(m, p, stx, out);
	return ret;
}

int node_enter(struct mirror *m, const struct place *p,
	       struct fusex_entry_reply *out)
{
	struct statx stx;
	int ret;

	ret = look_and_hint(m, p, &stx, out);
	if (!ret && m->table)
		ret = nodetable_enter(m, p, &stx, out);
	if (ret)
		return ret;
	if (!m->table) {
		out->entry.nodeid = nodeid_of(m, &stx);
		out->entry.generation = generation_of(out->handle,
						      out->entry.handle_len);
	}
	attr_fill(&stx, &out->entry.attr);
	modes_choose(m, p, &out->entry);
	out->entry.entry_valid = m->valid;
	out->entry.attr_valid = m->valid;
	return 0;
}

/*
 * Lookups are not counted here, and a FORGET is sent a while after its node was
 * dropped.  By now the file may have been looked up again, opened and deleted,
 * and what is pinned be all that is left of it.  So the kernel is asked, by a
 * notification that does nothing to a node in use: there will be another FORGET
 * if it knows the node.
 */
static bool is_known_again(struct mirror *m, uint64_t nodeid,
			   uint32_t generation)
{
	const struct fusex_node_ref ref = { nodeid, generation, 0 };
	int ret = m->se ? fusex_notify_prune(m->se, &ref, 1) : -ENOTCONN;

	/* When in doubt, better too much is kept than too little. */
	return ret != -ENOENT && ret != -ENOTCONN && ret != -ENODEV;
}

static void forget_one(struct mirror *m, const struct fusex_forget_one *one)
{
	if (fdcache_forget(m->fds, one->nodeid, one->generation, false) &&
	    !is_known_again(m, one->nodeid, one->generation))
		fdcache_forget(m->fds, one->nodeid, one->generation, true);
	dirs_forget(m, one->nodeid, one->generation);
}

void nodes_forget(struct mirror *m, const struct fusex_forget_one *list,
		  size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		forget_one(m, &list[i]);
	modes_forget(m, list, count);
	if (m->table)
		fusex_itable_forget(m->table, list, count);
}

void mirror_forget(struct fusex_req *req, const struct fusex_forget_one *list,
		   size_t count)
{
	nodes_forget(mirror_of(req), list, count);
}

void node_leave(struct mirror *m, const struct fusex_entry_reply *out)
{
	struct fusex_forget_one one = {
		.nodeid = out->entry.nodeid,
		.generation = out->entry.generation,
		.nlookup = 1,
	};

	modes_forget(m, &one, 1);
	if (m->table)
		fusex_itable_forget(m->table, &one, 1);
}

static bool is_root(const struct mirror *m, const struct fusex_node *node)
{
	return node->nodeid == m->root.nodeid &&
	       node->generation == m->root.generation;
}

static int open_proc(const struct mirror *m, int fd, int flags)
{
	char name[PROC_NAME_MAX];
	int ret;

	ret = openat(m->proc_fd, attr_proc_name(fd, name), flags);
	return ret < 0 ? -errno : ret;
}

/* Opens what is open already, if it is; the handle may be of no use any more. */
static int open_once(struct mirror *m, const struct fusex_node *node, int flags)
{
	struct fusex_node_ref held;
	struct cached_fd *cfd;
	int ret;

	flags |= O_CLOEXEC | O_NOCTTY;
	if (is_root(m, node))
		return open_proc(m, m->root_fd, flags);
	if (m->table) {
		ret = nodetable_hold(m, node, &held);
		if (ret >= 0)
			ret = open_proc(m, ret, flags);
		nodetable_release(m, &held);
		return ret;
	}
	cfd = m->proc_fd < 0 ? NULL :
	      fdcache_get(m->fds, node->nodeid, node->generation, FD_PATH);
	if (!cfd)
		return fusex_handle_open(m->root_fd, node->handle,
					 node->handle_len, flags);
	ret = open_proc(m, cfd->fd, flags);
	fdcache_put(m->fds, cfd);
	return ret;
}

/*
 * O_NOATIME is for owners, append-only files want O_APPEND, and a file may be
 * writable without being readable.
 */
static int open_data(struct mirror *m, const struct fusex_node *node,
		     unsigned int need, unsigned int *can)
{
	int flags = need & FD_WRITE ? O_RDWR : O_RDONLY, fd;

	*can = FD_PATH | FD_READ | (need & FD_WRITE);
	fd = open_once(m, node, flags | m->noatime);
	if (fd == -EPERM && m->noatime)
		fd = open_once(m, node, flags);
	if (fd == -EPERM && need == FD_WRITE)
		fd = open_once(m, node, flags | O_APPEND);
	if (fd == -EACCES && need == FD_WRITE) {
		*can = FD_PATH | FD_WRITE;
		fd = open_once(m, node, O_WRONLY);
	}
	return fd;
}

static int open_new(struct mirror *m, const struct fusex_node *node,
		    unsigned int need, struct fdref *ref)
{
	unsigned int can = FD_PATH;
	int fd, ret;

	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	if (need == FD_PATH)
		fd = open_once(m, node, O_PATH | O_NOFOLLOW);
	else
		fd = open_data(m, node, need, &can);
	if (fd < 0) {
		fdcache_unreserve(m->fds);
		return fd;
	}
	ref->cfd = fdcache_add(m->fds, node->nodeid, node->generation, fd, can);
	if (!ref->cfd)
		return -ENOMEM;
	if (need == FD_WRITE)
		house_writer(m);
	return 0;
}

int node_fd(struct mirror *m, const struct fusex_node *node, unsigned int need,
	    struct fdref *ref)
{
	int ret;

	ref->cfd = NULL;
	ref->node.nodeid = 0;
	if (need != FD_WRITE && is_root(m, node)) {
		ref->fd = m->root_fd;
		ref->can = FD_PATH | FD_READ;
		return 0;
	}
	if (need == FD_PATH && m->table) {
		ref->fd = nodetable_hold(m, node, &ref->node);
		ref->can = FD_PATH;
		return ref->fd < 0 ? ref->fd : 0;
	}
	ref->cfd = fdcache_get(m->fds, node->nodeid, node->generation, need);
	if (!ref->cfd) {
		ret = open_new(m, node, need, ref);
		if (ret)
			return ret;
	}
	ref->fd = ref->cfd->fd;
	ref->can = ref->cfd->can;
	return 0;
}

int node_dir(struct mirror *m, const struct fusex_node *node,
	     struct fdref *ref)
{
	int ret;

	/* One that can be read serves for reading it as well. */
	if (m->table || is_root(m, node))
		return node_fd(m, node, FD_PATH, ref);
	ref->node.nodeid = 0;
	ref->cfd = fdcache_get(m->fds, node->nodeid, node->generation, FD_PATH);
	if (ref->cfd) {
		ref->fd = ref->cfd->fd;
		ref->can = ref->cfd->can;
		return 0;
	}
	ret = node_fd(m, node, FD_READ, ref);
	return ret == -EACCES ? node_fd(m, node, FD_PATH, ref) : ret;
}

void node_put(struct mirror *m, struct fdref *ref)
{
	fdcache_put(m->fds, ref->cfd);
	ref->cfd = NULL;
	nodetable_release(m, &ref->node);
}

void node_cache(struct mirror *m, const struct fusex_entry *entry, int fd,
		unsigned int can, bool pin)
{
	struct cached_fd *cfd;

	cfd = fdcache_add(m->fds, entry->nodeid, entry->generation, fd, can);
	if (!cfd)
		return;
	if (pin)
		(void)fdcache_pin(m->fds, cfd);
	fdcache_put(m->fds, cfd);
	if (can & FD_WRITE)
		house_writer(m);
}

/* Makes a descriptor of the name, under the node that it really is. */
static int hold_name(struct mirror *m, int dirfd, const char *name,
		     struct cached_fd **held)
{
	struct fusex_entry_reply out;
	struct statx stx;
	struct place p;
	int fd, ret;

	out.entry.handle_len = 0;
	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	fd = sys_open_beneath(dirfd, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0) {
		fdcache_unreserve(m->fds);
		return fd;
	}
	p = place_of_fd(fd);
	ret = look(m, &p, &stx, &out);
	if (ret) {
		close(fd);
		fdcache_unreserve(m->fds);
		return ret;
	}
	*held = fdcache_add(m->fds, nodeid_of(m, &stx),
			    generation_of(out.handle, out.entry.handle_len),
			    fd, FD_PATH);
	return *held ? 0 : -ENOMEM;
}

int node_hold(struct mirror *m, int dirfd, const char *name,
	      const struct fusex_node *node, struct cached_fd **held)
{
	*held = NULL;
	if (m->table)
		return 0;
	/* Only where nobody else makes changes is the name what it was. */
	if (m->local && node)
		*held = fdcache_get(m->fds, node->nodeid, node->generation,
				    FD_PATH);
	return *held ? 0 : hold_name(m, dirfd, name, held);
}

bool node_let_go(struct mirror *m, const struct fusex_node *node,
		 struct cached_fd **last)
{
	*last = NULL;
	/* Only where nobody else makes changes is the name what it was. */
	return m->local && !m->table &&
	       !fdcache_take(m->fds, node->nodeid, node->generation, last);
}

struct room room_begin(struct mirror *m)
{
	struct room room = { fdcache_closed(m->fds), 0 };

	return room;
}

/* Is there one without a name that the kernel has dropped already? */
static bool is_one_leaving(struct mirror *m)
{
	struct fusex_node_ref refs[ROOM_ASKED];
	unsigned int n = fdcache_pinned(m->fds, refs, ROOM_ASKED);

	while (n--)
		if (!is_known_again(m, refs[n].nodeid, refs[n].generation))
			return true;
	return false;
}

/*
 * The last to have a removed file open may have closed it a moment ago.  Its
 * FORGET is sent later, on a busy machine much later, but it is sent.
 */
static bool room_await(struct mirror *m, uint64_t closed)
{
	bool leaving = true;
	unsigned int i;

	for (i = 0; leaving && i < ROOM_WAITS; i++) {
		if (fdcache_await(m->fds, closed))
			return true;
		leaving = is_one_leaving(m);
		/* A large file takes its time, and is not among them any more. */
		fdcache_settle(m->fds);
		if (fdcache_closed(m->fds) != closed)
			return true;
	}
	return false;
}

bool room_retry(struct mirror *m, struct room *room, int ret)
{
	uint64_t closed = room->closed;

	if ((ret != -ENOSPC && ret != -EDQUOT) || room->tries == ROOM_TRIES)
		return false;
	room->tries++;
	fdcache_settle(m->fds);
	room->closed = fdcache_closed(m->fds);
	if (room->closed != closed)
		return true;
	return room_await(m, closed);
}

/* A FORGET that came in between is for who had it before, or is the last one. */
static void pin(struct mirror *m, struct cached_fd *held)
{
	if (fdcache_pin(m->fds, held) &&
	    !is_known_again(m, held->nodeid, held->generation))
		fdcache_forget(m->fds, held->nodeid, held->generation, true);
}

void node_removed(struct mirror *m, struct cached_fd *held, bool removed,
		  struct fusex_attr *attr)
{
	struct statx stx;

	if (!held)
		return;
	if (removed) {
		if (statx(held->fd, "", AT_EMPTY_PATH, MIRROR_STATX, &stx)) {
			pin(m, held);
		} else {
			if (!stx.stx_nlink || S_ISDIR(stx.stx_mode))
				pin(m, held);
			if (attr)
				attr_fill(&stx, attr);
		}
	}
	fdcache_put(m->fds, held);
}

int nodes_init(struct mirror *m, unsigned int fd_limit,
	       struct fusex_entry_reply *root)
{
	const struct place p = place_of_fd(m->root_fd);
	int ret = 0;

	pthread_mutex_init(&m->nodes_lock, NULL);
	pthread_mutex_init(&m->pos_lock, NULL);
	m->fds = fdcache_new(fd_limit);
	if (!m->fds)
		return -ENOMEM;
	ret = modes_init(m);
	if (!ret && !m->handles)
		ret = nodetable_init(m);
	if (!ret)
		ret = node_enter(m, &p, root);
	if (ret) {
		nodes_exit(m);
		return ret;
	}
	m->root.nodeid = root->entry.nodeid;
	m->root.generation = root->entry.generation;
	return 0;
}

void nodes_exit(struct mirror *m)
{
	modes_exit(m);
	nodetable_exit(m);
	fdcache_free(m->fds);
	m->fds = NULL;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Reading directories.
 *
 * Nothing is opened and closed, a request says where to go on.  So that the
 * next one need not look for the place again, what a request leaves unread is
 * kept for a while, with the descriptor: a stream.  A stream serves one request
 * at a time; a second reader of the same directory gets another one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mirror.h"
#include "sys.h"

#define BUF_SIZE	32768
/* How many are kept. */
#define MAX_IDLE	16

/**
 * struct stream - a directory being read
 * @next: list of those kept, the one used last comes first
 * @nodeid: the directory
 * @generation: its generation
 * @fd: a descriptor with a position of its own
 * @cookie: where it goes on
 * @ended: it was read to the end
 * @old: what is in @buf was read before somebody else began
 * @pos: next entry in @buf
 * @len: bytes of entries in @buf
 * @buf: struct linux_dirent64
 */
struct stream {
	struct stream	*next;
	uint64_t	nodeid;
	uint32_t	generation;
	int		fd;
	uint64_t	cookie;
	bool		ended;
	bool		old;
	size_t		pos;
	size_t		len;
	char		buf[BUF_SIZE] __attribute__((aligned(8)));
};

/**
 * struct dirstreams - streams that nobody uses at the moment
 * @lock: protects the list
 * @idle: the list
 */
struct dirstreams {
	pthread_mutex_t	lock;
	struct stream	*idle;
};

int dirs_init(struct mirror *m)
{
	m->streams = calloc(1, sizeof(*m->streams));
	if (!m->streams)
		return -ENOMEM;
	pthread_mutex_init(&m->streams->lock, NULL);
	return 0;
}

static void stream_close(struct mirror *m, struct stream *s)
{
	close(s->fd);
	fdcache_unreserve(m->fds);
	free(s);
}

void dirs_exit(struct mirror *m)
{
	struct dirstreams *ds = m->streams;
	struct stream *s;

	if (!ds)
		return;
	while ((s = ds->idle)) {
		ds->idle = s->next;
		stream_close(m, s);
	}
	pthread_mutex_destroy(&ds->lock);
	free(ds);
	m->streams = NULL;
}

static bool is_of(const struct stream *s, uint64_t nodeid, uint32_t generation)
{
	return s->nodeid == nodeid && s->generation == generation;
}

/* Whose reader goes on at the cookie; to begin with, one whose reader is done. */
static bool goes_on(const struct stream *s, uint64_t cookie)
{
	return cookie ? s->cookie == cookie : s->ended;
}

/*
 * Who begins now must not be given later on what another reader's stream has
 * had in its buffer since before: names were made in between.
 */
static void begins(struct dirstreams *ds, const struct fusex_node *node)
{
	struct stream *s;

	for (s = ds->idle; s; s = s->next)
		if (is_of(s, node->nodeid, node->generation))
			s->old = true;
}

static struct stream *take(struct dirstreams *ds, const struct fusex_node *node,
			   uint64_t cookie)
{
	struct stream **link, *s;

	pthread_mutex_lock(&ds->lock);
	if (!cookie)
		begins(ds, node);
	for (link = &ds->idle; (s = *link); link = &s->next) {
		if (is_of(s, node->nodeid, node->generation) &&
		    goes_on(s, cookie)) {
			*link = s->next;
			break;
		}
	}
	pthread_mutex_unlock(&ds->lock);
	return s;
}

/* Files are to have most of the descriptors. */
static unsigned int max_idle(const struct mirror *m)
{
	unsigned int part = fdcache_limit(m->fds) / 4;

	return part < MAX_IDLE ? part : MAX_IDLE;
}

static void keep(struct mirror *m, struct stream *s)
{
	struct dirstreams *ds = m->streams;
	struct stream **link, *last = NULL;
	unsigned int n = 0;

	pthread_mutex_lock(&ds->lock);
	s->next = ds->idle;
	ds->idle = s;
	for (link = &ds->idle; *link; link = &(*link)->next) {
		if (++n > max_idle(m)) {
			last = *link;
			*link = NULL;
			break;
		}
	}
	pthread_mutex_unlock(&ds->lock);
	if (last)
		stream_close(m, last);
}

void dirs_forget(struct mirror *m, uint64_t nodeid, uint32_t generation)
{
	struct dirstreams *ds = m->streams;
	struct stream **link, *s, *found = NULL;

	pthread_mutex_lock(&ds->lock);
	for (link = &ds->idle; (s = *link);) {
		if (is_of(s, nodeid, generation)) {
			*link = s->next;
			s->next = found;
			found = s;
		} else {
			link = &s->next;
		}
	}
	pthread_mutex_unlock(&ds->lock);
	while ((s = found)) {
		found = s->next;
		stream_close(m, s);
	}
}

/* A new open file: descriptors of the cache share their position. */
static int open_again(const struct mirror *m, int fd)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	char name[PROC_NAME_MAX];
	int ret;

	ret = openat(fd, ".", flags | m->noatime);
	if (ret < 0 && errno == EPERM && m->noatime)
		ret = openat(fd, ".", flags);
	/* "." wants the permission to search, not only the one to read. */
	if (ret < 0 && errno == EACCES && m->proc_fd >= 0)
		ret = openat(m->proc_fd, attr_proc_name(fd, name), flags);
	return ret < 0 ? -errno : ret;
}

static int stream_open(struct mirror *m, const struct fusex_node *node, int fd,
		       struct stream **out)
{
	struct stream *s;
	int ret;

	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	s = malloc(sizeof(*s));
	if (!s) {
		ret = -ENOMEM;
		goto unreserve;
	}
	ret = open_again(m, fd);
	if (ret < 0)
		goto free;
	s->nodeid = node->nodeid;
	s->generation = node->generation;
	s->fd = ret;
	s->cookie = 0;
	s->ended = false;
	s->old = false;
	s->pos = 0;
	s->len = 0;
	*out = s;
	return 0;
free:
	free(s);
unreserve:
	fdcache_unreserve(m->fds);
	return ret;
}

static int stream_seek(struct stream *s, uint64_t cookie)
{
	if (s->cookie == cookie && cookie && !s->old)
		return 0;
	if (lseek(s->fd, (off_t)cookie, SEEK_SET) < 0)
		return -errno;
	s->cookie = cookie;
	s->ended = false;
	s->old = false;
	s->pos = 0;
	s->len = 0;
	return 0;
}

/* The entry to go on with, NULL at the end or with an error. */
static struct dirent64 *peek(struct stream *s, int *err)
{
	ssize_t n;

	*err = 0;
	if (s->pos == s->len) {
		n = sys_getdents(s->fd, s->buf, sizeof(s->buf));
		/* A directory that was removed has no entries. */
		if (n == -ENOENT)
			n = 0;
		s->pos = 0;
		s->len = n > 0 ? (size_t)n : 0;
		if (n <= 0) {
			s->ended = true;
			*err = (int)n;
			return NULL;
		}
	}
	return (struct dirent64 *)(s->buf + s->pos);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Nodes that nobody asked for are not to crowd out those somebody does. */
static bool with_entry(struct mirror *m, const struct dirent64 *de, bool attrs)
{
	return attrs && !is_dots(de->d_name) &&
	       (!m->table || nodetable_roomy(m, 2));
}

/* Of a file that took the place of another since, its own. */
static uint8_t type_of(const struct dirent64 *de,
		       const struct fusex_entry_reply *out)
{
	return out ? (uint8_t)IFTODT(out->entry.attr.mode) : de->d_type;
}

/* Returns 0, or -ENOENT for a name that is gone meanwhile, or -ENOSPC. */
static int add(struct mirror *m, int dirfd, const struct dirent64 *de,
	       bool attrs, struct fusex_dir *dir)
{
	struct place p = place_of(dirfd, de->d_name);
	struct fusex_entry_reply out;
	bool entry = false;
	int ret;

	if (with_entry(m, de, attrs)) {
		memset(&out, 0, offsetof(struct fusex_entry_reply, handle));
		ret = node_enter(m, &p, &out);
		if (ret == -ENOENT)
			return ret;
		/* What cannot be looked up has a name all the same. */
		entry = !ret;
	}
	ret = fusex_dir_add(dir, de->d_name, de->d_ino,
			    type_of(de, entry ? &out : NULL),
			    (uint64_t)de->d_off, entry ? &out : NULL);
	if (ret && entry)
		node_leave(m, &out);
	return ret;
}

/* It is gone meanwhile, or has a name that the interface has no room for. */
static bool is_skipped(int err)
{
	return err == -ENOENT || err == -ENAMETOOLONG;
}

/* An error counts when nothing was found before it; else it comes up again. */
static int fill(struct mirror *m, struct stream *s, bool attrs,
		struct fusex_dir *dir)
{
	bool some = false;
	struct dirent64 *de;
	int ret;

	while ((de = peek(s, &ret))) {
		if (!fusex_dir_fits(dir, strlen(de->d_name), attrs))
			break;
		ret = add(m, s->fd, de, attrs, dir);
		if (ret && !is_skipped(ret))
			break;
		some |= !ret;
		s->pos += de->d_reclen;
		s->cookie = (uint64_t)de->d_off;
	}
	if (!de && !ret)
		fusex_dir_end(dir);
	return some || ret == -ENOSPC ? 0 : ret;
}

int mirror_readdir(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_readdir_in *in, struct fusex_dir *dir)
{
	bool attrs = in->flags & FUSEX_READDIR_ATTRS;
	struct mirror *m = mirror_of(req);
	struct stream *s;
	struct fdref ref;
	int ret = 0;

	s = take(m->streams, node, in->cookie);
	if (!s) {
		ret = node_dir(m, node, &ref);
		if (!ret)
			ret = stream_open(m, node, ref.fd, &s);
		node_put(m, &ref);
		if (ret)
			return ret;
	}
	ret = stream_seek(s, in->cookie);
	if (!ret)
		ret = fill(m, s, attrs, dir);
	if (ret)
		stream_close(m, s);
	else
		keep(m, s);
	return ret;
}

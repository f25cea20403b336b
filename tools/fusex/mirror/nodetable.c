// SPDX-License-Identifier: GPL-2.0
/*
 * The nodes of a source without file handles, or of a server that may not use
 * them: each is held by an O_PATH descriptor from the first lookup until the
 * kernel forgets it.  An inode number belongs to its file that long, so device
 * and inode number say which node a file is.
 *
 * There cannot be more nodes than descriptors.  When it becomes crowded the
 * kernel is asked to forget those it does not use, beginning with those known
 * for longest.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mirror.h"
#include "sys.h"

#define KEY_SIZE	(2 * sizeof(uint64_t))
/* The most that is asked for at a time. */
#define PRUNE_MAX	512
/* Crowded: less than one of that many descriptors is left. */
#define CROWDED		8

static_assert(offsetof(struct table_node, ino) == sizeof(uint64_t),
	      "dev and ino are the key");

/* The list is a ring; mirror.nodes is the one known for longest. */
static void list_add(struct mirror *m, struct table_node *node)
{
	pthread_mutex_lock(&m->nodes_lock);
	if (m->nodes) {
		node->next = m->nodes;
		node->prev = m->nodes->prev;
		node->prev->next = node;
		node->next->prev = node;
	} else {
		node->next = node;
		node->prev = node;
		m->nodes = node;
	}
	pthread_mutex_unlock(&m->nodes_lock);
}

static void list_remove(struct mirror *m, struct table_node *node)
{
	pthread_mutex_lock(&m->nodes_lock);
	if (m->nodes == node)
		m->nodes = node->next == node ? NULL : node->next;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	pthread_mutex_unlock(&m->nodes_lock);
}

static void destroy(void *obj, void *data)
{
	struct table_node *node = obj;
	struct mirror *m = data;

	if (node->next)
		list_remove(m, node);
	close(node->fd);
	fdcache_unreserve(m->fds);
	free(node);
}

int nodetable_init(struct mirror *m)
{
	m->table = fusex_itable_new(KEY_SIZE, destroy, m);
	return m->table ? 0 : -ENOMEM;
}

void nodetable_exit(struct mirror *m)
{
	fusex_itable_free(m->table);
	m->table = NULL;
}

static int open_path(const struct mirror *m, const struct place *p)
{
	char name[PROC_NAME_MAX];
	int fd;

	if (*p->name)
		return sys_open_beneath(p->fd, p->name, O_PATH | O_NOFOLLOW, 0);
	fd = openat(m->proc_fd, attr_proc_name(p->fd, name),
		    O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The object of a file and what there is to know about it, or NULL. */
static struct table_node *make_node(struct mirror *m, const struct place *p,
				    struct statx *stx, int *err)
{
	struct table_node *node = calloc(1, sizeof(*node));

	*err = node ? fdcache_reserve(m->fds) : -ENOMEM;
	if (*err) {
		free(node);
		return NULL;
	}
	node->fd = open_path(m, p);
	if (node->fd < 0) {
		*err = node->fd;
		goto fail;
	}
	if (statx(node->fd, "", AT_EMPTY_PATH, MIRROR_STATX, stx)) {
		*err = -errno;
		close(node->fd);
		goto fail;
	}
	node->dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
	node->ino = stx->stx_ino;
	return node;
fail:
	fdcache_unreserve(m->fds);
	free(node);
	return NULL;
}

/* Somebody else may add the file meanwhile. */
static int add_node(struct mirror *m, const struct place *p, struct statx *stx,
		    struct fusex_node_ref *id)
{
	struct table_node *node, *there;
	int err;

	node = make_node(m, p, stx, &err);
	if (!node)
		return err;
	there = fusex_itable_add(m->table, &node->dev, node, id);
	if (there == node) {
		node->nodeid = id->nodeid;
		node->generation = id->generation;
		list_add(m, node);
		return 0;
	}
	destroy(node, m);
	return there ? 0 : -ENOMEM;
}

bool nodetable_roomy(struct mirror *m, unsigned int part)
{
	bool roomy = fdcache_room(m->fds) >= fdcache_limit(m->fds) / part;

	if (!roomy)
		house_crowded(m);
	return roomy;
}

static bool is_file(const struct statx *stx, const uint64_t key[2])
{
	uint64_t dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;

	return dev == key[0] && stx->stx_ino == key[1];
}

int nodetable_enter(struct mirror *m, const struct place *p,
		    struct statx *stx, struct fusex_entry_reply *out)
{
	uint64_t key[2] = {
		(uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor,
		stx->stx_ino,
	};
	struct fusex_node_ref id;
	int ret = 0;

	if (!fusex_itable_find(m->table, key, &id)) {
		nodetable_roomy(m, CROWDED);
		ret = add_node(m, p, stx, &id);
		/* The name is another file's by now: its ACL is not known. */
		if (!ret && !is_file(stx, key))
			out->entry.flags = 0;
	}
	if (!ret)
		fusex_entry_set_id(out, &id);
	return ret;
}

int nodetable_hold(struct mirror *m, const struct fusex_node *node,
		   struct fusex_node_ref *held)
{
	const struct table_node *n = NULL;

	*held = (struct fusex_node_ref){ node->nodeid, node->generation, 0 };
	if (!fusex_itable_ref(m->table, held, 1))
		n = fusex_itable_get(m->table, node);
	if (n)
		return n->fd;
	held->nodeid = 0;
	return -ESTALE;
}

void nodetable_release(struct mirror *m, struct fusex_node_ref *held)
{
	const struct fusex_forget_one one = {
		.nodeid = held->nodeid,
		.generation = held->generation,
		.nlookup = 1,
	};

	if (!held->nodeid)
		return;
	held->nodeid = 0;
	fusex_itable_forget(m->table, &one, 1);
}

void nodetable_prune(struct mirror *m)
{
	struct fusex_node_ref refs[PRUNE_MAX];
	struct table_node *node;
	size_t n = 0;

	/* What is asked for now comes last the next time. */
	pthread_mutex_lock(&m->nodes_lock);
	node = m->nodes;
	while (node && n < PRUNE_MAX) {
		refs[n].nodeid = node->nodeid;
		refs[n].generation = node->generation;
		refs[n++].reserved = 0;
		node = node->next;
		if (node == m->nodes)
			break;
	}
	m->nodes = node;
	pthread_mutex_unlock(&m->nodes_lock);
	if (n)
		fusex_notify_prune(m->se, refs, n);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What was taken in advance is taken back when there is no other space.
 *
 * A file that is written from front to back has more space than it needs, and the
 * kernel may know where, and write there without asking.  So it is asked to give
 * that back: MAP_RETURN says that it does not go by what it knew any more, and then
 * the space is free.  Where data goes by way of the server, the kernel knows nothing,
 * and it is free at once.
 *
 * It is some files at a time, until who wants space has found it, or all were asked.
 *
 * Who wants space waits for that, but not for long: the kernel may be waiting for
 * the answer before it can give back anything.  An answer that comes after that, and
 * those that others wait for, are told apart by their files.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ext4.h"

/* Files that are asked for at a time, at most. */
#define FILES_MAX	64u
#define SECONDS_MAX	2

/**
 * struct recall - a file whose space is wanted
 * @node: it
 * @lease: of its mappings, 0 if it is local
 * @offset: from where on, bytes
 * @due: it is waited for
 */
struct recall {
	struct fusex_node_ref node;
	uint64_t	lease;
	uint64_t	offset;
	bool		due;
};

/**
 * struct wish - of somebody who wants space
 * @next: who else does
 * @list: the files
 * @count: how many
 * @due: how many of them are waited for
 */
struct wish {
	struct wish	*next;
	struct recall	*list;
	unsigned int	count;
	unsigned int	due;
};

/* Without mappings nothing in the kernel goes by it, also of who wants more. */
static bool is_wanted(const struct volume *v, const struct node *n,
		      uint64_t self)
{
	return n->reserved && !n->dead && (n->ino != self || !v->iomap);
}

/* What the kernel does not know is free at once.  Returns true if it was that. */
static bool take_at_once(struct volume *v, struct node *n)
{
	if (n->lookups || n->users)
		return false;
	node_unused(v, n);
	return true;
}

/* Called alone.  Returns how many files the kernel has to be told about. */
static unsigned int collect(struct volume *v, uint64_t self, size_t *from,
			    struct recall *list, bool *some)
{
	unsigned int count = 0;
	struct node *n;

	for (; *from <= v->nodes_mask && count < FILES_MAX / 2; ++*from) {
		for (n = v->nodes[*from]; n && count < FILES_MAX; n = n->next) {
			if (!is_wanted(v, n, self))
				continue;
			if (take_at_once(v, n)) {
				*some = true;
				continue;
			}
			list[count++] = (struct recall){
				.node = { .nodeid = n->ino,
					  .generation = n->raw.i_generation },
				.lease = remote_lease(v, n),
				.offset = map_spare(v, n) << v->block_bits,
			};
			if (!v->iomap && !map_trim(v, n))
				*some = true;
		}
	}
	return count;
}

/* Called with the lock of recalls, as what follows. */
static void fulfil(struct volume *v, struct wish *w, struct recall *r)
{
	if (!r->due)
		return;
	r->due = false;
	w->due--;
	if (!w->due)
		pthread_cond_broadcast(&v->recalls.change);
}

static void unlink_wish(struct volume *v, const struct wish *w)
{
	struct wish **link = &v->recalls.first;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
}

void reclaim_returned(struct volume *v, const struct fusex_node *node)
{
	struct wish *w;
	unsigned int i;

	pthread_mutex_lock(&v->recalls.lock);
	for (w = v->recalls.first; w; w = w->next)
		for (i = 0; i < w->count; i++)
			if (w->list[i].node.nodeid == node->nodeid &&
			    w->list[i].node.generation == node->generation)
				fulfil(v, w, &w->list[i]);
	pthread_mutex_unlock(&v->recalls.lock);
}

/* Returns false if that takes too long; then nobody waits for it any more. */
static bool wait_returned(struct volume *v, struct wish *w)
{
	struct timespec until;
	bool all;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SECONDS_MAX;
	pthread_mutex_lock(&v->recalls.lock);
	while (w->due)
		if (pthread_cond_timedwait(&v->recalls.change,
					   &v->recalls.lock, &until) ==
		    ETIMEDOUT)
			break;
	all = !w->due;
	unlink_wish(v, w);
	pthread_mutex_unlock(&v->recalls.lock);
	return all;
}

/* The answer may come before it is known that there will be one. */
static void begin_wish(struct volume *v, struct wish *w)
{
	unsigned int i;

	for (i = 0; i < w->count; i++)
		w->list[i].due = true;
	w->due = w->count;
	pthread_mutex_lock(&v->recalls.lock);
	w->next = v->recalls.first;
	v->recalls.first = w;
	pthread_mutex_unlock(&v->recalls.lock);
}

static void ask(struct volume *v, struct wish *w, struct recall *r)
{
	if (!fusex_notify_map_recall(v->se, &r->node, r->lease, r->offset, 0))
		return;
	pthread_mutex_lock(&v->recalls.lock);
	fulfil(v, w, r);
	pthread_mutex_unlock(&v->recalls.lock);
}

/* Returns false if the kernel does not give back what it was asked for. */
static bool ask_all(struct volume *v, struct recall *list, unsigned int count)
{
	struct wish w = { .list = list, .count = count };
	unsigned int i;

	begin_wish(v, &w);
	for (i = 0; i < count; i++)
		ask(v, &w, &list[i]);
	return wait_returned(v, &w);
}

/* Some of the files from a place of the table on.  Returns true if they had some. */
static bool reclaim_some(struct volume *v, uint64_t self, size_t *from,
			 struct recall *list)
{
	uint64_t freed = v->freed;
	unsigned int count, i;
	bool some = false;

	WR_LOCK(v);
	count = collect(v, self, from, list, &some);
	UNLOCK(v);
	if (v->se && v->iomap && !ask_all(v, list, count))
		*from = v->nodes_mask + 1;
	/* How many blocks these files have it does not know by itself. */
	for (i = 0; v->se && i < count; i++)
		fusex_notify_inval_inode(v->se, &list[i].node,
					 FUSEX_INVAL_ATTR, 0, 0);
	return some || alloc_waits(v) || v->freed != freed;
}

bool reclaim(struct volume *v, uint64_t self, size_t *from)
{
	struct recall *list = malloc(FILES_MAX * sizeof(*list));
	bool some = false;

	if (!list)
		return false;
	while (*from <= v->nodes_mask && !some)
		some = reclaim_some(v, self, from, list);
	free(list);
	return some;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What was taken in advance is taken back when there is no other space.
 *
 * A file that is written from front to back has more space than it needs, and the
 * kernel may know where, and write there without asking.  So it is asked to give
 * that back: MAP_RETURN says that it does not go by what it knew any more, and then
 * the space is free.
 *
 * Who wants space waits for that, but not for long: the kernel may be waiting for
 * the answer before it can give back anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ext4.h"

/* Files that are asked for at a time. */
#define FILES_MAX	64u
#define SECONDS_MAX	2

/**
 * struct recall - a file whose space is wanted
 * @node: it
 * @lease: of its mappings, 0 if it is local
 * @offset: from where on, bytes
 */
struct recall {
	struct fusex_node_ref node;
	uint64_t	lease;
	uint64_t	offset;
};

static bool is_wanted(const struct node *n, uint64_t self)
{
	return n->reserved && !n->dead && n->ino != self;
}

/* What the kernel does not know is free at once.  Returns true if it was that. */
static bool take_at_once(struct volume *v, struct node *n)
{
	if (n->lookups || n->users)
		return false;
	node_unused(v, n);
	return true;
}

/* Called alone.  Returns how many have to be asked for. */
static unsigned int collect(struct volume *v, uint64_t self,
			    struct recall *list, bool *some)
{
	unsigned int count = 0;
	struct node *n;
	size_t i;

	for (i = 0; i <= v->nodes_mask && count < FILES_MAX; i++) {
		for (n = v->nodes[i]; n && count < FILES_MAX; n = n->next) {
			if (!is_wanted(n, self))
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
		}
	}
	return count;
}

static void wait_more(struct volume *v)
{
	pthread_mutex_lock(&v->recalls.lock);
	v->recalls.count++;
	pthread_mutex_unlock(&v->recalls.lock);
}

void reclaim_returned(struct volume *v)
{
	pthread_mutex_lock(&v->recalls.lock);
	/* It may come when nobody waits any more. */
	if (v->recalls.count) {
		v->recalls.count--;
		if (!v->recalls.count)
			pthread_cond_broadcast(&v->recalls.change);
	}
	pthread_mutex_unlock(&v->recalls.lock);
}

static void wait_returned(struct volume *v)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SECONDS_MAX;
	pthread_mutex_lock(&v->recalls.lock);
	while (v->recalls.count)
		if (pthread_cond_timedwait(&v->recalls.change,
					   &v->recalls.lock, &until) ==
		    ETIMEDOUT)
			break;
	/* Those that are late are not waited for any more. */
	v->recalls.count = 0;
	pthread_mutex_unlock(&v->recalls.lock);
}

/* Returns true if the kernel is going to give it back. */
static bool ask(struct volume *v, const struct recall *r)
{
	wait_more(v);
	if (!fusex_notify_map_recall(v->se, &r->node, r->lease, r->offset, 0))
		return true;
	reclaim_returned(v);
	return false;
}

bool reclaim(struct volume *v, uint64_t self)
{
	struct recall *list = malloc(FILES_MAX * sizeof(*list));
	unsigned int count, asked = 0, i;
	bool some = false;

	if (!list)
		return false;
	WR_LOCK(v);
	count = collect(v, self, list, &some);
	UNLOCK(v);
	for (i = 0; v->se && i < count; i++)
		asked += ask(v, &list[i]);
	if (asked)
		wait_returned(v);
	/* How many blocks these files have it does not know by itself. */
	for (i = 0; v->se && i < count; i++)
		fusex_notify_inval_inode(v->se, &list[i].node,
					 FUSEX_INVAL_ATTR, 0, 0);
	free(list);
	return some || asked;
}

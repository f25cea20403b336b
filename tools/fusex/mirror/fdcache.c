// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fdcache.h"

#define MAX_BUCKETS	65536u
/* How many are closed outside the lock at a time. */
#define BATCH		16
/* Seconds to wait for room. */
#define PATIENCE	2
/* The kernel keeps FORGETs back for a fifth of this. */
#define AWAIT_NS	100000000
#define SECOND_NS	1000000000

/**
 * struct fd_list - descriptors in the order in which they were added
 * @oldest: one end
 * @newest: the other
 */
struct fd_list {
	struct cached_fd	*oldest;
	struct cached_fd	*newest;
};

/**
 * struct fdcache - descriptors by node
 * @lock: protects everything, descriptors are closed without it
 * @limit: of @count, those that are pinned come on top
 * @most: of @count in any case
 * @pinned: descriptors that are pinned and can be found
 * @count: descriptors that are open, and rooms that are reserved
 * @nr_unused: descriptors in @unused
 * @writers: descriptors for writing that can be found
 * @clock: calls of fdcache_age()
 * @waiting: those who wait for @room
 * @room: there is a room, or an unused descriptor
 * @unused: unused ones, the oldest to be closed first
 * @taken: descriptors that were taken and are not closed yet
 * @tickets: how many were taken, stamps of @taken
 * @closed: how many of them are closed; accessed atomically
 * @settled: @closed has grown
 * @mask: number of buckets - 1
 * @buckets: hash of nodes
 */
struct fdcache {
	pthread_mutex_t		lock;
	unsigned int		limit;
	unsigned int		most;
	unsigned int		pinned;
	unsigned int		count;
	unsigned int		nr_unused;
	unsigned int		writers;
	uint32_t		clock;
	unsigned int		waiting;
	pthread_cond_t		room;
	struct fd_list		unused;
	struct fd_list		taken;
	uint32_t		tickets;
	uint64_t		closed;
	pthread_cond_t		settled;
	uint32_t		mask;
	struct cached_fd	*buckets[];
};

struct fdcache *fdcache_new(unsigned int limit)
{
	pthread_condattr_t attr;
	struct fdcache *cache;
	uint32_t n = 64;

	while (n < limit && n < MAX_BUCKETS)
		n *= 2;
	cache = calloc(1, sizeof(*cache) + n * sizeof(cache->buckets[0]));
	if (!cache)
		return NULL;
	pthread_mutex_init(&cache->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cache->room, &attr);
	pthread_cond_init(&cache->settled, &attr);
	pthread_condattr_destroy(&attr);
	cache->limit = limit;
	cache->most = limit;
	cache->mask = n - 1;
	return cache;
}

void fdcache_set_most(struct fdcache *cache, unsigned int most)
{
	cache->most = most;
}

static bool has_room(const struct fdcache *cache)
{
	return cache->count < cache->most &&
	       cache->count - cache->pinned < cache->limit;
}

static struct cached_fd **bucket(struct fdcache *cache, uint64_t nodeid)
{
	return &cache->buckets[(nodeid * 0x9e3779b97f4a7c15ull >> 40) &
			       cache->mask];
}

static bool is_node(const struct cached_fd *cfd, uint64_t nodeid,
		    uint32_t generation)
{
	return cfd->nodeid == nodeid && cfd->generation == generation;
}

static void room_made(struct fdcache *cache)
{
	if (cache->waiting)
		pthread_cond_signal(&cache->room);
}

/* Gives the room of a descriptor that was closed back. */
static void give_room(struct fdcache *cache)
{
	cache->count--;
	room_made(cache);
}

static void list_insert(struct fd_list *list, struct cached_fd *cfd,
			uint32_t stamp)
{
	cfd->newer = NULL;
	cfd->older = list->newest;
	if (list->newest)
		list->newest->newer = cfd;
	else
		list->oldest = cfd;
	list->newest = cfd;
	cfd->stamp = stamp;
}

static void list_remove(struct fd_list *list, struct cached_fd *cfd)
{
	if (cfd->newer)
		cfd->newer->older = cfd->older;
	else
		list->newest = cfd->older;
	if (cfd->older)
		cfd->older->newer = cfd->newer;
	else
		list->oldest = cfd->newer;
}

static void idle_insert(struct fdcache *cache, struct cached_fd *cfd)
{
	list_insert(&cache->unused, cfd, cache->clock);
	cache->nr_unused++;
	room_made(cache);
}

static void idle_remove(struct fdcache *cache, struct cached_fd *cfd)
{
	list_remove(&cache->unused, cfd);
	cache->nr_unused--;
}

static void hash_insert(struct fdcache *cache, struct cached_fd *cfd)
{
	struct cached_fd **head = bucket(cache, cfd->nodeid);

	cfd->hash_next = *head;
	*head = cfd;
	cfd->gone = false;
	if (cfd->pinned)
		cache->pinned++;
	if (cfd->can & FD_WRITE)
		cache->writers++;
}

static void hash_remove(struct fdcache *cache, struct cached_fd *cfd)
{
	struct cached_fd **link = bucket(cache, cfd->nodeid);

	while (*link != cfd)
		link = &(*link)->hash_next;
	*link = cfd->hash_next;
	cfd->gone = true;
	if (cfd->pinned)
		cache->pinned--;
	if (cfd->can & FD_WRITE)
		cache->writers--;
}

/* Takes an unused one out of the cache.  It keeps its room until closed. */
static void take_idle(struct fdcache *cache, struct cached_fd *cfd)
{
	if (!cfd->pinned)
		idle_remove(cache, cfd);
	hash_remove(cache, cfd);
}

/* Called without the lock, about one that is in no list. */
static void dispose(struct fdcache *cache, struct cached_fd *cfd)
{
	close(cfd->fd);
	free(cfd);
	fdcache_unreserve(cache);
}

void fdcache_free(struct fdcache *cache)
{
	struct cached_fd *cfd;
	uint32_t i;

	if (!cache)
		return;
	for (i = 0; i <= cache->mask; i++) {
		while ((cfd = cache->buckets[i])) {
			cache->buckets[i] = cfd->hash_next;
			close(cfd->fd);
			free(cfd);
		}
	}
	pthread_cond_destroy(&cache->settled);
	pthread_cond_destroy(&cache->room);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct cached_fd *find(struct fdcache *cache, uint64_t nodeid,
			      uint32_t generation, unsigned int need)
{
	struct cached_fd *cfd;

	for (cfd = *bucket(cache, nodeid); cfd; cfd = cfd->hash_next)
		if (is_node(cfd, nodeid, generation) &&
		    (cfd->can & need) == need)
			return cfd;
	return NULL;
}

struct cached_fd *fdcache_get(struct fdcache *cache, uint64_t nodeid,
			      uint32_t generation, unsigned int need)
{
	struct cached_fd *cfd;

	pthread_mutex_lock(&cache->lock);
	cfd = find(cache, nodeid, generation, need);
	if (cfd && !cfd->users++ && !cfd->pinned)
		idle_remove(cache, cfd);
	pthread_mutex_unlock(&cache->lock);
	return cfd;
}

void fdcache_put(struct fdcache *cache, struct cached_fd *cfd)
{
	bool last = false;

	if (!cfd)
		return;
	pthread_mutex_lock(&cache->lock);
	if (!--cfd->users) {
		if (cfd->gone)
			last = true;
		else if (!cfd->pinned)
			idle_insert(cache, cfd);
	}
	pthread_mutex_unlock(&cache->lock);
	if (last)
		dispose(cache, cfd);
}

/* Whether there is a room, or one that can be made, within the time. */
static bool wait_for_room(struct fdcache *cache)
{
	struct timespec until;
	int ret = 0;

	if (has_room(cache) || cache->unused.oldest)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE;
	cache->waiting++;
	while (!ret && !has_room(cache) && !cache->unused.oldest)
		ret = pthread_cond_timedwait(&cache->room, &cache->lock,
					     &until);
	cache->waiting--;
	return has_room(cache) || cache->unused.oldest;
}

int fdcache_reserve(struct fdcache *cache)
{
	struct cached_fd *victim = NULL;
	int ret = 0;

	pthread_mutex_lock(&cache->lock);
	if (!wait_for_room(cache)) {
		ret = -ENFILE;
	} else if (has_room(cache)) {
		cache->count++;
	} else {
		victim = cache->unused.oldest;
		take_idle(cache, victim);
	}
	pthread_mutex_unlock(&cache->lock);
	/* The room of the one that goes is the room reserved. */
	if (victim) {
		close(victim->fd);
		free(victim);
	}
	return ret;
}

void fdcache_unreserve(struct fdcache *cache)
{
	pthread_mutex_lock(&cache->lock);
	give_room(cache);
	pthread_mutex_unlock(&cache->lock);
}

/* Returns one that @cfd makes superfluous, taken out of the cache. */
static struct cached_fd *take_lesser(struct fdcache *cache,
				     const struct cached_fd *cfd)
{
	struct cached_fd *other;

	for (other = *bucket(cache, cfd->nodeid); other;
	     other = other->hash_next) {
		if (other != cfd && !other->users && !other->pinned &&
		    is_node(other, cfd->nodeid, cfd->generation) &&
		    (other->can & cfd->can) == other->can) {
			take_idle(cache, other);
			break;
		}
	}
	return other;
}

struct cached_fd *fdcache_add(struct fdcache *cache, uint64_t nodeid,
			      uint32_t generation, int fd, unsigned int can)
{
	struct cached_fd *cfd = calloc(1, sizeof(*cfd)), *lesser;

	if (!cfd) {
		close(fd);
		fdcache_unreserve(cache);
		return NULL;
	}
	cfd->fd = fd;
	cfd->can = (uint8_t)can;
	cfd->users = 1;
	cfd->nodeid = nodeid;
	cfd->generation = generation;
	pthread_mutex_lock(&cache->lock);
	hash_insert(cache, cfd);
	lesser = take_lesser(cache, cfd);
	pthread_mutex_unlock(&cache->lock);
	if (lesser)
		dispose(cache, lesser);
	return cfd;
}

bool fdcache_pin(struct fdcache *cache, struct cached_fd *cfd)
{
	bool gone;

	pthread_mutex_lock(&cache->lock);
	gone = cfd->gone;
	if (!gone && !cfd->pinned)
		cache->pinned++;
	cfd->pinned = true;
	if (gone)
		hash_insert(cache, cfd);
	room_made(cache);
	pthread_mutex_unlock(&cache->lock);
	return gone;
}

void fdcache_unpin(struct fdcache *cache, uint64_t nodeid,
		   uint32_t generation)
{
	struct cached_fd *cfd;

	pthread_mutex_lock(&cache->lock);
	for (cfd = *bucket(cache, nodeid); cfd; cfd = cfd->hash_next) {
		if (!cfd->pinned || !is_node(cfd, nodeid, generation))
			continue;
		cfd->pinned = false;
		cache->pinned--;
		if (!cfd->users)
			idle_insert(cache, cfd);
	}
	pthread_mutex_unlock(&cache->lock);
}

/* Takes the next one of the node out of the cache, if nobody uses it. */
static struct cached_fd *forget_next(struct fdcache *cache, uint64_t nodeid,
				     uint32_t generation, bool pinned)
{
	struct cached_fd *cfd;

	for (cfd = *bucket(cache, nodeid); cfd; cfd = cfd->hash_next)
		if (is_node(cfd, nodeid, generation) &&
		    (pinned || !cfd->pinned))
			break;
	if (!cfd)
		return NULL;
	if (!cfd->users)
		take_idle(cache, cfd);
	else
		hash_remove(cache, cfd);
	return cfd;
}

/* Is one open that was taken before that ticket was given out? */
static bool taken_before(const struct fdcache *cache, uint32_t ticket)
{
	const struct cached_fd *oldest = cache->taken.oldest;

	return oldest && (int32_t)(oldest->stamp - ticket) < 0;
}

/* @taken: for one that is not to be closed, or NULL. */
static bool forget(struct fdcache *cache, uint64_t nodeid, uint32_t generation,
		   bool pinned, struct cached_fd **taken)
{
	bool unused, take, counts, left;
	struct cached_fd *cfd;

	do {
		unused = false;
		pthread_mutex_lock(&cache->lock);
		cfd = forget_next(cache, nodeid, generation, pinned);
		if (cfd)
			unused = !cfd->users;
		take = unused && taken && !*taken;
		/* What is pinned takes its time as well: the last of a file. */
		counts = unused && (take || cfd->pinned);
		if (counts)
			list_insert(&cache->taken, cfd, cache->tickets++);
		left = find(cache, nodeid, generation, 0);
		pthread_mutex_unlock(&cache->lock);
		if (take)
			*taken = cfd;
		else if (counts)
			fdcache_close(cache, cfd);
		else if (unused)
			dispose(cache, cfd);
	} while (cfd);
	return left;
}

bool fdcache_forget(struct fdcache *cache, uint64_t nodeid,
		    uint32_t generation, bool pinned)
{
	return forget(cache, nodeid, generation, pinned, NULL);
}

bool fdcache_take(struct fdcache *cache, uint64_t nodeid, uint32_t generation,
		  struct cached_fd **taken)
{
	*taken = NULL;
	return forget(cache, nodeid, generation, false, taken);
}

void fdcache_close(struct fdcache *cache, struct cached_fd *cfd)
{
	if (!cfd)
		return;
	close(cfd->fd);
	pthread_mutex_lock(&cache->lock);
	give_room(cache);
	list_remove(&cache->taken, cfd);
	__atomic_add_fetch(&cache->closed, 1, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&cache->settled);
	pthread_mutex_unlock(&cache->lock);
	free(cfd);
}

uint64_t fdcache_closed(struct fdcache *cache)
{
	return __atomic_load_n(&cache->closed, __ATOMIC_ACQUIRE);
}

void fdcache_settle(struct fdcache *cache)
{
	uint32_t ticket;

	pthread_mutex_lock(&cache->lock);
	ticket = cache->tickets;
	while (taken_before(cache, ticket))
		pthread_cond_wait(&cache->settled, &cache->lock);
	pthread_mutex_unlock(&cache->lock);
}

bool fdcache_await(struct fdcache *cache, uint64_t closed)
{
	struct timespec until;
	bool more;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += AWAIT_NS;
	if (until.tv_nsec >= SECOND_NS) {
		until.tv_nsec -= SECOND_NS;
		until.tv_sec++;
	}
	pthread_mutex_lock(&cache->lock);
	while (cache->closed == closed &&
	       (cache->pinned || cache->taken.oldest) &&
	       !pthread_cond_timedwait(&cache->settled, &cache->lock, &until))
		;
	more = cache->closed != closed;
	pthread_mutex_unlock(&cache->lock);
	return more;
}

unsigned int fdcache_pinned(struct fdcache *cache, struct fusex_node_ref *refs,
			    unsigned int max)
{
	const struct cached_fd *cfd;
	unsigned int n = 0;
	size_t i;

	pthread_mutex_lock(&cache->lock);
	for (i = 0; i <= cache->mask && n < cache->pinned && n < max; i++)
		for (cfd = cache->buckets[i]; cfd && n < max;
		     cfd = cfd->hash_next)
			if (cfd->pinned)
				refs[n++] = (struct fusex_node_ref){
					cfd->nodeid, cfd->generation, 0,
				};
	pthread_mutex_unlock(&cache->lock);
	return n;
}

/* Takes up to BATCH old writers; the list is in the order of their stamps. */
static unsigned int take_old_writers(struct fdcache *cache,
				     struct cached_fd **old)
{
	struct cached_fd *cfd, *newer;
	unsigned int n = 0;

	for (cfd = cache->unused.oldest; cfd && n < BATCH; cfd = newer) {
		newer = cfd->newer;
		if (cache->clock - cfd->stamp < 2)
			break;
		if (cfd->can & FD_WRITE) {
			take_idle(cache, cfd);
			old[n++] = cfd;
		}
	}
	return n;
}

unsigned int fdcache_age(struct fdcache *cache)
{
	struct cached_fd *old[BATCH];
	unsigned int i, n, left;

	pthread_mutex_lock(&cache->lock);
	cache->clock++;
	pthread_mutex_unlock(&cache->lock);
	do {
		pthread_mutex_lock(&cache->lock);
		n = take_old_writers(cache, old);
		left = cache->writers;
		pthread_mutex_unlock(&cache->lock);
		for (i = 0; i < n; i++)
			dispose(cache, old[i]);
	} while (n == BATCH);
	return left;
}

unsigned int fdcache_count(struct fdcache *cache)
{
	unsigned int n;

	pthread_mutex_lock(&cache->lock);
	n = cache->count;
	pthread_mutex_unlock(&cache->lock);
	return n;
}

unsigned int fdcache_room(struct fdcache *cache)
{
	unsigned int used;

	pthread_mutex_lock(&cache->lock);
	used = cache->count - cache->nr_unused;
	pthread_mutex_unlock(&cache->lock);
	return used < cache->limit ? cache->limit - used : 0;
}

unsigned int fdcache_limit(const struct fdcache *cache)
{
	return cache->limit;
}

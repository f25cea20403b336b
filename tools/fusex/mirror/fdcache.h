/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptors of nodes, so that a request need not open what the one before it
 * had open, and never more of them than a limit.
 *
 * Those that are in use, and those that are pinned because the file has no name
 * any more and could not be opened again, stay.  Of the others the one that was
 * not used for longest goes when room is needed.
 */
#ifndef FUSEX_MIRROR_FDCACHE_H
#define FUSEX_MIRROR_FDCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fusex.h>

/* What a descriptor can do. */
#define FD_PATH		1u	/* name the file in *at() calls */
#define FD_READ		2u
#define FD_WRITE	4u

struct fdcache;

/**
 * struct cached_fd - a descriptor of a node
 * @fd: the descriptor
 * @can: FD_* bits
 *
 * The rest is the cache's own.
 */
struct cached_fd {
	int			fd;
	uint8_t			can;
	bool			pinned;
	bool			gone;
	uint32_t		users;
	uint32_t		generation;
	uint32_t		stamp;
	uint64_t		nodeid;
	struct cached_fd	*hash_next;
	struct cached_fd	*older;
	struct cached_fd	*newer;
};

/**
 * fdcache_new() - make a cache
 * @limit: how many descriptors there may be, at least 1
 *
 * Return: the cache, or NULL with errno ENOMEM.
 */
struct fdcache *fdcache_new(unsigned int limit);

/**
 * fdcache_set_most() - let what is pinned come on top of the limit
 * @cache: the cache, not used yet
 * @most: how many descriptors there may be with them, at least the limit
 */
void fdcache_set_most(struct fdcache *cache, unsigned int most);

/** fdcache_free() - close all, and free the cache (NULL is ignored) */
void fdcache_free(struct fdcache *cache);

/**
 * fdcache_get() - a descriptor that is there
 * @cache: the cache
 * @nodeid: the node
 * @generation: its generation
 * @need: FD_* bits it must have
 *
 * Return: it, to be given back by fdcache_put(), or NULL.
 */
struct cached_fd *fdcache_get(struct fdcache *cache, uint64_t nodeid,
			      uint32_t generation, unsigned int need);

/** fdcache_put() - give a descriptor back (NULL is ignored) */
void fdcache_put(struct fdcache *cache, struct cached_fd *cfd);

/**
 * fdcache_reserve() - make room for one descriptor
 * @cache: the cache
 *
 * Comes before the open, so that the limit holds at every moment.  The room is
 * used up by fdcache_add(), or given back by fdcache_unreserve() after the
 * descriptor was closed.
 *
 * When all are in use or pinned it waits for a moment: requests end, and the
 * kernel forgets deleted files a little later than it closes them.
 *
 * Return: 0, or -ENFILE.
 */
int fdcache_reserve(struct fdcache *cache);

/** fdcache_unreserve() - the room is not needed (any more) */
void fdcache_unreserve(struct fdcache *cache);

/**
 * fdcache_add() - put a descriptor into the room reserved for it
 * @cache: the cache
 * @nodeid: the node
 * @generation: its generation
 * @fd: the descriptor, the cache's from now on
 * @can: FD_* bits
 *
 * Descriptors of the node that can do less, and nobody uses, are closed.
 *
 * Return: it, to be given back by fdcache_put(), or NULL when there is no
 * memory; then @fd was closed and the room given back.
 */
struct cached_fd *fdcache_add(struct fdcache *cache, uint64_t nodeid,
			      uint32_t generation, int fd, unsigned int can);

/**
 * fdcache_pin() - keep a descriptor in use until its node is forgotten
 * @cache: the cache
 * @cfd: the descriptor, in use
 *
 * Return: whether its node was forgotten meanwhile; it is there again then.
 */
bool fdcache_pin(struct fdcache *cache, struct cached_fd *cfd);

/** fdcache_unpin() - the node has a name again */
void fdcache_unpin(struct fdcache *cache, uint64_t nodeid,
		   uint32_t generation);

/**
 * fdcache_forget() - the node is not known any more: close what it has
 * @cache: the cache
 * @nodeid: the node
 * @generation: its generation
 * @pinned: what is pinned, too
 *
 * Return: whether something is left, which is pinned then.
 */
bool fdcache_forget(struct fdcache *cache, uint64_t nodeid,
		    uint32_t generation, bool pinned);

/**
 * fdcache_take() - like fdcache_forget(), but one is left open
 * @cache: the cache
 * @nodeid: the node
 * @generation: its generation
 * @taken: returns the one that is open and that nobody else uses, to be closed
 *	by fdcache_close(), or NULL
 *
 * Return: whether something is left, which is pinned then.
 */
bool fdcache_take(struct fdcache *cache, uint64_t nodeid, uint32_t generation,
		  struct cached_fd **taken);

/** fdcache_close() - close what was taken (NULL is ignored) */
void fdcache_close(struct fdcache *cache, struct cached_fd *cfd);

/** fdcache_closed() - how many that were taken, or pinned, have been closed */
uint64_t fdcache_closed(struct fdcache *cache);

/**
 * fdcache_settle() - wait until all that was taken so far is closed
 * @cache: the cache
 */
void fdcache_settle(struct fdcache *cache);

/**
 * fdcache_await() - wait for more to be closed, as long as something is pinned
 * @cache: the cache
 * @closed: fdcache_closed() before
 *
 * Not longer than the kernel may need to say that nobody has a file any more.
 *
 * Return: whether more were closed.
 */
bool fdcache_await(struct fdcache *cache, uint64_t closed);

/**
 * fdcache_pinned() - nodes that something is pinned of
 * @cache: the cache
 * @refs: returns them
 * @max: how many at most
 *
 * Return: how many.
 */
unsigned int fdcache_pinned(struct fdcache *cache, struct fusex_node_ref *refs,
			    unsigned int max);

/**
 * fdcache_age() - close descriptors for writing that were not used lately
 * @cache: the cache
 *
 * A file cannot be executed underneath as long as one is open.  Those go that
 * were not used since the call before the last.
 *
 * Return: how many there still are, used ones included.
 */
unsigned int fdcache_age(struct fdcache *cache);

/** fdcache_count() - descriptors that are open or have room reserved */
unsigned int fdcache_count(struct fdcache *cache);

/** fdcache_room() - how many more could be open without closing one in use */
unsigned int fdcache_room(struct fdcache *cache);

/** fdcache_limit() - how many there may be */
unsigned int fdcache_limit(const struct fdcache *cache);

#endif

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The inode table.
 *
 * Node id N is slot N - 1 of an array that grows by chunks, each twice as large
 * as the one before, that never move.  So finding an object by its id takes no
 * lock: two loads and a check of the generation, which changes when a slot is
 * given to another object.
 *
 * Everything else is done under the table's lock: lookup counts, the free
 * list, and the hash of keys, whose chains run through the slots.  Objects
 * are destroyed after the lock was released.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define CHUNK_SHIFT	8
#define NR_CHUNKS	(32 - CHUNK_SHIFT)
#define MAX_SLOTS	((1u << 31) - (1u << CHUNK_SHIFT))
#define MIN_BUCKETS	256u
#define NONE		UINT32_MAX

/**
 * struct slot - a node
 * @obj: the object, NULL for a free slot; accessed atomically
 * @key: its key, NULL for none
 * @nlookup: lookups
 * @generation: of the node
 * @hash: of the key
 * @next: next slot of the hash chain or of the free list, or NONE
 */
struct slot {
	void			*obj;
	const void		*key;
	uint64_t		nlookup;
	atomic_uint		generation;
	uint32_t		hash;
	uint32_t		next;
};

/**
 * struct fusex_itable - nodes by id and by key
 * @lock: protects all but what is read by fusex_itable_get()
 * @chunks: the slots; accessed atomically
 * @used: slots that were ever used
 * @free: first free slot, or NONE
 * @count: objects
 * @keyed: objects with a key
 * @buckets: heads of the hash chains
 * @nr_buckets: how many, a power of two; 0 for a table without keys
 * @key_size: bytes of a key
 * @destroy: the server's
 * @data: for @destroy
 */
struct fusex_itable {
	pthread_mutex_t		lock;
	struct slot		*chunks[NR_CHUNKS];
	atomic_uint		used;
	uint32_t		free;
	size_t			count;
	size_t			keyed;
	uint32_t		*buckets;
	uint32_t		nr_buckets;
	size_t			key_size;
	void			(*destroy)(void *obj, void *data);
	void			*data;
};

/* Slot 0 is in chunk 0, which has 1 << CHUNK_SHIFT slots, as has chunk 1. */
static unsigned int chunk_of(uint32_t index, uint32_t *offset)
{
	uint32_t n = index + (1u << CHUNK_SHIFT);
	unsigned int top = 31u - (unsigned int)__builtin_clz(n);

	*offset = n - (1u << top);
	return top - CHUNK_SHIFT;
}

static struct slot *slot_at(const struct fusex_itable *t, uint32_t index)
{
	uint32_t offset;
	unsigned int chunk = chunk_of(index, &offset);

	return __atomic_load_n(&t->chunks[chunk], __ATOMIC_ACQUIRE) + offset;
}

/* The slot of a node, if it is in use by that generation. */
static struct slot *slot_of(const struct fusex_itable *t, uint64_t nodeid,
			    uint32_t generation)
{
	struct slot *slot;

	if (!nodeid || nodeid > atomic_load_explicit(&t->used,
						     memory_order_acquire))
		return NULL;
	slot = slot_at(t, (uint32_t)(nodeid - 1));
	if (atomic_load_explicit(&slot->generation,
				 memory_order_acquire) != generation)
		return NULL;
	return slot;
}

/* FNV-1a: keys are short. */
static uint32_t hash_key(const void *key, size_t size)
{
	const unsigned char *p = key;
	uint64_t h = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < size; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t *bucket_of(const struct fusex_itable *t, uint32_t hash)
{
	return &t->buckets[hash & (t->nr_buckets - 1)];
}

static uint32_t *alloc_buckets(uint32_t count)
{
	uint32_t *b = malloc(count * sizeof(*b));

	if (b)
		memset(b, 0xff, count * sizeof(*b));
	return b;
}

struct fusex_itable *fusex_itable_new(size_t key_size,
				      void (*destroy)(void *obj, void *data),
				      void *data)
{
	struct fusex_itable *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (key_size) {
		t->nr_buckets = MIN_BUCKETS;
		t->buckets = alloc_buckets(t->nr_buckets);
		if (!t->buckets) {
			free(t);
			errno = ENOMEM;
			return NULL;
		}
	}
	pthread_mutex_init(&t->lock, NULL);
	t->free = NONE;
	t->key_size = key_size;
	t->destroy = destroy;
	t->data = data;
	return t;
}

void fusex_itable_free(struct fusex_itable *table)
{
	uint32_t i, used;
	void *obj;

	if (!table)
		return;
	used = atomic_load(&table->used);
	for (i = 0; i < used; i++) {
		obj = slot_at(table, i)->obj;
		if (obj && table->destroy)
			table->destroy(obj, table->data);
	}
	for (i = 0; i < NR_CHUNKS; i++)
		free(table->chunks[i]);
	free(table->buckets);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

/* The chains become too long: twice as many, if there is memory. */
static void grow_buckets(struct fusex_itable *t)
{
	uint32_t *old = t->buckets, *head;
	uint32_t i, index, next, nr = t->nr_buckets;
	struct slot *slot;

	if (t->keyed < nr || nr >= 1u << 31)
		return;
	t->buckets = alloc_buckets(nr * 2);
	if (!t->buckets) {
		t->buckets = old;
		return;
	}
	t->nr_buckets = nr * 2;
	for (i = 0; i < nr; i++) {
		for (index = old[i]; index != NONE; index = next) {
			slot = slot_at(t, index);
			next = slot->next;
			head = bucket_of(t, slot->hash);
			slot->next = *head;
			*head = index;
		}
	}
	free(old);
}

static void hash_insert(struct fusex_itable *t, struct slot *slot,
			uint32_t index, const void *key)
{
	uint32_t *head;

	grow_buckets(t);
	slot->key = key;
	slot->hash = hash_key(key, t->key_size);
	head = bucket_of(t, slot->hash);
	slot->next = *head;
	*head = index;
	t->keyed++;
}

static void hash_remove(struct fusex_itable *t, struct slot *slot,
			uint32_t index)
{
	uint32_t *link;

	if (!slot->key)
		return;
	link = bucket_of(t, slot->hash);
	while (*link != index)
		link = &slot_at(t, *link)->next;
	*link = slot->next;
	slot->key = NULL;
	t->keyed--;
}

static uint32_t hash_find(const struct fusex_itable *t, const void *key)
{
	uint32_t hash = hash_key(key, t->key_size);
	uint32_t index = *bucket_of(t, hash);
	const struct slot *slot;

	while (index != NONE) {
		slot = slot_at(t, index);
		if (slot->hash == hash &&
		    !memcmp(slot->key, key, t->key_size))
			break;
		index = slot->next;
	}
	return index;
}

/* Returns a free slot, with a generation of its own, or NONE. */
static uint32_t alloc_slot(struct fusex_itable *t)
{
	uint32_t index = t->free, offset, used;
	unsigned int chunk;
	struct slot *slots;

	if (index != NONE) {
		t->free = slot_at(t, index)->next;
		return index;
	}
	used = atomic_load_explicit(&t->used, memory_order_relaxed);
	if (used >= MAX_SLOTS)
		return NONE;
	chunk = chunk_of(used, &offset);
	if (!offset) {
		slots = calloc((size_t)1 << (chunk + CHUNK_SHIFT),
			       sizeof(*slots));
		if (!slots)
			return NONE;
		__atomic_store_n(&t->chunks[chunk], slots, __ATOMIC_RELEASE);
	}
	atomic_store_explicit(&t->used, used + 1, memory_order_release);
	return used;
}

/* Counts a lookup of a used slot and says which node it is. */
static void *take(struct slot *slot, uint32_t index, struct fusex_node_ref *id)
{
	slot->nlookup++;
	id->nodeid = (uint64_t)index + 1;
	id->generation = atomic_load_explicit(&slot->generation,
					      memory_order_relaxed);
	id->reserved = 0;
	return slot->obj;
}

static void *add_locked(struct fusex_itable *t, const void *key, void *obj,
			struct fusex_node_ref *id)
{
	struct slot *slot;
	uint32_t index = key ? hash_find(t, key) : NONE;

	if (index != NONE)
		return take(slot_at(t, index), index, id);
	index = alloc_slot(t);
	if (index == NONE)
		return NULL;
	slot = slot_at(t, index);
	slot->nlookup = 0;
	slot->key = NULL;
	if (key)
		hash_insert(t, slot, index, key);
	__atomic_store_n(&slot->obj, obj, __ATOMIC_RELEASE);
	t->count++;
	return take(slot, index, id);
}

void *fusex_itable_add(struct fusex_itable *table, const void *key, void *obj,
		       struct fusex_node_ref *id)
{
	void *ret;

	if (!table->key_size)
		key = NULL;
	pthread_mutex_lock(&table->lock);
	ret = add_locked(table, key, obj, id);
	pthread_mutex_unlock(&table->lock);
	if (!ret)
		errno = ENOMEM;
	return ret;
}

void *fusex_itable_find(struct fusex_itable *table, const void *key,
			struct fusex_node_ref *id)
{
	void *obj = NULL;
	uint32_t index;

	if (!table->key_size)
		return NULL;
	pthread_mutex_lock(&table->lock);
	index = hash_find(table, key);
	if (index != NONE)
		obj = take(slot_at(table, index), index, id);
	pthread_mutex_unlock(&table->lock);
	return obj;
}

void *fusex_itable_get(const struct fusex_itable *table,
		       const struct fusex_node *node)
{
	struct slot *slot = slot_of(table, node->nodeid, node->generation);

	if (!slot)
		return NULL;
	return __atomic_load_n(&slot->obj, __ATOMIC_ACQUIRE);
}

int fusex_itable_ref(struct fusex_itable *table,
		     const struct fusex_node_ref *node, uint64_t count)
{
	struct slot *slot;
	int ret = -ESTALE;

	pthread_mutex_lock(&table->lock);
	slot = slot_of(table, node->nodeid, node->generation);
	if (slot && slot->obj) {
		slot->nlookup += count;
		ret = 0;
	}
	pthread_mutex_unlock(&table->lock);
	return ret;
}

static void free_slot(struct fusex_itable *t, struct slot *slot, uint32_t index)
{
	hash_remove(t, slot, index);
	__atomic_store_n(&slot->obj, NULL, __ATOMIC_RELAXED);
	atomic_fetch_add_explicit(&slot->generation, 1, memory_order_release);
	slot->next = t->free;
	t->free = index;
	t->count--;
}

/* Returns the object when its last lookup went. */
static void *forget_one(struct fusex_itable *t,
			const struct fusex_forget_one *one)
{
	struct slot *slot = slot_of(t, one->nodeid, one->generation);
	void *obj;

	if (!slot)
		return NULL;
	obj = slot->obj;
	if (!obj)
		return NULL;
	if (slot->nlookup > one->nlookup) {
		slot->nlookup -= one->nlookup;
		return NULL;
	}
	slot->nlookup = 0;
	free_slot(t, slot, (uint32_t)(one->nodeid - 1));
	return obj;
}

void fusex_itable_forget(struct fusex_itable *table,
			 const struct fusex_forget_one *list, size_t count)
{
	void *dead[64];
	size_t i, n;

	while (count) {
		n = 0;
		pthread_mutex_lock(&table->lock);
		for (; count && n < 64; list++, count--) {
			dead[n] = forget_one(table, list);
			if (dead[n])
				n++;
		}
		pthread_mutex_unlock(&table->lock);
		for (i = 0; table->destroy && i < n; i++)
			table->destroy(dead[i], table->data);
	}
}

void fusex_itable_unkey(struct fusex_itable *table,
			const struct fusex_node_ref *node)
{
	struct slot *slot;

	pthread_mutex_lock(&table->lock);
	slot = slot_of(table, node->nodeid, node->generation);
	if (slot && slot->obj)
		hash_remove(table, slot, (uint32_t)(node->nodeid - 1));
	pthread_mutex_unlock(&table->lock);
}

size_t fusex_itable_count(const struct fusex_itable *table)
{
	struct fusex_itable *t = (struct fusex_itable *)table;
	size_t count;

	pthread_mutex_lock(&t->lock);
	count = t->count;
	pthread_mutex_unlock(&t->lock);
	return count;
}

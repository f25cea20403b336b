// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The inode table.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <fusex.h>

#include "tap.h"

/**
 * struct object - what the server keeps of a node
 * @key: its key
 * @alive: not destroyed
 * @destroyed: how often it was
 */
struct object {
	uint64_t	key;
	atomic_uint	alive;
	atomic_uint	destroyed;
};

static atomic_uint nr_destroyed;

static void destroy(void *obj, void *data)
{
	struct object *o = obj;

	atomic_fetch_add(&nr_destroyed, 1);
	atomic_fetch_add(&o->destroyed, 1);
	*(bool *)data = true;
}

static struct fusex_node node_of(const struct fusex_node_ref *id)
{
	struct fusex_node node = {
		.nodeid = id->nodeid, .generation = id->generation,
	};

	return node;
}

static void *get(struct fusex_itable *t, const struct fusex_node_ref *id)
{
	struct fusex_node node = node_of(id);

	return fusex_itable_get(t, &node);
}

static void forget(struct fusex_itable *t, const struct fusex_node_ref *id,
		   uint64_t nlookup)
{
	struct fusex_forget_one one = {
		.nodeid = id->nodeid, .generation = id->generation,
		.nlookup = nlookup,
	};

	fusex_itable_forget(t, &one, 1);
}

static void test_counts(void)
{
	struct object a = { .key = 1 }, b = { .key = 1 }, c = { .key = 2 };
	struct fusex_node_ref id, id2;
	bool called = false;
	struct fusex_itable *t = fusex_itable_new(sizeof(a.key), destroy,
						  &called);

	ok(!fusex_itable_find(t, &a.key, &id), "an empty table");
	ok(fusex_itable_add(t, &a.key, &a, &id) == &a, "an object is added");
	ok(id.nodeid == 1 && !id.generation, "the first has node id 1");
	ok(get(t, &id) == &a, "and is found by it");
	ok(fusex_itable_add(t, &b.key, &b, &id2) == &a &&
	   id2.nodeid == 1, "another with its key is not added");
	ok(fusex_itable_find(t, &b.key, &id2) == &a && id2.nodeid == 1,
	   "it is found by its key");
	is(fusex_itable_ref(t, &id, 2), 0, "and counted");
	is((long long)fusex_itable_count(t), 1, "there is one object");
	forget(t, &id, 4);
	ok(!called && get(t, &id) == &a, "one lookup is left of five");
	forget(t, &id, 1);
	ok(called && a.destroyed == 1, "none is left, it is destroyed");
	ok(!get(t, &id), "it is not found by its id");
	ok(!fusex_itable_find(t, &a.key, &id2), "nor by its key");
	is(fusex_itable_ref(t, &id, 1), -ESTALE, "nor counted");
	forget(t, &id, 1);
	is(a.destroyed, 1, "nor destroyed again");

	ok(fusex_itable_add(t, &c.key, &c, &id2) == &c &&
	   id2.nodeid == 1 && id2.generation == 1,
	   "the next gets its id and another generation");
	ok(!get(t, &id) && get(t, &id2) == &c, "which tells them apart");
	forget(t, &id, 1);
	ok(!c.destroyed, "also when forgetting");
	forget(t, &id2, UINT64_MAX);
	is(c.destroyed, 1, "too many forgotten lookups are enough");

	fusex_itable_add(t, &b.key, &b, &id);
	fusex_itable_free(t);
	is(b.destroyed, 1, "what is left is destroyed with the table");
}

static void test_unkey(void)
{
	struct object a = { .key = 1 }, b = { .key = 1 };
	struct fusex_node_ref id, id2;
	struct fusex_itable *t = fusex_itable_new(sizeof(a.key), NULL, NULL);

	fusex_itable_add(t, &a.key, &a, &id);
	fusex_itable_unkey(t, &id);
	ok(get(t, &id) == &a && !fusex_itable_find(t, &a.key, &id2),
	   "an object that has lost its key");
	ok(fusex_itable_add(t, &b.key, &b, &id2) == &b &&
	   id2.nodeid == 2, "its key can be another's");
	fusex_itable_unkey(t, &id);
	ok(fusex_itable_find(t, &a.key, &id2) == &b, "who keeps it");
	forget(t, &id, 1);
	ok(!get(t, &id) && fusex_itable_count(t) == 1,
	   "an object without key is forgotten");
	fusex_itable_free(t);
	fusex_itable_free(NULL);

	t = fusex_itable_new(0, NULL, NULL);
	ok(fusex_itable_add(t, NULL, &a, &id) == &a &&
	   fusex_itable_add(t, NULL, &b, &id2) == &b &&
	   id2.nodeid == 2 && !fusex_itable_find(t, &a.key, &id),
	   "a table without keys");
	fusex_itable_free(t);
}

#define MANY	100000u

static void test_many(void)
{
	struct object *objs = need(MANY, sizeof(*objs));
	struct fusex_node_ref *ids = need(MANY, sizeof(*ids));
	struct fusex_forget_one *list = need(MANY, sizeof(*list));
	struct fusex_node_ref id;
	bool called;
	struct fusex_itable *t = fusex_itable_new(sizeof(objs->key), destroy,
						  &called);
	unsigned int i, good = 0;

	atomic_store(&nr_destroyed, 0);
	for (i = 0; i < MANY; i++) {
		objs[i].key = i * 7919ull;
		good += fusex_itable_add(t, &objs[i].key, &objs[i], &ids[i]) ==
			&objs[i] && ids[i].nodeid == i + 1;
	}
	is(good, MANY, "many objects are added");
	for (i = 0, good = 0; i < MANY; i++)
		good += get(t, &ids[i]) == &objs[i] &&
			fusex_itable_find(t, &objs[i].key, &id) == &objs[i] &&
			id.nodeid == ids[i].nodeid;
	is(good, MANY, "and found by id and by key");
	for (i = 0; i < MANY; i++) {
		list[i].nodeid = ids[i].nodeid;
		list[i].nlookup = 2 - i % 2;
	}
	fusex_itable_forget(t, list, MANY);
	is(nr_destroyed, MANY / 2, "half of them are forgotten");
	for (i = 0, good = 0; i < MANY; i++)
		good += (get(t, &ids[i]) == &objs[i]) == i % 2;
	is(good, MANY, "the right half");
	fusex_itable_free(t);
	is(nr_destroyed, MANY, "each is destroyed once");
	free(list);
	free(ids);
	free(objs);
}

#define THREADS	4
#define ROUNDS	30000u
#define KEYS	16u

static struct fusex_itable *shared;
static atomic_uint mistakes;

static void free_object(void *obj, void *data)
{
	struct object *o = obj;

	if (!atomic_exchange(&o->alive, 0))
		atomic_fetch_add(&mistakes, 1);
	free(o);
}

/* What a lookup and its forget do, with all threads at the same few keys. */
static void *hammer(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	struct fusex_node_ref id;
	struct object *o, *got;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		seed = seed * 6364136223846793005ull + 1;
		o = need(1, sizeof(*o));
		o->key = (seed >> 33) % KEYS;
		o->alive = 1;
		got = fusex_itable_find(shared, &o->key, &id);
		if (!got)
			got = fusex_itable_add(shared, &o->key, o, &id);
		/* The lookup that was counted keeps it. */
		if (got != get(shared, &id) || !got->alive ||
		    got->key != o->key)
			atomic_fetch_add(&mistakes, 1);
		if (got != o)
			free(o);
		forget(shared, &id, 1);
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	uintptr_t i;

	shared = fusex_itable_new(sizeof(uint64_t), free_object, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, hammer, (void *)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	is(mistakes, 0, "threads that look up and forget the same names");
	is((long long)fusex_itable_count(shared), 0, "leave nothing");
	fusex_itable_free(shared);
}

int main(void)
{
	test_counts();
	test_unkey();
	test_many();
	test_threads();
	return tap_end();
}

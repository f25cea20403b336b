// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors by node, never too many.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "fdcache.h"
#include "tap.h"

#define ALL	(FD_PATH | FD_READ | FD_WRITE)

static int new_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("Bail out! cannot open /dev/null\n");
		exit(1);
	}
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Adds a descriptor of a node; returns its number, unused. */
static int add(struct fdcache *c, uint64_t nodeid, unsigned int can)
{
	struct cached_fd *cfd;
	int fd;

	if (fdcache_reserve(c))
		return -1;
	fd = new_fd();
	cfd = fdcache_add(c, nodeid, 1, fd, can);
	fdcache_put(c, cfd);
	return fd;
}

static bool has(struct fdcache *c, uint64_t nodeid, unsigned int need)
{
	struct cached_fd *cfd = fdcache_get(c, nodeid, 1, need);

	fdcache_put(c, cfd);
	return cfd;
}

static void test_find(void)
{
	struct fdcache *c = fdcache_new(8);
	struct cached_fd *cfd;
	int fd;

	ok(!fdcache_get(c, 1, 1, FD_PATH), "nothing is there at first");
	fd = add(c, 1, FD_PATH | FD_READ);
	cfd = fdcache_get(c, 1, 1, FD_READ);
	ok(cfd && cfd->fd == fd, "what was added is found");
	fdcache_put(c, cfd);
	ok(has(c, 1, FD_PATH), "for less than it can do, too");
	ok(!has(c, 1, FD_WRITE), "not for more");
	ok(!fdcache_get(c, 1, 2, FD_PATH), "not for another generation");
	ok(!has(c, 2, FD_PATH), "not for another node");
	fdcache_put(c, NULL);
	fdcache_free(c);
	ok(!is_open(fd), "nothing is left open");
	fdcache_free(NULL);
}

static void test_lru(void)
{
	struct fdcache *c = fdcache_new(3);
	int fd[3];

	fd[0] = add(c, 1, ALL);
	add(c, 2, ALL);
	fd[1] = add(c, 3, ALL);
	has(c, 1, ALL);
	is(fdcache_count(c), 3, "as many as there may be");
	fd[2] = add(c, 4, ALL);
	is(fdcache_count(c), 3, "never more");
	ok(!has(c, 2, ALL), "the one not used for longest goes");
	ok(is_open(fd[0]) && is_open(fd[1]) && is_open(fd[2]), "the others stay");
	fdcache_free(c);
}

static void test_in_use(void)
{
	struct fdcache *c = fdcache_new(2);
	struct cached_fd *a, *b;

	add(c, 1, ALL);
	add(c, 2, ALL);
	a = fdcache_get(c, 1, 1, ALL);
	is(fdcache_room(c), 1, "one in use leaves room for one");
	add(c, 3, ALL);
	ok(is_open(a->fd), "one in use stays");
	b = fdcache_get(c, 3, 1, ALL);
	is(fdcache_room(c), 0, "all in use leave no room");
	is(fdcache_reserve(c), -ENFILE, "and there is none");
	fdcache_put(c, a);
	is(fdcache_reserve(c), 0, "until one is given back");
	is(fdcache_count(c), 2, "room that is reserved counts");
	fdcache_unreserve(c);
	is(fdcache_count(c), 1, "and can be given back");
	fdcache_put(c, b);
	fdcache_free(c);
}

static void *give_back(void *arg)
{
	struct fdcache *c = arg;

	fdcache_forget(c, 1, 1, true);
	return NULL;
}

static void test_wait(void)
{
	struct fdcache *c = fdcache_new(1);
	struct cached_fd *cfd;
	pthread_t thread;

	add(c, 1, ALL);
	cfd = fdcache_get(c, 1, 1, ALL);
	fdcache_pin(c, cfd);
	fdcache_put(c, cfd);
	if (pthread_create(&thread, NULL, give_back, c)) {
		skip("no thread");
		return;
	}
	is(fdcache_reserve(c), 0, "who has to wait gets what is given back");
	pthread_join(thread, NULL);
	fdcache_unreserve(c);
	fdcache_free(c);
}

static void test_pin(void)
{
	struct fdcache *c = fdcache_new(2);
	struct cached_fd *cfd;
	int fd, i;

	fd = add(c, 1, FD_PATH);
	cfd = fdcache_get(c, 1, 1, FD_PATH);
	fdcache_pin(c, cfd);
	fdcache_put(c, cfd);
	for (i = 2; i < 10; i++)
		add(c, i, ALL);
	ok(is_open(fd) && has(c, 1, FD_PATH), "one that is pinned stays");
	fdcache_unpin(c, 1, 1);
	add(c, 10, ALL);
	add(c, 11, ALL);
	ok(!has(c, 1, FD_PATH), "one that is not any more goes");
	fd = add(c, 1, FD_PATH);
	cfd = fdcache_get(c, 1, 1, FD_PATH);
	fdcache_pin(c, cfd);
	fdcache_put(c, cfd);
	fdcache_forget(c, 1, 1, true);
	ok(!is_open(fd) && !has(c, 1, FD_PATH), "or when the node is forgotten");
	fdcache_free(c);

	c = fdcache_new(1);
	fdcache_set_most(c, 3);
	for (i = 1; i <= 2; i++) {
		add(c, i, ALL);
		cfd = fdcache_get(c, i, 1, ALL);
		fdcache_pin(c, cfd);
		fdcache_put(c, cfd);
	}
	add(c, 3, ALL);
	add(c, 4, ALL);
	ok(has(c, 1, ALL) && has(c, 2, ALL) && has(c, 4, ALL) &&
	   fdcache_count(c) == 3, "what is pinned can come on top");
	fdcache_free(c);
}

static void test_forget(void)
{
	struct fdcache *c = fdcache_new(8);
	struct fusex_node_ref refs[2];
	struct cached_fd *cfd;
	int fd[3];

	fd[0] = add(c, 1, FD_PATH | FD_READ);
	fd[1] = add(c, 1, FD_PATH | FD_WRITE);
	fd[2] = add(c, 2, ALL);
	cfd = fdcache_get(c, 1, 1, FD_WRITE);
	fdcache_forget(c, 1, 2, true);
	ok(is_open(fd[0]), "another generation is another node");
	fdcache_forget(c, 1, 1, true);
	ok(!is_open(fd[0]), "what is forgotten is closed");
	ok(is_open(fd[1]), "but not while it is in use");
	ok(!has(c, 1, FD_WRITE), "though it is not found any more");
	fdcache_put(c, cfd);
	ok(!is_open(fd[1]), "it is closed after that");
	ok(is_open(fd[2]), "other nodes keep theirs");
	cfd = fdcache_get(c, 2, 1, FD_WRITE);
	ok(!fdcache_forget(c, 2, 1, false), "what is in use is not left");
	ok(fdcache_pin(c, cfd), "but there again when it is pinned");
	ok(!fdcache_pin(c, cfd), "from then on");
	is(fdcache_pinned(c, refs, 2), 1, "and one of those that are");
	is(refs[0].nodeid, 2, "which is named");
	is(fdcache_pinned(c, refs, 0), 0, "if somebody wants to know");
	fdcache_put(c, cfd);
	ok(fdcache_forget(c, 2, 1, false) && is_open(fd[2]) &&
	   has(c, 2, FD_WRITE), "what is pinned may be left");
	is(fdcache_count(c), 1, "and nothing else counts");
	fdcache_free(c);
}

static void *settle(void *arg)
{
	fdcache_settle(arg);
	return NULL;
}

static void test_take(void)
{
	struct fdcache *c = fdcache_new(8);
	struct cached_fd *taken, *used, *later;
	pthread_t thread;
	int fd[2];

	fdcache_settle(c);
	is(fdcache_closed(c), 0, "nothing is to be waited for");
	ok(!fdcache_take(c, 1, 1, &taken) && !taken, "nothing is taken");
	fd[0] = add(c, 1, FD_PATH | FD_READ);
	fd[1] = add(c, 1, FD_PATH | FD_WRITE);
	ok(!fdcache_take(c, 1, 1, &taken) && taken, "one is taken");
	is(is_open(fd[0]) + is_open(fd[1]), 1, "it is open, others are not");
	ok(is_open(taken->fd), "really");
	ok(!has(c, 1, FD_PATH), "it is not found any more");
	is(fdcache_count(c), 1, "but counts");
	if (pthread_create(&thread, NULL, settle, c))
		abort();
	add(c, 4, ALL);
	ok(!fdcache_take(c, 4, 1, &later) && later, "another one is taken");
	fdcache_close(c, later);
	is(fdcache_closed(c), 1, "and closed before the first");
	fdcache_close(c, taken);
	pthread_join(thread, NULL);
	ok(!is_open(fd[0]) && !is_open(fd[1]), "then that is closed");
	is(fdcache_closed(c), 2, "which is counted");
	is(fdcache_count(c), 0, "and it counts no more");
	fdcache_settle(c);
	fdcache_close(c, NULL);

	fd[0] = add(c, 2, ALL);
	used = fdcache_get(c, 2, 1, FD_READ);
	ok(!fdcache_take(c, 2, 1, &taken) && !taken, "what is in use is not");
	fdcache_put(c, used);
	ok(!is_open(fd[0]), "but closed when it is no more");
	fd[0] = add(c, 3, ALL);
	used = fdcache_get(c, 3, 1, FD_READ);
	fdcache_pin(c, used);
	ok(fdcache_take(c, 3, 1, &taken) && !taken, "what is pinned is left");
	fdcache_put(c, used);
	fdcache_free(c);
}

static void test_lesser(void)
{
	struct fdcache *c = fdcache_new(8);
	int fd[2];

	fd[0] = add(c, 1, FD_PATH);
	fd[1] = add(c, 1, ALL);
	ok(!is_open(fd[0]) && is_open(fd[1]), "the better one replaces the lesser");
	is(fdcache_count(c), 1, "and there is one");
	fdcache_free(c);
}

static void test_age(void)
{
	struct fdcache *c = fdcache_new(64);
	int reader, writer[40], i, open_ones = 0;

	reader = add(c, 100, FD_PATH | FD_READ);
	for (i = 0; i < 40; i++)
		writer[i] = add(c, i + 1, ALL);
	is(fdcache_age(c), 40, "what was just used is kept");
	has(c, 1, FD_WRITE);
	is(fdcache_age(c), 1, "what was not used since the call before is closed");
	for (i = 0; i < 40; i++)
		open_ones += is_open(writer[i]);
	is(open_ones, 1, "really");
	ok(is_open(writer[0]), "the one that was used is kept");
	ok(is_open(reader), "those for reading are kept");
	is(fdcache_age(c), 0, "until it is not used, either");
	fdcache_free(c);
}

#define THREADS	4
#define ROUNDS	20000

static void *worker(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	struct fdcache *c = *(struct fdcache **)arg;
	struct cached_fd *cfd;
	uint64_t node;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		node = (uint64_t)rand_r(&seed) % 20;
		cfd = fdcache_get(c, node, 1, FD_READ);
		if (!cfd && !fdcache_reserve(c))
			cfd = fdcache_add(c, node, 1, new_fd(), ALL);
		if (cfd && !is_open(cfd->fd))
			return (void *)1;
		if (cfd && i % 64 == 0)
			fdcache_pin(c, cfd);
		if (fdcache_count(c) > fdcache_limit(c))
			return (void *)2;
		fdcache_put(c, cfd);
		if (i % 16 == 0)
			fdcache_forget(c, node, 1, true);
		if (i % 128 == 0)
			fdcache_age(c);
	}
	return NULL;
}

static void test_threads(void)
{
	struct fdcache *c = fdcache_new(24);
	struct fdcache *args[THREADS];
	pthread_t threads[THREADS];
	void *ret, *bad = NULL;
	int i;

	for (i = 0; i < THREADS; i++) {
		args[i] = c;
		if (pthread_create(&threads[i], NULL, worker, &args[i]))
			abort();
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		if (ret)
			bad = ret;
	}
	ok(!bad, "threads find what is open, and never too much of it");
	fdcache_free(c);
}

int main(void)
{
	test_find();
	test_lru();
	test_in_use();
	test_wait();
	test_pin();
	test_forget();
	test_take();
	test_lesser();
	test_age();
	test_threads();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A transaction that cannot be taken, because there is no memory for it, is not
 * durable, and what was to be in it is in a later one.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "image.h"
#include "record.h"
#include "tap.h"

static atomic_uint fail, tries;
/* Who flushes the device waits for this to end. */
static pthread_mutex_t stuck = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool flushing;

int __wrap_device_flush(const struct device *d)
{
	flushing = true;
	pthread_mutex_lock(&stuck);
	pthread_mutex_unlock(&stuck);
	return __real_device_flush(d);
}

int __wrap_bcache_take(ext2_filsys fs, struct dirty_block **list,
		       size_t *count)
{
	tries++;
	if (!fail)
		return __real_bcache_take(fs, list, count);
	fail--;
	*count = 0;
	return -ENOMEM;
}

static struct volume *open_with(const char *path, uint32_t interval)
{
	const struct volume_options o = { .interval = interval };
	struct volume *v;

	if (volume_open(path, &o, &v)) {
		printf("Bail out! cannot open the image\n");
		_exit(1);
	}
	return v;
}

static void test_once(uint32_t interval)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = open_with(path, interval);
	struct node *n;

	printf("# interval %u\n", interval);
	n = image_file(v, image_root(v), "file", 0);
	if (!n)
		err(1, "no file");
	ok(!commit_is_done(v, n->changed), "a file is not durable yet");
	fail = 1;
	is(commit_now(v), -ENOMEM, "nor is it when that fails");
	ok(!commit_is_done(v, n->changed), "and that is known");
	ok(!v->failed, "it may be tried again");
	is(commit_now(v), 0, "which does it");
	ok(commit_is_done(v, n->changed), "now it is durable");
	volume_abandon(v);
	is(image_run("e2fsck -p %s >/dev/null 2>&1", path) & ~1, 0,
	   "e2fsck repairs what a crash leaves");
	v = image_open(path);
	WR_LOCK(v);
	is(name_lookup(v, image_root(v), "file", &n), 0, "the file is there");
	node_put(v, n);
	UNLOCK(v);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* The thread does not try all the time. */
static void test_patience(void)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = open_with(path, 60);

	image_file(v, image_root(v), "file", 0);
	fail = 1000;
	is(commit_now(v), -ENOMEM, "it fails");
	tries = 0;
	usleep(200000);
	ok(tries < 3, "and is tried %u times", tries);
	fail = 0;
	ok(image_close(v, path), "e2fsck finds nothing");
}

static struct node *forget_and_find(struct volume *v, const char *name)
{
	struct node *n;

	WR_LOCK(v);
	icache_shrink(v, 0);
	is(name_lookup(v, image_root(v), name, &n), 0, "it is read again");
	UNLOCK(v);
	return n;
}

/* What is read anew is not durable before the transaction is that it is part of. */
static void test_anew(void)
{
	const char *path = image_make("-b 4096", 32);
	struct volume *v = open_with(path, 60);
	struct node *n;

	ok(image_file(v, image_root(v), "file", 0), "a file");
	pthread_mutex_lock(&stuck);
	flushing = false;
	commit_kick(v);
	while (!flushing)
		usleep(1000);
	n = forget_and_find(v, "file");
	ok(!commit_is_done(v, n->changed), "while it is being written");
	pthread_mutex_unlock(&stuck);
	is(commit_now(v), 0, "when that is over");
	ok(commit_is_done(v, n->changed), "it is durable");
	node_put(v, n);
	n = forget_and_find(v, "file");
	ok(commit_is_done(v, n->changed), "and at once");
	node_put(v, n);
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Where corruption ends writing, e2fsck gets to know of it all the same. */
static void test_corrupted(uint32_t interval)
{
	const struct volume_options o = { .interval = interval,
					  .errors = EXT2_ERRORS_RO };
	const char *path = image_make("-b 4096 -J size=4", 32);
	struct volume *v;

	printf("# interval %u\n", interval);
	if (volume_open(path, &o, &v)) {
		printf("Bail out! cannot open the image\n");
		_exit(1);
	}
	image_file(v, image_root(v), "file", 0);
	is(commit_now(v), 0, "a file is durable");
	WR_LOCK(v);
	is(volume_corrupt(v, EXT2_ROOT_INO, "by this test"), -ECORRUPT,
	   "something is corrupted");
	UNLOCK(v);
	ok(v->failed, "nothing is written any more");
	is(volume_close(v), -EIO, "which closing it says, too");
	/* "clean" is what it says when it does not look. */
	is(image_run("PATH=$PATH:/usr/sbin:/sbin e2fsck -p %s 2>&1 | grep -q ': clean,'",
		     path), 1, "e2fsck looks at everything");
	ok(image_check(path), "and finds nothing");
	is(image_run("PATH=$PATH:/usr/sbin:/sbin dumpe2fs -h %s 2>&1 | grep -q 'behavior: *Cont'",
		     path), 0, "how errors are met was for this mount only");
}

int main(void)
{
	test_once(0);
	test_once(60);
	test_patience();
	test_anew();
	test_corrupted(0);
	test_corrupted(60);
	return tap_end();
}

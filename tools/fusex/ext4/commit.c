// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata becomes durable.
 *
 * A transaction is everything that changed since the last one.  It is taken by who
 * is alone, between two operations, and written without any lock.
 * Data of files is on the device before its metadata is: the kernel says so
 * after it has written it.
 *
 * Without a journal the blocks go straight to their places, and after a crash
 * e2fsck has to find out.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ext4.h"
#include "log.h"

/* Blocks of a transaction, when there is no journal that says less. */
#define ROOM_MAX	16384u

/**
 * struct commit - transactions
 * @lock: protects what follows
 * @change: something did
 * @started: number of the transaction that was begun last
 * @done: number of the last one that is durable
 * @over: number of the last one that is, or failed: nobody waits for it
 * @home: number of the last one that is in its places, too, or failed
 * @wanted: number of the last one that somebody waits for
 * @error: what came of the last one that is over
 * @broken: it is not known what of one is in its places
 * @noted: the device says that it is corrupted
 * @running: one is being written
 * @kicked: one is wanted
 * @stop: no more
 * @paused: not in the background
 * @held: nor when somebody wants it
 * @threaded: there is a thread
 * @thread: which writes them, now and then and when they are wanted; without it
 *	those who want them do
 * @interval: seconds in between
 * @room: blocks that should not be exceeded
 */
struct commit {
	pthread_mutex_t	lock;
	pthread_cond_t	change;
	atomic_ullong	started;
	atomic_ullong	done;
	uint64_t	over;
	uint64_t	home;
	uint64_t	wanted;
	int		error;
	bool		broken;
	bool		noted;
	bool		running;
	atomic_bool	kicked;
	bool		stop;
	bool		paused;
	bool		held;
	bool		threaded;
	pthread_t	thread;
	unsigned int	interval;
	size_t		room;
};

static bool anything(struct volume *v)
{
	bool changed;

	core_lock(v);
	changed = v->fs->flags & EXT2_FLAG_DIRTY;
	core_unlock(v);
	return changed || v->dirty_count || bcache_dirty(v->cache);
}

/* Called alone. */
static int take(struct volume *v, struct dirty_block **list, size_t *count)
{
	errcode_t err = 0;
	int ret;

	*list = NULL;
	*count = 0;
	orphan_unlist(v);
	if (!anything(v))
		return 0;
	ret = icache_flush(v);
	if (ret)
		return ret;
	if (v->fs->flags & EXT2_FLAG_DIRTY)
		err = ext2fs_flush2(v->fs, EXT2_FLAG_FLUSH_NO_SYNC);
	if (err) {
		/* It is put back by libext2fs only when all goes well. */
		if (v->journal)
			ext2fs_set_feature_journal_needs_recovery(v->fs->super);
		return volume_error(v, err);
	}
	ret = bcache_take(v->fs, list, count);
	if (!ret)
		alloc_closing(v);
	return ret;
}

static int write_home(struct volume *v, const struct dirty_block *list,
		      size_t count)
{
	struct batch b;
	size_t i;
	int ret;

	ret = batch_begin(&b, &v->dev, block_size(v));
	if (ret)
		return ret;
	for (i = 0; i < count && !ret; i++)
		ret = batch_add(&b, list[i].block, list[i].data);
	return batch_end(&b, ret);
}

/* Makes a transaction durable; with a journal, not yet in its places. */
static int write_first(struct volume *v, const struct dirty_block *list,
		       size_t count, bool journal)
{
	int ret;

	if (count && journal)
		return journal_write(v, list, count);
	if (count && v->journal)
		ret = journal_bypass(v);
	else
		ret = device_flush(&v->dev);
	if (!ret && count)
		ret = write_home(v, list, count);
	if (!ret && count)
		ret = device_flush(&v->dev);
	return ret;
}

/*
 * Who waits for it need not wait any longer.  What could not be taken is still to
 * be written, and part of the next one.
 */
static void publish(struct commit *c, uint64_t id, int error)
{
	pthread_mutex_lock(&c->lock);
	c->over = id;
	if (!error)
		c->done = id;
	c->error = error;
	pthread_cond_broadcast(&c->change);
	pthread_mutex_unlock(&c->lock);
}

static void finish(struct volume *v, struct dirty_block *list, size_t count,
		   int error)
{
	WR_LOCK(v);
	if (list)
		bcache_written(v->cache, list, count);
	alloc_committed(v);
	if (error)
		volume_fail(v, "cannot write metadata", error);
	UNLOCK(v);
}

/* The last one, of what is on the device. */
static int write_unlisted(struct volume *v)
{
	struct dirty_block *list;
	size_t count;
	int ret;

	ret = unlist_begin(v, &list, &count);
	if (ret || !count)
		return ret;
	ret = journal_takes(v->journal, count) ? 0 : -ENOSPC;
	if (!ret)
		ret = journal_write(v, list, count);
	if (!ret)
		ret = write_home(v, list, count);
	unlist_end(list, count);
	return ret;
}

/* It has failed for that.  When no transaction is being written. */
static void note_corrupted(struct volume *v, struct commit *c)
{
	int ret;

	if (c->noted || !v->journal)
		return;
	c->noted = true;
	ret = c->broken ? -EIO : write_unlisted(v);
	if (ret)
		log_error("%s: %s: what is deleted or growing is left to e2fsck without -p",
			  v->dev.path, strerror(-ret));
	journal_note_error(v);
}

/* One transaction, when no other is being written. */
static void run(struct volume *v, struct commit *c, uint64_t id)
{
	struct dirty_block *list = NULL;
	bool journal, corrupted;
	size_t count = 0;
	int ret = 0;

	WR_LOCK(v);
	corrupted = v->failed && !v->valid && !v->shut;
	if (v->failed)
		ret = -EIO;
	else if (!v->readonly)
		ret = take(v, &list, &count);
	UNLOCK(v);
	/* The next one would fail as well, and all that is done until then is lost. */
	if (ret && ret != -ENOMEM)
		volume_fail(v, "cannot collect metadata", ret);
	if (corrupted)
		note_corrupted(v, c);
	journal = v->journal && journal_takes(v->journal, count);
	if (!ret)
		ret = write_first(v, list, count, journal);
	if (!ret || !list)
		publish(c, id, ret);
	if (!ret && journal && count)
		ret = write_home(v, list, count);
	if (list)
		finish(v, list, count, ret);
	if (ret && list)
		publish(c, id, ret);
	c->broken |= ret && list;
}

/* Called with the commit's lock, which is dropped meanwhile. */
static void run_next(struct volume *v, struct commit *c)
{
	uint64_t id = ++c->started;

	c->running = true;
	c->kicked = false;
	pthread_mutex_unlock(&c->lock);
	run(v, c, id);
	pthread_mutex_lock(&c->lock);
	c->home = id;
	c->running = false;
	pthread_cond_broadcast(&c->change);
}

uint64_t commit_next(const struct volume *v)
{
	return v->commit ? v->commit->started + 1 : 1;
}

bool commit_is_done(const struct volume *v, uint64_t id)
{
	return v->commit->done >= id;
}

/* Called with the commit's lock, which is dropped meanwhile. */
static int write_all(struct volume *v, struct commit *c)
{
	uint64_t want;

	/* The one being written may have been taken before. */
	want = c->started + 1;
	if (c->threaded && c->wanted < want) {
		c->wanted = want;
		pthread_cond_broadcast(&c->change);
	}
	while (c->over < want) {
		if (c->threaded || c->running)
			pthread_cond_wait(&c->change, &c->lock);
		else
			run_next(v, c);
	}
	return c->error;
}

int commit_now(struct volume *v)
{
	struct commit *c = v->commit;
	int ret;

	pthread_mutex_lock(&c->lock);
	if (c->held)
		ret = v->failed ? -EIO : 0;
	else
		ret = write_all(v, c);
	pthread_mutex_unlock(&c->lock);
	return ret;
}

int commit_space(struct volume *v)
{
	struct commit *c = v->commit;
	uint64_t want = commit_next(v);
	int ret;

	ret = commit_now(v);
	pthread_mutex_lock(&c->lock);
	while (!c->held && c->home < want)
		pthread_cond_wait(&c->change, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return ret;
}

void commit_hold(struct volume *v, bool hold)
{
	struct commit *c = v->commit;

	pthread_mutex_lock(&c->lock);
	c->held = hold;
	while (hold && (c->running || c->wanted > c->over))
		pthread_cond_wait(&c->change, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void commit_pause(struct volume *v, bool pause)
{
	struct commit *c = v->commit;

	pthread_mutex_lock(&c->lock);
	c->paused = pause;
	while (pause && c->running)
		pthread_cond_wait(&c->change, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void commit_kick(struct volume *v)
{
	struct commit *c = v->commit;

	pthread_mutex_lock(&c->lock);
	c->kicked = true;
	pthread_cond_broadcast(&c->change);
	pthread_mutex_unlock(&c->lock);
}

int commit_room(struct volume *v)
{
	struct commit *c = v->commit;
	size_t blocks;

	/* At worst, each inode is in a block of its own. */
	blocks = bcache_dirty(v->cache) + v->dirty_count;
	if (blocks >= c->room)
		return commit_now(v);
	if (blocks >= c->room / 2 && !c->kicked)
		commit_kick(v);
	return 0;
}

/* Called with the commit's lock. */
static void wait_for_time(struct commit *c)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += c->interval;
	while (!c->stop && !c->kicked && c->wanted <= c->over)
		if (pthread_cond_timedwait(&c->change, &c->lock, &until) ==
		    ETIMEDOUT)
			break;
}

/* A device that is not used can sleep.  Called with the commit's lock. */
static bool is_needed(struct volume *v, struct commit *c)
{
	bool needed;

	c->kicked = false;
	if (c->paused)
		return false;
	pthread_mutex_unlock(&c->lock);
	needed = anything(v);
	pthread_mutex_lock(&c->lock);
	return needed && !c->paused;
}

static void *commit_main(void *arg)
{
	struct volume *v = arg;
	struct commit *c = v->commit;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		wait_for_time(c);
		if (c->stop)
			break;
		if (c->wanted > c->over || is_needed(v, c))
			run_next(v, c);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int start_thread(struct volume *v, struct commit *c)
{
	sigset_t all, old;
	int ret;

	/* Signals are fusex_run()'s. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&c->thread, NULL, commit_main, v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->threaded = !ret;
	return ret;
}

int commit_start(struct volume *v, unsigned int interval)
{
	struct commit *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	int ret = 0;

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->change, &attr);
	pthread_condattr_destroy(&attr);
	c->interval = interval;
	c->room = ROOM_MAX;
	if (v->journal && journal_room(v->journal) * 3 / 4 < c->room)
		c->room = journal_room(v->journal) * 3 / 4;
	v->commit = c;
	if (interval)
		ret = start_thread(v, c);
	if (ret)
		commit_stop(v);
	return ret;
}

void commit_stop(struct volume *v)
{
	struct commit *c = v->commit;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->change);
	pthread_mutex_unlock(&c->lock);
	if (c->threaded)
		pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->change);
	pthread_mutex_destroy(&c->lock);
	free(c);
	v->commit = NULL;
}

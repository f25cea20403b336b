// SPDX-License-Identifier: GPL-2.0
/*
 * What is done behind the requests' back: closing descriptors for writing that
 * are not used any more, and asking the kernel to forget nodes.  The thread
 * sleeps while there is nothing of the kind.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "mirror.h"

/**
 * struct house - the thread and what it has to do
 * @thread: the thread
 * @lock: protects what follows
 * @wake: something below changed
 * @stop: end
 * @writers: there are descriptors for writing
 * @crowded: there are too many nodes
 */
struct house {
	pthread_t	thread;
	pthread_mutex_t	lock;
	pthread_cond_t	wake;
	bool		stop;
	bool		crowded;
	atomic_bool	writers;
};

/* Waits for something to do; with writers, until it is time to look at them. */
static void wait_for_work(struct house *h)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	while (!h->stop && !h->crowded) {
		if (!h->writers)
			pthread_cond_wait(&h->wake, &h->lock);
		else if (pthread_cond_timedwait(&h->wake, &h->lock, &until) ==
			 ETIMEDOUT)
			break;
	}
}

static void *house_main(void *arg)
{
	struct mirror *m = arg;
	struct house *h = m->house;
	bool crowded;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		wait_for_work(h);
		if (h->stop)
			break;
		crowded = h->crowded;
		h->crowded = false;
		pthread_mutex_unlock(&h->lock);

		if (crowded)
			nodetable_prune(m);
		/* One that is added now says so, or is seen. */
		h->writers = false;
		if (fdcache_age(m->fds))
			h->writers = true;
		pthread_mutex_lock(&h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

int house_start(struct mirror *m)
{
	struct house *h = calloc(1, sizeof(*h));
	pthread_condattr_t attr;
	sigset_t all, old;
	int ret;

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->wake, &attr);
	pthread_condattr_destroy(&attr);
	m->house = h;
	/* Signals are fusex_run()'s. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&h->thread, NULL, house_main, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		m->house = NULL;
		free(h);
	}
	return ret;
}

void house_stop(struct mirror *m)
{
	struct house *h = m->house;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
	m->house = NULL;
}

void house_writer(struct mirror *m)
{
	struct house *h = m->house;

	if (!h || h->writers)
		return;
	pthread_mutex_lock(&h->lock);
	h->writers = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
}

void house_crowded(struct mirror *m)
{
	struct house *h = m->house;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->crowded = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
}

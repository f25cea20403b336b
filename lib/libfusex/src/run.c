// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Serving: workers, and the thread that waits for the end.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "internal.h"

#define MIN_WORKERS		2u
#define MAX_INITIAL_WORKERS	4u
#define DEFAULT_MAX_WORKERS	64u
/* So long umount(2) waits for handlers whose callers do not wait any more. */
#define HANDLER_SECONDS		5

static int worker_add(struct fusex_session *se);

/*
 * Reading is the only place where a worker can be cancelled, so that ending
 * takes neither a signal handler nor a second system call per request.  The
 * address sanitizer does not notice that the stack of a cancelled thread is
 * gone, so nothing whose address is taken may be there.
 */
static ssize_t read_request(struct worker *w)
{
	ssize_t n;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &w->cancel_state);
	n = read(w->fd, w->req->in, w->se->in_size);
	if (n < 0)
		n = -errno;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &w->cancel_state);
	return n;
}

/* Another worker, when all are busy; that it does not work out is no error. */
static void grow(struct fusex_session *se)
{
	pthread_mutex_lock(&se->lock);
	if (!se->stopping && se->nr_workers < se->max_workers)
		(void)worker_add(se);
	pthread_mutex_unlock(&se->lock);
}

static bool serve(struct worker *w, size_t len)
{
	struct fusex_session *se = w->se;
	bool go_on = true;

	if (atomic_fetch_sub_explicit(&se->idle, 1, memory_order_relaxed) == 1)
		grow(se);
	w->req->fd = w->fd;
	if (req_dispatch(w->req, len) == REQ_DEFERRED)
		go_on = req_hand_over(w);
	atomic_fetch_add_explicit(&se->idle, 1, memory_order_relaxed);
	return go_on;
}

/* A test's channel ends with nothing to read. */
static void worker_end(struct fusex_session *se, ssize_t n)
{
	if (n == -ENODEV || (se->fake && !n))
		atomic_store(&se->ended, true);
	else
		atomic_store(&se->failure, n < 0 ? (int)-n : EPROTO);
	session_wake(se);
}

/*
 * Memory and dirty pages may be waiting for this thread.  So its allocations are
 * not to start I/O, which may be for it, and its own writes are to be held up by
 * what is dirty where they go, not by all that is dirty.  A server without
 * CAP_SYS_RESOURCE has to live without.
 */
static void become_flusher(void)
{
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	ssize_t n;

	become_flusher();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &w->cancel_state);
	for (;;) {
		n = read_request(w);
		if (n >= (ssize_t)sizeof(struct fusex_in_header)) {
			if (serve(w, (size_t)n))
				continue;
			return NULL;
		}
		if (n != -EINTR && n != -ENOENT)
			break;
	}
	worker_end(w->se, n);
	return NULL;
}

static void worker_free(struct worker *w)
{
	if (w->fd >= 0 && w->fd != w->se->fd)
		close(w->fd);
	req_free(w->req);
	free(w);
}

/**
 * worker_add() - start one more worker
 * @se: session, locked
 *
 * The first uses the session's own descriptor, and so do those for which there
 * are not enough: they share a queue.
 *
 * Return: 0 or -errno.
 */
static int worker_add(struct fusex_session *se)
{
	struct worker *w;
	int ret;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->se = se;
	w->fd = se->nr_workers ? session_clone_fd(se) : se->fd;
	if (w->fd == -EMFILE || w->fd == -ENFILE)
		w->fd = se->fd;
	ret = w->fd < 0 ? w->fd : 0;
	if (!ret) {
		w->req = req_alloc(se);
		if (!w->req)
			ret = -ENOMEM;
	}
	if (!ret) {
		atomic_fetch_add(&se->idle, 1);
		ret = -pthread_create(&w->thread, NULL, worker_main, w);
		if (ret)
			atomic_fetch_sub(&se->idle, 1);
	}
	if (ret) {
		worker_free(w);
		return ret;
	}
	w->next = se->workers;
	se->workers = w;
	se->nr_workers++;
	return 0;
}

/*
 * Signals are for others.  What a worker's own fault raises is not: if that is
 * blocked, it ends the program whatever handler there is for it.
 */
static void block_for_workers(sigset_t *old)
{
	static const int faults[] = {
		SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
	};
	sigset_t set;
	size_t i;

	sigfillset(&set);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&set, faults[i]);
	pthread_sigmask(SIG_SETMASK, &set, old);
}

static int start_workers(struct fusex_session *se, unsigned int count)
{
	sigset_t old;
	int ret = 0;

	/* Inherited by the workers, and the workers that they start. */
	block_for_workers(&old);
	pthread_mutex_lock(&se->lock);
	se->stopping = false;
	while (!ret && se->nr_workers < count)
		ret = worker_add(se);
	/* One can serve, and notices if it was unmounted already. */
	if (se->nr_workers)
		ret = 0;
	se->ran = true;
	pthread_mutex_unlock(&se->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return session_fail(se, -ret, "cannot start a worker:");
	return 0;
}

/* Those that read a request end now, the others when they have answered theirs. */
static void cancel_workers(struct fusex_session *se)
{
	struct worker *w;

	pthread_mutex_lock(&se->lock);
	se->stopping = true;
	pthread_cond_broadcast(&se->changed);
	for (w = se->workers; w; w = w->next)
		pthread_cancel(w->thread);
	pthread_mutex_unlock(&se->lock);
}

/**
 * struct waiter - the thread that called fusex_run()
 * @se: session
 * @sigfd: signalfd, -1 without FUSEX_RUN_SIGNALS
 * @ends: what it reads, empty without
 * @unmounting: @thread was started
 * @thread: unmounts, while this one watches for the second signal
 * @result: what unmounting returned, valid once the thread ended
 * @failed: it could not unmount, and what is dirty not be written back
 * @again: that was so before
 * @abandon: unmounting failed and nothing is dirty, or there was a second signal
 * @still_mounted: from struct fusex_run_options
 * @old: signal mask to be restored
 */
struct waiter {
	struct fusex_session	*se;
	int			sigfd;
	sigset_t		ends;
	bool			unmounting;
	pthread_t		thread;
	int			result;
	atomic_bool		failed;
	bool			again;
	atomic_bool		abandon;
	still_mounted_fn	still_mounted;
	sigset_t		old;
};

static void unmount_or_sync(struct waiter *wt)
{
	wt->result = fusex_session_unmount(wt->se);
	if (!wt->result) {
		session_elsewhere(wt->se, wt->still_mounted);
		return;
	}
	/* Who ends now must not take with it what programs have written. */
	if (wt->again || !session_sync(wt->se)) {
		atomic_store(&wt->abandon, true);
		session_wake(wt->se);
	} else {
		atomic_store(&wt->failed, true);
	}
}

static void *unmount_main(void *arg)
{
	struct waiter *wt = arg;

	/* So that who looks what hangs there sees it. */
	(void)prctl(PR_SET_NAME, "fusex-unmount");
	/* It may be the last to use a mount that others have unmounted meanwhile. */
	atomic_fetch_add(&wt->se->unmounting, 1);
	unmount_or_sync(wt);
	atomic_fetch_sub(&wt->se->unmounting, 1);
	return NULL;
}

/* When no thread can be had, another signal has to come. */
static void unmount_begin(struct waiter *wt)
{
	if (wt->unmounting) {
		pthread_join(wt->thread, NULL);
		atomic_store(&wt->failed, false);
		wt->again = true;
	}
	wt->unmounting = !pthread_create(&wt->thread, NULL, unmount_main, wt);
}

static void on_signal(struct waiter *wt)
{
	struct signalfd_siginfo info;

	if (read(wt->sigfd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (!wt->se->target)
		atomic_store(&wt->se->stop, true);
	else if (wt->unmounting && !atomic_load(&wt->failed))
		atomic_store(&wt->abandon, true);
	else
		unmount_begin(wt);
}

/*
 * Those that end it.  What is ignored, as nohup(1) and shells do for what is in
 * the background, stays so: it would come if it were blocked.
 */
static void end_signals(sigset_t *set)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa;
	size_t i;

	sigemptyset(set);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &sa) || sa.sa_handler != SIG_IGN)
			sigaddset(set, ends[i]);
}

static int block_signals(struct waiter *wt, uint32_t flags)
{
	wt->sigfd = -1;
	sigemptyset(&wt->ends);
	pthread_sigmask(SIG_SETMASK, NULL, &wt->old);
	if (!(flags & FUSEX_RUN_SIGNALS))
		return 0;
	end_signals(&wt->ends);
	pthread_sigmask(SIG_BLOCK, &wt->ends, NULL);
	wt->sigfd = signalfd(-1, &wt->ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (wt->sigfd >= 0)
		return 0;
	pthread_sigmask(SIG_SETMASK, &wt->old, NULL);
	return session_fail(wt->se, errno, "signalfd:");
}

static void restore_signals(struct waiter *wt)
{
	if (wt->sigfd >= 0)
		close(wt->sigfd);
	wt->sigfd = -1;
	pthread_sigmask(SIG_SETMASK, &wt->old, NULL);
}

/* A handler may never return, and one more signal is not for us. */
static void release_signals(struct waiter *wt)
{
	if (wt->sigfd >= 0)
		close(wt->sigfd);
	wt->sigfd = -1;
	pthread_sigmask(SIG_UNBLOCK, &wt->ends, NULL);
}

/*
 * Who has unmounted waits for handlers as well, which have something open, but not for
 * one that may never return.
 */
static void join(struct waiter *wt, struct worker *w,
		 const struct timespec *until)
{
	if (!pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, until))
		return;
	session_let_go(w->se);
	release_signals(wt);
	pthread_join(w->thread, NULL);
}

static void join_workers(struct waiter *wt)
{
	struct fusex_session *se = wt->se;
	struct timespec until;
	struct worker *w;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HANDLER_SECONDS;
	/* Nobody is added any more, so the list can be walked unlocked. */
	for (w = se->workers; w; w = w->next)
		join(wt, w, &until);

	pthread_mutex_lock(&se->lock);
	while (se->workers) {
		w = se->workers;
		se->workers = w->next;
		worker_free(w);
	}
	se->nr_workers = 0;
	atomic_store(&se->idle, 0);
	pthread_mutex_unlock(&se->lock);
}

static bool at_end(const struct waiter *wt)
{
	struct fusex_session *se = wt->se;

	return atomic_load(&se->stop) || atomic_load(&se->ended) ||
	       atomic_load(&se->failure) || atomic_load(&wt->abandon);
}

static void wait_for_end(struct waiter *wt)
{
	struct fusex_session *se = wt->se;
	struct pollfd fds[] = {
		{ .fd = se->wake_fd, .events = POLLIN },
		{ .fd = wt->sigfd, .events = POLLIN },
	};
	uint64_t count;

	while (!at_end(wt)) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents &&
		    read(se->wake_fd, &count, sizeof(count)) < 0)
			continue;
		if (fds[1].revents)
			on_signal(wt);
	}
}

/* Programs get errors now, whatever it is that a handler still waits for. */
static void end_channel(struct fusex_session *se)
{
	struct worker *w;

	for (w = se->workers; w; w = w->next)
		session_end_fd(se, w->fd);
	session_end_fd(se, se->fd);
}

/*
 * Unmounting may wait for answers that will not come any more, so when serving
 * ends before the file system did, the channel has to be closed first.
 */
static int finish(struct waiter *wt)
{
	struct fusex_session *se = wt->se;
	int err = atomic_load(&se->failure);
	bool ended = atomic_load(&se->ended);

	atomic_store(&se->stop, false);
	if (wt->unmounting) {
		if (!ended)
			session_end_fd(se, se->fd);
		pthread_join(wt->thread, NULL);
	}
	if (ended || err || atomic_load(&wt->abandon))
		session_cancel_all(se);
	if (ended) {
		/* What was aborted stays mounted, dead, until somebody unmounts it. */
		free(se->target);
		se->target = NULL;
		return 0;
	}
	if (wt->unmounting && wt->result)
		return wt->result;
	return err ? session_fail(se, err, "reading requests:") : 0;
}

static unsigned int initial_workers(const struct fusex_run_options *opts)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int n = cpus > 0 ? (unsigned int)cpus : 1;

	if (opts->threads)
		return opts->threads;
	if (n < MIN_WORKERS)
		n = MIN_WORKERS;
	if (n > MAX_INITIAL_WORKERS)
		n = MAX_INITIAL_WORKERS;
	if (opts->max_threads && n > opts->max_threads)
		n = opts->max_threads;
	return n;
}

static int take_options(struct fusex_session *se,
			struct fusex_run_options *opts,
			const struct fusex_run_options *given)
{
	if (!se->ready)
		return session_fail(se, EINVAL, "the session is not set up");
	if (given->size < RUN_SIZE_FIRST ||
	    copy_versioned(opts, sizeof(*opts), given, given->size) ||
	    opts->flags & ~FUSEX_RUN_SIGNALS)
		return session_fail(se, EINVAL,
				    "options of a newer library, or size not set");
	if (opts->max_threads && opts->threads > opts->max_threads)
		return session_fail(se, EINVAL, "threads exceeds max_threads");
	return 0;
}

int fusex_run(struct fusex_session *se, const struct fusex_run_options *opts)
{
	static const struct fusex_run_options defaults = {
		.size	= sizeof(defaults),
		.flags	= FUSEX_RUN_SIGNALS,
	};
	struct waiter wt = { .se = se };
	struct fusex_run_options o = { 0 };
	unsigned int threads;
	int ret;

	ret = take_options(se, &o, opts ? opts : &defaults);
	if (ret)
		return ret;
	threads = initial_workers(&o);
	se->max_workers = o.max_threads ? o.max_threads : DEFAULT_MAX_WORKERS;
	if (se->max_workers < threads)
		se->max_workers = threads;

	ret = block_signals(&wt, o.flags);
	if (ret)
		return ret;
	wt.still_mounted = o.still_mounted;
	ret = start_workers(se, threads);
	if (!ret)
		wait_for_end(&wt);
	cancel_workers(se);
	if (atomic_load(&wt.abandon)) {
		end_channel(se);
		release_signals(&wt);
	} else if (!atomic_load(&se->ended)) {
		restore_signals(&wt);
	}
	join_workers(&wt);
	if (!ret)
		ret = finish(&wt);
	restore_signals(&wt);
	return ret;
}

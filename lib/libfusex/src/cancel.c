// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Cancellation.
 *
 * The CANCEL of a request can be read by one worker before another worker,
 * that has read the request itself, gets to say that it works on it.  So a
 * CANCEL that finds no request leaves its unique behind, and then looks again;
 * a worker that begins a request first says so, and then looks for uniques
 * that were left.  Both are sequentially consistent, so that one of the two
 * sees the other.  Uniques are not used twice, so what is left behind for
 * requests that were answered meanwhile does no harm.
 */
#include "internal.h"

static void mark_cancelled(struct fusex_req *req, uint64_t unique)
{
	atomic_store(&req->cancelled, unique);
}

static void find_early_cancel(struct fusex_req *req, uint64_t unique)
{
	struct fusex_session *se = req->se;
	unsigned int i;

	for (i = 0; i < EARLY_CANCELS; i++)
		if (atomic_load(&se->early[i]) == unique)
			mark_cancelled(req, unique);
}

/**
 * req_begin() - a worker has read a request
 * @req: the request, with its header set
 */
void req_begin(struct fusex_req *req)
{
	uint64_t unique = req->hdr->unique;

	atomic_store_explicit(&req->armed, false, memory_order_relaxed);
	atomic_store(&req->active, unique);
	if (atomic_load(&req->se->early_used))
		find_early_cancel(req, unique);
}

static struct fusex_req *find_active(struct fusex_session *se, uint64_t unique)
{
	struct fusex_req *req;
	struct worker *w;

	for (w = se->workers; w; w = w->next)
		if (w->req && atomic_load(&w->req->active) == unique)
			return w->req;
	for (req = se->busy; req; req = req->next)
		if (atomic_load(&req->active) == unique)
			return req;
	return NULL;
}

static struct fusex_req *find_or_leave(struct fusex_session *se,
				       uint64_t unique)
{
	struct fusex_req *req = find_active(se, unique);

	if (req)
		return req;
	atomic_store(&se->early[se->early_next++ % EARLY_CANCELS], unique);
	atomic_store(&se->early_used, true);
	return find_active(se, unique);
}

/* The session is locked, but not while the function runs. */
static void tell(struct fusex_req *req)
{
	void (*fn)(struct fusex_req *req, void *data) = req->cancel_fn;
	struct fusex_session *se = req->se;

	if (!fn)
		return;
	req->cancel_fn = NULL;
	req->cancel_running = true;
	req->cancel_thread = pthread_self();
	pthread_mutex_unlock(&se->lock);

	fn(req, req->cancel_data);

	pthread_mutex_lock(&se->lock);
	req_cancel_returned(req);
}

/**
 * session_cancel() - the kernel says that a caller was interrupted
 * @se: session
 * @unique: of the request
 */
void session_cancel(struct fusex_session *se, uint64_t unique)
{
	struct fusex_req *req;

	pthread_mutex_lock(&se->lock);
	req = find_or_leave(se, unique);
	if (req) {
		mark_cancelled(req, unique);
		tell(req);
	}
	pthread_mutex_unlock(&se->lock);
}

static struct fusex_req *find_armed(struct fusex_session *se)
{
	struct fusex_req *req;

	for (req = se->busy; req; req = req->next)
		if (req->cancel_fn)
			return req;
	return NULL;
}

/**
 * session_cancel_all() - nobody waits for deferred requests any more
 * @se: session whose channel is gone, without workers
 */
void session_cancel_all(struct fusex_session *se)
{
	struct fusex_req *req;

	pthread_mutex_lock(&se->lock);
	for (req = se->busy; req; req = req->next)
		mark_cancelled(req, atomic_load(&req->active));
	while ((req = find_armed(se)))
		tell(req);
	pthread_mutex_unlock(&se->lock);
}

/**
 * req_disarm() - make sure that the cancel function does not run any more
 * @req: request
 *
 * Waits for it, unless called by it.
 */
void req_disarm(struct fusex_req *req)
{
	struct fusex_session *se = req->se;

	pthread_mutex_lock(&se->lock);
	req->cancel_fn = NULL;
	while (req->cancel_running &&
	       !pthread_equal(req->cancel_thread, pthread_self()))
		pthread_cond_wait(&se->changed, &se->lock);
	pthread_mutex_unlock(&se->lock);
}

bool fusex_req_cancelled(const struct fusex_req *req)
{
	struct fusex_req *r = (struct fusex_req *)req;

	return atomic_load(&r->cancelled) == req->hdr->unique;
}

int fusex_req_on_cancel(struct fusex_req *req,
			void (*fn)(struct fusex_req *req, void *data),
			void *data)
{
	struct fusex_session *se = req->se;
	int ret = 0;

	if (!fn) {
		req_disarm(req);
		return 0;
	}
	atomic_store_explicit(&req->armed, true, memory_order_relaxed);
	pthread_mutex_lock(&se->lock);
	if (fusex_req_cancelled(req)) {
		ret = -EINTR;
	} else {
		req->cancel_fn = fn;
		req->cancel_data = data;
	}
	pthread_mutex_unlock(&se->lock);
	return ret;
}

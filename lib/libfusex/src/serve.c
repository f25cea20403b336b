// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Serving from an event loop of the program's own.
 */
#include <stdlib.h>
#include <sys/uio.h>

#include "internal.h"

/* Who waits may be who answers, so nobody waits for memory. */
static struct fusex_req *take(struct fusex_session *se)
{
	struct fusex_req *req;

	pthread_mutex_lock(&se->lock);
	req = se->pool;
	if (req) {
		se->pool = req->next;
		se->pool_size--;
	}
	pthread_mutex_unlock(&se->lock);
	return req ? req : req_alloc(se);
}

static void give_back(struct fusex_session *se, struct fusex_req *req)
{
	pthread_mutex_lock(&se->lock);
	req->next = se->pool;
	se->pool = req;
	se->pool_size++;
	pthread_mutex_unlock(&se->lock);
}

/* What was taken back between two looks is not there any more; the next one may be. */
static ssize_t read_now(struct fusex_session *se, struct fusex_req *req)
{
	struct iovec iov = { req->in, se->in_size };
	ssize_t n;

	do {
		n = preadv2(se->fd, &iov, 1, -1, RWF_NOWAIT);
	} while (n < 0 && (errno == EINTR || errno == ENOENT));
	return n < 0 ? -errno : n;
}

/* As fusex_run() does it. */
static int serving_ended(struct fusex_session *se)
{
	atomic_store(&se->ended, true);
	session_cancel_all(se);
	free(se->target);
	se->target = NULL;
	return -ENODEV;
}

static int serve(struct fusex_session *se, struct fusex_req *req, ssize_t n)
{
	int ret = 1;

	if (n >= (ssize_t)sizeof(struct fusex_in_header)) {
		req->fd = se->fd;
		if (req_dispatch(req, (size_t)n) == REQ_DEFERRED) {
			req_leave(req);
			return 1;
		}
		if (atomic_load(&se->ended))
			ret = serving_ended(se);
	} else if (n == -EAGAIN) {
		ret = 0;
	} else if (n == -ENODEV || (se->fake && !n)) {
		ret = serving_ended(se);
	} else {
		ret = session_fail(se, n < 0 ? (int)-n : EPROTO,
				   "reading requests:");
	}
	give_back(se, req);
	return ret;
}

int fusex_serve_one(struct fusex_session *se)
{
	struct fusex_req *req;

	if (!se->ready)
		return session_fail(se, EINVAL, "the session is not set up");
	if (atomic_load(&se->ended))
		return -ENODEV;
	req = take(se);
	if (!req)
		return session_fail(se, ENOMEM, "serving:");
	return serve(se, req, read_now(se, req));
}

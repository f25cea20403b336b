// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Callers that are interrupted.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rq, rp;
static struct event arrived = EVENT_INIT;
static struct event told = EVENT_INIT;
static struct event go = EVENT_INIT;
static struct fusex_req *kept;
static unsigned int nr_arrived, nr_told, nr_go;
static int on_cancel_ret;

static void cancel(uint64_t unique)
{
	struct fusex_cancel_in in = { .unique = unique };
	struct message m;

	msg_begin(&fake, &m, FUSEX_OP_CANCEL, 0);
	msg_arg(&m, &in, sizeof(in));
	fake_send(&fake, &m);
}

static void tell(struct fusex_req *req, void *data)
{
	*(bool *)data = true;
	event_signal(&told);
}

/* Blocks in the handler until the caller is interrupted. */
static int t_setlk(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_lock *in)
{
	bool cancelled = false;

	if (fusex_req_on_cancel(req, tell, &cancelled))
		return -EDEADLK;
	event_signal(&arrived);
	event_wait(&told, ++nr_told);
	fusex_req_on_cancel(req, NULL, NULL);
	return cancelled && fusex_req_cancelled(req) ? -EINTR : -EIO;
}

/* Waits without a cancel function. */
static int t_flush(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_flush_in *in)
{
	event_signal(&arrived);
	while (!fusex_req_cancelled(req))
		sched_yield();
	return -EINTR;
}

static void reply_when_told(struct fusex_req *req, void *data)
{
	fusex_reply_err(req, -EINTR);
	event_signal(&told);
}

/* The cancel function answers. */
static int t_fsync(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_fsync_in *in)
{
	on_cancel_ret = fusex_req_on_cancel(req, reply_when_told, NULL);
	kept = req;
	event_signal(&arrived);
	/* With a file: the handler returns after the cancel function. */
	if (in->fh)
		event_wait(&go, ++nr_go);
	return FUSEX_DEFERRED;
}

static void slow_cancel(struct fusex_req *req, void *data)
{
	int i;

	event_signal(&arrived);
	event_wait(&go, ++nr_go);
	/* Time for those who do not wait to be noticed. */
	for (i = 0; i < 1000; i++)
		sched_yield();
	atomic_store((atomic_bool *)data, true);
}

static atomic_bool slow_done;

static int t_access(struct fusex_req *req, const struct fusex_node *node,
		    uint32_t mask)
{
	fusex_req_on_cancel(req, slow_cancel, &slow_done);
	kept = req;
	event_signal(&arrived);
	return FUSEX_DEFERRED;
}

static int t_syncfs(struct fusex_req *req)
{
	return fusex_req_cancelled(req) ? -EINTR :
	       fusex_req_on_cancel(req, tell, NULL);
}

static const struct fusex_ops ops = {
	.access	= t_access,
	.flush	= t_flush,
	.fsync	= t_fsync,
	.setlk	= t_setlk,
	.syncfs	= t_syncfs,
};

static void send_op(uint32_t op, const void *arg, size_t len)
{
	msg_begin(&fake, &rq, op, 1);
	if (len)
		msg_arg(&rq, arg, len);
	fake_send(&fake, &rq);
	ok(event_wait(&arrived, ++nr_arrived), "the handler was called");
}

static void answered(int error, const char *what)
{
	bool came = fake_recv(&fake, &rp);

	ok(came && rp.out.unique == rq.in.unique && rp.out.error == error,
	   "%s", what);
	if (rp.out.error != error)
		printf("# got %d, want %d\n", rp.out.error, error);
}

static void test_blocking(void)
{
	send_op(FUSEX_OP_SETLK, &(struct fusex_lock){ 0 },
		sizeof(struct fusex_lock));
	cancel(rq.in.unique);
	answered(-EINTR, "a blocked handler is told");
	send_op(FUSEX_OP_FLUSH, &(struct fusex_flush_in){ 0 },
		sizeof(struct fusex_flush_in));
	cancel(rq.in.unique + 1000);
	cancel(rq.in.unique);
	answered(-EINTR, "a blocked handler sees it");
}

static void test_deferred(void)
{
	struct fusex_fsync_in in = { .fh = 0 };

	send_op(FUSEX_OP_FSYNC, &in, sizeof(in));
	cancel(rq.in.unique);
	answered(-EINTR, "the cancel function answers a deferred request");
	ok(event_wait(&told, ++nr_told), "the cancel function returns");

	/* Cannot be the last to let go of the request in this order. */
	in.fh = 1;
	send_op(FUSEX_OP_FSYNC, &in, sizeof(in));
	cancel(rq.in.unique);
	answered(-EINTR, "the cancel function answers before the handler returns");
	ok(event_wait(&told, ++nr_told), "the cancel function returns");
	event_signal(&go);

	in.fh = 0;
	send_op(FUSEX_OP_FSYNC, &in, sizeof(in));
	is(fusex_reply_err(kept, 0), 0, "a request is answered");
	answered(0, "in time");
	cancel(rq.in.unique);
	cancel(rq.in.unique);
	ok(fake_quiet(&fake), "a CANCEL that comes late does nothing");
}

/* A reply waits for the cancel function that runs in another thread. */
static void test_reply_waits(void)
{
	struct fusex_access_in in = { .mask = 1 };
	uint64_t unique;
	bool done;
	int ret;

	send_op(FUSEX_OP_ACCESS, &in, sizeof(in));
	unique = rq.in.unique;
	cancel(unique);
	ok(event_wait(&arrived, ++nr_arrived), "the cancel function runs");
	event_signal(&go);
	ret = fusex_reply_err(kept, 0);
	done = atomic_load(&slow_done);
	is(ret, 0, "the request is answered meanwhile");
	ok(done, "after the cancel function returned");
	rq.in.unique = unique;
	answered(0, "with what it came to");
}

/* The CANCEL is read before its request, as two workers may; here it is one. */
static void test_early(void)
{
	uint64_t unique = 1000030;
	int i;

	fake_start(&fake, &ops, NULL, 1, 1);
	for (i = 0; i < 40; i++)
		cancel(1000000 + (uint64_t)i);
	msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
	rq.in.unique = unique;
	fake_send(&fake, &rq);
	answered(-EINTR, "a CANCEL that comes early is not lost");
	msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
	fake_send(&fake, &rq);
	answered(0, "and is not another request's");
	fake_stop(&fake);
}

/* The channel ends with a request that was deferred. */
static void test_end(void)
{
	struct fusex_fsync_in in = { .fh = 0 };

	fake_start(&fake, &ops, NULL, 1, 1);
	send_op(FUSEX_OP_FSYNC, &in, sizeof(in));
	fake_stop(&fake);
	is(told.count, nr_told + 1, "who waits when the channel ends is told");
}

#define STORM	4000

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fusex_req *queue[STORM + 1];
static size_t queued;

/* Whoever takes a request out of the queue answers it. */
static bool take(const struct fusex_req *req)
{
	size_t i;

	for (i = 0; i < queued; i++) {
		if (queue[i] == req) {
			queue[i] = queue[--queued];
			return true;
		}
	}
	return false;
}

static void storm_cancelled(struct fusex_req *req, void *data)
{
	bool mine;

	pthread_mutex_lock(&queue_lock);
	mine = take(req);
	pthread_mutex_unlock(&queue_lock);
	if (mine)
		fusex_reply_err(req, -EINTR);
}

static int storm_fsync(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_fsync_in *in)
{
	bool late;

	/* One lock around both, so that the cancel function finds it. */
	pthread_mutex_lock(&queue_lock);
	late = fusex_req_on_cancel(req, storm_cancelled, NULL);
	if (!late)
		queue[queued++] = req;
	pthread_mutex_unlock(&queue_lock);
	return late ? -EINTR : FUSEX_DEFERRED;
}

/* Answers requests in any order until it is told to stop. */
static void *storm_answer(void *arg)
{
	atomic_bool *stop = arg;
	struct fusex_req *req;

	while (!atomic_load(stop)) {
		pthread_mutex_lock(&queue_lock);
		req = queued ? queue[queued / 2] : NULL;
		if (req)
			take(req);
		pthread_mutex_unlock(&queue_lock);
		if (req)
			fusex_reply_err(req, 0);
		else
			sched_yield();
	}
	return NULL;
}

/* Each request is answered once, whoever comes first. */
static void test_storm(void)
{
	static const struct fusex_ops storm_ops = { .fsync = storm_fsync };
	static bool seen[3 * STORM];
	struct fusex_fsync_in in = { 0 };
	unsigned int i, good = 0, failed = 0;
	atomic_bool stop = false;
	pthread_t thread;

	fake_start(&fake, &storm_ops, NULL, 4, 4);
	pthread_create(&thread, NULL, storm_answer, &stop);
	for (i = 0; i < STORM; i++) {
		msg_begin(&fake, &rq, FUSEX_OP_FSYNC, 1);
		msg_arg(&rq, &in, sizeof(in));
		fake_send(&fake, &rq);
		if (i % 4)
			cancel(rq.in.unique);
		if (!fake_recv(&fake, &rp))
			break;
		if (rp.out.unique >= 3 * STORM || seen[rp.out.unique] ||
		    (rp.out.error && rp.out.error != -EINTR))
			failed++;
		else
			seen[rp.out.unique] = true;
		good++;
	}
	ok(good == STORM && !failed && fake_quiet(&fake),
	   "requests that are cancelled and answered at the same time");
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	fake_stop(&fake);
}

int main(void)
{
	fake_start(&fake, &ops, NULL, 2, 2);
	test_blocking();
	test_deferred();
	test_reply_waits();
	fake_stop(&fake);
	test_early();
	test_end();
	test_storm();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the life of requests, with a transport that the tests play:
 * every way to the end, from every state; background requests; deadlines.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "fake_chan.h"

/* A call that notes how often and how it ended. */
struct noted {
	struct fusex_call call;
	int ended;
	int error;
};

static void note_end(struct fusex_call *call)
{
	struct noted *n = container_of(call, struct noted, call);

	n->ended++;
	n->error = call->error;
}

/* Outlives the channel, whatever a test fails at. */
static struct noted *noted(struct kunit *test, unsigned int count)
{
	struct noted *n = kunit_kcalloc(test, count, sizeof(*n), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, n);
	return n;
}

static void note_call(struct noted *n, u32 op)
{
	*n = (struct noted) {
		.call.op	= op,
		.call.id	= 42,
		.call.end	= note_end,
	};
}

static void start(struct kunit *test, struct noted *n, u32 op)
{
	note_call(n, op);
	KUNIT_ASSERT_EQ(test, 0, fusex_call_async(test->priv, &n->call,
						  GFP_KERNEL));
}

/* Brings a fresh request to a state; the request has the test's reference. */
static struct fusex_req *bring_to(struct kunit *test, struct noted *n,
				  u8 state)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_req *req;

	start(test, n, FUSEX_OP_GETATTR);
	if (state == FUSEX_REQ_QUEUED)
		return list_first_entry(&chan->pending, struct fusex_req,
					link);
	req = fake_next(chan);
	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
	if (state == FUSEX_REQ_SENDING)
		return req;
	KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));
	if (state == FUSEX_REQ_SENT)
		return req;
	KUNIT_ASSERT_PTR_EQ(test, req,
			    fusex_req_start_reply(chan, n->call.unique));
	return req;
}

static void finish(struct kunit *test, struct noted *n, int error)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_req *req = fusex_req_start_reply(chan, n->call.unique);

	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_EXPECT_EQ(test, 0, fusex_req_reply(req, error));
}

static void legal_test(struct kunit *test)
{
	/* From the row to the column, in the order of the enumeration. */
	static const char *const arrows[] = {
		".x...x", "..x..x", ".x.x.x", "....xx", "...x.x", "......",
	};
	unsigned int from, to;

	for (from = FUSEX_REQ_NEW; from <= FUSEX_REQ_DONE; from++) {
		for (to = FUSEX_REQ_NEW; to <= FUSEX_REQ_DONE; to++)
			KUNIT_EXPECT_EQ_MSG(test, arrows[from][to] == 'x',
					    fusex_req_legal(from, to),
					    "%u to %u", from, to);
	}
}

static void life_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_req *req;
	struct noted *n = noted(test, 1);

	start(test, n, FUSEX_OP_GETATTR);
	KUNIT_EXPECT_NE(test, 0, n->call.unique);
	KUNIT_EXPECT_FALSE(test, n->call.sent);
	/* What was not sent cannot be answered. */
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(chan, n->call.unique));

	req = fake_next(chan);
	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_EXPECT_EQ(test, FUSEX_REQ_QUEUED, req->state);
	KUNIT_EXPECT_EQ(test, FUSEX_OP_GETATTR, req->in.opcode);
	KUNIT_EXPECT_EQ(test, 42, req->in.nodeid);
	KUNIT_EXPECT_EQ(test, sizeof(req->in), req->in.len);

	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
	KUNIT_EXPECT_TRUE(test, n->call.sent);
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(chan, n->call.unique));
	KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));

	KUNIT_EXPECT_NULL(test,
			  fusex_req_start_reply(chan, n->call.unique + 1));
	KUNIT_ASSERT_PTR_EQ(test, req,
			    fusex_req_start_reply(chan, n->call.unique));
	/* Nobody else can answer meanwhile. */
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(chan, n->call.unique));
	KUNIT_EXPECT_EQ(test, 0, n->ended);
	KUNIT_EXPECT_EQ(test, 0, fusex_req_reply(req, -EACCES));
	KUNIT_EXPECT_EQ(test, 1, n->ended);
	KUNIT_EXPECT_EQ(test, -EACCES, n->error);
	/* Nor twice. */
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(chan, n->call.unique));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_async));
}

/* Memory that is not there sends a request one state back. */
static void back_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_req *req;
	struct noted *n = noted(test, 1);

	req = bring_to(test, n, FUSEX_REQ_SENDING);
	KUNIT_ASSERT_TRUE(test, fusex_req_unsend(req));
	KUNIT_EXPECT_EQ(test, FUSEX_REQ_QUEUED, req->state);
	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
	KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));
	KUNIT_ASSERT_PTR_EQ(test, req,
			    fusex_req_start_reply(chan, n->call.unique));
	KUNIT_ASSERT_TRUE(test, fusex_req_unreply(req));
	KUNIT_EXPECT_EQ(test, FUSEX_REQ_SENT, req->state);
	KUNIT_EXPECT_EQ(test, 0, n->ended);
	finish(test, n, 0);
	KUNIT_EXPECT_EQ(test, 1, n->ended);
	KUNIT_EXPECT_EQ(test, 0, n->error);
}

/* Ends the channel with a request in each state. */
static void abort_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *queued = noted(test, 1);
	struct noted *sending = noted(test, 1);
	struct noted *sent = noted(test, 1);
	struct noted *replying = noted(test, 1);
	struct noted *later = noted(test, 1);
	struct fusex_req *s, *r;

	s = bring_to(test, sending, FUSEX_REQ_SENDING);
	bring_to(test, sent, FUSEX_REQ_SENT);
	r = bring_to(test, replying, FUSEX_REQ_REPLYING);
	bring_to(test, queued, FUSEX_REQ_QUEUED);
	fusex_chan_abort(chan);

	KUNIT_EXPECT_EQ(test, 1, queued->ended);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, queued->error);
	KUNIT_EXPECT_FALSE(test, queued->call.sent);
	KUNIT_EXPECT_EQ(test, 1, sent->ended);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, sent->error);
	KUNIT_EXPECT_TRUE(test, sent->call.sent);
	/* What is being copied ends when the copy does. */
	KUNIT_EXPECT_EQ(test, 0, sending->ended);
	KUNIT_EXPECT_EQ(test, 0, replying->ended);
	KUNIT_EXPECT_FALSE(test, fusex_req_sent(s));
	KUNIT_EXPECT_EQ(test, 1, sending->ended);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, sending->error);
	KUNIT_EXPECT_EQ(test, -ENOENT, fusex_req_reply(r, 0));
	KUNIT_EXPECT_EQ(test, 1, replying->ended);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, replying->error);

	note_call(later, FUSEX_OP_GETATTR);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, fusex_call_async(chan, &later->call,
							  GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, later->ended);
	KUNIT_EXPECT_TRUE(test, list_empty(&chan->pending));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_async));
}

/* The same while memory is being faulted in. */
static void abort_fault_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *sending = noted(test, 1);
	struct noted *replying = noted(test, 1);
	struct fusex_req *s, *r;

	s = bring_to(test, sending, FUSEX_REQ_SENDING);
	r = bring_to(test, replying, FUSEX_REQ_REPLYING);
	fusex_chan_abort(chan);
	KUNIT_EXPECT_FALSE(test, fusex_req_unsend(s));
	KUNIT_EXPECT_FALSE(test, fusex_req_unreply(r));
	KUNIT_EXPECT_EQ(test, 1, sending->ended);
	KUNIT_EXPECT_EQ(test, 1, replying->ended);
}

/* Gives up one request in each state, and no other. */
static void abandon_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *sending = noted(test, 1);
	struct noted *sent = noted(test, 1);
	struct noted *other = noted(test, 1);
	struct noted *queued = noted(test, 1);
	struct fusex_req *s;

	s = bring_to(test, sending, FUSEX_REQ_SENDING);
	bring_to(test, sent, FUSEX_REQ_SENT);
	bring_to(test, other, FUSEX_REQ_SENT);
	bring_to(test, queued, FUSEX_REQ_QUEUED);

	fusex_call_abandon(chan, sent->call.unique);
	KUNIT_EXPECT_EQ(test, 1, sent->ended);
	KUNIT_EXPECT_EQ(test, -EINTR, sent->error);
	KUNIT_EXPECT_TRUE(test, sent->call.sent);
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(chan, sent->call.unique));
	fusex_call_abandon(chan, queued->call.unique);
	KUNIT_EXPECT_EQ(test, 1, queued->ended);
	KUNIT_EXPECT_FALSE(test, queued->call.sent);
	KUNIT_EXPECT_TRUE(test, list_empty(&chan->pending));
	/* What is being copied ends when the copy does. */
	fusex_call_abandon(chan, sending->call.unique);
	KUNIT_EXPECT_EQ(test, 0, sending->ended);
	KUNIT_EXPECT_FALSE(test, fusex_req_sent(s));
	KUNIT_EXPECT_EQ(test, 1, sending->ended);
	KUNIT_EXPECT_EQ(test, -EINTR, sending->error);
	/* What is over stays what it came to, and ends no second time. */
	KUNIT_EXPECT_EQ(test, 0, other->ended);
	finish(test, other, 0);
	fusex_call_abandon(chan, other->call.unique);
	KUNIT_EXPECT_EQ(test, 1, other->ended);
	KUNIT_EXPECT_EQ(test, 0, other->error);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_async));
}

/* A request that is over is found so by the reader that has taken it. */
static void taken_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_req *req;
	struct noted *n = noted(test, 1);

	start(test, n, FUSEX_OP_GETATTR);
	req = fake_next(chan);
	fusex_chan_abort(chan);
	KUNIT_EXPECT_EQ(test, 1, n->ended);
	KUNIT_EXPECT_FALSE(test, fusex_req_start_send(req));
	fusex_req_put(req);
}

/* A reader that dies gives back what it has: not if that is over meanwhile. */
static void late_queue_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_req *req;
	struct noted *n = noted(test, 1);

	start(test, n, FUSEX_OP_GETATTR);
	req = fake_next(chan);
	KUNIT_ASSERT_NOT_NULL(test, req);
	fusex_call_abandon(chan, n->call.unique);
	KUNIT_EXPECT_EQ(test, 1, n->ended);
	KUNIT_EXPECT_EQ(test, -ENOTCONN,
			fusex_dev_transport.submit(chan, req,
							   FUSEX_GOES_ON));
	KUNIT_EXPECT_TRUE(test, list_empty(&chan->pending));
	fusex_req_refused(req);
	KUNIT_EXPECT_EQ(test, 1, n->ended);
	KUNIT_EXPECT_EQ(test, -EINTR, n->error);
}

/* More than may be in the background at once. */
#define NR	5

static void background_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *n = noted(test, NR);
	unsigned int i;

	for (i = 0; i < NR; i++) {
		note_call(&n[i], FUSEX_OP_READ);
		n[i].call.background = true;
		KUNIT_ASSERT_EQ(test, 0, fusex_call_async(chan, &n[i].call,
							  GFP_KERNEL));
	}
	KUNIT_EXPECT_EQ(test, 2, list_count_nodes(&chan->pending));
	KUNIT_EXPECT_EQ(test, 3, list_count_nodes(&chan->backlog));
	/* In the foreground there is no limit. */
	for (i = 0; i < NR; i++) {
		struct fusex_req *req = fake_next(chan);

		KUNIT_ASSERT_NOT_NULL(test, req);
		KUNIT_EXPECT_PTR_EQ(test, &n[i].call, req->call);
		KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
		KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));
		finish(test, &n[i], 0);
		KUNIT_EXPECT_EQ(test, 1, n[i].ended);
		KUNIT_EXPECT_EQ(test, min(2u, 4 - i),
				list_count_nodes(&chan->pending));
	}
	KUNIT_EXPECT_EQ(test, 0, chan->nr_background);
}

static void background_abort_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *n = noted(test, NR);
	unsigned int i;

	for (i = 0; i < NR; i++) {
		note_call(&n[i], FUSEX_OP_READ);
		n[i].call.background = true;
		KUNIT_ASSERT_EQ(test, 0, fusex_call_async(chan, &n[i].call,
							  GFP_KERNEL));
	}
	fusex_chan_abort(chan);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_EQ(test, 1, n[i].ended);
		KUNIT_EXPECT_EQ(test, -ENOTCONN, n[i].error);
	}
	KUNIT_EXPECT_EQ(test, 0, chan->nr_background);
	KUNIT_EXPECT_TRUE(test, list_empty(&chan->backlog));
}

/* An unmount waits for what somebody needs. */
static void leave_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *n = noted(test, NR);
	struct fusex_req *reply, *late;
	unsigned int i;

	for (i = 0; i < NR; i++) {
		note_call(&n[i], FUSEX_OP_READ);
		n[i].call.dispensable = i > 0;
		KUNIT_ASSERT_EQ(test, 0, fusex_call_async(chan, &n[i].call,
							  GFP_KERNEL));
	}
	/* 0 needed, 1 sent, 2 and 3 being answered, 4 queued. */
	for (i = 0; i < 4; i++) {
		struct fusex_req *req = fake_next(chan);

		KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
		KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));
	}
	reply = fusex_req_start_reply(chan, n[2].call.unique);
	late = fusex_req_start_reply(chan, n[3].call.unique);
	chan->leaving = true;
	fusex_req_leave(chan);
	KUNIT_EXPECT_EQ(test, 0, n[0].ended);
	KUNIT_EXPECT_EQ(test, 1, n[1].ended);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, n[1].error);
	KUNIT_EXPECT_EQ(test, 0, n[2].ended);
	KUNIT_EXPECT_EQ(test, 0, n[3].ended);
	KUNIT_EXPECT_EQ(test, 0, n[4].ended);
	KUNIT_EXPECT_EQ(test, 0, fusex_req_reply(reply, 0));
	KUNIT_EXPECT_EQ(test, 0, n[2].error);
	KUNIT_EXPECT_FALSE(test, fusex_req_unreply(late));
	KUNIT_EXPECT_EQ(test, -ENOTCONN, n[3].error);
	/* The server gets what was queued. */
	late = fake_next(chan);
	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(late));
	KUNIT_EXPECT_TRUE(test, fusex_req_sent(late));
	KUNIT_EXPECT_EQ(test, 1, n[4].ended);
	finish(test, &n[0], 0);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_async));
}

static void lacks_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct noted *n = noted(test, 1);

	bring_to(test, n, FUSEX_REQ_SENT);
	KUNIT_EXPECT_FALSE(test, fusex_chan_lacks(chan, FUSEX_OP_GETATTR));
	finish(test, n, -ENOSYS);
	KUNIT_EXPECT_EQ(test, -ENOSYS, n->error);
	KUNIT_EXPECT_TRUE(test, fusex_chan_lacks(chan, FUSEX_OP_GETATTR));
	KUNIT_EXPECT_FALSE(test, fusex_chan_lacks(chan, FUSEX_OP_SETATTR));
	/* Not a call that waits: it would, for ever, if this is broken. */
	KUNIT_EXPECT_EQ(test, -ENOSYS, fusex_call_async(chan, &n->call,
							GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 1, n->ended);
	fusex_chan_abort(chan);
}

/* ---------------------------------------------------------------- waiting */

struct caller {
	struct fusex_chan *chan;
	struct fusex_call call;
	struct completion over;
	int (*fn)(struct fusex_chan *chan, struct fusex_call *call);
	int error;
};

static int caller_thread(void *data)
{
	struct caller *c = data;

	c->error = c->fn(c->chan, &c->call);
	complete(&c->over);
	return 0;
}

/* Has @fn called by a thread and answers it. */
static void answer_thread(struct kunit *test,
			  int (*fn)(struct fusex_chan *, struct fusex_call *),
			  int error)
{
	struct fusex_chan *chan = test->priv;
	u64 arg = 1;
	struct caller c = {
		.chan		= chan,
		.fn		= fn,
		.call.op	= FUSEX_OP_FLUSH,
		.call.arg	= &arg,
		.call.arg_len	= sizeof(arg),
	};
	unsigned long end = jiffies + 60 * HZ;
	struct fusex_req *req;
	struct task_struct *task;

	init_completion(&c.over);
	task = kthread_run(caller_thread, &c, "fusex-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (!(req = fake_next(chan)) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	if (req) {
		u64 unique = req->in.unique;

		KUNIT_EXPECT_TRUE(test, fusex_req_start_send(req));
		KUNIT_EXPECT_TRUE(test, fusex_req_sent(req));
		KUNIT_EXPECT_FALSE(test, completion_done(&c.over));
		req = fusex_req_start_reply(chan, unique);
	}
	KUNIT_EXPECT_NOT_NULL(test, req);
	if (req)
		KUNIT_EXPECT_EQ(test, 0, fusex_req_reply(req, error));
	else
		fusex_chan_abort(chan);
	wait_for_completion(&c.over);
	KUNIT_EXPECT_EQ(test, error, c.error);
	KUNIT_EXPECT_EQ(test, error, c.call.error);
}

static void wait_test(struct kunit *test)
{
	answer_thread(test, fusex_call, -ESTALE);
}

static void sure_test(struct kunit *test)
{
	answer_thread(test, fusex_call_sure, -EIO);
}

/* -------------------------------------------------------------- deadlines */

static void left_test(struct kunit *test)
{
	const unsigned long top = ULONG_MAX;

	KUNIT_EXPECT_EQ(test, 10, fusex_deadline_left(100, 10, 100));
	KUNIT_EXPECT_EQ(test, 1, fusex_deadline_left(100, 10, 109));
	KUNIT_EXPECT_EQ(test, 0, fusex_deadline_left(100, 10, 110));
	KUNIT_EXPECT_EQ(test, -1, fusex_deadline_left(100, 10, 111));
	/* Where the counter wraps around. */
	KUNIT_EXPECT_EQ(test, 10, fusex_deadline_left(top - 4, 10, top - 4));
	KUNIT_EXPECT_EQ(test, 1, fusex_deadline_left(top - 4, 10, 4));
	KUNIT_EXPECT_EQ(test, 0, fusex_deadline_left(top - 4, 10, 5));
	KUNIT_EXPECT_EQ(test, -5, fusex_deadline_left(top - 4, 10, 10));
	/* The longest timeout there is. */
	KUNIT_EXPECT_GT(test,
			fusex_deadline_left(top, msecs_to_jiffies(U32_MAX),
					    top), 0);
}

static void timeout_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;

	KUNIT_EXPECT_EQ(test, 0, fusex_chan_timeout(chan));
	fusex_chan_set_timeout(chan, 10000);
	KUNIT_EXPECT_EQ(test, 10000, fusex_chan_timeout(chan));
	KUNIT_EXPECT_EQ(test, msecs_to_jiffies(10000), chan->timeout);
	/* Never rounded down, least of all to none. */
	fusex_chan_set_timeout(chan, 1);
	KUNIT_EXPECT_EQ(test, 1, fusex_chan_timeout(chan));
	KUNIT_EXPECT_GE(test, chan->timeout, 1);
	fusex_chan_set_timeout(chan, 0);
	KUNIT_EXPECT_EQ(test, 0, fusex_chan_timeout(chan));
	KUNIT_EXPECT_EQ(test, 0, chan->timeout);
}

/* Makes a request older than it is. */
static void age(struct fusex_req *req, unsigned long by)
{
	spin_lock(&req->shard->lock);
	req->start -= by;
	list_move(&req->live, &req->shard->live);
	spin_unlock(&req->shard->lock);
}

static void sweep_test(struct kunit *test)
{
	const unsigned long timeout = 1000 * HZ;
	struct fusex_chan *chan = test->priv;
	struct noted *old = noted(test, 1);
	struct noted *copied = noted(test, 1);
	struct noted *young = noted(test, 1);
	struct fusex_req *req;
	unsigned long left;

	KUNIT_EXPECT_EQ(test, 0, fusex_req_sweep(chan, timeout));
	bring_to(test, young, FUSEX_REQ_SENT);
	age(bring_to(test, old, FUSEX_REQ_SENT), timeout);
	left = fusex_req_sweep(chan, timeout);
	KUNIT_EXPECT_EQ(test, 1, old->ended);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, old->error);
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(chan, old->call.unique));
	KUNIT_EXPECT_EQ(test, 0, young->ended);
	KUNIT_EXPECT_GT(test, left, 0);
	KUNIT_EXPECT_LE(test, left, timeout);

	/* One that is being copied is looked at again soon. */
	req = bring_to(test, copied, FUSEX_REQ_REPLYING);
	age(req, timeout);
	KUNIT_EXPECT_EQ(test, 1, fusex_req_sweep(chan, timeout));
	KUNIT_EXPECT_EQ(test, 0, copied->ended);
	KUNIT_EXPECT_EQ(test, -ENOENT, fusex_req_reply(req, 0));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, copied->error);

	finish(test, young, 0);
	KUNIT_EXPECT_EQ(test, 0, fusex_req_sweep(chan, timeout));
}

static void epoch_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	u64 before = fusex_chan_epoch(chan);
	u64 change = fusex_chan_next_epoch(chan);

	KUNIT_EXPECT_GT(test, change, before);
	KUNIT_EXPECT_EQ(test, change, fusex_chan_epoch(chan));
}

static void bucket_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, fusex_stats_bucket(0));
	KUNIT_EXPECT_EQ(test, 0, fusex_stats_bucket(1999));
	KUNIT_EXPECT_EQ(test, 1, fusex_stats_bucket(2000));
	KUNIT_EXPECT_EQ(test, 1, fusex_stats_bucket(3999));
	KUNIT_EXPECT_EQ(test, 2, fusex_stats_bucket(4000));
	KUNIT_EXPECT_EQ(test, 9, fusex_stats_bucket(1000000));
	KUNIT_EXPECT_EQ(test, FUSEX_LAT_BUCKETS - 1,
			fusex_stats_bucket(U64_MAX));
}

static void counters_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_op_stats sum;
	struct noted *n = noted(test, 1);

	KUNIT_EXPECT_FALSE(test, fusex_stats_sum(chan, FUSEX_OP_GETATTR,
						 &sum));
	bring_to(test, n, FUSEX_REQ_SENT);
	finish(test, n, 0);
	bring_to(test, n, FUSEX_REQ_SENT);
	finish(test, n, 0);
	bring_to(test, n, FUSEX_REQ_SENT);
	finish(test, n, -EIO);
	KUNIT_EXPECT_TRUE(test, fusex_stats_sum(chan, FUSEX_OP_GETATTR, &sum));
	KUNIT_EXPECT_EQ(test, 3, sum.count);
	KUNIT_EXPECT_EQ(test, 1, sum.errors);
}

/* ---------------------------------------------------------- waiting awake */

static void spin_test(struct kunit *test)
{
	const u32 start = 10 * NSEC_PER_USEC;
	const u32 most = 200 * NSEC_PER_USEC;
	u32 spin = 0;
	int i;

	/* Twice what would have covered it, up to the limit. */
	spin = fusex_spin_learn(spin, 1, most);
	KUNIT_EXPECT_EQ(test, start, spin);
	spin = fusex_spin_learn(spin, start + 1, most);
	KUNIT_EXPECT_EQ(test, 2 * (start + 1), spin);
	KUNIT_EXPECT_EQ(test, most, fusex_spin_learn(spin, most - 1, most));
	for (i = 0; i < 10; i++)
		spin = fusex_spin_learn(spin, most, most);
	KUNIT_EXPECT_EQ(test, most, spin);
	/* One that was covered leaves it. */
	KUNIT_EXPECT_EQ(test, most, fusex_spin_learn(most, most, most));
	KUNIT_EXPECT_EQ(test, start, fusex_spin_learn(start, start, most));
	/* One that no look covers halves it, and soon ends it. */
	KUNIT_EXPECT_EQ(test, most / 2, fusex_spin_learn(most, most + 1, most));
	for (i = 0; i < 6; i++)
		spin = fusex_spin_learn(spin, most + 1, most);
	KUNIT_EXPECT_EQ(test, 0, spin);
	KUNIT_EXPECT_EQ(test, 5, fusex_spin_learn(most, 6, 5));
	KUNIT_EXPECT_EQ(test, 0, fusex_spin_learn(0, most + 1, most));
	KUNIT_EXPECT_EQ(test, 0, fusex_spin_learn(start, U64_MAX, most));
	/* The limit was lowered, to less than the first step, or to nothing. */
	KUNIT_EXPECT_EQ(test, start, fusex_spin_learn(most, 1, start));
	KUNIT_EXPECT_EQ(test, 5, fusex_spin_learn(0, 1, 5));
	KUNIT_EXPECT_EQ(test, 0, fusex_spin_learn(most, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fusex_spin_learn(most, 0, 0));
	/* Does not wrap around. */
	KUNIT_EXPECT_EQ(test, U32_MAX,
			fusex_spin_learn(U32_MAX - 1, U32_MAX, U32_MAX));
	/* Whoever has no time does not look. */
	KUNIT_EXPECT_FALSE(test, fusex_spin_on(local_clock(), 0));
	KUNIT_EXPECT_FALSE(test, fusex_spin_caller_on(local_clock(), 0));
}

/* Who sleeps may wait long only because everybody does. */
static void spin_retry_test(struct kunit *test)
{
	const u32 most = 200 * NSEC_PER_USEC;
	struct fusex_spin spin = {};
	int i;

	for (i = 1; i < 128; i++)
		fusex_spin_note(&spin, most + 1, most);
	KUNIT_EXPECT_EQ(test, 0, spin.ns);
	fusex_spin_note(&spin, most + 1, most);
	KUNIT_EXPECT_EQ(test, most, spin.ns);
	fusex_spin_note(&spin, most, most);
	KUNIT_EXPECT_EQ(test, most, spin.ns);
	/* In vain: the next time is as far off. */
	for (i = 0; i < 130; i++)
		fusex_spin_note(&spin, most + 1, most);
	KUNIT_EXPECT_EQ(test, 0, spin.ns);
	/* Nobody is to look at all. */
	for (i = 0; i < 200; i++)
		fusex_spin_note(&spin, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, spin.ns);
}

static struct kunit_case req_cases[] = {
	KUNIT_CASE(legal_test),
	KUNIT_CASE(life_test),
	KUNIT_CASE(back_test),
	KUNIT_CASE(abort_test),
	KUNIT_CASE(abort_fault_test),
	KUNIT_CASE(abandon_test),
	KUNIT_CASE(taken_test),
	KUNIT_CASE(late_queue_test),
	KUNIT_CASE(background_test),
	KUNIT_CASE(background_abort_test),
	KUNIT_CASE(leave_test),
	KUNIT_CASE(lacks_test),
	KUNIT_CASE(wait_test),
	KUNIT_CASE(sure_test),
	KUNIT_CASE(left_test),
	KUNIT_CASE(spin_test),
	KUNIT_CASE(spin_retry_test),
	KUNIT_CASE(timeout_test),
	KUNIT_CASE(sweep_test),
	KUNIT_CASE(epoch_test),
	KUNIT_CASE(bucket_test),
	KUNIT_CASE(counters_test),
	{}
};

static struct kunit_suite req_suite = {
	.name		= "fusex-req",
	.init		= fake_init,
	.exit		= fake_exit,
	.test_cases	= req_cases,
};

kunit_test_suite(req_suite);

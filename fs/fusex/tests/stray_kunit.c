// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of requests that nobody waits for: what they keep back, and until
 * when.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake_chan.h"

#define NODE	42
#define FILE	7

/* An asynchronous call about NODE, with the server. */
struct given_up {
	struct fusex_call call;
	struct fusex_read_in in;
	u64 unique;
};

/* Stands in for a RELEASE. */
struct thing {
	struct fusex_kept kept;
	int went;
};

static void call_ended(struct fusex_call *call)
{
}

static void thing_goes(struct fusex_chan *chan, struct fusex_kept *kept)
{
	container_of(kept, struct thing, kept)->went++;
}

static struct thing *thing(struct kunit *test)
{
	struct thing *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->kept.go = thing_goes;
	return t;
}

static struct given_up *send(struct kunit *test, bool sent)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	struct fusex_req *req;

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->call.op = FUSEX_OP_READ;
	g->call.id = NODE;
	g->call.arg = &g->in;
	g->call.arg_len = sizeof(g->in);
	g->in.fh = FILE;
	g->call.end = call_ended;
	KUNIT_ASSERT_EQ(test, 0, fusex_call_async(chan, &g->call, GFP_KERNEL));
	g->unique = g->call.unique;
	if (!sent)
		return g;
	req = fake_next(chan);
	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
	KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));
	return g;
}

static void give_up(struct kunit *test, const struct given_up *g)
{
	fusex_call_abandon(test->priv, g->unique);
}

/* As a transport does. */
static void answer(struct kunit *test, const struct given_up *g)
{
	KUNIT_EXPECT_NULL(test, fusex_req_start_reply(test->priv, g->unique));
	fusex_stray_answered(test->priv, g->unique);
}

static void answered_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, true);
	struct thing *t = thing(test), *other = thing(test);

	KUNIT_EXPECT_FALSE(test, fusex_stray_holds(chan, NODE, NULL, &t->kept));
	give_up(test, g);
	KUNIT_EXPECT_FALSE(test, fusex_stray_holds(chan, NODE + 1, NULL,
						   &other->kept));
	KUNIT_EXPECT_TRUE(test, fusex_stray_holds(chan, NODE, NULL, &t->kept));
	KUNIT_EXPECT_EQ(test, 0, t->went);
	answer(test, g);
	KUNIT_EXPECT_EQ(test, 1, t->went);
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
	/* A second answer is to nothing. */
	answer(test, g);
	KUNIT_EXPECT_EQ(test, 1, t->went);
}

/* Another open file of the node may be what it waits for. */
static void file_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, true);
	struct thing *t = thing(test), *other = thing(test);
	u64 fh = FILE + 1;

	give_up(test, g);
	KUNIT_EXPECT_FALSE(test, fusex_stray_holds(chan, NODE, &fh,
						   &other->kept));
	fh = FILE;
	KUNIT_EXPECT_TRUE(test, fusex_stray_holds(chan, NODE, &fh, &t->kept));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&chan->nr_async));
	answer(test, g);
	KUNIT_EXPECT_EQ(test, 1, t->went);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_async));
}

/* The reader gives it back: it is not the server's, and will not be answered. */
static void not_copied_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, false);
	struct fusex_req *req = fake_next(chan);

	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
	give_up(test, g);
	KUNIT_EXPECT_FALSE(test, fusex_req_sent(req));
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
}

/* What the server has not seen it does not go by. */
static void not_sent_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, false);
	struct thing *t = thing(test);

	give_up(test, g);
	KUNIT_EXPECT_FALSE(test, fusex_stray_holds(chan, NODE, NULL, &t->kept));
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
}

/* It is let go by the last one that is answered. */
static void several_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *a = send(test, true), *b = send(test, true);
	struct fusex_forget *forget = fusex_forget_alloc(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, forget);
	give_up(test, a);
	give_up(test, b);
	fusex_forget_queue(chan, forget, NODE, 1, 1);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_forgets));
	answer(test, b);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_forgets));
	answer(test, a);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&chan->nr_forgets));
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
}

/* Nothing comes from a dead channel any more. */
static void dead_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, true), *live = send(test, true);
	struct thing *t = thing(test), *u = thing(test);

	give_up(test, g);
	KUNIT_EXPECT_TRUE(test, fusex_stray_holds(chan, NODE, NULL, &t->kept));
	fusex_chan_abort(chan);
	KUNIT_EXPECT_EQ(test, 1, t->went);
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, live->call.error);
	KUNIT_EXPECT_FALSE(test, fusex_stray_holds(chan, NODE, NULL, &u->kept));
}

/* One that goes on has its nodes kept from when its caller leaves. */
static void orphan_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, false);
	struct thing *t = thing(test);
	struct fusex_req *req;

	fusex_call_orphan(chan, g->unique);
	KUNIT_EXPECT_TRUE(test, fusex_stray_holds(chan, NODE, NULL, &t->kept));
	req = fake_next(chan);
	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_ASSERT_TRUE(test, fusex_req_start_send(req));
	KUNIT_ASSERT_TRUE(test, fusex_req_sent(req));
	req = fusex_req_start_reply(chan, g->unique);
	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_EXPECT_EQ(test, 0, t->went);
	KUNIT_EXPECT_EQ(test, 0, fusex_req_reply(req, 0));
	KUNIT_EXPECT_EQ(test, 1, t->went);
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
}

/* An unmount does not wait. */
static void leave_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct given_up *g = send(test, true);
	struct thing *t = thing(test), *u = thing(test);

	give_up(test, g);
	KUNIT_EXPECT_TRUE(test, fusex_stray_holds(chan, NODE, NULL, &t->kept));
	WRITE_ONCE(chan->leaving, true);
	fusex_stray_leave(chan);
	KUNIT_EXPECT_EQ(test, 1, t->went);
	KUNIT_EXPECT_FALSE(test, fusex_stray_holds(chan, NODE, NULL, &u->kept));
	answer(test, g);
	KUNIT_EXPECT_EQ(test, 1, t->went);
	KUNIT_EXPECT_EQ(test, 0, chan->nr_strays);
}

static struct kunit_case stray_cases[] = {
	KUNIT_CASE(answered_test),
	KUNIT_CASE(file_test),
	KUNIT_CASE(not_copied_test),
	KUNIT_CASE(not_sent_test),
	KUNIT_CASE(several_test),
	KUNIT_CASE(dead_test),
	KUNIT_CASE(orphan_test),
	KUNIT_CASE(leave_test),
	{}
};

static struct kunit_suite stray_suite = {
	.name		= "fusex-stray",
	.init		= fake_init,
	.exit		= fake_exit,
	.test_cases	= stray_cases,
};

kunit_test_suite(stray_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of forgets: when they are sent, how many at once, that none gets
 * lost, and what a batch looks like.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "fake_chan.h"

static void queue(struct kunit *test, u64 first, unsigned int count)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_forget *f;
	unsigned int i;

	for (i = 0; i < count; i++) {
		f = fusex_forget_alloc(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f);
		fusex_forget_queue(chan, f, first + i, 7, 3);
	}
}

static bool ready(struct fusex_chan *chan)
{
	bool is;

	spin_lock(&chan->lock);
	is = fusex_forget_ready(chan);
	spin_unlock(&chan->lock);
	return is;
}

static struct llist_node *take(struct fusex_chan *chan, u32 max, u32 *count)
{
	struct llist_node *first;

	spin_lock(&chan->lock);
	first = fusex_forget_take(chan, max, count);
	spin_unlock(&chan->lock);
	return first;
}

/* Few wait for more, enough of them wake one reader. */
static void enough_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;

	KUNIT_EXPECT_FALSE(test, ready(chan));
	queue(test, 1, FUSEX_FORGET_ENOUGH - 1);
	KUNIT_EXPECT_EQ(test, 0, chan->served);
	queue(test, FUSEX_FORGET_ENOUGH, 1);
	KUNIT_EXPECT_TRUE(test, ready(chan));
	KUNIT_EXPECT_EQ(test, 1, chan->served);
	queue(test, FUSEX_FORGET_ENOUGH + 1, 100);
	KUNIT_EXPECT_EQ(test, 1, chan->served);
}

/* Few do not wait for ever. */
static void due_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	u32 count;

	queue(test, 1, 1);
	flush_delayed_work(&chan->forget_work);
	KUNIT_EXPECT_TRUE(test, ready(chan));
	KUNIT_EXPECT_EQ(test, 1, chan->served);
	fusex_forget_free_all(take(chan, FUSEX_FORGET_MAX, &count));
	KUNIT_EXPECT_EQ(test, 1, count);
	KUNIT_EXPECT_FALSE(test, ready(chan));
	/* The next one starts the clock anew. */
	queue(test, 2, 1);
	flush_delayed_work(&chan->forget_work);
	KUNIT_EXPECT_TRUE(test, ready(chan));
}

/* What a batch leaves behind is due at once. */
static void rest_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	u32 total = FUSEX_FORGET_MAX + 10;
	u32 count;

	queue(test, 1, total);
	fusex_forget_free_all(take(chan, FUSEX_FORGET_MAX, &count));
	KUNIT_EXPECT_EQ(test, FUSEX_FORGET_MAX, count);
	KUNIT_EXPECT_TRUE(test, ready(chan));
	fusex_forget_free_all(take(chan, FUSEX_FORGET_MAX, &count));
	KUNIT_EXPECT_EQ(test, 10, count);
	KUNIT_EXPECT_FALSE(test, ready(chan));
	KUNIT_EXPECT_NULL(test, take(chan, FUSEX_FORGET_MAX, &count));
	KUNIT_EXPECT_EQ(test, 0, count);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_forgets));
}

static void return_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct llist_node *first;
	u32 count;

	queue(test, 1, 5);
	first = take(chan, 3, &count);
	KUNIT_EXPECT_EQ(test, 3, count);
	fusex_forget_return(chan, first, count);
	KUNIT_EXPECT_TRUE(test, ready(chan));
	KUNIT_EXPECT_EQ(test, 5, atomic_read(&chan->nr_forgets));
	fusex_forget_free_all(take(chan, FUSEX_FORGET_MAX, &count));
	KUNIT_EXPECT_EQ(test, 5, count);
}

/* A dead channel keeps none. */
static void dead_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct llist_node *first;
	u32 count;

	queue(test, 1, 5);
	first = take(chan, 2, &count);
	fusex_chan_abort(chan);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_forgets));
	fusex_forget_return(chan, first, count);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_forgets));
	queue(test, 6, 1);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&chan->nr_forgets));
	KUNIT_EXPECT_NULL(test, take(chan, FUSEX_FORGET_MAX, &count));
}

static void encode(struct kunit *test, u32 total)
{
	struct fusex_chan *chan = test->priv;
	size_t len = sizeof(struct fusex_in_header) +
		     sizeof(struct fusex_forget_in) +
		     total * sizeof(struct fusex_forget_one);
	const struct fusex_in_header *in;
	const struct fusex_forget_in *arg;
	const struct fusex_forget_one *one;
	struct llist_node *first;
	struct iov_iter iter;
	struct kvec kvec;
	u64 sum = 0;
	u32 count;
	u32 i;

	kvec.iov_len = len;
	kvec.iov_base = kunit_kzalloc(test, len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kvec.iov_base);
	queue(test, 1, total);
	first = take(chan, FUSEX_FORGET_MAX, &count);
	KUNIT_ASSERT_EQ(test, total, count);

	/* A byte too few: nothing is lost. */
	iov_iter_kvec(&iter, ITER_DEST, &kvec, 1, len - 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, fusex_forget_encode(first, count,
							   &iter));
	KUNIT_EXPECT_EQ(test, len - 1, iov_iter_count(&iter));
	iov_iter_kvec(&iter, ITER_DEST, &kvec, 1, len);
	KUNIT_EXPECT_EQ(test, len, fusex_forget_encode(first, count, &iter));
	KUNIT_EXPECT_EQ(test, 0, iov_iter_count(&iter));
	fusex_forget_free_all(first);

	in = kvec.iov_base;
	arg = (void *)(in + 1);
	one = (void *)(arg + 1);
	KUNIT_EXPECT_EQ(test, len, in->len);
	KUNIT_EXPECT_EQ(test, FUSEX_OP_FORGET, in->opcode);
	KUNIT_EXPECT_EQ(test, 0, in->unique);
	KUNIT_EXPECT_EQ(test, sizeof(*arg), in->arg_len);
	KUNIT_EXPECT_EQ(test, total, arg->count);
	for (i = 0; i < total; i++) {
		sum += one[i].nodeid;
		KUNIT_EXPECT_EQ(test, 7, one[i].generation);
		KUNIT_EXPECT_EQ(test, 3, one[i].nlookup);
		KUNIT_EXPECT_EQ(test, 0, one[i].reserved);
	}
	/* Each of them once, in whatever order. */
	KUNIT_EXPECT_EQ(test, (u64)total * (total + 1) / 2, sum);
}

static void encode_test(struct kunit *test)
{
	encode(test, 1);
	encode(test, 16);
	encode(test, 17);
	encode(test, FUSEX_FORGET_MAX);
}

static struct kunit_case forget_cases[] = {
	KUNIT_CASE(enough_test),
	KUNIT_CASE(due_test),
	KUNIT_CASE(rest_test),
	KUNIT_CASE(return_test),
	KUNIT_CASE(dead_test),
	KUNIT_CASE(encode_test),
	{}
};

static struct kunit_suite forget_suite = {
	.name		= "fusex-forget",
	.init		= fake_init,
	.exit		= fake_exit,
	.test_cases	= forget_cases,
};

kunit_test_suite(forget_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of calls that go on without their caller: who is told what, when the
 * caller is killed before it was sent, after that, and not at all.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include "fake_chan.h"

/* Stands in for an inode, which is only counted. */
struct told {
	struct inode inode;
	int left;
	int over;
	int late;
	int error;
};

static void tell_left(struct inode *inode, const struct fusex_call *call)
{
	container_of(inode, struct told, inode)->left++;
}

static void tell_over(struct inode *inode, const struct fusex_call *call,
		      bool late)
{
	struct told *t = container_of(inode, struct told, inode);

	t->over++;
	t->late += late;
	t->error = call->error;
}

static const struct fusex_leave_ops tell_ops = {
	.leave	= tell_left,
	.over	= tell_over,
};

/* A task that calls, and can be killed. */
struct caller {
	struct fusex_chan *chan;
	struct told *told;
	struct completion over;
	bool sent;
	u64 arg;
	u64 answer;
	int error;
};

static int caller_thread(void *data)
{
	struct caller *c = data;
	struct fusex_call call = {
		.op		= FUSEX_OP_SETATTR,
		.id		= 42,
		.arg		= &c->arg,
		.arg_len	= sizeof(c->arg),
		.out[0]		= { &c->answer, sizeof(c->answer) },
	};

	allow_signal(SIGKILL);
	c->error = fusex_call_leave(c->chan, &call, &c->told->inode, &tell_ops);
	c->sent = call.sent;
	complete(&c->over);
	return 0;
}

static struct task_struct *call(struct kunit *test, struct caller *c)
{
	struct task_struct *task;

	*c = (struct caller) {
		.chan	= test->priv,
		.told	= kunit_kzalloc(test, sizeof(*c->told), GFP_KERNEL),
	};
	KUNIT_ASSERT_NOT_NULL(test, c->told);
	atomic_set(&c->told->inode.i_count, 1);
	init_completion(&c->over);
	task = kthread_create(caller_thread, c, "fusex-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

/* The request, when it has come; sent if it is to be. */
static struct fusex_req *come(struct kunit *test, bool sent)
{
	struct fusex_chan *chan = test->priv;
	unsigned long end = jiffies + 60 * HZ;
	struct fusex_req *req = NULL;

	while (list_empty_careful(&chan->pending) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_FALSE(test, list_empty(&chan->pending));
	if (!sent)
		return NULL;
	req = fake_next(chan);
	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_EXPECT_TRUE(test, fusex_req_start_send(req));
	KUNIT_EXPECT_TRUE(test, fusex_req_sent(req));
	return req;
}

static void answer(struct kunit *test, u64 unique, int error)
{
	struct fusex_req *req = fusex_req_start_reply(test->priv, unique);

	KUNIT_ASSERT_NOT_NULL(test, req);
	KUNIT_EXPECT_EQ(test, 0, fusex_req_reply(req, error));
}

static void end(struct caller *c, struct task_struct *task)
{
	wait_for_completion(&c->over);
	put_task_struct(task);
}

static void stays_test(struct kunit *test)
{
	struct caller c;
	struct task_struct *task = call(test, &c);

	answer(test, come(test, true)->in.unique, -ESTALE);
	end(&c, task);
	KUNIT_EXPECT_EQ(test, -ESTALE, c.error);
	KUNIT_EXPECT_EQ(test, 0, c.told->left);
	KUNIT_EXPECT_EQ(test, 0, c.told->over);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&c.told->inode.i_count));
}

/* The server has not heard of it, and does not any more. */
static void not_sent_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct caller c;
	struct task_struct *task = call(test, &c);

	come(test, false);
	send_sig(SIGKILL, task, 1);
	end(&c, task);
	KUNIT_EXPECT_EQ(test, -EINTR, c.error);
	KUNIT_EXPECT_FALSE(test, c.sent);
	KUNIT_EXPECT_EQ(test, 0, c.told->left);
	KUNIT_EXPECT_EQ(test, 0, c.told->over);
	KUNIT_EXPECT_TRUE(test, list_empty(&chan->pending));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&c.told->inode.i_count));
}

static void leaves_test(struct kunit *test)
{
	struct caller c;
	struct task_struct *task = call(test, &c);
	u64 unique = come(test, true)->in.unique;

	send_sig(SIGKILL, task, 1);
	end(&c, task);
	KUNIT_EXPECT_EQ(test, -EINTR, c.error);
	KUNIT_EXPECT_TRUE(test, c.sent);
	KUNIT_EXPECT_EQ(test, 1, c.told->left);
	KUNIT_EXPECT_EQ(test, 0, c.told->over);
	answer(test, unique, -EIO);
	KUNIT_EXPECT_EQ(test, 1, c.told->over);
	KUNIT_EXPECT_EQ(test, 1, c.told->late);
	KUNIT_EXPECT_EQ(test, -EIO, c.told->error);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&c.told->inode.i_count));
}

static void never_answered_test(struct kunit *test)
{
	struct caller c;
	struct task_struct *task = call(test, &c);

	come(test, true);
	send_sig(SIGKILL, task, 1);
	end(&c, task);
	fusex_chan_abort(test->priv);
	KUNIT_EXPECT_EQ(test, 1, c.told->left);
	KUNIT_EXPECT_EQ(test, 1, c.told->over);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, c.told->error);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&c.told->inode.i_count));
}

static struct kunit_case sure_cases[] = {
	KUNIT_CASE(stays_test),
	KUNIT_CASE(not_sent_test),
	KUNIT_CASE(leaves_test),
	KUNIT_CASE(never_answered_test),
	{}
};

static struct kunit_suite sure_suite = {
	.name		= "fusex-sure",
	.init		= fake_init,
	.exit		= fake_exit,
	.test_cases	= sure_cases,
};

kunit_test_suite(sure_suite);

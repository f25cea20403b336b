/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A channel without a server for unit tests: its transport keeps what it is
 * given, and the test plays the server.
 */
#ifndef _FS_FUSEX_TESTS_FAKE_CHAN_H
#define _FS_FUSEX_TESTS_FAKE_CHAN_H

#include <kunit/test.h>
#include <linux/user_namespace.h>

#include "../transport.h"

static inline int fake_submit(struct fusex_chan *chan, struct fusex_req *req,
			      enum fusex_submitter submitter)
{
	int err = 0;

	spin_lock(&chan->lock);
	if (chan->state == FUSEX_CHAN_DEAD)
		err = -ENOTCONN;
	else
		list_add_tail(&req->link, &chan->pending);
	spin_unlock(&chan->lock);
	return err;
}

static inline bool fake_withdraw(struct fusex_chan *chan,
				 struct fusex_req *req)
{
	bool ours;

	spin_lock(&chan->lock);
	ours = !list_empty(&req->link);
	list_del_init(&req->link);
	spin_unlock(&chan->lock);
	return ours;
}

static inline void fake_cancel(struct fusex_chan *chan, struct fusex_req *req)
{
}

/* Counts in a field that nothing else uses without a device. */
static inline void fake_kick(struct fusex_chan *chan)
{
	chan->served++;
}

static inline void fake_stop(struct fusex_chan *chan)
{
}

static const struct fusex_transport_ops fake_transport = {
	.submit		= fake_submit,
	.withdraw	= fake_withdraw,
	.cancel		= fake_cancel,
	.kick		= fake_kick,
	.stop		= fake_stop,
};

/* Takes the next request from the transport's queue. */
static inline struct fusex_req *fake_next(struct fusex_chan *chan)
{
	struct fusex_req *req;

	spin_lock(&chan->lock);
	req = list_first_entry_or_null(&chan->pending, struct fusex_req, link);
	if (req)
		list_del_init(&req->link);
	spin_unlock(&chan->lock);
	return req;
}

static inline struct fusex_chan *fake_chan(struct kunit *test)
{
	struct fusex_chan *chan = fusex_chan_alloc(&fake_transport);

	KUNIT_ASSERT_NOT_NULL(test, chan);
	chan->user_ns = get_user_ns(&init_user_ns);
	chan->pid_ns = get_pid_ns(&init_pid_ns);
	chan->conf.max_background = 2;
	chan->request_size = FUSEX_REQ_ROOM + FUSEX_REQ_PAYLOAD;
	chan->state = FUSEX_CHAN_READY;
	return chan;
}

static inline int fake_init(struct kunit *test)
{
	test->priv = fake_chan(test);
	return 0;
}

static inline void fake_exit(struct kunit *test)
{
	if (test->priv)
		fusex_chan_put(test->priv);
}

#endif /* _FS_FUSEX_TESTS_FAKE_CHAN_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that go on without their caller.
 *
 * A caller that is killed does not wait for the server.  What it has asked for
 * is mostly given up then, but not an unlock, which has to reach the server, nor
 * what the server may be carrying out just now while others have to wait for it.
 * Such a call is made on a copy, which lives until the server has answered.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "transport.h"

/**
 * enum sure_stage - what came first
 * @SURE_ASKED: neither yet
 * @SURE_OVER: the end of the call
 * @SURE_LEFT: that of its caller's waiting
 */
enum sure_stage {
	SURE_ASKED,
	SURE_OVER,
	SURE_LEFT,
};

/**
 * struct sure - a call on its way
 * @ref: the caller's, and the call's until it ends
 * @stage: enum sure_stage
 * @over: the caller waits for it
 * @chan: the channel
 * @inode: who is told when the caller leaves, referenced; NULL for nobody
 * @ops: how
 * @call: the copy; with @inode its nodes are referenced, too
 * @data: what it points to
 */
struct sure {
	refcount_t ref;
	atomic_t stage;
	struct completion over;
	struct fusex_chan *chan;
	struct inode *inode;
	const struct fusex_leave_ops *ops;
	struct fusex_call call;
	u8 data[];
};

static void sure_hold(struct inode *inode)
{
	if (inode)
		ihold(inode);
}

static void sure_drop(struct fusex_chan *chan, struct inode *inode)
{
	if (inode)
		fusex_chan_defer_iput(chan, inode);
}

static void sure_put(struct sure *sure)
{
	if (!refcount_dec_and_test(&sure->ref))
		return;
	if (sure->inode) {
		sure_drop(sure->chan, sure->call.node);
		sure_drop(sure->chan, sure->call.node2);
		sure_drop(sure->chan, sure->inode);
	}
	kfree(sure);
}

static void sure_end(struct fusex_call *call)
{
	struct sure *sure = container_of(call, struct sure, call);
	int stage = atomic_cmpxchg(&sure->stage, SURE_ASKED, SURE_OVER);

	if (stage == SURE_LEFT)
		sure->ops->over(sure->inode, call, true);
	complete_all(&sure->over);
	sure_put(sure);
}

/* ------------------------------------------------------------------ the copy */

static void *sure_room(struct sure *sure, size_t *used, size_t len)
{
	void *room = sure->data + *used;

	*used += FUSEX_ALIGN(len);
	return len ? room : NULL;
}

static const void *sure_copy(struct sure *sure, size_t *used, const void *base,
			     size_t len)
{
	void *to = sure_room(sure, used, len);

	return to ? memcpy(to, base, len) : NULL;
}

static size_t sure_size(const struct fusex_call *call)
{
	size_t size = FUSEX_ALIGN(call->arg_len) + FUSEX_HANDLE_MAX;
	unsigned int i;

	for (i = 0; i < FUSEX_IN_SEGS; i++)
		size += FUSEX_ALIGN(call->in[i].len);
	for (i = 0; i < FUSEX_OUT_SEGS; i++)
		size += FUSEX_ALIGN(call->out[i].len);
	return size;
}

static void sure_copy_call(struct sure *sure, const struct fusex_call *call)
{
	size_t used = 0;
	unsigned int i;

	sure->call = *call;
	sure->call.dispensable = true;
	sure->call.end = sure_end;
	sure->call.arg = sure_copy(sure, &used, call->arg, call->arg_len);
	for (i = 0; i < FUSEX_IN_SEGS; i++)
		sure->call.in[i].base = sure_copy(sure, &used,
						  call->in[i].base,
						  call->in[i].len);
	for (i = 0; i < FUSEX_OUT_SEGS; i++)
		sure->call.out[i].base = sure_room(sure, &used,
						   call->out[i].len);
	/* With an inode to tell, there is one to keep for the names as well. */
	if (sure->inode)
		return;
	fusex_msg_identity(&sure->call);
	sure->call.handle = sure_copy(sure, &used, sure->call.handle,
				      sure->call.handle_len);
}

static struct sure *sure_make(struct fusex_chan *chan,
			      const struct fusex_call *call,
			      struct inode *inode,
			      const struct fusex_leave_ops *ops)
{
	struct sure *sure;

	/* An unlock that fails for want of memory is never tried again. */
	sure = kzalloc_flex(*sure, data, sure_size(call),
			    GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	refcount_set(&sure->ref, 2);
	atomic_set(&sure->stage, SURE_ASKED);
	init_completion(&sure->over);
	sure->chan = chan;
	sure->inode = inode;
	sure->ops = ops;
	sure_copy_call(sure, call);
	if (inode) {
		sure_hold(inode);
		sure_hold(call->node);
		sure_hold(call->node2);
	}
	return sure;
}

/* ------------------------------------------------------------------- waiting */

/*
 * An unlock may come from a kernel thread that drops files for the whole machine,
 * and nothing depends on its outcome.
 */
static long sure_patience(struct fusex_chan *chan, const struct sure *sure)
{
	if (!sure->inode && current->flags & PF_KTHREAD)
		return fusex_chan_patience_last(chan);
	return fusex_chan_patience(chan);
}

static void sure_wait(struct fusex_chan *chan, struct sure *sure)
{
	long patience = sure_patience(chan, sure);

	if (patience == MAX_SCHEDULE_TIMEOUT)
		wait_for_completion_state(&sure->over,
					  TASK_KILLABLE |
					  TASK_FREEZABLE_UNSAFE);
	else if (patience &&
		 !wait_for_completion_timeout(&sure->over, patience))
		fusex_chan_in_vain(chan);
}

/* Returns whether the call goes on without its caller. */
static bool sure_leave(struct sure *sure)
{
	if (!sure->inode) {
		if (completion_done(&sure->over))
			return false;
		fusex_call_orphan(sure->chan, sure->call.unique);
		return true;
	}
	if (atomic_read(&sure->stage) == SURE_ASKED) {
		fusex_call_take_back(sure->chan, sure->call.unique);
		fusex_call_orphan(sure->chan, sure->call.unique);
	}
	/* Pairs with sure_end(): what it came to is there. */
	if (atomic_read_acquire(&sure->stage) != SURE_ASKED)
		return false;
	/* First: whoever comes when the caller has gone has to know. */
	sure->ops->leave(sure->inode, &sure->call);
	if (atomic_cmpxchg(&sure->stage, SURE_ASKED, SURE_LEFT) == SURE_ASKED)
		return true;
	/* Likewise. */
	smp_acquire__after_ctrl_dep();
	sure->ops->over(sure->inode, &sure->call, false);
	return false;
}

static void sure_take(const struct sure *sure, struct fusex_call *call)
{
	unsigned int i;

	call->error = sure->call.error;
	call->sent = sure->call.sent;
	call->got = sure->call.got;
	call->unique = sure->call.unique;
	for (i = 0; i < FUSEX_OUT_SEGS && !call->error; i++)
		if (call->out[i].len)
			memcpy(call->out[i].base, sure->call.out[i].base,
			       call->out[i].len);
}

/**
 * fusex_call_leave - ask the server, and have somebody told who leaves early
 * @chan: the channel
 * @call: what to ask: a small argument, segments and reply, no data
 * @inode: who is told; a reference of the caller's
 * @ops: how, see there
 *
 * What was not sent when the caller is killed is not sent any more.
 *
 * Context: process, sleeps.
 * Return: like fusex_call(); when that is -EINTR and the call was sent, it goes
 * on, and @ops->over will be called late.
 */
int fusex_call_leave(struct fusex_chan *chan, struct fusex_call *call,
		     struct inode *inode, const struct fusex_leave_ops *ops)
{
	struct sure *sure;
	int err;

	might_sleep();
	if (WARN_ON_ONCE(call->in_bvec || call->out_bvec ||
			 (call->node2 && !inode)))
		return -EINVAL;
	sure = sure_make(chan, call, inode, ops);
	err = fusex_call_async(chan, &sure->call, GFP_KERNEL | __GFP_NOFAIL);
	if (err) {
		/* Nobody else has it. */
		refcount_dec(&sure->ref);
		sure_put(sure);
		call->error = err;
		call->sent = false;
		return err;
	}
	sure_wait(chan, sure);
	if (sure_leave(sure)) {
		call->error = -EINTR;
		call->sent = true;
	} else {
		sure_take(sure, call);
	}
	sure_put(sure);
	return call->error;
}

/**
 * fusex_call_sure - ask the server even if the caller does not live to see it
 * @chan: the channel
 * @call: what to ask: a small argument and segments, no second node, no data,
 *	no reply but the error
 *
 * Context: process, sleeps.
 * Return: like fusex_call(); -EINTR if a signal, or the caller's end, came
 * before the answer: the request stays on its way.
 */
int fusex_call_sure(struct fusex_chan *chan, struct fusex_call *call)
{
	return fusex_call_leave(chan, call, NULL, NULL);
}

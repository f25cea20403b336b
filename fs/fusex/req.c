// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a request.
 *
 *	                 fusex_req_submit()
 *	                        |
 *	     max_background     v
 *	     reached: backlog  NEW ------------------------------.
 *	                        |                                |
 *	                        v                                |
 *	            .------> QUEUED ---------------------------. |
 *	            |           |  a reader takes it           | |
 *	  its memory|           v                              | |
 *	  is absent '------- SENDING ----------------------. over before
 *	                        |  all of it was copied    |   | | it was sent
 *	                        v                          |   | |
 *	            .-------> SENT --------------------.   |   | |
 *	            |           |  a reply comes       |   |   | |
 *	  its memory|           v                      v   v   v v
 *	  is absent '------ REPLYING ----------------------> DONE
 *	                           copied, or found wrong
 *
 * A caller that is killed, the deadline and the end of the channel abandon a
 * request: they move it to DONE from NEW, QUEUED and SENT.  In SENDING and
 * REPLYING the caller's memory is being copied; the abandoned request goes to
 * DONE as soon as that copy is over, which is soon, as it does not fault
 * (msg.c).  DONE is final: the caller's memory is never touched again, and a
 * reply finds no such request.
 *
 * States change in fusex_req_move() only, under the lock of the request's
 * shard.  One reference belongs to whoever has the request: a queue (NEW,
 * QUEUED), a copier (SENDING, REPLYING), the table of the shard (SENT).  The
 * one who makes a request DONE completes it; whoever has the reference drops
 * it.
 */

#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/jiffies.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "transport.h"
#include "trace.h"

static struct kmem_cache *fusex_req_cache;

/* ----------------------------------------------------------------- states */

/**
 * fusex_req_legal - may a request go from one state to another?
 * @from: enum fusex_req_state
 * @to: enum fusex_req_state
 *
 * Return: whether the drawing above has such an arrow.
 */
bool fusex_req_legal(u8 from, u8 to)
{
	static const u8 legal[] = {
		[FUSEX_REQ_NEW] = BIT(FUSEX_REQ_QUEUED) | BIT(FUSEX_REQ_DONE),
		[FUSEX_REQ_QUEUED] = BIT(FUSEX_REQ_SENDING) |
				     BIT(FUSEX_REQ_DONE),
		[FUSEX_REQ_SENDING] = BIT(FUSEX_REQ_QUEUED) |
				      BIT(FUSEX_REQ_SENT) |
				      BIT(FUSEX_REQ_DONE),
		[FUSEX_REQ_SENT] = BIT(FUSEX_REQ_REPLYING) |
				   BIT(FUSEX_REQ_DONE),
		[FUSEX_REQ_REPLYING] = BIT(FUSEX_REQ_SENT) |
				       BIT(FUSEX_REQ_DONE),
		[FUSEX_REQ_DONE] = 0,
	};

	return legal[from] & BIT(to);
}

static void fusex_req_move(struct fusex_req *req, enum fusex_req_state to)
{
	lockdep_assert_held(&req->shard->lock);
	WARN_ON_ONCE(!fusex_req_legal(req->state, to));
	/* Pairs with fusex_req_over(): what the call came to is written. */
	smp_store_release(&req->state, to);
}

/**
 * fusex_req_over - has a request ended?
 * @req: the request
 *
 * A transport that asks under the lock that its withdraw takes, before it
 * queues the request, leaves none in the queue that is over: who ended it
 * withdraws it afterwards.
 *
 * Return: whether it is DONE, which it stays.
 */
bool fusex_req_over(const struct fusex_req *req)
{
	/* Pairs with fusex_req_move(). */
	return smp_load_acquire(&req->state) == FUSEX_REQ_DONE;
}

static bool fusex_req_copying(const struct fusex_req *req)
{
	return req->state == FUSEX_REQ_SENDING ||
	       req->state == FUSEX_REQ_REPLYING;
}

static struct hlist_head *fusex_req_bucket(struct fusex_shard *shard,
					   u64 unique)
{
	return &shard->table[(unique >> FUSEX_SHARD_BITS) %
			     FUSEX_SHARD_BUCKETS];
}

/**
 * fusex_req_of - the request of a number
 * @shard: where it would be, locked
 * @unique: the number
 *
 * Return: it, live or late, without a reference; NULL for none.
 */
struct fusex_req *fusex_req_of(struct fusex_shard *shard, u64 unique)
{
	struct fusex_req *req;

	lockdep_assert_held(&shard->lock);
	hlist_for_each_entry(req, fusex_req_bucket(shard, unique), hash)
		if (req->in.unique == unique)
			return req;
	return NULL;
}

/**
 * fusex_req_put - drop a reference to a request
 * @req: the request
 */
void fusex_req_put(struct fusex_req *req)
{
	if (!refcount_dec_and_test(&req->ref))
		return;
	WARN_ON_ONCE(req->state != FUSEX_REQ_DONE);
	if (req->waiter)
		put_task_struct(req->waiter);
	if (req->server)
		put_task_struct(req->server);
	kmem_cache_free(fusex_req_cache, req);
}

/**
 * fusex_req_wake - wake the only task that waits for something
 * @task: the task, referenced
 * @sync: the current task is about to sleep, so that the other one had better
 *	not go to another CPU
 */
void fusex_req_wake(struct task_struct *task, bool sync)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(head);
	DECLARE_WAITQUEUE(entry, task);

	if (!sync) {
		wake_up_process(task);
		return;
	}
	/* The hint can be given through a wait queue only: make one. */
	__add_wait_queue(&head, &entry);
	__wake_up_sync_key(&head, TASK_NORMAL, NULL);
}

/* ----------------------------------------------------------------- ending */

/* The server has got it, and nobody waits for the answer. */
static void fusex_req_abandoned(struct fusex_req *req)
{
	fusex_stray_add(req);
	/* Unless the channel is dead. */
	req->late = req->stray;
}

/* Makes it DONE; the caller's memory is the caller's from here on. */
static void fusex_req_end_locked(struct fusex_req *req, int error)
{
	struct fusex_call *call = req->call;

	req->over_from = req->state;
	req->error = error;
	/* The server has it, and will answer. */
	if (req->state == FUSEX_REQ_SENT)
		fusex_req_abandoned(req);
	if (!hlist_unhashed(&req->hash) && !req->late)
		hlist_del_init(&req->hash);
	if (!list_empty(&req->live))
		list_del_init(&req->live);
	if (error)
		call->got = 0;
	call->error = error;
	/* A caller that is awake goes on at once, and may look at the counters. */
	if (req->over_from != FUSEX_REQ_NEW) {
		req->took_ns = local_clock() - req->start_ns;
		fusex_stats_note(req->chan, req->in.opcode, error,
				 req->took_ns);
	}
	fusex_req_move(req, FUSEX_REQ_DONE);
}

static bool fusex_req_activate(struct fusex_req *req);

/*
 * A background request is over: the next one may go.  What a dead channel has
 * left is for fusex_req_end_all(): refused here, it would come back to here,
 * once deeper in the stack for each.
 */
static void fusex_background_done(struct fusex_chan *chan)
{
	struct fusex_req *next;

	do {
		next = NULL;
		spin_lock(&chan->lock);
		if (chan->state != FUSEX_CHAN_DEAD)
			next = list_first_entry_or_null(&chan->backlog,
							struct fusex_req, link);
		if (next)
			list_del_init(&next->link);
		else
			chan->nr_background--;
		spin_unlock(&chan->lock);
	} while (next && !fusex_req_activate(next));
}

/*
 * Tells everybody that a request is over.  The caller of this has a reference;
 * a synchronous caller of the call may be gone already.
 */
static void fusex_req_complete(struct fusex_req *req, bool sync)
{
	struct fusex_chan *chan = req->chan;
	/* A late one belongs to who takes it from the table. */
	bool ended = req->stray && !req->late;

	if (req->over_from != FUSEX_REQ_NEW) {
		trace_fusex_request_end(chan->dev, &req->in, req->error,
					req->took_ns);
		if (req->background)
			fusex_background_done(chan);
	}
	if (req->waiter) {
		fusex_req_wake(req->waiter, sync);
		/* A stray one may outlive it by far. */
		put_task_struct(req->waiter);
		req->waiter = NULL;
	} else {
		req->call->end(req->call);
		fusex_chan_async_done(chan);
	}
	/* It was answered, or never sent, after its caller had left. */
	if (unlikely(ended))
		fusex_stray_end(req);
}

/* Takes a request that is over back from where it was kept. */
static void fusex_req_withdraw(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;
	bool ours = false;

	switch (req->over_from) {
	case FUSEX_REQ_NEW:
		spin_lock(&chan->lock);
		ours = !list_empty(&req->link);
		list_del_init(&req->link);
		spin_unlock(&chan->lock);
		break;
	case FUSEX_REQ_QUEUED:
		ours = chan->ops->withdraw(chan, req);
		break;
	case FUSEX_REQ_SENT:
		ours = true;
		break;
	}
	if (ours)
		fusex_req_put(req);
}

/* Ends a request in whatever state it is; the caller has a reference. */
static void fusex_req_abandon(struct fusex_req *req, int error)
{
	bool over = false;

	spin_lock(&req->shard->lock);
	if (fusex_req_copying(req)) {
		if (!req->abandon)
			req->abandon = error;
	} else if (req->state != FUSEX_REQ_DONE) {
		/* It was told already of one that signals interrupt. */
		bool tell = error == -EINTR && !req->call->interruptible;

		fusex_req_end_locked(req, error);
		/* What is kept back until it answers may be what it waits for. */
		if (tell && req->late)
			req->chan->ops->cancel(req->chan, req);
		over = true;
	}
	spin_unlock(&req->shard->lock);
	if (over) {
		fusex_req_withdraw(req);
		fusex_req_complete(req, false);
	}
}

/*
 * Ends a request in flight, as soon as a copy in progress is over; who called
 * completes what is in @ended.  Returns whether it has ended.
 */
static bool fusex_req_end_live(struct fusex_req *req, int error,
			       struct list_head *ended)
{
	if (fusex_req_copying(req)) {
		if (!req->abandon)
			req->abandon = error;
		return false;
	}
	refcount_inc(&req->ref);
	fusex_req_end_locked(req, error);
	list_add_tail(&req->live, ended);
	return true;
}

/*
 * Ends requests of a shard: all of them, or with a @timeout those that are
 * past it.  Returns how long the first that stays may wait, 0 if none stays.
 */
static unsigned long fusex_shard_end(struct fusex_shard *shard,
				     unsigned long timeout, int error,
				     struct list_head *ended)
{
	struct fusex_req *req, *next;
	unsigned long first = 0;

	spin_lock(&shard->lock);
	list_for_each_entry_safe(req, next, &shard->live, live) {
		long left = fusex_deadline_left(req->start, timeout, jiffies);

		if (timeout && req->call->patient)
			continue;
		if (timeout && left > 0) {
			first = first ?: left;
			break;
		}
		if (!fusex_req_end_live(req, error, ended))
			first = 1;
	}
	spin_unlock(&shard->lock);
	return first;
}

static void fusex_req_complete_list(struct list_head *ended)
{
	struct fusex_req *req, *next;

	list_for_each_entry_safe(req, next, ended, live) {
		list_del_init(&req->live);
		fusex_req_withdraw(req);
		fusex_req_complete(req, false);
		fusex_req_put(req);
	}
}

/*
 * Ends requests that were moved from the backlog to a list of the caller's,
 * off which they may still be withdrawn.
 */
static void fusex_backlog_end(struct fusex_chan *chan, struct list_head *list,
			      int error)
{
	struct fusex_req *req;

	spin_lock(&chan->lock);
	while ((req = list_first_entry_or_null(list, struct fusex_req, link))) {
		/* Off its list it is ours, reference included. */
		list_del_init(&req->link);
		spin_unlock(&chan->lock);
		fusex_req_abandon(req, error);
		fusex_req_put(req);
		spin_lock(&chan->lock);
	}
	spin_unlock(&chan->lock);
}

/**
 * fusex_req_end_all - end everything on a channel that has died
 * @chan: the channel, in state DEAD
 * @error: what the calls come to
 */
void fusex_req_end_all(struct fusex_chan *chan, int error)
{
	LIST_HEAD(backlog);
	LIST_HEAD(ended);
	unsigned int i;

	spin_lock(&chan->lock);
	WARN_ON_ONCE(chan->state != FUSEX_CHAN_DEAD);
	list_splice_init(&chan->backlog, &backlog);
	spin_unlock(&chan->lock);
	fusex_backlog_end(chan, &backlog, error);

	for (i = 0; i < FUSEX_SHARDS; i++)
		fusex_shard_end(&chan->shards[i], 0, error, &ended);
	fusex_req_complete_list(&ended);
	fusex_stray_end_all(chan);
}

/* An unmount does not wait for the answer to this any more. */
static bool fusex_req_left(const struct fusex_req *req)
{
	lockdep_assert_held(&req->shard->lock);
	return unlikely(READ_ONCE(req->chan->leaving)) && req->dispensable &&
	       req->state == FUSEX_REQ_SENT;
}

/**
 * fusex_req_leave - end what an unmount does not wait for
 * @chan: the channel, leaving; what is sent after this ends then
 */
void fusex_req_leave(struct fusex_chan *chan)
{
	struct fusex_req *req, *next;
	LIST_HEAD(ended);
	unsigned int i;

	for (i = 0; i < FUSEX_SHARDS; i++) {
		struct fusex_shard *shard = &chan->shards[i];

		spin_lock(&shard->lock);
		list_for_each_entry_safe(req, next, &shard->live, live) {
			if (!fusex_req_left(req))
				continue;
			refcount_inc(&req->ref);
			fusex_req_end_locked(req, -ENOTCONN);
			list_add_tail(&req->live, &ended);
		}
		spin_unlock(&shard->lock);
	}
	fusex_req_complete_list(&ended);
}

/**
 * fusex_req_sweep - end requests that are past their deadline
 * @chan: the channel
 * @timeout: the deadline, jiffies
 *
 * Return: jiffies until the next one is, 0 when nothing is in flight.
 */
unsigned long fusex_req_sweep(struct fusex_chan *chan, unsigned long timeout)
{
	unsigned long first = 0;
	LIST_HEAD(ended);
	unsigned int i;

	for (i = 0; i < FUSEX_SHARDS; i++) {
		unsigned long left = fusex_shard_end(&chan->shards[i], timeout,
						     -ETIMEDOUT, &ended);

		if (left && (!first || left < first))
			first = left;
	}
	fusex_req_complete_list(&ended);
	return first;
}

/* ---------------------------------------------------- what transports do */

/**
 * fusex_req_note_server - note which thread is going to work on a request
 * @req: QUEUED, in nobody else's hands
 * @task: the thread
 *
 * Context: any.
 */
void fusex_req_note_server(struct fusex_req *req, struct task_struct *task)
{
	if (!req->spin || req->server)
		return;
	/* Pairs with fusex_req_in_work(). */
	smp_store_release(&req->server, get_task_struct(task));
}

/**
 * fusex_req_start_send - begin to copy a request to the server
 * @req: taken from the transport's queue, with the queue's reference
 *
 * Return: false if it is over, which leaves the reference with the caller.
 */
bool fusex_req_start_send(struct fusex_req *req)
{
	bool ok;

	spin_lock(&req->shard->lock);
	ok = req->state == FUSEX_REQ_QUEUED;
	if (ok) {
		fusex_req_move(req, FUSEX_REQ_SENDING);
		req->call->sent = true;
		fusex_req_note_server(req, current);
	}
	spin_unlock(&req->shard->lock);
	return ok;
}

/* Leaves a copying state for @to, unless it was abandoned meanwhile. */
static bool fusex_req_copied(struct fusex_req *req, enum fusex_req_state to)
{
	lockdep_assert_held(&req->shard->lock);
	/* The server has not got it, or has answered: it is not late. */
	if (req->abandon) {
		fusex_req_end_locked(req, req->abandon);
		return false;
	}
	fusex_req_move(req, to);
	if (unlikely(req->cancel) && to == FUSEX_REQ_SENT) {
		req->cancel = false;
		req->chan->ops->cancel(req->chan, req);
	}
	return true;
}

/**
 * fusex_req_sent - a request was copied to the server
 * @req: the request; the reference goes to the table
 *
 * Return: false if it was abandoned meanwhile and is to be sent no more.
 */
bool fusex_req_sent(struct fusex_req *req)
{
	bool ok, over;

	spin_lock(&req->shard->lock);
	ok = fusex_req_copied(req, FUSEX_REQ_SENT);
	over = !ok;
	if (ok) {
		trace_fusex_request_sent(req->chan->dev, &req->in);
		over = fusex_req_left(req);
		if (over)
			fusex_req_end_locked(req, -ENOTCONN);
	}
	spin_unlock(&req->shard->lock);
	if (over) {
		fusex_req_complete(req, false);
		fusex_req_put(req);
	}
	return ok;
}

/**
 * fusex_req_unsend - a request could not be copied now
 * @req: the request
 *
 * Return: false if it was abandoned meanwhile; the reference is dropped.  Else
 * it is QUEUED and the reference still the caller's.
 */
bool fusex_req_unsend(struct fusex_req *req)
{
	bool ok;

	spin_lock(&req->shard->lock);
	ok = fusex_req_copied(req, FUSEX_REQ_QUEUED);
	spin_unlock(&req->shard->lock);
	if (!ok) {
		fusex_req_complete(req, false);
		fusex_req_put(req);
	}
	return ok;
}

/**
 * fusex_req_start_reply - find the request that a reply belongs to
 * @chan: the channel
 * @unique: its number
 *
 * Return: the request in state REPLYING, with the table's reference, or NULL
 * if the server has no such request to answer.
 */
struct fusex_req *fusex_req_start_reply(struct fusex_chan *chan, u64 unique)
{
	struct fusex_shard *shard = &chan->shards[unique % FUSEX_SHARDS];
	struct fusex_req *req;

	spin_lock(&shard->lock);
	req = fusex_req_of(shard, unique);
	if (req && req->state == FUSEX_REQ_SENT)
		fusex_req_move(req, FUSEX_REQ_REPLYING);
	else
		req = NULL;
	spin_unlock(&shard->lock);
	return req;
}

/**
 * fusex_req_unreply - a reply could not be copied now
 * @req: the request; the reference goes back to the table
 *
 * Return: false if it was abandoned meanwhile; the reference is dropped.
 */
bool fusex_req_unreply(struct fusex_req *req)
{
	bool ok;

	spin_lock(&req->shard->lock);
	ok = fusex_req_copied(req, FUSEX_REQ_SENT);
	if (ok && fusex_req_left(req)) {
		fusex_req_end_locked(req, -ENOTCONN);
		ok = false;
	}
	spin_unlock(&req->shard->lock);
	if (!ok) {
		fusex_req_complete(req, false);
		fusex_req_put(req);
	}
	return ok;
}

/**
 * fusex_req_reply - the reply was copied; the request is over
 * @req: the request; the reference is dropped
 * @error: what the server, or a check of what it said, made of it
 *
 * Return: 0, or -ENOENT if it was abandoned meanwhile.
 */
int fusex_req_reply(struct fusex_req *req, int error)
{
	struct fusex_chan *chan = req->chan;
	bool late, sync;
	u32 spin;

	spin_lock(&req->shard->lock);
	late = req->abandon;
	/* Before the caller can know it, so that it need not ask again. */
	if (!late && error == -ENOSYS)
		set_bit(req->in.opcode, chan->lacks);
	fusex_req_end_locked(req, late ? req->abandon : error);
	spin_unlock(&req->shard->lock);
	WRITE_ONCE(chan->replied_cpu, raw_smp_processor_id());
	WRITE_ONCE(chan->replied, local_clock());
	/* Is this thread going to sleep now? */
	spin = READ_ONCE(chan->spin_reader.ns);
	sync = list_empty_careful(&chan->pending) &&
	       !fusex_spin_on(local_clock(), spin);
	fusex_req_complete(req, sync);
	fusex_req_put(req);
	return late ? -ENOENT : 0;
}

/**
 * fusex_req_refused - a transport cannot take a request back
 * @req: QUEUED and in no queue, or over; the reference is dropped
 *
 * For a request that comes to a transport after it was ended, or after its
 * channel has died.
 */
void fusex_req_refused(struct fusex_req *req)
{
	fusex_req_abandon(req, -ENOTCONN);
	fusex_req_put(req);
}

/* ------------------------------------------------------------- submitting */

/*
 * Gives a request its number and makes it findable.  Returns false if it is
 * over already, and in *@arm whether the timer has to be started: who stops
 * the timer looks at the shard afterwards.
 */
static bool fusex_req_enter(struct fusex_req *req, bool *arm)
{
	struct fusex_shard *shard = req->shard;
	u64 index = shard - req->chan->shards;
	bool fresh;

	spin_lock(&shard->lock);
	fresh = req->state == FUSEX_REQ_NEW;
	if (fresh) {
		req->in.unique = ++shard->seq << FUSEX_SHARD_BITS | index;
		req->call->unique = req->in.unique;
		req->start = jiffies;
		req->start_ns = local_clock();
		hlist_add_head(&req->hash,
			       fusex_req_bucket(shard, req->in.unique));
		list_add_tail(&req->live, &shard->live);
		fusex_req_move(req, FUSEX_REQ_QUEUED);
	}
	*arm = !READ_ONCE(req->chan->timer_armed);
	spin_unlock(&shard->lock);
	return fresh;
}

static enum fusex_submitter fusex_req_submitter(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;

	if (req->waiter != current)
		return FUSEX_GOES_ON;
	if (!req->spin)
		return FUSEX_SLEEPS;
	/* Where this task is nobody can come back. */
	if (READ_ONCE(chan->replied_cpu) == raw_smp_processor_id() ||
	    local_clock() - READ_ONCE(chan->replied) >= FUSEX_SPIN_RETURN)
		return FUSEX_GOES_ON;
	return FUSEX_LOOKS;
}

/*
 * NEW to QUEUED; the queue's reference is given away.  Returns false if the
 * request was over before its turn came.
 */
static bool fusex_req_activate(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;
	bool arm;

	if (!fusex_req_enter(req, &arm)) {
		fusex_req_put(req);
		return false;
	}
	trace_fusex_request_begin(chan->dev, &req->in);
	if (chan->ops->submit(chan, req, fusex_req_submitter(req)))
		fusex_req_refused(req);
	else if (arm)
		fusex_chan_arm(chan);
	return true;
}

static void fusex_req_submit(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;

	if (req->background) {
		bool dead, full = false;

		spin_lock(&chan->lock);
		dead = chan->state == FUSEX_CHAN_DEAD;
		if (!dead) {
			full = chan->nr_background >=
			       chan->conf.max_background;
			if (full)
				list_add_tail(&req->link, &chan->backlog);
			else
				chan->nr_background++;
		}
		spin_unlock(&chan->lock);
		if (dead)
			fusex_req_refused(req);
		if (dead || full)
			return;
	}
	fusex_req_activate(req);
}

static void fusex_req_credentials(struct fusex_req *req, bool kernel)
{
	struct fusex_chan *chan = req->chan;

	if (kernel) {
		req->in.flags |= FUSEX_REQ_KERNEL;
		return;
	}
	req->in.uid = from_kuid_munged(chan->user_ns, current_fsuid());
	req->in.gid = from_kgid_munged(chan->user_ns, current_fsgid());
	req->in.pid = task_tgid_nr_ns(current, chan->pid_ns);
}

/* Makes the request of a call, with one reference. */
static struct fusex_req *fusex_req_make(struct fusex_chan *chan,
					struct fusex_call *call, gfp_t gfp)
{
	struct fusex_req *req;
	ssize_t len;

	call->error = 0;
	call->got = 0;
	call->unique = 0;
	call->sent = false;
	if (WARN_ON_ONCE(!call->op || call->op >= FUSEX_OP_NR))
		return ERR_PTR(-EINVAL);
	if (!fusex_chan_alive(chan))
		return ERR_PTR(-ENOTCONN);
	if (fusex_chan_lacks(chan, call->op))
		return ERR_PTR(-ENOSYS);

	fusex_stats_prepare(chan, call->op, gfp);
	req = kmem_cache_zalloc(fusex_req_cache, gfp);
	if (!req)
		return ERR_PTR(-ENOMEM);
	len = fusex_msg_size(chan, call, &req->in);
	if (len < 0) {
		kmem_cache_free(fusex_req_cache, req);
		return ERR_PTR(len);
	}
	refcount_set(&req->ref, 1);
	req->chan = chan;
	req->shard = &chan->shards[raw_smp_processor_id() % FUSEX_SHARDS];
	req->call = call;
	req->background = call->background;
	req->dispensable = call->dispensable;
	INIT_LIST_HEAD(&req->live);
	INIT_LIST_HEAD(&req->link);
	fusex_req_credentials(req, call->nofs);
	return req;
}

/* ---------------------------------------------------------------- waiting */

/* Is there a thread of the server's that runs for the request, or soon will? */
static bool fusex_req_in_work(const struct fusex_req *req)
{
	/* Pairs with fusex_req_note_server(). */
	struct task_struct *server = smp_load_acquire(&req->server);

	if (server && owner_on_cpu(server))
		return true;
	if (READ_ONCE(req->state) != FUSEX_REQ_QUEUED)
		return false;
	/* It cannot come where this task is. */
	if (server && task_cpu(server) == raw_smp_processor_id())
		return false;
	return local_clock() - req->start_ns < READ_ONCE(req->chan->spin_most);
}

/* Looks whether a thread that has just replied takes the request. */
static void fusex_req_see_taken(const struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;

	/* Pairs with fusex_req_note_server(). */
	while (!smp_load_acquire(&req->server) && !fusex_req_over(req)) {
		if (!fusex_spin_caller_on(req->start_ns, FUSEX_SPIN_RETURN)) {
			chan->ops->kick(chan);
			break;
		}
		cpu_relax();
	}
}

/* Looks for the end of the request while the server's thread runs. */
static void fusex_req_spin(const struct fusex_req *req)
{
	if (req->looks)
		fusex_req_see_taken(req);
	while (!fusex_req_over(req) &&
	       fusex_spin_caller_on(req->start_ns, req->spin) &&
	       fusex_req_in_work(req))
		cpu_relax();
}

/* For how long a caller may look, 0 if it had better sleep. */
static u32 fusex_req_may_spin(const struct fusex_chan *chan)
{
	u32 spin = min(READ_ONCE(chan->spin_caller.ns),
		       fusex_spin_caller_most(chan));

	return fusex_spin_caller_on(local_clock(), spin) ? spin : 0;
}

static void fusex_req_learn(const struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;
	u32 most = fusex_spin_caller_most(chan);
	u64 waited = local_clock() - req->start_ns;

	/* One that was given up says only that it would have taken longer. */
	if (req->over_from == FUSEX_REQ_REPLYING || waited > most)
		fusex_spin_note(&chan->spin_caller, waited, most);
}

/*
 * Sleeps until the request is over; false when a signal, or the end of
 * @patience, came first.
 */
static bool fusex_req_sleep(const struct fusex_req *req, unsigned int state,
			    long patience)
{
	bool over;

	for (;;) {
		set_current_state(state);
		over = fusex_req_over(req);
		if (over || !patience || signal_pending_state(state, current))
			break;
		patience = schedule_timeout(patience);
	}
	__set_current_state(TASK_RUNNING);
	return over;
}

/*
 * A signal: a request that was not sent is taken back and can be made again,
 * one that was is answered soon, after a CANCEL.
 */
static void fusex_req_interrupt(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;
	bool over = false;

	spin_lock(&req->shard->lock);
	switch (req->state) {
	case FUSEX_REQ_NEW:
	case FUSEX_REQ_QUEUED:
		/* Back in the queue after a failed copy: some was seen. */
		if (req->call->sent) {
			req->cancel = true;
			break;
		}
		fusex_req_end_locked(req, -ERESTARTSYS);
		over = true;
		break;
	case FUSEX_REQ_SENT:
		chan->ops->cancel(chan, req);
		break;
	case FUSEX_REQ_SENDING:
	case FUSEX_REQ_REPLYING:
		req->cancel = true;
		break;
	}
	spin_unlock(&req->shard->lock);
	if (over) {
		fusex_req_withdraw(req);
		fusex_req_complete(req, false);
	}
}

static void fusex_req_wait(struct fusex_req *req)
{
	/* Callers hold locks of the VFS: frozen tasks may hold those. */
	const unsigned int freezable = TASK_FREEZABLE_UNSAFE;
	long patience = fusex_chan_patience(req->chan);

	/* Who is killed does not wait, but the server need not go on either. */
	if (req->call->interruptible &&
	    !fusex_req_sleep(req, TASK_INTERRUPTIBLE | freezable, patience))
		fusex_req_interrupt(req);
	if (fusex_req_sleep(req, TASK_KILLABLE | freezable, patience))
		return;
	fusex_req_abandon(req, -EINTR);
	/* At most a copy is still to be waited for, and it does not fault. */
	fusex_req_sleep(req, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	if (unlikely(current->flags & PF_EXITING))
		fusex_chan_in_vain(req->chan);
}

/**
 * fusex_call - ask the server and wait for the answer
 * @chan: the channel
 * @call: what to ask; everything in it stays valid until this returns
 *
 * Context: process context, sleeps.  Not in the server's own threads' way: see
 * fusex_chan_defer_iput().
 * Return: 0; the server's error; -ENOSYS, remembered; -EFSCORRUPTED for a
 * reply of the wrong size; -EINTR when killed, or when an exiting task has
 * waited for long enough; -ERESTARTSYS when interrupted before it was sent;
 * -ETIMEDOUT; -ENOTCONN; -ENOMEM (never when call->nofs); -E2BIG.
 */
int fusex_call(struct fusex_chan *chan, struct fusex_call *call)
{
	gfp_t gfp = call->nofs ? GFP_NOFS | __GFP_NOFAIL : GFP_KERNEL;
	struct fusex_req *req;

	might_sleep();
	req = fusex_req_make(chan, call, gfp);
	if (IS_ERR(req)) {
		call->error = PTR_ERR(req);
		return call->error;
	}
	refcount_inc(&req->ref);
	req->waiter = get_task_struct(current);
	if (!call->patient)
		req->spin = fusex_req_may_spin(chan);
	fusex_req_submit(req);
	fusex_req_spin(req);
	fusex_req_wait(req);
	if (!call->patient)
		fusex_req_learn(req);
	fusex_req_put(req);
	return call->error;
}

/**
 * fusex_call_async - ask the server and do not wait
 * @chan: the channel
 * @call: what to ask; it and everything in it stays valid until call->end
 * @gfp: how to allocate
 *
 * Context: any in which @gfp may be used.  See chan.h for that of call->end.
 * Return: 0 if call->end is or was called; or -ENOMEM, -ENOTCONN, -ENOSYS,
 * -E2BIG, and it is not.
 */
int fusex_call_async(struct fusex_chan *chan, struct fusex_call *call,
		     gfp_t gfp)
{
	struct fusex_req *req;

	req = fusex_req_make(chan, call, gfp | __GFP_ACCOUNT);
	if (IS_ERR(req)) {
		call->error = PTR_ERR(req);
		return call->error;
	}
	atomic_inc(&chan->nr_async);
	fusex_req_submit(req);
	return 0;
}

/* Returns the request in flight of a number, referenced, or NULL. */
static struct fusex_req *fusex_req_find(struct fusex_chan *chan, u64 unique)
{
	struct fusex_shard *shard = &chan->shards[unique % FUSEX_SHARDS];
	struct fusex_req *req;

	spin_lock(&shard->lock);
	req = fusex_req_of(shard, unique);
	if (req)
		refcount_inc(&req->ref);
	spin_unlock(&shard->lock);
	return req;
}

/**
 * fusex_call_abandon - give an asynchronous call up
 * @chan: the channel
 * @unique: fusex_call.unique of it
 *
 * It ends with -EINTR, here or, while its memory is being copied, where that
 * is done, which is soon.  One that is over stays what it came to.  Not for
 * background calls, which have no number before their turn comes.
 *
 * Context: that of call->end.
 */
void fusex_call_abandon(struct fusex_chan *chan, u64 unique)
{
	struct fusex_req *req = fusex_req_find(chan, unique);

	if (!req)
		return;
	fusex_req_abandon(req, -EINTR);
	fusex_req_put(req);
}

/**
 * fusex_call_take_back - give an asynchronous call up that was not sent yet
 * @chan: the channel
 * @unique: fusex_call.unique of it, not a background call
 *
 * It ends with -EINTR here, unless the server has seen some of it.
 *
 * Context: that of call->end.
 */
void fusex_call_take_back(struct fusex_chan *chan, u64 unique)
{
	struct fusex_req *req = fusex_req_find(chan, unique);
	bool over;

	if (!req)
		return;
	spin_lock(&req->shard->lock);
	over = req->state == FUSEX_REQ_QUEUED && !req->call->sent;
	if (over)
		fusex_req_end_locked(req, -EINTR);
	spin_unlock(&req->shard->lock);
	if (over) {
		fusex_req_withdraw(req);
		fusex_req_complete(req, false);
	}
	fusex_req_put(req);
}

/**
 * fusex_call_orphan - an asynchronous call goes on though its caller gives up
 * @chan: the channel
 * @unique: fusex_call.unique of it, not a background call
 *
 * What it names is kept for the server until it has ended.
 *
 * Context: process, does not sleep.
 */
void fusex_call_orphan(struct fusex_chan *chan, u64 unique)
{
	struct fusex_req *req = fusex_req_find(chan, unique);

	if (!req)
		return;
	spin_lock(&req->shard->lock);
	if (req->state != FUSEX_REQ_DONE)
		fusex_stray_add(req);
	spin_unlock(&req->shard->lock);
	fusex_req_put(req);
}

static bool fusex_req_reads(const struct fusex_req *req,
			    const struct inode *inode)
{
	return req->call->node == inode && req->call->op == FUSEX_OP_READ;
}

/**
 * fusex_call_abandon_reads - give up all READs of an inode
 * @chan: the channel
 * @inode: the inode, about to go: nobody asks anything new about it
 *
 * Calls end as with fusex_call_abandon(), those of the background, too.
 *
 * Context: that of call->end.
 */
void fusex_call_abandon_reads(struct fusex_chan *chan,
			      const struct inode *inode)
{
	struct fusex_req *req, *next;
	LIST_HEAD(backlog);
	LIST_HEAD(ended);
	unsigned int i;

	spin_lock(&chan->lock);
	list_for_each_entry_safe(req, next, &chan->backlog, link) {
		if (fusex_req_reads(req, inode))
			list_move_tail(&req->link, &backlog);
	}
	spin_unlock(&chan->lock);
	fusex_backlog_end(chan, &backlog, -EINTR);

	for (i = 0; i < FUSEX_SHARDS; i++) {
		struct fusex_shard *shard = &chan->shards[i];

		spin_lock(&shard->lock);
		list_for_each_entry_safe(req, next, &shard->live, live) {
			if (fusex_req_reads(req, inode))
				fusex_req_end_live(req, -EINTR, &ended);
		}
		spin_unlock(&shard->lock);
	}
	fusex_req_complete_list(&ended);
}

/* ----------------------------------------------------------------- others */

/**
 * fusex_chan_lacks - has the server no such operation?
 * @chan: the channel
 * @opcode: enum fusex_opcode
 *
 * Context: any.
 * Return: whether it has answered one with ENOSYS.
 */
bool fusex_chan_lacks(const struct fusex_chan *chan, u32 opcode)
{
	return test_bit(opcode, chan->lacks);
}

/**
 * fusex_bad_reply - note that a reply made no sense
 * @chan: the channel
 * @call: the call it was for, over or not
 * @why: what was wrong, a static string
 *
 * The operation fails with -EFSCORRUPTED; nothing else suffers.
 * Context: any.
 */
void fusex_bad_reply(struct fusex_chan *chan, const struct fusex_call *call,
		     const char *why)
{
	u64 nodeid = fusex_msg_nodeid(call);

	atomic_inc(&chan->bad_replies);
	trace_fusex_bad_reply(chan->dev, call->unique, call->op, nodeid, why);
	pr_warn_ratelimited("fusex: %u:%u: bad reply to %s of node %llu: %s\n",
			    MAJOR(chan->dev), MINOR(chan->dev),
			    fusex_op_name(call->op), nodeid, why);
}

/**
 * fusex_req_cache_init - make what requests are allocated from
 *
 * Return: 0 or -ENOMEM.
 */
int fusex_req_cache_init(void)
{
	fusex_req_cache = KMEM_CACHE(fusex_req, SLAB_HWCACHE_ALIGN);
	return fusex_req_cache ? 0 : -ENOMEM;
}

/**
 * fusex_req_cache_exit - undo fusex_req_cache_init()
 */
void fusex_req_cache_exit(void)
{
	kmem_cache_destroy(fusex_req_cache);
}

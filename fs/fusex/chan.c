// SPDX-License-Identifier: GPL-2.0
/*
 * Channels: a connection between a super block and its server.
 *
 *	 alloc        setup         attach         abort, detach,
 *	                                           last descriptor closed
 *	------> NEW --------> READY --------> MOUNTED --------> DEAD
 *	         |              |                                ^
 *	         '--------------'--------------------------------'
 *
 * A channel is kept by its descriptors, by the super block or a mount that is
 * being made, and by nothing else for long; requests in flight do not keep it, as
 * those who wait for them do.
 */

#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "backing.h"
#include "fusex_i.h"
#include "transport.h"

/* Deadlines and forgets: never held up by anything that waits. */
struct workqueue_struct *fusex_wq;
/* Final puts, which may wait for a server. */
static struct workqueue_struct *fusex_iput_wq;

/* --------------------------------------------------------------- deadlines */

/**
 * fusex_chan_arm - see to it that requests end at their deadline
 * @chan: the channel
 */
void fusex_chan_arm(struct fusex_chan *chan)
{
	unsigned long timeout = READ_ONCE(chan->timeout);

	if (timeout && !xchg(&chan->timer_armed, 1))
		queue_delayed_work(fusex_wq, &chan->timer, timeout);
}

static void fusex_chan_timer(struct work_struct *work)
{
	struct fusex_chan *chan = container_of(to_delayed_work(work),
					       struct fusex_chan, timer);
	unsigned long timeout = READ_ONCE(chan->timeout);
	unsigned long left;

	/*
	 * Requests that enter a shard after it was looked at find the timer
	 * not armed, see fusex_req_enter().
	 */
	WRITE_ONCE(chan->timer_armed, 0);
	if (!timeout)
		return;
	left = fusex_req_sweep(chan, timeout);
	if (left) {
		WRITE_ONCE(chan->timer_armed, 1);
		mod_delayed_work(fusex_wq, &chan->timer, left);
	}
	/* This was the old deadline, and may have put off the look for the new. */
	if (READ_ONCE(chan->timeout) != timeout) {
		WRITE_ONCE(chan->timer_armed, 1);
		mod_delayed_work(fusex_wq, &chan->timer, 0);
	}
}

/**
 * fusex_chan_set_timeout - change the deadline of all requests
 * @chan: the channel
 * @timeout_ms: milliseconds since a request was given to the server's queue, 0
 *	for no deadline; holds for requests in flight, too
 */
void fusex_chan_set_timeout(struct fusex_chan *chan, u32 timeout_ms)
{
	WRITE_ONCE(chan->timeout_ms, timeout_ms);
	WRITE_ONCE(chan->timeout, msecs_to_jiffies(timeout_ms));
	WRITE_ONCE(chan->timer_armed, 1);
	mod_delayed_work(fusex_wq, &chan->timer, 0);
}

/**
 * fusex_chan_timeout - the deadline of requests
 * @chan: the channel
 *
 * Return: milliseconds, 0 for none.
 */
u32 fusex_chan_timeout(const struct fusex_chan *chan)
{
	return READ_ONCE(chan->timeout_ms);
}

/* ------------------------------------------------------------ exiting tasks */

/**
 * fusex_chan_patience_last - how long to wait for the server where no signal
 * can end it
 * @chan: the channel
 *
 * There may be thousands of files to be closed: who has waited in vain does not
 * wait again, nor does anybody before the server has answered something.
 *
 * Return: jiffies.
 */
long fusex_chan_patience_last(struct fusex_chan *chan)
{
	u64 in_vain;

	in_vain = READ_ONCE(chan->in_vain);
	if (likely(!in_vain))
		return FUSEX_EXIT_WAIT;
	if (READ_ONCE(chan->in_vain_pid) == task_pid_nr(current) ||
	    in_vain == fusex_chan_answers(chan) + 1)
		return 0;
	return FUSEX_EXIT_WAIT;
}

/**
 * fusex_chan_patience - how long may the current task wait for the server?
 * @chan: the channel
 *
 * No signal reaches a process that is exiting any more, so it does not wait
 * for ever.
 *
 * Return: jiffies, MAX_SCHEDULE_TIMEOUT for as long as it takes.
 */
long fusex_chan_patience(struct fusex_chan *chan)
{
	if (likely(!(current->flags & PF_EXITING)))
		return MAX_SCHEDULE_TIMEOUT;
	return fusex_chan_patience_last(chan);
}

/**
 * fusex_chan_in_vain - an exiting task has lost its patience
 * @chan: the channel; what the task has abandoned has ended
 */
void fusex_chan_in_vain(struct fusex_chan *chan)
{
	WRITE_ONCE(chan->in_vain_pid, task_pid_nr(current));
	WRITE_ONCE(chan->in_vain, fusex_chan_answers(chan) + 1);
}

/* ------------------------------------------------------------ final puts */

/**
 * fusex_chan_async_done - an asynchronous call or a deferred put is over
 * @chan: the channel
 */
void fusex_chan_async_done(struct fusex_chan *chan)
{
	if (atomic_dec_and_test(&chan->nr_async))
		wake_up_all(&chan->quiet);
}

static void fusex_chan_iput_work(struct work_struct *work)
{
	struct fusex_chan *chan = container_of(work, struct fusex_chan,
					       iput_work);
	struct llist_node *node = llist_del_all(&chan->iputs);

	while (node) {
		struct fusex_inode *fi = llist_entry(node, struct fusex_inode,
						     iput);

		/* Off the list before the put, so that it can come again. */
		node = node->next;
		/* Others do not wait for what it waits for. */
		fusex_inode_let_go(&fi->vfs_inode);
		iput(&fi->vfs_inode);
		fusex_chan_async_done(chan);
	}
}

/* The queue has the reference. */
static void fusex_chan_queue_iput(struct fusex_chan *chan, struct inode *inode)
{
	if (llist_add(&fusex_i(inode)->iput, &chan->iputs))
		queue_work(fusex_iput_wq, &chan->iput_work);
}

/**
 * fusex_chan_defer_iput - drop an inode where waiting for the server is wrong
 * @chan: the channel of its super block
 * @inode: the inode
 *
 * For whoever runs in the server's thread: the last put of an inode may wait
 * for the server.  Unmounting waits for the puts.
 *
 * Only who drops the last reference queues the inode, so that it is queued
 * once at a time: while it is, the queue has a reference.
 *
 * Context: any process context; does not sleep.
 */
void fusex_chan_defer_iput(struct fusex_chan *chan, struct inode *inode)
{
	if (iput_if_not_last(inode))
		return;
	atomic_inc(&chan->nr_async);
	fusex_chan_queue_iput(chan, inode);
}

/**
 * fusex_chan_keep_inode - likewise, when the last reference has gone already
 * @chan: the channel of its super block
 * @inode: the inode; its i_lock is held
 *
 * Context: any process context; does not sleep.
 * Return: false if an unmount does not wait for it any more: nothing was done.
 */
bool fusex_chan_keep_inode(struct fusex_chan *chan, struct inode *inode)
{
	lockdep_assert_held(&inode->i_lock);
	atomic_inc(&chan->nr_async);
	/* Pairs with the one in fusex_chan_quiesce(). */
	smp_mb__after_atomic();
	if (READ_ONCE(chan->leaving)) {
		fusex_chan_async_done(chan);
		return false;
	}
	__iget(inode);
	fusex_chan_queue_iput(chan, inode);
	return true;
}

/* ----------------------------------------------------------- life and end */

/**
 * fusex_chan_alloc - make a channel
 * @ops: its transport
 *
 * Return: the channel in state NEW with one reference, or NULL.
 */
struct fusex_chan *fusex_chan_alloc(const struct fusex_transport_ops *ops)
{
	struct fusex_chan *chan;
	unsigned int i, j;

	chan = kzalloc_obj(*chan, GFP_KERNEL_ACCOUNT);
	if (!chan)
		return NULL;
	chan->cpu_dev = alloc_percpu_gfp(struct fusex_dev *,
					 GFP_KERNEL_ACCOUNT);
	if (!chan->cpu_dev) {
		kfree(chan);
		return NULL;
	}
	refcount_set(&chan->ref, 1);
	chan->ops = ops;
	chan->spin_most = FUSEX_SPIN_READER;
	spin_lock_init(&chan->lock);
	INIT_LIST_HEAD(&chan->devs);
	INIT_LIST_HEAD(&chan->readers);
	INIT_LIST_HEAD(&chan->pending);
	INIT_LIST_HEAD(&chan->cancels);
	INIT_LIST_HEAD(&chan->backlog);
	init_llist_head(&chan->forgets);
	INIT_DELAYED_WORK(&chan->forget_work, fusex_forget_work);
	init_waitqueue_head(&chan->quiet);
	INIT_DELAYED_WORK(&chan->timer, fusex_chan_timer);
	init_llist_head(&chan->iputs);
	INIT_WORK(&chan->iput_work, fusex_chan_iput_work);
	init_waitqueue_head(&chan->poll);
	xa_init_flags(&chan->backing, XA_FLAGS_ALLOC1);
	for (i = 0; i < FUSEX_SHARDS; i++) {
		spin_lock_init(&chan->shards[i].lock);
		INIT_LIST_HEAD(&chan->shards[i].live);
		for (j = 0; j < FUSEX_SHARD_BUCKETS; j++)
			INIT_HLIST_HEAD(&chan->shards[i].table[j]);
	}
	return chan;
}

/**
 * fusex_chan_get - take a reference to a channel
 * @chan: the channel
 */
void fusex_chan_get(struct fusex_chan *chan)
{
	refcount_inc(&chan->ref);
}

/**
 * fusex_chan_get_live - take a reference to a channel that may be going
 * @chan: the channel, not freed before RCU lets it
 *
 * Context: any.
 * Return: false if its last reference is gone.
 */
bool fusex_chan_get_live(struct fusex_chan *chan)
{
	return refcount_inc_not_zero(&chan->ref);
}

/**
 * fusex_chan_put - drop a reference to a channel
 * @chan: the channel
 *
 * Context: process context, may sleep.
 */
void fusex_chan_put(struct fusex_chan *chan)
{
	might_sleep();
	if (!refcount_dec_and_test(&chan->ref))
		return;
	fusex_chan_abort(chan);
	cancel_delayed_work_sync(&chan->timer);
	cancel_delayed_work_sync(&chan->forget_work);
	flush_work(&chan->iput_work);
	WARN_ON_ONCE(!list_empty(&chan->pending));
	WARN_ON_ONCE(!list_empty(&chan->readers));
	WARN_ON_ONCE(atomic_read(&chan->nr_async));
	fusex_forget_drop(chan);
	fusex_backing_clear(chan);
	fusex_stats_free(chan);
	free_percpu(chan->cpu_dev);
	put_pid(chan->server);
	if (chan->pid_ns)
		put_pid_ns(chan->pid_ns);
	put_user_ns(chan->user_ns);
	/* Path walks look at the state of the channel under RCU. */
	kfree_rcu(chan, rcu);
}

/**
 * fusex_chan_abort - end a channel and everything on it at once
 * @chan: the channel
 *
 * Every call ends with -ENOTCONN, every reader of the server with -ENODEV.
 *
 * Context: process context; sleeps for nobody.
 */
void fusex_chan_abort(struct fusex_chan *chan)
{
	spin_lock(&chan->lock);
	if (chan->state == FUSEX_CHAN_DEAD) {
		spin_unlock(&chan->lock);
		return;
	}
	WRITE_ONCE(chan->state, FUSEX_CHAN_DEAD);
	chan->ops->stop(chan);
	spin_unlock(&chan->lock);

	wake_up_all(&chan->poll);
	fusex_req_end_all(chan, -ENOTCONN);
	fusex_forget_drop(chan);
	fusex_poll_abort(chan);
}

/**
 * fusex_chan_attach - let a super block use a channel
 * @chan: the channel
 * @sb: the super block, with its device number
 *
 * Return: 0; -EINVAL not set up; -EBUSY used already; -ENODEV dead; -ENOMEM.
 */
int fusex_chan_attach(struct fusex_chan *chan, struct super_block *sb)
{
	int err = 0;

	spin_lock(&chan->lock);
	switch (chan->state) {
	case FUSEX_CHAN_NEW:
		err = -EINVAL;
		break;
	case FUSEX_CHAN_READY:
		WRITE_ONCE(chan->state, FUSEX_CHAN_MOUNTED);
		chan->dev = sb->s_dev;
		break;
	case FUSEX_CHAN_MOUNTED:
		err = -EBUSY;
		break;
	default:
		err = -ENODEV;
		break;
	}
	spin_unlock(&chan->lock);
	if (err)
		return err;

	err = fusex_sysfs_add(chan, sb);
	spin_lock(&chan->lock);
	/* What notifications can find does not go without fusex_chan_quiesce(). */
	if (!err)
		chan->sb = sb;
	else if (chan->state == FUSEX_CHAN_MOUNTED)
		WRITE_ONCE(chan->state, FUSEX_CHAN_READY);
	spin_unlock(&chan->lock);
	return err;
}

static bool fusex_chan_is_quiet(struct fusex_chan *chan)
{
	return !atomic_read(&chan->nr_async) && !READ_ONCE(chan->notifiers);
}

/*
 * Waits until the channel is quiet.  -EINTR: killed, or it is an exiting task,
 * a mount namespace's last, and the server does not get on.
 */
static int fusex_chan_wait_quiet(struct fusex_chan *chan)
{
	const unsigned int state = TASK_KILLABLE | TASK_FREEZABLE_UNSAFE;

	if (likely(!(current->flags & PF_EXITING)))
		return wait_event_state(chan->quiet, fusex_chan_is_quiet(chan),
					state) ? -EINTR : 0;
	if (fusex_wait_progress(chan,
				wait_event_timeout(chan->quiet,
						   fusex_chan_is_quiet(chan),
						   FUSEX_EXIT_WAIT)))
		return 0;
	return -EINTR;
}

/**
 * fusex_chan_quiesce - the super block is about to go
 * @chan: the channel
 *
 * Afterwards no notification uses the super block, and neither an
 * asynchronous call nor a deferred put holds one of its inodes.  The server
 * still answers.  Who is killed while waiting for that, or is exiting and sees
 * no progress, aborts the channel, after which nothing has to be waited for any
 * more.
 *
 * Context: process context, sleeps.
 */
void fusex_chan_quiesce(struct fusex_chan *chan)
{
	struct super_block *sb;

	spin_lock(&chan->lock);
	sb = chan->sb;
	chan->sb = NULL;
	if (sb)
		WRITE_ONCE(chan->leaving, true);
	spin_unlock(&chan->lock);
	if (!sb)
		return;
	/* Either fusex_chan_keep_inode() sees it, or we wait for that one. */
	smp_mb();
	fusex_req_leave(chan);
	fusex_stray_leave(chan);
	if (fusex_chan_wait_quiet(chan)) {
		fusex_chan_abort(chan);
		wait_event(chan->quiet, fusex_chan_is_quiet(chan));
	}
}

/**
 * fusex_chan_hide - the super block goes, and what shows the channel with it
 * @chan: the channel
 *
 * Context: process context, sleeps.
 */
void fusex_chan_hide(struct fusex_chan *chan)
{
	if (chan->sysfs)
		fusex_sysfs_remove(chan);
}

/**
 * fusex_chan_detach - the super block is gone
 * @chan: the channel, dead afterwards
 *
 * Forgets that were not read are dropped: the server knows from the end of the
 * channel that nothing is left.
 *
 * Context: process context, sleeps.
 */
void fusex_chan_detach(struct fusex_chan *chan)
{
	WARN_ON_ONCE(chan->sb);
	fusex_chan_abort(chan);
	flush_work(&chan->iput_work);
	fusex_chan_hide(chan);
	/* Who serves may go on for a while; what it serves is not busy. */
	fusex_backing_clear(chan);
}

/**
 * fusex_chan_alive - is there still a server?
 * @chan: the channel
 *
 * Context: any.
 * Return: false for good once the channel is dead.
 */
bool fusex_chan_alive(const struct fusex_chan *chan)
{
	return READ_ONCE(chan->state) != FUSEX_CHAN_DEAD;
}

/**
 * fusex_chan_is_served - is somebody there who would answer?
 * @chan: the channel
 *
 * Context: any; may have changed when it returns.
 * Return: true if a thread waits for requests in read(2).
 */
bool fusex_chan_is_served(struct fusex_chan *chan)
{
	bool served;

	spin_lock(&chan->lock);
	served = !list_empty(&chan->readers);
	spin_unlock(&chan->lock);
	return served;
}

/**
 * fusex_chan_is_own - is it the server that is running?
 * @chan: the channel
 *
 * Context: process.
 * Return: true in a thread of the process that has set up the channel.
 */
bool fusex_chan_is_own(const struct fusex_chan *chan)
{
	return task_tgid(current) == chan->server;
}

/**
 * fusex_chan_leaving - is its super block being unmounted?
 * @chan: the channel
 *
 * What fails from then on is not tried again.
 *
 * Context: any.
 * Return: true from fusex_chan_quiesce() on.
 */
bool fusex_chan_leaving(const struct fusex_chan *chan)
{
	return READ_ONCE(chan->leaving);
}

/**
 * fusex_chan_pin_sb - keep the super block from being unmounted
 * @chan: the channel
 *
 * Return: the super block until fusex_chan_unpin_sb(), NULL when nothing is
 * mounted or is being unmounted.
 */
struct super_block *fusex_chan_pin_sb(struct fusex_chan *chan)
{
	struct super_block *sb;

	spin_lock(&chan->lock);
	sb = chan->sb;
	if (sb)
		WRITE_ONCE(chan->notifiers, chan->notifiers + 1);
	spin_unlock(&chan->lock);
	return sb;
}

/**
 * fusex_chan_unpin_sb - undo fusex_chan_pin_sb()
 * @chan: the channel
 */
void fusex_chan_unpin_sb(struct fusex_chan *chan)
{
	bool last;

	spin_lock(&chan->lock);
	WRITE_ONCE(chan->notifiers, chan->notifiers - 1);
	last = !chan->notifiers;
	spin_unlock(&chan->lock);
	if (last)
		wake_up_all(&chan->quiet);
}

/* -------------------------------------------------------------- small ones */

/**
 * fusex_chan_epoch - note the present, before a call is made
 * @chan: the channel
 *
 * A reply to that call says nothing about what the kernel changed after it.
 *
 * Context: any.
 * Return: the number of the last change.
 */
u64 fusex_chan_epoch(struct fusex_chan *chan)
{
	return atomic64_read(&chan->epoch);
}

/**
 * fusex_chan_next_epoch - number a change the kernel makes
 * @chan: the channel
 *
 * Context: any.
 * Return: a number above all that fusex_chan_epoch() has returned.
 */
u64 fusex_chan_next_epoch(struct fusex_chan *chan)
{
	return atomic64_inc_return(&chan->epoch);
}

/**
 * fusex_chan_conf - what was agreed with the server
 * @chan: the channel, set up
 *
 * Return: constants that live as long as the channel.
 */
const struct fusex_conf *fusex_chan_conf(const struct fusex_chan *chan)
{
	return &chan->conf;
}

/**
 * fusex_chan_pid_ns - the pid namespace of the server
 * @chan: the channel
 *
 * Return: it, valid as long as @chan.
 */
struct pid_namespace *fusex_chan_pid_ns(const struct fusex_chan *chan)
{
	return chan->pid_ns;
}

/**
 * fusex_chan_user_ns - the user namespace of the server
 * @chan: the channel, set up
 *
 * Return: the namespace /dev/fusex was opened in, kept by the channel.
 */
struct user_namespace *fusex_chan_user_ns(const struct fusex_chan *chan)
{
	return chan->user_ns;
}

/**
 * fusex_transport_init - make what channels need
 *
 * Return: 0 or -ENOMEM.
 */
int fusex_transport_init(void)
{
	fusex_wq = alloc_workqueue("fusex", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!fusex_wq)
		return -ENOMEM;
	fusex_iput_wq = alloc_workqueue("fusex_iput", WQ_UNBOUND, 0);
	if (!fusex_iput_wq)
		goto no_iput_wq;
	if (fusex_req_cache_init())
		goto no_req_cache;
	if (fusex_forget_cache_init())
		goto no_forget_cache;
	return 0;

no_forget_cache:
	fusex_req_cache_exit();
no_req_cache:
	destroy_workqueue(fusex_iput_wq);
no_iput_wq:
	destroy_workqueue(fusex_wq);
	return -ENOMEM;
}

/**
 * fusex_transport_exit - undo fusex_transport_init()
 */
void fusex_transport_exit(void)
{
	fusex_forget_cache_exit();
	fusex_req_cache_exit();
	destroy_workqueue(fusex_iput_wq);
	destroy_workqueue(fusex_wq);
}

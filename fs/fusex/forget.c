// SPDX-License-Identifier: GPL-2.0
/*
 * Forgets: what the kernel has dropped, told to the server in batches.
 *
 * Eviction adds to a list without a lock and goes on.  A reader of the server
 * is woken when FUSEX_FORGET_ENOUGH are there, or after FUSEX_FORGET_DELAY for
 * fewer, so that a burst of evictions does not become a burst of requests.
 *
 * Who adds links the element first and counts it then, who takes uncounts
 * what it has taken, so that a positive count says that elements are there.
 * Whoever makes the count 1 starts the clock; a reader that leaves some
 * behind says that they are due.
 */

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "transport.h"
#include "trace.h"

static struct kmem_cache *fusex_forget_cache;

static struct fusex_forget *to_forget(struct llist_node *node)
{
	return llist_entry(node, struct fusex_forget, link);
}

/**
 * fusex_forget_alloc - allocate a forget for later
 * @gfp: how
 *
 * Return: the forget, or NULL.
 */
struct fusex_forget *fusex_forget_alloc(gfp_t gfp)
{
	return kmem_cache_zalloc(fusex_forget_cache, gfp);
}

/**
 * fusex_forget_free - free a forget that was not queued
 * @forget: from fusex_forget_alloc(), or NULL
 */
void fusex_forget_free(struct fusex_forget *forget)
{
	if (forget)
		kmem_cache_free(fusex_forget_cache, forget);
}

static void forget_add(struct fusex_chan *chan, struct fusex_forget *forget)
{
	int n;

	trace_fusex_forget(chan->dev, &forget->one);
	llist_add(&forget->link, &chan->forgets);
	n = atomic_inc_return(&chan->nr_forgets);
	if (!fusex_chan_alive(chan))
		fusex_forget_drop(chan);
	else if (n == 1)
		queue_delayed_work(fusex_wq, &chan->forget_work,
				   FUSEX_FORGET_DELAY);
	else if (n == FUSEX_FORGET_ENOUGH)
		chan->ops->kick(chan);
}

/* Not while the server is working on the node, see stray.c. */
static void forget_go(struct fusex_chan *chan, struct fusex_kept *kept)
{
	struct fusex_forget *forget = container_of(kept, struct fusex_forget,
						   kept);

	if (!fusex_stray_holds(chan, forget->one.nodeid, NULL, kept))
		forget_add(chan, forget);
}

/**
 * fusex_forget_queue - tell the server that the kernel dropped a node
 * @chan: the channel
 * @forget: belongs to the channel from now on
 * @nodeid: the node
 * @generation: its generation
 * @nlookup: how many entry replies named it
 *
 * Context: process context; does not sleep and cannot fail.  On a dead channel
 * the forget is dropped: its server has ended and knows no nodes.
 */
void fusex_forget_queue(struct fusex_chan *chan, struct fusex_forget *forget,
			u64 nodeid, u32 generation, u64 nlookup)
{
	forget->one = (struct fusex_forget_one) {
		.nodeid = nodeid,
		.generation = generation,
		.nlookup = nlookup,
	};
	forget->kept.go = forget_go;
	forget_go(chan, &forget->kept);
}

/**
 * fusex_forget_work - few forgets have waited long enough
 * @work: fusex_chan.forget_work
 */
void fusex_forget_work(struct work_struct *work)
{
	struct fusex_chan *chan = container_of(to_delayed_work(work),
					       struct fusex_chan, forget_work);
	bool due;

	spin_lock(&chan->lock);
	due = atomic_read(&chan->nr_forgets) > 0;
	chan->forget_due = due;
	spin_unlock(&chan->lock);
	if (due)
		chan->ops->kick(chan);
}

/**
 * fusex_forget_ready - is it time to send forgets?
 * @chan: the channel, locked
 *
 * Return: whether fusex_forget_take() should be called.
 */
bool fusex_forget_ready(const struct fusex_chan *chan)
{
	lockdep_assert_held(&chan->lock);
	return chan->forget_due ||
	       atomic_read(&chan->nr_forgets) >= FUSEX_FORGET_ENOUGH;
}

/**
 * fusex_forget_take - take forgets to be sent
 * @chan: the channel, locked
 * @max: how many
 * @count: returns how many there were
 *
 * Return: a list of them, NULL for none.
 */
struct llist_node *fusex_forget_take(struct fusex_chan *chan, u32 max,
				     u32 *count)
{
	struct llist_node *first = NULL;
	struct llist_node *node;
	u32 n;

	lockdep_assert_held(&chan->lock);
	for (n = 0; n < max; n++) {
		if (!chan->stash)
			chan->stash = llist_del_all(&chan->forgets);
		node = chan->stash;
		if (!node)
			break;
		chan->stash = node->next;
		node->next = first;
		first = node;
	}
	chan->forget_due = atomic_sub_return(n, &chan->nr_forgets) > 0;
	*count = n;
	return first;
}

/**
 * fusex_forget_return - undo fusex_forget_take(): the server did not get them
 * @chan: the channel, not locked
 * @first: the list
 * @count: how many
 */
void fusex_forget_return(struct fusex_chan *chan, struct llist_node *first,
			 u32 count)
{
	struct llist_node *last = first;

	while (last->next)
		last = last->next;
	llist_add_batch(first, last, &chan->forgets);
	spin_lock(&chan->lock);
	atomic_add(count, &chan->nr_forgets);
	chan->forget_due = true;
	spin_unlock(&chan->lock);
	if (!fusex_chan_alive(chan))
		fusex_forget_drop(chan);
	else
		chan->ops->kick(chan);
}

/**
 * fusex_forget_free_all - free forgets that were taken
 * @first: the list, may be NULL
 */
void fusex_forget_free_all(struct llist_node *first)
{
	struct llist_node *next;

	for (; first; first = next) {
		next = first->next;
		fusex_forget_free(to_forget(first));
	}
}

/**
 * fusex_forget_drop - free all forgets of a dead channel
 * @chan: the channel, not locked
 */
void fusex_forget_drop(struct fusex_chan *chan)
{
	struct llist_node *first;
	u32 count;

	spin_lock(&chan->lock);
	first = fusex_forget_take(chan, U32_MAX, &count);
	spin_unlock(&chan->lock);
	fusex_forget_free_all(first);
}

/**
 * fusex_forget_encode - copy a FORGET to the server
 * @first: the forgets
 * @count: how many
 * @to: the server's buffer, large enough
 *
 * Context: sleeps, faults the server's memory in.
 * Return: bytes, or -EFAULT with @to where it was.
 */
ssize_t fusex_forget_encode(struct llist_node *first, u32 count,
			    struct iov_iter *to)
{
	struct {
		struct fusex_in_header in;
		struct fusex_forget_in arg;
	} head = {
		.in = {
			.len = sizeof(head) +
			       count * sizeof(struct fusex_forget_one),
			.opcode = FUSEX_OP_FORGET,
			.arg_len = sizeof(head.arg),
		},
		.arg.count = count,
	};
	size_t room = iov_iter_count(to);
	struct fusex_forget_one some[16];
	unsigned int n = 0;
	bool ok;

	ok = copy_to_iter(&head, sizeof(head), to) == sizeof(head);
	while (ok && first) {
		some[n++] = to_forget(first)->one;
		first = first->next;
		if (n < ARRAY_SIZE(some) && first)
			continue;
		ok = copy_to_iter(some, n * sizeof(some[0]), to) ==
		     n * sizeof(some[0]);
		n = 0;
	}
	if (ok)
		return head.in.len;
	iov_iter_revert(to, room - iov_iter_count(to));
	return -EFAULT;
}

/**
 * fusex_forget_cache_init - make what fusex_forget_alloc() needs
 *
 * Return: 0 or -ENOMEM.
 */
int fusex_forget_cache_init(void)
{
	fusex_forget_cache = KMEM_CACHE(fusex_forget,
					SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT);
	return fusex_forget_cache ? 0 : -ENOMEM;
}

/**
 * fusex_forget_cache_exit - undo fusex_forget_cache_init()
 */
void fusex_forget_cache_exit(void)
{
	/* Inodes are freed by RCU, and with them the forgets they did not use. */
	rcu_barrier();
	kmem_cache_destroy(fusex_forget_cache);
}

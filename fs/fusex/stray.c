// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that the server works on and nobody waits for any more.
 *
 * The caller was killed, or the deadline has passed.  The server does not know, and
 * goes by the nodes and open files that the request names.  It relies on that
 * they are not taken from under it: FORGET and RELEASE of a node are kept back
 * until all such requests that name it have been answered, or the channel is
 * dead.
 *
 * Data may change when nobody expects it any more, after changes that were asked for
 * later and have been acknowledged.  So who changes data waits for those that do,
 * and what is known of a file is out of date when one has been answered.
 *
 * A stray request is found by its number, in the table of its shard, and by its
 * nodes.  Who takes it from the table, under the shard's lock, ends it.
 */
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/llist.h>
#include <linux/wait_bit.h>

#include "fusex_i.h"
#include "transport.h"

static struct hlist_head *stray_bucket(struct fusex_chan *chan, u64 nodeid)
{
	return &chan->strays[hash_64(nodeid, FUSEX_STRAY_BITS)];
}

static void stray_fh(struct fusex_name *name, u64 fh)
{
	name->fh = fh;
	name->has_fh = true;
}

/* Open files are in the argument structures. */
static void stray_name_files(struct fusex_name *names,
			     const struct fusex_call *call)
{
	const struct fusex_copy_range_in *copy = call->arg;
	const struct fusex_setattr_in *set = call->arg;
	const struct fusex_getattr_in *get = call->arg;

	BUILD_BUG_ON(offsetof(struct fusex_getattr_in, fh) ||
		     offsetof(struct fusex_read_in, fh) ||
		     offsetof(struct fusex_write_in, fh) ||
		     offsetof(struct fusex_flush_in, fh) ||
		     offsetof(struct fusex_fsync_in, fh) ||
		     offsetof(struct fusex_readdir_in, fh) ||
		     offsetof(struct fusex_fallocate_in, fh) ||
		     offsetof(struct fusex_lseek_in, fh) ||
		     offsetof(struct fusex_ioctl_in, fh) ||
		     offsetof(struct fusex_poll_in, fh) ||
		     offsetof(struct fusex_lock, fh));
	switch (call->op) {
	case FUSEX_OP_COPY_RANGE:
		stray_fh(&names[0], copy->fh);
		stray_fh(&names[1], copy->fh2);
		break;
	case FUSEX_OP_SETATTR:
		stray_fh(&names[0], set->fh);
		break;
	case FUSEX_OP_GETATTR:
	case FUSEX_OP_READ:
	case FUSEX_OP_WRITE:
	case FUSEX_OP_FLUSH:
	case FUSEX_OP_FSYNC:
	case FUSEX_OP_READDIR:
	case FUSEX_OP_FALLOCATE:
	case FUSEX_OP_LSEEK:
	case FUSEX_OP_IOCTL:
	case FUSEX_OP_POLL:
	case FUSEX_OP_GETLK:
	case FUSEX_OP_SETLK:
		stray_fh(&names[0], get->fh);
		break;
	}
}

/* Whose data may become another one?  NULL if nobody's. */
static struct fusex_name *stray_changed(struct fusex_name *names,
					const struct fusex_call *call)
{
	const struct fusex_setattr_in *set = call->arg;

	switch (call->op) {
	case FUSEX_OP_WRITE:
	case FUSEX_OP_FALLOCATE:
		return &names[0];
	case FUSEX_OP_SETATTR:
		return set->valid & FUSEX_SET_SIZE ? &names[0] : NULL;
	case FUSEX_OP_COPY_RANGE:
		return &names[call->node2 ? 1 : 0];
	default:
		return NULL;
	}
}

static void stray_name(struct fusex_name *names, const struct fusex_call *call)
{
	struct fusex_name *changed = stray_changed(names, call);

	names[0].nodeid = fusex_msg_nodeid(call);
	names[0].generation = call->node ? call->node->i_generation :
					   call->generation;
	names[1].second = true;
	if (call->node2) {
		names[1].nodeid = fusex_i(call->node2)->nodeid;
		names[1].generation = call->node2->i_generation;
	}
	if (call->arg)
		stray_name_files(names, call);
	if (changed)
		changed->changes = true;
}

/**
 * fusex_stray_add - nobody is going to wait for a request
 * @req: the request; its shard is locked.  It may still be waiting to be sent
 *
 * Before it is DONE: its caller goes on then, and may give up what it names.
 *
 * Context: does not sleep.
 */
void fusex_stray_add(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;
	unsigned int i;

	lockdep_assert_held(&req->shard->lock);
	if (req->stray)
		return;
	stray_name(req->names, req->call);
	spin_lock(&chan->lock);
	if (chan->state != FUSEX_CHAN_DEAD &&
	    chan->nr_strays < FUSEX_STRAYS_MAX) {
		refcount_inc(&req->ref);
		req->stray = true;
		for (i = 0; i < ARRAY_SIZE(req->names); i++)
			if (req->names[i].nodeid)
				hlist_add_head(&req->names[i].link,
					       stray_bucket(chan,
							    req->names[i].nodeid));
		WRITE_ONCE(chan->nr_strays, chan->nr_strays + 1);
	}
	spin_unlock(&chan->lock);
}

static struct fusex_req *stray_req(struct fusex_name *name)
{
	return name->second ? container_of(name, struct fusex_req, names[1]) :
			      container_of(name, struct fusex_req, names[0]);
}

/* Who names a node, or an open file of it; the channel is locked. */
static struct fusex_req *stray_find(struct fusex_chan *chan, u64 nodeid,
				    const u64 *fh)
{
	struct fusex_name *name;

	hlist_for_each_entry(name, stray_bucket(chan, nodeid), link)
		if (name->nodeid == nodeid &&
		    (!fh || (name->has_fh && name->fh == *fh)))
			return stray_req(name);
	return NULL;
}

/**
 * fusex_stray_holds - keep something back that takes a node from the server
 * @chan: the channel
 * @nodeid: the node
 * @fh: only an open file of it, the server's name; NULL for the node itself
 * @kept: called when a stray request that names it has ended, and not before
 *
 * A file that others have open can be what a request waits for.
 *
 * Context: process, does not sleep.
 * Return: false if there is none; nothing was kept then.
 */
bool fusex_stray_holds(struct fusex_chan *chan, u64 nodeid, const u64 *fh,
		       struct fusex_kept *kept)
{
	struct fusex_req *req;

	/* Who gives the node up has seen those that name it. */
	if (likely(!READ_ONCE(chan->nr_strays)))
		return false;
	spin_lock(&chan->lock);
	req = chan->leaving ? NULL : stray_find(chan, nodeid, fh);
	if (req) {
		/* An unmount waits until it has gone: it may keep an inode. */
		atomic_inc(&chan->nr_async);
		llist_add(&kept->link, &req->kept);
	}
	spin_unlock(&chan->lock);
	return req;
}

static void stray_let_go(struct fusex_chan *chan, struct llist_node *list)
{
	struct fusex_kept *kept, *next;

	list = llist_reverse_order(list);
	llist_for_each_entry_safe(kept, next, list, link) {
		kept->go(chan, kept);
		fusex_chan_async_done(chan);
	}
}

static bool stray_changing(struct fusex_chan *chan, u64 nodeid)
{
	struct fusex_name *name;
	bool found = false;

	spin_lock(&chan->lock);
	hlist_for_each_entry(name, stray_bucket(chan, nodeid), link)
		if (name->nodeid == nodeid && name->changes)
			found = true;
	spin_unlock(&chan->lock);
	return found;
}

/**
 * fusex_stray_wait - wait until no stray request changes a file's data any more
 * @chan: the channel
 * @nodeid: the file's; a lock that keeps changes out is held, so that those of
 *	others are seen
 * @nowait: must not wait
 *
 * Context: process, sleeps on the server, killable, no longer than its deadline.
 * Return: 0; -EAGAIN; -EINTR; -ETIMEDOUT.
 */
int fusex_stray_wait(struct fusex_chan *chan, u64 nodeid, bool nowait)
{
	/* As in a request: frozen tasks may hold locks. */
	const unsigned int state = TASK_KILLABLE | TASK_FREEZABLE_UNSAFE;
	u32 timeout = fusex_chan_timeout(chan);
	long left;

	if (likely(!READ_ONCE(chan->nr_strays)))
		return 0;
	if (nowait)
		return stray_changing(chan, nodeid) ? -EAGAIN : 0;
	left = timeout ? msecs_to_jiffies(timeout) : MAX_SCHEDULE_TIMEOUT;
	left = ___wait_var_event(&chan->nr_strays,
				 ___wait_cond_timeout(!stray_changing(chan, nodeid)),
				 state, 0, left,
				 __ret = schedule_timeout(__ret));
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/* Before anybody goes on who has waited for it; nothing is left of a dead channel. */
static void stray_outdates(struct fusex_chan *chan, const struct fusex_name *name)
{
	struct super_block *sb;

	if (!name->changes)
		return;
	sb = fusex_chan_pin_sb(chan);
	if (!sb)
		return;
	/* There may be nothing that is known of it. */
	fusex_notify_inode(sb, &(struct fusex_notify_inode) {
		.nodeid		= name->nodeid,
		.generation	= name->generation,
		.flags		= FUSEX_INVAL_ATTR | FUSEX_INVAL_DATA,
	});
	fusex_chan_unpin_sb(chan);
}

/**
 * fusex_stray_end - the server is through with a request
 * @req: stray, DONE, and taken from its table by the caller
 *
 * Context: process, does not wait for the server.
 */
void fusex_stray_end(struct fusex_req *req)
{
	struct fusex_chan *chan = req->chan;
	struct llist_node *list;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(req->names); i++)
		stray_outdates(chan, &req->names[i]);
	spin_lock(&chan->lock);
	for (i = 0; i < ARRAY_SIZE(req->names); i++)
		hlist_del_init(&req->names[i].link);
	WRITE_ONCE(chan->nr_strays, chan->nr_strays - 1);
	list = llist_del_all(&req->kept);
	spin_unlock(&chan->lock);
	/* Pairs with the waiter's: it sees that the request is gone, or is woken. */
	smp_mb();
	wake_up_var(&chan->nr_strays);
	/* Another one may name it, too. */
	stray_let_go(chan, list);
	fusex_req_put(req);
}

/* Something that is kept back, NULL for nothing. */
static struct llist_node *stray_any(struct fusex_chan *chan)
{
	struct fusex_name *name;
	struct llist_node *list;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chan->strays); i++) {
		hlist_for_each_entry(name, &chan->strays[i], link) {
			list = llist_del_all(&stray_req(name)->kept);
			if (list)
				return list;
		}
	}
	return NULL;
}

/**
 * fusex_stray_leave - an unmount does not wait for stray requests
 * @chan: the channel, leaving
 *
 * What is kept back is sent, and may keep inodes.
 *
 * Context: process.
 */
void fusex_stray_leave(struct fusex_chan *chan)
{
	struct llist_node *list;

	do {
		spin_lock(&chan->lock);
		list = stray_any(chan);
		spin_unlock(&chan->lock);
		stray_let_go(chan, list);
		cond_resched();
	} while (list);
}

/**
 * fusex_stray_answered - a reply that nobody waits for
 * @chan: the channel
 * @unique: of the request; there may be none
 *
 * Context: process, does not wait for the server.
 */
void fusex_stray_answered(struct fusex_chan *chan, u64 unique)
{
	struct fusex_shard *shard = &chan->shards[unique % FUSEX_SHARDS];
	struct fusex_req *req;

	if (!READ_ONCE(chan->nr_strays))
		return;
	spin_lock(&shard->lock);
	req = fusex_req_of(shard, unique);
	if (req && req->late)
		hlist_del_init(&req->hash);
	else
		req = NULL;
	spin_unlock(&shard->lock);
	if (req)
		fusex_stray_end(req);
}

static struct fusex_req *stray_first(struct fusex_shard *shard)
{
	struct fusex_req *req;
	unsigned int i;

	for (i = 0; i < FUSEX_SHARD_BUCKETS; i++)
		hlist_for_each_entry(req, &shard->table[i], hash)
			if (req->late)
				return req;
	return NULL;
}

/**
 * fusex_stray_end_all - nothing will be answered any more
 * @chan: the channel, in state DEAD, no request is live
 *
 * Context: process.
 */
void fusex_stray_end_all(struct fusex_chan *chan)
{
	struct fusex_shard *shard;
	struct fusex_req *req;

	for (shard = chan->shards; shard < chan->shards + FUSEX_SHARDS;) {
		spin_lock(&shard->lock);
		req = stray_first(shard);
		if (req)
			hlist_del_init(&req->hash);
		spin_unlock(&shard->lock);
		if (req)
			fusex_stray_end(req);
		else
			shard++;
	}
}

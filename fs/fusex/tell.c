// SPDX-License-Identifier: GPL-2.0
/*
 * What the server has yet to be told of direct writes.
 *
 * The data is on the device, and the kernel goes by that.  The server hears of it
 * a moment later, of what follows each other at once, so that who writes a file
 * from front to back does not wait for it each time.  It hears of it before
 * anything that depends on it: a MAP_BEGIN, FSYNC, RELEASE, and all that takes
 * space away.  What it was not told when it died was not durable either.
 *
 * Others may look at a remote file, so of that it is told at once.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "io.h"
#include "map.h"

/* How long it may take, and how many ranges there may be. */
#define TELL_DELAY	(HZ / 50 ?: 1)
#define TELL_MAX	256

struct untold {
	struct list_head link;
	struct fusex_map_ioend_in in;
};

/**
 * fusex_tell_joins - do two ranges follow each other, and are told the same?
 * @last: a range
 * @in: another
 *
 * Context: any.
 * Return: true if @in goes on where @last ends, in the file and on the device.
 */
bool fusex_tell_joins(const struct fusex_map_ioend_in *last,
		      const struct fusex_map_ioend_in *in)
{
	return last->offset + last->length == in->offset &&
	       last->addr + last->length == in->addr &&
	       last->dev == in->dev && last->flags == in->flags;
}

/* Is part of the last range now; fusex_inode.lock is held. */
static bool tell_join(struct fusex_maps *maps,
		      const struct fusex_map_ioend_in *in)
{
	struct untold *last;

	if (list_empty(&maps->untold))
		return false;
	last = list_last_entry(&maps->untold, struct untold, link);
	if (!fusex_tell_joins(&last->in, in))
		return false;
	last->in.length += in->length;
	last->in.size = max(last->in.size, in->size);
	return true;
}

/* Returns whether a worker has to be sent for it. */
static bool tell_add(struct inode *inode, struct untold *u)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_maps *maps = fi->maps;
	bool first;

	spin_lock(&fi->lock);
	if (tell_join(maps, &u->in)) {
		kfree(u);
	} else {
		list_add_tail(&u->link, &maps->untold);
		maps->nr_untold++;
	}
	maps->changes++;
	first = !maps->telling_later;
	maps->telling_later = true;
	spin_unlock(&fi->lock);
	return first;
}

/**
 * fusex_tell_later - a direct write has ended: tell the server soon
 * @inode: the file
 * @in: the range, without an error
 *
 * Context: process, does not wait for the server.
 * Return: true, or false if it has to be told at once.
 */
bool fusex_tell_later(struct inode *inode, const struct fusex_map_ioend_in *in)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;
	struct untold *u;

	if (fusex_i(inode)->attr->shared || in->flags & FUSEX_IOEND_REPLACE ||
	    READ_ONCE(maps->nr_untold) >= TELL_MAX)
		return false;
	u = kmalloc_obj(*u, GFP_NOFS | __GFP_NOWARN);
	if (!u)
		return false;
	u->in = *in;
	if (tell_add(inode, u))
		fusex_io_later_delayed(inode, &maps->tell, TELL_DELAY);
	/* sync(2) comes by. */
	mark_inode_dirty_sync(inode);
	/* The kernel goes by it from now on. */
	fusex_ioend_written(inode, in);
	return true;
}

static struct untold *tell_first(struct fusex_inode *fi)
{
	struct untold *u;

	spin_lock(&fi->lock);
	u = list_first_entry_or_null(&fi->maps->untold, struct untold, link);
	if (u)
		list_del(&u->link);
	spin_unlock(&fi->lock);
	return u;
}

static void tell_again(struct fusex_inode *fi, struct untold *u)
{
	spin_lock(&fi->lock);
	list_add(&u->link, &fi->maps->untold);
	spin_unlock(&fi->lock);
}

/* It is as if the data had never been written, and fsync says so. */
static void tell_failed(struct inode *inode, int err)
{
	if (!fusex_inode_unmissed(inode, err))
		mapping_set_error(inode->i_mapping,
				  err == -ENOTCONN || err == -EINTR ? -EIO :
								      err);
}

static int tell_all(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct untold *u;
	int err;

	while ((u = tell_first(fi))) {
		err = fusex_ioend_tell(inode, &u->in, true);
		/* Not if it is the server that says so. */
		if (err == -EINTR && (fatal_signal_pending(current) ||
				      current->flags & PF_EXITING)) {
			tell_again(fi, u);
			return err;
		}
		if (err)
			tell_failed(inode, err);
		kfree(u);
		spin_lock(&fi->lock);
		fi->maps->nr_untold--;
		spin_unlock(&fi->lock);
	}
	return 0;
}

/**
 * fusex_tell_changed - what finds the data is not durable any more
 * @inode: the file
 *
 * Context: process.
 */
void fusex_tell_changed(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	if (fi->maps)
		fi->maps->changes++;
	spin_unlock(&fi->lock);
}

/**
 * fusex_tell_due - is there something the server does not know of?
 * @inode: the file
 *
 * Context: any.
 * Return: true if so.
 */
bool fusex_tell_due(const struct inode *inode)
{
	/* Pairs with fusex_maps_make(). */
	const struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);

	return maps && READ_ONCE(maps->nr_untold);
}

/* Who has it waits for the server, so who is exiting does not wait for ever. */
static int telling_lock(struct inode *inode, struct mutex *telling)
{
	if (likely(!(current->flags & PF_EXITING)))
		return mutex_lock_killable(telling);
	if (mutex_trylock(telling))
		return 0;
	return fusex_wait_exiting(fusex_chan_of(inode),
				  wait_var_event_timeout(telling,
							 mutex_trylock(telling),
							 FUSEX_EXIT_WAIT));
}

static void telling_unlock(struct mutex *telling)
{
	mutex_unlock(telling);
	wake_up_var(telling);
}

/* Nothing is left for the worker, which would keep a file that is removed. */
static void tell_not_later(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	bool pending;

	spin_lock(&fi->lock);
	pending = !fi->maps->nr_untold &&
		  cancel_delayed_work(&fi->maps->tell);
	if (pending)
		fi->maps->telling_later = false;
	spin_unlock(&fi->lock);
	if (pending)
		fusex_io_later_not(inode);
}

/**
 * fusex_tell_now - the server is to know of all direct writes
 * @inode: the file
 *
 * What it refuses is an error of the mapping, as if it had been written back.
 *
 * Context: process, waits for the server, killable.  Also from writeback, which
 * has no reference to @inode.
 * Return: 0 or -EINTR.
 */
int fusex_tell_now(struct inode *inode)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);
	int err;

	if (!maps || !READ_ONCE(maps->nr_untold))
		return 0;
	err = telling_lock(inode, &maps->telling);
	if (err)
		return err;
	err = tell_all(inode);
	telling_unlock(&maps->telling);
	if (!err)
		tell_not_later(inode);
	return err;
}

/**
 * fusex_tell_work - some time has passed
 * @work: fusex_maps.tell
 *
 * Context: workqueue, waits for the server.
 */
void fusex_tell_work(struct work_struct *work)
{
	struct fusex_maps *maps = container_of(work, struct fusex_maps,
					       tell.work);
	struct inode *inode = maps->inode;

	spin_lock(&fusex_i(inode)->lock);
	maps->telling_later = false;
	spin_unlock(&fusex_i(inode)->lock);
	fusex_tell_now(inode);
	fusex_io_later_done(inode);
}

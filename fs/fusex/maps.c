// SPDX-License-Identifier: GPL-2.0
/*
 * Who uses mappings of a file, and until when.
 *
 * Whoever is about to do I/O by a mapping uses it from fusex_map_begin() to
 * fusex_map_done(), and each bio uses it until it ends.  A use is a reference to
 * the device, which stays until then, and is counted in fusex_maps.busy, so that
 * whoever takes the space away (truncation, a recall) can wait for those that
 * may still go by the old mapping: fusex_maps_quiesce().
 *
 * A use is a word, kept in iomap.private and iomap_ioend.io_private: the device,
 * and in its low bits the turn it is counted in.
 *
 * Who has locked a folio may be waiting for the server, and the server for a
 * recall.  So nobody waits for a lease to be returned with a folio locked; and a
 * use that is counted does not wait for the lock of one, but that of a pass of
 * writeback, which may always ask.
 */
#include <linux/jiffies.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "backing.h"
#include "io.h"
#include "map.h"

/* ------------------------------------------------------------------- inodes */

static struct fusex_maps *maps_new(struct inode *inode)
{
	const gfp_t gfp = GFP_NOFS | __GFP_NOFAIL | __GFP_ACCOUNT;
	struct fusex_dev_limits limits;
	struct fusex_maps *maps;

	fusex_backing_device_limits(fusex_chan_of(inode), &limits);
	if (limits.stable)
		mapping_set_stable_writes(inode->i_mapping);
	maps = kzalloc_obj(*maps, gfp);
	maps->cache = fusex_mapcache_new(inode->i_blkbits, gfp);
	maps->inode = inode;
	INIT_LIST_HEAD(&maps->recalls);
	mutex_init(&maps->quiesce);
	spin_lock_init(&maps->lock);
	INIT_LIST_HEAD(&maps->ended);
	INIT_WORK(&maps->work, fusex_ioend_work);
	mutex_init(&maps->telling);
	INIT_LIST_HEAD(&maps->untold);
	INIT_DELAYED_WORK(&maps->tell, fusex_tell_work);
	mutex_init(&maps->alloc);
	xa_init(&maps->pages_of);
	maps->known = i_size_read(inode);
	maps->lost = fusex_space_is_lost(inode);
	return maps;
}

static void maps_destroy(struct fusex_maps *maps)
{
	struct fusex_bobj *obj;
	unsigned long index;

	xa_for_each(&maps->pages_of, index, obj)
		fusex_backing_put(obj);
	xa_destroy(&maps->pages_of);
	fusex_mapcache_free(maps->cache);
	kfree(maps);
}

/**
 * fusex_maps_make - make what an inode needs for mappings
 * @inode: in iomap or dax mode
 *
 * Context: process, may sleep, not on the server.
 * Return: it, made by us or by somebody else.
 */
struct fusex_maps *fusex_maps_make(struct inode *inode)
{
	struct fusex_maps *new = maps_new(inode);
	/* Pairs with fusex_maps_get() and others. */
	struct fusex_maps *maps = cmpxchg(&fusex_i(inode)->maps, NULL, new);

	if (!maps)
		return new;
	maps_destroy(new);
	return maps;
}

/**
 * fusex_maps_free - the inode goes
 * @inode: nobody else uses it, its page cache is empty
 *
 * Context: process, may sleep.
 */
void fusex_maps_free(struct inode *inode)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;
	int i;

	if (!maps)
		return;
	/* What ends I/O unlocks the folios last but one, or has yet to return. */
	for (i = 0; i < ARRAY_SIZE(maps->busy); i++)
		wait_var_event(&maps->busy[i], !atomic_read(&maps->busy[i]));
	cancel_work_sync(&maps->work);
	WARN_ON_ONCE(!list_empty(&maps->untold) || !list_empty(&maps->ended));
	fusex_i(inode)->maps = NULL;
	maps_destroy(maps);
}

/* --------------------------------------------------------------------- uses */

/**
 * fusex_maps_enter_pass - begin a pass of writeback
 * @maps: the file's
 *
 * Context: any.
 * Return: a use; 0 while a lease is being returned by somebody else.
 */
unsigned long fusex_maps_enter_pass(struct fusex_maps *maps)
{
	unsigned long use = fusex_maps_enter(maps);

	/* Either fusex_maps_return_begin() waits for it, or we see that one. */
	smp_mb();
	if (likely(!atomic_read(&maps->returning)) ||
	    READ_ONCE(maps->returner) == current)
		return use;
	fusex_maps_leave(maps, use);
	return 0;
}

/**
 * fusex_map_use - one more use of a mapping, for a bio
 * @inode: the file
 * @private: a use that has not ended
 *
 * Context: any.
 * Return: it, to be ended by fusex_map_unuse().
 */
void *fusex_map_use(struct inode *inode, void *private)
{
	unsigned long use = (unsigned long)private;

	WARN_ON_ONCE(!(use & FUSEX_USE_COUNTED));
	atomic_inc(&fusex_i(inode)->maps->busy[use & FUSEX_USE_TURN]);
	fusex_backing_device_get(fusex_map_device(private));
	return private;
}

/**
 * fusex_map_unuse - a use of a mapping ends
 * @inode: the file
 * @private: the use, counted
 *
 * Context: any; it may be all that keeps the inode.
 */
void fusex_map_unuse(struct inode *inode, void *private)
{
	atomic_t *busy = fusex_i(inode)->maps->busy;
	struct fusex_bobj *obj = fusex_map_device(private);

	busy += (unsigned long)private & FUSEX_USE_TURN;
	if (obj)
		fusex_backing_device_put(obj);
	if (atomic_dec_and_test(busy))
		wake_up_var(busy);
}

/**
 * fusex_map_failing - was the device removed by somebody who does not wait?
 * @private: a use
 *
 * Context: any.
 * Return: true if I/O that ends now is to fail with -ENODEV.
 */
bool fusex_map_failing(void *private)
{
	return fusex_backing_device_failing(fusex_map_device(private));
}

/**
 * fusex_maps_forget - forget mappings of a range
 * @inode: the file
 * @start: first byte
 * @end: last byte
 *
 * What uses them goes on.
 *
 * Context: process, does not wait for the server.
 */
void fusex_maps_forget(struct inode *inode, loff_t start, loff_t end)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);

	if (maps)
		fusex_mapcache_drop(maps->cache, start, end);
}

/**
 * fusex_maps_outdate - who is using mappings is to find out
 * @inode: the file
 *
 * What is remembered stays.
 *
 * Context: process, does not wait for the server.
 */
void fusex_maps_outdate(struct inode *inode)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);

	if (maps)
		fusex_mapcache_outdate(maps->cache);
}

static int maps_idle(struct fusex_maps *maps, unsigned int turn)
{
	atomic_t *busy = &maps->busy[turn];
	int err;

	if (!atomic_read(busy))
		return 0;
	WRITE_ONCE(maps->awaited, true);
	/* Either fusex_maps_leave() sees it, or we see that it has left. */
	smp_mb();
	err = wait_var_event_killable(busy, !atomic_read(busy));
	WRITE_ONCE(maps->awaited, false);
	return err ? -EINTR : 0;
}

/* Waits for all uses that have begun. */
static int maps_drain(struct fusex_maps *maps)
{
	unsigned int turn;
	int err;

	err = mutex_lock_killable(&maps->quiesce);
	if (err)
		return err;
	turn = maps->turn;
	/* Those that an earlier one has not waited for to the end. */
	err = maps_idle(maps, !turn);
	if (!err) {
		WRITE_ONCE(maps->turn, !turn);
		/* Either fusex_maps_enter() sees it, or we see that one. */
		smp_mb();
		err = maps_idle(maps, turn);
	}
	mutex_unlock(&maps->quiesce);
	return err;
}

/**
 * fusex_maps_quiesce - forget mappings of a range, and wait for who uses any
 * @inode: the file
 * @start: first byte
 * @end: last byte
 *
 * Uses that begin meanwhile are not waited for: they do not see what was
 * forgotten.
 *
 * Context: process, waits for I/O and the server, killable.  No folio is locked.
 * Return: 0 or -EINTR; what is forgotten is forgotten then, too.
 */
int fusex_maps_quiesce(struct inode *inode, loff_t start, loff_t end)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);
	int err;

	if (!maps)
		return 0;
	fusex_mapcache_drop(maps->cache, start, end);
	err = maps_drain(maps);
	/* What they have written, before it is something else. */
	return err ?: fusex_tell_now(inode);
}

/**
 * fusex_maps_returned - wait while a lease is being given back
 * @inode: the file, has mappings
 *
 * Context: process, waits for I/O and the server, killable.  No folio is locked.
 * Return: 0 or -EINTR.
 */
int fusex_maps_returned(struct inode *inode)
{
	atomic_t *returning = &fusex_i(inode)->maps->returning;
	int err = wait_var_event_killable(returning, !atomic_read(returning));

	return err ? -EINTR : 0;
}

/**
 * fusex_maps_settled - wait while what mappings are good for is changing
 * @inode: the file, has mappings
 *
 * Not for writeback: the server may wait for it before it answers.
 *
 * Context: process, waits for I/O and the server, killable.  No folio is locked.
 * Return: 0 or -EINTR.
 */
int fusex_maps_settled(struct inode *inode)
{
	int err = fusex_maps_returned(inode);

	return err ?: fusex_space_wait(inode, false);
}

/**
 * fusex_maps_may_ask - not while a lease is being given back
 * @inode: the file, has mappings
 * @how: how it will be asked
 * @seq: returns the sequence number that the answer is good by
 *
 * The answer might be one from before, and come when it is too late.
 *
 * Context: process, waits for the server unless folios are locked, killable.
 * Return: 0; -EAGAIN if it would have to wait and must not; -EINTR; -EIO if nobody
 * knows any more what is whose.
 */
int fusex_maps_may_ask(struct inode *inode, const struct fusex_map_how *how,
		       u32 *seq)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;
	int err;

	for (;;) {
		/*
		 * First: who has the number that fusex_maps_return_begin() has
		 * made sees that there is somebody to wait for.
		 */
		*seq = fusex_mapcache_seq(maps->cache);
		if (unlikely(READ_ONCE(maps->lost)))
			return -EIO;
		if (likely(!fusex_maps_unsettled(maps)) || how->within)
			return 0;
		if (how->locked)
			return -EAGAIN;
		err = fusex_maps_settled(inode);
		if (err)
			return err;
	}
}

/**
 * fusex_maps_return_begin - a lease is about to be given back
 * @inode: the file, has mappings
 * @start: first byte of the range
 * @end: last byte
 *
 * When this returns nothing goes by mappings of the range, and nothing will before
 * fusex_maps_return_end(), but fusex_maps_return_flush().
 *
 * Context: process, waits for I/O and the server, killable.
 * Return: 0 or -EINTR, either way followed by fusex_maps_return_end().
 */
int fusex_maps_return_begin(struct inode *inode, loff_t start, loff_t end)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	atomic_inc(&maps->returning);
	/* Who has asked before sees another sequence number. */
	smp_mb__after_atomic();
	return fusex_maps_quiesce(inode, start, end);
}

/**
 * fusex_maps_return_flush - write back what was made dirty before nobody could
 * @inode: the file, in iomap mode, between fusex_maps_return_begin() and the end
 * @start: first byte of the range
 * @end: last byte
 *
 * One at a time, and in a worker, which no signal reaches.
 *
 * Context: workqueue, waits for I/O and the server.
 * Return: 0 or the error of a write that failed.
 */
int fusex_maps_return_flush(struct inode *inode, loff_t start, loff_t end)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;
	int err, ret;

	WARN_ON_ONCE(!(current->flags & PF_WQ_WORKER));
	WRITE_ONCE(maps->returner, current);
	err = fusex_mapped_write_back(inode, start, end);
	WRITE_ONCE(maps->returner, NULL);
	/* What was asked for to write it. */
	ret = fusex_maps_quiesce(inode, start, end);
	return err ?: ret;
}

/**
 * fusex_maps_stop - keep faults away, and wait for those that are under way
 * @inode: the file, in dax mode, has mappings
 *
 * They wait, and so does who has to ask; what is remembered stays.
 *
 * Context: process, waits for uses, but not for who asks the server; killable.
 * Return: 0 or -EINTR, either way followed by fusex_maps_return_end().
 */
int fusex_maps_stop(struct inode *inode)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	atomic_inc(&maps->returning);
	/* Who is not waited for sees it: it has begun later. */
	smp_mb__after_atomic();
	fusex_mapcache_outdate(maps->cache);
	return maps_drain(maps);
}

/**
 * fusex_maps_return_end - the server has the lease, or faults may go on
 * @inode: the file
 *
 * Context: process.
 */
void fusex_maps_return_end(struct inode *inode)
{
	atomic_t *returning = &fusex_i(inode)->maps->returning;

	if (atomic_dec_and_test(returning))
		wake_up_var(returning);
}

/**
 * fusex_maps_size - what the server says that it knows of the size
 * @inode: any; its fusex_inode.lock is held
 * @size: bytes
 *
 * It may be less than it was told before, if somebody has cut the file, and is told
 * again then.
 *
 * Context: any.
 */
void fusex_maps_size(struct inode *inode, loff_t size)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	lockdep_assert_held(&fusex_i(inode)->lock);
	if (maps && size < maps->known)
		maps->known = size;
}

/**
 * fusex_maps_sized - the server knows the size of the file
 * @inode: the file
 * @size: bytes
 *
 * Context: process.
 */
void fusex_maps_sized(struct inode *inode, loff_t size)
{
	struct fusex_inode *fi = fusex_i(inode);

	spin_lock(&fi->lock);
	if (fi->maps) {
		fi->maps->known = size;
		fi->maps->changes++;
	}
	spin_unlock(&fi->lock);
}

/* ------------------------------------------------------------------- leases */

/* For ever is the largest number there is, not one that is past. */
static bool lease_lasts(const struct fusex_maps *maps)
{
	u64 now = get_jiffies_64();

	return now < maps->lease_expires;
}

/**
 * fusex_maps_have_lease - may what is remembered be used?
 * @inode: the file, which others may change
 *
 * Context: process.
 * Return: true if there is a lease.
 */
bool fusex_maps_have_lease(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_maps *maps = fi->maps;
	bool leased;

	spin_lock(&fi->lock);
	leased = maps->lease && lease_lasts(maps) && !maps->lease_ends;
	spin_unlock(&fi->lock);
	return leased;
}

/* lease_ends was counted up, so that nobody goes by what is forgotten now. */
static void lease_forget(struct fusex_inode *fi)
{
	fusex_mapcache_drop(fi->maps->cache, 0, LLONG_MAX);
	spin_lock(&fi->lock);
	fi->maps->lease_ends--;
	spin_unlock(&fi->lock);
}

/**
 * fusex_maps_end_lease - a lease has expired
 * @inode: the file
 *
 * It is not the same when it is granted again.
 *
 * Context: process.
 */
void fusex_maps_end_lease(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_maps *maps = fi->maps;
	bool ends;

	spin_lock(&fi->lock);
	ends = maps->lease && !lease_lasts(maps);
	if (ends) {
		maps->lease = 0;
		maps->lease_ends++;
	}
	spin_unlock(&fi->lock);
	if (ends)
		lease_forget(fi);
}

/**
 * fusex_maps_lease - mappings are good under a lease
 * @inode: the file
 * @lease: its name, 0 for none
 * @valid: nanoseconds, FUSEX_FOREVER until recalled
 * @from: jiffies64 that it is counted from
 *
 * Another lease ends all that was good under the last.  A local file has none
 * and needs none.
 *
 * Context: process, does not wait for the server.
 * Return: true if what comes with it may be remembered.
 */
bool fusex_maps_lease(struct inode *inode, u64 lease, u64 valid, u64 from)
{
	struct fusex_maps *maps = fusex_maps_get(inode);
	struct fusex_inode *fi = fusex_i(inode);
	bool other;

	if (!fi->attr->shared)
		return true;
	spin_lock(&fi->lock);
	/* Without one, nothing was remembered. */
	other = maps->lease &&
		(maps->lease != lease ||
		 !lease_lasts(maps));
	maps->lease = lease;
	maps->lease_expires = fusex_expiry(valid, from);
	maps->lease_ends += other;
	spin_unlock(&fi->lock);
	if (other)
		lease_forget(fi);
	return lease;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Backing objects: what a server has registered for its channel, so that data
 * moves without it.
 */
#ifndef _FS_FUSEX_BACKING_H
#define _FS_FUSEX_BACKING_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fusex.h>
#include <linux/refcount.h>
#include <linux/wait_bit.h>

struct fusex_chan;

/**
 * struct fusex_bobj - a backing object
 * @ref: held by the registry until it is removed, and by inodes
 * @busy: operations that use it now
 * @removed: nobody may begin to use it
 * @failing: who uses it now is told that it is gone
 * @type: enum fusex_backing_type
 * @access: FUSEX_BACKING_*
 * @cookie: its name in the registry, never 0
 * @path: of a FILE; opened anew for each user, so that its being registered for
 *	writing keeps nobody from running it
 * @cred: of who registered it; what is done to the object is done as them
 * @rcu: who looks a cookie up may still see it
 */
struct fusex_bobj {
	refcount_t ref;
	atomic_t busy;
	bool removed;
	bool failing;
	u32 type;
	u32 access;
	u32 cookie;
	struct path path;
	const struct cred *cred;
	struct rcu_head rcu;
};

int fusex_backing_add(struct fusex_chan *chan, const struct fusex_backing *b,
		      u32 *cookie);
int fusex_backing_remove(struct fusex_chan *chan, u32 cookie, u32 flags);
void fusex_backing_clear(struct fusex_chan *chan);
ssize_t fusex_backing_list(struct fusex_chan *chan, char *buf);
struct fusex_bobj *fusex_backing_find(struct fusex_chan *chan, u32 cookie,
				      u32 type);
void fusex_backing_put(struct fusex_bobj *obj);
int fusex_check_backing(const struct fusex_backing *b);
int fusex_check_backing_file(const struct file *file, u32 access,
			     u32 stack_depth);

/**
 * fusex_backing_use - begin an operation on an object
 * @obj: the object
 *
 * Inline, as is the other one: each read and write comes by here.
 *
 * Context: any.
 * Return: 0, to be followed by fusex_backing_done(); -ENODEV if it was
 * removed.
 */
static inline int fusex_backing_use(struct fusex_bobj *obj)
{
	atomic_inc(&obj->busy);
	/* Pairs with fusex_backing_remove(). */
	smp_mb__after_atomic();
	if (likely(!READ_ONCE(obj->removed)))
		return 0;
	if (atomic_dec_and_test(&obj->busy))
		wake_up_var(&obj->busy);
	return -ENODEV;
}

/**
 * fusex_backing_done - end an operation on an object
 * @obj: the object
 * @ret: what it came to
 *
 * Context: any.
 * Return: @ret, or -ENODEV if the object was removed by somebody who did not
 * want to wait.
 */
static inline ssize_t fusex_backing_done(struct fusex_bobj *obj, ssize_t ret)
{
	bool failing = READ_ONCE(obj->failing);

	if (atomic_dec_and_test(&obj->busy) && READ_ONCE(obj->removed))
		wake_up_var(&obj->busy);
	/* What is still on its way is reported by who ends it. */
	return failing && ret != -EIOCBQUEUED ? -ENODEV : ret;
}

#endif /* _FS_FUSEX_BACKING_H */

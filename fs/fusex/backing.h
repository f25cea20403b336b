/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Backing objects: what a server has registered for its channel, so that data
 * moves without it.
 */
#ifndef _FS_FUSEX_BACKING_H
#define _FS_FUSEX_BACKING_H

#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fusex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/wait_bit.h>

struct block_device;
struct fusex_chan;
struct fusex_daxdev;

/**
 * struct fusex_bobj - a backing object
 * @ref: held by the registry until it is removed, by inodes, by stripes of it
 *	and by I/O on it
 * @busy: operations that use it now
 * @removed: nobody may begin to use it
 * @failing: who uses it now is told that it is gone
 * @type: enum fusex_backing_type
 * @access: FUSEX_BACKING_*
 * @cookie: its name in the registry, never 0
 * @path: of a FILE; opened anew for each user, so that its being registered for
 *	writing keeps nobody from running it
 * @cred: of who registered a FILE; what is done to it is done as them
 * @file: of a BDEV or DAX: the server's, which keeps the device open
 * @bdev: the same device, NULL for a DAX that is no block device
 * @dax: what a DAX has
 * @size: of a STRIPE, or a DAX without @bdev, bytes
 * @stripe_unit: likewise
 * @rcu: who looks a cookie up may still see it
 * @nr_members: of a STRIPE, else 0
 * @members: all BDEVs or all DAXes, with a reference each
 *
 * What an object of its type does not have is NULL or 0.
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
	struct file *file;
	struct block_device *bdev;
	struct fusex_daxdev *dax;
	u64 size;
	u64 stripe_unit;
	struct rcu_head rcu;
	u32 nr_members;
	struct fusex_bobj *members[] __counted_by(nr_members);
};

int fusex_backing_add(struct fusex_chan *chan, const struct fusex_backing *b,
		      u32 *cookie);
int fusex_backing_remove(struct fusex_chan *chan, u32 cookie, u32 flags);
void fusex_backing_clear(struct fusex_chan *chan);
ssize_t fusex_backing_list(struct fusex_chan *chan, char *buf);
struct fusex_bobj *fusex_backing_find(struct fusex_chan *chan, u32 cookie,
				      u32 type);
void fusex_backing_put(struct fusex_bobj *obj);
bool fusex_check_open_for(const struct file *file, u32 access);
int fusex_check_backing(const struct fusex_backing *b);
int fusex_check_backing_file(const struct file *file, u32 access,
			     u32 stack_depth);
int fusex_check_backing_bdev(const struct file *file, u32 access);

/**
 * struct fusex_dev_limits - what direct I/O has to keep to on any device
 * @mem_align: of memory, bytes
 * @offset_align: of positions and lengths, bytes
 * @atomic_min: the least that can be written all or nothing, bytes; 0 for never
 * @atomic_max: the most, bytes
 * @stable: what is being written must not change
 */
struct fusex_dev_limits {
	u32 mem_align;
	u32 offset_align;
	u32 atomic_min;
	u32 atomic_max;
	bool stable;
};

/* bdev.c: block devices, and stripes of them, for mappings to name. */
void fusex_backing_device_limits(struct fusex_chan *chan,
				 struct fusex_dev_limits *limits);
unsigned long fusex_backing_readahead(struct fusex_chan *chan);
int fusex_bdev_fill(struct fusex_bobj *obj, int fd, u32 block_size);
int fusex_stripe_fill(struct fusex_bobj *obj, struct fusex_chan *chan,
		      const u32 *cookies, u64 unit);
u64 fusex_backing_device_size(const struct fusex_bobj *obj);
bool fusex_backing_device_whole(struct fusex_chan *chan, u32 dev, u32 access,
				u64 addr, u64 len);
struct fusex_bobj *fusex_backing_device(struct fusex_chan *chan, u32 dev,
					u32 access, u64 *addr, u64 *len);
int fusex_backing_device_inval(struct fusex_chan *chan, u32 dev, u64 offset,
			       u64 length);

#if IS_ENABLED(CONFIG_KUNIT)
int fusex_backing_publish(struct fusex_chan *chan, struct fusex_bobj *obj,
			  u32 *cookie);
int fusex_check_bdev(struct block_device *bdev, u32 access, u32 block_size);
int fusex_stripe_size(u64 smallest, u64 unit, u32 nr, u64 *size);
u32 fusex_stripe_find(u64 unit, u32 nr, u64 *addr, u64 *len);
#endif

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

	/* Who waits for the last one may free it, after a grace period. */
	rcu_read_lock();
	if (atomic_dec_and_test(&obj->busy) && READ_ONCE(obj->removed))
		wake_up_var(&obj->busy);
	rcu_read_unlock();
	/* What is still on its way is reported by who ends it. */
	return failing && ret != -EIOCBQUEUED ? -ENODEV : ret;
}

/**
 * fusex_backing_device_get - one more use of a device, for a bio say
 * @obj: from fusex_backing_device(), in use
 *
 * Context: any.
 */
static inline void fusex_backing_device_get(struct fusex_bobj *obj)
{
	refcount_inc(&obj->ref);
	atomic_inc(&obj->busy);
}

/**
 * fusex_backing_device_put - end a use of a device
 * @obj: from fusex_backing_device() or fusex_backing_device_get()
 *
 * Context: any, interrupts included.
 */
static inline void fusex_backing_device_put(struct fusex_bobj *obj)
{
	fusex_backing_done(obj, 0);
	fusex_backing_put(obj);
}

/**
 * fusex_backing_device_failing - does I/O that ends now fail?
 * @obj: the device, in use
 *
 * Context: any.
 * Return: true if it was removed by somebody who did not want to wait: what the
 * I/O came to is -ENODEV.
 */
static inline bool fusex_backing_device_failing(const struct fusex_bobj *obj)
{
	return READ_ONCE(obj->failing);
}

#endif /* _FS_FUSEX_BACKING_H */

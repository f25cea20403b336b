// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices as backing objects, and stripes of them.
 *
 * Mappings name a device by its cookie, which is looked up for each use.  A use
 * is a reference and a count in busy, for as long as the I/O goes on: who
 * removes the device can wait for it, and what a bio points at stays.
 *
 * A stripe is only arithmetic: what is used is the member that has the range,
 * and it is the removal of the member that waits.
 */
#include <linux/backing-dev-defs.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>

#include "backing.h"
#include "transport.h"

/* --------------------------------------------------------------- arithmetic */

/**
 * fusex_stripe_size - how large is a stripe?
 * @smallest: bytes of its smallest member
 * @unit: bytes, not 0
 * @nr: members
 * @size: returns bytes
 *
 * Context: any.
 * Return: 0; -EINVAL if there would be nothing in it, or too much to count.
 */
VISIBLE_IF_KUNIT int fusex_stripe_size(u64 smallest, u64 unit, u32 nr,
				       u64 *size)
{
	u64 each = div64_u64(smallest, unit) * unit;

	return !each || check_mul_overflow(each, nr, size) ? -EINVAL : 0;
}

/**
 * fusex_stripe_find - which member of a stripe has a range?
 * @unit: bytes per stripe unit, not 0
 * @nr: members, not 0
 * @addr: first byte in the stripe; returns that in the member
 * @len: bytes; returns how many of them are there, one behind the other
 *
 * Context: any.
 * Return: number of the member.
 */
VISIBLE_IF_KUNIT u32 fusex_stripe_find(u64 unit, u32 nr, u64 *addr, u64 *len)
{
	u64 within, row;
	u32 member;

	row = div_u64_rem(div64_u64_rem(*addr, unit, &within), nr, &member);
	*addr = row * unit + within;
	*len = min(*len, unit - within);
	return member;
}

/* ------------------------------------------------------------ registration */

/**
 * fusex_check_bdev - may mappings name a block device?
 * @bdev: the device
 * @access: FUSEX_BACKING_* it is to be used for
 * @block_size: of the file system, bytes
 *
 * Context: any.
 * Return: 0; -EBADF if it cannot be written to; -EINVAL if its blocks are
 * larger than those of the file system.
 */
VISIBLE_IF_KUNIT int fusex_check_bdev(struct block_device *bdev, u32 access,
				      u32 block_size)
{
	/* It may have been set after the file was opened. */
	if (access & FUSEX_BACKING_WRITE && bdev_read_only(bdev))
		return -EBADF;
	return bdev_logical_block_size(bdev) > block_size ? -EINVAL : 0;
}

/**
 * fusex_bdev_fill - make a backing object of a block device
 * @obj: a BDEV with @obj->access
 * @fd: open on the device; the file is kept
 * @block_size: of the file system, bytes
 *
 * Context: process.
 * Return: 0; or -EBADF or -EINVAL, as fusex_check_backing_bdev() and
 * fusex_check_bdev().
 */
int fusex_bdev_fill(struct fusex_bobj *obj, int fd, u32 block_size)
{
	struct file *file = fget(fd);
	int err;

	if (!file)
		return -EBADF;
	err = fusex_check_backing_bdev(file, obj->access);
	if (!err)
		err = fusex_check_bdev(file_bdev(file), obj->access,
				       block_size);
	if (err) {
		fput(file);
		return err;
	}
	obj->file = file;
	obj->bdev = file_bdev(file);
	return 0;
}

/* A device of either kind, held; NULL if it is none. */
static struct fusex_bobj *find_device(struct fusex_chan *chan, u32 cookie)
{
	return fusex_backing_find(chan, cookie, FUSEX_BACKING_BDEV) ?:
	       fusex_backing_find(chan, cookie, FUSEX_BACKING_DAX);
}

/* A memory device cannot be registered twice. */
static bool stripe_has(const struct fusex_bobj *obj, u32 nr,
		       const struct fusex_bobj *member)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		if (obj->members[i] == member ||
		    (member->bdev && obj->members[i]->bdev == member->bdev))
			return true;
	}
	return false;
}

static int stripe_take(struct fusex_bobj *obj, struct fusex_chan *chan, u32 nr,
		       u32 cookie)
{
	struct fusex_bobj *member;

	member = nr ? fusex_backing_find(chan, cookie, obj->members[0]->type) :
		      find_device(chan, cookie);
	if (!member)
		return -EINVAL;
	/* Two units of a stripe are never the same bytes. */
	if (stripe_has(obj, nr, member)) {
		fusex_backing_put(member);
		return -EINVAL;
	}
	obj->members[nr] = member;
	return obj->access & ~member->access ? -EBADF : 0;
}

/**
 * fusex_stripe_fill - make a backing object of others
 * @obj: a STRIPE with @obj->access and room for @obj->nr_members, all NULL
 * @chan: the channel
 * @cookies: of the members, from the server
 * @unit: bytes, from the server
 *
 * On error, members that were found stay in @obj.
 *
 * Context: process.
 * Return: 0; -EINVAL if one is no device of the type of the first, is a member
 * already, or is smaller than @unit, if @unit is no multiple of the block size,
 * or the size overflows; -EBADF if one was not registered for as much.
 */
int fusex_stripe_fill(struct fusex_bobj *obj, struct fusex_chan *chan,
		      const u32 *cookies, u64 unit)
{
	u64 smallest = U64_MAX;
	u32 i;
	int err;

	if (!IS_ALIGNED(unit, chan->conf.block_size))
		return -EINVAL;
	for (i = 0; i < obj->nr_members; i++) {
		err = stripe_take(obj, chan, i, cookies[i]);
		if (err)
			return err;
		smallest = min(smallest,
			       fusex_backing_device_size(obj->members[i]));
	}
	obj->stripe_unit = unit;
	return fusex_stripe_size(smallest, unit, obj->nr_members, &obj->size);
}

/* ---------------------------------------------------------------------- use */

/**
 * fusex_backing_device_size - how much can mappings name?
 * @obj: a BDEV, which may grow and shrink, a DAX or STRIPE
 *
 * Context: any.
 * Return: bytes.
 */
u64 fusex_backing_device_size(const struct fusex_bobj *obj)
{
	return obj->bdev ? bdev_nr_bytes(obj->bdev) : obj->size;
}

/* Under RCU; it may have been removed, and have no reference any more. */
static struct fusex_bobj *device_find(struct fusex_chan *chan, u32 dev)
{
	struct fusex_bobj *obj = rcu_dereference(chan->device);

	if (likely(obj && obj->cookie == dev))
		return obj;
	obj = xa_load(&chan->backing, dev);
	if (!obj || obj->type == FUSEX_BACKING_FILE)
		return NULL;
	return obj;
}

static int device_has(const struct fusex_bobj *obj, u32 access, u64 addr,
		      u64 len)
{
	u64 size = fusex_backing_device_size(obj);

	if (access & ~obj->access)
		return -EACCES;
	/* A disk without its driver, see daxdev.c, has no size any more. */
	if (unlikely(READ_ONCE(obj->removed)))
		return -ENODEV;
	if (addr > size || len > size - addr)
		return -EFSCORRUPTED;
	return 0;
}

/**
 * fusex_backing_device_whole - is a range in one piece on a device?
 * @chan: the channel
 * @dev: cookie from the server, not believed
 * @access: FUSEX_BACKING_* it is to be used for
 * @addr: first byte, not believed either
 * @len: bytes, likewise
 *
 * For who does not use it yet: that it is the same later is not sure.
 *
 * Context: any.
 * Return: true if fusex_backing_device() would find it on @dev itself.
 */
bool fusex_backing_device_whole(struct fusex_chan *chan, u32 dev, u32 access,
				u64 addr, u64 len)
{
	const struct fusex_bobj *obj;
	bool whole;

	if (unlikely(!fusex_chan_alive(chan)))
		return false;
	rcu_read_lock();
	obj = device_find(chan, dev);
	whole = obj && obj->bdev && !device_has(obj, access, addr, len);
	rcu_read_unlock();
	return whole;
}

/* The BDEV that has the beginning of a range; *@addr and *@len become its. */
static struct fusex_bobj *device_member(struct fusex_bobj *obj, u32 access,
					u64 *addr, u64 *len)
{
	int err = device_has(obj, access, *addr, *len);
	u32 at;

	if (!err && obj->type == FUSEX_BACKING_STRIPE) {
		at = fusex_stripe_find(obj->stripe_unit, obj->nr_members, addr,
				       len);
		obj = obj->members[at];
		/* It may have shrunk. */
		err = device_has(obj, access, *addr, *len);
	}
	return err ? ERR_PTR(err) : obj;
}

/* A use of @member, which @obj led to. */
static int device_begin(struct fusex_bobj *obj, struct fusex_bobj *member)
{
	int err;

	if (!refcount_inc_not_zero(&member->ref))
		return -ENODEV;
	err = fusex_backing_use(member);
	if (err) {
		fusex_backing_put(member);
		return err;
	}
	/* Of a stripe: who has removed it can tell by the members. */
	if (unlikely(READ_ONCE(obj->removed))) {
		fusex_backing_device_put(member);
		return -ENODEV;
	}
	return 0;
}

/**
 * fusex_backing_device - begin to use the device that a mapping names
 * @chan: the channel
 * @dev: cookie from the server, not believed
 * @access: FUSEX_BACKING_*, what for
 * @addr: first byte on @dev; returns that on the device that is returned
 * @len: bytes, not 0; returns how many of them are contiguous there
 *
 * All of the range has to be on the device, not only what is contiguous.  On
 * error *@addr and *@len are of no use.
 *
 * Context: any.
 * Return: a BDEV, @dev or the member of it, to be followed by
 * fusex_backing_device_put(); -ENODEV if it is unknown or was removed; -EACCES
 * if it was not registered for @access; -EFSCORRUPTED if the range is not on
 * it; -ENOTCONN when there is no server any more, whatever is registered.
 */
struct fusex_bobj *fusex_backing_device(struct fusex_chan *chan, u32 dev,
					u32 access, u64 *addr, u64 *len)
{
	struct fusex_bobj *obj, *member;
	int err;

	if (unlikely(!fusex_chan_alive(chan)))
		return ERR_PTR(-ENOTCONN);
	rcu_read_lock();
	obj = device_find(chan, dev);
	member = obj ? device_member(obj, access, addr, len) : ERR_PTR(-ENODEV);
	if (!IS_ERR(member)) {
		err = device_begin(obj, member);
		if (err)
			member = ERR_PTR(err);
	}
	rcu_read_unlock();
	return member;
}

/**
 * fusex_backing_readahead - how much of a file to read ahead
 * @chan: the channel
 *
 * As much as for a file system on the device; where there is more than one, that
 * is one of them.
 *
 * Context: any.
 * Return: pages, those of FUSEX_DEFAULT_IO_SIZE if there is no device that has an
 * opinion.
 */
unsigned long fusex_backing_readahead(struct fusex_chan *chan)
{
	unsigned long pages = FUSEX_DEFAULT_IO_SIZE >> PAGE_SHIFT;
	struct fusex_bobj *obj;

	rcu_read_lock();
	obj = rcu_dereference(chan->device);
	if (obj && (!obj->bdev || !refcount_inc_not_zero(&obj->ref)))
		obj = NULL;
	rcu_read_unlock();
	if (obj) {
		pages = obj->bdev->bd_disk->bdi->ra_pages;
		fusex_backing_put(obj);
	}
	return pages;
}

/* --------------------------------------------------- the device's page cache */

/* Neighbours in the same page are written and dropped, too. */
static int device_drop(struct block_device *bdev, u64 offset, u64 length)
{
	u64 size = bdev_nr_bytes(bdev);
	loff_t last;
	int err;

	if (offset > size || length > size - offset)
		return -EINVAL;
	length = length ?: size - offset;
	if (!length)
		return 0;
	last = offset + length - 1;
	err = filemap_write_and_wait_range(bdev->bd_mapping, offset, last);
	if (err)
		return err;
	return invalidate_inode_pages2_range(bdev->bd_mapping,
					     offset >> PAGE_SHIFT,
					     last >> PAGE_SHIFT);
}

/**
 * fusex_backing_device_inval - FUSEX_NOTIFY_DEV_INVAL
 * @chan: the channel
 * @dev: cookie, from the server
 * @offset: first byte, from the server
 * @length: bytes, 0 for the rest, likewise
 *
 * Writes what the page cache of the block device itself has of a range, and
 * drops it.
 *
 * Context: process, sleeps on the device.
 * Return: 0; -ENOENT if it is unknown or was removed; -EINVAL if it is no BDEV
 * or the range is not on it; -EBUSY if somebody is just using what is cached;
 * or what writing came to.
 */
int fusex_backing_device_inval(struct fusex_chan *chan, u32 dev, u64 offset,
			       u64 length)
{
	struct fusex_bobj *obj;
	int err;

	obj = find_device(chan, dev);
	if (!obj)
		return xa_load(&chan->backing, dev) ? -EINVAL : -ENOENT;
	err = fusex_backing_use(obj);
	if (err) {
		fusex_backing_put(obj);
		return -ENOENT;
	}
	err = obj->bdev ? device_drop(obj->bdev, offset, length) : -EINVAL;
	fusex_backing_device_put(obj);
	return err;
}

static void limits_add(struct fusex_dev_limits *limits,
		       struct block_device *bdev)
{
	limits->mem_align = max_t(u32, limits->mem_align,
				  bdev_dma_alignment(bdev) + 1);
	limits->stable |= bdev_stable_writes(bdev);
	limits->offset_align = max_t(u32, limits->offset_align,
				     bdev_logical_block_size(bdev));
	if (!bdev_can_atomic_write(bdev)) {
		limits->atomic_max = 0;
		return;
	}
	limits->atomic_min = max_t(u32, limits->atomic_min,
				   bdev_atomic_write_unit_min_bytes(bdev));
	limits->atomic_max = min_t(u32, limits->atomic_max,
				   bdev_atomic_write_unit_max_bytes(bdev));
}

/**
 * fusex_backing_device_limits - what direct I/O has to keep to on any device
 * @chan: the channel
 * @limits: to be filled
 *
 * Context: process.
 */
void fusex_backing_device_limits(struct fusex_chan *chan,
				 struct fusex_dev_limits *limits)
{
	unsigned long cookie;
	struct fusex_bobj *obj;

	*limits = (struct fusex_dev_limits){
		.mem_align	= 1,
		.offset_align	= SECTOR_SIZE,
		.atomic_max	= U32_MAX,
	};
	xa_lock(&chan->backing);
	xa_for_each(&chan->backing, cookie, obj) {
		if (obj->bdev)
			limits_add(limits, obj->bdev);
	}
	xa_unlock(&chan->backing);
	if (limits->atomic_max == U32_MAX ||
	    limits->atomic_min > limits->atomic_max)
		limits->atomic_max = 0;
	if (!limits->atomic_max)
		limits->atomic_min = 0;
}

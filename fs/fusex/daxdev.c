// SPDX-License-Identifier: GPL-2.0
/*
 * Memory devices as backing objects: those that have a block device (pmem), and
 * those that are character devices (devdax with the fsdev driver).
 *
 * What is mapped into a program stays there without anybody using a mapping, so
 * more than for a block device depends on the device: an inode keeps each device
 * of which it has had a page mapped until it is evicted, and who takes the device
 * away unmaps it.  Then whoever touches it comes by the fault, which says no.
 *
 * A page belongs to one place of one file at a time.  fs/dax relies on that, the
 * server is not believed: see fusex_daxdev_claim().
 */
#include <linux/blkdev.h>
#include <linux/cdev.h>
#include <linux/dax.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "backing.h"
#include "daxdev.h"
#include "io.h"
#include "map.h"
#include "transport.h"

/* Pages of one PMD are claimed one at a time, those of others beside them. */
#define DAX_CLAIMS	64

/*
 * What fs/dax has in the page cache is the number of a page, 0 for none, behind so
 * many bits of its own.  There is no interface that says so.
 */
#define DAX_ENTRY_BITS	4

/**
 * struct fusex_daxdev - what a backing object has that is a memory device
 * @dev: the device; this is its holder
 * @obj: the backing object that this is part of
 * @chan: whose it is; it keeps the device, not the other way round
 * @start: where the partition begins on @dev, bytes
 * @lost: pages of @dev whose memory has failed
 * @claims: serialise claims of pages
 * @work: gives it back
 * @link: in dax_devs
 */
struct fusex_daxdev {
	struct dax_device *dev;
	struct fusex_bobj *obj;
	struct fusex_chan *chan;
	u64 start;
	struct xarray lost;
	struct mutex claims[DAX_CLAIMS];	/* one claim of a page at a time */
	struct work_struct work;
	struct list_head link;
};

/* Devices are given back where one may sleep. */
static struct workqueue_struct *dax_wq;

/*
 * All of them, those included that are being given back: who is told of a failure
 * goes by that, since the holder may be another one by then.
 */
static LIST_HEAD(dax_devs);
static DEFINE_MUTEX(dax_devs_lock);

/* Where in fusex_maps.pages_of. */
static unsigned long claim_index(const struct fusex_bobj *obj)
{
	return (unsigned long)obj / sizeof(void *);
}

/* May the inode have pages of the device? */
static bool claim_kept(const struct inode *inode, const struct fusex_bobj *obj)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);

	return maps && xa_load(&maps->pages_of, claim_index(obj));
}

/* The page of an entry of fs/dax; 0 for none, zeros are in memory of the kernel's. */
static unsigned long claim_pfn(void *entry)
{
	return xa_is_value(entry) ? xa_to_value(entry) >> DAX_ENTRY_BITS : 0;
}

/* What the pages of a device have in common; NULL if it has none. */
static const struct dev_pagemap *daxdev_pgmap(struct dax_device *dev)
{
	unsigned long pfn;
	long nr;
	int id;

	id = dax_read_lock();
	nr = dax_direct_access(dev, 0, 1, DAX_RECOVERY_WRITE, NULL, &pfn);
	dax_read_unlock(id);
	return nr == 1 ? page_pgmap(pfn_to_page(pfn)) : NULL;
}

/* ----------------------------------------------------------------- revoking */

/* Returns whether @inode may have pages of devices mapped; it is held then. */
static bool revoke_holds(struct inode *inode)
{
	bool holds;

	spin_lock(&inode->i_lock);
	holds = IS_DAX(inode) && !mapping_empty(inode->i_mapping) &&
		!(inode_state_read(inode) & (I_FREEING | I_WILL_FREE | I_NEW));
	if (holds)
		__iget(inode);
	spin_unlock(&inode->i_lock);
	return holds;
}

static void revoke_each(struct fusex_chan *chan, struct super_block *sb,
			void (*revoke)(struct inode *inode,
				       const struct fusex_bobj *obj),
			const struct fusex_bobj *obj)
{
	struct inode *inode, *last = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (!revoke_holds(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		revoke(inode, obj);
		if (last)
			fusex_chan_defer_iput(chan, last);
		last = inode;
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	if (last)
		fusex_chan_defer_iput(chan, last);
}

/* Of the channel of a memory device. */
static void revoke_all(const struct fusex_bobj *obj,
		       void (*revoke)(struct inode *inode,
				      const struct fusex_bobj *obj))
{
	struct fusex_chan *chan = obj->dax->chan;
	struct super_block *sb = fusex_chan_pin_sb(chan);

	if (!sb)
		return;
	revoke_each(chan, sb, revoke, obj);
	fusex_chan_unpin_sb(chan);
}

/* Faults that have found the device before undo themselves. */
static void revoke_unmap(struct inode *inode, const struct fusex_bobj *obj)
{
	fusex_maps_outdate(inode);
	unmap_mapping_pages(inode->i_mapping, 0, 0, false);
}

/* Is a page of that device?  The page may be of another one, which is gone. */
static bool revoke_is_of(unsigned long pfn, const struct dev_pagemap *pgmap)
{
	phys_addr_t at = PFN_PHYS(pfn);
	int i;

	for (i = 0; i < pgmap->nr_range; i++) {
		if (at >= pgmap->ranges[i].start && at <= pgmap->ranges[i].end)
			return true;
	}
	return false;
}

static void revoke_wait(struct inode *inode)
{
	schedule();
}

/*
 * No fault gets a mapping of the file.  Pages of other devices stay: a fault that
 * waits for the server has locked their places, and whoever waits for that cannot be
 * killed.
 */
static int revoke_pages(struct inode *inode, const struct dev_pagemap *pgmap)
{
	struct xarray *pages = &inode->i_mapping->i_pages;
	unsigned long index, nr;
	void *entry;
	loff_t pos;
	int err = 0;

	xa_for_each(pages, index, entry) {
		if (!revoke_is_of(claim_pfn(entry), pgmap))
			continue;
		nr = 1UL << xa_get_order(pages, index);
		pos = (loff_t)round_down(index, nr) << PAGE_SHIFT;
		fusex_dax_flush(inode, pos, pos + PFN_PHYS(nr) - 1);
		err = dax_break_layout(inode, pos, pos + PFN_PHYS(nr) - 1,
				       revoke_wait);
		if (err)
			break;
		cond_resched();
	}
	return err;
}

/*
 * The pages themselves are about to go.  A server that does not answer must not keep
 * them, so whatever locks others hold while they wait for it are not taken.
 */
static void revoke_break(struct inode *inode, const struct fusex_bobj *obj)
{
	const struct dev_pagemap *pgmap = daxdev_pgmap(obj->dax->dev);
	int err;

	if (!pgmap || !claim_kept(inode, obj))
		return;
	err = fusex_maps_stop(inode);
	if (!err)
		err = revoke_pages(inode, pgmap);
	fusex_maps_return_end(inode);
	if (!err)
		return;
	revoke_unmap(inode, obj);
	pr_warn_ratelimited("fusex: pages of a device that goes are in use\n");
}

/**
 * fusex_daxdev_revoke - nobody is to use a device any more
 * @obj: a DAX or a stripe that was removed
 *
 * Whoever touches what was mapped faults.  Pages that something else holds stay
 * what they are, with their device, until that lets go of them.
 *
 * Context: process, does not wait for the server.
 */
void fusex_daxdev_revoke(struct fusex_bobj *obj)
{
	u32 i;

	if (obj->dax)
		revoke_all(obj, revoke_unmap);
	for (i = 0; i < obj->nr_members; i++) {
		if (obj->members[i]->dax) {
			revoke_all(obj->members[i], revoke_unmap);
			return;
		}
	}
}

/* ------------------------------------------------------------ memory failure */

/* The file and page in it that a page of the device is mapped for, held. */
static struct inode *failure_find(struct page *page, pgoff_t *index)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	struct inode *inode = NULL;

	/* Inodes are freed by RCU. */
	rcu_read_lock();
	mapping = READ_ONCE(folio->mapping);
	if (mapping)
		inode = igrab(mapping->host);
	rcu_read_unlock();
	if (inode)
		*index = folio->index + folio_page_idx(folio, page);
	return inode;
}

/*
 * Who has it mapped may never touch it again, and is left alone; who does gets a
 * signal by the fault.
 */
static int failure_unmap(struct fusex_daxdev *d, pgoff_t pgoff)
{
	unsigned long pfn;
	struct inode *inode;
	pgoff_t index;
	long avail;

	avail = dax_direct_access(d->dev, pgoff, 1, DAX_RECOVERY_WRITE, NULL,
				  &pfn);
	if (avail < 1)
		return avail < 0 ? avail : -ENXIO;
	inode = failure_find(pfn_to_page(pfn), &index);
	if (!inode) {
		/* Of nobody, or of several. */
		revoke_all(d->obj, revoke_unmap);
		return 0;
	}
	fusex_maps_outdate(inode);
	unmap_mapping_pages(inode->i_mapping, index, 1, false);
	fusex_chan_defer_iput(d->chan, inode);
	return 0;
}

static int failure_lost(struct fusex_daxdev *d, pgoff_t first, pgoff_t last)
{
	pgoff_t at;
	int err = 0;

	for (at = first; at <= last && !err; at++)
		err = xa_err(xa_store(&d->lost, at, xa_mk_value(0),
				      GFP_KERNEL));
	/* No inode is held while its super block goes, which unmaps all of them. */
	if (err || !fusex_chan_pin_sb(d->chan))
		return err;
	for (at = first; at <= last && !err; at++)
		err = failure_unmap(d, at);
	fusex_chan_unpin_sb(d->chan);
	return err;
}

/* Somebody unbinds the driver: it waits until the pages are not used. */
static void failure_goes(struct fusex_daxdev *d)
{
	struct fusex_bobj *obj = d->obj;

	WRITE_ONCE(obj->failing, true);
	WRITE_ONCE(obj->removed, true);
	/* Pairs with fusex_backing_use(). */
	smp_mb();
	wait_var_event(&obj->busy, !atomic_read(&obj->busy));
	revoke_all(obj, revoke_break);
}

static int failure_of(struct fusex_daxdev *d, u64 offset, u64 len, int mf_flags)
{
	u64 last;

	if (mf_flags & MF_MEM_PRE_REMOVE) {
		failure_goes(d);
		return 0;
	}
	if (!len || check_add_overflow(offset, len - 1, &last))
		return -ENXIO;
	return failure_lost(d, PHYS_PFN(offset), PHYS_PFN(last));
}

/* Who has the object has the channel still, or did when RCU was begun. */
static bool failure_hold(struct fusex_daxdev *d)
{
	bool held, live = false;

	rcu_read_lock();
	held = refcount_inc_not_zero(&d->obj->ref);
	if (held)
		live = fusex_chan_get_live(d->chan);
	rcu_read_unlock();
	if (held && !live)
		fusex_backing_put(d->obj);
	return live;
}

/* In this order: the object is not to be the last to have seen the channel. */
static void failure_let_go(struct fusex_daxdev *d)
{
	struct fusex_chan *chan = d->chan;

	fusex_backing_put(d->obj);
	fusex_chan_put(chan);
}

/* Returns NULL if it is not ours any more, or nobody uses it. */
static struct fusex_daxdev *failure_of_whom(struct dax_device *dev)
{
	struct fusex_daxdev *d, *found = NULL;

	mutex_lock(&dax_devs_lock);
	list_for_each_entry(d, &dax_devs, link) {
		if (d->dev == dev && failure_hold(d)) {
			found = d;
			break;
		}
	}
	mutex_unlock(&dax_devs_lock);
	return found;
}

static int dax_notify_failure(struct dax_device *dev, u64 offset, u64 len,
			      int mf_flags)
{
	struct fusex_daxdev *d = failure_of_whom(dev);
	int err;

	if (!d)
		return -EOPNOTSUPP;
	err = failure_of(d, offset, len, mf_flags);
	failure_let_go(d);
	return err;
}

static const struct dax_holder_operations dax_holder_ops = {
	.notify_failure	= dax_notify_failure,
};

/* ------------------------------------------------------------- registration */

static void daxdev_free(struct work_struct *work)
{
	struct fusex_daxdev *d = container_of(work, struct fusex_daxdev, work);
	struct fusex_bobj *obj = d->obj;

	/* Who is in fusex_daxdev_known() has found it, or never will. */
	WRITE_ONCE(obj->removed, true);
	synchronize_rcu();
	wait_var_event(&obj->busy, !atomic_read(&obj->busy));
	mutex_lock(&dax_devs_lock);
	list_del(&d->link);
	if (d->dev)
		fs_put_dax(d->dev, d);
	mutex_unlock(&dax_devs_lock);
	xa_destroy(&d->lost);
	kfree_rcu(obj, rcu);
	kfree(d);
}

/**
 * fusex_daxdev_put - the backing object goes
 * @obj: any, nobody refers to it
 *
 * Context: any.
 * Return: true if it is freed later.
 */
bool fusex_daxdev_put(struct fusex_bobj *obj)
{
	return obj->dax && queue_work(dax_wq, &obj->dax->work);
}

static struct fusex_daxdev *daxdev_alloc(struct fusex_bobj *obj,
					 struct fusex_chan *chan)
{
	struct fusex_daxdev *d = kzalloc_obj(*d, GFP_KERNEL_ACCOUNT);
	int i;

	if (!d)
		return NULL;
	d->obj = obj;
	d->chan = chan;
	xa_init(&d->lost);
	for (i = 0; i < DAX_CLAIMS; i++)
		mutex_init(&d->claims[i]);
	INIT_WORK(&d->work, daxdev_free);
	mutex_lock(&dax_devs_lock);
	list_add(&d->link, &dax_devs);
	mutex_unlock(&dax_devs_lock);
	return d;
}

/* Bytes that can be reached, which no interface says. */
static u64 daxdev_size(struct dax_device *dev)
{
	u64 pages = 0;
	int id = dax_read_lock();
	u64 step;
	void *addr;

	do {
		u64 bit;

		step = 0;
		for (bit = BIT_ULL(40); bit; bit >>= 1) {
			if (dax_direct_access(dev, pages, step + bit,
					      DAX_ACCESS, &addr, NULL) ==
			    (long)(step + bit))
				step += bit;
		}
		pages += step;
	} while (step);
	dax_read_unlock(id);
	return pages << PAGE_SHIFT;
}

/* Is it a character device of the dax bus? */
static bool is_devdax(const struct file *file)
{
	const struct inode *inode = file_inode(file);
	const struct kobject *parent;

	if (!S_ISCHR(inode->i_mode) || !inode->i_cdev)
		return false;
	parent = inode->i_cdev->kobj.parent;
	/* The parent of a character device need not be a device. */
	if (!parent || get_ktype(parent) != fusex_dev_ktype())
		return false;
	return kobj_to_dev(parent)->bus &&
	       !strcmp(kobj_to_dev(parent)->bus->name, "dax");
}

static int daxdev_hold_cdev(struct fusex_bobj *obj, struct file *file)
{
	struct fusex_daxdev *d = obj->dax;
	struct dax_device *dev = dax_dev_get(file_inode(file)->i_rdev);
	int err;

	if (!dev)
		return -ENOMEM;
	err = fs_dax_get(dev, d, &dax_holder_ops);
	put_dax(dev);
	if (err)
		return err;
	d->dev = dev;
	obj->size = daxdev_size(dev);
	return 0;
}

static int daxdev_hold_bdev(struct fusex_bobj *obj, struct file *file)
{
	struct fusex_daxdev *d = obj->dax;
	struct block_device *bdev = file_bdev(file);

	if (!blk_queue_dax(bdev_get_queue(bdev)))
		return -EOPNOTSUPP;
	d->dev = fs_dax_get_by_bdev(bdev, &d->start, d, &dax_holder_ops);
	/* Or it cannot be had: a partition that is not aligned, say. */
	if (!d->dev)
		return -EBUSY;
	obj->bdev = bdev;
	return 0;
}

static int daxdev_hold(struct fusex_bobj *obj, struct file *file, bool cdev)
{
	int (*hold)(struct fusex_bobj *obj, struct file *file) =
		cdev ? daxdev_hold_cdev : daxdev_hold_bdev;
	int err = hold(obj, file);

	if (err != -EBUSY)
		return err;
	/* We may be just about to give it back. */
	flush_workqueue(dax_wq);
	return hold(obj, file);
}

/**
 * fusex_daxdev_fill - make a backing object of a memory device
 * @obj: a DAX with @obj->access
 * @chan: the channel
 * @fd: open on the device; the file is kept
 *
 * On error, what was got stays in @obj.
 *
 * Context: process.
 * Return: 0; -EBADF if it is not open for @obj->access; -EINVAL for what is no
 * such device; -EOPNOTSUPP for a block device whose memory cannot be used, or a
 * character device with another driver; -EBUSY if somebody else has it.
 */
int fusex_daxdev_fill(struct fusex_bobj *obj, struct fusex_chan *chan, int fd)
{
	struct file *file = fget(fd);
	bool cdev;
	int err = 0;

	if (!file)
		return -EBADF;
	obj->file = file;
	cdev = is_devdax(file);
	if (!cdev)
		err = fusex_check_backing_bdev(file, obj->access);
	else if (!fusex_check_open_for(file, obj->access))
		err = -EBADF;
	if (!err && !cdev && obj->access & FUSEX_BACKING_WRITE &&
	    bdev_read_only(file_bdev(file)))
		err = -EBADF;
	if (err)
		return err;
	obj->dax = daxdev_alloc(obj, chan);
	return obj->dax ? daxdev_hold(obj, file, cdev) : -ENOMEM;
}

/* ---------------------------------------------------------------------- use */

/**
 * fusex_daxdev_name - what it is, for the list in sysfs
 * @obj: a DAX without a block device
 *
 * Context: any.
 * Return: its device number.
 */
dev_t fusex_daxdev_name(const struct fusex_bobj *obj)
{
	return file_inode(obj->file)->i_rdev;
}

/**
 * fusex_daxdev_any - has a memory device been registered?
 * @inode: a new inode of the channel
 *
 * Context: any.
 * Return: true if there is one.
 */
bool fusex_daxdev_any(const struct inode *inode)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	unsigned long cookie;
	struct fusex_bobj *obj;
	bool any = false;

	rcu_read_lock();
	xa_for_each(&chan->backing, cookie, obj)
		any |= obj->type == FUSEX_BACKING_DAX;
	rcu_read_unlock();
	return any;
}

/**
 * fusex_daxdev_synchronous - is what is stored there to stay?
 * @chan: the channel
 *
 * Context: any.
 * Return: true if all memory devices of the channel need no flush but that of
 * the processor's caches.
 */
bool fusex_daxdev_synchronous(struct fusex_chan *chan)
{
	unsigned long cookie;
	struct fusex_bobj *obj;
	bool all = true;

	xa_lock(&chan->backing);
	xa_for_each(&chan->backing, cookie, obj)
		all &= !obj->dax || dax_synchronous(obj->dax->dev);
	xa_unlock(&chan->backing);
	return all;
}

/**
 * fusex_daxdev_map - make a mapping one for fs/dax
 * @obj: the device it is on, in use
 * @pos: what is wanted, in the mapping
 * @op: FUSEX_MAP_OP_*
 * @iomap: addr and length are those on @obj
 *
 * It ends where memory has failed.
 *
 * Context: any.
 * Return: 0; -EFSCORRUPTED if @obj is no memory device; -EIO if the memory of
 * @pos has failed, -EHWPOISON for a fault.
 */
int fusex_daxdev_map(struct fusex_bobj *obj, loff_t pos, u32 op,
		     struct iomap *iomap)
{
	struct fusex_daxdev *d = obj->dax;
	unsigned long at, last;

	if (!d)
		return -EFSCORRUPTED;
	iomap->addr += d->start;
	iomap->dax_dev = d->dev;
	if (likely(xa_empty(&d->lost)))
		return 0;
	at = PHYS_PFN(iomap->addr + (pos - iomap->offset));
	last = PHYS_PFN(iomap->addr + iomap->length - 1);
	if (xa_load(&d->lost, at))
		return op & FUSEX_MAP_OP_FAULT ? -EHWPOISON : -EIO;
	if (xa_find(&d->lost, &at, last, XA_PRESENT))
		iomap->length = PFN_PHYS(at) - iomap->addr;
	return 0;
}

/* Nothing has to be looked at more closely. */
static bool known_is_simple(const struct fusex_bobj *obj,
			    const struct fusex_map *map, u32 access)
{
	return obj->dax && !(access & ~obj->access) &&
	       map->addr + map->length <= fusex_backing_device_size(obj) &&
	       xa_empty(&obj->dax->lost);
}

/**
 * fusex_daxdev_known - begin to use the memory device of a mapping, the short way
 * @chan: the channel
 * @map: on a device, checked when it came
 * @access: FUSEX_BACKING_*, what for
 * @iomap: returns where it is
 *
 * As fusex_backing_device() and fusex_daxdev_map(), for most mappings.  There is no
 * reference: daxdev_free() waits for who uses it.
 *
 * Context: any.
 * Return: the device, to be followed by fusex_backing_done(); NULL if it has to be
 * looked at more closely.
 */
struct fusex_bobj *fusex_daxdev_known(struct fusex_chan *chan,
				      const struct fusex_map *map, u32 access,
				      struct iomap *iomap)
{
	struct fusex_bobj *obj;

	rcu_read_lock();
	obj = xa_load(&chan->backing, map->dev);
	if (obj && (!known_is_simple(obj, map, access) ||
		    fusex_backing_use(obj)))
		obj = NULL;
	rcu_read_unlock();
	if (!obj)
		return NULL;
	iomap->addr = map->addr + obj->dax->start;
	iomap->dax_dev = obj->dax->dev;
	return obj;
}

/**
 * fusex_daxdev_addr - where a mapping for fs/dax is on the backing object
 * @obj: the device
 * @iomap: from fusex_daxdev_map()
 * @pos: in the mapping
 *
 * Context: any.
 * Return: bytes, as the server knows it.
 */
u64 fusex_daxdev_addr(const struct fusex_bobj *obj, const struct iomap *iomap,
		      loff_t pos)
{
	return iomap->addr - obj->dax->start + (pos - iomap->offset);
}

/**
 * fusex_daxdev_zero - zeros, on the device when this returns
 * @iomap: from fusex_daxdev_map()
 * @start: in the file, at a page
 * @end: likewise, not beyond the mapping
 *
 * Context: process, killable.
 * Return: 0, -EINTR or an error.
 */
int fusex_daxdev_zero(const struct iomap *iomap, loff_t start, loff_t end)
{
	pgoff_t pgoff = PHYS_PFN(iomap->addr + (start - iomap->offset));
	u64 pages = PHYS_PFN(end - start);
	int err = 0;
	int id;

	while (pages-- && !err) {
		if (fatal_signal_pending(current))
			return -EINTR;
		id = dax_read_lock();
		err = dax_zero_page_range(iomap->dax_dev, pgoff++, 1);
		dax_read_unlock(id);
		cond_resched();
	}
	return err;
}

/**
 * fusex_daxdev_flush - the device for dax_writeback_mapping_range()
 * @inode: the file
 *
 * It is asked only whether caches of the processor have to be written.
 *
 * Context: process.
 * Return: one that says yes if any of the file's does, NULL if it never had one.
 */
struct dax_device *fusex_daxdev_flush(struct inode *inode)
{
	struct fusex_maps *maps = fusex_maps_get(inode);
	struct dax_device *dev = NULL;
	struct fusex_bobj *obj;
	unsigned long index;

	xa_for_each(&maps->pages_of, index, obj) {
		if (!dev || dax_write_cache_enabled(obj->dax->dev))
			dev = obj->dax->dev;
	}
	return dev;
}

/* ------------------------------------------------------------------- claims */

/* The device stays as long as the inode may have pages of it. */
static int claim_keep(struct inode *inode, struct fusex_bobj *obj)
{
	struct xarray *kept = &fusex_maps_get(inode)->pages_of;
	unsigned long index = claim_index(obj);
	int err;

	if (xa_load(kept, index))
		return 0;
	/* Who has come by fusex_daxdev_known() has none, nor has anybody maybe. */
	if (!refcount_inc_not_zero(&obj->ref))
		return -ENODEV;
	err = xa_insert(kept, index, obj, GFP_NOFS);
	if (err)
		fusex_backing_put(obj);
	return err == -EBUSY ? 0 : err;
}

/**
 * fusex_daxdev_has - is a page the file's, there and nowhere else?
 * @inode: the file
 * @pfn: of the page
 * @index: where in the file, in pages
 *
 * Context: any; pages are not taken away, as under the invalidate_lock.
 * Return: true if so; false of one that several files share.
 */
bool fusex_daxdev_has(const struct inode *inode, unsigned long pfn,
		      pgoff_t index)
{
	struct page *page = pfn_to_page(pfn);
	struct folio *folio = page_folio(page);

	return READ_ONCE(folio->mapping) == inode->i_mapping &&
	       folio->index + folio_page_idx(folio, page) == index;
}

/* The page that fs/dax has there; NULL for none, and for zeros. */
static struct page *claim_held(const struct inode *inode, pgoff_t index)
{
	unsigned long pfn =
		claim_pfn(xa_load(&inode->i_mapping->i_pages, index));

	/* Zeros are in memory of the kernel's. */
	if (!pfn || !is_zone_device_page(pfn_to_page(pfn)))
		return NULL;
	return pfn_to_page(pfn);
}

/**
 * fusex_daxdev_vacant - is no page of a device in a place of a file?
 * @inode: the file
 * @index: where in the file, in pages
 *
 * Context: any; the entry of the page cache is locked.
 * Return: true if so; there may be zeros.
 */
bool fusex_daxdev_vacant(const struct inode *inode, pgoff_t index)
{
	return !claim_held(inode, index);
}

/* Is a page nobody's, or one of several who may all read it? */
static bool claim_free(unsigned long pfn, bool shared)
{
	struct folio *folio = page_folio(pfn_to_page(pfn));

	if (folio_test_large(folio))
		return false;
	return shared || (!READ_ONCE(folio->mapping) && !folio->share);
}

static int claim_check(const struct inode *inode, unsigned long pfn,
		       pgoff_t index, unsigned long nr, bool shared)
{
	unsigned long i;

	if (fusex_daxdev_has(inode, pfn, index))
		return 0;
	for (i = 0; i < nr; i++) {
		if (!claim_free(pfn + i, shared))
			return -EFSCORRUPTED;
	}
	return 0;
}

static struct mutex *claim_lock(struct fusex_bobj *obj,
				const struct iomap *iomap, loff_t pos)
{
	u64 at = iomap->addr + (pos - iomap->offset);

	return &obj->dax->claims[(at >> PMD_SHIFT) % DAX_CLAIMS];
}

/**
 * fusex_daxdev_claim - pages are about to be mapped by fs/dax
 * @inode: the file
 * @iomap: MAPPED, in use
 * @pos: in the file, at a page
 * @len: PAGE_SIZE or PMD_SIZE
 *
 * Pages that are part of another file, or another place of this one, cannot be
 * had, no matter what the server says, unless all of them say SHARED.  Nor can
 * they be had while others are in their place: fs/dax would map the one, and go
 * on with the other.
 *
 * Context: process; the entry of the page cache is locked.
 * Return: 0 if they are there already; 1 if they are becoming the file's,
 * followed by fusex_daxdev_claimed(); -EBADCOOKIE if others are there;
 * -EFSCORRUPTED; or another error.
 */
int fusex_daxdev_claim(struct inode *inode, const struct iomap *iomap,
		       loff_t pos, u64 len)
{
	struct fusex_bobj *obj = fusex_map_device(iomap->private);
	pgoff_t at = PHYS_PFN(iomap->addr + (pos - iomap->offset));
	pgoff_t index = pos >> PAGE_SHIFT;
	struct mutex *lock; /* of claims of the same pages */
	unsigned long pfn;
	struct page *held;
	long nr;
	int err;
	int id;

	id = dax_read_lock();
	nr = dax_direct_access(iomap->dax_dev, at, PHYS_PFN(len), DAX_ACCESS,
			       NULL, &pfn);
	dax_read_unlock(id);
	/* As where it is used. */
	if (nr != (long)PHYS_PFN(len) || pfn & (PHYS_PFN(len) - 1))
		return nr < 0 ? nr : -EINVAL;
	if (fusex_daxdev_has(inode, pfn, index))
		return 0;
	held = claim_held(inode, index);
	if (held && held == pfn_to_page(pfn) && iomap->flags & IOMAP_F_SHARED)
		return 0;
	if (held)
		return -EBADCOOKIE;
	err = claim_keep(inode, obj);
	if (err)
		return err;
	lock = claim_lock(obj, iomap, pos);
	if (mutex_lock_killable(lock))
		return -EINTR;
	err = claim_check(inode, pfn, index, nr, iomap->flags & IOMAP_F_SHARED);
	if (!err)
		return 1;
	mutex_unlock(lock);
	return err;
}

/**
 * fusex_daxdev_claimed - they are the file's, or never will be
 * @iomap: as it was claimed
 * @pos: likewise
 *
 * Context: process.
 */
void fusex_daxdev_claimed(const struct iomap *iomap, loff_t pos)
{
	mutex_unlock(claim_lock(fusex_map_device(iomap->private), iomap, pos));
}

/**
 * fusex_daxdev_init - make what all devices share
 *
 * Return: 0 or -ENOMEM.
 */
int fusex_daxdev_init(void)
{
	dax_wq = alloc_workqueue("fusex_dax", WQ_UNBOUND, 0);
	return dax_wq ? 0 : -ENOMEM;
}

/**
 * fusex_daxdev_exit - undo fusex_daxdev_init()
 */
void fusex_daxdev_exit(void)
{
	destroy_workqueue(dax_wq);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What the server says unasked about where data is.
 *
 * As in inval.c, nothing here waits for the server.  What has to, because dirty
 * pages are written and MAP_RETURN is a request, is done by a worker.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "backing.h"
#include "io.h"
#include "map.h"
#include "map_notify.h"
#include "validate.h"

/* An inode whose data is moved by mappings. */
static struct inode *map_inode(struct super_block *sb, u64 nodeid,
			       u32 generation, int *err)
{
	struct inode *inode = fusex_inval_find(sb, nodeid, generation);

	*err = -ENOENT;
	if (!inode)
		return NULL;
	if (fusex_i(inode)->io->quiesce)
		return inode;
	fusex_chan_defer_iput(fusex_sb(sb)->chan, inode);
	*err = -EINVAL;
	return NULL;
}

static loff_t map_last(u64 offset, u64 length)
{
	return length ? offset + length - 1 : LLONG_MAX;
}

static void map_anew(struct inode *inode, loff_t start, loff_t end)
{
	const struct fusex_io_ops *io = fusex_i(inode)->io;

	if (io->mapped_anew)
		io->mapped_anew(inode, start, end);
}

/* ------------------------------------------------------------------- upsert */

static int upsert_check_one(struct fusex_chan *chan,
			    const struct fusex_map *map, u64 from)
{
	struct fusex_bobj *obj;
	u64 addr = map->addr;
	u64 len = map->length;
	const char *why;

	if (fusex_check_map(fusex_chan_conf(chan), map, &why))
		return -EINVAL;
	if (map->offset < from)
		return -EINVAL;
	switch (map->type) {
	case FUSEX_MAP_HOLE:
		return 0;
	case FUSEX_MAP_MAPPED:
	case FUSEX_MAP_UNWRITTEN:
		break;
	default:
		return -EINVAL;
	}
	obj = fusex_backing_device(chan, map->dev, FUSEX_BACKING_READ, &addr,
				   &len);
	if (IS_ERR(obj))
		return PTR_ERR(obj) == -ENODEV ? -ENODEV : -EINVAL;
	fusex_backing_device_put(obj);
	return 0;
}

static int upsert_check(struct fusex_chan *chan, const struct fusex_map *maps,
			u32 count)
{
	u64 from = 0;
	int err;
	u32 i;

	for (i = 0; i < count; i++) {
		err = upsert_check_one(chan, &maps[i], from);
		if (err)
			return err;
		from = maps[i].offset + maps[i].length;
	}
	return 0;
}

/* What finds the data is not durable: known before anybody goes by it. */
static void upsert_note_dirty(struct inode *inode, const struct fusex_map *maps,
			      u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (maps[i].flags & FUSEX_MAP_F_DIRTY) {
			fusex_tell_changed(inode);
			return;
		}
	}
}

/*
 * Is space being taken away by somebody who is gone, or has been?  The server may have
 * said this before it did so.
 */
static bool upsert_is_late(const struct fusex_maps *m)
{
	return atomic_read(&m->changing) || READ_ONCE(m->lost);
}

static int upsert_take(struct inode *inode, const struct fusex_map *maps,
		       u32 count)
{
	struct fusex_maps *m = fusex_maps_get(inode);
	const struct fusex_map *last = &maps[count - 1];
	struct fusex_mapcache *mc = m->cache;
	int err;

	upsert_note_dirty(inode, maps, count);
	if (upsert_is_late(m))
		return 0;
	err = fusex_mapcache_put(mc, maps, count, GFP_KERNEL);
	/* Either that is seen here, or what was put is forgotten there. */
	smp_mb();

	/*
	 * The server does not know yet what has become of some of it.  Looked at
	 * last, because a write may have ended just now.
	 */
	if (fusex_tell_due(inode) || upsert_is_late(m))
		fusex_mapcache_drop(mc, maps->offset,
				    last->offset + last->length - 1);
	fusex_mapcache_outdate(mc);
	map_anew(inode, maps->offset, last->offset + last->length - 1);
	return err;
}

/**
 * fusex_notify_upsert - FUSEX_NOTIFY_MAP_UPSERT
 * @sb: the super block, pinned
 * @n: what the server wrote
 * @maps: n->count of them
 *
 * Context: does not wait for the server.
 * Return: 0, -ENOENT, -EINVAL, -ENODEV or -ENOMEM.
 */
int fusex_notify_upsert(struct super_block *sb,
			const struct fusex_notify_upsert *n,
			const struct fusex_map *maps)
{
	struct fusex_chan *chan = fusex_sb(sb)->chan;
	struct inode *inode;
	int err;

	err = upsert_check(chan, maps, n->count);
	if (err)
		return err;
	inode = map_inode(sb, n->nodeid, n->generation, &err);
	if (!inode)
		return err;
	err = -EINVAL;
	if (fusex_i(inode)->attr->shared == !!n->lease &&
	    (n->lease || !n->lease_valid)) {
		fusex_maps_lease(inode, n->lease, n->lease_valid,
				 get_jiffies_64());
		err = upsert_take(inode, maps, n->count);
	}
	fusex_chan_defer_iput(chan, inode);
	return err;
}

/* ------------------------------------------------------------- invalidation */

/**
 * fusex_notify_map_inval - FUSEX_NOTIFY_MAP_INVAL
 * @sb: the super block, pinned
 * @n: what the server wrote
 *
 * Context: does not wait for the server.
 * Return: 0, -ENOENT or -EINVAL.
 */
int fusex_notify_map_inval(struct super_block *sb,
			   const struct fusex_notify_map *n)
{
	struct inode *inode;
	int err;

	inode = map_inode(sb, n->nodeid, n->generation, &err);
	if (!inode)
		return err;
	fusex_maps_forget(inode, n->offset, map_last(n->offset, n->length));
	map_anew(inode, n->offset, map_last(n->offset, n->length));
	fusex_chan_defer_iput(fusex_sb(sb)->chan, inode);
	return 0;
}

/* ------------------------------------------------------------------- recall */

/**
 * struct fusex_recall - a lease on its way back
 * @work: in a workqueue, if it is the first
 * @link: in fusex_maps.recalls
 * @inode: held if @work is in a workqueue
 * @in: what is going to be sent
 */
struct fusex_recall {
	struct work_struct work;
	struct list_head link;
	struct inode *inode;
	struct fusex_map_return_in in;
};

/*
 * Everything ends that goes by mappings of the range, and nothing is left.  What is
 * dirty is written while others go on; what they make dirty meanwhile is written when
 * they cannot any more.
 */
static int recall_settle(struct inode *inode, loff_t start, loff_t end)
{
	int err = fusex_i(inode)->io->write_back(inode, start, end);
	int ret;

	/* What was asked for to write it is forgotten, too. */
	ret = fusex_maps_return_begin(inode, start, end);
	if (!ret)
		ret = fusex_i(inode)->io->give_back(inode, start, end);
	return err ?: ret;
}

/* Returns whether it is the first, for which a worker has to be sent, or an error. */
static int recall_add(struct fusex_recall *r)
{
	struct fusex_inode *fi = fusex_i(r->inode);
	struct fusex_maps *maps = fi->maps;
	int ret = -ETXTBSY;

	spin_lock(&fi->lock);
	/* Swapping goes by what it was told when it began. */
	if (!maps->swap) {
		ret = list_empty(&maps->recalls);
		list_add_tail(&r->link, &maps->recalls);
	}
	spin_unlock(&fi->lock);
	return ret;
}

/* The next one asks the server, which is not to be asked before this is over. */
static void recall_next(struct fusex_recall *r)
{
	struct fusex_inode *fi = fusex_i(r->inode);
	struct fusex_recall *next;

	spin_lock(&fi->lock);
	list_del(&r->link);
	next = list_first_entry_or_null(&fi->maps->recalls,
					struct fusex_recall, link);
	spin_unlock(&fi->lock);
	if (next)
		fusex_io_later(next->inode, &next->work);
}

static void recall_work(struct work_struct *work)
{
	struct fusex_recall *r = container_of(work, struct fusex_recall, work);
	struct inode *inode = r->inode;
	struct fusex_call call = {
		.op		= FUSEX_OP_MAP_RETURN,
		.node		= inode,
		.arg		= &r->in,
		.arg_len	= sizeof(r->in),
	};

	r->in.error = recall_settle(inode, r->in.offset,
				    map_last(r->in.offset, r->in.length));
	/* Who has no use for it, or is gone, does not wait for it either. */
	fusex_call(fusex_chan_of(inode), &call);
	fusex_maps_return_end(inode);
	recall_next(r);
	kfree(r);
	fusex_io_later_done(inode);
}

static int recall_start(struct inode *inode,
			const struct fusex_notify_recall *n)
{
	struct fusex_recall *r = kzalloc_obj(*r, GFP_KERNEL_ACCOUNT);
	int first;

	if (!r)
		return -ENOMEM;
	fusex_maps_get(inode);
	INIT_WORK(&r->work, recall_work);
	r->inode = inode;
	r->in.lease = n->lease;
	r->in.offset = n->offset;
	r->in.length = n->length;
	first = recall_add(r);
	if (first < 0) {
		kfree(r);
		return first;
	}
	fusex_maps_forget(inode, n->offset, map_last(n->offset, n->length));
	if (first)
		fusex_io_later(inode, &r->work);
	return 0;
}

/**
 * fusex_notify_recall - FUSEX_NOTIFY_MAP_RECALL
 * @sb: the super block, pinned
 * @n: what the server wrote
 *
 * Context: does not wait for the server.
 * Return: 0, -ENOENT, -EINVAL, -ENOMEM, or -ETXTBSY for a file that is swapped to.
 */
int fusex_notify_recall(struct super_block *sb,
			const struct fusex_notify_recall *n)
{
	struct inode *inode;
	int err;

	inode = map_inode(sb, n->nodeid, n->generation, &err);
	if (!inode)
		return err;
	err = -EINVAL;
	if (fusex_i(inode)->attr->shared == !!n->lease)
		err = recall_start(inode, n);
	fusex_chan_defer_iput(fusex_sb(sb)->chan, inode);
	return err;
}

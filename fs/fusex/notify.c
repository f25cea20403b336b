// SPDX-License-Identifier: GPL-2.0
/*
 * Notifications: what a server says unasked.
 *
 * They are carried out in the server's thread, with the super block pinned
 * against unmounting, and never wait for the server.
 */

#include <linux/mm.h>
#include <linux/slab.h>

#include "backing.h"
#include "fusex_i.h"
#include "map_notify.h"
#include "transport.h"
#include "trace.h"
#include "validate.h"

/* Elements of one FUSEX_NOTIFY_PRUNE. */
#define PRUNE_MAX	512

/* The rest of the write is exactly one structure. */
static int take_exactly(void *to, size_t size, struct iov_iter *from)
{
	if (iov_iter_count(from) != size)
		return -EINVAL;
	return copy_from_iter_full(to, size, from) ? 0 : -EFAULT;
}

static int notify_inode(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_inode n;
	struct super_block *sb;
	int err;

	err = take_exactly(&n, sizeof(n), from);
	if (err)
		return err;
	if (!n.flags || n.flags & ~FUSEX_INVAL_KNOWN)
		return -EINVAL;
	if (n.offset > S64_MAX || n.length > S64_MAX - n.offset)
		return -EINVAL;
	sb = fusex_chan_pin_sb(chan);
	if (!sb)
		return -ENOTCONN;
	err = fusex_notify_inode(sb, &n);
	fusex_chan_unpin_sb(chan);
	return err;
}

static int take_entry(struct fusex_notify_entry *n, char *name, u32 code,
		      struct iov_iter *from)
{
	const char *why;

	if (!copy_from_iter_full(n, sizeof(*n), from))
		return iov_iter_count(from) < sizeof(*n) ? -EINVAL : -EFAULT;
	if (n->name_len > FUSEX_NAME_MAX ||
	    iov_iter_count(from) != n->name_len + 1)
		return -EINVAL;
	if (!copy_from_iter_full(name, n->name_len + 1, from))
		return -EFAULT;
	if (n->reserved || name[n->name_len] ||
	    fusex_check_name(name, n->name_len, &why))
		return -EINVAL;
	if (code == FUSEX_NOTIFY_DELETE_ENTRY)
		return n->child ? 0 : -EINVAL;
	return n->child || n->child_generation ? -EINVAL : 0;
}

static int notify_entry(struct fusex_chan *chan, u32 code,
			struct iov_iter *from)
{
	char name[FUSEX_NAME_MAX + 1];
	struct fusex_notify_entry n;
	struct super_block *sb;
	int err;

	err = take_entry(&n, name, code, from);
	if (err)
		return err;
	sb = fusex_chan_pin_sb(chan);
	if (!sb)
		return -ENOTCONN;
	err = fusex_notify_entry(sb, code, &n, name);
	fusex_chan_unpin_sb(chan);
	return err;
}

static int prune(struct fusex_chan *chan, u32 count, struct iov_iter *from)
{
	struct fusex_node_ref *refs;
	struct super_block *sb;
	int err;
	u32 i;

	refs = kvmalloc_objs(*refs, count, GFP_KERNEL_ACCOUNT);
	if (!refs)
		return -ENOMEM;
	err = take_exactly(refs, count * sizeof(*refs), from);
	for (i = 0; !err && i < count; i++) {
		if (refs[i].reserved)
			err = -EINVAL;
	}
	if (!err) {
		err = -ENOTCONN;
		sb = fusex_chan_pin_sb(chan);
		if (sb) {
			err = fusex_notify_prune(sb, refs, count);
			fusex_chan_unpin_sb(chan);
		}
	}
	kvfree(refs);
	return err;
}

static int notify_prune(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_prune n;

	if (!copy_from_iter_full(&n, sizeof(n), from))
		return iov_iter_count(from) < sizeof(n) ? -EINVAL : -EFAULT;
	if (!n.count || n.count > PRUNE_MAX || n.reserved)
		return -EINVAL;
	return prune(chan, n.count, from);
}

static int notify_poll(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_poll n;
	int err;

	err = take_exactly(&n, sizeof(n), from);
	if (err)
		return err;
	if (!fusex_chan_pin_sb(chan))
		return -ENOTCONN;
	err = fusex_poll_notify(chan, n.kh);
	fusex_chan_unpin_sb(chan);
	return err;
}

static int upsert(struct fusex_chan *chan, const struct fusex_notify_upsert *n,
		  struct iov_iter *from)
{
	struct fusex_map *maps;
	struct super_block *sb;
	int err;

	maps = kvmalloc_objs(*maps, n->count, GFP_KERNEL_ACCOUNT);
	if (!maps)
		return -ENOMEM;
	err = take_exactly(maps, n->count * sizeof(*maps), from);
	if (!err) {
		err = -ENOTCONN;
		sb = fusex_chan_pin_sb(chan);
		if (sb) {
			err = fusex_notify_upsert(sb, n, maps);
			fusex_chan_unpin_sb(chan);
		}
	}
	kvfree(maps);
	return err;
}

static int notify_upsert(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_upsert n;

	if (!copy_from_iter_full(&n, sizeof(n), from))
		return iov_iter_count(from) < sizeof(n) ? -EINVAL : -EFAULT;
	if (!n.count || n.count > FUSEX_UPSERT_MAX)
		return -EINVAL;
	return upsert(chan, &n, from);
}

/* A range of a file or device; 0 bytes are all that follow. */
static bool range_ok(u64 offset, u64 length)
{
	return offset <= S64_MAX && length <= S64_MAX - offset;
}

static int notify_map_inval(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_map n;
	struct super_block *sb;
	int err;

	err = take_exactly(&n, sizeof(n), from);
	if (err)
		return err;
	if (n.reserved || !range_ok(n.offset, n.length))
		return -EINVAL;
	sb = fusex_chan_pin_sb(chan);
	if (!sb)
		return -ENOTCONN;
	err = fusex_notify_map_inval(sb, &n);
	fusex_chan_unpin_sb(chan);
	return err;
}

static int notify_recall(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_recall n;
	struct super_block *sb;
	int err;

	err = take_exactly(&n, sizeof(n), from);
	if (err)
		return err;
	if (n.reserved || !range_ok(n.offset, n.length))
		return -EINVAL;
	sb = fusex_chan_pin_sb(chan);
	if (!sb)
		return -ENOTCONN;
	err = fusex_notify_recall(sb, &n);
	fusex_chan_unpin_sb(chan);
	return err;
}

static int notify_dev(struct fusex_chan *chan, struct iov_iter *from)
{
	struct fusex_notify_dev n;
	int err;

	err = take_exactly(&n, sizeof(n), from);
	if (err)
		return err;
	if (n.reserved || !range_ok(n.offset, n.length))
		return -EINVAL;
	return fusex_backing_device_inval(chan, n.dev, n.offset, n.length);
}

static int notify_one(struct fusex_chan *chan, u32 code, struct iov_iter *from)
{
	switch (code) {
	case FUSEX_NOTIFY_INVAL_INODE:
		return notify_inode(chan, from);
	case FUSEX_NOTIFY_INVAL_ENTRY:
	case FUSEX_NOTIFY_EXPIRE_ENTRY:
	case FUSEX_NOTIFY_DELETE_ENTRY:
		return notify_entry(chan, code, from);
	case FUSEX_NOTIFY_PRUNE:
		return notify_prune(chan, from);
	case FUSEX_NOTIFY_POLL:
		return notify_poll(chan, from);
	case FUSEX_NOTIFY_MAP_UPSERT:
		return notify_upsert(chan, from);
	case FUSEX_NOTIFY_MAP_INVAL:
		return notify_map_inval(chan, from);
	case FUSEX_NOTIFY_MAP_RECALL:
		return notify_recall(chan, from);
	case FUSEX_NOTIFY_DEV_INVAL:
		return notify_dev(chan, from);
	}
	return -EINVAL;
}

/**
 * fusex_notify - carry out a notification
 * @chan: the channel
 * @code: enum fusex_notify_code, as written
 * @from: the rest of the write, faulted in here
 *
 * Context: the server's thread; may sleep, but not until the server answers.
 * Return: 0; -EINVAL malformed; -EFAULT; -ENOMEM; -ENOTCONN nothing mounted;
 * or what the notification came to.
 */
int fusex_notify(struct fusex_chan *chan, u32 code, struct iov_iter *from)
{
	int err = notify_one(chan, code, from);

	trace_fusex_notify(chan->dev, code, err);
	return err;
}

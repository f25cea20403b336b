// SPDX-License-Identifier: GPL-2.0
/*
 * What the server says has changed.
 *
 * All of this runs in a thread of the server's, which may be its only one, and
 * a task that waits for an answer of the server's may hold any lock of the
 * VFS's that can be held across an operation.  So no i_rwsem is taken, no
 * folio is waited for, and nothing is dropped that could be the last reference
 * to an inode.
 *
 * Replies on their way are met by epochs: a notification takes a new one, and
 * what was asked for before it is not believed.  See fusex_attr_changed(),
 * fusex_splice(), fusex_note_lost().
 */
#include <linux/dcache.h>
#include <linux/fsnotify.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/workqueue.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "validate.h"

/**
 * struct fusex_drop - what is dropped where it may wait for the server
 * @work: in a workqueue
 * @inode: held
 * @dentry: to be put; NULL to prune the names of @inode
 */
struct fusex_drop {
	struct work_struct work;
	struct inode *inode;
	struct dentry *dentry;
};

/* With a name goes its directory's, and so on up, and with them inodes. */
static void fusex_drop_work(struct work_struct *work)
{
	struct fusex_drop *drop = container_of(work, struct fusex_drop, work);
	struct inode *inode = drop->inode;

	if (drop->dentry) {
		dput(drop->dentry);
	} else {
		/* The next inode of the node reads what this one has. */
		fusex_io_write_back(inode);
		/* Before that: who comes now may be too late for it. */
		clear_bit(FUSEX_I_PRUNING, &fusex_i(inode)->state);
		d_prune_aliases(inode);
	}
	kfree(drop);
	fusex_io_later_done(inode);
}

static bool fusex_drop_later(struct inode *inode, struct dentry *dentry)
{
	struct fusex_drop *drop = kmalloc_obj(*drop, GFP_KERNEL_ACCOUNT);

	if (!drop)
		return false;
	INIT_WORK(&drop->work, fusex_drop_work);
	drop->inode = inode;
	drop->dentry = dentry;
	fusex_io_later(inode, &drop->work);
	return true;
}

/* Drop a dentry in @dir, not here if anything goes with it. */
static void fusex_inval_dput(struct inode *dir, struct dentry *dentry)
{
	if (d_unhashed(dentry) || dentry->d_flags & DCACHE_DONTCACHE)
		if (fusex_drop_later(dir, dentry))
			return;
	dput(dentry);
}

/**
 * fusex_prune_later - write an inode back and drop its unused names, and it if
 * it can be
 * @inode: not to be cached any longer
 *
 * Without memory for it, they are dropped as if they were cached.  However often a
 * server wants it that does not take the data, one worker waits.
 *
 * Context: process, does not wait for the server.
 */
void fusex_prune_later(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	d_mark_dontcache(inode);
	if (hlist_empty(&inode->i_dentry) && !fusex_io_due(inode))
		return;
	if (test_and_set_bit(FUSEX_I_PRUNING, &fi->state))
		return;
	if (!fusex_drop_later(inode, NULL))
		clear_bit(FUSEX_I_PRUNING, &fi->state);
}

/**
 * fusex_inval_find - the inode that a notification is about
 * @sb: the super block, pinned
 * @nodeid: the node
 * @generation: its generation
 *
 * One that is not known will be met by replies as uncertain.
 *
 * Context: does not sleep.
 * Return: it, for fusex_chan_defer_iput(), or NULL.
 */
struct inode *fusex_inval_find(struct super_block *sb, u64 nodeid,
			       u32 generation)
{
	struct inode *inode = fusex_ifind(sb, nodeid, generation);

	if (inode)
		return inode;
	fusex_note_lost(sb, fusex_chan_next_epoch(fusex_sb(sb)->chan));
	/* Pairs with the one in fusex_inode_fill(). */
	smp_mb();
	return fusex_ifind(sb, nodeid, generation);
}

static int fusex_inval_data(struct inode *inode, u64 offset, u64 length)
{
	struct fusex_inode *fi = fusex_i(inode);
	loff_t end = LLONG_MAX;

	if (offset > LLONG_MAX)
		return -EINVAL;
	if (length && length - 1 < LLONG_MAX - offset)
		end = offset + length - 1;
	if (!fi->io->invalidate)
		return 0;
	return fi->io->invalidate(inode, offset, end);
}

/**
 * fusex_notify_inode - FUSEX_NOTIFY_INVAL_INODE
 * @sb: the super block, pinned
 * @n: what the server wrote
 *
 * Context: does not wait for the server.
 * Return: 0; -EINVAL for unknown flags, none, or a range that is none;
 * -ENOENT when the node is not known.
 */
int fusex_notify_inode(struct super_block *sb,
		       const struct fusex_notify_inode *n)
{
	struct inode *inode;
	int err = 0;

	if (!n->flags || n->flags & ~FUSEX_INVAL_KNOWN ||
	    n->offset > LLONG_MAX)
		return -EINVAL;
	inode = fusex_inval_find(sb, n->nodeid, n->generation);
	if (!inode)
		return -ENOENT;

	if (n->flags & FUSEX_INVAL_ATTR)
		fusex_attr_uncertain(inode);
	if (n->flags & FUSEX_INVAL_XATTR) {
		/* What entries on their way say of it is not believed. */
		fusex_attr_changed(inode);
		fusex_attr_forget_absence(inode);
	}
	if (n->flags & FUSEX_INVAL_DATA)
		err = fusex_inval_data(inode, n->offset, n->length);
	if (n->flags & FUSEX_INVAL_IDENTITY)
		fusex_inode_gone(inode);
	fusex_chan_defer_iput(fusex_sb(sb)->chan, inode);
	return err;
}

/*
 * The cached dentry of a name.  The directory's i_rwsem may be held by a task
 * that waits for us, but d_lookup() needs none.
 */
static struct dentry *fusex_inval_name(struct inode *dir, const char *name,
				       u32 len)
{
	struct qstr q = QSTR_INIT(name, len);
	struct dentry *parent, *dentry;

	parent = d_find_alias(dir);
	if (!parent)
		return NULL;
	q.hash = full_name_hash(parent, name, len);
	dentry = d_lookup(parent, &q);
	/* The last user of the directory may have gone meanwhile. */
	fusex_inval_dput(dir, parent);
	return dentry;
}

/* Does somebody use a name below @dentry? */
static bool fusex_names_used(struct dentry *dentry)
{
	struct dentry *child;
	bool used = false;

	spin_lock(&dentry->d_lock);
	hlist_for_each_entry(child, &dentry->d_children, d_sib) {
		spin_lock_nested(&child->d_lock, DENTRY_D_LOCK_NESTED);
		/* Negative: it is about to go. */
		used = simple_positive(child) && child->d_lockref.count > 0;
		spin_unlock(&child->d_lock);
		if (used)
			break;
	}
	spin_unlock(&dentry->d_lock);
	return used;
}

/*
 * Somebody else has removed @dentry, which is what the server says it is.  Its
 * name is @name, and may be another one any time: we do not hold the
 * directory's i_rwsem.
 */
static int fusex_delete_name(struct inode *dir, struct dentry *dentry,
			     struct inode *inode, const struct qstr *name)
{
	struct fusex_attr_reply r = {
		.epoch = fusex_chan_epoch(fusex_chan_of(dir)),
		.did = FUSEX_DID_NLINK_DEC,
	};
	u32 event = FS_DELETE;

	if (d_mountpoint(dentry))
		return -EBUSY;
	if (d_is_dir(dentry)) {
		if (fusex_names_used(dentry))
			return -ENOTEMPTY;
		r.did = FUSEX_DID_NLINK_ZERO;
		event |= FS_ISDIR;
		inode_set_flags(inode, S_DEAD, S_DEAD);
	}
	dont_mount(dentry);
	fusex_attr_apply(inode, &r);
	fusex_attr_uncertain(inode);
	fusex_attr_uncertain(dir);

	/* Turns negative only if nobody but us has hold of it. */
	d_delete(dentry);
	fsnotify_name(event, inode, FSNOTIFY_EVENT_INODE, dir, name, 0);
	return 0;
}

static int fusex_inval_dentry(struct inode *dir, struct dentry *dentry,
			      struct inode *inode, u32 code,
			      const struct fusex_notify_entry *n,
			      const char *name)
{
	switch (code) {
	case FUSEX_NOTIFY_EXPIRE_ENTRY:
		fusex_i(dir)->attr->entry_expire(dentry);
		return 0;
	case FUSEX_NOTIFY_DELETE_ENTRY:
		if (!inode || fusex_i(inode)->nodeid != n->child ||
		    inode->i_generation != n->child_generation)
			return -ENOENT;
		return fusex_delete_name(dir, dentry, inode,
					 &QSTR_LEN(name, n->name_len));
	}
	d_drop(dentry);
	return 0;
}

/**
 * fusex_notify_entry - INVAL_ENTRY, EXPIRE_ENTRY, DELETE_ENTRY
 * @sb: the super block, pinned
 * @code: which
 * @n: what the server wrote
 * @name: n->name_len bytes and a NUL
 *
 * Context: does not wait for the server.
 * Return: 0; -EINVAL for a name that is none; -ENOENT when the name is not
 * cached or not what the server thinks; -ENOTEMPTY and -EBUSY when it is used.
 */
int fusex_notify_entry(struct super_block *sb, u32 code,
		       const struct fusex_notify_entry *n, const char *name)
{
	struct fusex_chan *chan = fusex_sb(sb)->chan;
	struct inode *dir, *inode;
	struct dentry *dentry;
	const char *why;
	int err = -ENOENT;

	if (fusex_check_name(name, n->name_len, &why))
		return -EINVAL;
	dir = fusex_inval_find(sb, n->parent, n->parent_generation);
	if (!dir)
		return -ENOENT;
	if (!S_ISDIR(dir->i_mode))
		goto out;

	WRITE_ONCE(fusex_i(dir)->names_epoch, fusex_chan_next_epoch(chan));
	/* Either we see the name, or fusex_splice() sees the epoch. */
	smp_mb();
	dentry = fusex_inval_name(dir, name, n->name_len);
	if (!dentry)
		goto out;
	/* The dentry may go with our reference, and the inode not with it. */
	spin_lock(&dentry->d_lock);
	inode = d_inode(dentry);
	if (inode)
		ihold(inode);
	spin_unlock(&dentry->d_lock);

	err = fusex_inval_dentry(dir, dentry, inode, code, n, name);
	fusex_inval_dput(dir, dentry);
	if (inode)
		fusex_chan_defer_iput(chan, inode);
out:
	fusex_chan_defer_iput(chan, dir);
	return err;
}

/**
 * fusex_notify_prune - FUSEX_NOTIFY_PRUNE
 * @sb: the super block, pinned
 * @refs: nodes
 * @count: how many
 *
 * Nodes that are used go when they no longer are.
 *
 * Context: does not wait for the server.
 * Return: 0, or -ENOENT when none of them is known.
 */
int fusex_notify_prune(struct super_block *sb,
		       const struct fusex_node_ref *refs, u32 count)
{
	int err = -ENOENT;
	u32 i;

	for (i = 0; i < count; i++) {
		struct inode *inode = fusex_ifind(sb, refs[i].nodeid,
						  refs[i].generation);

		if (!inode)
			continue;
		err = 0;
		fusex_prune_later(inode);
		fusex_chan_defer_iput(fusex_sb(sb)->chan, inode);
	}
	return err;
}

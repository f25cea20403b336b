// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes: identity, instantiation, eviction.
 *
 * A node is known by its id and its generation.  Every entry reply that names
 * it counts in fusex_inode.nlookup, whether the inode was new or not, and
 * eviction gives the count back with one FORGET.  An entry that cannot be made
 * into an inode gives back its own count at once.
 */
#include <linux/hash.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>

#include "backing.h"
#include "chan.h"
#include "fusex_i.h"
#include "inode.h"
#include "io.h"

static struct kmem_cache *fusex_inode_cachep;

/**
 * fusex_id_hash - hash of an identity
 * @id: the identity
 *
 * Servers hand out node ids in every pattern there is (pointers, small
 * numbers, numbers with the generation in them), so all bits take part.
 *
 * Return: what iget5_locked() takes.
 */
VISIBLE_IF_KUNIT u64 fusex_id_hash(const struct fusex_id *id)
{
	u64 h = id->nodeid + id->generation * GOLDEN_RATIO_64;

	h = (h ^ h >> 32) * GOLDEN_RATIO_64;
	h = (h ^ h >> 29) * GOLDEN_RATIO_64;
	return h ^ h >> 32;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_id_hash);

/* Under the lock of the inode hash. */
static int fusex_id_test(struct inode *inode, void *data)
{
	const struct fusex_inode *fi = fusex_i(inode);
	const struct fusex_id *id = data;

	return fi->nodeid == id->nodeid &&
	       inode->i_generation == id->generation &&
	       !test_bit(FUSEX_I_GONE, &fi->state);
}

static int fusex_id_set(struct inode *inode, void *data)
{
	const struct fusex_id *id = data;

	fusex_i(inode)->nodeid = id->nodeid;
	inode->i_generation = id->generation;
	return 0;
}

/**
 * fusex_forget_unborn - give back the lookup of a node that was not taken
 * @sb: the super block
 * @nodeid: the node, 0 for nothing to do
 * @generation: its generation
 *
 * Context: may sleep, does not wait for the server.
 */
void fusex_forget_unborn(struct super_block *sb, u64 nodeid, u32 generation)
{
	struct fusex_forget *forget;

	if (!nodeid)
		return;
	/* The server has counted; a few bytes must be found. */
	forget = fusex_forget_alloc(GFP_KERNEL | __GFP_NOFAIL);
	fusex_forget_queue(fusex_sb(sb)->chan, forget, nodeid, generation, 1);
}

/**
 * fusex_note_lost - attributes changed and no inode remembers it
 * @sb: the super block
 * @epoch: of the change
 *
 * Replies older than that make inodes whose attributes are uncertain.
 */
void fusex_note_lost(struct super_block *sb, u64 epoch)
{
	atomic64_t *lost = &fusex_sb(sb)->lost_epoch;
	s64 old = atomic64_read(lost);

	while (old < (s64)epoch && !atomic64_try_cmpxchg(lost, &old, epoch))
		;
}

/* What an entry says about absence, unless the kernel knows better. */
static void fusex_note_absence(struct inode *inode, const struct fusex_entry *e,
			       u64 epoch)
{
	struct fusex_inode *fi = fusex_i(inode);

	/* A change takes its epoch under the lock before it clears them. */
	spin_lock(&fi->lock);
	if (epoch >= fi->epoch) {
		if (e->flags & FUSEX_ENTRY_NO_XATTR) {
			set_bit(FUSEX_I_NO_XATTR, &fi->state);
			set_bit(FUSEX_I_NO_CAPS, &fi->state);
		}
		if (e->flags & FUSEX_ENTRY_NO_ACL)
			set_bit(FUSEX_I_NO_ACL, &fi->state);
	}
	spin_unlock(&fi->lock);
}

static struct fusex_bobj *fusex_inode_backing(struct inode *inode, u32 cookie)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_call call = { .op = FUSEX_OP_LOOKUP, .node = inode };
	struct fusex_bobj *bobj;

	bobj = fusex_backing_find(chan, cookie, FUSEX_BACKING_FILE);
	if (!bobj)
		fusex_bad_reply(chan, &call, "backing is not registered");
	return bobj;
}

/* Make the new @inode, locked by I_NEW, what the entry says. */
static struct inode *fusex_inode_fill(struct inode *inode,
				      const struct fusex_entry *e,
				      const void *handle, u64 epoch)
{
	struct fusex_inode *fi = fusex_i(inode);
	const struct fusex_attr *a = &e->attr;

	fi->nlookup = 1;
	if (e->backing) {
		fi->bobj = fusex_inode_backing(inode, e->backing);
		if (!fi->bobj) {
			iget_failed(inode);
			return ERR_PTR(-EFSCORRUPTED);
		}
	}
	if (e->handle_len) {
		fi->handle = kmemdup(handle, e->handle_len, GFP_KERNEL_ACCOUNT);
		if (!fi->handle) {
			/* Eviction gives the lookup back. */
			iget_failed(inode);
			return ERR_PTR(-ENOMEM);
		}
		fi->handle_len = e->handle_len;
	}
	inode->i_mode = a->mode;
	if (a->mask & FUSEX_ATTR_RDEV)
		inode->i_rdev = MKDEV(a->rdev_major, a->rdev_minor);
	fusex_inode_set_attr_mode(inode, e->attr_mode);
	fusex_inode_set_io(inode, e->io_mode);
	fusex_attr_init(inode, a, e->attr_valid, epoch);
	fusex_note_absence(inode, e, epoch);
	if (e->flags & FUSEX_ENTRY_NO_ACL)
		cache_no_acl(inode);
	unlock_new_inode(inode);

	/*
	 * A notification that came while the inode was locked has not found
	 * it; fusex_ifind() tells how they meet.
	 */
	smp_mb();
	if (epoch < atomic64_read(&fusex_sb(inode->i_sb)->lost_epoch)) {
		fusex_attr_uncertain(inode);
		fusex_attr_forget_absence(inode);
	}
	return inode;
}

/* The entry names a node that is known already. */
static struct inode *fusex_inode_again(struct inode *inode,
				       const struct fusex_entry *e, u64 epoch,
				       u32 did)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_attr_reply r = {
		.attr = &e->attr,
		.valid = e->attr_valid,
		.epoch = epoch,
		.did = did,
	};

	if (inode_wrong_type(inode, e->attr.mode)) {
		struct fusex_call call = {
			.op = FUSEX_OP_LOOKUP,
			.node = inode,
		};

		fusex_bad_reply(fusex_chan_of(inode), &call,
				"the type of a node changed");
		fusex_inode_gone(inode);
		fusex_forget_unborn(inode->i_sb, e->nodeid, e->generation);
		iput(inode);
		return ERR_PTR(-EFSCORRUPTED);
	}
	spin_lock(&fi->lock);
	fi->nlookup++;
	spin_unlock(&fi->lock);
	/* Before the attributes: what they make stale is forgotten with them. */
	fusex_attr_apply(inode, &r);
	fusex_note_absence(inode, e, epoch);
	return inode;
}

/**
 * fusex_iget_did - the inode of an entry, after an operation on it
 * @sb: the super block
 * @e: validated, names a node
 * @handle: its handle, e->handle_len bytes
 * @epoch: fusex_chan_epoch() from before the request was queued
 * @did: FUSEX_DID_* that the operation did to the node, if it was known
 *
 * Takes over the lookup that the entry counts as.
 *
 * Context: may sleep; may wait for an eviction, so not in the server's thread.
 * Return: the inode with a reference; -ENOMEM; -EFSCORRUPTED for a node whose
 * type is not what it was: the old inode's identity has ended then.
 */
struct inode *fusex_iget_did(struct super_block *sb,
			     const struct fusex_entry *e, const void *handle,
			     u64 epoch, u32 did)
{
	struct fusex_id id = {
		.nodeid = e->nodeid,
		.generation = e->generation,
	};
	struct inode *inode;

	inode = iget5_locked(sb, fusex_id_hash(&id), fusex_id_test,
			     fusex_id_set, &id);
	if (!inode) {
		fusex_forget_unborn(sb, e->nodeid, e->generation);
		return ERR_PTR(-ENOMEM);
	}
	if (inode_state_read_once(inode) & I_NEW)
		return fusex_inode_fill(inode, e, handle, epoch);
	return fusex_inode_again(inode, e, epoch, did);
}

/**
 * fusex_iget - the inode of an entry
 * @sb: the super block
 * @e: validated, names a node
 * @handle: its handle, e->handle_len bytes
 * @epoch: fusex_chan_epoch() from before the request was queued
 *
 * See fusex_iget_did().
 *
 * Return: the inode with a reference, or an error pointer.
 */
struct inode *fusex_iget(struct super_block *sb, const struct fusex_entry *e,
			 const void *handle, u64 epoch)
{
	return fusex_iget_did(sb, e, handle, epoch, 0);
}

static int fusex_ifind_match(struct inode *inode, u64 hash, void *data)
{
	int found = 0;

	if (!fusex_id_test(inode, data))
		return 0;
	spin_lock(&inode->i_lock);
	if (!(inode_state_read(inode) &
	      (I_NEW | I_CREATING | I_FREEING | I_WILL_FREE))) {
		__iget(inode);
		found = 1;
	}
	spin_unlock(&inode->i_lock);
	return found;
}

/**
 * fusex_ifind - the inode of an identity, if there is one
 * @sb: the super block
 * @nodeid: the node
 * @generation: its generation
 *
 * Does not wait for inodes that are coming or going, because that may mean to
 * wait for the server in a thread of the server's.  Whoever has something to
 * say to one that is coming calls fusex_note_lost() first, and whoever makes
 * it looks at that when it has come.
 *
 * Context: does not sleep.
 * Return: the inode with a reference, which only fusex_chan_defer_iput() may
 * drop in a thread of the server's; or NULL.
 */
struct inode *fusex_ifind(struct super_block *sb, u64 nodeid, u32 generation)
{
	struct fusex_id id = { .nodeid = nodeid, .generation = generation };

	return find_inode_nowait(sb, fusex_id_hash(&id), fusex_ifind_match,
				 &id);
}

static void fusex_unhash_aliases(struct inode *inode)
{
	struct dentry *dentry;

	spin_lock(&inode->i_lock);
	for_each_alias(dentry, inode) {
		spin_lock(&dentry->d_lock);
		__d_drop(dentry);
		spin_unlock(&dentry->d_lock);
	}
	spin_unlock(&inode->i_lock);
}

/**
 * fusex_inode_gone - an identity has ended
 * @inode: its inode; the root stays what it is
 *
 * Open files finish in the inode; names lead to a new one.  It is not unhashed
 * but passed over, so that what it has to write back is written back, and it
 * is evicted as soon as nobody uses it.
 *
 * Context: does not wait for the server.
 */
void fusex_inode_gone(struct inode *inode)
{
	const struct fusex_entry *root = &fusex_conf_of(inode)->root;

	/* By its identity: the super block has no dentry for it at the end. */
	if (fusex_i(inode)->nodeid == root->nodeid &&
	    inode->i_generation == root->generation)
		return;
	WRITE_ONCE(fusex_sb(inode->i_sb)->ends_identities, true);
	set_bit(FUSEX_I_GONE, &fusex_i(inode)->state);
	fusex_unhash_aliases(inode);
	fusex_prune_later(inode);
}

/**
 * fusex_alloc_inode - memory for an inode
 * @sb: the super block
 *
 * Return: the inode, or NULL.
 */
struct inode *fusex_alloc_inode(struct super_block *sb)
{
	struct fusex_inode *fi;

	fi = alloc_inode_sb(sb, fusex_inode_cachep, GFP_KERNEL);
	if (!fi)
		return NULL;
	memset_after(fi, 0, vfs_inode);
	spin_lock_init(&fi->lock);
	INIT_LIST_HEAD(&fi->writers);
	fi->io = &fusex_io_none;
	fi->forget = fusex_forget_alloc(GFP_KERNEL_ACCOUNT);
	if (!fi->forget) {
		kmem_cache_free(fusex_inode_cachep, fi);
		return NULL;
	}
	return &fi->vfs_inode;
}

/**
 * fusex_free_inode - give the memory of an inode back
 * @inode: evicted, and no RCU walk sees it any more
 */
void fusex_free_inode(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kfree(fi->handle);
	fusex_forget_free(fi->forget);
	kmem_cache_free(fusex_inode_cachep, fi);
}

/* ---------------------------------------------------------- letting it go */

/*
 * Who drops the last reference to an inode may be reclaiming memory, which the
 * server may need before it answers; and no signal ends the waits of VFS's that
 * are then due.  So a worker drops it instead, if there is anything to wait for.
 */
struct fusex_let_go {
	struct work_struct work;
	struct inode *inode;
	const struct task_struct *task;
	struct list_head link;
};

/**
 * fusex_inode_uncached - is an inode to go when nobody has it any more?
 * @inode: the inode
 *
 * Context: any.
 * Return: true after d_mark_dontcache().
 */
bool fusex_inode_uncached(struct inode *inode)
{
	return inode_state_read_once(inode) & I_DONTCACHE ||
	       test_bit(FUSEX_I_UNCACHED, &fusex_i(inode)->state);
}

/*
 * Is what is dirty to be written back before it goes?  That the kernel has removed the
 * last name it knows of is not to say that the server knows no other.
 */
static bool fusex_stays(struct inode *inode)
{
	const struct fusex_attr_ops *attr = fusex_i(inode)->attr;

	return inode->i_nlink || (attr->shared && !attr->fresh(inode));
}

/*
 * Will VFS wait for the server when nobody has it any more?  What has a name is
 * written back then, if it is not to be cached.
 */
static bool fusex_goes_slowly(struct inode *inode)
{
	const struct address_space *mapping = inode->i_mapping;
	unsigned int state = inode_state_read_once(inode);
	int drop = inode_generic_drop(inode);

	if (!drop && !fusex_inode_uncached(inode))
		return false;
	if (state & I_SYNC || mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK))
		return true;
	if (!drop && state & I_DIRTY_ALL)
		return true;
	return mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) &&
	       fusex_stays(inode);
}

/* It may wait for the server when it drops the inode; nobody else may. */
static void fusex_let_go_put(struct fusex_let_go *go, struct fusex_sb *fsb)
{
	go->task = current;
	spin_lock(&fsb->going_lock);
	list_add(&go->link, &fsb->going);
	spin_unlock(&fsb->going_lock);
	iput(go->inode);
	spin_lock(&fsb->going_lock);
	list_del(&go->link);
	spin_unlock(&fsb->going_lock);
}

static void fusex_let_go_work(struct work_struct *work)
{
	struct fusex_let_go *go = container_of(work, struct fusex_let_go, work);
	struct inode *inode = go->inode;
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);

	/* Whoever looks it up meanwhile finds it, and does not wait. */
	if (fusex_stays(inode))
		write_inode_now(inode, 1);
	else
		filemap_fdatawait_keep_errors(inode->i_mapping);
	clear_and_wake_up_bit(FUSEX_I_LETTING_GO, &fusex_i(inode)->state);
	fusex_let_go_put(go, fsb);
	kfree(go);
	fusex_io_later_end(fsb);
}

/* Is it the worker?  What its allocations drop may not wait. */
static bool fusex_lets_go(struct inode *inode)
{
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);
	const struct fusex_let_go *go;
	bool found = false;

	if ((current->flags & (PF_WQ_WORKER | PF_MEMALLOC)) != PF_WQ_WORKER)
		return false;
	spin_lock(&fsb->going_lock);
	list_for_each_entry(go, &fsb->going, link) {
		if (go->inode == inode && go->task == current) {
			found = true;
			break;
		}
	}
	spin_unlock(&fsb->going_lock);
	return found;
}

/**
 * fusex_inode_let_go - have a worker wait for what the last put would wait for
 * @inode: a reference is held, and dropped afterwards
 *
 * Context: process, does not wait for the server.
 * Return: true if FUSEX_I_LETTING_GO is cleared when there is nothing to wait for.
 */
bool fusex_inode_let_go(struct inode *inode)
{
	struct fusex_let_go *go;

	if (icount_read_once(inode) > 1 || !fusex_goes_slowly(inode) ||
	    test_and_set_bit(FUSEX_I_LETTING_GO, &fusex_i(inode)->state))
		return false;
	go = kmalloc_obj(*go, GFP_KERNEL | __GFP_NOFAIL);
	INIT_WORK(&go->work, fusex_let_go_work);
	go->inode = inode;
	fusex_io_later(inode, &go->work);
	return true;
}

/**
 * fusex_d_iput - a name lets go of its inode
 * @dentry: the name
 * @inode: its inode, the reference is taken over
 *
 * Programs wait until a file that is not to be cached is gone, as who opens it next
 * expects a new inode; but not when they are killed.
 *
 * Context: process, sleeps on the server, killable; does not sleep on it in memory
 * reclaim, in kernel threads and in exiting tasks.
 */
void fusex_d_iput(struct dentry *dentry, struct inode *inode)
{
	const unsigned int others = PF_MEMALLOC | PF_KTHREAD | PF_EXITING;

	if (!inode_generic_drop(inode) && !(current->flags & others) &&
	    fusex_inode_let_go(inode))
		wait_on_bit(&fusex_i(inode)->state, FUSEX_I_LETTING_GO,
			    TASK_KILLABLE);
	iput(inode);
}

/**
 * fusex_drop_inode - nobody has an inode any more
 * @inode: its i_lock is held
 *
 * Return: nonzero to evict it without writing it back.
 */
int fusex_drop_inode(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);
	int drop = inode_generic_drop(inode);

	if (test_and_clear_bit(FUSEX_I_UNCACHED, &fi->state))
		inode_state_set(inode, I_DONTCACHE);
	if (!fusex_goes_slowly(inode) || fusex_lets_go(inode) ||
	    !fusex_chan_keep_inode(fusex_chan_of(inode), inode))
		return drop;
	/* Or VFS would write it back all the same. */
	if (inode_state_read(inode) & I_DONTCACHE) {
		set_bit(FUSEX_I_UNCACHED, &fi->state);
		inode_state_clear(inode, I_DONTCACHE);
	}
	return 0;
}

/**
 * fusex_evict_inode - an inode leaves the cache
 * @inode: unused, clean
 *
 * Context: does not wait for the server.  Allocates nothing.
 */
void fusex_evict_inode(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	/*
	 * Readahead that nobody is going to see keeps folios locked, and no
	 * signal ends a wait for those.
	 */
	if (!mapping_empty(&inode->i_data))
		fusex_call_abandon_reads(fusex_chan_of(inode), inode);
	if (fi->io->going)
		fi->io->going(inode);
	truncate_inode_pages_final(&inode->i_data);
	if (fi->io->evict)
		fi->io->evict(inode);
	fusex_backing_put(fi->bobj);
	clear_inode(inode);

	/* Nothing comes back to a file system that is being unmounted. */
	if (!(inode->i_sb->s_flags & SB_ACTIVE))
		return;
	if (inode->i_nlink)
		fusex_note_lost(inode->i_sb, fi->epoch);
	if (fi->nlookup) {
		fusex_forget_queue(fusex_chan_of(inode), fi->forget,
				   fi->nodeid, inode->i_generation,
				   fi->nlookup);
		fi->forget = NULL;
	}
}

static void fusex_inode_init_once(void *p)
{
	struct fusex_inode *fi = p;

	inode_init_once(&fi->vfs_inode);
}

/**
 * fusex_inode_cache_init - make the cache of inodes
 *
 * Return: 0 or -ENOMEM.
 */
int __init fusex_inode_cache_init(void)
{
	fusex_inode_cachep = kmem_cache_create("fusex_inode",
					       sizeof(struct fusex_inode), 0,
					       SLAB_HWCACHE_ALIGN |
					       SLAB_RECLAIM_ACCOUNT |
					       SLAB_ACCOUNT,
					       fusex_inode_init_once);
	return fusex_inode_cachep ? 0 : -ENOMEM;
}

/**
 * fusex_inode_cache_exit - free the cache of inodes
 */
void fusex_inode_cache_exit(void)
{
	/* Inodes are freed by RCU. */
	rcu_barrier();
	kmem_cache_destroy(fusex_inode_cachep);
}

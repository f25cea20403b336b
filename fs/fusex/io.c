// SPDX-License-Identifier: GPL-2.0
/*
 * The setter of the data tables, and what every mode needs to send a request
 * about data.  This file and nothing else knows which mode an inode has.
 */
#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/user_namespace.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "io.h"
#include "validate.h"

/* Threads that the server of an ordinary user may hold up. */
#define FUSEX_USER_WORKERS	256

/* A mode with nothing in its table is one this kernel lacks. */
static const struct fusex_io_table *const fusex_io_tables[FUSEX_IO_NR] = {
	[FUSEX_IO_PLAIN]	= &fusex_io_plain,
	[FUSEX_IO_DIRECT]	= &fusex_io_direct,
	[FUSEX_IO_WRITEBACK]	= &fusex_io_writeback,
	[FUSEX_IO_PASSTHROUGH]	= &fusex_io_passthrough,
	[FUSEX_IO_IOMAP]	= &fusex_io_iomap,
	[FUSEX_IO_DAX]		= &fusex_io_dax,
};

/**
 * fusex_io_mode_supported - may the setup call name this mode?
 * @mode: enum fusex_io_mode, unchecked
 *
 * Context: any.
 * Return: true if inodes can be given the mode.
 */
bool fusex_io_mode_supported(u8 mode)
{
	return mode < FUSEX_IO_NR && fusex_io_tables[mode] &&
	       fusex_io_tables[mode]->fops;
}

/**
 * fusex_none_setsize_begin - fusex_io_ops.setsize_begin without a page cache
 * @inode: not used
 * @size: not used
 *
 * Return: 0.
 */
int fusex_none_setsize_begin(struct inode *inode, loff_t size)
{
	return 0;
}

static void fusex_none_setsize_end(struct inode *inode, loff_t oldsize,
				   loff_t size)
{
}

/**
 * fusex_none_range - invalidate and write_back of fusex_io_ops, likewise
 * @inode: not used
 * @start: not used
 * @end: not used
 *
 * Return: 0.
 */
int fusex_none_range(struct inode *inode, loff_t start, loff_t end)
{
	return 0;
}

/* Hooks of inodes that have no data of their own. */
const struct fusex_io_ops fusex_io_none = {
	.setsize_begin	= fusex_none_setsize_begin,
	.setsize_end	= fusex_none_setsize_end,
	.invalidate	= fusex_none_range,
	.write_back	= fusex_none_range,
};

#ifdef CONFIG_LOCKDEP
/* Lock classes of inodes, for each depth. */
struct fusex_lock_keys {
	struct lock_class_key rwsem[FILESYSTEM_MAX_STACK_DEPTH];
	struct lock_class_key invalidate[FILESYSTEM_MAX_STACK_DEPTH];
};

static struct fusex_lock_keys fusex_dir_keys, fusex_file_keys, fusex_stack_keys;
#endif

/*
 * Locks of an inode that stacks come before those of one below, which may be
 * one of ours on another super block.  The first are also taken before a pipe
 * is locked, those of other files after it.
 */
static void fusex_set_depth(struct inode *inode)
{
#ifdef CONFIG_LOCKDEP
	int depth = inode->i_sb->s_stack_depth;
	struct fusex_lock_keys *keys = &fusex_file_keys;

	if (!depth)
		return;
	if (S_ISDIR(inode->i_mode))
		keys = &fusex_dir_keys;
	else if (fusex_i(inode)->io->stacks)
		keys = &fusex_stack_keys;
	lockdep_set_class(&inode->i_rwsem, &keys->rwsem[depth - 1]);
	lockdep_set_class(&inode->i_mapping->invalidate_lock,
			  &keys->invalidate[depth - 1]);
#endif
}

static void fusex_set_io_regular(struct inode *inode, u8 mode)
{
	const struct fusex_io_table *table;

	if (mode == FUSEX_IO_DEFAULT)
		mode = fusex_conf_of(inode)->io_mode;
	/* Entries are checked before they get here. */
	if (WARN_ON_ONCE(!fusex_io_mode_supported(mode)))
		mode = FUSEX_IO_PLAIN;
	table = fusex_io_tables[mode];
	if (table->usable && !table->usable(inode) &&
	    fusex_conf_of(inode)->io_modes & BIT(table->instead))
		table = fusex_io_tables[table->instead];
	inode->i_flags |= table->io->i_flags;
	inode->i_fop = fusex_conf_of(inode)->features & FUSEX_F_POLL ?
		       table->poll_fops : table->fops;
	inode->i_mapping->a_ops = table->aops;
	fusex_i(inode)->io = table->io;
	if (table->io->large_folios)
		mapping_set_large_folios(inode->i_mapping);
	/* It may be the server that reclaims, for which nobody else writes. */
	mapping_set_writeback_may_deadlock_on_reclaim(inode->i_mapping);
	/* A block larger than a page could not be cached page by page. */
	if (inode->i_blkbits > PAGE_SHIFT)
		inode->i_blkbits = PAGE_SHIFT;
}

/**
 * fusex_inode_set_io - decide how the data of an inode moves
 * @inode: new, type and i_rdev are set, not visible to others yet
 * @mode: enum fusex_io_mode of its entry, checked; of no meaning unless the
 *	inode is a regular file
 *
 * Called exactly once for an inode.
 *
 * Context: any.
 */
void fusex_inode_set_io(struct inode *inode, u8 mode)
{
	struct fusex_inode *fi = fusex_i(inode);

	INIT_LIST_HEAD(&fi->writers);
	fi->io = &fusex_io_none;
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		fusex_set_io_regular(inode, mode);
		break;
	case S_IFDIR:
		inode->i_fop = &fusex_dir_fops;
		break;
	case S_IFLNK:
		break;
	default:
		init_special_inode(inode, inode->i_mode, inode->i_rdev);
	}
	fusex_set_depth(inode);
}

/**
 * fusex_io_uncertain - may the server have done what the caller gave up on?
 * @call: a call that changes something, ended
 *
 * Context: any.
 * Return: true if the kernel cannot know; see fusex_attr_uncertain().
 */
bool fusex_io_uncertain(const struct fusex_call *call)
{
	if (!call->sent)
		return false;
	switch (call->error) {
	case -EINTR:
	case -ERESTARTSYS:
	case -ETIMEDOUT:
	case -ENOTCONN:
	case -EFSCORRUPTED:
		return true;
	}
	return false;
}

/**
 * fusex_io_flags - O_* flags of a read or write as the server is told them
 * @iocb: the operation
 *
 * Context: any.
 * Return: flags of the open file with RWF_DSYNC, RWF_SYNC and RWF_APPEND of
 * this one operation folded in.
 */
u32 fusex_io_flags(const struct kiocb *iocb)
{
	u32 flags = iocb->ki_filp->f_flags;

	if (iocb->ki_flags & IOCB_SYNC)
		flags |= O_SYNC;
	else if (iocb->ki_flags & IOCB_DSYNC)
		flags |= O_DSYNC;
	if (iocb->ki_flags & IOCB_APPEND)
		flags |= O_APPEND;
	else
		flags &= ~O_APPEND;
	return flags;
}

/**
 * fusex_read_arg - fill the argument of READ
 * @in: to be filled
 * @file: open file of the caller, or NULL when there is none
 * @pos: where, bytes
 * @len: how much, at most fusex_conf.max_read
 *
 * Context: any.
 */
void fusex_read_arg(struct fusex_read_in *in, struct file *file, loff_t pos,
		    size_t len)
{
	*in = (struct fusex_read_in) {
		.fh	= fusex_fh(file),
		.offset	= pos,
		.size	= len,
		.flags	= file ? file->f_flags : 0,
	};
}

/**
 * fusex_read_send - read file data with one request
 * @inode: the file
 * @file: open file of the caller, or NULL
 * @pos: where, bytes
 * @bvec: memory to fill
 * @skip: bytes at the beginning to pass over
 * @len: bytes wanted, at most fusex_conf.max_read
 *
 * Context: process, sleeps on the server, killable.
 * Return: bytes read, fewer than @len at the end of the file, or an error.
 */
ssize_t fusex_read_send(struct inode *inode, struct file *file, loff_t pos,
			const struct bio_vec *bvec, size_t skip, size_t len)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	u64 epoch = fusex_chan_epoch(chan);
	struct fusex_read_in in;
	struct fusex_call call = {
		.op		= FUSEX_OP_READ,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out_bvec	= bvec,
		.out_skip	= skip,
		.out_bytes	= len,
	};
	int err;

	fusex_read_arg(&in, file, pos, len);
	err = fusex_call(chan, &call);
	if (err)
		return err;
	/* Less than there was: what is known of the size may be too old. */
	if (call.got < len)
		fusex_attr_apply(inode, &(struct fusex_attr_reply) {
			.epoch = epoch,
		});
	return call.got;
}

/**
 * fusex_write_taken - take what the server says about data it has taken
 * @inode: the file
 * @call: ended, checked; its first reply segment is a struct fusex_write_out
 * @epoch: fusex_chan_epoch() noted before it was queued
 * @did: FUSEX_DID_* for the attributes
 *
 * Context: process, does not wait for the server.
 * Return: bytes the server took, or the error of the call.
 */
ssize_t fusex_write_taken(struct inode *inode, const struct fusex_call *call,
			  u64 epoch, u32 did)
{
	const struct fusex_write_out *out = call->out[0].base;

	if (call->error) {
		if (fusex_io_uncertain(call))
			fusex_attr_uncertain(inode);
		return call->error;
	}
	fusex_attr_apply(inode, &(struct fusex_attr_reply) {
		.attr	= &out->attr,
		.valid	= out->attr_valid,
		.epoch	= epoch,
		.did	= did,
	});
	return out->written;
}

/**
 * fusex_write_reply - check and take what the server says about a WRITE
 * @inode: the file
 * @call: ended; its argument is a struct fusex_write_in and its first reply
 *	segment a struct fusex_write_out
 * @epoch: fusex_chan_epoch() noted before it was queued
 * @did: FUSEX_DID_* for the attributes
 *
 * Context: process, does not wait for the server.
 * Return: bytes the server took, at least 1, or the error of the call.
 */
int fusex_write_reply(struct inode *inode, struct fusex_call *call, u64 epoch,
		      u32 did)
{
	const struct fusex_write_in *in = call->arg;
	const struct fusex_write_out *out = call->out[0].base;
	const char *why;

	if (!call->error) {
		call->error = fusex_check_write(fusex_conf_of(inode), in, out,
						&why);
		if (call->error)
			fusex_bad_reply(fusex_chan_of(inode), call, why);
	}
	return fusex_write_taken(inode, call, epoch, did);
}

/**
 * fusex_write_send - write file data with one request
 * @inode: the file
 * @file: open file of the caller
 * @pos: where, bytes; returns where the data went
 * @bvec: the data
 * @skip: bytes at the beginning to pass over
 * @len: bytes, at most fusex_conf.max_write
 * @open_flags: fusex_io_flags()
 * @write_flags: FUSEX_WRITE_*
 *
 * Context: process, sleeps on the server, killable.  i_rwsem is held.
 * Return: bytes written, at least 1, or an error.
 */
ssize_t fusex_write_send(struct inode *inode, struct file *file, loff_t *pos,
			 const struct bio_vec *bvec, size_t skip, size_t len,
			 u32 open_flags, u32 write_flags)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	u64 epoch = fusex_chan_epoch(chan);
	struct fusex_write_in in = {
		.fh		= fusex_fh(file),
		.offset		= *pos,
		.size		= len,
		.flags		= open_flags,
		.write_flags	= write_flags,
	};
	struct fusex_write_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_WRITE,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.in_bvec	= bvec,
		.in_skip	= skip,
		.in_bytes	= len,
		.out[0]		= { &out, sizeof(out) },
	};
	int ret;

	fusex_call(chan, &call);
	ret = fusex_write_reply(inode, &call, epoch, FUSEX_DID_DATA);
	if (ret > 0)
		*pos = out.offset;
	return ret;
}

/**
 * fusex_io_write_size - know the size of the file that a write goes by
 * @iocb: the write; i_rwsem is held
 *
 * Whoever appends goes to the end of it.  Any other write needs it, too, when
 * the kernel lost track, because of a write that was given up say: what is
 * beyond the size is taken to be zero.
 *
 * Context: process, sleeps on the server, killable, unless @iocb must not.
 * Return: 0, -EAGAIN if it must not, or an error.
 */
int fusex_io_write_size(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fusex_inode *fi = fusex_i(inode);
	bool stale = test_bit(FUSEX_I_STALE, &fi->state);

	lockdep_assert_held(&inode->i_rwsem);
	if (!stale && !(iocb->ki_flags & IOCB_APPEND))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT && (stale || !fi->attr->fresh(inode)))
		return -EAGAIN;
	return fi->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
}

/**
 * fusex_io_written - drop cached data that a write has shown to be outdated
 * @inode: the file; i_rwsem is held, i_size is what it is after the write
 * @oldsize: i_size before, bytes
 * @end: byte after the last one written
 *
 * The attributes in the reply to a write are not compared with the old ones,
 * because the write changes them.  But if the size is not what the write has
 * made of it, somebody else was there.
 *
 * Context: process, does not wait for the server.
 */
void fusex_io_written(struct inode *inode, loff_t oldsize, loff_t end)
{
	if (i_size_read(inode) != max(oldsize, end))
		fusex_i(inode)->io->invalidate(inode, 0, LLONG_MAX);
}

/**
 * fusex_io_write_back - make the server know what is cached, before a change
 * @inode: of any type
 *
 * For changes that what is written later would undo, or that would keep it from
 * being written.  What becomes of the data is for fsync to tell.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, or -EINTR when killed.
 */
int fusex_io_write_back(struct inode *inode)
{
	if (!fusex_io_due(inode))
		return 0;
	fusex_i(inode)->io->write_back(inode, 0, LLONG_MAX);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * fusex_dio_drain - wait until no direct I/O of an inode is going on
 * @inode: of any file system
 *
 * Context: process, killable.
 * Return: 0, or -EINTR when killed.
 */
int fusex_dio_drain(struct inode *inode)
{
	/* Some, which take no lock, may have begun meanwhile. */
	while (atomic_read(&inode->i_dio_count)) {
		if (wait_var_event_killable(&inode->i_dio_count,
					    !atomic_read(&inode->i_dio_count)))
			return -EINTR;
	}
	return 0;
}

/**
 * fusex_io_dio_close - wait until no request moves data from or to programs
 * @inode: the file, i_rwsem is held, so that no write starts
 *
 * Reads do without that lock, so a write may wait for a read at the server.  Those
 * that come from now on wait for fusex_io_dio_open(), or who takes turns at reading
 * could keep everybody from writing.
 *
 * What a read stores to may be a mapping of the same file, so whoever waits here must
 * not have what a fault takes.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, followed by fusex_io_dio_open(), or -EINTR.
 */
int fusex_io_dio_close(struct inode *inode)
{
	int err;

	/* One at a time. */
	lockdep_assert_held_write(&inode->i_rwsem);
	set_bit(FUSEX_I_DRAINING, &fusex_i(inode)->state);
	/* Either a read sees it, or it is waited for. */
	smp_mb__after_atomic();
	err = fusex_dio_drain(inode);
	if (err)
		fusex_io_dio_open(inode);
	return err;
}

/**
 * fusex_io_dio_open - let reads begin again
 * @inode: as of fusex_io_dio_close()
 *
 * Context: process.
 */
void fusex_io_dio_open(struct inode *inode)
{
	clear_and_wake_up_bit(FUSEX_I_DRAINING, &fusex_i(inode)->state);
}

/**
 * fusex_io_dio_wait - wait until what moves data from or to programs has ended
 * @inode: as of fusex_io_dio_close(); reads may begin again afterwards
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or -EINTR.
 */
int fusex_io_dio_wait(struct inode *inode)
{
	int err;

	lockdep_assert_held_write(&inode->i_rwsem);
	if (!atomic_read(&inode->i_dio_count))
		return 0;
	err = fusex_io_dio_close(inode);
	if (!err)
		fusex_io_dio_open(inode);
	return err;
}

/* The inode is kept. */
static void io_late_queue(struct inode *inode, struct work_struct *work)
{
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);

	atomic_inc(&fsb->io_late);
	queue_work(fsb->io_wq, work);
}

/**
 * fusex_io_later - do something that may wait for the server, later
 * @inode: kept until the work is done
 * @work: ends with fusex_io_later_done()
 *
 * For what must not be done where we are: in the server's own context, or in a
 * task that has been killed.
 *
 * Context: any that holds a reference to the inode.
 */
void fusex_io_later(struct inode *inode, struct work_struct *work)
{
	ihold(inode);
	io_late_queue(inode, work);
}

/**
 * fusex_io_later_grab - likewise, for who may have no reference
 * @inode: kept until the work is done
 * @work: ends with fusex_io_later_done()
 *
 * The end of writeback has none: its folios keep the inode's memory, but not
 * the inode from going.
 *
 * Context: any in which the inode cannot be freed.
 * Return: false if it is going, and nothing will be done.
 */
bool fusex_io_later_grab(struct inode *inode, struct work_struct *work)
{
	if (!igrab(inode))
		return false;
	io_late_queue(inode, work);
	return true;
}

/**
 * fusex_io_later_delayed - likewise, after a while
 * @inode: kept until the work is done
 * @work: ends with fusex_io_later_done()
 * @delay: jiffies
 *
 * Context: any that holds a reference to the inode.
 */
void fusex_io_later_delayed(struct inode *inode, struct delayed_work *work,
			    unsigned long delay)
{
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);

	ihold(inode);
	atomic_inc(&fsb->io_late);
	queue_delayed_work(fsb->io_wq, work, delay);
}

/**
 * fusex_io_later_end - the end of a work function that has dropped its inode
 * @fsb: whose unmount may not have waited for anything else
 *
 * Context: workqueue.
 */
void fusex_io_later_end(struct fusex_sb *fsb)
{
	if (atomic_dec_and_test(&fsb->io_late))
		wake_up_var(&fsb->io_late);
}

/**
 * fusex_io_later_done - the end of a work function
 * @inode: as given to fusex_io_later(), not to be used afterwards
 *
 * Context: workqueue.
 */
void fusex_io_later_done(struct inode *inode)
{
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);

	iput(inode);
	fusex_io_later_end(fsb);
}

/**
 * fusex_io_later_not - the work was cancelled before it began
 * @inode: as given to fusex_io_later_delayed(); what keeps it for the caller may
 *         be less than a reference, as in writeback
 *
 * Context: process, does not sleep.
 */
void fusex_io_later_not(struct inode *inode)
{
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);

	fusex_chan_defer_iput(fsb->chan, inode);
	fusex_io_later_end(fsb);
}

/**
 * fusex_io_progress - does an unmount get on?
 * @fsb: being unmounted
 *
 * A device takes as long as it takes: the server, which waits for it as well, is not
 * given up for that.
 *
 * Return: another number than before if the server has answered something, or if
 * writeback is on a device, or was.
 */
u64 fusex_io_progress(const struct fusex_sb *fsb)
{
	u64 answers = fusex_chan_answers(fsb->chan);

	return atomic_read(&fsb->wb_bios) ? answers + get_jiffies_64() : answers;
}

static int fusex_io_wait_late(struct fusex_sb *fsb)
{
	if (likely(!(current->flags & PF_EXITING)))
		return wait_var_event_killable(&fsb->io_late,
					       !atomic_read(&fsb->io_late));
	if (fusex_wait_while(fusex_io_progress(fsb),
			     wait_var_event_timeout(&fsb->io_late,
						    !atomic_read(&fsb->io_late),
						    FUSEX_EXIT_WAIT)))
		return 0;
	return -EINTR;
}

/**
 * fusex_io_drain - wait until nothing is left to be done later
 * @sb: being unmounted, no file of it is open any more
 *
 * Who is killed while waiting for the server, or is exiting and sees no
 * progress, aborts the channel.
 *
 * Context: process, sleeps on the server, killable.
 */
void fusex_io_drain(struct super_block *sb)
{
	struct fusex_sb *fsb = fusex_sb(sb);

	if (fusex_io_wait_late(fsb)) {
		fusex_chan_abort(fsb->chan);
		wait_var_event(&fsb->io_late, !atomic_read(&fsb->io_late));
	}
}

/**
 * fusex_io_init - make what does things later
 * @fsb: nobody else knows it yet; what was agreed on is known
 * @ns: of who mounts it
 *
 * Each file system has its own, as what is done later may wait for its server: one
 * that hangs must not keep others from being written back, or unmounted.
 *
 * Context: process.
 * Return: 0 or -ENOMEM, either way followed by fusex_io_exit().
 */
int fusex_io_init(struct fusex_sb *fsb, const struct user_namespace *ns)
{
	int most = ns == &init_user_ns ? WQ_MAX_ACTIVE : FUSEX_USER_WORKERS;

	spin_lock_init(&fsb->going_lock);
	INIT_LIST_HEAD(&fsb->going);
	fsb->io_wq = alloc_workqueue("fusex_io", WQ_UNBOUND, most);
	if (!fsb->io_wq)
		return -ENOMEM;
	if (!(fsb->conf->io_modes & FUSEX_IO_MAPPED))
		return 0;
	fsb->ioend_wq = alloc_workqueue("fusex_ioend",
					WQ_MEM_RECLAIM | WQ_UNBOUND, most);
	return fsb->ioend_wq ? 0 : -ENOMEM;
}

/**
 * fusex_io_exit - undo fusex_io_init()
 * @fsb: has no inodes any more
 *
 * Context: process, waits until works that have done their last return.
 */
void fusex_io_exit(struct fusex_sb *fsb)
{
	if (fsb->io_wq)
		destroy_workqueue(fsb->io_wq);
	if (fsb->ioend_wq)
		destroy_workqueue(fsb->ioend_wq);
}

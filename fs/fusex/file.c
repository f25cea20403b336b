// SPDX-License-Identifier: GPL-2.0
/*
 * Open files, whatever their data path: what the server is told when files
 * are opened, closed and made durable; and open directories, whose table is
 * at the end.
 *
 * A file has a struct fusex_file only if somebody needs it: a server that
 * names open files, a poller, or the buffer of a directory being read.  So
 * with a server that keeps no state, open and close cost nothing.
 */

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/writeback.h>

#include "io.h"
#include "validate.h"

/* What is left of the flags of an open when the server hears of it. */
#define FUSEX_OPEN_FLAGS \
	(VALID_OPEN_FLAGS & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC))

/**
 * fusex_file_get - the struct fusex_file of an open file, made when needed
 * @file: open file of ours, the caller holds a reference
 *
 * Context: process, may sleep.  Any number of callers at a time.
 * Return: it, valid as long as @file, or NULL without memory.
 */
struct fusex_file *fusex_file_get(struct file *file)
{
	struct fusex_file *ff;
	void *old;

	/* Pairs with the cmpxchg() of whoever made it. */
	ff = smp_load_acquire(&file->private_data);
	if (ff)
		return ff;
	ff = kzalloc_obj(*ff, GFP_KERNEL_ACCOUNT);
	if (!ff)
		return NULL;
	refcount_set(&ff->ref, 1);
	INIT_LIST_HEAD(&ff->writer);
	init_waitqueue_head(&ff->poll_wait);
	old = cmpxchg(&file->private_data, NULL, ff);
	if (old) {
		kfree(ff);
		ff = old;
	}
	return ff;
}

/* ---------------------------------------------------------------- release */

struct fusex_release {
	struct fusex_call call;
	struct fusex_release_in in;
	struct fusex_chan *chan;
	struct fusex_kept kept;
};

static void release_end(struct fusex_call *call)
{
	struct fusex_release *r = container_of(call, struct fusex_release,
					       call);

	fusex_chan_defer_iput(r->chan, call->node);
	kfree(r);
}

/*
 * Closing does not wait for the server, so the request outlives the open file
 * and keeps the inode: no FORGET overtakes it.
 */
static struct fusex_release *release_make(struct inode *inode, u64 fh,
					  u32 flags, u64 owner)
{
	struct fusex_release *r;

	/* There is nobody to give an error to, and the server must know. */
	r = kzalloc_obj(*r, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	r->chan = fusex_chan_of(inode);
	r->in.fh = fh;
	r->in.flags = flags & FUSEX_OPEN_FLAGS;
	r->in.lock_owner = owner;
	r->call.op = FUSEX_OP_RELEASE;
	r->call.node = inode;
	r->call.arg = &r->in;
	r->call.arg_len = sizeof(r->in);
	r->call.end = release_end;
	ihold(inode);
	return r;
}

/*
 * May be in the server's own context.  Not while it is working on something that
 * names the open file, see stray.c.
 */
static void release_go(struct fusex_chan *chan, struct fusex_kept *kept)
{
	struct fusex_release *r = container_of(kept, struct fusex_release,
					       kept);

	if (fusex_stray_holds(chan, fusex_i(r->call.node)->nodeid, &r->in.fh,
			      kept))
		return;
	if (fusex_call_async(r->chan, &r->call, GFP_NOFS | __GFP_NOFAIL))
		release_end(&r->call);
}

static void release_send(struct fusex_release *r)
{
	r->kept.go = release_go;
	release_go(r->chan, &r->kept);
}

/**
 * fusex_file_hold - keep an open file from being released at the server
 * @file: open file that a request is going to name, or NULL
 *
 * For requests that may still be on their way when the file is closed.
 *
 * Context: any in which the caller has a reference to @file.
 * Return: for fusex_file_put(), NULL if there is nothing to release.
 */
struct fusex_file *fusex_file_hold(struct file *file)
{
	struct fusex_file *ff = NULL;

	if (file)
		/* Pairs with the cmpxchg() in fusex_file_get(). */
		ff = smp_load_acquire(&file->private_data);
	if (ff)
		refcount_inc(&ff->ref);
	return ff;
}

/**
 * fusex_file_put - undo fusex_file_hold()
 * @ff: what it returned
 *
 * Context: process, does not wait for the server; may be its own context.
 */
void fusex_file_put(struct fusex_file *ff)
{
	if (!ff || !refcount_dec_and_test(&ff->ref))
		return;
	if (ff->release)
		release_send(ff->release);
	kfree_rcu(ff, rcu);
}

/**
 * fusex_release_fh - give back an open file that never came to be
 * @inode: the file
 * @fh: the server's name for it
 * @flags: O_* of the open
 *
 * For a reply to OPEN, CREATE or TMPFILE that the kernel cannot use after all.
 *
 * Context: process, does not wait for the server.
 */
void fusex_release_fh(struct inode *inode, u64 fh, u32 flags)
{
	if (!(fusex_conf_of(inode)->features & FUSEX_F_NO_OPEN))
		release_send(release_make(inode, fh, flags, 0));
}

/**
 * fusex_file_release - tell the server, and free what is known of an open file
 * @inode: the file or directory
 * @ff: was private_data, nobody uses it any more
 * @flags: O_* of the open
 *
 * Readahead that names the file has to be answered first.
 *
 * Context: process, does not wait for the server.
 */
void fusex_file_release(struct inode *inode, struct fusex_file *ff, u32 flags)
{
	fusex_poll_release(ff);
	fusex_readdir_release(ff);
	if (ff->opened &&
	    !fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_RELEASE))
		ff->release = release_make(inode, ff->fh, flags, ff->owner);
	fusex_file_put(ff);
}

/**
 * fusex_release - the last reference to an open file is gone
 * @inode: the file or directory
 * @file: the open file
 *
 * The release operation of directories, and part of that of files.
 *
 * Context: process, does not wait for the server.
 * Return: 0.
 */
int fusex_release(struct inode *inode, struct file *file)
{
	struct fusex_file *ff = file->private_data;

	if (!ff)
		return 0;
	file->private_data = NULL;
	fusex_file_release(inode, ff, file->f_flags);
	return 0;
}

/* ------------------------------------------------------------------- open */

/* No file of this server has a name: it said so, or lacks OPEN. */
static bool open_is_free(struct inode *inode)
{
	return fusex_conf_of(inode)->features & FUSEX_F_NO_OPEN ||
	       fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_OPEN);
}

/**
 * fusex_open_finish - note what the server said about an open file
 * @inode: the file
 * @file: being opened; fusex_open() has not been called yet
 * @out: reply to OPEN, CREATE or TMPFILE, validated
 *
 * When the reply came with a new object, this goes before finish_open(), which
 * calls fusex_open(), which then finds nothing to ask.  If finish_open() fails
 * without FMODE_OPENED the caller calls fusex_release(), because VFS does not.
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM, and then the server has been told that the file is
 * not open.
 */
int fusex_open_finish(struct inode *inode, struct file *file,
		      const struct fusex_open_out *out)
{
	bool told = !(fusex_conf_of(inode)->features & FUSEX_F_NO_OPEN);
	struct fusex_file *ff;

	/* Nothing to remember, and nobody to tell at the end. */
	if (open_is_free(inode) && !out->flags && !(told && out->fh))
		return 0;
	ff = fusex_file_get(file);
	if (!ff) {
		fusex_release_fh(inode, out->fh, file->f_flags);
		return -ENOMEM;
	}
	ff->fh = out->fh;
	ff->flags = out->flags;
	if (fusex_conf_of(inode)->features & FUSEX_F_FLOCK)
		ff->owner = fusex_flock_new_owner();
	ff->opened = told;
	return 0;
}

/* Apart, for what is on its stack is cleared whether it is used or not. */
static noinline int open_send(struct inode *inode, struct file *file)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_open_in in = {
		.flags = file->f_flags & FUSEX_OPEN_FLAGS,
	};
	struct fusex_open_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_OPEN,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out[0]		= { &out, sizeof(out) },
	};
	const char *why;
	int err;

	err = fusex_call(chan, &call);
	if (err == -ENOSYS)
		return 0;
	if (err)
		return err;
	err = fusex_check_open(&out, &why);
	if (err) {
		fusex_bad_reply(chan, &call, why);
		fusex_release_fh(inode, out.fh, file->f_flags);
		return err;
	}
	return fusex_open_finish(inode, file, &out);
}

/**
 * fusex_open - the open operation of files and directories
 * @inode: what is opened
 * @file: the open file; fusex_open_finish() may have been called for it
 *
 * O_TRUNC is left to VFS, which truncates by a SETATTR of its own.
 *
 * Context: process, may sleep on the server, killable.
 * Return: 0 or an error of the server's.
 */
int fusex_open(struct inode *inode, struct file *file)
{
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_file *ff;
	int err;

	err = generic_file_open(inode, file);
	if (!err && !file->private_data && !open_is_free(inode))
		err = open_send(inode, file);
	if (err)
		return err;
	ff = file->private_data;
	if (ff && ff->flags & FUSEX_OPEN_STREAM)
		stream_open(inode, file);
	if (fi->io->opened)
		fi->io->opened(inode, file);
	return 0;
}

/* ------------------------------------------------------------------ close */

static noinline int flush_send(struct file *file, fl_owner_t id)
{
	struct inode *inode = file_inode(file);
	struct fusex_flush_in in = {
		.fh		= fusex_fh(file),
		.lock_owner	= fusex_lock_owner(id),
	};
	struct fusex_call call = {
		.op		= FUSEX_OP_FLUSH,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
	};
	bool locked = fusex_lock_flush(file, id);
	int err = 0;
	int ret;

	/* The server is told when it has what was written, or did not take it. */
	if (file->f_mode & FMODE_WRITE)
		err = fusex_i(inode)->io->write_back(inode, 0, LLONG_MAX);
	ret = fusex_call_sure(fusex_chan_of(inode), &call);
	/* A server that did not take it has not dropped the locks either. */
	if (ret && locked)
		fusex_lock_flush_failed(file, id);
	if (ret == -ENOSYS)
		ret = 0;
	return err ?: ret;
}

/**
 * fusex_flush - a descriptor of an open file is closed
 * @file: the open file
 * @id: owner of POSIX locks that end with the descriptor
 *
 * Not interruptible: what depends on it, the end of locks above all, has to
 * reach the server even from a task that is being killed.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or an error of the server's, which becomes that of close(2).
 */
int fusex_flush(struct file *file, fl_owner_t id)
{
	struct inode *inode = file_inode(file);

	if (fusex_conf_of(inode)->features & FUSEX_F_NO_FLUSH ||
	    fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_FLUSH))
		return 0;
	return flush_send(file, id);
}

/* ------------------------------------------------------------- durability */

/**
 * fusex_fsync_server - tell the server to make a file or directory durable
 * @inode: what
 * @file: an open file of it, or NULL
 * @start: first byte that matters
 * @end: last byte that matters, LLONG_MAX for the end of the file
 * @datasync: only what is needed to read the data back
 *
 * Everything the kernel had cached was written before and those requests were
 * answered; that is up to the caller.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, or an error; a server without FSYNC has nothing volatile.
 */
int fusex_fsync_server(struct inode *inode, struct file *file, loff_t start,
		       loff_t end, int datasync)
{
	struct fusex_fsync_in in = {
		.fh	= fusex_fh(file),
		.offset	= start,
		.length	= end == LLONG_MAX ? 0 : end - start + 1,
		.flags	= datasync ? FUSEX_FSYNC_DATASYNC : 0,
	};
	struct fusex_call call = {
		.op		= FUSEX_OP_FSYNC,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
	};
	int err = fusex_call(fusex_chan_of(inode), &call);

	return err == -ENOSYS ? 0 : err;
}

/**
 * fusex_dir_fsync - the fsync operation of directories
 * @file: open directory
 * @start: not used by directories
 * @end: not used by directories
 * @datasync: times need not be written
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0 or an error.
 */
int fusex_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err = 0;
	int ret;

	if (!datasync)
		err = sync_inode_metadata(inode, 1);
	ret = file_check_and_advance_wb_err(file);
	if (!err)
		err = ret;
	return err ?: fusex_fsync_server(inode, file, 0, LLONG_MAX, datasync);
}

const struct file_operations fusex_dir_fops = {
	.owner		= THIS_MODULE,
	.llseek		= fusex_dir_llseek,
	.read		= generic_read_dir,
	.iterate_shared	= fusex_iterate,
	.open		= fusex_open,
	.release	= fusex_release,
	.fsync		= fusex_dir_fsync,
	.unlocked_ioctl	= fusex_ioctl,
	.compat_ioctl	= fusex_compat_ioctl,
	.lock		= fusex_lock,
	.flock		= fusex_flock,
	.setlease	= fusex_setlease,
};

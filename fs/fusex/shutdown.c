// SPDX-License-Identifier: GPL-2.0
/*
 * FS_IOC_SHUTDOWN: a file system ends at once, as in a crash.
 *
 * The server is told first, so that it writes nothing any more.  Then the
 * channel ends, and all fails as after the death of a server: what is dirty is
 * lost, and what is mounted stays, dead, until it is unmounted.
 */
#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/errseq.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "fusex_i.h"
#include "inode.h"

/**
 * struct fusex_shutdown_sync - all is written back before the end
 * @work: in fusex_sb.io_wq: nothing can end the VFS's wait, but who waits for
 *	this can be killed
 * @file: keeps it mounted
 * @done: it is written back
 * @err: or why not
 * @ref: the work and who waits for it
 */
struct fusex_shutdown_sync {
	struct work_struct work;
	struct file *file;
	struct completion done;
	int err;
	refcount_t ref;
};

/**
 * fusex_check_shutdown - check the argument of FS_IOC_SHUTDOWN
 * @how: from the caller
 * @flags: returns FUSEX_SHUTDOWN_*
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
VISIBLE_IF_KUNIT int fusex_check_shutdown(u32 how, u32 *flags)
{
	switch (how) {
	case FS_SHUTDOWN_FLAGS_DEFAULT:
	case FS_SHUTDOWN_FLAGS_LOGFLUSH:
		*flags = FUSEX_SHUTDOWN_FLUSH;
		return 0;
	case FS_SHUTDOWN_FLAGS_NOLOGFLUSH:
		*flags = 0;
		return 0;
	default:
		return -EINVAL;
	}
}
EXPORT_SYMBOL_IF_KUNIT(fusex_check_shutdown);

static void shutdown_sync_put(struct fusex_shutdown_sync *s)
{
	if (refcount_dec_and_test(&s->ref))
		kfree(s);
}

static void shutdown_sync_work(struct work_struct *work)
{
	struct fusex_shutdown_sync *s =
		container_of(work, struct fusex_shutdown_sync, work);
	struct super_block *sb = file_inode(s->file)->i_sb;
	struct fusex_sb *fs = fusex_sb(sb);
	int err;

	down_read(&sb->s_umount);
	s->err = sync_filesystem(sb);
	up_read(&sb->s_umount);
	/* As syncfs(2) tells it. */
	err = errseq_check_and_advance(&sb->s_wb_err, &s->file->f_sb_err);
	if (!s->err)
		s->err = err;
	/*
	 * Who is told can unmount at once, so the mount is let go here and now.
	 * That waits for the work before it frees @fs.
	 */
	__fput_sync(s->file);
	atomic_set_release(&fs->syncing, 0);
	wake_up_var(&fs->syncing);
	complete(&s->done);
	shutdown_sync_put(s);
}

/*
 * Who is killed leaves it to itself, with the server it waits for; there is one
 * at a time, so that not ever more of them can be left.
 */
static int shutdown_sync(struct file *file)
{
	struct fusex_sb *fs = fusex_sb(file_inode(file)->i_sb);
	struct fusex_shutdown_sync *s;
	int err;

	s = kzalloc_obj(*s, GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	if (atomic_cmpxchg_acquire(&fs->syncing, 0, 1)) {
		kfree(s);
		return -EBUSY;
	}
	INIT_WORK(&s->work, shutdown_sync_work);
	init_completion(&s->done);
	refcount_set(&s->ref, 2);
	s->file = get_file(file);
	queue_work(fs->io_wq, &s->work);
	err = wait_for_completion_state(&s->done, TASK_KILLABLE |
					TASK_FREEZABLE_UNSAFE) ? -EINTR : s->err;
	shutdown_sync_put(s);
	return err;
}

static int shutdown_tell(struct fusex_sb *fs, u32 flags)
{
	const struct fusex_conf *conf = fs->conf;
	struct fusex_shutdown_in in = { .flags = flags };
	struct fusex_call call = {
		.op		= FUSEX_OP_SHUTDOWN,
		.id		= conf->root.nodeid,
		.generation	= conf->root.generation,
		.handle		= conf->root_handle,
		.handle_len	= conf->root.handle_len,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.interruptible	= true,
	};
	int err = fusex_call(fs->chan, &call);

	/* Refused, or not even asked: nothing has happened. */
	if (err && !call.sent)
		return err == -ENOSYS ? -ENOTTY : err;
	/* It has ended, or nobody will ever know that it has not. */
	fusex_chan_abort(fs->chan);
	/* What another one left behind ends with it, and can be unmounted then. */
	wait_var_event_killable(&fs->syncing,
				!atomic_read_acquire(&fs->syncing));
	return err;
}

/**
 * fusex_shutdown - FS_IOC_SHUTDOWN
 * @file: open file or directory
 * @arg: address of what is to become of what is not durable yet, FS_SHUTDOWN_*
 *
 * Context: process, sleeps on the server, interruptible once all is written.
 * Return: 0; -EPERM; -EFAULT; -EINVAL; -ENOTTY when the server does not know
 * how; -EOPNOTSUPP where files go on without it, in passthrough mode; -EBUSY
 * when another one has all written back; what writing back or the server came
 * to, and nothing has happened; -ENOTCONN when the server is gone; -EINTR or
 * -ETIMEDOUT, and if the server has been told it has ended nevertheless.
 */
long fusex_shutdown(struct file *file, const u32 __user *arg)
{
	struct super_block *sb = file_inode(file)->i_sb;
	struct fusex_sb *fs = fusex_sb(sb);
	u32 how, flags;
	int err;

	if (!ns_capable(sb->s_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(how, arg))
		return -EFAULT;
	err = fusex_check_shutdown(how, &flags);
	if (err)
		return err;
	if (fusex_chan_lacks(fs->chan, FUSEX_OP_SHUTDOWN))
		return -ENOTTY;
	if (fs->conf->io_modes & BIT(FUSEX_IO_PASSTHROUGH))
		return -EOPNOTSUPP;
	if (how == FS_SHUTDOWN_FLAGS_DEFAULT)
		err = shutdown_sync(file);
	return err ?: shutdown_tell(fs, flags);
}

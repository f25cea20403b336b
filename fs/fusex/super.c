// SPDX-License-Identifier: GPL-2.0
/*
 * Super blocks: mounting, options, statfs, sync, umount.
 *
 * A file system is mounted by fsopen("fusex"), fsconfig(FSCONFIG_SET_FD, "fd")
 * with a descriptor of a channel that was set up, and fsmount.  The server is
 * not asked for anything meanwhile, so it may do that in the thread that
 * serves.
 */
#include <linux/backing-dev.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>
#include <linux/xattr.h>

#include "backing.h"
#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "validate.h"

/*
 * Dirty pages of a file system whose server belongs to an ordinary user may be
 * at most this share of what all may have, percent: nobody else's writers are
 * held up by a server that takes its time.
 */
#define FUSEX_USER_DIRTY_PERCENT	5

static int fusex_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct super_block *sb = dentry->d_sb;
	struct fusex_chan *chan = fusex_sb(sb)->chan;
	struct fusex_statfs_out out;
	struct fusex_call call = {
		.op = FUSEX_OP_STATFS,
		.node = d_inode(dentry),
		.out[0] = { .base = &out, .len = sizeof(out) },
	};
	const char *why = NULL;
	int err;

	buf->f_type = FUSEX_SUPER_MAGIC;
	buf->f_bsize = sb->s_blocksize;
	buf->f_namelen = FUSEX_NAME_MAX;
	buf->f_fsid = u64_to_fsid(huge_encode_dev(sb->s_dev));
	/* What lists all mounts should not stumble over those of others. */
	if (fusex_allowed(sb))
		return 0;

	err = fusex_call(chan, &call);
	if (err)
		return err == -ENOSYS ? 0 : err;
	err = fusex_check_statfs(&out, &why);
	if (err) {
		fusex_bad_reply(chan, &call, why);
		return err;
	}
	buf->f_blocks = out.blocks;
	buf->f_bfree = out.bfree;
	buf->f_bavail = out.bavail;
	buf->f_files = out.files;
	buf->f_ffree = out.ffree;
	buf->f_bsize = out.bsize;
	buf->f_frsize = out.frsize;
	buf->f_namelen = out.namelen;
	return 0;
}

/* Something that is about the root; at umount its dentry has gone. */
static int fusex_call_root(const struct fusex_sb *fs, u32 op)
{
	struct fusex_call call = {
		.op = op,
		.id = fs->conf->root.nodeid,
		.generation = fs->conf->root.generation,
		.handle = fs->conf->root_handle,
		.handle_len = fs->conf->root.handle_len,
	};

	return fusex_call(fs->chan, &call);
}

static int fusex_sync_fs(struct super_block *sb, int wait)
{
	int err;

	/*
	 * The first of two passes only starts what the second waits for.  Where
	 * nobody ever came in, there is nothing to be made durable; such a
	 * mount may be taken back by the thread that should answer.
	 */
	if (!wait || !fusex_sb(sb)->used)
		return 0;
	err = fusex_call_root(fusex_sb(sb), FUSEX_OP_SYNCFS);
	return err == -ENOSYS ? 0 : err;
}

static void fusex_umount_begin(struct super_block *sb)
{
	fusex_chan_abort(fusex_sb(sb)->chan);
}

/*
 * The server puts away what it has open before umount(2) returns.  That is not to
 * wait for itself, and who has not served yet may be waiting for the caller.
 */
static void fusex_tell_unmount(const struct fusex_sb *fs)
{
	if (!(fs->conf->features & FUSEX_F_UNMOUNT) ||
	    fusex_chan_is_own(fs->chan))
		return;
	/* Whatever the answer is, it is unmounted. */
	if (fs->used || fusex_chan_is_served(fs->chan))
		(void)fusex_call_root(fs, FUSEX_OP_UNMOUNT);
}

/* The directory in sysfs goes before its name, the device number, is free. */
static void fusex_put_super(struct super_block *sb)
{
	struct fusex_sb *fs = fusex_sb(sb);

	/* A mount that failed may have met a channel that is another's. */
	if (fs->attached)
		fusex_chan_hide(fs->chan);
}

/*
 * Only the kernel writes to what is local and in its own hands: a server could
 * not keep still, or would be asked by who cannot be made to wait.
 */
static int fusex_freeze_super(struct super_block *sb, enum freeze_holder who,
			      const void *owner)
{
	const struct fusex_conf *conf = fusex_sb(sb)->conf;

	/* Nor is a suspend to wait for a server that anybody can start. */
	if (conf->io_modes & ~FUSEX_IO_MAPPED ||
	    !fusex_attr_modes_local(conf) || sb->s_user_ns != &init_user_ns)
		return -EOPNOTSUPP;
	return freeze_super(sb, who, owner);
}

static void fusex_freeze_call(const struct fusex_sb *fs,
			      struct fusex_call *call,
			      const struct fusex_freeze_in *in)
{
	const struct fusex_conf *conf = fs->conf;

	*call = (struct fusex_call){
		.op		= FUSEX_OP_FREEZE,
		.id		= conf->root.nodeid,
		.generation	= conf->root.generation,
		.handle		= conf->root_handle,
		.handle_len	= conf->root.handle_len,
		.arg		= in,
		.arg_len	= sizeof(*in),
	};
}

/**
 * struct fusex_thaw - the end of a FREEZE of which nobody knows what became
 * @kept: while the server works on that
 * @call: the THAW
 * @in: its argument structure
 * @fs: the file system, mounted until it is over
 * @told: the THAW has ended
 */
struct fusex_thaw {
	struct fusex_kept kept;
	struct fusex_call call;
	struct fusex_freeze_in in;
	struct fusex_sb *fs;
	bool told;
};

/*
 * Whatever the server is still working on it might carry out last: the THAW comes
 * after the FREEZE, and the next FREEZE after that.  May be in the server's own
 * context.
 */
static void fusex_thaw_go(struct fusex_chan *chan, struct fusex_kept *kept)
{
	struct fusex_thaw *thaw = container_of(kept, struct fusex_thaw, kept);

	if (fusex_stray_holds(chan, thaw->call.id, NULL, kept))
		return;
	if (!thaw->told &&
	    !fusex_call_async(chan, &thaw->call, GFP_NOFS | __GFP_NOFAIL))
		return;
	atomic_dec(&thaw->fs->thaws);
	kfree(thaw);
}

static void fusex_thaw_end(struct fusex_call *call)
{
	struct fusex_thaw *thaw = container_of(call, struct fusex_thaw, call);

	thaw->told = true;
	fusex_thaw_go(thaw->fs->chan, &thaw->kept);
}

/* Nobody waits for it: who is killed does not, and nobody else has asked. */
static void fusex_thaw_later(struct fusex_sb *fs)
{
	struct fusex_thaw *thaw = kzalloc_obj(*thaw, GFP_NOFS | __GFP_NOFAIL);

	thaw->fs = fs;
	thaw->in.flags = FUSEX_FREEZE_THAW;
	thaw->kept.go = fusex_thaw_go;
	fusex_freeze_call(fs, &thaw->call, &thaw->in);
	thaw->call.nofs = true;
	thaw->call.dispensable = true;
	thaw->call.end = fusex_thaw_end;
	atomic_inc(&fs->thaws);
	fusex_thaw_go(fs->chan, &thaw->kept);
}

static int fusex_tell_freeze(struct super_block *sb, u32 flags)
{
	struct fusex_sb *fs = fusex_sb(sb);
	struct fusex_freeze_in in = { .flags = flags };
	struct fusex_call call;
	int err;

	fusex_freeze_call(fs, &call, &in);
	err = fusex_call(fs->chan, &call);
	/* It may have been carried out, or be yet, and nobody will thaw it. */
	if (err == -EINTR || err == -ETIMEDOUT)
		fusex_thaw_later(fs);
	return err == -ENOSYS ? 0 : err;
}

static int fusex_freeze_fs(struct super_block *sb)
{
	if (atomic_read(&fusex_sb(sb)->thaws))
		return -EBUSY;
	return fusex_tell_freeze(sb, 0);
}

/* A server that is gone keeps nothing frozen. */
static int fusex_unfreeze_fs(struct super_block *sb)
{
	int err = fusex_tell_freeze(sb, FUSEX_FREEZE_THAW);

	return err == -ENOTCONN ? 0 : err;
}

static int fusex_show_options(struct seq_file *m, struct dentry *root)
{
	if (fusex_sb(root->d_sb)->allow_other)
		seq_puts(m, ",allow_other");
	return 0;
}

static const struct super_operations fusex_super_ops = {
	.alloc_inode	= fusex_alloc_inode,
	.free_inode	= fusex_free_inode,
	.write_inode	= fusex_write_inode,
	.drop_inode	= fusex_drop_inode,
	.evict_inode	= fusex_evict_inode,
	.sync_fs	= fusex_sync_fs,
	.freeze_super	= fusex_freeze_super,
	.freeze_fs	= fusex_freeze_fs,
	.unfreeze_fs	= fusex_unfreeze_fs,
	.statfs		= fusex_statfs,
	.put_super	= fusex_put_super,
	.umount_begin	= fusex_umount_begin,
	.show_options	= fusex_show_options,
};

/**
 * struct fusex_ctx - a mount that is being put together
 * @chan: the channel, NULL until "fd" is given
 * @allow_other: as in struct fusex_sb
 */
struct fusex_ctx {
	struct fusex_chan *chan;
	bool allow_other;
};

enum fusex_option {
	FUSEX_OPT_FD,
	FUSEX_OPT_ALLOW_OTHER,
};

static const struct fs_parameter_spec fusex_parameters[] = {
	fsparam_fd("fd",		FUSEX_OPT_FD),
	fsparam_flag("allow_other",	FUSEX_OPT_ALLOW_OTHER),
	{}
};

static int fusex_take_fd(struct fs_context *fc, struct file *file)
{
	struct fusex_ctx *ctx = fc->fs_private;
	struct fusex_chan *chan;

	if (ctx->chan)
		return invalfc(fc, "fd given twice");
	chan = fusex_chan_from_file(file);
	if (chan == ERR_PTR(-EBADF))
		return invalfc(fc, "fd is not an open /dev/fusex");
	if (IS_ERR(chan))
		return invalfc(fc, "fd was not set up (FUSEX_IOC_SETUP)");
	/*
	 * Ids in requests are translated for the server's namespace, and what
	 * the mount may do depends on the mounter's.
	 */
	if (fusex_chan_user_ns(chan) != fc->user_ns) {
		fusex_chan_put(chan);
		return invalfc(fc,
			       "fd was opened in another user namespace");
	}
	ctx->chan = chan;
	return 0;
}

static int fusex_parse_fd(struct fs_context *fc, struct fs_parameter *param,
			  unsigned int fd)
{
	struct file *file;
	int err;

	if (param->type == fs_value_is_file)
		return fusex_take_fd(fc, param->file);
	file = fget(fd);
	if (!file)
		return invalfc(fc, "fd %u is not open", fd);
	err = fusex_take_fd(fc, file);
	fput(file);
	return err;
}

static int fusex_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct fusex_ctx *ctx = fc->fs_private;
	struct fs_parse_result result;
	int opt;

	/* mount(8) repeats what /proc/mounts shows, whichever way it calls. */
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE && fc->oldapi)
		return 0;

	opt = fs_parse(fc, fusex_parameters, param, &result);
	if (opt < 0)
		return opt;
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		if (opt == FUSEX_OPT_ALLOW_OTHER &&
		    fusex_sb(fc->root->d_sb)->allow_other)
			return 0;
		return invalfc(fc, "%s cannot be changed", param->key);
	}
	switch (opt) {
	case FUSEX_OPT_FD:
		return fusex_parse_fd(fc, param, result.uint_32);
	case FUSEX_OPT_ALLOW_OTHER:
		ctx->allow_other = true;
		return 0;
	}
	return -EINVAL;
}

static unsigned long fusex_readahead(struct super_block *sb,
				     const struct fusex_conf *conf)
{
	unsigned long pages = conf->max_readahead >> PAGE_SHIFT;

	/* Where no data comes from the server, it is as good as on the device. */
	if (!(conf->io_modes & ~FUSEX_IO_MAPPED))
		pages = min(pages, fusex_backing_readahead(fusex_sb(sb)->chan));
	return pages;
}

static int fusex_setup_bdi(struct super_block *sb, const struct fusex_conf *conf)
{
	int err;

	err = super_setup_bdi_name(sb, "fusex-%u:%u", MAJOR(sb->s_dev),
				   MINOR(sb->s_dev));
	if (err)
		return err;
	sb->s_bdi->ra_pages = fusex_readahead(sb, conf);
	sb->s_bdi->io_pages = conf->max_read >> PAGE_SHIFT;
	if (sb->s_user_ns == &init_user_ns)
		return 0;
	sb->s_bdi->capabilities |= BDI_CAP_STRICTLIMIT;
	return bdi_set_max_ratio(sb->s_bdi, FUSEX_USER_DIRTY_PERCENT);
}

static void fusex_setup_flags(struct super_block *sb,
			      const struct fusex_conf *conf)
{
	/*
	 * Writers of a cgroup are held up before its memory is full of dirty
	 * pages, among which there might be no room for their server.
	 */
	sb->s_iflags |= SB_I_CGROUPWB;
	/* The server can change a file after it was measured. */
	sb->s_iflags |= SB_I_IMA_UNVERIFIABLE_SIGNATURE;
	if (sb->s_user_ns != &init_user_ns)
		sb->s_iflags |= SB_I_UNTRUSTED_MOUNTER;
	if (!fusex_attr_modes_local(conf))
		sb->s_iflags |= SB_I_NOIDMAP;

	sb->s_flags |= SB_NOSEC;
	if (conf->features & FUSEX_F_POSIX_ACL)
		sb->s_flags |= SB_POSIXACL;
	if (conf->features & FUSEX_F_CHANGE)
		sb->s_flags |= SB_I_VERSION;
	if (conf->features & FUSEX_F_EXPORT)
		sb->s_export_op = &fusex_export_ops;
}

/*
 * Writes to this one come before those to the one below, which may be ours, and
 * renaming comes between the locks of a super block's writers and inodes.
 */
static void fusex_setup_depth(struct super_block *sb)
{
#ifdef CONFIG_LOCKDEP
	static struct lock_class_key rename_keys[FILESYSTEM_MAX_STACK_DEPTH];
	static struct lock_class_key keys[FILESYSTEM_MAX_STACK_DEPTH]
					 [SB_FREEZE_LEVELS];
	int depth = sb->s_stack_depth;
	int i;

	if (!depth)
		return;
	for (i = 0; i < SB_FREEZE_LEVELS; i++)
		lockdep_set_class(&sb->s_writers.rw_sem[i], &keys[depth - 1][i]);
	lockdep_set_class(&sb->s_vfs_rename_mutex, &rename_keys[depth - 1]);
#endif
}

static int fusex_setup_root(struct super_block *sb,
			    const struct fusex_conf *conf)
{
	struct inode *root;

	root = fusex_iget(sb, &conf->root, conf->root_handle,
			  fusex_chan_epoch(fusex_sb(sb)->chan));
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int fusex_attach(struct super_block *sb, struct fs_context *fc)
{
	struct fusex_sb *fs = fusex_sb(sb);
	int err;

	err = fusex_chan_attach(fs->chan, sb);
	switch (err) {
	case 0:
		fs->attached = true;
		break;
	case -EBUSY:
		errorfc(fc, "fd is mounted already");
		break;
	case -ENODEV:
		errorfc(fc, "the server of fd is gone");
		break;
	}
	return err;
}

static int fusex_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct fusex_sb *fs = fusex_sb(sb);
	const struct fusex_conf *conf = fs->conf;
	int err;

	fs->sb = sb;
	fs->user_ns = sb->s_user_ns;
	sb->s_magic = FUSEX_SUPER_MAGIC;
	sb->s_op = &fusex_super_ops;
	sb->s_xattr = fusex_xattr_handlers;
	sb->s_maxbytes = conf->max_file_size;
	sb->s_max_links = conf->max_links;
	sb->s_time_gran = conf->time_gran;
	sb->s_time_min = conf->time_min;
	sb->s_time_max = conf->time_max;
	sb->s_blocksize = conf->block_size;
	sb->s_blocksize_bits = ilog2(conf->block_size);
	sb->s_stack_depth = conf->stack_depth;
	fusex_setup_depth(sb);
	set_default_d_op(sb, fusex_attr_dentry_ops(conf));
	fusex_setup_flags(sb, conf);

	if (conf->subtype[0]) {
		sb->s_subtype = kstrdup(conf->subtype, GFP_KERNEL);
		if (!sb->s_subtype)
			return -ENOMEM;
	}
	err = fusex_setup_bdi(sb, conf);
	if (!err)
		err = fusex_setup_root(sb, conf);
	/* Last: from here on notifications find the super block. */
	if (!err)
		err = fusex_attach(sb, fc);
	return err;
}

static void fusex_sb_free(struct fusex_sb *fs)
{
	fusex_io_exit(fs);
	fusex_chan_put(fs->chan);
	xa_destroy(&fs->lost);
	kfree_rcu(fs, rcu);
}

static struct fusex_sb *fusex_sb_alloc(struct fs_context *fc)
{
	struct fusex_ctx *ctx = fc->fs_private;
	struct fusex_sb *fs;

	fs = kzalloc_obj(*fs);
	if (!fs)
		return NULL;
	fusex_chan_get(ctx->chan);
	fs->chan = ctx->chan;
	fs->conf = fusex_chan_conf(fs->chan);
	fs->allow_other = ctx->allow_other;
	fs->server_perm = fs->conf->features & FUSEX_F_SERVER_PERM;
	fs->owner = fc->cred->fsuid;
	fs->owner_gid = fc->cred->fsgid;
	/* A server can have as many files lost as it wants. */
	xa_init_flags(&fs->lost, XA_FLAGS_ACCOUNT);
	fusex_room_init(fs);
	if (fusex_io_init(fs, fc->user_ns)) {
		fusex_sb_free(fs);
		return NULL;
	}
	return fs;
}

static int fusex_get_tree(struct fs_context *fc)
{
	struct fusex_ctx *ctx = fc->fs_private;
	int err;

	if (fc->oldapi)
		return invalfc(fc,
			       "mount(2) cannot hand over a server: use fsopen, fsconfig and fsmount");
	if (!ctx->chan)
		return invalfc(fc, "no fd given");

	fc->s_fs_info = fusex_sb_alloc(fc);
	if (!fc->s_fs_info)
		return -ENOMEM;
	err = get_tree_nodev(fc, fusex_fill_super);
	/* Still there if there never was a super block to own it. */
	if (fc->s_fs_info) {
		fusex_sb_free(fc->s_fs_info);
		fc->s_fs_info = NULL;
	}
	return err;
}

static int fusex_reconfigure(struct fs_context *fc)
{
	const struct fusex_conf *conf = fusex_sb(fc->root->d_sb)->conf;

	/* Not an option here, but mount(2) takes it for one and clears it. */
	if (conf->features & FUSEX_F_CHANGE)
		fc->sb_flags |= SB_I_VERSION;
	/* A file system about to become read-only is written back first. */
	return sync_filesystem(fc->root->d_sb);
}

static void fusex_free_ctx(struct fs_context *fc)
{
	struct fusex_ctx *ctx = fc->fs_private;

	if (!ctx)
		return;
	if (ctx->chan)
		fusex_chan_put(ctx->chan);
	kfree(ctx);
}

static const struct fs_context_operations fusex_context_ops = {
	.free		= fusex_free_ctx,
	.parse_param	= fusex_parse_param,
	.get_tree	= fusex_get_tree,
	.reconfigure	= fusex_reconfigure,
};

static int fusex_init_fs_context(struct fs_context *fc)
{
	fc->fs_private = kzalloc_obj(struct fusex_ctx);
	if (!fc->fs_private)
		return -ENOMEM;
	fc->ops = &fusex_context_ops;
	return 0;
}

/**
 * struct fusex_umount_sync - writing back before an unmount
 * @work: in a workqueue
 * @sb: the super block
 * @done: it is written back
 */
struct fusex_umount_sync {
	struct work_struct work;
	struct super_block *sb;
	struct completion done;
};

static void fusex_umount_sync_work(struct work_struct *work)
{
	struct fusex_umount_sync *f =
		container_of(work, struct fusex_umount_sync, work);

	sync_inodes_sb(f->sb);
	complete(&f->done);
}

/*
 * Write back, from where a signal can end the wait: when the task that unmounts
 * is killed, the server's threads may have been killed with it while it keeps
 * their descriptor open, and then nobody is ever going to answer.  So from then
 * on the server has to get on.
 */
static void fusex_umount_sync(struct super_block *sb)
{
	struct fusex_umount_sync f = { .sb = sb };

	if (sb_rdonly(sb) || !fusex_sb(sb)->used)
		return;
	init_completion(&f.done);
	INIT_WORK_ONSTACK(&f.work, fusex_umount_sync_work);
	queue_work(fusex_sb(sb)->io_wq, &f.work);
	/* No signal reaches the last task of a mount namespace at its end. */
	if (!(current->flags & PF_EXITING) &&
	    !wait_for_completion_killable(&f.done))
		goto out;
	if (fusex_wait_while(fusex_io_progress(fusex_sb(sb)),
			     wait_for_completion_timeout(&f.done,
							 FUSEX_EXIT_WAIT)))
		goto out;
	fusex_chan_abort(fusex_sb(sb)->chan);
	wait_for_completion(&f.done);
out:
	/* The work may be about to return from complete(). */
	flush_work(&f.work);
	destroy_work_on_stack(&f.work);
}

/**
 * struct fusex_umount_watch - looks after an unmount that no signal can end
 * @work: comes every FUSEX_KTHREAD_WAIT
 * @fs: of the super block
 * @progress: fusex_io_progress() when it came last
 * @until: jiffies, when it has taken too long
 */
struct fusex_umount_watch {
	struct delayed_work work;
	const struct fusex_sb *fs;
	u64 progress;
	unsigned long until;
};

static void fusex_umount_watch_work(struct work_struct *work)
{
	struct fusex_umount_watch *watch =
		container_of(work, struct fusex_umount_watch, work.work);
	u64 progress = fusex_io_progress(watch->fs);
	/* A user's server may get on as slowly as it likes. */
	bool late = watch->fs->user_ns != &init_user_ns &&
		    time_after(jiffies, watch->until);

	if (late || progress == watch->progress) {
		fusex_chan_abort(watch->fs->chan);
		return;
	}
	watch->progress = progress;
	queue_delayed_work(system_dfl_wq, &watch->work, FUSEX_KTHREAD_WAIT);
}

static void fusex_umount(struct super_block *sb)
{
	struct fusex_sb *fs = fusex_sb(sb);

	if (fs->attached) {
		fusex_umount_sync(sb);
		/* Twice: it sends requests, and notifications need it. */
		fusex_io_drain(sb);
		fusex_chan_quiesce(fs->chan);
		fusex_io_drain(sb);
		/* What that has made dirty, or what failed; VFS waits unkillably. */
		fusex_umount_sync(sb);
	}
	kill_anon_super(sb);
	/* Nobody's sync(2) waits for this super block any more, the server's neither. */
	if (fs->attached) {
		fusex_tell_unmount(fs);
		fusex_chan_detach(fs->chan);
	}
}

/*
 * The server answers until everything is written back: notifications and puts
 * left for later end before inodes go, the channel ends after them.
 *
 * The last to use a mount that was taken from the tree may be a kernel thread
 * that drops files and mounts for the whole machine.
 */
static void fusex_kill_sb(struct super_block *sb)
{
	struct fusex_sb *fs = fusex_sb(sb);
	struct fusex_umount_watch watch = { .fs = fs };

	if (!(current->flags & PF_KTHREAD) || !fs->attached) {
		fusex_umount(sb);
	} else {
		watch.progress = fusex_io_progress(fs);
		watch.until = jiffies + FUSEX_KTHREAD_MOST;
		INIT_DELAYED_WORK_ONSTACK(&watch.work, fusex_umount_watch_work);
		queue_delayed_work(system_dfl_wq, &watch.work,
				   FUSEX_KTHREAD_WAIT);
		fusex_umount(sb);
		cancel_delayed_work_sync(&watch.work);
		destroy_delayed_work_on_stack(&watch.work);
	}
	fusex_sb_free(fs);
}

static struct file_system_type fusex_fs_type = {
	.owner			= THIS_MODULE,
	.name			= "fusex",
	.fs_flags		= FS_HAS_SUBTYPE | FS_USERNS_MOUNT |
				  FS_ALLOW_IDMAP | FS_RENAME_DOES_D_MOVE,
	.init_fs_context	= fusex_init_fs_context,
	.parameters		= fusex_parameters,
	.kill_sb		= fusex_kill_sb,
};

/**
 * fusex_super_init - make "fusex" known to fsopen()
 *
 * Return: 0 or a negative errno.
 */
int __init fusex_super_init(void)
{
	return register_filesystem(&fusex_fs_type);
}

/**
 * fusex_super_exit - nothing is mounted and nothing will be
 */
void fusex_super_exit(void)
{
	unregister_filesystem(&fusex_fs_type);
}

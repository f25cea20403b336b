// SPDX-License-Identifier: GPL-2.0
/*
 * ioctl(2): commands whose number says how large their one argument is and
 * which way it goes.  What is not in the number the kernel does not guess, so
 * the server never sees memory of the caller beyond that.
 */

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/termios.h>
#include <linux/uaccess.h>

#include "fusex_i.h"
#include "inode.h"
#include "validate.h"

/**
 * fusex_ioctl_needs - what is a command for those only who may do so?
 * @cmd: command
 *
 * A server cannot know what its callers may do, so of the commands that all file
 * systems have the kernel does.
 *
 * Context: any.
 * Return: FUSEX_NEEDS_*.
 */
VISIBLE_IF_KUNIT unsigned int fusex_ioctl_needs(unsigned int cmd)
{
	switch (cmd) {
	case FITRIM:
		return FUSEX_NEEDS_ADMIN;
	case FS_IOC_SETFSLABEL:
		return FUSEX_NEEDS_ADMIN | FUSEX_NEEDS_WRITE;
	default:
		return 0;
	}
}
EXPORT_SYMBOL_IF_KUNIT(fusex_ioctl_needs);

static long ioctl_send(struct file *file, const struct fusex_ioctl_in *in,
		       const void *data, void *reply)
{
	struct inode *inode = file_inode(file);
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_ioctl_out out;
	struct fusex_call call = {
		.op		= FUSEX_OP_IOCTL,
		.node		= inode,
		.arg		= in,
		.arg_len	= sizeof(*in),
		.in[0]		= { data, in->in_size },
		.out[0]		= { &out, sizeof(out) },
		.out[1]		= { reply, in->out_size },
		.interruptible	= true,
	};
	const char *why;
	int err;

	err = fusex_call(chan, &call);
	if (err)
		return err == -ENOSYS ? -ENOTTY : err;
	err = fusex_check_ioctl(&out, &why);
	if (err)
		fusex_bad_reply(chan, &call, why);
	return err ?: out.result;
}

static long ioctl_copy(struct file *file, const struct fusex_ioctl_in *in,
		       void __user *arg)
{
	void *data __free(kvfree) = NULL;
	void *reply __free(kvfree) = NULL;
	long ret;

	if (in->in_size) {
		data = kvmalloc(in->in_size, GFP_KERNEL_ACCOUNT);
		if (!data)
			return -ENOMEM;
		if (copy_from_user(data, arg, in->in_size))
			return -EFAULT;
	}
	if (in->out_size) {
		reply = kvzalloc(in->out_size, GFP_KERNEL_ACCOUNT);
		if (!reply)
			return -ENOMEM;
	}
	ret = ioctl_send(file, in, data, reply);
	if (ret >= 0 && in->out_size && copy_to_user(arg, reply, in->out_size))
		return -EFAULT;
	return ret;
}

static long ioctl_allowed(struct file *file, const struct fusex_ioctl_in *in,
			  void __user *arg)
{
	unsigned int needs = fusex_ioctl_needs(in->cmd);
	long ret;

	if (needs & FUSEX_NEEDS_ADMIN &&
	    !ns_capable(file_inode(file)->i_sb->s_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (!(needs & FUSEX_NEEDS_WRITE))
		return ioctl_copy(file, in, arg);
	ret = mnt_want_write_file(file);
	if (ret)
		return ret;
	ret = ioctl_copy(file, in, arg);
	mnt_drop_write_file(file);
	return ret;
}

/**
 * fusex_ioctl - the unlocked_ioctl operation
 * @file: open file or directory
 * @cmd: command
 * @arg: address of its argument, if it has one
 *
 * Context: process, sleeps on the server, interruptible.
 * Return: the server's result, 0 or more; -ENOTTY when it has no ioctls;
 * -EPERM; another error.
 */
long fusex_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fusex_ioctl_in in = {
		.fh	= fusex_fh(file),
		.cmd	= cmd,
	};

	/* isatty(3), which programs call on every file they open. */
	if (cmd == TCGETS)
		return -ENOTTY;
	if (cmd == FS_IOC_SHUTDOWN)
		return fusex_shutdown(file, (void __user *)arg);
	if (fusex_chan_lacks(fusex_chan_of(file_inode(file)), FUSEX_OP_IOCTL))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE)
		in.in_size = _IOC_SIZE(cmd);
	if (_IOC_DIR(cmd) & _IOC_READ)
		in.out_size = _IOC_SIZE(cmd);
	return ioctl_allowed(file, &in, (void __user *)arg);
}

/**
 * fusex_compat_ioctl - the compat_ioctl operation
 * @file: open file or directory
 * @cmd: command, as a 32-bit program knows it
 * @arg: address of its argument
 *
 * The size is part of the number, so a command whose argument differs between
 * the two worlds is another command; the server knows both or it does not.
 *
 * Context: process, sleeps on the server, interruptible.
 * Return: like fusex_ioctl().
 */
long fusex_compat_ioctl(struct file *file, unsigned int cmd,
			unsigned long arg)
{
	return fusex_ioctl(file, cmd, (unsigned long)compat_ptr(arg));
}

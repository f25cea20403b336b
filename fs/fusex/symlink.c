// SPDX-License-Identifier: GPL-2.0
/*
 * Targets of symbolic links.
 */
#include <linux/dcache.h>
#include <linux/slab.h>

#include "chan.h"
#include "fusex_i.h"
#include "validate.h"

/* The target, to be freed by the caller, or an error pointer. */
static char *fusex_read_link(struct inode *inode)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_call call = {
		.op = FUSEX_OP_READLINK,
		.node = inode,
		.out_var = true,
	};
	const char *why = NULL;
	char *target, *fit;
	int err;

	target = kmalloc(PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!target)
		return ERR_PTR(-ENOMEM);
	call.out[0] = (struct fusex_out){ target, PATH_MAX - 1 };
	err = fusex_call(chan, &call);
	if (!err) {
		err = fusex_check_link(target, call.got, &why);
		if (err)
			fusex_bad_reply(chan, &call, why);
	}
	if (err) {
		kfree(target);
		return ERR_PTR(err == -ENOSYS ? -EINVAL : err);
	}
	target[call.got] = '\0';
	fit = krealloc(target, call.got + 1, GFP_KERNEL_ACCOUNT);
	return fit ?: target;
}

/**
 * fusex_get_link - the inode operation, asking every time
 * @dentry: the link, NULL during an RCU walk
 * @inode: its inode
 * @done: frees the target
 *
 * Context: waits for the server.
 * Return: the target or an error pointer.
 */
const char *fusex_get_link(struct dentry *dentry, struct inode *inode,
			   struct delayed_call *done)
{
	char *target;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	target = fusex_read_link(inode);
	if (!IS_ERR(target))
		set_delayed_call(done, kfree_link, target);
	return target;
}

/**
 * fusex_get_link_kept - the inode operation, asking once
 * @dentry: the link, NULL during an RCU walk
 * @inode: its inode
 * @done: not used
 *
 * The target of a link never changes while nobody else changes the file
 * system; VFS takes it from i_link from now on, and it goes with the inode.
 *
 * Context: waits for the server.
 * Return: the target or an error pointer.
 */
const char *fusex_get_link_kept(struct dentry *dentry, struct inode *inode,
				struct delayed_call *done)
{
	char *target, *old;

	if (!dentry)
		return ERR_PTR(-ECHILD);
	target = fusex_read_link(inode);
	if (IS_ERR(target))
		return target;
	old = cmpxchg(&inode->i_link, NULL, target);
	if (!old)
		return target;
	kfree(target);
	return old;
}

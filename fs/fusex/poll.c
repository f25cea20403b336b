// SPDX-License-Identifier: GPL-2.0
/*
 * poll(2) and epoll on files of servers that want to hear of it, which is what
 * FUSEX_F_POLL says; others have files without a poll operation.
 *
 * A file gets a number when it is first polled, by which the server wakes its
 * pollers.  Numbers are found under RCU and compared with the channel they
 * were given to, so that a server cannot wake the files of another.
 */

#include <linux/poll.h>
#include <linux/xarray.h>

#include "fusex_i.h"
#include "validate.h"

static DEFINE_XARRAY_ALLOC1(fusex_polled);

/* Gives the file its number; many may try at a time. */
static int poll_register(struct fusex_chan *chan, struct fusex_file *ff)
{
	u32 kh, old;
	int err;

	if (READ_ONCE(ff->kh))
		return 0;
	WRITE_ONCE(ff->chan, chan);
	err = xa_alloc(&fusex_polled, &kh, ff, xa_limit_31b,
		       GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	old = cmpxchg(&ff->kh, 0, kh);
	if (old)
		xa_erase(&fusex_polled, kh);
	return 0;
}

/**
 * fusex_poll_release - nobody polls the file any more
 * @ff: on its way out; freed after a grace period
 *
 * Context: process.
 */
void fusex_poll_release(struct fusex_file *ff)
{
	if (ff->kh)
		xa_erase(&fusex_polled, ff->kh);
}

/**
 * fusex_poll_notify - wake the pollers of a file
 * @chan: whose server asks for it
 * @kh: number of the file
 *
 * Context: any.
 * Return: 0, or -ENOENT when the file is gone.
 */
int fusex_poll_notify(struct fusex_chan *chan, u64 kh)
{
	struct fusex_file *ff;
	int err = -ENOENT;

	rcu_read_lock();
	ff = kh <= S32_MAX ? xa_load(&fusex_polled, kh) : NULL;
	if (ff && READ_ONCE(ff->chan) == chan) {
		wake_up_interruptible_all(&ff->poll_wait);
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

/**
 * fusex_poll_abort - wake all pollers of a channel that has died
 * @chan: no call on it succeeds any more
 *
 * Context: any.
 */
void fusex_poll_abort(struct fusex_chan *chan)
{
	struct fusex_file *ff;
	unsigned long kh;

	rcu_read_lock();
	xa_for_each(&fusex_polled, kh, ff)
		if (READ_ONCE(ff->chan) == chan)
			wake_up_interruptible_all(&ff->poll_wait);
	rcu_read_unlock();
}

static int poll_send(struct file *file, struct fusex_poll_in *in,
		     struct fusex_poll_out *out)
{
	struct inode *inode = file_inode(file);
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_call call = {
		.op		= FUSEX_OP_POLL,
		.node		= inode,
		.arg		= in,
		.arg_len	= sizeof(*in),
		.out[0]		= { out, sizeof(*out) },
	};
	const char *why;
	int err = fusex_call(chan, &call);

	if (!err) {
		err = fusex_check_poll(out, &why);
		if (err)
			fusex_bad_reply(chan, &call, why);
	}
	return err;
}

/**
 * fusex_poll - the poll operation
 * @file: the open file
 * @wait: where to queue, or what is asked for only
 *
 * Context: process, sleeps on the server, killable.
 * Return: EPOLL* bits.
 */
__poll_t fusex_poll(struct file *file, struct poll_table_struct *wait)
{
	struct inode *inode = file_inode(file);
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_poll_out out;
	struct fusex_poll_in in;
	struct fusex_file *ff;
	int err;

	if (fusex_chan_lacks(chan, FUSEX_OP_POLL))
		return DEFAULT_POLLMASK;
	ff = fusex_file_get(file);
	if (!ff || poll_register(chan, ff))
		return EPOLLERR;
	poll_wait(file, &ff->poll_wait, wait);

	in.fh = ff->fh;
	in.events = (__force u32)poll_requested_events(wait) &
		    FUSEX_POLL_KNOWN;
	/* poll_wait() has a barrier; a waiter that comes later asks again. */
	in.flags = waitqueue_active(&ff->poll_wait) ? FUSEX_POLL_NOTIFY : 0;
	in.kh = ff->kh;
	err = poll_send(file, &in, &out);
	if (err == -ENOSYS)
		return DEFAULT_POLLMASK;
	return err ? EPOLLERR : (__force __poll_t)out.revents;
}

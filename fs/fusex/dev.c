// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/fusex: the transport over read(2), write(2) and poll(2).
 *
 * An idle reader waits with a struct fusex_reader on its stack.  Who submits a
 * request takes one reader off the list, hands it the request and wakes it:
 * one wake per request, nobody wakes in vain, and the reader does not need the
 * channel's lock again.  With no idle reader the request is pending and the
 * next read takes it.  One of the idle readers, the last, may be awake (spin.c)
 * and gets requests first; if none is, a caller that looks gives who has just
 * replied the time to come back before it has one woken.
 *
 * A server gets, in this order: CANCELs, FORGETs when it is their turn,
 * requests.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "transport.h"
#include "trace.h"
#include "validate.h"

/* How many idle readers are looked at, with the channel's lock held. */
#define FUSEX_PICK_MAX	4

/**
 * struct fusex_reader - a reader that waits for something to do
 * @link: link in fusex_chan.readers
 * @dev_link: link in fusex_dev.readers
 * @task: who waits
 * @req: what it was woken for, NULL to look for itself
 * @awake: it has not gone to sleep yet
 * @looked: local_clock() when the one that looked last began to, 0 for none
 * @woken: it is in no list any more; the last thing written to this structure
 *
 * The lists and @req are protected by fusex_chan.lock.
 */
struct fusex_reader {
	struct list_head link;
	struct list_head dev_link;
	struct task_struct *task;
	struct fusex_req *req;
	u64 looked;
	bool awake;
	bool woken;
};

/**
 * struct fusex_work - what a reader is to give to the server
 * @req: a request, or the one to cancel
 * @cancel: it is to be cancelled
 * @forgets: a list of @count forgets
 * @count: how many
 */
struct fusex_work {
	struct fusex_req *req;
	bool cancel;
	struct llist_node *forgets;
	u32 count;
};

/* ----------------------------------------------------- from the channel */

/* Takes a reader out of the lists. */
static void unlist_reader(struct fusex_chan *chan, struct fusex_reader *reader)
{
	lockdep_assert_held(&chan->lock);
	list_del(&reader->link);
	list_del(&reader->dev_link);
	if (chan->awake == reader)
		chan->awake = NULL;
}

static bool reader_looks(const struct fusex_reader *reader)
{
	/* One that was preempted meanwhile would keep the request waiting. */
	return reader && READ_ONCE(reader->awake) && owner_on_cpu(reader->task);
}

/*
 * The idle reader that came last, or one of the last few that slept on another
 * CPU, for a caller that goes on meanwhile: the scheduler wakes a task where it
 * slept even if its waker stays there and others idle.
 */
static struct fusex_reader *idle_reader(struct fusex_chan *chan,
					enum fusex_submitter submitter)
{
	unsigned int here = smp_processor_id(), n = 0;
	struct fusex_reader *reader;

	list_for_each_entry(reader, &chan->readers, link) {
		if (submitter == FUSEX_SLEEPS || n++ == FUSEX_PICK_MAX)
			break;
		if (task_cpu(reader->task) != here)
			return reader;
	}
	return list_first_entry(&chan->readers, struct fusex_reader, link);
}

/*
 * Takes an idle reader, preferably the one that is awake; then, if this CPU is
 * soon free, one of the descriptor read last on it.  Whichever it is learns from
 * how long the one that looked has waited for this.
 */
static struct fusex_reader *pick_reader(struct fusex_chan *chan,
					enum fusex_submitter submitter)
{
	struct fusex_reader *reader = NULL;
	struct fusex_dev *dev;

	lockdep_assert_held(&chan->lock);
	if (list_empty(&chan->readers))
		return NULL;
	if (reader_looks(chan->awake))
		reader = chan->awake;
	if (!reader && submitter == FUSEX_SLEEPS && chan->nr_devs > 1) {
		dev = *raw_cpu_ptr(chan->cpu_dev);
		if (dev)
			reader = list_first_entry_or_null(&dev->readers,
							  struct fusex_reader,
							  dev_link);
	}
	if (!reader)
		reader = idle_reader(chan, submitter);
	reader->looked = chan->awake ? chan->awake_since : 0;
	chan->awake = NULL;
	unlist_reader(chan, reader);
	return reader;
}

/* Lets a reader go that was picked; returns the task, to be woken and put. */
static struct task_struct *release_reader(struct fusex_reader *reader,
					  struct fusex_req *req)
{
	struct task_struct *task = get_task_struct(reader->task);

	reader->req = req;
	/* Its stack is its own again from here on. */
	smp_store_release(&reader->woken, true);
	return task;
}

static void wake_reader(struct task_struct *task, bool sync)
{
	fusex_req_wake(task, sync);
	put_task_struct(task);
}

static int dev_submit(struct fusex_chan *chan, struct fusex_req *req,
		      enum fusex_submitter submitter)
{
	struct task_struct *task = NULL;
	struct fusex_reader *reader = NULL;
	bool polled = false;

	spin_lock(&chan->lock);
	/* Who ended it meanwhile has looked for it, or does so after us. */
	if (unlikely(chan->state == FUSEX_CHAN_DEAD || fusex_req_over(req))) {
		spin_unlock(&chan->lock);
		return -ENOTCONN;
	}
	req->looks = submitter == FUSEX_LOOKS && !reader_looks(chan->awake) &&
		     READ_ONCE(chan->replied);
	if (req->looks)
		WRITE_ONCE(chan->replied, 0);
	else
		reader = pick_reader(chan, submitter);
	if (reader) {
		fusex_req_note_server(req, reader->task);
		task = release_reader(reader, req);
	} else {
		list_add_tail(&req->link, &chan->pending);
		/* The lock orders this against dev_poll(). */
		polled = !req->looks && waitqueue_active(&chan->poll);
	}
	spin_unlock(&chan->lock);
	if (task)
		wake_reader(task, submitter == FUSEX_SLEEPS);
	else if (polled)
		wake_up_interruptible_sync_poll(&chan->poll,
						EPOLLIN | EPOLLRDNORM);
	return 0;
}

static bool dev_withdraw(struct fusex_chan *chan, struct fusex_req *req)
{
	bool ours;

	spin_lock(&chan->lock);
	ours = !list_empty(&req->link);
	list_del_init(&req->link);
	spin_unlock(&chan->lock);
	return ours;
}

/* Something else than a request is there: let somebody look. */
static void dev_kick(struct fusex_chan *chan)
{
	struct task_struct *task = NULL;
	struct fusex_reader *reader;

	spin_lock(&chan->lock);
	reader = pick_reader(chan, FUSEX_GOES_ON);
	if (reader)
		task = release_reader(reader, NULL);
	spin_unlock(&chan->lock);
	if (task)
		wake_reader(task, false);
	else if (wq_has_sleeper(&chan->poll))
		wake_up_interruptible_poll(&chan->poll,
					   EPOLLIN | EPOLLRDNORM);
}

static void dev_cancel(struct fusex_chan *chan, struct fusex_req *req)
{
	bool dead;

	lockdep_assert_held(&req->shard->lock);
	spin_lock(&chan->lock);
	dead = chan->state == FUSEX_CHAN_DEAD;
	if (!dead) {
		refcount_inc(&req->ref);
		list_add_tail(&req->link, &chan->cancels);
	}
	spin_unlock(&chan->lock);
	if (!dead)
		dev_kick(chan);
}

static void dev_stop(struct fusex_chan *chan)
{
	struct fusex_reader *reader;
	struct fusex_req *req;

	while ((reader = pick_reader(chan, FUSEX_GOES_ON)))
		wake_reader(release_reader(reader, NULL), false);
	while ((req = list_first_entry_or_null(&chan->cancels,
					       struct fusex_req, link))) {
		list_del_init(&req->link);
		fusex_req_put(req);
	}
}

const struct fusex_transport_ops fusex_dev_transport = {
	.submit		= dev_submit,
	.withdraw	= dev_withdraw,
	.cancel		= dev_cancel,
	.kick		= dev_kick,
	.stop		= dev_stop,
};

/* ------------------------------------------------------- what is there */

static bool dev_has_work(const struct fusex_chan *chan)
{
	lockdep_assert_held(&chan->lock);
	return !list_empty(&chan->pending) || !list_empty(&chan->cancels) ||
	       fusex_forget_ready(chan);
}

static struct fusex_req *take_first(struct list_head *queue)
{
	struct fusex_req *req;

	req = list_first_entry_or_null(queue, struct fusex_req, link);
	if (req)
		list_del_init(&req->link);
	return req;
}

/* Takes what is to be done next; false if there is nothing. */
static bool take_work(struct fusex_chan *chan, struct fusex_work *work)
{
	lockdep_assert_held(&chan->lock);
	work->req = take_first(&chan->cancels);
	work->cancel = work->req;
	if (work->req)
		return true;
	if (fusex_forget_ready(chan) &&
	    (list_empty(&chan->pending) ||
	     chan->served >= FUSEX_FORGET_EVERY)) {
		chan->served = 0;
		work->forgets = fusex_forget_take(chan, FUSEX_FORGET_MAX,
						  &work->count);
		if (work->forgets)
			return true;
	}
	work->req = take_first(&chan->pending);
	if (work->req)
		chan->served++;
	return work->req;
}

/* Puts a reader into the lists; the last one that came is the one that looks. */
static void list_reader(struct fusex_dev *dev, struct fusex_chan *chan,
			struct fusex_reader *reader)
{
	lockdep_assert_held(&chan->lock);
	reader->req = NULL;
	reader->woken = false;
	list_add(&reader->link, &chan->readers);
	list_add(&reader->dev_link, &dev->readers);
	reader->awake = !chan->awake || !READ_ONCE(chan->awake->awake);
	if (!reader->awake)
		return;
	chan->awake = reader;
	chan->awake_since = local_clock();
}

static void spin_reader(struct fusex_chan *chan, struct fusex_reader *reader)
{
	u32 spin = min(READ_ONCE(chan->spin_reader.ns),
		       READ_ONCE(chan->spin_most));
	u64 start = local_clock();

	/* Pairs with release_reader(). */
	while (!smp_load_acquire(&reader->woken) && fusex_spin_on(start, spin))
		cpu_relax();
	WRITE_ONCE(reader->awake, false);
}

static void learn_reader(struct fusex_chan *chan,
			 const struct fusex_reader *reader)
{
	if (reader->looked)
		fusex_spin_note(&chan->spin_reader,
				local_clock() - reader->looked,
				READ_ONCE(chan->spin_most));
}

static int wait_reader(struct fusex_chan *chan, struct fusex_reader *reader)
{
	int err = 0;

	if (reader->awake)
		spin_reader(chan, reader);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		/* Pairs with release_reader(). */
		if (smp_load_acquire(&reader->woken))
			break;
		if (!signal_pending(current)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		spin_lock(&chan->lock);
		if (!reader->woken) {
			unlist_reader(chan, reader);
			err = -ERESTARTSYS;
		}
		spin_unlock(&chan->lock);
		break;
	}
	__set_current_state(TASK_RUNNING);
	if (!err)
		learn_reader(chan, reader);
	return err;
}

/* Puts a request back that this reader cannot take. */
static void give_back(struct fusex_chan *chan, struct fusex_req *req)
{
	if (dev_submit(chan, req, FUSEX_GOES_ON))
		fusex_req_refused(req);
}

/*
 * A reader that was woken for forgets may have found a request that nobody was
 * told of, and the forgets wait while there are idle readers.
 */
static bool left_forgets(const struct fusex_chan *chan,
			 const struct fusex_work *work)
{
	lockdep_assert_held(&chan->lock);
	return work->req && fusex_forget_ready(chan) &&
	       !list_empty(&chan->readers);
}

/* Waits for something to do. */
static int get_work(struct fusex_dev *dev, struct fusex_chan *chan,
		    bool nonblock, struct fusex_work *work)
{
	struct fusex_reader reader = { .task = current };
	bool more;
	int err;

	memset(work, 0, sizeof(*work));
	for (;;) {
		/* What a dying thread takes, or is woken for, is for others. */
		if (fatal_signal_pending(current)) {
			dev_kick(chan);
			return -EINTR;
		}
		spin_lock(&chan->lock);
		if (chan->nr_devs > 1)
			*raw_cpu_ptr(chan->cpu_dev) = dev;
		WRITE_ONCE(chan->replied, 0);
		if (chan->state == FUSEX_CHAN_DEAD)
			err = -ENODEV;
		else if (take_work(chan, work))
			err = 0;
		else
			err = nonblock ? -EAGAIN : -EIOCBQUEUED;
		if (err != -EIOCBQUEUED) {
			more = !err && left_forgets(chan, work);
			spin_unlock(&chan->lock);
			if (more)
				dev_kick(chan);
			return err;
		}
		list_reader(dev, chan, &reader);
		spin_unlock(&chan->lock);

		err = wait_reader(chan, &reader);
		if (err)
			return err;
		work->req = reader.req;
		if (!work->req)
			continue;
		if (!fatal_signal_pending(current))
			return 0;
		give_back(chan, work->req);
	}
}

/* --------------------------------------------------------- to the server */

/* Faults the server's memory in; nobody waits for it here. */
static int fault_in_buffer(struct iov_iter *to, size_t len)
{
	if (fault_in_iov_iter_writeable(to, len))
		return -EFAULT;
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return 0;
}

/* Returns 0 when the request is over: the next one can be had instead. */
static ssize_t send_request(struct fusex_chan *chan, struct fusex_req *req,
			    struct iov_iter *to)
{
	size_t len = req->in.len;
	int err;

	for (;;) {
		if (!fusex_req_start_send(req)) {
			fusex_req_put(req);
			return 0;
		}
		if (!fusex_msg_encode(req, to)) {
			if (fusex_req_sent(req))
				return len;
			iov_iter_revert(to, len);
			return 0;
		}
		if (!fusex_req_unsend(req))
			return 0;
		err = fault_in_buffer(to, len);
		if (err) {
			give_back(chan, req);
			return err;
		}
	}
}

/* Nobody has got the CANCEL: the next reader tries. */
static void return_cancel(struct fusex_chan *chan, struct fusex_req *req)
{
	bool dead;

	spin_lock(&chan->lock);
	dead = chan->state == FUSEX_CHAN_DEAD;
	if (!dead)
		list_add(&req->link, &chan->cancels);
	spin_unlock(&chan->lock);
	if (dead)
		fusex_req_put(req);
	else
		dev_kick(chan);
}

static ssize_t send_cancel(struct fusex_chan *chan, struct fusex_req *req,
			   struct iov_iter *to)
{
	struct {
		struct fusex_in_header in;
		struct fusex_cancel_in arg;
	} msg = {
		.in = {
			.len = sizeof(msg),
			.opcode = FUSEX_OP_CANCEL,
			.arg_len = sizeof(msg.arg),
		},
		.arg.unique = req->in.unique,
	};
	size_t done = copy_to_iter(&msg, sizeof(msg), to);

	if (done == sizeof(msg)) {
		fusex_req_put(req);
		return done;
	}
	iov_iter_revert(to, done);
	return_cancel(chan, req);
	return -EFAULT;
}

static ssize_t send_forgets(struct fusex_chan *chan, struct fusex_work *work,
			    struct iov_iter *to)
{
	ssize_t len = fusex_forget_encode(work->forgets, work->count, to);

	if (len < 0)
		fusex_forget_return(chan, work->forgets, work->count);
	else
		fusex_forget_free_all(work->forgets);
	return len;
}

static ssize_t dev_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct fusex_dev *dev = iocb->ki_filp->private_data;
	bool nonblock = iocb->ki_filp->f_flags & O_NONBLOCK ||
			iocb->ki_flags & IOCB_NOWAIT;
	/* Pairs with fusex_dev_join(). */
	struct fusex_chan *chan = smp_load_acquire(&dev->chan);
	struct fusex_work work;
	ssize_t ret;

	if (!chan)
		return -ENOTCONN;
	if (!fusex_chan_alive(chan))
		return -ENODEV;
	if (iov_iter_count(to) < chan->request_size)
		return -EINVAL;
	do {
		ret = get_work(dev, chan, nonblock, &work);
		if (ret)
			return ret;
		if (work.forgets)
			ret = send_forgets(chan, &work, to);
		else if (work.cancel)
			ret = send_cancel(chan, work.req, to);
		else
			ret = send_request(chan, work.req, to);
	} while (!ret);
	return ret;
}

/* ------------------------------------------------------- from the server */

/*
 * The content of a reply.  While it is being copied the request is REPLYING
 * and its caller may wait for the copy; while memory is being faulted in it is
 * not, so that it can be abandoned, or answered by another thread.
 */
static int take_reply(struct fusex_chan *chan,
		      const struct fusex_out_header *oh, struct iov_iter *from)
{
	size_t len = iov_iter_count(from);
	const char *why = NULL;
	struct fusex_req *req;
	int err = 0;

	for (;;) {
		req = fusex_req_start_reply(chan, oh->unique);
		if (!req) {
			fusex_stray_answered(chan, oh->unique);
			return -ENOENT;
		}
		err = oh->error;
		if (!err)
			err = fusex_msg_decode(req->call, from, &why);
		if (err != -EFAULT || oh->error)
			break;
		if (!fusex_req_unreply(req))
			return -ENOENT;
		if (fault_in_iov_iter_readable(from, len))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	if (oh->error)
		req->call->sent = false;
	if (why)
		fusex_bad_reply(chan, req->call, why);
	err = fusex_req_reply(req, err);
	return why ? -EINVAL : err;
}

static ssize_t dev_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct fusex_dev *dev = iocb->ki_filp->private_data;
	/* Pairs with fusex_dev_join(). */
	struct fusex_chan *chan = smp_load_acquire(&dev->chan);
	size_t len = iov_iter_count(from);
	struct fusex_out_header oh;
	const char *why = NULL;
	int err;

	if (!chan)
		return -ENOTCONN;
	if (!fusex_chan_alive(chan))
		return -ENODEV;
	if (len < sizeof(oh))
		return -EINVAL;
	if (!copy_from_iter_full(&oh, sizeof(oh), from))
		return -EFAULT;
	err = fusex_check_out_header(&oh, len, &why);
	if (err) {
		atomic_inc(&chan->bad_replies);
		trace_fusex_bad_reply(chan->dev, oh.unique, 0, 0, why);
		return err;
	}
	if (oh.unique)
		err = take_reply(chan, &oh, from);
	else
		err = fusex_notify(chan, oh.notify, from);
	return err ?: len;
}

/* ------------------------------------------------------------ other calls */

static __poll_t dev_poll(struct file *file, poll_table *wait)
{
	struct fusex_dev *dev = file->private_data;
	/* Pairs with fusex_dev_join(). */
	struct fusex_chan *chan = smp_load_acquire(&dev->chan);
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	if (!chan)
		return EPOLLERR;
	poll_wait(file, &chan->poll, wait);
	spin_lock(&chan->lock);
	if (chan->state == FUSEX_CHAN_DEAD)
		mask = EPOLLERR;
	else if (dev_has_work(chan))
		mask |= EPOLLIN | EPOLLRDNORM;
	spin_unlock(&chan->lock);
	return mask;
}

static int dev_open(struct inode *inode, struct file *file)
{
	struct fusex_dev *dev = kzalloc_obj(*dev, GFP_KERNEL_ACCOUNT);

	if (!dev)
		return -ENOMEM;
	mutex_init(&dev->setup);
	INIT_LIST_HEAD(&dev->link);
	INIT_LIST_HEAD(&dev->readers);
	file->private_data = dev;
	/* RWF_NOWAIT, beside others who read and wait. */
	file->f_mode |= FMODE_NOWAIT;
	return stream_open(inode, file);
}

/**
 * fusex_dev_join - make a file a descriptor of a channel
 * @dev: the file, in no channel
 * @chan: the channel; a reference is taken
 *
 * Context: under @dev->setup.
 */
void fusex_dev_join(struct fusex_dev *dev, struct fusex_chan *chan)
{
	lockdep_assert_held(&dev->setup);
	fusex_chan_get(chan);
	spin_lock(&chan->lock);
	chan->nr_devs++;
	list_add_tail(&dev->link, &chan->devs);
	spin_unlock(&chan->lock);
	/* Whoever sees the channel sees all of it. */
	smp_store_release(&dev->chan, chan);
}

static int dev_release(struct inode *inode, struct file *file)
{
	struct fusex_dev *dev = file->private_data;
	struct fusex_chan *chan = dev->chan;
	bool last;
	int cpu;

	if (chan) {
		spin_lock(&chan->lock);
		WARN_ON_ONCE(!list_empty(&dev->readers));
		list_del(&dev->link);
		last = !--chan->nr_devs;
		for_each_possible_cpu(cpu) {
			if (*per_cpu_ptr(chan->cpu_dev, cpu) == dev)
				*per_cpu_ptr(chan->cpu_dev, cpu) = NULL;
		}
		spin_unlock(&chan->lock);
		if (last)
			fusex_chan_abort(chan);
		fusex_chan_put(chan);
	}
	kfree(dev);
	return 0;
}

const struct file_operations fusex_dev_fops = {
	.owner		= THIS_MODULE,
	.open		= dev_open,
	.release	= dev_release,
	.read_iter	= dev_read_iter,
	.write_iter	= dev_write_iter,
	.poll		= dev_poll,
	.unlocked_ioctl	= fusex_dev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice fusex_miscdev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "fusex",
	.mode	= 0666,
	.fops	= &fusex_dev_fops,
};

/**
 * fusex_chan_from_file - the channel of a descriptor of the server
 * @file: any file
 *
 * Return: the channel with a reference; -EBADF not /dev/fusex; -EINVAL not set
 * up.
 */
struct fusex_chan *fusex_chan_from_file(struct file *file)
{
	struct fusex_dev *dev = file->private_data;
	struct fusex_chan *chan;

	if (file->f_op != &fusex_dev_fops)
		return ERR_PTR(-EBADF);
	/* Pairs with fusex_dev_join(). */
	chan = smp_load_acquire(&dev->chan);
	if (!chan)
		return ERR_PTR(-EINVAL);
	fusex_chan_get(chan);
	return chan;
}

/**
 * fusex_dev_ktype - what the kernel object of any device is
 *
 * Context: any, once /dev/fusex is there.
 * Return: that of ours.
 */
const struct kobj_type *fusex_dev_ktype(void)
{
	return get_ktype(&fusex_miscdev.this_device->kobj);
}

/**
 * fusex_dev_init - make /dev/fusex
 *
 * Return: 0 or a negative errno.
 */
int fusex_dev_init(void)
{
	return misc_register(&fusex_miscdev);
}

/**
 * fusex_dev_exit - undo fusex_dev_init()
 */
void fusex_dev_exit(void)
{
	misc_deregister(&fusex_miscdev);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes between the server and the memory of the caller, without
 * the page cache: O_DIRECT in the modes that have one, and all of direct mode.
 *
 * An operation is cut into requests of the agreed size, of which any number
 * may be on their way.  It is waited for, or ends asynchronously; either way
 * whatever may wait for the server afterwards (memory that has to be marked
 * dirty, pages to be dropped from the cache)
 * is done by the waiting task or by a worker, never where replies arrive.
 *
 * When the waiting task is killed, or an asynchronous operation cancelled, its
 * requests are abandoned: they end, and nobody touches the memory any more.
 */
#include <linux/aio.h>
#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>

#include "io.h"
#include "validate.h"

/**
 * struct fusex_user_io - one read or write on its way
 * @refs: the submitter, each request, and who abandons them
 * @work: end of an operation that nobody waits for
 * @cancel: abandons the requests of one
 * @done: no request is left; for who waits
 * @iocb: the operation; keeps the file
 * @inode: the file
 * @parts: all requests, in order
 * @pos: where it begins, bytes
 * @end: behind all that is to be written, bytes
 * @first: where the first request says it wrote
 * @err: why not all was sent
 * @write_flags: FUSEX_WRITE_*
 * @write: direction
 * @around: it is counted in fusex_inode.around
 * @nowait: nobody waits, the end is reported through @iocb
 * @grows: the size is to be seen to at the end
 * @one: one request only: the next depends on what the server says to it
 * @given_up: no more requests
 * @others: somebody else has changed the size
 */
struct fusex_user_io {
	refcount_t refs;
	struct work_struct work;
	struct work_struct cancel;
	struct completion done;
	struct kiocb *iocb;
	struct inode *inode;
	struct list_head parts;
	loff_t pos;
	loff_t end;
	loff_t first;
	int err;
	u32 write_flags;
	bool write;
	bool around;
	bool nowait;
	bool grows;
	bool one;
	bool given_up;
	bool others;
};

/* kiocb.private of what io_cancel(2) and exiting tasks may cancel. */
static DEFINE_SPINLOCK(fusex_cancel_lock);

/**
 * struct fusex_user_part - one request of it
 * @call: the request
 * @rd: its argument when reading
 * @wr: its argument when writing
 * @out: the reply when writing
 * @io: the operation
 * @link: in the operation's list
 * @epoch: fusex_chan_epoch() when it was sent
 * @at: where the server wrote, bytes
 * @len: bytes
 * @done: bytes moved
 * @pinned: the pages have to be unpinned
 * @nr: segments
 * @max: room for segments
 * @bv: segments
 */
struct fusex_user_part {
	struct fusex_call call;
	union {
		struct fusex_read_in rd;
		struct fusex_write_in wr;
	};
	struct fusex_write_out out;
	struct fusex_user_io *io;
	struct list_head link;
	u64 epoch;
	loff_t at;
	size_t len;
	size_t done;
	bool pinned;
	unsigned short nr;
	unsigned short max;
	struct bio_vec bv[] __counted_by(max);
};

/* ---------------------------------------------------------- memory of a part */

static void fusex_part_free(struct fusex_user_part *part)
{
	bool dirty = part->call.op == FUSEX_OP_READ && part->done;
	unsigned int i;

	for (i = 0; part->pinned && i < part->nr; i++) {
		struct bio_vec *bv = &part->bv[i];

		unpin_user_page_range_dirty_lock(bv->bv_page,
						 DIV_ROUND_UP(bv->bv_offset +
							      bv->bv_len,
							      PAGE_SIZE),
						 dirty);
	}
	kvfree(part);
}

/* Take up to @limit bytes off @iter. */
static struct fusex_user_part *fusex_part_alloc(struct iov_iter *iter,
						u32 limit)
{
	size_t want = min_t(size_t, limit, iov_iter_count(iter));
	unsigned int max = min_t(unsigned int, limit / PAGE_SIZE + 1,
				 iov_iter_npages(iter, U16_MAX));
	struct fusex_user_part *part;

	part = kvmalloc_flex(*part, bv, max ?: 1, GFP_KERNEL_ACCOUNT);
	if (!part)
		return ERR_PTR(-ENOMEM);
	part->call.op = 0;
	part->max = max ?: 1;
	part->len = 0;
	part->done = 0;
	part->nr = 0;
	part->pinned = iov_iter_extract_will_pin(iter);
	while (part->len < want && part->nr < part->max) {
		ssize_t n = iov_iter_extract_bvecs(iter, part->bv,
						   want - part->len, &part->nr,
						   part->max, 0, 0);

		if (n <= 0) {
			if (part->len)
				break;
			kvfree(part);
			return ERR_PTR(n ?: -EFAULT);
		}
		part->len += n;
	}
	return part;
}

/* -------------------------------------------------------------------- the end */

/*
 * Bytes that were moved without a gap from the beginning, or the error that
 * nothing was.  Frees the parts.
 */
static ssize_t fusex_user_result(struct fusex_user_io *io)
{
	struct fusex_user_part *part, *next;
	bool whole = true;
	ssize_t sum = 0;

	list_for_each_entry_safe(part, next, &io->parts, link) {
		if (whole)
			sum += part->done;
		if (whole && !sum)
			sum = part->call.error;
		whole = whole && part->done == part->len;
		fusex_part_free(part);
	}
	INIT_LIST_HEAD(&io->parts);
	return sum;
}

/*
 * Somebody may have read the old data into the cache meanwhile; and whoever
 * appends learns only now where the data went, and what was before it.
 */
static void fusex_user_written(struct fusex_user_io *io, size_t len)
{
	loff_t start = min(io->pos, io->first);
	loff_t end = max(io->pos, io->first) + len - 1;

	fusex_cache_invalidate(io->inode, start, end);
}

/*
 * What was written behind a gap may have made the file larger than the bytes
 * before it.  Where the first request went, the others did not follow if it is
 * an append, of which there is but one.
 */
static bool fusex_user_gap(struct fusex_user_io *io)
{
	struct fusex_user_part *part;
	bool whole = true;

	list_for_each_entry(part, &io->parts, link) {
		if (!whole && part->done)
			return true;
		whole = whole && part->done == part->len;
	}
	return false;
}

static size_t fusex_user_sent(struct fusex_user_io *io)
{
	struct fusex_user_part *part;
	size_t len = 0;

	list_for_each_entry(part, &io->parts, link)
		len += part->len;
	return len;
}

static loff_t fusex_user_first(struct fusex_user_io *io)
{
	struct fusex_user_part *part;

	part = list_first_entry_or_null(&io->parts, struct fusex_user_part,
					link);
	return part && part->done ? part->at : io->pos;
}

/*
 * The size is set before pages are dropped: who fills one by the old size does
 * that before, and it is dropped, or finds the new size.
 */
static ssize_t fusex_user_write_end(struct fusex_user_io *io)
{
	bool gap = fusex_user_gap(io);
	size_t len = fusex_user_sent(io);
	struct inode *inode = io->inode;
	ssize_t ret;

	io->first = fusex_user_first(io);
	ret = fusex_user_result(io);
	/* What does not grow and is not waited for was seen to before. */
	if (ret > 0 && (io->grows || !io->nowait))
		fusex_i(inode)->attr->after_write(inode, io->first, ret);
	if (gap)
		fusex_attr_uncertain(inode);
	if (io->others)
		fusex_cache_invalidate(inode, 0, LLONG_MAX);
	else if (len)
		fusex_user_written(io, len);
	return ret;
}

/*
 * A write that goes around the page cache, of which nothing is mapped to be stored to.
 * Until it has ended nothing is: a page that was read before would be written back
 * over it.
 */
static void fusex_around_begin(struct inode *inode)
{
	atomic_inc(&fusex_i(inode)->around);
	/* Either we see the mapping, or who stores to it sees this. */
	smp_mb__after_atomic();
}

static void fusex_around_end(struct inode *inode)
{
	struct fusex_inode *fi = fusex_i(inode);

	if (atomic_dec_and_test(&fi->around))
		wake_up_var(&fi->around);
}

/* Everything was answered; where this runs may wait for the server. */
static ssize_t fusex_user_finish(struct fusex_user_io *io)
{
	ssize_t ret = io->write ? fusex_user_write_end(io) :
				  fusex_user_result(io);

	if (io->around)
		fusex_around_end(io->inode);
	inode_dio_end(io->inode);
	return ret ?: io->err;
}

static void fusex_user_work(struct work_struct *work)
{
	struct fusex_user_io *io = container_of(work, struct fusex_user_io,
						work);
	struct kiocb *iocb = io->iocb;
	ssize_t ret = fusex_user_finish(io);

	if (iocb->ki_flags & IOCB_AIO_RW) {
		spin_lock_irq(&fusex_cancel_lock);
		iocb->private = NULL;
		spin_unlock_irq(&fusex_cancel_lock);
	}
	kfree(io);
	if (ret > 0)
		iocb->ki_pos += ret;
	iocb->ki_complete(iocb, ret);
}

static void fusex_user_put(struct fusex_user_io *io)
{
	if (!refcount_dec_and_test(&io->refs))
		return;
	if (io->nowait)
		queue_work(fusex_sb(io->inode->i_sb)->io_wq, &io->work);
	else
		complete(&io->done);
}

/* All requests end, now or very soon.  Nothing is submitted any more. */
static void fusex_user_abandon(struct fusex_user_io *io)
{
	struct fusex_chan *chan = fusex_chan_of(io->inode);
	struct fusex_user_part *part;

	WRITE_ONCE(io->given_up, true);
	/* Pairs with fusex_part_resend(): a new number or a new request. */
	smp_mb();
	list_for_each_entry(part, &io->parts, link)
		fusex_call_abandon(chan, READ_ONCE(part->call.unique));
}

static void fusex_user_cancel_work(struct work_struct *work)
{
	struct fusex_user_io *io = container_of(work, struct fusex_user_io,
						cancel);

	fusex_user_abandon(io);
	fusex_user_put(io);
}

/* Called by aio with interrupts disabled, at most once. */
static int fusex_user_cancel(struct kiocb *iocb)
{
	struct fusex_user_io *io;

	spin_lock(&fusex_cancel_lock);
	io = iocb->private;
	if (io && refcount_inc_not_zero(&io->refs))
		queue_work(fusex_sb(io->inode->i_sb)->io_wq, &io->cancel);
	spin_unlock(&fusex_cancel_lock);
	return 0;
}

static int fusex_part_queue(struct fusex_user_part *part);

static int fusex_part_resend(struct fusex_user_part *part)
{
	struct fusex_user_io *io = part->io;
	int err;

	if (READ_ONCE(io->given_up))
		return -EINTR;
	/* The part stays until this is given back. */
	refcount_inc(&io->refs);
	err = fusex_part_queue(part);
	/* Pairs with fusex_user_abandon(). */
	smp_mb();
	if (!err && READ_ONCE(io->given_up))
		fusex_call_abandon(fusex_chan_of(io->inode),
				   READ_ONCE(part->call.unique));
	fusex_user_put(io);
	return err;
}

/*
 * Has the reply made the size, @oldsize before, what the write cannot have made of it?
 * As in fusex_io_written(), but without i_rwsem other writes of ours change it later.
 * Other parts of this one may be in it already.
 */
static bool fusex_part_others(const struct fusex_user_part *part,
			      loff_t oldsize)
{
	const struct inode *inode = part->io->inode;
	loff_t end = part->out.offset + part->out.written;
	loff_t size = i_size_read(inode);

	return fusex_i(inode)->attr->shared && size != oldsize &&
	       (size < end || size < oldsize ||
		size > max3(oldsize, end, part->io->end));
}

/* Returns whether more of it is on its way. */
static bool fusex_part_written(struct fusex_user_part *part)
{
	struct inode *inode = part->io->inode;
	loff_t size = i_size_read(inode);
	int ret = fusex_write_reply(inode, &part->call, part->epoch,
				    FUSEX_DID_DATA);

	if (ret <= 0)
		return false;
	if (fusex_part_others(part, size))
		WRITE_ONCE(part->io->others, true);
	if (!part->done)
		part->at = part->out.offset;
	part->done += ret;
	/* The rest of an append might not go behind it. */
	if (ret == part->wr.size || part->wr.write_flags & FUSEX_WRITE_APPEND)
		return false;
	part->wr.offset += ret;
	part->wr.size -= ret;
	return !fusex_part_resend(part);
}

/* There was less than there should be: what is known of the size is too old. */
static void fusex_part_read(struct fusex_user_part *part)
{
	struct inode *inode = part->io->inode;

	part->done = part->call.got;
	if (part->call.error || part->done == part->len)
		return;
	if (part->rd.offset + part->done < i_size_read(inode))
		fusex_attr_apply(inode, &(struct fusex_attr_reply) {
			.epoch = part->epoch,
		});
}

static void fusex_part_end(struct fusex_call *call)
{
	struct fusex_user_part *part = container_of(call,
						    struct fusex_user_part,
						    call);
	struct fusex_user_io *io = part->io;

	if (!io->write)
		fusex_part_read(part);
	else if (fusex_part_written(part))
		return;
	fusex_user_put(io);
}

/* ----------------------------------------------------------------- submitting */

/* Takes over what inode_dio_begin() has begun. */
static struct fusex_user_io *fusex_user_alloc(struct kiocb *iocb, bool write)
{
	struct fusex_user_io *io = kzalloc_obj(*io, GFP_KERNEL_ACCOUNT);

	if (!io) {
		inode_dio_end(file_inode(iocb->ki_filp));
		return NULL;
	}
	refcount_set(&io->refs, 1);
	INIT_WORK(&io->work, fusex_user_work);
	INIT_WORK(&io->cancel, fusex_user_cancel_work);
	init_completion(&io->done);
	INIT_LIST_HEAD(&io->parts);
	io->iocb = iocb;
	io->inode = file_inode(iocb->ki_filp);
	io->pos = iocb->ki_pos;
	io->write = write;
	return io;
}

static void fusex_part_fill(struct fusex_user_part *part,
			    struct fusex_user_io *io, loff_t pos)
{
	part->io = io;
	if (!io->write) {
		fusex_read_arg(&part->rd, io->iocb->ki_filp, pos, part->len);
		return;
	}
	part->wr = (struct fusex_write_in) {
		.fh		= fusex_fh(io->iocb->ki_filp),
		.offset		= pos,
		.size		= part->len,
		.flags		= fusex_io_flags(io->iocb),
		.write_flags	= io->write_flags,
	};
}

/* Send a part, or the rest of it.  An error is in the call, too. */
static int fusex_part_queue(struct fusex_user_part *part)
{
	struct inode *inode = part->io->inode;
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_call *call = &part->call;

	*call = (struct fusex_call) {
		.node	= inode,
		.end	= fusex_part_end,
	};
	if (part->io->write) {
		call->op = FUSEX_OP_WRITE;
		call->arg = &part->wr;
		call->arg_len = sizeof(part->wr);
		call->in_bvec = part->bv;
		call->in_skip = part->done;
		call->in_bytes = part->len - part->done;
		call->out[0] = (struct fusex_out){ &part->out,
						   sizeof(part->out) };
	} else {
		call->op = FUSEX_OP_READ;
		call->arg = &part->rd;
		call->arg_len = sizeof(part->rd);
		call->out_bvec = part->bv;
		call->out_bytes = part->len;
	}
	part->epoch = fusex_chan_epoch(chan);
	return fusex_call_async(chan, call, GFP_KERNEL);
}

static int fusex_part_send(struct fusex_user_io *io,
			   struct fusex_user_part *part, loff_t pos)
{
	int err;

	fusex_part_fill(part, io, pos);
	list_add_tail(&part->link, &io->parts);
	refcount_inc(&io->refs);
	err = fusex_part_queue(part);
	if (err)
		fusex_user_put(io);
	return err;
}

/*
 * Send all of @iter, or as much as one request takes; the first error ends it,
 * what was sent goes on.
 */
static void fusex_user_submit(struct fusex_user_io *io, struct iov_iter *iter,
			      u32 limit)
{
	loff_t pos = io->pos;

	while (iov_iter_count(iter) && !io->err) {
		struct fusex_user_part *part;
		size_t len;

		if (fatal_signal_pending(current)) {
			io->err = -EINTR;
			break;
		}
		part = fusex_part_alloc(iter, limit);
		if (IS_ERR(part)) {
			io->err = PTR_ERR(part);
			break;
		}
		len = part->len;
		io->err = fusex_part_send(io, part, pos);
		if (io->one)
			break;
		pos += len;
	}
}

/* The end is reported through the iocb, also if nothing was sent. */
static ssize_t fusex_user_leave(struct fusex_user_io *io)
{
	struct kiocb *iocb = io->iocb;

	io->nowait = true;
	/* A backing file's is a copy of another's, also in what it says it is. */
	if (iocb->ki_flags & IOCB_AIO_RW &&
	    !(iocb->ki_filp->f_mode & FMODE_BACKING)) {
		iocb->private = io;
		kiocb_set_cancel_fn(iocb, fusex_user_cancel);
	}
	fusex_user_put(io);
	return -EIOCBQUEUED;
}

static ssize_t fusex_user_wait(struct fusex_user_io *io, loff_t *first)
{
	ssize_t ret;

	fusex_user_put(io);
	/* As in a request: frozen tasks may hold locks. */
	if (wait_for_completion_state(&io->done, TASK_KILLABLE |
				      TASK_FREEZABLE_UNSAFE)) {
		fusex_user_abandon(io);
		wait_for_completion(&io->done);
	}
	ret = fusex_user_finish(io);
	*first = io->first;
	kfree(io);
	return ret;
}

/* -------------------------------------------------------------------- reading */

static int fusex_user_read_known(struct kiocb *iocb, loff_t start, loff_t end)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		return fusex_i(inode)->io->write_back(inode, start, end);
	return filemap_range_needs_writeback(inode->i_mapping, start, end) ?
		-EAGAIN : 0;
}

/*
 * The server is to know the data, and that the file does not end before it: when
 * only the kernel knows where it ends, it does so because what is there is dirty.
 */
static int fusex_user_read_prepare(struct kiocb *iocb, size_t count)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t last = i_size_read(inode) - 1;
	loff_t end = iocb->ki_pos + count - 1;
	int err = fusex_user_read_known(iocb, iocb->ki_pos, end);

	if (!err && last > end && fusex_io_ahead(inode))
		err = fusex_user_read_known(iocb, last, last);
	return err;
}

/* See fusex_io_dio_close(). */
static int fusex_user_read_begin(const struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	unsigned long *state = &fusex_i(inode)->state;
	int err;

	for (;;) {
		inode_dio_begin(inode);
		/* Either who has closed it waits for this, or it is seen here. */
		smp_mb__after_atomic();
		if (likely(!test_bit(FUSEX_I_DRAINING, state)))
			return 0;
		inode_dio_end(inode);
		if (iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		err = wait_on_bit(state, FUSEX_I_DRAINING, TASK_KILLABLE);
		if (err)
			return err;
	}
}

/**
 * fusex_user_fetch - read from the server into the caller's memory
 * @iocb: the operation, its position is valid
 * @to: the memory
 * @one: make one request of it, which may not be all
 *
 * Where the file ends is for the server to say.
 *
 * Context: process; sleeps on the server, killably, if @iocb is synchronous.
 * Return: bytes read, 0 at the end, -EIOCBQUEUED, or an error.
 */
ssize_t fusex_user_fetch(struct kiocb *iocb, struct iov_iter *to, bool one)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t count = iov_iter_count(to);
	struct fusex_user_io *io;
	loff_t first;
	ssize_t ret;

	ret = fusex_user_read_prepare(iocb, count);
	if (!ret)
		ret = fusex_user_read_begin(iocb);
	if (ret)
		return ret;
	io = fusex_user_alloc(iocb, false);
	if (!io)
		return -ENOMEM;
	io->one = one;
	file_accessed(iocb->ki_filp);
	fusex_user_submit(io, to, fusex_conf_of(inode)->max_read);
	if (!is_sync_kiocb(iocb))
		return fusex_user_leave(io);
	count -= iov_iter_count(to);
	ret = fusex_user_wait(io, &first);
	/* What was asked for and is not there. */
	iov_iter_revert(to, count - max(ret, 0));
	if (ret > 0)
		iocb->ki_pos += ret;
	return ret;
}

/**
 * fusex_user_read - likewise, from a file whose size is known
 * @iocb: the operation, its position is valid; attributes are current
 * @to: the memory
 *
 * Context: process; sleeps on the server, killably, if @iocb is synchronous.
 * Return: bytes read, 0 at the end, -EIOCBQUEUED, or an error.
 */
ssize_t fusex_user_read(struct kiocb *iocb, struct iov_iter *to)
{
	loff_t left = i_size_read(file_inode(iocb->ki_filp)) - iocb->ki_pos;

	if (left <= 0 || !iov_iter_count(to))
		return 0;
	iov_iter_truncate(to, left);
	return fusex_user_fetch(iocb, to, false);
}

/* -------------------------------------------------------------------- writing */

/*
 * Requests may overtake each other, but not those of an append to a file that
 * others append to, or to which can only be appended: where one goes is known
 * after the one before it.
 */
static struct fusex_user_io *fusex_user_write_start(struct kiocb *iocb,
						    struct iov_iter *from,
						    bool around)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool append = iocb->ki_flags & IOCB_APPEND;
	struct fusex_user_io *io;

	inode_dio_begin(inode);
	io = fusex_user_alloc(iocb, true);
	if (!io)
		return NULL;
	io->write_flags = fusex_i(inode)->attr->write_flags(inode, append);
	io->one = io->write_flags & FUSEX_WRITE_APPEND || IS_APPEND(inode);
	io->around = around;
	if (around)
		fusex_around_begin(inode);
	io->end = iocb->ki_pos + (loff_t)iov_iter_count(from);
	io->grows = io->end > i_size_read(inode);
	return io;
}

/* One step of a write that is waited for. */
static ssize_t fusex_user_write_some(struct kiocb *iocb, struct iov_iter *from)
{
	u32 limit = fusex_conf_of(file_inode(iocb->ki_filp))->max_write;
	struct fusex_user_io *io = fusex_user_write_start(iocb, from, true);
	size_t count = iov_iter_count(from);
	size_t n;
	loff_t pos;
	ssize_t ret;

	if (!io)
		return -ENOMEM;
	fusex_user_submit(io, from, limit);
	n = count - iov_iter_count(from);
	ret = fusex_user_wait(io, &pos);
	/* What the server did not take comes again. */
	iov_iter_revert(from, n - max(ret, 0));
	if (ret > 0)
		iocb->ki_pos = pos + ret;
	return ret;
}

static ssize_t fusex_user_write_wait(struct kiocb *iocb, struct iov_iter *from,
				     ssize_t (*some)(struct kiocb *iocb,
						     struct iov_iter *from))
{
	ssize_t done = 0;
	ssize_t ret = 0;

	while (iov_iter_count(from)) {
		ret = some(iocb, from);
		if (ret <= 0)
			break;
		done += ret;
	}
	return done ?: ret;
}

/* The end is reported later, and so is the size, if it grows. */
static ssize_t fusex_user_write_leave(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fusex_user_io *io = fusex_user_write_start(iocb, from, true);

	if (!io)
		return -ENOMEM;
	if (!io->grows)
		fusex_i(inode)->attr->after_write(inode, iocb->ki_pos,
						  iov_iter_count(from));
	fusex_user_submit(io, from, fusex_conf_of(inode)->max_write);
	return fusex_user_leave(io);
}

/* Nothing of the range stays in the cache. */
static int fusex_user_uncache(struct kiocb *iocb, size_t count)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct address_space *mapping = inode->i_mapping;
	loff_t pos = iocb->ki_pos;
	loff_t end = pos + count - 1;
	loff_t size;
	int err;

	if (!mapping->nrpages)
		return 0;
	size = i_size_read(inode);
	if (iocb->ki_flags & IOCB_NOWAIT)
		return filemap_range_has_page(mapping, min(pos, size), end) ?
			-EAGAIN : 0;
	err = fusex_cache_settle(inode, false);
	if (err)
		return err;
	size = i_size_read(inode);
	if (pos > size)
		err = fusex_cache_zero_tail(inode, size, pos);
	if (!err)
		err = fusex_i(inode)->io->write_back(inode, pos, end);
	return err ?: fusex_cache_drop(mapping, pos, end);
}

/* Send it, with nobody storing anything to pages of the range meanwhile. */
static int fusex_part_send_alone(struct fusex_user_io *io,
				 struct fusex_user_part *part)
{
	int err;

	lockdep_assert_held_write(&io->inode->i_mapping->invalidate_lock);
	err = fusex_user_uncache(io->iocb, part->len);
	if (!err)
		return fusex_part_send(io, part, io->pos);
	fusex_part_free(part);
	return err;
}

/*
 * One step of a write to a file that has shared mappings.  A page that is stored
 * to between being dropped and the server's answer would be written back over
 * what we write, as it was before; so faults wait.  But the caller's memory may
 * be a mapping of the same file, and is got hold of before.
 */
static ssize_t fusex_user_write_mapped_some(struct kiocb *iocb,
					    struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct rw_semaphore *inval = &inode->i_mapping->invalidate_lock;
	struct fusex_user_io *io = fusex_user_write_start(iocb, from, false);
	size_t count = iov_iter_count(from);
	struct fusex_user_part *part;
	bool locked;
	loff_t pos;
	ssize_t ret;

	if (!io)
		return -ENOMEM;
	part = fusex_part_alloc(from, fusex_conf_of(inode)->max_write);
	ret = PTR_ERR_OR_ZERO(part);
	if (!ret && down_write_killable(inval)) {
		fusex_part_free(part);
		ret = -EINTR;
	}
	locked = !ret;
	io->err = ret ?: fusex_part_send_alone(io, part);
	count -= iov_iter_count(from);
	ret = fusex_user_wait(io, &pos);
	if (locked)
		up_write(inval);
	iov_iter_revert(from, count - max(ret, 0));
	if (ret > 0)
		iocb->ki_pos = pos + ret;
	return ret;
}

static bool fusex_user_inside(const struct kiocb *iocb, size_t count)
{
	return iocb->ki_pos + (loff_t)count <=
	       i_size_read(file_inode(iocb->ki_filp));
}

/*
 * Where what is cached is written back later, that is done in blocks, and what
 * is beyond the end is taken for zeros.  A write to the cache beside one on its
 * way to the same block, or to behind the end, would undo it.
 */
static bool fusex_user_write_alone(const struct kiocb *iocb, size_t count)
{
	const struct inode *inode = file_inode(iocb->ki_filp);

	if (!fusex_i(inode)->io->ahead)
		return false;
	return !fusex_user_inside(iocb, count) ||
	       (iocb->ki_pos | count) & (i_blocksize(inode) - 1);
}

/*
 * Where appends go depends on those before them, and the disk is waited for
 * after the write.
 */
static bool fusex_user_write_waits(struct kiocb *iocb, size_t count)
{
	return is_sync_kiocb(iocb) || iocb_is_dsync(iocb) ||
	       iocb->ki_flags & IOCB_APPEND ||
	       fusex_user_write_alone(iocb, count);
}

/*
 * Where the server appends is the end that it knows.  If that of the kernel is
 * further, what is cached before it would be written back over what was appended.
 */
static int fusex_user_append_begin(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	const struct fusex_inode *fi = fusex_i(inode);

	if (!(iocb->ki_flags & IOCB_APPEND) || !fusex_io_ahead(inode) ||
	    !(fi->attr->write_flags(inode, true) & FUSEX_WRITE_APPEND))
		return 0;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	return fi->io->write_back(inode, 0, LLONG_MAX);
}

/* Nobody can store to pages of the file meanwhile. */
static ssize_t fusex_user_write_around(struct kiocb *iocb,
				       struct iov_iter *from, size_t count)
{
	int err = fusex_user_uncache(iocb, count);

	if (err)
		return err;
	if (!fusex_user_write_waits(iocb, count))
		return fusex_user_write_leave(iocb, from);
	/*
	 * Who must not wait cannot be told of a size that is not known yet, and
	 * whoever asks others to wait wants to hear so.
	 */
	if (iocb->ki_flags & IOCB_NOWAIT &&
	    !(fusex_user_inside(iocb, count) && is_sync_kiocb(iocb)))
		return -EAGAIN;
	return fusex_user_write_wait(iocb, from, fusex_user_write_some);
}

static ssize_t fusex_user_write_locked(struct kiocb *iocb,
				       struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool mapped;
	ssize_t ret;
	int err;

	err = fusex_io_may_write(iocb);
	if (!err)
		err = fusex_user_append_begin(iocb);
	/* Not before: while the kernel is ahead, it takes no size. */
	if (!err)
		err = fusex_io_write_size(iocb);
	if (err)
		return err;
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	err = fusex_io_modified(iocb);
	if (err)
		return err;
	fusex_around_begin(inode);
	mapped = mapping_writably_mapped(inode->i_mapping);
	if (!mapped)
		ret = fusex_user_write_around(iocb, from, ret);
	fusex_around_end(inode);
	if (!mapped)
		return ret;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	return fusex_user_write_wait(iocb, from, fusex_user_write_mapped_some);
}

/**
 * fusex_user_write - write from the caller's memory to the server
 * @iocb: the operation
 * @from: the data
 *
 * Context: process; sleeps on the server, killably, if @iocb is synchronous or
 * appends.
 * Return: bytes written, -EIOCBQUEUED, or an error.
 */
ssize_t fusex_user_write(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	ret = fusex_io_lock(iocb, false);
	if (ret)
		return ret;
	ret = fusex_user_write_locked(iocb, from);
	fusex_io_unlock(iocb, false);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

/**
 * fusex_user_write_shared - likewise, beside other writes to the same file
 * @iocb: the operation
 * @from: the data
 *
 * For a server that keeps writes apart by itself.  What changes more of the
 * inode than its times, the size say, is not done beside others.
 *
 * Context: as fusex_user_write().
 * Return: likewise.
 */
ssize_t fusex_user_write_shared(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (iocb->ki_flags & IOCB_APPEND || !IS_NOSEC(inode))
		return fusex_user_write(iocb, from);
	ret = fusex_io_lock(iocb, true);
	if (ret)
		return ret;
	/* It may have got something meanwhile that a write has to clear. */
	if (!fusex_user_inside(iocb, iov_iter_count(from)) ||
	    !IS_NOSEC(inode) ||
	    test_bit(FUSEX_I_STALE, &fusex_i(inode)->state)) {
		fusex_io_unlock(iocb, true);
		return fusex_user_write(iocb, from);
	}
	ret = fusex_user_write_locked(iocb, from);
	fusex_io_unlock(iocb, true);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

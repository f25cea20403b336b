// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by mappings.
 *
 * A write may have to be told to the server when it has ended (MAP_IOEND).  The
 * ranges are noted as their bios are made, and told by who waits for the write,
 * or by a worker, before it ends.  What was only written over is told nobody,
 * and may end in an interrupt.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/iomap.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "backing.h"
#include "io.h"
#include "map.h"

/**
 * struct dio_range - what the server is to be told
 * @in: the range
 * @use: of the mapping it goes by, until it was told
 */
struct dio_range {
	struct fusex_map_ioend_in in;
	void *use;
};

/**
 * struct dio_write - one direct write
 * @op: as iomap_iter.private
 * @iocb: handed to fs/iomap in the place of
 * @orig: the caller's
 * @grows: it ends behind the file
 * @tells: the server is to be told, or may have to
 * @waited: the caller waits for it, and does what is due at its end
 * @nr: ranges that the server is to be told about
 * @max: room for ranges in @more
 * @first: the first of them
 * @more: the others
 */
struct dio_write {
	struct fusex_map_op op;
	struct kiocb iocb;
	struct kiocb *orig;
	bool grows;
	bool tells;
	bool waited;
	unsigned int nr;
	unsigned int max;
	struct dio_range first;
	struct dio_range *more;
};

/**
 * fusex_dio_bio_end - a bio of direct I/O has ended
 * @bio: the bio
 *
 * Context: any, unless the server is to be told: then one that may wait for it.
 */
void fusex_dio_bio_end(struct bio *bio)
{
	struct iomap_ioend *ioend = iomap_ioend_from_bio(bio);
	void *use = ioend->io_private;

	if (fusex_map_failing(use))
		bio->bi_status = errno_to_blk_status(-ENODEV);
	/* The open file keeps the inode. */
	fusex_map_unuse(ioend->io_inode, use);
	iomap_dio_bio_end_io(bio);
}

static void dio_bio_end_later(struct bio *bio)
{
	fusex_ioend_later(iomap_ioend_from_bio(bio));
}

static void dio_submit(const struct iomap_iter *iter, struct bio *bio,
		       loff_t pos, bio_end_io_t *end)
{
	struct iomap_ioend *ioend;

	ioend = iomap_init_ioend(iter->inode, bio, pos, IOMAP_IOEND_DIRECT);
	ioend->io_private = fusex_map_use(iter->inode, iter->iomap.private);
	bio->bi_end_io = end;
	submit_bio(bio);
}

static void dio_submit_read(const struct iomap_iter *iter, struct bio *bio,
			    loff_t pos)
{
	dio_submit(iter, bio, pos, fusex_dio_bio_end);
}

static const struct iomap_dio_ops dio_read_ops = {
	.submit_io	= dio_submit_read,
	.bio_set	= &fusex_ioend_bioset,
};

/* ----------------------------------------------- what is known, and waited for */

/**
 * struct dio_known - a read or write that ends before its caller goes on
 * @iomap: where all of it is; used until it has ended
 * @unknown: that was not known, and nothing was done
 *
 * Its bios need not be looked after: one use is enough, and there is nothing
 * to tell.  Most of direct I/O is small, and for that it makes a difference.
 */
struct dio_known {
	struct iomap iomap;
	bool unknown;
};

static int dio_known_next(const struct iomap_iter *iter, struct iomap *iomap,
			  struct iomap *srcmap)
{
	struct dio_known *k = iter->private;
	int ret;

	if (iomap->length) {
		ret = iomap_iter_continue(iter, iomap, srcmap, 0);
		if (ret <= 0)
			return ret;
	} else if (!fusex_map_known(iter->inode, iter->pos, iter->len,
				    fusex_map_op_of(iter->flags), &k->iomap)) {
		k->unknown = true;
		return -ENOTBLK;
	}
	*iomap = k->iomap;
	return 1;
}

static const struct iomap_ops dio_known_ops = {
	.iomap_next	= dio_known_next,
};

/* It has ended, and its device may have been taken away meanwhile. */
static ssize_t dio_known_done(struct kiocb *iocb, struct iomap *iomap,
			      loff_t pos, ssize_t ret)
{
	if (unlikely(fusex_map_failing(iomap->private)) && ret > 0) {
		iocb->ki_pos = pos;
		ret = -ENODEV;
	}
	fusex_map_done(file_inode(iocb->ki_filp), iomap, pos, 0, 0, 0);
	return ret;
}

/* Returns -EAGAIN if it is to be done in another way. */
static ssize_t dio_known(struct kiocb *iocb, struct iov_iter *iter)
{
	struct dio_known k = {};
	loff_t pos = iocb->ki_pos;
	ssize_t ret;

	ret = iomap_dio_rw(iocb, iter, &dio_known_ops, NULL, 0, &k, 0);
	if (k.unknown)
		return -EAGAIN;
	return k.iomap.length ? dio_known_done(iocb, &k.iomap, pos, ret) : ret;
}

/* Likewise, a read of one block, for which fs/iomap has a way of its own. */
static ssize_t dio_known_block(struct kiocb *iocb, struct iov_iter *to)
{
	struct iomap_iter iter = {
		.inode	= file_inode(iocb->ki_filp),
		.pos	= iocb->ki_pos,
		.len	= iov_iter_count(to),
		.flags	= IOMAP_DIRECT,
	};
	ssize_t ret = kiocb_write_and_wait(iocb, iter.len);

	if (ret)
		return ret;
	if (!fusex_map_known(iter.inode, iter.pos, iter.len,
			     FUSEX_MAP_OP_DIRECT, &iter.iomap))
		return -EAGAIN;
	inode_dio_begin(iter.inode);
	ret = __iomap_dio_read_simple(iocb, to, &iter);
	ret = dio_known_done(iocb, &iter.iomap, iter.pos, ret);
	return ret == -ENOTBLK ? -EAGAIN : ret;
}

/* Not for who must not wait: -EAGAIN would say two things. */
static bool dio_is_waited_for(struct kiocb *iocb)
{
	return is_sync_kiocb(iocb) && !(iocb->ki_flags & IOCB_NOWAIT);
}

static ssize_t dio_read_known(struct kiocb *iocb, struct iov_iter *to)
{
	const struct inode *inode = file_inode(iocb->ki_filp);
	size_t count = iov_iter_count(to);

	if (count <= i_blocksize(inode) &&
	    iocb->ki_pos + (loff_t)count <= i_size_read(inode))
		return dio_known_block(iocb, to);
	return dio_known(iocb, to);
}

/**
 * fusex_dio_read - read from the device into the caller's memory
 * @iocb: the operation; i_rwsem is held
 * @to: the memory
 *
 * Context: process, sleeps on the server and the device.
 * Return: bytes, -EIOCBQUEUED, or an error.
 */
ssize_t fusex_dio_read(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t ret = -EAGAIN;

	if (dio_is_waited_for(iocb))
		ret = dio_read_known(iocb, to);
	if (ret != -EAGAIN)
		return ret;
	return iomap_dio_rw(iocb, to, &fusex_map_iomap_ops, &dio_read_ops, 0,
			    NULL, 0);
}

/* ------------------------------------------------------------------ writing */

/* Does @next go on where @last ends, in the file and on the device? */
static bool dio_follows(const struct dio_range *last,
			const struct dio_range *next)
{
	return fusex_tell_joins(&last->in, &next->in) &&
	       last->use == next->use;
}

static struct dio_range *dio_range(struct dio_write *dio, unsigned int i)
{
	return i ? &dio->more[i - 1] : &dio->first;
}

/* Note a range that the server is to be told about. */
static int dio_note(struct dio_write *dio, struct inode *inode,
		    const struct dio_range *r)
{
	struct dio_range *more;

	if (dio->nr && dio_follows(dio_range(dio, dio->nr - 1), r)) {
		dio_range(dio, dio->nr - 1)->in.length += r->in.length;
		return 0;
	}
	if (dio->nr > dio->max) {
		unsigned int max = dio->max ? 2 * dio->max : 4;

		more = krealloc_array(dio->more, max, sizeof(*more), GFP_NOFS);
		if (!more)
			return -ENOMEM;
		dio->more = more;
		dio->max = max;
	}
	*dio_range(dio, dio->nr++) = *r;
	/*
	 * Who waits for the mapping not to be used waits for this, too; so what
	 * else the write asks for has not to wait for that.
	 */
	fusex_map_use(inode, r->use);
	dio->op.within = (unsigned long)r->use;
	return 0;
}

static void dio_submit_write(const struct iomap_iter *iter, struct bio *bio,
			     loff_t pos)
{
	const struct iomap *iomap = &iter->iomap;
	struct dio_write *dio = container_of(iter->private, struct dio_write,
					     op);
	u64 len = bio->bi_iter.bi_size;
	struct dio_range r = {
		.in.offset	= pos,
		.in.length	= len,
		.in.addr	= (u64)bio->bi_iter.bi_sector << SECTOR_SHIFT,
		.in.dev		= fusex_map_device(iomap->private)->cookie,
		.in.flags	= fusex_ioend_flags(iter->inode,
						    iomap->type ==
						    IOMAP_UNWRITTEN,
						    iomap->flags &
						    IOMAP_F_SHARED,
						    pos + len),
		.use		= iomap->private,
	};
	bool later;

	/*
	 * Nor is it told of if a reply has cut the file since it began: what fs/iomap
	 * takes for an overwrite may end in an interrupt.
	 */
	if (!dio->tells)
		r.in.flags &= ~FUSEX_IOEND_APPEND;
	/* It cannot be stopped here, so it fails when it has ended. */
	if (r.in.flags && dio_note(dio, iter->inode, &r))
		dio->op.err = -ENOMEM;
	/*
	 * fs/iomap does not know of all there is to be told, which the last bio
	 * to end, whichever that is, does if nobody waits for it.
	 */
	later = !dio->waited && (dio->tells || r.in.flags);
	dio_submit(iter, bio, pos,
		   later ? dio_bio_end_later : fusex_dio_bio_end);
}

/* One range, as far as it is part of what was written. */
static int dio_tell(struct inode *inode, struct fusex_map_ioend_in *in,
		    loff_t start, loff_t end, int error)
{
	u64 first = max_t(u64, in->offset, start);
	u64 last = min_t(u64, in->offset + in->length, end);

	/* Blocks were filled up with zeros. */
	if (first >= last)
		return 0;
	in->addr += first - in->offset;
	in->offset = first;
	in->length = last - first;
	in->flags |= FUSEX_IOEND_DIRECT;
	in->error = error;
	if (error)
		in->flags &= ~FUSEX_IOEND_APPEND;
	if (in->flags & FUSEX_IOEND_APPEND)
		in->size = last;
	if (!error && fusex_tell_later(inode, in))
		return 0;
	return fusex_ioend_tell(inode, in, false);
}

/*
 * All bios have ended.  After an error the caller does not know how much was
 * written, so nothing counts as written.
 */
static int dio_write_end(struct kiocb *iocb, ssize_t size, int error,
			 unsigned int flags)
{
	struct dio_write *dio = container_of(iocb, struct dio_write, iocb);
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t pos = iocb->ki_pos;
	unsigned int i;
	int err;

	if (!error)
		error = dio->op.err;
	for (i = 0; i < dio->nr; i++) {
		struct dio_range *r = dio_range(dio, i);

		err = dio_tell(inode, &r->in, pos, pos + size, error);
		fusex_map_unuse(inode, r->use);
		if (!error)
			error = err;
	}
	if (!error && size && (dio->nr || dio->grows))
		fusex_i(inode)->attr->after_write(inode, pos, size);
	return error;
}

static const struct iomap_dio_ops dio_write_ops = {
	.end_io		= dio_write_end,
	.submit_io	= dio_submit_write,
	.bio_set	= &fusex_ioend_bioset,
};

/* Back to the caller's; returns it. */
static struct kiocb *dio_finish(struct dio_write *dio)
{
	struct kiocb *orig = dio->orig;

	orig->ki_pos = dio->iocb.ki_pos;
	kfree(dio->more);
	kfree(dio);
	return orig;
}

static void dio_complete(struct kiocb *iocb, long ret)
{
	struct kiocb *orig = dio_finish(container_of(iocb, struct dio_write,
						     iocb));

	orig->ki_complete(orig, ret);
}

/*
 * Is there nothing to tell of it if it writes over what is there?  Nor is anybody
 * to be waited for in its use, as an FSYNC would be.
 */
static bool dio_is_quiet(const struct kiocb *iocb, loff_t end)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	return !fusex_i(inode)->attr->shared && !iocb_is_dsync(iocb) &&
	       !(iocb->ki_flags & IOCB_ATOMIC) && end <= i_size_read(inode) &&
	       end <= READ_ONCE(fusex_maps_get(inode)->known);
}

/**
 * fusex_dio_write - write from the caller's memory to the device
 * @iocb: the operation; i_rwsem is held, and exclusively if it makes the file
 *	longer or is not of whole blocks
 * @from: the data
 * @wait: until it is done, even if the caller does not
 *
 * Context: process, sleeps on the server and the device.
 * Return: bytes, -EIOCBQUEUED, -ENOTBLK if it has to go through the page cache,
 * or an error.
 */
ssize_t fusex_dio_write(struct kiocb *iocb, struct iov_iter *from, bool wait)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t end = iocb->ki_pos + iov_iter_count(from);
	struct dio_write *dio;
	ssize_t ret;

	if (!wait && dio_is_waited_for(iocb) && dio_is_quiet(iocb, end)) {
		ret = dio_known(iocb, from);
		if (ret != -EAGAIN)
			return ret;
	}
	dio = kzalloc_obj(*dio);
	if (!dio)
		return -ENOMEM;
	kiocb_clone(&dio->iocb, iocb, iocb->ki_filp);
	/* Who polls would poll for the caller's. */
	dio->iocb.ki_flags &= ~IOCB_HIPRI;
	dio->orig = iocb;
	dio->grows = end > i_size_read(inode);
	/* Once: what it says of the size meanwhile, see dio_submit_write(). */
	dio->tells = fusex_i(inode)->attr->shared ||
		     end > READ_ONCE(fusex_maps_get(inode)->known);
	dio->waited = wait || is_sync_kiocb(iocb);
	if (!is_sync_kiocb(iocb))
		dio->iocb.ki_complete = dio_complete;
	ret = iomap_dio_rw(&dio->iocb, from, &fusex_map_iomap_ops,
			   &dio_write_ops, wait ? IOMAP_DIO_FORCE_WAIT : 0,
			   &dio->op, 0);
	if (ret != -EIOCBQUEUED)
		dio_finish(dio);
	return ret;
}

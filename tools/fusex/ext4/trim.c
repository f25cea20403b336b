// SPDX-License-Identifier: GPL-2.0
/*
 * What is free is given back to the device, which may have a use for it.
 *
 * Free is what could be allocated: blocks whose freeing is not durable are
 * not.  A piece at a time is taken out of that while the device is at it, so that
 * nobody who allocates has to wait for the device.
 */
#include <errno.h>
#include <linux/fs.h>

#include "ext4.h"

/**
 * struct trim - what is to be discarded
 * @v: the file system
 * @min: blocks of the shortest run
 * @done: blocks so far
 * @wanted: see struct free_run
 * @stop: is it enough?
 * @arg: of @stop
 */
struct trim {
	struct volume	*v;
	uint64_t	min;
	uint64_t	done;
	unsigned int	wanted;
	bool		(*stop)(void *arg);
	void		*arg;
};

static int may_trim(const struct volume *v)
{
	if (volume_writable(v))
		return -EROFS;
	/* What the bitmaps call free may be all that is left of a file. */
	if (!v->valid)
		return -ECORRUPT;
	return v->frozen ? -EBUSY : 0;
}

/* Returns 1 when there was a piece, which moves @run behind it; 0: no more. */
static int trim_piece(struct trim *t, struct free_run *run)
{
	struct volume *v = t->v;
	uint64_t count;
	int ret;

	RD_LOCK(v);
	ret = may_trim(v);
	if (!ret)
		ret = alloc_hold(v, run, t->min);
	UNLOCK(v);
	if (ret <= 0)
		return ret;
	count = run->end - run->from;
	ret = device_discard(&v->dev, count * block_size(v),
			     run->from * block_size(v));
	alloc_let_go(v);
	run->from = run->end;
	t->done += count;
	return ret ? ret : 1;
}

/* Runs do not go on in another group, as in the kernel's ext4. */
static int trim_group(struct trim *t, uint64_t from, uint64_t last)
{
	struct free_run run = {
		.from = from,
		.last = last,
		.wanted = t->wanted,
	};
	struct volume *v = t->v;
	int ret = 1;

	while (ret > 0 && !t->stop(t->arg)) {
		pthread_mutex_lock(&v->trim);
		ret = trim_piece(t, &run);
		pthread_mutex_unlock(&v->trim);
	}
	return ret > 0 ? -EINTR : ret;
}

/* What can be free soon is to be part of it.  It is not frozen before that is over. */
static int free_more(struct volume *v)
{
	int ret;

	pthread_mutex_lock(&v->trim);
	RD_LOCK(v);
	ret = may_trim(v);
	UNLOCK(v);
	if (!ret && alloc_waits(v))
		ret = commit_space(v);
	pthread_mutex_unlock(&v->trim);
	return ret;
}

static int trim_blocks(struct trim *t, uint64_t from, uint64_t end)
{
	ext2_filsys fs = t->v->fs;
	uint64_t last;
	int ret = free_more(t->v);

	for (; from < end && !ret; from = last + 1) {
		last = ext2fs_group_last_block2(fs,
						ext2fs_group_of_blk2(fs, from));
		if (last >= end)
			last = end - 1;
		ret = trim_group(t, from, last);
	}
	return ret;
}

int volume_trim(struct volume *v, struct fstrim_range *range,
		bool (*stop)(void *arg), void *arg)
{
	struct trim t = {
		.v = v,
		.wanted = v->held_wanted,
		.stop = stop,
		.arg = arg,
	};
	uint64_t size = ext2fs_blocks_count(v->fs->super);
	uint64_t from = range->start >> v->block_bits;
	uint64_t len = range->len >> v->block_bits;
	uint64_t unit = device_discard_unit(&v->dev);
	uint64_t most = v->fs->super->s_blocks_per_group, end;
	int ret = 0;

	if (!unit)
		return -EOPNOTSUPP;
	if (volume_writable(v))
		return -EROFS;
	if (from >= size || !len || range->minlen >> v->block_bits > most)
		return -EINVAL;
	t.min = blocks_of(v, range->minlen > unit ? range->minlen : unit);
	end = len < size - from ? from + len : size;
	if (from < v->fs->super->s_first_data_block)
		from = v->fs->super->s_first_data_block;
	if (t.min <= most)
		ret = trim_blocks(&t, from, end);
	range->len = t.done << v->block_bits;
	/* Where space is scarce, others have need of it. */
	return ret == -EAGAIN ? 0 : ret;
}

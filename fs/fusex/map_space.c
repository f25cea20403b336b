// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that take space away from a file, move it, or have it shared.
 *
 * Until the server has answered, nobody goes by a mapping of that space: who asks
 * holds the locks that keep everybody out.  But it may be killed, and the server
 * may do it a moment later.  Whoever asks for a mapping in between could be told
 * of space that is free then, and another file's soon.  So others go on only when
 * the server has answered, as if the locks were still held; and when its time was
 * up before that, nobody can know any more where the data of the file is.
 */
#include <linux/fs.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>

#include "io.h"
#include "map.h"

/* Does the server tell where the data of a file is? */
static bool space_is_told(const struct inode *inode)
{
	return fusex_i(inode)->io->quiesce;
}

/* ---------------------------------------------------------------- lost files */

/* Also for the next inode of the same node: its space may be taken at any time. */
static void space_lose(struct inode *inode)
{
	struct fusex_maps *maps = fusex_maps_get(inode);

	xa_store(&fusex_sb(inode->i_sb)->lost, fusex_i(inode)->nodeid,
		 xa_mk_value(inode->i_generation), GFP_NOFS | __GFP_NOFAIL);
	WRITE_ONCE(maps->lost, true);
	/* Who has asked before sees another sequence number. */
	smp_mb();
	fusex_mapcache_drop(maps->cache, 0, LLONG_MAX);
}

/**
 * fusex_space_is_lost - was a change of a file's space not answered in time?
 * @inode: the file
 *
 * Context: any.
 * Return: true if nobody can know where its data is.
 */
bool fusex_space_is_lost(struct inode *inode)
{
	return xa_load(&fusex_sb(inode->i_sb)->lost, fusex_i(inode)->nodeid) ==
	       xa_mk_value(inode->i_generation);
}

/**
 * fusex_space_check - note a file whose space changes at an unknown time
 * @inode: the file, whose data is mapped
 * @call: a change of its space, ended
 *
 * Context: process, does not wait for the server.
 */
void fusex_space_check(struct inode *inode, const struct fusex_call *call)
{
	/* The server itself may say so, too, and then it has not done it. */
	if (call->error == -ETIMEDOUT && call->sent)
		space_lose(inode);
}

/* -------------------------------------------------------- without its caller */

static void space_close(struct inode *inode)
{
	struct fusex_maps *maps = fusex_maps_get(inode);

	atomic_inc(&maps->changing);
	/* Who has asked before sees another sequence number. */
	smp_mb__after_atomic();
	fusex_mapcache_drop(maps->cache, 0, LLONG_MAX);
}

/* What was cached, and what is just being told, is of before. */
static void space_settle(struct inode *inode, const struct fusex_call *call)
{
	fusex_space_check(inode, call);
	fusex_attr_uncertain(inode);
	fusex_i(inode)->io->invalidate(inode, 0, LLONG_MAX);
	fusex_cache_shrink_end(inode);
}

static void space_open(struct inode *inode)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	if (atomic_dec_and_test(&maps->changing))
		wake_up_var(&maps->changing);
}

/*
 * The source of a clone, whose space is going to be shared.  That of a copy stays what
 * it is, and nobody has locked it.
 */
static struct inode *space_source(const struct inode *inode,
				  const struct fusex_call *call)
{
	const struct fusex_copy_range_in *in = call->arg;

	if (!call->node2 || call->node == inode || !space_is_told(call->node))
		return NULL;
	return in->flags & FUSEX_COPY_CLONE ? call->node : NULL;
}

/* The locks are held, and nothing goes by a mapping that is going to change. */
static void space_leave(struct inode *inode, const struct fusex_call *call)
{
	struct inode *source = space_source(inode, call);

	space_close(inode);
	if (source)
		space_close(source);
}

static void space_over(struct inode *inode, const struct fusex_call *call,
		       bool late)
{
	struct inode *source = space_source(inode, call);

	if (late) {
		space_settle(inode, call);
		if (source)
			space_settle(source, call);
	}
	space_open(inode);
	if (source)
		space_open(source);
}

static const struct fusex_leave_ops space_ops = {
	.leave	= space_leave,
	.over	= space_over,
};

/**
 * fusex_call_space - ask for something that may change where a file's data is
 * @inode: the file; i_rwsem, or what else keeps changes out, is held
 * @call: SETATTR with a size, FALLOCATE, COPY_RANGE, MAP_IOEND
 *
 * Context: process, sleeps on the server, killable.  Not from writeback.
 * Return: like fusex_call().
 */
int fusex_call_space(struct inode *inode, struct fusex_call *call)
{
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct inode *source;

	/* Nobody knows where it is but the server. */
	if (!space_is_told(inode))
		return fusex_call(chan, call);
	/* Whoever asks next looks there. */
	fusex_maps_get(inode);
	fusex_call_leave(chan, call, inode, &space_ops);
	fusex_space_check(inode, call);
	source = space_source(inode, call);
	if (source)
		fusex_space_check(source, call);
	return call->error;
}

/**
 * fusex_space_wait - wait for a change that goes on without its caller
 * @inode: any file; with i_rwsem no other one begins
 * @nowait: must not wait
 *
 * For who is going by the size, or changes it: it is not what it will be.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -EAGAIN, -EINTR or -ETIMEDOUT.
 */
int fusex_space_wait(struct inode *inode, bool nowait)
{
	/* Pairs with fusex_maps_make(). */
	struct fusex_maps *maps = smp_load_acquire(&fusex_i(inode)->maps);
	/* As in a request: frozen tasks may hold locks. */
	const unsigned int state = TASK_KILLABLE | TASK_FREEZABLE_UNSAFE;

	/* Nothing was ever asked for as it is above. */
	if (!maps)
		return fusex_stray_wait(fusex_chan_of(inode),
					fusex_i(inode)->nodeid, nowait);
	if (likely(!atomic_read(&maps->changing)))
		return 0;
	if (nowait)
		return -EAGAIN;
	return ___wait_var_event(&maps->changing,
				 !atomic_read(&maps->changing), state, 0, 0,
				 schedule()) ? -EINTR : 0;
}

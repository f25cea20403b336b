// SPDX-License-Identifier: GPL-2.0
/*
 * Names that are moved, exchanged, or replaced.
 */
#include <linux/dcache.h>
#include <linux/slab.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "namei.h"

/**
 * struct fusex_move - a rename
 * @olddir: directory of @old
 * @newdir: directory of @new
 * @old: name that is moved
 * @new: name that it gets
 * @flags: RENAME_*
 * @in: argument structure
 * @out: the reply
 * @epoch: fusex_chan_epoch() from before the request was queued
 */
struct fusex_move {
	struct inode *olddir;
	struct inode *newdir;
	struct dentry *old;
	struct dentry *new;
	unsigned int flags;
	struct fusex_rename_in in;
	struct fusex_rename_out out;
	u64 epoch;
};

static int fusex_check_move(struct fusex_move *m, struct fusex_call *call)
{
	struct inode *inode2 = d_inode(m->new);
	const char *why = NULL;
	int err;

	err = fusex_check_known(m->olddir, &m->out.dir, &why);
	if (!err)
		err = fusex_check_known(m->newdir, &m->out.dir2, &why);
	if (!err)
		err = fusex_check_known(d_inode(m->old), &m->out.node, &why);
	if (!err && inode2)
		err = fusex_check_known(inode2, &m->out.node2, &why);
	if (err) {
		fusex_bad_reply(fusex_chan_of(m->olddir), call, why);
		call->error = err;
	}
	return err;
}

static void fusex_move_failed(struct fusex_move *m,
			      const struct fusex_call *call)
{
	fusex_name_failed(m->olddir, m->old, call);
	fusex_name_failed(m->newdir, m->new, call);
	if (!fusex_io_uncertain(call))
		return;
	fusex_attr_uncertain(d_inode(m->old));
	if (d_really_is_positive(m->new))
		fusex_attr_uncertain(d_inode(m->new));
}

/* What a move does to the link counts of the two directories. */
static void fusex_move_links(const struct fusex_move *m, u32 *olddid,
			     u32 *newdid)
{
	bool leaves = d_is_dir(m->old);
	bool replaces = d_really_is_positive(m->new) && d_is_dir(m->new);

	if (m->flags & RENAME_EXCHANGE) {
		if (m->olddir == m->newdir || leaves == replaces)
			return;
		*olddid |= leaves ? FUSEX_DID_NLINK_DEC : FUSEX_DID_NLINK_INC;
		*newdid |= leaves ? FUSEX_DID_NLINK_INC : FUSEX_DID_NLINK_DEC;
		return;
	}
	if (replaces)
		*newdid |= FUSEX_DID_NLINK_DEC;
	if (leaves && m->olddir != m->newdir) {
		*olddid |= FUSEX_DID_NLINK_DEC;
		*newdid |= FUSEX_DID_NLINK_INC;
	}
}

static void fusex_move_done(struct fusex_move *m)
{
	u32 olddid = FUSEX_DID_MTIME | FUSEX_DID_CTIME;
	u32 newdid = FUSEX_DID_MTIME | FUSEX_DID_CTIME;
	struct inode *inode2 = d_inode(m->new);
	u32 did2 = FUSEX_DID_CTIME;

	fusex_move_links(m, &olddid, &newdid);
	if (m->olddir == m->newdir)
		newdid |= olddid;
	else
		fusex_did_again(m->olddir, &m->out.dir, m->epoch, olddid);
	fusex_did_again(m->newdir, &m->out.dir2, m->epoch, newdid);
	/* A server may have looked them up by names, which others give away. */
	fusex_did(d_inode(m->old), &m->out.node, 0, m->epoch, FUSEX_DID_CTIME);
	if (!inode2)
		return;
	if (!(m->flags & RENAME_EXCHANGE))
		did2 |= S_ISDIR(inode2->i_mode) ? FUSEX_DID_NLINK_ZERO :
						  FUSEX_DID_NLINK_DEC;
	fusex_did(inode2, &m->out.node2, 0, m->epoch, did2);
}

/*
 * A notification that has come since the request was queued may be about the
 * name as it is after the move, and the identity of its node may have ended.
 */
static void fusex_move_recheck(struct inode *dir, struct dentry *dentry,
			       u64 epoch)
{
	if (READ_ONCE(fusex_i(dir)->names_epoch) > epoch)
		fusex_i(dir)->attr->entry_expire(dentry);
	if (test_bit(FUSEX_I_GONE, &fusex_i(d_inode(dentry))->state))
		d_drop(dentry);
}

/*
 * Moving puts names back into the hash that a notification has taken out.  So
 * it is not left to VFS, after which nobody could look.
 */
static void fusex_move_names(struct fusex_move *m)
{
	bool exchange = m->flags & RENAME_EXCHANGE;

	if (exchange)
		d_exchange(m->old, m->new);
	else
		d_move(m->old, m->new);
	/* Pairs with the one in fusex_notify_entry(). */
	smp_mb();
	/* Either we see that it is gone, or fusex_inode_gone() sees the name. */
	fusex_move_recheck(m->newdir, m->old, m->epoch);
	if (exchange)
		fusex_move_recheck(m->olddir, m->new, m->epoch);
}

static int fusex_move_send(struct fusex_move *m)
{
	struct fusex_chan *chan = fusex_chan_of(m->olddir);
	struct fusex_call call = {
		.op = FUSEX_OP_RENAME,
		.node = m->olddir,
		.node2 = m->newdir,
		.arg = &m->in,
		.arg_len = sizeof(m->in),
		.in[0] = fusex_in_name(m->old),
		.in[1] = fusex_in_name(m->new),
		.out[0] = { .base = &m->out, .len = sizeof(m->out) },
	};
	int err;

	m->epoch = fusex_chan_epoch(chan);
	err = fusex_call(chan, &call);
	if (!err)
		err = fusex_check_move(m, &call);
	if (err) {
		fusex_move_failed(m, &call);
		return fusex_name_error(err);
	}
	fusex_move_done(m);
	fusex_move_names(m);
	err = fusex_names_durable(m->newdir);
	if (m->olddir != m->newdir)
		err = err ?: fusex_names_durable(m->olddir);
	return err;
}

/**
 * fusex_rename - the inode operation
 * @idmap: of the mount
 * @olddir: directory of @olddentry, locked
 * @olddentry: name that is moved
 * @newdir: directory of @newdentry, locked
 * @newdentry: name that it gets; what it named is replaced or exchanged
 * @flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT
 *
 * Moves the dentries, too (FS_RENAME_DOES_D_MOVE).
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_rename(struct mnt_idmap *idmap, struct inode *olddir,
		 struct dentry *olddentry, struct inode *newdir,
		 struct dentry *newdentry, unsigned int flags)
{
	struct fusex_move *m;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (newdentry->d_name.len > FUSEX_NAME_MAX)
		return -ENAMETOOLONG;
	m = kzalloc_obj(*m);
	if (!m)
		return -ENOMEM;
	m->olddir = olddir;
	m->newdir = newdir;
	m->old = olddentry;
	m->new = newdentry;
	m->flags = flags;
	m->in.flags = flags;
	m->in.name_len = olddentry->d_name.len;
	m->in.name2_len = newdentry->d_name.len;
	fusex_ref(&m->in.dir2, newdir);
	if (d_really_is_positive(newdentry) && !(flags & RENAME_EXCHANGE))
		fusex_cache_send(d_inode(olddentry));
	err = fusex_move_send(m);
	kfree(m);
	return err;
}

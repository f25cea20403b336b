// SPDX-License-Identifier: GPL-2.0
/*
 * Names: looking them up, linking and removing; create.c makes objects,
 * rename.c moves names.
 *
 * Each operation is one request, made while VFS holds the i_rwsem of the
 * directories, and its reply says what became of them.  When the outcome is not
 * known, because the caller gave up or the reply made no sense, the attributes
 * are marked uncertain and the names are dropped, so that the next to come
 * asks.
 */
#include <linux/dcache.h>
#include <linux/namei.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "namei.h"
#include "validate.h"

/* ----------------------------------------------------------------- replies */

/**
 * fusex_check_known - check what a reply says about an inode that is known
 * @inode: the inode
 * @attr: from the server, mask 0 when it says nothing
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_known(struct inode *inode, const struct fusex_attr *attr,
		      const char **why)
{
	int err = fusex_check_attr(fusex_conf_of(inode), attr, 0, why);

	if (!err && attr->mask & FUSEX_ATTR_MODE &&
	    inode_wrong_type(inode, attr->mode)) {
		*why = "the type of a node changed";
		err = -EFSCORRUPTED;
	}
	return err;
}

/*
 * The root is nobody's child.  Where the parent of the name has no parent yet,
 * because it came from a file handle, VFS would not notice.
 */
static bool fusex_names_root(struct inode *dir, const struct fusex_call *call,
			     const struct fusex_entry *e)
{
	const struct fusex_entry *root = &fusex_conf_of(dir)->root;

	return e->nodeid == root->nodeid &&
	       e->generation == root->generation &&
	       call->op != FUSEX_OP_RESOLVE && call->op != FUSEX_OP_PARENT;
}

static int fusex_check_node_reply(struct inode *dir,
				  const struct fusex_call *call,
				  const struct fusex_node_reply *r, u32 mode,
				  bool open, const char **why)
{
	const struct fusex_conf *conf = fusex_conf_of(dir);
	const struct fusex_entry *e = &r->out.entry;
	int err;

	if (mode)
		err = fusex_check_make(conf, e, mode, why);
	else
		err = fusex_check_entry(conf, e, why);
	if (!err && call->got != FUSEX_ALIGN(e->handle_len)) {
		*why = "handle is not as long as the entry says";
		err = -EFSCORRUPTED;
	}
	if (!err && fusex_names_root(dir, call, e)) {
		*why = "the root has a parent";
		err = -EFSCORRUPTED;
	}
	if (!err && open)
		err = fusex_check_open(&r->open, why);
	if (!err)
		err = fusex_check_known(dir, &r->out.dir, why);
	return err;
}

/**
 * fusex_entry_call - a call whose reply names a node
 * @dir: directory the reply tells about
 * @call: the operation, without reply segments
 * @r: returns the reply, checked
 * @mode: type of the object made, 0 for a lookup, which may find nothing
 * @open: the reply has a struct fusex_open_out
 *
 * A node that a wrong reply names is forgotten at once.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno, also in call->error.
 */
int fusex_entry_call(struct inode *dir, struct fusex_call *call,
		     struct fusex_node_reply *r, u32 mode, bool open)
{
	const struct fusex_conf *conf = fusex_conf_of(dir);
	struct fusex_chan *chan = fusex_chan_of(dir);
	unsigned int n = 0;
	const char *why = NULL;
	int err;

	call->out[n++] = (struct fusex_out){ &r->out, sizeof(r->out) };
	if (open)
		call->out[n++] = (struct fusex_out){ &r->open,
						     sizeof(r->open) };
	if (conf->handle_size) {
		call->out[n++] = (struct fusex_out){
			r->handle, FUSEX_ALIGN(conf->handle_size)
		};
		call->out_var = true;
	}
	r->epoch = fusex_chan_epoch(chan);
	err = fusex_call(chan, call);
	if (err)
		return err;
	err = fusex_check_node_reply(dir, call, r, mode, open, &why);
	if (err) {
		fusex_bad_reply(chan, call, why);
		fusex_forget_unborn(dir->i_sb, r->out.entry.nodeid,
				    r->out.entry.generation);
		call->error = err;
	}
	return err;
}

/**
 * fusex_did - what an operation on names made of an inode
 * @inode: directory or node
 * @attr: what the reply says about it, checked; mask 0 for nothing
 * @valid: nanoseconds for which @attr may be cached
 * @epoch: fusex_chan_epoch() from before the request was queued
 * @did: FUSEX_DID_*
 *
 * Context: does not wait for the server.
 */
void fusex_did(struct inode *inode, const struct fusex_attr *attr, u64 valid,
	       u64 epoch, u32 did)
{
	struct fusex_attr_reply r = {
		.attr = attr,
		.valid = valid,
		.epoch = epoch,
		.did = did,
	};

	fusex_attr_apply(inode, &r);
}

/**
 * fusex_did_again - the same, of a reply that does not say for how long
 * @inode: directory or node
 * @attr: what the reply says about it, checked; mask 0 for nothing
 * @epoch: fusex_chan_epoch() from before the request was queued
 * @did: FUSEX_DID_*
 *
 * Context: does not wait for the server.
 */
void fusex_did_again(struct inode *inode, const struct fusex_attr *attr,
		     u64 epoch, u32 did)
{
	struct fusex_attr_reply r = {
		.attr = attr,
		.epoch = epoch,
		.did = did,
		.again = true,
	};

	fusex_attr_apply(inode, &r);
}

/**
 * fusex_name_failed - a change of a name failed
 * @dir: directory
 * @dentry: the name
 * @call: the change, ended
 *
 * What is known about the name may be wrong, or nobody knows what became of
 * it.  That something exists is no news about a name that is known to.
 */
void fusex_name_failed(struct inode *dir, struct dentry *dentry,
		       const struct fusex_call *call)
{
	if (fusex_io_uncertain(call)) {
		fusex_attr_uncertain(dir);
		d_drop(dentry);
	} else if (call->error == -ENOENT || call->error == -ESTALE ||
		   (call->error == -EEXIST && d_really_is_negative(dentry))) {
		d_drop(dentry);
	}
}

/**
 * fusex_names_durable - names of a directory were changed
 * @dir: the directory, locked
 *
 * They are made durable at once where that was asked for (FS_DIRSYNC_FL, dirsync,
 * sync).  If it fails the change was made all the same.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_names_durable(struct inode *dir)
{
	if (likely(!IS_DIRSYNC(dir)))
		return 0;
	return fusex_fsync_server(dir, NULL, 0, LLONG_MAX, 0);
}

/* ------------------------------------------------------------------ lookup */

/**
 * fusex_entry_again - a name is still the node that it was
 * @dir: directory
 * @dentry: the name, held
 * @valid: nanoseconds for which it may be cached
 * @epoch: fusex_chan_epoch() from before the request was queued
 *
 * When a notification about the directory came after the request was queued,
 * it may have been about this name, which then stays as long as it would have.
 */
void fusex_entry_again(struct inode *dir, struct dentry *dentry, u64 valid,
		       u64 epoch)
{
	const struct fusex_attr_ops *attr = fusex_i(dir)->attr;

	if (READ_ONCE(fusex_i(dir)->names_epoch) > epoch)
		return;
	attr->entry_made(dentry, valid);
	/* Pairs with the one in fusex_notify_entry(). */
	smp_mb();
	if (READ_ONCE(fusex_i(dir)->names_epoch) > epoch)
		attr->entry_expire(dentry);
}

/*
 * Names that an inode got after it was not to be cached any longer go with their last
 * user, too, or they would keep it.  d_mark_dontcache() sees the name, or we see
 * that it was called.
 */
static void fusex_splice_uncached(struct inode *inode, struct dentry *dentry)
{
	if (likely(!fusex_inode_uncached(inode)))
		return;
	spin_lock(&dentry->d_lock);
	dentry->d_flags |= DCACHE_DONTCACHE;
	spin_unlock(&dentry->d_lock);
}

/**
 * fusex_splice - give a name its node
 * @dir: directory
 * @inode: the node, the reference is taken over; NULL for none
 * @dentry: unhashed name
 * @valid: nanoseconds for which the name may be cached
 * @epoch: fusex_chan_epoch() from before the request was queued
 *
 * A directory that has another name already is moved.  When a notification
 * about the directory came after the request was queued, or the identity of
 * the node has ended since, the name is used once and not cached.
 *
 * Return: NULL, the dentry to use instead of @dentry, or an error pointer:
 * -EFSCORRUPTED for a directory that would be its own ancestor.
 */
struct dentry *fusex_splice(struct inode *dir, struct inode *inode,
			    struct dentry *dentry, u64 valid, u64 epoch)
{
	const struct fusex_attr_ops *attr = fusex_i(dir)->attr;
	struct dentry *alias;

	if (inode && inode == d_inode(dir->i_sb->s_root)) {
		iput(inode);
		return ERR_PTR(-EFSCORRUPTED);
	}
	attr->entry_made(dentry, valid);
	alias = d_splice_alias(inode, dentry);
	if (IS_ERR(alias))
		return alias == ERR_PTR(-ELOOP) ? ERR_PTR(-EFSCORRUPTED) :
						  alias;
	if (alias) {
		attr->entry_made(alias, valid);
		dentry = alias;
	}
	if (inode)
		fusex_splice_uncached(inode, dentry);
	/* Pairs with the one in fusex_notify_entry(). */
	smp_mb();
	/* Either we see that it is gone, or fusex_inode_gone() sees the name. */
	if (READ_ONCE(fusex_i(dir)->names_epoch) > epoch ||
	    (inode && test_bit(FUSEX_I_GONE, &fusex_i(inode)->state)))
		d_drop(dentry);
	return alias;
}

/**
 * fusex_lookup_entry - ask the server for a name
 * @dir: directory
 * @name: need not end with a NUL
 * @r: returns the reply, checked; its epoch in any case
 *
 * Context: waits for the server.
 * Return: 0, and r->out.entry.nodeid is 0 for a name that may be remembered
 * not to exist; -ENOENT; or another negative errno.
 */
int fusex_lookup_entry(struct inode *dir, const struct qstr *name,
		       struct fusex_node_reply *r)
{
	struct fusex_lookup_in in = { .name_len = name->len };
	struct fusex_call call = {
		.op = FUSEX_OP_LOOKUP,
		.node = dir,
		.arg = &in,
		.arg_len = sizeof(in),
		.in[0] = { .base = name->name, .len = name->len },
		.in[1] = { .base = "", .len = 1 },
	};
	int err;

	if (name->len > FUSEX_NAME_MAX)
		return -ENAMETOOLONG;
	err = fusex_entry_call(dir, &call, r, 0, false);
	if (!err && r->out.dir.mask)
		fusex_did(dir, &r->out.dir, r->out.entry.attr_valid, r->epoch,
			  0);
	return err;
}

/*
 * Is the name about to be made, and only if it does not exist?  Then the
 * server finds that out with the same request.  Who may not make anything
 * there is told whether it exists, though.
 */
static bool fusex_lookup_needless(struct inode *dir, unsigned int flags)
{
	if ((flags & (LOOKUP_CREATE | LOOKUP_EXCL)) !=
	    (LOOKUP_CREATE | LOOKUP_EXCL))
		return false;
	/* What a rename would replace is VFS's to look at. */
	if (flags & LOOKUP_RENAME_TARGET)
		return false;
	return !IS_RDONLY(dir) &&
	       !inode_permission(&nop_mnt_idmap, dir, MAY_WRITE | MAY_EXEC);
}

/**
 * fusex_name_refused - what to say of a name that the server did not make
 * @dir: directory, locked
 * @dentry: the name, which was perhaps not looked up
 * @err: why not
 *
 * It may have refused before it looked whether the name exists, which is what
 * counts for callers.
 *
 * Context: waits for the server.
 * Return: -EEXIST, or @err.
 */
int fusex_name_refused(struct inode *dir, struct dentry *dentry, int err)
{
	struct fusex_node_reply r;
	struct inode *inode;

	switch (err) {
	case -EPERM:
	case -EACCES:
	case -EROFS:
	case -ENOSPC:
	case -EDQUOT:
	case -EOPNOTSUPP:
		break;
	default:
		return err;
	}
	if (fusex_lookup_entry(dir, &dentry->d_name, &r) ||
	    !r.out.entry.nodeid)
		return err;
	inode = fusex_iget(dir->i_sb, &r.out.entry, r.handle, r.epoch);
	if (IS_ERR(inode))
		return err;
	iput(inode);
	/* Or the name would go on to say that there is nothing. */
	if (d_really_is_negative(dentry))
		d_drop(dentry);
	return -EEXIST;
}

/**
 * fusex_lookup - the inode operation
 * @dir: directory, locked shared or exclusive
 * @dentry: new name
 * @flags: LOOKUP_*
 *
 * Context: waits for the server.
 * Return: NULL, another dentry, or an error pointer.
 */
struct dentry *fusex_lookup(struct inode *dir, struct dentry *dentry,
			    unsigned int flags)
{
	struct fusex_node_reply r;
	struct inode *inode = NULL;
	struct dentry *found;
	u64 valid = 0;
	int err;

	if (dentry->d_name.len > FUSEX_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	if (fusex_lookup_needless(dir, flags))
		return NULL;
	err = fusex_lookup_entry(dir, &dentry->d_name, &r);
	if (err && err != -ENOENT)
		return ERR_PTR(err);
	if (!err) {
		valid = r.out.entry.entry_valid;
		if (r.out.entry.nodeid)
			inode = fusex_iget(dir->i_sb, &r.out.entry, r.handle,
					   r.epoch);
		if (IS_ERR(inode))
			return ERR_CAST(inode);
	}
	found = fusex_splice(dir, inode, dentry, valid, r.epoch);
	/* What others moved looks like a loop until the old names are asked. */
	return found == ERR_PTR(-EFSCORRUPTED) ? ERR_PTR(-ESTALE) : found;
}

/* ------------------------------------------------------------ link, unlink */

/**
 * fusex_link - the inode operation
 * @old: a name of the object, which is locked
 * @dir: directory of the new name, locked
 * @dentry: the new name
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct fusex_link_in in = { .name_len = dentry->d_name.len };
	struct fusex_node_reply r;
	struct fusex_call call = {
		.op = FUSEX_OP_LINK,
		.node = dir,
		.node2 = inode,
		.arg = &in,
		.arg_len = sizeof(in),
		.in[0] = fusex_in_name(dentry),
	};
	struct inode *linked;
	int err;

	if (dentry->d_name.len > FUSEX_NAME_MAX)
		return -ENAMETOOLONG;
	fusex_ref(&in.node, inode);
	err = fusex_entry_call(dir, &call, &r, inode->i_mode, false);
	if (err) {
		fusex_name_failed(dir, dentry, &call);
		if (fusex_io_uncertain(&call))
			fusex_attr_uncertain(inode);
		return fusex_name_refused(dir, dentry, fusex_name_error(err));
	}
	fusex_did(dir, &r.out.dir, r.out.entry.attr_valid, r.epoch,
		  FUSEX_DID_MTIME | FUSEX_DID_CTIME);
	linked = fusex_iget_did(dir->i_sb, &r.out.entry, r.handle, r.epoch,
				FUSEX_DID_NLINK_INC | FUSEX_DID_CTIME);
	/* A server may know each name as a node of its own. */
	if (linked != inode)
		fusex_attr_uncertain(inode);
	d_drop(dentry);
	if (IS_ERR(linked))
		return PTR_ERR(linked);
	err = PTR_ERR_OR_ZERO(fusex_splice(dir, linked, dentry,
					   r.out.entry.entry_valid, r.epoch));
	return err ?: fusex_names_durable(dir);
}

static int fusex_check_removed(struct inode *dir, struct inode *inode,
			       struct fusex_call *call,
			       const struct fusex_unlink_out *out)
{
	const char *why = NULL;
	int err;

	err = fusex_check_known(dir, &out->dir, &why);
	if (!err)
		err = fusex_check_known(inode, &out->node, &why);
	if (err) {
		fusex_bad_reply(fusex_chan_of(dir), call, why);
		call->error = err;
	}
	return err;
}

/*
 * Is who removes the name its only user, and does the cache have no other name
 * of the inode?  Then this one is unhashed, so that it stays like that: who
 * looks it up waits for the directory.  A dentry whose lock is held gets no new
 * users.  After the end of an identity there may be an inode more of the node.
 */
static bool fusex_take_unused(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_inode *fi = fusex_i(inode);
	bool unused;

	spin_lock(&inode->i_lock);
	spin_lock(&dentry->d_lock);
	unused = d_count(dentry) == 1 &&
		 hlist_is_singular_node(&dentry->d_alias, &inode->i_dentry) &&
		 !test_bit(FUSEX_I_STALE, &fi->state) &&
		 !READ_ONCE(fusex_sb(inode->i_sb)->ends_identities);
	if (unused) {
		set_bit(FUSEX_I_UNUSED, &fi->state);
		__d_drop(dentry);
	}
	spin_unlock(&dentry->d_lock);
	spin_unlock(&inode->i_lock);
	return unused;
}

/*
 * The name is gone.  A dentry that was taken out of the hash first is of no use
 * for remembering that; when there is none for it, the name is asked for again.
 */
static void fusex_removed(struct inode *dir, struct dentry *dentry, u64 epoch)
{
	struct dentry *absent;

	if (!d_unhashed(dentry)) {
		/* When the absence was asked for is not known to be cacheable. */
		fusex_i(dir)->attr->entry_made(dentry, 0);
		return;
	}
	absent = d_alloc(dentry->d_parent, &dentry->d_name);
	if (!absent)
		return;
	fusex_splice(dir, NULL, absent, 0, epoch);
	dput(absent);
}

static int fusex_remove(u32 op, struct inode *dir, struct dentry *dentry,
			u32 flags, u32 dir_did, u32 node_did)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_chan *chan = fusex_chan_of(dir);
	struct fusex_unlink_in in = {
		.name_len = dentry->d_name.len,
		.flags = flags,
	};
	struct fusex_unlink_out out;
	struct fusex_call call = {
		.op = op,
		.node = dir,
		.node2 = inode,
		.arg = &in,
		.arg_len = sizeof(in),
		.in[0] = fusex_in_name(dentry),
		.out[0] = { .base = &out, .len = sizeof(out) },
	};
	u64 epoch = fusex_chan_epoch(chan);
	int err;

	fusex_ref(&in.node, inode);
	err = fusex_call(chan, &call);
	if (!err)
		err = fusex_check_removed(dir, inode, &call, &out);
	if (err) {
		fusex_name_failed(dir, dentry, &call);
		if (fusex_io_uncertain(&call))
			fusex_attr_uncertain(inode);
		return fusex_name_error(err);
	}
	fusex_did_again(dir, &out.dir, epoch, dir_did);
	fusex_did_again(inode, &out.node, epoch, node_did);
	fusex_removed(dir, dentry, epoch);
	err = fusex_names_durable(dir);
	/* VFS takes the name for one that is still there. */
	if (err)
		d_drop(dentry);
	return err;
}

/**
 * fusex_unlink - the inode operation
 * @dir: directory, locked
 * @dentry: name; its inode is locked
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	u32 flags = fusex_take_unused(dentry) ? FUSEX_UNLINK_UNUSED : 0;
	int err;

	err = fusex_remove(FUSEX_OP_UNLINK, dir, dentry, flags,
			   FUSEX_DID_MTIME | FUSEX_DID_CTIME,
			   FUSEX_DID_NLINK_DEC | FUSEX_DID_CTIME);
	if (err || inode->i_nlink)
		clear_bit(FUSEX_I_UNUSED, &fusex_i(inode)->state);
	return err;
}

/**
 * fusex_rmdir - the inode operation
 * @dir: directory, locked
 * @dentry: name; its inode is locked
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_rmdir(struct inode *dir, struct dentry *dentry)
{
	return fusex_remove(FUSEX_OP_RMDIR, dir, dentry, 0,
			    FUSEX_DID_NLINK_DEC | FUSEX_DID_MTIME |
			    FUSEX_DID_CTIME,
			    FUSEX_DID_NLINK_ZERO | FUSEX_DID_CTIME);
}

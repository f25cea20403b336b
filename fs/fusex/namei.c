// SPDX-License-Identifier: GPL-2.0
/*
 * Names: everything that looks up, makes, moves and removes.
 *
 * Each operation is one request, made while VFS holds the i_rwsem of the
 * directories, and its reply says what became of them.  When the outcome is not
 * known, because the caller gave up or the reply made no sense, the attributes
 * are marked uncertain and the names are dropped, so that the next to come
 * asks.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "validate.h"

/* How often a name may turn up and vanish again before open() gives up. */
#define FUSEX_OPEN_TRIES	5

/* What an open file may be told of the flags it is created with. */
#define FUSEX_CREATE_FLAGS \
	(VALID_OPEN_FLAGS & ~(O_NOCTTY | O_TRUNC | O_DIRECTORY | O_PATH | \
			      O_CLOEXEC | O_NOFOLLOW))

/* ----------------------------------------------------------------- replies */

static int fusex_check_dir(struct inode *dir, const struct fusex_attr *attr,
			   const char **why)
{
	int err = fusex_check_attr(fusex_conf_of(dir), attr, 0, why);

	if (!err && attr->mask & FUSEX_ATTR_MODE &&
	    inode_wrong_type(dir, attr->mode)) {
		*why = "the type of a directory changed";
		err = -EFSCORRUPTED;
	}
	return err;
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
	if (!err && open)
		err = fusex_check_open(&r->open, why);
	if (!err)
		err = fusex_check_dir(dir, &r->out.dir, why);
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

/* What became of the directory @dir. */
static void fusex_dir_did(struct inode *dir, const struct fusex_attr *attr,
			  u64 valid, u64 epoch, u32 did)
{
	struct fusex_attr_reply r = {
		.attr = attr,
		.valid = valid,
		.epoch = epoch,
		.did = did,
	};

	fusex_attr_apply(dir, &r);
}

/*
 * A change of @dentry in @dir failed: what is known about the name may be
 * wrong, or nobody knows what became of it.
 */
static void fusex_name_failed(struct inode *dir, struct dentry *dentry,
			      const struct fusex_call *call)
{
	if (fusex_io_uncertain(call)) {
		fusex_attr_uncertain(dir);
		d_drop(dentry);
	} else if (call->error == -EEXIST || call->error == -ENOENT ||
		   call->error == -ESTALE) {
		d_drop(dentry);
	}
}

/* Operations that a server lacks are refused like by file systems on disk. */
static int fusex_name_error(int err)
{
	return err == -ENOSYS ? -EPERM : err;
}

static void fusex_ref(struct fusex_node_ref *ref, const struct inode *inode)
{
	ref->nodeid = fusex_i(inode)->nodeid;
	ref->generation = inode->i_generation;
}

static struct fusex_in fusex_in_name(const struct dentry *dentry)
{
	/* Stable: VFS holds the directory's i_rwsem. */
	return (struct fusex_in){ dentry->d_name.name, dentry->d_name.len + 1 };
}

/* ------------------------------------------------------------------ lookup */

/**
 * fusex_splice - give a name its node
 * @dir: directory
 * @inode: the node, the reference is taken over; NULL for none
 * @dentry: unhashed name
 * @valid: nanoseconds for which the name may be cached
 * @epoch: fusex_chan_epoch() from before the request was queued
 *
 * A directory that has another name already is moved.  When a notification
 * about the directory came after the request was queued, the name is used
 * once and not cached.
 *
 * Return: NULL, the dentry to use instead of @dentry, or an error pointer:
 * -ESTALE for a directory that would be its own ancestor.
 */
struct dentry *fusex_splice(struct inode *dir, struct inode *inode,
			    struct dentry *dentry, u64 valid, u64 epoch)
{
	const struct fusex_attr_ops *attr = fusex_i(dir)->attr;
	struct dentry *alias;

	/* The tree of a file handle may have no root that would be noticed. */
	if (inode && inode == d_inode(dir->i_sb->s_root)) {
		iput(inode);
		return ERR_PTR(-ESTALE);
	}
	attr->entry_made(dentry, valid);
	alias = d_splice_alias(inode, dentry);
	if (IS_ERR(alias))
		return alias == ERR_PTR(-ELOOP) ? ERR_PTR(-ESTALE) : alias;
	if (alias) {
		attr->entry_made(alias, valid);
		dentry = alias;
	}
	/* Pairs with the one in fusex_notify_entry(). */
	smp_mb();
	if (READ_ONCE(fusex_i(dir)->names_epoch) > epoch)
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
		fusex_dir_did(dir, &r->out.dir, r->out.entry.attr_valid,
			      r->epoch, 0);
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
	return !IS_RDONLY(dir) &&
	       !inode_permission(&nop_mnt_idmap, dir, MAY_WRITE | MAY_EXEC);
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
	return fusex_splice(dir, inode, dentry, valid, r.epoch);
}

/* -------------------------------------------------------------------- make */

/**
 * struct fusex_birth - an object being made
 * @op: FUSEX_OP_CREATE, _MKNOD, _MKDIR, _SYMLINK or _TMPFILE
 * @idmap: of the mount
 * @dir: directory, locked
 * @dentry: its name
 * @mode: type and permissions
 * @rdev: of a device node
 * @target: of a symbolic link, or NULL
 * @open_flags: of CREATE and TMPFILE
 * @r: the reply
 */
struct fusex_birth {
	u32 op;
	struct mnt_idmap *idmap;
	struct inode *dir;
	struct dentry *dentry;
	umode_t mode;
	dev_t rdev;
	const char *target;
	u32 open_flags;
	struct fusex_node_reply r;
};

static bool fusex_birth_opens(const struct fusex_birth *b)
{
	return b->op == FUSEX_OP_CREATE || b->op == FUSEX_OP_TMPFILE;
}

/*
 * A file was created and opened, and then there was no inode for it.  Closes
 * it before the lookup is given back, on nobody's behalf and unheard.
 */
static void fusex_birth_release(struct fusex_birth *b)
{
	struct fusex_chan *chan = fusex_chan_of(b->dir);
	const struct fusex_entry *e = &b->r.out.entry;
	struct fusex_release_in in = {
		.fh = b->r.open.fh,
		.flags = b->open_flags,
	};
	struct fusex_call call = {
		.op = FUSEX_OP_RELEASE,
		.id = e->nodeid,
		.generation = e->generation,
		.handle = b->r.handle,
		.handle_len = e->handle_len,
		.arg = &in,
		.arg_len = sizeof(in),
	};

	if (fusex_birth_opens(b) &&
	    !(fusex_conf_of(b->dir)->features & FUSEX_F_NO_OPEN))
		fusex_call_sure(chan, &call);
}

static int fusex_birth_send(struct fusex_birth *b, struct fusex_make *m)
{
	struct fusex_call call = {
		.op = b->op,
		.node = b->dir,
		.arg = &m->in,
		.arg_len = sizeof(m->in),
	};
	unsigned int n = 0;
	int err;

	m->in.rdev_major = MAJOR(b->rdev);
	m->in.rdev_minor = MINOR(b->rdev);
	m->in.open_flags = b->open_flags;
	if (m->in.name_len)
		call.in[n++] = fusex_in_name(b->dentry);
	if (m->in.target_len)
		call.in[n++] = (struct fusex_in){ b->target,
						  m->in.target_len + 1 };
	if (m->records)
		call.in[n++] = (struct fusex_in){ m->records, m->records_len };

	err = fusex_entry_call(b->dir, &call, &b->r, b->mode,
			       fusex_birth_opens(b));
	if (err)
		fusex_name_failed(b->dir, b->dentry, &call);
	return err;
}

/* Makes the object, and returns its inode. */
static struct inode *fusex_birth(struct fusex_birth *b)
{
	u32 name_len = b->op == FUSEX_OP_TMPFILE ? 0 : b->dentry->d_name.len;
	u32 did = FUSEX_DID_MTIME | FUSEX_DID_CTIME;
	struct fusex_make m;
	struct inode *inode;
	int err;

	if (name_len > FUSEX_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	err = fusex_make_prepare(&m, b->idmap, b->dir, b->dentry, b->mode,
				 name_len, b->target ? strlen(b->target) : 0);
	if (err)
		return ERR_PTR(err);
	err = fusex_birth_send(b, &m);
	if (err) {
		inode = ERR_PTR(err);
		goto out;
	}
	if (S_ISDIR(b->mode))
		did |= FUSEX_DID_NLINK_INC;
	if (b->op == FUSEX_OP_TMPFILE)
		did = 0;
	if (did || b->r.out.dir.mask)
		fusex_dir_did(b->dir, &b->r.out.dir, b->r.out.entry.attr_valid,
			      b->r.epoch, did);
	inode = fusex_iget(b->dir->i_sb, &b->r.out.entry, b->r.handle,
			   b->r.epoch);
	if (IS_ERR(inode)) {
		fusex_birth_release(b);
		d_drop(b->dentry);
	} else {
		fusex_make_inherited(inode, &m);
	}
out:
	fusex_make_release(&m);
	return inode;
}

/* Makes the object, and gives it its name. */
static struct dentry *fusex_birth_named(struct fusex_birth *b)
{
	struct inode *inode = fusex_birth(b);

	if (IS_ERR(inode))
		return ERR_PTR(fusex_name_error(PTR_ERR(inode)));
	d_drop(b->dentry);
	return fusex_splice(b->dir, inode, b->dentry,
			    b->r.out.entry.entry_valid, b->r.epoch);
}

static int fusex_birth_nondir(struct fusex_birth *b)
{
	/* Only directories are moved to another dentry. */
	return PTR_ERR_OR_ZERO(fusex_birth_named(b));
}

/**
 * fusex_mknod - the inode operation
 * @idmap: of the mount
 * @dir: directory, locked
 * @dentry: name
 * @mode: type and permissions
 * @rdev: of a device node
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_mknod(struct mnt_idmap *idmap, struct inode *dir,
		struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct fusex_birth b = {
		.op = FUSEX_OP_MKNOD,
		.idmap = idmap,
		.dir = dir,
		.dentry = dentry,
		.mode = mode,
		.rdev = rdev,
	};

	return fusex_birth_nondir(&b);
}

/**
 * fusex_create - the inode operation: make a regular file without opening it
 * @idmap: of the mount
 * @dir: directory, locked
 * @dentry: name
 * @mode: permissions
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_create(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode)
{
	return fusex_mknod(idmap, dir, dentry, mode | S_IFREG, 0);
}

/**
 * fusex_mkdir - the inode operation
 * @idmap: of the mount
 * @dir: directory, locked
 * @dentry: name
 * @mode: permissions
 *
 * Context: waits for the server.
 * Return: NULL, the dentry to use instead, or an error pointer.
 */
struct dentry *fusex_mkdir(struct mnt_idmap *idmap, struct inode *dir,
			   struct dentry *dentry, umode_t mode)
{
	struct fusex_birth b = {
		.op = FUSEX_OP_MKDIR,
		.idmap = idmap,
		.dir = dir,
		.dentry = dentry,
		.mode = mode | S_IFDIR,
	};

	return fusex_birth_named(&b);
}

/**
 * fusex_symlink - the inode operation
 * @idmap: of the mount
 * @dir: directory, locked
 * @dentry: name
 * @target: what it points to
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_symlink(struct mnt_idmap *idmap, struct inode *dir,
		  struct dentry *dentry, const char *target)
{
	struct fusex_birth b = {
		.op = FUSEX_OP_SYMLINK,
		.idmap = idmap,
		.dir = dir,
		.dentry = dentry,
		.mode = S_IFLNK | 0777,
		.target = target,
	};

	return fusex_birth_nondir(&b);
}

/* -------------------------------------------------------- create and open */

/* Open the file that was just made, with what the reply said about that. */
static int fusex_birth_open(struct fusex_birth *b, struct inode *inode,
			    struct file *file)
{
	int err;

	err = fusex_open_finish(inode, file, &b->r.open);
	if (err)
		return err;
	err = finish_open(file, b->dentry, NULL);
	/* VFS releases what it has opened, and nothing else. */
	if (err && !(file->f_mode & FMODE_OPENED))
		fusex_release(inode, file);
	return err;
}

static int fusex_create_open(struct fusex_birth *b, struct file *file)
{
	struct inode *inode = fusex_birth(b);
	struct dentry *alias;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_drop(b->dentry);
	ihold(inode);
	alias = fusex_splice(b->dir, inode, b->dentry,
			     b->r.out.entry.entry_valid, b->r.epoch);
	if (IS_ERR(alias)) {
		fusex_release_fh(inode, b->r.open.fh, b->open_flags);
		iput(inode);
		return PTR_ERR(alias);
	}
	iput(inode);
	file->f_mode |= FMODE_CREATED;
	return fusex_birth_open(b, inode, file);
}

/*
 * Create and open what does not exist as far as the kernel knows.  Always
 * with O_EXCL: permissions for a file that exists after all are the kernel's
 * to check before it is opened.
 */
static int fusex_try_create(struct inode *dir, struct dentry *dentry,
			    struct file *file, umode_t mode)
{
	struct fusex_birth b = {
		.op = FUSEX_OP_CREATE,
		.idmap = file_mnt_idmap(file),
		.dir = dir,
		.dentry = dentry,
		.mode = (mode & ~S_IFMT) | S_IFREG,
		.open_flags = (file->f_flags & FUSEX_CREATE_FLAGS) |
			      O_CREAT | O_EXCL,
	};
	int err;

	err = fusex_create_open(&b, file);
	if (err != -ENOSYS)
		return err;

	/* A server that has only MKNOD; the file is opened by VFS. */
	b.op = FUSEX_OP_MKNOD;
	b.open_flags = 0;
	err = fusex_birth_nondir(&b);
	if (err)
		return err;
	file->f_mode |= FMODE_CREATED;
	return finish_no_open(file, NULL);
}

/**
 * fusex_atomic_open - the inode operation
 * @dir: directory, locked
 * @dentry: name, unknown or not existing
 * @file: to be opened
 * @flags: of the open, O_CREAT only if the caller may create
 * @mode: permissions of a new file
 *
 * A name that does not exist as far as the kernel knows is created and opened
 * with one request, without asking whether it exists.
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_atomic_open(struct inode *dir, struct dentry *dentry,
		      struct file *file, unsigned int flags, umode_t mode)
{
	struct dentry *found;
	int tries, err;

	if (dentry->d_name.len > FUSEX_NAME_MAX)
		return -ENAMETOOLONG;
	if (!(flags & O_CREAT)) {
		found = NULL;
		if (d_in_lookup(dentry))
			found = fusex_lookup(dir, dentry, 0);
		return finish_no_open(file, found);
	}

	for (tries = 0; tries < FUSEX_OPEN_TRIES; tries++) {
		err = fusex_try_create(dir, dentry, file, mode);
		if (err != -EEXIST || flags & O_EXCL)
			return err;
		/* It exists: an ordinary open, unless it vanished again. */
		d_drop(dentry);
		found = fusex_lookup(dir, dentry, 0);
		if (found || d_really_is_positive(dentry))
			return finish_no_open(file, found);
	}
	return -ESTALE;
}

/**
 * fusex_tmpfile - the inode operation
 * @idmap: of the mount
 * @dir: directory, not locked
 * @file: to be opened
 * @mode: type and permissions
 *
 * Context: waits for the server.
 * Return: 0 or a negative errno.
 */
int fusex_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
		  struct file *file, umode_t mode)
{
	struct fusex_birth b = {
		.op = FUSEX_OP_TMPFILE,
		.idmap = idmap,
		.dir = dir,
		.dentry = file->f_path.dentry,
		.mode = (mode & ~S_IFMT) | S_IFREG,
		.open_flags = file->f_flags & FUSEX_CREATE_FLAGS,
	};
	struct inode *inode = fusex_birth(&b);
	int err;

	if (IS_ERR(inode))
		return inode == ERR_PTR(-ENOSYS) ? -EOPNOTSUPP : PTR_ERR(inode);
	d_mark_tmpfile(file, inode);
	d_instantiate(b.dentry, inode);
	err = fusex_birth_open(&b, inode, file);
	return err;
}

/* ------------------------------------------------------------ more names */

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
		return fusex_name_error(err);
	}
	fusex_dir_did(dir, &r.out.dir, r.out.entry.attr_valid, r.epoch,
		      FUSEX_DID_MTIME | FUSEX_DID_CTIME);
	linked = fusex_iget_did(dir->i_sb, &r.out.entry, r.handle, r.epoch,
				FUSEX_DID_NLINK_INC | FUSEX_DID_CTIME);
	/* A server may know each name as a node of its own. */
	if (linked != inode)
		fusex_attr_uncertain(inode);
	d_drop(dentry);
	if (IS_ERR(linked))
		return PTR_ERR(linked);
	return PTR_ERR_OR_ZERO(fusex_splice(dir, linked, dentry,
					    r.out.entry.entry_valid, r.epoch));
}

static int fusex_check_removed(struct inode *dir, struct inode *inode,
			       struct fusex_call *call,
			       const struct fusex_unlink_out *out)
{
	const char *why = NULL;
	int err;

	err = fusex_check_dir(dir, &out->dir, &why);
	if (!err)
		err = fusex_check_dir(inode, &out->node, &why);
	if (err) {
		fusex_bad_reply(fusex_chan_of(dir), call, why);
		call->error = err;
	}
	return err;
}

static int fusex_remove(u32 op, struct inode *dir, struct dentry *dentry,
			u32 dir_did, u32 node_did)
{
	struct inode *inode = d_inode(dentry);
	struct fusex_chan *chan = fusex_chan_of(dir);
	struct fusex_unlink_in in = { .name_len = dentry->d_name.len };
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
	fusex_dir_did(dir, &out.dir, 0, epoch, dir_did);
	fusex_dir_did(inode, &out.node, 0, epoch, node_did);
	/* When the absence was asked for is not known to be cacheable. */
	fusex_i(dir)->attr->entry_made(dentry, 0);
	return 0;
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
	return fusex_remove(FUSEX_OP_UNLINK, dir, dentry,
			    FUSEX_DID_MTIME | FUSEX_DID_CTIME,
			    FUSEX_DID_NLINK_DEC | FUSEX_DID_CTIME);
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
	return fusex_remove(FUSEX_OP_RMDIR, dir, dentry,
			    FUSEX_DID_NLINK_DEC | FUSEX_DID_MTIME |
			    FUSEX_DID_CTIME,
			    FUSEX_DID_NLINK_ZERO | FUSEX_DID_CTIME);
}

/* ------------------------------------------------------------------ rename */

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

	err = fusex_check_dir(m->olddir, &m->out.dir, &why);
	if (!err)
		err = fusex_check_dir(m->newdir, &m->out.dir2, &why);
	if (!err)
		err = fusex_check_dir(d_inode(m->old), &m->out.node, &why);
	if (!err && inode2)
		err = fusex_check_dir(inode2, &m->out.node2, &why);
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
		fusex_dir_did(m->olddir, &m->out.dir, 0, m->epoch, olddid);
	fusex_dir_did(m->newdir, &m->out.dir2, 0, m->epoch, newdid);
	fusex_dir_did(d_inode(m->old), &m->out.node, 0, m->epoch,
		      FUSEX_DID_CTIME);
	if (!inode2)
		return;
	if (!(m->flags & RENAME_EXCHANGE))
		did2 |= S_ISDIR(inode2->i_mode) ? FUSEX_DID_NLINK_ZERO :
						  FUSEX_DID_NLINK_DEC;
	fusex_dir_did(inode2, &m->out.node2, 0, m->epoch, did2);
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
	if (err)
		fusex_move_failed(m, &call);
	else
		fusex_move_done(m);
	return fusex_name_error(err);
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
	err = fusex_move_send(m);
	kfree(m);
	return err;
}

/* ---------------------------------------------------------------- readlink */

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

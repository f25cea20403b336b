// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are made: files (and opened at once), directories, symbolic
 * links, device nodes, files without a name.  What they are born with is in
 * make.c.
 */
#include <linux/dcache.h>
#include <linux/file.h>

#include "chan.h"
#include "fusex_i.h"
#include "io.h"
#include "namei.h"

/* How often a name may turn up and vanish again before open() gives up. */
#define FUSEX_OPEN_TRIES	5

/* What an open file may be told of the flags it is created with. */
#define FUSEX_CREATE_FLAGS \
	(VALID_OPEN_FLAGS & ~(O_NOCTTY | O_TRUNC | O_DIRECTORY | O_PATH | \
			      O_CLOEXEC | O_NOFOLLOW))

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

/*
 * The inode of the reply.  A directory that has a name already is not new; it
 * would be moved here.
 */
static struct inode *fusex_birth_inode(struct fusex_birth *b)
{
	struct fusex_call call = { .op = b->op, .node = b->dir };
	struct inode *inode;

	inode = fusex_iget(b->dir->i_sb, &b->r.out.entry, b->r.handle,
			   b->r.epoch);
	if (IS_ERR(inode) || !S_ISDIR(b->mode) ||
	    hlist_empty(&inode->i_dentry))
		return inode;
	fusex_bad_reply(fusex_chan_of(b->dir), &call,
			"a new directory has a name already");
	iput(inode);
	return ERR_PTR(-EFSCORRUPTED);
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
		fusex_did(b->dir, &b->r.out.dir, b->r.out.entry.attr_valid,
			  b->r.epoch, did);
	inode = fusex_birth_inode(b);
	if (IS_ERR(inode)) {
		fusex_birth_release(b);
		d_drop(b->dentry);
	} else {
		fusex_make_inherited(inode, &m, b->r.epoch);
	}
out:
	fusex_make_release(&m);
	return inode;
}

/* Makes the object, and gives it its name. */
static struct dentry *fusex_birth_named(struct fusex_birth *b)
{
	struct inode *inode = fusex_birth(b);
	struct dentry *alias;
	int err;

	if (IS_ERR(inode)) {
		err = fusex_name_error(PTR_ERR(inode));
		return ERR_PTR(fusex_name_refused(b->dir, b->dentry, err));
	}
	d_drop(b->dentry);
	alias = fusex_splice(b->dir, inode, b->dentry,
			     b->r.out.entry.entry_valid, b->r.epoch);
	if (IS_ERR(alias))
		return alias;
	err = fusex_names_durable(b->dir);
	if (!err)
		return alias;
	dput(alias);
	return ERR_PTR(err);
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
	int err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_drop(b->dentry);
	ihold(inode);
	alias = fusex_splice(b->dir, inode, b->dentry,
			     b->r.out.entry.entry_valid, b->r.epoch);
	err = PTR_ERR_OR_ZERO(alias);
	if (!err) {
		file->f_mode |= FMODE_CREATED;
		err = fusex_names_durable(b->dir);
	}
	if (err)
		fusex_release_fh(inode, b->r.open.fh, b->open_flags);
	iput(inode);
	return err ?: fusex_birth_open(b, inode, file);
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
	if (file->f_mode & FMODE_CREATED)
		return err;
	if (err != -ENOSYS)
		return fusex_name_refused(dir, dentry, err);

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

	if (IS_ERR(inode))
		return inode == ERR_PTR(-ENOSYS) ? -EOPNOTSUPP : PTR_ERR(inode);
	/* Whatever the server counts, there is no name. */
	spin_lock(&fusex_i(inode)->lock);
	fusex_attr_links(inode, FUSEX_DID_NLINK_ZERO);
	spin_unlock(&fusex_i(inode)->lock);
	d_mark_tmpfile(file, inode);
	d_instantiate(b.dentry, inode);
	return fusex_birth_open(&b, inode, file);
}

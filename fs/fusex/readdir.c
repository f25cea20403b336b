// SPDX-License-Identifier: GPL-2.0
/*
 * Reading directories.
 *
 * The server's records come with the nodes they name, so that what usually
 * follows (stat of everything) needs no request.  All nodes of a reply are put
 * into the caches as soon as it comes, under the lock under which it was asked
 * for; the names wait in a buffer of the open file until programs have taken
 * them, so that every reply is used to its end.
 *
 * "." and ".." are the kernel's, whether or not the server mentions them.
 * Positions are:
 *
 *	0			before "."
 *	1			before ".."
 *	2			the server's cookie 0, its beginning
 *	cookie + 2		after the record that had the cookie
 *	LLONG_MAX		the same, for FUSEX_COOKIE_LAST
 *
 * Locks: i_rwsem of the directory (shared), then fusex_dirbuf.lock.
 */

#include <linux/cleanup.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_dirent.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "fusex_i.h"
#include "validate.h"

#define DIRBUF_MIN	(16u << 10)
#define DIRBUF_MAX	(256u << 10)

/**
 * struct fusex_dirbuf - what was read of a directory and not yet passed on
 * @lock: protects everything here
 * @cookie: of the record before @at, where the server is asked to go on
 * @at: next record, bytes into @data
 * @len: end of the records
 * @size: bytes to ask for, and of @data
 * @error: why the records do not go on; 0 when it is just that the reply ends
 * @end: the server has no more after the records
 * @data: records, validated; NULL when there are none
 */
struct fusex_dirbuf {
	struct mutex lock;	/* of everything here */
	u64 cookie;
	u32 at;
	u32 len;
	u32 size;
	int error;
	bool end;
	void *data;
};

/* ----------------------------------------------------------- the buffer */

static struct fusex_dirbuf *dirbuf_get(struct file *file)
{
	struct fusex_file *ff = fusex_file_get(file);
	struct fusex_dirbuf *db, *old;

	if (!ff)
		return NULL;
	/* Pairs with the cmpxchg() below. */
	db = smp_load_acquire(&ff->dirbuf);
	if (db)
		return db;
	db = kzalloc_obj(*db, GFP_KERNEL_ACCOUNT);
	if (!db)
		return NULL;
	mutex_init(&db->lock);
	db->size = DIRBUF_MIN;
	old = cmpxchg(&ff->dirbuf, NULL, db);
	if (!old)
		return db;
	kfree(db);
	return old;
}

/* Forgets what was read; reading goes on after @cookie. */
static void dirbuf_reset(struct fusex_dirbuf *db, u64 cookie)
{
	kvfree(db->data);
	db->data = NULL;
	db->cookie = cookie;
	db->at = 0;
	db->len = 0;
	db->error = 0;
	db->end = false;
}

/**
 * fusex_readdir_release - an open file is closed
 * @ff: nobody uses it any more
 *
 * Context: process.
 */
void fusex_readdir_release(struct fusex_file *ff)
{
	if (!ff->dirbuf)
		return;
	kvfree(ff->dirbuf->data);
	kfree(ff->dirbuf);
}

/* ------------------------------------------------------------ the caches */

/*
 * A name is known already: is it this node's?  If it is another one's, it goes,
 * and with it what is mounted there, as after any lookup.
 */
static bool name_known(struct inode *dir, struct inode *inode,
		       struct dentry *parent, const struct qstr *name,
		       u64 valid, u64 epoch)
{
	struct dentry *dentry = d_lookup(parent, name);
	bool same;

	if (!dentry)
		return false;
	same = d_inode(dentry) == inode;
	if (!same)
		d_invalidate(dentry);
	else
		fusex_entry_again(dir, dentry, valid, epoch);
	dput(dentry);
	return same;
}

/* Puts a node and its name into the caches; if that fails, nothing is lost. */
static void name_take(struct dentry *parent, struct qstr *name,
		      const struct fusex_entry *e, u64 epoch)
{
	struct inode *dir = d_inode(parent);
	struct dentry *dentry, *alias;
	struct inode *inode;

	inode = fusex_iget(dir->i_sb, e, e + 1, epoch);
	if (IS_ERR(inode))
		return;
	/* What was looked up after the notification is better. */
	if (READ_ONCE(fusex_i(dir)->names_epoch) > epoch)
		goto put;
	name->hash = full_name_hash(parent, name->name, name->len);
	if (name_known(dir, inode, parent, name, e->entry_valid, epoch))
		goto put;
	dentry = d_alloc_parallel(parent, name);
	if (IS_ERR(dentry))
		goto put;
	if (!d_in_lookup(dentry)) {
		/* Somebody else was faster, and what he found is as good. */
		dput(dentry);
		goto put;
	}
	alias = fusex_splice(dir, inode, dentry, e->entry_valid, epoch);
	d_lookup_done(dentry);
	if (!IS_ERR(alias))
		dput(alias);
	dput(dentry);
	return;
put:
	iput(inode);
}

/* ------------------------------------------------------------ the server */

static const struct fusex_entry *record_entry(const struct fusex_dirent *de)
{
	const struct fusex_entry *e = (const void *)(de + 1);

	if (!(de->flags & FUSEX_DIRENT_ENTRY) || !e->nodeid)
		return NULL;
	return e;
}

static const char *record_name(const struct fusex_dirent *de)
{
	const struct fusex_entry *e = (const void *)(de + 1);

	if (!(de->flags & FUSEX_DIRENT_ENTRY))
		return (const char *)e;
	return (const char *)(e + 1) + FUSEX_ALIGN(e->handle_len);
}

/* What is wrong with how a record goes on, when the record itself is right. */
static const char *record_order(const struct fusex_dirbuf *db,
				const struct fusex_dirent *de, bool last)
{
	/* Names may share a cookie, but it has to go on at the end. */
	if (last && de->cookie == db->cookie)
		return "reply ends where it began";
	if (!last && de->flags & FUSEX_DIRENT_LAST)
		return "a name after the last";
	return NULL;
}

/* Checks the records and takes the nodes; returns the bytes that are good. */
static u32 records_take(struct file *file, struct fusex_call *call,
			struct fusex_dirbuf *db, u64 epoch)
{
	struct inode *dir = file_inode(file);
	const struct fusex_conf *conf = fusex_conf_of(dir);
	const struct fusex_entry *e;
	const char *name, *why;
	u32 at = 0;

	while (at < call->got) {
		const struct fusex_dirent *de = db->data + at;
		ssize_t len = fusex_check_dirent(conf, de, call->got - at, &e,
						 &name, &why);

		if (len > 0) {
			why = record_order(db, de, at + len == call->got);
			len = why ? -EFSCORRUPTED : len;
		}
		if (len < 0) {
			fusex_bad_reply(fusex_chan_of(dir), call, why);
			db->error = len;
			return at;
		}
		if (e)
			name_take(file->f_path.dentry,
				  &QSTR_LEN(name, de->name_len), e, epoch);
		at += len;
		db->end = de->flags & FUSEX_DIRENT_LAST;
		cond_resched();
	}
	return at;
}

/* Room for the next reply; more of it if the last one had little to spare. */
static int dirbuf_room(struct fusex_dirbuf *db)
{
	if (db->data && db->len > db->size / 2 && db->size < DIRBUF_MAX) {
		kvfree(db->data);
		db->data = NULL;
		db->size *= 2;
	}
	if (!db->data)
		db->data = kvmalloc(db->size, GFP_KERNEL_ACCOUNT);
	db->at = 0;
	db->len = 0;
	return db->data ? 0 : -ENOMEM;
}

static int dirbuf_fill(struct file *file, struct fusex_dirbuf *db)
{
	struct inode *dir = file_inode(file);
	struct fusex_chan *chan = fusex_chan_of(dir);
	struct fusex_readdir_in in = {
		.fh	= fusex_fh(file),
		.cookie	= db->cookie,
		.flags	= FUSEX_READDIR_ATTRS,
	};
	struct fusex_call call = {
		.op		= FUSEX_OP_READDIR,
		.node		= dir,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out_var	= true,
	};
	u64 epoch;
	int err;

	err = dirbuf_room(db);
	if (err)
		return err;
	in.size = db->size;
	call.out[0] = (struct fusex_out) { db->data, db->size };
	epoch = fusex_chan_epoch(chan);
	err = fusex_call(chan, &call);
	if (err)
		return err == -ENOSYS ? -EOPNOTSUPP : err;
	db->end = !call.got;
	db->len = records_take(file, &call, db, epoch);
	return 0;
}

/* ----------------------------------------------------------- the program */

static bool record_emit(struct dir_context *ctx, const struct fusex_dirent *de)
{
	const struct fusex_entry *e = record_entry(de);
	const char *name = record_name(de);
	unsigned int type = de->type;
	u64 ino = de->ino;

	if (name_is_dot_dotdot(name, de->name_len))
		return true;
	/* The same number as stat() will say. */
	if (e) {
		ino = e->attr.mask & FUSEX_ATTR_INO ? e->attr.ino : e->nodeid;
		type = fs_umode_to_dtype(e->attr.mode);
	}
	return dir_emit(ctx, name, de->name_len, ino, type);
}

/* Passes names on; false when the program takes no more. */
static bool dirbuf_emit(struct fusex_dirbuf *db, struct dir_context *ctx)
{
	while (db->at < db->len) {
		const struct fusex_dirent *de = db->data + db->at;

		if (!record_emit(ctx, de))
			return false;
		db->at += de->reclen;
		db->cookie = de->cookie;
		ctx->pos = fusex_cookie_to_pos(de->cookie);
	}
	return true;
}

/*
 * The end, or what stopped the records, is told once.  Who got names before it
 * will come again to hear that there are no more, and only who comes once more
 * makes the server look whether that is still so.
 */
static int dirbuf_end(struct fusex_dirbuf *db, bool some)
{
	bool end = db->end && some;
	int err = db->error;

	dirbuf_reset(db, db->cookie);
	db->end = end;
	return err;
}

static int dirbuf_iterate(struct file *file, struct fusex_dirbuf *db,
			  struct dir_context *ctx, loff_t start)
{
	u64 cookie = fusex_pos_to_cookie(ctx->pos);
	int err;

	lockdep_assert_held(&db->lock);
	if (db->cookie != cookie)
		dirbuf_reset(db, cookie);
	for (;;) {
		if (!dirbuf_emit(db, ctx))
			return 0;
		if (db->error || db->end)
			return dirbuf_end(db, ctx->pos != start);
		err = dirbuf_fill(file, db);
		if (err)
			return err;
	}
}

/**
 * fusex_iterate - the iterate_shared operation
 * @file: open directory
 * @ctx: where to go on, and who takes the names
 *
 * A record that is wrong ends the directory with an error, after the names
 * before it.
 *
 * Context: process, i_rwsem held shared, sleeps on the server, killable.
 * Return: 0 at the end or when the program takes no more, or an error.
 */
int fusex_iterate(struct file *file, struct dir_context *ctx)
{
	struct fusex_dirbuf *db;
	loff_t start = ctx->pos;
	int err;

	if (start < 0)
		return -EINVAL;
	if (!dir_emit_dots(file, ctx))
		return 0;
	db = dirbuf_get(file);
	if (!db)
		return -ENOMEM;
	err = mutex_lock_killable(&db->lock);
	if (err)
		return err;
	err = dirbuf_iterate(file, db, ctx, start);
	mutex_unlock(&db->lock);
	return err;
}

/**
 * fusex_dir_llseek - the llseek operation of directories
 * @file: open directory
 * @offset: a position that reading has returned, or 0
 * @whence: SEEK_SET or SEEK_CUR
 *
 * Going somewhere, even to where one is, means to see the directory as it is
 * now.
 *
 * Context: process.
 * Return: the position, or -EINVAL.
 */
loff_t fusex_dir_llseek(struct file *file, loff_t offset, int whence)
{
	struct fusex_dirbuf *db;
	struct fusex_file *ff;

	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	offset = generic_file_llseek_size(file, offset, whence, LLONG_MAX, 0);
	if (offset < 0 || whence != SEEK_SET)
		return offset;
	/* Pairs with the cmpxchg() in fusex_file_get(). */
	ff = smp_load_acquire(&file->private_data);
	/* Pairs with the cmpxchg() in dirbuf_get(). */
	db = ff ? smp_load_acquire(&ff->dirbuf) : NULL;
	if (db) {
		if (mutex_lock_killable(&db->lock))
			return -EINTR;
		dirbuf_reset(db, fusex_pos_to_cookie(offset));
		/* Who jumps about is not going to read it all each time. */
		db->size = DIRBUF_MIN;
		mutex_unlock(&db->lock);
	}
	return offset;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX and flock locks, and leases.
 *
 * Unless the server asked at setup to have them, locks are the kernel's alone.
 * A lock that the server granted is recorded in the kernel as well, so that it
 * is released when its owner goes.  It is recorded after it was granted and
 * taken off the record before the server may grant it to others, so when two
 * locks on record conflict, the older one is just about to go, and waiting for
 * that is all there is to do.
 */

#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/once.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/siphash.h>

#include "io.h"
#include "validate.h"

/**
 * fusex_lock_owner - the name of a lock owner that the server is told
 * @owner: who holds locks; an address, which is nobody else's business
 *
 * Context: process, may sleep when called for the first time.
 * Return: a number that stands for @owner on this machine until it reboots,
 * not 0.
 */
u64 fusex_lock_owner(fl_owner_t owner)
{
	static siphash_key_t key __read_mostly;

	get_random_once(&key, sizeof(key));
	return siphash_1u64((unsigned long)owner, &key) ?: 1;
}

/**
 * fusex_flock_new_owner - the name of an open file as the owner of flock locks
 *
 * RELEASE, with which they end, may reach the server when the address of the
 * open file is that of another one.
 *
 * Context: as fusex_lock_owner().
 * Return: a number that no other owner has.
 */
u64 fusex_flock_new_owner(void)
{
	static atomic_long_t last = ATOMIC_LONG_INIT(0);

	/* No address of anything is as low. */
	return fusex_lock_owner((fl_owner_t)atomic_long_inc_return(&last));
}

static u64 flock_owner(struct file *file)
{
	const struct fusex_file *ff = file->private_data;

	return ff && ff->opened ? ff->owner : fusex_lock_owner(file);
}

/* A process id of the kernel's as one of the server's, 0 when it has none. */
static u32 lock_pid_out(struct fusex_chan *chan, pid_t pid)
{
	u32 nr;

	rcu_read_lock();
	nr = pid_nr_ns(find_pid_ns(pid, &init_pid_ns),
		       fusex_chan_pid_ns(chan));
	rcu_read_unlock();
	return nr;
}

static pid_t lock_pid_in(struct fusex_chan *chan, u32 pid)
{
	pid_t nr;

	rcu_read_lock();
	nr = pid_nr(find_pid_ns(pid, fusex_chan_pid_ns(chan)));
	rcu_read_unlock();
	return nr;
}

static void lock_fill(struct fusex_lock *in, struct file *file,
		      const struct file_lock *fl)
{
	bool flock = fl->c.flc_flags & FL_FLOCK;

	*in = (struct fusex_lock) {
		.fh	= fusex_fh(file),
		.owner	= flock ? flock_owner(file) :
			  fusex_lock_owner(fl->c.flc_owner),
		.start	= flock ? 0 : fl->fl_start,
		.end	= flock ? OFFSET_MAX : fl->fl_end,
		.type	= fl->c.flc_type,
		.pid	= lock_pid_out(fusex_chan_of(file_inode(file)),
				       fl->c.flc_pid),
		.flags	= flock ? FUSEX_LOCK_FLOCK : 0,
	};
}

/* Tells the server that a range is free, whatever happens to the caller. */
static int lock_free_server(struct file *file, const struct file_lock *fl)
{
	struct inode *inode = file_inode(file);
	struct fusex_lock in;
	struct fusex_call call = {
		.op		= FUSEX_OP_SETLK,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
	};

	lock_fill(&in, file, fl);
	in.type = F_UNLCK;
	return fusex_call_sure(fusex_chan_of(inode), &call);
}

/*
 * Takes a range off the record.  -ENOENT: nothing of it was held, so the
 * server need not be told.
 */
static int lock_unrecord(struct file *file, struct file_lock *fl)
{
	unsigned int flags = fl->c.flc_flags;
	unsigned char type = fl->c.flc_type;
	int err;

	fl->c.flc_flags |= FL_EXISTS;
	fl->c.flc_type = F_UNLCK;
	err = locks_lock_file_wait(file, fl);
	fl->c.flc_flags = flags;
	fl->c.flc_type = type;
	return err;
}

static int lock_record(struct file *file, struct file_lock *fl)
{
	unsigned int flags = fl->c.flc_flags;
	int err;

	fl->c.flc_flags |= FL_SLEEP;
	err = locks_lock_file_wait(file, fl);
	fl->c.flc_flags = flags;
	return err;
}

static int lock_drop(struct file *file, struct file_lock *fl)
{
	int err = lock_unrecord(file, fl);

	if (err)
		return err == -ENOENT ? 0 : err;
	return lock_free_server(file, fl);
}

static int lock_send(struct file *file, struct file_lock *fl, bool *unsure)
{
	struct inode *inode = file_inode(file);
	struct fusex_lock in;
	struct fusex_call call = {
		.op		= FUSEX_OP_SETLK,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
	};
	int err;

	lock_fill(&in, file, fl);
	if (fl->c.flc_flags & FL_SLEEP) {
		in.flags |= FUSEX_LOCK_WAIT;
		call.interruptible = true;
		call.patient = true;
	}
	err = fusex_call(fusex_chan_of(inode), &call);
	*unsure = fusex_io_uncertain(&call);
	/* A signal ended the wait, and the server knows; as for any lock. */
	if (err == -EINTR && signal_pending(current))
		err = -ERESTARTSYS;
	return err == -ENOSYS ? -ENOLCK : err;
}

static int lock_take(struct file *file, struct file_lock *fl)
{
	bool unsure;
	int err;

	err = lock_send(file, fl, &unsure);
	if (!err) {
		err = lock_record(file, fl);
		unsure = err;
	}
	/*
	 * Whether it is held nobody knows, so that it is not is made sure of.
	 * What the owner had of the range before goes with it.
	 */
	if (unsure) {
		lock_unrecord(file, fl);
		lock_free_server(file, fl);
	}
	return err;
}

static int lock_set(struct file *file, struct file_lock *fl)
{
	return lock_is_unlock(fl) ? lock_drop(file, fl) : lock_take(file, fl);
}

/* What the kernel has on record it need not ask for. */
static int lock_test(struct file *file, struct file_lock *fl)
{
	struct inode *inode = file_inode(file);
	struct fusex_chan *chan = fusex_chan_of(inode);
	struct fusex_lock in, out;
	struct fusex_call call = {
		.op		= FUSEX_OP_GETLK,
		.node		= inode,
		.arg		= &in,
		.arg_len	= sizeof(in),
		.out[0]		= { &out, sizeof(out) },
	};
	const char *why;
	int err;

	lock_fill(&in, file, fl);
	posix_test_lock(file, fl);
	if (!lock_is_unlock(fl))
		return 0;
	err = fusex_call(chan, &call);
	if (err)
		return err == -ENOSYS ? -ENOLCK : err;
	err = fusex_check_lock(&in, &out, &why);
	if (err) {
		fusex_bad_reply(chan, &call, why);
		return err;
	}
	fl->c.flc_type = out.type;
	if (lock_is_unlock(fl))
		return 0;
	fl->fl_start = out.start;
	fl->fl_end = out.end;
	fl->c.flc_pid = lock_pid_in(chan, out.pid);
	return 0;
}

/**
 * fusex_lock - the lock operation: POSIX locks
 * @file: the open file
 * @cmd: F_GETLK, F_SETLK, F_SETLKW or F_CANCELLK
 * @fl: the lock
 *
 * Context: process, sleeps on the server; interruptible while it waits for a
 * lock, killable otherwise.
 * Return: 0, FILE_LOCK_DEFERRED for VFS, or an error.
 */
int fusex_lock(struct file *file, int cmd, struct file_lock *fl)
{
	struct inode *inode = file_inode(file);

	if (cmd == F_CANCELLK)
		return 0;
	if (!(fusex_conf_of(inode)->features & FUSEX_F_POSIX_LOCKS)) {
		if (cmd != F_GETLK)
			return posix_lock_file(file, fl, NULL);
		posix_test_lock(file, fl);
		return 0;
	}
	return cmd == F_GETLK ? lock_test(file, fl) : lock_set(file, fl);
}

/**
 * fusex_flock - the flock operation
 * @file: the open file
 * @cmd: F_SETLK or F_SETLKW
 * @fl: the lock
 *
 * Context: process, sleeps on the server; interruptible while it waits for a
 * lock, killable otherwise.
 * Return: 0 or an error.
 */
int fusex_flock(struct file *file, int cmd, struct file_lock *fl)
{
	struct inode *inode = file_inode(file);

	if (!(fusex_conf_of(inode)->features & FUSEX_F_FLOCK))
		return locks_lock_file_wait(file, fl);
	return lock_set(file, fl);
}

/* All POSIX locks of an owner, as VFS describes them at close. */
static void lock_all(struct file_lock *fl, struct file *file, fl_owner_t owner)
{
	locks_init_lock(fl);
	fl->c.flc_type = F_UNLCK;
	fl->c.flc_flags = FL_POSIX | FL_CLOSE;
	fl->c.flc_owner = owner;
	fl->c.flc_pid = current->tgid;
	fl->c.flc_file = file;
	fl->fl_end = OFFSET_MAX;
}

/**
 * fusex_lock_flush - take the locks of an owner off the record
 * @file: of which it closes a descriptor
 * @owner: the owner
 *
 * Goes before FLUSH, which makes the server release them; it saves the request
 * VFS would make for it.
 *
 * Context: process.
 * Return: true if there were any.
 */
bool fusex_lock_flush(struct file *file, fl_owner_t owner)
{
	struct inode *inode = file_inode(file);
	struct file_lock_context *ctx = locks_inode_context(inode);
	struct file_lock fl;

	if (!ctx || list_empty_careful(&ctx->flc_posix) ||
	    !(fusex_conf_of(inode)->features & FUSEX_F_POSIX_LOCKS))
		return false;
	lock_all(&fl, file, owner);
	return !lock_unrecord(file, &fl);
}

/**
 * fusex_lock_flush_failed - the server did not take the FLUSH
 * @file: of which a descriptor is being closed
 * @owner: whose locks it should have released
 *
 * Context: process, sleeps on the server, killable.
 */
void fusex_lock_flush_failed(struct file *file, fl_owner_t owner)
{
	struct file_lock fl;

	lock_all(&fl, file, owner);
	lock_free_server(file, &fl);
}

/**
 * fusex_setlease - the setlease operation
 * @file: the open file
 * @arg: F_RDLCK, F_WRLCK or F_UNLCK
 * @lease: the lease
 * @priv: of whoever asks
 *
 * Context: process.
 * Return: 0 or an error; -EINVAL where others may change the file.
 */
int fusex_setlease(struct file *file, int arg, struct file_lease **lease,
		   void **priv)
{
	return fusex_i(file_inode(file))->attr->setlease(file, arg, lease,
							 priv);
}

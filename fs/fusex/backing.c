// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of backing objects.
 *
 * An object is known by its cookie from FUSEX_IOC_BACKING_ADD until
 * FUSEX_IOC_BACKING_REMOVE.  Inodes keep the object they were made with, so
 * what is removed meanwhile stays until they go, but cannot be used any more:
 * each operation on it is between fusex_backing_use() and
 * fusex_backing_done(), and a removal waits for those that have begun.  Devices
 * (bdev.c) are named by mappings instead, and kept by the I/O on them.
 *
 * The one who registers needs the privilege, not the one who serves: a helper
 * that was handed the descriptor of the channel does it for a confined server.
 */
#include <linux/blk_types.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/path.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>

#include "backing.h"
#include "daxdev.h"
#include "io.h"
#include "transport.h"

/* Longest line of fusex_backing_list(), and the most members it names. */
#define FUSEX_BACKING_LINE	128
#define FUSEX_BACKING_NAMED	6

static const char *const backing_names[] = {
	[FUSEX_BACKING_FILE]	= "file",
	[FUSEX_BACKING_BDEV]	= "bdev",
	[FUSEX_BACKING_DAX]	= "dax",
	[FUSEX_BACKING_STRIPE]	= "stripe",
};

/**
 * fusex_check_backing - check the argument of FUSEX_IOC_BACKING_ADD
 * @b: from the server
 *
 * Context: any.
 * Return: 0, or -EINVAL for what makes no sense.
 */
int fusex_check_backing(const struct fusex_backing *b)
{
	bool stripe = b->type == FUSEX_BACKING_STRIPE;

	if (b->type < FUSEX_BACKING_FILE || b->type > FUSEX_BACKING_STRIPE)
		return -EINVAL;
	if (!b->access || b->access & ~(FUSEX_BACKING_READ |
					FUSEX_BACKING_WRITE))
		return -EINVAL;
	if (stripe != !!b->nr_members || stripe != !!b->members ||
	    stripe != !!b->stripe_unit)
		return -EINVAL;
	if (b->nr_members > FUSEX_STRIPE_MAX)
		return -EINVAL;
	if (b->cookie || b->reserved[0] || b->reserved[1])
		return -EINVAL;
	return 0;
}

/**
 * fusex_check_open_for - is a file open for as much?
 * @file: the file
 * @access: FUSEX_BACKING_*
 *
 * Context: any.
 * Return: true if it is.
 */
bool fusex_check_open_for(const struct file *file, u32 access)
{
	if (access & FUSEX_BACKING_READ && !(file->f_mode & FMODE_READ))
		return false;
	return !(access & FUSEX_BACKING_WRITE) || file->f_mode & FMODE_WRITE;
}

/**
 * fusex_check_backing_file - may an open file be a backing object?
 * @file: the file
 * @access: FUSEX_BACKING_* it is to be used for
 * @stack_depth: of the file system that is to be stacked on it
 *
 * Context: any.
 * Return: 0; -EINVAL for what is no regular file, or cannot be read or written
 * by position; -EBADF if it is not open for @access; -ELOOP if it is on a file
 * system that is stacked as high itself.
 */
int fusex_check_backing_file(const struct file *file, u32 access,
			     u32 stack_depth)
{
	const struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!fusex_check_open_for(file, access))
		return -EBADF;
	if (access & FUSEX_BACKING_READ && !file->f_op->read_iter)
		return -EINVAL;
	if (access & FUSEX_BACKING_WRITE && !file->f_op->write_iter)
		return -EINVAL;
	if (inode->i_sb->s_stack_depth >= stack_depth)
		return -ELOOP;
	return 0;
}

/**
 * fusex_check_backing_bdev - is an open file a block device to register?
 * @file: the file
 * @access: FUSEX_BACKING_* it is to be used for
 *
 * Context: any.
 * Return: 0; -EINVAL for what is no block device; -EBADF if it is not open for
 * @access.
 */
int fusex_check_backing_bdev(const struct file *file, u32 access)
{
	if (!S_ISBLK(file_inode(file)->i_mode))
		return -EINVAL;
	return fusex_check_open_for(file, access) ? 0 : -EBADF;
}

/* Also of an object that was not filled in completely. */
static void backing_free(struct fusex_bobj *obj)
{
	u32 i;

	path_put(&obj->path);
	put_cred(obj->cred);
	if (obj->file)
		fput(obj->file);
	for (i = 0; i < obj->nr_members; i++)
		fusex_backing_put(obj->members[i]);
	if (!fusex_daxdev_put(obj))
		kfree_rcu(obj, rcu);
}

/**
 * fusex_backing_put - give an object back
 * @obj: from fusex_backing_find(), or NULL
 *
 * Context: process for a FILE, any for others; does not wait for the server.
 */
void fusex_backing_put(struct fusex_bobj *obj)
{
	if (obj && refcount_dec_and_test(&obj->ref))
		backing_free(obj);
}

/* What has been checked, of the file @b->fd is open on. */
static int backing_path(const struct fusex_chan *chan,
			const struct fusex_backing *b, struct path *path)
{
	struct file *file = fget(b->fd);
	int err;

	if (!file)
		return -EBADF;
	err = fusex_check_backing_file(file, b->access, chan->conf.stack_depth);
	if (!err) {
		*path = file->f_path;
		path_get(path);
	}
	fput(file);
	return err;
}

/* Was something agreed on that can use it? */
static bool backing_of_use(const struct fusex_conf *conf, u32 type)
{
	switch (type) {
	case FUSEX_BACKING_FILE:
		/* Nothing is stacked unless it was agreed on. */
		return conf->stack_depth;
	case FUSEX_BACKING_DAX:
		return conf->io_modes & BIT(FUSEX_IO_DAX);
	default:
		return conf->io_modes & FUSEX_IO_MAPPED;
	}
}

/* Of an entry's file or a mapping's device, if such were agreed on. */
static int backing_allowed(const struct fusex_chan *chan, u32 type)
{
	bool file = type == FUSEX_BACKING_FILE;

	if (!backing_of_use(&chan->conf, type))
		return -EOPNOTSUPP;
	return capable(file ? CAP_SYS_ADMIN : CAP_SYS_RAWIO) ? 0 : -EPERM;
}

static int backing_stripe(struct fusex_bobj *obj, struct fusex_chan *chan,
			  const struct fusex_backing *b)
{
	u32 *cookies;
	int err;

	cookies = memdup_array_user(u64_to_user_ptr(b->members), b->nr_members,
				    sizeof(*cookies));
	if (IS_ERR(cookies))
		return PTR_ERR(cookies);
	err = fusex_stripe_fill(obj, chan, cookies, b->stripe_unit);
	kfree(cookies);
	return err;
}

static int backing_fill(struct fusex_bobj *obj, struct fusex_chan *chan,
			const struct fusex_backing *b)
{
	switch (b->type) {
	case FUSEX_BACKING_BDEV:
		return fusex_bdev_fill(obj, b->fd, chan->conf.block_size);
	case FUSEX_BACKING_DAX:
		return fusex_daxdev_fill(obj, chan, b->fd);
	case FUSEX_BACKING_STRIPE:
		return backing_stripe(obj, chan, b);
	default:
		obj->cred = get_current_cred();
		return backing_path(chan, b, &obj->path);
	}
}

static struct fusex_bobj *backing_make(struct fusex_chan *chan,
				       const struct fusex_backing *b)
{
	struct fusex_bobj *obj;
	int err;

	err = backing_allowed(chan, b->type);
	if (err)
		return ERR_PTR(err);
	obj = kzalloc_flex(*obj, members, b->nr_members, GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	refcount_set(&obj->ref, 1);
	obj->type = b->type;
	obj->access = b->access;
	obj->nr_members = b->nr_members;
	err = backing_fill(obj, chan, b);
	if (err) {
		backing_free(obj);
		return ERR_PTR(err);
	}
	return obj;
}

/**
 * fusex_backing_publish - give a new object a name
 * @chan: the channel
 * @obj: the object, whose reference is the registry's from now on
 * @cookie: returns its name
 *
 * From here on it can be used, and removed.
 *
 * Context: process, may sleep.
 * Return: 0 or more, or an error.
 */
VISIBLE_IF_KUNIT int fusex_backing_publish(struct fusex_chan *chan,
					   struct fusex_bobj *obj, u32 *cookie)
{
	int err;

	xa_lock(&chan->backing);
	err = __xa_alloc_cyclic(&chan->backing, &obj->cookie, obj, xa_limit_32b,
				&chan->next_backing, GFP_KERNEL_ACCOUNT);
	if (err >= 0) {
		*cookie = obj->cookie;
		if (obj->type != FUSEX_BACKING_FILE &&
		    !rcu_access_pointer(chan->device))
			rcu_assign_pointer(chan->device, obj);
	}
	xa_unlock(&chan->backing);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(fusex_backing_publish);

static struct fusex_bobj *backing_withdraw(struct fusex_chan *chan, u32 cookie)
{
	struct fusex_bobj *obj;

	xa_lock(&chan->backing);
	obj = __xa_erase(&chan->backing, cookie);
	if (obj && obj == rcu_access_pointer(chan->device))
		RCU_INIT_POINTER(chan->device, NULL);
	xa_unlock(&chan->backing);
	return obj;
}

/**
 * fusex_backing_add - FUSEX_IOC_BACKING_ADD
 * @chan: the channel
 * @b: what to register, from user space
 * @cookie: returns its name
 *
 * Names are not given out again before all others were.
 *
 * Context: process, may sleep.
 * Return: 0 or an error, see struct fusex_backing.
 */
int fusex_backing_add(struct fusex_chan *chan, const struct fusex_backing *b,
		      u32 *cookie)
{
	struct fusex_bobj *obj;
	int err;

	err = fusex_check_backing(b);
	if (err)
		return err;
	obj = backing_make(chan, b);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	err = fusex_backing_publish(chan, obj, cookie);
	if (err < 0) {
		backing_free(obj);
		return err;
	}
	return 0;
}

/* What is read from or written to a device is in busy, all of it. */
static int backing_wait_device(struct fusex_bobj *obj)
{
	int err;

	err = wait_var_event_interruptible(&obj->busy,
					   !atomic_read(&obj->busy));
	return err ? -EINTR : 0;
}

/* Those who began to use it before it was removed have ended. */
static int backing_wait(struct fusex_bobj *obj)
{
	int err;

	if (obj->type != FUSEX_BACKING_FILE)
		return backing_wait_device(obj);
	err = wait_var_event_killable(&obj->busy, !atomic_read(&obj->busy));
	if (err)
		return err;
	/* Asynchronous ones go on, and are direct I/O of the backing file. */
	return fusex_dio_drain(d_inode(obj->path.dentry));
}

/**
 * fusex_backing_remove - FUSEX_IOC_BACKING_REMOVE
 * @chan: the channel
 * @cookie: of the object
 * @flags: FUSEX_BACKING_FAIL_IO or 0
 *
 * Of a stripe nothing is waited for: I/O is on its members.  What of a memory
 * device is mapped is unmapped.
 *
 * Context: process; waits for operations on the object unless told otherwise, killable,
 * on a device interruptible.
 * Return: 0; -ENOENT when there is none; -EINTR when a signal came: it is
 * removed, but may still be in use.
 */
int fusex_backing_remove(struct fusex_chan *chan, u32 cookie, u32 flags)
{
	struct fusex_bobj *obj = backing_withdraw(chan, cookie);
	int err = 0;

	if (!obj)
		return -ENOENT;
	WRITE_ONCE(obj->failing, flags & FUSEX_BACKING_FAIL_IO);
	WRITE_ONCE(obj->removed, true);
	/* Pairs with fusex_backing_use(): it sees this, or we see that. */
	smp_mb();
	if (!(flags & FUSEX_BACKING_FAIL_IO))
		err = backing_wait(obj);
	fusex_daxdev_revoke(obj);
	fusex_backing_put(obj);
	return err;
}

/**
 * fusex_backing_clear - the channel is over: forget all that was registered
 * @chan: the channel
 *
 * Inodes go on using what they have.
 *
 * Context: process, may sleep.
 */
void fusex_backing_clear(struct fusex_chan *chan)
{
	struct fusex_bobj *obj;
	unsigned long cookie;

	xa_for_each(&chan->backing, cookie, obj)
		fusex_backing_put(backing_withdraw(chan, cookie));
}

/**
 * fusex_backing_find - the object that an entry names
 * @chan: the channel
 * @cookie: from the server, not believed
 * @type: enum fusex_backing_type it must have
 *
 * Context: any.
 * Return: it, with a reference for fusex_backing_put(), or NULL.
 */
struct fusex_bobj *fusex_backing_find(struct fusex_chan *chan, u32 cookie,
				      u32 type)
{
	struct fusex_bobj *obj;

	rcu_read_lock();
	obj = xa_load(&chan->backing, cookie);
	if (obj && (obj->type != type || !refcount_inc_not_zero(&obj->ref)))
		obj = NULL;
	rcu_read_unlock();
	return obj;
}

/* "UNITxMEMBERS:COOKIE,..." */
static int list_stripe(const struct fusex_bobj *obj, char *buf, int at)
{
	u32 i, named = min(obj->nr_members, FUSEX_BACKING_NAMED);
	int len;

	len = sysfs_emit_at(buf, at, "%llux%u", obj->stripe_unit,
			    obj->nr_members);
	for (i = 0; i < named; i++)
		len += sysfs_emit_at(buf, at + len, "%c%u", i ? ',' : ':',
				     obj->members[i]->cookie);
	if (named < obj->nr_members)
		len += sysfs_emit_at(buf, at + len, ",...");
	return len;
}

/* What it is, by the names that others have for it. */
static int list_object(const struct fusex_bobj *obj, char *buf, int at)
{
	dev_t dev;

	switch (obj->type) {
	case FUSEX_BACKING_BDEV:
	case FUSEX_BACKING_DAX:
		dev = obj->bdev ? obj->bdev->bd_dev : fusex_daxdev_name(obj);
		return sysfs_emit_at(buf, at, "%u:%u", MAJOR(dev), MINOR(dev));
	case FUSEX_BACKING_STRIPE:
		return list_stripe(obj, buf, at);
	default:
		return sysfs_emit_at(buf, at, "%llu",
				     (u64)d_inode(obj->path.dentry)->i_ino);
	}
}

static int list_line(const struct fusex_bobj *obj, char *buf, int at)
{
	int len;

	len = sysfs_emit_at(buf, at, "%u %s %s%s ", obj->cookie,
			    backing_names[obj->type],
			    obj->access & FUSEX_BACKING_READ ? "r" : "",
			    obj->access & FUSEX_BACKING_WRITE ? "w" : "");
	len += list_object(obj, buf, at + len);
	return len + sysfs_emit_at(buf, at + len, " %u\n",
				   refcount_read(&obj->ref) - 1);
}

/**
 * fusex_backing_list - list the objects for sysfs
 * @chan: the channel
 * @buf: a page
 *
 * "COOKIE TYPE ACCESS OBJECT USERS" each.
 *
 * Context: process.
 * Return: bytes.
 */
ssize_t fusex_backing_list(struct fusex_chan *chan, char *buf)
{
	unsigned long cookie, left = 0;
	struct fusex_bobj *obj;
	ssize_t len = 0;

	/* What is in the registry stays as long as it is locked. */
	xa_lock(&chan->backing);
	xa_for_each(&chan->backing, cookie, obj) {
		if (len > PAGE_SIZE - 2 * FUSEX_BACKING_LINE)
			left++;
		else
			len += list_line(obj, buf, len);
	}
	xa_unlock(&chan->backing);
	if (left)
		len += sysfs_emit_at(buf, len, "... %lu\n", left);
	return len;
}

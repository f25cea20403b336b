// SPDX-License-Identifier: GPL-2.0
/*
 * What a server says before it serves: the ioctls of /dev/fusex.
 */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "backing.h"
#include "io.h"
#include "transport.h"
#include "validate.h"

/*
 * Copies an extensible structure whose first member is its size.  All that
 * this kernel knows must be there, all that it does not know must be zero.
 */
static int setup_copy(void *to, size_t size, const void __user *from)
{
	u32 user_size;
	int err;

	if (get_user(user_size, (const u32 __user *)from))
		return -EFAULT;
	if (user_size < size)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(to, size, from, user_size);
	/* It may have been changed meanwhile. */
	*(u32 *)to = user_size;
	return err;
}

/* ------------------------------------------------------------------- setup */

static u32 setup_io_modes(void)
{
	u32 modes = 0;
	u8 mode;

	for (mode = FUSEX_IO_DEFAULT + 1; mode < FUSEX_IO_NR; mode++) {
		if (fusex_io_mode_supported(mode))
			modes |= BIT(mode);
	}
	return modes;
}

/* What can be had of the features the server can live without. */
static u64 setup_optional(const struct fusex_setup *s)
{
	u64 features = s->optional & FUSEX_F_KNOWN;

	if (s->handle_size > FUSEX_EXPORT_HANDLE_MAX)
		features &= ~FUSEX_F_EXPORT;
	return features;
}

/* Where no data comes from the server, the device has its own idea of it. */
static u32 setup_readahead(const struct fusex_setup *s)
{
	return s->io_modes & ~FUSEX_IO_MAPPED ? FUSEX_DEFAULT_IO_SIZE :
						FUSEX_IO_SIZE_MAX;
}

/* Fills in what the kernel chooses, in what the server gets back. */
static void setup_agree(struct fusex_setup *s)
{
	s->features |= setup_optional(s);
	s->optional = FUSEX_F_KNOWN;
	s->io_modes |= BIT(s->io_mode);
	s->attr_modes |= BIT(s->attr_mode);
	s->max_read = round_up(s->max_read ?: FUSEX_DEFAULT_IO_SIZE,
			       PAGE_SIZE);
	s->max_write = round_up(s->max_write ?: FUSEX_DEFAULT_IO_SIZE,
				PAGE_SIZE);
	/* Page cache for one reader: not whatever a server may come up with. */
	s->max_readahead = min(s->max_readahead ?: setup_readahead(s),
			       FUSEX_IO_SIZE_MAX);
	s->max_background = s->max_background ?: FUSEX_DEFAULT_BACKGROUND;
	s->block_size = s->block_size ?: FUSEX_DEFAULT_BLOCK_SIZE;
	s->time_gran = s->time_gran ?: 1;
	if (s->io_modes & BIT(FUSEX_IO_PASSTHROUGH))
		s->stack_depth = s->stack_depth ?: 1;
	if (!s->time_min && !s->time_max) {
		s->time_min = S64_MIN;
		s->time_max = S64_MAX;
	}
	if (!s->max_file_size || s->max_file_size > MAX_LFS_FILESIZE)
		s->max_file_size = MAX_LFS_FILESIZE;
	s->request_size = FUSEX_REQ_ROOM +
			  max_t(u32, s->max_write, FUSEX_REQ_PAYLOAD);
}

static void setup_conf(struct fusex_conf *conf, const struct fusex_setup *s)
{
	*conf = (struct fusex_conf) {
		.features = s->features,
		.io_mode = s->io_mode,
		.attr_mode = s->attr_mode,
		.io_modes = s->io_modes,
		.attr_modes = s->attr_modes,
		.max_read = s->max_read,
		.max_write = s->max_write,
		.max_readahead = s->max_readahead,
		.max_background = s->max_background,
		.block_size = s->block_size,
		.handle_size = s->handle_size,
		.stack_depth = s->stack_depth,
		.max_links = s->max_links,
		.time_gran = s->time_gran,
		.time_min = s->time_min,
		.time_max = s->time_max,
		.max_file_size = s->max_file_size,
		.root = s->root,
	};
	strscpy(conf->subtype, s->subtype);
	memcpy(conf->root_handle, s->root_handle, s->root.handle_len);
}

/* A channel that is READY but has no descriptor yet. */
static struct fusex_chan *setup_chan(struct file *file,
				     const struct fusex_setup *s)
{
	struct fusex_chan *chan = fusex_chan_alloc(&fusex_dev_transport);

	if (!chan)
		return NULL;
	setup_conf(&chan->conf, s);
	chan->request_size = s->request_size;
	chan->timeout = msecs_to_jiffies(s->timeout_ms);
	chan->timeout_ms = s->timeout_ms;
	chan->user_ns = get_user_ns(file->f_cred->user_ns);
	chan->pid_ns = get_pid_ns(task_active_pid_ns(current));
	chan->server = get_pid(task_tgid(current));
	chan->state = FUSEX_CHAN_READY;
	return chan;
}

static int setup_locked(struct file *file, struct fusex_setup *s,
			struct fusex_setup __user *arg)
{
	struct fusex_dev *dev = file->private_data;
	struct fusex_chan *chan;
	const char *why;
	int err;

	lockdep_assert_held(&dev->setup);
	if (dev->chan)
		return -EBUSY;
	err = fusex_check_setup(s, setup_io_modes(), &why);
	if (err) {
		pr_debug("fusex: setup refused: %s\n", why);
		return err;
	}
	setup_agree(s);
	chan = setup_chan(file, s);
	if (!chan)
		return -ENOMEM;
	/* The last thing that can fail. */
	if (copy_to_user(arg, s, sizeof(*s)))
		err = -EFAULT;
	else
		fusex_dev_join(dev, chan);
	fusex_chan_put(chan);
	return err;
}

static int ioc_setup(struct file *file, struct fusex_setup __user *arg)
{
	struct fusex_dev *dev = file->private_data;
	struct fusex_setup *s;
	int err;

	s = kmalloc_obj(*s, GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	err = setup_copy(s, sizeof(*s), arg);
	if (!err)
		err = mutex_lock_killable(&dev->setup);
	if (!err) {
		err = setup_locked(file, s, arg);
		mutex_unlock(&dev->setup);
	}
	kfree(s);
	return err;
}

/* ------------------------------------------------------------------- clone */

static int ioc_clone(struct file *file, struct fusex_clone __user *arg)
{
	struct fusex_dev *dev = file->private_data;
	struct fusex_clone c;
	struct fusex_chan *chan;
	int err;

	err = setup_copy(&c, sizeof(c), arg);
	if (err)
		return err;
	if (c.flags || c.reserved)
		return -EINVAL;
	/* The other descriptor stays open, so the channel is not ended. */
	CLASS(fd, other)(c.fd);
	if (fd_empty(other))
		return -EBADF;
	chan = fusex_chan_from_file(fd_file(other));
	if (IS_ERR(chan))
		return PTR_ERR(chan);

	err = mutex_lock_killable(&dev->setup);
	if (!err) {
		if (dev->chan)
			err = -EINVAL;
		else if (!fusex_chan_alive(chan))
			err = -ENODEV;
		else
			fusex_dev_join(dev, chan);
		mutex_unlock(&dev->setup);
	}
	fusex_chan_put(chan);
	return err;
}

/* --------------------------------------------------------- backing objects */

/* The channel of a descriptor; whoever uses the descriptor keeps it. */
static struct fusex_chan *setup_chan_of(struct fusex_dev *dev)
{
	/* Pairs with fusex_dev_join(). */
	struct fusex_chan *chan = smp_load_acquire(&dev->chan);

	if (!chan)
		return ERR_PTR(-ENOTCONN);
	return fusex_chan_alive(chan) ? chan : ERR_PTR(-ENODEV);
}

static int ioc_backing_add(struct fusex_dev *dev,
			   struct fusex_backing __user *arg)
{
	struct fusex_chan *chan = setup_chan_of(dev);
	struct fusex_backing b;
	u32 cookie;
	int err;

	err = setup_copy(&b, sizeof(b), arg);
	if (err)
		return err;
	if (IS_ERR(chan))
		return PTR_ERR(chan);
	err = fusex_backing_add(chan, &b, &cookie);
	if (err)
		return err;
	if (!put_user(cookie, &arg->cookie))
		return 0;
	/* Nobody knows of it, so nobody uses it. */
	fusex_backing_remove(chan, cookie, FUSEX_BACKING_FAIL_IO);
	return -EFAULT;
}

static int ioc_backing_remove(struct fusex_dev *dev,
			      struct fusex_backing_remove __user *arg)
{
	struct fusex_chan *chan = setup_chan_of(dev);
	struct fusex_backing_remove r;
	int err;

	err = setup_copy(&r, sizeof(r), arg);
	if (err)
		return err;
	if (r.flags & ~FUSEX_BACKING_FAIL_IO || r.reserved)
		return -EINVAL;
	if (IS_ERR(chan))
		return PTR_ERR(chan);
	return fusex_backing_remove(chan, r.cookie, r.flags);
}

/**
 * fusex_dev_ioctl - the ioctls of /dev/fusex
 * @file: a descriptor
 * @cmd: FUSEX_IOC_*
 * @arg: pointer to its structure
 *
 * Return: 0 or a negative errno, see the structures in the UAPI header;
 * -ENOTTY for other commands.
 */
long fusex_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case FUSEX_IOC_SETUP:
		return ioc_setup(file, uarg);
	case FUSEX_IOC_CLONE:
		return ioc_clone(file, uarg);
	case FUSEX_IOC_BACKING_ADD:
		return ioc_backing_add(file->private_data, uarg);
	case FUSEX_IOC_BACKING_REMOVE:
		return ioc_backing_remove(file->private_data, uarg);
	}
	return -ENOTTY;
}

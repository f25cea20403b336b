// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The channel: opening it, agreeing on the configuration, further descriptors.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "internal.h"

#define DEVICE	"/dev/fusex"

/* As mount(8) does for every kind: whose module is not there yet is loaded. */
static void load_module(void)
{
	int fd = fsopen("fusex", FSOPEN_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

static int open_device(struct fusex_session *se)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		load_module();
		fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	}
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return session_fail(se, errno,
				    "cannot open %s: the module is not loaded, try: modprobe fusex",
				    DEVICE);
	return session_fail(se, errno, "cannot open " DEVICE ":");
}

/* Features that the library, or the presence or absence of an operation, asks for. */
static uint64_t implied_features(const struct fusex_ops *ops)
{
	uint64_t features = FUSEX_F_UNMOUNT;

	if (!ops->open && !ops->release)
		features |= FUSEX_F_NO_OPEN;
	if (!ops->flush)
		features |= FUSEX_F_NO_FLUSH;
	if (ops->poll)
		features |= FUSEX_F_POLL;
	if (ops->resolve)
		features |= FUSEX_F_EXPORT;
	return features;
}

static void fill_setup(struct fusex_setup *s, const struct fusex_session *se)
{
	const struct fusex_config *cfg = &se->cfg;
	uint32_t handle_len = cfg->root.entry.handle_len;

	memset(s, 0, sizeof(*s));
	s->size = sizeof(*s);
	s->abi = FUSEX_ABI;
	s->features = cfg->features;
	s->optional = cfg->optional | implied_features(&se->ops);
	s->io_mode = cfg->io_mode;
	s->attr_mode = cfg->attr_mode;
	s->io_modes = cfg->io_modes;
	s->attr_modes = cfg->attr_modes;
	s->max_read = cfg->max_read;
	s->max_write = cfg->max_write;
	s->max_readahead = cfg->max_readahead;
	s->max_background = cfg->max_background;
	s->timeout_ms = cfg->timeout_ms;
	s->block_size = cfg->block_size;
	s->handle_size = cfg->handle_size;
	s->stack_depth = cfg->stack_depth;
	s->max_links = cfg->max_links;
	s->time_gran = cfg->time_gran;
	s->time_min = cfg->time_min;
	s->time_max = cfg->time_max;
	s->max_file_size = cfg->max_file_size;
	memcpy(s->subtype, cfg->subtype, sizeof(s->subtype));
	s->root = cfg->root.entry;
	if (handle_len <= FUSEX_HANDLE_MAX)
		memcpy(s->root_handle, cfg->root.handle, handle_len);
}

/*
 * Workers wait in read(2), and a program that the server starts must not keep
 * the channel from ending with it.
 */
static void own(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && flags & O_NONBLOCK)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The only one that a kernel of the same release may lack. */
static bool setup_has_dax(const struct fusex_setup *s)
{
	return (s->io_modes | 1u << s->io_mode) & 1u << FUSEX_IO_DAX;
}

static int setup_failed(struct fusex_session *se, int err,
			const struct fusex_setup *setup)
{
	const char *fault = err == EINVAL ? setup_fault(setup) : NULL;

	if (fault)
		return session_fail(se, err,
				    "the kernel refuses the configuration: %s",
				    fault);
	switch (err) {
	case EPROTONOSUPPORT:
		return session_fail(se, err,
				    "module and library are from different releases: the module does not speak version %u of the interface",
				    FUSEX_ABI);
	case EOPNOTSUPP:
		if (setup_has_dax(setup))
			return session_fail(se, err,
					    "this kernel has no dax mode (FS_DAX), which the server asks for");
		return session_fail(se, err,
				    "this kernel lacks an I/O mode that the server asks for");
	case EBUSY:
		return session_fail(se, err,
				    "the descriptor of " DEVICE " is in use already");
	case ENOTTY:
		return session_fail(se, err, "the descriptor is not " DEVICE);
	default:
		return session_fail(se, err,
				    "the kernel refuses the configuration:");
	}
}

int fusex_session_setup(struct fusex_session *se, int fd)
{
	struct fusex_setup setup;
	int err;

	if (se->ready) {
		if (fd >= 0 && fd != se->fd)
			close(fd);
		return session_fail(se, EALREADY, "the session is set up already");
	}
	if (fd < 0)
		fd = open_device(se);
	else
		own(fd);
	if (fd < 0)
		return fd;

	fill_setup(&setup, se);
	if (ioctl(fd, FUSEX_IOC_SETUP, &setup) < 0) {
		err = errno;
		close(fd);
		return setup_failed(se, err, &setup);
	}
	se->fd = fd;
	se->agreed = setup;
	session_set_sizes(se);
	se->ready = true;
	return 0;
}

/**
 * session_set_sizes() - sizes of the buffers from what was agreed
 * @se: session
 */
void session_set_sizes(struct fusex_session *se)
{
	se->in_size = se->agreed.request_size;
	se->data_size = se->agreed.max_read;
	if (se->data_size < XATTR_BYTES)
		se->data_size = XATTR_BYTES;
}

static int dup_fd(int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/**
 * session_clone_fd() - another descriptor of the channel, for a worker
 * @se: a session that was set up
 *
 * A server that got its descriptor from elsewhere may not have the device: its
 * workers share a queue.
 *
 * Return: the descriptor, owned by the caller, or -errno.
 */
int session_clone_fd(struct fusex_session *se)
{
	struct fusex_clone clone = { .size = sizeof(clone), .fd = se->fd };
	int err, fd;

	if (se->fake)
		return dup_fd(se->fd);

	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == EACCES || errno == EPERM))
		return dup_fd(se->fd);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, FUSEX_IOC_CLONE, &clone) < 0) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

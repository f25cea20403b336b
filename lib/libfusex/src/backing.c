// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Backing objects: files and devices whose data the kernel moves by itself.
 */
#include <sys/ioctl.h>

#include "internal.h"

/* What session_end_fd() puts in the place of a channel knows no commands. */
static int failed(void)
{
	return errno == ENOTTY ? -ENODEV : -errno;
}

static int add(struct fusex_session *se, struct fusex_backing *b,
	       uint32_t *cookie)
{
	b->size = sizeof(*b);
	if (!se->ready)
		return -ENOTCONN;
	if (ioctl(se->fd, FUSEX_IOC_BACKING_ADD, b))
		return failed();
	*cookie = b->cookie;
	return 0;
}

int fusex_backing_add(struct fusex_session *se, int fd, uint32_t access,
		      uint32_t *cookie)
{
	struct fusex_backing b = {
		.type	= FUSEX_BACKING_FILE,
		.fd	= fd,
		.access	= access,
	};

	return add(se, &b, cookie);
}

int fusex_backing_add_dev(struct fusex_session *se,
			  enum fusex_backing_type type, int fd,
			  uint32_t access, uint32_t *cookie)
{
	struct fusex_backing b = {
		.type	= type,
		.fd	= fd,
		.access	= access,
	};

	return add(se, &b, cookie);
}

int fusex_backing_add_stripe(struct fusex_session *se, const uint32_t *members,
			     size_t count, uint64_t unit, uint32_t access,
			     uint32_t *cookie)
{
	struct fusex_backing b = {
		.type		= FUSEX_BACKING_STRIPE,
		.fd		= -1,
		.access		= access,
		.nr_members	= (uint32_t)count,
		.members	= (uintptr_t)members,
		.stripe_unit	= unit,
	};

	/* Before it is cut to 32 bits. */
	if (count > FUSEX_STRIPE_MAX)
		return -EINVAL;
	return add(se, &b, cookie);
}

int fusex_backing_remove(struct fusex_session *se, uint32_t cookie,
			 uint32_t flags)
{
	struct fusex_backing_remove r = {
		.size	= sizeof(r),
		.cookie	= cookie,
		.flags	= flags,
	};

	if (!se->ready)
		return -ENOTCONN;
	return ioctl(se->fd, FUSEX_IOC_BACKING_REMOVE, &r) ? failed() : 0;
}

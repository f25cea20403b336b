// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Backing objects: files whose data the kernel moves by itself.
 */
#include <sys/ioctl.h>

#include "internal.h"

int fusex_backing_add(struct fusex_session *se, int fd, uint32_t access,
		      uint32_t *cookie)
{
	struct fusex_backing b = {
		.size	= sizeof(b),
		.type	= FUSEX_BACKING_FILE,
		.fd	= fd,
		.access	= access,
	};

	if (!se->ready)
		return -ENOTCONN;
	if (ioctl(se->fd, FUSEX_IOC_BACKING_ADD, &b))
		return -errno;
	*cookie = b.cookie;
	return 0;
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
	return ioctl(se->fd, FUSEX_IOC_BACKING_REMOVE, &r) ? -errno : 0;
}

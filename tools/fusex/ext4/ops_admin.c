// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of administrators, for the whole file system.  Who may make them the
 * kernel knows, and has looked.
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>

#include "ops.h"

static bool is_cancelled(void *arg)
{
	return fusex_req_cancelled(arg);
}

static int trim(struct fusex_req *req, const struct fstrim_range *in,
		struct fstrim_range *out)
{
	*out = *in;
	return volume_trim(volume_of(req), out, is_cancelled, req);
}

static int set_label(struct volume *v, const char *label)
{
	size_t len = strnlen(label, FSLABEL_MAX);

	return len > EXT2_LABEL_LEN ? -EINVAL : volume_set_label(v, label, len);
}

int ext4_ioctl(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_ioctl_in *in, const void *arg, void *out)
{
	struct volume *v = volume_of(req);

	switch (in->cmd) {
	case FITRIM:
		return trim(req, arg, out);
	case FS_IOC_GETFSLABEL:
		volume_get_label(v, out);
		return 0;
	case FS_IOC_SETFSLABEL:
		return set_label(v, arg);
	default:
		return -ENOTTY;
	}
}

int ext4_shutdown(struct fusex_req *req, uint32_t flags)
{
	return volume_shut(volume_of(req), flags & FUSEX_SHUTDOWN_FLUSH);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Node handles, and the kernel's file handles in them.
 *
 * A node handle made of a file handle is the file handle's type in four bytes,
 * in host order, and its bytes.
 */
#include <fcntl.h>
#include <string.h>

#include "internal.h"

#define TYPE_BYTES	sizeof(int32_t)

struct big_file_handle {
	struct file_handle	fh;
	unsigned char		bytes[MAX_HANDLE_SZ];
};

int fusex_entry_set_handle(struct fusex_entry_reply *out, const void *handle,
			   size_t len)
{
	if (len > FUSEX_HANDLE_MAX)
		return -EOVERFLOW;
	memcpy(out->handle, handle, len);
	out->entry.handle_len = (uint16_t)len;
	return 0;
}

ssize_t fusex_handle_encode(int dirfd, const char *path, int flags,
			    void *handle)
{
	struct big_file_handle big;
	int32_t type;
	int mount_id;

	big.fh.handle_bytes = FUSEX_HANDLE_MAX - TYPE_BYTES;
	if (name_to_handle_at(dirfd, path, &big.fh, &mount_id, flags))
		return -errno;
	type = big.fh.handle_type;
	memcpy(handle, &type, TYPE_BYTES);
	memcpy((unsigned char *)handle + TYPE_BYTES, big.fh.f_handle,
	       big.fh.handle_bytes);
	return (ssize_t)(TYPE_BYTES + big.fh.handle_bytes);
}

int fusex_handle_open(int mount_fd, const void *handle, size_t len, int flags)
{
	struct big_file_handle big;
	int32_t type;
	int fd;

	if (len <= TYPE_BYTES || len > FUSEX_HANDLE_MAX)
		return -EINVAL;
	memcpy(&type, handle, TYPE_BYTES);
	big.fh.handle_type = type;
	big.fh.handle_bytes = (unsigned int)(len - TYPE_BYTES);
	memcpy(big.fh.f_handle, (const unsigned char *)handle + TYPE_BYTES,
	       len - TYPE_BYTES);
	fd = open_by_handle_at(mount_fd, &big.fh, flags);
	return fd < 0 ? -errno : fd;
}

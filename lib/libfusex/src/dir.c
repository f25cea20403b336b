// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Filling the reply to READDIR.
 */
#include <string.h>

#include "internal.h"

/* The kernel has other uses for those above, but for the very last one. */
#define COOKIE_MAX	((uint64_t)INT64_MAX - 3)
#define COOKIE_LAST	((uint64_t)INT64_MAX)

/**
 * dir_begin() - an empty directory, as large as the kernel and the buffer allow
 * @req: a READDIR request
 */
void dir_begin(struct fusex_req *req)
{
	const struct fusex_readdir_in *in = req->arg;
	const struct fusex_session *se = req->se;

	req->dir.buf = req->data;
	req->dir.size = in->size < se->data_size ? in->size : se->data_size;
	req->dir.used = 0;
	req->dir.last = NULL;
	req->dir.entries = in->flags & FUSEX_READDIR_ATTRS;
	req->dir.handle_size = se->agreed.handle_size;
}

static size_t record_size(size_t name_len, bool entry, size_t handle_len)
{
	size_t size = sizeof(struct fusex_dirent) + FUSEX_ALIGN(name_len);

	if (entry)
		size += sizeof(struct fusex_entry) + FUSEX_ALIGN(handle_len);
	return size;
}

static int check_name(const char *name, size_t len)
{
	if (!len || memchr(name, '/', len))
		return -EINVAL;
	return len > FUSEX_NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool is_cookie(uint64_t cookie)
{
	return cookie && (cookie <= COOKIE_MAX || cookie == COOKIE_LAST);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/**
 * put_padded() - append bytes, and zeros up to the next multiple of 8
 * @p: where to
 * @src: the bytes
 * @len: how many
 *
 * Return: behind the zeros.
 */
unsigned char *put_padded(unsigned char *p, const void *src, size_t len)
{
	size_t padded = FUSEX_ALIGN(len);

	memcpy(p, src, len);
	memset(p + len, 0, padded - len);
	return p + padded;
}

int fusex_dir_add(struct fusex_dir *dir, const char *name, uint64_t ino,
		  uint8_t type, uint64_t cookie,
		  const struct fusex_entry_reply *entry)
{
	size_t len = strnlen(name, FUSEX_NAME_MAX + 1);
	size_t handle_len = entry ? entry->entry.handle_len : 0;
	size_t size = record_size(len, entry, handle_len);
	struct fusex_dirent d = {
		.reclen		= (uint32_t)size,
		.name_len	= (uint16_t)len,
		.type		= type,
		.flags		= entry ? FUSEX_DIRENT_ENTRY : 0,
		.ino		= ino,
		.cookie		= cookie,
	};
	unsigned char *p = dir->buf + dir->used;
	int ret = check_name(name, len);

	if (ret)
		return ret;
	if (!is_cookie(cookie) || (entry && (!dir->entries || is_dots(name))) ||
	    handle_len > FUSEX_HANDLE_MAX)
		return -EINVAL;
	if (size > dir->size - dir->used)
		return -ENOSPC;

	dir->last = (struct fusex_dirent *)p;
	p = put_padded(p, &d, sizeof(d));
	if (entry) {
		p = put_padded(p, &entry->entry, sizeof(entry->entry));
		p = put_padded(p, entry->handle, handle_len);
	}
	put_padded(p, name, len);
	dir->used += size;
	return 0;
}

void fusex_dir_end(struct fusex_dir *dir)
{
	if (dir->last)
		dir->last->flags |= FUSEX_DIRENT_LAST;
}

bool fusex_dir_fits(const struct fusex_dir *dir, size_t name_len, bool entry)
{
	return record_size(name_len, entry, dir->handle_size) <=
	       dir->size - dir->used;
}

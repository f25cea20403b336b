// SPDX-License-Identifier: GPL-2.0
/*
 * Data by way of the server, where the kernel does not move it: through the page
 * cache of the device, as metadata then is, too.  Where the kernel does, this is for
 * what is in inodes, and the kernel has to look again when that has moved.
 *
 * Context: the file is locked; alone where its data is in the inode.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

/* Zeros are written in pieces of this. */
#define ZEROS	4096u

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes from @offset to the end of a run, at most @size. */
static size_t within(const struct volume *v, const struct run *r,
		     uint64_t offset, size_t size)
{
	return (size_t)min_u64(((r->lblk + r->len) << v->block_bits) - offset,
			       size);
}

static uint64_t place(const struct volume *v, const struct run *r,
		      uint64_t offset)
{
	return (r->pblk << v->block_bits) + offset -
	       (r->lblk << v->block_bits);
}

static ssize_t read_inline(struct volume *v, struct node *n, void *buf,
			   size_t size, uint64_t offset)
{
	size_t room = inline_room(v, n);
	char *all = malloc(room + 1);
	ssize_t have;

	if (!all)
		return -ENOMEM;
	have = inline_read(v, n, all, room);
	if (have > 0) {
		have = (uint64_t)have > offset ? have - (ssize_t)offset : 0;
		if ((size_t)have > size)
			have = (ssize_t)size;
		memcpy(buf, all + (have ? offset : 0), (size_t)have);
	}
	free(all);
	return have;
}

ssize_t plain_read(struct volume *v, struct node *n, void *buf, size_t size,
		   uint64_t offset)
{
	uint64_t end = size_of(n);
	size_t done = 0, len;
	struct run r;
	int ret;

	if (offset >= end)
		return 0;
	if (node_has(n, EXT4_INLINE_DATA_FL))
		return read_inline(v, n, buf, size, offset);
	if (v->iomap)
		return -EAGAIN;
	size = (size_t)min_u64(size, end - offset);
	for (; done < size; done += len) {
		ret = file_find(v, n, (offset + done) >> v->block_bits, &r);
		if (ret)
			return done ? (ssize_t)done : ret;
		len = within(v, &r, offset + done, size - done);
		if (r.type == RUN_DATA)
			ret = device_read(&v->dev, (char *)buf + done, len,
					  place(v, &r, offset + done));
		else
			memset((char *)buf + done, 0, len);
		if (ret)
			return done ? (ssize_t)done : ret;
	}
	return (ssize_t)done;
}

static int write_zeros(struct volume *v, uint64_t from, uint64_t to)
{
	static const char zeros[ZEROS];
	size_t len;
	int ret = 0;

	for (; from < to && !ret; from += len) {
		len = (size_t)min_u64(to - from, ZEROS);
		ret = device_write(&v->dev, zeros, len, from);
	}
	return ret;
}

/* What of unwritten blocks is not written, is zeroed. */
static int write_edges(struct volume *v, const struct run *r, uint64_t offset,
		       size_t len)
{
	uint64_t mask = block_size(v) - 1;
	uint64_t at = place(v, r, offset), end = at + len;
	int ret;

	ret = write_zeros(v, at & ~mask, at);
	if (!ret)
		ret = write_zeros(v, end, (end + mask) & ~mask);
	return ret;
}

/* Writes what is of one run; returns how much that was. */
static ssize_t write_run(struct volume *v, struct node *n, const char *buf,
			 size_t size, uint64_t offset)
{
	uint64_t lblk = offset >> v->block_bits;
	uint64_t count = blocks_of(v, offset + size) - lblk;
	struct run r;
	bool fresh;
	size_t len;
	int ret;

	ret = map_allocate(v, n, lblk, count, &r, &fresh);
	if (ret)
		return ret;
	len = within(v, &r, offset, size);
	if (r.type == RUN_UNWRITTEN)
		ret = write_edges(v, &r, offset, len);
	if (!ret)
		ret = device_write(&v->dev, buf, len, place(v, &r, offset));
	if (!ret && r.type == RUN_UNWRITTEN)
		ret = extents_convert(v, n, lblk,
				      blocks_of(v, offset + len) - lblk,
				      RUN_DATA);
	return ret < 0 ? ret : (ssize_t)len;
}

/* Returns 1 if the inode is not the place for it any more. */
static int write_inline(struct volume *v, struct node *n, const void *buf,
			size_t size, uint64_t offset)
{
	size_t room = inline_room(v, n);
	ssize_t have;
	char *all;
	int ret;

	if (offset + size > room) {
		ret = inline_to_blocks(v, n);
		return ret ? ret : 1;
	}
	all = calloc(1, room + 1);
	if (!all)
		return -ENOMEM;
	have = inline_read(v, n, all, room);
	if (have >= 0) {
		memcpy(all + offset, buf, size);
		if ((size_t)have < offset + size)
			have = (ssize_t)(offset + size);
		ret = inline_write(v, n, all, (size_t)have);
	} else {
		ret = (int)have;
	}
	free(all);
	return ret;
}

ssize_t plain_write_some(struct volume *v, struct node *n, const void *buf,
			 size_t size, uint64_t offset)
{
	size_t done = 0;
	ssize_t len = 0;
	int ret;

	if (node_has(n, EXT4_INLINE_DATA_FL)) {
		ret = write_inline(v, n, buf, size, offset);
		if (ret <= 0)
			return ret ? ret : (ssize_t)size;
	}
	if (v->iomap)
		return -EAGAIN;
	for (; done < size; done += (size_t)len) {
		len = write_run(v, n, (const char *)buf + done, size - done,
				offset + done);
		if (len < 0)
			break;
	}
	/* Also when that was not all: what is data is not behind the end. */
	if (done && offset + done > size_of(n)) {
		set_size(n, offset + done);
		node_dirty(v, n);
		orphan_update(v, n);
	}
	return done ? (ssize_t)done : len;
}

int plain_write(struct volume *v, struct node *n, const void *buf, size_t size,
		uint64_t offset)
{
	size_t done = 0;
	ssize_t len;

	for (; done < size; done += (size_t)len) {
		len = plain_write_some(v, n, (const char *)buf + done,
				       size - done, offset + done);
		if (len < 0)
			return (int)len;
	}
	return 0;
}

int plain_zero(struct volume *v, struct node *n, uint64_t from, uint64_t to)
{
	struct run r;
	size_t len;
	int ret = 0;

	for (; from < to && !ret; from += len) {
		ret = file_find(v, n, from >> v->block_bits, &r);
		if (ret)
			return ret;
		len = within(v, &r, from, (size_t)min_u64(to - from, SIZE_MAX));
		if (r.type == RUN_DATA)
			ret = write_zeros(v, place(v, &r, from),
					  place(v, &r, from) + len);
	}
	return ret;
}

int plain_zero_tail(struct volume *v, struct node *n, uint64_t size)
{
	uint64_t end = blocks_of(v, size) << v->block_bits;

	return plain_zero(v, n, size, end);
}

int64_t plain_seek(struct volume *v, struct node *n, uint64_t offset, bool hole)
{
	uint64_t end = size_of(n), at = offset;
	struct run r;
	int ret;

	if (offset >= end)
		return -ENXIO;
	if (node_has(n, EXT4_INLINE_DATA_FL))
		return hole ? (int64_t)end : (int64_t)offset;
	while (at < end) {
		ret = file_find(v, n, at >> v->block_bits, &r);
		if (ret)
			return ret;
		if (hole ? r.type != RUN_DATA : r.type == RUN_DATA)
			return (int64_t)at;
		at = (r.lblk + r.len) << v->block_bits;
	}
	return hole ? (int64_t)end : -ENXIO;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What iomap and dax mode have in common: nothing here depends on how the data
 * moves, only on that the server says where it is.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>

#include "io.h"
#include "map.h"

/* ---------------------------------------------------------------- durability */

/**
 * fusex_mapped_write_back - for fusex_io_ops
 * @inode: the file
 * @start: first byte
 * @end: last byte
 *
 * Context: process, waits for the server, killable.
 * Return: 0 or an error.
 */
int fusex_mapped_write_back(struct inode *inode, loff_t start, loff_t end)
{
	int err = fusex_cache_write_back(inode, start, end);

	return err ?: fusex_tell_now(inode);
}

/**
 * fusex_mapped_fsync - make a file durable, as the file operation
 * @file: open file
 * @start: first byte
 * @end: last byte
 * @datasync: times do not matter
 *
 * Context: process, waits for the server, killable.
 * Return: 0 or an error.
 */
int fusex_mapped_fsync(struct file *file, loff_t start, loff_t end,
		       int datasync)
{
	struct inode *inode = file_inode(file);
	struct fusex_maps *maps = fusex_maps_get(inode);
	int err = fusex_tell_now(inode);
	u32 changes = READ_ONCE(maps->changes);

	if (!err)
		err = fusex_cache_fsync(file, start, end, datasync);
	if (!err)
		WRITE_ONCE(maps->durable, changes);
	return err;
}

/**
 * fusex_mapped_ahead - for fusex_io_ops
 * @inode: the file
 *
 * Context: any.
 * Return: true if there is something that the server has not got, or does not
 * know of, or there is about to be.
 */
bool fusex_mapped_ahead(const struct inode *inode)
{
	return fusex_cache_ahead(inode) || fusex_tell_due(inode) ||
	       test_bit(FUSEX_I_FILLING, &fusex_i(inode)->state);
}

/**
 * fusex_mapped_known - before the server is told of another size
 * @inode: the file
 * @size: bytes
 *
 * What is to be part of the file as the server knows it is on the device first, or
 * a crash might show what was there before.
 *
 * Context: process, waits for the server, killable.
 * Return: 0 or an error.
 */
int fusex_mapped_known(struct inode *inode, loff_t size)
{
	struct fusex_maps *maps = fusex_maps_get(inode);
	loff_t known = READ_ONCE(maps->known);

	if (known >= size)
		return 0;
	return fusex_mapped_write_back(inode, known, size - 1);
}

/**
 * fusex_mapped_cut - before the server is told of a size that is not larger
 * @inode: the file
 * @size: bytes
 *
 * It frees what is behind the end, also if that is where it was.  But if it knows
 * of less it takes the new size for growth, and keeps all: where the file has only
 * a hole before @size, what is cut has to be written as well.
 *
 * Context: process, waits for the server, killable.
 * Return: 0 or an error.
 */
int fusex_mapped_cut(struct inode *inode, loff_t size)
{
	struct fusex_maps *maps = fusex_maps_get(inode);
	int err = fusex_mapped_known(inode, size);

	if (err || READ_ONCE(maps->known) >= size)
		return err;
	return fusex_mapped_write_back(inode, size, LLONG_MAX);
}

/**
 * fusex_mapped_cleared - zeros were put behind a new end of the file
 * @inode: the file, which has been cut
 * @err: how that went
 *
 * Whoever cut it is not told any more: fsync() is.
 *
 * Context: any.
 */
void fusex_mapped_cleared(struct inode *inode, int err)
{
	if (err && err != -EINTR)
		mapping_set_error(inode->i_mapping,
				  err == -ENOTCONN ? -EIO : err);
}

/* ------------------------------------------------------------- looking at it */

static loff_t mapped_seek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);

	if (whence == SEEK_HOLE)
		offset = iomap_seek_hole(inode, offset, &fusex_map_iomap_ops);
	else
		offset = iomap_seek_data(inode, offset, &fusex_map_iomap_ops);
	if (offset < 0)
		return offset;
	return vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

/**
 * fusex_mapped_llseek - the file operation
 * @file: open file
 * @offset: bytes
 * @whence: SEEK_*
 *
 * Context: process, waits for the server, killable.
 * Return: the new position or an error.
 */
loff_t fusex_mapped_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return fusex_llseek(file, offset, whence);
	err = fusex_i(inode)->attr->refresh(inode, FUSEX_ATTR_SIZE, 0);
	/* The server may have a hole where data is still to go. */
	if (!err && fusex_cache_ahead(inode) && offset >= 0)
		err = fusex_cache_write_back(inode, offset, LLONG_MAX);
	if (!err)
		err = down_read_killable(&inode->i_rwsem);
	if (err)
		return err;
	offset = mapped_seek(file, offset, whence);
	inode_unlock_shared(inode);
	return offset;
}

/**
 * fusex_mapped_fiemap - for fusex_io_ops
 * @inode: the file
 * @info: to be filled
 * @start: bytes
 * @len: bytes
 *
 * Context: process, waits for the server, killable.
 * Return: 0 or an error.
 */
int fusex_mapped_fiemap(struct inode *inode, struct fiemap_extent_info *info,
			u64 start, u64 len)
{
	/* The last block that a file can have may not be a whole one. */
	u64 max = round_down(inode->i_sb->s_maxbytes, i_blocksize(inode));
	int err;

	if (start >= max)
		return 0;
	len = min(len, max - start);
	err = down_read_killable(&inode->i_rwsem);
	if (err)
		return err;
	err = iomap_fiemap(inode, info, start, len, &fusex_map_iomap_ops);
	inode_unlock_shared(inode);
	return err;
}

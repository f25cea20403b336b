/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data side: one file_operations, address_space_operations and
 * fusex_io_ops per I/O mode, chosen once per inode by fusex_inode_set_io().
 */
#ifndef _FS_FUSEX_IO_H
#define _FS_FUSEX_IO_H

#include <linux/fs.h>
#include <linux/pagemap.h>

#include "fusex_i.h"

/**
 * struct fusex_io_ops - data hooks that VFS has no slot for
 * @setsize_begin: the size is about to become @size: make cached data agree
 *	with the server before SETATTR is sent (zero the tail, write back).
 *	i_rwsem and the invalidate lock are held; 0 or an error that stops it
 * @setsize_end: the server agreed, i_size is set: drop cached data beyond it
 * @invalidate: the server says data in [start, end] changed; dirty data
 *	survives.  Must not wait for the server
 * @write_back: make the server know all cached data of the range and return
 *	the first error; waits for it
 * @evict: the inode goes; called after truncate_inode_pages_final()
 * @large_folios: highest folio order as a power of two of PAGE_SIZE is the
 *	kernel's choice when set
 */
struct fusex_io_ops {
	int (*setsize_begin)(struct inode *inode, loff_t size);
	void (*setsize_end)(struct inode *inode, loff_t oldsize, loff_t size);
	int (*invalidate)(struct inode *inode, loff_t start, loff_t end);
	int (*write_back)(struct inode *inode, loff_t start, loff_t end);
	void (*evict)(struct inode *inode);
	bool large_folios;
};

/**
 * struct fusex_io_table - everything fusex_inode_set_io() stores
 * @fops: i_fop
 * @aops: a_ops
 * @io: fusex_inode.io
 */
struct fusex_io_table {
	const struct file_operations *fops;
	const struct address_space_operations *aops;
	const struct fusex_io_ops *io;
};

extern const struct fusex_io_table fusex_io_plain;

/* io.c: the setter and what modes share */
void fusex_inode_set_io(struct inode *inode, u8 mode);
bool fusex_io_mode_supported(u8 mode);
extern const struct fusex_io_ops fusex_io_none;
loff_t fusex_llseek(struct file *file, loff_t offset, int whence);
long fusex_fallocate(struct file *file, int mode, loff_t offset, loff_t len);
ssize_t fusex_copy_file_range(struct file *in, loff_t pos_in, struct file *out,
			      loff_t pos_out, size_t len, unsigned int flags);
loff_t fusex_remap_file_range(struct file *in, loff_t pos_in, struct file *out,
			      loff_t pos_out, loff_t len, unsigned int flags);
ssize_t fusex_read_send(struct inode *inode, struct file *file, loff_t pos,
			const struct bio_vec *bvec, size_t skip, size_t len);
ssize_t fusex_write_send(struct inode *inode, struct file *file, loff_t *pos,
			 const struct bio_vec *bvec, size_t skip, size_t len,
			 u32 open_flags, u32 write_flags);

#endif /* _FS_FUSEX_IO_H */

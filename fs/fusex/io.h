/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data side: one file_operations, address_space_operations and
 * fusex_io_ops per I/O mode, chosen once per inode by fusex_inode_set_io().
 */
#ifndef _FS_FUSEX_IO_H
#define _FS_FUSEX_IO_H

#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/pagemap.h>
#include <linux/xattr.h>

#include "fusex_i.h"

/**
 * struct fusex_io_ops - data hooks that VFS has no slot for
 * @opened: @file was opened and the server, if it wants to know, agreed: set
 *	its FMODE_*; cannot fail.  NULL for nothing to do
 * @setsize_begin: the size is about to become @size: make cached data agree
 *	with the server before SETATTR is sent (zero the tail, write back).
 *	i_rwsem and the invalidate lock are held, no direct I/O is going on; 0
 *	or an error that stops it
 * @setsize_end: after a setsize_begin that did not fail: i_size is set, drop
 *	cached data beyond it; or it stays the old size if the server refused
 * @invalidate: the server says data in [start, end] changed; dirty data
 *	survives.  Must not wait for the server
 * @write_back: make the server know all cached data of the range and return
 *	the first error; waits for it
 * @ahead: does the kernel know more of the data, and so of the size, than the
 *	server?  Does not sleep.  NULL for never
 * @settle: attributes are going to be looked at: take notice of what data moved
 *	without the kernel or the server.  Does not wait for the server.  NULL
 *	for nothing to do
 * @copy: copy or, if @clone, share a range of one file with another that has the
 *	same hook; like the file operations.  NULL if that is the server's to do
 * @tell: the server is to know of all data that moved without it; waits for it,
 *	0 or -EINTR.  NULL for nothing to do
 * @fallocate_begin: space of a range is about to change by an fallocate, whose
 *	data changes up to byte @last, if that is not before @offset; i_rwsem and
 *	the invalidate lock are held.  0 or an error that stops it.  NULL for
 *	nothing to do
 * @fallocate_end: likewise, the server has done it
 * @quiesce: the space of a range is about to be another, or to be shared: wait
 *	until no I/O goes by what was known of it.  NULL where nothing is known
 * @give_back: a lease of a range is about to be given back, and nothing new is
 *	done by mappings of it: write what is still dirty, and drop what is cached,
 *	or mapped, by them.  Waits for what the server answers before that, in a
 *	worker.  NULL where @quiesce is
 * @mapped_anew: the server says unasked that the range is elsewhere.  Does not
 *	wait for the server.  NULL for nothing to do
 * @fiemap: like the inode operation.  NULL if nothing is known
 * @stat: what the kernel knows of the data path for statx, over what the server
 *	said.  NULL for nothing
 * @going: the inode goes; called before its page cache does.  NULL for nothing
 * @evict: likewise; called after truncate_inode_pages_final()
 * @large_folios: the page cache may use folios of any order
 * @i_flags: S_* of its inodes
 * @stacks: locks of another file are taken while this one's are held
 */
struct fusex_io_ops {
	void (*opened)(struct inode *inode, struct file *file);
	int (*setsize_begin)(struct inode *inode, loff_t size);
	void (*setsize_end)(struct inode *inode, loff_t oldsize, loff_t size);
	int (*invalidate)(struct inode *inode, loff_t start, loff_t end);
	int (*write_back)(struct inode *inode, loff_t start, loff_t end);
	bool (*ahead)(const struct inode *inode);
	void (*settle)(struct inode *inode);
	loff_t (*copy)(struct file *in, loff_t pos_in, struct file *out,
		       loff_t pos_out, loff_t len, unsigned int flags,
		       bool clone);
	int (*tell)(struct inode *inode);
	int (*fallocate_begin)(struct inode *inode, int mode, loff_t offset,
			       loff_t len, loff_t last);
	int (*fallocate_end)(struct inode *inode, int mode, loff_t offset,
			     loff_t len);
	int (*quiesce)(struct inode *inode, loff_t start, loff_t end);
	int (*give_back)(struct inode *inode, loff_t start, loff_t end);
	void (*mapped_anew)(struct inode *inode, loff_t start, loff_t end);
	int (*fiemap)(struct inode *inode, struct fiemap_extent_info *info,
		      u64 start, u64 len);
	void (*stat)(struct inode *inode, struct kstat *stat, u32 mask);
	void (*going)(struct inode *inode);
	void (*evict)(struct inode *inode);
	unsigned int i_flags;
	bool large_folios;
	bool stacks;
};

/**
 * struct fusex_io_table - everything fusex_inode_set_io() stores
 * @fops: i_fop
 * @poll_fops: the same with poll, for servers that want to hear of it; a file
 *	that can be polled is one that io_uring polls instead of waiting
 * @aops: a_ops
 * @io: fusex_inode.io
 * @usable: can a new inode have the mode?  NULL for always
 * @instead: enum fusex_io_mode that it has if it cannot, and the server has
 *	allowed that
 *
 * All NULL for a mode that this kernel lacks.
 */
struct fusex_io_table {
	const struct file_operations *fops;
	const struct file_operations *poll_fops;
	const struct address_space_operations *aops;
	const struct fusex_io_ops *io;
	bool (*usable)(const struct inode *inode);
	u8 instead;
};

extern const struct fusex_io_table fusex_io_plain;
extern const struct fusex_io_table fusex_io_direct;
extern const struct fusex_io_table fusex_io_writeback;
extern const struct fusex_io_table fusex_io_passthrough;
extern const struct fusex_io_table fusex_io_iomap;
extern const struct fusex_io_table fusex_io_dax;

/* io.c: the setter, and single requests */
int fusex_io_init(struct fusex_sb *fsb, const struct user_namespace *ns);
void fusex_io_exit(struct fusex_sb *fsb);
void fusex_inode_set_io(struct inode *inode, u8 mode);
bool fusex_io_mode_supported(u8 mode);
extern const struct fusex_io_ops fusex_io_none;
int fusex_none_setsize_begin(struct inode *inode, loff_t size);
int fusex_none_range(struct inode *inode, loff_t start, loff_t end);
bool fusex_io_uncertain(const struct fusex_call *call);
u32 fusex_io_flags(const struct kiocb *iocb);
void fusex_read_arg(struct fusex_read_in *in, struct file *file, loff_t pos,
		    size_t len);
ssize_t fusex_write_taken(struct inode *inode, const struct fusex_call *call,
			  u64 epoch, u32 did);
int fusex_write_reply(struct inode *inode, struct fusex_call *call, u64 epoch,
		      u32 did);
ssize_t fusex_read_send(struct inode *inode, struct file *file, loff_t pos,
			const struct bio_vec *bvec, size_t skip, size_t len);
ssize_t fusex_write_send(struct inode *inode, struct file *file, loff_t *pos,
			 const struct bio_vec *bvec, size_t skip, size_t len,
			 u32 open_flags, u32 write_flags);
int fusex_io_write_size(struct kiocb *iocb);
void fusex_io_written(struct inode *inode, loff_t oldsize, loff_t end);
int fusex_dio_drain(struct inode *inode);
int fusex_io_dio_close(struct inode *inode);
void fusex_io_dio_open(struct inode *inode);
int fusex_io_dio_wait(struct inode *inode);
int fusex_io_write_back(struct inode *inode);
void fusex_io_later(struct inode *inode, struct work_struct *work);
int fusex_space_wait(struct inode *inode, bool nowait);
bool fusex_io_later_grab(struct inode *inode, struct work_struct *work);
void fusex_io_later_delayed(struct inode *inode, struct delayed_work *work,
			    unsigned long delay);
void fusex_io_later_done(struct inode *inode);
void fusex_io_later_end(struct fusex_sb *fsb);
void fusex_io_later_not(struct inode *inode);
u64 fusex_io_progress(const struct fusex_sb *fsb);
void fusex_io_drain(struct super_block *sb);

/**
 * fusex_io_lock - take the i_rwsem for a write
 * @iocb: the write
 * @shared: beside others, which do not change more than data and times
 *
 * Context: process, killable, unless @iocb must not wait.
 * Return: 0, to be followed by fusex_io_unlock(); -EINTR when killed, -EAGAIN
 * if it would have to wait.
 */
static inline int fusex_io_lock(const struct kiocb *iocb, bool shared)
{
	struct rw_semaphore *sem = &file_inode(iocb->ki_filp)->i_rwsem;

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		return shared ? down_read_killable(sem) :
				down_write_killable(sem);
	return (shared ? down_read_trylock(sem) : down_write_trylock(sem)) ?
		0 : -EAGAIN;
}

/**
 * fusex_io_unlock - undo fusex_io_lock()
 * @iocb: the write
 * @shared: as it was taken
 */
static inline void fusex_io_unlock(const struct kiocb *iocb, bool shared)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (shared)
		inode_unlock_shared(inode);
	else
		inode_unlock(inode);
}

/**
 * fusex_io_may_write - may this file be written to at all, any more, and yet?
 * @iocb: the write, before its position is known; i_rwsem is held
 *
 * VFS asks when a file is opened; a server could not tell a write to what is
 * append-only now from an append.  Changes that somebody who is gone has left behind
 * come first.
 *
 * Context: process, may sleep on the server unless @iocb must not, killable.
 * Return: 0; -EPERM; -EAGAIN, -EINTR, -ETIMEDOUT.
 */
static inline int fusex_io_may_write(const struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (IS_IMMUTABLE(inode))
		return -EPERM;
	if (IS_APPEND(inode) && !(iocb->ki_flags & IOCB_APPEND))
		return -EPERM;
	return fusex_space_wait(inode, iocb->ki_flags & IOCB_NOWAIT);
}

/**
 * fusex_io_modified - a file is going to be written to: privileges, times
 * @iocb: the write; i_rwsem is held
 *
 * VFS asks for capabilities of the file whether it may wait or not.
 *
 * Context: process, may sleep on the server unless @iocb must not.
 * Return: 0; -EAGAIN; another error.
 */
static inline int fusex_io_modified(struct kiocb *iocb)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (iocb->ki_flags & IOCB_NOWAIT && !IS_NOSEC(inode) &&
	    !fusex_chan_lacks(fusex_chan_of(inode), FUSEX_OP_GETXATTR) &&
	    !fusex_xattr_absent(inode, XATTR_NAME_CAPS))
		return -EAGAIN;
	return kiocb_modified(iocb);
}

static inline bool fusex_io_ahead(const struct inode *inode)
{
	const struct fusex_io_ops *io = fusex_i(inode)->io;

	return io->ahead && io->ahead(inode);
}

static inline void fusex_io_settle(struct inode *inode)
{
	const struct fusex_io_ops *io = fusex_i(inode)->io;

	if (io->settle)
		io->settle(inode);
}

static inline int fusex_io_quiesce(struct inode *inode, loff_t start,
				   loff_t end)
{
	const struct fusex_io_ops *io = fusex_i(inode)->io;

	return io->quiesce ? io->quiesce(inode, start, end) : 0;
}

/* io_range.c: operations on ranges of a file, the same in every mode */
loff_t fusex_llseek(struct file *file, loff_t offset, int whence);
loff_t fusex_fallocate_size(int mode, loff_t offset, loff_t len, loff_t size,
			    loff_t max);
long fusex_fallocate(struct file *file, int mode, loff_t offset, loff_t len);
ssize_t fusex_copy_file_range(struct file *in, loff_t pos_in, struct file *out,
			      loff_t pos_out, size_t len, unsigned int flags);
loff_t fusex_remap_file_range(struct file *in, loff_t pos_in, struct file *out,
			      loff_t pos_out, loff_t len, unsigned int flags);
int fusex_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		 u64 start, u64 len);

/* io_mapped.c: the same in iomap and dax mode */
int fusex_mapped_write_back(struct inode *inode, loff_t start, loff_t end);
int fusex_mapped_fsync(struct file *file, loff_t start, loff_t end,
		       int datasync);
bool fusex_mapped_ahead(const struct inode *inode);
int fusex_mapped_known(struct inode *inode, loff_t size);
int fusex_mapped_cut(struct inode *inode, loff_t size);
void fusex_mapped_cleared(struct inode *inode, int err);
loff_t fusex_mapped_llseek(struct file *file, loff_t offset, int whence);
int fusex_mapped_fiemap(struct inode *inode, struct fiemap_extent_info *info,
			u64 start, u64 len);

/* io_cache.c: the page cache, for the modes that have one */
static inline bool fusex_cache_stale(const struct fusex_inode *fi)
{
	return READ_ONCE(fi->stale_seq) != READ_ONCE(fi->settled_seq);
}

int fusex_cache_drop_stale(struct inode *inode, bool nowait);

/**
 * fusex_cache_settle - see to it that nothing cached is out of date
 * @inode: the file
 * @nowait: do not wait
 *
 * To be called before cached data is used.
 *
 * Context: process, sleeps on the server, killable.
 * Return: 0, -EINTR when killed, -EAGAIN when @nowait and there is something.
 */
static inline int fusex_cache_settle(struct inode *inode, bool nowait)
{
	if (likely(!fusex_cache_stale(fusex_i(inode))))
		return 0;
	return fusex_cache_drop_stale(inode, nowait);
}

extern const struct address_space_operations fusex_cache_aops;
ssize_t fusex_cache_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t fusex_cache_splice_read(struct file *in, loff_t *ppos,
				struct pipe_inode_info *pipe, size_t len,
				unsigned int flags);
void fusex_cache_lost(struct inode *inode, int err);
void fusex_cache_ended(struct inode *inode, int count);
bool fusex_cache_send(struct inode *inode);
bool fusex_cache_ahead(const struct inode *inode);

/*
 * Is there anything that the server is to get, or to hear of?  What was stored to
 * through a mapping is dirty in modes that are never ahead, too.
 */
static inline bool fusex_io_due(const struct inode *inode)
{
	return fusex_cache_ahead(inode) || fusex_io_ahead(inode);
}

int fusex_cache_current(struct inode *inode, bool nowait);
int fusex_cache_write_size(struct kiocb *iocb);
vm_fault_t fusex_cache_fault(struct vm_fault *vmf);
vm_fault_t fusex_cache_map_pages(struct vm_fault *vmf, pgoff_t start,
				 pgoff_t end);
int fusex_cache_mmap_prepare(struct vm_area_desc *desc);
int fusex_cache_fsync(struct file *file, loff_t start, loff_t end,
		      int datasync);
int fusex_cache_release(struct inode *inode, struct file *file);
void fusex_cache_opened(struct inode *inode, struct file *file);
int fusex_cache_setsize_begin(struct inode *inode, loff_t size);
void fusex_cache_shrink_end(struct inode *inode);
void fusex_cache_setsize_end(struct inode *inode, loff_t oldsize, loff_t size);
void fusex_cache_outdate(struct inode *inode);
int fusex_cache_invalidate(struct inode *inode, loff_t start, loff_t end);
int fusex_cache_write_back(struct inode *inode, loff_t start, loff_t end);
int fusex_cache_drop(struct address_space *mapping, loff_t start, loff_t end);
int fusex_cache_zero_tail(struct inode *inode, loff_t from, loff_t to);
struct folio *fusex_cache_lock_folio(struct address_space *mapping, loff_t pos,
				     size_t len);
size_t fusex_io_room(u32 max, size_t bytes, loff_t end, loff_t pos, size_t len);

/* io_pages.c: requests of what is in the page cache */
extern const struct iomap_ops fusex_cache_iomap_ops;
extern const struct iomap_write_ops fusex_cache_write_ops;
void fusex_cache_readahead(struct readahead_control *rac);
int fusex_cache_read_folio(struct file *file, struct folio *folio);
void fusex_filled_folio(struct inode *inode, loff_t pos, unsigned int copied,
			struct folio *folio);
int fusex_cache_pass_begin(struct inode *inode, struct writeback_control *wbc);
void fusex_cache_pass_end(struct inode *inode);
int fusex_cache_writepages(struct address_space *mapping,
			   struct writeback_control *wbc);

/* io_room.c: dirty pages in a cgroup with a limit */
#define FUSEX_ROOM_STEP		SZ_4M
#ifdef CONFIG_CGROUP_WRITEBACK
void fusex_room_init(struct fusex_sb *fsb);
ssize_t fusex_room(struct inode *inode, bool nowait);
#else
static inline void fusex_room_init(struct fusex_sb *fsb)
{
}

static inline ssize_t fusex_room(struct inode *inode, bool nowait)
{
	return FUSEX_ROOM_STEP;
}
#endif

/* io_user.c: requests straight from and to the memory of the caller */
ssize_t fusex_user_fetch(struct kiocb *iocb, struct iov_iter *to, bool one);
ssize_t fusex_user_read(struct kiocb *iocb, struct iov_iter *to);
ssize_t fusex_user_write(struct kiocb *iocb, struct iov_iter *from);
ssize_t fusex_user_write_shared(struct kiocb *iocb, struct iov_iter *from);

/* io_plain.c: the tables are above, this is for its tests */
bool fusex_plain_covers(loff_t start, loff_t end, loff_t from, loff_t to,
			loff_t oldsize);

/* io_direct.c: likewise */
size_t fusex_direct_ask(loff_t left, size_t count, u32 max);

#endif /* _FS_FUSEX_IO_H */

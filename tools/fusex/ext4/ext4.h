/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fusex-ext4: what its files share.
 *
 *	main.c		options, life of the server
 *	device.c	the device: opened, busy, behind a loop device
 *	recover.c	a dirty file system is brought in order by e2fsck
 *	super.c		opening and closing the file system, its errors
 *	bcache.c	blocks of metadata in memory: libext2fs's io_manager
 *	bitmaps.c	which groups' bitmaps changed
 *	commit.c	metadata becomes durable, in transactions
 *	journal.c	a transaction in the journal
 *	batch.c		many blocks are written at once
 *	alloc.c		which blocks and inodes are taken
 *	icache.c	inodes in memory
 *	attr.c		attributes to and from inodes
 *	extents.c	extent trees; blockmap.c: files without
 *	map.c		mappings for the kernel; falloc.c, size.c: changing them
 *	dirblk.c	blocks of directories; dirindex.c: names in memory;
 *			dirtree.c: the tree of their hashes
 *	namei.c		making, linking, removing and moving names
 *	orphan.c	files without a name; unlist.c: when it ends corrupted
 *	xattr.c		extended attributes
 *	inline.c	data in the inode
 *	plain.c		data by way of the server
 *	remote.c	what the kernel leaves to the server with -o attr=remote
 *	reclaim.c	what was taken in advance is taken back
 *	trim.c		what is free is given back to the device
 *	ops_*.c		the requests
 *
 * Locks, in the order in which they are taken:
 *
 *	volume.trim	space is being discarded, a piece of it, or has to be made
 *			for that; freezing waits for it; before the others
 *	volume.lock	for reading by everybody; who has it for writing is alone
 *			and needs none of the others
 *	node.lock	of a directory, then of a file, or a new inode, in it: for
 *			writing by who changes the inode, its blocks or names, for
 *			reading by who looks at them
 *	volume.core	what libext2fs has of the whole file system: bitmaps,
 *			descriptors, superblock, its cache of inodes; and the list
 *			of orphans.  Recursive, as libext2fs calls back
 *	volume.table	which inodes are in memory, and which are dirty
 *	bcache.lock	blocks in memory, see there
 *
 * A transaction is taken alone, so that it is between two operations.  Alone is
 * also who renames, links, removes directories, changes extended attributes or
 * data in inodes, and drops inodes from memory: with volume.lock held for reading
 * an inode in use stays what it is.  No directory is locked with another one, but
 * for reading, so that those of a damaged file system, which may be in a circle,
 * do no harm.  Nothing waits for the device with volume.core if it can be helped.
 *
 * "Called with the lock" means: alone, or with volume.lock and the node's lock for
 * writing.  libext2fs reads blocks and trees of an inode without volume.core; what
 * allocates or frees there has it.
 *
 * Functions return 0 or -errno unless they say otherwise.
 */
#ifndef FUSEX_EXT4_H
#define FUSEX_EXT4_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include <fusex.h>

struct bcache;
struct commit;
struct dirindex;
struct fstrim_range;
struct journal;
struct node;
struct wish;

/* A bad checksum, a pointer to nowhere; the kernel calls it EFSCORRUPTED. */
#define ECORRUPT	EUCLEAN

/**
 * struct device - what the file system is on
 * @path: as it was named
 * @node: the block device, or the image if there is none; what e2fsck gets
 * @fd: of @node
 * @image_fd: of an image behind a loop device, locked; -1
 * @block: it is a block device
 * @direct: @fd is O_DIRECT
 * @readonly: it cannot be written to
 * @align: of memory, offset and length of I/O, bytes
 */
struct device {
	const char	*path;
	char		node[64];
	int		fd;
	int		image_fd;
	bool		block;
	bool		direct;
	bool		readonly;
	unsigned int	align;
};

/* Which files are in dax mode: none can, those with the flag, all that can. */
enum dax { DAX_NEVER, DAX_FLAGGED, DAX_ALWAYS };

/**
 * struct recalls - space that the kernel is to give back
 * @lock: of what follows; the last of all
 * @change: somebody need not wait any longer
 * @first: those who wait for some, see reclaim.c
 */
struct recalls {
	pthread_mutex_t	lock;
	pthread_cond_t	change;
	struct wish	*first;
};

/**
 * struct volume - a file system
 * @lock: see above
 * @core: likewise
 * @table: likewise
 * @trim: likewise
 * @fs: libext2fs's
 * @dev: where it is
 * @cache: its blocks
 * @commit: what writes them
 * @journal: where to first, NULL without one
 * @se: the session, NULL when there is none
 * @map_dev: cookie of the device, for mappings
 * @iomap: the kernel moves data
 * @remote: attributes are the server's, not the kernel's
 * @lease: seconds for which its layout leases are good then, 0 for ever
 * @recalls: see there
 * @dax: by which files memory is used as it is, DAX_*
 * @readonly: nothing is written
 * @failed: an error made it read-only, or the end
 * @shut: nothing is written any more, as in a crash
 * @errors: EXT2_ERRORS_*, what an error leads to
 * @panic: and an error ends it, errors=panic
 * @valid: it was in order when opened, and nothing was found that is not
 * @unlisted: it is not in order, and so has no list of orphans on the device
 * @inode_size: bytes of an inode
 * @extra_isize: bytes of new ones beyond the first 128
 * @block_bits: log2 of the block size
 * @pending: blocks freed since the last transaction, not to be used before
 * @pending_count: how many
 * @closing: blocks freed by the transaction that is being written
 * @closing_count: how many
 * @held: the first of the blocks that are being discarded, which nobody has meanwhile
 * @held_end: behind the last one
 * @held_wanted: how often somebody had to wait for them
 * @held_none: there are none, for who has @core
 * @freed: transactions after which some could be used
 * @kept: blocks that only trees of extents may have, the very last ones
 * @for_tree: what libext2fs takes now is for one
 * @for_list: what it takes is for a list of numbers of blocks
 * @lists_end: behind the last block whose number such a list can have
 * @system: blocks of the superblock, descriptors, bitmaps, inode tables and journal
 * @groups: GROUP_*, of each group
 * @last_group: group that the last directory near the root was put into
 * @nodes: hash table of inodes in memory
 * @nodes_mask: its size less one
 * @node_count: how many
 * @names: names of directories in memory
 * @names_new: those that came since icache_limit() dropped some
 * @names_max: so many are not too many
 * @dirty: inodes to be written
 * @dirty_count: how many
 * @hand: where icache_shrink() goes on
 * @orphans: inodes that have to be seen to after a crash, the last one first, as on
 *	the disk; see orphan.c
 * @frozen: see orphan_freeze()
 * @generation: of the next inode
 */
struct volume {
	pthread_rwlock_t	lock;
	pthread_mutex_t		core;
	pthread_mutex_t		table;
	pthread_mutex_t		trim;
	ext2_filsys		fs;
	struct device		dev;
	struct bcache		*cache;
	struct commit		*commit;
	struct journal		*journal;
	struct fusex_session	*se;
	uint32_t		map_dev;
	bool			iomap;
	bool			remote;
	uint32_t		lease;
	struct recalls		recalls;
	enum dax		dax;
	bool			readonly;
	atomic_bool		failed;
	bool			shut;
	uint32_t		errors;
	bool			panic;
	atomic_bool		valid;
	bool			unlisted;
	unsigned int		inode_size;
	unsigned int		extra_isize;
	unsigned int		block_bits;
	ext2fs_block_bitmap	pending;
	uint64_t		pending_count;
	ext2fs_block_bitmap	closing;
	uint64_t		closing_count;
	uint64_t		held;
	uint64_t		held_end;
	atomic_uint		held_wanted;
	pthread_cond_t		held_none;
	atomic_ullong		freed;
	uint64_t		kept;
	bool			for_tree;
	bool			for_list;
	uint64_t		lists_end;
	ext2fs_block_bitmap	system;
	uint8_t			*groups;
	uint32_t		last_group;
	struct node		**nodes;
	size_t			nodes_mask;
	size_t			node_count;
	atomic_size_t		names;
	atomic_size_t		names_new;
	size_t			names_max;
	struct node		*dirty;
	atomic_size_t		dirty_count;
	size_t			hand;
	struct node		*orphans;
	bool			frozen;
	uint32_t		generation;
};

/* struct volume.groups: bitmaps that differ from the disk's. */
#define GROUP_BLOCKS	1u
#define GROUP_INODES	2u

/**
 * struct node - an inode in memory
 * @next: in the hash table
 * @lock: of what follows, see above
 * @ino: its number
 * @type: LINUX_S_IFMT of its mode, which does not change
 * @lookups: of the kernel
 * @users: others that need it to stay
 * @is_dirty: it is among struct volume.dirty
 * @is_orphan: it has no name
 * @is_listed: it is among struct volume.orphans
 * @is_detached: another inode has its number now
 * @dead: deleted; its number may be used again
 * @checked: its blocks were looked at, and can be true
 * @changed: number of the transaction that its last change is part of, at the latest
 * @dirty_next: list of dirty inodes
 * @orphan_prev: the orphan that was made after it
 * @orphan_next: and the one before
 * @dir: names of a directory, NULL if not read
 * @reserved: blocks beyond the end of the file that were taken in advance, from
 *	this one on; 0 for none
 * @wanted: behind the last block that was asked for, and stays where it is behind the
 *	end of the file; LBLK_END if that may be any
 * @window: blocks to take in advance the next time
 * @next_write: block behind the space that was given to the last write
 * @raw: the inode, struct volume.inode_size bytes of it
 */
struct node {
	struct node	*next;
	pthread_rwlock_t lock;
	ext2_ino_t	ino;
	uint16_t	type;
	atomic_ullong	lookups;
	atomic_uint	users;
	atomic_bool	is_dirty;
	bool		is_orphan;
	bool		is_listed;
	bool		is_detached;
	bool		dead;
	atomic_bool	checked;
	atomic_ullong	changed;
	struct node	*dirty_next;
	struct node	*orphan_prev;
	struct node	*orphan_next;
	struct dirindex	*dir;
	uint64_t	reserved;
	uint64_t	wanted;
	uint64_t	window;
	uint64_t	next_write;
	struct ext2_inode_large raw;
};

/* ---------------------------------------------------------------- small fry */

static inline unsigned int block_size(const struct volume *v)
{
	return v->fs->blocksize;
}

/* Blocks that @bytes fill, the last one perhaps not quite. */
static inline uint64_t blocks_of(const struct volume *v, uint64_t bytes)
{
	return (bytes >> v->block_bits) +
	       !!(bytes & (v->fs->blocksize - 1));
}

/* The first 128 bytes, which is what libext2fs works with. */
static inline struct ext2_inode *inode_of(struct node *n)
{
	return EXT2_INODE(&n->raw);
}

static inline bool node_has(const struct node *n, uint32_t flag)
{
	return n->raw.i_flags & flag;
}

static inline bool is_dir(const struct node *n)
{
	return n->type == LINUX_S_IFDIR;
}

static inline bool is_reg(const struct node *n)
{
	return n->type == LINUX_S_IFREG;
}

static inline uint64_t size_of(const struct node *n)
{
	return n->raw.i_size | (uint64_t)n->raw.i_size_high << 32;
}

static inline void set_size(struct node *n, uint64_t size)
{
	n->raw.i_size = (uint32_t)size;
	n->raw.i_size_high = (uint32_t)(size >> 32);
}

#define RD_LOCK(v)	pthread_rwlock_rdlock(&(v)->lock)
#define WR_LOCK(v)	pthread_rwlock_wrlock(&(v)->lock)
#define UNLOCK(v)	pthread_rwlock_unlock(&(v)->lock)

static inline void core_lock(struct volume *v)
{
	pthread_mutex_lock(&v->core);
}

static inline void core_unlock(struct volume *v)
{
	pthread_mutex_unlock(&v->core);
}

static inline void node_lock(struct node *n)
{
	pthread_rwlock_wrlock(&n->lock);
}

static inline void node_lock_shared(struct node *n)
{
	pthread_rwlock_rdlock(&n->lock);
}

static inline void node_unlock(struct node *n)
{
	pthread_rwlock_unlock(&n->lock);
}

/* ----------------------------------------------------------------- device.c */

/**
 * device_open() - open a device or image
 * @d: to be filled
 * @path: of it
 * @readonly: do not ask for more
 * @need_block: an image is put behind a loop device, and what is read and
 *	written goes around the page cache
 *
 * A failure is logged.
 */
int device_open(struct device *d, const char *path, bool readonly,
		bool need_block);

/** device_close() - the opposite; a loop device goes away with it */
void device_close(struct device *d);

/** device_is_memory() - can what is on it be mapped as it is? */
bool device_is_memory(const struct device *d);

/** device_flush() - the device's own cache is written */
int device_flush(const struct device *d);

/** device_read() - read @count bytes at @offset; all of them, or an error */
int device_read(const struct device *d, void *buf, size_t count,
		uint64_t offset);

/** device_write() - write @count bytes at @offset */
int device_write(const struct device *d, const void *buf, size_t count,
		 uint64_t offset);

/** device_zero() - @count bytes at @offset become zeros */
int device_zero(const struct device *d, uint64_t count, uint64_t offset);

/** device_discard_unit() - bytes that are of use to it, 0 if it cannot discard */
uint64_t device_discard_unit(const struct device *d);

/** device_discard() - nobody is interested in @count bytes at @offset */
int device_discard(const struct device *d, uint64_t count, uint64_t offset);

/**
 * device_drop() - it is not ours any more
 * @d: the device, which others may be using: they get errors from now on
 * @dead: a descriptor of which nothing can be read and to which nothing be written
 */
void device_drop(struct device *d, int dead);

/**
 * struct batch - blocks to be written that may follow each other
 * @d: where to
 * @block_size: bytes
 * @buf: those that do
 * @first: the first of them
 * @count: how many
 */
struct batch {
	const struct device *d;
	unsigned int	block_size;
	char		*buf;
	uint64_t	first;
	unsigned int	count;
};

/** batch_begin() - a batch without blocks */
int batch_begin(struct batch *b, const struct device *d,
		unsigned int block_size);

/** batch_add() - write a block, now or a little later */
int batch_add(struct batch *b, uint64_t block, const void *data);

/** batch_end() - write the rest, unless @err says that it is of no use */
int batch_end(struct batch *b, int err);

/* ---------------------------------------------------------------- recover.c */

/**
 * recover_if_dirty() - see to it that the file system is in order
 * @d: where it is
 * @fsck: run e2fsck if it is not, instead of refusing it, unless it cannot be
 *	written to
 *
 * What is wrong, and what to do about it, is logged.
 */
int recover_if_dirty(struct device *d, bool fsck);

/* ------------------------------------------------------------------ super.c */

/**
 * struct volume_options - how to open a file system
 * @readonly: nothing is written
 * @iomap: the kernel will move data
 * @remote: it will leave attributes to us
 * @lease: seconds for which it may use mappings then, 0 for ever
 * @fsck: run e2fsck when needed
 * @errors: EXT2_ERRORS_*, 0 for what the superblock says
 * @interval: seconds after which what changed is written
 */
struct volume_options {
	bool		readonly;
	bool		iomap;
	bool		remote;
	uint32_t	lease;
	bool		fsck;
	uint32_t	errors;
	uint32_t	interval;
};

/**
 * volume_open() - open a file system
 * @path: device or image
 * @o: how
 * @out: the file system
 *
 * A failure is logged.
 */
int volume_open(const char *path, const struct volume_options *o,
		struct volume **out);

/**
 * volume_close() - write everything and close it
 * @v: the file system
 *
 * Return: 0, or -errno when not everything could be written.
 */
int volume_close(struct volume *v);

/**
 * volume_abandon() - close it as it is, as a crash would
 * @v: the file system
 */
void volume_abandon(struct volume *v);

/**
 * volume_shut() - from now on nothing is written, as after a crash
 * @v: the file system
 * @flush: first make durable what was done so far, if that is possible
 *
 * The device is free when the kernel does not use it any more.
 */
int volume_shut(struct volume *v, bool flush);

/**
 * volume_freeze() - it is on the device as if it were unmounted, and stays so
 * @v: the file system, to which the kernel has written everything
 * @freeze: or goes on
 */
int volume_freeze(struct volume *v, bool freeze);

/** volume_get_label() - its name, EXT2_LABEL_LEN bytes */
void volume_get_label(struct volume *v, char *label);

/** volume_set_label() - give it a name, durably */
int volume_set_label(struct volume *v, const char *label, size_t len);

/** volume_errno() - an error of libext2fs as -errno; corruption is acted upon */
int volume_errno(struct volume *v, errcode_t err);

/** volume_error() - what libext2fs says: 0, or as volume_errno() has it */
static inline int volume_error(struct volume *v, errcode_t err)
{
	int ret;

	if (!err)
		return 0;
	ret = volume_errno(v, err);
	/* Never success by mistake: callers go on with what was not set. */
	return ret < 0 ? ret : -EIO;
}

/** volume_note_corrupt() - log it, note it on the device, act upon it */
void volume_note_corrupt(struct volume *v, ext2_ino_t ino, const char *what);

/** volume_corrupt() - something is not as it has to be; -EUCLEAN */
static inline int volume_corrupt(struct volume *v, ext2_ino_t ino,
				 const char *what)
{
	volume_note_corrupt(v, ino, what);
	return -ECORRUPT;
}

/** volume_fail() - it cannot go on writing */
void volume_fail(struct volume *v, const char *why, int err);

/** volume_writable() - 0, or -EROFS */
int volume_writable(const struct volume *v);

/** volume_statfs() - its figures */
void volume_statfs(struct volume *v, struct fusex_statfs_out *out);

/* ----------------------------------------------------------------- bcache.c */

/**
 * struct dirty_block - a block to be written
 * @block: its number
 * @data: its contents
 */
struct dirty_block {
	uint64_t	block;
	void		*data;
};

/** bcache_manager - for ext2fs_open2(), with the device in bcache_next_device */
extern struct struct_io_manager bcache_manager;

/** bcache_set_device() - what this thread's next ext2fs_open2() opens */
void bcache_set_device(const struct device *d);

/** bcache_of() - the blocks of a file system */
struct bcache *bcache_of(ext2_filsys fs);

/** bcache_forget() - blocks that are of no interest any more */
void bcache_forget(struct bcache *c, uint64_t block, uint64_t count);

/**
 * bcache_read_dir() - read a block of a directory
 * @fs: the file system
 * @block: its number
 * @buf: returned: its contents
 * @sound: returned: it was found to be sound, or written here, before
 *
 * Return: an error of libext2fs.
 */
errcode_t bcache_read_dir(ext2_filsys fs, uint64_t block, void *buf,
			  bool *sound);

/** bcache_is_sound() - it was looked at, and is */
void bcache_is_sound(ext2_filsys fs, uint64_t block);

/** bcache_write_dir() - write it; its checksum is set when it is taken */
errcode_t bcache_write_dir(ext2_filsys fs, uint64_t block, const void *buf,
			   ext2_ino_t dir);

/** bcache_dirty() - how many blocks have to be written */
size_t bcache_dirty(const struct bcache *c);

/**
 * bcache_take() - take the blocks that have to be written
 * @fs: the file system
 * @list: returned: an array in the order of the blocks' numbers, to be given to
 *	bcache_written(); the contents stay what they are meanwhile
 * @count: returned: its length
 *
 * Called alone.
 */
int bcache_take(ext2_filsys fs, struct dirty_block **list, size_t *count);

/** bcache_written() - they are */
void bcache_written(struct bcache *c, struct dirty_block *list, size_t count);

/* ---------------------------------------------------------------- bitmaps.c */

/** bitmaps_open() - read them */
int bitmaps_open(struct volume *v);

/** bitmaps_close() - the opposite */
void bitmaps_close(struct volume *v);

/** bitmaps_new() - one of blocks, for some other purpose, with none in it */
int bitmaps_new(struct volume *v, const char *what, ext2fs_block_bitmap *out);

/** bitmaps_is_data() - can these blocks be a file's? */
bool bitmaps_is_data(struct volume *v, uint64_t block, uint64_t count);

/** bitmaps_claim() - from now on it cannot; false if it could not before */
bool bitmaps_claim(struct volume *v, uint64_t block);

/** bitmaps_claimed() - what cannot is in use, whatever the bitmap says; alone */
void bitmaps_claimed(struct volume *v);

/** bitmaps_touch() - blocks were allocated or freed; with volume.core */
void bitmaps_touch(struct volume *v, uint64_t block, uint64_t count);

/* ------------------------------------------------------- commit.c, journal.c */

/** commit_start() - begin to write in the background, every @interval seconds */
int commit_start(struct volume *v, unsigned int interval);

/** commit_stop() - the opposite; nothing is written */
void commit_stop(struct volume *v);

/**
 * commit_now() - make everything durable that was done so far
 * @v: the file system
 *
 * Context: not with the lock.
 * Return: 0 or -errno.
 */
int commit_now(struct volume *v);

/**
 * commit_space() - likewise, and wait until what was freed can be used
 *
 * That is later than durable: when everything is in its places.
 */
int commit_space(struct volume *v);

/** commit_next() - the number of the transaction that is taken next */
uint64_t commit_next(const struct volume *v);

/** commit_is_done() - is a transaction durable? */
bool commit_is_done(const struct volume *v, uint64_t id);

/**
 * commit_pause() - nothing is written in the background, or again
 * @v: the file system
 * @pause: which; waits for what is being written
 */
void commit_pause(struct volume *v, bool pause);

/**
 * commit_hold() - nothing is written at all
 * @v: the file system
 * @hold: which; waits for what is being written, until that is in its places
 *
 * All is durable that anybody can have been promised: what changes meanwhile is what
 * comes of files that nobody has open any more, and stays in memory.
 */
void commit_hold(struct volume *v, bool hold);

/** commit_kick() - there is a lot to write: do not wait */
void commit_kick(struct volume *v);

/**
 * commit_room() - wait until another change fits into a transaction
 *
 * Context: before the lock is taken.
 */
int commit_room(struct volume *v);

/** journal_open() - find the journal; v->journal stays NULL if there is none */
int journal_open(struct volume *v);

/** journal_close() - it is empty from now on */
int journal_close(struct volume *v, bool clean);

/** journal_room() - blocks that a transaction should not exceed */
size_t journal_room(const struct journal *j);

/** journal_takes() - can one have so many? */
bool journal_takes(const struct journal *j, size_t count);

/** journal_bypass() - what is written next is not in the journal: let e2fsck know */
int journal_bypass(struct volume *v);

/**
 * journal_note_error() - nothing is written any more, as the file system is corrupted
 *
 * The superblock, which says so, would be part of a transaction.  Here e2fsck finds
 * it after it has replayed the last one, and looks at everything.
 *
 * Context: as journal_write().
 */
void journal_note_error(struct volume *v);

/**
 * journal_write() - write a transaction
 * @v: the file system
 * @list: the blocks, in their order
 * @count: as many as journal_takes()
 *
 * What was written to the device before is durable before the transaction is.
 *
 * Context: not with the lock, one at a time.
 */
int journal_write(struct volume *v, const struct dirty_block *list,
		  size_t count);

/* ------------------------------------------------------------------ alloc.c */

/** alloc_open() - take over from libext2fs */
int alloc_open(struct volume *v);

/**
 * alloc_as_root() - may this thread use the last blocks, which are reserved?
 * @root: not if this is false, whatever for
 *
 * Return: what it was; a thread may unless told otherwise.
 */
bool alloc_as_root(bool root);

/**
 * alloc_run() - allocate blocks that follow each other
 * @v: the file system
 * @n: whose they are to be; without extents they have to have small numbers
 * @goal: where they should be
 * @want: how many at most
 * @out: returned: the first block
 *
 * The last blocks, which are reserved, are for threads that may use them.
 *
 * Called with the lock.
 * Return: how many, or -ENOSPC.
 */
int64_t alloc_run(struct volume *v, const struct node *n, uint64_t goal,
		  uint64_t want, uint64_t *out);

/**
 * alloc_tree() - is what libext2fs takes from now on for a tree of extents?
 *
 * Context: with volume.core.
 */
void alloc_tree(struct volume *v, bool tree);

/** alloc_list() - is it for a list of numbers of blocks?  Likewise */
void alloc_list(struct volume *v, bool list);

/**
 * alloc_free() - free them; they are not used before the next transaction
 *
 * Those that are free already stay so, and that is noted as corruption.
 */
void alloc_free(struct volume *v, uint64_t block, uint64_t count);

/** alloc_left() - blocks that are free, and those that will be */
uint64_t alloc_left(struct volume *v);

/** alloc_has() - could so many be taken now by this thread? */
bool alloc_has(struct volume *v, uint64_t count);

/** alloc_committed() - from now on they can be; called alone */
void alloc_committed(struct volume *v);

/** alloc_closing() - blocks freed from now on are another transaction's; alone */
void alloc_closing(struct volume *v);

/** alloc_waits() - would a transaction free something? */
bool alloc_waits(struct volume *v);

/**
 * struct free_run - free blocks that follow each other, being looked for
 * @from: the first one; where to begin to look
 * @end: behind the last one of those that were found
 * @last: where to end
 * @rest: where the rest of a run begins that was too long to be held at once
 * @wanted: struct volume.held_wanted, if it is not to be more
 */
struct free_run {
	uint64_t	from;
	uint64_t	end;
	uint64_t	last;
	uint64_t	rest;
	unsigned int	wanted;
};

/**
 * alloc_hold() - take free blocks out of what can be taken, for a while
 * @v: the file system
 * @run: where to look, and what was found: no more than half of what everybody may
 *	have, and nothing of a long run if that is next to nothing
 * @min: those that are fewer are of no interest
 *
 * Called with volume.lock and volume.trim.
 * Return: 1; 0 if there are none; -EAGAIN if somebody has had need of some.
 */
int alloc_hold(struct volume *v, struct free_run *run, uint64_t min);

/** alloc_let_go() - the opposite */
void alloc_let_go(struct volume *v);

/** alloc_await() - no more is to be held; wait until nothing is */
void alloc_await(struct volume *v);

/**
 * enum lack - why there was no space
 * @LACK_NONE: not for want of blocks
 * @LACK_BLOCKS: for want of them
 * @LACK_HELD: and some were held
 */
enum lack { LACK_NONE, LACK_BLOCKS, LACK_HELD };

/** alloc_lack() - what this thread did not find since it has called this */
enum lack alloc_lack(void);

/** alloc_goal() - where the first block of a file should be */
uint64_t alloc_goal(const struct volume *v, const struct node *n);

/** alloc_inode() - the number of a new inode in directory @dir */
int alloc_inode(struct volume *v, const struct node *dir, bool is_directory,
		ext2_ino_t *ino);

/** alloc_inode_free() - it may be another's */
void alloc_inode_free(struct volume *v, ext2_ino_t ino, bool is_directory);

/* ------------------------------------------------------------------- trim.c */

/**
 * volume_trim() - FITRIM
 * @v: the file system
 * @range: where, and how much at least at a time, bytes; returned: len, how much was
 *	discarded
 * @stop: does nobody wait for it any more?
 * @arg: of @stop
 */
int volume_trim(struct volume *v, struct fstrim_range *range,
		bool (*stop)(void *arg), void *arg);

/* ----------------------------------------------------------------- icache.c */

/** icache_open() - no inodes in memory */
int icache_open(struct volume *v);

/** icache_close() - drop them all */
void icache_close(struct volume *v);

/**
 * node_peek() - an inode that is in memory
 *
 * Context: with volume.lock.
 * Return: it, used, or NULL.
 */
struct node *node_peek(struct volume *v, ext2_ino_t ino);

/** node_can_be() - is it the number of an inode that is not the file system's own? */
bool node_can_be(const struct volume *v, uint64_t ino);

/** node_get() - an inode, used; with volume.lock */
int node_get(struct volume *v, ext2_ino_t ino, struct node **out);

/** node_new() - an inode that was just allocated, used and locked for writing */
int node_new(struct volume *v, ext2_ino_t ino, uint32_t mode,
	     struct node **out);

/** node_put() - not used any more; with volume.lock, not its own */
void node_put(struct volume *v, struct node *n);

/**
 * node_forget() - the kernel has dropped it
 *
 * Context: it is locked.
 * Return: true if node_unused() has something to do about it.
 */
bool node_forget(struct node *n, uint64_t lookups);

/** node_unused() - unless the kernel needs it; with the lock, alone if node_is_odd() */
void node_unused(struct volume *v, struct node *n);

/** node_is_odd() - has it got data or attributes that libext2fs changes alone? */
bool node_is_odd(const struct volume *v, const struct node *n);

/** node_dirty() - it has to be written */
void node_dirty(struct volume *v, struct node *n);

/** node_delete() - take it and its blocks away; called with the lock */
int node_delete(struct volume *v, struct node *n);

/** node_kill() - it is of no use: a new inode that could not be made; locked */
void node_kill(struct volume *v, struct node *n);

/** node_full() - let libext2fs read and write it in full, by its number; alone */
int node_full(struct volume *v, struct node *n);

/** node_direct() - until told otherwise, without asking for it here; alone */
void node_direct(bool by_itself);

/** node_reread() - and take over what it did */
int node_reread(struct volume *v, struct node *n);

/** icache_flush() - all dirty inodes become dirty blocks; alone */
int icache_flush(struct volume *v);

/**
 * icache_forgotten() - the kernel knows no inode any more
 *
 * What was taken in advance goes back.  Context: not with the lock.
 */
void icache_forgotten(struct volume *v);

/**
 * icache_limit() - when there are many names in memory, drop those nobody uses
 *
 * Context: before the lock is taken.
 */
void icache_limit(struct volume *v);

/** icache_is_full() - is it time to drop some? */
bool icache_is_full(struct volume *v, size_t keep);

/** icache_shrink() - drop some inodes that nobody uses; with @keep 0, all; alone */
void icache_shrink(struct volume *v, size_t keep);

/* ------------------------------------------------------------------- attr.c */

/** attr_fill() - the attributes of an inode */
void attr_fill(struct volume *v, const struct node *n, struct fusex_attr *a);

/** attr_entry() - an entry for it, which counts as a lookup */
void attr_entry(struct volume *v, struct node *n, struct fusex_entry_reply *e);

/** attr_now() - the time, as inodes of this file system can have it */
struct fusex_time attr_now(const struct volume *v);

/** attr_time_max() - the latest time */
int64_t attr_time_max(const struct volume *v);

/** attr_set_times() - set those that are not NULL */
void attr_set_times(struct volume *v, struct node *n,
		    const struct fusex_time *atime,
		    const struct fusex_time *mtime,
		    const struct fusex_time *ctime);

/** attr_touch() - it was modified just now, mtime and ctime */
void attr_touch(struct volume *v, struct node *n);

/** attr_changed() - just ctime */
void attr_changed(struct volume *v, struct node *n);

/** attr_set_owner() - user and group */
void attr_set_owner(struct node *n, uint32_t uid, uint32_t gid);

/** attr_set_rdev() - of a device */
void attr_set_rdev(struct node *n, uint32_t major, uint32_t minor);

/** attr_birth() - when a new inode was made: all its times */
void attr_birth(struct volume *v, struct node *n);

/** attr_set() - SETATTR but for the size; called with the lock */
int attr_set(struct volume *v, struct node *n,
	     const struct fusex_setattr_in *in);

/** attr_get_flags() - FILEATTR_GET */
void attr_get_flags(struct volume *v, struct node *n,
		    struct fusex_fileattr *out);

/** attr_set_flags() - FILEATTR_SET; called with the lock */
int attr_set_flags(struct volume *v, struct node *n,
		   const struct fusex_fileattr *in);

/** attr_takes() - can it be in this directory, which may be for one project only? */
bool attr_takes(const struct volume *v, const struct node *dir,
		const struct node *n);

/** attr_inherit() - flags and project of a new inode come from the directory */
void attr_inherit(struct volume *v, struct node *n, const struct node *dir);

/* ---------------------------------------------------------------- extents.c */

/* struct run.type */
enum run_type {
	RUN_HOLE,
	RUN_UNWRITTEN,
	RUN_DATA,
};

/**
 * struct run - blocks of a file that are alike
 * @lblk: first block in the file
 * @len: how many
 * @pblk: first block on the device, unless a hole
 * @type: what they are
 */
struct run {
	uint64_t	lblk;
	uint64_t	len;
	uint64_t	pblk;
	enum run_type	type;
};

/* Behind the last block that a file can have. */
#define LBLK_END	(1ull << 32)

/**
 * extents_find() - what is at a block
 * @v: the file system
 * @n: the file
 * @lblk: the block
 * @r: returned: all there is of it, as one extent or up to the next one
 *
 * Context: the file is locked for reading.
 */
int extents_find(struct volume *v, struct node *n, uint64_t lblk,
		 struct run *r);

/** extents_peek() - likewise, or -EAGAIN */
int extents_peek(struct volume *v, struct node *n, uint64_t lblk,
		 struct run *r);

/** extents_init() - it has a tree, without extents */
void extents_init(struct node *n);

/**
 * extents_insert() - fill part of a hole
 * @v: the file system
 * @n: the file
 * @r: with what
 * @done: returned, after an error as well: how many blocks, from the first on, are
 *	the file's now
 *
 * Called with the lock.
 */
int extents_insert(struct volume *v, struct node *n, const struct run *r,
		   uint64_t *done);

/**
 * extents_convert() - what is allocated in a range is of another type
 * @v: the file system
 * @n: the file
 * @lblk: first block
 * @len: how many
 * @to: RUN_DATA or RUN_UNWRITTEN
 *
 * Called with the lock.
 * Return: 0, 1 if part of the range is a hole, or -errno.
 */
int extents_convert(struct volume *v, struct node *n, uint64_t lblk,
		    uint64_t len, enum run_type to);

/** extents_check() - all of them lead to where data of files can be */
int extents_check(struct volume *v, struct node *n);

/** extents_punch() - a range becomes a hole, its blocks are freed */
int extents_punch(struct volume *v, struct node *n, uint64_t lblk,
		  uint64_t len);

/**
 * extents_shift() - what is from @lblk on is @by blocks later, or earlier
 * @v: the file system
 * @n: the file
 * @lblk: first block
 * @by: by how many; when it is less than 0, so many before @lblk are freed
 *
 * Called with the lock.
 * Return: 0, or -errno, and it is what it was.
 */
int extents_shift(struct volume *v, struct node *n, uint64_t lblk, int64_t by);

/** extents_count() - how many there are */
int extents_count(struct volume *v, struct node *n, uint32_t *count);

/** blockmap_find() - extents_find() of a file without extents */
int blockmap_find(struct volume *v, struct node *n, uint64_t lblk,
		  struct run *r);

/** blockmap_insert() - likewise */
int blockmap_insert(struct volume *v, struct node *n, const struct run *r,
		    uint64_t *done);

/** file_find() - whatever kind of file it is */
int file_find(struct volume *v, struct node *n, uint64_t lblk, struct run *r);

/** file_insert() - likewise */
int file_insert(struct volume *v, struct node *n, const struct run *r,
		uint64_t *done);

/** file_punch() - likewise */
int file_punch(struct volume *v, struct node *n, uint64_t lblk, uint64_t len);

/* -------------------------------------------------- map.c, size.c, falloc.c */

/**
 * map_allocate() - have space for a range
 * @v: the file system
 * @n: the file
 * @lblk: first block
 * @len: how many
 * @r: returned: what is at @lblk now
 * @fresh: returned: it was allocated now
 *
 * Called with the lock.
 */
int map_allocate(struct volume *v, struct node *n, uint64_t lblk, uint64_t len,
		 struct run *r, bool *fresh);

/** map_add_block() - have a block of a directory and the like */
int map_add_block(struct volume *v, struct node *n, uint64_t lblk,
		  uint64_t *pblk);

/** map_find_block() - likewise, but it is not the file's yet */
int map_find_block(struct volume *v, struct node *n, uint64_t lblk,
		   uint64_t *pblk);

/** map_put_block() - now it is; if that fails it is free */
int map_put_block(struct volume *v, struct node *n, uint64_t lblk,
		  uint64_t pblk);

/** map_spare() - the first block of what was taken in advance */
uint64_t map_spare(const struct volume *v, const struct node *n);

/** map_trim() - give it back; called with the lock */
int map_trim(struct volume *v, struct node *n);

/** map_return() - MAP_RETURN; called with the lock */
int map_return(struct volume *v, struct node *n,
	       const struct fusex_map_return_in *in);

/**
 * map_peek() - MAP_BEGIN, if nothing has to change for it
 *
 * Context: the file is locked for reading.
 * Return: 0, or -EAGAIN: it is map_begin()'s.
 */
int map_peek(struct volume *v, struct node *n,
	     const struct fusex_map_begin_in *in,
	     struct fusex_map_begin_out *out);

/** map_begin() - MAP_BEGIN; called with the lock */
int map_begin(struct volume *v, struct node *n,
	      const struct fusex_map_begin_in *in,
	      struct fusex_map_begin_out *out);

/** map_ioend() - MAP_IOEND; called with the lock */
int map_ioend(struct volume *v, struct node *n,
	      const struct fusex_map_ioend_in *in);

/** size_set() - truncate or extend; called with the lock */
int size_set(struct volume *v, struct node *n, uint64_t size);

/** size_max() - of the largest file with and without extents */
uint64_t size_max(const struct volume *v, bool extents);

/** falloc() - FALLOCATE; called with the lock */
int falloc(struct volume *v, struct node *n, uint32_t mode, uint64_t offset,
	   uint64_t length);

/* ----------------------------------------------------- dirblk.c, dirindex.c */

/**
 * struct dirent_at - a name in a directory
 * @ino: its inode
 * @type: EXT2_FT_*
 * @block: block of the directory it is in
 * @offset: in the block, bytes
 */
struct dirent_at {
	ext2_ino_t	ino;
	uint8_t		type;
	uint32_t	block;
	uint32_t	offset;
};

/**
 * dirblk_read() - read a block of a directory
 * @v: the file system
 * @dir: the directory
 * @lblk: which block
 * @buf: returned: its contents; what libext2fs does not check was checked
 * @pblk: returned: where it is; 0 for a hole
 */
int dirblk_read(struct volume *v, struct node *dir, uint32_t lblk, void *buf,
		uint64_t *pblk);

/** dirblk_write() - write it */
int dirblk_write(struct volume *v, struct node *dir, uint64_t pblk, void *buf);

/** dirblk_room() - bytes of a block that entries can have */
unsigned int dirblk_room(const struct volume *v);

/** dirblk_length() - bytes that an entry takes, what is unused behind it too */
unsigned int dirblk_length(const struct volume *v,
			   const struct ext2_dir_entry *de);

/** dirblk_gap() - the largest entry that would fit into a block */
unsigned int dirblk_gap(const struct volume *v, void *buf);

/** dirblk_clear() - a block without names */
void dirblk_clear(struct volume *v, void *buf);

/** dirblk_init() - the first block of a new directory */
void dirblk_init(struct volume *v, void *buf, ext2_ino_t self,
		 ext2_ino_t parent);

/**
 * dirblk_put() - put a name into a block
 * @v: the file system
 * @buf: the block
 * @name: the name
 * @ino: its inode
 * @type: EXT2_FT_*
 *
 * Return: its offset, or -ENOSPC.
 */
int dirblk_put(struct volume *v, void *buf, const char *name, ext2_ino_t ino,
	       uint8_t type);

/** dirblk_cut() - take the name at an offset out of a block */
int dirblk_cut(struct volume *v, void *buf, unsigned int offset);

/** dirblk_type() - EXT2_FT_* of a mode */
uint8_t dirblk_type(uint32_t mode);

/** dirblk_is_root() - is it the root of a tree of hashes, which ".." is as long as? */
bool dirblk_is_root(const struct volume *v, void *buf);

/** dirblk_unindex() - a directory does without its tree of hashes */
int dirblk_unindex(struct volume *v, struct node *dir);

/** dir_load() - read the names of a directory; called with the lock, if it is not */
int dir_load(struct volume *v, struct node *dir);

/** dir_unload() - drop them */
void dir_unload(struct node *dir);

/**
 * dir_find() - find a name
 *
 * Context: the directory is locked for reading, after dir_load().
 * Return: 0 or -ENOENT.
 */
int dir_find(const struct node *dir, const char *name, struct dirent_at *at);

/** dir_add() - add a name; called with the lock, after dir_load() */
int dir_add(struct volume *v, struct node *dir, const char *name,
	    ext2_ino_t ino, uint8_t type);

/** dir_remove() - remove it, likewise */
int dir_remove(struct volume *v, struct node *dir, const char *name);

/** dir_change() - a name, or "..", leads elsewhere, likewise */
int dir_change(struct volume *v, struct node *dir, const char *name,
	       ext2_ino_t ino, uint8_t type);

/**
 * dir_ready() - from now on it takes no space to remove or change a name
 *
 * Called with the lock, alone if the names are in the inode.
 */
int dir_ready(struct volume *v, struct node *dir);

/**
 * dir_prepare() - from now on the device is not needed to remove or change this name
 *
 * Called alone, after dir_ready(), for a name that there is, or "..".  It is so until
 * the next transaction is taken.
 */
int dir_prepare(struct volume *v, struct node *dir, const char *name);

/** dir_is_empty() - nothing but "." and "..", likewise */
bool dir_is_empty(const struct node *dir);

/** dir_init() - the first block of a new directory */
int dir_init(struct volume *v, struct node *dir, ext2_ino_t parent);

/** dir_parent() - where ".." leads, 0 if nowhere; after dir_load() */
ext2_ino_t dir_parent(const struct node *dir);

/**
 * struct dir_name - a name, as dir_first() and dir_next() give it
 * @next: in the hash table
 * @key: what names are listed by, and the cookie to go on behind it
 * @at: where it is
 * @len: bytes of @name
 * @name: NUL-terminated
 */
struct dir_name {
	struct dir_name	*next;
	uint64_t	key;
	struct dirent_at at;
	uint8_t		len;
	char		name[];
};

/** dir_sort() - before names are listed; called with the lock */
int dir_sort(struct node *dir);

/** dir_was_used() - were names wanted since it was asked the last time? */
bool dir_was_used(const struct node *dir);

/** dir_is_sorted() - names are wanted: need dir_sort() not be called? */
bool dir_is_sorted(const struct node *dir);

/**
 * dir_first() - the first name behind a cookie
 * @dir: after dir_sort()
 * @cookie: of the name before, 0 for the beginning
 *
 * Context: the directory is locked for reading as long as the name is used.
 * Return: the name, or NULL.
 */
const struct dir_name *dir_first(const struct node *dir, uint64_t cookie);

/** dir_next() - the name behind it, or NULL */
const struct dir_name *dir_next(const struct node *dir,
				const struct dir_name *name);

/**
 * dir_append() - a further block
 * @v: the file system
 * @dir: the directory
 * @buf: its contents
 * @lblk: returned: which block it is
 * @pblk: returned: where
 *
 * After an error there is none.  To write it once more takes no memory.
 */
int dir_append(struct volume *v, struct node *dir, void *buf, uint32_t *lblk,
	       uint64_t *pblk);

/** dir_moved() - names are in this block now, at other places than before */
void dir_moved(struct volume *v, struct node *dir, uint32_t block, void *buf);

/* ---------------------------------------------------------------- dirtree.c */

/**
 * dirtree_hash() - the hash of a name
 * @v: the file system
 * @version: EXT2_HASH_* as on the disk
 * @name: the name
 * @len: its length
 * @major: returned: what the tree is ordered by
 * @minor: returned: what else there is of it
 *
 * Return: 0, or -EOPNOTSUPP.
 */
int dirtree_hash(const struct volume *v, uint8_t version, const char *name,
		 size_t len, uint32_t *major, uint32_t *minor);

/** dirtree_make() - a directory of one block gets a tree */
int dirtree_make(struct volume *v, struct node *dir);

/**
 * dirtree_add() - put a name where the tree says it has to be
 * @v: the file system
 * @dir: a directory with a tree
 * @name: the name
 * @at: its inode and type; returned: its place
 *
 * Return: 0, -errno, -EOPNOTSUPP when the directory has to do without the tree.
 */
int dirtree_add(struct volume *v, struct node *dir, const char *name,
		struct dirent_at *at);

/* ------------------------------------------------------- namei.c, orphan.c */

/**
 * struct make - a new object
 * @mode: type and permissions
 * @uid: owner
 * @gid: group
 * @major: of a device
 * @minor: likewise
 * @target: of a symbolic link, else NULL
 * @xattrs: that it is born with
 * @nr_xattrs: how many
 */
struct make {
	uint32_t	mode;
	uint32_t	uid;
	uint32_t	gid;
	uint32_t	major;
	uint32_t	minor;
	const char	*target;
	const struct fusex_xattr *xattrs;
	size_t		nr_xattrs;
};

/*
 * All are called with the lock, on directories that are in use.  An inode that
 * is returned is used, too.  Those that return -EAGAIN have to be called alone.
 */

/** name_lookup() - -ENOENT if there is none; directory locked for reading if loaded */
int name_lookup(struct volume *v, struct node *dir, const char *name,
		struct node **out);

/** name_make() - make an object; name NULL: without a name, an orphan */
int name_make(struct volume *v, struct node *dir, const char *name,
	      const struct make *mk, struct node **out);

/** name_link() - give it a further name; alone */
int name_link(struct volume *v, struct node *dir, const char *name,
	      struct node *n);

/**
 * name_unlink() - remove a name
 * @v: the file system
 * @dir: the directory
 * @name: the name
 * @directory: it has to be an empty directory, or none
 * @unused: nobody has it open
 * @alone: with volume.lock for writing
 * @out: returned: what it was, in use; may be NULL
 *
 * Return: 0 or -errno; -EAGAIN if it has to be done alone.
 */
int name_unlink(struct volume *v, struct node *dir, const char *name,
		bool directory, bool unused, bool alone, struct node **out);

/**
 * struct moved - what a rename was about
 * @node: what was moved
 * @node2: what was replaced or exchanged, or NULL
 */
struct moved {
	struct node	*node;
	struct node	*node2;
};

/** name_rename() - RENAME_* flags as in renameat2(2); @out is in use; alone */
int name_rename(struct volume *v, struct node *dir, const char *name,
		struct node *dir2, const char *name2, uint32_t flags,
		const struct make *whiteout, struct moved *out);

/** name_readlink() - the length of the target, which is not NUL-terminated */
ssize_t name_readlink(struct volume *v, struct node *n, char *buf, size_t size);

/** orphan_add() - it has no name any more; it is locked */
void orphan_add(struct volume *v, struct node *n);

/** orphan_remove() - it has, or is gone; it is locked */
void orphan_remove(struct volume *v, struct node *n);

/**
 * orphan_update() - struct node.reserved has changed, or what decides on it; it is locked
 *
 * What was taken in advance is to be given back after a crash as well.  Blocks behind
 * the end of a file without extents cannot be told from that.
 */
void orphan_update(struct volume *v, struct node *n);

/**
 * orphan_freeze() - until told otherwise, only those are in the list that have to be
 *
 * Context: not with the lock.
 */
void orphan_freeze(struct volume *v, bool freeze);

/** orphan_link() - before it is written: where the list goes on; alone */
void orphan_link(const struct volume *v, struct node *n);

/** orphan_unlist() - errors are noted: on the device, there is no list; alone */
void orphan_unlist(struct volume *v);

/** orphan_finish_all() - nobody has them open any more; called alone */
int orphan_finish_all(struct volume *v);

/* ----------------------------------------------------------------- unlist.c */

/**
 * unlist_begin() - what makes the device's file system one without a list of orphans
 * @v: the file system, which is corrupted, and of which nothing else is written
 * @list: returned: an array of blocks, in the order of their numbers
 * @count: returned: its length, 0 if there is no list
 */
int unlist_begin(struct volume *v, struct dirty_block **list, size_t *count);

/** unlist_end() - free it */
void unlist_end(struct dirty_block *list, size_t count);

/* ------------------------------------------------------------------ xattr.c */

/** xattr_get() - as fusex_ops.getxattr; it is locked */
ssize_t xattr_get(struct volume *v, struct node *n, const char *name,
		  void *value, size_t size);

/** xattr_list() - as fusex_ops.listxattr; it is locked */
ssize_t xattr_list(struct volume *v, struct node *n, char *list, size_t size);

/** xattr_set() - as fusex_ops.setxattr; called alone */
int xattr_set(struct volume *v, struct node *n, const char *name,
	      const void *value, size_t size, uint32_t flags);

/** xattr_remove() - as fusex_ops.removexattr; alone if there are any */
int xattr_remove(struct volume *v, struct node *n, const char *name);

/** xattr_free() - of an inode that is deleted; alone if there are any */
int xattr_free(struct volume *v, struct node *n);

/**
 * xattr_own_block() - the block of attributes is this inode's alone
 *
 * Others may have it, too, which the kernel's ext4 makes.  Comes before libext2fs
 * writes attributes, also if it is for one in the inode.  Called alone.
 */
int xattr_own_block(struct volume *v, struct node *n);

/** xattr_check() - those in the inode are where they can be */
int xattr_check(struct volume *v, struct node *n);

/** xattr_hints() - FUSEX_ENTRY_NO_* that are easy to see */
uint32_t xattr_hints(const struct volume *v, const struct node *n);

/* ----------------------------------------------------------------- inline.c */

/*
 * All are called alone.
 */

/** inline_room() - bytes of data that fit into the inode */
size_t inline_room(struct volume *v, struct node *n);

/** inline_read() - all of it, up to @size bytes */
ssize_t inline_read(struct volume *v, struct node *n, void *buf, size_t size);

/** inline_write() - all of it is @size bytes from now on; -ENOSPC */
int inline_write(struct volume *v, struct node *n, const void *buf,
		 size_t size);

/** inline_to_blocks() - a file or directory gets a block */
int inline_to_blocks(struct volume *v, struct node *n);

/* ------------------------------------------------------------------ plain.c */

/*
 * All are called with the lock, or, to look, with the file locked for reading; and
 * alone where data is in the inode.
 */

/** plain_read() - read from a file; how much */
ssize_t plain_read(struct volume *v, struct node *n, void *buf, size_t size,
		   uint64_t offset);

/** plain_write_some() - write to a file; how much, 1 byte at least, or -errno */
ssize_t plain_write_some(struct volume *v, struct node *n, const void *buf,
			 size_t size, uint64_t offset);

/** plain_write() - write all of it; what was written before an error stays */
int plain_write(struct volume *v, struct node *n, const void *buf, size_t size,
		uint64_t offset);

/** plain_zero() - a range of bytes reads as zeros */
int plain_zero(struct volume *v, struct node *n, uint64_t from, uint64_t to);

/** plain_zero_tail() - what is behind the end in its last block is zero */
int plain_zero_tail(struct volume *v, struct node *n, uint64_t size);

/** plain_seek() - the next data or hole */
int64_t plain_seek(struct volume *v, struct node *n, uint64_t offset,
		   bool hole);

/* ----------------------------------------------------------------- remote.c */

/*
 * All are called with the lock, and do nothing where the kernel does it.
 */

/** remote_is_acl() - is it what remote_set_acl() is for? */
bool remote_is_acl(const struct volume *v, const char *name);

/** remote_set_acl() - an access ACL, and the mode with it */
int remote_set_acl(struct volume *v, struct node *n, const void *value,
		   size_t size);

/** remote_kill_priv() - somebody writes to it: set-id bits and capabilities go */
int remote_kill_priv(struct volume *v, struct node *n);

/** remote_set() - what SETATTR entails beyond what it says */
int remote_set(struct volume *v, struct node *n,
	       const struct fusex_setattr_in *in);

/** remote_wrote() - it was written to, at @mtime, or just now if that is NULL */
void remote_wrote(struct volume *v, struct node *n,
		  const struct fusex_time *mtime);

/**
 * remote_lease() - the layout lease of mappings, 0 for none
 *
 * Blocks of a file become another's, or are moved, by requests before which the
 * kernel itself ends all that goes by the old mappings, and by reclaim(), which
 * recalls it.
 */
uint64_t remote_lease(const struct volume *v, const struct node *n);

/* ---------------------------------------------------------------- reclaim.c */

/**
 * reclaim() - there is no space: what files have in advance is taken back
 * @v: the file system
 * @self: number of the inode that wants it, whose own the kernel cannot give back
 * @from: where to go on; 0 to begin with, and as it was left when that was not enough
 *
 * Context: not with any lock; waits for the kernel, for a few seconds at most.
 * Return: true if there may be space now, when a transaction has been written; false
 *	when there is nothing more.
 */
bool reclaim(struct volume *v, uint64_t self, size_t *from);

/** reclaim_returned() - a file's space has been given back, be it asked for or not */
void reclaim_returned(struct volume *v, const struct fusex_node *node);

#endif

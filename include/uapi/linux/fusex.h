/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * fusex: filesystems in userspace, the contract between kernel and server.
 *
 * A server opens /dev/fusex, hands its configuration and its root node to the
 * kernel with FUSEX_IOC_SETUP, mounts the channel with fsopen("fusex"),
 * fsconfig(SET_FD, "fd") and fsmount, and then answers requests.
 *
 * A request read from the device is laid out as
 *
 *	struct fusex_in_header
 *	operation's argument structure	(in_header.arg_len bytes)
 *	handle of the node		(in_header.handle_len, padded to 8)
 *	handle of the second node	(in_header.handle2_len, padded to 8)
 *	payload				(names, attribute lists, file data)
 *
 * Names in the payload are NUL-terminated, follow each other without padding,
 * and their lengths in the argument structure do not count the NUL.
 *
 * A reply written to the device is laid out as
 *
 *	struct fusex_out_header
 *	operation's reply structure	(absent when out_header.error is set)
 *	payload
 *
 * One write(2) carries one reply or one notification.
 *
 * Everything is in host byte order and has the same layout for 32- and 64-bit
 * programs.  Sizes and offsets are bytes in 64 bits, times are seconds and
 * nanoseconds, timeouts are nanoseconds.  Reserved fields must be zero, and
 * unknown flags are refused with EINVAL, in both directions.
 */
#ifndef _UAPI_LINUX_FUSEX_H
#define _UAPI_LINUX_FUSEX_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** Version of this interface, checked by FUSEX_IOC_SETUP. */
#define FUSEX_ABI		1

/** Type of the file system as statfs(2) reports it. */
#define FUSEX_SUPER_MAGIC	0x46555358

/** Largest node handle a server may declare, in bytes. */
#define FUSEX_HANDLE_MAX	128

/** Longest name of a directory entry, in bytes without the NUL. */
#define FUSEX_NAME_MAX		255

/** An entry or attribute timeout that never expires. */
#define FUSEX_FOREVER		(~(__u64)0)

/** Round a handle's, record's or name's length up to its padded length. */
#define FUSEX_ALIGN(len)	(((len) + 7u) & ~7u)

/* ------------------------------------------------------------------ modes */

/**
 * enum fusex_io_mode - how the data of a regular file moves
 * @FUSEX_IO_DEFAULT: the file system's default from the setup call; also the
 *	value for objects that have no data path of their own
 * @FUSEX_IO_PLAIN: page cache for reads, writes go through to the server
 * @FUSEX_IO_DIRECT: no page cache, requests exactly as issued
 * @FUSEX_IO_WRITEBACK: page cache both ways
 * @FUSEX_IO_PASSTHROUGH: a backing file of the server's
 * @FUSEX_IO_IOMAP: block devices, mappings from the server
 * @FUSEX_IO_DAX: memory devices, mappings from the server
 * @FUSEX_IO_NR: number of modes, not a mode
 *
 * The mode of an inode is decided when the inode is instantiated and never
 * changes for the life of that inode.
 */
enum fusex_io_mode {
	FUSEX_IO_DEFAULT	= 0,
	FUSEX_IO_PLAIN		= 1,
	FUSEX_IO_DIRECT		= 2,
	FUSEX_IO_WRITEBACK	= 3,
	FUSEX_IO_PASSTHROUGH	= 4,
	FUSEX_IO_IOMAP		= 5,
	FUSEX_IO_DAX		= 6,
	FUSEX_IO_NR
};

/**
 * enum fusex_attr_mode - who owns the attributes of an inode
 * @FUSEX_ATTR_DEFAULT: the file system's default from the setup call
 * @FUSEX_ATTR_LOCAL: the kernel is the only writer
 * @FUSEX_ATTR_REMOTE: others may change them: timeouts, revalidation
 * @FUSEX_ATTR_NR: number of modes, not a mode
 */
enum fusex_attr_mode {
	FUSEX_ATTR_DEFAULT	= 0,
	FUSEX_ATTR_LOCAL	= 1,
	FUSEX_ATTR_REMOTE	= 2,
	FUSEX_ATTR_NR
};

/* ------------------------------------------------- attributes and entries */

/**
 * struct fusex_time - a point in time
 * @sec: seconds since 1970, may be negative
 * @nsec: nanoseconds, below 1,000,000,000
 * @reserved: zero
 */
struct fusex_time {
	__s64	sec;
	__u32	nsec;
	__u32	reserved;
};

/*
 * fusex_attr.mask: which parts of the structure the server filled in.  An
 * entry reply must carry at least FUSEX_ATTR_REQUIRED.
 */
#define FUSEX_ATTR_MODE		(1u << 0)	/* mode, file type included */
#define FUSEX_ATTR_NLINK	(1u << 1)	/* nlink */
#define FUSEX_ATTR_OWNER	(1u << 2)	/* uid and gid */
#define FUSEX_ATTR_SIZE		(1u << 3)	/* size */
#define FUSEX_ATTR_BLOCKS	(1u << 4)	/* blocks */
#define FUSEX_ATTR_TIMES	(1u << 5)	/* atime, mtime and ctime */
#define FUSEX_ATTR_BTIME	(1u << 6)	/* btime */
#define FUSEX_ATTR_RDEV		(1u << 7)	/* rdev_major and rdev_minor */
#define FUSEX_ATTR_INO		(1u << 8)	/* ino */
#define FUSEX_ATTR_FLAGS	(1u << 9)	/* flags */
#define FUSEX_ATTR_CHANGE	(1u << 10)	/* change */
#define FUSEX_ATTR_DIO		(1u << 11)	/* dio_mem_align, dio_offset_align */
#define FUSEX_ATTR_REQUIRED	(FUSEX_ATTR_MODE | FUSEX_ATTR_NLINK | \
				 FUSEX_ATTR_OWNER | FUSEX_ATTR_SIZE | \
				 FUSEX_ATTR_TIMES)
#define FUSEX_ATTR_KNOWN	((1u << 12) - 1)

/**
 * struct fusex_attr - attributes of a node, in the shape of statx
 * @mask: FUSEX_ATTR_* bits of the fields that are valid; 0 for no attributes
 * @mode: type and permission bits
 * @ino: inode number shown to programs; the node id is shown when absent
 * @size: bytes, at most fusex_setup.max_file_size
 * @blocks: allocated space in units of 512 bytes
 * @nlink: number of hard links
 * @uid: owner, in the user namespace the file system was mounted in
 * @gid: group, likewise
 * @rdev_major: device number of a character or block device
 * @rdev_minor: likewise
 * @blksize: preferred I/O size in bytes, a power of two from 512 to
 *	FUSEX_IO_SIZE_MAX, 0 for the default
 * @flags: attribute flags as FS_IOC_GETFLAGS reports them, of which
 *	FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NOATIME_FL, FS_SYNC_FL and
 *	FS_DIRSYNC_FL are enforced by the kernel
 * @atime: last access
 * @mtime: last change of the data
 * @ctime: last change of the attributes
 * @btime: creation
 * @change: counter that grows with every change of data or attributes
 * @dio_mem_align: memory alignment of O_DIRECT reported by statx, bytes, a
 *	power of two
 * @dio_offset_align: file offset alignment of O_DIRECT, bytes, likewise; both
 *	0 when the file takes no direct I/O
 * @reserved: zero
 */
struct fusex_attr {
	__u32	mask;
	__u32	mode;
	__u64	ino;
	__u64	size;
	__u64	blocks;
	__u32	nlink;
	__u32	uid;
	__u32	gid;
	__u32	rdev_major;
	__u32	rdev_minor;
	__u32	blksize;
	__u64	flags;
	struct fusex_time atime;
	struct fusex_time mtime;
	struct fusex_time ctime;
	struct fusex_time btime;
	__u64	change;
	__u32	dio_mem_align;
	__u32	dio_offset_align;
	__u64	reserved[3];
};

/*
 * fusex_entry.flags
 */
/* The node has no extended attribute at all; remembered like an attribute. */
#define FUSEX_ENTRY_NO_XATTR	(1u << 0)
/* The node has no POSIX ACL; remembered like an attribute. */
#define FUSEX_ENTRY_NO_ACL	(1u << 1)
#define FUSEX_ENTRY_KNOWN	((1u << 2) - 1)

/**
 * struct fusex_entry - a node as a reply names it
 * @nodeid: the server's name for the node, never 0 for a node; 0 says that
 *	the name does not exist and that this may be cached
 * @generation: distinguishes two nodes that had the same @nodeid at
 *	different times
 * @io_mode: enum fusex_io_mode, FUSEX_IO_DEFAULT unless overridden
 * @attr_mode: enum fusex_attr_mode, FUSEX_ATTR_DEFAULT unless overridden
 * @handle_len: bytes of handle that follow the structure that holds the
 *	entry, at most fusex_setup.handle_size; padded to 8 in the stream
 * @flags: FUSEX_ENTRY_*
 * @entry_valid: nanoseconds for which the name may be cached; ignored under a
 *	local directory, where names stay until invalidated
 * @attr_valid: nanoseconds for which @attr may be cached; ignored when local
 * @backing: cookie of the backing object in passthrough mode, else 0; which one
 *	is of no meaning when the kernel knows the node already, which keeps its
 *	own
 * @reserved: zero
 * @attr: the attributes, at least FUSEX_ATTR_REQUIRED unless @nodeid is 0
 *
 * Every entry with a node id given to the kernel counts as one lookup of that
 * node; FORGET returns the count.
 */
struct fusex_entry {
	__u64	nodeid;
	__u32	generation;
	__u8	io_mode;
	__u8	attr_mode;
	__u16	handle_len;
	__u32	flags;
	__u32	backing;
	__u64	entry_valid;
	__u64	attr_valid;
	__u64	reserved;
	struct fusex_attr attr;
};

/* ------------------------------------------------------------------- setup */

/*
 * fusex_setup.features and .optional.  The server lists in features what it
 * needs (unknown or impossible ones fail the call) and in optional what it
 * can live without; the kernel returns in features what is in force.
 */
/* POSIX record locks are the server's (LOCK requests), not kernel-local. */
#define FUSEX_F_POSIX_LOCKS	(1ull << 0)
/* flock(2) locks are the server's. */
#define FUSEX_F_FLOCK		(1ull << 1)
/* Permissions are checked by the server (ACCESS) on remote inodes. */
#define FUSEX_F_SERVER_PERM	(1ull << 2)
/* POSIX ACLs are supported and enforced. */
#define FUSEX_F_POSIX_ACL	(1ull << 3)
/*
 * Nodes can be found again by nodeid, generation and handle (RESOLVE);
 * fusex_setup.handle_size is at most 112.
 */
#define FUSEX_F_EXPORT		(1ull << 4)
/* The server reports fusex_attr.change; the kernel exposes it as i_version. */
#define FUSEX_F_CHANGE		(1ull << 5)
/* The server wants POLL requests; else regular poll semantics apply. */
#define FUSEX_F_POLL		(1ull << 6)
/* The server keeps no state per open file: OPEN and RELEASE are not sent. */
#define FUSEX_F_NO_OPEN		(1ull << 7)
/* The server does nothing at close: FLUSH is not sent. */
#define FUSEX_F_NO_FLUSH	(1ull << 8)
/*
 * Direct mode: writes inside a file are sent beside each other; which of two
 * that overlap wins is up to the server.
 */
#define FUSEX_F_PARALLEL_WRITES	(1ull << 9)
/* Direct mode: shared mappings that can be written are not refused. */
#define FUSEX_F_DIRECT_MMAP	(1ull << 10)
/*
 * Iomap mode: a write of one block can be all or nothing wherever a file has, or
 * gets, space of its own, so mappings of it say FUSEX_MAP_F_ATOMIC.  Where the
 * devices can do that, it is promised to programs (statx, RWF_ATOMIC).
 */
#define FUSEX_F_ATOMIC_WRITES	(1ull << 11)
/*
 * Unmounting ends with UNMOUNT, and waits for the answer: what the server does
 * before is done when umount(2) returns.
 */
#define FUSEX_F_UNMOUNT		(1ull << 12)
#define FUSEX_F_KNOWN		((1ull << 13) - 1)

/** Smallest and largest agreed size of file data in one request, bytes. */
#define FUSEX_IO_SIZE_MIN	4096u
#define FUSEX_IO_SIZE_MAX	(16u << 20)

/**
 * struct fusex_setup - argument of FUSEX_IOC_SETUP
 * @size: sizeof(struct fusex_setup) as the caller knows it
 * @abi: FUSEX_ABI
 * @features: FUSEX_F_* the server needs; returns what is in force
 * @optional: FUSEX_F_* the server would like; returns all the kernel knows
 * @io_mode: default mode of regular files
 * @attr_mode: default attribute mode
 * @io_modes: bit (1 << mode) for every mode entries may choose; the default
 *	is added; returns the set in force
 * @attr_modes: likewise for attribute modes
 * @flags: zero
 * @max_read: largest READ in bytes, a multiple of 4096; returns the agreed
 *	value, 0 asks for the kernel's default
 * @max_write: largest WRITE in bytes, likewise
 * @max_readahead: readahead window in bytes, 0 for the kernel's default; returns
 *	the agreed value, at most FUSEX_IO_SIZE_MAX.  If all modes are iomap or dax,
 *	it is not more than that of a device that is there when it is mounted, which
 *	is the default
 * @max_background: asynchronous requests in flight before readahead and
 *	writeback wait, 0 for the kernel's default
 * @timeout_ms: deadline of a request in milliseconds, 0 for none; a SETLK that
 *	waits has none
 * @block_size: file system block size in bytes, a power of two between 512
 *	and 65536, 0 for 4096; at most a page if iomap is among the modes, and a
 *	page if dax is
 * @handle_size: largest node handle in bytes, 0 for no handles
 * @max_links: largest link count, 0 for no limit known to the kernel
 * @time_gran: granularity of timestamps in nanoseconds, 1 to 1,000,000,000,
 *	0 for 1
 * @request_size: returned: bytes a buffer for read(2) must hold
 * @stack_depth: how high file systems may be stacked, with this one on top, for
 *	the sake of passthrough: 1 when backing files are on file systems that
 *	are not stacked themselves, at most 2; 0 for 1 if passthrough is among
 *	the modes, and to be 0 if not
 * @time_min: earliest timestamp in seconds; with @time_max both 0 for the
 *	whole range of 64 bits
 * @time_max: latest timestamp in seconds
 * @max_file_size: largest file in bytes, 0 for the kernel's largest
 * @subtype: shown as fusex.SUBTYPE, letters, digits, '-' and '_', may be empty
 * @root: the root node, a directory, with a node id of the server's choice
 * @root_handle: its handle, @root.handle_len bytes
 * @reserved: zero
 *
 * The call succeeds once per channel.  On error nothing is changed, and it can
 * be called again.
 *
 * Errors: E2BIG a larger structure with non-zero unknown fields; EINVAL an
 * unknown flag, a value out of range, a bad root; EOPNOTSUPP a mode this
 * kernel lacks; EBUSY set up already; EPROTONOSUPPORT another @abi.
 */
struct fusex_setup {
	__u32	size;
	__u32	abi;
	__u64	features;
	__u64	optional;
	__u32	io_mode;
	__u32	attr_mode;
	__u32	io_modes;
	__u32	attr_modes;
	__u32	flags;
	__u32	max_read;
	__u32	max_write;
	__u32	max_readahead;
	__u32	max_background;
	__u32	timeout_ms;
	__u32	block_size;
	__u32	handle_size;
	__u32	max_links;
	__u32	time_gran;
	__u32	request_size;
	__u32	stack_depth;
	__s64	time_min;
	__s64	time_max;
	__u64	max_file_size;
	char	subtype[32];
	struct fusex_entry root;
	__u8	root_handle[FUSEX_HANDLE_MAX];
	__u64	reserved[8];
};

/**
 * struct fusex_clone - argument of FUSEX_IOC_CLONE
 * @size: sizeof(struct fusex_clone)
 * @fd: descriptor of a set-up channel
 * @flags: zero
 * @reserved: zero
 *
 * Makes a freshly opened /dev/fusex another descriptor of the channel of @fd.
 * Any reader of the channel may get any request; who sleeps until it is answered
 * has it given to a reader of the descriptor that was last read on the same CPU,
 * if one is idle and none is awake.
 *
 * Errors: EBADF @fd is not open or not /dev/fusex; EINVAL @fd was not set up,
 * or this descriptor is in use already; ENODEV the channel is dead, unmounted
 * say.
 */
struct fusex_clone {
	__u32	size;
	__s32	fd;
	__u32	flags;
	__u32	reserved;
};

/**
 * enum fusex_backing_type - what a backing object is
 * @FUSEX_BACKING_FILE: a file, for passthrough
 * @FUSEX_BACKING_BDEV: a block device, for iomap
 * @FUSEX_BACKING_DAX: a memory device, for dax
 * @FUSEX_BACKING_STRIPE: a stripe over other backing objects
 */
enum fusex_backing_type {
	FUSEX_BACKING_FILE	= 1,
	FUSEX_BACKING_BDEV	= 2,
	FUSEX_BACKING_DAX	= 3,
	FUSEX_BACKING_STRIPE	= 4,
};

/** The most members of a stripe. */
#define FUSEX_STRIPE_MAX	256

/* fusex_backing.access */
#define FUSEX_BACKING_READ	(1u << 0)
#define FUSEX_BACKING_WRITE	(1u << 1)

/**
 * struct fusex_backing - argument of FUSEX_IOC_BACKING_ADD
 * @size: sizeof(struct fusex_backing)
 * @type: enum fusex_backing_type
 * @fd: the object, ignored for a stripe
 * @access: FUSEX_BACKING_*, not more than @fd was opened for
 * @cookie: returned: the number that entries and mappings name it by
 * @nr_members: members of a stripe, else 0
 * @members: pointer to @nr_members cookies (__u32) of a stripe, else 0
 * @stripe_unit: bytes per stripe unit, else 0
 * @reserved: zero
 *
 * A FILE that is registered is kept, and its file system mounted, until it is
 * removed and the last inode that uses it is gone, or the channel is over.  It
 * is not kept open: files of the mount open it anew.  What is done to it is
 * done with the credentials of who registered it.  A BDEV is kept open as @fd
 * is, until it is removed or the channel is over, no stripe has it and I/O on
 * it has ended.  So is a DAX, which moreover is exclusively the channel's as a
 * memory device, and which inodes keep of which pages were mapped.  @fd can be
 * closed.
 *
 * FUSEX_BACKING_FILE takes CAP_SYS_ADMIN in the initial user namespace, the
 * others CAP_SYS_RAWIO, of the caller of this, which may be a helper that was
 * handed the descriptor of the channel.
 *
 * A BDEV is the block device that @fd is open on; its logical blocks are not
 * larger than fusex_setup.block_size.  A DAX is the memory of a block device, which
 * files in iomap mode can be on as well, or of a character device of the dax bus
 * with the fsdev driver.  A STRIPE is a device that consists of
 * its members: the first @stripe_unit bytes are the first of the first member,
 * the next the first of the second, and so on, round and round; it is as large
 * as all its members would be if they were as large as the smallest was when it
 * was registered, in whole units.  @stripe_unit is a multiple of the block
 * size.  Members are all BDEVs or all DAXes, stay what they are, and are removed by
 * themselves; a stripe is not a member.
 *
 * Errors: EPERM the caller lacks the capability; EBADF @fd is not open, or not
 * for @access, a BDEV that is read-only or a member that was not registered for
 * it; EINVAL a FILE that is no regular file, a BDEV that is no block device or
 * has larger blocks, a stripe of more than FUSEX_STRIPE_MAX members, of cookies
 * that are no devices of one type, of one device twice or without room for a unit, an unknown
 * type or flag; ELOOP the file system of @fd is stacked
 * fusex_setup.stack_depth high itself, this very mount for one; EOPNOTSUPP the
 * type belongs to a mode that this kernel lacks or that was not agreed on, or the
 * memory of the device cannot be used; EBUSY somebody else uses it as memory;
 * ENOTCONN the channel is not set up; ENODEV it is dead.
 */
struct fusex_backing {
	__u32	size;
	__u32	type;
	__s32	fd;
	__u32	access;
	__u32	cookie;
	__u32	nr_members;
	__u64	members;
	__u64	stripe_unit;
	__u64	reserved[2];
};

/*
 * fusex_backing_remove.flags: do not wait for I/O in flight.  It fails with
 * ENODEV, though it may have been done; but asynchronous I/O that the backing
 * file has taken already ends as it would have.
 */
#define FUSEX_BACKING_FAIL_IO	(1u << 0)

/**
 * struct fusex_backing_remove - argument of FUSEX_IOC_BACKING_REMOVE
 * @size: sizeof(struct fusex_backing_remove)
 * @cookie: from FUSEX_IOC_BACKING_ADD
 * @flags: FUSEX_BACKING_FAIL_IO or 0
 * @reserved: zero
 *
 * From now on opens, reads, writes and new mappings of the inodes that use the
 * object fail with ENODEV, and entries cannot name it any more.  Mappings that
 * exist stay.  Cookies are not used again soon.
 *
 * Of a device all I/O fails with ENODEV that has not begun, and so does that on
 * a stripe where the device has part of it.  I/O on a stripe is I/O on its
 * members: to remove the stripe waits for nothing, to remove a member does.
 *
 * Errors: ENOENT no such object; EINTR a signal came while I/O was in flight:
 * the object is removed, but some of it may still be going on; EINVAL,
 * ENOTCONN, ENODEV as above.
 */
struct fusex_backing_remove {
	__u32	size;
	__u32	cookie;
	__u32	flags;
	__u32	reserved;
};

#define FUSEX_IOC_MAGIC			0xf5
#define FUSEX_IOC_SETUP			_IO(FUSEX_IOC_MAGIC, 1)
#define FUSEX_IOC_CLONE			_IO(FUSEX_IOC_MAGIC, 2)
#define FUSEX_IOC_BACKING_ADD		_IO(FUSEX_IOC_MAGIC, 3)
#define FUSEX_IOC_BACKING_REMOVE	_IO(FUSEX_IOC_MAGIC, 4)

/* ---------------------------------------------------------------- requests */

/**
 * enum fusex_opcode - what a request asks for
 * @FUSEX_OP_LOOKUP: find a name in a directory
 * @FUSEX_OP_FORGET: the kernel has dropped nodes; no reply
 * @FUSEX_OP_GETATTR: attributes of a node
 * @FUSEX_OP_SETATTR: change attributes, truncation included
 * @FUSEX_OP_ACCESS: may the caller do this?
 * @FUSEX_OP_READLINK: target of a symbolic link
 * @FUSEX_OP_CREATE: make a regular file and open it
 * @FUSEX_OP_MKNOD: make a file, device node, pipe or socket
 * @FUSEX_OP_MKDIR: make a directory
 * @FUSEX_OP_SYMLINK: make a symbolic link
 * @FUSEX_OP_TMPFILE: make a regular file without a name and open it
 * @FUSEX_OP_LINK: give a node another name
 * @FUSEX_OP_UNLINK: remove the name of a non-directory
 * @FUSEX_OP_RMDIR: remove an empty directory
 * @FUSEX_OP_RENAME: move, exchange or replace a name
 * @FUSEX_OP_OPEN: a file or directory is opened
 * @FUSEX_OP_RELEASE: the last reference to an open file is gone
 * @FUSEX_OP_FLUSH: a descriptor is closed
 * @FUSEX_OP_READ: file data
 * @FUSEX_OP_WRITE: file data
 * @FUSEX_OP_FSYNC: make a file or directory durable
 * @FUSEX_OP_READDIR: names, with attributes, of a directory
 * @FUSEX_OP_FALLOCATE: allocate, punch, zero, collapse, insert, unshare
 * @FUSEX_OP_LSEEK: find the next data or hole
 * @FUSEX_OP_COPY_RANGE: copy_file_range, clone, dedupe
 * @FUSEX_OP_GETXATTR: value of an extended attribute
 * @FUSEX_OP_SETXATTR: set an extended attribute
 * @FUSEX_OP_LISTXATTR: names of extended attributes
 * @FUSEX_OP_REMOVEXATTR: remove an extended attribute
 * @FUSEX_OP_FILEATTR_GET: what chattr and project quota tools read
 * @FUSEX_OP_FILEATTR_SET: what they change
 * @FUSEX_OP_GETLK: who holds a lock?
 * @FUSEX_OP_SETLK: take or drop a lock
 * @FUSEX_OP_IOCTL: a command of the server's own
 * @FUSEX_OP_POLL: readiness of an open file
 * @FUSEX_OP_STATFS: space and limits of the file system
 * @FUSEX_OP_SYNCFS: make everything durable
 * @FUSEX_OP_RESOLVE: find a node again by its identity
 * @FUSEX_OP_PARENT: parent of a directory
 * @FUSEX_OP_CANCEL: a caller was interrupted; no reply
 * @FUSEX_OP_MAP_BEGIN: where is the data of a range of a file?
 * @FUSEX_OP_MAP_END: what was done with the answer, if it asked for that
 * @FUSEX_OP_MAP_IOEND: data was written whose mapping has to change now
 * @FUSEX_OP_MAP_RETURN: a layout lease is not used any more
 * @FUSEX_OP_FREEZE: nothing changes until further notice, or does again
 * @FUSEX_OP_SHUTDOWN: the file system ends as in a crash
 * @FUSEX_OP_UNMOUNT: it is unmounted, and this the last request
 * @FUSEX_OP_NR: number of operations, not an operation
 *
 * Each is described at its argument structure below.  An operation answered
 * with ENOSYS is not sent again, and fails or falls back as the description
 * says.
 */
enum fusex_opcode {
	FUSEX_OP_LOOKUP		= 1,
	FUSEX_OP_FORGET		= 2,
	FUSEX_OP_GETATTR	= 3,
	FUSEX_OP_SETATTR	= 4,
	FUSEX_OP_ACCESS		= 5,
	FUSEX_OP_READLINK	= 6,
	FUSEX_OP_CREATE		= 7,
	FUSEX_OP_MKNOD		= 8,
	FUSEX_OP_MKDIR		= 9,
	FUSEX_OP_SYMLINK	= 10,
	FUSEX_OP_TMPFILE	= 11,
	FUSEX_OP_LINK		= 12,
	FUSEX_OP_UNLINK		= 13,
	FUSEX_OP_RMDIR		= 14,
	FUSEX_OP_RENAME		= 15,
	FUSEX_OP_OPEN		= 16,
	FUSEX_OP_RELEASE	= 17,
	FUSEX_OP_FLUSH		= 18,
	FUSEX_OP_READ		= 19,
	FUSEX_OP_WRITE		= 20,
	FUSEX_OP_FSYNC		= 21,
	FUSEX_OP_READDIR	= 22,
	FUSEX_OP_FALLOCATE	= 23,
	FUSEX_OP_LSEEK		= 24,
	FUSEX_OP_COPY_RANGE	= 25,
	FUSEX_OP_GETXATTR	= 26,
	FUSEX_OP_SETXATTR	= 27,
	FUSEX_OP_LISTXATTR	= 28,
	FUSEX_OP_REMOVEXATTR	= 29,
	FUSEX_OP_FILEATTR_GET	= 30,
	FUSEX_OP_FILEATTR_SET	= 31,
	FUSEX_OP_GETLK		= 32,
	FUSEX_OP_SETLK		= 33,
	FUSEX_OP_IOCTL		= 34,
	FUSEX_OP_POLL		= 35,
	FUSEX_OP_STATFS		= 36,
	FUSEX_OP_SYNCFS		= 37,
	FUSEX_OP_RESOLVE	= 38,
	FUSEX_OP_PARENT		= 39,
	FUSEX_OP_CANCEL		= 40,
	FUSEX_OP_MAP_BEGIN	= 41,
	FUSEX_OP_MAP_END	= 42,
	FUSEX_OP_MAP_IOEND	= 43,
	FUSEX_OP_MAP_RETURN	= 44,
	FUSEX_OP_FREEZE		= 45,
	FUSEX_OP_SHUTDOWN	= 46,
	FUSEX_OP_UNMOUNT	= 47,
	FUSEX_OP_NR
};

/* fusex_in_header.flags */
/* Sent before; it may have been carried out.  No kernel sets it so far. */
#define FUSEX_REQ_REPEATED	(1u << 0)
/* A kernel thread's request on nobody's behalf (writeback, eviction). */
#define FUSEX_REQ_KERNEL	(1u << 1)

/**
 * struct fusex_in_header - first bytes of every request
 * @len: bytes of the whole request
 * @opcode: enum fusex_opcode
 * @unique: number of the request on this channel, to be repeated in the reply
 * @nodeid: the node the request is about, 0 when about none
 * @generation: of the node
 * @flags: FUSEX_REQ_*
 * @uid: caller's fsuid in the user namespace of the server
 * @gid: caller's fsgid, likewise
 * @pid: caller's thread group id in the pid namespace of the server, 0 outside
 * @arg_len: bytes of the argument structure, a multiple of 8
 * @handle_len: bytes of the node's handle
 * @handle2_len: bytes of the second node's handle
 * @reserved: zero
 *
 * Errors of the read: EINVAL the buffer has less than fusex_setup.request_size
 * bytes; ENOTCONN the channel is not set up; ENODEV it is gone, which is how a
 * server learns that its file system was unmounted; EAGAIN nothing is there, with
 * O_NONBLOCK or RWF_NOWAIT; EINTR a signal came; EFAULT the memory cannot be written to,
 * and another read gets the request.
 */
struct fusex_in_header {
	__u32	len;
	__u32	opcode;
	__u64	unique;
	__u64	nodeid;
	__u32	generation;
	__u32	flags;
	__u32	uid;
	__u32	gid;
	__u32	pid;
	__u32	arg_len;
	__u16	handle_len;
	__u16	handle2_len;
	__u32	reserved;
};

/**
 * struct fusex_out_header - first bytes of every reply and notification
 * @len: bytes of the whole reply, exactly what is written
 * @error: 0, or a negative errno between -1 and -511
 * @unique: of the request answered, 0 for a notification
 * @notify: enum fusex_notify_code of a notification, 0 for a reply
 * @reserved: zero
 *
 * Errors of the write: EINVAL malformed header; ENOENT no such request (it
 * was answered, abandoned or never existed): harmless, but nothing of the
 * reply was taken, so a node it named was not looked up and a file it opened
 * is not open; EFAULT unreadable memory, the request can still be answered;
 * ENOTCONN the channel is not set up; ENODEV it is gone.  A reply whose header is
 * right and whose content is not fails the request with EUCLEAN or EIO; the write
 * fails with EINVAL if it is longer or shorter than any answer to the request can
 * be.
 */
struct fusex_out_header {
	__u32	len;
	__s32	error;
	__u64	unique;
	__u32	notify;
	__u32	reserved;
};

/**
 * struct fusex_forget_one - one node in a FORGET batch
 * @nodeid: the node
 * @generation: its generation
 * @reserved: zero
 * @nlookup: how many entry replies for it the kernel has had since the last
 *	FORGET; the server may drop the node when none is left
 */
struct fusex_forget_one {
	__u64	nodeid;
	__u32	generation;
	__u32	reserved;
	__u64	nlookup;
};

/**
 * struct fusex_forget_in - FORGET: nodes the kernel has dropped
 * @count: elements of struct fusex_forget_one in the payload
 * @reserved: zero
 *
 * No reply.  The handle of a node that is forgotten is not sent.  Every request
 * that names the node has been answered, also if its caller was killed; but not
 * when the file system is being unmounted.
 */
struct fusex_forget_in {
	__u32	count;
	__u32	reserved;
};

/**
 * struct fusex_lookup_in - LOOKUP: find a name in a directory
 * @name_len: bytes of the name in the payload
 * @flags: zero
 *
 * Reply: struct fusex_entry_out, handle.  A name that does not exist is
 * answered by an entry with node id 0 (cached for entry_valid) or by ENOENT
 * (not cached, unless the directory is local).
 */
struct fusex_lookup_in {
	__u32	name_len;
	__u32	flags;
};

/**
 * struct fusex_entry_out - reply that names a node
 * @entry: the node; its handle follows this structure, or follows
 *	struct fusex_open_out in the reply to CREATE and TMPFILE
 * @dir: attributes of the directory after the operation; mask 0 for none
 */
struct fusex_entry_out {
	struct fusex_entry entry;
	struct fusex_attr dir;
};

/**
 * struct fusex_getattr_in - GETATTR: attributes of a node
 * @fh: open file the caller uses, 0 for none
 * @mask: FUSEX_ATTR_* the kernel wants; more may be returned
 * @flags: AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC or 0
 *
 * Reply: struct fusex_attr_out.
 */
struct fusex_getattr_in {
	__u64	fh;
	__u32	mask;
	__u32	flags;
};

/**
 * struct fusex_attr_out - reply that carries attributes
 * @attr_valid: nanoseconds for which they may be cached
 * @attr: the attributes; GETATTR needs FUSEX_ATTR_REQUIRED, for the others
 *	mask 0 says that the server has nothing to tell
 */
struct fusex_attr_out {
	__u64	attr_valid;
	struct fusex_attr attr;
};

/* fusex_setattr_in.valid */
#define FUSEX_SET_MODE		(1u << 0)
#define FUSEX_SET_UID		(1u << 1)
#define FUSEX_SET_GID		(1u << 2)
#define FUSEX_SET_SIZE		(1u << 3)
#define FUSEX_SET_ATIME		(1u << 4)
#define FUSEX_SET_MTIME		(1u << 5)
#define FUSEX_SET_CTIME		(1u << 6)
/* Use the server's clock; the value sent is the kernel's. */
#define FUSEX_SET_ATIME_NOW	(1u << 7)
#define FUSEX_SET_MTIME_NOW	(1u << 8)
/* Clear set-user-id, set-group-id and file capabilities (remote only). */
#define FUSEX_SET_KILL_PRIV	(1u << 9)

/* fusex_setattr_in.flags: attributes the kernel kept are being written back. */
#define FUSEX_SETATTR_WRITEBACK	(1u << 0)

/**
 * struct fusex_setattr_in - SETATTR: change attributes
 * @valid: FUSEX_SET_*
 * @flags: FUSEX_SETATTR_WRITEBACK or 0
 * @fh: open file for ftruncate and the like, 0 for none
 * @size: new size in bytes
 * @mode: new mode, permission bits and file type
 * @uid: new owner
 * @gid: new group
 * @reserved: zero
 * @atime: new access time
 * @mtime: new modification time
 * @ctime: new change time, for servers that can store it
 *
 * Reply: struct fusex_attr_out.
 */
struct fusex_setattr_in {
	__u32	valid;
	__u32	flags;
	__u64	fh;
	__u64	size;
	__u32	mode;
	__u32	uid;
	__u32	gid;
	__u32	reserved;
	struct fusex_time atime;
	struct fusex_time mtime;
	struct fusex_time ctime;
};

/**
 * struct fusex_access_in - ACCESS: may the caller do this?
 * @mask: MAY_EXEC 1, MAY_WRITE 2, MAY_READ 4
 * @reserved: zero
 *
 * Sent with FUSEX_F_SERVER_PERM only.  Reply: nothing, or EACCES.
 */
struct fusex_access_in {
	__u32	mask;
	__u32	reserved;
};

/*
 * READLINK has no argument structure.  Reply: the target as payload, without a
 * NUL, 1 to 4095 bytes.
 */

/**
 * struct fusex_xattr_rec - one extended attribute of an object being created
 * @name_len: bytes of the name
 * @value_len: bytes of the value
 *
 * The name, a NUL and the value follow, padded together to 8 bytes.
 */
struct fusex_xattr_rec {
	__u32	name_len;
	__u32	value_len;
};

/**
 * struct fusex_make_in - CREATE, MKNOD, MKDIR, SYMLINK, TMPFILE
 * @mode: type and permission bits, with umask or default ACL applied
 * @umask: the caller's umask, already applied to @mode
 * @uid: owner of the new object
 * @gid: its group (set-group-id directories considered)
 * @rdev_major: device number of a device node
 * @rdev_minor: likewise
 * @open_flags: O_* of the open file of CREATE and TMPFILE, else 0
 * @name_len: bytes of the name, 0 for TMPFILE
 * @target_len: bytes of the target of SYMLINK, which follows the name
 * @nr_xattrs: struct fusex_xattr_rec records that follow, at the next
 *	multiple of 8 of the payload: ACLs and security labels that the object
 *	must be born with
 *
 * Reply: struct fusex_entry_out, for CREATE and TMPFILE followed by struct
 * fusex_open_out; then the handle.  CREATE with O_EXCL in @open_flags, which the
 * kernel always sets, fails with EEXIST when the name exists; without it an
 * existing object is opened.
 */
struct fusex_make_in {
	__u32	mode;
	__u32	umask;
	__u32	uid;
	__u32	gid;
	__u32	rdev_major;
	__u32	rdev_minor;
	__u32	open_flags;
	__u32	name_len;
	__u32	target_len;
	__u32	nr_xattrs;
};

/**
 * struct fusex_node_ref - the second node of a request
 * @nodeid: the node; its handle is the request's second
 * @generation: its generation
 * @reserved: zero
 */
struct fusex_node_ref {
	__u64	nodeid;
	__u32	generation;
	__u32	reserved;
};

/**
 * struct fusex_link_in - LINK: give a node another name
 * @node: the node to link; the request's node is the directory
 * @name_len: bytes of the new name
 * @reserved: zero
 *
 * Reply: struct fusex_entry_out, handle.
 */
struct fusex_link_in {
	struct fusex_node_ref node;
	__u32	name_len;
	__u32	reserved;
};

/*
 * fusex_unlink_in.flags
 *
 * Nobody has the node open or mapped, and unless UNLINK fails, or its caller
 * gives up, the name does not lead to it any more.  So with its last name the
 * node is of no use, and the server need not keep it until FORGET.  What may
 * still come for it (RELEASE, writeback, requests that a file handle led to) can
 * be answered with ESTALE.
 */
#define FUSEX_UNLINK_UNUSED	(1u << 0)

/**
 * struct fusex_unlink_in - UNLINK, RMDIR: remove a name
 * @node: the node the kernel believes the name to be
 * @name_len: bytes of the name
 * @flags: UNLINK: FUSEX_UNLINK_* bits; RMDIR: zero
 *
 * Reply: struct fusex_unlink_out.
 */
struct fusex_unlink_in {
	struct fusex_node_ref node;
	__u32	name_len;
	__u32	flags;
};

/**
 * struct fusex_unlink_out - reply to UNLINK and RMDIR
 * @dir: the directory's attributes after it; mask 0 for none
 * @node: the removed node's attributes after it; mask 0 for none
 *
 * They are cached for as long as those which they replace.
 */
struct fusex_unlink_out {
	struct fusex_attr dir;
	struct fusex_attr node;
};

/**
 * struct fusex_rename_in - RENAME
 * @dir2: the new directory; the request's node is the old one
 * @flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT
 * @name_len: bytes of the old name
 * @name2_len: bytes of the new name, which follows the old one's NUL
 * @reserved: zero
 *
 * Reply: struct fusex_rename_out.
 */
struct fusex_rename_in {
	struct fusex_node_ref dir2;
	__u32	flags;
	__u32	name_len;
	__u32	name2_len;
	__u32	reserved;
};

/**
 * struct fusex_rename_out - reply to RENAME
 * @dir: old directory after it; mask 0 for none, as for all of these
 * @dir2: new directory after it
 * @node: the renamed node
 * @node2: the node that was replaced or exchanged
 *
 * Those of the directories are cached for as long as those which they replace,
 * those of the nodes are not.
 */
struct fusex_rename_out {
	struct fusex_attr dir;
	struct fusex_attr dir2;
	struct fusex_attr node;
	struct fusex_attr node2;
};

/**
 * struct fusex_open_in - OPEN: a file or directory is opened
 * @flags: O_* of the open, without O_CREAT, O_EXCL, O_NOCTTY and O_TRUNC, for
 *	which there is a SETATTR
 * @reserved: zero
 *
 * Reply: struct fusex_open_out.  ENOSYS: opening needs no server from now on.
 */
struct fusex_open_in {
	__u32	flags;
	__u32	reserved;
};

/* fusex_open_out.flags */
/*
 * The file has no position: lseek fails with ESPIPE, no pread/pwrite, and each
 * read and write begins at offset 0.  For files in direct mode.
 */
#define FUSEX_OPEN_STREAM	(1u << 0)

/**
 * struct fusex_open_out - an open file
 * @fh: the server's name for it, any value
 * @flags: FUSEX_OPEN_*
 * @reserved: zero
 */
struct fusex_open_out {
	__u64	fh;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct fusex_release_in - RELEASE: the last reference to an open file is gone
 * @fh: from OPEN
 * @flags: O_* it was opened with
 * @reserved: zero
 * @lock_owner: owner whose flock locks end with it, 0 for none
 *
 * Every request that names the open file has been answered, as for FORGET.
 *
 * Reply: nothing; its error is ignored.
 */
struct fusex_release_in {
	__u64	fh;
	__u32	flags;
	__u32	reserved;
	__u64	lock_owner;
};

/**
 * struct fusex_flush_in - FLUSH: a descriptor of an open file is closed
 * @fh: from OPEN
 * @lock_owner: owner whose POSIX locks end with it
 *
 * Reply: nothing; the error is that of close(2).
 */
struct fusex_flush_in {
	__u64	fh;
	__u64	lock_owner;
};

/**
 * struct fusex_read_in - READ: file data
 * @fh: from OPEN, 0 when there is none
 * @offset: bytes
 * @size: bytes wanted, at most fusex_setup.max_read
 * @flags: O_* of the open file, 0 when there is none
 * @reserved: zero
 *
 * Reply: the data as payload; fewer bytes than asked for mean end of file.
 */
struct fusex_read_in {
	__u64	fh;
	__u64	offset;
	__u32	size;
	__u32	flags;
	__u64	reserved;
};

/* fusex_write_in.write_flags */
/* From the page cache on nobody's behalf; permissions were checked. */
#define FUSEX_WRITE_CACHE	(1u << 0)
/* Clear set-user-id, set-group-id and file capabilities (remote only). */
#define FUSEX_WRITE_KILL_PRIV	(1u << 1)
/* Append: the offset is the kernel's idea of the end (remote only). */
#define FUSEX_WRITE_APPEND	(1u << 2)
/*
 * mtime is when a program wrote the data, which is what the modification time
 * of the file is to be, not when the kernel wrote it back.
 */
#define FUSEX_WRITE_MTIME	(1u << 3)

/**
 * struct fusex_write_in - WRITE: file data
 * @fh: from OPEN, 0 when there is none
 * @offset: bytes
 * @size: bytes of payload, at most fusex_setup.max_write
 * @flags: O_* of the open file, with RWF_DSYNC and RWF_SYNC folded in
 * @write_flags: FUSEX_WRITE_*
 * @reserved: zero
 * @mtime: with FUSEX_WRITE_MTIME
 *
 * Reply: struct fusex_write_out.
 */
struct fusex_write_in {
	__u64	fh;
	__u64	offset;
	__u32	size;
	__u32	flags;
	__u32	write_flags;
	__u32	reserved;
	struct fusex_time mtime;
};

/**
 * struct fusex_write_out - reply to WRITE and COPY_RANGE
 * @written: bytes taken, 1 to what was asked; 0 only from COPY_RANGE
 * @offset: where they went, differs from the request's only for appends
 * @attr_valid: nanoseconds for which @attr may be cached
 * @attr: attributes after it; mask 0 for none
 */
struct fusex_write_out {
	__u64	written;
	__u64	offset;
	__u64	attr_valid;
	struct fusex_attr attr;
};

/* fusex_fsync_in.flags: data and what is needed to read it back, only. */
#define FUSEX_FSYNC_DATASYNC	(1u << 0)

/**
 * struct fusex_fsync_in - FSYNC: make a file or directory durable
 * @fh: from OPEN, 0 when there is none
 * @offset: first byte that matters
 * @length: how many, 0 for the rest
 * @flags: FUSEX_FSYNC_*
 * @reserved: zero
 *
 * The range is one of data.  What finds the data of the file, and where it ends, is
 * made durable as a whole.  Of a directory its names are; that is also asked for after
 * each change of them where that is synchronous (FS_SYNC_FL, FS_DIRSYNC_FL, mounted
 * with sync or dirsync), and an error is that of the change then, which was made.
 *
 * Reply: nothing.  ENOSYS: the server has nothing volatile; succeeds.
 */
struct fusex_fsync_in {
	__u64	fh;
	__u64	offset;
	__u64	length;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct fusex_readdir_in - READDIR: names in a directory
 * @fh: from OPEN, 0 when there is none
 * @cookie: continue after the entry that had it, 0 for the beginning
 * @size: bytes of reply payload the kernel takes
 * @flags: FUSEX_READDIR_*
 *
 * Reply: records of struct fusex_dirent as payload; none means the end, and so
 * does FUSEX_DIRENT_LAST in the last one.
 */
struct fusex_readdir_in {
	__u64	fh;
	__u64	cookie;
	__u32	size;
	__u32	flags;
};

/* fusex_readdir_in.flags: the kernel has a use for struct fusex_entry. */
#define FUSEX_READDIR_ATTRS	(1u << 0)

/* fusex_dirent.flags */
/* A struct fusex_entry and its handle follow. */
#define FUSEX_DIRENT_ENTRY	(1u << 0)
/* The last name there is; spares the kernel asking for more. */
#define FUSEX_DIRENT_LAST	(1u << 1)
#define FUSEX_DIRENT_KNOWN	((1u << 2) - 1)

/**
 * struct fusex_dirent - one name in the reply to READDIR
 * @reclen: bytes of the whole record, a multiple of 8
 * @name_len: bytes of the name, 1 to FUSEX_NAME_MAX
 * @type: DT_* value
 * @flags: FUSEX_DIRENT_*
 * @ino: inode number
 * @cookie: where to go on after this record, 1 to 2^63 - 4 or 2^63 - 1; stays
 *	valid as long as the directory is open
 *
 * Layout: this structure, with FUSEX_DIRENT_ENTRY a struct fusex_entry and its
 * handle (padded to 8), then the name, padded to 8 with zeros.  An entry with
 * node id 0 is the same as none.  "." and ".." may be included, without an
 * entry.
 */
struct fusex_dirent {
	__u32	reclen;
	__u16	name_len;
	__u8	type;
	__u8	flags;
	__u64	ino;
	__u64	cookie;
};

/**
 * struct fusex_fallocate_in - FALLOCATE
 * @fh: from OPEN, 0 when there is none
 * @offset: bytes
 * @length: bytes
 * @mode: FALLOC_FL_*
 * @reserved: zero
 *
 * Reply: struct fusex_attr_out.  ENOSYS: EOPNOTSUPP from now on.
 */
struct fusex_fallocate_in {
	__u64	fh;
	__u64	offset;
	__u64	length;
	__u32	mode;
	__u32	reserved;
};

/**
 * struct fusex_lseek_in - LSEEK: next data or hole
 * @fh: from OPEN, 0 when there is none
 * @offset: start, bytes
 * @whence: SEEK_DATA or SEEK_HOLE
 * @reserved: zero
 *
 * Reply: struct fusex_lseek_out, or ENXIO.  ENOSYS: all is data from now on.
 */
struct fusex_lseek_in {
	__u64	fh;
	__u64	offset;
	__u32	whence;
	__u32	reserved;
};

/**
 * struct fusex_lseek_out - reply to LSEEK
 * @offset: bytes, not before the offset asked from
 */
struct fusex_lseek_out {
	__u64	offset;
};

/* fusex_copy_range_in.flags */
/* Share the blocks or fail with EOPNOTSUPP; all or nothing. */
#define FUSEX_COPY_CLONE	(1u << 0)
/* With CLONE: only if the contents are equal, else EBADE. */
#define FUSEX_COPY_DEDUPE	(1u << 1)

/**
 * struct fusex_copy_range_in - COPY_RANGE: copy_file_range, FICLONE, dedupe
 * @fh: source file from OPEN, 0 when there is none
 * @fh2: destination file, likewise
 * @node2: the destination node; the request's node is the source
 * @offset: in the source, bytes
 * @offset2: in the destination, bytes
 * @length: bytes; 0 with FUSEX_COPY_CLONE: to the end of the source
 * @flags: FUSEX_COPY_*
 * @reserved: zero
 *
 * Reply: struct fusex_write_out about the destination.  ENOSYS: the kernel
 * copies through itself; clones fail with EOPNOTSUPP.
 */
struct fusex_copy_range_in {
	__u64	fh;
	__u64	fh2;
	struct fusex_node_ref node2;
	__u64	offset;
	__u64	offset2;
	__u64	length;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct fusex_xattr_in - GETXATTR, SETXATTR, LISTXATTR, REMOVEXATTR
 * @size: bytes the kernel takes (GET, LIST; 0 asks for the size) or bytes of
 *	the value that follows the name (SET)
 * @name_len: bytes of the name with its prefix, 0 for LIST
 * @flags: XATTR_CREATE, XATTR_REPLACE (SET)
 * @reserved: zero
 *
 * Reply: GET and LIST struct fusex_xattr_out, then the value or the names each
 * with its NUL; SET and REMOVE struct fusex_attr_out.  Absent: ENODATA; larger
 * than @size: ERANGE.  ENOSYS: EOPNOTSUPP from now on.
 */
struct fusex_xattr_in {
	__u32	size;
	__u32	name_len;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct fusex_xattr_out - reply to GETXATTR and LISTXATTR
 * @size: bytes of the value or list, whether or not they follow
 * @reserved: zero
 */
struct fusex_xattr_out {
	__u32	size;
	__u32	reserved;
};

/**
 * struct fusex_fileattr - FILEATTR_SET argument, FILEATTR_GET reply
 * @flags: FS_*_FL as of FS_IOC_GETFLAGS
 * @reserved: zero
 * @xflags: FS_XFLAG_* as of FS_IOC_FSGETXATTR
 * @extsize: extent size hint, bytes
 * @nextents: extents (GET)
 * @projid: project id
 * @cowextsize: copy-on-write extent size hint, bytes
 *
 * FILEATTR_GET has no argument structure.  Reply to SET: struct
 * fusex_attr_out.  ENOSYS: ENOTTY from now on.
 */
struct fusex_fileattr {
	__u32	flags;
	__u32	reserved;
	__u64	xflags;
	__u32	extsize;
	__u32	nextents;
	__u32	projid;
	__u32	cowextsize;
};

/* fusex_lock.flags */
/* A flock(2) lock: the whole file, owned by the open file. */
#define FUSEX_LOCK_FLOCK	(1u << 0)
/* Wait for the lock (SETLK); CANCEL ends the wait with EINTR. */
#define FUSEX_LOCK_WAIT		(1u << 1)

/**
 * struct fusex_lock - GETLK and SETLK argument, GETLK reply
 * @fh: from OPEN, 0 when there is none
 * @owner: who holds it; equal for descriptors that share locks
 * @start: first byte
 * @end: last byte, 2^63 - 1 for the end of file
 * @type: F_RDLCK, F_WRLCK, F_UNLCK
 * @pid: holder in the pid namespace of the server, 0 outside
 * @flags: FUSEX_LOCK_*
 * @reserved: zero
 *
 * Reply to SETLK: nothing; EAGAIN when held and not told to wait.
 */
struct fusex_lock {
	__u64	fh;
	__u64	owner;
	__u64	start;
	__u64	end;
	__u32	type;
	__u32	pid;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct fusex_ioctl_in - IOCTL
 * @fh: from OPEN, 0 when there is none
 * @cmd: command; its number encodes direction and size of the one argument
 * @in_size: bytes of payload, 0 unless the command writes
 * @out_size: bytes of reply payload, 0 unless the command reads
 * @flags: zero
 *
 * FITRIM and FS_IOC_SETFSLABEL come from who has CAP_SYS_ADMIN in the user
 * namespace of the mount only, and the latter not while nothing may be written.
 * FS_IOC_SHUTDOWN is an operation of its own, SHUTDOWN.
 *
 * Reply: struct fusex_ioctl_out, then out_size bytes.  ENOSYS: ENOTTY from now
 * on.
 */
struct fusex_ioctl_in {
	__u64	fh;
	__u32	cmd;
	__u32	in_size;
	__u32	out_size;
	__u32	flags;
};

/**
 * struct fusex_ioctl_out - reply to IOCTL
 * @result: value of ioctl(2), not negative
 * @reserved: zero
 */
struct fusex_ioctl_out {
	__s32	result;
	__u32	reserved;
};

/* fusex_poll_in.flags: send FUSEX_NOTIFY_POLL when an event comes. */
#define FUSEX_POLL_NOTIFY	(1u << 0)

/**
 * struct fusex_poll_in - POLL
 * @fh: from OPEN, 0 when there is none
 * @events: EPOLL* bits of interest
 * @flags: FUSEX_POLL_NOTIFY or 0
 * @kh: names the open file in FUSEX_NOTIFY_POLL
 *
 * Reply: struct fusex_poll_out.  ENOSYS: always ready from now on.
 */
struct fusex_poll_in {
	__u64	fh;
	__u32	events;
	__u32	flags;
	__u64	kh;
};

/**
 * struct fusex_poll_out - reply to POLL
 * @revents: EPOLL* bits that hold
 * @reserved: zero
 */
struct fusex_poll_out {
	__u32	revents;
	__u32	reserved;
};

/**
 * struct fusex_statfs_out - reply to STATFS, which has no argument structure
 * @blocks: size in units of @frsize
 * @bfree: free
 * @bavail: free for ordinary users
 * @files: inodes
 * @ffree: free inodes
 * @bsize: preferred I/O size, bytes
 * @frsize: unit of the above, bytes
 * @namelen: longest name, at most FUSEX_NAME_MAX
 * @reserved: zero
 */
struct fusex_statfs_out {
	__u64	blocks;
	__u64	bfree;
	__u64	bavail;
	__u64	files;
	__u64	ffree;
	__u32	bsize;
	__u32	frsize;
	__u32	namelen;
	__u32	reserved;
};

/*
 * SYNCFS has no argument structure.  Reply: nothing.  Sent by sync, syncfs and
 * umount; everything answered before must be durable.  ENOSYS: succeeds.
 *
 * RESOLVE has no argument structure: find the header's node, which the kernel
 * has forgotten, by node id, generation and handle.  Reply: struct
 * fusex_entry_out, handle; ESTALE when it no longer exists.
 *
 * PARENT has no argument structure: the parent of the header's directory.
 * Reply: struct fusex_entry_out, handle.
 */

/**
 * struct fusex_cancel_in - CANCEL: the caller was interrupted, or killed
 * @unique: of the request, which still must be answered, soon, with EINTR or
 *	with what it came to
 *
 * No reply.
 */
struct fusex_cancel_in {
	__u64	unique;
};

/* ---------------------------------------------------------------- mappings */

/*
 * In iomap and dax mode the kernel moves the data of a file itself, between
 * memory and the devices that were registered with FUSEX_IOC_BACKING_ADD, and
 * asks the server only where it is.
 */

/**
 * enum fusex_map_type - what there is in a range of a file
 * @FUSEX_MAP_NONE: no mapping; as struct fusex_map_begin_out.write: data is
 *	written where it is read
 * @FUSEX_MAP_HOLE: nothing, reads as zeros
 * @FUSEX_MAP_DELALLOC: space is reserved, where is decided at writeback
 * @FUSEX_MAP_MAPPED: data, at addr of dev
 * @FUSEX_MAP_UNWRITTEN: space at addr of dev whose content is not the file's:
 *	reads as zeros, and becomes MAPPED by MAP_IOEND after data was written
 * @FUSEX_MAP_INLINE: data that the server keeps; moves by READ and WRITE, to which
 *	the answer is EAGAIN if it is on a device by then: the kernel asks again
 * @FUSEX_MAP_NR: number of types, not a type
 */
enum fusex_map_type {
	FUSEX_MAP_NONE		= 0,
	FUSEX_MAP_HOLE		= 1,
	FUSEX_MAP_DELALLOC	= 2,
	FUSEX_MAP_MAPPED	= 3,
	FUSEX_MAP_UNWRITTEN	= 4,
	FUSEX_MAP_INLINE	= 5,
	FUSEX_MAP_NR
};

/** The most bytes of a file that can be inline. */
#define FUSEX_INLINE_MAX	4096u

/*
 * fusex_map.flags
 */
/* Allocated by this request: what is not written is to be zeroed. */
#define FUSEX_MAP_F_NEW		(1u << 0)
/* Others have it, too: as what is read, it is not to be written to. */
#define FUSEX_MAP_F_SHARED	(1u << 1)
/* Metadata that finds the data is not durable yet: O_DSYNC needs an FSYNC. */
#define FUSEX_MAP_F_DIRTY	(1u << 2)
/* Do not remember it: ask again next time. */
#define FUSEX_MAP_F_NOCACHE	(1u << 3)
/* Send a MAP_END when the operation that asked is through with it. */
#define FUSEX_MAP_F_END		(1u << 4)
/*
 * Each block of it is written all or nothing if the device can; see
 * FUSEX_F_ATOMIC_WRITES.
 */
#define FUSEX_MAP_F_ATOMIC	(1u << 5)
#define FUSEX_MAP_F_KNOWN	((1u << 6) - 1)

/**
 * struct fusex_map - where a range of a file is
 * @offset: in the file, bytes, a multiple of fusex_setup.block_size
 * @length: bytes, likewise, not 0; an INLINE mapping, which is the answer for any
 *	offset of a file whose data is inline, begins at 0 and its length
 *	is what the server could keep inline, at most FUSEX_INLINE_MAX, no
 *	matter where the file ends and what the block size is
 * @addr: on the device, bytes, a multiple of the block size; 0 unless MAPPED or
 *	UNWRITTEN
 * @type: enum fusex_map_type
 * @flags: FUSEX_MAP_F_*
 * @dev: cookie of the device; 0 unless MAPPED or UNWRITTEN
 */
struct fusex_map {
	__u64	offset;
	__u64	length;
	__u64	addr;
	__u16	type;
	__u16	flags;
	__u32	dev;
};

/*
 * fusex_map_begin_in.op: what the mapping is wanted for; none of the first
 * four is a read.
 */
/* Data is going to be written: no HOLE as an answer. */
#define FUSEX_MAP_OP_WRITE	(1u << 0)
/* The range is going to be zeros; a HOLE and UNWRITTEN stay what they are. */
#define FUSEX_MAP_OP_ZERO	(1u << 1)
/* What is shared is going to be written elsewhere; with WRITE. */
#define FUSEX_MAP_OP_UNSHARE	(1u << 2)
/* Somebody wants to know (FIEMAP, SEEK_HOLE, FIBMAP, swapon). */
#define FUSEX_MAP_OP_REPORT	(1u << 3)
/* Around the page cache: no DELALLOC as an answer to WRITE. */
#define FUSEX_MAP_OP_DIRECT	(1u << 4)
/* By a mapping into memory: no INLINE as an answer to WRITE. */
#define FUSEX_MAP_OP_FAULT	(1u << 5)
/*
 * Dirty data of the page cache, for which an earlier WRITE was answered: MAPPED
 * or UNWRITTEN as an answer.  Comes when memory is short, so the server must
 * not wait for what waits for memory.  With WRITE.
 */
#define FUSEX_MAP_OP_WRITEBACK	(1u << 6)
/*
 * One block, all of it or nothing, with WRITE; needs FUSEX_MAP_F_ATOMIC, else
 * EINVAL.  Comes only with FUSEX_F_ATOMIC_WRITES.
 */
#define FUSEX_MAP_OP_ATOMIC	(1u << 7)
/*
 * Memory of a device is going to be used as it is, which has to be a DAX or a
 * stripe of them: no INLINE and no DELALLOC as an answer.  To WRITE the answer is
 * UNWRITTEN space, which the kernel fills with zeros and says MAP_IOEND of before
 * it is stored to, or space that is MAPPED and not NEW; nothing is written out of
 * place.  Of a remote file what is mapped into programs has to be leased.
 */
#define FUSEX_MAP_OP_DAX	(1u << 8)

/**
 * struct fusex_map_begin_in - MAP_BEGIN: where is the data of a range?
 * @offset: first byte that matters
 * @length: bytes, not 0; what is beyond them can be part of the answer
 * @op: FUSEX_MAP_OP_*
 * @reserved: zero
 * @size: of the file as the kernel knows it, bytes; a write may go beyond it
 *
 * Reply: struct fusex_map_begin_out.
 */
struct fusex_map_begin_in {
	__u64	offset;
	__u64	length;
	__u32	op;
	__u32	reserved;
	__u64	size;
};

/**
 * struct fusex_map_begin_out - reply to MAP_BEGIN
 * @read: what is there, covers @offset of the request
 * @write: where to write to, if that is elsewhere (copy on write): covers it,
 *	too, MAPPED or UNWRITTEN, written to out of place: MAP_IOEND says when
 *	it can become what is read.  Type FUSEX_MAP_NONE otherwise
 * @lease: of a remote file: name of the layout lease that the mappings are good
 *	under, 0 for mappings that are good for this one operation
 * @lease_valid: nanoseconds for which it is, from when the request was sent;
 *	FUSEX_FOREVER until recalled.  I/O that was begun before it expired may go
 *	on after it: space is free when the lease was recalled and returned
 * @attr_valid: nanoseconds for which @attr may be cached
 * @attr: attributes after it; mask 0 for none.  An answer that allocates says
 *	the new fusex_attr.blocks
 *
 * The kernel remembers what it is told, unless it is NOCACHE, and asks again
 * for what is not covered, or does not do: a HOLE, if data is to be written.
 * It forgets what it changes itself (truncation, fallocate and COPY_RANGE, the
 * range of an out of place MAP_IOEND).  The server tells it about what it
 * changes unasked, before anything else uses the space: by
 * FUSEX_NOTIFY_MAP_INVAL, or by FUSEX_NOTIFY_MAP_RECALL where I/O that is going
 * on has to end first.
 */
struct fusex_map_begin_out {
	struct fusex_map read;
	struct fusex_map write;
	__u64	lease;
	__u64	lease_valid;
	__u64	attr_valid;
	struct fusex_attr attr;
};

/**
 * struct fusex_map_end_in - MAP_END: what was done with a mapping
 * @offset: first byte the operation was about
 * @length: bytes it was about
 * @done: bytes that were done, 0 if it failed
 * @op: FUSEX_MAP_OP_*
 * @reserved: zero
 *
 * Sent once if a mapping in the answer to MAP_BEGIN had FUSEX_MAP_F_END, also if
 * nothing came of the answer.  What a short WRITE to
 * DELALLOC or NEW space did not use can be given back.  Reply: nothing.
 */
struct fusex_map_end_in {
	__u64	offset;
	__u64	length;
	__u64	done;
	__u32	op;
	__u32	reserved;
};

/* fusex_map_ioend_in.flags */
/* The space was UNWRITTEN and is MAPPED from now on. */
#define FUSEX_IOEND_UNWRITTEN	(1u << 0)
/* The file ends at least at @size from now on. */
#define FUSEX_IOEND_APPEND	(1u << 1)
/*
 * Out of place: the space takes the place of what was read before.  That may still
 * be being read: see struct fusex_map_ioend_in.
 */
#define FUSEX_IOEND_REPLACE	(1u << 2)
/* By direct I/O. */
#define FUSEX_IOEND_DIRECT	(1u << 3)
/* @mtime is when a program wrote the data (remote only). */
#define FUSEX_IOEND_MTIME	(1u << 4)

/**
 * struct fusex_map_ioend_in - MAP_IOEND: data is on the device
 * @offset: in the file, bytes
 * @length: bytes
 * @addr: on the device, bytes
 * @dev: cookie of the device; if the mapping was on a stripe, of its member, on
 *	which @addr is
 * @flags: FUSEX_IOEND_*
 * @size: with FUSEX_IOEND_APPEND: bytes of the file that are on the device
 * @error: 0, or the negative errno with which writing failed: nothing changes,
 *	and what was allocated for it is not used
 * @reserved: zero
 * @mtime: with FUSEX_IOEND_MTIME
 *
 * One for each range that is contiguous in the file and on the device, and only
 * if there is something that has to change: of a remote file always, since its
 * times do.  @offset and @length are of the data, which need not begin or end at a
 * block: what is beside it in the first and last block is the file's, too.
 * Reply: struct fusex_attr_out.
 * An error means that the data is lost.
 *
 * With FUSEX_IOEND_REPLACE nothing that begins after the reply reads what was there
 * before; but what has begun goes on, and is not waited for.  So that space is free
 * for something else only when a FUSEX_NOTIFY_MAP_RECALL of the range, made after the
 * reply, has been returned, or the node was forgotten.  One recall of the file does
 * for all that was replaced before it.
 */
struct fusex_map_ioend_in {
	__u64	offset;
	__u64	length;
	__u64	addr;
	__u32	dev;
	__u32	flags;
	__u64	size;
	__s32	error;
	__u32	reserved;
	struct fusex_time mtime;
};

/**
 * struct fusex_map_return_in - MAP_RETURN: a layout lease is not used any more
 * @lease: from MAP_BEGIN
 * @offset: first byte
 * @length: bytes, 0 for the rest of the file
 * @error: 0, or the negative errno of dirty data that could not be written
 * @reserved: zero
 *
 * The answer to FUSEX_NOTIFY_MAP_RECALL: nothing is read or written by mappings
 * of the lease any more.  Reply: nothing.
 */
struct fusex_map_return_in {
	__u64	lease;
	__u64	offset;
	__u64	length;
	__s32	error;
	__u32	reserved;
};

/* fusex_freeze_in.flags: things may change again. */
#define FUSEX_FREEZE_THAW	(1u << 0)

/**
 * struct fusex_freeze_in - FREEZE: all is written, and nothing changes
 * @flags: FUSEX_FREEZE_THAW or 0
 * @reserved: zero
 *
 * Until it is thawed the server must not change the devices either.  Only sent
 * for file systems all of whose files are local and in iomap or dax mode; others
 * cannot be frozen.  Reply: nothing; an error refuses it.  ENOSYS: succeeds.
 *
 * If the caller does not wait for the answer, being killed, or if that comes too late,
 * it is thawed when the server has answered after all.
 */
struct fusex_freeze_in {
	__u32	flags;
	__u32	reserved;
};

/* fusex_shutdown_in.flags: first, what was answered becomes durable. */
#define FUSEX_SHUTDOWN_FLUSH	(1u << 0)

/**
 * struct fusex_shutdown_in - SHUTDOWN: the file system ends as in a crash
 * @flags: FUSEX_SHUTDOWN_FLUSH or 0
 * @reserved: zero
 *
 * FS_IOC_SHUTDOWN of who has CAP_SYS_ADMIN in the user namespace of the mount; not
 * where files may be in passthrough mode, which go on without a server.
 * Where all was to be written first the kernel has done that, SYNCFS included.
 * When it has answered, the server must not write anything any more, and should
 * have let go of its devices: who unmounts may mount them again at once.  Then the
 * channel ends, with whatever else is in flight.
 *
 * Reply: nothing; an error refuses it, and all goes on.  But without an answer, as
 * the caller was killed or it is too late, the channel ends as well.  ENOSYS:
 * ENOTTY.
 */
struct fusex_shutdown_in {
	__u32	flags;
	__u32	reserved;
};

/*
 * UNMOUNT has no structure: the request is its header.  All that was dirty has been
 * written and SYNCFS answered, no node is known any more, FORGETs that were not
 * read do not come.  Whoever unmounts waits for the answer, with the same deadline as
 * for others, and can be killed; then, or when the channel ends, backing objects are
 * let go.  So a server that answers when it has closed what it holds itself leaves
 * nothing in use behind.  Not sent while nobody has used the file system and no
 * thread waits for requests, nor when it is a thread of the process that has called
 * FUSEX_IOC_SETUP that unmounts.  Only with FUSEX_F_UNMOUNT.  Reply: nothing.
 */

/* ----------------------------------------------------------- notifications */

/**
 * enum fusex_notify_code - what a notification says
 * @FUSEX_NOTIFY_INVAL_INODE: struct fusex_notify_inode
 * @FUSEX_NOTIFY_INVAL_ENTRY: struct fusex_notify_entry: the name is not what
 *	it was; whatever is cached for it goes
 * @FUSEX_NOTIFY_EXPIRE_ENTRY: struct fusex_notify_entry: ask again before the
 *	name is used again; mounts and open directories below survive
 * @FUSEX_NOTIFY_DELETE_ENTRY: struct fusex_notify_entry: the name was removed
 * @FUSEX_NOTIFY_PRUNE: struct fusex_notify_prune: drop what is unused
 * @FUSEX_NOTIFY_POLL: struct fusex_notify_poll: poll again
 * @FUSEX_NOTIFY_MAP_UPSERT: struct fusex_notify_upsert: remember mappings
 * @FUSEX_NOTIFY_MAP_INVAL: struct fusex_notify_map: forget mappings
 * @FUSEX_NOTIFY_MAP_RECALL: struct fusex_notify_recall: give a lease back
 * @FUSEX_NOTIFY_DEV_INVAL: struct fusex_notify_dev: forget what is cached of a
 *	device
 * @FUSEX_NOTIFY_NR: number of codes, not a code
 *
 * The write that carries a notification fails with ENOENT when nothing is
 * cached for what it names, ENOTEMPTY or EBUSY when DELETE_ENTRY cannot be
 * carried out, ENOTCONN when nothing is mounted.
 */
enum fusex_notify_code {
	FUSEX_NOTIFY_INVAL_INODE	= 1,
	FUSEX_NOTIFY_INVAL_ENTRY	= 2,
	FUSEX_NOTIFY_EXPIRE_ENTRY	= 3,
	FUSEX_NOTIFY_DELETE_ENTRY	= 4,
	FUSEX_NOTIFY_PRUNE		= 5,
	FUSEX_NOTIFY_POLL		= 6,
	FUSEX_NOTIFY_MAP_UPSERT		= 7,
	FUSEX_NOTIFY_MAP_INVAL		= 8,
	FUSEX_NOTIFY_MAP_RECALL		= 9,
	FUSEX_NOTIFY_DEV_INVAL		= 10,
	FUSEX_NOTIFY_NR
};

/* fusex_notify_inode.flags */
#define FUSEX_INVAL_ATTR	(1u << 0)	/* attributes */
#define FUSEX_INVAL_DATA	(1u << 1)	/* cached data of the range */
#define FUSEX_INVAL_XATTR	(1u << 2)	/* ACLs and xattr absence */
/* The next lookup makes a new inode; open files finish in this one. */
#define FUSEX_INVAL_IDENTITY	(1u << 3)
#define FUSEX_INVAL_KNOWN	((1u << 4) - 1)

/**
 * struct fusex_notify_inode - FUSEX_NOTIFY_INVAL_INODE
 * @nodeid: the node
 * @generation: its generation
 * @flags: FUSEX_INVAL_*, at least one
 * @offset: first byte, for FUSEX_INVAL_DATA
 * @length: bytes, 0 for the rest of the file
 */
struct fusex_notify_inode {
	__u64	nodeid;
	__u32	generation;
	__u32	flags;
	__u64	offset;
	__u64	length;
};

/**
 * struct fusex_notify_entry - INVAL_ENTRY, EXPIRE_ENTRY, DELETE_ENTRY
 * @parent: the directory
 * @parent_generation: its generation
 * @name_len: bytes of the name that follows, with a NUL after it
 * @child: DELETE_ENTRY: the node the name must still be, else 0
 * @child_generation: its generation
 * @reserved: zero
 */
struct fusex_notify_entry {
	__u64	parent;
	__u32	parent_generation;
	__u32	name_len;
	__u64	child;
	__u32	child_generation;
	__u32	reserved;
};

/**
 * struct fusex_notify_prune - FUSEX_NOTIFY_PRUNE
 * @count: struct fusex_node_ref elements that follow, at most 512
 * @reserved: zero
 */
struct fusex_notify_prune {
	__u32	count;
	__u32	reserved;
};

/**
 * struct fusex_notify_poll - FUSEX_NOTIFY_POLL
 * @kh: from struct fusex_poll_in
 */
struct fusex_notify_poll {
	__u64	kh;
};

/** The most mappings in one FUSEX_NOTIFY_MAP_UPSERT. */
#define FUSEX_UPSERT_MAX	1024

/**
 * struct fusex_notify_upsert - FUSEX_NOTIFY_MAP_UPSERT
 * @nodeid: the node
 * @generation: its generation
 * @count: struct fusex_map elements that follow, 1 to FUSEX_UPSERT_MAX, in the
 *	order of their offsets, without overlaps; HOLE, MAPPED or UNWRITTEN
 * @lease: name of the lease they are good under, 0 for a local file
 * @lease_valid: nanoseconds from now, FUSEX_FOREVER until recalled
 *
 * They replace what is known of their ranges.  All of them are taken or, with
 * EINVAL, none; ENODEV when a device is not registered.
 */
struct fusex_notify_upsert {
	__u64	nodeid;
	__u32	generation;
	__u32	count;
	__u64	lease;
	__u64	lease_valid;
};

/**
 * struct fusex_notify_map - FUSEX_NOTIFY_MAP_INVAL
 * @nodeid: the node
 * @generation: its generation
 * @reserved: zero
 * @offset: first byte
 * @length: bytes, 0 for the rest of the file
 *
 * Does not wait for I/O that is going on: for space that stays what it is, or
 * of which the kernel has made no use (preallocation).
 */
struct fusex_notify_map {
	__u64	nodeid;
	__u32	generation;
	__u32	reserved;
	__u64	offset;
	__u64	length;
};

/**
 * struct fusex_notify_recall - FUSEX_NOTIFY_MAP_RECALL
 * @nodeid: the node
 * @generation: its generation
 * @reserved: zero
 * @lease: the lease, 0 for a local file
 * @offset: first byte
 * @length: bytes, 0 for the rest of the file
 *
 * Mappings of the range are not used for anything new; what is being read and
 * written ends, dirty pages of the range are written, the page cache of it is
 * dropped, and then MAP_RETURN is sent, once.  MAP_BEGIN, MAP_IOEND, SETATTR
 * and, in dax mode, FSYNC may come first, and must be answered: what is
 * answered before MAP_RETURN has come is not used after it.  No MAP_BEGIN is
 * sent while MAP_RETURN is not answered.  Of several recalls of a node the next
 * begins when that of the last was.  ETXTBSY for a file swapped to, or that is
 * just being made so; swapon fails with EBUSY while one is under way.
 */
struct fusex_notify_recall {
	__u64	nodeid;
	__u32	generation;
	__u32	reserved;
	__u64	lease;
	__u64	offset;
	__u64	length;
};

/**
 * struct fusex_notify_dev - FUSEX_NOTIFY_DEV_INVAL
 * @dev: cookie of a BDEV, or of a DAX that is one, too
 * @reserved: zero
 * @offset: first byte
 * @length: bytes, 0 for the rest of the device
 *
 * What the page cache of the block device has of the range is written and
 * dropped: space that held metadata, which was written through it, is going to
 * hold data of files, which goes around it.  ENOENT when there is no such
 * device; EINVAL when it is no BDEV or smaller; EBUSY when somebody is just
 * using some of it; or the error of writing it.
 */
struct fusex_notify_dev {
	__u32	dev;
	__u32	reserved;
	__u64	offset;
	__u64	length;
};

#endif /* _UAPI_LINUX_FUSEX_H */

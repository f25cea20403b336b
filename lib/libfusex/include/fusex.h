/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libfusex: write a filesystem server for fusex.
 *
 * A server fills in struct fusex_ops with the operations it has, makes a
 * session, mounts it and runs it:
 *
 *	struct fusex_config cfg;
 *	struct fusex_session *se;
 *
 *	fusex_config_init(&cfg, sizeof(cfg));
 *	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
 *	if (!se)
 *		err(1, "fusex_session_new");
 *	ret = fusex_session_mount(se, "/mnt", NULL);
 *	if (!ret)
 *		ret = fusex_run(se, NULL);
 *	if (ret)
 *		warnx("%s", fusex_session_error(se));
 *	fusex_session_free(se);
 *
 * Rules that hold for all of it:
 *
 * - Functions that can fail return 0 (or a non-negative result) or -errno,
 *   unless their description says otherwise.
 * - There is no global state.  Sessions do not know of each other.
 * - The library calls the server with no lock held.  Handlers run in several
 *   threads at once unless fusex_run_options.max_threads is 1.
 * - Structures named here and not in <linux/fusex.h> that a caller fills in
 *   carry their size, so that they can grow.
 */
#ifndef FUSEX_H
#define FUSEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <linux/fusex.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The library's, as pkg-config knows it.  A program that was built with one
 * runs with all later ones of the same FUSEX_VERSION_MAJOR.
 */
#define FUSEX_VERSION_MAJOR	1
#define FUSEX_VERSION_MINOR	0

#pragma GCC visibility push(default)

struct stat;
struct statvfs;
struct statx;

/** struct fusex_session - one file system: its channel, mount and workers. */
struct fusex_session;

/** struct fusex_req - one request of the kernel's, until it is answered. */
struct fusex_req;

/** struct fusex_dir - the reply to READDIR while a handler fills it. */
struct fusex_dir;

/** struct fusex_itable - a table of the nodes the kernel knows. */
struct fusex_itable;

/**
 * FUSEX_DEFERRED - a handler's result: I answer this request myself
 *
 * The handler has called, or will call from any thread at any time, exactly
 * one of the fusex_reply_*() functions that fit the operation.  Until that
 * call everything the handler was given stays valid (the request, nodes,
 * names, argument structures, data, the buffer to fill, struct fusex_dir),
 * except for result structures that are to be handed to fusex_reply_*(): who
 * replies after the handler has returned brings its own.
 */
#define FUSEX_DEFERRED		(-4096)

/**
 * struct fusex_node - a node as a request names it
 * @nodeid: the server's id, from an entry it returned
 * @generation: likewise
 * @handle_len: bytes of @handle, 0 when the server uses no handles
 * @handle: the opaque handle from the entry
 */
struct fusex_node {
	uint64_t	nodeid;
	uint32_t	generation;
	uint32_t	handle_len;
	const void	*handle;
};

/**
 * struct fusex_entry_reply - the node that an operation found or made
 * @entry: the node; handle_len says how much of @handle counts
 * @dir: the directory's attributes after the operation, mask 0 for none
 * @handle: the node's handle, see fusex_entry_set_handle()
 *
 * Handlers get it zeroed (apart from @handle).  Each one that is returned
 * counts as one lookup of the node, to be given back by fusex_ops.forget.  If
 * a reply cannot be delivered, because the caller was killed meanwhile, the
 * library calls forget (and release, for what it opened) in the kernel's place;
 * release and map_end with a request of their own, like any that comes.
 */
struct fusex_entry_reply {
	struct fusex_entry	entry;
	struct fusex_attr	dir;
	unsigned char		handle[FUSEX_HANDLE_MAX];
};

/* -------------------------------------------------------------- operations */

/**
 * struct fusex_ops - the operations of a server
 *
 * Each handler gets the request, the node or nodes it is about, and the
 * operation's argument structure or plain arguments; <linux/fusex.h>
 * describes the meaning of each at the structure of the operation.  It returns
 * 0 and fills in the result, or -errno (-1 to -511), or FUSEX_DEFERRED.  Result
 * structures are zeroed before the call.  A missing handler answers ENOSYS,
 * which the kernel remembers.
 *
 * Names are NUL-terminated, between 1 and FUSEX_NAME_MAX bytes, and contain no
 * slash.  Argument structures and data are in the library's memory, aligned to
 * 8 bytes, and valid until the request is answered.
 */
struct fusex_ops {
	/**
	 * @lookup: find @name in @dir.  An @out whose entry.nodeid stays 0
	 * says that there is none and that this may be cached for
	 * entry.entry_valid; -ENOENT says it without caching, but in a local
	 * directory.
	 */
	int (*lookup)(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, struct fusex_entry_reply *out);

	/**
	 * @forget: the kernel dropped these nodes.  Not answered; @req must not
	 * be kept.
	 */
	void (*forget)(struct fusex_req *req,
		       const struct fusex_forget_one *list, size_t count);

	/** @getattr: attributes of @node. */
	int (*getattr)(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_getattr_in *in,
		       struct fusex_attr_out *out);

	/** @setattr: change those attributes that in->valid names. */
	int (*setattr)(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_setattr_in *in,
		       struct fusex_attr_out *out);

	/** @access: may the caller do what @mask says?  FUSEX_F_SERVER_PERM. */
	int (*access)(struct fusex_req *req, const struct fusex_node *node,
		      uint32_t mask);

	/**
	 * @readlink: write the target of a symbolic link to @buf, without a
	 * NUL, and return its length, 1 to @size.
	 */
	ssize_t (*readlink)(struct fusex_req *req,
			    const struct fusex_node *node,
			    char *buf, size_t size);

	/**
	 * @create: make a regular file and open it.  Initial extended
	 * attributes of this and the next four come from fusex_req_xattr().
	 */
	int (*create)(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const struct fusex_make_in *in,
		      struct fusex_entry_reply *out,
		      struct fusex_open_out *open);

	/** @mknod: make a file, device node, fifo or socket. */
	int (*mknod)(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_make_in *in,
		     struct fusex_entry_reply *out);

	/** @mkdir: make a directory. */
	int (*mkdir)(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_make_in *in,
		     struct fusex_entry_reply *out);

	/** @symlink: make a symbolic link to @target. */
	int (*symlink)(struct fusex_req *req, const struct fusex_node *dir,
		       const char *name, const char *target,
		       const struct fusex_make_in *in,
		       struct fusex_entry_reply *out);

	/** @tmpfile: make a file without a name and open it. */
	int (*tmpfile)(struct fusex_req *req, const struct fusex_node *dir,
		       const struct fusex_make_in *in,
		       struct fusex_entry_reply *out,
		       struct fusex_open_out *open);

	/** @link: give @node the further name @name in @dir. */
	int (*link)(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_node *dir, const char *name,
		    struct fusex_entry_reply *out);

	/**
	 * @unlink: remove @name, which the kernel believes to be @node;
	 * FUSEX_UNLINK_* @flags.
	 */
	int (*unlink)(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const struct fusex_node *node,
		      uint32_t flags, struct fusex_unlink_out *out);

	/** @rmdir: remove the empty directory @name, likewise. */
	int (*rmdir)(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const struct fusex_node *node,
		     uint32_t flags, struct fusex_unlink_out *out);

	/** @rename: RENAME_* @flags as in renameat2(2). */
	int (*rename)(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const struct fusex_node *dir2,
		      const char *name2, uint32_t flags,
		      struct fusex_rename_out *out);

	/** @open: open a file or directory, O_* @flags as in open(2). */
	int (*open)(struct fusex_req *req, const struct fusex_node *node,
		    uint32_t flags, struct fusex_open_out *out);

	/** @release: the last user of in->fh is gone; the result is ignored. */
	int (*release)(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_release_in *in);

	/** @flush: a descriptor is closed; the result is that of close(2). */
	int (*flush)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_flush_in *in);

	/**
	 * @read: put up to in->size bytes into @buf and return how many; fewer
	 * mean end of file.  Data that is elsewhere in memory can be sent
	 * without the copy, by fusex_reply_data() and FUSEX_DEFERRED.
	 */
	ssize_t (*read)(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_read_in *in, void *buf);

	/**
	 * @write: take in->size bytes from @buf.  @out comes with written and
	 * offset set to what was asked, for the usual case.
	 */
	int (*write)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_write_in *in, const void *buf,
		     struct fusex_write_out *out);

	/** @fsync: make a file or directory durable. */
	int (*fsync)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_fsync_in *in);

	/**
	 * @readdir: call fusex_dir_add() for the entries after in->cookie until
	 * it says that @dir is full, or there are no more: then call
	 * fusex_dir_end(), or another request will come to see that.  Return 0
	 * in either case.
	 */
	int (*readdir)(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_readdir_in *in,
		       struct fusex_dir *dir);

	/** @fallocate: allocate, zero, punch or move, by in->mode. */
	int (*fallocate)(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_fallocate_in *in,
			 struct fusex_attr_out *out);

	/** @lseek: next data or hole. */
	int (*lseek)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_lseek_in *in,
		     struct fusex_lseek_out *out);

	/**
	 * @copy_range: copy, clone or deduplicate from @src to @dst.  @out
	 * comes with written and offset set to what was asked.
	 */
	int (*copy_range)(struct fusex_req *req, const struct fusex_node *src,
			  const struct fusex_node *dst,
			  const struct fusex_copy_range_in *in,
			  struct fusex_write_out *out);

	/**
	 * @getxattr: put the value of @name into @value and return its size;
	 * with @size 0 only return the size; -ERANGE when it does not fit,
	 * -ENODATA when there is none.
	 */
	ssize_t (*getxattr)(struct fusex_req *req,
			    const struct fusex_node *node, const char *name,
			    void *value, size_t size);

	/** @setxattr: XATTR_CREATE, XATTR_REPLACE @flags. */
	int (*setxattr)(struct fusex_req *req, const struct fusex_node *node,
			const char *name, const void *value, size_t size,
			uint32_t flags, struct fusex_attr_out *out);

	/** @listxattr: like @getxattr, the names each with its NUL. */
	ssize_t (*listxattr)(struct fusex_req *req,
			     const struct fusex_node *node,
			     char *list, size_t size);

	/** @removexattr: -ENODATA when there is none. */
	int (*removexattr)(struct fusex_req *req,
			   const struct fusex_node *node, const char *name,
			   struct fusex_attr_out *out);

	/** @fileattr_get: flags as of FS_IOC_GETFLAGS and FS_IOC_FSGETXATTR. */
	int (*fileattr_get)(struct fusex_req *req,
			    const struct fusex_node *node,
			    struct fusex_fileattr *out);

	/** @fileattr_set: change them. */
	int (*fileattr_set)(struct fusex_req *req,
			    const struct fusex_node *node,
			    const struct fusex_fileattr *in,
			    struct fusex_attr_out *out);

	/** @getlk: @out comes as a copy of @in; type F_UNLCK when it is free. */
	int (*getlk)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_lock *in, struct fusex_lock *out);

	/**
	 * @setlk: may take long, with FUSEX_LOCK_WAIT only.  Better deferred than
	 * waited for: who unlocks needs a worker, too.
	 */
	int (*setlk)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_lock *in);

	/**
	 * @ioctl: in->in_size bytes of argument in @arg; fill all in->out_size
	 * bytes of @out (zeroed).  Returns the result, not negative, or -errno.
	 */
	int (*ioctl)(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_ioctl_in *in, const void *arg,
		     void *out);

	/** @poll: the EPOLL* bits of in->events that hold now, to @revents. */
	int (*poll)(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_poll_in *in, uint32_t *revents);

	/** @statfs: figures of the file system. */
	int (*statfs)(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_statfs_out *out);

	/** @syncfs: make everything answered so far durable. */
	int (*syncfs)(struct fusex_req *req);

	/** @resolve: find a node the kernel has forgotten, or -ESTALE. */
	int (*resolve)(struct fusex_req *req, const struct fusex_node *node,
		       struct fusex_entry_reply *out);

	/** @parent: the directory that contains the directory @node. */
	int (*parent)(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_entry_reply *out);

	/**
	 * @map_begin: where is the data of a range?  See fusex_map_at() and its
	 * kin for filling out->read and out->write.
	 */
	int (*map_begin)(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_map_begin_in *in,
			 struct fusex_map_begin_out *out);

	/**
	 * @map_end: what was done with a mapping that had FUSEX_MAP_F_END;
	 * nothing, if the answer to MAP_BEGIN could not be delivered.
	 */
	int (*map_end)(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_map_end_in *in);

	/** @map_ioend: data is on the device, and its mapping changes now. */
	int (*map_ioend)(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_map_ioend_in *in,
			 struct fusex_attr_out *out);

	/** @map_return: a layout lease is not used any more. */
	int (*map_return)(struct fusex_req *req, const struct fusex_node *node,
			  const struct fusex_map_return_in *in);

	/** @freeze: FUSEX_FREEZE_THAW or 0: nothing changes, or does again. */
	int (*freeze)(struct fusex_req *req, uint32_t flags);

	/**
	 * @shutdown: after this nothing is written any more, as after a crash,
	 * and the devices are closed; with FUSEX_SHUTDOWN_FLUSH make durable
	 * first what was answered.  When it has returned 0 the session ends.
	 */
	int (*shutdown)(struct fusex_req *req, uint32_t flags);
};

/* ----------------------------------------------------------------- session */

/**
 * struct fusex_config - what a file system is, see struct fusex_setup
 * @size: sizeof(struct fusex_config), set by fusex_config_init()
 * @io_mode: enum fusex_io_mode of regular files; FUSEX_IO_PLAIN
 * @attr_mode: enum fusex_attr_mode; FUSEX_ATTR_REMOTE
 * @io_modes: bits (1 << mode) of further modes that entries may choose; 0
 * @attr_modes: likewise for attribute modes; 0
 * @max_read: largest READ in bytes; 0, the kernel's default
 * @max_write: largest WRITE in bytes; 0, the kernel's default
 * @max_readahead: readahead window in bytes; 0, the kernel's default
 * @max_background: asynchronous requests in flight; 0, the kernel's default
 * @timeout_ms: deadline of a request in milliseconds; 0, none
 * @block_size: bytes, a page if dax is among the modes; 0, 4096
 * @handle_size: largest node handle in bytes, at most FUSEX_HANDLE_MAX, and 112
 *	with FUSEX_F_EXPORT; 0, no handles
 * @max_links: largest link count; 0, no limit
 * @time_gran: granularity of timestamps in nanoseconds; 0, 1
 * @stack_depth: how high file systems may be stacked for passthrough; 0, 1 if
 *	passthrough is among the modes
 * @reserved: zero
 * @features: FUSEX_F_* the server cannot do without; 0
 * @optional: FUSEX_F_* the server would like; 0.  The library adds those that
 *	the operations imply: FUSEX_F_NO_OPEN without open and release,
 *	FUSEX_F_NO_FLUSH without flush, FUSEX_F_POLL with poll,
 *	FUSEX_F_EXPORT with resolve; and FUSEX_F_UNMOUNT: umount(2) waits until
 *	fusex_session_free() is called.  What is in force is in
 *	fusex_session_agreed()
 * @time_min: earliest timestamp in seconds; both 0, no limit
 * @time_max: latest timestamp in seconds
 * @max_file_size: bytes; 0, the kernel's largest
 * @subtype: shown as fusex.SUBTYPE; empty
 * @root: the root node (its dir is not used); node id 1, a directory with mode
 *	0755 of the calling user, with the current time
 *
 * The values after the semicolons are those of fusex_config_init().
 */
struct fusex_config {
	uint32_t	size;
	uint32_t	io_mode;
	uint32_t	attr_mode;
	uint32_t	io_modes;
	uint32_t	attr_modes;
	uint32_t	max_read;
	uint32_t	max_write;
	uint32_t	max_readahead;
	uint32_t	max_background;
	uint32_t	timeout_ms;
	uint32_t	block_size;
	uint32_t	handle_size;
	uint32_t	max_links;
	uint32_t	time_gran;
	uint32_t	stack_depth;
	uint32_t	reserved;
	uint64_t	features;
	uint64_t	optional;
	int64_t		time_min;
	int64_t		time_max;
	uint64_t	max_file_size;
	char		subtype[32];
	struct fusex_entry_reply root;
};

/**
 * fusex_config_init() - the defaults
 * @cfg: to fill in
 * @size: sizeof(struct fusex_config) as the caller knows it
 */
void fusex_config_init(struct fusex_config *cfg, size_t size);

/**
 * fusex_session_new() - make a session; nothing is opened yet
 * @ops: the operations, copied
 * @ops_size: sizeof(struct fusex_ops) as the caller knows it
 * @cfg: copied
 * @userdata: what fusex_req_userdata() returns
 *
 * Return: the session, to be freed by fusex_session_free(); NULL with errno
 * ENOMEM, EMFILE, ENFILE, EINVAL (no @ops, no @cfg, or a size that cannot be) or
 * E2BIG (the program was built for a newer library and uses what this one lacks).
 */
struct fusex_session *fusex_session_new(const struct fusex_ops *ops,
					size_t ops_size,
					const struct fusex_config *cfg,
					void *userdata);

/**
 * fusex_session_setup() - open the channel and agree on the configuration
 * @se: the session
 * @fd: an open /dev/fusex that was not set up yet, which the session owns
 *	from now on even if the call fails; -1 to open it here
 *
 * The mount will belong to the user namespace in which the device was opened,
 * and can be made there only.
 *
 * fusex_session_mount() and fusex_session_mount_fd() call it when it was not
 * called, so that it is needed only to use a descriptor from elsewhere or to
 * look at fusex_session_agreed() before mounting.
 *
 * Return: 0 or -errno, with the text in fusex_session_error(); -EALREADY when
 * done before.
 */
int fusex_session_setup(struct fusex_session *se, int fd);

/**
 * fusex_session_agreed() - what the kernel made of the configuration
 * @se: a session that was set up
 *
 * Return: the kernel's answer (features in force, sizes); NULL before.  Valid
 * until fusex_session_free().
 */
const struct fusex_setup *fusex_session_agreed(const struct fusex_session *se);

/**
 * fusex_session_fd() - the descriptor of the channel
 * @se: a session that was set up
 *
 * For a helper that registers backing objects; whoever keeps a copy of it keeps
 * the channel from ending with the server.
 *
 * Return: the descriptor, the session's; -1 before.
 */
int fusex_session_fd(const struct fusex_session *se);

/**
 * fusex_session_mount() - mount on a directory
 * @se: the session
 * @target: path of the mount point
 * @options: comma-separated, NULL for none.  ro, rw, nosuid, nodev, noexec,
 *	noatime, nodiratime, relatime, strictatime, nosymfollow and their
 *	opposites are attributes of the mount; source=NAME is what
 *	/proc/self/mounts shows; all others are given to the file system
 *	(allow_other, sync, dirsync, lazytime, ...).  A backslash takes
 *	away the meaning of the next character, for values with commas
 *
 * Return: 0 or -errno, with the kernel's explanation in fusex_session_error().
 */
int fusex_session_mount(struct fusex_session *se, const char *target,
			const char *options);

/**
 * fusex_session_mount_fd() - mount without attaching it anywhere
 * @se: the session
 * @options: as for fusex_session_mount()
 *
 * Return: a descriptor for move_mount(2) or mount_setattr(2), owned by the
 * caller, or -errno.  Taking the file system down is the caller's business.
 */
int fusex_session_mount_fd(struct fusex_session *se, const char *options);

/**
 * fusex_session_unmount() - unmount from where fusex_session_mount() put it
 * @se: the session
 *
 * The mount disappears from the tree at once; programs that have files open
 * there are served until they close them, and fusex_run() returns after that.
 * Nobody else's mount is touched, whatever is mounted there by now.  Not from a
 * handler, nor from a signal handler.
 *
 * Unmounting asks the server to write back what it has, so somebody has to be
 * serving.  When fusex_run() has returned nobody is, and the channel is closed
 * first, as fusex_session_free() does.
 *
 * Return: 0 (also when someone else unmounted it meanwhile, or it was aborted)
 * or -errno.
 */
int fusex_session_unmount(struct fusex_session *se);

/**
 * fusex_session_stop() - make fusex_run() return without unmounting
 * @se: the session
 *
 * Can be called from any thread, from a handler, and from a signal handler.
 */
void fusex_session_stop(struct fusex_session *se);

/**
 * fusex_session_free() - end a session
 * @se: the session, NULL is ignored; fusex_run() has returned, and every
 *	deferred request was answered or will never be
 *
 * Closes the channel; if it is mounted still, whoever uses it gets ENOTCONN,
 * and the mount is taken out of the tree.  One that the administrator aborted
 * stays, dead, until it is unmounted.
 *
 * If it was unmounted, umount(2) returns now, unless the program itself did that by
 * fusex_session_unmount().  So what it has open (devices, say) should be closed, and
 * what it writes at the end be written, before.
 */
void fusex_session_free(struct fusex_session *se);

/**
 * fusex_session_error() - the last error, in words
 * @se: the session
 *
 * Return: one line for a person, without a newline, empty when there was no
 * error.  Valid until the next call of a fusex_session_*() function or
 * fusex_run() with this session.
 */
const char *fusex_session_error(const struct fusex_session *se);

/**
 * fusex_session_userdata() - the pointer given to fusex_session_new()
 * @se: the session
 *
 * Return: it.
 */
void *fusex_session_userdata(const struct fusex_session *se);

/* fusex_run_options.flags */
/*
 * SIGTERM, SIGINT and SIGHUP unmount what fusex_session_mount() mounted, those
 * of them that are not ignored.  If that fails, what is dirty is written back
 * and fusex_run() returns the error; if that fails, too, it goes on serving, and
 * the next signal tries again.  A second one while it unmounts, or when it
 * fails again, ends the channel at once, and fusex_run() returns when the
 * handlers that are running have; one more has its usual effect.  Without such
 * a mount they do what fusex_session_stop() does.  Where else the file system is
 * mounted it stays, synchronised and served, see fusex_run_options.still_mounted.
 *
 * The signals are blocked in the calling thread and its workers; other threads
 * of the program have to block them, too.  A signal reaches one session only,
 * so a program that runs several takes care of signals itself.
 */
#define FUSEX_RUN_SIGNALS	(1u << 0)

/**
 * struct fusex_run_options - how to serve
 * @size: sizeof(struct fusex_run_options)
 * @flags: FUSEX_RUN_*
 * @threads: workers to begin with, 0 for the number of CPUs, 2 to 4
 * @max_threads: another worker is started whenever all are inside a handler,
 *	up to this many; 0 for 64
 * @still_mounted: called, when a signal has unmounted what fusex_session_mount()
 *	mounted, for each other place where the file system is mounted that can be
 *	seen from here: it is served until it was unmounted there, too.  @error is 0
 *	when what was dirty is written back, or -errno.  In a thread of the
 *	library's, which must not use the file system.  NULL for nothing.
 */
struct fusex_run_options {
	uint32_t	size;
	uint32_t	flags;
	uint32_t	threads;
	uint32_t	max_threads;
	void		(*still_mounted)(struct fusex_session *se,
					 const char *where, int error);
};

/**
 * fusex_run() - serve until the file system is unmounted
 * @se: a session that was set up
 * @opts: NULL for the defaults with FUSEX_RUN_SIGNALS
 *
 * Starts the workers, each with a descriptor of the channel of its own, and
 * waits.  Handlers that are running finish before it returns.  When the channel
 * is gone by then, the functions of fusex_req_on_cancel() are called of all
 * requests that were deferred and not answered.  Who unmounted it waits for
 * fusex_session_free().
 *
 * Return: 0 when the file system was unmounted, or fusex_session_stop() was
 * called or a second signal came; -errno, with fusex_session_error(), when the
 * channel failed or no worker could be started.
 */
int fusex_run(struct fusex_session *se, const struct fusex_run_options *opts);

/**
 * fusex_serve_one() - serve one request, from an event loop of the program's own
 * @se: a session that was set up, and that fusex_run() does not serve meanwhile
 *
 * To be called, by one thread at a time, when fusex_session_fd() can be read.  It
 * does not wait for a request, nor does it look after signals.  Handlers are called
 * in it; one that would take long returns FUSEX_DEFERRED.
 *
 * Who serves must not use the file system, nor wait for somebody who does:
 * fusex_session_unmount() is for another thread or process.
 *
 * Return: 1 when there was one, and there may be more; 0 when there was none;
 * -ENODEV when the file system was unmounted, or its channel was aborted;
 * another -errno, with fusex_session_error(), when the channel failed or memory is
 * short.
 */
int fusex_serve_one(struct fusex_session *se);

/* ---------------------------------------------------------------- requests */

/**
 * fusex_req_userdata() - the pointer given to fusex_session_new()
 * @req: the request
 *
 * Return: it.
 */
void *fusex_req_userdata(const struct fusex_req *req);

/**
 * fusex_req_session() - the session a request came by
 * @req: the request
 *
 * Return: the session.
 */
struct fusex_session *fusex_req_session(const struct fusex_req *req);

/**
 * fusex_req_header() - who asks, and what
 * @req: the request
 *
 * Return: the request's header: uid, gid and pid of the caller, opcode,
 * FUSEX_REQ_* flags.  Valid until the request is answered.
 */
const struct fusex_in_header *fusex_req_header(const struct fusex_req *req);

/**
 * struct fusex_xattr - an extended attribute that a new object is born with
 * @name: with its prefix
 * @value: @size bytes
 * @size: of the value
 */
struct fusex_xattr {
	const char	*name;
	const void	*value;
	size_t		size;
};

/**
 * fusex_req_xattr() - extended attributes of the object to be made
 * @req: a CREATE, MKNOD, MKDIR, SYMLINK or TMPFILE request
 * @index: which, from 0 to fusex_make_in.nr_xattrs - 1
 * @out: the attribute, pointing into the request
 *
 * Return: 0, or -ENOENT when there is no such.
 */
int fusex_req_xattr(const struct fusex_req *req, uint32_t index,
		    struct fusex_xattr *out);

/**
 * fusex_req_cancelled() - does the caller still want the answer?
 * @req: the request
 *
 * Of a lock that is waited for and of IOCTL the caller goes on waiting, after
 * any signal; it is to be answered with -EINTR, or with what it came to, soon.
 * Of all others the caller was killed, and nobody waits any more.  That the
 * deadline has passed is not told.
 *
 * Return: true when the caller was interrupted.
 */
bool fusex_req_cancelled(const struct fusex_req *req);

/**
 * fusex_req_on_cancel() - be told when the caller is interrupted
 * @req: the request
 * @fn: called at most once, in a worker thread, when the caller is
 *	interrupted, or by fusex_run() when the channel is gone; it may answer
 *	the request if the handler deferred it.  NULL to be told no more
 * @data: for @fn
 *
 * Answering the request ends the arrangement.  When this function returns with
 * @fn NULL, and when a reply function returns, @fn is not running in another
 * thread, and will not be called.  So neither may be called with a lock held
 * that @fn takes.  Making the arrangement does not wait.
 *
 * Return: 0, or -EINTR when the caller was interrupted before; then @fn is not
 * called.
 */
int fusex_req_on_cancel(struct fusex_req *req,
			void (*fn)(struct fusex_req *req, void *data),
			void *data);

/* ----------------------------------------------------------------- replies */

/*
 * For handlers that return FUSEX_DEFERRED.  Each consumes the request, whatever
 * it returns.  All return 0, -ENOENT when nobody waits for the answer any more
 * (what had to be undone was: see struct fusex_entry_reply), -EINVAL when the
 * function does not fit the operation or the content is wrong (the caller gets
 * EIO), or the error of the channel, -ENODEV when it is gone.
 *
 * What has to be undone is by forget, release and map_end of the server, called
 * from here: no lock that these take may be held.
 */

/**
 * fusex_reply_err() - the request failed, or has nothing to return
 * @req: any request; with 0 only those whose reply is empty (ACCESS, RELEASE,
 *	FLUSH, FSYNC, SETLK, SYNCFS, MAP_END, MAP_RETURN, FREEZE,
 *	SHUTDOWN) or may be (those of fusex_reply_attr() but GETATTR, UNLINK,
 *	RMDIR, RENAME)
 * @error: 0 or -errno
 *
 * Return: see above.
 */
int fusex_reply_err(struct fusex_req *req, int error);

/** fusex_reply_entry() - LOOKUP, MKNOD, MKDIR, SYMLINK, LINK, RESOLVE, PARENT */
int fusex_reply_entry(struct fusex_req *req,
		      const struct fusex_entry_reply *out);

/** fusex_reply_create() - CREATE, TMPFILE */
int fusex_reply_create(struct fusex_req *req,
		       const struct fusex_entry_reply *out,
		       const struct fusex_open_out *open);

/**
 * fusex_reply_attr() - GETATTR and whatever else returns attributes
 * @req: the request: GETATTR, SETATTR, FALLOCATE, SETXATTR, REMOVEXATTR,
 *	FILEATTR_SET, MAP_IOEND
 * @out: the attributes
 *
 * Return: see above.
 */
int fusex_reply_attr(struct fusex_req *req, const struct fusex_attr_out *out);

/** fusex_reply_unlink() - UNLINK, RMDIR */
int fusex_reply_unlink(struct fusex_req *req,
		       const struct fusex_unlink_out *out);

/** fusex_reply_rename() - RENAME */
int fusex_reply_rename(struct fusex_req *req,
		       const struct fusex_rename_out *out);

/** fusex_reply_open() - OPEN */
int fusex_reply_open(struct fusex_req *req, const struct fusex_open_out *out);

/**
 * fusex_reply_data() - READ, READLINK
 * @req: the request
 * @buf: the data: the buffer the handler was given or any other memory
 * @size: bytes, not more than asked for
 *
 * Return: see above.
 */
int fusex_reply_data(struct fusex_req *req, const void *buf, size_t size);

struct iovec;

/**
 * fusex_reply_datav() - READ, READLINK with data in several pieces
 * @req: the request
 * @iov: the pieces
 * @count: how many, at most 1000
 *
 * Return: see above.
 */
int fusex_reply_datav(struct fusex_req *req, const struct iovec *iov,
		      int count);

/** fusex_reply_write() - WRITE, COPY_RANGE */
int fusex_reply_write(struct fusex_req *req,
		      const struct fusex_write_out *out);

/** fusex_reply_dir() - READDIR: what was put into the handler's directory */
int fusex_reply_dir(struct fusex_req *req);

/** fusex_reply_lseek() - LSEEK */
int fusex_reply_lseek(struct fusex_req *req,
		      const struct fusex_lseek_out *out);

/**
 * fusex_reply_xattr() - GETXATTR, LISTXATTR
 * @req: the request
 * @value: the value or the list; not used when the kernel asked for the size
 * @size: its bytes; when larger than asked for the caller gets ERANGE
 *
 * Return: see above.
 */
int fusex_reply_xattr(struct fusex_req *req, const void *value, size_t size);

/** fusex_reply_fileattr() - FILEATTR_GET */
int fusex_reply_fileattr(struct fusex_req *req,
			 const struct fusex_fileattr *out);

/** fusex_reply_lock() - GETLK */
int fusex_reply_lock(struct fusex_req *req, const struct fusex_lock *out);

/**
 * fusex_reply_ioctl() - IOCTL
 * @req: the request
 * @result: value of ioctl(2), not negative
 * @out: fusex_ioctl_in.out_size bytes
 *
 * Return: see above.
 */
int fusex_reply_ioctl(struct fusex_req *req, int result, const void *out);

/** fusex_reply_poll() - POLL */
int fusex_reply_poll(struct fusex_req *req, uint32_t revents);

/** fusex_reply_statfs() - STATFS */
int fusex_reply_statfs(struct fusex_req *req,
		       const struct fusex_statfs_out *out);

/** fusex_reply_map() - MAP_BEGIN */
int fusex_reply_map(struct fusex_req *req,
		    const struct fusex_map_begin_out *out);

/* ------------------------------------------------------------- directories */

/**
 * fusex_dir_add() - put one name into the reply to READDIR
 * @dir: as the handler got it
 * @name: the name, "." and ".." included
 * @ino: inode number
 * @type: DT_* value
 * @cookie: where to continue after this name, 1 to 2^63 - 4 or 2^63 - 1
 * @entry: the node, which counts as a lookup if 0 is returned; NULL for none,
 *	as it must be for "." and "..", and when fusex_readdir_in.flags lacks
 *	FUSEX_READDIR_ATTRS
 *
 * Return: 0; -ENOSPC when the reply is full and the name was not added (return
 * 0 from the handler); -EINVAL for an empty name, one with a slash, a cookie that
 * cannot be or an entry where none may be; -ENAMETOOLONG.
 */
int fusex_dir_add(struct fusex_dir *dir, const char *name, uint64_t ino,
		  uint8_t type, uint64_t cookie,
		  const struct fusex_entry_reply *entry);

/**
 * fusex_dir_end() - the names that were added are the last ones
 * @dir: as the handler got it; nothing is added to it afterwards
 *
 * Spares the kernel asking whether there are more, which it does until a reply
 * is empty.
 */
void fusex_dir_end(struct fusex_dir *dir);

/**
 * fusex_dir_fits() - is there room for one more name?
 * @dir: as the handler got it
 * @name_len: bytes of the name
 * @entry: whether an entry comes with it; its handle is taken to be as large
 *	as fusex_config.handle_size
 *
 * For servers that would rather not look a name up in vain.
 *
 * Return: true when fusex_dir_add() will not return -ENOSPC.
 */
bool fusex_dir_fits(const struct fusex_dir *dir, size_t name_len, bool entry);

/* ----------------------------------------------------------- notifications */

/*
 * Can be called from any thread.  They wait for no request and no lock that is
 * held during one, so a handler may notify about what its own request is about.
 * The node of an entry that was not returned yet is not known: -ENOENT.
 *
 * All return 0; -ENOENT when nothing is cached for what they name, which is no
 * failure; -ENOTCONN when nothing is mounted; -ENODEV when the channel is gone.
 */

/**
 * fusex_notify_inval_inode() - something about a node changed
 * @se: the session
 * @node: the node
 * @flags: FUSEX_INVAL_* bits, at least one
 * @offset: first byte, for FUSEX_INVAL_DATA
 * @length: bytes, 0 for the rest of the file
 *
 * Return: see above.
 */
int fusex_notify_inval_inode(struct fusex_session *se,
			     const struct fusex_node_ref *node, uint32_t flags,
			     uint64_t offset, uint64_t length);

/** fusex_notify_inval_entry() - the name is not what it was */
int fusex_notify_inval_entry(struct fusex_session *se,
			     const struct fusex_node_ref *dir,
			     const char *name);

/** fusex_notify_expire_entry() - ask again before the name is used again */
int fusex_notify_expire_entry(struct fusex_session *se,
			      const struct fusex_node_ref *dir,
			      const char *name);

/**
 * fusex_notify_delete_entry() - the name was removed
 * @se: the session
 * @dir: the directory
 * @name: the name
 * @child: the node it must still be for this to have an effect
 *
 * Return: as above, and -EBUSY, -ENOTEMPTY when the name is used.
 */
int fusex_notify_delete_entry(struct fusex_session *se,
			      const struct fusex_node_ref *dir,
			      const char *name,
			      const struct fusex_node_ref *child);

/**
 * fusex_notify_prune() - drop what is cached of nodes nobody uses
 * @se: the session
 * @nodes: the nodes
 * @count: how many; sent in batches of 512
 *
 * Return: see above.
 */
int fusex_notify_prune(struct fusex_session *se,
		       const struct fusex_node_ref *nodes, size_t count);

/**
 * fusex_notify_poll() - an event came
 * @se: the session
 * @kh: from struct fusex_poll_in of a request with FUSEX_POLL_NOTIFY
 *
 * Return: see above.
 */
int fusex_notify_poll(struct fusex_session *se, uint64_t kh);

/**
 * fusex_notify_map_upsert() - the kernel is to remember mappings
 * @se: the session
 * @node: the node
 * @maps: in the order of their offsets, without overlaps
 * @count: how many; sent in batches of FUSEX_UPSERT_MAX
 * @lease: of a remote file: the lease they are good under, else 0
 * @lease_valid: nanoseconds from now, FUSEX_FOREVER
 *
 * Return: see above, and -EINVAL for mappings that cannot be, -ENODEV for
 * devices that are not registered.
 */
int fusex_notify_map_upsert(struct fusex_session *se,
			    const struct fusex_node_ref *node,
			    const struct fusex_map *maps, size_t count,
			    uint64_t lease, uint64_t lease_valid);

/**
 * fusex_notify_map_inval() - the kernel is to forget mappings
 * @se: the session
 * @node: the node
 * @offset: first byte
 * @length: bytes, 0 for the rest of the file
 *
 * Return: see above.
 */
int fusex_notify_map_inval(struct fusex_session *se,
			   const struct fusex_node_ref *node, uint64_t offset,
			   uint64_t length);

/**
 * fusex_notify_map_recall() - the kernel is to end I/O and give a lease back
 * @se: the session
 * @node: the node
 * @lease: the lease, 0 for a local file
 * @offset: first byte
 * @length: bytes, 0 for the rest of the file
 *
 * Does not wait for it: fusex_ops.map_return says when it is done.
 *
 * Return: see above, and -EINVAL for a file that is not in iomap or dax mode, or a
 * lease of a local file, -ETXTBSY for a file that is swapped to.
 */
int fusex_notify_map_recall(struct fusex_session *se,
			    const struct fusex_node_ref *node, uint64_t lease,
			    uint64_t offset, uint64_t length);

/**
 * fusex_notify_dev_inval() - drop the block device's own page cache of a range
 * @se: the session
 * @dev: cookie of the device
 * @offset: first byte
 * @length: bytes, 0 for the rest of the device
 *
 * Nothing need be mounted.
 *
 * Return: 0; -ENOENT when there is no such device; -EINVAL when it is no block
 * device or smaller; -EBUSY when somebody is just using what is cached; the error
 * of writing it; -ENODEV when the channel is gone.
 */
int fusex_notify_dev_inval(struct fusex_session *se, uint32_t dev,
			   uint64_t offset, uint64_t length);

/* ---------------------------------------------------------------- mappings */

/**
 * fusex_map_hole() - nothing is there
 * @map: to be filled
 * @offset: in the file, bytes, a multiple of the block size
 * @length: bytes, likewise
 */
static inline void fusex_map_hole(struct fusex_map *map, uint64_t offset,
				  uint64_t length)
{
	struct fusex_map m = { offset, length, 0, FUSEX_MAP_HOLE, 0, 0 };

	*map = m;
}

/**
 * fusex_map_at() - data, or space for it, is on a device
 * @map: to be filled
 * @type: FUSEX_MAP_MAPPED or FUSEX_MAP_UNWRITTEN
 * @offset: in the file, bytes, a multiple of the block size
 * @length: bytes, likewise
 * @dev: cookie of the device, from fusex_backing_add_dev()
 * @addr: on the device, bytes, a multiple of the block size
 */
static inline void fusex_map_at(struct fusex_map *map,
				enum fusex_map_type type, uint64_t offset,
				uint64_t length, uint32_t dev, uint64_t addr)
{
	struct fusex_map m = { offset, length, addr, (uint16_t)type, 0, dev };

	*map = m;
}

/**
 * fusex_map_reserved() - space is reserved, where is decided at writeback
 * @map: to be filled
 * @offset: in the file, bytes, a multiple of the block size
 * @length: bytes, likewise
 */
static inline void fusex_map_reserved(struct fusex_map *map, uint64_t offset,
				      uint64_t length)
{
	struct fusex_map m = { offset, length, 0, FUSEX_MAP_DELALLOC, 0, 0 };

	*map = m;
}

/**
 * fusex_map_inline() - the server keeps the data, which moves by READ and WRITE
 * @map: to be filled
 * @room: bytes that can be kept so, at most 4096
 *
 * They are answered with -EAGAIN when the data has moved to a device.
 */
static inline void fusex_map_inline(struct fusex_map *map, uint64_t room)
{
	struct fusex_map m = { 0, room, 0, FUSEX_MAP_INLINE, 0, 0 };

	*map = m;
}

/**
 * struct fusex_blocks - a file whose blocks have fixed places on a device
 * @type: of each block, FUSEX_MAP_HOLE, FUSEX_MAP_UNWRITTEN or FUSEX_MAP_MAPPED;
 *	the server's memory, and on its disk in whatever way it likes
 * @attr: of the file: size and blocks follow what happens to it
 * @count: how many blocks the file has room for
 * @block_size: bytes, at least 512
 * @dev: cookie of the device, from fusex_backing_add_dev()
 * @addr: where the first block is on it, bytes, a multiple of the block size
 *
 * For servers that need not look for space: a file has an area of its own, and
 * which blocks of it have data is all there is to know.
 */
struct fusex_blocks {
	unsigned char		*type;
	struct fusex_attr	*attr;
	uint64_t		count;
	uint32_t		block_size;
	uint32_t		dev;
	uint64_t		addr;
};

/**
 * fusex_blocks_begin() - answer MAP_BEGIN
 * @b: the file
 * @in: what is asked
 * @out: returned: all around @in->offset that is of one type, and how many blocks
 *	the file has
 *
 * What is going to be written to is no hole any more but unwritten, which need not
 * be durable before fusex_blocks_ioend().
 *
 * Return: 0; -EFBIG behind the last block.
 */
int fusex_blocks_begin(const struct fusex_blocks *b,
		       const struct fusex_map_begin_in *in,
		       struct fusex_map_begin_out *out);

/**
 * fusex_blocks_ioend() - MAP_IOEND: what was written to is data, up to its end
 * @b: the file
 * @in: what was written; nothing changes if that failed
 */
void fusex_blocks_ioend(const struct fusex_blocks *b,
			const struct fusex_map_ioend_in *in);

/**
 * fusex_blocks_resize() - SETATTR with FUSEX_SET_SIZE
 * @b: the file
 * @size: what it is to be; blocks behind that become holes
 */
void fusex_blocks_resize(const struct fusex_blocks *b, uint64_t size);

/* ---------------------------------------------------------- backing objects */

/**
 * fusex_backing_add() - register a file whose data the kernel moves by itself
 * @se: the session, set up
 * @fd: a regular file, open for @access; may be closed afterwards
 * @access: FUSEX_BACKING_READ, FUSEX_BACKING_WRITE
 * @cookie: returned: what entry.backing of passthrough entries names it by
 *
 * Return: 0; -EPERM without CAP_SYS_ADMIN in the initial user namespace; other
 * errors as of FUSEX_IOC_BACKING_ADD.
 */
int fusex_backing_add(struct fusex_session *se, int fd, uint32_t access,
		      uint32_t *cookie);

/**
 * fusex_backing_add_dev() - register a device that mappings can name
 * @se: the session, set up
 * @type: FUSEX_BACKING_BDEV or FUSEX_BACKING_DAX
 * @fd: the device, open for @access; may be closed afterwards
 * @access: FUSEX_BACKING_READ, FUSEX_BACKING_WRITE
 * @cookie: returned: what fusex_map.dev names it by
 *
 * Return: 0; -EPERM without CAP_SYS_RAWIO in the initial user namespace; other
 * errors as of FUSEX_IOC_BACKING_ADD.
 */
int fusex_backing_add_dev(struct fusex_session *se,
			  enum fusex_backing_type type, int fd,
			  uint32_t access, uint32_t *cookie);

/**
 * fusex_backing_add_stripe() - register devices that are used as one
 * @se: the session, set up
 * @members: cookies of devices of one type
 * @count: how many, at most FUSEX_STRIPE_MAX
 * @unit: bytes that are on one device before it is the next one's turn, a
 *	multiple of the block size
 * @access: FUSEX_BACKING_READ, FUSEX_BACKING_WRITE, not more than that of each
 * @cookie: returned: what fusex_map.dev names it by
 *
 * Return: as fusex_backing_add_dev().
 */
int fusex_backing_add_stripe(struct fusex_session *se, const uint32_t *members,
			     size_t count, uint64_t unit, uint32_t access,
			     uint32_t *cookie);

/**
 * fusex_backing_remove() - take an object back
 * @se: the session
 * @cookie: from fusex_backing_add(), fusex_backing_add_dev() or
 *	fusex_backing_add_stripe()
 * @flags: FUSEX_BACKING_FAIL_IO to fail reads and writes that are going on,
 *	0 to wait for them
 *
 * Return: 0; -ENOENT when there is none; -EINTR when a signal came, and then it is
 * removed but some I/O may be going on; or another -errno, as of
 * FUSEX_IOC_BACKING_REMOVE.
 */
int fusex_backing_remove(struct fusex_session *se, uint32_t cookie,
			 uint32_t flags);

/* ------------------------------------------------------------- inode table */

/*
 * Most servers have an object for each node the kernel knows.  The table gives
 * each object a node id and a generation, counts the kernel's lookups, finds
 * objects by id without a lock, and by a key of the server's so that a node has
 * one object no matter by how many names it is found.
 *
 * The kernel does not forget a node while a request about it is being handled,
 * so an object got by fusex_itable_get() in a handler stays until the
 * request is answered.  But an unmount does not wait for those whose callers
 * were killed: a handler that may take long, or defers, counts a lookup of its
 * own by fusex_itable_ref() first, and gives it back by fusex_itable_forget().
 */

/**
 * fusex_itable_new() - make a table
 * @key_size: bytes of the key of each object, 0 for objects without keys
 * @destroy: called, with no lock held, for an object when its last lookup was
 *	forgotten and by fusex_itable_free(); may be NULL
 * @data: for @destroy
 *
 * Return: the table, or NULL with errno ENOMEM.
 */
struct fusex_itable *fusex_itable_new(size_t key_size,
				      void (*destroy)(void *obj, void *data),
				      void *data);

/** fusex_itable_free() - destroy all objects, and the table (NULL is ignored) */
void fusex_itable_free(struct fusex_itable *table);

/**
 * fusex_itable_add() - put an object into the table, unless its key is there
 * @table: the table
 * @key: key_size bytes that stay as they are as long as the object is in the
 *	table (so they are best part of it); NULL for an object without a key
 * @obj: the object, not NULL
 * @id: returned: its node id and generation.  The first object of a table
 *	gets node id 1, as is the default of fusex_config.root
 *
 * Return: @obj; or the object that had @key already, and @obj is the caller's
 * still; or NULL with errno ENOMEM.  The object that is returned has one
 * lookup more, for the entry that the caller is about to send.
 */
void *fusex_itable_add(struct fusex_itable *table, const void *key, void *obj,
		       struct fusex_node_ref *id);

/**
 * fusex_itable_find() - find an object by its key
 * @table: the table
 * @key: the key
 * @id: returned: its node id and generation
 *
 * Return: the object, with one lookup more, or NULL.
 */
void *fusex_itable_find(struct fusex_itable *table, const void *key,
			struct fusex_node_ref *id);

/**
 * fusex_itable_get() - the object of a node
 * @table: the table
 * @node: the node of a request
 *
 * Return: the object, or NULL when the id or generation is not in use.
 */
void *fusex_itable_get(const struct fusex_itable *table,
		       const struct fusex_node *node);

/**
 * fusex_itable_ref() - count lookups of a node
 * @table: the table
 * @node: the node
 * @count: how many
 *
 * For entries of nodes that need not be found (LINK), and for the server's own
 * references.  fusex_itable_forget() gives them back.
 *
 * Return: 0, or -ESTALE when the node is not in the table.
 */
int fusex_itable_ref(struct fusex_itable *table,
		     const struct fusex_node_ref *node, uint64_t count);

/**
 * fusex_itable_forget() - take lookups away
 * @table: the table
 * @list: the nodes and counts, as fusex_ops.forget gets them
 * @count: of elements
 *
 * Nodes that are not in the table are ignored, and a count never goes below 0.
 */
void fusex_itable_forget(struct fusex_itable *table,
			 const struct fusex_forget_one *list, size_t count);

/**
 * fusex_itable_unkey() - the key means another object from now on
 * @table: the table
 * @node: the node whose object has the key
 *
 * The object stays, and can be found by node id only.  For servers whose keys
 * (inode numbers) are used again when a file was deleted.
 */
void fusex_itable_unkey(struct fusex_itable *table,
			const struct fusex_node_ref *node);

/**
 * fusex_itable_count() - how many objects there are
 * @table: the table
 *
 * Return: the number.
 */
size_t fusex_itable_count(const struct fusex_itable *table);

/* ------------------------------------------------------ conversion helpers */

/**
 * fusex_attr_from_stat() - attributes from stat(2)
 * @attr: filled in completely, with all parts that stat(2) knows
 * @st: the source
 */
void fusex_attr_from_stat(struct fusex_attr *attr, const struct stat *st);

/**
 * fusex_attr_from_statx() - attributes from statx(2)
 * @attr: filled in completely, with the parts that stx_mask says are valid
 * @stx: the source; statx(2) flags become those of FS_IOC_GETFLAGS
 */
void fusex_attr_from_statx(struct fusex_attr *attr, const struct statx *stx);

/**
 * fusex_attr_new() - attributes of an object that is being made
 * @attr: filled in completely: one link, or two for a directory, no data, and
 *	all times are now
 * @mode: type and permissions
 * @uid: owner
 * @gid: group
 */
void fusex_attr_new(struct fusex_attr *attr, uint32_t mode, uint32_t uid,
		    uint32_t gid);

/**
 * fusex_attr_set() - change attributes as SETATTR asks
 * @attr: the attributes
 * @in: the request
 *
 * All but the size, with which data has to be changed, too.  The change time is
 * now unless the kernel keeps it.
 */
void fusex_attr_set(struct fusex_attr *attr, const struct fusex_setattr_in *in);

/**
 * fusex_statfs_new() - figures of a file system without any but these
 * @out: filled in completely: what is free is for everybody, names are as long as
 *	can be
 * @block_size: bytes
 * @blocks: all of them
 * @bfree: those that are free
 * @files: inodes there can be
 * @ffree: those that are free
 */
void fusex_statfs_new(struct fusex_statfs_out *out, uint32_t block_size,
		      uint64_t blocks, uint64_t bfree, uint64_t files,
		      uint64_t ffree);

/**
 * fusex_statfs_from_statvfs() - file system figures from statvfs(3)
 * @out: filled in completely
 * @st: the source
 */
void fusex_statfs_from_statvfs(struct fusex_statfs_out *out,
			       const struct statvfs *st);

/**
 * fusex_entry_set_id() - name the node of an entry
 * @out: the entry
 * @id: node id and generation, as the inode table gives them
 */
static inline void fusex_entry_set_id(struct fusex_entry_reply *out,
				      const struct fusex_node_ref *id)
{
	out->entry.nodeid = id->nodeid;
	out->entry.generation = id->generation;
}

/**
 * fusex_entry_set_handle() - give the node of an entry its handle
 * @out: the entry
 * @handle: the handle
 * @len: bytes, at most fusex_config.handle_size
 *
 * Return: 0, or -EOVERFLOW when @len is over FUSEX_HANDLE_MAX.
 */
int fusex_entry_set_handle(struct fusex_entry_reply *out, const void *handle,
			   size_t len);

/**
 * fusex_handle_encode() - the kernel's handle of a file, as a node handle
 * @dirfd: as for name_to_handle_at(2)
 * @path: likewise
 * @flags: AT_EMPTY_PATH, AT_SYMLINK_FOLLOW
 * @handle: FUSEX_HANDLE_MAX bytes of room
 *
 * Return: the length of the handle, -EOVERFLOW when that file system's handles
 * are too large, -EOPNOTSUPP when it has none, or another -errno.
 */
ssize_t fusex_handle_encode(int dirfd, const char *path, int flags,
			    void *handle);

/**
 * fusex_handle_open() - open a file by its handle
 * @mount_fd: any file of the file system that the handle is from
 * @handle: from fusex_handle_encode()
 * @len: its length
 * @flags: O_*
 *
 * Return: a descriptor, -ESTALE when the file is gone, -EINVAL when the handle
 * is malformed, or another -errno (-EPERM without CAP_DAC_READ_SEARCH).
 */
int fusex_handle_open(int mount_fd, const void *handle, size_t len, int flags);

/** fusex_time_from_timespec() - a time of the interface from one of libc's */
static inline struct fusex_time
fusex_time_from_timespec(struct timespec ts)
{
	struct fusex_time t = { ts.tv_sec, (uint32_t)ts.tv_nsec, 0 };

	return t;
}

/** fusex_time_to_timespec() - a time of libc's from one of the interface */
static inline struct timespec fusex_time_to_timespec(struct fusex_time t)
{
	struct timespec ts;

	ts.tv_sec = (time_t)t.sec;
	ts.tv_nsec = (long)t.nsec;
	return ts;
}

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* FUSEX_H */

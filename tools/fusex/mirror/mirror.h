/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fusex-mirror: a directory tree, again.
 *
 * main.c	command line, life of the process
 * source.c	the tree that is mirrored, and what its file system can do
 * limits.c	what file sizes and times it can store
 * fdcache.c	descriptors, never too many
 * nodes.c	which file is which node, and a descriptor of it
 * nodetable.c	the nodes of a source without file handles
 * creds.c	new files belong to who made them
 * make.c	operations that make something
 * modes.c	how the data of a file moves
 * names.c	operations on names
 * dirs.c	reading directories
 * data.c	operations on file data
 * attrs.c	operations on attributes
 * xattr.c	operations on extended attributes
 * house.c	what is done behind the requests' back
 */
#ifndef FUSEX_MIRROR_H
#define FUSEX_MIRROR_H

#include <fcntl.h>
#include <fusex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fdcache.h"

/** What is asked of statx(2). */
#define MIRROR_STATX	(STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

/** Longest handle that leaves room for what exporting adds to it. */
#define MIRROR_HANDLE_MAX	112

struct dirstreams;
struct house;

/**
 * struct mode_rule - files of a name move their data in a mode
 * @next: the rule to try after it
 * @mode: enum fusex_io_mode
 * @glob: pattern of the name, without directories
 */
struct mode_rule {
	struct mode_rule	*next;
	uint32_t		mode;
	char			glob[];
};

/**
 * struct mirror - the file system
 * @se: the session
 * @local: the kernel owns the attributes; nobody changes the source meanwhile
 * @io: enum fusex_io_mode of files to which no rule applies
 * @rules: for the others, the first that matches counts
 * @backed: nodes whose files are registered for passthrough, or NULL
 * @valid: nanoseconds for which the kernel may cache names and attributes
 * @tree_fd: keeps the private mount of the source alive, or -1
 * @root_fd: the source, open for reading
 * @proc_fd: /proc/self/fd, to open again what is open, or -1
 * @handles: nodes are identified by their file handles, not by @table
 * @xattrs: the source has extended attributes
 * @acls: and POSIX ACLs
 * @noatime: O_NOATIME where that has to be said at each open, or 0
 * @mnt_id: mount of the source
 * @root_dev: device of the source
 * @root: its node
 * @fds: descriptors of nodes
 * @table: nodes of a source without file handles, else NULL
 * @nodes: list of what is in @table, protected by @nodes_lock
 * @nodes_lock: protects @nodes
 * @pos_lock: protects the positions of descriptors, which few operations use
 * @streams: directories being read
 * @house: the thread that keeps order
 */
struct mirror {
	struct fusex_session	*se;
	bool			local;
	uint32_t		io;
	struct mode_rule	*rules;
	struct fusex_itable	*backed;
	uint64_t		valid;
	int			tree_fd;
	int			root_fd;
	int			proc_fd;
	bool			handles;
	bool			xattrs;
	bool			acls;
	int			noatime;
	uint64_t		mnt_id;
	uint64_t		root_dev;
	struct fusex_node_ref	root;
	struct fdcache		*fds;
	struct fusex_itable	*table;
	struct table_node	*nodes;
	pthread_mutex_t		nodes_lock;
	pthread_mutex_t		pos_lock;
	struct dirstreams	*streams;
	struct house		*house;
};

/**
 * struct place - where a file is, for the *at() system calls
 * @fd: a directory; or the file itself, with an empty @name
 * @name: in the directory
 * @flags: AT_SYMLINK_NOFOLLOW; or AT_EMPTY_PATH
 * @label: what the file is called, for rules; NULL when not known
 */
struct place {
	int		fd;
	const char	*name;
	int		flags;
	const char	*label;
};

static inline struct place place_of(int dirfd, const char *name)
{
	struct place p = { dirfd, name, AT_SYMLINK_NOFOLLOW, name };

	return p;
}

static inline struct place place_of_fd(int fd)
{
	struct place p = { fd, "", AT_EMPTY_PATH, NULL };

	return p;
}

static inline struct mirror *mirror_of(struct fusex_req *req)
{
	return fusex_req_userdata(req);
}

/* --------------------------------------------------------------- source.c */

/**
 * source_open() - open the tree that is to be mirrored
 * @m: the mirror; local is set already
 * @path: the tree
 * @noatime: reading leaves no trace, whoever has the attributes
 *
 * Return: 0 or -errno, which was logged.
 */
int source_open(struct mirror *m, const char *path, bool noatime);

/** source_close() - undo source_open() */
void source_close(struct mirror *m);

/* --------------------------------------------------------------- limits.c */

/**
 * limits_probe() - find out what file sizes and times the source can store
 * @m: the mirror
 * @cfg: where they go; keeps the defaults when that cannot be found out
 * @readonly: do not try by making a file
 */
void limits_probe(const struct mirror *m, struct fusex_config *cfg,
		  bool readonly);

/* ---------------------------------------------------------------- nodes.c */

/**
 * struct fdref - a descriptor of a node, for as long as a request takes
 * @fd: the descriptor
 * @can: FD_* bits
 * @cfd: what to give back, or NULL
 * @node: likewise, of the table; node id 0 for none
 */
struct fdref {
	int			fd;
	unsigned int		can;
	struct cached_fd	*cfd;
	struct fusex_node_ref	node;
};

/**
 * nodes_init() - get to know the root
 * @m: the mirror, its source is open
 * @fd_limit: how many descriptors of nodes there may be
 * @root: returns the root's entry
 *
 * Return: 0 or -errno.
 */
int nodes_init(struct mirror *m, unsigned int fd_limit,
	       struct fusex_entry_reply *root);

/** nodes_exit() - undo nodes_init() */
void nodes_exit(struct mirror *m);

/**
 * node_enter() - name the node of a file, for a reply
 * @m: the mirror
 * @p: the file
 * @out: returns the entry, which counts as one lookup
 *
 * Return: 0 or -errno; EXDEV for what is mounted in the source.
 */
int node_enter(struct mirror *m, const struct place *p,
	       struct fusex_entry_reply *out);

/** node_leave() - take back a lookup that was not sent */
void node_leave(struct mirror *m, const struct fusex_entry_reply *out);

/**
 * node_fd() - a descriptor of a node
 * @m: the mirror
 * @node: the node
 * @need: FD_PATH, FD_READ or FD_WRITE
 * @ref: returns it; node_put() gives it back, also when this fails
 *
 * Return: 0 or -errno, ESTALE when the file does not exist any more.
 */
int node_fd(struct mirror *m, const struct fusex_node *node, unsigned int need,
	    struct fdref *ref);

/** node_dir() - like node_fd(), a directory for the *at() calls */
int node_dir(struct mirror *m, const struct fusex_node *node,
	     struct fdref *ref);

/** node_put() - give a descriptor back */
void node_put(struct mirror *m, struct fdref *ref);

/**
 * node_cache() - keep a descriptor that was opened for something else
 * @m: the mirror
 * @entry: the node
 * @fd: the descriptor, for which room was reserved
 * @can: FD_* bits
 * @pin: keep it until the node is forgotten
 */
void node_cache(struct mirror *m, const struct fusex_entry *entry, int fd,
		unsigned int can, bool pin);

/**
 * node_hold() - keep hold of a file while a name of it is removed
 * @m: the mirror
 * @dirfd: the directory
 * @name: the name
 * @node: what the kernel takes it for, NULL for no idea
 * @held: returns a hold for node_removed(), NULL when none is needed
 *
 * A file without names could not be opened again by its handle once nobody has
 * it open, and the kernel may still have it open.
 *
 * Return: 0 or -errno.
 */
int node_hold(struct mirror *m, int dirfd, const char *name,
	      const struct fusex_node *node, struct cached_fd **held);

/**
 * node_removed() - the name was removed, or was not
 * @m: the mirror
 * @held: from node_hold()
 * @removed: whether it was
 * @attr: returns the attributes after it, mask 0 if not known; may be NULL
 */
void node_removed(struct mirror *m, struct cached_fd *held, bool removed,
		  struct fusex_attr *attr);

/**
 * node_let_go() - the kernel does not use a file whose name is to be removed
 * @m: the mirror
 * @node: the file
 * @last: returns what is still open of it, to be closed by
 *	fdcache_close(), or NULL
 *
 * To close @last after its last name was removed is what takes time.
 *
 * Return: whether node_hold() is not needed.
 */
bool node_let_go(struct mirror *m, const struct fusex_node *node,
		 struct cached_fd **last);

/**
 * struct room - how often files went, for an operation that needs room
 * @closed: fdcache_closed() before it
 * @tries: how often it was tried again
 */
struct room {
	uint64_t	closed;
	unsigned int	tries;
};

enum {
	/* As often at most, if files go all the time and somebody else is quicker. */
	ROOM_TRIES = 8,
	/* Waits of fdcache_await() for a file that is going: 10 seconds. */
	ROOM_WAITS = 100,
	/* Files without a name that the kernel is asked about. */
	ROOM_ASKED = 64,
};

/** room_begin() - before the operation */
struct room room_begin(struct mirror *m);

/**
 * room_retry() - after it: is there room now that there was not before?
 * @m: the mirror
 * @room: from room_begin()
 * @ret: what the operation returned
 *
 * Waits until files are gone that were removed before it failed.  If there are some
 * that may be open it waits for one of them: for a moment, and when the kernel
 * has dropped one until that is gone.
 *
 * Return: whether it failed for want of room and is to be tried again.
 */
bool room_retry(struct mirror *m, struct room *room, int ret);

/** nodes_forget() - the kernel has dropped nodes */
void nodes_forget(struct mirror *m, const struct fusex_forget_one *list,
		  size_t count);

/* ------------------------------------------------------------ nodetable.c */

/**
 * struct table_node - a node of a source without file handles
 * @dev: device of the file
 * @ino: inode number, which stays its own as long as @fd is open
 * @fd: an O_PATH descriptor of it
 * @id: its node
 * @prev: list of all
 * @next: likewise
 */
struct table_node {
	uint64_t		dev;
	uint64_t		ino;
	int			fd;
	uint32_t		generation;
	uint64_t		nodeid;
	struct table_node	*prev;
	struct table_node	*next;
};

/** nodetable_init() - make the table; 0 or -errno */
int nodetable_init(struct mirror *m);

/** nodetable_exit() - undo nodetable_init() */
void nodetable_exit(struct mirror *m);

/** nodetable_enter() - node_enter() for a source without file handles */
int nodetable_enter(struct mirror *m, const struct place *p,
		    struct statx *stx, struct fusex_entry_reply *out);

/**
 * nodetable_hold() - the O_PATH descriptor of a node, for as long as it is used
 * @m: the mirror
 * @node: the node
 * @held: returns what nodetable_release() gives back, node id 0 for nothing
 *
 * A FORGET can come before a request was answered whose caller was killed, and
 * the number of the descriptor must not become that of another file.
 *
 * Return: the descriptor, or -ESTALE.
 */
int nodetable_hold(struct mirror *m, const struct fusex_node *node,
		   struct fusex_node_ref *held);

/** nodetable_release() - undo nodetable_hold() */
void nodetable_release(struct mirror *m, struct fusex_node_ref *held);

/**
 * nodetable_roomy() - is there room for more nodes?
 * @m: the mirror
 * @part: one of that many descriptors has to be left
 *
 * If not, the kernel is asked to forget some, in the background.
 */
bool nodetable_roomy(struct mirror *m, unsigned int part);

/**
 * nodetable_prune() - ask the kernel to forget some of what it does not use
 *
 * Not from a handler.
 */
void nodetable_prune(struct mirror *m);

/* ---------------------------------------------------------------- modes.c */

/** modes_init() - before the first node is named; 0 or -ENOMEM */
int modes_init(struct mirror *m);

/** modes_exit() - undo modes_init(), and free the rules */
void modes_exit(struct mirror *m);

/** modes_used() - bits (1 << mode) of all modes that entries may have */
uint32_t modes_used(const struct mirror *m);

/**
 * modes_add_rule() - append a rule
 * @rules: the list
 * @glob: pattern of names
 * @len: its bytes
 * @mode: enum fusex_io_mode
 *
 * Return: 0 or -ENOMEM.
 */
int modes_add_rule(struct mode_rule **rules, const char *glob, size_t len,
		   uint32_t mode);

/**
 * modes_choose() - how the data of a file moves
 * @m: the mirror
 * @p: the file
 * @e: its entry, node and attributes are known; returns mode and backing
 */
void modes_choose(struct mirror *m, const struct place *p,
		  struct fusex_entry *e);

/** modes_forget() - the kernel has dropped lookups of nodes */
void modes_forget(struct mirror *m, const struct fusex_forget_one *list,
		  size_t count);

/* ---------------------------------------------------------------- creds.c */

/** creds_init() - before there are threads */
void creds_init(void);

/** creds_become() - what this thread makes belongs to that owner, if possible */
void creds_become(uint32_t uid, uint32_t gid);

/** creds_restore() - undo creds_become() of the same ids */
void creds_restore(uint32_t uid, uint32_t gid);

/* ---------------------------------------------------------------- attrs.c */

/**
 * attr_get() - attributes of a file
 * @m: the mirror
 * @fd: the file
 * @attr: returns them
 *
 * Return: 0 or -errno.
 */
int attr_get(const struct mirror *m, int fd, struct fusex_attr *attr);

/** attr_fill() - attributes from statx(2) */
void attr_fill(const struct statx *stx, struct fusex_attr *attr);

/**
 * attr_after() - attributes after a change, if the kernel has a use for them
 *
 * That a file cannot be looked at after it was changed is no failure of the
 * change; the kernel asks again.
 */
void attr_after(const struct mirror *m, int fd, struct fusex_attr_out *out);

/** attr_kill_priv() - clear set-id bits and capabilities; 0 or -errno */
int attr_kill_priv(const struct mirror *m, int fd);

/** attr_proc_name() - the name of a descriptor in mirror.proc_fd */
#define PROC_NAME_MAX	12
const char *attr_proc_name(int fd, char name[PROC_NAME_MAX]);

/* ---------------------------------------------------------------- xattr.c */

/** xattr_hints() - FUSEX_ENTRY_NO_XATTR, FUSEX_ENTRY_NO_ACL of a file */
uint32_t xattr_hints(const struct mirror *m, const struct place *p);

/* ----------------------------------------------------------------- dirs.c */

/** dirs_init() - 0 or -ENOMEM */
int dirs_init(struct mirror *m);

/** dirs_exit() - undo dirs_init() */
void dirs_exit(struct mirror *m);

/** dirs_forget() - close what is open of a directory */
void dirs_forget(struct mirror *m, uint64_t nodeid, uint32_t generation);

/* ---------------------------------------------------------------- house.c */

/** house_start() - start the thread; 0 or -errno */
int house_start(struct mirror *m);

/** house_stop() - end it */
void house_stop(struct mirror *m);

/** house_writer() - there is a descriptor for writing */
void house_writer(struct mirror *m);

/** house_crowded() - there are too many nodes */
void house_crowded(struct mirror *m);

/* ------------------------------------------------------------- operations */

void mirror_forget(struct fusex_req *req, const struct fusex_forget_one *list,
		   size_t count);
int mirror_lookup(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, struct fusex_entry_reply *out);
int mirror_resolve(struct fusex_req *req, const struct fusex_node *node,
		   struct fusex_entry_reply *out);
int mirror_parent(struct fusex_req *req, const struct fusex_node *node,
		  struct fusex_entry_reply *out);
int mirror_link(struct fusex_req *req, const struct fusex_node *node,
		const struct fusex_node *dir, const char *name,
		struct fusex_entry_reply *out);
int mirror_unlink(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, const struct fusex_node *node,
		  uint32_t flags, struct fusex_unlink_out *out);
int mirror_rmdir(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const struct fusex_node *node,
		 uint32_t flags, struct fusex_unlink_out *out);
int mirror_rename(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, const struct fusex_node *dir2,
		  const char *name2, uint32_t flags,
		  struct fusex_rename_out *out);

int mirror_create(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, const struct fusex_make_in *in,
		  struct fusex_entry_reply *out, struct fusex_open_out *open);
int mirror_mknod(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const struct fusex_make_in *in,
		 struct fusex_entry_reply *out);
int mirror_mkdir(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const struct fusex_make_in *in,
		 struct fusex_entry_reply *out);
int mirror_symlink(struct fusex_req *req, const struct fusex_node *dir,
		   const char *name, const char *target,
		   const struct fusex_make_in *in,
		   struct fusex_entry_reply *out);
int mirror_tmpfile(struct fusex_req *req, const struct fusex_node *dir,
		   const struct fusex_make_in *in,
		   struct fusex_entry_reply *out,
		   struct fusex_open_out *open);

int mirror_getattr(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_getattr_in *in,
		   struct fusex_attr_out *out);
int mirror_setattr(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_setattr_in *in,
		   struct fusex_attr_out *out);
ssize_t mirror_readlink(struct fusex_req *req, const struct fusex_node *node,
			char *buf, size_t size);
int mirror_fileattr_get(struct fusex_req *req, const struct fusex_node *node,
			struct fusex_fileattr *out);
int mirror_fileattr_set(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_fileattr *in,
			struct fusex_attr_out *out);

ssize_t mirror_read(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_read_in *in, void *buf);
int mirror_write(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_write_in *in, const void *buf,
		 struct fusex_write_out *out);
int mirror_flush(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_flush_in *in);
int mirror_fsync(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_fsync_in *in);
int mirror_fallocate(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_fallocate_in *in,
		     struct fusex_attr_out *out);
int mirror_lseek(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_lseek_in *in,
		 struct fusex_lseek_out *out);
int mirror_copy_range(struct fusex_req *req, const struct fusex_node *src,
		      const struct fusex_node *dst,
		      const struct fusex_copy_range_in *in,
		      struct fusex_write_out *out);
int mirror_statfs(struct fusex_req *req, const struct fusex_node *node,
		  struct fusex_statfs_out *out);
int mirror_syncfs(struct fusex_req *req);

int mirror_readdir(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_readdir_in *in, struct fusex_dir *dir);

ssize_t mirror_getxattr(struct fusex_req *req, const struct fusex_node *node,
			const char *name, void *value, size_t size);
int mirror_setxattr(struct fusex_req *req, const struct fusex_node *node,
		    const char *name, const void *value, size_t size,
		    uint32_t flags, struct fusex_attr_out *out);
ssize_t mirror_listxattr(struct fusex_req *req, const struct fusex_node *node,
			 char *list, size_t size);
int mirror_removexattr(struct fusex_req *req, const struct fusex_node *node,
		       const char *name, struct fusex_attr_out *out);

#endif

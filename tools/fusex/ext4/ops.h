/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests: each finds its inodes, takes the locks, and leaves the rest to
 * what ext4.h describes.
 */
#ifndef FUSEX_EXT4_OPS_H
#define FUSEX_EXT4_OPS_H

#include "ext4.h"

/** volume_of() - the file system of a request */
static inline struct volume *volume_of(const struct fusex_req *req)
{
	return fusex_req_userdata(req);
}

/**
 * op_node() - the inode of a request
 * @v: the file system
 * @node: as the request names it
 * @out: the inode, in use
 *
 * Called alone.
 * Return: 0, or -ESTALE when it is another one by now.
 */
int op_node(struct volume *v, const struct fusex_node *node,
	    struct node **out);

/**
 * enum op_how - what a request does to its inode, and so how it is locked
 * @OP_LOOK: its attributes, and what is in memory, are looked at
 * @OP_READ: its data or names are read
 * @OP_LOAD: its names are read into memory
 * @OP_CHANGE: it is changed
 * @OP_ALONE: it is changed, and so may others be
 */
enum op_how { OP_LOOK, OP_READ, OP_LOAD, OP_CHANGE, OP_ALONE };

/**
 * op_begin() - take the locks for a request, and its inode
 * @v: the file system
 * @node: the inode
 * @how: what for; who wants less than to be alone may be it nevertheless
 * @out: it, in use and locked
 *
 * Return: 0, or -errno without any lock.
 */
int op_begin(struct volume *v, const struct fusex_node *node, enum op_how how,
	     struct node **out);

/** op_end() - give all of them back */
void op_end(struct volume *v, struct node *n);

/** op_entry() - attr_entry() of an inode that is not locked; -ESTALE if it is gone */
int op_entry(struct volume *v, struct node *n, struct fusex_entry_reply *out);

/**
 * struct op_tries - what was done about it that there was no space
 * @commits: times that it was left to a transaction
 * @freed: struct volume.freed the last time
 * @reclaimed: up to where files were to give back what they do not need
 */
struct op_tries {
	unsigned int	commits;
	uint64_t	freed;
	size_t		reclaimed;
};

/**
 * op_again() - was there no space, and is there now?
 * @v: the file system, not locked
 * @self: the inode that wants it; NULL: there is no time for others to give back
 *	what they do not need
 * @ret: what it came to
 * @tries: what was done so far, nothing at first
 */
bool op_again(struct volume *v, const struct fusex_node *self, int ret,
	      struct op_tries *tries);

/** op_takes() - from op_begin() to op_end(): it may take blocks, if there are for it */
void op_takes(const struct volume *v, const struct fusex_req *req);

/** ext4_ops - all of them */
extern const struct fusex_ops ext4_ops;

int ext4_lookup(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, struct fusex_entry_reply *out);
int ext4_create(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const struct fusex_make_in *in,
		struct fusex_entry_reply *out, struct fusex_open_out *open);
int ext4_mknod(struct fusex_req *req, const struct fusex_node *dir,
	       const char *name, const struct fusex_make_in *in,
	       struct fusex_entry_reply *out);
int ext4_symlink(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const char *target,
		 const struct fusex_make_in *in,
		 struct fusex_entry_reply *out);
int ext4_tmpfile(struct fusex_req *req, const struct fusex_node *dir,
		 const struct fusex_make_in *in,
		 struct fusex_entry_reply *out, struct fusex_open_out *open);
int ext4_link(struct fusex_req *req, const struct fusex_node *node,
	      const struct fusex_node *dir, const char *name,
	      struct fusex_entry_reply *out);
int ext4_unlink(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const struct fusex_node *node,
		uint32_t flags, struct fusex_unlink_out *out);
int ext4_rmdir(struct fusex_req *req, const struct fusex_node *dir,
	       const char *name, const struct fusex_node *node, uint32_t flags,
	       struct fusex_unlink_out *out);
int ext4_rename(struct fusex_req *req, const struct fusex_node *dir,
		const char *name, const struct fusex_node *dir2,
		const char *name2, uint32_t flags,
		struct fusex_rename_out *out);
int ext4_readdir(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_readdir_in *in, struct fusex_dir *dir);
int ext4_resolve(struct fusex_req *req, const struct fusex_node *node,
		 struct fusex_entry_reply *out);
int ext4_parent(struct fusex_req *req, const struct fusex_node *node,
		struct fusex_entry_reply *out);
void ext4_forget(struct fusex_req *req, const struct fusex_forget_one *list,
		 size_t count);

int ext4_getattr(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_getattr_in *in,
		 struct fusex_attr_out *out);
int ext4_setattr(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_setattr_in *in,
		 struct fusex_attr_out *out);
ssize_t ext4_readlink(struct fusex_req *req, const struct fusex_node *node,
		      char *buf, size_t size);
ssize_t ext4_getxattr(struct fusex_req *req, const struct fusex_node *node,
		      const char *name, void *value, size_t size);
int ext4_setxattr(struct fusex_req *req, const struct fusex_node *node,
		  const char *name, const void *value, size_t size,
		  uint32_t flags, struct fusex_attr_out *out);
ssize_t ext4_listxattr(struct fusex_req *req, const struct fusex_node *node,
		       char *list, size_t size);
int ext4_removexattr(struct fusex_req *req, const struct fusex_node *node,
		     const char *name, struct fusex_attr_out *out);
int ext4_fileattr_get(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_fileattr *out);
int ext4_fileattr_set(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_fileattr *in,
		      struct fusex_attr_out *out);
int ext4_statfs(struct fusex_req *req, const struct fusex_node *node,
		struct fusex_statfs_out *out);

ssize_t ext4_read(struct fusex_req *req, const struct fusex_node *node,
		  const struct fusex_read_in *in, void *buf);
int ext4_write(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_write_in *in, const void *buf,
	       struct fusex_write_out *out);
int ext4_fsync(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_fsync_in *in);
int ext4_syncfs(struct fusex_req *req);
int ext4_freeze(struct fusex_req *req, uint32_t flags);
int ext4_fallocate(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_fallocate_in *in,
		   struct fusex_attr_out *out);
int ext4_lseek(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_lseek_in *in, struct fusex_lseek_out *out);
int ext4_map_begin(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_map_begin_in *in,
		   struct fusex_map_begin_out *out);
int ext4_map_ioend(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_map_ioend_in *in,
		   struct fusex_attr_out *out);
int ext4_map_return(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_map_return_in *in);

int ext4_ioctl(struct fusex_req *req, const struct fusex_node *node,
	       const struct fusex_ioctl_in *in, const void *arg, void *out);
int ext4_shutdown(struct fusex_req *req, uint32_t flags);

#endif

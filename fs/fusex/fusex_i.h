/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inodes and super blocks: what the object files (super.c, inode.c, namei.c,
 * readdir.c, xattr.c, ...) and the attribute tables share.
 */
#ifndef _FS_FUSEX_I_H
#define _FS_FUSEX_I_H

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fusex.h>
#include <linux/kobject.h>
#include <linux/llist.h>
#include <linux/posix_acl.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "chan.h"

struct fusex_attr_ops;
struct fusex_bobj;
struct fusex_io_ops;
struct fusex_maps;

/**
 * struct fusex_sb - s_fs_info of a super block
 * @chan: the channel, a reference is held
 * @conf: fusex_chan_conf(@chan); not for RCU walks, which may outlive it
 * @sb: the super block
 * @allow_other: users other than the mounter's may use the mount
 * @attached: the channel is this super block's (kill_sb)
 * @used: a task came in
 * @stores_attrs: the server has carried out a SETATTR
 * @ends_identities: an identity has ended
 * @server_perm: FUSEX_F_SERVER_PERM is in force
 * @user_ns: namespace of the mounter, held by @sb
 * @owner: fsuid of the mounter, compared unless @allow_other
 * @owner_gid: likewise
 * @lost_epoch: a reply whose call noted an older epoch may describe an inode
 *	as it was before a change that the kernel no longer remembers, because
 *	the inode was evicted or was not known when the change was notified
 * @lost: node ids of files of which nobody knows where their data is, with their
 *	generations
 * @io_wq: for what may wait for the server
 * @ioend_wq: for what the server is told of I/O that has ended, NULL if no file's data
 *	is moved by mappings
 * @io_late: works of fusex_io_later() that are not done
 * @wb_bios: of the page cache's writeback, on a device
 * @thaws: of which nobody has heard that they are over, see fusex_thaw_later()
 * @syncing: all is being written back before an end, see shutdown_sync()
 * @going_lock: of @going
 * @going: inodes that a worker is dropping, see fusex_drop_inode()
 * @room_work: writes back because a cgroup is full of dirty pages
 * @room_inode: the file that @room_work is on its way for, NULL if it is not
 * @rcu: path walks under RCU look at it
 */
struct fusex_sb {
	struct fusex_chan *chan;
	const struct fusex_conf *conf;
	struct super_block *sb;
	bool allow_other;
	bool attached;
	bool used;
	bool stores_attrs;
	bool ends_identities;
	bool server_perm;
	struct user_namespace *user_ns;
	kuid_t owner;
	kgid_t owner_gid;
	atomic64_t lost_epoch;
	struct xarray lost;
	struct workqueue_struct *io_wq;
	struct workqueue_struct *ioend_wq;
	atomic_t io_late;
	atomic_t wb_bios;
	atomic_t thaws;
	atomic_t syncing;
	spinlock_t going_lock;	/* protects @going; innermost */
	struct list_head going;
	struct work_struct room_work;
	struct inode *room_inode;
	struct rcu_head rcu;
};

/* Bits of fusex_inode.state. */
enum fusex_inode_bit {
	/* The identity was invalidated: lookups make a new inode. */
	FUSEX_I_GONE,
	/* The kernel lost track (an abandoned change): ask before use. */
	FUSEX_I_STALE,
	/* The kernel's times are newer than the server's (local). */
	FUSEX_I_TIMES_DIRTY,
	/* Several SETATTRs that say times have been under way at once (local). */
	FUSEX_I_TIMES_CROSS,
	/* The server did not store times: what is set it is told at once. */
	FUSEX_I_ASK_TIMES,
	/* No extended attribute but ACLs and capabilities was ever seen. */
	FUSEX_I_NO_XATTR,
	/* security.capability is known to be absent. */
	FUSEX_I_NO_CAPS,
	/* No ACL, known absent (entry flag). */
	FUSEX_I_NO_ACL,
	/* A worker is going to drop what an invalidation had to leave. */
	FUSEX_I_SETTLING,
	/* A worker is going to write it back, and to drop its names. */
	FUSEX_I_PRUNING,
	/* It is being removed, or was, and nobody would miss it. */
	FUSEX_I_UNUSED,
	/* The server cuts the file: nothing is written back meanwhile. */
	FUSEX_I_SHRINKING,
	/* The page cache is being written to by the size there is, see io_iomap.c. */
	FUSEX_I_FILLING,
	/* It was cut to nothing, and what was written then is not on its way. */
	FUSEX_I_EMPTIED,
	/* No direct read begins: somebody waits for those there are. */
	FUSEX_I_DRAINING,
	/* I_DONTCACHE, which VFS is not to see until a worker drops it. */
	FUSEX_I_UNCACHED,
	/* A worker waits for what dropping it would wait for. */
	FUSEX_I_LETTING_GO,
	/* Data may have changed in the backing file since it was looked up. */
	FUSEX_I_THROUGH,
};

/**
 * struct fusex_inode - an inode of ours
 * @vfs_inode: the VFS's part
 * @nodeid: the server's name for it, never 0
 * @attr: attribute table, set once by fusex_inode_set_attr_mode()
 * @io: data hooks, set once by fusex_inode_set_io()
 * @bobj: the backing object its entry named, or NULL; a reference is held
 * @maps: what is known of where its data is, NULL until somebody asks (map.c)
 * @forget: preallocated for eviction
 * @handle: the server's opaque handle, @handle_len bytes, NULL for none
 * @lock: protects everything below; innermost, taken in process context only
 * @handle_len: bytes
 * @times_sending: SETATTRs under way that say times (local)
 * @state: enum fusex_inode_bit, atomic bit operations, no lock needed
 * @nlookup: entry replies that named it since it was made
 * @epoch: fusex_chan_next_epoch() of the kernel's last change; a reply whose
 *	call noted an older epoch says nothing about the attributes
 * @names_epoch: fusex_chan_next_epoch() of the last notification about a name
 *	in this directory; an older reply about a name may be outdated
 * @attr_expires: jiffies64 when cached attributes expire (remote), 0 expired
 * @attr_mask: FUSEX_ATTR_* that are known; BTIME, FLAGS, DIO matter
 * @blksize: preferred I/O size from the server, bytes, 0 for the default
 * @dio_mem_align: from the server, bytes, 0 unless FUSEX_ATTR_DIO
 * @dio_offset_align: likewise
 * @fsflags: FS_*_FL from the server
 * @btime: creation time, when FUSEX_ATTR_BTIME
 * @xattr_seq: changes of extended attributes, see fusex_xattr_changed()
 * @writers: struct fusex_file open for writing that writeback may use
 * @stale_seq: invalidations that could not drop all they should
 * @settled_seq: @stale_seq when the rest had been dropped
 * @stale_start: first byte of what is left to be dropped
 * @stale_end: last byte of it
 * @wrote: when data in the page cache was changed (remote); or the modification
 *	time of the backing file when it was looked at last
 * @wb_lost: how often data of the page cache could not be written back
 * @wb_error: why, the last time
 * @wb_passes: tasks in fusex_cache_writepages(), no lock needed
 * @wb_writes: WRITEs from the page cache that have not ended, no lock needed
 * @wb_ended: how many have, no lock needed
 * @around: writes on their way around the page cache, no lock needed: nothing is stored
 *	to a page meanwhile, see fusex_user_write_around()
 * @iput: link for fusex_chan_defer_iput(), no lock needed
 *
 * The generation is vfs_inode.i_generation.
 */
struct fusex_inode {
	struct inode vfs_inode;
	u64 nodeid;
	const struct fusex_attr_ops *attr;
	const struct fusex_io_ops *io;
	struct fusex_bobj *bobj;
	struct fusex_maps *maps;
	struct fusex_forget *forget;
	u8 *handle;
	spinlock_t lock;	/* innermost; protects what follows */
	u16 handle_len;
	u16 times_sending;
	unsigned long state;
	u64 nlookup;
	u64 epoch;
	u64 names_epoch;
	u64 attr_expires;
	u32 attr_mask;
	u32 blksize;
	u32 dio_mem_align;
	u32 dio_offset_align;
	u32 fsflags;
	struct timespec64 btime;
	u32 xattr_seq;
	struct list_head writers;
	u32 stale_seq;
	u32 settled_seq;
	loff_t stale_start;
	loff_t stale_end;
	struct timespec64 wrote;
	u32 wb_lost;
	int wb_error;
	atomic_t wb_passes;
	atomic_t wb_writes;
	atomic_t wb_ended;
	atomic_t around;
	struct llist_node iput;
};

struct fusex_dirbuf;
struct fusex_release;

/**
 * struct fusex_file - private_data of an open file there is something to know of
 * @fh: the server's name for it, 0 for none
 * @owner: its name as the owner of flock locks, 0 where the server has none
 * @flags: FUSEX_OPEN_*
 * @opened: the server named it and hears of its release
 * @writer: link in fusex_inode.writers
 * @kh: names the file in FUSEX_NOTIFY_POLL, 0 until it is polled
 * @chan: whose notifications, once @kh is set
 * @poll_wait: pollers to wake
 * @dirbuf: what was read of a directory and not yet passed on (readdir.c)
 * @backing: the backing file, opened for this one, or NULL
 * @ref: the open file, and asynchronous READs that name it
 * @release: what the server hears when the last of them is gone (file.c)
 * @rcu: pollers may look it up while it goes
 *
 * Open files that have none of it have no such structure: use fusex_fh() and
 * fusex_file_get().
 */
struct fusex_file {
	u64 fh;
	u64 owner;
	u32 flags;
	bool opened;
	u32 kh;
	struct list_head writer;
	struct fusex_chan *chan;
	wait_queue_head_t poll_wait;
	struct fusex_dirbuf *dirbuf;
	struct file *backing;
	refcount_t ref;
	struct fusex_release *release;
	struct rcu_head rcu;
};

static inline struct fusex_inode *fusex_i(const struct inode *inode)
{
	return container_of(inode, struct fusex_inode, vfs_inode);
}

static inline struct fusex_sb *fusex_sb(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct fusex_chan *fusex_chan_of(const struct inode *inode)
{
	return fusex_sb(inode->i_sb)->chan;
}

static inline const struct fusex_conf *fusex_conf_of(const struct inode *inode)
{
	return fusex_sb(inode->i_sb)->conf;
}

static inline u64 fusex_fh(const struct file *file)
{
	const struct fusex_file *ff = NULL;

	if (file)
		/* Pairs with the cmpxchg() in fusex_file_get(). */
		ff = smp_load_acquire(&file->private_data);
	return ff ? ff->fh : 0;
}

/*
 * Attribute tables (attr.c, attr_local.c, attr_remote.c)
 */

/* What an operation did to an inode, for fusex_attr_ops.apply. */
#define FUSEX_DID_NLINK_INC	BIT(0)
#define FUSEX_DID_NLINK_DEC	BIT(1)
#define FUSEX_DID_NLINK_ZERO	BIT(2)	/* rmdir, or replaced directory */
#define FUSEX_DID_CTIME		BIT(3)
#define FUSEX_DID_MTIME		BIT(4)	/* names or data changed */
#define FUSEX_DID_DATA		BIT(5)	/* data written, times seen to */
#define FUSEX_DID_SIZE		BIT(6)	/* the size set, which may free blocks */

/**
 * struct fusex_attr_reply - what a reply says about an inode
 * @attr: from the server, validated; NULL or mask 0 when it said nothing
 * @valid: nanoseconds @attr may be cached
 * @epoch: fusex_chan_epoch() noted before the request was queued
 * @did: FUSEX_DID_* that the operation did to the inode
 * @aside: the operation was not to look at attributes: what is known beyond @attr
 *	stays as good as it was, and nothing becomes good for longer
 * @again: there is no @valid in the reply: @attr is good until what it replaces
 *	would have expired
 */
struct fusex_attr_reply {
	const struct fusex_attr *attr;
	u64 valid;
	u64 epoch;
	u32 did;
	bool aside;
	bool again;
};

/**
 * struct fusex_attr_ops - what differs between local and remote attributes
 * @getattr: answer statx: refresh when needed, then fill
 * @may_setattr: may the caller make this change?  Like setattr_prepare()
 * @setattr: a change that may be made: tells the server and applies it; data
 *	hooks (truncate) are called by the common part
 * @permission: like the inode operation, after the mount's owner was checked
 * @update_time: like the inode operation
 * @get_acl: like the inode operation get_inode_acl (with rcu)
 * @set_acl: like the inode operation
 * @write_flags: FUSEX_WRITE_* of a write by the caller, at the end of the file or
 *	somewhere
 * @after_write: file data changed in [pos, pos + len) by the kernel; size,
 *	times and change counter follow.  i_rwsem is held, or truncation waits
 *	(inode_dio_begin()); may sleep
 * @wrote_through: likewise, up to @end, through the backing file whose inode
 *	@real is: the server would say what that says; fusex_inode.wrote follows,
 *	too.  Any context that does not hold fusex_inode.lock: nobody need have
 *	waited for the write, and the file may have been cut since
 * @wrote_cache: cached file data was changed, or is about to be, of which the
 *	server learns later, and file_modified() or its like was called; times that
 *	this leaves alone follow.  Does not sleep on the server
 * @wrote_when: when it was last, as the server is to be told with the data
 * @written_back: the server has the data, written at @mtime as it was told.
 *	Does not sleep
 * @apply: take what a reply says; does not sleep on the server
 * @refresh: make attributes current: ask the server if they expired or are
 *	stale; 0 or error
 * @revalidate: may the name still be used?  As d_revalidate of a name whose
 *	directory has this table
 * @entry_made: note how long a dentry may be used, nanoseconds
 * @entry_expire: the name must be asked for again before it is used again
 * @fresh: may what is cached next to the attributes (absence of extended
 *	attributes and ACLs) be used without asking?  Does not sleep
 * @setlease: like the file operation: generic_setlease() if nobody else can
 *	change the file, refused if somebody can
 * @dentry_ops: the table's dentry operations
 * @i_flags: S_* that inodes of the table always have
 * @shared: others may change a file: mappings are good under a lease only, and
 *	the server is told of every write that went around it
 */
struct fusex_attr_ops {
	int (*getattr)(struct mnt_idmap *idmap, const struct path *path,
		       struct kstat *stat, u32 mask, unsigned int flags);
	int (*may_setattr)(struct mnt_idmap *idmap, struct dentry *dentry,
			   struct iattr *attr);
	int (*setattr)(struct mnt_idmap *idmap, struct dentry *dentry,
		       struct iattr *attr);
	int (*permission)(struct mnt_idmap *idmap, struct inode *inode,
			  int mask);
	int (*update_time)(struct inode *inode, enum fs_update_time type,
			   unsigned int flags);
	struct posix_acl *(*get_acl)(struct inode *inode, int type, bool rcu);
	int (*set_acl)(struct mnt_idmap *idmap, struct dentry *dentry,
		       struct posix_acl *acl, int type);
	u32 (*write_flags)(const struct inode *inode, bool append);
	void (*after_write)(struct inode *inode, loff_t pos, size_t len);
	void (*wrote_through)(struct inode *inode, loff_t end,
			      const struct inode *real);
	void (*wrote_cache)(struct inode *inode);
	void (*wrote_when)(struct inode *inode, struct fusex_time *mtime);
	void (*written_back)(struct inode *inode,
			     const struct fusex_time *mtime);
	void (*apply)(struct inode *inode, const struct fusex_attr_reply *r);
	int (*refresh)(struct inode *inode, u32 mask, unsigned int flags);
	int (*revalidate)(struct inode *dir, const struct qstr *name,
			  struct dentry *dentry, unsigned int flags);
	void (*entry_made)(struct dentry *dentry, u64 valid);
	void (*entry_expire)(struct dentry *dentry);
	bool (*fresh)(const struct inode *inode);
	int (*setlease)(struct file *file, int arg, struct file_lease **lease,
			void **priv);
	const struct dentry_operations *dentry_ops;
	unsigned int i_flags;
	bool shared;
};

extern const struct fusex_attr_ops fusex_attr_local;
extern const struct fusex_attr_ops fusex_attr_remote;

/* The inode operations of a table, one per type of object. */
extern const struct inode_operations fusex_local_dir_iops;
extern const struct inode_operations fusex_local_file_iops;
extern const struct inode_operations fusex_local_symlink_iops;
extern const struct inode_operations fusex_local_special_iops;
extern const struct inode_operations fusex_remote_dir_iops;
extern const struct inode_operations fusex_remote_file_iops;
extern const struct inode_operations fusex_remote_symlink_iops;
extern const struct inode_operations fusex_remote_special_iops;

/* attr.c: shared by both tables */
void fusex_inode_set_attr_mode(struct inode *inode, u8 mode);
void fusex_attr_init(struct inode *inode, const struct fusex_attr *attr,
		     u64 valid, u64 epoch);
void fusex_attr_copy(struct inode *inode, const struct fusex_attr *attr,
		     u32 mask);
int fusex_attr_fetch(struct inode *inode, struct file *file, u32 mask,
		     unsigned int flags);
void fusex_attr_changed(struct inode *inode);
void fusex_attr_uncertain(struct inode *inode);
void fusex_attr_through(struct inode *inode, loff_t end,
			const struct inode *real);
void fusex_fill_stat(struct mnt_idmap *idmap, struct inode *inode,
		     struct kstat *stat, u32 mask);
void fusex_setattr_fill(struct mnt_idmap *idmap, struct inode *inode,
			const struct iattr *attr, struct fusex_setattr_in *in);
int fusex_setattr_send(struct inode *inode, const struct fusex_setattr_in *in,
		       struct fusex_attr_out *out, u64 *epoch);
int fusex_attr_taken(struct inode *inode, struct fusex_call *call, u64 epoch,
		     u32 did);
int fusex_attr_call(struct inode *inode, struct fusex_call *call,
		    struct fusex_attr_out *out, u32 did);
bool fusex_attr_modes_local(const struct fusex_conf *conf);
const struct dentry_operations *
fusex_attr_dentry_ops(const struct fusex_conf *conf);
void fusex_attr_forget_absence(struct inode *inode);
bool fusex_xattr_absent(struct inode *inode, const char *name);
void fusex_attr_links(struct inode *inode, u32 did);
int fusex_setattr_common(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct iattr *attr);
struct timespec64 fusex_time_to_ts(const struct fusex_time *t);
struct fusex_time fusex_ts_to_time(struct timespec64 ts);
u64 fusex_expiry(u64 valid_ns, u64 now_jiffies64);

static inline void fusex_attr_apply(struct inode *inode,
				    const struct fusex_attr_reply *r)
{
	fusex_i(inode)->attr->apply(inode, r);
}

/* maps.c: the server says what it knows of the size; fusex_inode.lock is held. */
void fusex_maps_size(struct inode *inode, loff_t size);

/*
 * super.c
 */
int fusex_super_init(void);
void fusex_super_exit(void);

/* There may be something to sync: see fusex_umount_sync(). */
static inline void fusex_note_used(const struct super_block *sb)
{
	struct fusex_sb *fs = fusex_sb(sb);

	if (unlikely(!READ_ONCE(fs->used)))
		WRITE_ONCE(fs->used, true);
}

/* Is there nobody whom fusex_allowed() keeps out? */
static inline bool fusex_allows_all(const struct super_block *sb)
{
	const struct fusex_sb *fs = fusex_sb(sb);

	return fs->allow_other && fs->user_ns == &init_user_ns;
}

static inline bool fusex_is_mounters(const struct fusex_sb *fs)
{
	const struct cred *cred = current_cred();

	if (fs->allow_other)
		return current_in_userns(fs->user_ns);
	return uid_eq(cred->euid, fs->owner) && uid_eq(cred->suid, fs->owner) &&
	       uid_eq(cred->uid, fs->owner) &&
	       gid_eq(cred->egid, fs->owner_gid) &&
	       gid_eq(cred->sgid, fs->owner_gid) &&
	       gid_eq(cred->gid, fs->owner_gid);
}

/**
 * fusex_allowed - may the current task use this file system?
 * @sb: the super block
 *
 * A server sees what the programs that use its files do, and can hold them up,
 * which is what ptrace allows.  So only tasks of the mounter's come in, unless
 * everybody was let in with allow_other, and then only those whose ids the
 * mounter's user namespace knows.
 *
 * Context: any, RCU walks included.  Several times in every system call that
 * names a file, hence inline.
 * Return: 0 or -EACCES.
 */
static inline int fusex_allowed(const struct super_block *sb)
{
	if (!fusex_is_mounters(fusex_sb(sb)))
		return -EACCES;
	fusex_note_used(sb);
	return 0;
}

/*
 * inode.c
 */
struct inode *fusex_iget(struct super_block *sb, const struct fusex_entry *e,
			 const void *handle, u64 epoch);
struct inode *fusex_iget_did(struct super_block *sb,
			     const struct fusex_entry *e, const void *handle,
			     u64 epoch, u32 did);
struct inode *fusex_ifind(struct super_block *sb, u64 nodeid, u32 generation);
void fusex_forget_unborn(struct super_block *sb, u64 nodeid, u32 generation);
void fusex_note_lost(struct super_block *sb, u64 epoch);
struct inode *fusex_alloc_inode(struct super_block *sb);
void fusex_free_inode(struct inode *inode);
bool fusex_inode_uncached(struct inode *inode);
bool fusex_inode_let_go(struct inode *inode);
void fusex_d_iput(struct dentry *dentry, struct inode *inode);
int fusex_drop_inode(struct inode *inode);
void fusex_evict_inode(struct inode *inode);
int fusex_write_inode(struct inode *inode, struct writeback_control *wbc);
void fusex_inode_gone(struct inode *inode);
int fusex_inode_cache_init(void);
void fusex_inode_cache_exit(void);

/**
 * fusex_inode_unmissed - is an error of writeback no loss?
 * @inode: the inode
 * @err: the error
 *
 * Context: any.
 * Return: whether the server no longer knows a file that was removed when
 * nobody used it.
 */
static inline bool fusex_inode_unmissed(struct inode *inode, int err)
{
	return err == -ESTALE &&
	       test_bit(FUSEX_I_UNUSED, &fusex_i(inode)->state);
}

/**
 * struct fusex_node_reply - a reply that names a node
 * @out: the node, and its directory
 * @open: in replies to CREATE and TMPFILE
 * @handle: the node's
 * @epoch: fusex_chan_epoch() from before the request was queued
 */
struct fusex_node_reply {
	struct fusex_entry_out out;
	struct fusex_open_out open;
	u8 handle[FUSEX_HANDLE_MAX];
	u64 epoch;
};

/*
 * namei.c, create.c, rename.c, symlink.c: inode operations both tables use
 */
struct dentry *fusex_lookup(struct inode *dir, struct dentry *dentry,
			    unsigned int flags);
int fusex_create(struct mnt_idmap *idmap, struct inode *dir,
		 struct dentry *dentry, umode_t mode);
int fusex_atomic_open(struct inode *dir, struct dentry *dentry,
		      struct file *file, unsigned int flags, umode_t mode);
int fusex_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
		  struct file *file, umode_t mode);
int fusex_mknod(struct mnt_idmap *idmap, struct inode *dir,
		struct dentry *dentry, umode_t mode, dev_t rdev);
struct dentry *fusex_mkdir(struct mnt_idmap *idmap, struct inode *dir,
			   struct dentry *dentry, umode_t mode);
int fusex_symlink(struct mnt_idmap *idmap, struct inode *dir,
		  struct dentry *dentry, const char *target);
int fusex_link(struct dentry *old, struct inode *dir, struct dentry *dentry);
int fusex_unlink(struct inode *dir, struct dentry *dentry);
int fusex_rmdir(struct inode *dir, struct dentry *dentry);
int fusex_rename(struct mnt_idmap *idmap, struct inode *olddir,
		 struct dentry *olddentry, struct inode *newdir,
		 struct dentry *newdentry, unsigned int flags);
const char *fusex_get_link(struct dentry *dentry, struct inode *inode,
			   struct delayed_call *done);
const char *fusex_get_link_kept(struct dentry *dentry, struct inode *inode,
				struct delayed_call *done);
int fusex_lookup_entry(struct inode *dir, const struct qstr *name,
		       struct fusex_node_reply *r);
int fusex_entry_call(struct inode *dir, struct fusex_call *call,
		     struct fusex_node_reply *r, u32 mode, bool open);
void fusex_entry_again(struct inode *dir, struct dentry *dentry, u64 valid,
		       u64 epoch);
struct dentry *fusex_splice(struct inode *dir, struct inode *inode,
			    struct dentry *dentry, u64 valid, u64 epoch);

/**
 * struct fusex_make - an object about to be made
 * @in: argument structure of the request
 * @acl: its access ACL, inherited, or NULL
 * @default_acl: its default ACL, inherited, or NULL
 * @records: padding to a multiple of 8, then struct fusex_xattr_rec records;
 *	NULL for none
 * @records_len: bytes of @records
 */
struct fusex_make {
	struct fusex_make_in in;
	struct posix_acl *acl;
	struct posix_acl *default_acl;
	void *records;
	size_t records_len;
};

/*
 * make.c: what a new object is born with
 */
int fusex_make_prepare(struct fusex_make *m, struct mnt_idmap *idmap,
		       struct inode *dir, struct dentry *dentry, umode_t mode,
		       u32 name_len, u32 target_len);
void fusex_make_inherited(struct inode *inode, const struct fusex_make *m,
			  u64 epoch);
void fusex_make_release(struct fusex_make *m);

/*
 * file.c: open files, whatever their data path
 */
struct fusex_file *fusex_file_get(struct file *file);
struct fusex_file *fusex_file_hold(struct file *file);
void fusex_file_put(struct fusex_file *ff);
int fusex_open(struct inode *inode, struct file *file);
int fusex_open_finish(struct inode *inode, struct file *file,
		      const struct fusex_open_out *out);
int fusex_release(struct inode *inode, struct file *file);
void fusex_file_release(struct inode *inode, struct fusex_file *ff, u32 flags);
void fusex_release_fh(struct inode *inode, u64 fh, u32 flags);
int fusex_flush(struct file *file, fl_owner_t id);
int fusex_fsync_server(struct inode *inode, struct file *file, loff_t start,
		       loff_t end, int datasync);
extern const struct file_operations fusex_dir_fops;

/*
 * readdir.c, xattr.c, acl.c, fileattr.c, lock.c, ioctl.c, shutdown.c, poll.c,
 * export.c
 */
int fusex_iterate(struct file *file, struct dir_context *ctx);
loff_t fusex_dir_llseek(struct file *file, loff_t offset, int whence);
void fusex_readdir_release(struct fusex_file *ff);
int fusex_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync);
extern const struct xattr_handler *const fusex_xattr_handlers[];
ssize_t fusex_listxattr(struct dentry *dentry, char *list, size_t size);
ssize_t fusex_getxattr(struct inode *inode, const char *name, void *value,
		       size_t size);
int fusex_setxattr(struct inode *inode, const char *name, const void *value,
		   size_t size, int flags);
void fusex_xattr_changed(struct inode *inode);
struct posix_acl *fusex_acl_fetch(struct inode *inode, int type);
int fusex_acl_store(struct inode *inode, struct posix_acl *acl, int type);
int fusex_fileattr_get(struct dentry *dentry, struct file_kattr *fa);
int fusex_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
		       struct file_kattr *fa);
int fusex_lock(struct file *file, int cmd, struct file_lock *fl);
int fusex_flock(struct file *file, int cmd, struct file_lock *fl);
u64 fusex_lock_owner(fl_owner_t owner);
u64 fusex_flock_new_owner(void);
bool fusex_lock_flush(struct file *file, fl_owner_t owner);
void fusex_lock_flush_failed(struct file *file, fl_owner_t owner);
int fusex_setlease(struct file *file, int arg, struct file_lease **lease,
		   void **priv);
long fusex_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long fusex_compat_ioctl(struct file *file, unsigned int cmd,
			unsigned long arg);
long fusex_shutdown(struct file *file, const u32 __user *arg);
__poll_t fusex_poll(struct file *file, struct poll_table_struct *wait);
int fusex_poll_notify(struct fusex_chan *chan, u64 kh);
void fusex_poll_abort(struct fusex_chan *chan);
void fusex_poll_release(struct fusex_file *ff);
extern const struct export_operations fusex_export_ops;

/*
 * inval.c: notify.c calls these with the super block pinned; they may sleep but never
 * wait for a reply of the server, whose thread they run in.
 */
struct inode *fusex_inval_find(struct super_block *sb, u64 nodeid,
			       u32 generation);
int fusex_notify_inode(struct super_block *sb,
		       const struct fusex_notify_inode *n);
int fusex_notify_entry(struct super_block *sb, u32 code,
		       const struct fusex_notify_entry *n, const char *name);
int fusex_notify_prune(struct super_block *sb,
		       const struct fusex_node_ref *refs, u32 count);
void fusex_prune_later(struct inode *inode);

#endif /* _FS_FUSEX_I_H */

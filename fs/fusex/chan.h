/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Channels and requests: the seam between the objects of the file system and
 * the transports that carry their requests to a server.
 *
 * Users of this header describe an operation in a struct fusex_call and hand
 * it to fusex_call() or fusex_call_async().  They never see a transport.
 */
#ifndef _FS_FUSEX_CHAN_H
#define _FS_FUSEX_CHAN_H

#include <linux/bvec.h>
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/fusex.h>
#include <linux/kobject.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct fusex_chan;
struct fusex_req;

/* The most segments an operation has besides its argument structure. */
#define FUSEX_IN_SEGS	3
#define FUSEX_OUT_SEGS	3

/*
 * How long who no signal reaches, because it is exiting or was killed already,
 * waits for an answer, or for the server to answer anything at all.
 */
#define FUSEX_EXIT_WAIT		(5 * HZ)
/* How long a kernel thread that unmounts looks on when nothing is answered. */
#define FUSEX_KTHREAD_WAIT	(60 * HZ)
/* How long may one take for a user's file system, however it gets on? */
#define FUSEX_KTHREAD_MOST	(600 * HZ)

/* What the kernel uses when the server leaves the choice to it. */
#define FUSEX_DEFAULT_IO_SIZE		SZ_1M
#define FUSEX_DEFAULT_BACKGROUND	64
#define FUSEX_DEFAULT_BLOCK_SIZE	4096

/* The modes, as bits (1 << mode), whose data is moved by mappings. */
#define FUSEX_IO_MAPPED		(BIT(FUSEX_IO_IOMAP) | BIT(FUSEX_IO_DAX))

/**
 * struct fusex_conf - what kernel and server have agreed on
 * @features: FUSEX_F_* in force
 * @io_mode: default enum fusex_io_mode
 * @attr_mode: default enum fusex_attr_mode
 * @io_modes: allowed modes, bit (1 << mode)
 * @attr_modes: likewise
 * @max_read: bytes of one READ, multiple of PAGE_SIZE
 * @max_write: bytes of one WRITE, multiple of PAGE_SIZE
 * @max_readahead: bytes
 * @max_background: asynchronous requests before submitters wait
 * @block_size: bytes
 * @handle_size: largest handle, bytes
 * @stack_depth: file systems that may be stacked below, this one included; 0
 *	when nothing is
 * @max_links: 0 for none known
 * @time_gran: nanoseconds
 * @time_min: seconds
 * @time_max: seconds
 * @max_file_size: bytes, at most MAX_LFS_FILESIZE
 * @subtype: NUL-terminated
 * @root: the root's entry, validated
 * @root_handle: its handle
 *
 * Constant once the channel is set up, so it is read without a lock.
 */
struct fusex_conf {
	u64 features;
	u8 io_mode;
	u8 attr_mode;
	u32 io_modes;
	u32 attr_modes;
	u32 max_read;
	u32 max_write;
	u32 max_readahead;
	u32 max_background;
	u32 block_size;
	u32 handle_size;
	u32 stack_depth;
	u32 max_links;
	u32 time_gran;
	s64 time_min;
	s64 time_max;
	u64 max_file_size;
	char subtype[32];
	struct fusex_entry root;
	u8 root_handle[FUSEX_HANDLE_MAX];
};

/**
 * struct fusex_in - bytes to be sent
 * @base: kernel memory, stays valid and unchanged until the call ends
 * @len: bytes
 */
struct fusex_in {
	const void *base;
	u32 len;
};

/**
 * struct fusex_out - room for bytes of the reply
 * @base: kernel memory, written only before the call ends
 * @len: bytes
 */
struct fusex_out {
	void *base;
	u32 len;
};

/**
 * struct fusex_call - one operation, described by its caller
 * @op: enum fusex_opcode
 * @node: the node, or NULL; the caller holds a reference for the call
 * @node2: the node whose handle is sent as the second one, or NULL
 * @id: node id to use when @node is NULL
 * @generation: likewise
 * @handle: likewise, NULL for none
 * @handle_len: bytes of @handle
 * @arg: the operation's argument structure, NULL for none
 * @arg_len: bytes of @arg, a multiple of 8
 * @in: further segments, sent in this order after the handles
 * @in_bvec: file data, sent last; NULL for none
 * @in_bytes: bytes of @in_bvec
 * @in_skip: bytes at the beginning of @in_bvec to pass over
 * @out: segments filled from the reply in this order; all must be filled
 *	exactly unless @out_var is set
 * @out_bvec: file data from the rest of the reply; NULL for none; may come
 *	short, and what is missing is left as it was
 * @out_bytes: bytes of @out_bvec
 * @out_skip: bytes at the beginning of @out_bvec to pass over
 * @out_var: the last used segment of @out may come short
 * @interruptible: signals other than fatal ones send CANCEL; the caller copes
 *	with -EINTR from the server
 * @patient: waits for other programs rather than for the server (a lock), so
 *	it has no deadline
 * @nofs: made by writeback or eviction on nobody's behalf; sent with
 *	FUSEX_REQ_KERNEL and the credentials of root
 * @background: counts against fusex_conf.max_background
 * @dispensable: an unmount does not wait for its answer, only until the server
 *	has got it: readahead, and what went on without its caller
 * @got: returned: bytes of reply payload that went to the short segment or to
 *	@out_bvec
 * @error: returned: what the call came to
 * @sent: returned: the server has seen the request and did not say that it
 *	failed: a call that changes something and ended with an error may have
 *	been carried out nevertheless
 * @unique: returned: for tracing
 * @end: of an asynchronous call, see fusex_call_async()
 *
 * A synchronous caller has it on its stack.  Everything it points to stays
 * valid until the call ends: an abandoned request never touches it again.
 */
struct fusex_call {
	u32 op;
	struct inode *node;
	struct inode *node2;
	u64 id;
	u32 generation;
	u16 handle_len;
	const void *handle;
	const void *arg;
	u32 arg_len;
	struct fusex_in in[FUSEX_IN_SEGS];
	const struct bio_vec *in_bvec;
	size_t in_bytes;
	size_t in_skip;
	struct fusex_out out[FUSEX_OUT_SEGS];
	const struct bio_vec *out_bvec;
	size_t out_bytes;
	size_t out_skip;
	bool out_var;
	bool interruptible;
	bool patient;
	bool nofs;
	bool background;
	bool dispensable;
	bool sent;
	size_t got;
	int error;
	u64 unique;
	void (*end)(struct fusex_call *call);
};

/**
 * struct fusex_kept - something that waits for stray requests to be answered
 * @link: in fusex_req.kept
 * @go: it need not wait for this one any longer; process context, does not wait for
 *	the server
 */
struct fusex_kept {
	struct llist_node link;
	void (*go)(struct fusex_chan *chan, struct fusex_kept *kept);
};

/**
 * struct fusex_forget - a FORGET that is always ready to be sent
 * @link: queue link
 * @kept: while it is kept back
 * @one: what to send
 *
 * Allocated with the inode so that eviction cannot fail.
 */
struct fusex_forget {
	union {
		struct llist_node link;
		struct fusex_kept kept;
	};
	struct fusex_forget_one one;
};

/**
 * enum fusex_chan_state - the life of a channel
 * @FUSEX_CHAN_NEW: being set up, nobody else has it
 * @FUSEX_CHAN_READY: set up, not mounted
 * @FUSEX_CHAN_MOUNTED: a super block uses it
 * @FUSEX_CHAN_DEAD: aborted, unmounted, or the last server descriptor is gone;
 *	nothing leaves this state
 */
enum fusex_chan_state {
	FUSEX_CHAN_NEW,
	FUSEX_CHAN_READY,
	FUSEX_CHAN_MOUNTED,
	FUSEX_CHAN_DEAD,
};

/**
 * struct fusex_leave_ops - for who has to know of calls without a caller
 * @leave: the caller is about to leave before the answer.  In its context, with
 *	the locks it has, does not wait for the server
 * @over: the call has ended after all, by an answer or not, in the context of
 *	fusex_call.end; but if that was just when the caller was about to leave,
 *	then in its context, as for @leave, and it is not late
 *
 * The nodes of the call are referenced meanwhile.  See fusex_call_leave().
 */
struct fusex_leave_ops {
	void (*leave)(struct inode *inode, const struct fusex_call *call);
	void (*over)(struct inode *inode, const struct fusex_call *call,
		     bool late);
};

/*
 * req.c, sure.c, forget.c: what callers use.  All of it may sleep unless it says
 * otherwise.
 *
 * fusex_call_async() returns 0 when call->end will be called exactly once,
 * perhaps before it returns; on an error (-ENOMEM, -ENOTCONN, -ENOSYS, -E2BIG)
 * it never is.  call->end runs in process context without locks, in the
 * server's thread among others: it must not wait for the server, so it drops
 * inodes with fusex_chan_defer_iput() only.
 *
 * fusex_call_sure() is fusex_call() for small requests that have to reach the
 * server even if their caller is being killed (unlocks, FLUSH): it works on a
 * copy, which stays queued when a signal ends the wait.  No bvecs, no out
 * segments.  fusex_call_leave() is for those that others have to wait for when
 * their caller does not any more.
 */
int fusex_call(struct fusex_chan *chan, struct fusex_call *call);
int fusex_call_async(struct fusex_chan *chan, struct fusex_call *call,
		     gfp_t gfp);
void fusex_call_abandon(struct fusex_chan *chan, u64 unique);
void fusex_call_take_back(struct fusex_chan *chan, u64 unique);
void fusex_call_abandon_reads(struct fusex_chan *chan,
			      const struct inode *inode);
int fusex_call_sure(struct fusex_chan *chan, struct fusex_call *call);
int fusex_call_leave(struct fusex_chan *chan, struct fusex_call *call,
		     struct inode *inode, const struct fusex_leave_ops *ops);
void fusex_call_orphan(struct fusex_chan *chan, u64 unique);
bool fusex_stray_holds(struct fusex_chan *chan, u64 nodeid, const u64 *fh,
		       struct fusex_kept *kept);
int fusex_stray_wait(struct fusex_chan *chan, u64 nodeid, bool nowait);
struct fusex_forget *fusex_forget_alloc(gfp_t gfp);
void fusex_forget_free(struct fusex_forget *forget);
void fusex_forget_queue(struct fusex_chan *chan, struct fusex_forget *forget,
			u64 nodeid, u32 generation, u64 nlookup);
bool fusex_chan_lacks(const struct fusex_chan *chan, u32 opcode);
void fusex_bad_reply(struct fusex_chan *chan, const struct fusex_call *call,
		     const char *why);

/*
 * chan.c: what a super block uses.
 *
 * fusex_chan_from_file() returns the channel with a reference, or
 * ERR_PTR(-EBADF) for a file that is not /dev/fusex, ERR_PTR(-EINVAL) for one
 * that was not set up.  fusex_chan_attach() gives -EINVAL, -EBUSY (mounted
 * already) or -ENODEV (dead).
 *
 * An unmount goes: fusex_chan_quiesce() (no more notifications, asynchronous
 * calls ended, deferred iputs done; the server still answers), then
 * kill_anon_super(), then fusex_chan_detach() (the channel is dead, forgets
 * not yet read are dropped), then fusex_chan_put().  Both do nothing when the
 * channel was never attached.
 */
struct fusex_chan *fusex_chan_from_file(struct file *file);
void fusex_chan_get(struct fusex_chan *chan);
bool fusex_chan_get_live(struct fusex_chan *chan);
void fusex_chan_put(struct fusex_chan *chan);
int fusex_chan_attach(struct fusex_chan *chan, struct super_block *sb);
void fusex_chan_quiesce(struct fusex_chan *chan);
void fusex_chan_hide(struct fusex_chan *chan);
void fusex_chan_detach(struct fusex_chan *chan);
void fusex_chan_abort(struct fusex_chan *chan);
long fusex_chan_patience(struct fusex_chan *chan);
long fusex_chan_patience_last(struct fusex_chan *chan);
void fusex_chan_in_vain(struct fusex_chan *chan);
bool fusex_chan_alive(const struct fusex_chan *chan);
bool fusex_chan_is_served(struct fusex_chan *chan);
bool fusex_chan_is_own(const struct fusex_chan *chan);
bool fusex_chan_leaving(const struct fusex_chan *chan);
u64 fusex_chan_epoch(struct fusex_chan *chan);
u64 fusex_chan_next_epoch(struct fusex_chan *chan);
const struct fusex_conf *fusex_chan_conf(const struct fusex_chan *chan);
struct user_namespace *fusex_chan_user_ns(const struct fusex_chan *chan);
struct pid_namespace *fusex_chan_pid_ns(const struct fusex_chan *chan);
u64 fusex_chan_answers(const struct fusex_chan *chan);
void fusex_chan_defer_iput(struct fusex_chan *chan, struct inode *inode);
bool fusex_chan_keep_inode(struct fusex_chan *chan, struct inode *inode);

/**
 * fusex_wait_while - wait as long as something gets on
 * @progress: expression of what has to, a number of 32 bits or more
 * @wait: as of fusex_wait_progress()
 *
 * Return: whether it has come.
 */
#define fusex_wait_while(progress, wait)				\
({									\
	u64 __now, __before = 0;					\
	bool __came = false, __first = true;				\
									\
	for (; !__came; __first = false) {				\
		__now = (progress);					\
		if (!__first && __now == __before)			\
			break;						\
		__before = __now;					\
		__came = (wait);					\
	}								\
	__came;								\
})

/**
 * fusex_wait_progress - wait where no signal can end it
 * @chan: the channel
 * @wait: expression that waits for up to FUSEX_EXIT_WAIT, true when what it
 *	waits for has come
 *
 * Waits again as long as the server answers something meanwhile.
 *
 * Return: false when the server does not get on.
 */
#define fusex_wait_progress(chan, wait)					\
({									\
	const struct fusex_chan *__chan = (chan);			\
									\
	fusex_wait_while(fusex_chan_answers(__chan), wait);		\
})

/**
 * fusex_wait_exiting_for - wait for the server, as a task that is exiting
 * @chan: the channel
 * @progress: as of fusex_wait_while()
 * @wait: as of fusex_wait_progress()
 *
 * Who has waited in vain does not wait again, see fusex_chan_patience().
 *
 * Return: 0, or -EINTR when it has not come.
 */
#define fusex_wait_exiting_for(chan, progress, wait)			\
({									\
	struct fusex_chan *__exiting = (chan);				\
	bool __patient = fusex_chan_patience(__exiting);		\
	bool __done = __patient && fusex_wait_while(progress, wait);	\
									\
	if (__patient && !__done)					\
		fusex_chan_in_vain(__exiting);				\
	__done ? 0 : -EINTR;						\
})

/**
 * fusex_wait_exiting - likewise, as long as the server answers something
 * @chan: the channel
 * @wait: as of fusex_wait_progress()
 *
 * Return: as of fusex_wait_exiting_for().
 */
#define fusex_wait_exiting(chan, wait)					\
({									\
	struct fusex_chan *__chan = (chan);				\
									\
	fusex_wait_exiting_for(__chan, fusex_chan_answers(__chan), wait); \
})

const char *fusex_op_name(u32 opcode);
const char *fusex_notify_name(u32 code);

/*
 * The module's life, in this order (main.c): fusex_inode_cache_init(),
 * fusex_transport_init() (caches, workqueues), those of the data side,
 * fusex_sysfs_init(), fusex_super_init(), fusex_dev_init() (/dev/fusex, last:
 * whoever can open it finds everything there); exit in reverse order.
 */
int fusex_transport_init(void);
void fusex_transport_exit(void);
int fusex_sysfs_init(void);
void fusex_sysfs_exit(void);
const struct kobj_type *fusex_dev_ktype(void);
int fusex_dev_init(void);
void fusex_dev_exit(void);

#endif /* _FS_FUSEX_CHAN_H */

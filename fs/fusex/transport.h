/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the transport: channels, requests and what carries them.
 *
 * chan.c owns the life of a channel, req.c the life of a request, msg.c the
 * bytes, forget.c the forgets, stats.c the counters.  A transport (dev.c)
 * moves requests between them and a server, through struct
 * fusex_transport_ops one way and the fusex_req_*() functions below the other
 * way.
 *
 * Locks: fusex_shard.lock, then fusex_chan.lock; both are taken in process
 * context only, neither is held while anything is copied or sleeps.
 */
#ifndef _FS_FUSEX_TRANSPORT_H
#define _FS_FUSEX_TRANSPORT_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/uio.h>
#include <linux/xarray.h>

#include "chan.h"

/* Requests of a channel are spread over this many shards. */
#define FUSEX_SHARD_BITS	3
#define FUSEX_SHARDS		BIT(FUSEX_SHARD_BITS)
#define FUSEX_SHARD_BUCKETS	16

/* Requests that nobody waits for are found by their nodes in so many lists. */
#define FUSEX_STRAY_BITS	5
/*
 * With more of them, whose server does not answer, it takes its chances: they are
 * memory that nobody is charged for, and who reclaims inodes may look at them all.
 */
#define FUSEX_STRAYS_MAX	8192

/* A FORGET carries at most this many nodes. */
#define FUSEX_FORGET_MAX	256
/* So many make a reader worth waking; fewer wait for FUSEX_FORGET_DELAY. */
#define FUSEX_FORGET_ENOUGH	64
#define FUSEX_FORGET_DELAY	msecs_to_jiffies(20)
/* Requests between two FORGETs when both are waiting. */
#define FUSEX_FORGET_EVERY	8

/* What a request holds besides file data, at most (see setup.c). */
#define FUSEX_REQ_ROOM		4096
#define FUSEX_REQ_PAYLOAD	(2 * XATTR_SIZE_MAX)

/*
 * How long is waited awake at most, nanoseconds: by a reader as long as KVM
 * does for a guest by default; by a caller, who looks only while the server's
 * thread runs, as long as a small change of a disk file system takes.
 */
#define FUSEX_SPIN_READER	(200 * NSEC_PER_USEC)
#define FUSEX_SPIN_CALLER	NSEC_PER_MSEC

/*
 * How long a thread of the server's that has just replied takes at most to come
 * back for the next request, nanoseconds: two system calls.
 */
#define FUSEX_SPIN_RETURN	(60 * NSEC_PER_USEC)

/**
 * struct fusex_spin - how long those who wait look before they sleep, learned
 * @ns: nanoseconds
 * @asleep: waits that were too long for that, since one was tried
 */
struct fusex_spin {
	u32 ns;
	u32 asleep;
};

/* Latencies are counted in buckets of [2^n, 2^(n+1)) microseconds. */
#define FUSEX_LAT_BUCKETS	28

/**
 * enum fusex_req_state - the life of a request, drawn in req.c
 * @FUSEX_REQ_NEW: made, or waiting for its turn in the background
 * @FUSEX_REQ_QUEUED: the transport has it
 * @FUSEX_REQ_SENDING: being copied to the server
 * @FUSEX_REQ_SENT: the server has it
 * @FUSEX_REQ_REPLYING: the reply is being copied
 * @FUSEX_REQ_DONE: over, the caller's memory is the caller's again
 */
enum fusex_req_state {
	FUSEX_REQ_NEW,
	FUSEX_REQ_QUEUED,
	FUSEX_REQ_SENDING,
	FUSEX_REQ_SENT,
	FUSEX_REQ_REPLYING,
	FUSEX_REQ_DONE,
};

/**
 * struct fusex_name - a node that a request names
 * @link: in fusex_chan.strays, while nobody waits for the request
 * @nodeid: the node, 0 for none
 * @fh: the server's name of an open file of it
 * @generation: of the node
 * @has_fh: there is one
 * @second: it is the second one
 * @changes: the request changes data of it
 */
struct fusex_name {
	struct hlist_node link;
	u64 nodeid;
	u64 fh;
	u32 generation;
	bool has_fh;
	bool second;
	bool changes;
};

/**
 * struct fusex_req - a request on its way
 * @ref: one reference is the waiting caller's, one belongs to whoever holds
 *	the request: a queue, a copier, or the table of the shard
 * @state: enum fusex_req_state, written under the shard's lock
 * @over_from: the state it went to DONE from
 * @cancel: the caller was interrupted: CANCEL is to follow
 * @background: counts against max_background
 * @dispensable: of the call
 * @looks: nobody was woken for it, its caller sees to that (the transport)
 * @stray: nobody waits for it, or will: it keeps FORGETs and RELEASEs of its nodes
 *	back, see stray.c
 * @late: it was made DONE before the server had answered it: it is in the table of
 *	the shard until that has happened
 * @abandon: errno that ends it as soon as the copy in progress is over
 * @error: what it came to, once DONE
 * @chan: the channel; outlives the request
 * @shard: where it is found by its number
 * @call: the caller's; not to be touched once DONE
 * @waiter: the caller, referenced; NULL for an asynchronous call
 * @server: the thread that was woken for it or took it first, referenced; kept
 *	only for a caller that looks
 * @spin: how long its caller looks before it sleeps, nanoseconds
 * @live: link in fusex_shard.live, later in a list of the ended
 * @hash: link in fusex_shard.table
 * @link: link in a queue, under fusex_chan.lock
 * @start: jiffies when it was given to the transport
 * @start_ns: the same by local_clock()
 * @took_ns: from then until it was over
 * @names: nodes and open files that it is about, once it is stray
 * @kept: what it keeps back, struct fusex_kept, under fusex_chan.lock
 * @in: the header to be sent
 */
struct fusex_req {
	refcount_t ref;
	u8 state;
	u8 over_from;
	bool cancel;
	bool background;
	bool dispensable;
	bool looks;
	bool stray;
	bool late;
	int abandon;
	int error;
	struct fusex_chan *chan;
	struct fusex_shard *shard;
	struct fusex_call *call;
	struct task_struct *waiter;
	struct task_struct *server;
	u32 spin;
	struct list_head live;
	struct hlist_node hash;
	struct list_head link;
	unsigned long start;
	u64 start_ns;
	u64 took_ns;
	struct fusex_name names[2];
	struct llist_head kept;
	struct fusex_in_header in;
};

/**
 * struct fusex_shard - some of the requests in flight
 * @lock: protects the lists and the states of the requests in them
 * @seq: numbers given out
 * @live: QUEUED to REPLYING, oldest first
 * @table: the same by number
 */
struct fusex_shard {
	spinlock_t lock; /* of all below, and of the requests' states */
	u64 seq;
	struct list_head live;
	struct hlist_head table[FUSEX_SHARD_BUCKETS];
} ____cacheline_aligned_in_smp;

/**
 * struct fusex_op_stats - what is counted per opcode and CPU
 * @count: requests that ended
 * @errors: with an error, the server's or ours
 * @latency: how long they took
 */
struct fusex_op_stats {
	u64 count;
	u64 errors;
	u64 latency[FUSEX_LAT_BUCKETS];
};

/**
 * enum fusex_submitter - what the submitter of a request does next
 * @FUSEX_GOES_ON: something else
 * @FUSEX_SLEEPS: it lets go of the CPU
 * @FUSEX_LOOKS: it can look whether a thread that has just replied takes the
 *	request, and kick if not, when told so by fusex_req.looks
 */
enum fusex_submitter {
	FUSEX_GOES_ON,
	FUSEX_SLEEPS,
	FUSEX_LOOKS,
};

/**
 * struct fusex_transport_ops - what a transport does for a channel
 * @submit: take a QUEUED request and its reference.  Sets fusex_req.looks if
 *	nobody was told of it.  -ENOTCONN, and the reference stays the
 *	caller's, when the channel is dead or the request over
 * @withdraw: give back a request that is over, true if it was still in the
 *	queue and the reference is the caller's now
 * @cancel: deliver CANCEL for a SENT request; takes a reference
 * @kick: forgets are ready, or a request was not taken; let a reader fetch them
 * @stop: the channel has just died, fusex_chan.lock is held: let go of
 *	everything, wake everybody
 *
 * None of them sleeps.
 */
struct fusex_transport_ops {
	int (*submit)(struct fusex_chan *chan, struct fusex_req *req,
		      enum fusex_submitter submitter);
	bool (*withdraw)(struct fusex_chan *chan, struct fusex_req *req);
	void (*cancel)(struct fusex_chan *chan, struct fusex_req *req);
	void (*kick)(struct fusex_chan *chan);
	void (*stop)(struct fusex_chan *chan);
};

struct fusex_reader;

/**
 * struct fusex_dev - an open file of /dev/fusex
 * @chan: set once, by setup or clone, with a reference
 * @setup: held by who sets @chan; not shared with other descriptors, for
 *	it is held while the server's memory is written
 * @link: link in fusex_chan.devs
 * @readers: idle readers of this descriptor, last come first
 *
 * The lists are protected by fusex_chan.lock.
 */
struct fusex_dev {
	struct fusex_chan *chan;
	struct mutex setup; /* of @chan while it is being set */
	struct list_head link;
	struct list_head readers;
};

/**
 * struct fusex_chan - a connection between a super block and a server
 * @ref: held by descriptors, by the super block, by a mount being made
 * @conf: what was agreed, constant
 * @ops: the transport
 * @user_ns: of the opener of the device; ids are translated to it
 * @pid_ns: of whoever set it up; process ids are translated to it
 * @server: who set it up
 * @request_size: bytes a request can have
 * @timeout: deadline of requests in jiffies, 0 for none
 * @timeout_ms: the same as it was set, milliseconds
 * @lacks: operations the server answered with ENOSYS
 * @nr_strays: how many are in @strays; read without @lock by who gives a node up
 * @epoch: see fusex_chan_epoch()
 * @lock: protects everything down to @stash; nests inside a shard's
 * @state: enum fusex_chan_state; read without the lock where a late answer
 *	does no harm
 * @sb: where notifications go, NULL unless mounted
 * @notifiers: notifications being carried out on @sb
 * @leaving: unmounting: what is dispensable ends when it is SENT
 * @nr_devs: descriptors of the server
 * @devs: all of them
 * @readers: all idle readers, last come first
 * @awake: the idle reader that looks, or did so last
 * @awake_since: local_clock() when it began to
 * @cpu_dev: descriptor last read on each CPU
 * @pending: requests for the next reader
 * @cancels: requests whose CANCEL is due
 * @served: requests since the last FORGET
 * @nr_background: background requests the transport has
 * @backlog: background requests beyond max_background
 * @forget_due: forgets do not wait for more of them
 * @stash: forgets taken from @forgets
 * @strays: requests that nobody waits for, by the nodes that they name
 * @forgets: queued without a lock
 * @nr_forgets: in @forgets and @stash
 * @forget_work: lets few forgets go after a while
 * @nr_async: asynchronous calls and deferred iputs that have not ended
 * @quiet: waits for @nr_async and @notifiers to become 0
 * @timer_armed: @timer will look at every request that is live now
 * @timer: ends requests past their deadline
 * @iputs: inodes to be put by @iput_work
 * @iput_work: does that
 * @poll: who polls a descriptor
 * @spin_most: how long a reader looks at most, nanoseconds; 0: nobody looks
 * @spin_reader: how long a reader looks, learned
 * @spin_caller: how long a caller looks, learned
 * @replied: local_clock() at the last reply, 0 when whoever replied has come
 *	back or is counted on already
 * @replied_cpu: where it was
 * @in_vain: fusex_chan_answers() when an exiting task gave up waiting, plus 1;
 *	0 for never
 * @in_vain_pid: the task that did last
 * @backing: struct fusex_bobj by cookie
 * @device: one of them that is a device, so that most mappings are of it; changes
 *	under the lock of @backing
 * @next_backing: the cookie to try next, protected by its lock
 * @bad_replies: how many there were
 * @stats: per opcode, allocated when first needed
 * @sysfs: directory under /sys/fs/fusex, while mounted
 * @dev: device number of the super block, for tracing
 * @rcu: names may be looked at under RCU after unmount
 * @shards: the requests
 */
struct fusex_chan {
	refcount_t ref;
	struct fusex_conf conf;
	const struct fusex_transport_ops *ops;
	struct user_namespace *user_ns;
	struct pid_namespace *pid_ns;
	struct pid *server;
	u32 request_size;
	unsigned long timeout;
	u32 timeout_ms;
	DECLARE_BITMAP(lacks, FUSEX_OP_NR);
	unsigned int nr_strays;
	atomic64_t epoch;

	spinlock_t lock ____cacheline_aligned_in_smp;
	u8 state;
	struct super_block *sb;
	unsigned int notifiers;
	bool leaving;
	unsigned int nr_devs;
	struct list_head devs;
	struct list_head readers;
	struct fusex_reader *awake;
	u64 awake_since;
	struct fusex_dev * __percpu *cpu_dev;
	struct list_head pending;
	struct list_head cancels;
	unsigned int served;
	u32 nr_background;
	struct list_head backlog;
	bool forget_due;
	struct llist_node *stash;
	struct hlist_head strays[BIT(FUSEX_STRAY_BITS)];

	struct llist_head forgets ____cacheline_aligned_in_smp;
	atomic_t nr_forgets;
	struct delayed_work forget_work;
	atomic_t nr_async;
	wait_queue_head_t quiet;
	int timer_armed;
	struct delayed_work timer;
	struct llist_head iputs;
	struct work_struct iput_work;
	wait_queue_head_t poll;
	u32 spin_most;
	struct fusex_spin spin_reader;
	struct fusex_spin spin_caller;
	u64 replied;
	u32 replied_cpu;
	u64 in_vain;
	pid_t in_vain_pid;
	struct xarray backing;
	struct fusex_bobj __rcu *device;
	u32 next_backing;
	atomic_t bad_replies;
	struct fusex_op_stats __percpu *stats[FUSEX_OP_NR];
	struct fusex_sysfs *sysfs;
	dev_t dev;
	struct rcu_head rcu;
	struct fusex_shard shards[FUSEX_SHARDS];
};

/**
 * fusex_deadline_left - how long a request has still to wait
 * @start: jiffies when it was given to the transport
 * @timeout: its deadline, jiffies
 * @now: jiffies
 *
 * Return: jiffies, 0 or less when the time is over.
 */
static inline long fusex_deadline_left(unsigned long start,
				       unsigned long timeout,
				       unsigned long now)
{
	return (long)(start + timeout - now);
}

/* chan.c */
struct fusex_chan *fusex_chan_alloc(const struct fusex_transport_ops *ops);
void fusex_chan_arm(struct fusex_chan *chan);
void fusex_chan_set_timeout(struct fusex_chan *chan, u32 timeout_ms);
u32 fusex_chan_timeout(const struct fusex_chan *chan);
struct super_block *fusex_chan_pin_sb(struct fusex_chan *chan);
void fusex_chan_unpin_sb(struct fusex_chan *chan);
void fusex_chan_async_done(struct fusex_chan *chan);
extern struct workqueue_struct *fusex_wq;

/* req.c: what transports do to requests */
bool fusex_req_legal(u8 from, u8 to);
bool fusex_req_over(const struct fusex_req *req);
void fusex_req_note_server(struct fusex_req *req, struct task_struct *task);
bool fusex_req_start_send(struct fusex_req *req);
bool fusex_req_sent(struct fusex_req *req);
bool fusex_req_unsend(struct fusex_req *req);
struct fusex_req *fusex_req_start_reply(struct fusex_chan *chan, u64 unique);
bool fusex_req_unreply(struct fusex_req *req);
int fusex_req_reply(struct fusex_req *req, int error);
void fusex_req_refused(struct fusex_req *req);
void fusex_req_put(struct fusex_req *req);
void fusex_req_wake(struct task_struct *task, bool sync);

struct fusex_req *fusex_req_of(struct fusex_shard *shard, u64 unique);

/* stray.c */
void fusex_stray_add(struct fusex_req *req);
void fusex_stray_end(struct fusex_req *req);
void fusex_stray_answered(struct fusex_chan *chan, u64 unique);
void fusex_stray_end_all(struct fusex_chan *chan);
void fusex_stray_leave(struct fusex_chan *chan);

/* spin.c */
u32 fusex_spin_learn(u32 spin, u64 waited, u32 most);
void fusex_spin_note(struct fusex_spin *spin, u64 waited, u32 most);
bool fusex_spin_caller_on(u64 start, u32 spin);
bool fusex_spin_on(u64 start, u32 spin);
u32 fusex_spin_caller_most(const struct fusex_chan *chan);

/* req.c: what channels do to requests */
unsigned long fusex_req_sweep(struct fusex_chan *chan, unsigned long timeout);
void fusex_req_leave(struct fusex_chan *chan);
void fusex_req_end_all(struct fusex_chan *chan, int error);
int fusex_req_cache_init(void);
void fusex_req_cache_exit(void);

/* msg.c */
u64 fusex_msg_nodeid(const struct fusex_call *call);
void fusex_msg_identity(struct fusex_call *call);
ssize_t fusex_msg_size(const struct fusex_chan *chan,
		       const struct fusex_call *call,
		       struct fusex_in_header *in);
int fusex_msg_encode(const struct fusex_req *req, struct iov_iter *to);
int fusex_msg_decode(struct fusex_call *call, struct iov_iter *from,
		     const char **why);

/* forget.c */
bool fusex_forget_ready(const struct fusex_chan *chan);
struct llist_node *fusex_forget_take(struct fusex_chan *chan, u32 max,
				     u32 *count);
void fusex_forget_return(struct fusex_chan *chan, struct llist_node *first,
			 u32 count);
void fusex_forget_drop(struct fusex_chan *chan);
void fusex_forget_free_all(struct llist_node *first);
ssize_t fusex_forget_encode(struct llist_node *first, u32 count,
			    struct iov_iter *to);
void fusex_forget_work(struct work_struct *work);
int fusex_forget_cache_init(void);
void fusex_forget_cache_exit(void);

/* stats.c */
void fusex_stats_prepare(struct fusex_chan *chan, u32 op, gfp_t gfp);
void fusex_stats_note(struct fusex_chan *chan, u32 op, int error, u64 ns);
bool fusex_stats_sum(const struct fusex_chan *chan, u32 op,
		     struct fusex_op_stats *sum);
void fusex_stats_free(struct fusex_chan *chan);
unsigned int fusex_stats_bucket(u64 ns);

/* setup.c */
long fusex_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* dev.c */
extern const struct file_operations fusex_dev_fops;
extern const struct fusex_transport_ops fusex_dev_transport;
void fusex_dev_join(struct fusex_dev *dev, struct fusex_chan *chan);

/* notify.c */
int fusex_notify(struct fusex_chan *chan, u32 code, struct iov_iter *from);

/* sysfs.c */
int fusex_sysfs_add(struct fusex_chan *chan, struct super_block *sb);
void fusex_sysfs_remove(struct fusex_chan *chan);

#endif /* _FS_FUSEX_TRANSPORT_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libfusex know of each other.
 *
 * A worker owns one struct fusex_req with its two buffers and uses it for one
 * request after the other, so that a request costs a read(2), the handler and
 * a write(2) and no allocation.  When a handler defers, the worker gives that
 * request away and takes another from the session's pool; the reply puts it
 * back.
 *
 * fusex_session.lock protects the list of workers, the pool, the list of
 * deferred requests, and of each request the fields marked "lock".  It is the
 * only lock, and never held while the server is called or the kernel is
 * written to.
 */
#ifndef FUSEX_INTERNAL_H
#define FUSEX_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include <fusex.h>

/* Largest value or list of extended attributes in Linux. */
#define XATTR_BYTES		65536u

/* Room for headers in front of the page-aligned reply data. */
#define DATA_HEADROOM		4096u

/* Recent cancellations of requests that were not found. */
#define EARLY_CANCELS		16

/* The unique of requests that the library makes itself: no answer is sent. */
#define NO_UNIQUE		UINT64_MAX

/**
 * struct reply_msg - a reply of fixed size, ready to be written
 * @h: header
 * @u: result of the operation; @room makes up for the open result that goes
 *	between an entry and its handle
 */
struct reply_msg {
	struct fusex_out_header h;
	union {
		struct {
			struct fusex_entry_reply entry;
			unsigned char		room[sizeof(struct fusex_open_out)];
		};
		struct fusex_attr_out	attr;
		struct fusex_unlink_out	unlink;
		struct fusex_rename_out	rename;
		struct fusex_open_out	open;
		struct fusex_write_out	write;
		struct fusex_lseek_out	lseek;
		struct fusex_fileattr	fileattr;
		struct fusex_lock	lock;
		struct fusex_poll_out	poll;
		struct fusex_statfs_out	statfs;
		struct fusex_map_begin_out map;
	} u;
};

/**
 * struct fusex_dir - names collected for READDIR
 * @buf: where the records go
 * @size: bytes of room
 * @used: bytes filled
 * @last: latest record, NULL for none
 * @entries: whether records may hold entries
 * @handle_size: largest handle that was agreed on
 */
struct fusex_dir {
	unsigned char	*buf;
	size_t		size;
	size_t		used;
	struct fusex_dirent *last;
	bool		entries;
	uint32_t	handle_size;
};

/**
 * struct fusex_req - a request and all that answering it takes
 * @se: session
 * @fd: descriptor the reply is written to
 * @in: the buffer requests are read into
 * @hdr: header, in @in
 * @arg: argument structure, in @in
 * @op: description of the operation
 * @node: the node it is about
 * @node2: the second node, of operations that have one
 * @payload: what follows the handles
 * @left: bytes of payload not yet taken
 * @data: page-aligned buffer for reply data, with DATA_HEADROOM before it
 * @dir: READDIR in progress
 * @open: open result of CREATE and TMPFILE
 * @msg: reply of fixed size
 * @active: unique of the request, as the canceller sees it
 * @cancelled: unique of the last request in this structure to be cancelled
 * @armed: whether @cancel_fn was set since the request began
 * @cancel_fn: lock: whom to tell
 * @cancel_data: lock: what to give it
 * @cancel_running: lock: it is being called
 * @cancel_thread: lock: by this thread
 * @answered: lock: a reply function was called
 * @deferred: lock: the handler returned FUSEX_DEFERRED
 * @next: lock: in the session's pool or list of deferred requests
 * @prevp: lock: what points here, in the list of deferred requests
 */
struct fusex_req {
	struct fusex_session	*se;
	int			fd;
	unsigned char		*in;
	const struct fusex_in_header *hdr;
	const void		*arg;
	const struct op_desc	*op;
	struct fusex_node	node;
	struct fusex_node	node2;
	const unsigned char	*payload;
	size_t			left;
	unsigned char		*data;
	struct fusex_dir	dir;
	struct fusex_open_out	open;
	struct reply_msg	msg;
	atomic_ullong		active;
	atomic_ullong		cancelled;
	atomic_bool		armed;
	void			(*cancel_fn)(struct fusex_req *req, void *data);
	void			*cancel_data;
	bool			cancel_running;
	pthread_t		cancel_thread;
	bool			answered;
	bool			deferred;
	struct fusex_req	*next;
	struct fusex_req	**prevp;
};

/**
 * struct worker - a thread that serves
 * @se: session
 * @thread: it
 * @fd: its descriptor of the channel
 * @cancel_state: for pthread_setcancelstate()
 * @req: the request it is working on; changed under the lock
 * @next: lock: next worker
 */
struct worker {
	struct fusex_session	*se;
	pthread_t		thread;
	int			fd;
	int			cancel_state;
	struct fusex_req	*req;
	struct worker		*next;
};

/**
 * struct fusex_session - one file system
 * @ops: the server's operations
 * @cfg: the server's configuration
 * @userdata: the server's
 * @fd: descriptor of the channel, -1 before setup
 * @wake_fd: eventfd that wakes fusex_run()
 * @gone_fd: what a closed channel becomes, reads as empty and cannot be written
 * @fake: @fd is no /dev/fusex but a test's, and cannot be cloned
 * @ready: setup was done
 * @agreed: what the kernel returned from it
 * @in_size: bytes of request buffers
 * @data_size: bytes of reply data buffers
 * @target: absolute path of the mount point, NULL when not mounted by us
 * @mnt_id: the kernel's number of the mount, never used again; 0 unknown
 * @mnt_dev: st_dev of what is on it
 * @error: last error in words
 * @lock: see the top of this file
 * @changed: lock: a cancel function returned, a request came into the pool,
 *	or workers are to end
 * @workers: lock: all of them
 * @nr_workers: lock: how many
 * @max_workers: how many there may be
 * @idle: workers that wait for a request
 * @pool: lock: requests that nobody uses
 * @pool_size: lock: how many
 * @busy: lock: requests that were deferred and not answered
 * @ran: fusex_run() was called
 * @stopping: lock: workers are to end
 * @stop: fusex_session_stop() was called
 * @ended: a worker was told that the channel is gone, or the file system
 * @unmounting: threads of the program that unmount it
 * @last: unique of UNMOUNT, which is answered when the session is freed
 * @failure: errno of a worker that could not go on
 * @early: uniques whose cancellation found no request
 * @early_used: whether there were any
 * @early_next: lock: slot to use next
 */
struct fusex_session {
	struct fusex_ops	ops;
	struct fusex_config	cfg;
	void			*userdata;
	int			fd;
	int			wake_fd;
	int			gone_fd;
	bool			fake;
	bool			ready;
	struct fusex_setup	agreed;
	size_t			in_size;
	size_t			data_size;
	char			*target;
	uint64_t		mnt_id;
	dev_t			mnt_dev;
	char			error[512];
	pthread_mutex_t		lock;
	pthread_cond_t		changed;
	struct worker		*workers;
	unsigned int		nr_workers;
	unsigned int		max_workers;
	atomic_int		idle;
	struct fusex_req	*pool;
	unsigned int		pool_size;
	struct fusex_req	*busy;
	bool			ran;
	bool			stopping;
	atomic_bool		stop;
	atomic_bool		ended;
	atomic_int		unmounting;
	atomic_ullong		last;
	atomic_int		failure;
	atomic_ullong		early[EARLY_CANCELS];
	atomic_bool		early_used;
	unsigned int		early_next;
};

/** enum reply_kind - which fusex_reply_*() fits */
enum reply_kind {
	REPLY_NEVER,
	REPLY_EMPTY,
	REPLY_ENTRY,
	REPLY_CREATE,
	REPLY_ATTR,
	REPLY_UNLINK,
	REPLY_RENAME,
	REPLY_OPEN,
	REPLY_DATA,
	REPLY_WRITE,
	REPLY_DIR,
	REPLY_LSEEK,
	REPLY_XATTR,
	REPLY_FILEATTR,
	REPLY_LOCK,
	REPLY_IOCTL,
	REPLY_POLL,
	REPLY_STATFS,
	REPLY_MAP,
};

/** enum req_fate - what became of a request when its handler returned */
enum req_fate {
	REQ_DONE,
	REQ_DEFERRED,
};

/**
 * struct op_desc - one operation
 * @run: takes the request apart, calls the handler, replies
 * @handler: offset of the handler in struct fusex_ops
 * @arg_len: bytes of the argument structure
 * @kind: form of the reply
 */
struct op_desc {
	enum req_fate	(*run)(struct fusex_req *req);
	uint16_t	handler;
	uint16_t	arg_len;
	enum reply_kind	kind;
};

/* Structures of programs: what later versions add comes behind these members. */
#define CONFIG_SIZE_FIRST \
	(offsetof(struct fusex_config, root) + sizeof(struct fusex_entry_reply))
#define RUN_SIZE_FIRST \
	(offsetof(struct fusex_run_options, max_threads) + sizeof(uint32_t))

/* session.c */
int copy_versioned(void *dst, size_t known, const void *src, size_t size);
int session_fail(struct fusex_session *se, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void session_end_fd(struct fusex_session *se, int fd);
void session_wake(struct fusex_session *se);
int session_attach(struct fusex_session *se, int fd,
		   const struct fusex_setup *agreed);

/* end.c */
void session_let_go(struct fusex_session *se);

/* setup.c */
int session_clone_fd(struct fusex_session *se);
void session_set_sizes(struct fusex_session *se);

/* diagnose.c */
const char *setup_fault(const struct fusex_setup *s);

/* options.c */
struct mount_options {
	uint64_t	attr;
	int		(*set)(void *ctx, const char *key, const char *value);
	void		*ctx;
};

int options_parse(const char *options, struct mount_options *mo);

/**
 * struct mountinfo - /proc/self/mountinfo while it is read
 * @f: the file
 * @line: of the mount, taken apart
 * @size: bytes there is room for
 * @id: the mount's number, which is another's as soon as that is gone
 * @dev: MAJOR:MINOR that stat(2) shows
 * @path: where it is
 */
struct mountinfo {
	FILE		*f;
	char		*line;
	size_t		size;
	long		id;
	const char	*dev;
	char		*path;
};

/* mountinfo.c */
int mountinfo_open(struct mountinfo *mi);
bool mountinfo_next(struct mountinfo *mi);
void mountinfo_close(struct mountinfo *mi);

/* elsewhere.c */
typedef void (*still_mounted_fn)(struct fusex_session *se, const char *where,
				 int error);

void session_elsewhere(struct fusex_session *se, still_mounted_fn fn);

/* unmount.c */
uint64_t mount_id_of_fd(int fd, dev_t *dev);
int session_sync(const struct fusex_session *se);
void session_forget_mount(struct fusex_session *se);

/* request.c */
struct fusex_req *req_alloc(struct fusex_session *se);
void req_free(struct fusex_req *req);
struct fusex_req *req_take(struct fusex_session *se);
bool req_hand_over(struct worker *w);
void req_leave(struct fusex_req *req);
void req_answered(struct fusex_req *req);
void req_cancel_returned(struct fusex_req *req);
int req_parse(struct fusex_req *req, size_t len);
const char *req_name(struct fusex_req *req, uint32_t len, uint32_t max);
void req_node2(struct fusex_req *req, const struct fusex_node_ref *ref);

/* dispatch.c */
enum req_fate req_dispatch(struct fusex_req *req, size_t len);
enum req_fate req_malformed(struct fusex_req *req);

/* cancel.c */
void req_begin(struct fusex_req *req);
void req_disarm(struct fusex_req *req);
void session_cancel(struct fusex_session *se, uint64_t unique);
void session_cancel_all(struct fusex_session *se);

/* send.c */
int req_send(struct fusex_req *req, struct fusex_out_header *h, size_t len);
int req_send_error(struct fusex_req *req, int error);
int req_send_fixed(struct fusex_req *req, size_t len);
int req_send_entry(struct fusex_req *req, const struct fusex_open_out *open);
int req_send_data(struct fusex_req *req, size_t head, size_t len);
int write_all(int fd, const void *buf, size_t len);
int writev_all(int fd, const struct iovec *iov, int count);
enum req_fate req_finish(struct fusex_req *req, int ret, size_t len);
enum req_fate req_finish_data(struct fusex_req *req, ssize_t ret, size_t max);

/* undo.c */
void req_undo(struct fusex_req *req, const void *reply);

/* dir.c */
void dir_begin(struct fusex_req *req);
unsigned char *put_padded(unsigned char *p, const void *src, size_t len);

/* op_*.c */
enum req_fate op_lookup(struct fusex_req *req);
enum req_fate op_forget(struct fusex_req *req);
enum req_fate op_getattr(struct fusex_req *req);
enum req_fate op_setattr(struct fusex_req *req);
enum req_fate op_access(struct fusex_req *req);
enum req_fate op_readlink(struct fusex_req *req);
enum req_fate op_create(struct fusex_req *req);
enum req_fate op_mknod(struct fusex_req *req);
enum req_fate op_mkdir(struct fusex_req *req);
enum req_fate op_symlink(struct fusex_req *req);
enum req_fate op_tmpfile(struct fusex_req *req);
enum req_fate op_link(struct fusex_req *req);
enum req_fate op_unlink(struct fusex_req *req);
enum req_fate op_rmdir(struct fusex_req *req);
enum req_fate op_rename(struct fusex_req *req);
enum req_fate op_open(struct fusex_req *req);
enum req_fate op_release(struct fusex_req *req);
enum req_fate op_flush(struct fusex_req *req);
enum req_fate op_read(struct fusex_req *req);
enum req_fate op_write(struct fusex_req *req);
enum req_fate op_fsync(struct fusex_req *req);
enum req_fate op_readdir(struct fusex_req *req);
enum req_fate op_fallocate(struct fusex_req *req);
enum req_fate op_lseek(struct fusex_req *req);
enum req_fate op_copy_range(struct fusex_req *req);
enum req_fate op_getxattr(struct fusex_req *req);
enum req_fate op_setxattr(struct fusex_req *req);
enum req_fate op_listxattr(struct fusex_req *req);
enum req_fate op_removexattr(struct fusex_req *req);
enum req_fate op_fileattr_get(struct fusex_req *req);
enum req_fate op_fileattr_set(struct fusex_req *req);
enum req_fate op_getlk(struct fusex_req *req);
enum req_fate op_setlk(struct fusex_req *req);
enum req_fate op_ioctl(struct fusex_req *req);
enum req_fate op_poll(struct fusex_req *req);
enum req_fate op_statfs(struct fusex_req *req);
enum req_fate op_syncfs(struct fusex_req *req);
enum req_fate op_resolve(struct fusex_req *req);
enum req_fate op_parent(struct fusex_req *req);
enum req_fate op_cancel(struct fusex_req *req);
enum req_fate op_map_begin(struct fusex_req *req);
enum req_fate op_map_end(struct fusex_req *req);
enum req_fate op_map_ioend(struct fusex_req *req);
enum req_fate op_map_return(struct fusex_req *req);
enum req_fate op_freeze(struct fusex_req *req);
enum req_fate op_shutdown(struct fusex_req *req);
enum req_fate op_unmount(struct fusex_req *req);

#endif /* FUSEX_INTERNAL_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A server on the bare interface that can be told to misbehave: it serves a
 * small tree from memory, and every reply passes through a twist first.
 *
 * The tree: the root holds "f" (a file of RAW_SIZE bytes), "g" (another),
 * "d" (a directory) and "l" (a symbolic link to "f"), and what tests make.
 */
#ifndef SELFTESTS_RAW_H
#define SELFTESTS_RAW_H

#include <linux/fusex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAW_SIZE	10000
#define RAW_NODES	64
#define RAW_BODY	(2u << 20)
#define RAW_ROOT	1

/**
 * struct raw_reply - a reply before it is written
 * @oh: the header; @oh.len is filled in after the twist unless @keep_len
 * @body: what follows
 * @len: bytes of @body
 * @keep_len: @oh.len is a lie to be told
 * @drop: do not reply
 * @times: write it so often
 */
struct raw_reply {
	struct fusex_out_header oh;
	char *body;
	size_t len;
	bool keep_len;
	bool drop;
	int times;
};

struct maps;
struct raw;

/**
 * raw_twist - bend a reply
 * @r: the server
 * @in: the request, its argument structure and names behind it
 * @rep: the honest reply, to be changed
 */
typedef void (*raw_twist)(struct raw *r, const struct fusex_in_header *in,
			  struct raw_reply *rep);

/**
 * struct raw_node - a node of the tree
 * @mode: 0 when unused
 * @name: in @parent; empty when it has none
 * @parent: node id
 * @size: of a file
 * @nlink: link count
 * @io_mode: mode its entries ask for
 * @backing: cookie in its entries
 */
struct raw_node {
	uint32_t mode;
	char name[FUSEX_NAME_MAX + 1];
	uint64_t parent;
	uint64_t size;
	uint32_t nlink;
	uint8_t io_mode;
	uint32_t backing;
};

/**
 * struct raw - a server
 * @fd: the channel
 * @mnt: where it is mounted
 * @setup: what was agreed
 * @twist: applied to replies of @op, or of all operations when @op is 0
 * @op: see @twist
 * @data: for @twist
 * @count: requests seen, by opcode
 * @forgotten: nodes that a FORGET named
 * @busy: requests that were read and whose reply is not written yet
 * @write_errno: errno of the last write(2) of a twisted reply
 * @seen: requests that met @twist
 * @make: what the reply to CREATE asks for: its io_mode and backing count
 * @nodes: by node id
 * @maps: where files are, see maps.h; NULL for one that cannot tell
 */
struct raw {
	int fd;
	char mnt[32];
	struct fusex_setup setup;
	raw_twist twist;
	uint32_t op;
	const void *data;
	atomic_uint count[FUSEX_OP_NR];
	atomic_bool forgotten[RAW_NODES];
	atomic_int busy;
	atomic_int write_errno;
	atomic_uint seen;
	pthread_mutex_t lock;
	pthread_t threads[4];
	int nr_threads;
	struct raw_node make;
	struct raw_node nodes[RAW_NODES];
	struct maps *maps;
};

/** raw_setup_init() - a configuration that the kernel accepts */
void raw_setup_init(struct fusex_setup *s, uint32_t attr_mode);

/**
 * raw_mount() - open, set up and mount on a new folder
 * @r: to fill in; @r->setup is the configuration
 *
 * Fails the test when anything goes wrong.
 */
void raw_mount(struct raw *r);

/** raw_serve() - start the threads that answer */
void raw_serve(struct raw *r);

/** raw_alloc() - an empty server, in memory that children share */
struct raw *raw_alloc(void);

/** raw_start() - all of it, with default configuration and @attr_mode */
struct raw *raw_start(uint32_t attr_mode);

/** raw_start_io() - the same, and files are in @io_mode */
struct raw *raw_start_io(uint32_t attr_mode, uint8_t io_mode);

/** raw_never() - a twist: it is not answered */
void raw_never(struct raw *r, const struct fusex_in_header *in,
	       struct raw_reply *rep);

/** raw_refuse() - a twist: the answer is the error that @r->data points to */
void raw_refuse(struct raw *r, const struct fusex_in_header *in,
		struct raw_reply *rep);

/** raw_ask_on() - ask for so much that what comes unasked would have come */
void raw_ask_on(const struct raw *r);

/** raw_bend() - from now on replies of @op go through @twist */
void raw_bend(struct raw *r, uint32_t op, raw_twist twist, const void *data);

/** struct raw_want - a kind of request that is waited for, see UNTIL_SEEN() */
struct raw_want {
	struct raw *r;
	uint32_t op;
};

/** raw_seen() - has one come? @arg is a struct raw_want */
bool raw_seen(void *arg);

/** UNTIL_SEEN() - wait for a request of @op_, of 0 for one that is bent */
#define UNTIL_SEEN(r_, op_) \
	UNTIL(raw_seen, (&(struct raw_want){ .r = (r_), .op = (op_) }))

/** raw_stop() - unmount, which must succeed, and end the server */
void raw_stop(struct raw *r);

/** raw_path() - a name on the mount; the memory is one of a few in turn */
const char *raw_path(const struct raw *r, const char *name);

/** raw_sysfs() - a file of the mount's in sysfs, in static memory */
const char *raw_sysfs(const struct raw *r, const char *name);

/** raw_sysfs_write() - write one, without a request of the server's */
void raw_sysfs_write(const struct raw *r, const char *name, const char *text);

/** raw_unregister() - FUSEX_IOC_BACKING_REMOVE on the channel @fd */
int raw_unregister(int fd, uint32_t cookie, uint32_t flags);

/** raw_mount_fd() - mount the channel @fd at @mnt; 0 or -errno */
int raw_mount_fd(int fd, const char *mnt, char *log, size_t log_size);

#endif /* SELFTESTS_RAW_H */

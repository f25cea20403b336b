/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file system in memory whose insides a test can look at and change: the
 * server runs in a process of its own, and everything it knows lies in memory
 * that it shares with the test.
 */
#ifndef SELFTESTS_SERVER_H
#define SELFTESTS_SERVER_H

#include <fusex.h>
#include <stdatomic.h>

#include "../lib/fs.h"

enum { SRV_NODES = 32, SRV_NAMES = 64, SRV_DATA = 65536, SRV_ROOT = 1 };

/**
 * struct srv_node - a file, directory or link; its index is its node id
 * @generation: of the node id
 * @attr: attributes, with the mask that is to be sent
 * @io_mode: mode the entry asks for
 * @backing: cookie in the entry, see srv_back()
 * @flags: FUSEX_ENTRY_* of the entry
 * @has: bytes that can be read, if not 0 and not what @attr says
 * @data: contents of a file, target of a link
 * @xattr: value of "user.a", empty for none
 */
struct srv_node {
	uint32_t generation;
	uint8_t io_mode;
	uint32_t backing;
	uint32_t flags;
	struct fusex_attr attr;
	uint64_t has;
	unsigned char data[SRV_DATA];
	char xattr[32];
};

/** struct srv_name - a directory entry; free when @dir is 0 */
struct srv_name {
	uint64_t dir;
	uint64_t node;
	char name[64];
};

/**
 * struct srv - the server's state, shared with the test
 * @entry_valid: nanoseconds, sent with entries
 * @attr_valid: nanoseconds, sent with attributes
 * @calls: requests that came, by opcode
 * @fail: errno to answer, by opcode
 * @forgotten: lookups given back, by node id
 * @says_end: READDIR says which name is the last
 * @access_mask: of the last ACCESS
 * @revents: what POLL answers
 * @poll_kh: of the last POLL that asked for a notification
 * @lock_waits: SETLK requests that are being held
 * @lock_held: somebody has the one lock there is
 * @lock_owner: of whoever got the lock without waiting
 * @cancelled: requests whose caller was interrupted
 * @unlink_flags: of the last UNLINK
 * @inval_in_unlink: UNLINK says that the name is not what it was
 * @lingers: who has answered a GETATTR waits until the next one has come
 * @lingered_in_vain: how often none came
 * @holds: when it is unmounted the server has something open, as long as this is true
 * @unmounted: it is
 * @put_away: and it has not any more
 * @open_flags: of the last OPEN
 * @last_release: the last RELEASE
 * @last_flush: the last FLUSH
 * @last_write: the last WRITE
 * @writes_before: how many WRITEs had come when the last request of an opcode
 *	came
 * @hold: READs and WRITEs are kept until so many have come, 0 for none; then it
 *	is 0, and all are answered
 * @held: how many are kept
 * @takes: bytes of a WRITE that are taken at most, 0 for all
 * @nodes: by node id
 * @names: all of them
 */
struct srv {
	uint64_t entry_valid;
	uint64_t attr_valid;
	atomic_ulong calls[FUSEX_OP_NR];
	int fail[FUSEX_OP_NR];
	atomic_ulong forgotten[SRV_NODES];
	bool says_end;
	uint32_t access_mask;
	uint32_t revents;
	atomic_uint_fast64_t poll_kh;
	atomic_int lock_waits;
	atomic_int lock_held;
	_Atomic uint64_t lock_owner;
	atomic_int cancelled;
	uint32_t unlink_flags;
	bool inval_in_unlink;
	atomic_bool lingers;
	atomic_int lingered_in_vain;
	atomic_bool holds;
	atomic_bool unmounted;
	atomic_bool put_away;
	uint32_t open_flags;
	struct fusex_release_in last_release;
	struct fusex_flush_in last_flush;
	struct fusex_write_in last_write;
	unsigned long writes_before[FUSEX_OP_NR];
	atomic_int hold;
	atomic_int held;
	uint32_t takes;
	struct srv_node nodes[SRV_NODES];
	struct srv_name names[SRV_NAMES];
};

extern struct srv *srv;

/** WITHOUT() - srv_options.without for an operation */
#define WITHOUT(op)	(1ull << FUSEX_OP_##op)

/**
 * struct srv_options - how to serve
 * @attr_mode: enum fusex_attr_mode
 * @io_mode: enum fusex_io_mode, 0 for plain
 * @io_modes: bits (1 << mode) of those that nodes may have as well
 * @max_read: largest READ, 0 for the kernel's default
 * @max_write: largest WRITE, likewise
 * @block_size: of its files, 0 for a page
 * @features: FUSEX_F_* it cannot do without
 * @optional: FUSEX_F_* it would like
 * @without: WITHOUT() the operations that it lacks
 * @timeout_ms: deadline
 * @mount: mount options
 * @signals: it ends when it gets one
 * @powerless: it gives up its privileges when it has mounted
 * @loop: it has an event loop instead of workers
 */
struct srv_options {
	uint32_t attr_mode;
	uint32_t io_mode;
	uint32_t io_modes;
	uint32_t max_read;
	uint32_t max_write;
	uint32_t block_size;
	uint64_t features;
	uint64_t optional;
	uint64_t without;
	uint32_t timeout_ms;
	const char *mount;
	bool signals;
	bool powerless;
	bool loop;
};

/**
 * srv_start() - mount an empty file system at "m"
 * @o: how
 *
 * The mount is in a namespace of the test's own and goes with it.
 */
void srv_start(const struct srv_options *o);

/** srv_stop() - unmount and wait for the server; the test fails if it fails */
void srv_stop(void);

/** srv_pid() - the server's process */
pid_t srv_pid(void);

/** srv_kill() - the server dies; what is mounted stays */
void srv_kill(void);

/** srv_add() - a node with a name; returns its id */
uint64_t srv_add(uint64_t dir, const char *name, uint32_t mode,
		 const char *data);

/** file() - such a node: a regular file in the root */
static inline uint64_t file(const char *name, const char *text)
{
	return srv_add(SRV_ROOT, name, S_IFREG | 0644, text);
}

/** srv_find() - the entry of a name, NULL if there is none */
struct srv_name *srv_find(uint64_t dir, const char *name);

/** srv_ref() - a node as notifications name it */
struct fusex_node_ref srv_ref(uint64_t id);

/** srv_calls() - requests of that kind since srv_reset() */
unsigned long srv_calls(enum fusex_opcode op);

/** srv_reset() - start counting anew */
void srv_reset(void);

/** SRV_BACK - command to register the file @name, for reading and writing */
#define SRV_BACK	1000u

/**
 * struct srv_command - a notification, carried out by the server
 * @what: enum fusex_notify_code or SRV_BACK
 * @node: INVAL_INODE; the directory for names; the node for PRUNE
 * @child: DELETE_ENTRY
 * @flags: INVAL_INODE
 * @offset: likewise
 * @length: likewise
 * @kh: POLL
 * @name: of the entry
 */
struct srv_command {
	uint32_t what;
	struct fusex_node_ref node;
	struct fusex_node_ref child;
	uint32_t flags;
	uint64_t offset;
	uint64_t length;
	uint64_t kh;
	char name[64];
};

/** srv_notify() - returns what the notification came to, 0 or -errno */
int srv_notify(const struct srv_command *c);

/** srv_inval() - INVAL_INODE of the whole node, which must work */
void srv_inval(uint64_t id, uint32_t flags);

/** srv_entry() - a notification about a name */
int srv_entry(uint32_t what, uint64_t dir, const char *name);

/** srv_back() - make a node a passthrough one of the file @path */
void srv_back(uint64_t id, const char *path);

#define SEC	1000000000ull
#define LOCAL	FUSEX_ATTR_LOCAL
#define REMOTE	FUSEX_ATTR_REMOTE

/** BOTH() - two tests, one for each owner of the attributes */
#define BOTH(subject, name)						\
	static void both_##subject##_##name(uint32_t attr);		\
	TEST(subject, name##_local)					\
	{								\
		both_##subject##_##name(LOCAL);				\
	}								\
	TEST(subject, name##_remote)					\
	{								\
		both_##subject##_##name(REMOTE);			\
	}								\
	static void both_##subject##_##name(uint32_t attr)

#endif /* SELFTESTS_SERVER_H */

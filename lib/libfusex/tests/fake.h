/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel for the library's tests: the other end of a socket that keeps
 * messages apart, as /dev/fusex does.  Tests put requests together and look at
 * the replies.
 */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fusex.h>

#define FAKE_MAX_READ	65536u
#define FAKE_MAX_WRITE	65536u
#define FAKE_MESSAGE	(FAKE_MAX_WRITE + 4096u)

/**
 * struct fake - a session that is being served, and its kernel
 * @se: session
 * @sock: the kernel's end
 * @runner: the thread in fusex_run()
 * @opts: what fusex_run() was given
 * @result: what it returned
 * @unique: last used number of a request
 */
struct fake {
	struct fusex_session	*se;
	int			sock;
	pthread_t		runner;
	struct fusex_run_options opts;
	int			result;
	uint64_t		unique;
};

/**
 * struct message - a request or a reply
 * @len: bytes used
 * @buf: the bytes
 * @in: a request's header
 * @out: a reply's header
 */
struct message {
	size_t	len;
	union {
		_Alignas(8) unsigned char buf[FAKE_MESSAGE];
		struct fusex_in_header	in;
		struct fusex_out_header	out;
	};
};

void fake_start(struct fake *f, const struct fusex_ops *ops, void *userdata,
		uint32_t threads, uint32_t max_threads);
void fake_stop(struct fake *f);

/* Requests: begin, then argument, handles, names and data in this order. */
void msg_begin(struct fake *f, struct message *m, uint32_t op,
	       uint64_t nodeid);
void msg_arg(struct message *m, const void *arg, size_t len);
void msg_handle(struct message *m, const void *handle, size_t len);
void msg_handle2(struct message *m, const void *handle, size_t len);
void msg_name(struct message *m, const char *name);
void msg_data(struct message *m, const void *data, size_t len);
void msg_pad(struct message *m);
void fake_send(struct fake *f, struct message *m);
void fake_send_raw(struct fake *f, const void *data, size_t len);

/* Waits up to ten seconds; false when nothing came. */
bool fake_recv(struct fake *f, struct message *m);
/* Nothing is waiting to be received now. */
bool fake_quiet(struct fake *f);
/* Sends, and receives the reply that belongs to it. */
bool fake_call(struct fake *f, struct message *request, struct message *reply);

/* The reply's content. */
const void *reply_body(const struct message *m);
size_t reply_len(const struct message *m);

/**
 * struct event - something that threads wait for
 * @lock: protects @count
 * @changed: @count was changed
 * @count: how often it happened
 */
struct event {
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	unsigned int	count;
};

#define EVENT_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

void event_signal(struct event *e);
/* Waits up to ten seconds until it happened @count times in all. */
bool event_wait(struct event *e, unsigned int count);

#endif /* FAKE_H */

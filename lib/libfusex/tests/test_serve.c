// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Serving from an event loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../src/internal.h"
#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rq, rp;
static struct fusex_req *kept;
static unsigned int cancels;

static int t_statfs(struct fusex_req *req, const struct fusex_node *node,
		    struct fusex_statfs_out *out)
{
	out->blocks = 7;
	return 0;
}

static void on_cancel(struct fusex_req *req, void *data)
{
	cancels++;
	fusex_reply_err(req, EINTR);
}

static int t_syncfs(struct fusex_req *req)
{
	kept = req;
	fusex_req_on_cancel(req, on_cancel, NULL);
	return FUSEX_DEFERRED;
}

static const struct fusex_ops ops = {
	.statfs	= t_statfs,
	.syncfs	= t_syncfs,
};

static void ask(uint32_t op)
{
	msg_begin(&fake, &rq, op, op == FUSEX_OP_STATFS ? 1 : 0);
	fake_send(&fake, &rq);
}

static bool answered(void)
{
	return fake_recv(&fake, &rp) && rp.out.unique == rq.in.unique;
}

static void test_requests(void)
{
	is(fusex_serve_one(fake.se), 0, "there is nothing to do");
	ask(FUSEX_OP_STATFS);
	is(fusex_serve_one(fake.se), 1, "a request is served");
	ok(answered() && !rp.out.error, "and answered");
	is(fusex_serve_one(fake.se), 0, "once");
	ask(FUSEX_OP_STATFS);
	ask(FUSEX_OP_STATFS);
	ok(fusex_serve_one(fake.se) == 1 && fusex_serve_one(fake.se) == 1 &&
	   !fusex_serve_one(fake.se), "two are, one after the other");
	ok(fake_recv(&fake, &rp) && answered(), "and answered");
}

static void test_deferred(void)
{
	uint64_t unique;

	ask(FUSEX_OP_SYNCFS);
	unique = rq.in.unique;
	is(fusex_serve_one(fake.se), 1, "a handler defers its request");
	ok(fake_quiet(&fake), "which is not answered");
	ask(FUSEX_OP_STATFS);
	is(fusex_serve_one(fake.se), 1, "another one is served");
	ok(answered(), "and answered");
	ok(!fusex_reply_err(kept, 0), "then the first one is answered");
	ok(fake_recv(&fake, &rp) && rp.out.unique == unique,
	   "as who has asked sees");
	ask(FUSEX_OP_STATFS);
	ok(fusex_serve_one(fake.se) == 1 && answered(), "and it goes on");
}

static void test_end(void)
{
	ask(FUSEX_OP_SYNCFS);
	is(fusex_serve_one(fake.se), 1, "one more is deferred");
	is(cancels, 0, "somebody waits for it");
	shutdown(fake.sock, SHUT_RDWR);
	is(fusex_serve_one(fake.se), -ENODEV, "the file system is gone");
	is(cancels, 1, "nobody waits any more");
	is(fusex_serve_one(fake.se), -ENODEV, "it stays so");
}

/* Whoever unmounts it waits until the program has put away what it has. */
static void test_unmount(void)
{
	fake_start(&fake, &ops, NULL, 1, 1);
	fusex_session_stop(fake.se);
	pthread_join(fake.runner, NULL);
	ask(FUSEX_OP_UNMOUNT);
	is(fusex_serve_one(fake.se), -ENODEV, "it is unmounted");
	is(fusex_serve_one(fake.se), -ENODEV, "and stays so");
	ok(fake_quiet(&fake), "somebody waits for the program");
	fusex_session_free(fake.se);
	ok(answered() && !rp.out.error, "which says so when it is done");
	close(fake.sock);
}

static void test_not_set_up(void)
{
	struct fusex_session *se;
	struct fusex_config cfg;

	fusex_config_init(&cfg, sizeof(cfg));
	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
	ok(fusex_serve_one(se) == -EINVAL && *fusex_session_error(se),
	   "a session that is not set up");
	fusex_session_free(se);
}

int main(void)
{
	fake_start(&fake, &ops, NULL, 1, 1);
	fusex_session_stop(fake.se);
	pthread_join(fake.runner, NULL);
	test_requests();
	test_deferred();
	test_end();
	fusex_session_free(fake.se);
	close(fake.sock);
	test_unmount();
	test_not_set_up();
	return tap_end();
}

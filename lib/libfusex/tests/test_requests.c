// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests that are wrong, unknown, or not answered; and their header.
 */
#include <errno.h>
#include <string.h>

#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rq, rp;
static unsigned int calls;
static struct event forgotten = EVENT_INIT;
static struct fusex_forget_one forgets[3000];
static size_t nr_forgets;
static char userdata;

static int t_lookup(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, struct fusex_entry_reply *out)
{
	const struct fusex_in_header *h = fusex_req_header(req);

	calls++;
	ok(fusex_req_userdata(req) == &userdata &&
	   fusex_req_session(req) == fake.se, "a request knows its session");
	ok(h->uid == 1000 && h->gid == 1001 && h->pid == 1002 &&
	   h->opcode == FUSEX_OP_LOOKUP, "a request knows its caller");
	ok(!fusex_req_cancelled(req), "a request is not cancelled");
	return -ENOENT;
}

static int t_symlink(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const char *target,
		     const struct fusex_make_in *in,
		     struct fusex_entry_reply *out)
{
	struct fusex_xattr x;

	calls++;
	return fusex_req_xattr(req, 0, &x) ? -ENOENT : -EEXIST;
}

static int t_write(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_write_in *in, const void *buf,
		   struct fusex_write_out *out)
{
	calls++;
	return 0;
}

static ssize_t t_read(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_read_in *in, void *buf)
{
	calls++;
	return 0;
}

static void t_forget(struct fusex_req *req,
		     const struct fusex_forget_one *list, size_t count)
{
	memcpy(forgets + nr_forgets, list, count * sizeof(*list));
	nr_forgets += count;
	event_signal(&forgotten);
}

static const struct fusex_ops ops = {
	.lookup		= t_lookup,
	.symlink	= t_symlink,
	.write		= t_write,
	.read		= t_read,
	.forget		= t_forget,
};

static void lookup(const char *name, uint32_t name_len)
{
	struct fusex_lookup_in in = { .name_len = name_len };

	msg_begin(&fake, &rq, FUSEX_OP_LOOKUP, 1);
	msg_arg(&rq, &in, sizeof(in));
	msg_name(&rq, name);
}

static void expect_refused(const char *what)
{
	unsigned int before = calls;

	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -EIO &&
	   calls == before, "refused: %s", what);
}

/* Also after everything else that is wrong. */
static void works(void)
{
	unsigned int before = calls;

	lookup("name", 4);
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -ENOENT &&
	   calls == before + 1, "a good request is served");
}

static void test_names(void)
{
	char name[300];

	lookup("name", 5);
	expect_refused("a name that is shorter than said");
	lookup("name", 3);
	expect_refused("a name that is longer than said");
	lookup("", 0);
	expect_refused("no name");
	lookup("name", UINT32_MAX);
	expect_refused("a name of 4 GiB");
	memset(name, 'n', 256);
	name[256] = '\0';
	lookup(name, 256);
	expect_refused("a name of 256 bytes");
	lookup("name", 4);
	rq.buf[rq.len - 1] = 'x';
	expect_refused("a name without its NUL");
	lookup("name", 4);
	rq.buf[rq.len - 3] = '\0';
	expect_refused("a name with a NUL in it");
	lookup("name", 4);
	rq.len--;
	expect_refused("a name whose NUL is outside");
}

static void test_lengths(void)
{
	lookup("name", 4);
	rq.in.arg_len = 16;
	expect_refused("an argument of the wrong size");
	lookup("name", 4);
	rq.in.handle_len = 129;
	expect_refused("a handle that is too long");
	lookup("name", 4);
	rq.in.handle_len = 128;
	expect_refused("a handle that is not there");
	lookup("name", 4);
	rq.in.handle2_len = 8;
	expect_refused("a second handle that is not there");
	lookup("name", 4);
	rq.in.len = (uint32_t)rq.len + 1;
	fake_send_raw(&fake, rq.buf, rq.len);
	ok(fake_recv(&fake, &rp) && rp.out.error == -EIO,
	   "refused: a request that is not as long as it says");
	msg_begin(&fake, &rq, FUSEX_OP_LOOKUP, 1);
	expect_refused("no argument at all");
}

/* What is wrong is there, and what comes after it is right. */
static void test_wrong_but_there(void)
{
	struct { struct fusex_lookup_in in; uint64_t more; } arg = {
		.in = { .name_len = 4 },
	};
	char handle[136] = "";

	msg_begin(&fake, &rq, FUSEX_OP_LOOKUP, 1);
	msg_arg(&rq, &arg, sizeof(arg));
	msg_name(&rq, "name");
	expect_refused("an argument that is larger than known");
	msg_begin(&fake, &rq, FUSEX_OP_LOOKUP, 1);
	msg_arg(&rq, &arg.in, sizeof(arg.in));
	msg_handle(&rq, handle, sizeof(handle));
	msg_name(&rq, "name");
	expect_refused("a handle that is larger than allowed");

	/* A good one first, whose end stays behind in the buffer. */
	msg_begin(&fake, &rq, FUSEX_OP_LOOKUP, 1);
	msg_arg(&rq, &arg.in, sizeof(arg.in));
	msg_handle2(&rq, handle, 8);
	msg_name(&rq, "name");
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -ENOENT,
	   "a second handle that was not asked for");
	rq.in.unique = ++fake.unique;
	rq.len -= 9;
	expect_refused("half a second handle");
}

static void symlink_request(uint32_t name_len, uint32_t target_len,
			    uint32_t nr_xattrs)
{
	struct fusex_make_in in = {
		.name_len = name_len, .target_len = target_len,
		.nr_xattrs = nr_xattrs,
	};

	msg_begin(&fake, &rq, FUSEX_OP_SYMLINK, 1);
	msg_arg(&rq, &in, sizeof(in));
	msg_name(&rq, "nam");
	msg_name(&rq, "tgt");
}

static void xattr_is(int error, const char *what)
{
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == error, "%s", what);
}

static void test_xattrs(void)
{
	struct fusex_xattr_rec rec = { .name_len = 3, .value_len = 4 };

	symlink_request(3, 3, 1);
	msg_data(&rq, &rec, sizeof(rec));
	msg_data(&rq, "u.a\0valu", 8);
	xattr_is(-EEXIST, "an attribute");
	symlink_request(3, 3, 0);
	msg_data(&rq, &rec, sizeof(rec));
	msg_data(&rq, "u.a\0valu", 8);
	xattr_is(-ENOENT, "more attributes than were said");
	symlink_request(3, 3, 1);
	xattr_is(-ENOENT, "an attribute that is not there");
	symlink_request(3, 3, 1);
	msg_data(&rq, &rec, sizeof(rec));
	msg_data(&rq, "u.abvalu", 8);
	xattr_is(-ENOENT, "an attribute's name without its NUL");
	symlink_request(3, 3, 1);
	rec.value_len = 5;
	msg_data(&rq, &rec, sizeof(rec));
	msg_data(&rq, "u.a\0valu", 8);
	xattr_is(-ENOENT, "an attribute that is outside");
	symlink_request(3, 3, 1);
	rec.name_len = UINT32_MAX;
	msg_data(&rq, &rec, sizeof(rec));
	msg_data(&rq, "u.a\0valu", 8);
	xattr_is(-ENOENT, "an attribute with a name of 4 GiB");
	symlink_request(3, 4, 0);
	expect_refused("a target that is shorter than said");
}

static void test_data(void)
{
	struct fusex_write_in wr = { .size = 5 };
	struct fusex_read_in rd = { .size = FAKE_MAX_READ + 1 };

	msg_begin(&fake, &rq, FUSEX_OP_WRITE, 2);
	msg_arg(&rq, &wr, sizeof(wr));
	msg_data(&rq, "1234", 4);
	expect_refused("a write with less data than said");
	msg_begin(&fake, &rq, FUSEX_OP_READ, 2);
	msg_arg(&rq, &rd, sizeof(rd));
	expect_refused("a read that is larger than was agreed");
}

static void absent(uint32_t op, const char *what)
{
	msg_begin(&fake, &rq, op, 1);
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -ENOSYS &&
	   !reply_len(&rp), "ENOSYS for %s", what);
}

static void test_absent(void)
{
	uint32_t op;
	char name[32];

	for (op = 1; op < FUSEX_OP_NR; op++) {
		if (op == FUSEX_OP_LOOKUP || op == FUSEX_OP_SYMLINK ||
		    op == FUSEX_OP_WRITE || op == FUSEX_OP_READ ||
		    op == FUSEX_OP_FORGET || op == FUSEX_OP_CANCEL ||
		    op == FUSEX_OP_UNMOUNT)
			continue;
		snprintf(name, sizeof(name), "absent operation %u", op);
		absent(op, name);
	}
	absent(0, "operation 0");
	absent(FUSEX_OP_NR, "an operation of the future");
	absent(UINT32_MAX, "the last number");
}

static void send_forgets(uint32_t said, uint32_t there)
{
	struct fusex_forget_in in = { .count = said };
	struct fusex_forget_one one = { 0 };
	uint32_t i;

	msg_begin(&fake, &rq, FUSEX_OP_FORGET, 0);
	msg_arg(&rq, &in, sizeof(in));
	for (i = 0; i < there; i++) {
		one.nodeid = i + 1;
		one.generation = i + 2;
		one.nlookup = i + 3;
		msg_data(&rq, &one, sizeof(one));
	}
	fake_send(&fake, &rq);
}

static void test_forget(void)
{
	uint32_t i;

	send_forgets(2500, 2500);
	ok(event_wait(&forgotten, 1), "a batch of forgets arrives at once");
	is((long long)nr_forgets, 2500, "all of it");
	for (i = 0; i < 2500; i++)
		if (forgets[i].nodeid != i + 1 ||
		    forgets[i].generation != i + 2 ||
		    forgets[i].nlookup != i + 3)
			break;
	is(i, 2500, "as it was sent");
	/* Not counted, and not answered. */
	send_forgets(3, 2);
	send_forgets(UINT32_MAX, 2);
	send_forgets(1, 1);
	ok(event_wait(&forgotten, 2), "another one arrives");
	is((long long)nr_forgets, 2501, "those that are malformed do not");
	ok(fake_quiet(&fake), "forgets are not answered");
}

static void test_short(void)
{
	fake_send_raw(&fake, rq.buf, sizeof(struct fusex_in_header) - 1);
	pthread_join(fake.runner, NULL);
	is(fake.result, -EPROTO, "less than a header ends fusex_run()");
	ok(strstr(fusex_session_error(fake.se), "reading requests"),
	   "and it says so: %s", fusex_session_error(fake.se));
	fusex_session_free(fake.se);
}

int main(void)
{
	fake_start(&fake, &ops, &userdata, 1, 1);
	works();
	test_names();
	test_lengths();
	test_wrong_but_there();
	works();
	test_xattrs();
	test_data();
	test_absent();
	test_forget();
	works();
	test_short();
	return tap_end();
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Directories, and what is taken back when a reply does not arrive.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rq, rp;
static struct event arrived = EVENT_INIT;
static struct event go = EVENT_INIT;
static struct event undone = EVENT_INIT;
static unsigned int nr_arrived;
static struct fusex_forget_one forgotten[16];
static struct fusex_release_in released;
static struct fusex_node released_node;
static unsigned char released_handle[16];
static unsigned int nr_forgotten, nr_released;
static char longest[257];	/* one more than allowed */
static bool fail_readdir, end_readdir, wrong_reply, defer_release;
static struct fusex_req *kept;

static void entry_init(struct fusex_entry_reply *e, uint64_t nodeid)
{
	memset(e, 0, sizeof(*e));
	e->entry.nodeid = nodeid;
	e->entry.generation = 3;
	e->entry.attr.size = 1000 + nodeid;
	fusex_entry_set_handle(e, "handle..", nodeid % 9);
}

static int t_readdir(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_readdir_in *in, struct fusex_dir *dir)
{
	struct fusex_entry_reply e;
	uint64_t i;
	bool fits;
	int ret;

	is(fusex_dir_add(dir, "", 1, DT_REG, 1, NULL), -EINVAL, "no name");
	is(fusex_dir_add(dir, "a/b", 1, DT_REG, 1, NULL), -EINVAL,
	   "a name with a slash");
	is(fusex_dir_add(dir, "name", 1, DT_REG, 0, NULL), -EINVAL, "cookie 0");
	is(fusex_dir_add(dir, "name", 1, DT_REG, INT64_MAX - 1, NULL), -EINVAL,
	   "a cookie that is the kernel's");
	is(fusex_dir_add(dir, "name", 1, DT_REG, 1ull << 63, NULL), -EINVAL,
	   "a cookie that is no position");
	is(fusex_dir_add(dir, longest, 1, DT_REG, 1, NULL), -ENAMETOOLONG,
	   "a name of 256 bytes");
	entry_init(&e, 1);
	if (!(in->flags & FUSEX_READDIR_ATTRS))
		is(fusex_dir_add(dir, "name", 1, DT_REG, 1, &e), -EINVAL,
		   "an entry that nobody asked for");
	is(fusex_dir_add(dir, ".", 1, DT_DIR, 1, &e), -EINVAL,
	   "an entry for the directory itself");
	is(fusex_dir_add(dir, "..", 1, DT_DIR, 1, &e), -EINVAL,
	   "and for the one above");
	e.entry.handle_len = 129;
	is(fusex_dir_add(dir, "name", 1, DT_REG, 1, &e), -EINVAL,
	   "a handle that is too long");

	for (i = in->cookie + 1;; i++) {
		entry_init(&e, i);
		fits = fusex_dir_fits(dir, 255, in->flags);
		ret = fusex_dir_add(dir, longest + 1, i + 100, DT_REG, i,
				    in->flags ? &e : NULL);
		if (fits && ret)
			ok(false, "what fits can be added");
		if (ret == -ENOSPC)
			break;
		if (ret || i > 1000)
			return -EIO;
	}
	if (end_readdir)
		fusex_dir_end(dir);
	if (wrong_reply) {
		fusex_reply_err(req, 0);
		return FUSEX_DEFERRED;
	}
	return fail_readdir ? -EUCLEAN : 0;
}

static void wait_for_go(void)
{
	event_signal(&arrived);
	event_wait(&go, 1);
}

static int t_lookup(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, struct fusex_entry_reply *out)
{
	wait_for_go();
	if (*name == '-')
		return 0;
	entry_init(out, 5);
	return 0;
}

static int t_create(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_make_in *in,
		    struct fusex_entry_reply *out, struct fusex_open_out *open)
{
	wait_for_go();
	entry_init(out, 6);
	open->fh = 66;
	return 0;
}

static int t_open(struct fusex_req *req, const struct fusex_node *node,
		  uint32_t flags, struct fusex_open_out *out)
{
	wait_for_go();
	out->fh = 77;
	return 0;
}

static int t_release(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_release_in *in)
{
	released = *in;
	released_node = *node;
	memcpy(released_handle, node->handle, node->handle_len);
	nr_released++;
	kept = req;
	event_signal(&undone);
	return defer_release ? FUSEX_DEFERRED : 0;
}

static void t_forget(struct fusex_req *req,
		     const struct fusex_forget_one *list, size_t count)
{
	memcpy(forgotten + nr_forgotten % 8, list, count * sizeof(*list));
	nr_forgotten += count;
	event_signal(&undone);
}

static const struct fusex_ops ops = {
	.lookup		= t_lookup,
	.forget		= t_forget,
	.create		= t_create,
	.open		= t_open,
	.release	= t_release,
	.readdir	= t_readdir,
};

static void readdir_request(uint32_t size, uint32_t flags, uint64_t cookie)
{
	struct fusex_readdir_in in = {
		.cookie = cookie, .size = size, .flags = flags,
	};

	msg_begin(&fake, &rq, FUSEX_OP_READDIR, 1);
	msg_arg(&rq, &in, sizeof(in));
}

/* Looks at one record; returns its length, 0 when it is wrong. */
static size_t check_record(const unsigned char *p, size_t left, uint64_t nr,
			   bool entries)
{
	const struct fusex_dirent *d = (const void *)p;
	size_t handle = entries ? nr % 9 : 0;
	size_t want = sizeof(*d) + 256;
	const struct fusex_entry *e = (const void *)(d + 1);
	const char *name = (const char *)e;

	if (entries)
		want += sizeof(*e) + FUSEX_ALIGN(handle);
	if (left < want || d->reclen != want || d->name_len != 255 ||
	    d->type != DT_REG || d->flags != entries || d->ino != nr + 100 ||
	    d->cookie != nr)
		return 0;
	if (entries) {
		if (e->nodeid != nr || e->handle_len != handle ||
		    memcmp(e + 1, "handle..", handle))
			return 0;
		name = (const char *)(e + 1) + FUSEX_ALIGN(handle);
	}
	return memcmp(name, longest + 1, 256) ? 0 : want;
}

static void test_records(uint32_t size, uint32_t flags)
{
	const unsigned char *p = reply_body(&rp);
	size_t left, used;
	uint64_t nr = 10;

	readdir_request(size, flags, nr);
	ok(fake_call(&fake, &rq, &rp) && !rp.out.error, "names arrive");
	left = reply_len(&rp);
	ok(left <= size && left + 600 > size, "as many as there is room for");
	while (left) {
		used = check_record(p, left, ++nr, flags);
		if (!used)
			break;
		p += used;
		left -= used;
	}
	ok(!left, "all of %u bytes are as they should be", size);
}

/* The last record says that it is, and no other. */
static void test_end(void)
{
	const struct fusex_dirent *d = NULL;
	const unsigned char *p = reply_body(&rp);
	unsigned int nr = 0, lasts = 0;
	size_t left;

	end_readdir = true;
	readdir_request(2000, FUSEX_READDIR_ATTRS, 0);
	ok(fake_call(&fake, &rq, &rp) && !rp.out.error, "all names arrive");
	for (left = reply_len(&rp); left; left -= d->reclen, p += d->reclen) {
		d = (const void *)p;
		lasts += !!(d->flags & FUSEX_DIRENT_LAST);
		nr++;
	}
	ok(nr > 1 && lasts == 1 && d->flags & FUSEX_DIRENT_LAST &&
	   d->flags & FUSEX_DIRENT_ENTRY, "the last one says so");

	readdir_request(16, 0, 0);
	ok(fake_call(&fake, &rq, &rp) && !rp.out.error && !reply_len(&rp),
	   "the end without a name");
	end_readdir = false;
}

static void test_failing(void)
{
	unsigned int before = nr_forgotten;

	fail_readdir = true;
	readdir_request(2000, FUSEX_READDIR_ATTRS, 0);
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -EUCLEAN,
	   "a handler that fails after it added entries");
	ok(nr_forgotten > before, "what it added is forgotten");
	fail_readdir = false;

	before = nr_forgotten;
	wrong_reply = true;
	readdir_request(2000, FUSEX_READDIR_ATTRS, 0);
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -EIO,
	   "an answer that does not fit after entries were added");
	ok(nr_forgotten > before, "what was added is forgotten, too");
	wrong_reply = false;
}

/* The kernel is gone when the handler returns, and the session still there. */
static void lose(uint32_t op, const void *arg, size_t len, const char *name)
{
	nr_forgotten = 0;
	nr_released = 0;
	arrived.count = 0;
	go.count = 0;
	undone.count = 0;
	fake_start(&fake, &ops, NULL, 1, 1);
	msg_begin(&fake, &rq, op, 9);
	msg_arg(&rq, arg, len);
	msg_handle(&rq, "node", 4);
	if (name)
		msg_name(&rq, name);
	fake_send(&fake, &rq);
	ok(event_wait(&arrived, 1), "the handler runs");
	shutdown(fake.sock, SHUT_RDWR);
	event_signal(&go);
	nr_arrived = 0;
}

static void lost(uint32_t op, const void *arg, size_t len, const char *name)
{
	lose(op, arg, len, name);
	fake_stop(&fake);
}

static void test_lost(void)
{
	struct fusex_lookup_in lookup = { .name_len = 1 };
	struct fusex_make_in make = { .name_len = 1, .open_flags = 0102 };
	struct fusex_open_in open = { .flags = 2 };

	lost(FUSEX_OP_LOOKUP, &lookup, sizeof(lookup), "n");
	ok(nr_forgotten == 1 && forgotten[0].nodeid == 5 &&
	   forgotten[0].generation == 3 && forgotten[0].nlookup == 1,
	   "an entry that did not arrive is forgotten");
	lost(FUSEX_OP_LOOKUP, &lookup, sizeof(lookup), "-");
	is(nr_forgotten, 0, "not so one that says there is none");

	lost(FUSEX_OP_CREATE, &make, sizeof(make), "n");
	ok(nr_forgotten == 1 && forgotten[0].nodeid == 6,
	   "a created node that did not arrive is forgotten");
	ok(nr_released == 1 && released.fh == 66 && released.flags == 0102 &&
	   released_node.nodeid == 6 && released_node.handle_len == 6 &&
	   !memcmp(released_handle, "handle", 6), "and its file is released");

	lost(FUSEX_OP_OPEN, &open, sizeof(open), NULL);
	ok(!nr_forgotten && nr_released == 1 && released.fh == 77 &&
	   released.flags == 2 && released_node.nodeid == 9 &&
	   !memcmp(released_handle, "node", 4),
	   "an open file that did not arrive is released");
}

/* A handler that answers later does so with what was lost, too. */
static void test_lost_deferred(void)
{
	struct fusex_open_in open = { .flags = 2 };

	defer_release = true;
	lose(FUSEX_OP_OPEN, &open, sizeof(open), NULL);
	ok(event_wait(&undone, 1), "an open file that did not arrive is released");
	pthread_join(fake.runner, NULL);
	ok(fusex_req_header(kept)->opcode == FUSEX_OP_RELEASE &&
	   fusex_req_header(kept)->nodeid == 9 &&
	   fusex_req_header(kept)->uid == 1000,
	   "by a request of its own");
	is(fusex_reply_err(kept, 0), 0, "which can be answered later");
	fusex_session_free(fake.se);
	close(fake.sock);
	defer_release = false;
}

int main(void)
{
	memset(longest, 'n', 256);
	fake_start(&fake, &ops, NULL, 1, 1);
	test_records(4096, 0);
	test_records(4096, FUSEX_READDIR_ATTRS);
	test_records(65536, FUSEX_READDIR_ATTRS);
	test_records(279, 0);
	test_records(280, 0);
	test_end();
	test_failing();
	fake_stop(&fake);
	test_lost();
	test_lost_deferred();
	return tap_end();
}

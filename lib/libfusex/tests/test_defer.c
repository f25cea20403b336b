// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests that are answered by another thread than the one that got them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rq, rp;
static struct fusex_req *kept;
static const void *kept_data;
static struct fusex_dir *kept_dir;
static struct event arrived = EVENT_INIT;
static unsigned int arrivals;

static int keep(struct fusex_req *req)
{
	kept = req;
	event_signal(&arrived);
	return FUSEX_DEFERRED;
}

static int t_entry(struct fusex_req *req, const struct fusex_node *dir,
		   const char *name, struct fusex_entry_reply *out)
{
	return keep(req);
}

static int t_create(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_make_in *in,
		    struct fusex_entry_reply *out, struct fusex_open_out *open)
{
	return keep(req);
}

static int t_getattr(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_getattr_in *in,
		     struct fusex_attr_out *out)
{
	return keep(req);
}

static int t_setattr(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_setattr_in *in,
		     struct fusex_attr_out *out)
{
	return keep(req);
}

static int t_unlink(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_node *node,
		    uint32_t flags, struct fusex_unlink_out *out)
{
	return keep(req);
}

static int t_rename(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_node *dir2,
		    const char *name2, uint32_t flags,
		    struct fusex_rename_out *out)
{
	return keep(req);
}

static int t_open(struct fusex_req *req, const struct fusex_node *node,
		  uint32_t flags, struct fusex_open_out *out)
{
	return keep(req);
}

static ssize_t t_read(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_read_in *in, void *buf)
{
	memset(buf, 'b', in->size);
	kept_data = buf;
	return keep(req);
}

static int t_write(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_write_in *in, const void *buf,
		   struct fusex_write_out *out)
{
	kept_data = buf;
	return keep(req);
}

static int t_flush(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_flush_in *in)
{
	return keep(req);
}

static int t_readdir(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_readdir_in *in, struct fusex_dir *dir)
{
	kept_dir = dir;
	return keep(req);
}

static int t_lseek(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_lseek_in *in,
		   struct fusex_lseek_out *out)
{
	return keep(req);
}

static ssize_t t_getxattr(struct fusex_req *req, const struct fusex_node *node,
			  const char *name, void *value, size_t size)
{
	return keep(req);
}

static int t_fileattr(struct fusex_req *req, const struct fusex_node *node,
		      struct fusex_fileattr *out)
{
	return keep(req);
}

static int t_getlk(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_lock *in, struct fusex_lock *out)
{
	return keep(req);
}

static int t_ioctl(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_ioctl_in *in, const void *arg, void *out)
{
	return keep(req);
}

static int t_poll(struct fusex_req *req, const struct fusex_node *node,
		  const struct fusex_poll_in *in, uint32_t *revents)
{
	return keep(req);
}

static int t_statfs(struct fusex_req *req, const struct fusex_node *node,
		    struct fusex_statfs_out *out)
{
	return keep(req);
}

static int t_map_begin(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_map_begin_in *in,
		       struct fusex_map_begin_out *out)
{
	return keep(req);
}

static int t_map_end(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_map_end_in *in)
{
	return keep(req);
}

static int t_map_ioend(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_map_ioend_in *in,
		       struct fusex_attr_out *out)
{
	return keep(req);
}

static int t_map_return(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_map_return_in *in)
{
	return keep(req);
}

static int t_freeze(struct fusex_req *req, uint32_t flags)
{
	return keep(req);
}

static int t_shutdown(struct fusex_req *req, uint32_t flags)
{
	return keep(req);
}

/* Answers at once, in the handler. */
static int t_syncfs(struct fusex_req *req)
{
	fusex_reply_err(req, -ENOSPC);
	return FUSEX_DEFERRED;
}

static const struct fusex_ops ops = {
	.lookup		= t_entry,
	.getattr	= t_getattr,
	.setattr	= t_setattr,
	.create		= t_create,
	.unlink		= t_unlink,
	.rename		= t_rename,
	.open		= t_open,
	.flush		= t_flush,
	.read		= t_read,
	.write		= t_write,
	.readdir	= t_readdir,
	.lseek		= t_lseek,
	.getxattr	= t_getxattr,
	.fileattr_get	= t_fileattr,
	.getlk		= t_getlk,
	.ioctl		= t_ioctl,
	.poll		= t_poll,
	.statfs		= t_statfs,
	.syncfs		= t_syncfs,
	.map_begin	= t_map_begin,
	.map_end	= t_map_end,
	.map_ioend	= t_map_ioend,
	.map_return	= t_map_return,
	.freeze		= t_freeze,
	.shutdown	= t_shutdown,
};

static void sent(void)
{
	fake_send(&fake, &rq);
	if (!event_wait(&arrived, ++arrivals))
		ok(false, "the handler was called");
}

static void send_op(uint32_t op, const void *arg, size_t len)
{
	msg_begin(&fake, &rq, op, 1);
	if (len)
		msg_arg(&rq, arg, len);
	sent();
}

static void send_named(uint32_t op, const void *arg, size_t len, int names)
{
	msg_begin(&fake, &rq, op, 1);
	msg_arg(&rq, arg, len);
	while (names--)
		msg_name(&rq, "n");
	sent();
}

/* The answer to the last request that was sent. */
static void answered(const char *what, int ret, const void *body, size_t len)
{
	bool came = fake_recv(&fake, &rp);

	ok(!ret && came && rp.out.unique == rq.in.unique && !rp.out.error &&
	   reply_len(&rp) == len && !memcmp(reply_body(&rp), body, len),
	   "%s", what);
}

static void answered_error(const char *what, int ret, int want_ret, int error)
{
	bool came = fake_recv(&fake, &rp);

	ok(ret == want_ret && came && rp.out.unique == rq.in.unique &&
	   rp.out.error == error && !reply_len(&rp), "%s", what);
}

static const struct fusex_lookup_in name_in = { .name_len = 1 };
static const struct fusex_getattr_in getattr_in;
static const struct fusex_read_in read_in = { .size = 4096 };

static void fill(void *p, size_t len)
{
	memset(p, 0x6b, len);
}

static void test_entries(void)
{
	struct fusex_make_in make = { .name_len = 1 };
	struct fusex_entry_reply entry;
	struct fusex_open_out open;
	unsigned char want[600];
	size_t len = offsetof(struct fusex_entry_reply, handle);

	fill(&entry, sizeof(entry));
	fill(&open, sizeof(open));
	fusex_entry_set_handle(&entry, "hand", 4);
	memset(want, 0, sizeof(want));
	memcpy(want, &entry, len);
	memcpy(want + len, "hand", 4);
	send_named(FUSEX_OP_LOOKUP, &name_in, sizeof(name_in), 1);
	answered("fusex_reply_entry", fusex_reply_entry(kept, &entry), want,
		 len + 8);

	memcpy(want + len, &open, sizeof(open));
	memcpy(want + len + sizeof(open), "hand\0\0\0\0", 8);
	send_named(FUSEX_OP_CREATE, &make, sizeof(make), 1);
	answered("fusex_reply_create", fusex_reply_create(kept, &entry, &open),
		 want, len + sizeof(open) + 8);

	entry.entry.handle_len = 129;
	send_named(FUSEX_OP_LOOKUP, &name_in, sizeof(name_in), 1);
	answered_error("a handle that is too long",
		       fusex_reply_entry(kept, &entry), -EINVAL, -EIO);
}

static void test_attrs(void)
{
	struct fusex_unlink_in unlink_in = { .name_len = 1 };
	struct fusex_rename_in rename_in = { .name_len = 1, .name2_len = 1 };
	struct fusex_attr_out attr;
	struct fusex_unlink_out unlink;
	struct fusex_rename_out rename;

	fill(&attr, sizeof(attr));
	fill(&unlink, sizeof(unlink));
	fill(&rename, sizeof(rename));
	send_op(FUSEX_OP_GETATTR, &getattr_in, sizeof(getattr_in));
	answered("fusex_reply_attr", fusex_reply_attr(kept, &attr), &attr,
		 sizeof(attr));
	send_named(FUSEX_OP_UNLINK, &unlink_in, sizeof(unlink_in), 1);
	answered("fusex_reply_unlink", fusex_reply_unlink(kept, &unlink),
		 &unlink, sizeof(unlink));
	send_named(FUSEX_OP_RENAME, &rename_in, sizeof(rename_in), 2);
	answered("fusex_reply_rename", fusex_reply_rename(kept, &rename),
		 &rename, sizeof(rename));

	memset(&attr, 0, sizeof(attr));
	memset(&unlink, 0, sizeof(unlink));
	memset(&rename, 0, sizeof(rename));
	send_op(FUSEX_OP_SETATTR, &(struct fusex_setattr_in){ 0 },
		sizeof(struct fusex_setattr_in));
	answered("no attributes after setattr", fusex_reply_err(kept, 0),
		 &attr, sizeof(attr));
	send_named(FUSEX_OP_UNLINK, &unlink_in, sizeof(unlink_in), 1);
	answered("no attributes after unlink", fusex_reply_err(kept, 0),
		 &unlink, sizeof(unlink));
	send_named(FUSEX_OP_RENAME, &rename_in, sizeof(rename_in), 2);
	answered("no attributes after rename", fusex_reply_err(kept, 0),
		 &rename, sizeof(rename));
}

static void test_files(void)
{
	struct fusex_write_in write_in = { .size = 4 };
	struct fusex_open_out open;
	struct fusex_write_out write;
	struct fusex_lseek_out lseek;
	struct fusex_lock lock;

	fill(&open, sizeof(open));
	fill(&write, sizeof(write));
	fill(&lseek, sizeof(lseek));
	fill(&lock, sizeof(lock));
	send_op(FUSEX_OP_OPEN, &(struct fusex_open_in){ 0 },
		sizeof(struct fusex_open_in));
	answered("fusex_reply_open", fusex_reply_open(kept, &open), &open,
		 sizeof(open));
	msg_begin(&fake, &rq, FUSEX_OP_WRITE, 1);
	msg_arg(&rq, &write_in, sizeof(write_in));
	msg_data(&rq, "data", 4);
	sent();
	ok(!memcmp(kept_data, "data", 4), "the data of a write is kept");
	answered("fusex_reply_write", fusex_reply_write(kept, &write), &write,
		 sizeof(write));
	send_op(FUSEX_OP_LSEEK, &(struct fusex_lseek_in){ 0 },
		sizeof(struct fusex_lseek_in));
	answered("fusex_reply_lseek", fusex_reply_lseek(kept, &lseek), &lseek,
		 sizeof(lseek));
	send_op(FUSEX_OP_GETLK, &(struct fusex_lock){ 0 }, sizeof(lock));
	answered("fusex_reply_lock", fusex_reply_lock(kept, &lock), &lock,
		 sizeof(lock));
	send_op(FUSEX_OP_FLUSH, &(struct fusex_flush_in){ 0 },
		sizeof(struct fusex_flush_in));
	answered("nothing after flush", fusex_reply_err(kept, 0), "", 0);
}

static void test_data(void)
{
	unsigned char want[4096];
	struct iovec iov[1001];
	int i;

	memset(want, 'b', sizeof(want));
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered("fusex_reply_data with the library's buffer",
		 fusex_reply_data(kept, kept_data, 4096), want, 4096);
	memset(want, 'c', sizeof(want));
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered("fusex_reply_data with other memory",
		 fusex_reply_data(kept, want, 4096), want, 4096);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered("fusex_reply_data with no data",
		 fusex_reply_data(kept, NULL, 0), want, 0);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("more data than asked for",
		       fusex_reply_data(kept, want, 4097), -EINVAL, -EIO);

	for (i = 0; i < 1001; i++) {
		iov[i].iov_base = want + i;
		iov[i].iov_len = 1;
	}
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered("fusex_reply_datav", fusex_reply_datav(kept, iov, 1000),
		 want, 1000);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("too many pieces",
		       fusex_reply_datav(kept, iov, 1001), -EINVAL, -EIO);
	iov[1].iov_len = sizeof(want) - 1;
	iov[2].iov_len = 1;
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("pieces that are one byte too many",
		       fusex_reply_datav(kept, iov, 3), -EINVAL, -EIO);
	iov[1].iov_len = SIZE_MAX;
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("pieces that are more than asked for",
		       fusex_reply_datav(kept, iov, 2), -EINVAL, -EIO);
}

static void test_misc(void)
{
	struct fusex_readdir_in dir_in = { .size = 4096 };
	struct fusex_ioctl_in ioctl_in = { .out_size = 4 };
	struct fusex_statfs_out statfs;
	struct fusex_fileattr fa;
	struct fusex_poll_out poll = { .revents = 5 };
	struct { struct fusex_ioctl_out head; char data[4]; } io = {
		{ 3, 0 }, "abc",
	};

	fill(&statfs, sizeof(statfs));
	fill(&fa, sizeof(fa));
	send_op(FUSEX_OP_STATFS, NULL, 0);
	answered("fusex_reply_statfs", fusex_reply_statfs(kept, &statfs),
		 &statfs, sizeof(statfs));
	send_op(FUSEX_OP_FILEATTR_GET, NULL, 0);
	answered("fusex_reply_fileattr", fusex_reply_fileattr(kept, &fa), &fa,
		 sizeof(fa));
	send_op(FUSEX_OP_POLL, &(struct fusex_poll_in){ 0 },
		sizeof(struct fusex_poll_in));
	answered("fusex_reply_poll", fusex_reply_poll(kept, 5), &poll,
		 sizeof(poll));
	send_op(FUSEX_OP_IOCTL, &ioctl_in, sizeof(ioctl_in));
	answered("fusex_reply_ioctl", fusex_reply_ioctl(kept, 3, io.data), &io,
		 sizeof(io));
	ioctl_in.out_size = 0;
	send_op(FUSEX_OP_IOCTL, &ioctl_in, sizeof(ioctl_in));
	answered("fusex_reply_ioctl without data",
		 fusex_reply_ioctl(kept, 3, NULL), &io, sizeof(io.head));
	send_op(FUSEX_OP_IOCTL, &ioctl_in, sizeof(ioctl_in));
	answered_error("a negative result of ioctl",
		       fusex_reply_ioctl(kept, -3, NULL), -EINVAL, -EIO);
	send_op(FUSEX_OP_READDIR, &dir_in, sizeof(dir_in));
	is(fusex_dir_add(kept_dir, "name", 1, 8, 1, NULL), 0,
	   "names are added after the handler returned");
	is(fusex_reply_dir(kept), 0, "fusex_reply_dir");
	ok(fake_recv(&fake, &rp) && reply_len(&rp) == 32, "the names arrive");
}

static void test_xattr(void)
{
	struct fusex_xattr_in in = { .size = 4, .name_len = 1 };
	struct { struct fusex_xattr_out head; char data[4]; } want = {
		{ 4, 0 }, "abc",
	};

	send_named(FUSEX_OP_GETXATTR, &in, sizeof(in), 1);
	answered("fusex_reply_xattr", fusex_reply_xattr(kept, "abc", 4), &want,
		 12);
	send_named(FUSEX_OP_GETXATTR, &in, sizeof(in), 1);
	answered_error("a value that does not fit",
		       fusex_reply_xattr(kept, "abcd", 5), 0, -ERANGE);
	in.size = 0;
	send_named(FUSEX_OP_GETXATTR, &in, sizeof(in), 1);
	answered("the size alone", fusex_reply_xattr(kept, NULL, 4), &want, 8);
}

static void test_maps(void)
{
	struct fusex_map_begin_in begin_in = { .length = 1 };
	struct fusex_map_ioend_in ioend_in = { .length = 1 };
	struct fusex_map_begin_out map;
	struct fusex_attr_out attr;

	fill(&map, sizeof(map));
	fill(&attr, sizeof(attr));
	send_op(FUSEX_OP_MAP_BEGIN, &begin_in, sizeof(begin_in));
	answered("fusex_reply_map", fusex_reply_map(kept, &map), &map,
		 sizeof(map));
	send_op(FUSEX_OP_MAP_BEGIN, &begin_in, sizeof(begin_in));
	answered_error("no mapping after map_begin", fusex_reply_err(kept, 0),
		       -EINVAL, -EIO);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("a mapping after read", fusex_reply_map(kept, &map),
		       -EINVAL, -EIO);
	send_op(FUSEX_OP_MAP_IOEND, &ioend_in, sizeof(ioend_in));
	answered("fusex_reply_attr after map_ioend",
		 fusex_reply_attr(kept, &attr), &attr, sizeof(attr));
	memset(&attr, 0, sizeof(attr));
	send_op(FUSEX_OP_MAP_IOEND, &ioend_in, sizeof(ioend_in));
	answered("no attributes after map_ioend", fusex_reply_err(kept, 0),
		 &attr, sizeof(attr));
	send_op(FUSEX_OP_MAP_END, &(struct fusex_map_end_in){ 0 },
		sizeof(struct fusex_map_end_in));
	answered("nothing after map_end", fusex_reply_err(kept, 0), "", 0);
	send_op(FUSEX_OP_MAP_RETURN, &(struct fusex_map_return_in){ 0 },
		sizeof(struct fusex_map_return_in));
	answered("nothing after map_return", fusex_reply_err(kept, 0), "", 0);
	send_op(FUSEX_OP_FREEZE, &(struct fusex_freeze_in){ 0 },
		sizeof(struct fusex_freeze_in));
	answered("nothing after freeze", fusex_reply_err(kept, 0), "", 0);
	send_op(FUSEX_OP_SHUTDOWN, &(struct fusex_shutdown_in){ 0 },
		sizeof(struct fusex_shutdown_in));
	answered("nothing after shutdown", fusex_reply_err(kept, 0), "", 0);
}

static void test_wrong(void)
{
	struct fusex_attr_out attr = { 0 };

	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("a reply that does not fit",
		       fusex_reply_attr(kept, &attr), -EINVAL, -EIO);
	send_op(FUSEX_OP_GETATTR, &getattr_in, sizeof(getattr_in));
	answered_error("no attributes after getattr",
		       fusex_reply_err(kept, 0), -EINVAL, -EIO);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("nothing after read", fusex_reply_err(kept, 0), -EINVAL,
		       -EIO);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("an error", fusex_reply_err(kept, -ENXIO), 0, -ENXIO);
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	answered_error("an error that is none", fusex_reply_err(kept, 5),
		       -EINVAL, -EIO);
}

static void test_inline(void)
{
	int i;

	for (i = 0; i < 100; i++) {
		msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 1);
		if (!fake_call(&fake, &rq, &rp) || rp.out.error != -ENOSPC)
			break;
	}
	is(i, 100, "handlers that answer by themselves");
}

/* More at once than the pool keeps, answered in another order. */
static void test_many(void)
{
	static struct fusex_req *reqs[200];
	static uint64_t uniques[200];
	unsigned int i, good = 0;

	for (i = 0; i < 200; i++) {
		send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
		reqs[i] = kept;
		uniques[i] = rq.in.unique;
	}
	for (i = 0; i < 200; i++) {
		unsigned int n = (i * 77) % 200;

		if (fusex_reply_data(reqs[n], &n, sizeof(n)) ||
		    !fake_recv(&fake, &rp))
			break;
		good += rp.out.unique == uniques[n] &&
			!memcmp(reply_body(&rp), &n, sizeof(n));
	}
	is(good, 200, "many deferred requests, each with its own answer");
}

int main(void)
{
	fake_start(&fake, &ops, NULL, 1, 1);
	test_entries();
	test_attrs();
	test_files();
	test_data();
	test_misc();
	test_maps();
	test_xattr();
	test_wrong();
	test_inline();
	test_many();
	send_op(FUSEX_OP_READ, &read_in, sizeof(read_in));
	fake_stop(&fake);
	ok(true, "a request that is never answered is freed with the session");
	return tap_end();
}

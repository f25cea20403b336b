// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every operation: what the handler gets is what the kernel sent, and what the
 * kernel gets is what the handler returned.
 */
#include <errno.h>
#include <string.h>

#include "fake.h"
#include "tap.h"

static const char dir_handle[] = "0123456789";	/* 11 bytes: padded */
static const char node_handle[] = "abcdefg";	/* 8 bytes: not padded */

/**
 * struct seen - what the last handler was called with, and is to do
 * @calls: how many there were
 * @node: first node, with a copy of its handle
 * @node2: second node, likewise
 * @name: first name
 * @name2: second name, or target
 * @arg: argument structure
 * @data: data
 * @size: bytes of @data, or of room for it
 * @value: plain argument
 * @ret: what to return
 */
struct seen {
	unsigned int		calls;
	struct fusex_node	node, node2;
	unsigned char		handle[16], handle2[16];
	char			name[300], name2[5000];
	unsigned char		arg[128];
	unsigned char		data[FAKE_MAX_WRITE];
	size_t			size;
	uint64_t		value;
	ssize_t			ret;
};

static struct seen seen;

static size_t keep(char *to, size_t size, const char *name)
{
	return (size_t)snprintf(to, size, "%s", name);
}

/* A result structure's content; never anything that means something. */
static void fill(void *out, size_t len)
{
	unsigned char *p = out;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (unsigned char)(i * 7 + 1);
}

static bool zeroed(const void *p, size_t len)
{
	const unsigned char *bytes = p;

	while (len--)
		if (*bytes++)
			return false;
	return true;
}

static void see(const struct fusex_node *node, const void *arg, size_t len)
{
	seen.calls++;
	seen.node = *node;
	memcpy(seen.handle, node->handle, node->handle_len);
	if (arg)
		memcpy(seen.arg, arg, len);
}

static void see2(const struct fusex_node *node)
{
	seen.node2 = *node;
	memcpy(seen.handle2, node->handle, node->handle_len);
}

/* The handler's result: filled in unless it fails, and zeroed before. */
static int done(void *out, size_t len)
{
	ok(zeroed(out, len), "the result comes zeroed");
	if (!seen.ret)
		fill(out, len);
	return (int)seen.ret;
}

static int done_entry(struct fusex_entry_reply *out)
{
	size_t len = offsetof(struct fusex_entry_reply, handle);

	ok(zeroed(out, len), "the entry comes zeroed");
	if (seen.ret)
		return (int)seen.ret;
	fill(out, len);
	memset(out->handle, 0xee, sizeof(out->handle));
	return fusex_entry_set_handle(out, dir_handle, sizeof(dir_handle));
}

static int t_lookup(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, struct fusex_entry_reply *out)
{
	see(dir, NULL, 0);
	keep(seen.name, sizeof(seen.name), name);
	return done_entry(out);
}

static int t_getattr(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_getattr_in *in,
		     struct fusex_attr_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_setattr(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_setattr_in *in,
		     struct fusex_attr_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_access(struct fusex_req *req, const struct fusex_node *node,
		    uint32_t mask)
{
	struct fusex_access_in in = { .mask = mask };

	see(node, &in, sizeof(in));
	return (int)seen.ret;
}

static ssize_t t_readlink(struct fusex_req *req, const struct fusex_node *node,
			  char *buf, size_t size)
{
	see(node, NULL, 0);
	seen.size = size;
	if (seen.ret > 0 && (size_t)seen.ret <= size)
		fill(buf, (size_t)seen.ret);
	return seen.ret;
}

static int t_create(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_make_in *in,
		    struct fusex_entry_reply *out, struct fusex_open_out *open)
{
	see(dir, in, sizeof(*in));
	keep(seen.name, sizeof(seen.name), name);
	done(open, sizeof(*open));
	return done_entry(out);
}

static int t_mknod(struct fusex_req *req, const struct fusex_node *dir,
		   const char *name, const struct fusex_make_in *in,
		   struct fusex_entry_reply *out)
{
	struct fusex_xattr x;
	size_t used = 0;
	uint32_t i;

	see(dir, in, sizeof(*in));
	keep(seen.name, sizeof(seen.name), name);
	seen.size = 0;
	for (i = 0; !fusex_req_xattr(req, i, &x); i++) {
		used += keep(seen.name2 + used, sizeof(seen.name2) - used,
			     x.name);
		memcpy(seen.data + seen.size, x.value, x.size);
		seen.size += x.size;
	}
	seen.value = i;
	return done_entry(out);
}

static int t_symlink(struct fusex_req *req, const struct fusex_node *dir,
		     const char *name, const char *target,
		     const struct fusex_make_in *in,
		     struct fusex_entry_reply *out)
{
	keep(seen.name2, sizeof(seen.name2), target);
	return t_lookup(req, dir, name, out);
}

static int t_tmpfile(struct fusex_req *req, const struct fusex_node *dir,
		     const struct fusex_make_in *in,
		     struct fusex_entry_reply *out,
		     struct fusex_open_out *open)
{
	return t_create(req, dir, "", in, out, open);
}

static int t_link(struct fusex_req *req, const struct fusex_node *node,
		  const struct fusex_node *dir, const char *name,
		  struct fusex_entry_reply *out)
{
	see2(node);
	return t_lookup(req, dir, name, out);
}

static int t_unlink(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_node *node,
		    uint32_t flags, struct fusex_unlink_out *out)
{
	see(dir, NULL, 0);
	see2(node);
	keep(seen.name, sizeof(seen.name), name);
	seen.value = flags;
	return done(out, sizeof(*out));
}

static int t_rename(struct fusex_req *req, const struct fusex_node *dir,
		    const char *name, const struct fusex_node *dir2,
		    const char *name2, uint32_t flags,
		    struct fusex_rename_out *out)
{
	see(dir, NULL, 0);
	see2(dir2);
	keep(seen.name, sizeof(seen.name), name);
	keep(seen.name2, sizeof(seen.name2), name2);
	seen.value = flags;
	return done(out, sizeof(*out));
}

static int t_open(struct fusex_req *req, const struct fusex_node *node,
		  uint32_t flags, struct fusex_open_out *out)
{
	struct fusex_open_in in = { .flags = flags };

	see(node, &in, sizeof(in));
	return done(out, sizeof(*out));
}

static int t_release(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_release_in *in)
{
	see(node, in, sizeof(*in));
	return (int)seen.ret;
}

static int t_flush(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_flush_in *in)
{
	see(node, in, sizeof(*in));
	return (int)seen.ret;
}

static ssize_t t_read(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_read_in *in, void *buf)
{
	see(node, in, sizeof(*in));
	seen.value = (uintptr_t)buf;
	if (seen.ret > 0 && seen.ret <= (ssize_t)in->size)
		fill(buf, (size_t)seen.ret);
	return seen.ret;
}

static int t_write(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_write_in *in, const void *buf,
		   struct fusex_write_out *out)
{
	see(node, in, sizeof(*in));
	memcpy(seen.data, buf, in->size);
	seen.size = in->size;
	ok(out->written == in->size && out->offset == in->offset &&
	   zeroed(&out->attr_valid, sizeof(*out) - 16),
	   "write: the result says that all was written");
	if (!seen.ret)
		out->attr_valid = 12345;
	return (int)seen.ret;
}

static int t_fsync(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_fsync_in *in)
{
	see(node, in, sizeof(*in));
	return (int)seen.ret;
}

static int t_fallocate(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_fallocate_in *in,
		       struct fusex_attr_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_lseek(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_lseek_in *in,
		   struct fusex_lseek_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_copy(struct fusex_req *req, const struct fusex_node *src,
		  const struct fusex_node *dst,
		  const struct fusex_copy_range_in *in,
		  struct fusex_write_out *out)
{
	see(src, in, sizeof(*in));
	see2(dst);
	ok(out->written == in->length && out->offset == in->offset2,
	   "copy_range: the result says that all was copied");
	if (!seen.ret)
		fill(out, sizeof(*out));
	return (int)seen.ret;
}

static ssize_t give_value(void *value, size_t size)
{
	seen.size = size;
	if (seen.ret > 0 && size >= (size_t)seen.ret)
		fill(value, (size_t)seen.ret);
	return seen.ret;
}

static ssize_t t_getxattr(struct fusex_req *req, const struct fusex_node *node,
			  const char *name, void *value, size_t size)
{
	see(node, NULL, 0);
	keep(seen.name, sizeof(seen.name), name);
	return give_value(value, size);
}

static ssize_t t_listxattr(struct fusex_req *req,
			   const struct fusex_node *node, char *list,
			   size_t size)
{
	see(node, NULL, 0);
	return give_value(list, size);
}

static int t_setxattr(struct fusex_req *req, const struct fusex_node *node,
		      const char *name, const void *value, size_t size,
		      uint32_t flags, struct fusex_attr_out *out)
{
	see(node, NULL, 0);
	keep(seen.name, sizeof(seen.name), name);
	memcpy(seen.data, value, size);
	seen.size = size;
	seen.value = flags;
	return done(out, sizeof(*out));
}

static int t_removexattr(struct fusex_req *req, const struct fusex_node *node,
			 const char *name, struct fusex_attr_out *out)
{
	see(node, NULL, 0);
	keep(seen.name, sizeof(seen.name), name);
	return done(out, sizeof(*out));
}

static int t_fileattr_get(struct fusex_req *req, const struct fusex_node *node,
			  struct fusex_fileattr *out)
{
	see(node, NULL, 0);
	return done(out, sizeof(*out));
}

static int t_fileattr_set(struct fusex_req *req, const struct fusex_node *node,
			  const struct fusex_fileattr *in,
			  struct fusex_attr_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_getlk(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_lock *in, struct fusex_lock *out)
{
	see(node, in, sizeof(*in));
	ok(!memcmp(in, out, sizeof(*in)), "getlk: the result is a copy");
	if (!seen.ret)
		fill(out, sizeof(*out));
	return (int)seen.ret;
}

static int t_setlk(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_lock *in)
{
	see(node, in, sizeof(*in));
	return (int)seen.ret;
}

static int t_ioctl(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_ioctl_in *in, const void *arg, void *out)
{
	see(node, in, sizeof(*in));
	memcpy(seen.data, arg, in->in_size);
	seen.size = in->in_size;
	ok(zeroed(out, in->out_size), "ioctl: the result comes zeroed");
	if (seen.ret >= 0)
		fill(out, in->out_size);
	return (int)seen.ret;
}

static int t_poll(struct fusex_req *req, const struct fusex_node *node,
		  const struct fusex_poll_in *in, uint32_t *revents)
{
	see(node, in, sizeof(*in));
	*revents = 0x55;
	return (int)seen.ret;
}

static int t_statfs(struct fusex_req *req, const struct fusex_node *node,
		    struct fusex_statfs_out *out)
{
	see(node, NULL, 0);
	return done(out, sizeof(*out));
}

static int t_syncfs(struct fusex_req *req)
{
	seen.calls++;
	return (int)seen.ret;
}

static int t_resolve(struct fusex_req *req, const struct fusex_node *node,
		     struct fusex_entry_reply *out)
{
	see(node, NULL, 0);
	return done_entry(out);
}

static int t_map_begin(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_map_begin_in *in,
		       struct fusex_map_begin_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_map_end(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_map_end_in *in)
{
	see(node, in, sizeof(*in));
	return (int)seen.ret;
}

static int t_map_ioend(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_map_ioend_in *in,
		       struct fusex_attr_out *out)
{
	see(node, in, sizeof(*in));
	return done(out, sizeof(*out));
}

static int t_map_return(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_map_return_in *in)
{
	see(node, in, sizeof(*in));
	return (int)seen.ret;
}

static int t_freeze(struct fusex_req *req, uint32_t flags)
{
	seen.calls++;
	seen.value = flags;
	return (int)seen.ret;
}

static int t_shutdown(struct fusex_req *req, uint32_t flags)
{
	seen.calls++;
	seen.value = flags;
	return (int)seen.ret;
}

static const struct fusex_ops ops = {
	.lookup		= t_lookup,
	.getattr	= t_getattr,
	.setattr	= t_setattr,
	.access		= t_access,
	.readlink	= t_readlink,
	.create		= t_create,
	.mknod		= t_mknod,
	.mkdir		= t_mknod,
	.symlink	= t_symlink,
	.tmpfile	= t_tmpfile,
	.link		= t_link,
	.unlink		= t_unlink,
	.rmdir		= t_unlink,
	.rename		= t_rename,
	.open		= t_open,
	.release	= t_release,
	.flush		= t_flush,
	.read		= t_read,
	.write		= t_write,
	.fsync		= t_fsync,
	.fallocate	= t_fallocate,
	.lseek		= t_lseek,
	.copy_range	= t_copy,
	.getxattr	= t_getxattr,
	.setxattr	= t_setxattr,
	.listxattr	= t_listxattr,
	.removexattr	= t_removexattr,
	.fileattr_get	= t_fileattr_get,
	.fileattr_set	= t_fileattr_set,
	.getlk		= t_getlk,
	.setlk		= t_setlk,
	.ioctl		= t_ioctl,
	.poll		= t_poll,
	.statfs		= t_statfs,
	.syncfs		= t_syncfs,
	.resolve	= t_resolve,
	.parent		= t_resolve,
	.map_begin	= t_map_begin,
	.map_end	= t_map_end,
	.map_ioend	= t_map_ioend,
	.map_return	= t_map_return,
	.freeze		= t_freeze,
	.shutdown	= t_shutdown,
};

static struct fake fake;
static struct message rq, rp;

/* A request that is about a node with a handle, with a filled argument. */
static void begin(uint32_t op, void *arg, size_t len)
{
	memset(&seen, 0, sizeof(seen));
	msg_begin(&fake, &rq, op, 42);
	if (len)
		msg_arg(&rq, arg, len);
	msg_handle(&rq, dir_handle, sizeof(dir_handle));
}

static void begin2(uint32_t op, void *arg, size_t len)
{
	begin(op, arg, len);
	msg_handle2(&rq, node_handle, sizeof(node_handle));
}

static void check_node(const char *op)
{
	ok(seen.calls == 1 && seen.node.nodeid == 42 &&
	   seen.node.generation == 7 &&
	   seen.node.handle_len == sizeof(dir_handle) &&
	   !memcmp(seen.handle, dir_handle, sizeof(dir_handle)),
	   "%s: the node with its handle", op);
}

static void check_node2(const char *op, uint64_t nodeid)
{
	ok(seen.node2.nodeid == nodeid && seen.node2.generation == 8 &&
	   seen.node2.handle_len == sizeof(node_handle) &&
	   !memcmp(seen.handle2, node_handle, sizeof(node_handle)),
	   "%s: the second node with its handle", op);
}

static void check_empty(const char *op)
{
	ok(!rp.out.error && !reply_len(&rp), "%s: an empty reply", op);
}

static void check_filled(const char *op, size_t len)
{
	unsigned char want[1024];

	fill(want, len);
	ok(!rp.out.error && reply_len(&rp) == len &&
	   !memcmp(reply_body(&rp), want, len), "%s: the result as it was", op);
}

static bool body_is_pattern(size_t skip, size_t len)
{
	static unsigned char want[FAKE_MAX_READ];

	fill(want, len);
	return !rp.out.error && reply_len(&rp) == skip + len &&
	       !memcmp((const unsigned char *)reply_body(&rp) + skip, want,
		       len);
}

/* Entry, directory, [open file], handle padded with zeros. */
static void check_entry(const char *op, bool opened)
{
	struct fusex_entry_reply want;
	const unsigned char *p = reply_body(&rp);
	size_t len = offsetof(struct fusex_entry_reply, handle);
	size_t extra = opened ? sizeof(struct fusex_open_out) : 0;
	unsigned char open[16];

	fill(&want, len);
	want.entry.handle_len = sizeof(dir_handle);
	fill(open, sizeof(open));
	ok(!rp.out.error && reply_len(&rp) == len + extra + 16 &&
	   !memcmp(p, &want, len) && !memcmp(p + len, open, extra) &&
	   !memcmp(p + len + extra, dir_handle, sizeof(dir_handle)) &&
	   zeroed(p + len + extra + sizeof(dir_handle), 5),
	   "%s: the entry and its padded handle", op);
}

static void call(const char *op)
{
	ok(fake_call(&fake, &rq, &rp), "%s: is answered", op);
}

/* The same request once more, to a handler that fails. */
static void call_failing(const char *op)
{
	rq.in.unique = ++fake.unique;
	seen.ret = -EDOM;
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -EDOM &&
	   !reply_len(&rp), "%s: the handler's error", op);
}

static void check_arg(const char *op, const void *arg, size_t len)
{
	ok(!memcmp(seen.arg, arg, len), "%s: the argument as it was", op);
}

/* Operations without names: argument in, structure or nothing out. */
static void simple(const char *op, uint32_t code, size_t in, size_t out,
		   bool second)
{
	_Alignas(8) unsigned char arg[128];
	struct fusex_node_ref ref = { .nodeid = 43, .generation = 8 };

	fill(arg, in);
	if (code == FUSEX_OP_ACCESS || code == FUSEX_OP_OPEN)
		memset(arg + 4, 0, 4);
	if (second) {
		memcpy(arg + offsetof(struct fusex_copy_range_in, node2), &ref,
		       sizeof(ref));
		begin2(code, arg, in);
	} else {
		begin(code, arg, in);
	}
	call(op);
	check_node(op);
	if (second)
		check_node2(op, 43);
	check_arg(op, arg, in);
	if (out)
		check_filled(op, out);
	else
		check_empty(op);
	call_failing(op);
}

static void test_simple(void)
{
	const size_t attr = sizeof(struct fusex_attr_out);

	simple("getattr", FUSEX_OP_GETATTR, sizeof(struct fusex_getattr_in),
	       attr, false);
	simple("setattr", FUSEX_OP_SETATTR, sizeof(struct fusex_setattr_in),
	       attr, false);
	simple("access", FUSEX_OP_ACCESS, sizeof(struct fusex_access_in), 0,
	       false);
	simple("open", FUSEX_OP_OPEN, sizeof(struct fusex_open_in),
	       sizeof(struct fusex_open_out), false);
	simple("release", FUSEX_OP_RELEASE, sizeof(struct fusex_release_in), 0,
	       false);
	simple("flush", FUSEX_OP_FLUSH, sizeof(struct fusex_flush_in), 0,
	       false);
	simple("fsync", FUSEX_OP_FSYNC, sizeof(struct fusex_fsync_in), 0,
	       false);
	simple("fallocate", FUSEX_OP_FALLOCATE,
	       sizeof(struct fusex_fallocate_in), attr, false);
	simple("lseek", FUSEX_OP_LSEEK, sizeof(struct fusex_lseek_in),
	       sizeof(struct fusex_lseek_out), false);
	simple("copy_range", FUSEX_OP_COPY_RANGE,
	       sizeof(struct fusex_copy_range_in),
	       sizeof(struct fusex_write_out), true);
	simple("fileattr_get", FUSEX_OP_FILEATTR_GET, 0,
	       sizeof(struct fusex_fileattr), false);
	simple("fileattr_set", FUSEX_OP_FILEATTR_SET,
	       sizeof(struct fusex_fileattr), attr, false);
	simple("getlk", FUSEX_OP_GETLK, sizeof(struct fusex_lock),
	       sizeof(struct fusex_lock), false);
	simple("setlk", FUSEX_OP_SETLK, sizeof(struct fusex_lock), 0, false);
	simple("statfs", FUSEX_OP_STATFS, 0, sizeof(struct fusex_statfs_out),
	       false);
}

static void test_maps(void)
{
	simple("map_begin", FUSEX_OP_MAP_BEGIN,
	       sizeof(struct fusex_map_begin_in),
	       sizeof(struct fusex_map_begin_out), false);
	simple("map_end", FUSEX_OP_MAP_END, sizeof(struct fusex_map_end_in), 0,
	       false);
	simple("map_ioend", FUSEX_OP_MAP_IOEND,
	       sizeof(struct fusex_map_ioend_in), sizeof(struct fusex_attr_out),
	       false);
	simple("map_return", FUSEX_OP_MAP_RETURN,
	       sizeof(struct fusex_map_return_in), 0, false);
}

static void test_all(void)
{
	struct fusex_freeze_in thaw = { .flags = FUSEX_FREEZE_THAW };
	struct fusex_shutdown_in flush = { .flags = FUSEX_SHUTDOWN_FLUSH };

	begin(FUSEX_OP_FREEZE, &thaw, sizeof(thaw));
	call("freeze");
	ok(seen.calls == 1 && seen.value == FUSEX_FREEZE_THAW,
	   "freeze: the flags");
	check_empty("freeze");
	call_failing("freeze");
	begin(FUSEX_OP_SHUTDOWN, &flush, sizeof(flush));
	call("shutdown");
	ok(seen.calls == 1 && seen.value == FUSEX_SHUTDOWN_FLUSH,
	   "shutdown: the flags");
	check_empty("shutdown");
	call_failing("shutdown");
}

static void test_poll(void)
{
	struct fusex_poll_in in = { .fh = 1, .events = 2, .kh = 4 };
	const struct fusex_poll_out *out = reply_body(&rp);

	begin(FUSEX_OP_POLL, &in, sizeof(in));
	call("poll");
	check_node("poll");
	check_arg("poll", &in, sizeof(in));
	ok(reply_len(&rp) == sizeof(*out) && out->revents == 0x55 &&
	   !out->reserved, "poll: the events");
	call_failing("poll");
}

static void test_syncfs(void)
{
	begin(FUSEX_OP_SYNCFS, NULL, 0);
	call("syncfs");
	is(seen.calls, 1, "syncfs: the handler was called");
	check_empty("syncfs");
	call_failing("syncfs");
}

static char longest[256];

static void test_names(void)
{
	struct fusex_lookup_in in = { .name_len = 255 };

	begin(FUSEX_OP_LOOKUP, &in, sizeof(in));
	msg_name(&rq, longest);
	call("lookup");
	check_node("lookup");
	ok(!strcmp(seen.name, longest), "lookup: the longest name");
	check_entry("lookup", false);
	call_failing("lookup");

	in.name_len = 1;
	begin(FUSEX_OP_LOOKUP, &in, sizeof(in));
	msg_name(&rq, "x");
	call("lookup");
	ok(!strcmp(seen.name, "x"), "lookup: the shortest name");

	begin(FUSEX_OP_RESOLVE, NULL, 0);
	call("resolve");
	check_node("resolve");
	check_entry("resolve", false);
	call_failing("resolve");

	begin(FUSEX_OP_PARENT, NULL, 0);
	call("parent");
	check_node("parent");
	check_entry("parent", false);
}

static void put_xattr(const char *name, const void *value, size_t size)
{
	struct fusex_xattr_rec rec = {
		.name_len	= (uint32_t)strlen(name),
		.value_len	= (uint32_t)size,
	};

	msg_pad(&rq);
	msg_data(&rq, &rec, sizeof(rec));
	msg_name(&rq, name);
	msg_data(&rq, value, size);
	msg_pad(&rq);
}

static void test_make_with_xattrs(void)
{
	struct fusex_make_in in = {
		.mode = 0100644, .uid = 5, .gid = 6, .name_len = 4,
		.nr_xattrs = 2,
	};

	begin(FUSEX_OP_MKNOD, &in, sizeof(in));
	msg_name(&rq, "node");
	put_xattr("user.one", "12345", 5);
	put_xattr("user.b", "", 0);
	call("mknod");
	check_node("mknod");
	check_arg("mknod", &in, sizeof(in));
	ok(seen.value == 2 && !strcmp(seen.name2, "user.oneuser.b") &&
	   seen.size == 5 && !memcmp(seen.data, "12345", 5),
	   "mknod: two extended attributes");
	check_entry("mknod", false);
	call_failing("mknod");

	begin(FUSEX_OP_MKNOD, &in, sizeof(in));
	msg_name(&rq, "node");
	put_xattr("user.one", "12345", 5);
	call("mknod");
	is(seen.value, 1, "mknod: an attribute that is not there is not found");
}

static void test_make(void)
{
	struct fusex_make_in in = {
		.mode = 0100644, .umask = 022, .uid = 5, .gid = 6,
		.open_flags = 0102, .name_len = 3,
	};

	begin(FUSEX_OP_CREATE, &in, sizeof(in));
	msg_name(&rq, "new");
	call("create");
	check_node("create");
	check_arg("create", &in, sizeof(in));
	ok(!strcmp(seen.name, "new"), "create: the name");
	check_entry("create", true);
	call_failing("create");

	begin(FUSEX_OP_MKDIR, &in, sizeof(in));
	msg_name(&rq, "new");
	call("mkdir");
	check_node("mkdir");
	check_entry("mkdir", false);

	in.name_len = 0;
	begin(FUSEX_OP_TMPFILE, &in, sizeof(in));
	call("tmpfile");
	check_node("tmpfile");
	check_entry("tmpfile", true);
	call_failing("tmpfile");
}

static void test_symlink(void)
{
	static char target[4096];
	struct fusex_make_in in = { .name_len = 1, .target_len = 4095 };

	memset(target, 't', 4095);
	begin(FUSEX_OP_SYMLINK, &in, sizeof(in));
	msg_name(&rq, "l");
	msg_name(&rq, target);
	call("symlink");
	check_node("symlink");
	ok(!strcmp(seen.name, "l") && !strcmp(seen.name2, target),
	   "symlink: the name and the longest target");
	check_entry("symlink", false);
	call_failing("symlink");

	begin(FUSEX_OP_READLINK, NULL, 0);
	seen.ret = 4095;
	call("readlink");
	is((long long)seen.size, 4095, "readlink: the room");
	ok(body_is_pattern(0, 4095), "readlink: the longest target");
}

static void test_two_nodes(void)
{
	struct fusex_link_in link = { { 44, 8, 0 }, 3, 0 };
	struct fusex_unlink_in unlink = { { 45, 8, 0 }, 3, 7 };
	struct fusex_rename_in rename = { { 46, 8, 0 }, 5, 255, 2, 0 };

	begin2(FUSEX_OP_LINK, &link, sizeof(link));
	msg_name(&rq, "new");
	call("link");
	check_node("link");
	check_node2("link", 44);
	ok(!strcmp(seen.name, "new"), "link: the name");
	check_entry("link", false);
	call_failing("link");

	begin2(FUSEX_OP_UNLINK, &unlink, sizeof(unlink));
	msg_name(&rq, "old");
	call("unlink");
	check_node("unlink");
	check_node2("unlink", 45);
	ok(seen.value == 7, "unlink: the flags");
	check_filled("unlink", sizeof(struct fusex_unlink_out));
	call_failing("unlink");

	begin2(FUSEX_OP_RMDIR, &unlink, sizeof(unlink));
	msg_name(&rq, "old");
	call("rmdir");
	check_filled("rmdir", sizeof(struct fusex_unlink_out));

	begin2(FUSEX_OP_RENAME, &rename, sizeof(rename));
	msg_name(&rq, longest);
	msg_name(&rq, "to");
	call("rename");
	check_node("rename");
	check_node2("rename", 46);
	ok(!strcmp(seen.name, longest) && !strcmp(seen.name2, "to") &&
	   seen.value == 5, "rename: names and flags");
	check_filled("rename", sizeof(struct fusex_rename_out));
	call_failing("rename");
}

static void test_data(void)
{
	struct fusex_read_in rd = { .fh = 9, .offset = 1, .size = 65536 };
	struct fusex_write_in wr = { .fh = 9, .offset = 4096, .size = 65536 };
	static unsigned char data[65536];
	const struct fusex_write_out *out = reply_body(&rp);

	begin(FUSEX_OP_READ, &rd, sizeof(rd));
	seen.ret = 65536;
	call("read");
	check_node("read");
	check_arg("read", &rd, sizeof(rd));
	ok(body_is_pattern(0, 65536), "read: the largest read");
	is((long long)seen.value % 4096, 0, "read: into aligned memory");
	seen.ret = 0;
	rq.in.unique = ++fake.unique;
	call("read");
	check_empty("read at the end of the file");
	call_failing("read");

	fill(data, sizeof(data));
	begin(FUSEX_OP_WRITE, &wr, sizeof(wr));
	msg_data(&rq, data, sizeof(data));
	call("write");
	check_node("write");
	check_arg("write", &wr, sizeof(wr));
	ok(seen.size == 65536 && !memcmp(seen.data, data, 65536),
	   "write: the largest write");
	ok(reply_len(&rp) == sizeof(*out) && out->written == 65536 &&
	   out->offset == 4096 && out->attr_valid == 12345,
	   "write: the result");
	call_failing("write");
}

static void test_xattr(void)
{
	struct fusex_xattr_in in = { .size = 100, .name_len = 6, .flags = 2 };
	const struct fusex_xattr_out *out = reply_body(&rp);

	begin(FUSEX_OP_GETXATTR, &in, sizeof(in));
	msg_name(&rq, "user.x");
	seen.ret = 100;
	call("getxattr");
	check_node("getxattr");
	ok(!strcmp(seen.name, "user.x") && seen.size == 100,
	   "getxattr: name and room");
	ok(out->size == 100 && body_is_pattern(sizeof(*out), 100),
	   "getxattr: the value");
	seen.ret = 101;
	rq.in.unique = ++fake.unique;
	call("getxattr");
	is(rp.out.error, -ERANGE, "getxattr: a value that is too large");
	call_failing("getxattr");

	in.size = 0;
	begin(FUSEX_OP_GETXATTR, &in, sizeof(in));
	msg_name(&rq, "user.x");
	seen.ret = 65536;
	call("getxattr");
	ok(out->size == 65536 && reply_len(&rp) == sizeof(*out),
	   "getxattr: the size alone");

	in.size = 65536;
	in.name_len = 0;
	begin(FUSEX_OP_LISTXATTR, &in, sizeof(in));
	seen.ret = 65536;
	call("listxattr");
	check_node("listxattr");
	ok(out->size == 65536 && body_is_pattern(sizeof(*out), 65536),
	   "listxattr: the longest list");

	in.size = 5;
	in.name_len = 255;
	begin(FUSEX_OP_SETXATTR, &in, sizeof(in));
	msg_name(&rq, longest);
	msg_data(&rq, "value", 5);
	call("setxattr");
	check_node("setxattr");
	ok(!strcmp(seen.name, longest) && seen.size == 5 && seen.value == 2 &&
	   !memcmp(seen.data, "value", 5), "setxattr: name, value and flags");
	check_filled("setxattr", sizeof(struct fusex_attr_out));
	call_failing("setxattr");

	in.size = 0;
	begin(FUSEX_OP_REMOVEXATTR, &in, sizeof(in));
	msg_name(&rq, longest);
	call("removexattr");
	check_node("removexattr");
	ok(!strcmp(seen.name, longest), "removexattr: the name");
	check_filled("removexattr", sizeof(struct fusex_attr_out));
	call_failing("removexattr");
}

static void test_ioctl(void)
{
	struct fusex_ioctl_in in = {
		.fh = 1, .cmd = 2, .in_size = 4, .out_size = 16,
	};
	const struct fusex_ioctl_out *out = reply_body(&rp);

	begin(FUSEX_OP_IOCTL, &in, sizeof(in));
	msg_data(&rq, "argu", 4);
	seen.ret = 77;
	call("ioctl");
	check_node("ioctl");
	check_arg("ioctl", &in, sizeof(in));
	ok(seen.size == 4 && !memcmp(seen.data, "argu", 4),
	   "ioctl: the argument's content");
	ok(out->result == 77 && !out->reserved &&
	   body_is_pattern(sizeof(*out), 16), "ioctl: result and content");
	call_failing("ioctl");
}

static void test_wrong_results(void)
{
	struct fusex_read_in rd = { .size = 4096 };
	struct fusex_flush_in fl = { 0 };
	static const int wrong[] = { 1, -512, -4095, INT32_MIN };
	int i;

	for (i = 0; i < 4; i++) {
		begin(FUSEX_OP_FLUSH, &fl, sizeof(fl));
		seen.ret = wrong[i];
		call("flush");
		ok(rp.out.error == -EIO, "result %d becomes EIO", wrong[i]);
	}
	begin(FUSEX_OP_FLUSH, &fl, sizeof(fl));
	seen.ret = -511;
	call("flush");
	is(rp.out.error, -511, "the last error number is one");
	begin(FUSEX_OP_READ, &rd, sizeof(rd));
	seen.ret = 4097;
	call("read");
	is(rp.out.error, -EIO, "more data than asked for becomes EIO");
	begin(FUSEX_OP_READLINK, NULL, 0);
	seen.ret = 0;
	call("readlink");
	is(rp.out.error, -EIO, "an empty link becomes EIO");
}

int main(void)
{
	memset(longest, 'n', 255);
	fake_start(&fake, &ops, NULL, 1, 1);
	test_simple();
	test_maps();
	test_all();
	test_poll();
	test_syncfs();
	test_names();
	test_make();
	test_make_with_xattrs();
	test_symlink();
	test_two_nodes();
	test_data();
	test_xattr();
	test_ioctl();
	test_wrong_results();
	fake_stop(&fake);
	is(fake.result, 0, "fusex_run() returns 0 at the end of the channel");
	return tap_end();
}

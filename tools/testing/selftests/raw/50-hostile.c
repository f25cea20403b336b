// SPDX-License-Identifier: GPL-2.0
/*
 * A server that answers wrongly, in every way a reply can be wrong.  The one
 * operation fails, nothing else suffers.
 */
#include "actions.h"
#include "raw.h"
#include "tap.h"

#include <stdarg.h>
#include <sys/xattr.h>

/**
 * struct lie - one field of a reply, overwritten
 * @name: of the case
 * @op: whose reply
 * @offset: in the body
 * @width: bytes of @value, 1 to 8
 * @value: the lie
 * @act: what a program does to meet it
 * @remote_only: local inodes take no attributes from this reply
 */
struct lie {
	const char *name;
	uint32_t op;
	size_t offset;
	unsigned int width;
	uint64_t value;
	raw_action act;
	bool remote_only;
};

#define ENTRY(field)	offsetof(struct fusex_entry_out, entry.field)
#define ATTR(field)	offsetof(struct fusex_attr_out, attr.field)
#define WRITE(field)	offsetof(struct fusex_write_out, field)
#define DIRENT(field)	offsetof(struct fusex_dirent, field)
#define DENTRY(field)	(sizeof(struct fusex_dirent) +			\
			 offsetof(struct fusex_entry, field))
#define DNAME		(sizeof(struct fusex_dirent) + sizeof(struct fusex_entry))
#define STATFS(field)	offsetof(struct fusex_statfs_out, field)

#define LOOKUP_LIE(n, f, w, v) \
	{ "lookup: " n, FUSEX_OP_LOOKUP, ENTRY(f), w, v, do_lookup, false }
#define GETATTR_LIE(n, f, w, v) \
	{ "getattr: " n, FUSEX_OP_GETATTR, ATTR(f), w, v, do_getattr, true }
#define SETATTR_LIE(n, f, w, v) \
	{ "setattr: " n, FUSEX_OP_SETATTR, ATTR(f), w, v, do_setattr, false }
#define CREATE_LIE(n, f, w, v) \
	{ "create: " n, FUSEX_OP_CREATE, ENTRY(f), w, v, do_create, false }
#define MKDIR_LIE(n, f, w, v) \
	{ "mkdir: " n, FUSEX_OP_MKDIR, ENTRY(f), w, v, do_mkdir, false }
#define WRITE_LIE(n, f, w, v) \
	{ "write: " n, FUSEX_OP_WRITE, WRITE(f), w, v, do_write, false }
#define COPY_LIE(n, f, w, v) \
	{ "copy: " n, FUSEX_OP_COPY_RANGE, WRITE(f), w, v, do_copy, false }
#define READDIR_LIE(n, off, w, v) \
	{ "readdir: " n, FUSEX_OP_READDIR, off, w, v, do_readdir, false }
#define STATFS_LIE(n, f, w, v) \
	{ "statfs: " n, FUSEX_OP_STATFS, STATFS(f), w, v, do_statfs, false }

static const struct lie lies[] = {
	LOOKUP_LIE("unknown mask bit", attr.mask, 4, 0xffffffff),
	LOOKUP_LIE("missing attributes", attr.mask, 4, FUSEX_ATTR_MODE),
	LOOKUP_LIE("no file type", attr.mode, 4, 0644),
	LOOKUP_LIE("unknown file type", attr.mode, 4, 0170644),
	LOOKUP_LIE("unknown mode bits", attr.mode, 4, 0x10000 | S_IFREG),
	LOOKUP_LIE("negative size", attr.size, 8, 1ull << 63),
	LOOKUP_LIE("size -1", attr.size, 8, ~0ull),
	LOOKUP_LIE("owner -1", attr.uid, 4, ~0u),
	LOOKUP_LIE("group -1", attr.gid, 4, ~0u),
	LOOKUP_LIE("link count", attr.nlink, 4, ~0u),
	LOOKUP_LIE("nanoseconds", attr.mtime.nsec, 4, 1000000000),
	LOOKUP_LIE("reserved time", attr.ctime.reserved, 4, 1),
	LOOKUP_LIE("block size", attr.blksize, 4, 4097),
	LOOKUP_LIE("reserved attribute", attr.reserved[2], 8, 1),
	LOOKUP_LIE("reserved entry", reserved, 8, 1),
	LOOKUP_LIE("unknown flags", flags, 4, 0x80000000),
	LOOKUP_LIE("handle not declared", handle_len, 2, 8),
	LOOKUP_LIE("handle too long", handle_len, 2, 0xffff),
	LOOKUP_LIE("unknown io mode", io_mode, 1, FUSEX_IO_NR),
	LOOKUP_LIE("io mode not agreed", io_mode, 1, FUSEX_IO_DAX),
	LOOKUP_LIE("unknown attribute mode", attr_mode, 1, FUSEX_ATTR_NR),
	LOOKUP_LIE("backing without passthrough", backing, 4, 1),
	LOOKUP_LIE("the root as a child", nodeid, 8, RAW_ROOT),
	GETATTR_LIE("type change", mode, 4, S_IFDIR | 0755),
	GETATTR_LIE("negative size", size, 8, 1ull << 63),
	GETATTR_LIE("missing attributes", mask, 4, 0),
	GETATTR_LIE("nanoseconds", atime.nsec, 4, ~0u),
	SETATTR_LIE("unknown mask bit", mask, 4, 0xffffffff),
	SETATTR_LIE("negative size", size, 8, 1ull << 63),
	CREATE_LIE("no node", nodeid, 8, 0),
	CREATE_LIE("another type", attr.mode, 4, S_IFDIR | 0755),
	CREATE_LIE("the root", nodeid, 8, RAW_ROOT),
	CREATE_LIE("negative size", attr.size, 8, 1ull << 63),
	MKDIR_LIE("no node", nodeid, 8, 0),
	MKDIR_LIE("another type", attr.mode, 4, S_IFREG | 0755),
	MKDIR_LIE("its own parent", nodeid, 8, RAW_ROOT),
	WRITE_LIE("nothing", written, 8, 0),
	WRITE_LIE("more than asked", written, 8, 6),
	WRITE_LIE("much more than asked", written, 8, ~0ull),
	WRITE_LIE("elsewhere", offset, 8, 0),
	WRITE_LIE("bad attributes", attr.mask, 4, 0xffffffff),
	COPY_LIE("more than asked", written, 8, 4097),
	COPY_LIE("elsewhere", offset, 8, 1),
	READDIR_LIE("record of no length", DIRENT(reclen), 4, 0),
	READDIR_LIE("record beyond the end", DIRENT(reclen), 4, 1 << 20),
	READDIR_LIE("record not aligned", DIRENT(reclen), 4, 243),
	READDIR_LIE("empty name", DIRENT(name_len), 2, 0),
	READDIR_LIE("name of 256 bytes", DIRENT(name_len), 2, 256),
	READDIR_LIE("unknown type", DIRENT(type), 1, 99),
	READDIR_LIE("unknown flags", DIRENT(flags), 1, 0xff),
	READDIR_LIE("cookie 0", DIRENT(cookie), 8, 0),
	READDIR_LIE("slash", DNAME, 1, '/'),
	READDIR_LIE("NUL", DNAME, 1, 0),
	READDIR_LIE("dot with an entry", DNAME, 1, '.'),
	READDIR_LIE("bad entry", DENTRY(attr.size), 8, ~0ull),
	STATFS_LIE("block size 0", bsize, 4, 0),
	STATFS_LIE("name length", namelen, 4, 256),
	STATFS_LIE("more free than there is", bfree, 8, 1001),
	{ "open: unknown flags", FUSEX_OP_OPEN,
	  offsetof(struct fusex_open_out, flags), 4, ~0u, do_open, false },
	{ "lseek: backwards", FUSEX_OP_LSEEK,
	  offsetof(struct fusex_lseek_out, offset), 8, ~0ull, do_lseek, false },
	{ "ioctl: negative result", FUSEX_OP_IOCTL,
	  offsetof(struct fusex_ioctl_out, result), 4, ~0u, do_ioctl, false },
	{ "getxattr: size", FUSEX_OP_GETXATTR,
	  offsetof(struct fusex_xattr_out, size), 4, 99, do_getxattr, false },
	{ "readlink: NUL", FUSEX_OP_READLINK, 0, 1, 0, do_readlink, false },
};

static void tell_lie(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	const struct lie *lie = r->data;

	(void)in;
	if (rep->oh.error || rep->len < lie->offset + lie->width)
		return;
	memcpy(rep->body + lie->offset, &lie->value, lie->width);
}

/* The errors that a bad reply may end in, as the interface says. */
static bool is_corrupt(int err)
{
	return err == -EUCLEAN || err == -EIO || err == -ESTALE ||
	       err == -ELOOP;
}

/* Whatever happened before, the rest of the tree still works. */
static const char *rest_works(struct raw *r)
{
	char buf[16];
	int fd;

	if (do_statfs(r))
		return "statfs";
	fd = open(raw_path(r, "g"), O_RDWR);
	if (fd < 0)
		return "open g";
	if (pread(fd, buf, sizeof(buf), 0) != sizeof(buf) || buf[0] != 'x')
		return "read g";
	if (pwrite(fd, buf, sizeof(buf), 50) != sizeof(buf))
		return "write g";
	close(fd);
	if (mkdir(raw_path(r, "after"), 0755))
		return "mkdir";
	return do_readdir(r) ? "readdir" : NULL;
}

static void check_rest(struct raw *r, const char *name)
{
	const char *broken = rest_works(r);

	if (broken)
		FAIL("%s: %s failed afterwards: %s", name, broken,
		     strerror(errno));
}

static void run_lie(const struct lie *lie, uint32_t attr_mode)
{
	struct raw *r = raw_start(attr_mode);
	int err;

	raw_bend(r, lie->op, tell_lie, lie);
	err = lie->act(r);
	if (!atomic_load(&r->seen))
		FAIL("%s: no such request was made", lie->name);
	if (!is_corrupt(err))
		FAIL("%s (%s): ended in %d (%s)", lie->name,
		     attr_mode == FUSEX_ATTR_LOCAL ? "local" : "remote", err,
		     strerror(-err));
	raw_bend(r, 0, NULL, NULL);
	check_rest(r, lie->name);
	raw_stop(r);
}

static void run_lies(uint32_t attr_mode, uint32_t first, uint32_t last)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++)
		if (lies[i].op >= first && lies[i].op <= last &&
		    !(lies[i].remote_only && attr_mode == FUSEX_ATTR_LOCAL))
			run_lie(&lies[i], attr_mode);
}

#define LIES(name, first, last)						\
	TEST(lies, name##_local)					\
	{								\
		run_lies(FUSEX_ATTR_LOCAL, first, last);		\
	}								\
	TEST(lies, name##_remote)					\
	{								\
		run_lies(FUSEX_ATTR_REMOTE, first, last);		\
	}

LIES(lookup, FUSEX_OP_LOOKUP, FUSEX_OP_LOOKUP)
LIES(attributes, FUSEX_OP_GETATTR, FUSEX_OP_READLINK)
LIES(make, FUSEX_OP_CREATE, FUSEX_OP_RENAME)
LIES(data, FUSEX_OP_OPEN, FUSEX_OP_FSYNC)
LIES(readdir, FUSEX_OP_READDIR, FUSEX_OP_READDIR)
LIES(other, FUSEX_OP_FALLOCATE, FUSEX_OP_NR)

/* ------------------------------------------- replies of the wrong length */

static void cut_short(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	(void)r;
	(void)in;
	if (!rep->oh.error && rep->len)
		rep->len--;
}

static void too_long(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	(void)r;
	(void)in;
	if (rep->oh.error)
		return;
	memset(rep->body + rep->len, 0, 4096);
	rep->len += RAW_BODY / 2;
}

/*
 * A READ may come short and READLINK may be one byte less; everything else has
 * a shape.
 */
static bool short_is_legal(uint32_t op)
{
	return op == FUSEX_OP_READ || op == FUSEX_OP_FSYNC ||
	       op == FUSEX_OP_SYNCFS;
}

/* The caller finds out that something is missing. */
static bool length_varies(uint32_t op)
{
	return op == FUSEX_OP_READLINK || op == FUSEX_OP_READDIR ||
	       op == FUSEX_OP_GETXATTR || op == FUSEX_OP_LISTXATTR;
}

/* Whoever waits for a reply may go on before the write of it returns. */
static bool all_written(void *arg)
{
	struct raw *r = arg;

	return !atomic_load(&r->busy);
}

TEST(length, short)
{
	for (unsigned int i = 0; i < raw_nr_actions; i++) {
		const struct raw_action_of *a = &raw_actions[i];
		struct raw *r;
		int err;

		if (short_is_legal(a->op))
			continue;
		r = raw_start(FUSEX_ATTR_REMOTE);
		raw_bend(r, a->op, cut_short, NULL);
		err = a->act(r);
		if (!is_corrupt(err))
			FAIL("%s: ended in %d", a->name, err);
		UNTIL(all_written, r);
		if (atomic_load(&r->write_errno) != EINVAL &&
		    !length_varies(a->op))
			FAIL("%s: the write ended in %d", a->name,
			     atomic_load(&r->write_errno));
		raw_bend(r, 0, NULL, NULL);
		check_rest(r, a->name);
		raw_stop(r);
	}
}

TEST(length, excess)
{
	for (unsigned int i = 0; i < raw_nr_actions; i++) {
		const struct raw_action_of *a = &raw_actions[i];
		struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
		int err;

		raw_bend(r, a->op, too_long, NULL);
		err = a->act(r);
		if (!is_corrupt(err))
			FAIL("%s: ended in %d", a->name, err);
		raw_bend(r, 0, NULL, NULL);
		check_rest(r, a->name);
		raw_stop(r);
	}
}

/* -------------------------------------------------- headers that are wrong */

/* Writes a wrong header first; the right reply must still be taken. */
static void wrong_header(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	const struct fusex_out_header *bad = r->data;
	struct fusex_out_header oh = rep->oh;

	(void)in;
	oh.len = sizeof(oh) + bad->len;
	oh.unique += bad->unique;
	oh.error = bad->error;
	oh.notify = bad->notify;
	oh.reserved = bad->reserved;
	if (write(r->fd, &oh, sizeof(oh)) >= 0)
		atomic_store(&r->write_errno, 0);
	else
		atomic_store(&r->write_errno, errno);
}

static void expect_header(struct fusex_out_header bad, int error)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);

	raw_bend(r, FUSEX_OP_LOOKUP, wrong_header, &bad);
	EQ(do_lookup(r), 0);
	EQ(atomic_load(&r->write_errno), error);
	raw_stop(r);
}

TEST(header, length)
{
	expect_header((struct fusex_out_header){ .len = 8 }, EINVAL);
}

TEST(header, unknown_unique)
{
	struct fusex_out_header bad = { .unique = 1000001, .error = -EIO };

	expect_header(bad, ENOENT);
}

TEST(header, positive_error)
{
	expect_header((struct fusex_out_header){ .error = 5 }, EINVAL);
}

TEST(header, huge_error)
{
	expect_header((struct fusex_out_header){ .error = -4095 }, EINVAL);
}

TEST(header, reserved)
{
	expect_header((struct fusex_out_header){ .reserved = 1 }, EINVAL);
}

TEST(header, notify_in_reply)
{
	expect_header((struct fusex_out_header){ .notify = 1 }, EINVAL);
}

static void answer_twice(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	(void)r;
	(void)in;
	rep->times = 2;
}

TEST(header, twice)
{
	for (unsigned int i = 0; i < raw_nr_actions; i++) {
		const struct raw_action_of *a = &raw_actions[i];
		struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
		int err;

		raw_bend(r, a->op, answer_twice, NULL);
		err = a->act(r);
		if (err)
			FAIL("%s: ended in %d", a->name, err);
		/* The second write happens after the caller went on. */
		raw_bend(r, a->op, NULL, NULL);
		raw_stop(r);
	}
}

/* ------------------------------------------------------------------- sizes */

static void is_smaller(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	struct fusex_attr_out *out = (void *)rep->body;

	(void)r;
	(void)in;
	out->attr.size = 100;
}

/* Somebody else may have cut it at once: nothing to complain about. */
TEST(size, is_smaller_than_it_was_set_to)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDWR));

	raw_bend(r, FUSEX_OP_SETATTR, is_smaller, NULL);
	OK(ftruncate(fd, 2 * RAW_SIZE));
	raw_bend(r, 0, NULL, NULL);
	close(fd);
	check_rest(r, "a size that is smaller");
	raw_stop(r);
}

/* -------------------------------------------------------------- identities */

/* "f" is found to be the directory "d" as well as "d" itself. */
static void same_dir_twice(struct raw *r, const struct fusex_in_header *in,
			   struct raw_reply *rep)
{
	struct fusex_entry_out *out = (void *)rep->body;

	(void)in;
	if (rep->oh.error)
		return;
	pthread_mutex_lock(&r->lock);
	out->entry.nodeid = 3;
	out->entry.attr.mode = S_IFDIR | 0755;
	pthread_mutex_unlock(&r->lock);
}

TEST(identity, directory_loop)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	struct stat st;
	int err;

	OK(stat(raw_path(r, "d"), &st));
	OK(mkdir(raw_path(r, "d/e"), 0755));
	raw_bend(r, FUSEX_OP_LOOKUP, same_dir_twice, NULL);
	/* "d/x" says it is "d": a loop. */
	r->nodes[40] = (struct raw_node){
		.mode = S_IFDIR | 0755, .name = "x", .parent = 3, .nlink = 2,
	};
	err = stat(raw_path(r, "d/x"), &st) ? -errno : 0;
	raw_bend(r, 0, NULL, NULL);
	if (!is_corrupt(err))
		FAIL("a loop ended in %d", err);
	OK(stat(raw_path(r, "d/e"), &st));
	r->nodes[40].mode = 0;
	raw_stop(r);
}

static void other_type(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	struct fusex_entry_out *out = (void *)rep->body;

	(void)r;
	(void)in;
	if (rep->oh.error)
		return;
	out->entry.attr.mode = S_IFLNK | 0777;
	out->entry.attr_valid = 0;
	out->entry.entry_valid = 0;
}

TEST(identity, type_change)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	struct stat st;
	int fd = open(raw_path(r, "f"), O_RDONLY);
	int err;
	char c;

	OK(fd);
	/* Another name for the same node, of another type. */
	r->nodes[0].mode = S_IFREG;
	raw_bend(r, FUSEX_OP_LOOKUP, other_type, NULL);
	strcpy(r->nodes[2].name, "f2");
	err = lstat(raw_path(r, "f2"), &st) ? -errno : 0;
	raw_bend(r, 0, NULL, NULL);
	if (!is_corrupt(err))
		FAIL("a type change ended in %d", err);
	EQ(pread(fd, &c, 1, 0), 1);
	close(fd);
	raw_stop(r);
}

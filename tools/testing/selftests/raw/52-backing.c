// SPDX-License-Identifier: GPL-2.0
/*
 * Backing files: what may be registered and by whom, which entries may name
 * it, that data moves without the server, and what becomes of who uses it when
 * it is removed.
 */
#include "answer.h"
#include "fs.h"
#include "raw.h"
#include "tap.h"

#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <time.h>

#define THROUGH		(1u << FUSEX_IO_PASSTHROUGH)
#define READING		FUSEX_BACKING_READ
#define WRITING		FUSEX_BACKING_WRITE
#define BOTH		(READING | WRITING)

/* Of the tree: "f" and "g". */
enum { F = 2, G = 5 };

/* A channel that is not mounted. */
static int channel(uint32_t io_modes)
{
	int fd = (int)OK(open("/dev/fusex", O_RDWR | O_CLOEXEC));
	struct fusex_setup s;

	raw_setup_init(&s, FUSEX_ATTR_LOCAL);
	s.io_modes = io_modes;
	OK(ioctl(fd, FUSEX_IOC_SETUP, &s));
	return fd;
}

static struct raw *start(uint32_t attr_mode, uint32_t stack_depth)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, attr_mode);
	r->setup.io_modes = THROUGH;
	r->setup.stack_depth = stack_depth;
	/* No request for it in between. */
	r->setup.root.attr_valid = FUSEX_FOREVER;
	raw_mount(r);
	raw_serve(r);
	return r;
}

static int add(int chan, int fd, uint32_t access, uint32_t *cookie)
{
	struct fusex_backing b = {
		.size = sizeof(b), .type = FUSEX_BACKING_FILE,
		.fd = fd, .access = access,
	};
	int ret = ioctl(chan, FUSEX_IOC_BACKING_ADD, &b);

	*cookie = b.cookie;
	return ret;
}

/* 0 or an errno, the file is closed again. */
static int add_path(int chan, const char *path, int flags, uint32_t access,
		    uint32_t *cookie)
{
	int fd = (int)OK(open(path, flags));
	int err = add(chan, fd, access, cookie) ? errno : 0;

	close(fd);
	return err;
}

static void name_it(struct raw *r, uint64_t id, uint32_t cookie)
{
	r->nodes[id].io_mode = FUSEX_IO_PASSTHROUGH;
	r->nodes[id].backing = cookie;
}

/* "back" is registered, and is what is behind "f". */
static uint32_t behind_f(struct raw *r)
{
	uint32_t cookie;

	make_sized("back", RAW_SIZE);
	EQ(add_path(r->fd, "back", O_RDWR, BOTH, &cookie), 0);
	CHECK(cookie);
	name_it(r, F, cookie);
	return cookie;
}

/* -------------------------------------------------------------- registering */

#define FIELD(f)	offsetof(struct fusex_backing, f), \
			sizeof(((struct fusex_backing *)0)->f)

/* One field of a good argument, overwritten. */
static const struct bad_argument {
	const char *name;
	size_t offset;
	size_t width;
	uint64_t value;
	int error;
} bad_arguments[] = {
	{ "size 0", FIELD(size), 0, EINVAL },
	{ "size too small", FIELD(size), 16, EINVAL },
	{ "no type", FIELD(type), 0, EINVAL },
	{ "unknown type", FIELD(type), 5, EINVAL },
	{ "block device", FIELD(type), FUSEX_BACKING_BDEV, EOPNOTSUPP },
	{ "memory device", FIELD(type), FUSEX_BACKING_DAX, EOPNOTSUPP },
	{ "stripe of nothing", FIELD(type), FUSEX_BACKING_STRIPE, EINVAL },
	{ "negative fd", FIELD(fd), ~0ull, EBADF },
	{ "fd that is not open", FIELD(fd), 9999, EBADF },
	{ "no access", FIELD(access), 0, EINVAL },
	{ "unknown access", FIELD(access), 4, EINVAL },
	{ "more unknown access", FIELD(access), 1u << 31 | READING, EINVAL },
	{ "cookie", FIELD(cookie), 1, EINVAL },
	{ "number of members", FIELD(nr_members), 1, EINVAL },
	{ "members", FIELD(members), 4096, EINVAL },
	{ "stripe unit", FIELD(stripe_unit), 4096, EINVAL },
	{ "reserved", offsetof(struct fusex_backing, reserved), 8, 1, EINVAL },
	{ "more reserved", offsetof(struct fusex_backing, reserved) + 8, 8, 1,
	  EINVAL },
};

TEST(registering, bad_arguments)
{
	int chan = channel(THROUGH);
	int fd;

	make_file("back", "text");
	fd = (int)OK(open("back", O_RDWR));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_arguments); i++) {
		const struct bad_argument *a = &bad_arguments[i];
		struct fusex_backing b = {
			.size = sizeof(b), .type = FUSEX_BACKING_FILE,
			.fd = fd, .access = BOTH,
		};
		int err;

		memcpy((char *)&b + a->offset, &a->value, a->width);
		err = ioctl(chan, FUSEX_IOC_BACKING_ADD, &b) ? errno : 0;
		if (err != a->error)
			FAIL("%s: %d (%s)", a->name, err, strerror(err));
	}
	FAILS(ioctl(chan, FUSEX_IOC_BACKING_ADD, NULL), EFAULT);
	close(fd);
	close(chan);
}

TEST(registering, files_of_the_wrong_kind)
{
	int chan = channel(THROUGH);
	uint32_t cookie;

	make_file("back", "text");
	OK(mkdir("d", 0755));
	OK(mkfifo("p", 0644));
	EQ(add_path(chan, "d", O_RDONLY, READING, &cookie), EINVAL);
	EQ(add_path(chan, "p", O_RDWR, BOTH, &cookie), EINVAL);
	EQ(add_path(chan, "/dev/null", O_RDWR, BOTH, &cookie), EINVAL);
	EQ(add_path(chan, "back", O_RDONLY, WRITING, &cookie), EBADF);
	EQ(add_path(chan, "back", O_RDONLY, BOTH, &cookie), EBADF);
	EQ(add_path(chan, "back", O_WRONLY, READING, &cookie), EBADF);
	EQ(add_path(chan, "back", O_PATH, READING, &cookie), EBADF);
	EQ(add_path(chan, "back", O_RDWR, READING, &cookie), 0);
	EQ(add_path(chan, "back", O_RDONLY, READING, &cookie), 0);
	EQ(add_path(chan, "back", O_WRONLY, WRITING, &cookie), 0);
	close(chan);
}

TEST(registering, without_the_mode)
{
	int chan = channel(0);
	uint32_t cookie;

	make_file("back", "text");
	EQ(add_path(chan, "back", O_RDWR, BOTH, &cookie), EOPNOTSUPP);
	close(chan);
}

TEST(registering, stacked_files)
{
	struct raw *plain = raw_start(FUSEX_ATTR_LOCAL);
	struct raw *one = start(FUSEX_ATTR_LOCAL, 0);
	struct raw *two = start(FUSEX_ATTR_LOCAL, 2);
	uint32_t cookie;

	/* Itself, and what is as high. */
	EQ(add_path(one->fd, raw_path(one, "f"), O_RDWR, BOTH, &cookie), ELOOP);
	EQ(add_path(two->fd, raw_path(two, "f"), O_RDWR, BOTH, &cookie), ELOOP);
	EQ(add_path(one->fd, raw_path(two, "f"), O_RDWR, BOTH, &cookie), ELOOP);
	/* What is lower.  Without passthrough nothing is stacked. */
	EQ(add_path(one->fd, raw_path(plain, "f"), O_RDWR, BOTH, &cookie), 0);
	EQ(add_path(two->fd, raw_path(one, "f"), O_RDWR, BOTH, &cookie), 0);
	raw_stop(two);
	raw_stop(one);
	raw_stop(plain);
}

TEST(registering, needs_the_capability)
{
	int chan = channel(THROUGH);
	uint32_t cookie;
	int fd;

	make_file("back", "text");
	fd = (int)OK(open("back", O_RDWR));
	as(1000, 1000);
	FAILS(add(chan, fd, BOTH, &cookie), EPERM);
	as_root();
	OK(add(chan, fd, BOTH, &cookie));
	drop_capability(CAP_SYS_ADMIN);
	FAILS(add(chan, fd, BOTH, &cookie), EPERM);
	close(fd);
	close(chan);
}

/* To be root there is not enough. */
TEST(registering, needs_it_in_the_initial_namespace)
{
	int chan = channel(THROUGH);
	uint32_t cookie;
	int fd;

	make_file("back", "text");
	fd = (int)OK(open("back", O_RDWR));
	if (unshare(CLONE_NEWUSER))
		SKIP("this kernel has no user namespaces");
	FAILS(add(chan, fd, BOTH, &cookie), EPERM);
	close(fd);
	close(chan);
}

/* The server of one who is not entitled to it; it has got its answer. */
static pid_t serve_confined(struct raw *r, int back)
{
	pid_t pid = (pid_t)OK(fork());
	uint32_t cookie;

	if (pid)
		return pid;
	OK(setresgid(1000, 1000, 1000));
	OK(setresuid(1000, 1000, 1000));
	FAILS(add(r->fd, back, BOTH, &cookie), EPERM);
	raw_serve(r);
	for (;;)
		pause();
}

TEST(registering, for_a_confined_server)
{
	struct raw *r = raw_alloc();
	uint32_t cookie;
	struct stat st;
	int helper, fd;
	pid_t pid;

	make_file("back", "text");
	fd = (int)OK(open("back", O_RDWR));
	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	r->setup.io_modes = THROUGH;
	raw_mount(r);
	pid = serve_confined(r, fd);
	helper = (int)OK(dup(r->fd));
	close(r->fd);
	/* It has set up its tree when it answers. */
	OK(stat(raw_path(r, "g"), &st));
	OK(add(helper, fd, BOTH, &cookie));
	close(fd);
	close(helper);
	name_it(r, F, cookie);
	/* Who uses it needs nothing either. */
	as(1000, 1000);
	STREQ(slurp(raw_path(r, "f")), "text");
	as_root();
	OK(umount2(r->mnt, 0));
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	OK(rmdir(r->mnt));
}

/* ------------------------------------------------------------------- entries */

static int bad_replies(struct raw *r)
{
	return atoi(slurp(raw_sysfs(r, "bad_replies")));
}

/* What the tracepoint says, in a buffer of its own. */
#define TRACE		"/sys/kernel/tracing/instances/fusex-backing"

static void trace_start(void)
{
	if (mkdir(TRACE, 0700))
		EQ(errno, EEXIST);
	make_file(TRACE "/trace", NULL);
	make_file(TRACE "/events/fusex/fusex_bad_reply/enable", "1");
}

static void trace_stop(void)
{
	make_file(TRACE "/events/fusex/fusex_bad_reply/enable", "0");
	OK(rmdir(TRACE));
}

/* How many lines there are about the mount; the next time, others. */
static int traced(struct raw *r)
{
	struct statx st = look(r->mnt);
	const char *p = slurp(TRACE "/trace");
	char want[64];
	int n = 0;

	snprintf(want, sizeof(want), "fusex_bad_reply: dev=%u:%u ",
		 st.stx_dev_major, st.stx_dev_minor);
	for (p = strstr(p, want); p; p = strstr(p + 1, want))
		n++;
	make_file(TRACE "/trace", NULL);
	return n;
}

/* A cookie that was given out, and one that was not. */
enum { GIVEN = 1000000, UNKNOWN };

static const struct bad_entry {
	const char *name;
	uint8_t io_mode;
	uint32_t backing;
} bad_entries[] = {
	{ "passthrough without a cookie", FUSEX_IO_PASSTHROUGH, 0 },
	{ "passthrough with an unknown cookie", FUSEX_IO_PASSTHROUGH, UNKNOWN },
	{ "the default with a cookie", FUSEX_IO_DEFAULT, GIVEN },
	{ "the default with an unknown cookie", FUSEX_IO_DEFAULT, UNKNOWN },
	{ "plain with a cookie", FUSEX_IO_PLAIN, GIVEN },
	{ "a mode that was not agreed on", FUSEX_IO_DIRECT, 0 },
	{ "a mode that was not agreed on, with a cookie", FUSEX_IO_WRITEBACK,
	  GIVEN },
	{ "a mode of another version", FUSEX_IO_IOMAP, 0 },
	{ "an unknown mode", FUSEX_IO_NR, 0 },
	{ "the last mode there can be", 255, 0 },
};

static struct raw_node as_node(const struct bad_entry *b, uint32_t given)
{
	return (struct raw_node){
		.io_mode = b->io_mode,
		.backing = b->backing == GIVEN ? given : b->backing,
	};
}

static void is_refused(const char *path, int flags, const struct bad_entry *b)
{
	int fd = open(path, flags, 0644);

	if (fd >= 0 || errno != EUCLEAN)
		FAIL("%s: %s", b->name, fd < 0 ? strerror(errno) : "works");
}

static void look_up_bad(struct raw *r, const struct bad_entry *b,
			uint32_t cookie)
{
	struct raw_node n = as_node(b, cookie);
	unsigned int asked = r->count[FUSEX_OP_LOOKUP];
	int bad = bad_replies(r);

	r->nodes[F].io_mode = n.io_mode;
	r->nodes[F].backing = n.backing;
	is_refused(raw_path(r, "f"), O_PATH, b);
	is_refused(raw_path(r, "f"), O_RDWR, b);
	/* Nothing of it was cached. */
	EQ(r->count[FUSEX_OP_LOOKUP], asked + 2);
	EQ(bad_replies(r), bad + 2);
	EQ(traced(r), 2);
	EQ(r->count[FUSEX_OP_OPEN], 0);
}

static void look_up(uint32_t attr_mode)
{
	struct raw *r = start(attr_mode, 0);
	uint32_t cookie = behind_f(r);

	trace_start();
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_entries); i++)
		look_up_bad(r, &bad_entries[i], cookie);
	trace_stop();
	/* The server hears that nobody has them. */
	UNTIL_SEEN(r, FUSEX_OP_FORGET);
	name_it(r, F, cookie);
	EQ(look(raw_path(r, "f")).stx_size, RAW_SIZE);
	check_pattern(slurp(raw_path(r, "f")), RAW_SIZE, 0, 0);
	EQ(r->count[FUSEX_OP_READ], 0);
	raw_stop(r);
}

TEST(entry, bad_from_lookup_local)
{
	look_up(FUSEX_ATTR_LOCAL);
}

TEST(entry, bad_from_lookup_remote)
{
	look_up(FUSEX_ATTR_REMOTE);
}

static void create_bad(struct raw *r, const struct bad_entry *b,
		       uint32_t cookie, const char *path)
{
	unsigned int asked = r->count[FUSEX_OP_LOOKUP];
	int bad = bad_replies(r);

	r->make = as_node(b, cookie);
	is_refused(path, O_RDWR | O_CREAT | O_EXCL, b);
	EQ(bad_replies(r), bad + 1);
	/* The file is there, but the kernel does not know it yet. */
	EQ(look(path).stx_size, 0);
	CHECK(r->count[FUSEX_OP_LOOKUP] > asked);
}

static void create(uint32_t attr_mode)
{
	struct raw *r = start(attr_mode, 0);
	uint32_t cookie = behind_f(r);
	char name[16];
	int fd;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_entries); i++) {
		snprintf(name, sizeof(name), "new%u", i);
		create_bad(r, &bad_entries[i], cookie, raw_path(r, name));
	}
	r->make = (struct raw_node){ .io_mode = FUSEX_IO_PASSTHROUGH };
	make_file("back2", NULL);
	EQ(add_path(r->fd, "back2", O_RDWR, BOTH, &r->make.backing), 0);
	fd = (int)OK(open(raw_path(r, "new"), O_RDWR | O_CREAT | O_EXCL, 0644));
	EQ(OK(write(fd, "text", 4)), 4);
	STREQ(slurp("back2"), "text");
	close(fd);
	raw_stop(r);
}

TEST(entry, bad_from_create_local)
{
	create(FUSEX_ATTR_LOCAL);
}

TEST(entry, bad_from_create_remote)
{
	create(FUSEX_ATTR_REMOTE);
}

/* The kernel cannot use what was opened with it, so it is closed again. */
TEST(entry, that_is_refused_is_released)
{
	struct raw *r = start(FUSEX_ATTR_LOCAL, 0);

	r->make = as_node(&bad_entries[1], 0);
	FAILS(open(raw_path(r, "new"), O_RDWR | O_CREAT, 0644), EUCLEAN);
	UNTIL_SEEN(r, FUSEX_OP_RELEASE);
	UNTIL_SEEN(r, FUSEX_OP_FORGET);
	raw_stop(r);
}

static void name_directories(struct raw *r, const struct fusex_in_header *in,
			     struct raw_reply *rep)
{
	struct fusex_entry_out *out = (void *)rep->body;

	(void)in;
	if (!rep->oh.error)
		out->entry.backing = *(const uint32_t *)r->data;
}

TEST(entry, of_what_has_no_data)
{
	struct raw *r = start(FUSEX_ATTR_LOCAL, 0);
	uint32_t cookie = behind_f(r);
	struct stat st;

	raw_bend(r, FUSEX_OP_LOOKUP, name_directories, &cookie);
	FAILS(stat(raw_path(r, "d"), &st), EUCLEAN);
	FAILS(lstat(raw_path(r, "l"), &st), EUCLEAN);
	raw_bend(r, 0, NULL, NULL);
	OK(stat(raw_path(r, "d"), &st));
	raw_stop(r);
}

/* Names that are listed are not believed any more than others. */
static void list_unknown(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	struct fusex_dirent *de;

	(void)r;
	(void)in;
	for (size_t at = 0; at < rep->len; at += de->reclen) {
		struct fusex_entry *e;

		de = (void *)(rep->body + at);
		e = (void *)(de + 1);
		if (!S_ISREG(e->attr.mode))
			continue;
		e->io_mode = FUSEX_IO_PASSTHROUGH;
		e->backing = UNKNOWN;
	}
}

TEST(entry, bad_from_readdir)
{
	struct raw *r = start(FUSEX_ATTR_LOCAL, 0);
	int bad = bad_replies(r);

	raw_bend(r, FUSEX_OP_READDIR, list_unknown, NULL);
	EQ(count_names(r->mnt), 4);
	CHECK(bad_replies(r) > bad);
	behind_f(r);
	EQ(look(raw_path(r, "f")).stx_size, RAW_SIZE);
	EQ(r->count[FUSEX_OP_LOOKUP], 1);
	check_pattern(slurp(raw_path(r, "f")), RAW_SIZE, 0, 0);
	raw_stop(r);
}

/* What it was made with is what an inode has. */
TEST(entry, of_a_known_node_changes_nothing)
{
	struct raw *r = start(FUSEX_ATTR_LOCAL, 0);
	uint32_t other;

	behind_f(r);
	make_file("other", "other");
	EQ(add_path(r->fd, "other", O_RDWR, BOTH, &other), 0);
	look(raw_path(r, "f"));
	name_it(r, F, other);
	OK(link(raw_path(r, "f"), raw_path(r, "again")));
	check_pattern(slurp(raw_path(r, "again")), RAW_SIZE, 0, 0);
	r->nodes[F].io_mode = FUSEX_IO_PLAIN;
	r->nodes[F].backing = 0;
	OK(link(raw_path(r, "f"), raw_path(r, "once-more")));
	check_pattern(slurp(raw_path(r, "once-more")), RAW_SIZE, 0, 0);
	EQ(r->count[FUSEX_OP_READ], 0);
	raw_stop(r);
}

/* ---------------------------------------------------------------------- data */

static void nothing_asked(struct raw *r)
{
	static const uint8_t ops[] = {
		FUSEX_OP_READ, FUSEX_OP_WRITE, FUSEX_OP_FALLOCATE,
		FUSEX_OP_LSEEK, FUSEX_OP_COPY_RANGE, FUSEX_OP_GETATTR,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		if (r->count[ops[i]])
			FAIL("%u requests of opcode %u", r->count[ops[i]],
			     ops[i]);
}

static void has_text(int fd, const char *text, off_t at)
{
	char buf[64] = "";

	EQ(OK(pread(fd, buf, strlen(text), at)), strlen(text));
	STREQ(buf, text);
}

static void data(uint32_t attr_mode)
{
	struct raw *r = start(attr_mode, 0);
	int fd, back;

	behind_f(r);
	back = (int)OK(open("back", O_RDWR));
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	check_pattern(slurp(raw_path(r, "f")), RAW_SIZE, 0, 0);
	EQ(OK(pwrite(fd, "inside", 6, 100)), 6);
	EQ(flook(fd).stx_size, RAW_SIZE);
	has_text(back, "inside", 100);
	EQ(OK(pwrite(fd, "behind", 6, RAW_SIZE + 10)), 6);
	EQ(flook(fd).stx_size, RAW_SIZE + 16);
	EQ(look(raw_path(r, "f")).stx_size, RAW_SIZE + 16);
	EQ(flook(back).stx_size, RAW_SIZE + 16);
	has_text(back, "behind", RAW_SIZE + 10);
	EQ(OK(lseek(fd, 0, SEEK_END)), RAW_SIZE + 16);
	/* There is one page cache. */
	EQ(OK(pwrite(back, "below", 5, 5000)), 5);
	has_text(fd, "below", 5000);
	nothing_asked(r);
	OK(fsync(fd));
	EQ(r->count[FUSEX_OP_FSYNC], 1);
	close(back);
	close(fd);
	raw_stop(r);
}

TEST(data, moves_without_the_server_local)
{
	data(FUSEX_ATTR_LOCAL);
}

TEST(data, moves_without_the_server_remote)
{
	data(FUSEX_ATTR_REMOTE);
}

static void size_follows(uint32_t attr_mode)
{
	struct raw *r = start(attr_mode, 0);
	const off_t size = RAW_SIZE;
	loff_t from = 0, to = 0;
	uint32_t cookie;
	int fd, app, g;

	behind_f(r);
	make_file("back2", NULL);
	EQ(add_path(r->fd, "back2", O_RDWR, BOTH, &cookie), 0);
	name_it(r, G, cookie);
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	app = (int)OK(open(raw_path(r, "f"), O_WRONLY | O_APPEND));
	EQ(OK(write(app, "append", 6)), 6);
	EQ(flook(fd).stx_size, size + 6);
	has_text(fd, "append", size);
	OK(fallocate(fd, 0, 0, size + 100));
	EQ(flook(fd).stx_size, size + 100);
	g = (int)OK(open(raw_path(r, "g"), O_RDWR));
	EQ(OK(copy_file_range(fd, &from, g, &to, 5000, 0)), 5000);
	EQ(OK(lseek(g, 5000, SEEK_SET)), 5000);
	from = 5000;
	EQ(OK(sendfile(g, fd, &from, 20000)), size + 100 - 5000);
	EQ(flook(g).stx_size, size + 100);
	check_pattern(slurp("back2"), RAW_SIZE, 0, 0);
	nothing_asked(r);
	close(g);
	close(app);
	close(fd);
	raw_stop(r);
}

TEST(data, size_follows_local)
{
	size_follows(FUSEX_ATTR_LOCAL);
}

TEST(data, size_follows_remote)
{
	size_follows(FUSEX_ATTR_REMOTE);
}

/* Stores show in the times of disk file systems only. */
static void mount_disk(void)
{
	OK(unshare(CLONE_NEWNS));
	OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	OK(mkdir("disk", 0755));
	make_file("image", NULL);
	OK(truncate("image", 16 << 20));
	EQ(system("mkfs.ext4 -q -F image"), 0);
	/* Not a module everywhere. */
	if (system("modprobe -q loop"))
		tap_note("loop is built in, or not there");
	EQ(system("mount -o loop image disk"), 0);
}

static void stored(uint32_t attr_mode)
{
	struct statx_timestamp before, after;
	uint32_t cookie;
	struct raw *r;
	char *map;
	int fd;

	mount_disk();
	r = start(attr_mode, 0);
	make_sized("disk/back", RAW_SIZE);
	EQ(add_path(r->fd, "disk/back", O_RDWR, BOTH, &cookie), 0);
	name_it(r, F, cookie);
	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	before = flook(fd).stx_mtime;
	tick();
	map[0] = 'X';
	after = flook(fd).stx_mtime;
	CHECK(later(after, before));
	if (attr_mode == FUSEX_ATTR_REMOTE)
		CHECK(same_time(after, look("disk/back").stx_mtime));
	/* It was one store. */
	tick();
	CHECK(same_time(flook(fd).stx_mtime, after));
	CHECK(slurp("disk/back")[0] == 'X');
	nothing_asked(r);
	munmap(map, 4096);
	close(fd);
	raw_stop(r);
	OK(umount2("disk", 0));
}

TEST(data, times_of_stores_local)
{
	stored(FUSEX_ATTR_LOCAL);
}

TEST(data, times_of_stores_remote)
{
	stored(FUSEX_ATTR_REMOTE);
}

TEST(data, access_is_what_was_registered)
{
	struct raw *r = start(FUSEX_ATTR_LOCAL, 0);
	uint32_t cookie;
	char c;
	int fd;

	make_file("back", "text");
	EQ(add_path(r->fd, "back", O_RDWR, READING, &cookie), 0);
	name_it(r, F, cookie);
	FAILS(open(raw_path(r, "f"), O_RDWR), EACCES);
	FAILS(open(raw_path(r, "f"), O_WRONLY), EACCES);
	/* The server was told that it is open. */
	UNTIL_SEEN(r, FUSEX_OP_RELEASE);
	STREQ(slurp(raw_path(r, "f")), "text");

	EQ(add_path(r->fd, "back", O_RDWR, WRITING, &cookie), 0);
	name_it(r, G, cookie);
	FAILS(open(raw_path(r, "g"), O_RDWR), EACCES);
	FAILS(open(raw_path(r, "g"), O_RDONLY), EACCES);
	fd = (int)OK(open(raw_path(r, "g"), O_WRONLY));
	EQ(OK(pwrite(fd, "T", 1, 0)), 1);
	FAILS(pread(fd, &c, 1, 0), EBADF);
	close(fd);
	STREQ(slurp(raw_path(r, "f")), "Text");
	raw_stop(r);
}

TEST(sysfs, lists_what_is_registered)
{
	struct raw *r = start(FUSEX_ATTR_LOCAL, 0);
	uint32_t cookie, other;
	char want[256];

	STREQ(slurp(raw_sysfs(r, "backing")), "");
	cookie = behind_f(r);
	EQ(add_path(r->fd, "back", O_RDONLY, READING, &other), 0);
	CHECK(other != cookie);
	look(raw_path(r, "f"));
	snprintf(want, sizeof(want), "%u file rw %llu 1\n%u file r %llu 0\n",
		 cookie, (unsigned long long)look("back").stx_ino,
		 other, (unsigned long long)look("back").stx_ino);
	STREQ(slurp(raw_sysfs(r, "backing")), want);
	as(1000, 1000);
	FAILS(open(raw_sysfs(r, "backing"), O_RDONLY), EACCES);
	as_root();
	OK(raw_unregister(r->fd, cookie, 0));
	OK(raw_unregister(r->fd, other, 0));
	STREQ(slurp(raw_sysfs(r, "backing")), "");
	raw_stop(r);
}

/* ------------------------------------------------------------------- removal */

TEST(removal, of_what_is_not_there)
{
	int chan = channel(THROUGH);
	struct fusex_backing_remove rm = { .size = sizeof(rm), .reserved = 1 };
	uint32_t cookie, next;

	make_file("back", "text");
	FAILS(raw_unregister(chan, 0, 0), ENOENT);
	FAILS(raw_unregister(chan, 4711, 0), ENOENT);
	EQ(add_path(chan, "back", O_RDWR, BOTH, &cookie), 0);
	FAILS(raw_unregister(chan, cookie, 2), EINVAL);
	rm.cookie = cookie;
	FAILS(ioctl(chan, FUSEX_IOC_BACKING_REMOVE, &rm), EINVAL);
	OK(raw_unregister(chan, cookie, 0));
	FAILS(raw_unregister(chan, cookie, 0), ENOENT);
	/* The cookie does not become another file's. */
	EQ(add_path(chan, "back", O_RDWR, BOTH, &next), 0);
	CHECK(next != cookie);
	OK(raw_unregister(chan, next, FUSEX_BACKING_FAIL_IO));
	close(chan);
}

static void all_gone(struct raw *r, int fd)
{
	loff_t from = 0, to = 5000;
	char c;

	FAILS(pread(fd, &c, 1, 0), ENODEV);
	FAILS(pwrite(fd, "X", 1, 0), ENODEV);
	FAILS(fallocate(fd, 0, 0, 20000), ENODEV);
	FAILS(lseek(fd, 0, SEEK_END), ENODEV);
	FAILS(copy_file_range(fd, &from, fd, &to, 10, 0), ENODEV);
	FAILS(fsync(fd), ENODEV);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	EQ(errno, ENODEV);
	FAILS(open(raw_path(r, "f"), O_RDONLY), ENODEV);
}

static void remove_open(uint32_t attr_mode, uint32_t flags)
{
	struct raw *r = start(attr_mode, 0);
	uint32_t cookie = behind_f(r);
	struct stat st;
	char *map;
	int fd;

	fd = (int)OK(open(raw_path(r, "f"), O_RDWR));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	has_text(fd, "\x07", 1);
	OK(raw_unregister(r->fd, cookie, flags));
	all_gone(r, fd);
	/* The mapping has it still. */
	EQ(map[1], 7);
	map[0] = 'X';
	CHECK(slurp("back")[0] == 'X');
	OK(fstat(fd, &st));
	/* Nobody can name it any more. */
	name_it(r, G, cookie);
	FAILS(stat(raw_path(r, "g"), &st), EUCLEAN);
	munmap(map, 4096);
	close(fd);
	raw_stop(r);
}

TEST(removal, while_open_local)
{
	remove_open(FUSEX_ATTR_LOCAL, 0);
}

TEST(removal, while_open_remote)
{
	remove_open(FUSEX_ATTR_REMOTE, FUSEX_BACKING_FAIL_IO);
}

/*
 * A read that takes as long as the test likes: the backing file is on a file
 * system whose server keeps the READ.
 */
struct slow {
	struct raw *low;
	struct raw *top;
	uint32_t cookie;
	atomic_int *answered;
	atomic_int *submitted;
	pid_t reader;
};

static struct {
	struct fusex_in_header in;
	struct fusex_read_in rd;
} first;

static void keep_first(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	(void)r;
	if (first.in.unique)
		return;
	memcpy(&first, in, sizeof(first));
	rep->drop = true;
}

static int read_it(struct slow *s)
{
	char buf[4096];
	int fd = open(raw_path(s->top, "f"), O_RDONLY);

	if (fd < 0)
		return 99;
	return pread(fd, buf, sizeof(buf), 0) == sizeof(buf) ? 0 : errno;
}

/* Whoever submits it goes on before there is an answer. */
static int read_it_later(struct slow *s)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_nbytes = 4096 };
	const struct timespec now = { 0 };
	struct iocb *list = &cb;
	aio_context_t ctx = 0;
	struct io_event ev;
	char *buf;

	EQ(posix_memalign((void **)&buf, 4096, 4096), 0);
	cb.aio_fildes = (uint32_t)OK(open(raw_path(s->top, "f"),
					  O_RDONLY | O_DIRECT));
	cb.aio_buf = (uintptr_t)buf;
	OK(syscall(SYS_io_setup, 1, &ctx));
	EQ(OK(syscall(SYS_io_submit, ctx, 1, &list)), 1);
	EQ(OK(syscall(SYS_io_getevents, ctx, 0, 1, &ev, &now)), 0);
	atomic_store(s->submitted, 1);
	EQ(OK(syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL)), 1);
	return ev.res == 4096 ? 0 : (int)-ev.res;
}

/* In the order of events. */
static int remove_it(struct slow *s)
{
	if (raw_unregister(s->top->fd, s->cookie, 0))
		return errno;
	return atomic_load(s->answered) ? 0 : 99;
}

static pid_t in_child(int (*fn)(struct slow *s), struct slow *s)
{
	pid_t pid = (pid_t)OK(fork());

	if (!pid)
		_exit(fn(s));
	return pid;
}

static bool is_submitted(void *arg)
{
	const struct slow *s = arg;

	return atomic_load(s->submitted);
}

static void slow_start(struct slow *s, int (*reads)(struct slow *s))
{
	s->answered = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(s->answered != MAP_FAILED);
	s->submitted = s->answered + 1;
	s->low = raw_start(FUSEX_ATTR_LOCAL);
	s->top = start(FUSEX_ATTR_LOCAL, 0);
	EQ(add_path(s->top->fd, raw_path(s->low, "f"), O_RDONLY, READING,
		    &s->cookie), 0);
	name_it(s->top, F, s->cookie);
	raw_bend(s->low, FUSEX_OP_READ, keep_first, NULL);
	s->reader = in_child(reads, s);
	UNTIL_SEEN(s->low, 0);
}

static void slow_answer(struct slow *s)
{
	struct {
		struct fusex_out_header oh;
		char data[RAW_SIZE];
	} msg = { .oh.unique = first.in.unique };

	CHECK(first.rd.size <= RAW_SIZE);
	msg.oh.len = sizeof(msg.oh) + first.rd.size;
	atomic_store(s->answered, 1);
	EQ(OK(write(s->low->fd, &msg, msg.oh.len)), msg.oh.len);
}

static void slow_stop(struct slow *s)
{
	raw_stop(s->top);
	raw_stop(s->low);
}

static bool is_removed(void *arg)
{
	struct slow *s = arg;
	int fd = open(raw_path(s->top, "f"), O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ENODEV;
}

static void removal_waits(struct slow *s)
{
	pid_t pid = in_child(remove_it, s);

	UNTIL(is_removed, s);
	slow_answer(s);
	EQ(WAIT(s->reader), 0);
	EQ(WAIT(pid), 0);
	slow_stop(s);
}

static void removal_does_not_wait(struct slow *s, int comes_to)
{
	OK(raw_unregister(s->top->fd, s->cookie, FUSEX_BACKING_FAIL_IO));
	slow_answer(s);
	EQ(WAIT(s->reader), comes_to);
	slow_stop(s);
}

TEST(removal, waits_for_who_reads)
{
	struct slow s;

	slow_start(&s, read_it);
	removal_waits(&s);
}

TEST(removal, waits_for_what_was_submitted)
{
	struct slow s;

	slow_start(&s, read_it_later);
	UNTIL(is_submitted, &s);
	removal_waits(&s);
}

TEST(removal, does_not_wait_if_told_so)
{
	struct slow s;

	slow_start(&s, read_it);
	removal_does_not_wait(&s, ENODEV);
}

/* What the backing file has taken ends as it would have. */
TEST(removal, does_not_wait_for_what_was_submitted_either)
{
	struct slow s;

	slow_start(&s, read_it_later);
	UNTIL(is_submitted, &s);
	removal_does_not_wait(&s, 0);
}

TEST(removal, can_be_killed)
{
	struct slow s;
	pid_t pid;

	slow_start(&s, read_it);
	pid = in_child(remove_it, &s);
	UNTIL(is_removed, &s);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	FAILS(raw_unregister(s.top->fd, s.cookie, 0), ENOENT);
	slow_answer(&s);
	EQ(WAIT(s.reader), 0);
	slow_stop(&s);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * blockfs with a kernel that is none, on an image.
 */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define main blockfs_main
#include "../blockfs.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include "fake.h"
#include "tap.h"

#define AREA(id)	(last_node + 1 + ((id) - 1) * FILE_BLOCKS)

static struct fake fake;
static struct message rq, rp;
static char image[32];

static bool call(uint32_t op, uint64_t node, const void *arg, size_t len,
		 const char *name)
{
	msg_begin(&fake, &rq, op, node);
	if (len)
		msg_arg(&rq, arg, len);
	if (name)
		msg_name(&rq, name);
	return fake_call(&fake, &rq, &rp);
}

/* As after a crash: what is not on the device is gone. */
static void start(bool fresh)
{
	open_device(image, fresh);
	device_cookie = 77;
	fake_start(&fake, &block_ops, NULL, 1, 1);
}

static void stop(void)
{
	fake_stop(&fake);
	free(inodes);
	close(device);
}

static void restart(void)
{
	stop();
	start(false);
}

/* Returns the node, or the error. */
static int64_t create(const char *name, uint32_t flags)
{
	struct fusex_make_in in = {
		.mode = S_IFREG | 0640, .uid = 5, .gid = 6, .open_flags = flags,
		.name_len = (uint32_t)strlen(name),
	};
	const struct fusex_entry_out *out = reply_body(&rp);

	call(FUSEX_OP_CREATE, 1, &in, sizeof(in), name);
	return rp.out.error ? rp.out.error : (int64_t)out->entry.nodeid;
}

static int64_t lookup(const char *name)
{
	struct fusex_lookup_in in = { .name_len = (uint32_t)strlen(name) };
	const struct fusex_entry_out *out = reply_body(&rp);

	call(FUSEX_OP_LOOKUP, 1, &in, sizeof(in), name);
	return rp.out.error ? rp.out.error : (int64_t)out->entry.nodeid;
}

static void forget(uint64_t node, uint64_t count)
{
	struct fusex_forget_in in = { .count = 1 };
	struct fusex_forget_one one = { .nodeid = node, .nlookup = count };

	msg_begin(&fake, &rq, FUSEX_OP_FORGET, 0);
	msg_arg(&rq, &in, sizeof(in));
	msg_data(&rq, &one, sizeof(one));
	fake_send(&fake, &rq);
}

static int unlink_file(const char *name, uint64_t node)
{
	struct fusex_unlink_in in = {
		.node = { .nodeid = node },
		.name_len = (uint32_t)strlen(name),
	};

	call(FUSEX_OP_UNLINK, 1, &in, sizeof(in), name);
	return rp.out.error;
}

static struct fusex_attr attr_of(uint64_t node)
{
	struct fusex_getattr_in in = { 0 };
	const struct fusex_attr_out *out = reply_body(&rp);

	call(FUSEX_OP_GETATTR, node, &in, sizeof(in), NULL);
	return out->attr;
}

static int map(uint64_t node, uint64_t offset, uint64_t length, uint32_t op)
{
	struct fusex_map_begin_in in = {
		.offset = offset, .length = length, .op = op,
	};

	call(FUSEX_OP_MAP_BEGIN, node, &in, sizeof(in), NULL);
	return rp.out.error;
}

/* The answer is blocks @first to before @end of @node, all of @type. */
static void mapped(int ret, uint64_t node, enum fusex_map_type type,
		   uint64_t first, uint64_t end, const char *what)
{
	const struct fusex_map_begin_out *out = reply_body(&rp);
	struct fusex_map want = {
		.offset	= first * BLOCK,
		.length	= (end - first) * BLOCK,
		.type	= (uint16_t)type,
	};

	if (type != FUSEX_MAP_HOLE) {
		want.dev = 77;
		want.addr = (AREA(node) + first) * BLOCK;
	}
	ok(!ret && !memcmp(&out->read, &want, sizeof(want)) &&
	   !out->write.type && !out->lease &&
	   out->attr.mask == FUSEX_ATTR_BLOCKS &&
	   out->attr.blocks == inodes[node].attr.blocks, "%s", what);
}

static int ioend(uint64_t node, uint64_t offset, uint64_t length,
		 uint32_t flags, int error)
{
	struct fusex_map_ioend_in in = {
		.offset = offset, .length = length, .flags = flags,
		.size = flags & FUSEX_IOEND_APPEND ? offset + length : 0,
		.error = error,
	};

	call(FUSEX_OP_MAP_IOEND, node, &in, sizeof(in), NULL);
	return rp.out.error;
}

static int truncate_file(uint64_t node, uint64_t size)
{
	struct fusex_setattr_in in = { .valid = FUSEX_SET_SIZE, .size = size };

	call(FUSEX_OP_SETATTR, node, &in, sizeof(in), NULL);
	return rp.out.error;
}

static void test_names(void)
{
	struct fusex_attr attr;
	int64_t a;

	is(lookup("a"), -ENOENT, "a new file system is empty");
	a = create("a", O_EXCL);
	is(a, 2, "a file is made");
	attr = attr_of(2);
	ok(attr.mode == (S_IFREG | 0640) && attr.uid == 5 && attr.gid == 6 &&
	   attr.nlink == 1 && !attr.size && !attr.blocks, "as it was asked for");
	is(create("a", O_EXCL), -EEXIST, "but not twice");
	is(create("a", 0), 2, "one that is there will do");
	is(lookup("a"), 2, "it is found");
	restart();
	is(lookup("a"), 2, "also after a crash");
}

static void test_map(void)
{
	const uint32_t both = FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_APPEND;
	struct fusex_attr attr;

	mapped(map(2, 0, 1, 0), 2, FUSEX_MAP_HOLE, 0, FILE_BLOCKS,
	       "an empty file is one hole");
	mapped(map(2, 5000, 10000, FUSEX_MAP_OP_WRITE), 2, FUSEX_MAP_UNWRITTEN,
	       1, 4, "who writes gets space");
	is((long long)attr_of(2).blocks, 24, "which is counted");
	mapped(map(2, 4095, 1, 0), 2, FUSEX_MAP_HOLE, 0, 1,
	       "before it is a hole");
	mapped(map(2, 16384, 1, FUSEX_MAP_OP_ZERO), 2, FUSEX_MAP_HOLE, 4,
	       FILE_BLOCKS, "and behind it, for zeros, too");
	restart();
	mapped(map(2, 5000, 1, 0), 2, FUSEX_MAP_HOLE, 0, FILE_BLOCKS,
	       "unused space is none after a crash");

	map(2, 5000, 10000, FUSEX_MAP_OP_WRITE);
	is(ioend(2, 5000, 5000, both, 0), 0, "data is on the device");
	mapped(map(2, 8192, 1, 0), 2, FUSEX_MAP_MAPPED, 1, 3, "it is mapped");
	mapped(map(2, 12288, 1, 0), 2, FUSEX_MAP_UNWRITTEN, 3, 4,
	       "what was not written is not");
	is((long long)attr_of(2).size, 10000, "the file has become larger");
	is(ioend(2, 12288, 100, both, -EIO), 0, "other data is not there");
	mapped(map(2, 12288, 1, 0), 2, FUSEX_MAP_UNWRITTEN, 3, 4,
	       "it is still unwritten");
	restart();
	mapped(map(2, 4096, 1, 0), 2, FUSEX_MAP_MAPPED, 1, 3,
	       "data is there after a crash");
	attr = attr_of(2);
	ok(attr.size == 10000 && attr.blocks == 24, "and the size");
	is(ioend(2, 4096, 100, FUSEX_IOEND_APPEND, 0), 0, "data comes late");
	is((long long)attr_of(2).size, 10000, "the file does not shrink");
}

static void test_limits(void)
{
	const uint64_t end = (uint64_t)FILE_BLOCKS * BLOCK;

	mapped(map(2, end - 1, 1, FUSEX_MAP_OP_WRITE), 2, FUSEX_MAP_UNWRITTEN,
	       FILE_BLOCKS - 1, FILE_BLOCKS, "the last block");
	mapped(map(2, end - 1, 10 * BLOCK, FUSEX_MAP_OP_WRITE), 2,
	       FUSEX_MAP_UNWRITTEN, FILE_BLOCKS - 1, FILE_BLOCKS,
	       "as much as there can be");
	is(map(2, end, 1, FUSEX_MAP_OP_WRITE), -EFBIG, "nothing behind it");
	is(ioend(2, end - 1, 1, FUSEX_IOEND_UNWRITTEN, 0), 0,
	   "the last byte is on the device");
	mapped(map(2, end - 1, 1, 0), 2, FUSEX_MAP_MAPPED, FILE_BLOCKS - 1,
	       FILE_BLOCKS, "and mapped");
}

static void test_truncate(void)
{
	struct fusex_attr attr;

	is(truncate_file(2, 8192), 0, "the file is cut");
	mapped(map(2, 8192, 1, 0), 2, FUSEX_MAP_HOLE, 2, FILE_BLOCKS,
	       "behind its end is a hole");
	is(truncate_file(2, 4097), 0, "cut inside a block");
	attr = attr_of(2);
	ok(attr.size == 4097 && attr.blocks == 8, "which stays");
	restart();
	mapped(map(2, 4096, 1, 0), 2, FUSEX_MAP_MAPPED, 1, 2,
	       "the same after a crash");
	is((long long)attr_of(2).size, 4097, "its size, too");
}

static void test_unlink(void)
{
	uint64_t before;

	is(lookup("a"), 2, "a file is known");
	before = inodes[2].generation;
	is(unlink_file("a", 2), 0, "it is removed");
	is(lookup("a"), -ENOENT, "there is no such name");
	mapped(map(2, 4096, 1, 0), 2, FUSEX_MAP_MAPPED, 1, 2,
	       "who has it open still has it");
	is(create("b", 0), 3, "its space is not used");
	is(create("c", 0), -ENOSPC, "even if there is no other");
	forget(2, 1);
	is(create("c", 0), 2, "when it is forgotten it is");
	mapped(map(2, 0, 1, 0), 2, FUSEX_MAP_HOLE, 0, FILE_BLOCKS,
	       "by an empty file");
	is((long long)inodes[2].generation, (long long)before + 1,
	   "of another generation");
	is(unlink_file("c", 2), 0, "that is removed while it is open");
	restart();
	is(create("d", 0), 2, "a crash forgets it");
}

static void test_whole(void)
{
	const struct fusex_statfs_out *out = reply_body(&rp);
	struct fusex_readdir_in in = { .size = 4096 };
	const struct fusex_dirent *d = reply_body(&rp);

	call(FUSEX_OP_READDIR, 1, &in, sizeof(in), NULL);
	ok(!rp.out.error && reply_len(&rp) == 64 && d[0].ino == 2 &&
	   !memcmp(d + 1, "d", 2), "names are listed");
	in.cookie = d->cookie;
	call(FUSEX_OP_READDIR, 1, &in, sizeof(in), NULL);
	ok(!rp.out.error && reply_len(&rp) == 32 && d[0].ino == 3 &&
	   !memcmp(d + 1, "b", 2) && d->flags & FUSEX_DIRENT_LAST,
	   "from one on");
	unlink_file("b", 3);
	call(FUSEX_OP_STATFS, 1, NULL, 0, NULL);
	ok(!rp.out.error && out->files == 3 && out->ffree == 1 &&
	   out->bfree == FILE_BLOCKS && out->bsize == BLOCK, "what is free");
	call(FUSEX_OP_SYNCFS, 0, NULL, 0, NULL);
	is(rp.out.error, 0, "syncfs");
}

/* What cannot be stored has not happened. */
static void test_failing(void)
{
	int fd = open(image, O_RDONLY), good = device;

	if (fd < 0)
		err(1, "%s", image);
	map(2, 0, 1, FUSEX_MAP_OP_WRITE);
	device = fd;
	is(ioend(2, 0, 1, FUSEX_IOEND_UNWRITTEN | FUSEX_IOEND_APPEND, 0),
	   -EBADF, "a device that cannot be written to");
	mapped(map(2, 0, 1, 0), 2, FUSEX_MAP_UNWRITTEN, 0, 1,
	       "the data does not count");
	is((long long)attr_of(2).size, 0, "nor its size");
	is(truncate_file(2, 100), -EBADF, "truncation fails");
	is((long long)attr_of(2).size, 0, "and changes nothing");
	is(unlink_file("d", 2), -EBADF, "removing fails");
	is(lookup("d"), 2, "and the name is there");
	device = good;
	close(fd);
}

int main(void)
{
	const off_t size = (off_t)BLOCK * (1 + 3 * (1 + FILE_BLOCKS));
	int fd;

	strcpy(image, "blockfs-XXXXXX");
	fd = mkstemp(image);
	if (fd < 0 || ftruncate(fd, size))
		err(1, "%s", image);
	close(fd);
	fd = open(image, O_RDONLY | O_DIRECT);
	if (fd < 0) {
		skip("no O_DIRECT here");
		unlink(image);
		return tap_end();
	}
	close(fd);
	start(true);
	is((long long)last_node, 3, "as many nodes as there is room for");
	test_names();
	test_map();
	test_limits();
	test_truncate();
	test_unlink();
	test_whole();
	test_failing();
	stop();
	unlink(image);
	return tap_end();
}

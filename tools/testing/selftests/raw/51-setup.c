// SPDX-License-Identifier: GPL-2.0
/* The setup and clone calls, and mounting, given what they must refuse. */
#include "answer.h"
#include "raw.h"
#include "tap.h"

#include <sys/ioctl.h>
#include <sys/mount.h>

#define FIELD(f)	offsetof(struct fusex_setup, f), \
			sizeof(((struct fusex_setup *)0)->f)

/* One field of a good configuration, overwritten. */
static const struct bad_setup {
	const char *name;
	size_t offset;
	size_t width;
	uint64_t value;
	int error;
} bad_setups[] = {
	{ "size 0", FIELD(size), 0, EINVAL },
	{ "size too small", FIELD(size), 16, EINVAL },
	{ "abi 0", FIELD(abi), 0, EPROTONOSUPPORT },
	{ "abi 2", FIELD(abi), 2, EPROTONOSUPPORT },
	{ "unknown feature", FIELD(features), 1ull << 63, EINVAL },
	{ "unknown flag", FIELD(flags), 1, EINVAL },
	{ "no io mode", FIELD(io_mode), 0, EINVAL },
	{ "unknown io mode", FIELD(io_mode), FUSEX_IO_NR, EINVAL },
	{ "io mode 2^31", FIELD(io_mode), 1u << 31, EINVAL },
	{ "unknown io modes", FIELD(io_modes), 1u << 31, EINVAL },
	{ "no attribute mode", FIELD(attr_mode), 0, EINVAL },
	{ "unknown attribute mode", FIELD(attr_mode), FUSEX_ATTR_NR, EINVAL },
	{ "unknown attribute modes", FIELD(attr_modes), 1u << 31, EINVAL },
	{ "max_read not aligned", FIELD(max_read), 4097, EINVAL },
	{ "max_read too small", FIELD(max_read), 512, EINVAL },
	{ "max_read too large", FIELD(max_read), FUSEX_IO_SIZE_MAX + 4096,
	  EINVAL },
	{ "max_write not aligned", FIELD(max_write), 4097, EINVAL },
	{ "max_write too large", FIELD(max_write), 0xfffff000, EINVAL },
	{ "block size 3", FIELD(block_size), 3, EINVAL },
	{ "block size 256", FIELD(block_size), 256, EINVAL },
	{ "block size 128K", FIELD(block_size), 1 << 17, EINVAL },
	{ "handle too large", FIELD(handle_size), FUSEX_HANDLE_MAX + 1, EINVAL },
	{ "time granularity", FIELD(time_gran), 1000000001, EINVAL },
	{ "time range", FIELD(time_min), 1, EINVAL },
	{ "negative file size", FIELD(max_file_size), 1ull << 63, EINVAL },
	{ "subtype", FIELD(subtype), '/', EINVAL },
	{ "root 0", FIELD(root.nodeid), 0, EINVAL },
	{ "root is a file", FIELD(root.attr.mode), S_IFREG | 0644, EINVAL },
	{ "root without attributes", FIELD(root.attr.mask), 0, EINVAL },
	{ "root with a handle", FIELD(root.handle_len), 8, EINVAL },
	{ "root with an io mode", FIELD(root.io_mode), FUSEX_IO_PLAIN, EINVAL },
	{ "stack without passthrough", FIELD(stack_depth), 1, EINVAL },
	{ "stack too high", FIELD(stack_depth), 3, EINVAL },
	{ "more reserved", offsetof(struct fusex_setup, reserved) + 56, 8, 1,
	  EINVAL },
};

static int setup(int fd, struct fusex_setup *s)
{
	return ioctl(fd, FUSEX_IOC_SETUP, s) ? errno : 0;
}

TEST(setup, refused_and_nothing_changed)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_setups); i++) {
		const struct bad_setup *b = &bad_setups[i];
		struct fusex_setup s;
		int fd = OK(open("/dev/fusex", O_RDWR));
		int err;

		raw_setup_init(&s, FUSEX_ATTR_LOCAL);
		memset((char *)&s + b->offset, 0, b->width);
		memcpy((char *)&s + b->offset, &b->value,
		       b->width > 8 ? 1 : b->width);
		err = setup(fd, &s);
		if (err != b->error)
			FAIL("%s: %d (%s)", b->name, err, strerror(err));
		/* Still a new descriptor. */
		FAILS(read(fd, &s, sizeof(s)), EINVAL, EPERM, ENOTCONN);
		raw_setup_init(&s, FUSEX_ATTR_LOCAL);
		EQ(setup(fd, &s), 0);
		close(fd);
	}
}

TEST(setup, what_was_agreed)
{
	struct fusex_setup s;
	int fd = OK(open("/dev/fusex", O_RDWR));

	raw_setup_init(&s, FUSEX_ATTR_LOCAL);
	s.optional = ~0ull;
	EQ(setup(fd, &s), 0);
	EQ(s.optional, FUSEX_F_KNOWN);
	CHECK(s.max_read >= 4096 && s.max_read <= FUSEX_IO_SIZE_MAX);
	CHECK(s.max_write >= 4096 && s.max_write <= FUSEX_IO_SIZE_MAX);
	CHECK(s.request_size > s.max_write);
	EQ(s.block_size, 4096);
	EQ(s.io_modes, 1 << FUSEX_IO_PLAIN);
	EQ(s.attr_modes, 1 << FUSEX_ATTR_LOCAL);
	EQ(setup(fd, &s), EBUSY);
	close(fd);
}

static uint32_t agreed_readahead(uint8_t io_mode, uint32_t wanted)
{
	struct fusex_setup s;
	int fd = OK(open("/dev/fusex", O_RDWR));

	raw_setup_init(&s, FUSEX_ATTR_LOCAL);
	s.io_mode = io_mode;
	s.max_readahead = wanted;
	EQ(setup(fd, &s), 0);
	close(fd);
	return s.max_readahead;
}

/* Nothing is read from a server without files of other modes: the device decides. */
TEST(setup, readahead)
{
	EQ(agreed_readahead(FUSEX_IO_PLAIN, 0), 1 << 20);
	EQ(agreed_readahead(FUSEX_IO_IOMAP, 64 << 10), 64 << 10);
	EQ(agreed_readahead(FUSEX_IO_IOMAP, 0), FUSEX_IO_SIZE_MAX);
}

TEST(setup, larger_structure)
{
	struct {
		struct fusex_setup s;
		char more[64];
	} big = { 0 };
	int fd = OK(open("/dev/fusex", O_RDWR));

	raw_setup_init(&big.s, FUSEX_ATTR_LOCAL);
	big.s.size = sizeof(big);
	big.more[5] = 1;
	EQ(setup(fd, &big.s), E2BIG);
	big.more[5] = 0;
	EQ(setup(fd, &big.s), 0);
	close(fd);
}

TEST(setup, bad_pointer)
{
	int fd = OK(open("/dev/fusex", O_RDWR));

	FAILS(ioctl(fd, FUSEX_IOC_SETUP, 1), EFAULT);
	FAILS(ioctl(fd, FUSEX_IOC_SETUP, NULL), EFAULT);
	FAILS(ioctl(fd, 0x1234, NULL), ENOTTY);
	close(fd);
}

TEST(clone, refusals)
{
	struct fusex_clone c = { .size = sizeof(c) };
	struct fusex_setup s;
	int fd = OK(open("/dev/fusex", O_RDWR));
	int fd2 = OK(open("/dev/fusex", O_RDWR));
	int null = OK(open("/dev/null", O_RDWR));

	c.fd = fd;
	FAILS(ioctl(fd2, FUSEX_IOC_CLONE, &c), EINVAL);
	raw_setup_init(&s, FUSEX_ATTR_LOCAL);
	EQ(setup(fd, &s), 0);
	c.fd = null;
	FAILS(ioctl(fd2, FUSEX_IOC_CLONE, &c), EBADF, EINVAL);
	c.fd = 9999;
	FAILS(ioctl(fd2, FUSEX_IOC_CLONE, &c), EBADF);
	c.fd = fd;
	c.flags = 1;
	FAILS(ioctl(fd2, FUSEX_IOC_CLONE, &c), EINVAL);
	c.flags = 0;
	c.reserved = 1;
	FAILS(ioctl(fd2, FUSEX_IOC_CLONE, &c), EINVAL);
	c.reserved = 0;
	FAILS(ioctl(fd, FUSEX_IOC_CLONE, &c), EINVAL);
	OK(ioctl(fd2, FUSEX_IOC_CLONE, &c));
	FAILS(ioctl(fd2, FUSEX_IOC_CLONE, &c), EINVAL);
	FAILS(ioctl(fd2, FUSEX_IOC_SETUP, &s), EBUSY);
	close(fd);
	close(fd2);
	close(null);
}

/* What may be registered is in 52-backing.c. */
TEST(backing, refusals)
{
	struct fusex_backing b = { .size = sizeof(b), .type = FUSEX_BACKING_FILE };
	struct fusex_backing_remove rm = { .size = sizeof(rm), .cookie = 1 };
	struct fusex_setup s;
	int fd = OK(open("/dev/fusex", O_RDWR));

	b.access = FUSEX_BACKING_READ;
	FAILS(ioctl(fd, FUSEX_IOC_BACKING_ADD, &b), ENOTCONN);
	raw_setup_init(&s, FUSEX_ATTR_LOCAL);
	EQ(setup(fd, &s), 0);
	FAILS(ioctl(fd, FUSEX_IOC_BACKING_ADD, &b), EOPNOTSUPP);
	b.type = 77;
	FAILS(ioctl(fd, FUSEX_IOC_BACKING_ADD, &b), EINVAL);
	FAILS(ioctl(fd, FUSEX_IOC_BACKING_REMOVE, &rm), ENOENT);
	close(fd);
}

/* Mounts @fd on the test's folder and expects @error and a word in the log. */
static void expect_mount(int fd, int error, const char *word)
{
	char log[512] = "";
	int err;

	mkdir("mnt", 0755);
	err = raw_mount_fd(fd, "mnt", log, sizeof(log));
	if (err != -error)
		FAIL("ended in %d: %s", err, log);
	if (!strstr(log, word))
		FAIL("no \"%s\" in the log: \"%s\"", word, log);
}

TEST(mount, without_fd)
{
	expect_mount(-1, EINVAL, "fd");
}

TEST(mount, fd_of_something_else)
{
	expect_mount(OK(open("/dev/null", O_RDWR)), EINVAL, "/dev/fusex");
}

TEST(mount, not_set_up)
{
	expect_mount(OK(open("/dev/fusex", O_RDWR)), EINVAL, "set up");
}

TEST(mount, used_fd)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);

	expect_mount(r->fd, EBUSY, "mounted");
	raw_stop(r);
}

TEST(mount, old_call)
{
	mkdir("mnt", 0755);
	FAILS(mount("none", "mnt", "fusex", 0, NULL), EINVAL, EOPNOTSUPP);
	FAILS(mount("none", "mnt", "fusex", 0, "rootmode=40000"), EINVAL);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices and stripes of them in the registry: what may be registered and
 * by whom, how long a device is kept open, what is listed.  No data moves.
 */
#include "fs.h"
#include "loop.h"
#include "raw.h"
#include "tap.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define IOMAP		(1u << FUSEX_IO_IOMAP)
#define THROUGH		(1u << FUSEX_IO_PASSTHROUGH)
#define READING		FUSEX_BACKING_READ
#define WRITING		FUSEX_BACKING_WRITE
#define BOTH		(READING | WRITING)
#define BLOCK		4096u
#define SIZE		(16 * BLOCK)

/* A channel that is not mounted. */
static int channel(uint32_t io_modes, uint32_t block_size)
{
	int fd = (int)OK(open("/dev/fusex", O_RDWR | O_CLOEXEC));
	struct fusex_setup s;

	raw_setup_init(&s, FUSEX_ATTR_LOCAL);
	s.io_modes = io_modes;
	s.block_size = block_size;
	OK(ioctl(fd, FUSEX_IOC_SETUP, &s));
	return fd;
}

/* 0 or an errno, the file is closed again. */
static int add_path(int chan, const char *path, int flags, uint32_t access,
		    uint32_t *cookie)
{
	int fd = (int)OK(open(path, flags));
	int err = device_add(chan, fd, access, cookie);

	close(fd);
	return err;
}

/* ------------------------------------------------------------- loop devices */

/* Registered, and not open any more. */
static uint32_t add_loop(int chan, struct loop *l, const char *image)
{
	uint32_t cookie;

	*l = loop_of(image, SIZE, 512);
	EQ(device_add(chan, l->fd, BOTH, &cookie), 0);
	CHECK(cookie);
	close(l->fd);
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
} bad_bdevs[] = {
	{ "memory device", FIELD(type), FUSEX_BACKING_DAX, EOPNOTSUPP },
	{ "stripe of nothing", FIELD(type), FUSEX_BACKING_STRIPE, EINVAL },
	{ "negative fd", FIELD(fd), ~0ull, EBADF },
	{ "fd that is not open", FIELD(fd), 9999, EBADF },
	{ "no access", FIELD(access), 0, EINVAL },
	{ "unknown access", FIELD(access), 4, EINVAL },
	{ "cookie", FIELD(cookie), 1, EINVAL },
	{ "number of members", FIELD(nr_members), 1, EINVAL },
	{ "members", FIELD(members), 4096, EINVAL },
	{ "stripe unit", FIELD(stripe_unit), 4096, EINVAL },
	{ "reserved", FIELD(reserved[1]), 1, EINVAL },
}, bad_stripes[] = {
	{ "device with members", FIELD(type), FUSEX_BACKING_BDEV, EINVAL },
	{ "no access", FIELD(access), 0, EINVAL },
	{ "cookie", FIELD(cookie), 1, EINVAL },
	{ "no members", FIELD(nr_members), 0, EINVAL },
	{ "too many members", FIELD(nr_members), FUSEX_STRIPE_MAX + 1, EINVAL },
	{ "far too many members", FIELD(nr_members), ~0u, EINVAL },
	{ "more members than there are", FIELD(nr_members), 2, EINVAL },
	{ "no list", FIELD(members), 0, EINVAL },
	{ "a list at nothing", FIELD(members), 64, EFAULT },
	{ "a list of the kernel's", FIELD(members), 1ull << 63, EFAULT },
	{ "no unit", FIELD(stripe_unit), 0, EINVAL },
	{ "half a block", FIELD(stripe_unit), BLOCK / 2, EINVAL },
	{ "part of a block", FIELD(stripe_unit), BLOCK + 512, EINVAL },
	{ "a unit larger than the device", FIELD(stripe_unit), SIZE + BLOCK,
	  EINVAL },
	{ "the largest unit", FIELD(stripe_unit), -(uint64_t)BLOCK, EINVAL },
	{ "reserved", FIELD(reserved[0]), 1, EINVAL },
};

static void are_refused(int chan, const struct bad_argument *bad,
			unsigned int nr, const struct fusex_backing *good)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct fusex_backing b = *good;
		int err;

		memcpy((char *)&b + bad[i].offset, &bad[i].value,
		       bad[i].width);
		err = backing_add(chan, b, NULL);
		if (err != bad[i].error)
			FAIL("%s: %d (%s)", bad[i].name, err, strerror(err));
	}
}

TEST(registering, bad_arguments)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop l = loop_of("image", SIZE, 512);
	struct fusex_backing b = {
		.type = FUSEX_BACKING_BDEV, .fd = l.fd, .access = BOTH,
	};
	/* The second is none. */
	uint32_t cookies[2] = { 0 };

	are_refused(chan, bad_bdevs, ARRAY_SIZE(bad_bdevs), &b);
	EQ(backing_add(chan, b, &cookies[0]), 0);
	b = (struct fusex_backing){
		.type = FUSEX_BACKING_STRIPE, .access = BOTH, .nr_members = 1,
		.members = (uintptr_t)cookies, .stripe_unit = BLOCK,
	};
	are_refused(chan, bad_stripes, ARRAY_SIZE(bad_stripes), &b);
	EQ(backing_add(chan, b, NULL), 0);
	close(l.fd);
	close(chan);
}

TEST(registering, what_is_no_block_device)
{
	int chan = channel(IOMAP, BLOCK);

	make_file("back", "text");
	OK(mkdir("d", 0755));
	EQ(add_path(chan, "back", O_RDWR, BOTH, NULL), EINVAL);
	EQ(add_path(chan, "d", O_RDONLY, READING, NULL), EINVAL);
	EQ(add_path(chan, "/dev/null", O_RDWR, BOTH, NULL), EINVAL);
	close(chan);
}

TEST(registering, for_what_it_is_open_for)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop l = loop_of("image", SIZE, 512);

	EQ(add_path(chan, l.path, O_RDONLY, WRITING, NULL), EBADF);
	EQ(add_path(chan, l.path, O_RDONLY, BOTH, NULL), EBADF);
	EQ(add_path(chan, l.path, O_WRONLY, READING, NULL), EBADF);
	EQ(add_path(chan, l.path, O_PATH, READING, NULL), EBADF);
	EQ(add_path(chan, l.path, O_RDONLY, READING, NULL), 0);
	EQ(add_path(chan, l.path, O_WRONLY, WRITING, NULL), 0);
	EQ(add_path(chan, l.path, O_RDWR, READING, NULL), 0);
	close(l.fd);
	close(chan);
}

TEST(registering, what_has_become_read_only)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop l = loop_of("image", SIZE, 512);

	OK(ioctl(l.fd, BLKROSET, &(int){ 1 }));
	EQ(device_add(chan, l.fd, BOTH, NULL), EBADF);
	EQ(device_add(chan, l.fd, WRITING, NULL), EBADF);
	EQ(device_add(chan, l.fd, READING, NULL), 0);
	close(l.fd);
	close(chan);
}

TEST(registering, larger_blocks)
{
	struct loop l = loop_of("image", SIZE, 4096);
	int small = channel(IOMAP, 2048);
	int chan = channel(IOMAP, 4096);

	EQ(device_add(small, l.fd, BOTH, NULL), EINVAL);
	EQ(device_add(chan, l.fd, BOTH, NULL), 0);
	close(l.fd);
	close(small);
	close(chan);
}

TEST(registering, without_the_mode)
{
	struct loop l = loop_of("image", SIZE, 512);
	int chan = channel(THROUGH, BLOCK);
	uint32_t cookie = 1;

	EQ(device_add(chan, l.fd, BOTH, NULL), EOPNOTSUPP);
	EQ(stripe_add(chan, &cookie, 1, BLOCK, BOTH, NULL), EOPNOTSUPP);
	close(l.fd);
	close(chan);
}

/* Nor a file without passthrough. */
TEST(registering, files)
{
	int chan = channel(IOMAP, BLOCK);
	struct fusex_backing b = {
		.type = FUSEX_BACKING_FILE, .access = BOTH,
	};

	make_file("back", "text");
	b.fd = (int)OK(open("back", O_RDWR));
	EQ(backing_add(chan, b, NULL), EOPNOTSUPP);
	close(b.fd);
	close(chan);
}

TEST(registering, needs_the_capability)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop l = loop_of("image", SIZE, 512);
	uint32_t cookie;

	as(1000, 1000);
	EQ(device_add(chan, l.fd, BOTH, NULL), EPERM);
	as_root();
	/* It is another one than for files. */
	drop_capability(CAP_SYS_ADMIN);
	EQ(device_add(chan, l.fd, BOTH, &cookie), 0);
	EQ(stripe_add(chan, &cookie, 1, BLOCK, BOTH, NULL), 0);
	drop_capability(CAP_SYS_RAWIO);
	EQ(device_add(chan, l.fd, BOTH, NULL), EPERM);
	EQ(stripe_add(chan, &cookie, 1, BLOCK, BOTH, NULL), EPERM);
	close(l.fd);
	close(chan);
}

/* To be root there is not enough. */
TEST(registering, needs_it_in_the_initial_namespace)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop l = loop_of("image", SIZE, 512);

	if (unshare(CLONE_NEWUSER))
		SKIP("this kernel has no user namespaces");
	EQ(device_add(chan, l.fd, BOTH, NULL), EPERM);
	close(l.fd);
	close(chan);
}

/* ------------------------------------------------------------------- stripes */

TEST(stripe, members)
{
	int chan = channel(IOMAP | THROUGH, BLOCK);
	struct loop a, b;
	uint32_t dev = add_loop(chan, &a, "a"), other = add_loop(chan, &b, "b");
	uint32_t file, stripe;
	struct fusex_backing f = {
		.type = FUSEX_BACKING_FILE, .access = BOTH,
	};

	f.fd = (int)OK(open("a", O_RDWR));
	EQ(backing_add(chan, f, &file), 0);
	close(f.fd);
#define STRIPE(...)	stripe_add(chan, (uint32_t[]){ __VA_ARGS__ }, 2, \
				   BLOCK, BOTH, &stripe)
	EQ(STRIPE(dev, other), 0);
	EQ(STRIPE(dev, stripe), EINVAL);
	EQ(STRIPE(dev, file), EINVAL);
	EQ(STRIPE(dev, 0), EINVAL);
	EQ(STRIPE(dev, 4711), EINVAL);
	EQ(STRIPE(dev, dev), EINVAL);
	OK(raw_unregister(chan, other, 0));
	EQ(STRIPE(dev, other), EINVAL);
#undef STRIPE
	close(chan);
}

TEST(stripe, of_one_device_by_two_names)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop l = loop_of("image", SIZE, 512);
	uint32_t cookies[2];

	EQ(device_add(chan, l.fd, BOTH, &cookies[0]), 0);
	EQ(add_path(chan, l.path, O_RDWR, BOTH, &cookies[1]), 0);
	CHECK(cookies[0] != cookies[1]);
	EQ(stripe_add(chan, cookies, 2, BLOCK, BOTH, NULL), EINVAL);
	close(l.fd);
	close(chan);
}

TEST(stripe, access_is_what_members_have)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop a, b = loop_of("b", SIZE, 512);
	uint32_t cookies[2] = { add_loop(chan, &a, "a") };

	EQ(device_add(chan, b.fd, READING, &cookies[1]), 0);
	EQ(stripe_add(chan, cookies, 2, BLOCK, BOTH, NULL), EBADF);
	EQ(stripe_add(chan, cookies, 2, BLOCK, WRITING, NULL), EBADF);
	EQ(stripe_add(chan, cookies, 2, BLOCK, READING, NULL), 0);
	close(b.fd);
	close(chan);
}

TEST(stripe, smaller_than_its_unit)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop a, b = loop_of("b", 2 * BLOCK, 512);
	uint32_t cookies[2] = { add_loop(chan, &a, "a") };

	EQ(device_add(chan, b.fd, BOTH, &cookies[1]), 0);
	EQ(stripe_add(chan, cookies, 2, 2 * BLOCK, BOTH, NULL), 0);
	EQ(stripe_add(chan, cookies, 2, 3 * BLOCK, BOTH, NULL), EINVAL);
	close(b.fd);
	close(chan);
}

/* ------------------------------------------------------------------- removal */

TEST(removal, closes_the_device)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop a, b;
	uint32_t dev = add_loop(chan, &a, "a"), other = add_loop(chan, &b, "b");
	uint32_t again;

	CHECK(loop_is_bound(&a));
	FAILS(raw_unregister(chan, dev, 2), EINVAL);
	OK(raw_unregister(chan, dev, 0));
	UNTIL(loop_is_unbound, &a);
	FAILS(raw_unregister(chan, dev, 0), ENOENT);
	CHECK(loop_is_bound(&b));
	OK(raw_unregister(chan, other, FUSEX_BACKING_FAIL_IO));
	UNTIL(loop_is_unbound, &b);
	/* The cookie does not become another's. */
	again = add_loop(chan, &a, "a");
	CHECK(again != dev && again != other);
	close(chan);
}

TEST(removal, of_a_member)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop a, b;
	uint32_t cookies[2] = { add_loop(chan, &a, "a"),
				add_loop(chan, &b, "b") };
	uint32_t stripe;

	EQ(stripe_add(chan, cookies, 2, BLOCK, BOTH, &stripe), 0);
	OK(raw_unregister(chan, cookies[0], 0));
	/* The stripe has it still, but not for long. */
	CHECK(loop_is_bound(&a));
	OK(raw_unregister(chan, stripe, 0));
	UNTIL(loop_is_unbound, &a);
	CHECK(loop_is_bound(&b));
	OK(raw_unregister(chan, cookies[1], 0));
	UNTIL(loop_is_unbound, &b);
	close(chan);
}

TEST(removal, with_the_channel)
{
	int chan = channel(IOMAP, BLOCK);
	struct loop a, b;
	uint32_t cookies[2] = { add_loop(chan, &a, "a"),
				add_loop(chan, &b, "b") };

	EQ(stripe_add(chan, cookies, 2, BLOCK, BOTH, NULL), 0);
	CHECK(loop_is_bound(&a) && loop_is_bound(&b));
	close(chan);
	UNTIL(loop_is_unbound, &a);
	UNTIL(loop_is_unbound, &b);
}

/* --------------------------------------------------------------------- sysfs */

static unsigned int minor_of(const struct loop *l)
{
	struct stat st;

	OK(stat(l->path, &st));
	return minor(st.st_rdev);
}

TEST(sysfs, lists_devices)
{
	struct raw *r = raw_alloc();
	uint32_t cookies[2], stripe;
	struct loop a, b;
	char want[256];

	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	r->setup.io_modes = IOMAP;
	raw_mount(r);
	raw_serve(r);
	cookies[0] = add_loop(r->fd, &a, "a");
	b = loop_of("b", SIZE, 512);
	EQ(device_add(r->fd, b.fd, READING, &cookies[1]), 0);
	close(b.fd);
	EQ(stripe_add(r->fd, cookies, 2, 2 * BLOCK, READING, &stripe), 0);
	snprintf(want, sizeof(want),
		 "%u bdev rw %u:%u 1\n%u bdev r %u:%u 1\n"
		 "%u stripe r 8192x2:%u,%u 0\n",
		 cookies[0], LOOP_MAJOR, minor_of(&a),
		 cookies[1], LOOP_MAJOR, minor_of(&b),
		 stripe, cookies[0], cookies[1]);
	STREQ(slurp(raw_sysfs(r, "backing")), want);
	OK(raw_unregister(r->fd, stripe, 0));
	OK(raw_unregister(r->fd, cookies[0], 0));
	snprintf(want, sizeof(want), "%u bdev r %u:%u 0\n",
		 cookies[1], LOOP_MAJOR, minor_of(&b));
	STREQ(slurp(raw_sysfs(r, "backing")), want);
	raw_stop(r);
	UNTIL(loop_is_unbound, &b);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Backing objects as they are registered.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../src/internal.h"
#include "fake.h"
#include "tap.h"

static struct fake fake;
static const struct fusex_ops ops;
static struct fusex_backing added;
static struct fusex_backing_remove removed;
static unsigned int calls;
static int fd_of_call, error;

/* The kernel's side; takes the place of libc's. */
int ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	calls++;
	fd_of_call = fd;
	errno = error;
	if (error)
		return -1;
	if (cmd == FUSEX_IOC_BACKING_ADD) {
		added = *(struct fusex_backing *)arg;
		((struct fusex_backing *)arg)->cookie = 4711;
	} else if (cmd == FUSEX_IOC_BACKING_REMOVE) {
		removed = *(struct fusex_backing_remove *)arg;
	}
	return 0;
}

static void came(int ret, uint32_t *cookie, const struct fusex_backing *want,
		 const char *what)
{
	ok(!ret && *cookie == 4711 && fd_of_call == fake.se->fd &&
	   !memcmp(&added, want, sizeof(added)), "%s", what);
	*cookie = 0;
}

static void test_add(void)
{
	struct fusex_backing want = {
		.size = sizeof(want), .type = FUSEX_BACKING_FILE, .fd = 33,
		.access = FUSEX_BACKING_READ,
	};
	uint32_t cookie = 0;

	came(fusex_backing_add(fake.se, 33, want.access, &cookie), &cookie,
	     &want, "fusex_backing_add");
	want.type = FUSEX_BACKING_BDEV;
	want.access = FUSEX_BACKING_READ | FUSEX_BACKING_WRITE;
	came(fusex_backing_add_dev(fake.se, FUSEX_BACKING_BDEV, 33,
				   want.access, &cookie), &cookie, &want,
	     "fusex_backing_add_dev, a block device");
	want.type = FUSEX_BACKING_DAX;
	came(fusex_backing_add_dev(fake.se, FUSEX_BACKING_DAX, 33,
				   want.access, &cookie), &cookie, &want,
	     "fusex_backing_add_dev, a memory device");
}

static void test_stripe(void)
{
	static uint32_t members[FUSEX_STRIPE_MAX + 1];
	struct fusex_backing want = {
		.size = sizeof(want), .type = FUSEX_BACKING_STRIPE, .fd = -1,
		.access = FUSEX_BACKING_WRITE, .nr_members = FUSEX_STRIPE_MAX,
		.members = (uintptr_t)members, .stripe_unit = 1ull << 33,
	};
	uint32_t cookie = 0;

	came(fusex_backing_add_stripe(fake.se, members, FUSEX_STRIPE_MAX,
				      want.stripe_unit, want.access, &cookie),
	     &cookie, &want, "fusex_backing_add_stripe");
	calls = 0;
	is(fusex_backing_add_stripe(fake.se, members, FUSEX_STRIPE_MAX + 1,
				    4096, want.access, &cookie), -EINVAL,
	   "too many members");
#if SIZE_MAX > UINT32_MAX
	is(fusex_backing_add_stripe(fake.se, members, (1ull << 32) + 1, 4096,
				    want.access, &cookie), -EINVAL,
	   "as many as do not fit into 32 bits");
#endif
	is(calls, 0, "the kernel is not asked");
}

static void test_remove(void)
{
	struct fusex_backing_remove want = {
		.size = sizeof(want), .cookie = 4711,
		.flags = FUSEX_BACKING_FAIL_IO,
	};

	ok(!fusex_backing_remove(fake.se, 4711, FUSEX_BACKING_FAIL_IO) &&
	   !memcmp(&removed, &want, sizeof(want)), "fusex_backing_remove");
}

static void test_errors(void)
{
	uint32_t cookie = 5, member = 1;

	error = EPERM;
	is(fusex_backing_add_dev(fake.se, FUSEX_BACKING_BDEV, 33, 1, &cookie),
	   -EPERM, "the kernel's error, of a device");
	is(fusex_backing_add_stripe(fake.se, &member, 1, 4096, 1, &cookie),
	   -EPERM, "of a stripe");
	is(fusex_backing_remove(fake.se, 4711, 0), -EPERM, "of removing");
	is(cookie, 5, "and there is no cookie");
	error = 0;
}

static void test_not_ready(void)
{
	struct fusex_session *se;
	struct fusex_config cfg;
	uint32_t cookie, member = 1;

	fusex_config_init(&cfg, sizeof(cfg));
	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
	calls = 0;
	is(fusex_backing_add_dev(se, FUSEX_BACKING_BDEV, 33, 1, &cookie),
	   -ENOTCONN, "a device before there is a channel");
	is(fusex_backing_add_stripe(se, &member, 1, 4096, 1, &cookie),
	   -ENOTCONN, "a stripe, likewise");
	is(calls, 0, "the kernel is not asked");
	fusex_session_free(se);
}

int main(void)
{
	fake_start(&fake, &ops, NULL, 1, 1);
	test_add();
	test_stripe();
	test_remove();
	test_errors();
	test_not_ready();
	fake_stop(&fake);
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/* Block devices to register. */
#include "fs.h"
#include "loop.h"
#include "tap.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

static bool bind_loop(struct loop *l, struct loop_config *conf)
{
	int control = (int)OK(open("/dev/loop-control", O_RDWR));
	bool bound;

	l->nr = (int)OK(ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	snprintf(l->path, sizeof(l->path), "/dev/loop%d", l->nr);
	l->fd = (int)OK(open(l->path, O_RDWR | O_CLOEXEC));
	bound = !ioctl(l->fd, LOOP_CONFIGURE, conf);
	if (bound)
		return true;
	/* Somebody else was quicker. */
	EQ(errno, EBUSY);
	close(l->fd);
	return false;
}

struct loop loop_of(const char *image, off_t size, uint32_t block)
{
	struct loop_config conf = {
		.block_size = block,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	struct loop l;

	/* Not a module everywhere. */
	if (access("/dev/loop-control", F_OK) && system("modprobe -q loop"))
		tap_note("no loop devices");
	make_file(image, NULL);
	OK(truncate(image, size));
	conf.fd = (uint32_t)OK(open(image, O_RDWR | O_CLOEXEC));
	while (!bind_loop(&l, &conf))
		;
	close((int)conf.fd);
	/* As a test may have made it that had it before. */
	OK(ioctl(l.fd, BLKROSET, &(int){ 0 }));
	return l;
}

bool loop_is_bound(const struct loop *l)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/loop%d/loop", l->nr);
	return !access(path, F_OK);
}

bool loop_is_unbound(void *arg)
{
	return !loop_is_bound(arg);
}

int backing_add(int chan, struct fusex_backing b, uint32_t *cookie)
{
	int err;

	b.size = sizeof(b);
	err = ioctl(chan, FUSEX_IOC_BACKING_ADD, &b) ? errno : 0;
	if (cookie)
		*cookie = b.cookie;
	return err;
}

int device_add(int chan, int fd, uint32_t access, uint32_t *cookie)
{
	return backing_add(chan, (struct fusex_backing){
		.type = FUSEX_BACKING_BDEV, .fd = fd, .access = access,
	}, cookie);
}

int stripe_add(int chan, const uint32_t *cookies, uint32_t nr, uint64_t unit,
	       uint32_t access, uint32_t *cookie)
{
	return backing_add(chan, (struct fusex_backing){
		.type = FUSEX_BACKING_STRIPE, .fd = -1, .access = access,
		.nr_members = nr, .members = (uintptr_t)cookies,
		.stripe_unit = unit,
	}, cookie);
}

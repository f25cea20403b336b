// SPDX-License-Identifier: GPL-2.0
/*
 * Where the ACL cannot be read nobody is let in by the mode instead, whose bits
 * for the group then are a mask.
 */
#include "fs.h"
#include "raw.h"
#include "tap.h"

static void fail_with(struct raw *r, const struct fusex_in_header *in,
		      struct raw_reply *rep)
{
	const int *error = r->data;

	(void)in;
	rep->oh.error = -*error;
	rep->len = 0;
}

TEST(acl, that_cannot_be_read)
{
	static const int again = EAGAIN, broken = EUCLEAN;
	struct raw *r = raw_alloc();
	int fd;

	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	r->setup.features = FUSEX_F_POSIX_ACL;
	raw_mount(r);
	raw_serve(r);
	raw_bend(r, FUSEX_OP_GETXATTR, fail_with, &again);
	as(1000, 1000);
	FAILS(open(raw_path(r, "f"), O_RDONLY), EIO);
	raw_bend(r, FUSEX_OP_GETXATTR, fail_with, &broken);
	FAILS(open(raw_path(r, "f"), O_RDONLY), EUCLEAN);
	raw_bend(r, 0, NULL, NULL);
	fd = (int)OK(open(raw_path(r, "f"), O_RDONLY));
	OK(close(fd));
	as_root();
	raw_stop(r);
}

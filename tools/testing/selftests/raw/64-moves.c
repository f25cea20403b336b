// SPDX-License-Identifier: GPL-2.0
/*
 * What the server says of a name while it is carrying out its move counts: the
 * name is asked for again.
 */
#include "actions.h"
#include "maps.h"
#include "tap.h"

/* See answer_init(). */
#define NODE_F	2
#define NODE_D	3

/* What became of the notification. */
static atomic_int said;

static void end_identity(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	struct fusex_notify_inode n = {
		.nodeid = NODE_F, .flags = FUSEX_INVAL_IDENTITY,
	};

	(void)in;
	(void)rep;
	said = maps_notify(r, FUSEX_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0);
}

static void tell_name(struct raw *r, uint32_t code)
{
	static const char name[] = "new";
	struct fusex_notify_entry n = {
		.parent = NODE_D, .name_len = sizeof(name) - 1,
	};

	said = maps_notify(r, code, &n, sizeof(n), name, sizeof(name));
}

static void forget_name(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	(void)in;
	(void)rep;
	tell_name(r, FUSEX_NOTIFY_INVAL_ENTRY);
}

static void expire_name(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	(void)in;
	(void)rep;
	tell_name(r, FUSEX_NOTIFY_EXPIRE_ENTRY);
}

/* The file is open, so that nothing but the notification drops its name. */
static void move(uint32_t attr_mode, raw_twist twist)
{
	struct raw *r = raw_start(attr_mode);
	int fd = (int)OK(open(raw_path(r, "f"), O_RDONLY));
	unsigned int before;
	struct stat st;

	said = -1;
	raw_bend(r, FUSEX_OP_RENAME, twist, NULL);
	EQ(do_rename(r), 0);
	EQ(said, 0);
	before = atomic_load(&r->count[FUSEX_OP_LOOKUP]);
	OK(stat(raw_path(r, "d/new"), &st));
	EQ(atomic_load(&r->count[FUSEX_OP_LOOKUP]), before + 1);
	FAILS(stat(raw_path(r, "f"), &st), ENOENT);
	OK(close(fd));
	raw_stop(r);
}

TEST(move, of_a_node_whose_identity_ends)
{
	move(LOCAL, end_identity);
	move(REMOTE, end_identity);
}

TEST(move, of_a_name_that_is_forgotten)
{
	move(LOCAL, forget_name);
	move(REMOTE, forget_name);
}

TEST(move, of_a_name_that_expires)
{
	move(LOCAL, expire_name);
	move(REMOTE, expire_name);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What a server is told with UNLINK about who uses the file, and what is known
 * of the name afterwards.
 */
#include <sys/mman.h>

#include "server.h"

static const struct srv_options remote = { .attr_mode = FUSEX_ATTR_REMOTE };
static const struct srv_options local = { .attr_mode = FUSEX_ATTR_LOCAL };

/* ------------------------------------------------------------- who uses it */

static void unlink_as(const char *path, uint32_t flags)
{
	srv->unlink_flags = ~flags;
	OK(unlink(path));
	EQ(srv->unlink_flags, flags);
}

static void while_open(const char *path, int flags)
{
	int fd = (int)OK(open(path, flags));

	unlink_as(path, 0);
	close(fd);
}

static void users(const struct srv_options *o)
{
	void *map;
	int fd;

	srv_start(o);
	file("f", "abc");
	unlink_as("m/f", FUSEX_UNLINK_UNUSED);
	file("known", "abc");
	STREQ(slurp("m/known"), "abc");
	unlink_as("m/known", FUSEX_UNLINK_UNUSED);
	make_file("m/new", "abc");
	unlink_as("m/new", FUSEX_UNLINK_UNUSED);
	file("open", "abc");
	while_open("m/open", O_RDONLY);
	file("path", "abc");
	while_open("m/path", O_PATH);
	file("map", "abc");
	fd = (int)OK(open("m/map", O_RDONLY));
	map = mmap(NULL, 3, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	close(fd);
	unlink_as("m/map", 0);
	munmap(map, 3);
	srv_stop();
}

TEST(unlink, says_who_uses_it_remote)
{
	users(&remote);
}

TEST(unlink, says_who_uses_it_local)
{
	users(&local);
}

/* Whoever has it open may have come by another name. */
TEST(unlink, of_one_of_two_names)
{
	struct srv_name *n;
	uint64_t id;
	int fd;

	srv_start(&local);
	id = file("f", "abc");
	srv->nodes[id].attr.nlink = 2;
	file("g", NULL);
	n = srv_find(SRV_ROOT, "g");
	n->node = id;
	fd = (int)OK(open("m/g", O_RDONLY));
	unlink_as("m/f", 0);
	EQ(flook(fd).stx_nlink, 1);
	close(fd);
	unlink_as("m/g", FUSEX_UNLINK_UNUSED);
	srv_stop();
}

/* --------------------------------------------------- what is known afterwards */

static void failed(const struct srv_options *o)
{
	srv_start(o);
	file("f", "abc");
	srv->fail[FUSEX_OP_UNLINK] = EBUSY;
	FAILS(unlink("m/f"), EBUSY);
	EQ(look("m/f").stx_nlink, 1);
	STREQ(slurp("m/f"), "abc");
	srv->fail[FUSEX_OP_UNLINK] = 0;
	OK(unlink("m/f"));
	FAILS(access("m/f", F_OK), ENOENT);
	srv_stop();
}

TEST(unlink, that_fails_leaves_the_file_remote)
{
	failed(&remote);
}

TEST(unlink, that_fails_leaves_the_file_local)
{
	failed(&local);
}

TEST(unlink, is_not_asked_about_again)
{
	srv_start(&local);
	file("f", "abc");
	OK(unlink("m/f"));
	srv_reset();
	FAILS(access("m/f", F_OK), ENOENT);
	EQ(srv_calls(FUSEX_OP_LOOKUP), 0);
	srv_stop();
}

static void overtaken(const struct srv_options *o)
{
	srv_start(o);
	file("f", "abc");
	srv->inval_in_unlink = true;
	OK(unlink("m/f"));
	file("f", "other");
	STREQ(slurp("m/f"), "other");
	srv_stop();
}

TEST(unlink, with_a_notification_meanwhile_remote)
{
	overtaken(&remote);
}

TEST(unlink, with_a_notification_meanwhile_local)
{
	overtaken(&local);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Timeouts of names and attributes, changes that replies tell about,
 * permissions checked by the server.
 */
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "server.h"

static const struct srv_options remote = { .attr_mode = FUSEX_ATTR_REMOTE };

static bool mode_is_0600(void *arg)
{
	(void)arg;
	return look("m/f").stx_mode == (S_IFREG | 0600);
}

TEST(timeout, of_attributes)
{
	uint64_t id;

	srv_start(&remote);
	srv->attr_valid = SEC / 10;
	id = file("f", "x");
	EQ(look("m/f").stx_mode, S_IFREG | 0644);
	srv->nodes[id].attr.mode = S_IFREG | 0600;
	UNTIL(mode_is_0600, NULL);
	srv_stop();
}

static bool gone(void *arg)
{
	(void)arg;
	return access("m/f", F_OK) != 0;
}

static bool there(void *arg)
{
	(void)arg;
	return access("m/f", F_OK) == 0;
}

TEST(timeout, of_names)
{
	srv_start(&remote);
	srv->entry_valid = SEC / 10;
	file("f", "x");
	OK(access("m/f", F_OK));
	srv_find(SRV_ROOT, "f")->dir = 0;
	UNTIL(gone, NULL);
	file("f", "x");
	UNTIL(there, NULL);
	srv_stop();
}

TEST(timeout, zero_asks_each_time)
{
	srv_start(&remote);
	srv->attr_valid = 0;
	file("f", "x");
	OK(access("m/f", F_OK));
	srv_reset();
	for (int i = 0; i < 5; i++)
		look("m/f");
	EQ(srv_calls(FUSEX_OP_GETATTR), 5);
	EQ(srv_calls(FUSEX_OP_LOOKUP), 0);
	srv_stop();
}

TEST(timeout, forced_and_avoided)
{
	struct statx st;
	uint64_t id;

	srv_start(&remote);
	id = file("f", "x");
	look("m/f");
	srv_reset();
	OK(statx(AT_FDCWD, "m/f", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st));
	EQ(srv_calls(FUSEX_OP_GETATTR), 1);
	srv_inval(id, FUSEX_INVAL_ATTR);
	OK(statx(AT_FDCWD, "m/f", AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st));
	EQ(srv_calls(FUSEX_OP_GETATTR), 1);
	look("m/f");
	EQ(srv_calls(FUSEX_OP_GETATTR), 2);
	srv_stop();
}

TEST(change, of_size_drops_data)
{
	uint64_t id;

	srv_start(&remote);
	id = file("f", "old");
	STREQ(slurp("m/f"), "old");
	memcpy(srv->nodes[id].data, "newer", 5);
	srv->nodes[id].attr.size = 5;
	srv_inval(id, FUSEX_INVAL_ATTR);
	STREQ(slurp("m/f"), "newer");
	srv_stop();
}

TEST(change, of_mtime_drops_data)
{
	uint64_t id;

	srv_start(&remote);
	id = file("f", "old");
	STREQ(slurp("m/f"), "old");
	memcpy(srv->nodes[id].data, "new", 3);
	srv->nodes[id].attr.mtime.sec += 10;
	srv_inval(id, FUSEX_INVAL_ATTR);
	STREQ(slurp("m/f"), "new");
	srv_stop();
}

TEST(change, of_the_counter_drops_data)
{
	struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE,
		.features = FUSEX_F_CHANGE,
	};
	uint64_t id;

	srv_start(&o);
	id = file("f", "old");
	srv->nodes[id].attr.mask |= FUSEX_ATTR_CHANGE;
	srv->nodes[id].attr.change = 7;
	STREQ(slurp("m/f"), "old");
	/* Within the granularity of times, and of the same length. */
	memcpy(srv->nodes[id].data, "new", 3);
	srv_inval(id, FUSEX_INVAL_ATTR);
	STREQ(slurp("m/f"), "old");
	srv->nodes[id].attr.change = 8;
	srv_inval(id, FUSEX_INVAL_ATTR);
	STREQ(slurp("m/f"), "new");
	srv_stop();
}

TEST(change, of_type_is_refused)
{
	uint64_t id;
	int fd;

	srv_start(&remote);
	id = file("f", "x");
	fd = (int)OK(open("m/f", O_RDONLY));
	srv->nodes[id].attr.mode = S_IFDIR | 0755;
	srv_inval(id, FUSEX_INVAL_ATTR);
	{
		struct stat st;

		FAILS(fstat(fd, &st), EUCLEAN, EIO, ESTALE);
	}
	close(fd);
	srv_stop();
}

TEST(append, goes_where_the_server_says)
{
	uint64_t id;
	int fd;

	srv_start(&remote);
	id = file("f", "abc");
	fd = (int)OK(open("m/f", O_WRONLY | O_APPEND));
	/* Somebody else appends; the kernel does not know. */
	memcpy(srv->nodes[id].data, "abcdef", 6);
	srv->nodes[id].attr.size = 6;
	EQ(OK(write(fd, "XY", 2)), 2);
	CHECK(srv->last_write.write_flags & FUSEX_WRITE_APPEND);
	CHECK(!memcmp(srv->nodes[id].data, "abcdefXY", 8));
	EQ(flook(fd).stx_size, 8);
	EQ(OK(lseek(fd, 0, SEEK_CUR)), 8);
	close(fd);
	srv_stop();
}

TEST(server_perm, asks_the_server)
{
	struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE,
		.features = FUSEX_F_SERVER_PERM,
		.mount = "allow_other",
	};

	srv_start(&o);
	srv_add(SRV_ROOT, "f", S_IFREG | 0600, "x");
	srv_add(SRV_ROOT, "x", S_IFREG | 0755, "x");
	as(1000, 1000);
	/* Mode bits say no, the server says yes. */
	OK(faccessat(AT_FDCWD, "m/f", R_OK, AT_EACCESS));
	EQ(srv->access_mask, R_OK);
	OK(faccessat(AT_FDCWD, "m/f", W_OK, AT_EACCESS));
	EQ(srv->access_mask, W_OK);
	OK(close(open("m/f", O_RDONLY)));
	srv->fail[FUSEX_OP_ACCESS] = EACCES;
	srv->fail[FUSEX_OP_OPEN] = EACCES;
	FAILS(faccessat(AT_FDCWD, "m/f", R_OK, AT_EACCESS), EACCES);
	FAILS(open("m/f", O_RDWR), EACCES);
	srv->fail[FUSEX_OP_ACCESS] = 0;
	/* What no bit makes a program is none for anybody. */
	FAILS(execl("m/f", "f", NULL), EACCES);
	as_root();
	srv->fail[FUSEX_OP_OPEN] = 0;
	srv_stop();
}

TEST(server_perm, asks_when_opening_needs_no_server)
{
	struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE,
		.features = FUSEX_F_SERVER_PERM | FUSEX_F_NO_OPEN,
		.mount = "allow_other",
	};

	srv_start(&o);
	file("f", "secret");
	STREQ(slurp("m/f"), "secret");
	srv->fail[FUSEX_OP_ACCESS] = EACCES;
	as(1000, 1000);
	FAILS(open("m/f", O_RDONLY), EACCES);
	EQ(srv->access_mask, R_OK);
	FAILS(open("m/f", O_RDWR), EACCES);
	EQ(srv->access_mask, R_OK | W_OK);
	srv->fail[FUSEX_OP_ACCESS] = 0;
	OK(close(open("m/f", O_RDONLY)));
	as_root();
	srv_stop();
}

static void owner_sets_system_attributes(uint32_t attr_mode)
{
	struct srv_options o = {
		.attr_mode = attr_mode,
		.mount = "allow_other",
	};

	srv_start(&o);
	file("f", "x");
	/* The server has no SETXATTR, which is as far as root comes. */
	OK(chmod("m/f", 0666));
	as(1000, 1000);
	FAILS(setxattr("m/f", "system.acl_of_a_kind", "x", 1, 0), EPERM);
	FAILS(removexattr("m/f", "system.acl_of_a_kind"), EPERM);
	as_root();
	FAILS(setxattr("m/f", "system.acl_of_a_kind", "x", 1, 0), EOPNOTSUPP);
	srv_stop();
}

TEST(system_xattr, is_the_owners_local)
{
	owner_sets_system_attributes(FUSEX_ATTR_LOCAL);
}

TEST(system_xattr, is_the_owners_remote)
{
	owner_sets_system_attributes(FUSEX_ATTR_REMOTE);
}

TEST(statfs, is_the_servers)
{
	struct statfs st;

	srv_start(&remote);
	OK(statfs("m", &st));
	EQ(st.f_blocks, 1ll << 50);
	EQ(st.f_bfree, 1000);
	EQ(st.f_bavail, 900);
	EQ(st.f_namelen, 63);
	EQ(st.f_frsize, 4096);
	EQ(st.f_bsize, 65536);
	srv->fail[FUSEX_OP_STATFS] = EIO;
	FAILS(statfs("m", &st), EIO);
	srv->fail[FUSEX_OP_STATFS] = 0;
	srv_stop();
}

TEST(mount, without_allow_other)
{
	struct statfs st;

	srv_start(&remote);
	file("f", "x");
	as(1000, 1000);
	FAILS(access("m/f", F_OK), EACCES);
	FAILS(open("m", O_RDONLY), EACCES);
	FAILS(open("m/f", O_RDONLY), EACCES);
	(void)statfs("m", &st);
	as_root();
	OK(access("m/f", F_OK));
	srv_stop();
}

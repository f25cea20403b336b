// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes.
 */
#include <sys/xattr.h>

#include "../lib/fs.h"

static void file_with_xattrs(void)
{
	make_file("f", "x");
	if (setxattr("f", "user.probe", "", 0, 0) && errno == EOPNOTSUPP)
		SKIP("no extended attributes here");
	OK(removexattr("f", "user.probe"));
}

static bool listed(const char *path, const char *name)
{
	char list[1024];
	ssize_t n = OK(listxattr(path, list, sizeof(list)));

	for (char *p = list; p < list + n; p += strlen(p) + 1)
		if (!strcmp(p, name))
			return true;
	return false;
}

TEST(xattr, set_get_list_remove)
{
	char buf[64];

	file_with_xattrs();
	OK(setxattr("f", "user.a", "hello", 5, 0));
	EQ(OK(getxattr("f", "user.a", buf, sizeof(buf))), 5);
	CHECK(!memcmp(buf, "hello", 5));
	EQ(OK(getxattr("f", "user.a", NULL, 0)), 5);
	OK(setxattr("f", "user.a", "bye", 3, 0));
	EQ(OK(getxattr("f", "user.a", buf, sizeof(buf))), 3);
	OK(setxattr("f", "user.empty", "", 0, 0));
	EQ(OK(getxattr("f", "user.empty", buf, sizeof(buf))), 0);
	CHECK(listed("f", "user.a"));
	CHECK(listed("f", "user.empty"));
	OK(removexattr("f", "user.a"));
	CHECK(!listed("f", "user.a"));
	FAILS(getxattr("f", "user.a", buf, sizeof(buf)), ENODATA);
	FAILS(removexattr("f", "user.a"), ENODATA);
}

TEST(xattr, create_and_replace)
{
	file_with_xattrs();
	FAILS(setxattr("f", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
	OK(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
	FAILS(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
	OK(setxattr("f", "user.a", "2", 1, XATTR_REPLACE));
	FAILS(setxattr("f", "user.a", "2", 1, 64), EINVAL);
}

TEST(xattr, sizes)
{
	static char big[70000], buf[2000], list[8];

	file_with_xattrs();
	memset(big, 'b', sizeof(big));
	OK(setxattr("f", "user.big", big, sizeof(buf), 0));
	EQ(OK(getxattr("f", "user.big", NULL, 0)), sizeof(buf));
	FAILS(getxattr("f", "user.big", buf, sizeof(buf) - 1), ERANGE);
	EQ(OK(getxattr("f", "user.big", buf, sizeof(buf))), sizeof(buf));
	CHECK(!memcmp(big, buf, sizeof(buf)));
	CHECK(OK(listxattr("f", NULL, 0)) >= 9);
	FAILS(listxattr("f", list, sizeof(list)), ERANGE);
	FAILS(setxattr("f", "user.x", big, 65537, 0), E2BIG);
}

TEST(xattr, names)
{
	char name[300] = "user.";

	file_with_xattrs();
	FAILS(setxattr("f", "unknown.a", "1", 1, 0), EOPNOTSUPP);
	FAILS(setxattr("f", "user.", "1", 1, 0), EINVAL);
	FAILS(setxattr("f", "", "1", 1, 0), ERANGE);
	memset(name + 5, 'n', 250);
	OK(setxattr("f", name, "1", 1, 0));
	CHECK(listed("f", name));
	memset(name + 5, 'n', 251);
	FAILS(setxattr("f", name, "1", 1, 0), ERANGE);
	FAILS(getxattr("missing", "user.a", NULL, 0), ENOENT);
}

TEST(xattr, kinds_of_objects)
{
	char buf[8];

	file_with_xattrs();
	OK(mkdir("d", 0755));
	OK(symlink("f", "l"));
	OK(mkfifo("p", 0644));
	OK(setxattr("d", "user.a", "d", 1, 0));
	EQ(OK(getxattr("d", "user.a", buf, sizeof(buf))), 1);
	FAILS(lsetxattr("l", "user.a", "l", 1, 0), EPERM);
	FAILS(setxattr("p", "user.a", "p", 1, 0), EPERM);
	OK(setxattr("l", "user.a", "f", 1, 0));
	EQ(OK(getxattr("f", "user.a", buf, sizeof(buf))), 1);
	OK(lsetxattr("l", "trusted.a", "l", 1, 0));
	EQ(OK(lgetxattr("l", "trusted.a", buf, sizeof(buf))), 1);
	FAILS(getxattr("f", "trusted.a", buf, sizeof(buf)), ENODATA);
}

TEST(xattr, needs_permission)
{
	char buf[8];

	file_with_xattrs();
	OK(setxattr("f", "user.a", "1", 1, 0));
	OK(setxattr("f", "trusted.a", "1", 1, 0));
	as(1000, 1000);
	EQ(OK(getxattr("f", "user.a", buf, sizeof(buf))), 1);
	FAILS(setxattr("f", "user.a", "2", 1, 0), EACCES);
	FAILS(removexattr("f", "user.a"), EACCES);
	FAILS(getxattr("f", "trusted.a", buf, sizeof(buf)), ENODATA);
	FAILS(setxattr("f", "trusted.b", "1", 1, 0), EPERM);
	CHECK(!listed("f", "trusted.a"));
	as_root();
	OK(chmod("f", 0600));
	as(1000, 1000);
	FAILS(getxattr("f", "user.a", buf, sizeof(buf)), EACCES);
}

TEST(xattr, change_ctime)
{
	struct statx a, b;

	file_with_xattrs();
	a = look("f");
	tick();
	OK(setxattr("f", "user.a", "1", 1, 0));
	b = look("f");
	CHECK(later(b.stx_ctime, a.stx_ctime));
	CHECK(same_time(b.stx_mtime, a.stx_mtime));
	tick();
	OK(removexattr("f", "user.a"));
	CHECK(later(look("f").stx_ctime, b.stx_ctime));
}

TEST(xattr, survive_the_cache)
{
	char buf[8];

	file_with_xattrs();
	FAILS(getxattr("f", "user.a", buf, 8), ENODATA);
	OK(setxattr("f", "user.a", "1", 1, 0));
	drop_caches();
	EQ(OK(getxattr("f", "user.a", buf, 8)), 1);
	OK(rename("f", "g"));
	EQ(OK(getxattr("g", "user.a", buf, 8)), 1);
}

TEST(xattr, capabilities_go_with_a_write)
{
	/* cap_net_raw=ep, revision 2 */
	static const unsigned int cap[5] = { 0x02000001, 1 << 13, 0, 0, 0 };
	int fd;

	file_with_xattrs();
	OK(setxattr("f", "security.capability", cap, sizeof(cap), 0));
	EQ(OK(getxattr("f", "security.capability", NULL, 0)), sizeof(cap));
	fd = (int)OK(open("f", O_WRONLY));
	EQ(OK(write(fd, "y", 1)), 1);
	FAILS(getxattr("f", "security.capability", NULL, 0), ENODATA);
	OK(setxattr("f", "security.capability", cap, sizeof(cap), 0));
	OK(ftruncate(fd, 0));
	FAILS(getxattr("f", "security.capability", NULL, 0), ENODATA);
	OK(setxattr("f", "security.capability", cap, sizeof(cap), 0));
	OK(chown("f", 1000, 1000));
	FAILS(getxattr("f", "security.capability", NULL, 0), ENODATA);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Permissions, set-id bits, sticky directories, POSIX ACLs.
 */
#include <sys/xattr.h>

#include "../lib/fs.h"

enum { ME = 1000, YOU = 1001, GROUP = 2000 };

TEST(perm, read_write_search)
{
	make_file("f", "x");
	OK(mkdir("d", 0755));
	make_file("d/f", "x");
	OK(chmod("f", 0600));
	as(ME, ME);
	FAILS(open("f", O_RDONLY), EACCES);
	FAILS(open("f", O_WRONLY), EACCES);
	FAILS(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS), EACCES);
	as_root();
	OK(chmod("f", 0604));
	OK(chmod("d", 0754));
	as(ME, ME);
	OK(open("f", O_RDONLY));
	FAILS(open("f", O_RDWR), EACCES);
	FAILS(open("d/f", O_RDONLY), EACCES);
	OK(open("d", O_RDONLY));
	as_root();
	OK(chmod("d", 0751));
	as(ME, ME);
	OK(open("d/f", O_RDONLY));
	FAILS(open("d", O_RDONLY), EACCES);
}

TEST(perm, owner_group_other)
{
	make_file("f", "x");
	OK(chown("f", ME, GROUP));
	OK(chmod("f", 0046));
	as(ME, ME);
	FAILS(open("f", O_RDONLY), EACCES);
	as(YOU, GROUP);
	OK(open("f", O_RDONLY));
	FAILS(open("f", O_WRONLY), EACCES);
	as_group(YOU, YOU, GROUP);
	OK(open("f", O_RDONLY));
	as(YOU, YOU);
	OK(open("f", O_RDWR));
	as_root();
	OK(open("f", O_RDWR));
}

TEST(perm, directory_entries)
{
	OK(mkdir("d", 0755));
	make_file("d/f", NULL);
	OK(mkdir("d/e", 0755));
	as(ME, ME);
	FAILS(open("d/g", O_RDWR | O_CREAT, 0644), EACCES);
	FAILS(unlink("d/f"), EACCES);
	FAILS(rmdir("d/e"), EACCES);
	FAILS(mkdir("d/g", 0755), EACCES);
	FAILS(symlink("x", "d/g"), EACCES);
	FAILS(mkfifo("d/g", 0644), EACCES);
	FAILS(link("d/f", "d/g"), EACCES, EPERM);
	FAILS(rename("d/f", "d/g"), EACCES);
	FAILS(open("d", O_TMPFILE | O_RDWR, 0600), EACCES);
	as_root();
	OK(chmod("d", 0777));
	as(ME, ME);
	OK(open("d/g", O_RDWR | O_CREAT, 0644));
	OK(unlink("d/f"));
	OK(rmdir("d/e"));
	EQ(look("d/g").stx_uid, ME);
	EQ(look("d/g").stx_gid, ME);
}

TEST(perm, existing_file_opened_with_creat)
{
	OK(mkdir("d", 0777));
	OK(chmod("d", 0777));
	make_file("d/f", "x");
	OK(chmod("d/f", 0600));
	as(ME, ME);
	FAILS(open("d/f", O_RDWR | O_CREAT, 0666), EACCES);
	FAILS(open("d/f", O_WRONLY | O_CREAT | O_TRUNC, 0666), EACCES);
	as_root();
	STREQ(slurp("d/f"), "x");
}

TEST(perm, attributes_are_the_owners)
{
	make_file("f", "x");
	OK(chmod("f", 0666));
	as(ME, ME);
	FAILS(chmod("f", 0777), EPERM);
	FAILS(chown("f", ME, -1), EPERM);
	FAILS(chown("f", -1, ME), EPERM);
	FAILS(utimensat(AT_FDCWD, "f",
			(struct timespec[]){ { 1, 0 }, { 1, 0 } }, 0), EPERM);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	OK(truncate("f", 0));
	as_root();
	OK(chmod("f", 0444));
	as(ME, ME);
	FAILS(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
	FAILS(truncate("f", 0), EACCES);
	as_root();
	OK(chown("f", ME, ME));
	as(ME, ME);
	OK(chmod("f", 0640));
	FAILS(chown("f", YOU, -1), EPERM);
	FAILS(chown("f", -1, GROUP), EPERM);
	as_group(ME, ME, GROUP);
	OK(chown("f", -1, GROUP));
}

TEST(perm, sticky_directory)
{
	OK(mkdir("d", 0777));
	OK(chmod("d", 01777));
	as(ME, ME);
	make_file("d/mine", "x");
	OK(mkdir("d/dir", 0777));
	as(YOU, YOU);
	FAILS(unlink("d/mine"), EPERM);
	FAILS(rmdir("d/dir"), EPERM);
	FAILS(rename("d/mine", "d/yours"), EPERM);
	make_file("d/yours", "y");
	FAILS(rename("d/yours", "d/mine"), EPERM);
	OK(unlink("d/yours"));
	as(ME, ME);
	OK(unlink("d/mine"));
	OK(rmdir("d/dir"));
}

TEST(perm, set_group_id_directory)
{
	umask(0);
	OK(mkdir("d", 0777));
	OK(chown("d", 0, GROUP));
	OK(chmod("d", 02777));
	as(ME, ME);
	OK(open("d/f", O_RDWR | O_CREAT, 0644));
	OK(mkdir("d/e", 0755));
	EQ(look("d/f").stx_gid, GROUP);
	EQ(look("d/f").stx_mode, S_IFREG | 0644);
	EQ(look("d/e").stx_gid, GROUP);
	EQ(look("d/e").stx_mode, S_IFDIR | 02755);
	/* A set-group-id program needs membership of the group. */
	OK(open("d/g", O_RDWR | O_CREAT, 02775));
	EQ(look("d/g").stx_mode, S_IFREG | 0775);
	as_group(ME, ME, GROUP);
	OK(open("d/h", O_RDWR | O_CREAT, 02775));
	EQ(look("d/h").stx_mode, S_IFREG | 02775);
}

static void make_setid(void)
{
	as_root();
	make_file("f", "text");
	OK(chown("f", ME, ME));
	OK(chmod("f", 06777));
	EQ(look("f").stx_mode, S_IFREG | 06777);
	as(YOU, YOU);
}

TEST(setid, write_clears)
{
	int fd;

	make_setid();
	fd = (int)OK(open("f", O_WRONLY));
	EQ(look("f").stx_mode, S_IFREG | 06777);
	EQ(OK(write(fd, "x", 1)), 1);
	EQ(look("f").stx_mode, S_IFREG | 0777);
}

TEST(setid, truncate_clears)
{
	make_setid();
	OK(truncate("f", 1));
	EQ(look("f").stx_mode, S_IFREG | 0777);
	make_setid();
	OK(open("f", O_WRONLY | O_TRUNC));
	EQ(look("f").stx_mode, S_IFREG | 0777);
}

TEST(setid, fallocate_clears)
{
	int fd;

	make_setid();
	fd = (int)OK(open("f", O_WRONLY));
	if (fallocate(fd, 0, 0, 8192) && errno == EOPNOTSUPP)
		SKIP("no fallocate here");
	EQ(look("f").stx_mode, S_IFREG | 0777);
}

TEST(setid, chown_clears)
{
	make_setid();
	as_root();
	OK(chown("f", YOU, -1));
	EQ(look("f").stx_mode, S_IFREG | 0777);
	make_setid();
	as_root();
	/* Without group execution it is not a set-group-id program. */
	OK(chmod("f", 02767));
	OK(chown("f", YOU, YOU));
	EQ(look("f").stx_mode, S_IFREG | 02767);
}

TEST(setid, stays_for_root)
{
	int fd;

	make_setid();
	as_root();
	fd = (int)OK(open("f", O_WRONLY));
	EQ(OK(write(fd, "x", 1)), 1);
	EQ(look("f").stx_mode, S_IFREG | 06777);
}

TEST(setid, chmod_outside_the_group)
{
	make_file("f", NULL);
	OK(chown("f", ME, GROUP));
	as(ME, ME);
	OK(chmod("f", 02775));
	EQ(look("f").stx_mode, S_IFREG | 0775);
	as_group(ME, ME, GROUP);
	OK(chmod("f", 02775));
	EQ(look("f").stx_mode, S_IFREG | 02775);
}

/* An ACL as the kernel stores it: version 2, then (tag, perm, id). */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag;
		uint16_t perm;
		uint32_t id;
	} e[5];
};

/* user::rw-, user:ME:@user, group::r--, mask::@mask, other::--- */
static struct acl acl_for_me(int user, int mask)
{
	return (struct acl){ 2, {
		{ 0x01, 6, -1 }, { 0x02, (uint16_t)user, ME }, { 0x04, 4, -1 },
		{ 0x10, (uint16_t)mask, -1 }, { 0x20, 0, -1 },
	} };
}

static void set_acl(const char *path, const char *name, int user, int mask)
{
	struct acl acl = acl_for_me(user, mask);

	if (setxattr(path, name, &acl, sizeof(acl), 0)) {
		if (errno == EOPNOTSUPP)
			SKIP("no POSIX ACLs here");
		FAIL("setxattr %s: %s", name, strerror(errno));
	}
}

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"

TEST(acl, grants)
{
	make_file("f", "x");
	OK(chmod("f", 0600));
	as(ME, ME);
	FAILS(open("f", O_RDONLY), EACCES);
	as_root();
	set_acl("f", ACCESS, 6, 6);
	as(ME, ME);
	OK(open("f", O_RDWR));
	as(YOU, YOU);
	FAILS(open("f", O_RDONLY), EACCES);
	as_root();
	/* The mask is what the group bits show. */
	EQ(look("f").stx_mode, S_IFREG | 0660);
	OK(chmod("f", 0640));
	as(ME, ME);
	OK(open("f", O_RDONLY));
	FAILS(open("f", O_RDWR), EACCES);
	as_root();
	OK(removexattr("f", ACCESS));
	as(ME, ME);
	FAILS(open("f", O_RDONLY), EACCES);
}

TEST(acl, read_back)
{
	struct acl acl, want = acl_for_me(6, 6);

	make_file("f", "x");
	set_acl("f", ACCESS, 6, 6);
	EQ(OK(getxattr("f", ACCESS, &acl, sizeof(acl))), sizeof(acl));
	CHECK(!memcmp(&acl, &want, sizeof(acl)));
	OK(chmod("f", 0604));
	want.e[3].perm = 0;
	want.e[4].perm = 4;
	EQ(OK(getxattr("f", ACCESS, &acl, sizeof(acl))), sizeof(acl));
	CHECK(!memcmp(&acl, &want, sizeof(acl)));
}

TEST(acl, default_is_inherited)
{
	struct acl acl;

	umask(077);
	OK(mkdir("d", 0755));
	OK(chmod("d", 0755));
	set_acl("d", DEFAULT, 7, 7);
	OK(open("d/f", O_RDWR | O_CREAT, 0666));
	OK(mkdir("d/e", 0777));
	/* The default ACL takes the place of the umask. */
	EQ(look("d/f").stx_mode, S_IFREG | 0660);
	EQ(look("d/e").stx_mode, S_IFDIR | 0670);
	EQ(OK(getxattr("d/f", ACCESS, &acl, sizeof(acl))), sizeof(acl));
	EQ(acl.e[1].id, ME);
	EQ(acl.e[1].perm, 7);
	EQ(acl.e[3].perm, 6);
	FAILS(getxattr("d/f", DEFAULT, NULL, 0), ENODATA);
	EQ(OK(getxattr("d/e", DEFAULT, &acl, sizeof(acl))), sizeof(acl));
	EQ(acl.e[1].perm, 7);
	as(ME, ME);
	OK(open("d/f", O_RDWR));
	as(YOU, YOU);
	FAILS(open("d/f", O_RDONLY), EACCES);
	as_root();
	OK(open("d/e/deep", O_RDWR | O_CREAT, 0666));
	EQ(look("d/e/deep").stx_mode, S_IFREG | 0660);
}

TEST(acl, errors)
{
	struct acl acl = acl_for_me(6, 6);

	make_file("f", "x");
	set_acl("f", ACCESS, 6, 6);
	FAILS(setxattr("f", DEFAULT, &acl, sizeof(acl), 0), EACCES);
	FAILS(setxattr("f", ACCESS, &acl, 7, 0), EINVAL);
	acl.version = 3;
	FAILS(setxattr("f", ACCESS, &acl, sizeof(acl), 0), EOPNOTSUPP, EINVAL);
	acl = acl_for_me(6, 6);
	acl.e[4].tag = 0x01;
	FAILS(setxattr("f", ACCESS, &acl, sizeof(acl), 0), EINVAL);
	acl = acl_for_me(6, 6);
	as(ME, ME);
	FAILS(setxattr("f", ACCESS, &acl, sizeof(acl), 0), EPERM);
}

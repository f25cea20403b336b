// SPDX-License-Identifier: GPL-2.0
/*
 * Without allow_other nobody but who mounted it gets the server to do anything,
 * not by the calls either that VFS needs no permission for.
 */
#include "fs.h"
#include "raw.h"
#include "tap.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#endif

#define ACCESS	"system.posix_acl_access"

/* Like raw_start(), but for the owner only, and with ACLs. */
static struct raw *start_alone(void)
{
	struct raw *r = raw_alloc();
	int fs, mnt;

	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	r->setup.features = FUSEX_F_POSIX_ACL;
	strcpy(r->mnt, "/tmp/raw.XXXXXX");
	CHECK(mkdtemp(r->mnt));
	r->fd = (int)OK(open("/dev/fusex", O_RDWR | O_CLOEXEC));
	OK(ioctl(r->fd, FUSEX_IOC_SETUP, &r->setup));
	fs = (int)OK(fsopen("fusex", FSOPEN_CLOEXEC));
	OK(fsconfig(fs, FSCONFIG_SET_FD, "fd", NULL, r->fd));
	OK(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mnt = (int)OK(fsmount(fs, FSMOUNT_CLOEXEC, 0));
	OK(move_mount(mnt, "", AT_FDCWD, r->mnt, MOVE_MOUNT_F_EMPTY_PATH));
	OK(close(mnt));
	OK(close(fs));
	raw_serve(r);
	return r;
}

/* The size of struct file_attr when the call came to be. */
static long get_fileattr(const char *path)
{
	uint64_t attr[3];

	return syscall(SYS_file_getattr, AT_FDCWD, path, attr, sizeof(attr), 0);
}

TEST(stranger, is_told_nothing_of_the_root)
{
	struct raw *r = start_alone();
	struct stat st;
	char buf[64];

	as(1000, 1000);
	FAILS(stat(r->mnt, &st), EACCES);
	FAILS(getxattr(r->mnt, ACCESS, buf, sizeof(buf)), EACCES);
	FAILS(get_fileattr(r->mnt), EACCES);
	as_root();
	EQ(atomic_load(&r->count[FUSEX_OP_GETXATTR]), 0);
	EQ(atomic_load(&r->count[FUSEX_OP_FILEATTR_GET]), 0);
	FAILS(getxattr(r->mnt, ACCESS, buf, sizeof(buf)), ENODATA);
	OK(get_fileattr(r->mnt));
	raw_stop(r);
}

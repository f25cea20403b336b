// SPDX-License-Identifier: GPL-2.0
/* System calls that make one request each. */
#include "actions.h"
#include "tap.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define RESULT(call)	((call) < 0 ? -errno : 0)

/* Opens "f", does @body with fd, closes; the value is 0 or -errno. */
#define WITH_FILE(r, flags, body)					\
	({								\
		int fd = open(raw_path(r, "f"), flags);			\
		int ret_ = fd < 0 ? -errno : 0;				\
									\
		if (!ret_) {						\
			ret_ = RESULT(body);				\
			close(fd);					\
		}							\
		ret_;							\
	})

int do_lookup(struct raw *r)
{
	struct stat st;

	return RESULT(lstat(raw_path(r, "f"), &st));
}

int do_getattr(struct raw *r)
{
	struct statx stx;

	return RESULT(statx(AT_FDCWD, raw_path(r, "f"), AT_STATX_FORCE_SYNC,
			    STATX_BASIC_STATS, &stx));
}

int do_setattr(struct raw *r)
{
	return RESULT(chmod(raw_path(r, "f"), 0600));
}

int do_truncate(struct raw *r)
{
	return RESULT(truncate(raw_path(r, "f"), 5000));
}

int do_readlink(struct raw *r)
{
	char buf[100];

	return RESULT(readlink(raw_path(r, "l"), buf, sizeof(buf)));
}

int do_create(struct raw *r)
{
	int fd = open(raw_path(r, "new"), O_CREAT | O_EXCL | O_RDWR, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int do_mknod(struct raw *r)
{
	return RESULT(mknod(raw_path(r, "new"), S_IFIFO | 0644, 0));
}

int do_mkdir(struct raw *r)
{
	return RESULT(mkdir(raw_path(r, "new"), 0755));
}

int do_symlink(struct raw *r)
{
	return RESULT(symlink("target", raw_path(r, "new")));
}

int do_tmpfile(struct raw *r)
{
	int fd = open(raw_path(r, ""), O_TMPFILE | O_RDWR, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int do_link(struct raw *r)
{
	return RESULT(link(raw_path(r, "f"), raw_path(r, "new")));
}

int do_unlink(struct raw *r)
{
	return RESULT(unlink(raw_path(r, "f")));
}

int do_rmdir(struct raw *r)
{
	return RESULT(rmdir(raw_path(r, "d")));
}

int do_rename(struct raw *r)
{
	return RESULT(rename(raw_path(r, "f"), raw_path(r, "d/new")));
}

int do_open(struct raw *r)
{
	return WITH_FILE(r, O_RDONLY, 0);
}

int do_read(struct raw *r)
{
	char buf[100];

	return WITH_FILE(r, O_RDONLY, pread(fd, buf, sizeof(buf), 0));
}

int do_write(struct raw *r)
{
	return WITH_FILE(r, O_WRONLY, pwrite(fd, "hello", 5, 100));
}

int do_fsync(struct raw *r)
{
	return WITH_FILE(r, O_RDONLY, fsync(fd));
}

int do_readdir(struct raw *r)
{
	DIR *dir = opendir(raw_path(r, ""));
	int err;

	if (!dir)
		return -errno;
	do {
		errno = 0;
	} while (readdir(dir));
	err = -errno;
	closedir(dir);
	return err;
}

int do_fallocate(struct raw *r)
{
	return WITH_FILE(r, O_RDWR, fallocate(fd, 0, 0, 20000));
}

int do_lseek(struct raw *r)
{
	return WITH_FILE(r, O_RDONLY, lseek(fd, 0, SEEK_HOLE));
}

int do_copy(struct raw *r)
{
	int out = open(raw_path(r, "g"), O_RDWR);
	off_t from = 0, to = 0;
	int err;

	if (out < 0)
		return -errno;
	err = WITH_FILE(r, O_RDONLY,
			copy_file_range(fd, &from, out, &to, 4096, 0));
	close(out);
	return err;
}

int do_getxattr(struct raw *r)
{
	char buf[100];

	return RESULT(getxattr(raw_path(r, "f"), "user.a", buf, sizeof(buf)));
}

int do_setxattr(struct raw *r)
{
	return RESULT(setxattr(raw_path(r, "f"), "user.b", "v", 1, 0));
}

int do_listxattr(struct raw *r)
{
	char buf[100];

	return RESULT(listxattr(raw_path(r, "f"), buf, sizeof(buf)));
}

int do_removexattr(struct raw *r)
{
	return RESULT(removexattr(raw_path(r, "f"), "user.a"));
}

int do_getflags(struct raw *r)
{
	int flags;

	return WITH_FILE(r, O_RDONLY, ioctl(fd, FS_IOC_GETFLAGS, &flags));
}

int do_ioctl(struct raw *r)
{
	char arg[16] = "";

	return WITH_FILE(r, O_RDONLY, ioctl(fd, _IOWR('~', 1, char[16]), arg));
}

int do_statfs(struct raw *r)
{
	struct statvfs st;

	return RESULT(statvfs(raw_path(r, ""), &st));
}

int do_syncfs(struct raw *r)
{
	return WITH_FILE(r, O_RDONLY, syncfs(fd));
}

const struct raw_action_of raw_actions[] = {
	{ "lookup",	FUSEX_OP_LOOKUP,	do_lookup },
	{ "getattr",	FUSEX_OP_GETATTR,	do_getattr },
	{ "setattr",	FUSEX_OP_SETATTR,	do_setattr },
	{ "truncate",	FUSEX_OP_SETATTR,	do_truncate },
	{ "readlink",	FUSEX_OP_READLINK,	do_readlink },
	{ "create",	FUSEX_OP_CREATE,	do_create },
	{ "mknod",	FUSEX_OP_MKNOD,		do_mknod },
	{ "mkdir",	FUSEX_OP_MKDIR,		do_mkdir },
	{ "symlink",	FUSEX_OP_SYMLINK,	do_symlink },
	{ "tmpfile",	FUSEX_OP_TMPFILE,	do_tmpfile },
	{ "link",	FUSEX_OP_LINK,		do_link },
	{ "unlink",	FUSEX_OP_UNLINK,	do_unlink },
	{ "rmdir",	FUSEX_OP_RMDIR,		do_rmdir },
	{ "rename",	FUSEX_OP_RENAME,	do_rename },
	{ "open",	FUSEX_OP_OPEN,		do_open },
	{ "read",	FUSEX_OP_READ,		do_read },
	{ "write",	FUSEX_OP_WRITE,		do_write },
	{ "fsync",	FUSEX_OP_FSYNC,		do_fsync },
	{ "readdir",	FUSEX_OP_READDIR,	do_readdir },
	{ "fallocate",	FUSEX_OP_FALLOCATE,	do_fallocate },
	{ "lseek",	FUSEX_OP_LSEEK,		do_lseek },
	{ "copy",	FUSEX_OP_COPY_RANGE,	do_copy },
	{ "getxattr",	FUSEX_OP_GETXATTR,	do_getxattr },
	{ "setxattr",	FUSEX_OP_SETXATTR,	do_setxattr },
	{ "listxattr",	FUSEX_OP_LISTXATTR,	do_listxattr },
	{ "removexattr", FUSEX_OP_REMOVEXATTR,	do_removexattr },
	{ "getflags",	FUSEX_OP_FILEATTR_GET,	do_getflags },
	{ "ioctl",	FUSEX_OP_IOCTL,		do_ioctl },
	{ "statfs",	FUSEX_OP_STATFS,	do_statfs },
	{ "syncfs",	FUSEX_OP_SYNCFS,	do_syncfs },
};

const unsigned int raw_nr_actions = ARRAY_SIZE(raw_actions);

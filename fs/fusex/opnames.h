/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations and the names that traces and sysfs show for them.
 */
#ifndef _FS_FUSEX_OPNAMES_H
#define _FS_FUSEX_OPNAMES_H

/* X(FUSEX_OP_..., name) for each operation, Y between them. */
#define FUSEX_OP_NAMES(X, Y) \
	X(FUSEX_OP_LOOKUP, "lookup") Y \
	X(FUSEX_OP_FORGET, "forget") Y \
	X(FUSEX_OP_GETATTR, "getattr") Y \
	X(FUSEX_OP_SETATTR, "setattr") Y \
	X(FUSEX_OP_ACCESS, "access") Y \
	X(FUSEX_OP_READLINK, "readlink") Y \
	X(FUSEX_OP_CREATE, "create") Y \
	X(FUSEX_OP_MKNOD, "mknod") Y \
	X(FUSEX_OP_MKDIR, "mkdir") Y \
	X(FUSEX_OP_SYMLINK, "symlink") Y \
	X(FUSEX_OP_TMPFILE, "tmpfile") Y \
	X(FUSEX_OP_LINK, "link") Y \
	X(FUSEX_OP_UNLINK, "unlink") Y \
	X(FUSEX_OP_RMDIR, "rmdir") Y \
	X(FUSEX_OP_RENAME, "rename") Y \
	X(FUSEX_OP_OPEN, "open") Y \
	X(FUSEX_OP_RELEASE, "release") Y \
	X(FUSEX_OP_FLUSH, "flush") Y \
	X(FUSEX_OP_READ, "read") Y \
	X(FUSEX_OP_WRITE, "write") Y \
	X(FUSEX_OP_FSYNC, "fsync") Y \
	X(FUSEX_OP_READDIR, "readdir") Y \
	X(FUSEX_OP_FALLOCATE, "fallocate") Y \
	X(FUSEX_OP_LSEEK, "lseek") Y \
	X(FUSEX_OP_COPY_RANGE, "copy_range") Y \
	X(FUSEX_OP_GETXATTR, "getxattr") Y \
	X(FUSEX_OP_SETXATTR, "setxattr") Y \
	X(FUSEX_OP_LISTXATTR, "listxattr") Y \
	X(FUSEX_OP_REMOVEXATTR, "removexattr") Y \
	X(FUSEX_OP_FILEATTR_GET, "fileattr_get") Y \
	X(FUSEX_OP_FILEATTR_SET, "fileattr_set") Y \
	X(FUSEX_OP_GETLK, "getlk") Y \
	X(FUSEX_OP_SETLK, "setlk") Y \
	X(FUSEX_OP_IOCTL, "ioctl") Y \
	X(FUSEX_OP_POLL, "poll") Y \
	X(FUSEX_OP_STATFS, "statfs") Y \
	X(FUSEX_OP_SYNCFS, "syncfs") Y \
	X(FUSEX_OP_RESOLVE, "resolve") Y \
	X(FUSEX_OP_PARENT, "parent") Y \
	X(FUSEX_OP_CANCEL, "cancel")

#endif /* _FS_FUSEX_OPNAMES_H */

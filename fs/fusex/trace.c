// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints, and the names of operations for people.
 */

#include "chan.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static const char *const op_names[FUSEX_OP_NR] = {
	[FUSEX_OP_LOOKUP]	= "lookup",
	[FUSEX_OP_FORGET]	= "forget",
	[FUSEX_OP_GETATTR]	= "getattr",
	[FUSEX_OP_SETATTR]	= "setattr",
	[FUSEX_OP_ACCESS]	= "access",
	[FUSEX_OP_READLINK]	= "readlink",
	[FUSEX_OP_CREATE]	= "create",
	[FUSEX_OP_MKNOD]	= "mknod",
	[FUSEX_OP_MKDIR]	= "mkdir",
	[FUSEX_OP_SYMLINK]	= "symlink",
	[FUSEX_OP_TMPFILE]	= "tmpfile",
	[FUSEX_OP_LINK]		= "link",
	[FUSEX_OP_UNLINK]	= "unlink",
	[FUSEX_OP_RMDIR]	= "rmdir",
	[FUSEX_OP_RENAME]	= "rename",
	[FUSEX_OP_OPEN]		= "open",
	[FUSEX_OP_RELEASE]	= "release",
	[FUSEX_OP_FLUSH]	= "flush",
	[FUSEX_OP_READ]		= "read",
	[FUSEX_OP_WRITE]	= "write",
	[FUSEX_OP_FSYNC]	= "fsync",
	[FUSEX_OP_READDIR]	= "readdir",
	[FUSEX_OP_FALLOCATE]	= "fallocate",
	[FUSEX_OP_LSEEK]	= "lseek",
	[FUSEX_OP_COPY_RANGE]	= "copy_range",
	[FUSEX_OP_GETXATTR]	= "getxattr",
	[FUSEX_OP_SETXATTR]	= "setxattr",
	[FUSEX_OP_LISTXATTR]	= "listxattr",
	[FUSEX_OP_REMOVEXATTR]	= "removexattr",
	[FUSEX_OP_FILEATTR_GET]	= "fileattr_get",
	[FUSEX_OP_FILEATTR_SET]	= "fileattr_set",
	[FUSEX_OP_GETLK]	= "getlk",
	[FUSEX_OP_SETLK]	= "setlk",
	[FUSEX_OP_IOCTL]	= "ioctl",
	[FUSEX_OP_POLL]		= "poll",
	[FUSEX_OP_STATFS]	= "statfs",
	[FUSEX_OP_SYNCFS]	= "syncfs",
	[FUSEX_OP_RESOLVE]	= "resolve",
	[FUSEX_OP_PARENT]	= "parent",
	[FUSEX_OP_CANCEL]	= "cancel",
	[FUSEX_OP_MAP_BEGIN]	= "map_begin",
	[FUSEX_OP_MAP_END]	= "map_end",
	[FUSEX_OP_MAP_IOEND]	= "map_ioend",
	[FUSEX_OP_MAP_RETURN]	= "map_return",
	[FUSEX_OP_FREEZE]	= "freeze",
	[FUSEX_OP_SHUTDOWN]	= "shutdown",
	[FUSEX_OP_UNMOUNT]	= "unmount",
};

static const char *const notify_names[FUSEX_NOTIFY_NR] = {
	[FUSEX_NOTIFY_INVAL_INODE]	= "inval_inode",
	[FUSEX_NOTIFY_INVAL_ENTRY]	= "inval_entry",
	[FUSEX_NOTIFY_EXPIRE_ENTRY]	= "expire_entry",
	[FUSEX_NOTIFY_DELETE_ENTRY]	= "delete_entry",
	[FUSEX_NOTIFY_PRUNE]		= "prune",
	[FUSEX_NOTIFY_POLL]		= "poll",
	[FUSEX_NOTIFY_MAP_UPSERT]	= "map_upsert",
	[FUSEX_NOTIFY_MAP_INVAL]	= "map_inval",
	[FUSEX_NOTIFY_MAP_RECALL]	= "map_recall",
	[FUSEX_NOTIFY_DEV_INVAL]	= "dev_inval",
};

/**
 * fusex_op_name - name an operation for people
 * @opcode: any number
 *
 * Context: any.
 * Return: a static string, "?" for what is no operation.
 */
const char *fusex_op_name(u32 opcode)
{
	if (opcode >= FUSEX_OP_NR || !op_names[opcode])
		return "?";
	return op_names[opcode];
}

/**
 * fusex_notify_name - name a notification for people
 * @code: any number
 *
 * Context: any.
 * Return: a static string, "?" for what is no notification.
 */
const char *fusex_notify_name(u32 code)
{
	if (code >= FUSEX_NOTIFY_NR || !notify_names[code])
		return "?";
	return notify_names[code];
}

// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys.h"

/* The same on every architecture but alpha. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2		452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat		463
#define SYS_getxattrat		464
#define SYS_listxattrat		465
#define SYS_removexattrat	466
#endif

struct xattr_arg {
	uint64_t	value;
	uint32_t	size;
	uint32_t	flags;
};

int sys_open_beneath(int dirfd, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	long fd;

	/* A link as the last component is an answer for O_PATH|O_NOFOLLOW. */
	if (!(flags & O_PATH))
		how.resolve |= RESOLVE_NO_SYMLINKS;
	fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

int sys_fchmodat(int fd, const char *name, mode_t mode, int at_flags)
{
	return syscall(SYS_fchmodat2, fd, name, mode, at_flags) ? -errno : 0;
}

ssize_t sys_getxattrat(int fd, const char *path, int at_flags,
		       const char *name, void *value, size_t size)
{
	struct xattr_arg arg = {
		.value = (uintptr_t)value,
		.size = (uint32_t)size,
	};
	ssize_t n = syscall(SYS_getxattrat, fd, path, at_flags, name, &arg,
			    sizeof(arg));

	return n < 0 ? -errno : n;
}

int sys_setxattrat(int fd, const char *path, int at_flags, const char *name,
		   const void *value, size_t size, uint32_t flags)
{
	struct xattr_arg arg = {
		.value = (uintptr_t)value,
		.size = (uint32_t)size,
		.flags = flags,
	};

	return syscall(SYS_setxattrat, fd, path, at_flags, name, &arg,
		       sizeof(arg)) ? -errno : 0;
}

ssize_t sys_listxattrat(int fd, const char *path, int at_flags,
			char *list, size_t size)
{
	ssize_t n = syscall(SYS_listxattrat, fd, path, at_flags, list, size);

	return n < 0 ? -errno : n;
}

int sys_removexattrat(int fd, const char *path, int at_flags,
		      const char *name)
{
	return syscall(SYS_removexattrat, fd, path, at_flags, name) ?
		-errno : 0;
}

ssize_t sys_getdents(int fd, void *buf, size_t size)
{
	ssize_t n = syscall(SYS_getdents64, fd, buf, size);

	return n < 0 ? -errno : n;
}

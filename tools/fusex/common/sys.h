/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls that are younger than the C libraries this is built with.  Each
 * returns what the call does, or -errno.
 */
#ifndef FUSEX_TOOLS_SYS_H
#define FUSEX_TOOLS_SYS_H

#include <stdint.h>
#include <sys/types.h>

/**
 * sys_open_beneath() - openat2(2) of one name, that leads nowhere else
 * @dirfd: the directory
 * @name: a name in it
 * @flags: O_*, to which O_CLOEXEC is added
 * @mode: for O_CREAT and O_TMPFILE
 *
 * Fails with ELOOP for a symbolic link (unless @flags has O_PATH and
 * O_NOFOLLOW) and with EXDEV for a mount point.
 */
int sys_open_beneath(int dirfd, const char *name, int flags, mode_t mode);

/** sys_fchmodat() - fchmodat2(2), which knows AT_EMPTY_PATH */
int sys_fchmodat(int fd, const char *name, mode_t mode, int at_flags);

/** sys_getxattrat() - getxattrat(2) */
ssize_t sys_getxattrat(int fd, const char *path, int at_flags,
		       const char *name, void *value, size_t size);

/** sys_setxattrat() - setxattrat(2) */
int sys_setxattrat(int fd, const char *path, int at_flags, const char *name,
		   const void *value, size_t size, uint32_t flags);

/** sys_listxattrat() - listxattrat(2) */
ssize_t sys_listxattrat(int fd, const char *path, int at_flags,
			char *list, size_t size);

/** sys_removexattrat() - removexattrat(2) */
int sys_removexattrat(int fd, const char *path, int at_flags,
		      const char *name);

/** sys_getdents() - getdents64(2) */
ssize_t sys_getdents(int fd, void *buf, size_t size);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The tree that is mirrored.
 *
 * Where it may, the server works on a private mount of the tree: what is
 * mounted in it is not there, not even the mirror itself, there is no way up
 * out of it, device nodes and symbolic links lead nowhere, and access times are
 * left to the kernel that is served when it owns them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "log.h"
#include "mirror.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW	0x00200000
#endif

/* Returns an O_PATH descriptor of a private mount, or -errno. */
static int private_mount(const struct mirror *m, const char *path,
			 bool noatime)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSYMFOLLOW,
	};
	int fd, err;

	fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Not read-only: the mirror can be remounted, and nobody tells us. */
	if (m->local || noatime) {
		attr.attr_set |= MOUNT_ATTR_NOATIME;
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	}
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int open_root(struct mirror *m, const char *path, bool noatime)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	m->tree_fd = private_mount(m, path, noatime);
	if (m->tree_fd >= 0) {
		m->root_fd = openat(m->tree_fd, ".", flags);
	} else {
		m->tree_fd = -1;
		m->root_fd = open(path, flags);
		if (m->local || noatime)
			m->noatime = O_NOATIME;
	}
	if (m->root_fd < 0) {
		log_error("cannot open %s: %s", path, strerror(errno));
		return -errno;
	}
	return 0;
}

/* Handles are good when what they name can be opened with them. */
static bool has_handles(const struct mirror *m)
{
	unsigned char handle[FUSEX_HANDLE_MAX];
	ssize_t len;
	int fd;

	len = fusex_handle_encode(m->root_fd, "", AT_EMPTY_PATH, handle);
	if (len < 0 || len > MIRROR_HANDLE_MAX)
		return false;
	fd = fusex_handle_open(m->root_fd, handle, (size_t)len,
			       O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void probe_xattrs(struct mirror *m)
{
	char c;

	m->xattrs = flistxattr(m->root_fd, NULL, 0) >= 0 ||
		    errno != EOPNOTSUPP;
	m->acls = fgetxattr(m->root_fd, "system.posix_acl_access", &c, 0) >= 0 ||
		  errno != EOPNOTSUPP;
}

int source_open(struct mirror *m, const char *path, bool noatime)
{
	struct statx stx;
	int ret;

	m->tree_fd = -1;
	m->root_fd = -1;
	m->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ret = open_root(m, path, noatime);
	if (!ret && statx(m->root_fd, "", AT_EMPTY_PATH, MIRROR_STATX, &stx)) {
		ret = -errno;
		log_error("cannot look at %s: %s", path, strerror(errno));
	}
	if (ret) {
		source_close(m);
		return ret;
	}
	m->mnt_id = stx.stx_mnt_id;
	m->root_dev = (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
	m->handles = has_handles(m);
	if (!m->handles && m->proc_fd < 0) {
		log_error("%s has no file handles, and there is no /proc",
			  path);
		source_close(m);
		return -EOPNOTSUPP;
	}
	probe_xattrs(m);
	return 0;
}

void source_close(struct mirror *m)
{
	if (m->proc_fd >= 0)
		close(m->proc_fd);
	if (m->root_fd >= 0)
		close(m->root_fd);
	if (m->tree_fd >= 0)
		close(m->tree_fd);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on extended attributes, POSIX ACLs among them.
 *
 * Those of a file that is open are reached through its descriptor.  An O_PATH
 * descriptor does not do; its name in /proc/self/fd does.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "mirror.h"
#include "sys.h"

#define LIST_ROOM	1024

static bool is_open(const struct fdref *ref)
{
	return ref->can & (FD_READ | FD_WRITE);
}

/* A descriptor that is open, or one whose name in /proc/self/fd can be used. */
static int xattr_fd(struct mirror *m, const struct fusex_node *node,
		    struct fdref *ref)
{
	int ret = node_fd(m, node, FD_PATH, ref);

	if (!ret && !is_open(ref) && m->proc_fd < 0) {
		node_put(m, ref);
		ret = -EOPNOTSUPP;
	}
	return ret;
}

ssize_t mirror_getxattr(struct fusex_req *req, const struct fusex_node *node,
			const char *name, void *value, size_t size)
{
	struct mirror *m = mirror_of(req);
	char path[PROC_NAME_MAX];
	struct fdref ref;
	ssize_t n;

	n = xattr_fd(m, node, &ref);
	if (n)
		return n;
	if (is_open(&ref)) {
		n = fgetxattr(ref.fd, name, value, size);
		if (n < 0)
			n = -errno;
	} else {
		n = sys_getxattrat(m->proc_fd, attr_proc_name(ref.fd, path), 0,
				   name, value, size);
	}
	node_put(m, &ref);
	return n;
}

ssize_t mirror_listxattr(struct fusex_req *req, const struct fusex_node *node,
			 char *list, size_t size)
{
	struct mirror *m = mirror_of(req);
	char path[PROC_NAME_MAX];
	struct fdref ref;
	ssize_t n;

	n = xattr_fd(m, node, &ref);
	if (n)
		return n;
	if (is_open(&ref)) {
		n = flistxattr(ref.fd, list, size);
		if (n < 0)
			n = -errno;
	} else {
		n = sys_listxattrat(m->proc_fd, attr_proc_name(ref.fd, path), 0,
				    list, size);
	}
	node_put(m, &ref);
	return n;
}

int mirror_setxattr(struct fusex_req *req, const struct fusex_node *node,
		    const char *name, const void *value, size_t size,
		    uint32_t flags, struct fusex_attr_out *out)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	char path[PROC_NAME_MAX];
	struct fdref ref;
	int ret;

	ret = xattr_fd(m, node, &ref);
	if (ret)
		return ret;
	do {
		if (is_open(&ref))
			ret = fsetxattr(ref.fd, name, value, size,
					(int)flags) ? -errno : 0;
		else
			ret = sys_setxattrat(m->proc_fd,
					     attr_proc_name(ref.fd, path), 0,
					     name, value, size, flags);
	} while (room_retry(m, &room, ret));
	if (!ret)
		attr_after(m, ref.fd, out);
	node_put(m, &ref);
	return ret;
}

int mirror_removexattr(struct fusex_req *req, const struct fusex_node *node,
		       const char *name, struct fusex_attr_out *out)
{
	struct mirror *m = mirror_of(req);
	char path[PROC_NAME_MAX];
	struct fdref ref;
	int ret;

	ret = xattr_fd(m, node, &ref);
	if (ret)
		return ret;
	if (is_open(&ref))
		ret = fremovexattr(ref.fd, name) ? -errno : 0;
	else
		ret = sys_removexattrat(m->proc_fd,
					attr_proc_name(ref.fd, path), 0, name);
	if (!ret)
		attr_after(m, ref.fd, out);
	node_put(m, &ref);
	return ret;
}

static bool lists_acl(const char *list, size_t size)
{
	const char *end = list + size;

	for (; list < end; list += strlen(list) + 1)
		if (!strncmp(list, "system.posix_acl_", 17))
			return true;
	return false;
}

uint32_t xattr_hints(const struct mirror *m, const struct place *p)
{
	char list[LIST_ROOM];
	ssize_t n;

	if (!m->xattrs)
		return FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
	n = sys_listxattrat(p->fd, p->name, p->flags, list, sizeof(list));
	if (!n)
		return FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
	if (n > 0 && !lists_acl(list, (size_t)n))
		return FUSEX_ENTRY_NO_ACL;
	return 0;
}

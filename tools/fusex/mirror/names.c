// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "mirror.h"
#include "sys.h"

/* Attributes for a kernel that does not keep them itself. */
static void remote_attr(const struct mirror *m, int fd, struct fusex_attr *attr)
{
	if (!m->local && attr_get(m, fd, attr))
		attr->mask = 0;
}

int mirror_lookup(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, struct fusex_entry_reply *out)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	struct place p;
	int ret;

	ret = node_dir(m, dir, &ref);
	if (ret)
		return ret;
	p = place_of(ref.fd, name);
	ret = node_enter(m, &p, out);
	node_put(m, &ref);
	if (ret != -ENOENT)
		return ret;
	/* That there is no such name may be remembered, too. */
	out->entry.handle_len = 0;
	out->entry.entry_valid = m->valid;
	return 0;
}

int mirror_resolve(struct fusex_req *req, const struct fusex_node *node,
		   struct fusex_entry_reply *out)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	struct place p;
	int ret;

	ret = node_fd(m, node, FD_PATH, &ref);
	if (ret)
		return ret;
	p = place_of_fd(ref.fd);
	ret = node_enter(m, &p, out);
	node_put(m, &ref);
	if (ret)
		return ret;
	/* One without names is on its way out. */
	if (out->entry.nodeid != node->nodeid ||
	    out->entry.generation != node->generation ||
	    !out->entry.attr.nlink) {
		node_leave(m, out);
		return -ESTALE;
	}
	return 0;
}

int mirror_parent(struct fusex_req *req, const struct fusex_node *node,
		  struct fusex_entry_reply *out)
{
	bool root = node->nodeid == mirror_of(req)->root.nodeid;
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	struct place p;
	int fd, ret;

	ret = node_dir(m, node, &ref);
	if (ret)
		return ret;
	ret = fdcache_reserve(m->fds);
	if (ret)
		goto put;
	fd = openat(ref.fd, root ? "." : "..",
		    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
	} else {
		p = place_of_fd(fd);
		ret = node_enter(m, &p, out);
		close(fd);
	}
	fdcache_unreserve(m->fds);
put:
	node_put(m, &ref);
	return ret;
}

static int link_fd(const struct mirror *m, int fd, int dirfd, const char *name)
{
	char proc[PROC_NAME_MAX];

	if (!linkat(fd, "", dirfd, name, AT_EMPTY_PATH))
		return 0;
	/* Not everybody may do that; to /proc nobody says no. */
	if (errno != ENOENT || m->proc_fd < 0)
		return -errno;
	return linkat(m->proc_fd, attr_proc_name(fd, proc), dirfd, name,
		      AT_SYMLINK_FOLLOW) ? -errno : 0;
}

int mirror_link(struct fusex_req *req, const struct fusex_node *node,
		const struct fusex_node *dir, const char *name,
		struct fusex_entry_reply *out)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct fdref ref, dref;
	struct place p;
	int ret;

	ret = node_fd(m, node, FD_PATH, &ref);
	if (ret)
		return ret;
	ret = node_dir(m, dir, &dref);
	if (ret)
		goto put;
	do {
		ret = link_fd(m, ref.fd, dref.fd, name);
	} while (room_retry(m, &room, ret));
	if (!ret) {
		/* A file made without a name can be found by one now. */
		fdcache_unpin(m->fds, node->nodeid, node->generation);
		p = place_of(dref.fd, name);
		ret = node_enter(m, &p, out);
		remote_attr(m, dref.fd, &out->dir);
	}
	node_put(m, &dref);
put:
	node_put(m, &ref);
	return ret;
}

/* Removes what may be of use without a name. */
static int remove_held(struct mirror *m, int dirfd, const char *name,
		       const struct fusex_node *node, int at_flags,
		       struct fusex_attr *attr)
{
	struct cached_fd *held;
	int ret;

	ret = node_hold(m, dirfd, name, node, &held);
	if (ret)
		return ret;
	ret = unlinkat(dirfd, name, at_flags) ? -errno : 0;
	if (held && held->nodeid == node->nodeid &&
	    held->generation == node->generation)
		node_removed(m, held, !ret, attr);
	else
		node_removed(m, held, !ret, NULL);
	return ret;
}

/*
 * Removes what the kernel does not use.  If it gave up waiting for that, the
 * file may be in use again.
 */
static int remove_unused(struct mirror *m, int dirfd, const char *name,
			 const struct fusex_node *node)
{
	if (unlinkat(dirfd, name, 0))
		return -errno;
	node_removed(m, fdcache_get(m->fds, node->nodeid, node->generation,
				    FD_PATH), true, NULL);
	return 0;
}

static int do_remove(struct mirror *m, const struct fusex_node *dir,
		     const char *name, const struct fusex_node *node,
		     int at_flags, bool unused, struct fusex_unlink_out *out)
{
	struct fdref ref;
	int ret;

	ret = node_dir(m, dir, &ref);
	if (ret)
		return ret;
	if (unused)
		ret = remove_unused(m, ref.fd, name, node);
	else
		ret = remove_held(m, ref.fd, name, node, at_flags, &out->node);
	if (!ret)
		remote_attr(m, ref.fd, &out->dir);
	node_put(m, &ref);
	return ret;
}

int mirror_unlink(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, const struct fusex_node *node,
		  uint32_t flags, struct fusex_unlink_out *out)
{
	struct mirror *m = mirror_of(req);
	struct cached_fd *last = NULL;
	bool unused;
	int ret;

	unused = flags & FUSEX_UNLINK_UNUSED && node_let_go(m, node, &last);
	ret = do_remove(m, dir, name, node, 0, unused, out);
	if (ret || !last) {
		fdcache_close(m->fds, last);
		return ret;
	}
	/* The caller need not wait until the file system has freed the file. */
	(void)fusex_reply_unlink(req, out);
	fdcache_close(m->fds, last);
	return FUSEX_DEFERRED;
}

int mirror_rmdir(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const struct fusex_node *node,
		 uint32_t flags, struct fusex_unlink_out *out)
{
	return do_remove(mirror_of(req), dir, name, node, AT_REMOVEDIR, false,
			 out);
}

/* Attributes of what is called that now. */
static void name_attr(const struct mirror *m, int dirfd, const char *name,
		      struct fusex_attr *attr)
{
	struct statx stx;

	if (!statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		   MIRROR_STATX, &stx))
		attr_fill(&stx, attr);
}

static void rename_attrs(const struct mirror *m, int fd, const char *name,
			 int fd2, const char *name2, uint32_t flags,
			 struct fusex_rename_out *out)
{
	remote_attr(m, fd, &out->dir);
	remote_attr(m, fd2, &out->dir2);
	if (m->local)
		return;
	name_attr(m, fd2, name2, &out->node);
	if (flags & RENAME_EXCHANGE)
		name_attr(m, fd, name, &out->node2);
}

int mirror_rename(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, const struct fusex_node *dir2,
		  const char *name2, uint32_t flags,
		  struct fusex_rename_out *out)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct cached_fd *held = NULL;
	struct fdref ref, ref2;
	int ret;

	ret = node_dir(m, dir, &ref);
	if (ret)
		return ret;
	ret = node_dir(m, dir2, &ref2);
	if (ret)
		goto put;
	if (!(flags & (RENAME_EXCHANGE | RENAME_NOREPLACE)))
		ret = node_hold(m, ref2.fd, name2, NULL, &held);
	if (ret && ret != -ENOENT)
		goto put2;
	do {
		ret = renameat2(ref.fd, name, ref2.fd, name2, flags) ? -errno :
								       0;
	} while (room_retry(m, &room, ret));
	if (!ret)
		rename_attrs(m, ref.fd, name, ref2.fd, name2, flags, out);
	node_removed(m, held, !ret, &out->node2);
put2:
	node_put(m, &ref2);
put:
	node_put(m, &ref);
	return ret;
}

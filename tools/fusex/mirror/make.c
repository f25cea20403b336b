// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that make something.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mirror.h"
#include "sys.h"

static int set_xattrs(struct fusex_req *req, const struct place *p,
		      uint32_t count)
{
	struct fusex_xattr x;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		ret = fusex_req_xattr(req, i, &x);
		if (!ret)
			ret = sys_setxattrat(p->fd, p->name, p->flags, x.name,
					     x.value, x.size, 0);
	}
	return ret;
}

static bool is_owner(const struct fusex_make_in *in,
		     const struct fusex_attr *attr)
{
	return attr->uid == in->uid && attr->gid == in->gid;
}

/*
 * The mode that the object must have.  What a directory inherits from a
 * set-group-id directory is right as the file system underneath does it, and a
 * symbolic link has no mode of its own.
 */
static mode_t right_mode(const struct fusex_make_in *in,
			 const struct fusex_attr *attr)
{
	mode_t mode = in->mode & 07777;

	if (S_ISLNK(attr->mode))
		return attr->mode & 07777;
	if (S_ISDIR(attr->mode))
		mode |= attr->mode & S_ISGID;
	return mode;
}

static int settle_fd(struct mirror *m, struct fusex_req *req, int fd,
		     const struct fusex_make_in *in,
		     struct fusex_entry_reply *out)
{
	struct fusex_attr *attr = &out->entry.attr;
	char name[PROC_NAME_MAX];
	struct place p = place_of_fd(fd);
	mode_t mode;
	int ret;

	if (!is_owner(in, attr) &&
	    fchownat(fd, "", in->uid, in->gid, AT_EMPTY_PATH))
		return -errno;
	/* An O_PATH descriptor is good for extended attributes in /proc only. */
	if (m->proc_fd >= 0) {
		p.fd = m->proc_fd;
		p.name = attr_proc_name(fd, name);
		p.flags = 0;
	}
	ret = set_xattrs(req, &p, in->nr_xattrs);
	if (!ret)
		ret = attr_get(m, fd, attr);
	if (ret)
		return ret;
	out->entry.flags = xattr_hints(m, &p);
	mode = right_mode(in, attr);
	if ((attr->mode & 07777) == mode)
		return 0;
	ret = sys_fchmodat(fd, "", mode, AT_EMPTY_PATH);
	return ret ? ret : attr_get(m, fd, attr);
}

/*
 * Others who may write to the directory may have put something else in the
 * place of what was just made.  What may be somebody's else is not touched.
 */
static bool is_ours(int fd, const struct fusex_make_in *in)
{
	struct stat st;

	if (fstat(fd, &st) || (st.st_mode & S_IFMT) != (in->mode & S_IFMT))
		return false;
	if (st.st_uid != in->uid && st.st_uid != geteuid())
		return false;
	return S_ISDIR(st.st_mode) || st.st_nlink == 1;
}

/* Make the new object what it is to be, as far as it is not yet. */
static int settle(struct mirror *m, struct fusex_req *req,
		  const struct place *p, const struct fusex_make_in *in,
		  struct fusex_entry_reply *out)
{
	struct fusex_attr *attr = &out->entry.attr;
	int fd, ret;

	if (is_owner(in, attr) && !in->nr_xattrs &&
	    (attr->mode & 07777) == right_mode(in, attr))
		return 0;
	if (!*p->name)
		return settle_fd(m, req, p->fd, in, out);
	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	fd = sys_open_beneath(p->fd, p->name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0) {
		ret = fd;
	} else {
		ret = is_ours(fd, in) ? settle_fd(m, req, fd, in, out) :
					-ESTALE;
		close(fd);
	}
	fdcache_unreserve(m->fds);
	return ret;
}

/* For the directory's attributes, which only a remote kernel wants to know. */
static void dir_attr(const struct mirror *m, int dirfd,
		     struct fusex_entry_reply *out)
{
	if (!m->local && attr_get(m, dirfd, &out->dir))
		out->dir.mask = 0;
}

/* The new object is there: make it right and known, or remove it. */
static int finish(struct mirror *m, struct fusex_req *req, int dirfd,
		  const char *name, const struct fusex_make_in *in,
		  struct fusex_entry_reply *out)
{
	const struct place p = place_of(dirfd, name);
	int ret;

	ret = node_enter(m, &p, out);
	if (ret)
		goto fail;
	ret = settle(m, req, &p, in, out);
	if (ret)
		goto fail_entered;
	dir_attr(m, dirfd, out);
	return 0;
fail_entered:
	node_leave(m, out);
fail:
	unlinkat(dirfd, name, S_ISDIR(in->mode) ? AT_REMOVEDIR : 0);
	return ret;
}

static int make_once(int dirfd, const char *name, const char *target,
		     const struct fusex_make_in *in)
{
	dev_t dev = makedev(in->rdev_major, in->rdev_minor);
	int ret;

	creds_become(in->uid, in->gid);
	if (target)
		ret = symlinkat(target, dirfd, name);
	else if (S_ISDIR(in->mode))
		ret = mkdirat(dirfd, name, in->mode & 07777);
	else
		ret = mknodat(dirfd, name, in->mode, dev);
	if (ret)
		ret = -errno;
	creds_restore(in->uid, in->gid);
	return ret;
}

/* Makes what is not open afterwards; @target: of a symbolic link, else NULL. */
static int make_named(struct fusex_req *req, const struct fusex_node *dir,
		      const char *name, const char *target,
		      const struct fusex_make_in *in,
		      struct fusex_entry_reply *out)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct fdref ref;
	int ret;

	ret = node_dir(m, dir, &ref);
	if (ret)
		return ret;
	do {
		ret = make_once(ref.fd, name, target, in);
		if (!ret)
			ret = finish(m, req, ref.fd, name, in, out);
	} while (room_retry(m, &room, ret));
	node_put(m, &ref);
	return ret;
}

int mirror_mknod(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const struct fusex_make_in *in,
		 struct fusex_entry_reply *out)
{
	return make_named(req, dir, name, NULL, in, out);
}

int mirror_mkdir(struct fusex_req *req, const struct fusex_node *dir,
		 const char *name, const struct fusex_make_in *in,
		 struct fusex_entry_reply *out)
{
	return make_named(req, dir, name, NULL, in, out);
}

int mirror_symlink(struct fusex_req *req, const struct fusex_node *dir,
		   const char *name, const char *target,
		   const struct fusex_make_in *in,
		   struct fusex_entry_reply *out)
{
	return make_named(req, dir, name, target, in, out);
}

/* An open new file, named or not: make it right and known, and keep it open. */
static int finish_open(struct mirror *m, struct fusex_req *req, int fd,
		       const char *name, const struct fusex_make_in *in,
		       struct fusex_entry_reply *out)
{
	struct place p = place_of_fd(fd);
	int ret;

	p.label = name;
	ret = node_enter(m, &p, out);
	if (ret)
		return ret;
	ret = settle(m, req, &p, in, out);
	if (ret) {
		node_leave(m, out);
		return ret;
	}
	node_cache(m, &out->entry, fd, FD_PATH | FD_READ | FD_WRITE, !name);
	return 0;
}

static int create_new(struct mirror *m, struct fusex_req *req, int dirfd,
		      const char *name, const struct fusex_make_in *in,
		      struct fusex_entry_reply *out)
{
	int fd, ret;

	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	creds_become(in->uid, in->gid);
	fd = sys_open_beneath(dirfd, name, O_CREAT | O_EXCL | O_RDWR,
			      in->mode);
	creds_restore(in->uid, in->gid);
	if (fd < 0) {
		fdcache_unreserve(m->fds);
		return fd;
	}
	ret = finish_open(m, req, fd, name, in, out);
	if (ret) {
		unlinkat(dirfd, name, 0);
		close(fd);
		fdcache_unreserve(m->fds);
		return ret;
	}
	dir_attr(m, dirfd, out);
	return 0;
}

int mirror_create(struct fusex_req *req, const struct fusex_node *dir,
		  const char *name, const struct fusex_make_in *in,
		  struct fusex_entry_reply *out, struct fusex_open_out *open)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct fdref ref;
	struct place p;
	int ret;

	ret = node_dir(m, dir, &ref);
	if (ret)
		return ret;
	/* One that exists may be a pipe or a device: it is not opened. */
	do {
		do {
			ret = create_new(m, req, ref.fd, name, in, out);
		} while (room_retry(m, &room, ret));
		if (ret != -EEXIST || in->open_flags & O_EXCL)
			break;
		p = place_of(ref.fd, name);
		ret = node_enter(m, &p, out);
	} while (ret == -ENOENT);
	node_put(m, &ref);
	return ret;
}

int mirror_tmpfile(struct fusex_req *req, const struct fusex_node *dir,
		   const struct fusex_make_in *in,
		   struct fusex_entry_reply *out, struct fusex_open_out *open)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct fdref ref;
	int fd, ret;

	ret = node_dir(m, dir, &ref);
	if (ret)
		return ret;
	ret = fdcache_reserve(m->fds);
	if (ret)
		goto put;
	do {
		creds_become(in->uid, in->gid);
		fd = openat(ref.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			    in->mode & 07777);
		ret = fd < 0 ? -errno : 0;
		creds_restore(in->uid, in->gid);
	} while (room_retry(m, &room, ret));
	if (!ret)
		ret = finish_open(m, req, fd, NULL, in, out);
	if (ret) {
		if (fd >= 0)
			close(fd);
		fdcache_unreserve(m->fds);
	}
put:
	node_put(m, &ref);
	return ret;
}

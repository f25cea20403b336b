// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on attributes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "mirror.h"
#include "sys.h"

#define BLKSIZE_MIN	512u

const char *attr_proc_name(int fd, char name[PROC_NAME_MAX])
{
	snprintf(name, PROC_NAME_MAX, "%d", fd);
	return name;
}

void attr_fill(const struct statx *stx, struct fusex_attr *attr)
{
	fusex_attr_from_statx(attr, stx);
	if (attr->blksize & (attr->blksize - 1) ||
	    attr->blksize < BLKSIZE_MIN || attr->blksize > FUSEX_IO_SIZE_MAX)
		attr->blksize = 0;
}

int attr_get(const struct mirror *m, int fd, struct fusex_attr *attr)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, MIRROR_STATX, &stx))
		return -errno;
	attr_fill(&stx, attr);
	return 0;
}

void attr_after(const struct mirror *m, int fd, struct fusex_attr_out *out)
{
	out->attr_valid = m->valid;
	if (attr_get(m, fd, &out->attr))
		out->attr.mask = 0;
}

int mirror_getattr(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_getattr_in *in,
		   struct fusex_attr_out *out)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	int ret;

	ret = node_fd(m, node, FD_PATH, &ref);
	if (ret)
		return ret;
	out->attr_valid = m->valid;
	ret = attr_get(m, ref.fd, &out->attr);
	node_put(m, &ref);
	return ret;
}

static struct timespec time_to_set(const struct fusex_setattr_in *in,
				   uint32_t set, uint32_t now,
				   struct fusex_time time)
{
	struct timespec ts = { .tv_nsec = UTIME_OMIT };

	if (in->valid & now)
		ts.tv_nsec = UTIME_NOW;
	else if (in->valid & set)
		ts = fusex_time_to_timespec(time);
	return ts;
}

static int set_times(const struct mirror *m, const struct fusex_setattr_in *in,
		     int fd)
{
	const struct timespec ts[2] = {
		time_to_set(in, FUSEX_SET_ATIME, FUSEX_SET_ATIME_NOW,
			    in->atime),
		time_to_set(in, FUSEX_SET_MTIME, FUSEX_SET_MTIME_NOW,
			    in->mtime),
	};

	struct timespec now[2];

	if (!utimensat(fd, "", ts, AT_EMPTY_PATH))
		return 0;
	if (errno != EPERM)
		return -errno;
	/* Somebody else's file: what was asked for cannot be had. */
	if (!m->local && !(in->flags & FUSEX_SETATTR_WRITEBACK))
		return -EPERM;
	/*
	 * An append-only file takes nothing but the present time, which is
	 * what the kernel has let pass; an immutable one not even that, and
	 * what the kernel kept of it is lost.
	 */
	for (int i = 0; i < 2; i++) {
		now[i] = ts[i];
		if (ts[i].tv_nsec != UTIME_OMIT)
			now[i].tv_nsec = UTIME_NOW;
	}
	if (!utimensat(fd, "", now, AT_EMPTY_PATH))
		return 0;
	return in->flags & FUSEX_SETATTR_WRITEBACK ? 0 : -errno;
}

#define SET_OWNER	(FUSEX_SET_UID | FUSEX_SET_GID)
#define SET_TIMES	(FUSEX_SET_ATIME | FUSEX_SET_ATIME_NOW | \
			 FUSEX_SET_MTIME | FUSEX_SET_MTIME_NOW)

/* The mode comes after the owner, whose change takes set-id bits away. */
static int set_attrs(const struct mirror *m, const struct fusex_setattr_in *in,
		     int fd)
{
	uid_t uid = in->valid & FUSEX_SET_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FUSEX_SET_GID ? in->gid : (gid_t)-1;
	int ret = 0;

	if (in->valid & SET_OWNER &&
	    fchownat(fd, "", uid, gid, AT_EMPTY_PATH))
		return -errno;
	if (in->valid & FUSEX_SET_MODE)
		ret = sys_fchmodat(fd, "", in->mode & 07777, AT_EMPTY_PATH);
	if (!ret && in->valid & FUSEX_SET_KILL_PRIV)
		ret = attr_kill_priv(m, fd);
	if (!ret && in->valid & FUSEX_SET_SIZE &&
	    ftruncate(fd, (off_t)in->size))
		ret = -errno;
	if (!ret && in->valid & SET_TIMES)
		ret = set_times(m, in, fd);
	return ret;
}

int mirror_setattr(struct fusex_req *req, const struct fusex_node *node,
		   const struct fusex_setattr_in *in,
		   struct fusex_attr_out *out)
{
	struct mirror *m = mirror_of(req);
	const uint32_t size = in->valid & FUSEX_SET_SIZE;
	struct fdref ref;
	int ret;

	ret = node_fd(m, node, size ? FD_WRITE : FD_PATH, &ref);
	if (ret)
		return ret;
	ret = set_attrs(m, in, ref.fd);
	if (!ret && (!m->local || size))
		attr_after(m, ref.fd, out);
	node_put(m, &ref);
	return ret;
}

/*
 * Whoever may not do one of these has not what keeps the file system below from
 * doing it when he changes the data.
 */
int attr_kill_priv(const struct mirror *m, int fd)
{
	char name[PROC_NAME_MAX];
	struct stat st;
	mode_t mode;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	mode = st.st_mode & ~S_ISUID;
	if (mode & 0010)
		mode &= ~S_ISGID;
	if (mode != st.st_mode) {
		ret = sys_fchmodat(fd, "", mode & 07777, AT_EMPTY_PATH);
		if (ret && ret != -EPERM)
			return ret;
	}
	if (!m->xattrs)
		return 0;
	if (fremovexattr(fd, "security.capability")) {
		if (errno == ENODATA || errno == EOPNOTSUPP || errno == EPERM)
			return 0;
		/* Not open for reading or writing. */
		if (errno != EBADF)
			return -errno;
		ret = sys_removexattrat(m->proc_fd, attr_proc_name(fd, name), 0,
					"security.capability");
		if (ret && ret != -ENODATA && ret != -EOPNOTSUPP &&
		    ret != -EPERM)
			return ret;
	}
	return 0;
}

ssize_t mirror_readlink(struct fusex_req *req, const struct fusex_node *node,
			char *buf, size_t size)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	ssize_t n;
	int ret;

	ret = node_fd(m, node, FD_PATH, &ref);
	if (ret)
		return ret;
	n = readlinkat(ref.fd, "", buf, size);
	if (n < 0)
		n = -errno;
	node_put(m, &ref);
	return n;
}

/* Flags are read and set through an open file; a device is better not opened. */
static int flags_fd(struct mirror *m, const struct fusex_node *node,
		    struct fdref *ref)
{
	struct stat st;
	int ret;

	ret = node_fd(m, node, FD_PATH, ref);
	if (ret || ref->can & FD_READ)
		return ret;
	ret = fstat(ref->fd, &st) ? -errno : 0;
	node_put(m, ref);
	if (ret)
		return ret;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -ENOTTY;
	return node_fd(m, node, FD_READ, ref);
}

static int get_flags(int fd, unsigned int *flags, struct fsxattr *fsx)
{
	if (ioctl(fd, FS_IOC_GETFLAGS, flags) ||
	    ioctl(fd, FS_IOC_FSGETXATTR, fsx))
		return -errno;
	return 0;
}

int mirror_fileattr_get(struct fusex_req *req, const struct fusex_node *node,
			struct fusex_fileattr *out)
{
	struct mirror *m = mirror_of(req);
	struct fsxattr fsx = { .fsx_xflags = 0 };
	struct fdref ref;
	int ret;

	ret = flags_fd(m, node, &ref);
	if (ret)
		return ret;
	ret = get_flags(ref.fd, &out->flags, &fsx);
	node_put(m, &ref);
	if (ret)
		return ret;
	out->xflags = fsx.fsx_xflags;
	out->extsize = fsx.fsx_extsize;
	out->nextents = fsx.fsx_nextents;
	out->projid = fsx.fsx_projid;
	out->cowextsize = fsx.fsx_cowextsize;
	return 0;
}

/* What did not change is not set: not every file system can do everything. */
static int set_flags(int fd, const struct fusex_fileattr *in)
{
	unsigned int flags = 0;
	struct fsxattr fsx = { .fsx_xflags = 0 };
	int ret;

	ret = get_flags(fd, &flags, &fsx);
	if (ret)
		return ret;
	if (flags != in->flags) {
		flags = in->flags;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags) ||
		    ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
			return -errno;
	}
	if (fsx.fsx_xflags == in->xflags && fsx.fsx_projid == in->projid &&
	    fsx.fsx_extsize == in->extsize &&
	    fsx.fsx_cowextsize == in->cowextsize)
		return 0;
	fsx.fsx_xflags = (uint32_t)in->xflags;
	fsx.fsx_extsize = in->extsize;
	fsx.fsx_projid = in->projid;
	fsx.fsx_cowextsize = in->cowextsize;
	return ioctl(fd, FS_IOC_FSSETXATTR, &fsx) ? -errno : 0;
}

int mirror_fileattr_set(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_fileattr *in,
			struct fusex_attr_out *out)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	int ret;

	ret = flags_fd(m, node, &ref);
	if (ret)
		return ret;
	ret = set_flags(ref.fd, in);
	if (!ret) {
		attr_after(m, ref.fd, out);
		/* statx(2) does not tell all of them. */
		out->attr.flags |= in->flags;
	}
	node_put(m, &ref);
	return ret;
}

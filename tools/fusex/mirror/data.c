// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on file data, and on the file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mirror.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND	0x00000020
#endif

/*
 * Reads on until the end: less than what was asked for means end of file, so what
 * comes before an error is not returned.
 */
static ssize_t read_all(int fd, char *buf, size_t size, uint64_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = pread(fd, buf + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t mirror_read(struct fusex_req *req, const struct fusex_node *node,
		    const struct fusex_read_in *in, void *buf)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	ssize_t n;
	int ret;

	ret = node_fd(m, node, FD_READ, &ref);
	if (ret)
		return ret;
	n = read_all(ref.fd, buf, in->size, in->offset);
	node_put(m, &ref);
	return n;
}

static int sync_flags(uint32_t open_flags)
{
	if ((open_flags & O_SYNC) == O_SYNC)
		return RWF_SYNC;
	return open_flags & O_DSYNC ? RWF_DSYNC : 0;
}

/*
 * A descriptor from when the file took nothing but appends would append for
 * ever.  As long as the file is such a one, there is no other way.
 */
static ssize_t write_at(int fd, const struct iovec *iov, uint64_t offset,
			int flags)
{
	ssize_t n;

	n = pwritev2(fd, iov, 1, (off_t)offset, flags | RWF_NOAPPEND);
	if (n < 0 && errno == EPERM)
		n = pwritev2(fd, iov, 1, (off_t)offset, flags);
	return n;
}

static int write_all(int fd, const struct fusex_write_in *in, const char *buf,
		     struct fusex_write_out *out)
{
	struct iovec iov;
	size_t done = 0;
	ssize_t n;

	while (done < in->size) {
		iov.iov_base = (void *)(buf + done);
		iov.iov_len = in->size - done;
		n = write_at(fd, &iov, in->offset + done,
			     sync_flags(in->flags));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	out->written = done;
	return done ? 0 : -EIO;
}

/* Others may append, too: where it went is what the position says afterwards. */
static int append(struct mirror *m, int fd, const struct fusex_write_in *in,
		  const void *buf, struct fusex_write_out *out)
{
	struct iovec iov = { (void *)buf, in->size };
	int ret = 0;
	off_t end;
	ssize_t n;

	pthread_mutex_lock(&m->pos_lock);
	n = pwritev2(fd, &iov, 1, -1, RWF_APPEND | sync_flags(in->flags));
	if (n < 0)
		ret = -errno;
	end = n < 0 ? 0 : lseek(fd, 0, SEEK_CUR);
	pthread_mutex_unlock(&m->pos_lock);
	if (ret)
		return ret;
	if (!n || end < n)
		return -EIO;
	out->written = (uint64_t)n;
	out->offset = (uint64_t)(end - n);
	return 0;
}

static int write_somewhere(struct mirror *m, int fd,
			   const struct fusex_write_in *in, const void *buf,
			   struct fusex_write_out *out)
{
	struct room room = room_begin(m);
	int ret;

	do {
		if (in->write_flags & FUSEX_WRITE_APPEND && !m->local)
			ret = append(m, fd, in, buf, out);
		else
			ret = write_all(fd, in, buf, out);
	} while (room_retry(m, &room, ret));
	return ret;
}

/*
 * The kernel wrote it back later than it was written.  Times of somebody else's
 * file cannot be set, and then it is the time of this write, as the reply says.
 */
static void write_time(int fd, const struct fusex_write_in *in)
{
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = in->mtime.sec, .tv_nsec = in->mtime.nsec },
	};

	if (in->write_flags & FUSEX_WRITE_MTIME)
		(void)futimens(fd, times);
}

static void write_attr(const struct mirror *m, int fd,
		       struct fusex_write_out *out)
{
	out->attr_valid = m->valid;
	if (attr_get(m, fd, &out->attr))
		out->attr.mask = 0;
}

int mirror_write(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_write_in *in, const void *buf,
		 struct fusex_write_out *out)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	int ret;

	ret = node_fd(m, node, FD_WRITE, &ref);
	if (ret)
		return ret;
	if (in->write_flags & FUSEX_WRITE_KILL_PRIV)
		ret = attr_kill_priv(m, ref.fd);
	if (!ret)
		ret = write_somewhere(m, ref.fd, in, buf, out);
	if (!ret) {
		write_time(ref.fd, in);
		write_attr(m, ref.fd, out);
	}
	node_put(m, &ref);
	return ret;
}

/* Whatever was written before is there: the kernel sends it first. */
int mirror_flush(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_flush_in *in)
{
	return 0;
}

int mirror_fsync(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_fsync_in *in)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	int ret;

	ret = node_fd(m, node, FD_READ, &ref);
	if (ret == -EACCES)
		ret = node_fd(m, node, FD_WRITE, &ref);
	if (ret)
		return ret;
	if (in->flags & FUSEX_FSYNC_DATASYNC)
		ret = fdatasync(ref.fd) ? -errno : 0;
	else
		ret = fsync(ref.fd) ? -errno : 0;
	node_put(m, &ref);
	return ret;
}

int mirror_fallocate(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_fallocate_in *in,
		     struct fusex_attr_out *out)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct fdref ref;
	int ret;

	ret = node_fd(m, node, FD_WRITE, &ref);
	if (ret)
		return ret;
	/* What was moved half is not to be moved again. */
	if (in->mode & (FALLOC_FL_INSERT_RANGE | FALLOC_FL_COLLAPSE_RANGE))
		room.tries = ROOM_TRIES;
	do {
		ret = fallocate(ref.fd, (int)in->mode, (off_t)in->offset,
				(off_t)in->length) ? -errno : 0;
	} while (room_retry(m, &room, ret));
	if (!ret)
		attr_after(m, ref.fd, out);
	node_put(m, &ref);
	return ret;
}

int mirror_lseek(struct fusex_req *req, const struct fusex_node *node,
		 const struct fusex_lseek_in *in,
		 struct fusex_lseek_out *out)
{
	struct mirror *m = mirror_of(req);
	struct fdref ref;
	off_t pos;
	int ret;

	ret = node_fd(m, node, FD_READ, &ref);
	if (ret)
		return ret;
	pthread_mutex_lock(&m->pos_lock);
	pos = lseek(ref.fd, (off_t)in->offset, (int)in->whence);
	if (pos < 0)
		ret = -errno;
	pthread_mutex_unlock(&m->pos_lock);
	out->offset = (uint64_t)pos;
	node_put(m, &ref);
	return ret;
}

static int copy(int src, int dst, const struct fusex_copy_range_in *in,
		struct fusex_write_out *out)
{
	off_t from = (off_t)in->offset, to = (off_t)in->offset2;
	ssize_t n;

	n = copy_file_range(src, &from, dst, &to, in->length, 0);
	if (n < 0)
		return -errno;
	out->written = (uint64_t)n;
	return 0;
}

static int clone_range(int src, int dst, const struct fusex_copy_range_in *in,
		       struct fusex_write_out *out)
{
	struct file_clone_range range = {
		.src_fd = src,
		.src_offset = in->offset,
		.src_length = in->length,
		.dest_offset = in->offset2,
	};
	struct stat st;

	if (ioctl(dst, FICLONERANGE, &range))
		return -errno;
	out->written = in->length;
	if (!in->length) {
		if (fstat(src, &st))
			return -errno;
		out->written = (uint64_t)st.st_size - in->offset;
	}
	return 0;
}

static int dedupe(int src, int dst, const struct fusex_copy_range_in *in,
		  struct fusex_write_out *out)
{
	union {
		struct file_dedupe_range	range;
		char				room[sizeof(struct file_dedupe_range) +
				     sizeof(struct file_dedupe_range_info)];
	} u = {
		.range = {
			.src_offset = in->offset,
			.src_length = in->length,
			.dest_count = 1,
		},
	};
	struct file_dedupe_range_info *info = u.range.info;

	info->dest_fd = dst;
	info->dest_offset = in->offset2;
	if (ioctl(src, FIDEDUPERANGE, &u.range))
		return -errno;
	if (info->status == FILE_DEDUPE_RANGE_DIFFERS)
		return -EBADE;
	if (info->status < 0)
		return info->status;
	out->written = info->bytes_deduped;
	return 0;
}

int mirror_copy_range(struct fusex_req *req, const struct fusex_node *src,
		      const struct fusex_node *dst,
		      const struct fusex_copy_range_in *in,
		      struct fusex_write_out *out)
{
	struct mirror *m = mirror_of(req);
	struct room room = room_begin(m);
	struct fdref from, to;
	int ret;

	ret = node_fd(m, src, FD_READ, &from);
	if (ret)
		return ret;
	ret = node_fd(m, dst, FD_WRITE, &to);
	if (ret) {
		node_put(m, &from);
		return ret;
	}
	do {
		if (in->flags & FUSEX_COPY_DEDUPE)
			ret = dedupe(from.fd, to.fd, in, out);
		else if (in->flags & FUSEX_COPY_CLONE)
			ret = clone_range(from.fd, to.fd, in, out);
		else
			ret = copy(from.fd, to.fd, in, out);
	} while (room_retry(m, &room, ret));
	if (!ret)
		write_attr(m, to.fd, out);
	node_put(m, &to);
	node_put(m, &from);
	return ret;
}

int mirror_statfs(struct fusex_req *req, const struct fusex_node *node,
		  struct fusex_statfs_out *out)
{
	struct mirror *m = mirror_of(req);
	struct statvfs st;

	fdcache_settle(m->fds);
	if (fstatvfs(m->root_fd, &st))
		return -errno;
	fusex_statfs_from_statvfs(out, &st);
	return 0;
}

int mirror_syncfs(struct fusex_req *req)
{
	return syncfs(mirror_of(req)->root_fd) ? -errno : 0;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Attributes: from libc's form, as file system figures are, and from requests.
 */
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "internal.h"

/* What the interface does not allow is left to the kernel to choose. */
static uint32_t sane_blksize(uint64_t bytes)
{
	if (bytes < 512 || bytes > FUSEX_IO_SIZE_MAX || bytes & (bytes - 1))
		return 0;
	return (uint32_t)bytes;
}

void fusex_attr_from_stat(struct fusex_attr *attr, const struct stat *st)
{
	memset(attr, 0, sizeof(*attr));
	attr->mask = FUSEX_ATTR_REQUIRED | FUSEX_ATTR_BLOCKS |
		     FUSEX_ATTR_RDEV | FUSEX_ATTR_INO;
	attr->mode = st->st_mode;
	attr->ino = st->st_ino;
	attr->size = (uint64_t)st->st_size;
	attr->blocks = (uint64_t)st->st_blocks;
	attr->nlink = (uint32_t)st->st_nlink;
	attr->uid = st->st_uid;
	attr->gid = st->st_gid;
	attr->rdev_major = major(st->st_rdev);
	attr->rdev_minor = minor(st->st_rdev);
	attr->blksize = sane_blksize((uint64_t)st->st_blksize);
	attr->atime = fusex_time_from_timespec(st->st_atim);
	attr->mtime = fusex_time_from_timespec(st->st_mtim);
	attr->ctime = fusex_time_from_timespec(st->st_ctim);
}

struct bit_pair {
	uint64_t	from;
	uint64_t	to;
};

static uint64_t map_bits(uint64_t bits, const struct bit_pair *map, size_t n)
{
	uint64_t out = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if ((bits & map[i].from) == map[i].from)
			out |= map[i].to;
	return out;
}

/* What is only valid together counts when all of it is. */
static const struct bit_pair statx_masks[] = {
	{ STATX_TYPE | STATX_MODE,			FUSEX_ATTR_MODE },
	{ STATX_NLINK,					FUSEX_ATTR_NLINK },
	{ STATX_UID | STATX_GID,			FUSEX_ATTR_OWNER },
	{ STATX_SIZE,					FUSEX_ATTR_SIZE },
	{ STATX_BLOCKS,					FUSEX_ATTR_BLOCKS },
	{ STATX_ATIME | STATX_MTIME | STATX_CTIME,	FUSEX_ATTR_TIMES },
	{ STATX_BTIME,					FUSEX_ATTR_BTIME },
	{ STATX_INO,					FUSEX_ATTR_INO },
	{ STATX_DIOALIGN,				FUSEX_ATTR_DIO },
};

static const struct bit_pair statx_flags[] = {
	{ STATX_ATTR_COMPRESSED,	FS_COMPR_FL },
	{ STATX_ATTR_IMMUTABLE,		FS_IMMUTABLE_FL },
	{ STATX_ATTR_APPEND,		FS_APPEND_FL },
	{ STATX_ATTR_NODUMP,		FS_NODUMP_FL },
	{ STATX_ATTR_ENCRYPTED,		FS_ENCRYPT_FL },
	{ STATX_ATTR_VERITY,		FS_VERITY_FL },
	{ STATX_ATTR_DAX,		FS_DAX_FL },
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/*
 * Flags are known when the source knows these.  FS_NOATIME_FL, FS_SYNC_FL and
 * FS_DIRSYNC_FL are enforced, too, but statx(2) does not tell them.
 */
#define ENFORCED	(STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)

static struct fusex_time from_statx_time(struct statx_timestamp ts)
{
	struct fusex_time t = { ts.tv_sec, ts.tv_nsec, 0 };

	return t;
}

void fusex_attr_from_statx(struct fusex_attr *attr, const struct statx *stx)
{
	memset(attr, 0, sizeof(*attr));
	attr->mask = (uint32_t)map_bits(stx->stx_mask, statx_masks,
					COUNT(statx_masks)) | FUSEX_ATTR_RDEV;
	attr->mode = stx->stx_mode;
	attr->ino = stx->stx_ino;
	attr->size = stx->stx_size;
	attr->blocks = stx->stx_blocks;
	attr->nlink = stx->stx_nlink;
	attr->uid = stx->stx_uid;
	attr->gid = stx->stx_gid;
	attr->rdev_major = stx->stx_rdev_major;
	attr->rdev_minor = stx->stx_rdev_minor;
	attr->blksize = sane_blksize(stx->stx_blksize);
	attr->atime = from_statx_time(stx->stx_atime);
	attr->mtime = from_statx_time(stx->stx_mtime);
	attr->ctime = from_statx_time(stx->stx_ctime);
	if (attr->mask & FUSEX_ATTR_BTIME)
		attr->btime = from_statx_time(stx->stx_btime);
	if (attr->mask & FUSEX_ATTR_DIO) {
		attr->dio_mem_align = stx->stx_dio_mem_align;
		attr->dio_offset_align = stx->stx_dio_offset_align;
	}
	if ((stx->stx_attributes_mask & ENFORCED) == ENFORCED) {
		attr->mask |= FUSEX_ATTR_FLAGS;
		attr->flags = map_bits(stx->stx_attributes, statx_flags,
				       COUNT(statx_flags));
	}
}

static struct fusex_time now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return fusex_time_from_timespec(ts);
}

void fusex_attr_new(struct fusex_attr *attr, uint32_t mode, uint32_t uid,
		    uint32_t gid)
{
	memset(attr, 0, sizeof(*attr));
	attr->mask = FUSEX_ATTR_REQUIRED | FUSEX_ATTR_BLOCKS |
		     FUSEX_ATTR_BTIME;
	attr->mode = mode;
	attr->nlink = S_ISDIR(mode) ? 2 : 1;
	attr->uid = uid;
	attr->gid = gid;
	attr->atime = now();
	attr->mtime = attr->atime;
	attr->ctime = attr->atime;
	attr->btime = attr->atime;
}

static void set_times(struct fusex_attr *attr,
		      const struct fusex_setattr_in *in)
{
	if (in->valid & FUSEX_SET_ATIME_NOW)
		attr->atime = now();
	else if (in->valid & FUSEX_SET_ATIME)
		attr->atime = in->atime;
	if (in->valid & FUSEX_SET_MTIME_NOW)
		attr->mtime = now();
	else if (in->valid & FUSEX_SET_MTIME)
		attr->mtime = in->mtime;
	if (in->valid & FUSEX_SET_CTIME)
		attr->ctime = in->ctime;
	else if (!(in->flags & FUSEX_SETATTR_WRITEBACK))
		attr->ctime = now();
}

/* Set-group-id means something else without the right to execute. */
static uint32_t without_priv(uint32_t mode)
{
	mode &= ~(uint32_t)S_ISUID;
	return mode & 0010 ? mode & ~(uint32_t)S_ISGID : mode;
}

void fusex_attr_set(struct fusex_attr *attr, const struct fusex_setattr_in *in)
{
	if (in->valid & FUSEX_SET_MODE)
		attr->mode = in->mode;
	if (in->valid & FUSEX_SET_UID)
		attr->uid = in->uid;
	if (in->valid & FUSEX_SET_GID)
		attr->gid = in->gid;
	if (in->valid & FUSEX_SET_KILL_PRIV)
		attr->mode = without_priv(attr->mode);
	set_times(attr, in);
}

void fusex_statfs_new(struct fusex_statfs_out *out, uint32_t block_size,
		      uint64_t blocks, uint64_t bfree, uint64_t files,
		      uint64_t ffree)
{
	memset(out, 0, sizeof(*out));
	out->blocks = blocks;
	out->bfree = bfree;
	out->bavail = bfree;
	out->files = files;
	out->ffree = ffree;
	out->bsize = block_size;
	out->frsize = block_size;
	out->namelen = FUSEX_NAME_MAX;
}

static uint64_t at_most(uint64_t n, uint64_t max)
{
	return n < max ? n : max;
}

/* Not all file systems have figures that fit each other, as they must here. */
void fusex_statfs_from_statvfs(struct fusex_statfs_out *out,
			       const struct statvfs *st)
{
	memset(out, 0, sizeof(*out));
	out->blocks = st->f_blocks;
	out->bfree = at_most(st->f_bfree, out->blocks);
	out->bavail = at_most(st->f_bavail, out->blocks);
	out->files = st->f_files;
	out->ffree = at_most(st->f_ffree, out->files);
	out->bsize = (uint32_t)at_most(st->f_bsize, INT32_MAX);
	out->frsize = (uint32_t)at_most(st->f_frsize, INT32_MAX);
	if (!out->bsize)
		out->bsize = 4096;
	if (!out->frsize)
		out->frsize = out->bsize;
	out->namelen = (uint32_t)at_most(st->f_namemax, FUSEX_NAME_MAX);
	if (!out->namelen)
		out->namelen = FUSEX_NAME_MAX;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes to and from inodes.
 */
#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "ext4.h"

/* Flags that programs see, and that they can set. */
#define FLAGS_SHOWN	(0x705bdfffu | FS_DAX_FL)
#define FLAGS_SET	(0x204380ffu | FS_DAX_FL)
/* Flags a new inode has from its directory; of files, and of the rest. */
#define FLAGS_INHERITED	(FS_SECRM_FL | FS_UNRM_FL | FS_COMPR_FL | \
			 FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | \
			 FS_NOCOMP_FL | FS_JOURNAL_DATA_FL | FS_NOTAIL_FL | \
			 FS_DIRSYNC_FL | FS_PROJINHERIT_FL | FS_DAX_FL)
#define FLAGS_OF_FILES	(FLAGS_INHERITED & ~(FS_DIRSYNC_FL | \
					     FS_PROJINHERIT_FL | \
					     FS_JOURNAL_DATA_FL))
#define FLAGS_OF_OTHERS	(FS_NODUMP_FL | FS_NOATIME_FL)
/* Flags that only directories have. */
#define FLAGS_OF_DIRS	(FS_DIRSYNC_FL | FS_TOPDIR_FL | FS_PROJINHERIT_FL)

/* Where a field begins, and the one before it ends. */
#define UP_TO(field)	offsetof(struct ext2_inode_large, field)

/* Has the inode room for so much? */
static bool has(const struct node *n, size_t end)
{
	return EXT2_GOOD_OLD_INODE_SIZE + (size_t)n->raw.i_extra_isize >= end;
}

/* 34 bits of seconds, of which the lowest 32 are signed. */
static struct fusex_time decode(uint32_t low, uint32_t extra)
{
	struct fusex_time t = {
		.sec = (int64_t)(int32_t)low + ((int64_t)(extra & 3) << 32),
		.nsec = extra >> 2,
	};

	if (t.nsec >= 1000000000)
		t.nsec = 0;
	return t;
}

static uint32_t encode(const struct fusex_time *t, uint32_t *low)
{
	*low = (uint32_t)t->sec;
	return (uint32_t)((uint64_t)(t->sec - (int32_t)t->sec) >> 32 & 3) |
	       t->nsec << 2;
}

int64_t attr_time_max(const struct volume *v)
{
	if (v->extra_isize + EXT2_GOOD_OLD_INODE_SIZE <
	    offsetof(struct ext2_inode_large, i_crtime))
		return INT32_MAX;
	return INT32_MAX + (3LL << 32);
}

struct fusex_time attr_now(const struct volume *v)
{
	struct timespec now;

	/* The one that the kernel has written by: a finer one would be ahead of it. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (v->inode_size == EXT2_GOOD_OLD_INODE_SIZE)
		now.tv_nsec = 0;
	return fusex_time_from_timespec(now);
}

void attr_set_times(struct volume *v, struct node *n,
		    const struct fusex_time *atime,
		    const struct fusex_time *mtime,
		    const struct fusex_time *ctime)
{
	uint32_t extra;

	if (atime) {
		extra = encode(atime, &n->raw.i_atime);
		if (has(n, UP_TO(i_crtime)))
			n->raw.i_atime_extra = extra;
	}
	if (mtime) {
		extra = encode(mtime, &n->raw.i_mtime);
		if (has(n, UP_TO(i_atime_extra)))
			n->raw.i_mtime_extra = extra;
	}
	if (ctime) {
		extra = encode(ctime, &n->raw.i_ctime);
		if (has(n, UP_TO(i_mtime_extra)))
			n->raw.i_ctime_extra = extra;
	}
	node_dirty(v, n);
}

void attr_touch(struct volume *v, struct node *n)
{
	struct fusex_time now = attr_now(v);

	attr_set_times(v, n, NULL, &now, &now);
}

void attr_changed(struct volume *v, struct node *n)
{
	struct fusex_time now = attr_now(v);

	attr_set_times(v, n, NULL, NULL, &now);
}

void attr_birth(struct volume *v, struct node *n)
{
	struct fusex_time now = attr_now(v);
	uint32_t low, extra = encode(&now, &low);

	if (has(n, UP_TO(i_crtime_extra)))
		n->raw.i_crtime = low;
	if (has(n, UP_TO(i_version_hi)))
		n->raw.i_crtime_extra = extra;
	attr_set_times(v, n, &now, &now, &now);
}

void attr_set_owner(struct node *n, uint32_t uid, uint32_t gid)
{
	n->raw.i_uid = (uint16_t)uid;
	n->raw.i_uid_high = (uint16_t)(uid >> 16);
	n->raw.i_gid = (uint16_t)gid;
	n->raw.i_gid_high = (uint16_t)(gid >> 16);
}

/* Old numbers of 8 and 8 bits come first, new ones of 12 and 20 second. */
void attr_set_rdev(struct node *n, uint32_t major, uint32_t minor)
{
	n->raw.i_block[0] = 0;
	n->raw.i_block[1] = 0;
	if (major < 256 && minor < 256)
		n->raw.i_block[0] = major << 8 | minor;
	else
		n->raw.i_block[1] = (minor & 0xff) | (major & 0xfff) << 8 |
				    (minor & ~0xffu) << 12;
}

static void fill_rdev(const struct node *n, struct fusex_attr *a)
{
	uint32_t dev = n->raw.i_block[0];

	if (!LINUX_S_ISCHR(n->raw.i_mode) && !LINUX_S_ISBLK(n->raw.i_mode))
		return;
	if (dev) {
		a->rdev_major = dev >> 8 & 0xff;
		a->rdev_minor = dev & 0xff;
		return;
	}
	dev = n->raw.i_block[1];
	a->rdev_major = dev >> 8 & 0xfff;
	a->rdev_minor = (dev & 0xff) | (dev >> 12 & 0xfff00);
}

static void fill_times(const struct node *n, struct fusex_attr *a)
{
	const struct ext2_inode_large *raw = &n->raw;

	a->atime = decode(raw->i_atime,
			  has(n, UP_TO(i_crtime)) ? raw->i_atime_extra : 0);
	a->mtime = decode(raw->i_mtime,
			  has(n, UP_TO(i_atime_extra)) ? raw->i_mtime_extra : 0);
	a->ctime = decode(raw->i_ctime,
			  has(n, UP_TO(i_mtime_extra)) ? raw->i_ctime_extra : 0);
	if (!has(n, UP_TO(i_crtime_extra)))
		return;
	a->mask |= FUSEX_ATTR_BTIME;
	a->btime = decode(raw->i_crtime,
			  has(n, UP_TO(i_version_hi)) ? raw->i_crtime_extra : 0);
}

void attr_fill(struct volume *v, const struct node *n, struct fusex_attr *a)
{
	const struct ext2_inode_large *raw = &n->raw;

	memset(a, 0, sizeof(*a));
	a->mask = FUSEX_ATTR_REQUIRED | FUSEX_ATTR_BLOCKS | FUSEX_ATTR_RDEV |
		  FUSEX_ATTR_INO | FUSEX_ATTR_FLAGS;
	a->mode = raw->i_mode;
	a->ino = n->ino;
	a->size = size_of(n);
	a->blocks = ext2fs_get_stat_i_blocks(v->fs,
					     inode_of((struct node *)n));
	a->nlink = raw->i_links_count;
	a->uid = raw->i_uid | (uint32_t)raw->i_uid_high << 16;
	a->gid = raw->i_gid | (uint32_t)raw->i_gid_high << 16;
	a->flags = raw->i_flags & FLAGS_SHOWN;
	fill_rdev(n, a);
	fill_times(n, a);
}

/* What has no extents, or no block, has nothing to be mapped. */
static uint32_t io_mode_of(const struct volume *v, const struct node *n)
{
	if (v->dax == DAX_NEVER || !is_reg(n))
		return FUSEX_IO_DEFAULT;
	if (v->dax == DAX_FLAGGED && !node_has(n, FS_DAX_FL))
		return FUSEX_IO_IOMAP;
	if (!node_has(n, EXT4_EXTENTS_FL) || node_has(n, EXT4_INLINE_DATA_FL))
		return FUSEX_IO_IOMAP;
	return FUSEX_IO_DAX;
}

void attr_entry(struct volume *v, struct node *n, struct fusex_entry_reply *e)
{
	n->lookups++;
	e->entry.nodeid = n->ino;
	e->entry.generation = n->raw.i_generation;
	e->entry.flags = xattr_hints(v, n);
	e->entry.io_mode = (uint8_t)io_mode_of(v, n);
	e->entry.entry_valid = FUSEX_FOREVER;
	e->entry.attr_valid = FUSEX_FOREVER;
	attr_fill(v, n, &e->entry.attr);
}

static void set_owner(struct node *n, const struct fusex_setattr_in *in)
{
	uint32_t uid = n->raw.i_uid | (uint32_t)n->raw.i_uid_high << 16;
	uint32_t gid = n->raw.i_gid | (uint32_t)n->raw.i_gid_high << 16;

	attr_set_owner(n, in->valid & FUSEX_SET_UID ? in->uid : uid,
		       in->valid & FUSEX_SET_GID ? in->gid : gid);
}

int attr_set(struct volume *v, struct node *n,
	     const struct fusex_setattr_in *in)
{
	struct fusex_time now = attr_now(v);
	const struct fusex_time *atime = NULL, *mtime = NULL, *ctime = NULL;

	if (in->valid & FUSEX_SET_MODE)
		n->raw.i_mode = (uint16_t)((n->raw.i_mode & LINUX_S_IFMT) |
					   (in->mode & 07777));
	set_owner(n, in);
	if (in->valid & (FUSEX_SET_ATIME | FUSEX_SET_ATIME_NOW))
		atime = in->valid & FUSEX_SET_ATIME_NOW ? &now : &in->atime;
	if (in->valid & (FUSEX_SET_MTIME | FUSEX_SET_MTIME_NOW))
		mtime = in->valid & FUSEX_SET_MTIME_NOW ? &now : &in->mtime;
	if (in->valid & FUSEX_SET_CTIME)
		ctime = &in->ctime;
	else if (!(in->flags & FUSEX_SETATTR_WRITEBACK))
		ctime = &now;
	attr_set_times(v, n, atime, mtime, ctime);
	return 0;
}

static uint64_t xflags_of(uint32_t flags)
{
	uint64_t x = 0;

	x |= flags & FS_SYNC_FL ? FS_XFLAG_SYNC : 0;
	x |= flags & FS_IMMUTABLE_FL ? FS_XFLAG_IMMUTABLE : 0;
	x |= flags & FS_APPEND_FL ? FS_XFLAG_APPEND : 0;
	x |= flags & FS_NODUMP_FL ? FS_XFLAG_NODUMP : 0;
	x |= flags & FS_NOATIME_FL ? FS_XFLAG_NOATIME : 0;
	x |= flags & FS_PROJINHERIT_FL ? FS_XFLAG_PROJINHERIT : 0;
	x |= flags & FS_DAX_FL ? FS_XFLAG_DAX : 0;
	return x;
}

static bool has_projects(const struct volume *v, const struct node *n)
{
	return ext2fs_has_feature_project(v->fs->super) && has(n, sizeof(n->raw));
}

static uint32_t project_of(const struct volume *v, const struct node *n)
{
	return has_projects(v, n) ? n->raw.i_projid : 0;
}

bool attr_takes(const struct volume *v, const struct node *dir,
		const struct node *n)
{
	return !node_has(dir, FS_PROJINHERIT_FL) ||
	       project_of(v, dir) == project_of(v, n);
}

void attr_get_flags(struct volume *v, struct node *n,
		    struct fusex_fileattr *out)
{
	out->flags = n->raw.i_flags & FLAGS_SHOWN;
	out->xflags = xflags_of(out->flags);
	if (has_projects(v, n))
		out->projid = n->raw.i_projid;
}

/* Those that can be set of what it is; e2fsck does not like others. */
static uint32_t settable(const struct node *n)
{
	if (is_dir(n))
		return FLAGS_SET;
	return FLAGS_SET & (is_reg(n) ? ~FLAGS_OF_DIRS : FLAGS_OF_OTHERS);
}

int attr_set_flags(struct volume *v, struct node *n,
		   const struct fusex_fileattr *in)
{
	uint32_t old = n->raw.i_flags;
	uint32_t change = (in->flags ^ old) & FLAGS_SHOWN;

	/*
	 * Of data, or of names: what they are cannot be changed.  FS_DAX_FL says
	 * what a file is when it is looked up anew.
	 */
	if (change & (FS_EXTENT_FL | FS_JOURNAL_DATA_FL | FS_CASEFOLD_FL |
		      FS_VERITY_FL))
		return -EOPNOTSUPP;
	if (in->flags & FLAGS_SET & ~settable(n))
		return -EOPNOTSUPP;
	if (in->extsize || in->cowextsize)
		return -EOPNOTSUPP;
	if (has_projects(v, n))
		n->raw.i_projid = in->projid;
	else if (in->projid)
		return -EOPNOTSUPP;
	n->raw.i_flags = (old & ~FLAGS_SET) | (in->flags & FLAGS_SET);
	attr_changed(v, n);
	return 0;
}

void attr_inherit(struct volume *v, struct node *n, const struct node *dir)
{
	uint32_t flags = dir->raw.i_flags & FLAGS_INHERITED;

	if (is_reg(n))
		flags &= FLAGS_OF_FILES;
	else if (!is_dir(n))
		flags &= FLAGS_OF_OTHERS;
	n->raw.i_flags |= flags;
	if (has_projects(v, n) && node_has(dir, FS_PROJINHERIT_FL))
		n->raw.i_projid = dir->raw.i_projid;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Opening and closing a file system, and what becomes of its errors.
 *
 * While it is open for writing its superblock says so: that the journal may have
 * to be replayed or, without a journal, that it was not unmounted.
 */
#include <e2p/e2p.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ext4.h"
#include "log.h"

#define INCOMPAT_KNOWN	(EXT2_FEATURE_INCOMPAT_FILETYPE | \
			 EXT3_FEATURE_INCOMPAT_RECOVER | \
			 EXT2_FEATURE_INCOMPAT_META_BG | \
			 EXT3_FEATURE_INCOMPAT_EXTENTS | \
			 EXT4_FEATURE_INCOMPAT_64BIT | \
			 EXT4_FEATURE_INCOMPAT_FLEX_BG | \
			 EXT4_FEATURE_INCOMPAT_EA_INODE | \
			 EXT4_FEATURE_INCOMPAT_CSUM_SEED | \
			 EXT4_FEATURE_INCOMPAT_LARGEDIR | \
			 EXT4_FEATURE_INCOMPAT_INLINE_DATA)
/* To be written to. */
#define RO_COMPAT_KNOWN	(EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | \
			 EXT2_FEATURE_RO_COMPAT_LARGE_FILE | \
			 EXT4_FEATURE_RO_COMPAT_HUGE_FILE | \
			 EXT4_FEATURE_RO_COMPAT_GDT_CSUM | \
			 EXT4_FEATURE_RO_COMPAT_DIR_NLINK | \
			 EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | \
			 EXT4_FEATURE_RO_COMPAT_METADATA_CSUM | \
			 EXT4_FEATURE_RO_COMPAT_PROJECT)

#define BLOCK_SIZE_MAX	65536u

int volume_writable(const struct volume *v)
{
	return v->readonly || v->failed ? -EROFS : 0;
}

void volume_fail(struct volume *v, const char *why, int err)
{
	if (atomic_exchange(&v->failed, true))
		return;
	log_error("%s: %s (%s); it is read-only from now on", v->dev.path, why,
		  strerror(err < 0 ? -err : err));
	if (v->panic && v->se)
		fusex_session_stop(v->se);
}

/* So that e2fsck looks closely next time, as the kernel has it. */
static void note_error(struct volume *v, ext2_ino_t ino)
{
	struct ext2_super_block *sb = v->fs->super;
	uint32_t now = (uint32_t)time(NULL);

	if (volume_writable(v))
		return;
	sb->s_state |= EXT2_ERROR_FS;
	if (!sb->s_error_count) {
		sb->s_first_error_time = now;
		sb->s_first_error_ino = ino;
	}
	sb->s_error_count++;
	sb->s_last_error_time = now;
	sb->s_last_error_ino = ino;
	ext2fs_mark_super_dirty(v->fs);
	v->valid = false;
}

void volume_note_corrupt(struct volume *v, ext2_ino_t ino, const char *what)
{
	if (ino)
		log_error("%s is corrupted: inode %u: %s", v->dev.path, ino,
			  what);
	else
		log_error("%s is corrupted: %s", v->dev.path, what);
	core_lock(v);
	note_error(v, ino);
	core_unlock(v);
	if (v->errors != EXT2_ERRORS_CONTINUE && !v->readonly)
		volume_fail(v, "corrupted", ECORRUPT);
}

/* Those of libext2fs that mean something of their own. */
static int known_error(errcode_t err)
{
	switch (err) {
	case EXT2_ET_NO_MEMORY:
		return -ENOMEM;
	case EXT2_ET_BLOCK_ALLOC_FAIL:
	case EXT2_ET_INODE_ALLOC_FAIL:
	case EXT2_ET_EA_NO_SPACE:
	case EXT2_ET_INLINE_DATA_NO_SPACE:
	case EXT2_ET_INLINE_DATA_CANT_ITERATE:
		return -ENOSPC;
	case EXT2_ET_RO_FILSYS:
		return -EROFS;
	case EXT2_ET_EA_KEY_NOT_FOUND:
		return -ENODATA;
	case EXT2_ET_FILE_TOO_BIG:
	case EXT2_ET_CANT_SPLIT_EXTENT:
		return -EFBIG;
	case EXT2_ET_OP_NOT_SUPPORTED:
	case EXT2_ET_UNIMPLEMENTED:
	case EXT2_ET_MISSING_EA_FEATURE:
		return -EOPNOTSUPP;
	case EXT2_ET_SHORT_READ:
	case EXT2_ET_SHORT_WRITE:
		return -EIO;
	default:
		return 0;
	}
}

int volume_errno(struct volume *v, errcode_t err)
{
	int ret;

	if (err > 0 && err < 512)
		return -(int)err;
	ret = known_error(err);
	return ret ? ret : volume_corrupt(v, 0, error_message(err));
}

static void log_features(const struct volume *v, int set, uint32_t mask,
			 const char *text)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++)
		if (mask & 1u << bit)
			log_error("%s has the feature %s, %s", v->dev.path,
				  e2p_feature2string(set, 1u << bit), text);
}

/*
 * Whoever changes files has to count what they take, for which libext2fs has nothing:
 * that is in a part of e2fsprogs that is not a library.
 */
static void log_quota(const struct volume *v)
{
	log_error("to have it written to without quotas, run: tune2fs -O ^quota %s",
		  v->dev.path);
}

static int check_features(struct volume *v)
{
	struct ext2_super_block *sb = v->fs->super;
	uint32_t incompat = sb->s_feature_incompat & ~INCOMPAT_KNOWN;
	uint32_t ro = sb->s_feature_ro_compat &
		      ~(RO_COMPAT_KNOWN | EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT);

	if (incompat) {
		log_features(v, E2P_FEATURE_INCOMPAT, incompat,
			     "which this server does not know");
		return -EOPNOTSUPP;
	}
	if (ro && !v->readonly) {
		log_features(v, E2P_FEATURE_RO_INCOMPAT, ro,
			     "which takes mounting read-only (-o ro)");
		if (ro & EXT4_FEATURE_RO_COMPAT_QUOTA)
			log_quota(v);
		return -EOPNOTSUPP;
	}
	if (!v->readonly && sb->s_feature_compat &
	    EXT3_FEATURE_COMPAT_HAS_JOURNAL && !sb->s_journal_inum) {
		log_error("%s has its journal elsewhere, which takes mounting read-only (-o ro)",
			  v->dev.path);
		return -EOPNOTSUPP;
	}
	return 0;
}

static void log_open(const struct volume *v, errcode_t err)
{
	if (err == EXT2_ET_SB_CSUM_INVALID || err == EXT2_ET_CORRUPT_SUPERBLOCK)
		log_error("%s: %s; run: e2fsck %s", v->dev.path,
			  error_message(err), v->dev.path);
	else
		log_error("cannot open %s: %s", v->dev.path,
			  err < 512 ? strerror((int)err) :
				      error_message(err));
}

static bool ends_early(struct volume *v)
{
	uint64_t last = ext2fs_blocks_count(v->fs->super) - 1;
	void *mem = aligned_alloc(4096, (block_size(v) + 4095) & ~4095u);
	int ret;

	ret = mem ? device_read(&v->dev, mem, block_size(v),
				last * block_size(v)) : -ENOMEM;
	free(mem);
	if (ret)
		log_error("%s is smaller than its file system", v->dev.path);
	return ret;
}

static int open_fs(struct volume *v)
{
	int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP |
		    EXT2_FLAG_FORCE | (v->readonly ? 0 : EXT2_FLAG_RW);
	errcode_t err;

	bcache_set_device(&v->dev);
	/* Not its path, of which a question mark would be the end. */
	err = ext2fs_open2("device", NULL, flags, 0, 0, &bcache_manager,
			   &v->fs);
	bcache_set_device(NULL);
	if (err) {
		v->fs = NULL;
		log_open(v, err);
		return err < 512 ? -(int)err : -EINVAL;
	}
	v->fs->priv_data = v;
	v->cache = bcache_of(v->fs);
	v->inode_size = EXT2_INODE_SIZE(v->fs->super);
	v->block_bits = EXT2_BLOCK_SIZE_BITS(v->fs->super);
	v->valid = !(v->fs->super->s_state & EXT2_ERROR_FS);
	if (block_size(v) > BLOCK_SIZE_MAX || block_size(v) < v->dev.align) {
		log_error("%s: blocks of %u bytes do not fit the device",
			  v->dev.path, block_size(v));
		return -EINVAL;
	}
	return 0;
}

/* As in the kernel: at least what the times need, if there is room. */
static void set_extra_isize(struct volume *v)
{
	const struct ext2_super_block *sb = v->fs->super;
	unsigned int max = v->inode_size - EXT2_GOOD_OLD_INODE_SIZE;
	unsigned int size = sizeof(struct ext2_inode_large) -
			    EXT2_GOOD_OLD_INODE_SIZE;

	if (sb->s_want_extra_isize > size)
		size = sb->s_want_extra_isize;
	if (sb->s_min_extra_isize > size)
		size = sb->s_min_extra_isize;
	v->extra_isize = size > max ? max : size & ~3u;
}

static int write_super(struct volume *v)
{
	ext2fs_mark_super_dirty(v->fs);
	return commit_now(v);
}

/* The journal is not used for this: it says that there is something in it. */
static int mark_used(struct volume *v)
{
	struct ext2_super_block *sb = v->fs->super;

	if (sb->s_journal_inum)
		ext2fs_set_feature_journal_needs_recovery(sb);
	else
		sb->s_state &= ~EXT2_VALID_FS;
	sb->s_mtime = (uint32_t)time(NULL);
	sb->s_mnt_count++;
	return write_super(v);
}

static int mark_unused(struct volume *v)
{
	struct ext2_super_block *sb = v->fs->super;
	int ret;

	ret = journal_close(v, true);
	if (ret)
		return ret;
	ext2fs_clear_feature_journal_needs_recovery(sb);
	if (v->valid)
		sb->s_state |= EXT2_VALID_FS;
	return write_super(v);
}

static int begin_writing(struct volume *v, const struct volume_options *o)
{
	struct journal *j;
	int ret;

	ret = journal_open(v);
	if (!ret)
		ret = commit_start(v, 0);
	if (ret)
		return ret;
	j = v->journal;
	v->journal = NULL;
	ret = mark_used(v);
	v->journal = j;
	commit_stop(v);
	if (!ret)
		ret = commit_start(v, o->interval);
	return ret;
}

static int open_parts(struct volume *v, const struct volume_options *o)
{
	int ret;

	ret = open_fs(v);
	if (!ret)
		ret = check_features(v);
	if (!ret && ends_early(v))
		ret = -EINVAL;
	if (ret)
		return ret;
	/* For this mount; what the superblock says stays. */
	v->errors = o->errors ? o->errors : v->fs->super->s_errors;
	v->panic = v->errors == EXT2_ERRORS_PANIC;
	set_extra_isize(v);
	if (getrandom(&v->generation, sizeof(v->generation), 0) < 0)
		v->generation = (uint32_t)time(NULL);
	ret = icache_open(v);
	if (!ret)
		ret = bitmaps_open(v);
	if (!ret)
		ret = alloc_open(v);
	if (!ret && v->readonly)
		ret = commit_start(v, 0);
	else if (!ret)
		ret = begin_writing(v, o);
	if (ret)
		log_error("cannot open %s: %s", v->dev.path, strerror(-ret));
	return ret;
}

static void destroy(struct volume *v)
{
	commit_stop(v);
	journal_close(v, false);
	icache_close(v);
	bitmaps_close(v);
	if (v->fs) {
		v->fs->read_inode = NULL;
		v->fs->write_inode = NULL;
		ext2fs_free(v->fs);
	}
	device_close(&v->dev);
	pthread_rwlock_destroy(&v->lock);
	pthread_mutex_destroy(&v->core);
	pthread_mutex_destroy(&v->table);
	pthread_mutex_destroy(&v->trim);
	pthread_cond_destroy(&v->held_none);
	pthread_mutex_destroy(&v->recalls.lock);
	pthread_cond_destroy(&v->recalls.change);
	free(v);
}

/* A transaction does not wait for ever for a moment without requests. */
static void init_locks(struct volume *v)
{
	pthread_rwlockattr_t rw;
	pthread_mutexattr_t again;
	pthread_condattr_t clock;

	pthread_rwlockattr_init(&rw);
	pthread_rwlockattr_setkind_np(&rw,
				      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&v->lock, &rw);
	pthread_rwlockattr_destroy(&rw);
	pthread_mutexattr_init(&again);
	pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&v->core, &again);
	pthread_mutexattr_destroy(&again);
	pthread_mutex_init(&v->table, NULL);
	pthread_mutex_init(&v->trim, NULL);
	pthread_cond_init(&v->held_none, NULL);
	pthread_mutex_init(&v->recalls.lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&v->recalls.change, &clock);
	pthread_condattr_destroy(&clock);
}

int volume_open(const char *path, const struct volume_options *o,
		struct volume **out)
{
	struct volume *v = calloc(1, sizeof(*v));
	int ret;

	if (!v)
		return -ENOMEM;
	init_locks(v);
	initialize_ext2_error_table();
	v->iomap = o->iomap;
	v->remote = o->remote;
	v->lease = o->lease;
	v->dev.fd = -1;
	v->dev.image_fd = -1;
	ret = device_open(&v->dev, path, o->readonly, o->iomap);
	if (!ret)
		ret = recover_if_dirty(&v->dev, o->fsck);
	if (!ret) {
		v->readonly = o->readonly || v->dev.readonly;
		ret = open_parts(v, o);
	}
	if (ret) {
		destroy(v);
		return ret;
	}
	*out = v;
	return 0;
}

int volume_close(struct volume *v)
{
	int ret = 0, err;

	/* Frozen or not, nobody uses it any more. */
	commit_hold(v, false);
	if (v->shut) {
		/* As it is. */
	} else if (!volume_writable(v)) {
		icache_forgotten(v);
		WR_LOCK(v);
		icache_shrink(v, 0);
		ret = orphan_finish_all(v);
		UNLOCK(v);
		/* Others have nothing to do with a file that is not deleted. */
		err = commit_now(v);
		if (!ret)
			ret = err;
		/* What it wrote has to be in its places, too. */
		commit_pause(v, true);
		if (!ret)
			ret = mark_unused(v);
	} else if (v->failed) {
		/* Of which e2fsck has to know, if it is for corruption. */
		commit_now(v);
		ret = -EIO;
	}
	destroy(v);
	return ret;
}

void volume_abandon(struct volume *v)
{
	destroy(v);
}

/* What is being written, or discarded, is over, and there will be nothing else. */
static void drop_device(struct volume *v, int dead)
{
	WR_LOCK(v);
	v->shut = true;
	v->failed = true;
	UNLOCK(v);
	commit_pause(v, true);
	pthread_mutex_lock(&v->trim);
	WR_LOCK(v);
	device_drop(&v->dev, dead);
	UNLOCK(v);
	pthread_mutex_unlock(&v->trim);
}

/* If it is frozen, all is durable, and nothing is to be written. */
static void flush_all(struct volume *v)
{
	bool may;

	pthread_mutex_lock(&v->trim);
	RD_LOCK(v);
	may = !volume_writable(v) && !v->frozen;
	UNLOCK(v);
	/* Why it is not, when it is not, is logged; it ends nevertheless. */
	if (may)
		commit_now(v);
	pthread_mutex_unlock(&v->trim);
}

int volume_shut(struct volume *v, bool flush)
{
	int dead = open("/", O_PATH | O_CLOEXEC);

	if (dead < 0)
		return -errno;
	if (flush)
		flush_all(v);
	log_warning("%s: shut down", v->dev.path);
	drop_device(v, dead);
	close(dead);
	return 0;
}

static void thaw(struct volume *v)
{
	commit_hold(v, false);
	commit_pause(v, false);
	orphan_freeze(v, false);
}

int volume_freeze(struct volume *v, bool freeze)
{
	int ret;

	if (!freeze) {
		thaw(v);
		return 0;
	}
	commit_pause(v, true);
	orphan_freeze(v, true);
	ret = commit_now(v);
	/* Until that is in its places, too. */
	if (ret)
		thaw(v);
	else
		commit_hold(v, true);
	return ret;
}

void volume_get_label(struct volume *v, char *label)
{
	core_lock(v);
	memcpy(label, v->fs->super->s_volume_name, EXT2_LABEL_LEN);
	core_unlock(v);
}

int volume_set_label(struct volume *v, const char *label, size_t len)
{
	int ret;

	RD_LOCK(v);
	ret = volume_writable(v);
	if (!ret) {
		core_lock(v);
		memset(v->fs->super->s_volume_name, 0, EXT2_LABEL_LEN);
		memcpy(v->fs->super->s_volume_name, label, len);
		ext2fs_mark_super_dirty(v->fs);
		core_unlock(v);
	}
	UNLOCK(v);
	return ret ? ret : commit_now(v);
}

/* Blocks that files can never have. */
static uint64_t overhead(const struct volume *v)
{
	ext2_filsys fs = v->fs;
	uint64_t blocks = fs->super->s_first_data_block;

	if (fs->super->s_overhead_clusters)
		return fs->super->s_overhead_clusters;
	return blocks + fs->group_desc_count *
	       (fs->inode_blocks_per_group + 2ull) + fs->desc_blocks + 1;
}

void volume_statfs(struct volume *v, struct fusex_statfs_out *out)
{
	struct ext2_super_block *sb = v->fs->super;
	uint64_t reserved;

	core_lock(v);
	reserved = ext2fs_r_blocks_count(sb) + v->kept;
	out->blocks = ext2fs_blocks_count(sb) - overhead(v);
	out->bfree = ext2fs_free_blocks_count(sb);
	out->bavail = out->bfree > reserved ? out->bfree - reserved : 0;
	out->files = sb->s_inodes_count;
	out->ffree = sb->s_free_inodes_count;
	core_unlock(v);
	out->bsize = block_size(v);
	out->frsize = block_size(v);
	out->namelen = EXT2_NAME_LEN;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of attributes: when they expire, which replies are believed, what
 * is copied, link counts.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/module.h>

#include "../fusex_i.h"
#include "../io.h"
#include "fake_chan.h"

/* ------------------------------------------------------------------ expiry */

#define TICK	(NSEC_PER_SEC / HZ)

struct expiry_case {
	const char *name;
	u64 valid;
	u64 now;
	u64 want;
};

static const struct expiry_case expiry_cases[] = {
	{ "not at all", 0, 1000, 0 },
	{ "for ever", FUSEX_FOREVER, 1000, U64_MAX },
	{ "less than a tick is none", TICK - 1, 1000, 1000 },
	{ "a tick", TICK, 1000, 1001 },
	{ "not longer than told", 2 * TICK - 1, 1000, 1001 },
	{ "a second", NSEC_PER_SEC, 1000, 1000 + HZ },
	{ "beyond 32 bits", 100ull * NSEC_PER_SEC, 1ull << 40,
	  (1ull << 40) + 100 * HZ },
	{ "end of time", NSEC_PER_SEC, U64_MAX - HZ, U64_MAX },
	{ "past the end of time", NSEC_PER_SEC, U64_MAX - HZ + 1, U64_MAX },
	{ "almost for ever", FUSEX_FOREVER - 1, 0,
	  (FUSEX_FOREVER - 1) / TICK },
};

static void expiry_desc(const struct expiry_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(expiry, expiry_cases, expiry_desc);

static void expiry_test(struct kunit *test)
{
	const struct expiry_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fusex_expiry(c->valid, c->now), c->want);
}

/* ------------------------------------------------------------------- times */

static const struct timespec64 times[] = {
	{ 0, 0 },
	{ 0, 1 },
	{ -1, NSEC_PER_SEC - 1 },
	{ 1, NSEC_PER_SEC - 1 },
	{ S32_MAX + 1ll, 5 },
	{ S64_MAX, NSEC_PER_SEC - 1 },
	{ S64_MIN, 0 },
};

static void time_test(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		struct fusex_time t = fusex_ts_to_time(times[i]);
		struct timespec64 ts = fusex_time_to_ts(&t);

		KUNIT_EXPECT_EQ(test, t.sec, times[i].tv_sec);
		KUNIT_EXPECT_EQ(test, t.nsec, times[i].tv_nsec);
		KUNIT_EXPECT_EQ(test, t.reserved, 0);
		KUNIT_EXPECT_TRUE(test, timespec64_equal(&ts, &times[i]));
	}
}

/* ------------------------------------------------------------------ inodes */

/* An inode that nothing but these tests ever sees. */
static struct inode *test_inode(struct kunit *test, umode_t mode, u32 nlink)
{
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);
	struct fusex_sb *fs = kunit_kzalloc(test, sizeof(*fs), GFP_KERNEL);
	struct fusex_inode *fi = kunit_kzalloc(test, sizeof(*fi), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sb);
	KUNIT_ASSERT_NOT_NULL(test, fs);
	KUNIT_ASSERT_NOT_NULL(test, fi);
	sb->s_fs_info = fs;
	sb->s_user_ns = &init_user_ns;
	/* Unlinked inodes are counted from one, which is never reached. */
	atomic_long_set(&sb->s_remove_count, 1000);
	inode_init_once(&fi->vfs_inode);
	fi->vfs_inode.i_sb = sb;
	fi->vfs_inode.i_mode = mode;
	fi->io = &fusex_io_none;
	fi->attr = &fusex_attr_remote;
	spin_lock_init(&fi->lock);
	set_nlink(&fi->vfs_inode, nlink);
	return &fi->vfs_inode;
}

struct links_case {
	const char *name;
	umode_t mode;
	u32 before;
	u32 did;
	u32 after;
};

static const struct links_case links_cases[] = {
	{ "file linked", S_IFREG, 1, FUSEX_DID_NLINK_INC, 2 },
	{ "unnamed file linked", S_IFREG, 0, FUSEX_DID_NLINK_INC, 1 },
	{ "no more links than can be", S_IFREG, U32_MAX, FUSEX_DID_NLINK_INC,
	  U32_MAX },
	{ "file unlinked", S_IFREG, 2, FUSEX_DID_NLINK_DEC, 1 },
	{ "last name unlinked", S_IFREG, 1, FUSEX_DID_NLINK_DEC, 0 },
	{ "more names than counted", S_IFREG, 0, FUSEX_DID_NLINK_DEC, 0 },
	{ "subdirectory made", S_IFDIR, 2, FUSEX_DID_NLINK_INC, 3 },
	{ "subdirectory removed", S_IFDIR, 3, FUSEX_DID_NLINK_DEC, 2 },
	{ "more subdirectories than counted", S_IFDIR, 2, FUSEX_DID_NLINK_DEC,
	  2 },
	{ "subdirectory made, not counted", S_IFDIR, 1, FUSEX_DID_NLINK_INC,
	  1 },
	{ "subdirectory removed, not counted", S_IFDIR, 1,
	  FUSEX_DID_NLINK_DEC, 1 },
	{ "subdirectory replaced by another", S_IFDIR, 3,
	  FUSEX_DID_NLINK_INC | FUSEX_DID_NLINK_DEC, 3 },
	{ "directory removed", S_IFDIR, 2, FUSEX_DID_NLINK_ZERO, 0 },
	{ "directory removed twice", S_IFDIR, 0, FUSEX_DID_NLINK_ZERO, 0 },
	{ "something else", S_IFREG, 1, FUSEX_DID_CTIME, 1 },
};

static void links_desc(const struct links_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(links, links_cases, links_desc);

static void links_test(struct kunit *test)
{
	const struct links_case *c = test->param_value;
	struct inode *inode = test_inode(test, c->mode, c->before);

	spin_lock(&fusex_i(inode)->lock);
	fusex_attr_links(inode, c->did);
	spin_unlock(&fusex_i(inode)->lock);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, c->after);
}

static const struct fusex_attr full = {
	.mask = FUSEX_ATTR_KNOWN,
	.mode = S_IFREG | 06755,
	.ino = 77,
	.size = 1ull << 33,
	.blocks = 8,
	.nlink = 3,
	.uid = 1000,
	.gid = 1001,
	.blksize = 65536,
	.flags = FS_IMMUTABLE_FL | FS_SYNC_FL,
	.atime = { .sec = -1, .nsec = 1 },
	.mtime = { .sec = 2, .nsec = 2 },
	.ctime = { .sec = 3, .nsec = 3 },
	.btime = { .sec = 4, .nsec = 4 },
	.change = 99,
	.dio_mem_align = 512,
	.dio_offset_align = 4096,
};

static void copy(struct inode *inode, const struct fusex_attr *attr, u32 mask)
{
	spin_lock(&fusex_i(inode)->lock);
	fusex_attr_copy(inode, attr, mask);
	spin_unlock(&fusex_i(inode)->lock);
}

static void copy_all_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);

	copy(inode, &full, FUSEX_ATTR_KNOWN);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 06755);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 1ll << 33);
	KUNIT_EXPECT_EQ(test, inode->i_blocks, 8);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, 3);
	KUNIT_EXPECT_EQ(test, __kuid_val(inode->i_uid), 1000);
	KUNIT_EXPECT_EQ(test, __kgid_val(inode->i_gid), 1001);
	KUNIT_EXPECT_EQ(test, inode_get_atime_sec(inode), -1);
	KUNIT_EXPECT_EQ(test, inode_get_mtime_nsec(inode), 2);
	KUNIT_EXPECT_EQ(test, inode_get_ctime_sec(inode), 3);
	KUNIT_EXPECT_EQ(test, fi->btime.tv_sec, 4);
	KUNIT_EXPECT_EQ(test, fi->blksize, 65536);
	KUNIT_EXPECT_EQ(test, fi->dio_mem_align, 512);
	KUNIT_EXPECT_EQ(test, fi->dio_offset_align, 4096);
	/* What the server asks for, and what the table always has. */
	KUNIT_EXPECT_EQ(test, inode->i_flags & (S_IMMUTABLE | S_APPEND |
						S_SYNC | S_NOATIME),
			S_IMMUTABLE | S_SYNC | S_NOATIME);
	KUNIT_EXPECT_EQ(test, fi->attr_mask, FUSEX_ATTR_KNOWN);
}

/* Only what both the caller wants and the server said. */
static void copy_masked_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG | 0600, 1);
	struct fusex_attr some = full;

	some.mask = FUSEX_ATTR_MODE | FUSEX_ATTR_SIZE;
	copy(inode, &some, FUSEX_ATTR_SIZE | FUSEX_ATTR_BLOCKS);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 1ll << 33);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFREG | 0600);
	KUNIT_EXPECT_EQ(test, inode->i_blocks, 0);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, 1);
	KUNIT_EXPECT_EQ(test, fusex_i(inode)->attr_mask, FUSEX_ATTR_SIZE);
}

static void copy_type_stays_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFDIR | 0700, 2);

	copy(inode, &full, FUSEX_ATTR_MODE);
	KUNIT_EXPECT_EQ(test, inode->i_mode, S_IFDIR | 06755);
}

/* That a write has nothing to clear is over when there is something. */
static void copy_set_user_id_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG | 0600, 1);
	struct fusex_attr plain = full;

	inode->i_flags |= S_NOSEC;
	plain.mode = S_IFREG | 0755;
	copy(inode, &plain, FUSEX_ATTR_KNOWN);
	KUNIT_EXPECT_TRUE(test, inode->i_flags & S_NOSEC);
	copy(inode, &full, FUSEX_ATTR_SIZE);
	KUNIT_EXPECT_TRUE(test, inode->i_flags & S_NOSEC);
	copy(inode, &full, FUSEX_ATTR_MODE);
	KUNIT_EXPECT_FALSE(test, inode->i_flags & S_NOSEC);
}

/* ------------------------------------------------------------------ epochs */

static void apply(struct inode *inode, const struct fusex_attr_ops *table,
		  const struct fusex_attr *attr, u64 epoch)
{
	struct fusex_attr_reply r = {
		.attr = attr,
		.valid = FUSEX_FOREVER,
		.epoch = epoch,
	};

	fusex_i(inode)->attr = table;
	table->apply(inode, &r);
}

struct epoch_case {
	const char *name;
	u64 changed;
	u64 asked;
	bool believed;
};

static const struct epoch_case epoch_cases[] = {
	{ "never changed", 0, 0, true },
	{ "asked before the change", 7, 6, false },
	{ "asked after the change", 7, 7, true },
	{ "asked long after", 7, 1ull << 40, true },
};

static void epoch_desc(const struct epoch_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(epoch, epoch_cases, epoch_desc);

/* Remote: believed and cached, or not believed and expired. */
static void remote_epoch_test(struct kunit *test)
{
	const struct epoch_case *c = test->param_value;
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);

	fi->epoch = c->changed;
	fi->attr_expires = U64_MAX - 1;
	apply(inode, &fusex_attr_remote, &full, c->asked);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), c->believed ? 1ll << 33 : 0);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, c->believed ? U64_MAX : 0);
}

/* Space was found: what is absent stays so, for as long as it would have. */
static void remote_aside_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_attr_reply r = {
		.attr = &full, .valid = U64_MAX, .aside = true,
	};

	set_bit(FUSEX_I_NO_CAPS, &fi->state);
	fi->attr_expires = U64_MAX - 1;
	fusex_attr_remote.apply(inode, &r);
	KUNIT_EXPECT_EQ(test, inode->i_blocks, 8);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, U64_MAX - 1);
	KUNIT_EXPECT_TRUE(test, test_bit(FUSEX_I_NO_CAPS, &fi->state));

	/* When that was uncertain, it is the same as any other answer. */
	set_bit(FUSEX_I_STALE, &fi->state);
	fusex_attr_remote.apply(inode, &r);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, U64_MAX);
	KUNIT_EXPECT_FALSE(test, test_bit(FUSEX_I_NO_CAPS, &fi->state));
	KUNIT_EXPECT_FALSE(test, test_bit(FUSEX_I_STALE, &fi->state));
}

/* Nothing is said of a time: as good as what was known, for as long. */
static void remote_again_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFDIR, 1);
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_attr_reply r = {
		.attr = &full, .did = FUSEX_DID_MTIME, .again = true,
	};
	const struct fusex_attr none = {};
	struct fusex_sb *fs = fusex_sb(inode->i_sb);

	fs->chan = fake_chan(test);
	r.epoch = fi->epoch;
	fi->attr_expires = U64_MAX - 1;
	fusex_attr_remote.apply(inode, &r);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, U64_MAX - 1);

	/* What had expired is not good for longer, ... */
	r.epoch = fi->epoch;
	fi->attr_expires = 0;
	fusex_attr_remote.apply(inode, &r);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, 0);

	/* ... nor what has changed since, nor what is not in the reply. */
	r.epoch = fi->epoch;
	fi->attr_expires = U64_MAX - 1;
	fusex_attr_uncertain(inode);
	fusex_attr_remote.apply(inode, &r);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, 0);
	r.epoch = fi->epoch;
	r.attr = &none;
	fi->attr_expires = U64_MAX - 1;
	fusex_attr_remote.apply(inode, &r);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, 0);
	fusex_chan_put(fs->chan);
}

/* Local: only the blocks, ... */
static void local_epoch_test(struct kunit *test)
{
	const struct epoch_case *c = test->param_value;
	struct inode *inode = test_inode(test, S_IFREG, 1);

	fusex_i(inode)->epoch = c->changed;
	apply(inode, &fusex_attr_local, &full, c->asked);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 0);
	KUNIT_EXPECT_EQ(test, inode->i_blocks, c->believed ? 8 : 0);
}

/* ... unless the kernel has lost track. */
static void local_stale_epoch_test(struct kunit *test)
{
	const struct epoch_case *c = test->param_value;
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);

	fi->epoch = c->changed;
	set_bit(FUSEX_I_STALE, &fi->state);
	apply(inode, &fusex_attr_local, &full, c->asked);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), c->believed ? 1ll << 33 : 0);
	KUNIT_EXPECT_EQ(test, test_bit(FUSEX_I_STALE, &fi->state),
			!c->believed);
}

/* Who lost track does not know what is absent either. */
static void local_stale_absence_test(struct kunit *test)
{
	const struct epoch_case *c = test->param_value;
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);

	fi->epoch = c->changed;
	set_bit(FUSEX_I_NO_XATTR, &fi->state);
	apply(inode, &fusex_attr_local, &full, c->asked);
	KUNIT_EXPECT_TRUE(test, test_bit(FUSEX_I_NO_XATTR, &fi->state));
	set_bit(FUSEX_I_STALE, &fi->state);
	apply(inode, &fusex_attr_local, &full, c->asked);
	KUNIT_EXPECT_EQ(test, test_bit(FUSEX_I_NO_XATTR, &fi->state),
			!c->believed);
}

/* Times that wait to be written back are newer than the server's. */
static void local_stale_times_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);

	inode_set_mtime(inode, 1234, 0);
	set_bit(FUSEX_I_STALE, &fi->state);
	set_bit(FUSEX_I_TIMES_DIRTY, &fi->state);
	apply(inode, &fusex_attr_local, &full, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 1ll << 33);
	KUNIT_EXPECT_EQ(test, inode_get_mtime_sec(inode), 1234);
}

/* A reply without attributes makes the remote ones expire. */
static void remote_silent_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_attr none = {};

	fi->attr_expires = U64_MAX;
	apply(inode, &fusex_attr_remote, &none, 1);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, 0);

	fi->attr_expires = U64_MAX;
	apply(inode, &fusex_attr_remote, NULL, 1);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, 0);
}

/* ------------------------------------------------- ahead of the server */

static bool is_ahead(const struct inode *inode)
{
	return true;
}

static bool is_behind(const struct inode *inode)
{
	return false;
}

static const struct fusex_io_ops ahead_io = { .ahead = is_ahead };
static const struct fusex_io_ops behind_io = { .ahead = is_behind };

/* The size is the kernel's as long as it has data that the server lacks. */
static void remote_ahead_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_attr attr = full;

	fi->io = &ahead_io;
	i_size_write(inode, 5000);
	attr.size = 4000;
	apply(inode, &fusex_attr_remote, &attr, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 5000);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, U64_MAX);

	/* Somebody else has made it grow: to be asked for again. */
	attr.size = 6000;
	apply(inode, &fusex_attr_remote, &attr, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 5000);
	KUNIT_EXPECT_EQ(test, fi->attr_expires, 0);

	fi->io = &behind_io;
	apply(inode, &fusex_attr_remote, &attr, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 6000);
}

static void local_ahead_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);

	fi->io = &ahead_io;
	i_size_write(inode, 5000);
	set_bit(FUSEX_I_STALE, &fi->state);
	apply(inode, &fusex_attr_local, &full, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 5000);
	KUNIT_EXPECT_TRUE(test, test_bit(FUSEX_I_STALE, &fi->state));

	fi->io = &behind_io;
	apply(inode, &fusex_attr_local, &full, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 1ll << 33);
	KUNIT_EXPECT_FALSE(test, test_bit(FUSEX_I_STALE, &fi->state));
}

/* What a WRITE says of the time of its data. */
static void wrote_when_test(struct kunit *test)
{
	struct inode *inode = test_inode(test, S_IFREG, 1);
	struct fusex_inode *fi = fusex_i(inode);
	struct fusex_time t;

	inode_set_mtime(inode, 1234, 5);
	fusex_attr_local.wrote_when(inode, &t);
	KUNIT_EXPECT_EQ(test, t.sec, 1234);
	KUNIT_EXPECT_EQ(test, t.nsec, 5);

	fi->wrote = (struct timespec64){ 77, 8 };
	fusex_attr_remote.wrote_when(inode, &t);
	KUNIT_EXPECT_EQ(test, t.sec, 77);
	KUNIT_EXPECT_EQ(test, t.nsec, 8);
}

/* --------------------------------------------------- who may walk through */

struct walk_case {
	const char *name;
	bool allow_other;
	bool own_ns;
	u8 attr;
	umode_t mode;
	bool quick;
};

static const struct walk_case walk_cases[] = {
	{ "local, for all", true, false, FUSEX_ATTR_LOCAL, S_IFDIR, true },
	{ "local, for one user", false, false, FUSEX_ATTR_LOCAL, S_IFDIR,
	  false },
	{ "local, for a namespace", true, true, FUSEX_ATTR_LOCAL, S_IFDIR,
	  false },
	{ "local file", true, false, FUSEX_ATTR_LOCAL, S_IFREG, false },
	{ "remote, for all", true, false, FUSEX_ATTR_REMOTE, S_IFDIR, false },
};

static void walk_desc(const struct walk_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(walk, walk_cases, walk_desc);

/* VFS decides by itself only where it cannot be wrong. */
static void walk_test(struct kunit *test)
{
	const struct walk_case *c = test->param_value;
	struct inode *inode = test_inode(test, c->mode | 0755, 2);
	struct user_namespace *ns = kunit_kzalloc(test, sizeof(*ns),
						  GFP_KERNEL);
	struct fusex_sb *fs = fusex_sb(inode->i_sb);

	KUNIT_ASSERT_NOT_NULL(test, ns);
	fs->chan = fake_chan(test);
	fs->allow_other = c->allow_other;
	fs->user_ns = c->own_ns ? ns : &init_user_ns;
	fusex_i(inode)->attr = NULL;
	fusex_inode_set_attr_mode(inode, c->attr);
	KUNIT_EXPECT_EQ(test, !!(inode->i_opflags & IOP_FASTPERM_MAY_EXEC),
			c->quick);
	fusex_attr_uncertain(inode);
	KUNIT_EXPECT_FALSE(test, inode->i_opflags & IOP_FASTPERM_MAY_EXEC);
	fusex_chan_put(fs->chan);
}

static struct kunit_case attr_cases[] = {
	KUNIT_CASE_PARAM(walk_test, walk_gen_params),
	KUNIT_CASE_PARAM(expiry_test, expiry_gen_params),
	KUNIT_CASE(time_test),
	KUNIT_CASE_PARAM(links_test, links_gen_params),
	KUNIT_CASE(copy_all_test),
	KUNIT_CASE(copy_masked_test),
	KUNIT_CASE(copy_type_stays_test),
	KUNIT_CASE(copy_set_user_id_test),
	KUNIT_CASE_PARAM(remote_epoch_test, epoch_gen_params),
	KUNIT_CASE(remote_aside_test),
	KUNIT_CASE(remote_again_test),
	KUNIT_CASE_PARAM(local_epoch_test, epoch_gen_params),
	KUNIT_CASE_PARAM(local_stale_epoch_test, epoch_gen_params),
	KUNIT_CASE_PARAM(local_stale_absence_test, epoch_gen_params),
	KUNIT_CASE(local_stale_times_test),
	KUNIT_CASE(remote_silent_test),
	KUNIT_CASE(remote_ahead_test),
	KUNIT_CASE(local_ahead_test),
	KUNIT_CASE(wrote_when_test),
	{}
};

static struct kunit_suite attr_suite = {
	.name = "fusex_attr",
	.test_cases = attr_cases,
};

kunit_test_suite(attr_suite);

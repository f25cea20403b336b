// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of leases: when what is remembered may be used and when it is
 * forgotten, and who waits while a lease is being given back.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include "../map.h"

#define BITS	12
#define BLOCK	BIT(BITS)

/* What has to come does so before that. */
#define LONG	(60 * HZ)

static void free_cache(void *mc)
{
	fusex_mapcache_free(mc);
}

/* An inode with as much as leases need of it. */
static struct inode *new_inode_of(struct kunit *test,
				  const struct fusex_attr_ops *attr)
{
	struct fusex_inode *fi = kunit_kzalloc(test, sizeof(*fi), GFP_KERNEL);
	struct fusex_maps *maps = kunit_kzalloc(test, sizeof(*maps), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fi);
	KUNIT_ASSERT_NOT_NULL(test, maps);
	spin_lock_init(&fi->lock);
	mutex_init(&maps->quiesce);
	maps->inode = &fi->vfs_inode;
	maps->cache = fusex_mapcache_new(BITS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, maps->cache);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_cache,
							   maps->cache));
	fi->attr = attr;
	fi->maps = maps;
	return &fi->vfs_inode;
}

static struct inode *remote_inode(struct kunit *test)
{
	return new_inode_of(test, &fusex_attr_remote);
}

static bool grant(struct inode *inode, u64 lease, u64 valid)
{
	return fusex_maps_lease(inode, lease, valid, get_jiffies_64());
}

/* As if it had been granted so long ago that it is over. */
static bool grant_expired(struct inode *inode, u64 lease)
{
	return fusex_maps_lease(inode, lease, NSEC_PER_SEC,
				get_jiffies_64() - 2 * HZ);
}

static void remember(struct kunit *test, struct inode *inode)
{
	const struct fusex_map map = {
		.length	= BLOCK,
		.addr	= BLOCK,
		.type	= FUSEX_MAP_MAPPED,
		.dev	= 1,
	};

	KUNIT_ASSERT_EQ(test, 0, fusex_mapcache_put(fusex_i(inode)->maps->cache,
						    &map, 1, GFP_KERNEL));
}

static bool remembers(struct inode *inode)
{
	struct fusex_map map;

	return fusex_mapcache_find(fusex_i(inode)->maps->cache, 0, &map);
}

/* What is remembered, whether it may be used, and that nobody is forgetting. */
static void expect(struct kunit *test, struct inode *inode, u64 lease,
		   bool usable, bool remembered)
{
	struct fusex_maps *maps = fusex_i(inode)->maps;

	KUNIT_EXPECT_EQ(test, lease, maps->lease);
	KUNIT_EXPECT_EQ(test, usable, fusex_maps_have_lease(inode));
	KUNIT_EXPECT_EQ(test, usable, fusex_maps_leased(inode));
	KUNIT_EXPECT_EQ(test, remembered, remembers(inode));
	KUNIT_EXPECT_EQ(test, 0, maps->lease_ends);
}

/* -------------------------------------------------------------------- leases */

static void none_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	expect(test, inode, 0, false, false);
	KUNIT_EXPECT_FALSE(test, grant(inode, 0, 0));
	expect(test, inode, 0, false, false);
	/* Whatever it says of how long. */
	KUNIT_EXPECT_FALSE(test, grant(inode, 0, FUSEX_FOREVER));
	fusex_maps_end_lease(inode);
	expect(test, inode, 0, false, false);
}

/* A local file is nobody else's. */
static void local_test(struct kunit *test)
{
	struct inode *inode = new_inode_of(test, &fusex_attr_local);

	KUNIT_EXPECT_TRUE(test, grant(inode, 0, 0));
	remember(test, inode);
	KUNIT_EXPECT_TRUE(test, fusex_maps_leased(inode));
	KUNIT_EXPECT_TRUE(test, remembers(inode));
}

static void granted_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	KUNIT_EXPECT_TRUE(test, grant(inode, 1, FUSEX_FOREVER));
	remember(test, inode);
	expect(test, inode, 1, true, true);
	/* It is not over. */
	fusex_maps_end_lease(inode);
	expect(test, inode, 1, true, true);
}

static void renewed_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	KUNIT_EXPECT_TRUE(test, grant(inode, 1, 3600 * NSEC_PER_SEC));
	remember(test, inode);
	KUNIT_EXPECT_TRUE(test, grant(inode, 1, FUSEX_FOREVER));
	expect(test, inode, 1, true, true);
	KUNIT_EXPECT_EQ(test, U64_MAX, fusex_i(inode)->maps->lease_expires);
}

static void expired_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	KUNIT_EXPECT_TRUE(test, grant_expired(inode, 1));
	remember(test, inode);
	/* It is there, and not used. */
	expect(test, inode, 1, false, true);
	fusex_maps_end_lease(inode);
	expect(test, inode, 0, false, false);
}

/* Somebody else may have had it in between. */
static void granted_again_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	grant_expired(inode, 1);
	remember(test, inode);
	KUNIT_EXPECT_TRUE(test, grant(inode, 1, FUSEX_FOREVER));
	expect(test, inode, 1, true, false);
}

static void too_short_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	KUNIT_EXPECT_TRUE(test, grant(inode, 1, 1));
	remember(test, inode);
	expect(test, inode, 1, false, true);
}

static void another_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	grant(inode, 1, FUSEX_FOREVER);
	remember(test, inode);
	KUNIT_EXPECT_TRUE(test, grant(inode, 2, FUSEX_FOREVER));
	expect(test, inode, 2, true, false);
	remember(test, inode);
	/* Or none at all. */
	KUNIT_EXPECT_FALSE(test, grant(inode, 0, 0));
	expect(test, inode, 0, false, false);
}

/* Not used while somebody is about to forget it. */
static void being_forgotten_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);

	grant(inode, 1, FUSEX_FOREVER);
	fusex_i(inode)->maps->lease_ends = 1;
	KUNIT_EXPECT_FALSE(test, fusex_maps_have_lease(inode));
	fusex_i(inode)->maps->lease_ends = 0;
	KUNIT_EXPECT_TRUE(test, fusex_maps_have_lease(inode));
}

/* --------------------------------------------------------------- giving back */

/* A task that asks, or that gives back, and can be killed. */
struct actor {
	struct inode *inode;
	struct task_struct *task;
	struct completion over;
	u32 seq;
	int err;
};

static int ask(void *data)
{
	const struct fusex_map_how how = { .nowait = false };
	struct actor *a = data;

	allow_signal(SIGKILL);
	a->err = fusex_maps_may_ask(a->inode, &how, &a->seq);
	complete(&a->over);
	return 0;
}

static int give_back(void *data)
{
	struct actor *a = data;

	allow_signal(SIGKILL);
	a->err = fusex_maps_return_begin(a->inode, 0, LLONG_MAX);
	complete(&a->over);
	return 0;
}

static void act(struct kunit *test, struct actor *a, struct inode *inode,
		int (*fn)(void *data))
{
	*a = (struct actor){ .inode = inode };
	init_completion(&a->over);
	a->task = kthread_create(fn, a, "fusex-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(a->task));
	get_task_struct(a->task);
	wake_up_process(a->task);
}

/* It waits, killable. */
static void waits(struct kunit *test, struct actor *a)
{
	unsigned long end = jiffies + LONG;

	while (READ_ONCE(a->task->__state) != TASK_KILLABLE &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, TASK_KILLABLE, READ_ONCE(a->task->__state));
	KUNIT_EXPECT_FALSE(test, completion_done(&a->over));
}

static void end(struct kunit *test, struct actor *a, int err)
{
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&a->over, LONG));
	KUNIT_EXPECT_EQ(test, err, a->err);
	put_task_struct(a->task);
}

static void nobody_uses_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct fusex_maps *maps = fusex_i(inode)->maps;
	const struct fusex_map_how how = { .nowait = false };
	u32 before, seq;

	grant(inode, 1, FUSEX_FOREVER);
	remember(test, inode);
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_may_ask(inode, &how, &before));
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_return_begin(inode, 0, LLONG_MAX));
	KUNIT_EXPECT_FALSE(test, remembers(inode));
	KUNIT_EXPECT_EQ(test, 0UL, fusex_maps_enter_pass(maps));
	fusex_maps_return_end(inode);
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_may_ask(inode, &how, &seq));
	/* What was asked before is not good any more. */
	KUNIT_EXPECT_NE(test, before, seq);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&maps->busy[0]));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&maps->busy[1]));
}

static void somebody_asks_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct fusex_map_how how = { .locked = true };
	struct actor a;
	u32 seq;

	KUNIT_EXPECT_EQ(test, 0, fusex_maps_return_begin(inode, 0, LLONG_MAX));
	act(test, &a, inode, ask);
	waits(test, &a);
	/* Who has a folio locked does not wait, and who is waited for may ask. */
	KUNIT_EXPECT_EQ(test, -EAGAIN, fusex_maps_may_ask(inode, &how, &seq));
	how.within = FUSEX_USE_COUNTED;
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_may_ask(inode, &how, &seq));
	fusex_maps_return_end(inode);
	end(test, &a, 0);
	KUNIT_EXPECT_EQ(test, fusex_mapcache_seq(fusex_i(inode)->maps->cache),
			a.seq);
}

/* Each is waited for. */
static void two_returns_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct actor a;

	KUNIT_EXPECT_EQ(test, 0, fusex_maps_return_begin(inode, 0, BLOCK - 1));
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_return_begin(inode, BLOCK,
							 2 * BLOCK - 1));
	act(test, &a, inode, ask);
	waits(test, &a);
	fusex_maps_return_end(inode);
	waits(test, &a);
	fusex_maps_return_end(inode);
	end(test, &a, 0);
}

static void who_asks_is_killed_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct actor a;

	KUNIT_EXPECT_EQ(test, 0, fusex_maps_return_begin(inode, 0, LLONG_MAX));
	act(test, &a, inode, ask);
	waits(test, &a);
	send_sig(SIGKILL, a.task, 1);
	end(test, &a, -EINTR);
	fusex_maps_return_end(inode);
}

/* A use is waited for, one that begins meanwhile is not. */
static void in_use_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct fusex_maps *maps = fusex_i(inode)->maps;
	unsigned long use = fusex_maps_enter(maps), later;
	struct actor a;

	act(test, &a, inode, give_back);
	waits(test, &a);
	later = fusex_maps_enter(maps);
	fusex_maps_leave(maps, use);
	end(test, &a, 0);
	fusex_maps_leave(maps, later);
	fusex_maps_return_end(inode);
}

static void who_gives_back_is_killed_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct fusex_maps *maps = fusex_i(inode)->maps;
	unsigned long use = fusex_maps_enter(maps);
	const struct fusex_map_how how = { .locked = true };
	struct actor a;
	u32 seq;

	act(test, &a, inode, give_back);
	waits(test, &a);
	send_sig(SIGKILL, a.task, 1);
	end(test, &a, -EINTR);
	/* Until it says so itself. */
	KUNIT_EXPECT_EQ(test, -EAGAIN, fusex_maps_may_ask(inode, &how, &seq));
	fusex_maps_return_end(inode);
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_may_ask(inode, &how, &seq));
	fusex_maps_leave(maps, use);
}

/* Only who gives back writes back meanwhile. */
static void pass_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	struct fusex_maps *maps = fusex_i(inode)->maps;
	unsigned long use;

	KUNIT_EXPECT_EQ(test, 0, fusex_maps_return_begin(inode, 0, LLONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_enter_pass(maps));
	maps->returner = current;
	use = fusex_maps_enter_pass(maps);
	KUNIT_EXPECT_NE(test, 0, use);
	fusex_maps_leave(maps, use);
	maps->returner = NULL;
	KUNIT_EXPECT_EQ(test, 0, fusex_maps_enter_pass(maps));
	fusex_maps_return_end(inode);
	use = fusex_maps_enter_pass(maps);
	KUNIT_EXPECT_NE(test, 0, use);
	fusex_maps_leave(maps, use);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&maps->busy[0]));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&maps->busy[1]));
}

/* Nobody knows any more what is whose. */
static void lost_test(struct kunit *test)
{
	struct inode *inode = remote_inode(test);
	const struct fusex_map_how how = { .within = FUSEX_USE_COUNTED };
	u32 seq;

	fusex_i(inode)->maps->lost = true;
	KUNIT_EXPECT_EQ(test, -EIO, fusex_maps_may_ask(inode, &how, &seq));
}

static struct kunit_case maps_cases[] = {
	KUNIT_CASE(none_test),
	KUNIT_CASE(local_test),
	KUNIT_CASE(granted_test),
	KUNIT_CASE(renewed_test),
	KUNIT_CASE(expired_test),
	KUNIT_CASE(granted_again_test),
	KUNIT_CASE(too_short_test),
	KUNIT_CASE(another_test),
	KUNIT_CASE(being_forgotten_test),
	KUNIT_CASE(nobody_uses_test),
	KUNIT_CASE(somebody_asks_test),
	KUNIT_CASE(two_returns_test),
	KUNIT_CASE(who_asks_is_killed_test),
	KUNIT_CASE(in_use_test),
	KUNIT_CASE(who_gives_back_is_killed_test),
	KUNIT_CASE(pass_test),
	KUNIT_CASE(lost_test),
	{}
};

static struct kunit_suite maps_suite = {
	.name		= "fusex-maps",
	.test_cases	= maps_cases,
};

kunit_test_suite(maps_suite);

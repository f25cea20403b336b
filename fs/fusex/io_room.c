// SPDX-License-Identifier: GPL-2.0
/*
 * Room in a cgroup: programs, the pages they made dirty, and the server that is
 * to clean them may share one memory limit.  Reclaim cannot drop such pages
 * before the server has taken them, and for that it needs memory.  So they must
 * not become all there is.
 *
 * balance_dirty_pages() sees to that, but knows what is dirty in a cgroup from
 * statistics that are up to four seconds old: a program fills a small cgroup in
 * less.  The counts that its bdi_writeback keeps are up to date, so writers are
 * held up by those here, and only where a cgroup has a limit.
 */
#include <linux/backing-dev.h>
#include <linux/memcontrol.h>
#include <linux/sched/signal.h>
#include <linux/writeback.h>

#include "io.h"

#ifdef CONFIG_CGROUP_WRITEBACK

/*
 * Of a limit at most a quarter may be dirty or under writeback on one mount:
 * the server's own file system may hold the same data once more, and the rest
 * is for what programs and server are doing.
 */
#define FUSEX_ROOM_SHARE	4

/* When statistics are as old as they get, their owners see to it. */
#define FUSEX_ROOM_WAIT		(4 * HZ)

/* Between two looks, about what a server needs for some requests. */
#define FUSEX_ROOM_PAUSE	max(HZ / 100, 1)

/* The smallest limit on the way to the root, pages. */
static unsigned long fusex_room_limit(struct cgroup_subsys_state *css)
{
	struct mem_cgroup *memcg = mem_cgroup_from_css(css);
	unsigned long limit = PAGE_COUNTER_MAX;

	for (; memcg; memcg = parent_mem_cgroup(memcg))
		limit = min3(limit, READ_ONCE(memcg->memory.max),
			     READ_ONCE(memcg->memory.high));
	return limit;
}

static bool fusex_room_is_full(struct bdi_writeback *wb)
{
	unsigned long share, dirty;

	share = fusex_room_limit(wb->memcg_css) / FUSEX_ROOM_SHARE;
	dirty = wb_stat(wb, WB_RECLAIMABLE) + wb_stat(wb, WB_WRITEBACK);
	if (likely(dirty + 2 * wb_stat_error() <= share))
		return false;
	dirty = wb_stat_sum(wb, WB_RECLAIMABLE) +
		wb_stat_sum(wb, WB_WRITEBACK);
	return dirty > share;
}

/* Is there no room for more dirty pages in the cgroup that @inode's are of? */
static bool fusex_room_lacks(struct inode *inode)
{
	struct wb_lock_cookie cookie = {};
	struct bdi_writeback *wb;
	bool full;

	if (!inode_cgwb_enabled(inode))
		return false;
	wb = unlocked_inode_to_wb_begin(inode, &cookie);
	full = wb && wb != &wb->bdi->wb && fusex_room_is_full(wb);
	unlocked_inode_to_wb_end(inode, &cookie);
	return full;
}

static void fusex_room_work(struct work_struct *work)
{
	struct fusex_sb *fsb = container_of(work, struct fusex_sb, room_work);

	try_to_writeback_inodes_sb(fsb->sb, WB_REASON_VMSCAN);
	atomic_set_release(&fsb->room_asked, 0);
	fusex_io_later_done(d_inode(fsb->sb->s_root));
}

/* By somebody else: no signal ends waiting for the flusher. */
static void fusex_room_make(struct super_block *sb)
{
	struct fusex_sb *fsb = fusex_sb(sb);

	if (atomic_xchg(&fsb->room_asked, 1))
		return;
	fusex_io_later(d_inode(sb->s_root), &fsb->room_work);
}

/**
 * fusex_room_init - prepare a file system for fusex_room_wait()
 * @fsb: nobody else knows it yet
 */
void fusex_room_init(struct fusex_sb *fsb)
{
	INIT_WORK(&fsb->room_work, fusex_room_work);
}

/**
 * fusex_room_wait - hold up who is about to make pages dirty
 * @inode: the file
 * @nowait: do not wait
 *
 * Context: process, sleeps, killable.
 * Return: 0, -EINTR when killed, -EAGAIN when @nowait and there is no room.
 */
int fusex_room_wait(struct inode *inode, bool nowait)
{
	unsigned long end = jiffies + FUSEX_ROOM_WAIT;

	while (unlikely(fusex_room_lacks(inode))) {
		if (nowait)
			return -EAGAIN;
		if (time_after(jiffies, end))
			return 0;
		fusex_room_make(inode->i_sb);
		schedule_timeout_killable(FUSEX_ROOM_PAUSE);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

#endif /* CONFIG_CGROUP_WRITEBACK */

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

/* The smallest share, pages: with less nothing gets on. */
#define FUSEX_ROOM_LEAST	(SZ_1M >> PAGE_SHIFT)

/* Of a share, what a writer gets at a time: others may have seen the same room. */
#define FUSEX_ROOM_PART		16

/* When statistics are as old as they get, their owners see to it. */
#define FUSEX_ROOM_WAIT		(4 * HZ)

/* Between two looks, about what a server needs for some requests. */
#define FUSEX_ROOM_PAUSE	max(HZ / 100, 1)

/* The share of the smallest limit on the way to the root, pages. */
static unsigned long fusex_room_share(struct mem_cgroup *memcg)
{
	unsigned long limit = PAGE_COUNTER_MAX;

	for (; memcg; memcg = parent_mem_cgroup(memcg))
		limit = min3(limit, READ_ONCE(memcg->memory.max),
			     READ_ONCE(memcg->memory.high));
	return max(limit / FUSEX_ROOM_SHARE, FUSEX_ROOM_LEAST);
}

/* Under RCU.  Who is not of the cgroup is not to wait for its sake. */
static size_t fusex_room_of(struct bdi_writeback *wb)
{
	struct mem_cgroup *memcg = mem_cgroup_from_css(wb->memcg_css);
	unsigned long share, dirty;

	if (!mem_cgroup_is_descendant(mem_cgroup_from_task(current), memcg))
		return FUSEX_ROOM_STEP;
	share = fusex_room_share(memcg);
	dirty = wb_stat(wb, WB_RECLAIMABLE) + wb_stat(wb, WB_WRITEBACK);
	if (unlikely(dirty + 2 * wb_stat_error() > share))
		dirty = wb_stat_sum(wb, WB_RECLAIMABLE) +
			wb_stat_sum(wb, WB_WRITEBACK);
	if (dirty > share)
		return 0;
	return min(share / FUSEX_ROOM_PART, FUSEX_ROOM_STEP >> PAGE_SHIFT) *
	       PAGE_SIZE;
}

/* Bytes that may become dirty in the cgroup that the pages of @inode are of. */
static size_t fusex_room_now(struct inode *inode)
{
	struct wb_lock_cookie cookie = {};
	size_t room = FUSEX_ROOM_STEP;
	struct bdi_writeback *wb;

	if (!inode_cgwb_enabled(inode))
		return room;
	wb = unlocked_inode_to_wb_begin(inode, &cookie);
	/* That of the task is what the inode is going to get. */
	if (!wb)
		wb = wb_find_current(inode_to_bdi(inode));
	if (wb && wb != &wb->bdi->wb)
		room = fusex_room_of(wb);
	unlocked_inode_to_wb_end(inode, &cookie);
	return room;
}

/* The file at hand, or whatever there is if nothing of that is dirty. */
static void fusex_room_work(struct work_struct *work)
{
	struct fusex_sb *fsb = container_of(work, struct fusex_sb, room_work);
	struct inode *inode = fsb->room_inode;

	if (mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY))
		filemap_flush(inode->i_mapping);
	else
		try_to_writeback_inodes_sb(fsb->sb, WB_REASON_VMSCAN);
	/* From here on the work can be asked for again. */
	smp_store_release(&fsb->room_inode, NULL);
	fusex_io_later_done(inode);
}

/* By somebody else: no signal ends waiting for the flusher. */
static void fusex_room_make(struct inode *inode)
{
	struct fusex_sb *fsb = fusex_sb(inode->i_sb);

	if (!cmpxchg(&fsb->room_inode, NULL, inode))
		fusex_io_later(inode, &fsb->room_work);
}

/**
 * fusex_room_init - prepare a file system for fusex_room()
 * @fsb: nobody else knows it yet
 */
void fusex_room_init(struct fusex_sb *fsb)
{
	INIT_WORK(&fsb->room_work, fusex_room_work);
}

/**
 * fusex_room - hold up who is about to make pages dirty
 * @inode: the file
 * @nowait: do not wait
 *
 * Context: process, sleeps, killable.
 * Return: bytes that may become dirty before this is asked again, at most
 * FUSEX_ROOM_STEP; -EINTR when killed, -EAGAIN when @nowait and there is no
 * room.
 */
ssize_t fusex_room(struct inode *inode, bool nowait)
{
	unsigned long end = jiffies + FUSEX_ROOM_WAIT;
	size_t room;

	for (;;) {
		room = fusex_room_now(inode);
		if (likely(room))
			return room;
		fusex_room_make(inode);
		if (nowait)
			return -EAGAIN;
		if (time_after(jiffies, end))
			return PAGE_SIZE;
		schedule_timeout_killable(FUSEX_ROOM_PAUSE);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

#endif /* CONFIG_CGROUP_WRITEBACK */

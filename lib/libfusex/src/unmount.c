// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Unmounting, and only what we mounted.
 *
 * The path of the mount point alone does not say that the mount there is ours,
 * so the list of mounts is asked, which sends no request to the server as
 * opening the path might.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

static uint64_t mount_id(int fd, const char *path, int flags, dev_t *dev)
{
	struct statx stx;

	if (statx(fd, path, flags | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE,
		  &stx))
		return 0;
	if (dev)
		*dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	return stx.stx_mask & STATX_MNT_ID_UNIQUE ? stx.stx_mnt_id : 0;
}

/**
 * mount_id_of_fd() - the kernel's number of a mount, never used again
 * @fd: any descriptor of a file on it
 * @dev: returned: st_dev of files on it, unless NULL
 *
 * Sends no request: nobody may be serving yet.
 *
 * Return: the number, 0 when it cannot be found out.
 */
uint64_t mount_id_of_fd(int fd, dev_t *dev)
{
	return mount_id(fd, "", AT_EMPTY_PATH, dev);
}

/*
 * The number that /proc/self/mountinfo calls it by, which is another mount's as
 * soon as ours is gone; -1 if it is, or is not to be seen from here.
 */
static int short_id(uint64_t mnt_id, long *id)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = mnt_id,
		.param = STATMOUNT_MNT_BASIC,
	};
	struct statmount sm;

	*id = -1;
	if (!mnt_id)
		return 0;
	if (syscall(SYS_statmount, &req, &sm, sizeof(sm), 0))
		return errno == ENOENT ? 0 : -errno;
	*id = sm.mnt_id_old;
	return 0;
}

enum mount_state {
	MOUNT_GONE,
	MOUNT_UNSEEN,
	MOUNT_COVERED,
	MOUNT_ON_TOP,
};

/* Where that mount is now: a folder above may have been renamed since. */
static int find_path(long id, char **where)
{
	struct mountinfo mi;
	int ret;

	ret = mountinfo_open(&mi);
	if (ret)
		return ret;
	while (!*where && mountinfo_next(&mi)) {
		if (mi.id != id)
			continue;
		*where = strdup(mi.path);
		if (!*where) {
			ret = -ENOMEM;
			break;
		}
	}
	mountinfo_close(&mi);
	return ret;
}

/*
 * The order of mountinfo does not say what is on top of what, since mounts can be moved
 * and put beneath others; what the path leads to does.
 */
static int find_mount(const struct fusex_session *se, enum mount_state *state,
		      char **where)
{
	long ours;
	int ret;

	ret = short_id(se->mnt_id, &ours);
	if (ret || ours < 0)
		return ret;
	ret = find_path(ours, where);
	if (ret)
		return ret;
	if (*where) {
		*state = mount_id(AT_FDCWD, *where,
				  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
				  NULL) == se->mnt_id ?
				 MOUNT_ON_TOP : MOUNT_COVERED;
		return 0;
	}
	/* It was unmounted meanwhile, or no path from our root leads there. */
	ret = short_id(se->mnt_id, &ours);
	if (!ret && ours >= 0)
		*state = MOUNT_UNSEEN;
	return ret;
}

static int covered(struct fusex_session *se, const char *where)
{
	return session_fail(se, EBUSY,
			    "cannot unmount %s: something else is mounted on top of it",
			    where);
}

static bool is_gone(const struct fusex_session *se)
{
	enum mount_state state = MOUNT_GONE;
	char *where = NULL;
	int ret = find_mount(se, &state, &where);

	free(where);
	return !ret && state == MOUNT_GONE;
}

static int unmount_from(struct fusex_session *se, enum mount_state state,
			const char *where)
{
	if (state == MOUNT_GONE)
		return 0;
	if (state == MOUNT_UNSEEN)
		return session_fail(se, ENOENT,
				    "cannot unmount: no path from this root directory leads to the mount");
	if (state == MOUNT_COVERED)
		return covered(se, where);
	if (!umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW))
		return 0;
	if (errno != EINVAL)
		return session_fail(se, errno, "cannot unmount %s:", where);
	/* Nothing is mounted there: it was unmounted, or a folder above covered. */
	return is_gone(se) ? 0 : covered(se, where);
}

/* Nor will there be anybody: serving is over. */
static bool nobody_serves(struct fusex_session *se)
{
	bool over;

	pthread_mutex_lock(&se->lock);
	over = se->ran && !se->nr_workers;
	pthread_mutex_unlock(&se->lock);
	return over;
}

int fusex_session_unmount(struct fusex_session *se)
{
	enum mount_state state = MOUNT_GONE;
	char *where = NULL;
	int ret;

	/* Whoever serves until it is unmounted may well do it once more. */
	if (!se->target && se->mnt_id)
		return 0;
	if (!se->target)
		return session_fail(se, EINVAL, "the session is not mounted");
	/* There will be no answers for it to wait for. */
	if (nobody_serves(se))
		session_end_fd(se, se->fd);
	atomic_fetch_add(&se->unmounting, 1);
	ret = find_mount(se, &state, &where);
	if (ret)
		ret = session_fail(se, -ret, "cannot look for the mount:");
	else
		ret = unmount_from(se, state, where);
	/* Who unmounts it later, there or elsewhere, has something to wait for. */
	atomic_fetch_sub(&se->unmounting, 1);
	free(where);
	return ret;
}

/**
 * session_sync() - have written back what is dirty
 * @se: session that is mounted, and served by others
 *
 * Return: 0, or -errno: the mount cannot be reached from here, or it failed.
 */
int session_sync(const struct fusex_session *se)
{
	int fd = open(se->target, O_RDONLY | O_NONBLOCK | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (mount_id_of_fd(fd, NULL) != se->mnt_id)
		ret = -ESTALE;
	else if (syncfs(fd))
		ret = -errno;
	close(fd);
	return ret;
}

/**
 * session_forget_mount() - unmount if it is mounted still, for the last time
 * @se: session whose channel is closed
 *
 * There is nobody to tell when it fails: the mount stays, dead.
 */
void session_forget_mount(struct fusex_session *se)
{
	if (!se->target)
		return;
	(void)fusex_session_unmount(se);
	free(se->target);
	se->target = NULL;
}

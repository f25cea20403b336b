// SPDX-License-Identifier: GPL-2.0
/*
 * A mount that no path leads to, because something is mounted on top of it, or
 * that is not to be bound: in a copy of the mount namespace it is neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "again.h"

int mount_stat(uint64_t id, uint64_t mask, struct statmount *sm, size_t size)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = id,
		.param = mask,
	};

	return syscall(SYS_statmount, &req, sm, size, 0) ? -errno : 0;
}

/* Which mount is there?  0 if that cannot be said. */
static uint64_t mount_at(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path,
		  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_MNT_ID_UNIQUE, &stx) ||
	    !(stx.stx_mask & STATX_MNT_ID_UNIQUE))
		return 0;
	return stx.stx_mnt_id;
}

/* Is it the mount, or one that this is mounted on, or that one is? */
static bool is_on_way(uint64_t one, uint64_t id)
{
	struct statmount sm;

	while (one != id) {
		if (mount_stat(id, STATMOUNT_MNT_BASIC, &sm, sizeof(sm)) ||
		    sm.mnt_parent_id == id)
			return false;
		id = sm.mnt_parent_id;
	}
	return true;
}

static int uncover_one(uint64_t id, const char *path)
{
	uint64_t there;

	for (;;) {
		there = mount_at(path);
		if (!there)
			return -ENOENT;
		if (is_on_way(there, id))
			return 0;
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
			return -errno;
	}
}

int uncover(uint64_t id, const char *path)
{
	char *copy = strdup(path), *end = copy;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	/* From above: what is on a folder hides all that is in there. */
	while (!ret && end) {
		end = strchr(end + 1, '/');
		if (end)
			*end = '\0';
		ret = uncover_one(id, copy);
		if (end)
			*end = '/';
	}
	free(copy);
	return ret;
}

/**
 * struct apart - a thread in a mount namespace of its own
 * @go: what it does there
 * @arg: the function's
 * @ret: 0, or why it does not
 */
struct apart {
	void	(*go)(void *arg);
	void	*arg;
	int	ret;
};

/* Private: what is unmounted there stays here, and everything can be bound. */
static void *apart_main(void *arg)
{
	struct apart *ap = arg;

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		ap->ret = -errno;
	else
		ap->go(ap->arg);
	return NULL;
}

int uncovered(void (*go)(void *arg), void *arg)
{
	struct apart ap = { .go = go, .arg = arg };
	pthread_t thread;
	int ret;

	/* The namespace is the thread's, and goes with it. */
	ret = -pthread_create(&thread, NULL, apart_main, &ap);
	if (ret)
		return ret;
	pthread_join(thread, NULL);
	return ap.ret;
}

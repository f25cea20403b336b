// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where else a file system is mounted: the kernel lets it be in many places, and it
 * lives until it was unmounted from the last.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

/* Something else may be mounted on top of it: then it is not reached by the path. */
static int sync_at(const char *path, dev_t dev)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), ret = 0;
	dev_t found = 0;

	if (fd < 0)
		return -errno;
	(void)mount_id_of_fd(fd, &found);
	if (found != dev)
		ret = -ESTALE;
	else if (syncfs(fd))
		ret = -errno;
	close(fd);
	return ret;
}

/* By the first place where that can be done; -ENOENT when there is none at all. */
static int sync_elsewhere(const struct fusex_session *se, const char *dev)
{
	struct mountinfo mi;
	int ret;

	ret = mountinfo_open(&mi);
	if (ret)
		return ret;
	ret = -ENOENT;
	while (ret && mountinfo_next(&mi))
		if (!strcmp(mi.dev, dev))
			ret = sync_at(mi.path, se->mnt_dev);
	mountinfo_close(&mi);
	return ret;
}

static void tell(struct fusex_session *se, const char *dev, still_mounted_fn fn,
		 int error)
{
	struct mountinfo mi;

	if (mountinfo_open(&mi))
		return;
	while (mountinfo_next(&mi))
		if (!strcmp(mi.dev, dev))
			fn(se, mi.path, error);
	mountinfo_close(&mi);
}

/**
 * session_elsewhere() - our mount is gone, the file system may not be
 * @se: session that others serve
 * @fn: from struct fusex_run_options, may be NULL
 *
 * What is dirty is written back, and the server told where it is still mounted.
 */
void session_elsewhere(struct fusex_session *se, still_mounted_fn fn)
{
	char dev[32];
	int ret;

	if (!se->mnt_id || atomic_load(&se->ended))
		return;
	snprintf(dev, sizeof(dev), "%u:%u", major(se->mnt_dev),
		 minor(se->mnt_dev));
	ret = sync_elsewhere(se, dev);
	/* It was unmounted there, too, and the number may be another's. */
	if (atomic_load(&se->ended))
		return;
	if (fn)
		tell(se, dev, fn, ret);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mounting, by the file descriptor interface only.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "internal.h"

/**
 * struct mount_ctx - a mount being configured
 * @se: session
 * @fsfd: from fsopen(2)
 * @source: a source was given
 */
struct mount_ctx {
	struct fusex_session	*se;
	int			fsfd;
	bool			source;
};

/*
 * The kernel's log of a file system context is a queue of messages, each read
 * by one read(2) and starting with "e ", "w " or "i ".
 */
static void read_log(int fsfd, char *buf, size_t size)
{
	char msg[256], *text;
	size_t used = 0;
	ssize_t n;

	buf[0] = '\0';
	while ((n = read(fsfd, msg, sizeof(msg) - 1)) > 0) {
		msg[n] = '\0';
		msg[strcspn(msg, "\n")] = '\0';
		text = n > 2 && msg[1] == ' ' ? msg + 2 : msg;
		n = snprintf(buf + used, size - used, "%s%s",
			     used ? "; " : "", text);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

/* Adds the kernel's explanation, or the error's own when there is none. */
static int mount_failed(struct mount_ctx *ctx, int err, const char *what)
{
	char log[384];

	read_log(ctx->fsfd, log, sizeof(log));
	if (log[0])
		return session_fail(ctx->se, err, "%s: %s", what, log);
	return session_fail(ctx->se, err, "%s:", what);
}

static int set_option(void *arg, const char *key, const char *value)
{
	struct mount_ctx *ctx = arg;
	char what[128];
	int ret;

	if (!strcmp(key, "source"))
		ctx->source = true;
	ret = fsconfig(ctx->fsfd,
		       value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
		       key, value, 0);
	if (!ret)
		return 0;
	ret = errno;
	snprintf(what, sizeof(what), "mount option \"%.40s%s%.60s\"", key,
		 value ? "=" : "", value ? value : "");
	return mount_failed(ctx, ret, what);
}

static int configure(struct mount_ctx *ctx, const char *options, uint64_t *attr)
{
	struct mount_options mo = { .set = set_option, .ctx = ctx };
	int ret;

	if (fsconfig(ctx->fsfd, FSCONFIG_SET_FD, "fd", NULL, ctx->se->fd))
		return mount_failed(ctx, errno, "cannot mount the channel");
	ret = options_parse(options, &mo);
	if (ret == -ENOMEM)
		return session_fail(ctx->se, ENOMEM, "mount options:");
	if (!ret && !ctx->source)
		ret = set_option(ctx, "source", "fusex");
	if (ret)
		return ret;
	*attr = mo.attr;
	if (fsconfig(ctx->fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return mount_failed(ctx, errno, "cannot mount");
	return 0;
}

static int fsopen_failed(struct fusex_session *se, int err)
{
	if (err == ENODEV)
		return session_fail(se, err,
				    "the kernel does not know fusex, try: modprobe fusex");
	if (err == EPERM)
		return session_fail(se, err,
				    "cannot mount: that takes CAP_SYS_ADMIN in the user namespace, try as root or by unshare -rm");
	return session_fail(se, err, "cannot mount:");
}

int fusex_session_mount_fd(struct fusex_session *se, const char *options)
{
	struct mount_ctx ctx = { .se = se };
	uint64_t attr = 0;
	int fd, ret;

	if (!se->ready) {
		ret = fusex_session_setup(se, -1);
		if (ret)
			return ret;
	}
	ctx.fsfd = fsopen("fusex", FSOPEN_CLOEXEC);
	if (ctx.fsfd < 0)
		return fsopen_failed(se, errno);
	ret = configure(&ctx, options, &attr);
	if (ret)
		goto out;
	fd = fsmount(ctx.fsfd, FSMOUNT_CLOEXEC, (unsigned int)attr);
	ret = fd < 0 ? mount_failed(&ctx, errno, "cannot mount") : fd;
out:
	close(ctx.fsfd);
	return ret;
}

int fusex_session_mount(struct fusex_session *se, const char *target,
			const char *options)
{
	char *path;
	int fd, ret;

	if (se->target)
		return session_fail(se, EALREADY, "mounted on %s already",
				    se->target);
	/* Resolved before it is covered, so that no request is needed. */
	path = realpath(target, NULL);
	if (!path)
		return session_fail(se, errno, "mount point %s:", target);

	fd = fusex_session_mount_fd(se, options);
	if (fd < 0) {
		free(path);
		return fd;
	}
	if (move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)) {
		ret = session_fail(se, errno, "cannot mount on %s:", target);
		free(path);
	} else {
		ret = 0;
		se->mnt_id = mount_id_of_fd(fd, &se->mnt_dev);
		se->target = path;
	}
	close(fd);
	return ret;
}

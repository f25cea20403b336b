// SPDX-License-Identifier: GPL-2.0
/*
 * A file system that was not unmounted properly is brought in order by e2fsck,
 * which replays the journal, before anything else is done with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "ext4.h"
#include "log.h"

/* Where the superblock is, and what is read to have it. */
#define SB_OFFSET	1024
#define READ_SIZE	4096

#define RO_ORPHAN_PRESENT	0x10000u

/* Exit statuses of e2fsck: errors were corrected; and the rest. */
#define FSCK_CORRECTED	3

static int read_super(const struct device *d, struct ext2_super_block *sb)
{
	char *mem = aligned_alloc(READ_SIZE, READ_SIZE);
	int ret;

	if (!mem)
		return -ENOMEM;
	ret = device_read(d, mem, READ_SIZE, 0);
	if (!ret)
		memcpy(sb, mem + SB_OFFSET, sizeof(*sb));
	free(mem);
	if (ret) {
		log_error("cannot read the superblock of %s: %s", d->path,
			  strerror(-ret));
		return ret;
	}
	if (ext2fs_le16_to_cpu(sb->s_magic) != EXT2_SUPER_MAGIC) {
		log_error("%s is not an ext4 file system", d->path);
		return -EINVAL;
	}
	return 0;
}

/* What is to be done, in words, or NULL. */
static const char *what_is_dirty(const struct ext2_super_block *sb)
{
	const uint32_t recover = EXT3_FEATURE_INCOMPAT_RECOVER;

	if (ext2fs_le32_to_cpu(sb->s_feature_incompat) & recover)
		return "its journal has to be replayed";
	if (!(ext2fs_le16_to_cpu(sb->s_state) & EXT2_VALID_FS))
		return "it was not unmounted properly";
	if (sb->s_last_orphan ||
	    ext2fs_le32_to_cpu(sb->s_feature_ro_compat) & RO_ORPHAN_PRESENT)
		return "deleted files have to be cleared away";
	return NULL;
}

/* What it says goes to @out; on a terminal a bar (-C0) shows how far it is. */
static int spawn_fsck(const char *path, bool shown, int out, pid_t *pid)
{
	const char *argv[6] = { "e2fsck", "-p", shown ? "-C0" : path,
				shown ? path : NULL };
	posix_spawn_file_actions_t files;
	static const char * const places[] = { "/sbin/e2fsck",
					       "/usr/sbin/e2fsck" };
	int err = ENOENT;
	size_t i;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
	for (i = 0; err == ENOENT && i < 2; i++)
		err = posix_spawn(pid, places[i], &files, NULL,
				  (char **)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

static int wait_fsck(const char *path, bool shown, int out)
{
	int status = 0, ret;
	pid_t pid;

	ret = spawn_fsck(path, shown, out, &pid);
	if (ret) {
		log_error("cannot run e2fsck: %s", strerror(-ret));
		return ret;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) <= FSCK_CORRECTED)
		return 0;
	return -ECORRUPT;
}

static void repeat(int from)
{
	char text[4096];
	ssize_t n;

	for (off_t at = 0; (n = pread(from, text, sizeof(text), at)) > 0; at += n)
		if (write(STDERR_FILENO, text, (size_t)n) != n)
			return;
}

/* Scripts hear of it only if it fails, as of a replay by the kernel's ext4. */
static int run_fsck(const char *path)
{
	bool shown = isatty(STDERR_FILENO);
	int out = shown ? STDERR_FILENO : memfd_create("e2fsck", MFD_CLOEXEC);
	int ret;

	if (out < 0)
		out = STDERR_FILENO;
	ret = wait_fsck(path, shown, out);
	if (ret && out != STDERR_FILENO)
		repeat(out);
	if (ret == -ECORRUPT)
		log_error("e2fsck -p could not repair %s; run: e2fsck %s", path,
			  path);
	if (out != STDERR_FILENO)
		close(out);
	return ret;
}

/* Of an image e2fsck does not notice that others have it, so they do not get it. */
static int lock_image(const struct device *d, int *lock)
{
	int err;

	*lock = fcntl(d->image_fd, F_DUPFD_CLOEXEC, 0);
	if (*lock >= 0 && !flock(*lock, LOCK_EX | LOCK_NB))
		return 0;
	err = -errno;
	if (*lock >= 0)
		close(*lock);
	if (err == -EWOULDBLOCK)
		log_error("%s is in use by another server", d->path);
	else
		log_error("cannot lock %s: %s", d->path, strerror(-err));
	return err;
}

/* e2fsck wants the device for itself. */
static int repair(struct device *d)
{
	const char *path = d->path;
	bool image = d->image_fd >= 0;
	bool direct = d->direct, readonly = d->readonly;
	int lock = -1, ret;

	ret = image ? lock_image(d, &lock) : 0;
	if (ret)
		return ret;
	device_close(d);
	ret = run_fsck(path);
	if (lock >= 0)
		close(lock);
	if (ret)
		return ret;
	return device_open(d, path, readonly, image || direct);
}

/* Who only wants to read has it replayed as well, as with the kernel's ext4. */
static bool can_be_repaired(const struct device *d)
{
	int fd, readonly = 0;

	if (!d->readonly)
		return true;
	fd = open(d->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* An image is none of these. */
	(void)ioctl(fd, BLKROGET, &readonly);
	close(fd);
	return !readonly;
}

int recover_if_dirty(struct device *d, bool fsck)
{
	struct ext2_super_block sb;
	const char *why;
	int ret;

	ret = read_super(d, &sb);
	if (ret)
		return ret;
	why = what_is_dirty(&sb);
	if (!why)
		return 0;
	if (!fsck || !can_be_repaired(d)) {
		log_error("%s: %s; run: e2fsck -p %s", d->path, why, d->path);
		return -ECORRUPT;
	}
	if (isatty(STDERR_FILENO))
		log_warning("%s: %s; running e2fsck -p %s", d->path, why,
			    d->path);
	else
		syslog(LOG_DAEMON | LOG_NOTICE,
		       "fusex-ext4: %s: %s; running e2fsck -p", d->path, why);
	ret = repair(d);
	if (!ret)
		ret = read_super(d, &sb);
	if (!ret && what_is_dirty(&sb)) {
		log_error("%s is not in order even now; run: e2fsck %s",
			  d->path, d->path);
		ret = -ECORRUPT;
	}
	return ret;
}

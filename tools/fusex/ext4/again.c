// SPDX-License-Identifier: GPL-2.0
/*
 * As the kernel has it, a file system that is mounted once more is the same one.
 * Only one server can have the device, so who is asked for it again looks for the
 * mount there is and attaches that at the new place.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "again.h"
#include "log.h"

/* Younger than the C libraries this is built with; the same everywhere but on alpha. */
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr	467
#endif

#define ROOT_INO	2
#define STAT_ROOM	(sizeof(struct statmount) + 4 * PATH_MAX)
#define IDS		256

/* All that a mount has, apart from what it is of. */
#define ATTRS		(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | \
			 MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | \
			 MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | \
			 MOUNT_ATTR_NOSYMFOLLOW)

/**
 * struct search - for a mount of what is asked for
 * @a: what is to be mounted
 * @id: what it is on
 * @readonly: it is not to be, or cannot be, written to
 * @attr: of the new mount
 * @apart: in a mount namespace where what is on top can be unmounted
 * @found: it is mounted, but where it cannot be had
 * @fd: the new mount, or -1
 * @dev: st_dev of what is on it
 * @where: path of the old one
 * @ret: 0, or why it cannot be mounted again, which was logged
 */
struct search {
	const struct again	*a;
	struct identity		id;
	bool			readonly;
	uint64_t		attr;
	bool			apart;
	bool			found;
	int			fd;
	dev_t			dev;
	char			where[PATH_MAX];
	int			ret;
};

static const struct attr_word {
	const char	*word;
	uint64_t	clear;
	uint64_t	set;
} attr_words[] = {
	{ "nosuid",		0, MOUNT_ATTR_NOSUID },
	{ "suid",		MOUNT_ATTR_NOSUID, 0 },
	{ "nodev",		0, MOUNT_ATTR_NODEV },
	{ "dev",		MOUNT_ATTR_NODEV, 0 },
	{ "noexec",		0, MOUNT_ATTR_NOEXEC },
	{ "exec",		MOUNT_ATTR_NOEXEC, 0 },
	{ "nosymfollow",	0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "symfollow",		MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "nodiratime",		0, MOUNT_ATTR_NODIRATIME },
	{ "diratime",		MOUNT_ATTR_NODIRATIME, 0 },
	{ "noatime",		MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME },
	{ "atime",		MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME },
	{ "relatime",		MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME },
	{ "norelatime",		MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME },
	{ "strictatime",	MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME },
	{ "nostrictatime",	MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME },
	{ NULL,			0, 0 }
};

/* Those of the super block that statmount(2) has as bits. */
static const struct flag_word {
	const char	*word;
	unsigned int	flag;
	bool		on;
} flag_words[] = {
	{ "sync",		MS_SYNCHRONOUS, true },
	{ "async",		MS_SYNCHRONOUS, false },
	{ "dirsync",		MS_DIRSYNC, true },
	{ "lazytime",		MS_LAZYTIME, true },
	{ "nolazytime",		MS_LAZYTIME, false },
	{ NULL,			0, false }
};

static const struct attr_word *attr_word(const char *option)
{
	const struct attr_word *w;

	for (w = attr_words; w->word; w++)
		if (!strcmp(w->word, option))
			return w;
	return NULL;
}

static const struct flag_word *flag_word(const char *option)
{
	const struct flag_word *w;

	for (w = flag_words; w->word; w++)
		if (!strcmp(w->word, option))
			return w;
	return NULL;
}

static bool in_list(const char *list, const char *option)
{
	size_t len = strlen(option);
	const char *p = list;

	while ((p = strstr(p, option))) {
		if ((p == list || p[-1] == ',') && (!p[len] || p[len] == ','))
			return true;
		p += len;
	}
	return false;
}

static int refuse(struct search *s, const char *why, const char *option)
{
	log_error("%s is mounted on %s already, %s %s: leave that out, or unmount it first",
		  s->a->source, s->where, why, option);
	s->ret = -EBUSY;
	return s->ret;
}

/* An option of the mount, if it is not one of the place only. */
static int check_mount_option(struct search *s, const char *option,
			      const struct statmount *sm)
{
	const struct flag_word *w = flag_word(option);
	const char *list = "";

	if (w)
		return !(sm->sb_flags & w->flag) == !w->on ? 0 :
		       refuse(s, "which does not go with", option);
	if (attr_word(option) || !strcmp(option, "ro") ||
	    !strcmp(option, "rw") || !strcmp(option, "mand") ||
	    !strcmp(option, "nomand") || !strncmp(option, "source=", 7))
		return 0;
	if (sm->mask & STATMOUNT_MNT_OPTS)
		list = sm->str + sm->mnt_opts;
	return in_list(list, option) ? 0 : refuse(s, "without", option);
}

static int check_mount_options(struct search *s, const struct statmount *sm)
{
	char *copy = s->a->mount ? strdup(s->a->mount) : NULL, *rest = copy;
	char *one;
	int ret = 0;

	while (!ret && (one = options_next(&rest)))
		ret = *one ? check_mount_option(s, one, sm) : 0;
	free(copy);
	return ret;
}

/* An option of this program; those that nobody has given are as they are. */
static int check_options(struct search *s, char *theirs)
{
	char *ours = options_show(s->a->table), *rest = ours, *one;
	char name[64];
	int ret = 0;

	if (!ours) {
		log_error("out of memory");
		return -ENOMEM;
	}
	while (!ret && (one = options_next(&rest))) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(one, "="),
			 one);
		if (options_has(s->a->given, name, NULL) && !in_list(theirs, one))
			ret = refuse(s, "not with", one);
	}
	free(ours);
	return ret;
}

static int check_readonly(struct search *s, const struct statmount *sm)
{
	bool readonly = sm->sb_flags & MS_RDONLY;

	if (readonly == s->readonly)
		return 0;
	if (s->readonly)
		log_error("%s is mounted on %s, not read-only; try: mount --bind -o ro %s %s",
			  s->a->source, s->where, s->where, s->a->target);
	else
		log_error("%s is mounted on %s, read-only: give ro, or mount -o remount,rw %s",
			  s->a->source, s->where, s->where);
	s->ret = -EBUSY;
	return s->ret;
}

/* The kernel does not put a file system on top of itself, either. */
static int check_target(struct search *s, dev_t dev)
{
	struct stat st;

	if (stat(s->a->target, &st) || st.st_dev != dev ||
	    st.st_ino != ROOT_INO)
		return 0;
	log_error("%s is mounted on %s already", s->a->source, s->a->target);
	s->ret = -EBUSY;
	return s->ret;
}

static int clone_tree(const char *path, struct mount_attr *attr)
{
	long fd = syscall(SYS_open_tree_attr, AT_FDCWD, path,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
			  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, attr,
			  sizeof(*attr));

	return fd < 0 ? -errno : (int)fd;
}

/* Whatever the old one is like, the new one is as was asked for. */
static int clone_at(const struct search *s, const char *path)
{
	struct mount_attr attr = {
		.attr_set = s->attr,
		.attr_clr = ATTRS | MOUNT_ATTR_IDMAP,
		.propagation = MS_PRIVATE,
	};
	int fd = clone_tree(path, &attr);

	/* Where mounts cannot be idmapped, they cannot be made not to be, either. */
	if (fd == -EINVAL) {
		attr.attr_clr = ATTRS;
		fd = clone_tree(path, &attr);
	}
	return fd;
}

/* Something else may be mounted on top of it, or be there by now. */
static bool is_root_of(int fd, dev_t dev)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO,
		      &stx) &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) == dev &&
	       stx.stx_ino == ROOT_INO;
}

static void take(struct search *s, uint64_t id, dev_t dev)
{
	char *options;
	int fd;

	if (s->apart && uncover(id, s->where))
		return;
	fd = clone_at(s, s->where);
	if (fd < 0)
		return;
	/* From here on it cannot go away, nor its number be another's. */
	options = is_root_of(fd, dev) ? served_as(dev, &s->id) : NULL;
	if (options) {
		s->fd = fd;
		s->dev = dev;
	} else {
		close(fd);
	}
	free(options);
}

static bool is_ours(const struct statmount *sm)
{
	const uint64_t all = STATMOUNT_SB_BASIC | STATMOUNT_MNT_ROOT |
			     STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE;

	return (sm->mask & all) == all &&
	       !strcmp(sm->str + sm->fs_type, "fusex") &&
	       !strcmp(sm->str + sm->mnt_root, "/") &&
	       sm->str[sm->mnt_point] == '/';
}

/* Looks at one mount, which ends the search if it is it. */
static void consider(struct search *s, uint64_t id, struct statmount *sm)
{
	char *options;
	dev_t dev;

	if (mount_stat(id, STATMOUNT_SB_BASIC | STATMOUNT_MNT_ROOT |
			   STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE |
			   STATMOUNT_MNT_OPTS, sm, STAT_ROOM) ||
	    !is_ours(sm))
		return;
	dev = makedev(sm->sb_dev_major, sm->sb_dev_minor);
	options = served_as(dev, &s->id);
	if (!options)
		return;
	s->found = true;
	snprintf(s->where, sizeof(s->where), "%s", sm->str + sm->mnt_point);
	if (!check_target(s, dev) && !check_readonly(s, sm) &&
	    !check_options(s, options) && !check_mount_options(s, sm))
		take(s, id, dev);
	free(options);
}

static void search(void *arg)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.mnt_id = LSMT_ROOT,
	};
	struct statmount *sm = malloc(STAT_ROOM);
	struct search *s = arg;
	uint64_t ids[IDS];
	long n = 1, i;

	if (!sm)
		s->ret = -ENOMEM;
	while (n > 0 && !s->ret && s->fd < 0) {
		n = syscall(SYS_listmount, &req, ids, IDS, 0);
		for (i = 0; i < n && !s->ret && s->fd < 0; i++)
			consider(s, ids[i], sm);
		/* Where to go on. */
		if (n > 0)
			req.param = ids[n - 1];
	}
	free(sm);
}

static bool is_readonly(const struct again *a, int fd)
{
	int yes = 0;

	if (options_has(a->mount, "ro", "rw"))
		return true;
	if (faccessat(AT_FDCWD, a->source, W_OK, AT_EACCESS))
		return true;
	return !ioctl(fd, BLKROGET, &yes) && yes;
}

static void take_attributes(struct search *s)
{
	char *copy = s->a->mount ? strdup(s->a->mount) : NULL, *rest = copy;
	const struct attr_word *w;
	char *one;

	while ((one = options_next(&rest))) {
		w = attr_word(one);
		if (w)
			s->attr = (s->attr & ~w->clear) | w->set;
	}
	free(copy);
	if (s->readonly)
		s->attr |= MOUNT_ATTR_RDONLY;
}

static int begin(struct search *s)
{
	int fd = open(s->a->source, O_RDONLY | O_NONBLOCK | O_CLOEXEC), ret;

	/* Who may not read it does not get it, either. */
	if (fd < 0)
		return -ENOENT;
	ret = identify(fd, &s->id);
	s->readonly = is_readonly(s->a, fd);
	close(fd);
	take_attributes(s);
	return ret ? -ENOENT : 0;
}

static int attach(const struct search *s)
{
	const struct again *a = s->a;
	int ret;

	if (move_mount(s->fd, "", AT_FDCWD, a->target, MOVE_MOUNT_F_EMPTY_PATH)) {
		ret = -errno;
		log_error("cannot mount on %s: %s", a->target, strerror(errno));
		return ret;
	}
	if (isatty(STDERR_FILENO))
		log_warning("%s is mounted on %s already: the same file system is on %s, too",
			    a->source, s->where, a->target);
	return 0;
}

int again_mount(const struct again *a)
{
	struct search s = { .a = a, .fd = -1 };
	int ret;

	ret = begin(&s);
	if (ret)
		return ret;
	search(&s);
	if (s.found && !s.ret && s.fd < 0) {
		s.apart = true;
		/* Who cannot have that is told that the device is in use. */
		(void)uncovered(search, &s);
	}
	if (s.fd < 0)
		return s.ret ? s.ret : -ENOENT;
	ret = attach(&s);
	close(s.fd);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * How the data of a file moves: the mode that a rule or the option io says,
 * and the files that are registered with the kernel for passthrough.
 *
 * A file is registered at the first lookup of its node, and removed when the
 * kernel has forgotten as many lookups as were answered.  What cannot be opened,
 * or not be registered, is served in plain mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mirror.h"
#include "sys.h"

/**
 * struct backed - a node whose file is registered
 * @nodeid: its node id
 * @generation: its generation, wide so that both are a key without a hole
 * @cookie: of the kernel
 */
struct backed {
	uint64_t		nodeid;
	uint64_t		generation;
	uint32_t		cookie;
};

#define KEY_SIZE	(2 * sizeof(uint64_t))

static void backed_destroy(void *obj, void *data)
{
	struct backed *b = obj;
	struct mirror *m = data;

	/* The kernel has dropped the inode: there is nothing to wait for. */
	if (m->se)
		(void)fusex_backing_remove(m->se, b->cookie,
					   FUSEX_BACKING_FAIL_IO);
	free(b);
}

int modes_init(struct mirror *m)
{
	const struct mode_rule *rule;
	bool passthrough = m->io == FUSEX_IO_PASSTHROUGH;

	for (rule = m->rules; rule; rule = rule->next)
		passthrough |= rule->mode == FUSEX_IO_PASSTHROUGH;
	if (!passthrough)
		return 0;
	m->backed = fusex_itable_new(KEY_SIZE, backed_destroy, m);
	return m->backed ? 0 : -ENOMEM;
}

void modes_exit(struct mirror *m)
{
	struct mode_rule *rule, *next;

	fusex_itable_free(m->backed);
	m->backed = NULL;
	for (rule = m->rules; rule; rule = next) {
		next = rule->next;
		free(rule);
	}
	m->rules = NULL;
}

uint32_t modes_used(const struct mirror *m)
{
	uint32_t modes = 1u << m->io | 1u << FUSEX_IO_PLAIN;
	const struct mode_rule *rule;

	for (rule = m->rules; rule; rule = rule->next)
		modes |= 1u << rule->mode;
	return modes;
}

int modes_add_rule(struct mode_rule **rules, const char *glob, size_t len,
		   uint32_t mode)
{
	struct mode_rule *rule = malloc(sizeof(*rule) + len + 1);

	if (!rule)
		return -ENOMEM;
	rule->next = NULL;
	rule->mode = mode;
	memcpy(rule->glob, glob, len);
	rule->glob[len] = '\0';
	while (*rules)
		rules = &(*rules)->next;
	*rules = rule;
	return 0;
}

/* A file that is found by its handle still has the name it was opened by. */
static const char *name_of(const struct mirror *m, int fd, char *path,
			   size_t room)
{
	char name[PROC_NAME_MAX];
	const char *last;
	ssize_t len;

	if (m->proc_fd < 0)
		return NULL;
	len = readlinkat(m->proc_fd, attr_proc_name(fd, name), path, room - 1);
	if (len <= 0)
		return NULL;
	path[len] = '\0';
	last = strrchr(path, '/');
	return last ? last + 1 : NULL;
}

static uint32_t mode_of(const struct mirror *m, const struct place *p)
{
	const struct mode_rule *rule;
	const char *name = p->label;
	char path[4096];

	if (m->rules && !name)
		name = name_of(m, p->fd, path, sizeof(path));
	for (rule = m->rules; rule && name; rule = rule->next)
		if (!fnmatch(rule->glob, name, 0))
			return rule->mode;
	return m->io;
}

static int open_place(const struct mirror *m, const struct place *p, int flags)
{
	char name[PROC_NAME_MAX];
	int fd;

	if (*p->name)
		return sys_open_beneath(p->fd, p->name, flags | O_NOFOLLOW, 0);
	if (m->proc_fd < 0)
		return -ENOENT;
	fd = openat(m->proc_fd, attr_proc_name(p->fd, name),
		    flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* As much as can be had.  A program that is running can be had another time. */
static int open_backing(const struct mirror *m, const struct place *p,
			uint32_t *access)
{
	int fd;

	*access = FUSEX_BACKING_READ | FUSEX_BACKING_WRITE;
	fd = open_place(m, p, O_RDWR);
	/* One to which can only be appended. */
	if (fd == -EPERM)
		fd = open_place(m, p, O_RDWR | O_APPEND);
	/* Likewise one that is immutable: it can be made changeable again. */
	if (fd == -EPERM)
		return -ETXTBSY;
	if (fd != -EACCES && fd != -EROFS)
		return fd;
	*access = FUSEX_BACKING_READ;
	return open_place(m, p, O_RDONLY);
}

/* Registers the file of an entry, unless its node is one of another file. */
static int add_backing(struct mirror *m, const struct place *p,
		       const struct fusex_entry *e, uint32_t *cookie)
{
	struct stat st;
	uint32_t access;
	int fd, ret;

	ret = fdcache_reserve(m->fds);
	if (ret)
		return ret;
	fd = open_backing(m, p, &access);
	ret = fd < 0 ? fd : 0;
	/* The name may be somebody else's by now. */
	if (!ret && (fstat(fd, &st) || st.st_ino != e->attr.ino))
		ret = -ESTALE;
	if (!ret)
		ret = fusex_backing_add(m->se, fd, access, cookie);
	if (fd >= 0)
		close(fd);
	fdcache_unreserve(m->fds);
	return ret;
}

/* The file is registered already, whatever rules say of this name of it. */
static bool known_backing(struct mirror *m, struct fusex_entry *e)
{
	const uint64_t key[2] = { e->nodeid, e->generation };
	struct fusex_node_ref id;
	struct backed *b;

	b = m->backed ? fusex_itable_find(m->backed, key, &id) : NULL;
	if (b)
		e->backing = b->cookie;
	return b;
}

static int make_backing(struct mirror *m, const struct place *p,
			const struct fusex_entry *e, uint32_t *cookie)
{
	struct fusex_node_ref id;
	struct backed *b, *old;
	int ret;

	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->nodeid = e->nodeid;
	b->generation = e->generation;
	ret = add_backing(m, p, e, &b->cookie);
	if (ret) {
		free(b);
		return ret;
	}
	old = fusex_itable_add(m->backed, &b->nodeid, b, &id);
	if (!old) {
		backed_destroy(b, m);
		return -ENOMEM;
	}
	*cookie = old->cookie;
	if (old != b)
		backed_destroy(b, m);
	return 0;
}

/* What is to be known of it, and not for each file. */
static void complain_once(int err)
{
	static atomic_bool said;

	if (err == -ETXTBSY || err == -ESTALE || atomic_exchange(&said, true))
		return;
	log_error("not all files can be passed through, these are served in plain mode: %s%s",
		  strerror(-err),
		  err == -EPERM ? " (that takes CAP_SYS_ADMIN)" : "");
}

void modes_choose(struct mirror *m, const struct place *p,
		  struct fusex_entry *e)
{
	uint32_t mode = FUSEX_IO_PASSTHROUGH;
	int ret;

	if (!S_ISREG(e->attr.mode))
		return;
	if (!known_backing(m, e)) {
		mode = mode_of(m, p);
		ret = mode == FUSEX_IO_PASSTHROUGH ?
		      make_backing(m, p, e, &e->backing) : 0;
		if (ret) {
			mode = FUSEX_IO_PLAIN;
			complain_once(ret);
		}
	}
	e->io_mode = (uint8_t)mode;
}

void modes_forget(struct mirror *m, const struct fusex_forget_one *list,
		  size_t count)
{
	size_t i;

	for (i = 0; m->backed && i < count; i++) {
		const uint64_t key[2] = { list[i].nodeid, list[i].generation };
		struct fusex_forget_one one = { .nlookup = 0 };
		struct fusex_node_ref id;

		if (!fusex_itable_find(m->backed, key, &id))
			continue;
		one.nodeid = id.nodeid;
		one.generation = id.generation;
		/* And the one that finding it has counted. */
		one.nlookup = list[i].nlookup + 1;
		fusex_itable_forget(m->backed, &one, 1);
	}
}

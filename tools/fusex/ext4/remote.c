// SPDX-License-Identifier: GPL-2.0
/*
 * Remote attributes: what the kernel leaves to the server then.
 *
 * It checks permissions, and who may keep set-group-id; everything that follows
 * from a change is made here: times, what a write takes of the mode, and ACL and
 * mode as two sides of the same.
 *
 * Context: all with the lock, and alone if there are extended attributes.
 */
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ext4.h"

#define NAME	"system.posix_acl_access"
#define HEADER	sizeof(struct posix_acl_xattr_header)

/* An ACL has at most a few hundred entries: they have to fit into a block. */
#define ACL_MAX	65536u

static size_t entries_of(size_t size)
{
	return (size - HEADER) / sizeof(struct posix_acl_xattr_entry);
}

static bool is_acl(const void *value, size_t size)
{
	struct posix_acl_xattr_header h;

	if (size < HEADER)
		return false;
	memcpy(&h, value, HEADER);
	return h.a_version == POSIX_ACL_XATTR_VERSION &&
	       !((size - HEADER) % sizeof(struct posix_acl_xattr_entry));
}

/* What the mode calls group is the mask, where there is one. */
static int shift_of(uint16_t tag, bool mask)
{
	switch (tag) {
	case ACL_USER_OBJ:
		return 6;
	case ACL_GROUP_OBJ:
		return mask ? -1 : 3;
	case ACL_MASK:
		return 3;
	case ACL_OTHER:
		return 0;
	default:
		return -1;
	}
}

static bool has_mask(const struct posix_acl_xattr_entry *e, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (e[i].e_tag == ACL_MASK)
			return true;
	return false;
}

static uint32_t mode_of(const struct posix_acl_xattr_entry *e, size_t count)
{
	bool mask = has_mask(e, count);
	uint32_t mode = 0;
	size_t i;
	int shift;

	for (i = 0; i < count; i++) {
		shift = shift_of(e[i].e_tag, mask);
		if (shift >= 0)
			mode |= (e[i].e_perm & 7u) << shift;
	}
	return mode;
}

bool remote_is_acl(const struct volume *v, const char *name)
{
	return v->remote && !strcmp(name, NAME);
}

/* An ACL of owner, group and others says no more than the mode does. */
static int store_acl(struct volume *v, struct node *n, const void *value,
		     size_t size, bool plain)
{
	int ret;

	if (!plain)
		return xattr_set(v, n, NAME, value, size, 0);
	ret = xattr_remove(v, n, NAME);
	return ret == -ENODATA ? 0 : ret;
}

int remote_set_acl(struct volume *v, struct node *n, const void *value,
		   size_t size)
{
	struct posix_acl_xattr_entry *e;
	size_t count;
	uint32_t mode;
	bool plain;
	int ret;

	if (!is_acl(value, size) || size > ACL_MAX)
		return -EINVAL;
	count = entries_of(size);
	/* The value may begin at any address. */
	e = malloc(size);
	if (!e)
		return -ENOMEM;
	memcpy(e, (const char *)value + HEADER, size - HEADER);
	mode = mode_of(e, count);
	plain = count == 3 && !has_mask(e, count);
	free(e);
	ret = store_acl(v, n, value, size, plain);
	if (ret)
		return ret;
	n->raw.i_mode = (uint16_t)((n->raw.i_mode & ~0777u) | mode);
	attr_changed(v, n);
	return 0;
}

static void set_perms(struct posix_acl_xattr_entry *e, size_t count,
		      uint32_t mode)
{
	bool mask = has_mask(e, count);
	size_t i;
	int shift;

	for (i = 0; i < count; i++) {
		shift = shift_of(e[i].e_tag, mask);
		if (shift >= 0)
			e[i].e_perm = mode >> shift & 7;
	}
}

/* The mode has changed, and so does the ACL. */
static int change_acl(struct volume *v, struct node *n)
{
	char *value = malloc(ACL_MAX);
	ssize_t size;
	int ret;

	if (!value)
		return -ENOMEM;
	size = xattr_get(v, n, NAME, value, ACL_MAX);
	if (size < 0) {
		ret = size == -ENODATA ? 0 : (int)size;
	} else if (!is_acl(value, (size_t)size)) {
		ret = volume_corrupt(v, n->ino, "access control list");
	} else {
		set_perms((void *)(value + HEADER), entries_of((size_t)size),
			  n->raw.i_mode);
		ret = xattr_set(v, n, NAME, value, (size_t)size, 0);
	}
	free(value);
	return ret;
}

int remote_kill_priv(struct volume *v, struct node *n)
{
	int ret;

	n->raw.i_mode &= (uint16_t)~S_ISUID;
	/* Without the right to execute it means something else. */
	if (n->raw.i_mode & 0010)
		n->raw.i_mode &= (uint16_t)~S_ISGID;
	node_dirty(v, n);
	ret = xattr_remove(v, n, "security.capability");
	return ret == -ENODATA ? 0 : ret;
}

int remote_set(struct volume *v, struct node *n,
	       const struct fusex_setattr_in *in)
{
	int ret = 0;

	if (!v->remote)
		return 0;
	if (in->valid & FUSEX_SET_MODE)
		ret = change_acl(v, n);
	if (!ret && in->valid & FUSEX_SET_KILL_PRIV)
		ret = remote_kill_priv(v, n);
	if (!ret && in->valid & FUSEX_SET_SIZE &&
	    !(in->valid & (FUSEX_SET_MTIME | FUSEX_SET_MTIME_NOW)))
		attr_touch(v, n);
	return ret;
}

void remote_wrote(struct volume *v, struct node *n,
		  const struct fusex_time *mtime)
{
	struct fusex_time now;

	if (!v->remote)
		return;
	now = attr_now(v);
	attr_set_times(v, n, NULL, mtime ? mtime : &now, &now);
}

uint64_t remote_lease(const struct volume *v, const struct node *n)
{
	if (!v->remote)
		return 0;
	/* One of an inode, as long as it is that inode. */
	return (uint64_t)n->raw.i_generation << 32 | n->ino;
}

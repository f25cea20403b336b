// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mount options: what belongs to the mount, and what to the file system.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "internal.h"

#define COUNT(array)	(sizeof(array) / sizeof(0[array]))

struct attr_option {
	const char	*name;
	uint64_t	clear;
	uint64_t	set;
};

static const struct attr_option attr_options[] = {
	{ "ro",			0, MOUNT_ATTR_RDONLY },
	{ "rw",			MOUNT_ATTR_RDONLY, 0 },
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
	{ "defaults",		0, 0 },
};

static bool apply_attr(const char *key, uint64_t *attr)
{
	size_t i;

	for (i = 0; i < COUNT(attr_options); i++) {
		if (strcmp(key, attr_options[i].name) != 0)
			continue;
		*attr = (*attr & ~attr_options[i].clear) | attr_options[i].set;
		return true;
	}
	return false;
}

static int apply(struct mount_options *mo, const char *key, const char *value)
{
	bool ours = !value && apply_attr(key, &mo->attr);

	/* A read-only mount is of a read-only super block, too. */
	if (ours && strcmp(key, "ro") != 0 && strcmp(key, "rw") != 0)
		return 0;
	return mo->set(mo->ctx, key, value);
}

/**
 * next_option() - cut one option off a string
 * @pos: where to start; returned: behind the option
 * @out: room for the option with its escapes undone
 *
 * Return: the value in @out, which then is the key; NULL when there is none.
 */
static char *next_option(const char **pos, char *out)
{
	const char *p = *pos;
	char *value = NULL;

	for (; *p && *p != ','; p++) {
		if (*p == '=' && !value) {
			*out++ = '\0';
			value = out;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		*out++ = *p;
	}
	*out = '\0';
	*pos = *p ? p + 1 : p;
	return value;
}

/**
 * options_parse() - take an option string apart
 * @options: comma-separated, may be NULL
 * @mo: attributes of the mount are put into @mo->attr; everything else is
 *	given to @mo->set, with value NULL for an option without one
 *
 * Return: 0, -ENOMEM, or what @mo->set returned.
 */
int options_parse(const char *options, struct mount_options *mo)
{
	char *buf, *value;
	int ret = 0;

	mo->attr = 0;
	if (!options)
		return 0;
	buf = malloc(strlen(options) + 1);
	if (!buf)
		return -ENOMEM;
	while (*options && !ret) {
		value = next_option(&options, buf);
		if (*buf || value)
			ret = apply(mo, buf, value);
	}
	free(buf);
	return ret;
}

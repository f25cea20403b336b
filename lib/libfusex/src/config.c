// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Defaults of the configuration.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static void root_init(struct fusex_entry *root)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	root->nodeid = 1;
	root->attr.mask = FUSEX_ATTR_REQUIRED;
	root->attr.mode = S_IFDIR | 0755;
	root->attr.nlink = 2;
	root->attr.uid = geteuid();
	root->attr.gid = getegid();
	root->attr.atime = fusex_time_from_timespec(now);
	root->attr.mtime = root->attr.atime;
	root->attr.ctime = root->attr.atime;
}

void fusex_config_init(struct fusex_config *cfg, size_t size)
{
	struct fusex_config def = {
		.size		= (uint32_t)size,
		.io_mode	= FUSEX_IO_PLAIN,
		.attr_mode	= FUSEX_ATTR_REMOTE,
	};

	root_init(&def.root.entry);
	if (size > sizeof(def))
		memset((unsigned char *)cfg + sizeof(def), 0,
		       size - sizeof(def));
	memcpy(cfg, &def, size < sizeof(def) ? size : sizeof(def));
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * /proc/self/mountinfo, line by line.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Undoes the octal escapes. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' &&
		    s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
					(s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/**
 * mountinfo_open() - begin to read it
 * @mi: what is read; to be closed unless this fails
 *
 * Return: 0 or -errno.
 */
int mountinfo_open(struct mountinfo *mi)
{
	memset(mi, 0, sizeof(*mi));
	mi->f = fopen("/proc/self/mountinfo", "re");
	return mi->f ? 0 : -errno;
}

/* Number, parent's number, device, path in the file system, path. */
static bool take_line(struct mountinfo *mi)
{
	char *field[5], *rest = mi->line;
	int i;

	for (i = 0; i < 5; i++) {
		field[i] = strsep(&rest, " ");
		if (!field[i])
			return false;
	}
	mi->id = strtol(field[0], NULL, 10);
	mi->dev = field[2];
	mi->path = field[4];
	unescape(mi->path);
	return true;
}

/**
 * mountinfo_next() - the next mount
 * @mi: what is read; what it has of the last one is gone
 *
 * Return: false at the end.
 */
bool mountinfo_next(struct mountinfo *mi)
{
	while (getline(&mi->line, &mi->size, mi->f) > 0)
		if (take_line(mi))
			return true;
	return false;
}

/**
 * mountinfo_close() - end to read it
 * @mi: what was read
 */
void mountinfo_close(struct mountinfo *mi)
{
	free(mi->line);
	fclose(mi->f);
}

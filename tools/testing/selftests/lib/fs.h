/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files made, read and looked at in one line.  All of them end the test when
 * they cannot do it.
 */
#ifndef SELFTESTS_FS_H
#define SELFTESTS_FS_H

#include <fcntl.h>
#include <sys/stat.h>

#include "tap.h"

/** make_file() - a file with @text in it, NULL for an empty one */
void make_file(const char *path, const char *text);

/** make_sized() - a file of @size bytes of pattern(), from offset 0 */
void make_sized(const char *path, size_t size);

/** pattern() - the byte that stands at @offset of pattern @seed */
static inline unsigned char pattern(off_t offset, unsigned int seed)
{
	return (unsigned char)((offset * 7 + (offset >> 8) * 13 +
				(offset >> 16) + seed * 31) & 0xff);
}

/** fill_pattern() - @size bytes of pattern @seed as they stand at @offset */
void fill_pattern(void *buf, size_t size, off_t offset, unsigned int seed);

/** check_pattern() - the test fails unless @buf is what fill_pattern() gives */
void check_pattern(const void *buf, size_t size, off_t offset,
		   unsigned int seed);

/** slurp() - the contents of a small file as a string, in static memory */
const char *slurp(const char *path);

/** look() - statx of @path, not following links, all fields */
struct statx look(const char *path);

/** flook() - the same of an open file */
struct statx flook(int fd);

/** later() - is @a after @b? */
bool later(struct statx_timestamp a, struct statx_timestamp b);

/** same_time() - are they equal? */
bool same_time(struct statx_timestamp a, struct statx_timestamp b);

/**
 * tick() - wait until what is done from now on gets later timestamps than all
 * that was done before
 */
void tick(void);

/** drop_caches() - have the kernel drop all that is clean and unused */
void drop_caches(void);

/** as() - become an ordinary user with no further groups */
void as(uid_t uid, gid_t gid);

/** as_groups() - the same with one further group */
void as_group(uid_t uid, gid_t gid, gid_t group);

/** as_root() - and back */
void as_root(void);

/** drop_capability() - do without CAP_@cap from now on */
void drop_capability(int cap);

/** has_name() - does the folder list @name? */
bool has_name(const char *dir, const char *name);

/** count_names() - how many names but . and .. does it list? */
int count_names(const char *dir);

/** sleeps() - is the process, a pid_t, blocked in a system call? For UNTIL() */
bool sleeps(void *arg);

/** sleeps_deep() - likewise, in one that only a fatal signal ends? */
bool sleeps_deep(void *arg);

/**
 * struct wait_in - where a process is to wait
 * @pid: the process
 * @function: of the kernel's; the beginning of its name will do
 */
struct wait_in {
	pid_t pid;
	const char *function;
};

/** waits_in() - does the process of a struct wait_in wait there?  For UNTIL() */
bool waits_in(void *arg);

/** fs_mode() - does $FUSEX_MODE, "io/attr" or "native", contain @word? */
bool fs_mode(const char *word);

#endif /* SELFTESTS_FS_H */

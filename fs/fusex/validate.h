/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks on what the server says.  Pure functions of their arguments, so that
 * KUnit can try every limit.  Each returns 0 or a negative errno and says in
 * *why, a static string, what was wrong.
 */
#ifndef _FS_FUSEX_VALIDATE_H
#define _FS_FUSEX_VALIDATE_H

#include <linux/fusex.h>
#include <linux/limits.h>
#include <linux/types.h>

struct fusex_conf;

/*
 * The largest node handle that fits into a file handle (MAX_HANDLE_SZ bytes)
 * next to the node id, the generation and a word for its length.
 */
#define FUSEX_EXPORT_HANDLE_MAX	112

/*
 * Cookies of directory entries become positions of open directories, which
 * cannot be negative and of which the first ones are those of . and .., see
 * readdir.c.  The last one is what file systems use for the end.
 */
#define FUSEX_COOKIE_MAX	((u64)S64_MAX - 3)
#define FUSEX_COOKIE_LAST	((u64)S64_MAX)

static inline u64 fusex_pos_to_cookie(loff_t pos)
{
	if (pos == LLONG_MAX)
		return FUSEX_COOKIE_LAST;
	return pos > 2 ? pos - 2 : 0;
}

static inline loff_t fusex_cookie_to_pos(u64 cookie)
{
	return cookie == FUSEX_COOKIE_LAST ? LLONG_MAX : cookie + 2;
}

#define FUSEX_OPEN_KNOWN	FUSEX_OPEN_STREAM
#define FUSEX_LOCK_KNOWN	(FUSEX_LOCK_FLOCK | FUSEX_LOCK_WAIT)
#define FUSEX_POLL_KNOWN	0x27ff	/* EPOLLIN to EPOLLRDHUP */

int fusex_check_setup(const struct fusex_setup *s, u32 supported_io_modes,
		      const char **why);
int fusex_check_attr(const struct fusex_conf *conf,
		     const struct fusex_attr *attr, u32 required,
		     const char **why);
int fusex_check_entry(const struct fusex_conf *conf,
		      const struct fusex_entry *entry, const char **why);
int fusex_check_make(const struct fusex_conf *conf,
		     const struct fusex_entry *entry, u32 mode,
		     const char **why);
int fusex_check_name(const char *name, size_t len, const char **why);
ssize_t fusex_check_dirent(const struct fusex_conf *conf, const void *buf,
			   size_t len, const struct fusex_entry **entry,
			   const char **name, const char **why);
int fusex_check_open(const struct fusex_open_out *out, const char **why);
int fusex_check_write(const struct fusex_conf *conf,
		      const struct fusex_write_in *in,
		      const struct fusex_write_out *out, const char **why);
int fusex_check_copy(const struct fusex_conf *conf,
		     const struct fusex_copy_range_in *in,
		     const struct fusex_write_out *out, const char **why);
int fusex_check_lseek(const struct fusex_conf *conf,
		      const struct fusex_lseek_in *in,
		      const struct fusex_lseek_out *out, const char **why);
int fusex_check_map(const struct fusex_conf *conf, const struct fusex_map *map,
		    const char **why);
int fusex_check_map_begin(const struct fusex_conf *conf,
			  const struct fusex_map_begin_in *in,
			  const struct fusex_map_begin_out *out, bool shared,
			  const char **why);
int fusex_check_lock(const struct fusex_lock *in, const struct fusex_lock *out,
		     const char **why);
int fusex_check_ioctl(const struct fusex_ioctl_out *out, const char **why);
int fusex_check_poll(const struct fusex_poll_out *out, const char **why);
int fusex_check_statfs(const struct fusex_statfs_out *out, const char **why);
int fusex_check_xattr(const struct fusex_xattr_in *in,
		      const struct fusex_xattr_out *out, size_t payload,
		      const char **why);
int fusex_check_xlist(const char *list, size_t len, const char **why);
int fusex_check_fileattr(const struct fusex_fileattr *out, const char **why);
int fusex_check_link(const char *target, size_t len, const char **why);
int fusex_check_out_header(const struct fusex_out_header *oh, size_t written,
			   const char **why);

#endif /* _FS_FUSEX_VALIDATE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the objects: what their unit tests see too.
 */
#ifndef _FS_FUSEX_INODE_H
#define _FS_FUSEX_INODE_H

#include <kunit/visibility.h>
#include <linux/bits.h>
#include <linux/types.h>

struct inode;

/**
 * struct fusex_id - what names a node
 * @nodeid: the server's name for it
 * @generation: distinguishes nodes that had the same name
 */
struct fusex_id {
	u64 nodeid;
	u32 generation;
};

/**
 * struct fusex_xattr_val - an extended attribute of an object to be made
 * @name: with its prefix, NULL when absent
 * @value: bytes
 * @len: how many
 */
struct fusex_xattr_val {
	const char *name;
	const void *value;
	size_t len;
};

/* What a command needs: CAP_SYS_ADMIN; that things may be written. */
#define FUSEX_NEEDS_ADMIN	BIT(0)
#define FUSEX_NEEDS_WRITE	BIT(1)

#if IS_ENABLED(CONFIG_KUNIT)
size_t fusex_records_size(const struct fusex_xattr_val *vals, unsigned int nr,
			  size_t before);
u32 fusex_records_fill(void *buf, const struct fusex_xattr_val *vals,
		       unsigned int nr, size_t before);
int fusex_fh_words(u16 handle_len);
void fusex_fh_put(u32 *fh, const struct fusex_id *id, const void *handle,
		  u16 handle_len);
int fusex_fh_get(const u32 *fh, int words, u32 handle_size,
		 struct fusex_id *id, u16 *handle_len);
u64 fusex_id_hash(const struct fusex_id *id);
void fusex_xattr_note(struct inode *inode, const char *name, u32 seq);
ssize_t fusex_xattr_answer(const char *name, size_t size, ssize_t ret);
size_t fusex_xattr_filter(char *list, size_t len, bool trusted, bool acl);
unsigned int fusex_ioctl_needs(unsigned int cmd);
int fusex_check_shutdown(u32 how, u32 *flags);
#endif

#endif /* _FS_FUSEX_INODE_H */

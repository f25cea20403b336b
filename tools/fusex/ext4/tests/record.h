/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the linker's --wrap makes of functions, in those tests that have it.
 */
#ifndef FUSEX_EXT4_TEST_RECORD_H
#define FUSEX_EXT4_TEST_RECORD_H

#include "ext4.h"

int __real_device_read(const struct device *d, void *buf, size_t count,
		       uint64_t offset);
int __wrap_device_read(const struct device *d, void *buf, size_t count,
		       uint64_t offset);
int __real_device_write(const struct device *d, const void *buf, size_t count,
			uint64_t offset);
int __real_device_flush(const struct device *d);
int __wrap_device_write(const struct device *d, const void *buf, size_t count,
			uint64_t offset);
int __wrap_device_flush(const struct device *d);
int __real_device_discard(const struct device *d, uint64_t count,
			  uint64_t offset);
int __wrap_device_discard(const struct device *d, uint64_t count,
			  uint64_t offset);
uint64_t __real_device_discard_unit(const struct device *d);
uint64_t __wrap_device_discard_unit(const struct device *d);
int __real_bcache_take(ext2_filsys fs, struct dirty_block **list,
		       size_t *count);
int __wrap_bcache_take(ext2_filsys fs, struct dirty_block **list,
		       size_t *count);
int __wrap_fusex_notify_map_recall(struct fusex_session *se,
				   const struct fusex_node_ref *node,
				   uint64_t lease, uint64_t offset,
				   uint64_t length);
int __wrap_fusex_notify_inval_inode(struct fusex_session *se,
				    const struct fusex_node_ref *node,
				    uint32_t flags, uint64_t offset,
				    uint64_t length);
void __wrap_fusex_session_stop(struct fusex_session *se);
errcode_t __real_ext2fs_extent_open2(ext2_filsys fs, ext2_ino_t ino,
				     struct ext2_inode *inode,
				     ext2_extent_handle_t *h);
errcode_t __wrap_ext2fs_extent_open2(ext2_filsys fs, ext2_ino_t ino,
				     struct ext2_inode *inode,
				     ext2_extent_handle_t *h);
errcode_t __real_ext2fs_xattr_remove(struct ext2_xattr_handle *h,
				     const char *name);
errcode_t __wrap_ext2fs_xattr_remove(struct ext2_xattr_handle *h,
				     const char *name);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *mem, size_t size);
void *__wrap_realloc(void *mem, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

#endif

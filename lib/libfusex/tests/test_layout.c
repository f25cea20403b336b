// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The interface has the same layout for 32- and 64-bit programs.  Checked when
 * this file is compiled, with nothing but the interface header, so that it can
 * be compiled for machines whose libc is not there.
 */
#include <linux/fusex.h>

#define SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type)
#define AT(type, member, offset) \
	_Static_assert(__builtin_offsetof(struct type, member) == (offset), \
		       #type "." #member)

SIZE(fusex_time, 16);
SIZE(fusex_attr, 168);
AT(fusex_attr, size, 16);
AT(fusex_attr, flags, 56);
AT(fusex_attr, atime, 64);
AT(fusex_attr, change, 128);
AT(fusex_attr, reserved, 144);
SIZE(fusex_entry, 216);
AT(fusex_entry, handle_len, 14);
AT(fusex_entry, entry_valid, 24);
AT(fusex_entry, attr, 48);
SIZE(fusex_setup, 552);
AT(fusex_setup, request_size, 80);
AT(fusex_setup, time_min, 88);
AT(fusex_setup, subtype, 112);
AT(fusex_setup, root, 144);
AT(fusex_setup, root_handle, 360);
SIZE(fusex_clone, 16);
SIZE(fusex_backing, 56);
AT(fusex_backing, members, 24);
SIZE(fusex_backing_remove, 16);
SIZE(fusex_in_header, 56);
AT(fusex_in_header, arg_len, 44);
AT(fusex_in_header, handle2_len, 50);
SIZE(fusex_out_header, 24);
SIZE(fusex_forget_one, 24);
SIZE(fusex_forget_in, 8);
SIZE(fusex_lookup_in, 8);
SIZE(fusex_entry_out, 384);
AT(fusex_entry_out, dir, 216);
SIZE(fusex_getattr_in, 16);
SIZE(fusex_attr_out, 176);
SIZE(fusex_setattr_in, 88);
AT(fusex_setattr_in, atime, 40);
SIZE(fusex_access_in, 8);
SIZE(fusex_xattr_rec, 8);
SIZE(fusex_make_in, 40);
SIZE(fusex_node_ref, 16);
SIZE(fusex_link_in, 24);
SIZE(fusex_unlink_in, 24);
SIZE(fusex_unlink_out, 336);
SIZE(fusex_rename_in, 32);
SIZE(fusex_rename_out, 672);
SIZE(fusex_open_in, 8);
SIZE(fusex_open_out, 16);
SIZE(fusex_release_in, 24);
SIZE(fusex_flush_in, 16);
SIZE(fusex_read_in, 32);
SIZE(fusex_write_in, 48);
SIZE(fusex_write_out, 192);
SIZE(fusex_fsync_in, 32);
SIZE(fusex_readdir_in, 24);
SIZE(fusex_dirent, 24);
SIZE(fusex_fallocate_in, 32);
SIZE(fusex_lseek_in, 24);
SIZE(fusex_lseek_out, 8);
SIZE(fusex_copy_range_in, 64);
SIZE(fusex_xattr_in, 16);
SIZE(fusex_xattr_out, 8);
SIZE(fusex_fileattr, 32);
SIZE(fusex_lock, 48);
SIZE(fusex_ioctl_in, 24);
SIZE(fusex_ioctl_out, 8);
SIZE(fusex_poll_in, 24);
SIZE(fusex_poll_out, 8);
SIZE(fusex_statfs_out, 56);
SIZE(fusex_cancel_in, 8);
SIZE(fusex_map, 32);
AT(fusex_map, type, 24);
AT(fusex_map, dev, 28);
SIZE(fusex_map_begin_in, 32);
AT(fusex_map_begin_in, size, 24);
SIZE(fusex_map_begin_out, 256);
AT(fusex_map_begin_out, lease, 64);
AT(fusex_map_begin_out, attr, 88);
SIZE(fusex_map_end_in, 32);
AT(fusex_map_end_in, op, 24);
SIZE(fusex_map_ioend_in, 64);
AT(fusex_map_ioend_in, size, 32);
AT(fusex_map_ioend_in, error, 40);
SIZE(fusex_map_return_in, 32);
AT(fusex_map_return_in, error, 24);
SIZE(fusex_freeze_in, 8);
SIZE(fusex_shutdown_in, 8);
SIZE(fusex_notify_inode, 32);
SIZE(fusex_notify_entry, 32);
SIZE(fusex_notify_prune, 8);
SIZE(fusex_notify_poll, 8);
SIZE(fusex_notify_upsert, 32);
AT(fusex_notify_upsert, lease, 16);
SIZE(fusex_notify_map, 32);
AT(fusex_notify_map, offset, 16);
SIZE(fusex_notify_recall, 40);
AT(fusex_notify_recall, lease, 16);
SIZE(fusex_notify_dev, 24);
AT(fusex_notify_dev, offset, 8);

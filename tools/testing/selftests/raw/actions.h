/* SPDX-License-Identifier: GPL-2.0 */
/* System calls that make one request each, for tables of cases. */
#ifndef SELFTESTS_ACTIONS_H
#define SELFTESTS_ACTIONS_H

#include "raw.h"

/** raw_action - do it on the mount of @r; 0 or -errno */
typedef int (*raw_action)(struct raw *r);

int do_lookup(struct raw *r);
int do_getattr(struct raw *r);
int do_setattr(struct raw *r);
int do_truncate(struct raw *r);
int do_readlink(struct raw *r);
int do_create(struct raw *r);
int do_mknod(struct raw *r);
int do_mkdir(struct raw *r);
int do_symlink(struct raw *r);
int do_tmpfile(struct raw *r);
int do_link(struct raw *r);
int do_unlink(struct raw *r);
int do_rmdir(struct raw *r);
int do_rename(struct raw *r);
int do_open(struct raw *r);
int do_read(struct raw *r);
int do_write(struct raw *r);
int do_fsync(struct raw *r);
int do_readdir(struct raw *r);
int do_fallocate(struct raw *r);
int do_lseek(struct raw *r);
int do_copy(struct raw *r);
int do_getxattr(struct raw *r);
int do_setxattr(struct raw *r);
int do_listxattr(struct raw *r);
int do_removexattr(struct raw *r);
int do_getflags(struct raw *r);
int do_ioctl(struct raw *r);
int do_statfs(struct raw *r);
int do_syncfs(struct raw *r);

/** raw_actions - all of them, with the operation each is there for */
struct raw_action_of {
	const char *name;
	uint32_t op;
	raw_action act;
};

extern const struct raw_action_of raw_actions[];
extern const unsigned int raw_nr_actions;

#endif /* SELFTESTS_ACTIONS_H */

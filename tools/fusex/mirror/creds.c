// SPDX-License-Identifier: GPL-2.0
/*
 * New files belong to who made them.
 *
 * A file is born with the file system ids of the thread that makes it, so that
 * it is never anybody else's.  Changing those ids normally takes capabilities
 * away, but the kernel that is served has checked permissions already, and has
 * groups and ACLs to go by that are not known here: the capabilities are kept.
 *
 * Everything else is done with the server's own ids.  A thread must not keep the
 * others: those that it starts would begin with them, and a file system
 * underneath may go by them (NFS asks its server in their name).
 *
 * Where that is not allowed a new file is given away after it was made.
 */
#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mirror.h"

static bool can_switch;
static uint32_t own_uid, own_gid;

void creds_init(void)
{
	int bits = prctl(PR_GET_SECUREBITS);

	own_uid = geteuid();
	own_gid = getegid();
	can_switch = bits >= 0 && !own_uid &&
		     !prctl(PR_SET_SECUREBITS,
			    (unsigned long)bits | SECBIT_NO_SETUID_FIXUP);
}

void creds_become(uint32_t uid, uint32_t gid)
{
	if (!can_switch)
		return;
	/* The system calls: the library's change all threads, or say nothing. */
	if (gid != own_gid)
		syscall(SYS_setfsgid, gid);
	if (uid != own_uid)
		syscall(SYS_setfsuid, uid);
}

void creds_restore(uint32_t uid, uint32_t gid)
{
	if (!can_switch)
		return;
	if (uid != own_uid)
		syscall(SYS_setfsuid, own_uid);
	if (gid != own_gid)
		syscall(SYS_setfsgid, own_gid);
}

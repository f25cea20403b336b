// SPDX-License-Identifier: GPL-2.0
/*
 * New files belong to who made them.
 *
 * A file is born with the file system ids of the thread that makes it, so that
 * it is never anybody else's.  Changing those ids normally takes capabilities
 * away, but the kernel that is served has checked permissions already, and has
 * groups and ACLs to go by that are not known here: the capabilities are kept.
 *
 * Where that is not allowed a new file is given away after it was made.
 */
#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "mirror.h"

static bool can_switch;

static thread_local struct {
	bool		known;
	uint32_t	uid;
	uint32_t	gid;
} now;

void creds_init(void)
{
	int bits = prctl(PR_GET_SECUREBITS);

	can_switch = bits >= 0 && !geteuid() &&
		     !prctl(PR_SET_SECUREBITS,
			    (unsigned long)bits | SECBIT_NO_SETUID_FIXUP);
}

void creds_become(uint32_t uid, uint32_t gid)
{
	if (!can_switch)
		return;
	if (!now.known) {
		now.uid = geteuid();
		now.gid = getegid();
		now.known = true;
	}
	/* The system calls: the library's change all threads, or say nothing. */
	if (now.gid != gid)
		syscall(SYS_setfsgid, gid);
	if (now.uid != uid)
		syscall(SYS_setfsuid, uid);
	now.uid = uid;
	now.gid = gid;
}

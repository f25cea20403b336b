/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the background, without leaving the caller in the dark: the process that
 * was started waits until the one in the background says how it went, and exits
 * with that.
 */
#ifndef FUSEX_TOOLS_DAEMON_H
#define FUSEX_TOOLS_DAEMON_H

/**
 * daemon_start() - continue in another process
 *
 * Call it before there are threads.  Returns in the new process, which is still
 * attached to the terminal, and must call daemon_ready() when it serves.  Of what
 * was open only the standard descriptors are in there.  If it exits before, the
 * process that was started exits with the same status.
 *
 * Return: 0 or -errno.
 */
int daemon_start(void);

/**
 * daemon_ready() - it works: let the caller go on
 * @name: for syslog, where messages go from now on
 *
 * Leaves the terminal and the working directory.  Does nothing when
 * daemon_start() was not called.
 *
 * Return: 0 or -errno.
 */
int daemon_ready(const char *name);

struct fusex_session;

/** daemon_still_mounted() - says so, for struct fusex_run_options */
void daemon_still_mounted(struct fusex_session *se, const char *where,
			  int error);

#endif

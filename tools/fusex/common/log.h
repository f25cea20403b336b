/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tools have to say, to stderr or, once they are in the background, to
 * syslog.
 */
#ifndef FUSEX_TOOLS_LOG_H
#define FUSEX_TOOLS_LOG_H

/** log_to_syslog() - from now on messages go to syslog, as @name[pid] */
void log_to_syslog(const char *name);

/** log_error() - a failure; one line, without a newline */
__attribute__((format(printf, 1, 2)))
void log_error(const char *fmt, ...);

/** log_warning() - it goes on, but somebody should know */
__attribute__((format(printf, 1, 2)))
void log_warning(const char *fmt, ...);

#endif

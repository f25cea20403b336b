/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUSEX_CRASH_H
#define FUSEX_CRASH_H

/**
 * replay() - make an image of what a log of dm-log-writes has, step by step
 * @log: the device with the log
 * @image: where to, as it was when the log was begun
 * @command: run by the shell whenever what was written so far is durable, with
 *	the last mark as its argument, -1 for none
 *
 * Return: 0, or 1 after the reason was printed.
 */
int replay(const char *log, const char *image, const char *command);

#endif

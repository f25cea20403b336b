// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

/* Where the process that was started waits; -1 when nobody does. */
static int ready_fd = -1;

/* Exits with 0 when told so, and as the other process did when not. */
static void wait_for_ready(int fd, pid_t pid)
{
	ssize_t n;
	int status;
	char c;

	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/*
 * Not this program's business, and it stays: it would keep a lock of its
 * caller's, or a file system from being unmounted.
 */
static void close_inherited(int own)
{
	if (own > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned int)own - 1, 0);
	close_range((unsigned int)own + 1, ~0U, 0);
}

/* Nothing else may get their numbers: daemon_ready() replaces them. */
static int open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

int daemon_start(void)
{
	int fds[2], err;
	pid_t pid;

	err = open_standard();
	if (err)
		return err;
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid) {
		close(fds[1]);
		wait_for_ready(fds[0], pid);
	}
	ready_fd = fds[1];
	close_inherited(ready_fd);
	return 0;
}

int daemon_ready(const char *name)
{
	int null, err;

	if (ready_fd < 0)
		return 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (setsid() < 0 || chdir("/"))
		goto fail;
	log_to_syslog(name);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || write(ready_fd, "", 1) != 1)
		goto fail;
	close(null);
	close(ready_fd);
	ready_fd = -1;
	return 0;
fail:
	err = -errno;
	close(null);
	return err;
}

void daemon_still_mounted(struct fusex_session *se, const char *where,
			  int error)
{
	(void)se;
	if (error)
		log_error("it is still mounted on %s, and what was written there is not safe: %s",
			  where, strerror(-error));
	else
		log_warning("it is still mounted on %s, and served until it is unmounted there, too",
			    where);
}

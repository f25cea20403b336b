// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is said when the kernel refuses a setup.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../src/internal.h"
#include "fake.h"
#include "tap.h"

static const struct fusex_ops ops;
static struct fusex_setup asked;
static int error;

/* The kernel's side; takes the place of libc's. */
int ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (cmd == FUSEX_IOC_SETUP)
		asked = *(struct fusex_setup *)arg;
	errno = error;
	return error ? -1 : 0;
}

/* A kernel that says @err: is @text said to whoever runs the server? */
static void refused(int err, uint32_t io_mode, uint32_t io_modes,
		    const char *text, const char *what)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fusex_session *se;
	struct fusex_config cfg;

	fusex_config_init(&cfg, sizeof(cfg));
	cfg.io_mode = io_mode;
	cfg.io_modes = io_modes;
	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
	error = err;
	is(fusex_session_setup(se, fd), -err, what);
	error = 0;
	ok(asked.io_mode == io_mode && asked.io_modes == io_modes,
	   "%s: the kernel was asked", what);
	ok(strstr(fusex_session_error(se), text), "%s: %s", what,
	   fusex_session_error(se));
	is(fcntl(fd, F_GETFD), -1, "the descriptor was the session's");
	fusex_session_free(se);
}

/* A kernel without FS_DAX. */
static void test_no_dax(void)
{
	refused(EOPNOTSUPP, FUSEX_IO_DAX, 0, "no dax mode", "dax mode");
	refused(EOPNOTSUPP, FUSEX_IO_IOMAP, 1u << FUSEX_IO_DAX, "no dax mode",
		"dax among the modes");
}

static void test_no_mode(void)
{
	refused(EOPNOTSUPP, FUSEX_IO_IOMAP, 1u << FUSEX_IO_PLAIN,
		"lacks an I/O mode", "another mode");
}

static void test_release(void)
{
	refused(EPROTONOSUPPORT, FUSEX_IO_PLAIN, 0, "different releases",
		"another release");
	refused(EBUSY, FUSEX_IO_PLAIN, 0, "in use already", "in use");
}

int main(void)
{
	test_no_dax();
	test_no_mode();
	test_release();
	return tap_end();
}

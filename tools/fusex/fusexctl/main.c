// SPDX-License-Identifier: GPL-2.0
/*
 * fusexctl: look at and control what is mounted.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fusexctl.h"
#include "log.h"

static void show_usage(FILE *to)
{
	fprintf(to,
		"usage: fusexctl [--json] COMMAND [DEV [MS]]\n\n"
		"  list            the mounts\n"
		"  stats DEV       what was asked of a server, and how long it took\n"
		"  abort DEV       end every request, now and from now on\n"
		"  timeout DEV     show the deadline of a request in milliseconds\n"
		"  timeout DEV MS  set it, 0 for none\n\n"
		"DEV is MAJOR:MINOR as 'list' shows it, or a mount point.\n");
}

static int cmd_abort(const char *dev, bool json)
{
	struct json j = { .depth = 0 };

	if (sysfs_write(dev, "abort", "1"))
		return 1;
	if (json) {
		json_open(&j, NULL, '{');
		json_string(&j, "dev", dev);
		json_string(&j, "state", "dead");
		json_close(&j, '}');
	}
	return 0;
}

static int set_timeout(const char *dev, const char *value)
{
	unsigned long ms;
	char *end;

	errno = 0;
	ms = strtoul(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || ms > UINT32_MAX) {
		log_error("not a number of milliseconds: %s", value);
		return 2;
	}
	return sysfs_write(dev, "timeout_ms", value) ? 1 : 0;
}

static int cmd_timeout(const char *dev, const char *value, bool json)
{
	int ret = value ? set_timeout(dev, value) : 0;
	struct json j = { .depth = 0 };
	unsigned long long ms;

	if (ret)
		return ret;
	ms = sysfs_number(dev, "timeout_ms");
	if (json) {
		json_open(&j, NULL, '{');
		json_string(&j, "dev", dev);
		json_number(&j, "timeout_ms", ms);
		json_close(&j, '}');
	} else if (!value) {
		printf("%llu\n", (unsigned long long)ms);
	}
	return 0;
}

/* Commands about one mount. */
static int dev_command(const char *cmd, char **args, int count, bool json)
{
	char dev[DEV_MAX];

	if (mounts_resolve(args[0], dev))
		return 1;
	if (!strcmp(cmd, "timeout"))
		return cmd_timeout(dev, count > 1 ? args[1] : NULL, json);
	if (!strcmp(cmd, "abort"))
		return cmd_abort(dev, json);
	return cmd_stats(dev, json);
}

static int bad_usage(void)
{
	show_usage(stderr);
	return 2;
}

static int dispatch(char **args, int count, bool json)
{
	if (!count)
		return bad_usage();
	if (!strcmp(args[0], "list"))
		return count == 1 ? cmd_list(json) : bad_usage();
	if (strcmp(args[0], "stats") && strcmp(args[0], "abort") &&
	    strcmp(args[0], "timeout")) {
		log_error("no command is called %s", args[0]);
		return bad_usage();
	}
	if (count < 2 || count > (strcmp(args[0], "timeout") ? 2 : 3))
		return bad_usage();
	return dev_command(args[0], args + 1, count - 1, json);
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "jh", longopts, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			show_usage(stdout);
			return 0;
		default:
			return bad_usage();
		}
	}
	return dispatch(argv + optind, argc - optind, json);
}

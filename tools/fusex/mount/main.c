// SPDX-License-Identifier: GPL-2.0
/*
 * mount.fusex: what mount(8) calls for -t fusex.SERVER.  Starts fusex-SERVER,
 * which returns when it is mounted.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "options.h"

#define SAFE_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What mount(8) expects, see "EXIT STATUS" there. */
#define EXIT_USAGE	1
#define EXIT_SYSTEM	2
#define EXIT_FAIL	32

/**
 * struct request - what mount(8) wants
 * @source: first argument
 * @target: mount point
 * @server: after the dot of the type
 * @options: for the server, NULL for none
 * @kept: those of them that every mount has, NULL for none
 * @remount: change an existing mount
 * @fake: do nothing
 */
struct request {
	const char	*source;
	const char	*target;
	const char	*server;
	char		*options;
	char		*kept;
	bool		remount;
	bool		fake;
};

/* What a mount that is there can take; what it shows stays what it was. */
static bool is_changeable(const char *name)
{
	return !strcmp(name, "bind") ||
	       (options_is_mount(name) && strcmp(name, "source"));
}

/* fstab's options are for others; the rest is the server's to judge. */
static int take_option(const char *one, struct request *rq)
{
	char name[64];
	int ret;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(one, "="), one);
	if (!strcmp(name, "remount")) {
		rq->remount = true;
		return 0;
	}
	if (!*name || options_is_fstab(name))
		return 0;
	ret = options_append(&rq->options, one, NULL);
	if (!ret && is_changeable(name))
		ret = options_append(&rq->kept, one, NULL);
	return ret;
}

static int take_options(const char *text, struct request *rq)
{
	char *copy = strdup(text), *rest = copy, *one;
	int ret = copy ? 0 : -ENOMEM;

	while (!ret && (one = options_next(&rest)))
		ret = take_option(one, rq);
	free(copy);
	if (ret)
		log_error("out of memory");
	return ret;
}

static int take_type(const char *type, struct request *rq)
{
	const char *p;

	if (!strncmp(type, "fusex.", 6))
		type += 6;
	else if (!strcmp(type, "fusex"))
		return 0;
	for (p = type; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_') {
			log_error("no server can be called '%s'", type);
			return -EINVAL;
		}
	}
	rq->server = *type ? type : NULL;
	return 0;
}

static int show_usage(void)
{
	fprintf(stderr,
		"usage: mount.fusex SOURCE MOUNTPOINT -t fusex.SERVER [-o OPTIONS] [-fnsv]\n"
		"It is meant to be called by mount(8): mount -t fusex.SERVER SOURCE MOUNTPOINT\n");
	return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct request *rq)
{
	int c;

	/* The arguments come first, and -N NS names a namespace: not for us. */
	while ((c = getopt(argc, argv, "fnsvo:t:")) != -1) {
		switch (c) {
		case 'f':
			rq->fake = true;
			break;
		case 'n':
		case 's':
		case 'v':
			break;
		case 'o':
			if (take_options(optarg, rq))
				return EXIT_SYSTEM;
			break;
		case 't':
			if (take_type(optarg, rq))
				return EXIT_USAGE;
			break;
		default:
			return show_usage();
		}
	}
	if (argc - optind != 2)
		return show_usage();
	rq->source = argv[optind];
	rq->target = argv[optind + 1];
	return 0;
}

/*
 * What is there already needs no server; mount(8) without helpers can do it.
 * The server's options cannot change any more, but mount(8) repeats them from
 * fstab, and so do people: they go no further.  With the source given mount(8)
 * does not add them again.
 */
static int remount(struct request *rq)
{
	char *options = NULL;

	if (options_append(&options, "remount", NULL) ||
	    (rq->kept && options_append(&options, rq->kept, NULL))) {
		log_error("out of memory");
		return EXIT_SYSTEM;
	}
	execlp("mount", "mount", "-i", "-o", options, "--", rq->source,
	       rq->target, (char *)NULL);
	log_error("cannot run mount: %s", strerror(errno));
	free(options);
	return EXIT_SYSTEM;
}

static int start_server(struct request *rq)
{
	char *program = NULL;

	if (!rq->server) {
		log_error("say which server: mount -t fusex.SERVER, for example fusex.mirror");
		return EXIT_USAGE;
	}
	if (asprintf(&program, "fusex-%s", rq->server) < 0) {
		log_error("out of memory");
		return EXIT_SYSTEM;
	}
	if (rq->options)
		execlp(program, program, "-o", rq->options, "--", rq->source,
		       rq->target, (char *)NULL);
	else
		execlp(program, program, "--", rq->source, rq->target,
		       (char *)NULL);
	if (errno == ENOENT)
		log_error("there is no server '%s': no program %s in %s",
			  rq->server, program, getenv("PATH"));
	else
		log_error("cannot run %s: %s", program, strerror(errno));
	free(program);
	return EXIT_FAIL;
}

int main(int argc, char **argv)
{
	struct request rq = { .fake = false };
	int ret;

	/* At boot, and for a user's mount, PATH may be anything. */
	setenv("PATH", SAFE_PATH, 1);
	ret = parse(argc, argv, &rq);
	if (!ret && rq.remount)
		ret = rq.fake ? 0 : remount(&rq);
	else if (!ret && !rq.fake)
		ret = start_server(&rq);
	free(rq.options);
	free(rq.kept);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * fusex-mirror: a directory tree, again, somewhere else.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "mirror.h"
#include "options.h"

#define PROGRAM		"fusex-mirror"

/* Descriptors that are not the cache's: channels, requests' own, libraries'. */
#define FDS_RESERVED	256u
#define FDS_MIN		32u
/* Those of them that are there in any case. */
#define FDS_OWN		32u
/* Threads at most, when nobody says how many. */
#define THREADS_MAX	64u
/* With handles, what is open is a matter of speed only. */
#define FDS_HANDLES	4096u

/**
 * struct settings - what the command line says
 * @source: the tree
 * @target: where to
 * @foreground: do not go into the background
 * @io: enum fusex_io_mode
 * @rules: for files of certain names
 * @attr: enum fusex_attr_mode
 * @valid: nanoseconds for which names and attributes may be cached
 * @timeout: nanoseconds, deadline of a request
 * @threads: workers to begin with
 * @max_threads: and at most
 * @fds: descriptors of files, 0 for a sensible number
 * @readonly: the mount is read-only to begin with
 * @mount: options of the mount
 */
struct settings {
	const char	*source;
	const char	*target;
	bool		foreground;
	uint32_t	io;
	struct mode_rule *rules;
	uint32_t	attr;
	uint64_t	valid;
	uint64_t	timeout;
	uint32_t	threads;
	uint32_t	max_threads;
	uint32_t	fds;
	bool		readonly;
	char		*mount;
};

static struct settings set = {
	.io	= FUSEX_IO_PLAIN,
	.attr	= FUSEX_ATTR_REMOTE,
	.valid	= 1000000000,
};

static const struct option_choice io_modes[] = {
	{ "plain",	FUSEX_IO_PLAIN },
	{ "direct",	FUSEX_IO_DIRECT },
	{ "writeback",	FUSEX_IO_WRITEBACK },
	{ "passthrough", FUSEX_IO_PASSTHROUGH },
	{ NULL,		0 }
};

static const struct option_choice attr_modes[] = {
	{ "local",	FUSEX_ATTR_LOCAL },
	{ "remote",	FUSEX_ATTR_REMOTE },
	{ NULL,		0 }
};

static int add_rule(const char *value)
{
	const char *colon = strrchr(value, ':');
	const struct option_choice *c;
	int ret;

	for (c = io_modes; colon && c->word; c++) {
		if (strcmp(c->word, colon + 1))
			continue;
		ret = modes_add_rule(&set.rules, value,
				     (size_t)(colon - value), c->value);
		if (ret)
			log_error("io-rule: %s", strerror(-ret));
		return ret;
	}
	log_error("io-rule=%s is no pattern, colon and mode, such as io-rule=*.db:direct",
		  value);
	return -EINVAL;
}

static const struct option_desc options[] = {
	{ "io", OPTION_CHOICE, &set.io, 0, 0, io_modes,
	  "plain|direct|writeback|passthrough", "how data moves (plain)", NULL },
	{ "io-rule", OPTION_CALL, NULL, 0, 0, NULL, "GLOB:MODE",
	  "how data of files of such a name moves", add_rule },
	{ "attr", OPTION_CHOICE, &set.attr, 0, 0, attr_modes,
	  "local|remote",
	  "local: nobody else changes the source (remote)", NULL },
	{ "valid", OPTION_SECONDS, &set.valid, 0, 0, NULL, "SECONDS",
	  "remote: how long names and attributes are believed (1)", NULL },
	{ "timeout", OPTION_SECONDS, &set.timeout, 0, 0, NULL, "SECONDS",
	  "a request that takes longer fails (0: never)", NULL },
	{ "threads", OPTION_UINT, &set.threads, 0, 1024, NULL, "COUNT",
	  "threads to begin with (0: by CPUs)", NULL },
	{ "max_threads", OPTION_UINT, &set.max_threads, 0, 4096, NULL, "COUNT",
	  "threads at most (0: 64)", NULL },
	{ "fds", OPTION_UINT, &set.fds, FDS_MIN, 1u << 30, NULL, "COUNT",
	  "files open at most", NULL },
	{ NULL, OPTION_FLAG, NULL, 0, 0, NULL, NULL, NULL, NULL }
};

static const struct fusex_ops mirror_ops = {
	.lookup		= mirror_lookup,
	.forget		= mirror_forget,
	.getattr	= mirror_getattr,
	.setattr	= mirror_setattr,
	.readlink	= mirror_readlink,
	.create		= mirror_create,
	.mknod		= mirror_mknod,
	.mkdir		= mirror_mkdir,
	.symlink	= mirror_symlink,
	.tmpfile	= mirror_tmpfile,
	.link		= mirror_link,
	.unlink		= mirror_unlink,
	.rmdir		= mirror_rmdir,
	.rename		= mirror_rename,
	.read		= mirror_read,
	.write		= mirror_write,
	.fsync		= mirror_fsync,
	.readdir	= mirror_readdir,
	.fallocate	= mirror_fallocate,
	.lseek		= mirror_lseek,
	.copy_range	= mirror_copy_range,
	.getxattr	= mirror_getxattr,
	.setxattr	= mirror_setxattr,
	.listxattr	= mirror_listxattr,
	.removexattr	= mirror_removexattr,
	.fileattr_get	= mirror_fileattr_get,
	.fileattr_set	= mirror_fileattr_set,
	.statfs		= mirror_statfs,
	.syncfs		= mirror_syncfs,
	.resolve	= mirror_resolve,
	.parent		= mirror_parent,
};

static void show_usage(void)
{
	printf("usage: " PROGRAM " [-f] [-o OPTION,...] SOURCE MOUNTPOINT\n\n"
	       "Shows the directory tree SOURCE again at MOUNTPOINT.\n\n"
	       "  -f  stay in the foreground, messages go to stderr\n"
	       "  -o  options, with defaults in brackets:\n\n");
	options_help(options);
}

static int parse(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "fo:h", longopts, NULL)) != -1) {
		switch (c) {
		case 'f':
			set.foreground = true;
			break;
		case 'o':
			if (options_parse(options, optarg, &set.mount))
				return 2;
			break;
		case 'h':
			show_usage();
			exit(0);
		default:
			return 2;
		}
	}
	if (argc - optind != 2) {
		log_error("SOURCE and MOUNTPOINT are needed, see --help");
		return 2;
	}
	if (set.max_threads && set.threads > set.max_threads) {
		log_error("threads=%u is more than max_threads=%u",
			  set.threads, set.max_threads);
		return 2;
	}
	set.source = argv[optind];
	set.target = argv[optind + 1];
	return 0;
}

/* Does reading change no access time, as far as the mount is asked for? */
static bool without_atime(void)
{
	return set.readonly || (options_has(set.mount, "noatime", "atime") &&
				options_has(set.mount, "noatime", "relatime") &&
				options_has(set.mount, "noatime", "strictatime"));
}

/* The mount is shown with what it mirrors, unless told otherwise. */
static int finish_options(void)
{
	set.readonly = options_has(set.mount, "ro", "rw");
	return options_source(&set.mount, set.source);
}

/* The source is not asked when a file is opened, so the mount has to tell. */
static int follow_source(const struct mirror *m)
{
	struct statvfs st;

	if (set.readonly || fstatvfs(m->root_fd, &st) ||
	    !(st.f_flag & ST_RDONLY))
		return 0;
	log_warning("%s is read-only, and so is the mount", set.source);
	set.readonly = true;
	return options_append(&set.mount, "ro", NULL);
}

/* Each thread has a descriptor, and is not to take it from the files. */
static void limit_threads(unsigned int fds)
{
	unsigned int most = fds > FDS_OWN + 4 ? fds - FDS_OWN : 4;

	if (!set.max_threads)
		set.max_threads = set.threads > THREADS_MAX ? set.threads :
							      THREADS_MAX;
	if (set.max_threads > most)
		set.max_threads = most;
	if (set.threads > set.max_threads)
		set.threads = set.max_threads;
}

/*
 * Returns how many descriptors nodes may have, and with those of files that were
 * deleted and have to stay open.
 */
static unsigned int raise_limits(bool handles, unsigned int *most)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned int max = 1024, reserved = FDS_RESERVED;
	struct rlimit r;

	/* How large a file may be is checked where it is written. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &all);
	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
		getrlimit(RLIMIT_NOFILE, &r);
		max = r.rlim_cur < 1u << 30 ? (unsigned int)r.rlim_cur :
					      1u << 30;
	}
	/* Each thread has a descriptor of the channel. */
	reserved += set.threads > set.max_threads ? set.threads :
						    set.max_threads;
	if (max > 2 * reserved) {
		max -= reserved;
	} else {
		max /= 2;
		limit_threads(max);
	}
	if (set.fds && set.fds < max)
		max = set.fds;
	*most = max;
	if (!set.fds && handles && max > FDS_HANDLES)
		max = FDS_HANDLES;
	return max;
}

static uint32_t milliseconds(uint64_t ns)
{
	uint64_t ms = (ns + 999999) / 1000000;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void configure(const struct mirror *m, struct fusex_config *cfg)
{
	cfg->io_mode = m->io;
	cfg->io_modes = modes_used(m);
	cfg->attr_mode = set.attr;
	cfg->timeout_ms = milliseconds(set.timeout);
	/* The source keeps writes apart, and mappings see what others wrote. */
	cfg->optional |= FUSEX_F_PARALLEL_WRITES | FUSEX_F_DIRECT_MMAP;
	if (m->acls)
		cfg->optional |= FUSEX_F_POSIX_ACL;
	if (m->handles)
		cfg->handle_size = MIRROR_HANDLE_MAX;
	strcpy(cfg->subtype, "mirror");
	limits_probe(m, cfg, set.readonly);
}

static struct fusex_session *new_session(struct mirror *m,
					 const struct fusex_config *cfg)
{
	struct fusex_ops ops = mirror_ops;
	struct fusex_session *se;

	/* Without handles a node that was forgotten cannot be found. */
	if (!m->handles) {
		ops.resolve = NULL;
		ops.parent = NULL;
	}
	/*
	 * Who cannot open every file again has those that are read-only open as
	 * long as the program that made them, which data has to come before.
	 */
	if (geteuid() && cfg->io_modes & 1u << FUSEX_IO_WRITEBACK)
		ops.flush = mirror_flush;
	se = fusex_session_new(&ops, sizeof(ops), cfg, m);
	if (!se)
		log_error("cannot make a session: %s", strerror(errno));
	return se;
}

/* Those that fusex_run() takes for a wish to end. */
static void block_signals(void)
{
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &end, NULL);
}

/* Mounts, tells the caller so, and serves until unmounted. */
static int mount_and_run(struct mirror *m, const char *target)
{
	const struct fusex_run_options run = {
		.size = sizeof(run),
		.flags = FUSEX_RUN_SIGNALS,
		.threads = set.threads,
		.max_threads = set.max_threads,
		.still_mounted = daemon_still_mounted,
	};
	int ret;

	/* What comes before fusex_run() looks must not leave the mount behind. */
	block_signals();
	ret = fusex_session_mount(m->se, target, set.mount);
	if (ret) {
		log_error("%s", fusex_session_error(m->se));
		return 1;
	}
	ret = daemon_ready(PROGRAM);
	if (!ret)
		ret = house_start(m);
	if (ret) {
		log_error("cannot start to serve: %s", strerror(-ret));
		return 1;
	}
	ret = fusex_run(m->se, &run);
	if (ret)
		log_error("%s", fusex_session_error(m->se));
	house_stop(m);
	(void)fusex_session_unmount(m->se);
	return ret ? 1 : 0;
}

/* The session is the caller's to free. */
static int mirror_main(struct mirror *m, const char *target,
		       struct fusex_session **se)
{
	unsigned int limit, most;
	struct fusex_config cfg;
	int ret;

	fusex_config_init(&cfg, sizeof(cfg));
	limit = raise_limits(m->handles, &most);
	ret = nodes_init(m, limit, &cfg.root);
	if (!ret)
		fdcache_set_most(m->fds, most);
	if (!ret)
		ret = dirs_init(m);
	if (ret) {
		log_error("cannot mirror %s: %s", set.source, strerror(-ret));
		nodes_exit(m);
		return 1;
	}
	configure(m, &cfg);
	ret = 1;
	*se = new_session(m, &cfg);
	if (*se) {
		m->se = *se;
		ret = mount_and_run(m, target);
		/* What goes now goes without the kernel's being told. */
		m->se = NULL;
	}
	dirs_exit(m);
	nodes_exit(m);
	return ret;
}

/* Returns its absolute path, to be freed, or NULL after the reason was logged. */
static char *mount_point(const char *path)
{
	char *real = realpath(path, NULL);
	struct stat st;

	if (real && !stat(real, &st) && !S_ISDIR(st.st_mode)) {
		free(real);
		real = NULL;
		errno = ENOTDIR;
	}
	if (!real)
		log_error("cannot mount on %s: %s", path, strerror(errno));
	return real;
}

int main(int argc, char **argv)
{
	struct mirror m = { .local = false };
	struct fusex_session *se = NULL;
	char *target;
	int ret;

	ret = parse(argc, argv);
	if (ret)
		return ret;
	/* Absolute: the working directory is left before it is unmounted. */
	target = mount_point(set.target);
	if (!target)
		return 1;
	ret = finish_options();
	if (!ret && !set.foreground)
		ret = daemon_start();
	if (ret) {
		log_error("%s", strerror(-ret));
		return 1;
	}
	umask(0);
	/* What is allocated is small and short-lived: one arena is enough. */
	mallopt(M_ARENA_MAX, 1);
	creds_init();
	m.local = set.attr == FUSEX_ATTR_LOCAL;
	m.io = set.io;
	m.rules = set.rules;
	m.valid = set.valid;
	ret = 1;
	if (!source_open(&m, set.source, without_atime())) {
		if (follow_source(&m))
			log_error("out of memory");
		else
			ret = mirror_main(&m, target, &se);
		source_close(&m);
		/* Whoever unmounted has waited until the source is not in use. */
		fusex_session_free(se);
	}
	free(target);
	free(set.mount);
	return ret;
}

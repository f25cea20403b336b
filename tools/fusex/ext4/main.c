// SPDX-License-Identifier: GPL-2.0
/*
 * fusex-ext4: ext4 by a process.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "again.h"
#include "daemon.h"
#include "log.h"
#include "ops.h"
#include "options.h"

#define PROGRAM		"fusex-ext4"

#define COMMIT_SECONDS	5

/**
 * struct settings - what the command line says
 * @source: device or image
 * @target: where to
 * @foreground: do not go into the background
 * @io: enum fusex_io_mode
 * @attr: enum fusex_attr_mode
 * @lease: seconds for which mappings are good then, 0 for ever
 * @errors: EXT2_ERRORS_*, 0 for what the superblock says
 * @commit: seconds after which what changed is durable
 * @nofsck: refuse instead of running e2fsck
 * @threads: workers to begin with
 * @max_threads: and at most
 * @readonly: the mount is read-only
 * @mount: options of the mount
 * @given: all options, as they were given
 */
struct settings {
	const char	*source;
	const char	*target;
	bool		foreground;
	uint32_t	io;
	uint32_t	attr;
	uint32_t	lease;
	uint32_t	errors;
	uint32_t	commit;
	bool		nofsck;
	uint32_t	threads;
	uint32_t	max_threads;
	bool		readonly;
	char		*mount;
	char		*given;
};

static struct settings set = {
	.io	= FUSEX_IO_IOMAP,
	.attr	= FUSEX_ATTR_LOCAL,
	.commit	= COMMIT_SECONDS,
};

static const struct option_choice io_modes[] = {
	{ "iomap",	FUSEX_IO_IOMAP },
	{ "dax",	FUSEX_IO_DAX },
	{ "plain",	FUSEX_IO_PLAIN },
	{ "writeback",	FUSEX_IO_WRITEBACK },
	{ NULL,		0 }
};

static const struct option_choice attr_modes[] = {
	{ "local",	FUSEX_ATTR_LOCAL },
	{ "remote",	FUSEX_ATTR_REMOTE },
	{ NULL,		0 }
};

static const struct option_choice error_words[] = {
	{ "continue",	EXT2_ERRORS_CONTINUE },
	{ "remount-ro",	EXT2_ERRORS_RO },
	{ "panic",	EXT2_ERRORS_PANIC },
	{ NULL,		0 }
};

static const struct option_desc options[] = {
	{ "io", OPTION_CHOICE, &set.io, 0, 0, io_modes,
	  "iomap|dax|plain|writeback", "how data moves (iomap)", NULL },
	{ "attr", OPTION_CHOICE, &set.attr, 0, 0, attr_modes, "local|remote",
	  "who owns sizes and times, kernel or server (local)", NULL },
	{ "lease", OPTION_UINT, &set.lease, 0, 86400, NULL, "SECONDS",
	  "how long mappings are good, remote (0: until recalled)", NULL },
	{ "errors", OPTION_CHOICE, &set.errors, 0, 0, error_words,
	  "continue|remount-ro|panic",
	  "what corruption leads to (as the superblock says)", NULL },
	{ "commit", OPTION_UINT, &set.commit, 1, 3600, NULL, "SECONDS",
	  "when changes are durable at the latest (5)", NULL },
	{ "nofsck", OPTION_FLAG, &set.nofsck, 0, 0, NULL, NULL,
	  "refuse what was not unmounted, do not run e2fsck", NULL },
	{ "threads", OPTION_UINT, &set.threads, 0, 1024, NULL, "COUNT",
	  "threads to begin with (0: by CPUs)", NULL },
	{ "max_threads", OPTION_UINT, &set.max_threads, 0, 4096, NULL, "COUNT",
	  "threads at most (0: 64)", NULL },
	{ NULL, OPTION_FLAG, NULL, 0, 0, NULL, NULL, NULL, NULL }
};

static void show_usage(void)
{
	printf("usage: " PROGRAM " [-f] [-o OPTION,...] DEVICE|IMAGE MOUNTPOINT\n\n"
	       "Mounts the ext4 file system on DEVICE or in IMAGE.\n\n"
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
			if (options_parse(options, optarg, &set.mount) ||
			    options_append(&set.given, optarg, NULL))
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
		log_error("DEVICE and MOUNTPOINT are needed, see --help");
		return 2;
	}
	set.source = argv[optind];
	set.target = argv[optind + 1];
	return 0;
}

static int finish_options(void)
{
	set.readonly = options_has(set.mount, "ro", "rw");
	return options_source(&set.mount, set.source);
}

/* Whether memory can be used as it is, and has to be. */
static int choose_dax(struct volume *v, struct fusex_config *cfg)
{
	bool wanted = set.io == FUSEX_IO_DAX;

	if (!v->iomap)
		return 0;
	if (device_is_memory(&v->dev) &&
	    block_size(v) == (uint64_t)sysconf(_SC_PAGESIZE)) {
		v->dax = wanted ? DAX_ALWAYS : DAX_FLAGGED;
		cfg->io_mode = FUSEX_IO_IOMAP;
		cfg->io_modes = 1u << FUSEX_IO_DAX;
		return 0;
	}
	if (!wanted)
		return 0;
	log_error("%s is no memory with blocks of a page: without dax there is -o io=iomap",
		  set.source);
	return -EOPNOTSUPP;
}

static int configure(struct volume *v, struct fusex_config *cfg)
{
	struct node *root;
	int ret;

	cfg->io_mode = set.io;
	cfg->attr_mode = set.attr;
	ret = choose_dax(v, cfg);
	if (ret)
		return ret;
	cfg->block_size = block_size(v);
	cfg->time_gran = v->inode_size > EXT2_GOOD_OLD_INODE_SIZE ?
				 1 : 1000000000;
	cfg->time_min = INT32_MIN;
	cfg->time_max = attr_time_max(v);
	cfg->max_file_size = size_max(v, true);
	cfg->optional |= FUSEX_F_POSIX_ACL | FUSEX_F_ATOMIC_WRITES;
	strcpy(cfg->subtype, "ext4");
	WR_LOCK(v);
	ret = node_get(v, EXT2_ROOT_INO, &root);
	if (!ret && !is_dir(root))
		ret = volume_corrupt(v, EXT2_ROOT_INO, "no directory");
	if (!ret)
		attr_entry(v, root, &cfg->root);
	UNLOCK(v);
	if (ret)
		log_error("cannot mount %s: %s", set.source, strerror(-ret));
	return ret;
}

static int add_device(struct volume *v)
{
	uint32_t access = FUSEX_BACKING_READ;
	int ret;

	if (!v->iomap)
		return 0;
	if (!v->dev.readonly)
		access |= FUSEX_BACKING_WRITE;
	ret = fusex_backing_add_dev(v->se, v->dax ? FUSEX_BACKING_DAX :
						    FUSEX_BACKING_BDEV,
				    v->dev.fd, access, &v->map_dev);
	if (ret && v->dax == DAX_FLAGGED) {
		/* Another partition has the memory, or this one is not aligned. */
		v->dax = DAX_NEVER;
		ret = fusex_backing_add_dev(v->se, FUSEX_BACKING_BDEV,
					    v->dev.fd, access, &v->map_dev);
	}
	if (ret)
		log_error("the kernel does not take %s: %s", v->dev.node,
			  strerror(-ret));
	return ret;
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

static int new_session(struct volume *v, const struct fusex_ops *ops,
		       const struct fusex_config *cfg)
{
	v->se = fusex_session_new(ops, sizeof(*ops), cfg, v);
	return v->se ? fusex_session_setup(v->se, -1) : -errno;
}

static int set_up(struct volume *v, const struct fusex_ops *ops,
		  struct fusex_config *cfg)
{
	int ret = new_session(v, ops, cfg);

	/* A kernel without FS_DAX: no file is in dax mode then. */
	if (ret == -EOPNOTSUPP && v->dax == DAX_FLAGGED) {
		fusex_session_free(v->se);
		v->dax = DAX_NEVER;
		cfg->io_modes = 0;
		ret = new_session(v, ops, cfg);
	}
	if (!v->se) {
		log_error("cannot make a session: %s", strerror(-ret));
		return ret;
	}
	if (ret) {
		log_error("%s", fusex_session_error(v->se));
		if (ret == -EOPNOTSUPP && v->dax == DAX_ALWAYS)
			log_error("without dax mode there is -o io=iomap");
		else if (ret == -EOPNOTSUPP && v->iomap)
			log_error("without iomap mode there is -o io=plain");
		return ret;
	}
	return add_device(v);
}

/* What a device cannot be written to, a mount better says beforehand. */
static int mount(struct volume *v, const char *target)
{
	int ret = 0;

	if (v->readonly && !set.readonly)
		ret = options_append(&set.mount, "ro", NULL);
	if (!ret)
		ret = fusex_session_mount(v->se, target, set.mount);
	if (ret)
		log_error("%s", fusex_session_error(v->se));
	return ret;
}

/* Mounts, tells the caller so, and serves until unmounted. */
static int mount_and_run(struct volume *v, const struct fusex_ops *ops,
			 struct fusex_config *cfg, const char *target)
{
	const struct fusex_run_options run = {
		.size = sizeof(run),
		.flags = FUSEX_RUN_SIGNALS,
		.threads = set.threads,
		.max_threads = set.max_threads,
		.still_mounted = daemon_still_mounted,
	};
	int ret;

	ret = set_up(v, ops, cfg);
	if (!ret)
		ret = mount(v, target);
	if (ret)
		return 1;
	ret = daemon_ready(PROGRAM);
	if (ret) {
		log_error("cannot start to serve: %s", strerror(-ret));
		/* It is mounted, and nobody is to wait for an answer. */
		fusex_session_free(v->se);
		v->se = NULL;
		return 1;
	}
	ret = fusex_run(v->se, &run);
	if (ret)
		log_error("%s", fusex_session_error(v->se));
	/* If it is mounted still, nobody is to use the device from now on. */
	(void)fusex_session_unmount(v->se);
	return ret ? 1 : 0;
}

static int serve(struct volume *v, const char *target)
{
	struct fusex_ops ops = ext4_ops;
	struct fusex_config cfg;

	fusex_config_init(&cfg, sizeof(cfg));
	if (configure(v, &cfg))
		return 1;
	/* The kernel finds out itself where it has the mappings. */
	if (v->iomap)
		ops.lseek = NULL;
	return mount_and_run(v, &ops, &cfg, target);
}

/* Returns its absolute path, to be freed, or NULL after the reason was logged. */
static char *absolute(const char *path, bool directory)
{
	char *real = realpath(path, NULL);
	struct stat st;

	if (real && directory && !stat(real, &st) && !S_ISDIR(st.st_mode)) {
		free(real);
		real = NULL;
		errno = ENOTDIR;
	}
	if (!real)
		log_error(directory ? "cannot mount on %s: %s" :
				      "cannot open %s: %s", path,
			  strerror(errno));
	return real;
}

/* Without it there is no second mount, but a first one. */
static void publish(const struct volume *v)
{
	int fd = v->dev.image_fd >= 0 ? v->dev.image_fd : v->dev.fd, ret;
	char *shown = options_show(options);

	ret = shown ? served_publish(fd, shown) : -ENOMEM;
	if (ret)
		log_warning("%s cannot be mounted in other places: %s",
			    set.source, strerror(-ret));
	free(shown);
}

/* Returns -ENOENT if it is not mounted, or else how to exit. */
static int run_again(const char *target)
{
	const struct again a = {
		.source = set.source,
		.target = target,
		.table = options,
		.given = set.given,
		.mount = set.mount,
	};
	int ret = again_mount(&a);

	return ret && ret != -ENOENT ? 1 : ret;
}

static int run(const char *source, const char *target)
{
	const struct volume_options o = {
		.readonly = set.readonly,
		.iomap = set.io == FUSEX_IO_IOMAP || set.io == FUSEX_IO_DAX,
		.remote = set.attr == FUSEX_ATTR_REMOTE,
		.lease = set.lease,
		.fsck = !set.nofsck,
		.errors = set.errors,
		.interval = set.commit,
	};
	struct fusex_session *se;
	struct volume *v;
	int ret, err;

	block_signals();
	if (volume_open(source, &o, &v))
		return 1;
	publish(v);
	ret = serve(v, target);
	se = v->se;
	v->se = NULL;
	err = volume_close(v);
	/* Whoever unmounted has waited for that. */
	fusex_session_free(se);
	if (err)
		log_error("%s: not everything could be written: %s", source,
			  strerror(-err));
	return err ? 1 : ret;
}

/* To be a server, as long as it is mounted. */
static int start(const char *source, const char *target)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int ret = finish_options();

	if (!ret && !set.foreground)
		ret = daemon_start();
	if (ret) {
		log_error("%s", strerror(-ret));
		return 1;
	}
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &all);
	/* To get memory it must not wait for data that waits for itself. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	mallopt(M_ARENA_MAX, 2);
	return run(source, target);
}

int main(int argc, char **argv)
{
	char *source, *target = NULL;
	int ret;

	ret = parse(argc, argv);
	if (ret)
		return ret;
	/* Absolute: the working directory is left before it is unmounted. */
	source = absolute(set.source, false);
	if (source)
		target = absolute(set.target, true);
	if (!target)
		return 1;
	ret = run_again(target);
	if (ret == -ENOENT)
		ret = start(source, target);
	free(source);
	free(target);
	free(set.mount);
	free(set.given);
	return ret;
}

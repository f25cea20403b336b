// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A file system with one file, "null", that swallows what is written and reads
 * as zeros.  It does nothing else, so what it takes is what the transport
 * takes.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fusex.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/**
 * struct null - the file system
 * @valid: nanoseconds for which names and attributes may be cached
 * @size: of the file, in bytes
 * @defer: answer GETATTR from another thread
 * @zeros: enough of them for the largest read
 * @lock: protects @waiting
 * @arrived: a request was put into @waiting
 * @waiting: the request that the other thread is to answer
 */
struct null {
	uint64_t		valid;
	uint64_t		size;
	bool			defer;
	void			*zeros;
	pthread_mutex_t		lock;
	pthread_cond_t		arrived;
	struct fusex_req	*waiting;
};

static void fill_attr(const struct null *null, uint64_t nodeid,
		      struct fusex_attr *attr)
{
	bool dir = nodeid == 1;

	attr->mask = FUSEX_ATTR_REQUIRED;
	attr->mode = dir ? S_IFDIR | 0755 : S_IFREG | 0666;
	attr->nlink = dir ? 2 : 1;
	attr->size = dir ? 0 : null->size;
}

static int null_lookup(struct fusex_req *req, const struct fusex_node *dir,
		       const char *name, struct fusex_entry_reply *out)
{
	const struct null *null = fusex_req_userdata(req);

	if (strcmp(name, "null") != 0)
		return -ENOENT;
	out->entry.nodeid = 2;
	out->entry.entry_valid = null->valid;
	out->entry.attr_valid = null->valid;
	out->entry.flags = FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
	fill_attr(null, out->entry.nodeid, &out->entry.attr);
	return 0;
}

static void hand_over(struct null *null, struct fusex_req *req)
{
	pthread_mutex_lock(&null->lock);
	while (null->waiting)
		pthread_cond_wait(&null->arrived, &null->lock);
	null->waiting = req;
	pthread_cond_broadcast(&null->arrived);
	pthread_mutex_unlock(&null->lock);
}

static void *answer_main(void *arg)
{
	struct null *null = arg;
	struct fusex_attr_out out = { .attr_valid = null->valid };
	struct fusex_req *req;

	for (;;) {
		pthread_mutex_lock(&null->lock);
		while (!null->waiting)
			pthread_cond_wait(&null->arrived, &null->lock);
		req = null->waiting;
		null->waiting = NULL;
		pthread_cond_broadcast(&null->arrived);
		pthread_mutex_unlock(&null->lock);

		fill_attr(null, fusex_req_header(req)->nodeid, &out.attr);
		fusex_reply_attr(req, &out);
	}
	return NULL;
}

static int null_getattr(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_getattr_in *in,
			struct fusex_attr_out *out)
{
	struct null *null = fusex_req_userdata(req);

	if (null->defer) {
		hand_over(null, req);
		return FUSEX_DEFERRED;
	}
	out->attr_valid = null->valid;
	fill_attr(null, node->nodeid, &out->attr);
	return 0;
}

static int null_setattr(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_setattr_in *in,
			struct fusex_attr_out *out)
{
	return 0;
}

static int null_readdir(struct fusex_req *req, const struct fusex_node *node,
			const struct fusex_readdir_in *in,
			struct fusex_dir *dir)
{
	int ret = 0;

	if (!in->cookie)
		ret = fusex_dir_add(dir, "null", 2, DT_REG, 1, NULL);
	fusex_dir_end(dir);
	return ret;
}

static ssize_t null_read(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_read_in *in, void *buf)
{
	const struct null *null = fusex_req_userdata(req);
	uint64_t left = in->offset < null->size ? null->size - in->offset : 0;

	fusex_reply_data(req, null->zeros, in->size < left ? in->size : left);
	return FUSEX_DEFERRED;
}

static int null_write(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_write_in *in, const void *buf,
		      struct fusex_write_out *out)
{
	return 0;
}

static int null_fsync(struct fusex_req *req, const struct fusex_node *node,
		      const struct fusex_fsync_in *in)
{
	return 0;
}

static int null_statfs(struct fusex_req *req, const struct fusex_node *node,
		       struct fusex_statfs_out *out)
{
	out->bsize = 4096;
	out->frsize = 4096;
	out->namelen = FUSEX_NAME_MAX;
	return 0;
}

static const struct fusex_ops null_ops = {
	.lookup		= null_lookup,
	.getattr	= null_getattr,
	.setattr	= null_setattr,
	.readdir	= null_readdir,
	.read		= null_read,
	.write		= null_write,
	.fsync		= null_fsync,
	.statfs		= null_statfs,
};

static void print_usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [options] MOUNTPOINT\n"
		"  -l        local attributes (default: remote)\n"
		"  -d        no page cache, when the kernel has direct mode\n"
		"  -v NSECS  names and attributes stay valid that long (default: 0)\n"
		"  -s BYTES  size of the file (default: 1 GiB)\n"
		"  -r BYTES  largest read request\n"
		"  -w BYTES  largest write request\n"
		"  -t COUNT  threads to start with\n"
		"  -T COUNT  most threads\n"
		"  -a        answer GETATTR from another thread\n"
		"  -o OPTS   mount options\n", name);
	exit(2);
}

/**
 * struct setup - what the command line says
 * @cfg: about the file system
 * @run: about the workers
 * @options: mount options
 */
struct setup {
	struct fusex_config	cfg;
	struct fusex_run_options run;
	const char		*options;
};

static uint64_t parse_number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		errx(2, "not a number: %s", text);
	return n;
}

static void parse(int argc, char **argv, struct setup *su, struct null *null)
{
	int c;

	while ((c = getopt(argc, argv, "ldv:s:r:w:t:T:ao:")) != -1) {
		switch (c) {
		case 'l':
			su->cfg.attr_mode = FUSEX_ATTR_LOCAL;
			break;
		case 'd':
			su->cfg.io_mode = FUSEX_IO_DIRECT;
			break;
		case 'v':
			null->valid = parse_number(optarg);
			break;
		case 's':
			null->size = parse_number(optarg);
			break;
		case 'r':
			su->cfg.max_read = (uint32_t)parse_number(optarg);
			break;
		case 'w':
			su->cfg.max_write = (uint32_t)parse_number(optarg);
			break;
		case 't':
			su->run.threads = (uint32_t)parse_number(optarg);
			break;
		case 'T':
			su->run.max_threads = (uint32_t)parse_number(optarg);
			break;
		case 'a':
			null->defer = true;
			break;
		case 'o':
			su->options = optarg;
			break;
		default:
			print_usage(argv[0]);
		}
	}
	if (optind + 1 != argc)
		print_usage(argv[0]);
}

static void start_answering(struct null *null)
{
	sigset_t all, old;
	pthread_t thread;

	if (!null->defer)
		return;
	/* Signals are fusex_run()'s. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, answer_main, null))
		errx(1, "cannot start a thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int serve(struct fusex_session *se, const struct setup *su,
		 const char *target, struct null *null)
{
	int ret = fusex_session_mount(se, target, su->options);

	if (ret)
		return ret;
	null->zeros = calloc(1, fusex_session_agreed(se)->max_read);
	if (!null->zeros)
		err(1, "calloc");
	start_answering(null);
	return fusex_run(se, &su->run);
}

int main(int argc, char **argv)
{
	struct null null = {
		.size	= 1 << 30,
		.lock	= PTHREAD_MUTEX_INITIALIZER,
		.arrived = PTHREAD_COND_INITIALIZER,
	};
	struct setup su = {
		.run = { sizeof(su.run), FUSEX_RUN_SIGNALS, 0, 0 },
	};
	struct fusex_session *se;
	int ret;

	fusex_config_init(&su.cfg, sizeof(su.cfg));
	parse(argc, argv, &su, &null);
	se = fusex_session_new(&null_ops, sizeof(null_ops), &su.cfg, &null);
	if (!se)
		err(1, "fusex_session_new");
	ret = serve(se, &su, argv[optind], &null);
	if (ret)
		warnx("%s", fusex_session_error(se));
	fusex_session_free(se);
	free(null.zeros);
	return ret ? 1 : 0;
}

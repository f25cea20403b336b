// SPDX-License-Identifier: GPL-2.0
/*
 * The test's side of the server: starting, stopping, commanding it.
 */
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server.h"
#include "ops.h"

struct srv *srv;

static pid_t server_pid;
static int control = -1;

/* Returns the cookie. */
static int back(struct fusex_session *se, const char *path)
{
	uint32_t access = FUSEX_BACKING_READ | FUSEX_BACKING_WRITE;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint32_t cookie = 0;
	int err;

	if (fd < 0)
		return -errno;
	err = fusex_backing_add(se, fd, access, &cookie);
	close(fd);
	return err ? err : (int)cookie;
}

static int carry_out(struct fusex_session *se, const struct srv_command *c)
{
	switch (c->what) {
	case FUSEX_NOTIFY_INVAL_INODE:
		return fusex_notify_inval_inode(se, &c->node, c->flags,
						c->offset, c->length);
	case FUSEX_NOTIFY_INVAL_ENTRY:
		return fusex_notify_inval_entry(se, &c->node, c->name);
	case FUSEX_NOTIFY_EXPIRE_ENTRY:
		return fusex_notify_expire_entry(se, &c->node, c->name);
	case FUSEX_NOTIFY_DELETE_ENTRY:
		return fusex_notify_delete_entry(se, &c->node, c->name,
						 &c->child);
	case FUSEX_NOTIFY_PRUNE:
		return fusex_notify_prune(se, &c->node, 1);
	case FUSEX_NOTIFY_POLL:
		return fusex_notify_poll(se, c->kh);
	case SRV_BACK:
		return back(se, c->name);
	}
	return -EINVAL;
}

/* A thread of the server that does what the test says. */
static void *obey(void *arg)
{
	struct fusex_session *se = arg;
	struct srv_command c;
	int result;

	while (recv(control, &c, sizeof(c), 0) == sizeof(c)) {
		result = carry_out(se, &c);
		if (send(control, &result, sizeof(result), 0) < 0)
			break;
	}
	return NULL;
}

static void fill_root(struct fusex_config *cfg)
{
	struct srv_node *root = &srv->nodes[SRV_ROOT];

	root->generation = 1;
	root->attr = cfg->root.entry.attr;
	cfg->root.entry.nodeid = SRV_ROOT;
	cfg->root.entry.generation = 1;
	cfg->root.entry.attr_valid = srv->attr_valid;
}

/* For fusex_run(), which is the one to take them. */
static void block_signals(struct fusex_run_options *run)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run->flags |= FUSEX_RUN_SIGNALS;
}

static int give_up(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0 } };

	return (int)syscall(SYS_capset, &header, none);
}

/* Who looks at what has come does not wait for more. */
static int serve_in_loop(struct fusex_session *se)
{
	struct pollfd pfd = { .fd = fusex_session_fd(se), .events = POLLIN };
	int ret;

	do {
		ret = poll(&pfd, 1, -1) < 0 ? -errno : 1;
		while (ret > 0)
			ret = fusex_serve_one(se);
	} while (!ret);
	return ret == -ENODEV ? 0 : ret;
}

/* As if there were a device to be written to and closed; not when the test has failed. */
static void put_away(pid_t test)
{
	atomic_store(&srv->unmounted, true);
	while (atomic_load(&srv->holds) && getppid() == test)
		sched_yield();
	atomic_store(&srv->put_away, true);
}

static int serve(const struct srv_options *o)
{
	struct fusex_run_options run = {
		.size = sizeof(run),
		.threads = 2,
		.max_threads = 8,
	};
	struct fusex_config cfg;
	struct fusex_session *se;
	struct fusex_ops ops;
	pid_t test = getppid();
	pthread_t thread;
	int err;

	fusex_config_init(&cfg, sizeof(cfg));
	cfg.attr_mode = o->attr_mode;
	if (o->io_mode)
		cfg.io_mode = o->io_mode;
	cfg.io_modes = o->io_modes;
	cfg.max_read = o->max_read;
	cfg.max_write = o->max_write;
	if (o->block_size)
		cfg.block_size = o->block_size;
	cfg.features = o->features;
	cfg.optional = o->optional;
	cfg.timeout_ms = o->timeout_ms;
	strcpy(cfg.subtype, "selftest");
	srv->entry_valid = FUSEX_FOREVER;
	srv->attr_valid = FUSEX_FOREVER;
	fill_root(&cfg);
	srv_fill_ops(&ops, o->without);
	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
	if (!se)
		return 1;
	err = fusex_session_mount(se, "m", o->mount);
	if (err)
		tap_note("mount: %s", fusex_session_error(se));
	if (send(control, &err, sizeof(err), 0) < 0 || err)
		return 1;
	if (o->signals)
		block_signals(&run);
	if (o->powerless && give_up())
		return 1;
	if (pthread_create(&thread, NULL, obey, se))
		return 1;
	err = o->loop ? serve_in_loop(se) : fusex_run(se, &run);
	if (err)
		tap_note("serving: %s", fusex_session_error(se));
	shutdown(control, SHUT_RDWR);
	pthread_join(thread, NULL);
	put_away(test);
	fusex_session_free(se);
	return err != 0;
}

void srv_start(const struct srv_options *o)
{
	int pair[2], err;

	srv = mmap(NULL, sizeof(*srv), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(srv != MAP_FAILED);
	OK(unshare(CLONE_NEWNS));
	OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	OK(mkdir("m", 0755));
	OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	server_pid = (pid_t)OK(fork());
	if (!server_pid) {
		close(pair[0]);
		control = pair[1];
		_exit(serve(o));
	}
	close(pair[1]);
	control = pair[0];
	EQ(OK(recv(control, &err, sizeof(err), 0)), sizeof(err));
	EQ(err, 0);
}

void srv_stop(void)
{
	OK(umount2("m", 0));
	EQ(WAIT(server_pid), 0);
}

pid_t srv_pid(void)
{
	return server_pid;
}

void srv_kill(void)
{
	OK(kill(server_pid, SIGKILL));
	EQ(WAIT(server_pid), 128 + SIGKILL);
}

int srv_notify(const struct srv_command *c)
{
	int result;

	EQ(OK(send(control, c, sizeof(*c), 0)), sizeof(*c));
	EQ(OK(recv(control, &result, sizeof(result), 0)), sizeof(result));
	return result;
}

struct fusex_node_ref srv_ref(uint64_t id)
{
	return (struct fusex_node_ref){
		.nodeid = id, .generation = srv->nodes[id].generation,
	};
}

void srv_inval(uint64_t id, uint32_t flags)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_INVAL_INODE,
		.node = srv_ref(id),
		.flags = flags,
	};

	EQ(srv_notify(&c), 0);
}

int srv_entry(uint32_t what, uint64_t dir, const char *name)
{
	struct srv_command c = { .what = what, .node = srv_ref(dir) };

	strcpy(c.name, name);
	return srv_notify(&c);
}

void srv_back(uint64_t id, const char *path)
{
	struct srv_command c = { .what = SRV_BACK };

	strcpy(c.name, path);
	srv->nodes[id].backing = (uint32_t)OK(srv_notify(&c));
	srv->nodes[id].io_mode = FUSEX_IO_PASSTHROUGH;
}

unsigned long srv_calls(enum fusex_opcode op)
{
	return srv->calls[op];
}

void srv_reset(void)
{
	for (int i = 0; i < FUSEX_OP_NR; i++)
		srv->calls[i] = 0;
}

struct srv_name *srv_find(uint64_t dir, const char *name)
{
	for (int i = 0; i < SRV_NAMES; i++)
		if (srv->names[i].dir == dir &&
		    !strcmp(srv->names[i].name, name))
			return &srv->names[i];
	return NULL;
}

static uint64_t free_node(void)
{
	for (uint64_t i = SRV_ROOT + 1; i < SRV_NODES; i++)
		if (!srv->nodes[i].generation)
			return i;
	return 0;
}

static struct srv_name *free_name(void)
{
	for (int i = 0; i < SRV_NAMES; i++)
		if (!srv->names[i].dir)
			return &srv->names[i];
	return NULL;
}

uint64_t srv_add(uint64_t dir, const char *name, uint32_t mode,
		 const char *data)
{
	struct srv_name *n = free_name();
	uint64_t id = free_node();
	struct srv_node *node = &srv->nodes[id];
	struct timespec now;

	if (!n || !id)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	memset(node, 0, sizeof(*node));
	node->generation = 1;
	node->attr.mask = FUSEX_ATTR_REQUIRED;
	node->attr.mode = mode;
	node->attr.nlink = S_ISDIR(mode) ? 2 : 1;
	node->attr.mtime = fusex_time_from_timespec(now);
	node->attr.ctime = node->attr.mtime;
	node->attr.atime = node->attr.mtime;
	if (data) {
		node->attr.size = strlen(data);
		memcpy(node->data, data, strlen(data));
	}
	n->node = id;
	strcpy(n->name, name);
	n->dir = dir;
	return id;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions, their configuration, options, workers and end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/internal.h"
#include "fake.h"
#include "tap.h"

static struct message rq, rp;
static struct event arrived = EVENT_INIT;
static struct event go = EVENT_INIT;
static sigset_t worker_mask;

static int t_syncfs(struct fusex_req *req)
{
	event_signal(&arrived);
	return event_wait(&go, 1) ? 0 : -EIO;
}

static int t_statfs(struct fusex_req *req, const struct fusex_node *node,
		    struct fusex_statfs_out *out)
{
	pthread_sigmask(SIG_SETMASK, NULL, &worker_mask);
	fusex_session_stop(fusex_req_session(req));
	return 0;
}

static const struct fusex_ops ops = {
	.syncfs	= t_syncfs,
	.statfs	= t_statfs,
};

static void test_config(void)
{
	struct fusex_config cfg;
	struct fusex_attr *attr = &cfg.root.entry.attr;

	memset(&cfg, 0xff, sizeof(cfg));
	fusex_config_init(&cfg, sizeof(cfg));
	ok(cfg.size == sizeof(cfg) && cfg.io_mode == FUSEX_IO_PLAIN &&
	   cfg.attr_mode == FUSEX_ATTR_REMOTE && !cfg.max_read &&
	   !cfg.features && !cfg.subtype[0], "the defaults");
	ok(cfg.root.entry.nodeid == 1 && attr->mask == FUSEX_ATTR_REQUIRED &&
	   attr->mode == (S_IFDIR | 0755) && attr->uid == geteuid() &&
	   attr->mtime.sec > 1600000000 && !cfg.root.entry.handle_len,
	   "the default root");
}

static void new_fails(const struct fusex_ops *o, size_t ops_size,
		      const struct fusex_config *cfg, int error,
		      const char *what)
{
	struct fusex_session *se;

	errno = 0;
	se = fusex_session_new(o, ops_size, cfg, NULL);
	ok(!se && errno == error, "%s", what);
	fusex_session_free(se);
}

static void test_new(void)
{
	uint32_t cookie;
	struct { struct fusex_ops ops; void *more; } big = { ops, NULL };
	struct { struct fusex_config cfg; uint64_t more; } big_cfg = { 0 };
	struct fusex_config cfg;
	struct fusex_session *se;
	char data;

	fusex_config_init(&cfg, sizeof(cfg));
	new_fails(NULL, sizeof(ops), &cfg, EINVAL, "no operations");
	new_fails(&ops, 0, &cfg, EINVAL, "operations of size 0");
	new_fails(&ops, sizeof(ops) - 1, &cfg, EINVAL, "half an operation");
	new_fails(&ops, sizeof(ops), NULL, EINVAL, "no configuration");
	cfg.size = 0;
	new_fails(&ops, sizeof(ops), &cfg, EINVAL, "a configuration not set up");
	cfg.size = sizeof(cfg);

	se = fusex_session_new(&big.ops, sizeof(big), &cfg, &data);
	ok(se && fusex_session_userdata(se) == &data,
	   "operations of a newer library that are not used");
	ok(!fusex_session_agreed(se), "nothing is agreed on yet");
	ok(fusex_session_fd(se) == -1, "there is no descriptor yet");
	ok(fusex_backing_add(se, 0, FUSEX_BACKING_READ, &cookie) == -ENOTCONN &&
	   fusex_backing_remove(se, 1, 0) == -ENOTCONN,
	   "nothing can be registered yet");
	is(strlen(fusex_session_error(se)), 0, "and there is no error");
	fusex_session_free(se);
	big.more = &big;
	new_fails(&big.ops, sizeof(big), &cfg, E2BIG,
		  "operations of a newer library that are used");

	fusex_config_init(&big_cfg.cfg, sizeof(big_cfg));
	is(big_cfg.cfg.size, sizeof(big_cfg), "a newer configuration");
	se = fusex_session_new(&ops, sizeof(ops), &big_cfg.cfg, NULL);
	ok(se, "with nothing new in it");
	fusex_session_free(se);
	big_cfg.more = 1;
	new_fails(&ops, sizeof(ops), &big_cfg.cfg, E2BIG,
		  "a newer configuration that is used");
	cfg.size -= 8;
	new_fails(&ops, sizeof(ops), &cfg, EINVAL,
		  "a configuration older than the first");
	cfg.size = sizeof(cfg);
	se = fusex_session_new(&ops, 4 * sizeof(void *), &cfg, NULL);
	ok(se, "operations of an older library");
	fusex_session_free(se);
}

static void test_errors(void)
{
	struct fusex_config cfg;
	struct fusex_session *se;
	int ret, fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	fusex_config_init(&cfg, sizeof(cfg));
	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
	is(fusex_run(se, NULL), -EINVAL, "running before setup");
	ok(*fusex_session_error(se), "%s", fusex_session_error(se));
	is(fusex_session_unmount(se), -EINVAL, "unmounting before mounting");
	ok(*fusex_session_error(se), "%s", fusex_session_error(se));
	is(fusex_session_setup(se, fd), -ENOTTY, "not a channel");
	ok(strstr(fusex_session_error(se), "/dev/fusex"), "%s",
	   fusex_session_error(se));
	is(fcntl(fd, F_GETFD), -1, "the descriptor was the session's");
	is(fusex_session_mount(se, "/nowhere/at/all", NULL), -ENOENT,
	   "mounting on nothing");
	ok(strstr(fusex_session_error(se), "/nowhere/at/all"), "%s",
	   fusex_session_error(se));
	if (access("/dev/fusex", F_OK)) {
		ret = fusex_session_mount(se, "/", NULL);
		is(ret, -ENOENT, "mounting without the module");
		ok(strstr(fusex_session_error(se), "modprobe fusex") &&
		   !strchr(fusex_session_error(se), '\n'), "%s",
		   fusex_session_error(se));
	} else {
		skip("the module is loaded");
	}
	fusex_session_free(se);
	fusex_session_free(NULL);
}

static void expect_fault(struct fusex_setup s, const char *member)
{
	const char *fault = setup_fault(&s);

	ok(fault && !strncmp(fault, member, strlen(member)), "%s",
	   fault ? fault : member);
}

#define FAULT(member, value) do { \
	struct fusex_setup copy = good; \
	copy.member = (value); \
	expect_fault(copy, #member); \
} while (0)

static void test_faults(void)
{
	struct fusex_setup good = {
		.io_mode = FUSEX_IO_PLAIN, .attr_mode = FUSEX_ATTR_LOCAL,
		.max_read = 4096, .max_write = FUSEX_IO_SIZE_MAX,
		.block_size = 512, .handle_size = 128, .subtype = "aB-_9",
		.root.nodeid = 1, .root.handle_len = 128,
		.root.attr.mask = FUSEX_ATTR_REQUIRED,
		.root.attr.mode = S_IFDIR,
	};
	struct fusex_setup wrong = good;

	ok(!setup_fault(&good), "nothing wrong");
	FAULT(features, 1ull << 63);
	FAULT(io_mode, FUSEX_IO_NR);
	FAULT(io_mode, 0);
	FAULT(attr_mode, FUSEX_ATTR_NR);
	FAULT(io_modes, 1);
	FAULT(io_modes, 1u << FUSEX_IO_NR);
	FAULT(attr_modes, 1u << FUSEX_ATTR_NR);
	FAULT(max_read, 4097);
	FAULT(max_write, FUSEX_IO_SIZE_MAX + 4096);
	FAULT(block_size, 256);
	FAULT(block_size, 131072);
	FAULT(block_size, 4095);
	FAULT(handle_size, 129);
	FAULT(max_links, 1u << 31);
	FAULT(max_file_size, 1ull << 63);
	FAULT(time_gran, 1000000001);
	FAULT(time_min, 1);
	wrong.subtype[2] = ' ';
	expect_fault(wrong, "subtype");
	memset(wrong.subtype, 'a', sizeof(wrong.subtype));
	expect_fault(wrong, "subtype");
	wrong = good;
	wrong.root.nodeid = 0;
	expect_fault(wrong, "root");
	wrong = good;
	wrong.root.attr.mode = S_IFREG;
	expect_fault(wrong, "root");
	wrong = good;
	wrong.root.attr.mask = 0;
	expect_fault(wrong, "root");
	wrong = good;
	wrong.handle_size = 64;
	expect_fault(wrong, "root");
	wrong = good;
	wrong.root.io_mode = FUSEX_IO_PLAIN;
	expect_fault(wrong, "root");
	wrong = good;
	wrong.root.attr_mode = FUSEX_ATTR_REMOTE;
	expect_fault(wrong, "root");
	wrong.attr_modes = 1u << FUSEX_ATTR_REMOTE;
	ok(!setup_fault(&wrong), "nothing wrong with one of the modes");
	wrong = good;
	wrong.features = FUSEX_F_EXPORT;
	expect_fault(wrong, "handle_size");
	wrong = good;
	wrong.io_mode = FUSEX_IO_IOMAP;
	wrong.block_size = 65536;
	if (sysconf(_SC_PAGESIZE) < 65536)
		expect_fault(wrong, "block_size");
}

static char seen[256];

static int see(void *ctx, const char *key, const char *value)
{
	size_t used = strlen(seen);

	snprintf(seen + used, sizeof(seen) - used, "%s%s%s;", key,
		 value ? "=" : "", value ? value : "");
	return !strcmp(key, "bad") ? -EINVAL : 0;
}

static void try(const char *string, const char *want, uint64_t attr,
		int want_ret)
{
	struct mount_options mo = { .set = see };
	int ret;

	seen[0] = '\0';
	ret = options_parse(string, &mo);
	ok(ret == want_ret && mo.attr == attr && !strcmp(seen, want),
	   "options \"%s\"", string ? string : "NULL");
	if (strcmp(seen, want) != 0)
		printf("# got %s\n", seen);
}

static void test_options(void)
{
	try(NULL, "", 0, 0);
	try("", "", 0, 0);
	try(",,", "", 0, 0);
	try("allow_other", "allow_other;", 0, 0);
	try("source=a\\,b=c,sync", "source=a,b=c;sync;", 0, 0);
	try("a=,=b", "a=;=b;", 0, 0);
	try("x\\", "x\\;", 0, 0);
	try("nosuid,nodev,noexec", "",
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0);
	try("ro", "ro;", MOUNT_ATTR_RDONLY, 0);
	try("ro,rw,nosuid,suid", "ro;rw;", 0, 0);
	try("noatime,strictatime", "", MOUNT_ATTR_STRICTATIME, 0);
	try("noatime,nodiratime,relatime,nosymfollow", "",
	    MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW, 0);
	try("nosuid=1,defaults", "nosuid=1;", 0, 0);
	try("good,bad,ugly", "good;bad;", 0, -EINVAL);
}

/* Every worker is in a handler, and yet the next request is served. */
static void test_growth(void)
{
	struct fake fake;
	unsigned int i;

	fake_start(&fake, &ops, NULL, 1, 8);
	for (i = 0; i < 8; i++) {
		msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
		fake_send(&fake, &rq);
		ok(event_wait(&arrived, i + 1), "%u handlers at once", i + 1);
	}
	msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
	fake_send(&fake, &rq);
	pthread_mutex_lock(&fake.se->lock);
	is(fake.se->nr_workers, 8, "as many workers as there may be");
	pthread_mutex_unlock(&fake.se->lock);
	event_signal(&go);
	for (i = 0; i < 9 && fake_recv(&fake, &rp) && !rp.out.error; i++)
		;
	is(i, 9, "all are answered, also the one that waited");
	is(arrived.count, 9, "by one handler each");
	fake_stop(&fake);
	is(fake.result, 0, "and all workers end");
}

/* A worker that cannot have a descriptor of its own does without. */
static void test_few_descriptors(void)
{
	struct rlimit old, few;
	struct fake fake;
	unsigned int i;

	arrived.count = 0;
	go.count = 0;
	fake_start(&fake, &ops, NULL, 1, 2);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &few);
	for (i = 0; i < 2; i++) {
		msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
		fake_send(&fake, &rq);
	}
	ok(event_wait(&arrived, 2), "two handlers, and one descriptor");
	setrlimit(RLIMIT_NOFILE, &old);
	event_signal(&go);
	for (i = 0; i < 2 && fake_recv(&fake, &rp) && !rp.out.error; i++)
		;
	is(i, 2, "both are answered");
	fake_stop(&fake);
	is(fake.result, 0, "and both workers end");
}

static void test_stop(void)
{
	struct fake fake;

	fake_start(&fake, &ops, NULL, 3, 3);
	fusex_session_stop(fake.se);
	pthread_join(fake.runner, NULL);
	is(fake.result, 0, "fusex_session_stop() ends fusex_run()");
	msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
	fake_send(&fake, &rq);
	fusex_session_free(fake.se);
	ok(fake_recv(&fake, &rp) == false, "a request that nobody reads");
	close(fake.sock);
}

/* The last request ends fusex_run(), and is answered when the session is freed. */
static void test_unmounted(bool by_itself)
{
	struct fake fake;

	fake_start(&fake, &ops, NULL, 3, 3);
	/* As if fusex_session_unmount() were at it, which nobody is to wait for. */
	atomic_store(&fake.se->unmounting, by_itself);
	msg_begin(&fake, &rq, FUSEX_OP_UNMOUNT, 1);
	fake_send(&fake, &rq);
	pthread_join(fake.runner, NULL);
	is(fake.result, 0, "the file system is unmounted");
	ok(fake_quiet(&fake) != by_itself, "and somebody waits: %d",
	   !by_itself);
	fusex_session_free(fake.se);
	ok(fake_recv(&fake, &rp) && rp.out.unique == rq.in.unique &&
	   !rp.out.error, "it is answered");
	ok(!fake_recv(&fake, &rp), "once");
	close(fake.sock);
}

static void test_stop_in_handler(void)
{
	struct fake fake;

	fake_start(&fake, &ops, NULL, 2, 2);
	msg_begin(&fake, &rq, FUSEX_OP_STATFS, 0);
	ok(fake_call(&fake, &rq, &rp) && !rp.out.error,
	   "a handler that stops the session is finished");
	fake_stop(&fake);
	is(fake.result, 0, "before fusex_run() ends");
	ok(sigismember(&worker_mask, SIGTERM) && sigismember(&worker_mask, SIGUSR1),
	   "workers take no signals");
	ok(!sigismember(&worker_mask, SIGSEGV) && !sigismember(&worker_mask, SIGBUS),
	   "but those of their own faults");
}

static void test_run_options(void)
{
	struct { struct fusex_run_options opts; uint64_t more; } big = { 0 };
	struct fusex_run_options opts = { .size = sizeof(opts) };
	struct fake fake;

	fake_start(&fake, &ops, NULL, 1, 1);
	opts.size = 1;
	is(fusex_run(fake.se, &opts), -EINVAL, "options of the wrong size");
	big.opts.size = sizeof(big);
	big.more = 1;
	is(fusex_run(fake.se, &big.opts), -EINVAL,
	   "options of a newer library that are used");
	big.more = 0;
	big.opts.threads = 3;
	big.opts.max_threads = 2;
	is(fusex_run(fake.se, &big.opts), -EINVAL, "those that are not");
	ok(strstr(fusex_session_error(fake.se), "max_threads"),
	   "are looked at as far as they are known");
	opts.size = sizeof(opts);
	opts.flags = 2;
	is(fusex_run(fake.se, &opts), -EINVAL, "unknown flags");
	opts.flags = 0;
	opts.threads = 3;
	opts.max_threads = 2;
	is(fusex_run(fake.se, &opts), -EINVAL, "more threads than there may be");
	fake_stop(&fake);
}

/* SIGTERM in fusex_run(), without a mount that could be unmounted. */
static void *run_with_signals(void *arg)
{
	struct fake *fake = arg;

	fake->result = fusex_run(fake->se, NULL);
	return NULL;
}

static void test_signal(void)
{
	struct fake fake;
	sigset_t set, now;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fake_start(&fake, &ops, NULL, 1, 1);
	fusex_session_stop(fake.se);
	pthread_join(fake.runner, NULL);
	kill(getpid(), SIGTERM);
	pthread_create(&fake.runner, NULL, run_with_signals, &fake);
	pthread_join(fake.runner, NULL);
	is(fake.result, 0, "SIGTERM ends fusex_run()");
	sigpending(&now);
	ok(!sigismember(&now, SIGTERM), "and is used up");
	pthread_create(&fake.runner, NULL, run_with_signals, &fake);
	fake_stop(&fake);
	is(fake.result, 0, "running again after a signal");
}

/* Comes to the thread that waits for it, before this returns. */
static void send_signal(int number)
{
	sigset_t now;

	kill(getpid(), number);
	do {
		sched_yield();
		sigpending(&now);
	} while (sigismember(&now, number));
}

/* A handler that hangs does not keep the channel from ending. */
static void test_second_signal(void)
{
	struct fake fake;
	char byte;

	arrived.count = 0;
	go.count = 0;
	fake_start(&fake, &ops, NULL, 1, 2);
	fusex_session_stop(fake.se);
	pthread_join(fake.runner, NULL);
	fake.se->target = strdup("/nowhere");
	pthread_create(&fake.runner, NULL, run_with_signals, &fake);
	msg_begin(&fake, &rq, FUSEX_OP_SYNCFS, 0);
	fake_send(&fake, &rq);
	ok(event_wait(&arrived, 1), "a handler hangs");
	send_signal(SIGTERM);
	ok(fake_quiet(&fake), "a signal waits for it");
	send_signal(SIGTERM);
	is(recv(fake.sock, &byte, 1, 0), 0, "a second one ends the channel");
	event_signal(&go);
	fake_stop(&fake);
	is(fake.result, 0, "and fusex_run() when the handler has returned");
}

/* What is ignored is not taken for a wish to end. */
static void test_ignored_signal(void)
{
	struct fake fake;
	sigset_t set, now;

	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fake_start(&fake, &ops, NULL, 1, 1);
	fusex_session_stop(fake.se);
	pthread_join(fake.runner, NULL);
	kill(getpid(), SIGHUP);
	pthread_create(&fake.runner, NULL, run_with_signals, &fake);
	msg_begin(&fake, &rq, FUSEX_OP_LOOKUP, 1);
	ok(fake_call(&fake, &rq, &rp) && rp.out.error == -ENOSYS,
	   "SIGHUP that is ignored does not end fusex_run()");
	fake_stop(&fake);
	sigpending(&now);
	ok(sigismember(&now, SIGHUP), "and is left alone");
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGHUP, SIG_DFL);
}

int main(void)
{
	test_config();
	test_new();
	test_errors();
	test_faults();
	test_options();
	test_growth();
	test_few_descriptors();
	test_stop();
	test_unmounted(false);
	test_unmounted(true);
	test_stop_in_handler();
	test_run_options();
	test_signal();
	test_second_signal();
	test_ignored_signal();
	return tap_end();
}

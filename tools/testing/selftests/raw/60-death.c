// SPDX-License-Identifier: GPL-2.0
/*
 * Servers that stop answering: killed, closed, hung, too slow, aborted.  Every
 * caller returns, the mount can be taken away, the module stays usable.
 */
#include "actions.h"
#include "answer.h"
#include "raw.h"
#include "tap.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define CALLERS	64

/*
 * Like raw_start(), with the server in this process and callers in others:
 * those must not keep a descriptor of the channel, or it never dies.
 */
static pid_t start_caller(struct raw *r, raw_action act, int wanted)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	if (!pid) {
		int err;

		close(r->fd);
		err = act(r);
		/* 0: the wanted error; else the error it was. */
		_exit(err == wanted ? 0 : err ? -err & 0x7f : 127);
	}
	return pid;
}

/* Each operation in flight, then what @end does ends all with @wanted. */
static void all_in_flight(void (*end)(struct raw *r), int wanted)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	pid_t pids[CALLERS];

	raw_bend(r, 0, raw_never, NULL);
	for (int i = 0; i < CALLERS; i++)
		pids[i] = start_caller(r, raw_actions[i % raw_nr_actions].act,
				       wanted);
	/* Some wait for each other's locks: directories have one. */
	UNTIL_SEEN(r, 0);
	end(r);
	for (int i = 0; i < CALLERS; i++) {
		int status = WAIT(pids[i]);

		if (status)
			FAIL("%s: exit status %d",
			     raw_actions[i % raw_nr_actions].name, status);
	}
	OK(umount2(r->mnt, 0));
	rmdir(r->mnt);
}

static void end_by_abort(struct raw *r)
{
	raw_sysfs_write(r, "abort", "1");
}

static void end_by_force(struct raw *r)
{
	/* Busy, so it stays mounted, but nobody waits any more. */
	umount2(r->mnt, MNT_FORCE);
}

TEST(death, abort_all_in_flight)
{
	all_in_flight(end_by_abort, -ENOTCONN);
}

TEST(death, forced_umount_all_in_flight)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	pid_t pid;

	raw_bend(r, FUSEX_OP_STATFS, raw_never, NULL);
	pid = start_caller(r, do_statfs, -ENOTCONN);
	UNTIL_SEEN(r, 0);
	end_by_force(r);
	EQ(WAIT(pid), 0);
	/* The force may have found it idle already, and unmounted. */
	umount2(r->mnt, MNT_DETACH);
}

/* The server is a process of its own, to be killed. */
static pid_t serve_in_child(struct raw *r)
{
	pid_t pid;

	raw_setup_init(&r->setup, FUSEX_ATTR_REMOTE);
	raw_mount(r);
	pid = fork();
	if (!pid) {
		/* Before the first request. */
		r->twist = raw_never;
		raw_serve(r);
		for (;;)
			pause();
	}
	close(r->fd);
	return pid;
}

/* Half of the callers ask for what no lock serialises. */
static int one_of_many(struct raw *r, int i)
{
	return i % 2 ? do_statfs(r) : raw_actions[i / 2 % raw_nr_actions].act(r);
}

static bool half_seen(void *arg)
{
	struct raw *r = arg;

	return atomic_load(&r->count[FUSEX_OP_STATFS]) >= CALLERS / 2;
}

TEST(death, server_killed)
{
	struct raw *r = raw_alloc();
	pid_t server, pids[CALLERS];

	server = serve_in_child(r);
	for (int i = 0; i < CALLERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(one_of_many(r, i) == -ENOTCONN ? 0 : 1);
	}
	UNTIL(half_seen, r);
	OK(kill(server, SIGKILL));
	WAIT(server);
	for (int i = 0; i < CALLERS; i++)
		if (WAIT(pids[i]))
			FAIL("caller %d got something else than ENOTCONN", i);
	FAILS(access(raw_path(r, "f"), F_OK), ENOTCONN);
	OK(umount2(r->mnt, 0));
	rmdir(r->mnt);
}

TEST(death, deadline)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);

	raw_sysfs_write(r, "timeout_ms", "200");
	for (unsigned int i = 0; i < raw_nr_actions; i++) {
		const struct raw_action_of *a = &raw_actions[i];
		int err;

		raw_bend(r, a->op, raw_never, NULL);
		err = a->act(r);
		/* A page that could not be read is EIO, whatever kept it. */
		if (err != -ETIMEDOUT &&
		    !(err == -EIO && a->op == FUSEX_OP_READ))
			FAIL("%s: ended in %d", a->name, err);
		raw_bend(r, 0, NULL, NULL);
		/* The server did it all the same: make it undone. */
		pthread_mutex_lock(&r->lock);
		answer_init(r);
		pthread_mutex_unlock(&r->lock);
	}
	raw_stop(r);
}

static void kill_waiting(int sig, raw_action act, uint32_t op)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	pid_t pid;

	raw_bend(r, op, raw_never, NULL);
	pid = start_caller(r, act, 0);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, sig));
	EQ(WAIT(pid), 128 + sig);
	raw_stop(r);
}

TEST(death, callers_can_be_killed)
{
	for (unsigned int i = 0; i < raw_nr_actions; i++)
		kill_waiting(SIGKILL, raw_actions[i].act, raw_actions[i].op);
}

/* More than could be waited for one after the other. */
#define FILES	200

static int hold_files(struct raw *r)
{
	for (int i = 0; i < FILES; i++)
		if (open(raw_path(r, "f"), O_RDONLY) < 0)
			return -errno;
	for (;;)
		do_statfs(r);
}

/* Closing files at its end, a process gives a server up once and for all. */
TEST(death, killed_with_many_files)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	pid_t pid;

	pid = start_caller(r, hold_files, 0);
	UNTIL_SEEN(r, FUSEX_OP_STATFS);
	raw_bend(r, FUSEX_OP_FLUSH, raw_never, NULL);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	raw_stop(r);
}

static struct fusex_in_header late;

static void remember(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	(void)r;
	late = *in;
	rep->drop = true;
}

TEST(death, late_reply_is_refused)
{
	struct raw *r = raw_start(FUSEX_ATTR_REMOTE);
	struct fusex_out_header oh = { .len = sizeof(oh), .error = -EIO };
	pid_t pid;

	raw_bend(r, FUSEX_OP_STATFS, remember, NULL);
	pid = start_caller(r, do_statfs, 0);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	oh.unique = late.unique;
	FAILS(write(r->fd, &oh, sizeof(oh)), ENOENT);
	raw_stop(r);
}

/* fcntl(F_SETLKW) waits interruptibly: SIGINT sends CANCEL. */
static void on_signal(int sig)
{
	(void)sig;
}

static int do_setlkw(struct raw *r)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct sigaction sa = { .sa_handler = on_signal };
	int fd = open(raw_path(r, "f"), O_RDWR);

	if (fd < 0)
		return -errno;
	sigaction(SIGUSR1, &sa, NULL);
	return fcntl(fd, F_SETLKW, &fl) ? -errno : 0;
}

TEST(death, signal_sends_cancel)
{
	struct fusex_out_header oh = { .len = sizeof(oh), .error = -EINTR };
	struct raw *r = raw_alloc();
	pid_t pid;

	raw_setup_init(&r->setup, FUSEX_ATTR_REMOTE);
	r->setup.features = FUSEX_F_POSIX_LOCKS;
	raw_mount(r);
	raw_serve(r);
	raw_bend(r, FUSEX_OP_SETLK, remember, NULL);
	pid = start_caller(r, do_setlkw, -EINTR);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGUSR1));
	UNTIL_SEEN(r, FUSEX_OP_CANCEL);
	raw_bend(r, 0, NULL, NULL);
	oh.unique = late.unique;
	OK(write(r->fd, &oh, sizeof(oh)));
	EQ(WAIT(pid), 0);
	raw_stop(r);
}

/* Serves until @op comes, which it leaves in @buf. */
static void serve_until(struct raw *r, uint32_t op, char *buf)
{
	const struct fusex_in_header *in = (void *)buf;
	static char body[RAW_BODY];

	for (;;) {
		struct raw_reply rep = { .body = body };
		struct iovec iov[2] = { { &rep.oh, sizeof(rep.oh) } };

		OK(read(r->fd, buf, r->setup.request_size));
		if (in->opcode == op)
			return;
		if (in->opcode == FUSEX_OP_FORGET)
			continue;
		answer(r, in, &rep);
		rep.oh.unique = in->unique;
		rep.oh.len = sizeof(rep.oh) + rep.len;
		iov[1] = (struct iovec){ rep.body, rep.len };
		OK(writev(r->fd, iov, 2));
	}
}

static void *serve_a_while(void *arg)
{
	struct raw *r = arg;
	char *buf = malloc(r->setup.request_size);

	if (!buf)
		_exit(2);
	serve_until(r, FUSEX_OP_STATFS, buf);
	atomic_store(&r->seen, 1);
	free(buf);
	return NULL;
}

/* Server, user and mount namespace in one, with nothing open but the device. */
static void serve_itself(struct raw *r, uint32_t attr_mode)
{
	pthread_t thread;
	int fd;

	OK(unshare(CLONE_NEWNS));
	OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	raw_setup_init(&r->setup, attr_mode);
	raw_mount(r);
	answer_init(r);
	EQ(pthread_create(&thread, NULL, serve_a_while, r), 0);
	fd = OK(open(raw_path(r, "f"), O_WRONLY));
	EQ(write(fd, "x", 1), 1);
	close(fd);
	do_statfs(r);
	_exit(1);
}

/*
 * A process's last act is to take its mount namespace away, at a time when no
 * signal reaches it and its descriptors are not closed yet.
 */
static void lose_namespace(uint32_t attr_mode)
{
	struct raw *r = raw_alloc();
	pid_t pid = OK(fork());

	if (!pid)
		serve_itself(r, attr_mode);
	UNTIL_SEEN(r, 0);
	OK(kill(pid, SIGKILL));
	EQ(WAIT(pid), 128 + SIGKILL);
	rmdir(r->mnt);
}

TEST(death, namespace_of_the_server)
{
	lose_namespace(FUSEX_ATTR_REMOTE);
}

TEST(death, namespace_with_dirty_times)
{
	lose_namespace(FUSEX_ATTR_LOCAL);
}

TEST(death, cancel_is_not_lost)
{
	struct fusex_out_header oh = { .len = sizeof(oh), .error = -EINTR };
	struct raw *r = raw_alloc();
	struct pollfd pfd = { .events = POLLIN };
	const struct fusex_cancel_in *cancel;
	char *buf;
	pid_t pid;

	raw_setup_init(&r->setup, FUSEX_ATTR_REMOTE);
	r->setup.features = FUSEX_F_POSIX_LOCKS;
	raw_mount(r);
	answer_init(r);
	buf = malloc(r->setup.request_size);
	CHECK(buf);
	pid = start_caller(r, do_setlkw, -EINTR);
	serve_until(r, FUSEX_OP_SETLK, buf);
	oh.unique = ((struct fusex_in_header *)buf)->unique;
	OK(kill(pid, SIGUSR1));
	pfd.fd = r->fd;
	EQ(poll(&pfd, 1, -1), 1);
	FAILS(read(r->fd, (void *)4096, r->setup.request_size), EFAULT);
	EQ(poll(&pfd, 1, -1), 1);
	serve_until(r, FUSEX_OP_CANCEL, buf);
	cancel = (void *)(buf + sizeof(struct fusex_in_header));
	EQ(cancel->unique, oh.unique);
	OK(write(r->fd, &oh, sizeof(oh)));
	free(buf);
	raw_serve(r);
	EQ(WAIT(pid), 0);
	raw_stop(r);
}

TEST(death, dirty_mapping)
{
	struct raw *r = raw_start(FUSEX_ATTR_LOCAL);
	int fd = OK(open(raw_path(r, "f"), O_RDWR));
	char *p = mmap(NULL, RAW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	p[0] = 'y';
	raw_bend(r, FUSEX_OP_WRITE, raw_never, NULL);
	end_by_abort(r);
	FAILS(msync(p, RAW_SIZE, MS_SYNC), ENOTCONN, EIO);
	EQ(fsync(fd) ? errno : 0, ENOTCONN);
	munmap(p, RAW_SIZE);
	close(fd);
	OK(umount2(r->mnt, 0));
	rmdir(r->mnt);
}

TEST(death, last_descriptor_closed)
{
	struct raw *r = raw_alloc();
	struct stat st;

	raw_setup_init(&r->setup, FUSEX_ATTR_REMOTE);
	raw_mount(r);
	close(r->fd);
	FAILS(stat(raw_path(r, "f"), &st), ENOTCONN);
	OK(umount2(r->mnt, 0));
	rmdir(r->mnt);
}

TEST(death, device_after_unmount)
{
	struct raw *r = raw_alloc();
	struct pollfd pfd = { .events = POLLIN };
	char buf[4096];

	raw_setup_init(&r->setup, FUSEX_ATTR_LOCAL);
	raw_mount(r);
	pfd.fd = r->fd;
	/* Nobody serves: unmounting must not wait for SYNCFS for ever. */
	raw_sysfs_write(r, "abort", "1");
	OK(umount2(r->mnt, 0));
	EQ(poll(&pfd, 1, 0), 1);
	CHECK(pfd.revents & (POLLERR | POLLHUP));
	FAILS(read(r->fd, buf, sizeof(buf)), ENODEV);
	close(r->fd);
	rmdir(r->mnt);
}

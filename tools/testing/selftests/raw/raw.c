// SPDX-License-Identifier: GPL-2.0
/*
 * The misbehaving server: mounting, the threads, and the twist.  What it
 * answers is in answer.c.
 */
#include "answer.h"
#include "raw.h"
#include "tap.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#define READ_SIZE	(4u << 20)

void raw_setup_init(struct fusex_setup *s, uint32_t attr_mode)
{
	memset(s, 0, sizeof(*s));
	s->size = sizeof(*s);
	s->abi = FUSEX_ABI;
	s->io_mode = FUSEX_IO_PLAIN;
	s->attr_mode = attr_mode;
	strcpy(s->subtype, "raw");
	s->root.nodeid = RAW_ROOT;
	answer_attr_of(&s->root.attr, RAW_ROOT, S_IFDIR | 0755, 0, 2);
}

/* What the kernel said in the log of the file system context, one line. */
static void read_log(int fs, char *log, size_t size)
{
	ssize_t n;

	if (!size)
		return;
	n = read(fs, log, size - 1);
	log[n > 0 ? n : 0] = 0;
}

int raw_mount_fd(int fd, const char *mnt, char *log, size_t log_size)
{
	int fs = fsopen("fusex", FSOPEN_CLOEXEC), mfd = -1, err = 0;

	if (fs < 0)
		return -errno;
	if (fd >= 0 && fsconfig(fs, FSCONFIG_SET_FD, "fd", NULL, fd))
		err = -errno;
	if (!err && fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0))
		err = -errno;
	if (!err && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		err = -errno;
	if (!err) {
		mfd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
		if (mfd < 0)
			err = -errno;
	}
	if (!err && move_mount(mfd, "", AT_FDCWD, mnt, MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	read_log(fs, log, log_size);
	if (mfd >= 0)
		close(mfd);
	close(fs);
	return err;
}

void raw_mount(struct raw *r)
{
	char log[256] = "";
	int err;

	strcpy(r->mnt, "/tmp/raw.XXXXXX");
	CHECK(mkdtemp(r->mnt));
	r->fd = OK(open("/dev/fusex", O_RDWR | O_CLOEXEC));
	OK(ioctl(r->fd, FUSEX_IOC_SETUP, &r->setup));
	err = raw_mount_fd(r->fd, r->mnt, log, sizeof(log));
	if (err)
		FAIL("mount: %s: %s", strerror(-err), log);
}

static void apply_twist(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	raw_twist twist;

	pthread_mutex_lock(&r->lock);
	twist = !r->op || r->op == in->opcode ? r->twist : NULL;
	pthread_mutex_unlock(&r->lock);
	if (!twist)
		return;
	atomic_fetch_add(&r->seen, 1);
	twist(r, in, rep);
}

/* The tree of answer.c knows nothing of modes. */
static void choose_mode(struct raw *r, const struct fusex_in_header *in,
			struct raw_reply *rep)
{
	struct fusex_entry_out *out = (void *)rep->body;
	const struct raw_node *n = &r->make;

	if (rep->oh.error || (in->opcode != FUSEX_OP_LOOKUP &&
			      in->opcode != FUSEX_OP_LINK &&
			      in->opcode != FUSEX_OP_CREATE))
		return;
	if (in->opcode != FUSEX_OP_CREATE)
		n = &r->nodes[out->entry.nodeid];
	out->entry.io_mode = n->io_mode;
	out->entry.backing = n->backing;
}

static void send_reply(struct raw *r, struct raw_reply *rep)
{
	struct iovec iov[2] = {
		{ &rep->oh, sizeof(rep->oh) },
		{ rep->body, rep->len },
	};

	if (!rep->keep_len)
		rep->oh.len = sizeof(rep->oh) + rep->len;
	while (rep->times-- > 0)
		if (writev(r->fd, iov, 2) < 0)
			atomic_store(&r->write_errno, errno);
}

static void count(struct raw *r, const struct fusex_in_header *in)
{
	if (in->opcode < FUSEX_OP_NR)
		atomic_fetch_add(&r->count[in->opcode], 1);
}

static void note_forgotten(struct raw *r, const struct fusex_in_header *in)
{
	const struct fusex_forget_in *arg = (const void *)(in + 1);
	const struct fusex_forget_one *one = (const void *)(arg + 1);

	if (in->opcode != FUSEX_OP_FORGET)
		return;
	for (uint32_t i = 0; i < arg->count; i++)
		if (one[i].nodeid < RAW_NODES)
			r->forgotten[one[i].nodeid] = true;
}

static void *serve(void *arg)
{
	struct raw *r = arg;
	char *buf = malloc(READ_SIZE), *body = malloc(RAW_BODY);
	struct raw_reply rep;
	ssize_t n;

	while ((n = read(r->fd, buf, READ_SIZE)) > 0 || errno == EINTR) {
		const struct fusex_in_header *in = (void *)buf;

		if (n <= 0)
			continue;
		if (in->opcode == FUSEX_OP_FORGET ||
		    in->opcode == FUSEX_OP_CANCEL) {
			note_forgotten(r, in);
			count(r, in);
			continue;
		}
		atomic_fetch_add(&r->busy, 1);
		rep = (struct raw_reply){ .body = body, .times = 1 };
		answer(r, in, &rep);
		rep.oh.unique = in->unique;
		choose_mode(r, in, &rep);
		apply_twist(r, in, &rep);
		/* Who sees it counted sees what the twist left. */
		count(r, in);
		if (!rep.drop)
			send_reply(r, &rep);
		atomic_fetch_sub(&r->busy, 1);
	}
	free(buf);
	free(body);
	return NULL;
}

void raw_serve(struct raw *r)
{
	pthread_mutex_init(&r->lock, NULL);
	answer_init(r);
	r->nr_threads = 3;
	for (int i = 0; i < r->nr_threads; i++)
		EQ(pthread_create(&r->threads[i], NULL, serve, r), 0);
}

struct raw *raw_alloc(void)
{
	void *p = mmap(NULL, sizeof(struct raw), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

struct raw *raw_start_io(uint32_t attr_mode, uint8_t io_mode)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, attr_mode);
	r->setup.io_mode = io_mode;
	raw_mount(r);
	raw_serve(r);
	return r;
}

struct raw *raw_start(uint32_t attr_mode)
{
	return raw_start_io(attr_mode, FUSEX_IO_PLAIN);
}

void raw_never(struct raw *r, const struct fusex_in_header *in,
	       struct raw_reply *rep)
{
	(void)r;
	(void)in;
	rep->drop = true;
}

void raw_refuse(struct raw *r, const struct fusex_in_header *in,
		struct raw_reply *rep)
{
	const int *error = r->data;

	(void)in;
	rep->oh.error = -*error;
	rep->len = 0;
}

void raw_ask_on(const struct raw *r)
{
	struct statfs st;

	for (int i = 0; i < 100; i++)
		OK(statfs(r->mnt, &st));
}

void raw_bend(struct raw *r, uint32_t op, raw_twist twist, const void *data)
{
	pthread_mutex_lock(&r->lock);
	r->op = op;
	r->twist = twist;
	r->data = data;
	atomic_store(&r->write_errno, 0);
	atomic_store(&r->seen, 0);
	pthread_mutex_unlock(&r->lock);
}

bool raw_seen(void *arg)
{
	const struct raw_want *want = arg;
	struct raw *r = want->r;

	return want->op ? atomic_load(&r->count[want->op]) :
			  atomic_load(&r->seen);
}

void raw_stop(struct raw *r)
{
	raw_bend(r, 0, NULL, NULL);
	OK(umount2(r->mnt, 0));
	for (int i = 0; i < r->nr_threads; i++)
		pthread_join(r->threads[i], NULL);
	close(r->fd);
	OK(rmdir(r->mnt));
	munmap(r, sizeof(*r));
}

const char *raw_path(const struct raw *r, const char *name)
{
	static char paths[4][512];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", r->mnt, name);
	return path;
}

const char *raw_sysfs(const struct raw *r, const char *name)
{
	static char path[128];
	struct statx stx;

	OK(statx(AT_FDCWD, r->mnt, AT_STATX_DONT_SYNC, 0, &stx));
	snprintf(path, sizeof(path), "/sys/fs/fusex/%u:%u/%s",
		 stx.stx_dev_major, stx.stx_dev_minor, name);
	return path;
}

void raw_sysfs_write(const struct raw *r, const char *name, const char *text)
{
	int fd = (int)OK(open(raw_sysfs(r, name), O_WRONLY));

	EQ(OK(write(fd, text, strlen(text))), strlen(text));
	OK(close(fd));
}

int raw_unregister(int fd, uint32_t cookie, uint32_t flags)
{
	struct fusex_backing_remove rm = {
		.size = sizeof(rm), .cookie = cookie, .flags = flags,
	};

	return ioctl(fd, FUSEX_IOC_BACKING_REMOVE, &rm);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What is to be durable, or to be on its way, though no program has called fsync().
 */
#include "actions.h"
#include "answer.h"
#include "fs.h"
#include "maps.h"
#include "raw.h"
#include "tap.h"

#include <linux/fs.h>
#include <sys/mount.h>

/* ------------------------------------------------------- files that are replaced */

/* What is dirty stays so, unless somebody sees to it. */
static void flusher(const char *centisecs)
{
	int fd = (int)OK(open("/proc/sys/vm/dirty_writeback_centisecs",
			      O_WRONLY));

	EQ(OK(write(fd, centisecs, strlen(centisecs))), strlen(centisecs));
	OK(close(fd));
}

static struct raw *start_writeback(uint64_t features)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, LOCAL);
	r->setup.io_mode = FUSEX_IO_WRITEBACK;
	r->setup.features = features;
	raw_mount(r);
	raw_serve(r);
	flusher("0");
	return r;
}

static void stop_writeback(struct raw *r)
{
	flusher("500");
	raw_stop(r);
}

/* Nothing was sent yet, though there was time for it. */
static void still_dirty(struct raw *r, uint32_t op)
{
	raw_ask_on(r);
	EQ(atomic_load(&r->count[op]), 0);
}

TEST(replaced, by_a_file_that_is_open)
{
	struct raw *r = start_writeback(0);
	int fd = (int)OK(open(raw_path(r, "new"), O_RDWR | O_CREAT, 0600));

	put(fd, 1000, 0, 1);
	OK(rename(raw_path(r, "new"), raw_path(r, "newer")));
	still_dirty(r, FUSEX_OP_WRITE);
	OK(rename(raw_path(r, "newer"), raw_path(r, "f")));
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	OK(close(fd));
	stop_writeback(r);
}

TEST(replaced, by_a_file_on_a_device)
{
	struct raw *r = maps_start(LOCAL, 1);
	int fd = (int)OK(open(raw_path(r, "new"), O_RDWR | O_CREAT, 0600));

	flusher("0");
	put(fd, 1000, 0, 1);
	still_dirty(r, FUSEX_OP_MAP_IOEND);
	OK(rename(raw_path(r, "new"), raw_path(r, "f")));
	UNTIL_SEEN(r, FUSEX_OP_MAP_IOEND);
	disk_shows(r, 0, 1000, MAP_FREE, 0, 1);
	flusher("500");
	end(r, fd);
}

/* The server hears of no close, and is not to have an empty file. */
TEST(replaced, by_what_is_written_to_it)
{
	struct raw *r = start_writeback(FUSEX_F_NO_OPEN | FUSEX_F_NO_FLUSH);
	int fd = open_rw(r, "f", 0);

	put(fd, 1000, 0, 1);
	OK(close(fd));
	still_dirty(r, FUSEX_OP_WRITE);
	fd = open_rw(r, "g", O_TRUNC);
	/* It is not over before anything was written. */
	OK(close(open_rw(r, "g", 0)));
	put(fd, 1000, 0, 1);
	still_dirty(r, FUSEX_OP_WRITE);
	OK(close(fd));
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	stop_writeback(r);
}

TEST(replaced, by_what_is_written_when_it_has_been_cut)
{
	struct raw *r = start_writeback(FUSEX_F_NO_OPEN | FUSEX_F_NO_FLUSH);
	int fd = open_rw(r, "f", 0);

	OK(ftruncate(fd, 0));
	put(fd, 1000, 0, 1);
	still_dirty(r, FUSEX_OP_WRITE);
	OK(close(fd));
	UNTIL_SEEN(r, FUSEX_OP_WRITE);
	stop_writeback(r);
}

/* ------------------------------------------------------------------------ names */

static atomic_uint durable[RAW_NODES];
static atomic_int refused;

/* The server says that names are to be durable at once, and is asked to make them. */
static void note_fsync(struct raw *r, const struct fusex_in_header *in,
		       struct raw_reply *rep)
{
	struct fusex_entry_out *out = (void *)rep->body;

	(void)r;
	if (in->opcode == FUSEX_OP_LOOKUP && !rep->oh.error &&
	    S_ISDIR(out->entry.attr.mode)) {
		out->entry.attr.mask |= FUSEX_ATTR_FLAGS;
		out->entry.attr.flags = FS_DIRSYNC_FL;
	}
	if (in->opcode != FUSEX_OP_FSYNC)
		return;
	atomic_fetch_add(&durable[in->nodeid], 1);
	rep->oh.error = -atomic_load(&refused);
}

static struct raw *start_dirsync(uint32_t flags)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, LOCAL);
	r->setup.root.attr.mask |= FUSEX_ATTR_FLAGS;
	r->setup.root.attr.flags = flags;
	raw_mount(r);
	raw_serve(r);
	raw_bend(r, 0, note_fsync, NULL);
	return r;
}

static const struct {
	const char *name;
	raw_action act;
} changes[] = {
	{ "create", do_create },
	{ "mknod", do_mknod },
	{ "mkdir", do_mkdir },
	{ "symlink", do_symlink },
	{ "link", do_link },
	{ "unlink", do_unlink },
	{ "rmdir", do_rmdir },
	{ "rename", do_rename },
};

#define NR_CHANGES	(sizeof(changes) / sizeof(changes[0]))

static void comes_to(unsigned int change, const char *what, int is, int wanted)
{
	if (is != wanted)
		FAIL("%s: %s %d, not %d", changes[change].name, what, is,
		     wanted);
}

/* Each of them, and each of them alone, in a directory with these flags. */
static void made_durable(uint32_t flags, int times)
{
	for (unsigned int i = 0; i < NR_CHANGES; i++) {
		struct raw *r = start_dirsync(flags);

		memset(durable, 0, sizeof(durable));
		comes_to(i, "returns", changes[i].act(r), 0);
		comes_to(i, "FSYNC", (int)atomic_load(&durable[RAW_ROOT]),
			 times);
		comes_to(i, "FSYNC below", (int)atomic_load(&durable[3]),
			 changes[i].act == do_rename);
		raw_stop(r);
	}
}

TEST(names, are_durable_in_a_directory)
{
	made_durable(FS_DIRSYNC_FL, 1);
}

TEST(names, are_durable_where_all_is)
{
	made_durable(FS_SYNC_FL, 1);
}

TEST(names, are_not_made_durable_elsewhere)
{
	made_durable(0, 0);
}

TEST(names, are_durable_on_a_mount)
{
	struct raw *r = start_dirsync(0);

	OK(mount("none", r->mnt, NULL, MS_REMOUNT | MS_SYNCHRONOUS, NULL));
	memset(durable, 0, sizeof(durable));
	EQ(do_mkdir(r), 0);
	EQ(atomic_load(&durable[RAW_ROOT]), 1);
	raw_stop(r);
}

/* What has been done has been done, and whoever did it hears what went wrong. */
TEST(names, are_not_durable)
{
	static const int errors[] = { EIO, ENOSPC };

	for (unsigned int i = 0; i < 2 * NR_CHANGES; i++) {
		struct raw *r = start_dirsync(FS_DIRSYNC_FL);
		int err = errors[i / NR_CHANGES];

		atomic_store(&refused, err);
		comes_to(i % NR_CHANGES, "returns",
			 changes[i % NR_CHANGES].act(r), -err);
		atomic_store(&refused, 0);
		raw_stop(r);
	}
}

TEST(names, are_not_durable_and_changed)
{
	struct raw *r = start_dirsync(FS_DIRSYNC_FL);

	atomic_store(&refused, EIO);
	EQ(do_create(r), -EIO);
	EQ(do_unlink(r), -EIO);
	EQ(do_rmdir(r), -EIO);
	OK(access(raw_path(r, "new"), F_OK));
	FAILS(access(raw_path(r, "f"), F_OK), ENOENT);
	FAILS(access(raw_path(r, "d"), F_OK), ENOENT);
	raw_stop(r);
}

TEST(names, of_a_server_without_fsync)
{
	struct raw *r = start_dirsync(FS_DIRSYNC_FL);

	atomic_store(&refused, ENOSYS);
	EQ(do_create(r), 0);
	EQ(do_unlink(r), 0);
	EQ(atomic_load(&durable[RAW_ROOT]), 1);
	raw_stop(r);
}

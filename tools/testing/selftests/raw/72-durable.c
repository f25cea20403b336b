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

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mappings: as the builders make them, and those that nobody gets.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rq;
static struct event arrived = EVENT_INIT;
static struct event go = EVENT_INIT;
static struct fusex_map_begin_out answer;
static struct fusex_map_end_in ends[4];
static uint64_t end_node;
static unsigned int nr_ends;
static int begin_ret;

static int t_map_begin(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_map_begin_in *in,
		       struct fusex_map_begin_out *out)
{
	event_signal(&arrived);
	event_wait(&go, 1);
	*out = answer;
	return begin_ret;
}

static int t_map_end(struct fusex_req *req, const struct fusex_node *node,
		     const struct fusex_map_end_in *in)
{
	end_node = node->nodeid;
	ends[nr_ends++ % 4] = *in;
	return 0;
}

static const struct fusex_ops ops = {
	.map_begin	= t_map_begin,
	.map_end	= t_map_end,
};

static const struct fusex_ops ops_without_end = {
	.map_begin	= t_map_begin,
};

static const struct fusex_map_begin_in begin_in = {
	.offset = 4096, .length = 8192, .op = FUSEX_MAP_OP_WRITE, .size = 5,
};

/* The kernel is gone when the handler returns. */
static void lost(const struct fusex_ops *with)
{
	nr_ends = 0;
	arrived.count = 0;
	go.count = 0;
	memset(ends, 0, sizeof(ends));
	fake_start(&fake, with, NULL, 1, 1);
	msg_begin(&fake, &rq, FUSEX_OP_MAP_BEGIN, 9);
	msg_arg(&rq, &begin_in, sizeof(begin_in));
	fake_send(&fake, &rq);
	ok(event_wait(&arrived, 1), "the handler runs");
	shutdown(fake.sock, SHUT_RDWR);
	event_signal(&go);
	fake_stop(&fake);
}

static bool ended(void)
{
	struct fusex_map_end_in want = {
		.offset	= begin_in.offset,
		.length	= begin_in.length,
		.op	= begin_in.op,
	};

	return end_node == 9 && !memcmp(&ends[0], &want, sizeof(want));
}

static void test_lost(void)
{
	fusex_map_hole(&answer.read, 0, 65536);
	fusex_map_at(&answer.write, FUSEX_MAP_UNWRITTEN, 4096, 8192, 3, 1 << 20);
	lost(&ops);
	is(nr_ends, 0, "mappings without an end do not get one");

	answer.write.flags = FUSEX_MAP_F_NEW | FUSEX_MAP_F_END;
	lost(&ops);
	ok(nr_ends == 1 && ended(),
	   "one with an end that did not arrive has come to it");
	lost(&ops_without_end);
	is(nr_ends, 0, "unless the server has no use for that");

	answer.read.flags = FUSEX_MAP_F_END;
	lost(&ops);
	ok(nr_ends == 1 && ended(), "one for both, if both have one");

	begin_ret = -ENOSPC;
	lost(&ops);
	is(nr_ends, 0, "an error has no mappings");
}

static void built(const struct fusex_map *got, const struct fusex_map *want,
		  const char *what)
{
	ok(!memcmp(got, want, sizeof(*got)), "%s", what);
}

static void test_builders(void)
{
	const uint64_t off = 1ull << 40, len = 1ull << 41, addr = 1ull << 42;
	struct fusex_map map;

	memset(&map, 0xee, sizeof(map));
	fusex_map_hole(&map, off, len);
	built(&map, &(struct fusex_map){
		.offset = off, .length = len, .type = FUSEX_MAP_HOLE,
	}, "fusex_map_hole");
	fusex_map_at(&map, FUSEX_MAP_UNWRITTEN, off, len, 77, addr);
	built(&map, &(struct fusex_map){
		.offset = off, .length = len, .addr = addr,
		.type = FUSEX_MAP_UNWRITTEN, .dev = 77,
	}, "fusex_map_at");
	map.flags = FUSEX_MAP_F_NEW;
	fusex_map_reserved(&map, off, len);
	built(&map, &(struct fusex_map){
		.offset = off, .length = len, .type = FUSEX_MAP_DELALLOC,
	}, "fusex_map_reserved");
	fusex_map_at(&map, FUSEX_MAP_MAPPED, off, len, 77, addr);
	fusex_map_inline(&map, 4096);
	built(&map, &(struct fusex_map){
		.length = 4096, .type = FUSEX_MAP_INLINE,
	}, "fusex_map_inline");
}

int main(void)
{
	test_builders();
	test_lost();
	return tap_end();
}

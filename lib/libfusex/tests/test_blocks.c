// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Files whose blocks have fixed places.
 */
#include <errno.h>
#include <string.h>

#include <fusex.h>

#include "tap.h"

#define COUNT	16u
#define SIZE	1024u
#define ADDR	(100u * SIZE)

static unsigned char type[COUNT];
static struct fusex_attr attr;
static const struct fusex_blocks file = {
	.type = type, .attr = &attr, .count = COUNT, .block_size = SIZE,
	.dev = 7, .addr = ADDR,
};

/* One letter a block: hole, unwritten, data. */
static void looks(const char *want, const char *what)
{
	unsigned int i, used = 0;
	char got[COUNT + 1];

	for (i = 0; i < COUNT; i++) {
		got[i] = type[i] == FUSEX_MAP_HOLE ? '.' :
			 type[i] == FUSEX_MAP_UNWRITTEN ? 'u' : 'd';
		used += got[i] != '.';
	}
	got[COUNT] = '\0';
	if (!ok(!strcmp(got, want), "%s", what))
		printf("# %s, not %s\n", got, want);
	is(attr.blocks, used * (SIZE / 512), "and the file has these blocks");
}

static void clear(void)
{
	memset(type, FUSEX_MAP_HOLE, sizeof(type));
	memset(&attr, 0, sizeof(attr));
}

static int begin(uint64_t offset, uint64_t length, uint32_t op,
		 struct fusex_map_begin_out *out)
{
	const struct fusex_map_begin_in in = {
		.offset = offset, .length = length, .op = op,
	};

	memset(out, 0, sizeof(*out));
	return fusex_blocks_begin(&file, &in, out);
}

static void end(uint64_t offset, uint64_t length, uint64_t size, int error)
{
	const struct fusex_map_ioend_in in = {
		.offset = offset, .length = length, .size = size,
		.flags = FUSEX_IOEND_UNWRITTEN |
			 (size ? FUSEX_IOEND_APPEND : 0),
		.error = error,
	};

	fusex_blocks_ioend(&file, &in);
}

static void covers(const struct fusex_map *m, uint64_t first, uint64_t last,
		   enum fusex_map_type kind, const char *what)
{
	const bool hole = kind == FUSEX_MAP_HOLE;

	ok(m->offset == first * SIZE && m->length == (last - first) * SIZE &&
	   m->type == kind && m->dev == (hole ? 0 : 7) && !m->flags &&
	   m->addr == (hole ? 0 : ADDR + first * SIZE), "%s", what);
}

static void test_write(void)
{
	struct fusex_map_begin_out out;

	clear();
	is(begin(5000, 10, 0, &out), 0, "an empty file");
	covers(&out.read, 0, COUNT, FUSEX_MAP_HOLE, "is a hole");
	is(begin(3 * SIZE + 1, SIZE, FUSEX_MAP_OP_WRITE, &out), 0,
	   "space to write to");
	covers(&out.read, 3, 5, FUSEX_MAP_UNWRITTEN, "is all it touches");
	ok(out.attr.mask == FUSEX_ATTR_BLOCKS && out.attr.blocks == 4 &&
	   !out.write.type && !out.lease, "with the blocks, and no more");
	looks("...uu...........", "nothing else");
	end(3 * SIZE + 1, SIZE, 0, -EIO);
	looks("...uu...........", "what could not be written is not data");
	end(3 * SIZE + 1, SIZE - 1, 4 * SIZE, 0);
	looks("...du...........", "up to the end of a block");
	is(attr.size, 4 * SIZE, "the file is as large");
	end(4 * SIZE, 1, 100, 0);
	looks("...dd...........", "a byte is a block");
	is(attr.size, 4 * SIZE, "it does not become smaller");
	is(begin(4 * SIZE, SIZE, FUSEX_MAP_OP_WRITE, &out), 0, "data");
	covers(&out.read, 3, 5, FUSEX_MAP_MAPPED, "stays data");
	is(begin(2 * SIZE, 1, FUSEX_MAP_OP_REPORT, &out), 0, "before it");
	covers(&out.read, 0, 3, FUSEX_MAP_HOLE, "is the first hole");
}

static void test_ends(void)
{
	struct fusex_map_begin_out out;

	clear();
	is(begin((COUNT - 1) * SIZE, 10 * SIZE, FUSEX_MAP_OP_WRITE, &out), 0,
	   "the last block");
	looks("...............u", "and nothing behind it");
	is(begin(COUNT * SIZE, 1, 0, &out), -EFBIG, "behind it");
	is(begin(UINT64_MAX, 1, FUSEX_MAP_OP_WRITE, &out), -EFBIG,
	   "far behind it");
	is(begin(0, UINT64_MAX, FUSEX_MAP_OP_WRITE, &out), 0, "all there is");
	looks("uuuuuuuuuuuuuuuu", "is full");
	end(2 * SIZE, 0, 0, 0);
	looks("uuuuuuuuuuuuuuuu", "nothing was written");
	end(SIZE, UINT64_MAX, 0, 0);
	looks("uddddddddddddddd", "all was");
}

static void test_resize(void)
{
	struct fusex_map_begin_out out;

	clear();
	begin(0, 6 * SIZE, FUSEX_MAP_OP_WRITE, &out);
	end(0, 4 * SIZE, 4 * SIZE, 0);
	fusex_blocks_resize(&file, SIZE + 1);
	looks("dd..............", "a part of a block stays");
	is(attr.size, SIZE + 1, "the size");
	fusex_blocks_resize(&file, 5 * SIZE);
	looks("dd..............", "to grow takes no space");
	is(attr.size, 5 * SIZE, "the size");
	fusex_blocks_resize(&file, SIZE);
	looks("d...............", "a whole block goes");
	fusex_blocks_resize(&file, 0);
	looks("................", "all of them");
	fusex_blocks_resize(&file, UINT64_MAX);
	looks("................", "as large as can be");
}

int main(void)
{
	test_write();
	test_ends();
	test_resize();
	return tap_end();
}

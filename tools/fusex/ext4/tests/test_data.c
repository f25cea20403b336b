// SPDX-License-Identifier: GPL-2.0
/*
 * Data, and where it is: random operations on files against a model of bytes,
 * by way of the server and in the order in which the kernel asks for mappings.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"

#define FILE_MAX	(3u << 20)
#define STEPS		1500

/**
 * struct model - what a file has to be
 * @n: the file
 * @bytes: its data
 * @size: its size
 */
struct model {
	struct node	*n;
	unsigned char	*bytes;
	size_t		size;
};

static const char * const kinds[] = {
	"-b 4096", "-b 1024", "-b 1024 -O ^extents,^64bit",
	"-b 4096 -O inline_data", "-b 4096 -O ^has_journal,^metadata_csum",
};

static void put_bytes(struct model *m, size_t offset, size_t len,
		      unsigned char c)
{
	memset(m->bytes + offset, c, len);
	if (c && offset + len > m->size)
		m->size = offset + len;
}

static int do_write(struct volume *v, struct model *m)
{
	size_t offset = rnd(FILE_MAX - 70000), len = 1 + rnd(70000);
	unsigned char c = (unsigned char)(1 + rnd(255)), *buf;
	int ret;

	/* Half of it goes on where the file ends. */
	if (rnd(2) && m->size < FILE_MAX - 70000)
		offset = m->size;
	buf = need(1, len);
	memset(buf, c, len);
	ret = plain_write(v, m->n, buf, len, offset);
	free(buf);
	if (!ret)
		put_bytes(m, offset, len, c);
	return ret;
}

static int do_truncate(struct volume *v, struct model *m)
{
	size_t size = rnd(4) ? rnd(FILE_MAX) : 0;

	if (size < m->size)
		memset(m->bytes + size, 0, m->size - size);
	m->size = size;
	return size_set(v, m->n, size);
}

static int do_falloc(struct volume *v, struct model *m)
{
	static const uint32_t modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};
	uint32_t mode = modes[rnd(5)];
	size_t offset = rnd(FILE_MAX - 200000), len = 1 + rnd(200000), end;
	int ret;

	ret = falloc(v, m->n, mode, offset, len);
	if (ret == -EOPNOTSUPP)
		return 0;
	if (ret)
		return ret;
	end = offset + len;
	if (mode & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE))
		memset(m->bytes + offset, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > m->size)
		m->size = end;
	return 0;
}

static int do_shift(struct volume *v, struct model *m)
{
	size_t bs = block_size(v), len = bs * (1 + rnd(20)), offset;
	bool insert = rnd(2);
	int ret;

	if (m->size < 2 * len + 2 * bs || m->size + len > FILE_MAX)
		return 0;
	offset = rnd((uint32_t)((m->size - len - bs) / bs)) * bs;
	ret = falloc(v, m->n, insert ? FALLOC_FL_INSERT_RANGE :
				       FALLOC_FL_COLLAPSE_RANGE, offset, len);
	if (ret)
		return ret == -EOPNOTSUPP ? 0 : ret;
	if (insert) {
		memmove(m->bytes + offset + len, m->bytes + offset,
			m->size - offset);
		memset(m->bytes + offset, 0, len);
		m->size += len;
	} else {
		memmove(m->bytes + offset, m->bytes + offset + len,
			m->size - offset - len);
		memset(m->bytes + m->size - len, 0, len);
		m->size -= len;
	}
	return 0;
}

static bool is_equal(struct volume *v, struct model *m)
{
	unsigned char *buf = need(1, FILE_MAX + 1);
	ssize_t got = plain_read(v, m->n, buf, FILE_MAX, 0);
	bool equal = got == (ssize_t)m->size && size_of(m->n) == m->size &&
		     !memcmp(buf, m->bytes, m->size);
	size_t i = 0;

	if (!equal) {
		while (i < m->size && buf[i] == m->bytes[i])
			i++;
		printf("# size %zu, got %zd, differs at %zu: %u, not %u\n",
		       m->size, got, i, buf[i], m->bytes[i]);
	}
	free(buf);
	return equal;
}

static int step(struct volume *v, struct model *m)
{
	switch (rnd(10)) {
	case 0:
		return do_truncate(v, m);
	case 1:
	case 2:
		return do_falloc(v, m);
	case 3:
		return do_shift(v, m);
	default:
		return do_write(v, m);
	}
}

static void test_plain(struct volume *v, struct node *root)
{
	struct model m[3];
	char name[16];
	unsigned int i;
	int ret = 0;
	bool equal = true;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		m[i].n = image_file(v, root, name, 0);
		m[i].bytes = need(1, FILE_MAX);
		m[i].size = 0;
	}
	for (i = 0; i < STEPS && !ret && equal; i++) {
		if (commit_room(v))
			break;
		WR_LOCK(v);
		ret = step(v, &m[i % 3]);
		if (i % 50 == 0)
			equal = is_equal(v, &m[i % 3]);
		UNLOCK(v);
		if (i % 100 == 0)
			ret = ret ? ret : commit_now(v);
	}
	is(ret, 0, "files are written, cut, punched and moved");
	WR_LOCK(v);
	for (i = 0; i < 3; i++)
		ok(is_equal(v, &m[i]), "file %u is what it has to be", i);
	UNLOCK(v);
	for (i = 0; i < 3; i++)
		free(m[i].bytes);
}

/* A file that grows by what the kernel asks for is few extents. */
static void test_growing(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "growing", 0);
	struct fusex_map_begin_in in = { .length = 65536,
					 .op = FUSEX_MAP_OP_WRITE };
	struct fusex_map_ioend_in end = { .flags = FUSEX_IOEND_UNWRITTEN |
						   FUSEX_IOEND_APPEND };
	struct fusex_map_begin_out out = { .lease = 0 };
	unsigned int asked = 0;
	uint32_t count = 0;
	uint64_t known = 0, offset;
	int ret = 0;

	WR_LOCK(v);
	for (offset = 0; offset < 24u << 20 && !ret; offset += 65536) {
		if (offset + 65536 > known) {
			in.offset = known > offset ? known : offset;
			in.length = offset + 65536 - in.offset;
			ret = map_begin(v, n, &in, &out);
			known = out.read.offset + out.read.length;
			asked++;
		}
		end.offset = offset;
		end.length = 65536;
		end.size = offset + 65536;
		if (!ret)
			ret = map_ioend(v, n, &end);
	}
	is(ret, 0, "a file of 24 MiB grows");
	ok(asked < 20, "asked for space %u times", asked);
	is(extents_count(v, n, &count), 0, "its extents are counted");
	ok(count <= 8, "it has %u of them", count);
	ok(n->reserved, "more was taken than it needs");
	is(map_trim(v, n), 0, "which is given back");
	ok(n->raw.i_blocks < ((24 << 20) + 8192) / 512, "all of it");
	UNLOCK(v);
}

/* Blocks that are written one at a time, in any order, become one extent. */
static void test_scattered(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "scattered", 0);
	const unsigned int blocks = 1024;
	unsigned int *order = need(blocks, sizeof(*order)), i, j, t;
	uint32_t count = 0;
	int ret;

	for (i = 0; i < blocks; i++)
		order[i] = i;
	for (i = blocks - 1; i; i--) {
		j = rnd(i + 1);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	WR_LOCK(v);
	ret = falloc(v, n, 0, 0, (uint64_t)blocks * block_size(v));
	is(ret, 0, "space for blocks");
	for (i = 0; i < blocks && !ret; i++) {
		ret = extents_convert(v, n, order[i], 1, RUN_DATA);
		if (i == blocks / 2) {
			ret = ret ? ret : extents_count(v, n, &count);
			ok(count > 300, "half of them written: %u extents",
			   count);
		}
	}
	is(ret, 0, "they are written in any order");
	is(extents_count(v, n, &count), 0, "extents are counted");
	ok(count <= 2, "%u are left", count);
	UNLOCK(v);
	free(order);
}

static void test_full(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "full", 0);
	char *buf = need(1, 1 << 20);
	uint64_t offset = 0;
	int ret = 0;

	alloc_as_root(false);
	WR_LOCK(v);
	for (; !ret && offset < 1u << 30; offset += 1 << 20)
		ret = plain_write(v, n, buf, 1 << 20, offset);
	is(ret, -ENOSPC, "a full file system says so");
	ok(ext2fs_free_blocks_count(v->fs->super) + 32 >=
	   ext2fs_r_blocks_count(v->fs->super), "what is reserved stays");
	is(size_set(v, n, 0), 0, "the file is cut");
	ret = plain_write(v, n, buf, 1 << 20, 0);
	is(ret, -ENOSPC, "its space is not free yet");
	UNLOCK(v);
	is(commit_now(v), 0, "until that is durable");
	WR_LOCK(v);
	is(plain_write(v, n, buf, 1 << 20, 0), 0, "then it is");
	UNLOCK(v);
	alloc_as_root(true);
	free(buf);
}

static void test_kind(const char *kind)
{
	const char *path = image_make(kind, 64);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);

	printf("# %s\n", kind);
	test_plain(v, root);
	if (ext2fs_has_feature_extents(v->fs->super)) {
		test_growing(v, root);
		test_scattered(v, root);
	}
	test_full(v, root);
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(kinds[i]);
	return tap_end();
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Notifications as they are written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../src/internal.h"
#include "fake.h"
#include "tap.h"

static struct fake fake;
static struct message rp;
static const struct fusex_ops ops;
static const struct fusex_node_ref dir = { .nodeid = 11, .generation = 12 };
static const struct fusex_node_ref child = { .nodeid = 13, .generation = 14 };
static char longest[257];
static unsigned int writes;
static int refusal;

/* Takes the place of libc's, to refuse what the fake kernel would take. */
ssize_t writev(int fd, const struct iovec *iov, int count)
{
	writes++;
	errno = refusal;
	return refusal ? -1 : syscall(SYS_writev, fd, iov, count);
}

static void arrived(int ret, uint32_t code, const void *arg, size_t len,
		    const char *name, const char *what)
{
	size_t extra = name ? strlen(name) + 1 : 0;
	const unsigned char *p = reply_body(&rp);
	bool came = fake_recv(&fake, &rp);

	ok(!ret && came && !rp.out.unique && !rp.out.error &&
	   !rp.out.reserved && rp.out.notify == code &&
	   reply_len(&rp) == len + extra && !memcmp(p, arg, len) &&
	   (!name || !memcmp(p + len, name, extra)), "%s", what);
}

static void test_inode(void)
{
	struct fusex_notify_inode want = {
		.nodeid = 13, .generation = 14,
		.flags = FUSEX_INVAL_ATTR | FUSEX_INVAL_DATA,
		.offset = 1ull << 40, .length = 5,
	};
	struct fusex_notify_poll poll = { .kh = 99 };

	arrived(fusex_notify_inval_inode(fake.se, &child, want.flags,
					 want.offset, want.length),
		FUSEX_NOTIFY_INVAL_INODE, &want, sizeof(want), NULL,
		"fusex_notify_inval_inode");
	arrived(fusex_notify_poll(fake.se, 99), FUSEX_NOTIFY_POLL, &poll,
		sizeof(poll), NULL, "fusex_notify_poll");
}

static void test_entry(void)
{
	struct fusex_notify_entry want = {
		.parent = 11, .parent_generation = 12, .name_len = 4,
	};

	arrived(fusex_notify_inval_entry(fake.se, &dir, "name"),
		FUSEX_NOTIFY_INVAL_ENTRY, &want, sizeof(want), "name",
		"fusex_notify_inval_entry");
	want.name_len = 255;
	arrived(fusex_notify_expire_entry(fake.se, &dir, longest + 1),
		FUSEX_NOTIFY_EXPIRE_ENTRY, &want, sizeof(want), longest + 1,
		"fusex_notify_expire_entry, with the longest name");
	want.name_len = 1;
	want.child = 13;
	want.child_generation = 14;
	arrived(fusex_notify_delete_entry(fake.se, &dir, "n", &child),
		FUSEX_NOTIFY_DELETE_ENTRY, &want, sizeof(want), "n",
		"fusex_notify_delete_entry");
	is(fusex_notify_inval_entry(fake.se, &dir, longest), -ENAMETOOLONG,
	   "a name that is too long");
	is(fusex_notify_inval_entry(fake.se, &dir, ""), -EINVAL, "no name");
	ok(fake_quiet(&fake), "neither is sent");
}

static void test_prune(void)
{
	struct { struct fusex_notify_prune head; struct fusex_node_ref n[512]; }
		*want = need(1, sizeof(*want));
	struct fusex_node_ref *nodes = need(600, sizeof(*nodes));
	uint64_t i;
	int ret;

	for (i = 0; i < 600; i++)
		nodes[i].nodeid = i + 1;
	ret = fusex_notify_prune(fake.se, nodes, 600);
	want->head.count = 512;
	memcpy(want->n, nodes, sizeof(want->n));
	arrived(ret, FUSEX_NOTIFY_PRUNE, want, sizeof(*want), NULL,
		"fusex_notify_prune, the first batch");
	want->head.count = 88;
	memcpy(want->n, nodes + 512, 88 * sizeof(*nodes));
	arrived(ret, FUSEX_NOTIFY_PRUNE, want, 8 + 88 * sizeof(*nodes), NULL,
		"and the second");
	is(fusex_notify_prune(fake.se, nodes, 0), 0, "nothing to prune");
	ok(fake_quiet(&fake), "is not sent");
	free(nodes);
	free(want);
}

static void test_upsert(void)
{
	struct {
		struct fusex_notify_upsert head;
		struct fusex_map maps[FUSEX_UPSERT_MAX];
	} *want = need(1, sizeof(*want));
	struct fusex_map *maps = need(FUSEX_UPSERT_MAX + 2, sizeof(*maps));
	uint64_t i;
	int ret;

	for (i = 0; i < FUSEX_UPSERT_MAX + 2; i++)
		fusex_map_at(&maps[i], FUSEX_MAP_MAPPED, i << 12, 4096, 5,
			     i << 13);
	ret = fusex_notify_map_upsert(fake.se, &child, maps,
				      FUSEX_UPSERT_MAX + 2, 15, 1ull << 40);
	want->head.nodeid = 13;
	want->head.generation = 14;
	want->head.count = FUSEX_UPSERT_MAX;
	want->head.lease = 15;
	want->head.lease_valid = 1ull << 40;
	memcpy(want->maps, maps, sizeof(want->maps));
	arrived(ret, FUSEX_NOTIFY_MAP_UPSERT, want, sizeof(*want), NULL,
		"fusex_notify_map_upsert, the first batch");
	want->head.count = 2;
	memcpy(want->maps, maps + FUSEX_UPSERT_MAX, 2 * sizeof(*maps));
	arrived(ret, FUSEX_NOTIFY_MAP_UPSERT, want,
		sizeof(want->head) + 2 * sizeof(*maps), NULL,
		"and the second");
	is(fusex_notify_map_upsert(fake.se, &child, maps, 0, 0, 0), 0,
	   "nothing to remember");
	ok(fake_quiet(&fake), "is not sent");
	free(maps);
	free(want);
}

static void test_maps(void)
{
	struct fusex_notify_map inval = {
		.nodeid = 13, .generation = 14, .offset = 1ull << 40,
		.length = 1ull << 33,
	};
	struct fusex_notify_recall recall = {
		.nodeid = 13, .generation = 14, .lease = 15,
		.offset = 1ull << 40, .length = 1ull << 33,
	};
	struct fusex_notify_dev dev = {
		.dev = 16, .offset = 1ull << 40, .length = 1ull << 33,
	};

	arrived(fusex_notify_map_inval(fake.se, &child, inval.offset,
				       inval.length),
		FUSEX_NOTIFY_MAP_INVAL, &inval, sizeof(inval), NULL,
		"fusex_notify_map_inval");
	arrived(fusex_notify_map_recall(fake.se, &child, 15, recall.offset,
					recall.length),
		FUSEX_NOTIFY_MAP_RECALL, &recall, sizeof(recall), NULL,
		"fusex_notify_map_recall");
	arrived(fusex_notify_dev_inval(fake.se, 16, dev.offset, dev.length),
		FUSEX_NOTIFY_DEV_INVAL, &dev, sizeof(dev), NULL,
		"fusex_notify_dev_inval");
}

/* The first batch that fails is the last that is sent. */
static void test_refused(void)
{
	struct fusex_map *maps = need(FUSEX_UPSERT_MAX + 1, sizeof(*maps));

	writes = 0;
	refusal = ENOENT;
	is(fusex_notify_map_upsert(fake.se, &child, maps, FUSEX_UPSERT_MAX + 1,
				   0, 0), -ENOENT, "mappings of nothing");
	is(writes, 1, "are not sent further");
	refusal = 0;
	free(maps);
}

static void test_not_ready(void)
{
	struct fusex_session *se;
	struct fusex_config cfg;

	fusex_config_init(&cfg, sizeof(cfg));
	se = fusex_session_new(&ops, sizeof(ops), &cfg, NULL);
	is(fusex_notify_poll(se, 1), -ENOTCONN, "before there is a channel");
	fusex_session_free(se);
}

/* The library has closed the channel itself: nothing arrives, and that is told. */
static void test_closed(void)
{
	struct fusex_session *se = fake.se;
	int fd = dup(se->fd);
	uint32_t cookie;

	session_end_fd(se, se->fd);
	is(fusex_notify_inval_inode(se, &child, FUSEX_INVAL_DATA, 0, 0), -ENODEV,
	   "no notification after the end");
	is(fusex_backing_add(se, 0, FUSEX_BACKING_READ, &cookie), -ENODEV,
	   "no backing file, either");
	dup2(fd, se->fd);
	close(fd);
}

int main(void)
{
	memset(longest, 'n', 256);
	fake_start(&fake, &ops, NULL, 1, 1);
	test_inode();
	test_entry();
	test_prune();
	test_upsert();
	test_maps();
	test_refused();
	test_not_ready();
	test_closed();
	fake_stop(&fake);
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What the server changes without the kernel, and how the kernel hears of it.
 * Everything may be cached for ever, so only a notification can make it seen.
 */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "server.h"

static const struct srv_options remote = { .attr_mode = FUSEX_ATTR_REMOTE };
static const struct srv_options local = { .attr_mode = FUSEX_ATTR_LOCAL };

static void rewrite(uint64_t id, const char *text)
{
	struct srv_node *n = &srv->nodes[id];

	memcpy(n->data, text, strlen(text));
	n->attr.size = strlen(text);
}

static void attributes(const struct srv_options *o)
{
	uint64_t id;

	srv_start(o);
	id = file("f", "abc");
	EQ(look("m/f").stx_mode, S_IFREG | 0644);
	srv->nodes[id].attr.mode = S_IFREG | 0600;
	srv->nodes[id].attr.nlink = 5;
	EQ(look("m/f").stx_mode, S_IFREG | 0644);
	srv_inval(id, FUSEX_INVAL_ATTR);
	EQ(look("m/f").stx_mode, S_IFREG | 0600);
	EQ(look("m/f").stx_nlink, 5);
	srv_stop();
}

TEST(inval_inode, attributes_remote)
{
	attributes(&remote);
}

TEST(inval_inode, attributes_local)
{
	attributes(&local);
}

static void data(const struct srv_options *o)
{
	uint64_t id;
	char buf[8];
	int fd;

	srv_start(o);
	id = file("f", "old");
	fd = (int)OK(open("m/f", O_RDONLY));
	EQ(OK(pread(fd, buf, 8, 0)), 3);
	rewrite(id, "new");
	EQ(OK(pread(fd, buf, 8, 0)), 3);
	CHECK(!memcmp(buf, "old", 3));
	srv_inval(id, FUSEX_INVAL_DATA);
	EQ(OK(pread(fd, buf, 8, 0)), 3);
	CHECK(!memcmp(buf, "new", 3));
	rewrite(id, "longer");
	srv_inval(id, FUSEX_INVAL_DATA | FUSEX_INVAL_ATTR);
	EQ(flook(fd).stx_size, 6);
	EQ(OK(pread(fd, buf, 8, 0)), 6);
	CHECK(!memcmp(buf, "longer", 6));
	close(fd);
	srv_stop();
}

TEST(inval_inode, data_remote)
{
	data(&remote);
}

TEST(inval_inode, data_local)
{
	data(&local);
}

TEST(inval_inode, range_of_data)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_INVAL_INODE, .flags = FUSEX_INVAL_DATA,
		.offset = 16384, .length = 4096,
	};
	unsigned char *map, *bytes;
	uint64_t id;
	int fd;

	srv_start(&remote);
	id = file("f", NULL);
	bytes = srv->nodes[id].data;
	memset(bytes, 1, SRV_DATA);
	srv->nodes[id].attr.size = SRV_DATA;
	fd = (int)OK(open("m/f", O_RDONLY));
	map = mmap(NULL, SRV_DATA, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < SRV_DATA; i += 4096)
		EQ(map[i], 1);
	memset(bytes, 2, SRV_DATA);
	EQ(map[16384], 1);
	c.node = srv_ref(id);
	EQ(srv_notify(&c), 0);
	/* A mapping sees it too.  What is outside may stay, and may not. */
	EQ(map[16384], 2);
	EQ(map[16384 + 4095], 2);
	munmap(map, SRV_DATA);
	close(fd);
	srv_stop();
}

TEST(inval_inode, written_through_a_mapping_is_not_lost)
{
	unsigned char *map;
	uint64_t id;
	int fd;

	srv_start(&remote);
	id = file("f", "0123456789");
	fd = (int)OK(open("m/f", O_RDWR));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[3] = 'X';
	srv_inval(id, FUSEX_INVAL_DATA);
	EQ(map[3], 'X');
	OK(msync(map, 4096, MS_SYNC));
	EQ(map[3], 'X');
	EQ(srv->nodes[id].data[3], 'X');
	munmap(map, 4096);
	close(fd);
	srv_stop();
}

TEST(inval_inode, xattr_absence)
{
	uint64_t id;
	char buf[8];

	srv_start(&local);
	id = file("f", "x");
	srv->nodes[id].flags = FUSEX_ENTRY_NO_XATTR;
	FAILS(getxattr("m/f", "user.a", buf, sizeof(buf)), ENODATA);
	EQ(srv_calls(FUSEX_OP_GETXATTR), 0);
	strcpy(srv->nodes[id].xattr, "val");
	srv_inval(id, FUSEX_INVAL_XATTR);
	EQ(OK(getxattr("m/f", "user.a", buf, sizeof(buf))), 3);
	srv_stop();
}

TEST(inval_inode, errors)
{
	struct srv_command c = { .what = FUSEX_NOTIFY_INVAL_INODE };
	uint64_t id;

	srv_start(&remote);
	id = file("f", "x");
	c.node = srv_ref(id);
	c.flags = FUSEX_INVAL_ATTR;
	EQ(srv_notify(&c), -ENOENT);
	look("m/f");
	EQ(srv_notify(&c), 0);
	c.flags = 0;
	EQ(srv_notify(&c), -EINVAL);
	c.flags = 1 << 20;
	EQ(srv_notify(&c), -EINVAL);
	c.flags = FUSEX_INVAL_ATTR;
	c.node.generation = 99;
	EQ(srv_notify(&c), -ENOENT);
	srv_stop();
}

static void identity(const struct srv_options *o)
{
	char buf[8];
	uint64_t id;
	int fd;

	srv_start(o);
	id = file("f", "old");
	fd = (int)OK(open("m/f", O_RDONLY));
	srv_inval(id, FUSEX_INVAL_IDENTITY);
	/* Another file takes over name and node id. */
	srv->nodes[id].generation = 2;
	rewrite(id, "other");
	STREQ(slurp("m/f"), "other");
	EQ(look("m/f").stx_size, 5);
	/* The old inode is there for those who have it open. */
	EQ(flook(fd).stx_nlink, 1);
	EQ(OK(read(fd, buf, 3)), 3);
	close(fd);
	srv_stop();
}

TEST(identity, remote)
{
	identity(&remote);
}

TEST(identity, local)
{
	identity(&local);
}

TEST(identity, same_node_makes_a_new_inode)
{
	unsigned long before;
	uint64_t id;
	int fd;

	srv_start(&local);
	id = file("f", "text");
	fd = (int)OK(open("m/f", O_RDONLY));
	look("m/f");
	before = srv_calls(FUSEX_OP_LOOKUP);
	srv_inval(id, FUSEX_INVAL_IDENTITY);
	STREQ(slurp("m/f"), "text");
	EQ(srv_calls(FUSEX_OP_LOOKUP), before + 1);
	close(fd);
	srv_stop();
}

TEST(inval_entry, appears_and_disappears)
{
	srv_start(&remote);
	FAILS(access("m/f", F_OK), ENOENT);
	file("f", "x");
	FAILS(access("m/f", F_OK), ENOENT);
	EQ(srv_entry(FUSEX_NOTIFY_INVAL_ENTRY, SRV_ROOT, "f"), 0);
	OK(access("m/f", F_OK));
	srv_find(SRV_ROOT, "f")->dir = 0;
	OK(access("m/f", F_OK));
	EQ(srv_entry(FUSEX_NOTIFY_INVAL_ENTRY, SRV_ROOT, "f"), 0);
	FAILS(access("m/f", F_OK), ENOENT);
	srv_stop();
}

TEST(inval_entry, local)
{
	srv_start(&local);
	FAILS(access("m/f", F_OK), ENOENT);
	file("f", "x");
	FAILS(access("m/f", F_OK), ENOENT);
	EQ(srv_entry(FUSEX_NOTIFY_INVAL_ENTRY, SRV_ROOT, "f"), 0);
	OK(access("m/f", F_OK));
	srv_stop();
}

TEST(inval_entry, points_elsewhere)
{
	uint64_t a, b;

	srv_start(&remote);
	a = file("f", "one");
	b = file("other", "two");
	STREQ(slurp("m/f"), "one");
	srv_find(SRV_ROOT, "f")->node = b;
	STREQ(slurp("m/f"), "one");
	EQ(srv_entry(FUSEX_NOTIFY_INVAL_ENTRY, SRV_ROOT, "f"), 0);
	STREQ(slurp("m/f"), "two");
	CHECK(a != b);
	srv_stop();
}

TEST(inval_entry, errors)
{
	srv_start(&remote);
	EQ(srv_entry(FUSEX_NOTIFY_INVAL_ENTRY, SRV_ROOT, "f"), -ENOENT);
	EQ(srv_entry(FUSEX_NOTIFY_EXPIRE_ENTRY, SRV_ROOT, "f"), -ENOENT);
	EQ(srv_entry(FUSEX_NOTIFY_DELETE_ENTRY, SRV_ROOT, "f"), -EINVAL);
	EQ(srv_entry(FUSEX_NOTIFY_INVAL_ENTRY, 9, "f"), -ENOENT);
	srv_stop();
}

TEST(expire_entry, asks_again)
{
	unsigned long before;

	srv_start(&remote);
	file("f", "x");
	OK(access("m/f", F_OK));
	before = srv_calls(FUSEX_OP_LOOKUP);
	OK(access("m/f", F_OK));
	EQ(srv_calls(FUSEX_OP_LOOKUP), before);
	EQ(srv_entry(FUSEX_NOTIFY_EXPIRE_ENTRY, SRV_ROOT, "f"), 0);
	OK(access("m/f", F_OK));
	EQ(srv_calls(FUSEX_OP_LOOKUP), before + 1);
	OK(access("m/f", F_OK));
	EQ(srv_calls(FUSEX_OP_LOOKUP), before + 1);
	srv_find(SRV_ROOT, "f")->dir = 0;
	EQ(srv_entry(FUSEX_NOTIFY_EXPIRE_ENTRY, SRV_ROOT, "f"), 0);
	FAILS(access("m/f", F_OK), ENOENT);
	srv_stop();
}

TEST(expire_entry, what_is_below_survives)
{
	uint64_t dir;

	srv_start(&remote);
	dir = srv_add(SRV_ROOT, "d", S_IFDIR | 0755, NULL);
	srv_add(dir, "sub", S_IFDIR | 0755, NULL);
	OK(mount("tmpfs", "m/d/sub", "tmpfs", 0, NULL));
	make_file("m/d/sub/inside", "x");
	srv_reset();
	EQ(srv_entry(FUSEX_NOTIFY_EXPIRE_ENTRY, SRV_ROOT, "d"), 0);
	STREQ(slurp("m/d/sub/inside"), "x");
	EQ(srv_calls(FUSEX_OP_LOOKUP), 1);
	OK(umount("m/d/sub"));
	srv_stop();
}

TEST(delete_entry, tells_watchers)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_DELETE_ENTRY, .name = "f",
	};
	struct pollfd p = { .events = POLLIN };
	union {
		struct inotify_event ev;
		char room[512];
	} u;

	srv_start(&remote);
	c.node = srv_ref(SRV_ROOT);
	c.child = srv_ref(file("f", "x"));
	OK(access("m/f", F_OK));
	p.fd = (int)OK(inotify_init1(IN_CLOEXEC));
	OK(inotify_add_watch(p.fd, "m", IN_DELETE));
	srv_find(SRV_ROOT, "f")->dir = 0;
	EQ(srv_notify(&c), 0);
	FAILS(access("m/f", F_OK), ENOENT);
	EQ(OK(poll(&p, 1, 5000 * (int)tap_slow())), 1);
	OK(read(p.fd, &u, sizeof(u)));
	EQ(u.ev.mask, IN_DELETE);
	STREQ(u.ev.name, "f");
	close(p.fd);
	srv_stop();
}

TEST(delete_entry, only_that_child)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_DELETE_ENTRY, .name = "f",
	};
	uint64_t other;

	srv_start(&remote);
	file("f", "x");
	other = file("g", "y");
	OK(access("m/f", F_OK));
	OK(access("m/g", F_OK));
	c.node = srv_ref(SRV_ROOT);
	c.child = srv_ref(other);
	EQ(srv_notify(&c), -ENOENT);
	srv_reset();
	OK(access("m/f", F_OK));
	EQ(srv_calls(FUSEX_OP_LOOKUP), 0);
	srv_stop();
}

TEST(delete_entry, directories)
{
	struct srv_command c = {
		.what = FUSEX_NOTIFY_DELETE_ENTRY, .name = "d",
	};
	uint64_t dir;
	int fd;

	srv_start(&remote);
	dir = srv_add(SRV_ROOT, "d", S_IFDIR | 0755, NULL);
	srv_add(dir, "f", S_IFREG | 0644, "x");
	fd = (int)OK(open("m/d/f", O_RDONLY));
	c.node = srv_ref(SRV_ROOT);
	c.child = srv_ref(dir);
	EQ(srv_notify(&c), -ENOTEMPTY);
	OK(access("m/d/f", F_OK));
	close(fd);
	OK(mount("tmpfs", "m/d", "tmpfs", 0, NULL));
	EQ(srv_notify(&c), -EBUSY);
	OK(umount("m/d"));
	EQ(srv_notify(&c), 0);
	srv_find(SRV_ROOT, "d")->dir = 0;
	FAILS(access("m/d", F_OK), ENOENT);
	srv_stop();
}

static bool was_forgotten(void *arg)
{
	return srv->forgotten[*(uint64_t *)arg] > 0;
}

static void prune(const struct srv_options *o)
{
	struct srv_command c = { .what = FUSEX_NOTIFY_PRUNE };
	uint64_t id, used;
	int fd;

	srv_start(o);
	id = file("f", "x");
	used = file("g", "y");
	STREQ(slurp("m/f"), "x");
	fd = (int)OK(open("m/g", O_RDONLY));
	c.node = srv_ref(used);
	srv_notify(&c);
	c.node = srv_ref(id);
	EQ(srv_notify(&c), 0);
	UNTIL(was_forgotten, &id);
	EQ(srv->forgotten[used], 0);
	STREQ(slurp("m/f"), "x");
	EQ(flook(fd).stx_size, 1);
	close(fd);
	srv_stop();
}

TEST(prune, remote)
{
	prune(&remote);
}

TEST(prune, local)
{
	prune(&local);
}

TEST(forget, gives_back_every_lookup)
{
	uint64_t id;
	unsigned long n;

	srv_start(&remote);
	id = file("f", "x");
	srv->entry_valid = 0;
	for (int i = 0; i < 10; i++)
		look("m/f");
	n = srv_calls(FUSEX_OP_LOOKUP);
	CHECK(n >= 10);
	srv_find(SRV_ROOT, "f")->dir = 0;
	FAILS(access("m/f", F_OK), ENOENT);
	drop_caches();
	UNTIL(was_forgotten, &id);
	EQ(srv->forgotten[id], n);
	srv_stop();
}

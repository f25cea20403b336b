// SPDX-License-Identifier: GPL-2.0
/*
 * Which file is which node, with file handles and with the table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mirror.h"
#include "tap.h"

#define FD_LIMIT	40

static struct mirror m;
static const char *kind;

static int make_file(const char *name, const char *text)
{
	int fd = openat(m.root_fd, name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		printf("Bail out! cannot make %s\n", name);
		exit(1);
	}
	return close(fd);
}

static struct fusex_entry_reply enter(const char *name)
{
	struct place p = place_of(m.root_fd, name);
	struct fusex_entry_reply out;

	memset(&out, 0, sizeof(out));
	if (node_enter(&m, &p, &out))
		out.entry.nodeid = 0;
	return out;
}

static struct fusex_node as_node(const struct fusex_entry_reply *out)
{
	struct fusex_node node = {
		.nodeid = out->entry.nodeid,
		.generation = out->entry.generation,
		.handle_len = out->entry.handle_len,
		.handle = out->handle,
	};

	return node;
}

/* A READ, as it comes from the kernel. */
static int read_node(const struct fusex_entry_reply *out, char *buf)
{
	struct fusex_node node = as_node(out);
	struct fdref ref;
	ssize_t n;
	int ret;

	buf[0] = '\0';
	ret = node_fd(&m, &node, FD_READ, &ref);
	if (ret)
		return ret;
	n = pread(ref.fd, buf, 15, 0);
	buf[n > 0 ? n : 0] = '\0';
	node_put(&m, &ref);
	return 0;
}

static bool reads(const struct fusex_entry_reply *out, const char *text)
{
	char buf[16];

	return !read_node(out, buf) && !strcmp(buf, text);
}

static void forget(const struct fusex_entry_reply *out, uint64_t nlookup)
{
	const struct fusex_forget_one one = {
		.nodeid = out->entry.nodeid,
		.generation = out->entry.generation,
		.nlookup = nlookup,
	};

	nodes_forget(&m, &one, 1);
}

static bool same(const struct fusex_entry_reply *a,
		 const struct fusex_entry_reply *b)
{
	return a->entry.nodeid == b->entry.nodeid &&
	       a->entry.generation == b->entry.generation;
}

/* Makes the cache close what it can. */
static void pressure(void)
{
	static struct fusex_entry_reply out[2 * FD_LIMIT];
	char name[16], buf[16];
	int i;

	for (i = 0; i < 2 * FD_LIMIT; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		make_file(name, name);
		out[i] = enter(name);
		read_node(&out[i], buf);
		unlinkat(m.root_fd, name, 0);
		/* A table cannot have more nodes than descriptors. */
		if (m.table)
			forget(&out[i], 1);
	}
	for (i = 0; i < 2 * FD_LIMIT && !m.table; i++)
		forget(&out[i], 1);
}

static void test_identity(void)
{
	struct fusex_entry_reply a, a2, b, link, gone;

	make_file("a", "text a");
	make_file("b", "text b");
	linkat(m.root_fd, "a", m.root_fd, "link", 0);
	a = enter("a");
	a2 = enter("a");
	b = enter("b");
	link = enter("link");
	gone = enter("gone");
	ok(a.entry.nodeid && same(&a, &a2), "%s: a file is one node", kind);
	ok(same(&a, &link), "%s: so are its links", kind);
	ok(b.entry.nodeid && !same(&a, &b), "%s: another file is another", kind);
	ok(!gone.entry.nodeid, "%s: no file is none", kind);
	is(a.entry.attr.nlink, 2, "attributes come with it");
	ok(reads(&a, "text a") && reads(&b, "text b"), "%s: a node can be read",
	   kind);
	renameat(m.root_fd, "a", m.root_fd, "c");
	unlinkat(m.root_fd, "link", 0);
	pressure();
	ok(reads(&a, "text a"), "%s: wherever its file moves", kind);
	a2 = enter("c");
	ok(same(&a, &a2), "%s: and stays the same node", kind);
	forget(&a, 4);
	forget(&b, 1);
	unlinkat(m.root_fd, "b", 0);
	unlinkat(m.root_fd, "c", 0);
}

static void test_removed(void)
{
	struct fusex_entry_reply out;
	struct fusex_attr attr = { .mask = 0 };
	struct fusex_node node;
	struct cached_fd *held;
	char buf[16];

	make_file("f", "text");
	out = enter("f");
	node = as_node(&out);
	is(node_hold(&m, m.root_fd, "f", &node, &held), 0, "a name can be held");
	unlinkat(m.root_fd, "f", 0);
	node_removed(&m, held, true, &attr);
	if (held)
		ok(attr.mask && !attr.nlink, "%s: it has no links then", kind);
	pressure();
	ok(reads(&out, "text"), "%s: a deleted file can be read", kind);
	forget(&out, 1);
	is(read_node(&out, buf), -ESTALE, "until it is forgotten");
	is(node_hold(&m, m.root_fd, "f", &node, &held),
	   m.table ? 0 : -ENOENT, "no name, nothing to hold");
}

static void test_link_left(void)
{
	struct fusex_entry_reply out;
	struct fusex_node node;
	struct cached_fd *held;
	unsigned int before;

	make_file("f", "text");
	linkat(m.root_fd, "f", m.root_fd, "g", 0);
	out = enter("f");
	node = as_node(&out);
	node_hold(&m, m.root_fd, "f", &node, &held);
	unlinkat(m.root_fd, "f", 0);
	node_removed(&m, held, true, NULL);
	before = fdcache_room(m.fds);
	ok(!held || before == FD_LIMIT, "%s: one that has names is not held on to",
	   kind);
	pressure();
	ok(reads(&out, "text"), "%s: because it can be found", kind);
	forget(&out, 1);
	unlinkat(m.root_fd, "g", 0);
}

static void test_new_in_place(void)
{
	struct fusex_entry_reply old, new;
	char buf[16];
	int i;

	/* Until the inode number is used again, if it ever is. */
	for (i = 0; i < 100; i++) {
		make_file("f", "old");
		old = enter("f");
		forget(&old, 1);
		unlinkat(m.root_fd, "f", 0);
		make_file("f", "new");
		new = enter("f");
		if (same(&old, &new) && !m.table)
			break;
		if (read_node(&old, buf) != -ESTALE && !m.table)
			break;
		forget(&new, 1);
		unlinkat(m.root_fd, "f", 0);
	}
	is(i, 100, "a new file is not the old one");
}

static void test_kinds(void)
{
	struct fusex_entry_reply out;
	struct fusex_node node;
	struct fdref ref;
	char buf[16];

	symlinkat("target", m.root_fd, "l");
	out = enter("l");
	node = as_node(&out);
	is(node_fd(&m, &node, FD_PATH, &ref), 0, "a link can be named");
	is(readlinkat(ref.fd, "", buf, sizeof(buf)), 6, "and is the link itself");
	node_put(&m, &ref);
	forget(&out, 1);
	unlinkat(m.root_fd, "l", 0);
	mkdirat(m.root_fd, "d", 0755);
	out = enter("d");
	node = as_node(&out);
	is(node_dir(&m, &node, &ref), 0, "a directory can be used");
	is(mkdirat(ref.fd, "e", 0755), 0, "to make something in");
	unlinkat(ref.fd, "e", AT_REMOVEDIR);
	node_put(&m, &ref);
	forget(&out, 1);
	unlinkat(m.root_fd, "d", AT_REMOVEDIR);
	node.nodeid += 1000;
	node.handle_len = 0;
	ok(node_fd(&m, &node, FD_PATH, &ref) < 0, "%s: an unknown node is none",
	   kind);
}

/* Of a request whose caller was killed, before it was answered. */
static void test_forgotten_in_use(void)
{
	struct fusex_entry_reply out;
	struct fusex_node node;
	struct fdref ref;
	struct stat st;

	make_file("f", "text");
	out = enter("f");
	node = as_node(&out);
	is(node_fd(&m, &node, FD_PATH, &ref), 0, "a node is in use");
	forget(&out, 1);
	ok(!fstat(ref.fd, &st) && st.st_ino == out.entry.attr.ino,
	   "%s: one that is forgotten meanwhile stays what it is", kind);
	node_put(&m, &ref);
	if (m.table)
		is(node_fd(&m, &node, FD_PATH, &ref), -ESTALE,
		   "until it is not used any more");
	unlinkat(m.root_fd, "f", 0);
}

/* The FORGET of a busy kernel, which comes when a wait for it has ended. */
static void *forget_late(void *arg)
{
	usleep(250000);
	forget(arg, 1);
	return NULL;
}

static void test_room(void)
{
	struct fusex_entry_reply out;
	struct fusex_node node;
	struct cached_fd *held;
	struct room room;
	pthread_t thread;

	room = room_begin(&m);
	ok(!room_retry(&m, &room, -ENOSPC), "%s: full, and nothing will go", kind);
	if (m.table)
		return;
	make_file("f", "text");
	out = enter("f");
	node = as_node(&out);
	node_hold(&m, m.root_fd, "f", &node, &held);
	unlinkat(m.root_fd, "f", 0);
	node_removed(&m, held, true, NULL);
	room = room_begin(&m);
	ok(!room_retry(&m, &room, 0), "there is room, nothing to be tried again");
	if (pthread_create(&thread, NULL, forget_late, &out))
		abort();
	ok(room_retry(&m, &room, -ENOSPC), "a removed file goes, if late");
	pthread_join(thread, NULL);
	is(room.tries, 1, "once");
}

static void run(bool handles)
{
	struct fusex_entry_reply root;

	kind = handles ? "handles" : "table";
	m.handles = handles;
	memset(&root, 0, sizeof(root));
	is(nodes_init(&m, FD_LIMIT, &root), 0, kind);
	dirs_init(&m);
	ok(root.entry.nodeid && S_ISDIR(root.entry.attr.mode),
	   "%s: the root is a directory", kind);
	test_identity();
	test_removed();
	test_link_left();
	test_new_in_place();
	test_kinds();
	test_forgotten_in_use();
	test_room();
	is(fdcache_room(m.fds), FD_LIMIT - (handles ? 0 : 1),
	   "nothing is left behind");
	dirs_exit(&m);
	nodes_exit(&m);
}

int main(void)
{
	char dir[] = "/tmp/fusex-nodes-XXXXXX";

	if (!mkdtemp(dir) || source_open(&m, dir, false)) {
		printf("Bail out! cannot open a folder\n");
		return 1;
	}
	m.local = true;
	if (m.handles)
		run(true);
	else
		skip("no file handles for this process in /tmp");
	run(false);
	source_close(&m);
	rmdir(dir);
	return tap_end();
}

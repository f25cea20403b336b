// SPDX-License-Identifier: GPL-2.0
/*
 * What is the server's to do when attributes are remote, and what it leaves to
 * the kernel when they are local.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "tap.h"

#define ACCESS	"system.posix_acl_access"

/* Version, then tag, permissions and id of each entry. */
static const unsigned char acl[] = {
	2, 0, 0, 0,
	1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
	2, 0, 7, 0, 0xe8, 3, 0, 0,
	4, 0, 1, 0, 0xff, 0xff, 0xff, 0xff,
	16, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,
	32, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
};

static const unsigned char plain_acl[] = {
	2, 0, 0, 0,
	1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,
	4, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,
	32, 0, 1, 0, 0xff, 0xff, 0xff, 0xff,
};

/* Offset of the permissions of an entry. */
#define PERM(i)	(4 + 8 * (i) + 2)

static uint32_t perms_of(const struct node *n)
{
	return n->raw.i_mode & 07777u;
}

static void test_acl(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "acl", S_IFREG | S_ISUID | 0600);
	struct fusex_setattr_in in = { .valid = FUSEX_SET_MODE, .mode = 0742 };
	unsigned char got[sizeof(acl) + 1];

	WR_LOCK(v);
	ok(remote_is_acl(v, ACCESS), "an access ACL is one");
	ok(!remote_is_acl(v, "system.posix_acl_default"), "others are not");
	is(remote_set_acl(v, n, acl, sizeof(acl)), 0, "it is set");
	is(perms_of(n), S_ISUID | 0654, "and the mode with it: the mask");
	ok(xattr_get(v, n, ACCESS, got, sizeof(got)) == sizeof(acl) &&
	   !memcmp(got, acl, sizeof(acl)), "it is what was set");
	ok(!attr_set(v, n, &in) && !remote_set(v, n, &in), "the mode is set");
	is(xattr_get(v, n, ACCESS, got, sizeof(got)), sizeof(acl),
	   "the ACL is there");
	ok(got[PERM(0)] == 7 && got[PERM(1)] == 7 && got[PERM(2)] == 1 &&
	   got[PERM(3)] == 4 && got[PERM(4)] == 2, "and follows the mode");
	is(remote_set_acl(v, n, plain_acl, sizeof(plain_acl)), 0,
	   "one that says what a mode can");
	is(perms_of(n), 0751, "is the mode");
	is(xattr_get(v, n, ACCESS, got, sizeof(got)), -ENODATA,
	   "and nothing else");
	is(remote_set_acl(v, n, plain_acl, sizeof(plain_acl)), 0,
	   "once more, with nothing to remove");
	is(remote_set_acl(v, n, acl, sizeof(acl) - 1), -EINVAL, "half a one");
	is(remote_set_acl(v, n, acl, 3), -EINVAL, "less than a version");
	UNLOCK(v);
}

static void test_priv(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "priv",
				    S_IFREG | S_ISUID | S_ISGID | 0755);
	struct fusex_setattr_in in = { .valid = FUSEX_SET_KILL_PRIV };
	char got[8];

	WR_LOCK(v);
	is(xattr_set(v, n, "security.capability", "1234", 4, 0), 0,
	   "a file with capabilities");
	is(remote_set(v, n, &in), 0, "loses them");
	is(xattr_get(v, n, "security.capability", got, 8), -ENODATA,
	   "all of them");
	is(perms_of(n), 0755, "and its set-id bits");
	n->raw.i_mode = S_IFREG | S_ISGID | 0644;
	is(remote_kill_priv(v, n), 0, "with nothing to take");
	is(perms_of(n), S_ISGID | 0644, "what locks is no privilege");
	UNLOCK(v);
}

static struct fusex_attr attr_of(struct volume *v, struct node *n)
{
	struct fusex_attr a;

	attr_fill(v, n, &a);
	return a;
}

static void test_times(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "times", 0);
	const struct fusex_time old = { .sec = 1000 };
	struct fusex_map_ioend_in end = {
		.length = 100, .size = 100, .mtime = { .sec = 2000 },
		.flags = FUSEX_IOEND_APPEND | FUSEX_IOEND_MTIME,
	};
	struct fusex_setattr_in in = { .valid = FUSEX_SET_SIZE };
	int64_t now = attr_now(v).sec;

	WR_LOCK(v);
	attr_set_times(v, n, &old, &old, &old);
	is(map_ioend(v, n, &end), 0, "data was written");
	is(attr_of(v, n).mtime.sec, v->remote ? 2000 : 1000, "its time");
	ok(v->remote == (attr_of(v, n).ctime.sec >= now), "and that of this");
	attr_set_times(v, n, &old, &old, &old);
	is(remote_set(v, n, &in), 0, "the file is cut");
	ok(v->remote == (attr_of(v, n).mtime.sec >= now), "which is a change");
	in.valid |= FUSEX_SET_MTIME;
	attr_set_times(v, n, &old, &old, &old);
	is(remote_set(v, n, &in), 0, "and has a time of its own");
	is(attr_of(v, n).mtime.sec, 1000, "then that is it");
	UNLOCK(v);
}

static void test_lease(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "leased", 0);
	struct node *n2 = image_file(v, root, "another", 0);
	struct fusex_map_begin_in in = { .length = 4096,
					 .op = FUSEX_MAP_OP_WRITE };
	struct fusex_map_begin_out out = { .lease = 0 }, out2 = { .lease = 0 };

	WR_LOCK(v);
	is(map_begin(v, n, &in, &out), 0, "space to write to");
	in.op = 0;
	is(map_begin(v, n2, &in, &out2), 0, "nothing to read");
	if (v->remote) {
		ok(out.lease && out2.lease && out.lease != out2.lease,
		   "each has a lease of its own");
		ok(out.lease_valid == FUSEX_FOREVER, "without an end");
		out2.lease = 0;
		is(map_begin(v, n, &in, &out2), 0, "asked again");
		ok(out2.lease == out.lease, "it is the same");
	} else {
		ok(!out.lease && !out.lease_valid, "without a lease");
	}
	/* Nothing was written there, and the kernel has forgotten it. */
	node_forget(n, 0);
	node_unused(v, n);
	UNLOCK(v);
}

/* What is read can be overwritten without being asked for once more. */
static void test_durable(struct volume *v, struct node *root)
{
	struct node *n = image_file(v, root, "durable", 0);
	struct fusex_map_begin_in in = { .length = 4096 };
	struct fusex_map_begin_out out = { .lease = 0 };

	WR_LOCK(v);
	is(plain_write(v, n, acl, sizeof(acl), 0), 0, "data");
	is(map_begin(v, n, &in, &out), 0, "is read");
	ok(out.read.flags & FUSEX_MAP_F_DIRTY, "where it is, is not durable");
	UNLOCK(v);
	is(commit_now(v), 0, "changes are written");
	WR_LOCK(v);
	out.read.flags = 0;
	is(map_begin(v, n, &in, &out), 0, "it is read again");
	ok(!(out.read.flags & FUSEX_MAP_F_DIRTY), "then it is");
	UNLOCK(v);
}

static void test_kind(const char *kind, bool remote)
{
	const char *path = image_make(kind, 16);
	struct volume *v = image_open(path);
	struct node *root = image_root(v);

	printf("# %s, %s\n", kind, remote ? "remote" : "local");
	v->remote = remote;
	if (remote) {
		test_acl(v, root);
		test_priv(v, root);
	} else {
		ok(!remote_is_acl(v, ACCESS), "ACLs are the kernel's");
	}
	test_times(v, root);
	test_lease(v, root);
	test_durable(v, root);
	ok(image_close(v, path), "e2fsck finds nothing");
}

int main(void)
{
	test_kind("-b 4096", true);
	test_kind("-b 1024 -O ^extents,^64bit", true);
	test_kind("-b 4096", false);
	return tap_end();
}

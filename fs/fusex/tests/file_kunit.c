// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of open files and what hangs on them: positions in directories,
 * names of lock owners, what is remembered and shown of extended attributes,
 * commands for administrators.
 */

#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/string.h>
#include <linux/xattr.h>

#include "../fusex_i.h"
#include "../inode.h"
#include "../validate.h"

/* ------------------------------------------------ positions in directories */

static const u64 cookies[] = {
	1, 2, 3, S32_MAX, U32_MAX, 1ull << 32, 0x7ffffffeffffffffull,
	FUSEX_COOKIE_MAX - 1, FUSEX_COOKIE_MAX, FUSEX_COOKIE_LAST,
};

static void cookie_positions(struct kunit *test)
{
	loff_t last = 2;
	int i;

	for (i = 0; i < ARRAY_SIZE(cookies); i++) {
		loff_t pos = fusex_cookie_to_pos(cookies[i]);

		/* Their own, after those of "." and "..", and in order. */
		KUNIT_EXPECT_GT(test, pos, last);
		KUNIT_EXPECT_EQ(test, fusex_pos_to_cookie(pos), cookies[i]);
		last = pos;
	}
	KUNIT_EXPECT_EQ(test, last, LLONG_MAX);
}

/* Before, between and after the dots the server is at its beginning. */
static void cookie_dots(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fusex_pos_to_cookie(0), 0);
	KUNIT_EXPECT_EQ(test, fusex_pos_to_cookie(1), 0);
	KUNIT_EXPECT_EQ(test, fusex_pos_to_cookie(2), 0);
	KUNIT_EXPECT_EQ(test, fusex_pos_to_cookie(3), 1);
}

/* ------------------------------------------------------------- lock owners */

static void lock_owners(struct kunit *test)
{
	u64 a = fusex_lock_owner(test);
	u64 b = fusex_lock_owner((void *)test + 1);

	KUNIT_EXPECT_EQ(test, a, fusex_lock_owner(test));
	KUNIT_EXPECT_NE(test, a, b);
	KUNIT_EXPECT_NE(test, a, 0);
	KUNIT_EXPECT_NE(test, fusex_lock_owner(NULL), 0);
	/* An address of the kernel's is not told. */
	KUNIT_EXPECT_NE(test, a, (u64)(unsigned long)test);
	a = fusex_flock_new_owner();
	KUNIT_EXPECT_NE(test, a, fusex_flock_new_owner());
}

/* ----------------------------------------------------- extended attributes */

/* Lists, with a bar for each NUL. */
struct filter_case {
	const char *name;
	const char *list;
	bool trusted;
	bool acl;
	const char *want;
};

static const struct filter_case filter_cases[] = {
	{ "none", "", false, false, "" },
	{ "all", "user.a|trusted.b|system.posix_acl_access|", true, true,
	  "user.a|trusted.b|system.posix_acl_access|" },
	{ "trusted is hidden", "user.a|trusted.b|user.c|", false, true,
	  "user.a|user.c|" },
	{ "trusted at the end", "user.a|trusted.b|", false, true, "user.a|" },
	{ "trusted only", "trusted.a|trusted.b|", false, true, "" },
	{ "almost trusted", "trustedx|user.trusted.a|", false, true,
	  "trustedx|user.trusted.a|" },
	{ "no ACLs",
	  "system.posix_acl_access|user.a|system.posix_acl_default|", true,
	  false, "user.a|" },
	{ "almost an ACL", "system.posix_acl_accessx|system.nfs4_acl|", true,
	  false, "system.posix_acl_accessx|system.nfs4_acl|" },
};

static void filter_name(const struct filter_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(filter, filter_cases, filter_name);

static void xattr_filter(struct kunit *test)
{
	const struct filter_case *c = test->param_value;
	char list[128], want[128];
	size_t len;

	strscpy_pad(list, c->list);
	strscpy_pad(want, c->want);
	strreplace(list, '|', '\0');
	strreplace(want, '|', '\0');
	len = fusex_xattr_filter(list, strlen(c->list), c->trusted, c->acl);
	KUNIT_ASSERT_EQ(test, len, strlen(c->want));
	KUNIT_EXPECT_MEMEQ(test, list, want, len);
}

static bool fresh;

static bool test_fresh(const struct inode *inode)
{
	return fresh;
}

static const struct fusex_attr_ops test_attr_ops = { .fresh = test_fresh };

static struct inode *test_inode(struct kunit *test)
{
	struct fusex_inode *fi = kunit_kzalloc(test, sizeof(*fi), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fi);
	spin_lock_init(&fi->lock);
	fi->attr = &test_attr_ops;
	fresh = true;
	return &fi->vfs_inode;
}

/* That there are no capabilities is remembered, until somebody sets some. */
static void xattr_absence(struct kunit *test)
{
	struct inode *inode = test_inode(test);
	struct fusex_inode *fi = fusex_i(inode);

	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));
	fusex_xattr_note(inode, XATTR_NAME_CAPS, fi->xattr_seq);
	KUNIT_EXPECT_TRUE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, "user.a"));

	fresh = false;
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));
	fresh = true;
	fusex_xattr_changed(inode);
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));

	/* Of others it is not. */
	fusex_xattr_note(inode, "user.a", fi->xattr_seq);
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, "user.a"));
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));
}

/* What was asked before a change says nothing after it. */
static void xattr_late(struct kunit *test)
{
	struct inode *inode = test_inode(test);
	u32 seq = fusex_i(inode)->xattr_seq;

	fusex_xattr_changed(inode);
	fusex_xattr_note(inode, XATTR_NAME_CAPS, seq);
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));
}

/* The server said that there is nothing at all. */
static void xattr_nothing(struct kunit *test)
{
	struct inode *inode = test_inode(test);
	struct fusex_inode *fi = fusex_i(inode);

	set_bit(FUSEX_I_NO_XATTR, &fi->state);
	KUNIT_EXPECT_TRUE(test, fusex_xattr_absent(inode, XATTR_NAME_CAPS));
	KUNIT_EXPECT_TRUE(test, fusex_xattr_absent(inode, "user.a"));
	fresh = false;
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, "user.a"));
	fresh = true;
	fusex_xattr_changed(inode);
	KUNIT_EXPECT_FALSE(test, fusex_xattr_absent(inode, "user.a"));
}

/* Not to know whether there are capabilities to clear is no "no". */
static void xattr_unknown_caps(struct kunit *test)
{
	static const char caps[] = XATTR_NAME_CAPS;

	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, -EINTR), 1);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, -ENOMEM), 1);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, -ETIMEDOUT), 1);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, -ENODATA), -ENODATA);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, -EOPNOTSUPP),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, -ENOTCONN),
			-ENOTCONN);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 0, 20), 20);
	/* Who wants to have them, or something else, is told what went wrong. */
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer(caps, 20, -EINTR), -EINTR);
	KUNIT_EXPECT_EQ(test, fusex_xattr_answer("user.a", 0, -EINTR), -EINTR);
}

/* ---------------------------------------------------------------- commands */

static void command_needs(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fusex_ioctl_needs(FITRIM), FUSEX_NEEDS_ADMIN);
	KUNIT_EXPECT_EQ(test, fusex_ioctl_needs(FS_IOC_SETFSLABEL),
			FUSEX_NEEDS_ADMIN | FUSEX_NEEDS_WRITE);
	/* Of another size it is another command. */
	KUNIT_EXPECT_EQ(test, fusex_ioctl_needs(_IOWR('X', 121, u64)), 0);
	KUNIT_EXPECT_EQ(test, fusex_ioctl_needs(FS_IOC_GETFSLABEL), 0);
	KUNIT_EXPECT_EQ(test, fusex_ioctl_needs(0), 0);
	KUNIT_EXPECT_EQ(test, fusex_ioctl_needs(U32_MAX), 0);
}

static void shutdown_flags(struct kunit *test)
{
	u32 flags = U32_MAX;

	KUNIT_EXPECT_EQ(test, fusex_check_shutdown(0, &flags), 0);
	KUNIT_EXPECT_EQ(test, flags, FUSEX_SHUTDOWN_FLUSH);
	KUNIT_EXPECT_EQ(test, fusex_check_shutdown(2, &flags), 0);
	KUNIT_EXPECT_EQ(test, flags, 0);
	KUNIT_EXPECT_EQ(test, fusex_check_shutdown(1, &flags), 0);
	KUNIT_EXPECT_EQ(test, flags, FUSEX_SHUTDOWN_FLUSH);
	KUNIT_EXPECT_EQ(test, fusex_check_shutdown(3, &flags), -EINVAL);
	KUNIT_EXPECT_EQ(test, fusex_check_shutdown(U32_MAX, &flags), -EINVAL);
}

static struct kunit_case file_cases[] = {
	KUNIT_CASE(cookie_positions),
	KUNIT_CASE(cookie_dots),
	KUNIT_CASE(lock_owners),
	KUNIT_CASE_PARAM(xattr_filter, filter_gen_params),
	KUNIT_CASE(xattr_absence),
	KUNIT_CASE(xattr_late),
	KUNIT_CASE(xattr_nothing),
	KUNIT_CASE(xattr_unknown_caps),
	KUNIT_CASE(command_needs),
	KUNIT_CASE(shutdown_flags),
	{}
};

static struct kunit_suite file_suite = {
	.name = "fusex_file",
	.test_cases = file_cases,
};

kunit_test_suite(file_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * What is opened, what is refused, and what is said about it; and what becomes of a
 * file system that turns out to be corrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "record.h"
#include "tap.h"

#define TUNE	"PATH=$PATH:/usr/sbin:/sbin tune2fs "

static int stopped;

void __wrap_fusex_session_stop(struct fusex_session *se)
{
	(void)se;
	stopped++;
}

/* What was said, and by e2fsck, since hush() until this. */
static char said[8192];
static int old_stderr = -1, heard = -1;

static void hush(void)
{
	FILE *f = tmpfile();

	if (!f) {
		printf("Bail out! no temporary file\n");
		exit(1);
	}
	fflush(stderr);
	heard = dup(fileno(f));
	old_stderr = dup(STDERR_FILENO);
	dup2(heard, STDERR_FILENO);
	fclose(f);
}

static void listen(void)
{
	ssize_t len;

	fflush(stderr);
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	len = pread(heard, said, sizeof(said) - 1, 0);
	said[len > 0 ? len : 0] = '\0';
	close(heard);
}

static int open_as(const char *path, const struct volume_options *o,
		   struct volume **v)
{
	int ret;

	hush();
	ret = volume_open(path, o, v);
	listen();
	return ret;
}

/* Is it refused, with these words? */
static void refused(const char *path, const struct volume_options *o, int err,
		    const char *words, const char *what)
{
	struct volume *v;

	is(open_as(path, o, &v), err, what);
	if (!ok(strstr(said, words), "with the words '%s'", words))
		printf("# %s\n", said);
}

static void opened(const char *path, const struct volume_options *o,
		   struct volume **v, const char *what)
{
	if (is(open_as(path, o, v), 0, what))
		return;
	printf("# %s\nBail out! nothing to go on with\n", said);
	exit(1);
}

/* Two servers that write, or one beside those that read, would be too many. */
static void test_busy(void)
{
	const struct volume_options rw = { .readonly = false };
	const struct volume_options ro = { .readonly = true };
	const char *path = image_make("-b 4096", 32);
	struct volume *v, *v2;

	opened(path, &rw, &v, "an image");
	refused(path, &rw, -EAGAIN, "is in use by another server",
		"another server does not get it");
	refused(path, &ro, -EAGAIN, "is in use by another server",
		"nor to read from it");
	ok(image_close(v, path), "e2fsck finds nothing");
	opened(path, &ro, &v, "read-only");
	opened(path, &ro, &v2, "by two servers");
	refused(path, &rw, -EAGAIN, "is in use by another server",
		"it is not written to by a third one");
	is(volume_close(v2), 0, "one ends");
	ok(image_close(v, path), "and the other, e2fsck finds nothing");
}

static void test_no_ext4(void)
{
	const struct volume_options rw = { .readonly = false };
	const char *path = image_make("-b 4096", 32);

	refused("/dev/null", &rw, -EINVAL,
		"is neither a block device nor an image", "not any file");
	refused("/nowhere", &rw, -ENOENT, "cannot open /nowhere: No such file",
		"nor none");
	image_run("head -c 100000 /dev/zero >%s", path);
	refused(path, &rw, -EINVAL, "is not an ext4 file system",
		"nor one of zeros");
}

/* Whoever does not want it repaired is told what would. */
static void test_dirty(void)
{
	const struct volume_options rw = { .readonly = false };
	const struct volume_options ro = { .readonly = true, .fsck = true };
	const struct volume_options fsck = { .fsck = true };
	const char *path = image_make("-b 4096 -J size=4", 32);
	struct volume *v = image_open(path);
	char command[200];

	snprintf(command, sizeof(command), "run: e2fsck -p %s\n", path);
	image_file(v, image_root(v), "file", 0);
	is(commit_now(v), 0, "something is durable");
	volume_abandon(v);
	refused(path, &rw, -ECORRUPT, command, "a dirty journal is refused");
	refused(path, &rw, -ECORRUPT, "its journal has to be replayed",
		"for that");
	opened(path, &fsck, &v, "or replayed");
	is(strlen(said), 0, "of which a script does not hear");
	ok(image_close(v, path), "e2fsck finds nothing");
	path = image_make("-b 4096 -O ^has_journal", 32);
	v = image_open(path);
	volume_abandon(v);
	refused(path, &rw, -ECORRUPT, "was not unmounted properly; run: e2fsck",
		"without a journal as well");
	opened(path, &ro, &v, "who only reads has it repaired as well");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* Nobody would count what files take. */
static void test_quota(void)
{
	const struct volume_options rw = { .readonly = false };
	const struct volume_options ro = { .readonly = true };
	const char *path = image_make("-b 4096 -O quota,project", 32);
	struct volume *v;
	struct node *n;
	char command[200];

	snprintf(command, sizeof(command), "run: tune2fs -O ^quota %s\n", path);
	refused(path, &rw, -EOPNOTSUPP,
		"has the feature quota, which takes mounting read-only",
		"quotas are not written to");
	refused(path, &rw, -EOPNOTSUPP, command, "and what helps is said");
	opened(path, &ro, &v, "read-only they are nobody's business");
	WR_LOCK(v);
	is(name_lookup(v, image_root(v), "lost+found", &n), 0, "names are read");
	node_put(v, n);
	UNLOCK(v);
	is(volume_close(v), 0, "closed");
	ok(image_check(path), "e2fsck finds them consistent");
	is(image_run(TUNE "-O ^quota %s >/dev/null 2>&1", path), 0,
	   "without them");
	opened(path, &rw, &v, "it is written to");
	ok(image_file(v, image_root(v), "file", 0), "a file is made");
	ok(image_close(v, path), "e2fsck finds nothing");
}

/* What the superblock says is done about corruption, unless an option does. */
static void test_errors(const char *word, uint32_t option, bool fails,
			int stops)
{
	const struct volume_options o = { .errors = option };
	const char *path = image_make("-b 4096", 32);
	struct fusex_session *se = need(1, 64);
	struct volume *v;

	printf("# errors=%s, option %u\n", word, option);
	stopped = 0;
	is(image_run(TUNE "-e %s %s >/dev/null", word, path), 0,
	   "the superblock says it");
	opened(path, &o, &v, "an image");
	v->se = se;
	hush();
	WR_LOCK(v);
	is(volume_corrupt(v, 12, "by this test"), -ECORRUPT,
	   "something is corrupted");
	volume_corrupt(v, 12, "once more");
	UNLOCK(v);
	listen();
	ok(strstr(said, "is corrupted: inode 12: by this test"),
	   "which is said");
	is(v->failed, fails, "writing ends, or goes on");
	is(!strstr(said, "it is read-only from now on"), !fails,
	   "which is said as well");
	is(stopped, stops, "the server ends, or goes on");
	is(!image_file(v, image_root(v), "file", 0), fails,
	   "a file can be made, or not");
	is(volume_close(v), fails ? -EIO : 0, "closed");
	/* "clean" is what it says when it does not look. */
	is(image_run("PATH=$PATH:/usr/sbin:/sbin e2fsck -p %s 2>&1 | grep -q ': clean,'",
		     path), 1, "e2fsck looks at everything");
	ok(image_check(path), "and finds nothing");
	free(se);
}

int main(void)
{
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	test_busy();
	test_no_ext4();
	test_dirty();
	test_quota();
	test_errors("continue", 0, false, 0);
	test_errors("remount-ro", 0, true, 0);
	test_errors("panic", 0, true, 1);
	test_errors("panic", EXT2_ERRORS_CONTINUE, false, 0);
	test_errors("continue", EXT2_ERRORS_PANIC, true, 1);
	return tap_end();
}

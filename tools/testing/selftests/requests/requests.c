// SPDX-License-Identifier: GPL-2.0
/*
 * How many requests a system call makes, counted by the kernel and compared
 * with the table in the documentation ($FUSEX_TABLE). One TEST for each row.
 */
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "../lib/fs.h"

enum { OPS = 48 };

struct counters {
	int n;
	char op[OPS][24];
	unsigned long count[OPS];
};

static struct counters before;

static FILE *open_sysfs(const char *file)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/fs/fusex/%s/%s", getenv("FUSEX_DEV"),
		 file);
	f = fopen(path, "r");
	if (!f)
		FAIL("%s: %s", path, strerror(errno));
	return f;
}

static bool nothing_in_flight(void *arg)
{
	FILE *f = open_sysfs("waiting");
	int n = -1;

	(void)arg;
	if (fscanf(f, "%d", &n) != 1)
		FAIL("the number of waiting requests cannot be read");
	fclose(f);
	return n == 0;
}

static void count(struct counters *c)
{
	FILE *f;

	UNTIL(nothing_in_flight, NULL);
	f = open_sysfs("counters");
	c->n = 0;
	while (c->n < OPS && fscanf(f, "%23s %lu %*u", c->op[c->n],
				    &c->count[c->n]) == 2)
		c->n++;
	fclose(f);
}

static unsigned long count_of(const struct counters *c, const char *op)
{
	for (int i = 0; i < c->n; i++)
		if (!strcmp(c->op[i], op))
			return c->count[i];
	return 0;
}

/* From here on requests count. */
static void start(void)
{
	int fd = (int)OK(open(".", O_RDONLY));

	/* Nothing is left over that could be written back meanwhile. */
	OK(syncfs(fd));
	close(fd);
	count(&before);
}

/*
 * "lookup getattr*2", or "none".  How many names fit into one READDIR depends
 * on their length.
 */
static const char *made(void)
{
	static char text[512];
	struct counters now;
	size_t len = 0;
	char times[24];

	count(&now);
	strcpy(text, "none");
	for (int i = 0; i < now.n; i++) {
		unsigned long n = now.count[i] - count_of(&before, now.op[i]);

		if (!n || !strcmp(now.op[i], "forget"))
			continue;
		snprintf(times, sizeof(times), n > 1 ? "*%lu" : "", n);
		if (!strcmp(now.op[i], "readdir"))
			strcpy(times, "+");
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s%s%s", len ? " " : "", now.op[i],
					times);
	}
	return text;
}

/* Columns are separated by two spaces or more. */
static char *column(char **rest)
{
	char *start = *rest, *end = strstr(start, "  ");

	if (!end) {
		start[strcspn(start, "\n")] = 0;
		*rest = start + strlen(start);
		return start;
	}
	*end = 0;
	*rest = end + 1 + strspn(end + 1, " ");
	return start;
}

/* "Direct mode" is the heading of what is different in direct mode. */
static bool is_heading(const char *line, const char *mode)
{
	size_t len = strlen(mode);

	return !strncasecmp(line, mode, len) && !strcmp(line + len, " mode\n");
}

/*
 * Calls @fn for each row of the table of a mode until it returns true.  The
 * first one is of plain mode, those of others follow their headings.
 */
static bool each_row(const char *mode,
		     bool (*fn)(const char *row, const char *local,
				const char *remote, void *arg), void *arg)
{
	FILE *f = fopen(getenv("FUSEX_TABLE"), "r");
	bool found = !strcmp(mode, "plain"), done = false;
	char line[512], *rest, *row, *local;
	int rules = 0;

	if (!f)
		FAIL("%s: %s", getenv("FUSEX_TABLE"), strerror(errno));
	while (!done && fgets(line, sizeof(line), f)) {
		if (is_heading(line, mode)) {
			found = true;
			rules = 0;
		}
		if (!strncmp(line, "=====", 5) && strstr(line, "  ")) {
			rules++;
			continue;
		}
		if (!found || rules != 2)
			continue;
		rest = line;
		row = column(&rest);
		column(&rest);
		local = column(&rest);
		done = fn(row, local, column(&rest), arg);
	}
	fclose(f);
	return done;
}

struct wanted {
	const char *row;
	char text[256];
};

static bool find_row(const char *row, const char *local, const char *remote,
		     void *arg)
{
	struct wanted *w = arg;

	if (strcmp(row, w->row))
		return false;
	strcpy(w->text, fs_mode("local") ? local : remote);
	return true;
}

/* "*3", or nothing for one; what is behind it. */
static const char *times(const char *got, unsigned long *n)
{
	char *end;

	*n = 1;
	if (*got == '+')
		return got + 1;
	if (*got != '*')
		return got;
	*n = strtoul(got + 1, &end, 10);
	return end;
}

/* "readdir+" in the table is any number of them but 0, "map_ioend+5" at most 5. */
static bool is_wanted(const char *got, const char *wanted)
{
	unsigned long n, most;
	char *end;
	size_t len;

	while (*wanted) {
		len = strcspn(wanted, " +");
		if (strncmp(got, wanted, len))
			return false;
		got += len;
		wanted += len;
		if (*wanted == '+') {
			got = times(got, &n);
			most = strtoul(wanted + 1, &end, 10);
			if (most && n > most)
				return false;
			wanted = end;
		}
		if (*wanted != *got)
			return false;
		if (*wanted) {
			wanted++;
			got++;
		}
	}
	return !*got;
}

static void compare(const char *row)
{
	const char *got = made(), *mode = getenv("FUSEX_MODE");
	struct wanted w = { .row = row };
	char io[16] = "plain";

	if (mode)
		snprintf(io, sizeof(io), "%.*s", (int)strcspn(mode, "/"), mode);
	if (!each_row(io, find_row, &w) && !each_row("plain", find_row, &w))
		FAIL("the table has no row %s; it takes: %s", row, got);
	if (!is_wanted(got, w.text))
		STREQ(got, w.text);
}

#define CASE(row, prepare, act)		\
	TEST(requests, row)		\
	{				\
		prepare;		\
		start();		\
		act;			\
		compare(#row);		\
	}

static int fd;
static char buf[1 << 22] __attribute__((aligned(4096)));

static void nothing(void)
{
}

static void file(void)
{
	make_file("f", "text");
}

static void file_open(void)
{
	file();
	fd = (int)OK(open("f", O_RDWR));
}

static void big_file(void)
{
	make_sized("f", 65536);
	fd = (int)OK(open("f", O_RDWR));
}

static void open_close(int flags)
{
	fd = (int)OK(open("f", flags, 0644));
	OK(close(fd));
}

static void cold(void)
{
	drop_caches();
}

static void tree(void)
{
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	make_file("a/b/f", NULL);
}

static void missing(const char *name)
{
	FAILS(access(name, F_OK), ENOENT);
}

static void write_to(size_t size)
{
	EQ(OK(pwrite(fd, buf, size, 0)), size);
}

static void read_all(void)
{
	fd = (int)OK(open("f", O_RDONLY));
	EQ(OK(read(fd, buf, 65536)), 65536);
	EQ(OK(read(fd, buf, 1)), 0);
}

static void hundred_files(void)
{
	char name[16];

	OK(mkdir("d", 0755));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		OK(mknod(name, S_IFREG | 0644, 0));
	}
}

static void list(void)
{
	struct stat st;
	char name[16];

	EQ(count_names("d"), 100);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		OK(stat(name, &st));
	}
}

static void touch_mapping(void)
{
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	map[0]++;
	OK(msync(map, 4096, MS_SYNC));
	munmap(map, 4096);
}

static void lock(int cmd)
{
	struct flock fl = { .l_type = F_WRLCK };

	OK(fcntl(fd, cmd, &fl));
}

static void one_xattr(void)
{
	file();
	OK(setxattr("f", "user.a", "1", 1, 0));
}

static void no_xattr(void)
{
	FAILS(getxattr("f", "user.b", buf, 8), ENODATA);
}

static void flags(int set)
{
	int value = 0;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &value));
	value |= set;
	if (set)
		OK(ioctl(fd, FS_IOC_SETFLAGS, &value));
}

static void copy(void)
{
	int out = (int)OK(open("g", O_RDWR | O_CREAT, 0644));

	start();
	EQ(OK(copy_file_range(fd, NULL, out, NULL, 65536, 0)), 65536);
}

static void small_file(void)
{
	fd = (int)OK(open("f", O_WRONLY | O_CREAT | O_EXCL, 0644));
	EQ(OK(write(fd, buf, 1000)), 1000);
	OK(close(fd));
}

#define PIECES		16
#define PIECE		65536u

static void new_file(int flags)
{
	fd = (int)OK(open("f", O_RDWR | O_CREAT | O_EXCL | flags, 0644));
	/* Its times are not what they will be. */
	tick();
}

static void stream(void)
{
	for (unsigned int i = 0; i < PIECES; i++)
		EQ(OK(pwrite(fd, buf, PIECE, i * PIECE)), PIECE);
	OK(fsync(fd));
}

/* The same, in one piece of every piece, in no order. */
static off_t somewhere(unsigned int i)
{
	return (off_t)(i * 7 % PIECES * PIECE + i * 4096);
}

static void scatter(void)
{
	for (unsigned int i = 0; i < PIECES; i++)
		EQ(OK(pwrite(fd, buf, 4096, somewhere(i))), 4096);
}

static void gather(void)
{
	for (unsigned int i = 0; i < PIECES; i++)
		EQ(OK(pread(fd, buf, 4096, somewhere(i))), 4096);
}

static void data_file(int flags)
{
	new_file(0);
	stream();
	OK(close(fd));
	fd = (int)OK(open("f", O_RDWR | flags));
	gather();
	tick();
}

CASE(stat_first, file(); cold(), look("f"))
CASE(stat_again, file(); look("f"), look("f"))
CASE(stat_new, file(), look("f"))
CASE(stat_written, file_open(); write_to(1), look("f"))
CASE(stat_missing, nothing(), missing("x"))
CASE(stat_missing_again, missing("x"), missing("x"))
CASE(access, file(), OK(access("f", R_OK | W_OK)))
CASE(walk_first, tree(); cold(), look("a/b/f"))
CASE(walk_again, tree(), look("a/b/f"))
CASE(open_close, file(), open_close(O_RDWR))
CASE(open_creat_new, nothing(), open_close(O_RDWR | O_CREAT))
CASE(open_creat_missing, missing("f"), open_close(O_RDWR | O_CREAT))
CASE(open_creat_excl, nothing(), open_close(O_RDWR | O_CREAT | O_EXCL))
CASE(open_creat_old, file(), open_close(O_RDWR | O_CREAT))
CASE(open_trunc, file(), open_close(O_RDWR | O_TRUNC))
CASE(small_file, nothing(), small_file())
CASE(write_4k, big_file(), write_to(4096))
CASE(write_1m, file_open(), write_to(1 << 20))
CASE(write_4m, file_open(), write_to(1 << 22))
CASE(write_append, file(); fd = (int)OK(open("f", O_WRONLY | O_APPEND)),
	EQ(OK(write(fd, "x", 1)), 1))
CASE(read_first, big_file(); cold(), read_all())
CASE(read_again, big_file(); read_all(), read_all())
CASE(read_written, big_file(), read_all())
CASE(mmap_write, big_file(), touch_mapping())
CASE(stream_new, new_file(0), stream())
CASE(stream_over, data_file(0), stream())
CASE(random_over, data_file(0), scatter(); OK(fsync(fd)))
CASE(random_read, data_file(0), gather())
CASE(direct_new, new_file(O_DIRECT),
	EQ(OK(pwrite(fd, buf, 1 << 20, 0)), 1 << 20); OK(fsync(fd)))
CASE(direct_over, data_file(O_DIRECT), scatter(); OK(fsync(fd)))
CASE(direct_read, data_file(O_DIRECT), gather())
CASE(fsync_clean, file_open(); OK(fsync(fd)), OK(fsync(fd)))
CASE(fsync_written, file_open(); tick(), write_to(1); OK(fsync(fd)))
CASE(syncfs, file_open(), OK(syncfs(fd)))
CASE(truncate, file(), OK(truncate("f", 1)))
CASE(chmod, file(), OK(chmod("f", 0600)))
CASE(chmod_same, file(); OK(chmod("f", 0600)), OK(chmod("f", 0600)))
CASE(chown, file(), OK(chown("f", 1000, 1000)))
CASE(utimensat, file(); OK(chmod("f", 0600)),
	OK(utimensat(AT_FDCWD, "f", NULL, 0)))
CASE(mkdir, nothing(), OK(mkdir("d", 0755)))
CASE(mknod, nothing(), OK(mknod("p", S_IFIFO | 0644, 0)))
CASE(symlink, nothing(), OK(symlink("x", "l")))
CASE(tmpfile, nothing(), fd = (int)OK(open(".", O_TMPFILE | O_RDWR, 0600)))
CASE(link, file(), OK(link("f", "g")))
CASE(unlink, file(), OK(unlink("f")))
CASE(unlink_two, file(); make_file("g", NULL), OK(unlink("f")); OK(unlink("g")))
CASE(unlink_missing, file(); OK(unlink("f")),
	FAILS(access("f", F_OK), ENOENT))
CASE(unlink_first, file(); cold(), OK(unlink("f")))
CASE(rmdir, OK(mkdir("d", 0755)), OK(rmdir("d")))
CASE(rename, file(), OK(rename("f", "g")))
CASE(rename_over, file(); make_file("g", NULL), OK(rename("f", "g")))
CASE(rename_two, file(); make_file("g", NULL); make_file("h", NULL),
	OK(rename("f", "g")); OK(rename("g", "h")))
CASE(readlink_first, OK(symlink("x", "l")); cold(), OK(readlink("l", buf, 8)))
CASE(readlink_again, OK(symlink("x", "l")); OK(readlink("l", buf, 8)),
	OK(readlink("l", buf, 8)))
CASE(readdir_stat_first, hundred_files(); cold(), list())
CASE(readdir_stat_again, hundred_files(); list(), list())
CASE(statfs, nothing(), OK(statvfs(".", &(struct statvfs){ 0 })))
CASE(getxattr, one_xattr(), EQ(OK(getxattr("f", "user.a", buf, 8)), 1))
CASE(getxattr_missing_again, file(); no_xattr(), no_xattr())
CASE(setxattr, file(), OK(setxattr("f", "user.a", "1", 1, 0)))
CASE(listxattr, one_xattr(), OK(listxattr("f", buf, 1000)))
CASE(removexattr, one_xattr(), OK(removexattr("f", "user.a")))
CASE(getflags, file_open(), flags(0))
CASE(setflags, file_open(), flags(FS_NODUMP_FL))
CASE(fallocate, file_open(), OK(fallocate(fd, 0, 0, 65536)))
CASE(lseek_data, big_file(), OK(lseek(fd, 0, SEEK_DATA)))
CASE(lseek_set, file_open(), OK(lseek(fd, 0, SEEK_END)))
CASE(copy_file_range, big_file(), copy())
CASE(fcntl_lock, file_open(), lock(F_SETLK))
CASE(flock, file_open(), OK(flock(fd, LOCK_EX)))

static bool untested(const char *row, const char *local, const char *remote,
		     void *arg)
{
	(void)local;
	(void)remote;
	(void)arg;
	if (!tap_exists("requests", row))
		FAIL("the row %s has no test", row);
	return false;
}

TEST(table, rows_are_tested)
{
	each_row("plain", untested, NULL);
	each_row("direct", untested, NULL);
	each_row("writeback", untested, NULL);
	each_row("passthrough", untested, NULL);
	each_row("iomap", untested, NULL);
}

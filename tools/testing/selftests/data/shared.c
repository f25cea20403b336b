// SPDX-License-Identifier: GPL-2.0
/*
 * Several processes at one file or one directory.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../lib/fs.h"

enum { PROCS = 4 };

static int rounds(int normal)
{
	return tap_long() ? normal * 50 : normal;
}

/* Runs @fn(number) in PROCS processes; each must return 0. */
static void together(int (*fn)(int number))
{
	pid_t pid[PROCS];

	for (int i = 0; i < PROCS; i++) {
		pid[i] = (pid_t)OK(fork());
		if (!pid[i])
			_exit(fn(i));
	}
	for (int i = 0; i < PROCS; i++)
		EQ(WAIT(pid[i]), 0);
}

static int append(int number)
{
	char record[128];
	int fd = (int)OK(open("f", O_WRONLY | O_APPEND));

	for (int i = 0; i < rounds(40); i++) {
		int len = snprintf(record, sizeof(record), "%d:%d:%0*d\n",
				   number, i, 1 + (i * 7 + number) % 90, 0);

		EQ(OK(write(fd, record, (size_t)len)), len);
	}
	return 0;
}

TEST(append, by_several_processes)
{
	int next[PROCS] = { 0 }, who, i;
	char line[256];
	FILE *f;

	make_file("f", NULL);
	together(append);
	f = fopen("f", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		/* Each record whole, in the order of its writer. */
		if (sscanf(line, "%d:%d:", &who, &i) != 2 || who < 0 ||
		    who >= PROCS || i != next[who] ||
		    strlen(strrchr(line, ':')) != 3 + (size_t)(i * 7 + who) % 90)
			FAIL("a record is not whole: %s", line);
		next[who]++;
	}
	fclose(f);
	for (i = 0; i < PROCS; i++)
		EQ(next[i], rounds(40));
}

/* Everybody writes own blocks in different ways and checks what is there. */
static int own_blocks(int number)
{
	int fd = (int)OK(open("f", O_RDWR));
	unsigned char buf[512], *map;
	unsigned int seed = 0;

	map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < rounds(80); i++) {
		/* A quarter of each block is one process's. */
		int at = ((i * 37) % 32) * 2048 + number * 512;

		seed = (unsigned int)(i * PROCS + number);
		fill_pattern(buf, sizeof(buf), at, seed);
		if (i & 1)
			memcpy(map + at, buf, sizeof(buf));
		else
			EQ(OK(pwrite(fd, buf, sizeof(buf), at)), sizeof(buf));
		if (i % 20 == 19)
			OK(fsync(fd));
		if (i & 2) {
			check_pattern(map + at, sizeof(buf), at, seed);
		} else {
			EQ(OK(pread(fd, buf, sizeof(buf), at)), sizeof(buf));
			check_pattern(buf, sizeof(buf), at, seed);
		}
	}
	return 0;
}

TEST(shared, neighbours_do_not_disturb_each_other)
{
	make_sized("f", 65536);
	together(own_blocks);
}

static int store_one(int fd)
{
	char *map = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	map[0] = 's';
	return munmap(map, 100);
}

/* What is in the inode goes to a block when a page of it is stored to. */
TEST(shared, small_files_are_stored_to_beside_writes)
{
	char buf[30];

	for (int i = 0; i < rounds(80); i++) {
		int fd = (int)OK(open("small", O_RDWR | O_CREAT | O_TRUNC,
				      0600));
		pid_t pid;

		EQ(OK(write(fd, "................", 16)), 16);
		pid = (pid_t)OK(fork());
		if (!pid)
			_exit(store_one(fd));
		for (int at = 1; at < 20; at++)
			EQ(OK(pwrite(fd, "w", 1, at)), 1);
		EQ(WAIT(pid), 0);
		EQ(OK(pread(fd, buf, sizeof(buf), 0)), 20);
		EQ(memcmp(buf, "swwwwwwwwwwwwwwwwwww", 20), 0);
		OK(close(fd));
		OK(unlink("small"));
	}
}

/* Create, rename, link, unlink and read one directory, all at once. */
static int churn(int number)
{
	char a[32], b[32];
	unsigned int x = (unsigned int)number * 7919 + 1;

	for (int i = 0; i < rounds(120); i++) {
		int fd;

		x = x * 1103515245 + 12345;
		snprintf(a, sizeof(a), "d/%u", x >> 16 & 15);
		snprintf(b, sizeof(b), "d/%u", x >> 20 & 15);
		switch (x >> 24 & 7) {
		case 0:
		case 1:
			fd = open(a, O_RDWR | O_CREAT, 0644);
			if (fd >= 0) {
				EQ(OK(pwrite(fd, "x", 1, 0)), 1);
				close(fd);
			} else {
				CHECK(errno == EISDIR || errno == ENOENT);
			}
			break;
		case 2:
			if (rename(a, b))
				CHECK(errno == ENOENT || errno == EISDIR ||
				      errno == ENOTDIR);
			break;
		case 3:
			if (link(a, b))
				CHECK(errno == ENOENT || errno == EEXIST ||
				      errno == EPERM);
			break;
		case 4:
			if (unlink(a))
				CHECK(errno == ENOENT || errno == EISDIR);
			break;
		case 5:
			if (mkdir(a, 0755))
				CHECK(errno == EEXIST);
			break;
		case 6:
			if (rmdir(a))
				CHECK(errno == ENOENT || errno == ENOTDIR);
			break;
		default:
			count_names("d");
		}
	}
	return 0;
}

TEST(shared, directory)
{
	struct stat st, st2;
	char name[16];
	int n = 0;

	OK(mkdir("d", 0755));
	together(churn);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		n += lstat(name, &st) == 0;
	}
	EQ(count_names("d"), n);
	OK(stat("d", &st));
	drop_caches();
	OK(stat("d", &st2));
	EQ(st2.st_nlink, st.st_nlink);
	EQ(count_names("d"), n);
}

static int own_names(int number)
{
	char a[32], b[32];

	for (int i = 0; i < rounds(26); i++) {
		snprintf(a, sizeof(a), "d/%d.%d", number, i);
		snprintf(b, sizeof(b), "d/%d.new", number);
		make_file(a, a);
		OK(rename(a, b));
		STREQ(slurp(b), a);
		FAILS(access(a, F_OK), ENOENT);
		if (i & 1)
			OK(unlink(b));
		CHECK(has_name("d", strrchr(b, '/') + 1) == !(i & 1));
	}
	return 0;
}

TEST(shared, own_names_in_one_directory)
{
	OK(mkdir("d", 0755));
	together(own_names);
	EQ(count_names("d"), 0);
}

static int under_pressure(int number)
{
	char name[32];

	if (!number) {
		for (int i = 0; i < rounds(5); i++)
			drop_caches();
		return 0;
	}
	snprintf(name, sizeof(name), "f%d", number);
	for (int i = 0; i < rounds(10); i++) {
		int fd;

		make_sized(name, 20000);
		OK(mkdir("d", 0755) && errno != EEXIST ? -1 : 0);
		fd = (int)OK(open(name, O_RDWR));
		for (int at = 0; at < 20000; at += 5000) {
			unsigned char buf[5000];

			EQ(OK(pread(fd, buf, 5000, at)), 5000);
			check_pattern(buf, 5000, at, 0);
		}
		EQ(flook(fd).stx_size, 20000);
		close(fd);
		OK(unlink(name));
	}
	return 0;
}

TEST(shared, while_caches_are_dropped)
{
	together(under_pressure);
}

/* A directory tree is moved about while others walk in it. */
static int walk(int number)
{
	struct stat st;

	if (!number) {
		for (int i = 0; i < rounds(40); i++) {
			OK(rename("a/x", "b/x"));
			OK(rename("b/x", "a/x"));
		}
		OK(mkdir("done", 0755));
		return 0;
	}
	while (access("done", F_OK)) {
		if (stat("a/x/y/z/f", &st) && stat("b/x/y/z/f", &st))
			EQ(errno, ENOENT);
		if (stat("a/x/y/../..", &st))
			EQ(errno, ENOENT);
	}
	return 0;
}

TEST(shared, walking_while_directories_move)
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/x", 0755));
	OK(mkdir("a/x/y", 0755));
	OK(mkdir("a/x/y/z", 0755));
	make_file("a/x/y/z/f", "x");
	together(walk);
	STREQ(slurp("a/x/y/z/f"), "x");
	EQ(look("a").stx_nlink, 3);
	EQ(look("b").stx_nlink, 2);
}

struct handle {
	struct file_handle fh;
	unsigned char room[128];
};

static int handle_of(const char *path, struct handle *h)
{
	int mnt;

	h->fh.handle_bytes = sizeof(h->room);
	if (name_to_handle_at(AT_FDCWD, path, &h->fh, &mnt, 0)) {
		if (errno == EOPNOTSUPP)
			SKIP("no handles here");
		FAIL("name_to_handle_at: %s", strerror(errno));
	}
	return 0;
}

TEST(handle, opens_after_the_cache_was_dropped)
{
	struct handle f, d, deep;
	int base, fd;
	char buf[8];

	base = (int)OK(open(".", O_RDONLY));
	make_file("f", "text");
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	make_file("d/e/g", "deep");
	handle_of("f", &f);
	handle_of("d/e", &d);
	handle_of("d/e/g", &deep);
	drop_caches();
	fd = (int)OK(open_by_handle_at(base, &f.fh, O_RDONLY));
	EQ(OK(read(fd, buf, 8)), 4);
	CHECK(!memcmp(buf, "text", 4));
	close(fd);
	/* A directory comes with its path. */
	fd = (int)OK(open_by_handle_at(base, &d.fh, O_RDONLY | O_DIRECTORY));
	OK(fchdir(fd));
	STREQ(slurp("g"), "deep");
	OK(access("../../f", F_OK));
	OK(fchdir(base));
	close(fd);
	fd = (int)OK(open_by_handle_at(base, &deep.fh, O_RDWR));
	EQ(OK(pwrite(fd, "D", 1, 0)), 1);
	close(fd);
	STREQ(slurp("d/e/g"), "Deep");
}

TEST(handle, of_what_is_gone)
{
	struct handle f;
	int base = (int)OK(open(".", O_RDONLY));

	make_file("f", "text");
	handle_of("f", &f);
	OK(rename("f", "g"));
	OK(close((int)open_by_handle_at(base, &f.fh, O_RDONLY)));
	OK(unlink("g"));
	drop_caches();
	FAILS(open_by_handle_at(base, &f.fh, O_RDONLY), ESTALE);
	make_file("f", "new");
	FAILS(open_by_handle_at(base, &f.fh, O_RDONLY), ESTALE);
}

TEST(handle, malformed)
{
	struct handle f, none = { 0 };
	int base = (int)OK(open(".", O_RDONLY));

	make_file("f", "text");
	handle_of("f", &f);
	FAILS(open_by_handle_at(base, &none.fh, O_RDONLY), EINVAL, ESTALE);
	f.fh.handle_bytes = 3;
	FAILS(open_by_handle_at(base, &f.fh, O_RDONLY), ESTALE, EINVAL);
	handle_of("f", &f);
	for (int i = 0; i < 20; i++) {
		memset(f.room, i * 13 + 1, sizeof(f.room));
		f.fh.handle_type = i;
		FAILS(open_by_handle_at(base, &f.fh, O_RDONLY), ESTALE, EINVAL);
	}
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small harness for the C tests: each TEST runs in a process and a folder of
 * its own, has a deadline, and becomes one line of TAP.
 *
 *	TEST(rename, noreplace)
 *	{
 *		make_file("a");
 *		OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
 *		FAILS(access("a", F_OK), ENOENT);
 *	}
 *
 * The first assertion that does not hold ends the test.
 */
#ifndef SELFTESTS_TAP_H
#define SELFTESTS_TAP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/**
 * struct tap_test - one test, made by TEST()
 * @subject: what it is about, the first half of its name
 * @name: the second half
 * @fn: the test
 * @next: in order of registration
 */
struct tap_test {
	const char *subject;
	const char *name;
	void (*fn)(void);
	struct tap_test *next;
};

#define TEST(subj, nm)							\
	static void test_##subj##_##nm(void);				\
	static struct tap_test tap_##subj##_##nm = {			\
		.subject = #subj, .name = #nm, .fn = test_##subj##_##nm, \
	};								\
	__attribute__((constructor)) static void reg_##subj##_##nm(void) \
	{								\
		tap_register(&tap_##subj##_##nm);			\
	}								\
	static void test_##subj##_##nm(void)

/** tap_register() - add a test; for TEST() only */
void tap_register(struct tap_test *test);

/** tap_exists() - is there such a test? */
bool tap_exists(const char *subject, const char *name);

/**
 * tap_main() - run the tests that the command line selects
 * @argc: from main()
 * @argv: [-l] [-d FOLDER] [-x GLOB]... [GLOB...], globs match subject.name
 *
 * FUSEX_TIMES=1 shows how long each took.
 *
 * Return: the exit status, 0 when nothing failed.
 */
int tap_main(int argc, char **argv);

/** tap_fail() - report why and end the test */
void tap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/** tap_skip() - end the test as skipped, with the reason */
void tap_skip(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/** tap_note() - print a line of diagnostics */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * tap_until() - wait for a condition, with the deadline of the suite
 * @what: for the report when it does not come
 * @cond: the condition
 * @arg: for @cond
 */
void tap_until(const char *file, int line, const char *what,
	       bool (*cond)(void *arg), void *arg);

/** tap_slow() - how many times slower than native this kernel is at worst */
unsigned int tap_slow(void);

/** tap_long() - are the long variants of tests wanted? */
bool tap_long(void);

/**
 * tap_wait() - wait for a child with the deadline of the suite
 * @pid: the child
 *
 * Return: its exit status, or 128 and the signal that ended it.
 */
int tap_wait(const char *file, int line, pid_t pid);

long long tap_ok(const char *file, int line, const char *text, long long ret,
		 int err);
void tap_fails(const char *file, int line, const char *text, long long ret,
	       int err, const int *wanted);

#define FAIL(...)	tap_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...)	tap_skip(__VA_ARGS__)
#define WAIT(pid)	tap_wait(__FILE__, __LINE__, pid)
#define UNTIL(cond, arg) tap_until(__FILE__, __LINE__, #cond, cond, arg)

/* Holds unless the condition is false. */
#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("%s is false", #cond);			\
	} while (0)

/* Two integers are equal; the second is the one expected. */
#define EQ(a, b)							\
	do {								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
									\
		if (a_ != b_)						\
			FAIL("%s is %lld (0x%llx), expected %lld (0x%llx)", \
			     #a, a_, a_, b_, b_);			\
	} while (0)

#define STREQ(a, b)							\
	do {								\
		const char *a_ = (a), *b_ = (b);			\
									\
		if (strcmp(a_, b_))					\
			FAIL("%s is \"%s\", expected \"%s\"", #a, a_, b_); \
	} while (0)

/* A system call succeeds; the value is its result. */
#define OK(call)							\
	({								\
		long long r_;						\
									\
		errno = 0;						\
		r_ = (long long)(call);					\
		tap_ok(__FILE__, __LINE__, #call, r_, errno);		\
	})

/* A system call returns -1 and one of the errors given. */
#define FAILS(call, ...)						\
	do {								\
		static const int w_[] = { __VA_ARGS__, 0 };		\
		long long r_;						\
									\
		errno = 0;						\
		r_ = (long long)(call);					\
		tap_fails(__FILE__, __LINE__, #call, r_, errno, w_);	\
	} while (0)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* SELFTESTS_TAP_H */

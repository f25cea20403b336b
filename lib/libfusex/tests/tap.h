/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Results in the Test Anything Protocol.  One thread at a time may use it.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3)))
static inline bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	tap_count++;
	tap_failed += !good;
	printf("%sok %d - ", good ? "" : "not ", tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return good;
}

static inline bool is(long long got, long long want, const char *what)
{
	bool good = got == want;

	ok(good, "%s", what);
	if (!good)
		printf("# got %lld, want %lld\n", got, want);
	return good;
}

__attribute__((format(printf, 1, 2)))
static inline void skip(const char *fmt, ...)
{
	va_list ap;

	tap_count++;
	printf("ok %d # SKIP ", tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Memory, or the end of the test. */
static inline void *need(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p) {
		printf("Bail out! no memory\n");
		exit(1);
	}
	return p;
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif /* TAP_H */

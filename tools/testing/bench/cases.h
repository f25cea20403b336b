/* SPDX-License-Identifier: GPL-2.0 */
/* What the cases of the benchmark have in common. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stddef.h>
#include <stdint.h>

#define MIB		(1u << 20)

/** now_ns() - a clock that only goes on */
uint64_t now_ns(void);

/** buffer() - @size bytes of memory, aligned and not zeros; ends the program without */
void *buffer(size_t size);

/** must_open() - open a file, made if @flags say so; ends the program if it cannot */
int must_open(const char *path, int flags);

/** drop_caches() - all is written, and what need not be in memory is not */
void drop_caches(void);

/** rate() - bytes per second of @mib mebibytes in @ns */
uint64_t rate(unsigned int mib, uint64_t ns);

/**
 * mapped_case() - run a case about the file "kept", mapped
 * @name: of the case
 * @count: how many mebibytes of it are used
 *
 * Return: what it cost, 0 if there is no such case.
 */
uint64_t mapped_case(const char *name, unsigned int count);

#endif /* BENCH_CASES_H */

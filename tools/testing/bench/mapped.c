// SPDX-License-Identifier: GPL-2.0
/*
 * Cases of the benchmark about memory that is a file: how fast it can be loaded
 * from and stored to, and how long faults take.  The file "kept" is there.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"
#include "huge.h"

#define PAGE		4096u
#define PMD		(2u << 20)

/* So many faults are timed: pages one after another are far apart. */
#define SMALL_FAULTS	16384u
#define PMD_PASSES	8u
#define STEP		0x9e3779b1ull

/**
 * struct mapped_case - what a case does with the file
 * @name: of the case
 * @size: of what a fault maps, 0 for those about bandwidth
 * @store: or load
 * @first: nothing of the file was mapped since it was mounted
 */
struct mapped_case {
	const char *name;
	uint32_t size;
	bool store;
	bool first;
};

static const struct mapped_case mapped_cases[] = {
	{ "load",		0, false, false },
	{ "store",		0, true, false },
	{ "fault-4k",		PAGE, false, false },
	{ "fault-4k-store",	PAGE, true, false },
	{ "fault-4k-first",	PAGE, false, true },
	{ "fault-2m",		PMD, false, false },
	{ "fault-2m-store",	PMD, true, false },
	{ "fault-2m-first",	PMD, false, true },
};

struct mapping {
	int fd;
	volatile char *p;
	size_t size;
};

static struct mapping map_kept(unsigned int mib, bool small)
{
	struct mapping m = {
		.fd = must_open("kept", O_RDWR), .size = (size_t)mib * MIB,
	};
	struct stat st;
	void *p;

	if (fstat(m.fd, &st) || (size_t)st.st_size < m.size)
		errx(1, "kept is too small");
	p = mmap(NULL, m.size, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap");
	if (small && madvise(p, m.size, MADV_NOHUGEPAGE))
		err(1, "madvise");
	m.p = p;
	return m;
}

static void unmap(const struct mapping *m)
{
	munmap((void *)(uintptr_t)m->p, m->size);
	close(m->fd);
}

/* Nothing is mapped, and nothing is dirty, but all is known of where it is. */
static void forget(const struct mapping *m)
{
	if (fsync(m->fd) ||
	    madvise((void *)(uintptr_t)m->p, m->size, MADV_DONTNEED))
		err(1, "cannot unmap");
}

static void know(const struct mapping *m)
{
	char byte;

	for (size_t at = 0; at < m->size; at += MIB)
		if (pread(m->fd, &byte, 1, (off_t)at) != 1)
			err(1, "read");
}

static void must_be_huge(const volatile char *p)
{
	int huge = page_is_huge(p);

	if (huge < 0)
		err(1, "pagemap");
	if (!huge)
		errx(1, "not mapped by huge pages");
}

static uint64_t touch(const struct mapping *m, const struct mapped_case *c,
		      uint64_t count)
{
	uint64_t units = m->size / c->size, start = now_ns(), i;

	for (i = 0; i < count; i++) {
		volatile char *p = m->p + i * STEP % units * c->size;

		if (c->store)
			*p = 1;
		else
			(void)*p;
	}
	return now_ns() - start;
}

static uint64_t fault_cost(const struct mapped_case *c, unsigned int mib)
{
	bool small = c->size == PAGE;
	uint64_t count = (uint64_t)mib * MIB / c->size, passes = 1, ns = 0, i;
	struct mapping m;

	if (small && count > SMALL_FAULTS)
		count = SMALL_FAULTS;
	if (!small && !c->first)
		passes = PMD_PASSES;
	m = map_kept(mib, small);
	know(&m);
	if (!c->first)
		touch(&m, c, count);
	for (i = 0; i < passes; i++) {
		forget(&m);
		ns += touch(&m, c, count);
	}
	if (!small)
		must_be_huge(m.p);
	unmap(&m);
	return ns / (count * passes);
}

static void move_all(const struct mapping *m, bool store, void *buf)
{
	for (size_t at = 0; at < m->size; at += MIB) {
		void *p = (void *)(uintptr_t)(m->p + at);

		if (store)
			memcpy(p, buf, MIB);
		else
			memcpy(buf, p, MIB);
	}
}

static uint64_t bandwidth(const struct mapped_case *c, unsigned int mib)
{
	struct mapping m = map_kept(mib, false);
	void *buf = buffer(MIB);
	uint64_t ns;

	move_all(&m, c->store, buf);
	ns = now_ns();
	move_all(&m, c->store, buf);
	ns = now_ns() - ns;
	unmap(&m);
	return rate(mib, ns);
}

uint64_t mapped_case(const char *name, unsigned int count)
{
	for (size_t i = 0; i < sizeof(mapped_cases) / sizeof(mapped_cases[0]); i++) {
		const struct mapped_case *c = &mapped_cases[i];

		if (strcmp(c->name, name))
			continue;
		return c->size ? fault_cost(c, count) : bandwidth(c, count);
	}
	return 0;
}

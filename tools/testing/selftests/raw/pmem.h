/* SPDX-License-Identifier: GPL-2.0 */
/* Files in dax mode, on the memory devices of the VM. */
#ifndef SELFTESTS_PMEM_H
#define SELFTESTS_PMEM_H

#include "maps.h"

/** has_fs_dax() - can the kernel do it at all? */
bool has_fs_dax(void);

/** pmem_path() - the @n-th memory device; skips the test if there is none */
const char *pmem_path(unsigned int n);

/** pmem_nd() - its device on the nd bus; in static memory */
const char *pmem_nd(unsigned int n);

/** pmem_unbind() - take the driver away from it; returns when that is done */
void pmem_unbind(const char *nd);

/** pmem_bind() - give it back, the @n-th is there again */
void pmem_bind(const char *nd, unsigned int n);

/** pmem_add() - register a memory device that @fd is open on; 0 or an errno */
int pmem_add(int chan, int fd, uint32_t access, uint32_t *cookie);

/**
 * dax_start() - mount a server whose files are in dax mode
 * @attr_mode: enum fusex_attr_mode
 * @disks: how many memory devices are registered
 *
 * Their beginning is as that of the disks of maps_start(), the rest what other
 * tests have left there.  Iomap and writeback mode are allowed, too.
 */
struct raw *dax_start(uint32_t attr_mode, unsigned int disks);

/** dax_start_setup() - the same, with the rest of the setup by the caller */
struct raw *dax_start_setup(struct raw *r, unsigned int disks);

/** dax_with() - local, on one device: "f" has @size bytes, of which it says @type */
struct raw *dax_with(uint16_t type, uint64_t size, uint64_t addr);

/** map_fd() - map @size bytes from the beginning of a file, shared */
char *map_fd(int fd, size_t size, int prot, int flags);

/** is_pmd() - is the page at @p mapped as part of a huge one? */
bool is_pmd(const void *p);

#endif /* SELFTESTS_PMEM_H */

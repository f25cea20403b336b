/* SPDX-License-Identifier: GPL-2.0 */
/* How memory is mapped. */
#ifndef SELFTESTS_HUGE_H
#define SELFTESTS_HUGE_H

#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

/**
 * page_is_huge() - is what is mapped there part of a huge page?
 * @p: an address
 *
 * Return: 1 or 0, -1 with errno if it cannot be told.
 */
static inline int page_is_huge(const volatile void *p)
{
	uintptr_t at = (uintptr_t)p & ~(uintptr_t)4095;
	struct page_region region = { 0 };
	struct pm_scan_arg arg = {
		.size = sizeof(arg), .start = at, .end = at + 4096,
		.vec = (uintptr_t)&region, .vec_len = 1,
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_HUGE,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, PAGEMAP_SCAN, &arg);
	close(fd);
	return ret < 0 ? -1 : !!(region.categories & PAGE_IS_HUGE);
}

#endif /* SELFTESTS_HUGE_H */

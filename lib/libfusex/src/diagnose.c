// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why the kernel refused a configuration.
 *
 * The kernel decides, and says no more than EINVAL; this finds words for it
 * afterwards.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static bool bad_io_size(uint32_t bytes)
{
	return bytes && (bytes % 4096 || bytes > FUSEX_IO_SIZE_MAX);
}

static bool bad_block_size(uint32_t bytes)
{
	return bytes && (bytes < 512 || bytes > 65536 || bytes & (bytes - 1));
}

static bool has_mode(const struct fusex_setup *s, unsigned int mode)
{
	return (s->io_modes | 1u << s->io_mode) & 1u << mode;
}

/* The page cache has blocks of at most a page, memory is mapped in pages. */
static const char *bad_block_for_modes(const struct fusex_setup *s)
{
	const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	if (has_mode(s, FUSEX_IO_DAX) && s->block_size && s->block_size != page)
		return "block_size: not that of a page, with dax among the modes";
	if (has_mode(s, FUSEX_IO_IOMAP) && s->block_size > page)
		return "block_size: over that of a page, with iomap among the modes";
	return NULL;
}

static bool bad_subtype(const struct fusex_setup *s)
{
	size_t i;

	for (i = 0; i < sizeof(s->subtype) && s->subtype[i]; i++)
		if (!isalnum((unsigned char)s->subtype[i]) &&
		    s->subtype[i] != '-' && s->subtype[i] != '_')
			return true;
	return i == sizeof(s->subtype);
}

static const char *bad_root(const struct fusex_setup *s)
{
	const struct fusex_entry *root = &s->root;

	if (!root->nodeid)
		return "root: the node id is 0";
	if (!S_ISDIR(root->attr.mode))
		return "root: not a directory";
	if ((root->attr.mask & FUSEX_ATTR_REQUIRED) != FUSEX_ATTR_REQUIRED)
		return "root: attributes are missing in mask";
	if (root->handle_len > s->handle_size)
		return "root: the handle is larger than handle_size";
	if (root->io_mode || root->backing)
		return "root: only regular files have an I/O mode";
	if (root->attr_mode >= FUSEX_ATTR_NR ||
	    (root->attr_mode && !((s->attr_modes | 1u << s->attr_mode) &
				  1u << root->attr_mode)))
		return "root: its attr_mode is not among attr_modes";
	return NULL;
}

/**
 * setup_fault() - find what is wrong with a configuration
 * @s: what the kernel refused
 *
 * Return: the member of struct fusex_config that is wrong and why, or NULL.
 */
const char *setup_fault(const struct fusex_setup *s)
{
	if (s->features & ~FUSEX_F_KNOWN)
		return "features: unknown bits";
	if (!s->io_mode || s->io_mode >= FUSEX_IO_NR)
		return "io_mode: no such mode";
	if (!s->attr_mode || s->attr_mode >= FUSEX_ATTR_NR)
		return "attr_mode: no such mode";
	if (s->io_modes & ~((1u << FUSEX_IO_NR) - 2))
		return "io_modes: unknown bits, they are 1 << mode";
	if (s->attr_modes & ~((1u << FUSEX_ATTR_NR) - 2))
		return "attr_modes: unknown bits, they are 1 << mode";
	if (bad_io_size(s->max_read))
		return "max_read: not a multiple of 4096 up to 16 MiB";
	if (bad_io_size(s->max_write))
		return "max_write: not a multiple of 4096 up to 16 MiB";
	if (bad_block_size(s->block_size))
		return "block_size: not a power of two from 512 to 65536";
	if (bad_block_for_modes(s))
		return bad_block_for_modes(s);
	if (s->handle_size > FUSEX_HANDLE_MAX)
		return "handle_size: over 128";
	if (s->features & FUSEX_F_EXPORT && s->handle_size > 112)
		return "handle_size: over 112, with FUSEX_F_EXPORT";
	if (s->stack_depth > 2)
		return "stack_depth: over 2";
	if (s->stack_depth && s->io_mode != FUSEX_IO_PASSTHROUGH &&
	    !(s->io_modes & 1u << FUSEX_IO_PASSTHROUGH))
		return "stack_depth: without passthrough among the modes";
	if (s->max_links > INT32_MAX)
		return "max_links: over 2147483647";
	if (s->max_file_size > INT64_MAX)
		return "max_file_size: over 9223372036854775807";
	if (s->time_gran > 1000000000)
		return "time_gran: over a second";
	if (s->time_min > s->time_max)
		return "time_min: after time_max";
	if (bad_subtype(s))
		return "subtype: not up to 31 letters, digits, '-' and '_'";
	return bad_root(s);
}

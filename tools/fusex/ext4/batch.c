// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks that follow each other on the device are written at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"

#define BATCH_BYTES	(512u << 10)

int batch_begin(struct batch *b, const struct device *d,
		unsigned int block_size)
{
	*b = (struct batch){ .d = d, .block_size = block_size };
	b->buf = aligned_alloc(4096, BATCH_BYTES);
	return b->buf ? 0 : -ENOMEM;
}

static int flush(struct batch *b)
{
	int ret = 0;

	if (b->count)
		ret = device_write(b->d, b->buf,
				   (size_t)b->count * b->block_size,
				   b->first * b->block_size);
	b->count = 0;
	return ret;
}

int batch_add(struct batch *b, uint64_t block, const void *data)
{
	int ret;

	if (b->count && (block != b->first + b->count ||
			 (b->count + 1) * b->block_size > BATCH_BYTES)) {
		ret = flush(b);
		if (ret)
			return ret;
	}
	if (!b->count)
		b->first = block;
	memcpy(b->buf + (size_t)b->count * b->block_size, data,
	       b->block_size);
	b->count++;
	return 0;
}

int batch_end(struct batch *b, int err)
{
	if (!err)
		err = flush(b);
	free(b->buf);
	return err;
}

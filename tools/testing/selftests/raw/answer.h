/* SPDX-License-Identifier: GPL-2.0 */
/* The honest answers of the test server. */
#ifndef SELFTESTS_ANSWER_H
#define SELFTESTS_ANSWER_H

#include "raw.h"

/** answer_init() - fill the tree */
void answer_init(struct raw *r);

/** answer() - the honest reply to @in */
void answer(struct raw *r, const struct fusex_in_header *in,
	    struct raw_reply *rep);

/** answer_attr_of() - attributes of a node that look real */
void answer_attr_of(struct fusex_attr *a, uint64_t ino, uint32_t mode,
		    uint64_t size, uint32_t nlink);

/** answer_entry() - a whole entry for a node */
void answer_entry(struct raw *r, uint64_t id, struct fusex_entry *e);

/**
 * answer_write() - the reply to a WRITE that was kept: all was taken
 * @r: the server
 * @in: the request
 * @wr: its argument structure
 * @size: of the file now, bytes
 * @nlink: its links
 */
void answer_write(struct raw *r, const struct fusex_in_header *in,
		  const struct fusex_write_in *wr, uint64_t size,
		  uint32_t nlink);

#endif /* SELFTESTS_ANSWER_H */

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The last request: the file system is unmounted, and whoever did that waits for
 * the program to put away what it has open, which is done when it frees the
 * session.
 */
#include "internal.h"

static void answer(const struct fusex_session *se, uint64_t unique)
{
	struct fusex_out_header h = { .len = sizeof(h), .unique = unique };

	/* Who does not wait any more need not hear of it. */
	(void)write_all(se->fd, &h, sizeof(h));
}

enum req_fate op_unmount(struct fusex_req *req)
{
	struct fusex_session *se = req->se;

	/* The program itself is not to wait for what it does afterwards. */
	if (atomic_load(&se->unmounting))
		answer(se, req->hdr->unique);
	else
		atomic_store(&se->last, req->hdr->unique);
	atomic_store(&se->ended, true);
	session_wake(se);
	return REQ_DONE;
}

/**
 * session_let_go() - let whoever unmounted go on
 * @se: session whose channel is still open
 */
void session_let_go(struct fusex_session *se)
{
	uint64_t unique = atomic_exchange(&se->last, 0);

	if (unique)
		answer(se, unique);
}

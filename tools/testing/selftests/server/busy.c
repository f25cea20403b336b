// SPDX-License-Identifier: GPL-2.0
/*
 * A server whose threads do not come back for the next request when they have
 * answered one.
 */
#include "server.h"

enum { CALLS = 200 };

static void ask(void)
{
	struct statx st;

	OK(statx(AT_FDCWD, "m/f", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st));
}

/* Another thread is woken, whatever was expected of the one that answered. */
TEST(busy, after_each_answer)
{
	static const struct srv_options o = {
		.attr_mode = FUSEX_ATTR_REMOTE,
	};

	srv_start(&o);
	file("f", "abc");
	/* Quick answers make callers wait awake. */
	for (int i = 0; i < CALLS; i++)
		ask();
	srv->lingers = true;
	for (int i = 0; i < CALLS; i++)
		ask();
	srv->lingers = false;
	EQ(srv->lingered_in_vain, 0);
	EQ(srv_calls(FUSEX_OP_GETATTR) >= 2 * CALLS, 1);
	srv_stop();
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The header is for C++, too.
 */
#include <cstdio>
#include <cstring>

#include <fusex.h>

static int test_lookup(struct fusex_req *, const struct fusex_node *,
		       const char *, struct fusex_entry_reply *)
{
	return -2;
}

int main()
{
	struct fusex_config cfg;
	struct fusex_ops ops;
	struct fusex_map map;
	struct fusex_session *se;

	fusex_config_init(&cfg, sizeof(cfg));
	std::memset(&ops, 0, sizeof(ops));
	ops.lookup = test_lookup;
	se = fusex_session_new(&ops, sizeof(ops), &cfg, nullptr);
	fusex_session_free(se);
	std::printf("%s 1 - a session is made\n", se ? "ok" : "not ok");
	fusex_map_at(&map, FUSEX_MAP_MAPPED, 4096, 8192, 3, 65536);
	std::printf("%s 2 - a mapping is filled in\n1..2\n",
		    map.offset == 4096 && map.length == 8192 &&
				    map.addr == 65536 && map.dev == 3 ?
			    "ok" : "not ok");
	return 0;
}

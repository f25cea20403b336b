// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations of files whose data the kernel moves by mappings.
 */
#include <string.h>

#include "internal.h"

enum req_fate op_map_begin(struct fusex_req *req)
{
	struct fusex_map_begin_out *out = &req->msg.u.map;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.map_begin(req, &req->node,
						      req->arg, out),
			  sizeof(*out));
}

enum req_fate op_map_end(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.map_end(req, &req->node, req->arg),
			  0);
}

enum req_fate op_map_ioend(struct fusex_req *req)
{
	struct fusex_attr_out *out = &req->msg.u.attr;

	memset(out, 0, sizeof(*out));
	return req_finish(req, req->se->ops.map_ioend(req, &req->node,
						      req->arg, out),
			  sizeof(*out));
}

enum req_fate op_map_return(struct fusex_req *req)
{
	return req_finish(req, req->se->ops.map_return(req, &req->node,
						       req->arg), 0);
}

enum req_fate op_freeze(struct fusex_req *req)
{
	const struct fusex_freeze_in *in = req->arg;

	return req_finish(req, req->se->ops.freeze(req, in->flags), 0);
}

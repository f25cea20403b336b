// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel tells by itself, and not for a file.
 */
#include "internal.h"

enum req_fate op_forget(struct fusex_req *req)
{
	const struct fusex_forget_in *in = req->arg;
	const struct fusex_forget_one *list = (const void *)req->payload;

	if (in->count > req->left / sizeof(*list))
		return req_malformed(req);
	req->se->ops.forget(req, list, in->count);
	return REQ_DONE;
}

enum req_fate op_cancel(struct fusex_req *req)
{
	const struct fusex_cancel_in *in = req->arg;

	session_cancel(req->se, in->unique);
	return REQ_DONE;
}

enum req_fate op_shutdown(struct fusex_req *req)
{
	const struct fusex_shutdown_in *in = req->arg;

	return req_finish(req, req->se->ops.shutdown(req, in->flags), 0);
}

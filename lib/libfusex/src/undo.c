// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taking back what a handler did for a reply that was not delivered.
 *
 * When the caller of a request was killed, the kernel does not take the reply
 * any more, and so will neither forget the nodes in it nor release the file it
 * opened nor end the use of a mapping.
 *
 * RELEASE and MAP_END are requests of their own, as if the kernel had sent them:
 * a handler may defer its request, and the one that failed is answered.
 */
#include <string.h>

#include "internal.h"

static void undo_lookup(struct fusex_req *req, const struct fusex_entry *entry)
{
	struct fusex_forget_one one = {
		.nodeid		= entry->nodeid,
		.generation	= entry->generation,
		.nlookup	= 1,
	};

	if (entry->nodeid && req->se->ops.forget)
		req->se->ops.forget(req, &one, 1);
}

/**
 * ask_for() - have the server carry out a request for the caller of another
 * @req: the other one, whose reply was not taken
 * @op: FUSEX_OP_RELEASE or FUSEX_OP_MAP_END
 * @node: the node it is about
 * @arg: its argument structure
 * @arg_len: bytes
 *
 * When there is no memory for it, what was opened stays so.
 */
static void ask_for(struct fusex_req *req, uint32_t op,
		    const struct fusex_node *node, const void *arg,
		    size_t arg_len)
{
	struct fusex_req *own = req_alloc(req->se);
	struct fusex_in_header h = *req->hdr;
	unsigned char *p;

	if (!own)
		return;
	h.opcode = op;
	h.unique = NO_UNIQUE;
	h.nodeid = node->nodeid;
	h.generation = node->generation;
	h.arg_len = (uint32_t)arg_len;
	h.handle_len = (uint16_t)node->handle_len;
	h.handle2_len = 0;
	h.len = (uint32_t)(sizeof(h) + arg_len +
			   FUSEX_ALIGN((size_t)node->handle_len));
	p = put_padded(own->in, &h, sizeof(h));
	p = put_padded(p, arg, arg_len);
	put_padded(p, node->handle, node->handle_len);
	if (req_dispatch(own, h.len) == REQ_DEFERRED)
		req_leave(own);
	else
		req_free(own);
}

static void undo_open(struct fusex_req *req, const struct fusex_node *node,
		      uint64_t fh, uint32_t flags)
{
	struct fusex_release_in in = { .fh = fh, .flags = flags };

	if (req->se->ops.release)
		ask_for(req, FUSEX_OP_RELEASE, node, &in, sizeof(in));
}

static void undo_create(struct fusex_req *req, const struct fusex_entry *entry)
{
	const unsigned char *p = (const unsigned char *)entry +
				 offsetof(struct fusex_entry_reply, handle);
	const struct fusex_make_in *in = req->arg;
	struct fusex_open_out open;
	struct fusex_node node = {
		.nodeid		= entry->nodeid,
		.generation	= entry->generation,
		.handle_len	= entry->handle_len,
		.handle		= p + sizeof(open),
	};

	memcpy(&open, p, sizeof(open));
	undo_open(req, &node, open.fh, in->open_flags);
	undo_lookup(req, entry);
}

static void undo_readdir(struct fusex_req *req)
{
	const unsigned char *p = req->dir.buf;
	const unsigned char *end = p + req->dir.used;
	const struct fusex_dirent *d;

	for (; p < end; p += d->reclen) {
		d = (const void *)p;
		if (d->flags & FUSEX_DIRENT_ENTRY)
			undo_lookup(req, (const void *)(d + 1));
	}
}

/* The operation that asked is through with the answer, and did nothing. */
static void undo_map(struct fusex_req *req,
		     const struct fusex_map_begin_out *out)
{
	const struct fusex_map_begin_in *in = req->arg;
	struct fusex_map_end_in end = {
		.offset	= in->offset,
		.length	= in->length,
		.op	= in->op,
	};

	if ((out->read.flags | out->write.flags) & FUSEX_MAP_F_END &&
	    req->se->ops.map_end)
		ask_for(req, FUSEX_OP_MAP_END, &req->node, &end, sizeof(end));
}

/**
 * req_undo() - the kernel did not take a reply
 * @req: request
 * @reply: the reply's result structure
 */
void req_undo(struct fusex_req *req, const void *reply)
{
	const struct fusex_open_in *in = req->arg;
	const struct fusex_open_out *open = reply;

	switch (req->op->kind) {
	case REPLY_ENTRY:
		undo_lookup(req, reply);
		break;
	case REPLY_CREATE:
		undo_create(req, reply);
		break;
	case REPLY_OPEN:
		undo_open(req, &req->node, open->fh, in->flags);
		break;
	case REPLY_DIR:
		undo_readdir(req);
		break;
	case REPLY_MAP:
		undo_map(req, reply);
		break;
	default:
		break;
	}
}

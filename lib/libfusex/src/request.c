// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests: their memory, who owns it, and taking them apart.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Requests kept for later when deferred ones were answered. */
#define POOL_MAX	32

/**
 * req_alloc() - make a request with its buffers
 * @se: a session that was set up
 *
 * The buffers are page-aligned so that servers can use O_DIRECT, and cost
 * memory only as far as they are used.
 *
 * Return: the request, or NULL.
 */
struct fusex_req *req_alloc(struct fusex_session *se)
{
	struct fusex_req *req;
	void *in, *out;

	req = calloc(1, sizeof(*req));
	if (!req)
		return NULL;
	if (posix_memalign(&in, 4096, se->in_size))
		goto free_req;
	if (posix_memalign(&out, 4096, DATA_HEADROOM + se->data_size))
		goto free_in;
	req->se = se;
	req->in = in;
	req->data = (unsigned char *)out + DATA_HEADROOM;
	return req;

free_in:
	free(in);
free_req:
	free(req);
	return NULL;
}

/**
 * req_free() - free a request that nobody uses
 * @req: the request, NULL is ignored
 */
void req_free(struct fusex_req *req)
{
	if (!req)
		return;
	free(req->data - DATA_HEADROOM);
	free(req->in);
	free(req);
}

/**
 * req_take() - get a request for a worker
 * @se: session, locked
 *
 * When memory is short, waits until a deferred request was answered.
 *
 * Return: the request, or NULL when the workers are to end.
 */
struct fusex_req *req_take(struct fusex_session *se)
{
	struct fusex_req *req;

	for (;;) {
		req = se->pool;
		if (req) {
			se->pool = req->next;
			se->pool_size--;
			return req;
		}
		req = req_alloc(se);
		if (req || se->stopping)
			return req;
		pthread_cond_wait(&se->changed, &se->lock);
	}
}

/* The last of handler, reply and cancel function lets go; session locked. */
static void req_recycle(struct fusex_req *req)
{
	struct fusex_session *se = req->se;

	*req->prevp = req->next;
	if (req->next)
		req->next->prevp = req->prevp;
	req->prevp = NULL;
	req->answered = false;
	req->deferred = false;
	if (se->pool_size >= POOL_MAX) {
		req_free(req);
		return;
	}
	req->next = se->pool;
	se->pool = req;
	se->pool_size++;
	pthread_cond_broadcast(&se->changed);
}

/* False when it was answered already, and is still its owner's; session locked. */
static bool req_defer(struct fusex_req *req)
{
	struct fusex_session *se = req->se;

	if (req->answered && !req->cancel_running) {
		req->answered = false;
		return false;
	}
	req->deferred = true;
	req->next = se->busy;
	req->prevp = &se->busy;
	if (req->next)
		req->next->prevp = &req->next;
	se->busy = req;
	return true;
}

/**
 * req_hand_over() - a handler deferred its request
 * @w: the worker, whose request others may have answered already
 *
 * The worker gets another request, or goes on with this one.
 *
 * Return: false when the worker is to end.
 */
bool req_hand_over(struct worker *w)
{
	struct fusex_session *se = w->se;

	pthread_mutex_lock(&se->lock);
	if (req_defer(w->req)) {
		/* Before waiting for memory: it may be freed meanwhile. */
		w->req = NULL;
		w->req = req_take(se);
	}
	pthread_mutex_unlock(&se->lock);
	return w->req;
}

/**
 * req_leave() - a handler deferred a request that is no worker's
 * @req: the request, which must not be touched afterwards
 */
void req_leave(struct fusex_req *req)
{
	struct fusex_session *se = req->se;
	bool deferred;

	pthread_mutex_lock(&se->lock);
	deferred = req_defer(req);
	pthread_mutex_unlock(&se->lock);
	if (!deferred)
		req_free(req);
}

/**
 * req_answered() - a reply function is done with a deferred request
 * @req: the request, which must not be touched afterwards
 */
void req_answered(struct fusex_req *req)
{
	struct fusex_session *se = req->se;

	pthread_mutex_lock(&se->lock);
	req->answered = true;
	if (req->deferred && !req->cancel_running)
		req_recycle(req);
	pthread_mutex_unlock(&se->lock);
}

/**
 * req_cancel_returned() - a cancel function is done with a request
 * @req: the request, session locked; must not be touched afterwards
 */
void req_cancel_returned(struct fusex_req *req)
{
	req->cancel_running = false;
	pthread_cond_broadcast(&req->se->changed);
	if (req->deferred && req->answered)
		req_recycle(req);
}

/**
 * req_parse() - find the parts of a request
 * @req: request that was read into its buffer
 * @len: bytes that were read, at least a header
 *
 * Return: 0, or -EIO when the lengths do not fit each other.
 */
int req_parse(struct fusex_req *req, size_t len)
{
	const struct fusex_in_header *h = req->hdr;
	size_t arg = h->arg_len;
	size_t handle = FUSEX_ALIGN((size_t)h->handle_len);
	size_t handle2 = FUSEX_ALIGN((size_t)h->handle2_len);
	const unsigned char *p = req->in + sizeof(*h);

	if (h->len != len || arg != req->op->arg_len ||
	    h->handle_len > FUSEX_HANDLE_MAX ||
	    h->handle2_len > FUSEX_HANDLE_MAX ||
	    sizeof(*h) + arg + handle + handle2 > len)
		return -EIO;

	req->arg = p;
	p += arg;
	req->node.nodeid = h->nodeid;
	req->node.generation = h->generation;
	req->node.handle_len = h->handle_len;
	req->node.handle = p;
	p += handle;
	req->node2.handle_len = h->handle2_len;
	req->node2.handle = p;
	p += handle2;
	req->payload = p;
	req->left = len - (size_t)(p - req->in);
	return 0;
}

/**
 * req_node2() - complete the second node
 * @req: request
 * @ref: its id, from the argument structure
 */
void req_node2(struct fusex_req *req, const struct fusex_node_ref *ref)
{
	req->node2.nodeid = ref->nodeid;
	req->node2.generation = ref->generation;
}

/**
 * req_name() - take a string off the payload
 * @req: request
 * @len: its length by the argument structure
 * @max: the longest it may be
 *
 * Return: the string, NUL-terminated; NULL when it is not what it should be.
 */
const char *req_name(struct fusex_req *req, uint32_t len, uint32_t max)
{
	const char *name = (const char *)req->payload;

	if (!len || len > max || len >= req->left ||
	    memchr(name, '\0', (size_t)len + 1) != name + len)
		return NULL;
	req->payload += len + 1;
	req->left -= len + 1;
	return name;
}

/* The records follow the names at the next multiple of 8 of the payload. */
static const unsigned char *first_xattr(const struct fusex_req *req,
					const struct fusex_make_in *in,
					size_t *left)
{
	const struct fusex_in_header *h = req->hdr;
	size_t names = 0, skip;

	if (in->name_len)
		names += (size_t)in->name_len + 1;
	if (in->target_len)
		names += (size_t)in->target_len + 1;
	skip = sizeof(*h) + h->arg_len + FUSEX_ALIGN((size_t)h->handle_len) +
	       FUSEX_ALIGN((size_t)h->handle2_len) + FUSEX_ALIGN(names);
	if (skip > h->len)
		return NULL;
	*left = h->len - skip;
	return req->in + skip;
}

static int parse_xattr(const unsigned char *p, size_t left,
		       struct fusex_xattr *out, size_t *used)
{
	struct fusex_xattr_rec rec;
	size_t body;

	if (left < sizeof(rec))
		return -ENOENT;
	memcpy(&rec, p, sizeof(rec));
	p += sizeof(rec);
	left -= sizeof(rec);
	if (!rec.name_len || rec.name_len > FUSEX_NAME_MAX ||
	    rec.value_len > XATTR_BYTES)
		return -ENOENT;
	body = FUSEX_ALIGN((size_t)rec.name_len + 1 + rec.value_len);
	if (body > left || p[rec.name_len])
		return -ENOENT;
	out->name = (const char *)p;
	out->value = p + rec.name_len + 1;
	out->size = rec.value_len;
	*used = sizeof(rec) + body;
	return 0;
}

int fusex_req_xattr(const struct fusex_req *req, uint32_t index,
		    struct fusex_xattr *out)
{
	const struct fusex_make_in *in = req->arg;
	const unsigned char *p;
	size_t left, used = 0;
	uint32_t i;
	int ret;

	switch (req->hdr->opcode) {
	case FUSEX_OP_CREATE:
	case FUSEX_OP_MKNOD:
	case FUSEX_OP_MKDIR:
	case FUSEX_OP_SYMLINK:
	case FUSEX_OP_TMPFILE:
		break;
	default:
		return -ENOENT;
	}
	if (index >= in->nr_xattrs)
		return -ENOENT;
	p = first_xattr(req, in, &left);
	if (!p)
		return -ENOENT;
	for (i = 0; i <= index; i++) {
		ret = parse_xattr(p, left, out, &used);
		if (ret)
			return ret;
		p += used;
		left -= used;
	}
	return 0;
}

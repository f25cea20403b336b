// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes of requests and replies.
 *
 * Everything here copies between the caller's memory and the server's with
 * page faults disabled.  It never waits for anybody and is over after a
 * bounded time, whatever the server's memory is; so a caller that gives up
 * can wait for it.  Memory that is not there makes the copy fail: faulting it
 * in and trying again is for who called, when nobody waits for the copy.
 */

#include <linux/highmem.h>
#include <linux/uaccess.h>

#include "fusex_i.h"
#include "transport.h"

/* Small parts are put together here and copied at once. */
#define GATHER_ROOM	512

struct gather {
	struct iov_iter *to;
	unsigned int used;
	u8 buf[GATHER_ROOM];
};

static bool gather_flush(struct gather *g)
{
	unsigned int len = g->used;

	g->used = 0;
	return copy_to_iter(g->buf, len, g->to) == len;
}

/* Adds bytes, and zeros up to @padded. */
static bool gather_add(struct gather *g, const void *base, size_t len,
		       size_t padded)
{
	if (padded > GATHER_ROOM - g->used && !gather_flush(g))
		return false;
	if (padded > GATHER_ROOM)
		return copy_to_iter(base, len, g->to) == len;
	memcpy(g->buf + g->used, base, len);
	memset(g->buf + g->used + len, 0, padded - len);
	g->used += padded;
	return true;
}

/*
 * The piece of a segment that begins @off bytes into it, at most @len bytes,
 * as far as it can be copied at once: what lies in one folio, or in one page
 * where pages have to be mapped.
 */
static size_t piece(const struct bio_vec *bv, size_t off, size_t len,
		    struct page **page, size_t *in_page)
{
	size_t at = bv->bv_offset + off;
	struct folio *folio;
	size_t room;

	*page = bv->bv_page + (at >> PAGE_SHIFT);
	*in_page = offset_in_page(at);
	room = PAGE_SIZE - *in_page;
	folio = page_folio(*page);
	if (!folio_test_partial_kmap(folio))
		room = folio_size(folio) - *in_page -
		       (folio_page_idx(folio, *page) << PAGE_SHIFT);
	return min3(len, room, bv->bv_len - off);
}

/* Copies @bytes between segments and @iter: to it when @out, else from it. */
static bool copy_bvec(const struct bio_vec *bv, size_t skip, size_t bytes,
		      struct iov_iter *iter, bool out)
{
	struct page *page;
	size_t n, off, done;
	void *base;

	for (; bytes; bytes -= n, skip += n) {
		while (skip >= bv->bv_len) {
			skip -= bv->bv_len;
			bv++;
		}
		n = piece(bv, skip, bytes, &page, &off);
		base = kmap_local_page(page);
		done = out ? copy_to_iter(base + off, n, iter) :
			     copy_from_iter(base + off, n, iter);
		kunmap_local(base);
		if (done != n)
			return false;
	}
	return true;
}

static u16 handle_of(const struct inode *inode, const void **handle)
{
	*handle = fusex_i(inode)->handle;
	return fusex_i(inode)->handle_len;
}

/* The handle of the node a call is about. */
static u16 first_handle(const struct fusex_call *call, const void **handle)
{
	if (call->node)
		return handle_of(call->node, handle);
	*handle = call->handle;
	return call->handle_len;
}

static u16 second_handle(const struct fusex_call *call, const void **handle)
{
	*handle = NULL;
	return call->node2 ? handle_of(call->node2, handle) : 0;
}

/**
 * fusex_msg_nodeid - the node a call is about
 * @call: the call
 *
 * Return: its node id, 0 for none.
 */
u64 fusex_msg_nodeid(const struct fusex_call *call)
{
	return call->node ? fusex_i(call->node)->nodeid : call->id;
}

/**
 * fusex_msg_identity - make a call name its node without a reference to it
 * @call: the call; its handle still is the inode's memory
 */
void fusex_msg_identity(struct fusex_call *call)
{
	if (!call->node)
		return;
	call->id = fusex_msg_nodeid(call);
	call->generation = call->node->i_generation;
	call->handle_len = first_handle(call, &call->handle);
	call->node = NULL;
}

/**
 * fusex_msg_size - fill in what a call says about its header
 * @chan: the channel
 * @call: the call
 * @in: opcode, node and lengths are filled in, the rest is left alone
 *
 * Return: bytes of the whole request, or -E2BIG if the server's buffers need
 * not have room for it.
 */
ssize_t fusex_msg_size(const struct fusex_chan *chan,
		       const struct fusex_call *call,
		       struct fusex_in_header *in)
{
	size_t len = sizeof(*in) + call->arg_len + call->in_bytes;
	const void *handle;
	unsigned int i;

	WARN_ON_ONCE(call->arg_len % 8);
	in->opcode = call->op;
	in->arg_len = call->arg_len;
	in->nodeid = fusex_msg_nodeid(call);
	in->generation = call->node ? call->node->i_generation :
				      call->generation;
	in->handle_len = first_handle(call, &handle);
	in->handle2_len = second_handle(call, &handle);
	len += FUSEX_ALIGN(in->handle_len) + FUSEX_ALIGN(in->handle2_len);
	for (i = 0; i < FUSEX_IN_SEGS; i++)
		len += call->in[i].len;
	if (len > chan->request_size)
		return -E2BIG;
	in->len = len;
	return len;
}

static bool encode(const struct fusex_req *req, struct gather *g)
{
	const struct fusex_call *call = req->call;
	const void *handle, *handle2;
	size_t len, len2;
	unsigned int i;

	len = first_handle(call, &handle);
	len2 = second_handle(call, &handle2);
	if (!gather_add(g, &req->in, sizeof(req->in), sizeof(req->in)) ||
	    !gather_add(g, call->arg, call->arg_len, call->arg_len) ||
	    !gather_add(g, handle, len, FUSEX_ALIGN(len)) ||
	    !gather_add(g, handle2, len2, FUSEX_ALIGN(len2)))
		return false;
	for (i = 0; i < FUSEX_IN_SEGS; i++) {
		if (!gather_add(g, call->in[i].base, call->in[i].len,
				call->in[i].len))
			return false;
	}
	return gather_flush(g) &&
	       copy_bvec(call->in_bvec, call->in_skip, call->in_bytes, g->to,
			 true);
}

/**
 * fusex_msg_encode - copy a request to the server
 * @req: in state SENDING
 * @to: the server's buffer, large enough
 *
 * Return: 0, or -EFAULT with @to where it was.
 */
int fusex_msg_encode(const struct fusex_req *req, struct iov_iter *to)
{
	size_t room = iov_iter_count(to);
	struct gather g;
	bool ok;

	g.to = to;
	g.used = 0;
	pagefault_disable();
	ok = encode(req, &g);
	pagefault_enable();
	if (ok)
		return 0;
	iov_iter_revert(to, room - iov_iter_count(to));
	return -EFAULT;
}

/*
 * Plans how the reply's @len bytes spread over the segments.  Returns how many
 * go to segments and in *@last how many to the last one, or a fault.
 */
static const char *plan(const struct fusex_call *call, size_t len,
			size_t *fixed, size_t *last)
{
	unsigned int i, used = 0;
	size_t total = 0;

	for (i = 0; i < FUSEX_OUT_SEGS; i++) {
		total += call->out[i].len;
		if (call->out[i].len)
			used = i + 1;
	}
	*fixed = total;
	*last = used ? call->out[used - 1].len : 0;
	if (len > total + call->out_bytes)
		return "reply too long";
	if (len >= total)
		return NULL;
	if (!call->out_var || len < total - *last)
		return "reply too short";
	*last -= total - len;
	*fixed = len;
	return NULL;
}

/* Copies @bytes to the segments, as many as the plan says. */
static bool decode_segs(struct fusex_call *call, struct iov_iter *from,
			size_t bytes)
{
	unsigned int i;

	for (i = 0; i < FUSEX_OUT_SEGS; i++) {
		size_t n = min_t(size_t, bytes, call->out[i].len);

		if (copy_from_iter(call->out[i].base, n, from) != n)
			return false;
		bytes -= n;
	}
	return true;
}

/**
 * fusex_msg_decode - copy the content of a reply to the caller
 * @call: the call, whose request is in state REPLYING
 * @from: the rest of the server's write
 * @why: returns what is wrong with the content
 *
 * Return: 0 with call->got set; -EFAULT with @from where it was; -EFSCORRUPTED
 * when the caller did not ask for so much or so little, without having copied
 * anything.
 */
int fusex_msg_decode(struct fusex_call *call, struct iov_iter *from,
		     const char **why)
{
	size_t len = iov_iter_count(from);
	size_t fixed, last;
	bool ok;

	*why = plan(call, len, &fixed, &last);
	if (*why)
		return -EFSCORRUPTED;
	pagefault_disable();
	ok = decode_segs(call, from, fixed) &&
	     copy_bvec(call->out_bvec, call->out_skip, len - fixed, from,
		       false);
	pagefault_enable();
	if (!ok) {
		iov_iter_revert(from, len - iov_iter_count(from));
		return -EFAULT;
	}
	call->got = call->out_var ? last : len - fixed;
	return 0;
}

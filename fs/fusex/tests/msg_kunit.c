// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the bytes of requests and replies: the order and padding of
 * the parts of a request, file data in odd pieces, and how much of a reply
 * goes where, one byte too few and too many included.
 */
#include <kunit/test.h>
#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "fake_chan.h"

#define ROOM	(64 << 10)

static struct iov_iter iter_over(struct kvec *kvec, void *base, size_t len,
				 unsigned int direction)
{
	struct iov_iter iter;

	*kvec = (struct kvec) { .iov_base = base, .iov_len = len };
	iov_iter_kvec(&iter, direction, kvec, 1, len);
	return iter;
}

static u8 *room(struct kunit *test)
{
	u8 *p = kunit_kzalloc(test, ROOM, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* --------------------------------------------------------------- requests */

static void layout_test(struct kunit *test)
{
	static const u8 handle[13] = "opaque handle";
	u64 arg[2] = { 0x1111111111111111, 0x2222222222222222 };
	struct fusex_call call = {
		.op		= FUSEX_OP_RENAME,
		.id		= 5,
		.generation	= 6,
		.handle		= handle,
		.handle_len	= sizeof(handle),
		.arg		= arg,
		.arg_len	= sizeof(arg),
		.in[0]		= { "old", 4 },
		.in[1]		= { "newer", 6 },
	};
	struct fusex_req req = { .call = &call };
	size_t want = sizeof(req.in) + sizeof(arg) + 16 + 4 + 6;
	struct iov_iter iter;
	struct kvec kvec;
	u8 *p = room(test);

	memset(p, 0xee, ROOM);
	KUNIT_ASSERT_EQ(test, want, fusex_msg_size(test->priv, &call, &req.in));
	KUNIT_EXPECT_EQ(test, want, req.in.len);
	KUNIT_EXPECT_EQ(test, 5, req.in.nodeid);
	KUNIT_EXPECT_EQ(test, 6, req.in.generation);
	KUNIT_EXPECT_EQ(test, sizeof(arg), req.in.arg_len);
	KUNIT_EXPECT_EQ(test, sizeof(handle), req.in.handle_len);
	KUNIT_EXPECT_EQ(test, 0, req.in.handle2_len);

	/* Too small a buffer leaves no trace in the iterator. */
	iter = iter_over(&kvec, p, want - 1, ITER_DEST);
	KUNIT_EXPECT_EQ(test, -EFAULT, fusex_msg_encode(&req, &iter));
	KUNIT_EXPECT_EQ(test, want - 1, iov_iter_count(&iter));

	iter = iter_over(&kvec, p, ROOM, ITER_DEST);
	KUNIT_ASSERT_EQ(test, 0, fusex_msg_encode(&req, &iter));
	KUNIT_EXPECT_EQ(test, ROOM - want, iov_iter_count(&iter));
	KUNIT_EXPECT_MEMEQ(test, p, &req.in, sizeof(req.in));
	p += sizeof(req.in);
	KUNIT_EXPECT_MEMEQ(test, p, arg, sizeof(arg));
	p += sizeof(arg);
	KUNIT_EXPECT_MEMEQ(test, p, handle, sizeof(handle));
	KUNIT_EXPECT_MEMEQ(test, p + sizeof(handle), "\0\0\0", 3);
	p += 16;
	KUNIT_EXPECT_MEMEQ(test, p, "old\0newer\0\xee", 11);
}

/* A segment larger than what is gathered, between small ones. */
static void gather_test(struct kunit *test)
{
	u8 *big = room(test), *p = room(test);
	struct fusex_call call = {
		.op	= FUSEX_OP_SETXATTR,
		.in[0]	= { "name", 5 },
		.in[1]	= { big, 5000 },
		.in[2]	= { "end", 3 },
	};
	struct fusex_req req = { .call = &call };
	struct iov_iter iter;
	struct kvec kvec;
	unsigned int i;

	for (i = 0; i < 5000; i++)
		big[i] = i * 7;
	KUNIT_ASSERT_EQ(test, sizeof(req.in) + 5008,
			fusex_msg_size(test->priv, &call, &req.in));
	iter = iter_over(&kvec, p, ROOM, ITER_DEST);
	KUNIT_ASSERT_EQ(test, 0, fusex_msg_encode(&req, &iter));
	p += sizeof(req.in);
	KUNIT_EXPECT_MEMEQ(test, p, "name", 5);
	KUNIT_EXPECT_MEMEQ(test, p + 5, big, 5000);
	KUNIT_EXPECT_MEMEQ(test, p + 5005, "end", 3);
}

static void no_end(struct fusex_call *call)
{
}

static void size_test(struct kunit *test)
{
	struct fusex_chan *chan = test->priv;
	struct fusex_in_header in = {};
	struct fusex_call call = {
		.op	= FUSEX_OP_SETXATTR,
		.in[0]	= { "", chan->request_size - sizeof(in) },
		.end	= no_end,
	};

	KUNIT_EXPECT_EQ(test, chan->request_size,
			fusex_msg_size(chan, &call, &in));
	call.in[0].len++;
	KUNIT_EXPECT_EQ(test, -E2BIG, fusex_msg_size(chan, &call, &in));
	KUNIT_EXPECT_EQ(test, -E2BIG, fusex_call_async(chan, &call,
						       GFP_KERNEL));
	fusex_chan_abort(chan);
}

/* Two pages that are one segment, a piece of a third, all of it in a call. */
static void make_bvec(struct kunit *test, struct bio_vec bv[2])
{
	struct page *two = alloc_pages(GFP_KERNEL | __GFP_ZERO, 1);
	struct page *one = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (!two || !one) {
		if (two)
			__free_pages(two, 1);
		if (one)
			__free_page(one);
		KUNIT_ASSERT_TRUE_MSG(test, false, "no memory");
	}
	bvec_set_page(&bv[0], two, PAGE_SIZE + 100, PAGE_SIZE - 200);
	bvec_set_page(&bv[1], one, 300, 10);
}

static void free_bvec(struct bio_vec bv[2])
{
	__free_pages(bv[0].bv_page, 1);
	__free_page(bv[1].bv_page);
}

static u8 *bvec_byte(struct bio_vec *bv, size_t i)
{
	if (i >= bv[0].bv_len) {
		i -= bv[0].bv_len;
		bv++;
	}
	return (u8 *)page_address(bv->bv_page) + bv->bv_offset + i;
}

static void data_out_test(struct kunit *test)
{
	struct bio_vec bv[2];
	struct fusex_call call = {
		.op		= FUSEX_OP_WRITE,
		.in_bvec	= bv,
		.in_skip	= 50,
		.in_bytes	= PAGE_SIZE + 100 - 50 + 299,
	};
	struct fusex_req req = { .call = &call };
	struct iov_iter iter;
	struct kvec kvec;
	u8 *p = room(test);
	size_t i, bad = 0;

	make_bvec(test, bv);
	for (i = 0; i < PAGE_SIZE + 400; i++)
		*bvec_byte(bv, i) = i * 13;
	fusex_msg_size(test->priv, &call, &req.in);
	iter = iter_over(&kvec, p, ROOM, ITER_DEST);
	KUNIT_EXPECT_EQ(test, 0, fusex_msg_encode(&req, &iter));
	KUNIT_EXPECT_EQ(test, ROOM - sizeof(req.in) - call.in_bytes,
			iov_iter_count(&iter));
	for (i = 0; i < call.in_bytes; i++)
		bad += p[sizeof(req.in) + i] != (u8)((i + 50) * 13);
	KUNIT_EXPECT_EQ(test, 0, bad);
	KUNIT_EXPECT_EQ(test, 0, p[sizeof(req.in) + call.in_bytes]);
	free_bvec(bv);
}

/* ---------------------------------------------------------------- replies */

static int decode(struct fusex_call *call, u8 *p, size_t len)
{
	const char *why = NULL;
	struct kvec kvec;
	struct iov_iter iter = iter_over(&kvec, p, len, ITER_SOURCE);
	int err = fusex_msg_decode(call, &iter, &why);

	/* Either it makes sense and is used up, or there is a reason. */
	if (!err != !why || (!err && iov_iter_count(&iter)))
		return -EDOM;
	return err;
}

static void fixed_test(struct kunit *test)
{
	u8 a[8] = {}, b[16] = {};
	struct fusex_call call = {
		.out[0] = { a, sizeof(a) },
		.out[1] = { b, sizeof(b) },
	};
	u8 *p = room(test);

	memset(p, 1, 8);
	memset(p + 8, 2, 16);
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED, decode(&call, p, 23));
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED, decode(&call, p, 25));
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED, decode(&call, p, 0));
	/* What makes no sense is not copied. */
	KUNIT_EXPECT_EQ(test, 0, a[0]);
	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, 24));
	KUNIT_EXPECT_MEMEQ(test, a, p, 8);
	KUNIT_EXPECT_MEMEQ(test, b, p + 8, 16);
	KUNIT_EXPECT_EQ(test, 0, call.got);
}

static void nothing_test(struct kunit *test)
{
	struct fusex_call call = {};
	u8 *p = room(test);

	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, 0));
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED, decode(&call, p, 1));
}

static void variable_test(struct kunit *test)
{
	u8 a[8], b[16] = {};
	struct fusex_call call = {
		.out[0] = { a, sizeof(a) },
		.out[1] = { b, sizeof(b) },
		.out_var = true,
	};
	u8 *p = room(test);

	memset(p, 5, 24);
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED, decode(&call, p, 7));
	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, 8));
	KUNIT_EXPECT_EQ(test, 0, call.got);
	KUNIT_EXPECT_EQ(test, 0, b[0]);
	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, 9));
	KUNIT_EXPECT_EQ(test, 1, call.got);
	KUNIT_EXPECT_EQ(test, 5, b[0]);
	KUNIT_EXPECT_EQ(test, 0, b[1]);
	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, 24));
	KUNIT_EXPECT_EQ(test, 16, call.got);
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED, decode(&call, p, 25));
}

static void data_in_test(struct kunit *test)
{
	struct bio_vec bv[2];
	struct fusex_call call = {
		.op		= FUSEX_OP_READ,
		.out_bvec	= bv,
		.out_skip	= 20,
		.out_bytes	= PAGE_SIZE + 100 - 20 + 200,
	};
	u8 *p = room(test);
	size_t i, bad = 0;

	make_bvec(test, bv);
	for (i = 0; i < ROOM; i++)
		p[i] = 1 + i * 11;
	KUNIT_EXPECT_EQ(test, -EFSCORRUPTED,
			decode(&call, p, call.out_bytes + 1));
	KUNIT_EXPECT_EQ(test, 0, *bvec_byte(bv, 20));

	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, 10));
	KUNIT_EXPECT_EQ(test, 10, call.got);
	KUNIT_EXPECT_EQ(test, 0, *bvec_byte(bv, 19));
	KUNIT_EXPECT_EQ(test, 0, *bvec_byte(bv, 30));

	KUNIT_EXPECT_EQ(test, 0, decode(&call, p, call.out_bytes));
	KUNIT_EXPECT_EQ(test, call.out_bytes, call.got);
	for (i = 0; i < call.out_bytes; i++)
		bad += *bvec_byte(bv, 20 + i) != p[i];
	KUNIT_EXPECT_EQ(test, 0, bad);
	KUNIT_EXPECT_EQ(test, 0, *bvec_byte(bv, 19));
	KUNIT_EXPECT_EQ(test, 0, *bvec_byte(bv, 20 + call.out_bytes));
	free_bvec(bv);
}

static void names_test(struct kunit *test)
{
	u32 op;

	for (op = 1; op < FUSEX_OP_NR; op++)
		KUNIT_EXPECT_STRNEQ(test, "?", fusex_op_name(op));
	KUNIT_EXPECT_STREQ(test, "?", fusex_op_name(0));
	KUNIT_EXPECT_STREQ(test, "?", fusex_op_name(FUSEX_OP_NR));
	KUNIT_EXPECT_STREQ(test, "lookup", fusex_op_name(FUSEX_OP_LOOKUP));
	KUNIT_EXPECT_STREQ(test, "cancel", fusex_op_name(FUSEX_OP_CANCEL));
	KUNIT_EXPECT_STREQ(test, "?", fusex_notify_name(0));
	KUNIT_EXPECT_STREQ(test, "poll", fusex_notify_name(FUSEX_NOTIFY_POLL));
	KUNIT_EXPECT_STREQ(test, "?", fusex_notify_name(FUSEX_NOTIFY_NR));
}

static struct kunit_case msg_cases[] = {
	KUNIT_CASE(layout_test),
	KUNIT_CASE(gather_test),
	KUNIT_CASE(size_test),
	KUNIT_CASE(data_out_test),
	KUNIT_CASE(fixed_test),
	KUNIT_CASE(nothing_test),
	KUNIT_CASE(variable_test),
	KUNIT_CASE(data_in_test),
	KUNIT_CASE(names_test),
	{}
};

static struct kunit_suite msg_suite = {
	.name		= "fusex-msg",
	.init		= fake_init,
	.exit		= fake_exit,
	.test_cases	= msg_cases,
};

kunit_test_suite(msg_suite);

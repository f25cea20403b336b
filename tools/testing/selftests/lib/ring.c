// SPDX-License-Identifier: GPL-2.0
/*
 * The helpers behind ring.h.
 */
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "ring.h"
#include "tap.h"

void ring_open(struct ring *r)
{
	size_t size;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0 && (errno == ENOSYS || errno == EPERM))
		SKIP("this kernel has no io_uring");
	OK(r->fd);
	CHECK(r->p.features & IORING_FEAT_SINGLE_MMAP);
	size = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	if (size < r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned int))
		size = r->p.sq_off.array +
			r->p.sq_entries * sizeof(unsigned int);
	r->sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_SQ_RING);
	CHECK(r->sq != MAP_FAILED);
	r->sqe = mmap(NULL, 4 * sizeof(*r->sqe), PROT_READ | PROT_WRITE,
		      MAP_SHARED, r->fd, IORING_OFF_SQES);
	CHECK(r->sqe != MAP_FAILED);
}

static _Atomic unsigned int *ring_word(struct ring *r, uint32_t off)
{
	return (_Atomic unsigned int *)(void *)(r->sq + off);
}

void ring_submit(struct ring *r, int op, int fd, void *buf, unsigned int len,
		 off_t at)
{
	unsigned int tail = *ring_word(r, r->p.sq_off.tail);
	unsigned int slot = tail & *ring_word(r, r->p.sq_off.ring_mask);

	memset(&r->sqe[slot], 0, sizeof(r->sqe[slot]));
	r->sqe[slot].opcode = (uint8_t)op;
	r->sqe[slot].fd = fd;
	r->sqe[slot].addr = (uintptr_t)buf;
	r->sqe[slot].len = len;
	r->sqe[slot].off = (uint64_t)at;
	ring_word(r, r->p.sq_off.array)[slot] = slot;
	atomic_store(ring_word(r, r->p.sq_off.tail), tail + 1);
	EQ(OK(syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0)), 1);
}

bool ring_idle(struct ring *r)
{
	return *ring_word(r, r->p.cq_off.head) ==
	       *ring_word(r, r->p.cq_off.tail);
}

int ring_result(struct ring *r)
{
	const struct io_uring_cqe *cqes = (void *)(r->sq + r->p.cq_off.cqes);
	unsigned int head = *ring_word(r, r->p.cq_off.head);
	int res;

	if (ring_idle(r))
		OK(syscall(SYS_io_uring_enter, r->fd, 0, 1,
			   IORING_ENTER_GETEVENTS, NULL, 0));
	CHECK(!ring_idle(r));
	res = cqes[head & *ring_word(r, r->p.cq_off.ring_mask)].res;
	atomic_store(ring_word(r, r->p.cq_off.head), head + 1);
	return res;
}

int ring_do(struct ring *r, int op, int fd, void *buf, unsigned int len,
	    off_t at)
{
	ring_submit(r, op, fd, buf, len, at);
	return ring_result(r);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What is counted per operation: how many, how many failed, how long they
 * took.
 *
 * Most mounts use few of the operations, so that the counters of one are
 * allocated when it is first used, and never moved or freed before the
 * channel is.
 */

#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/percpu.h>

#include "transport.h"

/**
 * fusex_stats_bucket - the bucket of a latency
 * @ns: nanoseconds
 *
 * Return: n for [2^n, 2^(n+1)) microseconds, the first bucket for less, the
 * last one for more.
 */
unsigned int fusex_stats_bucket(u64 ns)
{
	u64 us = div_u64(ns, NSEC_PER_USEC);

	if (us < 2)
		return 0;
	return min_t(unsigned int, ilog2(us), FUSEX_LAT_BUCKETS - 1);
}

/**
 * fusex_stats_prepare - make room to count an operation
 * @chan: the channel
 * @op: enum fusex_opcode
 * @gfp: how to allocate
 *
 * When memory is short the operation is not counted this time.
 */
void fusex_stats_prepare(struct fusex_chan *chan, u32 op, gfp_t gfp)
{
	struct fusex_op_stats __percpu *stats;

	if (likely(READ_ONCE(chan->stats[op])))
		return;
	gfp = (gfp & ~__GFP_NOFAIL) | __GFP_NOWARN | __GFP_ACCOUNT;
	stats = alloc_percpu_gfp(struct fusex_op_stats, gfp);
	if (stats && cmpxchg(&chan->stats[op], NULL, stats))
		free_percpu(stats);
}

/**
 * fusex_stats_note - count a request
 * @chan: the channel
 * @op: enum fusex_opcode
 * @error: what it came to
 * @ns: how long it took
 */
void fusex_stats_note(struct fusex_chan *chan, u32 op, int error, u64 ns)
{
	struct fusex_op_stats __percpu *stats = READ_ONCE(chan->stats[op]);

	if (unlikely(!stats))
		return;
	this_cpu_inc(stats->count);
	if (error)
		this_cpu_inc(stats->errors);
	this_cpu_inc(stats->latency[fusex_stats_bucket(ns)]);
}

/**
 * fusex_stats_sum - what was counted for an operation so far
 * @chan: the channel
 * @op: enum fusex_opcode
 * @sum: returns it
 *
 * Return: false if the operation was never used.
 */
bool fusex_stats_sum(const struct fusex_chan *chan, u32 op,
		     struct fusex_op_stats *sum)
{
	struct fusex_op_stats __percpu *stats = READ_ONCE(chan->stats[op]);
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	if (!stats)
		return false;
	for_each_possible_cpu(cpu) {
		const struct fusex_op_stats *s = per_cpu_ptr(stats, cpu);

		sum->count += READ_ONCE(s->count);
		sum->errors += READ_ONCE(s->errors);
		for (i = 0; i < FUSEX_LAT_BUCKETS; i++)
			sum->latency[i] += READ_ONCE(s->latency[i]);
	}
	return sum->count;
}

/**
 * fusex_chan_answers - does the server get on?
 * @chan: the channel
 *
 * Return: requests that have ended, a number to be compared with a later one.
 */
u64 fusex_chan_answers(const struct fusex_chan *chan)
{
	struct fusex_op_stats sum;
	u64 answers = 0;
	u32 op;

	for (op = 0; op < FUSEX_OP_NR; op++) {
		fusex_stats_sum(chan, op, &sum);
		answers += sum.count;
	}
	return answers;
}

/**
 * fusex_stats_free - free the counters of a channel nobody uses any more
 * @chan: the channel
 */
void fusex_stats_free(struct fusex_chan *chan)
{
	u32 op;

	for (op = 0; op < FUSEX_OP_NR; op++)
		free_percpu(chan->stats[op]);
}

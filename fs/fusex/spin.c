// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting awake: who waits looks for a while before it sleeps.
 *
 * A round trip wakes the server and then its caller, and to wake an idle CPU
 * often takes longer than the answer.  So a caller looks for its answer while
 * the server's thread runs, as a mutex does for an owner that runs, and the
 * reader that came last looks for the next request, as a hypervisor does for a
 * guest that has halted; both only as long as nobody else wants their CPU.
 *
 * How long is learned from what was waited before: a wait that a longer look
 * would have covered makes it twice as long as that, one that no look covers
 * halves it.  An idle server, or one that is slow, costs nothing after the first
 * few times, and little later: a wait may be long only because everybody sleeps,
 * so once in a while it is tried again.
 */

#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "transport.h"

/* The first step up, nanoseconds: about what a wake-up takes. */
#define FUSEX_SPIN_START	(10 * NSEC_PER_USEC)

/*
 * Waits asleep before one awake is tried.  In vain it takes twice the limit, as
 * it is halved only, of at least so many times the limit: under two percent.
 */
#define FUSEX_SPIN_RETRY	128

/**
 * fusex_spin_learn - how long to look the next time
 * @spin: how long the last time, nanoseconds
 * @waited: how long it took in all, asleep or awake
 * @most: limit, 0 for never
 *
 * Return: nanoseconds, at most @most.
 */
u32 fusex_spin_learn(u32 spin, u64 waited, u32 most)
{
	if (waited > most)
		return spin > FUSEX_SPIN_START ? min(spin / 2, most) : 0;
	if (waited <= spin)
		return min(spin, most);
	return min_t(u64, max_t(u64, 2 * waited, FUSEX_SPIN_START), most);
}

/**
 * fusex_spin_note - a wait is over: learn from it
 * @spin: what is learned, shared by all who wait for such things
 * @waited: as in fusex_spin_learn()
 * @most: likewise
 *
 * Who comes between others and loses what they have learned does no harm.
 */
void fusex_spin_note(struct fusex_spin *spin, u64 waited, u32 most)
{
	u32 old = READ_ONCE(spin->ns);
	u32 learned = fusex_spin_learn(old, waited, most);

	if (!learned) {
		u32 asleep = READ_ONCE(spin->asleep) + 1;

		if (asleep >= FUSEX_SPIN_RETRY) {
			learned = most;
			asleep = 0;
		}
		WRITE_ONCE(spin->asleep, asleep);
	}
	/* Most of the time nothing changes, and the cache line is shared. */
	if (learned != old)
		WRITE_ONCE(spin->ns, learned);
}

/**
 * fusex_spin_caller_on - may a caller go on looking?
 * @start: local_clock() when it began to wait
 * @spin: how long it may, nanoseconds
 *
 * Others that are in the queue of the CPU may be so in name only: a task that
 * slept after it had more than its share stays there for a while.
 *
 * Return: false when its time is over, when a signal waits, or when others are
 * to have the CPU.
 */
bool fusex_spin_caller_on(u64 start, u32 spin)
{
	return spin && num_online_cpus() > 1 && !need_resched() &&
	       !test_thread_flag(TIF_NEED_RESCHED_LAZY) &&
	       !signal_pending(current) && local_clock() - start < spin;
}

/**
 * fusex_spin_on - may a reader go on looking?
 * @start: local_clock() when it began to wait
 * @spin: how long it may, nanoseconds
 *
 * It need not be for it that the next request comes, so it lets everybody else
 * go first.
 *
 * Return: as fusex_spin_caller_on(), and false if there may be others.
 */
bool fusex_spin_on(u64 start, u32 spin)
{
	return single_task_running() && fusex_spin_caller_on(start, spin);
}

/**
 * fusex_spin_caller_most - the longest that callers look
 * @chan: the channel
 *
 * Return: nanoseconds, 0 for never.
 */
u32 fusex_spin_caller_most(const struct fusex_chan *chan)
{
	return READ_ONCE(chan->spin_most) ? FUSEX_SPIN_CALLER : 0;
}

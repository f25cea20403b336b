// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/fs/fusex/MAJOR:MINOR/, one directory per mount, named by the device
 * number that stat(2) and /proc/self/mountinfo show.
 *
 * Texts are stable: lines of words separated by single spaces, of which later
 * kernels may have more at the end of a line, and lines whose first word is
 * unknown.  Everybody may read all but in_flight and backing, which tell about
 * other people's processes and files.  The directory belongs to root of the user namespace of
 * the server.
 *
 * What:	state
 *		"mounted" or "dead" (the server has gone or was aborted).
 * What:	subtype
 *		As shown in fusex.SUBTYPE, may be empty.
 * What:	server_pid
 *		Process that set the channel up, in the reader's pid namespace,
 *		0 when not in it.
 * What:	io_mode, attr_mode
 *		Name of the default mode.
 * What:	max_read, max_write, max_readahead, max_background
 *		As agreed, bytes or requests.
 * What:	features
 *		FUSEX_F_* in force, hexadecimal.
 * What:	timeout_ms
 *		Deadline of a request in milliseconds, 0 for none.  Writing
 *		changes it, for requests in flight too.
 * What:	spin_us
 *		How long a thread of the server's that has nothing to do looks
 *		for a request before it sleeps, microseconds, at most 1000; 200
 *		by default.  How much of it is used is learned.  0: neither
 *		servers nor callers look, all sleep at once.
 * What:	abort
 *		Writing anything ends the channel: everything in flight fails
 *		with ENOTCONN.
 * What:	waiting
 *		Requests that have not ended.
 * What:	forgets
 *		Forgotten nodes the server was not told about yet.
 * What:	bad_replies
 *		Replies that made no sense.
 * What:	counters
 *		"OPERATION COUNT ERRORS" for each operation ever used: how many
 *		have ended, how many of them with an error.
 * What:	latency
 *		"OPERATION BUCKET:COUNT ..." for each operation ever used:
 *		COUNT of them took 2^BUCKET microseconds or longer, and less
 *		than twice that; bucket 0 is everything below 2.
 * What:	backing
 *		"COOKIE TYPE ACCESS OBJECT USERS" for each registered backing
 *		object: TYPE file, bdev, dax or stripe; ACCESS r, w or rw; OBJECT
 *		the inode number of a file, MAJOR:MINOR of a device,
 *		UNITxMEMBERS:COOKIE,... of a stripe, where the list of members
 *		ends with "..." if there are more than 6; USERS how many inodes,
 *		stripes and operations use it.
 * What:	in_flight
 *		"UNIQUE OPERATION NODEID STATE AGE PID" for each request that
 *		has not ended: STATE queued, sending, sent or replying; AGE in
 *		milliseconds; PID of the caller as the server was told.
 *
 * A list that does not fit into a page ends with "... N" for N left out.
 */

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "backing.h"
#include "transport.h"

/* Longest line of latency: a name and all buckets. */
#define LATENCY_LINE	(16 + FUSEX_LAT_BUCKETS * 24)
#define IN_FLIGHT_LINE	128

/**
 * struct fusex_sysfs - the directory of a mount
 * @kobj: the directory
 * @chan: outlives the directory
 * @released: nobody has the kobject any more
 */
struct fusex_sysfs {
	struct kobject kobj;
	struct fusex_chan *chan;
	struct completion released;
};

static struct kset *fusex_kset;

static struct fusex_chan *chan_of(struct kobject *kobj)
{
	return container_of(kobj, struct fusex_sysfs, kobj)->chan;
}

/* ---------------------------------------------------------------- settings */

#define SHOW(name, format, value)					\
static ssize_t show_##name(struct kobject *kobj,			\
			   struct kobj_attribute *attr, char *buf)	\
{									\
	const struct fusex_chan *chan = chan_of(kobj);			\
									\
	return sysfs_emit(buf, format "\n", value);			\
}									\
static struct kobj_attribute attr_##name = __ATTR(name, 0444, show_##name, NULL)

static const char *const io_names[FUSEX_IO_NR] = {
	[FUSEX_IO_PLAIN]	= "plain",
	[FUSEX_IO_DIRECT]	= "direct",
	[FUSEX_IO_WRITEBACK]	= "writeback",
	[FUSEX_IO_PASSTHROUGH]	= "passthrough",
	[FUSEX_IO_IOMAP]	= "iomap",
	[FUSEX_IO_DAX]		= "dax",
};

static const char *const attr_names[FUSEX_ATTR_NR] = {
	[FUSEX_ATTR_LOCAL]	= "local",
	[FUSEX_ATTR_REMOTE]	= "remote",
};

SHOW(state, "%s", fusex_chan_alive(chan) ? "mounted" : "dead");
SHOW(subtype, "%s", chan->conf.subtype);
SHOW(server_pid, "%d", pid_vnr(chan->server));
SHOW(io_mode, "%s", io_names[chan->conf.io_mode]);
SHOW(attr_mode, "%s", attr_names[chan->conf.attr_mode]);
SHOW(max_read, "%u", chan->conf.max_read);
SHOW(max_write, "%u", chan->conf.max_write);
SHOW(max_readahead, "%u", chan->conf.max_readahead);
SHOW(max_background, "%u", chan->conf.max_background);
SHOW(features, "%#llx", chan->conf.features);
SHOW(forgets, "%d", max(atomic_read(&chan->nr_forgets), 0));
SHOW(bad_replies, "%u", atomic_read(&chan->bad_replies));

static ssize_t show_timeout_ms(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", fusex_chan_timeout(chan_of(kobj)));
}

static ssize_t store_timeout_ms(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t len)
{
	u32 ms;
	int err;

	err = kstrtou32(buf, 0, &ms);
	if (err)
		return err;
	fusex_chan_set_timeout(chan_of(kobj), ms);
	return len;
}

static struct kobj_attribute attr_timeout_ms =
	__ATTR(timeout_ms, 0644, show_timeout_ms, store_timeout_ms);

static ssize_t show_spin_us(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	u32 most = READ_ONCE(chan_of(kobj)->spin_most);

	return sysfs_emit(buf, "%u\n", most / (u32)NSEC_PER_USEC);
}

static ssize_t store_spin_us(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t len)
{
	u32 us;
	int err;

	err = kstrtou32(buf, 0, &us);
	if (err)
		return err;
	if (us > FUSEX_SPIN_CALLER / NSEC_PER_USEC)
		return -EINVAL;
	WRITE_ONCE(chan_of(kobj)->spin_most, us * NSEC_PER_USEC);
	return len;
}

static struct kobj_attribute attr_spin_us = __ATTR(spin_us, 0644, show_spin_us,
						   store_spin_us);

static ssize_t store_abort(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t len)
{
	fusex_chan_abort(chan_of(kobj));
	return len;
}

static struct kobj_attribute attr_abort = __ATTR(abort, 0200, NULL,
						 store_abort);

/* ---------------------------------------------------------------- counters */

static ssize_t show_counters(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	struct fusex_op_stats sum;
	ssize_t at = 0;
	u32 op;

	/* One page has room for all operations, with the largest numbers. */
	for (op = 1; op < FUSEX_OP_NR; op++) {
		if (fusex_stats_sum(chan_of(kobj), op, &sum))
			at += sysfs_emit_at(buf, at, "%s %llu %llu\n",
					    fusex_op_name(op), sum.count,
					    sum.errors);
	}
	return at;
}

static struct kobj_attribute attr_counters = __ATTR(counters, 0444,
						    show_counters, NULL);

static ssize_t latency_line(char *line, u32 op,
			    const struct fusex_op_stats *sum)
{
	ssize_t len = scnprintf(line, LATENCY_LINE, "%s", fusex_op_name(op));
	unsigned int i;

	for (i = 0; i < FUSEX_LAT_BUCKETS; i++) {
		if (sum->latency[i])
			len += scnprintf(line + len, LATENCY_LINE - len,
					 " %u:%llu", i, sum->latency[i]);
	}
	return len;
}

static ssize_t show_latency(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct fusex_op_stats sum;
	unsigned int left = 0;
	ssize_t at = 0;
	char *line;
	u32 op;

	line = kmalloc(LATENCY_LINE, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	for (op = 1; op < FUSEX_OP_NR; op++) {
		if (!fusex_stats_sum(chan_of(kobj), op, &sum))
			continue;
		if (at + latency_line(line, op, &sum) + 16 < PAGE_SIZE)
			at += sysfs_emit_at(buf, at, "%s\n", line);
		else
			left++;
	}
	if (left)
		at += sysfs_emit_at(buf, at, "... %u\n", left);
	kfree(line);
	return at;
}

static struct kobj_attribute attr_latency = __ATTR(latency, 0444, show_latency,
						   NULL);

/* --------------------------------------------------------------- in flight */

static const char *const state_names[] = {
	[FUSEX_REQ_NEW]		= "new",
	[FUSEX_REQ_QUEUED]	= "queued",
	[FUSEX_REQ_SENDING]	= "sending",
	[FUSEX_REQ_SENT]	= "sent",
	[FUSEX_REQ_REPLYING]	= "replying",
	[FUSEX_REQ_DONE]	= "done",
};

static ssize_t show_waiting(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct fusex_chan *chan = chan_of(kobj);
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < FUSEX_SHARDS; i++) {
		spin_lock(&chan->shards[i].lock);
		n += list_count_nodes(&chan->shards[i].live);
		spin_unlock(&chan->shards[i].lock);
	}
	spin_lock(&chan->lock);
	n += list_count_nodes(&chan->backlog);
	spin_unlock(&chan->lock);
	return sysfs_emit(buf, "%zu\n", n);
}

static struct kobj_attribute attr_waiting = __ATTR(waiting, 0444, show_waiting,
						   NULL);

static ssize_t show_shard(struct fusex_shard *shard, char *buf, ssize_t at,
			  unsigned int *left)
{
	struct fusex_req *req;

	spin_lock(&shard->lock);
	list_for_each_entry(req, &shard->live, live) {
		if (at + IN_FLIGHT_LINE > PAGE_SIZE) {
			++*left;
			continue;
		}
		at += sysfs_emit_at(buf, at, "%llu %s %llu %s %u %u\n",
				    req->in.unique,
				    fusex_op_name(req->in.opcode),
				    req->in.nodeid, state_names[req->state],
				    jiffies_to_msecs(jiffies - req->start),
				    req->in.pid);
	}
	spin_unlock(&shard->lock);
	return at;
}

static ssize_t show_in_flight(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	struct fusex_chan *chan = chan_of(kobj);
	unsigned int i, left = 0;
	ssize_t at = 0;

	for (i = 0; i < FUSEX_SHARDS; i++)
		at = show_shard(&chan->shards[i], buf, at, &left);
	if (left)
		at += sysfs_emit_at(buf, at, "... %u\n", left);
	return at;
}

static struct kobj_attribute attr_in_flight = __ATTR(in_flight, 0400,
						     show_in_flight, NULL);

static ssize_t show_backing(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return fusex_backing_list(chan_of(kobj), buf);
}

static struct kobj_attribute attr_backing = __ATTR(backing, 0400, show_backing,
						   NULL);

/* ------------------------------------------------------------- directories */

static struct attribute *fusex_attrs[] = {
	&attr_state.attr,
	&attr_subtype.attr,
	&attr_server_pid.attr,
	&attr_io_mode.attr,
	&attr_attr_mode.attr,
	&attr_max_read.attr,
	&attr_max_write.attr,
	&attr_max_readahead.attr,
	&attr_max_background.attr,
	&attr_features.attr,
	&attr_timeout_ms.attr,
	&attr_spin_us.attr,
	&attr_abort.attr,
	&attr_waiting.attr,
	&attr_forgets.attr,
	&attr_bad_replies.attr,
	&attr_counters.attr,
	&attr_latency.attr,
	&attr_backing.attr,
	&attr_in_flight.attr,
	NULL,
};
ATTRIBUTE_GROUPS(fusex);

static void fusex_sysfs_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct fusex_sysfs, kobj)->released);
}

/* Root of the namespace the server is in may abort and set deadlines. */
static void fusex_sysfs_ownership(const struct kobject *kobj, kuid_t *uid,
				  kgid_t *gid)
{
	const struct fusex_chan *chan =
		container_of(kobj, struct fusex_sysfs, kobj)->chan;
	kuid_t root_uid = make_kuid(chan->user_ns, 0);
	kgid_t root_gid = make_kgid(chan->user_ns, 0);

	if (uid_valid(root_uid))
		*uid = root_uid;
	if (gid_valid(root_gid))
		*gid = root_gid;
}

static const struct kobj_type fusex_ktype = {
	.release	= fusex_sysfs_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= fusex_groups,
	.get_ownership	= fusex_sysfs_ownership,
};

static void fusex_sysfs_free(struct fusex_sysfs *s)
{
	kobject_put(&s->kobj);
	wait_for_completion(&s->released);
	kfree(s);
}

/**
 * fusex_sysfs_add - show a mount in sysfs
 * @chan: its channel
 * @sb: its super block, with its device number
 *
 * Return: 0 or a negative errno.
 */
int fusex_sysfs_add(struct fusex_chan *chan, struct super_block *sb)
{
	struct fusex_sysfs *s = kzalloc_obj(*s, GFP_KERNEL_ACCOUNT);
	int err;

	if (!s)
		return -ENOMEM;
	init_completion(&s->released);
	s->chan = chan;
	s->kobj.kset = fusex_kset;
	err = kobject_init_and_add(&s->kobj, &fusex_ktype, NULL, "%u:%u",
				   MAJOR(sb->s_dev), MINOR(sb->s_dev));
	if (err) {
		fusex_sysfs_free(s);
		return err;
	}
	chan->sysfs = s;
	return 0;
}

/**
 * fusex_sysfs_remove - undo fusex_sysfs_add()
 * @chan: the channel; nobody looks at it through sysfs afterwards
 */
void fusex_sysfs_remove(struct fusex_chan *chan)
{
	struct fusex_sysfs *s = chan->sysfs;

	chan->sysfs = NULL;
	kobject_del(&s->kobj);
	fusex_sysfs_free(s);
}

/**
 * fusex_sysfs_init - make /sys/fs/fusex
 *
 * Return: 0 or -ENOMEM.
 */
int fusex_sysfs_init(void)
{
	fusex_kset = kset_create_and_add("fusex", NULL, fs_kobj);
	return fusex_kset ? 0 : -ENOMEM;
}

/**
 * fusex_sysfs_exit - undo fusex_sysfs_init()
 */
void fusex_sysfs_exit(void)
{
	kset_unregister(fusex_kset);
}

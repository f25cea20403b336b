// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A file system on memory devices: a fixed pool of memory whose files programs
 * map, and load from and store to, without a copy and without asking (dax mode).
 *
 *	fusex-memblk --format DEVICE...
 *	fusex-memblk DEVICE... MOUNTPOINT
 *
 * The devices are used as one, striped.  It is handed out in units of 2 MiB, so
 * that one fault maps a whole one.  The first unit of each device is not for files:
 * that of the first device is a log of what inodes are like.  Things to look at:
 *
 * - Files are all of them mapped when they are opened: memblk_open() tells the
 *   kernel where every unit is.  From then on nothing is asked, however often
 *   memory is touched, and while it is, this server could be dead.
 *
 * - A unit is zeros when a file gets it, so there is no unwritten space.  That
 *   takes time once; afterwards the server hears of data no more.
 *
 * - What is durable of a file is the last record of it that is whole.  When the
 *   log is full, the inodes are written to its other half, and only then its
 *   header, which is what says which half counts.
 *
 * - Nobody else changes the files, so attributes are local.  One thread serves.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fusex.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK		4096u
#define UNIT		(2u << 20)
#define UNIT_SECTORS	(UNIT / 512)
#define MAX_DEVICES	16u
#define MAX_NODES	200u
#define FILE_UNITS	800u
#define HALF_RECORDS	(UNIT / BLOCK / 2)	/* the first is the header */
#define MAGIC		0x316b6c626d656dull	/* "memblk1" */

/* What a block of the log has: a header, or an inode. */
struct record {
	uint32_t		sum;		/* of the rest */
	uint32_t		epoch;		/* of the half it is in */
	uint64_t		id;		/* node id, MAGIC of a header */
	struct fusex_attr	attr;		/* nlink 0: removed */
	uint64_t		generation;
	char			name[256];
	uint32_t		unit[FILE_UNITS];	/* 0 is a hole */
};

_Static_assert(sizeof(struct record) <= BLOCK, "a record is a block");

struct node {
	struct record	r;
	uint64_t	lookups;
};

static int device[MAX_DEVICES];
static unsigned int nr_devices;
static uint32_t pool_cookie;
static struct fusex_session *session;
static struct node node[MAX_NODES + 1];		/* 1 is the root */
static unsigned char *used;			/* by unit */
static uint32_t nr_units, next_unit;
static uint32_t epoch, next_record;		/* of the half in use */
static unsigned char *block, *zeros;		/* aligned */

/* --------------------------------------------------------------------- pool */

/* Unit 0 is the first of device 0, 1 that of device 1, and round and round. */
static int pool_zero(uint32_t unit, uint32_t from)
{
	off_t at = (off_t)(unit / nr_devices) * UNIT + from;
	size_t len = UNIT - from;

	return pwrite(device[unit % nr_devices], zeros, len, at) ==
			       (ssize_t)len ? 0 : -EIO;
}

/* A free unit, which becomes zeros; one behind @last if possible. */
static int pool_take(uint32_t last, uint32_t *unit)
{
	uint32_t at = last ? last + 1 : next_unit, tries;
	int ret;

	for (tries = 0; tries < nr_units; tries++, at++) {
		if (at >= nr_units)
			at = nr_devices;
		if (!used[at])
			break;
	}
	if (tries == nr_units)
		return -ENOSPC;
	ret = pool_zero(at, 0);
	if (ret)
		return ret;
	used[at] = 1;
	next_unit = at + 1;
	*unit = at;
	return 0;
}

/* ---------------------------------------------------------------------- log */

static uint32_t sum_of(const struct record *r)
{
	const unsigned char *p = (const unsigned char *)&r->epoch;
	uint32_t sum = 2166136261u;
	size_t i;

	for (i = 0; i < sizeof(*r) - offsetof(struct record, epoch); i++)
		sum = (sum ^ p[i]) * 16777619u;
	return sum;
}

static off_t log_at(uint32_t in_epoch, uint32_t n)
{
	return (off_t)(in_epoch % 2 * HALF_RECORDS + n) * BLOCK;
}

/* O_DSYNC: it is durable when this returns. */
static int log_put(unsigned int dev, struct record *r, uint32_t in_epoch,
		   uint32_t n)
{
	r->epoch = in_epoch;
	r->sum = sum_of(r);
	memset(block, 0, BLOCK);
	memcpy(block, r, sizeof(*r));
	if (pwrite(device[dev], block, BLOCK, log_at(in_epoch, n)) != BLOCK)
		return -EIO;
	return 0;
}

/* Returns whether there is a whole record of that half. */
static bool log_get(unsigned int dev, struct record *r, uint32_t in_epoch,
		    uint32_t n)
{
	if (pread(device[dev], block, BLOCK, log_at(in_epoch, n)) != BLOCK)
		err(1, "cannot read the log");
	memcpy(r, block, sizeof(*r));
	return r->sum == sum_of(r) && r->epoch % 2 == in_epoch % 2;
}

static struct record header(unsigned int dev)
{
	struct record r = {
		.id = MAGIC, .attr.ino = dev, .attr.blocks = nr_devices,
	};

	return r;
}

/* All that there is goes to the other half, which counts in the end. */
static int log_turn(void)
{
	struct record head = header(0);
	uint32_t n = 1, id;
	int ret;

	for (id = 1; id <= MAX_NODES; id++) {
		if (!node[id].r.generation)
			continue;
		ret = log_put(0, &node[id].r, epoch + 1, n++);
		if (ret)
			return ret;
	}
	ret = log_put(0, &head, epoch + 1, 0);
	if (ret)
		return ret;
	epoch++;
	next_record = n;
	return 0;
}

/* What the node is like from now on. */
static int store(struct node *n)
{
	int ret;

	if (next_record == HALF_RECORDS)
		return log_turn();
	ret = log_put(0, &n->r, epoch, next_record);
	if (!ret)
		next_record++;
	return ret;
}

static void replay(void)
{
	struct record r;
	uint32_t id, i;

	for (next_record = 1; next_record < HALF_RECORDS; next_record++) {
		if (!log_get(0, &r, epoch, next_record) || r.epoch != epoch ||
		    !r.id || r.id > MAX_NODES)
			break;
		node[r.id].r = r;
		node[r.id].r.name[sizeof(r.name) - 1] = '\0';
	}
	for (id = 1; id <= MAX_NODES; id++)
		for (i = 0; i < FILE_UNITS; i++) {
			uint32_t unit = node[id].r.unit[i];

			if (!node[id].r.attr.nlink || unit >= nr_units)
				node[id].r.unit[i] = 0;
			else if (unit)
				used[unit] = 1;
		}
}

/* ----------------------------------------------------------------- mappings */

/* What is from unit @at of a file on; returns the unit behind it. */
static uint32_t run_at(const struct node *n, uint32_t at, struct fusex_map *map)
{
	const uint32_t *unit = n->r.unit;
	uint32_t end = at + 1;

	while (end < FILE_UNITS && (unit[at] ? unit[end] == unit[at] + end - at :
					       !unit[end]))
		end++;
	if (unit[at])
		fusex_map_at(map, FUSEX_MAP_MAPPED, (uint64_t)at * UNIT,
			     (uint64_t)(end - at) * UNIT, pool_cookie,
			     (uint64_t)unit[at] * UNIT);
	else
		fusex_map_hole(map, (uint64_t)at * UNIT,
			       (uint64_t)(end - at) * UNIT);
	return end;
}

/* Units for a range; in the log before anybody uses them. */
static int fill(struct node *n, uint64_t offset, uint64_t length)
{
	uint64_t end = (offset + length - 1) / UNIT + 1, at;
	bool changed = false;
	int ret = 0;

	if (end > FILE_UNITS)
		return -EFBIG;
	for (at = offset / UNIT; at < end && !ret; at++) {
		if (n->r.unit[at])
			continue;
		ret = pool_take(at ? n->r.unit[at - 1] : 0, &n->r.unit[at]);
		if (!ret)
			n->r.attr.blocks += UNIT_SECTORS;
		changed |= !ret;
	}
	if (!changed)
		return ret;
	return store(n) ? -EIO : ret;
}

/* Asked for what was a hole when the file was opened. */
static int memblk_map_begin(struct fusex_req *req, const struct fusex_node *ref,
			    const struct fusex_map_begin_in *in,
			    struct fusex_map_begin_out *out)
{
	struct node *n = &node[ref->nodeid];
	int ret = 0;

	if (in->offset / UNIT >= FILE_UNITS)
		return -EFBIG;
	if (in->op & FUSEX_MAP_OP_WRITE)
		ret = fill(n, in->offset, in->length);
	if (ret)
		return ret;
	run_at(n, (uint32_t)(in->offset / UNIT), &out->read);
	/* The other attributes the kernel knows better. */
	out->attr.mask = FUSEX_ATTR_BLOCKS;
	out->attr.blocks = n->r.attr.blocks;
	return 0;
}

/* The file has become larger. */
static int memblk_map_ioend(struct fusex_req *req, const struct fusex_node *ref,
			    const struct fusex_map_ioend_in *in,
			    struct fusex_attr_out *out)
{
	struct node *n = &node[ref->nodeid];

	if (in->error || !(in->flags & FUSEX_IOEND_APPEND) ||
	    n->r.attr.size >= in->size)
		return 0;
	n->r.attr.size = in->size;
	return store(n);
}

static int memblk_open(struct fusex_req *req, const struct fusex_node *ref,
		       uint32_t flags, struct fusex_open_out *out)
{
	const struct fusex_node_ref to = { ref->nodeid, ref->generation, 0 };
	const struct node *n = &node[ref->nodeid];
	struct fusex_map map[FILE_UNITS];
	uint32_t at, end = (uint32_t)((n->r.attr.size + UNIT - 1) / UNIT);
	size_t count = 0;

	for (at = 0; at < end; count++)
		at = run_at(n, at, &map[count]);
	/* Without it the kernel asks. */
	if (count)
		fusex_notify_map_upsert(session, &to, map, count, 0, 0);
	return 0;
}

static int memblk_syncfs(struct fusex_req *req)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr_devices; i++)
		if (fdatasync(device[i]))
			ret = -errno;
	return ret;
}

static int memblk_fsync(struct fusex_req *req, const struct fusex_node *ref,
			const struct fusex_fsync_in *in)
{
	return memblk_syncfs(req);
}

static int memblk_fallocate(struct fusex_req *req, const struct fusex_node *ref,
			    const struct fusex_fallocate_in *in,
			    struct fusex_attr_out *out)
{
	struct node *n = &node[ref->nodeid];
	uint64_t end = in->offset + in->length;
	int ret;

	if (in->mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	ret = fill(n, in->offset, in->length);
	if (!ret && !in->mode && n->r.attr.size < end) {
		n->r.attr.size = end;
		ret = store(n);
	}
	out->attr = n->r.attr;
	return ret;
}

/* --------------------------------------------------------------- attributes */

static int memblk_getattr(struct fusex_req *req, const struct fusex_node *ref,
			  const struct fusex_getattr_in *in,
			  struct fusex_attr_out *out)
{
	out->attr = node[ref->nodeid].r.attr;
	return 0;
}

/* The kernel does not use what is cut any more.  The rest of a unit is zeros. */
static int set_size(struct node *n, uint64_t size)
{
	uint32_t from = (uint32_t)(size % UNIT + BLOCK - 1) / BLOCK * BLOCK;
	uint64_t at = size / UNIT;

	if (size < n->r.attr.size && from && from < UNIT && n->r.unit[at] &&
	    pool_zero(n->r.unit[at], from))
		return -EIO;
	for (at = (size + UNIT - 1) / UNIT; at < FILE_UNITS; at++) {
		if (!n->r.unit[at])
			continue;
		used[n->r.unit[at]] = 0;
		n->r.unit[at] = 0;
		n->r.attr.blocks -= UNIT_SECTORS;
	}
	n->r.attr.size = size;
	return 0;
}

static int memblk_setattr(struct fusex_req *req, const struct fusex_node *ref,
			  const struct fusex_setattr_in *in,
			  struct fusex_attr_out *out)
{
	struct node *n = &node[ref->nodeid];
	int ret = 0;

	if (in->valid & FUSEX_SET_SIZE)
		ret = set_size(n, in->size);
	fusex_attr_set(&n->r.attr, in);
	if (!ret)
		ret = store(n);
	out->attr = n->r.attr;
	return ret;
}

/* -------------------------------------------------------------------- names */

/* The file of this name; NULL for a free node.  Returns 0 for none. */
static uint32_t find(const char *name)
{
	uint32_t id;

	for (id = 2; id <= MAX_NODES; id++) {
		const struct node *n = &node[id];

		if (name ? n->r.attr.nlink && !strcmp(n->r.name, name) :
			   !n->r.attr.nlink && !n->lookups)
			return id;
	}
	return 0;
}

static int fill_entry(uint32_t id, struct fusex_entry_reply *out)
{
	node[id].lookups++;
	out->entry.nodeid = id;
	out->entry.generation = (uint32_t)node[id].r.generation;
	out->entry.flags = FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
	out->entry.attr = node[id].r.attr;
	return 0;
}

static int memblk_lookup(struct fusex_req *req, const struct fusex_node *dir,
			 const char *name, struct fusex_entry_reply *out)
{
	uint32_t id = find(name);

	return id ? fill_entry(id, out) : -ENOENT;
}

static void make(uint32_t id, const char *name, uint32_t mode, uint32_t uid,
		 uint32_t gid)
{
	struct record *r = &node[id].r;

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->id = id;
	r->generation++;
	memset(r->unit, 0, sizeof(r->unit));
	fusex_attr_new(&r->attr, mode, uid, gid);
}

static int memblk_create(struct fusex_req *req, const struct fusex_node *dir,
			 const char *name, const struct fusex_make_in *in,
			 struct fusex_entry_reply *out,
			 struct fusex_open_out *open)
{
	uint32_t id = find(name);
	int ret;

	if (id)
		return in->open_flags & O_EXCL ? -EEXIST : fill_entry(id, out);
	id = find(NULL);
	if (!id)
		return -ENOSPC;
	make(id, name, in->mode, in->uid, in->gid);
	ret = store(&node[id]);
	if (ret)
		node[id].r.attr.nlink = 0;
	return ret ? ret : fill_entry(id, out);
}

/* Somebody may have it mapped, so it stays what it is until memblk_forget(). */
static int memblk_unlink(struct fusex_req *req, const struct fusex_node *dir,
			 const char *name, const struct fusex_node *ref,
			 uint32_t flags, struct fusex_unlink_out *out)
{
	struct node *n = &node[ref->nodeid];
	int ret;

	n->r.attr.nlink = 0;
	ret = store(n);
	if (ret)
		n->r.attr.nlink = 1;
	return ret;
}

static void memblk_forget(struct fusex_req *req,
			  const struct fusex_forget_one *list, size_t count)
{
	for (; count--; list++) {
		struct node *n = &node[list->nodeid];

		n->lookups -= list->nlookup;
		if (!n->lookups && !n->r.attr.nlink)
			set_size(n, 0);
	}
}

static int memblk_readdir(struct fusex_req *req, const struct fusex_node *ref,
			  const struct fusex_readdir_in *in,
			  struct fusex_dir *dir)
{
	uint64_t id;

	for (id = in->cookie < 2 ? 2 : in->cookie + 1; id <= MAX_NODES; id++)
		if (node[id].r.attr.nlink &&
		    fusex_dir_add(dir, node[id].r.name, id, DT_REG, id, NULL))
			return 0;
	fusex_dir_end(dir);
	return 0;
}

static int memblk_statfs(struct fusex_req *req, const struct fusex_node *ref,
			 struct fusex_statfs_out *out)
{
	uint64_t bfree = 0, ffree = 0;
	uint32_t i;

	for (i = nr_devices; i < nr_units; i++)
		bfree += !used[i];
	for (i = 2; i <= MAX_NODES; i++)
		ffree += !node[i].r.attr.nlink;
	fusex_statfs_new(out, UNIT, nr_units - nr_devices, bfree, MAX_NODES,
			 ffree);
	out->namelen = sizeof(node->r.name) - 1;
	return 0;
}

static const struct fusex_ops memblk_ops = {
	.lookup		= memblk_lookup,
	.forget		= memblk_forget,
	.getattr	= memblk_getattr,
	.setattr	= memblk_setattr,
	.create		= memblk_create,
	.unlink		= memblk_unlink,
	.open		= memblk_open,
	.fsync		= memblk_fsync,
	.fallocate	= memblk_fallocate,
	.readdir	= memblk_readdir,
	.statfs		= memblk_statfs,
	.syncfs		= memblk_syncfs,
	.map_begin	= memblk_map_begin,
	.map_ioend	= memblk_map_ioend,
};

/* --------------------------------------------------------------------- main */

/* Before the session is freed: umount(8) has waited for that. */
static void close_devices(void)
{
	unsigned int i;

	for (i = 0; i < nr_devices; i++)
		close(device[i]);
}

static void open_devices(char **paths)
{
	uint32_t rows = UINT32_MAX;
	unsigned int i;
	off_t size;

	for (i = 0; i < nr_devices; i++) {
		device[i] = open(paths[i], O_RDWR | O_DIRECT | O_DSYNC |
				 O_CLOEXEC);
		size = device[i] < 0 ? -1 : lseek(device[i], 0, SEEK_END);
		if (size < 0)
			err(1, "%s", paths[i]);
		if (size / UNIT < rows)
			rows = (uint32_t)(size / UNIT);
	}
	if (rows < 2)
		errx(1, "too little memory: 4 MiB of each device at least");
	nr_units = rows * nr_devices;
	next_unit = nr_devices;
	used = calloc(nr_units, 1);
	block = aligned_alloc(BLOCK, BLOCK);
	zeros = aligned_alloc(BLOCK, UNIT);
	if (!used || !block || !zeros)
		err(1, "no memory");
	memset(zeros, 0, UNIT);
}

static void format(void)
{
	unsigned int i;

	for (i = 0; i < nr_devices; i++) {
		struct record r = header(i);

		/* Nothing of what was there before is taken for a record. */
		if (pool_zero(i, 0) || (i && log_put(i, &r, 0, 0)))
			err(1, "cannot write to device %u", i);
	}
	make(1, "", S_IFDIR | 0755, getuid(), getgid());
	if (log_turn())
		err(1, "cannot write the log");
}

/* The half that counts is the one whose header is the newer. */
static void load(char **paths)
{
	struct record r;
	unsigned int i, half;
	bool found = false;

	for (i = 0; i < nr_devices; i++) {
		for (half = 0; half < 2; half++) {
			if (!log_get(i, &r, half, 0) || r.id != MAGIC)
				continue;
			if (r.attr.ino != i || r.attr.blocks != nr_devices)
				errx(1, "%s: another device, or others",
				     paths[i]);
			if (!i && (!found || r.epoch > epoch))
				epoch = r.epoch;
			found = true;
		}
		if (!found)
			errx(1, "%s: no memblk", paths[i]);
		found = false;
	}
	replay();
	if (!node[1].r.generation)
		errx(1, "%s: no memblk", paths[0]);
}

static int add_pool(void)
{
	const uint32_t access = FUSEX_BACKING_READ | FUSEX_BACKING_WRITE;
	uint32_t cookie[MAX_DEVICES];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr_devices && !ret; i++)
		ret = fusex_backing_add_dev(session, FUSEX_BACKING_DAX,
					    device[i], access, &cookie[i]);
	if (!ret)
		ret = fusex_backing_add_stripe(session, cookie, nr_devices,
					       UNIT, access, &pool_cookie);
	return ret;
}

static void prepare(void)
{
	struct fusex_config cfg;
	int ret;

	fusex_config_init(&cfg, sizeof(cfg));
	cfg.io_mode = FUSEX_IO_DAX;
	cfg.attr_mode = FUSEX_ATTR_LOCAL;
	cfg.block_size = BLOCK;
	cfg.max_file_size = (uint64_t)FILE_UNITS * UNIT;
	fill_entry(1, &cfg.root);
	session = fusex_session_new(&memblk_ops, sizeof(memblk_ops), &cfg, NULL);
	if (!session)
		err(1, "fusex_session_new");
	if (fusex_session_setup(session, -1))
		errx(1, "%s", fusex_session_error(session));
	ret = add_pool();
	if (ret)
		errx(1, "cannot register the memory: %s", strerror(-ret));
}

int main(int argc, char **argv)
{
	struct fusex_run_options run = {
		.size = sizeof(run),
		.flags = FUSEX_RUN_SIGNALS,
		.threads = 1,
		.max_threads = 1,
	};
	bool fresh = argc > 1 && !strcmp(argv[1], "--format");
	int ret;

	if (argc < 3 || argc - 2 > (int)MAX_DEVICES)
		errx(2, "usage: %s [--format] DEVICE... [MOUNTPOINT]", argv[0]);
	nr_devices = (unsigned int)argc - 2;
	open_devices(argv + (fresh ? 2 : 1));
	if (fresh) {
		format();
		return 0;
	}
	load(argv + 1);
	prepare();
	ret = fusex_session_mount(session, argv[argc - 1], NULL);
	if (!ret)
		ret = fusex_run(session, &run);
	if (ret)
		warnx("%s", fusex_session_error(session));
	close_devices();
	fusex_session_free(session);
	return ret ? 1 : 0;
}

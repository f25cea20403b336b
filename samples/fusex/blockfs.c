// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A file system on a block device: what a server has to do so that the kernel
 * moves the data by itself (iomap mode).
 *
 *	fusex-blockfs --format DEVICE
 *	fusex-blockfs DEVICE MOUNTPOINT
 *
 * Block 0 says what this is, block N is the inode of node N, 1 is the root, and
 * behind the inodes there is an area of FILE_BLOCKS blocks for each.  So there is
 * no question where data is, but which blocks have some.  Things to look at:
 *
 * - No READ and no WRITE.  block_map_begin() says what is in a range, and the
 *   kernel remembers it; block_map_ioend() hears that data is on the device.
 *   Until then new space is UNWRITTEN and reads as zeros.
 * - Nobody else changes the files, so attributes are local: the kernel keeps
 *   size and times and tells them by MAP_IOEND and SETATTR.
 * - Blocks are used for something else when the device knows that they are free
 *   and the kernel has stopped using them, which is at SETATTR and at FORGET.
 * - One thread serves, so there is no lock.  It waits for the device and never
 *   for the mount, as the kernel asks while memory is short, too.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fusex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK		4096u
#define FILE_BLOCKS	3648u
#define MAX_NODES	1024u
#define MAGIC		0x626c6f636b667300ull

struct inode {
	struct fusex_attr	attr;		/* nlink 0: removed, or free */
	uint64_t		generation;
	uint64_t		lookups;	/* of use in memory only */
	char			name[256];
	unsigned char		type[FILE_BLOCKS];	/* enum fusex_map_type */
	unsigned char		reserved[8];
};

_Static_assert(sizeof(struct inode) == BLOCK, "an inode is a block");

static int device;
static uint32_t device_cookie;		/* what mappings call it */
static struct inode *inodes;		/* by node id */
static uint64_t last_node;
static struct inode old;		/* what change() returned */

/* The inode of a node that is going to be changed, or changed back. */
static struct inode *change(uint64_t id)
{
	old = inodes[id];
	return &inodes[id];
}

/*
 * Data first, which the device may have in its cache only: it has to be there
 * if the inode says so.  The inode is durable then (O_DSYNC), so that a reply is
 * a promise.  With a journal this is faster.
 */
static int store(struct inode *inode)
{
	off_t at = (inode - inodes) * (off_t)BLOCK;
	ssize_t n = fdatasync(device) ? -1 : pwrite(device, inode, BLOCK, at);

	if (n == BLOCK)
		return 0;
	*inode = old;
	return n < 0 ? -errno : -EIO;
}

/* ---------------------------------------------------------------- mappings */

/* Where a file is, as fusex_blocks_begin() and its like want it. */
static struct fusex_blocks blocks_of(struct inode *inode)
{
	const uint64_t id = (uint64_t)(inode - inodes);

	return (struct fusex_blocks){
		.type = inode->type, .attr = &inode->attr,
		.count = FILE_BLOCKS, .block_size = BLOCK,
		.dev = device_cookie,
		.addr = (last_node + 1 + (id - 1) * FILE_BLOCKS) * BLOCK,
	};
}

/*
 * What is at in->offset?  The answer covers all around it that is the same: the
 * more the kernel learns, the less it asks.  It asks again to write to a HOLE;
 * UNWRITTEN is written to, and MAP_IOEND follows; about what is MAPPED nobody is
 * asked or told.  Behind the end of the file it is no different.
 */
static int block_map_begin(struct fusex_req *req, const struct fusex_node *node,
			   const struct fusex_map_begin_in *in,
			   struct fusex_map_begin_out *out)
{
	struct fusex_blocks blocks = blocks_of(&inodes[node->nodeid]);

	return fusex_blocks_begin(&blocks, in, out);
}

/*
 * Data has come to where it was unwritten, or behind the end of the file, or
 * both.  If it could not be written, all stays as it is.
 */
static int block_map_ioend(struct fusex_req *req, const struct fusex_node *node,
			   const struct fusex_map_ioend_in *in,
			   struct fusex_attr_out *out)
{
	struct inode *inode = change(node->nodeid);
	struct fusex_blocks blocks = blocks_of(inode);

	fusex_blocks_ioend(&blocks, in);
	return in->error ? 0 : store(inode);
}

/* Who overwrites what is mapped tells nobody; the device may not have it yet. */
static int block_syncfs(struct fusex_req *req)
{
	return fdatasync(device) ? -errno : 0;
}

static int block_fsync(struct fusex_req *req, const struct fusex_node *node,
		       const struct fusex_fsync_in *in)
{
	return block_syncfs(req);
}

/* -------------------------------------------------------------- attributes */

static int block_getattr(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_getattr_in *in,
			 struct fusex_attr_out *out)
{
	out->attr = inodes[node->nodeid].attr;
	return 0;
}

/*
 * The kernel has checked that the caller may, has had zeros written behind a new
 * end that is inside a block, and forgets what is cut by itself.
 */
static int block_setattr(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_setattr_in *in,
			 struct fusex_attr_out *out)
{
	struct inode *inode = change(node->nodeid);
	struct fusex_blocks blocks = blocks_of(inode);
	int ret;

	if (in->valid & FUSEX_SET_SIZE)
		fusex_blocks_resize(&blocks, in->size);
	fusex_attr_set(&inode->attr, in);
	ret = store(inode);
	out->attr = inode->attr;
	return ret;
}

/* ------------------------------------------------------------------- names */

/* The file of this name; NULL for a free inode.  Returns 0 for none. */
static uint64_t find(const char *name)
{
	const struct inode *inode;
	uint64_t id;

	for (id = 2; id <= last_node; id++) {
		inode = &inodes[id];
		if (name ? inode->attr.nlink && !strcmp(inode->name, name) :
			   !inode->attr.nlink && !inode->lookups)
			return id;
	}
	return 0;
}

static int fill_entry(uint64_t id, struct fusex_entry_reply *out)
{
	inodes[id].lookups++;
	out->entry.nodeid = id;
	out->entry.generation = (uint32_t)inodes[id].generation;
	out->entry.flags = FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
	out->entry.attr = inodes[id].attr;
	return 0;
}

static int block_lookup(struct fusex_req *req, const struct fusex_node *dir,
			const char *name, struct fusex_entry_reply *out)
{
	uint64_t id = find(name);

	return id ? fill_entry(id, out) : -ENOENT;
}

static void make(struct inode *inode, const char *name, uint32_t mode,
		 uint32_t uid, uint32_t gid)
{
	memset(inode->type, FUSEX_MAP_HOLE, FILE_BLOCKS);
	snprintf(inode->name, sizeof(inode->name), "%s", name);
	inode->generation++;
	fusex_attr_new(&inode->attr, mode, uid, gid);
}

static int block_create(struct fusex_req *req, const struct fusex_node *dir,
			const char *name, const struct fusex_make_in *in,
			struct fusex_entry_reply *out,
			struct fusex_open_out *open)
{
	uint64_t id = find(name);
	struct inode *inode;
	int ret;

	if (id)
		return in->open_flags & O_EXCL ? -EEXIST : fill_entry(id, out);
	id = find(NULL);
	if (!id)
		return -ENOSPC;
	inode = change(id);
	make(inode, name, in->mode, in->uid, in->gid);
	ret = store(inode);
	return ret ? ret : fill_entry(id, out);
}

/* Somebody may have it open, so it stays what it is until block_forget(). */
static int block_unlink(struct fusex_req *req, const struct fusex_node *dir,
			const char *name, const struct fusex_node *node,
			uint32_t flags, struct fusex_unlink_out *out)
{
	struct inode *inode = change(node->nodeid);

	inode->attr.nlink = 0;
	return store(inode);
}

/* With neither name nor lookups it is free. */
static void block_forget(struct fusex_req *req,
			 const struct fusex_forget_one *list, size_t count)
{
	for (; count--; list++)
		inodes[list->nodeid].lookups -= list->nlookup;
}

static int block_readdir(struct fusex_req *req, const struct fusex_node *node,
			 const struct fusex_readdir_in *in,
			 struct fusex_dir *dir)
{
	uint64_t id;

	for (id = in->cookie < 2 ? 2 : in->cookie + 1; id <= last_node; id++)
		if (inodes[id].attr.nlink &&
		    fusex_dir_add(dir, inodes[id].name, id, DT_REG, id, NULL))
			return 0;
	fusex_dir_end(dir);
	return 0;
}

static int block_statfs(struct fusex_req *req, const struct fusex_node *node,
			struct fusex_statfs_out *out)
{
	uint64_t id, left = 0;

	for (id = 2; id <= last_node; id++)
		left += !inodes[id].attr.nlink;
	fusex_statfs_new(out, BLOCK, last_node * FILE_BLOCKS,
			 left * FILE_BLOCKS, last_node, left);
	return 0;
}

static const struct fusex_ops block_ops = {
	.lookup		= block_lookup,
	.forget		= block_forget,
	.getattr	= block_getattr,
	.setattr	= block_setattr,
	.create		= block_create,
	.unlink		= block_unlink,
	.fsync		= block_fsync,
	.readdir	= block_readdir,
	.statfs		= block_statfs,
	.syncfs		= block_syncfs,
	.map_begin	= block_map_begin,
	.map_ioend	= block_map_ioend,
};

/* -------------------------------------------------------------------- main */

/* Reads the inodes, or makes them; O_DIRECT, as the kernel moves data, too. */
static void open_device(const char *path, bool fresh)
{
	size_t len;
	off_t size;

	device = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
	size = device < 0 ? -1 : lseek(device, 0, SEEK_END);
	if (size < 0)
		err(1, "%s", path);
	last_node = ((uint64_t)size / BLOCK - 1) / (FILE_BLOCKS + 1);
	if (size < (off_t)BLOCK || last_node < 2)
		errx(1, "%s is too small", path);
	if (last_node > MAX_NODES)
		last_node = MAX_NODES;
	len = (last_node + 1) * BLOCK;
	inodes = aligned_alloc(BLOCK, len);
	if (!inodes)
		err(1, "aligned_alloc");
	if (fresh) {
		memset(inodes, 0, len);
		inodes->generation = MAGIC + last_node;
		make(&inodes[1], "", S_IFDIR | 0755, getuid(), getgid());
		if (pwrite(device, inodes, len, 0) != (ssize_t)len)
			err(1, "%s", path);
	}
	if (pread(device, inodes, len, 0) != (ssize_t)len ||
	    inodes->generation != MAGIC + last_node)
		errx(1, "%s: no blockfs of that size", path);
	for (uint64_t id = 1; id <= last_node; id++) {
		inodes[id].lookups = 0;
		inodes[id].name[sizeof(inodes->name) - 1] = '\0';
	}
}

int main(int argc, char **argv)
{
	struct fusex_run_options run = {
		.size = sizeof(run),
		.flags = FUSEX_RUN_SIGNALS,
		.threads = 1,
		.max_threads = 1,
	};
	bool fresh = argc == 3 && !strcmp(argv[1], "--format");
	struct fusex_session *se;
	struct fusex_config cfg;
	int ret;

	if (argc != 3)
		errx(2, "usage: %s [--format] DEVICE [MOUNTPOINT]", argv[0]);
	open_device(argv[fresh ? 2 : 1], fresh);
	if (fresh)
		return 0;
	fusex_config_init(&cfg, sizeof(cfg));
	cfg.io_mode = FUSEX_IO_IOMAP;
	cfg.attr_mode = FUSEX_ATTR_LOCAL;
	cfg.block_size = BLOCK;
	cfg.max_file_size = FILE_BLOCKS * BLOCK;
	fill_entry(1, &cfg.root);
	se = fusex_session_new(&block_ops, sizeof(block_ops), &cfg, NULL);
	if (!se)
		err(1, "fusex_session_new");
	if (fusex_session_setup(se, -1))
		errx(1, "%s", fusex_session_error(se));
	ret = fusex_backing_add_dev(se, FUSEX_BACKING_BDEV, device,
				    FUSEX_BACKING_READ | FUSEX_BACKING_WRITE,
				    &device_cookie);
	if (ret)
		errx(1, "cannot register %s: %s", argv[1], strerror(-ret));
	ret = fusex_session_mount(se, argv[2], NULL);
	if (!ret)
		ret = fusex_run(se, &run);
	if (ret)
		warnx("%s", fusex_session_error(se));
	close(device);
	fusex_session_free(se);
	return ret ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * bench-extents DEVICE DEVICE MOUNTPOINT: serves one/kept, in one piece on the first
 * memory device, and million/kept, on the other in a million pieces of a page,
 * of which no two follow each other.  Where they are is pushed when they are opened.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fusex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK		4096u
#define PIECES		(1u << 20)
#define SIZE		((uint64_t)PIECES * BLOCK)
/* Odd, so it is a permutation. */
#define SPREAD		1031u

/* Nodes, and names: two folders, of one file each. */
enum { ROOT = 1, ONE, MILLION, ONE_FILE, MILLION_FILE, NR_NODES };

static struct fusex_session *session;
static uint32_t device[2];

static struct fusex_attr attr_of(uint64_t id)
{
	struct fusex_attr attr;

	fusex_attr_new(&attr, id < ONE_FILE ? S_IFDIR | 0755 : S_IFREG | 0644,
		       0, 0);
	attr.ino = id;
	if (id >= ONE_FILE)
		attr.size = SIZE;
	return attr;
}

static void fill_entry(uint64_t id, struct fusex_entry_reply *out)
{
	out->entry.nodeid = id;
	out->entry.generation = 1;
	out->entry.flags = FUSEX_ENTRY_NO_XATTR | FUSEX_ENTRY_NO_ACL;
	out->entry.attr = attr_of(id);
}

static int extents_lookup(struct fusex_req *req, const struct fusex_node *dir,
			  const char *name, struct fusex_entry_reply *out)
{
	static const char *const names[NR_NODES] = {
		[ONE] = "one", [MILLION] = "million", [ONE_FILE] = "kept",
		[MILLION_FILE] = "kept",
	};
	uint64_t id;

	for (id = ONE; id < NR_NODES; id++) {
		uint64_t parent = id < ONE_FILE ? ROOT : id - 2;

		if (parent == dir->nodeid && !strcmp(names[id], name)) {
			fill_entry(id, out);
			return 0;
		}
	}
	return -ENOENT;
}

static int extents_getattr(struct fusex_req *req, const struct fusex_node *ref,
			   const struct fusex_getattr_in *in,
			   struct fusex_attr_out *out)
{
	out->attr = attr_of(ref->nodeid);
	return 0;
}

/* Times, of a file that is stored to. */
static int extents_setattr(struct fusex_req *req, const struct fusex_node *ref,
			   const struct fusex_setattr_in *in,
			   struct fusex_attr_out *out)
{
	out->attr = attr_of(ref->nodeid);
	return 0;
}

static void where(uint64_t id, uint32_t n, struct fusex_map *map)
{
	if (id == ONE_FILE)
		fusex_map_at(map, FUSEX_MAP_MAPPED, 0, SIZE, device[0], 0);
	else
		fusex_map_at(map, FUSEX_MAP_MAPPED, (uint64_t)n * BLOCK, BLOCK,
			     device[1],
			     (uint64_t)(n * SPREAD % PIECES) * BLOCK);
}

static int extents_open(struct fusex_req *req, const struct fusex_node *ref,
			uint32_t flags, struct fusex_open_out *out)
{
	const struct fusex_node_ref to = { ref->nodeid, ref->generation, 0 };
	uint32_t count = ref->nodeid == ONE_FILE ? 1 : PIECES, n;
	struct fusex_map *maps = calloc(count, sizeof(*maps));
	int ret;

	if (!maps)
		return -ENOMEM;
	for (n = 0; n < count; n++)
		where(ref->nodeid, n, &maps[n]);
	ret = fusex_notify_map_upsert(session, &to, maps, count, 0, 0);
	free(maps);
	return ret;
}

static int extents_fsync(struct fusex_req *req, const struct fusex_node *ref,
			 const struct fusex_fsync_in *in)
{
	return 0;
}

/* Nothing is measured that is asked for. */
static int extents_map_begin(struct fusex_req *req,
			     const struct fusex_node *ref,
			     const struct fusex_map_begin_in *in,
			     struct fusex_map_begin_out *out)
{
	errx(1, "asked for a mapping");
}

static const struct fusex_ops extents_ops = {
	.lookup		= extents_lookup,
	.getattr	= extents_getattr,
	.setattr	= extents_setattr,
	.open		= extents_open,
	.fsync		= extents_fsync,
	.map_begin	= extents_map_begin,
};

static void prepare(char **paths)
{
	const uint32_t access = FUSEX_BACKING_READ | FUSEX_BACKING_WRITE;
	struct fusex_entry_reply root = { 0 };
	struct fusex_config cfg;
	int i, fd, ret;

	fusex_config_init(&cfg, sizeof(cfg));
	cfg.io_mode = FUSEX_IO_DAX;
	cfg.attr_mode = FUSEX_ATTR_LOCAL;
	cfg.block_size = BLOCK;
	cfg.max_file_size = SIZE;
	fill_entry(ROOT, &root);
	cfg.root = root;
	session = fusex_session_new(&extents_ops, sizeof(extents_ops), &cfg,
				    NULL);
	if (!session)
		err(1, "fusex_session_new");
	if (fusex_session_setup(session, -1))
		errx(1, "%s", fusex_session_error(session));
	for (i = 0; i < 2; i++) {
		fd = open(paths[i], O_RDWR | O_CLOEXEC);
		if (fd < 0)
			err(1, "%s", paths[i]);
		ret = fusex_backing_add_dev(session, FUSEX_BACKING_DAX, fd,
					    access, &device[i]);
		if (ret)
			errx(1, "%s: %s", paths[i], strerror(-ret));
		close(fd);
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

	if (argc != 4)
		errx(2, "usage: bench-extents DEVICE DEVICE MOUNTPOINT");
	prepare(argv + 1);
	if (fusex_session_mount(session, argv[3], NULL) ||
	    fusex_run(session, &run))
		errx(1, "%s", fusex_session_error(session));
	fusex_session_free(session);
	return 0;
}

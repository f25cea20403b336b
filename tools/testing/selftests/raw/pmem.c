// SPDX-License-Identifier: GPL-2.0
/* Files in dax mode, on the memory devices of the VM. */
#include "fs.h"
#include "huge.h"
#include "pmem.h"
#include "tap.h"

#include <limits.h>
#include <sys/mman.h>

bool has_fs_dax(void)
{
	char line[256];
	bool has = false;
	FILE *f = fopen("/proc/kallsyms", "r");

	CHECK(f);
	while (!has && fgets(line, sizeof(line), f))
		has = strstr(line, " dax_iomap_rw\n");
	fclose(f);
	return has;
}

const char *pmem_path(unsigned int n)
{
	static char paths[256];
	char *save, *path;
	unsigned int i;

	snprintf(paths, sizeof(paths), "%s", getenv("FUSEX_PMEMS") ?: "");
	path = strtok_r(paths, " ", &save);
	for (i = 0; path && i < n; i++)
		path = strtok_r(NULL, " ", &save);
	if (!path)
		SKIP("too few memory devices (vm/run --pmem)");
	return path;
}

int pmem_add(int chan, int fd, uint32_t access, uint32_t *cookie)
{
	return backing_add(chan, (struct fusex_backing){
		.type = FUSEX_BACKING_DAX, .fd = fd, .access = access,
	}, cookie);
}

static void add_pmem(struct raw *r, unsigned int n)
{
	struct loop *l = &r->maps->disks[n];

	/* No loop device, and nothing to be waited for. */
	l->nr = -1;
	snprintf(l->path, sizeof(l->path), "%s", pmem_path(n));
	l->fd = (int)OK(open(l->path, O_RDWR | O_DIRECT | O_CLOEXEC));
	EQ(pmem_add(r->fd, l->fd, FUSEX_BACKING_READ | FUSEX_BACKING_WRITE,
		    &r->maps->devs[n]), 0);
	disk_fill(r, n, MAP_FREE, 0, DISK_SEED(n));
}

struct raw *dax_start_setup(struct raw *r, unsigned int disks)
{
	pmem_path(disks ? disks - 1 : 0);
	maps_start_setup(r, 0);
	for (unsigned int i = 0; i < disks; i++)
		add_pmem(r, i);
	r->maps->nr_disks = disks;
	r->maps->dev = r->maps->devs[0];
	return r;
}

struct raw *dax_start(uint32_t attr_mode, unsigned int disks)
{
	struct raw *r = raw_alloc();

	raw_setup_init(&r->setup, attr_mode);
	r->setup.io_mode = FUSEX_IO_DAX;
	r->setup.io_modes = 1 << FUSEX_IO_IOMAP | 1 << FUSEX_IO_WRITEBACK;
	r->setup.root.attr_valid = FUSEX_FOREVER;
	return dax_start_setup(r, disks);
}

struct raw *dax_with(uint16_t type, uint64_t size, uint64_t addr)
{
	struct raw *r = dax_start(LOCAL, 1);

	maps_at(r, MAP_F, type, 0, (size + BLOCK - 1) & ~(BLOCK - 1), addr);
	maps_size(r, MAP_F, size);
	return r;
}

char *map_fd(int fd, size_t size, int prot, int flags)
{
	char *p = mmap(NULL, size, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	return p;
}

bool is_pmd(const void *p)
{
	return OK(page_is_huge(p));
}

const char *pmem_nd(unsigned int n)
{
	static char real[PATH_MAX];
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/device",
		 strrchr(pmem_path(n), '/') + 1);
	if (!realpath(path, real))
		FAIL("%s: %s", path, strerror(errno));
	return strrchr(real, '/') + 1;
}

static void nd_driver(const char *what, const char *nd)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/nd/drivers/nd_pmem/%s", what);
	fd = (int)OK(open(path, O_WRONLY));
	EQ(OK(write(fd, nd, strlen(nd))), strlen(nd));
	OK(close(fd));
}

void pmem_unbind(const char *nd)
{
	nd_driver("unbind", nd);
}

static bool is_there(void *arg)
{
	return !access(arg, F_OK);
}

void pmem_bind(const char *nd, unsigned int n)
{
	char path[64];

	nd_driver("bind", nd);
	snprintf(path, sizeof(path), "%s", pmem_path(n));
	UNTIL(is_there, path);
}

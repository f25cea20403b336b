// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks of metadata in memory.
 *
 * libext2fs reads and writes through an io_manager.  This one keeps what is
 * written until a transaction takes it, and what is read as long as there is
 * room.  It goes around the page cache of the device when the kernel moves the
 * data of files, which goes around it, too: a block can be metadata now and data
 * a moment later, and nothing old of it may turn up.
 *
 * The block size is 1024 until libext2fs has seen the superblock; until then
 * nothing is kept.
 *
 * Context: all but bcache_take() take bcache.lock themselves, and let go of it while
 * the device reads.  That nobody writes a block meanwhile is by the locks of the
 * volume: blocks of an inode are for who has its lock, and the table of inodes is
 * written by who is alone.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"
#include "log.h"

/* Bytes of blocks that are only kept in case they are needed again. */
#define CACHE_BYTES	(64u << 20)
#define TABLE_SIZE	(1u << 15)
/* At most as many blocks are read ahead at once. */
#define AHEAD_MAX	32u

/**
 * struct links - a place in a list that is a ring
 * @prev: before
 * @next: behind
 */
struct links {
	struct links	*prev;
	struct links	*next;
};

/**
 * struct block - a block in memory
 * @links: in bcache.clean, bcache.dirty, or alone while it is being written
 * @hash_next: others of the same hash
 * @nr: its number
 * @data: its contents
 * @is_dirty: they are not on the disk
 * @is_busy: they are being written; who changes it replaces @data
 * @is_sound: of a directory, and what it has to be
 * @sum_for: inode of the directory whose checksum it still has to get
 */
struct block {
	struct links	links;
	struct block	*hash_next;
	uint64_t	nr;
	void		*data;
	bool		is_dirty;
	bool		is_busy;
	bool		is_sound;
	ext2_ino_t	sum_for;
};

/**
 * struct bcache - the blocks of a file system
 * @dev: where they come from
 * @block_size: bytes
 * @table: by number
 * @clean: those that can go, the one used last comes first
 * @clean_count: how many
 * @dirty: those to be written
 * @dirty_count: how many
 * @lock: of all that is not constant
 */
struct bcache {
	const struct device	*dev;
	unsigned int		block_size;
	struct block		*table[TABLE_SIZE];
	struct links		clean;
	size_t			clean_count;
	struct links		dirty;
	atomic_size_t		dirty_count;
	pthread_mutex_t		lock;
};

static __thread const struct device *next_device;

void bcache_set_device(const struct device *d)
{
	next_device = d;
}

static void ring_init(struct links *l)
{
	l->prev = l;
	l->next = l;
}

static void ring_add(struct links *head, struct links *l)
{
	l->next = head->next;
	l->prev = head;
	head->next->prev = l;
	head->next = l;
}

static void ring_del(struct links *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	ring_init(l);
}

static struct block *block_at(struct links *l)
{
	return (struct block *)((char *)l - offsetof(struct block, links));
}

static struct block *ring_take_last(struct links *head)
{
	struct links *l = head->prev;

	head->prev = l->prev;
	l->prev->next = head;
	ring_init(l);
	return block_at(l);
}

static struct block **slot_of(struct bcache *c, uint64_t nr)
{
	return &c->table[(nr * 0x9e3779b97f4a7c15ull) >> 49 &
			 (TABLE_SIZE - 1)];
}

static struct block *find(struct bcache *c, uint64_t nr)
{
	struct block *b;

	for (b = *slot_of(c, nr); b; b = b->hash_next)
		if (b->nr == nr)
			return b;
	return NULL;
}

static void *new_data(const struct bcache *c)
{
	size_t align = c->dev->align > 512 ? c->dev->align : 512;

	return aligned_alloc(align, c->block_size > align ? c->block_size :
							     align);
}

/* The data of one that is being written is the transaction's. */
static void drop(struct bcache *c, struct block *b)
{
	struct block **link = slot_of(c, b->nr);

	while (*link != b)
		link = &(*link)->hash_next;
	*link = b->hash_next;
	if (b->is_dirty)
		c->dirty_count--;
	else if (!b->is_busy)
		c->clean_count--;
	ring_del(&b->links);
	if (!b->is_busy)
		free(b->data);
	free(b);
}

static void drop_all(struct bcache *c)
{
	while (c->clean.prev != &c->clean)
		drop(c, ring_take_last(&c->clean));
	while (c->dirty.prev != &c->dirty)
		drop(c, ring_take_last(&c->dirty));
}

static void trim(struct bcache *c)
{
	while (c->clean_count > CACHE_BYTES / c->block_size)
		drop(c, ring_take_last(&c->clean));
}

/* Takes over the data. */
static struct block *add(struct bcache *c, uint64_t nr, void *data)
{
	struct block **slot = slot_of(c, nr), *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->nr = nr;
	b->data = data;
	b->hash_next = *slot;
	*slot = b;
	ring_add(&c->clean, &b->links);
	c->clean_count++;
	trim(c);
	return b;
}

static void use(struct bcache *c, struct block *b)
{
	if (b->is_dirty || b->is_busy)
		return;
	ring_del(&b->links);
	ring_add(&c->clean, &b->links);
}

/* What another reader has brought meanwhile is as good.  Called with the lock. */
static struct block *remember(struct bcache *c, uint64_t nr, void *data)
{
	struct block *b = find(c, nr);

	if (b) {
		free(data);
		return b;
	}
	b = add(c, nr, data);
	if (!b)
		free(data);
	return b;
}

/* Returns with the lock if there was no error. */
static errcode_t get(struct bcache *c, uint64_t nr, struct block **out)
{
	void *data;
	int err;

	pthread_mutex_lock(&c->lock);
	*out = find(c, nr);
	if (*out) {
		use(c, *out);
		return 0;
	}
	pthread_mutex_unlock(&c->lock);
	data = new_data(c);
	if (!data)
		return EXT2_ET_NO_MEMORY;
	err = device_read(c->dev, data, c->block_size, nr * c->block_size);
	if (err) {
		free(data);
		return -err;
	}
	pthread_mutex_lock(&c->lock);
	*out = remember(c, nr, data);
	if (*out)
		return 0;
	pthread_mutex_unlock(&c->lock);
	return EXT2_ET_NO_MEMORY;
}

/* The beginning of a block. */
static errcode_t copy(struct bcache *c, uint64_t nr, void *to, size_t count)
{
	struct block *b;
	errcode_t err;

	err = get(c, nr, &b);
	if (err)
		return err;
	memcpy(to, b->data, count);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static void mark_dirty(struct bcache *c, struct block *b)
{
	if (b->is_dirty)
		return;
	ring_del(&b->links);
	if (!b->is_busy)
		c->clean_count--;
	b->is_dirty = true;
	ring_add(&c->dirty, &b->links);
	c->dirty_count++;
}

/* Makes the data of a block the cache's own, if they are being written. */
static errcode_t own(struct bcache *c, struct block *b, bool keep)
{
	void *data;

	if (!b->is_busy)
		return 0;
	data = new_data(c);
	if (!data)
		return EXT2_ET_NO_MEMORY;
	if (keep)
		memcpy(data, b->data, c->block_size);
	b->data = data;
	b->is_busy = false;
	/* Not clean, and not in a list: that is what mark_dirty() expects. */
	c->clean_count++;
	return 0;
}

static errcode_t put_locked(struct bcache *c, uint64_t nr, const void *data,
			    ext2_ino_t sum_for)
{
	struct block *b = find(c, nr);
	errcode_t err;
	void *mem;

	if (b) {
		if (!sum_for && !b->sum_for &&
		    !memcmp(b->data, data, c->block_size))
			return 0;
		err = own(c, b, false);
		if (err)
			return err;
	} else {
		mem = new_data(c);
		b = mem ? add(c, nr, mem) : NULL;
		if (!b) {
			free(mem);
			return EXT2_ET_NO_MEMORY;
		}
	}
	memcpy(b->data, data, c->block_size);
	b->is_sound = sum_for;
	b->sum_for = sum_for;
	mark_dirty(c, b);
	return 0;
}

static errcode_t put(struct bcache *c, uint64_t nr, const void *data,
		     ext2_ino_t sum_for)
{
	errcode_t err;

	pthread_mutex_lock(&c->lock);
	err = put_locked(c, nr, data, sum_for);
	pthread_mutex_unlock(&c->lock);
	return err;
}

/* Bytes, by way of a buffer that is aligned: while nothing is kept. */
static errcode_t read_raw(struct bcache *c, uint64_t offset, size_t count,
			  void *out)
{
	const size_t align = c->dev->align > 4096 ? c->dev->align : 4096;
	uint64_t start = offset & ~(uint64_t)(align - 1);
	size_t len = (offset - start + count + align - 1) & ~(align - 1);
	char *mem = aligned_alloc(align, len);
	int err;

	if (!mem)
		return EXT2_ET_NO_MEMORY;
	err = device_read(c->dev, mem, len, start);
	/* A device need not be a multiple of this. */
	if (err && len > c->dev->align && offset == 1024)
		err = device_read(c->dev, mem, 2048, start);
	if (!err)
		memcpy(out, mem + (offset - start), count);
	free(mem);
	return -err;
}

static bool keeps(const struct bcache *c)
{
	return c->block_size && !(c->block_size & 1023) &&
	       c->block_size % c->dev->align == 0;
}

static struct bcache *cache_of(io_channel ch)
{
	return ch->private_data;
}

struct bcache *bcache_of(ext2_filsys fs)
{
	return cache_of(fs->io);
}

static errcode_t io_open(const char *name, int flags, io_channel *out)
{
	struct bcache *c = calloc(1, sizeof(*c));
	io_channel ch = calloc(1, sizeof(*ch));

	if (!c || !ch || !next_device) {
		free(c);
		free(ch);
		return EXT2_ET_NO_MEMORY;
	}
	c->dev = next_device;
	c->block_size = 1024;
	pthread_mutex_init(&c->lock, NULL);
	ring_init(&c->clean);
	ring_init(&c->dirty);
	ch->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	ch->manager = &bcache_manager;
	ch->name = strdup(name);
	ch->block_size = 1024;
	ch->refcount = 1;
	ch->private_data = c;
	*out = ch;
	return 0;
}

static errcode_t io_close(io_channel ch)
{
	struct bcache *c = cache_of(ch);

	if (--ch->refcount > 0)
		return 0;
	drop_all(c);
	pthread_mutex_destroy(&c->lock);
	free(c);
	free(ch->name);
	free(ch);
	return 0;
}

static errcode_t io_set_blksize(io_channel ch, int size)
{
	struct bcache *c = cache_of(ch);

	if (ch->block_size == size)
		return 0;
	if (c->dirty_count)
		return EXT2_ET_INVALID_ARGUMENT;
	drop_all(c);
	ch->block_size = size;
	c->block_size = (unsigned int)size;
	return 0;
}

/* A negative count is in bytes. */
static errcode_t io_read(io_channel ch, unsigned long long nr, int count,
			 void *data)
{
	struct bcache *c = cache_of(ch);
	size_t left = count < 0 ? (size_t)-(long)count :
				  (size_t)count * c->block_size;
	errcode_t err = 0;
	char *to = data;
	size_t n;

	if (!keeps(c))
		return read_raw(c, nr * c->block_size, left, data);
	/* The last block of a device may be less than one. */
	if (left < c->block_size)
		return copy(c, nr, data, left) ?
		       read_raw(c, nr * c->block_size, left, data) : 0;
	for (; left && !err; left -= n, to += n, nr++) {
		n = left < c->block_size ? left : c->block_size;
		err = copy(c, nr, to, n);
	}
	return err;
}

static errcode_t write_part(struct bcache *c, uint64_t nr, size_t offset,
			    size_t count, const void *data)
{
	struct block *b;
	errcode_t err;

	err = get(c, nr, &b);
	if (err)
		return err;
	if (memcmp((char *)b->data + offset, data, count)) {
		err = own(c, b, true);
		if (!err) {
			memcpy((char *)b->data + offset, data, count);
			mark_dirty(c, b);
		}
	}
	pthread_mutex_unlock(&c->lock);
	return err;
}

static errcode_t io_write(io_channel ch, unsigned long long nr, int count,
			  const void *data)
{
	struct bcache *c = cache_of(ch);
	size_t left = count < 0 ? (size_t)-(long)count :
				  (size_t)count * c->block_size;
	const char *from = data;
	errcode_t err = 0;

	if (!keeps(c))
		return EXT2_ET_INVALID_ARGUMENT;
	for (; left >= c->block_size && !err; from += c->block_size) {
		err = put(c, nr++, from, 0);
		left -= c->block_size;
	}
	if (left && !err)
		err = write_part(c, nr, 0, left, from);
	return err;
}

static errcode_t io_read_old(io_channel ch, unsigned long nr, int count,
			     void *data)
{
	return io_read(ch, nr, count, data);
}

static errcode_t io_write_old(io_channel ch, unsigned long nr, int count,
			      const void *data)
{
	return io_write(ch, nr, count, data);
}

static errcode_t io_write_byte(io_channel ch, unsigned long offset, int count,
			       const void *data)
{
	struct bcache *c = cache_of(ch);
	const char *from = data;
	size_t left = (size_t)count, at, n;
	errcode_t err = 0;

	if (!keeps(c))
		return EXT2_ET_UNIMPLEMENTED;
	for (; left && !err; left -= n, from += n, offset += n) {
		at = offset % c->block_size;
		n = c->block_size - at < left ? c->block_size - at : left;
		err = write_part(c, offset / c->block_size, at, n, from);
	}
	return err;
}

/* Durable is what a transaction makes so. */
static errcode_t io_flush(io_channel ch)
{
	return 0;
}

static errcode_t io_zeroout(io_channel ch, unsigned long long nr,
			    unsigned long long count)
{
	struct bcache *c = cache_of(ch);
	void *zeros = calloc(1, c->block_size);
	errcode_t err = zeros ? 0 : EXT2_ET_NO_MEMORY;

	for (; count && !err; count--)
		err = put(c, nr++, zeros, 0);
	free(zeros);
	return err;
}

/* Returns how many blocks from @nr on are not there yet. */
static unsigned int missing(struct bcache *c, uint64_t nr, unsigned int max)
{
	unsigned int n = 0;

	pthread_mutex_lock(&c->lock);
	while (n < max && !find(c, nr + n))
		n++;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* What fails is read again when it is needed. */
static errcode_t io_ahead(io_channel ch, unsigned long long nr,
			  unsigned long long count)
{
	struct bcache *c = cache_of(ch);
	unsigned int max = count < AHEAD_MAX ? (unsigned int)count : AHEAD_MAX;
	unsigned int i, n = keeps(c) ? missing(c, nr, max) : 0;
	void *mem, *data;

	if (!n)
		return 0;
	mem = aligned_alloc(4096, (n * (size_t)c->block_size + 4095) & ~4095u);
	if (mem && !device_read(c->dev, mem, n * (size_t)c->block_size,
				nr * c->block_size)) {
		for (i = 0; i < n; i++) {
			data = new_data(c);
			if (!data)
				break;
			memcpy(data, (char *)mem + i * (size_t)c->block_size,
			       c->block_size);
			pthread_mutex_lock(&c->lock);
			remember(c, nr + i, data);
			pthread_mutex_unlock(&c->lock);
		}
	}
	free(mem);
	return 0;
}

struct struct_io_manager bcache_manager = {
	.magic		= EXT2_ET_MAGIC_IO_MANAGER,
	.name		= "fusex block cache",
	.open		= io_open,
	.close		= io_close,
	.set_blksize	= io_set_blksize,
	.read_blk	= io_read_old,
	.write_blk	= io_write_old,
	.flush		= io_flush,
	.write_byte	= io_write_byte,
	.read_blk64	= io_read,
	.write_blk64	= io_write,
	.cache_readahead = io_ahead,
	.zeroout	= io_zeroout,
};

static void forget_all(struct bcache *c, uint64_t block, uint64_t count)
{
	struct block *b, *next;
	size_t i;

	for (i = 0; i < TABLE_SIZE; i++) {
		for (b = c->table[i]; b; b = next) {
			next = b->hash_next;
			if (b->nr - block < count)
				drop(c, b);
		}
	}
}

void bcache_forget(struct bcache *c, uint64_t block, uint64_t count)
{
	struct block *b;

	pthread_mutex_lock(&c->lock);
	/* Most of what is freed was data of files. */
	if (count > TABLE_SIZE) {
		forget_all(c, block, count);
		count = 0;
	}
	for (; count; count--, block++) {
		b = find(c, block);
		if (b)
			drop(c, b);
	}
	pthread_mutex_unlock(&c->lock);
}

size_t bcache_dirty(const struct bcache *c)
{
	return c->dirty_count;
}

static int by_number(const void *a, const void *b)
{
	const struct dirty_block *x = a, *y = b;

	return (x->block > y->block) - (x->block < y->block);
}

errcode_t bcache_read_dir(ext2_filsys fs, uint64_t block, void *buf,
			  bool *sound)
{
	struct bcache *c = bcache_of(fs);
	struct block *b;
	errcode_t err;

	err = get(c, block, &b);
	if (err)
		return err;
	memcpy(buf, b->data, c->block_size);
	*sound = b->is_sound;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void bcache_is_sound(ext2_filsys fs, uint64_t block)
{
	struct bcache *c = bcache_of(fs);
	struct block *b;

	pthread_mutex_lock(&c->lock);
	b = find(c, block);
	if (b)
		b->is_sound = true;
	pthread_mutex_unlock(&c->lock);
}

errcode_t bcache_write_dir(ext2_filsys fs, uint64_t block, const void *buf,
			   ext2_ino_t dir)
{
	return put(bcache_of(fs), block, buf, dir);
}

/* Only now, because a block may have been changed often. */
static errcode_t set_sum(ext2_filsys fs, struct block *b)
{
	errcode_t err;

	if (!b->sum_for)
		return 0;
	err = ext2fs_dir_block_csum_set(fs, b->sum_for, b->data);
	if (!err)
		b->sum_for = 0;
	return err;
}

static errcode_t set_sums(ext2_filsys fs, struct bcache *c)
{
	struct links *l;
	errcode_t err = 0;

	for (l = c->dirty.next; l != &c->dirty && !err; l = l->next)
		err = set_sum(fs, block_at(l));
	return err;
}

int bcache_take(ext2_filsys fs, struct dirty_block **list, size_t *count)
{
	struct bcache *c = bcache_of(fs);
	struct dirty_block *d;
	struct block *b;

	*count = 0;
	if (set_sums(fs, c))
		return -EIO;
	d = malloc((c->dirty_count + 1) * sizeof(*d));
	if (!d)
		return -ENOMEM;
	*list = d;
	while (c->dirty.next != &c->dirty) {
		b = block_at(c->dirty.next);
		ring_del(&b->links);
		b->is_dirty = false;
		b->is_busy = true;
		d->block = b->nr;
		d->data = b->data;
		d++;
	}
	*count = c->dirty_count;
	c->dirty_count = 0;
	qsort(*list, *count, sizeof(**list), by_number);
	return 0;
}

void bcache_written(struct bcache *c, struct dirty_block *list, size_t count)
{
	struct block *b;
	size_t i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < count; i++) {
		b = find(c, list[i].block);
		if (!b || b->data != list[i].data) {
			free(list[i].data);
			continue;
		}
		b->is_busy = false;
		ring_add(&c->clean, &b->links);
		c->clean_count++;
	}
	trim(c);
	pthread_mutex_unlock(&c->lock);
	free(list);
}

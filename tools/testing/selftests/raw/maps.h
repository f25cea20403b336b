/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the misbehaving server that knows where data is: files whose
 * ranges lie on block devices, as lists that a test can fill in and look at.
 */
#ifndef SELFTESTS_MAPS_H
#define SELFTESTS_MAPS_H

#include "loop.h"
#include "raw.h"

/* Of the tree: "f" and "g". */
enum { MAP_F = 2, MAP_G = 5 };

#define KIB		1024u
#define MIB		(1024u * KIB)
#define BLOCK		4096u
#define DISK_SIZE	(64u << 20)
#define MAP_FREE	(32u << 20)
#define MAP_EXTENTS	64
#define MAP_LOG		64
#define MAP_DISKS	3

/* For short. */
#define LOCAL		FUSEX_ATTR_LOCAL
#define REMOTE		FUSEX_ATTR_REMOTE
#define HOLE		FUSEX_MAP_HOLE
#define DELALLOC	FUSEX_MAP_DELALLOC
#define MAPPED		FUSEX_MAP_MAPPED
#define UNWRITTEN	FUSEX_MAP_UNWRITTEN
#define INLINE		FUSEX_MAP_INLINE

/** struct map_list - ranges in the order of their offsets, no two overlap */
struct map_list {
	struct fusex_map map[MAP_EXTENTS];
	unsigned int nr;
};

/**
 * struct map_file - where a file is
 * @at: what is there; the rest is a hole
 * @cow: where to write to instead of what is SHARED
 * @room: bytes that can be inline; 0 if it is on the device
 * @data: what is inline
 * @alloc: enum fusex_map_type that a hole becomes, UNWRITTEN if 0
 * @flags: FUSEX_MAP_F_* of all answers
 * @lease: of all answers
 * @lease_valid: of all answers
 */
struct map_file {
	struct map_list at;
	struct map_list cow;
	uint32_t room;
	char data[FUSEX_INLINE_MAX];
	uint16_t alloc;
	uint16_t flags;
	uint64_t lease;
	uint64_t lease_valid;
};

/**
 * struct maps - what raw.maps points to
 * @dev: cookie of what new space is on
 * @next: the first byte of it that is free
 * @nr_disks: devices
 * @disks: the devices
 * @devs: their cookies
 * @files: by node id
 * @begins: the last MAP_BEGINs, request n at n % MAP_LOG
 * @ends: MAP_ENDs, likewise
 * @ioends: MAP_IOENDs
 * @returns: MAP_RETURNs
 * @freezes: FREEZEs
 * @setattrs: SETATTRs
 * @fail: errno to answer, by opcode
 */
struct maps {
	uint32_t dev;
	uint64_t next;
	unsigned int nr_disks;
	struct loop disks[MAP_DISKS];
	uint32_t devs[MAP_DISKS];
	struct map_file files[RAW_NODES];
	struct fusex_map_begin_in begins[MAP_LOG];
	struct fusex_map_end_in ends[MAP_LOG];
	struct fusex_map_ioend_in ioends[MAP_LOG];
	struct fusex_map_return_in returns[MAP_LOG];
	struct fusex_freeze_in freezes[MAP_LOG];
	struct fusex_setattr_in setattrs[MAP_LOG];
	atomic_int fail[FUSEX_OP_NR];
};

/** maps_answer() - answer if it is about mappings; false if it is not */
bool maps_answer(struct raw *r, const struct fusex_in_header *in,
		 struct raw_reply *rep);

/** maps_changed() - after an answer that may have moved the end of a file */
void maps_changed(struct raw *r, const struct fusex_in_header *in,
		  const struct raw_reply *rep);

/**
 * maps_start() - mount a server whose files are in iomap mode
 * @attr_mode: enum fusex_attr_mode
 * @disks: how many devices are registered, of DISK_SIZE bytes
 *
 * All bytes of the disks are pattern() of their address and number.
 */
struct raw *maps_start(uint32_t attr_mode, unsigned int disks);

/** maps_start_setup() - the same, with the rest of the setup by the caller */
struct raw *maps_start_setup(struct raw *r, unsigned int disks);

/** maps_stop() - unmount, end the server, give the devices back */
void maps_stop(struct raw *r);

/** end() - close a file, and all that */
void end(struct raw *r, int fd);

/** maps_at() - @length bytes at @offset of a file are at @addr of the disk */
void maps_at(struct raw *r, uint64_t node, uint16_t type, uint64_t offset,
	     uint64_t length, uint64_t addr);

/** maps_on() - the same on device @dev */
void maps_on(struct raw *r, uint64_t node, uint16_t type, uint64_t offset,
	     uint64_t length, uint64_t addr, uint32_t dev);

/** maps_size() - set the size of a file that the kernel has not seen */
void maps_size(struct raw *r, uint64_t node, uint64_t size);

/** maps_find() - what is at @offset, NULL for a hole */
const struct fusex_map *maps_find(struct raw *r, uint64_t node,
				  uint64_t offset);

/** maps_count() - requests of that kind since maps_reset() */
unsigned int maps_count(struct raw *r, uint32_t op);

/** begins() - that many MAP_BEGINs */
static inline unsigned int begins(struct raw *r)
{
	return maps_count(r, FUSEX_OP_MAP_BEGIN);
}

/** ioends() - and MAP_IOENDs */
static inline unsigned int ioends(struct raw *r)
{
	return maps_count(r, FUSEX_OP_MAP_IOEND);
}

/** hold_answer() - a twist: answer what was to be answered when @answering is set */
extern atomic_bool answering;
void hold_answer(struct raw *r, const struct fusex_in_header *in,
		 struct raw_reply *rep);

/** maps_reset() - start counting anew */
void maps_reset(struct raw *r);

/** disk_read() - what is on a device, around its page cache */
void disk_read(struct raw *r, unsigned int disk, void *buf, size_t size,
	       off_t addr);

/** disk_fill() - write pattern @seed to it, as it stands at @addr */
void disk_fill(struct raw *r, unsigned int disk, size_t size, off_t addr,
	       unsigned int seed);

/** disk_shows() - the device has pattern @seed of offset @at at @addr */
void disk_shows(struct raw *r, unsigned int disk, size_t size, off_t addr,
		off_t at, unsigned int seed);

/** disk_zero() - the device has zeros there */
void disk_zero(struct raw *r, unsigned int disk, size_t size, off_t addr);

/** maps_notify() - write a notification; 0 or an errno */
int maps_notify(struct raw *r, uint32_t code, const void *n, size_t len,
		const void *more, size_t more_len);

/** upsert() - say where ranges of "f" are; 0 or an errno */
int upsert(struct raw *r, const struct fusex_map *maps, uint32_t count);

/** cut_and_push() - cut "f" to nothing; @map is pushed before that is answered */
void cut_and_push(struct raw *r, int fd, const struct fusex_map *map);

/** map_at() - a mapping to tell the kernel about */
struct fusex_map map_at(struct raw *r, uint16_t type, uint64_t offset,
			uint64_t length, uint64_t addr);

/* The most that the following move in one system call. */
#define IO_MAX		(4u << 20)

/** put() - one write of pattern @seed at @at; takes direct I/O */
void put(int fd, size_t size, off_t at, unsigned int seed);

/** shows() - the file has pattern @seed there, by one read */
void shows(int fd, size_t size, off_t at, unsigned int seed);

/** shows_disk() - at @at it has what was on disk @disk at @addr first */
void shows_disk(int fd, size_t size, off_t at, off_t addr, unsigned int disk);

/** zeros() - it has zeros there */
void zeros(int fd, size_t size, off_t at);

/** uncache() - nothing of it is cached */
void uncache(int fd);

/** open_rw() - a file of the mount */
int open_rw(struct raw *r, const char *name, int flags);

/* The seed of what is on disk @n from the beginning. */
#define DISK_SEED(n)	(100u + (n))

#endif /* SELFTESTS_MAPS_H */

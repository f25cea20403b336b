/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory devices as backing objects (daxdev.c; nodax.c for kernels that cannot
 * use them), and mappings that fs/dax goes by (map_dax.c).
 */
#ifndef _FS_FUSEX_DAXDEV_H
#define _FS_FUSEX_DAXDEV_H

#include <linux/iomap.h>
#include <linux/math.h>
#include <linux/pgtable.h>
#include <linux/types.h>

struct dax_device;
struct fusex_bobj;
struct fusex_chan;
struct fusex_map;
struct inode;

/*
 * Huge pages are dirty, and dropped, as a whole, also if somebody has only parts of
 * them mapped.  So whoever does that to a range does it to all that it touches.
 */

/**
 * fusex_huge_first - where does the huge page of a byte begin?
 * @start: the byte
 *
 * Context: any.
 * Return: its first byte.
 */
static inline loff_t fusex_huge_first(loff_t start)
{
	return round_down(start, PMD_SIZE);
}

/**
 * fusex_huge_last - where does the huge page of a byte end?
 * @end: the byte
 *
 * Context: any.
 * Return: its last byte.
 */
static inline loff_t fusex_huge_last(loff_t end)
{
	return end | (loff_t)(PMD_SIZE - 1);
}

/* Also called where there are none. */
int fusex_daxdev_fill(struct fusex_bobj *obj, struct fusex_chan *chan, int fd);
bool fusex_daxdev_put(struct fusex_bobj *obj);
void fusex_daxdev_revoke(struct fusex_bobj *obj);
dev_t fusex_daxdev_name(const struct fusex_bobj *obj);
int fusex_daxdev_map(struct fusex_bobj *obj, loff_t pos, u32 op,
		     struct iomap *iomap);
int fusex_daxdev_init(void);
void fusex_daxdev_exit(void);

bool fusex_daxdev_any(const struct inode *inode);
bool fusex_daxdev_synchronous(struct fusex_chan *chan);
struct fusex_bobj *fusex_daxdev_known(struct fusex_chan *chan,
				      const struct fusex_map *map, u32 access,
				      struct iomap *iomap);
u64 fusex_daxdev_addr(const struct fusex_bobj *obj, const struct iomap *iomap,
		      loff_t pos);
int fusex_daxdev_zero(const struct iomap *iomap, loff_t start, loff_t end);
struct dax_device *fusex_daxdev_flush(struct inode *inode);
int fusex_daxdev_claim(struct inode *inode, const struct iomap *iomap,
		       loff_t pos, u64 len);
void fusex_daxdev_claimed(const struct iomap *iomap, loff_t pos);
bool fusex_daxdev_has(const struct inode *inode, unsigned long pfn,
		      pgoff_t index);
bool fusex_daxdev_vacant(const struct inode *inode, pgoff_t index);

/* io_dax.c */
void fusex_dax_flush(struct inode *inode, loff_t start, loff_t end);

/* map_dax.c */
extern const struct iomap_ops fusex_dax_iomap_ops;

#endif /* _FS_FUSEX_DAXDEV_H */

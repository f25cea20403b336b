// SPDX-License-Identifier: GPL-2.0
/*
 * A transaction in the journal.
 *
 * Blocks are written to the journal before they are written to their places, so
 * that after a crash e2fsck, or the kernel, finds all of them or none.  The
 * journal has one transaction at a time, in turn in its first and second half:
 * when a half is used again, the blocks of the transaction before are in their
 * places.  One that a half is too small for has all of it, and it is empty before
 * and after that.  What is larger than that goes straight to its places: the
 * journal is empty, and says that there was an error, meanwhile.
 *
 *	descriptor, blocks, descriptor, blocks, ...	(half)
 *	flush: these, what the last transaction wrote to its places, and
 *		data of files
 *	superblock of the journal: begins at this half; commit record
 *	flush: it is durable
 *	blocks to their places
 *
 * A block that was freed is not used again before the transaction is durable,
 * and only the last one is ever replayed, so there is nothing to revoke.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ext4.h"
#include "log.h"

#define JBD_MAGIC	0xc03b3998u
#define JBD_DESCRIPTOR	1u
#define JBD_COMMIT	2u
#define JBD_SUPER_V2	4u
#define JBD_64BIT	2u
#define JBD_CSUM_V3	16u
#define JBD_CRC32C	4

/* struct jbd_tag.flags */
#define TAG_ESCAPE	1u
#define TAG_SAME_UUID	2u
#define TAG_LAST	8u

/* More than this of a large journal is of no use to a transaction. */
#define MAX_BLOCKS	65536u
#define MIN_BLOCKS	64u

/* All on the disk are big-endian. */
struct jbd_header {
	uint32_t	magic;
	uint32_t	type;
	uint32_t	sequence;
};

struct jbd_tag {
	uint32_t	block;
	uint32_t	flags;
	uint32_t	block_high;
	uint32_t	csum;
};

struct jbd_commit {
	struct jbd_header header;
	uint8_t		csum_type;
	uint8_t		csum_size;
	uint8_t		pad[2];
	uint32_t	csum[8];
	uint64_t	sec;
	uint32_t	nsec;
} __attribute__((packed));

struct jbd_super {
	struct jbd_header header;
	uint32_t	block_size;
	uint32_t	max_len;
	uint32_t	first;
	uint32_t	sequence;
	uint32_t	start;
	uint32_t	err;
	uint32_t	compat;
	uint32_t	incompat;
	uint32_t	ro_compat;
	uint8_t		uuid[16];
	uint32_t	users;
	uint32_t	dynsuper;
	uint32_t	max_transaction;
	uint32_t	max_data;
	uint8_t		csum_type;
	uint8_t		pad[3];
	uint32_t	num_fc;
	uint32_t	pad2[41];
	uint32_t	csum;
	uint8_t		users_uuid[768];
};

/**
 * struct journal - the journal
 * @map: where its blocks are
 * @blocks: how many of them are used
 * @first: the first one after the superblock
 * @half: blocks of a half
 * @second: it is the second half's turn
 * @whole: the last transaction had both
 * @sequence: of the next transaction
 * @seed: of checksums
 * @super: block with its superblock
 * @work: a block
 */
struct journal {
	uint64_t	*map;
	uint32_t	blocks;
	uint32_t	first;
	uint32_t	half;
	bool		second;
	bool		whole;
	uint32_t	sequence;
	uint32_t	seed;
	struct jbd_super *super;
	char		*work;
};

static uint32_t crc(uint32_t seed, const void *data, size_t len)
{
	return ext2fs_crc32c_le(seed, data, len);
}

static void seal(struct journal *j, void *block, uint32_t *csum, size_t size)
{
	*csum = 0;
	*csum = htobe32(crc(j->seed, block, size));
}

static unsigned int tags_per_block(size_t size)
{
	return (unsigned int)((size - sizeof(struct jbd_header) -
			       sizeof(uint32_t)) / sizeof(struct jbd_tag));
}

/* How large a transaction in so many blocks can be. */
static size_t room_in(uint32_t blocks)
{
	/* A descriptor has at least 62 tags. */
	return blocks - 2 - blocks / 63 - 1;
}

size_t journal_room(const struct journal *j)
{
	return room_in(j->half);
}

bool journal_takes(const struct journal *j, size_t count)
{
	return count <= room_in(2 * j->half);
}

static int put_super(struct volume *v)
{
	struct journal *j = v->journal;
	struct jbd_super *s = j->super;

	s->csum = 0;
	s->csum = htobe32(crc(~0u, s, sizeof(*s)));
	return device_write(&v->dev, s, block_size(v),
			    j->map[0] * block_size(v));
}

/* Writes the journal's superblock; start 0 says that it is empty. */
static int write_super(struct volume *v, uint32_t start, int err)
{
	struct jbd_super *s = v->journal->super;

	s->sequence = htobe32(v->journal->sequence);
	s->start = htobe32(start);
	s->err = htobe32((uint32_t)err);
	return put_super(v);
}

/* Which transaction is to be replayed, and from where, stays as it is. */
void journal_note_error(struct volume *v)
{
	struct journal *j = v->journal;

	if (!j)
		return;
	j->super->err = htobe32((uint32_t)-EIO);
	if (!put_super(v))
		device_flush(&v->dev);
}

/*
 * Fills in the descriptor of the next blocks, and returns how many they are.
 * A block that begins like one of the journal's own is changed there.
 */
static unsigned int describe(struct volume *v, const struct dirty_block *list,
			     size_t count, char *block)
{
	struct jbd_header *h = (struct jbd_header *)block;
	unsigned int n = tags_per_block(block_size(v)), i;
	const uint32_t zero = 0, seq = htobe32(v->journal->sequence);
	struct jbd_tag *tag = (struct jbd_tag *)(h + 1);
	uint32_t sum, flags;

	if (n > count)
		n = (unsigned int)count;
	memset(block, 0, block_size(v));
	*h = (struct jbd_header){ htobe32(JBD_MAGIC), htobe32(JBD_DESCRIPTOR),
				  seq };
	for (i = 0; i < n; i++, tag++) {
		flags = TAG_SAME_UUID | (i == n - 1 ? TAG_LAST : 0);
		sum = crc(v->journal->seed, &seq, sizeof(seq));
		if (*(uint32_t *)list[i].data == htobe32(JBD_MAGIC)) {
			flags |= TAG_ESCAPE;
			sum = crc(sum, &zero, sizeof(zero));
			sum = crc(sum, (char *)list[i].data + 4,
				  block_size(v) - 4);
		} else {
			sum = crc(sum, list[i].data, block_size(v));
		}
		tag->block = htobe32((uint32_t)list[i].block);
		tag->block_high = htobe32((uint32_t)(list[i].block >> 32));
		tag->flags = htobe32(flags);
		tag->csum = htobe32(sum);
	}
	seal(v->journal, block,
	     (uint32_t *)(block + block_size(v) - sizeof(uint32_t)),
	     block_size(v));
	return n;
}

static int add_block(struct volume *v, struct batch *b, uint32_t at,
		     const void *data)
{
	struct journal *j = v->journal;

	if (*(const uint32_t *)data != htobe32(JBD_MAGIC))
		return batch_add(b, j->map[at], data);
	memcpy(j->work, data, block_size(v));
	memset(j->work, 0, sizeof(uint32_t));
	return batch_add(b, j->map[at], j->work);
}

/* Returns where the commit record goes to in @at. */
static int write_blocks(struct volume *v, const struct dirty_block *list,
			size_t count, uint32_t *at)
{
	struct journal *j = v->journal;
	unsigned int n = 0, i;
	struct batch b;
	int ret;

	ret = batch_begin(&b, &v->dev, block_size(v));
	if (ret)
		return ret;
	for (; count && !ret; list += n, count -= n) {
		n = describe(v, list, count, j->work);
		ret = batch_add(&b, j->map[(*at)++], j->work);
		for (i = 0; i < n && !ret; i++)
			ret = add_block(v, &b, (*at)++, list[i].data);
	}
	return batch_end(&b, ret);
}

static int write_commit(struct volume *v, uint32_t at)
{
	struct journal *j = v->journal;
	struct jbd_commit *c = (struct jbd_commit *)j->work;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memset(j->work, 0, block_size(v));
	c->header = (struct jbd_header){ htobe32(JBD_MAGIC),
					 htobe32(JBD_COMMIT),
					 htobe32(j->sequence) };
	c->sec = htobe64((uint64_t)now.tv_sec);
	c->nsec = htobe32((uint32_t)now.tv_nsec);
	c->csum[0] = htobe32(crc(j->seed, j->work, block_size(v)));
	return device_write(&v->dev, j->work, block_size(v),
			    j->map[at] * block_size(v));
}

/* What was in it is in its places, and is not replayed any more. */
static int make_empty(struct volume *v, int err)
{
	int ret;

	ret = device_flush(&v->dev);
	if (!ret)
		ret = write_super(v, 0, err);
	return ret ? ret : device_flush(&v->dev);
}

int journal_bypass(struct volume *v)
{
	v->journal->whole = false;
	return make_empty(v, -EIO);
}

int journal_write(struct volume *v, const struct dirty_block *list,
		  size_t count)
{
	struct journal *j = v->journal;
	bool whole = count > journal_room(j);
	uint32_t start, at;
	int ret = 0;

	if (whole || j->whole) {
		ret = make_empty(v, 0);
		j->second = false;
	}
	start = j->first + (j->second ? j->half : 0);
	at = start;
	if (!ret)
		ret = write_blocks(v, list, count, &at);
	if (!ret)
		ret = device_flush(&v->dev);
	if (!ret)
		ret = write_super(v, start, 0);
	if (!ret)
		ret = write_commit(v, at);
	if (!ret)
		ret = device_flush(&v->dev);
	j->second = !j->second;
	j->whole = whole;
	j->sequence++;
	return ret;
}

/**
 * struct layout - the journal being found
 * @v: the file system
 * @j: the journal
 * @bad: it is where it cannot be
 */
struct layout {
	struct volume	*v;
	struct journal	*j;
	bool		bad;
};

/* All of it is no file's from now on, its tree as well. */
static int note_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t nr,
		      blk64_t ref, int offset, void *data)
{
	struct layout *l = data;
	struct journal *j = l->j;

	l->bad = !bitmaps_claim(l->v, *block);
	if (l->bad)
		return BLOCK_ABORT;
	if (nr == (e2_blkcnt_t)j->blocks && j->blocks < MAX_BLOCKS)
		j->map[j->blocks++] = *block;
	return 0;
}

static int map_blocks(struct volume *v, struct journal *j)
{
	struct layout l = { .v = v, .j = j };
	ext2_ino_t ino = v->fs->super->s_journal_inum;
	errcode_t err;

	j->map = malloc(MAX_BLOCKS * sizeof(*j->map));
	if (!j->map)
		return -ENOMEM;
	err = ext2fs_block_iterate3(v->fs, ino, BLOCK_FLAG_READ_ONLY, NULL,
				    note_block, &l);
	if (err)
		return volume_error(v, err);
	if (l.bad || !j->blocks)
		return volume_corrupt(v, ino, "place of the journal");
	bitmaps_claimed(v);
	return 0;
}

static int check_super(struct volume *v, struct journal *j)
{
	struct jbd_super *s = j->super;
	uint32_t len = be32toh(s->max_len);

	j->first = be32toh(s->first);
	if (be32toh(s->header.magic) != JBD_MAGIC ||
	    be32toh(s->header.type) != JBD_SUPER_V2 ||
	    be32toh(s->block_size) != block_size(v) || s->start ||
	    !j->first || j->first >= len)
		return volume_corrupt(v, v->fs->super->s_journal_inum,
				      "journal superblock");
	if (j->blocks > len)
		j->blocks = len;
	if (j->blocks < j->first + 2 * MIN_BLOCKS)
		return volume_corrupt(v, v->fs->super->s_journal_inum,
				      "journal is too short");
	j->half = (j->blocks - j->first) / 2;
	return 0;
}

/* Its features are those this file knows how to write. */
static void take_over(struct volume *v, struct journal *j)
{
	struct jbd_super *s = j->super;

	s->incompat = htobe32(JBD_64BIT | JBD_CSUM_V3);
	s->compat = 0;
	s->ro_compat = 0;
	s->csum_type = JBD_CRC32C;
	s->num_fc = 0;
	j->seed = crc(~0u, s->uuid, sizeof(s->uuid));
	j->sequence = be32toh(s->sequence) + 1;
}

static void journal_free(struct journal *j)
{
	free(j->map);
	free(j->super);
	free(j->work);
	free(j);
}

int journal_open(struct volume *v)
{
	struct journal *j;
	int ret;

	if (!v->fs->super->s_journal_inum)
		return 0;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->super = aligned_alloc(4096, (block_size(v) + 4095) & ~4095u);
	j->work = aligned_alloc(4096, (block_size(v) + 4095) & ~4095u);
	ret = j->super && j->work ? map_blocks(v, j) : -ENOMEM;
	if (!ret)
		ret = device_read(&v->dev, j->super, block_size(v),
				  j->map[0] * block_size(v));
	if (!ret)
		ret = check_super(v, j);
	if (ret) {
		journal_free(j);
		return ret;
	}
	take_over(v, j);
	v->journal = j;
	return 0;
}

int journal_close(struct volume *v, bool clean)
{
	struct journal *j = v->journal;
	int ret = 0;

	if (!j)
		return 0;
	if (clean)
		ret = make_empty(v, 0);
	v->journal = NULL;
	journal_free(j);
	return ret;
}

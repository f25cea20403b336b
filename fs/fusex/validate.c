// SPDX-License-Identifier: GPL-2.0
/*
 * Checks on what the server says, before anything of it is used.
 *
 * Everything here is a pure function of its arguments: no inode, no channel,
 * no lock.  What needs to be compared with an inode (a type that changes, a
 * directory loop) is checked where the inode is.
 */

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/fs_dirent.h>
#include <linux/kdev_t.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "chan.h"
#include "map.h"
#include "validate.h"

/*
 * What attributes and entries are held against: the part of the configuration
 * that is known while the root node in the setup call itself is checked.
 */
struct limits {
	u32 handle_size;
	u32 io_modes;
	u32 attr_modes;
	u8 io_mode;
	s64 time_min;
	s64 time_max;
	u64 max_file_size;
};

static int corrupt(const char **why, const char *text)
{
	*why = text;
	return -EFSCORRUPTED;
}

static int invalid(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

static void limits_set(struct limits *l, s64 time_min, s64 time_max,
		       u64 max_file_size)
{
	bool all = !time_min && !time_max;

	l->time_min = all ? S64_MIN : time_min;
	l->time_max = all ? S64_MAX : time_max;
	l->max_file_size = max_file_size ?: MAX_LFS_FILESIZE;
}

static struct limits conf_limits(const struct fusex_conf *conf)
{
	struct limits l = {
		.handle_size = conf->handle_size,
		.io_modes = conf->io_modes,
		.attr_modes = conf->attr_modes,
		.io_mode = conf->io_mode,
	};

	limits_set(&l, conf->time_min, conf->time_max, conf->max_file_size);
	return l;
}

static struct limits setup_limits(const struct fusex_setup *s)
{
	struct limits l = {
		.handle_size = s->handle_size,
		.io_modes = s->io_modes | BIT(s->io_mode),
		.attr_modes = s->attr_modes | BIT(s->attr_mode),
		.io_mode = s->io_mode,
	};

	limits_set(&l, s->time_min, s->time_max, s->max_file_size);
	return l;
}

/* Zero, or a power of two of at most @max. */
static bool zero_or_power(u32 value, u32 min, u32 max)
{
	return !value ||
	       (is_power_of_2(value) && value >= min && value <= max);
}

/* ------------------------------------------------------------- attributes */

static bool type_known(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	}
	return false;
}

static const char *time_fault(const struct limits *l,
			      const struct fusex_time *t)
{
	if (t->nsec >= NSEC_PER_SEC)
		return "nanoseconds of a time out of range";
	if (t->sec < l->time_min || t->sec > l->time_max)
		return "seconds of a time out of range";
	if (t->reserved)
		return "reserved field of a time set";
	return NULL;
}

static const char *times_fault(const struct limits *l,
			       const struct fusex_attr *a)
{
	const char *fault = NULL;

	if (a->mask & FUSEX_ATTR_TIMES)
		fault = time_fault(l, &a->atime) ?: time_fault(l, &a->mtime) ?:
			time_fault(l, &a->ctime);
	if (!fault && (a->mask & FUSEX_ATTR_BTIME))
		fault = time_fault(l, &a->btime);
	return fault;
}

static const char *mode_fault(const struct fusex_attr *a)
{
	if (!type_known(a->mode))
		return "unknown file type";
	if (a->mode & ~(u32)(S_IFMT | S_IALLUGO))
		return "unknown mode bits";
	return NULL;
}

static const char *rdev_fault(const struct fusex_attr *a)
{
	if (a->rdev_major >= BIT(32 - MINORBITS) || a->rdev_minor > MINORMASK)
		return "device number out of range";
	return NULL;
}

/* Both or none; none says that the file takes no direct I/O. */
static const char *dio_fault(const struct fusex_attr *a)
{
	if (!a->dio_mem_align != !a->dio_offset_align)
		return "half a direct I/O alignment";
	if (!zero_or_power(a->dio_mem_align, 1, FUSEX_IO_SIZE_MAX) ||
	    !zero_or_power(a->dio_offset_align, 1, FUSEX_IO_SIZE_MAX))
		return "bad direct I/O alignment";
	return NULL;
}

static const char *fields_fault(const struct limits *l,
				const struct fusex_attr *a)
{
	if (a->mask & FUSEX_ATTR_MODE && mode_fault(a))
		return mode_fault(a);
	if (a->mask & FUSEX_ATTR_NLINK && a->nlink > S32_MAX)
		return "link count out of range";
	if (a->mask & FUSEX_ATTR_OWNER &&
	    (a->uid == (u32)-1 || a->gid == (u32)-1))
		return "owner is no user or group";
	if (a->mask & FUSEX_ATTR_SIZE && a->size > l->max_file_size)
		return "size negative or over the maximum";
	if (a->mask & FUSEX_ATTR_BLOCKS && a->blocks > U64_MAX >> 9)
		return "allocated space out of range";
	if (a->mask & FUSEX_ATTR_RDEV && rdev_fault(a))
		return rdev_fault(a);
	if (a->mask & FUSEX_ATTR_FLAGS && a->flags > U32_MAX)
		return "unknown attribute flags";
	if (a->mask & FUSEX_ATTR_DIO && dio_fault(a))
		return dio_fault(a);
	return times_fault(l, a);
}

static const char *attr_fault(const struct limits *l,
			      const struct fusex_attr *a, u32 required)
{
	if (a->mask & ~FUSEX_ATTR_KNOWN)
		return "unknown attribute mask bits";
	if (required & ~a->mask)
		return "required attributes are missing";
	if (a->reserved[0] || a->reserved[1] || a->reserved[2])
		return "reserved field of attributes set";
	if (!a->mask)
		return NULL;
	if (!zero_or_power(a->blksize, 512, FUSEX_IO_SIZE_MAX))
		return "bad preferred I/O size";
	return fields_fault(l, a);
}

/**
 * fusex_check_attr - check attributes
 * @conf: what was agreed at setup
 * @attr: from the server
 * @required: FUSEX_ATTR_* that must be there, 0 when none need be
 * @why: returns what is wrong
 *
 * Fields whose mask bit is clear are not looked at and must not be used.  The
 * file type is a known one, but whether it is the inode's is for the caller.
 * A link count of 0 passes: the node may have been removed by others.
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_attr(const struct fusex_conf *conf,
		     const struct fusex_attr *attr, u32 required,
		     const char **why)
{
	struct limits l = conf_limits(conf);
	const char *fault = attr_fault(&l, attr, required);

	return fault ? corrupt(why, fault) : 0;
}

/* ---------------------------------------------------------------- entries */

/* An entry that says "no such name" says nothing else but for how long. */
static const char *negative_fault(const struct fusex_entry *e)
{
	if (e->generation || e->io_mode || e->attr_mode || e->handle_len ||
	    e->flags || e->backing || e->attr.mask)
		return "negative entry with contents";
	return NULL;
}

static const char *modes_fault(const struct limits *l,
			       const struct fusex_entry *e)
{
	u8 io = e->io_mode ?: l->io_mode;
	bool backed = io == FUSEX_IO_PASSTHROUGH;

	if (e->attr_mode >= FUSEX_ATTR_NR)
		return "unknown attribute mode";
	if (e->attr_mode && !(l->attr_modes & BIT(e->attr_mode)))
		return "attribute mode was not agreed on";
	if (e->io_mode >= FUSEX_IO_NR)
		return "unknown I/O mode";
	if (!S_ISREG(e->attr.mode)) {
		if (e->io_mode)
			return "I/O mode of an object without data";
		return e->backing ? "backing of an object without data" : NULL;
	}
	if (e->io_mode && !(l->io_modes & BIT(e->io_mode)))
		return "I/O mode was not agreed on";
	if (backed != !!e->backing)
		return "backing does not go with the I/O mode";
	return NULL;
}

static const char *entry_fault(const struct limits *l,
			       const struct fusex_entry *e)
{
	const char *fault;

	if (e->flags & ~FUSEX_ENTRY_KNOWN)
		return "unknown entry flags";
	if (e->reserved)
		return "reserved field of an entry set";
	if (e->handle_len > l->handle_size)
		return "handle larger than agreed";
	if (!e->nodeid)
		return negative_fault(e);
	fault = attr_fault(l, &e->attr, FUSEX_ATTR_REQUIRED);
	return fault ?: modes_fault(l, e);
}

/**
 * fusex_check_entry - check an entry
 * @conf: what was agreed at setup
 * @entry: from the server
 * @why: returns what is wrong
 *
 * A node id of 0 passes when the entry is otherwise empty; callers that need
 * a node check for it.  After success the handle length is at most
 * @conf->handle_size.
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_entry(const struct fusex_conf *conf,
		      const struct fusex_entry *entry, const char **why)
{
	struct limits l = conf_limits(conf);
	const char *fault = entry_fault(&l, entry);

	return fault ? corrupt(why, fault) : 0;
}

/**
 * fusex_check_make - check the entry of an object that was created
 * @conf: what was agreed at setup
 * @entry: from the server
 * @mode: what was asked for; the file type counts
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_make(const struct fusex_conf *conf,
		     const struct fusex_entry *entry, u32 mode,
		     const char **why)
{
	int err = fusex_check_entry(conf, entry, why);

	if (err)
		return err;
	if (!entry->nodeid)
		return corrupt(why, "created object has no node");
	if ((entry->attr.mode ^ mode) & S_IFMT)
		return corrupt(why, "created object is of another type");
	return 0;
}

/* ------------------------------------------------------------------ names */

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

static const char *name_fault(const char *name, size_t len)
{
	if (!len)
		return "empty name";
	if (len > FUSEX_NAME_MAX)
		return "name too long";
	if (memchr(name, '/', len))
		return "slash in a name";
	if (memchr(name, '\0', len))
		return "NUL in a name";
	return NULL;
}

/**
 * fusex_check_name - check the name of a directory entry
 * @name: bytes, need not end with a NUL
 * @len: how many
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_name(const char *name, size_t len, const char **why)
{
	const char *fault = name_fault(name, len);

	if (fault)
		return corrupt(why, fault);
	return is_dots(name, len) ? corrupt(why, "name is . or ..") : 0;
}

/* Where the parts of a record begin; sizes are as the record claims. */
struct dirent_shape {
	const struct fusex_entry *entry;
	size_t name_at;
	size_t size;
};

/* Finds the parts without reading beyond @len bytes. */
static const char *dirent_shape(const struct limits *l,
				const struct fusex_dirent *de, size_t len,
				struct dirent_shape *shape)
{
	size_t at = sizeof(*de);

	shape->entry = NULL;
	if (de->flags & ~FUSEX_DIRENT_KNOWN)
		return "unknown record flags";
	if (de->flags & FUSEX_DIRENT_ENTRY) {
		const struct fusex_entry *e = (const void *)(de + 1);

		if (len < at + sizeof(*e))
			return "entry beyond the end of the reply";
		at += sizeof(*e) + FUSEX_ALIGN(e->handle_len);
		shape->entry = e;
	}
	shape->name_at = at;
	shape->size = at + FUSEX_ALIGN(de->name_len);
	if (shape->size > len)
		return "name beyond the end of the reply";
	if (shape->size != de->reclen)
		return "record length does not fit its contents";
	return NULL;
}

static const char *dirent_fault(const struct limits *l,
				const struct fusex_dirent *de,
				const struct dirent_shape *shape)
{
	const struct fusex_entry *e = shape->entry;
	const char *name = (const char *)de + shape->name_at;
	const char *fault = name_fault(name, de->name_len);

	if (fault)
		return fault;
	if (memchr_inv(name + de->name_len, 0,
		       FUSEX_ALIGN(de->name_len) - de->name_len))
		return "padding of a name is not zero";
	if (!de->cookie || (de->cookie > FUSEX_COOKIE_MAX &&
			    de->cookie != FUSEX_COOKIE_LAST))
		return "cookie out of range";
	if (de->type != DT_UNKNOWN && !type_known((u32)de->type << S_DT_SHIFT))
		return "unknown type of a name";
	if (!e)
		return NULL;
	fault = entry_fault(l, e);
	if (fault || !e->nodeid)
		return fault;
	if (is_dots(name, de->name_len))
		return "entry for . or ..";
	if (de->type != DT_UNKNOWN &&
	    de->type != fs_umode_to_dtype(e->attr.mode))
		return "type of a name is not that of its entry";
	return NULL;
}

/**
 * fusex_check_dirent - check the first record in a reply to READDIR
 * @conf: what was agreed at setup
 * @buf: records, aligned to 8 bytes
 * @len: bytes of @buf
 * @entry: returns the entry in the record, NULL for none; its handle follows
 * @name: returns the name in the record, which has no NUL at its end
 * @why: returns what is wrong
 *
 * Return: bytes of the record, or -EFSCORRUPTED.
 */
ssize_t fusex_check_dirent(const struct fusex_conf *conf, const void *buf,
			   size_t len, const struct fusex_entry **entry,
			   const char **name, const char **why)
{
	struct limits l = conf_limits(conf);
	const struct fusex_dirent *de = buf;
	struct dirent_shape shape;
	const char *fault;

	if (len < sizeof(*de))
		return corrupt(why, "record beyond the end of the reply");
	fault = dirent_shape(&l, de, len, &shape);
	if (!fault)
		fault = dirent_fault(&l, de, &shape);
	if (fault)
		return corrupt(why, fault);
	*entry = shape.entry && shape.entry->nodeid ? shape.entry : NULL;
	*name = (const char *)buf + shape.name_at;
	return shape.size;
}

/**
 * fusex_check_link - check the target of a symbolic link
 * @target: bytes, need not end with a NUL
 * @len: how many
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_link(const char *target, size_t len, const char **why)
{
	if (!len)
		return corrupt(why, "empty link target");
	if (len >= PATH_MAX)
		return corrupt(why, "link target too long");
	if (memchr(target, '\0', len))
		return corrupt(why, "NUL in a link target");
	return 0;
}

/* ------------------------------------------------------------- open files */

/**
 * fusex_check_open - check the reply to OPEN
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_open(const struct fusex_open_out *out, const char **why)
{
	if (out->flags & ~FUSEX_OPEN_KNOWN)
		return corrupt(why, "unknown open flags");
	if (out->reserved)
		return corrupt(why, "reserved field of an open file set");
	return 0;
}

/* The part that WRITE and COPY_RANGE share; @offset is where it should go. */
static int check_written(const struct fusex_conf *conf,
			 const struct fusex_write_out *out, u64 offset,
			 bool append, u64 asked, const char **why)
{
	struct limits l = conf_limits(conf);

	if (out->written > asked)
		return corrupt(why, "more written than asked for");
	if (out->offset != offset && !append)
		return corrupt(why, "written elsewhere");
	if (out->offset > l.max_file_size ||
	    out->written > l.max_file_size - out->offset)
		return corrupt(why, "written beyond the largest file");
	return fusex_check_attr(conf, &out->attr, 0, why);
}

/**
 * fusex_check_write - check the reply to WRITE
 * @conf: what was agreed at setup
 * @in: what was asked for
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_write(const struct fusex_conf *conf,
		      const struct fusex_write_in *in,
		      const struct fusex_write_out *out, const char **why)
{
	if (!out->written && in->size)
		return corrupt(why, "nothing written");
	return check_written(conf, out, in->offset,
			     in->write_flags & FUSEX_WRITE_APPEND, in->size,
			     why);
}

/**
 * fusex_check_copy - check the reply to COPY_RANGE
 * @conf: what was agreed at setup
 * @in: what was asked for
 * @out: from the server
 * @why: returns what is wrong
 *
 * A clone is all or nothing, but how much "to the end of the source" is, is
 * for the caller to compare.
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_copy(const struct fusex_conf *conf,
		     const struct fusex_copy_range_in *in,
		     const struct fusex_write_out *out, const char **why)
{
	bool clone = in->flags & FUSEX_COPY_CLONE;

	if (clone && in->length && out->written != in->length)
		return corrupt(why, "clone of another length");
	return check_written(conf, out, in->offset2, false,
			     clone && !in->length ? U64_MAX : in->length, why);
}

/**
 * fusex_check_lseek - check the reply to LSEEK
 * @conf: what was agreed at setup
 * @in: what was asked for
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_lseek(const struct fusex_conf *conf,
		      const struct fusex_lseek_in *in,
		      const struct fusex_lseek_out *out, const char **why)
{
	struct limits l = conf_limits(conf);

	if (out->offset < in->offset)
		return corrupt(why, "offset before the one asked from");
	if (out->offset > l.max_file_size)
		return corrupt(why, "offset beyond the largest file");
	return 0;
}

static int check_map_inline(const struct fusex_map *map, const char **why)
{
	if (map->offset)
		return corrupt(why, "inline mapping that does not begin at 0");
	if (map->length > FUSEX_INLINE_MAX)
		return corrupt(why, "inline mapping is too long");
	return 0;
}

/**
 * fusex_check_map - check one mapping by itself
 * @conf: what was agreed at setup
 * @map: from the server, not of type FUSEX_MAP_NONE
 * @why: returns what is wrong
 *
 * Whether the device is there and large enough is seen when it is used.
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_map(const struct fusex_conf *conf, const struct fusex_map *map,
		    const char **why)
{
	u64 mask = conf->block_size - 1;

	if (map->type == FUSEX_MAP_NONE || map->type >= FUSEX_MAP_NR)
		return corrupt(why, "unknown type of mapping");
	if (map->flags & ~FUSEX_MAP_F_KNOWN)
		return corrupt(why, "unknown mapping flags");
	if (!map->length)
		return corrupt(why, "mapping of no length");
	if (map->offset > S64_MAX || map->length > S64_MAX - map->offset)
		return corrupt(why, "mapping beyond all files");
	if (!fusex_map_on_device(map) && (map->addr || map->dev))
		return corrupt(why, "address of what has none");
	if (map->type == FUSEX_MAP_INLINE)
		return check_map_inline(map, why);
	if (map->offset & mask || map->length & mask)
		return corrupt(why, "mapping of part of a block");
	if (!fusex_map_on_device(map))
		return 0;
	if (map->addr & mask)
		return corrupt(why, "address within a block");
	if (map->addr > S64_MAX || map->length > S64_MAX - map->addr)
		return corrupt(why, "address beyond all devices");
	return map->dev ? 0 : corrupt(why, "mapping without a device");
}

static int check_map_covers(const struct fusex_conf *conf,
			    const struct fusex_map *map, u64 offset,
			    const char **why)
{
	int err = fusex_check_map(conf, map, why);

	if (err)
		return err;
	if (offset < map->offset || offset - map->offset >= map->length)
		return corrupt(why, "mapping of another range");
	return 0;
}

/*
 * What is there: all of the file that is inline is.  Who only looks may look behind
 * it.
 */
static int check_map_read(const struct fusex_conf *conf,
			  const struct fusex_map_begin_in *in,
			  const struct fusex_map *map, const char **why)
{
	if (map->type == FUSEX_MAP_INLINE && in->size > map->length)
		return corrupt(why, "inline mapping of part of a file");
	if (map->type != FUSEX_MAP_INLINE || in->op & FUSEX_MAP_OP_WRITE)
		return check_map_covers(conf, map, in->offset, why);
	return fusex_check_map(conf, map, why);
}

/* Inline data is written as a whole, and not by what is no write. */
static int check_map_write_inline(const struct fusex_map_begin_in *in,
				  const struct fusex_map *map, const char **why)
{
	if (in->op & (FUSEX_MAP_OP_FAULT | FUSEX_MAP_OP_WRITEBACK |
		      FUSEX_MAP_OP_ATOMIC | FUSEX_MAP_OP_DAX))
		return corrupt(why, "inline mapping where none can be");
	if (in->length > map->length - in->offset)
		return corrupt(why, "inline mapping of part of a write");
	return 0;
}

/* What data goes to. */
static int check_map_write(const struct fusex_map_begin_in *in,
			   const struct fusex_map *map, const char **why)
{
	switch (map->type) {
	case FUSEX_MAP_HOLE:
		return corrupt(why, "hole to be written to");
	case FUSEX_MAP_DELALLOC:
		if (in->op & (FUSEX_MAP_OP_DIRECT | FUSEX_MAP_OP_WRITEBACK |
			      FUSEX_MAP_OP_DAX))
			return corrupt(why, "no space where some is needed");
		break;
	case FUSEX_MAP_INLINE:
		return check_map_write_inline(in, map, why);
	}
	if (map->flags & FUSEX_MAP_F_SHARED)
		return corrupt(why, "shared space to be written to");
	/* It would be the file's before it is zeros. */
	if (in->op & FUSEX_MAP_OP_DAX && map->type == FUSEX_MAP_MAPPED &&
	    map->flags & FUSEX_MAP_F_NEW)
		return corrupt(why, "new space that is to be stored to");
	if (in->op & FUSEX_MAP_OP_ATOMIC &&
	    !(map->flags & FUSEX_MAP_F_ATOMIC))
		return invalid(why, "no atomic write there");
	return 0;
}

static int check_map_elsewhere(const struct fusex_conf *conf,
			       const struct fusex_map_begin_in *in,
			       const struct fusex_map_begin_out *out,
			       const char **why)
{
	if (!(in->op & FUSEX_MAP_OP_WRITE))
		return corrupt(why, "mapping to write to without a write");
	if (!fusex_map_on_device(&out->write))
		return corrupt(why, "out of place to no place");
	if (out->read.type == FUSEX_MAP_INLINE)
		return corrupt(why, "out of place of inline data");
	if (out->read.flags & FUSEX_MAP_F_NEW)
		return corrupt(why, "new space that is not written to");
	return check_map_covers(conf, &out->write, in->offset, why);
}

static int check_lease(const struct fusex_map_begin_out *out, bool shared,
		       const char **why)
{
	if (!shared && (out->lease || out->lease_valid))
		return corrupt(why, "lease of a local file");
	if (!out->lease && out->lease_valid)
		return corrupt(why, "validity of no lease");
	return 0;
}

/**
 * fusex_check_map_begin - check the reply to MAP_BEGIN
 * @conf: what was agreed at setup
 * @in: what was asked for
 * @out: from the server
 * @shared: the file is remote
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED; -EINVAL if the write cannot be atomic.
 */
int fusex_check_map_begin(const struct fusex_conf *conf,
			  const struct fusex_map_begin_in *in,
			  const struct fusex_map_begin_out *out, bool shared,
			  const char **why)
{
	bool elsewhere = out->write.type != FUSEX_MAP_NONE;
	const struct fusex_map *to = elsewhere ? &out->write : &out->read;
	int err;

	err = fusex_check_attr(conf, &out->attr, 0, why);
	if (!err)
		err = check_lease(out, shared, why);
	if (!err)
		err = check_map_read(conf, in, &out->read, why);
	if (!err && elsewhere)
		err = check_map_elsewhere(conf, in, out, why);
	if (!err && !elsewhere && memchr_inv(&out->write, 0, sizeof(out->write)))
		err = corrupt(why, "no mapping that says something");
	if (!err && in->op & FUSEX_MAP_OP_WRITE)
		err = check_map_write(in, to, why);
	return err;
}

/**
 * fusex_check_lock - check the reply to GETLK
 * @in: what was asked for
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_lock(const struct fusex_lock *in, const struct fusex_lock *out,
		     const char **why)
{
	if (out->flags & ~FUSEX_LOCK_KNOWN || out->reserved)
		return corrupt(why, "unknown lock flags");
	if (out->type == F_UNLCK)
		return 0;
	if (out->type != F_RDLCK && out->type != F_WRLCK)
		return corrupt(why, "unknown lock type");
	if (out->start > out->end || out->end > OFFSET_MAX)
		return corrupt(why, "bad range of a lock");
	if (out->start > in->end || out->end < in->start)
		return corrupt(why, "lock outside the range asked for");
	if (out->pid > S32_MAX)
		return corrupt(why, "bad process id of a lock");
	return 0;
}

/**
 * fusex_check_ioctl - check the reply to IOCTL
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_ioctl(const struct fusex_ioctl_out *out, const char **why)
{
	if (out->result < 0)
		return corrupt(why, "negative ioctl result");
	if (out->reserved)
		return corrupt(why, "reserved field of an ioctl result set");
	return 0;
}

/**
 * fusex_check_poll - check the reply to POLL
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_poll(const struct fusex_poll_out *out, const char **why)
{
	if (out->revents & ~FUSEX_POLL_KNOWN)
		return corrupt(why, "unknown poll events");
	if (out->reserved)
		return corrupt(why, "reserved field of poll events set");
	return 0;
}

/* ------------------------------------------------- everything else asked for */

/**
 * fusex_check_statfs - check the reply to STATFS
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_statfs(const struct fusex_statfs_out *out, const char **why)
{
	if (!out->bsize || out->bsize > S32_MAX ||
	    !out->frsize || out->frsize > S32_MAX)
		return corrupt(why, "bad block size");
	if (!out->namelen || out->namelen > FUSEX_NAME_MAX)
		return corrupt(why, "bad length of the longest name");
	if (out->bfree > out->blocks || out->bavail > out->blocks)
		return corrupt(why, "more space free than there is");
	if (out->ffree > out->files)
		return corrupt(why, "more inodes free than there are");
	if (out->reserved)
		return corrupt(why, "reserved field of statistics set");
	return 0;
}

/**
 * fusex_check_xattr - check the reply to GETXATTR and LISTXATTR
 * @in: what was asked for
 * @out: from the server
 * @payload: bytes that followed @out
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_xattr(const struct fusex_xattr_in *in,
		      const struct fusex_xattr_out *out, size_t payload,
		      const char **why)
{
	if (out->reserved)
		return corrupt(why, "reserved field of an attribute set");
	if (!in->size && payload)
		return corrupt(why, "value though only the size was asked for");
	if (out->size > (in->size ?: XATTR_SIZE_MAX))
		return corrupt(why, "attribute too large");
	if (in->size && payload != out->size)
		return corrupt(why, "attribute of another size than it says");
	return 0;
}

/**
 * fusex_check_xlist - check a list of attribute names
 * @list: names, each with its NUL
 * @len: bytes
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_xlist(const char *list, size_t len, const char **why)
{
	while (len) {
		size_t n = strnlen(list, len);

		if (n == len)
			return corrupt(why, "attribute name without an end");
		if (!n || n > XATTR_NAME_MAX)
			return corrupt(why, "bad length of an attribute name");
		list += n + 1;
		len -= n + 1;
	}
	return 0;
}

/**
 * fusex_check_fileattr - check the reply to FILEATTR_GET
 * @out: from the server
 * @why: returns what is wrong
 *
 * Return: 0 or -EFSCORRUPTED.
 */
int fusex_check_fileattr(const struct fusex_fileattr *out, const char **why)
{
	if (out->xflags > U32_MAX)
		return corrupt(why, "unknown extended flags");
	if (out->reserved)
		return corrupt(why, "reserved field of file attributes set");
	return 0;
}

/**
 * fusex_check_out_header - check what begins every reply and notification
 * @oh: from the server
 * @written: bytes of the write(2) that carried it
 * @why: returns what is wrong
 *
 * Return: 0 or -EINVAL, for it is the write that fails.
 */
int fusex_check_out_header(const struct fusex_out_header *oh, size_t written,
			   const char **why)
{
	if (written < sizeof(*oh) || oh->len != written)
		return invalid(why, "length is not what was written");
	if (oh->error > 0 || oh->error < -511)
		return invalid(why, "error out of range");
	if (oh->reserved)
		return invalid(why, "reserved field of a header set");
	if (!oh->unique != !!oh->notify)
		return invalid(why, "neither a reply nor a notification");
	if (oh->error && (oh->notify || oh->len != sizeof(*oh)))
		return invalid(why, "an error with contents");
	return 0;
}

/* ------------------------------------------------------------------ setup */

/* Modes: the default and the set, both of numbers that exist. */
static int check_modes(const struct fusex_setup *s, u32 supported_io_modes,
		       const char **why)
{
	u32 io_known = GENMASK(FUSEX_IO_NR - 1, 1);
	u32 attr_known = GENMASK(FUSEX_ATTR_NR - 1, 1);

	if (!s->io_mode || s->io_mode >= FUSEX_IO_NR)
		return invalid(why, "unknown default I/O mode");
	if (!s->attr_mode || s->attr_mode >= FUSEX_ATTR_NR)
		return invalid(why, "unknown default attribute mode");
	if (s->io_modes & ~io_known)
		return invalid(why, "unknown I/O modes");
	if (s->attr_modes & ~attr_known)
		return invalid(why, "unknown attribute modes");
	if ((s->io_modes | BIT(s->io_mode)) & ~supported_io_modes) {
		*why = "I/O mode is not supported by this kernel";
		return -EOPNOTSUPP;
	}
	return 0;
}

static bool io_size_ok(u32 size)
{
	return !size || (size >= FUSEX_IO_SIZE_MIN &&
			 size <= FUSEX_IO_SIZE_MAX &&
			 IS_ALIGNED(size, FUSEX_IO_SIZE_MIN));
}

static int check_sizes(const struct fusex_setup *s, const char **why)
{
	if (!io_size_ok(s->max_read))
		return invalid(why, "bad max_read");
	if (!io_size_ok(s->max_write))
		return invalid(why, "bad max_write");
	if (!zero_or_power(s->block_size, 512, 65536))
		return invalid(why, "bad block_size");
	/* The page cache works in blocks that are not larger than a page. */
	if (s->block_size > PAGE_SIZE &&
	    (s->io_modes | BIT(s->io_mode)) & FUSEX_IO_MAPPED)
		return invalid(why, "block_size too large for mappings");
	/* Of memory whole pages are mapped. */
	if ((s->io_modes | BIT(s->io_mode)) & BIT(FUSEX_IO_DAX) &&
	    (s->block_size ?: FUSEX_DEFAULT_BLOCK_SIZE) != PAGE_SIZE)
		return invalid(why, "block_size is no page in dax mode");
	if (s->handle_size > FUSEX_HANDLE_MAX)
		return invalid(why, "handle_size too large");
	if (s->features & FUSEX_F_EXPORT &&
	    s->handle_size > FUSEX_EXPORT_HANDLE_MAX)
		return invalid(why, "handle_size too large to be exported");
	if (s->stack_depth > FILESYSTEM_MAX_STACK_DEPTH)
		return invalid(why, "stack_depth too large");
	if (s->stack_depth && !(s->io_modes & BIT(FUSEX_IO_PASSTHROUGH)) &&
	    s->io_mode != FUSEX_IO_PASSTHROUGH)
		return invalid(why, "stack_depth without a mode that stacks");
	if (s->max_links > S32_MAX)
		return invalid(why, "max_links too large");
	if (s->max_file_size > S64_MAX)
		return invalid(why, "max_file_size too large");
	if (s->time_gran > NSEC_PER_SEC)
		return invalid(why, "time_gran too large");
	if (s->time_min > s->time_max)
		return invalid(why, "time_min after time_max");
	return 0;
}

static int check_subtype(const char *subtype, size_t room, const char **why)
{
	size_t len = strnlen(subtype, room);
	size_t i;

	if (len == room)
		return invalid(why, "subtype without an end");
	for (i = 0; i < len; i++) {
		if (!isascii(subtype[i]) ||
		    (!isalnum(subtype[i]) && subtype[i] != '-' &&
		     subtype[i] != '_'))
			return invalid(why, "bad character in subtype");
	}
	return 0;
}

static int check_root(const struct fusex_setup *s, const char **why)
{
	struct limits l = setup_limits(s);
	const char *fault = entry_fault(&l, &s->root);

	if (fault)
		return invalid(why, fault);
	if (!s->root.nodeid)
		return invalid(why, "root has no node");
	if (!S_ISDIR(s->root.attr.mode))
		return invalid(why, "root is no directory");
	return 0;
}

/**
 * fusex_check_setup - check the argument of FUSEX_IOC_SETUP
 * @s: from the server, as wide as this kernel knows it
 * @supported_io_modes: bit (1 << mode) for each mode this kernel has
 * @why: returns what is wrong
 *
 * Return: 0, -EPROTONOSUPPORT for another version of the interface,
 * -EOPNOTSUPP for a mode that exists and this kernel lacks, -EINVAL for
 * everything else.
 */
int fusex_check_setup(const struct fusex_setup *s, u32 supported_io_modes,
		      const char **why)
{
	int err;

	if (s->abi != FUSEX_ABI) {
		*why = "another version of the interface";
		return -EPROTONOSUPPORT;
	}
	if (s->features & ~FUSEX_F_KNOWN)
		return invalid(why, "unknown features");
	if (s->flags ||
	    memchr_inv(s->reserved, 0, sizeof(s->reserved)))
		return invalid(why, "reserved field of the setup set");
	err = check_modes(s, supported_io_modes, why);
	if (!err)
		err = check_sizes(s, why);
	if (!err)
		err = check_subtype(s->subtype, sizeof(s->subtype), why);
	if (!err)
		err = check_root(s, why);
	return err;
}

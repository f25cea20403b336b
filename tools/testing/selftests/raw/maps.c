// SPDX-License-Identifier: GPL-2.0
/* What the test server answers about mappings when it behaves. */
#include "answer.h"
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_END	((1ull << 63) - BLOCK)

/* -------------------------------------------------------------------- lists */

static uint64_t end_of(const struct fusex_map *m)
{
	return m->offset + m->length;
}

static bool has_addr(const struct fusex_map *m)
{
	return m->type == FUSEX_MAP_MAPPED || m->type == FUSEX_MAP_UNWRITTEN;
}

static void list_remove(struct map_list *l, unsigned int i)
{
	l->nr--;
	memmove(&l->map[i], &l->map[i + 1], (l->nr - i) * sizeof(l->map[0]));
}

static void list_insert(struct map_list *l, const struct fusex_map *m)
{
	unsigned int i = 0;

	if (l->nr == MAP_EXTENTS)
		abort();
	while (i < l->nr && l->map[i].offset < m->offset)
		i++;
	memmove(&l->map[i + 1], &l->map[i], (l->nr - i) * sizeof(l->map[0]));
	l->map[i] = *m;
	l->nr++;
}

static void cut_front(struct fusex_map *m, uint64_t len)
{
	m->offset += len;
	m->length -= len;
	if (has_addr(m))
		m->addr += len;
}

/* Nothing is from @start to @end any more. */
static void list_carve(struct map_list *l, uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < l->nr; ) {
		struct fusex_map m = l->map[i];

		if (end_of(&m) <= start || m.offset >= end) {
			i++;
			continue;
		}
		list_remove(l, i);
		if (m.offset < start) {
			struct fusex_map left = m;

			left.length = start - m.offset;
			list_insert(l, &left);
			i++;
		}
		if (end_of(&m) > end) {
			cut_front(&m, end - m.offset);
			list_insert(l, &m);
			i++;
		}
	}
}

static bool follows(const struct fusex_map *a, const struct fusex_map *b)
{
	return end_of(a) == b->offset && a->type == b->type &&
		a->flags == b->flags && a->dev == b->dev &&
		(!has_addr(a) || a->addr + a->length == b->addr);
}

static void list_merge(struct map_list *l)
{
	for (unsigned int i = 0; i + 1 < l->nr; ) {
		if (follows(&l->map[i], &l->map[i + 1])) {
			l->map[i].length += l->map[i + 1].length;
			list_remove(l, i + 1);
		} else {
			i++;
		}
	}
}

static void list_set(struct map_list *l, const struct fusex_map *m)
{
	list_carve(l, m->offset, end_of(m));
	list_insert(l, m);
	list_merge(l);
}

static struct fusex_map *list_find(struct map_list *l, uint64_t offset)
{
	for (unsigned int i = 0; i < l->nr; i++)
		if (offset >= l->map[i].offset && offset < end_of(&l->map[i]))
			return &l->map[i];
	return NULL;
}

/* What is between the neighbours. */
static struct fusex_map list_hole(const struct map_list *l, uint64_t offset)
{
	struct fusex_map m = { .type = FUSEX_MAP_HOLE };
	uint64_t end = FILE_END;

	for (unsigned int i = 0; i < l->nr; i++) {
		if (end_of(&l->map[i]) <= offset)
			m.offset = end_of(&l->map[i]);
		else if (l->map[i].offset < end)
			end = l->map[i].offset;
	}
	m.length = end - m.offset;
	return m;
}

/* ------------------------------------------------------------------ answers */

static uint64_t down(uint64_t n)
{
	return n & ~(uint64_t)(BLOCK - 1);
}

static uint64_t up(uint64_t n)
{
	return down(n + BLOCK - 1);
}

static uint64_t take_space(struct raw *r, uint64_t length)
{
	uint64_t addr = r->maps->next;

	r->maps->next += length;
	return addr;
}

/* Space for what is asked for, between the neighbours. */
static struct fusex_map space_for(struct raw *r, const struct map_list *l,
				  const struct fusex_map_begin_in *in,
				  uint16_t type)
{
	struct fusex_map m = list_hole(l, in->offset);
	uint64_t start = down(in->offset), end = up(in->offset + in->length);

	if (start < m.offset)
		start = m.offset;
	if (end > end_of(&m))
		end = end_of(&m);
	m = (struct fusex_map){
		.offset = start, .length = end - start, .type = type,
	};
	if (has_addr(&m)) {
		m.addr = take_space(r, m.length);
		m.dev = r->maps->dev;
	}
	return m;
}

/* What was inline is on the device. */
static void convert(struct raw *r, struct map_file *f)
{
	static char block[BLOCK] __attribute__((aligned(4096)));
	struct fusex_map m = {
		.length = BLOCK, .type = FUSEX_MAP_MAPPED, .dev = r->maps->dev,
		.addr = take_space(r, BLOCK),
	};
	int fd = open(r->maps->disks[0].path, O_RDWR | O_DIRECT);

	memset(block, 0, sizeof(block));
	memcpy(block, f->data, f->room);
	if (fd < 0 || pwrite(fd, block, BLOCK, (off_t)m.addr) != BLOCK)
		abort();
	close(fd);
	f->room = 0;
	list_set(&f->at, &m);
}

static bool stays_inline(const struct map_file *f,
			 const struct fusex_map_begin_in *in)
{
	if (!f->room)
		return false;
	if (!(in->op & FUSEX_MAP_OP_WRITE))
		return true;
	return !(in->op & FUSEX_MAP_OP_FAULT) &&
		in->offset + in->length <= f->room;
}

static struct fusex_map write_to(struct raw *r, struct map_file *f,
				 const struct fusex_map_begin_in *in)
{
	struct fusex_map *m = list_find(&f->at, in->offset), new;
	uint16_t type = f->alloc ? f->alloc : FUSEX_MAP_UNWRITTEN;

	if (m && m->type == FUSEX_MAP_DELALLOC &&
	    in->op & (FUSEX_MAP_OP_WRITEBACK | FUSEX_MAP_OP_DIRECT)) {
		m->type = FUSEX_MAP_UNWRITTEN;
		m->addr = take_space(r, m->length);
		m->dev = r->maps->dev;
	}
	if (m)
		return *m;
	if (type == FUSEX_MAP_DELALLOC && in->op & FUSEX_MAP_OP_DIRECT)
		type = FUSEX_MAP_UNWRITTEN;
	new = space_for(r, &f->at, in, type);
	list_set(&f->at, &new);
	if (new.type == FUSEX_MAP_MAPPED)
		new.flags |= FUSEX_MAP_F_NEW;
	return new;
}

static struct fusex_map write_elsewhere(struct raw *r, struct map_file *f,
					const struct fusex_map_begin_in *in)
{
	struct fusex_map *m = list_find(&f->cow, in->offset), new;

	if (m)
		return *m;
	new = space_for(r, &f->cow, in, FUSEX_MAP_UNWRITTEN);
	list_set(&f->cow, &new);
	return new;
}

static void find_mapping(struct raw *r, struct map_file *f,
			 const struct fusex_map_begin_in *in,
			 struct fusex_map_begin_out *out)
{
	struct fusex_map *m;

	if (stays_inline(f, in)) {
		out->read = (struct fusex_map){
			.length = f->room, .type = FUSEX_MAP_INLINE,
		};
		return;
	}
	if (f->room)
		convert(r, f);
	m = list_find(&f->at, in->offset);
	if (in->op & FUSEX_MAP_OP_WRITE && m &&
	    m->flags & FUSEX_MAP_F_SHARED) {
		out->read = *m;
		out->write = write_elsewhere(r, f, in);
	} else if (in->op & FUSEX_MAP_OP_WRITE) {
		out->read = write_to(r, f, in);
	} else {
		out->read = m ? *m : list_hole(&f->at, in->offset);
	}
}

static const void *arg_of(const struct fusex_in_header *in)
{
	return in + 1;
}

static void *body(struct raw_reply *rep, size_t len)
{
	void *p = rep->body + rep->len;

	memset(p, 0, len);
	rep->len += len;
	return p;
}

static void on_begin(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	struct fusex_map_begin_out *out = body(rep, sizeof(*out));
	struct map_file *f = &r->maps->files[in->nodeid];

	find_mapping(r, f, arg_of(in), out);
	out->read.flags |= f->flags;
	out->lease = f->lease;
	out->lease_valid = f->lease_valid;
}

/* Whole blocks of what was written; what was meant by @from is there now. */
static void written(struct map_list *from, struct map_file *f,
		    const struct fusex_map_ioend_in *io)
{
	uint64_t end = up(io->offset + io->length);

	for (uint64_t at = down(io->offset); at < end; ) {
		struct fusex_map *m = list_find(from, at), new;

		if (!m)
			return;
		new = *m;
		cut_front(&new, at - new.offset);
		if (end_of(&new) > end)
			new.length = end - at;
		at = end_of(&new);
		new.type = FUSEX_MAP_MAPPED;
		new.flags = 0;
		if (from == &f->cow)
			list_carve(from, new.offset, end_of(&new));
		list_set(&f->at, &new);
	}
}

static void on_ioend(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	const struct fusex_map_ioend_in *io = arg_of(in);
	struct fusex_attr_out *out = body(rep, sizeof(*out));
	struct map_file *f = &r->maps->files[in->nodeid];
	struct raw_node *n = &r->nodes[in->nodeid];

	if (!io->error && io->flags & FUSEX_IOEND_REPLACE)
		written(&f->cow, f, io);
	else if (!io->error && io->flags & FUSEX_IOEND_UNWRITTEN)
		written(&f->at, f, io);
	if (io->flags & FUSEX_IOEND_APPEND && n->size < io->size)
		n->size = io->size;
	out->attr_valid = FUSEX_FOREVER;
	answer_attr_of(&out->attr, in->nodeid, n->mode, n->size, n->nlink);
}

static void allocate(struct raw *r, struct map_file *f, uint64_t start,
		     uint64_t end)
{
	while (start < end) {
		struct fusex_map_begin_in in = {
			.offset = start, .length = end - start,
			.op = FUSEX_MAP_OP_WRITE,
		};
		struct fusex_map *m = list_find(&f->at, start), new;

		if (m) {
			start = end_of(m);
			continue;
		}
		new = space_for(r, &f->at, &in, FUSEX_MAP_UNWRITTEN);
		start = end_of(&new);
		list_set(&f->at, &new);
	}
}

/* What is behind @from is @by bytes farther, or nearer. */
static void shift(struct map_list *l, uint64_t from, int64_t by)
{
	list_carve(l, from, from);
	for (unsigned int i = 0; i < l->nr; i++)
		if (l->map[i].offset >= from)
			l->map[i].offset += (uint64_t)by;
	list_merge(l);
}

/* Splits what is at @at. */
static void split(struct map_list *l, uint64_t at)
{
	struct fusex_map *m = list_find(l, at), right;

	if (!m || m->offset == at)
		return;
	right = *m;
	cut_front(&right, at - m->offset);
	m->length = at - m->offset;
	list_insert(l, &right);
}

static void on_fallocate(struct raw *r, const struct fusex_in_header *in,
			 struct raw_reply *rep)
{
	const struct fusex_fallocate_in *fa = arg_of(in);
	struct map_file *f = &r->maps->files[in->nodeid];
	uint64_t end = fa->offset + fa->length;
	struct raw_node *n = &r->nodes[in->nodeid];

	switch (fa->mode & ~FALLOC_FL_KEEP_SIZE) {
	case FALLOC_FL_PUNCH_HOLE:
		if (up(fa->offset) < down(end))
			list_carve(&f->at, up(fa->offset), down(end));
		break;
	case FALLOC_FL_ZERO_RANGE:
		if (up(fa->offset) < down(end))
			list_carve(&f->at, up(fa->offset), down(end));
		allocate(r, f, down(fa->offset), up(end));
		break;
	case FALLOC_FL_COLLAPSE_RANGE:
		list_carve(&f->at, fa->offset, end);
		shift(&f->at, end, -(int64_t)fa->length);
		n->size -= fa->length;
		break;
	case FALLOC_FL_INSERT_RANGE:
		split(&f->at, fa->offset);
		shift(&f->at, fa->offset, (int64_t)fa->length);
		n->size += fa->length;
		break;
	default:
		allocate(r, f, down(fa->offset), up(end));
	}
	if (!(fa->mode & ~FALLOC_FL_ZERO_RANGE) && end > n->size)
		n->size = end;
	body(rep, sizeof(struct fusex_attr_out));
}

static void on_read(struct raw *r, const struct fusex_in_header *in,
		    struct raw_reply *rep)
{
	const struct fusex_read_in *rd = arg_of(in);
	uint64_t size = r->nodes[in->nodeid].size;
	size_t n = 0;

	if (rd->offset < size)
		n = size - rd->offset < rd->size ? size - rd->offset : rd->size;
	memcpy(body(rep, n), r->maps->files[in->nodeid].data + rd->offset, n);
}

static void on_write(struct raw *r, const struct fusex_in_header *in,
		     struct raw_reply *rep)
{
	const struct fusex_write_in *wr = arg_of(in);
	const char *data = (const char *)(in + 1) + in->arg_len +
		FUSEX_ALIGN(in->handle_len) + FUSEX_ALIGN(in->handle2_len);
	struct map_file *f = &r->maps->files[in->nodeid];
	struct raw_node *n = &r->nodes[in->nodeid];
	struct fusex_write_out *out;

	if (wr->offset + wr->size > f->room) {
		rep->oh.error = -EFBIG;
		return;
	}
	out = body(rep, sizeof(*out));
	memcpy(f->data + wr->offset, data, wr->size);
	if (n->size < wr->offset + wr->size)
		n->size = wr->offset + wr->size;
	out->written = wr->size;
	out->offset = wr->offset;
}

static void note(struct raw *r, const struct fusex_in_header *in)
{
	struct maps *m = r->maps;
	unsigned int n;

	if (in->opcode >= FUSEX_OP_NR)
		return;
	n = r->count[in->opcode] % MAP_LOG;
#define NOTE(op, list)							\
	do {								\
		if (in->opcode == FUSEX_OP_##op)			\
			memcpy(&m->list[n], in + 1, sizeof(m->list[n]));	\
	} while (0)
	NOTE(MAP_BEGIN, begins);
	NOTE(MAP_END, ends);
	NOTE(MAP_IOEND, ioends);
	NOTE(MAP_RETURN, returns);
	NOTE(FREEZE, freezes);
	NOTE(SETATTR, setattrs);
#undef NOTE
}

bool maps_answer(struct raw *r, const struct fusex_in_header *in,
		 struct raw_reply *rep)
{
	if (!r->maps)
		return false;
	note(r, in);
	if (in->opcode < FUSEX_OP_NR && r->maps->fail[in->opcode]) {
		rep->oh.error = -r->maps->fail[in->opcode];
		return true;
	}
	switch (in->opcode) {
	case FUSEX_OP_MAP_BEGIN:
		on_begin(r, in, rep);
		return true;
	case FUSEX_OP_MAP_IOEND:
		on_ioend(r, in, rep);
		return true;
	case FUSEX_OP_FALLOCATE:
		on_fallocate(r, in, rep);
		return true;
	case FUSEX_OP_READ:
		on_read(r, in, rep);
		return true;
	case FUSEX_OP_WRITE:
		on_write(r, in, rep);
		return true;
	case FUSEX_OP_IOCTL:
		rep->oh.error = -ENOTTY;
		return true;
	case FUSEX_OP_MAP_END:
	case FUSEX_OP_MAP_RETURN:
	case FUSEX_OP_FREEZE:
		return true;
	}
	return false;
}

void maps_changed(struct raw *r, const struct fusex_in_header *in,
		  const struct raw_reply *rep)
{
	const struct fusex_setattr_in *set = arg_of(in);
	struct map_file *f;

	if (!r->maps || in->opcode != FUSEX_OP_SETATTR || rep->oh.error ||
	    !(set->valid & FUSEX_SET_SIZE))
		return;
	f = &r->maps->files[in->nodeid];
	if (f->room && set->size < f->room)
		memset(f->data + set->size, 0, f->room - set->size);
	list_carve(&f->at, up(set->size), UINT64_MAX);
	list_carve(&f->cow, up(set->size), UINT64_MAX);
}

void maps_on(struct raw *r, uint64_t node, uint16_t type, uint64_t offset,
	     uint64_t length, uint64_t addr, uint32_t dev)
{
	struct fusex_map m = {
		.offset = offset, .length = length, .addr = addr, .type = type,
		.dev = dev,
	};

	pthread_mutex_lock(&r->lock);
	list_set(&r->maps->files[node].at, &m);
	pthread_mutex_unlock(&r->lock);
}

const struct fusex_map *maps_find(struct raw *r, uint64_t node, uint64_t offset)
{
	return list_find(&r->maps->files[node].at, offset);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables of limits: a field of a structure that is otherwise good, a value that
 * passes and one that does not.
 */
#ifndef _FS_FUSEX_TESTS_LIMITS_H
#define _FS_FUSEX_TESTS_LIMITS_H

#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/sprintf.h>
#include <linux/types.h>

struct limit {
	const char *field;
	const void *at;
	size_t size;
	u64 inside;
	u64 outside;
	int err;	/* when it is not what the check usually says */
};

/* A field of the model that the table is about. */
#define LIMIT(field, ...) \
	{ #field, &(field), sizeof(field), __VA_ARGS__ }

static inline void limit_name(const struct limit *l, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s=%llx not %llx", l->field,
		 l->inside, l->outside);
}

/* Puts a value into a field of an object, whatever its size. */
static inline void poke(void *object, const void *model, const struct limit *l,
			u64 value)
{
	void *field = object + (l->at - model);

	switch (l->size) {
	case 1:
		*(u8 *)field = value;
		break;
	case 2:
		*(u16 *)field = value;
		break;
	case 4:
		*(u32 *)field = value;
		break;
	case 8:
		*(u64 *)field = value;
		break;
	}
}

/* Whoever refuses something says why. */
static inline int said(int err, const char **why)
{
	if (err && !*why)
		return -ENOMSG;
	*why = NULL;
	return err;
}

#define EXPECT_GOOD(test, err) KUNIT_EXPECT_EQ(test, err, 0)
#define EXPECT_BAD(test, err) EXPECT_ERR(test, err, -EFSCORRUPTED)
#define EXPECT_ERR(test, err, expected) \
	KUNIT_EXPECT_EQ(test, said(err, &why), expected)

#endif /* _FS_FUSEX_TESTS_LIMITS_H */

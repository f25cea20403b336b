// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints, and the names of operations.
 */

#include "chan.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define comma	,
#define name_of(op, name)	[op] = name

static const char *const op_names[FUSEX_OP_NR] = {
	FUSEX_OP_NAMES(name_of, comma)
};

/**
 * fusex_op_name - name an operation for people
 * @opcode: any number
 *
 * Context: any.
 * Return: a static string, "?" for what is no operation.
 */
const char *fusex_op_name(u32 opcode)
{
	if (opcode >= FUSEX_OP_NR || !op_names[opcode])
		return "?";
	return op_names[opcode];
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: the life of a request, and what is wrong with replies.
 *
 * Requests are told apart by the device of the mount and their number.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM fusex

#if !defined(_FS_FUSEX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _FS_FUSEX_TRACE_H

#include <linux/fusex.h>
#include <linux/kdev_t.h>
#include <linux/tracepoint.h>

#include "opnames.h"

#ifndef FUSEX_TRACE_NAMES
#define FUSEX_TRACE_NAMES
#define fusex_trace_comma	,
#define fusex_trace_name(value, name)	{ value, name }
#define fusex_show_op(op)						\
	__print_symbolic(op,						\
		FUSEX_OP_NAMES(fusex_trace_name, fusex_trace_comma))
#define fusex_show_notify(code)						\
	__print_symbolic(code,						\
		{ FUSEX_NOTIFY_INVAL_INODE,	"inval_inode" },	\
		{ FUSEX_NOTIFY_INVAL_ENTRY,	"inval_entry" },	\
		{ FUSEX_NOTIFY_EXPIRE_ENTRY,	"expire_entry" },	\
		{ FUSEX_NOTIFY_DELETE_ENTRY,	"delete_entry" },	\
		{ FUSEX_NOTIFY_PRUNE,		"prune" },		\
		{ FUSEX_NOTIFY_POLL,		"poll" })
#endif

#define fusex_trace_enum(value, name)	TRACE_DEFINE_ENUM(value);
FUSEX_OP_NAMES(fusex_trace_enum, )
TRACE_DEFINE_ENUM(FUSEX_NOTIFY_INVAL_INODE);
TRACE_DEFINE_ENUM(FUSEX_NOTIFY_INVAL_ENTRY);
TRACE_DEFINE_ENUM(FUSEX_NOTIFY_EXPIRE_ENTRY);
TRACE_DEFINE_ENUM(FUSEX_NOTIFY_DELETE_ENTRY);
TRACE_DEFINE_ENUM(FUSEX_NOTIFY_PRUNE);
TRACE_DEFINE_ENUM(FUSEX_NOTIFY_POLL);
#undef fusex_trace_enum

TRACE_EVENT(fusex_request_begin,
	TP_PROTO(dev_t dev, const struct fusex_in_header *in),
	TP_ARGS(dev, in),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, unique)
		__field(u64, nodeid)
		__field(u32, op)
		__field(u32, len)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->unique = in->unique;
		__entry->nodeid = in->nodeid;
		__entry->op = in->opcode;
		__entry->len = in->len;
	),
	TP_printk("dev=%d:%d unique=%llu op=%s node=%llu len=%u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->unique,
		  fusex_show_op(__entry->op), __entry->nodeid, __entry->len)
);

TRACE_EVENT(fusex_request_sent,
	TP_PROTO(dev_t dev, const struct fusex_in_header *in),
	TP_ARGS(dev, in),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, unique)
		__field(u32, op)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->unique = in->unique;
		__entry->op = in->opcode;
	),
	TP_printk("dev=%d:%d unique=%llu op=%s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->unique,
		  fusex_show_op(__entry->op))
);

TRACE_EVENT(fusex_request_end,
	TP_PROTO(dev_t dev, const struct fusex_in_header *in, int error,
		 u64 ns),
	TP_ARGS(dev, in, error, ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, unique)
		__field(u64, ns)
		__field(u32, op)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->unique = in->unique;
		__entry->ns = ns;
		__entry->op = in->opcode;
		__entry->error = error;
	),
	TP_printk("dev=%d:%d unique=%llu op=%s error=%d ns=%llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->unique,
		  fusex_show_op(__entry->op), __entry->error, __entry->ns)
);

TRACE_EVENT(fusex_bad_reply,
	TP_PROTO(dev_t dev, u64 unique, u32 op, u64 nodeid, const char *why),
	TP_ARGS(dev, unique, op, nodeid, why),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, unique)
		__field(u64, nodeid)
		__field(u32, op)
		__string(why, why)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->unique = unique;
		__entry->nodeid = nodeid;
		__entry->op = op;
		__assign_str(why);
	),
	TP_printk("dev=%d:%d unique=%llu op=%s node=%llu why=\"%s\"",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->unique,
		  fusex_show_op(__entry->op), __entry->nodeid, __get_str(why))
);

TRACE_EVENT(fusex_notify,
	TP_PROTO(dev_t dev, u32 code, int error),
	TP_ARGS(dev, code, error),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, code)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->code = code;
		__entry->error = error;
	),
	TP_printk("dev=%d:%d code=%s error=%d",
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  fusex_show_notify(__entry->code), __entry->error)
);

TRACE_EVENT(fusex_forget,
	TP_PROTO(dev_t dev, const struct fusex_forget_one *one),
	TP_ARGS(dev, one),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, nodeid)
		__field(u64, nlookup)
		__field(u32, generation)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->nodeid = one->nodeid;
		__entry->nlookup = one->nlookup;
		__entry->generation = one->generation;
	),
	TP_printk("dev=%d:%d node=%llu generation=%u nlookup=%llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->nodeid,
		  __entry->generation, __entry->nlookup)
);

#endif /* _FS_FUSEX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

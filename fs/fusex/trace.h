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

#include <linux/kdev_t.h>
#include <linux/tracepoint.h>

#include "chan.h"

TRACE_EVENT(fusex_request_begin,
	    TP_PROTO(dev_t dev, const struct fusex_in_header *in),
	    TP_ARGS(dev, in),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, unique)
			     __field(u64, nodeid)
			     __string(op, fusex_op_name(in->opcode))
			     __field(u32, len)),
	    TP_fast_assign(__entry->dev = dev;
			   __entry->unique = in->unique;
			   __entry->nodeid = in->nodeid;
			   __assign_str(op);
			   __entry->len = in->len;),
	    TP_printk("dev=%d:%d unique=%llu op=%s node=%llu len=%u",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      __entry->unique, __get_str(op), __entry->nodeid,
		      __entry->len)
);

TRACE_EVENT(fusex_request_sent,
	    TP_PROTO(dev_t dev, const struct fusex_in_header *in),
	    TP_ARGS(dev, in),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, unique)
			     __string(op, fusex_op_name(in->opcode))),
	    TP_fast_assign(__entry->dev = dev;
			   __entry->unique = in->unique;
			   __assign_str(op);),
	    TP_printk("dev=%d:%d unique=%llu op=%s",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      __entry->unique, __get_str(op))
);

TRACE_EVENT(fusex_request_end,
	    TP_PROTO(dev_t dev, const struct fusex_in_header *in, int error,
		     u64 ns),
	    TP_ARGS(dev, in, error, ns),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, unique)
			     __field(u64, ns)
			     __string(op, fusex_op_name(in->opcode))
			     __field(int, error)),
	    TP_fast_assign(__entry->dev = dev;
			   __entry->unique = in->unique;
			   __entry->ns = ns;
			   __assign_str(op);
			   __entry->error = error;),
	    TP_printk("dev=%d:%d unique=%llu op=%s error=%d ns=%llu",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      __entry->unique, __get_str(op), __entry->error,
		      __entry->ns)
);

TRACE_EVENT(fusex_bad_reply,
	    TP_PROTO(dev_t dev, u64 unique, u32 opcode, u64 nodeid,
		     const char *why),
	    TP_ARGS(dev, unique, opcode, nodeid, why),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, unique)
			     __field(u64, nodeid)
			     __string(op, fusex_op_name(opcode))
			     __string(why, why)),
	    TP_fast_assign(__entry->dev = dev;
			   __entry->unique = unique;
			   __entry->nodeid = nodeid;
			   __assign_str(op);
			   __assign_str(why);),
	    TP_printk("dev=%d:%d unique=%llu op=%s node=%llu why=\"%s\"",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      __entry->unique, __get_str(op), __entry->nodeid,
		      __get_str(why))
);

TRACE_EVENT(fusex_notify,
	    TP_PROTO(dev_t dev, u32 number, int error),
	    TP_ARGS(dev, number, error),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __string(code, fusex_notify_name(number))
			     __field(int, error)),
	    TP_fast_assign(__entry->dev = dev;
			   __assign_str(code);
			   __entry->error = error;),
	    TP_printk("dev=%d:%d code=%s error=%d",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      __get_str(code), __entry->error)
);

TRACE_EVENT(fusex_forget,
	    TP_PROTO(dev_t dev, const struct fusex_forget_one *one),
	    TP_ARGS(dev, one),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, nodeid)
			     __field(u64, nlookup)
			     __field(u32, generation)),
	    TP_fast_assign(__entry->dev = dev;
			   __entry->nodeid = one->nodeid;
			   __entry->nlookup = one->nlookup;
			   __entry->generation = one->generation;),
	    TP_printk("dev=%d:%d node=%llu generation=%u nlookup=%llu",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      __entry->nodeid, __entry->generation, __entry->nlookup)
);

#endif /* _FS_FUSEX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

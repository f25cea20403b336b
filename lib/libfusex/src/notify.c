// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Notifications.
 */
#include <string.h>
#include <sys/uio.h>

#include "internal.h"

/* The kernel's limit. */
#define PRUNE_BATCH	512

/**
 * send_notify() - write a notification
 * @se: session
 * @code: enum fusex_notify_code
 * @arg: its structure
 * @arg_len: bytes
 * @data: what follows it
 * @data_len: bytes, may be 0
 *
 * Return: 0 or -errno.
 */
static int send_notify(struct fusex_session *se, uint32_t code,
		       const void *arg, size_t arg_len,
		       const void *data, size_t data_len)
{
	struct fusex_out_header h = {
		.len	= (uint32_t)(sizeof(h) + arg_len + data_len),
		.notify	= code,
	};
	struct iovec iov[] = {
		{ .iov_base = &h, .iov_len = sizeof(h) },
		{ .iov_base = (void *)arg, .iov_len = arg_len },
		{ .iov_base = (void *)data, .iov_len = data_len },
	};

	if (!se->ready)
		return -ENOTCONN;
	return writev_all(se->fd, iov, data_len ? 3 : 2);
}

int fusex_notify_inval_inode(struct fusex_session *se,
			     const struct fusex_node_ref *node, uint32_t flags,
			     uint64_t offset, uint64_t length)
{
	struct fusex_notify_inode arg = {
		.nodeid		= node->nodeid,
		.generation	= node->generation,
		.flags		= flags,
		.offset		= offset,
		.length		= length,
	};

	return send_notify(se, FUSEX_NOTIFY_INVAL_INODE, &arg, sizeof(arg),
			   NULL, 0);
}

static int notify_entry(struct fusex_session *se, uint32_t code,
			const struct fusex_node_ref *dir, const char *name,
			const struct fusex_node_ref *child)
{
	size_t len = strlen(name);
	struct fusex_notify_entry arg = {
		.parent			= dir->nodeid,
		.parent_generation	= dir->generation,
		.name_len		= (uint32_t)len,
		.child			= child ? child->nodeid : 0,
		.child_generation	= child ? child->generation : 0,
	};

	if (!len)
		return -EINVAL;
	if (len > FUSEX_NAME_MAX)
		return -ENAMETOOLONG;
	return send_notify(se, code, &arg, sizeof(arg), name, len + 1);
}

int fusex_notify_inval_entry(struct fusex_session *se,
			     const struct fusex_node_ref *dir,
			     const char *name)
{
	return notify_entry(se, FUSEX_NOTIFY_INVAL_ENTRY, dir, name, NULL);
}

int fusex_notify_expire_entry(struct fusex_session *se,
			      const struct fusex_node_ref *dir,
			      const char *name)
{
	return notify_entry(se, FUSEX_NOTIFY_EXPIRE_ENTRY, dir, name, NULL);
}

int fusex_notify_delete_entry(struct fusex_session *se,
			      const struct fusex_node_ref *dir,
			      const char *name,
			      const struct fusex_node_ref *child)
{
	return notify_entry(se, FUSEX_NOTIFY_DELETE_ENTRY, dir, name, child);
}

int fusex_notify_prune(struct fusex_session *se,
		       const struct fusex_node_ref *nodes, size_t count)
{
	struct fusex_notify_prune arg = { 0 };
	bool found = !count;
	size_t n;
	int ret;

	for (; count; nodes += n, count -= n) {
		n = count < PRUNE_BATCH ? count : PRUNE_BATCH;
		arg.count = (uint32_t)n;
		ret = send_notify(se, FUSEX_NOTIFY_PRUNE, &arg, sizeof(arg),
				  nodes, n * sizeof(*nodes));
		if (ret && ret != -ENOENT)
			return ret;
		found |= !ret;
	}
	return found ? 0 : -ENOENT;
}

int fusex_notify_poll(struct fusex_session *se, uint64_t kh)
{
	struct fusex_notify_poll arg = { .kh = kh };

	return send_notify(se, FUSEX_NOTIFY_POLL, &arg, sizeof(arg), NULL, 0);
}

int fusex_notify_map_upsert(struct fusex_session *se,
			    const struct fusex_node_ref *node,
			    const struct fusex_map *maps, size_t count,
			    uint64_t lease, uint64_t lease_valid)
{
	struct fusex_notify_upsert arg = {
		.nodeid		= node->nodeid,
		.generation	= node->generation,
		.lease		= lease,
		.lease_valid	= lease_valid,
	};
	size_t n;
	int ret = 0;

	for (; count && !ret; maps += n, count -= n) {
		n = count < FUSEX_UPSERT_MAX ? count : FUSEX_UPSERT_MAX;
		arg.count = (uint32_t)n;
		ret = send_notify(se, FUSEX_NOTIFY_MAP_UPSERT, &arg,
				  sizeof(arg), maps, n * sizeof(*maps));
	}
	return ret;
}

int fusex_notify_map_inval(struct fusex_session *se,
			   const struct fusex_node_ref *node, uint64_t offset,
			   uint64_t length)
{
	struct fusex_notify_map arg = {
		.nodeid		= node->nodeid,
		.generation	= node->generation,
		.offset		= offset,
		.length		= length,
	};

	return send_notify(se, FUSEX_NOTIFY_MAP_INVAL, &arg, sizeof(arg),
			   NULL, 0);
}

int fusex_notify_map_recall(struct fusex_session *se,
			    const struct fusex_node_ref *node, uint64_t lease,
			    uint64_t offset, uint64_t length)
{
	struct fusex_notify_recall arg = {
		.nodeid		= node->nodeid,
		.generation	= node->generation,
		.lease		= lease,
		.offset		= offset,
		.length		= length,
	};

	return send_notify(se, FUSEX_NOTIFY_MAP_RECALL, &arg, sizeof(arg),
			   NULL, 0);
}

int fusex_notify_dev_inval(struct fusex_session *se, uint32_t dev,
			   uint64_t offset, uint64_t length)
{
	struct fusex_notify_dev arg = {
		.dev	= dev,
		.offset	= offset,
		.length	= length,
	};

	return send_notify(se, FUSEX_NOTIFY_DEV_INVAL, &arg, sizeof(arg),
			   NULL, 0);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a request's number to the function that serves it.
 */
#include <string.h>

#include "internal.h"

/* Operations the library handles by itself. */
#define NO_HANDLER	UINT16_MAX

#define OP(nr, name, len, reply) \
	[FUSEX_OP_##nr] = { op_##name, offsetof(struct fusex_ops, name), \
			    len, REPLY_##reply }

static const struct op_desc ops[FUSEX_OP_NR] = {
	OP(LOOKUP, lookup, sizeof(struct fusex_lookup_in), ENTRY),
	OP(FORGET, forget, sizeof(struct fusex_forget_in), NEVER),
	OP(GETATTR, getattr, sizeof(struct fusex_getattr_in), ATTR),
	OP(SETATTR, setattr, sizeof(struct fusex_setattr_in), ATTR),
	OP(ACCESS, access, sizeof(struct fusex_access_in), EMPTY),
	OP(READLINK, readlink, 0, DATA),
	OP(CREATE, create, sizeof(struct fusex_make_in), CREATE),
	OP(MKNOD, mknod, sizeof(struct fusex_make_in), ENTRY),
	OP(MKDIR, mkdir, sizeof(struct fusex_make_in), ENTRY),
	OP(SYMLINK, symlink, sizeof(struct fusex_make_in), ENTRY),
	OP(TMPFILE, tmpfile, sizeof(struct fusex_make_in), CREATE),
	OP(LINK, link, sizeof(struct fusex_link_in), ENTRY),
	OP(UNLINK, unlink, sizeof(struct fusex_unlink_in), UNLINK),
	OP(RMDIR, rmdir, sizeof(struct fusex_unlink_in), UNLINK),
	OP(RENAME, rename, sizeof(struct fusex_rename_in), RENAME),
	OP(OPEN, open, sizeof(struct fusex_open_in), OPEN),
	OP(RELEASE, release, sizeof(struct fusex_release_in), EMPTY),
	OP(FLUSH, flush, sizeof(struct fusex_flush_in), EMPTY),
	OP(READ, read, sizeof(struct fusex_read_in), DATA),
	OP(WRITE, write, sizeof(struct fusex_write_in), WRITE),
	OP(FSYNC, fsync, sizeof(struct fusex_fsync_in), EMPTY),
	OP(READDIR, readdir, sizeof(struct fusex_readdir_in), DIR),
	OP(FALLOCATE, fallocate, sizeof(struct fusex_fallocate_in), ATTR),
	OP(LSEEK, lseek, sizeof(struct fusex_lseek_in), LSEEK),
	OP(COPY_RANGE, copy_range, sizeof(struct fusex_copy_range_in), WRITE),
	OP(GETXATTR, getxattr, sizeof(struct fusex_xattr_in), XATTR),
	OP(SETXATTR, setxattr, sizeof(struct fusex_xattr_in), ATTR),
	OP(LISTXATTR, listxattr, sizeof(struct fusex_xattr_in), XATTR),
	OP(REMOVEXATTR, removexattr, sizeof(struct fusex_xattr_in), ATTR),
	OP(FILEATTR_GET, fileattr_get, 0, FILEATTR),
	OP(FILEATTR_SET, fileattr_set, sizeof(struct fusex_fileattr), ATTR),
	OP(GETLK, getlk, sizeof(struct fusex_lock), LOCK),
	OP(SETLK, setlk, sizeof(struct fusex_lock), EMPTY),
	OP(IOCTL, ioctl, sizeof(struct fusex_ioctl_in), IOCTL),
	OP(POLL, poll, sizeof(struct fusex_poll_in), POLL),
	OP(STATFS, statfs, 0, STATFS),
	OP(SYNCFS, syncfs, 0, EMPTY),
	OP(RESOLVE, resolve, 0, ENTRY),
	OP(PARENT, parent, 0, ENTRY),
	[FUSEX_OP_CANCEL] = { op_cancel, NO_HANDLER,
			      sizeof(struct fusex_cancel_in), REPLY_NEVER },
	OP(MAP_BEGIN, map_begin, sizeof(struct fusex_map_begin_in), MAP),
	OP(MAP_END, map_end, sizeof(struct fusex_map_end_in), EMPTY),
	OP(MAP_IOEND, map_ioend, sizeof(struct fusex_map_ioend_in), ATTR),
	OP(MAP_RETURN, map_return, sizeof(struct fusex_map_return_in), EMPTY),
	OP(FREEZE, freeze, sizeof(struct fusex_freeze_in), EMPTY),
	OP(SHUTDOWN, shutdown, sizeof(struct fusex_shutdown_in), EMPTY),
	[FUSEX_OP_UNMOUNT] = { op_unmount, NO_HANDLER, 0, REPLY_EMPTY },
};

static const struct op_desc unknown_op = { .kind = REPLY_EMPTY };

static bool has_handler(const struct fusex_session *se,
			const struct op_desc *op)
{
	void (*fn)(void);

	if (!op->run)
		return false;
	if (op->handler == NO_HANDLER)
		return true;
	memcpy(&fn, (const unsigned char *)&se->ops + op->handler, sizeof(fn));
	return fn;
}

static enum req_fate refuse(struct fusex_req *req, int error)
{
	if (req->op->kind != REPLY_NEVER)
		(void)req_send_error(req, error);
	return REQ_DONE;
}

/**
 * req_dispatch() - serve a request
 * @req: request that was read into its buffer
 * @len: bytes that were read, at least a header
 *
 * A request that is malformed is answered with EIO, one that the server has no
 * handler for with ENOSYS.
 *
 * Return: what became of it.
 */
enum req_fate req_dispatch(struct fusex_req *req, size_t len)
{
	const struct fusex_in_header *h = (const void *)req->in;

	req->hdr = h;
	req->op = h->opcode < FUSEX_OP_NR ? &ops[h->opcode] : &unknown_op;
	if (!req->op->run)
		req->op = &unknown_op;
	if (!has_handler(req->se, req->op))
		return refuse(req, -ENOSYS);
	if (req_parse(req, len))
		return refuse(req, -EIO);
	if (req->op->kind != REPLY_NEVER)
		req_begin(req);
	return req->op->run(req);
}

/**
 * req_malformed() - refuse a request whose content is not what it should be
 * @req: the request
 *
 * Return: REQ_DONE.
 */
enum req_fate req_malformed(struct fusex_req *req)
{
	return refuse(req, -EIO);
}

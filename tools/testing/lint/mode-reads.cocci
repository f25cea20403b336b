// SPDX-License-Identifier: GPL-2.0
/// The mode of an inode is read by the two setters, checked by validate.c,
/// agreed by the setup call and shown by sysfs; everybody else goes through
/// the tables.  Comparing a table's address is the same test in disguise.
// Confidence: High
virtual report

@member@
expression E;
position p;
@@
(
 E->io_mode@p
|
 E->attr_mode@p
|
 E.io_mode@p
|
 E.attr_mode@p
)

@table@
expression E;
position p;
@@
(
 E == &fusex_attr_local@p
|
 E != &fusex_attr_local@p
|
 E == &fusex_attr_remote@p
|
 E != &fusex_attr_remote@p
|
 E == FUSEX_ATTR_LOCAL@p
|
 E == FUSEX_ATTR_REMOTE@p
|
 E == FUSEX_IO_PLAIN@p
|
 E == FUSEX_IO_DIRECT@p
|
 E == FUSEX_IO_WRITEBACK@p
|
 E == FUSEX_IO_PASSTHROUGH@p
|
 E == FUSEX_IO_IOMAP@p
|
 E == FUSEX_IO_DAX@p
)

@script:python@
p << member.p;
@@
allowed = ("fusex_inode_set_io", "fusex_inode_set_attr_mode", "fusex_iget_init",
	   "fusex_check_", "check_", "fusex_setup_", "setup_", "show_")
if not p[0].current_element.startswith(allowed) and "_kunit" not in p[0].file:
	print("%s:%s: %s() reads a mode" % (p[0].file, p[0].line, p[0].current_element))

@script:python@
p << table.p;
@@
allowed = ("fusex_inode_set_io", "fusex_inode_set_attr_mode", "fusex_check_", "check_")
if not p[0].current_element.startswith(allowed) and "_kunit" not in p[0].file:
	print("%s:%s: %s() tests a mode" % (p[0].file, p[0].line, p[0].current_element))

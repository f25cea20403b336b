# SPDX-License-Identifier: GPL-2.0
#
# The front door: thin, and the same on every machine. "make help" lists it.
#
# KDIR=  a prepared 7.3 kernel tree: builds against it, with this machine's
#        compiler. Without it, the running kernel's headers when that is a 7.3,
#        else a Debian 13 sysroot that is made and kept in ~/.cache/fusex.

SERIES	:= 7.3
TOP	:= $(CURDIR)
BUILD	:= $(TOP)/build
LIB	:= tools/testing/lib
RUNNING	:= $(shell uname -r)
PREFIX	?= /usr
DESTDIR	?=

ifeq ($(origin KDIR),undefined)
ifneq ($(filter $(SERIES).%,$(RUNNING)),)
KDIR	:= /lib/modules/$(RUNNING)/build
endif
endif

.PHONY: all module user demo check kunit selftest lint bench docs \
	install dkms clean distclean help

all: module user

ifdef KDIR
module user:
	@KDIR='$(KDIR)' PREFIX='$(PREFIX)' $(LIB)/native $@
else
module user:
	@$(LIB)/build $@
endif

demo:
	@tools/testing/demo/run

check:
	@tools/testing/check

kunit:
	@tools/testing/kunit/run

selftest:
	@tools/testing/selftest $(if $(KERNEL),--kernel $(KERNEL)) $(if $(T),'$(T)')

lint:
	@tools/testing/lint/run

bench:
	@tools/testing/bench/run

docs:
	@$(LIB)/docs

install:
	@KDIR='$(KDIR)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' $(LIB)/native install

dkms:
	@$(LIB)/native dkms

clean:
	rm -rf $(BUILD)

distclean: clean
	@$(LIB)/sysroot clean

help:
	@echo 'make                 the module, the library, the tools, the samples'
	@echo 'make demo            the main job: real work on a mount in a VM, one table'
	@echo 'make check           all tests; the last line is "N passed, N failed, N skipped"'
	@echo 'make kunit           the KUnit tests, in a kernel tree, on User Mode Linux'
	@echo 'make selftest        the tests in the VM: T=GLOB KERNEL=stock|debug|uml'
	@echo 'make lint            what a reviewer would find'
	@echo 'make bench           the figures: BENCH=quick for the short run,'
	@echo '                     BENCH_ONLY="mirror modes memory ext4 dax" for some of it'
	@echo 'make docs            the documentation as HTML, in build/docs'
	@echo 'make install         on a machine with a $(SERIES) kernel: DESTDIR=, and PREFIX= as'
	@echo '                     given to make before (/usr; mount(8) looks in /sbin only)'
	@echo 'make dkms            the module through DKMS, rebuilt with each kernel'
	@echo 'make clean           removes build/; distclean the cache of sysroot and kernels too'
	@echo
	@echo 'KDIR=DIR             builds against another kernel tree'
	@echo 'MIRROR=URL           a Debian mirror, when apt knows none'
	@echo 'FUSEX_CACHE=DIR      where sysroot and kernels are kept (~/.cache/fusex)'
	@echo 'tools/testing/vm/run [OPTIONS] -- CMD   a command in the VM'

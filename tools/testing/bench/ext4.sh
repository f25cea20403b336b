# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# One ext4 three times, each on a ramdisk of its own: ext4 (the kernel's, mounted
# with its defaults), fusex (fusex-ext4, io=iomap) and fuse2fs (of e2fsprogs, on
# libfuse 3). Sourced by guest; cases begin with "ext4/".

: "${scale:?set by guest}"

declare -A ext4_disks=([ext4]=/dev/ram1 [fusex]=/dev/ram2 [fuse2fs]=/dev/ram3)

# fuse2fs's own settings but that attributes and names are good for ever, that it
# serves everybody, and a queue for each thread.
fuse2fs_options=no_default_opts,subtype=ext4,kernel_cache,attr_timeout=86400
fuse2fs_options+=,entry_timeout=86400,default_permissions,allow_other,clone_fd

# prepare_ext4 NAMES: all are made by the kernel, and nothing is left for later.
# fuse2fs would take minutes for a folder of so many names.
prepare_ext4() {
	local who

	for who in "${contestants[@]}"; do
		mkdir -p "/b/$who"
		mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "${ext4_disks[$who]}"
		mount "${ext4_disks[$who]}" "/b/$who"
		make_files "/b/$who/work/many" "$1"
		umount "/b/$who"
	done
}

start_ext4() {
	local disk=${ext4_disks[$1]} dir=/b/$1

	case $1 in
	ext4)
		mount "$disk" "$dir"
		return
		;;
	fusex) fusex-ext4 -f -o io=iomap,allow_other "$disk" "$dir" & ;;
	fuse2fs) fuse2fs -f -o "$fuse2fs_options" "$disk" "$dir" >&2 & ;;
	esac
	# shellcheck disable=SC2034 # guest waits for it
	pids[$1]=$!
	wait_mounted "$dir"
}

ext4_round() {
	local case

	for case in write-128k{,-fsync,-dio} overwrite-128k{,-dio} read-128k{,-dio} \
		randwrite-4k{,-dio} randread-4k{,-dio}; do
		measure "ext4/$case" $((16 * scale))
	done
	measure ext4/read-cached $((32 * scale))
	measure ext4/stat-warm $((5000 * scale))
	measure ext4/open-close $((5000 * scale))
	measure ext4/readdir-stat $((2500 * scale))
	measure ext4/create $((100 * scale))
	measure ext4/unlink $((100 * scale))
	measure ext4/untar 1
	measure ext4/rm-rf 1
}

# is_whole WHO DISK: what was measured was a file system: it still is one.
is_whole() {
	e2fsck -fn "$2" >/tmp/e2fsck 2>&1 || {
		sed "s/^/# e2fsck of $1: /" /tmp/e2fsck
		return 1
	}
}

check_ext4() {
	local who

	for who in "${contestants[@]}"; do
		is_whole "$who" "${ext4_disks[$who]}" || [ "$who" = fuse2fs ] || exit 1
	done
}

part_ext4() {
	contestants=(ext4 fusex fuse2fs)
	prepare_ext4 $((2500 * scale))
	all_rounds ext4_round
	check_ext4
}

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# One ext4 on a memory device, by turns: kernel-dax (mounted with dax=always) and
# fusex-dax (fusex-ext4, io=dax). What is read, overwritten and mapped is a file that
# is there, for both in the same place. Then faults of files whose mappings are all
# cached, one or a million, see extents.c. Sourced by guest after ext4.sh; cases begin
# with "dax/" and "extents/".

: "${here:?set by guest}" "${scale:?set by guest}" "${rounds:?set by guest}"

read -r dax_disk one_disk million_disk _ <<<"${FUSEX_PMEMS:-}"

# prepare_dax MIB
prepare_dax() {
	mkdir -p /b/kernel-dax
	# The machine that emulates it finds memory for it now, and not for who is first.
	dd if=/dev/zero "of=$dax_disk" bs=1M "count=$(($(blockdev --getsize64 "$dax_disk") >> 20))" \
		oflag=direct status=none
	# Large files begin at a multiple of 2 MiB, so that huge pages can map them.
	mkfs.ext4 -q -b 4096 -E stride=512,stripe_width=512,lazy_itable_init=0,lazy_journal_init=0 \
		"$dax_disk"
	mount -o dax=always "$dax_disk" /b/kernel-dax
	mkdir /b/kernel-dax/work
	fallocate -l "$1M" /b/kernel-dax/work/kept
	dd if=/dev/urandom of=/b/kernel-dax/work/kept bs=1M "count=$1" conv=notrunc,fsync status=none
	umount /b/kernel-dax
}

start_dax() {
	local dir=/b/$1

	mkdir -p "$dir"
	case $1 in
	kernel-dax)
		mount -o dax=always "$dax_disk" "$dir"
		return
		;;
	fusex-dax) fusex-ext4 -f -o io=dax,allow_other "$dax_disk" "$dir" & ;;
	extents) "$here/bench-extents" "$one_disk" "$million_disk" "$dir" & ;;
	esac
	# shellcheck disable=SC2034 # guest waits for it
	pids[$1]=$!
	wait_mounted "$dir"
}

dax_round() {
	local case

	measure dax/write-128k $((16 * scale))
	for case in kept-{write,read}-128k kept-rand{write,read}-4k load store \
		fault-{4k,2m}{,-store}; do
		measure "dax/$case" $((64 * scale))
	done
}

# What is told of a file's memory stays with the inode, and that stays when caches
# are dropped.
dax_first() {
	start_dax "$1"
	measure "dax/fault-$2-first" $((64 * scale))
	stop_server "$1"
}

# The one device is whose turn it is.
dax_rounds() {
	local both=(kernel-dax fusex-dax) who round

	for round in $(seq "$rounds"); do
		say "dax_round $round of $rounds"
		for who in "${both[@]}"; do
			contestants=("$who")
			start_dax "$who"
			dax_round
			stop_server "$who"
			dax_first "$who" 4k
			dax_first "$who" 2m
		done
		both=("${both[1]}" "${both[0]}")
	done
}

extents_round() {
	measure extents/fault-4k 4096
	measure extents/fault-4k-store 4096
}

part_dax() {
	local round

	prepare_dax $((64 * scale))
	dax_rounds
	is_whole dax "$dax_disk" || exit 1
	contestants=(one million)
	start_dax extents
	for round in $(seq "$rounds"); do
		say "extents_round $round of $rounds"
		extents_round
		contestants=("${contestants[1]}" "${contestants[0]}")
	done
	stop_server extents
}

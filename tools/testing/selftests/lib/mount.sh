# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the shell tests mount on. A test gets a folder of its own on an ext4
# file system ($SRC) and its mirror ($MNT), once for each line of the matrix.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/testing/selftests/lib/tap.sh
. "$here/lib/tap.sh"

: "${FUSEX_WORK:=/tmp/fusex-selftest}" "${KERNEL:=stock}"
name=$(basename "$0")
base=$FUSEX_WORK/$name
SRC='' MNT='' DEV='' IO='' ATTR=''

# The file system that is mirrored: one for the whole run.
source_fs() {
	local image=$FUSEX_WORK/ext4.img

	mountpoint -q "$FUSEX_WORK/ext4" && return
	mkdir -p "$FUSEX_WORK/ext4"
	truncate -s "${FUSEX_SOURCE_SIZE:-1G}" "$image"
	mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,nodiscard "$image" &&
		{ modprobe -q loop || :; } &&
		mount -o loop,user_xattr,acl "$image" "$FUSEX_WORK/ext4"
}

# An image, or the first memory device of the VM.
ext4_device() {
	if [ "$IO" = dax ]; then
		SRC=${FUSEX_PMEMS%% *}
		[ -n "$SRC" ]
		return
	fi
	SRC=$FUSEX_WORK/$name.img
	rm -f "$SRC"
	truncate -s "${FX_IMAGE_SIZE:-512M}" "$SRC"
}

# fx_ext4 [OPTION,...]: an empty ext4 file system, by fusex-ext4. FX_MKFS is how
# mkfs.ext4 makes it.
fx_ext4() {
	local mkfs

	read -ra mkfs <<<"${FX_MKFS:--b 4096}"
	ext4_device && mkfs.ext4 -q -F "${mkfs[@]}" "$SRC" &&
		fusex-ext4 -o "io=$IO,attr=${ATTR:-local},allow_other${1:+,$1}" "$SRC" "$MNT" &&
		DEV=$(mountpoint -d "$MNT")
}

# fx_mount IO ATTR [OPTION,...]: an empty folder and its mirror. The folder is
# on the file system at FX_BELOW, if that is set. In iomap and dax mode there is
# nothing to mirror, but a file system of its own.
fx_mount() {
	IO=$1 ATTR=$2
	SRC=${FX_BELOW:-$FUSEX_WORK/ext4}/$name.$IO.$ATTR
	MNT=$base/mnt
	mkdir -p "$MNT"
	case $IO in
	iomap | dax)
		fx_ext4 "${3:-}"
		return
		;;
	esac
	rm -rf "$SRC"
	mkdir -p "$SRC" "$MNT"
	chmod 755 "$SRC" "$MNT"
	fusex-mirror -o "io=$IO,attr=$ATTR,allow_other${3:+,$3}" "$SRC" "$MNT" ||
		return 1
	DEV=$(mountpoint -d "$MNT")
}

# leave_files: what ext4 can have, to be looked at by another one. Tests remove what
# they have made.
leave_files() (
	mkdir "$MNT/left" && cd "$MNT/left" || exit
	for size in 0 1 100 1023 4097 60000 1500000; do
		head -c $size /dev/urandom >"$size" || exit
	done
	truncate -s 20000000 sparse &&
		printf here | dd of=sparse bs=1 seek=12345678 conv=notrunc status=none &&
		dd if=1500000 of=60000 bs=1000 seek=17 count=5 conv=notrunc status=none &&
		fallocate -p -o 300000 -l 100000 1500000 &&
		fallocate -n -l 200000 4097 &&
		truncate -s 700 1023 &&
		ln -s 100 short && ln -s "$(printf '%0200d' 0)" long && ln 100 linked &&
		mkfifo fifo && mkdir many && (cd many && touch {1..150} && rm {40..60}) &&
		setfattr -n user.small -v 1 100 &&
		setfattr -n user.large -v "$(printf '%0700d' 1)" 60000 &&
		setfattr -n user.large -v "$(printf '%0700d' 2)" many &&
		setfacl -m u:1000:r 4097 && chmod 640 1 && chown 7:8 60000 &&
		touch -d '2040-05-06 07:08:09.123456789' 0
)

# files_at DIR: what there is, what it is like, and checksums of files and attributes;
# huge files are mostly holes.
files_at() {
	(
		cd "$1" || exit
		find . -xdev -printf '%p %y %m %U:%G %n %s %T@ %C@ %l\n'
		find . -xdev -type f -size -64M -exec sha256sum {} +
		find . -xdev -exec getfattr -h -d -m - -e hex {} + |
			awk '/^# file:/ { file = $3; next } NF { print file, $0 }'
	) | sort
}

# as_ext4 LIST: what fusex-ext4 has left is what the kernel's ext4 finds.
as_ext4() {
	local options=ro

	[ "$IO" = dax ] || options+=,loop
	if ! try "$IO/$ATTR the kernel's ext4 mounts it" mount -t ext4 -o $options "$SRC" "$MNT"; then
		return
	fi
	files_at "$MNT" >"$base/found"
	try "$IO/$ATTR the kernel's ext4 finds the same" diff "$1" "$base/found"
	umount "$MNT"
}

# fx_umount: takes it down, which must work, and the server must end.
fx_umount() {
	local out

	case $IO in
	iomap | dax)
		try "$IO/$ATTR files are left" leave_files
		files_at "$MNT" >"$base/left"
		;;
	esac
	if ! out=$(umount "$MNT" 2>&1); then
		note "$out"
		fuser -vm "$MNT" 2>&1 | sed 's/^/# /'
		umount -l "$MNT"
		fail "$IO/$ATTR umount"
		return
	fi
	if until_true "the channel goes" test ! -e "/sys/fs/fusex/$DEV"; then
		pass "$IO/$ATTR umount"
	else
		fail "$IO/$ATTR umount"
	fi
	case $IO in
	iomap | dax)
		until_true "the server ends" server_ended
		try "$IO/$ATTR e2fsck" e2fsck -fn "$SRC"
		as_ext4 "$base/left"
		;;
	esac
	[ "$IO" = dax ] || rm -rf "$SRC"
}

server_ended() {
	! pgrep -f "fusex-ext4 .*$SRC" >/dev/null
}

# matrix_lines: "io attr" of the matrix, those of $FUSEX_MODES when it is set.
# The debug kernel takes its time: there a test gets every mode with one way to
# keep attributes, the next test (FUSEX_TURN) with the other.
matrix_lines() {
	local all=1 without='^$'

	# Without memory devices there is nothing to be in dax mode on.
	[ -n "${FUSEX_PMEMS:-}" ] || without='^dax'
	if [ "$KERNEL" = debug ] && [ "${FUSEX_LONG:-0}" = 0 ] && [ -z "${FUSEX_MODES:-}" ]; then
		all=0
	fi
	sed 's/#.*//; /^ *$/d' "$here/matrix" | grep -E -- "${FUSEX_MODES:-.}" |
		grep -vE -- "${FX_WITHOUT:-^(iomap|dax)}" |
		grep -vE -- "$without" |
		awk -v all=$all -v turn="${FUSEX_TURN:-0}" \
			'!($1 in nth) { nth[$1] = n++ }
			all || (nth[$1] + seen[$1]++ + turn) % 2'
}

# each_mode CMD...: CMD for each line of the matrix, mounted. Most tests are
# about a mirror: without the lines of FX_WITHOUT, a pattern, by default those
# that have none.
each_mode() {
	local io attr

	while read -r io attr <&3; do
		if fx_mount "$io" "$attr" "${FX_OPTIONS:-}"; then
			"$@"
			fx_umount
		else
			fail "$io/$attr mount"
		fi
	done 3< <(matrix_lines)
}

# thorough: there is time for what has nothing to do with how data moves in
# every mode: programs run at native speed, or the run is a long one.
thorough() {
	[ "$KERNEL" = uml ] || [ "${FUSEX_LONG:-0}" != 0 ]
}

# each_attr CMD...: like each_mode, for such things.
each_attr() {
	if thorough; then
		each_mode "$@"
	else
		FUSEX_MODES=${FUSEX_MODES:-^plain} each_mode "$@"
	fi
}

# settle [FILE]: whatever was written is at the server.
settle() {
	sync -f "${1:-$MNT}"
}

# requests [OPERATION]: how many the mount at $MNT has made.
requests() {
	awk -v op="${1:-}" 'op == "" || $1 == op { n += $2 } END { print n + 0 }' \
		"/sys/fs/fusex/$DEV/counters"
}

mkdir -p "$base"
trap 'umount -l "$base"/* 2>/dev/null; rm -rf "$base" 2>/dev/null' EXIT
source_fs || { echo "Bail out! no file system to mirror"; exit 1; }

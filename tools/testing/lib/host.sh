# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is asked of the machine itself: a few packages, and where its Debian
# mirror is. Sourced after common.sh.

# host_need COMMAND:PACKAGE...: installs what is missing.
host_need() {
	local item missing=()

	for item in "$@"; do
		case ${item%%:*} in
		/*) [ -e "${item%%:*}" ] || missing+=("${item##*:}") ;;
		*) command -v "${item%%:*}" >/dev/null || missing+=("${item##*:}") ;;
		esac
	done
	[ ${#missing[@]} = 0 ] || host_install "${missing[@]}"
}

# host_install PACKAGE...: installs, or brings up to date.
host_install() {
	command -v apt-get >/dev/null ||
		die "this machine has no apt-get to install: $*" \
			"fusex sets itself up on Debian 12 and 13; elsewhere install them by hand."
	say "installing on this machine: $*"
	host_apt_install "$@" ||
		die "apt-get could not install: $*" \
			"Check the network and /etc/apt, run 'apt-get update', and try again."
}

host_apt_install() {
	local cmd=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq
		--no-install-recommends "$@")
	local log=$FUSEX_CACHE/log/apt-install.log

	mkdir -p "$FUSEX_CACHE/log"
	as_root "${cmd[@]}" >"$log" 2>&1 && return 0
	as_root apt-get update -qq >"$log" 2>&1 || true
	as_root "${cmd[@]}" >"$log" 2>&1 && return 0
	tail -n 20 "$log" >&2
	return 1
}

# An old keyring does not know the keys of newer suites. dpkg has one lock, and
# several may be about to make something.
host_need_mmdebstrap() {
	with_lock mmdebstrap host_install mmdebstrap debian-archive-keyring
}

# private_mmdebstrap ARGUMENT...: its mounts are seen by nobody else, and are
# gone when it is, however it ends.
private_mmdebstrap() {
	as_root env TMPDIR=/tmp unshare --mount --pid --fork --kill-child --mount-proc \
		mmdebstrap --mode=root --variant=apt "$@"
}

# Debian's own archive in this machine's apt configuration, whatever format
# that is written in: apt itself says which index came from where.
host_mirror_lookup() {
	# shellcheck disable=SC2016 # these are apt's own placeholders
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		sed -n 's,^Debian|Debian|\(.*[^/]\)/*$,\1,p' |
		grep -E '^(https?|file|copy):' | head -n 1
}

# Prints the mirror: MIRROR= when set, else the one apt uses.
host_mirror() {
	local mirror=${MIRROR:-}

	[ -n "$mirror" ] || mirror=$(host_mirror_lookup) || true
	if [ -z "$mirror" ]; then
		say "asking apt where its Debian mirror is"
		as_root apt-get update -qq >/dev/null 2>&1 || true
		mirror=$(host_mirror_lookup) || true
	fi
	[ -n "$mirror" ] ||
		die "no Debian mirror in this machine's apt configuration" \
			"Name one: make MIRROR=http://HOST/debian ..."
	printf '%s\n' "${mirror%/}"
}

# The proxy settings of apt, as configuration for another apt.
host_apt_proxy() {
	apt-config dump Acquire 2>/dev/null | grep -iE '^Acquire::https?::proxy' || true
}

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What every front-door script needs: messages, the cache, locks, root.
# Sourced, after "set -euo pipefail".

shopt -s inherit_errexit

FUSEX_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
FUSEX_CACHE=${FUSEX_CACHE:-${HOME:-/root}/.cache/fusex}
FUSEX_BUILD=${FUSEX_BUILD:-$FUSEX_TOP/build}
FUSEX_SERIES=7.3
# Programs for the administrator are not on everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin
export PATH FUSEX_TOP FUSEX_CACHE FUSEX_BUILD FUSEX_SERIES

mkdir -p "$FUSEX_CACHE"
FUSEX_CACHE=$(cd "$FUSEX_CACHE" && pwd -P)

say() {
	printf 'fusex: %s\n' "$*" >&2
}

# die MESSAGE [WHAT TO DO NEXT]
die() {
	printf 'fusex: error: %s\n' "$1" >&2
	[ $# -lt 2 ] || printf 'fusex: %s\n' "$2" >&2
	exit 1
}

# Runs a command as root: directly, or through sudo with the variables that
# the scripts and the network clients below them need.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo --preserve-env=FUSEX_CACHE,FUSEX_BUILD,MIRROR,http_proxy,https_proxy,no_proxy \
			"$@"
	else
		die "root is needed to run: $*" "Run this as root, or install sudo."
	fi
}

# hash_of FILE|WORD...: a short key for what is made from these inputs.
hash_of() {
	local input

	for input in "$@"; do
		if [ -f "$input" ]; then
			cat "$input"
		else
			printf '%s\n' "$input"
		fi
	done | sha256sum | cut -c1-12
}

# with_lock NAME COMMAND...: one at a time for everybody who shares the cache;
# who comes second finds the work done.
with_lock() {
	local name=$1 fd

	shift
	exec {fd}>>"$FUSEX_CACHE/$name.lock"
	if ! flock -n "$fd"; then
		say "waiting for another run that is making $name"
		flock "$fd"
	fi
	# A bare command: in a list, a failure inside it would go unnoticed.
	"$@" {fd}>&-
	exec {fd}>&-
}

# quiet_log LOG COMMAND...: runs a long step with its output in LOG and a sign
# of life every half minute; shows the end of LOG when the step fails.
quiet_log() {
	local log=$1 pid status=0 n=0

	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		n=$((n + 1))
		if [ $((n % 30)) = 0 ]; then
			say "  ... $n s: $(tail -n 1 "$log" | cut -c1-90)"
		fi
	done
	wait "$pid" || status=$?
	if [ "$status" != 0 ]; then
		tail -n 40 "$log" >&2
		say "failed (exit status $status); the whole log: $log"
	fi
	return "$status"
}

# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# TAP for the shell tests: each function makes one line of it, and
# done_testing ends it with the plan.

tap_n=0
tap_failed=0

note() {
	local line

	while IFS= read -r line; do
		printf '# %s\n' "$line"
	done <<<"$*"
}

pass() {
	tap_n=$((tap_n + 1))
	printf 'ok %d - %s\n' $tap_n "$*"
}

fail() {
	tap_n=$((tap_n + 1))
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' $tap_n "$*"
}

# skip DESCRIPTION REASON
skip() {
	tap_n=$((tap_n + 1))
	printf 'ok %d - %s # SKIP %s\n' $tap_n "$1" "$2"
}

# skip_all REASON: nothing here can be tested.
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# try DESCRIPTION CMD...: CMD succeeds.
try() {
	local what=$1 out status=0

	shift
	out=$("$@" 2>&1) || status=$?
	if [ "$status" = 0 ]; then
		pass "$what"
	else
		note "$* ended with status $status"
		[ -z "$out" ] || note "$out"
		fail "$what"
		return 1
	fi
}

# refuses DESCRIPTION PATTERN CMD...: CMD fails and says PATTERN (a regex).
refuses() {
	local what=$1 pattern=$2 out status=0

	shift 2
	out=$("$@" 2>&1) || status=$?
	if [ "$status" = 0 ]; then
		note "$* succeeded"
		fail "$what"
	elif [ "$status" -ge 124 ] && [ "$status" != 255 ]; then
		note "$* ended with status $status: $out"
		fail "$what"
	elif grep -Eq -- "$pattern" <<<"$out"; then
		pass "$what"
	else
		note "expected a line with $pattern, got: $out"
		fail "$what"
	fi
}

# is DESCRIPTION GOT WANTED
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		note "got: $2"
		note "expected: $3"
		fail "$1"
	fi
}

# sub PREFIX CMD...: the points of CMD's TAP become points of this test.
sub() {
	local prefix=$1 line plan=-1 before=$tap_n status=0 pipe

	shift
	pipe=$(mktemp -u "${TMPDIR:-/tmp}/tap.XXXXXX")
	mkfifo "$pipe"
	"$@" >"$pipe" &
	while IFS= read -r line; do
		case $line in
		1..0*SKIP*) skip "$prefix" "${line#*SKIP }"; plan=1 ;;
		1..*) plan=${line#1..} ;;
		'ok '* | 'not ok '*)
			tap_n=$((tap_n + 1))
			if [ "${line#not }" != "$line" ]; then
				tap_failed=$((tap_failed + 1))
				printf 'not '
			fi
			printf 'ok %d - %s %s\n' $tap_n "$prefix" "${line#*ok*- }"
			;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$pipe"
	wait $! || status=$?
	rm -f "$pipe"
	[ "$plan" = $((tap_n - before)) ] ||
		fail "$prefix: $1 ended early with status $status ($plan points planned)"
}

# until_true DESCRIPTION CMD...: CMD succeeds before the deadline.
until_true() {
	local what=$1 end=$((SECONDS + 10 * ${FUSEX_SLOW:-1}))

	shift
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -gt $end ]; then
			note "$* did not succeed"
			return 1
		fi
		read -rt 0.02 <> <(:) || :
	done
}

done_testing() {
	echo "1..$tap_n"
	exit $((tap_failed > 0))
}

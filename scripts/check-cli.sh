#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-cli.sh BUILD: what the command line says and does where it refuses: an unfinished search is
# not overwritten by another one, --resume names what is another, wrong input ends with status 2
# and a message that names what is wrong.
set -eu

build=$1
crossmod=$build/crossmod
work=$(mktemp -d "${TMPDIR:-/tmp}/crossmod-cli.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
	echo "check-cli: FAILED: $*" >&2
	failed=1
}

# ends STATUS 'what it says, as a regular expression' COMMAND...: of crossmod.
ends() {
	wanted=$1 text=$2
	shift 2
	status=0
	"$crossmod" --host local "$@" >"$work/said" 2>&1 || status=$?
	[ "$status" -eq "$wanted" ] || fail "crossmod $*: exit status $status, not $wanted: $(cat "$work/said")"
	grep -q -e "$text" "$work/said" || fail "crossmod $*: says '$(cat "$work/said")', not '$text'"
}

case $(uname -m) in
x86_64) ;;
*)
	echo "check-cli: SKIPPED: its scenarios are for x86-64"
	exit 0
	;;
esac

search=scenarios/x86_64/stop_machine/every-schedule.json
keeps_a_checkpoint() {
	set -- explore -o "$work/out" "$search"
	ends 1 'resume goes on from here' "$@" -S 100
	checkpoint=$(echo "$work"/out/*.checkpoint)
	before=$(cksum <"$checkpoint")
	ends 2 'would be lost (the NMI budget is \[0,0\] there and \[0,1\] here)' "$@" -S 100 -N 1=1
	ends 2 'of another system: the fetch model is "stale/byte" there' "$@" --resume --fetch sc
	[ "$before" = "$(cksum <"$checkpoint")" ] || fail "a refused search changed the checkpoint"
	ends 1 'resume goes on from here' "$@" --resume -S 150
	ends 0 'safe' "$@"
	[ ! -e "$checkpoint" ] || fail "the finished search left its checkpoint"
	ends 0 'safe' "$@" --fetch ordered
	result=$(echo "$work"/out/*.json)
	ends 2 'verdict safe has no witness' replay "$result"
	ends 2 'a result, not a scenario: .*replay' run "$result"
}

# An installation without the other program, and nothing in /usr/local either.
finds_no_arm_program() {
	mkdir "$work/bin" "$work/scripts"
	cp "$crossmod" "$work/bin"
	cp scripts/emulated-host.sh "$work/scripts"
	status=0
	"$work/bin/crossmod" --host arm64 list >"$work/said" 2>&1 || status=$?
	if ! grep -q '^crossmod: --host' "$work/said"; then
		echo "check-cli: SKIPPED: what is said without a program for arm64: one is installed"
		return
	fi
	[ "$status" -eq 77 ] || fail "--host arm64 without a program for it: exit status $status"
	grep -q "no $work/bin/aarch64/crossmod and no .*lib/crossmod/aarch64/crossmod: .*make install" \
		"$work/said" || fail "--host arm64 without a program for it says: $(cat "$work/said")"
}

names_what_is_wrong() {
	mkdir "$work/empty"
	mkfifo "$work/fifo"
	ends 2 "$search: .*a scenario, not a result" replay "$search"
	ends 2 "$work/empty: is a directory" replay "$work/empty"
	ends 2 "'': No such file" run ''
	ends 2 "$work/empty: no scenario files" run "$search" "$work/empty"
	ends 2 "$work/fifo: neither a file nor a directory" check "$work/fifo"
	ends 2 'max-states 0: .*at least 1' explore -S 0 "$search"
	ends 2 'max-memory-mb 0: .*at least 1' explore -M 0 "$search"
	ends 2 'max-seconds 0.001: .*at least 1' explore --max-seconds 0.001 "$search"
	ends 2 'expect foo: .*safe, not-seen, torn' explore --expect foo "$search"
	ends 2 "nmi 7=1: .*vCPUs, 0 to 1" explore --nmi 7=1 "$search"
	[ ! -e "$build/guest-arm64.elf" ] || ends 2 'guest-arm64.elf is of another architecture, Arm' \
		run -o "$work/out" -g "$build/guest-arm64.elf" "$search"
}

finds_no_arm_program
names_what_is_wrong
# One table, and what there is no result of is counted.
counts_all() {
	cannot=$work/made-of-file
	: >"$cannot"
	ends 3 '^1 scenario: 0 as expected, 0 not, 0 unsupported, 1 failed$' \
		run -o "$cannot/out" scenarios/x86_64/naive/new-head-old-tail.json
	ends 2 '^3 scenarios: 2 as expected, 0 not, 0 unsupported, 1 failed$' \
		explore -o "$work/three" "$search" "$work/out/x86_64-stop_machine-every-schedule.json" "$search"
	[ "$(grep -c '^scenario ' "$work/said")" -eq 1 ] || fail "explore of three prints more than one table"
}

if [ -e /dev/kvm ]; then
	keeps_a_checkpoint
	counts_all
else
	echo "check-cli: SKIPPED: no /dev/kvm: that searches are not overwritten"
fi
[ "$failed" -ne 0 ] || echo "check-cli: what is refused is refused, with the reason"
exit "$failed"

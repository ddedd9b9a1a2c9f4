#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-hosts.sh BUILD [HOST...]: crossmod on hosts that QEMU emulates (default: amd).
#   Every stepped scenario of the host's architecture ends as it expects.
#   amd: a fixed set of searches ends with the same verdict after the same states and transitions
#   as on this machine's KVM, and witnesses from there replay here to the same state.
#   arm64, arm64-el0: a fixed set of searches as expected, with the same states on both cores and
#   with one worker and two. T32 at EL1, in scenarios/arm/el1, is run on the first, whose core has
#   AArch32 there, and unsupported with that reason on the second.
#   Full speed is refused there, on amd also where only the processor says what it is.
# Passes without the emulator, and compares nothing without this machine's KVM, saying so.
set -eu

build=$1
shift
[ $# -gt 0 ] || set -- amd
here=$(cd "$(dirname "$0")" && pwd)
out=$build/hosts
failed=0

# Small, at CPL0 and at CPL3, with and without an NMI, each kind of verdict.
compared="int3_fixup/every-a2-two-pokes int3_fixup/every-a2-ordered stop_machine/every-schedule
	stop_machine/every-schedule-one-nmi kgdb_roundup/ipi undef_hook/posted
	int3_fixup/every-a1-stale-user int3_fixup/every-a2-two-pokes-user
	stop_machine/every-schedule-user stop_machine/every-schedule-one-nmi-user"

fail() {
	echo "hosts: FAILED: $*" >&2
	failed=1
}

# What must be equal, of one JSON line a search.
essence() {
	sed -E 's/.*"scenario": ?"([^"]*)".*"verdict": ?"([^"]*)".*"states": ?([0-9]+).*"transitions": ?([0-9]+).*/\1 \2 \3 states \4 transitions/'
}

# explore_on HOST: the set, into $out/HOST.
explore_on() {
	status=0
	# One word a scenario.
	# shellcheck disable=SC2046
	"$build/crossmod" --host "$1" explore --json --jobs 1 --max-seconds 900 -o "$out/$1" \
		$(for name in $compared; do echo "scenarios/x86_64/$name.json"; done) \
		>"$out/$1.json" || status=$?
	essence <"$out/$1.json" >"$out/$1.txt"
	return "$status"
}

compare_searches() {
	status=0
	explore_on local || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] ||
		fail "explore on this machine: exit status $status"
	explore_on "$1" || fail "explore on $1: exit status $?"
	if [ "$status" -eq 77 ]; then
		echo "hosts: SKIPPED: $1 searches as expected; no KVM on this machine to compare with"
		return
	fi
	if ! diff "$out/local.txt" "$out/$1.txt"; then
		fail "$1 (>) searches otherwise than this machine (<)"
		return
	fi
	# None with an NMI: QEMU 7.2 nulls SS when it switches to an interrupt stack without a change
	# of CPL, KVM's emulator and the SDM (vol 2, INT n) do not, and SS is pushed.
	"$build/crossmod" --host local replay "$out/$1"/*-two-pokes*.json "$out/$1"/*-a1-stale-user.json \
		"$out/$1"/*-a2-ordered.json "$out/$1"/*-posted.json >"$out/$1-replay.txt" ||
		fail "witnesses of $1 do not replay on this machine"
	echo "hosts: $1: $(wc -l <"$out/$1.txt") searches equal this machine's, to the transition"
}

# The planted fault of the refusal: a scenario at full speed.
refuses_full_speed() {
	case $1 in
	amd) isa=x86_64 ;;
	*) isa=arm ;;
	esac
	free=$(grep -l '"method": "free"' scenarios/$isa/*/*.json | head -n 1)
	status=0
	"$build/crossmod" --host "$1" run -o "$out/free" "$free" >"$out/free.txt" || status=$?
	[ "$status" -eq 77 ] || fail "--host $1 runs $free: exit status $status"
	status=0
	"$build/crossmod" --host "$1" sweep --rates 100 -o "$out/sweep" "$free" >/dev/null 2>&1 || status=$?
	[ "$status" -eq 77 ] || fail "--host $1 sweeps $free: exit status $status"
	[ ! -e "$out/sweep" ] || fail "--host $1: the refused sweep left $out/sweep"
	[ "$1" = amd ] || return 0
	status=0
	# Here only the processor tells.
	"$here/emulated-host.sh" --host amd /usr/bin/env -u CROSSMOD_EMULATED \
		"$build/crossmod" --host local run -o "$out/free" "$free" >"$out/free.txt" || status=$?
	[ "$status" -eq 77 ] || fail "an unnamed emulator runs $free: exit status $status"
	grep -q 'TCG' "$out/free.txt" || fail "no reason given for $free"
}

stepped_runs() {
	case $1 in
	amd) isa=x86_64 ;;
	*) isa=arm ;;
	esac
	host=$1
	# One word a scenario.
	# shellcheck disable=SC2046
	set -- $(grep -l '"method": "stepped"' -r "scenarios/$isa" --include='*.json' 2>/dev/null |
		if [ "$host" = arm64-el0 ]; then grep -v '^scenarios/arm/el1/'; else cat; fi | sort)
	if [ $# -eq 0 ]; then
		echo "hosts: SKIPPED: no stepped scenario in scenarios/$isa"
		return
	fi
	status=0
	"$build/crossmod" --host "$host" run -o "$out/$host-run" "$@" >"$out/$host-run.txt" || status=$?
	if [ "$status" -ne 0 ] || grep -q ', 0 not, [1-9]' "$out/$host-run.txt"; then
		cat "$out/$host-run.txt"
		fail "stepped scenarios on $host: exit status $status"
	fi
	echo "hosts: $host: $(tail -n 1 "$out/$host-run.txt")"
}

figures() {
	sed -n 's/^  "\(scenario\|verdict\|states\|transitions\)": //p' "$@"
}

# The searches on Arm that are over soon: verdicts as expected, and the same states on every core.
arm_searches() {
	host=$1
	set --
	for name in naive/every-nop_w_bl naive/every-nop_w_bl-sc thumb2/every-bkpt-nop_w \
		thumb2/every-bkpt-no-sync1 thumb2/every-bkpt-isb-only toggle/every-no-sync \
		word_store/every-a64-nop-b word_store/every-a64-no-sync word_store/every-a64-no-dc \
		word_store/every-a64-no-ic word_store/every-a64-movz word_store/every-t32-aligned \
		patch_text/every-first; do
		set -- "$@" "scenarios/arm/$name.json"
	done
	status=0
	"$build/crossmod" --host "$host" explore -o "$out/$host-explore" "$@" \
		>"$out/$host-explore.txt" || status=$?
	if [ "$status" -ne 0 ]; then
		cat "$out/$host-explore.txt"
		fail "searches on $host: exit status $status"
	fi
	figures "$out/$host-explore"/*.json >"$out/$host-searches"
	# A move depends on the state and on nothing that one worker leaves behind.
	"$build/crossmod" --host "$host" explore --jobs 1 -o "$out/$host-one" \
		scenarios/arm/word_store/every-a64-nop-b.json >/dev/null || true
	one=$(figures "$out/$host-one/arm-word_store-every-a64-nop-b.json")
	two=$(figures "$out/$host-explore/arm-word_store-every-a64-nop-b.json")
	if [ -z "$one" ] || [ "$one" != "$two" ]; then
		fail "on $host one worker found $one, two $two"
	fi
	if [ -e "$out/arm64-searches" ] && ! cmp -s "$out/arm64-searches" "$out/$host-searches"; then
		diff "$out/arm64-searches" "$out/$host-searches" || true
		fail "searches on $host are not those on arm64"
	fi
	echo "hosts: $host: $# searches as expected"
}

# T32 at EL1: the searches that are over soon, with one worker and two; a witness replays.
el1_searches() {
	set --
	for name in toggle/every-no-sync toggle/every-irq-runs-site thumb2/every-bkpt-no-sync1 \
		thumb2/every-bkpt-no-sync2-bytes thumb2/every-bkpt-no-sync3 \
		thumb2/every-bkpt-isb-only thumb2/every-bkpt-no-dc thumb2/every-bkpt-no-ic; do
		set -- "$@" "scenarios/arm/el1/$name.json"
	done
	for jobs in 1 2; do
		status=0
		"$build/crossmod" --host arm64 explore --jobs "$jobs" -o "$out/el1-jobs$jobs" "$@" \
			>"$out/el1-jobs$jobs.txt" || status=$?
		if [ "$status" -ne 0 ]; then
			cat "$out/el1-jobs$jobs.txt"
			fail "searches of T32 at EL1: exit status $status"
		fi
	done
	# How far several workers have come when one finds a violation is chance: what is exhausted is not.
	one=$(figures "$out/el1-jobs1/arm-el1-toggle-every-irq-runs-site.json")
	two=$(figures "$out/el1-jobs2/arm-el1-toggle-every-irq-runs-site.json")
	if [ -z "$one" ] || [ "$one" != "$two" ]; then
		fail "of T32 at EL1 one worker found $one, two $two"
	fi
	"$build/crossmod" --host arm64 replay "$out/el1-jobs1"/*-no-sync1.json "$out/el1-jobs1"/*-no-sync3.json \
		>"$out/el1-replay.txt" || fail "witnesses of T32 at EL1 do not replay"
	echo "hosts: arm64: $# searches of T32 at EL1 as expected"
}

el1_unsupported() {
	status=0
	"$build/crossmod" --host arm64-el0 run -o "$out/el1-none" \
		scenarios/arm/el1/naive/case2-nop_w_bl-page.json \
		scenarios/arm/el1/toggle/every-no-sync.json >"$out/el1-none.txt" || status=$?
	[ "$status" -eq 77 ] || fail "T32 at EL1 without AArch32 there: exit status $status"
	grep -q 'no AArch32 at EL1' "$out/el1-none.txt" || fail "T32 at EL1: no reason given"
	echo "hosts: arm64-el0: T32 at EL1 is unsupported"
}

rm -rf "$out"
mkdir -p "$out"
for emulated; do
	status=0
	"$here/emulated-host.sh" --host "$emulated" --probe || status=$?
	if [ "$status" -eq 77 ]; then
		echo "hosts: SKIPPED: no $emulated here, for the reason above"
		continue
	fi
	stepped_runs "$emulated"
	refuses_full_speed "$emulated"
	if [ "$emulated" = amd ]; then
		compare_searches amd
	else
		arm_searches "$emulated"
		if [ "$emulated" = arm64 ]; then el1_searches; else el1_unsupported; fi
	fi
done
exit "$failed"

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-hosts.sh BUILD [HOST...]: crossmod on hosts that QEMU emulates (default: amd).
#   Every stepped scenario of the host's architecture ends as it expects.
#   The unit tests of the machine pass there; those of the other architecture say that they skip.
#   amd: a fixed set of searches ends with the same verdict after the same states and transitions
#   as on this machine's KVM, and witnesses from there replay here to the same state.
#   Without /dev/kvm a command goes there by itself, saying so in one line.
#   arm64, arm64-el0: a fixed set of searches as expected, with the same states on both cores and
#   with one worker and two; on arm64 more of them, and a small matrix. T32 at EL1, in
#   scenarios/arm/el1, is run there, and unsupported with the reason on arm64-el0.
#   Full speed is refused there, on amd also where only the processor says what it is.
# Passes without the emulator, and compares nothing without this machine's KVM, saying so.
#
# ARM_SEARCHES=all: on arm64 every search of scenarios/arm, which takes some ten minutes more and
# leaves what scripts/arm-table.sh makes README's table of.
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

# What asks the machine rather than the code; of amd without the long searches, which compare_searches
# has. The tests of x86 guests skip on Arm, and the other way round.
unit_tests() {
	host=$1
	case $host in
	amd)
		tests=$build
		filter='@(@(vm|machine|run_stepped|setup)/*|explore/@(deadlock*|planted_crashes*|*on_planted_faults))'
		;;
	*)
		tests=$build/aarch64
		filter='@(arm_*|setup)/*'
		;;
	esac
	if [ ! -x "$tests/test" ]; then
		echo "hosts: SKIPPED: $host unit tests: no $tests/test"
		return
	fi
	status=0
	CROSSMOD_BUILD=$tests "$here/emulated-host.sh" --host "$host" --own-tmp "$tests/test" \
		--short-filename --verbose --filter "$filter" >"$out/$host-unit.txt" 2>&1 || status=$?
	if [ "$status" -ne 0 ] || ! grep -q 'Tested: [1-9]' "$out/$host-unit.txt"; then
		grep -v '\[PASS\]\|\[RUN \]\|\[SKIP\]\|\[====\] Running' "$out/$host-unit.txt" || true
		fail "unit tests on $host: exit status $status"
	fi
	echo "hosts: $host: unit tests: $(sed -n 's/.*Synthesis: //p' "$out/$host-unit.txt")," \
		"$(grep -c '^SKIPPED' "$out/$host-unit.txt" || true) skipped"
	sed -n 's/^SKIPPED: /hosts:   skipped for: /p' "$out/$host-unit.txt" | sort | uniq -c
}

# Whoever reads the output through a pipe waits for the machine, not for the launcher's watchdog,
# which looks once a minute.
ends_with_its_command() {
	"$here/emulated-host.sh" --host amd /bin/sh -c ": >'$out/ended'" | cat
	waited=$(($(date +%s) - $(stat -c %Y "$out/ended")))
	[ "$waited" -lt 30 ] || fail "output was held open for $waited s behind the command's end"
}

# Ctrl-C while the machine boots, when there is nobody in it to be asked.
ends_while_it_boots() {
	started=$(date +%s)
	status=0
	timeout --preserve-status -s TERM 2 "$build/crossmod" --host amd explore --max-seconds 60 \
		-o "$out/booting" scenarios/x86_64/stop_machine/every-schedule.json >/dev/null 2>&1 || status=$?
	waited=$(($(date +%s) - started))
	if [ "$status" -ne 130 ] || [ "$waited" -gt 15 ]; then
		fail "ended while amd boots: exit status $status after $waited s"
	fi
}

# A machine that has /dev/kvm is given a /dev without it.
# shellcheck disable=SC2016 # the inner shell's
without_kvm() {
	if [ ! -e /dev/kvm ]; then
		"$@"
		return
	fi
	unshare -m sh -c '
		dev=$1
		shift
		mount -t tmpfs dev "$dev" || exit 3
		for node in null zero random urandom tty; do
			: >"$dev/$node" && mount -o bind "/dev/$node" "$dev/$node" || exit 3
		done
		ln -s /proc/self/fd "$dev/fd"
		mount --move "$dev" /dev || exit 3
		exec "$@"' sh "$dev" "$@"
}

falls_back() {
	dev=$(mktemp -d)
	scenario=scenarios/x86_64/naive/new-head-old-tail.json
	if ! without_kvm true 2>/dev/null; then
		echo "hosts: SKIPPED: what happens without /dev/kvm: this user may not hide it"
		rmdir "$dev"
		return
	fi
	before=$failed
	failed=0
	status=0
	without_kvm "$build/crossmod" run -o "$out/auto" "$scenario" >"$out/auto.txt" 2>"$out/auto.err" ||
		status=$?
	[ "$status" -eq 0 ] || fail "without /dev/kvm $scenario ends with exit status $status"
	if [ "$(wc -l <"$out/auto.err")" -ne 1 ] || ! grep -q '^crossmod: no /dev/kvm here: ' "$out/auto.err"; then
		fail "without /dev/kvm it says: $(cat "$out/auto.err")"
	fi
	grep -q '"emulated": "QEMU' "$out/auto"/*.json || fail "without /dev/kvm nothing was emulated"
	status=0
	without_kvm "$build/crossmod" --host local run -o "$out/auto" "$scenario" >"$out/auto.txt" 2>&1 ||
		status=$?
	[ "$status" -eq 77 ] || fail "--host local without /dev/kvm: exit status $status"
	rmdir "$dev"
	[ "$failed" -ne 0 ] || echo "hosts: without /dev/kvm a command goes to amd by itself, and says so"
	failed=$((failed | before))
}

figures() {
	sed -n 's/^  "\(scenario\|verdict\|states\|transitions\)": //p' "$@"
}

# Over in a second or a few, on both cores.
arm_short="naive/every-nop_w_bl naive/every-nop_w_bl-sc thumb2/every-bkpt-nop_w
	thumb2/every-bkpt-no-sync1 thumb2/every-bkpt-isb-only toggle/every-no-sync
	word_store/every-a64-nop-b word_store/every-a64-no-sync word_store/every-a64-no-dc
	word_store/every-a64-no-ic word_store/every-a64-movz word_store/every-t32-aligned
	patch_text/every-first"
# On one core. What is left out has 4000 to 17000 states each, some 15 to 60 seconds:
#   thumb2/every-bkpt-aligned, -page, -exs, -no-sync3, -nop_w-bytes, -one-line, -one-line-aligned,
#   thumb2/every-branch-no-sync3, -nop_w-bytes, thumb2/every-it-branch-bytes,
#   toggle/every-fiq-on-executor, word_store/every-fiq-runs-site
arm_longer="brk/every brk/every-movz brk/every-no-sync patch_text/every patch_text/every-no-ic
	thumb2/every-bkpt thumb2/every-it-bkpt-bytes
	thumb2/every-bkpt-no-dc thumb2/every-bkpt-no-ic thumb2/every-bkpt-no-sync2
	thumb2/every-bkpt-no-sync2-bytes thumb2/every-branch-no-sync1 thumb2/every-branch-no-sync2
	thumb2/every-nop16x2 toggle/every word_store/every-a64-el0 word_store/every-a64-isb-only
	word_store/every-a64-nop-bl word_store/every-t32-halves"

arm_list() {
	if [ "$1" != arm64 ]; then
		echo "$arm_short"
	elif [ "${ARM_SEARCHES:-}" = all ]; then
		grep -lr '"method": "explore"' scenarios/arm --include='*.json' | sort |
			sed 's|scenarios/arm/||; s|\.json$||'
	else
		echo "$arm_short $arm_longer"
	fi
}

# Verdicts as expected, and the same states on every core. The bound is for a machine that has
# much else to do: the scenarios' own, 300 s, has ended a search of 20 s there.
arm_searches() {
	host=$1
	set --
	for name in $(arm_list "$host"); do
		set -- "$@" "scenarios/arm/$name.json"
	done
	status=0
	"$build/crossmod" --host "$host" explore --max-seconds 1800 -o "$out/$host-explore" "$@" \
		>"$out/$host-explore.txt" || status=$?
	if [ "$status" -ne 0 ]; then
		cat "$out/$host-explore.txt"
		fail "searches on $host: exit status $status"
	fi
	# A move depends on the state and on nothing that one worker leaves behind.
	"$build/crossmod" --host "$host" explore --jobs 1 -o "$out/$host-one" \
		scenarios/arm/word_store/every-a64-nop-b.json >/dev/null || true
	one=$(figures "$out/$host-one/arm-word_store-every-a64-nop-b.json")
	two=$(figures "$out/$host-explore/arm-word_store-every-a64-nop-b.json")
	if [ -z "$one" ] || [ "$one" != "$two" ]; then
		fail "on $host one worker found $one, two $two"
	fi
	for result in "$out/$host-explore"/*.json; do
		other=$out/arm64-explore/${result##*/}
		[ "$host" = arm64 ] || [ ! -e "$other" ] || [ "$(figures "$result")" = "$(figures "$other")" ] ||
			fail "${result##*/} is not the same on $host as on arm64"
	done
	echo "hosts: $host: $# searches as expected"
	[ "$host" != arm64 ] || "$here/arm-table.sh" --check "$out/arm64-explore" ||
		fail "README.md has other answers than the searches"
}

# Every site, a protocol for both instruction sets and one for A64 alone, by verdicts.
arm_matrix() {
	cat >"$out/$1-matrix.expected" <<-'TABLE'
		| `brk_no_sync` | 2 | none | | | safe |
		| `naive` | 2 | none | torn | stale | stale |
		| `toggle_no_sync` | 2 | none | torn | stale | stale |
		| `word_store_no_sync` | 2 | none | torn | stale | stale |
	TABLE
	"$build/crossmod" --host "$1" matrix --quick --max-seconds 900 -o "$out/$1-matrix" \
		brk_no_sync naive toggle_no_sync word_store_no_sync >"$out/$1-matrix.md" ||
		fail "matrix on $1: exit status $?"
	grep '^| `' "$out/$1-matrix.md" |
		sed -E 's/, [0-9]+ states, [0-9.]+ s//g; s/\[\*\*([a-z-]+)\*\*\]\([^)]*\)/\1/g' \
			>"$out/$1-matrix.verdicts"
	diff "$out/$1-matrix.expected" "$out/$1-matrix.verdicts" ||
		fail "the matrix on $1 (>) is not as expected (<)"
	echo "hosts: $1: a matrix of $(wc -l <"$out/$1-matrix.verdicts") protocols as expected"
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
	unit_tests "$emulated"
	refuses_full_speed "$emulated"
	case $emulated in
	amd)
		compare_searches amd
		ends_with_its_command
		ends_while_it_boots
		falls_back
		;;
	arm64)
		arm_searches arm64
		arm_matrix arm64
		el1_searches
		;;
	*)
		arm_searches "$emulated"
		el1_unsupported
		;;
	esac
done
exit "$failed"

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-sweep.sh BUILD: a sweep that is killed loses at most the run in flight, and one that goes on
# makes the rest. Bad ranges end with status 2 and leave nothing. Where no free run can be made
# this says so and passes.
set -eu

crossmod=$1/crossmod
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scenario=scenarios/x86_64/five_state/sweep-forward.json

fail() {
	echo "check-sweep: $1" >&2
	exit 1
}

sweep() {
	"$crossmod" sweep --rates 100,1000 --repeat 2 --seconds 0.3 -o "$work/sweep" "$@" "$scenario"
}

runs_done() {
	sed -n 's/^  "runs_done": \([0-9]*\),$/\1/p' "$work/sweep/sweep.json" 2>"$work/errors" || echo 0
}

for bad in '' 0 5:1:1 0:9:2log 1,1 1:1000:1 2e6; do
	status=0
	"$crossmod" sweep --rates "$bad" -o "$work/bad" "$scenario" 2>"$work/errors" || status=$?
	[ "$status" -eq 2 ] || fail "--rates '$bad': exit status $status, not 2"
	grep -q -- '--rates' "$work/errors" || fail "--rates '$bad': $(cat "$work/errors")"
	[ ! -e "$work/bad" ] || fail "--rates '$bad' left $work/bad"
done

# Killed in the middle of the second run, or of the third: the file is there from the first on.
sweep >"$work/killed" 2>&1 &
pid=$!
for _ in $(seq 600); do
	[ ! -e "$work/sweep/sweep.json" ] || break
	kill -0 "$pid" 2>/dev/null || break
	sleep 0.05
done
if ! kill -9 "$pid" 2>/dev/null; then
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 77 ] || fail "it ended before it was killed, with $status: $(cat "$work/killed")"
	echo "check-sweep: SKIPPED: $(cat "$work/killed")"
	exit 0
fi
wait "$pid" 2>/dev/null || true
kept=$(runs_done)
case $kept in
[1-5]) ;;
*) fail "$kept runs were kept of the killed sweep" ;;
esac
cp "$work/sweep/sweep.json" "$work/before"

if "$crossmod" sweep --resume --rates 100,1000 --repeat 3 --seconds 0.3 -o "$work/sweep" "$scenario" \
	2>"$work/errors"; then
	fail "it went on with another number of repeats"
fi
grep -q 'config.repeat: 2, but this sweep has 3' "$work/errors" || fail "$(cat "$work/errors")"
cmp -s "$work/before" "$work/sweep/sweep.json" || fail "the refused sweep changed the file"

sweep --resume --json >"$work/json" || fail "--resume ended with $?"
[ "$(runs_done)" -eq 6 ] || fail "$(runs_done) of 6 runs after --resume"
grep -q '"complete": true' "$work/sweep/sweep.json" || fail "the resumed sweep is not complete"
[ "$(wc -l <"$work/sweep/sweep.csv")" -eq 7 ] || fail "sweep.csv has not a line a run"
echo "check-sweep: killed after $kept of 6 runs, complete after --resume"

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-replay.sh BUILD: executes every schedule that check-scenarios.sh left in BUILD/check again.
# `crossmod replay` compares verdict, number of decisions and digest of the final state.
set -eu

build=$1
set --
for result in "$build"/check/*.json; do
	# Free runs have a null schedule and nothing to replay.
	if [ -e "$result" ] && grep -q '^  "schedule": "' "$result"; then
		set -- "$@" "$result"
	fi
done
if [ $# -eq 0 ]; then
	echo "replay: SKIPPED: no stepped scenario ran"
	exit 0
fi

status=0
"$build/crossmod" replay "$@" >"$build/check/replay.log" || status=$?
if [ "$status" -ne 0 ]; then
	grep -v ': .* again, ' "$build/check/replay.log" >&2 || true
	echo "replay: FAILED, exit status $status; see $build/check/replay.log" >&2
	exit "$status"
fi
echo "replay: $# schedules executed again, each with the same verdict in the same state"

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh BUILD: three routines under the scenarios that come with them, then the torn fetch of
# the naive one told step by step.
set -eu

build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

set --
for protocol in naive stop_machine int3_fixup; do
	for scenario in scenarios/x86_64/"$protocol"/*.json; do
		[ -e "$scenario" ] && set -- "$@" "$scenario"
	done
done

status=0
"$build/crossmod" run -o "$out" "$@" || status=$?
if [ "$status" -eq 77 ]; then
	echo "demo: SKIPPED, this host can run none of the $# scenarios: the reasons are above"
	exit 0
fi
[ "$status" -eq 0 ] || exit "$status"

witness=$out/x86_64-naive-new-head-old-tail.json
if [ -e "$witness" ]; then
	printf '\nThe naive routine, seen between its two stores:\n\n'
	"$build/crossmod" replay "$witness" --trace
fi

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh BUILD: three routines under the scenarios that come with them, then the torn fetch of
# the naive one told step by step.
set -eu

build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

case $(uname -m) in
aarch64)
	folders='scenarios/arm/naive scenarios/arm/patch_text'
	witness=$out/arm-naive-case2-nop_w_bl-page.json
	;;
*)
	folders='scenarios/x86_64/naive scenarios/x86_64/stop_machine scenarios/x86_64/int3_fixup'
	witness=$out/x86_64-naive-new-head-old-tail.json
	;;
esac
set --
for folder in $folders; do
	for scenario in "$folder"/*.json; do
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

if [ -e "$witness" ]; then
	printf '\nThe naive routine, seen between its two stores:\n\n'
	"$build/crossmod" replay "$witness" --trace
fi

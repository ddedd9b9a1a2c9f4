#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-scenarios.sh BUILD: runs every scenario of the tree that is for this architecture; each must
# end as it expects. Results go to BUILD/check. On a host where nothing can run this says so and passes.
set -eu

build=$1
rm -rf "$build/check"
mkdir -p "$build/check"

set --
# Another architecture's scenarios name what this one's guest image does not have.
case $(uname -m) in
aarch64) ours=scenarios/arm ;;
*) ours=scenarios/$(uname -m) ;;
esac
for scenario in $(find "$ours" -mindepth 2 -name '*.json' | sort); do
	set -- "$@" "$scenario"
done
[ $# -gt 0 ] || { echo "check: no scenario in $ours/" >&2; exit 1; }

status=0
"$build/crossmod" run -o "$build/check" "$@" || status=$?
if [ "$status" -eq 77 ]; then
	echo "check: SKIPPED: this host can run none of the $# scenarios, for the reasons above"
	exit 0
fi
[ "$status" -eq 0 ] || echo "check: crossmod run: exit status $status" >&2
exit "$status"

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Puts the verdicts of the stepped scenarios into README.md, or with --check fails when they differ.
set -eu
crossmod=${CROSSMOD:-build/crossmod}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -lr '"method": "stepped"' scenarios --include='*.json' | sort >"$work/list"
status=0
xargs "$crossmod" run --markdown -o "$work/results" <"$work/list" >"$work/table" || status=$?
if [ "$status" -eq 77 ]; then
	echo "readme-table: SKIPPED, nothing could run here"
	exit 0
fi
[ "$status" -eq 0 ] || { echo "readme-table: crossmod run ended with $status" >&2; exit 1; }
awk -v table="$work/table" '
	/<!-- end of verdicts -->/ { skip = 0 }
	!skip { print }
	/<!-- verdicts:/ { while ((getline line < table) > 0) print line; skip = 1 }
' README.md >"$work/README.md"
if [ "${1:-}" = --check ]; then
	diff -u README.md "$work/README.md" || { echo "README.md: the verdict table is stale: scripts/readme-table.sh" >&2; exit 1; }
else
	cp "$work/README.md" README.md
fi

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# arm-table.sh DIR: puts the answers of the searches of scenarios/arm, by their results in DIR, into
# README.md; to have them all: ARM_SEARCHES=all scripts/check-hosts.sh build arm64, then
# build/hosts/arm64-explore. With --check in front fails when a result is not in README.md as it is.
set -eu
check=
if [ "${1:-}" = --check ]; then
	check=yes
	shift
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/table-questions.sh" "$1" arm >"$work/rows"
if [ -n "$check" ]; then
	status=0
	grep '`' "$work/rows" >"$work/answers"
	while IFS= read -r row; do
		grep -qxF -e "$row" README.md || {
			echo "README.md: not as found (scripts/arm-table.sh): $row" >&2
			status=1
		}
	done <"$work/answers"
	exit "$status"
fi
awk -v rows="$work/rows" '
	/<!-- end of arm -->/ { skip = 0 }
	!skip { print }
	/<!-- arm: scripts/ { while ((getline line < rows) > 0) print line; skip = 1 }
' README.md >"$work/README.md"
cp "$work/README.md" README.md

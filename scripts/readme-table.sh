#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Puts the verdicts of the stepped scenarios, those of the search over every protocol and fetch
# model, the 2010 table and the questions of the threads (by the results that `make check` left in
# build/check) into README.md; with --check fails when they differ.
set -eu
crossmod=${CROSSMOD:-build/crossmod}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The tables are of x86; what an Arm host has to say is in check-hosts.sh.
if [ "$(uname -m)" != x86_64 ]; then
	echo "readme-table: SKIPPED, the tables are made on an x86-64 host"
	exit 0
fi
grep -lr '"method": "stepped"' scenarios/x86_64 --include='*.json' | sort >"$work/list"
status=0
xargs "$crossmod" run --markdown -o "$work/results" <"$work/list" >"$work/table" || status=$?
if [ "$status" -eq 77 ]; then
	echo "readme-table: SKIPPED, nothing could run here"
	exit 0
fi
[ "$status" -eq 0 ] || { echo "readme-table: crossmod run ended with $status" >&2; exit 1; }
# States and times are this host's; the verdicts are not. vCPUs and NMIs are the same in every row.
# The protocols that patch any site by themselves: those of the threads, and Linux's today.
"$crossmod" matrix --quick -o "$work/matrix" naive 'stop_machine*' 'int3_*' 'cpumask_*' 'five_state*' \
	'fixup_steps*' 'immediate_values*' 'linux_batch*' >"$work/matrix.md"
grep '^|' "$work/matrix.md" |
	sed -E 's/, [0-9]+ states, [0-9.]+ s//g; s/\[(\*\*[a-z-]+\*\*)\]\([^)]*\)/\1/g
		s/^\|([^|]*)\|[^|]*\|[^|]*\|/|\1|/' >"$work/cells"
"$(dirname "$0")/table-2010.sh" "$work/matrix/matrix.json" >"$work/2010"
"$(dirname "$0")/table-questions.sh" "$(dirname "$crossmod")/check" >"$work/questions"
awk -v table="$work/table" -v cells="$work/cells" -v syncs="$work/2010" \
	-v questions="$work/questions" '
	/<!-- end of (verdicts|matrix|2010|questions) -->/ { skip = 0 }
	!skip { print }
	/<!-- verdicts:/ { while ((getline line < table) > 0) print line; skip = 1 }
	/<!-- matrix:/ { while ((getline line < cells) > 0) print line; skip = 1 }
	/<!-- questions:/ { while ((getline line < questions) > 0) print line; skip = 1 }
	/<!-- 2010:/ { while ((getline line < syncs) > 0) print line; skip = 1 }
' README.md >"$work/README.md"
# Verdicts are the same on every host; how many decisions and states they take is not.
counts='s, [0-9]+ (decisions|states) [|]$,|,'
if [ "${1:-}" = --check ]; then
	sed -E "$counts" README.md >"$work/committed"
	sed -E "$counts" "$work/README.md" >"$work/made"
	diff -u "$work/committed" "$work/made" || { echo "README.md: a table is stale: scripts/readme-table.sh" >&2; exit 1; }
else
	cp "$work/README.md" README.md
fi

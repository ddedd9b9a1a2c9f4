#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# table-questions.sh DIR: the scenarios that try every schedule, by the results in DIR: where the
# question comes from, what was asked and found, the verdict. A row a scenario.
set -eu
set -- "$1"/*.json
[ -e "$1" ] || { echo "table-questions: no results in ${1%/*}: make check leaves them" >&2; exit 1; }
awk '
# One member a line: what is between the quotes behind the colon.
function value() {
	sub(/^[^:]*: "?/, "")
	sub(/"?,?$/, "")
	gsub(/\\"/, "\"")
	gsub(/\|/, "\\|")
	return $0
}

function row() {
	if (method == "explore" && source != "null")
		printf "| %s | %s | `%s` | %s | **%s** |\n", source, why, name, fetch, verdict
}

FNR == 1 { row(); method = "" }
/^  "scenario": / { name = value(); sub(/^x86_64\//, "", name) }
/^  "method": / { method = value() }
/^  "fetch": / { fetch = value() }
/^  "why": / { why = value() }
/^  "source": / { source = value() }
/^  "verdict": / { verdict = value() }

BEGIN {
	print "| from | the question, and what was found | scenario | fetch | verdict |"
	print "|---|---|---|---|---|"
}
END { row() }' "$@"

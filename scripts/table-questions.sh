#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# table-questions.sh DIR [ARCHITECTURE]: the scenarios of ARCHITECTURE (default: x86_64) that try
# every schedule, by the results in DIR: where the question comes from, what was asked and found, the
# verdict, and what it rests on: a witness of so many scheduling decisions, or so many states
# exhausted. A row a scenario.
set -eu
architecture=${2:-x86_64}
set -- "$1"/*.json
[ -e "$1" ] || { echo "table-questions: no results in ${1%/*}: make check leaves them" >&2; exit 1; }
awk -v architecture="$architecture" '
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
		printf "| %s | %s | `%s` | %s | **%s** | %d %s |\n", source, why, name, fetch,
			verdict, steps ? steps : states, steps ? "decisions" : "states"
}

FNR == 1 { row(); method = ""; steps = states = 0 }
/^  "scenario": / { name = value(); sub("^" architecture "/", "", name) }
/^  "method": / { method = value() }
/^  "fetch": / { fetch = value() }
/^  "why": / { why = value() }
/^  "source": / { source = value() }
/^  "verdict": / { verdict = value() }
/^  "steps": / { steps = value() + 0 }
/^  "states": / { states = value() + 0 }

BEGIN {
	print "| from | the question, and what was found | scenario | fetch | verdict | by |"
	print "|---|---|---|---|---|---|"
}
END { row() }' "$@"

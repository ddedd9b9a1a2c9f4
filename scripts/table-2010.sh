#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# table-2010.sh MATRIX.json: the sync subsets of the 2010 protocol under every fetch model, as
# `crossmod matrix --quick` judged them; where the reference (1.1) says otherwise, that too.
set -eu
awk '
BEGIN {
	models = split("sc asc desc ordered stale", model, " ")
	claim("int3_fixup_a0", "1, 2, 3", "ok ok ok ok ok")
	claim("int3_fixup_a1", "1, 3", "ok ok N/o ok N/o")
	claim("int3_fixup_sync12", "1, 2", "ok ok ok ok ok")
	claim("int3_fixup_a2", "1", "ok ok N/o ok N/o")
	claim("int3_fixup_sync23", "2, 3", "ok O/n ok O/n O/n")
	claim("int3_fixup_nosync", "none", "ok O/n N/o O/n both")
}

function claim(name, present, list,   word, i) {
	protocol[++rows] = name
	syncs[rows] = present
	split(list, word, " ")
	for (i = 1; i <= models; i++)
		claims[name, model[i]] = word[i]
}

# One member a line: what is between the quotes behind the colon.
function value() {
	sub(/^[^:]*: "?/, "")
	sub(/"?,?$/, "")
	return $0
}

/^ *"protocol": / { name = value() }
/^ *"model": / { fetch = value() }
/^ *"verdict": / { saw[name, fetch] = value() }
# Which half of the mixture was new: a jump whose displacement is not, or the reverse.
/^ *"reason": .*mixture e9 / { saw[name, fetch] = saw[name, fetch] " N/o" }
/^ *"reason": .*mixture 0f / { saw[name, fetch] = saw[name, fetch] " O/n" }

function agrees(claimed, seen) {
	if (claimed == "ok")
		return seen == "safe"
	return seen == "torn " claimed || (claimed == "both" && seen ~ /^torn/)
}

END {
	printf "| syncs present | protocol |"
	for (i = 1; i <= models; i++)
		printf " %s |", model[i]
	printf "\n|---|---|---|---|---|---|---|\n"
	for (r = 1; r <= rows; r++) {
		printf "| %s | `%s` |", syncs[r], protocol[r]
		for (i = 1; i <= models; i++) {
			claimed = claims[protocol[r], model[i]]
			seen = saw[protocol[r], model[i]]
			printf " %s%s |", seen == "safe" ? seen : "**" seen "**",
				agrees(claimed, seen) ? "" : " (reference: " claimed ")"
		}
		printf "\n"
	}
}' "$1"

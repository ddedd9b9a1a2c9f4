#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-html.sh BUILD: makes the pages of two replays and has a headless Chromium read them: as many
# rows as `replay --trace` has lines, the same decisions torn, keys and #n select what they should,
# and the page's script reports no error. Without chromium this says so and passes.
set -eu

build=$1
crossmod=$build/crossmod
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "html: FAILED: $1" >&2
	exit 1
}

same() { # WHAT EXPECTED FOUND
	[ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

command -v chromium >/dev/null || {
	echo "html: SKIPPED: chromium is not installed (make setup)"
	exit 0
}

# The pages are our own, so that the sandbox, which a container may not have, is not missed.
browse() { # URL: its document, after its script has run, into work/dom; false on an error there
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$work/profile" --enable-logging=stderr --virtual-time-budget=5000 \
		--dump-dom "$1" >"$work/dom" 2>"$work/log" || { tail -5 "$work/log" >&2; fail "chromium: $1"; }
	! grep ':CONSOLE' "$work/log" >"$work/errors"
}

read_page() { # URL
	browse "$1" || fail "$1: $(cat "$work/errors")"
}

rows() { grep -o '<tr class="decision[^>]*>' "$work/dom"; }
selected() { rows | grep 'aria-current="true"' | sed 's/.*data-n="\([0-9]*\)".*/\1/'; }

make_page() { # WITNESS: work/page.html, and what --trace says in work/trace
	"$crossmod" replay --trace --html "$work/page.html" "$1" >"$work/trace"
	grep -E '^ +[0-9]+  ' "$work/trace" >"$work/lines" || fail "$1: no line"
	awk '{ print $1 }' "$work/lines" >"$work/numbers"
}

number() { sed -n "$1p" "$work/numbers"; }
violation() { awk '/violation: / { print $1 }' "$work/lines"; }

check_rows() {
	read_page "file://$work/page.html"
	same "rows" "$(cat "$work/numbers")" "$(rows | sed 's/.*data-n="\([0-9]*\)".*/\1/')"
	same "torn rows" "$(awk '/: torn: / { print $1 }' "$work/lines")" \
		"$(rows | awk '/class="[^"]* torn[ "]/' | sed 's/.*data-n="\([0-9]*\)".*/\1/')"
	same "selected at first" "$(number 1)" "$(selected)"
}

check_addresses() {
	read_page "file://$work/page.html#$(number 3)"
	same "selected by #$(number 3)" "$(number 3)" "$(selected)"
	# A decision without a row: the next that has one.
	read_page "file://$work/page.html#$(($(number 2) - 1))"
	same "selected by #$(($(number 2) - 1))" "$(number 2)" "$(selected)"
}

# The page with a script behind it that presses keys, and says after each what is selected.
check_keys() {
	{
		cat "$work/page.html"
		cat <<-'END'
			<script>
			const driven = [];
			for (const key of ["j", "ArrowDown", "k", "k", "k", "End", "j", "ArrowUp", "Home", "v", "?", "j", "?"]) {
				document.dispatchEvent(new KeyboardEvent("keydown", { key }));
				driven.push(document.querySelector("tr[aria-current]").dataset.n);
			}
			driven.push(location.hash, document.querySelector("#help").open);
			document.body.append(Object.assign(document.createElement("p"), { textContent: "driven " + driven.join(" ") }));
			</script>
		END
	} >"$work/driven.html"
	read_page "file://$work/driven.html"
	last=$(wc -l <"$work/numbers")
	v=$(violation)
	expected="driven $(number 2) $(number 3) $(number 2) $(number 1) $(number 1)"
	expected="$expected $(number "$last") $(number "$last") $(number $((last - 1))) $(number 1)"
	same "selected by keys" "$expected $v $v $v $v #$v false" \
		"$(grep -o '<p>driven [^<]*' "$work/dom" | sed 's/<p>//')"
}

# What this script believes when it sees no error it must be able to see.
check_itself() {
	{
		cat "$work/page.html"
		echo '<script>document.querySelector("#nothing").remove()</script>'
	} >"$work/broken.html"
	! browse "file://$work/broken.html" || fail "an error planted in a page went unnoticed"
}

# The memory at the selected row, a letter a byte and one for all: here as of the first store.
check_memory() {
	read_page "file://$work/page.html#$(awk '/store 1: / { print $1 }' "$work/lines")"
	same "memory after the first store" "$1" "$(grep -o '<div id="memory".*' "$work/dom" |
		sed 's/<h2>.*//; s/<[^>]*>/ /g' | tr -s ' ' | sed 's/^ //; s/ $//')"
}

status=0
"$crossmod" run -o "$work" scenarios/x86_64/int3_fixup/a2-stale-slot.json \
	scenarios/x86_64/naive/new-head-old-tail.json >"$work/table" || status=$?
if [ "$status" -eq 77 ]; then
	echo "html: SKIPPED: this host can run no scenario"
	exit 0
fi
[ "$status" -eq 0 ] || fail "crossmod run: exit status $status"

total=0
for name in int3_fixup-a2-stale-slot naive-new-head-old-tail; do
	make_page "$work/x86_64-$name.json"
	check_rows
	check_addresses
	check_keys
	total=$((total + $(wc -l <"$work/numbers")))
done
grep -q 'class="bytes torn"' "$work/dom" || fail "no mixture shown"
check_memory "e9 N 1f O 44 O 00 = 00 = T torn"
check_itself

status=0
"$crossmod" replay --html "$work/two.html" "$work"/x86_64-*.json 2>"$work/errors" || status=$?
same "exit status of two witnesses with one page" 2 "$status"
[ ! -e "$work/two.html" ] || fail "two witnesses with one page left one"
echo "html: 2 pages, $total decisions as --trace tells them; keys and addresses select them"

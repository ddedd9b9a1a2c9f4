#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh DIR GUEST SECONDS: every fuzzer of DIR for SECONDS, from the guest image and the
# scenarios as seeds. The corpus stays in DIR for the next time; what crashes one stays there too.
set -eu

dir=$1
guest=$2
seconds=$3
failed=0

for program in "$dir"/fuzz_*; do
	[ -x "$program" ] || continue
	name=${program##*/}
	corpus=$dir/corpus/$name
	mkdir -p "$corpus"
	case $name in
	fuzz_image)
		cp "$guest" "$corpus/seed.elf"
		longest=200000
		;;
	*)
		find scenarios -name '*.json' | while IFS= read -r seed; do
			cp "$seed" "$corpus/$(echo "$seed" | tr / -)"
		done
		longest=20000
		;;
	esac
	echo "fuzz: $name for $seconds s"
	if ! "$program" -max_total_time="$seconds" -max_len="$longest" -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$dir/$name-" "$corpus" >"$dir/$name.log" 2>&1; then
		tail -n 60 "$dir/$name.log"
		echo "fuzz: $name failed; the input is beside $dir/$name.log" >&2
		failed=1
	else
		echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$name.log") inputs, nothing found"
	fi
done
exit "$failed"

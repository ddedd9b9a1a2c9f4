#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# count-reports.sh COMMAND...: runs a sanitizer build and fails when it fails or any of its
# processes wrote a report. Criterion runs each test in a process of its own and takes one whose
# leaks are reported at exit for passed, so its exit status alone says too little.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0
# Criterion's own allocations in a test that skips itself are not ours to free.
echo "leak:libcriterion.so" >"$dir/suppressions"
ASAN_OPTIONS="log_path=$dir/report:${ASAN_OPTIONS-}" \
UBSAN_OPTIONS="log_path=$dir/report:print_stacktrace=1:${UBSAN_OPTIONS-}" \
LSAN_OPTIONS="log_path=$dir/report:suppressions=$dir/suppressions:print_suppressions=0:${LSAN_OPTIONS-}" \
	"$@" || status=$?

reports=0
for report in "$dir"/report*; do
	[ -s "$report" ] || continue
	reports=$((reports + 1))
	cat "$report"
done
echo "sanitizers: $reports reports"
[ "$status" -eq 0 ] && [ "$reports" -eq 0 ]

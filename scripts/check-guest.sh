#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Fails when a guest image has a segment both writable and executable, or relocations left over.
set -eu

elf=$1
readelf=$(command -v llvm-readelf || command -v llvm-readelf-14 || command -v readelf)
segments=$("$readelf" -lW "$elf")
relocations=$("$readelf" -rW "$elf")
if echo "$segments" | grep -E '^ *LOAD' | grep -Eq 'RWE'; then
	echo "$elf: a segment is both writable and executable" >&2
	exit 1
fi
if echo "$relocations" | grep -q 'R_'; then
	echo "$elf: relocations are left over" >&2
	exit 1
fi

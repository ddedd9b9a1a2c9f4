#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# embed-t32.sh T32.ELF T32.BIN: assembler source that puts the linked T32 part into the arm64 image,
# on standard output, with a symbol for each function, name_t32, and for each kind of site.
set -eu

nm=$(command -v llvm-nm || command -v llvm-nm-14 || command -v nm)
readelf=$(command -v llvm-readelf || command -v llvm-readelf-14 || command -v readelf)
echo "	.section .t32, \"ax\", @progbits"
echo "	.incbin \"$2\""
"$nm" --undefined-only "$1" | grep . >&2 && { echo "$1: undefined symbols" >&2; exit 1; }
# value size type bind visibility section name
"$readelf" -sW "$1" | awk '
$4 == "FUNC" || ($4 == "OBJECT" && $5 == "GLOBAL") {
	value = $2
	name = $8
	if ($4 == "FUNC") {
		# Bit 0 says Thumb; it is no part of the address.
		last = substr(value, length(value))
		sub(/.$/, substr("0022446688aaccee", index("0123456789abcdef", last), 1), value)
		name = name "_t32"
	}
	printf "\t.globl\t%s\n\t.type\t%s, @%s\n", name, name, $4 == "FUNC" ? "function" : "object"
	printf "\t.set\t%s, 0x%s\n\t.size\t%s, %s\n", name, value, name, $3
}'

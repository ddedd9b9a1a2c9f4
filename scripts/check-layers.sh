#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The borders between the parts, and what every source has in common. Prints each offence as
# file:line: reason; exit status 1 when there is one. Needs nothing but a POSIX awk.
set -eu

# The program below is awk's own, dollars and all.
# shellcheck disable=SC2016
find vmm guest protocols scripts .ci -type f \
	\( -name '*.c' -o -name '*.h' -o -name '*.S' -o -name '*.lds' -o -name '*.html' -o -name '*.sh' -o -path .ci/run \) |
	sort | xargs awk '
BEGIN {
	# Who may use it is matched against the path; everybody else may not.
	kvm = "^vmm/(kvm\\.[ch]$|arch/)"
	only("<linux/kvm\\.h>", kvm, "KVM stays in vmm/kvm.* and vmm/arch/")
	only("<sys/ioctl\\.h>", kvm, "ioctl() stays in vmm/kvm.* and vmm/arch/")
	only("<jansson\\.h>", "^vmm/(tests/test_|fuzz/fuzz_)?(jnode|scenario|report)",
	     "Jansson stays in jnode, scenario and report")
	only("<(libelf|gelf)\\.h>", "^vmm/image\\.c$", "libelf stays in vmm/image.c")
	only("<capstone/", "^vmm/insn_internal\\.h$", "Capstone stays behind vmm/insn_internal.h")
	only("\"insn_internal\\.h\"", "^vmm/insn(_[a-z0-9]+)?\\.c$", "insn_internal.h is of the insn files")
	only("\"fetch_internal\\.h\"", "^vmm/fetch(_[a-z]+)?\\.c$", "fetch_internal.h is of the fetch files")
	only("<xxhash\\.h>", "^vmm/(image|machine_setup|explore|explore_run|search_checkpoint|tests/(toys|test_search_checkpoint))\\.c$",
	     "xxHash stays where states and files are hashed")
	only("<pthread\\.h>", "^vmm/((run_free|injector)\\.c$|bench_free\\.c$|survey_lab\\.c$|guard\\.c$|search|arch/)",
	     "threads stay in the free runner, its injector, the survey lab, guard, search and vmm/arch/")
	only("<spawn\\.h>", "^vmm/(plot|bench)\\.c$", "other programs are run by plot.c, and by bench for its start-up time")
	only("\"emulated\\.h\"", "^vmm/(emulated|main)\\.c$", "where a command runs is for main.c to say")
	only("\"(.*/)?x86\\.h\"", "^vmm/(arch/x86_64/|tests/test_vm\\.c$)", "x86.h is inside vmm/arch/x86_64/")
	only("\"(.*/)?arm\\.h\"", "^vmm/arch/arm64/", "arm.h is inside vmm/arch/arm64/")
	# Never even through another header.
	nokvm = "^vmm/(explore|replay|schedule|observation|verdict|scenario|fetch|cmodx|isa|insn|site|trace|report|plot|histogram|arrivals|sweep|survey(_choice|_stats)?\\.)"
	# In pieces, so that this file may pass its own check.
	marks = "(^|[^A-Za-z0-9_])(TO" "DO|FIX" "ME|X" "XX)([^A-Za-z0-9_]|$)"
}

function only(header, path, why) {
	rule[++rules] = header
	allowed[rules] = path
	reason[rules] = why
}

function offence(line, why) {
	printf "%s:%d: %s\n", FILENAME, line, why
	bad = 1
}

function whole(file, why) {
	printf "%s:1: %s\n", file, why
	bad = 1
}

# A header of ours as a path from the top, as quotes, -I. and -Ivmm find it.
function resolve(name,   dir) {
	dir = FILENAME
	sub(/[^\/]*$/, "", dir)
	if (name ~ /^guest\//)
		return name
	return dir ~ /^vmm\/arch\// && (name == "x86.h" || name == "arm.h") ? dir name : "vmm/" name
}

function check_include(what,   name, i) {
	name = what
	gsub(/[<">]/, "", name)
	if (what ~ /^"/)
		edges[FILENAME] = edges[FILENAME] " " resolve(name)
	for (i = 1; i <= rules; i++)
		if (what ~ rule[i] && FILENAME !~ allowed[i])
			offence(FNR, what ": " reason[i])
	if (FILENAME ~ /^protocols\// && what != "\"guest/protocol.h\"")
		offence(FNR, what ": protocols/ includes guest/protocol.h only")
	if (FILENAME ~ /^guest\// && what !~ /^("guest\/[^"]*"|<std(bool|def|int)\.h>)$/)
		offence(FNR, what ": guest/ includes guest/ and freestanding headers only")
	if (FILENAME == "guest/abi.h" && what != "<stdint.h>")
		offence(FNR, what ": guest/abi.h includes <stdint.h> only")
	if (FILENAME ~ /^vmm\// && what ~ /^"(guest|protocols)\// && what != "\"guest/abi.h\"")
		offence(FNR, what ": vmm/ shares guest/abi.h with the guest, nothing else")
}

# The line without its comments.
function code(line,   at) {
	if (commented) {
		if (!(at = index(line, "*/")))
			return ""
		line = substr(line, at + 2)
		commented = 0
	}
	while (match(line, /\/\*([^*]|\*[^\/])*\*\//))
		line = substr(line, 1, RSTART - 1) " " substr(line, RSTART + RLENGTH)
	if (at = index(line, "/*")) {
		commented = 1
		line = substr(line, 1, at - 1)
	}
	sub(/\/\/.*/, "", line)
	return line
}

FNR == 1 { files[++nfiles] = FILENAME; commented = 0 }
FNR <= 2 && /SPDX-License-Identifier: BSD-2-Clause/ { spdx[FILENAME] = 1 }
FNR == 601 { offence(601, "longer than 600 lines") }
$0 ~ marks { offence(FNR, "unfinished: " $0) }

FILENAME ~ /\.[chS]$/ {
	line = code($0)
	# Not from (line): // in a header name is no comment.
	if (line ~ /^[ \t]*#[ \t]*include/ && match($0, /<[^>]*>|"[^"]*"/))
		check_include(substr($0, RSTART, RLENGTH))
	else if (line ~ /(^|[^A-Za-z0-9_])ioctl[ \t]*\(/ && FILENAME !~ kvm)
		offence(FNR, "ioctl() stays in vmm/kvm.* and vmm/arch/")
}

# Depth first from (file): a header met again while it is open is a circle.
function walk(file, path,   list, n, i) {
	state[file] = "open"
	n = split(edges[file], list, " ")
	for (i = 1; i <= n; i++) {
		if (state[list[i]] == "open") {
			whole(file, "circular include: " path " " list[i])
		} else if (state[list[i]] == "") {
			walk(list[i], path " " list[i])
		}
		if (reaches[list[i]] != "")
			reaches[file] = list[i]
	}
	state[file] = "closed"
}

END {
	reaches["vmm/kvm.h"] = "itself"
	for (i = 1; i <= nfiles; i++)
		if (state[files[i]] == "")
			walk(files[i], files[i])
	for (i = 1; i <= nfiles; i++) {
		if (!spdx[files[i]])
			whole(files[i], "no SPDX-License-Identifier: BSD-2-Clause line")
		if (files[i] ~ nokvm && reaches[files[i]] != "")
			whole(files[i], "sees kvm.h, through " reaches[files[i]])
	}
	exit bad
}' || exit 1

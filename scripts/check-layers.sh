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
	# The folders of vmm/, lowest first: each may include those before it, and no other.
	n = split("base image model scenario vm machine run explore report matrix sweep survey bench command", folder, " ")
	for (i = 1; i <= n; i++)
		level[folder[i]] = i
	# A backend fills vm/vm.h in, and knows no more than vm/ does.
	level["arch"] = level["vm"]

	# Who may use it is matched against the path; everybody else may not.
	kvm = "^vmm/(vm/kvm\\.[ch]$|arch/)"
	only("<linux/kvm\\.h>", kvm, "KVM stays in vmm/vm/kvm.* and vmm/arch/")
	only("<sys/ioctl\\.h>", kvm, "ioctl() stays in vmm/vm/kvm.* and vmm/arch/")
	only("\"vm/(kvm|vm)\\.h\"", "^vmm/(vm/([a-z_]+\\.c|vm\\.h)$|arch/)", "above vm/ VMs and KVM are opaque: vm/arch.h")
	only("<jansson\\.h>", "^vmm/(tests/test_|fuzz/fuzz_|[a-z]+/)(jnode|scenario|report)",
	     "Jansson stays in jnode, scenario and report")
	only("<(libelf|gelf)\\.h>", "^vmm/image/image\\.c$", "libelf stays in image.c")
	only("<capstone/", "^vmm/image/insn_internal\\.h$", "Capstone stays behind insn_internal.h")
	only("<xxhash\\.h>", "^vmm/(image/image|machine/machine_setup|explore/(explore|explore_run|search_checkpoint)|tests/(toys|test_search_checkpoint))\\.c$",
	     "xxHash stays where states and files are hashed")
	only("<pthread\\.h>", "^vmm/(run/(run_free|injector)\\.c$|bench/bench_free\\.c$|survey/survey_lab\\.c$|vm/(guard|vm)\\.c$|explore/search|arch/)",
	     "threads stay in the free runner, its injector, the survey lab, guard, search and vmm/arch/")
	only("<spawn\\.h>", "^vmm/(base/plot|bench/bench)\\.c$", "other programs are run by plot.c, and by bench for its start-up time")
	only("\"command/emulated\\.h\"", "^vmm/(command/emulated|main)\\.c$", "where a command runs is for main.c to say")
	only("\"(.*/)?x86\\.h\"", "^vmm/(arch/x86_64/|tests/test_vm\\.c$)", "x86.h is inside vmm/arch/x86_64/")
	only("\"(.*/)?arm\\.h\"", "^vmm/(arch/arm64/|tests/test_(gic|colour)\\.c$)", "arm.h is inside vmm/arch/arm64/")
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

# The folder below vmm/ that (path) is in, "" for vmm/main.c and for what is not in vmm/.
function layer(path) {
	if (!sub(/^vmm\//, "", path) || path !~ /\//)
		return ""
	sub(/\/.*/, "", path)
	return path
}

function check_layer(what, target,   from, to) {
	from = layer(FILENAME)
	to = layer(target)
	if (from == "tests" || from == "fuzz" || from == "" || to == "" || from == to)
		return
	if (!level[to] || level[to] >= level[from] && !(from == "arch" && to == "vm") &&
	    target !~ /\/arch_vm\.h$/)
		offence(FNR, what ": " from "/ is not above " to "/")
	if (target ~ /_internal\.h$/)
		offence(FNR, what ": is of " to "/ only")
}

function check_include(what,   name, target, i) {
	name = what
	gsub(/[<">]/, "", name)
	if (what ~ /^"/) {
		target = resolve(name)
		edges[FILENAME] = edges[FILENAME] " " target
		check_layer(what, target)
	}
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
	}
	state[file] = "closed"
}

END {
	for (i = 1; i <= nfiles; i++)
		if (state[files[i]] == "")
			walk(files[i], files[i])
	for (i = 1; i <= nfiles; i++) {
		if (!spdx[files[i]])
			whole(files[i], "no SPDX-License-Identifier: BSD-2-Clause line")
	}
	exit bad
}' || exit 1

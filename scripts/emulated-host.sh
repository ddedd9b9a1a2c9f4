#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# emulated-host.sh --host amd|arm64|arm64-el0 [--cpus N] [--memory MIB] [--seconds N] [--own-tmp]
#                  COMMAND...
# emulated-host.sh --host ... --probe     exit status 0 when that machine can be had, else 77
# Runs COMMAND in a machine that QEMU emulates, which has a KVM of its own:
#   amd        x86-64 with AMD-V, kvm_amd
#   arm64      Cortex-A57, arm64 KVM with AArch32 at EL1 and EL0
#   arm64-el0  Neoverse N1, arm64 KVM with AArch32 at EL0 only
# The files and the directory are this machine's (9p), so every path means the same there and
# results are simply written. Output and exit status are COMMAND's. Ctrl-C goes to COMMAND, a second
# one, or one while the machine boots, ends the machine: exit status 130. Exit status 77 when the
# machine cannot be had here, 3 when it failed.
# --own-tmp: /tmp is the machine's and goes with it, but for the directory there that the current one
# is in, if it is; for programs that need sockets in /tmp, which 9p has none of.
#
# CROSSMOD_HOSTS: where fetch-hosts.sh has put the kernels (default: as there). CROSSMOD_CONSOLE:
# keep the machine's console in that file.
set -eu

say() {
	echo "emulated-host: $*" >&2
}

usage() {
	say "$*"
	say "usage: emulated-host.sh --host amd|arm64|arm64-el0 [--cpus N] [--memory MIB]" \
		"[--seconds N] [--own-tmp] COMMAND [ARGUMENT...]"
	exit 2
}

host=
probe=
tmp=
cpus=
memory=2048
seconds=86400
while [ $# -gt 0 ]; do
	case $1 in
	--host | --cpus | --memory | --seconds)
		[ $# -ge 2 ] || usage "$1 needs a value"
		case $1 in
		--host) host=$2 ;;
		--cpus) cpus=$2 ;;
		--memory) memory=$2 ;;
		--seconds) seconds=$2 ;;
		esac
		shift 2
		;;
	--probe)
		probe=yes
		shift
		;;
	--own-tmp)
		tmp=crossmod.tmp=own
		shift
		;;
	-*) usage "unknown option $1" ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || [ -n "$probe" ] || usage "no command"
# Two processors of QEMU 7.2's emulated SVM hung minutes into a search, twice of three times: a soft
# lockup on both, in the kernel's own code. One never did.
[ -n "$cpus" ] || case $host in
amd) cpus=1 ;;
*) cpus=2 ;;
esac
for number in "$cpus" "$memory" "$seconds"; do
	case $number in
	'' | 0* | *[!0-9]*) usage "'$number': must be a number, 1 or more" ;;
	esac
done

case $host in
amd)
	arch=amd64 qemu=qemu-system-x86_64 package=qemu-system-x86
	machine="-M pc -cpu qemu64,+svm,+npt" console=ttyS0
	;;
arm64 | arm64-el0)
	arch=arm64 qemu=qemu-system-aarch64 package=qemu-system-arm
	case $host in
	arm64) cpu=cortex-a57 ;;
	*) cpu=neoverse-n1 ;;
	esac
	machine="-M virt,virtualization=on,gic-version=3 -cpu $cpu" console=ttyAMA0
	;;
'') usage "--host is missing" ;;
*) usage "--host $host: must be amd, arm64 or arm64-el0" ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
hosts=$here/hosts
[ ! -e "$here/../Makefile" ] || hosts=$here/../build-hosts
hosts=${CROSSMOD_HOSTS:-$hosts}
if ! command -v "$qemu" >/dev/null; then
	say "no $qemu here: install the package $package (make setup does)"
	exit 77
fi
if [ ! -e "$hosts/$arch/initrd" ]; then
	say "no kernel in $hosts/$arch: $here/fetch-hosts.sh $hosts fetches it (make setup does)"
	exit 77
fi
[ -z "$probe" ] || exit 0

job=$(mktemp -d "${TMPDIR:-/tmp}/crossmod-host.XXXXXX")
trap 'rm -rf "$job"' EXIT

# Nobody can be asked to end while the machine still boots: then it is the machine that ends.
# One signal may come twice at once, to the process and to its group: that is no second Ctrl-C.
stopped=
machine_pid=
# shellcheck disable=SC2317 # the trap calls it
stop() {
	now=$(date +%s)
	[ -n "$machine_pid" ] || exit 130
	if [ ! -s "$job/alive" ]; then
		stopped=$now
		kill "$machine_pid" 2>/dev/null || true
	elif [ -z "$stopped" ]; then
		stopped=$now
		echo 2 >&3
	elif [ "$now" -gt "$((stopped + 1))" ]; then
		kill "$machine_pid" 2>/dev/null || true
	fi
}
trap stop INT TERM

quoted() {
	for word; do
		printf " '%s'" "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")"
	done
}

# What the command sees: this directory and environment, and CROSSMOD_EMULATED for its host block.
outer=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
version=$("$qemu" --version | sed -n '1s/^QEMU emulator version \([^ ]*\).*/\1/p')
CROSSMOD_EMULATED="QEMU $version $host on ${outer:-$(uname -m)}, Linux $(uname -r)"
export CROSSMOD_EMULATED
{
	export -p
	echo "cd$(quoted "$PWD") || exit 3"
	echo "exec$(quoted "$@")"
} >"$job/run"
# What of /tmp a machine with its own keeps: each bind takes the emulator a moment.
for directory in "$job" "$PWD"; do
	case $directory in
	/tmp/*)
		directory=${directory#/tmp/}
		echo "/tmp/${directory%%/*}"
		;;
	esac
done >"$job/directories"
: >"$job/busybox"
: >"$job/alive"
mkfifo "$job/out" "$job/err" "$job/control.in" "$job/control.out"

port() {
	echo "-chardev $2,id=cm.$1,path=$job/$1 -device virtserialport,chardev=cm.$1,name=cm.$1"
}

# What of the kernel's own start can be left out: the mitigations make every exit to user space
# several times as expensive under the emulator. The check of the timer fails where the emulator
# gets no processor for a moment, and the machine then never comes up.
quiet="quiet panic=-1 mitigations=off kpti=off nokaslr audit=0 lsm= cryptomgr.notests no_timer_check"

# The words of the machine, split here on purpose. `timeout` puts it into a process group of its
# own, which the terminal's Ctrl-C does not reach.
# shellcheck disable=SC2046,SC2086
timeout -k 5 "$seconds" "$qemu" $machine -accel tcg -smp "$cpus" -m "$memory" \
	-nodefaults -no-user-config -display none -no-reboot \
	-serial "file:$job/console" \
	-kernel "$hosts/$arch/kernel" -initrd "$hosts/$arch/initrd" \
	-append "console=$console $quiet crossmod.job=$job $tmp" \
	-fsdev local,id=host,path=/,security_model=none,multidevs=remap \
	-device virtio-9p-pci,fsdev=host,mount_tag=host \
	-device virtio-serial-pci \
	$(port out file) $(port err file) $(port alive file) $(port control pipe) \
	</dev/null >"$job/qemu" 2>&1 &
machine_pid=$!
cat "$job/out" &
out_pid=$!
cat "$job/err" >&2 &
err_pid=$!

# A machine without a sign of life for so many minutes hangs: booting takes a few seconds, and the
# line is due every five, but ten times as much to do as there are processors makes a minute of them.
# Whoever reads our output waits for all who could write there, so the sleep cannot, and ends with us.
silence=3
(
	nap=
	trap 'kill "$nap" 2>/dev/null; exit' TERM
	before=0
	silent=0
	while kill -0 "$machine_pid" 2>/dev/null; do
		sleep 60 >/dev/null 2>&1 &
		nap=$!
		wait "$nap"
		now=$(wc -c <"$job/alive")
		silent=$((silent + 1))
		[ "$now" -eq "$before" ] || silent=0
		before=$now
		if [ "$silent" -eq "$silence" ]; then
			say "the machine has hung: ended"
			kill "$machine_pid"
			break
		fi
	done
) &
watchdog_pid=$!

# Opened for reading too: this must not wait for the machine.
exec 3<>"$job/control.in"

# A signal ends `wait` early.
ended=0
while kill -0 "$machine_pid" 2>/dev/null; do
	ended=0
	wait "$machine_pid" || ended=$?
done
kill "$watchdog_pid" 2>/dev/null || true
# A machine that ended early may never have opened them, and `cat` waits for that.
: <>"$job/out" <>"$job/err"
wait "$out_pid" "$err_pid" || true

[ -z "${CROSSMOD_CONSOLE:-}" ] || cp "$job/console" "$CROSSMOD_CONSOLE"
if [ -s "$job/status" ]; then
	exit "$(cat "$job/status")"
fi
[ -z "$stopped" ] || exit 130
[ "$ended" -ne 124 ] || say "--seconds $seconds are over"
say "the machine ended before the command did:"
cat "$job/qemu" "$job/console" >&2 || true
exit 3

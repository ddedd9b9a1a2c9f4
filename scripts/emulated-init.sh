#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# emulated-init.sh: /init of the machine that emulated-host.sh boots. Loads the modules, mounts the
# outer machine's root over 9p and runs $job/run in it, where $job comes on the kernel's command
# line as crossmod.job=. Its output goes to the ports cm.out and cm.err, its exit status to
# $job/status; a line on cm.control is the number of a signal for it, and a line on cm.alive every
# few seconds says that this machine is. With crossmod.tmp=own its /tmp is a tmpfs that has the
# outer machine's directories that $job/directories names.
b=/bin/busybox
export PATH=/bin
$b mkdir -p /proc /sys /dev
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
$b mount -t sysfs sys /sys

fail() {
	echo "emulated-init: $*"
	$b reboot -f
}

while read -r module; do
	case $module in
	# Not every machine has AMD-V, and a processor in the emulator that has none is no news.
	kvm-amd.ko) $b insmod "/$module" || echo "emulated-init: $module: not loaded" ;;
	*) $b insmod "/$module" || fail "$module: not loaded" ;;
	esac
done </modules

job=
own_tmp=
for word in $($b cat /proc/cmdline); do
	case $word in
	crossmod.job=*) job=${word#*=} ;;
	crossmod.tmp=own) own_tmp=yes ;;
	esac
done
[ -n "$job" ] || fail "no crossmod.job= on the command line"

port() {
	for name in /sys/class/virtio-ports/*/name; do
		[ "$($b cat "$name")" = "$1" ] || continue
		name=${name%/name}
		echo "/dev/${name##*/}"
		return
	done
	fail "no port $1"
}
out=$(port cm.out)
err=$(port cm.err)
control=$(port cm.control)
alive=$(port cm.alive)

$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,access=client host /host ||
	fail "the outer machine's files: not mounted"
# POSIX shared memory.
$b mkdir /dev/shm
$b mount -t tmpfs -o mode=1777 shm /dev/shm
$b mount -o bind /dev /host/dev
$b mount -o bind /dev/shm /host/dev/shm
$b mount -o bind /proc /host/proc
$b mount -o bind /sys /host/sys

# Of the outer machine's list: a directory that changes meanwhile is not read whole over 9p.
if [ -n "$own_tmp" ]; then
	$b cp "/host$job/directories" / || fail "no list of the directories of /tmp"
	$b mkdir /tmp
	$b mount -o bind /host/tmp /tmp
	$b mount -t tmpfs -o mode=1777 tmp /host/tmp
	while IFS= read -r directory; do
		$b mkdir "/host$directory"
		$b mount -o bind "$directory" "/host$directory"
	done </directories
fi

# The outer machine's shell may be another architecture's.
$b mount -o bind /bin/busybox "/host$job/busybox"

(while echo alive; do
	$b sleep 5
done) >"$alive" &
(while read -r signal; do
	until [ -s /pid ]; do
		$b sleep 1
	done
	kill "-$signal" "$($b cat /pid)"
done) <"$control" &
# Not in the background, where a shell has SIGINT ignored: one that comes before the command has a
# handler for it must not be lost.
status=0
$b sh -c 'echo $$ >/pid && exec "$@"' sh "$b" chroot /host "$job/busybox" sh "$job/run" \
	</dev/null >"$out" 2>"$err" || status=$?
echo "$status" >"/host$job/status"
$b sync
$b reboot -f

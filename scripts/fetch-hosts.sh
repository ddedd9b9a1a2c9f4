#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fetch-hosts.sh [DIR]: fetches what emulated-host.sh boots, and what an arm64 build links with,
# into DIR (default: build-hosts in the source tree, or hosts beside an installed copy of this):
#   DIR/<arch>/kernel, initrd   Debian's kernel, and an initramfs of busybox and a few modules
#   DIR/<arch>/version          the packages these are from
#   DIR/sysroot-arm64/          headers and archives of the libraries, and the tests' library with
#                               all that it needs to run there
# apt does it, with lists of its own that know both architectures, so that this machine's stay
# as they are; it verifies every package. Nothing is asked of the network when all is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=$here/hosts
[ ! -e "$here/../Makefile" ] || dir=$here/../build-hosts
dir=${1:-$dir}
libraries="libelf-dev libjansson-dev zlib1g-dev libcapstone-dev libxxhash-dev libcriterion-dev"
# Linked dynamically: there are no archives of all that it needs.
shared=libcriterion3

# What the initramfs must be able to load, besides what these depend on.
modules="kvm-amd virtio_pci virtio_console 9pnet_virtio 9p"

give_up() {
	echo "fetch-hosts: $*" >&2
	exit 2
}

# The initramfs holds the two scripts: another one is made when they change.
stamp=$(cat "$here/fetch-hosts.sh" "$here/emulated-init.sh" | cksum)

is_there() {
	[ "$(cat "$dir/$1/.stamp" 2>/dev/null)" = "$stamp" ]
}

if is_there amd64 && is_there arm64 && is_there sysroot-arm64; then
	echo "fetch-hosts: everything is in $dir"
	exit 0
fi
for tool in apt-get dpkg-deb cpio llvm-strip llvm-objcopy xz; do
	command -v "$tool" >/dev/null || give_up "no $tool here: scripts/setup.sh installs it"
done

mkdir -p "$dir/debs"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

use_private_apt() {
	mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	cat >"$work/apt.conf" <<-CONF
		Dir::State "$work/apt/";
		Dir::State::status "/dev/null";
		Dir::Cache "$work/apt/cache/";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; "arm64"; };
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
	CONF
	export APT_CONFIG="$work/apt.conf"
	# A third party's list that fails is no matter; the downloads below tell.
	apt-get -qq update || echo "fetch-hosts: apt-get update had errors" >&2
}

# Prints the path of the newest package's file, downloaded unless an earlier run has done so.
deb() {
	version=$(apt-cache show "$1" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
	[ -n "$version" ] || give_up "apt knows no package $1"
	file=$dir/debs/$(echo "${1%:*}_${version}_${1#*:}.deb" | sed 's/:/%3a/')
	[ -e "$file" ] || (cd "$dir/debs" && apt-get -qq download "$1" >&2) ||
		give_up "cannot download $1"
	[ -e "$file" ] || give_up "apt-get did not write $file"
	echo "$file"
}

# The dependencies of a module first. What has no file is built in.
add_module() {
	ko=$(find "$work/image/lib/modules" -name "$1.ko" -o -name "$(echo "$1" | tr _ -).ko")
	[ -n "$ko" ] || return 0
	ko=${ko%%
*}
	grep -qx "${ko##*/}" "$root/modules" && return 0
	for dependency in $(llvm-objcopy -O binary --only-section=.modinfo \
		--set-section-flags .modinfo=alloc "$ko" - | tr '\0' '\n' |
		sed -n 's/^depends=//p' | tr ',' ' '); do
		(add_module "$dependency")
	done
	# Without debug data and signature it loads faster; the kernel does not insist on either.
	llvm-strip --strip-debug -o "$root/${ko##*/}" "$ko"
	echo "${ko##*/}" >>"$root/modules"
}

# unpack_kernel VMLINUZ FILE: what a bzImage holds, which the emulator would take seconds to unpack
# at every start (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length; the
# last four bytes are the unpacked size). QEMU enters such a file by its PVH note. Other images are
# not packed.
unpack_kernel() {
	[ "$(dd if="$1" bs=1 skip=514 count=4 2>/dev/null)" = HdrS ] || {
		cp "$1" "$2"
		return
	}
	sectors=$(od -An -tu1 -j 497 -N 1 "$1")
	# Two numbers.
	# shellcheck disable=SC2046
	set -- "$1" "$2" $(od -An -tu4 -j 584 -N 8 "$1")
	tail -c "+$(((sectors + 1) * 512 + $3 + 1))" "$1" | head -c "$(($4 - 4))" | xz -dc >"$2" ||
		give_up "$1: its kernel is not packed with xz"
}

make_host() {
	arch=$1
	echo "fetch-hosts: $arch: Debian's kernel and an initramfs"
	release=$(apt-cache show "linux-image-$arch:$arch" |
		sed -n 's/^Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
	[ -n "$release" ] || give_up "apt knows no linux-image-$arch:$arch"
	kernel=$(deb "$release:$arch")
	busybox=$(deb "busybox-static:$arch")

	rm -rf "$work/image" "$work/root"
	root=$work/root
	mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/host"
	dpkg-deb -x "$kernel" "$work/image"
	dpkg-deb --fsys-tarfile "$busybox" | tar -xO ./bin/busybox >"$root/bin/busybox"
	chmod 755 "$root/bin/busybox"
	install -m 755 "$here/emulated-init.sh" "$root/init"
	: >"$root/modules"
	for module in $modules; do
		add_module "$module"
	done

	mkdir -p "$work/$arch"
	unpack_kernel "$work"/image/boot/vmlinuz-* "$work/$arch/kernel"
	(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$work/$arch/initrd"
	basename -a "$kernel" "$busybox" >"$work/$arch/version"
	put "$arch"
}

# The arm64 packages that (package) needs to run, itself among them; but the C library and what
# belongs to it, which the cross compiler has.
needed_by() {
	apt-get install -s --no-install-recommends "$1:arm64" |
		sed -n 's/^Inst \([^ ]*\):arm64 .*/\1/p' | grep -vE '^(libc6|libgcc-s1|gcc-[0-9]+-base)$' ||
		give_up "apt cannot tell what $1 needs"
}

make_sysroot() {
	echo "fetch-hosts: sysroot of the arm64 libraries"
	for library in $libraries $(needed_by "$shared"); do
		file=$(deb "$library:arm64")
		dpkg-deb -x "$file" "$work/sysroot-arm64"
		echo "${file##*/}" >>"$work/sysroot-arm64/version"
	done
	put sysroot-arm64
}

# In one step, the stamp last: an interrupted run leaves nothing that looks complete.
put() {
	rm -rf "${dir:?}/$1"
	mv "$work/$1" "$dir/$1"
	echo "$stamp" >"$dir/$1/.stamp"
}

use_private_apt
is_there sysroot-arm64 || make_sysroot
is_there arm64 || make_host arm64
is_there amd64 || make_host amd64
echo "fetch-hosts: everything is in $dir"

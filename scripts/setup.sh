#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Installs the Debian packages that crossmod is built and tested with, and fetches what the emulated
# hosts boot (fetch-hosts.sh), as far as they are missing. Safe to run again: with nothing missing
# it changes nothing and asks no network. Exit status 2 when it cannot install.
set -eu

# clang, lld and llvm build and inspect the guests; gcc and the libraries build the host program;
# the rest is for the tests and for `make lint`. libclang-rt is what -fsanitize=fuzzer links.
# chromium is for scripts/check-html.sh alone, which passes without it; it is the big one, some
# 400 MB with what it needs. qemu is for the emulated hosts, gnuplot for the figures of `sweep` and
# `survey`, which do without it.
packages="gcc libc6-dev make pkg-config clang lld llvm libelf-dev libjansson-dev libcapstone-dev
	libxxhash-dev libcriterion-dev spin clang-format clang-tidy cppcheck shellcheck
	libclang-rt-14-dev chromium git ca-certificates qemu-system-x86 qemu-system-arm cpio
	xz-utils gnuplot-nox"
# For the program that runs on the emulated arm64 hosts, where it is not the native one.
[ "$(uname -m)" = aarch64 ] || packages="$packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

say_kvm() {
	if [ ! -e /dev/kvm ]; then
		echo "setup: /dev/kvm is not there: scenarios run in QEMU's emulator"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "setup: /dev/kvm is not accessible to $(id -un): sudo usermod -aG kvm \$USER"
	else
		echo "setup: /dev/kvm is usable"
	fi
}

give_up() {
	echo "setup: $1" >&2
	# Unquoted, so that it becomes one line.
	# shellcheck disable=SC2086
	echo "setup: needed are what Debian 12 calls" $packages >&2
	exit 2
}

# Without them all that is native builds and runs.
fetch_hosts() {
	"$(dirname "$0")/fetch-hosts.sh" || echo "setup: no emulated hosts: see above" >&2
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	give_up "this is not Debian: install the packages yourself, then leave 'setup' out"
fi

missing=
for package in $packages; do
	status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) || status=
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
	echo "setup: every package is there"
	fetch_hosts
	say_kvm
	exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || give_up "missing:$missing; run as root, or install sudo"
	as_root=sudo
fi
echo "setup: installing$missing"

# The settings go through env because sudo drops the environment; the timeout is for a fresh
# machine, where another apt may be at work.
apt() {
	# No command at all when we are root.
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}
apt update || give_up "apt-get update failed"
# shellcheck disable=SC2086
apt -y --no-install-recommends install $missing || give_up "apt-get could not install:$missing"
fetch_hosts
say_kvm

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emulated.h - on which host a command runs: this one, or one that QEMU
 * emulates and that has a KVM of its own. Owns how one gets there, which is
 * scripts/emulated-host.sh; knows no guest and no scenario.
 */
#ifndef CROSSMOD_EMULATED_H
#define CROSSMOD_EMULATED_H

#include <stdbool.h>

#include "base/err.h"

enum emulated_host {
	HOST_AUTO,  /* this one, or HOST_AMD where there is no /dev/kvm */
	HOST_LOCAL, /* this one, whatever it has */
	HOST_AMD,   /* x86-64 with AMD-V */
	HOST_ARM64,
	HOST_ARM64_EL0, /* AArch32 at EL0 only */
};

/* Of --host. False: not the name of one; emulated_names() are. */
bool emulated_parse(const char *name, enum emulated_host *host);
const char *emulated_names(void);

/*
 * Where HOST_AUTO leads: to HOST_LOCAL, unless /dev/kvm is missing, the command
 * (falls_back) and there is a launcher: then to HOST_AMD. Others stay as they are.
 */
enum emulated_host emulated_choose(enum emulated_host host, bool falls_back);

/*
 * Go to (host), which is none of HOST_AUTO and HOST_LOCAL, for (command) with its
 * (arguments), NULL at their end: this process becomes the emulator's launcher,
 * whose output, exit status and files are the command's. Returns only on failure:
 * ERR_UNSUPPORTED when what it takes is not there.
 */
bool emulated_enter(enum emulated_host host, const char *command, char *const *arguments,
		    struct err *e);

#endif

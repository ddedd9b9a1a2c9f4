/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - what ends a run from outside: Ctrl-C, and a watchdog for a guest
 * that never exits. Owns the process's signal handlers; knows no guest.
 */
#ifndef CROSSMOD_GUARD_H
#define CROSSMOD_GUARD_H

#include <stdbool.h>

#include "vm/arch.h"

/* A vCPU that does not exit, and a role that does not end when asked to, for this long is hung. */
#define GUARD_SECONDS 5.0

/* Install the handlers for SIGINT, SIGTERM, SIGHUP, SIGALRM and SIGUSR1. Once, by main() or a test. */
void guard_install(void);

/* Has the user asked to stop? Stays so. */
bool guard_interrupted(void);

/* The most VMs that can be watched at once. */
#define GUARD_VMS 64u

/*
 * Watch over (vm)'s vCPUs, entered by the calling thread only: when nobody
 * calls guard_pet() for (seconds), every vCPU of every watched VM is kicked;
 * with (kick_on_stop) also on Ctrl-C. guard_release() ends it for all of them
 * and takes the kicks back; no watched VM may be running then.
 */
void guard_watch(struct vm *vm, uint32_t vcpus, double seconds, bool kick_on_stop);
void guard_pet(void);
bool guard_fired(void);
void guard_release(void);

#endif

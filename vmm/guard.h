/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - what ends a run from outside: Ctrl-C, and a watchdog for a guest
 * that never exits. Owns the process's signal handlers; knows no guest.
 */
#ifndef CROSSMOD_GUARD_H
#define CROSSMOD_GUARD_H

#include <stdbool.h>

#include "arch.h"

/* A vCPU that does not exit, and a role that does not end when asked to, for this long is hung. */
#define GUARD_SECONDS 5.0

/* Install the handlers for SIGINT, SIGTERM, SIGALRM and SIGUSR1. Once, by main() or a test. */
void guard_install(void);

/* Has the user asked to stop? Stays so. */
bool guard_interrupted(void);

/*
 * Watch over (vm)'s vCPUs, entered by the calling thread only: when no
 * guard_pet() comes for (seconds), or on Ctrl-C, every vCPU is kicked. One VM
 * at a time; guard_release() ends it and takes the kicks back.
 */
void guard_watch(struct vm *vm, uint32_t vcpus, double seconds);
void guard_pet(void);
bool guard_fired(void);
void guard_release(void);

#endif

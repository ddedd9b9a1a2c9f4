/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setup.h - from a booted VM to the start of a run: sites placed, the guest
 * told what to do, every vCPU about to play its role. The stepped machine and
 * the free runner start here alike.
 */
#ifndef CROSSMOD_SETUP_H
#define CROSSMOD_SETUP_H

#include "vm/arch.h"
#include "base/err.h"
#include "model/observation.h"
#include "scenario/scenario.h"
#include "model/site.h"

/*
 * Every vCPU stands at READY. Place the scenario's sites into (site) and the
 * canonical text, write control block and mailboxes, and run every vCPU to
 * its ROLE doorbell, one without a role to DONE.
 */
bool setup_guest(struct vm *vm, const struct image *image, const struct scenario *s,
		 struct site site[CM_MAX_SITES], struct err *e);

/* Host addresses inside the guest. */
struct cm_control *setup_control(struct vm *vm, const struct image *image);
struct cm_cpu *setup_mailbox(struct vm *vm, const struct image *image, uint32_t vcpu);
const struct cm_counts *setup_counts(struct vm *vm, const struct image *image, uint32_t vcpu);
const struct cm_patches *setup_patches(struct vm *vm, const struct image *image);

/*
 * Carry out the struct cm_atomic at guest address (argument). False: that, or
 * what it names, is not in the image.
 */
bool setup_atomic(struct vm *vm, uint64_t argument);

/* (vcpu) rang CM_DOOR_ASSERT: (o) is suspect, and why. */
void setup_assertion(struct vm *vm, const struct image *image, uint32_t vcpu,
		     struct observation *o);

#endif

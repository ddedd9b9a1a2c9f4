/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine_internal.h - what the machine's files share: machine.c decides
 * nothing and does one step, machine_fetch.c fetches for it, machine_setup.c
 * brings the guest to the start of a run.
 */
#ifndef CROSSMOD_MACHINE_INTERNAL_H
#define CROSSMOD_MACHINE_INTERNAL_H

#include "machine.h"

void machine_violation(struct machine *m, struct violation *v, uint32_t vcpu,
		       struct step_report *r);

/* The canonical bytes of the window, FETCH_WINDOW_MAX at most, as they are now. */
void machine_read_window(const struct machine *m, uint8_t *window);

/*
 * Fetch the instruction the vCPU is about to execute: choose and check the
 * versions, write them to its view, decode. Fills (plan), (insn) and the
 * report's bytes, length, form, site and versions.
 */
bool machine_fetch(struct machine *m, const struct action *a, struct fetch_plan *plan,
		   struct insn *insn, struct step_report *r, struct err *e);
/* machine_state.c: (vcpu)'s stack pointer moved from (before) by a delivery or an IRET. */
void machine_stack_moved(struct machine *m, uint32_t vcpu, uint64_t before, bool iret);

bool machine_latch(struct machine *m, uint32_t vcpu, struct err *e);

#endif

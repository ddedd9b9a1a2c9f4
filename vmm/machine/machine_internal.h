/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine_internal.h - what the machine's files share: machine.c decides
 * nothing and does one step, machine_fetch.c fetches for it, machine_setup.c
 * brings the guest to the start of a run.
 */
#ifndef CROSSMOD_MACHINE_INTERNAL_H
#define CROSSMOD_MACHINE_INTERNAL_H

#include "machine/machine.h"

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
/* Every view, all of it, is the canonical text. */
void machine_show_text(struct machine *m);
/* (vcpu)'s view, where versions are kept, is the newest again. */
void machine_show_newest(struct machine *m, uint32_t vcpu);
/* machine_state.c: (vcpu)'s stack pointer moved from (before) by a delivery or an IRET. */
void machine_stack_moved(struct machine *m, uint32_t vcpu, uint64_t before, bool iret);

/*
 * machine_history.c: the fetch history, and beside it the one that changes of
 * Arm code are checked against. Both are told of everything by these alone.
 */
void machine_start_history(struct machine *m, const struct fetch_range *range, uint32_t count,
			   const uint8_t *window);
void machine_note_synchronised(struct machine *m, uint32_t vcpu);
void machine_note_delivered(struct machine *m, uint32_t vcpu);
/* The canonical bytes are (window) now. True if they have changed. */
bool machine_note_stored(struct machine *m, uint32_t vcpu, const uint8_t *window);
/* (vcpu) has executed (insn), whose operand was (address), if it has one. */
void machine_note_maintenance(struct machine *m, uint32_t vcpu, const struct insn *insn,
			      uint64_t address);
/* (vcpu) has executed what (r) says: a violation, if an unsynchronised change of it was illegal. */
void machine_check_change(struct machine *m, uint32_t vcpu, struct step_report *r);
/*
 * Both as bytes, and back. Returns how many it takes; into (out) go at most
 * (max), and what does not fit is cut off. MACHINE_HISTORY_MAX is enough where
 * machine_history_too_long() does not hold.
 */
#define MACHINE_HISTORY_MAX (2 * FETCH_PACKED_MAX)
size_t machine_pack_history(const struct machine *m, uint8_t *out, size_t max);
void machine_unpack_history(struct machine *m, const uint8_t *in, size_t size);

bool machine_latch(struct machine *m, uint32_t vcpu, struct err *e);

#endif

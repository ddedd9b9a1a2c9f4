/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine_state.h - the stepped machine's state as bytes, to come back to.
 *
 * Two states with the same future are the same bytes, as far as we can tell:
 * statistics (.ghost) are left out, and so is what lies below a stack pointer.
 * The latter is wiped as it dies, which no code may notice: an interrupt could
 * overwrite it at any time, and the guest is built without a red zone.
 */
#ifndef CROSSMOD_MACHINE_STATE_H
#define CROSSMOD_MACHINE_STATE_H

#include "machine/machine.h"

/*
 * From here on the machine can be packed; call after each machine_reset() that
 * starts a search. The state it is in is what packed states are relative to.
 */
bool machine_state_begin(struct machine *m, struct err *e);
/* Stop wiping: from the next machine_reset() on the machine runs plain again. */
void machine_state_end(struct machine *m);

/*
 * Forget what was counted, recorded and observed so far: statistics are no
 * state, but adding to them sets flags, so every move of a search starts at 0.
 */
void machine_forget(struct machine *m);

/* The state as a heap block of (*size) bytes, the caller's to free; NULL: out of memory. */
uint8_t *machine_pack(struct machine *m, size_t *size);
/* Back to a packed state; the observation starts anew. */
void machine_unpack(struct machine *m, const uint8_t *bytes, size_t size);

#endif

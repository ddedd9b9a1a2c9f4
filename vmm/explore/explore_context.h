/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_context.h - which handlers of NMIs and IPIs a vCPU is in, and which of
 * its stacks' bytes belong to what they interrupted. Part of the state that is
 * searched; must not know what for.
 *
 * An event commutes with an instruction that only the vCPU itself can notice, as
 * long as its handler does not notice it either. Exceptions are no events here:
 * their handlers go on where the code before them left off.
 */
#ifndef CROSSMOD_EXPLORE_CONTEXT_H
#define CROSSMOD_EXPLORE_CONTEXT_H

#include "vm/arch.h"

#define CONTEXTS_MAX 4u /* handlers within handlers; deeper ones are not told apart */

/* Plain bytes, zero when empty: it is hashed. */
struct contexts {
	uint8_t count;
	uint8_t kind[CONTEXTS_MAX]; /* enum event_kind, the innermost last */
	uint32_t frame
		[CONTEXTS_MAX]; /* where the stack pointer was in the entry stub, from (stacks) on */
};

/* (v) stands in the entry stub of (kind). (stacks): the address of cm_stacks. */
void context_enter(struct contexts *c, const struct vcpu *v, enum event_kind kind, uint64_t stacks);
/* (v) has moved: forget the handlers it has left. */
void context_leave(struct contexts *c, const struct vcpu *v, uint64_t stacks);
/* Is it in a handler of (kind), innermost or not? */
bool context_in(const struct contexts *c, enum event_kind kind);

/*
 * Does an access of (v) to (address), on one of its own stacks, concern what the
 * innermost handler interrupted: its stack, or what was saved of its registers?
 * The entry code saves and restores those, relative to the stack pointer
 * (by_stack): it does nothing else with them.
 */
bool context_looks_out(const struct contexts *c, const struct vcpu *v, uint64_t address,
		       bool by_stack, uint64_t stacks);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vector.h - what an exception or interrupt of a guest is: its name in the
 * terms of the architecture, and what it says of the instruction it hit.
 *
 * Pure tables. (isa) is the image's: CM_ISA_X86_64, or A64 for a kernel that
 * takes the exceptions of T32 at EL0 as well; (vector) is guest/abi.h's.
 */
#ifndef CROSSMOD_VECTOR_H
#define CROSSMOD_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

/* "#BP", "FIQ", "BKPT"; NULL for one without a name here. */
const char *vector_name(uint32_t isa, uint64_t vector);

/* What the unmaskable-by-IRQ event, and the other, are on the architecture: "NMI" and "IPI", or "FIQ" and "IRQ". */
const char *vector_nmi_name(uint32_t isa);
const char *vector_ipi_name(uint32_t isa);

/* Was it the instruction that is patched in to trap: INT3, BRK, BKPT? */
bool vector_is_breakpoint(uint32_t isa, uint64_t vector);

/* Was it that the instruction could not be fetched, or an access not made? */
bool vector_is_fault(uint32_t isa, uint64_t vector);

/* Where the instruction is that raised (vector), which left (ip) as the address to return to. */
uint64_t vector_trap_address(uint32_t isa, uint64_t vector, uint64_t ip);

#endif

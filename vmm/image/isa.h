/* SPDX-License-Identifier: BSD-2-Clause */
/* isa.h - the instruction sets, and what goes with them, by name. Owns nothing else about them. */
#ifndef CROSSMOD_ISA_H
#define CROSSMOD_ISA_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

/* "x86_64", "a64", "t32" or "a32", in the order of enum cm_isa; "?" for another value. */
#define ISA_NAMES 4u
extern const char *const isa_names[ISA_NAMES];
const char *isa_name(uint32_t isa);

/* One of the three of Arm? */
bool isa_is_arm(uint32_t isa);

/* Where a role is played in the terms of (isa): "CPL 3", or "EL0". (cpl) is 0 or 3. */
const char *isa_level(uint32_t isa, uint32_t cpl);

/* "x2apic", "gicv3" and so on; "none". */
const char *isa_irqchip_name(enum cm_irqchip irqchip);

/* Bytes a fetch takes at once unless something else is said: byte, word, halfword. */
uint32_t isa_chunk(uint32_t isa);

#endif

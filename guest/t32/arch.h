/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t32/arch.h - what guest/executor.c needs when it is built for T32 at EL0.
 * The kernel is A64: nothing here takes a trap or sends anything.
 */
#ifndef CM_T32_ARCH_H
#define CM_T32_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

struct cm_frame;
struct cm_poke;

#define CM_ISA CM_ISA_T32

static inline uint64_t cm_entry(const struct cm_site *site)
{
	return site->text - site->lead;
}

static inline void cm_pause(void)
{
	__asm__ volatile("yield" ::: "memory");
}

static inline bool cm_can_execute(const struct cm_site *site)
{
	return site->isa == CM_ISA_T32;
}

static inline void cm_door(uint32_t word)
{
	*(volatile uint32_t *)CM_DOORBELL_ADDRESS = word;
}

/* Not from here: the whole of a T32 executor is its loop. */
struct cm_cpu *cm_this_cpu(void);

#endif

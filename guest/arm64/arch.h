/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arm64/arch.h - the trap frame and the instructions C has no word for, for
 * A64 at EL1, where the kernel and the patcher run, and at EL0.
 *
 * There is no LDXR/STXR here: exclusive.c.
 */
#ifndef CM_ARM64_ARCH_H
#define CM_ARM64_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

/* As entry.S stores it. X0 and so on; of AArch32 at EL0 the first are R0 to R14 (DDI 0487, D1.20.1). */
struct cm_frame {
	uint64_t r[31];
	uint64_t ip;	  /* ELR_EL1 */
	uint64_t flags;	  /* SPSR_EL1 */
	uint64_t vector;  /* guest/abi.h */
	uint64_t error;	  /* ESR_EL1 */
	uint64_t address; /* FAR_EL1 */
};

#define CM_ISA CM_ISA_A64

#define CM_SPSR_M32  0x10u
#define CM_SPSR_EL1H 0x305u /* SError and debug exceptions masked, FIQ and IRQ not */

/* SCTLR_EL1.UCI: DC CVAU and IC IVAU are for EL0, too. */
#define CM_EL0_MAINTAINS 1

/* A store to one of the doorbells. */
static inline void cm_ring(uint64_t bell, uint64_t word)
{
	__asm__ volatile("str %w1, [%0]" ::"r"(bell), "r"(word) : "memory");
}

#include "guest/arm/common.h"

static inline bool cm_is_user_call(const struct cm_frame *f, const uint8_t *user_call)
{
	(void)user_call;
	return f->vector == CM_EC_SVC32 || f->vector == CM_EC_SVC64;
}

static inline uint64_t cm_user_call_argument(const struct cm_frame *f)
{
	return f->r[1];
}

/* The stack pointer is where it was when the kernel left for EL0: entry.S. */
static inline void cm_frame_to_kernel(struct cm_frame *f, uint64_t ip, uint64_t sp)
{
	(void)sp;
	f->ip = ip;
	f->flags = CM_SPSR_EL1H;
}

/* cm_execute() takes the stack pointer from x2, as the frame has none. */
static inline void cm_frame_recover(struct cm_frame *f, uint64_t ip, uint64_t sp, uint64_t value)
{
	f->ip = ip;
	f->r[0] = value;
	f->r[1] = 0;
	f->r[2] = sp;
	f->flags &= ~(uint64_t)CM_SPSR_IT;
}

/* Go on at (ip) as if the instruction at the frame's had been executed. */
static inline void cm_skip_to(struct cm_frame *f, uint64_t ip)
{
	f->ip = ip;
	if (f->flags & CM_SPSR_M32)
		f->flags = (f->flags & ~0xffffffffull) | cm_spsr_next((uint32_t)f->flags);
}

/* Can the kernel's own code execute the site? */
static inline bool cm_can_execute(const struct cm_site *site)
{
	return site->isa == CM_ISA_A64;
}

static inline void cm_store16(uint64_t address, uint16_t value)
{
	__asm__ volatile("strh %w1, [%0]" ::"r"(address), "r"(value) : "memory");
}

static inline void cm_store32(uint64_t address, uint32_t value)
{
	__asm__ volatile("str %w1, [%0]" ::"r"(address), "r"(value) : "memory");
}

static inline void cm_store64(uint64_t address, uint64_t value)
{
	__asm__ volatile("str %1, [%0]" ::"r"(address), "r"(value) : "memory");
}

/* TPIDRRO_EL0, which EL0 can read, too; only the host ever writes it. */
static inline struct cm_cpu *cm_this_cpu(void)
{
	struct cm_cpu *cpu;

	__asm__("mrs %0, tpidrro_el0" : "=r"(cpu));
	return cpu;
}

/* The virtual counter, whose rate CNTFRQ_EL0 tells. Not ordered with what surrounds it. */
static inline uint64_t cm_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
	return ticks;
}

static inline void cm_irq_on(void)
{
	__asm__ volatile("msr daifclr, #2" ::: "memory");
}

static inline void cm_irq_off(void)
{
	__asm__ volatile("msr daifset, #2" ::: "memory");
}

/* Clean the line of (address) to the point of unification. */
static inline void cm_clean_line(uint64_t address)
{
	__asm__ volatile("dc cvau, %0" ::"r"(address) : "memory");
}

/* Invalidate the line of (address) in every instruction cache of the inner shareable domain. */
static inline void cm_invalidate_line(uint64_t address)
{
	__asm__ volatile("ic ivau, %0" ::"r"(address) : "memory");
}

/* No call from EL0 is for maintenance. */
static inline bool cm_maintain_for_user(uint64_t function, uint64_t address)
{
	(void)function;
	(void)address;
	return false;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arm/arch.h - the trap frame and the instructions C has no word for, for T32
 * in AArch32: of a kernel at EL1, and of the A64 kernel's executor at EL0.
 *
 * There is no LDREX/STREX here: guest/abi.h, struct cm_atomic.
 */
#ifndef CM_ARM_ARCH_H
#define CM_ARM_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

/* As entry.S stores it. R13 is not in it: the user's stays where it is, the kernel's follows. */
struct cm_frame {
	uint32_t vector;  /* guest/abi.h: as ESR_EL1 would have it */
	uint32_t error;	  /* IFSR or DFSR */
	uint32_t address; /* IFAR or DFAR */
	uint32_t pad;
	uint32_t r[13];
	uint32_t lr; /* the kernel's */
	uint32_t ip;
	uint32_t flags; /* SPSR */
};

#define CM_ISA CM_ISA_T32

/* Cache maintenance at EL0 is by calls of the kernel. */
#define CM_EL0_MAINTAINS 0

/* SVC mode in T32, asynchronous aborts masked, FIQ and IRQ not. */
#define CM_SPSR_SVC 0x133u

/* A store to one of the doorbells; without writeback, which KVM could not tell the operand of. */
static inline void cm_ring(uint32_t bell, uint32_t word)
{
	__asm__ volatile("str %1, [%0]" ::"r"(bell), "r"(word) : "memory");
}

#include "guest/arm/common.h"

static inline bool cm_is_user_call(const struct cm_frame *f, const uint8_t *user_call)
{
	(void)user_call;
	return f->vector == CM_EC_SVC32;
}

/* Arguments of 64 bits are in two registers each. */
static inline uint64_t cm_user_call_argument(const struct cm_frame *f)
{
	return f->r[2];
}

/* The stack pointer is where it was when the kernel left for EL0: entry.S. */
static inline void cm_frame_to_kernel(struct cm_frame *f, uint64_t ip, uint64_t sp)
{
	(void)sp;
	f->ip = (uint32_t)ip & ~1u;
	f->flags = CM_SPSR_SVC;
}

/* cm_execute() takes the stack pointer from r2, as the frame has none. */
static inline void cm_frame_recover(struct cm_frame *f, uint64_t ip, uint64_t sp, uint64_t value)
{
	f->ip = (uint32_t)ip;
	f->r[0] = (uint32_t)value;
	f->r[1] = 0;
	f->r[2] = (uint32_t)sp;
	f->flags &= ~CM_SPSR_IT;
}

/* Go on at (ip) as if the instruction at the frame's had been executed. */
static inline void cm_skip_to(struct cm_frame *f, uint64_t ip)
{
	f->ip = (uint32_t)ip;
	f->flags = cm_spsr_next(f->flags);
}

/* Can the kernel's own code execute the site? */
static inline bool cm_can_execute(const struct cm_site *site)
{
	return site->isa == CM_ISA_T32;
}

static inline void cm_store16(uint64_t address, uint16_t value)
{
	__asm__ volatile("strh %1, [%0]" ::"r"((uint32_t)address), "r"(value) : "memory");
}

static inline void cm_store32(uint64_t address, uint32_t value)
{
	__asm__ volatile("str %1, [%0]" ::"r"((uint32_t)address), "r"(value) : "memory");
}

/* One access where it is aligned to eight bytes (DDI 0487, E2.2.1, with LPAE). */
static inline void cm_store64(uint64_t address, uint64_t value)
{
	__asm__ volatile("strd %Q1, %R1, [%0]" ::"r"((uint32_t)address), "r"(value) : "memory");
}

/* TPIDRURO, which EL0 can read, too; only the host ever writes it. */
static inline struct cm_cpu *cm_this_cpu(void)
{
	struct cm_cpu *cpu;

	__asm__("mrc p15, 0, %0, c13, c0, 3" : "=r"(cpu));
	return cpu;
}

/* CNTVCT, whose rate CNTFRQ tells. Not ordered with what surrounds it. */
static inline uint64_t cm_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("mrrc p15, 1, %Q0, %R0, c14" : "=r"(ticks)::"memory");
	return ticks;
}

static inline void cm_irq_on(void)
{
	__asm__ volatile("cpsie i" ::: "memory");
}

static inline void cm_irq_off(void)
{
	__asm__ volatile("cpsid i" ::: "memory");
}

/* DCCMVAU: clean the line of (address) to the point of unification. */
static inline void cm_clean_line(uint64_t address)
{
	__asm__ volatile("mcr p15, 0, %0, c7, c11, 1" ::"r"((uint32_t)address) : "memory");
}

/*
 * ICIMVAU and BPIMVA: invalidate the line of (address) in every instruction
 * cache of the inner shareable domain, and what predicts branches from there.
 */
static inline void cm_invalidate_line(uint64_t address)
{
	__asm__ volatile("mcr p15, 0, %0, c7, c5, 1" ::"r"((uint32_t)address) : "memory");
	__asm__ volatile("mcr p15, 0, %0, c7, c5, 7" ::"r"((uint32_t)address) : "memory");
}

/* A call from EL0, if it is for maintenance. */
static inline bool cm_maintain_for_user(uint64_t function, uint64_t address)
{
	if (function == CM_USER_CLEAN)
		cm_clean_line(address);
	else if (function == CM_USER_INVALIDATE)
		cm_invalidate_line(address);
	else
		return false;
	return true;
}

#endif

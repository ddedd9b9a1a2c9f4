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

/* As entry.S stores it. Of AArch32 at EL0 x[0] to x[14] are R0 to R14 (DDI 0487, D1.20.1). */
struct cm_frame {
	uint64_t x[31];
	uint64_t ip;	  /* ELR_EL1 */
	uint64_t flags;	  /* SPSR_EL1 */
	uint64_t vector;  /* guest/abi.h */
	uint64_t error;	  /* ESR_EL1 */
	uint64_t address; /* FAR_EL1 */
};

#define CM_ISA CM_ISA_A64

/* Exception classes (DDI 0487, D17.2.37). */
#define CM_EC_UNKNOWN	0x00u /* undefined instructions */
#define CM_EC_SVC32	0x11u
#define CM_EC_SVC64	0x15u
#define CM_EC_BKPT32	0x38u
#define CM_EC_BRK64	0x3cu
#define CM_EC_FETCH_EL0 0x20u /* instruction abort from a lower level; + 1: from EL1 */
#define CM_EC_DATA_EL0	0x24u /* data abort, the same */

#define CM_SPSR_T32  0x20u
#define CM_SPSR_M32  0x10u
#define CM_SPSR_EL1H 0x305u /* SError and debug exceptions masked, FIQ and IRQ not */
#define CM_SPSR_IT   0x0600fc00u

struct cm_poke;

static inline uint64_t cm_trap_address(const struct cm_frame *f)
{
	return f->ip;
}

static inline bool cm_is_user_call(const struct cm_frame *f, const uint8_t *user_call)
{
	(void)user_call;
	return f->vector == CM_EC_SVC32 || f->vector == CM_EC_SVC64;
}

static inline uint64_t cm_user_call_function(const struct cm_frame *f)
{
	return f->x[0];
}

static inline uint64_t cm_user_call_argument(const struct cm_frame *f)
{
	return f->x[1];
}

/* SVC's preferred return address is behind it already. */
static inline void cm_user_call_return(struct cm_frame *f)
{
	(void)f;
}

static inline bool cm_is_patch_trap(const struct cm_frame *f)
{
	return f->vector == CM_EC_UNKNOWN || f->vector == CM_EC_BKPT32 || f->vector == CM_EC_BRK64;
}

static inline uint64_t cm_outcome_value(const struct cm_frame *f)
{
	return f->x[0];
}

static inline uint64_t cm_outcome_pad(const struct cm_frame *f)
{
	return f->x[1];
}

static inline uint64_t cm_fault_address(const struct cm_frame *f)
{
	return (f->vector & ~1u) == CM_EC_FETCH_EL0 || (f->vector & ~1u) == CM_EC_DATA_EL0 ?
		       f->address :
		       0;
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
	f->x[0] = value;
	f->x[1] = 0;
	f->x[2] = sp;
	f->flags &= ~(uint64_t)CM_SPSR_IT;
}

/*
 * Go on at (ip) as if the instruction at the frame's had been executed: in a
 * T32 frame ITSTATE moves on by one (DDI 0487, F1.6.2).
 */
static inline void cm_skip_to(struct cm_frame *f, uint64_t ip)
{
	f->ip = ip;
	if (f->flags & CM_SPSR_M32) {
		/* SPSR has IT[7:2] in 15:10 and IT[1:0] in 26:25. */
		uint32_t it =
			(uint32_t)(f->flags >> 10 & 0x3f) << 2 | (uint32_t)(f->flags >> 25 & 3);

		it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
		f->flags &= ~(uint64_t)CM_SPSR_IT;
		f->flags |= (uint64_t)(it >> 2) << 10 | (uint64_t)(it & 3) << 25;
	}
}

static inline bool cm_old_is_breakpoint(const struct cm_site *site)
{
	/* T32 BKPT is be xx, A64 BRK d4 2x xx xx, little-endian. */
	return site->isa == CM_ISA_T32 ?
		       site->old_bytes[1] == 0xbe :
		       site->old_bytes[3] == 0xd4 && (site->old_bytes[2] & 0xe0) == 0x20;
}

static inline uint32_t cm_chunk(const struct cm_site *site)
{
	return site->isa == CM_ISA_T32 ? 2 : 4;
}

/* Can the kernel's own code execute the site? */
static inline bool cm_can_execute(const struct cm_site *site)
{
	return site->isa == CM_ISA_A64;
}

static inline uint64_t cm_entry(const struct cm_site *site)
{
	return site->text - site->lead;
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

/* exclusive.c: carry out a struct cm_atomic; the variable's value before. */
uint32_t cm_atomic(enum cm_atomic_op op, uint32_t *variable, uint32_t operand, uint32_t compare);

static inline uint32_t cm_cmpxchg32(uint32_t *variable, uint32_t from, uint32_t to)
{
	return cm_atomic(CM_ATOMIC_CMPXCHG, variable, to, from);
}

static inline uint32_t cm_fetch_and32(uint32_t *variable, uint32_t mask)
{
	return cm_atomic(CM_ATOMIC_AND, variable, mask, 0);
}

static inline uint32_t cm_fetch_or32(uint32_t *variable, uint32_t mask)
{
	return cm_atomic(CM_ATOMIC_OR, variable, mask, 0);
}

static inline uint32_t cm_fetch_add32(uint32_t *variable, uint32_t value)
{
	return cm_atomic(CM_ATOMIC_ADD, variable, value, 0);
}

/* TPIDRRO_EL0, which EL0 can read, too; only the host ever writes it. */
static inline struct cm_cpu *cm_this_cpu(void)
{
	struct cm_cpu *cpu;

	__asm__("mrs %0, tpidrro_el0" : "=r"(cpu));
	return cpu;
}

static inline void cm_door(uint32_t word)
{
	__asm__ volatile("str %w1, [%0]" ::"r"((uint64_t)CM_DOORBELL_ADDRESS), "r"(word)
			 : "memory");
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

static inline void cm_pause(void)
{
	__asm__ volatile("yield" ::: "memory");
}

static inline void cm_wmb(void)
{
	__asm__ volatile("dmb ishst" ::: "memory");
}

static inline void cm_rmb(void)
{
	__asm__ volatile("dmb ishld" ::: "memory");
}

static inline void cm_mb(void)
{
	__asm__ volatile("dmb ish" ::: "memory");
}

/* Ends only when the maintenance before it is complete, everywhere (B2.3.12). */
static inline void cm_dsb(void)
{
	__asm__ volatile("dsb ish" ::: "memory");
}

/* A context synchronisation event: what is fetched from here on is fetched anew. */
static inline void cm_sync_core(void)
{
	__asm__ volatile("isb" ::: "memory");
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

/* flush.c */
void cm_flush(const struct cm_poke *poke, uint32_t offset, uint32_t length);
void cm_clean(const struct cm_poke *poke, uint32_t offset, uint32_t length);
void cm_invalidate(const struct cm_poke *poke, uint32_t offset, uint32_t length);

#endif

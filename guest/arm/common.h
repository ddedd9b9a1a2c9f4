/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * common.h - what the A64 and the AArch32 kernel have alike. For their arch.h
 * only, which define struct cm_frame and cm_ring() first.
 */
#ifndef CM_ARM_COMMON_H
#define CM_ARM_COMMON_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

/* Exception classes (DDI 0487, D17.2.37); an AArch32 kernel makes them of its vectors. */
#define CM_EC_UNKNOWN	0x00u /* undefined instructions */
#define CM_EC_SVC32	0x11u
#define CM_EC_SVC64	0x15u
#define CM_EC_FETCH_EL0 0x20u /* instruction abort from a lower level; + 1: from EL1 */
#define CM_EC_DATA_EL0	0x24u /* data abort, the same */
#define CM_EC_BKPT32	0x38u
#define CM_EC_BRK64	0x3cu

#define CM_SPSR_IT 0x0600fc00u

struct cm_poke;

/* Calls from EL0 where it cannot maintain caches itself, beside enum cm_user_function. */
enum { CM_USER_CLEAN = 3, CM_USER_INVALIDATE = 4 };

static inline uint64_t cm_trap_address(const struct cm_frame *f)
{
	return f->ip;
}

static inline uint64_t cm_user_call_function(const struct cm_frame *f)
{
	return f->r[0];
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
	return f->r[0];
}

static inline uint64_t cm_outcome_pad(const struct cm_frame *f)
{
	return f->r[1];
}

static inline uint64_t cm_fault_address(const struct cm_frame *f)
{
	uint64_t class = f->vector & ~1ull; /* from either level */

	return class == CM_EC_FETCH_EL0 || class == CM_EC_DATA_EL0 ? f->address : 0;
}

/* A T32 frame's SPSR, one instruction further: ITSTATE moves on by one (DDI 0487, F1.6.2). */
static inline uint32_t cm_spsr_next(uint32_t spsr)
{
	/* IT[7:2] are in 15:10 and IT[1:0] in 26:25. */
	uint32_t it = (spsr >> 10 & 0x3f) << 2 | (spsr >> 25 & 3);

	it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
	return (spsr & ~CM_SPSR_IT) | (it >> 2) << 10 | (it & 3) << 25;
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

static inline uint64_t cm_entry(const struct cm_site *site)
{
	return site->text - site->lead;
}

static inline uint32_t cm_atomic_by_host(enum cm_atomic_op op, uint32_t *variable, uint32_t operand,
					 uint32_t compare)
{
	struct cm_atomic a = {
		.address = (uintptr_t)variable, .op = op, .operand = operand, .compare = compare
	};

	cm_ring(CM_DOORBELL_ATOMIC, (uintptr_t)&a);
	return a.before;
}

/* Carry out a struct cm_atomic; the variable's value before. */
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

static inline void cm_door(uint32_t word)
{
	cm_ring(CM_DOORBELL_ADDRESS, word);
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

/* Ends only when the maintenance before it is complete, everywhere (B2.3.12; E2.3). */
static inline void cm_dsb(void)
{
	__asm__ volatile("dsb ish" ::: "memory");
}

/* A context synchronisation event: what is fetched from here on is fetched anew. */
static inline void cm_sync_core(void)
{
	__asm__ volatile("isb" ::: "memory");
}

/* flush.c */
void cm_flush(const struct cm_poke *poke, uint32_t offset, uint32_t length);
void cm_clean(const struct cm_poke *poke, uint32_t offset, uint32_t length);
void cm_invalidate(const struct cm_poke *poke, uint32_t offset, uint32_t length);

#endif

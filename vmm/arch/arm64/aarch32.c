// SPDX-License-Identifier: BSD-2-Clause
/*
 * aarch32.c - a kernel in AArch32 at EL1: its modes and their banked registers
 * as KVM has them (DDI 0487, D1.20.1), its vectors, and for how long what an
 * exception left in a bank is state (guest/arm/entry.S). Enters no guest.
 */
#include "arm.h"

#include <assert.h>

#define MODE	 0x1fu
#define MODE_USR 0x10u
#define MODE_FIQ 0x11u
#define MODE_IRQ 0x12u
#define MODE_SVC 0x13u
#define MODE_ABT 0x17u
#define MODE_UND 0x1bu
#define MODE_SYS 0x1fu

#define PSTATE_A  (1ull << 8)
#define PSTATE_E  (1ull << 9)
#define PSTATE_IL (1ull << 20)

/* IFSR and DFSR, long-descriptor format (G8.2.74, G8.2.43). */
#define STATUS	     0x3fu
#define STATUS_ASYNC 0x11u
#define STATUS_DEBUG 0x22u
#define FSR_LPAE     0x200u

/* FAR_EL1: IFAR is its high half, DFAR its low one. */
#define FAR_IFAR 0xffffffff00000000ull
#define FAR_DFAR 0x00000000ffffffffull

/* Offsets from VBAR, and how far LR is behind the address to return to, in T32 (G1.12). */
static const struct vector {
	uint8_t class; /* of what is there; guest/abi.h */
	uint8_t back;
	enum arm_register lr;
} vectors[8] = {
	[1] = { 0x00, 2, ARM_LR_UND },		/* undefined instruction */
	[2] = { 0x11, 0, ARM_LR_SVC },		/* SVC */
	[3] = { 0x20, 4, ARM_LR_ABT },		/* prefetch abort, or breakpoint */
	[4] = { 0x24, 8, ARM_LR_ABT },		/* data abort, or SError */
	[6] = { CM_VECTOR_IPI, 4, ARM_LR_IRQ }, /* IRQ */
	[7] = { CM_VECTOR_NMI, 4, ARM_LR_FIQ }, /* FIQ */
};
#define VECTOR_SVC   8u
#define VECTOR_FETCH 12u

/* What the FIQ handler puts back, each by one instruction of four bytes, in this order. */
static const struct {
	enum arm_register reg;
	uint64_t bits;
} restored[] = {
	{ ARM_LR_ABT, ~0ull },	 { ARM_SPSR_ABT, ~0ull }, { ARM_LR_UND, ~0ull },
	{ ARM_SPSR_UND, ~0ull }, { ARM_LR_IRQ, ~0ull },	  { ARM_SPSR_IRQ, ~0ull },
	{ ARM_SPSR, ~0ull },	 { ARM_IFSR, ~0ull },	  { ARM_FAR, FAR_IFAR },
	{ ARM_ESR, ~0ull },	 { ARM_FAR, FAR_DFAR },
};
#define RESTORED (sizeof(restored) / sizeof(restored[0]))

bool aarch32_kernel(const struct vm *vm)
{
	return vm->image->abi.isa == CM_ISA_T32;
}

static uint32_t mode_of(const struct vcpu *v)
{
	return (uint32_t)arm_get(v, ARM_PSTATE) & MODE;
}

bool aarch32_is_user(const struct vcpu *v)
{
	return mode_of(v) == MODE_USR;
}

enum arm_register aarch32_register(const struct vcpu *v, uint32_t number)
{
	static const struct {
		uint32_t mode;
		enum arm_register sp, lr;
	} banks[] = {
		{ MODE_IRQ, ARM_SP_IRQ, ARM_LR_IRQ },
		{ MODE_SVC, ARM_SP_SVC, ARM_LR_SVC },
		{ MODE_ABT, ARM_SP_ABT, ARM_LR_ABT },
		{ MODE_UND, ARM_SP_UND, ARM_LR_UND },
	};
	uint32_t mode = mode_of(v);

	assert(number < 16);
	if (number == 15)
		return ARM_PC;
	if (mode == MODE_FIQ && number >= 8)
		return (enum arm_register)(ARM_R8_FIQ + number - 8);
	for (size_t i = 0; number >= 13 && i < sizeof(banks) / sizeof(banks[0]); i++)
		if (mode == banks[i].mode)
			return number == 13 ? banks[i].sp : banks[i].lr;
	return (enum arm_register)(ARM_X0 + number);
}

/* Every handler runs on the stack of SVC mode. */
enum arm_register aarch32_sp(const struct vcpu *v)
{
	return aarch32_is_user(v) ? (enum arm_register)13 : ARM_SP_SVC;
}

bool aarch32_find_places(struct vm *vm, struct err *e)
{
	static const char *const names[] = { "cm_svc",	       "cm_svc_saved", "cm_abort",
					     "cm_abort_saved", "cm_fiq",       "cm_fiq_saved",
					     "cm_fiq_restore", "cm_fiq_end" };
	struct aarch32_places *p = &vm->arch.places32;
	struct arm_range *const ranges[] = { &p->svc, &p->abort, &p->fiq, &p->fiq_restore };

	if (!vm_has_symbols(vm, names, sizeof(names) / sizeof(names[0]), e))
		return false;
	vm->arch.places.vectors = vm->image->abi.vectors;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		*ranges[i] = (struct arm_range){ vm_symbol(vm, names[2 * i]),
						 vm_symbol(vm, names[2 * i + 1]) };
	return true;
}

/* Nothing that changes: the stacks and R8 to R12 of the modes that use none, and AArch64's. */
bool aarch32_uses(enum arm_register r)
{
	return r <= (enum arm_register)14 || r == ARM_LR_IRQ || r == ARM_LR_SVC ||
	       r == ARM_SP_SVC || r == ARM_LR_ABT || r == ARM_LR_UND || r == ARM_LR_FIQ ||
	       r == ARM_PC || r == ARM_PSTATE || r >= ARM_SPSR;
}

static bool within(uint64_t pc, const struct arm_range *r)
{
	return pc - r->first < r->end - r->first;
}

/* Of (r), where the FIQ handler is putting registers back. */
static uint64_t restored_bits(const struct arm_range *range, enum arm_register r, uint64_t pc)
{
	uint64_t bits = 0;

	for (size_t i = 0; within(pc, range) && i < RESTORED; i++)
		if (restored[i].reg == r && pc >= range->first + 4 * (i + 1))
			bits |= restored[i].bits;
	return bits;
}

/* The bits of a bank that a vCPU at (pc), in (mode), may still read. */
static uint64_t live_at(const struct vm *vm, enum arm_register r, uint64_t pc, uint32_t mode)
{
	const struct aarch32_places *p = &vm->arch.places32;
	bool live = mode == MODE_FIQ || within(pc, &p->fiq);

	switch (r) {
	case ARM_LR_ABT:
	case ARM_SPSR_ABT:
		live |= mode == MODE_ABT;
		break;
	case ARM_LR_UND:
	case ARM_SPSR_UND:
		live |= mode == MODE_UND;
		break;
	case ARM_LR_IRQ:
	case ARM_SPSR_IRQ:
		live |= mode == MODE_IRQ;
		break;
	case ARM_SPSR: /* of SVC mode */
		live |= pc == vm->arch.places.vectors + VECTOR_SVC || within(pc, &p->svc);
		break;
	case ARM_IFSR:
	case ARM_ESR:
	case ARM_FAR:
		live |= mode == MODE_ABT || within(pc, &p->abort);
		break;
	case ARM_LR_FIQ:
	case ARM_SPSR_FIQ:
		return mode == MODE_FIQ ? ~0ull : 0;
	case ARM_LR_SVC:
		return mode == MODE_USR ? 0 : ~0ull;
	default:
		return ~0ull;
	}
	return live ? ~0ull : restored_bits(&p->fiq_restore, r, pc);
}

uint64_t aarch32_live(const struct vcpu *v, enum arm_register r)
{
	if (!aarch32_uses(r))
		return 0;
	return live_at(v->vm, r, arm_get(v, ARM_PC), mode_of(v));
}

/* The entry of VBAR's table that the vCPU stands at, or NULL. */
static const struct vector *vector_of(const struct vcpu *v)
{
	uint64_t offset = arm_get(v, ARM_PC) - v->vm->arch.places.vectors;

	if (offset >= 4 * sizeof(vectors) / sizeof(vectors[0]) || offset % 4)
		return NULL;
	return vectors[offset / 4].lr ? &vectors[offset / 4] : NULL;
}

static enum arm_register spsr_of(enum arm_register lr)
{
	switch (lr) {
	case ARM_LR_ABT:
		return ARM_SPSR_ABT;
	case ARM_LR_UND:
		return ARM_SPSR_UND;
	case ARM_LR_IRQ:
		return ARM_SPSR_IRQ;
	case ARM_LR_FIQ:
		return ARM_SPSR_FIQ;
	default:
		return ARM_SPSR;
	}
}

static int class_of(const struct vcpu *v, const struct vector *vector, bool user)
{
	if (vector->class == 0x20 && (arm_get(v, ARM_IFSR) & STATUS) == STATUS_DEBUG)
		return 0x38;
	if (vector->class == 0x24 && (arm_get(v, ARM_ESR) & STATUS) == STATUS_ASYNC)
		return CM_VECTOR_SERROR;
	if (vector->class == 0x20 || vector->class == 0x24)
		return vector->class + !user;
	return vector->class;
}

/*
 * What the exception did not write is as one before left it, or as a
 * vcpu_load() did: no state. What the handler saves of it must not differ.
 */
static void forget_the_dead(struct vcpu *v, const struct vector *vector, uint64_t ip, uint32_t mode)
{
	if (mode == MODE_USR && vector->lr != ARM_LR_SVC)
		arm_set(v, ARM_LR_SVC, 0);
	if (vector->class == 0x20) {
		bool breakpoint = (arm_get(v, ARM_IFSR) & STATUS) == STATUS_DEBUG;

		arm_set(v, ARM_ESR, 0);
		arm_set(v, ARM_FAR, breakpoint ? 0 : arm_get(v, ARM_FAR) & FAR_IFAR);
	} else if (vector->class == 0x24) {
		arm_set(v, ARM_IFSR, 0);
		arm_set(v, ARM_FAR, arm_get(v, ARM_FAR) & FAR_DFAR);
	}
	for (size_t i = 0; vector->class == CM_VECTOR_NMI && i < RESTORED; i++) {
		enum arm_register r = restored[i].reg;

		arm_set(v, r, arm_get(v, r) & live_at(v->vm, r, ip, mode));
	}
}

int aarch32_entered(struct vcpu *v, uint64_t *ip)
{
	const struct vector *vector = vector_of(v);
	uint32_t mode;

	if (!vector)
		return -1;
	/* Read with the step's flag, which that takes out. */
	mode = (uint32_t)arm_get(v, spsr_of(vector->lr)) & MODE;
	*ip = arm_get(v, vector->lr) - vector->back;
	forget_the_dead(v, vector, *ip, mode);
	return class_of(v, vector, mode == MODE_USR);
}

void aarch32_enter_breakpoint(struct vcpu *v)
{
	uint64_t pstate = arm_get(v, ARM_PSTATE), kept;

	arm_set(v, ARM_LR_ABT, arm_get(v, ARM_PC) + vectors[VECTOR_FETCH / 4].back);
	arm_set(v, ARM_SPSR_ABT, pstate);
	arm_set(v, ARM_IFSR, FSR_LPAE | STATUS_DEBUG);
	kept = pstate & ~(MODE | ARM_PSTATE_IT | PSTATE_E | PSTATE_IL);
	arm_set(v, ARM_PSTATE, kept | PSTATE_A | ARM_PSTATE_I | ARM_PSTATE_T | MODE_ABT);
	arm_set(v, ARM_PC, v->vm->arch.places.vectors + VECTOR_FETCH);
}

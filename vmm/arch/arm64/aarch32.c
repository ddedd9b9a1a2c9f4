// SPDX-License-Identifier: BSD-2-Clause
/*
 * aarch32.c - a kernel in AArch32 at EL1: its modes and their banked registers
 * as KVM has them (DDI 0487, D1.20.1), and its vectors. Enters no guest.
 *
 * An exception's entry is one step with what the kernel does first (SRS, CPSID
 * in guest/arm/entry.S), done here: the SPSR of the mode that a vCPU is in
 * cannot be had everywhere. Seen with QEMU 7.2: SRS in ABT mode did not store
 * the SPSR_abt that KVM had been given, and the RFE behind it went to A32. So
 * no bank but SVC mode's is ever state.
 */
#include "arm.h"

#include <assert.h>
#include <string.h>

#define MODE	 0x1fu
#define MODE_USR 0x10u
#define MODE_FIQ 0x11u
#define MODE_IRQ 0x12u
#define MODE_SVC 0x13u
#define MODE_ABT 0x17u
#define MODE_UND 0x1bu

#define PSTATE_A     (1ull << 8)
#define PSTATE_FLAGS 0xf80f0000ull /* N Z C V Q GE: as they were, in an exception */

/* IFSR and DFSR, long-descriptor format (G8.2.74, G8.2.43). */
#define STATUS	     0x3fu
#define STATUS_ASYNC 0x11u
#define STATUS_DEBUG 0x22u
#define FSR_LPAE     0x200u

/* FAR_EL1: IFAR is its high half, DFAR its low one. */
#define FAR_IFAR 0xffffffff00000000ull
#define FAR_DFAR 0x00000000ffffffffull

#define CLASS_FETCH 0x20
#define CLASS_DATA  0x24
#define CLASS_BKPT  0x38

/* At 4 times its index from VBAR; how far LR is behind the address to return to, in T32 (G1.12). */
static const struct vector {
	const char *entered; /* symbol: behind SRS and CPSID */
	uint8_t class;	     /* guest/abi.h */
	uint8_t back;
	enum arm_register lr;
} vectors[ARM_VECTORS] = {
	[1] = { "cm_undefined_entered", 0x00, 2, ARM_LR_UND },
	[2] = { "cm_svc_entered", 0x11, 0, ARM_LR_SVC },
	[3] = { "cm_fetch_entered", CLASS_FETCH, 4, ARM_LR_ABT }, /* or a breakpoint */
	[4] = { "cm_data_entered", CLASS_DATA, 8, ARM_LR_ABT },	  /* or an SError */
	[6] = { "cm_irq_entered", CM_VECTOR_IPI, 4, ARM_LR_IRQ },
	[7] = { "cm_fiq_entered", CM_VECTOR_NMI, 4, ARM_LR_FIQ },
};
#define VECTOR_FETCH 3u

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
	static const char saved[] = "cm_abort_saved";
	const char *const name = saved;
	struct aarch32_places *p = &vm->arch.places32;

	for (uint32_t i = 0; i < ARM_VECTORS; i++) {
		if (!vectors[i].entered)
			continue;
		if (!vm_has_symbols(vm, &vectors[i].entered, 1, e))
			return false;
		p->entered[i] = vm_symbol(vm, vectors[i].entered);
	}
	p->abort_saved = vm_symbol(vm, saved);
	vm->arch.places.vectors = vm->image->abi.vectors;
	return vm_has_symbols(vm, &name, 1, e);
}

bool aarch32_uses(enum arm_register r)
{
	return r <= (enum arm_register)14 || r == ARM_LR_SVC || r == ARM_SP_SVC || r == ARM_PC ||
	       r == ARM_PSTATE || r == ARM_ESR || r == ARM_FAR || r == ARM_IFSR;
}

bool aarch32_is_live(const struct vcpu *v, enum arm_register r)
{
	const struct aarch32_places *p = &v->vm->arch.places32;
	uint64_t first = p->entered[VECTOR_FETCH];

	if (r == ARM_ESR || r == ARM_FAR || r == ARM_IFSR)
		return arm_get(v, ARM_PC) - first < p->abort_saved - first;
	if (r == ARM_LR_SVC)
		return !aarch32_is_user(v);
	return aarch32_uses(r);
}

static int class_of(const struct vcpu *v, uint32_t vector, bool user)
{
	uint8_t class = vectors[vector].class;

	if (class == CLASS_FETCH && (arm_get(v, ARM_IFSR) & STATUS) == STATUS_DEBUG)
		return CLASS_BKPT;
	if (class == CLASS_DATA && (arm_get(v, ARM_ESR) & STATUS) == STATUS_ASYNC)
		return CM_VECTOR_SERROR;
	return class == CLASS_FETCH || class == CLASS_DATA ? class + !user : class;
}

/*
 * What the exception did not write is as one before left it, or as a
 * vcpu_load() did: no state. What the handler saves of it must not differ.
 */
static void forget_the_dead(struct vcpu *v, uint32_t vector, int class, bool user)
{
	uint64_t far = arm_get(v, ARM_FAR);

	if (user && vectors[vector].lr != ARM_LR_SVC)
		arm_set(v, ARM_LR_SVC, 0);
	if (vectors[vector].class != CLASS_FETCH)
		arm_set(v, ARM_IFSR, 0);
	if (vectors[vector].class != CLASS_DATA)
		arm_set(v, ARM_ESR, 0);
	arm_set(v, ARM_FAR,
		class == CLASS_BKPT		     ? 0 :
		vectors[vector].class == CLASS_FETCH ? far & FAR_IFAR :
		vectors[vector].class == CLASS_DATA  ? far & FAR_DFAR :
						       0);
}

/*
 * On from the entry of (vector), which (ip) and (spsr) belong to: SRSDB SP!, #SVC
 * and CPSID F, #SVC. Returns the class.
 */
static int enter(struct vcpu *v, uint32_t vector, uint64_t ip, uint64_t spsr)
{
	const uint32_t pushed[] = { (uint32_t)ip, (uint32_t)spsr };
	uint64_t sp = (uint32_t)(arm_get(v, ARM_SP_SVC) - sizeof(pushed));
	bool user = (spsr & MODE) == MODE_USR;
	int class = class_of(v, vector, user);
	void *stack = vm_host(v->vm, sp, sizeof(pushed));
	uint64_t masked = ARM_PSTATE_I | ARM_PSTATE_F | ARM_PSTATE_T;

	forget_the_dead(v, vector, class, user);
	if (stack) /* else the push behind this faults, as SRS would */
		memcpy(stack, pushed, sizeof(pushed));
	arm_set(v, ARM_SP_SVC, sp);
	/* PSTATE.A, by aborts and interrupts only: nothing here raises an SError. */
	arm_set(v, ARM_PSTATE, (spsr & PSTATE_FLAGS) | PSTATE_A | masked | MODE_SVC);
	arm_set(v, ARM_PC, v->vm->arch.places32.entered[vector]);
	return class;
}

int aarch32_entered(struct vcpu *v, uint64_t before, uint64_t *ip)
{
	uint64_t offset = arm_get(v, ARM_PC) - v->vm->arch.places.vectors;
	uint32_t vector = (uint32_t)(offset / 4);
	uint64_t flags = arm_get(v, ARM_PSTATE) & PSTATE_FLAGS;

	if (offset >= 4 * ARM_VECTORS || offset % 4 || !vectors[vector].entered)
		return -1;
	*ip = (uint32_t)(arm_get(v, vectors[vector].lr) - vectors[vector].back);
	return enter(v, vector, *ip, (before & ~PSTATE_FLAGS) | flags);
}

int aarch32_enter_breakpoint(struct vcpu *v, uint64_t *ip)
{
	*ip = arm_get(v, ARM_PC);
	arm_set(v, ARM_IFSR, FSR_LPAE | STATUS_DEBUG);
	return enter(v, VECTOR_FETCH, *ip, arm_get(v, ARM_PSTATE));
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * state.c - a vCPU's registers, of which KVM gives and takes one at a time
 * (KVM_GET_ONE_REG, some 4 us each), as plain data.
 */
#include "arm.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

_Static_assert(ARM_REGISTERS * sizeof(uint64_t) <= VCPU_STATE_MAX, "VCPU_STATE_MAX is too small");

#define CORE(member) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(member))

static uint64_t id_of(enum arm_register r)
{
	switch (r) {
	case ARM_SP_EL0:
		return CORE(regs.sp);
	case ARM_PC:
		return CORE(regs.pc);
	case ARM_PSTATE:
		return CORE(regs.pstate);
	case ARM_SP_EL1:
		return CORE(sp_el1);
	case ARM_ELR:
		return CORE(elr_el1);
	case ARM_SPSR:
		return CORE(spsr[KVM_SPSR_EL1]);
	case ARM_ESR:
		return ARM64_SYS_REG(3, 0, 5, 2, 0);
	case ARM_FAR:
		return ARM64_SYS_REG(3, 0, 6, 0, 0);
	case ARM_IFSR:
		return ARM64_SYS_REG(3, 4, 5, 0, 1);
	default:
		return CORE(regs.regs[0]) + 2 * (uint64_t)r; /* in words */
	}
}

/* The trap flag we step with is no part of the guest's state. */
static uint64_t without_step(enum arm_register r, uint64_t value)
{
	return r == ARM_PSTATE || r == ARM_SPSR ? value & ~ARM_PSTATE_SS : value;
}

uint64_t arm_get(const struct vcpu *v, enum arm_register r)
{
	struct arm_registers *regs = v->arch.registers;

	if (!(regs->valid & 1ull << r)) {
		struct kvm_one_reg reg = { .id = id_of(r), .addr = (uintptr_t)&regs->value[r] };
		int errnum = kvm_try(v->fd, KVM_GET_ONE_REG, &reg);

		/* A register every arm64 KVM has, of a vCPU that is there. */
		assert(!errnum);
		(void)errnum;
		/* An exception taken by a step has it in SPSR_EL1: the guest must not see it. */
		if (r == ARM_SPSR && regs->value[r] & ARM_PSTATE_SS)
			regs->dirty |= 1ull << r;
		regs->value[r] = without_step(r, regs->value[r]);
		regs->valid |= 1ull << r;
	}
	return regs->value[r];
}

void arm_set(struct vcpu *v, enum arm_register r, uint64_t value)
{
	struct arm_registers *regs = v->arch.registers;

	if (regs->valid & 1ull << r && regs->value[r] == value)
		return;
	regs->value[r] = value;
	regs->valid |= 1ull << r;
	regs->dirty |= 1ull << r;
}

/* PSTATE first: KVM checks that the core has the state, and AArch32 uses what X registers alias. */
bool arm_load_registers(struct vcpu *v, struct err *e)
{
	struct arm_registers *regs = v->arch.registers;

	for (int i = -1; i < ARM_REGISTERS && regs->dirty; i++) {
		enum arm_register r = i < 0 ? ARM_PSTATE : (enum arm_register)i;
		struct kvm_one_reg reg = { .id = id_of(r), .addr = (uintptr_t)&regs->value[r] };
		int errnum;

		if (!(regs->dirty & 1ull << r))
			continue;
		errnum = kvm_try(v->fd, KVM_SET_ONE_REG, &reg);
		if (errnum && r == ARM_PSTATE)
			return err_set(e, ERR_UNSUPPORTED,
				       "this core cannot be in the state %#llx: it has no AArch32 "
				       "there",
				       (unsigned long long)regs->value[r]);
		if (errnum)
			return err_sys(e, errnum, "KVM_SET_ONE_REG (%#llx)",
				       (unsigned long long)reg.id);
		regs->dirty &= ~(1ull << r);
	}
	return true;
}

void arm_forget_registers(struct vcpu *v)
{
	v->arch.registers->valid = 0;
}

static bool within(uint64_t pc, uint64_t first, uint64_t last)
{
	return pc - first <= last - first;
}

/*
 * Two equal states must be equal bytes: what an exception left in ELR_EL1,
 * SPSR_EL1, ESR_EL1 and FAR_EL1 is dead once the kernel has saved it, and
 * until it sets them for its return (entry.S).
 */
static bool is_live(const struct vcpu *v, enum arm_register r)
{
	const struct arm_places *p = &v->vm->arch.places;
	uint64_t pc = arm_get(v, ARM_PC);

	if (r > ARM_FAR)
		return false; /* AArch32's */
	if (r < ARM_ELR || pc - p->vectors < p->saved - p->vectors)
		return true;
	if (r == ARM_ESR || r == ARM_FAR)
		return false;
	for (uint32_t i = 0; i < ARM_RETURNS; i++)
		if (within(pc, p->back[i].first + (r == ARM_SPSR ? 4 : 0), p->back[i].last))
			return true;
	return false;
}

static bool find_a64_places(struct vm *vm, struct err *e)
{
	static const char *const names[ARM_RETURNS][2] = {
		{ "cm_return_vector", "cm_eret_vector" },
		{ "cm_return_a64", "cm_eret_a64" },
		{ "cm_return_t32", "cm_eret_t32" },
	};
	const struct image_symbol *saved = image_symbol(vm->image, "cm_vector_saved");

	for (uint32_t i = 0; i < ARM_RETURNS; i++) {
		const struct image_symbol *first = image_symbol(vm->image, names[i][0]);
		const struct image_symbol *last = image_symbol(vm->image, names[i][1]);

		if (!first || !last || !saved)
			return err_set(e, ERR_INPUT, "%s: no symbol %s, %s or cm_vector_saved",
				       vm->image->path, names[i][0], names[i][1]);
		vm->arch.places.back[i] = (struct arm_return){ first->address, last->address };
	}
	vm->arch.places.vectors =
		vm->kind == VM_FREE ? vm->image->abi.vectors : vm->image->abi.vectors_stepped;
	vm->arch.places.saved = saved->address;
	return true;
}

bool arm_find_places(struct vm *vm, struct err *e)
{
	return aarch32_kernel(vm) ? aarch32_find_places(vm, e) : find_a64_places(vm, e);
}

void vcpu_save(const struct vcpu *v, struct vcpu_state *s)
{
	uint64_t *value = (uint64_t *)(void *)s->bytes;
	bool narrow = aarch32_kernel(v->vm);

	s->size = ARM_REGISTERS * sizeof(*value);
	for (int i = 0; i < ARM_REGISTERS; i++) {
		enum arm_register r = (enum arm_register)i;

		value[i] = (narrow ? aarch32_is_live(v, r) : is_live(v, r)) ? arm_get(v, r) : 0;
	}
}

bool arm_uses(const struct vm *vm, enum arm_register r)
{
	return aarch32_kernel(vm) ? aarch32_uses(r) : r <= ARM_FAR;
}

void vcpu_load(struct vcpu *v, const struct vcpu_state *s)
{
	const uint64_t *value = (const uint64_t *)(const void *)s->bytes;

	assert(s->size == ARM_REGISTERS * sizeof(*value));
	for (int r = 0; r < ARM_REGISTERS; r++)
		if (arm_uses(v->vm, (enum arm_register)r))
			arm_set(v, (enum arm_register)r, value[r]);
}

void vcpu_kick(struct vcpu *v, bool on)
{
	v->run->immediate_exit = on;
}

uint64_t vcpu_pc(const struct vcpu *v)
{
	return arm_get(v, ARM_PC);
}

void vcpu_set_pc(struct vcpu *v, uint64_t pc)
{
	arm_set(v, ARM_PC, pc);
}

/* An A64 kernel uses SP_EL1 only. In AArch32 R13 is X13 (DDI 0487, D1.20.1). */
uint64_t vcpu_sp(const struct vcpu *v)
{
	uint64_t pstate = arm_get(v, ARM_PSTATE);

	if (pstate & ARM_PSTATE_M32)
		return (uint32_t)arm_get(v, aarch32_sp(v));
	return arm_get(v, pstate & ARM_PSTATE_EL1 ? ARM_SP_EL1 : ARM_SP_EL0);
}

uint32_t vcpu_cpl(const struct vcpu *v)
{
	uint64_t pstate = arm_get(v, ARM_PSTATE);

	if (pstate & ARM_PSTATE_M32)
		return aarch32_is_user(v) ? 3 : 0;
	return pstate & ARM_PSTATE_EL1 ? 0 : 3;
}

enum cm_isa vcpu_isa(const struct vcpu *v)
{
	uint64_t pstate = arm_get(v, ARM_PSTATE);

	if (!(pstate & ARM_PSTATE_M32))
		return CM_ISA_A64;
	return pstate & ARM_PSTATE_T ? CM_ISA_T32 : CM_ISA_A32;
}

uint64_t vcpu_register(const struct vcpu *v, uint32_t number)
{
	if (arm_get(v, ARM_PSTATE) & ARM_PSTATE_M32)
		return (uint32_t)arm_get(v, aarch32_register(v, number));
	assert(number < 32);
	return number == 31 ? vcpu_sp(v) : arm_get(v, (enum arm_register)number);
}

uint64_t vcpu_segment_base(const struct vcpu *v)
{
	(void)v;
	return 0;
}

uint64_t vcpu_counter(const struct vcpu *v)
{
	(void)v;
	return 0;
}

/* ERET takes nothing off the stack, RFE an address and an SPSR. */
uint32_t vcpu_return_frame(const struct vcpu *v)
{
	return aarch32_kernel(v->vm) ? 8 : 0;
}

/*
 * guest/arm64/entry.S: FRAME_SIZE bytes, of which the last words are vector, error
 * and address. guest/arm/entry.S: SRS is part of the delivery; R0 to R12 and LR
 * follow, and below them the four words that say which event it is.
 */
struct arch_event_frame vcpu_event_frame(const struct vcpu *v)
{
	static const struct arch_event_frame a64 = { .below = 288,
						     .own_offset = -24,
						     .own_size = 24 };
	static const struct arch_event_frame aarch32 = {
		.below = 72, .above = 8, .own_offset = -72, .own_size = 16
	};

	return aarch32_kernel(v->vm) ? aarch32 : a64;
}

const char *vcpu_describe(const struct vcpu *v, char *buf, size_t size)
{
	snprintf(buf, size, "x0=%#llx x1=%#llx x2=%#llx sp=%#llx pc=%#llx pstate=%#llx elr=%#llx",
		 (unsigned long long)arm_get(v, ARM_X0),
		 (unsigned long long)arm_get(v, (enum arm_register)1),
		 (unsigned long long)arm_get(v, (enum arm_register)2),
		 (unsigned long long)vcpu_sp(v), (unsigned long long)arm_get(v, ARM_PC),
		 (unsigned long long)arm_get(v, ARM_PSTATE),
		 (unsigned long long)arm_get(v, ARM_ELR));
	return buf;
}

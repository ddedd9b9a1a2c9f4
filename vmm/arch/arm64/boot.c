// SPDX-License-Identifier: BSD-2-Clause
/*
 * boot.c - page tables and the first state of a vCPU, which starts
 * at EL1 with nothing left to set up. Knows no quirks.
 *
 * Address map (guest-virtual -> guest-physical):
 *   doorbell  CM_DOORBELL_ADDRESS = same, where no memory is; device, EL1 and EL0
 *   image     CM_IMAGE_BASE   = same, per segment read / write / execute
 *   text      CM_TEXT_BASE   -> VM_FREE: canonical; VM_STEPPED: the vCPU's view. Never writable
 *   alias     CM_ALIAS_BASE  -> canonical text. Never executable
 *   GICv2     CM_GICD_ADDRESS, CM_GICC_ADDRESS = same, in VM_FREE where it is one; device, EL1
 */
#include "arm.h"

/* Descriptors (DDI 0487, D8.3). */
#define DESC_TABLE    3ull
#define DESC_PAGE     3ull
#define DESC_DEVICE   (0ull << 2) /* index into MAIR */
#define DESC_NORMAL   (1ull << 2)
#define DESC_EL0      (1ull << 6)
#define DESC_RO	      (1ull << 7)
#define DESC_INNER    (3ull << 8)
#define DESC_ACCESSED (1ull << 10) /* from the start: the tables are not state */
#define DESC_PXN      (1ull << 53)
#define DESC_UXN      (1ull << 54)
#define DESC_NX	      (DESC_PXN | DESC_UXN)
#define DESC_GIC      (DESC_PAGE | DESC_DEVICE | DESC_ACCESSED | DESC_NX)
#define DESC_DOORBELL (DESC_GIC | DESC_EL0)
#define DESC_MEMORY   (DESC_PAGE | DESC_NORMAL | DESC_EL0 | DESC_INNER | DESC_ACCESSED)

#define MAIR_DEVICE_NORMAL 0xff00ull
/* 32 bits of address by TTBR0 only, 4 KiB pages, walks cached and shareable. */
#define TCR_32BIT	   ((1ull << 23) | (3ull << 12) | (1ull << 10) | (1ull << 8) | 32ull)
/*
 * M C SA SA0 CP15BEN I UCT nTWI nTWE UCI and the bits that are 1 where they
 * mean nothing: EL0 may maintain caches (A64), use barriers (T32) and wait.
 */
#define SCTLR_GUEST	   0x34d5983dull

/* A timed patcher may be at EL0, and reads CNTVCT_EL0 (DDI 0487, D17.10.21). */
#define CNTKCTL_EL1	 ARM64_SYS_REG(3, 0, 14, 1, 0)
#define CNTKCTL_EL0VCTEN 2u

/* AArch32: TTBCR.EAE, which is this format of tables, walks as above, 32 bits by TTBR0. */
#define TTBCR_LPAE ((1ull << 31) | (3ull << 12) | (1ull << 10) | (1ull << 8))
/* TE, exceptions are entered in T32; nTWE nTWI I CP15BEN C M and the bits that are 1. */
#define SCTLR_32   0x40c5107dull

static uint64_t build_page_tables(struct vm_tables *t, uint32_t id)
{
	const struct image *img = t->vm->image;
	uint64_t root = vm_new_table(t);
	uint64_t text =
		t->vm->kind == VM_FREE ? CM_TEXT_BASE : VM_GPA_VIEWS + (uint64_t)id * CM_TEXT_SIZE;

	vm_map(t, root, CM_DOORBELL_ADDRESS, CM_DOORBELL_ADDRESS, VM_PAGE, DESC_DOORBELL);
	if (t->vm->arch.irqchip == CM_IRQCHIP_GICV2) {
		vm_map(t, root, CM_GICD_ADDRESS, CM_GICD_ADDRESS, VM_PAGE, DESC_GIC);
		vm_map(t, root, CM_GICC_ADDRESS, CM_GICC_ADDRESS, VM_PAGE, DESC_GIC);
	}
	for (size_t i = 0; i < img->nsegments; i++) {
		const struct image_segment *s = &img->segments[i];
		uint64_t start = s->address & ~(uint64_t)(VM_PAGE - 1);

		vm_map(t, root, start, start, s->address + s->size - start,
		       DESC_MEMORY | (s->write ? 0 : DESC_RO) | (s->execute ? 0 : DESC_NX));
	}
	vm_map(t, root, CM_TEXT_BASE, text, CM_TEXT_SIZE, DESC_MEMORY | DESC_RO);
	vm_map(t, root, CM_ALIAS_BASE, CM_TEXT_BASE, CM_TEXT_SIZE, DESC_MEMORY | DESC_NX);
	return root;
}

void arm_build_tables(struct vm *vm)
{
	/* Levels 1 to 3; of the first, 4 entries cover the 32 bits. */
	struct vm_tables t = { .vm = vm, .table = DESC_TABLE, .top_shift = 30 };

	for (uint32_t i = 0; i < vm->vcpus; i++)
		vm->vcpu[i].root = build_page_tables(&t, i);
}

static bool set_system(struct vcpu *v, uint64_t id, uint64_t value, struct err *e)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return kvm_call(v->fd, KVM_SET_ONE_REG, &reg, e);
}

bool arm_first_state(struct vcpu *v, struct err *e)
{
	const struct vm *vm = v->vm;
	bool narrow = aarch32_kernel(vm);

	for (int r = 0; r < ARM_REGISTERS; r++) {
		if (!arm_uses(vm, (enum arm_register)r))
			continue;
		arm_set(v, (enum arm_register)r, 0);
		v->arch.registers->dirty |= 1ull << r;
	}
	arm_set(v, ARM_X0, vm_mailbox(vm, v->id));
	arm_set(v, ARM_PC, vm->image->abi.start);
	arm_set(v, ARM_PSTATE, narrow ? ARM_BOOT_32 : ARM_BOOT);
	arm_set(v, narrow ? ARM_SP_SVC : ARM_SP_EL1, vm_stack_top(vm, v->id, CM_STACK_KERNEL));
	return (vm->kind != VM_FREE || set_system(v, CNTKCTL_EL1, CNTKCTL_EL0VCTEN, e)) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 10, 2, 0), MAIR_DEVICE_NORMAL, e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 2, 0, 2), narrow ? TTBCR_LPAE : TCR_32BIT, e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 2, 0, 0), v->root, e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 12, 0, 0), vm->arch.places.vectors, e) &&
	       set_system(v, ARM64_SYS_REG(3, 3, 13, 0, 3), vm_mailbox(vm, v->id), e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 1, 0, 0), narrow ? SCTLR_32 : SCTLR_GUEST, e);
}

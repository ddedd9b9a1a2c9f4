// SPDX-License-Identifier: BSD-2-Clause
/*
 * boot.c - page tables, mailboxes and the first state of a vCPU, which starts
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

#include <string.h>

#define PAGE 4096u

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

struct tables {
	struct vm *vm;
	uint32_t used; /* bytes of the system area handed out */
};

static uint64_t *table_at(struct vm *vm, uint64_t gpa)
{
	return (uint64_t *)(void *)(vm->system + (gpa - ARM_GPA_SYSTEM));
}

static uint64_t table_new(struct tables *t)
{
	uint64_t gpa = ARM_GPA_SYSTEM + t->used;

	t->used += PAGE;
	return gpa;
}

static uint64_t *descend(struct tables *t, uint64_t *entry)
{
	if (!*entry)
		*entry = table_new(t) | DESC_TABLE;
	return table_at(t->vm, *entry & 0xfffffffff000ull);
}

/* Levels 1 to 3; of the first, 4 entries cover the 32 bits. */
static void map(struct tables *t, uint64_t root, uint64_t va, uint64_t gpa, uint64_t size,
		uint64_t flags)
{
	for (uint64_t at = 0; at < size; at += PAGE) {
		uint64_t *level = table_at(t->vm, root);

		for (int shift = 30; shift > 12; shift -= 9)
			level = descend(t, &level[((va + at) >> shift) & 511]);
		level[((va + at) >> 12) & 511] = (gpa + at) | flags;
	}
}

static uint64_t build_page_tables(struct tables *t, uint32_t id)
{
	const struct image *img = t->vm->image;
	uint64_t root = table_new(t);
	uint64_t text =
		t->vm->kind == VM_FREE ? CM_TEXT_BASE : ARM_GPA_VIEWS + (uint64_t)id * CM_TEXT_SIZE;

	map(t, root, CM_DOORBELL_ADDRESS, CM_DOORBELL_ADDRESS, PAGE, DESC_DOORBELL);
	if (t->vm->irqchip == CM_IRQCHIP_GICV2) {
		map(t, root, CM_GICD_ADDRESS, CM_GICD_ADDRESS, PAGE, DESC_GIC);
		map(t, root, CM_GICC_ADDRESS, CM_GICC_ADDRESS, PAGE, DESC_GIC);
	}
	for (size_t i = 0; i < img->nsegments; i++) {
		const struct image_segment *s = &img->segments[i];
		uint64_t start = s->address & ~(uint64_t)(PAGE - 1);

		map(t, root, start, start, s->address + s->size - start,
		    DESC_MEMORY | (s->write ? 0 : DESC_RO) | (s->execute ? 0 : DESC_NX));
	}
	map(t, root, CM_TEXT_BASE, text, CM_TEXT_SIZE, DESC_MEMORY | DESC_RO);
	map(t, root, CM_ALIAS_BASE, CM_TEXT_BASE, CM_TEXT_SIZE, DESC_MEMORY | DESC_NX);
	return root;
}

static uint64_t stack_top(const struct vm *vm, uint32_t id, enum cm_stack which)
{
	return vm->image->abi.stacks +
	       ((uint64_t)id * CM_STACKS + which + 1) * (uint64_t)CM_STACK_SIZE;
}

static uint64_t mailbox_of(const struct vm *vm, uint32_t id)
{
	return vm->image->abi.cpu + (uint64_t)id * sizeof(struct cm_cpu);
}

/* The mailbox members the guest finds itself by. */
static void build_mailbox(struct vm *vm, uint32_t id)
{
	struct cm_cpu cpu = {
		.self = mailbox_of(vm, id),
		.id = id,
		.kernel_sp = stack_top(vm, id, CM_STACK_KERNEL),
		.user_sp = stack_top(vm, id, CM_STACK_USER),
		.nmi_sp = stack_top(vm, id, CM_STACK_NMI_BODY),
	};

	memcpy(vm->host.image + (cpu.self - CM_IMAGE_BASE), &cpu, sizeof(cpu));
}

void arm_build_tables(struct vm *vm)
{
	struct tables t = { .vm = vm };

	memcpy(vm->host.image, vm->image->memory, vm->image->memory_size);
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		build_mailbox(vm, i);
		vm->vcpu[i].root = build_page_tables(&t, i);
	}
}

static bool set_system(struct vcpu *v, uint64_t id, uint64_t value, struct err *e)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return kvm_call(v->fd, KVM_SET_ONE_REG, &reg, e);
}

bool arm_first_state(struct vcpu *v, struct err *e)
{
	const struct vm *vm = v->vm;

	for (int r = 0; r < ARM_REGISTERS; r++)
		arm_set(v, (enum arm_register)r, 0);
	v->registers->dirty = (1ull << ARM_REGISTERS) - 1;
	arm_set(v, ARM_X0, mailbox_of(vm, v->id));
	arm_set(v, ARM_PC, vm->image->abi.start);
	arm_set(v, ARM_PSTATE, ARM_BOOT);
	arm_set(v, ARM_SP_EL1, stack_top(vm, v->id, CM_STACK_KERNEL));
	return (vm->kind != VM_FREE || set_system(v, CNTKCTL_EL1, CNTKCTL_EL0VCTEN, e)) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 10, 2, 0), MAIR_DEVICE_NORMAL, e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 2, 0, 2), TCR_32BIT, e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 2, 0, 0), v->root, e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 12, 0, 0), vm->places.vectors, e) &&
	       set_system(v, ARM64_SYS_REG(3, 3, 13, 0, 3), mailbox_of(vm, v->id), e) &&
	       set_system(v, ARM64_SYS_REG(3, 0, 1, 0, 0), SCTLR_GUEST, e);
}

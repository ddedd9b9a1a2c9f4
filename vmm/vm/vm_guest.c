// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm_guest.c - what a VM's memory holds before its vCPUs run: the image, their
 * mailboxes, page tables; and where in it what is.
 */
#include "vm/vm.h"

#include <string.h>

/* Bits 47 to 12 of a descriptor, in each of the formats. */
#define TABLE_ADDRESS 0xfffffffff000ull

uint64_t vm_mailbox(const struct vm *vm, uint32_t id)
{
	return vm->image->abi.cpu + (uint64_t)id * sizeof(struct cm_cpu);
}

uint64_t vm_stack_top(const struct vm *vm, uint32_t id, enum cm_stack which)
{
	return vm->image->abi.stacks +
	       ((uint64_t)id * CM_STACKS + which + 1) * (uint64_t)CM_STACK_SIZE;
}

/* The members that the guest finds itself by. */
static void put_mailbox(struct vm *vm, uint32_t id)
{
	struct cm_cpu cpu = {
		.self = vm_mailbox(vm, id),
		.id = id,
		.kernel_sp = vm_stack_top(vm, id, CM_STACK_KERNEL),
		.user_sp = vm_stack_top(vm, id, CM_STACK_USER),
		.nmi_sp = vm_stack_top(vm, id, CM_STACK_NMI_BODY),
	};

	memcpy(vm->host.image + (cpu.self - CM_IMAGE_BASE), &cpu, sizeof(cpu));
}

void vm_load_image(struct vm *vm)
{
	const struct image *img = vm->image;

	for (size_t i = 0; i < img->nsegments; i++) {
		size_t at = img->segments[i].address - CM_IMAGE_BASE;

		memcpy(vm->host.image + at, img->memory + at, img->segments[i].filled);
	}
	for (uint32_t i = 0; i < vm->vcpus; i++)
		put_mailbox(vm, i);
}

void *vm_host(struct vm *vm, uint64_t address, size_t size)
{
	if (address >= CM_IMAGE_BASE && address - CM_IMAGE_BASE <= vm->host.image_size &&
	    size <= vm->host.image_size - (address - CM_IMAGE_BASE))
		return vm->host.image + (address - CM_IMAGE_BASE);
	return NULL;
}

uint64_t vm_symbol(const struct vm *vm, const char *name)
{
	const struct image_symbol *s = image_symbol(vm->image, name);

	return s ? s->address : 0;
}

bool vm_has_symbols(const struct vm *vm, const char *const *names, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!vm_symbol(vm, names[i]))
			return err_set(e, ERR_INPUT, "%s: the symbol %s is missing",
				       vm->image->path, names[i]);
	return true;
}

static uint64_t *table_at(struct vm *vm, uint64_t gpa)
{
	return (uint64_t *)(void *)(vm->system + (gpa - VM_GPA_SYSTEM));
}

uint64_t vm_new_table(struct vm_tables *t)
{
	uint64_t gpa = VM_GPA_SYSTEM + t->used;

	t->used += VM_PAGE;
	return gpa;
}

/* The entry's next-level table, made when missing. */
static uint64_t *descend(struct vm_tables *t, uint64_t *entry)
{
	if (!*entry)
		*entry = vm_new_table(t) | t->table;
	return table_at(t->vm, *entry & TABLE_ADDRESS);
}

void vm_map(struct vm_tables *t, uint64_t root, uint64_t va, uint64_t gpa, uint64_t size,
	    uint64_t flags)
{
	for (uint64_t at = 0; at < size; at += VM_PAGE) {
		uint64_t *level = table_at(t->vm, root);

		for (int shift = t->top_shift; shift > 12; shift -= 9)
			level = descend(t, &level[((va + at) >> shift) & 511]);
		level[((va + at) >> 12) & 511] = (gpa + at) | flags;
	}
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm.c - KVM objects and their memory: created once, torn down once. How a
 * vCPU runs is run.c's business.
 *
 * VM_STEPPED has no interrupt controller: IRQ and FIQ are a vCPU's two lines,
 * driven by KVM_IRQ_LINE (api.rst 4.25), so that a snapshot of it is none to
 * take. VM_FREE has a GIC in the kernel, gic.c's.
 */
#include "arm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct arch_capability capabilities[] = {
	KVM_CAPABILITY(KVM_CAP_USER_MEMORY, true, "guest memory"),
	KVM_CAPABILITY(KVM_CAP_ONE_REG, true, "registers"),
	KVM_CAPABILITY(KVM_CAP_SET_GUEST_DEBUG, true, "single-stepping"),
	KVM_CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, true, "the watchdog"),
	KVM_CAPABILITY(KVM_CAP_ARM_EL1_32BIT, false, "an AArch32 kernel: not built yet"),
	KVM_CAPABILITY(KVM_CAP_ARM_USER_IRQ, false, "nothing: FIQ and IRQ are lines"),
	KVM_CAPABILITY(KVM_CAP_GUEST_DEBUG_HW_BPS, false, "running to stops"),
	KVM_CAPABILITY(KVM_CAP_IRQCHIP, false, "NMIs and IPIs in free"),
	KVM_CAPABILITY(KVM_CAP_DEVICE_CTRL, false, "the same"),
	KVM_CAPABILITY(KVM_CAP_NR_VCPUS, false, "recommended vCPUs"),
	KVM_CAPABILITY(KVM_CAP_MAX_VCPUS, false, "most vCPUs"),
};
#define NCAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

static bool create_memory(struct vm *vm, struct err *e)
{
	size_t views = vm->kind == VM_STEPPED ? vm->vcpus * (size_t)CM_TEXT_SIZE : 0;
	uint8_t *view = NULL;
	const struct kvm_piece pieces[] = {
		{ ARM_GPA_SYSTEM, ARM_SYSTEM_SIZE, &vm->system },
		{ CM_IMAGE_BASE, vm->image->memory_size, &vm->host.image },
		{ CM_TEXT_BASE, CM_TEXT_SIZE, &vm->host.text },
		{ ARM_GPA_VIEWS, views, &view },
	};

	vm->memory = kvm_map_memory(vm->fd, pieces, sizeof(pieces) / sizeof(pieces[0]),
				    &vm->memory_size, e);
	if (!vm->memory)
		return false;
	vm->host.image_size = vm->image->memory_size;
	for (uint32_t i = 0; view && i < vm->vcpus; i++)
		vm->host.view[i] = view + i * (size_t)CM_TEXT_SIZE;
	return true;
}

static bool create_vcpu(struct vm *vm, uint32_t id, struct err *e)
{
	struct vcpu *v = &vm->vcpu[id];
	struct kvm_vcpu_init init;

	v->vm = vm;
	v->id = id;
	v->registers = calloc(1, sizeof(*v->registers));
	if (!v->registers)
		return err_set(e, ERR_HOST, "out of memory");
	if (!kvm_call_result(vm->fd, KVM_CREATE_VCPU, id, &v->fd, e))
		return false;
	v->run = kvm_map_run(vm->kvm, v->fd, &v->run_size, e);
	if (!v->run)
		return false;
	return kvm_call(vm->fd, KVM_ARM_PREFERRED_TARGET, &init, e) &&
	       kvm_call(v->fd, KVM_ARM_VCPU_INIT, &init, e) && arm_first_state(v, e);
}

static bool create(struct vm *vm, struct err *e)
{
	int hardware;

	if (!arm_find_places(vm, e) || !kvm_open(&vm->kvm, e) ||
	    !kvm_has_required(vm->kvm, capabilities, NCAPABILITIES, e) ||
	    !arm_check_caches(vm, e) || !kvm_call_result(vm->kvm, KVM_CREATE_VM, 0, &vm->fd, e) ||
	    !create_memory(vm, e) || (vm->kind == VM_FREE && !arm_gic_create(vm, e)))
		return false;
	hardware = kvm_capability(vm->kvm, KVM_CAP_GUEST_DEBUG_HW_BPS);
	vm->breakpoints = hardware > 0 ? (uint32_t)hardware : 0;
	arm_build_tables(vm);
	for (uint32_t i = 0; i < vm->vcpus; i++)
		if (!create_vcpu(vm, i, e))
			return false;
	return vm->kind != VM_FREE || arm_gic_init(vm, e);
}

struct vm *vm_new(const struct image *image, enum vm_kind kind, uint32_t vcpus, struct err *e)
{
	struct vm *vm;

	if (image->abi.isa != CM_ISA_A64) {
		err_set(e, ERR_UNSUPPORTED, "%s is not an A64 image; this host runs no other",
			image->path);
		return NULL;
	}
	vm = calloc(1, sizeof(*vm));
	if (!vm) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	vm->image = image;
	vm->kind = kind;
	vm->vcpus = vcpus;
	vm->kvm = vm->fd = vm->gic = -1;
	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++)
		vm->vcpu[i].fd = -1;
	if (create(vm, e))
		return vm;
	vm_free(vm);
	return NULL;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		struct vcpu *v = &vm->vcpu[i];

		if (v->run)
			munmap(v->run, v->run_size);
		if (v->fd >= 0)
			close(v->fd);
		free(v->registers);
	}
	if (vm->gic >= 0)
		close(vm->gic);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	if (vm->memory)
		munmap(vm->memory, vm->memory_size);
	free(vm);
}

struct vm_memory *vm_memory(struct vm *vm)
{
	return &vm->host;
}

struct vcpu *vm_vcpu(struct vm *vm, uint32_t id)
{
	return &vm->vcpu[id];
}

const struct quirks *vm_quirks(const struct vm *vm)
{
	return &vm->quirks;
}

/* CNTVCT_EL0, which the guest reads, ticks at the rate of ours (DDI 0487, D11.1.2). */
double vm_tick_rate(struct vm *vm)
{
	uint64_t hz;

	(void)vm;
	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return (double)hz;
}

const char *arch_name(void)
{
	return "arm64";
}

bool vm_boot(struct vm *vm, struct err *e)
{
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		struct vcpu_exit x;

		if (!vcpu_run(&vm->vcpu[i], &x, e))
			return err_prefix(e, "booting: ");
		if (x.kind != EXIT_DOOR || x.door != CM_DOOR_READY)
			return err_set(e, ERR_HOST, "vCPU %u did not boot: it stands at %#llx%s%s",
				       i, (unsigned long long)vcpu_pc(&vm->vcpu[i]),
				       *x.text ? ": " : "", x.text);
	}
	return arm_selfcheck(vm, e);
}

size_t arch_capabilities(struct arch_capability *list, size_t max, struct err *e)
{
	return kvm_ask(capabilities, NCAPABILITIES, list, max, e);
}

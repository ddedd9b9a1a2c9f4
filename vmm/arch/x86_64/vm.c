// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm.c - KVM objects and their memory: created once, torn down once. How a
 * vCPU runs is run.c's business.
 */
#include "x86.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUID_MAX 256u

static const struct arch_capability capabilities[] = {
	KVM_CAPABILITY(KVM_CAP_USER_MEMORY, true, "guest memory"),
	KVM_CAPABILITY(KVM_CAP_VCPU_EVENTS, true, "NMIs and IPIs in stepped"),
	KVM_CAPABILITY(KVM_CAP_SET_GUEST_DEBUG, true, "single-stepping"),
	KVM_CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, true, "the watchdog"),
	KVM_CAPABILITY(KVM_CAP_SYNC_REGS, false, "fast stepping"),
	KVM_CAPABILITY(KVM_CAP_SIGNAL_MSI, false, "NMIs and IPIs in free"),
	KVM_CAPABILITY(KVM_CAP_SPLIT_IRQCHIP, false, "cheaper free VMs"),
	KVM_CAPABILITY(KVM_CAP_NR_VCPUS, false, "recommended vCPUs"),
	KVM_CAPABILITY(KVM_CAP_MAX_VCPUS, false, "most vCPUs"),
};
#define NCAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

static bool create_memory(struct vm *vm, struct err *e)
{
	size_t views = vm->kind == VM_STEPPED ? vm->vcpus * (size_t)CM_TEXT_SIZE : 0;
	uint8_t *view = NULL;
	const struct kvm_piece pieces[] = {
		{ X86_GPA_SYSTEM, X86_SYSTEM_SIZE, &vm->system },
		{ CM_IMAGE_BASE, vm->image->memory_size, &vm->host.image },
		{ CM_TEXT_BASE, CM_TEXT_SIZE, &vm->host.text },
		{ X86_GPA_VIEWS, views, &view },
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

/* In-kernel local APICs; the rest of a PC's interrupt controllers is not needed. */
static bool create_apics(struct vm *vm, struct err *e)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	if (kvm_capability(vm->kvm, KVM_CAP_SIGNAL_MSI) <= 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "this KVM has no KVM_CAP_SIGNAL_MSI: method 'free' cannot inject");
	if (kvm_capability(vm->kvm, KVM_CAP_SPLIT_IRQCHIP) > 0)
		return kvm_call(vm->fd, KVM_ENABLE_CAP, &split, e);
	return kvm_call(vm->fd, KVM_CREATE_IRQCHIP, 0, e);
}

/* What the host supports, with the vCPU's own APIC id where CPUID states one. */
static bool set_cpuid(struct vcpu *v, struct kvm_cpuid2 *cpuid, struct err *e)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &cpuid->entries[i];

		if (leaf->function == 1)
			leaf->ebx = (leaf->ebx & 0x00ffffff) | v->id << 24;
		if (leaf->function == 0xb || leaf->function == 0x1f)
			leaf->edx = v->id;
	}
	return kvm_call(v->fd, KVM_SET_CPUID2, cpuid, e);
}

struct kvm_cpuid2 *x86_get_cpuid(struct vm *vm, struct err *e)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(struct kvm_cpuid_entry2));

	if (!cpuid) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	cpuid->nent = CPUID_MAX;
	if (kvm_call(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid, e))
		return cpuid;
	free(cpuid);
	return NULL;
}

static bool has_x2apic(const struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			return cpuid->entries[i].ecx >> 21 & 1;
	return false;
}

static bool map_run(struct vcpu *v, struct err *e)
{
	v->run = kvm_map_run(v->vm->kvm, v->fd, &v->run_size, e);
	if (!v->run)
		return false;
	if (v->vm->quirks.no_sync_regs) {
		v->own = calloc(1, sizeof(*v->own));
		if (!v->own)
			return err_set(e, ERR_HOST, "out of memory");
		v->regs = &v->own->regs;
		v->sregs = &v->own->sregs;
		v->events = &v->own->events;
		return true;
	}
	v->regs = &v->run->s.regs.regs;
	v->sregs = &v->run->s.regs.sregs;
	v->events = &v->run->s.regs.events;
	return true;
}

/* Software-enable the local APIC (SDM vol 3, 10.4.7.2), or fixed interrupts are dropped. */
static bool enable_apic(struct vcpu *v, struct err *e)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_lapic_state apic;
	uint32_t spurious = 0x1ff;

	if (!kvm_call(v->fd, KVM_SET_MP_STATE, &runnable, e) ||
	    !kvm_call(v->fd, KVM_GET_LAPIC, &apic, e))
		return false;
	memcpy(apic.regs + 0xf0, &spurious, sizeof(spurious));
	return kvm_call(v->fd, KVM_SET_LAPIC, &apic, e);
}

static bool create_vcpu(struct vm *vm, uint32_t id, struct kvm_cpuid2 *cpuid, struct err *e)
{
	struct vcpu *v = &vm->vcpu[id];
	struct x86_state first;

	v->vm = vm;
	v->id = id;
	if (!kvm_call_result(vm->fd, KVM_CREATE_VCPU, id, &v->fd, e))
		return false;
	if (!map_run(v, e) || !set_cpuid(v, cpuid, e) ||
	    !kvm_call(v->fd, KVM_GET_REGS, &first.regs, e) ||
	    !kvm_call(v->fd, KVM_GET_SREGS, &first.sregs, e) ||
	    !kvm_call(v->fd, KVM_GET_VCPU_EVENTS, &first.events, e))
		return false;
	x86_first_state(v, &first);
	*v->regs = first.regs;
	*v->sregs = first.sregs;
	*v->events = first.events;
	v->dirty = X86_DIRTY_ALL;
	/* The APIC's mode follows apic_base, which must be in force before its state is. */
	return vm->kind != VM_FREE ||
	       (kvm_call(v->fd, KVM_SET_SREGS, v->sregs, e) && enable_apic(v, e));
}

static bool create(struct vm *vm, struct err *e)
{
	struct kvm_cpuid2 *cpuid;
	bool ok = true;

	if (!kvm_open(&vm->kvm, e) || !kvm_has_required(vm->kvm, capabilities, NCAPABILITIES, e) ||
	    !kvm_call_result(vm->kvm, KVM_CREATE_VM, 0, &vm->fd, e))
		return false;
	vm->quirks.no_sync_regs =
		(kvm_capability(vm->kvm, KVM_CAP_SYNC_REGS) & X86_DIRTY_ALL) != X86_DIRTY_ALL ||
		getenv("CROSSMOD_NO_SYNC_REGS");
	if (!create_memory(vm, e) || (vm->kind == VM_FREE && !create_apics(vm, e)))
		return false;
	cpuid = x86_get_cpuid(vm, e);
	if (!cpuid)
		return false;
	vm->x2apic = vm->kind == VM_FREE && has_x2apic(cpuid);
	x86_load_image(vm);
	x86_build_tables(vm);
	for (uint32_t i = 0; ok && i < vm->vcpus; i++)
		ok = create_vcpu(vm, i, cpuid, e);
	free(cpuid);
	return ok;
}

struct vm *vm_new(const struct image *image, enum vm_kind kind, uint32_t vcpus, struct err *e)
{
	struct vm *vm;

	if (image->abi.isa != CM_ISA_X86_64) {
		err_set(e, ERR_UNSUPPORTED, "%s is not an x86-64 image; this host runs no other",
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
	vm->kvm = vm->fd = -1;
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
		free(v->own);
	}
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

/* Instruction caches follow (SDM vol 3, 12.6). */
void vm_text_changed(struct vm *vm, uint32_t vcpu, uint32_t offset, uint32_t length)
{
	(void)vm;
	(void)vcpu;
	(void)offset;
	(void)length;
}

const char *arch_name(void)
{
	return "x86_64";
}

enum cm_irqchip vm_irqchip(const struct vm *vm)
{
	if (vm->kind != VM_FREE)
		return CM_IRQCHIP_NONE;
	return vm->x2apic ? CM_IRQCHIP_X2APIC : CM_IRQCHIP_XAPIC;
}

/* KVM_GET_TSC_KHZ (KVM API, 4.56), of a vCPU: with TSC scaling it is not the host's. */
double vm_tick_rate(struct vm *vm)
{
	int khz = 0;

	if (kvm_ioctl(vm->vcpu[0].fd, KVM_GET_TSC_KHZ, 0, &khz) || khz <= 0)
		return 0;
	return khz * 1e3;
}

bool vm_boot(struct vm *vm, struct err *e)
{
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		struct vcpu_exit x;

		if (!vcpu_run(&vm->vcpu[i], &x, e))
			return err_prefix(e, "booting: ");
		if (x.kind != EXIT_DOOR || x.door != CM_DOOR_READY)
			return err_set(e, ERR_HOST, "vCPU %u did not boot: it stands at %#llx%s%s",
				       i, (unsigned long long)vm->vcpu[i].regs->rip,
				       *x.text ? ": " : "", x.text);
	}
	return x86_selfcheck(vm, e);
}

bool vm_raise(struct vm *vm, uint32_t vcpu, enum event_kind kind, struct err *e)
{
	struct kvm_msi msi = {
		.address_lo = 0xfee00000u | vcpu << 12,
		.data = kind == EVENT_NMI ? 0x400 : CM_VECTOR_IPI,
	};

	return kvm_call(vm->fd, KVM_SIGNAL_MSI, &msi, e);
}

size_t arch_capabilities(struct arch_capability *list, size_t max, struct err *e)
{
	return kvm_ask(capabilities, NCAPABILITIES, list, max, e);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm.c - what of a VM is x86's: CPUID, local APICs, and a vCPU's registers, in
 * the page it shares with KVM or by ioctls. How a vCPU runs is run.c's business.
 */
#include "x86.h"

#include <stdlib.h>
#include <string.h>

#define CPUID_MAX 256u

const struct arch_capability arch_capability_table[] = {
	KVM_CAPABILITY(KVM_CAP_USER_MEMORY, true, "guest memory"),
	KVM_CAPABILITY(KVM_CAP_VCPU_EVENTS, true, "NMIs and IPIs in stepped"),
	KVM_CAPABILITY(KVM_CAP_SET_GUEST_DEBUG, true, "single-stepping"),
	KVM_CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, true, "the watchdog"),
	KVM_CAPABILITY(KVM_CAP_SYNC_REGS, false, "fast stepping"),
	KVM_CAPABILITY(KVM_CAP_SIGNAL_MSI, false, "NMIs and IPIs in free"),
	KVM_CAPABILITY(KVM_CAP_SPLIT_IRQCHIP, false, "cheaper free VMs"),
	KVM_CAPABILITY(KVM_CAP_NR_VCPUS, false, "recommended vCPUs"),
	KVM_CAPABILITY(KVM_CAP_MAX_VCPUS, false, "most vCPUs"),
	{ 0 },
};

bool arch_runs(uint32_t isa)
{
	return isa == CM_ISA_X86_64;
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

/* The shared page, or memory of our own. */
static bool place_registers(struct vcpu *v, struct err *e)
{
	if (v->vm->quirks.no_sync_regs) {
		v->arch.own = calloc(1, sizeof(*v->arch.own));
		if (!v->arch.own)
			return err_set(e, ERR_HOST, "out of memory");
		v->arch.regs = &v->arch.own->regs;
		v->arch.sregs = &v->arch.own->sregs;
		v->arch.events = &v->arch.own->events;
		return true;
	}
	v->arch.regs = &v->run->s.regs.regs;
	v->arch.sregs = &v->run->s.regs.sregs;
	v->arch.events = &v->run->s.regs.events;
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

bool arch_prepare_vcpu(struct vcpu *v, struct err *e)
{
	struct x86_state first;

	if (!place_registers(v, e) || !set_cpuid(v, v->vm->arch.cpuid, e) ||
	    !kvm_call(v->fd, KVM_GET_REGS, &first.regs, e) ||
	    !kvm_call(v->fd, KVM_GET_SREGS, &first.sregs, e) ||
	    !kvm_call(v->fd, KVM_GET_VCPU_EVENTS, &first.events, e))
		return false;
	x86_first_state(v, &first);
	*v->arch.regs = first.regs;
	*v->arch.sregs = first.sregs;
	*v->arch.events = first.events;
	v->arch.dirty = X86_DIRTY_ALL;
	/* The APIC's mode follows apic_base, which must be in force before its state is. */
	return v->vm->kind != VM_FREE ||
	       (kvm_call(v->fd, KVM_SET_SREGS, v->arch.sregs, e) && enable_apic(v, e));
}

void arch_free_vcpu(struct vcpu *v)
{
	free(v->arch.own);
}

bool arch_prepare_vm(struct vm *vm, struct err *e)
{
	vm->quirks.no_sync_regs =
		(kvm_capability(vm->kvm, KVM_CAP_SYNC_REGS) & X86_DIRTY_ALL) != X86_DIRTY_ALL ||
		getenv("CROSSMOD_NO_SYNC_REGS");
	if (vm->kind == VM_FREE && !create_apics(vm, e))
		return false;
	vm->arch.cpuid = x86_get_cpuid(vm, e);
	if (!vm->arch.cpuid)
		return false;
	vm->arch.x2apic = vm->kind == VM_FREE && has_x2apic(vm->arch.cpuid);
	x86_build_tables(vm);
	return true;
}

void arch_free_vm(struct vm *vm)
{
	free(vm->arch.cpuid);
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

const char *arch_other_guest(void)
{
	return NULL;
}

enum cm_irqchip vm_irqchip(const struct vm *vm)
{
	if (vm->kind != VM_FREE)
		return CM_IRQCHIP_NONE;
	return vm->arch.x2apic ? CM_IRQCHIP_X2APIC : CM_IRQCHIP_XAPIC;
}

/* KVM_GET_TSC_KHZ (KVM API, 4.56), of a vCPU: with TSC scaling it is not the host's. */
double vm_tick_rate(struct vm *vm)
{
	int khz = 0;

	if (kvm_ioctl(vm->vcpu[0].fd, KVM_GET_TSC_KHZ, 0, &khz) || khz <= 0)
		return 0;
	return khz * 1e3;
}

bool vm_raise(struct vm *vm, uint32_t vcpu, enum event_kind kind, struct err *e)
{
	struct kvm_msi msi = {
		.address_lo = 0xfee00000u | vcpu << 12,
		.data = kind == EVENT_NMI ? 0x400 : CM_VECTOR_IPI,
	};

	return kvm_call(vm->fd, KVM_SIGNAL_MSI, &msi, e);
}

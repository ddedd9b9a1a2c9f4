// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm.c - what of a VM is Arm's: the vCPU's target, its registers' copy, the
 * instruction cache. How a vCPU runs is run.c's business.
 *
 * There is no interrupt controller: IRQ and FIQ are a vCPU's two lines, driven
 * by KVM_IRQ_LINE (api.rst 4.25), so that a snapshot of it is none to take.
 */
#include "arm.h"

#include <stdlib.h>

const struct arch_capability arch_capability_table[] = {
	KVM_CAPABILITY(KVM_CAP_USER_MEMORY, true, "guest memory"),
	KVM_CAPABILITY(KVM_CAP_ONE_REG, true, "registers"),
	KVM_CAPABILITY(KVM_CAP_SET_GUEST_DEBUG, true, "single-stepping"),
	KVM_CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, true, "the watchdog"),
	KVM_CAPABILITY(KVM_CAP_ARM_EL1_32BIT, false, "an AArch32 kernel at EL1"),
	KVM_CAPABILITY(KVM_CAP_ARM_USER_IRQ, false, "nothing: FIQ and IRQ are lines"),
	KVM_CAPABILITY(KVM_CAP_GUEST_DEBUG_HW_BPS, false, "running to stops"),
	KVM_CAPABILITY(KVM_CAP_NR_VCPUS, false, "recommended vCPUs"),
	KVM_CAPABILITY(KVM_CAP_MAX_VCPUS, false, "most vCPUs"),
	{ 0 },
};

bool arch_runs(uint32_t isa)
{
	return isa == CM_ISA_A64 || isa == CM_ISA_T32;
}

bool arch_prepare_vm(struct vm *vm, struct err *e)
{
	int hardware;

	if (vm->kind == VM_FREE)
		return err_set(e, ERR_UNSUPPORTED,
			       "method 'free' is not built for arm64 yet: it needs an interrupt "
			       "controller in the kernel");
	if (aarch32_kernel(vm) && kvm_capability(vm->kvm, KVM_CAP_ARM_EL1_32BIT) <= 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "an AArch32 kernel: this core has no AArch32 at EL1 "
			       "(KVM_CAP_ARM_EL1_32BIT)");
	if (!arm_find_places(vm, e))
		return false;
	hardware = kvm_capability(vm->kvm, KVM_CAP_GUEST_DEBUG_HW_BPS);
	vm->arch.breakpoints = hardware > 0 ? (uint32_t)hardware : 0;
	arm_build_tables(vm);
	return true;
}

void arch_free_vm(struct vm *vm)
{
	(void)vm;
}

bool arch_prepare_vcpu(struct vcpu *v, struct err *e)
{
	struct kvm_vcpu_init init;

	v->arch.registers = calloc(1, sizeof(*v->arch.registers));
	if (!v->arch.registers)
		return err_set(e, ERR_HOST, "out of memory");
	if (!kvm_call(v->vm->fd, KVM_ARM_PREFERRED_TARGET, &init, e))
		return false;
	if (aarch32_kernel(v->vm))
		init.features[0] |= 1u << KVM_ARM_VCPU_EL1_32BIT;
	return kvm_call(v->fd, KVM_ARM_VCPU_INIT, &init, e) && arm_first_state(v, e);
}

void arch_free_vcpu(struct vcpu *v)
{
	free(v->arch.registers);
}

bool vm_x2apic(const struct vm *vm)
{
	(void)vm;
	return false;
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

const char *arch_other_guest(void)
{
	return "arm";
}

/*
 * Stores by this process reach the guest's instruction fetches as any CPU's
 * stores do, after clean and invalidate; entering the guest then synchronises.
 * An instruction cache that is not physically indexed would keep the line of
 * the guest's address: such cores (Cortex-A35, A53 and A55 say VIPT) have not
 * been tried.
 */
void vm_text_changed(struct vm *vm, uint32_t vcpu, uint32_t offset, uint32_t length)
{
	char *start = (char *)vm->host.view[vcpu] + offset;

	__builtin___clear_cache(start, start + length);
}

bool vm_raise(struct vm *vm, uint32_t vcpu, enum event_kind kind, struct err *e)
{
	(void)vm;
	(void)vcpu;
	(void)kind;
	return err_set(e, ERR_UNSUPPORTED, "method 'free' is not built for arm64 yet");
}

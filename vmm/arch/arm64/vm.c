// SPDX-License-Identifier: BSD-2-Clause
/*
 * vm.c - what of a VM is Arm's: the vCPU's target and its registers' copy. How a
 * vCPU runs is run.c's business.
 *
 * VM_STEPPED has no interrupt controller: IRQ and FIQ are a vCPU's two lines,
 * driven by KVM_IRQ_LINE (api.rst 4.25), so that a snapshot of it is none to
 * take. VM_FREE has a GIC in the kernel, gic.c's.
 */
#include "arm.h"

#include <stdlib.h>
#include <unistd.h>

const struct arch_capability arch_capability_table[] = {
	KVM_CAPABILITY(KVM_CAP_USER_MEMORY, true, "guest memory"),
	KVM_CAPABILITY(KVM_CAP_ONE_REG, true, "registers"),
	KVM_CAPABILITY(KVM_CAP_SET_GUEST_DEBUG, true, "single-stepping"),
	KVM_CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, true, "the watchdog"),
	KVM_CAPABILITY(KVM_CAP_ARM_EL1_32BIT, false, "an AArch32 kernel at EL1"),
	KVM_CAPABILITY(KVM_CAP_ARM_USER_IRQ, false, "nothing: FIQ and IRQ are lines"),
	KVM_CAPABILITY(KVM_CAP_GUEST_DEBUG_HW_BPS, false, "running to stops"),
	KVM_CAPABILITY(KVM_CAP_IRQCHIP, false, "NMIs and IPIs in free"),
	KVM_CAPABILITY(KVM_CAP_DEVICE_CTRL, false, "the same"),
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

	if (aarch32_kernel(vm) && kvm_capability(vm->kvm, KVM_CAP_ARM_EL1_32BIT) <= 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "an AArch32 kernel: this core has no AArch32 at EL1 "
			       "(KVM_CAP_ARM_EL1_32BIT)");
	if (aarch32_kernel(vm) && vm->kind == VM_FREE)
		return err_set(e, ERR_UNSUPPORTED,
			       "method 'free' wants the A64 kernel: the AArch32 one runs under a "
			       "schedule only");
	if (!arm_find_places(vm, e) || !arm_check_caches(vm, e) ||
	    (vm->kind == VM_FREE && !arm_gic_create(vm, e)))
		return false;
	hardware = kvm_capability(vm->kvm, KVM_CAP_GUEST_DEBUG_HW_BPS);
	vm->arch.breakpoints = hardware > 0 ? (uint32_t)hardware : 0;
	arm_build_tables(vm);
	return true;
}

void arch_free_vm(struct vm *vm)
{
	if (vm->arch.irqchip != CM_IRQCHIP_NONE)
		close(vm->arch.gic);
}

bool arch_prepare_vcpu(struct vcpu *v, struct err *e)
{
	struct kvm_vcpu_init init;
	struct vm *vm = v->vm;

	v->arch.registers = calloc(1, sizeof(*v->arch.registers));
	if (!v->arch.registers)
		return err_set(e, ERR_HOST, "out of memory");
	if (!kvm_call(vm->fd, KVM_ARM_PREFERRED_TARGET, &init, e))
		return false;
	if (aarch32_kernel(vm))
		init.features[0] |= 1u << KVM_ARM_VCPU_EL1_32BIT;
	if (!kvm_call(v->fd, KVM_ARM_VCPU_INIT, &init, e) || !arm_first_state(v, e))
		return false;
	/* A GIC's registers are there when all vCPUs are. */
	return vm->kind != VM_FREE || v->id + 1 < vm->vcpus || arm_gic_init(vm, e);
}

void arch_free_vcpu(struct vcpu *v)
{
	free(v->arch.registers);
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

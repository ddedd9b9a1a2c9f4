// SPDX-License-Identifier: BSD-2-Clause
/* bench.c - the bare KVM operations, as straight as KVM's interface allows. */
#include "vm/arch_bench.h"
#include "arm.h"

#include <errno.h>

bool bare_native(uint32_t isa)
{
	return isa == CM_ISA_A64;
}

/* ISB is what every sync here is made of: there is no other. */
bool bare_serialize(void)
{
	return false;
}

/* The virtual counter, which a guest has with KVM's offset. */
uint64_t bare_cycles(void)
{
	uint64_t count;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count)::"memory");
	return count;
}

/* KVM has no shared page of registers here, so a bare step loads and stores the PC only. */
bool bare_steps(struct vcpu *v, uint32_t count, struct err *e)
{
	if (!arm_load_registers(v, e) ||
	    !vcpu_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, e))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		int errnum;

		do {
			errnum = kvm_try(v->fd, KVM_RUN, 0);
		} while (errnum == EINTR && !v->run->immediate_exit);
		arm_forget_registers(v);
		if (errnum)
			return err_sys(e, errnum, "KVM_RUN");
		if (v->run->exit_reason != KVM_EXIT_DEBUG)
			return err_set(e, ERR_HOST, "a bare step ended in exit reason %u",
				       v->run->exit_reason);
		(void)arm_get(v, ARM_PC);
	}
	return true;
}

int bare_nmi(struct vm *vm, uint32_t vcpu)
{
	struct kvm_irq_level line = arm_gic_line(vcpu, EVENT_NMI);

	return kvm_try(vm->fd, KVM_IRQ_LINE, &line);
}

/* A VM_STEPPED's creation has nothing to spare that a bare one could leave out. */
bool bare_start(const struct image *image, uint32_t vcpus, struct err *e)
{
	struct vm *vm = vm_new(image, VM_STEPPED, vcpus, e);
	struct vcpu_exit x;

	return vm && vcpu_run(vm_vcpu(vm, 0), &x, e) &&
	       (x.kind == EXIT_DOOR ||
		err_set(e, ERR_HOST, "the bare vCPU did not ring its first doorbell"));
}

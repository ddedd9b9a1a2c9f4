/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_vm.h - what x86-64 adds to a VM and a vCPU (vm/vm.h). */
#ifndef CROSSMOD_X86_ARCH_VM_H
#define CROSSMOD_X86_ARCH_VM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/* What KVM's shared page holds, or what separate ioctls fill where there is none. */
struct x86_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
};

struct arch_vcpu {
	struct kvm_regs *regs; /* in the shared page, or (own) */
	struct kvm_sregs *sregs;
	struct kvm_vcpu_events *events;
	struct x86_state *own; /* only without KVM_CAP_SYNC_REGS */
	uint32_t dirty;	       /* KVM_SYNC_X86_* changed since the last KVM_RUN */
};

struct arch_vm {
	struct kvm_cpuid2 *cpuid; /* what the host supports; owned */
	bool x2apic;
};

#endif

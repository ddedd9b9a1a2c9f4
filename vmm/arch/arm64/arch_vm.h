/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_vm.h - what arm64 adds to a VM and a vCPU (vm/vm.h). */
#ifndef CROSSMOD_ARM_ARCH_VM_H
#define CROSSMOD_ARM_ARCH_VM_H

#include <stdint.h>

#include "guest/abi.h"

/* The registers that change in a run, in the order of struct arm_registers. */
enum arm_register {
	ARM_X0,
	ARM_SP_EL0 = 31,
	ARM_PC,
	ARM_PSTATE,
	ARM_SP_EL1,
	ARM_ELR,
	ARM_SPSR,
	ARM_ESR,
	ARM_FAR,
	ARM_REGISTERS
};

/* A copy of KVM's: read when asked for, written before the next KVM_RUN. */
struct arm_registers {
	uint64_t value[ARM_REGISTERS];
	uint64_t valid; /* mask: (value) is KVM's, or newer */
	uint64_t dirty; /* mask: it is newer */
};

struct arch_vcpu {
	struct arm_registers *registers; /* owned; changes behind a const struct vcpu, too */
};

/* Where the kernel's code leaves for an interrupted context: entry.S. */
#define ARM_RETURNS 3u
struct arm_return {
	uint64_t first; /* ELR_EL1 is set, SPSR_EL1 by this instruction */
	uint64_t last;	/* ERET */
};
struct arm_places {
	uint64_t vectors;
	uint64_t saved; /* from here on, what an exception left is in the frame */
	struct arm_return back[ARM_RETURNS];
};

struct arch_vm {
	struct arm_places places;
	uint32_t breakpoints; /* registers for them that KVM gives away; 0: plant them */
	enum cm_irqchip irqchip;
	int gic; /* the device, where there is an irqchip */
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_vm.h - what arm64 adds to a VM and a vCPU (vm/vm.h). */
#ifndef CROSSMOD_ARM_ARCH_VM_H
#define CROSSMOD_ARM_ARCH_VM_H

#include <stdint.h>

#include "guest/abi.h"

/*
 * The registers that change in a run, in the order of struct arm_registers. In
 * AArch32 X0 to X14 are the user's R0 to R14, and the banked ones are X
 * registers too (DDI 0487, D1.20.1).
 */
enum arm_register {
	ARM_X0,
	ARM_LR_IRQ = 16,
	ARM_SP_IRQ,
	ARM_LR_SVC,
	ARM_SP_SVC,
	ARM_LR_ABT,
	ARM_SP_ABT,
	ARM_LR_UND,
	ARM_SP_UND,
	ARM_R8_FIQ,
	ARM_LR_FIQ = 30,
	ARM_SP_EL0,
	ARM_PC,
	ARM_PSTATE,
	ARM_SP_EL1,
	ARM_ELR,
	ARM_SPSR, /* SPSR_svc */
	ARM_ESR,  /* DFSR */
	ARM_FAR,  /* IFAR and DFAR */
	ARM_SPSR_ABT,
	ARM_SPSR_UND,
	ARM_SPSR_IRQ,
	ARM_SPSR_FIQ,
	ARM_IFSR,
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

/* In an AArch32 kernel: from (first) up to (end), which is behind it. */
struct arm_range {
	uint64_t first, end;
};
struct aarch32_places {
	struct arm_range svc;	      /* SPSR_svc is not saved yet */
	struct arm_range abort;	      /* nor what the abort was */
	struct arm_range fiq;	      /* nor the other banks */
	struct arm_range fiq_restore; /* they come back, one with each instruction */
};

struct arch_vm {
	struct arm_places places;	/* of an A64 kernel, but for (vectors) */
	struct aarch32_places places32; /* of an AArch32 one */
	uint32_t breakpoints;		/* registers for them that KVM gives away; 0: plant them */
	enum cm_irqchip irqchip;
	int gic; /* the device, where there is an irqchip */
};

#endif

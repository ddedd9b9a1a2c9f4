/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arm.h - what the arm64 backend's files know of each other. boot.c builds, gic.c
 * interrupts, run.c and stop.c run, selfcheck.c finds the quirks; nobody else
 * includes this.
 */
#ifndef CROSSMOD_ARM_H
#define CROSSMOD_ARM_H

#include "vm/vm.h"

#define ARM_PSTATE_SS  (1ull << 21)
#define ARM_PSTATE_I   (1ull << 7)
#define ARM_PSTATE_F   (1ull << 6)
#define ARM_PSTATE_T   (1ull << 5)
#define ARM_PSTATE_M32 (1ull << 4)
#define ARM_PSTATE_EL1 (1ull << 2)
#define ARM_PSTATE_IT  0x0600fc00ull
#define ARM_EL1H       0x005ull
#define ARM_MASKED     0x3c0ull /* D, A, I and F, as every exception leaves them */
#define ARM_T32_EL0    0x030ull
/* At boot: IRQs masked until the guest unmasks them, FIQ not: it is the NMI. */
#define ARM_BOOT       (ARM_EL1H | (ARM_MASKED & ~ARM_PSTATE_F))

/* The same of an AArch32 kernel: SVC mode, T32; and of its EL0. */
#define ARM_BOOT_32 0x1b3ull

/* boot.c: page tables, and the first state of a vCPU. */
void arm_build_tables(struct vm *vm);
bool arm_first_state(struct vcpu *v, struct err *e);

/* state.c: find the places above by their symbols. */
bool arm_find_places(struct vm *vm, struct err *e);
/* Is (r) one that changes in a run of the image's kernel? */
bool arm_uses(const struct vm *vm, enum arm_register r);
/* One register, through the copy. */
uint64_t arm_get(const struct vcpu *v, enum arm_register r);
void arm_set(struct vcpu *v, enum arm_register r, uint64_t value);
/* Give KVM what is dirty; forget what KVM_RUN may change. ERR_UNSUPPORTED where KVM refuses a value. */
bool arm_load_registers(struct vcpu *v, struct err *e);
void arm_forget_registers(struct vcpu *v);

/*
 * gic.c, for VM_FREE: the device, before the vCPUs; and its registers, behind
 * them. ERR_UNSUPPORTED where this KVM has no GIC for its guests.
 */
bool arm_gic_create(struct vm *vm, struct err *e);
bool arm_gic_init(struct vm *vm, struct err *e);
/* The KVM_IRQ_LINE that raises (kind) on (vcpu). */
struct kvm_irq_level arm_gic_line(uint32_t vcpu, enum event_kind kind);

/* cache.c: ERR_UNSUPPORTED where what we write to a guest's code cannot be made visible to it. */
bool arm_check_caches(struct vm *vm, struct err *e);

/* run.c */
/* What the last KVM_RUN came back for. */
bool arm_classify(struct vcpu *v, struct vcpu_exit *x, struct err *e);
/* The exception class KVM_EXIT_DEBUG came for. */
uint32_t arm_debug_class(const struct vcpu *v);

/* aarch32.c: is the image's kernel one in AArch32? What follows is for vCPUs of such only. */
bool aarch32_kernel(const struct vm *vm);
bool aarch32_find_places(struct vm *vm, struct err *e);
/* Is (r) one that changes? Its bits that the vCPU may still read, where it stands. */
bool aarch32_uses(enum arm_register r);
uint64_t aarch32_live(const struct vcpu *v, enum arm_register r);
bool aarch32_is_user(const struct vcpu *v);
enum arm_register aarch32_sp(const struct vcpu *v);
/* R(number), 0 to 15, of the mode the vCPU is in; of an A64 kernel's EL0, too. */
enum arm_register aarch32_register(const struct vcpu *v, uint32_t number);
/*
 * The class (guest/abi.h) of the entry that the vCPU stands at, or -1; where it
 * came from in (*ip). What the exception left as it was is no state from here on.
 */
int aarch32_entered(struct vcpu *v, uint64_t *ip);
/* Do what the processor does at a BKPT (G1.12.7, "Prefetch Abort exception"). */
void aarch32_enter_breakpoint(struct vcpu *v);

#endif

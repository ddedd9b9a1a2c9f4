/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arm.h - the arm64 backend's own structs. boot.c builds, gic.c interrupts,
 * run.c and stop.c run, selfcheck.c finds the quirks; nobody else includes this.
 */
#ifndef CROSSMOD_ARM_H
#define CROSSMOD_ARM_H

#include <pthread.h>

#include "vm/arch.h"
#include "vm/kvm.h"

/* Guest-physical = guest-virtual for image and canonical text; the rest is behind page tables. */
#define ARM_GPA_SYSTEM	0x00100000u /* page tables; not mapped in the guest */
#define ARM_GPA_VIEWS	0x40000000u /* view i at + i * CM_TEXT_SIZE */
#define ARM_SYSTEM_SIZE 0x00100000u

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

/* A copy of KVM's: read when asked for, written before the next KVM_RUN. */
struct arm_registers {
	uint64_t value[ARM_REGISTERS];
	uint64_t valid; /* mask: (value) is KVM's, or newer */
	uint64_t dirty; /* mask: it is newer */
};

struct vcpu {
	struct vm *vm;
	uint32_t id;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	struct arm_registers *registers;
	uint32_t debug; /* KVM_GUESTDBG_* in force */
	uint64_t root;	/* guest-physical address of its page tables */
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

struct vm {
	const struct image *image;
	enum vm_kind kind;
	uint32_t vcpus;
	int kvm;
	int fd;
	int gic; /* the device, or -1 */
	enum cm_irqchip irqchip;
	uint8_t *memory; /* one mapping: system, image, text, views */
	size_t memory_size;
	uint8_t *system;
	struct vm_memory host;
	struct vcpu vcpu[CM_MAX_VCPUS];
	struct quirks quirks;
	struct arm_places places;
	uint32_t breakpoints; /* registers for them that KVM gives away; 0: plant them */
};

/* boot.c: page tables and mailboxes, and the first state of a vCPU. */
void arm_build_tables(struct vm *vm);
bool arm_first_state(struct vcpu *v, struct err *e);

/* state.c: find the places above by their symbols. */
bool arm_find_places(struct vm *vm, struct err *e);
/* One register, through the copy. */
uint64_t arm_get(const struct vcpu *v, enum arm_register r);
void arm_set(struct vcpu *v, enum arm_register r, uint64_t value);
/* Give KVM what is dirty; forget what KVM_RUN may change. ERR_UNSUPPORTED where KVM refuses a value. */
bool arm_load_registers(struct vcpu *v, struct err *e);
void arm_forget_registers(struct vcpu *v);

/* run.c */
bool arm_set_debug(struct vcpu *v, uint32_t control, struct err *e);
/* One KVM_RUN; EINTR is not an error but (*kicked). */
bool arm_enter(struct vcpu *v, bool *kicked, struct err *e);
/* What the last KVM_RUN came back for. */
bool arm_classify(struct vcpu *v, struct vcpu_exit *x, struct err *e);
/* The exception class KVM_EXIT_DEBUG came for. */
uint32_t arm_debug_class(const struct vcpu *v);
/* Host address of guest-virtual (address) in the image, or NULL. */
void *arm_host(struct vm *vm, uint64_t address, size_t size);

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

/* selfcheck.c */
bool arm_selfcheck(struct vm *vm, struct err *e);

#endif

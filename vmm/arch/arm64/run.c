// SPDX-License-Identifier: BSD-2-Clause
/*
 * run.c - entering a vCPU and making sense of how it came back. Every quirk
 * that selfcheck.c can find is worked around here and nowhere else.
 */
#include "arm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STEPPING   (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)
#define VECTORS	   (16u * CM_VECTOR_ARM_STRIDE)
#define CLASS_STEP 0x32u /* of KVM_EXIT_DEBUG (DDI 0487, D17.2.37) */
#define CLASS_BKPT 0x38u
#define CLASS_BRK  0x3cu

bool arch_enter(struct vcpu *v, bool *kicked, struct err *e)
{
	uint64_t pc = arm_get(v, ARM_PC);
	int errnum;

	*kicked = false;
	v->arch.registers->pstate = arm_get(v, ARM_PSTATE);
	if (!arm_load_registers(v, e))
		return false;
	do {
		errnum = kvm_try(v->fd, KVM_RUN, 0);
		if (errnum == EINTR && v->run->immediate_exit)
			*kicked = true;
	} while (errnum == EINTR && !*kicked);
	arm_forget_registers(v);
	if (errnum && !*kicked)
		return err_sys(e, errnum, "KVM_RUN (vCPU %u at %#llx)", v->id,
			       (unsigned long long)pc);
	return true;
}

uint32_t arm_debug_class(const struct vcpu *v)
{
	return v->run->debug.arch.hsr >> 26;
}

/* The vector of the entry the vCPU stands at, or -1. */
static int entry_of(const struct vcpu *v)
{
	uint64_t offset = arm_get(v, ARM_PC) - v->vm->arch.places.vectors;

	if (offset >= VECTORS || offset % CM_VECTOR_ARM_STRIDE)
		return -1;
	switch (offset / CM_VECTOR_ARM_STRIDE % 4) {
	case 0:
		return (int)(arm_get(v, ARM_ESR) >> 26);
	case 1:
		return CM_VECTOR_IPI;
	case 2:
		return CM_VECTOR_NMI;
	default:
		return CM_VECTOR_SERROR;
	}
}

/*
 * What the exception did not write is as the one before left it, or as a
 * vcpu_load() did: no state. ESR_EL1 is not written by interrupts, FAR_EL1 by
 * aborts and alignment faults only (DDI 0487, D1.3.1).
 */
static void forget_old_syndrome(struct vcpu *v, int vector)
{
	(void)arm_get(v, ARM_SPSR); /* with the step's flag, which that takes out */
	if (vector < 0x20 || vector > 0x25)
		arm_set(v, ARM_FAR, 0);
	if (vector == CM_VECTOR_IPI || vector == CM_VECTOR_NMI)
		arm_set(v, ARM_ESR, 0);
}

/* The vCPU has taken (vector), from (ip); or, with -1, none. */
static bool delivered(struct vcpu_exit *x, int vector, uint64_t ip)
{
	x->kind = vector < 0 ? EXIT_STEPPED : EXIT_DELIVERED;
	if (vector >= 0) {
		x->vector = (uint8_t)vector;
		x->pushed_ip = ip;
	}
	return true;
}

/* A step ends in front of a handler's first instruction: the frame is in registers. */
static bool stepped(struct vcpu *v, struct vcpu_exit *x)
{
	uint64_t ip = 0;
	int vector;

	if (aarch32_kernel(v->vm)) {
		vector = aarch32_entered(v, v->arch.registers->pstate, &ip);
		return delivered(x, vector, ip);
	}
	vector = entry_of(v);
	if (vector >= 0)
		forget_old_syndrome(v, vector);
	return delivered(x, vector, vector < 0 ? 0 : arm_get(v, ARM_ELR));
}

/* What the processor does at EL1 (D1.4.1): save, mask, and go through the table. */
static void enter_a64_breakpoint(struct vcpu *v)
{
	uint64_t pstate = arm_get(v, ARM_PSTATE);
	uint32_t class = arm_debug_class(v), comment = v->run->debug.arch.hsr & 0xffff;
	uint32_t il = class == CLASS_BRK ? 1u << 25 : 0; /* BKPT of T32 is 16 bits */
	uint64_t entry = pstate & ARM_PSTATE_EL1 ? 4 : pstate & ARM_PSTATE_M32 ? 12 : 8;

	arm_set(v, ARM_ELR, arm_get(v, ARM_PC));
	arm_set(v, ARM_SPSR, pstate);
	arm_set(v, ARM_ESR, (uint64_t) class << 26 | il | comment);
	arm_set(v, ARM_FAR, 0);
	arm_set(v, ARM_PSTATE, ARM_EL1H | ARM_MASKED);
	arm_set(v, ARM_PC, v->vm->arch.places.vectors + entry * CM_VECTOR_ARM_STRIDE);
}

/*
 * While a vCPU is being debugged every BKPT and BRK goes to the host
 * (MDCR_EL2.TDE, DDI 0487, D2.4), and none to the guest.
 */
static bool enter_breakpoint(struct vcpu *v, struct vcpu_exit *x)
{
	uint64_t ip;
	int vector;

	if (aarch32_kernel(v->vm)) {
		vector = aarch32_enter_breakpoint(v, &ip);
		return delivered(x, vector, ip);
	}
	enter_a64_breakpoint(v);
	return stepped(v, x);
}

static bool debug_exit(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	switch (arm_debug_class(v)) {
	case CLASS_STEP:
		return stepped(v, x);
	case CLASS_BKPT:
	case CLASS_BRK:
		return enter_breakpoint(v, x);
	default:
		return err_set(e, ERR_HOST, "KVM_EXIT_DEBUG, class %#x, vCPU %u at %#llx",
			       arm_debug_class(v), v->id, (unsigned long long)arm_get(v, ARM_PC));
	}
}

static bool doorbell(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	const struct kvm_run *run = v->run;
	uint64_t address = run->mmio.phys_addr;
	uint32_t value;

	if (!run->mmio.is_write || run->mmio.len != sizeof(value) ||
	    (address != CM_DOORBELL_ADDRESS && address != CM_DOORBELL_ATOMIC))
		return err_set(e, ERR_HOST, "unexpected %s of %u bytes at %#llx, vCPU %u at %#llx",
			       run->mmio.is_write ? "store" : "load", run->mmio.len,
			       (unsigned long long)address, v->id,
			       (unsigned long long)arm_get(v, ARM_PC));
	memcpy(&value, run->mmio.data, sizeof(value));
	x->kind = EXIT_DOOR;
	x->door = address == CM_DOORBELL_ATOMIC ? CM_DOOR_ATOMIC : CM_DOOR_REASON(value);
	x->argument = value;
	return vcpu_settle(v, e);
}

bool arm_classify(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	char name[32];

	switch (v->run->exit_reason) {
	case KVM_EXIT_DEBUG:
		return debug_exit(v, x, e);
	case KVM_EXIT_MMIO:
		return doorbell(v, x, e);
	case KVM_EXIT_SYSTEM_EVENT:
		x->kind = EXIT_SHUTDOWN;
		return true;
	default:
		return err_set(e, ERR_HOST, "%s, vCPU %u at %#llx",
			       kvm_exit_name(v->run->exit_reason, name, sizeof(name)), v->id,
			       (unsigned long long)arm_get(v, ARM_PC));
	}
}

/* One KVM_RUN and what it means. */
static bool enter(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	bool kicked;

	memset(x, 0, sizeof(*x));
	if (!arch_enter(v, &kicked, e))
		return false;
	if (!kicked)
		return arm_classify(v, x, e);
	x->kind = EXIT_KICKED;
	return true;
}

bool vcpu_run(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	if (!vcpu_set_debug(v, 0, e))
		return false;
	return enter(v, x, e);
}

bool vcpu_step(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	return vcpu_set_debug(v, STEPPING, e) && enter(v, x, e);
}

static bool set_line(struct vcpu *v, enum event_kind kind, bool level, struct err *e)
{
	struct kvm_irq_level irq = {
		.irq = KVM_ARM_IRQ_TYPE_CPU << KVM_ARM_IRQ_TYPE_SHIFT |
		       v->id << KVM_ARM_IRQ_VCPU_SHIFT |
		       (kind == EVENT_NMI ? KVM_ARM_IRQ_CPU_FIQ : KVM_ARM_IRQ_CPU_IRQ),
		.level = level,
	};

	return kvm_call(v->vm->fd, KVM_IRQ_LINE, &irq, e);
}

/* The line is up for one step, which ends at the vector. */
bool vcpu_deliver(struct vcpu *v, enum event_kind kind, struct vcpu_exit *x, struct err *e)
{
	uint8_t vector = kind == EVENT_NMI ? CM_VECTOR_NMI : CM_VECTOR_IPI;

	if (!set_line(v, kind, true, e) || !vcpu_step(v, x, e) || !set_line(v, kind, false, e))
		return false;
	if (x->kind == EXIT_KICKED || (x->kind == EXIT_DELIVERED && x->vector == vector))
		return true;
	return err_set(e, ERR_HOST, "vCPU %u did not take the %s: it stands at %#llx", v->id,
		       kind == EVENT_NMI ? "FIQ" : "IRQ", (unsigned long long)arm_get(v, ARM_PC));
}

bool vcpu_can_take(const struct vcpu *v, enum event_kind kind)
{
	return !(arm_get(v, ARM_PSTATE) & (kind == EVENT_NMI ? ARM_PSTATE_F : ARM_PSTATE_I));
}

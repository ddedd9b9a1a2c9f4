// SPDX-License-Identifier: BSD-2-Clause
/*
 * selfcheck.c - finds out what this host's KVM and core can do by stepping
 * over a few known instructions of the guest. What it finds is in struct
 * quirks; the workarounds are in run.c. Never looks at the core's name.
 */
#include "arm.h"

#include <string.h>

#include "base/clock.h"

#define COUNT_MANY 100001u
#define COUNT_FEW  1u

/* The state that the kernel, or EL0, runs in. */
static uint64_t boot_state(const struct vcpu *v)
{
	return aarch32_kernel(v->vm) ? ARM_BOOT_32 & ~ARM_PSTATE_F : ARM_BOOT;
}

static uint64_t user_state(const struct vcpu *v)
{
	return aarch32_kernel(v->vm) ? ARM_T32_EL0 : 0;
}

static void at(struct vcpu *v, const struct vcpu_state *ready, uint64_t pc, uint64_t pstate)
{
	vcpu_load(v, ready);
	arm_set(v, ARM_PC, pc);
	arm_set(v, ARM_PSTATE, pstate);
}

/* One raw single step: no workaround applied. */
static bool raw_step(struct vcpu *v, struct err *e)
{
	bool kicked;

	return vcpu_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, e) &&
	       arch_enter(v, &kicked, e);
}

static bool check_step(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	uint64_t pc = v->vm->image->abi.selfcheck;

	at(v, ready, pc, boot_state(v));
	for (int i = 1; i <= 2; i++) {
		if (!raw_step(v, e))
			return false;
		if (v->run->exit_reason != KVM_EXIT_DEBUG ||
		    arm_get(v, ARM_PC) != pc + 4 * (uint64_t)i)
			return err_set(e, ERR_UNSUPPORTED,
				       "this KVM does not single-step at EL1: method 'stepped' "
				       "cannot work here");
	}
	return true;
}

/* Architecture says that all of them do; seen is seen. */
static bool check_breakpoint(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
			     struct err *e)
{
	at(v, ready, vm_symbol(v->vm, "cm_selfcheck_brk"), boot_state(v));
	if (!raw_step(v, e))
		return false;
	q->breakpoint_to_host = arm_debug_class(v) != 0x32;
	return true;
}

/* Of an A64 kernel: KVM refuses the state where the core has no AArch32 at EL0. */
static bool check_aarch32(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
			  struct err *e)
{
	uint64_t pc = vm_symbol(v->vm, "cm_selfcheck_el0_t32");
	struct err refused;

	if (aarch32_kernel(v->vm))
		return true;
	at(v, ready, pc, ARM_T32_EL0);
	if (!arm_load_registers(v, &refused)) {
		q->no_aarch32_el0 = refused.code == ERR_UNSUPPORTED;
		v->arch.registers->dirty = 0;
		v->arch.registers->valid = 0;
		return q->no_aarch32_el0 || err_set(e, refused.code, "%s", refused.text);
	}
	for (uint64_t next = pc + 2; next <= pc + 6; next += 4) { /* NOP, NOP.W */
		if (!raw_step(v, e))
			return false;
		if (arm_get(v, ARM_PC) != next || vcpu_isa(v) != CM_ISA_T32)
			return err_set(e, ERR_UNSUPPORTED,
				       "a step of T32 at EL0 is not exact here");
	}
	return true;
}

/* Not needed for exactness, only for speed: what does not work here is not used. */
static bool check_run_to(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q)
{
	uint64_t pc = v->vm->image->abi.selfcheck, stop = pc + 4;
	struct vcpu_exit x;

	at(v, ready, pc, boot_state(v));
	q->no_run_to = !vcpu_run_to(v, &stop, 1, &x, NULL) || x.kind != EXIT_STEPPED ||
		       arm_get(v, ARM_PC) != stop;
	return true;
}

static double count_ns(struct vcpu *v, const struct vcpu_state *ready, uint64_t iterations,
		       struct err *e)
{
	struct vcpu_exit x;
	double start;

	at(v, ready, vm_symbol(v->vm, "cm_selfcheck_count"), boot_state(v));
	arm_set(v, ARM_X0, iterations);
	start = clock_now();
	if (!vcpu_run(v, &x, e))
		return -1;
	return (clock_now() - start) * 1e9;
}

static bool measure(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q, struct err *e)
{
	double few = count_ns(v, ready, COUNT_FEW, e), many = count_ns(v, ready, COUNT_MANY, e);

	if (few < 0 || many < 0)
		return false;
	q->cpl0_ns = many > few ? (many - few) / (2.0 * (COUNT_MANY - COUNT_FEW)) : 0;
	return true;
}

static bool delivered(const struct vcpu_exit *x, uint32_t vector, uint64_t pc)
{
	return x->kind == EXIT_DELIVERED && x->vector == vector && x->pushed_ip == pc;
}

/* With the quirks in force, what the machine relies on must be exact. */
static bool confirm(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	uint64_t pc = v->vm->image->abi.selfcheck;
	uint64_t brk = vm_symbol(v->vm, "cm_selfcheck_brk"),
		 udf = vm_symbol(v->vm, "cm_selfcheck_udf");
	uint64_t t32 = vm_symbol(v->vm, "cm_selfcheck_el0_t32");
	uint32_t breakpoint = aarch32_kernel(v->vm) ? 0x38 : 0x3c;
	struct vcpu_exit x;

	for (int el0 = 0; el0 <= 1; el0++) {
		uint64_t state = el0 ? user_state(v) : boot_state(v);

		at(v, ready, pc, state);
		if (!vcpu_step(v, &x, e))
			return false;
		if (x.kind != EXIT_STEPPED || vcpu_pc(v) != pc + 4)
			return err_set(e, ERR_UNSUPPORTED, "a step at EL%d is not exact here",
				       !el0);
		at(v, ready, brk, state);
		if (!vcpu_step(v, &x, e))
			return false;
		if (!delivered(&x, breakpoint, brk))
			return err_set(e, ERR_UNSUPPORTED, "a breakpoint at EL%d is not exact here",
				       !el0);
		at(v, ready, udf, state);
		if (!vcpu_step(v, &x, e))
			return false;
		if (!delivered(&x, 0, udf))
			return err_set(e, ERR_UNSUPPORTED, "UDF at EL%d is not exact here", !el0);
		at(v, ready, pc, state);
		if (!vcpu_deliver(v, EVENT_NMI, &x, e))
			return false;
		if (!delivered(&x, CM_VECTOR_NMI, pc))
			return err_set(e, ERR_UNSUPPORTED, "a FIQ at EL%d lands elsewhere here",
				       !el0);
	}
	if (aarch32_kernel(v->vm) || v->vm->quirks.no_aarch32_el0)
		return true;
	at(v, ready, t32 + 6, ARM_T32_EL0);
	if (!vcpu_step(v, &x, e))
		return false;
	return delivered(&x, 0x38, t32 + 6) ||
	       err_set(e, ERR_UNSUPPORTED, "BKPT in T32 is not exact here");
}

/*
 * From where the vCPU stands to the kernel's report of an exception that nobody
 * claims. Of the protocols any will do: without a site none claims one.
 */
static bool run_to_report(struct vcpu *v, struct cm_event *event, struct err *e)
{
	const struct image *img = v->vm->image;
	uint64_t counts = img->abi.counts - CM_IMAGE_BASE;
	struct vcpu_exit x;

	memcpy(v->vm->host.image + (img->abi.control - CM_IMAGE_BASE), &img->protocols[0].address,
	       sizeof(uint64_t));
	memset(v->vm->host.image + counts, 0, sizeof(struct cm_counts));
	if (!vcpu_run(v, &x, e))
		return false;
	memcpy(event, v->vm->host.image + counts + offsetof(struct cm_counts, event),
	       sizeof(*event));
	return (x.kind == EXIT_DOOR && x.door == CM_DOOR_CRASH) ||
	       err_set(e, ERR_UNSUPPORTED, "a breakpoint was not reported: vCPU %u is at %#llx",
		       v->id, (unsigned long long)vcpu_pc(v));
}

/* Into an AArch32 kernel by us and by the processor, which it does where nobody debugs: the same. */
static bool check_entered(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	uint64_t brk = vm_symbol(v->vm, "cm_selfcheck_brk");
	struct cm_event ours, theirs;
	struct vcpu_exit x;

	if (!aarch32_kernel(v->vm) || !v->vm->image->nprotocols)
		return true;
	at(v, ready, brk, boot_state(v));
	if (!run_to_report(v, &theirs, e))
		return false;
	at(v, ready, brk, boot_state(v));
	if (!vcpu_step(v, &x, e) || !run_to_report(v, &ours, e))
		return false;
	return !memcmp(&ours, &theirs, sizeof(ours)) ||
	       err_set(e, ERR_UNSUPPORTED,
		       "BKPT is entered otherwise here: vector %#llx, error %#llx, from %#llx",
		       (unsigned long long)theirs.vector, (unsigned long long)theirs.error,
		       (unsigned long long)theirs.ip);
}

static bool find(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	struct quirks *q = &v->vm->quirks;

	return check_step(v, ready, e) && check_breakpoint(v, ready, q, e) &&
	       check_aarch32(v, ready, q, e) && check_run_to(v, ready, q) &&
	       measure(v, ready, q, e) && confirm(v, ready, e) && check_entered(v, ready, e);
}

/* A VM_FREE takes no event by its lines: another VM is asked. */
static bool find_in_another(struct vm *vm, struct err *e)
{
	struct vm *other = vm_new(vm->image, VM_STEPPED, 1, e);
	struct vcpu_exit x;
	bool ok = other && vcpu_run(vm_vcpu(other, 0), &x, e) && arch_selfcheck(other, e);

	if (ok)
		vm->quirks = other->quirks;
	vm_free(other);
	return ok;
}

bool arch_selfcheck(struct vm *vm, struct err *e)
{
	static const char *const needed[] = { "cm_selfcheck_brk", "cm_selfcheck_udf",
					      "cm_selfcheck_count", "cm_selfcheck_el0_t32" };
	size_t count = sizeof(needed) / sizeof(needed[0]);

	if (vm->kind == VM_FREE)
		return find_in_another(vm, e);
	/* The last is the A64 kernel's. */
	return vm_has_symbols(vm, needed, aarch32_kernel(vm) ? count - 1 : count, e) &&
	       vm_borrow(vm, find, e);
}

const struct quirk_info *arch_quirks(void)
{
	static const struct quirk_info table[] = {
		{ "breakpoint-entered", offsetof(struct quirks, breakpoint_to_host),
		  "one step over BRK or BKPT at EL1",
		  "debugging sends BKPT and BRK to the host: crossmod enters the guest's vector" },
		{ "no-aarch32-el0", offsetof(struct quirks, no_aarch32_el0),
		  "KVM_SET_ONE_REG of a T32 state at EL0",
		  "scenarios with T32 sites are unsupported" },
		{ "no-run-to", offsetof(struct quirks, no_run_to),
		  "one run over NOP to a planted breakpoint at EL1",
		  "explore steps through every instruction, and is several times slower" },
		{ "vipt-icache", offsetof(struct quirks, vipt_icache), "CTR_EL0.L1Ip",
		  "code is written at host addresses in the same place of the cache as the guest's" },
		{ 0 },
	};

	return table;
}

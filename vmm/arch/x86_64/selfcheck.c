// SPDX-License-Identifier: BSD-2-Clause
/*
 * selfcheck.c - finds out how this host's KVM differs from bare hardware, by
 * stepping over a few known instructions of the guest. What it finds is in
 * struct quirks; the workarounds are in run.c. Never looks at host names.
 */
#include "x86.h"

#include <string.h>

#include "base/clock.h"

/* An instruction: bare ones take under 1 ns, in QEMU's translator up to 60, emulated ones ~330. */
#define EMULATED_NS 150.0

static void at(struct vcpu *v, const struct vcpu_state *ready, uint64_t ip, uint32_t cpl)
{
	vcpu_load(v, ready);
	v->arch.regs->rip = ip;
	v->arch.regs->rflags = 2;
	x86_set_cpl(v, cpl);
}

static uint64_t ready_sp(const struct vcpu_state *ready)
{
	return ((const struct x86_state *)(const void *)ready->bytes)->regs.rsp;
}

/* One raw single step: no workaround applied. */
static bool raw_step(struct vcpu *v, struct err *e)
{
	bool kicked;

	if (!vcpu_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, e))
		return false;
	v->arch.regs->rflags |= X86_TF;
	v->arch.dirty |= KVM_SYNC_X86_REGS;
	return arch_enter(v, &kicked, e);
}

static bool check_step_cpl0(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	uint64_t ip = v->vm->image->abi.selfcheck;

	at(v, ready, ip, 0);
	for (int i = 1; i <= 2; i++) {
		if (!raw_step(v, e))
			return false;
		if (v->run->exit_reason != KVM_EXIT_DEBUG || v->arch.regs->rip != ip + (uint64_t)i)
			return err_set(e, ERR_UNSUPPORTED,
				       "this KVM does not single-step at CPL0: method 'stepped' "
				       "cannot work here");
	}
	return true;
}

static bool check_int3_cpl0(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
			    struct err *e)
{
	at(v, ready, vm_symbol(v->vm, "cm_selfcheck_int3"), 0);
	if (!raw_step(v, e))
		return false;
	q->int3_cpl0_fails = v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR;
	return true;
}

static bool check_step_cpl3(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
			    struct err *e)
{
	uint64_t ip = v->vm->image->abi.selfcheck;

	at(v, ready, ip, 3);
	if (!raw_step(v, e))
		return false;
	q->step_cpl3_via_guest = v->arch.regs->rip != ip + 1;
	return true;
}

/* Onto the stack of a vCPU at (cm_selfcheck_iret): a frame that leads to (ip) at (cpl). */
static void at_iret(struct vcpu *v, const struct vcpu_state *ready, uint64_t ip, uint32_t cpl)
{
	uint64_t frame[] = { ip, cpl ? 0x23 : 0x08, 2, ready_sp(ready), cpl ? 0x1b : 0x10 };

	at(v, ready, vm_symbol(v->vm, "cm_selfcheck_iret"), 0);
	v->arch.regs->rsp -= sizeof(frame);
	memcpy(vm_host(v->vm, v->arch.regs->rsp, sizeof(frame)), frame, sizeof(frame));
}

static bool check_iret(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
		       struct err *e)
{
	uint64_t ip = v->vm->image->abi.selfcheck;

	for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
		at_iret(v, ready, ip, cpl);
		if (!raw_step(v, e))
			return false;
		q->iret_runs_on |= v->arch.regs->rip != ip || vcpu_cpl(v) != cpl;
	}
	return true;
}

static uint64_t *stack_top(struct vcpu *v)
{
	return vm_host(v->vm, v->arch.regs->rsp, sizeof(uint64_t));
}

static bool check_pushf(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
			struct err *e)
{
	struct vcpu_exit x;

	for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
		at(v, ready, vm_symbol(v->vm, "cm_selfcheck_pushf"), cpl);
		if (!vcpu_step(v, &x, e))
			return false;
		q->pushf_shows_step |= (*stack_top(v) & X86_TF) != 0;
	}
	return true;
}

/* At a repetition of two bytes, which go to the stack. */
static uint64_t at_rep(struct vcpu *v, const struct vcpu_state *ready, uint32_t cpl)
{
	uint64_t ip = vm_symbol(v->vm, "cm_selfcheck_rep");

	at(v, ready, ip, cpl);
	v->arch.regs->rcx = 2;
	v->arch.regs->rdi = v->arch.regs->rsp - sizeof(uint64_t);
	return ip;
}

static bool check_rep(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
		      struct err *e)
{
	struct vcpu_exit x;

	for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
		at_rep(v, ready, cpl);
		if (!vcpu_step(v, &x, e))
			return false;
		q->rep_runs_whole |= v->arch.regs->rcx == 0;
	}
	return true;
}

/* Not needed for exactness, only for speed: what does not work here is not used. */
static bool check_run_to(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q)
{
	uint64_t ip = v->vm->image->abi.selfcheck, stop = ip + 1;
	struct vcpu_exit x;

	at(v, ready, ip, 0);
	q->no_run_to = !vcpu_run_to(v, &stop, 1, &x, NULL) || x.kind != EXIT_STEPPED ||
		       v->arch.regs->rip != stop;
	return true;
}

static double count_ns(struct vcpu *v, const struct vcpu_state *ready, uint64_t iterations,
		       struct err *e)
{
	double best = -1;

	for (int i = 0; i < 3; i++) {
		struct vcpu_exit x;
		double start, ns;

		at(v, ready, vm_symbol(v->vm, "cm_selfcheck_count"), 0);
		v->arch.regs->rcx = iterations;
		start = clock_now();
		if (!vcpu_run(v, &x, e))
			return -1;
		ns = (clock_now() - start) * 1e9;
		if (best < 0 || ns < best)
			best = ns;
	}
	return best;
}

static bool check_emulated(struct vcpu *v, const struct vcpu_state *ready, struct quirks *q,
			   struct err *e)
{
	double few = count_ns(v, ready, 1, e), many = count_ns(v, ready, 401, e);

	if (few < 0 || many < 0)
		return false;
	q->cpl0_ns = many > few ? (many - few) / 800 : 0;
	q->cpl0_emulated = q->cpl0_ns > EMULATED_NS;
	return true;
}

static bool confirm_stack_and_rep(struct vcpu *v, const struct vcpu_state *ready, uint32_t cpl,
				  struct err *e)
{
	struct vcpu_exit x;
	uint64_t ip;

	at(v, ready, vm_symbol(v->vm, "cm_selfcheck_pushf"), cpl);
	if (!vcpu_step(v, &x, e))
		return false;
	if (x.kind != EXIT_STEPPED || *stack_top(v) & X86_TF)
		return err_set(e, ERR_UNSUPPORTED, "a step over PUSHF at CPL%u is not exact", cpl);
	ip = at_rep(v, ready, cpl);
	for (uint64_t left = 1; left <= 1; left--) {
		if (!vcpu_step(v, &x, e))
			return false;
		if (x.kind != EXIT_STEPPED || v->arch.regs->rcx != left ||
		    v->arch.regs->rip != (left ? ip : vm_symbol(v->vm, "cm_selfcheck_count")))
			return err_set(e, ERR_UNSUPPORTED,
				       "a step over REP STOSB at CPL%u is not exact", cpl);
	}
	return true;
}

/* With the quirks in force, the steps the machine relies on must be exact. */
static bool confirm(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	uint64_t ip = v->vm->image->abi.selfcheck;
	uint64_t int3 = vm_symbol(v->vm, "cm_selfcheck_int3");

	for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
		struct vcpu_exit x;

		at(v, ready, ip, cpl);
		if (!vcpu_step(v, &x, e))
			return false;
		if (x.kind != EXIT_STEPPED || v->arch.regs->rip != ip + 1 || vcpu_cpl(v) != cpl)
			return err_set(e, ERR_UNSUPPORTED, "a step at CPL%u is not exact here",
				       cpl);
		at_iret(v, ready, ip, cpl);
		if (!vcpu_step(v, &x, e))
			return false;
		if (x.kind != EXIT_STEPPED || v->arch.regs->rip != ip || vcpu_cpl(v) != cpl)
			return err_set(e, ERR_UNSUPPORTED, "a step over IRET to CPL%u is not exact",
				       cpl);
		at(v, ready, int3, cpl);
		if (!vcpu_step(v, &x, e))
			return false;
		if (x.kind != EXIT_DELIVERED || x.vector != X86_VECTOR_BP ||
		    x.pushed_ip != int3 + 1)
			return err_set(
				e, ERR_UNSUPPORTED,
				"INT3 at CPL%u is not delivered exactly here (exit %d, vector "
				"%u, at %#llx)",
				cpl, x.kind, x.vector, v->arch.regs->rip);
		at(v, ready, ip, cpl);
		if (!vcpu_deliver(v, EVENT_NMI, &x, e))
			return false;
		if (x.vector != X86_VECTOR_NMI || x.pushed_ip != ip)
			return err_set(e, ERR_UNSUPPORTED, "an NMI at CPL%u lands elsewhere here",
				       cpl);
		if (!confirm_stack_and_rep(v, ready, cpl, e))
			return false;
	}
	return true;
}

static bool find(struct vcpu *v, const struct vcpu_state *ready, struct err *e)
{
	struct quirks *q = &v->vm->quirks;

	/* Free-running vCPUs are never stepped: the rest does not concern them. */
	if (v->vm->kind == VM_FREE)
		return check_int3_cpl0(v, ready, q, e) && check_emulated(v, ready, q, e);
	return check_step_cpl0(v, ready, e) && check_int3_cpl0(v, ready, q, e) &&
	       check_step_cpl3(v, ready, q, e) && check_iret(v, ready, q, e) &&
	       check_pushf(v, ready, q, e) && check_rep(v, ready, q, e) &&
	       check_run_to(v, ready, q) && check_emulated(v, ready, q, e) && confirm(v, ready, e);
}

bool x86_confirm(struct vm *vm, struct err *e)
{
	return vm_borrow(vm, confirm, e);
}

bool arch_selfcheck(struct vm *vm, struct err *e)
{
	static const char *const needed[] = { "cm_selfcheck_int3", "cm_selfcheck_iret",
					      "cm_selfcheck_pushf", "cm_selfcheck_rep",
					      "cm_selfcheck_count" };

	return vm_has_symbols(vm, needed, sizeof(needed) / sizeof(needed[0]), e) &&
	       vm_borrow(vm, find, e);
}

const struct quirk_info *arch_quirks(void)
{
	static const struct quirk_info table[] = {
		{ "no-sync-regs", offsetof(struct quirks, no_sync_regs),
		  "KVM_CHECK_EXTENSION(KVM_CAP_SYNC_REGS)",
		  "registers are moved by separate ioctls" },
		{ "cpl0-emulated", offsetof(struct quirks, cpl0_emulated),
		  "400 turns of a two-instruction loop at CPL0, timed",
		  "none: CPL0 runs on KVM's decoder, CPL3 on the processor's; NMIs reach a free-running "
		  "CPL0 late. Use CPL3 executors to ask about silicon" },
		{ "int3-cpl0-injected", offsetof(struct quirks, int3_cpl0_fails),
		  "one step over INT3 at CPL0",
		  "the #BP is injected with the address behind INT3 pushed" },
		{ "step-cpl3-via-guest-db", offsetof(struct quirks, step_cpl3_via_guest),
		  "one step over NOP at CPL3", "the delivery of the guest's own #DB is undone" },
		{ "iret-emulated", offsetof(struct quirks, iret_runs_on),
		  "one step over IRET to CPL0, one to CPL3",
		  "the frame is popped and NMIs are unmasked by crossmod" },
		{ "pushf-shows-step", offsetof(struct quirks, pushf_shows_step),
		  "one step over PUSHF at CPL0, one at CPL3",
		  "the trap flag is cleared in the pushed word" },
		{ "rep-runs-whole", offsetof(struct quirks, rep_runs_whole),
		  "one step over REP STOSB with a count of 2 at CPL0, one at CPL3",
		  "the count is 1 for the time of the step" },
		{ "no-run-to", offsetof(struct quirks, no_run_to),
		  "one run over NOP to a planted breakpoint at CPL0",
		  "explore steps through every instruction, and is several times slower" },
		{ 0 },
	};

	return table;
}

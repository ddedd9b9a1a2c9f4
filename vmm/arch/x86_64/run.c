// SPDX-License-Identifier: BSD-2-Clause
/*
 * run.c - entering a vCPU and making sense of how it came back. Every quirk
 * that selfcheck.c can find is worked around here and nowhere else.
 */
#include "x86.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/insn.h"
#include "model/site.h"

#define STUBS_SIZE     (256u * CM_VECTOR_STRIDE)
/*
 * Not the guest's: TF we step with; RF holds off instruction breakpoints, of which
 * there are none, and hosts differ in when they set it.
 */
#define X86_STEP_FLAGS (X86_TF | X86_RF)
#define STEPPING       (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)
#define JMP_REL8       0xebu
#define JMP_REL32      0xe9u

/* What a vector stub and the processor leave on the stack, from the stack pointer up. */
struct pushed {
	uint64_t vector, error, ip, cs, flags, sp, ss;
};

static bool load_state(struct vcpu *v, struct err *e)
{
	uint32_t dirty = v->arch.dirty;

	v->arch.dirty = 0;
	if (!v->arch.own) {
		v->run->kvm_valid_regs = X86_DIRTY_ALL;
		v->run->kvm_dirty_regs = dirty;
		return true;
	}
	return (!(dirty & KVM_SYNC_X86_REGS) || kvm_call(v->fd, KVM_SET_REGS, v->arch.regs, e)) &&
	       (!(dirty & KVM_SYNC_X86_SREGS) ||
		kvm_call(v->fd, KVM_SET_SREGS, v->arch.sregs, e)) &&
	       (!(dirty & KVM_SYNC_X86_EVENTS) ||
		kvm_call(v->fd, KVM_SET_VCPU_EVENTS, v->arch.events, e));
}

static bool store_state(struct vcpu *v, struct err *e)
{
	if (!v->arch.own)
		return true;
	return kvm_call(v->fd, KVM_GET_REGS, v->arch.regs, e) &&
	       kvm_call(v->fd, KVM_GET_SREGS, v->arch.sregs, e) &&
	       kvm_call(v->fd, KVM_GET_VCPU_EVENTS, v->arch.events, e);
}

bool arch_enter(struct vcpu *v, bool *kicked, struct err *e)
{
	int errnum;

	*kicked = false;
	if (!load_state(v, e))
		return false;
	do {
		errnum = kvm_try(v->fd, KVM_RUN, 0);
		v->run->kvm_dirty_regs = 0;
		if (errnum == EINTR && v->run->immediate_exit)
			*kicked = true;
	} while (errnum == EINTR && !*kicked);
	if (errnum && !*kicked)
		return err_sys(e, errnum, "KVM_RUN (vCPU %u at %#llx)", v->id,
			       (unsigned long long)v->arch.regs->rip);
	return store_state(v, e);
}

/*
 * What KVM failed to emulate, and how many bytes of it are known. Those that it
 * says it fetched, where it says so: in memory another vCPU may have replaced
 * them by now.
 */
static size_t failed_bytes(const struct vcpu *v, uint8_t bytes[INSN_LENGTH_MAX])
{
	const struct vm *vm = v->vm;
	uint64_t ip = v->arch.regs->rip;
	const uint8_t *text = vm->kind == VM_FREE ? vm->host.text : vm->host.view[v->id];
	size_t n = v->run->emulation_failure.insn_size;

	if (v->run->emulation_failure.ndata >= 3 &&
	    v->run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES &&
	    n && n <= INSN_LENGTH_MAX) {
		memcpy(bytes, v->run->emulation_failure.insn_bytes, n);
		return n;
	}
	for (n = INSN_LENGTH_MAX; n; n--) {
		const uint8_t *from = vm_host(v->vm, ip, n);

		if (ip >= CM_TEXT_BASE && ip - CM_TEXT_BASE + n <= CM_TEXT_SIZE)
			from = text + (ip - CM_TEXT_BASE);
		if (!from)
			continue;
		memcpy(bytes, from, n);
		break;
	}
	return n;
}

static bool failed_on_int3(const struct vcpu *v)
{
	uint8_t bytes[INSN_LENGTH_MAX];

	return failed_bytes(v, bytes) && bytes[0] == 0xcc;
}

/* The emulator is asked at CPL0 only: the same instruction at CPL3 is the processor's to run. */
static void say_unemulated(const struct vcpu *v, char *text, size_t size)
{
	struct insn_decoder d = { 0 };
	uint8_t bytes[INSN_LENGTH_MAX];
	size_t n = failed_bytes(v, bytes), used;
	char hex[3 * INSN_LENGTH_MAX + 1] = "", words[40] = "";

	if (n && insn_init(&d, CM_ISA_X86_64, NULL)) {
		uint8_t length = insn_decode(&d, bytes, n, v->arch.regs->rip).length;

		n = length ? length : n;
		insn_text(&d, bytes, n, v->arch.regs->rip, words, sizeof(words));
		insn_fini(&d);
	}
	site_hex(bytes, (uint32_t)n, hex, sizeof(hex));
	used = (size_t)snprintf(text, size, "this KVM cannot emulate %s%s%s%sat %#llx (CPL%u)", hex,
				*words ? ", " : " ", words, *words ? ", " : "",
				(unsigned long long)v->arch.regs->rip, vcpu_cpl(v));
	if (!vcpu_cpl(v) && used < size)
		snprintf(text + used, size - used, ": \"cpl\": 3 runs it on the processor");
}

/* The vector whose entry stub the vCPU stands in, or -1. */
static int stub_of(const struct vcpu *v)
{
	uint64_t offset = v->arch.regs->rip - v->vm->image->abi.vectors_stepped;

	return v->vm->kind == VM_STEPPED && offset < STUBS_SIZE ? (int)(offset / CM_VECTOR_STRIDE) :
								  -1;
}

/*
 * The jump behind a stub's doorbell: there a delivery is over, a vCPU may have stood there
 * when an NMI came, and the step over that one's IRET ends there again.
 */
static bool stub_is_over(const struct vcpu *v)
{
	const uint8_t *code = vm_host(v->vm, v->arch.regs->rip, 1);

	return code && (*code == JMP_REL8 || *code == JMP_REL32);
}

static bool rang(const struct kvm_run *run, uint16_t port)
{
	return run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_OUT &&
	       run->io.port == port && run->io.size == 1;
}

/*
 * Through the stub to its doorbell. The trap flag we step with must not be
 * seen by the guest: it is taken out of the pushed flags.
 */
static bool finish_delivery(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	struct pushed *frame;
	bool kicked;

	for (int i = 0; !rang(v->run, CM_DELIVERY_PORT); i++) {
		if (i > 4 || stub_of(v) < 0)
			return err_set(e, ERR_HOST, "vCPU %u left the vector stubs at %#llx", v->id,
				       (unsigned long long)v->arch.regs->rip);
		if (!arch_enter(v, &kicked, e))
			return false;
	}
	if (!vcpu_settle(v, e))
		return false;
	frame = vm_host(v->vm, v->arch.regs->rsp, sizeof(*frame));
	if (!frame) {
		/* The guest's stack pointer was wild; the push would have faulted. */
		return err_set(e, ERR_HOST, "vCPU %u: delivery to a stack outside the image, %#llx",
			       v->id, (unsigned long long)v->arch.regs->rsp);
	}
	frame->flags &= ~(uint64_t)X86_STEP_FLAGS;
	x->kind = EXIT_DELIVERED;
	x->vector = (uint8_t)frame->vector;
	x->pushed_ip = frame->ip;
	return true;
}

/*
 * kvm_pvm and its like: INT3 at CPL0 is not emulated and KVM_RUN returns an
 * internal error with RIP on it. Do what the processor would: push the
 * address behind it and go through the IDT.
 */
static bool inject_int3(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	bool kicked;

	v->arch.regs->rip++;
	v->arch.regs->rflags &= ~(uint64_t)X86_STEP_FLAGS;
	memset(&v->arch.events->exception, 0, sizeof(v->arch.events->exception));
	v->arch.events->exception.injected = 1;
	v->arch.events->exception.nr = X86_VECTOR_BP;
	v->arch.dirty |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_EVENTS;
	x->kind = EXIT_STEPPED;
	if (v->vm->kind == VM_FREE)
		return true; /* the caller enters again */
	return arch_enter(v, &kicked, e) && finish_delivery(v, x, e);
}

static bool internal_error(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	if (v->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
		if (v->vm->quirks.int3_cpl0_fails && failed_on_int3(v))
			return inject_int3(v, x, e);
		x->kind = EXIT_UNEMULATED;
		say_unemulated(v, x->text, sizeof(x->text));
		return true;
	}
	return err_set(e, ERR_HOST, "KVM_EXIT_INTERNAL_ERROR, suberror %u, vCPU %u at %#llx",
		       v->run->internal.suberror, v->id, (unsigned long long)v->arch.regs->rip);
}

static bool doorbell(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	const struct kvm_run *run = v->run;

	if (rang(run, CM_DELIVERY_PORT))
		return finish_delivery(v, x, e);
	if (!rang(run, CM_DOORBELL_PORT))
		return err_set(e, ERR_HOST, "unexpected port I/O, port %#x, vCPU %u at %#llx",
			       run->io.port, v->id, (unsigned long long)v->arch.regs->rip);
	x->kind = EXIT_DOOR;
	x->door = ((const uint8_t *)run)[run->io.data_offset];
	x->argument = (uint32_t)v->arch.regs->rax;
	return vcpu_settle(v, e);
}

bool x86_classify(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	char name[32];

	switch (v->run->exit_reason) {
	case KVM_EXIT_DEBUG:
		if (stub_of(v) >= 0 && !stub_is_over(v))
			return finish_delivery(v, x, e);
		x->kind = EXIT_STEPPED;
		return true;
	case KVM_EXIT_IO:
		return doorbell(v, x, e);
	case KVM_EXIT_HLT:
		x->kind = EXIT_HALT;
		return true;
	case KVM_EXIT_SHUTDOWN:
		x->kind = EXIT_SHUTDOWN;
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		return internal_error(v, x, e);
	default:
		return err_set(e, ERR_HOST, "%s, vCPU %u at %#llx",
			       kvm_exit_name(v->run->exit_reason, name, sizeof(name)), v->id,
			       (unsigned long long)v->arch.regs->rip);
	}
}

/* One KVM_RUN and what it means. */
static bool enter(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	bool kicked;

	memset(x, 0, sizeof(*x));
	if (!arch_enter(v, &kicked, e))
		return false;
	v->arch.regs->rflags &= ~(uint64_t)X86_STEP_FLAGS;
	if (!kicked)
		return x86_classify(v, x, e);
	x->kind = EXIT_KICKED;
	return true;
}

bool vcpu_run(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	if (!vcpu_set_debug(v, 0, e))
		return false;
	do {
		if (!enter(v, x, e))
			return false;
	} while (x->kind == EXIT_STEPPED);
	return true;
}

/*
 * Where a step at CPL3 raises the guest's own #DB, the delivery is undone:
 * the vCPU stands behind the instruction again, its trap stack as it was. The
 * stub may have pushed its words already, or not; the frame is at the top.
 */
struct user_step {
	struct kvm_segment cs, ss;
	uint8_t *top; /* of the trap stack */
	uint8_t below[sizeof(struct pushed)];
};

static void before_user_step(struct vcpu *v, struct user_step *u)
{
	uint64_t stack = v->vm->image->abi.stacks +
			 ((uint64_t)v->id * CM_STACKS + CM_STACK_TRAP) * (uint64_t)CM_STACK_SIZE;

	u->cs = v->arch.sregs->cs;
	u->ss = v->arch.sregs->ss;
	u->top = vm_host(v->vm, stack, CM_STACK_SIZE);
	assert(u->top); /* the image loader has checked the stacks */
	u->top += CM_STACK_SIZE;
	memcpy(u->below, u->top - sizeof(u->below), sizeof(u->below));
}

static void undo_guest_db(struct vcpu *v, const struct user_step *u)
{
	struct pushed f;

	memcpy(&f, u->top - sizeof(f), sizeof(f));
	memcpy(u->top - sizeof(u->below), u->below, sizeof(u->below));
	v->arch.regs->rip = f.ip;
	v->arch.regs->rsp = f.sp;
	v->arch.regs->rflags = f.flags & ~(uint64_t)X86_STEP_FLAGS;
	v->arch.sregs->cs = u->cs;
	v->arch.sregs->ss = u->ss;
	v->arch.dirty |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

/*
 * kvm_pvm: a step over IRET stops one instruction too late, or, when it leads
 * to CPL3, not at all. Do what the instruction does: pop the frame, unmask
 * NMIs (SDM vol 2, IRET; vol 3, 6.7.1). Only frames as this guest's kernel
 * builds them; anything else is left to KVM.
 */
static bool do_iret(struct vcpu *v)
{
	static const uint8_t iretq[] = { 0x48, 0xcf };
	const uint8_t *code = vm_host(v->vm, v->arch.regs->rip, sizeof(iretq));
	const uint64_t *frame = vm_host(v->vm, v->arch.regs->rsp, 5 * sizeof(*frame));
	bool user, kernel, same_stack;

	if (!code || !frame || memcmp(code, iretq, sizeof(iretq)))
		return false;
	user = frame[1] == 0x23 && frame[4] == 0x1b;
	kernel = frame[1] == 0x08 && frame[4] == 0x10;
	/* A handler entered from CPL3 runs with a null SS (SDM vol 3, 6.14.4). */
	same_stack = frame[1] == 0x08 && frame[4] == v->arch.sregs->ss.selector;
	if (!user && !kernel && !same_stack)
		return false;
	v->arch.regs->rip = frame[0];
	v->arch.regs->rflags = frame[2] & ~(uint64_t)X86_STEP_FLAGS;
	v->arch.regs->rsp = frame[3];
	if (user || !same_stack)
		x86_set_cpl(v, user ? 3 : 0);
	v->arch.events->nmi.masked = 0;
	v->arch.dirty |= X86_DIRTY_ALL;
	return true;
}

/* Of the instruction the vCPU is at, as far as quirks depend on it. 67 is left to KVM. */
struct x86_opcode {
	uint8_t byte; /* 0: none of interest */
	uint8_t rep;  /* F2 or F3 before it */
};

static struct x86_opcode opcode_at(const struct vcpu *v)
{
	struct x86_opcode op = { 0 };

	for (uint64_t ip = v->arch.regs->rip; ip < v->arch.regs->rip + 4; ip++) {
		const uint8_t *b = vm_host(v->vm, ip, 1);

		if (!b)
			break;
		if (*b == 0xf2 || *b == 0xf3) {
			op.rep = *b;
		} else if (*b != 0x66 && (*b & 0xf0) != 0x40) {
			op.byte = *b;
			break;
		}
	}
	return op;
}

/* MOVS, CMPS, STOS, LODS, SCAS. */
static bool is_string(uint8_t byte)
{
	return (byte >= 0xa4 && byte <= 0xa7) || (byte >= 0xaa && byte <= 0xaf);
}

/* One step at either CPL, whatever the instruction. */
static bool step(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	bool undo = vcpu_cpl(v) == 3 && v->vm->quirks.step_cpl3_via_guest, kicked;
	struct user_step before;

	if (!vcpu_set_debug(v, STEPPING, e))
		return false;
	v->arch.regs->rflags |= X86_TF;
	v->arch.dirty |= KVM_SYNC_X86_REGS;
	if (!undo)
		return enter(v, x, e);
	before_user_step(v, &before);
	if (!arch_enter(v, &kicked, e))
		return false;
	v->arch.regs->rflags &= ~(uint64_t)X86_STEP_FLAGS;
	if (!kicked && stub_of(v) != X86_VECTOR_DB)
		return x86_classify(v, x, e);
	if (!kicked)
		undo_guest_db(v, &before);
	x->kind = kicked ? EXIT_KICKED : EXIT_STEPPED;
	return true;
}

/*
 * PUSHF clears VM and RF in what it pushes, not TF (SDM vol 2, PUSHF), and where
 * the processor executes it KVM cannot hide that it steps. The guest would find
 * the flag again after a POPF or an IRET, when nobody steps it any more.
 */
static void hide_pushed_step(struct vcpu *v)
{
	uint64_t *flags = vm_host(v->vm, v->arch.regs->rsp, sizeof(*flags));

	if (flags)
		*flags &= ~(uint64_t)X86_TF;
}

/*
 * A processor traps after each iteration of a repeated string instruction (SDM
 * vol 3, "Single-Step Exception Condition"); KVM's emulator after the last, and
 * then once more to find the count 0. So the count is 1 for the time of a step.
 * CMPS and SCAS may end early.
 */
static bool step_iteration(struct vcpu *v, const struct x86_opcode *op, struct vcpu_exit *x,
			   struct err *e)
{
	uint64_t start = v->arch.regs->rip, others = v->arch.regs->rcx - 1;
	bool compares = (op->byte & 0xf6) == 0xa6, ends;

	v->arch.regs->rcx = 1;
	if (!step(v, x, e))
		return false;
	ends = !others || (compares && !(v->arch.regs->rflags & X86_ZF) == (op->rep == 0xf3));
	if (x->kind == EXIT_STEPPED && ends && !v->arch.regs->rcx && v->arch.regs->rip == start &&
	    !step(v, x, e))
		return false;
	if (x->kind == EXIT_STEPPED && !ends)
		v->arch.regs->rip = start;
	v->arch.regs->rcx += others;
	v->arch.dirty |= KVM_SYNC_X86_REGS;
	return true;
}

bool vcpu_step(struct vcpu *v, struct vcpu_exit *x, struct err *e)
{
	const struct quirks *q = &v->vm->quirks;
	struct x86_opcode op;

	memset(x, 0, sizeof(*x));
	if (vcpu_cpl(v) == 0 && q->iret_runs_on && do_iret(v)) {
		x->kind = EXIT_STEPPED;
		return true;
	}
	op = opcode_at(v);
	if (q->rep_runs_whole && op.rep && is_string(op.byte) && v->arch.regs->rcx)
		return step_iteration(v, &op, x, e);
	if (!step(v, x, e))
		return false;
	if (q->pushf_shows_step && op.byte == 0x9c && x->kind == EXIT_STEPPED)
		hide_pushed_step(v);
	return true;
}

bool vcpu_deliver(struct vcpu *v, enum event_kind kind, struct vcpu_exit *x, struct err *e)
{
	if (kind == EVENT_NMI) {
		v->arch.events->nmi.pending = 1;
		v->arch.events->flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
	} else {
		v->arch.events->interrupt.injected = 1;
		v->arch.events->interrupt.nr = CM_VECTOR_IPI;
		v->arch.events->interrupt.soft = 0;
	}
	v->arch.dirty |= KVM_SYNC_X86_EVENTS;
	if (!enter(v, x, e))
		return false;
	if (x->kind != EXIT_DELIVERED && x->kind != EXIT_SHUTDOWN && x->kind != EXIT_KICKED)
		return err_set(e, ERR_HOST, "vCPU %u did not take the %s: it stands at %#llx",
			       v->id, kind == EVENT_NMI ? "NMI" : "IPI",
			       (unsigned long long)v->arch.regs->rip);
	return true;
}

bool vcpu_can_take(const struct vcpu *v, enum event_kind kind)
{
	if (kind == EVENT_NMI)
		return !v->arch.events->nmi.masked;
	return v->arch.regs->rflags & X86_IF && !v->arch.events->interrupt.shadow;
}

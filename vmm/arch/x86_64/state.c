// SPDX-License-Identifier: BSD-2-Clause
/* state.c - a vCPU's state as plain data, and what the layers above may ask of it. */
#include "x86.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct x86_state) <= VCPU_STATE_MAX, "VCPU_STATE_MAX is too small");

/* Two equal states must be equal bytes: leftovers of past events do not count. */
static void normalise(struct kvm_vcpu_events *ev)
{
	if (!ev->exception.injected && !ev->exception.pending)
		memset(&ev->exception, 0, sizeof(ev->exception));
	ev->exception_has_payload = 0;
	ev->exception_payload = 0;
	if (!ev->interrupt.injected)
		ev->interrupt.nr = ev->interrupt.soft = 0;
}

/*
 * What lies behind a null selector is the host's own affair, but for the base of FS
 * and GS. Seen: on kvm_amd in QEMU's emulator SS has two forms, by how it became null.
 */
static void normalise_segments(struct kvm_sregs *s)
{
	struct kvm_segment *const data[] = { &s->ds, &s->es, &s->fs, &s->gs, &s->ss };

	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		uint64_t base = data[i] == &s->fs || data[i] == &s->gs ? data[i]->base : 0;

		if (data[i]->selector & ~3u)
			continue;
		*data[i] = x86_null_segment(data[i]->selector);
		data[i]->base = base;
	}
	s->ss.dpl = s->cs.selector & 3;
}

void vcpu_save(const struct vcpu *v, struct vcpu_state *s)
{
	struct x86_state *x = (struct x86_state *)(void *)s->bytes;

	memset(x, 0, sizeof(*x));
	x->regs = *v->arch.regs;
	x->sregs = *v->arch.sregs;
	x->events = *v->arch.events;
	normalise(&x->events);
	normalise_segments(&x->sregs);
	s->size = sizeof(*x);
}

void vcpu_load(struct vcpu *v, const struct vcpu_state *s)
{
	const struct x86_state *x = (const struct x86_state *)(const void *)s->bytes;

	assert(s->size == sizeof(*x));
	*v->arch.regs = x->regs;
	*v->arch.sregs = x->sregs;
	*v->arch.events = x->events;
	v->arch.dirty = X86_DIRTY_ALL;
}

void vcpu_kick(struct vcpu *v, bool on)
{
	v->run->immediate_exit = on;
}

uint64_t vcpu_pc(const struct vcpu *v)
{
	return v->arch.regs->rip;
}

void vcpu_set_pc(struct vcpu *v, uint64_t pc)
{
	v->arch.regs->rip = pc;
	v->arch.dirty |= KVM_SYNC_X86_REGS;
}

uint64_t vcpu_sp(const struct vcpu *v)
{
	return v->arch.regs->rsp;
}

uint32_t vcpu_cpl(const struct vcpu *v)
{
	return v->arch.sregs->cs.selector & 3;
}

enum cm_isa vcpu_isa(const struct vcpu *v)
{
	(void)v;
	return CM_ISA_X86_64;
}

/* RIP, CS, RFLAGS, RSP, SS (SDM vol 3, 6.14.3). */
uint32_t vcpu_return_frame(const struct vcpu *v)
{
	(void)v;
	return 40;
}

/* guest/x86_64/entry.S: vector and error code lie on the stack, and 15 registers follow. */
struct arch_event_frame vcpu_event_frame(const struct vcpu *v)
{
	(void)v;
	return (struct arch_event_frame){
		.below = 15 * 8, .above = 2 * 8 + 40, .own_offset = 0, .own_size = 2 * 8
	};
}

uint64_t vcpu_register(const struct vcpu *v, uint32_t number)
{
	const struct kvm_regs *r = v->arch.regs;
	const __u64 value[] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
				r->r8,	r->r9,	r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };

	assert(number < sizeof(value) / sizeof(value[0]));
	return value[number];
}

uint64_t vcpu_segment_base(const struct vcpu *v)
{
	return v->arch.sregs->gs.base;
}

uint64_t vcpu_counter(const struct vcpu *v)
{
	return v->arch.regs->rcx;
}

const char *vcpu_describe(const struct vcpu *v, char *buf, size_t size)
{
	const struct kvm_regs *r = v->arch.regs;

	snprintf(buf, size,
		 "rax=%#llx rdx=%#llx rcx=%#llx rsi=%#llx rdi=%#llx rsp=%#llx rip=%#llx "
		 "rflags=%#llx cpl=%u",
		 r->rax, r->rdx, r->rcx, r->rsi, r->rdi, r->rsp, r->rip, r->rflags, vcpu_cpl(v));
	return buf;
}

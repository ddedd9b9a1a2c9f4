/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86.h - the x86-64 backend's own structs. boot.c builds, run.c and stop.c
 * run, selfcheck.c finds the quirks; nobody else includes this.
 */
#ifndef CROSSMOD_X86_H
#define CROSSMOD_X86_H

#include "vm/vm.h"

#define X86_ZF	       0x40u
#define X86_TF	       0x100u
#define X86_IF	       0x200u
#define X86_RF	       0x10000u
#define X86_VECTOR_DB  1u
#define X86_VECTOR_NMI 2u
#define X86_VECTOR_BP  3u

#define X86_DIRTY_ALL (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

/* boot.c: page tables and descriptor tables, and the first state of a vCPU. */
void x86_build_tables(struct vm *vm);
void x86_first_state(struct vcpu *v, struct x86_state *s);
/* Of a null selector, in 64-bit mode: what else KVM reports of one means nothing. */
struct kvm_segment x86_null_segment(uint16_t selector);
/* Code and stack segments of (cpl), as an IRET would load them. */
void x86_set_cpl(struct vcpu *v, uint32_t cpl);

/* vm.c: what the host supports, to be freed; NULL on failure. */
struct kvm_cpuid2 *x86_get_cpuid(struct vm *vm, struct err *e);

/* run.c */
/* What the last KVM_RUN came back for. */
bool x86_classify(struct vcpu *v, struct vcpu_exit *x, struct err *e);

/* selfcheck.c: with vm->quirks as they are now: are steps, INT3, IRET and NMIs exact? vCPU 0 is at READY before and after. */
bool x86_confirm(struct vm *vm, struct err *e);

#endif

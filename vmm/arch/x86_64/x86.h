/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86.h - the x86-64 backend's own structs. boot.c builds, run.c and stop.c
 * run, selfcheck.c finds the quirks; nobody else includes this.
 */
#ifndef CROSSMOD_X86_H
#define CROSSMOD_X86_H

#include <pthread.h>

#include "vm/arch.h"
#include "vm/kvm.h"

#define X86_ZF	       0x40u
#define X86_TF	       0x100u
#define X86_IF	       0x200u
#define X86_RF	       0x10000u
#define X86_VECTOR_DB  1u
#define X86_VECTOR_NMI 2u
#define X86_VECTOR_BP  3u

/* Guest-physical = guest-virtual for image and canonical text; the rest is behind page tables. */
#define X86_GPA_SYSTEM	0x00100000u /* page tables, GDT, IDT, TSS; not mapped in the guest */
#define X86_GPA_VIEWS	0x40000000u /* view i at + i * CM_TEXT_SIZE */
#define X86_SYSTEM_SIZE 0x00100000u

/* What KVM's shared page holds, or what separate ioctls fill where there is none. */
struct x86_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
};

struct vcpu {
	struct vm *vm;
	uint32_t id;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	struct kvm_regs *regs; /* in the shared page, or (own) */
	struct kvm_sregs *sregs;
	struct kvm_vcpu_events *events;
	struct x86_state *own; /* only without KVM_CAP_SYNC_REGS */
	uint32_t dirty;	       /* KVM_SYNC_X86_* changed since the last KVM_RUN */
	uint32_t debug;	       /* KVM_GUESTDBG_* in force */
	uint64_t root;	       /* guest-physical address of its page tables */
};

struct vm {
	const struct image *image;
	enum vm_kind kind;
	uint32_t vcpus;
	int kvm;
	int fd;
	uint8_t *memory; /* one mapping: system, image, text, views */
	size_t memory_size;
	uint8_t *system;
	struct vm_memory host;
	struct vcpu vcpu[CM_MAX_VCPUS];
	struct quirks quirks;
	bool x2apic;
};

#define X86_DIRTY_ALL (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

/* boot.c: the image into fresh memory, without touching the pages that stay zero. */
void x86_load_image(struct vm *vm);
/* Page tables and descriptor tables, and the first state of a vCPU. */
void x86_build_tables(struct vm *vm);
void x86_first_state(struct vcpu *v, struct x86_state *s);
/* Of a null selector, in 64-bit mode: what else KVM reports of one means nothing. */
struct kvm_segment x86_null_segment(uint16_t selector);
/* Code and stack segments of (cpl), as an IRET would load them. */
void x86_set_cpl(struct vcpu *v, uint32_t cpl);

/* vm.c: what the host supports, to be freed; NULL on failure. */
struct kvm_cpuid2 *x86_get_cpuid(struct vm *vm, struct err *e);

/* run.c */
bool x86_set_debug(struct vcpu *v, uint32_t control, struct err *e);
/* One KVM_RUN; EINTR is not an error but (*kicked). */
bool x86_enter(struct vcpu *v, bool *kicked, struct err *e);
/* What the last KVM_RUN came back for. */
bool x86_classify(struct vcpu *v, struct vcpu_exit *x, struct err *e);
/* Host address of guest-virtual (address) in the image, or NULL. */
void *x86_host(struct vm *vm, uint64_t address, size_t size);

/* selfcheck.c */
bool x86_selfcheck(struct vm *vm, struct err *e);
/* With vm->quirks as they are now: are steps, INT3, IRET and NMIs exact? vCPU 0 is at READY before and after. */
bool x86_confirm(struct vm *vm, struct err *e);

#endif

// SPDX-License-Identifier: BSD-2-Clause
/*
 * boot.c - a VM's tables and the first state of its vCPUs, which
 * start in long mode with nothing left to set up. Knows no quirks.
 *
 * Address map (guest-virtual -> guest-physical):
 *   system    VM_GPA_SYSTEM  = IDT, then per vCPU GDT and TSS; page tables unmapped
 *   image     CM_IMAGE_BASE   = same, per segment read / write / execute
 *   text      CM_TEXT_BASE   -> VM_FREE: canonical; VM_STEPPED: the vCPU's view. Never writable
 *   alias     CM_ALIAS_BASE  -> canonical text. Never executable
 *   xAPIC     0xfee00000     =  VM_FREE without x2APIC
 */
#include "x86.h"

#include <string.h>

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_USER     (1ull << 2)
#define PTE_NOCACHE  (1ull << 4)
/* Set from the start, so that the processor never writes to the tables: they are not state. */
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_NX	     (1ull << 63)
#define PTE_TABLE    (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)
#define PTE_PAGE     (PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

#define SYSTEM_IDT    0u
#define SYSTEM_CPU(i) (VM_PAGE * (1u + (i))) /* GDT at +0, TSS at +0x400 */
#define SYSTEM_TABLES (VM_PAGE * (1u + CM_MAX_VCPUS))
#define TSS_OFFSET    0x400u
#define TSS_SIZE      0x68u
#define GDT_SIZE      0x40u
#define XAPIC_BASE    0xfee00000ull

#define SELECTOR_TSS 0x30u
#define CR0_LONG     0x80050033ull /* PG AM WP NE ET MP PE */
#define CR4_LONG     0x20ull	   /* PAE */
#define EFER_LONG    0xd00ull	   /* NXE LMA LME */

static uint64_t build_page_tables(struct vm_tables *t, uint32_t id)
{
	const struct image *img = t->vm->image;
	uint64_t root = vm_new_table(t);
	uint64_t text =
		t->vm->kind == VM_FREE ? CM_TEXT_BASE : VM_GPA_VIEWS + (uint64_t)id * CM_TEXT_SIZE;

	vm_map(t, root, VM_GPA_SYSTEM, VM_GPA_SYSTEM, SYSTEM_TABLES,
	       (PTE_PAGE & ~PTE_USER) | PTE_WRITE | PTE_NX);
	for (size_t i = 0; i < img->nsegments; i++) {
		const struct image_segment *s = &img->segments[i];
		uint64_t start = s->address & ~(uint64_t)(VM_PAGE - 1);

		vm_map(t, root, start, start, s->address + s->size - start,
		       PTE_PAGE | (s->write ? PTE_WRITE : 0) | (s->execute ? 0 : PTE_NX));
	}
	vm_map(t, root, CM_TEXT_BASE, text, CM_TEXT_SIZE, PTE_PAGE);
	vm_map(t, root, CM_ALIAS_BASE, CM_TEXT_BASE, CM_TEXT_SIZE, PTE_PAGE | PTE_WRITE | PTE_NX);
	if (t->vm->kind == VM_FREE && !t->vm->arch.x2apic)
		vm_map(t, root, XAPIC_BASE, XAPIC_BASE, VM_PAGE,
		       (PTE_PAGE & ~PTE_USER) | PTE_WRITE | PTE_NX | PTE_NOCACHE);
	return root;
}

/* Interrupt gates for every vector; #BP and #UD may be raised from CPL3. */
static void build_idt(struct vm *vm)
{
	const struct cm_abi *abi = &vm->image->abi;
	uint64_t stubs = vm->kind == VM_STEPPED ? abi->vectors_stepped : abi->vectors;
	uint64_t *idt = (uint64_t *)(void *)(vm->system + SYSTEM_IDT);

	for (uint32_t n = 0; n < 256; n++) {
		uint64_t at = stubs + (uint64_t)n * CM_VECTOR_STRIDE;
		uint64_t dpl = n == X86_VECTOR_BP ? 3 : 0;
		uint64_t ist = n == X86_VECTOR_NMI ? 1 : n == 8 ? 2 : 0;

		idt[2 * n] = (at & 0xffff) | 0x08ull << 16 | ist << 32 |
			     (0x8eull | dpl << 5) << 40 | (at >> 16 & 0xffff) << 48;
		idt[2 * n + 1] = at >> 32;
	}
}

static void build_cpu(struct vm *vm, uint32_t id)
{
	uint8_t *page = vm->system + SYSTEM_CPU(id);
	uint64_t tss = VM_GPA_SYSTEM + SYSTEM_CPU(id) + TSS_OFFSET;
	uint64_t ist[] = { vm_stack_top(vm, id, CM_STACK_NMI),
			   vm_stack_top(vm, id, CM_STACK_FAULT) };
	uint64_t rsp0 = vm_stack_top(vm, id, CM_STACK_TRAP);
	uint64_t gdt[GDT_SIZE / 8] = {
		[1] = 0x00af9b000000ffffull, /* 0x08 kernel code */
		[2] = 0x00cf93000000ffffull, /* 0x10 kernel data */
		[3] = 0x00cff3000000ffffull, /* 0x18 user data */
		[4] = 0x00affb000000ffffull, /* 0x20 user code */
		[6] = (TSS_SIZE - 1) | (tss & 0xffffff) << 16 | 0x8bull << 40 |
		      (tss >> 24 & 0xff) << 56,
		[7] = tss >> 32,
	};
	uint16_t no_bitmap = TSS_SIZE;

	memcpy(page, gdt, sizeof(gdt));
	memcpy(page + TSS_OFFSET + 0x04, &rsp0, sizeof(rsp0));
	memcpy(page + TSS_OFFSET + 0x24, ist, sizeof(ist));
	memcpy(page + TSS_OFFSET + 0x66, &no_bitmap, sizeof(no_bitmap));
}

void x86_build_tables(struct vm *vm)
{
	struct vm_tables t = {
		.vm = vm, .used = SYSTEM_TABLES, .table = PTE_TABLE, .top_shift = 39
	};

	build_idt(vm);
	for (uint32_t i = 0; i < vm->vcpus; i++) {
		build_cpu(vm, i);
		vm->vcpu[i].root = build_page_tables(&t, i);
	}
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

struct kvm_segment x86_null_segment(uint16_t selector)
{
	return (struct kvm_segment){ .selector = selector, .unusable = 1 };
}

void x86_set_cpl(struct vcpu *v, uint32_t cpl)
{
	v->arch.sregs->cs = segment(cpl ? 0x23 : 0x08, 0xb, true);
	v->arch.sregs->cs.dpl = (uint8_t)cpl;
	v->arch.sregs->ss = segment(cpl ? 0x1b : 0x10, 0x3, false);
	v->arch.sregs->ss.dpl = (uint8_t)cpl;
	v->arch.dirty |= KVM_SYNC_X86_SREGS;
}

/* (s) holds what KVM reset the vCPU to; what the guest relies on is set. */
void x86_first_state(struct vcpu *v, struct x86_state *s)
{
	const struct vm *vm = v->vm;
	uint64_t page = VM_GPA_SYSTEM + SYSTEM_CPU(v->id);
	uint64_t mailbox = vm_mailbox(vm, v->id);

	memset(&s->regs, 0, sizeof(s->regs));
	s->regs.rip = vm->image->abi.start;
	s->regs.rsp = vm_stack_top(vm, v->id, CM_STACK_KERNEL);
	s->regs.rdi = mailbox;
	s->regs.rflags = 2;
	s->sregs.cr0 = CR0_LONG;
	s->sregs.cr3 = v->root;
	s->sregs.cr4 = CR4_LONG;
	s->sregs.efer = EFER_LONG;
	s->sregs.cs = segment(0x08, 0xb, true);
	s->sregs.ss = segment(0x10, 0x3, false);
	/*
	 * Null from the start: an IRET to CPL3 nulls what CPL3 may not use (SDM vol 2,
	 * IRET), and KVM's emulator does not.
	 */
	s->sregs.ds = s->sregs.es = s->sregs.fs = s->sregs.gs = x86_null_segment(0);
	s->sregs.gs.base = mailbox;
	s->sregs.gdt = (struct kvm_dtable){ .base = page, .limit = GDT_SIZE - 1 };
	s->sregs.idt =
		(struct kvm_dtable){ .base = VM_GPA_SYSTEM + SYSTEM_IDT, .limit = 256 * 16 - 1 };
	s->sregs.tr = (struct kvm_segment){
		.base = page + TSS_OFFSET,
		.limit = TSS_SIZE - 1,
		.selector = SELECTOR_TSS,
		.type = 0xb,
		.present = 1,
	};
	s->sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	if (vm->arch.x2apic)
		s->sregs.apic_base |= 1u << 10;
}

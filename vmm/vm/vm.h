/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm.h - what a VM and its vCPUs are on every host: KVM's objects, the memory
 * behind the guest's, page tables, and the order in which all is made. What an
 * architecture adds is in its arch_vm.h, and what it must do below, as arch_*().
 *
 * For vmm/vm/ and vmm/arch/ only: above, VMs are opaque (arch.h).
 */
#ifndef CROSSMOD_VM_H
#define CROSSMOD_VM_H

#include "vm/arch.h"
#include "vm/kvm.h"
#if defined(__x86_64__)
#include "arch/x86_64/arch_vm.h"
#elif defined(__aarch64__)
#include "arch/arm64/arch_vm.h"
#else
#error "no backend for this architecture: vmm/arch/<host>/arch_vm.h"
#endif

/* Guest-physical = guest-virtual for image and canonical text; the rest is behind page tables. */
#define VM_GPA_SYSTEM  0x00100000u /* page tables and the like */
#define VM_GPA_VIEWS   0x40000000u /* view i at + i * CM_TEXT_SIZE */
#define VM_SYSTEM_SIZE 0x00100000u
#define VM_PAGE	       4096u

struct vcpu {
	struct vm *vm;
	uint32_t id;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	uint32_t debug; /* KVM_GUESTDBG_* in force */
	uint64_t root;	/* guest-physical address of its page tables */
	struct arch_vcpu arch;
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
	struct arch_vm arch;
};

/* The image into fresh memory, without touching the pages that stay zero, and every mailbox. */
void vm_load_image(struct vm *vm);

/* Host address of (size) bytes at guest-virtual (address) in the image, or NULL. */
void *vm_host(struct vm *vm, uint64_t address, size_t size);
/* Guest addresses: of a symbol of the image (0: there is none), a mailbox, a stack's top. */
uint64_t vm_symbol(const struct vm *vm, const char *name);
uint64_t vm_mailbox(const struct vm *vm, uint32_t id);
uint64_t vm_stack_top(const struct vm *vm, uint32_t id, enum cm_stack which);

/* Does the image have all of the (n) symbols? Else ERR_INPUT with the first missing one. */
bool vm_has_symbols(const struct vm *vm, const char *const *names, size_t n, struct err *e);

/*
 * Page tables in the system area, 512 entries of 8 bytes a level, 4 KiB pages:
 * the format that x86-64, AArch64 and AArch32's long descriptors have in common.
 */
struct vm_tables {
	struct vm *vm;
	uint32_t used;	/* bytes of the system area handed out */
	uint64_t table; /* flags of an entry that leads to the next level */
	int top_shift;	/* of the address bits that the first level is indexed by */
};
uint64_t vm_new_table(struct vm_tables *t);
void vm_map(struct vm_tables *t, uint64_t root, uint64_t va, uint64_t gpa, uint64_t size,
	    uint64_t flags);

/* KVM_SET_GUEST_DEBUG, if (control) is not in force already. */
bool vcpu_set_debug(struct vcpu *v, uint32_t control, struct err *e);

/*
 * Port I/O and MMIO are finished by the next KVM_RUN only, until when the PC
 * may still move (Documentation/virt/kvm/api.rst, "KVM_RUN"): let it finish
 * without running on, so that the state is that behind the instruction.
 */
bool vcpu_settle(struct vcpu *v, struct err *e);

/* Let (check) use vCPU 0, which is at READY, and the guest's memory; both are put back after it. */
bool vm_borrow(struct vm *vm,
	       bool (*check)(struct vcpu *v, const struct vcpu_state *ready, struct err *e),
	       struct err *e);

/* ---- what a backend does ---- */

/* The capabilities it relies on, ended by a NULL name. */
extern const struct arch_capability arch_capability_table[];

/* Does this host run images of (isa)? */
bool arch_runs(uint32_t isa);

/* VM and memory are there, nothing in it: fill it, but for the image; create what vCPUs need. */
bool arch_prepare_vm(struct vm *vm, struct err *e);
/* The vCPU's file and struct kvm_run are there: give it its first state. */
bool arch_prepare_vcpu(struct vcpu *v, struct err *e);
/* What the two allocated; also after they have failed. */
void arch_free_vm(struct vm *vm);
void arch_free_vcpu(struct vcpu *v);

/* One KVM_RUN; EINTR is not an error but (*kicked). */
bool arch_enter(struct vcpu *v, bool *kicked, struct err *e);

/* Find the quirks by stepping over the image's self-check; asked once a process and kind of kernel (vm_boot). */
bool arch_selfcheck(struct vm *vm, struct err *e);

#endif

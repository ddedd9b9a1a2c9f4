// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench.c - the bare KVM operations, as straight as KVM's interface allows.
 * Shares the guest's memory layout with boot.c; must not use run.c's ways of
 * running, which are what is measured.
 */
#include "vm/arch_bench.h"
#include "x86.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

bool bare_native(uint32_t isa)
{
	return isa == CM_ISA_X86_64;
}

/* CPUID.(EAX=7,ECX=0):EDX[14] (SDM vol 2, CPUID). */
bool bare_serialize(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & 1u << 14;
}

/* KVM offsets a vCPU's time-stamp counter, but it ticks as the host's does unless told otherwise. */
uint64_t bare_cycles(void)
{
	return __rdtsc();
}

bool bare_steps(struct vcpu *v, uint32_t count, struct err *e)
{
	struct kvm_run *run = v->run;

	if (v->arch.own)
		return err_set(e, ERR_UNSUPPORTED, "this KVM has no KVM_CAP_SYNC_REGS");
	if (!vcpu_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, e))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		int errnum;

		do {
			run->s.regs.regs.rflags |= X86_TF;
			run->kvm_valid_regs = X86_DIRTY_ALL;
			run->kvm_dirty_regs = X86_DIRTY_ALL;
			errnum = kvm_try(v->fd, KVM_RUN, 0);
		} while (errnum == EINTR && !run->immediate_exit);
		if (errnum)
			return err_sys(e, errnum, "KVM_RUN");
		if (run->exit_reason != KVM_EXIT_DEBUG)
			return err_set(e, ERR_HOST, "a bare step ended in exit reason %u",
				       run->exit_reason);
	}
	run->s.regs.regs.rflags &= ~(uint64_t)X86_TF;
	v->arch.dirty = X86_DIRTY_ALL;
	return true;
}

int bare_nmi(struct vm *vm, uint32_t vcpu)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000u | vcpu << 12, .data = 0x400 };

	return kvm_try(vm->fd, KVM_SIGNAL_MSI, &msi);
}

/* The four pieces of boot.c's address map, in one mapping. */
static bool bare_memory(struct vm *vm, struct err *e)
{
	size_t image_size = vm->image->memory_size, views = vm->vcpus * (size_t)CM_TEXT_SIZE;
	struct kvm_userspace_memory_region region[] = {
		{ .guest_phys_addr = VM_GPA_SYSTEM, .memory_size = VM_SYSTEM_SIZE },
		{ .guest_phys_addr = CM_IMAGE_BASE, .memory_size = image_size },
		{ .guest_phys_addr = CM_TEXT_BASE, .memory_size = CM_TEXT_SIZE },
		{ .guest_phys_addr = VM_GPA_VIEWS, .memory_size = views },
	};
	uint8_t *at = mmap(NULL, VM_SYSTEM_SIZE + image_size + CM_TEXT_SIZE + views,
			   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return err_sys(e, errno, "mmap");
	vm->system = at;
	vm->host.image = at + VM_SYSTEM_SIZE;
	vm->host.image_size = image_size;
	for (uint32_t i = 0; i < sizeof(region) / sizeof(region[0]); i++) {
		region[i].slot = i;
		region[i].userspace_addr = (uintptr_t)at;
		at += region[i].memory_size;
		if (!kvm_call(vm->fd, KVM_SET_USER_MEMORY_REGION, &region[i], e))
			return false;
	}
	vm_load_image(vm);
	x86_build_tables(vm);
	return true;
}

static bool bare_vcpu(struct vm *vm, uint32_t id, int run_size, struct kvm_cpuid2 *cpuid,
		      struct err *e)
{
	struct vcpu *v = &vm->vcpu[id];
	struct x86_state first;

	v->vm = vm;
	v->id = id;
	if (!kvm_call_result(vm->fd, KVM_CREATE_VCPU, id, &v->fd, e) ||
	    !kvm_call(v->fd, KVM_SET_CPUID2, cpuid, e) ||
	    !kvm_call(v->fd, KVM_GET_SREGS, &first.sregs, e))
		return false;
	v->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		return err_sys(e, errno, "mmap");
	x86_first_state(v, &first);
	return kvm_call(v->fd, KVM_SET_SREGS, &first.sregs, e) &&
	       kvm_call(v->fd, KVM_SET_REGS, &first.regs, e);
}

/* Runs in a child that exits right away: what it opened goes with it. */
bool bare_start(const struct image *image, uint32_t vcpus, struct err *e)
{
	static struct vm vm;
	struct kvm_cpuid2 *cpuid;
	int run_size;
	bool ok = true;

	vm.image = image;
	vm.kind = VM_STEPPED;
	vm.vcpus = vcpus;
	if (!kvm_open(&vm.kvm, e) || !kvm_call_result(vm.kvm, KVM_CREATE_VM, 0, &vm.fd, e) ||
	    !bare_memory(&vm, e) ||
	    !kvm_call_result(vm.kvm, KVM_GET_VCPU_MMAP_SIZE, 0, &run_size, e))
		return false;
	cpuid = x86_get_cpuid(&vm, e);
	if (!cpuid)
		return false;
	for (uint32_t i = 0; ok && i < vcpus; i++)
		ok = bare_vcpu(&vm, i, run_size, cpuid, e);
	free(cpuid);
	if (!ok || !kvm_call(vm.vcpu[0].fd, KVM_RUN, 0, e))
		return false;
	return vm.vcpu[0].run->exit_reason == KVM_EXIT_IO ||
	       err_set(e, ERR_HOST, "the bare vCPU did not ring its first doorbell");
}

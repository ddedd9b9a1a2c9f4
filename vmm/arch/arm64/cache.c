// SPDX-License-Identifier: BSD-2-Clause
/*
 * cache.c - what we write to a guest's code, made visible to its fetches. Owns
 * what this core's CTR_EL0 says of that.
 *
 * A store of ours reaches the guest's fetches as any CPU's does, after DC CVAU
 * and IC IVAU by our own address of the page; entering the guest synchronises.
 * Where a line of the instruction cache is found by virtual address (VIPT: DDI
 * 0487, D7.5.9; Cortex-A35, A53 and A55 are said to be), our address must be in
 * the same place of the cache as the guest's. kvm_map_memory() sees to it: the
 * two agree below KVM_COLOUR, and which set of a cache an address is in depends
 * on no higher bit, as long as a way holds no more than that (16 KiB of these
 * cores). It costs nothing; the letter of the architecture would have IC IALLUIS,
 * which takes EL1: a stub of the guest's to enter at every change of a view.
 * vmm/tests/test_colour.c tries how this host's caches are.
 */
#include "arm.h"

/* CTR_EL0 (DDI 0487, D17.2.34). What Linux lets programs see holds for every core of the machine. */
#define CTR_L1IP(ctr) ((ctr) >> 14 & 3)
#define CTR_IMIN(ctr) (4u << ((ctr)&15))
#define CTR_DMIN(ctr) (4u << ((ctr) >> 16 & 15))
#define L1IP_VPIPT    0u
#define L1IP_VIPT     2u
#define GUEST_LINE    64u /* guest/arm64/flush.c */

_Static_assert(KVM_COLOUR >= CM_TEXT_SIZE && CM_TEXT_BASE % KVM_COLOUR == 0 &&
		       CM_IMAGE_BASE % KVM_COLOUR == 0 && VM_GPA_VIEWS % KVM_COLOUR == 0,
	       "guest addresses of code agree with ours");

bool arm_check_caches(struct vm *vm, struct err *e)
{
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	vm->quirks.vipt_icache = CTR_L1IP(ctr) == L1IP_VIPT;
	if (CTR_L1IP(ctr) == L1IP_VPIPT)
		return err_set(e, ERR_UNSUPPORTED,
			       "this core's instruction caches tell VMs apart (VPIPT): what the "
			       "host writes to a guest's code cannot be made visible to it");
	if (CTR_IMIN(ctr) < GUEST_LINE || CTR_DMIN(ctr) < GUEST_LINE)
		return err_set(e, ERR_UNSUPPORTED,
			       "cache lines of this core are of %llu and %llu bytes; the guest's "
			       "maintenance goes by %u",
			       (unsigned long long)CTR_DMIN(ctr), (unsigned long long)CTR_IMIN(ctr),
			       GUEST_LINE);
	return true;
}

void vm_text_changed(struct vm *vm, uint32_t vcpu, uint32_t offset, uint32_t length)
{
	char *start = (char *)vm->host.view[vcpu] + offset;

	__builtin___clear_cache(start, start + length);
}

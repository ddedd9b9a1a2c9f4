// SPDX-License-Identifier: BSD-2-Clause
/*
 * stop.c - running to an address instead of stepping there: BRK, or BKPT in
 * T32 code, is planted in the image for the time of one KVM_RUN. Nobody sees it: under a schedule only
 * one vCPU of the VM runs at a time, and the words are put back before we
 * return. KVM_GUESTDBG_USE_SW_BP makes it exit; it is never executed.
 */
#include "arm.h"

#include <assert.h>
#include <string.h>

#define CLASS_BKPT 0x38u
#define CLASS_BRK  0x3cu

static const uint8_t brk[] = { 0x00, 0x00, 0x20, 0xd4 };
static const uint8_t bkpt[] = { 0x00, 0xbe };

static void put(uint8_t *at, const uint8_t *bytes, size_t size)
{
	memcpy(at, bytes, size);
	__builtin___clear_cache((char *)at, (char *)at + size);
}

/* In an IT block the next instructions may not be executed, and no stop be reached. */
bool vcpu_can_run_to(const struct vcpu *v)
{
	return vcpu_isa(v) == CM_ISA_A64 ||
	       (vcpu_isa(v) == CM_ISA_T32 && !(arm_get(v, ARM_PSTATE) & ARM_PSTATE_IT));
}

static bool stands_at_stop(const struct vcpu *v, const uint64_t *stop, uint32_t n)
{
	if (v->run->exit_reason != KVM_EXIT_DEBUG ||
	    (arm_debug_class(v) != CLASS_BRK && arm_debug_class(v) != CLASS_BKPT))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (arm_get(v, ARM_PC) == stop[i])
			return true;
	return false;
}

bool vcpu_run_to(struct vcpu *v, const uint64_t *stop, uint32_t n, struct vcpu_exit *x,
		 struct err *e)
{
	bool t32 = vcpu_isa(v) == CM_ISA_T32, kicked, ok;
	uint8_t *at[VCPU_STOPS_MAX], kept[VCPU_STOPS_MAX][sizeof(brk)];
	size_t size = t32 ? sizeof(bkpt) : sizeof(brk);

	assert(n && n <= VCPU_STOPS_MAX);
	memset(x, 0, sizeof(*x));
	if (!arm_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, e))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		at[i] = arm_host(v->vm, stop[i], size);
		assert(at[i] && stop[i] % size == 0 && stop[i] != arm_get(v, ARM_PC));
		memcpy(kept[i], at[i], size);
		put(at[i], t32 ? bkpt : brk, size);
	}
	ok = arm_enter(v, &kicked, e);
	for (uint32_t i = n; i--;)
		put(at[i], kept[i], size);
	if (!ok)
		return false;
	x->kind = kicked ? EXIT_KICKED : EXIT_STEPPED;
	return kicked || stands_at_stop(v, stop, n) || arm_classify(v, x, e);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * stop.c - running to an address instead of stepping there: BRK is planted in
 * the image for the time of one KVM_RUN. Nobody sees it: under a schedule only
 * one vCPU of the VM runs at a time, and the words are put back before we
 * return. KVM_GUESTDBG_USE_SW_BP makes it exit; it is never executed.
 */
#include "arm.h"

#include <assert.h>
#include <string.h>

#define BRK	  0xd4200000u
#define CLASS_BRK 0x3cu

static void put(uint32_t *at, uint32_t word)
{
	*at = word;
	__builtin___clear_cache((char *)at, (char *)(at + 1));
}

static bool stands_at_stop(const struct vcpu *v, const uint64_t *stop, uint32_t n)
{
	if (v->run->exit_reason != KVM_EXIT_DEBUG || arm_debug_class(v) != CLASS_BRK)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (arm_get(v, ARM_PC) == stop[i])
			return true;
	return false;
}

bool vcpu_run_to(struct vcpu *v, const uint64_t *stop, uint32_t n, struct vcpu_exit *x,
		 struct err *e)
{
	uint32_t *at[VCPU_STOPS_MAX], kept[VCPU_STOPS_MAX];
	bool kicked, ok;

	assert(n && n <= VCPU_STOPS_MAX);
	memset(x, 0, sizeof(*x));
	if (!arm_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, e))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		at[i] = arm_host(v->vm, stop[i], sizeof(*at[i]));
		assert(at[i] && stop[i] % sizeof(*at[i]) == 0 && stop[i] != arm_get(v, ARM_PC));
		kept[i] = *at[i];
		put(at[i], BRK);
	}
	ok = arm_enter(v, &kicked, e);
	for (uint32_t i = n; i--;)
		put(at[i], kept[i]);
	if (!ok)
		return false;
	x->kind = kicked ? EXIT_KICKED : EXIT_STEPPED;
	return kicked || stands_at_stop(v, stop, n) || arm_classify(v, x, e);
}

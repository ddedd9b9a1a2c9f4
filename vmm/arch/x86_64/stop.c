// SPDX-License-Identifier: BSD-2-Clause
/*
 * stop.c - running to an address instead of stepping there: INT3 is planted in
 * the image for the time of one KVM_RUN. Nobody sees it: under a schedule only
 * one vCPU of the VM runs at a time, and the bytes are put back before we return.
 *
 * Where KVM emulates CPL0 it fails on the INT3 and exits; elsewhere
 * KVM_GUESTDBG_USE_SW_BP makes it exit. Neither executes it.
 */
#include "x86.h"

#include <assert.h>
#include <string.h>

#define INT3 0xccu

bool vcpu_can_run_to(const struct vcpu *v)
{
	return vcpu_cpl(v) == 0;
}

static bool stands_at_stop(const struct vcpu *v, const uint64_t *stop, uint32_t n)
{
	const struct kvm_run *run = v->run;
	bool exited = v->vm->quirks.int3_cpl0_fails ?
			      run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
				      run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION :
			      run->exit_reason == KVM_EXIT_DEBUG &&
				      run->debug.arch.exception == X86_VECTOR_BP;

	for (uint32_t i = 0; i < n && exited; i++)
		if (v->arch.regs->rip == stop[i])
			return true;
	return false;
}

bool vcpu_run_to(struct vcpu *v, const uint64_t *stop, uint32_t n, struct vcpu_exit *x,
		 struct err *e)
{
	uint32_t debug =
		v->vm->quirks.int3_cpl0_fails ? 0 : KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	uint8_t *at[VCPU_STOPS_MAX], kept[VCPU_STOPS_MAX];
	bool kicked, ok;

	assert(n && n <= VCPU_STOPS_MAX);
	memset(x, 0, sizeof(*x));
	if (!vcpu_set_debug(v, debug, e))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		at[i] = vm_host(v->vm, stop[i], 1);
		assert(at[i] && stop[i] != v->arch.regs->rip);
		kept[i] = *at[i];
		*at[i] = INT3;
	}
	ok = arch_enter(v, &kicked, e);
	for (uint32_t i = n; i--;)
		*at[i] = kept[i];
	if (!ok)
		return false;
	x->kind = kicked ? EXIT_KICKED : EXIT_STEPPED;
	return kicked || stands_at_stop(v, stop, n) || x86_classify(v, x, e);
}

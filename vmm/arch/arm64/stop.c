// SPDX-License-Identifier: BSD-2-Clause
/*
 * stop.c - running to an address instead of stepping there: a few stops by
 * the processor's breakpoint registers, more of them by BRK, or BKPT in T32
 * code, planted in the image for the time of one KVM_RUN. Nobody sees those:
 * under a schedule only one vCPU of the VM runs at a time, and the bytes are
 * put back before we return. None is ever executed: debugging makes all exit.
 */
#include "arm.h"

#include <assert.h>
#include <string.h>

/* Of KVM_EXIT_DEBUG. */
#define CLASS_BREAKPOINT 0x30u
#define CLASS_BKPT	 0x38u
#define CLASS_BRK	 0x3cu

static const uint8_t brk[] = { 0x00, 0x00, 0x20, 0xd4 };
static const uint8_t bkpt[] = { 0x00, 0xbe };

/* In an IT block the next instructions may not be executed, and no stop be reached. */
bool vcpu_can_run_to(const struct vcpu *v)
{
	return vcpu_isa(v) == CM_ISA_A64 ||
	       (vcpu_isa(v) == CM_ISA_T32 && !(arm_get(v, ARM_PSTATE) & ARM_PSTATE_IT));
}

static bool stands_at_stop(const struct vcpu *v, const uint64_t *stop, uint32_t n)
{
	uint32_t class;

	if (v->run->exit_reason != KVM_EXIT_DEBUG)
		return false;
	class = arm_debug_class(v);
	if (class != CLASS_BREAKPOINT && class != CLASS_BKPT && class != CLASS_BRK)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (arm_get(v, ARM_PC) == stop[i])
			return true;
	return false;
}

/* Nothing is written to code then, so nothing is fetched, or translated, anew. */
static bool set_registers(struct vcpu *v, const uint64_t *stop, uint32_t n, struct err *e)
{
	struct kvm_guest_debug dbg = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW };
	bool t32 = vcpu_isa(v) == CM_ISA_T32;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t bytes = !t32 ? 0xf : stop[i] & 2 ? 0xc : 0x3;

		dbg.arch.dbg_bvr[i] = stop[i] & ~3ull;
		dbg.arch.dbg_bcr[i] = bytes << 5 | 3u << 1 | 1u; /* at EL1 and EL0, enabled */
	}
	v->debug = dbg.control;
	return kvm_call(v->fd, KVM_SET_GUEST_DEBUG, &dbg, e);
}

static void put(uint8_t *at, const uint8_t *bytes, size_t size)
{
	memcpy(at, bytes, size);
	__builtin___clear_cache((char *)at, (char *)at + size);
}

static bool run_to_planted(struct vcpu *v, const uint64_t *stop, uint32_t n, bool *kicked,
			   struct err *e)
{
	uint8_t *at[VCPU_STOPS_MAX], kept[VCPU_STOPS_MAX][sizeof(brk)];
	bool t32 = vcpu_isa(v) == CM_ISA_T32, ok;
	size_t size = t32 ? sizeof(bkpt) : sizeof(brk);

	if (!vcpu_set_debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, e))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		at[i] = vm_host(v->vm, stop[i], size);
		assert(at[i] && stop[i] % size == 0 && stop[i] != arm_get(v, ARM_PC));
		memcpy(kept[i], at[i], size);
		put(at[i], t32 ? bkpt : brk, size);
	}
	ok = arch_enter(v, kicked, e);
	for (uint32_t i = n; i--;)
		put(at[i], kept[i], size);
	return ok;
}

bool vcpu_run_to(struct vcpu *v, const uint64_t *stop, uint32_t n, struct vcpu_exit *x,
		 struct err *e)
{
	bool kicked, ok;

	assert(n && n <= VCPU_STOPS_MAX);
	memset(x, 0, sizeof(*x));
	if (n <= v->vm->arch.breakpoints)
		ok = set_registers(v, stop, n, e) && arch_enter(v, &kicked, e);
	else
		ok = run_to_planted(v, stop, n, &kicked, e);
	if (!ok)
		return false;
	x->kind = kicked ? EXIT_KICKED : EXIT_STEPPED;
	return kicked || stands_at_stop(v, stop, n) || arm_classify(v, x, e);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * immediate_bypass.c - immediate values as in their tree: a trapped CPU runs
 * the old instruction in a bypass (Mathieu Desnoyers, arch/x86/kernel/
 * immediate.c, 2007 to 2009), reference 1.1, A3' and question 7.
 *
 *  1. bypass := copy of the old instruction, INT3 behind	immediate_bypass.copy
 *  2. register the #BP notifier			immediate_bypass.register
 *  3. head := INT3, wmb				immediate_bypass.head
 *  4. sync1: on_each_cpu(sync_core)			immediate_bypass.sync1
 *  5. tail := new, wmb					immediate_bypass.tail
 *  6. head := new					immediate_bypass.final
 *  7. synchronize_sched				immediate_bypass.wait
 *  8. unregister the notifier				immediate_bypass.unregister
 *
 * #BP at the site: preempt_disable, go on in the bypass. #BP at the bypass's
 * end: go on behind the site, preempt_enable. JMP rel32 has no bypass, it
 * cannot be moved: #BP goes on at its target. There is one bypass, for all
 * sites; it is written byte by byte, and the nops that fill it are left out.
 *
 * Step 7 carries the argument for step 8 and for step 1 of the next poke: with
 * preemption disabled in the bypass, no CPU that has passed through the
 * scheduler is in it. Here a CPU passes through the scheduler in an IPI, at
 * once if preemption is enabled, else as soon as it is.
 *
 *   immediate_bypass		as above
 *   immediate_bypass_ipi	step 7 is the message's other choice, IPIs to all
 *				cores: the bypass runs with interrupts on
 *   immediate_bypass_kept	the same, and the notifier stays: no step 8
 *   immediate_bypass_nowait	without step 7
 *   immediate_bypass_sync	and sync2 between 5 and 6, and 7 serialises
 */
#include "guest/protocol.h"

enum { SCHED = 1, IPI = 2, SYNC2 = 4, SERIALISE = 8, KEEP = 16 };

#define JMP_REL32 0xe9u

uint64_t immediate_bypass_target; /* IP of a #BP at the site; 0: notifier not registered */
uint64_t immediate_bypass_start;  /* where it goes on */
uint64_t immediate_bypass_end;	  /* IP of a #BP at the bypass's end; 0: there is no bypass */
uint64_t immediate_bypass_after;
uint32_t immediate_bypass_preempt_off[CM_MAX_VCPUS];
uint32_t immediate_bypass_waiting; /* CPUs that have not passed through the scheduler */

/* Nobody executes the bypass while it is written: that is the claim. */
static CM_ROUTINE void copy(const struct cm_poke *poke)
{
	const struct cm_site *bypass = &cm_control.site[0];
	uint64_t after = poke->site->text + poke->length;

	CM_STEP("immediate_bypass.copy");
	if (poke->from[0] == JMP_REL32) {
		CM_WRITE(immediate_bypass_start, after + poke->from[1]);
		CM_WRITE(immediate_bypass_end, 0);
		return;
	}
	for (uint32_t i = 0; i < poke->length; i++)
		cm_bypass8(bypass, i, poke->from[i]);
	cm_bypass8(bypass, poke->length, CM_INT3);
	CM_WRITE(immediate_bypass_start, cm_bypass(bypass));
	CM_WRITE(immediate_bypass_end, cm_bypass(bypass) + poke->length + 1);
	CM_WRITE(immediate_bypass_after, after);
}

static void wait_for_bypass_users(void)
{
	uint32_t others = cm_others();

	if (!(cm_protocol()->variant & (SCHED | IPI)))
		return;
	CM_WRITE(immediate_bypass_waiting, others);
	cm_ipi(others);
	while (CM_READ(immediate_bypass_waiting))
		cm_relax();
}

static CM_ROUTINE void immediate_bypass_patch_one(const struct cm_poke *poke)
{
	copy(poke);
	CM_STEP("immediate_bypass.register");
	CM_WRITE(immediate_bypass_target, poke->site->text + 1);
	CM_STEP("immediate_bypass.head");
	cm_poke8(poke, 0, CM_INT3);
	cm_wmb();
	CM_STEP("immediate_bypass.sync1");
	cm_sync_all();
	CM_STEP("immediate_bypass.tail");
	cm_poke_tail(poke);
	cm_wmb();
	if (cm_protocol()->variant & SYNC2)
		cm_sync_all();
	CM_STEP("immediate_bypass.final");
	cm_poke_head(poke);
	CM_STEP("immediate_bypass.wait");
	wait_for_bypass_users();
	CM_STEP("immediate_bypass.unregister");
	if (!(cm_protocol()->variant & KEEP))
		CM_WRITE(immediate_bypass_target, 0);
}

static void immediate_bypass_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		immediate_bypass_patch_one(&poke[i]);
}

/* Through the scheduler, if preemption is enabled and somebody waits. */
static CM_ROUTINE void pass(void)
{
	uint32_t self = cm_cpu_id();

	if (!(CM_READ(immediate_bypass_waiting) & 1u << self))
		return;
	if (cm_protocol()->variant & SCHED && CM_READ(immediate_bypass_preempt_off[self]))
		return;
	if (cm_protocol()->variant & SERIALISE)
		cm_sync_core();
	CM_STEP("immediate_bypass.passed");
	cm_fetch_and32(&immediate_bypass_waiting, ~(1u << self));
}

static CM_ROUTINE bool immediate_bypass_trapped(struct cm_frame *frame)
{
	uint32_t *preempt_off = &immediate_bypass_preempt_off[cm_cpu_id()];
	uint64_t end = CM_READ(immediate_bypass_end);

	CM_STEP("immediate_bypass.trapped");
	if (frame->vector != 3 || !CM_READ(immediate_bypass_target))
		return false;
	if (frame->ip == CM_READ(immediate_bypass_target)) {
		if (end)
			CM_WRITE(*preempt_off, *preempt_off + 1);
		frame->ip = CM_READ(immediate_bypass_start);
		return true;
	}
	if (!end || frame->ip != end)
		return false;
	CM_STEP("immediate_bypass.leave");
	frame->ip = CM_READ(immediate_bypass_after);
	CM_WRITE(*preempt_off, *preempt_off - 1);
	pass();
	return true;
}

static CM_ROUTINE void immediate_bypass_notified(struct cm_frame *frame)
{
	CM_STEP("immediate_bypass.notified");
	cm_sync_notified(frame);
	pass();
}

#define BYPASS(name, summary, bits)                                                             \
	CM_BYPASS(name);                                                                        \
	CM_PROTOCOL(name, summary, .patch = immediate_bypass_patch,                             \
		    .trapped = immediate_bypass_trapped, .notified = immediate_bypass_notified, \
		    .variant = (bits))

BYPASS(immediate_bypass, "immediate values with a bypass, synchronize_sched (Desnoyers)", SCHED);
BYPASS(immediate_bypass_ipi, "immediate values with a bypass, IPIs instead of the scheduler", IPI);
BYPASS(immediate_bypass_kept, "immediate values with a bypass, IPIs, the notifier stays",
       IPI | KEEP);
BYPASS(immediate_bypass_nowait, "immediate values with a bypass that nobody waits for", 0);
BYPASS(immediate_bypass_sync, "immediate values with a bypass, two more serialising syncs",
       SCHED | SYNC2 | SERIALISE);

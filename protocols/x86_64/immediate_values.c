// SPDX-License-Identifier: BSD-2-Clause
/*
 * immediate_values.c - the order in which the immediate values patches store
 * (Mathieu Desnoyers, 12 and 13 January 2010), reference 1.1, A3.
 *
 *  1. lock: there is one patcher, so nothing; slot	immediate_values.lock
 *  2. head := INT3, smp_wmb				immediate_values.head
 *  3. sync all cores					immediate_values.sync1
 *  4. tail := new, smp_wmb				immediate_values.tail
 *  5. "issue smp_rmb() on all cores"			immediate_values.rmb
 *  6. head := new					immediate_values.final
 *  7. IPI to all cores, to wait for #BP handlers	immediate_values.wait
 *  8. unlock: slot cleared				immediate_values.unlock
 *
 * #BP: the old instruction is executed out of line, at the site's resume address.
 * IPI: the barrier of the step, then acknowledge.
 *
 * "are these wmb/rmb pairs actually needed? As the instruction fetch is not
 * performed by instructions per se, I doubt a rmb() will have any effect on
 * them" - "I don't think the smp_rmb() has any function" (Anvin). The
 * serialising of 3 carries the argument against old head with new tail, that
 * of 5 the one against new head with old tail; which instruction it is, the
 * handler's or only its IRET, is what the variants ask.
 *
 *   immediate_values		3 serialises, 5 is a load barrier, 7 is nothing
 *   immediate_values_rmb	load barriers only
 *   immediate_values_sync	3, 5 and 7 serialise: "a sync all cores has this effect"
 */
#include "guest/protocol.h"

enum barrier { NOTHING, LOADS, SERIALISE };
/* What the IPI handlers of steps 3, 5 and 7 do, two bits each. */
#define BARRIERS(sync1, rmb, wait) ((sync1) | (rmb) << 2 | (wait) << 4)

struct immediate_values_slot {
	uint64_t src;
	uint64_t dst;
};

struct immediate_values_slot immediate_values_slot;
uint32_t immediate_values_barrier; /* of the step in progress */
uint32_t immediate_values_waiting; /* CPUs that have not acknowledged */

static void do_barrier(uint32_t barrier)
{
	if (barrier == SERIALISE)
		cm_sync_core();
	else if (barrier == LOADS)
		cm_rmb();
}

static void on_each_cpu(uint32_t shift)
{
	uint32_t barrier = cm_protocol()->variant >> shift & 3, others = cm_others();

	CM_WRITE(immediate_values_barrier, barrier);
	CM_WRITE(immediate_values_waiting, others);
	cm_ipi(others);
	do_barrier(barrier);
	while (CM_READ(immediate_values_waiting))
		cm_relax();
}

static CM_ROUTINE void immediate_values_patch_one(const struct cm_poke *poke)
{
	CM_STEP("immediate_values.lock");
	CM_WRITE(immediate_values_slot.dst, poke->site->resume);
	CM_WRITE(immediate_values_slot.src, poke->site->text + 1);
	CM_STEP("immediate_values.head");
	cm_poke8(poke, 0, CM_INT3);
	cm_wmb();
	CM_STEP("immediate_values.sync1");
	on_each_cpu(0);
	CM_STEP("immediate_values.tail");
	cm_poke_tail(poke);
	cm_wmb();
	CM_STEP("immediate_values.rmb");
	on_each_cpu(2);
	CM_STEP("immediate_values.final");
	cm_poke_head(poke);
	CM_STEP("immediate_values.wait");
	on_each_cpu(4);
	CM_STEP("immediate_values.unlock");
	CM_WRITE(immediate_values_slot.src, 0);
}

static void immediate_values_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		immediate_values_patch_one(&poke[i]);
}

static CM_ROUTINE bool immediate_values_trapped(struct cm_frame *frame)
{
	CM_STEP("immediate_values.trapped");
	if (frame->vector != 3 || frame->ip != CM_READ(immediate_values_slot.src))
		return false;
	frame->ip = CM_READ(immediate_values_slot.dst);
	return true;
}

static CM_ROUTINE void immediate_values_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("immediate_values.notified");
	do_barrier(CM_READ(immediate_values_barrier));
	CM_STEP("immediate_values.acknowledge");
	cm_fetch_and32(&immediate_values_waiting, ~(1u << cm_cpu_id()));
}

#define IMMEDIATE(name, summary, barriers)                                                      \
	CM_PROTOCOL(name, summary, .patch = immediate_values_patch,                             \
		    .trapped = immediate_values_trapped, .notified = immediate_values_notified, \
		    .variant = (barriers))

IMMEDIATE(immediate_values, "2010 immediate values: sync, then only a load barrier (Desnoyers)",
	  BARRIERS(SERIALISE, LOADS, NOTHING));
IMMEDIATE(immediate_values_rmb, "2010 immediate values with load barriers on all cores",
	  BARRIERS(LOADS, LOADS, NOTHING));
IMMEDIATE(immediate_values_sync, "2010 immediate values, every IPI handler serialises",
	  BARRIERS(SERIALISE, SERIALISE, SERIALISE));

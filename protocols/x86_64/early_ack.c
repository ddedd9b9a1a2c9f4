// SPDX-License-Identifier: BSD-2-Clause
/*
 * early_ack.c - what the handler of a sync IPI does before it says "done"
 * (Desnoyers and Anvin, January 2010), reference 1.1, questions 1 to 3.
 *
 * "we cannot assume that the IPI handler issues IRET before signaling its
 * completion. It's rather the other way around." (Desnoyers) - "It is *not*
 * necessary to wait for the breakpoint handlers to return, as long as they
 * will get to IRET eventually" (Anvin). So all three syncs of the 2010
 * protocol, and an IPI handler that differs:
 *
 *  1. slot := {site + 1, where to resume}	early_ack.slot
 *  2. head := INT3				early_ack.head
 *  3. sync1					early_ack.sync1
 *  4. tail := new				early_ack.tail
 *  5. sync2					early_ack.sync2
 *  6. head := new				early_ack.final
 *  7. sync3					early_ack.sync3
 *  8. slot cleared				early_ack.clear
 *
 * IPI: barrier, if any; clear the own bit; the barrier, if it is late; IRET.
 *
 * The step that carries the argument is the IPI handler's IRET: nothing that
 * is patched may run between the acknowledgement and that. A softirq, a
 * tracepoint in irq-exit, a second queued function, a preemption (all of them
 * "ipi_runs_site") and an NMI do run there.
 *
 *   early_ack		acknowledge, then IRET
 *   early_ack_mfence	smp_mb (MFENCE), acknowledge
 *   early_ack_then_sync	acknowledge, serialise
 *   early_ack_sync_first	serialise, acknowledge: what Linux does
 */
#include "guest/protocol.h"

enum { MFENCE_FIRST = 1, SYNC_FIRST = 2, SYNC_LAST = 4 };

struct early_ack_slot {
	uint64_t src;
	uint64_t dst;
};

struct early_ack_slot early_ack_slot;
uint32_t early_ack_waiting; /* CPUs that have not acknowledged */

static void sync_others(void)
{
	uint32_t others = cm_others();

	CM_WRITE(early_ack_waiting, others);
	cm_wmb();
	cm_ipi(others);
	cm_sync_core();
	while (CM_READ(early_ack_waiting))
		cm_relax();
}

static CM_ROUTINE void early_ack_patch_one(const struct cm_poke *poke)
{
	CM_STEP("early_ack.slot");
	CM_WRITE(early_ack_slot.dst, poke->site->resume);
	CM_WRITE(early_ack_slot.src, poke->site->text + 1);
	CM_STEP("early_ack.head");
	cm_poke8(poke, 0, CM_INT3);
	CM_STEP("early_ack.sync1");
	sync_others();
	CM_STEP("early_ack.tail");
	cm_poke_tail(poke);
	CM_STEP("early_ack.sync2");
	sync_others();
	CM_STEP("early_ack.final");
	cm_poke_head(poke);
	CM_STEP("early_ack.sync3");
	sync_others();
	CM_STEP("early_ack.clear");
	CM_WRITE(early_ack_slot.src, 0);
}

static void early_ack_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		early_ack_patch_one(&poke[i]);
}

static CM_ROUTINE bool early_ack_trapped(struct cm_frame *frame)
{
	CM_STEP("early_ack.trapped");
	if (frame->vector != 3 || frame->ip != CM_READ(early_ack_slot.src))
		return false;
	frame->ip = CM_READ(early_ack_slot.dst);
	return true;
}

static CM_ROUTINE void early_ack_notified(struct cm_frame *frame)
{
	uint32_t variant = cm_protocol()->variant;

	(void)frame;
	CM_STEP("early_ack.notified");
	if (variant & MFENCE_FIRST)
		cm_mb();
	if (variant & SYNC_FIRST)
		cm_sync_core();
	CM_STEP("early_ack.acknowledge");
	/* A locked instruction: a full barrier for data, but it does not serialise. */
	cm_fetch_and32(&early_ack_waiting, ~(1u << cm_cpu_id()));
	CM_STEP("early_ack.acknowledged");
	if (variant & SYNC_LAST)
		cm_sync_core();
}

#define EARLY_ACK(name, summary, bits)                                                     \
	CM_PROTOCOL(name, summary, .patch = early_ack_patch, .trapped = early_ack_trapped, \
		    .notified = early_ack_notified, .variant = (bits))

EARLY_ACK(early_ack, "three syncs, the IPI handler acknowledges and leaves by IRET", 0);
EARLY_ACK(early_ack_mfence, "three syncs, the IPI handler does MFENCE, acknowledges", MFENCE_FIRST);
EARLY_ACK(early_ack_then_sync, "three syncs, the IPI handler acknowledges, then serialises",
	  SYNC_LAST);
EARLY_ACK(early_ack_sync_first, "three syncs, the IPI handler serialises, then acknowledges",
	  SYNC_FIRST);

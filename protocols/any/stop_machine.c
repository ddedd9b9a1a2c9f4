// SPDX-License-Identifier: BSD-2-Clause
/*
 * stop_machine.c - everybody else waits, interrupts off, while one CPU writes.
 *
 *  1. announce the rendezvous, IPI every other CPU	stop_machine.gather
 *  2. others: arrive, interrupts off, wait		stop_machine.arrived
 *  3. when all have arrived, store head and tail	stop_machine.head .tail
 *  4. release; everybody serialises before going on	stop_machine.release
 *  5. when all have left, done			stop_machine.end
 *
 * Step 2 carries the argument: nobody can execute the site while it is
 * written, so tearing is impossible and step 4 makes the new bytes visible.
 * Interrupts are off there; NMIs are not, and an NMI body that runs the site
 * between the two stores of step 3 runs a mixture (reference 3.5, F3).
 */
#include "guest/protocol.h"

enum { STOP_IDLE = 0, STOP_GATHER = 1, STOP_RELEASE = 2 };

static uint32_t stop_machine_state;
static uint32_t stop_machine_arrived[CM_MAX_VCPUS];

static void wait_for_others(uint32_t others, uint32_t value)
{
	for (uint32_t i = 0; i < cm_cpus(); i++)
		while (others & (1u << i) && CM_READ(stop_machine_arrived[i]) != value)
			cm_relax();
}

static CM_ROUTINE void stop_machine_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t others = cm_others();

	CM_STEP("stop_machine.gather");
	CM_WRITE(stop_machine_state, STOP_GATHER);
	cm_ipi(others);
	wait_for_others(others, 1);
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("stop_machine.head");
		cm_poke_head(&poke[i]);
		CM_STEP("stop_machine.tail");
		cm_poke_tail(&poke[i]);
		cm_flush(&poke[i], 0, poke[i].length);
	}
	CM_STEP("stop_machine.release");
	CM_WRITE(stop_machine_state, STOP_RELEASE);
	cm_sync_core();
	wait_for_others(others, 0);
	CM_WRITE(stop_machine_state, STOP_IDLE);
	CM_STEP("stop_machine.end");
}

/* The other CPUs' half; the interrupt gate has turned interrupts off. */
static CM_ROUTINE void stop_machine_notified(struct cm_frame *frame)
{
	uint32_t self = cm_cpu_id();

	(void)frame;
	if (CM_READ(stop_machine_state) != STOP_GATHER)
		return;
	CM_STEP("stop_machine.arrived");
	CM_WRITE(stop_machine_arrived[self], 1);
	while (CM_READ(stop_machine_state) == STOP_GATHER)
		cm_relax();
	cm_sync_core();
	CM_WRITE(stop_machine_arrived[self], 0);
}

CM_PROTOCOL(stop_machine, "rendezvous with interrupts off; the first CPU writes",
	    .patch = stop_machine_patch, .notified = stop_machine_notified);

// SPDX-License-Identifier: BSD-2-Clause
/*
 * membarrier.c - a JIT stores code and calls membarrier(SYNC_CORE), reference
 * 3.2, C13 and 4.1; kernel/sched/membarrier.c before and after Lutomirski's
 * series of December 2020.
 *
 *  1. store the new code			membarrier.store
 *  2. membarrier: IPI every other CPU that runs the process	membarrier.ipis
 *  3. wait until all have acknowledged		membarrier.wait
 *  4. promise: nobody runs the old code		membarrier.end
 *
 * There is no breakpoint: where the code changes by one store that no fetch
 * can see half of, the only question is who runs the old code after step 4.
 * The IPI handler's IRET carries the argument, and does not hold: the CPU may
 * switch to a task that leaves the kernel by SYSRET. "ipi_runs_site" is that
 * task, an execution without any IRET behind the acknowledgement. The caller
 * of step 2 writes and executes through different linear addresses, so it has
 * to serialise as well (SDM vol 3, self-modifying code).
 *
 *   membarrier_barrier		IPI: a barrier. Caller: a barrier. As it was
 *   membarrier_others		IPI: serialise. Caller: a barrier
 *   membarrier_sync_core	IPI: serialise. Caller: serialise. As it is
 */
#include "guest/protocol.h"

enum { SYNC_OTHERS = 1, SYNC_SELF = 2 };

uint32_t membarrier_waiting; /* CPUs that have not acknowledged */

static void barrier(uint32_t serialising)
{
	if (cm_protocol()->variant & serialising)
		cm_sync_core();
	else
		cm_mb();
}

static CM_ROUTINE void membarrier_patch_one(const struct cm_poke *poke)
{
	CM_STEP("membarrier.store");
	if (poke->from[0] != poke->to[0])
		cm_poke_head(poke);
	cm_poke_tail(poke);
	CM_STEP("membarrier.ipis");
	cm_mb();
	CM_WRITE(membarrier_waiting, cm_others());
	cm_ipi(cm_others());
	CM_STEP("membarrier.wait");
	while (CM_READ(membarrier_waiting))
		cm_relax();
	barrier(SYNC_SELF);
	CM_STEP("membarrier.end");
}

static void membarrier_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		membarrier_patch_one(&poke[i]);
}

static CM_ROUTINE void membarrier_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("membarrier.notified");
	barrier(SYNC_OTHERS);
	CM_STEP("membarrier.acknowledge");
	cm_fetch_and32(&membarrier_waiting, ~(1u << cm_cpu_id()));
}

#define MEMBARRIER(name, summary, bits)                                                        \
	CM_PROTOCOL(name, summary, .patch = membarrier_patch, .notified = membarrier_notified, \
		    .variant = (bits))

MEMBARRIER(membarrier_barrier, "membarrier before 2020: IPI and caller only do a barrier", 0);
MEMBARRIER(membarrier_others, "membarrier whose IPI serialises, the caller does not", SYNC_OTHERS);
MEMBARRIER(membarrier_sync_core, "membarrier since 2020: everybody serialises",
	   SYNC_OTHERS | SYNC_SELF);

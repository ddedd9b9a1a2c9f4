// SPDX-License-Identifier: BSD-2-Clause
/*
 * kgdb_roundup.c - a debugger that has stopped every other CPU sets a breakpoint
 * and then synchronises text as always (arm64 since 3b8c9f1cdfc5, 2018; the
 * deadlock and its guards), reference 3.6, A4; 5, row 41.
 *
 *  1. round up: IPI every other CPU, wait for all	kgdb_roundup.gather
 *  2. others: arrive, interrupts off, wait		kgdb_roundup.arrived
 *  3. store head and tail				kgdb_roundup.head .tail
 *  4. flush_icache_range(): IPI every other CPU, wait	kgdb_roundup.flush
 *  5. let the others go				kgdb_roundup.release
 *
 * Step 2 carries the argument, and is what makes step 4 wait for ever: nobody
 * takes an IPI there.
 *
 *   kgdb_roundup		as it was
 *   kgdb_roundup_guard		step 4 is left out while the others are rounded up; they
 *				leave by an exception return, which serialises
 *   kgdb_roundup_poll		step 4 stays; a CPU that waits in step 2 looks for what the
 *				IPI would ask for, and does it
 */
#include "guest/protocol.h"

enum { GUARD = 1, POLL = 2 };

uint32_t kgdb_roundup_active;
uint32_t kgdb_roundup_arrived; /* mask */

static CM_ROUTINE void kgdb_roundup_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t others = cm_others();

	CM_STEP("kgdb_roundup.gather");
	CM_WRITE(kgdb_roundup_active, 1);
	cm_ipi(others);
	while (CM_READ(kgdb_roundup_arrived) != others)
		cm_relax();
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("kgdb_roundup.head");
		cm_poke_head(&poke[i]);
		CM_STEP("kgdb_roundup.tail");
		cm_poke_tail(&poke[i]);
		cm_flush(&poke[i], 0, poke[i].length);
	}
	CM_STEP("kgdb_roundup.flush");
	if (!(cm_protocol()->variant & GUARD))
		cm_sync_all();
	CM_STEP("kgdb_roundup.release");
	CM_WRITE(kgdb_roundup_active, 0);
	while (CM_READ(kgdb_roundup_arrived))
		cm_relax();
	CM_STEP("kgdb_roundup.end");
}

static CM_ROUTINE void kgdb_roundup_notified(struct cm_frame *frame)
{
	uint32_t own = 1u << cm_cpu_id();

	if (!CM_READ(kgdb_roundup_active)) {
		cm_sync_notified(frame);
		return;
	}
	CM_STEP("kgdb_roundup.arrived");
	cm_fetch_or32(&kgdb_roundup_arrived, own);
	while (CM_READ(kgdb_roundup_active)) {
		if (cm_protocol()->variant & POLL)
			cm_sync_notified(frame);
		cm_relax();
	}
	cm_fetch_and32(&kgdb_roundup_arrived, ~own);
}

#define KGDB_ROUNDUP(name, summary, bits)                                                          \
	CM_PROTOCOL(name, summary, .patch = kgdb_roundup_patch, .notified = kgdb_roundup_notified, \
		    .variant = (bits))

KGDB_ROUNDUP(kgdb_roundup, "debugger, others stopped, text synchronised by IPI", 0);
KGDB_ROUNDUP(kgdb_roundup_guard, "debugger, others stopped, no IPI", GUARD);
KGDB_ROUNDUP(kgdb_roundup_poll, "debugger, others stopped and polling for the IPI", POLL);

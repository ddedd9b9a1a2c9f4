// SPDX-License-Identifier: BSD-2-Clause
/*
 * arm/planted.c - the faults of ../any that take an instruction of A64, and
 * what only Arm's caches and vectors can have wrong. The first two patch the
 * site, an A64 one: their fault is in how.
 */
#include "guest/protocol.h"

#define BRK 0xd4200000u

/* Its breakpoint is nobody's. */
static CM_ROUTINE void planted_breakpoint(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("planted.breakpoint");
		cm_poke32(&poke[i], 0, BRK);
		cm_flush(&poke[i], 0, 4);
		cm_sync_all();
	}
}

/* Maintenance in the wrong order: what was invalidated comes back from behind the line not yet clean. */
static CM_ROUTINE void planted_invalidate_first(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("planted.invalidate_first");
		cm_poke_head(&poke[i]);
		cm_invalidate(&poke[i], 0, 4);
		cm_clean(&poke[i], 0, 4);
	}
	cm_sync_all();
}

static CM_ROUTINE void planted_undefined(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_STEP("planted.undefined");
	__asm__ volatile("udf #0");
}

/* The first instruction of every vector is where nothing is: exceptions without end, and no exit. */
static CM_ROUTINE void planted_no_vectors(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_STEP("planted.no_vectors");
	__asm__ volatile("msr vbar_el1, %0\n\tisb\n\tudf #0" ::"r"(0x800ull));
}

CM_PROTOCOL(planted_breakpoint, "leaves a breakpoint that nobody claims",
	    .patch = planted_breakpoint);
CM_PROTOCOL(planted_invalidate_first, "invalidates, then cleans",
	    .patch = planted_invalidate_first);
CM_PROTOCOL(planted_crash, "executes UDF where no site is", .patch = planted_undefined);
CM_PROTOCOL(planted_hang, "loses its vectors", .patch = planted_no_vectors);

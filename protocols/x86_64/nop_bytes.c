// SPDX-License-Identifier: BSD-2-Clause
/*
 * nop_bytes.c - text written byte by byte on the only CPU, and an interrupt on
 * that CPU (Linux commits 2dc419613805 and 3ea1704a9296, both 2023),
 * reference 3.2, C3 and C4; 5, row 27.
 *
 *  1. (interrupts off)				nop_bytes.off
 *  2. store byte after byte			nop_bytes.store
 *  3. (interrupts on)				nop_bytes.on
 *  4. serialise				nop_bytes.sync
 *
 * Step 1 carries the argument: nothing runs between two stores but the code
 * that makes them. Step 4 belongs before step 3.
 *
 *   nop_bytes		interrupts stay on: optimize_nops() before 2dc419613805
 *   nop_bytes_late	steps 1, 2, 3, 4: text_poke_early() before 3ea1704a9296
 *   nop_bytes_off	steps 1, 2, 4, 3: as it is now
 *
 * The interrupt is an IPI that the CPU has sent itself before step 1: it is
 * delivered anywhere from there on. Its handler, or "ipi_runs_site", runs the site.
 */
#include "guest/protocol.h"

enum { OFF = 1, LATE = 2 };

static CM_ROUTINE void nop_bytes_one(const struct cm_poke *poke, uint32_t variant)
{
	CM_STEP("nop_bytes.off");
	if (variant & OFF)
		cm_irq_off();
	CM_STEP("nop_bytes.store");
	for (uint32_t i = 0; i < poke->length; i++)
		cm_poke8(poke, i, poke->to[i]);
	if (!(variant & LATE))
		cm_sync_core();
	CM_STEP("nop_bytes.on");
	if (variant & OFF)
		cm_irq_on();
	CM_STEP("nop_bytes.sync");
	if (variant & LATE)
		cm_sync_core();
}

static void nop_bytes_patch(const struct cm_poke *poke, uint32_t count)
{
	cm_ipi(1u << cm_cpu_id());
	for (uint32_t i = 0; i < count; i++)
		nop_bytes_one(&poke[i], cm_protocol()->variant);
}

#define NOP_BYTES(name, summary, bits) \
	CM_PROTOCOL(name, summary, .patch = nop_bytes_patch, .variant = (bits))

NOP_BYTES(nop_bytes, "byte by byte, interrupts on", 0);
NOP_BYTES(nop_bytes_late, "byte by byte, interrupts off, serialising after they are on",
	  OFF | LATE);
NOP_BYTES(nop_bytes_off, "byte by byte, interrupts off, serialising before they are on", OFF);

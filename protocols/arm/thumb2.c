// SPDX-License-Identifier: BSD-2-Clause
/*
 * thumb2.c - a 32-bit T32 instruction at any halfword, patched without
 * stop_machine(): Steven Rostedt, "Re: [PATCH] ARM: ftrace: Ensure code
 * modifications are synchronised across all cpus", 10 December 2012.
 *
 * 1. The first halfword becomes a 16-bit breakpoint, or a branch over the second.
 * 2. Sync: nobody fetches the old first half any more.
 * 3. The second halfword of the new instruction.
 * 4. Sync: nobody fetches the old second half any more.
 * 5. The first halfword of the new instruction.
 * 6. Sync: nobody fetches the breakpoint or branch any more; the change is promised.
 *
 * The argument is in 2 and 4: whoever sees either 16-bit instruction does not
 * fetch the other half. It is not in the architecture's list of what may be
 * modified while it is executed: the first half of a NOP.W is not there
 * (DDI 0487, E2.2.5). Each store is followed by cache maintenance; "sync" is
 * an IPI whose handler executes ISB. Variants leave one of these out.
 */
#include "guest/protocol.h"

#define BKPT   0xbe00u
#define B_OVER 0xe000u /* B.N to behind the other halfword */

enum {
	BRANCH = 1,
	NO_SYNC1 = 2,
	NO_SYNC2 = 4,
	NO_SYNC3 = 8,
	NO_DC = 16,
	NO_IC = 32,
	ONE_LINE = 64, /* maintain the line of the site's first byte only */
};

static void flush(const struct cm_poke *poke, uint32_t offset)
{
	uint32_t variant = cm_protocol()->variant;

	if (variant & ONE_LINE)
		offset = 0;
	if (!(variant & NO_DC))
		cm_clean(poke, offset, 2);
	if (!(variant & NO_IC))
		cm_invalidate(poke, offset, 2);
	cm_sync_core();
}

static void halfword(const struct cm_poke *poke, uint32_t offset, uint32_t value)
{
	cm_poke16(poke, offset, (uint16_t)value);
	flush(poke, offset);
}

static uint32_t half_of(const struct cm_poke *poke, uint32_t offset)
{
	return (uint32_t)poke->to[offset] | (uint32_t)poke->to[offset + 1] << 8;
}

static CM_ROUTINE void thumb2_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t variant = cm_protocol()->variant;

	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("thumb2.breakpoint");
		halfword(&poke[i], 0, variant & BRANCH ? B_OVER : BKPT);
		CM_STEP("thumb2.sync1");
		if (!(variant & NO_SYNC1))
			cm_sync_all();
		CM_STEP("thumb2.second");
		halfword(&poke[i], 2, half_of(&poke[i], 2));
		CM_STEP("thumb2.sync2");
		if (!(variant & NO_SYNC2))
			cm_sync_all();
		CM_STEP("thumb2.first");
		halfword(&poke[i], 0, half_of(&poke[i], 0));
		CM_STEP("thumb2.sync3");
		if (!(variant & NO_SYNC3))
			cm_sync_all();
	}
	CM_STEP("thumb2.end");
}

/* The breakpoint stands for the old form, done at the site's resume address. */
static bool thumb2_trapped(struct cm_frame *frame)
{
	for (uint32_t i = 0; i < cm_control.sites; i++) {
		const struct cm_site *site = &cm_control.site[i];

		if (frame->vector == CM_EC_BKPT32 && cm_trap_address(frame) == site->text) {
			CM_STEP("thumb2.trapped");
			cm_skip_to(frame, site->resume);
			return true;
		}
	}
	return false;
}

#define THUMB2(name, summary, bits)                                                  \
	CM_ONLY(t32, name);                                                          \
	CM_PROTOCOL(name, summary, .patch = thumb2_patch, .trapped = thumb2_trapped, \
		    .variant = (bits))

THUMB2(thumb2_bkpt, "BKPT, sync, second half, sync, first half, sync", 0);
THUMB2(thumb2_bkpt_no_sync1, "the same without the sync behind BKPT", NO_SYNC1);
THUMB2(thumb2_bkpt_no_sync2, "the same without the sync between the halves", NO_SYNC2);
THUMB2(thumb2_bkpt_no_sync3, "the same without the last sync", NO_SYNC3);
THUMB2(thumb2_bkpt_no_dc, "the same, instruction caches invalidated, data not cleaned", NO_DC);
THUMB2(thumb2_bkpt_no_ic, "the same, data cleaned, instruction caches not invalidated", NO_IC);
THUMB2(thumb2_bkpt_isb_only, "the same, ISB by IPI and no cache maintenance", NO_DC | NO_IC);
THUMB2(thumb2_bkpt_one_line, "the same, maintenance of the first half's line only", ONE_LINE);
THUMB2(thumb2_branch, "B over, sync, second half, sync, first half, sync", BRANCH);
THUMB2(thumb2_branch_no_sync1, "the same without the sync behind B", BRANCH | NO_SYNC1);
THUMB2(thumb2_branch_no_sync2, "the same without the sync between the halves", BRANCH | NO_SYNC2);
THUMB2(thumb2_branch_no_sync3, "the same without the last sync", BRANCH | NO_SYNC3);

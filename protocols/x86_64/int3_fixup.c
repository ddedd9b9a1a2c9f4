// SPDX-License-Identifier: BSD-2-Clause
/*
 * int3_fixup.c - the breakpoint protocol of January 2010 ("text_poke_fixup",
 * Baron and Hiramatsu; Anvin's and Desnoyers' questions), reference 1.1.
 *
 *  1. slot := {site + 1, where to resume}	int3_fixup.slot
 *  2. head := INT3				int3_fixup.head
 *  3. sync1: every CPU serialises		int3_fixup.sync1
 *  4. tail := new				int3_fixup.tail
 *  5. sync2					int3_fixup.sync2
 *  6. head := new				int3_fixup.final
 *  7. sync3					int3_fixup.sync3
 *  8. slot cleared				int3_fixup.clear
 *
 * #BP: saved IP == slot.src ? saved IP := slot.dst, handled : not ours.
 * Interrupts are off in the handler; it ends in IRET.
 *
 * Step 3 carries the argument against old head + new tail, step 5 that
 * against new head + old tail. Step 7 is about the slot's lifetime, not about
 * bytes: no CPU can still be between its trap and the handler's look at the
 * slot when the slot is cleared or used again.
 *
 *   A0	    all three, slot cleared		Baron, Hiramatsu, v4
 *   A1	    without sync2			Anvin: sync3 guards as well
 *   A2	    sync1 only, slot left in place	Anvin: one IPI per atomic poke
 *   sync12  without sync3, slot left in place	nobody: what A2 gains from sync2
 *   sync23  without sync1, slot cleared	nobody: the planted fault of step 3
 *   nosync  none, slot left in place		nobody: what the order alone is worth
 *
 * The slot is written as two words, dst first, so that a CPU that finds the
 * new src in a cleared slot finds its dst too. Where the slot is used again
 * with CPUs still in the handler that is the worse of the two orders, and no
 * order is good: int3_reuse.c.
 */
#include "guest/protocol.h"

enum { SYNC1 = 1, SYNC2 = 2, SYNC3 = 4, CLEAR_SLOT = 8 };

struct fixup_slot {
	uint64_t src;
	uint64_t dst;
};

struct fixup_slot int3_fixup_slot;

static void sync_if(uint32_t which)
{
	if (cm_protocol()->variant & which)
		cm_sync_all();
}

static CM_ROUTINE void int3_fixup_poke(const struct cm_poke *poke)
{
	CM_STEP("int3_fixup.slot");
	CM_WRITE(int3_fixup_slot.dst, poke->site->resume);
	CM_WRITE(int3_fixup_slot.src, poke->site->text + 1);
	CM_STEP("int3_fixup.head");
	cm_poke8(poke, 0, CM_INT3);
	CM_STEP("int3_fixup.sync1");
	sync_if(SYNC1);
	CM_STEP("int3_fixup.tail");
	cm_poke_tail(poke);
	CM_STEP("int3_fixup.sync2");
	sync_if(SYNC2);
	CM_STEP("int3_fixup.final");
	cm_poke_head(poke);
	CM_STEP("int3_fixup.sync3");
	sync_if(SYNC3);
	CM_STEP("int3_fixup.clear");
	if (cm_protocol()->variant & CLEAR_SLOT)
		CM_WRITE(int3_fixup_slot.src, 0);
}

static void int3_fixup_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		int3_fixup_poke(&poke[i]);
}

static CM_ROUTINE bool int3_fixup_trapped(struct cm_frame *frame)
{
	CM_STEP("int3_fixup.trapped");
	if (frame->vector != 3 || frame->ip != CM_READ(int3_fixup_slot.src))
		return false;
	CM_STEP("int3_fixup.matched");
	frame->ip = CM_READ(int3_fixup_slot.dst);
	return true;
}

#define FIXUP(name, summary, bits)                                                           \
	CM_PROTOCOL(name, summary, .patch = int3_fixup_patch, .trapped = int3_fixup_trapped, \
		    .variant = (bits))

FIXUP(int3_fixup_a0, "2010 breakpoint with fixup, three syncs (Baron, Hiramatsu)",
      SYNC1 | SYNC2 | SYNC3 | CLEAR_SLOT);
FIXUP(int3_fixup_a1, "2010 breakpoint with fixup, no sync before the final head (Anvin)",
      SYNC1 | SYNC3 | CLEAR_SLOT);
FIXUP(int3_fixup_a2, "2010 breakpoint with fixup, one sync, slot left in place (Anvin)", SYNC1);
FIXUP(int3_fixup_sync12, "2010 breakpoint with fixup, no sync after the final head, slot left",
      SYNC1 | SYNC2);
FIXUP(int3_fixup_sync23, "2010 breakpoint with fixup, no sync after the breakpoint",
      SYNC2 | SYNC3 | CLEAR_SLOT);
FIXUP(int3_fixup_nosync, "2010 breakpoint with fixup, no sync at all, slot left in place", 0);

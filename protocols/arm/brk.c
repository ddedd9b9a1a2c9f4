// SPDX-License-Identifier: BSD-2-Clause
/*
 * brk.c - an A64 instruction by way of a BRK, for changes that are not on the
 * architecture's list (DDI 0487, B2.2.5).
 *
 * 1. The word becomes BRK. From an instruction of the list only; a trapped CPU
 *    does the old form at the site's resume address.
 * 2. Clean, invalidate, sync: nobody executes the old instruction any more.
 * 3. The new word; clean, invalidate, sync.
 *
 * The argument is in 2: between it and 3 the word is only ever fetched as BRK.
 */
#include "guest/protocol.h"

#define BRK 0xd4200000u

enum { NO_SYNC = 1 };

static uint32_t word_of(const uint8_t *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static CM_ROUTINE void brk_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("brk.breakpoint");
		cm_poke32(&poke[i], 0, BRK);
		cm_flush(&poke[i], 0, 4);
		CM_STEP("brk.sync1");
		if (!(cm_protocol()->variant & NO_SYNC))
			cm_sync_all();
		CM_STEP("brk.word");
		cm_poke32(&poke[i], 0, word_of(poke[i].to));
		cm_flush(&poke[i], 0, 4);
		CM_STEP("brk.sync2");
		cm_sync_all();
	}
	CM_STEP("brk.end");
}

static bool brk_trapped(struct cm_frame *frame)
{
	for (uint32_t i = 0; i < cm_control.sites; i++)
		if (frame->vector == CM_EC_BRK64 &&
		    cm_trap_address(frame) == cm_control.site[i].text) {
			CM_STEP("brk.trapped");
			cm_skip_to(frame, cm_control.site[i].resume);
			return true;
		}
	return false;
}

CM_ONLY(a64, brk);
CM_PROTOCOL(brk, "BRK, sync, word, sync", .patch = brk_patch, .trapped = brk_trapped);
CM_ONLY(a64, brk_no_sync);
CM_PROTOCOL(brk_no_sync, "the same without the first sync", .patch = brk_patch,
	    .trapped = brk_trapped, .variant = NO_SYNC);

// SPDX-License-Identifier: BSD-2-Clause
/*
 * toggle.c - the legal way to switch a 32-bit T32 call on and off without
 * stop_machine(): its disabled form is {B.N over the second half, second half},
 * so that one halfword is the difference, and that change is on the
 * architecture's list (DDI 0487, E2.2.5: the first half of BL to a 16-bit B).
 *
 * 1. Store the halfword; clean, invalidate.
 * 2. Sync every CPU: who has seen the new form does not go back, who comes
 *    later does not see the old one.
 *
 * Step 1 alone keeps every execution whole; step 2 is what the promise rests on.
 */
#include "guest/protocol.h"

enum { NO_SYNC = 1 };

static CM_ROUTINE void toggle_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("toggle.head");
		cm_poke_head(&poke[i]);
		cm_flush(&poke[i], 0, 2);
		CM_STEP("toggle.sync");
		if (!(cm_protocol()->variant & NO_SYNC))
			cm_sync_all();
	}
	CM_STEP("toggle.end");
}

CM_PROTOCOL(toggle, "one halfword of {B.N over, second half}, sync", .patch = toggle_patch);
CM_PROTOCOL(toggle_no_sync, "the same without the sync", .patch = toggle_patch, .variant = NO_SYNC);

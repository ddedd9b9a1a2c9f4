// SPDX-License-Identifier: BSD-2-Clause
/*
 * naive.c - no synchronisation at all.
 *
 *  1. store the new head			naive.head
 *  2. store the new tail			naive.tail
 *
 * No step carries an argument: this is the planted fault of every torn-fetch
 * scenario (reference 5, row 1). A CPU between the two stores, or one that
 * fetches the parts at different times, runs a mixture. Needs no privilege,
 * so it runs at CPL3 as well.
 */
#include "guest/protocol.h"

static CM_ROUTINE void naive_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("naive.head");
		cm_poke_head(&poke[i]);
		CM_STEP("naive.tail");
		cm_poke_tail(&poke[i]);
	}
	CM_STEP("naive.end");
}

CM_PROTOCOL(naive, "head, then tail, no synchronisation", .patch = naive_patch);

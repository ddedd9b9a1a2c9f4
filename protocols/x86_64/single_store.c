// SPDX-License-Identifier: BSD-2-Clause
/*
 * single_store.c - one aligned store and no breakpoint: what JIT compilers do
 * with calls and immediates, and AMD's manual allows inside an aligned
 * quadword (APM vol 2, 7.6.1), reference 3.8 and 4.2.
 *
 *  1. old and new differ in one store's bytes: store	single_store.store
 *  2. (sync)						single_store.sync
 *  3. done						single_store.end
 *
 * Step 1 carries the argument: a fetch that takes an aligned quadword at once
 * sees the whole of the store or nothing of it. Step 2 is about the promise
 * only. A site that crosses a quadword is stored to with one unaligned store;
 * nothing is claimed about it.
 *
 *   single_store		eight bytes, the site's quadword; no sync
 *   single_store_sync		with the sync
 *   single_store_tail		only what is behind the first byte: an aligned immediate may
 *				be stored though its instruction crosses a quadword
 */
#include "guest/protocol.h"

enum { SYNC = 1, TAIL = 2 };

static CM_ROUTINE void single_store_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("single_store.store");
		if (cm_protocol()->variant & TAIL)
			cm_poke_tail(&poke[i]);
		else
			cm_poke_quadword(&poke[i]);
	}
	CM_STEP("single_store.sync");
	if (cm_protocol()->variant & SYNC)
		cm_sync_all();
	CM_STEP("single_store.end");
}

#define SINGLE_STORE(name, summary, bits) \
	CM_PROTOCOL(name, summary, .patch = single_store_patch, .variant = (bits))

SINGLE_STORE(single_store, "one store of the site's quadword, no sync", 0);
SINGLE_STORE(single_store_sync, "one store of the site's quadword, then a sync", SYNC);
SINGLE_STORE(single_store_tail, "one store of an immediate, then a sync", SYNC | TAIL);

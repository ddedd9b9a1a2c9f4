// SPDX-License-Identifier: BSD-2-Clause
/*
 * word_store.c - the whole instruction by one store of a word, as arm64 Linux
 * flips NOP and B for a jump label and NOP and BL for a function tracer
 * (arch/arm64/kernel/patching.c, aarch64_insn_patch_text_nosync()).
 *
 * 1. Store the word.
 * 2. Clean the data cache, invalidate the instruction cache.
 * 3. Sync every CPU (jump labels: since 2024, at the end of a batch).
 *
 * In A64 every fetch is whole, as a word is what is fetched; the promise is in
 * 2 and 3. In T32 the word may be fetched in halves: DDI 0487, E2.2.5, lists no
 * 32-bit NOP, aligned or not. Variants leave a step out.
 */
#include "guest/protocol.h"

enum { NO_DC = 1, NO_IC = 2, NO_SYNC = 4 };

static uint32_t word_of(const uint8_t *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static CM_ROUTINE void word_store_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t variant = cm_protocol()->variant;

	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("word_store.store");
		cm_poke32(&poke[i], 0, word_of(poke[i].to));
		CM_STEP("word_store.flush");
		if (!(variant & NO_DC))
			cm_clean(&poke[i], 0, 4);
		if (!(variant & NO_IC))
			cm_invalidate(&poke[i], 0, 4);
		cm_sync_core();
	}
	CM_STEP("word_store.sync");
	if (!(variant & NO_SYNC))
		cm_sync_all();
	CM_STEP("word_store.end");
}

#define WORD_STORE(name, summary, bits) \
	CM_PROTOCOL(name, summary, .patch = word_store_patch, .variant = (bits))

WORD_STORE(word_store, "one word, clean and invalidate, sync", 0);
WORD_STORE(word_store_no_sync, "the same without the sync of other CPUs", NO_SYNC);
WORD_STORE(word_store_no_dc, "the same, instruction caches invalidated, data not cleaned", NO_DC);
WORD_STORE(word_store_no_ic, "the same, data cleaned, instruction caches not invalidated", NO_IC);
WORD_STORE(word_store_isb_only, "the same, ISB by IPI and no cache maintenance", NO_DC | NO_IC);

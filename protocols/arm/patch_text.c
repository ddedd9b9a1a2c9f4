// SPDX-License-Identifier: BSD-2-Clause
/*
 * patch_text.c - patch_text() of 32-bit Arm Linux (arch/arm/kernel/patch.c):
 * first halfword, then second, under stop_machine(). Russell King's position in
 * the thread of December 2012, and still the implementation.
 *
 * 1. Every other CPU is called in by IPI and waits with interrupts off.
 * 2. The patching CPU stores the two halves, cleans and invalidates.
 * 3. The others leave; each synchronises on its way out.
 *
 * The argument is in 1: nobody executes the site while it is in between. It
 * needs everybody to be in before the first store: with FIRST the CPU that
 * comes first writes, as arm64's patch_text() did before 2021 (the "master"
 * whose count was 1), and those that are still on their way may be at the site.
 */
#include "guest/protocol.h"

enum { FIRST = 1, NO_IC = 2 };

uint32_t patch_text_state; /* 1: come in, 2: written */
uint32_t patch_text_in;	   /* CPUs that have come */
static const struct cm_poke *patch_text_poke;
static uint32_t patch_text_count;

static void write_text(void)
{
	for (uint32_t i = 0; i < patch_text_count; i++) {
		const struct cm_poke *poke = &patch_text_poke[i];

		CM_STEP("patch_text.first");
		cm_poke_head(poke);
		CM_STEP("patch_text.second");
		cm_poke_tail(poke);
		if (cm_protocol()->variant & NO_IC)
			cm_clean(poke, 0, poke->length);
		else
			cm_flush(poke, 0, poke->length);
	}
	CM_STEP("patch_text.release");
	CM_WRITE(patch_text_state, 2);
}

static CM_ROUTINE void patch_text_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t others = 0;

	for (uint32_t i = 0; i < cm_cpus(); i++)
		others += cm_others() >> i & 1;
	patch_text_poke = poke;
	patch_text_count = count;
	CM_STEP("patch_text.gather");
	CM_WRITE(patch_text_state, 1);
	cm_ipi(cm_others());
	if (!(cm_protocol()->variant & FIRST))
		while (CM_READ(patch_text_in) != others)
			cm_relax();
	write_text();
	cm_sync_core();
	/* Everybody has been in, and is out again. */
	while (CM_READ(patch_text_in) != 2 * others)
		cm_relax();
	CM_WRITE(patch_text_in, 0);
	CM_STEP("patch_text.end");
}

static CM_ROUTINE void patch_text_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("patch_text.arrived");
	cm_fetch_add32(&patch_text_in, 1);
	while (CM_READ(patch_text_state) == 1)
		cm_relax();
	cm_sync_core();
	cm_fetch_add32(&patch_text_in, 1);
}

#define PATCH_TEXT(name, summary, bits)                                                        \
	CM_PROTOCOL(name, summary, .patch = patch_text_patch, .notified = patch_text_notified, \
		    .variant = (bits))

PATCH_TEXT(patch_text, "both halves under stop_machine(), the last CPU to come writes", 0);
PATCH_TEXT(patch_text_first, "the same, the first CPU writes", FIRST);
PATCH_TEXT(patch_text_no_ic, "the same, instruction caches not invalidated", NO_IC);

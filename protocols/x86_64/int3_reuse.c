// SPDX-License-Identifier: BSD-2-Clause
/*
 * int3_reuse.c - Hiramatsu's question of January 2010: if sync3 is omitted,
 * how is the handler reused for the next site? Reference 1.1, "Slot reuse".
 *
 *  1. slot := {site + 1, where to resume}	int3_reuse.slot
 *  2. head := INT3				int3_reuse.head
 *  3. every CPU serialises			int3_reuse.sync1
 *  4. tail := new				int3_reuse.tail
 *  5. head := new				int3_reuse.final
 *
 * This is A2 of int3_fixup.c, its slot left in place for the next poke while a
 * CPU may still be between its trap and the handler's look at the slot. No
 * step carries an argument against that; what the variants change is how much
 * of the slot such a CPU finds replaced, and what it then does.
 *
 *   src_first	  two words, src before dst: nobody matches the old src next
 *		  to the new dst, but who has matched it reads dst too late
 *   whole	  one store: a pointer to the site's own pair, which never changes
 *   retry	  two words, dst first as in int3_fixup.c; who matches nothing and
 *		  finds no INT3 at the site any more executes it again
 *   whole_retry  both
 *
 * Retrying turns a trap that nobody explains into a second try, and hides the
 * sync that is missing: a variant, never what other protocols do.
 */
#include "guest/protocol.h"

enum { SRC_FIRST = 1, WHOLE = 2, RETRY = 4 };

struct reuse_pair {
	uint64_t src;
	uint64_t dst;
};

/* One for each site where (WHOLE), else the first for all of them. */
static struct reuse_pair pairs[CM_MAX_SITES];

struct reuse_pair *int3_reuse_slot;

static void int3_reuse_prepare(void)
{
	CM_WRITE(int3_reuse_slot, &pairs[0]);
}

static void set_slot(const struct cm_site *site)
{
	uint32_t variant = cm_protocol()->variant;
	struct reuse_pair *pair = &pairs[variant & WHOLE ? site - cm_control.site : 0];

	if (variant & SRC_FIRST)
		CM_WRITE(pair->src, site->text + 1);
	CM_WRITE(pair->dst, site->resume);
	if (!(variant & SRC_FIRST))
		CM_WRITE(pair->src, site->text + 1);
	if (variant & WHOLE)
		CM_WRITE(int3_reuse_slot, pair);
}

static CM_ROUTINE void int3_reuse_poke(const struct cm_poke *poke)
{
	CM_STEP("int3_reuse.slot");
	set_slot(poke->site);
	CM_STEP("int3_reuse.head");
	cm_poke8(poke, 0, CM_INT3);
	CM_STEP("int3_reuse.sync1");
	cm_sync_all();
	CM_STEP("int3_reuse.tail");
	cm_poke_tail(poke);
	CM_STEP("int3_reuse.final");
	cm_poke_head(poke);
	CM_STEP("int3_reuse.end");
}

static void int3_reuse_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		int3_reuse_poke(&poke[i]);
}

/* By a data read, which sees memory as it is: the alias, not this CPU's fetches. */
static bool breakpoint_is_gone(uint64_t text)
{
	for (uint32_t i = 0; i < cm_control.sites; i++)
		if (cm_control.site[i].text == text)
			return *(const volatile uint8_t *)cm_control.site[i].alias != CM_INT3;
	return false;
}

static CM_ROUTINE bool int3_reuse_trapped(struct cm_frame *frame)
{
	const struct reuse_pair *pair;

	CM_STEP("int3_reuse.trapped");
	if (frame->vector != 3)
		return false;
	pair = CM_READ(int3_reuse_slot);
	if (frame->ip == CM_READ(pair->src)) {
		CM_STEP("int3_reuse.matched");
		frame->ip = CM_READ(pair->dst);
		return true;
	}
	CM_STEP("int3_reuse.unmatched");
	if (!(cm_protocol()->variant & RETRY) || !breakpoint_is_gone(cm_trap_address(frame)))
		return false;
	frame->ip = cm_trap_address(frame);
	return true;
}

#define REUSE(name, summary, bits)                                                           \
	CM_PROTOCOL(name, summary, .patch = int3_reuse_patch, .trapped = int3_reuse_trapped, \
		    .prepare = int3_reuse_prepare, .variant = (bits))

REUSE(int3_reuse_src_first, "2010 one sync, slot reused: two words, source first", SRC_FIRST);
REUSE(int3_reuse_whole, "2010 one sync, slot reused: replaced by one store", WHOLE);
REUSE(int3_reuse_retry, "2010 one sync, slot reused: unmatched trap tries again", RETRY);
REUSE(int3_reuse_whole_retry, "2010 one sync, slot reused: one store, unmatched tries again",
      WHOLE | RETRY);

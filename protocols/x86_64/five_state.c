// SPDX-License-Identifier: BSD-2-Clause
/*
 * five_state.c - roll back instead of waiting (H. Peter Anvin, 14 Jan 2019,
 * "Static calls", reviewed by Andy Lutomirski), reference 1.3.
 *
 *  1. state := 1, installing			five_state.install
 *  2. head := INT3				five_state.head
 *  3. sync: mask := others; IPIs; wait for mask = 0	five_state.sync1
 *  4. cmpxchg(state, 1, 2) fails: cancelled, back to 1	five_state.commit
 *  5. tail := new, head := new			five_state.tail .final
 *  6. state := 3				five_state.written
 *  7. sync					five_state.sync2
 *  8. state := 0				five_state.end
 *
 * #BP: cmpxchg(state, 1, 4). It was 1 or 4: cmpxchg(head, INT3, old), so the
 * patch is cancelled; 2: tail := new, head := new; 3: nothing; 0: not ours.
 * Then clear the own bit in mask, and execute the site again.
 * IPI: clear the own bit, then serialise.
 *
 * Step 4 carries the argument: no handler ever waits for anybody, so there is
 * no deadlock, and INT3 is everywhere before the tail is written.
 *
 *   five_state			the message, to the letter
 *   five_state_sync_first	IPI: serialise, then clear
 *   five_state_amended		and: #BP in state 2 sets 3 (Lutomirski)
 *
 * Found here: a handler that has set 4 may be slow to roll back, and then takes
 * the breakpoint of the next round away, after clearing the bit that would have
 * told; no NMI and no weak fetch is needed. Our repairs:
 *
 *   five_state_fenced		a cancelled round ends in a sync as well, so no handler
 *				of it is left when the next begins
 *   five_state_fenced_ipi	and only the IPI clears the bit: it cannot come inside a
 *				#BP, while an NMI's own #BP could answer for the one below
 *   five_state_forward		no roll-back at all: #BP leads past the site, as in 2010;
 *				a sync between tail and head, and the patcher serialises
 *				too. Nothing is ever retried, whatever the rate of NMIs
 *
 * The patcher itself does not serialise: the message has it so.
 * A batch is patched as the message's "sites" have it: one write address, that
 * of the first, for all of them.
 */
#include "guest/protocol.h"

enum { IDLE = 0, INSTALLING = 1, COMMITTED = 2, WRITTEN = 3, CANCELLED = 4 };
enum {
	SYNC_FIRST = 1,
	SET_WRITTEN = 2,
	FENCE = 4,
	IPI_ONLY = 8,
	FORWARD = 16,
};

uint32_t five_state_state;
uint32_t five_state_mask;
uint8_t five_state_old_head;
static struct cm_poke five_state_poke; /* at bp_write_addr */

static bool five_state_has(uint32_t flag)
{
	return cm_protocol()->variant & flag;
}

static void five_state_sync(void)
{
	CM_WRITE(five_state_mask, cm_others());
	cm_ipi(cm_others());
	if (five_state_has(FORWARD))
		cm_sync_core();
	while (CM_READ(five_state_mask))
		cm_relax();
}

/* INT3 on every site, and everywhere; false: a handler has cancelled it. */
static CM_ROUTINE bool five_state_install(const struct cm_poke *poke, uint32_t count)
{
	CM_STEP("five_state.install");
	CM_WRITE(five_state_state, INSTALLING);
	CM_STEP("five_state.head");
	for (uint32_t i = 0; i < count; i++)
		cm_poke8(&poke[i], 0, CM_INT3);
	CM_STEP("five_state.sync1");
	five_state_sync();
	CM_STEP("five_state.commit");
	if (cm_cmpxchg32(&five_state_state, INSTALLING, COMMITTED) == INSTALLING)
		return true;
	CM_STEP("five_state.fence");
	if (five_state_has(FENCE))
		five_state_sync();
	return false;
}

static CM_ROUTINE void five_state_patch(const struct cm_poke *poke, uint32_t count)
{
	five_state_poke = poke[0];
	five_state_old_head = cm_text8(&poke[0], 0);
	while (!five_state_install(poke, count))
		cm_retry();
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("five_state.tail");
		cm_poke_tail(&poke[i]);
		if (five_state_has(FORWARD))
			five_state_sync();
		CM_STEP("five_state.final");
		cm_poke_head(&poke[i]);
	}
	CM_STEP("five_state.written");
	CM_WRITE(five_state_state, WRITTEN);
	CM_STEP("five_state.sync2");
	five_state_sync();
	CM_STEP("five_state.end");
	CM_WRITE(five_state_state, IDLE);
}

static void five_state_clear_own_bit(void)
{
	cm_fetch_and32(&five_state_mask, ~(1u << cm_cpu_id()));
}

static CM_ROUTINE void five_state_roll_back(void)
{
	CM_STEP("five_state.roll_back");
	cm_text8_cmpxchg(&five_state_poke, 0, CM_INT3, five_state_old_head);
}

static CM_ROUTINE void five_state_complete(void)
{
	CM_STEP("five_state.complete");
	cm_poke_tail(&five_state_poke);
	cm_poke_head(&five_state_poke);
	if (five_state_has(SET_WRITTEN))
		CM_WRITE(five_state_state, WRITTEN);
}

static CM_ROUTINE bool five_state_trapped(struct cm_frame *frame)
{
	uint32_t state;

	if (frame->vector != 3)
		return false;
	CM_STEP("five_state.trapped");
	if (five_state_has(FORWARD)) {
		frame->ip = five_state_poke.site->resume;
		return CM_READ(five_state_state) != IDLE;
	}
	state = cm_cmpxchg32(&five_state_state, INSTALLING, CANCELLED);
	if (state == IDLE)
		return false;
	if (state == INSTALLING || state == CANCELLED)
		five_state_roll_back();
	else if (state == COMMITTED)
		five_state_complete();
	if (!five_state_has(IPI_ONLY))
		five_state_clear_own_bit();
	frame->ip = cm_trap_address(frame);
	return true;
}

static CM_ROUTINE void five_state_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("five_state.notified");
	if (five_state_has(SYNC_FIRST)) {
		cm_sync_core();
		five_state_clear_own_bit();
	} else {
		five_state_clear_own_bit();
		cm_sync_core();
	}
}

#define FIVE_STATE(name, summary, bits)                                                      \
	CM_PROTOCOL(name, summary, .patch = five_state_patch, .trapped = five_state_trapped, \
		    .notified = five_state_notified, .variant = (bits))

FIVE_STATE(five_state, "2019 roll-back in five states (Anvin), to the letter", 0);
FIVE_STATE(five_state_sync_first, "2019 roll-back, the IPI handler serialises first", SYNC_FIRST);
FIVE_STATE(five_state_amended, "2019 roll-back with Lutomirski's amendments",
	   SYNC_FIRST | SET_WRITTEN);
FIVE_STATE(five_state_fenced, "2019 roll-back, a cancelled round is fenced", SYNC_FIRST | FENCE);
FIVE_STATE(five_state_fenced_ipi, "2019 roll-back, fenced, only the IPI acknowledges",
	   SYNC_FIRST | FENCE | IPI_ONLY);
FIVE_STATE(five_state_forward, "2019 states without roll-back: #BP leads past the site",
	   SYNC_FIRST | IPI_ONLY | FORWARD);

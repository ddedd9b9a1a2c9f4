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
 * The patcher itself does not serialise: the message has it so.
 * A batch is patched as the message's "sites" have it: one write address, that
 * of the first, for all of them.
 */
#include "guest/protocol.h"

enum { IDLE = 0, INSTALLING = 1, COMMITTED = 2, WRITTEN = 3, CANCELLED = 4 };
enum { SYNC_FIRST = 1, SET_WRITTEN = 2 };

uint32_t five_state_state;
uint32_t five_state_mask;
uint8_t five_state_old_head;
static struct cm_poke five_state_poke; /* at bp_write_addr */

static void five_state_sync(void)
{
	CM_WRITE(five_state_mask, cm_others());
	cm_ipi(cm_others());
	while (CM_READ(five_state_mask))
		cm_relax();
}

static CM_ROUTINE void five_state_patch(const struct cm_poke *poke, uint32_t count)
{
	five_state_poke = poke[0];
	five_state_old_head = cm_text8(&poke[0], 0);
	do {
		CM_STEP("five_state.install");
		CM_WRITE(five_state_state, INSTALLING);
		CM_STEP("five_state.head");
		for (uint32_t i = 0; i < count; i++)
			cm_poke8(&poke[i], 0, CM_INT3);
		CM_STEP("five_state.sync1");
		five_state_sync();
		CM_STEP("five_state.commit");
	} while (cm_cmpxchg32(&five_state_state, INSTALLING, COMMITTED) != INSTALLING);
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("five_state.tail");
		cm_poke_tail(&poke[i]);
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

static CM_ROUTINE bool five_state_trapped(struct cm_frame *frame)
{
	uint32_t state;

	if (frame->vector != 3)
		return false;
	CM_STEP("five_state.trapped");
	state = cm_cmpxchg32(&five_state_state, INSTALLING, CANCELLED);
	switch (state) {
	case INSTALLING:
	case CANCELLED:
		CM_STEP("five_state.roll_back");
		cm_text8_cmpxchg(&five_state_poke, 0, CM_INT3, five_state_old_head);
		break;
	case COMMITTED:
		CM_STEP("five_state.complete");
		cm_poke_tail(&five_state_poke);
		cm_poke_head(&five_state_poke);
		if (cm_protocol()->variant & SET_WRITTEN)
			CM_WRITE(five_state_state, WRITTEN);
		break;
	case WRITTEN:
		break;
	default:
		return false;
	}
	five_state_clear_own_bit();
	frame->ip = cm_trap_address(frame);
	return true;
}

static CM_ROUTINE void five_state_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("five_state.notified");
	if (cm_protocol()->variant & SYNC_FIRST) {
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

// SPDX-License-Identifier: BSD-2-Clause
/*
 * planted.c - routines with one fault each, for the tests of what must find it.
 * Built into an image of its own, as a user's routines are; none of them patches
 * anything, so none but its own fault can be seen. What takes an instruction of
 * one architecture is in x86_64/ and arm/.
 */
#include "guest/protocol.h"

enum { IDLE, ASKED, AGREED, REFUSED };

static uint32_t planted_state;
static uint32_t planted_seen;
uint64_t planted_nowhere = 0x8000c0debad00000;
uint64_t planted_nothing = 8;

static void nothing(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
}

/* Refused by every NMI between the question and the answer, asked again for ever. */
static CM_ROUTINE void planted_ask(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	do {
		CM_STEP("planted.ask");
		CM_WRITE(planted_state, ASKED);
	} while (cm_cmpxchg32(&planted_state, ASKED, AGREED) != ASKED);
}

static void planted_refuse(struct cm_frame *frame)
{
	(void)frame;
	cm_cmpxchg32(&planted_state, ASKED, REFUSED);
}

/* Waits for somebody who is not there. */
static CM_ROUTINE void planted_wait(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	while (CM_READ(planted_state) != AGREED)
		cm_relax();
}

/* The same, but the first NMI would be the answer. */
static void planted_agree(struct cm_frame *frame)
{
	(void)frame;
	CM_WRITE(planted_state, AGREED);
}

/* To the CPUs of (variant), the caller among them. */
static CM_ROUTINE void planted_send(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	CM_STEP("planted.send");
	cm_nmi(cm_protocol()->variant);
	while (CM_READ(planted_seen) != cm_protocol()->variant)
		cm_relax();
}

static void planted_note(struct cm_frame *frame)
{
	(void)frame;
	cm_fetch_or32(&planted_seen, 1u << cm_cpu_id());
}

/* A fault where no site is. */
static CM_ROUTINE void planted_read_null(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	CM_STEP("planted.null");
	(void)CM_READ(*(uint32_t *)(uintptr_t)planted_nothing);
}

/* A pointer to nowhere. */
static CM_ROUTINE void planted_wild_store(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	CM_STEP("planted.wild");
	CM_WRITE(*(uint32_t *)(uintptr_t)planted_nowhere, 1);
}

/* Borrows from a stack that the reduction takes for another's own. */
static CM_ROUTINE void planted_borrow(const struct cm_poke *poke, uint32_t count)
{
	extern uint8_t cm_stacks[];
	volatile uint8_t *other = cm_stacks + (size_t)CM_STACKS * CM_STACK_SIZE * 2 - 64;

	nothing(poke, count);
	*other = (uint8_t)(*other + 1);
}

static const uint32_t planted_never_true;

static CM_ROUTINE void planted_branch(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	if (CM_READ(planted_never_true)) {
		CM_STEP("planted.never");
		CM_WRITE(planted_state, AGREED);
	}
}

/* At full speed: one patch as long as the run, starting over all the time. */
static CM_ROUTINE void planted_start_over(const struct cm_poke *poke, uint32_t count)
{
	nothing(poke, count);
	while (!CM_READ(cm_control.stop)) {
		cm_retry();
		cm_relax();
	}
}

CM_PROTOCOL(planted_late, "starts over until it is told to stop", .patch = planted_start_over);
CM_PROTOCOL(planted_livelock, "asks again for ever, if NMIs refuse", .patch = planted_ask,
	    .nmi = planted_refuse);
CM_PROTOCOL(planted_deadlock, "waits for somebody who is not there", .patch = planted_wait);
CM_PROTOCOL(planted_owed, "waits for an NMI, which nobody owes it", .patch = planted_wait,
	    .nmi = planted_agree);
CM_PROTOCOL(planted_sent, "sends NMIs and waits for them", .patch = planted_send,
	    .nmi = planted_note, .variant = 3);
CM_PROTOCOL(planted_sent_self, "sends itself an NMI and waits for it", .patch = planted_send,
	    .nmi = planted_note, .variant = 1);
CM_PROTOCOL(planted_unseen, "sends NMIs that nobody answers", .patch = planted_send, .variant = 3);
CM_PROTOCOL(planted_null, "reads where nothing is", .patch = planted_read_null);
CM_PROTOCOL(planted_wild, "stores through a wild pointer", .patch = planted_wild_store);
CM_PROTOCOL(planted_borrow, "writes another vCPU's stack", .patch = planted_borrow);
CM_PROTOCOL(planted_branch, "has an instruction that is never executed", .patch = planted_branch);

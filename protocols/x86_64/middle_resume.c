// SPDX-License-Identifier: BSD-2-Clause
/*
 * middle_resume.c - one instruction replaces several, and a CPU stands between
 * two of them (reference 1.1, question 8; 5, row 28). Linux's optimised kprobes
 * wait with synchronize_rcu_tasks() for that; LiteInst avoids such sites.
 *
 *  1. (bar the way in: head := INT3, sync)	middle_resume.bar
 *  2. (wait until no CPU is inside)		middle_resume.quiet
 *  3. store: one store of the quadword, or,	middle_resume.store
 *     behind the bar, tail, sync, head
 *  4. sync					middle_resume.sync
 *
 * #BP: resume behind the site: what is left of NOPs needs no emulation.
 *
 * Step 2 carries the argument against a resume in the middle, and it needs
 * step 1, for nothing else keeps a CPU from going in again behind its back.
 *
 *   middle_resume		steps 3 and 4
 *   middle_resume_int3		breakpoint, but no wait: steps 1, 3, 4
 *   middle_resume_wait		wait, but no breakpoint: steps 2, 3, 4
 *   middle_resume_tasks	all; step 2: until every CPU has passed a quiescent state
 *   middle_resume_tasks_first	the same, but step 2 before step 1
 *   middle_resume_poll		all; step 2: IPIs until none interrupts a CPU inside
 *   middle_resume_move		all; step 2: one IPI, which moves the CPU behind the site
 */
#include "guest/protocol.h"

enum { BAR = 1, TASKS = 2, TASKS_FIRST = 4, POLL = 8, MOVE = 16 };

uint32_t middle_resume_asked;  /* CPUs that have yet to say where they are */
uint32_t middle_resume_inside; /* CPUs that were inside */
uint32_t middle_resume_busy;   /* CPUs that have passed no quiescent state yet */
uint32_t middle_resume_over;   /* CPUs whose role is over */
static const struct cm_site *middle_resume_site;

/* synchronize_rcu_tasks() */
static CM_ROUTINE void wait_for_tasks(void)
{
	CM_WRITE(middle_resume_busy, cm_others());
	while (CM_READ(middle_resume_busy) & ~CM_READ(middle_resume_over))
		cm_relax();
}

static CM_ROUTINE void middle_resume_quiescent(bool over)
{
	uint32_t own = 1u << cm_cpu_id();

	CM_STEP("middle_resume.quiescent");
	if (over)
		cm_fetch_or32(&middle_resume_over, own);
	cm_fetch_and32(&middle_resume_busy, ~own);
}

/* Every CPU serialises, and says where it was. */
static CM_ROUTINE void middle_resume_sync(void)
{
	CM_WRITE(middle_resume_inside, 0);
	CM_WRITE(middle_resume_asked, cm_others());
	cm_ipi(cm_others());
	cm_sync_core();
	while (CM_READ(middle_resume_asked))
		cm_relax();
}

static CM_ROUTINE void middle_resume_notified(struct cm_frame *frame)
{
	uint32_t own = 1u << cm_cpu_id();
	const struct cm_site *site = CM_READ(middle_resume_site);

	CM_STEP("middle_resume.notified");
	cm_sync_core();
	if (frame->ip - site->text - 1 < site->length - 1) {
		cm_fetch_or32(&middle_resume_inside, own);
		if (cm_protocol()->variant & MOVE)
			frame->ip = site->resume;
	}
	cm_fetch_and32(&middle_resume_asked, ~own);
}

static CM_ROUTINE void wait_until_quiet(uint32_t variant)
{
	CM_STEP("middle_resume.quiet");
	if (variant & TASKS)
		wait_for_tasks();
	if (variant & POLL)
		do {
			middle_resume_sync();
		} while (CM_READ(middle_resume_inside));
	if (variant & MOVE)
		middle_resume_sync();
}

static CM_ROUTINE void middle_resume_one(const struct cm_poke *poke, uint32_t variant)
{
	middle_resume_site = poke->site;
	if (variant & TASKS_FIRST)
		wait_for_tasks();
	CM_STEP("middle_resume.bar");
	if (variant & BAR) {
		cm_poke8(poke, 0, CM_INT3);
		middle_resume_sync();
	}
	wait_until_quiet(variant);
	if (variant & BAR) {
		CM_STEP("middle_resume.tail");
		cm_poke_tail(poke);
		middle_resume_sync();
		CM_STEP("middle_resume.head");
		cm_poke_head(poke);
	} else {
		CM_STEP("middle_resume.store");
		cm_poke_quadword(poke);
	}
	CM_STEP("middle_resume.sync");
	middle_resume_sync();
}

static void middle_resume_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		middle_resume_one(&poke[i], cm_protocol()->variant);
}

static CM_ROUTINE bool middle_resume_trapped(struct cm_frame *frame)
{
	const struct cm_site *site = CM_READ(middle_resume_site);

	CM_STEP("middle_resume.trapped");
	if (frame->vector != 3 || !site || cm_trap_address(frame) != site->text)
		return false;
	frame->ip = site->resume;
	return true;
}

#define MIDDLE_RESUME(name, summary, bits)                                                         \
	CM_PROTOCOL(name, summary, .patch = middle_resume_patch, .trapped = middle_resume_trapped, \
		    .notified = middle_resume_notified, .quiescent = middle_resume_quiescent,      \
		    .variant = (bits))

MIDDLE_RESUME(middle_resume, "several instructions replaced by one store, then a sync", 0);
MIDDLE_RESUME(middle_resume_int3, "the same behind a breakpoint on the first", BAR);
MIDDLE_RESUME(middle_resume_wait, "the same after a quiescent state of every CPU", TASKS);
MIDDLE_RESUME(middle_resume_tasks, "breakpoint, quiescent state of every CPU, store", BAR | TASKS);
MIDDLE_RESUME(middle_resume_tasks_first, "quiescent state of every CPU, breakpoint, store",
	      BAR | TASKS_FIRST);
MIDDLE_RESUME(middle_resume_poll, "breakpoint, IPIs until no CPU is inside, store", BAR | POLL);
MIDDLE_RESUME(middle_resume_move, "breakpoint, an IPI moves who is inside, store", BAR | MOVE);

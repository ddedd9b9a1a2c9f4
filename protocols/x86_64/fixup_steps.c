// SPDX-License-Identifier: BSD-2-Clause
/*
 * fixup_steps.c - the nine steps that Masami Hiramatsu asked about ("Is this
 * correct?", 14 Jan 2010), to the letter, reference 1.1, A4.
 *
 *  1. lock text_mutex: there is one patcher, so nothing
 *  2. slot := {site + 1, where to resume}		fixup_steps.slot
 *  3. head := INT3, smp_wmb				fixup_steps.head
 *  4. IPI to all, whose handler does smp_mb (or cpuid)	fixup_steps.sync1
 *  5. tail := new, smp_wmb				fixup_steps.tail
 *  6. head := new					fixup_steps.final
 *  7. IPI to all, to wait for running #BP handlers	fixup_steps.wait
 *  8. slot cleared					fixup_steps.clear
 *  9. unlock
 *
 * #BP: saved IP == slot.src ? saved IP := slot.dst : not ours.
 *
 * Step 7 carries the argument for step 8, and only where the #BP handler
 * cannot be interrupted by what step 7 waits for: "the breakpoint handler is
 * an interrupt gate" (Desnoyers). Steps 4 and 7 are on_each_cpu(): the patcher
 * calls the function as well.
 *
 *   fixup_steps		smp_mb: MFENCE, then acknowledge
 *   fixup_steps_cpuid	a serialising instruction, then acknowledge
 *   fixup_steps_irqs_on	and #BP through a trap gate: interrupts stay as they were
 *   fixup_steps_nmi	and the wait of 4 and 7 can be served by an NMI as well
 *   fixup_steps_poll	and #BP serves it first, then looks at the slot
 *   fixup_steps_poll_last	#BP looks at the slot, then serves it
 *   fixup_steps_retry	as irqs_on; no match, and INT3 is gone: execute the site again
 */
#include "guest/protocol.h"

enum { SERIALISE = 1, TRAP_GATE = 2, POLL = 4, POLL_LAST = 8, RETRY = 16 };

struct fixup_steps_slot {
	uint64_t src;
	uint64_t dst;
};

struct fixup_steps_slot fixup_steps_slot;
uint32_t fixup_steps_waiting;		/* CPUs whose function has not run yet */
static struct cm_poke fixup_steps_poke; /* for RETRY */

static void barrier(void)
{
	if (cm_protocol()->variant & SERIALISE)
		cm_sync_core();
	else
		cm_mb();
}

static void serve(void)
{
	uint32_t own = 1u << cm_cpu_id();

	if (!(CM_READ(fixup_steps_waiting) & own))
		return;
	barrier();
	CM_STEP("fixup_steps.served");
	cm_fetch_and32(&fixup_steps_waiting, ~own);
}

static void on_each_cpu(void)
{
	uint32_t others = cm_others();

	CM_WRITE(fixup_steps_waiting, others);
	cm_ipi(others);
	barrier();
	while (CM_READ(fixup_steps_waiting))
		cm_relax();
}

static CM_ROUTINE void fixup_steps_patch_one(const struct cm_poke *poke)
{
	fixup_steps_poke = *poke;
	CM_STEP("fixup_steps.slot");
	CM_WRITE(fixup_steps_slot.dst, poke->site->resume);
	CM_WRITE(fixup_steps_slot.src, poke->site->text + 1);
	CM_STEP("fixup_steps.head");
	cm_poke8(poke, 0, CM_INT3);
	cm_wmb();
	CM_STEP("fixup_steps.sync1");
	on_each_cpu();
	CM_STEP("fixup_steps.tail");
	cm_poke_tail(poke);
	cm_wmb();
	CM_STEP("fixup_steps.final");
	cm_poke_head(poke);
	CM_STEP("fixup_steps.wait");
	on_each_cpu();
	CM_STEP("fixup_steps.clear");
	CM_WRITE(fixup_steps_slot.src, 0);
}

static void fixup_steps_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		fixup_steps_patch_one(&poke[i]);
}

static CM_ROUTINE bool look_at_slot(struct cm_frame *frame)
{
	CM_STEP("fixup_steps.look");
	if (frame->ip == CM_READ(fixup_steps_slot.src)) {
		frame->ip = CM_READ(fixup_steps_slot.dst);
		return true;
	}
	if (!(cm_protocol()->variant & RETRY) || cm_text8(&fixup_steps_poke, 0) == CM_INT3)
		return false;
	frame->ip = cm_trap_address(frame);
	return true;
}

static CM_ROUTINE bool fixup_steps_trapped(struct cm_frame *frame)
{
	uint32_t variant = cm_protocol()->variant;
	bool ours;

	if (frame->vector != 3)
		return false;
	CM_STEP("fixup_steps.trapped");
	/* A trap gate leaves IF alone, so a #BP in an interrupt handler keeps them off. */
	if (variant & TRAP_GATE && frame->flags & CM_FLAGS_IF)
		cm_irq_on();
	if (variant & POLL)
		serve();
	ours = look_at_slot(frame);
	if (variant & POLL_LAST)
		serve();
	return ours;
}

static CM_ROUTINE void fixup_steps_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("fixup_steps.notified");
	serve();
}

#define STEPS(name, summary, bits, ...)                                                        \
	CM_PROTOCOL(name, summary, .patch = fixup_steps_patch, .trapped = fixup_steps_trapped, \
		    .notified = fixup_steps_notified, .variant = (bits), __VA_ARGS__)

STEPS(fixup_steps, "2010 nine steps (Hiramatsu), the IPI handler does smp_mb", 0);
STEPS(fixup_steps_cpuid, "2010 nine steps, the IPI handler serialises", SERIALISE);
STEPS(fixup_steps_irqs_on, "2010 nine steps, #BP handler with interrupts on",
      SERIALISE | TRAP_GATE);
STEPS(fixup_steps_nmi, "2010 nine steps, the sync can be delivered as an NMI", SERIALISE,
      .nmi = fixup_steps_notified);
STEPS(fixup_steps_poll, "2010 nine steps, #BP handler serves the sync, then looks",
      SERIALISE | POLL);
STEPS(fixup_steps_poll_last, "2010 nine steps, #BP handler looks, then serves the sync",
      SERIALISE | POLL_LAST);
STEPS(fixup_steps_retry, "2010 nine steps, interrupts on, #BP retries when INT3 is gone",
      SERIALISE | TRAP_GATE | RETRY);

// SPDX-License-Identifier: BSD-2-Clause
/*
 * cpumask.c - synchronise by a mask of CPUs, without waiting for the IPI's
 * function to return (H. Peter Anvin, 13 Jan 2019, and Andy Lutomirski's
 * answer), reference 1.2.
 *
 *  1. head := INT3				cpumask.head
 *  2. sync1: mask := others; IPIs; wait for mask = 0	cpumask.sync1
 *  3. tail := new				cpumask.tail
 *  4. sync2					cpumask.sync2
 *  5. head := new				cpumask.final
 *  6. sync3					cpumask.sync3
 *
 * IPI: clear the own bit; "we leave by IRET", which serialises.
 * #BP: clear the own bit and execute the site again, until the breakpoint is
 * gone. No fixup, no emulation. The patcher itself does not serialise.
 *
 * The invariant that carries the argument: a bit is cleared by its CPU only,
 * and an IRET lies between that and any execution of the site.
 *
 *   cpumask_ack		the message
 *   cpumask_wait		#BP waits inside the handler, interrupts off, instead
 *   cpumask_finish	"everyone who clears the bit ... check if all bits are
 *			clear and, if so, remove the breakpoint" (Lutomirski)
 *   cpumask_finish_armed	the same, but only while sync1 waits for the mask
 *   cpumask_serialise	the message; the IPI handler serialises before it clears
 *   cpumask_lock		finish_armed, and NMIs that run the site under a spinlock: "all
 *			NMI handlers that might wait in a spinlock" (Lutomirski)
 *   cpumask_lock_poll	the same; who spins looks whether a sync is wanted of it
 */
#include "guest/protocol.h"

enum { FINISH = 1, ARMED = 2, SERIALISE = 4, WAIT = 8, LOCK = 16, POLL = 32 };

uint32_t cpumask_mask;
uint32_t cpumask_armed;	 /* sync1 has filled the mask */
uint32_t cpumask_active; /* a poke is in flight */
uint32_t cpumask_nmi_lock;
static struct cm_poke cpumask_poke;

/* Tail, then head: what is left to do once every CPU has seen the breakpoint. */
static CM_ROUTINE void cpumask_finish_patch(void)
{
	CM_STEP("cpumask.finish");
	cm_poke_tail(&cpumask_poke);
	cm_poke_head(&cpumask_poke);
}

static void clear_own_bit(void)
{
	uint32_t own = 1u << cm_cpu_id();
	uint32_t variant = cm_protocol()->variant;
	uint32_t left = cm_fetch_and32(&cpumask_mask, ~own) & ~own;

	if (!left && variant & FINISH && (!(variant & ARMED) || CM_READ(cpumask_armed)))
		cpumask_finish_patch();
}

static void cpumask_sync(uint32_t armed)
{
	uint32_t others = cm_others();

	cm_wmb();
	CM_WRITE(cpumask_mask, others);
	CM_WRITE(cpumask_armed, armed);
	cm_wmb();
	cm_ipi(others);
	while (CM_READ(cpumask_mask))
		cm_relax();
	CM_WRITE(cpumask_armed, 0);
}

static CM_ROUTINE void cpumask_patch_one(const struct cm_poke *poke)
{
	cpumask_poke = *poke;
	CM_WRITE(cpumask_active, 1);
	CM_STEP("cpumask.head");
	cm_poke8(poke, 0, CM_INT3);
	CM_STEP("cpumask.sync1");
	cpumask_sync(1);
	CM_STEP("cpumask.tail");
	cm_poke_tail(poke);
	CM_STEP("cpumask.sync2");
	cpumask_sync(0);
	CM_STEP("cpumask.final");
	cm_poke_head(poke);
	CM_STEP("cpumask.sync3");
	cpumask_sync(0);
	CM_WRITE(cpumask_active, 0);
}

static void cpumask_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		cpumask_patch_one(&poke[i]);
}

static CM_ROUTINE bool cpumask_trapped(struct cm_frame *frame)
{
	CM_STEP("cpumask.trapped");
	if (frame->vector != 3 || !CM_READ(cpumask_active) ||
	    cm_trap_address(frame) != cpumask_poke.site->text)
		return false;
	clear_own_bit();
	if (cm_protocol()->variant & WAIT) {
		CM_STEP("cpumask.wait");
		while (cm_text8(&cpumask_poke, 0) == CM_INT3)
			cm_relax();
	}
	frame->ip = cm_trap_address(frame);
	return true;
}

static CM_ROUTINE void cpumask_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("cpumask.notified");
	if (cm_protocol()->variant & SERIALISE)
		cm_sync_core();
	clear_own_bit();
}

/* An NMI body with a lock of its own, the site inside. */
static CM_ROUTINE void cpumask_nmi(struct cm_frame *frame)
{
	(void)frame;
	if (!(cm_protocol()->variant & LOCK))
		return;
	CM_STEP("cpumask.nmi_lock");
	while (cm_cmpxchg32(&cpumask_nmi_lock, 0, 1))
		cm_relax();
	cm_run_sites();
	CM_WRITE(cpumask_nmi_lock, 0);
}

/* In every wait loop, that of the lock too. */
static CM_ROUTINE void cpumask_spin(void)
{
	if (!(cm_protocol()->variant & POLL) || !(CM_READ(cpumask_mask) & 1u << cm_cpu_id()))
		return;
	CM_STEP("cpumask.poll");
	cm_sync_core();
	clear_own_bit();
}

#define CPUMASK(name, summary, bits)                                                        \
	CM_PROTOCOL(name, summary, .patch = cpumask_patch, .trapped = cpumask_trapped,      \
		    .notified = cpumask_notified, .nmi = cpumask_nmi, .spin = cpumask_spin, \
		    .variant = (bits))

CPUMASK(cpumask_ack, "2019 cpumask sync; #BP clears its bit and tries again (Anvin)", 0);
CPUMASK(cpumask_wait, "2019 cpumask sync; #BP waits inside until the breakpoint is gone", WAIT);
CPUMASK(cpumask_finish, "2019 cpumask sync; who clears the last bit finishes (Lutomirski)", FINISH);
CPUMASK(cpumask_finish_armed, "2019 cpumask sync; who clears the last bit of sync1 finishes",
	FINISH | ARMED);
CPUMASK(cpumask_serialise, "2019 cpumask sync; the IPI handler serialises before it clears",
	SERIALISE);
CPUMASK(cpumask_lock, "2019 cpumask sync; NMIs run the site under a spinlock",
	FINISH | ARMED | LOCK);
CPUMASK(cpumask_lock_poll, "2019 cpumask sync; who spins in an NMI answers the sync",
	FINISH | ARMED | LOCK | POLL);

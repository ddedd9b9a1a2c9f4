// SPDX-License-Identifier: BSD-2-Clause
/*
 * migrated_patcher.c - the patcher changes CPU between "online without me" and
 * the IPIs (reference 1.3, question 7, and 5, row 42). The 2010 protocol with
 * a sync of the 2019 messages' kind:
 *
 *  1. slot, head := INT3				migrated_patcher.head
 *  2. mask := online without me			migrated_patcher.mask
 *  3. preempted: the task goes on on the last vCPU	migrated_patcher.migrate
 *  4. IPIs to mask; wait for mask = 0		migrated_patcher.sync1
 *  5. tail := new				migrated_patcher.tail
 *  6. sync2, with a mask of its own		migrated_patcher.sync2
 *  7. head := new				migrated_patcher.final
 *  8. sync3; slot cleared			migrated_patcher.sync3
 *
 * The CPU that took the mask runs another task from step 3 on, one that
 * executes the site. It is not in the mask, so nothing makes it serialise
 * before step 5. The CPU the task goes on on is: an IPI to itself.
 *
 * What carries the argument is that steps 2 and 4 are on one CPU, with
 * preemption off in between.
 *
 *   migrated_patcher		as above, from vCPU 0 to the last one
 *   migrated_patcher_late_mask	3 before 2: the mask is taken where it is used
 *   migrated_patcher_back	after step 1 to the last vCPU, which takes the
 *				mask; after step 2 back to vCPU 0. So the CPU that
 *				is left out did not store the INT3 itself either
 */
#include "guest/protocol.h"

enum { LATE_MASK = 1, BACK = 2 };

struct migrated_patcher_slot {
	uint64_t src;
	uint64_t dst;
};

struct migrated_patcher_slot migrated_patcher_slot;
uint32_t migrated_patcher_mask;	 /* who has to serialise */
uint32_t migrated_patcher_runs;	 /* the task is to be run on the last vCPU */
uint32_t migrated_patcher_taken; /* it has taken its mask there */
uint32_t migrated_patcher_done;
static struct cm_poke migrated_patcher_poke;

static CM_ROUTINE void take_mask(void)
{
	CM_STEP("migrated_patcher.mask");
	CM_WRITE(migrated_patcher_mask, cm_others());
}

static void sync_mask(void)
{
	cm_ipi(CM_READ(migrated_patcher_mask));
	while (CM_READ(migrated_patcher_mask))
		cm_relax();
}

/* The task's second half. Interrupts are on: it waits for an IPI of its own, perhaps. */
static CM_ROUTINE void go_on(void)
{
	const struct cm_poke *poke = &migrated_patcher_poke;

	if (cm_protocol()->variant & LATE_MASK)
		take_mask();
	CM_STEP("migrated_patcher.sync1");
	sync_mask();
	CM_STEP("migrated_patcher.tail");
	cm_poke_tail(poke);
	CM_STEP("migrated_patcher.sync2");
	CM_WRITE(migrated_patcher_mask, cm_others());
	sync_mask();
	CM_STEP("migrated_patcher.final");
	cm_poke_head(poke);
	CM_STEP("migrated_patcher.sync3");
	CM_WRITE(migrated_patcher_mask, cm_others());
	sync_mask();
	CM_WRITE(migrated_patcher_slot.src, 0);
	CM_WRITE(migrated_patcher_done, 1);
}

static CM_ROUTINE void migrated_patcher_patch_one(const struct cm_poke *poke)
{
	migrated_patcher_poke = *poke;
	CM_WRITE(migrated_patcher_done, 0);
	CM_WRITE(migrated_patcher_slot.dst, poke->site->resume);
	CM_WRITE(migrated_patcher_slot.src, poke->site->text + 1);
	CM_STEP("migrated_patcher.head");
	cm_poke8(poke, 0, CM_INT3);
	if (!(cm_protocol()->variant & (LATE_MASK | BACK)))
		take_mask();
	CM_STEP("migrated_patcher.migrate");
	CM_WRITE(migrated_patcher_runs, 1);
	cm_ipi(1u << (cm_cpus() - 1));
	if (cm_protocol()->variant & BACK) {
		while (!CM_READ(migrated_patcher_taken))
			cm_relax();
		CM_WRITE(migrated_patcher_taken, 0);
		go_on();
		return;
	}
	/* This CPU's next task. */
	CM_STEP("migrated_patcher.next_task");
	cm_run_sites();
	while (!CM_READ(migrated_patcher_done))
		cm_relax();
}

static void migrated_patcher_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		migrated_patcher_patch_one(&poke[i]);
}

static CM_ROUTINE bool migrated_patcher_trapped(struct cm_frame *frame)
{
	CM_STEP("migrated_patcher.trapped");
	if (frame->vector != 3 || frame->ip != CM_READ(migrated_patcher_slot.src))
		return false;
	frame->ip = CM_READ(migrated_patcher_slot.dst);
	return true;
}

/* On the last vCPU: what it is there for. */
static void run_task(void)
{
	if (cm_protocol()->variant & BACK) {
		take_mask();
		CM_WRITE(migrated_patcher_taken, 1);
		return;
	}
	cm_irq_on();
	go_on();
	cm_irq_off();
}

/* The sync's function; on the last vCPU the scheduler as well, which runs the task. */
static CM_ROUTINE void migrated_patcher_notified(struct cm_frame *frame)
{
	uint32_t own = 1u << cm_cpu_id();

	(void)frame;
	CM_STEP("migrated_patcher.notified");
	if (CM_READ(migrated_patcher_runs) && cm_cpu_id() == cm_cpus() - 1) {
		CM_WRITE(migrated_patcher_runs, 0);
		run_task();
		return;
	}
	cm_sync_core();
	cm_fetch_and32(&migrated_patcher_mask, ~own);
}

#define MIGRATED(name, summary, bits)                                                           \
	CM_PROTOCOL(name, summary, .patch = migrated_patcher_patch,                             \
		    .trapped = migrated_patcher_trapped, .notified = migrated_patcher_notified, \
		    .variant = (bits))

MIGRATED(migrated_patcher, "the patcher migrates between its mask and its IPIs", 0);
MIGRATED(migrated_patcher_late_mask, "the patcher migrates, then takes its mask", LATE_MASK);
MIGRATED(migrated_patcher_back, "the patcher migrates, takes its mask, migrates back", BACK);

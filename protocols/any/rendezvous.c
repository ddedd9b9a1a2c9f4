// SPDX-License-Identifier: BSD-2-Clause
/*
 * rendezvous.c - stop_machine as arm64, riscv, csky and xtensa used it to patch
 * text, before and after "patch_text: Fixup last cpu should be master" (2022,
 * 31a099dbd91e), reference 3.6, A2; 5, row 39.
 *
 *  1. announce, IPI every other CPU		rendezvous.announce
 *  2. every CPU, interrupts off: arrive, wait for all	rendezvous.arrive
 *  3. every CPU calls the function: count itself	rendezvous.enter
 *  4. one of them, the master, stores head and tail	rendezvous.head .tail
 *     and counts once more			rendezvous.release
 *  5. the others wait for that count, serialise	rendezvous.wait
 *  6. every CPU: leave, wait for all		rendezvous.leave
 *
 * Step 3 carries the argument: the last CPU to count itself knows that all
 * others wait in step 5. The first one knows that they are in step 2 or
 * behind it, interrupts off, which is not the same: the way from there to
 * step 5 is code too, and may hold a site (a traced function, a static branch).
 *
 *   rendezvous_first		the first CPU is master; the site is elsewhere
 *   rendezvous_first_entry	the same, and the way into the function leads through the site
 *   rendezvous_last_entry	the last CPU is master, same way in
 *   rendezvous_last_exit	the same, but the site is between release and serialising
 */
#include "guest/protocol.h"

enum { LAST = 1, ENTRY = 2, EXIT = 4 };
enum { GATHER = 1, RUN = 2 }; /* then 3, left */

uint32_t rendezvous_state;
uint32_t rendezvous_acks;  /* CPUs that have arrived, or left */
uint32_t rendezvous_count; /* of the function: CPUs in it, and 1 when it is done */
static uint32_t rendezvous_cpus;
static uint32_t rendezvous_pokes;
static struct cm_poke rendezvous_poke[CM_MAX_SITES];

/* multi_cpu_stop(): the last CPU to come moves everybody from (state) to the next. */
static CM_ROUTINE void move_on_from(uint32_t state)
{
	if (cm_fetch_add32(&rendezvous_acks, 1) + 1 == rendezvous_cpus) {
		CM_WRITE(rendezvous_acks, 0);
		CM_WRITE(rendezvous_state, state + 1);
	}
	while (CM_READ(rendezvous_state) == state)
		cm_relax();
}

static CM_ROUTINE void be_master(void)
{
	for (uint32_t i = 0; i < rendezvous_pokes; i++) {
		CM_STEP("rendezvous.head");
		cm_poke_head(&rendezvous_poke[i]);
		CM_STEP("rendezvous.tail");
		cm_poke_tail(&rendezvous_poke[i]);
		cm_flush(&rendezvous_poke[i], 0, rendezvous_poke[i].length);
	}
	cm_sync_core();
	CM_STEP("rendezvous.release");
	cm_fetch_add32(&rendezvous_count, 1);
}

static CM_ROUTINE void rendezvous_function(void)
{
	uint32_t variant = cm_protocol()->variant;
	uint32_t master = variant & LAST ? rendezvous_cpus - 1 : 0;

	if (variant & ENTRY)
		cm_run_sites();
	CM_STEP("rendezvous.enter");
	if (cm_fetch_add32(&rendezvous_count, 1) == master) {
		be_master();
		return;
	}
	CM_STEP("rendezvous.wait");
	while (CM_READ(rendezvous_count) <= rendezvous_cpus)
		cm_relax();
	if (variant & EXIT)
		cm_run_sites();
	cm_sync_core();
}

static CM_ROUTINE void stop(void)
{
	CM_STEP("rendezvous.arrive");
	move_on_from(GATHER);
	rendezvous_function();
	CM_STEP("rendezvous.leave");
	move_on_from(RUN);
}

static CM_ROUTINE void rendezvous_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t others = cm_others();

	rendezvous_cpus = 1;
	for (uint32_t i = 0; i < cm_cpus(); i++)
		rendezvous_cpus += others >> i & 1;
	for (uint32_t i = 0; i < count; i++)
		rendezvous_poke[i] = poke[i];
	rendezvous_pokes = count;
	rendezvous_count = 0;
	CM_STEP("rendezvous.announce");
	CM_WRITE(rendezvous_state, GATHER);
	cm_ipi(others);
	cm_irq_off();
	stop();
	cm_irq_on();
}

static void rendezvous_notified(struct cm_frame *frame)
{
	(void)frame;
	stop();
}

#define RENDEZVOUS(name, summary, bits)                                                        \
	CM_PROTOCOL(name, summary, .patch = rendezvous_patch, .notified = rendezvous_notified, \
		    .variant = (bits))

RENDEZVOUS(rendezvous_first, "rendezvous, the first CPU in the function writes", 0);
RENDEZVOUS(rendezvous_first_entry, "the same, the way into the function holds a site", ENTRY);
RENDEZVOUS(rendezvous_last_entry, "rendezvous, the last CPU writes; the way in holds a site",
	   LAST | ENTRY);
RENDEZVOUS(rendezvous_last_exit, "the same; a site between the release and serialising",
	   LAST | EXIT);

// SPDX-License-Identifier: BSD-2-Clause
/*
 * deferred_sync.c - a CPU in user mode is not disturbed, it serialises when it
 * next enters the kernel (Zijlstra, Saenz Julienne, Schneider: "context
 * tracking, x86: Defer kernel text patching IPIs", 2023 to 2026), reference 2.1
 * and 5, row 32.
 *
 *  1. slot := {site + 1, where to resume}	deferred_sync.slot
 *  2. head := INT3				deferred_sync.head
 *  3. sync1					deferred_sync.sync1
 *  4. tail := new				deferred_sync.tail
 *  5. sync2					deferred_sync.sync2
 *  6. head := new				deferred_sync.final
 *  7. sync3					deferred_sync.sync3
 *  8. slot cleared				deferred_sync.clear
 *
 * Sync, for every other CPU: it is in the kernel ? IPI and wait : leave it a
 * note, do not wait. Kernel entry: say "in the kernel", look for a note,
 * serialise. What carries the argument is that nothing patchable runs on a CPU
 * between its entry and that serialising instruction.
 *
 * A CPU in user mode is one that is offline at first: it executes no site and
 * takes no IPI. Coming up is its kernel entry.
 *
 *   deferred_sync		state and note in one word; entry takes both at
 *				once, then serialises (context tracking, to v6)
 *   deferred_sync_patchable	the entry code runs a site before it looks
 *   deferred_sync_nmi		NMI entry serialises when there is a note,
 *				although the CPU is "in the kernel" already
 *   deferred_sync_flag_last	no note: entry always serialises, by its write to
 *				CR3, then sets the flag "in the kernel", as
 *				kernel_cr3_loaded is set for TLB flushes
 *				("Is that OK?", Hansen, 19 November 2025)
 *   deferred_sync_flag_first	the flag, then CR3
 */
#include "guest/protocol.h"

enum { PATCHABLE = 1, NMI_LOOKS = 2, FLAG_LAST = 4, FLAG_FIRST = 8 };
enum { IN_KERNEL = 1, NOTE = 2 };

struct deferred_sync_slot {
	uint64_t src;
	uint64_t dst;
};

struct deferred_sync_slot deferred_sync_slot;
uint32_t deferred_sync_state[CM_MAX_VCPUS];
uint32_t deferred_sync_waiting; /* CPUs that were sent an IPI and have not serialised */

static bool has_flag(void)
{
	return cm_protocol()->variant & (FLAG_LAST | FLAG_FIRST);
}

/* Is (cpu) in user mode, and if there are notes, has it got one? */
static CM_ROUTINE bool defer(uint32_t cpu)
{
	uint32_t state = CM_READ(deferred_sync_state[cpu]), was;

	CM_STEP("deferred_sync.defer");
	while (!has_flag() && !(state & IN_KERNEL)) {
		was = cm_cmpxchg32(&deferred_sync_state[cpu], state, state | NOTE);
		if (was == state)
			return true;
		state = was;
	}
	return !(state & IN_KERNEL);
}

static void sync_or_defer(void)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < cm_cpus(); i++)
		if (i != cm_cpu_id() && !defer(i))
			mask |= 1u << i;
	CM_WRITE(deferred_sync_waiting, mask);
	cm_ipi(mask);
	cm_sync_core();
	while (CM_READ(deferred_sync_waiting))
		cm_relax();
}

static CM_ROUTINE void deferred_sync_patch_one(const struct cm_poke *poke)
{
	CM_STEP("deferred_sync.slot");
	CM_WRITE(deferred_sync_slot.dst, poke->site->resume);
	CM_WRITE(deferred_sync_slot.src, poke->site->text + 1);
	CM_STEP("deferred_sync.head");
	cm_poke8(poke, 0, CM_INT3);
	CM_STEP("deferred_sync.sync1");
	sync_or_defer();
	CM_STEP("deferred_sync.tail");
	cm_poke_tail(poke);
	CM_STEP("deferred_sync.sync2");
	sync_or_defer();
	CM_STEP("deferred_sync.final");
	cm_poke_head(poke);
	CM_STEP("deferred_sync.sync3");
	sync_or_defer();
	CM_STEP("deferred_sync.clear");
	CM_WRITE(deferred_sync_slot.src, 0);
}

static void deferred_sync_patch(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		deferred_sync_patch_one(&poke[i]);
}

static void deferred_sync_prepare(void)
{
	for (uint32_t i = 0; i < cm_cpus(); i++)
		CM_WRITE(deferred_sync_state[i], cm_online() & 1u << i ? IN_KERNEL : 0);
}

static CM_ROUTINE bool deferred_sync_trapped(struct cm_frame *frame)
{
	CM_STEP("deferred_sync.trapped");
	if (frame->vector != 3 || frame->ip != CM_READ(deferred_sync_slot.src))
		return false;
	frame->ip = CM_READ(deferred_sync_slot.dst);
	return true;
}

static CM_ROUTINE void deferred_sync_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("deferred_sync.notified");
	cm_sync_core();
	cm_fetch_and32(&deferred_sync_waiting, ~(1u << cm_cpu_id()));
}

/* From user mode, interrupts off. */
static CM_ROUTINE void deferred_sync_entry(void)
{
	uint32_t variant = cm_protocol()->variant;
	uint32_t *state = &deferred_sync_state[cm_cpu_id()];

	CM_STEP("deferred_sync.entry");
	if (variant & PATCHABLE)
		cm_run_sites();
	if (variant & FLAG_LAST) {
		cm_sync_core();
		CM_STEP("deferred_sync.loaded");
		CM_WRITE(*state, IN_KERNEL);
	} else if (variant & FLAG_FIRST) {
		CM_WRITE(*state, IN_KERNEL);
		cm_sync_core();
	} else if (cm_fetch_or32(state, IN_KERNEL) & NOTE) {
		CM_STEP("deferred_sync.flush");
		cm_sync_core();
	}
}

/* From user mode or from the kernel, which it tells by the state. */
static CM_ROUTINE void deferred_sync_nmi_entry(struct cm_frame *frame)
{
	uint32_t state = CM_READ(deferred_sync_state[cm_cpu_id()]);

	(void)frame;
	CM_STEP("deferred_sync.nmi");
	if (!(state & IN_KERNEL))
		deferred_sync_entry();
	else if (cm_protocol()->variant & NMI_LOOKS && state & NOTE)
		cm_sync_core();
}

#define DEFERRED(name, summary, bits)                                                              \
	CM_PROTOCOL(name, summary, .patch = deferred_sync_patch, .prepare = deferred_sync_prepare, \
		    .trapped = deferred_sync_trapped, .notified = deferred_sync_notified,          \
		    .nmi = deferred_sync_nmi_entry, .cpu_online = deferred_sync_entry,             \
		    .variant = (bits))

DEFERRED(deferred_sync, "sync of user-mode CPUs deferred to their kernel entry", 0);
DEFERRED(deferred_sync_patchable, "deferred sync, patchable code on the entry path", PATCHABLE);
DEFERRED(deferred_sync_nmi, "deferred sync, NMI entry looks for the note too", NMI_LOOKS);
DEFERRED(deferred_sync_flag_last, "deferred sync by the CR3 write, flag set behind it", FLAG_LAST);
DEFERRED(deferred_sync_flag_first, "deferred sync by the CR3 write, flag set before it",
	 FLAG_FIRST);

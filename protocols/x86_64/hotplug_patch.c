// SPDX-License-Identifier: BSD-2-Clause
/*
 * hotplug_patch.c - the breakpoint protocol, and a CPU that comes online while
 * a poke is in flight ("Who is in the IPI mask?", reference 1.1, question 6;
 * 5, row 30). The poke is int3_fixup.c's A0.
 *
 *  1. (lock hotplug)				hotplug_patch.lock
 *  2. slot := {site + 1, where to resume}	hotplug_patch.slot
 *  3. head := INT3				hotplug_patch.head
 *  4. sync1: every online CPU serialises	hotplug_patch.sync1
 *  5. tail := new				hotplug_patch.tail
 *  6. sync2					hotplug_patch.sync2
 *  7. head := new				hotplug_patch.final
 *  8. sync3					hotplug_patch.sync3
 *  9. slot cleared				hotplug_patch.clear
 * 10. (unlock)					hotplug_patch.unlock
 *
 * A CPU that comes online (locks hotplug,) puts itself into the online mask
 * (and unlocks); it may serialise before or after that.
 *
 * Step 4 carries the argument, for the CPUs in the mask: one that is not may
 * have fetched the old instruction long ago, and nobody waits for its handler.
 *
 *   hotplug_patch			no lock, the mask read anew for each sync
 *   hotplug_patch_once			no lock, the mask read once
 *   hotplug_patch_early		no lock; the CPU serialises, then is online
 *   hotplug_patch_late			no lock; the CPU is online, then serialises
 *   hotplug_patch_late_once		the same, but the mask is read once
 *   hotplug_patch_lock			lock; the CPU never serialises
 *   hotplug_patch_lock_early		lock; the CPU serialises, then takes the lock
 *   hotplug_patch_lock_sync		lock; the CPU serialises while it holds the lock
 */
#include "guest/protocol.h"

enum { LOCK = 1, ONCE = 2, SYNC_BEFORE_LOCK = 4, SYNC_BEFORE_ONLINE = 8, SYNC_AFTER_ONLINE = 16 };

struct hotplug_slot {
	uint64_t src;
	uint64_t dst;
};

struct hotplug_slot hotplug_patch_slot;
uint32_t hotplug_patch_lock;	/* the hotplug lock, of either side */
uint32_t hotplug_patch_waiting; /* CPUs that have yet to serialise */

static void lock_if(bool wanted)
{
	while (wanted && cm_cmpxchg32(&hotplug_patch_lock, 0, 1))
		cm_relax();
}

static void unlock_if(bool wanted)
{
	if (wanted)
		CM_WRITE(hotplug_patch_lock, 0);
}

/* on_each_cpu(sync_core, wait), on the CPUs of (once) or on those that are online now. */
static void hotplug_patch_sync(uint32_t once)
{
	uint32_t mask = cm_protocol()->variant & ONCE ? once : cm_others();

	CM_WRITE(hotplug_patch_waiting, mask);
	cm_ipi(mask);
	cm_sync_core();
	while (CM_READ(hotplug_patch_waiting))
		cm_relax();
}

static CM_ROUTINE void hotplug_patch_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("hotplug_patch.notified");
	cm_sync_core();
	cm_fetch_and32(&hotplug_patch_waiting, ~(1u << cm_cpu_id()));
}

static CM_ROUTINE void hotplug_patch_poke(const struct cm_poke *poke)
{
	uint32_t others = cm_others();

	CM_STEP("hotplug_patch.slot");
	CM_WRITE(hotplug_patch_slot.dst, poke->site->resume);
	CM_WRITE(hotplug_patch_slot.src, poke->site->text + 1);
	CM_STEP("hotplug_patch.head");
	cm_poke8(poke, 0, CM_INT3);
	CM_STEP("hotplug_patch.sync1");
	hotplug_patch_sync(others);
	CM_STEP("hotplug_patch.tail");
	cm_poke_tail(poke);
	CM_STEP("hotplug_patch.sync2");
	hotplug_patch_sync(others);
	CM_STEP("hotplug_patch.final");
	cm_poke_head(poke);
	CM_STEP("hotplug_patch.sync3");
	hotplug_patch_sync(others);
	CM_STEP("hotplug_patch.clear");
	CM_WRITE(hotplug_patch_slot.src, 0);
}

static CM_ROUTINE void hotplug_patch_patch(const struct cm_poke *poke, uint32_t count)
{
	bool lock = cm_protocol()->variant & LOCK;

	CM_STEP("hotplug_patch.lock");
	lock_if(lock);
	for (uint32_t i = 0; i < count; i++)
		hotplug_patch_poke(&poke[i]);
	CM_STEP("hotplug_patch.unlock");
	unlock_if(lock);
}

static CM_ROUTINE bool hotplug_patch_trapped(struct cm_frame *frame)
{
	CM_STEP("hotplug_patch.trapped");
	if (frame->vector != 3 || frame->ip != CM_READ(hotplug_patch_slot.src))
		return false;
	frame->ip = CM_READ(hotplug_patch_slot.dst);
	return true;
}

static CM_ROUTINE void hotplug_patch_online(void)
{
	uint32_t variant = cm_protocol()->variant;

	CM_STEP("hotplug_patch.online");
	if (variant & SYNC_BEFORE_LOCK)
		cm_sync_core();
	lock_if(variant & LOCK);
	if (variant & SYNC_BEFORE_ONLINE)
		cm_sync_core();
	cm_set_online();
	if (variant & SYNC_AFTER_ONLINE)
		cm_sync_core();
	unlock_if(variant & LOCK);
}

#define HOTPLUG(name, summary, bits)                                                               \
	CM_PROTOCOL(name, summary, .patch = hotplug_patch_patch, .trapped = hotplug_patch_trapped, \
		    .notified = hotplug_patch_notified, .cpu_online = hotplug_patch_online,        \
		    .variant = (bits))

HOTPLUG(hotplug_patch, "breakpoint, no hotplug lock", 0);
HOTPLUG(hotplug_patch_once, "breakpoint, no hotplug lock, one mask for all syncs", ONCE);
HOTPLUG(hotplug_patch_early, "breakpoint, no hotplug lock; serialise, then online",
	SYNC_BEFORE_ONLINE);
HOTPLUG(hotplug_patch_late, "breakpoint, no hotplug lock; online, then serialise",
	SYNC_AFTER_ONLINE);
HOTPLUG(hotplug_patch_late_once, "the same, one mask for all syncs", SYNC_AFTER_ONLINE | ONCE);
HOTPLUG(hotplug_patch_lock, "breakpoint, hotplug locked, nobody serialises on arrival", LOCK);
HOTPLUG(hotplug_patch_lock_early, "breakpoint, hotplug locked; serialise, then lock",
	LOCK | SYNC_BEFORE_LOCK);
HOTPLUG(hotplug_patch_lock_sync, "breakpoint, hotplug locked; serialise under the lock",
	LOCK | SYNC_BEFORE_ONLINE);

// SPDX-License-Identifier: BSD-2-Clause
/*
 * static_key.c - two CPUs enable one static key, and the second returns before
 * the first has patched ("locking/static_key: Fix concurrent
 * static_key_slow_inc()", 2016, 4c5ea0a9cd02), reference 3.3, D1; 5, row 29.
 *
 *  1. enabled is not 0: count, return		static_key.fast
 *  2. lock					static_key.lock
 *  3. enabled was 0: enabled := 1 (before), or	static_key.count
 *     -1 while the text is written (after)
 *  4. store the site's quadword, sync		static_key.store
 *  5. (enabled := 1)				static_key.done
 *  6. unlock					static_key.unlock
 *
 * Step 1 carries the argument: whoever returns there says that somebody else
 * has patched. So enabled may be greater than 0 only after step 4.
 *
 *   static_key		enabled is counted, then the text is written
 *   static_key_fixed	-1 until it is written; step 1 counts only what is greater than 0
 *   static_key_early	the same, but 1 is stored between the store and its sync (our own)
 *
 * The first CPU is the patcher. The second comes online late, enables the key
 * too if the first has begun, and promises the site in its own name before it
 * plays its role. Text is written with one store inside a quadword: chunk 8.
 */
#include "guest/protocol.h"

enum { FIXED = 1, EARLY = 2 };

#define BUSY UINT32_MAX /* -1 */

uint32_t static_key_enabled;
uint32_t static_key_lock;

/* jump_label_update() */
static CM_ROUTINE void update(struct cm_site *site)
{
	const struct cm_poke poke = { site, site->old_bytes, site->new_bytes, site->length };

	CM_STEP("static_key.store");
	cm_poke_quadword(&poke);
	if (cm_protocol()->variant & EARLY)
		CM_WRITE(static_key_enabled, 1);
	CM_STEP("static_key.sync");
	cm_sync_all();
}

/* Count if the key is enabled as far as anybody can tell. */
static CM_ROUTINE bool inc_if_enabled(uint32_t variant)
{
	uint32_t seen = CM_READ(static_key_enabled);

	CM_STEP("static_key.fast");
	while (seen && !(variant & FIXED && seen == BUSY)) {
		uint32_t now = cm_cmpxchg32(&static_key_enabled, seen, seen + 1);

		if (now == seen)
			return true;
		seen = now;
	}
	return false;
}

static CM_ROUTINE void slow_inc(struct cm_site *site)
{
	uint32_t variant = cm_protocol()->variant;

	if (inc_if_enabled(variant))
		return;
	CM_STEP("static_key.lock");
	while (cm_cmpxchg32(&static_key_lock, 0, 1))
		cm_relax();
	CM_STEP("static_key.count");
	if (variant & FIXED) {
		if (!CM_READ(static_key_enabled)) {
			CM_WRITE(static_key_enabled, BUSY);
			update(site);
			CM_STEP("static_key.done");
			if (!(variant & EARLY))
				CM_WRITE(static_key_enabled, 1);
		} else {
			cm_fetch_add32(&static_key_enabled, 1);
		}
	} else if (!cm_fetch_add32(&static_key_enabled, 1)) {
		update(site);
	}
	CM_STEP("static_key.unlock");
	CM_WRITE(static_key_lock, 0);
}

static void static_key_patch(const struct cm_poke *poke, uint32_t count)
{
	(void)count;
	slow_inc(poke->site);
}

/* The second enabler: an ordinary online CPU, once it has come up. */
static CM_ROUTINE void static_key_online(void)
{
	struct cm_site *site = &cm_control.site[0];

	cm_set_online();
	cm_sync_core();
	cm_irq_on();
	if (!CM_READ(site->started))
		return;
	slow_inc(site);
	CM_STEP("static_key.promise");
	CM_WRITE(site->promised, 1);
}

#define STATIC_KEY(name, summary, bits)                                                        \
	CM_PROTOCOL(name, summary, .patch = static_key_patch, .cpu_online = static_key_online, \
		    .variant = (bits))

STATIC_KEY(static_key, "static_key_slow_inc() before 2016, two enablers", 0);
STATIC_KEY(static_key_fixed, "static_key_slow_inc() since 2016, two enablers", FIXED);
STATIC_KEY(static_key_early, "the same, enabled before the sync", FIXED | EARLY);

// SPDX-License-Identifier: BSD-2-Clause
/*
 * linux_batch.c - the breakpoint protocol of Linux as of 6.16, batched, with
 * an emulating handler (Hiramatsu, Oliveira, Zijlstra, Molnar), reference 2.1.
 *
 *  1. array := what every site becomes, sorted	linux_batch.add
 *  2. every CPU's reference := 1		linux_batch.publish
 *  3. every head := INT3			linux_batch.head
 *  4. sync1					linux_batch.sync1
 *  5. every tail := new			linux_batch.tail
 *  6. sync2, when there was a tail		linux_batch.sync2
 *  7. every head := new, but where that is INT3	linux_batch.final
 *  8. sync3, when there was a head		linux_batch.sync3
 *  9. per CPU: put the reference, wait for 0	linux_batch.put
 * 10. array := empty				linux_batch.empty
 *
 * #BP: get the own reference unless it is 0; find the site by saved IP - 1,
 * by bisection when there are several; emulate the new instruction; put it.
 * An entry that becomes INT3 is somebody else's, and so is what is not found.
 *
 * No step waits for a handler's progress but step 9, and no handler waits at
 * all. Steps 4 and 6 carry the argument about bytes; step 8 that about the
 * array: a CPU trapped on a site of it lets no IPI in before its handler ends.
 * Step 9 is for breakpoints that stay, and those of others.
 *
 *   linux_batch		all of it
 *   linux_batch_one_ref	one reference for all CPUs: 6.0 to 6.15 (efd608fa7403)
 *   linux_batch_no_sync2	without step 6: "very likely not necessary", says its comment
 *   linux_batch_single		the lowest site is poked by itself while the others are queued
 *   linux_batch_single_rc	the same as it was in 6.16-rc1: appended out of order, and
 *				not found by bisection (fixed by 2aebf5ee43bf)
 *
 * Linux refuses breakpoints from CPL3, where none of its text runs; here the
 * executor may be there. The array is never full, so no flush for that.
 */
#include "guest/protocol.h"

enum { ONE_REF = 1, NO_SYNC2 = 2, SINGLE = 4, UNORDERED = 8 };

struct linux_batch_entry {
	int32_t relative; /* to CM_TEXT_BASE */
	struct cm_emulation emulation;
};

struct linux_batch_entry linux_batch_array[CM_MAX_SITES];
uint32_t linux_batch_entries;
uint32_t linux_batch_refs[CM_MAX_VCPUS];
/* What the patcher writes; no handler looks at it. */
static struct cm_poke linux_batch_pokes[CM_MAX_SITES];

static bool is(uint32_t variant)
{
	return cm_protocol()->variant & variant;
}

/* ---- the handler ------------------------------------------------------------ */

static uint32_t *own_refs(void)
{
	return &linux_batch_refs[is(ONE_REF) ? 0 : cm_cpu_id()];
}

static bool get_unless_zero(uint32_t *refs)
{
	uint32_t seen = CM_READ(*refs), was;

	for (; seen; seen = was) {
		was = cm_cmpxchg32(refs, seen, seen + 1);
		if (was == seen)
			return true;
	}
	return false;
}

static uint64_t address_of(const struct linux_batch_entry *entry)
{
	return CM_TEXT_BASE + (uint64_t)(int64_t)CM_READ(entry->relative);
}

/* As Linux's bsearch() goes: of an array that is not sorted it may miss an entry. */
static const struct linux_batch_entry *bisect(uint64_t ip, uint32_t count)
{
	const struct linux_batch_entry *base = linux_batch_array;

	for (; count; count >>= 1) {
		const struct linux_batch_entry *pivot = base + (count >> 1);
		uint64_t address = address_of(pivot);

		if (ip == address)
			return pivot;
		if (ip > address) {
			base = pivot + 1;
			count--;
		}
	}
	return NULL;
}

static const struct linux_batch_entry *find(uint64_t ip)
{
	uint32_t count = CM_READ(linux_batch_entries);

	if (count > 1)
		return bisect(ip, count);
	return address_of(&linux_batch_array[0]) == ip ? &linux_batch_array[0] : NULL;
}

static CM_ROUTINE bool linux_batch_int3(struct cm_frame *frame)
{
	const struct linux_batch_entry *entry;
	uint64_t ip = cm_trap_address(frame);
	bool handled = false;

	CM_STEP("linux_batch.get");
	if (!get_unless_zero(own_refs()))
		return false;
	CM_STEP("linux_batch.find");
	entry = find(ip);
	if (entry) {
		CM_STEP("linux_batch.emulate");
		handled = cm_emulate(&entry->emulation, ip, frame);
	}
	CM_STEP("linux_batch.handled");
	cm_fetch_add32(own_refs(), (uint32_t)-1);
	return handled;
}

static CM_ROUTINE bool linux_batch_trapped(struct cm_frame *frame)
{
	CM_STEP("linux_batch.trapped");
	return frame->vector == 3 && (linux_batch_int3(frame) || cm_foreign_probe(frame));
}

/* ---- the patcher ------------------------------------------------------------ */

/* One reference for everybody, or one each. */
static uint32_t references(void)
{
	return is(ONE_REF) ? 1 : cm_cpus();
}

static CM_ROUTINE void linux_batch_install(void)
{
	CM_STEP("linux_batch.publish");
	for (uint32_t i = 0; i < references(); i++)
		CM_WRITE(linux_batch_refs[i], 1);
	cm_wmb(); /* the references before the first INT3, for the handler's first load */
	for (uint32_t i = 0; i < linux_batch_entries; i++) {
		CM_STEP("linux_batch.head");
		cm_poke8(&linux_batch_pokes[i], 0, CM_INT3);
	}
}

static CM_ROUTINE bool linux_batch_tails(void)
{
	bool any = false;

	for (uint32_t i = 0; i < linux_batch_entries; i++) {
		CM_STEP("linux_batch.tail");
		cm_poke_tail(&linux_batch_pokes[i]);
		any |= linux_batch_pokes[i].length > 1;
	}
	return any;
}

static CM_ROUTINE bool linux_batch_heads(void)
{
	bool any = false;

	for (uint32_t i = 0; i < linux_batch_entries; i++) {
		if (linux_batch_pokes[i].to[0] == CM_INT3)
			continue;
		CM_STEP("linux_batch.final");
		cm_poke_head(&linux_batch_pokes[i]);
		any = true;
	}
	return any;
}

static CM_ROUTINE void linux_batch_put(void)
{
	for (uint32_t i = 0; i < references(); i++) {
		CM_STEP("linux_batch.put");
		if (cm_fetch_add32(&linux_batch_refs[i], (uint32_t)-1) != 1)
			while (CM_READ(linux_batch_refs[i]))
				cm_relax();
	}
}

static CM_ROUTINE void linux_batch_finish(void)
{
	if (!linux_batch_entries)
		return;
	linux_batch_install();
	CM_STEP("linux_batch.sync1");
	cm_sync_all();
	if (linux_batch_tails() && !is(NO_SYNC2)) {
		CM_STEP("linux_batch.sync2");
		cm_sync_all();
	}
	if (linux_batch_heads()) {
		CM_STEP("linux_batch.sync3");
		cm_sync_all();
	}
	linux_batch_put();
	CM_STEP("linux_batch.empty");
	CM_WRITE(linux_batch_entries, 0);
}

static CM_ROUTINE void linux_batch_append(const struct cm_poke *poke)
{
	struct linux_batch_entry *entry = &linux_batch_array[linux_batch_entries];

	CM_STEP("linux_batch.add");
	linux_batch_pokes[linux_batch_entries] = *poke;
	entry->relative = (int32_t)(poke->site->text - CM_TEXT_BASE);
	cm_emulation_of(poke->to, poke->length, &entry->emulation);
	CM_WRITE(linux_batch_entries, linux_batch_entries + 1);
}

/* What is queued goes first where the array would not stay sorted. */
static void add(const struct cm_poke *poke)
{
	if (linux_batch_entries &&
	    address_of(&linux_batch_array[linux_batch_entries - 1]) > poke->site->text)
		linux_batch_finish();
	linux_batch_append(poke);
}

/* smp_text_poke_single(): (poke), and with it what is queued. */
static void single(const struct cm_poke *poke)
{
	if (is(UNORDERED))
		linux_batch_append(poke);
	else
		add(poke);
	linux_batch_finish();
}

static void linux_batch_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t first = is(SINGLE) ? 1 : 0;

	for (uint32_t i = first; i < count; i++)
		add(&poke[i]);
	if (first)
		single(&poke[0]);
	else
		linux_batch_finish();
}

#define BATCH(name, summary, bits)                                                             \
	CM_PROTOCOL(name, summary, .patch = linux_batch_patch, .trapped = linux_batch_trapped, \
		    .variant = (bits))

BATCH(linux_batch, "Linux 6.16: batch, emulating handler, a reference per CPU", 0);
BATCH(linux_batch_one_ref, "Linux 6.0 to 6.15: the same with one reference for all CPUs", ONE_REF);
BATCH(linux_batch_no_sync2, "Linux 6.16 without the sync before the final heads", NO_SYNC2);
BATCH(linux_batch_single, "Linux 6.16: a single poke flushes a queue it would unsort", SINGLE);
BATCH(linux_batch_single_rc, "Linux 6.16-rc1: a single poke is appended to the queue, unsorted",
      SINGLE | UNORDERED);

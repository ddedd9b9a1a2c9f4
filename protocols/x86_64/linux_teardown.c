// SPDX-License-Identifier: BSD-2-Clause
/*
 * linux_teardown.c - how long may a handler look at what it looks at? Two bugs
 * of Linux's batched pokes, 2019 and 2022, reference 3.1, B1 and B3.
 *
 *  1. descriptor := the sites and where to resume	linux_teardown.publish
 *  2. every head := INT3				linux_teardown.head
 *  3. sync1					linux_teardown.sync1
 *  4. every tail := new				linux_teardown.tail
 *  5. sync2					linux_teardown.sync2
 *  6. every head := new				linux_teardown.final
 *  7. sync3					linux_teardown.sync3
 *  8. descriptor := none			linux_teardown.clear
 *
 * #BP: no descriptor, or the site not in it: not ours. Else on at its detour.
 *
 * Step 7 carries the argument for a CPU trapped on a site of the batch: it is
 * out of its handler. Of a CPU that comes through the same handler with the
 * breakpoint of somebody else, a probe's, it says nothing: step 8 must.
 *
 *   linux_vector	vector := NULL, count := 0		c0213b0ac03c
 *   linux_vector_sync	count := 0, sync, vector := NULL	285a54efe386
 *   linux_stack_desc	counted descriptor on the patcher's stack, found
 *			through a global pointer		1f676247f36a
 *   linux_static_desc	counted descriptor that is always there	efd608fa7403
 *
 * A vCPU's stack is its own here: the patcher's frame is a variable, which is
 * written over when the patcher has returned.
 */
#include "guest/protocol.h"

enum { SYNC = 1, COUNTED = 2, ON_STACK = 4 };

struct linux_teardown_entry {
	uint64_t address;
	uint64_t detour;
};

struct linux_teardown_desc {
	const struct linux_teardown_entry *vector;
	uint32_t entries;
	uint32_t refs; /* if COUNTED */
};

static struct linux_teardown_entry linux_teardown_vector[CM_MAX_SITES];
struct linux_teardown_desc linux_teardown_static;
struct linux_teardown_desc linux_teardown_frame;    /* on the patcher's stack */
struct linux_teardown_desc *linux_teardown_current; /* if ON_STACK */

static bool is(uint32_t variant)
{
	return cm_protocol()->variant & variant;
}

/* ---- the handler ------------------------------------------------------------ */

static const struct linux_teardown_entry *find(const struct linux_teardown_desc *desc, uint64_t ip)
{
	const struct linux_teardown_entry *base = CM_READ(desc->vector);
	uint32_t count = CM_READ(desc->entries);

	if (count <= 1)
		return CM_READ(base->address) == ip ? base : NULL;
	for (; count; count >>= 1) {
		const struct linux_teardown_entry *pivot = base + (count >> 1);
		uint64_t address = CM_READ(pivot->address);

		if (ip == address)
			return pivot;
		if (ip > address) {
			base = pivot + 1;
			count--;
		}
	}
	return NULL;
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

static struct linux_teardown_desc *get_desc(void)
{
	struct linux_teardown_desc *desc = &linux_teardown_static;

	if (!is(COUNTED))
		return CM_READ(desc->entries) ? desc : NULL;
	if (is(ON_STACK))
		desc = CM_READ(linux_teardown_current);
	return desc && get_unless_zero(&desc->refs) ? desc : NULL;
}

static bool linux_teardown_int3(struct cm_frame *frame)
{
	struct linux_teardown_desc *desc = get_desc();
	const struct linux_teardown_entry *entry;

	if (!desc)
		return false;
	entry = find(desc, cm_trap_address(frame));
	if (entry)
		frame->ip = CM_READ(entry->detour);
	if (is(COUNTED))
		cm_fetch_add32(&desc->refs, (uint32_t)-1);
	return entry;
}

static CM_ROUTINE bool linux_teardown_trapped(struct cm_frame *frame)
{
	CM_STEP("linux_teardown.trapped");
	return frame->vector == 3 && (linux_teardown_int3(frame) || cm_foreign_probe(frame));
}

/* ---- the patcher ------------------------------------------------------------ */

static CM_ROUTINE void linux_teardown_publish(const struct cm_poke *poke, uint32_t count)
{
	struct linux_teardown_desc *desc =
		is(ON_STACK) ? &linux_teardown_frame : &linux_teardown_static;

	for (uint32_t i = 0; i < count; i++) {
		const struct cm_site *site = poke[i].site;

		linux_teardown_vector[i].address = site->text;
		linux_teardown_vector[i].detour =
			poke[i].to == site->new_bytes ? site->target : site->resume;
	}
	CM_STEP("linux_teardown.publish");
	CM_WRITE(desc->vector, linux_teardown_vector);
	CM_WRITE(desc->entries, count);
	if (is(COUNTED))
		CM_WRITE(desc->refs, 1);
	if (is(ON_STACK))
		CM_WRITE(linux_teardown_current, desc);
	cm_wmb(); /* all of it before the first INT3, for the handler's first load */
}

static CM_ROUTINE void linux_teardown_heads(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("linux_teardown.head");
		cm_poke8(&poke[i], 0, CM_INT3);
	}
}

static CM_ROUTINE void linux_teardown_tails(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("linux_teardown.tail");
		cm_poke_tail(&poke[i]);
	}
}

static CM_ROUTINE void linux_teardown_finals(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("linux_teardown.final");
		cm_poke_head(&poke[i]);
	}
}

static CM_ROUTINE void linux_teardown_write(const struct cm_poke *poke, uint32_t count)
{
	linux_teardown_heads(poke, count);
	CM_STEP("linux_teardown.sync1");
	cm_sync_all();
	linux_teardown_tails(poke, count);
	CM_STEP("linux_teardown.sync2");
	cm_sync_all();
	linux_teardown_finals(poke, count);
	CM_STEP("linux_teardown.sync3");
	cm_sync_all();
}

static void put_and_wait(struct linux_teardown_desc *desc)
{
	if (cm_fetch_add32(&desc->refs, (uint32_t)-1) != 1)
		while (CM_READ(desc->refs))
			cm_relax();
}

static CM_ROUTINE void linux_teardown_clear(void)
{
	struct linux_teardown_desc *desc = &linux_teardown_static;

	CM_STEP("linux_teardown.clear");
	if (is(ON_STACK)) {
		CM_WRITE(linux_teardown_current, NULL);
		put_and_wait(&linux_teardown_frame);
	} else if (is(COUNTED)) {
		put_and_wait(desc);
	} else if (is(SYNC)) {
		CM_WRITE(desc->entries, 0);
		cm_sync_all();
		CM_WRITE(desc->vector, NULL);
	} else {
		CM_WRITE(desc->vector, NULL);
		CM_WRITE(desc->entries, 0);
	}
}

/* The patcher has returned, and calls something else: whatever that keeps on the stack. */
static CM_ROUTINE void linux_teardown_reuse(void)
{
	CM_STEP("linux_teardown.reuse");
	CM_WRITE(linux_teardown_frame.vector, (void *)0x5a5a5a5a5a5a5a5a);
	CM_WRITE(linux_teardown_frame.entries, 0x5a5a5a5a);
	CM_WRITE(linux_teardown_frame.refs, 0x5a5a5a5a);
}

static void linux_teardown_patch(const struct cm_poke *poke, uint32_t count)
{
	linux_teardown_publish(poke, count);
	linux_teardown_write(poke, count);
	linux_teardown_clear();
	if (is(ON_STACK))
		linux_teardown_reuse();
}

#define TEARDOWN(name, summary, bits)                             \
	CM_PROTOCOL(name, summary, .patch = linux_teardown_patch, \
		    .trapped = linux_teardown_trapped, .variant = (bits))

TEARDOWN(linux_vector, "Linux 5.3 to 5.4: the vector is cleared before its count", 0);
TEARDOWN(linux_vector_sync, "Linux 285a54efe386: count, sync, then vector", SYNC);
TEARDOWN(linux_stack_desc, "Linux 5.6 to 5.19: counted descriptor on the patcher's stack",
	 COUNTED | ON_STACK);
TEARDOWN(linux_static_desc, "Linux 6.0 to 6.15: counted descriptor that is always there", COUNTED);

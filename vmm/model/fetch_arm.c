// SPDX-License-Identifier: BSD-2-Clause
/*
 * fetch_arm.c - model arm: what cache maintenance and context synchronisation
 * leave of the old versions. Owns the rules below. Knows no instruction, no
 * guest and no schedule.
 *
 * The Arm ARM (DDI 0487), "Concurrent modification and execution of
 * instructions" (B2.2.5; AArch32: E2.2.5) and "Synchronization and coherency
 * issues between data and instruction accesses" (B2.7.4.2, E2.5.3.2: "A write
 * has been made coherent with an instruction fetch when ..."), want of the writer
 *
 *	STR; DC CVAU; DSB ISH; IC IVAU; DSB ISH
 *
 * and of every CPU that executes then an ISB, or another context
 * synchronisation event. Until that is complete an executing CPU may fetch any
 * old version, or the new one, or both in turn. Each step raises a bound:
 *
 * 1. DC CVAU (any clean to the point of unification or beyond it) by i: when
 *    it is complete, that point has line's data as of the clean or newer. Loads,
 *    stores and cleans of one line stay in order, so no DSB before it is needed;
 *    whose store it was does not matter, as the clean is of all caches.
 * 2. DSB by i completes i's cleans, and nobody else's. Before it, "complete"
 *    cannot be relied on: cleaning[i] -> clean.
 * 3. IC IVAU by i: instruction caches may fetch the line anew at any moment
 *    after it began, thus before an earlier clean that is not complete. So it
 *    promises what was clean when it was issued. It reaches every CPU of the
 *    inner shareable domain, here all; IC IALLUIS is the same for every line,
 *    IC IALLU for the own CPU only: invalidating[i], invalidating_own[i].
 * 4. DSB by i completes i's invalidations: -> fresh[all], or fresh[i].
 * 5. A context synchronisation event on j: what j had fetched ahead is
 *    discarded. What it fetches from here on is at least fresh[j]. An event
 *    that came before step 4 was complete has seen nothing of it.
 *
 * That the steps may be on different CPUs, if each is ordered after the one
 * before, is what the architecture says of broadcast maintenance, and what
 * Simner et al. (ESOP 2020, ISA2.F+dc+ic+ctrl-isb) found forbidden to fail.
 * Nothing but maintenance ever makes a fetch newer: model stale without it.
 *
 * AArch32 (E2.2.5) wants BPIMVA beside ICIMVAU as well: that is of predictions,
 * of where to fetch and not of what, and no bound here depends on it.
 *
 * CTR_EL0.IDC and DIC, where set, say that steps 1 and 3 are not necessary.
 * Both are taken as clear: what is right then is right with them.
 */
#include "model/fetch_internal.h"

#include <assert.h>

static uint32_t newer(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t older(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

uint32_t fetch_line(uint32_t configured)
{
	uint32_t line = configured ? configured : FETCH_LINE;

	assert(line >= FETCH_GRANULE && line <= FETCH_LINE_MAX && !(line & (line - 1)));
	return line;
}

void fetch_arm_init(struct fetch *f)
{
	struct fetch_maintenance *m = &f->m;

	m->granules = 0;
	for (uint32_t offset = 0; offset < f->size; offset++) {
		uint64_t address = fetch_address(f, offset) & ~(uint64_t)(FETCH_GRANULE - 1);

		if (!m->granules || m->address[m->granules - 1] != address) {
			assert(m->granules < FETCH_GRANULES_MAX);
			m->address[m->granules++] = address;
		}
		m->granule_of[offset] = (uint8_t)(m->granules - 1);
	}
}

void fetch_clean(struct fetch *f, uint32_t vcpu, uint64_t address)
{
	uint64_t line = fetch_line(f->config.dline);

	assert(vcpu < f->vcpus);
	if (f->config.model != FETCH_ARM)
		return;
	for (uint32_t g = 0; g < f->m.granules; g++)
		if (f->m.address[g] / line == address / line)
			f->m.cleaning[vcpu][g] = fetch_now(f);
	fetch_arm_settle(f);
}

void fetch_invalidate(struct fetch *f, uint32_t vcpu, uint64_t address)
{
	uint64_t line = fetch_line(f->config.iline);

	assert(vcpu < f->vcpus);
	if (f->config.model != FETCH_ARM)
		return;
	for (uint32_t g = 0; g < f->m.granules; g++)
		if (f->m.address[g] / line == address / line)
			f->m.invalidating[vcpu][g] = f->m.clean[g];
	fetch_arm_settle(f);
}

void fetch_invalidate_all(struct fetch *f, uint32_t vcpu, bool everywhere)
{
	assert(vcpu < f->vcpus);
	if (f->config.model != FETCH_ARM)
		return;
	for (uint32_t g = 0; g < f->m.granules; g++)
		*(everywhere ? &f->m.invalidating[vcpu][g] : &f->m.invalidating_own[vcpu][g]) =
			f->m.clean[g];
	fetch_arm_settle(f);
}

void fetch_barrier(struct fetch *f, uint32_t vcpu)
{
	struct fetch_maintenance *m = &f->m;

	assert(vcpu < f->vcpus);
	if (f->config.model != FETCH_ARM)
		return;
	for (uint32_t g = 0; g < m->granules; g++) {
		m->clean[g] = newer(m->clean[g], m->cleaning[vcpu][g]);
		for (uint32_t i = 0; i < f->vcpus; i++)
			m->fresh[i][g] = newer(m->fresh[i][g], m->invalidating[vcpu][g]);
		m->fresh[vcpu][g] = newer(m->fresh[vcpu][g], m->invalidating_own[vcpu][g]);
	}
	fetch_arm_settle(f);
}

/* A chunk that lies in several granules is as old as the oldest of them. */
void fetch_arm_synchronised(struct fetch *f, uint32_t vcpu)
{
	struct fetch_span s;

	for (uint32_t offset = 0; offset < f->size; offset = s.start + s.length) {
		uint32_t *low = &f->low[vcpu][f->chunk_of[offset]];
		uint32_t fresh = fetch_now(f);

		s = fetch_chunk_span(f, offset);
		for (uint32_t i = s.start; i < s.start + s.length; i++)
			fresh = older(fresh, f->m.fresh[vcpu][f->m.granule_of[i]]);
		*low = newer(*low, fresh);
	}
	fetch_arm_settle(f);
}

/* ---- bounds that are equal where the futures are ---- */

static void settle_low(struct fetch *f, uint32_t vcpu)
{
	struct fetch_span s;

	for (uint32_t offset = 0; offset < f->size; offset = s.start + s.length) {
		uint32_t *low = &f->low[vcpu][f->chunk_of[offset]];

		s = fetch_chunk_span(f, offset);
		while (*low < fetch_now(f) && fetch_chunk_equal(f, s, *low, *low + 1))
			++*low;
	}
}

/* The window offsets of granule (g): [*from, *end). */
static void granule_extent(const struct fetch *f, uint32_t g, uint32_t *from, uint32_t *end)
{
	for (*from = 0; f->m.granule_of[*from] != g;)
		++*from;
	for (*end = *from; *end < f->size && f->m.granule_of[*end] == g;)
		++*end;
}

static bool granule_equal(const struct fetch *f, uint32_t from, uint32_t end, uint32_t a,
			  uint32_t b)
{
	struct fetch_span s;

	for (uint32_t offset = from; offset < end; offset = s.start + s.length) {
		s = fetch_chunk_span(f, offset);
		if (!fetch_chunk_equal(f, s, a, b))
			return false;
	}
	return true;
}

/*
 * A bound says of the chunks that touch a granule that they are at least as new
 * as (*bound). Below (least) that is known anyway, and where none of them
 * differs between two versions, it may as well name the later.
 */
static uint32_t settle_bound(const struct fetch *f, uint32_t from, uint32_t end, uint32_t *bound,
			     uint32_t least)
{
	*bound = newer(*bound, least);
	while (*bound < fetch_now(f) && granule_equal(f, from, end, *bound, *bound + 1))
		++*bound;
	return *bound;
}

/*
 * A synchronisation takes the newer of fresh and low, so a fresh below the
 * least low may be raised to it. What an invalidation in progress will bring
 * may be raised to what is fresh already, and so may what is clean, as it
 * matters to invalidations alone.
 */
void fetch_arm_settle(struct fetch *f)
{
	struct fetch_maintenance *m = &f->m;

	for (uint32_t i = 0; i < f->vcpus; i++)
		settle_low(f, i);
	for (uint32_t g = 0; g < m->granules; g++) {
		uint32_t from, end, least = fetch_now(f);

		granule_extent(f, g, &from, &end);
		for (uint32_t i = 0; i < f->vcpus; i++) {
			uint32_t low = fetch_now(f), fresh;

			for (uint32_t offset = from; offset < end; offset++)
				low = older(low, f->low[i][f->chunk_of[offset]]);
			fresh = settle_bound(f, from, end, &m->fresh[i][g], low);
			settle_bound(f, from, end, &m->invalidating_own[i][g], fresh);
			least = older(least, fresh);
		}
		settle_bound(f, from, end, &m->clean[g], least);
		for (uint32_t i = 0; i < f->vcpus; i++) {
			settle_bound(f, from, end, &m->cleaning[i][g], m->clean[g]);
			settle_bound(f, from, end, &m->invalidating[i][g], least);
		}
	}
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * fetch_pack.c - the history as bytes that are equal where the futures are.
 * Owns what may be forgotten without anybody noticing; no model's rules.
 */
#include "model/fetch_internal.h"

#include <assert.h>
#include <string.h>

/*
 * stale: chunks are independent and monotone, so a chunk whose oldest version
 * holds the same bytes as the next one may as well start there. In arm, too,
 * but there it has been raised already. In the other models the number itself
 * bounds other chunks, and stays.
 */
static uint32_t canonical_low(const struct fetch *f, uint32_t vcpu, uint32_t offset)
{
	uint32_t low = f->low[vcpu][f->chunk_of[offset]];
	struct fetch_span s = fetch_chunk_span(f, offset);

	if (f->config.model == FETCH_STALE)
		while (low < fetch_now(f) && fetch_chunk_equal(f, s, low, low + 1))
			low++;
	return low;
}

/* The oldest version that somebody may still fetch, or has latched, and that makes a difference. */
static uint32_t oldest_that_counts(const struct fetch *f)
{
	uint32_t oldest = fetch_now(f);
	struct fetch_span s;

	for (uint32_t i = 0; i < f->vcpus; i++) {
		for (uint32_t offset = 0; offset < f->size; offset = s.start + s.length) {
			uint32_t t = canonical_low(f, i, offset);

			s = fetch_chunk_span(f, offset);
			oldest = t < oldest ? t : oldest;
		}
		for (uint32_t k = 0; k < f->latched[i].nchunks; k++)
			if (f->latched[i].version[k] < oldest)
				oldest = f->latched[i].version[k];
	}
	return oldest;
}

struct packer {
	uint8_t *out;
	size_t max, used;
};

static void put16(struct packer *p, uint32_t value)
{
	assert(value <= UINT16_MAX);
	if (p->used + 2 <= p->max) {
		p->out[p->used] = (uint8_t)value;
		p->out[p->used + 1] = (uint8_t)(value >> 8);
	}
	p->used += 2;
}

bool fetch_history_too_long(const struct fetch *f)
{
	return fetch_now(f) - f->first >= FETCH_HISTORY_MAX &&
	       fetch_now(f) - oldest_that_counts(f) >= FETCH_HISTORY_MAX;
}

/* Every bound is at least the oldest version that counts: fetch_arm_settle() saw to it. */
static void pack_maintenance(struct packer *p, const struct fetch *f, uint32_t oldest)
{
	const struct fetch_maintenance *m = &f->m;

	for (uint32_t g = 0; g < m->granules; g++) {
		put16(p, m->clean[g] - oldest);
		for (uint32_t i = 0; i < f->vcpus; i++) {
			put16(p, m->cleaning[i][g] - oldest);
			put16(p, m->invalidating[i][g] - oldest);
			put16(p, m->invalidating_own[i][g] - oldest);
			put16(p, m->fresh[i][g] - oldest);
		}
	}
}

size_t fetch_pack(const struct fetch *f, uint8_t *out, size_t max)
{
	uint32_t oldest = oldest_that_counts(f);
	struct packer p = { out, max, 0 };
	struct fetch_span s;

	put16(&p, fetch_now(f) - oldest + 1);
	for (uint32_t i = 0; i < f->vcpus; i++) {
		for (uint32_t offset = 0; offset < f->size; offset = s.start + s.length) {
			s = fetch_chunk_span(f, offset);
			put16(&p, canonical_low(f, i, offset) - oldest);
		}
		put16(&p, f->latched[i].nchunks);
		for (uint32_t k = 0; k < f->latched[i].nchunks; k++) {
			put16(&p, f->latched[i].chunk[k]);
			put16(&p, f->latched[i].version[k] - oldest);
		}
	}
	pack_maintenance(&p, f, oldest);
	for (uint32_t t = oldest; t <= fetch_now(f); t++, p.used += f->size)
		if (p.used + f->size <= max)
			memcpy(out + p.used, fetch_window(f, t), f->size);
	return p.used;
}

static uint32_t get16(const uint8_t **in)
{
	uint32_t value = (*in)[0] | (uint32_t)(*in)[1] << 8;

	*in += 2;
	return value;
}

static void unpack_maintenance(struct fetch *f, const uint8_t **in)
{
	struct fetch_maintenance *m = &f->m;

	for (uint32_t g = 0; g < m->granules; g++) {
		m->clean[g] = get16(in);
		for (uint32_t i = 0; i < f->vcpus; i++) {
			m->cleaning[i][g] = get16(in);
			m->invalidating[i][g] = get16(in);
			m->invalidating_own[i][g] = get16(in);
			m->fresh[i][g] = get16(in);
		}
	}
}

void fetch_unpack(struct fetch *f, const uint8_t *in, size_t size)
{
	const uint8_t *start = in;
	uint32_t count = get16(&in);

	memset(f->latched, 0, sizeof(f->latched));
	for (uint32_t i = 0; i < f->vcpus; i++) {
		for (uint32_t c = 0; c < f->nchunks; c++)
			f->low[i][c] = get16(&in);
		f->latched[i].nchunks = (uint8_t)get16(&in);
		for (uint32_t k = 0; k < f->latched[i].nchunks; k++) {
			f->latched[i].chunk[k] = (uint16_t)get16(&in);
			f->latched[i].version[k] = get16(&in);
		}
	}
	unpack_maintenance(f, &in);
	f->first = f->count = 0;
	for (uint32_t t = 0; t < count; t++, in += f->size)
		memcpy(fetch_append(f), in, f->size);
	assert((size_t)(in - start) == size);
}

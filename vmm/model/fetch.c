// SPDX-License-Identifier: BSD-2-Clause
/*
 * fetch.c - versions of the patched bytes, and who may still fetch which.
 *
 * Owns the history and the models' rules. Knows no KVM, no guest, no decoder
 * and no schedule. The rules are in three functions: legal_range() says what a
 * fetch may take, fetch_done() and fetch_stored() what that leaves for later.
 */
#include "model/fetch_internal.h"
#include "image/isa.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const model_names[FETCH_MODELS] = {
	[FETCH_SC] = "sc",	     [FETCH_ASC] = "asc",     [FETCH_DESC] = "desc",
	[FETCH_ORDERED] = "ordered", [FETCH_STALE] = "stale", [FETCH_ARM] = "arm",
};

const char *fetch_model_name(enum fetch_model model)
{
	return (unsigned int)model < FETCH_MODELS ? model_names[model] : "?";
}

bool fetch_model_parse(const char *name, enum fetch_model *model)
{
	for (unsigned int i = 0; i < FETCH_MODELS; i++) {
		if (!strcmp(name, model_names[i])) {
			*model = (enum fetch_model)i;
			return true;
		}
	}
	return false;
}

/* sc, asc, desc: a fetch returns what is there at its moment, nothing older. */
bool fetch_model_is_aged(enum fetch_model model)
{
	return model != FETCH_SC && model != FETCH_ASC && model != FETCH_DESC;
}

bool fetch_model_fits(enum fetch_model model, enum cm_isa isa)
{
	return model != FETCH_ARM || isa_is_arm(isa);
}

static bool chunk_size_valid(uint32_t chunk)
{
	return chunk == 1 || chunk == 2 || chunk == 4 || chunk == 8 || chunk == 16 || chunk == 64 ||
	       chunk == FETCH_CHUNK_PAGE;
}

static uint8_t *window_of(const struct fetch *f, uint32_t version)
{
	assert(version >= f->first && version - f->first < f->count);
	return f->versions + (size_t)(version - f->first) * f->size;
}

struct fetch_span fetch_chunk_span(const struct fetch *f, uint32_t offset)
{
	uint32_t start = offset, end = offset + 1;

	assert(offset < f->size);
	while (start > 0 && f->chunk_of[start - 1] == f->chunk_of[offset])
		start--;
	while (end < f->size && f->chunk_of[end] == f->chunk_of[offset])
		end++;
	return (struct fetch_span){ start, end - start };
}

bool fetch_chunk_equal(const struct fetch *f, struct fetch_span s, uint32_t a, uint32_t b)
{
	return !memcmp(window_of(f, a) + s.start, window_of(f, b) + s.start, s.length);
}

uint64_t fetch_address(const struct fetch *f, uint32_t offset)
{
	for (uint32_t i = 0; i < f->nranges; i++) {
		const struct fetch_range *r = &f->range[i];

		if (offset >= r->offset && offset - r->offset < r->length)
			return r->address + (offset - r->offset);
	}
	assert(!"offset in the window");
	return 0;
}

static void set_all_low(struct fetch *f, uint32_t vcpu, uint32_t version)
{
	for (uint32_t c = 0; c < f->nchunks; c++)
		f->low[vcpu][c] = version;
}

/* Make room for one more version. Out of memory ends the program: nothing here can go on. */
uint8_t *fetch_append(struct fetch *f)
{
	if (f->count == f->allocated) {
		f->allocated = f->allocated ? 2 * f->allocated : 8;
		f->versions = realloc(f->versions, (size_t)f->allocated * f->size);
		assert(f->versions);
	}
	f->count++;
	return window_of(f, fetch_now(f));
}

/*
 * Number the chunks densely in address order. Two pieces share one only when
 * it is larger than the lines that pieces consist of, that is, a page.
 */
static void number_chunks(struct fetch *f)
{
	uint64_t unit = 0;

	f->nchunks = 0;
	for (uint32_t offset = 0; offset < f->size; offset++) {
		uint64_t next = fetch_address(f, offset) / f->config.chunk;

		if (offset == 0 || next != unit)
			f->nchunks++;
		unit = next;
		f->chunk_of[offset] = (uint16_t)(f->nchunks - 1);
	}
}

void fetch_init(struct fetch *f, const struct fetch_config *config, uint32_t vcpus,
		const struct fetch_range *ranges, uint32_t nranges, const uint8_t *bytes)
{
	assert((unsigned int)config->model < FETCH_MODELS && chunk_size_valid(config->chunk));
	assert(vcpus > 0 && vcpus <= CM_MAX_VCPUS && nranges > 0 && nranges <= FETCH_RANGES_MAX);
	memset(f, 0, sizeof(*f));
	f->config = *config;
	f->vcpus = vcpus;
	f->nranges = nranges;
	for (uint32_t i = 0; i < nranges; i++) {
		const struct fetch_range *r = &ranges[i], *before = i ? r - 1 : NULL;

		assert(r->length > 0 && r->offset == f->size);
		assert(!before || r->address > before->address + before->length);
		f->range[i] = *r;
		f->size += r->length;
		assert(f->size <= FETCH_WINDOW_MAX);
	}
	number_chunks(f);
	if (config->model == FETCH_ARM)
		fetch_arm_init(f);
	memcpy(fetch_append(f), bytes, f->size);
}

void fetch_fini(struct fetch *f)
{
	free(f->versions);
	memset(f, 0, sizeof(*f));
}

void fetch_copy(struct fetch *to, const struct fetch *from)
{
	uint8_t *versions = to->versions;
	uint32_t allocated = to->allocated;

	if (to->size != from->size || allocated < from->count) {
		allocated = from->count;
		versions = realloc(versions, (size_t)allocated * from->size);
		assert(versions);
	}
	memcpy(versions, from->versions, (size_t)from->count * from->size);
	*to = *from;
	to->versions = versions;
	to->allocated = allocated;
}

uint32_t fetch_now(const struct fetch *f)
{
	return f->first + f->count - 1;
}

const uint8_t *fetch_window(const struct fetch *f, uint32_t version)
{
	return window_of(f, version);
}

int fetch_offset(const struct fetch *f, uint64_t address)
{
	for (uint32_t i = 0; i < f->nranges; i++) {
		const struct fetch_range *r = &f->range[i];

		if (address >= r->address && address - r->address < r->length)
			return (int)(r->offset + (address - r->address));
	}
	return -1;
}

/* The chunks that the newest store changed, as far as (vcpu) goes, are newest to it. */
static void see_own_store(struct fetch *f, uint32_t vcpu)
{
	uint32_t now = fetch_now(f);
	struct fetch_span s;

	for (uint32_t offset = 0; offset < f->size; offset = s.start + s.length) {
		s = fetch_chunk_span(f, offset);
		if (!fetch_chunk_equal(f, s, now - 1, now))
			f->low[vcpu][f->chunk_of[offset]] = now;
	}
}

bool fetch_stored(struct fetch *f, const uint8_t *window, int writer)
{
	assert(writer >= -1 && writer < (int)f->vcpus);
	if (!memcmp(window_of(f, fetch_now(f)), window, f->size))
		return false;
	memcpy(fetch_append(f), window, f->size);
	if (!fetch_model_is_aged(f->config.model)) {
		for (uint32_t i = 0; i < f->vcpus; i++)
			set_all_low(f, i, fetch_now(f));
	} else if (f->config.own_alias_visible && writer >= 0) {
		see_own_store(f, (uint32_t)writer);
	}
	if (f->config.model == FETCH_ARM)
		fetch_arm_settle(f);
	return true;
}

void fetch_synchronised(struct fetch *f, uint32_t vcpu)
{
	assert(vcpu < f->vcpus);
	if (f->config.model == FETCH_ARM)
		fetch_arm_synchronised(f, vcpu);
	else
		set_all_low(f, vcpu, fetch_now(f));
	f->latched[vcpu].nchunks = 0;
}

void fetch_delivered(struct fetch *f, uint32_t vcpu)
{
	assert(vcpu < f->vcpus);
	f->latched[vcpu].nchunks = 0;
	if (f->config.delivery_syncs)
		fetch_synchronised(f, vcpu);
}

/* The place of (chunk) in (plan), or -1. */
static int plan_index(const struct fetch_plan *plan, uint32_t chunk)
{
	for (int i = 0; i < plan->nchunks; i++)
		if (plan->chunk[i] == chunk)
			return i;
	return -1;
}

/* What (vcpu) fetched of the chunks before this one of the same instruction; 0 for nothing. */
static uint32_t fetched_before(const struct fetch_plan *plan)
{
	return plan->nchunks ? plan->version[plan->nchunks - 1] : 0;
}

/* The rule: the oldest and newest version that the chunk at (offset) may be fetched from. */
static void legal_range(const struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan,
			uint32_t offset, uint32_t *oldest, uint32_t *newest)
{
	uint32_t chunk;
	int latched;

	assert(vcpu < f->vcpus && offset < f->size);
	chunk = f->chunk_of[offset];
	latched = plan_index(&f->latched[vcpu], chunk);
	if (latched >= 0) {
		*oldest = *newest = f->latched[vcpu].version[latched];
		return;
	}
	*oldest = f->low[vcpu][chunk];
	*newest = fetch_now(f);
	if (f->config.model == FETCH_ORDERED && fetched_before(plan) > *oldest)
		*oldest = fetched_before(plan);
	assert(*oldest >= f->first && *oldest <= *newest);
}

/*
 * Of versions with equal bytes the oldest stands for all. What the instruction
 * does depends on the bytes only, and in every model the versions allowed
 * afterwards, to a later chunk and to a later fetch, are those at least as new
 * as the one chosen here: the oldest leaves a superset of what any other would.
 * So no bytes that can be fetched are lost. What is lost are states in which
 * less may be fetched; a search for deadlock has to bear that in mind when a
 * routine stores the same bytes twice.
 */
uint32_t fetch_choices(const struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan,
		       uint32_t offset, uint32_t *versions, uint32_t max)
{
	struct fetch_span s = fetch_chunk_span(f, offset);
	uint32_t oldest, newest, n = 0;

	legal_range(f, vcpu, plan, offset, &oldest, &newest);
	for (uint32_t t = newest + 1; t-- > oldest;) {
		bool seen = false;
		uint32_t first = t;

		for (uint32_t newer = t + 1; newer <= newest && !seen; newer++)
			seen = fetch_chunk_equal(f, s, newer, t);
		if (seen)
			continue;
		for (uint32_t older = oldest; older < first; older++)
			if (fetch_chunk_equal(f, s, older, t))
				first = older;
		if (n < max)
			versions[n] = first;
		n++;
	}
	return n;
}

bool fetch_legal(const struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan,
		 uint32_t offset, uint32_t version, struct err *e)
{
	const char *model = fetch_model_name(f->config.model);
	uint64_t address = fetch_address(f, offset);
	uint32_t oldest, newest;

	legal_range(f, vcpu, plan, offset, &oldest, &newest);
	if (version >= oldest && version <= newest)
		return true;
	if (version > fetch_now(f))
		return err_set(e, ERR_INPUT,
			       "vCPU %u may not fetch version %u of chunk %u (at 0x%" PRIx64
			       "): the newest is %u",
			       vcpu, version, plan->nchunks, address, fetch_now(f));
	if (plan_index(&f->latched[vcpu], f->chunk_of[offset]) >= 0)
		return err_set(e, ERR_INPUT,
			       "vCPU %u may not fetch version %u of chunk %u (at 0x%" PRIx64
			       "): it has latched version %u (model '%s')",
			       vcpu, version, plan->nchunks, address, oldest, model);
	if (version >= f->low[vcpu][f->chunk_of[offset]])
		return err_set(e, ERR_INPUT,
			       "vCPU %u may not fetch version %u of chunk %u (at 0x%" PRIx64
			       "): of the chunk before it took version %u (model '%s')",
			       vcpu, version, plan->nchunks, address, oldest, model);
	return err_set(e, ERR_INPUT,
		       "vCPU %u may not fetch version %u of chunk %u (at 0x%" PRIx64
		       ") any more: the oldest it may still see is %u (model '%s')",
		       vcpu, version, plan->nchunks, address, oldest, model);
}

void fetch_plan_add(const struct fetch *f, struct fetch_plan *plan, uint32_t offset,
		    uint32_t version)
{
	assert(offset < f->size && plan->nchunks < FETCH_PLAN_MAX);
	assert(!plan->nchunks || plan->chunk[plan->nchunks - 1] < f->chunk_of[offset]);
	plan->chunk[plan->nchunks] = f->chunk_of[offset];
	plan->version[plan->nchunks] = version;
	plan->nchunks++;
}

/* Keep (plan) in address order, whichever way it is filled. */
static void plan_insert(struct fetch_plan *plan, uint32_t chunk, uint32_t version)
{
	uint32_t i = plan->nchunks;

	assert(plan->nchunks < FETCH_PLAN_MAX);
	for (; i > 0 && plan->chunk[i - 1] > chunk; i--) {
		plan->chunk[i] = plan->chunk[i - 1];
		plan->version[i] = plan->version[i - 1];
	}
	plan->chunk[i] = (uint16_t)chunk;
	plan->version[i] = version;
	plan->nchunks++;
}

bool fetch_latch(struct fetch *f, uint32_t vcpu, uint32_t offset, uint32_t length, struct err *e)
{
	const char *model = fetch_model_name(f->config.model);
	struct fetch_plan *latched = &f->latched[vcpu];
	uint32_t low, high;

	assert(vcpu < f->vcpus && length > 0 && offset < f->size && length <= f->size - offset);
	if (f->config.model != FETCH_ASC && f->config.model != FETCH_DESC)
		return err_set(e, ERR_INPUT,
			       "vCPU %u may not latch a chunk: model '%s' fetches an instruction "
			       "at once; 'asc' and 'desc' do not",
			       vcpu, model);
	low = f->chunk_of[offset];
	high = f->chunk_of[offset + length - 1];
	for (uint32_t i = 0; i <= high - low; i++) {
		uint32_t chunk = f->config.model == FETCH_ASC ? low + i : high - i;

		if (plan_index(latched, chunk) < 0) {
			plan_insert(latched, chunk, fetch_now(f));
			return true;
		}
	}
	return err_set(e, ERR_INPUT,
		       "vCPU %u may not latch another chunk: it has latched all %u of its next "
		       "instruction (model '%s')",
		       vcpu, high - low + 1, model);
}

void fetch_done(struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan)
{
	assert(vcpu < f->vcpus && fetched_before(plan) <= fetch_now(f));
	f->latched[vcpu].nchunks = 0;
	switch (f->config.model) {
	case FETCH_SC:
	case FETCH_ASC:
	case FETCH_DESC:
		set_all_low(f, vcpu, fetch_now(f));
		break;
	case FETCH_ORDERED:
		/* The last version is the newest: no chunk goes back behind it. */
		for (uint32_t c = 0; c < f->nchunks; c++)
			if (f->low[vcpu][c] < fetched_before(plan))
				f->low[vcpu][c] = fetched_before(plan);
		break;
	case FETCH_STALE:
		for (uint32_t i = 0; i < plan->nchunks; i++)
			f->low[vcpu][plan->chunk[i]] = plan->version[i];
		break;
	case FETCH_ARM:
		break; /* old and new may come in turn */
	case FETCH_MODELS:
		assert(!"a model");
	}
}

/* The oldest version that somebody may still fetch or has latched. */
static uint32_t oldest_needed(const struct fetch *f)
{
	uint32_t oldest = fetch_now(f);

	for (uint32_t i = 0; i < f->vcpus; i++) {
		for (uint32_t c = 0; c < f->nchunks; c++)
			if (f->low[i][c] < oldest)
				oldest = f->low[i][c];
		for (uint32_t k = 0; k < f->latched[i].nchunks; k++)
			if (f->latched[i].version[k] < oldest)
				oldest = f->latched[i].version[k];
	}
	return oldest;
}

void fetch_trim(struct fetch *f)
{
	uint32_t oldest = oldest_needed(f), drop = oldest - f->first;

	if (!drop)
		return;
	memmove(f->versions, window_of(f, oldest), (size_t)(f->count - drop) * f->size);
	f->first = oldest;
	f->count -= drop;
}

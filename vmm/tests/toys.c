// SPDX-License-Identifier: BSD-2-Clause
/*
 * toys.c - systems of a few bytes with known answers. Where a model in
 * tests/spin/ exists, a toy's moves are that model's statements, one to one.
 */
#include "toys.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static uint32_t owe(struct search_action *list, uint32_t count, uint32_t process, uint64_t code)
{
	list[count] = (struct search_action){ code, (uint8_t)process, true, (uint8_t)process, false,
					      false };
	return count + 1;
}

/* ---- ring: s[0], s[1] the place ------------------------------------------- */

static uint32_t ring_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	(void)t;
	(void)s;
	return owe(list, 0, 0, 1);
}

static void ring_apply(const struct toy *t, uint8_t *s, uint64_t code)
{
	uint32_t at = (s[0] | (uint32_t)s[1] << 8) + (uint32_t)code;

	at %= t->n;
	s[0] = (uint8_t)at;
	s[1] = (uint8_t)(at >> 8);
}

static struct search_mark ring_mark(const struct toy *t, const uint8_t *s)
{
	uint32_t at = s[0] | (uint32_t)s[1] << 8;

	return (struct search_mark){ .goal = at == t->n - 1 };
}

const struct toy_kind toy_ring = { "ring", ring_enabled, ring_apply, ring_mark };

/* ---- Peterson: s[p] pc, s[2 + p] flag, s[4] turn --------------------------- */

enum { PETERSON_WANT, PETERSON_YIELD, PETERSON_WAIT, PETERSON_INSIDE };

static uint32_t peterson_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < 2; p++) {
		bool free = !s[2 + !p] || (t->variant == 0 && s[4] == p);

		if (s[p] != PETERSON_WAIT || free)
			count = owe(list, count, p, p);
	}
	return count;
}

static void peterson_apply(const struct toy *t, uint8_t *s, uint64_t p)
{
	(void)t;
	if (s[p] == PETERSON_WANT)
		s[2 + p] = 1;
	else if (s[p] == PETERSON_YIELD)
		s[4] = !p;
	else if (s[p] == PETERSON_INSIDE)
		s[2 + p] = 0;
	s[p] = (s[p] + 1) % 4;
}

static struct search_mark peterson_mark(const struct toy *t, const uint8_t *s)
{
	bool in[2] = { s[0] == PETERSON_INSIDE, s[1] == PETERSON_INSIDE };

	(void)t;
	return (struct search_mark){ .goal = in[0], .violation = in[0] && in[1] };
}

const struct toy_kind toy_peterson = { "peterson", peterson_enabled, peterson_apply,
				       peterson_mark };

/* ---- philosophers: s[p] pc, s[8 + p] fork to the right of p is taken -------- */

enum { DINE_FIRST, DINE_SECOND, DINE_EAT, DINE_PUT };

static uint32_t fork_of(const struct toy *t, uint32_t p, bool second)
{
	bool left_handed = t->variant && t->variant != 3 && p == t->n - 1;

	return 8 + (second != left_handed ? (p + 1) % t->n : p);
}

static uint32_t dine_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < t->n; p++)
		if (s[p] >= DINE_EAT || !s[fork_of(t, p, s[p] == DINE_SECOND)])
			count = owe(list, count, p, p);
	return count;
}

static void dine_apply(const struct toy *t, uint8_t *s, uint64_t code)
{
	uint32_t p = (uint32_t)code;

	/* Taken first and second, put back second and first. */
	if (s[p] < DINE_EAT)
		s[fork_of(t, p, s[p] == DINE_SECOND)] = 1;
	else
		s[fork_of(t, p, s[p] == DINE_EAT)] = 0;
	s[p] = (s[p] + 1) % 4;
}

static struct search_mark dine_mark(const struct toy *t, const uint8_t *s)
{
	struct search_mark mark = { .goal = false };
	uint32_t eat = 0;

	for (uint32_t p = 0; p < t->n; p++) {
		mark.goal |= s[p] == DINE_EAT && (t->variant != 2 || p == 0);
		eat += s[p] == DINE_EAT;
	}
	mark.violation = t->variant == 3 && eat == t->n / 2 ? 7 : 0;
	return mark;
}

const struct toy_kind toy_philosophers = { "philosophers", dine_enabled, dine_apply, dine_mark };

/* ---- buffer: s[p] pc, s[3] lock, s[4] used, s[5] in, s[6] out, s[7] got, s[8...] items ---- */

enum { BUFFER_LOCK, BUFFER_MOVE, BUFFER_UNLOCK };

static uint32_t buffer_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < 3; p++) {
		/* Who would find nothing to do does not take the lock. */
		bool useful = p < 2 ? s[4] < t->n : s[4] > 0;

		if (s[p] != BUFFER_LOCK || (!s[3] && useful))
			count = owe(list, count, p, p);
	}
	return count;
}

static void buffer_apply(const struct toy *t, uint8_t *s, uint64_t p)
{
	uint8_t n = (uint8_t)t->n;

	if (s[p] == BUFFER_LOCK) {
		s[3] = 1;
	} else if (s[p] == BUFFER_UNLOCK) {
		s[3] = 0;
	} else if (p < 2) {
		s[8 + s[5]] = (uint8_t)(p + 1);
		s[5] = (s[5] + 1) % n;
		s[4]++;
	} else {
		s[7] = s[8 + s[6]];
		s[8 + s[6]] = 0;
		s[6] = (s[6] + 1) % n;
		s[4]--;
	}
	s[p] = (s[p] + 1) % 3;
}

static struct search_mark buffer_mark(const struct toy *t, const uint8_t *s)
{
	(void)t;
	return (struct search_mark){ .goal = s[2] == BUFFER_UNLOCK };
}

const struct toy_kind toy_buffer = { "buffer", buffer_enabled, buffer_apply, buffer_mark };

/* ---- polite: s[p] pc, s[2 + p] flag ---------------------------------------- */

enum { POLITE_WANT, POLITE_LOOK, POLITE_BACK_OFF, POLITE_WAIT, POLITE_INSIDE, POLITE_DONE };

static uint32_t polite_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	uint32_t count = 0;

	(void)t;
	for (uint32_t p = 0; p < 2; p++)
		if (s[p] != POLITE_DONE)
			count = owe(list, count, p, p);
	return count;
}

static void polite_apply(const struct toy *t, uint8_t *s, uint64_t p)
{
	switch (s[p]) {
	case POLITE_WANT:
		s[2 + p] = 1;
		s[p] = POLITE_LOOK;
		break;
	case POLITE_LOOK: /* repaired, process 0 looks again and again */
		if (!s[2 + !p])
			s[p] = POLITE_INSIDE;
		else if (!t->variant || p == 1)
			s[p] = POLITE_BACK_OFF;
		break;
	case POLITE_BACK_OFF:
		s[2 + p] = 0;
		s[p] = t->variant ? POLITE_WAIT : POLITE_WANT;
		break;
	case POLITE_WAIT: /* repaired: until the other has been inside */
		if (!s[2 + !p])
			s[p] = POLITE_WANT;
		break;
	default:
		s[2 + p] = 0;
		s[p] = POLITE_DONE;
	}
}

/* The work is done once somebody was inside. */
static struct search_mark polite_mark(const struct toy *t, const uint8_t *s)
{
	bool in[2] = { s[0] == POLITE_INSIDE, s[1] == POLITE_INSIDE };

	(void)t;
	return (struct search_mark){ .goal = s[0] >= POLITE_INSIDE || s[1] >= POLITE_INSIDE,
				     .violation = in[0] && in[1] };
}

const struct toy_kind toy_polite = { "polite", polite_enabled, polite_apply, polite_mark };

/* ---- counters: s[p] ------------------------------------------------------- */

static uint32_t counters_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < t->n; p++)
		if (s[p] < 3)
			count = owe(list, count, p, p);
	return count;
}

static void counters_apply(const struct toy *t, uint8_t *s, uint64_t p)
{
	(void)t;
	s[p]++;
}

static struct search_mark counters_mark(const struct toy *t, const uint8_t *s)
{
	struct search_mark mark = { .goal = true };

	for (uint32_t p = 0; p < t->n; p++)
		mark.goal &= s[p] == 3;
	/* A planted fault: variant is how far the first digit may not be ahead of the second. */
	mark.violation = t->variant && s[0] >= s[1] + t->variant ? 5 : 0;
	return mark;
}

const struct toy_kind toy_counters = { "counters", counters_enabled, counters_apply,
				       counters_mark };

/* ---- rope: s[0], s[1] the place ------------------------------------------- */

static uint32_t place(const uint8_t *s)
{
	return s[0] | (uint32_t)s[1] << 8;
}

static uint32_t rope_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	uint8_t lane = t->variant == 1 ? place(s) & 1 : 2;

	if (place(s) == t->n)
		return 0;
	list[0] = (struct search_action){ 0, 2, t->variant != 2, lane, t->variant == 3, false };
	list[1] = (struct search_action){ 1, 2, true, 2, false, false };
	return 2;
}

static void rope_apply(const struct toy *t, uint8_t *s, uint64_t code)
{
	uint32_t at = place(s) + 1;

	(void)t;
	(void)code;
	s[0] = (uint8_t)at;
	s[1] = (uint8_t)(at >> 8);
}

static struct search_mark rope_mark(const struct toy *t, const uint8_t *s)
{
	return (struct search_mark){ .violation = place(s) == t->n ? 3 : 0 };
}

const struct toy_kind toy_rope = { "rope", rope_enabled, rope_apply, rope_mark };

/* ---- explicit: s[0] the state --------------------------------------------- */

static uint32_t explicit_enabled(const struct toy *t, const uint8_t *s, struct search_action *list)
{
	const struct toy_graph *g = t->graph;

	for (uint32_t i = 0; i < g->state[s[0]].moves; i++)
		list[i] = (struct search_action){ i,
						  g->state[s[0]].process[i],
						  g->state[s[0]].owed[i],
						  g->state[s[0]].lane[i],
						  g->state[s[0]].costly[i],
						  g->state[s[0]].strong[i] };
	return g->state[s[0]].moves;
}

static void explicit_apply(const struct toy *t, uint8_t *s, uint64_t code)
{
	s[0] = t->graph->state[s[0]].to[code];
}

static struct search_mark explicit_mark(const struct toy *t, const uint8_t *s)
{
	return (struct search_mark){ .goal = t->graph->state[s[0]].goal,
				     .violation = t->graph->state[s[0]].violation,
				     .over = t->graph->state[s[0]].over };
}

const struct toy_kind toy_explicit = { "explicit", explicit_enabled, explicit_apply,
				       explicit_mark };

/* ---- the system around them ----------------------------------------------- */

static bool toy_start(void *self, struct search_mark *mark, struct err *e)
{
	struct toy *t = self;

	(void)e;
	memset(t->state, 0, sizeof(t->state));
	t->state[0] = t->start_at;
	*mark = t->kind->mark(t, t->state);
	return true;
}

static bool toy_load(void *self, const struct search_blob *blob, struct err *e)
{
	struct toy *t = self;

	if (blob->size != sizeof(t->state))
		return err_set(e, ERR_HOST, "a snapshot of %zu bytes", blob->size);
	memcpy(t->state, blob->data, sizeof(t->state));
	t->loads++;
	return true;
}

static bool toy_save(void *self, struct search_blob *blob, struct err *e)
{
	struct toy *t = self;

	blob->data = malloc(sizeof(t->state));
	if (!blob->data)
		return err_set(e, ERR_HOST, "no memory");
	memcpy(blob->data, t->state, sizeof(t->state));
	blob->size = sizeof(t->state);
	t->saves++;
	return true;
}

static uint32_t toy_enabled(void *self, struct search_action *list)
{
	struct toy *t = self;

	return t->kind->enabled(t, t->state, list);
}

static bool toy_apply(void *self, const struct search_action *a, struct search_mark *mark,
		      struct err *e)
{
	struct toy *t = self;
	double until = t->busy_seconds > 0 ? clock_now() + t->busy_seconds : 0;

	t->kind->apply(t, t->state, a->code);
	*mark = t->kind->mark(t, t->state);
	t->applies++;
	while (until > 0 && clock_now() < until)
		;
	if (t->fail_at && t->state[0] + 4u * t->state[1] == t->fail_at)
		return err_set(e, ERR_HOST, "fails by moving %u", (unsigned int)a->code);
	return true;
}

/* Each half depends on every byte, and on nothing in common. */
static void toy_hash(void *self, uint64_t hash[2])
{
	const struct toy *t = self;

	hash[0] = 0xcbf29ce484222325u;
	hash[1] = 0x9ae16a3b2f90404fu;
	for (uint32_t i = 0; i < TOY_BYTES; i++) {
		hash[0] = (hash[0] ^ t->state[i]) * 0x100000001b3u;
		hash[0] ^= hash[0] >> 29;
		hash[1] = (hash[1] + t->state[i] + 1) * 0xd6e8feb86659fd93u;
		hash[1] ^= hash[1] >> 32;
	}
}

void toy_init(struct toy *t, const struct toy_kind *kind, uint32_t n, uint32_t variant)
{
	*t = (struct toy){ .kind = kind, .n = n, .variant = variant };
	t->system = (struct search_system){
		.self = t,
		.start = toy_start,
		.load = toy_load,
		.save = toy_save,
		.enabled = toy_enabled,
		.apply = toy_apply,
		.hash = toy_hash,
	};
}

bool toy_search(const struct toy *like, uint32_t jobs, const struct search_bounds *bounds,
		struct search_result *r, struct err *e)
{
	struct search_options options = { .bounds =
						  bounds ? *bounds : (struct search_bounds){ 0 } };

	return toy_search_with(like, jobs, &options, r, e);
}

bool toy_search_with(const struct toy *like, uint32_t jobs, const struct search_options *options,
		     struct search_result *r, struct err *e)
{
	struct search_system *systems[TOY_JOBS_MAX];
	struct toy toys[TOY_JOBS_MAX];

	for (uint32_t i = 0; i < jobs; i++) {
		toys[i] = *like;
		toys[i].system.self = &toys[i];
		systems[i] = &toys[i].system;
	}
	return search_run(systems, jobs, options, r, e);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * scenario_schedule.c - "schedule" and "inject": who moves, and what hits whom.
 *
 * Owns the JSON form of moves and injections, and which of them the fetch
 * model allows. Must not know how a move is carried out.
 */
#include "scenario/scenario_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- moves ---- */

const char *const scenario_move_keys[] = { "vcpu",	   "steps",	     "until",	   "hit",
					   "until_stores", "until_variable", "until_done", "fetch",
					   "latch",	   "deliver",	     "hold_ipis",  NULL };
const char *const scenario_head_tail_keys[] = { "head", "tail", NULL };

/* Which version one chunk of a forced fetch takes: "old", "new" or the number of a store. */
static bool read_version(const struct scenario *s, const struct jnode *n, struct forced_chunk *c)
{
	static const char *const names[] = { "old", "new" };
	bool aged = fetch_model_is_aged(s->fetch.model);
	size_t which;

	if (json_is_integer(n->json)) {
		c->which = FORCED_INDEX;
		if (!jnode_u32(n, 0, UINT16_MAX, &c->index))
			return false;
	} else if (json_is_string(n->json)) {
		if (!jnode_choice(n, names, COUNT(names), &which))
			return false;
		c->which = which ? FORCED_NEWEST : FORCED_OLDEST;
	} else {
		return jnode_fail(n, "expected \"old\", \"new\" or the number of a store, found %s",
				  jnode_type(n));
	}
	if (!aged && c->which != FORCED_NEWEST)
		return jnode_fail(n, "model '%s' only fetches the newest bytes",
				  fetch_model_name(s->fetch.model));
	return true;
}

static bool read_fetch(const struct scenario *s, const struct jnode *n, struct move *m)
{
	struct jnode item;
	size_t i, count;

	m->kind = MOVE_FETCH;
	if (json_is_object(n->json)) {
		m->head_tail = true;
		m->nchunks = 2;
		return jnode_object(n, scenario_head_tail_keys) &&
		       jnode_require(n, "head", &item) && read_version(s, &item, &m->chunk[0]) &&
		       jnode_require(n, "tail", &item) && read_version(s, &item, &m->chunk[1]);
	}
	if (!json_is_array(n->json))
		return jnode_fail(n,
				  "expected {\"head\": ..., \"tail\": ...} or an array, found %s",
				  jnode_type(n));
	if (!jnode_array(n, 1, FETCH_PLAN_MAX, &count))
		return false;
	m->nchunks = (uint32_t)count;
	for (i = 0; i < count; i++) {
		item = jnode_item(n, i);
		if (!read_version(s, &item, &m->chunk[i]))
			return false;
	}
	return true;
}

static bool read_latch(const struct scenario *s, const struct jnode *n, struct move *m)
{
	m->kind = MOVE_LATCH;
	if (s->fetch.model != FETCH_ASC && s->fetch.model != FETCH_DESC)
		return jnode_fail(n,
				  "only models 'asc' and 'desc' fetch chunk after chunk, not '%s'",
				  fetch_model_name(s->fetch.model));
	return jnode_u64(n, 1, FETCH_PLAN_MAX, &m->steps);
}

static bool read_deliver(const struct jnode *n, struct move *m)
{
	static const char *const names[] = { "ipi", "nmi", "raised-ipi", "online" };
	static const enum move_kind kinds[] = { MOVE_IPI, MOVE_NMI, MOVE_RAISE, MOVE_ONLINE };
	size_t which;

	if (!jnode_choice(n, names, COUNT(names), &which))
		return false;
	m->kind = kinds[which];
	return true;
}

static bool read_until_done(const struct jnode *n, struct move *m)
{
	bool value;

	if (!jnode_bool(n, &value))
		return false;
	if (!value)
		return jnode_fail(n, "can only be true");
	m->until.kind = POINT_DONE;
	return jnode_copy(n, "done", &m->until.text);
}

/* The keys of which a move has exactly one. */
enum what { STEPS, UNTIL, UNTIL_STORES, UNTIL_VARIABLE, UNTIL_DONE, FETCH, LATCH, DELIVER, WHATS };

static const char *const whats[WHATS] = {
	[STEPS] = "steps",
	[UNTIL] = "until",
	[UNTIL_STORES] = "until_stores",
	[UNTIL_VARIABLE] = "until_variable",
	[UNTIL_DONE] = "until_done",
	[FETCH] = "fetch",
	[LATCH] = "latch",
	[DELIVER] = "deliver",
};

static bool read_what(const struct scenario *s, const struct image *img, enum what what,
		      const struct jnode *n, struct move *m)
{
	m->kind = MOVE_RUN;
	switch (what) {
	case STEPS:
		return jnode_u64(n, 1, UINT32_MAX, &m->steps);
	case UNTIL:
		return point_read_address(&m->until, s, img, n) &&
		       jnode_opt_u32(n->parent, "hit", 1, UINT32_MAX, &m->until.hit);
	case UNTIL_STORES:
		return point_read_stores(&m->until, n);
	case UNTIL_VARIABLE:
		return point_read_variable(&m->until, img, n);
	case UNTIL_DONE:
		return read_until_done(n, m);
	case FETCH:
		return read_fetch(s, n, m);
	case LATCH:
		return read_latch(s, n, m);
	case DELIVER:
		return read_deliver(n, m);
	case WHATS:
		break;
	}
	assert(!"no such move");
	return false;
}

/* A number, or "all" where the kind of move allows it. */
static bool read_mover(const struct scenario *s, const struct jnode *n, struct move *m)
{
	if (!json_is_string(n->json))
		return scenario_read_vcpu(s, n, &m->vcpu);
	if (strcmp(json_string_value(n->json), "all"))
		return jnode_fail(n, "expected the number of a vCPU or \"all\"");
	if (m->kind != MOVE_RUN)
		return jnode_fail(n, "\"all\" only with steps, until, until_stores, until_variable "
				     "and until_done");
	m->all = true;
	return true;
}

static bool read_hold_ipis(const struct jnode *n, struct move *m)
{
	struct jnode hold;

	if (!jnode_get(n, "hold_ipis", &hold))
		return true;
	if (m->kind != MOVE_RUN || m->all)
		return jnode_fail(&hold,
				  "only while one vCPU runs: with steps, until, until_stores, "
				  "until_variable or until_done, and not \"all\"");
	return jnode_bool(&hold, &m->hold_ipis);
}

/* Once, and of those that start offline. */
static bool check_online(const struct scenario *s, const struct jnode *n, const struct move *m)
{
	if (m->kind != MOVE_ONLINE)
		return true;
	if (!(s->offline & 1u << m->vcpu))
		return jnode_fail(n, "vCPU %u is online from the start: it is not in \"offline\"",
				  m->vcpu);
	for (const struct move *before = s->move; before < m; before++)
		if (before->kind == MOVE_ONLINE && before->vcpu == m->vcpu)
			return jnode_fail(n, "vCPU %u is online since $.schedule[%td]", m->vcpu,
					  before - s->move);
	return true;
}

static bool read_move(const struct scenario *s, const struct image *img, const struct jnode *n,
		      struct move *m)
{
	struct jnode vcpu, value;
	size_t what;

	point_init(&m->until);
	if (!jnode_object(n, scenario_move_keys) || !jnode_require(n, "vcpu", &vcpu) ||
	    !jnode_one_of(n, whats, WHATS, &value, &what) || !jnode_only_with(n, "hit", "until") ||
	    !read_what(s, img, (enum what)what, &value, m) || !read_mover(s, &vcpu, m) ||
	    !check_online(s, &value, m) || !read_hold_ipis(n, m))
		return false;
	m->until.vcpu = m->vcpu;
	return true;
}

bool scenario_read_schedule(struct scenario *s, const struct image *img, const struct jnode *n)
{
	size_t i, count;

	if (!jnode_array(n, 0, SIZE_MAX, &count))
		return false;
	s->move = calloc(count ? count : 1, sizeof(*s->move));
	if (!s->move)
		return jnode_out_of_memory(n);
	for (i = 0; i < count; i++) {
		struct jnode item = jnode_item(n, i);

		s->nmoves = i + 1;
		if (!read_move(s, img, &item, &s->move[i]))
			return false;
	}
	return true;
}

/* ---- injections ---- */

const char *const scenario_injection_keys[] = { "what",	     "vcpu", "at",    "on", "hit",
						"at_stores", "when", "steps", NULL };

/* When it fires: the keys of which an injection has exactly one. */
enum trigger { AT, AT_STORES, WHEN, TRIGGERS };

static bool read_trigger(const struct scenario *s, const struct image *img, const struct jnode *n,
			 struct injection *inj)
{
	static const char *const triggers[] = {
		[AT] = "at", [AT_STORES] = "at_stores", [WHEN] = "when"
	};
	struct jnode value, on;
	size_t trigger;

	if (!jnode_one_of(n, triggers, TRIGGERS, &value, &trigger) ||
	    !jnode_only_with(n, "on", "at") || !jnode_only_with(n, "hit", "at"))
		return false;
	inj->at.vcpu = inj->vcpu;
	if (trigger == AT_STORES)
		return point_read_stores(&inj->at, &value);
	if (trigger == WHEN)
		return point_read_variable(&inj->at, img, &value);
	if (jnode_get(n, "on", &on) && !scenario_read_vcpu(s, &on, &inj->at.vcpu))
		return false;
	return point_read_address(&inj->at, s, img, &value) &&
	       jnode_opt_u32(n, "hit", 1, UINT32_MAX, &inj->at.hit);
}

static bool read_injection(const struct scenario *s, const struct image *img, const struct jnode *n,
			   struct injection *inj)
{
	static const char *const names[] = { "nmi", "ipi", "stall" };
	static const enum injection_kind kinds[] = { INJECT_NMI, INJECT_IPI, INJECT_STALL };
	struct jnode what, vcpu, steps;
	size_t which;

	point_init(&inj->at);
	if (!jnode_object(n, scenario_injection_keys) || !jnode_require(n, "what", &what) ||
	    !jnode_choice(&what, names, COUNT(names), &which) || !jnode_require(n, "vcpu", &vcpu) ||
	    !scenario_read_vcpu(s, &vcpu, &inj->vcpu) || !read_trigger(s, img, n, inj))
		return false;
	inj->kind = kinds[which];
	if (inj->kind == INJECT_STALL)
		return jnode_require(n, "steps", &steps) &&
		       jnode_u64(&steps, 1, UINT32_MAX, &inj->steps);
	if (jnode_get(n, "steps", &steps))
		return jnode_fail(&steps, "only a stall lasts; remove it");
	return true;
}

bool scenario_read_injections(struct scenario *s, const struct image *img, const struct jnode *n)
{
	size_t i, count;

	if (!jnode_array(n, 0, SIZE_MAX, &count))
		return false;
	s->injection = calloc(count ? count : 1, sizeof(*s->injection));
	if (!s->injection)
		return jnode_out_of_memory(n);
	for (i = 0; i < count; i++) {
		struct jnode item = jnode_item(n, i);

		s->ninjections = i + 1;
		if (!read_injection(s, img, &item, &s->injection[i]))
			return false;
	}
	return true;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * search_witness.c - of all shortest paths to what was found, the one that is
 * best to read: fewest context switches, then injections, then costly moves, then
 * the smallest indices. Must not know why it is wanted, nor what a lane is.
 *
 * A dynamic programme from the targets back to the start, level by level. What
 * is still to come after a state depends on the lane of the move that led there,
 * but only by one switch, so each state on a shortest path keeps, for each lane
 * it may be left by, the least that follows.
 */
#include "explore/search_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NOT_ON_PATH SEARCH_NONE
#define TARGET	    (SEARCH_NONE - 1)
#define OPTIONS_MAX (SEARCH_NONE - 2)
#define NO_LANE	    SEARCH_LANES

struct cost {
	uint32_t switches, injections, costly;
};

/* What the rest of a path costs that leaves a state by a move of (lane). */
struct option {
	struct cost cost;
	uint8_t lane;
	bool last; /* of its state's */
};

struct table {
	const struct search_graph *g;
	uint32_t *first; /* option, of each state up to the targets' level; or one of the above */
	struct option *option;
	size_t options, capacity;
	uint64_t room; /* bytes that the options may take */
};

static int compare(const struct cost *a, const struct cost *b)
{
	if (a->switches != b->switches)
		return a->switches < b->switches ? -1 : 1;
	if (a->injections != b->injections)
		return a->injections < b->injections ? -1 : 1;
	return a->costly < b->costly ? -1 : a->costly > b->costly;
}

/* What follows a move of (lane) into (id), at least; (id) lies on a path. */
static struct cost onward(const struct table *t, uint32_t id, uint32_t lane)
{
	const struct option *option = &t->option[t->first[id]];
	struct cost best = { UINT32_MAX, 0, 0 };

	if (t->first[id] == TARGET)
		return (struct cost){ 0, 0, 0 };
	for (;; option++) {
		struct cost cost = option->cost;

		cost.switches += lane != NO_LANE && option->lane != lane;
		if (compare(&cost, &best) < 0)
			best = cost;
		if (option->last)
			return best;
	}
}

/* What the path costs from this move on, at least; it leads to a state on a path. */
static struct cost cost_by(const struct table *t, const struct search_edge *edge)
{
	struct cost cost = onward(t, edge->to, edge->lane);

	cost.injections += !edge->owed;
	cost.costly += edge->costly;
	return cost;
}

/* Whether a move out of level (depth) stays on a shortest path to a target. */
static bool leads_on(const struct table *t, const struct search_edge *edge, size_t depth)
{
	return edge->to >= t->g->level[depth + 1] &&
	       edge->to < search_graph_level_end(t->g, depth + 1) &&
	       t->first[edge->to] != NOT_ON_PATH;
}

/* False: no room. */
static bool add_option(struct table *t, const struct cost *cost, uint32_t lane)
{
	struct option *grown;

	grown = search_grow(t->option, &t->capacity, t->options + 1, sizeof(*grown));
	if (!grown)
		return false;
	t->option = grown;
	if (t->capacity * sizeof(*grown) > t->room || t->options == OPTIONS_MAX)
		return false;
	grown[t->options++] = (struct option){ .cost = *cost, .lane = (uint8_t)lane };
	return true;
}

static bool weigh_state(struct table *t, uint32_t id, size_t depth)
{
	struct cost best[SEARCH_LANES];
	size_t before = t->options;
	uint64_t lanes = 0;

	for (uint64_t i = t->g->first[id]; i < t->g->first[id + 1]; i++) {
		const struct search_edge *edge = &t->g->edge[i];
		struct cost cost;

		if (!leads_on(t, edge, depth))
			continue;
		cost = cost_by(t, edge);
		if (!(lanes >> edge->lane & 1) || compare(&cost, &best[edge->lane]) < 0)
			best[edge->lane] = cost;
		lanes |= UINT64_C(1) << edge->lane;
	}
	for (uint32_t lane = 0; lane < SEARCH_LANES; lane++)
		if (lanes >> lane & 1 && !add_option(t, &best[lane], lane))
			return false;
	if (lanes) {
		t->first[id] = (uint32_t)before;
		t->option[t->options - 1].last = true;
	}
	return true;
}

/* (depth): of the targets. The level before them may be expanded in part. False: no room. */
static bool weigh(struct table *t, size_t depth)
{
	while (depth-- > 0) {
		uint32_t end = search_graph_level_end(t->g, depth);

		for (uint32_t id = t->g->level[depth]; id < end && id < t->g->expanded; id++)
			if (!weigh_state(t, id, depth))
				return false;
	}
	return true;
}

uint32_t *search_path_extend(struct search_path *path, size_t more)
{
	/* One more than needed, so that an empty path is no failure. */
	uint32_t *grown = realloc(path->index, (path->count + more + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	path->index = grown;
	path->count += more;
	return &grown[path->count - more];
}

static uint32_t best_move(const struct table *t, uint32_t at, uint32_t lane, size_t depth)
{
	const struct search_graph *g = t->g;
	struct cost best = { UINT32_MAX, 0, 0 };
	uint32_t move = 0;

	for (uint64_t i = g->first[at]; i < g->first[at + 1]; i++) {
		struct cost cost;

		if (!leads_on(t, &g->edge[i], depth))
			continue;
		cost = cost_by(t, &g->edge[i]);
		cost.switches += lane != NO_LANE && g->edge[i].lane != lane;
		if (compare(&cost, &best) < 0) {
			best = cost;
			move = (uint32_t)(i - g->first[at]);
		}
	}
	assert(best.switches != UINT32_MAX);
	return move;
}

static void tell(const struct table *t, size_t depth, uint32_t *index)
{
	uint32_t at = 0, lane = NO_LANE;

	for (size_t i = 0; i < depth; i++) {
		const struct search_edge *edge = &t->g->edge[t->g->first[at]];

		index[i] = best_move(t, at, lane, i);
		lane = edge[index[i]].lane;
		at = edge[index[i]].to;
	}
}

/* As it was found: by the parents. */
static void tell_first_found(const struct search_graph *g, uint32_t id, size_t depth,
			     uint32_t *index)
{
	for (; depth--; id = g->states.state[id].parent)
		index[depth] = g->states.state[id].action;
}

static size_t depth_of(const struct search_graph *g, uint32_t id)
{
	size_t low = 0, high = g->levels;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (g->level[middle] <= id)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void mark_targets(struct table *t, uint32_t id, size_t depth)
{
	const struct search_state *state = t->g->states.state;
	uint32_t end = search_graph_level_end(t->g, depth);

	memset(t->first, 0xff, end * sizeof(*t->first));
	t->first[id] = TARGET;
	for (uint32_t i = t->g->level[depth]; state[id].violation && i < end; i++)
		if (state[i].violation == state[id].violation)
			t->first[i] = TARGET;
}

bool search_witness(const struct search_graph *g, uint32_t id, uint64_t held, uint64_t limit,
		    struct search_result *r)
{
	size_t depth = depth_of(g, id);
	uint64_t states = search_graph_level_end(g, depth);
	struct table t = { .g = g };
	uint32_t *index = search_path_extend(&r->path, depth);

	if (!index)
		return false;
	held += states * sizeof(*t.first);
	t.room = !limit ? UINT64_MAX : limit > held ? limit - held : 0;
	t.first = t.room ? malloc(states * sizeof(*t.first)) : NULL;
	r->minimised = false;
	if (t.first) {
		mark_targets(&t, id, depth);
		r->minimised = weigh(&t, depth) && t.first[0] != NOT_ON_PATH;
		held += t.capacity * sizeof(*t.option);
	}
	if (r->minimised) {
		tell(&t, depth, index);
		if (held > r->memory)
			r->memory = held;
	} else {
		tell_first_found(g, id, depth, index);
	}
	free(t.first);
	free(t.option);
	return true;
}

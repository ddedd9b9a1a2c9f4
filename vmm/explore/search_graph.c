// SPDX-License-Identifier: BSD-2-Clause
/*
 * search_graph.c - what a finished graph of states says: which states can no
 * longer reach a goal, which cycles never do although they could and no process
 * is wronged on them, and a witness of it. Must not know systems, threads or
 * how the graph came to be.
 *
 * Strongly connected components by Tarjan's algorithm (SIAM J. Comput. 1, 1972),
 * with a stack of its own. A component holds a cycle that is weakly fair if the
 * walk through all of it is: a smaller cycle takes fewer processes and disables
 * fewer. Where a process to which strong fairness is owed has a move, but takes
 * none within, no fair cycle comes by: those states are left out, and what
 * remains is taken apart again (Emerson and Lei, Sci. Comput. Program. 8, 1987).
 */
#include "explore/search_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DONE UINT32_MAX

struct frame {
	uint32_t state, edge;
};

_Static_assert(_Alignof(struct frame) == _Alignof(uint32_t), "both are carved from one block");

struct judge {
	struct search_graph *g;
	uint32_t *number; /* in order of entry, from 1; 0 not entered, DONE in a component */
	uint32_t *low;	  /* of a state that is DONE: its component's; 0 none */
	uint32_t *stack;
	struct frame *frame;
	uint32_t numbers, stacked, frames;
	bool owed_only;	      /* which edges count */
	bool unfinished_only; /* which states count: no goal, but alive */
	bool reached_only;    /* which states count: SEARCH_REACHED */
	bool mark;	      /* set SEARCH_FAIR in fair components */
	bool again;	      /* states were left out: components have changed */
	uint64_t held, limit; /* bytes, for the stem */
	uint32_t best;	      /* the smallest state of a fair component, or SEARCH_NONE */
};

static uint32_t edges_of(const struct search_graph *g, uint32_t id)
{
	return (uint32_t)(g->first[id + 1] - g->first[id]);
}

static bool counts(const struct judge *j, uint32_t id)
{
	uint8_t flags = j->g->states.state[id].flags;

	return !(flags & SEARCH_UNFAIR) && (!j->reached_only || flags & SEARCH_REACHED) &&
	       (!j->unfinished_only || (flags & (SEARCH_GOAL | SEARCH_ALIVE)) == SEARCH_ALIVE);
}

static bool follows(const struct judge *j, const struct search_edge *edge)
{
	return (edge->owed || !j->owed_only) && counts(j, edge->to);
}

/* The processes that are owed a move in a state, wherever it leads. */
static uint64_t waiting(const struct search_graph *g, uint32_t id)
{
	uint64_t mask = 0;

	for (uint64_t i = g->first[id]; i < g->first[id + 1]; i++)
		if (g->edge[i].owed)
			mask |= UINT64_C(1) << g->edge[i].process;
	return mask;
}

/* Of these, the ones to which strong fairness is owed. */
static uint64_t insisting(const struct search_graph *g, uint32_t id)
{
	uint64_t mask = 0;

	for (uint64_t i = g->first[id]; i < g->first[id + 1]; i++)
		if (g->edge[i].owed && g->edge[i].strong)
			mask |= UINT64_C(1) << g->edge[i].process;
	return mask;
}

/* ---- components ----------------------------------------------------------- */

/*
 * Components come in reverse topological order, so all that this one leads to
 * is known. Over owed edges.
 */
static void mark_alive(struct judge *j, const uint32_t *member, uint32_t count)
{
	struct search_graph *g = j->g;
	bool alive = false;

	for (uint32_t m = 0; m < count; m++) {
		alive |= g->states.state[member[m]].flags & SEARCH_GOAL;
		for (uint64_t i = g->first[member[m]]; i < g->first[member[m] + 1]; i++)
			if (g->edge[i].owed)
				alive |= g->states.state[g->edge[i].to].flags & SEARCH_ALIVE;
	}
	for (uint32_t m = 0; m < count && alive; m++)
		g->states.state[member[m]].flags |= SEARCH_ALIVE;
}

/* The states of a component where one of (processes) has a move. */
static void leave_out(struct judge *j, const uint32_t *member, uint32_t count, uint64_t processes)
{
	for (uint32_t m = 0; m < count; m++)
		if (insisting(j->g, member[m]) & processes)
			j->g->states.state[member[m]].flags |= SEARCH_UNFAIR;
	j->again = true;
}

static void mark_reached(struct judge *j, const uint32_t *member, uint32_t count)
{
	for (uint32_t m = 0; m < count; m++)
		j->g->states.state[member[m]].flags |= SEARCH_REACHED;
}

/*
 * Fair: there is a cycle, and every process that is owed a move throughout takes
 * one, or, if strong fairness is, anywhere. An NMI on a process is no move of its own.
 */
static void find_fair(struct judge *j, const uint32_t *member, uint32_t count)
{
	const struct search_graph *g = j->g;
	uint64_t wronged = UINT64_MAX, taken = 0, insisted = 0;
	bool cycle = false;

	for (uint32_t m = 0; m < count; m++) {
		wronged &= waiting(g, member[m]);
		insisted |= insisting(g, member[m]);
		for (uint64_t i = g->first[member[m]]; i < g->first[member[m] + 1]; i++) {
			const struct search_edge *edge = &g->edge[i];

			if (!follows(j, edge) || j->low[edge->to] != j->low[member[m]])
				continue;
			cycle = true;
			if (edge->owed)
				taken |= UINT64_C(1) << edge->process;
		}
	}
	if (!cycle || (wronged & ~taken))
		return;
	if (insisted & ~taken) {
		leave_out(j, member, count, insisted & ~taken);
		return;
	}
	for (uint32_t m = 0; m < count; m++) {
		if (member[m] < j->best)
			j->best = member[m];
		if (j->mark)
			g->states.state[member[m]].flags |= SEARCH_FAIR;
	}
}

static void enter(struct judge *j, uint32_t id)
{
	j->number[id] = j->low[id] = ++j->numbers;
	j->stack[j->stacked++] = id;
	j->frame[j->frames++] = (struct frame){ id, 0 };
}

typedef void component_fn(struct judge *j, const uint32_t *member, uint32_t count);

static void leave(struct judge *j, component_fn *component)
{
	uint32_t id = j->frame[--j->frames].state, low = j->low[id], end = j->stacked;

	if (j->frames && low < j->low[j->frame[j->frames - 1].state])
		j->low[j->frame[j->frames - 1].state] = low;
	if (low != j->number[id])
		return;
	do {
		uint32_t member = j->stack[--j->stacked];

		j->number[member] = DONE;
		j->low[member] = low;
	} while (j->stack[j->stacked] != id);
	component(j, &j->stack[j->stacked], end - j->stacked);
}

static void components_from(struct judge *j, uint32_t root, component_fn *component)
{
	enter(j, root);
	while (j->frames) {
		struct frame *f = &j->frame[j->frames - 1];
		const struct search_edge *edge = &j->g->edge[j->g->first[f->state] + f->edge];

		if (f->edge == edges_of(j->g, f->state)) {
			leave(j, component);
			continue;
		}
		f->edge++;
		if (!follows(j, edge))
			continue;
		if (!j->number[edge->to])
			enter(j, edge->to);
		else if (j->number[edge->to] < j->low[f->state])
			j->low[f->state] = j->number[edge->to];
	}
}

static void forget(struct judge *j)
{
	size_t n = j->g->states.count;

	memset(j->number, 0, n * sizeof(*j->number));
	memset(j->low, 0, n * sizeof(*j->low));
	j->numbers = 0;
	j->best = SEARCH_NONE;
}

static void components(struct judge *j, component_fn *component)
{
	forget(j);
	for (uint32_t id = 0; id < j->g->states.count; id++)
		if (!j->number[id] && counts(j, id))
			components_from(j, id, component);
}

/* The fair components, (best) and, if asked for, marks: of those states that count. */
static void fair_components(struct judge *j)
{
	do {
		j->again = false;
		components(j, find_fair);
	} while (j->again);
	for (uint32_t id = 0; id < j->g->states.count; id++)
		j->g->states.state[id].flags &= (uint8_t)~SEARCH_UNFAIR;
}

/* ---- walks ---------------------------------------------------------------- */

/* Part of a walk: where it starts, and the first edge it may end with. */
struct leg {
	uint32_t at;
	uint32_t within;  /* stay in this component; 0 anywhere */
	bool into_fair;	  /* leads to a state marked SEARCH_FAIR */
	uint32_t to;	  /* leads to this state; or SEARCH_NONE */
	uint64_t wronged; /* moves one of these, or leads to where one has no move */
	/* Of all legs so far: who insisted on a move anywhere, and who moved. */
	uint64_t insisted, moved;
};

static bool ends(const struct judge *j, const struct leg *leg, const struct search_edge *edge)
{
	uint64_t moved = edge->owed ? UINT64_C(1) << edge->process : 0;

	if (leg->into_fair)
		return j->g->states.state[edge->to].flags & SEARCH_FAIR;
	if (leg->to != SEARCH_NONE)
		return edge->to == leg->to;
	return (leg->wronged & (moved | ~waiting(j->g, edge->to))) ||
	       (leg->insisted & ~leg->moved & moved);
}

/* The walk the frames tell, from where (leg) is to the edge (last); who insisted, and who moved. */
static bool append_walk(const struct judge *j, struct leg *leg, struct frame last,
			struct search_path *path)
{
	uint32_t *index, from = leg->at;
	size_t length = 1;

	for (uint32_t at = last.state; at != from; at = j->frame[at].state)
		length++;
	index = search_path_extend(path, length);
	if (!index)
		return false;
	while (length--) {
		const struct search_edge *edge = &j->g->edge[j->g->first[last.state] + last.edge];

		leg->insisted |= insisting(j->g, last.state);
		leg->moved |= edge->owed ? UINT64_C(1) << edge->process : 0;
		index[length] = last.edge;
		last = j->frame[last.state];
	}
	return true;
}

static void arrive(const struct judge *j, struct leg *leg, const struct search_edge *edge)
{
	leg->at = edge->to;
	leg->wronged &= waiting(j->g, edge->to);
	if (edge->owed)
		leg->wronged &= ~(UINT64_C(1) << edge->process);
}

/* Whether the walk may end with an edge of (here->state); if not, what those lead to is queued. */
static bool look_on(struct judge *j, const struct leg *leg, struct frame *here, uint32_t *tail)
{
	const struct search_edge *edge = &j->g->edge[j->g->first[here->state]];

	for (here->edge = 0; here->edge < edges_of(j->g, here->state); here->edge++, edge++) {
		if (!follows(j, edge) || (leg->within && j->low[edge->to] != leg->within))
			continue;
		if (ends(j, leg, edge))
			return true;
		if (j->frame[edge->to].state == SEARCH_NONE) {
			j->frame[edge->to] = *here;
			j->stack[(*tail)++] = edge->to;
		}
	}
	return false;
}

/*
 * A shortest walk of the leg, by breadth, appended to (path). frame[] says how
 * each state was come to; all SEARCH_NONE before and after. There is such a
 * walk, or we have a bug.
 */
static bool walk(struct judge *j, struct leg *leg, struct search_path *path)
{
	struct frame here = { leg->at, 0 };
	uint32_t head = 0, tail = 0;
	bool ok;

	j->stack[tail++] = leg->at;
	j->frame[leg->at].state = leg->at;
	do {
		assert(head < tail);
		here.state = j->stack[head++];
	} while (!look_on(j, leg, &here, &tail));
	ok = append_walk(j, leg, here, path);
	while (tail)
		j->frame[j->stack[--tail]].state = SEARCH_NONE;
	arrive(j, leg, &j->g->edge[j->g->first[here.state] + here.edge]);
	return ok;
}

/* From (entry) through its component until nobody is wronged, and back. */
static bool go_round(struct judge *j, uint32_t entry, struct search_path *cycle)
{
	struct leg leg = {
		.at = entry,
		.within = j->low[entry],
		.to = SEARCH_NONE,
		.wronged = waiting(j->g, entry),
	};

	for (;;) {
		while (leg.wronged || (leg.insisted & ~leg.moved))
			if (!walk(j, &leg, cycle))
				return false;
		if (cycle->count && leg.at == entry)
			return true;
		/* The way home may come by somebody who insists on a move, too. */
		leg.to = entry;
		if (!walk(j, &leg, cycle))
			return false;
		leg.to = SEARCH_NONE;
	}
}

/* ---- judgements ----------------------------------------------------------- */

/* Ready for walk() after Tarjan's algorithm has used the frames. */
static void clear_frames(struct judge *j)
{
	memset(j->frame, 0xff, j->g->states.count * sizeof(*j->frame));
}

/*
 * Every owed path from a dead state ends in one without owed moves, or in a
 * component that is fair, as nothing leads out of it. If there is a fair cycle,
 * the stem goes on to the nearest.
 */
static bool witness_deadlock(struct judge *j, uint32_t dead, struct search_result *r)
{
	struct leg leg = { .at = dead, .into_fair = true, .to = SEARCH_NONE };

	if (!search_witness(j->g, dead, j->held, j->limit, r))
		return false;
	forget(j);
	j->owed_only = j->mark = true;
	j->unfinished_only = false;
	components_from(j, dead, mark_reached);
	j->reached_only = true;
	fair_components(j);
	if (j->best == SEARCH_NONE)
		return true;
	clear_frames(j);
	if (!(j->g->states.state[dead].flags & SEARCH_FAIR) && !walk(j, &leg, &r->path))
		return false;
	return go_round(j, leg.at, &r->cycle);
}

static bool witness_livelock(struct judge *j, struct search_result *r)
{
	uint32_t entry = j->best;

	clear_frames(j);
	return search_witness(j->g, entry, j->held, j->limit, r) && go_round(j, entry, &r->cycle);
}

static uint32_t first_dead(const struct search_graph *g)
{
	for (uint32_t id = 0; id < g->states.count; id++)
		if (!(g->states.state[id].flags & SEARCH_ALIVE))
			return id;
	return SEARCH_NONE;
}

/* A livelock without NMIs is the better witness, so those are left out first. */
static bool judge(struct judge *j, struct search_result *r)
{
	uint32_t dead;

	j->owed_only = true;
	components(j, mark_alive);
	dead = first_dead(j->g);
	r->deadlock = dead != SEARCH_NONE;
	j->unfinished_only = true;
	fair_components(j);
	if (j->best == SEARCH_NONE) {
		j->owed_only = false;
		fair_components(j);
	}
	r->livelock = j->best != SEARCH_NONE;
	if (r->deadlock)
		return witness_deadlock(j, dead, r);
	return !r->livelock || witness_livelock(j, r);
}

bool search_graph_judge(struct search_graph *g, uint64_t limit, struct search_result *r)
{
	size_t n = g->states.count;
	uint64_t need = n * (3 * sizeof(uint32_t) + sizeof(struct frame));
	uint64_t held = search_graph_bytes(g);
	struct judge j = { .g = g, .held = held + need, .limit = limit };
	uint32_t *room;
	bool ok;

	if (limit && held + need > limit) {
		r->end = SEARCH_BOUND;
		r->bound = "memory";
		return true;
	}
	if (held + need > r->memory)
		r->memory = held + need;
	room = malloc(need);
	if (!room)
		return false;
	j.number = room;
	j.low = room + n;
	j.stack = room + 2 * n;
	j.frame = (struct frame *)(room + 3 * n);
	ok = judge(&j, r);
	free(room);
	return ok;
}

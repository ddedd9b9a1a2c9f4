// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_search_graph.c - what is a deadlock and what a livelock: planted graphs,
 * and random ones against a naive judge that walks instead of finding components.
 */
#include "explore/search.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/toys.h"

#define STATES	  TOY_GRAPH_STATES
#define PROCESSES 3u
#define GRAPHS	  1500u

/* ---- the naive judge ------------------------------------------------------ */

static uint32_t waiting(const struct toy_graph *g, uint32_t s)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < g->state[s].moves; i++)
		if (g->state[s].owed[i])
			mask |= 1u << g->state[s].process[i];
	return mask;
}

/* Of these, who is owed strong fairness. */
static uint32_t insisting(const struct toy_graph *g, uint32_t s)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < g->state[s].moves; i++)
		if (g->state[s].owed[i] && g->state[s].strong[i])
			mask |= 1u << g->state[s].process[i];
	return mask;
}

/* Which states (from) can come to, itself among them. */
static void reach(const struct toy_graph *g, uint32_t from, bool owed_only, bool *seen)
{
	seen[from] = true;
	for (uint32_t i = 0; i < g->state[from].moves; i++)
		if ((g->state[from].owed[i] || !owed_only) && !seen[g->state[from].to[i]])
			reach(g, g->state[from].to[i], owed_only, seen);
}

static bool is_dead(const struct toy_graph *g, uint32_t s)
{
	bool seen[STATES] = { false };

	reach(g, s, true, seen);
	for (uint32_t i = 0; i < g->count; i++)
		if (seen[i] && g->state[i].goal)
			return false;
	return true;
}

/*
 * What a walk has come by, three masks of processes: who is wronged by weak
 * fairness; who is owed the strong one and could move; who has moved.
 */
#define ALL	       ((1u << PROCESSES) - 1)
#define WALKS	       (1u << 3 * PROCESSES)
#define INSISTED(walk) ((walk) >> PROCESSES & ALL)
#define MOVED(walk)    ((walk) >> 2 * PROCESSES)

/* After move number (move) of (from). */
static uint32_t after(const struct toy_graph *g, uint32_t walk, uint32_t from, uint32_t move)
{
	uint32_t wronged = walk & ALL, insisted = INSISTED(walk), moved = MOVED(walk);

	if (g->state[from].owed[move]) {
		wronged &= ~(1u << g->state[from].process[move]);
		moved |= 1u << g->state[from].process[move];
	}
	wronged &= waiting(g, g->state[from].to[move]);
	insisted |= insisting(g, from);
	return wronged | insisted << PROCESSES | moved << 2 * PROCESSES;
}

/* When it is back where it began. */
static bool is_fair(uint32_t walk)
{
	return !(walk & ALL) && !(INSISTED(walk) & ~MOVED(walk));
}

struct closed_walk {
	const struct toy_graph *g;
	const bool *in;
	bool owed_only;
	uint32_t home;
	bool seen[STATES][WALKS];
};

/* Whether there is a walk on to (home) that is fair, through states (in). */
static bool comes_home(struct closed_walk *c, uint32_t at, uint32_t walk)
{
	for (uint32_t i = 0; i < c->g->state[at].moves; i++) {
		uint32_t to = c->g->state[at].to[i], left = after(c->g, walk, at, i);

		if (!c->in[to] || (c->owed_only && !c->g->state[at].owed[i]) || c->seen[to][left])
			continue;
		if (to == c->home && is_fair(left))
			return true;
		c->seen[to][left] = true;
		if (comes_home(c, to, left))
			return true;
	}
	return false;
}

static bool fair_cycle_at(const struct toy_graph *g, const bool *in, bool owed_only, uint32_t s)
{
	struct closed_walk c = { .g = g, .in = in, .owed_only = owed_only, .home = s };

	return in[s] && comes_home(&c, s, waiting(g, s));
}

static bool any_fair_cycle(const struct toy_graph *g, const bool *in, bool owed_only)
{
	for (uint32_t s = 0; s < g->count; s++)
		if (fair_cycle_at(g, in, owed_only, s))
			return true;
	return false;
}

/* States in the order a queue meets them: the order of their ids. */
struct order {
	uint32_t state[STATES], count;
};

static struct order breadth_first(const struct toy_graph *g)
{
	struct order o = { .state = { 0 }, .count = 1 };
	bool seen[STATES] = { true };

	for (uint32_t head = 0; head < o.count; head++)
		for (uint32_t i = 0; i < g->state[o.state[head]].moves; i++) {
			uint32_t to = g->state[o.state[head]].to[i];

			if (seen[to])
				continue;
			seen[to] = true;
			o.state[o.count++] = to;
		}
	return o;
}

/* The distances of all states from 0, UINT32_MAX where there is no way. */
static void measure(const struct toy_graph *g, uint32_t *distance)
{
	memset(distance, 0xff, STATES * sizeof(*distance));
	distance[0] = 0;
	for (uint32_t round = 0; round < g->count; round++)
		for (uint32_t s = 0; s < g->count; s++)
			for (uint32_t i = 0; i < g->state[s].moves; i++) {
				uint32_t to = g->state[s].to[i];

				if (distance[s] != UINT32_MAX && distance[to] > distance[s] + 1)
					distance[to] = distance[s] + 1;
			}
}

/* Every shortest path, one after the other, in order of its moves. */
struct stems {
	const struct toy_graph *g;
	uint32_t distance[STATES], length;
	bool target[STATES];
	uint32_t cost[3]; /* so far: switches, injections, costly moves */
	uint32_t move[STATES], best[STATES], best_cost[3];
};

static bool is_less(const uint32_t *a, const uint32_t *b)
{
	int i = a[0] != b[0] ? 0 : a[1] != b[1] ? 1 : 2;

	return a[i] < b[i];
}

static void try_stems(struct stems *p, uint32_t at, uint32_t done, int lane)
{
	if (done == p->length && p->target[at] && is_less(p->cost, p->best_cost)) {
		memcpy(p->best, p->move, sizeof(p->best));
		memcpy(p->best_cost, p->cost, sizeof(p->cost));
	}
	for (uint32_t i = 0; done < p->length && i < p->g->state[at].moves; i++) {
		uint32_t to = p->g->state[at].to[i], before[3];

		if (p->distance[to] != done + 1)
			continue;
		memcpy(before, p->cost, sizeof(before));
		p->cost[0] += lane >= 0 && p->g->state[at].lane[i] != lane;
		p->cost[1] += !p->g->state[at].owed[i];
		p->cost[2] += p->g->state[at].costly[i];
		p->move[done] = i;
		try_stems(p, to, done + 1, p->g->state[at].lane[i]);
		memcpy(p->cost, before, sizeof(before));
	}
}

/*
 * That (path) starts with the best way to the first of the states (among) in the
 * order of the queue, or, that being a violation, to any of its kind as near.
 */
static size_t assert_stem(const struct toy_graph *g, const bool *among,
			  const struct search_path *path)
{
	struct stems p = { .g = g, .best_cost = { UINT32_MAX } };
	struct order o = breadth_first(g);
	uint32_t first;
	size_t i = 0;

	while (!among[o.state[i]])
		cr_assert_lt(++i, o.count);
	first = o.state[i];
	measure(g, p.distance);
	p.length = p.distance[first];
	for (uint32_t s = 0; s < g->count; s++)
		p.target[s] = s == first || (g->state[first].violation &&
					     g->state[s].violation == g->state[first].violation);
	try_stems(&p, 0, 0, -1);
	cr_assert(p.best_cost[0] != UINT32_MAX && path->count >= p.length);
	for (i = 0; i < p.length; i++)
		cr_assert_eq(path->index[i], p.best[i], "move %zu", i);
	return p.length;
}

struct judged {
	uint32_t distance[STATES]; /* from 0, UINT32_MAX not reached */
	bool unfinished[STATES];   /* reached, no goal, not dead */
	bool dead[STATES];	   /* and reached */
	bool wrong[STATES];	   /* a violation, and reached */
	uint64_t states, transitions, depth;
	bool violation, deadlock, livelock, livelock_owed;
};

static struct judged judge(const struct toy_graph *g)
{
	struct judged j = { .states = 0 };
	uint32_t end = UINT32_MAX - 1;

	measure(g, j.distance);
	for (uint32_t s = 0; s < g->count; s++)
		if (g->state[s].violation && j.distance[s] <= end)
			end = j.distance[s];
	j.violation = end != UINT32_MAX - 1;
	for (uint32_t s = 0; s < g->count; s++) {
		if (j.distance[s] > end)
			continue;
		j.states++;
		j.wrong[s] = g->state[s].violation;
		j.transitions += j.distance[s] < end ? g->state[s].moves : 0;
		j.depth = j.distance[s] > j.depth ? j.distance[s] : j.depth;
		j.dead[s] = is_dead(g, s);
		j.deadlock |= j.dead[s] && !j.violation;
		j.unfinished[s] = !j.dead[s] && !g->state[s].goal;
	}
	j.livelock = !j.violation && any_fair_cycle(g, j.unfinished, false);
	j.livelock_owed = j.livelock && any_fair_cycle(g, j.unfinished, true);
	return j;
}

/* ---- witnesses ------------------------------------------------------------ */

static uint32_t play(const struct toy_graph *g, uint32_t at, const struct search_path *path)
{
	for (size_t i = 0; i < path->count; i++) {
		cr_assert_lt(path->index[i], g->state[at].moves);
		at = g->state[at].to[path->index[i]];
	}
	return at;
}

static void assert_cycle(const struct toy_graph *g, uint32_t home, const struct search_path *cycle,
			 const bool *in, bool owed_only)
{
	uint32_t at = home, walk = waiting(g, home);

	for (size_t i = 0; i < cycle->count; i++) {
		uint32_t move = cycle->index[i];

		cr_assert_lt(move, g->state[at].moves);
		cr_assert(!owed_only || g->state[at].owed[move]);
		walk = after(g, walk, at, move);
		at = g->state[at].to[move];
		cr_assert(in[at], "the cycle stays among its states");
	}
	cr_assert(cycle->count && at == home && is_fair(walk), "closed and fair");
}

/* By the stem to the first dead state; a cycle is there when there can be one. */
static void assert_deadlock(const struct toy_graph *g, const struct judged *j,
			    const struct search_result *r)
{
	struct search_path stem = { r->path.index, assert_stem(g, j->dead, &r->path) };
	bool reached[STATES] = { false }, cycle = false;

	reach(g, play(g, 0, &stem), true, reached);
	for (uint32_t s = 0; s < g->count; s++)
		cycle |= reached[s] && fair_cycle_at(g, j->dead, true, s);
	cr_assert_eq(r->cycle.count != 0, cycle);
	if (cycle)
		assert_cycle(g, play(g, 0, &r->path), &r->cycle, j->dead, true);
	else
		cr_assert_eq(r->path.count, stem.count);
}

/* By the stem to the first state on any fair cycle. */
static void assert_livelock(const struct toy_graph *g, const struct judged *j,
			    const struct search_result *r)
{
	bool on_cycle[STATES] = { false };

	for (uint32_t s = 0; s < g->count; s++)
		on_cycle[s] = fair_cycle_at(g, j->unfinished, j->livelock_owed, s);
	cr_assert_eq(r->path.count, assert_stem(g, on_cycle, &r->path));
	assert_cycle(g, play(g, 0, &r->path), &r->cycle, j->unfinished, j->livelock_owed);
}

/* Of the kind of the first one, by the stem to it or to another of that kind. */
static void assert_violation(const struct toy_graph *g, const struct judged *j,
			     const struct search_result *r)
{
	cr_assert_eq(r->path.count, assert_stem(g, j->wrong, &r->path));
	cr_assert_eq(r->violation, g->state[play(g, 0, &r->path)].violation);
}

static void assert_judged(const struct toy_graph *g, const struct search_result *r)
{
	struct judged j = judge(g);

	cr_assert_eq(r->end, j.violation ? SEARCH_VIOLATION : SEARCH_EXHAUSTED);
	cr_assert_eq(r->states, j.states);
	cr_assert_eq(r->transitions, j.transitions);
	cr_assert_eq(r->depth, j.depth);
	cr_assert_eq(r->deadlock, j.deadlock);
	cr_assert_eq(r->livelock, j.livelock);
	cr_assert_eq(r->minimised, j.violation || j.deadlock || j.livelock);
	if (j.violation)
		assert_violation(g, &j, r);
	else if (j.deadlock)
		assert_deadlock(g, &j, r);
	else if (j.livelock)
		assert_livelock(g, &j, r);
}

static struct search_result search(const struct toy_graph *g, uint32_t jobs)
{
	struct search_result r;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_explicit, 0, 0);
	t.graph = g;
	/* Long enough for the other workers to wake and take their part. */
	t.busy_seconds = jobs > 1 ? 10e-6 : 0;
	cr_assert(toy_search(&t, jobs, NULL, &r, &e), "%s", e.text);
	return r;
}

/* ---- planted -------------------------------------------------------------- */

static const struct planted {
	const char *what;
	struct toy_graph graph;
	bool deadlock, livelock;
	size_t path, cycle;
} planted[] = {
	{ "an NMI would rescue a dead state",
	  { 3,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { true, true } },
	      { .moves = 1, .to = { 2 }, .owed = { false } },
	      { .goal = true } } },
	  true,
	  false,
	  1,
	  0 },
	{ "an NMI would rescue CPUs that spin, some moves on",
	  { 4,
	    { { .moves = 2, .to = { 1, 3 }, .owed = { true, true } },
	      { .moves = 1, .to = { 2 }, .owed = { true } },
	      { .moves = 3, .to = { 2, 2, 3 }, .process = { 0, 1, 0 }, .owed = { true, true } },
	      { .goal = true } } },
	  true,
	  false,
	  2,
	  2 },
	{ "only an NMI leads to the dead state",
	  { 2,
	    { { .moves = 1, .to = { 1 }, .owed = { false }, .goal = true },
	      { .moves = 1, .to = { 1 }, .owed = { true } } } },
	  true,
	  false,
	  1,
	  1 },
	{ "a cycle on which process 1 never runs though it could",
	  { 2,
	    { { .moves = 2, .to = { 0, 1 }, .process = { 0, 1 }, .owed = { true, true } },
	      { .goal = true } } },
	  false,
	  false,
	  0,
	  0 },
	{ "an NMI on process 1 is no move of it",
	  { 2,
	    { { .moves = 3,
		.to = { 0, 0, 1 },
		.process = { 0, 1, 1 },
		.owed = { true, false, true } },
	      { .goal = true } } },
	  false,
	  false,
	  0,
	  0 },
	{ "process 1 can move now and then only: weak fairness owes it nothing",
	  { 3,
	    { { .moves = 2, .to = { 1, 2 }, .process = { 0, 1 }, .owed = { true, true } },
	      { .moves = 1, .to = { 0 }, .process = { 0 }, .owed = { true } },
	      { .goal = true } } },
	  false,
	  true,
	  0,
	  2 },
	{ "the same, but an interrupt: it comes when it can",
	  { 3,
	    { { .moves = 2,
		.to = { 1, 2 },
		.process = { 0, 1 },
		.owed = { true, true },
		.strong = { false, true } },
	      { .moves = 1, .to = { 0 }, .process = { 0 }, .owed = { true } },
	      { .goal = true } } },
	  false,
	  false,
	  0,
	  0 },
	{ "beside the cycle an interrupt would end, one where it cannot come",
	  { 4,
	    { { .moves = 2,
		.to = { 1, 3 },
		.process = { 0, 1 },
		.owed = { true, true },
		.strong = { false, true } },
	      { .moves = 2, .to = { 0, 2 }, .process = { 0, 0 }, .owed = { true, true } },
	      { .moves = 1, .to = { 1 }, .process = { 0 }, .owed = { true } },
	      { .goal = true } } },
	  false,
	  true,
	  1,
	  2 },
	{ "a cycle on which the interrupt is taken, somewhere else",
	  { 4,
	    { { .moves = 2,
		.to = { 1, 3 },
		.process = { 0, 1 },
		.owed = { true, true },
		.strong = { false, true } },
	      { .moves = 2,
		.to = { 0, 2 },
		.process = { 0, 1 },
		.owed = { true, true },
		.strong = { false, true } },
	      { .moves = 1, .to = { 0 }, .process = { 0 }, .owed = { true } },
	      { .goal = true } } },
	  false,
	  true,
	  0,
	  3 },
	{ "a cycle that needs an NMI each time",
	  { 3,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { false, true } },
	      { .moves = 1, .to = { 0 }, .owed = { true } },
	      { .goal = true } } },
	  false,
	  true,
	  0,
	  2 },
	{ "of two cycles the one without NMIs, though further",
	  { 4,
	    { { .moves = 3, .to = { 0, 1, 3 }, .process = { 1 }, .owed = { false, true, true } },
	      { .moves = 2, .to = { 2, 3 }, .owed = { true, true } },
	      { .moves = 1, .to = { 1 }, .owed = { true } },
	      { .goal = true } } },
	  false,
	  true,
	  1,
	  2 },
	{ "a cycle through a goal",
	  { 2,
	    { { .moves = 1, .to = { 1 }, .owed = { true } },
	      { .moves = 1, .to = { 0 }, .owed = { true }, .goal = true } } },
	  false,
	  false,
	  0,
	  0 },
	{ "both: the witness is the deadlock's",
	  { 3,
	    { { .moves = 3, .to = { 0, 1, 2 }, .owed = { true, true, true } },
	      { .goal = true },
	      { .moves = 0 } } },
	  true,
	  true,
	  1,
	  0 },
};

Test(search, planted_graphs)
{
	for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		const struct planted *p = &planted[i];
		struct search_result r = search(&p->graph, 1);

		cr_assert_eq(r.deadlock, p->deadlock, "%s", p->what);
		cr_assert_eq(r.livelock, p->livelock, "%s", p->what);
		cr_assert_eq(r.path.count, p->path, "%s: path %zu", p->what, r.path.count);
		cr_assert_eq(r.cycle.count, p->cycle, "%s: cycle %zu", p->what, r.cycle.count);
		assert_judged(&p->graph, &r);
		search_fini(&r);
	}
}

/* ---- random --------------------------------------------------------------- */

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

/* Few moves and few goals, so that every judgement is met often enough. */
static struct toy_graph random_graph(uint64_t *seed)
{
	struct toy_graph g = { .count = 2 + random_below(seed, STATES - 1) };
	uint32_t strong = random_below(seed, 2) ? random_below(seed, ALL + 1) : 0;
	uint32_t goals = 2 + random_below(seed, 6);
	bool faulty = random_below(seed, 8) == 0, nmis = random_below(seed, 2) == 0;

	for (uint32_t s = 0; s < g.count; s++) {
		g.state[s].moves =
			(uint8_t)(random_below(seed, 10) ? 1 + random_below(seed, 3) : 0);
		g.state[s].goal = random_below(seed, goals) == 0;
		if (s && faulty && random_below(seed, g.count) < 3)
			g.state[s].violation = (uint8_t)(1 + random_below(seed, 2));
		for (uint32_t i = 0; i < g.state[s].moves; i++) {
			g.state[s].to[i] = (uint8_t)random_below(seed, g.count);
			g.state[s].process[i] = (uint8_t)random_below(seed, PROCESSES);
			g.state[s].owed[i] = !nmis || random_below(seed, 4);
			g.state[s].strong[i] = strong >> g.state[s].process[i] & 1;
			g.state[s].lane[i] = (uint8_t)random_below(seed, PROCESSES);
			g.state[s].costly[i] = random_below(seed, 3) == 0;
		}
	}
	return g;
}

Test(search, random_graphs)
{
	uint32_t deadlocks = 0, livelocks = 0, both = 0, violations = 0, fine = 0;
	uint64_t seed = 20240601;

	for (uint32_t i = 0; i < GRAPHS; i++) {
		struct toy_graph g = random_graph(&seed);
		struct search_result r = search(&g, 1 + i % 3);

		assert_judged(&g, &r);
		violations += r.end == SEARCH_VIOLATION;
		both += r.deadlock && r.livelock;
		deadlocks += r.deadlock && !r.livelock;
		livelocks += r.livelock && !r.deadlock;
		fine += r.end == SEARCH_EXHAUSTED && !r.deadlock && !r.livelock;
		search_fini(&r);
	}
	fprintf(stderr, "search: %u graphs: %u deadlocks, %u livelocks, %u both, %u violations\n",
		GRAPHS, deadlocks, livelocks, both, violations);
	cr_assert(deadlocks > 50 && livelocks > 50 && both > 50 && violations > 50 && fine > 50,
		  "%u %u %u %u %u", deadlocks, livelocks, both, violations, fine);
}

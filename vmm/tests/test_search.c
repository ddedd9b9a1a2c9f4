// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_search.c - the search on toys with known answers: counts, verdicts,
 * witnesses, bounds, failures, and that the number of workers changes nothing.
 */
#include "explore/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "explore/search_visited.h"
#include "tests/toys.h"

static const struct known {
	const struct toy_kind *kind;
	uint32_t n, variant;
	uint64_t states, transitions, depth;
	bool deadlock, livelock;
	uint8_t violation;
	size_t path, cycle;
} known[] = {
	{ &toy_ring, 1, 0, 1, 1, 0, false, false, 0, 0, 0 },
	{ &toy_ring, 1000, 0, 1000, 1000, 999, false, false, 0, 0, 0 },
	{ &toy_peterson, 0, 0, 20, 34, 6, false, false, 0, 0, 0 },
	/* Both want, neither yields. */
	{ &toy_peterson, 0, 1, 20, 32, 6, true, false, 0, 2, 0 },
	/* Everybody holds one fork. */
	{ &toy_philosophers, 3, 0, 35, 75, 7, true, false, 0, 3, 0 },
	{ &toy_philosophers, 4, 0, 118, 340, 10, true, false, 0, 4, 0 },
	{ &toy_philosophers, 5, 0, 392, 1415, 13, true, false, 0, 5, 0 },
	{ &toy_philosophers, 3, 1, 24, 46, 6, false, false, 0, 0, 0 },
	{ &toy_philosophers, 4, 1, 79, 208, 9, false, false, 0, 0, 0 },
	{ &toy_philosophers, 5, 1, 261, 876, 12, false, false, 0, 0, 0 },
	/* Weak fairness lets philosopher 0 starve: his fork is never free for good. */
	{ &toy_philosophers, 3, 2, 24, 46, 6, false, true, 0, 0, 8 },
	/* Two eat at once after four moves, whatever the table. */
	{ &toy_philosophers, 4, 3, 50, 96, 4, false, false, 7, 4, 0 },
	{ &toy_philosophers, 5, 3, 96, 210, 4, false, false, 7, 4, 0 },
	{ &toy_buffer, 3, 0, 441, 532, 28, false, false, 0, 0, 0 },
	/* Want, want, look, look, back off, back off, for ever. */
	{ &toy_polite, 0, 0, 24, 38, 6, false, true, 0, 0, 6 },
	{ &toy_polite, 0, 1, 21, 32, 6, false, false, 0, 0, 0 },
	{ &toy_counters, 6, 0, 4096, 18432, 18, false, false, 0, 0, 0 },
	/* The first digit runs ahead by two; the states are those of the first three levels. */
	{ &toy_counters, 5, 2, 21, 30, 2, false, false, 5, 2, 0 },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static void assert_same_path(const struct search_path *a, const struct search_path *b)
{
	cr_assert_eq(a->count, b->count, "%zu and %zu moves", a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		cr_assert_eq(a->index[i], b->index[i], "move %zu", i);
}

/* Where a path leads, and the cycle after it. */
static void assert_witness(struct toy *t, const struct known *k, const struct search_result *r)
{
	struct search_path both = { .count = r->path.count + r->cycle.count };
	uint8_t at[TOY_BYTES];
	struct err e;

	cr_assert(search_follow(&t->system, &r->path, &e), "%s", e.text);
	memcpy(at, t->state, sizeof(at));
	cr_assert_eq(t->kind->mark(t, at).violation, k->violation);
	both.index = calloc(both.count + 1, sizeof(*both.index));
	for (size_t i = 0; i < both.count; i++)
		both.index[i] =
			i < r->path.count ? r->path.index[i] : r->cycle.index[i - r->path.count];
	cr_assert(search_follow(&t->system, &both, &e), "%s", e.text);
	cr_assert_arr_eq(at, t->state, sizeof(at), "the cycle closes");
	free(both.index);
}

static void assert_known(const struct known *k, const struct search_result *r)
{
	const char *name = k->kind->name;

	cr_assert_eq(r->end, k->violation ? SEARCH_VIOLATION : SEARCH_EXHAUSTED, "%s", name);
	cr_assert_eq(r->states, k->states, "%s %u: %lu states", name, k->n, (long)r->states);
	cr_assert_eq(r->transitions, k->transitions, "%s: %lu moves", name, (long)r->transitions);
	cr_assert_eq(r->depth, k->depth, "%s: depth %lu", name, (long)r->depth);
	cr_assert_eq(r->deadlock, k->deadlock, "%s %u %u", name, k->n, k->variant);
	cr_assert_eq(r->livelock, k->livelock, "%s %u %u", name, k->n, k->variant);
	cr_assert_eq(r->violation, k->violation, "%s", name);
	cr_assert_eq(r->path.count, k->path, "%s: path of %zu", name, r->path.count);
	cr_assert_eq(r->cycle.count, k->cycle, "%s: cycle of %zu", name, r->cycle.count);
}

/* Known answers, whatever the number of workers, path for path. */
Test(search, toys)
{
	for (size_t i = 0; i < KNOWN; i++) {
		struct search_result r[4] = { 0 };
		struct toy t;
		struct err e;

		toy_init(&t, known[i].kind, known[i].n, known[i].variant);
		for (uint32_t jobs = 1; jobs <= 3; jobs++) {
			cr_assert(toy_search(&t, jobs, NULL, &r[jobs], &e), "%s", e.text);
			assert_known(&known[i], &r[jobs]);
			assert_same_path(&r[1].path, &r[jobs].path);
			assert_same_path(&r[1].cycle, &r[jobs].cycle);
		}
		assert_witness(&t, &known[i], &r[1]);
		for (uint32_t jobs = 1; jobs <= 3; jobs++)
			search_fini(&r[jobs]);
	}
}

/* ---- counted by something else -------------------------------------------- */

struct naive {
	uint8_t state[1024][TOY_BYTES];
	uint64_t count, moves;
};

/* Depth first, by recursion, comparing bytes: nothing in common with the search. */
static void enumerate(const struct toy *t, const uint8_t *from, struct naive *n)
{
	struct search_action list[16];
	uint8_t here[TOY_BYTES], to[TOY_BYTES];
	uint32_t count;

	for (uint64_t i = 0; i < n->count; i++)
		if (!memcmp(n->state[i], from, TOY_BYTES))
			return;
	cr_assert_lt(n->count, 1024);
	memcpy(here, from, TOY_BYTES);
	memcpy(n->state[n->count++], here, TOY_BYTES);
	count = t->kind->enabled(t, here, list);
	n->moves += count;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(to, here, TOY_BYTES);
		t->kind->apply(t, to, list[i].code);
		enumerate(t, to, n);
	}
}

Test(search, naive_count)
{
	static const uint8_t zero[TOY_BYTES];
	static struct naive n;

	for (size_t i = 0; i < KNOWN; i++) {
		struct toy t;

		if (known[i].violation || known[i].states > 1024)
			continue;
		toy_init(&t, known[i].kind, known[i].n, known[i].variant);
		n.count = n.moves = 0;
		enumerate(&t, zero, &n);
		cr_assert_eq(n.count, known[i].states, "%s", t.kind->name);
		cr_assert_eq(n.moves, known[i].transitions, "%s", t.kind->name);
	}
}

/* ---- bounds --------------------------------------------------------------- */

static void assert_bound(const struct search_result *r, const char *bound)
{
	cr_assert_eq(r->end, SEARCH_BOUND);
	cr_assert_str_eq(r->bound, bound);
	cr_assert(!r->deadlock && !r->livelock && !r->violation && !r->path.count);
}

Test(search, bound_on_states)
{
	uint64_t transitions = 0;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_counters, 6, 0);
	for (uint32_t jobs = 1; jobs <= 3; jobs++) {
		struct search_bounds bounds = { .states = 1000 };
		struct search_result r;

		cr_assert(toy_search(&t, jobs, &bounds, &r, &e));
		assert_bound(&r, "states");
		cr_assert_eq(r.states, 1000, "%lu", (long)r.states);
		if (jobs == 1)
			transitions = r.transitions;
		cr_assert_eq(r.transitions, transitions, "the same moves for any jobs");
		search_fini(&r);
		bounds.states = 4096;
		cr_assert(toy_search(&t, jobs, &bounds, &r, &e));
		cr_assert_eq(r.end, SEARCH_EXHAUSTED, "just enough is enough");
		search_fini(&r);
	}
}

Test(search, bound_on_memory)
{
	struct search_bounds bounds = { 0 };
	struct search_result r;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_counters, 6, 0);
	cr_assert(toy_search(&t, 1, NULL, &r, &e));
	bounds.memory = r.memory;
	search_fini(&r);
	cr_assert(toy_search(&t, 1, &bounds, &r, &e));
	cr_assert_eq(r.end, SEARCH_EXHAUSTED, "what it said it needs is enough");
	search_fini(&r);
	bounds.memory--;
	cr_assert(toy_search(&t, 1, &bounds, &r, &e));
	assert_bound(&r, "memory");
	search_fini(&r);
	bounds.memory = 100000;
	cr_assert(toy_search(&t, 3, &bounds, &r, &e));
	assert_bound(&r, "memory");
	cr_assert_lt(r.states, 4096);
	search_fini(&r);
}

Test(search, bound_on_seconds)
{
	struct search_bounds bounds = { .seconds = 0.05 };
	struct search_result r;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_counters, 6, 0);
	t.busy_seconds = 1e-3;
	for (uint32_t jobs = 1; jobs <= 2; jobs++) {
		cr_assert(toy_search(&t, jobs, &bounds, &r, &e));
		assert_bound(&r, "seconds");
		cr_assert(r.states < 4096 && r.seconds >= 0.05);
		search_fini(&r);
	}
}

/* ---- progress and failures ------------------------------------------------ */

static bool stop_at_second(void *arg, const struct search_progress *p)
{
	int *calls = arg;

	cr_assert(p->states > 1 && p->transitions > 1 && p->frontier && p->memory && p->depth);
	return ++*calls == 2;
}

Test(search, progress_interrupts)
{
	struct search_options options = { .bounds.seconds = 10, .progress = stop_at_second };
	struct search_system *systems[1];
	struct search_result r;
	struct toy t;
	struct err e;
	int calls = 0;

	toy_init(&t, &toy_counters, 6, 0);
	t.busy_seconds = 1e-3;
	options.arg = &calls;
	systems[0] = &t.system;
	cr_assert(search_run(systems, 1, &options, &r, &e));
	cr_assert_eq(r.end, SEARCH_INTERRUPTED);
	cr_assert_eq(calls, 2);
	cr_assert(r.seconds > 0.9 && r.seconds < 3, "%g", r.seconds);
	search_fini(&r);
}

Test(search, states_left)
{
	static const uint64_t halves[] = { 1000, 64, 32, 16, 8, 4 },
			      slow[] = { 81, 60, 50, 40, 16 }, flat[] = { 7, 7, 7, 7, 7 },
			      growing[] = { 9, 8, 7, 6, 7 }, ended[] = { 8, 4, 2, 1, 0 };

	cr_assert_float_eq(search_states_left(halves + 1, 5), 4, 1e-9, "2 + 1 + 1/2 + ...");
	cr_assert_float_eq(search_states_left(slow, 5), 32, 1e-9, "by 2/3 a level, on average");
	cr_assert_lt(search_states_left(halves + 1, 4), 0, "too few to tell");
	cr_assert_gt(search_states_left(halves, 6), 0);
	cr_assert_lt(search_states_left(flat, 5), 0);
	cr_assert_lt(search_states_left(growing, 5), 0);
	cr_assert_lt(search_states_left(growing + 1, 4), 0);
	cr_assert_lt(search_states_left(ended, 5), 0);
	cr_assert_lt(search_states_left(NULL, 0), 0);
}

static bool note_left(void *arg, const struct search_progress *p)
{
	*(double *)arg = p->left_seconds;
	return true;
}

/* While levels grow nobody knows; in the last ones there is an end in sight. */
Test(search, progress_estimates)
{
	struct search_options options = { .progress = note_left };
	struct search_result r;
	double left = 0;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_counters, 6, 0);
	options.arg = &left;
	t.busy_seconds = 1e-3;
	cr_assert(toy_search_with(&t, 1, &options, &r, &e) && r.depth < 9);
	cr_assert_lt(left, 0, "%g", left);
	search_fini(&r);
	t.busy_seconds = 0;
	options.bounds.states = 4000;
	options.checkpoint = tmpfile();
	cr_assert(toy_search_with(&t, 1, &options, &r, &e) && r.depth > 13);
	search_fini(&r);
	rewind(options.checkpoint);
	t.busy_seconds = 5e-3;
	options = (struct search_options){ .progress = note_left, .resume = options.checkpoint };
	options.arg = &left;
	cr_assert(toy_search_with(&t, 1, &options, &r, &e) && r.end == SEARCH_INTERRUPTED);
	cr_assert(left > 0 && left < 60, "%g", left);
	search_fini(&r);
	fclose(options.resume);
}

/* (1, 1) fails, from (1, 0) by digit 1 and, a millisecond earlier, from (0, 1) by digit 0. */
Test(search, first_failure)
{
	for (uint32_t jobs = 1; jobs <= 3; jobs++) {
		struct search_result r;
		struct err e = { 0 };
		struct toy t;

		toy_init(&t, &toy_counters, 6, 0);
		t.fail_at = 1 + 4 * 1;
		t.busy_seconds = 1e-3;
		cr_assert(!toy_search(&t, jobs, NULL, &r, &e));
		cr_assert_str_eq(e.text, "fails by moving 1", "%u jobs: %s", jobs, e.text);
		cr_assert(!r.states && !r.path.index, "the result is empty");
	}
}

Test(search, systems_differ)
{
	struct search_system *systems[2];
	struct search_options options = { 0 };
	struct search_result r;
	struct toy t[2];
	struct err e;

	toy_init(&t[0], &toy_ring, 5, 0);
	toy_init(&t[1], &toy_ring, 5, 0);
	t[1].start_at = 1;
	systems[0] = &t[0].system;
	systems[1] = &t[1].system;
	cr_assert(!search_run(systems, 2, &options, &r, &e));
	cr_assert_str_eq(e.text, "search: system 1 starts in another state");
}

Test(search, violation_at_the_start)
{
	static const struct toy_graph graph = {
		.count = 2,
		.state = { { .moves = 1, .to = { 1 }, .violation = 9 }, { .goal = true } },
	};
	struct search_result r;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_explicit, 0, 0);
	t.graph = &graph;
	cr_assert(toy_search(&t, 2, NULL, &r, &e));
	cr_assert_eq(r.end, SEARCH_VIOLATION);
	cr_assert(r.violation == 9 && r.states == 1 && r.path.count == 0 && r.depth == 0);
	search_fini(&r);
}

/* 0 -> 1 -> 2, where 1 is beyond what the system can follow: 2 is never seen, nothing is judged. */
Test(search, a_bound_of_the_systems_own)
{
	struct toy_graph graph = {
		.count = 3,
		.state = { { .moves = 1, .to = { 1 }, .owed = { true } },
			   { .moves = 1, .to = { 2 }, .owed = { true }, .over = true },
			   { .violation = 4 } },
	};
	struct search_result r;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_explicit, 0, 0);
	t.graph = &graph;
	cr_assert(toy_search(&t, 2, NULL, &r, &e));
	cr_expect_eq(r.end, SEARCH_BOUND);
	cr_expect_str_eq(r.bound, "history");
	cr_expect(r.states == 2 && !r.violation && !r.deadlock && !r.livelock);
	search_fini(&r);
	graph.state[1].over = false;
	cr_assert(toy_search(&t, 2, NULL, &r, &e));
	cr_expect_eq(r.end, SEARCH_VIOLATION);
	search_fini(&r);
}

Test(search, follow_refuses)
{
	uint32_t moves[] = { 0, 1, 2 };
	struct search_path path = { moves, 3 };
	struct toy t;
	struct err e;

	toy_init(&t, &toy_peterson, 0, 0);
	cr_assert(!search_follow(&t.system, &path, &e));
	cr_assert_str_eq(e.text, "search: move 2 of 2 at decision 2");
}

/* ---- cost ----------------------------------------------------------------- */

/* A move back into the state it came from, and a chain, need no load. */
Test(search, loads)
{
	struct search_system *systems[1];
	struct search_options options = { 0 };
	struct search_result r;
	struct toy t;
	struct err e;

	toy_init(&t, &toy_ring, 500, 0);
	systems[0] = &t.system;
	cr_assert(search_run(systems, 1, &options, &r, &e));
	cr_assert(t.loads == 0 && t.saves == 500 && t.applies == 500);
	search_fini(&r);
	toy_init(&t, &toy_counters, 6, 0);
	systems[0] = &t.system;
	cr_assert(search_run(systems, 1, &options, &r, &e));
	cr_assert_eq(t.saves, 4096, "each state once");
	cr_assert_leq(t.loads, t.applies + 1);
	search_fini(&r);
}

/* Only prints: time depends on what else the machine does. */
Test(search, speed)
{
	double alone = 0;

	for (uint32_t jobs = 1; jobs <= 2; jobs++) {
		struct search_result r;
		struct toy t;
		struct err e;

		toy_init(&t, &toy_counters, 7, 0);
		t.busy_seconds = 20e-6;
		cr_assert(toy_search(&t, jobs, NULL, &r, &e));
		if (jobs == 1)
			alone = r.seconds;
		fprintf(stderr, "search: %u jobs at 20 us a move: %.0f states/s, %.2f times one\n",
			jobs, (double)r.states / r.seconds, alone / r.seconds);
		search_fini(&r);
	}
}

Test(search, both_halves_of_a_hash)
{
	struct search_visited v = { 0 };

	for (uint32_t i = 0; i < 2000; i++) {
		struct search_state state = { .hash = { i & 1, i & 1 } };

		state.hash[i / 2 % 2] = i * UINT64_C(0x9e3779b97f4a7c15);
		cr_assert_eq(search_visited_find(&v, state.hash), SEARCH_NONE);
		cr_assert(search_visited_add(&v, &state));
		cr_assert_eq(search_visited_find(&v, state.hash), i);
	}
	search_visited_fini(&v);
}

Test(search, bytes_per_state)
{
	struct search_visited v = { 0 };
	double most = 0;

	for (uint32_t i = 0; i < 2000000; i++) {
		struct search_state state = { .hash = { i * UINT64_C(0x9e3779b97f4a7c15), i } };

		cr_assert_eq(search_visited_find(&v, state.hash), SEARCH_NONE);
		cr_assert(search_visited_add(&v, &state));
		if (i > 100000 && most < (double)search_visited_bytes(&v) / (i + 1))
			most = (double)search_visited_bytes(&v) / (i + 1);
	}
	for (uint32_t i = 0; i < 2000000; i += 1001) {
		uint64_t hash[2] = { i * UINT64_C(0x9e3779b97f4a7c15), i };

		cr_assert_eq(search_visited_find(&v, hash), i);
	}
	fprintf(stderr, "search: %.1f bytes a state, at most %.1f\n",
		(double)search_visited_bytes(&v) / (double)v.count, most);
	cr_assert_lt(most, 32);
	search_visited_clear(&v);
	for (size_t i = 0; i < v.slots; i++)
		cr_assert_eq(v.slot[i], SEARCH_NONE);
	search_visited_fini(&v);
}

/* Takes states for equal that differ in which digit it was. */
static void sum_hash(void *self, uint64_t hash[2])
{
	const struct toy *t = self;

	hash[0] = hash[1] = (uint64_t)t->state[0] + t->state[1];
}

/* A violation that the state does not show would be lost when the state is known already. */
Test(search, a_mark_is_a_matter_of_the_state)
{
	struct search_result r;
	struct err e = { 0 };
	struct toy t;

	toy_init(&t, &toy_counters, 2, 1);
	t.system.hash = sum_hash;
	cr_assert_not(toy_search(&t, 1, NULL, &r, &e));
	cr_expect_eq(e.code, ERR_HOST);
	cr_expect(strstr(e.text, "equal states"), "%s", e.text);
}

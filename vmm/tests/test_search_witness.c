// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_search_witness.c - which of the shortest paths is reported, on toys where
 * the first one found is not the best. test_search_graph.c holds the choice
 * against an enumeration of all paths.
 */
#include "explore/search.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/toys.h"

static struct search_result search(const struct toy *t, uint32_t jobs, uint64_t memory)
{
	struct search_bounds bounds = { .memory = memory };
	struct search_result r;
	struct err e;

	cr_assert(toy_search(t, jobs, &bounds, &r, &e), "%s", e.text);
	return r;
}

static void assert_moves(const struct search_result *r, size_t count, uint32_t move)
{
	cr_assert_eq(r->path.count, count);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(r->path.index[i], move, "move %zu", i);
}

/* The first move is found first; the second one spares a switch, an injection or a cost. */
Test(search_witness, rope)
{
	for (uint32_t variant = 1; variant <= 3; variant++)
		for (uint32_t jobs = 1; jobs <= 4; jobs *= 2) {
			struct search_result r;
			struct toy t;

			toy_init(&t, &toy_rope, 300, variant);
			r = search(&t, jobs, 0);
			cr_assert(r.end == SEARCH_VIOLATION && r.violation == 3 && r.minimised);
			assert_moves(&r, 300, 1);
			search_fini(&r);
		}
}

/* With too little memory for the table the path is the first found, and that is said. */
Test(search_witness, no_room)
{
	struct search_result r;
	uint64_t memory;
	struct toy t;

	toy_init(&t, &toy_rope, 20000, 1);
	r = search(&t, 1, 0);
	memory = r.memory;
	search_fini(&r);
	r = search(&t, 1, memory);
	cr_assert(r.minimised, "what it said it needs is enough");
	assert_moves(&r, 20000, 1);
	search_fini(&r);
	for (int i = 0; i < 2; i++) {
		/* The first of the two has room for the states' column, but not for the rest. */
		r = search(&t, 1, i ? memory - 400000 : memory - 1);
		cr_assert(r.end == SEARCH_VIOLATION && r.violation == 3 && !r.minimised);
		cr_assert_lt(r.memory, memory);
		assert_moves(&r, 20000, 0);
		search_fini(&r);
	}
}

static const struct planted {
	const char *what;
	struct toy_graph graph;
	uint8_t violation;
	size_t count;
	uint32_t move[4];
} planted[] = {
	{ "of two states of one kind the one that needs no switch",
	  { 5,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { true, true } },
	      { .moves = 1, .to = { 3 }, .owed = { true }, .lane = { 1 } },
	      { .moves = 1, .to = { 4 }, .owed = { true } },
	      { .violation = 1 },
	      { .violation = 1 } } },
	  1,
	  2,
	  { 1, 0 } },
	{ "but not of another kind",
	  { 5,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { true, true } },
	      { .moves = 1, .to = { 3 }, .owed = { true }, .lane = { 1 } },
	      { .moves = 1, .to = { 4 }, .owed = { true } },
	      { .violation = 1 },
	      { .violation = 2 } } },
	  1,
	  2,
	  { 0, 0 } },
	{ "one switch is worse than two injections",
	  { 4,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { true, false } },
	      { .moves = 1, .to = { 3 }, .owed = { true }, .lane = { 1 } },
	      { .moves = 1, .to = { 3 }, .owed = { false } },
	      { .violation = 1 } } },
	  1,
	  2,
	  { 1, 0 } },
	{ "one injection is worse than two costly moves",
	  { 4,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { false, true }, .costly = { false, true } },
	      { .moves = 1, .to = { 3 }, .owed = { true } },
	      { .moves = 1, .to = { 3 }, .owed = { true }, .costly = { true } },
	      { .violation = 1 } } },
	  1,
	  2,
	  { 1, 0 } },
	/* To the middle it is cheaper by lane 0, on from there by lane 1 only. */
	{ "a cost now that saves a switch later",
	  { 3,
	    { { .moves = 2,
		.to = { 1, 1 },
		.owed = { true, true },
		.lane = { 0, 1 },
		.costly = { false, true } },
	      { .moves = 1, .to = { 2 }, .owed = { true }, .lane = { 1 } },
	      { .violation = 1 } } },
	  1,
	  2,
	  { 1, 0 } },
	{ "no detour, though it needs no switch",
	  { 4,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { true, true } },
	      { .moves = 1, .to = { 2 }, .owed = { true } },
	      { .moves = 1, .to = { 3 }, .owed = { true }, .lane = { 1 } },
	      { .violation = 1 } } },
	  1,
	  2,
	  { 1, 0 } },
	{ "equally good: the smaller index",
	  { 4,
	    { { .moves = 2, .to = { 1, 2 }, .owed = { true, true } },
	      { .moves = 1, .to = { 3 }, .owed = { true } },
	      { .moves = 1, .to = { 3 }, .owed = { true } },
	      { .violation = 1 } } },
	  1,
	  2,
	  { 0, 0 } },
	{ "the stem to a dead state",
	  { 5,
	    { { .moves = 3, .to = { 1, 2, 4 }, .owed = { true, true, true } },
	      { .moves = 2, .to = { 3, 4 }, .owed = { true, true }, .lane = { 1, 0 } },
	      { .moves = 2, .to = { 3, 4 }, .owed = { true, true } },
	      { .moves = 0 },
	      { .goal = true } } },
	  0,
	  2,
	  { 1, 0 } },
	{ "the stem to a livelock",
	  { 5,
	    { { .moves = 3, .to = { 1, 2, 4 }, .owed = { true, true, true } },
	      { .moves = 1, .to = { 3 }, .owed = { true }, .costly = { true } },
	      { .moves = 1, .to = { 3 }, .owed = { true } },
	      { .moves = 2, .to = { 3, 4 }, .owed = { true, true } },
	      { .goal = true } } },
	  0,
	  2,
	  { 1, 0 } },
};

Test(search_witness, planted)
{
	for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		const struct planted *p = &planted[i];

		for (uint32_t jobs = 1; jobs <= 4; jobs *= 2) {
			struct search_result r;
			struct toy t;

			toy_init(&t, &toy_explicit, 0, 0);
			t.graph = &p->graph;
			r = search(&t, jobs, 0);
			cr_assert(r.minimised, "%s", p->what);
			cr_assert_eq(r.violation, p->violation, "%s", p->what);
			cr_assert_eq(r.path.count, p->count, "%s", p->what);
			for (size_t k = 0; k < p->count; k++)
				cr_assert_eq(r.path.index[k], p->move[k], "%s: move %zu", p->what,
					     k);
			search_fini(&r);
		}
	}
}

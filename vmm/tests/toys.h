/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toys.h - small systems with known answers for the search: a state is a few
 * bytes, a move changes some of them. Must not know the search beyond search.h.
 */
#ifndef CROSSMOD_TESTS_TOYS_H
#define CROSSMOD_TESTS_TOYS_H

#include "explore/search.h"

#define TOY_BYTES 16u

struct toy {
	struct search_system system;
	const struct toy_kind *kind;
	uint8_t state[TOY_BYTES];
	uint32_t n;		       /* how large; what it means is the kind's */
	uint32_t variant;	       /* 0 correct; others the kind's */
	const struct toy_graph *graph; /* of TOY_GRAPH */
	double busy_seconds;	       /* that each apply() wastes */
	uint8_t start_at;	       /* the first byte of the initial state; all others are 0 */
	uint32_t
		fail_at; /* apply() into a state with bytes a, b, a + 4 b == fail_at, fails; 0 none */
	uint64_t loads, saves, applies;
};

/* The moves and marks of one kind; pure functions of the bytes. */
struct toy_kind {
	const char *name;
	uint32_t (*enabled)(const struct toy *t, const uint8_t *s, struct search_action *list);
	void (*apply)(const struct toy *t, uint8_t *s, uint64_t code);
	struct search_mark (*mark)(const struct toy *t, const uint8_t *s);
};

/* A graph written down: (count) states, 0 the first; state i's moves are move[i]. */
#define TOY_GRAPH_STATES 24u
#define TOY_GRAPH_MOVES	 4u

struct toy_graph {
	uint32_t count;
	struct {
		uint8_t moves, to[TOY_GRAPH_MOVES], process[TOY_GRAPH_MOVES];
		uint8_t lane[TOY_GRAPH_MOVES];
		bool owed[TOY_GRAPH_MOVES], costly[TOY_GRAPH_MOVES], strong[TOY_GRAPH_MOVES], goal;
		uint8_t violation;
		bool over;
	} state[TOY_GRAPH_STATES];
};

/* n states in a circle, the last one the goal. */
extern const struct toy_kind toy_ring;
/* Peterson's lock, two processes for ever; goal: process 0 inside. Variant 1: no turn: deadlock. */
extern const struct toy_kind toy_peterson;
/*
 * n philosophers; the goal: somebody eats. Variant 1: the last one is left-handed. Variant 2: so,
 * and the goal is that philosopher 0 eats, who may starve. Variant 3: any, and all eating is wrong.
 */
extern const struct toy_kind toy_philosophers;
/* Two producers and a consumer at a buffer of n under a lock; goal: something is consumed. */
extern const struct toy_kind toy_buffer;
/* Two polite processes: each backs off when the other wants too. Variant 1: 1 does, for long. */
extern const struct toy_kind toy_polite;
/* Counters of n digits in base 4, each incremented on its own: 4^n states; all at 3 is the goal. */
extern const struct toy_kind toy_counters;
/*
 * n places in a row, the last one wrong, and at each of them two moves to the next. The second
 * one is plain. The first: variant 1, of lane 0 and 1 in turn; 2, an injection; 3, costly.
 */
extern const struct toy_kind toy_rope;
/* A toy_graph. */
extern const struct toy_kind toy_explicit;

void toy_init(struct toy *t, const struct toy_kind *kind, uint32_t n, uint32_t variant);

#define TOY_JOBS_MAX 4u

/* search_run() on (jobs) copies of a toy. (bounds) may be NULL. */
bool toy_search(const struct toy *like, uint32_t jobs, const struct search_bounds *bounds,
		struct search_result *r, struct err *e);
bool toy_search_with(const struct toy *like, uint32_t jobs, const struct search_options *options,
		     struct search_result *r, struct err *e);

#endif

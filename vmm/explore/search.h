/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search.h - explores every state of a system that can be saved, loaded and
 * moved, and judges the graph of them. Knows nothing of machines, guests and
 * KVM: what it searches is behind struct search_system, and is tested on toys
 * with known state counts.
 *
 * Breadth-first, so a violation's path is shortest in decisions. A state is
 * known by its 128-bit hash; only states that still have to be expanded are
 * kept as snapshots. The result does not depend on the number of workers.
 */
#ifndef CROSSMOD_SEARCH_H
#define CROSSMOD_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* One move. (code) is the system's own; equal states list equal moves in equal order. */
struct search_action {
	uint64_t code;
	uint8_t process; /* who moves, 0..63: fairness is owed to processes */
	bool owed;	 /* weak fairness holds for it; else an injection: an NMI */
	uint8_t lane;	 /* whose turn, 0..63: two moves of different lanes are a context switch */
	bool costly;	 /* a choice a witness should have few of: a stale fetch */
	bool strong;	 /* (owed): and strong fairness: an interrupt that waits for its chance */
};

/* What a state is: a matter of the state, so that equal hashes have equal marks. */
struct search_mark {
	bool goal;	   /* the work is done here */
	uint8_t violation; /* 0 none; else the system's own kind */
	bool over;	   /* beyond a bound of the system's own: not followed any further */
};

/* A state as bytes. (data) is allocated with malloc by save(), freed by the search. */
struct search_blob {
	void *data;
	size_t size;
};

#define SEARCH_ACTIONS_MAX 4160u

struct search_system {
	void *self;
	/* Into the initial state, and back to a saved one. */
	bool (*start)(void *self, struct search_mark *mark, struct err *e);
	bool (*load)(void *self, const struct search_blob *blob, struct err *e);
	bool (*save)(void *self, struct search_blob *blob, struct err *e);
	/* The moves possible in the state it is in, at most SEARCH_ACTIONS_MAX. */
	uint32_t (*enabled)(void *self, struct search_action *list);
	/* Make one of them; (mark) says what the state it leads to is. */
	bool (*apply)(void *self, const struct search_action *a, struct search_mark *mark,
		      struct err *e);
	void (*hash)(void *self, uint64_t hash[2]);
};

struct search_bounds {
	uint64_t states; /* 0: none */
	double seconds;
	uint64_t memory; /* bytes, of everything the search holds */
};

enum search_end {
	SEARCH_EXHAUSTED, /* no new state: every judgement is final */
	SEARCH_VIOLATION, /* stopped at the first one */
	SEARCH_BOUND,
	SEARCH_INTERRUPTED,
};

/* A path: indices into the list enabled() gives in each state, from the start. */
struct search_path {
	uint32_t *index;
	size_t count;
};

struct search_progress {
	uint64_t states, transitions, frontier, depth, memory;
	double seconds;
	double left_seconds; /* an extrapolation; negative: unknown, as levels do not shrink yet */
};

struct search_options {
	struct search_bounds bounds;
	/* Called about twice a second, returns true to stop; may be NULL. */
	bool (*progress)(void *arg, const struct search_progress *p);
	void *arg;
	/*
	 * Both open, the caller's, used from where they stand, and may be NULL. A search
	 * that a bound or (progress) ended writes to (checkpoint) what it needs to go on
	 * from there; with it as (resume), a later one comes to exactly the result of a
	 * search that was never stopped. Bounds count from the first start, seconds too.
	 */
	FILE *resume;
	FILE *checkpoint;
	bool every; /* do not stop at the first violation: look for all kinds of them */
	/* Digest of what moves depend on beside the state; a checkpoint of another is refused. */
	uint64_t identity;
};

struct search_result {
	enum search_end end;
	const char
		*bound; /* SEARCH_BOUND: "states", "seconds", "memory", "history": the system's */
	uint64_t states, transitions, depth, memory;
	double seconds;
	bool saved;	   /* unfinished, and the checkpoint says how to go on */
	uint8_t violation; /* kind of the first one, 0 none */
	uint64_t kinds;	   /* mask, bit 1 << kind below 64: those that were found */
	bool every;	   /* and no other kind can be reached */
	bool deadlock;	   /* exhausted only: in some state no owed move leads to a goal */
	bool livelock;	   /* exhausted only: a fair cycle outside the goals, in reach of one */
	/*
	 * To the violation, or the stem to the cycle, or to the dead state and, by
	 * owed moves, on to the nearest fair cycle. When both: the deadlock's.
	 */
	struct search_path path;
	struct search_path cycle; /* from where (path) ends once round; empty when nobody spins */
	/*
	 * The path, to a violation of the first one's kind, or the stem, has of all
	 * shortest ones, in this order: the fewest context switches, injections, costly
	 * moves, and the smallest indices. False: memory was bounded too tightly to
	 * find out, or the search ended within the level; it is then only as short.
	 */
	bool minimised;
};

/*
 * Search with (jobs) systems, each used by one thread only, systems[0] by the
 * caller's; (systems) has that many, all of the same initial state. The result's
 * paths are freed by search_fini(). False on failure of a system (its error, or
 * ERR_HOST when it marks a state now so, now otherwise), a
 * file that is no checkpoint of this search (ERR_INPUT), or when the checkpoint
 * cannot be written (ERR_HOST); the result is then empty.
 *
 * Judged when exhausted and without violation (design, "Three ways to execute"):
 *   deadlock: a reachable state from which no path of owed moves leads to a goal
 *   livelock: a reachable cycle of states that are not goals but can reach one,
 *	on which every owed process is, somewhere, either moving or unable to, and
 *	one that is owed strong fairness moves if it is able to anywhere
 */
bool search_run(struct search_system *const *systems, uint32_t jobs,
		const struct search_options *options, struct search_result *result, struct err *e);
void search_fini(struct search_result *result);

/*
 * How many states will follow the last of (count) levels of these sizes, if each
 * goes on to be smaller than the one before by the same factor. Negative:
 * unknown, as there are fewer than SEARCH_TREND levels or they do not shrink.
 */
#define SEARCH_TREND 5u
double search_states_left(const uint64_t *size, size_t count);

/* Follow (path) from where the system is; leaves it in the last state. */
bool search_go_on(struct search_system *s, const struct search_path *path, struct err *e);
/* The same from the start. */
bool search_follow(struct search_system *s, const struct search_path *path, struct err *e);

#endif

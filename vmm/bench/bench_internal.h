/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_internal.h - what the benchmark's files share: bench.c takes pairs and
 * medians and measures steps and start-up, bench_free.c what runs at full speed.
 */
#ifndef CROSSMOD_BENCH_INTERNAL_H
#define CROSSMOD_BENCH_INTERNAL_H

#include "bench/bench.h"
#include "scenario/scenario.h"

#define BENCH_VCPU 1u /* the one that executes; vCPU 0, the patcher, is never run */

struct bench_env {
	const struct image *image;
	const char *self;
	int core[2];	 /* of this thread, and of the vCPU's or the native loop's */
	uint32_t cores;	 /* how many of them differ */
	uint64_t states; /* a search is over after so many; 0: it goes to its end */
};

/* What was done in how long. */
struct bench_tally {
	double amount;
	double seconds;
};

/* Do (amount), in units or, where the work has no end, in seconds, and add it to (t). */
typedef bool (*bench_chunk)(void *state, double amount, struct bench_tally *t, struct err *e);

/* One figure: chunks of ours and of the raw operation in turn, (chunks) of each to a run. */
struct bench_measure {
	const char *name;
	const char *what;
	const char *unit;
	double target;
	bool at_most; /* and the figure is time an operation, not operations a time */
	uint32_t chunks;
	double amount;
	void *(*begin)(const struct bench_env *env, struct err *e);
	bench_chunk ours;
	bench_chunk raw;
	void (*end)(void *state);
};

extern const struct bench_measure bench_free_run;
extern const struct bench_measure bench_nmi;
extern const struct bench_measure bench_survey;
extern const struct bench_measure bench_explore_efficiency;
extern const struct bench_measure bench_parallel_speedup;
extern const struct bench_measure bench_reduction_factor;

/* bench.c: a bare stepping loop, which several figures are held against. */
void *bench_steps_begin(const struct bench_env *env, struct err *e);
bool bench_steps_raw(void *state, double amount, struct bench_tally *t, struct err *e);
void bench_steps_end(void *state);

/*
 * A scenario that makes vCPU BENCH_VCPU execute a site without end, at CPL (cpl), 0 or 3, which is
 * EL1 or EL0; (how) is its method's JSON.
 */
bool bench_scenario(struct scenario *s, const struct image *image, uint32_t cpl, const char *how,
		    struct err *e);

#endif

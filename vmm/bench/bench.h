/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what crossmod's own layers cost, as ratios against the raw KVM
 * operation or the native loop in the same run. Never a verdict.
 */
#ifndef CROSSMOD_BENCH_H
#define CROSSMOD_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "image/image.h"

#define BENCH_RUNS 5u

/* One figure: ours against the raw operation, in (unit), medians of paired runs. */
struct bench_figure {
	const char *name; /* step_efficiency, free_run_ratio, ... */
	const char *what; /* one line: what is divided by what */
	const char *unit; /* "1/s", "ms" */
	double ours;
	double raw;
	double ratio;	  /* median of the pairs' ratios */
	double low, high; /* smallest and largest of them */
	double target;
	bool at_most; /* the target is an upper bound */
	bool met;
	char unsupported[160]; /* why there is no figure; "" = there is */
};

#define BENCH_MAX 12u

/*
 * Measure everything, pairs interleaved. (self) is the program's own path,
 * run anew for startup_ratio. Returns the number of figures, 0 with (e) set
 * when nothing could run.
 */
size_t bench_all(const struct image *image, const char *self, struct bench_figure *figures,
		 struct err *e);

/*
 * The same with (runs) pairs of runs, 1..BENCH_RUNS, each (divisor) times
 * shorter; a search then ends after a few states, and its figure says nothing.
 * (self) may be NULL: startup_ratio is then unsupported.
 */
size_t bench_sized(const struct image *image, const char *self, uint32_t runs, uint32_t divisor,
		   struct bench_figure *figures, struct err *e);

/*
 * What `crossmod bench` does with CROSSMOD_STARTUP in the environment: build
 * the stepped VM, run vCPU 0 to READY, write one byte to standard output. Does
 * not come back but on failure, with the exit status.
 */
int bench_startup_child(const struct image *image);

/* The figures as one line of JSON. Heap string, freed by the caller; NULL: out of memory. */
char *report_bench(const struct bench_figure *f, size_t n);

#endif

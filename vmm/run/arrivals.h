/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arrivals.h - when the events of a rate fall due. Pure arithmetic on seconds;
 * knows neither a clock nor what the events are.
 */
#ifndef CROSSMOD_ARRIVALS_H
#define CROSSMOD_ARRIVALS_H

#include "scenario/scenario.h"

struct arrivals {
	enum distribution distribution;
	double rate;	 /* events a second, > 0 */
	double next;	 /* when the next one is due */
	uint64_t random; /* poisson: the state of the generator */
	uint32_t left;	 /* burst: still to come of this one, (next) included */
};

/* From (start) on. The same (seed) gives the same times. */
void arrivals_begin(struct arrivals *a, enum distribution distribution, double rate, double start,
		    uint64_t seed);

/* How many have fallen due by (at) since the last call; (next) is then behind (at). */
uint64_t arrivals_due(struct arrivals *a, double at);

#endif

// SPDX-License-Identifier: BSD-2-Clause
/* arrivals.c - the gaps between events: equal, exponential, or a short one seven times of eight. */
#include "run/arrivals.h"

#include <assert.h>
#include <math.h>

/* SplitMix64 (Steele, Lea, Flood 2014): small, and good enough for gaps. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* In (0, 1]. */
static double uniform(uint64_t *state)
{
	return (double)((next_random(state) >> 11) + 1) / 0x1p53;
}

static double gap(struct arrivals *a)
{
	double period = 1 / a->rate, inside = fmin(DISTRIBUTION_BURST_GAP, period);

	switch (a->distribution) {
	case DISTRIBUTION_POISSON:
		return -log(uniform(&a->random)) * period;
	case DISTRIBUTION_BURST:
		if (--a->left)
			return inside;
		a->left = DISTRIBUTION_BURST_EVENTS;
		return DISTRIBUTION_BURST_EVENTS * period -
		       (DISTRIBUTION_BURST_EVENTS - 1) * inside;
	default:
		return period;
	}
}

void arrivals_begin(struct arrivals *a, enum distribution distribution, double rate, double start,
		    uint64_t seed)
{
	assert(rate > 0);
	*a = (struct arrivals){
		.distribution = distribution,
		.rate = rate,
		.next = start,
		.random = seed,
		.left = DISTRIBUTION_BURST_EVENTS,
	};
	if (distribution == DISTRIBUTION_POISSON)
		a->next += gap(a);
}

uint64_t arrivals_due(struct arrivals *a, double at)
{
	uint64_t due = 0;

	for (; a->next <= at; due++)
		a->next += gap(a);
	return due;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.h - the one clock that durations are measured with. */
#ifndef CROSSMOD_CLOCK_H
#define CROSSMOD_CLOCK_H

#include <time.h>

/* Seconds on CLOCK_MONOTONIC; only differences mean anything. */
static inline double clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A moment of clock_now() as clock_nanosleep() wants it. */
static inline struct timespec clock_timespec(double seconds)
{
	time_t whole = (time_t)seconds;

	return (struct timespec){ whole, (long)((seconds - (double)whole) * 1e9) };
}

#endif

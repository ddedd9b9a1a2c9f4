/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - the little statistics that counts and timings need. Pure; knows
 * nothing of what was counted.
 */
#ifndef CROSSMOD_STATS_H
#define CROSSMOD_STATS_H

#include <stddef.h>
#include <stdint.h>

/* The median of (n) values, which stay as they are; NAN of none. No NAN among them. */
double stats_median(const double *v, size_t n);

/*
 * Wilson's 95 % score interval of a proportion seen (k) times in (n), k <= n:
 * 0 <= low <= k/n <= high <= 1. Of nothing seen, n = 0, it is [0, 1].
 */
void stats_wilson(uint64_t k, uint64_t n, double *low, double *high);

#endif

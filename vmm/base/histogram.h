/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * histogram.h - reads what cm_histogram_add() of guest/abi.h has counted. Pure;
 * knows nothing of what the values are.
 */
#ifndef CROSSMOD_HISTOGRAM_H
#define CROSSMOD_HISTOGRAM_H

#include "guest/abi.h"

/* The smallest value that (bucket) counts, and how many different ones it does. */
uint64_t histogram_from(uint32_t bucket);
uint64_t histogram_width(uint32_t bucket);

/* Exact; NAN of nothing counted. */
double histogram_mean(const struct cm_histogram *h);

/*
 * The smallest value that at least the share (q) of all are not above, 0 < q <= 1;
 * exact below 32, else within a 32nd: the middle of its bucket, and never above
 * the largest value. NAN of nothing counted.
 */
double histogram_quantile(const struct cm_histogram *h, double q);

#endif

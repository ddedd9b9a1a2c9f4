// SPDX-License-Identifier: BSD-2-Clause
/* stats.c - median and Wilson interval. Knows nothing of what was counted. */
#include "base/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The normal distribution's 0.975 quantile. */
#define Z95 1.959963984540054

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double stats_median(const double *v, size_t n)
{
	double *sorted, median;

	if (!n)
		return NAN;
	sorted = malloc(n * sizeof(*sorted));
	assert(sorted);
	memcpy(sorted, v, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	median = n % 2 ? sorted[n / 2] : sorted[n / 2 - 1] / 2 + sorted[n / 2] / 2;
	free(sorted);
	return median;
}

void stats_wilson(uint64_t k, uint64_t n, double *low, double *high)
{
	double p, z2 = Z95 * Z95, centre, half, scale;

	assert(k <= n);
	*low = 0;
	*high = 1;
	if (!n)
		return;
	p = (double)k / (double)n;
	scale = 1 / ((double)n + z2);
	centre = ((double)k + z2 / 2) * scale;
	half = Z95 * sqrt((double)k * (1 - p) + z2 / 4) * scale;
	/* At the ends the bound is exact; rounding may not put it on the wrong side of k/n. */
	if (k > 0)
		*low = fmin(centre - half, p);
	if (k < n)
		*high = fmin(fmax(centre + half, p), 1);
}

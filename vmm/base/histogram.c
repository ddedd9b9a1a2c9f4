// SPDX-License-Identifier: BSD-2-Clause
/* histogram.c - the inverse of cm_histogram_bucket(), and sums over buckets. */
#include "base/histogram.h"

#include <assert.h>
#include <math.h>

uint64_t histogram_from(uint32_t bucket)
{
	assert(bucket < CM_HISTOGRAM_BUCKETS);
	if (bucket < 16)
		return bucket;
	return (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1);
}

uint64_t histogram_width(uint32_t bucket)
{
	return bucket < 16 ? 1 : 1ull << (bucket / 16 - 1);
}

double histogram_mean(const struct cm_histogram *h)
{
	return h->count ? (double)h->sum / (double)h->count : NAN;
}

double histogram_quantile(const struct cm_histogram *h, double q)
{
	uint64_t wanted = (uint64_t)ceil(q * (double)h->count), seen = 0;
	uint32_t i = 0;

	assert(q > 0 && q <= 1);
	if (!h->count)
		return NAN;
	for (; i < CM_HISTOGRAM_BUCKETS - 1; i++) {
		seen += h->bucket[i];
		if (seen >= wanted)
			break;
	}
	return fmin((double)histogram_from(i) + (double)(histogram_width(i) - 1) / 2,
		    (double)h->max);
}

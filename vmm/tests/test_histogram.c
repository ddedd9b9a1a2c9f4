// SPDX-License-Identifier: BSD-2-Clause
/* test_histogram.c - the buckets of guest/abi.h, their inverse, and quantiles against sorted values. */
#include "base/histogram.h"

#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

/* Every bucket begins where the one before ends, and counts what it says. */
Test(histogram, buckets_are_a_partition)
{
	uint64_t from = 0;

	for (uint32_t i = 0; i < CM_HISTOGRAM_BUCKETS; i++) {
		cr_assert_eq(histogram_from(i), from, "bucket %u", i);
		cr_assert_eq(cm_histogram_bucket(from), i);
		cr_assert_eq(cm_histogram_bucket(from + histogram_width(i) - 1), i);
		cr_assert(histogram_width(i) * 16 <= from || histogram_width(i) == 1);
		from += histogram_width(i);
	}
	cr_assert_eq(from, 1ull << 40);
	cr_assert_eq(cm_histogram_bucket(from), CM_HISTOGRAM_BUCKETS - 1);
	cr_assert_eq(cm_histogram_bucket(UINT64_MAX), CM_HISTOGRAM_BUCKETS - 1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

Test(histogram, quantiles_of_many_values)
{
	static const double q[] = { 0.001, 0.25, 0.5, 0.9, 0.99, 1 };
	static struct cm_histogram h;
	static uint64_t v[5000];
	size_t n = sizeof(v) / sizeof(v[0]);
	uint64_t state = 1;
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		v[i] = (state >> 33) >> (state >> 60);
		cm_histogram_add(&h, v[i]);
		sum += (double)v[i];
	}
	qsort(v, n, sizeof(v[0]), compare);
	cr_expect_eq(h.max, v[n - 1]);
	cr_expect_float_eq(histogram_mean(&h), sum / (double)n, 1e-6);
	for (size_t i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		double want = (double)v[(size_t)ceil(q[i] * (double)n) - 1];

		cr_expect(fabs(histogram_quantile(&h, q[i]) - want) <= want / 32, "%g: %g, not %g",
			  q[i], histogram_quantile(&h, q[i]), want);
	}
}

Test(histogram, few_values_and_none)
{
	struct cm_histogram h = { 0 };

	cr_expect(isnan(histogram_mean(&h)));
	cr_expect(isnan(histogram_quantile(&h, 0.5)));
	for (uint64_t i = 0; i < 4; i++)
		cm_histogram_add(&h, i == 3 ? 1000003 : 0);
	cr_expect_eq(histogram_quantile(&h, 0.5), 0);
	cr_expect_eq(histogram_quantile(&h, 0.75), 0);
	cr_expect_float_eq(histogram_quantile(&h, 0.99), 1000003, 1000003 / 32.);
	cr_expect_leq(histogram_quantile(&h, 1), 1000003, "never above the largest");
	cr_expect_float_eq(histogram_mean(&h), 1000003 / 4., 1e-9);
	cm_histogram_add(&h, 1ull << 50);
	cr_expect_eq(h.max, 1ull << 50);
	cr_expect_lt(histogram_quantile(&h, 1), 1ull << 40,
		     "beyond the last bucket only max is right");
}

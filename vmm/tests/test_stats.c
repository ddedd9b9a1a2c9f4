// SPDX-License-Identifier: BSD-2-Clause
/* test_stats.c - against values worked out by hand, and the bounds that hold for any. */
#include "base/stats.h"

#include <math.h>

#include <criterion/criterion.h>

/* Relative: an absolute tolerance would let any small bound pass. Of 0 there is no other. */
static void assert_near(double got, double want)
{
	cr_assert(fabs(got - want) <= 1e-6 * fabs(want), "%.12g is not %.12g", got, want);
}

Test(stats, median)
{
	static const double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 }, one[] = { -7 };
	static const double same[] = { 5, 5, 5, 5 }, huge[] = { 1e308, 1.5e308 };

	assert_near(stats_median(odd, 3), 2);
	cr_assert_eq(odd[0], 3, "the caller's values stay");
	assert_near(stats_median(even, 4), 2.5);
	assert_near(stats_median(one, 1), -7);
	assert_near(stats_median(same, 4), 5);
	assert_near(stats_median(huge, 2), 1.25e308);
	cr_assert(isnan(stats_median(NULL, 0)));
}

/* From the closed form, in exact arithmetic: (k + z2/2 -+ z sqrt(k(n-k)/n + z2/4)) / (n + z2). */
Test(stats, wilson)
{
	static const struct {
		uint64_t k, n;
		double low, high;
	} cases[] = {
		{ 0, 0, 0, 1 },
		{ 0, 10, 0, 0.277532799862889 },
		{ 10, 10, 0.722467200137111, 1 },
		{ 5, 10, 0.236593090512564, 0.763406909487436 },
		{ 1, 10, 0.017876213095073, 0.404150026785244 },
		{ 12, 3400000, 2.019048106068e-06, 6.169607001082e-06 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double low, high;

		stats_wilson(cases[i].k, cases[i].n, &low, &high);
		assert_near(low, cases[i].low);
		assert_near(high, cases[i].high);
	}
}

static void assert_sane(uint64_t k, uint64_t n)
{
	double low, high, p = (double)k / (double)n;

	stats_wilson(k, n, &low, &high);
	cr_assert(0 <= low && low <= p && p <= high && high <= 1, "%lu of %lu: %g %g",
		  (unsigned long)k, (unsigned long)n, low, high);
}

Test(stats, wilson_bounds)
{
	for (uint64_t n = 1; n < 200; n++)
		for (uint64_t k = 0; k <= n; k++)
			assert_sane(k, n);
	for (uint64_t n = 1; n < UINT64_MAX / 3; n *= 3) {
		assert_sane(0, n);
		assert_sane(1, n);
		assert_sane(n / 2, n);
		assert_sane(n - 1, n);
		assert_sane(n, n);
	}
}

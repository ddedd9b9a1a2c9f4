// SPDX-License-Identifier: BSD-2-Clause
/* test_arrivals.c - the rate is kept, and the gaps have the shape that was asked for. */
#include "run/arrivals.h"

#include <math.h>

#include <criterion/criterion.h>

#define RATE 1000.0
#define N    20000

static double gap[N];

/* The gaps of N events, asked for one by one. */
static void collect(enum distribution d)
{
	struct arrivals a;
	double last;

	arrivals_begin(&a, d, RATE, 5, 7);
	arrivals_due(&a, a.next);
	last = a.next;
	for (int i = 0; i < N; i++) {
		cr_assert_eq(arrivals_due(&a, a.next), 1, "event %d", i);
		gap[i] = a.next - last;
		last = a.next;
	}
}

static double mean_gap(void)
{
	double sum = 0;

	for (int i = 0; i < N; i++)
		sum += gap[i];
	return sum / N;
}

/* Standard deviation in means: 0 of equal gaps, 1 of exponential ones. */
static double variation(void)
{
	double mean = mean_gap(), sum = 0;

	for (int i = 0; i < N; i++)
		sum += (gap[i] - mean) * (gap[i] - mean);
	return sqrt(sum / N) / mean;
}

Test(arrivals, periodic)
{
	collect(DISTRIBUTION_PERIODIC);
	cr_expect_float_eq(mean_gap(), 1 / RATE, 1e-9);
	cr_expect_lt(variation(), 1e-6);
}

Test(arrivals, poisson)
{
	double short_gaps = 0;

	collect(DISTRIBUTION_POISSON);
	cr_expect_float_eq(mean_gap(), 1 / RATE, 0.03 / RATE);
	cr_expect_float_eq(variation(), 1, 0.05);
	for (int i = 0; i < N; i++)
		short_gaps += gap[i] < 0.1 / RATE;
	cr_expect_float_eq(short_gaps / N, 1 - exp(-0.1), 0.01);
}

Test(arrivals, burst)
{
	int inside = 0;

	collect(DISTRIBUTION_BURST);
	cr_expect_float_eq(mean_gap(), 1 / RATE, 1e-6);
	for (int i = 0; i < N; i++)
		inside += fabs(gap[i] - DISTRIBUTION_BURST_GAP) < 1e-9;
	cr_expect_eq(inside, N / 8 * 7);
}

/* Where the rate leaves no room for a pause, a burst is periodic. */
Test(arrivals, burst_at_a_high_rate)
{
	struct arrivals a;

	arrivals_begin(&a, DISTRIBUTION_BURST, 200000, 0, 1);
	cr_expect_leq(arrivals_due(&a, 0.1), 20001 + 8);
	cr_expect_geq(a.next, 0.1);
	cr_expect_lt(a.next, 0.1 + 1e-4);
}

/* Who comes late hears of all that fell due, and no later time has shifted. */
Test(arrivals, late)
{
	struct arrivals a, b;

	for (unsigned int d = 0; d < DISTRIBUTIONS; d++) {
		uint64_t one_by_one = 0;

		arrivals_begin(&a, (enum distribution)d, RATE, 1, 3);
		arrivals_begin(&b, (enum distribution)d, RATE, 1, 3);
		cr_expect_eq(arrivals_due(&a, 0.999), 0, "nothing before the start");
		while (b.next <= 2.5)
			one_by_one += arrivals_due(&b, b.next);
		cr_expect_eq(arrivals_due(&a, 2.5), one_by_one, "%s", distribution_name(d));
		cr_expect_eq(a.next, b.next);
		cr_expect_eq(arrivals_due(&a, 2.5), 0);
	}
}

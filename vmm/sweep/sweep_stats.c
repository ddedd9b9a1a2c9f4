// SPDX-License-Identifier: BSD-2-Clause
/* sweep_stats.c - figures of a run, intervals over the repeats, the knee. Pure. */
#include "sweep/sweep.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/stats.h"

static const char *const names[SWEEP_METRICS] = {
	[SWEEP_REQUESTED] = "requested_rate",
	[SWEEP_SENT] = "sent_rate",
	[SWEEP_DELIVERED] = "delivered_rate",
	[SWEEP_COALESCED] = "coalesced_rate",
	[SWEEP_PATCHES] = "patches_per_second",
	[SWEEP_PROGRESS] = "progress",
	[SWEEP_RETRIES_MEAN] = "retries_mean",
	[SWEEP_RETRIES_P50] = "retries_p50",
	[SWEEP_RETRIES_P99] = "retries_p99",
	[SWEEP_RETRIES_MAX] = "retries_max",
	[SWEEP_TIME_P50] = "time_p50_seconds",
	[SWEEP_TIME_P99] = "time_p99_seconds",
	[SWEEP_TIME_MAX] = "time_max_seconds",
	[SWEEP_EXECUTIONS] = "executions_per_patch",
	[SWEEP_TRAPS] = "traps_per_patch",
	[SWEEP_MISSED] = "deadline_missed",
	[SWEEP_LATENESS_P50] = "lateness_p50_seconds",
	[SWEEP_LATENESS_P99] = "lateness_p99_seconds",
	[SWEEP_LATENESS_MAX] = "lateness_max_seconds",
};

const char *sweep_metric_name(enum sweep_metric m)
{
	assert((unsigned int)m < SWEEP_METRICS);
	return names[m];
}

static double over(uint64_t n, double divisor)
{
	return divisor > 0 ? (double)n / divisor : NAN;
}

/* Against the same repeat's rate 0, which ran at about the same time. */
static double progress(const struct sweep *s, uint32_t curve, uint32_t repeat,
		       const struct sweep_run *r)
{
	const struct sweep_run *zero = sweep_run_at(s, curve, 0, repeat);

	if (!zero->done || !zero->whole || !zero->patches)
		return NAN;
	return over(r->patches, r->seconds) / over(zero->patches, zero->seconds);
}

double sweep_value(const struct sweep *s, uint32_t curve, uint32_t rate, uint32_t repeat,
		   enum sweep_metric m)
{
	const struct sweep_run *r = sweep_run_at(s, curve, rate, repeat);
	double per = r->seconds * __builtin_popcount(s->curve[curve].targets);

	if (!r->done || !r->whole)
		return NAN;
	switch (m) {
	case SWEEP_REQUESTED:
		return over(r->nmis_requested, per);
	case SWEEP_SENT:
		return over(r->nmis_sent, per);
	case SWEEP_DELIVERED:
		return over(r->nmis_delivered, per);
	case SWEEP_COALESCED:
		return over(r->nmis_coalesced, per);
	case SWEEP_PATCHES:
		return over(r->patches, r->seconds);
	case SWEEP_PROGRESS:
		return progress(s, curve, repeat, r);
	case SWEEP_RETRIES_MEAN:
		return r->retries_mean;
	case SWEEP_RETRIES_P50:
		return r->retries_p50;
	case SWEEP_RETRIES_P99:
		return r->retries_p99;
	case SWEEP_RETRIES_MAX:
		return r->retries_max;
	case SWEEP_TIME_P50:
		return r->time_p50;
	case SWEEP_TIME_P99:
		return r->time_p99;
	case SWEEP_TIME_MAX:
		return r->time_max;
	case SWEEP_EXECUTIONS:
		return over(r->executions, (double)r->patches);
	case SWEEP_TRAPS:
		return over(r->traps, (double)r->patches);
	case SWEEP_MISSED:
		return r->missed;
	case SWEEP_LATENESS_P50:
		return r->lateness_p50;
	case SWEEP_LATENESS_P99:
		return r->lateness_p99;
	case SWEEP_LATENESS_MAX:
		return r->lateness_max;
	default:
		assert(!"a metric");
		return NAN;
	}
}

struct sweep_interval sweep_interval(const struct sweep *s, uint32_t curve, uint32_t rate,
				     enum sweep_metric m)
{
	struct sweep_interval i = { NAN, NAN, NAN, 0 };
	double v[SWEEP_REPEAT_MAX];

	assert(s->repeat <= SWEEP_REPEAT_MAX);
	for (uint32_t k = 0; k < s->repeat; k++) {
		double value = sweep_value(s, curve, rate, k, m);

		if (isnan(value))
			continue;
		v[i.n++] = value;
		i.low = fmin(i.low, value); /* of a NAN and a number: the number */
		i.high = fmax(i.high, value);
	}
	i.median = stats_median(v, i.n);
	return i;
}

/* ---- the knee ---- */

struct place {
	double rate, progress;
};

static int by_rate(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->rate > y->rate) - (x->rate < y->rate);
}

/* Where the line from (a) to (b) goes through half, over the logarithm of the rate. */
static double halfway(const struct place *a, const struct place *b)
{
	double share = (a->progress - 0.5) / (a->progress - b->progress);

	return a->rate * pow(b->rate / a->rate, share);
}

struct sweep_knee sweep_knee_of(const double *rate, const double *progress, uint32_t n)
{
	struct sweep_knee knee = { KNEE_UNKNOWN, NAN, NAN, NAN };
	struct place place[SWEEP_RATES_MAX] = { { 0 } };
	uint32_t count = 0, last;

	assert(n <= SWEEP_RATES_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (!isnan(rate[i]) && !isnan(progress[i]))
			place[count++] = (struct place){ rate[i], progress[i] };
	qsort(place, count, sizeof(place[0]), by_rate);
	if (!count || place[count - 1].rate <= 0)
		return knee;
	for (last = count; last && place[last - 1].progress < 0.5; last--)
		;
	if (last == count) {
		knee.kind = KNEE_NONE;
		knee.from = place[count - 1].rate;
	} else if (!last || place[last - 1].rate <= 0) {
		while (place[last].rate <= 0)
			last++;
		knee.kind = KNEE_BELOW;
		knee.to = place[last].rate;
	} else {
		knee.kind = KNEE_AT;
		knee.from = place[last - 1].rate;
		knee.to = place[last].rate;
		knee.rate = halfway(&place[last - 1], &place[last]);
	}
	return knee;
}

struct sweep_knee sweep_knee(const struct sweep *s, uint32_t curve)
{
	double rate[SWEEP_RATES_MAX] = { 0 }, value[SWEEP_RATES_MAX] = { 0 };

	for (uint32_t i = 0; i < s->nrates; i++) {
		rate[i] = sweep_interval(s, curve, i, SWEEP_DELIVERED).median;
		value[i] = sweep_interval(s, curve, i, SWEEP_PROGRESS).median;
	}
	return sweep_knee_of(rate, value, s->nrates);
}

struct sweep_knee sweep_knee_once(const struct sweep *s, uint32_t curve, uint32_t repeat)
{
	double rate[SWEEP_RATES_MAX] = { 0 }, value[SWEEP_RATES_MAX] = { 0 };

	for (uint32_t i = 0; i < s->nrates; i++) {
		rate[i] = sweep_value(s, curve, i, repeat, SWEEP_DELIVERED);
		value[i] = sweep_value(s, curve, i, repeat, SWEEP_PROGRESS);
	}
	return sweep_knee_of(rate, value, s->nrates);
}

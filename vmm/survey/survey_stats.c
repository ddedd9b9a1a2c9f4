// SPDX-License-Identifier: BSD-2-Clause
/* survey_stats.c - what the counts of a survey say, and how sure it is. */
#include "survey/survey.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"

#define TORN_MIN 20u /* below, the ratio of two such counts is noise */

struct survey_rate survey_rate(const struct survey_counts *c)
{
	struct survey_rate r = { .enough = c->transitions >= SURVEY_TRANSITIONS_MIN };

	for (int i = 0; i < SURVEY_TEARS; i++)
		r.torn += c->torn[i];
	stats_wilson(r.torn, c->executions, &r.low, &r.high);
	r.ppm = c->executions ? (double)r.torn / (double)c->executions * 1e6 : NAN;
	r.low *= 1e6;
	r.high *= 1e6;
	return r;
}

double survey_speed(const struct survey_counts *c)
{
	return c->seconds > 0 ? (double)c->watched / c->seconds : NAN;
}

static double speed_ratio(const struct survey_cell *c)
{
	return survey_speed(&c->side[SURVEY_GUEST]) / survey_speed(&c->side[SURVEY_CONTROL]);
}

static double torn_ratio(const struct survey_cell *c)
{
	struct survey_rate guest = survey_rate(&c->side[SURVEY_GUEST]);
	struct survey_rate control = survey_rate(&c->side[SURVEY_CONTROL]);

	if (guest.torn < TORN_MIN || control.torn < TORN_MIN)
		return NAN;
	return guest.ppm / control.ppm;
}

static double median_of(const struct survey *s, double (*ratio)(const struct survey_cell *c),
			size_t *n)
{
	double *list = malloc((s->ncells + 1) * sizeof(*list)), median;

	assert(list);
	*n = 0;
	for (size_t i = 0; i < s->ncells; i++) {
		double r = s->cell[i].what == SURVEY_TEAR ? ratio(&s->cell[i]) : NAN;

		if (isfinite(r))
			list[(*n)++] = r;
	}
	median = stats_median(list, *n);
	free(list);
	return median;
}

double survey_speed_ratio(const struct survey *s, size_t *n)
{
	return median_of(s, speed_ratio, n);
}

double survey_torn_ratio(const struct survey *s, size_t *n)
{
	return median_of(s, torn_ratio, n);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

double survey_latency_ns(const struct survey_latency *l, double q)
{
	uint32_t *sorted, cycles;

	if (!l->samples || l->cycles <= 0)
		return NAN;
	sorted = malloc(l->samples * sizeof(*sorted));
	assert(sorted);
	memcpy(sorted, l->sample, l->samples * sizeof(*sorted));
	qsort(sorted, l->samples, sizeof(*sorted), by_value);
	cycles = sorted[(uint32_t)(q * (l->samples - 1) + 0.5)];
	free(sorted);
	return (double)cycles * l->seconds / l->cycles * 1e9;
}

static double each_ns(const struct survey_counts *c)
{
	return c->watched ? c->seconds / (double)c->watched * 1e9 : NAN;
}

double survey_cost_ns(const struct survey *s, const struct survey_cell *c, enum survey_side side)
{
	double empty = 0;

	/* The loop around an IPI is its own, and nothing beside it. */
	for (size_t i = 0; c->sync != CM_SYNC_IPI && i < s->ncells; i++)
		if (s->cell[i].what == SURVEY_COST && s->cell[i].sync == CM_SYNC_NONE)
			empty = each_ns(&s->cell[i].side[side]);
	return c->sync == CM_SYNC_NONE ? empty : each_ns(&c->side[side]) - empty;
}

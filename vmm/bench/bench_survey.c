// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_survey.c - the figure of a survey's cell: what its executor gets done
 * in a vCPU while another stores to its site, against two host threads.
 */
#include "bench/bench_internal.h"

#include <stdlib.h>

#include "base/affinity.h"
#include "survey/survey_lab.h"

#define TRIES 20

struct surveyed {
	struct survey_lab *lab;
	struct survey_cell cell;
};

static void survey_end(void *state)
{
	struct surveyed *s = state;

	survey_lab_free(s->lab);
	free(s);
}

static void *survey_begin(const struct bench_env *env, struct err *e)
{
	struct surveyed *s;

	if (!survey_check_image(env->image, e))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	s->cell = (struct survey_cell){ .kind = SURVEY_IMMEDIATE,
					.offset = 7,
					.width = 4,
					.natural = true,
					.pause = 100,
					.cpl = 3 };
	affinity_on_either(env->core);
	s->lab = survey_lab_new(env->image, e);
	if (s->lab)
		return s;
	survey_end(s);
	return NULL;
}

static bool run_side(struct surveyed *s, enum survey_side side, double amount,
		     struct bench_tally *t, struct err *e)
{
	struct survey_counts *c = &s->cell.side[side];

	*c = (struct survey_counts){ 0 };
	/* Again where a busy host never let it run. */
	for (int i = 0; i < TRIES && !c->watched; i++)
		if (!survey_lab_slice(s->lab, &s->cell, side, amount, e))
			return false;
	if (*s->cell.unsupported[side])
		return err_set(e, ERR_UNSUPPORTED, "%s", s->cell.unsupported[side]);
	if (!c->watched || c->seconds <= 0)
		return err_set(e, ERR_HOST, "the executor had no processor time");
	t->amount += (double)c->watched;
	t->seconds += c->seconds;
	return true;
}

static bool survey_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	return run_side(state, SURVEY_GUEST, amount, t, e);
}

static bool survey_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	return run_side(state, SURVEY_CONTROL, amount, t, e);
}

const struct bench_measure bench_survey = {
	.name = "survey_ratio",
	.what = "executions of a site that another vCPU stores to / the same loops in two host threads",
	.unit = "1/s",
	.target = 0.95,
	.chunks = 30,
	.amount = 0.01,
	.begin = survey_begin,
	.ours = survey_ours,
	.raw = survey_raw,
	.end = survey_end,
};

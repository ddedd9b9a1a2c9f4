// SPDX-License-Identifier: BSD-2-Clause
/*
 * sweep.c - which runs a sweep has, and their order. What follows from them is
 * sweep_stats.c's.
 */
#include "sweep/sweep.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rates ---- */

/* A number at (*at), which moves behind it. */
static bool take_number(const char **at, double *value)
{
	char *end;

	if (!isdigit((unsigned char)**at) && **at != '.')
		return false;
	*value = strtod(*at, &end);
	if (end == *at || !isfinite(*value))
		return false;
	*at = end;
	return true;
}

static bool add_rate(struct sweep *s, const char *text, double rate, struct err *e)
{
	if (rate > SWEEP_RATE_MAX)
		return err_set(e, ERR_INPUT, "--rates %s: %g: at most %g NMIs a second and vCPU",
			       text, rate, SWEEP_RATE_MAX);
	for (uint32_t i = 0; i < s->nrates; i++)
		if (s->rate[i] == rate)
			return rate == 0 ||
			       err_set(e, ERR_INPUT, "--rates %s: %g is there twice", text, rate);
	if (s->nrates == SWEEP_RATES_MAX)
		return err_set(e, ERR_INPUT, "--rates %s: more than %u rates, 0 included", text,
			       SWEEP_RATES_MAX);
	s->rate[s->nrates++] = rate;
	return true;
}

static bool parse_list(struct sweep *s, const char *text, struct err *e)
{
	const char *at = text;
	double rate;

	for (;; at++) {
		if (!take_number(&at, &rate) || (*at && *at != ','))
			return err_set(e, ERR_INPUT,
				       "--rates %s: must be numbers of NMIs a second with commas, "
				       "FROM:TO:STEP or FROM:TO:FACTORlog",
				       text);
		if (!add_rate(s, text, rate, e))
			return false;
		if (!*at)
			return true;
	}
}

static bool parse_range(struct sweep *s, const char *text, struct err *e)
{
	double from, to, step;
	const char *at = text;
	bool log;

	if (!take_number(&at, &from) || *at++ != ':' || !take_number(&at, &to) || *at++ != ':' ||
	    !take_number(&at, &step) || (*at && strcmp(at, "log")))
		return err_set(e, ERR_INPUT,
			       "--rates %s: must be FROM:TO:STEP or FROM:TO:FACTORlog", text);
	log = *at;
	if (from > to)
		return err_set(e, ERR_INPUT, "--rates %s: from %g to %g is no range", text, from,
			       to);
	if (log && from == 0)
		return err_set(e, ERR_INPUT,
			       "--rates %s: no factor leads away from 0; rate 0 is run anyway",
			       text);
	if (log ? step <= 1 : step <= 0)
		return err_set(e, ERR_INPUT, "--rates %s: with %s %g it never gets to %g", text,
			       log ? "the factor" : "the step", step, to);
	/* Until add_rate() finds that there are too many. */
	for (uint32_t i = 0;; i++) {
		double rate = log ? from * pow(step, i) : from + i * step;

		/* What rounding has made a little too large is still (to). */
		if (rate > to * (1 + 1e-9))
			return true;
		if (!add_rate(s, text, fmin(rate, to), e))
			return false;
	}
}

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

bool sweep_parse_rates(struct sweep *s, const char *text, struct err *e)
{
	s->nrates = 0;
	s->rate[s->nrates++] = 0;
	if (!(strchr(text, ':') ? parse_range(s, text, e) : parse_list(s, text, e)))
		return false;
	if (s->nrates == 1)
		return err_set(e, ERR_INPUT, "--rates %s: needs a rate above 0", text);
	qsort(s->rate, s->nrates, sizeof(s->rate[0]), rising);
	return true;
}

/* ---- targets ---- */

static uint32_t own_targets(const struct scenario *s)
{
	return s->free.nmi_mask ? s->free.nmi_mask : (1u << s->vcpus) - 1;
}

bool sweep_target(struct sweep *s, const char *text, struct err *e)
{
	char *end = NULL;
	unsigned long vcpu = 0;
	bool all = text && !strcmp(text, "all");

	if (text && !all) {
		vcpu = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : CM_MAX_VCPUS;
		if (!end || *end)
			return err_set(e, ERR_INPUT,
				       "--target %s: must be the number of a vCPU, or all", text);
	}
	for (uint32_t i = 0; i < s->ncurves; i++) {
		const struct scenario *scenario = s->curve[i].scenario;

		if (vcpu >= scenario->vcpus)
			return err_set(e, ERR_INPUT, "--target %s: %s has vCPUs 0 to %u", text,
				       scenario->name, scenario->vcpus - 1);
		s->curve[i].targets = !text ? own_targets(scenario) :
				      all   ? (1u << scenario->vcpus) - 1 :
					      1u << vcpu;
	}
	return true;
}

/* ---- runs ---- */

bool sweep_begin(struct sweep *s, struct err *e)
{
	assert(s->ncurves && s->nrates && s->repeat);
	s->run = calloc(sweep_runs(s), sizeof(*s->run));
	return s->run || err_set(e, ERR_HOST, "out of memory");
}

void sweep_fini(struct sweep *s)
{
	free(s->run);
	memset(s, 0, sizeof(*s));
}

struct sweep_run *sweep_run_at(const struct sweep *s, uint32_t curve, uint32_t rate,
			       uint32_t repeat)
{
	assert(curve < s->ncurves && rate < s->nrates && repeat < s->repeat);
	return &s->run[(curve * s->nrates + rate) * s->repeat + repeat];
}

uint32_t sweep_runs(const struct sweep *s)
{
	return s->ncurves * s->nrates * s->repeat;
}

uint32_t sweep_done(const struct sweep *s)
{
	uint32_t done = 0;

	for (uint32_t i = 0; s->run && i < sweep_runs(s); i++)
		done += s->run[i].done;
	return done;
}

static bool run_one(struct sweep *s, const struct sweep_runner *runner, uint32_t curve,
		    uint32_t rate, struct sweep_run *r, struct err *e)
{
	bool ok = runner->run(runner->self, curve, rate, r, e);

	/* A guest that is stopped while it boots looks like a failure. */
	if (runner->stopped(runner->self)) {
		*r = (struct sweep_run){ 0 };
		return true;
	}
	if (!ok)
		return err_prefix(e, "%s at %g/s: ", s->curve[curve].scenario->name, s->rate[rate]);
	r->done = true;
	return runner->settle(runner->keeper, e);
}

bool sweep_run_all(struct sweep *s, const struct sweep_runner *runner, struct err *e)
{
	for (uint32_t n = 0; n < sweep_runs(s); n++) {
		uint32_t curve = n % s->ncurves, rate = n / s->ncurves % s->nrates;
		struct sweep_run *r = sweep_run_at(s, curve, rate, n / s->ncurves / s->nrates);

		if (runner->stopped(runner->self))
			return true;
		if (!r->done && !run_one(s, runner, curve, rate, r, e))
			return false;
	}
	return true;
}

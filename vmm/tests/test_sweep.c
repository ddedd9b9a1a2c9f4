// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_sweep.c - rates, targets and the order of the runs; statistics and the
 * knee on figures made up here, so that the right answer is known. No machine.
 */
#include "sweep/sweep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- rates ---- */

static void rates_are(const char *text, const double *want, uint32_t n)
{
	struct sweep s = { 0 };
	struct err e = { 0 };

	cr_assert(sweep_parse_rates(&s, text, &e), "%s", e.text);
	cr_assert_eq(s.nrates, n, "%s: %u", text, s.nrates);
	for (uint32_t i = 0; i < n; i++)
		cr_expect_float_eq(s.rate[i], want[i], 1e-6 * want[i], "%s: %g", text, s.rate[i]);
}

Test(sweep, rates)
{
	static const double list[] = { 0, 10, 200.5, 3000 }, linear[] = { 0, 100, 200, 300 };
	static const double log[] = { 0, 1, 10, 100, 1000 }, tenths[] = { 0, 0.1, 0.2, 0.3 };

	rates_are("3000,10,200.5", list, 4);
	rates_are("0,10,3e3,200.5", list, 4);
	rates_are("100:300:100", linear, 4);
	rates_are("0:399:100", linear, 4);
	rates_are("1:1000:10log", log, 5);
	rates_are("1:9999:10log", log, 5);
	rates_are("0.1:0.3:0.1", tenths, 4);
}

Test(sweep, bad_rates_are_refused_with_the_reason)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "must be numbers" },
		{ "100,", "must be numbers" },
		{ "100;200", "must be numbers" },
		{ "-5", "must be numbers" },
		{ "nan", "must be numbers" },
		{ "1e999", "must be numbers" },
		{ "10,20,10", "10 is there twice" },
		{ "0", "needs a rate above 0" },
		{ "0:0:1", "needs a rate above 0" },
		{ "1000001", "at most 1e+06" },
		{ "10:20", "must be FROM:TO:STEP" },
		{ "10:20:5:5", "must be FROM:TO:STEP" },
		{ "10:20:5ln", "must be FROM:TO:STEP" },
		{ "20:10:5", "from 20 to 10 is no range" },
		{ "10:20:0", "with the step 0 it never gets to 20" },
		{ "10:20:1log", "with the factor 1 it never gets to 20" },
		{ "0:20:2log", "no factor leads away from 0" },
		{ "1:1000:1", "more than 64 rates" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct sweep s = { 0 };
		struct err e = { 0 };

		cr_expect(!sweep_parse_rates(&s, bad[i].text, &e), "%s", bad[i].text);
		cr_expect_eq(e.code, ERR_INPUT);
		cr_expect(strstr(e.text, "--rates ") && strstr(e.text, bad[i].why), "%s", e.text);
	}
}

/* ---- a sweep of two curves ---- */

static char names[2][8] = { "first", "second" };
static const struct scenario scenarios[2] = {
	{ .name = names[0], .vcpus = 2, .free = { .nmi_rate = 5, .nmi_mask = 0x2 } },
	{ .name = names[1], .vcpus = 3 },
};

static void begin(struct sweep *s, const char *rates, uint32_t repeat)
{
	struct err e = { 0 };

	memset(s, 0, sizeof(*s));
	s->curve[0].scenario = &scenarios[0];
	s->curve[1].scenario = &scenarios[1];
	s->ncurves = 2;
	s->repeat = repeat;
	s->seconds = 1;
	cr_assert(sweep_parse_rates(s, rates, &e) && sweep_target(s, NULL, &e) &&
			  sweep_begin(s, &e),
		  "%s", e.text);
}

Test(sweep, targets)
{
	static const char *const bad[] = { "2", "-1", "1x", "", "every" };
	struct err e = { 0 };
	struct sweep s;

	begin(&s, "1", 1);
	cr_expect(s.curve[0].targets == 0x2 && s.curve[1].targets == 0x7);
	cr_expect(sweep_target(&s, "all", &e));
	cr_expect(s.curve[0].targets == 0x3 && s.curve[1].targets == 0x7);
	cr_expect(sweep_target(&s, "1", &e));
	cr_expect(s.curve[0].targets == 0x2 && s.curve[1].targets == 0x2);
	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect(!sweep_target(&s, bad[i], &e) && e.code == ERR_INPUT, "%s", bad[i]);
	cr_expect(!sweep_target(&s, "2", &e));
	cr_expect(strstr(e.text, "--target 2: first has vCPUs 0 to 1"), "%s", e.text);
	sweep_fini(&s);
}

/* ---- the order, stopping, going on ---- */

struct log {
	char text[400];
	uint32_t runs, settled, stop_after; /* stop while this run goes on; 0 never */
	bool fail;
};

static bool run(void *self, uint32_t curve, uint32_t rate, struct sweep_run *r, struct err *e)
{
	struct log *log = self;
	size_t used = strlen(log->text);

	snprintf(log->text + used, sizeof(log->text) - used, "%u@%u ", curve, rate);
	log->runs++;
	*r = (struct sweep_run){ .whole = true, .patches = log->runs };
	return !log->fail || err_set(e, ERR_HOST, "broken");
}

static bool settle(void *keeper, struct err *e)
{
	struct log *log = keeper;

	(void)e;
	log->settled++;
	return true;
}

static bool stopped(void *self)
{
	const struct log *log = self;

	return log->stop_after && log->runs >= log->stop_after;
}

Test(sweep, curves_take_turns_at_every_rate)
{
	struct log log = { .text = "" };
	const struct sweep_runner runner = { &log, &log, run, settle, stopped };
	struct err e = { 0 };
	struct sweep s;

	begin(&s, "1,2", 2);
	cr_assert(sweep_run_all(&s, &runner, &e));
	cr_expect_str_eq(log.text, "0@0 1@0 0@1 1@1 0@2 1@2 0@0 1@0 0@1 1@1 0@2 1@2 ");
	cr_expect(log.settled == 12 && sweep_done(&s) == 12 && sweep_runs(&s) == 12);
	cr_expect_eq(sweep_run_at(&s, 1, 1, 0)->patches, 4);
	cr_expect_eq(sweep_run_at(&s, 0, 0, 1)->patches, 7);
	log.text[0] = '\0';
	cr_assert(sweep_run_all(&s, &runner, &e));
	cr_expect_str_eq(log.text, "", "what is done is not done again");
	sweep_fini(&s);
}

/* The run in flight is lost, and it alone. */
Test(sweep, a_run_that_is_stopped_does_not_count)
{
	struct log log = { .stop_after = 3 };
	const struct sweep_runner runner = { &log, &log, run, settle, stopped };
	struct err e = { 0 };
	struct sweep s;

	begin(&s, "1", 1);
	cr_assert(sweep_run_all(&s, &runner, &e));
	cr_expect_str_eq(log.text, "0@0 1@0 0@1 ");
	cr_expect(log.settled == 2 && sweep_done(&s) == 2);
	cr_expect(!sweep_run_at(&s, 0, 1, 0)->done && !sweep_run_at(&s, 0, 1, 0)->patches);
	log.stop_after = 0;
	log.text[0] = '\0';
	cr_assert(sweep_run_all(&s, &runner, &e));
	cr_expect_str_eq(log.text, "0@1 1@1 ");
	cr_expect_eq(sweep_done(&s), 4);
	sweep_fini(&s);
	log = (struct log){ .stop_after = 1, .fail = true };
	begin(&s, "1", 1);
	cr_expect(sweep_run_all(&s, &runner, &e), "stopped while it boots: %s", e.text);
	cr_expect_eq(sweep_done(&s), 0);
	sweep_fini(&s);
}

Test(sweep, a_failure_says_where)
{
	struct log log = { .fail = true };
	const struct sweep_runner runner = { &log, &log, run, settle, stopped };
	struct err e = { 0 };
	struct sweep s;

	begin(&s, "1", 1);
	cr_expect(!sweep_run_all(&s, &runner, &e));
	cr_expect_str_eq(e.text, "first at 0/s: broken");
	cr_expect_eq(sweep_done(&s), 0);
	sweep_fini(&s);
}

/* ---- figures ---- */

static struct sweep_run *set(struct sweep *s, uint32_t rate, uint32_t repeat, uint64_t patches)
{
	struct sweep_run *r = sweep_run_at(s, 1, rate, repeat);

	*r = (struct sweep_run){
		.done = true,
		.whole = true,
		.seconds = 2,
		.patches = patches,
		.executions = 600,
		.nmis_delivered = 60,
		.retries_mean = NAN,
	};
	return r;
}

Test(sweep, figures_are_by_second_target_and_patch)
{
	struct sweep s;

	begin(&s, "10", 1);
	set(&s, 0, 0, 400);
	set(&s, 1, 0, 100);
	cr_expect_eq(sweep_value(&s, 1, 1, 0, SWEEP_DELIVERED), 10, "60 in 2 s on 3 vCPUs");
	cr_expect_eq(sweep_value(&s, 1, 1, 0, SWEEP_PATCHES), 50);
	cr_expect_eq(sweep_value(&s, 1, 1, 0, SWEEP_PROGRESS), 0.25);
	cr_expect_eq(sweep_value(&s, 1, 1, 0, SWEEP_EXECUTIONS), 6);
	cr_expect(isnan(sweep_value(&s, 1, 1, 0, SWEEP_RETRIES_MEAN)));
	cr_expect(isnan(sweep_value(&s, 0, 1, 0, SWEEP_PATCHES)), "not done");
	set(&s, 1, 0, 0);
	cr_expect_eq(sweep_value(&s, 1, 1, 0, SWEEP_PROGRESS), 0);
	cr_expect(isnan(sweep_value(&s, 1, 1, 0, SWEEP_EXECUTIONS)), "of no patch");
	set(&s, 0, 0, 0);
	cr_expect(isnan(sweep_value(&s, 1, 1, 0, SWEEP_PROGRESS)), "against nothing");
	set(&s, 1, 0, 5)->whole = false;
	cr_expect(isnan(sweep_value(&s, 1, 1, 0, SWEEP_PATCHES)), "it ended early");
	sweep_fini(&s);
}

/* Progress is against the same repeat's rate 0: a host that slows down hits both. */
Test(sweep, intervals_over_the_repeats)
{
	static const uint64_t zero[] = { 1000, 500, 100, 800 }, at[] = { 500, 300, 40, 800 };
	struct sweep_interval i;
	struct sweep s;

	begin(&s, "10", 5);
	for (uint32_t k = 0; k < 4; k++) {
		set(&s, 0, k, zero[k]);
		set(&s, 1, k, at[k]);
	}
	i = sweep_interval(&s, 1, 1, SWEEP_PROGRESS);
	cr_expect_eq(i.n, 4, "the fifth is not done");
	cr_expect_float_eq(i.median, 0.55, 1e-9);
	cr_expect_float_eq(i.low, 0.4, 1e-9);
	cr_expect_float_eq(i.high, 1, 1e-9);
	i = sweep_interval(&s, 0, 1, SWEEP_PROGRESS);
	cr_expect(!i.n && isnan(i.median) && isnan(i.low) && isnan(i.high));
	sweep_fini(&s);
}

/* ---- the knee ---- */

/* Progress 1 / (1 + rate / knee) is half at the knee. */
static struct sweep_knee knee_of_hyperbola(double knee, double from, double factor, uint32_t n)
{
	double rate[SWEEP_RATES_MAX] = { 0 }, progress[SWEEP_RATES_MAX] = { 1 };

	for (uint32_t i = 1; i < n; i++, from *= factor) {
		rate[i] = from;
		progress[i] = 1 / (1 + from / knee);
	}
	return sweep_knee_of(rate, progress, n);
}

Test(sweep, knee_of_a_known_curve)
{
	for (double knee = 30; knee < 30000; knee *= 1.7) {
		struct sweep_knee k = knee_of_hyperbola(knee, 10, 2, 16);

		cr_expect_eq(k.kind, KNEE_AT, "%g", knee);
		cr_expect(k.from <= knee && knee <= k.to, "%g: %g to %g", knee, k.from, k.to);
		cr_expect_float_eq(k.rate, knee, 0.02 * knee, "%g: %g", knee, k.rate);
	}
}

Test(sweep, knee_out_of_reach)
{
	struct sweep_knee k = knee_of_hyperbola(1e6, 10, 2, 10);

	cr_expect(k.kind == KNEE_NONE && k.from == 10 * 256);
	k = knee_of_hyperbola(3, 10, 2, 10);
	cr_expect(k.kind == KNEE_BELOW && k.to == 10);
	k = knee_of_hyperbola(3, 10, 2, 1);
	cr_expect_eq(k.kind, KNEE_UNKNOWN, "of rate 0 alone");
	cr_expect_eq(sweep_knee_of(NULL, NULL, 0).kind, KNEE_UNKNOWN);
}

/* Half exactly is not below half. What dips and comes back is no knee. Order does not matter. */
Test(sweep, knee_of_awkward_points)
{
	static const double rate[] = { 1000, 0, 10, 100, 10000, NAN, 500 };
	static const double half[] = { 0.5, 1, 1, 1, 0.5, 0.1, 0.6 };
	static const double dip[] = { 0.9, 1, 1, 0.3, 0.1, 0.1, NAN };
	static const double fall[] = { 0, 1, 1, 1, 0, 0.1, NAN };
	struct sweep_knee k = sweep_knee_of(rate, half, 7);

	cr_expect(k.kind == KNEE_NONE && k.from == 10000);
	k = sweep_knee_of(rate, dip, 7);
	cr_expect(k.kind == KNEE_AT && k.from == 1000 && k.to == 10000);
	cr_expect_float_eq(k.rate, 1000 * sqrt(10), 1e-6 * k.rate);
	k = sweep_knee_of(rate, fall, 7);
	cr_expect(k.kind == KNEE_AT && k.from == 100 && k.to == 1000);
	cr_expect_float_eq(k.rate, 100 * sqrt(10), 1e-6 * k.rate);
}

/* A requested rate that the host cannot deliver does not count: the delivered one does. */
Test(sweep, knee_is_of_the_delivered_rate)
{
	static const uint64_t delivered[] = { 0, 600, 6000, 6600 }, patches[] = { 100, 90, 60, 20 };
	struct sweep_knee k;
	struct sweep s;

	begin(&s, "100,1000,1000000", 1);
	for (uint32_t i = 0; i < 4; i++)
		set(&s, i, 0, patches[i])->nmis_delivered = delivered[i];
	k = sweep_knee(&s, 1);
	cr_expect_eq(k.kind, KNEE_AT);
	cr_expect(k.from == 1000 && k.to == 1100, "%g to %g", k.from, k.to);
	cr_expect(k.rate > 1000 && k.rate < 1100);
	cr_expect_float_eq(sweep_knee_once(&s, 1, 0).rate, k.rate, 1e-9);
	cr_expect_eq(sweep_knee(&s, 0).kind, KNEE_UNKNOWN);
	sweep_fini(&s);
}

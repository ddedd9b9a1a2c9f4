// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_sweep.c - `crossmod sweep`: which runs are wanted, by the options; every
 * run kept as soon as it is there. sweep.c knows the runs, report_sweep.c the files.
 */
#include "command/cmd.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "vm/guard.h"
#include "base/plot.h"
#include "sweep/report_sweep.h"
#include "sweep/sweep_lab.h"

#define REPEAT_DEFAULT	 5u
#define SECONDS_DEFAULT	 2.0
/* A run's own seconds, and what comes before and after: a VM, threads, a file. */
#define OVERHEAD_SECONDS 0.05

#define PLOT_WIDTH  900u
#define PLOT_HEIGHT 1150u

struct study {
	struct sweep sweep;
	struct image image;
	struct host host;
	struct paths paths;
	struct scenario scenario[SWEEP_CURVES_MAX];
	struct sweep_report report;
	const char *dir;
	bool bar; /* show progress */
	double start;
	uint32_t found; /* runs that were there when it started */
};

/* ---- what is wanted ---- */

static bool parse_seconds(const char *text, double *seconds, struct err *e)
{
	char *end = (char *)(uintptr_t)text;

	*seconds = strtod(text, &end);
	if (end != text && !*end && *seconds >= SWEEP_SECONDS_MIN && *seconds <= SWEEP_SECONDS_MAX)
		return true;
	return err_set(e, ERR_INPUT,
		       "--seconds %s: must be from %g, twice a patch's deadline, to %g", text,
		       SWEEP_SECONDS_MIN, SWEEP_SECONDS_MAX);
}

static bool parse_options(struct sweep *s, const struct options *o, struct err *e)
{
	uint64_t repeat = REPEAT_DEFAULT;

	if (!o->rates)
		return err_set(e, ERR_INPUT,
			       "sweep needs --rates: numbers of NMIs a second with commas, "
			       "FROM:TO:STEP or FROM:TO:FACTORlog");
	if (!sweep_parse_rates(s, o->rates, e))
		return false;
	if (o->repeat && (!cmd_parse_number(o->repeat, SWEEP_REPEAT_MAX, &repeat) || !repeat))
		return err_set(e, ERR_INPUT, "--repeat %s: must be from 1 to %u", o->repeat,
			       SWEEP_REPEAT_MAX);
	s->repeat = (uint32_t)repeat;
	s->seconds = SECONDS_DEFAULT;
	if (o->seconds && !parse_seconds(o->seconds, &s->seconds, e))
		return false;
	if (o->distribution && !distribution_parse(o->distribution, &s->distribution))
		return err_set(e, ERR_INPUT,
			       "--distribution %s: must be periodic, poisson or burst",
			       o->distribution);
	return true;
}

static bool load_scenarios(struct study *st, const struct options *o, struct err *e)
{
	if (!cmd_scenario_paths(&st->paths, o->file, o->files, e))
		return false;
	if (st->paths.count > SWEEP_CURVES_MAX)
		return err_set(e, ERR_INPUT, "%zu scenarios: one sweep takes at most %u",
			       st->paths.count, SWEEP_CURVES_MAX);
	for (size_t i = 0; i < st->paths.count; i++) {
		struct scenario *s = &st->scenario[i];

		if (!scenario_load(s, st->paths.path[i], &st->image, e))
			return false;
		st->sweep.curve[st->sweep.ncurves++].scenario = s;
		if (s->method != METHOD_FREE)
			return err_set(
				e, ERR_INPUT,
				"%s: $.method: \"%s\": a sweep takes scenarios of the method "
				"\"free\"",
				st->paths.path[i], method_name(s->method));
	}
	return sweep_target(&st->sweep, o->target, e);
}

static bool prepare(struct study *st, const struct options *o, struct err *e)
{
	host_read(&st->host);
	st->dir = o->out ? o->out : "results/sweep";
	st->bar = !o->json && isatty(STDERR_FILENO);
	st->report = (struct sweep_report){ .sweep = &st->sweep,
					    .image = &st->image,
					    .host = &st->host };
	if (!parse_options(&st->sweep, o, e) || !cmd_load_image(&st->image, o, e) ||
	    !load_scenarios(st, o, e) || !sweep_begin(&st->sweep, e) ||
	    !host_is_silicon(&st->host, e))
		return false;
	if (o->resume && !report_sweep_resume(&st->report, st->dir, e))
		return false;
	st->found = sweep_done(&st->sweep);
	st->start = clock_now();
	return true;
}

/* ---- progress ---- */

/* What is left, by how long the runs have taken that were made since the start. */
static double seconds_left(const struct study *st, double fraction)
{
	double total = sweep_runs(&st->sweep), done = sweep_done(&st->sweep);
	double here = done - st->found + fraction;
	double each = st->sweep.seconds + OVERHEAD_SECONDS;

	if (here >= 1)
		each = (clock_now() - st->start) / here;
	return (total - done - fraction) * each;
}

static void show_progress(void *arg, uint32_t curve, uint32_t rate, double fraction)
{
	const struct study *st = arg;
	uint32_t total = sweep_runs(&st->sweep), done = sweep_done(&st->sweep);
	int width = 24, filled = (int)((done + fmin(fraction, 1)) / total * width), left;
	char bar[32];

	if (!st->bar)
		return;
	memset(bar, '#', (size_t)filled);
	memset(bar + filled, '.', (size_t)(width - filled));
	bar[width] = '\0';
	left = (int)ceil(seconds_left(st, fmin(fraction, 1)));
	fprintf(stderr, "\r\033[K[%s] %u/%u %s at %g/s, %d:%02d left", bar, done, total,
		st->scenario[curve].protocol_name, st->sweep.rate[rate], left / 60, left % 60);
}

/* ---- what comes of it ---- */

static bool keep(void *arg, struct err *e)
{
	const struct study *st = arg;

	return report_sweep_keep(&st->report, st->dir, e);
}

/* A picture that cannot be drawn costs nothing else. */
static bool draw(const struct study *st)
{
	static const char *const names[] = { "sweep.svg", "sweep.png" };
	char *script = report_sweep_plot(&st->report), path[PATH_MAX];
	bool drawn = script != NULL;
	struct err e = { 0 };

	for (size_t i = 0; drawn && i < sizeof(names) / sizeof(names[0]); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", st->dir, names[i]) >= (int)sizeof(path))
			drawn = err_set(&e, ERR_HOST, "the path is too long");
		else
			drawn = plot_draw(path, PLOT_WIDTH, PLOT_HEIGHT, script, &e);
	}
	free(script);
	if (*e.text)
		fprintf(stderr, "crossmod: no plot: %s\n", e.text);
	return drawn;
}

static bool publish(const struct study *st, const struct options *o, struct err *e)
{
	bool drawn;

	if (!sweep_done(&st->sweep))
		return true;
	if (!keep((void *)(uintptr_t)st, e) || !report_sweep_csv(&st->report, st->dir, e))
		return false;
	drawn = draw(st);
	if (o->json)
		return !cmd_print(report_sweep_json(&st->report), 0) ||
		       err_set(e, ERR_HOST, "cannot write to standard output");
	report_sweep_table(stdout, &st->report);
	printf("%s: sweep.json, sweep.csv%s; %u of %u runs\n", st->dir,
	       drawn ? ", sweep.svg, sweep.png" : "", sweep_done(&st->sweep),
	       sweep_runs(&st->sweep));
	return true;
}

/* What was measured is published however it ended. */
static bool run(struct study *st, const struct options *o, struct err *e)
{
	struct sweep_lab lab = {
		.sweep = &st->sweep,
		.image = &st->image,
		.host = &st->host,
		.progress = show_progress,
		.arg = st,
	};
	const struct sweep_runner runner = { &lab, st, sweep_lab_run, keep, sweep_lab_stopped };
	struct err unwritten = { 0 };
	bool ok;

	if (!sweep_lab_probe(&lab, e))
		return guard_interrupted(); /* then it is that, and no failure */
	st->report.irqchip = lab.irqchip;
	ok = sweep_run_all(&st->sweep, &runner, e);
	if (st->bar)
		fprintf(stderr, "\r\033[K");
	return publish(st, o, ok ? e : &unwritten) && ok;
}

static int status_of(const struct sweep *s)
{
	for (uint32_t i = 0; i < sweep_runs(s); i++)
		if (s->run[i].done && !s->run[i].as_expected)
			return EXIT_NOT_EXPECTED;
	return EXIT_AS_EXPECTED;
}

int cmd_sweep(const struct options *o)
{
	struct study *st = calloc(1, sizeof(*st));
	struct err e = { 0 };
	int status;

	if (!st) {
		err_set(&e, ERR_HOST, "out of memory");
		return cmd_fail(&e);
	}
	if (!prepare(st, o, &e) || !run(st, o, &e))
		status = cmd_fail(&e);
	else if (guard_interrupted())
		status = EXIT_STOPPED;
	else
		status = status_of(&st->sweep);
	if (status == EXIT_STOPPED && sweep_done(&st->sweep))
		fprintf(stderr, "crossmod: %s/sweep.json: --resume goes on from here\n", st->dir);
	for (uint32_t i = 0; i < SWEEP_CURVES_MAX; i++)
		scenario_fini(&st->scenario[i]);
	sweep_fini(&st->sweep);
	cmd_free_paths(&st->paths);
	image_fini(&st->image);
	free(st);
	return status;
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_run.c - `crossmod run`: every scenario read and checked before the
 * first one runs; each result written as soon as it is there.
 */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "explore/explore.h"
#include "vm/guard.h"
#include "machine/machine.h"
#include "report/report.h"
#include "run/run_free.h"
#include "report/trace.h"

#define QUIET_SECONDS 1.0 /* a run shorter than this needs no progress line */

struct progress {
	const struct scenario *s;
	double start;
	size_t number, count;
	bool on;
	bool shown;
};

static void show_progress(void *arg, double fraction)
{
	struct progress *p = arg;
	double seconds = clock_now() - p->start;

	if (!p->on || seconds < QUIET_SECONDS)
		return;
	fprintf(stderr, "\r\033[K[%zu/%zu] %s %3.0f %% %.0f s", p->number, p->count, p->s->name,
		100 * (fraction < 1 ? fraction : 1), seconds);
	p->shown = true;
}

static bool run_one_stepped(const struct options *o, struct result *r, struct host *host,
			    struct err *e)
{
	struct trace t = { .out = stdout, .colour = isatty(STDOUT_FILENO), .all = o->all };
	struct machine *m = machine_new(r->image, r->scenario, e);
	bool ok;

	if (!m)
		return false;
	host->quirks = *vm_quirks(m->vm);
	if (o->trace)
		trace_begin(&t, m);
	ok = run_stepped(m, &r->observation, &r->schedule, o->trace ? cmd_trace : NULL, &t, e);
	if (ok && o->trace)
		trace_end(&t, m, &r->observation);
	trace_fini(&t);
	machine_free(m);
	return ok;
}

static bool run_one_explore(struct result *r, struct host *host, struct err *e)
{
	const struct explore_request q = {
		.image = r->image,
		.scenario = r->scenario,
		.jobs = cmd_jobs(host),
		.progress = cmd_explore_progress,
		.arg = r->scenario->name,
	};

	return explore_run(&q, &r->observation, &r->schedule, &host->quirks, e);
}

/* Run it; what this host cannot do becomes the verdict `unsupported`. */
static bool run_one(const struct options *o, struct result *r, struct host *host,
		    struct progress *p, struct err *e)
{
	bool ok;

	p->start = clock_now();
	p->s = r->scenario;
	if (r->scenario->method != METHOD_STEPPED)
		host_read_once(host);
	switch (r->scenario->method) {
	case METHOD_STEPPED:
		ok = run_one_stepped(o, r, host, e);
		break;
	case METHOD_EXPLORE:
		ok = run_one_explore(r, host, e);
		break;
	default:
		ok = host_is_silicon(host, e) && run_free(r->image, r->scenario, &r->observation,
							  &host->quirks, show_progress, p, e);
	}
	if (p->shown)
		fprintf(stderr, "\r\033[K");
	p->shown = false;
	host_read_once(host);
	if (ok)
		host->quirks_known = true;
	if (!ok && e->code == ERR_UNSUPPORTED) {
		r->observation.end = END_UNSUPPORTED;
		snprintf(r->observation.unsupported, sizeof(r->observation.unsupported), "%.199s",
			 e->text);
		ok = true;
	}
	if (ok)
		cmd_judge(r);
	return ok;
}

static bool publish(const struct options *o, struct result *r, struct err *e)
{
	if (!report_write(r, o->out ? o->out : "results", e))
		return false;
	if (!o->json)
		return true;
	return !cmd_print(report_line(r), 0) || err_set(e, ERR_HOST, "cannot print the result");
}

static int status_of(const struct result *results, size_t n)
{
	size_t unsupported = 0;
	int status = EXIT_AS_EXPECTED;

	for (size_t i = 0; i < n; i++) {
		if (results[i].verdict == VERDICT_UNSUPPORTED && !results[i].as_expected)
			unsupported++;
		else if (!results[i].as_expected)
			status = EXIT_NOT_EXPECTED;
	}
	return n && unsupported == n ? EXIT_NOTHING_RAN : status;
}

/* Run them in order. A failure of one does not keep the others from running. */
static int run_all(const struct options *o, const struct scenario *s, struct result *results,
		   size_t count, struct host *host)
{
	struct progress p = { .count = count, .on = !o->json && isatty(STDERR_FILENO) };
	struct report_missing missing = { 0 };
	size_t done = 0;
	int failed = 0, status;

	for (size_t i = 0; i < count && !guard_interrupted(); i++) {
		struct result *r = &results[done];
		struct err e = { 0 };

		r->scenario = &s[i];
		r->image = s[i].image;
		r->host = host;
		p.number = i + 1;
		if (run_one(o, r, host, &p, &e) && publish(o, r, &e)) {
			done++;
			continue;
		}
		missing.failed++;
		status = cmd_fail(&e);
		failed = status > failed ? status : failed;
		schedule_fini(&r->schedule);
		memset(r, 0, sizeof(*r));
	}
	missing.not_run = count - done - missing.failed;
	if (o->markdown)
		report_markdown(stdout, results, done);
	else if (!o->json)
		report_table(stdout, results, done, missing, isatty(STDOUT_FILENO));
	status = status_of(results, done);
	for (size_t i = 0; i < done; i++)
		schedule_fini(&results[i].schedule);
	if (guard_interrupted())
		return EXIT_STOPPED;
	return failed ? failed : status;
}

int cmd_run(const struct options *o)
{
	struct images images = { 0 };
	struct paths p = { 0 };
	struct scenario *s = NULL;
	struct result *results = NULL;
	struct host host = { 0 };
	struct err e = { 0 };
	size_t n = 0;
	int status = 0;

	if (!cmd_load_images(&images, o, &e) || !cmd_scenario_paths(&p, o->file, o->files, &e)) {
		status = cmd_fail(&e);
		goto out;
	}
	s = calloc(p.count, sizeof(*s));
	results = calloc(p.count, sizeof(*results));
	if (!s || !results) {
		err_set(&e, ERR_HOST, "out of memory");
		status = cmd_fail(&e);
		goto out;
	}
	n = cmd_load_scenarios(s, &p, &images, &status);
	if (!status)
		status = run_all(o, s, results, n, &host);
out:
	for (size_t i = 0; i < n; i++)
		scenario_fini(&s[i]);
	free(s);
	free(results);
	cmd_free_paths(&p);
	cmd_free_images(&images);
	return status;
}

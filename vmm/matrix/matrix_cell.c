// SPDX-License-Identifier: BSD-2-Clause
/*
 * matrix_cell.c - a cell as a scenario, searched; the result written. Owns what
 * the cells have in common; knows neither their order nor the table.
 */
#include "matrix/matrix_cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "explore/explore.h"
#include "image/isa.h"
#include "vm/guard.h"
#include "report/report.h"

double matrix_lab_now(void *lab)
{
	(void)lab;
	return clock_now();
}

bool matrix_lab_stopped(void *lab)
{
	(void)lab;
	return guard_interrupted();
}

/*
 * "int3_fixup_a0-2cpu-nmi1-stale": the number says which vCPUs may be hit, as a
 * mask. Of Arm, where there is more than one, the site is in front of the model.
 */
static void name_cell(const struct matrix_cell *c, char *name, size_t size)
{
	bool arm = isa_is_arm(c->site->isa);
	uint32_t mask = 0;

	for (uint32_t i = 0; i < c->vcpus; i++)
		mask |= matrix_nmis_of(c->nmis, i) << i;
	snprintf(name, size, "matrix-%s-%ucpu-nmi%x-%s%s%s", c->protocol, c->vcpus, mask,
		 arm ? c->site->name : "", arm ? "-" : "", fetch_model_name(c->fetch.model));
}

/* The kernel, and so an NMI's body, cannot execute a T32 site: guest/executor.c. */
static char *describe(const struct matrix_cell *c)
{
	char nmi[CM_MAX_VCPUS * 12] = "", *text = NULL;
	size_t used = 0;

	for (uint32_t i = 0; i < c->vcpus; i++)
		if (matrix_nmis_of(c->nmis, i))
			used += (size_t)snprintf(nmi + used, sizeof(nmi) - used, "%s\"%u\":%u",
						 used ? "," : "", i, matrix_nmis_of(c->nmis, i));
	if (asprintf(&text,
		     "{\"why\":\"One cell of the matrix.\",\"protocol\":\"%s\","
		     "\"sites\":[{\"site\":\"%s\",\"at\":\"%s\"}],"
		     "\"vcpus\":%u,\"method\":\"explore\",\"nmi_runs_site\":%s,"
		     "\"fetch\":{\"model\":\"%s\"},\"explore\":{\"nmi\":{%s}},"
		     "\"expect\":[\"safe\"]}",
		     c->protocol, c->site->name, c->site->at, c->vcpus,
		     c->site->isa == CM_ISA_T32 ? "false" : "true",
		     fetch_model_name(c->fetch.model), nmi) < 0)
		return NULL;
	return text;
}

static void note(struct matrix_cell *c, double seconds, const struct result *r)
{
	const struct observation *o = &r->observation;
	const char *file = strrchr(r->path, '/');

	c->allowed = seconds;
	c->verdict = r->verdict;
	c->states = o->states;
	c->transitions = o->transitions;
	c->memory = o->memory;
	c->seconds = o->seconds;
	c->witness = r->schedule.count && o->digest[0];
	snprintf(c->file, sizeof(c->file), "%.190s", file ? file + 1 : r->path);
	c->bound = o->bound;
	if (c->bound && !strcmp(c->bound, "seconds"))
		snprintf(c->reason, sizeof(c->reason), "%.400s (its share of the time: %.1f s)",
			 r->reason, seconds);
	else
		snprintf(c->reason, sizeof(c->reason), "%s", r->reason);
	c->done = true;
}

static bool search(struct matrix_lab *lab, struct matrix_cell *c, double seconds,
		   struct scenario *s, struct result *r, struct err *e)
{
	const struct matrix *m = lab->matrix;
	const struct explore_request q = {
		.image = m->image,
		.scenario = s,
		.jobs = m->jobs,
		.progress = lab->progress,
		.arg = s->name,
	};

	*r = (struct result){ .scenario = s, .image = m->image, .host = lab->host };
	s->fetch.chunk = c->fetch.chunk;
	s->explore.max_seconds = seconds;
	s->explore.max_memory_mb = m->max_memory_mb;
	if (!explore_run(&q, &r->observation, &r->schedule, &lab->host->quirks, e))
		return false;
	lab->host->quirks_known = true;
	if (r->observation.end == END_INTERRUPTED)
		return true;
	r->verdict = verdict_of(&r->observation, r->reason, sizeof(r->reason));
	r->as_expected = s->expect & 1u << r->verdict;
	if (!report_write(r, lab->dir, e))
		return false;
	note(c, seconds, r);
	free(c->line);
	c->line = lab->lines ? report_line(r) : NULL;
	return true;
}

bool matrix_lab_run(void *self, struct matrix_cell *c, double seconds, struct err *e)
{
	struct result *r = calloc(1, sizeof(*r));
	struct matrix_lab *lab = self;
	struct scenario s = { 0 };
	char *text = describe(c), name[192];
	bool ok = text && r;

	name_cell(c, name, sizeof(name));
	if (!ok)
		err_set(e, ERR_HOST, "out of memory");
	ok = ok && scenario_parse(&s, name, text, strlen(text), lab->matrix->image, e) &&
	     search(lab, c, seconds, &s, r, e);
	if (r)
		schedule_fini(&r->schedule);
	scenario_fini(&s);
	free(r);
	free(text);
	return ok;
}

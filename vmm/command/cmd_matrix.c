// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_matrix.c - `crossmod matrix`: which cells are wanted and how much they
 * may cost, by the options. matrix.c knows the cells, report_matrix.c the table.
 */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore/explore.h"
#include "vm/guard.h"
#include "image/isa.h"
#include "matrix/matrix_cell.h"
#include "report/report.h"
#include "matrix/report_matrix.h"

/* Below 20 and 3 minutes: the cells at the end of the time take a little longer than it. */
#define SECONDS_ALL   1140
#define SECONDS_QUICK 170
#define MEMORY_MB     4096

#define ALL_NMIS ((1u << MATRIX_NMIS) - 1)

/* "2,3" as a mask. */
static bool parse_vcpus(const char *text, uint32_t *mask, struct err *e)
{
	const char *at = text;
	uint64_t n;

	for (*mask = 0;; at++) {
		size_t length = strcspn(at, ",");
		char number[8];

		snprintf(number, sizeof(number), "%.*s", (int)length, at);
		if (!cmd_parse_number(number, CM_MAX_VCPUS, &n) || n < 2)
			return err_set(e, ERR_INPUT,
				       "--vcpus %s: must be numbers from 2 to %u with commas", text,
				       CM_MAX_VCPUS);
		*mask |= 1u << n;
		at += length;
		if (!*at)
			return true;
	}
}

/* --nmi none, E, P, each: the rows wanted, as a mask. */
static bool parse_nmis(const struct options *o, uint32_t *mask, struct err *e)
{
	static const char *const words[MATRIX_NMIS] = {
		[MATRIX_NMI_NONE] = "none",
		[MATRIX_NMI_E] = "E",
		[MATRIX_NMI_P] = "P",
		[MATRIX_NMI_EACH] = "each",
	};

	*mask = 0;
	for (int i = 0; i < o->nnmi; i++) {
		uint32_t row = 0;

		while (row < MATRIX_NMIS && strcmp(words[row], o->nmi[i]))
			row++;
		if (row == MATRIX_NMIS)
			return err_set(e, ERR_INPUT,
				       "--nmi %s: for matrix it must be none, E, P or each",
				       o->nmi[i]);
		*mask |= 1u << row;
	}
	return true;
}

/* Of every model that processors of (isa) are described by: of Arm's architecture there is one. */
static uint32_t all_models(enum cm_isa isa)
{
	uint32_t models = 0;

	if (isa_is_arm(isa))
		return 1u << FETCH_ARM;

	for (uint32_t i = 0; i < FETCH_MODELS; i++)
		if (fetch_model_fits((enum fetch_model)i, isa))
			models |= 1u << i;
	return models;
}

static bool choose(const struct options *o, enum cm_isa isa, struct matrix_choice *c, struct err *e)
{
	struct fetch_config fetch = { 0 };

	*c = (struct matrix_choice){
		.vcpus = o->quick ? 1u << 2 : 1u << 2 | 1u << 3,
		.nmis = o->quick ? 1u << MATRIX_NMI_NONE : ALL_NMIS,
		.models = all_models(isa),
	};
	if ((o->vcpus && !parse_vcpus(o->vcpus, &c->vcpus, e)) ||
	    (o->nnmi && !parse_nmis(o, &c->nmis, e)))
		return false;
	if (o->fetch) {
		if (!cmd_parse_fetch(&fetch, o->fetch, e))
			return false;
		if (!fetch_model_fits(fetch.model, isa))
			return err_set(
				e, ERR_INPUT,
				"--fetch %s: of Arm processors, and the guest is not for one",
				o->fetch);
		c->models = 1u << fetch.model;
	}
	c->chunk = fetch.chunk;
	return true;
}

/* --protocol and the arguments are one list. Freed by the caller; NULL: out of memory. */
static const char **patterns(const struct options *o, size_t *count)
{
	size_t n = (size_t)o->nprotocol + (size_t)o->files;
	const char **list = calloc(n + 1, sizeof(*list));

	*count = n;
	if (list && o->nprotocol)
		memcpy(list, o->protocol, (size_t)o->nprotocol * sizeof(*list));
	for (int i = 0; list && i < o->files; i++)
		list[o->nprotocol + i] = o->file[i];
	return list;
}

static bool bound(const struct options *o, struct matrix *m, const struct host *host, struct err *e)
{
	uint64_t seconds = o->quick ? SECONDS_QUICK : SECONDS_ALL, jobs = cmd_jobs(host);

	m->max_memory_mb = MEMORY_MB;
	if (o->max_seconds && (!cmd_parse_number(o->max_seconds, 1u << 30, &seconds) || !seconds))
		return err_set(e, ERR_INPUT,
			       "--max-seconds %s: must be a whole number of seconds, at least 1",
			       o->max_seconds);
	if (o->max_memory &&
	    (!cmd_parse_number(o->max_memory, 1u << 30, &m->max_memory_mb) || !m->max_memory_mb))
		return err_set(e, ERR_INPUT,
			       "--max-memory-mb %s: must be a number of MiB, at least 1",
			       o->max_memory);
	if (o->jobs && (!cmd_parse_number(o->jobs, EXPLORE_JOBS_MAX, &jobs) || !jobs))
		return err_set(e, ERR_INPUT, "--jobs %s: must be from 1 to %u", o->jobs,
			       EXPLORE_JOBS_MAX);
	m->max_seconds = (double)seconds;
	m->jobs = (uint32_t)jobs;
	return true;
}

static bool prepare(const struct options *o, struct matrix *m, const struct image *img,
		    struct host *host, struct err *e)
{
	struct matrix_choice choice;
	const char **list;
	bool ok;

	host_read(host);
	m->host = host;
	if (!choose(o, (enum cm_isa)img->abi.isa, &choice, e) || !bound(o, m, host, e))
		return false;
	list = patterns(o, &choice.nprotocols);
	choice.protocol = list;
	ok = list ? matrix_plan(m, img, &choice, e) : err_set(e, ERR_HOST, "out of memory");
	free(list);
	return ok;
}

static bool print_line(void *lab, const struct matrix_cell *c, struct err *e)
{
	(void)lab;
	if (!c->line || (puts(c->line) >= 0 && !fflush(stdout)))
		return true;
	return err_set(e, ERR_HOST, "cannot write to standard output");
}

/* What was measured is written however it ended. */
static bool run(const struct options *o, struct matrix *m, struct host *host, struct err *e)
{
	struct matrix_lab lab = {
		.matrix = m,
		.host = host,
		.dir = o->out ? o->out : "results/matrix",
		.progress = cmd_explore_progress,
		.lines = o->json,
	};
	const struct matrix_runner runner = { &lab, matrix_lab_run, print_line, matrix_lab_now,
					      matrix_lab_stopped };
	struct err unwritten = { 0 };
	bool ok = matrix_run(m, &runner, e);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (!report_matrix_write(m, lab.dir, ok ? e : &unwritten))
		ok = false;
	if (!o->json)
		report_matrix_markdown(stdout, m);
	return ok;
}

int cmd_matrix(const struct options *o)
{
	struct matrix m = { 0 };
	struct image img = { 0 };
	struct host host = { 0 };
	struct err e = { 0 };
	bool ok = cmd_load_image(&img, o, &e) && prepare(o, &m, &img, &host, &e) &&
		  run(o, &m, &host, &e);

	matrix_fini(&m);
	image_fini(&img);
	if (!ok)
		return cmd_fail(&e);
	return guard_interrupted() ? EXIT_STOPPED : EXIT_AS_EXPECTED;
}

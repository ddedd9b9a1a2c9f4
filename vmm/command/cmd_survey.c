// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_survey.c - `crossmod survey`: what is measured and for how long, by the
 * options. survey.c knows the cells, report_survey.c the files.
 */
#include "command/cmd.h"

#include <stdio.h>
#include <unistd.h>

#include "vm/guard.h"
#include "survey/report_survey.h"
#include "survey/survey_lab.h"

#define SECONDS	    60
#define SECONDS_MAX (1u << 20)

static int compare(const struct options *o)
{
	struct err e = { 0 };

	if (o->files != 2)
		err_set(&e, ERR_INPUT, "--compare needs two survey.json, and got %d", o->files);
	else if (report_survey_compare(stdout, o->file[0], o->file[1], &e))
		return EXIT_AS_EXPECTED;
	return cmd_fail(&e);
}

static bool choose(const struct options *o, struct survey_choice *c, uint64_t *seconds,
		   struct err *e)
{
	if (o->files)
		return err_set(e, ERR_INPUT, "'%s': survey takes files with --compare only",
			       o->file[0]);
	survey_choose_all(c);
	if (o->seconds && (!cmd_parse_number(o->seconds, SECONDS_MAX, seconds) || !*seconds))
		return err_set(e, ERR_INPUT, "--seconds %s: must be a number of seconds, 1 to %u",
			       o->seconds, SECONDS_MAX);
	return (!o->offsets || survey_parse_offsets(c, o->offsets, e)) &&
	       (!o->widths || survey_parse_widths(c, o->widths, e)) &&
	       (!o->kinds || survey_parse_kinds(c, o->kinds, e)) &&
	       (!o->pauses || survey_parse_pauses(c, o->pauses, e)) &&
	       (!o->cpl || survey_parse_cpls(c, o->cpl, e));
}

struct progress {
	struct survey *survey;
	struct survey_lab *lab;
	double start, shown;
	bool terminal;
};

static double now(void *arg)
{
	const struct progress *p = arg;

	return survey_lab_now(p->lab);
}

/* Asked after every cell: the place to say how far it is. */
static bool stopped(void *arg)
{
	struct progress *p = arg;
	double at = now(arg);

	if (p->terminal && at - p->shown > 0.2) {
		fprintf(stderr, "\r\033[Ksurvey: round %u of %u, %.0f s",
			p->survey->rounds_done + 1, p->survey->rounds, at - p->start);
		p->shown = at;
	}
	return survey_lab_stopped(p->lab);
}

static bool slice(void *arg, struct survey_cell *cell, enum survey_side side, double seconds,
		  struct err *e)
{
	const struct progress *p = arg;

	return survey_lab_slice(p->lab, cell, side, seconds, e);
}

/* What was measured is written however it ended. */
static bool run(const struct options *o, struct survey *s, struct survey_lab *lab, struct err *e)
{
	const char *dir = o->out ? o->out : "results/survey";
	struct progress p = { s, lab, survey_lab_now(lab), 0, isatty(STDERR_FILENO) };
	const struct survey_runner r = { &p, slice, now, stopped };
	struct err unwritten = { 0 };
	bool ok = survey_run(s, &r, e);

	if (p.terminal)
		fprintf(stderr, "\r\033[K");
	if (!s->slices)
		return ok;
	if (!report_survey_write(s, dir, ok ? e : &unwritten))
		return false;
	report_survey_text(stdout, s);
	printf("\nwritten: %s/survey.json, .csv, .txt and .svg\n", dir);
	return ok;
}

/* The executor runs at CPL0 too, unless told otherwise, where that asks the processor. */
static bool plan(const struct options *o, struct survey *s, struct survey_lab *lab,
		 const struct image *img, struct host *host, struct survey_choice *choice,
		 uint64_t seconds, struct err *e)
{
	host_read(host);
	if (!host_is_silicon(host, e))
		return false;
	host->quirks_known = true;
	host->quirks = *survey_lab_quirks(lab);
	if (!o->cpl)
		choice->cpl0 = !host->quirks.cpl0_emulated;
	if (!survey_plan(s, img, choice, (double)seconds, e))
		return false;
	s->host = host;
	return survey_rounds(s, e);
}

int cmd_survey(const struct options *o)
{
	struct survey_lab *lab = NULL;
	struct survey_choice choice;
	struct survey s = { 0 };
	struct image img = { 0 };
	struct host host = { 0 };
	struct err e = { 0 };
	uint64_t seconds = SECONDS;
	bool ok;

	if (o->compare)
		return compare(o);
	ok = choose(o, &choice, &seconds, &e) && cmd_load_image(&img, o, &e) &&
	     survey_check_image(&img, &e);
	if (ok)
		lab = survey_lab_new(&img, &e);
	ok = lab && plan(o, &s, lab, &img, &host, &choice, seconds, &e) && run(o, &s, lab, &e);
	survey_lab_free(lab);
	survey_fini(&s);
	image_fini(&img);
	if (!ok)
		return cmd_fail(&e);
	return guard_interrupted() ? EXIT_STOPPED : EXIT_AS_EXPECTED;
}

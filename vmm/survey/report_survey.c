// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_survey.c - a survey as JSON and CSV, and the files. Owns the members
 * and their order; words and picture are report_survey_text.c's and
 * report_survey_plot.c's. Out of memory ends the program, as in report_json.c.
 */
#include "survey/report_survey.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/plot.h"
#include "report/report.h"
#include "report/report_json.h"
#include "base/stats.h"

#define COMPACT (JSON_COMPACT | JSON_REAL_PRECISION(6))

static const char *const sides[SURVEY_SIDES] = { "guest", "control" };

const char *report_survey_stores(const struct survey_cell *c, char *buf, size_t size)
{
	if (c->width == 1)
		snprintf(buf, size, "1 byte");
	else
		snprintf(buf, size, "%u bytes%s", c->width,
			 c->natural ? ", aligned" : " from the change on");
	return buf;
}

/* ---- JSON ---- */

static json_t *tears_json(const struct survey_counts *c)
{
	struct survey_rate r = survey_rate(c);

	return report_made(json_pack(
		"{sI sI sI sI sI sI sI sb so so so so}", "executions", (json_int_t)c->executions,
		"transitions", (json_int_t)c->transitions, "pokes", (json_int_t)c->pokes, "torn",
		(json_int_t)r.torn, "old_head_new_tail", (json_int_t)c->torn[SURVEY_OLD_HEAD],
		"new_head_old_tail", (json_int_t)c->torn[SURVEY_NEW_HEAD], "other",
		(json_int_t)c->torn[SURVEY_OTHER], "enough_transitions", r.enough, "ppm",
		report_number(r.enough ? r.ppm : NAN), "low_ppm",
		report_number(r.enough ? r.low : NAN), "high_ppm",
		report_number(r.enough ? r.high : NAN), "executions_per_second",
		report_number(survey_speed(c))));
}

static json_t *times_json(const struct survey_cell *c, enum survey_side side)
{
	const struct survey_counts *n = &c->side[side];
	const struct survey_latency *l = &c->latency[side];
	double low, high;

	stats_wilson(n->stale_pokes, n->transitions, &low, &high);
	return report_made(
		json_pack("{sI sI sI sI so so sI sI so so so so}", "executions",
			  (json_int_t)n->executions, "pokes_seen", (json_int_t)n->transitions,
			  "stale_runs", (json_int_t)n->stale_runs, "stale_pokes",
			  (json_int_t)n->stale_pokes, "stale_low", report_number(low), "stale_high",
			  report_number(high), "samples", (json_int_t)l->samples, "early_samples",
			  (json_int_t)l->early, "p5_ns", report_number(survey_latency_ns(l, 0.05)),
			  "median_ns", report_number(survey_latency_ns(l, 0.5)), "p95_ns",
			  report_number(survey_latency_ns(l, 0.95)), "p99_ns",
			  report_number(survey_latency_ns(l, 0.99))));
}

static json_t *side_json(const struct survey *s, const struct survey_cell *c, enum survey_side side)
{
	const struct survey_counts *n = &c->side[side];

	if (*c->unsupported[side])
		return report_made(json_pack("{ss}", "unsupported", c->unsupported[side]));
	if (c->what == SURVEY_COST)
		return n->watched ? report_made(json_pack("{so sI}", "ns",
							  report_number(survey_cost_ns(s, c, side)),
							  "spent", (json_int_t)n->watched)) :
				    json_null();
	if (!n->executions)
		return json_null();
	return c->what == SURVEY_TEAR ? tears_json(n) : times_json(c, side);
}

static json_t *place_json(const struct survey *s, const struct survey_cell *c)
{
	bool aligned;
	uint32_t stores = survey_cell_stores(s, c, &aligned);

	return report_made(json_pack("{ss si si sb si sb si si}", "kind", survey_kind_name(c->kind),
				     "offset", (int)c->offset, "width", (int)c->width, "natural",
				     c->natural, "stores", (int)stores, "aligned", aligned, "pause",
				     (int)c->pause, "cpl", (int)c->cpl));
}

static json_t *cell_json(const struct survey *s, const struct survey_cell *c)
{
	json_t *o = c->what == SURVEY_COST ? report_made(json_object()) : place_json(s, c);

	if (c->what != SURVEY_TEAR)
		report_put(o, "synchronisation", json_string(survey_sync_name(c->sync)));
	for (int side = 0; side < SURVEY_SIDES; side++)
		report_put(o, sides[side], side_json(s, c, (enum survey_side)side));
	return o;
}

static void put_text(FILE *out, json_t *json)
{
	char *text = json_dumps(json, COMPACT | JSON_ENCODE_ANY);

	assert(text);
	fputs(text, out);
	free(text);
	json_decref(json);
}

/* Each on a line of its own: there are thousands. */
static void put_cells(FILE *out, const char *name, const struct survey *s, enum survey_what what)
{
	bool first = true;

	fprintf(out, ",\n\"%s\": [", name);
	for (size_t i = 0; i < s->ncells; i++)
		if (s->cell[i].what == what) {
			fputs(first ? "\n" : ",\n", out);
			put_text(out, cell_json(s, &s->cell[i]));
			first = false;
		}
	fputs("\n]", out);
}

static json_t *ratio_json(double (*ratio)(const struct survey *s, size_t *n),
			  const struct survey *s)
{
	size_t n;
	double median = ratio(s, &n);

	return report_made(
		json_pack("{so sI}", "median", report_number(median), "cells", (json_int_t)n));
}

static void put_member(FILE *out, const char *name, json_t *json)
{
	fprintf(out, ",\n\"%s\": ", name);
	put_text(out, json);
}

static void put_survey(FILE *out, const struct survey *s)
{
	json_t *o = report_made(json_object()), *json;
	const char *key;

	report_put_host(o, s->host);
	report_put_guest(o, s->image);
	fprintf(out, "{\"format\": \"%s\"", REPORT_SURVEY_FORMAT);
	json_object_foreach (o, key, json)
		put_member(out, key, json_incref(json));
	json_decref(o);
	put_member(out, "date", report_date());
	put_member(out, "seconds", report_number(s->seconds));
	put_member(out, "rounds",
		   report_made(json_pack("{si si}", "wanted", (int)s->rounds, "done",
					 (int)s->rounds_done)));
	put_member(out, "cells_left_out", json_integer((json_int_t)(s->ncells - s->visited)));
	put_member(out, "interrupted", report_made(json_boolean(s->interrupted)));
	put_member(out, "writer_cpl", json_integer(3));
	put_member(out, "transitions_min", json_integer(SURVEY_TRANSITIONS_MIN));
	put_member(out, "speed_ratio", ratio_json(survey_speed_ratio, s));
	put_member(out, "torn_ratio", ratio_json(survey_torn_ratio, s));
	put_cells(out, "costs", s, SURVEY_COST);
	put_cells(out, "times", s, SURVEY_TIME);
	put_cells(out, "cells", s, SURVEY_TEAR);
	fputs("}", out);
}

/* What (put) prints. */
static char *text_of(void (*put)(FILE *out, const struct survey *s), const struct survey *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool ok;

	assert(out);
	put(out, s);
	ok = !fclose(out);
	assert(ok);
	(void)ok;
	return text;
}

char *report_survey_json(const struct survey *s)
{
	return text_of(put_survey, s);
}

/* ---- CSV ---- */

static void csv_side(FILE *out, const struct survey_cell *c, enum survey_side side)
{
	const struct survey_counts *n = &c->side[side];
	struct survey_rate r = survey_rate(n);

	fprintf(out, ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, sides[side],
		n->executions, n->transitions, n->torn[SURVEY_OLD_HEAD], n->torn[SURVEY_NEW_HEAD],
		n->torn[SURVEY_OTHER]);
	if (*c->unsupported[side])
		fprintf(out, ",unsupported,,,");
	else if (!n->executions)
		fprintf(out, ",not-measured,,,");
	else if (!r.enough)
		fprintf(out, ",too-few-transitions,,,");
	else
		fprintf(out, ",measured,%.6g,%.6g,%.6g", r.ppm, r.low, r.high);
	if (n->seconds > 0)
		fprintf(out, ",%.6g\n", survey_speed(n));
	else
		fprintf(out, ",\n");
}

void report_survey_csv(FILE *out, const struct survey *s)
{
	fprintf(out, "kind,offset_bytes,width_bytes,placed,stores,aligned,pause_loops,cpl,side,"
		     "executions,transitions,old_head_new_tail,new_head_old_tail,other,state,"
		     "torn_ppm,low_ppm,high_ppm,executions_per_second\n");
	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *c = &s->cell[i];

		for (int side = 0; c->what == SURVEY_TEAR && side < SURVEY_SIDES; side++) {
			bool aligned;
			uint32_t stores = survey_cell_stores(s, c, &aligned);

			fprintf(out, "%s,%u,%u,%s,%u,%s,%u,%u", survey_kind_name(c->kind),
				c->offset, c->width, c->natural ? "natural" : "at-change", stores,
				aligned ? "yes" : "no", c->pause, c->cpl);
			csv_side(out, c, (enum survey_side)side);
		}
	}
}

/* ---- files ---- */

static bool write_by(void (*put)(FILE *out, const struct survey *s), const struct survey *s,
		     const char *dir, const char *name, struct err *e)
{
	char *text = text_of(put, s);
	size_t size = strlen(text);
	bool ok;

	/* The newline at its end is added anew. */
	if (size && text[size - 1] == '\n')
		text[size - 1] = '\0';
	ok = report_write_text(dir, name, text, e);
	free(text);
	return ok;
}

static bool draw(const struct survey *s, const char *dir, struct err *e)
{
	uint32_t width, height;
	char *script = report_survey_script(s, &width, &height);
	struct err why = { 0 };
	char path[PATH_MAX];
	bool ok;

	snprintf(path, sizeof(path), "%s/survey.svg", dir);
	ok = plot_draw(path, width, height, script, &why);
	free(script);
	if (ok)
		return true;
	if (why.code != ERR_UNSUPPORTED)
		return err_set(e, why.code, "%s", why.text);
	fprintf(stderr, "crossmod: no plot: %s\n", why.text);
	return true;
}

bool report_survey_write(const struct survey *s, const char *dir, struct err *e)
{
	return write_by(put_survey, s, dir, "survey.json", e) &&
	       write_by(report_survey_csv, s, dir, "survey.csv", e) &&
	       write_by(report_survey_text, s, dir, "survey.txt", e) && draw(s, dir, e);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report_survey.c - a survey made by hand as JSON, CSV, words and script,
 * read back and compared. The plan is a real one, the counts are not.
 */
#include "survey/report_survey.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvmtest.h"
#include "report/report.h"

static const struct host host = {
	.arch = "x86_64",
	.cpu = "A <fast> CPU",
	.kernel = "6.18.0",
	.kvm_module = "kvm_intel",
	.cores = 8,
	.version = "0.1.0",
	.commit = "abc",
	.quirks_known = true,
};

static struct survey survey;
static char dir[] = "/tmp/crossmod-survey-XXXXXX";

/* Immediates at 8, 60 and 61, by 4 bytes: enough, torn; enough, none; too few. */
static void set_up(void)
{
	struct survey_choice c;
	struct err e = { 0 };

	survey_choose_all(&c);
	cr_assert(survey_parse_offsets(&c, "8,60,61", &e) && survey_parse_widths(&c, "1,4", &e) &&
		  survey_parse_kinds(&c, "immediate", &e) && survey_parse_pauses(&c, "0", &e));
	cr_assert(survey_plan(&survey, kvmtest_image(), &c, 7.5, &e), "%s", e.text);
	survey.host = &host;
	survey.rounds = 3;
	survey.rounds_done = 2;
	survey.visited = survey.ncells;
	cr_assert(mkdtemp(dir));
	for (size_t i = 0; i < survey.ncells; i++) {
		struct survey_cell *k = &survey.cell[i];
		struct survey_counts *n = &k->side[SURVEY_GUEST];

		*n = (struct survey_counts){ .seconds = 0.5,
					     .watched = 1000000,
					     .executions = 2000000,
					     .transitions = k->offset == 61 ? 7 : 4000 };
		k->side[SURVEY_CONTROL] = *n;
		if (k->what == SURVEY_TEAR && (k->width == 1 || k->offset == 60)) {
			n->torn[SURVEY_OLD_HEAD] = 150;
			n->torn[SURVEY_OTHER] = 50;
		}
		if (k->what == SURVEY_COST && k->sync == CM_SYNC_SERIALIZE)
			strcpy(k->unsupported[SURVEY_GUEST], "it has none");
	}
}

static void tear_down(void)
{
	char path[64];

	for (int i = 0; i < 6; i++) {
		static const char *const names[] = { "survey.json", "survey.csv", "survey.txt",
						     "survey.svg",  "a.json",	  "b.json" };

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	survey_fini(&survey);
}

TestSuite(report_survey, .init = set_up, .fini = tear_down, .timeout = 20);

static json_t *document(void)
{
	char *text = report_survey_json(&survey);
	json_error_t error;
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	cr_assert(o, "line %d: %s", error.line, error.text);
	free(text);
	return o;
}

/* The first immediate of (width) bytes at (offset). */
static json_t *cell_of(json_t *o, int offset, int width)
{
	json_t *cell;
	size_t i;

	json_array_foreach (json_object_get(o, "cells"), i, cell)
		if (json_integer_value(json_object_get(cell, "offset")) == offset &&
		    json_integer_value(json_object_get(cell, "width")) == width)
			return cell;
	cr_assert_fail("no cell at %d", offset);
	return NULL;
}

static double number(json_t *o, const char *key)
{
	json_t *n = json_object_get(o, key);

	cr_assert(json_is_number(n), "%s", key);
	return json_number_value(n);
}

Test(report_survey, json_says_what_was_counted_and_how_sure_it_is)
{
	json_t *o = document(), *guest;

	cr_expect_str_eq(json_string_value(json_object_get(o, "format")), REPORT_SURVEY_FORMAT);
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(o, "host"), "cpu")),
			 "A <fast> CPU");
	cr_expect_eq(json_array_size(json_object_get(o, "cells")), 3 * 3);
	cr_expect_eq(json_array_size(json_object_get(o, "costs")), CM_SYNCS);
	cr_expect_eq(number(o, "cells_left_out"), 0);
	guest = json_object_get(cell_of(o, 60, 4), "guest");
	cr_expect_eq(number(guest, "torn"), 200);
	cr_expect_eq(number(guest, "old_head_new_tail"), 150);
	cr_expect_eq(number(guest, "other"), 50);
	cr_expect_float_eq(number(guest, "ppm"), 100, 1e-9);
	cr_expect(number(guest, "low_ppm") < 100 && number(guest, "high_ppm") > 100);
	cr_expect_float_eq(number(guest, "executions_per_second"), 2e6, 1);
	guest = json_object_get(cell_of(o, 8, 4), "guest");
	cr_expect_eq(number(guest, "ppm"), 0);
	cr_expect_gt(number(guest, "high_ppm"), 0);
	json_decref(o);
}

Test(report_survey, too_few_transitions_are_said_and_not_called_none)
{
	json_t *o = document(), *guest = json_object_get(cell_of(o, 61, 4), "guest");
	char *text = NULL, *at;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_expect(json_is_null(json_object_get(guest, "ppm")));
	cr_expect(json_is_false(json_object_get(guest, "enough_transitions")));
	cr_expect_eq(number(guest, "transitions"), 7);
	json_decref(o);
	report_survey_csv(out, &survey);
	fclose(out);
	at = strstr(text, "immediate,61,4,at-change,1,no,0,3,guest,2000000,7,0,0,0,");
	cr_assert(at, "%s", text);
	cr_expect(strstr(at, "too-few-transitions") < strchr(at, '\n'));
	cr_expect(strstr(text, "immediate,60,4,at-change,1,no,0,3,guest,2000000,4000,150,0,50,"
			       "measured,100,"));
	free(text);
}

static char *words(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	report_survey_text(out, &survey);
	fclose(out);
	return text;
}

Test(report_survey, words_say_what_was_seen_and_what_that_does_not_prove)
{
	char *text = words();

	cr_expect(strstr(text, "2 of 3 rounds"), "%s", text);
	cr_expect(strstr(text, "one store, unaligned  none in 2e+06: at most 1.9"), "%s", text);
	cr_expect(strstr(text, " 60; most at 60, pause 0: 100 ppm"), "%s", text);
	cr_expect(strstr(text, "What this does not prove"));
	cr_expect_not(strstr(text, "SUSPECT"), "%s", text);
	cr_expect_not(strstr(text, "no turn"), "%s", text);
	free(text);
	survey.visited -= 3;
	text = words();
	cr_expect(strstr(text, "\n3 of the cells had no turn"), "%s", text);
	free(text);
	/* A detector that sees nothing between several stores is none. */
	for (size_t i = 0; i < survey.ncells; i++)
		memset(survey.cell[i].side[SURVEY_GUEST].torn, 0,
		       sizeof(survey.cell[i].side[SURVEY_GUEST].torn));
	survey.interrupted = true;
	text = words();
	cr_expect(strstr(text, "SUSPECT"), "%s", text);
	cr_expect(strstr(text, "interrupted"));
	free(text);
}

static char *compare(const char *a, const char *b, struct err *e)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool ok = report_survey_compare(out, a, b, e);

	fclose(out);
	if (ok)
		return text;
	free(text);
	return NULL;
}

static void write_as(const char *name, char *path, size_t size)
{
	char *text = report_survey_json(&survey);
	struct err e = { 0 };

	cr_assert(report_write_text(dir, name, text, &e), "%s", e.text);
	snprintf(path, size, "%s/%s", dir, name);
	free(text);
}

Test(report_survey, two_are_compared_cell_by_cell)
{
	struct err e = { 0 };
	char a[64], b[64], *text;

	write_as("a.json", a, sizeof(a));
	text = compare(a, a, &e);
	cr_assert(text, "%s", e.text);
	cr_expect(strstr(text, "9 cells in both, 6 with transitions enough in both"), "%s", text);
	cr_expect(strstr(text, "do not overlap: 0"), "%s", text);
	free(text);
	for (size_t i = 0; i < survey.ncells; i++)
		if (survey.cell[i].what == SURVEY_TEAR && survey.cell[i].offset == 60)
			survey.cell[i].side[SURVEY_GUEST].torn[SURVEY_NEW_HEAD] = 5000;
	write_as("b.json", b, sizeof(b));
	text = compare(a, b, &e);
	cr_assert(text, "%s", e.text);
	cr_expect(strstr(text, "do not overlap: 3"), "%s", text);
	cr_expect(strstr(text, "cost, MFENCE"), "%s", text);
	free(text);
}

static void refuses(const char *change, const char *to, const char *because)
{
	char *text = report_survey_json(&survey), *at = strstr(text, change), path[64];
	struct err e = { 0 };

	cr_assert(at, "no %s", change);
	cr_assert_eq(strlen(change), strlen(to));
	memcpy(at, to, strlen(to));
	cr_assert(report_write_text(dir, "b.json", text, &e), "%s", e.text);
	snprintf(path, sizeof(path), "%s/b.json", dir);
	text[0] = '\0';
	cr_expect_null(compare(path, path, &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, "b.json: $") && strstr(e.text, because), "%s", e.text);
	free(text);
}

Test(report_survey, damaged_files_are_refused_by_file_and_member)
{
	struct err e = { 0 };

	refuses("crossmod-survey-1", "crossmod-survey-9", "$.format");
	refuses("\"transitions\":4000,\"pokes\":0,\"torn\"",
		"\"transitions\":-400,\"pokes\":0,\"torn\"", "].guest.transitions");
	refuses("\"old_head_new_tail\":150", "\"old_head_new_tail\":9e9",
		"].guest.old_head_new_tail");
	refuses("\"new_head_old_tail\":0,\"other\":50,\"enough_transitions\":true",
		"\"new_head_old_tail\":0,\"other\":5000000000         ,\"x\":true",
		"more torn executions than executions");
	cr_expect_null(compare("/nonexistent/survey.json", "x", &e));
	cr_expect(strstr(e.text, "/nonexistent/survey.json: "), "%s", e.text);
}

Test(report_survey, files_are_written_and_the_picture_is_drawn)
{
	struct err e = { 0 };
	char path[64];
	uint32_t width, height;
	char *script = report_survey_script(&survey, &width, &height);

	cr_expect(strstr(script, "ppm"), "units on the axes");
	cr_expect(strstr(script, "bytes"), "units on the axes");
	cr_expect(width > 800 && height > 100);
	free(script);
	cr_assert(report_survey_write(&survey, dir, &e), "%s", e.text);
	snprintf(path, sizeof(path), "%s/survey.csv", dir);
	cr_expect_eq(access(path, R_OK), 0);
	snprintf(path, sizeof(path), "%s/survey.svg", dir);
	if (access(path, R_OK))
		fprintf(stderr, "SKIPPED: no gnuplot, no picture\n");
}

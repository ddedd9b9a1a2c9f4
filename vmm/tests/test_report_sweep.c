// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report_sweep.c - a sweep made up here: its JSON, CSV, notes and script
 * say what it holds, and what was written is what a resumed sweep begins with.
 */
#include "sweep/report_sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/plot.h"
#include "test_report_fixture.h"

TestSuite(report_sweep, .init = scratch_make, .fini = scratch_remove, .timeout = 60);

static char names[2][16] = { "x/roll-back", "x/batch" },
	    protocols[2][16] = { "roll_back", "batch" };
static char texts[2][16] = { "{\"a\": 1}", "{\"b\": 2}" };
static struct scenario scenarios[2];
static struct sweep sweep;
static struct host host;
static struct sweep_report report = { .sweep = &sweep, .image = &sample_image, .host = &host };

static void fill(uint32_t curve, uint32_t rate, uint32_t repeat)
{
	struct sweep_run *r = sweep_run_at(&sweep, curve, rate, repeat);
	double load = rate * (curve ? 0.1 : 1);

	*r = (struct sweep_run){
		.done = true,
		.whole = true,
		.as_expected = true,
		.seconds = 1,
		.nmis_requested = (uint64_t)sweep.rate[rate],
		.nmis_sent = (uint64_t)sweep.rate[rate],
		.nmis_delivered = (uint64_t)sweep.rate[rate] / (rate == 3 ? 4 : 1),
		.nmis_coalesced = rate == 3 ? 3 : 0,
		.patches = (uint64_t)(2000 / (1 + load)) + repeat,
		.executions = 12345,
		.traps = 17,
		.retries_mean = load,
		.retries_p50 = load,
		.retries_p99 = 3 * load,
		.retries_max = 5 * load,
		.time_p50 = 3e-4 * (1 + load),
		.time_p99 = 5e-4 * (1 + load),
		.time_max = rate == 3 && !curve ? 0.3 : 6e-4,
		.missed = rate == 3 && !curve,
		.lateness_p50 = rate ? 2e-5 : NAN,
		.lateness_p99 = rate ? 4e-5 : NAN,
		.lateness_max = rate ? 1e-3 : NAN,
		.verdict = VERDICT_NOT_SEEN,
		.reason = "no violation",
	};
}

/* Two curves at 0, 10, 100 and 1000 a second, twice; all done but the last run of all. */
static void make(void)
{
	struct err e = { 0 };

	sweep_fini(&sweep);
	memset(scenarios, 0, sizeof(scenarios));
	memset(&host, 0, sizeof(host));
	strcpy(host.cpu, "Sample CPU");
	host.cores = 2;
	host.quirks_known = true;
	host.quirks.cpl0_emulated = true;
	host.quirks.cpl0_ns = 333;
	for (int i = 0; i < 2; i++) {
		scenarios[i].name = names[i];
		scenarios[i].protocol_name = protocols[i];
		scenarios[i].text = texts[i];
		scenarios[i].vcpus = 2;
		scenarios[i].executor_cpl = 3;
		sweep.curve[i] = (struct sweep_curve){ &scenarios[i], 0x2 };
	}
	sweep.ncurves = 2;
	sweep.repeat = 2;
	sweep.seconds = 1;
	cr_assert(sweep_parse_rates(&sweep, "10:1000:10log", &e) && sweep_begin(&sweep, &e));
	for (uint32_t i = 0; i < 15; i++)
		fill(i % 2, i / 2 % 4, i / 8);
}

/* ---- JSON and back ---- */

Test(report_sweep, document)
{
	json_t *o, *curve, *point, *interval;

	make();
	o = sample_parse(report_sweep_json(&report));
	cr_expect_str_eq(json_string_value(json_object_get(o, "format")), REPORT_SWEEP_FORMAT);
	cr_expect(json_is_false(json_object_get(o, "complete")));
	cr_expect_eq(json_integer_value(json_object_get(o, "runs")), 16);
	cr_expect_eq(json_integer_value(json_object_get(o, "runs_done")), 15);
	curve = json_array_get(json_object_get(o, "curves"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(curve, "protocol")), "roll_back");
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(curve, "knee"), "kind")),
			 "at");
	point = json_array_get(json_object_get(curve, "points"), 3);
	cr_expect_eq(json_number_value(json_object_get(point, "rate")), 1000);
	interval = json_object_get(json_object_get(point, "intervals"), "delivered_rate");
	cr_expect_eq(json_number_value(json_object_get(interval, "median")), 250);
	cr_expect_eq(json_integer_value(json_object_get(interval, "n")), 2);
	cr_expect_eq(json_array_size(json_object_get(point, "runs")), 2);
	point = json_array_get(json_object_get(curve, "points"), 0);
	interval = json_object_get(json_object_get(point, "intervals"), "lateness_p50_seconds");
	cr_expect(json_is_null(interval), "nothing is late that is not sent");
	point = json_array_get(
		json_object_get(json_array_get(json_object_get(o, "curves"), 1), "points"), 3);
	cr_expect(json_is_null(json_array_get(json_object_get(point, "runs"), 1)));
	json_decref(o);
	sweep_fini(&sweep);
}

static bool same_number(double a, double b)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-8 * fabs(a);
}

Test(report_sweep, resumes_with_what_was_kept)
{
	struct sweep_run kept[16];
	struct err e = { 0 };

	make();
	memcpy(kept, sweep.run, sizeof(kept));
	cr_assert(report_sweep_keep(&report, scratch_directory, &e), "%s", e.text);
	memset(sweep.run, 0, sizeof(kept));
	cr_assert(report_sweep_resume(&report, scratch_directory, &e), "%s", e.text);
	cr_expect_eq(sweep_done(&sweep), 15);
	for (int i = 0; i < 16; i++) {
		const struct sweep_run *a = &kept[i], *b = &sweep.run[i];

		cr_expect(a->done == b->done && a->whole == b->whole && a->missed == b->missed);
		cr_expect(a->patches == b->patches && a->nmis_coalesced == b->nmis_coalesced);
		cr_expect(same_number(a->retries_mean, b->retries_mean));
		cr_expect(same_number(a->time_p99, b->time_p99));
		cr_expect(!a->done || same_number(a->lateness_p50, b->lateness_p50));
		cr_expect(a->verdict == b->verdict && !strcmp(a->reason, b->reason));
		cr_expect_eq(a->as_expected, b->as_expected);
	}
	scratch_drop("sweep.json");
	sweep_fini(&sweep);
}

static void refuses(const char *why)
{
	struct err e = { 0 };

	cr_expect(!report_sweep_resume(&report, scratch_directory, &e), "%s", why);
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, "sweep.json") && strstr(e.text, why), "%s: %s", why, e.text);
	cr_expect_eq(sweep_done(&sweep), 0);
}

Test(report_sweep, refuses_to_go_on_with_another_sweep)
{
	struct err e = { 0 };

	make();
	cr_assert(report_sweep_keep(&report, scratch_directory, &e), "%s", e.text);
	sweep.seconds = 3;
	refuses("$.config.seconds: 1.0, but this sweep has 3.0");
	sweep.seconds = 1;
	sweep.rate[2] = 99;
	refuses("$.config.rates[2]: 100.0, but this sweep has 99.0");
	sweep.rate[2] = 100;
	sweep.distribution = DISTRIBUTION_BURST;
	refuses("$.config.distribution");
	sweep.distribution = DISTRIBUTION_PERIODIC;
	sweep.curve[1].targets = 1;
	refuses("$.config.curves[1].targets[0]: 1, but this sweep has 0");
	sweep.curve[1].targets = 2;
	host.cores = 8;
	refuses("$.config.host.cores: 2, but this sweep has 8");
	host.cores = 2;
	texts[1][6] = '3';
	refuses("$.config.curves[1].text");
	texts[1][6] = '2';
	cr_expect(report_sweep_resume(&report, scratch_directory, &e), "%s", e.text);
	cr_expect_eq(sweep_done(&sweep), 15);
	scratch_drop("sweep.json");
	refuses("No such file");
	sweep_fini(&sweep);
}

/* (from) in the file becomes (to), which is as long. */
static void damage(const char *from, const char *to, const char *why)
{
	struct err e = { 0 };
	char *text, *at;

	make();
	text = report_sweep_json(&report);
	at = strstr(text, from);
	cr_assert(at && strlen(from) == strlen(to), "%s", from);
	memcpy(at, to, strlen(to));
	cr_assert(report_write_text(scratch_directory, "sweep.json", text, &e));
	free(text);
	refuses(why);
	scratch_drop("sweep.json");
}

Test(report_sweep, refuses_a_damaged_file)
{
	damage("\"format\": \"crossmod-sweep-1\"", "\"format\": \"crossmod-sweep-9\"",
	       "$.format: not");
	damage("\"patches\":", "\"patchez\":", "runs[0]: 'patches' is missing");
	damage("\"whole\": true", "\"whole\": 1234", "runs[0].whole: ");
	damage("\"traps\": 17", "\"traps\": -7", "runs[0].traps: ");
	damage("\"verdict\": \"not-seen\"", "\"verdict\": \"not-Seen\"",
	       "runs[0].verdict: not a verdict");
	damage("\"config\": {", "\"config\": [", "sweep.json:");
	sweep_fini(&sweep);
}

/* ---- CSV, table, notes ---- */

Test(report_sweep, csv_has_a_line_a_run)
{
	char path[512], line[1024];
	struct err e = { 0 };
	int lines = 0, commas = 0;
	FILE *f;

	make();
	cr_assert(report_sweep_csv(&report, scratch_directory, &e), "%s", e.text);
	snprintf(path, sizeof(path), "%s/sweep.csv", scratch_directory);
	f = fopen(path, "r");
	cr_assert(f);
	while (fgets(line, sizeof(line), f)) {
		int n = 0;

		for (const char *p = line; *p; p++)
			n += *p == ',';
		if (!lines++)
			commas = n;
		cr_expect_eq(n, commas, "%s", line);
		if (lines == 2)
			cr_expect(strstr(line,
					 "x/roll-back,roll_back,0,0,not-seen,1,0,0,0,0,2000,1,"),
				  "%s", line);
	}
	fclose(f);
	cr_expect_eq(lines, 1 + 15);
	scratch_drop("sweep.csv");
	sweep_fini(&sweep);
}

static bool noted(const char *what)
{
	struct sweep_notes notes;
	bool found = false;

	report_sweep_notes(&report, &notes);
	for (size_t i = 0; i < notes.count; i++)
		found |= strstr(notes.text[i], what) != NULL;
	report_sweep_free_notes(&notes);
	return found;
}

Test(report_sweep, notes_say_what_limits_the_figures)
{
	make();
	cr_expect(noted("no proof"));
	cr_expect(noted("livelock in the sense of this measurement"));
	cr_expect(noted("the injector has no processor of its own"));
	cr_expect(noted("333 ns an instruction"));
	cr_expect(noted("of 1000 NMIs a second and vCPU requested 250 were delivered"));
	cr_expect(!noted("outnumber") && !noted("ended early") && !noted("not as expected"));
	scenarios[1].vcpus = 3;
	cr_expect(noted("3 vCPUs outnumber the 2 processors"));
	host.cores = 4;
	cr_expect(!noted("outnumber") && !noted("the injector has no"));
	host.quirks.cpl0_emulated = false;
	cr_expect(!noted("emulator"));
	cr_expect(!noted("ticks"));
	sweep_run_at(&sweep, 0, 1, 1)->time_max = NAN;
	cr_expect(noted("how fast the guest's time stamp counter ticks"));
	sweep_run_at(&sweep, 0, 2, 1)->whole = false;
	sweep_run_at(&sweep, 0, 2, 1)->as_expected = false;
	cr_expect(noted("x/roll-back: 1 of 8 runs ended early and are in no figure: not-seen"));
	cr_expect(noted("x/roll-back: the verdict of 1 of 8 runs is not as expected"));
	sweep_fini(&sweep);
}

Test(report_sweep, table_has_points_and_knees)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	make();
	report_sweep_table(out, &report);
	fclose(out);
	cr_expect(strstr(text, "\nknee: roll_back: below half from 10"), "%s", text);
	cr_expect(strstr(text, "\nknee: batch: half or more up to 250/s"), "%s", text);
	cr_expect(strstr(text, "300 ms"), "%s", text);
	cr_expect(strstr(text, " 2 of 2 "), "%s", text);
	free(text);
	sweep_fini(&sweep);
}

Test(report_sweep, curves_of_one_protocol_are_told_apart)
{
	char *script;

	make();
	cr_expect_str_eq(report_sweep_name(&sweep, 0), "roll_back");
	scenarios[1].protocol_name = protocols[0];
	cr_expect_str_eq(report_sweep_name(&sweep, 0), "roll-back");
	cr_expect_str_eq(report_sweep_name(&sweep, 1), "batch");
	names[1][3] = '\'';
	script = report_sweep_plot(&report);
	cr_expect(strstr(script, "title 'b?tch'"), "%s", script);
	free(script);
	sweep_fini(&sweep);
}

/* ---- the picture ---- */

/* Points at 0, at rates beyond the host, missing ones: gnuplot has nothing to complain of. */
Test(report_sweep, is_drawn)
{
	struct err e = { 0 };
	char path[512], *script;

	make();
	script = report_sweep_plot(&report);
	cr_assert(script);
	snprintf(path, sizeof(path), "%s/sweep.svg", scratch_directory);
	if (!plot_draw(path, 900, 1100, script, &e)) {
		cr_assert_eq(e.code, ERR_UNSUPPORTED, "%s", e.text);
		free(script);
		fprintf(stderr, "SKIPPED: %s\n", e.text);
		cr_skip_test("%s", e.text);
	}
	free(script);
	scratch_drop("sweep.svg");
	for (uint32_t i = 2; i < 16; i++)
		sweep.run[i].done = false;
	script = report_sweep_plot(&report);
	cr_expect(plot_draw(path, 900, 1100, script, &e), "rate 0 alone: %s", e.text);
	free(script);
	scratch_drop("sweep.svg");
	sweep.run[0].done = sweep.run[1].done = false;
	cr_expect_null(report_sweep_plot(&report), "nothing to draw");
	sweep_fini(&sweep);
}

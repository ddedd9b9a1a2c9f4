// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report_witness.c - results read back: what a witness is taken from a
 * file, and which files are none.
 */
#include "test_report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(report, witness)
{
	static const struct witness empty;
	struct err e = { 0 };
	struct witness w;
	struct result r;

	sample_stepped(&r);
	json_decref(sample_written(&r, scratch_directory));
	cr_assert(witness_load(&w, r.path, &e), "%s", e.text);
	cr_expect_str_eq(w.path, r.path);
	cr_expect_str_eq(w.scenario_path, sample_stepped_scenario.path);
	cr_expect_str_eq(w.scenario_text, sample_stepped_scenario.text);
	cr_expect_str_eq(w.schedule, "0s*2 1s@0,2 1n");
	cr_expect_str_eq(w.verdict, "torn");
	cr_expect_str_eq(w.reason, r.reason);
	cr_expect_str_eq(w.digest, r.observation.digest);
	cr_expect_str_eq(w.guest_digest, sample_image.digest);
	cr_expect_eq(w.steps, 4);
	witness_fini(&w);
	cr_expect_eq(memcmp(&w, &empty, sizeof(w)), 0);
	witness_fini(&w);
	cr_expect_eq(unlink(r.path), 0);
}

static void assert_refused(const char *text, size_t size, const char *expected)
{
	static const struct witness empty;
	struct err e = { 0 };
	struct witness w;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/w.json", scratch_directory);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert_eq(fwrite(text, 1, size, f), size);
	fclose(f);
	cr_assert_not(witness_load(&w, path, &e), "accepted; expected \"%s\"", expected);
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect_eq(strncmp(e.text, path, strlen(path)), 0, "no file in \"%s\"", e.text);
	cr_expect(strstr(e.text, expected), "expected \"%s\" in \"%s\"", expected, e.text);
	cr_expect_eq(memcmp(&w, &empty, sizeof(w)), 0, "%s: leaves something behind", expected);
	cr_expect_not(witness_load(&w, path, NULL));
	scratch_drop("w.json");
}

/* A document with (changes) to its members; one that becomes the string "-" is removed. */
static char *damaged(const char *changes)
{
	json_t *o, *change = json_loads(changes, 0, NULL);
	struct result r;
	const char *key;
	json_t *value;
	char *text;

	cr_assert(change, "the test's own JSON: %s", changes);
	sample_stepped(&r);
	o = sample_parse(report_document(&r));
	json_object_foreach (change, key, value) {
		if (json_is_string(value) && !strcmp(json_string_value(value), "-"))
			json_object_del(o, key);
		else
			json_object_set(o, key, value);
	}
	text = json_dumps(o, 0);
	json_decref(o);
	json_decref(change);
	return text;
}

Test(report, damaged_witness)
{
	static const struct {
		const char *changes, *expected;
	} cases[] = {
		{ "{\"format\": \"-\"}", "$: 'format' is missing" },
		{ "{\"format\": \"crossmod-result-2\"}", "$.format: not \"crossmod-result-1\"" },
		{ "{\"format\": 1}", "$.format: not" },
		{ "{\"schedule\": null}", "not a stepped result: nothing to replay" },
		{ "{\"schedule\": \"-\"}", "$: 'schedule' is missing" },
		{ "{\"schedule\": []}", "$.schedule: expected a string, found an array" },
		{ "{\"schedule\": \"\"}", "$.schedule: must not be empty" },
		{ "{\"scenario_path\": \"-\"}", "'scenario_path' is missing" },
		{ "{\"scenario_path\": 3}", "$.scenario_path: expected a string" },
		{ "{\"scenario_text\": \"-\"}", "'scenario_text' is missing" },
		{ "{\"scenario_text\": {}}", "$.scenario_text: expected a string" },
		{ "{\"verdict\": \"-\"}", "'verdict' is missing" },
		{ "{\"verdict\": true}", "$.verdict: expected a string" },
		{ "{\"verdict\": \"fine\"}", "$.verdict: not a verdict" },
		{ "{\"digest\": \"-\"}", "'digest' is missing" },
		{ "{\"digest\": null}", "$.digest: expected a string, found null" },
		{ "{\"digest\": \"0123\"}", "$.digest: not 32 hexadecimal digits" },
		{ "{\"digest\": \"0123456789abcdef0123456789abcdeF\"}", "$.digest: not 32" },
		{ "{\"steps\": \"-\"}", "'steps' is missing" },
		{ "{\"steps\": -1}", "$.steps: -1 is out of range" },
		{ "{\"steps\": 1.5}", "$.steps: expected an integer" },
		{ "{\"guest\": \"-\"}", "'guest' is missing" },
		{ "{\"guest\": [1]}", "$.guest: expected an object, found an array" },
		{ "{\"guest\": {}}", "$.guest: 'digest' is missing" },
		{ "{\"guest\": {\"digest\": \"xyz\"}}", "$.guest.digest: not 32" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = damaged(cases[i].changes);

		assert_refused(text, strlen(text), cases[i].expected);
		free(text);
	}
}

Test(report, witness_without_a_reason)
{
	char *text = damaged("{\"reason\": \"-\"}"), path[128];
	struct err e = { 0 };
	struct witness w;
	FILE *f;

	snprintf(path, sizeof(path), "%s/w.json", scratch_directory);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert_geq(fputs(text, f), 0);
	fclose(f);
	free(text);
	cr_assert(witness_load(&w, path, &e), "%s", e.text);
	cr_expect_null(w.reason);
	witness_fini(&w);
	scratch_drop("w.json");
}

Test(report, no_witness)
{
	struct err e = { 0 };
	struct witness w;
	struct result r;
	char *text;

	sample_free(&r);
	text = report_document(&r);
	assert_refused(text, strlen(text), "$.schedule: not a stepped result: nothing to replay");
	for (size_t cut = 0; cut < strlen(text) - 1; cut += 97)
		assert_refused(text, cut, ": ");
	free(text);
	assert_refused("[1]", 3, "$: expected an object, found an array");
	assert_refused("{\"a\": 1, \"a\": 2}", 16, "duplicate object key");
	assert_refused("{\"a\0b\": 1}", 10, ":1:");
	cr_expect_not(witness_load(&w, "/nonexistent.json", &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect_str_eq(e.text, "/nonexistent.json: No such file or directory");
	cr_expect_not(witness_load(&w, scratch_directory, &e));
	cr_expect_eq(e.code, ERR_INPUT);
}

/* ---- searches ---- */

/* (wanted) against what is written of (kept); "same", or what is another. */
static const char *against(struct result *kept, const struct scenario *wanted, char *text,
			   size_t size)
{
	struct result r = *kept;

	json_decref(sample_written(kept, scratch_directory));
	r.scenario = wanted;
	cr_assert(report_name(&r, scratch_directory, NULL));
	if (report_same_search(&r, text, size))
		snprintf(text, size, "same");
	cr_expect_eq(unlink(kept->path), 0);
	return text;
}

Test(report, tells_the_same_search_from_another)
{
	struct scenario kept = sample_stepped_scenario, other;
	struct result r;
	char text[256];

	sample_stepped(&r);
	kept.method = METHOD_EXPLORE;
	kept.fetch.model = FETCH_SC;
	r.scenario = &kept;
	other = kept;
	other.explore.max_seconds = 7;
	cr_expect_str_eq(against(&r, &other, text, sizeof(text)), "same", "a bound is no other");
	other.explore.nmis[1] = SCENARIO_NMI_UNLIMITED;
	cr_expect(strstr(against(&r, &other, text, sizeof(text)),
			 "the NMI budget is [0,0] there and [0,\"unlimited\"] here"),
		  "%s", text);
	other.fetch.model = FETCH_STALE;
	cr_expect(strstr(against(&r, &other, text, sizeof(text)),
			 "the fetch model is \"sc/byte\" there and \"stale/byte\" here"),
		  "%s", text);
	other = kept;
	other.explore.every = true;
	cr_expect(strstr(against(&r, &other, text, sizeof(text)), "--every-violation is false"),
		  "%s", text);
	other = kept;
	other.text = (char *)(uintptr_t) "{\"edited\": true}";
	cr_expect(strstr(against(&r, &other, text, sizeof(text)), "the scenario's text is "), "%s",
		  text);
	cr_assert(report_name(&r, scratch_directory, NULL));
	cr_expect_not(report_same_search(&r, text, sizeof(text)));
	cr_expect_str_empty(text, "there is no result");
}

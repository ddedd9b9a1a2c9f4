// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report_html.c - the page of a replay: that it needs nothing else, what
 * its JSON holds, and that half of one is never left behind.
 *
 * The lines are built by hand. What a browser makes of a page is
 * scripts/check-html.sh's business.
 */
#include "report/report_html.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/report_internal.h"
#include "test_report_fixture.h"

static char path[128], schedule[] = "0s*2 1s@0,2 1n", verdict[] = "torn", reason[] = "it was torn";
static char witness_path[] = "results/late-tail.json";
static struct machine machine;
static struct report_page *page;
static struct result result;
static struct witness witness;

static void set_up(void)
{
	struct err e;

	scratch_make();
	snprintf(path, sizeof(path), "%s/page.html", scratch_directory);
	sample_stepped(&result);
	witness = (struct witness){
		.path = witness_path, .schedule = schedule, .verdict = verdict, .reason = reason
	};
	machine = (struct machine){ .image = &sample_image, .scenario = &sample_stepped_scenario };
	cr_assert(insn_init(&machine.decoder, CM_ISA_X86_64, &e), "%s", e.text);
	page = report_page_new(&machine);
}

static void tear_down(void)
{
	report_page_free(page);
	insn_fini(&machine.decoder);
	scratch_remove();
}

TestSuite(report_html, .init = set_up, .fini = tear_down);

/* ---- helpers ---- */

static bool write_page(const char *to, struct err *e)
{
	static const uint64_t skipped[CM_MAX_VCPUS] = { [1] = 21 };
	const struct report_page_end end = {
		.result = &result, .witness = &witness, .same = true, .skipped = skipped
	};

	return report_page_write(page, &end, to, e);
}

/* The file's text, which the caller frees. */
static char *read_page(const char *from)
{
	char *text = calloc(1, 1 << 20);
	FILE *f = fopen(from, "r");

	cr_assert(f, "%s", from);
	cr_assert_gt(fread(text, 1, (1 << 20) - 1, f), 0u);
	fclose(f);
	return text;
}

/* The JSON inside the page just written; the file is removed. For json_decref(). */
static json_t *data_of(const char *from)
{
	static const char start[] = "<script type=\"application/json\" id=\"replay\">";
	char *text = read_page(from), *data = strstr(text, start), *end;

	cr_assert(data);
	data += strlen(start);
	end = strstr(data, "</script>");
	cr_assert(end);
	*end = '\0';
	cr_expect_null(strchr(data, '<'));
	data = strdup(data);
	free(text);
	cr_assert_eq(unlink(from), 0);
	return sample_parse(data);
}

static json_t *written(void)
{
	struct err e;

	cr_assert(write_page(path, &e), "%s", e.text);
	return data_of(path);
}

/* The JSON of (o), compact, is (expected). */
static void assert_json(json_t *o, const char *expected)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);

	cr_expect_str_eq(text, expected);
	free(text);
}

/* ---- tests ---- */

Test(report_html, needs_nothing_else)
{
	static const char *const reaches[] = { "http:",	  "https:", "src=",  "url(",
					       "@import", "<link",  "fetch(" };
	const char *mark = strstr(report_page, REPORT_PAGE_MARK);

	cr_assert(mark);
	cr_expect_null(strstr(mark + 1, REPORT_PAGE_MARK), "marked twice");
	for (size_t i = 0; i < COUNT(reaches); i++)
		cr_expect_null(strstr(report_page, reaches[i]), "%s", reaches[i]);
	cr_expect(strstr(report_page, "default-src 'none'"));
}

Test(report_html, says_what_was_run)
{
	json_t *data = written(), *run = json_object_get(data, "result");

	cr_expect_str_eq(json_string_value(json_object_get(run, "scenario")),
			 sample_stepped_scenario.name);
	cr_expect_str_eq(json_string_value(json_object_get(run, "reason")), result.reason);
	cr_expect(json_is_object(json_object_get(run, "knobs")));
	cr_expect(json_is_object(json_object_get(run, "host")));
	assert_json(json_object_get(data, "recorded"),
		    "{\"path\":\"results/late-tail.json\",\"verdict\":\"torn\","
		    "\"reason\":\"it was torn\"}");
	assert_json(json_object_get(data, "forms"),
		    "[{\"old\":\"nop dword ptr [rax + rax]\",\"new\":\"jmp 0x2000104d\"},"
		    "{\"old\":\"nop dword ptr [rax + rax]\",\"new\":\"jmp 0x2000904d\"}]");
	assert_json(json_object_get(data, "schedule"), "\"0s*2 1s@0,2 1n\"");
	assert_json(json_object_get(data, "same"), "true");
	assert_json(json_object_get(data, "lines"), "[]");
	assert_json(json_object_get(data, "skipped"), "[[1,21]]");
	json_decref(data);
}

static const struct trace_bytes torn = {
	.length = 5,
	.bytes = { 0xe9, 0x1f, 0x44, 0x00, 0x00 },
	.letters = "NOO==",
	.form = FORM_TORN,
};

Test(report_html, lines)
{
	static char store[] = "store 1: site0 ", bytes[] = "e9 1f 44 00 00", alarm[] = "violation";
	struct trace_piece pieces[] = {
		{ store, TONE_PLAIN, true },
		{ bytes, TONE_TORN, false },
		{ alarm, TONE_ALARM, true },
	};
	const struct trace_change change = { .name = "slot+0x8", .from = "0x0", .to = "site0+0x5" };
	struct trace_line l = {
		.number = 203,
		.vcpu = 1,
		.skipped = { 12, 3 },
		.place = "site0",
		.deed = "jmp 0x20005461",
		.piece = pieces,
		.npieces = COUNT(pieces),
		.violation = true,
		.at_site = true,
		.fetched = torn,
		.nsites = 1,
		.memory = { torn },
		.change = &change,
		.nchanges = 1,
	};
	json_t *data;

	report_page_line(page, &l);
	l = (struct trace_line){ .number = 204, .place = "cm_idle", .stored = true };
	report_page_line(page, &l);
	data = written();
	assert_json(json_object_get(data, "lines"),
		    "[{\"n\":203,\"vcpu\":1,\"place\":\"site0\",\"deed\":\"jmp 0x20005461\","
		    "\"says\":[[[\"store 1: site0 \",\"\"],[\"e9 1f 44 00 00\",\"torn\"]],"
		    "[[\"violation\",\"alarm\"]]],"
		    "\"fetched\":{\"site\":0,\"at\":0,\"bytes\":\"e9 1f 44 00 00\","
		    "\"letters\":\"NOO==\",\"form\":\"torn\"},"
		    "\"memory\":[{\"site\":0,\"at\":0,\"bytes\":\"e9 1f 44 00 00\","
		    "\"letters\":\"NOO==\",\"form\":\"torn\"}],"
		    "\"changes\":[[\"slot+0x8\",\"0x0\",\"site0+0x5\"]],"
		    "\"stored\":false,\"violation\":true,\"skipped\":[[0,12],[1,3]]},"
		    "{\"n\":204,\"vcpu\":0,\"place\":\"cm_idle\",\"deed\":\"\",\"says\":[],"
		    "\"fetched\":null,\"memory\":[],\"changes\":[],"
		    "\"stored\":true,\"violation\":false,\"skipped\":[]}]");
	json_decref(data);
}

/* Whatever a symbol is called, it stays text. */
Test(report_html, text_that_looks_like_markup)
{
	struct trace_line l = { .place = "</script><!--<script>", .deed = "\xff\"\\" };
	json_t *data, *line;

	report_page_line(page, &l);
	data = written();
	line = json_array_get(json_object_get(data, "lines"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(line, "place")),
			 "</script><!--<script>");
	cr_expect_str_eq(json_string_value(json_object_get(line, "deed")), "?\"\\");
	json_decref(data);
}

Test(report_html, replaces_what_was_there)
{
	struct err e;

	cr_assert(write_page(path, &e), "%s", e.text);
	json_decref(written());
	cr_assert_eq(chdir(scratch_directory), 0);
	cr_assert(write_page("page.html", &e), "%s", e.text);
	json_decref(data_of(path));
}

/* The suite's end fails if anything is left in the directory. */
Test(report_html, leaves_nothing_half_done)
{
	struct err e = { 0 };
	char nowhere[160];

	snprintf(nowhere, sizeof(nowhere), "%s/none/page.html", scratch_directory);
	cr_expect_not(write_page(nowhere, &e));
	cr_expect_eq(e.code, ERR_HOST);
	cr_expect(strstr(e.text, "/none: No such file or directory"), "%s", e.text);
}

/* A directory; a link, even to a regular file; a device is no better than a pipe. */
Test(report_html, replaces_regular_files_only)
{
	struct err e = { 0 };
	struct stat there;

	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_not(write_page(path, &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, "/page.html: not a regular file"), "%s", e.text);
	scratch_drop("page.html");
	cr_assert_eq(symlink(witness_path, path), 0);
	cr_expect_not(write_page(path, &e));
	cr_expect(lstat(path, &there) == 0 && S_ISLNK(there.st_mode));
	scratch_drop("page.html");
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_not(write_page(path, &e));
	cr_expect(lstat(path, &there) == 0 && S_ISFIFO(there.st_mode));
	scratch_drop("page.html");
}

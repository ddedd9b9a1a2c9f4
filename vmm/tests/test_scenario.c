// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_scenario.c - what scenario files are read as, and which are refused.
 * Refusals are data: fixtures/bad.json. Schedules and injections are in
 * test_scenario_schedule.c, method explore in test_scenario_explore.c, the
 * schema in test_scenario_schema.c.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario/scenario.h"
#include "scenario/scenario_internal.h"
#include "test_scenario_fixture.h"

static void assert_empty(const struct scenario *s)
{
	static const struct scenario empty;

	cr_assert_eq(memcmp(s, &empty, sizeof(empty)), 0, "a failure leaves nothing behind");
}

static struct scenario free_running(const char *change)
{
	return example_accept(&example_image, FREE_BASE, change);
}

static void assert_rejects(size_t index, const char *text, const char *expected)
{
	struct err e = { 0 };
	struct scenario s;

	cr_assert_not(scenario_parse(&s, "bad.json", text, strlen(text), &example_image, &e),
		      "bad.json[%zu] was accepted; expected \"%s\"", index, expected);
	cr_expect(e.code == ERR_INPUT, "bad.json[%zu]: code %d", index, e.code);
	cr_expect(strstr(e.text, expected), "bad.json[%zu]: expected \"%s\"\n  in \"%s\"", index,
		  expected, e.text);
	cr_expect_eq(strncmp(e.text, "bad.json:", 9), 0, "bad.json[%zu]: no file in \"%s\"", index,
		     e.text);
	cr_expect_not(strchr(e.text, '\n'), "bad.json[%zu]: more than one line: %s", index, e.text);
	assert_empty(&s);
	cr_expect_not(scenario_parse(&s, "bad.json", text, strlen(text), &example_image, NULL),
		      "bad.json[%zu]: accepted without a place for the error", index);
}

/* ---- refusals ---- */

/* A case gives the whole file, "input", or the name of a method and what to change in its base. */
static char *text_of(const json_t *item)
{
	static const char *const bases[METHODS] = {
		[METHOD_STEPPED] = STEPPED_BASE,
		[METHOD_FREE] = FREE_BASE,
		[METHOD_EXPLORE] = EXPLORE_BASE,
	};
	const char *without = json_string_value(json_object_get(item, "without"));
	json_t *input = json_object_get(item, "input");

	if (json_is_string(input))
		return strdup(json_string_value(input));
	if (input)
		return json_dumps(input, 0);
	for (int m = 0; m < METHODS; m++) {
		const json_t *change = json_object_get(item, method_name((enum method)m));

		if (change)
			return example_merged(bases[m], change, without);
	}
	return NULL;
}

Test(scenario, bad)
{
	json_t *cases = example_tree("vmm/tests/fixtures/bad.json"), *item;
	size_t i;

	cr_assert_geq(json_array_size(cases), 45);
	json_array_foreach (cases, i, item) {
		const char *expected = json_string_value(json_object_get(item, "error"));
		char *text = text_of(item);

		cr_assert(expected, "bad.json[%zu] has no \"error\"", i);
		cr_assert(text, "bad.json[%zu] is no case", i);
		assert_rejects(i, text, expected);
		free(text);
	}
	json_decref(cases);
}

Test(scenario, long_names_make_no_long_message)
{
	size_t size = 100000;
	char *name = malloc(size), *text;
	struct err e = { 0 };
	struct scenario s;

	memset(name, 'x', size - 1);
	name[size - 1] = '\0';
	cr_assert_geq(asprintf(&text, "{\"%s\": 1}", name), 0);
	cr_assert_not(scenario_parse(&s, "t.json", text, strlen(text), &example_image, &e));
	cr_assert(strstr(e.text, "; known here: $schema"), "%s", e.text);
	free(text);
	free(name);
}

/* ---- what is read ---- */

Test(scenario, defaults_stepped)
{
	struct scenario s = example_stepped("{\"$schema\": \"../../schema.json\"}");

	cr_expect_str_eq(s.why, "w");
	cr_expect_null(s.source);
	cr_expect_str_eq(s.protocol_name, "naive");
	cr_expect_eq(s.protocol, &example_image.protocols[1]);
	cr_expect_eq(s.nsites, 1);
	cr_expect_str_eq(s.site[0].name, "nop5_jmp5");
	cr_expect_str_eq(s.site[0].at, "in-line");
	cr_expect_eq(s.site[0].site, &example_image.sites[1]);
	cr_expect_eq(s.site[0].offset, 8);
	cr_expect_eq(s.vcpus, 2);
	cr_expect(s.method == METHOD_STEPPED);
	cr_expect(s.patcher == 0 && s.patcher_cpl == 0);
	cr_expect(s.pokes == 1 && s.batch == 1 && s.pause == 0);
	cr_expect(s.executors == 0x2 && s.executor_cpl == 0 && s.calls == 1);
	cr_expect(!s.nmi_runs_site && !s.ipi_runs_site);
	cr_expect(s.fetch.model == FETCH_SC && s.fetch.chunk == 1);
	cr_expect(!s.fetch.delivery_syncs && !s.fetch.mfence_syncs && !s.fetch.own_alias_visible);
	cr_expect(s.nmoves == 0 && s.ninjections == 0);
	cr_expect_eq(s.max_steps, 20000);
	cr_expect_eq(s.expect, 1u << VERDICT_TORN);
	scenario_fini(&s);
	assert_empty(&s);
}

Test(scenario, defaults_free)
{
	struct scenario s = free_running("{}");

	cr_expect(s.method == METHOD_FREE);
	cr_expect(s.pokes == 0 && s.calls == 0, "until the end");
	cr_expect(s.free.iterations == 0 && s.free.seconds == 1);
	cr_expect(s.free.nmi_rate == 0 && s.free.nmi_mask == 0);
	cr_expect(s.free.ipi_rate == 0 && s.free.ipi_mask == 0);
	cr_expect_eq(s.expect, 1u << VERDICT_NOT_SEEN);
	scenario_fini(&s);
}

Test(scenario, roles)
{
	struct scenario s = example_stepped(
		"{\"source\": \"a thread\", \"vcpus\": 16, \"nmi_runs_site\": true,"
		" \"ipi_runs_site\": true,"
		" \"sites\": [{\"site\": \"nop5_jmp5\"}, {\"site\": \"nop1_int3\", \"at\": 4095}],"
		" \"patcher\": {\"vcpu\": 15, \"cpl\": 3, \"pokes\": 4, \"batch\": 2, \"pause\": 9},"
		" \"executors\": {\"vcpus\": [3, 1], \"cpl\": 3, \"calls\": 7}}");

	cr_expect_str_eq(s.source, "a thread");
	cr_expect(s.vcpus == 16 && s.nmi_runs_site && s.ipi_runs_site);
	cr_expect(s.nsites == 2 && s.site[1].offset == 4095);
	cr_expect_str_eq(s.site[1].at, "4095");
	cr_expect(s.patcher == 15 && s.patcher_cpl == 3);
	cr_expect(s.pokes == 4 && s.batch == 2 && s.pause == 9);
	cr_expect(s.executors == 0xa && s.executor_cpl == 3 && s.calls == 7);
	scenario_fini(&s);
}

Test(scenario, executors_are_all_but_the_patcher)
{
	struct scenario s = example_stepped("{\"vcpus\": 16, \"patcher\": {\"vcpu\": 4}}");

	cr_expect_eq(s.executors, 0xffef);
	scenario_fini(&s);
	s = example_stepped("{\"vcpus\": 1}");
	cr_expect_eq(s.executors, 0);
	scenario_fini(&s);
	s = example_stepped("{\"executors\": {\"vcpus\": []}}");
	cr_expect_eq(s.executors, 0);
	scenario_fini(&s);
}

Test(scenario, placement)
{
	static const struct {
		uint32_t length, in_line, cross_8, cross_line, cross_page;
	} rows[] = {
		{ 2, 8, 7, 63, 4095 }, { 3, 8, 6, 62, 4094 },  { 4, 8, 6, 62, 4094 },
		{ 5, 8, 5, 61, 4093 }, { 15, 8, 0, 56, 4088 }, { 16, 8, 0, 56, 4088 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(placement_offset(AT_IN_LINE, rows[i].length), rows[i].in_line);
		cr_expect_eq(placement_offset(AT_CROSS_8, rows[i].length), rows[i].cross_8);
		cr_expect_eq(placement_offset(AT_CROSS_LINE, rows[i].length), rows[i].cross_line);
		cr_expect_eq(placement_offset(AT_CROSS_PAGE, rows[i].length), rows[i].cross_page);
	}
}

/* For every length: bytes on either side of the boundary named, and across no greater one. */
Test(scenario, placement_crosses_what_it_says)
{
	static const uint32_t unit[PLACEMENTS + 1] = { 64, 8, 64, 4096, 8192 };

	for (uint32_t length = 2; length <= CM_MAX_SITE_LEN; length++) {
		for (int at = AT_IN_LINE; at < PLACEMENTS; at++) {
			uint32_t first = placement_offset((enum placement_at)at, length);
			uint32_t last = first + length - 1;
			uint32_t above = at == AT_CROSS_8 ? 64 : unit[at + 1];

			cr_expect_lt(first, 4096);
			cr_expect_eq(first / unit[at] == last / unit[at], at == AT_IN_LINE,
				     "%s, %u bytes at %u", placement_names[at], length, first);
			cr_expect(at == AT_IN_LINE || first / above == last / above,
				  "%s, %u bytes at %u", placement_names[at], length, first);
		}
	}
}

Test(scenario, placement_by_name)
{
	struct scenario s =
		example_stepped("{\"sites\": [{\"site\": \"nop5_jmp5\", \"at\": \"cross-8\"},"
				" {\"site\": \"nop5_jmp5\", \"at\": \"cross-line\"},"
				" {\"site\": \"nop5_jmp5\", \"at\": \"cross-page\"},"
				" {\"site\": \"nop1_int3\", \"at\": \"in-line\"}]}");

	cr_expect(s.nsites == 4 && s.site[0].offset == 5 && s.site[1].offset == 61);
	cr_expect(s.site[2].offset == 4093 && s.site[3].offset == 8);
	cr_expect_str_eq(s.site[2].at, "cross-page");
	scenario_fini(&s);
}

Test(scenario, fetch)
{
	static const struct {
		const char *chunk;
		uint32_t bytes;
	} rows[] = { { "\"byte\"", 1 },
		     { "\"halfword\"", 2 },
		     { "\"word\"", 4 },
		     { "8", 8 },
		     { "16", 16 },
		     { "\"line\"", 64 },
		     { "\"page\"", FETCH_CHUNK_PAGE } };
	struct scenario s;
	char change[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(change, sizeof(change), "{\"fetch\": {\"chunk\": %s}}", rows[i].chunk);
		s = example_stepped(change);
		cr_expect_eq(s.fetch.chunk, rows[i].bytes, "%s", change);
		scenario_fini(&s);
	}
	for (int model = 0; model < FETCH_ARM; model++) { /* not for x86: test_scenario_isa.c */
		snprintf(change, sizeof(change), "{\"fetch\": {\"model\": \"%s\"}}",
			 fetch_model_name((enum fetch_model)model));
		s = example_stepped(change);
		cr_expect_eq((int)s.fetch.model, model);
		scenario_fini(&s);
	}
	s = example_stepped("{\"fetch\": {\"delivery_syncs\": true, \"mfence_syncs\": true,"
			    " \"own_alias_visible\": true}, \"max_steps\": 7}");
	cr_expect(s.fetch.delivery_syncs && s.fetch.mfence_syncs && s.fetch.own_alias_visible);
	cr_expect_eq(s.max_steps, 7);
	scenario_fini(&s);
}

Test(scenario, free_options)
{
	struct scenario s = free_running(
		"{\"vcpus\": 3, \"executors\": {\"calls\": 0, \"pause\": 77}, \"patcher\": {\"pokes\": 5},"
		" \"free\": {\"iterations\": 1000000, \"nmi_rate\": 2.5, \"ipi_rate\": 1e7,"
		" \"ipi_vcpus\": [2], \"distribution\": \"burst\"}}");

	cr_expect(s.free.iterations == 1000000 && s.free.seconds == 0);
	cr_expect(s.free.nmi_rate == 2.5 && s.free.nmi_mask == 0x7);
	cr_expect(s.free.ipi_rate == 1e7 && s.free.ipi_mask == 0x4);
	cr_expect(s.calls == 0 && s.pokes == 5 && s.executor_pause == 77);
	cr_expect_eq(s.free.distribution, DISTRIBUTION_BURST);
	scenario_fini(&s);
}

Test(scenario, expect_takes_every_verdict)
{
	struct scenario s = example_stepped("{\"expect\": [\"torn\", \"not-seen\"]}");
	char change[100];

	cr_expect_eq(s.expect, 1u << VERDICT_TORN | 1u << VERDICT_NOT_SEEN);
	scenario_fini(&s);
	for (int v = 0; v < VERDICTS; v++) {
		snprintf(change, sizeof(change), "{\"expect\": \"%s\"}",
			 verdict_name((enum verdict)v));
		/* `safe` is a search's alone. */
		s = v == VERDICT_SAFE ? example_accept(&example_image, EXPLORE_BASE, change) :
					example_stepped(change);
		cr_expect_eq(s.expect, 1u << v);
		scenario_fini(&s);
	}
}

Test(scenario, names_are_not_looked_up_without_an_image)
{
	struct scenario s = example_accept(
		NULL, STEPPED_BASE,
		"{\"protocol\": \"any\", \"sites\": [{\"site\": \"any\", \"at\": \"cross-line\"}],"
		" \"schedule\": [{\"vcpu\": 0, \"until\": \"any\"},"
		" {\"vcpu\": 0, \"until_variable\": {\"name\": \"any\", \"equals\": 0}}]}");

	cr_expect_null(s.protocol);
	cr_expect_null(s.site[0].site);
	cr_expect_eq(s.site[0].offset, 61, "as if 5 bytes long");
	cr_expect(s.move[0].until.address == 0 && s.move[0].until.site == -1);
	scenario_fini(&s);
}

Test(scenario, name_is_the_path_below_scenarios)
{
	static const char *const rows[][2] = {
		{ "scenarios/x86_64/naive/torn.json", "x86_64/naive/torn" },
		{ "/a/scenarios/b/scenarios/c.json", "c" },
		{ "/a/my-scenarios/c.json", "/a/my-scenarios/c" },
		{ "c.json", "c" },
		{ "c", "c" },
		{ ".json", ".json" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		struct scenario s;

		cr_assert(scenario_parse(&s, rows[i][0], STEPPED_BASE, strlen(STEPPED_BASE), NULL,
					 &e),
			  "%s", e.text);
		cr_expect_str_eq(s.path, rows[i][0]);
		cr_expect_str_eq(s.name, rows[i][1]);
		scenario_fini(&s);
	}
}

/* ---- files ---- */

static void write_file(const char *path, const char *text, size_t padding)
{
	FILE *f = fopen(path, "w");

	cr_assert(f);
	fputs(text, f);
	while (padding--)
		fputc(' ', f);
	cr_assert_eq(fclose(f), 0);
}

Test(scenario, load)
{
	char path[] = "/tmp/crossmod-scenario-XXXXXX";
	int fd = mkstemp(path);
	struct err e = { 0 };
	struct scenario s;

	cr_assert_geq(fd, 0);
	close(fd);
	write_file(path, STEPPED_BASE, 0);
	cr_expect(scenario_load(&s, path, &example_image, &e), "%s", e.text);
	cr_expect_str_eq(s.text, STEPPED_BASE);
	scenario_fini(&s);
	write_file(path, STEPPED_BASE, (1 << 20) - strlen(STEPPED_BASE));
	cr_expect(scenario_load(&s, path, &example_image, &e), "1 MiB: %s", e.text);
	scenario_fini(&s);
	write_file(path, STEPPED_BASE, (1 << 20) - strlen(STEPPED_BASE) + 1);
	cr_expect_not(scenario_load(&s, path, &example_image, &e));
	cr_expect(strstr(e.text, ": larger than 1048576 bytes"), "%s", e.text);
	assert_empty(&s);
	unlink(path);
}

Test(scenario, load_says_why_it_cannot_read)
{
	struct err e = { 0 };
	struct scenario s;

	cr_expect_not(scenario_load(&s, "/nowhere/x.json", &example_image, &e));
	cr_expect(e.code == ERR_INPUT);
	cr_expect_str_eq(e.text, "/nowhere/x.json: No such file or directory");
	assert_empty(&s);
	cr_expect_not(scenario_load(&s, "/tmp", &example_image, &e));
	cr_expect_str_eq(e.text, "/tmp: Is a directory");
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_scenario.c - what scenario files are read as, and which are refused.
 *
 * Owns a guest image built by hand, so that nothing here needs a guest build.
 * Refusals are data: fixtures/bad.json.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"
#include "scenario_internal.h"

#define STEPPED_BASE                                                                         \
	"{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"nop5_jmp5\"}], " \
	"\"method\": \"stepped\", \"expect\": \"torn\"}"
#define FREE_BASE                                                                            \
	"{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"nop5_jmp5\"}], " \
	"\"method\": \"free\", \"free\": {\"seconds\": 1}, \"expect\": \"not-seen\"}"

/* ---- the image ---- */

#define CODE CM_IMAGE_BASE
#define DATA (CM_IMAGE_BASE + 0x4000u)

static char image_path[] = "hand-built.elf";
static struct image_segment segments[] = {
	{ .address = CODE, .size = 0x2000, .execute = true },
	{ .address = DATA, .size = 0x1000, .write = true },
};
static struct image_symbol symbols[] = {
	{ .name = "naive_patch", .address = CODE + 0x100, .size = 0x80, .function = true },
	{ .name = "int3_fixup.tail", .address = CODE + 0x200 },
	{ .name = "site_table", .address = CODE + 0x300 },
	{ .name = "patch_state", .address = DATA, .size = 4 },
	{ .name = "byte_flag", .address = DATA + 4, .size = 1 },
	{ .name = "unsized", .address = DATA + 8 },
	{ .name = "outside", .address = 0x40000000 },
};
static struct image_protocol protocols[] = { { .name = "int3" }, { .name = "naive" } };
static struct image_site sites[] = {
	{ .name = "nop1_int3", .record = { .length = 1, .image_size = 32 } },
	{ .name = "nop5_jmp5", .record = { .length = 5, .image_size = 64, .site_offset = 16 } },
};
static const struct image image = {
	.path = image_path,
	.segments = segments,
	.nsegments = sizeof(segments) / sizeof(segments[0]),
	.symbols = symbols,
	.nsymbols = sizeof(symbols) / sizeof(symbols[0]),
	.protocols = protocols,
	.nprotocols = sizeof(protocols) / sizeof(protocols[0]),
	.sites = sites,
	.nsites = sizeof(sites) / sizeof(sites[0]),
};

/* ---- helpers ---- */

static json_t *load_tree(const char *path)
{
	const char *top = getenv("CROSSMOD_SRC");
	char full[4096];
	json_error_t error;
	json_t *json;

	snprintf(full, sizeof(full), "%s/%s", top ? top : ".", path);
	json = json_load_file(full, JSON_REJECT_DUPLICATES, &error);
	cr_assert(json, "%s:%d: %s (set CROSSMOD_SRC to the top of the tree)", full, error.line,
		  error.text);
	return json;
}

/* (base) with its top-level keys replaced and added to by (change). */
static char *merged(const char *base, const json_t *change, const char *without)
{
	json_t *json = json_loads(base, 0, NULL);
	char *text;

	json_object_update(json, (json_t *)(uintptr_t)change);
	if (without)
		json_object_del(json, without);
	text = json_dumps(json, 0);
	json_decref(json);
	return text;
}

static void assert_empty(const struct scenario *s)
{
	static const struct scenario empty;

	cr_assert_eq(memcmp(s, &empty, sizeof(empty)), 0, "a failure leaves nothing behind");
}

/* (base) with the keys of (change), which is JSON, must be accepted. */
static struct scenario accept(const struct image *img, const char *base, const char *change)
{
	json_t *json = json_loads(change, 0, NULL);
	struct err e = { 0 };
	struct scenario s;
	char *text;

	cr_assert(json, "the test's own JSON: %s", change);
	text = merged(base, json, NULL);
	cr_assert(scenario_parse(&s, "t.json", text, strlen(text), img, &e), "%s", e.text);
	cr_assert_str_eq(s.text, text);
	free(text);
	json_decref(json);
	return s;
}

static struct scenario stepped(const char *change)
{
	return accept(&image, STEPPED_BASE, change);
}

static struct scenario free_running(const char *change)
{
	return accept(&image, FREE_BASE, change);
}

static void assert_rejects(size_t index, const char *text, const char *expected)
{
	struct err e = { 0 };
	struct scenario s;

	cr_assert_not(scenario_parse(&s, "bad.json", text, strlen(text), &image, &e),
		      "bad.json[%zu] was accepted; expected \"%s\"", index, expected);
	cr_expect(e.code == ERR_INPUT, "bad.json[%zu]: code %d", index, e.code);
	cr_expect(strstr(e.text, expected), "bad.json[%zu]: expected \"%s\"\n  in \"%s\"", index,
		  expected, e.text);
	cr_expect_eq(strncmp(e.text, "bad.json:", 9), 0, "bad.json[%zu]: no file in \"%s\"", index,
		     e.text);
	cr_expect_not(strchr(e.text, '\n'), "bad.json[%zu]: more than one line: %s", index, e.text);
	assert_empty(&s);
	cr_expect_not(scenario_parse(&s, "bad.json", text, strlen(text), &image, NULL),
		      "bad.json[%zu]: accepted without a place for the error", index);
}

/* ---- refusals ---- */

Test(scenario, bad)
{
	json_t *cases = load_tree("vmm/tests/fixtures/bad.json"), *item;
	size_t i;

	cr_assert_geq(json_array_size(cases), 45);
	json_array_foreach (cases, i, item) {
		const char *expected = json_string_value(json_object_get(item, "error"));
		const char *without = json_string_value(json_object_get(item, "without"));
		json_t *input = json_object_get(item, "input");
		json_t *change = json_object_get(item, "stepped");
		char *text;

		cr_assert(expected, "bad.json[%zu] has no \"error\"", i);
		if (json_is_string(input))
			text = strdup(json_string_value(input));
		else if (input)
			text = json_dumps(input, 0);
		else if (change)
			text = merged(STEPPED_BASE, change, without);
		else
			text = merged(FREE_BASE, json_object_get(item, "free"), without);
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
	cr_assert_not(scenario_parse(&s, "t.json", text, strlen(text), &image, &e));
	cr_assert(strstr(e.text, "; known here: $schema"), "%s", e.text);
	free(text);
	free(name);
}

/* ---- what is read ---- */

Test(scenario, defaults_stepped)
{
	struct scenario s = stepped("{\"$schema\": \"../../schema.json\"}");

	cr_expect_str_eq(s.why, "w");
	cr_expect_null(s.source);
	cr_expect_str_eq(s.protocol_name, "naive");
	cr_expect_eq(s.protocol, &protocols[1]);
	cr_expect_eq(s.nsites, 1);
	cr_expect_str_eq(s.site[0].name, "nop5_jmp5");
	cr_expect_str_eq(s.site[0].at, "in-line");
	cr_expect_eq(s.site[0].site, &sites[1]);
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
	struct scenario s = stepped(
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
	struct scenario s = stepped("{\"vcpus\": 16, \"patcher\": {\"vcpu\": 4}}");

	cr_expect_eq(s.executors, 0xffef);
	scenario_fini(&s);
	s = stepped("{\"vcpus\": 1}");
	cr_expect_eq(s.executors, 0);
	scenario_fini(&s);
	s = stepped("{\"executors\": {\"vcpus\": []}}");
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
	struct scenario s = stepped("{\"sites\": [{\"site\": \"nop5_jmp5\", \"at\": \"cross-8\"},"
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
		s = stepped(change);
		cr_expect_eq(s.fetch.chunk, rows[i].bytes, "%s", change);
		scenario_fini(&s);
	}
	for (int model = 0; model < FETCH_MODELS; model++) {
		snprintf(change, sizeof(change), "{\"fetch\": {\"model\": \"%s\"}}",
			 fetch_model_name((enum fetch_model)model));
		s = stepped(change);
		cr_expect_eq((int)s.fetch.model, model);
		scenario_fini(&s);
	}
	s = stepped("{\"fetch\": {\"delivery_syncs\": true, \"mfence_syncs\": true,"
		    " \"own_alias_visible\": true}, \"max_steps\": 7}");
	cr_expect(s.fetch.delivery_syncs && s.fetch.mfence_syncs && s.fetch.own_alias_visible);
	cr_expect_eq(s.max_steps, 7);
	scenario_fini(&s);
}

Test(scenario, moves_that_run)
{
	struct scenario s = stepped(
		"{\"schedule\": [{\"vcpu\": 1, \"steps\": 3, \"hold_ipis\": true},"
		" {\"vcpu\": \"all\", \"steps\": 5},"
		" {\"vcpu\": 1, \"until\": \"int3_fixup.tail\"},"
		" {\"vcpu\": 1, \"until\": \"naive_patch+0x10\", \"hit\": 3},"
		" {\"vcpu\": 1, \"until_stores\": 2},"
		" {\"vcpu\": 1, \"until_variable\": {\"name\": \"patch_state\", \"equals\": 7}},"
		" {\"vcpu\": 1, \"until_variable\": {\"name\": \"unsized\", \"equals\": 0}},"
		" {\"vcpu\": \"all\", \"until_done\": true}]}");
	const struct move *m = s.move;

	cr_assert_eq(s.nmoves, 8);
	for (size_t i = 0; i < s.nmoves; i++)
		cr_expect(m[i].kind == MOVE_RUN && m[i].until.site == -1, "move %zu", i);
	cr_expect(m[0].vcpu == 1 && m[0].steps == 3 && m[0].hold_ipis && !m[0].all);
	cr_expect(m[0].until.kind == POINT_NONE);
	cr_expect(m[1].all && m[1].steps == 5 && !m[1].hold_ipis);
	cr_expect(m[2].until.kind == POINT_ADDRESS && m[2].until.address == CODE + 0x200);
	cr_expect(m[2].until.hit == 1 && m[2].until.vcpu == 1 && m[2].steps == 0);
	cr_expect_str_eq(m[2].until.text, "int3_fixup.tail");
	cr_expect(m[3].until.address == CODE + 0x110 && m[3].until.hit == 3);
	cr_expect(m[4].until.kind == POINT_STORES && m[4].until.value == 2);
	cr_expect_str_eq(m[4].until.text, "store 2");
	cr_expect(m[5].until.kind == POINT_VARIABLE && m[5].until.address == DATA);
	cr_expect_eq(m[5].until.value, 7);
	cr_expect_str_eq(m[5].until.text, "patch_state = 7");
	cr_expect_eq(m[6].until.address, DATA + 8);
	cr_expect(m[7].all && m[7].until.kind == POINT_DONE);
	scenario_fini(&s);
}

Test(scenario, points_at_sites)
{
	struct scenario s = stepped("{\"sites\": [{\"site\": \"nop5_jmp5\"},"
				    " {\"site\": \"nop5_jmp5\"}], \"schedule\": ["
				    " {\"vcpu\": 0, \"until\": \"site0\"},"
				    " {\"vcpu\": 0, \"until\": \"site1+0x2\"},"
				    " {\"vcpu\": 0, \"until\": \"site1+12\", \"hit\": 2},"
				    " {\"vcpu\": 0, \"until\": \"site_table\"}]}");
	const struct move *m = s.move;

	for (size_t i = 0; i < 4; i++)
		cr_expect(m[i].until.kind == POINT_ADDRESS);
	cr_expect(m[0].until.site == 0 && m[0].until.offset == 0 && m[0].until.address == 0);
	cr_expect(m[1].until.site == 1 && m[1].until.offset == 2);
	cr_expect(m[2].until.site == 1 && m[2].until.offset == 12 && m[2].until.hit == 2);
	cr_expect(m[3].until.site == -1 && m[3].until.address == CODE + 0x300);
	scenario_fini(&s);
}

Test(scenario, moves_that_fetch)
{
	struct scenario s =
		stepped("{\"fetch\": {\"model\": \"stale\"}, \"schedule\": ["
			" {\"vcpu\": 1, \"fetch\": {\"head\": \"old\", \"tail\": \"new\"}},"
			" {\"vcpu\": 1, \"fetch\": [0, \"old\", 65535]}]}");
	const struct move *m = s.move;

	cr_expect(m[0].kind == MOVE_FETCH && m[0].head_tail && m[0].nchunks == 2);
	cr_expect(m[0].chunk[0].which == FORCED_OLDEST && m[0].chunk[1].which == FORCED_NEWEST);
	cr_expect(m[1].kind == MOVE_FETCH && !m[1].head_tail && m[1].nchunks == 3);
	cr_expect(m[1].chunk[0].which == FORCED_INDEX && m[1].chunk[0].index == 0);
	cr_expect(m[1].chunk[1].which == FORCED_OLDEST);
	cr_expect(m[1].chunk[2].which == FORCED_INDEX && m[1].chunk[2].index == 65535);
	scenario_fini(&s);

	s = stepped("{\"schedule\": [{\"vcpu\": 1, \"fetch\": [\"new\"]}]}");
	cr_expect(s.move[0].chunk[0].which == FORCED_NEWEST && s.move[0].nchunks == 1);
	scenario_fini(&s);

	s = stepped("{\"fetch\": {\"model\": \"desc\"}, \"schedule\": ["
		    " {\"vcpu\": 1, \"latch\": 2}]}");
	cr_expect(s.move[0].kind == MOVE_LATCH && s.move[0].steps == 2 && s.move[0].vcpu == 1);
	scenario_fini(&s);
}

Test(scenario, moves_that_deliver)
{
	struct scenario s = stepped("{\"schedule\": [{\"vcpu\": 1, \"deliver\": \"ipi\"},"
				    " {\"vcpu\": 1, \"deliver\": \"nmi\"},"
				    " {\"vcpu\": 0, \"deliver\": \"raised-ipi\"}]}");

	cr_expect(s.move[0].kind == MOVE_IPI && s.move[0].vcpu == 1);
	cr_expect(s.move[1].kind == MOVE_NMI);
	cr_expect(s.move[2].kind == MOVE_RAISE && s.move[2].vcpu == 0);
	scenario_fini(&s);
}

Test(scenario, injections)
{
	struct scenario s = stepped(
		"{\"inject\": [{\"what\": \"nmi\", \"vcpu\": 1, \"at\": \"site0+1\"},"
		" {\"what\": \"ipi\", \"vcpu\": 1, \"at\": \"naive_patch+4\", \"on\": 0, \"hit\": 2},"
		" {\"what\": \"stall\", \"vcpu\": 0, \"at_stores\": 1, \"steps\": 50},"
		" {\"what\": \"nmi\", \"vcpu\": 0,"
		"  \"when\": {\"name\": \"patch_state\", \"equals\": 1}}]}");
	const struct injection *inj = s.injection;

	cr_assert_eq(s.ninjections, 4);
	cr_expect(inj[0].kind == INJECT_NMI && inj[0].vcpu == 1 && inj[0].at.vcpu == 1);
	cr_expect(inj[0].at.kind == POINT_ADDRESS && inj[0].at.site == 0 && inj[0].at.offset == 1);
	cr_expect(inj[0].at.hit == 1 && inj[0].steps == 0);
	cr_expect(inj[1].kind == INJECT_IPI && inj[1].vcpu == 1 && inj[1].at.vcpu == 0);
	cr_expect(inj[1].at.address == CODE + 0x104 && inj[1].at.hit == 2 && inj[1].at.site == -1);
	cr_expect(inj[2].kind == INJECT_STALL && inj[2].steps == 50);
	cr_expect(inj[2].at.kind == POINT_STORES && inj[2].at.value == 1);
	cr_expect(inj[3].at.kind == POINT_VARIABLE && inj[3].at.address == DATA);
	cr_expect_eq(inj[3].at.value, 1);
	scenario_fini(&s);
}

Test(scenario, free_options)
{
	struct scenario s = free_running(
		"{\"vcpus\": 3, \"executors\": {\"calls\": 0}, \"patcher\": {\"pokes\": 5},"
		" \"free\": {\"iterations\": 1000000, \"nmi_rate\": 2.5, \"ipi_rate\": 1e7,"
		" \"ipi_vcpus\": [2]}}");

	cr_expect(s.free.iterations == 1000000 && s.free.seconds == 0);
	cr_expect(s.free.nmi_rate == 2.5 && s.free.nmi_mask == 0x7);
	cr_expect(s.free.ipi_rate == 1e7 && s.free.ipi_mask == 0x4);
	cr_expect(s.calls == 0 && s.pokes == 5);
	scenario_fini(&s);
}

Test(scenario, expect_takes_every_verdict)
{
	struct scenario s = stepped("{\"expect\": [\"torn\", \"not-seen\"]}");
	char change[100];

	cr_expect_eq(s.expect, 1u << VERDICT_TORN | 1u << VERDICT_NOT_SEEN);
	scenario_fini(&s);
	for (int v = 0; v < VERDICTS; v++) {
		snprintf(change, sizeof(change), "{\"expect\": \"%s\"}",
			 verdict_name((enum verdict)v));
		s = stepped(change);
		cr_expect_eq(s.expect, 1u << v);
		scenario_fini(&s);
	}
}

Test(scenario, names_are_not_looked_up_without_an_image)
{
	struct scenario s = accept(
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
	cr_expect(scenario_load(&s, path, &image, &e), "%s", e.text);
	cr_expect_str_eq(s.text, STEPPED_BASE);
	scenario_fini(&s);
	write_file(path, STEPPED_BASE, (1 << 20) - strlen(STEPPED_BASE));
	cr_expect(scenario_load(&s, path, &image, &e), "1 MiB: %s", e.text);
	scenario_fini(&s);
	write_file(path, STEPPED_BASE, (1 << 20) - strlen(STEPPED_BASE) + 1);
	cr_expect_not(scenario_load(&s, path, &image, &e));
	cr_expect(strstr(e.text, ": larger than 1048576 bytes"), "%s", e.text);
	assert_empty(&s);
	unlink(path);
}

Test(scenario, load_says_why_it_cannot_read)
{
	struct err e = { 0 };
	struct scenario s;

	cr_expect_not(scenario_load(&s, "/nowhere/x.json", &image, &e));
	cr_expect(e.code == ERR_INPUT);
	cr_expect_str_eq(e.text, "/nowhere/x.json: No such file or directory");
	assert_empty(&s);
	cr_expect_not(scenario_load(&s, "/tmp", &image, &e));
	cr_expect_str_eq(e.text, "/tmp: Is a directory");
}

/* ---- the schema for editors says what the reader does ---- */

static void assert_same_keys(const char *form, const json_t *schema, const char *const *keys)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *additional = json_object_get(schema, "additionalProperties");
	const char *key;
	json_t *value;
	size_t n = 0;

	cr_assert(json_is_object(properties), "%s: not in schema.json", form);
	cr_expect(json_is_false(additional), "%s: additionalProperties is not false", form);
	for (; keys[n]; n++)
		cr_expect(json_object_get(properties, keys[n]), "%s: '%s' is not in schema.json",
			  form, keys[n]);
	json_object_foreach ((json_t *)(uintptr_t)properties, key, value) {
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= !strcmp(keys[i], key);
		cr_expect(known, "%s: '%s' of schema.json is not read", form, key);
	}
}

static void assert_same_names(const json_t *list, const char *what, size_t count,
			      const char *(*name)(size_t))
{
	cr_assert_eq(json_array_size(list), count, "%s: schema.json lists %zu of %zu", what,
		     json_array_size(list), count);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(json_string_value(json_array_get(list, i)), name(i), "%s", what);
}

static const char *nth_verdict(size_t i)
{
	return verdict_name((enum verdict)i);
}

static const char *nth_model(size_t i)
{
	return fetch_model_name((enum fetch_model)i);
}

static const char *nth_method(size_t i)
{
	return method_name((enum method)i);
}

static json_t *enum_of(const json_t *form, const char *key)
{
	return json_object_get(json_object_get(json_object_get(form, "properties"), key), "enum");
}

Test(scenario, schema_has_the_same_keys)
{
	json_t *schema = load_tree("scenarios/schema.json");
	json_t *defs = json_object_get(schema, "$defs"), *def;
	size_t objects = 0;
	const char *name;

	for (size_t i = 0; i < scenario_nforms; i++) {
		const struct scenario_form *f = &scenario_forms[i];

		assert_same_keys(f->name ? f->name : "$",
				 f->name ? json_object_get(defs, f->name) : schema, f->keys);
	}
	json_object_foreach (defs, name, def)
		objects += !!json_object_get(def, "properties");
	cr_expect_eq(objects + 1, scenario_nforms, "a kind of object only schema.json knows");
	json_decref(schema);
}

Test(scenario, schema_has_the_same_names)
{
	json_t *schema = load_tree("scenarios/schema.json");
	json_t *defs = json_object_get(schema, "$defs");

	assert_same_names(json_object_get(json_object_get(defs, "verdict"), "enum"), "verdict",
			  VERDICTS, nth_verdict);
	assert_same_names(enum_of(json_object_get(defs, "fetch"), "model"), "model", FETCH_MODELS,
			  nth_model);
	assert_same_names(enum_of(schema, "method"), "method", METHODS, nth_method);
	json_decref(schema);
}

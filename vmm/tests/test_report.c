// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report.c - results as words, as a line, as a document and as a file.
 * Witnesses are in test_report_witness.c, tables in test_report_table.c.
 */
#include "test_report_fixture.h"

#include "report/report_json.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t entries_in(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	cr_assert(dir, "%s", path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

TestSuite(report, .init = scratch_make, .fini = scratch_remove);

/* The (keys) of (object), in this order and no others. */
static void assert_keys(json_t *object, const char *const *keys, size_t n)
{
	const char *key;
	json_t *value;
	size_t i = 0;

	json_object_foreach (object, key, value) {
		cr_assert(i < n, "unexpected '%s'", key);
		cr_expect_str_eq(key, keys[i]);
		i++;
	}
	cr_expect_eq(i, n);
}

static const char *string_at(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	cr_assert(s, "'%s' is no string", key);
	return s;
}

static json_int_t integer_at(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	cr_assert(json_is_integer(value), "'%s' is no integer", key);
	return json_integer_value(value);
}

static bool is_null(json_t *object, const char *key)
{
	return json_is_null(json_object_get(object, key));
}

/* ---- words ---- */

Test(report, words)
{
	static const struct {
		uint32_t chunk;
		const char *text;
	} chunks[] = { { 1, "sc/byte" }, { 2, "sc/halfword" }, { 4, "sc/word" },   { 8, "sc/8" },
		       { 16, "sc/16" },	 { 64, "sc/line" },    { 4096, "sc/page" } };
	char buf[128], small[12];

	for (size_t i = 0; i < COUNT(chunks); i++) {
		struct fetch_config f = { .model = FETCH_SC, .chunk = chunks[i].chunk };

		cr_expect_str_eq(report_fetch(&f, buf, sizeof(buf)), chunks[i].text);
	}
	cr_expect_str_eq(report_sites(&sample_stepped_scenario, buf, sizeof(buf)),
			 "nop5_jmp5@cross-line(0x3d)+nop5_jmp5@0x3d");
	cr_expect_str_eq(report_sites(&sample_stepped_scenario, small, sizeof(small)),
			 "nop5_jmp5@c");
	cr_expect_str_eq(report_alignment(0x2000103d, 5, buf, sizeof(buf)),
			 "3 bytes before, 2 behind a 64-byte line boundary");
	cr_expect_str_eq(report_alignment(0x20001fff, 5, buf, sizeof(buf)),
			 "1 byte before, 4 behind a page boundary");
	cr_expect_str_eq(report_alignment(0x20001006, 5, buf, sizeof(buf)),
			 "2 bytes before, 3 behind an 8-byte word boundary");
	cr_expect_str_eq(report_alignment(0x20001008, 5, buf, sizeof(buf)),
			 "inside an 8-byte word");
	cr_expect_str_eq(report_alignment(0x20001003, 5, buf, sizeof(buf)),
			 "inside an 8-byte word");
	cr_expect_str_eq(report_violation(VIOLATION_CRASH), "crash");
	cr_expect_str_eq(report_violation(VIOLATION_UNHANDLED_TRAP), "unhandled-trap");
}

Test(report, host)
{
	struct host h = { .quirks_known = false };
	char buf[160];

	cr_expect_str_eq(host_quirks(&h, buf, sizeof(buf)), "unknown");
	h.quirks_known = true;
	cr_expect_str_eq(host_quirks(&h, buf, sizeof(buf)), "none");
	memset(&h.quirks, true, sizeof(h.quirks));
	cr_expect_str_eq(host_quirks(&h, buf, sizeof(buf)),
			 "no-sync-regs,cpl0-emulated,int3-cpl0-injected,step-cpl3-via-guest-db,"
			 "iret-emulated,pushf-shows-step,rep-runs-whole,no-run-to");
	cr_expect_str_eq(host_quirks(&h, buf, 10), "no-sync-r");
	unsetenv("CROSSMOD_EMULATED");
	host_read(&h);
	cr_expect_not(h.quirks_known);
	cr_expect(h.arch[0] && h.kernel[0] && h.cpu[0], "%s, %s, %s", h.arch, h.kernel, h.cpu);
	cr_expect(h.cores >= 1);
	cr_expect_str_eq(h.version, CROSSMOD_VERSION);
	cr_expect_str_eq(h.commit, CROSSMOD_COMMIT);
	cr_expect_not(strpbrk(h.cpu, "\n\t"));
}

/* The planted fault of the refusal to run at full speed in an emulator. */
Test(report, a_host_inside_an_emulator)
{
	struct host h;
	struct err e = { 0 };

	setenv("CROSSMOD_EMULATED", "QEMU 1.2 amd on A CPU", 1);
	host_read(&h);
	cr_expect_str_eq(h.emulated, "QEMU 1.2 amd on A CPU");
	cr_expect_not(host_is_silicon(&h, &e));
	cr_expect_eq(e.code, ERR_UNSUPPORTED);
	cr_expect(strstr(e.text, "QEMU 1.2 amd on A CPU"), "%s", e.text);
	unsetenv("CROSSMOD_EMULATED");
	host_read(&h);
	cr_expect_eq(host_is_silicon(&h, &e), !arch_emulator());
}

/* ---- the line ---- */

static const char *const line_keys[] = {
	"scenario", "protocol",	   "site",    "method",	   "fetch",  "verdict",
	"expected", "as_expected", "reason",  "exhausted", "states", "transitions",
	"steps",    "seconds",	   "witness", "host",
};

Test(report, line_stepped)
{
	static const char *const host_keys[] = { "arch",    "cpu",	"microcode", "kernel",
						 "kvm",	    "emulated", "cores",     "quirks",
						 "version", "commit" };
	struct result r;
	json_t *line, *h;
	char *text;

	sample_stepped(&r);
	strcpy(r.path, "results/x.json");
	text = report_line(&r);
	cr_assert_not(strchr(text, '\n'));
	line = sample_parse(text);
	assert_keys(line, line_keys, COUNT(line_keys));
	cr_expect_str_eq(string_at(line, "scenario"), sample_stepped_scenario.name);
	cr_expect_str_eq(string_at(line, "protocol"), sample_stepped_scenario.protocol_name);
	cr_expect_str_eq(string_at(line, "site"), "nop5_jmp5@cross-line(0x3d)+nop5_jmp5@0x3d");
	cr_expect_str_eq(string_at(line, "method"), "stepped");
	cr_expect_str_eq(string_at(line, "fetch"), "stale/byte");
	cr_expect_str_eq(string_at(line, "verdict"), "torn");
	cr_expect_str_eq(string_at(line, "reason"), r.reason);
	cr_expect_str_eq(string_at(line, "witness"), "results/x.json");
	cr_expect_eq(json_array_size(json_object_get(line, "expected")), 2);
	cr_expect(json_is_true(json_object_get(line, "as_expected")));
	cr_expect(json_is_false(json_object_get(line, "exhausted")));
	cr_expect_eq(integer_at(line, "steps"), 4);
	cr_expect_eq(integer_at(line, "states"), 0);
	cr_expect_float_eq(json_real_value(json_object_get(line, "seconds")), 0.0125, 1e-12);
	h = json_object_get(line, "host");
	assert_keys(h, host_keys, COUNT(host_keys));
	cr_expect_str_eq(string_at(h, "cpu"), "A CPU ? of 3 GHz");
	cr_expect_str_eq(string_at(h, "quirks"), "cpl0-emulated,iret-emulated");
	cr_expect_eq(integer_at(h, "cores"), 8);
	cr_expect(is_null(h, "microcode"));
	json_decref(line);
}

/* Nothing written, nothing recorded, or no final state: no witness. */
Test(report, line_without_witness)
{
	struct result r;
	json_t *line;

	for (int i = 0; i < 4; i++) {
		sample_stepped(&r);
		if (i != 0)
			strcpy(r.path, "results/x.json");
		if (i == 1)
			r.schedule.count = 0;
		if (i == 2)
			r.observation.digest[0] = '\0';
		if (i == 3)
			r.scenario = &sample_free_scenario;
		line = sample_parse(report_line(&r));
		cr_expect(is_null(line, "witness"), "case %d", i);
		json_decref(line);
	}
}

Test(report, line_free)
{
	struct result r;
	json_t *line;

	sample_free(&r);
	r.observation.seconds = 0.0 / 0.0;
	line = sample_parse(report_line(&r));
	assert_keys(line, line_keys, COUNT(line_keys));
	cr_expect(is_null(line, "fetch"));
	cr_expect(is_null(line, "witness"));
	cr_expect(json_is_false(json_object_get(line, "as_expected")));
	cr_expect_eq(json_real_value(json_object_get(line, "seconds")), 0);
	json_decref(line);
}

/* ---- the document ---- */

static void assert_site(json_t *o)
{
	static const char *const keys[] = { "name",    "at",  "offset", "alignment",
					    "address", "old", "new" };

	assert_keys(o, keys, COUNT(keys));
	cr_expect_str_eq(string_at(o, "at"), "cross-line");
	cr_expect_str_eq(string_at(o, "alignment"),
			 "3 bytes before, 2 behind a 64-byte line boundary");
	cr_expect_str_eq(string_at(o, "address"), "0x2000103d");
	cr_expect_str_eq(string_at(o, "old"), "0f 1f 44 00 00");
	cr_expect_str_eq(string_at(o, "new"), "e9 0b 00 00 00");
}

static void assert_violation(json_t *o)
{
	json_t *event = json_object_get(o, "event");

	cr_expect_str_eq(string_at(o, "kind"), "torn");
	cr_expect_eq(integer_at(o, "vcpu"), 1);
	cr_expect_eq(integer_at(o, "step"), 3);
	cr_expect_str_eq(string_at(o, "text"), "neither old nor new ran at site0");
	cr_expect_str_eq(string_at(event, "value"), "0x8000c0debad00000");
	cr_expect_str_eq(string_at(event, "pad"), "0x2000");
}

Test(report, document_stepped)
{
	static const char *const keys[] = {
		"format",      "scenario",	"protocol",	 "site",	  "method",
		"fetch",       "why",		"source",	 "verdict",	  "expected",
		"as_expected", "reason",	"exhausted",	 "states",	  "transitions",
		"steps",       "guest",		"sites",	 "vcpus",	  "patcher",
		"executors",   "nmi_runs_site", "nmi_latch",	 "ipi_runs_site", "knobs",
		"budgets",     "bounds",	"end",		 "stores",	  "counts",
		"violations",  "totals",	"schedule",	 "digest",	  "host",
		"witness",     "scenario_path", "scenario_text", "seconds",	  "date",
	};
	struct result r;
	json_t *o, *counts;

	sample_stepped(&r);
	o = sample_parse(report_document(&r));
	assert_keys(o, keys, COUNT(keys));
	cr_expect_str_eq(string_at(o, "format"), REPORT_FORMAT);
	cr_expect_str_eq(string_at(o, "why"), sample_stepped_scenario.why);
	cr_expect(is_null(o, "source"));
	cr_expect_str_eq(string_at(o, "end"), "violation");
	cr_expect_str_eq(string_at(o, "schedule"), "0s*2 1s@0,2 1n");
	cr_expect_str_eq(string_at(o, "scenario_text"), sample_stepped_scenario.text);
	cr_expect_str_eq(string_at(json_object_get(o, "guest"), "digest"), sample_image.digest);
	assert_site(json_array_get(json_object_get(o, "sites"), 0));
	cr_expect(json_is_true(json_object_get(json_object_get(o, "knobs"), "mfence_syncs")));
	cr_expect_eq(integer_at(json_object_get(o, "bounds"), "max_steps"), 20000);
	cr_expect_eq(integer_at(json_object_get(o, "totals"), "torn"), 1);
	assert_violation(json_array_get(json_object_get(o, "violations"), 0));
	counts = json_array_get(json_object_get(o, "counts"), 1);
	cr_expect_eq(integer_at(counts, "executions"), 7);
	cr_expect_eq(integer_at(json_object_get(counts, "nmis"), "requested"), 5);
	cr_expect_eq(strlen(string_at(o, "date")), strlen("2026-01-01T00:00:00Z"));
	json_decref(o);
}

/* Of sample_free(): retries 1 and 3 in the two patches begun, 2 ms and 6 ms at 1 MHz. */
static void assert_timed(json_t *o)
{
	json_t *patches = json_object_get(o, "patches"), *injector = json_object_get(o, "injector");
	json_t *retries = json_object_get(patches, "retries");
	json_t *seconds = json_object_get(patches, "seconds");

	cr_expect_eq(integer_at(patches, "begun"), 2);
	cr_expect_eq(integer_at(patches, "completed"), 1);
	cr_expect_eq(json_real_value(json_object_get(retries, "mean")), 2);
	cr_expect_eq(json_real_value(json_object_get(retries, "p50")), 1);
	cr_expect_eq(json_real_value(json_object_get(retries, "max")), 3);
	cr_expect_float_eq(json_real_value(json_object_get(seconds, "mean")), 4e-3, 1e-9);
	cr_expect_float_eq(json_real_value(json_object_get(seconds, "p99")), 6e-3, 2e-4);
	cr_expect(json_is_false(json_object_get(injector, "own_processor")));
	cr_expect_eq(integer_at(injector, "shares_with_vcpu"), 1);
	cr_expect(is_null(json_object_get(injector, "lateness_seconds"), "p50"), "it sent none");
}

Test(report, document_free)
{
	struct result r;
	json_t *o, *ppm, *budgets;

	sample_free(&r);
	o = sample_parse(report_document(&r));
	cr_expect(is_null(o, "schedule"));
	cr_expect(is_null(o, "digest"));
	cr_expect(is_null(o, "knobs"));
	ppm = json_object_get(o, "torn_ppm");
	cr_expect_float_eq(json_real_value(json_object_get(ppm, "estimate")), 12 / 3.4, 1e-6);
	cr_expect_float_eq(json_real_value(json_object_get(ppm, "low")), 2.019048106, 1e-6);
	cr_expect_float_eq(json_real_value(json_object_get(ppm, "high")), 6.169607001, 1e-6);
	budgets = json_object_get(o, "budgets");
	cr_expect_eq(json_array_size(json_object_get(budgets, "nmi_vcpus")), 2);
	cr_expect_eq(json_array_size(json_object_get(budgets, "ipi_vcpus")), 0);
	cr_expect(is_null(json_object_get(o, "bounds"), "iterations"));
	cr_expect_str_eq(string_at(budgets, "distribution"), "periodic");
	assert_timed(o);
	json_decref(o);
	r.observation.cpu[1].guest.executions = r.observation.cpu[3].guest.executions = 1;
	o = sample_parse(report_document(&r));
	cr_expect(is_null(o, "torn_ppm"), "more violations than executions counted");
	json_decref(o);
}

/* Who reads of NMIs on Arm is told what they were. */
Test(report, events_of_arm_are_named)
{
	json_t *lines = json_object(), *gic = json_object();

	report_put_events(lines, CM_IRQCHIP_NONE);
	cr_expect_str_eq(string_at(lines, "nmi_is"),
			 "FIQ by the vCPU's FIQ line, taken with IRQs masked");
	cr_expect_str_eq(string_at(lines, "ipi_is"), "IRQ by the vCPU's IRQ line");
	report_put_events(gic, CM_IRQCHIP_GICV2);
	cr_expect(strstr(string_at(gic, "nmi_is"), "FIQ of group 0 by KVM's gicv2"));
	cr_expect_str_eq(string_at(gic, "ipi_is"), "IRQ of group 1 by KVM's gicv2");
	json_decref(lines);
	json_decref(gic);
}

/* ---- files ---- */

Test(report, write)
{
	char deep[128], expected[256];
	struct result r;
	struct stat st;
	json_t *o;

	sample_stepped(&r);
	snprintf(deep, sizeof(deep), "%s/a//b/", scratch_directory);
	o = sample_written(&r, deep);
	snprintf(expected, sizeof(expected), "%s/x86_64-int3-late-tail.json", deep);
	cr_expect_str_eq(r.path, expected);
	cr_expect_str_eq(string_at(o, "witness"), "x86_64-int3-late-tail.json");
	cr_expect_eq(entries_in(deep), 1);
	cr_assert_eq(stat(r.path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0644);
	json_decref(o);
	scratch_drop("a/b/x86_64-int3-late-tail.json");
	scratch_drop("a/b");
	scratch_drop("a");
}

/* Wherever and whenever it is written, a result differs in its last two members only. */
Test(report, same_bytes)
{
	char other[128];
	struct result r;
	char *text[2];
	json_t *o;

	snprintf(other, sizeof(other), "%s/other", scratch_directory);
	for (int i = 0; i < 2; i++) {
		sample_stepped(&r);
		r.observation.seconds = i + 1;
		o = sample_written(&r, i ? other : scratch_directory);
		cr_assert_eq(json_object_del(o, "date"), 0);
		cr_assert_eq(json_object_del(o, "seconds"), 0);
		text[i] = json_dumps(o, JSON_INDENT(2));
		json_decref(o);
	}
	cr_expect_str_eq(text[0], text[1]);
	free(text[0]);
	free(text[1]);
	scratch_drop("other/x86_64-int3-late-tail.json");
	scratch_drop("other");
	scratch_drop("x86_64-int3-late-tail.json");
}

static void assert_unwritable(const char *dir, const char *expected)
{
	struct err e = { 0 };
	struct result r;

	sample_stepped(&r);
	cr_assert_not(report_write(&r, dir, &e), "%s", dir);
	cr_expect_eq(e.code, ERR_HOST, "%s: code %d", dir, e.code);
	cr_expect(strstr(e.text, expected), "%s: \"%s\"", dir, e.text);
	cr_expect_str_empty(r.path);
	cr_expect_not(report_write(&r, dir, NULL));
}

/* Root writes anywhere, so what stands in the way is not a permission. */
Test(report, unwritable)
{
	char path[128], deep[600], name[256];
	struct scenario s = sample_stepped_scenario;
	struct err e = { 0 };
	struct result r;

	snprintf(path, sizeof(path), "%s/file", scratch_directory);
	fclose(fopen(path, "w"));
	assert_unwritable(path, "Not a directory");
	snprintf(path, sizeof(path), "%s/file/below", scratch_directory);
	assert_unwritable(path, "Not a directory");
	scratch_drop("file");
	assert_unwritable("/proc/crossmod", "mkdir /proc/crossmod");
	assert_unwritable("", "mkdir");
	memset(deep, '/', sizeof(deep));
	memcpy(deep, scratch_directory, strlen(scratch_directory));
	deep[sizeof(deep) - 1] = '\0';
	assert_unwritable(deep, "name too long");

	snprintf(path, sizeof(path), "%s/x86_64-int3-late-tail.json", scratch_directory);
	cr_assert_eq(mkdir(path, 0777), 0);
	assert_unwritable(scratch_directory, "rename");
	cr_expect_eq(entries_in(scratch_directory), 1, "a temporary file is left");
	scratch_drop("x86_64-int3-late-tail.json");

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	s.name = name;
	sample_stepped(&r);
	r.scenario = &s;
	cr_expect_not(report_write(&r, scratch_directory, &e));
	cr_expect_eq(e.code, ERR_HOST);
	cr_expect_eq(entries_in(scratch_directory), 0);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report.c - results as a line, as a file, as a table, and read back.
 *
 * Owns a stepped and a free result built by hand; no guest, no KVM.
 */
#include "report.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- results ---- */

static char protocol[] = "int3_fixup_a2", kind[] = "nop5_jmp5", at[] = "cross-line", at_61[] = "61";
static char stepped_path[] = "scenarios/x86_64/int3/late-tail.json";
static char stepped_name[] = "x86_64/int3/late-tail";
static char free_path[] = "/tmp/quick.json", free_name[] = "x86_64/naive/quick";
static char why[] = "an old tail \xe2\x80\x94 behind a new head", naive[] = "naive";
static char scenario_text[] = "{\n\t\"why\": \"\\u2014 \\\"quoted\\\"\"\n}\n";
static char image_path[] = "build/guest-x86_64.elf";

static const struct image_site site = {
	.name = kind,
	.record = { .isa = CM_ISA_X86_64,
		    .length = 5,
		    .pad_old = 5,
		    .pad_new = 16,
		    .old_bytes = { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		    .new_bytes = { 0xe9, 0x0b, 0x00, 0x00, 0x00 } },
};

static const struct image image = {
	.path = image_path,
	.digest = "0123456789abcdef0123456789abcdef",
	.abi = { .version = CM_ABI_VERSION },
};

static const struct scenario stepped = {
	.path = stepped_path,
	.name = stepped_name,
	.text = scenario_text,
	.why = why,
	.protocol_name = protocol,
	.site = { { kind, &site, 0x3d, at }, { kind, &site, 61, at_61 } },
	.nsites = 2,
	.vcpus = 2,
	.method = METHOD_STEPPED,
	.pokes = 1,
	.batch = 2,
	.executors = 2,
	.executor_cpl = 3,
	.calls = 1,
	.fetch = { .model = FETCH_STALE, .chunk = 1, .mfence_syncs = true },
	.max_steps = 20000,
	.expect = 1u << VERDICT_TORN | 1u << VERDICT_CRASH,
};

static const struct scenario unstepped = {
	.path = free_path,
	.name = free_name,
	.text = scenario_text,
	.why = why,
	.protocol_name = naive,
	.site = { { kind, &site, 0x3d, at } },
	.nsites = 1,
	.vcpus = 4,
	.method = METHOD_FREE,
	.batch = 1,
	.executors = 0xe,
	.free = { .seconds = 2.5, .nmi_rate = 1000, .nmi_mask = 6 },
	.expect = 1u << VERDICT_NOT_SEEN,
};

static struct host host = {
	.arch = "x86_64",
	.cpu = "A CPU \xff of 3 GHz", /* not UTF-8 */
	.kernel = "6.18.0 #1 SMP",
	.kvm_module = "kvm_intel",
	.cores = 8,
	.version = "0.1.0",
	.commit = "abc",
	.quirks_known = true,
	.quirks = { .cpl0_emulated = true, .iret_runs_on = true },
};

static struct action actions[] = {
	{ .kind = ACTION_STEP },
	{ .kind = ACTION_STEP },
	{ .kind = ACTION_STEP, .vcpu = 1, .nversions = 2, .version = { 0, 2 } },
	{ .kind = ACTION_NMI, .vcpu = 1 },
};

static void fill_stepped(struct result *r)
{
	struct violation v = {
		.kind = VIOLATION_TORN,
		.vcpu = 1,
		.step = 3,
		.text = "neither old nor new ran at site0",
		.event = { .kind = CM_EVENT_OUTCOME, .value = 0x8000c0debad00000, .pad = 0x2000 },
	};

	memset(r, 0, sizeof(*r));
	r->scenario = &stepped;
	r->image = &image;
	r->host = &host;
	r->schedule = (struct schedule){ actions, COUNT(actions), COUNT(actions) };
	r->observation.stepped = true;
	r->observation.end = END_VIOLATION;
	r->observation.vcpus = 2;
	r->observation.steps = 4;
	r->observation.stores = 2;
	r->observation.seconds = 0.0125;
	r->observation.cpu[1].guest.executions = 7;
	r->observation.cpu[1].nmis_requested = 5;
	observation_add(&r->observation, &v);
	strcpy(r->observation.digest, "fedcba9876543210fedcba9876543210");
	r->verdict = VERDICT_TORN;
	r->as_expected = true;
	strcpy(r->reason, "after decision 3 vCPU 1: neither old nor new ran at site0");
}

static void fill_free(struct result *r)
{
	memset(r, 0, sizeof(*r));
	r->scenario = &unstepped;
	r->image = &image;
	r->host = &host;
	r->observation.vcpus = 4;
	r->observation.seconds = 2.5;
	r->observation.total[VIOLATION_TORN] = 12;
	r->observation.cpu[1].guest.executions = 3000000;
	r->observation.cpu[3].guest.executions = 400000;
	r->verdict = VERDICT_TORN;
	strcpy(r->reason, "12 torn of 3400000 executions");
}

/* ---- helpers ---- */

static char directory[64];

static void make_directory(void)
{
	strcpy(directory, "/tmp/crossmod-report-XXXXXX");
	cr_assert(mkdtemp(directory));
}

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

/* Remove what (format) names below the directory. */
static void drop(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	cr_assert_eq(remove(path), 0, "%s", path);
}

static void remove_directory(void)
{
	cr_assert_eq(rmdir(directory), 0, "%s is not empty", directory);
}

TestSuite(report, .init = make_directory, .fini = remove_directory);

static json_t *parse(char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	cr_assert(json, "%s\n%s", error.text, text);
	free(text);
	return json;
}

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
	cr_expect_str_eq(report_sites(&stepped, buf, sizeof(buf)),
			 "nop5_jmp5@cross-line(0x3d)+nop5_jmp5@0x3d");
	cr_expect_str_eq(report_sites(&stepped, small, sizeof(small)), "nop5_jmp5@c");
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
			 "iret-emulated");
	cr_expect_str_eq(host_quirks(&h, buf, 10), "no-sync-r");
	host_read(&h);
	cr_expect_not(h.quirks_known);
	cr_expect(h.arch[0] && h.kernel[0] && h.cpu[0], "%s, %s, %s", h.arch, h.kernel, h.cpu);
	cr_expect(h.cores >= 1);
	cr_expect_str_eq(h.version, CROSSMOD_VERSION);
	cr_expect_str_eq(h.commit, CROSSMOD_COMMIT);
	cr_expect_not(strpbrk(h.cpu, "\n\t"));
}

/* ---- the line ---- */

static const char *const line_keys[] = {
	"scenario", "protocol",	   "site",    "method",	   "fetch",  "verdict",
	"expected", "as_expected", "reason",  "exhausted", "states", "transitions",
	"steps",    "seconds",	   "witness", "host",
};

Test(report, line_stepped)
{
	static const char *const host_keys[] = { "arch",  "cpu",    "microcode", "kernel", "kvm",
						 "cores", "quirks", "version",	 "commit" };
	struct result r;
	json_t *line, *h;
	char *text;

	fill_stepped(&r);
	strcpy(r.path, "results/x.json");
	text = report_line(&r);
	cr_assert_not(strchr(text, '\n'));
	line = parse(text);
	assert_keys(line, line_keys, COUNT(line_keys));
	cr_expect_str_eq(string_at(line, "scenario"), stepped_name);
	cr_expect_str_eq(string_at(line, "protocol"), protocol);
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
		fill_stepped(&r);
		if (i != 0)
			strcpy(r.path, "results/x.json");
		if (i == 1)
			r.schedule.count = 0;
		if (i == 2)
			r.observation.digest[0] = '\0';
		if (i == 3)
			r.scenario = &unstepped;
		line = parse(report_line(&r));
		cr_expect(is_null(line, "witness"), "case %d", i);
		json_decref(line);
	}
}

Test(report, line_free)
{
	struct result r;
	json_t *line;

	fill_free(&r);
	r.observation.seconds = 0.0 / 0.0;
	line = parse(report_line(&r));
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
		"format",	 "scenario",	  "protocol",	   "site",    "method",
		"fetch",	 "why",		  "source",	   "verdict", "expected",
		"as_expected",	 "reason",	  "exhausted",	   "states",  "transitions",
		"steps",	 "guest",	  "sites",	   "vcpus",   "patcher",
		"executors",	 "nmi_runs_site", "ipi_runs_site", "knobs",   "budgets",
		"bounds",	 "end",		  "stores",	   "counts",  "violations",
		"totals",	 "schedule",	  "digest",	   "host",    "witness",
		"scenario_path", "scenario_text", "seconds",	   "date",
	};
	struct result r;
	json_t *o, *counts;

	fill_stepped(&r);
	o = parse(report_document(&r));
	assert_keys(o, keys, COUNT(keys));
	cr_expect_str_eq(string_at(o, "format"), REPORT_FORMAT);
	cr_expect_str_eq(string_at(o, "why"), why);
	cr_expect(is_null(o, "source"));
	cr_expect_str_eq(string_at(o, "end"), "violation");
	cr_expect_str_eq(string_at(o, "schedule"), "0s*2 1s@0,2 1n");
	cr_expect_str_eq(string_at(o, "scenario_text"), scenario_text);
	cr_expect_str_eq(string_at(json_object_get(o, "guest"), "digest"), image.digest);
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

Test(report, document_free)
{
	struct result r;
	json_t *o, *ppm, *budgets;

	fill_free(&r);
	o = parse(report_document(&r));
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
	json_decref(o);
	r.observation.cpu[1].guest.executions = r.observation.cpu[3].guest.executions = 1;
	o = parse(report_document(&r));
	cr_expect(is_null(o, "torn_ppm"), "more violations than executions counted");
	json_decref(o);
}

/* ---- files ---- */

static json_t *written(struct result *r, const char *dir)
{
	json_error_t error;
	struct err e = { 0 };
	json_t *json;

	cr_assert(report_write(r, dir, &e), "%s", e.text);
	json = json_load_file(r->path, 0, &error);
	cr_assert(json, "%s", error.text);
	return json;
}

Test(report, write)
{
	char deep[128], expected[256];
	struct result r;
	struct stat st;
	json_t *o;

	fill_stepped(&r);
	snprintf(deep, sizeof(deep), "%s/a//b/", directory);
	o = written(&r, deep);
	snprintf(expected, sizeof(expected), "%s/x86_64-int3-late-tail.json", deep);
	cr_expect_str_eq(r.path, expected);
	cr_expect_str_eq(string_at(o, "witness"), "x86_64-int3-late-tail.json");
	cr_expect_eq(entries_in(deep), 1);
	cr_assert_eq(stat(r.path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0644);
	json_decref(o);
	drop("a/b/x86_64-int3-late-tail.json");
	drop("a/b");
	drop("a");
}

/* Wherever and whenever it is written, a result differs in its last two members only. */
Test(report, same_bytes)
{
	char other[128];
	struct result r;
	char *text[2];
	json_t *o;

	snprintf(other, sizeof(other), "%s/other", directory);
	for (int i = 0; i < 2; i++) {
		fill_stepped(&r);
		r.observation.seconds = i + 1;
		o = written(&r, i ? other : directory);
		cr_assert_eq(json_object_del(o, "date"), 0);
		cr_assert_eq(json_object_del(o, "seconds"), 0);
		text[i] = json_dumps(o, JSON_INDENT(2));
		json_decref(o);
	}
	cr_expect_str_eq(text[0], text[1]);
	free(text[0]);
	free(text[1]);
	drop("other/x86_64-int3-late-tail.json");
	drop("other");
	drop("x86_64-int3-late-tail.json");
}

static void assert_unwritable(const char *dir, const char *expected)
{
	struct err e = { 0 };
	struct result r;

	fill_stepped(&r);
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
	struct scenario s = stepped;
	struct err e = { 0 };
	struct result r;

	snprintf(path, sizeof(path), "%s/file", directory);
	fclose(fopen(path, "w"));
	assert_unwritable(path, "Not a directory");
	snprintf(path, sizeof(path), "%s/file/below", directory);
	assert_unwritable(path, "Not a directory");
	drop("file");
	assert_unwritable("/proc/crossmod", "mkdir /proc/crossmod");
	assert_unwritable("", "mkdir");
	memset(deep, '/', sizeof(deep));
	memcpy(deep, directory, strlen(directory));
	deep[sizeof(deep) - 1] = '\0';
	assert_unwritable(deep, "name too long");

	snprintf(path, sizeof(path), "%s/x86_64-int3-late-tail.json", directory);
	cr_assert_eq(mkdir(path, 0777), 0);
	assert_unwritable(directory, "rename");
	cr_expect_eq(entries_in(directory), 1, "a temporary file is left");
	drop("x86_64-int3-late-tail.json");

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	s.name = name;
	fill_stepped(&r);
	r.scenario = &s;
	cr_expect_not(report_write(&r, directory, &e));
	cr_expect_eq(e.code, ERR_HOST);
	cr_expect_eq(entries_in(directory), 0);
}

/* ---- witnesses ---- */

Test(report, witness)
{
	static const struct witness empty;
	struct err e = { 0 };
	struct witness w;
	struct result r;

	fill_stepped(&r);
	json_decref(written(&r, directory));
	cr_assert(witness_load(&w, r.path, &e), "%s", e.text);
	cr_expect_str_eq(w.path, r.path);
	cr_expect_str_eq(w.scenario_path, stepped_path);
	cr_expect_str_eq(w.scenario_text, scenario_text);
	cr_expect_str_eq(w.schedule, "0s*2 1s@0,2 1n");
	cr_expect_str_eq(w.verdict, "torn");
	cr_expect_str_eq(w.digest, r.observation.digest);
	cr_expect_str_eq(w.guest_digest, image.digest);
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

	snprintf(path, sizeof(path), "%s/w.json", directory);
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
	drop("w.json");
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
	fill_stepped(&r);
	o = parse(report_document(&r));
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

Test(report, no_witness)
{
	struct err e = { 0 };
	struct witness w;
	struct result r;
	char *text;

	fill_free(&r);
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
	cr_expect_not(witness_load(&w, directory, &e));
	cr_expect_eq(e.code, ERR_INPUT);
}

/* ---- the table ---- */

static char *table(const struct result *results, size_t n, bool colour)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out);
	report_table(out, results, n, colour);
	fclose(out);
	return text;
}

Test(report, table)
{
	static const char expected[] =
		"scenario               site                                     "
		"  method/fetch        verdict  expected    steps or runs   time\n"
		"x86_64/int3/late-tail  nop5_jmp5@cross-line(0x3d)+nop5_jmp5@0x3d"
		"  stepped stale/byte  torn     torn|crash        4 steps  13 ms\n"
		"    after decision 3 vCPU 1: neither old nor new ran at site0\n"
		"x86_64/naive/quick     nop5_jmp5@cross-line(0x3d)               "
		"  free                torn     not-seen     3400000 runs  2.5 s\n"
		"    12 torn of 3400000 executions\n"
		"2 scenarios: 1 as expected, 1 not, 0 unsupported\n";
	struct result *r = calloc(2, sizeof(*r));
	char *text;

	fill_stepped(&r[0]);
	r[0].observation.seconds = 0.0129;
	fill_free(&r[1]);
	text = table(r, 2, false);
	cr_expect_str_eq(text, expected);
	free(text);
	text = table(r, 2, true);
	cr_expect(strstr(text, "  \033[32mtorn\033[0m     torn|crash"), "%s", text);
	cr_expect(strstr(text, "  \033[31mtorn\033[0m     not-seen"), "%s", text);
	free(text);
	free(r);
}

/* Nothing to explain: no reason. Too much: cut at 200 columns, between characters. */
Test(report, table_reasons)
{
	struct result *r = calloc(1, sizeof(*r));
	char *text, *line, *end;

	fill_free(r);
	r->verdict = VERDICT_NOT_SEEN;
	r->as_expected = true;
	text = table(r, 1, false);
	cr_expect_not(strstr(text, r->reason), "%s", text);
	free(text);
	r->as_expected = false;
	for (size_t i = 0; i + 2 < 500; i += 2)
		memcpy(r->reason + i, "\xc3\xa4", 3);
	text = table(r, 1, false);
	line = strstr(text, "\n    \xc3\xa4");
	cr_assert(line, "%s", text);
	end = strchr(line + 1, '\n');
	cr_expect_eq(end - line - 1, 4 + 2 * 193 + 3, "%zd bytes", (ssize_t)(end - line - 1));
	cr_expect_eq(strncmp(end - 5, "\xc3\xa4...", 5), 0);
	free(text);
	free(r);
}

Test(report, table_summary)
{
	struct result *r = calloc(5, sizeof(*r));
	char *text = table(r, 0, true);

	cr_expect_str_eq(text, "0 scenarios: 0 as expected, 0 not, 0 unsupported\n");
	free(text);
	for (int i = 0; i < 5; i++) {
		fill_free(&r[i]);
		r[i].as_expected = i < 2;
		r[i].verdict = i % 2 ? VERDICT_UNSUPPORTED : VERDICT_STALE;
	}
	text = table(r, 1, false);
	cr_expect(strstr(text, "\n1 scenario: 1 as expected, 0 not, 0 unsupported\n"), "%s", text);
	free(text);
	text = table(r, 5, false);
	cr_expect(strstr(text, "\n5 scenarios: 2 as expected, 2 not, 1 unsupported\n"), "%s", text);
	free(text);
	free(r);
}

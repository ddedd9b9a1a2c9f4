// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_report_fixture.c - owns the two results, with all they refer to, and the
 * directory. No guest, no KVM.
 */
#include "test_report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

const struct image sample_image = {
	.path = image_path,
	.digest = "0123456789abcdef0123456789abcdef",
	.abi = { .version = CM_ABI_VERSION },
};

const struct scenario sample_stepped_scenario = {
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

const struct scenario sample_free_scenario = {
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

void sample_stepped(struct result *r)
{
	struct violation v = {
		.kind = VIOLATION_TORN,
		.vcpu = 1,
		.step = 3,
		.text = "neither old nor new ran at site0",
		.event = { .kind = CM_EVENT_OUTCOME, .value = 0x8000c0debad00000, .pad = 0x2000 },
	};

	memset(r, 0, sizeof(*r));
	r->scenario = &sample_stepped_scenario;
	r->image = &sample_image;
	r->host = &host;
	r->schedule = (struct schedule){ .action = actions,
					 .count = COUNT(actions),
					 .allocated = COUNT(actions) };
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

void sample_free(struct result *r)
{
	memset(r, 0, sizeof(*r));
	r->scenario = &sample_free_scenario;
	r->image = &sample_image;
	r->host = &host;
	r->observation.vcpus = 4;
	r->observation.seconds = 2.5;
	r->observation.total[VIOLATION_TORN] = 12;
	r->observation.cpu[1].guest.executions = 3000000;
	r->observation.cpu[3].guest.executions = 400000;
	r->observation.tick_rate = 1e6;
	r->observation.injector = (struct injector_record){ .used = true, .shared_with = 1 };
	for (uint64_t i = 1; i < 4; i += 2) {
		cm_histogram_add(&r->observation.patches.retries, i);
		cm_histogram_add(&r->observation.patches.ticks, 2000 * i);
	}
	r->observation.patches.after_stop = 1;
	r->verdict = VERDICT_TORN;
	strcpy(r->reason, "12 torn of 3400000 executions");
}

/* ---- their JSON ---- */

json_t *sample_parse(char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	cr_assert(json, "%s\n%s", error.text, text);
	free(text);
	return json;
}

json_t *sample_written(struct result *r, const char *dir)
{
	json_error_t error;
	struct err e = { 0 };
	json_t *json;

	cr_assert(report_write(r, dir, &e), "%s", e.text);
	json = json_load_file(r->path, 0, &error);
	cr_assert(json, "%s", error.text);
	return json;
}

/* ---- the directory ---- */

char scratch_directory[64];

void scratch_make(void)
{
	strcpy(scratch_directory, "/tmp/crossmod-report-XXXXXX");
	cr_assert(mkdtemp(scratch_directory));
}

void scratch_remove(void)
{
	cr_assert_eq(rmdir(scratch_directory), 0, "%s is not empty", scratch_directory);
}

void scratch_drop(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", scratch_directory, name);
	cr_assert_eq(remove(path), 0, "%s", path);
}

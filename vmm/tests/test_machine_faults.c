// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_machine_faults.c - routines of guest/planted/machine.c, each with a
 * fault that a machine less exact would not show, or would show where there is
 * none. On a real KVM.
 */
#include "kvmtest.h"
#include "machine/machine_state.h"
#include "run/run_free.h"
#include "vm/guard.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
	kvmtest_needs_kvm();
	kvmtest_guest(NULL, "planted");
}

TestSuite(machine_faults, .init = set_up, .timeout = 60);

#define PLANTED(protocol, model, more)                                    \
	"'protocol': 'planted_" protocol "', 'method': 'explore', "       \
	"'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}], 'vcpus': 2, " \
	"'fetch': {'model': '" model "', 'chunk': 8}" more
#define ALONE ", 'executors': {'vcpus': []}"

static struct found finds(enum verdict want, const char *json)
{
	struct found f = kvmtest_explore(1, REDUCED, json);

	cr_expect_eq(f.verdict, want, "%s instead of %s: %s", f.reason, verdict_name(want), json);
	return f;
}

/* One is exempt from serialising: the acknowledgement comes too early. */
Test(machine_faults, a_wrmsr_that_does_not_serialise_acknowledges_nothing)
{
	finds(VERDICT_STALE, PLANTED("ack", "ordered", ALONE));
	finds(VERDICT_SAFE, PLANTED("ack_tsc", "ordered", ALONE));
	finds(VERDICT_STALE, PLANTED("ack_spec_ctrl", "ordered", ALONE));
	finds(VERDICT_STALE, PLANTED("ack_pred_cmd", "ordered", ALONE));
	finds(VERDICT_STALE, PLANTED("ack_deadline", "ordered", ALONE));
}

/* Whoever of the workers sees it; the search goes on and finds nothing else. */
Test(machine_faults, a_failed_self_check_makes_a_search_suspect)
{
	const char *json = PLANTED("assert", "sc", ALONE ", 'explore': {'nmi': {'0': 1, '1': 1}}");

	for (uint32_t jobs = 1; jobs <= 3; jobs++) {
		struct found f = kvmtest_explore(jobs, REDUCED, json);

		cr_expect_eq(f.verdict, VERDICT_SUSPECT, "%u workers: %s", jobs, f.reason);
		cr_expect(strstr(f.reason, "guest self-check"), "%s", f.reason);
	}
}

/* A witness of something else does not speak louder. */
Test(machine_faults, a_failed_self_check_is_said_even_of_a_search_that_finds)
{
	struct found f = kvmtest_explore(
		1, REDUCED,
		PLANTED("assert", "sc",
			", 'executors': {'calls': 1, 'vcpus': [1]}, 'nmi_runs_site': true,"
			"'explore': {'nmi': {'0': 1}}"));

	cr_expect_eq(f.verdict, VERDICT_SUSPECT, "%s", f.reason);
}

Test(machine_faults, a_failed_self_check_makes_a_free_run_suspect)
{
	struct observation o;
	struct scenario s;
	struct err e = { 0 };
	char reason[512];

	kvmtest_take_turns(true);
	guard_install();
	kvmtest_scenario(&s, "'protocol': 'planted_assert', 'method': 'free',"
			     "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}],"
			     "'free': {'seconds': 1, 'nmi_rate': 100, 'nmi_vcpus': [1]}");
	if (!run_free(kvmtest_image(), &s, &o, NULL, NULL, NULL, &e))
		kvmtest_skip_or_fail(&e);
	cr_expect_eq(verdict_of(&o, reason, sizeof(reason)), VERDICT_SUSPECT, "%s", reason);
	cr_expect_str_eq(o.suspect, "vCPU 1: guest self-check, line 0");
	scenario_fini(&s);
}

/* Whatever of the outer sending an NMI's own hits, both are sent. */
Test(machine_faults, an_nmi_that_sends_takes_nothing_from_who_it_interrupts)
{
	finds(VERDICT_SAFE, "'protocol': 'planted_send_both', 'method': 'explore', 'vcpus': 3,"
			    "'sites': [{'site': 'nop5_jmp5'}], 'executors': {'vcpus': []},"
			    "'fetch': {'model': 'sc'}, 'explore': {'nmi': {'0': 1}}");
}

/* A load is no fetch: it sees memory, whatever the fetch model and whoever ran the site before. */
Test(machine_faults, a_load_from_where_text_is_executed_sees_memory)
{
	static const char *const models[] = { "sc", "desc", "ordered", "stale" };

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		struct rig r;

		rig_set_up(&r,
			   "'protocol': 'planted_read_back', 'method': 'stepped', 'vcpus': 2,"
			   "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}],"
			   "'fetch': {'model': '%s', 'chunk': 8},"
			   "'schedule': [{'vcpu': 0, 'until_done': true}]",
			   models[i]);
		rig_step_to_idle(&r, 1);
		rig_reset(&r);
		cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN, "%s", models[i]);
		rig_tear_down(&r);
	}
	finds(VERDICT_SAFE, PLANTED("read_back", "sc", ""));
	finds(VERDICT_SAFE, PLANTED("read_back", "stale", ALONE));
}

static void expect_views_are_memory(struct rig *r, const char *when)
{
	uint64_t at = r->machine->site[0].placed.text - CM_TEXT_BASE;
	const struct vm_memory *memory = vm_memory(r->machine->vm);

	for (uint32_t i = 0; i < r->scenario.vcpus; i++)
		cr_expect_arr_eq(memory->view[i] + at, memory->text + at, 5, "vCPU %u, %s", i,
				 when);
}

/* What a forced fetch has taken is in no view afterwards, of whoever fetched or of anybody else. */
Test(machine_faults, a_view_is_memory_between_two_fetches)
{
	struct packed_state start;
	struct rig r;

	kvmtest_guest(NULL, "");
	rig_set_up(&r, "'protocol': 'naive', 'method': 'stepped', 'vcpus': 3,"
		       "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}],"
		       "'fetch': {'model': 'stale'}");
	cr_assert(machine_state_begin(r.machine, NULL));
	start = rig_pack(&r);
	rig_step_to_site(&r, 1);
	while (!r.observation.stores)
		rig_do(&r, ACTION_STEP, 0);
	expect_views_are_memory(&r, "after a store");
	rig_step_mixed(&r, 1, 0);
	expect_views_are_memory(&r, "after a fetch of what it was");
	machine_unpack(r.machine, start.bytes, start.size);
	expect_views_are_memory(&r, "where it began");
	rig_reset(&r);
	expect_views_are_memory(&r, "in the next run");
	free(start.bytes);
	rig_tear_down(&r);
}

static void expect_stray(const char *protocol, const char *text)
{
	char json[512];
	struct found f;
	struct rig r;

	for (uint32_t how = PLAIN; how <= REDUCED; how++) {
		snprintf(json, sizeof(json), PLANTED("%s", "sc", ", 'executors': {'calls': 1}"),
			 protocol);
		f = kvmtest_explore(1, how, json);
		cr_expect_eq(f.verdict, VERDICT_STRAY_STORE, "%s: %s", protocol, f.reason);
		cr_expect(strstr(f.reason, text), "%s: %s", protocol, f.reason);
	}
	rig_set_up(&r,
		   "'protocol': 'planted_%s', 'method': 'stepped', 'fetch': {'model': 'stale'},"
		   "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}]",
		   protocol);
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_STRAY_STORE, "%s", protocol);
	cr_expect_str_eq(r.observation.violation[0].text, text);
	cr_expect_eq(r.observation.violation[0].vcpu, 0);
	rig_tear_down(&r);
}

Test(machine_faults, a_store_beside_the_site_is_a_violation)
{
	expect_stray("overstep", "wrote 3 bytes of text behind site0, at 0x2000100d (site0+5): "
				 "48 8d 15 -> cc cc cc");
	expect_stray("understep",
		     "wrote 1 byte of text in front of site0, at 0x20001007 (site0-1): cc -> cd");
	expect_stray("far",
		     "wrote 1 byte of text behind site0, at 0x20004fff (site0+16375): cc -> 00");
}

/* The text is what it was when the search goes on elsewhere, and in the next run. */
Test(machine_faults, a_stray_store_is_no_state)
{
	struct found one = kvmtest_explore(1, REDUCED | EVERY_KIND, PLANTED("overstep", "sc", "")),
		     two = kvmtest_explore(2, REDUCED | EVERY_KIND, PLANTED("overstep", "sc", ""));

	cr_expect_eq(one.observation.kinds, 1u << VIOLATION_STRAY_STORE, "%#x",
		     one.observation.kinds);
	cr_expect(one.observation.every);
	cr_expect_eq(one.observation.states, two.observation.states);
}

Test(machine_faults, a_stray_store_at_full_speed_is_found_when_the_run_is_over)
{
	struct observation o;
	struct scenario s;
	struct err e = { 0 };
	char reason[512];

	kvmtest_take_turns(true);
	guard_install();
	kvmtest_scenario(&s, "'protocol': 'planted_understep', 'method': 'free',"
			     "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}],"
			     "'patcher': {'pokes': 3}, 'free': {'iterations': 1000}");
	if (!run_free(kvmtest_image(), &s, &o, NULL, NULL, NULL, &e))
		kvmtest_skip_or_fail(&e);
	cr_expect_eq(verdict_of(&o, reason, sizeof(reason)), VERDICT_STRAY_STORE, "%s", reason);
	cr_expect_str_eq(reason, "when the run was over: wrote 1 byte of text in front of site0, "
				 "at 0x20001007 (site0-1): cc -> cd");
	scenario_fini(&s);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_explore_local.c - what the search runs through without a choice point
 * ends where single steps end, in the same state, having executed what it says.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore_local.h"
#include "kvmtest.h"
#include "machine/machine_state.h"

TestSuite(explore_local, .init = kvmtest_needs_kvm, .timeout = 60);

/* The path that ends where (vcpu) stands. */
static const struct path *path_taken(const struct rig *r, uint32_t vcpu, const struct stretch *s)
{
	for (uint32_t i = 0; i < s->paths; i++)
		if (s->path[i].end == machine_pc(r->machine, vcpu))
			return &s->path[i];
	cr_assert_fail("vCPU %u stopped at %#llx, the end of no path", vcpu,
		       (unsigned long long)machine_pc(r->machine, vcpu));
	return NULL;
}

/* From here on, once in one go and once step by step; the number of instructions. */
static uint32_t compare(struct rig *r, uint32_t vcpu, const struct stretch *s)
{
	struct packed_state here = rig_pack(r), there, again;
	uint64_t stop[VCPU_STOPS_MAX];
	const struct path *p;
	struct step_report report;
	struct err e = { 0 };

	for (uint32_t i = 0; i < s->paths; i++)
		stop[i] = s->path[i].end;
	if (!machine_run(r->machine, vcpu, stop, s->paths, &report, &e))
		kvmtest_skip_or_fail(&e);
	p = path_taken(r, vcpu, s);
	there = rig_pack(r);
	machine_unpack(r->machine, here.bytes, here.size);
	for (uint32_t i = 0; i < p->count; i++) {
		cr_assert_eq(machine_pc(r->machine, vcpu), p->pc[i], "instruction %u of %u", i,
			     p->count);
		rig_do(r, ACTION_STEP, vcpu);
	}
	machine_forget(r->machine);
	again = rig_pack(r);
	cr_assert(there.size == again.size && !memcmp(there.bytes, again.bytes, there.size),
		  "another state behind %u instructions from %#llx", p->count,
		  (unsigned long long)p->pc[0]);
	free(here.bytes);
	free(there.bytes);
	free(again.bytes);
	return p->count;
}

/* Some decision that is possible: the vCPUs in turn, IPIs as they come. */
static bool move_on(struct rig *r, uint32_t turn)
{
	for (uint32_t i = 0; i < r->scenario.vcpus; i++) {
		uint32_t vcpu = (turn + i) % r->scenario.vcpus;

		if (rig_can(r, ACTION_IPI, vcpu)) {
			rig_do(r, ACTION_IPI, vcpu);
			return true;
		}
		if (rig_can(r, ACTION_STEP, vcpu)) {
			rig_do(r, ACTION_STEP, vcpu);
			return true;
		}
	}
	return false;
}

/* Every stretch of a run of (protocol); how many instructions all of them were. */
static uint32_t follow(const char *protocol, uint32_t *stretches)
{
	const struct contexts outside[CM_MAX_VCPUS] = { { 0 } };
	const struct local_limits none = { 0 };
	uint32_t instructions = 0, turn = 0;
	struct stretch s;
	struct err e = { 0 };
	struct local *l;
	struct rig r;

	rig_set_up(&r,
		   "'protocol': '%s', 'method': 'stepped', 'vcpus': 3,"
		   "'sites': [{'site': 'nop5_jmp5', 'at': 'cross-line'}]",
		   protocol);
	cr_assert(machine_state_begin(r.machine, NULL));
	l = local_new(r.machine, outside, &none, &e);
	cr_assert(l, "%s", e.text);
	for (uint32_t n = 0; n < KVMTEST_STEPS_MAX && !machine_finished(r.machine); n++) {
		uint32_t vcpu = turn % 3;

		machine_forget(r.machine);
		if (rig_can(&r, ACTION_STEP, vcpu) && !machine_at_site(r.machine, vcpu) &&
		    local_stretch(l, vcpu, turn & 1, STRETCH_MAX, &s)) {
			instructions += compare(&r, vcpu, &s);
			++*stretches;
		} else {
			cr_assert(move_on(&r, turn));
		}
		turn++;
	}
	cr_assert(machine_finished(r.machine));
	local_free(l);
	rig_tear_down(&r);
	return instructions;
}

static void skip_without(uint32_t stretches)
{
	if (stretches)
		return;
	fprintf(stderr, "SKIPPED: this host runs to no stop\n");
	cr_skip_test("no-run-to");
}

Test(explore_local, a_stretch_ends_where_its_steps_end)
{
	static const char *const protocols[] = { "int3_fixup_a0", "stop_machine", "five_state" };

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		uint32_t stretches = 0, instructions = follow(protocols[i], &stretches);

		skip_without(stretches);
		cr_expect_gt(stretches, 100, "%s: %u", protocols[i], stretches);
		cr_expect_gt(instructions, 3 * stretches, "%s: %u instructions in %u", protocols[i],
			     instructions, stretches);
	}
}

/* Where a return leads is only known while nobody has touched its address. */
Test(explore_local, a_stretch_knows_where_it_returns_to)
{
	static const char *const protocols[] = { "reduction_retpoline", "reduction_replaced",
						 "reduction_dropped" };

	kvmtest_guest(NULL, "planted");
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		uint32_t stretches = 0;

		follow(protocols[i], &stretches);
		skip_without(stretches);
	}
}

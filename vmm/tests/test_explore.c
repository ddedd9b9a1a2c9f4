// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_explore.c - packed states and the search over the machine: coming back
 * to a state is exact, the search finds what is planted without being told
 * where, and the reduction changes no verdict.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"
#include "vm/guard.h"
#include "kvmtest.h"
#include "machine/machine_state.h"

TestSuite(machine_state, .init = kvmtest_needs_kvm, .timeout = 60);
TestSuite(explore, .init = kvmtest_needs_kvm, .timeout = 120);

static bool equal(const struct packed_state *a, const struct packed_state *b)
{
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/*
 * A decision by its place among those possible: the numbers of stores in it
 * start anew when a state is unpacked.
 */
struct pick {
	struct action action;
	uint32_t fetch;
};

static struct action action_of(struct rig *r, const struct pick *p)
{
	struct action list[64];

	if (p->action.kind != ACTION_STEP)
		return p->action;
	cr_assert_lt(p->fetch, machine_fetches(r->machine, p->action.vcpu, list, 64));
	return list[p->fetch];
}

/* A random one: any step with any fetch, an IPI, now and then an NMI. */
static struct pick choose(struct rig *r, uint32_t *seed)
{
	for (;;) {
		struct pick p = { .action.vcpu = (uint8_t)(next_random(seed) % r->scenario.vcpus) };
		struct action list[64];

		p.action.kind = next_random(seed) % 4 ? ACTION_STEP : ACTION_IPI;
		if (next_random(seed) % 97 == 0)
			p.action.kind = ACTION_NMI;
		if (next_random(seed) % 97 == 0)
			p.action.kind = ACTION_ONLINE;
		if (!machine_enabled(r->machine, &p.action))
			continue;
		if (p.action.kind == ACTION_STEP)
			p.fetch = next_random(seed) %
				  machine_fetches(r->machine, p.action.vcpu, list, 64);
		return p;
	}
}

static void take(struct rig *r, const struct pick *p)
{
	struct action a = action_of(r, p);

	machine_forget(r->machine);
	rig_try(r, &a);
}

static uint32_t wander(struct rig *r, uint32_t *seed, struct pick *taken, uint32_t count)
{
	uint32_t n = 0;

	for (; n < count && !machine_finished(r->machine) && !r->observation.nviolations; n++) {
		taken[n] = choose(r, seed);
		take(r, &taken[n]);
	}
	return n;
}

#define SHAPE                                                                       \
	"'protocol': 'int3_fixup_a0', 'method': 'stepped', 'nmi_runs_site': true, " \
	"'sites': [{'site': 'nop5_jmp5', 'at': 'cross-line'}], 'vcpus': 3, "        \
	"'offline': [2], 'executors': {'cpl': %d}, 'fetch': {'model': '%s'}"

static void comes_back(int cpl, const char *model, uint32_t seed)
{
	struct pick *taken = calloc(300, sizeof(*taken));
	struct packed_state there, after, again;
	struct rig r = { 0 };
	uint32_t n;

	rig_set_up(&r, SHAPE, cpl, model);
	cr_assert(machine_state_begin(r.machine, NULL));
	wander(&r, &seed, taken, 300);
	there = rig_pack(&r);
	n = wander(&r, &seed, taken, 300);
	after = rig_pack(&r);
	machine_unpack(r.machine, there.bytes, there.size);
	again = rig_pack(&r);
	cr_expect(equal(&there, &again), "%s cpl %d: unpacking and packing changes the state",
		  model, cpl);
	free(again.bytes);
	for (uint32_t i = 0; i < n; i++)
		take(&r, &taken[i]);
	again = rig_pack(&r);
	cr_expect(equal(&after, &again), "%s cpl %d: the same %u decisions lead elsewhere", model,
		  cpl, n);
	free(there.bytes);
	free(after.bytes);
	free(again.bytes);
	free(taken);
	rig_tear_down(&r);
}

Test(machine_state, a_packed_state_continues_as_the_original_did)
{
	static const char *const models[] = { "sc", "asc", "ordered", "stale" };

	for (uint32_t seed = 1; seed <= 8; seed++)
		comes_back(seed % 2 ? 0 : 3, models[seed % 4], seed);
}

/* Two orders of what does not interfere lead to one state, byte for byte. */
Test(machine_state, equal_states_are_equal_bytes)
{
	struct packed_state one, other;
	struct rig r = { 0 };

	rig_set_up(&r, SHAPE, 0, "stale");
	cr_assert(machine_state_begin(r.machine, NULL));
	for (int i = 0; i < 10; i++)
		rig_do(&r, ACTION_STEP, 0);
	for (int i = 0; i < 10; i++)
		rig_do(&r, ACTION_STEP, 1);
	one = rig_pack(&r);
	rig_reset(&r);
	cr_assert(machine_state_begin(r.machine, NULL));
	for (int i = 0; i < 10; i++) {
		rig_do(&r, ACTION_STEP, 1);
		rig_do(&r, ACTION_STEP, 0);
	}
	other = rig_pack(&r);
	cr_expect(equal(&one, &other));
	rig_do(&r, ACTION_STEP, 1);
	free(other.bytes);
	other = rig_pack(&r);
	cr_expect_not(equal(&one, &other));
	free(one.bytes);
	free(other.bytes);
	rig_tear_down(&r);
}

/* ---- the search ---- */

#define EVERY(protocol, site, model, more)                                           \
	"'protocol': '" protocol "', 'method': 'explore', 'sites': [{'site': '" site \
	"', 'at': 'cross-line'}], 'fetch': {'model': '" model "'}" more

static void finds(enum verdict want, const char *json)
{
	struct found f = kvmtest_explore(1, REDUCED, json);

	cr_expect_eq(f.verdict, want, "%s instead of %s: %s", verdict_name(f.verdict),
		     verdict_name(want), json);
	cr_expect_eq(f.observation.exhausted, want == VERDICT_SAFE || want == VERDICT_DEADLOCK);
	cr_expect_eq(f.decisions > 0, want != VERDICT_SAFE);
}

Test(explore, the_2010_protocols_under_every_fetch_model)
{
	finds(VERDICT_SAFE, EVERY("int3_fixup_a0", "nop5_jmp5", "sc", ""));
	finds(VERDICT_SAFE, EVERY("int3_fixup_a0", "nop5_jmp5", "desc", ""));
	finds(VERDICT_SAFE, EVERY("int3_fixup_a0", "nop5_jmp5", "stale", ""));
	finds(VERDICT_SAFE, EVERY("int3_fixup_a1", "nop5_jmp5", "ordered", ""));
	finds(VERDICT_TORN, EVERY("int3_fixup_a1", "nop5_jmp5", "desc", ""));
	finds(VERDICT_TORN, EVERY("int3_fixup_a1", "nop5_jmp5", "stale", ""));
	finds(VERDICT_TORN, EVERY("int3_fixup_a2", "nop5_jmp5", "stale", ""));
}

Test(explore, planted_faults_are_found_without_being_told_where)
{
	finds(VERDICT_TORN, EVERY("naive", "mov_imm32", "stale", ""));
	finds(VERDICT_TORN, EVERY("stop_machine", "nop5_jmp5", "sc",
				  ", 'nmi_runs_site': true, 'explore': {'nmi': {'1': 1}}"));
	finds(VERDICT_UNHANDLED_TRAP,
	      "'protocol': 'int3_fixup_a2', 'method': 'explore', 'patcher': {'pokes': 2}, "
	      "'sites': [{'site': 'nop5_jmp5'}, {'site': 'nop5_jmp5'}]");
}

#define PLANTED(protocol, more)                                                \
	"'protocol': 'planted_" protocol "', 'method': 'explore', 'vcpus': 2," \
	"'executors': {'vcpus': []}, 'sites': [{'site': 'nop5_jmp5'}]" more

#define REDUCTION(protocol, more)                                                \
	"'protocol': 'reduction_" protocol "', 'method': 'explore', 'vcpus': 1," \
	"'executors': {'vcpus': []}, 'sites': [{'site': 'nop5_jmp5'}]" more

/* Whatever is small enough for the plain search to end: the same verdict, and the same violations. */
static void reduces(const char *json)
{
	struct found reduced = kvmtest_explore(2, REDUCED | EVERY_KIND, json),
		     plain = kvmtest_explore(2, EVERY_KIND, json);

	cr_expect_eq(reduced.verdict, plain.verdict, "%s: %s, plain %s", json,
		     verdict_name(reduced.verdict), verdict_name(plain.verdict));
	cr_expect(reduced.observation.every && plain.observation.every, "%s", json);
	cr_expect_eq(reduced.observation.kinds, plain.observation.kinds, "%s", json);
	cr_expect_leq(reduced.observation.states, plain.observation.states, "%s", json);
}

Test(explore, the_reduction_changes_no_verdict)
{
	reduces(EVERY("naive", "nop5_jmp5", "sc", ""));
	reduces(EVERY("naive", "call5_call5", "stale", ""));
	reduces(EVERY("naive", "nop1x5_jmp5", "asc", ""));
	reduces(EVERY("naive", "mov_imm32", "ordered", ""));
	reduces(EVERY("naive", "nop5_jmp5", "desc", ", 'offline': [1]"));
}

Test(explore, the_reduction_changes_no_verdict_on_planted_faults)
{
	kvmtest_guest(NULL, "planted");
	reduces(PLANTED("deadlock", ""));
	reduces(PLANTED("owed", ", 'explore': {'nmi': {'0': 1}}"));
	reduces(PLANTED("livelock", ", 'explore': {'nmi': {'0': 'unlimited'}}"));
	reduces(PLANTED("livelock", ", 'explore': {'nmi': {'0': 2}}"));
	reduces(PLANTED("crash", ", 'explore': {'nmi': {'0': 1}}"));
	reduces(PLANTED("null", ", 'explore': {'nmi': {'0': 1}}"));
	reduces(PLANTED("branch", ", 'explore': {'nmi': {'0': 1}}"));
	reduces(PLANTED("sent_self", ", 'explore': {'nmi': {'0': 1}}"));
}

/* An NMI that a vCPU sends is its due, unlike one that may come. */
Test(explore, an_nmi_that_is_sent_comes)
{
	kvmtest_guest(NULL, "planted");
	finds(VERDICT_SAFE, PLANTED("sent", ""));
	finds(VERDICT_SAFE, PLANTED("sent_self", ""));
	finds(VERDICT_SAFE, PLANTED("sent", ", 'explore': {'nmi': {'0': 1, '1': 1}}"));
	finds(VERDICT_DEADLOCK, PLANTED("unseen", ""));
}

/*
 * One that comes up while a poke is in flight may be in no mask when it has
 * fetched the old bytes. It is in that of the last sync if it ran the site before.
 */
Test(explore, a_vcpu_that_comes_online_in_between)
{
	finds(VERDICT_SAFE, EVERY("int3_fixup_a0", "nop5_jmp5", "sc", ", 'offline': [1]"));
	finds(VERDICT_TORN, EVERY("int3_fixup_a0", "nop5_jmp5", "stale", ", 'offline': [1]"));
}

/* The witness goes round: stem, then what repeats, and replay has seen the state come back. */
static void goes_round(enum verdict verdict, const char *json)
{
	struct found f = kvmtest_explore(2, REDUCED, json);

	cr_expect_eq(f.verdict, verdict, "%s: %s", verdict_name(f.verdict), json);
	cr_expect_gt(f.observation.cycle, 0, "%s", json);
	cr_expect_lt(f.observation.cycle, f.decisions, "%s", json);
}

Test(explore, deadlock_and_livelock_end_in_a_cycle)
{
	kvmtest_guest(NULL, "planted");
	goes_round(VERDICT_DEADLOCK, PLANTED("deadlock", ""));
	goes_round(VERDICT_DEADLOCK, PLANTED("owed", ", 'explore': {'nmi': {'0': 1}}"));
	goes_round(VERDICT_LIVELOCK,
		   PLANTED("livelock", ", 'explore': {'nmi': {'0': 'unlimited'}}"));
	finds(VERDICT_SAFE, PLANTED("livelock", ", 'explore': {'nmi': {'0': 3}}"));
}

Test(explore, planted_crashes_are_found)
{
	struct found f;

	kvmtest_guest(NULL, "planted");
	finds(VERDICT_CRASH, PLANTED("crash", ""));
	finds(VERDICT_CRASH, PLANTED("null", ""));
	finds(VERDICT_CRASH, PLANTED("wild", ""));
	f = kvmtest_explore(1, REDUCED, PLANTED("triple_fault", ""));
	cr_expect_eq(f.verdict, VERDICT_CRASH);
	cr_expect_str_eq(f.observation.violation[0].text, "triple fault: the vCPU shut down");
}

/* The store behind the branch, whatever ran the rest: steps or stretches. */
Test(explore, instructions_that_no_schedule_came_by_are_named)
{
	kvmtest_guest(NULL, "planted");
	for (int plain = 0; plain < 2; plain++) {
		struct found f = kvmtest_explore(1, plain ? PLAIN : REDUCED, PLANTED("branch", ""));
		const struct coverage *c = &f.observation.coverage;

		cr_expect_eq(f.verdict, VERDICT_SAFE);
		cr_assert_eq(c->never, 1);
		cr_expect_gt(c->instructions, 4);
		cr_expect_eq(c->never_at[0], kvmtest_address("planted.never"));
	}
}

/* Behind a stretch or a step, the search stops at the same instructions. */
Test(explore, a_long_delay_ends_where_its_steps_end)
{
	kvmtest_guest(NULL, "planted");
	finds(VERDICT_CRASH, REDUCTION("delay", ""));
}

/*
 * A fetch chunk by chunk that an NMI discards is nothing the vCPU has executed:
 * between two NMIs it executes something, and so gets on.
 */
Test(explore, a_latched_chunk_is_no_progress)
{
	finds(VERDICT_SAFE,
	      "'protocol': 'stop_machine', 'method': 'explore', 'vcpus': 2, 'executors': {'calls': 1},"
	      "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}],"
	      "'fetch': {'model': 'desc', 'chunk': 'halfword'},"
	      "'explore': {'nmi': {'1': 'unlimited'}}");
}

/* Interrupts are on for one instruction in every turn of the loop: that is enough. */
Test(explore, an_ipi_comes_when_it_can)
{
	kvmtest_guest(NULL, "planted");
	finds(VERDICT_SAFE, REDUCTION("toggle", ""));
	finds(VERDICT_DEADLOCK, REDUCTION("masked", ""));
}

/*
 * What the reduction relies on is watched: where it does not hold the search is
 * done again without it, and says so.
 */
static void falls_back(enum verdict want, const char *json)
{
	struct found reduced = kvmtest_explore(1, REDUCED, json),
		     plain = kvmtest_explore(1, PLAIN, json);

	cr_expect_eq(reduced.verdict, want, "%s instead of %s: %s", verdict_name(reduced.verdict),
		     verdict_name(want), json);
	cr_expect_eq(plain.verdict, want, "%s instead of %s: %s", verdict_name(plain.verdict),
		     verdict_name(want), json);
	cr_expect(reduced.observation.unreduced[0], "%s", json);
	cr_expect(!plain.observation.unreduced[0], "%s", json);
	cr_expect_leq(reduced.observation.states, plain.observation.states, "%s", json);
}

Test(explore, a_vcpu_at_anothers_stack_or_mailbox_is_not_reduced)
{
	kvmtest_guest(NULL, "planted");
	falls_back(VERDICT_SAFE, PLANTED("borrow", ""));
	falls_back(VERDICT_SAFE, REDUCTION("mailbox", ""));
}

/* What nobody but a handler can notice is no secret to the handler. */
Test(explore, a_handler_that_looks_at_what_it_interrupted)
{
	kvmtest_guest(NULL, "planted");
	falls_back(VERDICT_CRASH, REDUCTION("stack", ", 'explore': {'nmi': {'0': 1}}"));
	falls_back(VERDICT_CRASH, REDUCTION("frame", ", 'explore': {'nmi': {'0': 1}}"));
	falls_back(VERDICT_CRASH,
		   REDUCTION("trap", ", 'nmi_runs_site': true, 'explore': {'nmi': {'0': 1}}"));
	falls_back(VERDICT_CRASH, REDUCTION("stack_ipi", ""));
	falls_back(VERDICT_CRASH, REDUCTION("frame_ipi", ""));
}

Test(explore, the_number_of_workers_changes_nothing)
{
	const char *json = EVERY("int3_fixup_a0", "nop5_jmp5", "stale", "");
	struct found one = kvmtest_explore(1, REDUCED, json),
		     three = kvmtest_explore(3, REDUCED, json);

	cr_expect_eq(one.verdict, VERDICT_SAFE);
	cr_expect_eq(three.verdict, VERDICT_SAFE);
	cr_expect_eq(one.observation.states, three.observation.states);
	cr_expect_eq(one.observation.transitions, three.observation.transitions);
}

Test(explore, a_bound_is_inconclusive)
{
	struct found f = kvmtest_explore(
		1, REDUCED,
		EVERY("int3_fixup_a0", "nop5_jmp5", "sc", ", 'explore': {'max_states': 50}"));

	cr_expect_eq(f.verdict, VERDICT_INCONCLUSIVE);
	cr_expect_not(f.observation.exhausted);
	cr_expect_leq(f.observation.states, 51);
}

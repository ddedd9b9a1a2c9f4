// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_machine.c - the stepped machine on a real KVM: it starts every run from
 * the same state, a run is its decisions and nothing else, an event lands on
 * the instruction it was aimed at, and whatever mixture of old and new bytes a
 * vCPU is made to fetch is what its processor executes.
 */
#include "kvmtest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VECTOR_BP    3u
#define VECTOR_NMI   2u
#define SITE_LENGTH  5u

TestSuite(machine, .timeout = 60);

/* What most tests start from: one patcher, executors at CPL0, one site. */
#define NAIVE(cpl)                                                                  \
	"'protocol': 'naive', 'method': 'stepped', 'executors': {'cpl': " #cpl "}," \
	"'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}], 'fetch': {'model': 'stale'}"
#define TRAPPING                                                                   \
	"'protocol': 'int3_fixup_a0', 'method': 'stepped', 'nmi_runs_site': true," \
	"'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}]"

/* ---- a run is its decisions and nothing else ---- */

static const char *const shapes[] = {
	"scenarios/x86_64/naive/new-head-old-tail.json",
	"scenarios/x86_64/naive/desc-latched-tail.json",
	"scenarios/x86_64/stop_machine/quiet.json",
	"scenarios/x86_64/int3_fixup/a2-torn-slot.json",
	"scenarios/x86_64/int3_fixup/nested-nmi.json",
};

Test(machine, a_reset_leaves_nothing_of_the_run_before)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		char before[33], after[33];
		struct rig r;

		rig_load(&r, shapes[i]);
		machine_digest(r.machine, before);
		rig_play(&r, NULL, NULL);
		machine_digest(r.machine, after);
		cr_expect_str_neq(after, before, "%s changes nothing", shapes[i]);
		rig_reset(&r);
		machine_digest(r.machine, after);
		cr_expect_str_eq(after, before, "%s", shapes[i]);
		rig_tear_down(&r);
	}
}

Test(machine, the_same_scenario_makes_the_same_decisions)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct observation first;
		char *text, *again;
		struct rig r;

		rig_load(&r, shapes[i]);
		rig_play(&r, NULL, NULL);
		first = r.observation;
		text = schedule_encode(&r.taken);
		rig_tear_down(&r);
		rig_load(&r, shapes[i]); /* another VM */
		rig_play(&r, NULL, NULL);
		again = schedule_encode(&r.taken);
		cr_expect_str_eq(r.observation.digest, first.digest, "%s", shapes[i]);
		cr_expect_str_eq(again, text, "%s", shapes[i]);
		cr_expect_eq(r.observation.steps, first.steps);
		rig_tear_down(&r);
		free(again);
		free(text);
	}
}

/* A stepped run bounds no history: a vCPU that never synchronises while others store for ever. */
Test(machine, the_digest_of_a_long_history_is_of_all_of_it)
{
	char before[33], after[33], other[33];
	uint8_t window[FETCH_WINDOW_MAX];
	struct rig r;

	rig_set_up(&r, NAIVE(0));
	memcpy(window, machine_window(r.machine), r.machine->fetch.size);
	for (uint32_t i = 0; i < 3000; i++) {
		window[0] = (uint8_t)(i + 1);
		cr_assert(fetch_stored(&r.machine->fetch, window, 0));
		if (i == 1)
			machine_digest(r.machine, before);
	}
	machine_digest(r.machine, after);
	cr_expect_str_neq(after, before);
	machine_digest(r.machine, other);
	cr_expect_str_eq(after, other);
	/* The oldest byte that can be fetched is as much of the state as the newest. */
	r.machine->fetch.versions[1] ^= 1;
	machine_digest(r.machine, other);
	cr_expect_str_neq(after, other);
	rig_tear_down(&r);
}

static uint32_t roll(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % sides;
}

static bool in_site(const struct rig *r, uint32_t vcpu)
{
	uint64_t pc = machine_pc(r->machine, vcpu);

	for (uint32_t i = 0; i < r->scenario.nsites; i++)
		if (pc - r->machine->site[i].placed.text < r->machine->site[i].placed.length)
			return true;
	return false;
}

/* Mostly steps; a site is fetched as the model's extremes allow. */
static struct action any_action(const struct rig *r, uint64_t *seed)
{
	static const uint8_t kinds[] = { ACTION_NMI, ACTION_RAISE, ACTION_LATCH };
	bool latches = r->scenario.fetch.model == FETCH_ASC;
	struct action a = { .kind = ACTION_STEP };

	a.vcpu = (uint8_t)roll(seed, r->scenario.vcpus);
	if (rig_can(r, ACTION_IPI, a.vcpu) && roll(seed, 4) == 0)
		a.kind = ACTION_IPI;
	else if (roll(seed, 40) == 0)
		a.kind = kinds[roll(seed, 2)];
	else if (latches && in_site(r, a.vcpu) && !r->machine->fetch.latched[a.vcpu].nchunks)
		a.kind = kinds[2];
	else if (in_site(r, a.vcpu) && roll(seed, 2))
		a.nversions = ACTION_VERSIONS_MAX;
	for (uint32_t i = 0; i < a.nversions; i++)
		a.version[i] = roll(seed, 2) && !latches ? ACTION_OLDEST : ACTION_NEWEST;
	return a;
}

static void play_at_random(struct rig *r, uint64_t seed, char digest[33])
{
	rig_reset(r);
	for (uint32_t n = 0; n < 400; n++) {
		struct action a = any_action(r, &seed);

		if (machine_enabled(r->machine, &a))
			rig_try(r, &a);
	}
	machine_close(r->machine);
	machine_digest(r->machine, digest);
}

static const char *const random_games[] = {
	TRAPPING ", 'executors': {'cpl': 0, 'calls': 3}, 'patcher': {'pokes': 3},"
		 "'fetch': {'model': 'stale'}",
	TRAPPING ", 'executors': {'cpl': 3, 'calls': 3}, 'patcher': {'pokes': 2}, 'vcpus': 3,"
		 "'fetch': {'model': 'ordered', 'delivery_syncs': true}",
	"'protocol': 'stop_machine', 'method': 'stepped', 'executors': {'calls': 4}, 'vcpus': 3,"
	"'ipi_runs_site': true, 'patcher': {'pokes': 2}, 'fetch': {'model': 'stale'},"
	"'sites': [{'site': 'mov_imm32', 'at': 'cross-line'}, {'site': 'call5_call5'}]",
	"'protocol': 'naive', 'method': 'stepped', 'executors': {'cpl': 3, 'calls': 5},"
	"'patcher': {'pokes': 5}, 'fetch': {'model': 'stale', 'own_alias_visible': true},"
	"'sites': [{'site': 'nop1x5_jmp5', 'at': 'cross-page'}]",
	"'protocol': 'naive', 'method': 'stepped', 'executors': {'cpl': 0, 'calls': 5},"
	"'patcher': {'pokes': 5, 'cpl': 3}, 'fetch': {'model': 'asc', 'chunk': 'line'},"
	"'sites': [{'site': 'nop5_call5', 'at': 'cross-line'}]",
};

Test(machine, a_random_schedule_played_again_and_replayed_ends_in_the_same_state)
{
	for (size_t g = 0; g < COUNT(random_games); g++) {
		struct rig r;

		rig_set_up(&r, "%s", random_games[g]);
		for (uint64_t seed = 1; seed <= 6; seed++) {
			struct schedule given = { 0 };
			char first[33], second[33];
			struct err e = { 0 };
			char *text, *again;

			play_at_random(&r, seed, first);
			text = schedule_encode(&r.taken);
			play_at_random(&r, seed, second);
			again = schedule_encode(&r.taken);
			cr_expect_str_eq(first, second, "game %zu, seed %d", g, (int)seed);
			cr_expect_str_eq(text, again, "game %zu, seed %d", g, (int)seed);
			cr_assert(schedule_decode(&given, text, &e), "%s", e.text);
			rig_replay(&r, &given);
			cr_expect_str_eq(r.observation.digest, first, "game %zu, seed %d: %.300s",
					 g, (int)seed, text);
			cr_expect_eq(r.observation.steps, given.count);
			cr_expect_geq(given.count, 150u);
			cr_expect_str_eq(r.observation.suspect, "", "game %zu, seed %d", g,
					 (int)seed);
			schedule_fini(&given);
			free(again);
			free(text);
		}
		rig_tear_down(&r);
	}
}

/* ---- an event lands where it was aimed ---- */

static void aim_nmi_at(struct rig *r, uint32_t vcpu, uint64_t address, uint32_t cpl)
{
	struct step_report report;

	rig_step_to(r, vcpu, address);
	report = rig_do(r, ACTION_NMI, vcpu);
	cr_expect(report.delivered && report.vector == VECTOR_NMI);
	cr_expect_eq(report.pc, address);
	cr_expect_eq(report.cpl, cpl);
	cr_expect_eq(rig_frame(r, vcpu)->ip, address);
	cr_expect_eq(rig_frame(r, vcpu)->vector, VECTOR_NMI);
	cr_expect_eq(rig_frame(r, vcpu)->cs & 3, cpl);
	cr_expect_eq(rig_frame(r, vcpu)->flags & 0x100, 0, "the guest sees our trap flag");
	cr_expect_eq(vcpu_cpl(vm_vcpu(r->machine->vm, vcpu)), 0);
	rig_step_to(r, vcpu, address); /* the handler returns there */
}

Test(machine, an_nmi_lands_on_the_instruction_it_is_aimed_at)
{
	for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
		struct rig r;

		rig_set_up(&r,
			   "'protocol': 'naive', 'method': 'stepped', 'patcher': {'cpl': %u},"
			   "'executors': {'cpl': %u}, 'sites': [{'site': 'nop5_jmp5'}]",
			   cpl, cpl);
		aim_nmi_at(&r, 1, kvmtest_address("cm_executor_loop"), cpl);
		aim_nmi_at(&r, 1, kvmtest_address("cm_execute+1") + 2, cpl);
		aim_nmi_at(&r, 1, r.machine->site[0].placed.text, cpl);
		aim_nmi_at(&r, 1, r.machine->site[0].placed.text + 5, cpl);
		aim_nmi_at(&r, 0, kvmtest_address("naive.head"), cpl);
		aim_nmi_at(&r, 0, kvmtest_address("naive.tail"), cpl);
		rig_finish(&r);
		cr_expect_eq(r.observation.cpu[0].guest.nmis, 2);
		cr_expect_eq(r.observation.cpu[1].guest.nmis, 4);
		cr_expect_eq(r.observation.nviolations, 0);
		cr_expect_str_eq(r.observation.suspect, "");
		rig_tear_down(&r);
	}
}

/* ---- NMI masking ---- */

/* Its IRET leads back into a vector stub, which is no second delivery. */
Test(machine, an_nmi_right_behind_a_delivery_returns_there)
{
	struct rig r = { 0 };
	uint64_t stub;

	rig_set_up(&r, TRAPPING ", 'executors': {'cpl': 0}");
	rig_step_to_site(&r, 1);
	rig_do(&r, ACTION_RAISE, 1);
	cr_assert(rig_do(&r, ACTION_IPI, 1).delivered);
	stub = machine_pc(r.machine, 1);
	cr_assert_eq(rig_do(&r, ACTION_NMI, 1).vector, VECTOR_NMI);
	cr_expect_not(rig_step_to(&r, 1, stub).delivered);
	cr_expect_eq(rig_frame(&r, 1)->vector, CM_VECTOR_IPI);
	rig_finish(&r);
	cr_expect_eq(r.observation.nviolations, 0);
	rig_tear_down(&r);
}

Test(machine, an_nmi_inside_the_handler_waits_for_its_iret)
{
	struct step_report report;
	uint64_t site;
	struct rig r;

	rig_set_up(&r, NAIVE(0));
	site = r.machine->site[0].placed.text;
	rig_step_to_site(&r, 1);
	rig_do(&r, ACTION_NMI, 1);
	for (int again = 0; again < 2; again++) { /* the second one coalesces */
		report = rig_do(&r, ACTION_NMI, 1);
		cr_expect(!report.delivered, "an NMI inside an NMI handler");
		cr_expect(r.machine->cpu[1].nmi_latched);
		rig_step_to_symbol(&r, 1, "cm_trap");
	}
	do
		report = rig_do(&r, ACTION_STEP, 1);
	while (!report.nmi_after && rig_can(&r, ACTION_STEP, 1));
	cr_expect(report.length == 2 && !memcmp(report.bytes, "\x48\xcf", 2), "not behind IRETQ");
	cr_expect(report.delivered && report.vector == VECTOR_NMI);
	cr_expect_eq(rig_frame(&r, 1)->ip, site, "no instruction ran between the two");
	cr_expect(!r.machine->cpu[1].nmi_latched);
	rig_finish(&r);
	cr_expect_eq(r.observation.cpu[1].guest.nmis, 2);
	cr_expect_str_eq(r.observation.suspect, "");
	rig_tear_down(&r);
}

/* SDM vol 3, 6.7.1: any IRET unmasks NMIs, also that of a #BP inside the NMI handler. */
Test(machine, a_breakpoint_in_the_nmi_handler_lets_the_next_nmi_overwrite_its_frame)
{
	struct step_report report;
	struct frame *outer;
	uint64_t site;
	struct rig r;

	rig_set_up(&r, TRAPPING ", 'executors': {'cpl': 0}");
	site = r.machine->site[0].placed.text;
	rig_step_to_site(&r, 1);
	rig_step_to_symbol(&r, 0, "int3_fixup.sync1");
	rig_do(&r, ACTION_NMI, 1);
	outer = rig_frame(&r, 1);
	cr_expect_eq(outer->ip, site);
	rig_step_to_symbol(&r, 1, "int3_fixup.trapped");
	report = rig_do(&r, ACTION_NMI, 1);
	cr_expect(!report.delivered && r.machine->cpu[1].nmi_latched);
	do
		report = rig_do(&r, ACTION_STEP, 1);
	while (!report.nmi_after && rig_can(&r, ACTION_STEP, 1));
	cr_expect_eq(report.vector, VECTOR_NMI);
	cr_expect(report.length == 2 && !memcmp(report.bytes, "\x48\xcf", 2), "not behind IRETQ");
	cr_expect_eq(rig_frame(&r, 1), outer, "NMIs have one stack");
	cr_expect_eq(outer->ip, site + 5, "the first NMI's way back is lost");
	cr_expect_str_eq(r.observation.suspect, "");
	rig_tear_down(&r);
}

/* The last file of the image ends in this routine: less than a longest instruction behind it. */
Test(machine, instructions_at_the_end_of_the_code_are_known)
{
	struct step_report report;
	struct rig r;

	rig_set_up(&r, "'protocol': 'int3_reuse_whole_retry', 'method': 'stepped', "
		       "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}], "
		       "'fetch': {'model': 'sc'}, 'schedule': [{'vcpu': 0, 'steps': 1}]");
	rig_step_to_symbol(&r, 0, "cm_relax");
	rig_do(&r, ACTION_IPI, 1);
	rig_step_to_idle(&r, 1);
	rig_step_to_symbol(&r, 0, "int3_reuse.end");
	do {
		report = rig_do(&r, ACTION_STEP, 0);
		cr_assert_gt(report.length, 0, "at %#lx", (unsigned long)report.pc);
	} while (report.bytes[0] != 0xc3);
	rig_tear_down(&r);
}

/* ---- what is fetched is what is executed ---- */

Test(machine, every_vcpu_fetches_from_a_view_of_its_own)
{
	static const struct {
		uint32_t first, second; /* masks: which bytes are new */
		uint32_t lands[2];	/* offsets from the site */
	} pair[] = {
		{ 0x00, 0x1f, { 5, 16 } },
		{ 0x1f, 0x00, { 16, 5 } },
		{ 0x01, 0x05, { 5 + 0x441f, 5 + 0x1f } },
		{ 0x03, 0x00, { 5 + 0x440b, 5 } },
	};
	struct rig r;

	rig_set_up(&r, NAIVE(3) ", 'vcpus': 3");
	for (size_t i = 0; i < COUNT(pair); i++) {
		uint64_t site = r.machine->site[0].placed.text;
		struct step_report one, two;

		rig_reset(&r);
		rig_step_to_site(&r, 1);
		rig_step_to_site(&r, 2);
		rig_step_to_symbol(&r, 0, "naive.end");
		one = rig_step_mixed(&r, 1, pair[i].first);
		two = rig_step_mixed(&r, 2, pair[i].second);
		cr_expect_eq(one.next_pc, site + pair[i].lands[0], "%zu", i);
		cr_expect_eq(two.next_pc, site + pair[i].lands[1], "%zu", i);
		cr_expect_neq(memcmp(one.bytes, two.bytes, SITE_LENGTH), 0);
	}
	rig_tear_down(&r);
}

/* What one run of a mixture showed. */
struct torn_fetches {
	uint32_t count;
	char hex[CM_MAX_SITE_LEN][64];
};

/* Force byte i of the site to be new where (mask) says so, at every fetch inside it. */
static void force(struct rig *r, uint32_t mask, struct torn_fetches *torn)
{
	memset(torn, 0, sizeof(*torn));
	rig_reset(r);
	rig_step_to_site(r, 1);
	rig_step_to_symbol(r, 0, "naive.end");
	while (in_site(r, 1) && !r->observation.nviolations) {
		struct step_report report = rig_step_mixed(r, 1, mask);

		if (report.form == FORM_TORN && torn->count < CM_MAX_SITE_LEN)
			site_hex(report.bytes, report.length, torn->hex[torn->count++], 64);
		cr_assert_lt(r->machine->steps, KVMTEST_STEPS_MAX);
	}
	rig_finish(r);
}

static void expect_torn(const struct observation *o, const struct torn_fetches *torn,
			const char *what)
{
	bool named = false;

	cr_assert_geq(o->nviolations, 1, "%s: %s not recognised", what, torn->hex[0]);
	for (uint32_t i = 0; i < torn->count; i++)
		named |= torn->hex[i][0] && strstr(o->violation[0].text, torn->hex[i]);
	cr_expect_eq(o->violation[0].kind, VIOLATION_TORN, "%s: %s", what, o->violation[0].text);
	cr_expect(named, "%s: \"%s\" does not name %s", what, o->violation[0].text, torn->hex[0]);
}

static void expect_mixture(struct rig *r, uint32_t mask, const char *where)
{
	const struct observation *o = &r->observation;
	struct torn_fetches torn;
	char what[96];

	force(r, mask, &torn);
	snprintf(what, sizeof(what), "%s, mask %#x", where, mask);
	cr_expect_str_eq(o->suspect, "", "%s: %s", what, o->suspect);
	if (torn.count)
		expect_torn(o, &torn, what);
	else
		cr_expect_eq(o->nviolations, 0, "%s: %s", what, o->violation[0].text);
}

/* One machine a placement; all mixtures where the site crosses a line, some elsewhere. */
static void expect_mixtures(const char *kind)
{
	static const char *const places[] = { "cross-line", "in-line", "cross-8", "cross-page" };
	static const uint32_t some[] = { 0x01, 0x03, 0x07, 0x18, 0x1c, 0x1e };
	uint32_t length;
	char where[64];
	struct rig r;

	for (uint32_t p = 0; p < COUNT(places); p++)
		for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
			rig_set_up(&r,
				   "'protocol': 'naive', 'method': 'stepped', 'executors': "
				   "{'cpl': %u}, 'fetch': {'model': 'stale', 'chunk': 'byte'},"
				   "'sites': [{'site': '%s', 'at': '%s'}]",
				   cpl, kind, places[p]);
			length = r.machine->site[0].placed.length;
			snprintf(where, sizeof(where), "%s %s at CPL%u", kind, places[p], cpl);
			for (uint32_t mask = 0; p == 0 && !(mask >> length); mask++)
				expect_mixture(&r, mask, where);
			for (uint32_t i = 0; p > 0 && i < COUNT(some); i++)
				expect_mixture(&r, some[i], where);
			rig_tear_down(&r);
		}
}

Test(machine, every_mixture_of_nop5_jmp5_is_recognised)
{
	expect_mixtures("nop5_jmp5");
}

Test(machine, every_mixture_of_nop5_call5_is_recognised)
{
	expect_mixtures("nop5_call5");
}

Test(machine, every_mixture_of_call5_call5_is_recognised)
{
	expect_mixtures("call5_call5");
}

Test(machine, every_mixture_of_mov_imm32_is_recognised)
{
	expect_mixtures("mov_imm32");
}

Test(machine, every_mixture_of_mov_xor_imm32_is_recognised)
{
	expect_mixtures("mov_xor_imm32");
}

Test(machine, every_mixture_of_a_site_of_2_or_6_bytes_is_recognised)
{
	expect_mixtures("nop2_jmp8");
	expect_mixtures("jcc6_jcc6");
}

Test(machine, every_mixture_of_jmp5_ret5_is_recognised)
{
	expect_mixtures("jmp5_ret5");
}

Test(machine, every_mixture_of_nop1x5_jmp5_is_recognised)
{
	expect_mixtures("nop1x5_jmp5");
}

/* ---- what is not possible is refused ---- */

Test(machine, a_decision_that_is_not_possible_is_refused)
{
	struct action step = { .kind = ACTION_STEP, .vcpu = 0 };
	struct action ipi = { .kind = ACTION_IPI, .vcpu = 1 };
	struct action nobody = { .kind = ACTION_STEP, .vcpu = 2 };
	struct action latch = { .kind = ACTION_LATCH, .vcpu = 1 };
	struct rig r;

	rig_set_up(&r, "%s", NAIVE(0));
	rig_refuses(&r, &ipi, "without a deliverable IPI");
	rig_refuses(&r, &nobody, "not there");
	nobody.vcpu = 255;
	rig_refuses(&r, &nobody, "not there");
	rig_refuses(&r, &latch, "not at a site");
	rig_step_to_site(&r, 1);
	rig_refuses(&r, &latch, "model 'stale'");
	rig_step_to_idle(&r, 0);
	rig_refuses(&r, &step, "idle");
	rig_tear_down(&r);
}

Test(machine, an_ipi_waits_until_interrupts_are_on)
{
	struct action ipi = { .kind = ACTION_IPI, .vcpu = 1 };
	struct rig r;

	rig_set_up(&r, "%s", NAIVE(0));
	rig_do(&r, ACTION_NMI, 1); /* an interrupt gate: they are off */
	rig_do(&r, ACTION_RAISE, 1);
	cr_expect(!machine_enabled(r.machine, &ipi));
	rig_refuses(&r, &ipi, "without a deliverable IPI");
	while (!rig_can(&r, ACTION_IPI, 1))
		rig_do(&r, ACTION_STEP, 1);
	cr_expect_eq(rig_do(&r, ACTION_IPI, 1).vector, CM_VECTOR_IPI);
	cr_expect(!r.machine->cpu[1].ipi_pending);
	cr_expect(!machine_enabled(r.machine, &ipi));
	rig_finish(&r);
	cr_expect_eq(r.observation.cpu[1].guest.ipis, 1);
	rig_tear_down(&r);
}

Test(machine, a_fetch_the_model_does_not_allow_is_refused)
{
	struct action a = { .kind = ACTION_STEP, .vcpu = 1, .nversions = 1, .version = { 0 } };
	struct rig r;

	rig_set_up(&r, "%s", NAIVE(0));
	rig_refuses(&r, &a, "not at a site");
	rig_step_to_site(&r, 1);
	a.version[0] = 1;
	rig_refuses(&r, &a, "the newest is 0");
	rig_step_to_symbol(&r, 0, "naive.end");
	rig_do(&r, ACTION_NMI, 1);
	rig_step_to_site(&r, 1); /* its IRET synchronised */
	a.version[0] = 0;
	rig_refuses(&r, &a, "any more: the oldest it may still see is");
	a.version[0] = ACTION_OLDEST;
	cr_expect_eq(rig_try(&r, &a).form, FORM_NEW);
	rig_tear_down(&r);
}

/* ---- how many vCPUs ---- */

Test(machine, one_vcpu_and_eight_play_to_the_end)
{
	static const char *const protocols[] = { "stop_machine", "int3_fixup_a0" };
	static const uint32_t vcpus[] = { 1, 8 };
	struct rig r;

	for (size_t i = 0; i < 4; i++) {
		rig_set_up(&r,
			   "'protocol': '%s', 'method': 'stepped', 'vcpus': %u,"
			   "'sites': [{'site': 'nop5_jmp5'}], 'fetch': {'model': 'stale'}",
			   protocols[i / 2], vcpus[i % 2]);
		cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN, "%s on %u: %s",
			     protocols[i / 2], vcpus[i % 2], r.observation.suspect);
		cr_expect_eq(r.observation.end, END_COMPLETE);
		cr_expect_eq(r.observation.cpu[0].guest.pokes, 1);
		for (uint32_t v = 1; v < vcpus[i % 2]; v++)
			cr_expect_geq(r.observation.cpu[v].guest.ipis, 1);
		rig_tear_down(&r);
	}
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_run_stepped.c - playing a scenario's schedule: moves end where they
 * say, injections fire where they say, and every bound ends the run with a
 * reason. On a real KVM.
 */
#include "vm/guard.h"
#include "kvmtest.h"
#include "machine/setup.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SITE0	     (CM_TEXT_BASE + CM_SLOT_ORIGIN + 8) /* "in-line" */

TestSuite(run_stepped, .timeout = 30);

/* A scenario on one in-line site, three calls at CPL3; (rest) is the schedule. */
#define PLAY(protocol)                                                                  \
	"'protocol': '" protocol "', 'method': 'stepped', 'fetch': {'model': 'stale'}," \
	"'executors': {'cpl': 3, 'calls': 3}, 'sites': [{'site': 'nop5_jmp5'}],"

/* ---- where the run stands at an NMI, the tests' marker ---- */

struct mark {
	struct rig *r;
	uint32_t nmis;
	uint64_t pushed; /* the frame's instruction pointer */
	uint64_t stores, state;
	/* Of the decisions before it, and of the last of them. */
	uint64_t hits, steps[2];
	uint64_t arrived;
	bool stored, idle;
};

static void see(void *arg, struct machine *m, const struct step_report *report)
{
	struct mark *k = arg;

	if (!report)
		return;
	if (report->action.kind == ACTION_NMI) {
		k->nmis++;
		k->pushed = rig_frame(k->r, report->action.vcpu)->ip;
		k->stores = m->observation->stores;
		k->state = machine_read32(m, kvmtest_address("stop_machine_state"));
	}
	if (k->nmis)
		return;
	k->steps[report->action.vcpu] += report->action.kind == ACTION_STEP;
	k->arrived = report->next_pc;
	k->stored = report->stored;
	k->idle = machine_idle(m, 0);
	k->hits += report->action.vcpu == 1 && report->next_pc == kvmtest_address("cm_execute");
}

static struct mark mark(const char *format, const char *rest)
{
	struct mark k = { 0 };
	struct rig r;

	rig_set_up(&r, format, rest);
	k.r = &r;
	rig_play(&r, see, &k);
	cr_expect_eq(k.nmis, 1, "%s: %u NMIs", rest, k.nmis);
	cr_expect_str_eq(r.observation.suspect, "", "%s: %s", rest, r.observation.suspect);
	rig_tear_down(&r);
	return k;
}

static struct mark injected(const char *when)
{
	return mark(PLAY("stop_machine") "'inject': [{'what': 'nmi', %s}]", when);
}

static struct mark stopped(const char *moves)
{
	return mark(PLAY("stop_machine") "'schedule': [%s, {'vcpu': 0, 'deliver': 'nmi'}]", moves);
}

Test(run_stepped, an_injection_lands_at_its_hit)
{
	struct mark k = injected("'vcpu': 1, 'at': 'cm_execute', 'hit': 3");

	cr_expect_eq(k.pushed, kvmtest_address("cm_execute"));
	cr_expect_eq(k.hits, 3);
	k = injected("'vcpu': 1, 'at': 'site0'");
	cr_expect_eq(k.pushed, SITE0);
	cr_expect_eq(k.hits, 1);
	k = injected("'vcpu': 0, 'at': 'stop_machine.tail'");
	cr_expect_eq(k.pushed, kvmtest_address("stop_machine.tail"));
	cr_expect_eq(k.stores, 1);
}

Test(run_stepped, an_injection_lands_behind_its_store)
{
	struct mark k = injected("'vcpu': 0, 'at_stores': 2");

	cr_expect_eq(k.pushed, k.arrived);
	cr_expect_eq(k.stores, 2);
	k = injected("'vcpu': 0, 'at_stores': 1");
	cr_expect_eq(k.pushed, k.arrived);
	cr_expect_eq(k.stores, 1);
	cr_expect(k.stored, "not at once");
}

Test(run_stepped, an_injection_lands_when_its_variable_has_the_value)
{
	struct mark k = injected("'vcpu': 0, 'when': {'name': 'stop_machine_state', 'equals': 2}");

	cr_expect_eq(k.pushed, k.arrived);
	cr_expect_eq(k.state, 2);
	cr_expect_gt(k.pushed, kvmtest_address("stop_machine.release"));
}

Test(run_stepped, an_injection_may_hit_another_vcpu_than_the_one_it_waits_for)
{
	struct mark k = injected("'vcpu': 1, 'at': 'stop_machine.release', 'on': 0");

	cr_expect_eq(k.arrived, kvmtest_address("stop_machine.release"));
	cr_expect_neq(k.pushed, kvmtest_address("stop_machine.release"));
	cr_expect_eq(k.state, 1, "vCPU 1 is parked");
}

Test(run_stepped, a_raised_ipi_is_delivered_when_interrupts_are_on)
{
	struct rig r;

	rig_set_up(&r,
		   PLAY("stop_machine") "'schedule': [{'vcpu': 1, 'until': 'site0'}],"
					"'inject': [{'what': 'ipi', 'vcpu': 1, 'at': 'site0'}]");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN);
	cr_expect_eq(r.observation.cpu[1].guest.ipis, 2, "one raised, one of the rendezvous");
	cr_expect_eq(r.observation.cpu[0].guest.ipis, 0);
	rig_tear_down(&r);
}

/* ---- moves ---- */

Test(run_stepped, a_move_ends_at_its_address_and_hit)
{
	struct mark k = stopped("{'vcpu': 0, 'until': 'stop_machine.gather'}");

	cr_expect_eq(k.pushed, kvmtest_address("stop_machine.gather"));
	cr_expect_eq(k.steps[1], 0);
	k = stopped("{'vcpu': 0, 'until': 'cm_relax', 'hit': 4}");
	cr_expect_eq(k.pushed, kvmtest_address("cm_relax"));
	cr_expect_gt(k.steps[0], stopped("{'vcpu': 0, 'until': 'cm_relax'}").steps[0]);
	k = stopped("{'vcpu': 1, 'until': 'cm_execute', 'hit': 2}");
	cr_expect_eq(k.hits, 2);
	cr_expect_eq(k.steps[0], 0);
}

Test(run_stepped, a_move_ends_at_its_store_its_variable_its_end)
{
	struct mark k = stopped("{'vcpu': 'all', 'until_stores': 2}");

	cr_expect_eq(k.stores, 2);
	cr_expect(k.stored, "not at once");
	k = stopped("{'vcpu': 0, 'until_variable': {'name': 'stop_machine_state', 'equals': 1}}");
	cr_expect_eq(k.state, 1);
	cr_expect_eq(k.steps[1], 0);
	k = stopped("{'vcpu': 'all', 'until_variable': {'name': 'stop_machine_state',"
		    "'equals': 2}}");
	cr_expect_eq(k.state, 2);
	k = stopped("{'vcpu': 'all', 'until_done': true}");
	cr_expect(k.idle);
	k = stopped("{'vcpu': 1, 'until_done': true}");
	cr_expect(!k.idle);
	cr_expect_eq(k.steps[0], 0);
	k = stopped("{'vcpu': 1, 'steps': 17}, {'vcpu': 0, 'steps': 3}");
	cr_expect_eq(k.steps[1], 17);
	cr_expect_eq(k.steps[0], 3);
	k = stopped("{'vcpu': 'all', 'steps': 10}");
	cr_expect_eq(k.steps[0], 5);
	cr_expect_eq(k.steps[1], 5);
}

Test(run_stepped, a_place_reached_already_takes_no_step)
{
	struct mark k = stopped("{'vcpu': 1, 'until': 'site0'}, {'vcpu': 1, 'until': 'site0'},"
				"{'vcpu': 'all', 'until': 'site0'}");

	cr_expect_eq(k.hits, 1);
	cr_expect_eq(k.arrived, SITE0);
}

Test(run_stepped, ipis_are_held_while_asked_to)
{
	struct rig r;

	rig_set_up(&r, PLAY("stop_machine") "'schedule': [{'vcpu': 0, 'until': 'cm_relax'},"
					    "{'vcpu': 1, 'steps': 30, 'hold_ipis': true}]");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN);
	for (size_t i = 0, ones = 0; i < r.taken.count && ones < 30; i++) {
		ones += r.taken.action[i].vcpu == 1;
		cr_expect_neq(r.taken.action[i].kind, ACTION_IPI);
	}
	cr_expect_eq(r.observation.cpu[1].guest.ipis, 1, "afterwards it comes");
	rig_tear_down(&r);
}

static void expect_refusal(const char *moves, const char *where, const char *why)
{
	struct err e = { 0 };
	struct rig r;

	rig_set_up(&r, PLAY("naive") "'schedule': [%s]", moves);
	cr_expect(!run_stepped(r.machine, &r.observation, &r.taken, NULL, NULL, &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, where) && strstr(e.text, why), "\"%s\" lacks \"%s\" or \"%s\"",
		  e.text, where, why);
	cr_expect(strstr(e.text, "test.json"), "%s", e.text);
	rig_tear_down(&r);
}

Test(run_stepped, a_move_that_is_not_possible_is_named)
{
	expect_refusal("{'vcpu': 0, 'until_done': true}, {'vcpu': 0, 'until': 'naive.head'}",
		       "$.schedule[1]", "the vCPU has played its role before reaching naive.head");
	expect_refusal("{'vcpu': 0, 'until_done': true}, {'vcpu': 'all', 'until': 'cm_apic_ipi'}",
		       "$.schedule[1]", "before reaching cm_apic_ipi");
	expect_refusal("{'vcpu': 0, 'until_stores': 9}", "$.schedule[0]",
		       "before reaching store 9");
	expect_refusal("{'vcpu': 1, 'steps': 1}, {'vcpu': 1, 'deliver': 'ipi'}", "$.schedule[1]",
		       "without a deliverable IPI");
	expect_refusal("{'vcpu': 1, 'until': 'site0'}, {'vcpu': 1, 'fetch': [3]}", "$.schedule[1]",
		       "the newest is 0");
	expect_refusal("{'vcpu': 1, 'fetch': ['new']}", "$.schedule[0]", "not at a site");
}

/* ---- stalls ---- */

Test(run_stepped, a_stall_holds_a_vcpu)
{
	uint64_t first = 0, next = 0;
	struct rig r;

	rig_set_up(
		&r,
		PLAY("stop_machine") "'inject': [{'what': 'stall', 'vcpu': 1, 'at': 'site0', 'steps': 20}]");
	rig_play(&r, NULL, NULL);
	for (size_t i = 1; i < r.taken.count && !next; i++) {
		bool one = r.taken.action[i].vcpu == 1;

		/* in turn, vCPU 1 moves every second time; the first gap is the stall */
		if (one && !first)
			first = i;
		else if (one && i - first > 2)
			next = i;
		else if (one)
			first = i;
	}
	cr_expect_eq(next - first, 21, "held for %d decisions", (int)(next - first) - 1);
	rig_tear_down(&r);
}

Test(run_stepped, a_stall_ends_when_nobody_else_can_move)
{
	struct rig r;

	rig_set_up(&r, PLAY("naive") "'schedule': [{'vcpu': 0, 'until_done': true}],"
				     "'inject': [{'what': 'stall', 'vcpu': 1, 'at': 'site0',"
				     "'steps': 15000}]");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN);
	cr_expect_eq(r.observation.end, END_COMPLETE);
	cr_expect_lt(r.observation.steps, 15000);
	rig_tear_down(&r);
}

/* ---- ends ---- */

Test(run_stepped, too_many_steps_are_inconclusive)
{
	struct rig r;

	rig_set_up(
		&r,
		PLAY("stop_machine") "'schedule': [{'vcpu': 0, 'until': 'stop_machine.end'}], 'max_steps': 300");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_INCONCLUSIVE);
	cr_expect_eq(r.observation.end, END_STEPS);
	cr_expect_eq(r.observation.steps, 300);
	cr_expect_eq(r.taken.count, 300);
	rig_tear_down(&r);
}

Test(run_stepped, a_violation_ends_the_run_and_its_replay_says_the_same)
{
	struct observation first;
	struct schedule given;
	struct rig r;

	rig_load(&r, "scenarios/x86_64/naive/between-the-stores.json");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_TORN);
	cr_expect_eq(r.observation.end, END_VIOLATION);
	first = r.observation;
	given = r.taken;
	memset(&r.taken, 0, sizeof(r.taken));
	rig_replay(&r, &given);
	cr_expect_eq(r.observation.end, END_VIOLATION);
	cr_expect_str_eq(r.observation.digest, first.digest);
	cr_expect_str_eq(r.observation.violation[0].text, first.violation[0].text);
	cr_expect_eq(r.observation.violation[0].step, first.violation[0].step);
	schedule_fini(&given);
	rig_tear_down(&r);
}

/* A vCPU that jumps to itself never exits. */
Test(run_stepped, the_watchdog_kicks_a_vcpu_that_does_not_exit)
{
	static const uint8_t jmp_self[] = { 0xeb, 0xfe };
	uint64_t loop = kvmtest_address("cm_selfcheck_count");
	struct err e = { 0 };
	struct vcpu_exit x;
	struct vcpu *v;
	struct rig r;

	guard_install();
	kvmtest_take_turns(true);
	rig_set_up(&r, PLAY("stop_machine") "'vcpus': 2");
	v = vm_vcpu(r.machine->vm, 1);
	memcpy(r.machine->memory->image + (loop - CM_IMAGE_BASE), jmp_self, sizeof(jmp_self));
	vcpu_set_pc(v, loop);
	guard_watch(r.machine->vm, 2, 0.3, true);
	cr_assert(vcpu_run(v, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_KICKED);
	cr_expect(guard_fired());
	cr_expect(!guard_interrupted());
	cr_expect_eq(vcpu_pc(v), loop);
	guard_release();
	rig_reset(&r); /* and the machine is as good as new */
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN);
	rig_tear_down(&r);
}

/* Ctrl-C, from a watcher so that it comes at a known decision. */
static void interrupt_at_40(void *arg, struct machine *m, const struct step_report *report)
{
	(void)arg;
	(void)m;
	if (report && report->number == 39)
		raise(SIGINT);
}

Test(run_stepped, an_interrupted_run_is_inconclusive)
{
	struct rig r;

	guard_install();
	rig_set_up(&r, PLAY("stop_machine") "'vcpus': 2");
	cr_expect_eq(rig_play(&r, interrupt_at_40, NULL), VERDICT_INCONCLUSIVE);
	cr_expect_eq(r.observation.end, END_INTERRUPTED);
	cr_expect_eq(r.observation.steps, 40);
	cr_expect_eq(r.taken.count, 40);
	rig_tear_down(&r);
}

struct calls {
	uint32_t starts, decisions;
};

static void count_calls(void *arg, struct machine *m, const struct step_report *report)
{
	struct calls *c = arg;

	if (report) {
		c->decisions++;
		return;
	}
	c->starts++;
	cr_expect_eq(c->decisions, 0);
	cr_expect_eq(m->steps, 0);
	cr_expect_eq(fetch_now(&m->fetch), 0);
}

/* Who waits for a stalled vCPU comes back to its state over and over; the stall ends all the same. */
Test(run_stepped, a_long_stall_is_no_repetition)
{
	struct rig r;

	rig_set_up(&r, PLAY("stop_machine") "'inject': [{'what': 'stall', 'vcpu': 1, 'steps': 6000,"
					    "'at': 'stop_machine.head', 'on': 0}], 'vcpus': 2");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN, "ended by %d after %llu",
		     r.observation.end, (unsigned long long)r.observation.steps);
	cr_expect_eq(r.observation.end, END_COMPLETE);
	cr_expect_gt(r.observation.steps, 6000);
	rig_tear_down(&r);
}

Test(run_stepped, a_watcher_sees_the_start_and_every_decision)
{
	struct calls calls = { 0 };
	struct rig r;

	rig_set_up(&r, PLAY("naive") "'vcpus': 2");
	rig_play(&r, count_calls, &calls);
	cr_expect_eq(calls.starts, 1);
	cr_expect_eq(calls.decisions, r.observation.steps);
	rig_tear_down(&r);
}

Test(run_stepped, an_interrupted_replay_is_inconclusive_too)
{
	char reason[200];
	struct schedule given;
	struct err e = { 0 };
	struct rig r;

	guard_install();
	rig_set_up(&r, PLAY("stop_machine") "'vcpus': 2");
	rig_play(&r, NULL, NULL);
	given = r.taken;
	memset(&r.taken, 0, sizeof(r.taken));
	cr_assert(run_replay(r.machine, &given, &r.observation, interrupt_at_40, NULL, &e),
		  "code %d: \"%s\"", e.code, e.text);
	cr_expect_eq(r.observation.end, END_INTERRUPTED);
	cr_expect_eq(verdict_of(&r.observation, reason, sizeof(reason)), VERDICT_INCONCLUSIVE);
	schedule_fini(&given);
	rig_tear_down(&r);
}

Test(run_stepped, a_replay_with_a_decision_that_is_not_possible_names_it)
{
	struct schedule given = { 0 };
	struct err e = { 0 };
	struct rig r;

	rig_set_up(&r, PLAY("stop_machine") "'vcpus': 2");
	cr_assert(schedule_decode(&given, "1s*5 0s 1i 1s", &e), "%s", e.text);
	cr_assert(!run_replay(r.machine, &given, &r.observation, NULL, NULL, &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, "decision 6: vCPU 1"), "%s", e.text);
	schedule_fini(&given);
	rig_tear_down(&r);
}

/* The planted crash: a vCPU thrown to where nothing is mapped, outside any site. */
Test(run_stepped, an_exception_outside_any_site_is_a_crash)
{
	struct rig r = { 0 };

	rig_set_up(&r, "'protocol': 'naive', 'method': 'stepped', "
		       "'sites': [{'site': 'nop5_jmp5'}]");
	vcpu_set_pc(vm_vcpu(r.machine->vm, 1), 0x40000000);
	for (int i = 0; i < 500 && !r.observation.nviolations; i++)
		rig_do(&r, ACTION_STEP, 1);
	cr_assert_eq(r.observation.nviolations, 1);
	cr_expect_eq(r.observation.violation[0].kind, VIOLATION_CRASH);
	rig_tear_down(&r);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_gic.c - interrupts of a free run on arm64: each kind comes as what it
 * is, is counted once and ended, and a FIQ gets through where IRQs are masked;
 * atomics, timing and the watchdog at full speed. Below the gate that keeps
 * users from running at full speed in an emulator: nothing here says what a
 * processor does with code. On a real KVM; other hosts have no arm.h.
 */
#if defined(__aarch64__)
#include "arch/arm64/arm.h"
#include "vm/guard.h"
#include "kvmtest.h"
#include "machine/setup.h"
#include "run/run_free.h"
#include "sweep/sweep_lab.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(gic, .timeout = 60);

/* ---- one vCPU at a time: what is raised before it is entered is all there is ---- */

struct still {
	struct scenario scenario;
	struct site site[CM_MAX_SITES];
	struct vm *vm;
};

/* vCPUs that stand behind their ROLE doorbell, IRQs on. */
static void set_up_many(struct still *s, uint32_t vcpus)
{
	struct err e = { 0 };

	kvmtest_take_turns(false);
	guard_install();
	kvmtest_scenario(&s->scenario,
			 "'protocol': 'naive', 'method': 'free', 'sites': [{'site': 'a64_nop_b'}],"
			 "'vcpus': %u, 'free': {'seconds': 1}",
			 vcpus);
	s->vm = vm_new(kvmtest_image(), VM_FREE, vcpus, &e);
	if (!s->vm)
		kvmtest_skip_or_fail(&e);
	guard_watch(s->vm, vcpus, 10, true);
	cr_assert(vm_boot(s->vm, &e), "%s", e.text);
	cr_assert(setup_guest(s->vm, kvmtest_image(), &s->scenario, s->site, &e), "%s", e.text);
}

static void set_up(struct still *s)
{
	set_up_many(s, 2);
}

static void tear_down(struct still *s)
{
	guard_release();
	vm_free(s->vm);
	scenario_fini(&s->scenario);
}

static const struct cm_counts *counts(const struct still *s, uint32_t vcpu)
{
	return setup_counts(s->vm, kvmtest_image(), vcpu);
}

static void raise_event(struct still *s, uint32_t vcpu, enum event_kind kind)
{
	struct err e = { 0 };

	cr_assert(vm_raise(s->vm, vcpu, kind, &e), "%s", e.text);
}

/* From (pc) at EL1, with (masked) of PSTATE's D, A, I and F, to a doorbell. */
static void run_from(struct still *s, uint32_t vcpu, uint64_t pc, uint64_t masked)
{
	struct vcpu *v = vm_vcpu(s->vm, vcpu);
	struct vcpu_exit x;
	struct err e = { 0 };

	arm_set(v, ARM_PC, pc);
	arm_set(v, ARM_PSTATE, ARM_EL1H | masked);
	cr_assert(vcpu_run(v, &x, &e), "%s", e.text);
	cr_assert(x.kind == EXIT_DOOR && x.door == CM_DOOR_READY,
		  "vCPU %u ended in %d, door %u, at %#llx", vcpu, x.kind, x.door,
		  (unsigned long long)vcpu_pc(v));
}

/* A few turns of a loop, which ends in a doorbell. */
static void count_down(struct still *s, uint32_t vcpu, uint64_t masked)
{
	arm_set(vm_vcpu(s->vm, vcpu), ARM_X0, 10000);
	run_from(s, vcpu, kvmtest_address("cm_selfcheck_count"), masked);
}

Test(gic, an_event_comes_once_to_whom_it_is_for)
{
	struct still s;

	set_up(&s);
	fprintf(stderr, "interrupt controller: %d\n", vm_irqchip(s.vm));
	cr_expect(vm_irqchip(s.vm) == CM_IRQCHIP_GICV3 || vm_irqchip(s.vm) == CM_IRQCHIP_GICV2);
	for (uint64_t n = 1; n <= 5; n++) { /* more than once: it was ended */
		raise_event(&s, 1, EVENT_NMI);
		raise_event(&s, 0, EVENT_IPI);
		for (uint32_t i = 0; i < 2; i++) {
			count_down(&s, i, 0);
			cr_expect_eq(counts(&s, i)->nmis, i ? n : 0, "vCPU %u: %d", i,
				     (int)counts(&s, i)->nmis);
			cr_expect_eq(counts(&s, i)->ipis, i ? 0 : n, "vCPU %u: %d", i,
				     (int)counts(&s, i)->ipis);
		}
	}
	tear_down(&s);
}

/* Only its own handler keeps an NMI out; masked IRQs wait, and any IRQ does behind an NMI. */
Test(gic, a_fiq_is_taken_where_irqs_are_masked)
{
	struct still s;

	set_up(&s);
	raise_event(&s, 1, EVENT_IPI);
	raise_event(&s, 1, EVENT_NMI);
	count_down(&s, 1, ARM_PSTATE_I);
	cr_expect_eq(counts(&s, 1)->nmis, 1);
	cr_expect_eq(counts(&s, 1)->ipis, 0);
	raise_event(&s, 1, EVENT_NMI);
	count_down(&s, 1, ARM_PSTATE_F);
	cr_expect_eq(counts(&s, 1)->nmis, 1, "masked");
	cr_expect_eq(counts(&s, 1)->ipis, 0, "less urgent than what waits");
	count_down(&s, 1, 0);
	cr_expect_eq(counts(&s, 1)->nmis, 2);
	cr_expect_eq(counts(&s, 1)->ipis, 1);
	tear_down(&s);
}

/* Edge-triggered: one that waits is there or not. What came of how many is for the counts to say. */
Test(gic, those_that_wait_are_one)
{
	struct still s;

	set_up(&s);
	for (int i = 0; i < 3; i++) {
		raise_event(&s, 0, EVENT_NMI);
		raise_event(&s, 0, EVENT_IPI);
	}
	count_down(&s, 0, 0);
	cr_expect_eq(counts(&s, 0)->nmis, 1);
	cr_expect_eq(counts(&s, 0)->ipis, 1);
	tear_down(&s);
}

/* cm_ipi() or cm_nmi() of (mask), called on vCPU 0. */
static void send_from_guest(struct still *s, const char *function, uint64_t mask)
{
	struct vcpu *v = vm_vcpu(s->vm, 0);

	arm_set(v, ARM_X0, mask);
	arm_set(v, (enum arm_register)(ARM_X0 + 30), kvmtest_address("cm_selfcheck_count") + 8);
	run_from(s, 0, kvmtest_address(function), ARM_PSTATE_I);
}

Test(gic, a_vcpu_interrupts_others)
{
	struct still s;

	set_up(&s);
	for (uint64_t n = 1; n <= 3; n++) {
		send_from_guest(&s, "cm_ipi", 2);
		send_from_guest(&s, "cm_nmi", 3);
		cr_expect_eq(counts(&s, 0)->nmis, n, "its own: %d", (int)counts(&s, 0)->nmis);
		count_down(&s, 1, 0);
		cr_expect_eq(counts(&s, 1)->nmis, n, "%d", (int)counts(&s, 1)->nmis);
		cr_expect_eq(counts(&s, 1)->ipis, n, "%d", (int)counts(&s, 1)->ipis);
		cr_expect_eq(counts(&s, 0)->ipis, 0);
	}
	tear_down(&s);
}

/* Each has lines of its own. A GICv2, which serves eight, refuses more with that reason. */
Test(gic, the_last_of_many_vcpus)
{
	uint32_t last = CM_MAX_VCPUS - 1;
	struct still s;

	set_up_many(&s, CM_MAX_VCPUS);
	raise_event(&s, last, EVENT_NMI);
	raise_event(&s, last, EVENT_IPI);
	send_from_guest(&s, "cm_nmi", 1u << (last - 1));
	for (uint32_t i = 0; i <= last; i++) {
		count_down(&s, i, 0);
		cr_expect_eq(counts(&s, i)->nmis, i + 1 >= last, "vCPU %u", i);
		cr_expect_eq(counts(&s, i)->ipis, i == last, "vCPU %u", i);
	}
	tear_down(&s);
}

/* A vCPU that never leaves the guest is fetched back. */
Test(gic, the_watchdog_ends_a_hung_guest)
{
	struct vcpu_exit x;
	struct err e = { 0 };
	struct still s;
	struct vcpu *v;

	set_up(&s);
	guard_release();
	guard_watch(s.vm, 2, 0.5, true);
	v = vm_vcpu(s.vm, 1);
	arm_set(v, ARM_X0, UINT64_MAX);
	arm_set(v, ARM_PC, kvmtest_address("cm_selfcheck_count"));
	arm_set(v, ARM_PSTATE, ARM_EL1H | ARM_MASKED);
	cr_assert(vcpu_run(v, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_KICKED);
	cr_expect(guard_fired());
	tear_down(&s);
}

/* ---- runs ---- */

struct free_test {
	struct scenario scenario;
	struct observation o;
	struct quirks quirks;
};

static void run(struct free_test *t, const char *json)
{
	struct err e = { 0 };

	memset(t, 0, sizeof(*t));
	kvmtest_take_turns(true);
	guard_install();
	kvmtest_scenario(&t->scenario, "%s", json);
	if (!run_free(kvmtest_image(), &t->scenario, &t->o, &t->quirks, NULL, NULL, &e))
		kvmtest_skip_or_fail(&e);
	for (uint32_t i = 0; i < t->o.vcpus; i++) {
		const struct vcpu_counts *c = &t->o.cpu[i];

		fprintf(stderr,
			"vCPU %u: %d executions, %d old, %d new, %d other; %d pokes; NMIs %d of "
			"%d, %d coalesced; IPIs %d, %d sent from outside\n",
			i, (int)c->guest.executions, (int)c->guest.old_runs, (int)c->guest.new_runs,
			(int)c->guest.other_runs, (int)c->guest.pokes, (int)c->guest.nmis,
			(int)c->nmis_sent, (int)c->nmis_coalesced, (int)c->guest.ipis,
			(int)c->ipis_sent);
		cr_expect_eq(c->guest.executions,
			     c->guest.old_runs + c->guest.new_runs + c->guest.other_runs);
		cr_expect_eq(c->guest.nmis + c->nmis_coalesced, c->nmis_sent);
	}
	cr_expect_str_eq(t->o.suspect, "");
}

Test(gic, fiqs_into_a_running_vcpu_are_counted)
{
	struct free_test t;

	run(&t, "'protocol': 'word_store', 'method': 'free', 'patcher': {'pause': 20000},"
		"'executors': {'el': 0}, 'sites': [{'site': 'a64_nop_b'}],"
		"'free': {'seconds': 1, 'nmi_rate': 100}");
	cr_expect_eq(t.o.end, END_COMPLETE);
	cr_expect_neq(t.o.irqchip, CM_IRQCHIP_NONE);
	for (uint32_t i = 0; i < 2; i++) {
		cr_expect_geq(t.o.cpu[i].nmis_requested, 50);
		cr_expect_gt(t.o.cpu[i].guest.nmis, 0, "vCPU %u", i);
	}
	cr_expect_gt(t.o.cpu[1].guest.executions, 0);
	cr_expect_gt(t.o.cpu[0].guest.pokes, 0);
	cr_expect_eq(t.o.patches.ticks.count, t.o.cpu[0].guest.pokes);
	cr_expect_gt(t.o.patches.ticks.max, 0);
	cr_expect_gt(t.o.tick_rate, 1e6);
	scenario_fini(&t.scenario);
}

Test(gic, events_hit_only_whom_they_are_for)
{
	struct free_test t;

	run(&t, "'protocol': 'naive', 'method': 'free', 'patcher': {'pause': 20000},"
		"'sites': [{'site': 'a64_nop_b'}], 'nmi_runs_site': true, 'free': {'seconds': 0.5,"
		"'nmi_rate': 100, 'nmi_vcpus': [0], 'ipi_rate': 100, 'ipi_vcpus': [1]}");
	cr_expect_gt(t.o.cpu[0].guest.nmis, 0);
	cr_expect_eq(t.o.cpu[0].guest.executions, t.o.cpu[0].guest.nmis, "one an NMI");
	cr_expect_eq(t.o.cpu[1].guest.nmis, 0);
	cr_expect_gt(t.o.cpu[1].guest.ipis, 0);
	cr_expect_leq(t.o.cpu[1].guest.ipis, t.o.cpu[1].ipis_sent);
	cr_expect_eq(t.o.cpu[0].guest.ipis, 0);
	scenario_fini(&t.scenario);
}

/* Each poke takes an IPI, and two additions: a lost one would keep the patcher waiting for ever. */
Test(gic, atomics_and_ipis_at_full_speed)
{
	struct free_test t;

	run(&t, "'protocol': 'patch_text', 'method': 'free', 'vcpus': 3,"
		"'patcher': {'pokes': 50}, 'executors': {'el': 0},"
		"'sites': [{'site': 'a64_nop_bl'}], 'free': {'seconds': 3}");
	cr_expect_eq(t.o.end, END_COMPLETE);
	cr_expect_gt(t.o.cpu[0].guest.pokes, 0);
	for (uint32_t i = 1; i < 3; i++)
		cr_expect_eq(t.o.cpu[i].guest.ipis, t.o.cpu[0].guest.pokes, "vCPU %u", i);
	scenario_fini(&t.scenario);
}

Test(gic, t32_executors_run_and_pause)
{
	uint64_t executions[2];

	for (int i = 0; i < 2; i++) {
		struct free_test t;
		char json[400];

		snprintf(json, sizeof(json),
			 "'protocol': 'patch_text', 'method': 'free', 'patcher': {'pause': 100000},"
			 "'executors': {'el': 0, 'pause': %d}, 'sites': [{'site': 't32_nop_w_bl'}],"
			 "'free': {'seconds': 0.5}",
			 i ? 20000 : 0);
		run(&t, json);
		cr_expect_eq(t.o.end, END_COMPLETE);
		executions[i] = t.o.cpu[1].guest.executions;
		scenario_fini(&t.scenario);
	}
	cr_expect_gt(executions[1], 0);
	cr_expect_lt(executions[1], executions[0] / 50);
}

/* A patcher at EL0 times itself by the same counter. */
Test(gic, a_patcher_at_el0)
{
	struct free_test t;

	run(&t, "'protocol': 'word_store', 'method': 'free', 'patcher': {'el': 0, 'pokes': 20},"
		"'executors': {'el': 0}, 'sites': [{'site': 'a64_nop_b'}], 'free': {'seconds': 1}");
	cr_expect_eq(t.o.end, END_COMPLETE);
	cr_expect_eq(t.o.cpu[0].guest.pokes, 20);
	cr_expect_eq(t.o.patches.ticks.count, 20);
	cr_expect_geq(t.o.cpu[1].guest.ipis, 20);
	scenario_fini(&t.scenario);
}

/* The scenarios that are there for sweeps, each under a load and without one. */
Test(gic, a_point_of_a_sweep)
{
	static const char *const names[] = { "patch_text", "stop_machine", "word_store" };

	kvmtest_take_turns(true);
	guard_install();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sweep sweep = { .ncurves = 1, .repeat = 1, .seconds = 1 };
		struct sweep_lab lab = { .sweep = &sweep, .image = kvmtest_image() };
		struct scenario scenario;
		struct host host = { 0 };
		struct err e = { 0 };
		char path[128];

		snprintf(path, sizeof(path), "scenarios/arm/free/sweep-%s.json", names[i]);
		cr_assert(scenario_load(&scenario, path, kvmtest_image(), &e), "%s", e.text);
		sweep.curve[0].scenario = &scenario;
		lab.host = &host;
		cr_assert(sweep_parse_rates(&sweep, "100", &e) && sweep_target(&sweep, NULL, &e) &&
				  sweep_begin(&sweep, &e),
			  "%s", e.text);
		if (!sweep_lab_probe(&lab, &e))
			kvmtest_skip_or_fail(&e);
		cr_expect_neq(lab.irqchip, CM_IRQCHIP_NONE);
		for (uint32_t rate = 0; rate < 2; rate++) {
			struct sweep_run r;

			cr_assert(sweep_lab_run(&lab, 0, rate, &r, &e), "%s", e.text);
			fprintf(stderr, "%s: %d patches, %d FIQs sent, %d delivered\n", names[i],
				(int)r.patches, (int)r.nmis_sent, (int)r.nmis_delivered);
			cr_expect(r.whole && r.patches > 0 && r.executions > 0, "%s", names[i]);
			cr_expect_eq(r.nmis_delivered + r.nmis_coalesced, r.nmis_sent);
			cr_expect_eq(r.nmis_delivered > 0, rate > 0, "%s", names[i]);
		}
		sweep_fini(&sweep);
		scenario_fini(&scenario);
	}
}

/* Two wait for each other for ever: the roles do not end when they are asked to. */
Test(gic, a_deadlock_is_a_hung_run)
{
	struct free_test t;

	run(&t, "'protocol': 'kgdb_roundup', 'method': 'free', 'sites': [{'site': 'a64_nop_b'}],"
		"'free': {'seconds': 0.2, 'nmi_rate': 100, 'nmi_vcpus': [1]}");
	cr_expect_eq(t.o.end, END_HUNG);
	cr_expect_eq(t.o.cpu[0].guest.pokes, 0);
	cr_expect_gt(t.o.cpu[1].guest.nmis, 0, "IRQs are masked there, FIQs are not");
	scenario_fini(&t.scenario);
}
#endif

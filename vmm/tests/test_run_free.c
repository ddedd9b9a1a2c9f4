// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_run_free.c - vCPUs at full speed: what is counted is what happened, and
 * a run ends by iterations, by time and by Ctrl-C. Says nothing of what this
 * silicon may tear. On a real KVM with two processors.
 */
#include "run_free.h"

#include "guard.h"
#include "kvmtest.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

TestSuite(run_free, .timeout = 40);

/* Patcher and executor at CPL3, where every host runs guest code on the processor. */
#define FREE                                                                         \
	"'protocol': 'naive', 'method': 'free', 'patcher': {'cpl': 3, 'pause': 20}," \
	"'executors': {'cpl': 3}, 'sites': [{'site': 'mov_imm32', 'at': 'in-line'}],"

struct free_test {
	struct scenario scenario;
	struct observation o;
	struct quirks quirks;
	uint32_t progress;
	double fraction;
};

static void needs_two_processors(void)
{
	cpu_set_t may;

	kvmtest_needs_kvm();
	if (sched_getaffinity(0, sizeof(may), &may) || CPU_COUNT(&may) >= 2)
		return;
	fprintf(stderr, "SKIPPED: a free run needs two processors\n");
	cr_skip_test("a free run needs two processors");
}

static void see_progress(void *arg, double fraction)
{
	struct free_test *t = arg;

	cr_expect(fraction >= 0 && fraction < 1.5, "%f", fraction);
	t->progress++;
	t->fraction = fraction;
}

static void run(struct free_test *t, const char *json)
{
	struct err e = { 0 };

	memset(t, 0, sizeof(*t));
	needs_two_processors();
	guard_install();
	kvmtest_scenario(&t->scenario, "%s", json);
	if (!run_free(kvmtest_image(), &t->scenario, &t->o, &t->quirks, see_progress, t, &e))
		kvmtest_skip_or_fail(&e);
}

/* The sums a run must have whatever the hardware did. */
static void expect_sums(const struct free_test *t)
{
	for (uint32_t i = 0; i < t->o.vcpus; i++) {
		const struct vcpu_counts *c = &t->o.cpu[i];

		cr_expect_eq(c->guest.executions,
			     c->guest.old_runs + c->guest.new_runs + c->guest.other_runs);
		cr_expect_geq(c->nmis_requested, c->nmis_sent);
		cr_expect_geq(c->ipis_requested, c->ipis_sent);
	}
	cr_expect(!t->o.stepped);
	cr_expect_str_eq(t->o.suspect, "");
	cr_expect_str_eq(t->o.digest, "");
}

/* How often a run is tried that other processes may have disturbed. */
#define TRIES 5

Test(run_free, iterations_are_counted_exactly)
{
	uint64_t transitions = 0;

	for (int i = 0; i < TRIES && !transitions; i++) {
		struct free_test t;

		run(&t, FREE "'free': {'iterations': 200000}");
		cr_expect_eq(t.o.end, END_COMPLETE);
		cr_expect_eq(t.o.cpu[1].guest.executions, 200000);
		cr_expect_eq(t.o.cpu[0].guest.executions, 0);
		cr_expect_eq(t.o.cpu[1].guest.nmis, 0);
		cr_expect_gt(t.quirks.cpl0_ns, 0, "the quirks were not reported");
		expect_sums(&t);
		transitions = t.o.cpu[1].guest.transitions;
		scenario_fini(&t.scenario);
	}
	cr_expect_gt(transitions, 0, "the two never ran at the same time");
}

Test(run_free, every_site_is_executed_as_often)
{
	struct free_test t;

	run(&t, "'protocol': 'naive', 'method': 'free', 'patcher': {'cpl': 3, 'pokes': 1001},"
		"'executors': {'cpl': 3}, 'sites': [{'site': 'mov_imm32'}, {'site': 'mov_imm32'}],"
		"'free': {'iterations': 50000}");
	cr_expect_eq(t.o.end, END_COMPLETE);
	cr_expect_eq(t.o.cpu[1].guest.executions, 2 * 50000);
	cr_expect_leq(t.o.cpu[0].guest.pokes, 1001);
	expect_sums(&t);
	scenario_fini(&t.scenario);
}

/* The accounts must be right; the share delivered, the lower of both vCPUs, is returned. */
static double expect_nmis(const struct free_test *t)
{
	double least = 1;

	for (uint32_t i = 0; i < 2; i++) {
		const struct vcpu_counts *c = &t->o.cpu[i];
		double share = (double)c->guest.nmis / (double)c->nmis_sent;

		fprintf(stderr, "vCPU %u: %llu NMIs requested, %llu sent, %llu delivered\n", i,
			(unsigned long long)c->nmis_requested, (unsigned long long)c->nmis_sent,
			(unsigned long long)c->guest.nmis);
		cr_expect(c->nmis_requested >= 200 && c->nmis_requested <= 500 * t->o.seconds + 2);
		cr_expect_geq(c->nmis_requested, c->nmis_sent);
		cr_expect_leq(c->guest.nmis, c->nmis_sent);
		cr_expect_eq(c->nmis_coalesced, c->nmis_sent - c->guest.nmis);
		cr_expect_eq(c->ipis_sent, 0);
		least = share < least ? share : least;
	}
	return least;
}

/* 2 ms apart none should be lost, except while something else has the processor. */
Test(run_free, nmis_arrive_as_often_as_asked)
{
	double share = 0;

	for (int i = 0; i < TRIES && share < 0.75; i++) {
		struct free_test t;

		run(&t, FREE "'free': {'seconds': 0.5, 'nmi_rate': 500}");
		cr_expect_eq(t.o.end, END_COMPLETE);
		cr_expect(t.o.seconds >= 0.5 && t.o.seconds < 2, "%f s", t.o.seconds);
		cr_expect_geq(t.progress, 2);
		expect_sums(&t);
		share = expect_nmis(&t);
		scenario_fini(&t.scenario);
	}
	cr_expect_geq(share, 0.75, "at best %.0f %% of the NMIs sent were delivered", share * 100);
}

Test(run_free, events_hit_only_whom_they_are_for)
{
	struct free_test t;

	run(&t, FREE "'nmi_runs_site': true, 'free': {'seconds': 0.3, 'nmi_rate': 300,"
		     "'nmi_vcpus': [0], 'ipi_rate': 300, 'ipi_vcpus': [1]}");
	cr_expect_gt(t.o.cpu[0].guest.nmis, 0);
	cr_expect_eq(t.o.cpu[0].guest.executions, t.o.cpu[0].guest.nmis, "one an NMI");
	cr_expect_eq(t.o.cpu[1].guest.nmis, 0);
	cr_expect_eq(t.o.cpu[1].nmis_requested, 0);
	cr_expect_gt(t.o.cpu[1].guest.ipis, 0);
	cr_expect_leq(t.o.cpu[1].guest.ipis, t.o.cpu[1].ipis_sent);
	cr_expect_eq(t.o.cpu[0].guest.ipis, 0);
	expect_sums(&t);
	scenario_fini(&t.scenario);
}

/* A protocol of IPIs, so that they pass between free-running vCPUs too. */
Test(run_free, a_rendezvous_works_at_full_speed)
{
	struct free_test t;

	run(&t, "'protocol': 'stop_machine', 'method': 'free', 'patcher': {'pokes': 60},"
		"'executors': {'cpl': 3}, 'sites': [{'site': 'nop5_jmp5', 'at': 'cross-line'}],"
		"'free': {'seconds': 1}");
	cr_expect_eq(t.o.end, END_COMPLETE);
	cr_expect_gt(t.o.cpu[0].guest.pokes, 0);
	cr_expect_geq(t.o.cpu[1].guest.ipis, t.o.cpu[0].guest.pokes);
	cr_expect_eq(t.o.nviolations, 0, "%s", t.o.violation[0].text);
	expect_sums(&t);
	scenario_fini(&t.scenario);
}

static void interrupt_in(double seconds)
{
	struct sigevent raise_sigint = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGINT };
	struct itimerspec once = { .it_value = { 0, (long)(seconds * 1e9) } };
	timer_t timer;

	cr_assert(!timer_create(CLOCK_MONOTONIC, &raise_sigint, &timer));
	cr_assert(!timer_settime(timer, 0, &once, NULL));
}

Test(run_free, ctrl_c_ends_a_run_and_keeps_its_counts)
{
	struct free_test t;
	char reason[200];

	guard_install();
	interrupt_in(0.4);
	run(&t, FREE "'free': {'seconds': 20, 'nmi_rate': 100}");
	cr_expect(guard_interrupted());
	cr_expect_eq(t.o.end, END_INTERRUPTED);
	cr_expect_lt(t.o.seconds, 5);
	cr_expect_gt(t.o.cpu[1].guest.executions, 0);
	cr_expect_gt(t.o.cpu[0].guest.pokes, 0);
	cr_expect_gt(t.o.cpu[1].nmis_sent, 0);
	if (!t.o.nviolations)
		cr_expect_eq(verdict_of(&t.o, reason, sizeof(reason)), VERDICT_INCONCLUSIVE);
	expect_sums(&t);
	scenario_fini(&t.scenario);
}

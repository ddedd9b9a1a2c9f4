// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_run_free.c - vCPUs at full speed: what is counted is what happened, and
 * a run ends by iterations, by time and by Ctrl-C. Says nothing of what this
 * silicon may tear. On a real KVM with two processors.
 */
#include "run/run_free.h"

#include "vm/guard.h"
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

struct moment {
	double wall, processor; /* seconds */
};

struct free_test {
	struct scenario scenario;
	struct observation o;
	struct quirks quirks;
	uint32_t progress;
	struct moment first, last; /* call of see_progress() */
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

static double clock_seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void see_progress(void *arg, double fraction)
{
	struct free_test *t = arg;

	cr_expect(fraction >= 0 && fraction < 1.5, "%f", fraction);
	t->last.wall = clock_seconds(CLOCK_MONOTONIC);
	t->last.processor = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (!t->progress++)
		t->first = t->last;
}

static void run(struct free_test *t, const char *json)
{
	struct err e = { 0 };

	memset(t, 0, sizeof(*t));
	needs_two_processors();
	kvmtest_take_turns(true);
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

Test(run_free, iterations_are_counted_exactly)
{
	uint64_t transitions = 0;

	/* again while the one was never running when the other was */
	for (int i = 0; i < 10 && !transitions; i++) {
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

/* The share of two processors that the run had, as far as is known. */
static double processors_had(const struct free_test *t)
{
	double wall = t->last.wall - t->first.wall;
	double had = wall > 0 ? (t->last.processor - t->first.processor) / (2 * wall) : 0;

	return had < 1 ? had : 1;
}

/*
 * 2 ms apart none is lost, except while another process has the vCPU's
 * processor: of those sent as many arrive as the vCPUs had of their time.
 */
Test(run_free, nmis_arrive_as_often_as_asked)
{
	uint64_t sent = 0, delivered = 0;
	struct free_test t;
	double had;

	run(&t, FREE "'free': {'seconds': 0.5, 'nmi_rate': 500}");
	had = processors_had(&t);
	for (uint32_t i = 0; i < 2; i++) {
		const struct vcpu_counts *c = &t.o.cpu[i];

		cr_expect(c->nmis_requested >= 200 && c->nmis_requested <= 500 * t.o.seconds + 2,
			  "%d requested", (int)c->nmis_requested);
		cr_expect_leq(c->guest.nmis, c->nmis_sent);
		cr_expect_eq(c->nmis_coalesced, c->nmis_sent - c->guest.nmis);
		cr_expect_gt(c->guest.nmis, 0);
		cr_expect_eq(c->ipis_sent, 0);
		sent += c->nmis_sent;
		delivered += c->guest.nmis;
	}
	cr_expect_geq((double)delivered / (double)sent, 0.8 * had,
		      "%d of %d NMIs, with %.0f %% of two processors", (int)delivered, (int)sent,
		      100 * had);
	cr_expect_eq(t.o.end, END_COMPLETE);
	cr_expect(t.o.seconds >= 0.5 && t.o.seconds < 2, "%f s", t.o.seconds);
	cr_expect_geq(t.progress, 1);
	expect_sums(&t);
	fprintf(stderr, "NMIs: %d of %d, with %.0f %% of two processors\n", (int)delivered,
		(int)sent, 100 * had);
	scenario_fini(&t.scenario);
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

/* That it fits into the time there was is checked by the run itself: `suspect` otherwise. */
static void expect_timed(const struct free_test *t)
{
	const struct cm_patches *p = &t->o.patches;

	cr_expect_eq(p->ticks.count, t->o.cpu[0].guest.pokes);
	cr_expect_eq(p->retries.count, p->ticks.count);
	cr_expect_eq(p->retries.sum, p->all_retries);
	cr_expect_leq(p->after_stop, 1);
	cr_expect_leq(p->ticks.max, p->ticks.sum);
}

/* A hot executor cancels the roll-back again and again; led forward it never has to. */
Test(run_free, retries_are_counted_where_the_routine_starts_over)
{
	static const char *const names[] = { "five_state_fenced", "five_state_forward" };

	for (int i = 0; i < 2; i++) {
		struct free_test t;
		char json[400];

		snprintf(
			json, sizeof(json),
			"'protocol': '%s', 'method': 'free', 'executors': {'cpl': 3},"
			"'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}], 'free': {'seconds': 1}",
			names[i]);
		run(&t, json);
		cr_expect_gt(t.o.patches.ticks.count, 0);
		cr_expect_gt(t.o.patches.ticks.max, 0);
		cr_expect(i ? !t.o.patches.all_retries : t.o.patches.all_retries > 0, "%s: %d",
			  names[i], (int)t.o.patches.all_retries);
		expect_timed(&t);
		/* It does nothing but patch, so the clock must account for most of the run. */
		if (t.o.tick_rate > 0)
			cr_expect_gt((double)t.o.patches.ticks.sum / t.o.tick_rate,
				     0.3 * t.o.seconds);
		expect_sums(&t);
		scenario_fini(&t.scenario);
	}
}

/* One that pauses leaves the sites alone meanwhile, and still ends when told to. */
Test(run_free, an_executor_that_pauses_executes_less)
{
	uint64_t executions[2];

	for (int i = 0; i < 2; i++) {
		struct free_test t;
		char json[400];

		snprintf(json, sizeof(json),
			 "'protocol': 'naive', 'method': 'free', 'patcher': {'cpl': 3},"
			 "'executors': {'cpl': 3, 'pause': %d}, 'sites': [{'site': 'mov_imm32'}],"
			 "'free': {'seconds': 0.3}",
			 i ? 20000 : 0);
		run(&t, json);
		cr_expect_eq(t.o.end, END_COMPLETE);
		executions[i] = t.o.cpu[1].guest.executions;
		expect_sums(&t);
		scenario_fini(&t.scenario);
	}
	cr_expect_gt(executions[1], 0);
	cr_expect_lt(executions[1], executions[0] / 100);
}

/* The schedule is absolute: who comes late sends late, and every event has its lateness. */
Test(run_free, the_injector_says_how_late_it_was)
{
	struct free_test t;

	run(&t, FREE "'free': {'seconds': 0.3, 'nmi_rate': 2000, 'nmi_vcpus': [1],"
		     "'distribution': 'poisson'}");
	cr_expect(t.o.injector.used);
	cr_expect_eq(t.o.injector.lateness_ns.count, t.o.cpu[1].nmis_sent);
	cr_expect_gt(t.o.injector.lateness_ns.max, 0);
	cr_expect(t.o.cpu[1].nmis_requested > 400 && t.o.cpu[1].nmis_requested < 900, "%d",
		  (int)t.o.cpu[1].nmis_requested);
	if (!t.o.injector.own_processor)
		cr_expect_eq(t.o.injector.shared_with, 1);
	expect_timed(&t);
	expect_sums(&t);
	scenario_fini(&t.scenario);
	run(&t, FREE "'free': {'seconds': 0.05}");
	cr_expect(!t.o.injector.used);
	cr_expect_eq(t.o.injector.lateness_ns.count, 0);
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

	needs_two_processors();
	kvmtest_take_turns(true);
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

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_sweep_lab.c - points of a sweep on a real KVM, Ctrl-C in the middle of
 * one, and going on. Says nothing of how fast anything is.
 */
#include "sweep/sweep_lab.h"

#include "vm/guard.h"
#include "kvmtest.h"
#include "sweep/report_sweep.h"
#include "test_report_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

TestSuite(sweep_lab, .init = scratch_make, .fini = scratch_remove, .timeout = 60);

struct bench {
	struct scenario scenario;
	struct sweep sweep;
	struct host host;
	struct sweep_lab lab;
	struct sweep_report report;
	uint32_t runs;
	uint32_t interrupt_in; /* the run that Ctrl-C comes in; 0: none */
	bool sent;
};

/* (protocol) of the image (suffix), "" the usual one, with a load on the executor alone. */
static void set_up(struct bench *b, const char *suffix, const char *protocol)
{
	struct err e = { 0 };
	cpu_set_t may;

	memset(b, 0, sizeof(*b));
	kvmtest_needs_kvm();
	if (sched_getaffinity(0, sizeof(may), &may) || CPU_COUNT(&may) < 2) {
		fprintf(stderr, "SKIPPED: a free run needs two processors\n");
		cr_skip_test("a free run needs two processors");
	}
	kvmtest_guest(arch_name(), suffix);
	kvmtest_take_turns(true);
	guard_install();
	kvmtest_scenario(&b->scenario,
			 "'protocol': '%s', 'method': 'free',"
			 "'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}], 'nmi_latch': true,"
			 "'nmi_runs_site': true, 'executors': {'cpl': 3, 'pause': 2000},"
			 "'free': {'seconds': 9, 'nmi_rate': 7, 'nmi_vcpus': [1]}",
			 protocol);
	b->sweep = (struct sweep){ .ncurves = 1, .repeat = 1, .seconds = 0.2 };
	b->sweep.curve[0].scenario = &b->scenario;
	cr_assert(sweep_parse_rates(&b->sweep, "200,500", &e), "%s", e.text);
	cr_assert(sweep_target(&b->sweep, NULL, &e) && sweep_begin(&b->sweep, &e));
	host_read(&b->host);
	b->lab = (struct sweep_lab){
		.sweep = &b->sweep,
		.image = kvmtest_image(),
		.host = &b->host,
	};
	b->report = (struct sweep_report){ .sweep = &b->sweep,
					   .image = kvmtest_image(),
					   .host = &b->host };
	if (!sweep_lab_probe(&b->lab, &e))
		kvmtest_skip_or_fail(&e);
}

static void tear_down(struct bench *b)
{
	sweep_fini(&b->sweep);
	scenario_fini(&b->scenario);
}

static bool run(void *self, uint32_t curve, uint32_t rate, struct sweep_run *r, struct err *e)
{
	struct bench *b = self;

	b->runs++;
	return sweep_lab_run(&b->lab, curve, rate, r, e);
}

static bool settle(void *keeper, struct err *e)
{
	struct bench *b = keeper;

	return report_sweep_keep(&b->report, scratch_directory, e);
}

static bool stopped(void *self)
{
	struct bench *b = self;

	return sweep_lab_stopped(&b->lab);
}

static void interrupt(void *arg, uint32_t curve, uint32_t rate, double fraction)
{
	struct bench *b = arg;

	(void)curve;
	(void)rate;
	(void)fraction;
	if (b->runs == b->interrupt_in && !b->sent) {
		b->sent = true;
		raise(SIGINT);
	}
}

Test(sweep_lab, a_point_is_what_was_asked_for)
{
	struct err e = { 0 };
	struct sweep_run r;
	struct bench b;

	set_up(&b, "", "five_state_forward");
	cr_assert(sweep_lab_run(&b.lab, 0, 2, &r, &e), "%s", e.text);
	cr_expect(r.whole && r.seconds >= 0.2 && r.seconds < 5, "%f s", r.seconds);
	cr_expect(r.nmis_requested >= 90 && (double)r.nmis_requested <= 500 * r.seconds + 2, "%d",
		  (int)r.nmis_requested);
	cr_expect_leq(r.nmis_sent, r.nmis_requested);
	cr_expect_eq(r.nmis_delivered + r.nmis_coalesced, r.nmis_sent);
	cr_expect_gt(r.executions, 0);
	cr_expect_eq(r.retries_max, 0);
	cr_expect(r.lateness_p50 > 0 && r.lateness_max >= r.lateness_p50);
	cr_expect(!r.patches || (r.time_p50 > 0 && r.time_max >= r.time_p99 * 0.9));
	cr_assert(sweep_lab_run(&b.lab, 0, 0, &r, &e), "%s", e.text);
	cr_expect(!r.nmis_requested && !r.nmis_delivered && isnan(r.lateness_p50));
	tear_down(&b);
}

/* Ctrl-C in the second run: the first is in the file, and who goes on makes the other two. */
Test(sweep_lab, interrupted_and_resumed)
{
	struct sweep_runner runner;
	struct err e = { 0 };
	struct sweep_run first;
	struct bench b;

	set_up(&b, "", "five_state_forward");
	runner = (struct sweep_runner){ &b, &b, run, settle, stopped };
	b.lab.progress = interrupt;
	b.lab.arg = &b;
	b.interrupt_in = 2;
	b.sweep.seconds = 1; /* long enough to be told of progress in it on a busy host */
	cr_assert(sweep_run_all(&b.sweep, &runner, &e), "%s", e.text);
	cr_expect(guard_interrupted() && b.runs == 2, "%u runs", b.runs);
	cr_expect_eq(sweep_done(&b.sweep), 1);
	first = *sweep_run_at(&b.sweep, 0, 0, 0);

	cr_assert(report_sweep_resume(&b.report, scratch_directory, &e), "%s", e.text);
	cr_expect_eq(sweep_done(&b.sweep), 1);
	cr_expect_eq(sweep_run_at(&b.sweep, 0, 0, 0)->executions, first.executions);
	scratch_drop("sweep.json");
	tear_down(&b);
}

/* One that starts over until the end has missed its deadline, and nothing was completed. */
Test(sweep_lab, a_patch_that_never_ends_misses_its_deadline)
{
	struct err e = { 0 };
	struct sweep_run r;
	struct bench b;

	set_up(&b, "planted", "planted_late");
	cr_assert(sweep_lab_run(&b.lab, 0, 0, &r, &e), "%s", e.text);
	cr_expect(r.missed && r.whole && !r.patches);
	cr_expect_gt(r.retries_max, 10);
	cr_expect(isnan(r.time_max) || r.time_max > SWEEP_DEADLINE, "%f s", r.time_max);
	tear_down(&b);
}

/* A guest that dies ends the run early: it is kept, and in no figure. */
Test(sweep_lab, a_run_that_dies_is_no_figure)
{
	struct err e = { 0 };
	struct sweep_run *r;
	struct bench b;

	set_up(&b, "planted", "planted_crash");
	b.sweep.seconds = 20;
	r = sweep_run_at(&b.sweep, 0, 0, 0);
	cr_assert(sweep_lab_run(&b.lab, 0, 0, r, &e), "%s", e.text);
	r->done = true;
	cr_expect(!r->whole && r->seconds < 15 && !r->as_expected);
	cr_expect_eq(r->verdict, VERDICT_CRASH, "%s", r->reason);
	cr_expect(isnan(sweep_value(&b.sweep, 0, 0, 0, SWEEP_PATCHES)));
	tear_down(&b);
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_survey_lab.c - cells run by vCPUs and by host threads: what is counted
 * is what happened, and the detector sees mixtures that stand in memory. Says
 * nothing of what this silicon may tear. On a real KVM with two processors.
 */
#include "survey/survey_lab.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm/guard.h"
#include "kvmtest.h"

TestSuite(survey_lab, .timeout = 60);

/* (alone): nothing else may use KVM meanwhile; for who counts on the processors. */
static struct survey_lab *boot(bool alone)
{
	struct err e = { 0 };
	struct survey_lab *lab;

	kvmtest_needs_kvm();
	kvmtest_take_turns(alone);
	guard_install();
	lab = survey_lab_new(kvmtest_image(), &e);
	if (!lab)
		kvmtest_skip_or_fail(&e);
	return lab;
}

static struct survey_lab *set_up(void)
{
	return boot(true);
}

/* False, and loud, where this host cannot do it. */
static bool slice(struct survey_lab *lab, struct survey_cell *c, enum survey_side side)
{
	struct err e = { 0 };

	cr_assert(survey_lab_slice(lab, c, side, 0.01, &e), "%s", e.text);
	if (!*c->unsupported[side])
		return true;
	fprintf(stderr, "SKIPPED: %s\n", c->unsupported[side]);
	return false;
}

static void expect_sums(const struct survey_counts *c)
{
	struct survey_rate r = survey_rate(c);

	cr_expect_geq(c->executions, c->watched);
	cr_expect_leq(r.torn + c->transitions, c->executions);
	cr_expect_gt(c->pokes, 0);
}

/* Byte by byte a mixture stands in memory for a while: one that is never seen is not looked for. */
static void tears_by_bytes(enum survey_kind kind, enum survey_side side)
{
	struct survey_cell c = { .kind = kind, .offset = 8, .width = 1, .natural = true, .cpl = 3 };
	struct survey_lab *lab = set_up();
	uint64_t torn = 0;

	/* Again while the one was never running when the other was. */
	for (int i = 0; i < 100 && !torn; i++) {
		if (!slice(lab, &c, side))
			break;
		expect_sums(&c.side[side]);
		torn = survey_rate(&c.side[side]).torn;
	}
	cr_expect(torn || *c.unsupported[side], "no mixture in %lu executions",
		  (unsigned long)c.side[side].executions);
	if (kind == SURVEY_DISPLACEMENT)
		cr_expect_eq(c.side[side].torn[SURVEY_OTHER], 0,
			     "two bytes are new and old or old and new");
	survey_lab_free(lab);
}

Test(survey_lab, mixtures_in_memory_are_seen)
{
	for (int kind = 0; kind < SURVEY_KINDS; kind++)
		for (int side = 0; side < SURVEY_SIDES; side++)
			tears_by_bytes((enum survey_kind)kind, (enum survey_side)side);
}

/* One aligned store: torn or not, only old and new halves can be in it. */
Test(survey_lab, one_store_leaves_nothing_else)
{
	struct survey_lab *lab = set_up();

	for (int side = 0; side < SURVEY_SIDES; side++) {
		struct survey_cell c = {
			.offset = 7, .width = 4, .natural = true, .cpl = 3, .pause = 100
		};

		for (int i = 0; i < 100 && !c.side[side].transitions; i++)
			if (!slice(lab, &c, (enum survey_side)side))
				break;
		expect_sums(&c.side[side]);
		cr_expect_gt(c.side[side].transitions, 0, "the two never ran at the same time");
		cr_expect_eq(c.side[side].torn[SURVEY_OTHER], 0);
	}
	survey_lab_free(lab);
}

Test(survey_lab, every_poke_waits_until_it_is_seen)
{
	struct survey_lab *lab = set_up();

	for (int side = 0; side < SURVEY_SIDES; side++)
		for (int sync = CM_SYNC_NONE; sync <= CM_SYNC_SERIALIZE; sync++) {
			struct survey_cell c = { .what = SURVEY_TIME,
						 .offset = 60,
						 .width = 4,
						 .cpl = 3,
						 .sync = (enum cm_survey_sync)sync };
			const struct survey_counts *n = &c.side[side];
			const struct survey_latency *l = &c.latency[side];

			if (!slice(lab, &c, (enum survey_side)side))
				continue;
			cr_expect_gt(n->transitions, 0);
			cr_expect(n->pokes == n->transitions || n->pokes == n->transitions + 1,
				  "%lu pokes, %lu seen", (unsigned long)n->pokes,
				  (unsigned long)n->transitions);
			cr_expect_leq(n->stale_pokes, n->stale_runs);
			cr_expect_geq(l->samples + l->early, 1);
			if (l->samples)
				cr_expect(survey_latency_ns(l, 0) > 1 &&
						  survey_latency_ns(l, 0) < 1e9,
					  "%f ns", survey_latency_ns(l, 0));
			free(c.latency[side].sample);
		}
	survey_lab_free(lab);
}

Test(survey_lab, primitives_cost_something)
{
	struct survey_lab *lab = set_up();
	struct survey_cell cell[CM_SYNCS];
	struct survey s = { .cell = cell, .ncells = CM_SYNCS };

	for (int side = 0; side < SURVEY_SIDES; side++) {
		for (int sync = 0; sync < CM_SYNCS; sync++) {
			struct survey_cell *c = &cell[sync];

			*c = (struct survey_cell){ .what = SURVEY_COST,
						   .cpl = sync == CM_SYNC_IPI ? 0 : 3,
						   .sync = (enum cm_survey_sync)sync };
			for (int i = 0; i < 50 && !c->side[side].watched; i++)
				if (!slice(lab, c, (enum survey_side)side))
					break;
			cr_expect(*c->unsupported[side] || c->side[side].watched, "%s",
				  survey_sync_name(c->sync));
		}
		/* An interrupt to another processor takes longer than a fence on one's own. */
		if (!*cell[CM_SYNC_IPI].unsupported[side])
			cr_expect_gt(
				survey_cost_ns(&s, &cell[CM_SYNC_IPI], (enum survey_side)side),
				survey_cost_ns(&s, &cell[CM_SYNC_NONE], (enum survey_side)side));
	}
	/* And the vCPUs are as good as before. */
	cell[0] = (struct survey_cell){ .offset = 7, .width = 4, .natural = true, .cpl = 3 };
	slice(lab, &cell[0], SURVEY_GUEST);
	cr_expect_gt(cell[0].side[SURVEY_GUEST].executions, 0);
	survey_lab_free(lab);
}

Test(survey_lab, where_cpl0_is_emulated_it_is_not_asked)
{
	struct survey_cell c = { .offset = 60, .width = 4, .cpl = 0 };
	struct survey_lab *lab = set_up();
	bool ran = slice(lab, &c, SURVEY_GUEST);

	cr_expect_eq(ran, !survey_lab_quirks(lab)->cpl0_emulated);
	cr_expect(ran || strstr(c.unsupported[SURVEY_GUEST], "emulator"));
	cr_expect_not(slice(lab, &c, SURVEY_CONTROL));
	survey_lab_free(lab);
}

/* A writer that idles for minutes does not look whether it should stop. */
Test(survey_lab, a_guest_that_hangs_is_fetched_out)
{
	struct survey_cell hangs = { .offset = 7, .width = 4, .cpl = 3, .pause = UINT32_MAX };
	struct survey_cell works = { .offset = 7, .width = 4, .cpl = 3 };
	struct survey_lab *lab = boot(false);
	struct err e = { 0 };

	cr_expect_not(survey_lab_slice(lab, &hangs, SURVEY_GUEST, 0.01, &e));
	cr_expect_eq(e.code, ERR_HOST);
	cr_expect(strstr(e.text, "hangs"), "%s", e.text);
	cr_expect(slice(lab, &works, SURVEY_GUEST), "it is as good as before");
	cr_expect_gt(works.side[SURVEY_GUEST].executions, 0);
	survey_lab_free(lab);
}

static void interrupt_in(double seconds)
{
	struct sigevent raise_sigint = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGINT };
	struct itimerspec once = { .it_value = { 0, (long)(seconds * 1e9) } };
	timer_t timer;

	cr_assert(!timer_create(CLOCK_MONOTONIC, &raise_sigint, &timer));
	cr_assert(!timer_settime(timer, 0, &once, NULL));
}

Test(survey_lab, ctrl_c_ends_a_survey_and_keeps_its_counts)
{
	struct survey_lab *lab = set_up();
	const struct survey_runner r = { lab, survey_lab_slice, survey_lab_now,
					 survey_lab_stopped };
	struct survey_choice choice;
	uint64_t executions = 0;
	struct err e = { 0 };
	struct survey s;

	survey_choose_all(&choice);
	cr_assert(survey_plan(&s, kvmtest_image(), &choice, 600, &e), "%s", e.text);
	interrupt_in(0.5);
	cr_assert(survey_run(&s, &r, &e), "%s", e.text);
	cr_expect(s.interrupted);
	cr_expect_lt(s.seconds, 10);
	cr_expect_gt(s.slices, 0);
	for (size_t i = 0; i < s.ncells; i++)
		executions += s.cell[i].side[SURVEY_GUEST].executions +
			      s.cell[i].side[SURVEY_CONTROL].executions;
	cr_expect_gt(executions, 0);
	survey_fini(&s);
	survey_lab_free(lab);
}

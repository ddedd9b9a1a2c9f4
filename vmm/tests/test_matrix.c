// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_matrix.c - which cells there are, in which order and for how long they
 * run, by a clock of the test's own; and two protocols on the machine.
 */
#include "matrix/matrix.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "vm/guard.h"
#include "kvmtest.h"
#include "matrix/matrix_cell.h"
#include "matrix/report_matrix.h"
#include "test_report_fixture.h"

#define MODELS	   FETCH_ARM /* those before it are x86's */
#define ALL_MODELS ((1u << MODELS) - 1)
#define ALL_NMIS   ((1u << MATRIX_NMIS) - 1)

static struct image_protocol protocols[] = { { .name = "fast" },
					     { .name = "fat" },
					     { .name = "slow" } };
static const struct image image = { .protocols = protocols, .nprotocols = COUNT(protocols) };
static const struct matrix_choice everything = {
	.vcpus = 1u << 2 | 1u << 3,
	.nmis = ALL_NMIS,
	.models = ALL_MODELS,
	.chunk = 1,
};

static struct matrix planned(const struct matrix_choice *choice)
{
	struct matrix m = { .max_seconds = 100 };
	struct err e = { 0 };

	cr_assert(matrix_plan(&m, &image, choice, &e), "%s", e.text);
	return m;
}

/* ---- cells ---- */

Test(matrix, has_a_cell_for_every_combination_once_in_table_order)
{
	struct matrix m = planned(&everything);
	size_t at = 0;

	cr_assert_eq(m.ncells, 3 * 2 * 4 * 5);
	cr_expect_eq(m.columns, 5);
	for (size_t p = 0; p < 3; p++)
		for (uint32_t vcpus = 2; vcpus <= 3; vcpus++)
			for (uint32_t n = 0; n < MATRIX_NMIS; n++)
				for (uint32_t f = 0; f < MODELS; f++, at++) {
					const struct matrix_cell *c = &m.cell[at];

					cr_assert_str_eq(c->protocol, protocols[p].name);
					cr_assert(c->vcpus == vcpus && c->nmis == n &&
						  c->fetch.model == f && c->fetch.chunk == 1 &&
						  !c->done);
				}
	matrix_fini(&m);
	cr_expect_eq(m.ncells, 0);
}

Test(matrix, globs_models_and_vcpus_restrict_it)
{
	const char *const names[] = { "f*t", "slow", "fast" };
	struct matrix_choice choice = everything;
	struct matrix m;

	choice.protocol = names;
	choice.nprotocols = 2;
	choice.vcpus = 1u << 16;
	choice.nmis = 1u << MATRIX_NMI_P;
	choice.models = 1u << FETCH_STALE | 1u << FETCH_SC;
	choice.chunk = 64;
	m = planned(&choice);
	cr_assert_eq(m.ncells, 3 * 2);
	cr_expect_eq(m.columns, 2);
	cr_expect(m.cell[1].vcpus == 16 && m.cell[1].nmis == MATRIX_NMI_P &&
		  m.cell[1].fetch.model == FETCH_STALE && m.cell[1].fetch.chunk == 64);
	matrix_fini(&m);
	choice.protocol = &names[1];
	m = planned(&choice);
	cr_assert_eq(m.ncells, 2 * 2, "one that two of the names match is there once");
	cr_expect_str_eq(m.cell[0].protocol, "fast");
	cr_expect_str_eq(m.cell[2].protocol, "slow");
	matrix_fini(&m);
}

Test(matrix, a_name_that_nothing_matches_is_an_error_that_says_what_there_is)
{
	const char *const names[] = { "slow", "sl?" };
	struct matrix_choice choice = everything;
	struct matrix m = { 0 };
	struct err e = { 0 };

	choice.protocol = names;
	choice.nprotocols = 2;
	cr_expect_not(matrix_plan(&m, &image, &choice, &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect_str_eq(e.text, "no protocol 'sl?'; there are fast, fat, slow");
	matrix_fini(&m);
}

Test(matrix, nmis_hit_whom_they_say)
{
	static const uint32_t hit[MATRIX_NMIS] = {
		[MATRIX_NMI_NONE] = 0,
		[MATRIX_NMI_E] = 2,
		[MATRIX_NMI_P] = 1,
		[MATRIX_NMI_EACH] = 7,
	};

	for (uint32_t n = 0; n < MATRIX_NMIS; n++)
		for (uint32_t i = 0; i < 3; i++)
			cr_expect_eq(matrix_nmis_of((enum matrix_nmis)n, i), hit[n] >> i & 1);
}

/* Of an Arm image every site is a column; a protocol for the other instruction set leaves it out. */
Test(matrix, of_arm_has_sites_for_columns)
{
	static struct image_protocol two[] = { { .name = "both" },
					       { .name = "narrow", .isa = CM_ISA_T32 } };
	static const struct image arm = { .protocols = two,
					  .nprotocols = COUNT(two),
					  .abi.isa = CM_ISA_A64 };
	struct matrix_choice choice = { .vcpus = 1u << 2,
					.nmis = 1u << MATRIX_NMI_NONE,
					.models = 1u << FETCH_ARM };
	struct matrix m = { 0 };
	struct err e = { 0 };
	size_t sites, at = 0;
	char head[64];

	cr_assert(matrix_plan(&m, &arm, &choice, &e), "%s", e.text);
	cr_assert_eq(m.columns, 3);
	cr_assert_eq(m.ncells, 6);
	for (size_t i = 0; i < m.ncells; i++) {
		const struct matrix_cell *c = &m.cell[i];
		const struct matrix_site *s = &matrix_sites(CM_ISA_A64, &sites)[i % 3];

		cr_expect(c->site == s && c->fetch.model == FETCH_ARM);
		cr_expect_eq(c->fetch.chunk, s->isa == CM_ISA_T32 ? 2 : 4);
		cr_expect_eq(c->barred, i >= 3 && s->isa == CM_ISA_A64);
		at += c->barred;
	}
	cr_expect_eq(at, 1);
	cr_expect_eq(matrix_to_run(&m), 5);
	cr_expect_str_eq(matrix_column(&m, 2, head, sizeof(head)), "a64_nop_b");
	matrix_fini(&m);
	choice.models |= 1u << FETCH_SC;
	cr_assert(matrix_plan(&m, &arm, &choice, &e), "%s", e.text);
	cr_expect_eq(m.columns, 6);
	cr_expect_str_eq(matrix_column(&m, 4, head, sizeof(head)), "a64_nop_b, sc");
	matrix_fini(&m);
}

/* ---- order and time ---- */

/* Runs cells by a clock of its own: a cell takes what it needs, or all that it is allowed. */
struct toy {
	double clock, need[1u << FETCH_MODELS];
	size_t runs, settled, stop_after, fail_at;
	struct matrix_cell ran[256];
};

static double toy_now(void *self)
{
	return ((struct toy *)self)->clock;
}

static bool toy_stopped(void *self)
{
	struct toy *t = self;

	return t->stop_after && t->runs == t->stop_after;
}

static bool toy_run(void *self, struct matrix_cell *c, double seconds, struct err *e)
{
	struct toy *t = self;
	double need = t->need[c->fetch.model] * (double)(c->vcpus * c->vcpus + c->nmis);

	if (t->runs + 1 == t->fail_at)
		return err_set(e, ERR_HOST, "planted");
	c->done = true;
	c->allowed = seconds;
	c->bound = need > seconds ? "seconds" : NULL;
	c->verdict = need > seconds ? VERDICT_INCONCLUSIVE : VERDICT_SAFE;
	c->states = (uint64_t)(need * 1e6);
	c->seconds = need > seconds ? seconds : need;
	t->clock += c->seconds;
	t->ran[t->runs++] = *c;
	return true;
}

static bool toy_settle(void *self, const struct matrix_cell *c, struct err *e)
{
	struct toy *t = self;

	(void)e;
	cr_expect(c->done);
	t->settled++;
	return true;
}

static bool run(struct matrix *m, struct toy *t)
{
	const struct matrix_runner runner = { t, toy_run, toy_settle, toy_now, toy_stopped };
	struct err e = { 0 };

	return matrix_run(m, &runner, &e);
}

static struct toy *toy_new(double need)
{
	struct toy *t = calloc(1, sizeof(*t));

	cr_assert(t);
	t->clock = 1e6;
	for (uint32_t f = 0; f < MODELS; f++)
		t->need[f] = need;
	return t;
}

static uint32_t weight(const struct matrix_cell *c)
{
	uint32_t n = c->vcpus;

	for (uint32_t i = 0; i < c->vcpus; i++)
		n += matrix_nmis_of(c->nmis, i);
	return n;
}

Test(matrix, runs_fewer_vcpus_and_nmis_first_and_then_fewer_states)
{
	struct matrix m = planned(&everything);
	struct toy *t = toy_new(1e-3);

	t->need[FETCH_SC] = 4e-3;
	cr_assert(run(&m, t));
	cr_assert_eq(t->runs, m.ncells);
	for (size_t i = 1; i < t->runs; i++)
		cr_assert_leq(weight(&t->ran[i - 1]), weight(&t->ran[i]));
	cr_expect_eq(t->ran[0].fetch.model, FETCH_SC, "nothing is known of them yet");
	for (size_t i = 0; i < 15; i++)
		cr_expect_eq(t->ran[15 + i].fetch.model == FETCH_SC, i >= 12, "the dear come last");
	matrix_fini(&m);
	free(t);
}

Test(matrix, ends_in_time_when_nothing_does_and_shares_equally)
{
	struct matrix m = planned(&everything);
	struct toy *t = toy_new(1e9);

	m.max_seconds = 1000;
	cr_assert(run(&m, t));
	cr_expect_float_eq(m.seconds, m.max_seconds, 1e-6);
	for (size_t i = 0; i < 15; i++)
		cr_expect_float_eq(t->ran[i].allowed, m.max_seconds / 2 / 15, 1e-9);
	for (size_t i = 15; i < 30; i++)
		cr_expect_float_eq(t->ran[i].allowed, m.max_seconds / 4 / 15, 1e-9);
	cr_expect_float_eq(t->ran[119].allowed, t->ran[105].allowed, 1e-9);
	matrix_fini(&m);
	free(t);
}

Test(matrix, what_a_cell_leaves_over_is_for_others)
{
	struct matrix_choice choice = everything;
	struct matrix m;
	struct toy *t = toy_new(1e-6);

	choice.vcpus = 1u << 2;
	choice.nmis = 1u << MATRIX_NMI_NONE;
	t->need[FETCH_STALE] = 1e9;
	m = planned(&choice);
	cr_assert(run(&m, t));
	/* The models come in table order: four cheap ones, then one that takes all it may. */
	cr_expect_float_eq(t->ran[0].allowed, 100.0 / 15, 1e-6);
	cr_expect_float_eq(t->ran[4].allowed, 100.0 / 11, 1e-3);
	cr_expect_float_eq(t->ran[9].allowed, (100 - 100.0 / 11) / 6, 1e-3);
	cr_expect_float_eq(t->ran[14].allowed, 100 - 100.0 / 11 - (100 - 100.0 / 11) / 6, 1e-3);
	cr_expect_float_eq(m.seconds, 100, 1e-3, "the only level may take everything");
	matrix_fini(&m);
	free(t);
}

/* Not known to be the dearest when its turn came, it gets what the others left over. */
Test(matrix, a_share_that_was_too_small_grows_while_there_is_time)
{
	struct matrix_choice choice = everything;
	struct toy *t = toy_new(1e-6);
	const char *const names[] = { "f*" };
	struct matrix m;

	choice.protocol = names;
	choice.nprotocols = 1;
	choice.vcpus = 1u << 2;
	choice.nmis = 1u << MATRIX_NMI_NONE;
	t->need[FETCH_SC] = 5; /* 20 seconds a cell, of 100 */
	m = planned(&choice);
	cr_assert(run(&m, t));
	cr_expect_eq(t->ran[0].verdict, VERDICT_INCONCLUSIVE);
	cr_expect_float_eq(t->ran[0].allowed, 100.0 / 10, 1e-6);
	cr_expect_gt(t->runs, m.ncells);
	for (size_t i = 0; i < m.ncells; i++)
		cr_expect_eq(m.cell[i].verdict, VERDICT_SAFE, "%zu", i);
	cr_expect_eq(t->settled, m.ncells, "each once");
	cr_expect_leq(m.seconds, 100);
	matrix_fini(&m);
	free(t);
}

/* Time for some of the cells that their share ended is not left over because it is too little for all. */
Test(matrix, what_is_left_goes_to_some_when_it_is_too_little_for_all)
{
	struct matrix_choice choice = everything;
	struct toy *t = toy_new(1e-6);
	struct matrix m;
	size_t safe = 0, most = 0;

	choice.vcpus = 1u << 2;
	choice.nmis = 1u << MATRIX_NMI_NONE;
	/* The cheap ones come first in each protocol's row, and the last row's leave time over. */
	for (uint32_t f = FETCH_SC; f <= FETCH_DESC; f++)
		t->need[f] = 2.6; /* 10.4 s, of a share of 100 / 15 to 100 / 12 */
	m = planned(&choice);
	cr_assert(run(&m, t));
	for (size_t i = 0; i < m.ncells; i++) {
		safe += m.cell[i].verdict == VERDICT_SAFE;
		most = m.cell[i].verdict == VERDICT_SAFE ? most : most + 1;
	}
	cr_expect_gt(t->runs, m.ncells, "some run again");
	cr_expect_gt(safe, 6, "and of these some end: %zu", safe);
	cr_expect_gt(most, 0, "though not all can: %zu", most);
	cr_expect_leq(m.seconds, 100 + 1e-6);
	for (size_t i = m.ncells; i < t->runs; i++)
		cr_expect_geq(t->ran[i].allowed, 1.5 * 100 / 15, "half as much again");
	matrix_fini(&m);
	free(t);
}

/* 0 would be no bound at all. */
Test(matrix, a_cell_is_always_allowed_something)
{
	struct matrix m = planned(&everything);
	struct toy *t = toy_new(1e9);

	m.max_seconds = 1;
	cr_assert(run(&m, t));
	cr_assert_eq(t->runs, m.ncells);
	for (size_t i = 0; i < t->runs; i++)
		cr_assert_geq(t->ran[i].allowed, MATRIX_SECONDS_MIN);
	matrix_fini(&m);
	free(t);
}

Test(matrix, what_is_barred_is_never_run)
{
	struct matrix m = planned(&everything);
	struct toy *t = toy_new(1);

	for (size_t i = 0; i < m.ncells; i += 2)
		m.cell[i].barred = true;
	cr_assert(run(&m, t));
	cr_expect_eq(t->runs, m.ncells / 2);
	for (size_t i = 0; i < m.ncells; i++)
		cr_expect_neq(m.cell[i].done, m.cell[i].barred);
	matrix_fini(&m);
	free(t);
}

Test(matrix, what_is_done_stays_so_when_it_is_stopped_or_fails)
{
	for (int fail = 0; fail < 2; fail++) {
		struct matrix m = planned(&everything);
		struct toy *t = toy_new(1);

		t->stop_after = fail ? 0 : 7;
		t->fail_at = fail ? 8 : 0;
		cr_expect_eq(run(&m, t), !fail);
		cr_expect_eq(matrix_done(&m), 7);
		cr_expect_eq(t->settled, fail ? 0 : 7);
		cr_expect_gt(m.seconds, 0);
		matrix_fini(&m);
		free(t);
	}
}

/* ---- on the machine ---- */

TestSuite(matrix_cell, .init = kvmtest_needs_kvm, .timeout = 120);

static struct matrix two_protocols(void)
{
	const char *const names[] = { "naive", "int3_fixup_sync12" };
	const struct matrix_choice choice = {
		.protocol = names,
		.nprotocols = 2,
		.vcpus = 1u << 2,
		.nmis = 1u << MATRIX_NMI_NONE,
		.models = ALL_MODELS,
		.chunk = 1,
	};
	struct matrix m = { .max_seconds = 100, .max_memory_mb = 1024, .jobs = 2 };
	struct err e = { 0 };

	cr_assert(matrix_plan(&m, kvmtest_image(), &choice, &e), "%s", e.text);
	return m;
}

static void check_result(const struct matrix_cell *c)
{
	char path[512];
	struct witness w;
	struct err e = { 0 };

	snprintf(path, sizeof(path), "%s/%s", scratch_directory, c->file);
	cr_expect_eq(witness_load(&w, path, &e), c->witness, "%s: %s", path, e.text);
	if (c->witness) {
		cr_expect_str_eq(w.verdict, verdict_name(c->verdict));
		witness_fini(&w);
	}
	scratch_drop(c->file);
}

Test(matrix_cell, two_protocols_end_to_end)
{
	static const enum verdict expected[] = {
		VERDICT_SAFE, VERDICT_SAFE, VERDICT_SAFE, VERDICT_STALE, VERDICT_STALE,
		VERDICT_TORN, VERDICT_TORN, VERDICT_TORN, VERDICT_TORN,	 VERDICT_TORN,
	};
	struct matrix m = two_protocols();
	struct host host;
	struct matrix_lab lab = { &m, &host, scratch_directory, NULL, true };
	const struct matrix_runner runner = { &lab, matrix_lab_run, NULL, matrix_lab_now,
					      matrix_lab_stopped };
	struct err e = { 0 };

	host_read(&host);
	m.host = &host;
	scratch_make();
	cr_assert(matrix_run(&m, &runner, &e), "%s", e.text);
	cr_assert_eq(m.ncells, COUNT(expected));
	for (size_t i = 0; i < m.ncells; i++) {
		const struct matrix_cell *c = &m.cell[i];

		cr_expect(c->done && c->verdict == expected[i], "%s/%s: %s: %s", c->protocol,
			  fetch_model_name(c->fetch.model), verdict_name(c->verdict), c->reason);
		cr_expect_eq(c->witness, c->verdict != VERDICT_SAFE);
		cr_expect(strstr(c->line, verdict_name(expected[i])), "%s", c->line);
		check_result(c);
	}
	cr_assert(report_matrix_write(&m, scratch_directory, &e), "%s", e.text);
	scratch_drop("matrix.json");
	scratch_drop("matrix.md");
	scratch_drop("matrix.html");
	scratch_remove();
	matrix_fini(&m);
}

/* A share too small for the search: inconclusive, and the bound is named. */
Test(matrix_cell, what_its_share_ended_says_so)
{
	struct matrix m = two_protocols();
	struct host host;
	struct matrix_lab lab = { &m, &host, scratch_directory, NULL, false };
	struct matrix_cell *c = &m.cell[0];
	struct err e = { 0 };

	host_read(&host);
	m.host = &host;
	scratch_make();
	cr_assert(matrix_lab_run(&lab, c, 1e-3, &e), "%s", e.text);
	cr_expect_eq(c->allowed, 1e-3);
	cr_expect_null(c->line);
	cr_expect_eq(c->verdict, VERDICT_INCONCLUSIVE);
	cr_expect_str_eq(c->bound, "seconds");
	cr_expect(strstr(c->reason, "its share of the time: 0.0 s"), "%s", c->reason);
	check_result(c);
	scratch_remove();
	matrix_fini(&m);
}

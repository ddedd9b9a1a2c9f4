// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_survey.c - cells, stores, turns and statistics of a survey, with a clock
 * and a runner made up: no vCPU runs here. The kinds of site are the image's.
 */
#include "survey/survey.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kvmtest.h"

TestSuite(survey, .timeout = 20);

static struct survey_choice few(void)
{
	struct survey_choice c;
	struct err e = { 0 };

	survey_choose_all(&c);
	cr_assert(survey_parse_offsets(&c, "8,60-61,page", &e) &&
			  survey_parse_widths(&c, "1,4", &e) && survey_parse_pauses(&c, "0", &e),
		  "%s", e.text);
	return c;
}

static void plan(struct survey *s, double seconds)
{
	struct survey_choice c = few();
	struct err e = { 0 };

	cr_assert(survey_plan(s, kvmtest_image(), &c, seconds, &e), "%s", e.text);
}

/* ---- choices ---- */

static void refuses(bool (*parse)(struct survey_choice *, const char *, struct err *),
		    const char *text, const char *because)
{
	struct survey_choice c;
	struct err e = { 0 };

	survey_choose_all(&c);
	cr_expect_not(parse(&c, text, &e), "%s", text);
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, because), "%s: %s", text, e.text);
}

Test(survey, lists_are_parsed)
{
	struct survey_choice c = few();

	for (uint32_t i = 0; i < SURVEY_POSITIONS; i++)
		cr_expect_eq(c.position[i], i == 8 || i == 60 || i == 61 || i >= 64, "%u", i);
	cr_expect(c.width[0] && !c.width[1] && c.width[2] && !c.width[3]);
	cr_expect(c.npauses == 1 && c.pause[0] == 0);
	cr_expect(c.cpl3 && !c.cpl0);
	cr_expect(survey_parse_pauses(&c, "7,7,0,7", NULL) && c.npauses == 2, "each once");
	cr_expect_eq(survey_offset(63), 63);
	cr_expect_eq(survey_offset(64), 4092);
}

Test(survey, bad_lists_are_refused_with_the_reason)
{
	refuses(survey_parse_offsets, "64", "'64' is not an offset in a line");
	refuses(survey_parse_offsets, "9-3", "--offsets 9-3: '9-3'");
	refuses(survey_parse_offsets, "1,", "'' is not");
	refuses(survey_parse_offsets, "-1", "0 to 63");
	refuses(survey_parse_offsets, "1-2-3", "'1-2-3'");
	refuses(survey_parse_offsets, "99999999999999999999", "is not");
	refuses(survey_parse_widths, "3", "1, 2, 4 or 8");
	refuses(survey_parse_kinds, "immediate,operand", "'operand' is not immediate, opcode");
	refuses(survey_parse_pauses, "1000001", "0 to 1000000");
	refuses(survey_parse_pauses, "1,2,3,4,5", "at most four");
	refuses(survey_parse_cpls, "1", "0 or 3");
}

/* ---- stores ---- */

static void apply(uint8_t *text, const struct cm_survey_store *store, uint32_t n, uint32_t width,
		  int form)
{
	for (uint32_t i = 0; i < n; i++)
		memcpy(text + (store[i].address - CM_ALIAS_BASE), &store[i].value[form], width);
}

/* From the old form to the new and back, and nothing around it touched. */
static void stores_are_right(enum survey_kind kind, uint32_t offset, uint32_t width, bool natural)
{
	static uint8_t text[CM_TEXT_SIZE], was[CM_TEXT_SIZE];
	struct cm_survey_store store[CM_SURVEY_STORES];
	struct site site;
	uint64_t head;
	uint32_t n;

	site_place(&site, image_site(kvmtest_image(), survey_kind_site(kind)), 0, offset);
	memset(text, 0x5a, CM_SLOT_SIZE);
	site_install(&site, text);
	memcpy(was, text, CM_SLOT_SIZE);
	head = site.placed.text - CM_TEXT_BASE;
	n = survey_stores(&site, text, width, natural, store);
	cr_assert(n >= 1 && n <= CM_SURVEY_STORES);
	apply(text, store, n, width, 1);
	cr_assert_arr_eq(text + head, site.placed.new_bytes, site.placed.length,
			 "kind %d at %u, %u bytes", kind, offset, width);
	memcpy(text + head, was + head, site.placed.length);
	cr_assert_arr_eq(text, was, CM_SLOT_SIZE, "kind %d at %u, %u bytes: its neighbours", kind,
			 offset, width);
	apply(text, store, n, width, 1);
	apply(text, store, n, width, 0);
	cr_assert_arr_eq(text, was, CM_SLOT_SIZE);
	for (uint32_t i = 0; i < n; i++) {
		cr_assert(!natural || store[i].address % width == 0);
		cr_assert_eq(store[i].address, store[0].address + (uint64_t)i * width);
	}
}

Test(survey, a_poke_changes_the_site_and_nothing_else)
{
	for (int kind = 0; kind < SURVEY_KINDS; kind++)
		for (uint32_t i = 0; i < SURVEY_POSITIONS; i++)
			for (uint32_t width = 1; width <= 8; width *= 2)
				for (int natural = 0; natural <= 1; natural++)
					stores_are_right((enum survey_kind)kind, survey_offset(i),
							 width, natural);
}

static struct survey_cell cell_at(enum survey_kind kind, uint32_t offset, uint32_t width,
				  bool natural)
{
	return (struct survey_cell){
		.kind = kind, .offset = offset, .width = width, .natural = natural
	};
}

/* mov_imm32 changes its bytes 1 to 4, mov_xor_imm32 all five, call5_call5 its bytes 1 and 2. */
Test(survey, stores_are_as_few_as_hold_the_change)
{
	static const struct {
		enum survey_kind kind;
		uint32_t offset, width;
		bool natural;
		uint32_t stores;
		bool aligned;
		uint32_t unit;
	} cases[] = {
		{ SURVEY_IMMEDIATE, 7, 4, false, 1, true, 8 },
		{ SURVEY_IMMEDIATE, 8, 4, false, 1, false, 8 },
		{ SURVEY_IMMEDIATE, 8, 4, true, 2, true, 8 },
		{ SURVEY_IMMEDIATE, 8, 8, true, 1, true, 8 },
		{ SURVEY_IMMEDIATE, 8, 1, true, 4, true, 8 },
		{ SURVEY_IMMEDIATE, 8, 2, false, 2, false, 8 },
		{ SURVEY_IMMEDIATE, 6, 4, false, 1, false, 16 },
		{ SURVEY_IMMEDIATE, 30, 4, false, 1, false, 64 },
		{ SURVEY_IMMEDIATE, 60, 4, false, 1, false, 4096 },
		{ SURVEY_IMMEDIATE, 60, 8, true, 2, true, 4096 },
		{ SURVEY_IMMEDIATE, 63, 4, false, 1, true, 8 },
		{ SURVEY_IMMEDIATE, 4094, 8, false, 1, false, 0 },
		{ SURVEY_OPCODE, 8, 4, false, 2, true, 8 },
		{ SURVEY_OPCODE, 8, 8, false, 1, true, 8 },
		{ SURVEY_DISPLACEMENT, 62, 2, false, 1, false, 4096 },
		{ SURVEY_DISPLACEMENT, 61, 2, false, 1, true, 8 },
	};
	struct survey s = { .image = kvmtest_image() };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct survey_cell c =
			cell_at(cases[i].kind, cases[i].offset, cases[i].width, cases[i].natural);
		bool aligned;

		cr_expect_eq(survey_cell_stores(&s, &c, &aligned), cases[i].stores, "case %zu", i);
		cr_expect_eq(aligned, cases[i].aligned, "case %zu", i);
		cr_expect_eq(survey_unit(&s, &c), cases[i].unit, "case %zu: %u", i,
			     survey_unit(&s, &c));
	}
}

/* ---- what ran ---- */

static enum survey_tear tear_of(enum survey_kind kind, uint64_t value, uint64_t pad)
{
	struct insn_decoder d;
	struct err e = { 0 };
	enum survey_tear tear;
	struct site site;

	cr_assert(insn_init(&d, CM_ISA_X86_64, &e), "%s", e.text);
	site_place(&site, image_site(kvmtest_image(), survey_kind_site(kind)), 0, 60);
	tear = survey_tear_of(&site, &d, value, pad ? site.placed.text + pad : 0);
	insn_fini(&d);
	return tear;
}

/* XOR finds 0xbad00000 in EAX: guest/x86_64/entry.S. */
Test(survey, mixtures_are_told_apart_by_what_they_leave)
{
	cr_expect_eq(tear_of(SURVEY_IMMEDIATE, 0x22221111, 5), SURVEY_OLD_HEAD);
	cr_expect_eq(tear_of(SURVEY_IMMEDIATE, 0x22111111, 5), SURVEY_OLD_HEAD);
	cr_expect_eq(tear_of(SURVEY_IMMEDIATE, 0x11112222, 5), SURVEY_NEW_HEAD);
	cr_expect_eq(tear_of(SURVEY_IMMEDIATE, 0x11112211, 5), SURVEY_OTHER);
	cr_expect_eq(tear_of(SURVEY_IMMEDIATE, 0x12345678, 5), SURVEY_OTHER);
	cr_expect_eq(tear_of(SURVEY_OPCODE, 0x22222222, 5), SURVEY_OLD_HEAD);
	cr_expect_eq(tear_of(SURVEY_OPCODE, 0x22111111, 5), SURVEY_OLD_HEAD);
	cr_expect_eq(tear_of(SURVEY_OPCODE, 0xbad00000 ^ 0x11111111, 5), SURVEY_NEW_HEAD);
	cr_expect_eq(tear_of(SURVEY_OPCODE, 0xbad00000 ^ 0x11111122, 5), SURVEY_NEW_HEAD);
	cr_expect_eq(tear_of(SURVEY_OPCODE, 0xbad00000 ^ 0x22222211, 5), SURVEY_OTHER);
	cr_expect_eq(tear_of(SURVEY_DISPLACEMENT, 0x8000c0debad00000, 5 + 0x140), SURVEY_OLD_HEAD);
	cr_expect_eq(tear_of(SURVEY_DISPLACEMENT, 0x8000c0debad00000, 5 + 0x280), SURVEY_NEW_HEAD);
	cr_expect_eq(tear_of(SURVEY_DISPLACEMENT, 0x8000c0debad00000, 5 + 0x300), SURVEY_OTHER);
}

/* ---- turns ---- */

/* A clock that slices and their expense move on, and a record of the visits. */
struct toy {
	const struct survey *s;
	double now, expense, slowness;
	uint64_t stop_after; /* slices; 0: never */
	uint64_t slices;
	const struct survey_cell *last;
	uint64_t first_is_control, pairs;
	bool one_sided;
};

static bool toy_slice(void *arg, struct survey_cell *cell, enum survey_side side, double seconds,
		      struct err *e)
{
	struct toy *t = arg;

	(void)e;
	cr_expect_gt(seconds, 0);
	if (t->last != cell) {
		cr_expect(t->one_sided || t->slices % 2 == 0,
			  "guest and control are next to each other");
		t->pairs++;
		t->first_is_control += side == SURVEY_CONTROL;
	}
	t->last = cell;
	t->slices++;
	cell->side[side].executions += 1000;
	cell->side[side].pokes++; /* of visits */
	t->now += seconds * t->slowness + t->expense;
	return true;
}

static double toy_now(void *arg)
{
	return ((struct toy *)arg)->now;
}

static bool toy_stopped(void *arg)
{
	struct toy *t = arg;

	return t->stop_after && t->slices >= t->stop_after;
}

static bool visit(struct survey *s, struct toy *t, struct err *e)
{
	const struct survey_runner r = { t, toy_slice, toy_now, toy_stopped };

	t->s = s;
	return survey_run(s, &r, e);
}

Test(survey, every_cell_has_its_turns_within_the_time)
{
	struct toy t = { .now = 100, .expense = 0.0004, .slowness = 1 };
	struct err e = { 0 };
	struct survey s;

	plan(&s, 10);
	cr_assert(visit(&s, &t, &e), "%s", e.text);
	cr_expect_geq(s.rounds, 2);
	cr_expect_eq(s.rounds_done, s.rounds);
	cr_expect_eq(s.slices, t.slices);
	for (size_t i = 0; i < s.ncells; i++)
		for (int side = 0; side < SURVEY_SIDES; side++)
			cr_expect_eq(s.cell[i].side[side].pokes, s.rounds);
	cr_expect(s.seconds > 9 && s.seconds < 10.5, "%f s", s.seconds);
	cr_expect(!s.interrupted && s.visited == s.ncells);
	cr_expect(t.first_is_control * 2 >= t.pairs - 2 && t.first_is_control * 2 <= t.pairs + 2,
		  "%lu of %lu", (unsigned long)t.first_is_control, (unsigned long)t.pairs);
	survey_fini(&s);
}

/* However early it ends, what was measured is everywhere and on both sides. */
Test(survey, an_interrupted_survey_keeps_what_it_has)
{
	bool kind[SURVEY_KINDS] = { 0 }, offset[4096] = { 0 };
	struct toy t = { .slowness = 1, .stop_after = 30 };
	struct err e = { 0 };
	struct survey s;

	plan(&s, 10);
	cr_assert(visit(&s, &t, &e), "%s", e.text);
	cr_expect(s.interrupted);
	cr_expect_eq(s.rounds_done, 0);
	cr_expect_eq(s.visited, 15);
	cr_expect_eq(s.slices, 30);
	for (size_t i = 0; i < s.ncells; i++) {
		const struct survey_cell *c = &s.cell[i];

		cr_expect_eq(c->side[SURVEY_GUEST].executions, c->side[SURVEY_CONTROL].executions);
		if (c->what == SURVEY_TEAR && c->side[SURVEY_GUEST].executions)
			kind[c->kind] = offset[c->offset] = true;
	}
	cr_expect(kind[SURVEY_IMMEDIATE] && kind[SURVEY_OPCODE] && kind[SURVEY_DISPLACEMENT]);
	cr_expect(offset[8] + offset[60] + offset[61] >= 2);
	survey_fini(&s);
}

Test(survey, a_busy_host_has_fewer_rounds_and_not_much_more_time)
{
	struct toy slow = { .slowness = 1, .expense = 0.02 };
	struct toy crawling = { .slowness = 1, .expense = 1 };
	struct err e = { 0 };
	size_t visited = 0;
	struct survey s;

	plan(&s, 10);
	cr_assert(visit(&s, &slow, &e), "%s", e.text);
	cr_expect(s.rounds_done >= 1 && s.rounds_done < s.rounds, "%u", s.rounds_done);
	cr_expect(s.seconds > 9 && s.seconds < 10.2, "%f s", s.seconds);
	cr_expect_eq(s.visited, s.ncells);
	survey_fini(&s);
	plan(&s, 10);
	cr_assert(visit(&s, &crawling, &e), "%s", e.text);
	cr_expect_eq(s.rounds_done, 0);
	/* The pair of slices that is under way ends. */
	cr_expect(s.seconds >= 10 && s.seconds < 12.5, "%f s", s.seconds);
	cr_expect_eq(2 * s.visited, crawling.slices);
	for (size_t i = 0; i < s.ncells; i++)
		visited +=
			s.cell[i].side[SURVEY_GUEST].pokes && s.cell[i].side[SURVEY_CONTROL].pokes;
	cr_expect_eq(s.visited, visited, "who had no turn is not said to have had one");
	survey_fini(&s);
}

/* With what a slice costs the time is enough for one round, and hardly for two. */
Test(survey, time_goes_to_slices_rather_than_to_rounds)
{
	struct toy t = { .slowness = 1 };
	struct err e = { 0 };
	struct survey s;
	double watched;

	plan(&s, 10);
	t.expense = 10.0 / (double)(s.ncells * SURVEY_SIDES) / 2.5;
	cr_assert(visit(&s, &t, &e), "%s", e.text);
	watched = s.seconds - (double)s.slices * t.expense;
	cr_expect_eq(s.visited, s.ncells);
	cr_expect_eq(s.rounds_done, 1);
	cr_expect_gt(watched, 5, "%f s", watched);
	survey_fini(&s);
}

Test(survey, too_short_a_time_is_refused_before_anything_runs)
{
	struct toy t = { .slowness = 1 };
	struct err e = { 0 };
	struct survey s;

	plan(&s, 0.1);
	cr_expect_not(visit(&s, &t, &e));
	cr_expect_eq(e.code, ERR_INPUT);
	cr_expect(strstr(e.text, "--seconds 0.1: ") && strstr(e.text, "fewer offsets"), "%s",
		  e.text);
	cr_expect_eq(t.slices, 0);
	survey_fini(&s);
}

Test(survey, what_is_unsupported_is_not_asked_for_again)
{
	struct toy t = { .slowness = 1, .one_sided = true };
	struct err e = { 0 };
	struct survey s;

	plan(&s, 2);
	for (size_t i = 0; i < s.ncells; i++)
		strcpy(s.cell[i].unsupported[SURVEY_CONTROL], "no");
	cr_assert(visit(&s, &t, &e), "%s", e.text);
	cr_expect_geq(t.slices, s.ncells);
	for (size_t i = 0; i < s.ncells; i++)
		cr_expect_eq(s.cell[i].side[SURVEY_CONTROL].pokes, 0);
	survey_fini(&s);
}

/* ---- what the counts say ---- */

static void expect_near(double got, double want)
{
	cr_expect(fabs(got - want) <= 1e-6 * fabs(want), "%.12g is not %.12g", got, want);
}

/* 12 of 3 400 000: as in test_stats.c, in millionths. */
Test(survey, known_counts_have_known_intervals)
{
	struct survey_counts c = { .executions = 3400000,
				   .transitions = 50000,
				   .torn = { 7, 4, 1 },
				   .watched = 3000000,
				   .seconds = 0.1 };
	struct survey_rate r = survey_rate(&c);

	cr_expect(r.enough);
	cr_expect_eq(r.torn, 12);
	expect_near(r.ppm, 12 / 3.4);
	expect_near(r.low, 2.019048106068);
	expect_near(r.high, 6.169607001082);
	expect_near(survey_speed(&c), 3e7);
	c.transitions = SURVEY_TRANSITIONS_MIN - 1;
	cr_expect_not(survey_rate(&c).enough);
	c = (struct survey_counts){ 0 };
	cr_expect(!survey_rate(&c).enough && isnan(survey_rate(&c).ppm));
	cr_expect(isnan(survey_speed(&c)));
}

static struct survey_counts counts(uint64_t torn, double speed)
{
	return (struct survey_counts){ .executions = 1000000,
				       .transitions = 5000,
				       .torn = { torn },
				       .watched = 1000000,
				       .seconds = 1e6 / speed };
}

Test(survey, guest_and_control_are_compared_by_medians)
{
	struct survey_cell cell[4] = {
		{ .side = { counts(40, 2e6), counts(20, 2e6) } },
		{ .side = { counts(30, 1e6), counts(30, 2e6) } },
		{ .side = { counts(19, 4e6), counts(90, 2e6) } }, /* too few torn */
		{ .what = SURVEY_COST, .side = { counts(99, 9e6), counts(50, 1e6) } },
	};
	struct survey s = { .cell = cell, .ncells = 4 };
	size_t n;

	expect_near(survey_speed_ratio(&s, &n), 1);
	cr_expect_eq(n, 3);
	expect_near(survey_torn_ratio(&s, &n), 1.5);
	cr_expect_eq(n, 2);
	s.ncells = 0;
	cr_expect(isnan(survey_torn_ratio(&s, &n)) && n == 0);
}

Test(survey, latencies_and_costs_are_in_nanoseconds)
{
	uint32_t sample[] = { 500, 100, 300, 200, 400 };
	struct survey_latency l = { sample, 5, 0, 2e9, 1 };
	struct survey_cell cell[] = {
		{ .what = SURVEY_COST,
		  .sync = CM_SYNC_NONE,
		  .side = { { .seconds = 1, .watched = 500000000 } } },
		{ .what = SURVEY_COST,
		  .sync = CM_SYNC_MFENCE,
		  .side = { { .seconds = 1, .watched = 50000000 } } },
		{ .what = SURVEY_COST,
		  .sync = CM_SYNC_IPI,
		  .side = { { .seconds = 1, .watched = 500000 } } },
	};
	struct survey s = { .cell = cell, .ncells = 3 };

	expect_near(survey_latency_ns(&l, 0.5), 150);
	expect_near(survey_latency_ns(&l, 0), 50);
	expect_near(survey_latency_ns(&l, 1), 250);
	l.samples = 0;
	cr_expect(isnan(survey_latency_ns(&l, 0.5)));
	expect_near(survey_cost_ns(&s, &cell[1], SURVEY_GUEST), 18);
	expect_near(survey_cost_ns(&s, &cell[2], SURVEY_GUEST), 2000);
	cr_expect(isnan(survey_cost_ns(&s, &cell[1], SURVEY_CONTROL)));
}

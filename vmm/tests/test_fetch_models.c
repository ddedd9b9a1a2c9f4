// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fetch_models.c - the fetch models, as a table of histories and of what
 * an instruction of two chunks may then be fetched as; what sets each of them
 * apart, what a refusal says, and histories by chance. No KVM, no decoder.
 */
#include "test_fetch_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define TAIL (f->config.chunk)

#define READER 1

/*
 * A history, words separated by blanks. The instruction is a head and a tail
 * chunk, of which one byte each matters; both are 'o' at first.
 *   hn ti	vCPU 0 stores 'n' to the head, 'i' to the tail
 *   Hn Ti	so does vCPU 1, whose fetch is looked at
 *   L S D	vCPU 1 latches, synchronises, has an event delivered
 *   Fon	vCPU 1 executes head 'o' with tail 'n', which must be legal
 */
struct history {
	enum fetch_model model;
	const char *text;
	const char *outcomes; /* sorted */
	bool delivery_syncs;
	bool own_alias_visible;
};

static const struct history histories[] = {
	/* clang-format off */
	{ FETCH_SC, "", "oo", 0, 0 },
	{ FETCH_SC, "hn", "no", 0, 0 },
	{ FETCH_SC, "hn tn", "nn", 0, 0 },
	{ FETCH_SC, "tn Fon hn", "nn", 0, 0 },

	{ FETCH_ASC, "hn", "no", 0, 0 },
	{ FETCH_ASC, "hn tn", "nn", 0, 0 },
	{ FETCH_ASC, "L hn tn", "on", 0, 0 },
	{ FETCH_ASC, "L tn hn", "on", 0, 0 },
	{ FETCH_ASC, "hn L tn", "nn", 0, 0 },
	{ FETCH_ASC, "L hn", "oo", 0, 0 },
	{ FETCH_ASC, "L hn L tn", "oo", 0, 0 },
	{ FETCH_ASC, "L tn L hn to", "on", 0, 0 },
	{ FETCH_ASC, "L hn tn Fon", "nn", 0, 0 },
	{ FETCH_ASC, "L hn tn D", "nn", 0, 0 },
	{ FETCH_ASC, "L hn D L tn", "nn", 0, 0 },
	{ FETCH_ASC, "L hn tn S", "nn", 0, 0 },

	{ FETCH_DESC, "hn tn", "nn", 0, 0 },
	{ FETCH_DESC, "L hn tn", "no", 0, 0 },
	{ FETCH_DESC, "L tn hn", "no", 0, 0 },
	{ FETCH_DESC, "tn L hn", "nn", 0, 0 },
	{ FETCH_DESC, "L tn", "oo", 0, 0 },
	{ FETCH_DESC, "L hn L tn", "no", 0, 0 },
	{ FETCH_DESC, "L hn tn Fno", "nn", 0, 0 },
	{ FETCH_DESC, "L hn tn D", "nn", 0, 0 },

	/* Head first: "no" is what memory was between the stores. Tail first: it never was. */
	{ FETCH_ORDERED, "hn tn", "nn no on oo", 0, 0 },
	{ FETCH_ORDERED, "tn hn", "nn on oo", 0, 0 },
	{ FETCH_ORDERED, "hi tn hn", "in io nn on oo", 0, 0 },
	{ FETCH_ORDERED, "hi S tn hn", "in io nn", 0, 0 },
	{ FETCH_ORDERED, "hi S tn S hn", "in nn", 0, 0 },
	{ FETCH_ORDERED, "hi S tn S hn S", "nn", 0, 0 },
	{ FETCH_ORDERED, "hn tn Foo", "nn no on oo", 0, 0 },
	{ FETCH_ORDERED, "hn tn Fno", "nn no", 0, 0 },
	{ FETCH_ORDERED, "hn tn Fon", "nn", 0, 0 },
	{ FETCH_ORDERED, "hn tn Fnn", "nn", 0, 0 },
	{ FETCH_ORDERED, "tn hn Fon", "nn on", 0, 0 },
	{ FETCH_ORDERED, "tn hn Foo Fon", "nn on", 0, 0 },
	{ FETCH_ORDERED, "hn ho tn", "nn no on oo", 0, 0 },
	{ FETCH_ORDERED, "hn ho tn Fno", "nn no on oo", 0, 0 },
	{ FETCH_ORDERED, "hn ho tn Fon", "on", 0, 0 },
	{ FETCH_ORDERED, "hn tn D", "nn no on oo", 0, 0 },
	{ FETCH_ORDERED, "tn hn D", "nn", 1, 0 },
	{ FETCH_ORDERED, "Hn", "no oo", 0, 0 },
	{ FETCH_ORDERED, "Hn", "no", 0, 1 },
	{ FETCH_ORDERED, "tn Hn", "nn", 0, 1 },
	{ FETCH_ORDERED, "Hn tn", "nn no", 0, 1 },

	{ FETCH_STALE, "hn tn", "nn no on oo", 0, 0 },
	{ FETCH_STALE, "tn hn", "nn no on oo", 0, 0 },
	{ FETCH_STALE, "hi tn hn", "in io nn no on oo", 0, 0 },
	{ FETCH_STALE, "hi S tn hn", "in io nn no", 0, 0 },
	{ FETCH_STALE, "hi S tn S hn", "in nn", 0, 0 },
	{ FETCH_STALE, "hn tn Foo", "nn no on oo", 0, 0 },
	{ FETCH_STALE, "hn tn Fon", "nn on", 0, 0 },
	{ FETCH_STALE, "hn tn Fno", "nn no", 0, 0 },
	{ FETCH_STALE, "hn tn Fon Fnn", "nn", 0, 0 },
	{ FETCH_STALE, "hn S tn", "nn no", 0, 0 },
	{ FETCH_STALE, "hn ho", "no oo", 0, 0 },
	{ FETCH_STALE, "hn ho Foo", "no oo", 0, 0 },
	{ FETCH_STALE, "hn ho Fno", "no oo", 0, 0 },
	{ FETCH_STALE, "hn ho Fno Foo", "oo", 0, 0 },
	{ FETCH_STALE, "hn hn", "no oo", 0, 0 },
	{ FETCH_STALE, "hn tn D", "nn no on oo", 0, 0 },
	{ FETCH_STALE, "hn tn D", "nn", 1, 0 },
	{ FETCH_STALE, "hn D tn", "nn no", 1, 0 },
	{ FETCH_STALE, "Hn", "no oo", 0, 0 },
	{ FETCH_STALE, "Hn", "no", 0, 1 },
	{ FETCH_STALE, "hn", "no oo", 0, 1 },
	{ FETCH_STALE, "tn Hn", "nn no", 0, 1 },
	{ FETCH_STALE, "Hn Ho", "oo", 0, 1 },
	/* clang-format on */
};

/* What is done besides the history, that must not make a difference. */
enum manner { PLAINLY, TRIMMING, COPYING, MANNERS };

/* Every (head, tail) that READER may fetch, with a plan of each; returns how many. */
static uint32_t outcomes(const struct fetch *f, char text[][3], struct fetch_plan *plans)
{
	uint32_t heads[32], tails[32], n = 0;
	struct fetch_plan none = { 0 };
	uint32_t nheads = fetch_choices(f, READER, &none, 0, heads, 32);

	for (uint32_t i = 0; i < nheads; i++) {
		struct fetch_plan head = { 0 };
		uint32_t ntails;

		fetch_plan_add(f, &head, 0, heads[i]);
		ntails = fetch_choices(f, READER, &head, TAIL, tails, 32);
		for (uint32_t j = 0; j < ntails; j++, n++) {
			plans[n] = head;
			fetch_plan_add(f, &plans[n], TAIL, tails[j]);
			text[n][0] = history_byte(f, heads[i], 0);
			text[n][1] = history_byte(f, tails[j], TAIL);
			text[n][2] = '\0';
		}
	}
	return n;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void assert_outcomes(const struct fetch *f, const char *expected, const char *what)
{
	struct fetch_plan plans[64];
	char text[64][3], line[256] = "";
	uint32_t n = outcomes(f, text, plans);

	qsort(text, n, sizeof(text[0]), compare);
	for (uint32_t i = 0; i < n; i++) {
		cr_assert(i == 0 || strcmp(text[i - 1], text[i]), "%s: %s twice", what, text[i]);
		strcat(strcat(line, i ? " " : ""), text[i]);
	}
	cr_assert_str_eq(line, expected, "%s: may be \"%s\", not \"%s\"", what, line, expected);
}

static void execute(struct fetch *f, const char *outcome, const char *what)
{
	struct fetch_plan plans[64];
	char text[64][3];
	uint32_t n = outcomes(f, text, plans);

	for (uint32_t i = 0; i < n; i++) {
		if (!strncmp(text[i], outcome, 2)) {
			fetch_done(f, READER, &plans[i]);
			return;
		}
	}
	cr_assert_fail("%s: %.2s is not legal", what, outcome);
}

static void play_word(struct fetch *f, const char *word, const char *what)
{
	struct err e;

	switch (word[0]) {
	case 'h':
	case 'H':
		history_store(f, 0, word[1], word[0] == 'H' ? READER : WRITER);
		break;
	case 't':
	case 'T':
		history_store(f, TAIL, word[1], word[0] == 'T' ? READER : WRITER);
		break;
	case 'L':
		cr_assert(fetch_latch(f, READER, 0, 2 * TAIL, &e), "%s: %s", what, e.text);
		break;
	case 'S':
		fetch_synchronised(f, READER);
		break;
	case 'D':
		fetch_delivered(f, READER);
		break;
	case 'F':
		execute(f, word + 1, what);
		break;
	default:
		cr_assert_fail("%s: word %s", what, word);
	}
}

static void play(const struct history *h, enum manner manner, uint32_t chunk)
{
	struct fetch f, copy = { 0 };
	char what[128];

	snprintf(what, sizeof(what), "%s \"%s\", manner %d, chunk %u", fetch_model_name(h->model),
		 h->text, manner, chunk);
	history_start(&f, h->model, chunk, TEXT + 2 * FETCH_CHUNK_PAGE - LINE, 2 * LINE);
	f.config.delivery_syncs = h->delivery_syncs;
	f.config.own_alias_visible = h->own_alias_visible;
	for (const char *p = h->text; *p; p += strcspn(p, " "), p += *p == ' ') {
		play_word(&f, p, what);
		if (manner == TRIMMING)
			fetch_trim(&f);
		if (manner == COPYING) {
			fetch_copy(&copy, &f);
			fetch_copy(&f, &copy);
		}
	}
	assert_outcomes(&f, h->outcomes, what);
	fetch_fini(&f);
	fetch_fini(&copy);
}

Test(fetch, histories)
{
	static const uint32_t chunks[] = { 1, 2, 4, 8, 16, 64 };

	for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++)
		for (enum manner m = 0; m < MANNERS; m++)
			for (size_t c = 0; c < sizeof(chunks) / sizeof(chunks[0]); c++)
				play(&histories[i], m, chunks[c]);
}

static void assert_illegal(const struct fetch *f, const struct fetch_plan *plan, uint32_t offset,
			   uint32_t version, const char *text)
{
	struct err e;

	cr_assert_not(fetch_legal(f, READER, plan, offset, version, &e));
	cr_assert_eq(e.code, ERR_INPUT);
	cr_assert_str_eq(e.text, text);
	cr_assert_not(fetch_legal(f, READER, plan, offset, version, NULL));
}

Test(fetch, illegal_says_why)
{
	struct fetch_plan plan = { 0 };
	struct fetch f;
	struct err e;

	history_start(&f, FETCH_ORDERED, 1, TEXT, LINE);
	history_store(&f, 0, 'a', WRITER);
	fetch_synchronised(&f, READER);
	history_store(&f, 0, 'b', WRITER);
	assert_illegal(&f, &plan, 0, 0,
		       "vCPU 1 may not fetch version 0 of chunk 0 (at 0x20001000) any more: "
		       "the oldest it may still see is 1 (model 'ordered')");
	assert_illegal(&f, &plan, 0, 3,
		       "vCPU 1 may not fetch version 3 of chunk 0 (at 0x20001000): "
		       "the newest is 2");
	cr_assert(fetch_legal(&f, READER, &plan, 0, 2, &e));
	fetch_plan_add(&f, &plan, 0, 2);
	assert_illegal(&f, &plan, 1, 1,
		       "vCPU 1 may not fetch version 1 of chunk 1 (at 0x20001001): "
		       "of the chunk before it took version 2 (model 'ordered')");
	fetch_fini(&f);

	plan.nchunks = 0;
	history_start(&f, FETCH_DESC, 1, TEXT, LINE);
	cr_assert(fetch_latch(&f, READER, 0, 1, &e));
	history_store(&f, 0, 'a', WRITER);
	assert_illegal(&f, &plan, 0, 1,
		       "vCPU 1 may not fetch version 1 of chunk 0 (at 0x20001000): "
		       "it has latched version 0 (model 'desc')");
	fetch_fini(&f);
}

Test(fetch, latch_order_and_end)
{
	static const struct {
		enum fetch_model model;
		uint16_t chunk[3];
	} orders[] = { { FETCH_ASC, { 4, 5, 6 } }, { FETCH_DESC, { 6, 5, 4 } } };

	for (size_t m = 0; m < 2; m++) {
		struct fetch f;
		struct err e;

		history_start(&f, orders[m].model, 1, TEXT, LINE);
		for (unsigned int i = 0; i < 3; i++) {
			const struct fetch_plan *latched = &f.latched[READER];
			unsigned int at = orders[m].model == FETCH_ASC ? i : 0;

			cr_assert(fetch_latch(&f, READER, 4, 3, &e));
			cr_assert_eq(latched->nchunks, i + 1);
			cr_assert_eq(latched->chunk[at], orders[m].chunk[i]);
			cr_assert_eq(latched->version[at], i);
			history_store(&f, 4, (char)i, WRITER);
		}
		cr_assert_not(fetch_latch(&f, READER, 4, 3, &e));
		cr_assert_eq(e.code, ERR_INPUT);
		cr_assert(strstr(e.text, "latched all 3"), "%s", e.text);
		cr_assert_eq(f.latched[WRITER].nchunks, 0);
		fetch_fini(&f);
	}
}

Test(fetch, latch_in_other_models)
{
	static const enum fetch_model models[] = { FETCH_SC, FETCH_ORDERED, FETCH_STALE };

	for (size_t i = 0; i < 3; i++) {
		struct fetch f;
		struct err e;

		history_start(&f, models[i], 1, TEXT, LINE);
		cr_assert_not(fetch_latch(&f, READER, 0, 2, &e));
		cr_assert_eq(e.code, ERR_INPUT);
		cr_assert(strstr(e.text, fetch_model_name(models[i])), "%s", e.text);
		fetch_fini(&f);
	}
}

/* ordered: a fetch of one chunk moves every other one, also those it did not touch. */
Test(fetch, ordered_is_monotone_on_any_chunk)
{
	struct fetch_plan plan = { 0 }, none = { 0 };
	struct fetch f;

	history_start(&f, FETCH_ORDERED, 1, TEXT, LINE);
	history_store(&f, 40, 'n', WRITER);
	history_store(&f, 0, 'n', WRITER);
	cr_assert(fetch_legal(&f, READER, &none, 40, 0, NULL));
	fetch_plan_add(&f, &plan, 0, 2);
	fetch_done(&f, READER, &plan);
	for (uint32_t i = 0; i < LINE; i++)
		cr_assert_not(fetch_legal(&f, READER, &none, i, 1, NULL));
	cr_assert(fetch_legal(&f, WRITER, &none, 40, 0, NULL));
	fetch_fini(&f);
}

/* stale: nothing across chunks. */
Test(fetch, stale_chunks_are_independent)
{
	struct fetch_plan plan = { 0 }, none = { 0 };
	struct fetch f;

	history_start(&f, FETCH_STALE, 1, TEXT, LINE);
	history_store(&f, 40, 'n', WRITER);
	history_store(&f, 0, 'n', WRITER);
	fetch_plan_add(&f, &plan, 0, 2);
	fetch_done(&f, READER, &plan);
	cr_assert_not(fetch_legal(&f, READER, &none, 0, 1, NULL));
	cr_assert(fetch_legal(&f, READER, &none, 40, 0, NULL));
	fetch_fini(&f);
}

/* Choices are the legal versions, one of each content, the oldest. */
static void assert_choices_are_the_legal(const struct fetch *f, const struct fetch_plan *plan,
					 uint32_t offset)
{
	uint32_t versions[64], n = fetch_choices(f, READER, plan, offset, versions, 64);

	cr_assert(n > 0 && n <= 64);
	for (uint32_t i = 0; i < n; i++) {
		cr_assert(fetch_legal(f, READER, plan, offset, versions[i], NULL));
		for (uint32_t j = 0; j < i; j++)
			cr_assert_neq(history_byte(f, versions[i], offset),
				      history_byte(f, versions[j], offset));
	}
	for (uint32_t t = f->first; t <= fetch_now(f); t++) {
		bool covered = false;

		if (!fetch_legal(f, READER, plan, offset, t, NULL))
			continue;
		for (uint32_t i = 0; i < n; i++)
			covered |= versions[i] <= t && history_byte(f, versions[i], offset) ==
							       history_byte(f, t, offset);
		cr_assert(covered, "version %u", t);
	}
}

/* Seeded: the same histories every time. */
static uint32_t draw(uint32_t below)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % below;
}

/* One random event; in (a) plainly, in (b) followed by trimming. */
static void random_event(struct fetch *a, struct fetch *b)
{
	struct fetch_plan plan = { 0 };
	uint32_t offset = draw(2), versions[64], n, vcpu = draw(2);
	char value = (char)('a' + draw(3));

	switch (draw(5)) {
	case 0:
		fetch_synchronised(a, vcpu);
		fetch_synchronised(b, vcpu);
		break;
	case 1:
		for (offset = 0; offset < 2; offset++) {
			n = fetch_choices(a, READER, &plan, offset, versions, 64);
			fetch_plan_add(a, &plan, offset, versions[draw(n)]);
		}
		fetch_done(a, READER, &plan);
		fetch_done(b, READER, &plan);
		break;
	case 2:
		cr_assert_eq(fetch_latch(a, READER, 0, 2, NULL),
			     fetch_latch(b, READER, 0, 2, NULL));
		break;
	default:
		cr_assert_eq(history_store(a, offset, value, (int)vcpu),
			     history_store(b, offset, value, (int)vcpu));
	}
	fetch_trim(b);
}

Test(fetch, random_histories)
{
	for (unsigned int round = 0; round < 200; round++) {
		struct fetch a, b;

		history_start(&a, round % FETCH_MODELS, 1, TEXT, LINE);
		history_start(&b, round % FETCH_MODELS, 1, TEXT, LINE);
		a.config.own_alias_visible = b.config.own_alias_visible = draw(2);
		for (unsigned int i = 0; i < 30; i++) {
			struct fetch_plan none = { 0 };

			random_event(&a, &b);
			assert_choices_are_the_legal(&a, &none, 0);
			assert_choices_are_the_legal(&a, &none, 1);
			for (uint32_t t = 0; t <= fetch_now(&a); t++)
				cr_assert_eq(fetch_legal(&a, READER, &none, 1, t, NULL),
					     fetch_legal(&b, READER, &none, 1, t, NULL));
		}
		fetch_fini(&a);
		fetch_fini(&b);
	}
}

// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fetch.c - the fetch models, as a table of histories and of what an
 * instruction of two chunks may then be fetched as. No KVM, no decoder.
 */
#include "fetch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define LINE   64u
#define TEXT   0x20001000u
#define TAIL   (f->config.chunk)
#define WRITER 0
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

static void start(struct fetch *f, enum fetch_model model, uint32_t chunk, uint64_t address,
		  uint32_t length)
{
	struct fetch_config config = { .model = model, .chunk = chunk };
	struct fetch_range range = { .address = address, .length = length };
	uint8_t bytes[FETCH_WINDOW_MAX];

	memset(bytes, 'o', sizeof(bytes));
	fetch_init(f, &config, 2, &range, 1, bytes);
}

static bool store(struct fetch *f, uint32_t offset, char value, int writer)
{
	uint8_t window[FETCH_WINDOW_MAX];

	memcpy(window, fetch_window(f, fetch_now(f)), f->size);
	window[offset] = (uint8_t)value;
	return fetch_stored(f, window, writer);
}

static char byte_at(const struct fetch *f, uint32_t version, uint32_t offset)
{
	return (char)fetch_window(f, version)[offset];
}

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
			text[n][0] = byte_at(f, heads[i], 0);
			text[n][1] = byte_at(f, tails[j], TAIL);
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
		store(f, 0, word[1], word[0] == 'H' ? READER : WRITER);
		break;
	case 't':
	case 'T':
		store(f, TAIL, word[1], word[0] == 'T' ? READER : WRITER);
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
	start(&f, h->model, chunk, TEXT + 2 * FETCH_CHUNK_PAGE - LINE, 2 * LINE);
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

Test(fetch, names)
{
	enum fetch_model model;

	for (unsigned int i = 0; i < FETCH_MODELS; i++) {
		cr_assert(fetch_model_parse(fetch_model_name((enum fetch_model)i), &model));
		cr_assert_eq(model, i);
	}
	cr_assert_str_eq(fetch_model_name(FETCH_ORDERED), "ordered");
	cr_assert_str_eq(fetch_model_name(FETCH_MODELS), "?");
	cr_assert_str_eq(fetch_model_name((enum fetch_model) - 1), "?");
	cr_assert_not(fetch_model_parse("arm", &model));
	cr_assert_not(fetch_model_parse("", &model));
	cr_assert_not(fetch_model_parse("SC", &model));
}

static void assert_nchunks(uint32_t chunk, uint64_t address, uint32_t length, uint32_t expected)
{
	struct fetch f;

	start(&f, FETCH_STALE, chunk, address, length);
	cr_assert_eq(f.nchunks, expected, "chunk %u at 0x%lx: %u chunks, not %u", chunk,
		     (unsigned long)address, f.nchunks, expected);
	for (uint32_t i = 0; i < f.size; i++) {
		uint64_t unit = (address + i) / chunk - address / chunk;

		cr_assert_eq(f.chunk_of[i], unit);
	}
	fetch_fini(&f);
}

Test(fetch, chunk_sizes)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8, 16, 64 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_nchunks(sizes[i], TEXT, LINE, LINE / sizes[i]);
		assert_nchunks(sizes[i], TEXT - LINE, 2 * LINE, 2 * LINE / sizes[i]);
	}
	assert_nchunks(FETCH_CHUNK_PAGE, TEXT, 2 * LINE, 1);
	assert_nchunks(FETCH_CHUNK_PAGE, TEXT - LINE, 2 * LINE, 2);
	assert_nchunks(1, TEXT, FETCH_WINDOW_MAX, FETCH_WINDOW_MAX);
}

/* Three lines: two in one page, one in the next but one. */
Test(fetch, several_pieces)
{
	static const struct fetch_range ranges[] = {
		{ TEXT, LINE, 0 },
		{ TEXT + 4 * LINE, LINE, LINE },
		{ TEXT + 2 * FETCH_CHUNK_PAGE, LINE, 2 * LINE },
	};
	struct fetch_config config = { .model = FETCH_STALE, .chunk = FETCH_CHUNK_PAGE };
	uint8_t bytes[3 * LINE] = { 0 };
	struct fetch_plan none = { 0 };
	uint32_t versions[4];
	struct fetch f;

	fetch_init(&f, &config, 2, ranges, 3, bytes);
	cr_assert_eq(f.nchunks, 2);
	cr_assert_eq(f.chunk_of[0], f.chunk_of[2 * LINE - 1]);
	cr_assert_neq(f.chunk_of[0], f.chunk_of[2 * LINE]);
	cr_assert_eq(fetch_offset(&f, TEXT), 0);
	cr_assert_eq(fetch_offset(&f, TEXT + LINE - 1), LINE - 1);
	cr_assert_eq(fetch_offset(&f, TEXT + LINE), -1);
	cr_assert_eq(fetch_offset(&f, TEXT - 1), -1);
	cr_assert_eq(fetch_offset(&f, TEXT + 4 * LINE + 3), LINE + 3);
	cr_assert_eq(fetch_offset(&f, TEXT + 2 * FETCH_CHUNK_PAGE + LINE - 1), 3 * LINE - 1);
	cr_assert_eq(fetch_offset(&f, UINT64_MAX), -1);
	/* A store to the second line is a new version of the page the first one is in. */
	store(&f, LINE, 'n', WRITER);
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 4), 2);
	cr_assert_eq(fetch_choices(&f, READER, &none, 2 * LINE, versions, 4), 1);
	fetch_fini(&f);
}

/* An instruction over a page border, fetched page by page. */
Test(fetch, cross_page)
{
	uint32_t versions[4], border = LINE;
	struct fetch_plan plan = { 0 };
	struct fetch f;

	start(&f, FETCH_ORDERED, FETCH_CHUNK_PAGE, TEXT - LINE, 2 * LINE);
	store(&f, border, 'n', WRITER);
	store(&f, border - 1, 'n', WRITER);
	cr_assert_eq(fetch_choices(&f, READER, &plan, border - 1, versions, 4), 2);
	cr_assert_eq(versions[0], 2);
	cr_assert_eq(versions[1], 0);
	fetch_plan_add(&f, &plan, border - 1, 2);
	cr_assert_eq(plan.chunk[0], 0);
	cr_assert_eq(fetch_choices(&f, READER, &plan, border, versions, 4), 1);
	cr_assert_eq(versions[0], 2);
	fetch_plan_add(&f, &plan, border, 2);
	cr_assert_eq(plan.chunk[1], 1);
	fetch_fini(&f);
}

Test(fetch, stored)
{
	uint8_t window[LINE];
	struct fetch f;

	start(&f, FETCH_STALE, 1, TEXT, LINE);
	memset(window, 'o', sizeof(window));
	cr_assert_not(fetch_stored(&f, window, -1));
	cr_assert_eq(fetch_now(&f), 0);
	window[3] = 'n';
	cr_assert(fetch_stored(&f, window, -1));
	cr_assert_eq(fetch_now(&f), 1);
	cr_assert_not(fetch_stored(&f, window, -1));
	cr_assert_eq(byte_at(&f, 0, 3), 'o');
	cr_assert_eq(byte_at(&f, 1, 3), 'n');
	fetch_fini(&f);
}

/* Many more versions than the first allocation holds, all of which stay. */
Test(fetch, long_history)
{
	uint32_t versions[300];
	struct fetch_plan none = { 0 };
	struct fetch f;

	start(&f, FETCH_STALE, 2, TEXT, LINE);
	for (unsigned int i = 1; i < 200; i++)
		store(&f, i % 2, (char)i, WRITER);
	cr_assert_eq(fetch_now(&f), 199);
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 300), 200);
	for (uint32_t i = 0; i < 200; i++)
		cr_assert_eq(versions[i], 199 - i);
	/* Fewer than there are may be asked for; the number does not change. */
	versions[2] = 77;
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 2), 200);
	cr_assert_eq(versions[2], 77);
	fetch_fini(&f);
}

/* Content newest first, of equal content the oldest version. */
Test(fetch, choices_order)
{
	uint32_t versions[8];
	struct fetch_plan none = { 0 };
	struct fetch f;

	start(&f, FETCH_STALE, 1, TEXT, LINE);
	for (const char *p = "noin"; *p; p++)
		store(&f, 0, *p, WRITER);
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 8), 3);
	cr_assert_eq(versions[0], 1); /* n, which is there now, was so as of 1 */
	cr_assert_eq(versions[1], 3); /* i */
	cr_assert_eq(versions[2], 0); /* o, also as of 2 */
	fetch_fini(&f);
}

static void assert_held(const struct fetch *f, uint32_t first, uint32_t count)
{
	cr_assert_eq(f->first, first, "first is %u, not %u", f->first, first);
	cr_assert_eq(f->count, count, "count is %u, not %u", f->count, count);
}

Test(fetch, trim_waits_for_everybody)
{
	struct fetch f;

	start(&f, FETCH_STALE, 1, TEXT, LINE);
	store(&f, 0, 'a', WRITER);
	store(&f, 0, 'b', WRITER);
	fetch_trim(&f);
	assert_held(&f, 0, 3);
	fetch_synchronised(&f, READER);
	fetch_trim(&f);
	assert_held(&f, 0, 3);
	fetch_synchronised(&f, WRITER);
	store(&f, 0, 'c', WRITER);
	fetch_trim(&f);
	assert_held(&f, 2, 2);
	cr_assert_eq(fetch_now(&f), 3);
	cr_assert_eq(byte_at(&f, 2, 0), 'b');
	cr_assert_eq(byte_at(&f, 3, 0), 'c');
	fetch_fini(&f);
}

Test(fetch, trim_keeps_the_latched)
{
	struct fetch_plan plan = { 0 };
	struct fetch f;
	struct err e;

	start(&f, FETCH_ASC, 1, TEXT, LINE);
	store(&f, 0, 'a', WRITER);
	cr_assert(fetch_latch(&f, READER, 0, 2, &e));
	store(&f, 0, 'b', WRITER);
	store(&f, 1, 'b', WRITER);
	fetch_trim(&f);
	assert_held(&f, 1, 3);
	fetch_plan_add(&f, &plan, 0, 1);
	fetch_plan_add(&f, &plan, 1, 3);
	fetch_done(&f, READER, &plan);
	fetch_trim(&f);
	assert_held(&f, 3, 1);
	fetch_fini(&f);
}

/* sc keeps nothing: what nobody may fetch goes with the next trim. */
Test(fetch, trim_newest_models)
{
	for (enum fetch_model m = FETCH_SC; m <= FETCH_DESC; m++) {
		struct fetch f;

		start(&f, m, 1, TEXT, LINE);
		for (unsigned int i = 0; i < 100; i++) {
			store(&f, i % 7, (char)i, i % 2 ? WRITER : -1);
			fetch_trim(&f);
			assert_held(&f, i + 1, 1);
		}
		fetch_fini(&f);
	}
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

	start(&f, FETCH_ORDERED, 1, TEXT, LINE);
	store(&f, 0, 'a', WRITER);
	fetch_synchronised(&f, READER);
	store(&f, 0, 'b', WRITER);
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
	start(&f, FETCH_DESC, 1, TEXT, LINE);
	cr_assert(fetch_latch(&f, READER, 0, 1, &e));
	store(&f, 0, 'a', WRITER);
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

		start(&f, orders[m].model, 1, TEXT, LINE);
		for (unsigned int i = 0; i < 3; i++) {
			const struct fetch_plan *latched = &f.latched[READER];
			unsigned int at = orders[m].model == FETCH_ASC ? i : 0;

			cr_assert(fetch_latch(&f, READER, 4, 3, &e));
			cr_assert_eq(latched->nchunks, i + 1);
			cr_assert_eq(latched->chunk[at], orders[m].chunk[i]);
			cr_assert_eq(latched->version[at], i);
			store(&f, 4, (char)i, WRITER);
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

		start(&f, models[i], 1, TEXT, LINE);
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

	start(&f, FETCH_ORDERED, 1, TEXT, LINE);
	store(&f, 40, 'n', WRITER);
	store(&f, 0, 'n', WRITER);
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

	start(&f, FETCH_STALE, 1, TEXT, LINE);
	store(&f, 40, 'n', WRITER);
	store(&f, 0, 'n', WRITER);
	fetch_plan_add(&f, &plan, 0, 2);
	fetch_done(&f, READER, &plan);
	cr_assert_not(fetch_legal(&f, READER, &none, 0, 1, NULL));
	cr_assert(fetch_legal(&f, READER, &none, 40, 0, NULL));
	fetch_fini(&f);
}

/* An instruction outside the window changes nothing. */
Test(fetch, done_of_nothing)
{
	for (enum fetch_model m = 0; m < FETCH_MODELS; m++) {
		struct fetch_plan none = { 0 };
		uint32_t low[LINE];
		struct fetch f;

		start(&f, m, 1, TEXT, LINE);
		store(&f, 0, 'n', WRITER);
		memcpy(low, f.low[READER], sizeof(low));
		fetch_done(&f, READER, &none);
		cr_assert_arr_eq(low, f.low[READER], sizeof(low));
		fetch_fini(&f);
	}
}

Test(fetch, copy_is_deep)
{
	struct fetch f, copy = { 0 };

	start(&f, FETCH_STALE, 1, TEXT, LINE);
	store(&f, 0, 'n', WRITER);
	fetch_copy(&copy, &f);
	store(&f, 0, 'x', WRITER);
	fetch_synchronised(&f, READER);
	cr_assert_eq(fetch_now(&copy), 1);
	cr_assert_eq(byte_at(&copy, 1, 0), 'n');
	cr_assert_eq(copy.low[READER][0], 0);
	/* And into one that holds something of another size. */
	fetch_fini(&copy);
	start(&copy, FETCH_SC, 2, TEXT, 2 * LINE);
	fetch_copy(&copy, &f);
	cr_assert_eq(copy.size, LINE);
	cr_assert_eq(byte_at(&copy, 2, 0), 'x');
	store(&copy, 1, 'y', WRITER);
	cr_assert_eq(fetch_now(&f), 2);
	fetch_fini(&f);
	fetch_fini(&copy);
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
			cr_assert_neq(byte_at(f, versions[i], offset),
				      byte_at(f, versions[j], offset));
	}
	for (uint32_t t = f->first; t <= fetch_now(f); t++) {
		bool covered = false;

		if (!fetch_legal(f, READER, plan, offset, t, NULL))
			continue;
		for (uint32_t i = 0; i < n; i++)
			covered |= versions[i] <= t &&
				   byte_at(f, versions[i], offset) == byte_at(f, t, offset);
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
		cr_assert_eq(store(a, offset, value, (int)vcpu),
			     store(b, offset, value, (int)vcpu));
	}
	fetch_trim(b);
}

Test(fetch, random_histories)
{
	for (unsigned int round = 0; round < 200; round++) {
		struct fetch a, b;

		start(&a, round % FETCH_MODELS, 1, TEXT, LINE);
		start(&b, round % FETCH_MODELS, 1, TEXT, LINE);
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

Test(fetch, fini_of_zeroed)
{
	struct fetch f = { 0 };

	fetch_fini(&f);
}

Test(fetch, asserts_chunk_size, .signal = SIGABRT)
{
	struct fetch f;

	start(&f, FETCH_SC, 3, TEXT, LINE);
}

Test(fetch, asserts_address_order, .signal = SIGABRT)
{
	static const struct fetch_range ranges[] = { { TEXT, LINE, 0 },
						     { TEXT + LINE, LINE, LINE } };
	struct fetch_config config = { .model = FETCH_SC, .chunk = 1 };
	uint8_t bytes[2 * LINE] = { 0 };
	struct fetch f;

	fetch_init(&f, &config, 1, ranges, 2, bytes);
}

Test(fetch, asserts_plan_order, .signal = SIGABRT)
{
	struct fetch_plan plan = { 0 };
	struct fetch f;

	start(&f, FETCH_SC, 1, TEXT, LINE);
	fetch_plan_add(&f, &plan, 1, 0);
	fetch_plan_add(&f, &plan, 0, 0);
}

Test(fetch, asserts_forgotten_version, .signal = SIGABRT)
{
	struct fetch f;

	start(&f, FETCH_SC, 1, TEXT, LINE);
	store(&f, 0, 'n', WRITER);
	fetch_trim(&f);
	fetch_window(&f, 0);
}
